"""Thinning for display keeps what the eye must not miss."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seawall.evaluation.thinning import kept_marks, kept_points


@given(st.integers(1, 30_000), st.integers(0, 1_000))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(n_points, seed):
    values = np.random.default_rng(seed).normal(size=n_points)
    kept = kept_points(values, 100)
    assert len(kept) <= max(100, 1)
    assert {0, n_points - 1, int(values.argmin()), int(values.argmax())} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_a_short_curve_is_kept_whole():
    assert kept_points(np.zeros(4_000)).tolist() == list(range(4_000))


def test_many_marks_are_spread_evenly():
    kept = kept_marks(10_000, 5)
    assert kept.tolist() == [0, 2500, 5000, 7499, 9999]
    assert kept_marks(3, 5).tolist() == [0, 1, 2]
