"""Durations and segments against the lengths of the features."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.segments import Segment
from training.commands.data import DataOptions
from training.datasets.annotations import annotation
from training.datasets.assembly import assemble
from training.datasets.feature_clock import clock_problem
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord


def video(number: int, *, lasts: float, annotated: float | None, end: float) -> VideoRecord:
    """Returns a video of some seconds with one segment that ends at `end`."""
    instances = (Segment(0, end, "Jump"),)
    source = HeldArray(np.ones((4, 2), np.float32))
    return VideoRecord(f"v{number}", "training", lasts, ("Jump",), instances, source, annotated)


@pytest.mark.parametrize("factor", [1.2, 0.5, 25 / 15])
def test_durations_that_are_off_by_one_factor_are_named(factor: float) -> None:
    """Nearly all suffice: one video of ten may differ."""
    videos = [video(n, lasts=10 + n, annotated=(10 + n) * factor, end=5) for n in range(10)]
    videos[3] = replace(videos[3], annotated_s=99.0)
    problem = clock_problem(videos, has_rate=True)
    assert problem is not None
    assert f"off by one factor of {max(factor, 1 / factor):.3g}" in problem
    assert "--feature-fps" in problem


def test_rounded_durations_and_single_errors_are_no_evidence() -> None:
    """Features are padded or cut by a few snippets, and some annotations are wrong."""
    videos = [video(n, lasts=100.0, annotated=100 + n % 4, end=101) for n in range(20)]
    videos[0] = replace(videos[0], annotated_s=300.0, instances=(Segment(0, 290, "Jump"),))
    assert clock_problem(videos, has_rate=True) is None
    assert clock_problem([], has_rate=True) is None


def test_segments_after_the_end_are_evidence_without_durations() -> None:
    """Over a tenth of the videos; the remedy depends on whether the features have a rate."""
    videos = [video(n, lasts=10, annotated=None, end=12 if n < 3 else 5) for n in range(12)]
    assert "in 3 of 12 videos" in (clock_problem(videos, has_rate=True) or "")
    assert "in seconds?" in (clock_problem(videos, has_rate=False) or "")
    assert clock_problem(videos[1:], has_rate=True) is None


def test_reading_a_data_set_warns(caplog: pytest.LogCaptureFixture) -> None:
    """Every command that reads a data set therefore warns."""
    annotations = [annotation(f"v{n}", "training", 12.0, ["Jump"]) for n in range(4)]
    sources = {one.id: HeldArray(np.ones((20, 2), np.float32)) for one in annotations}
    with caplog.at_level(logging.WARNING):
        videos = assemble(annotations, sources, source=Path("x"), expected="y", snippet_s=0.5)
    assert "off by one factor of 1.2" in caplog.text
    assert videos.videos[0].annotated_s == 12.0
    assert videos.videos[0].duration_s == 10.0


def test_command_line_repeats_the_options() -> None:
    """A summary prints it for the next command."""
    options = DataOptions(data=Path("d"), feature_fps=10.0, exclude_labels=("Big jump", "Run"))
    assert options.command_line() == ("--data d --feature-fps 10.0 --exclude-labels 'Big jump' Run")
