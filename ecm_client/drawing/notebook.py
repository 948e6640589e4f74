"""The view of a result in notebooks: a time line as SVG above a table of the segments."""

import html
from collections.abc import Sequence

from ecm_client.drawing.lanes import Lane, strength
from ecm_client.drawing.time_axis import tick_name, tick_step_s
from ecm_client.formats.video_segments import clock, one_line
from ecm_client.segments import Segment

_WIDTH, _GUTTER, _LANE, _RULER = 760, 150, 26, 20
_TICKS = 8
_NAME_LENGTH = 22
_TABLE_ROWS = 20
_CAPTION_STYLE = "text-align:left;white-space:nowrap"


def html_view(
    caption: str, lanes: Sequence[Lane], segments: Sequence[Segment], duration_s: float
) -> str:
    """Returns HTML without scripts. All texts from outside are escaped."""
    return f"<div>{_time_line(lanes, duration_s) if lanes else ''}{_table(caption, segments)}</div>"


def _time_line(lanes: Sequence[Lane], duration_s: float) -> str:
    height = _LANE * len(lanes) + _RULER
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-label="time line of the segments" '
        'font-family="sans-serif" font-size="12">'
    ]
    parts += [_lane(lane, number * _LANE, duration_s) for number, lane in enumerate(lanes)]
    return "".join([*parts, _ruler(_LANE * len(lanes), duration_s), "</svg>"])


def _lane(lane: Lane, top: int, duration_s: float) -> str:
    name = one_line(lane.label)
    short = name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"
    inner = _LANE - 6
    bars = [
        _bar(segment, lane.colour, top + 3 + inner * share, inner * height, duration_s)
        for share, height, row in lane.placed_rows
        for segment in row
    ]
    return (
        f'<line x1="0" x2="{_WIDTH}" y1="{top}" y2="{top}" stroke="#8888" stroke-width="0.5"/>'
        f'<text x="{_GUTTER - 8}" y="{top + 17}" text-anchor="end" '
        f'fill="currentColor" font-weight="600">{html.escape(short)}'
        f"<title>{html.escape(name)}</title></text>" + "".join(bars)
    )


def _bar(segment: Segment, colour: str, y: float, height: float, duration_s: float) -> str:
    start, end = (_x(time_s, duration_s) for time_s in (segment.start_s, segment.end_s))
    title = (
        f"{one_line(segment.label)} {segment.score:.2f}, {clock(segment.start_s)} to "
        f"{clock(segment.end_s)}"
    )
    return (
        f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(end - start, 1):.1f}" '
        f'height="{height:.1f}" fill="{colour}" fill-opacity="{strength(segment.score):.2f}">'
        f"<title>{html.escape(title)}</title></rect>"
    )


def _ruler(top: int, duration_s: float) -> str:
    step_s = tick_step_s(duration_s, _TICKS)
    times_s = [number * step_s for number in range(int(duration_s / step_s) + 1)]
    return "".join(
        f'<text x="{_x(time_s, duration_s):.1f}" y="{top + 15}" text-anchor="middle" '
        f'fill="#888" font-size="11">{tick_name(time_s, step_s)}</text>'
        for time_s in times_s
    )


def _x(time_s: float, duration_s: float) -> float:
    share = min(max(time_s / duration_s, 0.0), 1.0) if duration_s > 0 else 0.0
    return _GUTTER + share * (_WIDTH - _GUTTER - 24)


def _table(caption: str, segments: Sequence[Segment]) -> str:
    rows = "".join(
        f"<tr><td>{clock(segment.start_s)}</td><td>{clock(segment.end_s)}</td>"
        f"<td>{html.escape(segment.label)}</td><td>{segment.score:.2f}</td></tr>"
        for segment in segments[:_TABLE_ROWS]
    )
    more = len(segments) - _TABLE_ROWS
    rest = f'<tr><td colspan="4">and {more} more</td></tr>' if more > 0 else ""
    head = "<tr><th>start</th><th>end</th><th>label</th><th>score</th></tr>"
    name = f'<caption style="{_CAPTION_STYLE}">{html.escape(caption)}</caption>'
    return f"<table>{name}{head}{rows}{rest}</table>"
