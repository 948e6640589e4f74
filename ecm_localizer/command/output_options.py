"""Options of `ecm localize` for its results, checked before the work begins."""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Group, Parameter

from ecm_client.formats.table import FORMATS
from ecm_client.inputs import is_uri
from ecm_localizer.command.inputs import Input
from model.errors import OptionError

OUTPUT = Group.create_ordered("Output")
RARE_OUTPUT = Group.create_ordered("Output, rare")
_Flag: TypeAlias = Annotated[bool, Parameter(negative="")]
_RareFlag: TypeAlias = Annotated[bool, Parameter(negative="", group=RARE_OUTPUT)]
TABLE = "table"
FormatName: TypeAlias = Literal[
    "table", "csv", "json", "jsonl", "activitynet", "vtt", "edl", "elan", "boris", "labelstudio"
]  # fmt: skip
_OF_ENDING = {one.suffix: name for name, one in FORMATS.items()} | {".json": "activitynet"}
"""The format of a file by its ending; .json is the format that `ecm score` reads."""
_PLOT_ENDINGS = (".png", ".svg", ".pdf")
_FEATURES = ".npy"


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Options for the results."""

    out: Path | None = None
    """File for the results; its ending chooses the format: .json (ActivityNet's result format),
    .jsonl, .csv, .vtt, .edl, .eaf or .boris. Or a folder for one file per input. An older file is
    replaced."""
    format: FormatName | None = None
    """Format of the results; a table on a terminal and jsonl in a pipe if not given."""
    plot: Path | None = None
    """Image of the time line: .png, .svg or .pdf; or a folder for one image per input."""
    clips: Path | None = None
    """Folder for a clip of each listed segment. Clips start at the key frame before the segment,
    unless --exact is given."""
    exact: _Flag = False
    """Encode the clips again, so that they start exactly."""
    burn: Path | None = None
    """Copy of the video with the labels burnt in: .mp4; or a folder for one copy per input."""
    all: _Flag = False
    """List segments with low scores too."""
    seconds: _RareFlag = False
    """List times in seconds."""
    overwrite: _RareFlag = False
    """Replace older plots, clips and copies. Without it, they are never replaced."""
    frame_rate: Annotated[float | None, Parameter(group=RARE_OUTPUT)] = None
    """Frames a second, for edl and labelstudio; the one of the video if not given."""

    @property
    def format_name(self) -> str:
        """The name of the format, or `table`."""
        if self.format is not None:
            return self.format
        if self.out is not None:
            return _OF_ENDING[self.out.suffix.lower()] if self.out.suffix else "json"
        return TABLE if sys.stdout.isatty() else "jsonl"

    def check(self, inputs: Sequence[Input]) -> None:
        """Checks that the results can be written, before the work begins.

        Raises:
            OptionError: a format is unknown or holds one video only, a file exists, a folder cannot
                be written, or an option needs a video.
        """
        self._check_out(len(inputs))
        self._check_frame_rate(inputs)
        for name, path, endings in (
            ("--plot", self.plot, _PLOT_ENDINGS), ("--burn", self.burn, (".mp4",)),
        ):  # fmt: skip
            if path is not None and path.suffix:
                self._check_file(name, path, endings, len(inputs))
        if self.clips or self.burn:
            _check_videos("--clips" if self.clips else "--burn", inputs)
        if self.exact and self.clips is None:
            raise OptionError("--exact is about clips; expected --clips FOLDER with it")
        for path in (self.out, self.plot, self.clips, self.burn):
            if path is not None:
                _check_writable(path)

    def _check_out(self, inputs: int) -> None:
        ending = "" if self.out is None else self.out.suffix.lower()
        if ending and self.format is None and ending not in _OF_ENDING:
            endings = ", ".join(_OF_ENDING)
            raise OptionError(
                f"--out {self.out}: unknown format {ending}; expected {endings} or a folder"
            )
        name = self.format_name
        if name == TABLE and self.out is not None:
            raise OptionError(f"--out {self.out}: a table is for the screen; expected csv")
        to_folder = self.out is not None and not ending
        if name != TABLE and not FORMATS[name].holds_several and inputs > 1 and not to_folder:
            place = f"--out {self.out}" if self.out else f"--format {name}"
            raise OptionError(
                f"{place}: {FORMATS[name].suffix} holds one video, not {inputs}; use .csv or a "
                "folder"
            )

    def _check_frame_rate(self, inputs: Sequence[Input]) -> None:
        name = self.format_name
        if name == TABLE or not FORMATS[name].counts_frames or self.frame_rate is not None:
            return
        without = [one.source for one in inputs if not is_local_video(one)]
        if without:
            raise OptionError(
                f"{name} counts frames, and {without[0]} has no frame rate; give --frame-rate"
            )

    def _check_file(self, name: str, path: Path, endings: Iterable[str], inputs: int) -> None:
        if path.suffix.lower() not in endings:
            raise OptionError(
                f"{name} {path}: unknown ending {path.suffix}; expected {', '.join(endings)} or a "
                "folder"
            )
        if inputs > 1:
            raise OptionError(f"{name} {path}: holds one video, not {inputs}; give a folder")
        if path.exists() and not self.overwrite:
            raise OptionError(f"{name} {path} exists; give another name or --overwrite")


def is_local_video(one: Input) -> bool:
    """Returns whether an input is the file of a video on this machine."""
    return not is_uri(one.source) and not one.source.lower().endswith(_FEATURES)


def _check_videos(option: str, inputs: Sequence[Input]) -> None:
    others = [one.source for one in inputs if not is_local_video(one)]
    if others:
        raise OptionError(f"{option} needs video files on this machine, got {others[0]}")


def _check_writable(path: Path) -> None:
    """Checks the nearest folder that exists."""
    folder = path if not path.suffix and path.exists() else path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError(f"{path} cannot be written, because {folder} is no folder to write to")
