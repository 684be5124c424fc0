"""One walk before every choice of guards is each backtest apart, and the comparison says what a guard did."""

import dataclasses

import numpy as np
import pytest
from worlds import FREE, Script, random_market

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.core.protocols import GuardVerdict
from seawall.evaluation.ablation import ablation_rows, findings
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD, Course, Variant, variants_of, walk, walk_ranges
from seawall.evaluation.backtest import backtest
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

ROWS = RowRange(5, 300)
FEW = BootstrapParams(n_resamples=100)


class HalfSize:
    """Halves whatever is proposed."""

    name, may_block_exit, reasons, state_names = "half_size", False, ("too large",), ("seen",)

    def initial_state(self, n):
        return np.zeros((n, 1))

    def apply(self, current, proposed, context, state):
        del current, context
        return GuardVerdict(proposed / 2.0, (proposed != 0.0).astype(np.int8), state + 1.0)


class Flatter(HalfSize):
    """Allows no exposure at all."""

    name = "flatter"

    def apply(self, current, proposed, context, state):
        del current, context
        return GuardVerdict(np.zeros_like(proposed), (proposed != 0.0).astype(np.int8), state)


class Broken(HalfSize):
    """Raises."""

    name = "broken"

    def apply(self, current, proposed, context, state):
        raise ZeroDivisionError("no such thing")


class Greedy(HalfSize):
    """Doubles what is proposed, which no guard may."""

    name = "greedy"

    def apply(self, current, proposed, context, state):
        return GuardVerdict(proposed * 2.0, (proposed != 0.0).astype(np.int8), state)


class Watching(Script):
    """Keeps the account rows that it was shown."""

    def __init__(self, actions):
        super().__init__(actions)
        self.seen = []

    def act(self, observation, *, deterministic=True):
        self.seen.append(observation.account)
        return super().act(observation, deterministic=deterministic)


def actions(seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(300) < 0.5, rng.integers(0, 2, 300), 2)


def course(*guards, shown=(), costs=FREE):
    scheme = action_scheme("sell_buy_hold", True)
    return Course(random_market(2, 300), ROWS, scheme, guards, ("exposure",), shown, costs, SimulatorParams())


def confirm():
    return NConsecutive(NConsecutiveParams(n=2, mode="confirm"))


def alone(place, *guards):
    chain = GuardChain(list(guards)) if guards else None
    desk = Desk(place.scheme, chain, 1, show_guards=False)
    return backtest(Script(actions()), place.market, place.rows, desk, place.costs, place.simulator, place.account_columns)


def names(*guards):
    return [variant.name for variant in variants_of(guards)]


def test_the_choices_are_none_each_alone_all_but_each_and_all_without_repeating_one():
    assert names("a") == [NO_GUARD, ALL_GUARDS]
    assert names("a", "b") == [NO_GUARD, "only a", "only b", ALL_GUARDS]
    assert names("a", "b", "c")[1:-1] == ["only a", "only b", "only c", "all but a", "all but b", "all but c"]
    assert variants_of(("a", "b", "c"))[5].in_force == ("a", "c")
    with pytest.raises(ConfigError, match="0 guards"):
        variants_of(())


def test_every_choice_is_the_backtest_behind_those_guards():
    place = course(confirm(), HalfSize(), costs=CostParams(taker_bps=20.0))
    found = walk(Script(actions()), place, variants_of(("n_consecutive", "half_size")))
    expected = {
        NO_GUARD: alone(place),
        "only n_consecutive": alone(place, confirm()),
        "only half_size": alone(place, HalfSize()),
        ALL_GUARDS: alone(place, confirm(), HalfSize()),
    }
    assert list(found) == list(expected)
    for name, ledger in expected.items():
        left, right = found[name].frame, ledger.frame
        assert left.drop(columns="guard").equals(right.drop(columns="guard")), name
        assert left["guard"].tolist() == right["guard"].tolist()
    assert len({ledger.equity_curve()[-1] for ledger in found.values()}) == 4


