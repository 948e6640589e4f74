"""Snippets and time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.snippets import SnippetClock, resample, sample_one_per_bin, snippet_centres


def test_clock_from_rate_and_from_duration_agree() -> None:
    """16 frames at 25 frames a second last 0.64 s, like one of 100 snippets in 64 s."""
    assert SnippetClock.from_rate(fps=25) == SnippetClock.from_duration(duration_s=64, snippets=100)


@pytest.mark.parametrize("snippet_s", [0, -1, float("nan"), float("inf")])
def test_clock_refuses_a_snippet_without_length(snippet_s: float) -> None:
    """The message contains the value."""
    with pytest.raises(InputError, match=str(snippet_s)):
        SnippetClock(snippet_s)


@pytest.mark.parametrize("fps", [0.0, -25.0, float("nan"), float("inf")])
def test_clock_refuses_an_impossible_rate(fps: float) -> None:
    """The message contains the rate."""
    with pytest.raises(InputError, match=f"frames a second, got {fps}"):
        SnippetClock.from_rate(fps=fps)


def test_centres_are_halfway_between_starts() -> None:
    """Four snippets in 2 s have their centres at 0.25, 0.75, 1.25 and 1.75 s."""
    np.testing.assert_allclose(
        snippet_centres(snippets=4, duration_s=2.0), [0.25, 0.75, 1.25, 1.75]
    )


@given(st.integers(1, 40), st.integers(1, 90))
def test_resample_follows_its_formula(snippets: int, length: int) -> None:
    """Each point is on the line between the centres of the two snippets around it."""
    values = np.random.default_rng(snippets).standard_normal((snippets, 2)).astype(np.float32)
    position = (np.arange(length) + 0.5) * snippets / length - 0.5
    expected = [np.interp(position, np.arange(snippets), column) for column in values.T]
    np.testing.assert_allclose(resample(values, length), np.stack(expected, axis=1), atol=1e-6)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 1000))
def test_each_bin_has_one_sample(snippets: int, length: int, seed: int) -> None:
    """Indices ascend, stay in the video, and leave no bin out."""
    indices = sample_one_per_bin(snippets, length, np.random.default_rng(seed))
    bins = np.arange(length) * snippets / length
    assert len(indices) == length
    assert (np.floor(bins) <= indices).all()
    assert (indices <= np.minimum(np.ceil(bins + snippets / length), snippets - 1)).all()
