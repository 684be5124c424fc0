"""Drift, spread and memory of feature columns, against cases computed by hand."""

import numpy as np
import pytest

from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.evaluation.feature_facts import (
    autocorrelation,
    correlations,
    drift_words,
    feature_facts,
    largest_distance,
    stability_index,
)
from seawall.market.splits import Split

SPLIT = Split(RowRange(2, 102), RowRange(102, 152), RowRange(152, 202), 0)


def test_the_stability_index_is_that_of_shares_in_tenths_of_the_training_rows():
    # 0 to 99 have ten values in each tenth: p = 0.1. Of 0 to 49 the lower five tenths hold 0.2 each, the others none, that is
    # 0.0001. 5 (0.2 − 0.1) ln(0.2 / 0.1) = 0.5 · 0.693147 = 0.346574; 5 (0.0001 − 0.1) ln(0.0001 / 0.1) = −0.4995 · −6.907755 =
    # 3.450424; together 3.796997.
    train = np.arange(100.0)
    assert stability_index(train, np.arange(50.0)) == pytest.approx(3.796997, abs=1e-6)
    assert stability_index(train, train[::-1]) == 0.0


def test_equal_ends_of_bins_are_one():
    # 80 zeros and 20 ones, then as many of each: (0.5 − 0.8) ln(0.5 / 0.8) + (0.5 − 0.2) ln(0.5 / 0.2)
    # = 0.3 · 0.470004 + 0.3 · 0.916291 = 0.141001 + 0.274887 = 0.415888.
    train = np.repeat([0.0, 1.0], [80, 20])
    assert stability_index(train, np.repeat([0.0, 1.0], [30, 30])) == pytest.approx(0.415888, abs=1e-6)


def test_a_column_that_never_changes_has_one_bin_and_leaving_it_is_strong():
    # All in the lower bin, p = (1, 0.0001); half above: (0.5 − 1) ln 0.5 + (0.5 − 0.0001) ln 5000 = 0.346574 + 4.257745 = 4.604319.
    train = np.ones(10)
    assert stability_index(train, train) == 0.0
    assert stability_index(train, np.array([1.0, 2.0])) == pytest.approx(4.604319, abs=1e-6)


def test_the_largest_distance_is_that_of_the_two_staircases():
    # Up to 2, half of the first and none of the second; apart by a half there, and never more.
    assert largest_distance(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])) == 0.5
    # Equal values step together: at 1, two thirds against one.
    assert largest_distance(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0])) == pytest.approx(1 / 3, rel=1e-12)
    assert largest_distance(np.zeros(5), np.ones(3)) == 1.0
    assert largest_distance(np.arange(9.0), np.arange(9.0)) == 0.0


@pytest.mark.parametrize(("psi", "word"), [(0.0, "little"), (0.0999, "little"), (0.1, "some"), (0.25, "some"), (0.2501, "strong")])
def test_drift_is_told_in_a_word(psi, word):
    assert drift_words(psi) == word


def test_autocorrelation_of_four_values_is_as_by_hand():
    # 1 2 3 4 less 2.5: −1.5 −0.5 0.5 1.5, squares 5. Lag 1: 0.75 − 0.25 + 0.75 = 1.25; lag 2: −1.5; lag 3: −2.25.
    found = autocorrelation(np.arange(1.0, 5.0), 5)
    np.testing.assert_allclose(found[:3], [0.25, -0.30, -0.45], atol=1e-12)
    assert np.isnan(found[3:]).all()
    assert np.isnan(autocorrelation(np.ones(100))).all()


def test_autocorrelation_of_an_autoregressive_series_falls_as_powers_of_its_coefficient():
    noise = np.random.default_rng(0).standard_normal(200_000)
    values = np.empty_like(noise)
    values[0] = noise[0]
    for row in range(1, len(noise)):
        values[row] = 0.8 * values[row - 1] + noise[row]
    np.testing.assert_allclose(autocorrelation(values, 3), [0.8, 0.64, 0.512], atol=1e-2)


def test_correlations_are_one_with_itself_and_undefined_for_a_column_that_never_changes():
    rising = np.arange(50.0)
    found = correlations(np.column_stack([rising, -2.0 * rising, np.full(50, 0.1), rising % 2]).astype(np.float32))
    np.testing.assert_allclose(found[:2, :2], [[1.0, -1.0], [-1.0, 1.0]], atol=1e-12)
    assert np.isnan(found[2]).all()
    # 0 to 49 against 0 1 0 1 …: covariance 0.25, deviations 14.430870 and 0.5.
    assert found[0, 3] == pytest.approx(0.25 / (14.430870 * 0.5), rel=1e-6)


def test_facts_are_of_the_training_rows_and_missing_counts_the_warm_up():
    values = np.concatenate([[np.nan, np.nan], np.arange(100.0), np.arange(50.0), np.arange(100.0, 150.0)])
    seen = []
    (fact,) = feature_facts(values[:, None], ["x"], SPLIT, seen.append)
    assert seen == ["x"]
    assert fact.missing == pytest.approx(2 / 202, rel=1e-12)
    # 0 to 99: mean 49.5, variance (100² − 1) / 12 = 833.25.
    assert (fact.mean, fact.low, fact.high) == (49.5, 0.0, 99.0)
    assert fact.deviation == pytest.approx(np.sqrt(833.25), rel=1e-12)
    assert (fact.validation.ks, fact.test.ks) == (0.5, 1.0)
    assert fact.validation.psi == pytest.approx(3.796997, abs=1e-6)
    # All in the last tenth: 0.9 ln 10 + 9 · 0.0999 · ln 1000 = 2.072327 + 6.210763 = 8.283090.
    assert fact.worst_psi == fact.test.psi == pytest.approx(8.283089, abs=1e-5)
    assert fact.to_dict()["drift"] == "strong"


def test_a_hole_after_the_warm_up_is_refused_by_row():
    values = np.arange(202.0)
    values[120] = np.nan
    with pytest.raises(DataError, match="feature x is nan at row 120"):
        feature_facts(values[:, None], ["x"], SPLIT)
