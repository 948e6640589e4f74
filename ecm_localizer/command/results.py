"""Results of `ecm localize` as text: on the screen, in a file or in a folder."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ecm_client.clients import Client
from ecm_client.errors import LocalizerServiceError
from ecm_client.formats.table import export, format_of
from ecm_client.formats.video_segments import VideoSegments
from ecm_client.localization import Localization
from ecm_localizer.command.inputs import Input
from ecm_localizer.command.output_options import TABLE, OutputOptions, is_local_video
from ecm_localizer.command.segment_list import Display, segment_list
from ecm_localizer.installation import needed
from model.whole_file import whole_file

if TYPE_CHECKING:
    from ecm_localizer.localizer import Localizer


class Output:
    """Takes results, one video at a time."""

    def add(self, item: Input, localization: Localization) -> None:
        """Takes the result of one video."""
        raise NotImplementedError

    def close(self) -> None:
        """Writes the results that are not written yet."""


@dataclass(frozen=True, slots=True)
class Displays:
    """Parts of each result that are shown: the choices of the user, completed by the model."""

    model: "Localizer | Client"
    """Model that localizes."""
    display: Display
    """Choices of the user. The spec of the model completes them."""
    completed: dict[tuple[str, int | None], Display] = field(default_factory=dict)
    """Completed choices by model and version."""

    def of(self, localization: Localization) -> Display:
        """Returns the completed choices for a result."""
        key = localization.model, localization.version
        if key not in self.completed:
            self.completed[key] = self.display.completed(_spec(self.model, localization))
        return self.completed[key]


@dataclass(frozen=True, slots=True)
class Screen(Output):
    """Prints each result as a list."""

    displays: Displays
    """Parts of a result that the list shows."""

    def add(self, item: Input, localization: Localization) -> None:
        """Prints one result."""
        tqdm.write(segment_list(item.source, localization, self.displays.of(localization)))


@dataclass(frozen=True, slots=True)
class Lines(Output):
    """Prints each result as a line of JSON, as soon as it is there."""

    options: OutputOptions
    """Options for the results."""

    def add(self, item: Input, localization: Localization) -> None:
        """Prints one result."""
        tqdm.write(export("jsonl", [_video(item, localization, self.options)]).decode(), end="")


@dataclass(frozen=True, slots=True)
class ResultFolder(Output):
    """Writes each result to a file of its own, named by its id."""

    path: Path
    """The folder."""
    options: OutputOptions
    """Options for the results."""

    def add(self, item: Input, localization: Localization) -> None:
        """Writes one file."""
        name = self.options.format_name
        content = export(name, [_video(item, localization, self.options)])
        with whole_file(file_of(item, self.path, format_of(name).suffix)) as file:
            file.write(content)
        _print_notes(item, localization)


@dataclass(frozen=True, slots=True)
class OneText(Output):
    """Writes all results at the end, to one file or to the screen."""

    options: OutputOptions
    """Options for the results."""
    videos: list[VideoSegments] = field(default_factory=list)
    """Results so far."""

    def add(self, item: Input, localization: Localization) -> None:
        """Keeps one result."""
        self.videos.append(_video(item, localization, self.options))
        _print_notes(item, localization)

    def close(self) -> None:
        """Writes the text. An older file is replaced only if the whole new one can be written."""
        name, out = self.options.format_name, self.options.out
        if not self.videos and not format_of(name).holds_several:
            return
        content = export(name, self.videos)
        if out is None:
            print(content.decode(), end="" if content.endswith(b"\n") else "\n")
            return
        with whole_file(out) as file:
            file.write(content)


def open_text(options: OutputOptions, displays: Displays) -> Output:
    """Returns the output of texts that the options ask for."""
    name = options.format_name
    if name == TABLE:
        return Screen(displays)
    if options.out is not None and not options.out.suffix:
        return ResultFolder(options.out, options)
    if name == "jsonl" and options.out is None:
        return Lines(options)
    return OneText(options)


def file_of(item: Input, folder: Path, suffix: str) -> Path:
    """Returns the file of an input below a folder; never one outside it."""
    name = item.id.replace("://", "/").replace("..", "_").lstrip("/")
    return folder / f"{name}{suffix}"


def _video(item: Input, localization: Localization, options: OutputOptions) -> VideoSegments:
    """Returns a result with its name and, where the format counts frames, their rate.

    Raises:
        VideoError: the frame rate of a video cannot be read.
    """
    video = localization.video_segments(item.id, file=item.source, frame_rate=options.frame_rate)
    if not (format_of(options.format_name).counts_frames and is_local_video(item)):
        return video
    with needed("the frame rate of a video", extra="video", packages=("features",)):
        from features.video.reading import probe
    info = probe(Path(item.source))
    # Features have whole snippets, and may last a little longer than the video.
    return replace(
        video,
        duration_s=info.duration_s or video.duration_s,
        frame_rate=video.frame_rate or info.fps,
    )


def _spec(model: "Localizer | Client", localization: Localization) -> Mapping[str, Any]:
    """Returns the JSON form of the model's spec; an empty one if the service does not show it."""
    if not isinstance(model, Client):
        return json.loads(model.spec.to_json())
    try:
        return model.model(localization.model, localization.version or 1).spec or {}
    except LocalizerServiceError:
        return {}


def _print_notes(item: Input, localization: Localization) -> None:
    """Prints the notes on a result that is not listed, to the error output."""
    for note in localization.notes:
        tqdm.write(f"note: {item.source}: {note}", file=sys.stderr)
