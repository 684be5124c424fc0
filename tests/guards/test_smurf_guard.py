"""The Smurf as a guard: its HOLD holds, its trades pass, and it sees the account as the simulator would show it."""

from dataclasses import replace

import numpy as np
import pytest
from guard_worlds import market, questions
from pydantic import ValidationError

from seawall.core.errors import ConfigError
from seawall.core.past import PastBars
from seawall.guards.chain import GUARD_FAILED, GuardChain
from seawall.guards.n_consecutive import NConsecutive
from seawall.guards.smurf import UNKNOWN, Smurf, SmurfParams, Supervisor, account_rows
from seawall.simulator.accounts import ACCOUNT_FEATURES
from seawall.simulator.actions.registry import SellBuyHold, action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.simulator import Simulator

SELL, BUY, HOLD = SellBuyHold.SELL, SellBuyHold.BUY, SellBuyHold.HOLD
TOLD = tuple(name for name in ACCOUNT_FEATURES if name not in UNKNOWN)


class Says:
    """A policy that says what it is told to, and keeps what it was shown."""

    def __init__(self, *actions):
        self.actions, self.seen = np.array(actions), None

    def act(self, observation, *, deterministic=True):
        self.seen = observation
        return self.actions, {}


def smurf(policy, scheme="sell_buy_hold", columns=("exposure",), **settings):
    return Smurf(SmurfParams(bundle="made", **settings), Supervisor(policy, action_scheme(scheme, True), columns, 1))


def judged(guard, current, proposed, signal):
    asked = questions(0, len(current))[0].context
    context = replace(asked, signal=np.array(signal, dtype=np.int8))
    verdict = GuardChain([guard]).apply(np.array(current), np.array(proposed), context, np.zeros((len(current), 0)))
    return verdict.allowed.tolist(), verdict.reason.tolist()


# What the Smurf says, what is held, what the main agent asks for with which signal, and what is allowed.
TRUTH = [
    (HOLD, 0.0, 1.0, 1, 0.0, 1),
    (HOLD, 1.0, -1.0, -1, 1.0, 1),
    (HOLD, 1.0, 0.0, -1, 1.0, 1),
    (HOLD, 1.0, 1.0, 1, 1.0, 1),
    (HOLD, 1.0, 1.0, 0, 1.0, 0),
    (BUY, 0.0, 1.0, 1, 1.0, 0),
    (BUY, 0.0, -1.0, -1, -1.0, 0),
    (SELL, 1.0, 1.0, 0, 1.0, 0),
    (SELL, 0.0, 1.0, 1, 1.0, 0),
]


def test_a_hold_of_the_smurf_holds_and_anything_else_passes_what_the_agent_asks():
    said, current, proposed, signal, allowed, reason = zip(*TRUTH, strict=True)
    assert judged(smurf(Says(*said)), current, proposed, signal) == (list(allowed), list(reason))


def test_with_exits_exempt_what_cuts_risk_passes_and_a_held_reversal_becomes_flat():
    guard = smurf(Says(*[HOLD] * 5), exits_exempt=True)
    current, proposed = [1.0, 1.0, 0.0, 1.0, -1.0], [-1.0, 0.5, 1.0, 1.0, 0.0]
    assert judged(guard, current, proposed, [-1, -1, 1, 1, 1]) == ([0.0, 0.5, 0.0, 1.0, 0.0], [1] * 5)
    assert not guard.may_block_exit
    assert smurf(Says()).may_block_exit


@pytest.mark.parametrize(("scheme", "hold"), [("buy_sell_hold", 2), ("hold_long_short_close", 0), ("target_exposure", 1)])
def test_what_holds_is_read_by_the_smurfs_own_numbering(scheme, hold):
    # Of target exposures, the one in force: FLAT when flat.
    others = [action for action in range(3) if action != hold]
    assert judged(smurf(Says(hold, *others), scheme), [0.0] * 3, [1.0] * 3, [1] * 3)[0] == [0.0, 1.0, 1.0]


def test_the_smurf_sees_the_row_that_has_closed_and_the_account_as_the_simulator_shows_it():
    bars, rng, n = market(3), np.random.default_rng(0), 64
    accounts = Simulator(bars, n, CostParams(taker_bps=20.0))
    rows = rng.integers(0, 30, n)
    accounts.reset(np.arange(n), rows, rows + 25, rng.choice([-1.0, 0.0, 1.0], n))
    for _ in range(12):
        accounts.step(np.where(rng.random(n) < 0.3, rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], n), accounts.target))
        view = accounts.view()
        context = replace(
            questions(0, n)[0].context,
            equity=view.equity,
            peak_equity=view.peak_equity,
            past=PastBars(bars, view.row),
            holding=view.holding,
        )
        policy = Says(*[HOLD] * n)
        smurf(policy, columns=TOLD).apply(view.target, view.target, context, np.zeros((n, 0)))
        np.testing.assert_array_equal(policy.seen.account, accounts.account_rows(TOLD))
        np.testing.assert_array_equal(policy.seen.rows, accounts.row)
        assert policy.seen.market is bars
    assert len(np.unique(account_rows(("held_bars",), view.target, context))) > 5


@pytest.mark.parametrize("name", [*UNKNOWN, "n_consecutive.signal_1_ago"])
def test_a_smurf_that_sees_what_no_guard_is_told_is_refused(name):
    with pytest.raises(ConfigError, match=f"the Smurf sees {name} of an account, which no guard is told; allowed: exposure"):
        smurf(Says(), columns=("exposure", name))


def test_a_smurf_without_its_supervisor_or_that_fails_lets_no_new_risk_in():
    guard = Smurf(SmurfParams(bundle="nowhere"))
    assert judged(guard, [0.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1, -1, -1]) == ([0.0, 0.0, 0.0], [GUARD_FAILED] * 3)


def test_a_smurf_needs_a_name_and_comes_before_what_always_gets_out():
    with pytest.raises(ValidationError, match="at least 1 character"):
        SmurfParams(bundle="")
    chain = GuardChain([smurf(Says()), NConsecutive()])
    assert chain.may_block_exit
    assert chain.state_names == ("n_consecutive.signal_2_ago", "n_consecutive.signal_1_ago")
