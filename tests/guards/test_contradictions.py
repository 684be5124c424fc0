from __future__ import annotations

import numpy as np
import pytest

from guards.guard_worlds import FACTS, every_guard, made, questions
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.params import Params
from seawall.core.protocols import GuardDeclaration, GuardVerdict
from seawall.guards.chain import GUARD_FAILED, GuardChain
from seawall.guards.registry import GUARDS, guard_chain

DAY = {"start": "09:00", "end": "17:00"}


def chain(**guards: dict[str, object]) -> GuardChain:
    return guard_chain([(name, GUARDS[name].params(**settings)) for name, settings in guards.items()], FACTS)


@pytest.mark.parametrize(
    ("guards", "words"),
    [
        ({"max_exposure": {"limit": 0.4}, "volatility_target": {"floor": 0.5}}, "the floor 0.5 is above .* 0.4"),
        ({"max_exposure": {"limit": 0.05}, "kelly_cap": {}}, "the floor 0.1 is above .* 0.05"),
        (
            {"max_exposure": {"limit": 0.5}, "max_drawdown": {"cooldown_bars": 5, "resume_exposure": 0.5}},
            "resume_exposure 0.5 is to be a smaller size",
        ),
        (
            {"min_hold": {"bars": 8}, "session": {"windows": [DAY], "outside": "flat"}},
            "held for 8 bars, and is closed at the end of a session of 8",
        ),
    ],
)
def test_guards_that_contradict_each_other_are_refused_by_name(guards, words):
    with pytest.raises(ConfigError, match=rf"guards '\w+' and '\w+' contradict each other: .*{words}") as refused:
        chain(**guards)
    assert all(f"'{name}'" in str(refused.value) for name in guards)


@pytest.mark.parametrize(
    "guards",
    [
        {"max_exposure": {"limit": 0.5}, "volatility_target": {"floor": 0.5}},
        {"max_exposure": {"limit": 0.5}, "max_drawdown": {"resume_exposure": 0.5}},
        {"min_hold": {"bars": 7}, "session": {"windows": [DAY], "outside": "flat"}},
        {"min_hold": {"bars": 80}, "session": {"windows": [DAY]}},
        {"stop_loss": {"distance": 0.5}, "max_drawdown": {"limit": 0.1}},
    ],
)
def test_guards_that_can_both_be_obeyed_pass(guards):
    assert len(chain(**guards).guards) == 2


def test_a_session_that_leaves_no_bar_is_refused():
    with pytest.raises(ConfigError, match="'session' leaves no bar of 1h"):
        chain(session={"windows": [{"start": "09:10", "end": "09:50"}]})
    with pytest.raises(ConfigError, match="'session' leaves no bar of 1h"):
        chain(session={"windows": [{"start": "09:00", "end": "10:00"}], "outside": "flat"})


def test_a_guard_that_may_hold_an_exit_back_is_refused_after_a_stop():
    with pytest.raises(ConfigError, match="guard 'min_hold' may block an exit and comes after 'max_drawdown'"):
        chain(max_drawdown={}, min_hold={})


class Failing:
    """A guard that raises."""

    name, may_block_exit, reasons, state_names = "failing", False, (), ("kept",)

    def __init__(self, on_failure: str) -> None:
        self.declares = GuardDeclaration(on_failure=on_failure)  # pyright: ignore[reportArgumentType]

    def initial_state(self, n: int) -> np.ndarray:
        return np.full((n, 1), 7.0)

    def apply(self, current, proposed, context, state) -> GuardVerdict:
        raise ZeroDivisionError("no volatility")


def test_a_guard_that_fails_holds_makes_flat_or_halts_as_its_settings_say(capsys):
    asked = questions(0, 1)[0]
    answers = {}
    for policy in ("hold", "flat"):
        failing = GuardChain([Failing(policy)])
        verdict = failing.apply(np.array([0.5]), np.array([1.0]), asked.context, failing.initial_state(1))
        answers[policy] = verdict.allowed.tolist()
        assert verdict.reason.tolist() == [GUARD_FAILED]
        assert verdict.state.tolist() == [[7.0]]
        assert failing.reason_text(1, GUARD_FAILED) == "failing: guard failed: ZeroDivisionError: no volatility"
    assert answers == {"hold": [0.5], "flat": [0.0]}
    assert "no exposure is held while it fails" in capsys.readouterr().err
    halting = GuardChain([Failing("halt")])
    with pytest.raises(InvariantError, match=r"guard 'failing' failed \(ZeroDivisionError: no volatility\).*halt"):
        halting.apply(np.array([0.5]), np.array([1.0]), asked.context, halting.initial_state(1))


@pytest.mark.parametrize(("name", "options"), every_guard())
def test_every_guard_takes_what_happens_where_it_fails_from_its_settings(name, options):
    for policy in ("hold", "flat", "halt"):
        assert made(name, {**options, "on_failure": policy}).declares.on_failure == policy
    with pytest.raises(ValueError, match="on_failure"):
        GUARDS[name].params(**options, on_failure="panic")


def test_settings_of_guards_are_parts_settings():
    assert all(issubclass(entry.params, Params) for entry in GUARDS.values())
