from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.simulator.rewards.check import check_term
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS


@pytest.mark.parametrize("name", REWARD_TERMS)
def test_every_term_of_our_own_looks_no_farther_than_it_declares(name):
    check_term(name, RewardParams(idle_bars=1))


@pytest.mark.parametrize(("name", "ahead"), [("hindsight_exit", 4), ("hindsight_exit_limit", 4)])
def test_a_hindsight_term_that_declares_nothing_is_caught_with_how_far_it_looks(monkeypatch, name, ahead):
    # Decided at the close of t, marked at t + 1, the best of t + 1 ... t + 5: four bars beyond the mark.
    monkeypatch.setitem(REWARD_TERMS, name, replace(REWARD_TERMS[name], horizon=0))
    with pytest.raises(
        ConfigError, match=rf"reward term '{name}' looks ahead: its value at row \d+ changes .* declares a horizon of 0"
    ) as refusal:
        check_term(name, RewardParams(hindsight_bars=5))
    told = int(str(refusal.value).split("prices ")[1].split(" bar")[0])
    assert 1 <= told <= ahead


def peeks(bars):
    return lambda bar: bar.market.prices[np.minimum(bar.row + bars, len(bar.market) - 1), 3] / bar.close - 1.0


def whole_sample(bar):
    return bar.simple_return / bar.market.prices[:, 3].std()


def changes_a_shared_array(bar):
    returns = bar.simple_return
    returns *= 2.0
    return returns.copy()


def changes_the_account(bar):
    bar.equity[:] = 1.0
    return bar.log_return.copy()


SOURCE = np.random.default_rng()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (peeks(1), "looks ahead: .* prices 1 bar after it"),
        (peeks(7), "looks ahead: .* prices 7 bars after it, and it declares a horizon of 0"),
        (whole_sample, "looks ahead"),
        (changes_a_shared_array, "changes the array 'simple_return'"),
        (changes_the_account, "changes the array 'equity'"),
        (lambda bar: np.full(bar.n, np.nan), r"is nan for account 0 at row 1"),
        (lambda bar: np.zeros(bar.n, dtype=np.float32), r"returned float32 of shape \(6,\) at row 1; allowed: float64"),
        (lambda bar: np.zeros((bar.n, 1)), r"returned float64 of shape \(6, 1\)"),
        (lambda bar: 0.0, "returned float at row 1"),
        (lambda bar: bar.nothing, "raised AttributeError at row 1"),
        (lambda bar: SOURCE.random(bar.n), "differs between two runs over the same bars, at row 1"),
    ],
)
def test_a_term_that_cannot_be_relied_on_is_refused_with_what_was_seen(monkeypatch, function, message):
    monkeypatch.setitem(REWARD_TERMS, "own", RewardTerm(function, "own"))
    with pytest.raises(ConfigError, match=f"reward term 'own' {message}"):
        check_term("own", RewardParams())


def test_a_term_that_declares_how_far_it_looks_passes_and_one_bar_less_does_not(monkeypatch):
    monkeypatch.setitem(REWARD_TERMS, "own", RewardTerm(peeks(7), "own", horizon=7))
    check_term("own", RewardParams())
    monkeypatch.setitem(REWARD_TERMS, "own", RewardTerm(peeks(7), "own", horizon=6))
    with pytest.raises(ConfigError, match="prices 7 bars after it, and it declares a horizon of 6"):
        check_term("own", RewardParams())
