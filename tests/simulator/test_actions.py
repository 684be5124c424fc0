from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import ConfigError, InvariantError
from seawall.simulator.actions.registry import ACTION_SCHEMES, BuySellHold, SellBuyHold, action_scheme

CURRENT = np.array([0.0, 0.0, 0.0, 1.0, -1.0])


def test_the_two_numberings_differ_and_are_those_of_their_systems():
    assert (SellBuyHold.SELL, SellBuyHold.BUY, SellBuyHold.HOLD) == (0, 1, 2)
    assert (BuySellHold.BUY, BuySellHold.SELL, BuySellHold.HOLD) == (0, 1, 2)


def test_sell_buy_hold_asks_for_short_long_and_the_target_in_force():
    intent = action_scheme("sell_buy_hold", short=True).intent(np.array([0, 1, 2, 2, 2]), CURRENT)
    assert intent.target.tolist() == [-1.0, 1.0, 0.0, 1.0, -1.0]
    assert intent.signal.tolist() == [-1, 1, 0, 0, 0]
    assert intent.signal.dtype == np.int8


def test_buy_sell_hold_without_short_leaves_the_market_on_sell():
    intent = action_scheme("buy_sell_hold", short=False).intent(np.array([0, 1, 2, 2, 1]), CURRENT)
    assert intent.target.tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert intent.signal.tolist() == [1, -1, 0, 0, -1]


def test_target_exposure_signals_the_change_asked_for():
    intent = action_scheme("target_exposure", short=True).intent(np.array([0, 1, 2, 2, 1]), CURRENT)
    assert intent.target.tolist() == [-1.0, 0.0, 1.0, 1.0, 0.0]
    assert intent.signal.tolist() == [-1, 0, 1, 0, 1]


@pytest.mark.parametrize("name", ACTION_SCHEMES)
@pytest.mark.parametrize("short", [True, False])
def test_every_target_is_one_of_the_levels(name, short):
    scheme = action_scheme(name, short)
    count = len(scheme.action_names)
    for current in scheme.levels:
        intent = scheme.intent(np.arange(count), np.full(count, current))
        assert set(intent.target.tolist()) <= set(scheme.levels)
    assert list(scheme.levels) == sorted(scheme.levels)
    assert min(scheme.levels) == (-1.0 if short else 0.0)


@pytest.mark.parametrize("name", ACTION_SCHEMES)
def test_a_scheme_saves_its_name_and_numbering(name):
    spec = action_scheme(name, short=True).spec()
    assert spec["name"] == name
    assert spec["actions"] == list(action_scheme(name, short=True).action_names)
    assert spec != action_scheme(name, short=False).spec()


@pytest.mark.parametrize("action", [3, -1])
def test_an_action_outside_the_numbering_is_named(action):
    with pytest.raises(
        InvariantError, match=f"action {action} is unknown to scheme 'sell_buy_hold'; allowed: 0 SELL, 1 BUY, 2 HOLD"
    ):
        action_scheme("sell_buy_hold", short=True).intent(np.array([0, action]), np.zeros(2))


@pytest.mark.parametrize("actions", [np.array([0.5, 1.0]), np.array([True, False]), np.array([[0, 1]])])
def test_actions_that_are_no_row_of_whole_numbers_are_refused(actions):
    with pytest.raises(InvariantError, match="is not understood by scheme 'target_exposure'"):
        action_scheme("target_exposure", short=True).intent(actions, np.zeros(2))


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ConfigError, match="action scheme 'hold_only' is unknown; allowed"):
        action_scheme("hold_only", short=True)
