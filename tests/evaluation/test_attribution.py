import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.worlds import exposures_ledger, market_of, random_market, straight
from seawall.core.market import RowRange
from seawall.evaluation.attribution import Surroundings, attribution
from seawall.evaluation.attribution_figures import (
    attribution_figures,
    cost_parts_figure,
    guard_effect_figure,
    hour_figure,
    regime_figure,
    session_figure,
    side_figure,
    weekday_figure,
)
from seawall.evaluation.attribution_words import source_words
from seawall.evaluation.stress import Replay
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

COSTS = CostParams(taker_bps=10.0, spread_bps=2.0)
GROUPS = ("by_side", "by_hour", "by_weekday", "by_session", "by_regime", "by_cost")


def guarded(ledger, proposals, guard="careful"):
    """The same ledger, as if a guard had turned these proposals into what was allowed."""
    frame = ledger.frame.copy()
    frame["proposed"] = np.asarray(proposals, dtype=np.float64)
    changed = frame["proposed"] != frame["allowed"]
    frame["guard"], frame["reason"] = np.where(changed, guard, ""), np.where(changed, "not now", "")
    return type(ledger)(frame, ledger.initial_equity, ledger.timestamps_ms)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=2, max_size=80), st.integers(0, 10_000), st.sampled_from([0.01, 0.2]))
def test_every_grouping_adds_up_to_the_change_of_equity(levels, seed, volatility):
    ledger = exposures_ledger(random_market(seed, len(levels) + 1, volatility), levels, COSTS)
    found = attribution(ledger)
    change = ledger.equity_curve()[-1] - ledger.initial_equity
    assert found["total"]["net"] == pytest.approx(change, abs=1e-6)
    for key in GROUPS:
        assert sum(group["net"] for group in found[key]) == pytest.approx(change, abs=1e-6), key
    for key in ("by_hour", "by_weekday", "by_session", "by_regime"):
        assert sum(group["bars"] for group in found[key]) == len(ledger.frame)
        assert sum(group["trades"] for group in found[key]) == found["total"]["trades"]


def test_a_gain_belongs_to_the_hour_and_weekday_in_which_it_was_earned():
    # The first bar opens on Tuesday 2023-11-14 at 22:13 UTC. Long from its close: the next bar, 23:13, gains 10 %, and the one of
    # Wednesday 00:13 loses what it gained.
    found = attribution(exposures_ledger(straight(100.0, 110.0, 100.0), [1, 1]))
    assert [(group["name"], round(group["net"], 6)) for group in found["by_hour"]] == [("00", -1_000.0), ("23", 1_000.0)]
    assert [(group["name"], round(group["net"], 6)) for group in found["by_weekday"]] == [("tue", 1_000.0), ("wed", -1_000.0)]
    # Tokyo opens at 00:00 UTC on Wednesday, so the first bar lies outside of all sessions.
    assert [(group["name"], round(group["net"], 6)) for group in found["by_session"]] == [("asia", -1_000.0), ("outside", 1_000.0)]


def test_a_long_and_a_short_trade_have_their_own_sides():
    found = attribution(exposures_ledger(straight(100.0, 110.0, 99.0), [1, -1]))
    long, short = found["by_side"]
    assert (long["net"], long["trades"], long["won"]) == (pytest.approx(1_000.0), 1, 1)
    assert (short["net"], short["trades"], short["won"]) == (pytest.approx(1_100.0), 1, 1)


def test_the_parts_of_costs_are_those_of_the_ledger():
    ledger = exposures_ledger(straight(100.0, 100.0, 100.0), [1, 0], COSTS)
    parts = {part["name"]: part["net"] for part in attribution(ledger)["by_cost"]}
    assert parts["fee"] == pytest.approx(-ledger.column("fee").sum())
    assert parts["fee"] / parts["spread"] == pytest.approx(10.0)
    assert parts["price"] == pytest.approx(0.0)


def test_bars_before_the_span_give_its_first_bars_a_regime():
    world = random_market(3, 400)
    ledger = exposures_ledger(world, [1] * 399)
    alone = {group["name"]: group["bars"] for group in attribution(ledger)["by_regime"]}
    earlier = random_market(4, 300).prices[:, 3]
    joined = {group["name"]: group["bars"] for group in attribution(ledger, Surroundings(closes_before=earlier))["by_regime"]}
    assert alone["unknown"] == 191
    assert "unknown" not in joined


def test_a_veto_that_missed_a_gain_cost_it_and_one_that_missed_a_loss_saved_it():
    # Flat instead of long for one bar of +10 %, then for one of -10 %; nothing was traded, so nothing was paid.
    world = straight(100.0, 110.0, 99.0)
    ledger = guarded(exposures_ledger(world, [0, 0]), [1.0, 1.0])
    found = attribution(ledger, Surroundings(prices=world.prices))["guards"]
    assert found["effect"] == pytest.approx(-0.1 + 0.1)
    assert (found["saved"], found["cost"]) == (pytest.approx(0.1), pytest.approx(-0.1))
    assert [place["effect"] for place in found["places"]] == [pytest.approx(-0.1), pytest.approx(0.1)]
    assert found["by_reason"][0]["count"] == 2
    assert found["by_reason"][0]["first"].startswith("2023-11-14T22:13")


