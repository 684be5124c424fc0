from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.params import Params
from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.chain import GUARD_FAILED, GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.guards.registry import GUARDS, guard, guard_chain
from seawall.guards.risk import without_new_risk

LEVELS = [-1.0, -0.5, 0.0, 0.5, 1.0]


class Answers:
    """A guard that answers what it is told, whatever it is asked, and counts how often."""

    may_block_exit = False
    reasons = ("because",)
    state_names = ("asked",)

    def __init__(self, allowed: float | None, name: str = "answers", reason: int = 1, may_block_exit: bool = False) -> None:
        self.allowed, self.name, self.reason, self.may_block_exit = allowed, name, reason, may_block_exit

    def initial_state(self, n: int) -> np.ndarray:
        return np.zeros((n, 1))

    def apply(self, current, proposed, context, state) -> GuardVerdict:
        allowed = proposed if self.allowed is None else np.full(len(proposed), self.allowed)
        return GuardVerdict(allowed, np.where(allowed != proposed, self.reason, 0).astype(np.int8), state + 1.0)


class Broken(Answers):
    def apply(self, current, proposed, context, state) -> GuardVerdict:
        raise ZeroDivisionError("no volatility")


def context(n: int, signal: int = 1) -> GuardContext:
    return GuardContext(np.full(n, signal, dtype=np.int8), np.zeros(n, dtype=np.int64), np.ones(n), np.ones(n))


def judged(chain: GuardChain, current: float, proposed: float):
    return chain.apply(np.array([current]), np.array([proposed]), context(1), chain.initial_state(1))


@pytest.mark.parametrize(
    ("current", "proposed", "allowed"),
    [(0.0, 1.0, 0.4), (1.0, -1.0, 0.0), (1.0, -1.0, -0.5), (0.5, 1.0, 0.5), (0.5, 1.0, 0.2), (-1.0, -0.5, -0.25), (1.0, 0.0, 0.0)],
)
def test_an_answer_between_the_proposal_and_the_current_exposure_or_zero_passes(current, proposed, allowed):
    assert judged(GuardChain([Answers(allowed)]), current, proposed).allowed.tolist() == [allowed]


@pytest.mark.parametrize(
    ("current", "proposed", "allowed"),
    [
        (0.0, 0.5, 1.0),
        (0.0, 0.5, -0.1),
        (0.5, 0.2, 0.6),
        (0.5, 0.2, -0.1),
        (0.0, 0.0, 0.1),
        (1.0, -0.5, -0.6),
        (0.0, 1.0, math.nan),
    ],
)
def test_an_answer_outside_those_bounds_stops_the_run(current, proposed, allowed):
    with pytest.raises(InvariantError, match=r"guard 'answers' turned proposal .* allowed: between the proposal"):
        judged(GuardChain([Answers(allowed, may_block_exit=True)]), current, proposed)


@pytest.mark.parametrize(("current", "proposed", "allowed"), [(1.0, 0.0, 1.0), (1.0, 0.0, 0.3), (-1.0, 1.0, -0.2), (1.0, 0.5, 0.6)])
def test_an_exit_is_blocked_only_by_a_guard_that_declares_it(current, proposed, allowed):
    with pytest.raises(InvariantError, match="unless it may block exits"):
        judged(GuardChain([Answers(allowed)]), current, proposed)
    declared = GuardChain([Answers(allowed, may_block_exit=True)])
    assert judged(declared, current, proposed).allowed.tolist() == [allowed]
    assert declared.may_block_exit


@pytest.mark.parametrize("reason", [0, 2, -1])
def test_a_change_without_a_known_reason_stops_the_run(reason):
    with pytest.raises(InvariantError, match=r"a change only with a reason, in 1\.\.1"):
        judged(GuardChain([Answers(0.0, reason=reason)]), 0.0, 1.0)


class Says(Answers):
    """A guard that gives each account an answer and a reason of its own."""

    def __init__(self, allowed: np.ndarray, reason: np.ndarray) -> None:
        super().__init__(None, "says")
        self.answers, self.why = allowed, reason

    def apply(self, current, proposed, context, state) -> GuardVerdict:
        return GuardVerdict(self.answers, self.why, state)


def test_of_several_broken_laws_the_first_law_is_told_with_the_first_account_that_breaks_it():
    current, proposed = np.array([0.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.5, 0.5])
    unexplained, kept, too_far = 0.5, 1.0, 1.0
    for answers, words in (
        ([unexplained, kept, too_far, too_far], "account 2; allowed: between"),
        ([unexplained, kept, 0.5, 0.5], "account 1; allowed: no more"),
        ([unexplained, 0.0, 0.0, 0.5], "account 0; allowed: a change"),
    ):
        chain = GuardChain([Says(np.array(answers), np.zeros(4, dtype=np.int8))])
        with pytest.raises(InvariantError, match=words):
            chain.apply(current, proposed, context(4), chain.initial_state(4))


def test_answers_of_other_layouts_and_types_are_heard():
    answers, why = np.array([[0.2, 9.0], [1.0, 9.0]])[:, 0], np.array([1, 0], dtype=np.int64)
    verdict = GuardChain([Says(answers, why)]).apply(np.zeros(2), np.ones(2), context(2), np.zeros((2, 1)))
    assert verdict.allowed.tolist() == [0.2, 1.0]
    assert (verdict.guard_code.tolist(), verdict.reason.tolist()) == ([1, 0], [1, 0])
    assert verdict.reason.dtype == np.int8


