from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import DataError
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import EMPTY, NConsecutive, NConsecutiveParams
from seawall.simulator.accounts import AccountView
from seawall.simulator.actions.registry import SellBuyHold, action_scheme
from seawall.simulator.desk import Desk

SELL, BUY, HOLD = (np.full(2, int(action)) for action in (SellBuyHold.SELL, SellBuyHold.BUY, SellBuyHold.HOLD))


def view(target: float) -> AccountView:
    return AccountView(
        np.full(2, target), np.full(2, 100.0), np.full(2, 100.0), np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    )


def desk(n: int = 2) -> Desk:
    confirm = NConsecutive(NConsecutiveParams(mode="confirm", n=2))
    return Desk(action_scheme("sell_buy_hold", short=True), GuardChain([confirm]), n)


def test_without_guards_the_intent_is_what_happens():
    free = Desk(action_scheme("sell_buy_hold", short=True), None, 2)
    decision = free.decide(SELL, view(1.0))
    assert decision.allowed.tolist() == [-1.0, -1.0]
    assert decision.guard_code.tolist() == [0, 0]
    assert free.state.shape == (2, 0)
    assert free.state_names == ()
    assert free.reason_text(0, 0) == ""


def test_a_guarded_decision_keeps_the_proposal_and_says_who_held_it_and_why():
    guarded = desk()
    decision = guarded.decide(BUY, view(0.0))
    assert decision.intent.target.tolist() == [1.0, 1.0]
    assert decision.allowed.tolist() == [0.0, 0.0]
    assert decision.signal.tolist() == [0, 0]
    assert guarded.reason_text(int(decision.guard_code[0]), int(decision.reason[0])) == (
        "n_consecutive: not confirmed by the last 2 suggestions"
    )


def test_resetting_one_account_forgets_its_guards_only():
    guarded = desk()
    guarded.decide(BUY, view(0.0))
    guarded.reset(np.array([1]))
    assert guarded.state.tolist() == [[EMPTY, 1.0], [EMPTY, EMPTY]]
    assert guarded.decide(BUY, view(0.0)).allowed.tolist() == [1.0, 0.0]


def test_a_restored_desk_decides_as_the_saved_one_would():
    guarded, other = desk(), desk()
    guarded.decide(BUY, view(0.0))
    other.restore(guarded.save())
    guarded.decide(HOLD, view(0.0))
    assert other.decide(BUY, view(0.0)).allowed.tolist() == [1.0, 1.0]


def test_a_state_of_another_shape_is_refused():
    with pytest.raises(DataError, match=r"saved guard state has shape \(3, 2\); \(2, 2\) is needed"):
        desk().restore(np.zeros((3, 2)))
