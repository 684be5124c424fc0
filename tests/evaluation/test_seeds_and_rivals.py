import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import ConfigError
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.metrics import Measured
from seawall.evaluation.statistics.rivals import adjusted_p_values, paired_test
from seawall.evaluation.statistics.seeds import interquartile_mean, probability_of_improvement, seed_spread

FIVE = np.array([[1.0, 5.0], [2.0, 4.0], [9.0, 3.0], [4.0, 8.0], [5.0, 1.0]])
FOUR = np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 6.0], [4.0, 0.0]])
TEN = np.round(5.0 * np.sin(np.arange(30) * 1.7 + 0.3), 2).reshape(10, 3)
EIGHT = np.round(5.0 * np.cos(np.arange(24) * 2.3) - 1.0, 2).reshape(8, 3)
MANY = BootstrapParams(n_resamples=20_000)


def test_the_interquartile_mean_is_that_of_rliable():
    # rliable 1.2.0: aggregate_iqm of the ten scores, and of five seeds the middle three.
    assert interquartile_mean(FIVE) == pytest.approx(3.8333333333333335, rel=1e-12)
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, 3.0, -50.0])) == 2.0


def test_the_interval_over_seeds_is_that_of_rliable():
    # rliable 1.2.0, get_interval_estimates with 50,000 resamples: -0.0469, from -1.9631 to 1.8988.
    iqm = seed_spread(TEN, MANY)["iqm"]
    assert iqm.figure.value == pytest.approx(-0.046875, rel=1e-9)
    # Two runs of so many resamples differ by some 0.02.
    assert (iqm.interval.low, iqm.interval.high) == pytest.approx((-1.9631, 1.8988), abs=0.05)


def test_the_probability_of_improvement_is_that_of_rliable():
    # rliable 1.2.0: probability_of_improvement, and its interval with 5,000 resamples.
    assert probability_of_improvement(FIVE, FOUR).figure.value == pytest.approx(0.65, rel=1e-12)
    found = probability_of_improvement(TEN, EIGHT, MANY)
    assert found.figure.value == pytest.approx(0.58333333, rel=1e-8)
    # As above.
    assert (found.interval.low, found.interval.high) == pytest.approx((0.41667, 0.74167), abs=0.015)


def test_a_policy_beats_itself_half_the_time_and_a_worse_one_always():
    assert probability_of_improvement(FIVE, FIVE).figure.value == 0.5
    better = probability_of_improvement(FIVE + 100.0, FOUR)
    assert (better.figure.value, better.interval.low, better.interval.high) == (1.0, 1.0, 1.0)


@given(st.floats(-5.0, 5.0), st.floats(0.01, 100.0))
def test_figures_over_seeds_move_with_the_unit(shift, scale):
    small = BootstrapParams(n_resamples=100)
    one, other = seed_spread(FIVE, small), seed_spread(FIVE * scale + shift, small)
    for name in ("iqm", "mean", "median"):
        assert other[name].figure.value == pytest.approx(one[name].figure.value * scale + shift, rel=1e-9, abs=1e-9)
        assert other[name].interval.low == pytest.approx(one[name].interval.low * scale + shift, rel=1e-9, abs=1e-9)


def test_markets_are_resampled_each_by_itself():
    # Seeds of one market never stand for another: with one value a market the mean cannot move.
    spread = seed_spread(np.tile([1.0, 10.0, 100.0], (5, 1)))["mean"]
    assert (spread.interval.low, spread.interval.high) == (37.0, 37.0)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.array([1.0, 2.0]), "2 seeds tell nothing of their spread; at least 3 are needed"),
        (np.full(5, np.nan), "5 of 5 scores are no finite numbers"),
    ],
)
def test_too_few_seeds_and_no_numbers_say_why(scores, reason):
    for found in (*seed_spread(scores).values(), probability_of_improvement(scores, FIVE[:, 0])):
        assert found.figure == Measured(None, reason)
        assert found.to_dict() == {"value": None, "reason": reason}
    assert "rival's scores" in probability_of_improvement(FIVE[:, 0], np.full(5, np.inf)).figure.reason


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="scores are of 2 markets and the rival's of 1"):
        probability_of_improvement(FIVE, FIVE[:, 0])
    with pytest.raises(ConfigError, match=r"scores have shape \(\); allowed"):
        seed_spread(np.array(1.0))


