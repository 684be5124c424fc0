import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import ConfigError
from seawall.evaluation.statistics.sharpe import (
    SharpeFacts,
    benchmark_of_trials,
    deflated_sharpe,
    expected_maximum,
    least_backtest_years,
    least_track_record,
    probabilistic_sharpe,
    sharpe_facts,
)

# The first tests are those of esvhd/pypbo (pypbo/tests/pbo_tests.py), whose numbers come from the papers' examples.
TO_1E9 = {"rel": 1e-9, "abs": 0.0}
BARS = np.arange(60)
RETURNS = 0.01 * np.sin(1.7 * BARS) + 0.004 * np.cos(0.9 * BARS) ** 3 - 0.02 * (BARS % 13 == 5) + 0.003


def test_the_largest_of_a_hundred_is_the_papers():
    assert expected_maximum(100) == pytest.approx(2.5306028932016846, **TO_1E9)


def test_the_probabilistic_sharpe_ratio_is_the_papers():
    facts = SharpeFacts(1.585 / math.sqrt(12), -2.448, 10.164, 24)
    assert probabilistic_sharpe(facts).value == pytest.approx(0.9132343068848602, **TO_1E9)


def test_the_deflated_sharpe_ratio_is_the_papers():
    facts = SharpeFacts(2.5 / math.sqrt(250), -3.0, 10.0, 1_250)
    assert deflated_sharpe(facts, 100, 0.5 / 250).value == pytest.approx(0.9003968344493903, **TO_1E9)
    assert benchmark_of_trials(100, 1_250, 0.5 / 250) == pytest.approx(0.113172, abs=1e-6)


@pytest.mark.parametrize(
    ("sharpe", "hurdle", "skew", "kurtosis", "per_year", "years"),
    [
        (2.0, 1.0, 0.0, 3.0, 250, 2.731187801728176),
        (2.0, 1.0, 0.0, 3.0, 52, 2.8288335869452368),
        (3.0, 2.5, -0.72, 5.78, 12, 27.3529201960403),
    ],
)
def test_the_least_track_record_is_the_papers(sharpe, hurdle, skew, kurtosis, per_year, years):
    facts = SharpeFacts(sharpe / math.sqrt(per_year), skew, kurtosis, 1_000)
    record = least_track_record(facts, hurdle / math.sqrt(per_year), 0.95).value
    assert record is not None
    assert record / per_year == pytest.approx(years, **TO_1E9)


def test_the_least_backtest_is_the_papers():
    assert least_backtest_years(45, 1.0).value == pytest.approx(4.998087004443404, **TO_1E9)
    assert least_backtest_years(45, 2.0).value == pytest.approx(4.998087004443404 / 4.0, **TO_1E9)


def test_the_facts_of_returns_are_those_of_skfolio():
    # skfolio 1.12.2 on the same returns: skew, kurtosis, mean / standard_deviation.
    facts = sharpe_facts(RETURNS)
    assert isinstance(facts, SharpeFacts)
    assert (facts.skew, facts.kurtosis) == pytest.approx((-0.5645031807390885, 3.301596601449369), **TO_1E9)
    assert (facts.sharpe, facts.n_bars) == (pytest.approx(0.1434376578097243, **TO_1E9), 60)


def test_probabilities_are_those_of_skfolio():
    # skfolio 1.12.2: probabilistic_sharpe_ratio against 0 and 0.1, and deflated_sharpe_ratio with five trials.
    facts, trials = sharpe_facts(RETURNS), [0.05, 0.1, -0.02, 0.2, 0.11]
    assert probabilistic_sharpe(facts).value == pytest.approx(0.8540454035362217, **TO_1E9)
    assert probabilistic_sharpe(facts, 0.1).value == pytest.approx(0.6252006721988479, **TO_1E9)
    assert deflated_sharpe(facts, 5, float(np.var(trials, ddof=1))).value == pytest.approx(0.6344502926696942, **TO_1E9)


def test_against_itself_a_sharpe_ratio_is_above_with_one_half():
    facts = SharpeFacts(0.07, -1.2, 8.0, 500)
    assert probabilistic_sharpe(facts, 0.07).value == 0.5


@given(sharpe=st.floats(-0.5, 0.5), n_bars=st.integers(50, 10_000), n_trials=st.integers(2, 5_000))
def test_one_trial_deflates_nothing_and_more_deflate_more(sharpe, n_bars, n_trials):
    facts = SharpeFacts(sharpe, 0.0, 3.0, n_bars)
    one, few, many = (deflated_sharpe(facts, count).value for count in (1, n_trials, 2 * n_trials))
    assert one == probabilistic_sharpe(facts).value
    assert one >= few >= many


