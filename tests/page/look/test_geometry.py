"""Pure functions of the time line: rows, ruler, views, pyramid, index of a lane."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page


def call(page: Page, module: str, expression: str) -> Any:
    """Evaluates an expression in which `m` is a module of `look/`."""
    return page.evaluate(f"import('/page/scripts/look/{module}').then((m) => {expression})")


def rows(page: Page, *segments: tuple[float, float, float]) -> list[list[int]]:
    """Returns row and rows of segments, each of start, end and score."""
    made = json.dumps(
        [{"startS": start, "endS": end, "score": score} for start, end, score in segments]
    )
    expression = f"[...[{made}]].map((all) => {{ const p = m.packRows(all);"
    expression += " return all.map((one) => [p.get(one).row, p.get(one).rows]); })[0]"
    result: list[list[int]] = call(page, "lanes/rows.js", expression)
    return result


def test_segments_that_only_touch_share_a_row(modules: Page) -> None:
    """An end is not part of its segment."""
    assert rows(modules, (0, 1, 0.5), (1, 2, 0.9)) == [[0, 1], [0, 1]]


def test_the_best_of_overlapping_segments_is_on_top(modules: Page) -> None:
    """Nested duplicates follow by score; a group apart keeps the full height."""
    nested = rows(modules, (0, 10, 0.3), (2, 8, 0.9), (4, 6, 0.5), (20, 30, 0.1))
    assert nested == [[2, 3], [0, 3], [1, 3], [0, 1]]


def test_no_more_than_three_rows(modules: Page) -> None:
    """A segment without a free row shares the last one."""
    many = rows(modules, *((number / 10, 5, 1 - number / 10) for number in range(5)))
    assert many == [[0, 3], [1, 3], [2, 3], [2, 3], [2, 3]]


@pytest.mark.parametrize(
    ("pixels_per_s", "expected_s"),
    [(3000, 0.04), (1000, 0.08), (800, 0.1), (100, 1), (8, 10), (5, 15), (0.1, 900), (0.001, 3600)],
)
def test_ruler_steps_from_a_frame_to_an_hour(
    modules: Page, pixels_per_s: float, expected_s: float
) -> None:
    """The shortest step whose labels have room."""
    step_s = call(modules, "ruler.js", f"m.stepFor({pixels_per_s}, 25)")
    assert step_s == pytest.approx(expected_s)


def test_ticks_are_the_multiples_in_view(modules: Page) -> None:
    """Both ends of the view count."""
    assert call(modules, "ruler.js", "m.ticks({startS: 10, endS: 30}, 10)") == [10, 20, 30]
    assert call(modules, "ruler.js", "m.ticks({startS: 11, endS: 19}, 10)") == []


@pytest.mark.parametrize(("step_s", "digits"), [(10, 0), (1, 0), (0.5, 1), (0.1, 1), (0.04, 3)])
def test_labels_have_the_digits_of_their_step(modules: Page, step_s: float, digits: int) -> None:
    """Frames need milliseconds."""
    assert call(modules, "ruler.js", f"m.digitsFor({step_s})") == digits


def test_zoom_is_within_the_video(modules: Page) -> None:
    """The anchor keeps its place; the ends of the video and the shortest view are limits."""

    def zoomed(start_s: float, end_s: float, factor: float, anchor_s: float) -> list[float]:
        view = f"{{startS: {start_s}, endS: {end_s}}}"
        limits = "{durationS: 100, leastS: 1}"
        expression = f"Object.values(m.zoomed({view}, {factor}, {anchor_s}, {limits}))"
        values: list[float] = call(modules, "scale.js", expression)
        return values

    assert zoomed(0, 100, 0.5, 20) == [10, 60]
    assert zoomed(40, 60, 9, 41) == [0, 100]
    assert zoomed(40, 42, 0.01, 41) == [40.5, 41.5]


def test_pyramid_keeps_every_peak(modules: Page) -> None:
    """The highest sample is in every level."""
    peaks = call(
        modules,
        "lanes/pyramid.js",
        """(() => {
            const samples = new Float32Array(1001);
            samples[777] = 1;
            samples[3] = -1;
            const { levels } = new m.Pyramid(samples);
            return levels.map(({ low, high }) => [Math.min(...low), Math.max(...high)]);
        })()""",
    )
    assert peaks == [[-1, 1]] * len(peaks)
    assert len(peaks) == 10


def test_curve_reads_at_most_one_run_a_pixel(modules: Page) -> None:
    """However long the video is."""
    number, is_range = call(
        modules,
        "lanes/pyramid.js",
        """(() => {
            const snippets = 100_000;
            const values = new Float32Array(snippets);
            const activation = { values, classes: 1, snippets, snippetS: 0.5, firstS: 0.25 };
            const curve = new m.Curve(activation, 0);
            const scale = { startS: 0, endS: 50_000, pixelsPerS: 0.02, x: (timeS) => timeS / 50 };
            const { high, isRange } = curve.inView(scale);
            return [high.length, isRange];
        })()""",
    )
    assert 500 <= number <= 1003
    assert is_range


def test_curve_is_between_the_centres_of_snippets(modules: Page) -> None:
    """Constant before the first centre and after the last."""
    values = call(
        modules,
        "lanes/pyramid.js",
        """(() => {
            const activation = { values: Float32Array.of(0, 9, 1, 9), classes: 2, snippets: 2,
                snippetS: 2, firstS: 1 };
            const curve = new m.Curve(activation, 0);
            return [0, 1, 2, 3, 4].map((timeS) => curve.at(timeS));
        })()""",
    )
    assert values == [0, 0, 0.5, 1, 1]


LANE = """
    const made = Array.from({ length: 500 }, (_, i) => ({ id: i, startS: i, score: (i % 10) / 10,
        endS: i + (i === 7 ? 300 : 0.5), state: i === 9 ? "rejected" : "found" }));
    const index = new m.LaneIndex(made.toReversed());
"""


def test_lane_index_finds_what_is_in_view(modules: Page) -> None:
    """Also a long segment that begins far before."""
    found = call(
        modules,
        "lanes/lane_index.js",
        f"(() => {{ {LANE} return index.inView({{ startS: 200.6, endS: 203.2 }})"
        ".map(({ id }) => id); })()",
    )
    assert found == [7, 201, 202, 203]


def test_dense_lane_shows_the_highest_score_of_a_pixel(modules: Page) -> None:
    """Each segment takes three pixels; rejected ones are left out."""
    is_dense, highest = call(
        modules,
        "lanes/lane_index.js",
        f"""(() => {{ {LANE}
            const scale = {{ startS: 0, endS: 500, width: 50, pixelsPerS: 0.1, x: (s) => s / 10 }};
            return [index.isDense(0.1), [...index.highest(scale)].map((v) => Math.round(10 * v))];
        }})()""",
    )
    assert is_dense
    assert highest[:3] == [8, 9, 9]
    assert set(highest[3:]) == {9}


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("97.3", 97.3),
        ("1:37.3", 97.3),
        ("1:02:07,4", 3727.4),
        ("", None),
        ("1:", None),
        ("x", None),
    ],
)
def test_typed_times(modules: Page, text: str, expected_s: float | None) -> None:
    """Seconds, minutes and hours, with a point or a comma."""
    seconds = call(modules, "playing/go_to.js", f"m.secondsOf({json.dumps(text)})")
    assert seconds == (None if expected_s is None else pytest.approx(expected_s))
