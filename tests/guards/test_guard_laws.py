"""What holds for every registered guard and every chain of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guards.guard_worlds import FACTS, SETTINGS, Asked, every_guard, made, market, questions
from seawall.core.protocols import Guard
from seawall.guards.chain import GuardChain, check_law
from seawall.guards.failure import declaration_of
from seawall.guards.registry import GUARDS

SEEDS = st.integers(0, 2**16)
EVERY = pytest.mark.parametrize(("name", "options"), every_guard())
FEW = settings(max_examples=4, deadline=None)


def walked(judge, initial: np.ndarray, asked: Sequence[Asked]):
    """Verdicts of a guard or a chain over a walk, and the states that it left."""
    state, verdicts = initial, []
    for question in asked:
        verdict = judge.apply(question.current, question.proposed, question.context, state)
        state = verdict.state
        verdicts.append(verdict)
    return verdicts


def in_order(guards: Sequence[Guard]) -> list[Guard]:
    return sorted(guards, key=lambda each: not each.may_block_exit)


chosen = st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=6, unique=True)


def chain_of(names: Sequence[str], pick: int) -> GuardChain:
    return GuardChain(in_order([made(name, SETTINGS[name][pick % len(SETTINGS[name])]) for name in names]))


def test_every_registered_guard_stands_in_these_laws():
    assert set(SETTINGS) == set(GUARDS) - {"smurf"}  # which needs a trained supervisor, and has tests of its own


@EVERY
@FEW
@given(seed=SEEDS)
def test_every_answer_keeps_the_law_of_the_chain(name, options, seed):
    guard = made(name, options)
    asked = questions(seed, 6)
    for question, verdict in zip(asked, walked(guard, guard.initial_state(6), asked), strict=True):
        check_law(guard, question.current, question.proposed, verdict)
        assert np.isfinite(verdict.state).all()


@EVERY
def test_each_of_these_settings_intervenes(name, options):
    if (name, options) == ("kill_switch", {}):
        pytest.skip("it waits for a file; its own tests throw it")
    asked = [questions(seed, 20) for seed in range(5)]
    guard = made(name, options)
    times = sum(int((verdict.reason != 0).sum()) for each in asked for verdict in walked(guard, guard.initial_state(20), each))
    assert times > 0


@EVERY
@FEW
@given(seed=SEEDS)
def test_a_vetoed_reversal_becomes_flat_unless_an_exit_may_be_blocked(name, options, seed):
    guard = made(name, options)
    asked = questions(seed, 6)
    for question, verdict in zip(asked, walked(guard, guard.initial_state(6), asked), strict=True):
        refused = (question.current * question.proposed < 0.0) & (verdict.allowed * question.proposed <= 0.0)
        held = verdict.allowed[refused]
        assert (held == 0.0).all() or (guard.may_block_exit and np.isin(held, [0.0, *question.current[refused]]).all())


@EVERY
@FEW
@given(seed=SEEDS, n=st.integers(2, 5))
def test_a_batch_equals_singles_bit_for_bit(name, options, seed, n):
    guard = made(name, options)
    asked = questions(seed, n)
    together = walked(guard, guard.initial_state(n), asked)
    for i in range(n):
        alone = walked(guard, guard.initial_state(1), [question.of(np.array([i])) for question in asked])
        for one, batch in zip(alone, together, strict=True):
            assert one.allowed.tobytes() == batch.allowed[[i]].tobytes()
            assert one.state.tobytes() == batch.state[[i]].tobytes()
            assert one.reason[0] == batch.reason[i]


@EVERY
@FEW
@given(seed=SEEDS)
def test_an_object_remembers_nothing_from_one_episode_to_the_next(name, options, seed):
    guard, asked = made(name, options), questions(seed, 4)
    first = walked(guard, guard.initial_state(4), asked)
    walked(guard, guard.initial_state(4), questions(seed + 1, 4))
    again = walked(guard, guard.initial_state(4), asked)
    assert [verdict.allowed.tolist() for verdict in first] == [verdict.allowed.tolist() for verdict in again]
    assert [verdict.state.tolist() for verdict in first] == [verdict.state.tolist() for verdict in again]


@EVERY
@FEW
@given(seed=SEEDS, stop=st.integers(1, 15))
def test_a_walk_goes_on_from_a_saved_state_as_if_it_had_not_stopped(name, options, seed, stop):
    asked = questions(seed, 3)
    guard = made(name, options)
    whole = walked(guard, guard.initial_state(3), asked)
    saved = np.array(whole[stop - 1].state.tolist())  # through plain numbers, as a journal keeps them
    rest = walked(made(name, options), saved.reshape(whole[0].state.shape), asked[stop:])
    assert [verdict.allowed.tolist() for verdict in rest] == [verdict.allowed.tolist() for verdict in whole[stop:]]


@EVERY
@FEW
@given(seed=SEEDS)
def test_the_future_changes_nothing(name, options, seed):
    """Bars after the one just closed may be anything."""
    asked = questions(seed, 4)
    guard = made(name, options)
    known = walked(guard, guard.initial_state(4), asked)
    poisoned = questions(seed, 4)
    for question, verdict, bar in zip(poisoned, known, range(len(poisoned)), strict=True):
        told, rows = question.context.past._market, question.context.past._rows
        assert told is poisoned[0].context.past._market
        prices, features, times = told.prices.copy(), told.features.copy(), told.timestamps.copy()
        for i, row in enumerate(rows):
            told.prices[row + 1 :], told.features[row + 1 :], told.timestamps[row + 1 :] = np.nan, np.nan, -5
            state = guard.initial_state(4) if bar == 0 else known[bar - 1].state
            one = question.of(np.array([i]))
            alone = guard.apply(one.current, one.proposed, one.context, state[[i]])
            assert alone.allowed.tolist() == [verdict.allowed[i]]
            told.prices[:], told.features[:], told.timestamps[:] = prices, features, times


@settings(max_examples=15, deadline=None)
@given(names=chosen, pick=st.integers(0, 3), seed=SEEDS)
def test_a_random_chain_keeps_the_law_as_a_whole(names, pick, seed):
    chain, asked = chain_of(names, pick), questions(seed, 5)
    for question, verdict in zip(asked, walked(chain, chain.initial_state(5), asked), strict=True):
        current, proposed, allowed = question.current, question.proposed, verdict.allowed
        lowest = np.minimum(np.minimum(current, proposed), 0.0)
        highest = np.maximum(np.maximum(current, proposed), 0.0)
        assert ((allowed >= lowest) & (allowed <= highest)).all()
        assert (np.abs(allowed) <= np.maximum(np.abs(current), np.abs(proposed))).all()
        if not chain.may_block_exit:
            side = np.sign(current)
            assert (allowed * side <= np.maximum(proposed * side, 0.0)).all()


commuting = st.lists(
    st.sampled_from([(name, options) for name, options in every_guard() if declaration_of(made(name, options)).commutes]),
    min_size=2,
    max_size=5,
    unique_by=lambda each: each[0],
)


@settings(max_examples=15, deadline=None)
@given(picked=commuting, seed=SEEDS, order=st.randoms(use_true_random=False))
def test_guards_that_declare_it_may_change_places(picked, seed, order):
    mixed = list(picked)
    order.shuffle(mixed)
    chains = [GuardChain([made(name, options) for name, options in each]) for each in (picked, mixed)]
    assert all(chain.commutes for chain in chains)
    asked = questions(seed, 4)
    one, other = (walked(chain, chain.initial_state(4), asked) for chain in chains)
    place = [chains[1].state_names.index(column) for column in chains[0].state_names]
    for left, right in zip(one, other, strict=True):
        assert left.allowed.tolist() == right.allowed.tolist()
        assert left.state.tolist() == right.state[:, place].tolist()


def test_most_guards_may_change_places_and_those_that_hold_exits_may_not():
    by_name = {name: declaration_of(made(name)).commutes for name in SETTINGS}
    assert {name for name, commutes in by_name.items() if not commutes} == {"n_consecutive", "min_hold"}


@settings(max_examples=8, deadline=None)
@given(names=chosen, seed=SEEDS)
def test_the_kill_switch_at_the_end_gets_out_whatever_stands_before_it(names, seed):
    before = [made(name, SETTINGS[name][0]) for name in names if name != "kill_switch"]
    chain = GuardChain([*in_order(before), made("kill_switch", {"engaged": True})])
    for verdict in walked(chain, chain.initial_state(4), questions(seed, 4)):
        assert verdict.allowed.tolist() == [0.0] * 4


def test_no_guard_shows_a_policy_prices_times_or_money():
    asked = questions(3, 8)
    chain = GuardChain(in_order([made(name, SETTINGS[name][-1]) for name in SETTINGS]))
    shown = [chain.state_names.index(name) for name in chain.shown_names]
    for verdict in walked(chain, chain.initial_state(8), asked):
        assert np.abs(verdict.state[:, shown]).max() <= 2.0


def test_guards_read_no_more_bars_than_they_declare():
    """Live keeps as many rows as the guards declare; more must not be needed."""
    asked = questions(5, 6)
    for name, options in every_guard():
        guard = made(name, options)
        lookback = max(declaration_of(guard).lookback, 1)
        whole = walked(guard, guard.initial_state(6), asked)
        for bar, question in enumerate(asked):
            told, rows = question.context.past._market, question.context.past._rows
            prices, times = told.prices.copy(), told.timestamps.copy()
            for i, row in enumerate(rows):
                if row - lookback + 1 < (0 if row < 60 else 60):
                    continue
                # The bar before that is still there for its time, as live keeps three rows at least.
                cut = max(0, row - max(lookback, 3) + 1)
                told.prices[:cut] = np.nan
                one = question.of(np.array([i]))
                state = guard.initial_state(6) if bar == 0 else whole[bar - 1].state
                assert guard.apply(one.current, one.proposed, one.context, state[[i]]).allowed.tolist() == [whole[bar].allowed[i]]
                told.prices[:], told.timestamps[:] = prices, times


def test_the_world_of_these_laws_is_one_of_two_series():
    assert market(0).feature_names == FACTS.feature_names
    assert market(0).starts == (0, 60, 120)
