"""Match of predictions with ground truth: the ids and labels that both have."""

from collections.abc import Collection
from dataclasses import dataclass

from features.video_ids import plain_id
from model.errors import DataError
from training.datasets.labels import folded
from training.measurement.metrics import Videos


@dataclass(frozen=True, slots=True)
class Matching:
    """Parts of a ground truth and of predictions that fit each other."""

    videos: int
    """Videos of the ground truth that the predictions contain."""
    true_videos: int
    """Videos of the ground truth."""
    instances: int
    """Instances of the ground truth whose video and label are among the predictions."""
    true_instances: int
    """Instances of the ground truth."""
    segments: int
    """Predicted segments whose video and label are in the ground truth."""
    predicted_segments: int
    """Predicted segments."""
    warnings: tuple[str, ...]
    """Sentences on what does not match."""

    def __str__(self) -> str:
        return (
            f"matched: {self.videos} of {self.true_videos} videos, "
            f"{self.instances} of {self.true_instances} instances, "
            f"{self.segments} of {self.predicted_segments} predicted segments"
        )


def match(truth: Videos, predictions: Videos, known_ids: Collection[str] = ()) -> Matching:
    """Returns how predictions match a ground truth.

    Args:
        truth: Instances of the videos to score.
        predictions: Predicted segments.
        known_ids: Ids of other annotated videos, whose predictions are rightly not scored.

    Raises:
        DataError: No predicted video, or no predicted label, is in the ground truth.
    """
    both = truth.keys() & predictions.keys()
    true_labels = {one.label for video in truth.values() for one in video}
    if not both:
        raise DataError(
            f"none of {len(predictions)} predicted videos is among the {len(truth)} to score"
            + _id_hint(predictions.keys(), truth.keys())
        )
    predicted = [one for id_ in both for one in predictions[id_]]
    labels = {one.label for one in predicted}
    if predicted and true_labels and not labels & true_labels:
        raise DataError(
            f"none of the {len(labels)} predicted labels is among the {len(true_labels)} to score"
            + _label_hint(labels, true_labels)
        )
    return Matching(
        videos=len(both),
        true_videos=len(truth),
        instances=sum(one.label in labels for id_ in both for one in truth[id_]),
        true_instances=sum(map(len, truth.values())),
        segments=sum(one.label in true_labels for one in predicted),
        predicted_segments=sum(map(len, predictions.values())),
        warnings=tuple(_warnings(truth, predictions, known_ids, labels, true_labels)),
    )


def _warnings(
    truth: Videos,
    predictions: Videos,
    known_ids: Collection[str],
    labels: Collection[str],
    true_labels: Collection[str],
) -> list[str]:
    warnings = []
    without = sorted(truth.keys() - predictions.keys())
    if without:
        count = f"{len(without)} of {len(truth)} videos"
        warnings.append(f"{count} have no predictions, for instance {without[0]!r}")
    foreign = sorted(predictions.keys() - truth.keys() - set(known_ids))
    if foreign:
        warnings.append(
            f"{len(foreign)} of {len(predictions)} predicted videos have no annotation"
            + _id_hint(foreign, truth.keys())
        )
    unknown = sorted(set(labels) - set(true_labels))
    if unknown:
        warnings.append(
            f"{len(unknown)} predicted labels are not in the ground truth"
            + _label_hint(unknown, true_labels)
        )
    return warnings


def _id_hint(given: Collection[str], expected: Collection[str]) -> str:
    """Returns an example of an id that is spelt otherwise, or of both spellings."""
    spellings = {plain_id(id_.casefold()): id_ for id_ in sorted(expected)}
    for id_ in sorted(given):
        if likely := spellings.get(plain_id(id_.casefold())):
            return f": {id_!r} is spelt {likely!r} in the annotations"
    return _examples(given, expected)


def _label_hint(given: Collection[str], expected: Collection[str]) -> str:
    spellings = {folded(label): label for label in sorted(expected)}
    for label in sorted(given):
        if likely := spellings.get(folded(label)):
            return f": {label!r} is spelt {likely!r} in the annotations"
    if all(label.isdecimal() for label in given):
        return f": they are indices such as {min(given)!r}; expected names such as " + (
            repr(min(expected))
        )
    return _examples(given, expected)


def _examples(given: Collection[str], expected: Collection[str]) -> str:
    if not given or not expected:
        return ""
    return f": got for instance {min(given)!r}, expected for instance {min(expected)!r}"