def test_a_policy_sees_the_columns_it_was_trained_with_and_a_guard_out_of_force_goes_on_watching():
    policy = Watching(actions())
    shown = ("n_consecutive.signal_2_ago", "n_consecutive.signal_1_ago")
    walk(policy, course(confirm(), HalfSize(), shown=shown), variants_of(("n_consecutive", "half_size")))
    seen = np.stack(policy.seen)
    assert seen.shape == (294, 4, 3)
    # Suggestions are the same before every choice, and so is the record that is shown of them.
    assert (seen[:, :, 1:] == seen[:, :1, 1:]).all()
    assert set(np.unique(seen[2:, :, 1:])) == {-1.0, 0.0, 1.0}


def test_a_guard_that_raises_takes_no_new_risk_where_it_is_in_force_and_leaves_the_others_alone():
    place = course(Broken(), HalfSize())
    found = walk(Script(actions()), place, variants_of(("broken", "half_size")))
    assert not found["only broken"].column("allowed").any()
    assert (found["only broken"].frame["reason"] == "guard failed").any()
    assert found["only half_size"].frame.equals(alone(place, HalfSize()).frame)


def test_a_guard_that_enlarges_exposure_stops_the_walk_where_it_is_in_force():
    place = course(Greedy(), HalfSize())
    with pytest.raises(InvariantError, match="greedy"):
        walk(Script(actions()), place, variants_of(("greedy", "half_size")))


def test_several_ranges_are_walked_each_from_flat_with_guards_anew_and_chained_for_every_choice():
    ranges, costs = (RowRange(5, 120), RowRange(121, 180), RowRange(200, 300)), CostParams(taker_bps=20.0)
    places = [dataclasses.replace(course(confirm(), HalfSize(), costs=costs), rows=rows) for rows in ranges]
    variants, told = variants_of(("n_consecutive", "half_size")), []
    found = walk_ranges({"script": Script(actions())}, places, variants, told.append)["script"]
    for variant in variants:
        guards = {"n_consecutive": confirm(), "half_size": HalfSize()}
        parts = [alone(place, *(guards[name] for name in variant.in_force)) for place in places]
        chain, kept = found[variant.name], 1.0
        assert chain.frame["row"].tolist() == list(range(5, 299))
        for place, part in zip(places, parts, strict=True):
            own = chain.frame["row"].between(place.rows.start, place.rows.stop - 2)
            for name in ("action", "proposed", "allowed", "reason", "exposure", "fill_price"):
                np.testing.assert_array_equal(chain.frame[name][own], part.frame[name], err_msg=name)
            kept *= part.equity_curve()[-1] / part.initial_equity
            # What is held at the end of a range is closed there, but not at the end of the last.
            kept *= 1.0 - (place.rows.stop < 300) * abs(part.column("exposure")[-1]) * (costs.taker_rate + costs.half_spread_rate)
            between = chain.frame["row"].between(place.rows.stop - 1, place.rows.stop + 20) & ~own
            between &= ~chain.frame["row"].isin([row for each in ranges for row in range(each.start, each.stop - 1)])
            assert not chain.frame["exposure"][between].any()
        assert chain.equity_curve()[-1] / chain.initial_equity == pytest.approx(kept, rel=1e-12)
    assert any(abs(found[NO_GUARD].column("exposure")[rows.stop - 2 - 5]) > 0.0 for rows in ranges[:2])
    assert told == sorted(told)
    assert {0, 114, 114 + 58} <= set(told)
    alone_again = walk_ranges({"script": Script(actions())}, places[:1], variants)["script"]
    assert alone_again[ALL_GUARDS].frame.equals(walk(Script(actions()), places[0], variants)[ALL_GUARDS].frame)


def test_one_row_is_no_walk():
    with pytest.raises(ConfigError, match="at least 2 are needed"):
        walk(Script(actions()), dataclasses.replace(course(HalfSize()), rows=RowRange(5, 6)), variants_of(("half_size",)))


@pytest.fixture(scope="module")
def rows():
    place = course(HalfSize(), Flatter(), costs=CostParams(taker_bps=20.0))
    variants = variants_of(("half_size", "flatter"))
    policies = {"ensemble": 0, "seed 0": 1, "seed 1": 2}
    walks = {name: walk(Script(actions(seed)), place, variants) for name, seed in policies.items()}
    return {row["name"]: row for row in ablation_rows(walks, variants, FEW)}


