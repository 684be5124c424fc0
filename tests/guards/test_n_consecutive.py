from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seawall.core.protocols import Guard, GuardContext
from seawall.guards.n_consecutive import EMPTY, NConsecutive, NConsecutiveParams

LETTERS = {"A": 1, "B": -1, "H": 0}


def context(signals: np.ndarray) -> GuardContext:
    n = len(signals)
    return GuardContext(signals.astype(np.int8), np.zeros(n, dtype=np.int64), np.ones(n), np.ones(n))


def played(guard: NConsecutive, signals: np.ndarray) -> np.ndarray:
    """Whether each signal was held; signals (T, N). The proposal (0.5) and the exposure in force (0.25) always differ."""
    state = guard.initial_state(signals.shape[1])
    held = []
    for now in signals:
        verdict = guard.apply(np.full(len(now), 0.25), np.full(len(now), 0.5), context(now), state)
        held.append(verdict.allowed == 0.25)
        state = verdict.state
    return np.array(held)


def executed(suggestions: str, **settings: object) -> str:
    signals = np.array([[LETTERS[letter]] for letter in suggestions])
    held = played(NConsecutive(NConsecutiveParams(**settings)), signals)[:, 0]
    return "".join("H" if stopped else letter for letter, stopped in zip(suggestions, held, strict=True))


@pytest.mark.parametrize(
    ("suggested", "done"),
    [
        ("AAAAAA", "AAHHHH"),  # the record of suggestions stays full of A
        ("AABAAB", "AABAAB"),
        ("AAAHAAA", "AAHHAAH"),  # a suggested HOLD breaks the record
        ("ABABAB", "ABABAB"),
        ("BBBAAA", "BBHAAH"),
        ("HHHH", "HHHH"),
    ],
)
def test_veto_repeat_holds_an_action_that_equals_all_of_the_last_two(suggested, done):
    assert executed(suggested) == done


def test_veto_repeat_recording_what_was_executed_lets_every_third_pass_again():
    assert executed("AAAAAAAA", record="executed") == "AAHAAHAA"


def test_veto_repeat_of_one_holds_every_repetition():
    assert executed("AABBA", n=1) == "AHBHA"


@pytest.mark.parametrize(
    ("suggested", "done"),
    [("AAAA", "HAAA"), ("ABAB", "HHHH"), ("AABB", "HAHB"), ("AHAA", "HHHA"), ("HHAA", "HHHA")],
)
def test_confirm_executes_only_what_the_last_two_suggestions_agree_on(suggested, done):
    assert executed(suggested, mode="confirm") == done


def test_confirm_of_three_holds_the_first_two_suggestions():
    assert executed("AAAAA", mode="confirm", n=3) == "HHAAA"


def test_confirm_of_one_changes_nothing():
    assert executed("ABAAB", mode="confirm", n=1) == "ABAAB"


def test_an_empty_record_is_no_signal():
    assert NConsecutive().initial_state(2).tolist() == [[EMPTY, EMPTY]] * 2
    assert EMPTY not in (-1.0, 0.0, 1.0)


def test_a_vetoed_signal_is_recorded_also_where_its_exposure_is_in_force_already():
    guard = NConsecutive()
    state = np.array([[1.0, 1.0]])
    verdict = guard.apply(np.array([1.0]), np.array([1.0]), context(np.array([1])), state)
    assert verdict.reason.tolist() == [1]
    assert verdict.allowed.tolist() == [1.0]


@pytest.mark.parametrize("mode", ["veto_repeat", "confirm"])
def test_hold_is_never_altered(mode):
    guard = NConsecutive(NConsecutiveParams(mode=mode))
    for record in ([0.0, 0.0], [1.0, -1.0]):
        verdict = guard.apply(np.array([1.0]), np.array([0.5]), context(np.array([0])), np.array([record]))
        assert verdict.allowed.tolist() == [0.5]  # a guard before this one has cut the exposure; that stands


def test_it_declares_that_it_may_block_an_exit():
    assert NConsecutive().may_block_exit
    assert isinstance(NConsecutive(), Guard)


def test_confirming_what_was_executed_is_refused():
    with pytest.raises(ValidationError, match="would hold for ever"):
        NConsecutiveParams(mode="confirm", record="executed")


settings = st.one_of(
    st.builds(NConsecutiveParams, n=st.integers(1, 4), record=st.sampled_from(["suggested", "executed"])),
    st.builds(NConsecutiveParams, n=st.integers(1, 4), mode=st.just("confirm")),
)


@given(params=settings, seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
def test_a_batch_equals_single_runs(params, seed, n):
    signals = np.random.default_rng(seed).integers(-1, 2, (12, n))
    guard = NConsecutive(params)
    together = played(guard, signals)
    alone = np.concatenate([played(guard, signals[:, [column]]) for column in range(n)], axis=1)
    assert together.tolist() == alone.tolist()


@given(params=settings, seed=st.integers(0, 2**32 - 1))
def test_judging_changes_no_argument_and_leaves_nothing_behind(params, seed):
    signals = np.random.default_rng(seed).integers(-1, 2, (10, 3))
    guard = NConsecutive(params)
    state = guard.initial_state(3)
    before = state.copy()
    guard.apply(np.zeros(3), np.ones(3), context(signals[0]), state)
    assert state.tolist() == before.tolist()
    assert played(guard, signals).tolist() == played(guard, signals).tolist()
