"""The choices of a shield, several settings of one guard in one walk, and what is said across runs."""

import re

import numpy as np
import pytest
from worlds import FREE, Script, random_market

from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.evaluation.ablation import ablation_rows
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD, Course, variants_of, walk
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.shield import Renamed, across_runs, headline, shield_variants, told_across_runs, told_of_settings
from seawall.evaluation.shield_page import forest_figure, labelled, map_figure, render_shield
from seawall.guards.max_exposure import MaxExposure, MaxExposureParams
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.settings import SimulatorParams

FEW = BootstrapParams(n_resamples=100)
CONFIRM = "n_consecutive (confirm)"


def actions(seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(300) < 0.5, rng.integers(0, 2, 300), 2)


def course(*guards, seed=2):
    scheme = action_scheme("sell_buy_hold", True)
    return Course(random_market(seed, 300), RowRange(5, 300), scheme, guards, ("exposure",), (), FREE, SimulatorParams())


def confirm():
    return NConsecutive(NConsecutiveParams(mode="confirm"))


def shield_rows(seed):
    half = MaxExposure(MaxExposureParams(limit=0.5))
    place = course(NConsecutive(), Renamed(confirm(), CONFIRM), half, seed=seed)
    variants = shield_variants(("n_consecutive", "max_exposure"), {CONFIRM: "n_consecutive"}, ("n_consecutive",))
    walks = {policy: walk(Script(actions(number)), place, variants) for number, policy in enumerate(("ensemble", "seed 0"))}
    return ablation_rows(walks, variants, FEW)


@pytest.fixture(scope="module")
def tables():
    return [shield_rows(2), shield_rows(3)]


def test_the_choices_are_none_each_alone_with_its_other_settings_as_trained_and_all():
    variants = shield_variants(("a", "b", "c"), {"a (x)": "a"}, ("a", "c"))
    assert [variant.name for variant in variants] == [
        NO_GUARD,
        "only a",
        "only a (x)",
        "only b",
        "only c",
        "as trained",
        ALL_GUARDS,
        "all, a (x)",
    ]
    assert [(variant.name, variant.instead_of) for variant in variants if variant.instead_of] == [
        ("only a (x)", "only a"),
        ("all, a (x)", ALL_GUARDS),
    ]
    assert variants[5].in_force == ("a", "c")
    assert variants[7].in_force == ("a (x)", "b", "c")


def test_one_guard_alone_is_all_of_them_and_none_is_refused():
    assert [variant.name for variant in shield_variants(("a",), {}, ("a",))] == [NO_GUARD, "only a"]
    with pytest.raises(ConfigError, match="shield of 0 guards"):
        shield_variants((), {}, ())


def test_a_setting_beside_the_other_in_one_walk_is_the_walk_of_its_own_chain():
    together = shield_variants(("n_consecutive",), {CONFIRM: "n_consecutive"}, ())
    found = walk(Script(actions()), course(NConsecutive(), Renamed(confirm(), CONFIRM)), together)
    for guard, name in ((NConsecutive(), "only n_consecutive"), (confirm(), f"only {CONFIRM}")):
        alone = walk(Script(actions()), course(guard), variants_of(("n_consecutive",)))[ALL_GUARDS].frame
        assert found[name].frame.drop(columns="guard").equals(alone.drop(columns="guard"))
    assert set(found[f"only {CONFIRM}"].frame["guard"]) == {"", CONFIRM}
    assert not found["only n_consecutive"].frame["equity"].equals(found[f"only {CONFIRM}"].frame["equity"])


def test_across_runs_a_figure_is_the_median_with_its_range_and_how_often_it_was_clear(tables):
    [whole] = [row for row in across_runs(tables) if row["name"] == ALL_GUARDS]
    against = [row["max_drawdown"]["against"] for rows in tables for row in rows if row["name"] == ALL_GUARDS]
    values = [each["value"] for each in against]
    drawdown = whole["max_drawdown"]
    assert (whole["runs"], whole["acted"], drawdown["values"]) == (2, 2, values)
    assert drawdown["median"] == pytest.approx(sum(values) / 2)
    assert (drawdown["lowest"], drawdown["highest"]) == (min(values), max(values))
    assert drawdown["lower"] + drawdown["higher"] == 2
    assert drawdown["clearly_lower"] == sum(each["high"] < 0.0 for each in against) <= drawdown["lower"]


def _row(name, drawdown, earned, changed=3, trips=6):
    def figure(value, width):
        return {"against": {"value": value, "low": value - width, "high": value + width}}

    return {
        "name": name,
        "in_force": [name],
        "interventions": {name: {"times": 5, "changed": changed}},
        "max_drawdown": figure(drawdown, 0.01),
        "total_return": figure(earned, 0.1),
        "sharpe": {"against": {"value": None, "low": None, "high": None}},
        "turnover_per_year": figure(-3.0, 1.0),
        "round_trips": {"value": trips, **figure(-4, 1)},
    }


