"""The whole evaluation: an edge is called evidence, its driftless twin is not, and the document says why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from worlds import edge_world, facts

from seawall.core.errors import ConfigError, DataError
from seawall.evaluation.compare import compare
from seawall.evaluation.evaluate import Candidates, evaluate
from seawall.evaluation.evidence import Background, LeakCheck
from seawall.evaluation.judge import Judgement, guard_interventions
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.params import EvaluationParams

RIVALS = (
    "flat", "buy_and_hold", "random", "sma_cross", "ema_cross", "momentum", "last_return", "mean_reversion", "volatility_gate",
    "always_buy", "always_sell",
)  # fmt: skip
PARAMS = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 400}})

CLEAN = Background(leaks=LeakCheck("clean", "nothing was found"))


@pytest.fixture(scope="module")
def edge():
    candidates, setting = edge_world(True)
    return evaluate(candidates, setting, PARAMS, facts(), background=CLEAN)


@pytest.fixture(scope="module")
def twin():
    candidates, setting = edge_world(False)
    return evaluate(candidates, setting, PARAMS, facts())


def test_an_edge_is_called_evidence_and_its_twin_is_not(edge, twin):
    assert edge[0].level == "evidence"
    assert twin[0].level == "none"


def test_the_same_edge_is_suspicious_until_somebody_looks_for_leaks_and_is_looked_at_once_it_is_too_good(edge, twin):
    candidates, setting = edge_world(True)
    alone, _ledgers = evaluate(candidates, setting, PARAMS, facts())
    assert alone.level == "suspicious"
    looked: list[str] = []

    def look() -> LeakCheck:
        looked.append("now")
        return LeakCheck("leak", "x0 knows the close 1 bar ahead")

    caught, _ledgers = evaluate(candidates, setting, PARAMS, facts(), background=Background(look=look))
    assert (caught.level, looked) == ("suspicious", ["now"])
    assert caught.verdict["headline"].endswith("the leak check failed: x0 knows the close 1 bar ahead.")
    candidates, setting = edge_world(False)
    plain, _ledgers = evaluate(candidates, setting, PARAMS, facts(), background=Background(look=look))
    assert (plain.level, looked) == ("none", ["now"])


def test_skill_is_told_with_the_trials_and_the_attainable(edge):
    document = edge[0].document
    assert document["skill"]["trials"] == 1
    assert document["skill"]["deflated_sharpe"] == document["skill"]["probabilistic_sharpe"]
    candidates, setting = edge_world(True)
    many, _ledgers = evaluate(candidates, setting, PARAMS, facts(), background=replace(CLEAN, trials=1_000))
    assert many.document["skill"]["deflated_sharpe"]["value"] < document["skill"]["deflated_sharpe"]["value"]
    attainable, growth = document["attainable"], np.log1p(document["ensemble"]["total_return"])
    assert 0.0 < growth < attainable["growth"]
    assert attainable["captured"]["value"] == pytest.approx(growth / attainable["growth"], rel=1e-12)


def test_fewer_seeds_are_stamped_whatever_they_earned():
    candidates, setting = edge_world(True, rows=600, n_seeds=3)
    judgement, _ledgers = evaluate(candidates, setting, PARAMS, facts(), background=CLEAN)
    assert judgement.verdict["headline"] == "Not evidence: 3 seeds, 5 needed."


def test_the_same_evaluation_twice_gives_the_same_document(edge):
    candidates, setting = edge_world(True)
    again, _ledgers = evaluate(candidates, setting, PARAMS, facts(), background=CLEAN)
    assert again.document == edge[0].document


def test_the_document_is_strict_json_and_comes_back_as_it_was(edge, tmp_path):
    edge[0].write(tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == edge[0].document
    assert Judgement.read(tmp_path / "metrics.json") == edge[0]


def test_the_document_holds_every_policy_with_figures_and_intervals(edge):
    document = edge[0].document
    assert list(document["seeds"]) == ["0", "1", "2", "3", "4"]
    free = [f"{name} without guards" for name in ("buy_and_hold", "random", "sma_cross")]
    assert list(document["baselines"]) == [*RIVALS, *free]
    assert list(document["differences"]) == [*RIVALS[1:], *free]
    assert document["ensemble"] == json.loads(json.dumps(ledger_metrics(edge[1].ensemble)))
    for name, metrics in (("ensemble", document["ensemble"]), ("seed", document["seeds"]["0"])):
        intervals = document["intervals"]["ensemble"] if name == "ensemble" else document["intervals"]["seeds"]["0"]
        assert intervals["total_return"]["low"] < metrics["total_return"] < intervals["total_return"]["high"]
        assert intervals["sharpe"]["low"] < metrics["sharpe"] < intervals["sharpe"]["high"]


def test_a_difference_is_the_mean_gap_of_log_returns(edge):
    judged, rival = edge[1].ensemble.log_returns(), edge[1].baselines["buy_and_hold"].log_returns()
    told = edge[0].document["differences"]["buy_and_hold"]["mean"]
    assert told == pytest.approx(float(np.mean(judged) - np.mean(rival)), rel=1e-9)


def test_interventions_are_counted_by_reason(edge):
    told = edge[0].document["guards"]
    frame = edge[1].ensemble.frame
    changed = int((frame["allowed"] != frame["proposed"]).sum())
    assert changed > 0
    assert told["changed_exposure"] == changed
    assert told["interventions"] == int((frame["guard"] != "").sum()) >= changed
    reason = {"guard": "n_consecutive", "reason": "not confirmed by the last 2 suggestions", "count": told["interventions"]}
    assert told["by_reason"] == [reason]
    nothing = {"decisions": len(frame), "interventions": 0, "changed_exposure": 0, "by_reason": []}
    assert guard_interventions(edge[1].baselines["flat"]) == nothing


def test_the_stress_agrees_with_the_backtest(edge):
    document = edge[0].document
    total = document["ensemble"]["total_return"]
    at_one = next(point for point in document["stress"]["cost_multiples"] if point["multiple"] == 1.0)
    assert at_one["total_return"] == pytest.approx(total, rel=1e-9)
    assert document["stress"]["delay"]["on_time_total_return"] == pytest.approx(total, rel=1e-9)


def test_progress_names_every_policy():
    candidates, setting = edge_world(False, rows=300, n_seeds=1)
    told: list[str] = []
    evaluate(candidates, setting, PARAMS, facts(), told.append)
    assert told == ["ensemble", "seed 0", *RIVALS, "judgement"]


def test_an_evaluation_of_no_seed_is_refused():
    candidates, setting = edge_world(False, rows=300)
    with pytest.raises(ConfigError, match="0 seeds"):
        evaluate(Candidates(candidates.ensemble, {}), setting, PARAMS, facts())


def test_a_judgement_of_another_schema_is_refused(tmp_path):
    (tmp_path / "metrics.json").write_text('{"schema": 0}')
    with pytest.raises(DataError, match="schema 0"):
        Judgement.read(tmp_path / "metrics.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DataError, match="schema None"):
        Judgement.read(tmp_path / "list.json")


def test_runs_are_compared_side_by_side(edge, twin):
    rows = compare({"one": edge[0], "two": twin[0]})
    assert [row["run"] for row in rows] == ["one", "two"]
    assert [row["verdict"] for row in rows] == ["evidence", "none"]
    assert [row["comparable"] for row in rows] == [True, True]
    assert rows[0]["total_return"] == edge[0].document["ensemble"]["total_return"]
    assert rows[0]["mean_log_return_low"] > 0.0
    with pytest.raises(DataError, match="no run"):
        compare({})


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("run", {"symbol": "OTHER"}),
        ("run", {"timeframe": "4h"}),
        ("run", {"costs": {"taker_bps": 0.0, "spread_bps": 2.0}}),
        ("test", {"first": "2020-01-01T00:00:00+00:00"}),
        ("test", {"last": "2030-01-01T00:00:00+00:00"}),
    ],
)
def test_runs_over_other_ground_are_marked_as_not_comparable(edge, part, changes):
    document = edge[0].document
    other = Judgement({**document, part: {**document[part], **changes}})
    assert [row["comparable"] for row in compare({"one": edge[0], "two": other})] == [True, False]


def test_a_ruined_policy_is_judged_without_breaking():
    _candidates, setting = edge_world(False, rows=400, n_seeds=1)
    prices = setting.market.prices.copy()
    prices[300:] *= 4.0
    doomed = replace(setting, market=replace(setting.market, prices=prices))

    class AlwaysShort:
        def act(self, observation, *, deterministic=True):
            return np.zeros(len(observation.rows), dtype=np.int64), {}

    judgement, ledgers = evaluate(Candidates(AlwaysShort(), {0: AlwaysShort()}), doomed, PARAMS, facts())
    assert judgement.document["ensemble"]["total_return"] == -1.0
    assert len(ledgers.ensemble.frame) < len(ledgers.baselines["flat"].frame)


def test_a_judgement_tells_where_the_money_came_from(edge):
    document, ensemble = edge[0].document, edge[1].ensemble
    found, change = document["attribution"], ensemble.equity_curve()[-1] - ensemble.initial_equity
    for key in ("by_side", "by_hour", "by_weekday", "by_session", "by_regime", "by_cost"):
        assert sum(group["net"] for group in found[key]) == pytest.approx(change, abs=1e-6), key
    guards = found["guards"]
    assert guards["interventions"] == document["guards"]["interventions"] > 0
    # The replay starts from the same proposals; what was allowed is what was traded.
    assert guards["guarded_return"] == pytest.approx(document["ensemble"]["total_return"], rel=1e-12)
    assert guards["unguarded_return"] != guards["guarded_return"]
    assert guards["effect"] == pytest.approx(guards["course"]["saved"][-1], rel=1e-12)


def test_bars_before_the_test_rows_tell_the_regime_of_its_first_ones():
    # The rows begin at bar 120 of the series, and a regime needs 191 bars before its own.
    candidates, setting = edge_world(True, rows=600)
    found = evaluate(candidates, setting, PARAMS, facts())[0].document["attribution"]["by_regime"]
    assert {group["name"]: group["bars"] for group in found}["unknown"] == 191 - 120


def test_what_is_told_of_guards_and_groups_stays_small(edge):
    found = edge[0].document["attribution"]
    assert len(found["guards"]["course"]["saved"]) <= 400 < len(edge[1].ensemble.frame)
    assert len(json.dumps(found, indent=2)) < 120_000


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("verdict", "verdict.level is None; allowed: text"),
        ("run", "run.recipe is None; allowed: text"),
        *((name, f"{name} is .*; allowed: a mapping") for name in ("ensemble", "seeds", "baselines", "stress", "test")),
    ],
)
@pytest.mark.parametrize("value", [None, [1]])
def test_a_judgement_that_lacks_a_part_is_refused_by_the_parts_name(edge, tmp_path, part, words, value):
    Judgement({**edge[0].document, part: value}).write(tmp_path / "metrics.json")
    with pytest.raises(DataError, match=rf"metrics\.json is damaged: {words}\. Judge the run again"):
        Judgement.read(tmp_path / "metrics.json")


def test_a_judgement_of_other_bars_or_seeds_than_the_ledger_beside_it_is_refused(edge, tmp_path):
    judgement, ledgers = edge
    judgement.refuse_other(ledgers, tmp_path / "metrics.json")
    bars = ledgers.ensemble.n_bars
    others = Judgement({**judgement.document, "test": {**judgement.document["test"], "bars": bars + 1}})
    with pytest.raises(DataError, match=rf"judges {bars + 1} bars .* holds {bars} bars .* not of one judgement"):
        others.refuse_other(ledgers, tmp_path / "metrics.json")
    with pytest.raises(DataError, match="not of one judgement"):
        Judgement({**judgement.document, "seeds": {"77": {}}}).refuse_other(ledgers, tmp_path / "metrics.json")
