import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seawall.core.errors import ConfigError
from seawall.core.files import to_json
from seawall.evaluation.metrics import sharpe
from seawall.evaluation.statistics.overfitting import backtest_overfitting

BARS, TRIALS = np.arange(203)[:, None], np.arange(1, 7)[None, :]
MADE = (
    0.01 * np.sin(0.37 * BARS * TRIALS + TRIALS)
    + 0.01 * np.cos(1.3 * BARS**2 + TRIALS**2 * BARS)
    + 0.0006 * np.sin(BARS / (9 + TRIALS))
    + 0.0002 * TRIALS
)


@pytest.mark.parametrize(
    ("n_blocks", "probability", "slope", "loss", "logit"),
    [
        (8, 0.7285714285714285, -0.540840516865864, 0.4142857142857143, -0.846030414193784),
        (10, 0.7103174603174603, -0.5840930462733553, 0.31746031746031744, -0.6231763503976845),
    ],
)
def test_figures_are_those_of_halves_put_together_one_by_one(n_blocks, probability, slope, loss, logit):
    # By the steps of esvhd/pypbo (pypbo/pbo.py) on the same bars: halves concatenated, scipy's rankdata and linregress.
    made = backtest_overfitting(MADE, n_blocks)
    assert (made.probability.value, made.loss.value) == (pytest.approx(probability, rel=1e-12), pytest.approx(loss, rel=1e-12))
    assert made.slope.value == pytest.approx(slope, rel=1e-9)
    assert made.logits.mean() == pytest.approx(logit, rel=1e-9)


def test_two_configurations_that_change_places_are_overfitted_by_hand():
    # The first half chooses the one that is worse in the second, and the other way round: rank 1 of 2, ω = 1/3.
    returns = np.array([[0.02, 0.01], [0.03, 0.01], [-0.01, 0.02], [-0.03, 0.02]])
    made = backtest_overfitting(returns, 2, "mean")
    np.testing.assert_allclose(made.logits, [math.log(0.5), math.log(0.5)], rtol=1e-12)
    np.testing.assert_allclose(made.in_sample, [0.025, 0.02], rtol=1e-12)
    np.testing.assert_allclose(made.out_of_sample, [-0.02, 0.01], rtol=1e-12)
    # Slope through (0.025, -0.02) and (0.02, 0.01).
    assert (made.probability.value, made.loss.value, made.slope.value) == (1.0, 0.5, pytest.approx(-6.0))


def test_the_figure_that_chooses_is_the_sharpe_ratio_of_reports():
    made = backtest_overfitting(MADE[:200], 2)
    assert made.in_sample[0] == pytest.approx(max(sharpe(column, 1.0).value for column in MADE[:100].T), rel=1e-9)


def test_on_noise_the_mean_over_many_markets_is_one_half():
    rng = np.random.default_rng(5)
    found = [backtest_overfitting(rng.normal(size=(400, 10)), 8).probability.value for _ in range(100)]
    # One market scatters by 0.2; the mean of 100 by 0.02.
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)
    assert np.std(found) > 0.1


def test_a_configuration_with_an_edge_is_not_overfitted():
    returns = np.random.default_rng(6).normal(size=(2_000, 10))
    returns[:, 3] += 0.3
    made = backtest_overfitting(returns)
    assert len(made.logits) == math.comb(16, 8)
    assert (made.probability.value, made.loss.value) == (0.0, 0.0)


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 50))
def test_the_unit_of_money_changes_nothing(scale, seed):
    returns = np.random.default_rng(seed).normal(size=(64, 5))
    one, other = backtest_overfitting(returns, 4), backtest_overfitting(returns * scale, 4)
    np.testing.assert_array_equal(one.logits, other.logits)
    np.testing.assert_allclose(one.in_sample, other.in_sample, rtol=1e-9)


def test_equal_configurations_share_the_middle_rank():
    returns = np.repeat(np.random.default_rng(1).normal(size=(64, 1)), 4, axis=1)
    made = backtest_overfitting(returns, 4)
    # Rank 2.5 of 4, over N + 1 = 5: one half, whose logit is 0.
    np.testing.assert_array_equal(made.logits, np.zeros(6))
    assert made.probability.value == 1.0


def test_the_oldest_bars_that_do_not_fill_the_blocks_are_left_out():
    returns = np.random.default_rng(2).normal(size=(67, 5))
    np.testing.assert_array_equal(backtest_overfitting(returns, 4).logits, backtest_overfitting(returns[3:], 4).logits)


def test_a_configuration_that_stays_flat_has_a_sharpe_ratio_of_zero():
    # It is the best where the only other one loses.
    returns = np.stack([np.zeros(64), np.random.default_rng(2).normal(-5.0, 1.0, 64)], axis=1)
    made = backtest_overfitting(returns, 4)
    assert (made.probability.value, made.loss.value) == (0.0, 0.0)
    np.testing.assert_array_equal(made.in_sample, np.zeros(6))
    assert made.slope.reason == "the best figure is the same in every half"


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full((100, 3), 0.01), "has the same return other than 0 on every bar of a half"),
        (np.full((100, 3), np.nan), "300 of 300 returns are no finite numbers"),
        (np.ones((3, 4)), "3 bars are too few for 16 blocks; at least 32 are needed"),
        (np.ones((100, 1)), "1 configuration is no choice"),
        (np.ones(100), r"returns have shape (100,)"),
    ],
    ids=["constant", "all NaN", "three bars", "one configuration", "one axis"],
)
def test_what_cannot_be_told_says_why(returns, reason):
    made = backtest_overfitting(returns)
    assert made.probability.value is made.slope.value is made.loss.value is None
    assert reason in made.probability.reason
    assert set(made.to_dict()["undefined"]) == {"probability", "slope", "loss"}


@given(arrays(np.float64, st.tuples(st.integers(0, 40), st.integers(1, 4)), elements=st.floats(-1.0, 1e3) | st.just(0.0)))
def test_no_returns_give_a_number_that_is_none(returns):
    made = backtest_overfitting(returns, 4)
    for figure in (made.probability, made.slope, made.loss):
        assert figure.reason if figure.value is None else math.isfinite(figure.value)
    assert "NaN" not in to_json(made.to_dict())


@pytest.mark.parametrize(
    ("n_blocks", "measure", "words"),
    [
        (15, "sharpe", "n_blocks is 15; allowed: an even number from 2 to 20"),
        (22, "sharpe", "n_blocks is 22"),
        (8, "sortino", "measure is 'sortino'; allowed: sharpe, mean"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(n_blocks, measure, words):
    with pytest.raises(ConfigError, match=words):
        backtest_overfitting(MADE, n_blocks, measure)
