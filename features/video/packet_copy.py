"""Cuts of a video without re-encoding: packets are copied from a key frame on."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet as AnyPacket
from av.stream import Stream
from av.video.stream import VideoStream

from features.video.cut_source import CutSource
from features.video.frame_times import ROUNDING_S, SEEK_MARGINS_S, is_indexed
from model.errors import VideoError

Packet: TypeAlias = "AnyPacket[Stream]"

_MP4_FAMILY = "mov,mp4,m4a,3gp,3g2,mj2"
_LAG_S = 1.0
"""In a file, sound may follow the frames of its time by this many seconds."""


def copy_suffix(source: CutSource) -> str:
    """Returns the ending of copied clips: .mp4 from MP4 and MOV, else .mkv, which has any codec."""
    return ".mp4" if source.container == _MP4_FAMILY else ".mkv"


def copy_clip(source: CutSource, out: Path, start_s: float, end_s: float) -> tuple[float, float]:
    """Writes a clip from the last key frame at or before the start.

    Args:
        source: the video.
        out: file to write, whose name may have any ending.
        start_s: wanted start in seconds.
        end_s: end in seconds. Frames that others depend on may follow.

    Returns:
        The seconds at which the clip starts and ends.

    Raises:
        VideoError: the file is damaged, or has a codec that the clip cannot have.
    """
    kind = "mp4" if copy_suffix(source) == ".mp4" else "matroska"
    end_stamp_s = max(source.origin_s + end_s, source.origin_s + start_s + ROUNDING_S)
    try:
        key = _key_frame(source, source.origin_s + start_s)
        with source.open() as (video, container), av.open(str(out), "w", kind) as clip:
            start_stamp_s = _seconds(key, video)
            packets = _from_key(container, video, key, end_stamp_s)
            end_stamp_s = _copy(packets, clip, [video, *container.streams.audio[:1]], start_stamp_s)
    except VideoError:
        raise
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise VideoError(
            f"{source.path.name} cannot be cut at a key frame: {error}; cut it exactly instead"
        ) from error
    return start_stamp_s - source.origin_s, end_stamp_s - source.origin_s


def _key_frame(source: CutSource, stamp_s: float) -> int:
    """Returns the time stamp of the last key frame at or before a time, in units of the stream.

    Before the first key frame, this is the first one.
    """
    for margin_s in (*SEEK_MARGINS_S, None):
        with source.open() as (video, container):
            if margin_s is not None and not is_indexed(video):
                continue
            if margin_s is not None:
                _seek(container, video, stamp_s - margin_s)
            key = None
            for packet in container.demux(video):
                if packet.pts is None:
                    continue
                if _order_s(packet) > stamp_s + ROUNDING_S:
                    break
                is_before = _seconds(packet.pts, video) <= stamp_s + ROUNDING_S
                key = packet.pts if is_before and packet.is_keyframe else key
            if key is not None:
                return key
    return _first_key_frame(source)


def _first_key_frame(source: CutSource) -> int:
    with source.open() as (video, container):
        for packet in container.demux(video):
            if packet.is_keyframe and packet.pts is not None:
                return packet.pts
    raise VideoError(
        f"{source.path.name} has no key frame with a time stamp; cut it exactly instead"
    )


def _from_key(
    container: InputContainer, video: VideoStream, key: int, end_stamp_s: float
) -> Iterator[Packet]:
    """Yields the packets of frames and sound from a key frame to a time, as they lie in the file.

    Frames that are shown before the key frame are left out, because they depend on earlier ones.
    """
    start_stamp_s, begun = _seconds(key, video), False
    if is_indexed(video):
        _seek(container, video, start_stamp_s)
    for packet in container.demux(video, *container.streams.audio[:1]):
        if packet.pts is None:  # also the empty packets at the end
            continue
        is_frame = packet.stream.index == video.index
        order_s = _order_s(packet)
        if is_frame and order_s >= end_stamp_s + _LAG_S:
            return
        begun = begun or (is_frame and packet.pts == key)
        is_late_enough = _seconds(packet.pts, packet.stream) >= start_stamp_s
        if is_late_enough and order_s < end_stamp_s and (begun or not is_frame):
            yield packet


def _copy(
    packets: Iterable[Packet],
    clip: OutputContainer,
    streams: list[Stream],
    start_stamp_s: float,
) -> float:
    """Writes packets with time stamps from 0 on; returns the last time stamp of the source."""
    copies = {one.index: clip.add_stream_from_template(one, opaque=True) for one in streams}
    last_s, missing = start_stamp_s, 0
    for packet in packets:
        stream = packet.stream
        assert stream.time_base is not None
        assert packet.pts is not None
        if stream.index == streams[0].index:
            last_s = max(last_s, _seconds(packet.pts + (packet.duration or 0), stream))
        shift = round(start_stamp_s / stream.time_base)
        packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        else:  # Matroska has none for the first frames of a file that are not shown in order
            missing += 1
            packet.dts = missing - round(_LAG_S / stream.time_base)
        packet.stream = copies[stream.index]
        clip.mux(packet)
    return last_s


def _seek(container: InputContainer, video: VideoStream, stamp_s: float) -> None:
    assert video.time_base is not None
    container.seek(int(stamp_s / video.time_base), stream=video)


def _order_s(packet: "Packet | AnyPacket[VideoStream]") -> float:
    """Returns the time by which packets are in order; it is at most the time of presentation."""
    stamp = packet.pts if packet.dts is None else packet.dts
    assert stamp is not None
    return _seconds(stamp, packet.stream)


def _seconds(stamp: int, stream: Stream) -> float:
    assert stream.time_base is not None
    return float(stamp * stream.time_base)
