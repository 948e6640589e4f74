"""Outputs of `ecm localize`: the screen, a file or a folder."""

import csv
import io
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter
from tqdm import tqdm

from ecm_client.clients import Client
from ecm_client.errors import LocalizerServiceError
from ecm_client.formats.table import export
from ecm_client.formats.video_segments import rounded
from ecm_client.localization import Localization
from ecm_localizer.command.inputs import Input
from ecm_localizer.command.segment_list import Display, segment_list
from model.errors import OptionError
from model.whole_file import whole_file

if TYPE_CHECKING:
    from ecm_localizer.localizer import Localizer

OUTPUT = Group.create_ordered("Output")
_JSON, _LINES, _CSV, _VTT = ".json", ".jsonl", ".csv", ".vtt"
_Flag: TypeAlias = Annotated[bool, Parameter(negative="")]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Options for the results."""

    out: Path | None = None
    """File for the results: .json (ActivityNet's result format), .jsonl, .csv or .vtt; or a folder
    for one .json file per input."""
    json: _Flag = False
    """Print one JSON object per input, each on a line."""
    all: _Flag = False
    """List segments with low scores too."""
    seconds: _Flag = False
    """List times in seconds."""


class Output:
    """Takes results, one video at a time."""

    def add(self, item: Input, localization: Localization) -> None:
        """Takes the result of one video."""
        raise NotImplementedError

    def close(self) -> None:
        """Writes the results that are not written yet."""


class JsonLines(Output):
    """Prints each result as a line of JSON."""

    def add(self, item: Input, localization: Localization) -> None:
        """Prints one result."""
        tqdm.write(_json_line(item, localization))


@dataclass(frozen=True, slots=True)
class Screen(Output):
    """Prints each result as a list."""

    model: "Localizer | Client"
    """Model that localizes."""
    display: Display
    """Choices of the user. The spec of the model completes them."""
    displays: dict[tuple[str, int | None], Display] = field(default_factory=dict)
    """Completed choices by model and version."""

    def add(self, item: Input, localization: Localization) -> None:
        """Prints one result."""
        key = localization.model, localization.version
        if key not in self.displays:
            self.displays[key] = self.display.completed(_spec(self.model, localization))
        tqdm.write(segment_list(item.source, localization, self.displays[key]))


@dataclass(frozen=True, slots=True)
class ResultFolder(Output):
    """Writes each result to a file ID.json, in the format of POST /localize."""

    path: Path
    """The folder."""

    def add(self, item: Input, localization: Localization) -> None:
        """Writes one file."""
        name = item.id.replace("://", "/").replace("..", "_").lstrip("/")
        with whole_file(self.path / f"{name}{_JSON}") as file:
            file.write(localization.to_json().encode())
        _print_notes(item, localization)


@dataclass(frozen=True, slots=True)
class ResultFile(Output):
    """Writes all results to one file at the end."""

    path: Path
    """The file. The ending of its name determines the format."""
    results: list[tuple[Input, Localization]] = field(default_factory=list)
    """Results so far."""

    def add(self, item: Input, localization: Localization) -> None:
        """Keeps one result."""
        self.results.append((item, localization))
        _print_notes(item, localization)

    def close(self) -> None:
        """Writes the file. An older file is replaced only if the whole new one can be written."""
        with whole_file(self.path) as file:
            # A file's name may have bytes that are no text, which UTF-8 cannot encode.
            file.write(self._text().encode(errors="backslashreplace"))

    def _text(self) -> str:
        ending = self.path.suffix.lower()
        if ending == _JSON:
            videos = [result.video_segments(item.id) for item, result in self.results]
            return export("activitynet", videos).decode()
        if ending == _LINES:
            return "".join(f"{_json_line(item, result)}\n" for item, result in self.results)
        if ending == _VTT:
            return "".join(result.to_vtt() for _, result in self.results)
        return self._csv()

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("video", "label", "start_s", "end_s", "score"))
        for item, result in self.results:
            for start_s, end_s, label, score in map(rounded, result):
                writer.writerow((item.id, label, start_s, end_s, score))
        return text.getvalue()


def open_output(
    options: OutputOptions, model: "Localizer | Client", localization: Mapping[str, Any]
) -> Output:
    """Returns the output that the options ask for.

    Args:
        options: options for the results.
        model: model that localizes.
        localization: options of the calls. With a `min_score`, the list shows all segments.
    """
    if options.out is not None:
        return ResultFile(options.out) if options.out.suffix else ResultFolder(options.out)
    if options.json:
        return JsonLines()
    lists_all = options.all or localization.get("min_score") is not None
    display = Display(
        min_score=-math.inf if lists_all else None,
        class_threshold=localization.get("class_threshold"),
        in_seconds=options.seconds,
    )
    return Screen(model, display)


def check_output(out: Path | None, inputs: int) -> None:
    """Checks that an output can hold the results, before the work begins.

    Raises:
        OptionError: the format is unknown, or holds only one video.
    """
    ending = "" if out is None else out.suffix.lower()
    if ending not in ("", _JSON, _LINES, _CSV, _VTT):
        raise OptionError(
            f"--out {out}: unknown format {ending}; expected .json, .jsonl, .csv, .vtt or a folder"
        )
    if ending == _VTT and inputs > 1:
        raise OptionError(f"--out {out}: .vtt holds one video, not {inputs}; use .csv or a folder")


def _spec(model: "Localizer | Client", localization: Localization) -> Mapping[str, Any]:
    """Returns the JSON form of the model's spec; an empty one if the service does not show it."""
    if not isinstance(model, Client):
        return json.loads(model.spec.to_json())
    try:
        return model.model(localization.model, localization.version or 1).spec or {}
    except LocalizerServiceError:
        return {}


def _print_notes(item: Input, localization: Localization) -> None:
    """Prints the notes on a result whose file is not on the screen, to the error output."""
    for note in localization.notes:
        tqdm.write(f"note: {item.source}: {note}", file=sys.stderr)


def _json_line(item: Input, localization: Localization) -> str:
    return json.dumps({"file": item.source, **json.loads(localization.to_json())})