def test_the_p_value_of_a_clear_edge_is_the_least_there_can_be():
    rng = np.random.default_rng(1)
    rival = rng.normal(size=2_000)
    found = paired_test(rival + 0.5 + 0.1 * rng.normal(size=2_000), rival)
    assert found.p_value.value == 1 / 1_001
    assert found.interval.low > 0.49
    assert found.mean.value == pytest.approx(0.5, abs=0.01)


def test_the_p_values_of_noise_are_spread_evenly():
    # 200 pairs of noise: the share below a bound is that bound, within three standard errors (0.064 and 0.106).
    rng = np.random.default_rng(4)
    found = np.array([paired_test(*rng.normal(size=(2, 150)), BootstrapParams(n_resamples=200)).p_value.value for _ in range(200)])
    assert np.mean(found < 0.1) == pytest.approx(0.1, abs=0.064)  # three standard errors
    assert np.mean(found < 0.5) == pytest.approx(0.5, abs=0.106)  # three standard errors


def test_changing_sides_turns_the_p_value_round():
    rng = np.random.default_rng(7)
    ours, theirs = rng.normal(size=(2, 300))
    one, other = paired_test(ours, theirs), paired_test(theirs, ours)
    assert one.mean.value == -other.mean.value
    # The same resamples, of which one may be counted on both sides, and one more each.
    assert one.p_value.value + other.p_value.value == pytest.approx(1.0, abs=0.05)


def test_neighbouring_bars_that_go_together_widen_the_interval():
    rng = np.random.default_rng(9)
    shocks = rng.normal(size=3_000)
    smooth = np.convolve(shocks, np.ones(20), mode="same") / math.sqrt(20)
    apart, together = (paired_test(each, np.zeros(3_000)) for each in (shocks, smooth))
    assert together.mean_block_bars > 10 > apart.mean_block_bars
    assert together.interval.high - together.interval.low > 2.0 * (apart.interval.high - apart.interval.low)


@pytest.mark.parametrize(
    ("judged", "rival", "reason"),
    [
        (np.zeros(100), np.zeros(100), "the difference is the same on every bar"),
        (np.full(100, 0.01), np.zeros(100), "the difference is the same on every bar"),
        (np.full(100, np.nan), np.zeros(100), "100 of 200 log returns are no finite numbers"),
        (np.array([0.1, 0.2, -0.1]), np.zeros(3), "3 bars are too few; at least 30 are needed"),
        (np.empty(0), np.empty(0), "there is no bar"),
    ],
    ids=["flat", "constant", "all NaN", "three bars", "empty"],
)
def test_what_cannot_be_tested_says_why(judged, rival, reason):
    found = paired_test(judged, rival)
    assert found.p_value == Measured(None, reason)
    assert (found.interval.low, found.interval.high, found.interval.reason) == (None, None, reason)
    assert found.to_dict()["undefined"]["p_value"] == reason


def test_log_returns_of_other_bars_are_refused():
    with pytest.raises(ConfigError, match=r"shapes \(5,\) and \(4,\); allowed: one each for the same bars"):
        paired_test(np.zeros(5), np.zeros(4))


def test_p_values_are_adjusted_for_their_number():
    # Benjamini and Hochberg 1995: p·m/rank, never above a later one: 0.01·4, then 0.04·4/3 for 0.03 and 0.04, and 0.5.
    given_ = {"a": 0.01, "b": 0.03, "c": 0.04, "d": 0.5}
    adjusted = adjusted_p_values({**{name: Measured(value) for name, value in given_.items()}, "e": Measured(None, "flat")})
    values = [adjusted[name].value for name in "abcd"]
    assert values == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5], rel=1e-12)
    assert adjusted["e"] == Measured(None, "flat")
    assert adjusted_p_values({"e": Measured(None, "flat")}) == {"e": Measured(None, "flat")}
