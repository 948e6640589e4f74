"""Mending of the time stamps of frames: outliers, jumps, missing and exchanged stamps.

A stamp is a time in seconds as written in the file, or None.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")
Stamped: TypeAlias = tuple[float, Item]

JUMP_S = 1.0
"""A larger step, forward or back, is a jump, which later stamps have to confirm."""
WITNESSES = 4
"""Number of later frames that confirm a jump."""
SORTED = 4
"""Number of frames over which stamps are sorted."""


def ascending(
    frames: Iterable[tuple[float | None, Item]], *, period_s: float, end_s: float
) -> Iterator[Stamped[Item]]:
    """Yields frames with stamps that never decrease.

    - A jump is judged by the stamps after it. If they continue from before the jump, the stamp is
      an outlier: 0.00, 0.04, 3760, 0.12 becomes 0.00, 0.04, 0.08, 0.12.
    - A clock that jumps back (joined transport streams) continues one period after the previous
      frame. A jump forward is a frame that is shown for a long time.
    - A frame without a stamp is one period after the previous frame, but not after the next one.
    - Neighbours with exchanged stamps (AVI with packed B-frames) have them exchanged back.

    Args:
        frames: stamps and frames, in presentation order.
        period_s: average seconds from one frame to the next.
        end_s: latest stamp according to the file. Up to this stamp, the last frame needs no
            witness for a jump forward.
    """
    latest_s = -inf
    for stamp_s, frame in _sorted(_continuous(frames, period_s, end_s)):
        latest_s = max(latest_s, stamp_s)  # stamps that are further apart were not sorted
        yield latest_s, frame


def _sorted(frames: Iterable[Stamped[Item]]) -> Iterator[Stamped[Item]]:
    """Yields frames in their order, with their stamps sorted over a few frames."""
    waiting: deque[Item] = deque()
    stamps_s: list[float] = []
    for stamp_s, frame in frames:
        waiting.append(frame)
        heapq.heappush(stamps_s, stamp_s)
        if len(waiting) > SORTED:
            yield heapq.heappop(stamps_s), waiting.popleft()
    while waiting:
        yield heapq.heappop(stamps_s), waiting.popleft()


def _continuous(
    frames: Iterable[tuple[float | None, Item]], period_s: float, end_s: float
) -> Iterator[Stamped[Item]]:
    """Yields frames with stamps that no longer jump back; neighbours may still be exchanged."""
    source = iter(frames)
    window = deque(islice(source, WITNESSES))
    last_s, offset_s = None, 0.0
    while window:
        window.extend(islice(source, 1))
        own_s, frame = window.popleft()
        later_S = [stamp_s for stamp_s, _ in window if stamp_s is not None]
        if own_s is None or _is_outlier(own_s, last_s, later_S, end_s):
            own_s = _guess(last_s, later_S, period_s)
        elif last_s is not None and own_s < last_s - JUMP_S:
            offset_s += last_s + period_s - own_s
        last_s = own_s
        yield own_s + offset_s, frame


def _is_outlier(own_s: float, last_s: float | None, later_S: list[float], end_s: float) -> bool:
    """Returns whether more of the later stamps speak against this stamp than for it.

    After a jump from 5 to 60, the stamp 5.1 speaks against 60, the stamp 60.1 speaks for it, and
    the stamp 0 belongs to another part of the file and is no evidence.
    """
    if last_s is None:
        return 2 * sum(stamp_s < own_s - JUMP_S for stamp_s in later_S) > len(later_S)
    if abs(own_s - last_s) <= JUMP_S:
        return False
    if not later_S:
        return not last_s < own_s <= end_s
    same_part_S = [stamp_s for stamp_s in later_S if stamp_s >= min(last_s, own_s) - JUMP_S]
    if own_s > last_s:
        against = [stamp_s < own_s - JUMP_S for stamp_s in same_part_S]
    else:
        against = [abs(stamp_s - last_s) < abs(stamp_s - own_s) for stamp_s in same_part_S]
    return 2 * sum(against) > len(same_part_S)


def _guess(last_s: float | None, later_S: list[float], period_s: float) -> float:
    """Returns a stamp between the last and the next one; a period before the next at the start."""
    if last_s is None:
        return later_S[0] - period_s if later_S else 0.0
    return min([last_s + period_s, *(stamp_s for stamp_s in later_S if stamp_s >= last_s)])
