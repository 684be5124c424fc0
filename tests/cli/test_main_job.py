"""The verbs of the main job on one small run, as a user would call them."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from seawall.core.run_folder import RunFolder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained run that a test may damage."""
    original = RunFolder.find(trained, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    return RunFolder(copy)


def test_a_trained_run_explains_itself(trained):
    run = RunFolder.find(trained, "latest")
    for path in (run.recipe, run.dataset, run.metrics, run.ledger, run.report, run.log, run.bundle / "bundle.json"):
        assert path.stat().st_size > 0, path
    events = [json.loads(line) for line in run.log.read_text().splitlines()]
    assert {event["seed"] for event in events if event["event"] == "evaluated"} == {0, 1}


def test_backtest_prints_one_json_document_with_every_part(seawall, trained):
    result = seawall("backtest", "latest", "--runs", trained, "--json")
    assert result.code == 0
    document = result.json
    assert set(document["seeds"]) == {"0", "1"}
    assert {"flat", "buy_and_hold", "random", "sma_cross"} <= set(document["baselines"])
    assert document["verdict"]["level"] == "not judged"
    assert "2 seeds, 5 needed" in document["verdict"]["headline"]
    assert document["report"].endswith("index.html")


def test_a_backtest_run_twice_gives_the_same_numbers(seawall, trained):
    first, second = (seawall("backtest", "latest", "--runs", trained, "--json").json for _ in range(2))
    assert first == second


def test_equity_is_the_start_plus_prices_less_costs_in_the_saved_ledger(trained):
    ledger = pd.read_parquet(RunFolder.find(trained, "latest").ledger)
    for policy, rows in ledger.groupby("policy"):
        explained = 10_000 + rows["price_pnl"].sum() - rows["fee"].sum() - rows["spread"].sum() + rows["write_off"].sum()
        assert math.isclose(rows["equity"].iloc[-1], explained, rel_tol=1e-9), policy


def test_the_judged_rows_are_the_test_rows_and_nothing_was_chosen_on_them(trained):
    run = RunFolder.find(trained, "latest")
    saved = json.loads(run.dataset.read_text())
    split, window = saved["split"], 12
    rows = pd.read_parquet(run.ledger)["row"]
    assert (rows.min(), rows.max()) == (split["test"]["start"], split["test"]["stop"] - 2)
    assert split["validation"]["start"] - split["train"]["stop"] >= window
    assert split["test"]["start"] - split["validation"]["stop"] >= window
    assert saved["scaler"]["fitted_rows"][1] == split["train"]["stop"]


def test_other_costs_are_judged_apart_from_the_runs_own_numbers(seawall, run):
    before = run.metrics.read_bytes()
    runs = run.path.parents[1]
    free = seawall("backtest", run.path, "costs.taker_bps=0", "costs.spread_bps=0", "--runs", runs, "--json").json
    assert free["ensemble"]["costs"]["total"] == 0
    assert run.metrics.read_bytes() == before
    assert "judged" in free["metrics"]


def test_a_run_is_judged_under_stress_whose_numbers_are_told_beside_its_name(seawall, run):
    calm, storm = (seawall("backtest", run.path, *words, "--json").json for words in ((), ("costs.stress=high_volatility",)))
    assert storm["run"]["costs"]["spread_bps"] == 2 * calm["run"]["costs"]["spread_bps"] == 4.0
    before, under = (document["baselines"]["buy_and_hold"]["costs"]["spread"] for document in (calm, storm))
    assert under == pytest.approx(2.0 * before, rel=1e-3)
    assert storm["metrics"] != calm["metrics"]
    assert "high_volatility" in Path(storm["report"]).read_text(encoding="utf-8")
    refused = seawall("backtest", run.path, "costs.stress=crash")
    assert refused.code == 2
    assert "stress 'crash' is unknown; allowed: high_volatility, flash_crash" in refused.err


def test_report_names_its_page(seawall, trained):
    document = seawall("report", "latest", "--runs", trained, "--json").json
    assert document["report"].endswith("index.html")
    assert "verdict" in document


def test_compare_puts_runs_side_by_side(seawall, trained):
    rows = seawall("compare", "latest", "latest", "--runs", trained, "--json").json["runs"]
    assert len(rows) == 1 or rows[0]["sharpe"] == rows[1]["sharpe"]


def test_of_another_file_only_bars_after_the_validation_are_judged(seawall, run, tmp_path):
    saved = json.loads(run.dataset.read_text())["split"]
    seawall("data", "synth", tmp_path / "renamed.parquet", "--kind", "random_walk", "--bars", 4000, "--seed", 5)
    document = seawall("backtest", run.path, f"data={tmp_path / 'renamed.parquet'}", "--json").json
    assert document["run"]["symbol"] == "renamed"
    assert document["test"]["bars"] == 4000 - saved["test"]["start"] - 1


def test_bars_that_all_lie_before_the_end_of_the_validation_are_refused(seawall, run, tmp_path):
    seawall("data", "synth", tmp_path / "early.parquet", "--kind", "random_walk", "--bars", 1500)
    result = seawall("backtest", run.path, f"data={tmp_path / 'early.parquet'}")
    assert result.code == 2
    assert "later bars are needed" in result.err


def test_bars_of_another_length_are_refused(seawall, run, tmp_path):
    seawall("data", "synth", tmp_path / "quarters.parquet", "--kind", "random_walk", "--bars", 30_000, "--timeframe", "15m")
    result = seawall("backtest", run.path, f"data={tmp_path / 'quarters.parquet'}")
    assert result.code == 2
    assert "timeframe: bundle '1h', here '15m'" in result.err


def test_another_guard_with_the_same_memory_may_be_judged_and_one_with_another_may_not(seawall, run):
    document = seawall("backtest", run.path, "guards.n_consecutive.mode=confirm", "--json").json
    assert document["run"]["guards"]["n_consecutive"]["mode"] == "confirm"
    refused = seawall("backtest", run.path, "guards.n_consecutive=null")
    assert refused.code == 2
    assert "n_consecutive" in refused.err


@pytest.mark.parametrize(
    "override", ["split.test=0.5", "evaluation.verdict.min_seeds=1", "training.n_seeds=1", "environment.window=13"]
)
def test_what_was_stated_beforehand_cannot_be_changed_at_judging(seawall, run, override):
    result = seawall("backtest", run.path, override)
    assert result.code == 2
    assert "allowed sections: data, quality, features, costs, simulator, guards" in result.err


def test_a_bundle_for_other_features_is_refused_with_the_difference(seawall, run):
    path = run.bundle / "bundle.json"
    manifest = json.loads(path.read_text())
    manifest["features"]["names"][0] = "moon_phase"
    path.write_text(json.dumps(manifest))
    result = seawall("backtest", run.path)
    assert result.code == 2
    assert "moon_phase" in result.err


def test_a_recipe_that_asks_for_other_features_than_the_bundle_is_refused(seawall, run, tmp_path):
    seawall("data", "synth", tmp_path / "other.parquet", "--kind", "random_walk", "--bars", 4000)
    result = seawall("backtest", run.path, "features.omit=[trends]", f"data={tmp_path / 'other.parquet'}")
    assert result.code == 2
    assert "trades_log_return" in result.err or "trades" in result.err


def test_changed_weights_are_refused(seawall, run):
    path = run.bundle / "member-0.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    weights[name] = weights[name] + np.float32(1e-3)
    save_file(weights, path)
    result = seawall("backtest", run.path)
    assert result.code == 2
    assert "the file was changed" in result.err


def test_an_altered_market_is_refused(seawall, run):
    path = run.market / "prices.npy"
    prices = np.load(path)
    prices[-1, 3] *= 1.5
    np.save(path, prices)
    result = seawall("backtest", run.path)
    assert result.code == 2
    assert "content hash differs" in result.err


def test_an_unknown_run_is_refused(seawall, trained):
    result = seawall("backtest", "1999", "--runs", trained)
    assert result.code == 2
    assert "allowed: a path, the beginning of one run's name, or latest" in result.err


def test_the_same_recipe_and_seed_give_the_same_weights(seawall, trained, small_recipe, tmp_path):
    again = seawall("train", small_recipe, "training.n_seeds=1", "--runs", tmp_path / "runs", "--json")
    assert again.code == 0
    hashes = [
        json.loads((RunFolder.find(root, "latest").bundle / "bundle.json").read_text())["members"][0]["weights_hash"]
        for root in (trained, tmp_path / "runs")
    ]
    assert hashes[0] == hashes[1]
