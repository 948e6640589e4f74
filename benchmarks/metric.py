"""Time of the ActivityNet metric on data of the size of THUMOS14 and of ActivityNet 1.3.

    python benchmarks/metric.py
    python benchmarks/metric.py --loops

The plain loops compute the metric as the public evaluator does, one prediction after the other.
They are faster than the evaluator, because they use plain numpy in place of its pandas tables. All
times are medians of the CPU time of one run, because other processes have less effect on it.
"""

import argparse
import time
from collections import defaultdict
from functools import partial

import numpy as np
from record import Record, add_json_option
from timing import median_s

from model.segments import Segment, temporal_iou
from training.measurement.metrics import Videos, detection_score

SIZES = {  # videos, classes, instances a video, predictions a video, thresholds
    "THUMOS14, 21,000 predictions": (210, 20, 16, 100, np.arange(0.1, 0.75, 0.1)),
    "ActivityNet 1.3, 123,000 predictions": (4728, 200, 2, 26, np.arange(0.5, 0.99, 0.05)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=5, help="timed runs, of which the median counts"
    )
    parser.add_argument("--loops", action="store_true", help="also time the plain loops (minutes)")
    add_json_option(parser)
    arguments = parser.parse_args()
    record = Record("The ActivityNet metric", ["plain loops"])
    for name, (videos, classes, instances, predictions, tiou_K) in SIZES.items():
        truth, predicted = draw(videos, classes, instances, predictions)
        metric = partial(detection_score, truth, predicted, tiou_K)
        ours = median_s(metric, arguments.repeats, clock=time.process_time)
        if arguments.loops:
            plain = partial(by_loops, truth, predicted, tiou_K)
            loops = median_s(plain, 1, clock=time.process_time)
            record.add(name, "plain loops", {"CPU ms": 1e3 * loops})
        record.add(name, "ours", {"CPU ms": 1e3 * ours})
    record.finish(arguments.json)


def draw(videos: int, classes: int, instances: int, predictions: int) -> tuple[Videos, Videos]:
    """Returns ground truth with up to two classes a video, and predictions near it."""
    rng = np.random.default_rng(0)
    truth: dict[str, list[Segment]] = {}
    predicted: dict[str, list[Segment]] = {}
    for number in range(videos):
        labels = [f"class_{label}" for label in rng.choice(classes, 2, replace=False)]
        starts = rng.uniform(0, 200, instances)
        truth[f"v{number}"] = [
            Segment(
                float(start), float(start + rng.uniform(1, 20)), labels[int(rng.random() < 0.2)]
            )
            for start in starts
        ]
        predicted[f"v{number}"] = [
            guess(truth[f"v{number}"], labels, rng) for _ in range(predictions)
        ]
    return truth, predicted


def guess(instances: list[Segment], labels: list[str], rng: np.random.Generator) -> Segment:
    near = instances[rng.integers(len(instances))]
    start, end = near.start_s + rng.normal(0, 4), near.end_s + rng.normal(0, 4)
    label = near.label if rng.random() < 0.7 else labels[rng.integers(2)]
    return Segment(float(min(start, end)), float(max(start, end) + 0.1), label, float(rng.random()))


def by_loops(truth: Videos, predicted: Videos, tiou_K: np.ndarray) -> float:
    """Returns the average mAP by loops over predictions, thresholds and instances."""
    precisions = []
    for label in sorted({s.label for segments in truth.values() for s in segments}):
        instances = defaultdict(list)
        for id_, segments in truth.items():
            for segment in segments:
                if segment.label == label:
                    instances[id_].append((segment.start_s, segment.end_s))
        ranked = [
            (s.score, id_, s) for id_, ss in predicted.items() for s in ss if s.label == label
        ]
        ranked.sort(key=lambda row: -row[0])
        hit_KN = np.zeros((len(tiou_K), len(ranked)))
        locked = {
            id_: np.zeros((len(tiou_K), len(times)), bool) for id_, times in instances.items()
        }
        for place, (_, id_, segment) in enumerate(ranked):
            if id_ not in instances:
                continue
            own = np.array([[segment.start_s, segment.end_s]])
            tiou = temporal_iou(own, np.array(instances[id_]))
            for row, threshold in enumerate(tiou_K):
                for index in tiou.argsort()[::-1]:
                    if tiou[index] < threshold:
                        break
                    if not locked[id_][row, index]:
                        locked[id_][row, index] = hit_KN[row, place] = True
                        break
        total = sum(map(len, instances.values()))
        precision_KN = np.cumsum(hit_KN, axis=1) / np.arange(1, len(ranked) + 1)
        best_KN = np.maximum.accumulate(precision_KN[:, ::-1], axis=1)[:, ::-1]
        precisions.append((best_KN * hit_KN).sum(axis=1) / total)
    return float(np.mean(precisions))


if __name__ == "__main__":
    main()
