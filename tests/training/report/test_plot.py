from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from model.predict import VideoPrediction
from model.segments import Segment
from training.report.plot import LANES, class_colours, draw_video, plot_video

CLASSES = (r"$\frac{", "_hidden", "absent")


def result(segments: list[Segment]) -> VideoPrediction:
    cas_TC = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    return VideoPrediction(10.0, cas_TC, np.array([0.7, 0.2, 0.1]), segments, "video")


@pytest.mark.parametrize("name", ["new/picture.png", "picture.svg"])
def test_labels_and_titles_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    """No formula in them is set, and a true label that the model does not know does not stop it."""
    found = [Segment(1, 4, CLASSES[0], 0.9), Segment(2, 5, CLASSES[1], 0.4)]
    truth = [Segment(1, 3, CLASSES[0]), Segment(6, 7, "strange")]
    plot_video("cost $\\frac{ and _", result(found), CLASSES, tmp_path / name, truth=truth)
    assert (tmp_path / name).stat().st_size > 1000


def test_colours_are_for_the_classes_that_are_found_or_true() -> None:
    """In the model's order; what it does not know has none."""
    found, truth = (
        [Segment(1, 4, CLASSES[1])],
        [Segment(0, 1, CLASSES[0]), Segment(0, 1, "strange")],
    )
    assert list(class_colours(result(found), CLASSES, truth)) == list(CLASSES[:2])


def test_segments_that_overlap_a_better_one_stand_below_it() -> None:
    """In so many lanes; what fits in none is left out, and what overlaps none stands on top."""
    found = [Segment(0, 4, "absent", 1 - i / 10) for i in range(LANES + 2)]
    found.append(Segment(4, 6, "absent", 0.1))
    drawn = result(found)
    figure = Figure()
    draw_video(figure, drawn, CLASSES, class_colours(drawn, CLASSES, []))
    boxes = [bar.get_datalim(bar.axes.transData) for bar in figure.axes[1].collections]
    assert len(boxes) == LANES + 1
    tops = [box.y1 for box in boxes]
    assert tops[:LANES] == sorted(tops[:LANES], reverse=True)
    assert tops[-1] == pytest.approx(tops[0])


def test_a_video_without_segments_gives_a_picture(tmp_path: Path) -> None:
    """Found nothing, and the truth is not known."""
    plot_video("nothing", result([]), CLASSES, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").exists()