def test_no_guard_differs_from_itself_by_nothing(rows):
    for measure in ("total_return", "max_drawdown", "sharpe", "turnover_per_year"):
        assert rows[NO_GUARD][measure]["against"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_guard_that_allows_nothing_clearly_lowers_turnover_and_drawdown(rows):
    flat, none = rows["only flatter"], rows[NO_GUARD]
    for measure in ("turnover_per_year", "max_drawdown"):
        against = flat[measure]["against"]
        assert against["value"] == -none[measure]["value"]
        assert against["low"] <= against["value"] <= against["high"] < 0.0
        assert none[measure]["low"] <= none[measure]["value"] <= none[measure]["high"]


def test_a_guard_that_allows_nothing_leaves_no_trade_and_no_sharpe(rows):
    flat = rows["only flatter"]
    assert (flat["trades"], flat["total_return"]["value"], flat["sharpe"]["value"]) == (0, 0.0, None)
    assert flat["sharpe"]["against"] == {"value": None, "low": None, "high": None, "reason": "undefined for one of the two"}
    assert flat["interventions"]["flatter"]["changed"] == flat["interventions"]["flatter"]["times"] > 0


def test_round_trips_are_counted_with_an_interval_and_a_difference_from_no_guard(rows):
    flat, none = rows["only flatter"]["round_trips"], rows[NO_GUARD]["round_trips"]
    assert none["value"] == rows[NO_GUARD]["trades"] > 50
    assert none["low"] < none["value"] < none["high"] < 2 * none["value"]
    assert (flat["value"], flat["low"], flat["high"]) == (0, 0.0, 0.0)
    assert flat["against"]["value"] == -none["value"]
    # Without any trade the paired difference is the other's figure itself, turned round.
    assert (flat["against"]["low"], flat["against"]["high"]) == pytest.approx((-none["high"], -none["low"]))


def test_a_setting_is_compared_with_the_one_that_it_stands_instead_of():
    place = course(HalfSize(), Flatter(), costs=CostParams(taker_bps=20.0))
    variants = (Variant(NO_GUARD, ()), Variant("half", ("half_size",)), Variant("none", ("flatter",), instead_of="half"))
    found = ablation_rows({"ensemble": walk(Script(actions()), place, variants)}, variants, FEW)
    assert found[1]["instead_of"] is None
    other = found[2]["instead_of"]
    assert other["name"] == "half"
    assert other["max_drawdown"]["value"] == -found[1]["max_drawdown"]["value"] < 0.0
    assert other["total_return"]["value"] == -found[1]["total_return"]["value"]
    assert other["max_drawdown"]["high"] < 0.0


def test_seeds_are_given_with_mean_and_range(rows):
    half = rows["only half_size"]
    values = [seed["turnover_per_year"] for seed in half["seeds"].values()]
    assert half["spread"]["turnover_per_year"]["value"] == {"mean": np.mean(values), "lowest": min(values), "highest": max(values)}
    apart = [seed["against"]["max_drawdown"] for seed in rows["only flatter"]["seeds"].values()]
    assert rows["only flatter"]["spread"]["max_drawdown"]["against"]["highest"] == max(apart) < 0.0


def test_the_findings_say_what_is_sure_and_what_is_not(rows):
    told = findings(list(rows.values()))
    assert len(told) == 3
    assert told[0].startswith("only half_size: intervened")
    assert "which chance alone could do" in told[0]
    assert "drawdown 0.0 %" in told[1]
    assert "clearly so" in told[1]


def test_a_veto_of_what_is_held_already_is_said_to_change_nothing():
    place = course(NConsecutive())
    variants = variants_of(("n_consecutive",))
    ledgers = walk(Script(np.ones(300, dtype=np.int64)), place, variants)
    told = findings(ablation_rows({"ensemble": ledgers}, variants, FEW))
    assert told == ["all guards: intervened 292 times, always where the exposure asked for was in force already."]