def test_the_words_count_runs_and_say_what_is_clear():
    rows = [[_row(ALL_GUARDS, cut, earned)] for cut, earned in ((-0.05, -0.02), (-0.2, 0.03), (0.004, -0.3))]
    summary = across_runs(rows)
    assert headline(summary, 70.0) == (
        "At 70 bps a side the whole shield cut drawdown in 2 of 3 runs (clearly in 2): -5.0 points in the median (-20.0 to +0.4). "
        "Return was lower in 2 (clearly in 1) and higher in 1 (clearly in 0): -2.0 points in the median (-30.0 to +3.0)."
    )
    assert "round trips -4 (median)" in told_across_runs(summary)[0]
    assert summary[0]["sharpe"]["median"] is None
    still = across_runs([[_row(ALL_GUARDS, -0.05, 0.0, trips=trips)] for trips in (0, 6)])
    assert headline(still, 10.0).endswith(" It left no trade in 1 of 2 runs: what does not trade loses nothing.")
    assert "clearly in 1): -5.0 points. Return" in headline(across_runs([[_row(ALL_GUARDS, -0.05, 0.0)]]), 10.0)
    idle = across_runs([[_row("only a", 0.0, 0.0, changed=0)]])
    assert told_across_runs(idle) == ["only a: changed no decision in any of 1 run."]
    assert headline(idle, 10.0) == "At 10 bps a side the whole shield changed no decision in 1 run."


def test_the_words_of_a_setting_name_what_it_stands_instead_of(tables):
    told = told_of_settings(tables[0])
    assert [words.split(":")[0] for words in told] == [
        f"only {CONFIRM} rather than only n_consecutive",
        f"all, {CONFIRM} rather than all guards",
    ]
    row = {row["name"]: row for row in tables[0]}
    difference = row[f"only {CONFIRM}"]["total_return"]["value"] - row["only n_consecutive"]["total_return"]["value"]
    assert f"return {100 * difference:+.1f} points" in told[0]


def _document(tables, symbols=("BTC", "ETH")):
    shared = {
        "recipe": "r<1>",
        "timeframe": "1h",
        "test": {"first": "a", "last": "b", "bars": 295},
        "seeds": [0],
        "training_finished": True,
        "confidence": 0.95,
        "fee_bps": 10.0,
        "left_out": {"kill_switch": "of today"},
        "guards": [],
        "findings": [],
        "choices": [],
    }
    made = [{**shared, "run": f"runs/{n}", "symbol": symbols[n], "rows": rows} for n, rows in enumerate(tables)]
    summary = across_runs(tables)
    fee = {"fee_bps": 10.0, "runs": ["runs/0", "runs/1"], "headline": "told", "summary": summary, "findings": []}
    return {"tables": made, "fees": [fee], "version": "0"}


def test_runs_are_called_by_what_tells_them_apart_and_by_several_fees(tables):
    document = _document(tables)
    assert list(labelled(document["tables"])) == ["BTC", "ETH"]
    assert list(labelled(_document(tables, ("BTC", "BTC"))["tables"])) == ["BTC, 0", "BTC, 1"]
    dear = [{**table, "fee_bps": 70.0} for table in document["tables"]]
    assert list(labelled([*document["tables"], *dear]))[2] == "BTC, 70 bps"


def test_a_forest_holds_every_difference_and_is_full_where_zero_lies_outside(tables):
    document = _document(tables)
    figure = forest_figure(labelled(document["tables"]), "max_drawdown")
    assert len(figure.data) == 2
    against = [row["max_drawdown"]["against"] for row in tables[0] if row["name"] != NO_GUARD]
    assert list(figure.data[0].x) == pytest.approx([100.0 * each["value"] for each in against])
    clear = [each["low"] > 0.0 or each["high"] < 0.0 for each in against]
    assert [symbol == "circle" for symbol in figure.data[0].marker.symbol] == clear
    [points] = [trace for trace in map_figure({"BTC": document["tables"][0]}).data if "markers" in trace.mode]
    assert list(points.y) == pytest.approx([100.0 * row["total_return"]["value"] for row in tables[0]])


def test_the_page_holds_every_choice_escaped_and_needs_no_network(tables, tmp_path):
    text = render_shield(_document(tables), tmp_path / "shield.html").read_text()
    own = text.replace(max(re.findall(r"<script>.*?</script>", text, flags=re.S), key=len), "")
    assert "http" not in own.replace("http-equiv", "")
    # Once across runs and once in each of two tables.
    assert own.count(f"<tr><th>only {CONFIRM}</th>") == 3
    assert own.count('class="figure"') == 3
    assert "r<1>" not in own
