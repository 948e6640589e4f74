"""Plots, clips and labelled copies that `ecm localize` writes beside its results."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ecm_client.clients import Client
from ecm_client.localization import Localization
from ecm_client.segments import Segment
from ecm_localizer.command.inputs import Input
from ecm_localizer.command.output_options import OutputOptions
from ecm_localizer.command.results import Displays, Output, file_of, open_text
from ecm_localizer.command.segment_list import Display, count
from ecm_localizer.installation import needed
from model.errors import OptionError
from model.whole_file import whole_path

if TYPE_CHECKING:
    from ecm_localizer.localizer import Localizer


@dataclass(frozen=True, slots=True)
class Plots(Output):
    """Writes the time line of each result as an image."""

    path: Path
    """The image, or a folder for images."""
    displays: Displays
    """Parts of a result that are shown."""
    overwrite: bool
    """Whether older images are replaced."""

    def add(self, item: Input, localization: Localization) -> None:
        """Writes one image."""
        out = _place(item, self.path, ".png", overwrite=self.overwrite)
        min_score = _min_score(self.displays.of(localization))
        figure = localization.plot(title=Path(item.source).name, min_score=min_score)
        with whole_path(out) as partial:
            figure.savefig(partial, dpi=150, format=out.suffix.removeprefix("."))
        _report(f"{out}: time line of {item.source}")


@dataclass(frozen=True, slots=True)
class ClipFolder(Output):
    """Cuts the listed segments of each video into clips."""

    path: Path
    """The folder."""
    displays: Displays
    """Parts of a result that are shown."""
    options: OutputOptions
    """Options for the results."""

    def add(self, item: Input, localization: Localization) -> None:
        """Writes the clips of one video."""
        with needed("--clips", extra="video", packages=("features",)):
            from features.video.clips import cut_clips
        segments = _listed(localization, self.displays.of(localization))
        clips = cut_clips(
            Path(item.source),
            segments,
            self.path,
            exact=self.options.exact,
            overwrite=self.options.overwrite,
        )
        early_s = max((c.segment.start_s - c.start_s for c in clips), default=0.0)
        hint = "" if early_s < 0.1 else (
            f", which start up to {early_s:.1f} s early, at key frames; --exact starts them exactly"
        )  # fmt: skip
        _report(f"{self.path}: {count(len(clips), 'clip')} of {item.source}{hint}")


@dataclass(frozen=True, slots=True)
class BurntCopies(Output):
    """Writes a copy of each video with the labels of its listed segments burnt in."""

    path: Path
    """The copy, or a folder for copies."""
    displays: Displays
    """Parts of a result that are shown."""
    overwrite: bool
    """Whether older copies are replaced."""

    def add(self, item: Input, localization: Localization) -> None:
        """Writes one copy."""
        with needed("--burn", extra="video", packages=("features",)):
            from features.video.burning import burn_labels
        out = _place(item, self.path, ".mp4", overwrite=self.overwrite)
        segments = _listed(localization, self.displays.of(localization))
        labels = localization.cas_labels or sorted(localization.classes)
        burn_labels(Path(item.source), out, segments, labels=labels, overwrite=self.overwrite)
        _report(f"{out}: copy of {item.source} with labels")


@dataclass(frozen=True, slots=True)
class Everything(Output):
    """Gives each result to several outputs."""

    text: Output
    """Output of the results; without the class activation, which only plots need."""
    others: Sequence[Output]
    """Plots, clips and copies."""

    def add(self, item: Input, localization: Localization) -> None:
        """Gives one result to all outputs."""
        self.text.add(item, replace(localization, cas_TC=None, cas_labels=()))
        for other in self.others:
            other.add(item, localization)

    def close(self) -> None:
        """Closes all outputs."""
        self.text.close()


def open_output(
    options: OutputOptions, model: "Localizer | Client", localization: Mapping[str, Any]
) -> Output:
    """Returns the output that the options ask for.

    Args:
        options: options for the results.
        model: model that localizes.
        localization: options of the calls. With a `min_score`, the list shows all segments.
    """
    lists_all = options.all or localization.get("min_score") is not None
    displays = Displays(
        model,
        Display(
            min_score=-math.inf if lists_all else None,
            class_threshold=localization.get("class_threshold"),
            in_seconds=options.seconds,
        ),
    )
    others: list[Output] = []
    if options.plot is not None:
        others.append(Plots(options.plot, displays, options.overwrite))
    if options.clips is not None:
        others.append(ClipFolder(options.clips, displays, options))
    if options.burn is not None:
        others.append(BurntCopies(options.burn, displays, options.overwrite))
    return Everything(open_text(options, displays), others)


def _place(item: Input, path: Path, suffix: str, *, overwrite: bool) -> Path:
    """Returns the file of an input: the path itself, or below it if it is a folder.

    Raises:
        OptionError: the file exists and must not be replaced.
    """
    out = path if path.suffix else file_of(item, path, suffix)
    if out.exists() and not overwrite:
        raise OptionError(f"{out} exists; give another name or --overwrite")
    return out


def _listed(localization: Localization, display: Display) -> list[Segment]:
    min_score = _min_score(display)
    return [segment for segment in localization if segment.score >= min_score]


def _min_score(display: Display) -> float:
    return -math.inf if display.min_score is None else display.min_score


def _report(line: str) -> None:
    """Prints a line about a file; not to the standard output, which may be a pipe for results."""
    tqdm.write(line, file=sys.stderr)
