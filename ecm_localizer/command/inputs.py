"""Inputs of `ecm localize`: files, folders and URIs, and the ids of their results."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ecm_client.inputs import is_uri
from features.extraction import SUFFIXES, known_origin
from model.errors import DataError
from training.datasets.annotations import read_annotations

_FEATURES = ".npy"


@dataclass(frozen=True, slots=True)
class Input:
    """One video, or the features of one."""

    source: str
    """Path or URI for the `localize` of a Localizer or a Client."""
    id: str
    """Path below the folder that was named, or name of the file, without its ending; or the URI."""
    clock: dict[str, float] = field(default_factory=dict)
    """Option `snippet_s` or `duration_s` for features whose clock is known; else empty."""


def find_inputs(words: Sequence[str], annotations: Path | None = None) -> list[Input]:
    """Returns the distinct inputs that the words name. Their ids differ. Files need not exist.

    Args:
        words: paths of files and folders, and URIs.
        annotations: file in ActivityNet's JSON format, for the durations of videos by id.

    Raises:
        DataError: a folder contains neither features nor videos.
    """
    named = read_annotations(annotations) if annotations else []
    durations_s = {video.id: video.duration_s for video in named if video.duration_s}
    every = (one for word in words for one in _inputs(word, durations_s))
    inputs = list({one.source: one for one in every}.values())
    uses = Counter(one.id for one in inputs)
    return [one if uses[one.id] == 1 else replace(one, id=one.source) for one in inputs]


def _inputs(word: str, durations_s: Mapping[str, float]) -> Iterator[Input]:
    path = Path(word)
    if is_uri(word):
        yield Input(word, word)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if _is_input(file))
        if not files:
            raise DataError(f"{path} contains no {_FEATURES} file and no video")
        for file in files:
            yield _of_file(file, path, durations_s)
    else:
        yield _of_file(path, path.parent, durations_s)


def _is_input(file: Path) -> bool:
    known = file.suffix.lower() in (_FEATURES, *SUFFIXES)
    return known and not file.name.startswith(".") and file.is_file()


def _of_file(file: Path, folder: Path, durations_s: Mapping[str, float]) -> Input:
    name = file.relative_to(folder).with_suffix("").as_posix()
    if file.suffix.lower() != _FEATURES:
        return Input(str(file), name)
    if origin := known_origin(folder, name):  # `ecm extract` wrote it beside the features
        return Input(str(file), name, {"snippet_s": origin.snippet_s})
    clock = {"duration_s": durations_s[name]} if name in durations_s else {}
    return Input(str(file), name, clock)
