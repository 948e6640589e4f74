"""Clips: segments of a video, each cut into a file of its own.

At key frames, a clip is copied in milliseconds and starts at the key frame before its segment.
Exactly, it is encoded again and starts with the frame that is shown at the start of its segment.
"""

import csv
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ecm_client.formats.video_segments import rounded
from ecm_client.segments import Segment
from features.video.cut_source import CutSource
from features.video.encoding import encode_clip
from features.video.limits import VideoLimits
from features.video.packet_copy import copy_clip, copy_suffix
from features.video.reading import DEFAULT_LIMITS
from model.errors import OptionError
from model.whole_file import whole_path

_CHUNK_BYTES = 1 << 20
_LABEL_BYTES = 60
"""Longest part of a file's name that comes from a label or a video."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip, and the time that it really has."""

    name: str
    """Name of the file."""
    segment: Segment
    """The segment."""
    start_s: float
    """Time in the video at which the clip starts; at most the start of the segment."""
    end_s: float
    """Time in the video at which the clip ends."""


def cut_clips(
    path: Path,
    segments: Sequence[Segment],
    folder: Path,
    *,
    exact: bool = False,
    overwrite: bool = False,
    limits: VideoLimits = DEFAULT_LIMITS,
) -> list[Clip]:
    """Writes a clip of each segment into a folder, and a table of the clips.

    Every file is written as a whole or not at all. The names have number, label and start, and
    letters, digits, `-` and `_` only.

    Args:
        path: the video.
        segments: segments in any order.
        folder: folder of the clips, made if needed.
        exact: whether to encode again, so that clips start with their segments.
        overwrite: whether files of the same names are replaced.
        limits: limits on decoding.

    Raises:
        VideoError: the video cannot be read, or a segment is not in the video.
        OptionError: a file of the same name exists.
        OSError: the folder cannot be written.
    """
    cutting = _Cutting.prepare(path, segments, exact=exact, limits=limits)
    table = folder / f"{_safe(path.stem)}_clips.csv"
    if not overwrite:
        _check_new([folder / name for name in (*cutting.names, table.name)])
    clips = []
    for index, name in enumerate(cutting.names):
        with whole_path(folder / name) as partial:
            clips.append(cutting.cut(index, partial))
    with whole_path(table) as partial:
        partial.write_text(clips_table(clips), encoding="utf-8")
    return clips


def zip_of_clips(
    path: Path,
    segments: Sequence[Segment],
    *,
    exact: bool = False,
    limits: VideoLimits = DEFAULT_LIMITS,
) -> Iterator[bytes]:
    """Returns the parts of a ZIP file with a clip of each segment and a table of the clips.

    The first clip is cut before the function returns, so a video that cannot be cut is an error
    before anything is sent. One clip is on the disk at a time, and at most 1 MiB in memory.

    Raises:
        VideoError: the video cannot be read, or a segment is not in the video. While the iterator
            runs, a clip cannot be cut, because the video is damaged there.
    """
    cutting = _Cutting.prepare(path, segments, exact=exact, limits=limits)
    parts = _zip_parts(cutting, f"{_safe(path.stem)}_clips.csv")
    first = next(parts, b"")
    return _after(first, parts)


def clips_table(clips: Iterable[Clip]) -> str:
    """Returns a CSV table of clips: the segment of each file, and the time of the clip itself."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label", "start_s", "end_s", "score", "clip_start_s", "clip_end_s"))
    for clip in clips:
        start_s, end_s, label, score = rounded(clip.segment)
        times_s = round(clip.start_s, 3), round(clip.end_s, 3)
        writer.writerow((clip.name, label, start_s, end_s, score, *times_s))
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class _Cutting:
    """A video and the segments to cut, by time."""

    source: CutSource
    segments: list[Segment]
    names: list[str]
    exact: bool

    @classmethod
    def prepare(
        cls, path: Path, segments: Sequence[Segment], *, exact: bool, limits: VideoLimits
    ) -> "_Cutting":
        source = CutSource.prepare(path, limits)
        source.check(segments)
        by_time = sorted(segments)
        suffix = ".mp4" if exact else copy_suffix(source)
        digits = len(str(len(by_time)))
        names = [
            f"{_safe(path.stem)}_{number:0{digits}d}_{_safe(segment.label)}_"
            f"{max(0.0, segment.start_s):.2f}s{suffix}"
            for number, segment in enumerate(by_time, 1)
        ]
        return cls(source, by_time, names, exact)

    def cut(self, index: int, out: Path) -> Clip:
        """Writes one clip."""
        segment = self.segments[index]
        write = encode_clip if self.exact else copy_clip
        start_s, end_s = write(self.source, out, self.source.start_of(segment), segment.end_s)
        return Clip(self.names[index], segment, start_s, end_s)


def _check_new(files: Sequence[Path]) -> None:
    for file in files:
        if file.exists():
            raise OptionError(
                f"{file} exists; expected a folder without clips of this video, so give another "
                "one or --overwrite"
            )


def _zip_parts(cutting: _Cutting, table: str) -> Iterator[bytes]:
    sink = _Sink()
    clips = []
    with TemporaryDirectory() as folder, ZipFile(sink, "w", ZIP_STORED) as archive:
        for index, name in enumerate(cutting.names):
            out = Path(folder) / "clip"
            clips.append(cutting.cut(index, out))
            with out.open("rb") as file, archive.open(_entry(name), "w", force_zip64=True) as entry:
                while part := file.read(_CHUNK_BYTES):
                    entry.write(part)
                    yield sink.taken()
        archive.writestr(_entry(table), clips_table(clips))
    yield sink.taken()


def _entry(name: str) -> ZipInfo:
    return ZipInfo(name, time.localtime()[:6])


def _after(first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from parts


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken. A ZIP file is written to it without seeking."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, part: object) -> int:
        """Keeps a part."""
        content = bytes(part)  # type: ignore[call-overload] # any buffer
        self._parts.append(content)
        return len(content)

    def taken(self) -> bytes:
        """Returns what was written since the last call."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _safe(text: str) -> str:
    """Returns a part of a file's name: letters, digits, `-` and `_`, at most 60 bytes."""
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in text).strip("_") or "unnamed"
    return safe.encode()[:_LABEL_BYTES].decode(errors="ignore")
