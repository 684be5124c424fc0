"""Bootstrap intervals and paired comparisons."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap

from seawall.evaluation import resampling
from seawall.evaluation.bootstrap import MEASURES, BootstrapParams, mean_block_bars, resample
from seawall.evaluation.metrics import max_drawdown, sharpe, sortino
from seawall.evaluation.resampling import resampled_sums

YEAR = 8_766.0
PARAMS = BootstrapParams(n_resamples=400)


def normal(seed: int, n_bars: int = 2_000, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, n_bars)


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    # Independent bars: mean ± 1.96 σ / √n; 2,000 resamples leave about 3 % of Monte Carlo error in a bound's distance.
    returns = normal(0, 4_000)
    interval = resample({"a": returns}, YEAR, BootstrapParams(n_resamples=2_000)).interval("mean_log_return", "a")
    half = 1.96 * returns.std(ddof=1) / math.sqrt(len(returns))
    assert 0.92 < (interval.high - interval.low) / (2.0 * half) < 1.08


def test_blocks_widen_the_interval_of_dependent_bars():
    shocks = np.random.default_rng(1).normal(0.0, 0.01, 4_000)
    dependent = np.empty_like(shocks)
    dependent[0] = shocks[0]
    for bar in range(1, len(shocks)):
        dependent[bar] = 0.8 * dependent[bar - 1] + shocks[bar]
    scrambled = np.random.default_rng(2).permutation(dependent)
    widths = []
    for series in (dependent, scrambled):
        interval = resample({"a": series}, YEAR, PARAMS).interval("mean_log_return", "a")
        widths.append(interval.high - interval.low)
    # The long-run deviation of this process is √((1 + 0.8) / (1 − 0.8)) = 3 times that of independent bars.
    assert widths[0] > 2.0 * widths[1]
    assert mean_block_bars(dependent) > 5 * mean_block_bars(scrambled)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    one, again = (resample({"a": normal(3)}, YEAR, PARAMS).interval("sharpe", "a") for _ in range(2))
    other = resample({"a": normal(3)}, YEAR, BootstrapParams(n_resamples=400, seed=1)).interval("sharpe", "a")
    assert one == again
    assert one != other


def test_a_series_drawn_beside_others_has_the_interval_it_has_alone():
    alone = resample({"a": normal(4)}, YEAR, PARAMS)
    beside = resample({"a": normal(4), "b": normal(5)}, YEAR, PARAMS)
    assert [alone.interval(m, "a") for m in MEASURES] == [beside.interval(m, "a") for m in MEASURES]


def test_more_series_than_are_added_up_side_by_side_have_the_sums_that_each_has_alone():
    series = np.stack([normal(30 + number, 200) for number in range(70)])
    together = resampled_sums(series, 5, 20, np.random.default_rng(6))
    for number in (0, 31, 32, 63, 64, 69):
        alone = resampled_sums(series[number : number + 1], 5, 20, np.random.default_rng(6))
        np.testing.assert_array_equal(together[:, number], alone[:, 0])


def test_figures_of_a_resample_are_those_of_the_metrics():
    # A resample of a series of two values in blocks cannot be predicted, but its figures must agree with one another.
    returns = np.tile([0.02, -0.01], 100)
    values = resample({"a": returns}, YEAR, BootstrapParams(n_resamples=100)).values[:, :, 0]
    named = dict(zip(MEASURES, values, strict=True))
    ups = np.round((named["mean_log_return"] * 200 + 0.01 * 200) / 0.03).astype(int)
    for number in range(100):
        simple = np.expm1(np.array([0.02] * ups[number] + [-0.01] * (200 - ups[number])))
        assert named["sharpe"][number] == pytest.approx(sharpe(simple, YEAR).value, rel=1e-9)
        assert named["sortino"][number] == pytest.approx(sortino(simple, YEAR).value, rel=1e-9)
        assert named["total_return"][number] == pytest.approx(np.prod(1.0 + simple) - 1.0, rel=1e-9)


@pytest.mark.parametrize("block", [1, 7, 40])
def test_resamples_are_those_of_the_reference_and_their_sums_those_of_what_it_drew(block):
    series = np.stack([normal(20, 400), normal(21, 400) * (np.arange(400) % 3 == 0)])
    sums = resampled_sums(series, block, 50, np.random.default_rng(5))
    reference = StationaryBootstrap(block, np.empty(400), seed=np.random.default_rng(5))
    for number in range(50):
        for each, log in enumerate(series[:, reference.update_indices()]):
            simple, path = np.expm1(log), np.cumsum(log)
            away = simple - np.expm1(series[each]).mean()
            fall = (path - np.maximum.accumulate(np.maximum(path, 0.0))).min()
            wanted = [
                log.sum(),
                min(fall, 0.0),
                away.sum(),
                away @ away,
                np.square(np.minimum(simple, 0.0)).sum(),
                abs(simple).max(),
            ]
            np.testing.assert_allclose(sums[number, each], wanted, rtol=1e-11, atol=1e-14)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    many = resample({"a": normal(22), "b": normal(23)}, YEAR, PARAMS).values
    monkeypatch.setattr(resampling, "_MOST_THREADS", 1)
    np.testing.assert_array_equal(resample({"a": normal(22), "b": normal(23)}, YEAR, PARAMS).values, many)


def test_the_drawdown_of_resamples_holds_the_first_bar():
    # Every resample of a series that only falls draws down from its start.
    falling = np.full(50, -0.01) + np.linspace(0.0, 1e-6, 50)
    interval = resample({"a": falling}, YEAR, PARAMS).interval("max_drawdown", "a")
    depth, _length = max_drawdown(np.exp(np.concatenate([[0.0], np.cumsum(falling)])))
    assert interval.low == pytest.approx(depth, abs=1e-4)
    assert interval.high == pytest.approx(depth, abs=1e-4)


def test_a_policy_does_not_beat_itself():
    resamples = resample({"a": normal(6), "b": normal(6)}, YEAR, PARAMS)
    interval = resamples.difference("a", "b", 0.0).interval
    assert (interval.low, interval.high) == (0.0, 0.0)


def test_a_paired_difference_is_surer_than_the_two_apart():
    market = normal(7)
    resamples = resample({"a": market + 1e-5, "b": market}, YEAR, PARAMS)
    interval = resamples.difference("a", "b", 1e-5).interval
    assert interval.low == pytest.approx(1e-5, rel=1e-9)
    assert resamples.interval("mean_log_return", "a").low < -1e-4


def test_a_constant_series_has_no_sharpe_interval_but_a_sure_mean():
    resamples = resample({"flat": np.zeros(500)}, YEAR, PARAMS)
    assert resamples.mean_block_bars == 1
    assert resamples.interval("mean_log_return", "flat").to_dict() == {"low": 0.0, "high": 0.0}
    undefined = resamples.interval("sharpe", "flat")
    assert (undefined.low, undefined.reason) == (None, "the figure is undefined in too many resamples")


def test_a_handful_of_bars_gives_no_interval():
    resamples = resample({"a": normal(8, 20)}, YEAR, PARAMS)
    assert all(resamples.interval(measure, "a").low is None for measure in MEASURES)


def test_a_short_span_is_not_annualised():
    resamples = resample({"a": normal(9, 100)}, YEAR, PARAMS)
    assert resamples.interval("annual_return", "a").low is None
    assert resamples.interval("total_return", "a").low is not None


def test_one_rare_large_trade_is_handled():
    lonely = np.zeros(400)
    lonely[200] = 0.5
    resamples = resample({"a": lonely}, YEAR, PARAMS)
    low, high = resamples.interval("mean_log_return", "a").low, resamples.interval("mean_log_return", "a").high
    assert low == 0.0
    assert high > 0.0


def test_a_block_is_at_most_a_tenth_of_the_series():
    assert mean_block_bars(np.cumsum(normal(10, 300))) <= 30
