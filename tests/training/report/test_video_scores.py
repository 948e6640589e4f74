import pytest

from model.segments import Segment
from training.measurement.metrics import detection_score, rank_detections
from training.report.video_scores import VideoScore, extremes, video_scores


def test_videos_are_ranked_by_their_own_average_precision() -> None:
    """All classes count together; no segment gives 0, and videos without instances are left out."""
    truth = {
        "none": [],
        "missed": [Segment(0, 1, "a")],
        "half": [Segment(0, 1, "a"), Segment(5, 6, "b")],
        "good": [Segment(0, 1, "b")],
    }
    found = {
        "none": [Segment(0, 1, "a", 0.9)],
        "half": [Segment(8, 9, "b", 0.6), Segment(0, 1, "a", 0.5), Segment(5, 6, "b", 0.4)],
        "good": [Segment(0, 1, "b", 0.1)],
    }
    scores = video_scores(truth, rank_detections(truth, found, (0.3, 0.5)), 1)
    assert [(score.id, score.instances) for score in scores] == [
        ("good", 1), ("half", 2), ("missed", 1),
    ]  # fmt: skip
    # Miss, hit, hit: the best precision at both hits is 2/3.
    assert [score.ap for score in scores] == pytest.approx([1, 2 / 3, 0])


def test_one_class_in_one_video_is_the_metric() -> None:
    """The average precision of the only video is that of its only class."""
    truth = {"v": [Segment(0, 4, "a"), Segment(8, 12, "a")]}
    found = {"v": [Segment(7, 12, "a", 0.5), Segment(0, 1, "a", 0.7), Segment(0, 4, "a", 0.4)]}
    (score,) = video_scores(truth, rank_detections(truth, found, (0.5,)), 0)
    assert score.ap == pytest.approx(detection_score(truth, found, (0.5,)).average)


def test_without_predictions_every_video_has_0() -> None:
    """Ties go to the video with more instances."""
    truth = {"v": [Segment(0, 1, "a")], "w": [Segment(0, 1, "a")] * 2}
    scores = video_scores(truth, rank_detections(truth, {}, (0.5,)), 0)
    assert scores == [VideoScore("w", 0, 2), VideoScore("v", 0, 1)]


@pytest.mark.parametrize(
    ("videos", "best", "worst"), [(1, "0", ""), (3, "01", "2"), (4, "01", "32"), (9, "012", "876")]
)
def test_no_video_is_among_the_best_and_the_worst(videos: int, best: str, worst: str) -> None:
    """There are up to three of each; the worst video comes first."""
    scores = [VideoScore(str(i), 1 - i / 10, 1) for i in range(videos)]
    groups = extremes(scores, 3)
    assert tuple("".join(score.id for score in group) for group in groups) == (best, worst)
