"""Inputs of `ecm localize`: files, folders and URIs, and the ids of their results."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ecm_client.inputs import is_uri
from features.extraction import SUFFIXES, known_origin
from features.video_ids import match_ids
from model.errors import DataError
from training.datasets.annotations import Annotation, read_annotations

_FEATURES = ".npy"


@dataclass(frozen=True, slots=True)
class Input:
    """One video, or the features of one."""

    source: str
    """Path or URI for the `localize` of a Localizer or a Client."""
    id: str
    """Id in the annotations; without them, the path below the folder that was named, or the name
    of the file, without its ending; or the URI."""
    clock: dict[str, float] = field(default_factory=dict)
    """Option `snippet_s` or `duration_s` for features whose clock is known; else empty."""


def find_inputs(words: Sequence[str], annotations: Path | None = None) -> list[Input]:
    """Returns the distinct inputs that the words name. Their ids differ. Files need not exist.

    Args:
        words: paths of files and folders, and URIs.
        annotations: file in ActivityNet's JSON format, for the ids and the durations of videos.

    Raises:
        DataError: a folder contains neither features nor videos, or no input is annotated.
    """
    every = (one for word in words for one in _inputs(word))
    inputs = list({one.source: one for one in every}.values())
    if annotations:
        inputs = _annotated(inputs, annotations)
    uses = Counter(one.id for one in inputs)
    return [one if uses[one.id] == 1 else replace(one, id=one.source) for one in inputs]


def _annotated(inputs: Sequence[Input], annotations: Path) -> list[Input]:
    """Returns the inputs with the ids and durations of their annotations, where they have one."""
    videos = {video.id: video for video in read_annotations(annotations)}
    names = [one.id for one in inputs]
    video_of = {name: videos[id_] for id_, name in match_ids(videos, names).items()}
    if inputs and not video_of:
        raise DataError(
            f"{annotations} names none of {len(inputs)} inputs, for instance {names[0]!r}; "
            f"expected names such as {min(videos, default='')!r}"
        )
    return [_of_video(one, video_of[one.id]) if one.id in video_of else one for one in inputs]


def _of_video(one: Input, video: Annotation) -> Input:
    lacks_clock = one.source.lower().endswith(_FEATURES) and not one.clock
    if not (lacks_clock and video.duration_s):
        return replace(one, id=video.id)
    return replace(one, id=video.id, clock={"duration_s": video.duration_s})


def _inputs(word: str) -> Iterator[Input]:
    path = Path(word)
    if is_uri(word):
        yield Input(word, word)
    elif os.path.isdir(path):  # noqa: PTH112, because Path.is_dir raises on a name that is too long
        files = sorted(file for file in path.rglob("*") if _is_input(file))
        if not files:
            raise DataError(f"{path} contains no {_FEATURES} file and no video")
        for file in files:
            yield _of_file(file, path)
    else:
        yield _of_file(path, path.parent)


def _is_input(file: Path) -> bool:
    known = file.suffix.lower() in (_FEATURES, *SUFFIXES)
    return known and not file.name.startswith(".") and file.is_file()


def _of_file(file: Path, folder: Path) -> Input:
    name = file.relative_to(folder).with_suffix("").as_posix()
    if file.suffix.lower() != _FEATURES:
        return Input(str(file), name)
    origin = known_origin(folder, name)  # `ecm extract` wrote it beside the features
    return Input(str(file), name, {"snippet_s": origin.snippet_s} if origin else {})