@given(sharpe=st.floats(0.01, 0.5), skew=st.floats(-2.0, 2.0), confidence=st.floats(0.8, 0.99))
def test_after_its_least_record_a_sharpe_ratio_is_proven_to_the_confidence(sharpe, skew, confidence):
    bars = least_track_record(SharpeFacts(sharpe, skew, 8.0, 99), confidence=confidence).value
    assert bars is not None
    # The record is no whole number, which the formula takes all the same.
    assert probabilistic_sharpe(SharpeFacts(sharpe, skew, 8.0, bars)).value == pytest.approx(confidence, **TO_1E9)  # pyright: ignore


def test_without_skill_the_largest_of_the_trials_is_the_benchmark():
    # 200 searches of 50 configurations on 500 bars of noise; four standard errors of their mean are some 0.006.
    noise = np.random.default_rng(3).normal(size=(200, 50, 500))
    largest = (noise.mean(axis=2) / noise.std(axis=2, ddof=1)).max(axis=1)
    assert benchmark_of_trials(50, 500) == pytest.approx(float(largest.mean()), abs=0.006)


def test_noise_is_not_deflated_below_its_share():
    # The best of 20 on noise passes 0.95 in about 5 % of the searches (300 of them: two standard errors are 2.5 %).
    noise = np.random.default_rng(8).normal(size=(300, 20, 400))
    best = (noise.mean(axis=2) / noise.std(axis=2)).argmax(axis=1)
    passed = [deflated_sharpe(sharpe_facts(search[one]), 20).value > 0.95 for search, one in zip(noise, best, strict=True)]
    assert np.mean(passed) < 0.075
    alone = [probabilistic_sharpe(sharpe_facts(search[one])).value > 0.95 for search, one in zip(noise, best, strict=True)]
    assert np.mean(alone) > 0.5


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full(100, 0.01), "every bar has the same return"),
        (np.zeros(100), "0 of 100 bars have a return; at least 30 are needed"),
        (np.eye(1, 100)[0], "1 of 100 bars have a return"),
        (np.full(100, np.nan), "100 of 100 returns are no finite numbers"),
        (np.append(RETURNS, np.inf), "1 of 61 returns are no finite numbers"),
        (np.array([0.01, -0.02, 0.03]), "3 of 3 bars have a return"),
        (np.empty(0), "0 of 0 bars have a return"),
    ],
    ids=["constant", "flat", "one trade", "all NaN", "infinite", "three bars", "empty"],
)
def test_what_cannot_be_told_says_why(returns, reason):
    facts = sharpe_facts(returns)
    for figure in (probabilistic_sharpe(facts), deflated_sharpe(facts, 5), least_track_record(facts)):
        assert figure.value is None
        assert reason in figure.reason


@given(st.lists(st.floats(-1.0, 1e6), min_size=0, max_size=80))
def test_no_returns_give_a_number_that_is_none(returns):
    facts = sharpe_facts(np.array(returns))
    for figure in (probabilistic_sharpe(facts), deflated_sharpe(facts, 7), least_track_record(facts)):
        assert figure.reason if figure.value is None else math.isfinite(figure.value)


def test_a_record_that_proves_nothing_says_why():
    assert "not above the benchmark" in least_track_record(SharpeFacts(0.05, 0.0, 3.0, 100), 0.05).reason
    assert "cannot be told" in probabilistic_sharpe(SharpeFacts(1.0, 2.0, 5.0, 100)).reason
    assert "cannot be told" in least_track_record(SharpeFacts(1.0, 2.0, 5.0, 100)).reason
    assert "too large" in least_track_record(SharpeFacts(1e-200, 0.0, 3.0, 100)).reason
    assert "only one above 0" in least_backtest_years(5, 0.0).reason


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: expected_maximum(0), "n_trials is 0; allowed: a whole number of 1 or more"),
        (lambda: deflated_sharpe("no bars", 2.5), "n_trials is 2.5"),
        (lambda: benchmark_of_trials(3, 100, -1.0), "variance is -1.0"),
        (lambda: benchmark_of_trials(3, 1), "n_bars 1; allowed"),
        (lambda: least_track_record("no bars", confidence=0.5), "confidence is 0.5; allowed: above 0.5 and below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
