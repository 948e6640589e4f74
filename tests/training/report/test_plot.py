from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from model.predict import VideoPrediction
from model.segments import Segment
from training.report.plot import LANES, class_colours, draw_video, plot_video, set_time_axis

CLASSES = (r"$\frac{", "_hidden", "absent")


def result(segments: list[Segment]) -> VideoPrediction:
    cas_TC = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    return VideoPrediction(
        10.0, cas_TC, np.array([0.7, 0.2, 0.1]), segments, "video",
        truncated=False, likeness=None, notes=(),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["new/picture.png", "picture.svg"])
def test_labels_and_titles_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    """Dollar signs are not read as formulas, and a true label unknown to the model is accepted."""
    segments = [Segment(1, 4, CLASSES[0], 0.9), Segment(2, 5, CLASSES[1], 0.4)]
    truth = [Segment(1, 3, CLASSES[0]), Segment(6, 7, "strange")]
    plot_video("cost $\\frac{ and _", result(segments), CLASSES, tmp_path / name, truth=truth)
    assert (tmp_path / name).stat().st_size > 1000


def test_predicted_and_true_classes_have_colours() -> None:
    """Colours are in the model's order; a label unknown to the model has none."""
    segments = [Segment(1, 4, CLASSES[1])]
    truth = [Segment(0, 1, CLASSES[0]), Segment(0, 1, "strange")]
    assert list(class_colours(result(segments), CLASSES, truth)) == list(CLASSES[:2])


def test_a_segment_is_below_the_better_segments_that_it_overlaps() -> None:
    """A segment that fits into no lane is left out; one that overlaps none is in the top lane."""
    segments = [Segment(0, 4, "absent", 1 - i / 10) for i in range(LANES + 2)]
    segments.append(Segment(4, 6, "absent", 0.1))
    drawn = result(segments)
    figure = Figure()
    draw_video(figure, drawn, CLASSES, class_colours(drawn, CLASSES, []))
    boxes = [bar.get_datalim(bar.axes.transData) for bar in figure.axes[1].collections]
    assert len(boxes) == LANES + 1
    tops = [box.y1 for box in boxes]
    assert tops[:LANES] == sorted(tops[:LANES], reverse=True)
    assert tops[-1] == pytest.approx(tops[0])


def test_a_video_without_segments_has_a_plot_that_says_so(tmp_path: Path) -> None:
    """The plot has no curve and one line of text."""
    figure = Figure()
    draw_video(figure, result([]), CLASSES, {})
    assert [text.get_text() for text in figure.axes[1].texts] == ["no segments"]
    plot_video("nothing", result([]), CLASSES, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").exists()


@pytest.mark.parametrize(
    ("duration_s", "ticks", "label"),
    [
        (39.0, ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25", "0:30", "0:35"], "time (m:ss)"),
        (7200.0, ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00", "1:10:00",
                  "1:20:00", "1:30:00", "1:40:00", "1:50:00", "2:00:00"], "time (h:mm:ss)"),
    ],
)  # fmt: skip
def test_ticks_of_the_time_axis_are_round_times(
    duration_s: float, ticks: list[str], label: str
) -> None:
    """Ticks are whole seconds, minutes or hours, at most 13 of them."""
    axes = Figure().subplots()
    set_time_axis(axes, duration_s)
    inside = [tick for tick in axes.get_xticks() if 0 <= tick <= duration_s]
    assert [axes.xaxis.get_major_formatter()(tick) for tick in inside] == ticks
    assert axes.get_xlabel() == label