def test_a_gap_is_earned_by_what_was_held_before_it():
    # Both bars jump 10 % at their open and stay there; the policy was long from the first close on, which the guard refused.
    prices = np.array([[level] * 4 + [1.0] for level in (100.0, 110.0, 121.0)])
    ledger = guarded(exposures_ledger(market_of(prices), [0, 0]), [1.0, 1.0])
    found = attribution(ledger, Surroundings(prices=prices))["guards"]
    assert [place["effect"] for place in found["places"]] == [pytest.approx(0.0), pytest.approx(-0.1)]


def test_what_a_veto_does_not_trade_it_saves():
    # The policy flips at a price that does not move; the guard lets it buy once. One change of 1 is paid instead of five.
    world = straight(*[100.0] * 6)
    ledger = guarded(exposures_ledger(world, [1, 1, 1, 1, 1], COSTS), [1.0, 0.0, 1.0, 0.0, 1.0])
    found = attribution(ledger, Surroundings(prices=world.prices))["guards"]
    rate = 11e-4
    assert found["turnover"] == pytest.approx(4.0 * rate)
    assert found["price"] == pytest.approx(0.0)


def test_an_effect_after_a_veto_belongs_to_it_and_the_reasons_add_up():
    rng = np.random.default_rng(5)
    levels, proposals = rng.integers(-1, 2, 200), rng.integers(-1, 2, 200)
    world = random_market(6, 201)
    ledger = guarded(exposures_ledger(world, levels.tolist(), COSTS), proposals)
    frame = ledger.frame.assign(guard=np.where(ledger.frame["guard"] != "", np.where(rng.random(200) < 0.5, "a", "b"), ""))
    two = type(ledger)(frame, ledger.initial_equity, ledger.timestamps_ms)
    found = attribution(two, Surroundings(prices=world.prices))["guards"]
    first = int(np.flatnonzero(levels != proposals)[0])
    assert first == 0 or (levels[:first] == proposals[:first]).all()
    assert {part["guard"] for part in found["by_reason"]} == {"a", "b"}
    assert sum(part["effect"] for part in found["by_reason"]) == pytest.approx(found["effect"])


def test_the_replay_of_proposals_is_what_they_would_have_earned():
    world = random_market(7, 60)
    levels = np.random.default_rng(8).integers(-1, 2, 59).tolist()
    free = exposures_ledger(world, levels, COSTS)
    held_back = guarded(exposures_ledger(world, [0] * 59, COSTS), levels)
    replay = Replay(world, RowRange(0, 60), COSTS, SimulatorParams())
    found = attribution(held_back, Surroundings(prices=world.prices, replay=replay))["guards"]
    assert found["guarded_return"] == 0.0
    assert found["unguarded_return"] == pytest.approx(free.equity_curve()[-1] / free.initial_equity - 1.0)


def test_without_prices_the_effect_is_undefined_and_says_why():
    found = attribution(exposures_ledger(straight(100.0, 101.0, 102.0), [1, 1]))["guards"]
    assert found["effect"] is None
    assert found["undefined"] == {"effect": "the prices of the bars were not given", "unguarded_return": "no replay was given"}


@pytest.mark.parametrize("levels", [[0], [1], [0, 0, 0]])
def test_few_bars_and_no_trade_give_plain_numbers(levels):
    flat = market_of(np.full((len(levels) + 1, 5), 100.0))
    found = attribution(exposures_ledger(flat, levels), Surroundings(prices=flat.prices))
    assert json.loads(json.dumps(found, allow_nan=False))["total"]["net"] == 0.0


def test_an_account_that_held_nothing_is_said_to_and_has_no_figures():
    calm, moving = random_market(4, 30), random_market(4, 30)
    idle, once = (
        attribution(exposures_ledger(world, levels, COSTS)) for world, levels in ((calm, [0] * 29), (moving, [0, 1] + [0] * 27))
    )
    document = {"attribution": idle, "test": {"initial_equity": 1.0}}
    assert (attribution_figures(idle), source_words(document)) == ({}, "Nothing was ever held, so there is nothing to take apart.")
    assert "cost_parts" in attribution_figures(once)
    assert source_words({**document, "attribution": once}).startswith("Prices brought ")


def test_the_figures_show_the_shares_of_the_groups():
    world = random_market(9, 300)
    levels = np.random.default_rng(9).integers(-1, 2, 299).tolist()
    ledger = guarded(exposures_ledger(world, levels, COSTS), [0.0] * 299)
    found = attribution(ledger, Surroundings(prices=world.prices))
    drawn = (side_figure, hour_figure, weekday_figure, session_figure, regime_figure)
    for draw in drawn:
        assert sum(draw(found).data[0].y) == pytest.approx(100.0 * found["total"]["share"])
    parts = cost_parts_figure(found).data[0]
    assert sum(parts.y[:-1]) == pytest.approx(parts.y[-1])
    assert guard_effect_figure(found).data[0].y[-1] == pytest.approx(100.0 * found["guards"]["effect"], rel=1e-5)


def test_of_many_interventions_those_of_the_largest_effects_are_listed_and_all_are_counted():
    world = random_market(10, 601)
    ledger = guarded(exposures_ledger(world, [0] * 600), [1.0] * 600)
    found = attribution(ledger, Surroundings(prices=world.prices))["guards"]
    moves = np.abs(world.prices[1:, 3] / world.prices[1:, 0] - 1.0)
    assert (found["interventions"], len(found["places"])) == (600, 200)
    assert min(abs(place["effect"]) for place in found["places"]) > np.sort(moves)[300]
    assert found["course"]["saved"][-1] == pytest.approx(found["effect"])
    assert found["course"]["timestamps_ms"][-1] == world.timestamps[-1]