def test_the_last_guard_that_intervened_is_recorded():
    chain = GuardChain([Answers(0.5, "half"), Answers(0.2, "fifth"), Answers(None, "silent")])
    verdict = judged(chain, 0.0, 1.0)
    assert verdict.allowed.tolist() == [0.2]
    assert verdict.guard_code.tolist() == [2]
    assert chain.reason_text(2, int(verdict.reason[0])) == "fifth: because"
    assert chain.reason_text(0, 0) == ""


def test_the_states_of_all_guards_lie_side_by_side_under_their_names():
    chain = GuardChain([NConsecutive(), Answers(None, "silent")])
    assert chain.state_names == ("n_consecutive.signal_2_ago", "n_consecutive.signal_1_ago", "silent.asked")
    verdict = chain.apply(np.zeros(2), np.ones(2), context(2), chain.initial_state(2))
    assert verdict.state.tolist() == [[2.0, 1.0, 1.0]] * 2


@pytest.mark.parametrize(
    ("current", "proposed", "allowed"),
    [(0.0, 1.0, 0.0), (0.5, 1.0, 0.5), (1.0, 0.5, 0.5), (1.0, 0.0, 0.0), (1.0, -1.0, 0.0), (-0.5, -1.0, -0.5), (-1.0, 0.5, 0.0)],
)
def test_a_guard_that_fails_lets_risk_be_cut_but_not_added(capsys, current, proposed, allowed):
    chain = GuardChain([Broken(None, "volatility")])
    verdict = judged(chain, current, proposed)
    assert verdict.allowed.tolist() == [allowed]
    assert "guard 'volatility' failed (ZeroDivisionError: no volatility)" in capsys.readouterr().err
    assert verdict.guard_code.tolist() == [1]
    assert verdict.reason.tolist() == [GUARD_FAILED]
    assert chain.reason_text(1, GUARD_FAILED) == "volatility: guard failed: ZeroDivisionError: no volatility"


def test_a_guard_that_keeps_failing_warns_once(capsys):
    chain = GuardChain([Broken(None, "volatility")])
    for _ in range(3):
        judged(chain, 0.0, 1.0)
    assert capsys.readouterr().err.count("volatility") == 2  # the guard's name and its message, in one line


def test_a_state_of_another_shape_stops_the_run():
    class Grows(Answers):
        def apply(self, current, proposed, context, state) -> GuardVerdict:
            return GuardVerdict(proposed, np.zeros(len(proposed), dtype=np.int8), np.zeros((len(proposed), 2)))

    with pytest.raises(InvariantError, match=r"returned a state of shape \(1, 2\); allowed: \(1, 1\)"):
        judged(GuardChain([Grows(None)]), 0.0, 1.0)


def test_an_empty_chain_changes_nothing():
    chain = guard_chain([])
    verdict = chain.apply(np.zeros(2), np.ones(2), context(2), chain.initial_state(2))
    assert verdict.allowed.tolist() == [1.0, 1.0]
    assert verdict.state.shape == (2, 0)


def test_two_guards_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="guards with different names"):
        GuardChain([NConsecutive(), NConsecutive()])


def test_the_registry_builds_each_guard_under_its_own_name():
    for name, entry in GUARDS.items():
        needed = {"bundle": "runs/smurf"} if name == "smurf" else {}
        assert guard(name, entry.params(**needed)).name == name


def test_an_unknown_guard_and_the_settings_of_another_are_refused():
    with pytest.raises(ConfigError, match=r"guard 'luck' is unknown; allowed: .*'n_consecutive'"):
        guard("luck", NConsecutiveParams())
    with pytest.raises(ConfigError, match="was given Params; allowed: NConsecutiveParams"):
        guard("n_consecutive", Params())


@given(current=st.sampled_from(LEVELS), proposed=st.sampled_from(LEVELS))
def test_failing_safe_never_adds_risk_nor_blocks_an_exit(current, proposed):
    allowed = float(without_new_risk(np.array([current]), np.array([proposed]))[0])
    assert abs(allowed) <= min(abs(current), abs(proposed))
    assert allowed * current >= 0.0
    if proposed * current > 0.0 and abs(proposed) <= abs(current):
        assert allowed == proposed


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 5))
def test_a_chain_over_a_batch_equals_single_runs(seed, n):
    rng = np.random.default_rng(seed)
    chain = guard_chain([("n_consecutive", NConsecutiveParams(n=2, record="executed"))])
    current, proposed = rng.choice(LEVELS, (2, n))
    signal = rng.integers(-1, 2, n).astype(np.int8)
    state = rng.integers(-1, 3, (n, 2)).astype(np.float64)
    market = GuardContext(signal, np.zeros(n, dtype=np.int64), np.ones(n), np.ones(n))
    together = chain.apply(current, proposed, market, state)
    for i in range(n):
        one = GuardContext(signal[[i]], np.zeros(1, dtype=np.int64), np.ones(1), np.ones(1))
        alone = chain.apply(current[[i]], proposed[[i]], one, state[[i]])
        assert alone.allowed.tolist() == [together.allowed[i]]
        assert alone.guard_code.tolist() == [together.guard_code[i]]
        assert alone.state.tolist() == [together.state[i].tolist()]
