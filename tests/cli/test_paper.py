"""``seawall paper``: a trained run over recorded bars, told one at a time; its ledger is the backtest's."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.cli.main import run as run_command
from seawall.core.errors import ConfigError
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.evaluation.ledger import Ledgers
from seawall.market.resample import resample
from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars
from seawall.recipes import paper as paper_module
from seawall.recipes.dataset import Dataset

REAL = Path(__file__).parents[3] / "shared" / "data" / "ohlcv" / "binance_BTCUSDT_1h.parquet"
RECIPE = (
    "extends: tradernet\n"
    "name: papered\n"
    "data: {{kind: file, path: {path}}}\n"
    "features: {{omit: {omit}}}\n"
    "costs: {{taker_bps: 0, slippage: {{volatility_multiplier: 0.05}}, funding: {{rate_bps: 1.0}}}}\n"
    "agent: {{total_steps: 4096, n_envs: 16, n_steps: 64, minibatch: 256, learning_rate: 0.003}}\n"
    "training: {{n_seeds: 2, evaluate_every: 1}}\n"
    "evaluation: {{bootstrap: {{n_resamples: 100}}}}\n"
)


def train(folder: Path, bars: pd.DataFrame, omit: str) -> Path:
    """Train on a file of bars, judge, and return the folder of runs."""
    bars.to_parquet(folder / "own.parquet")
    (folder / "papered.yaml").write_text(RECIPE.format(path=folder / "own.parquet", omit=omit))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run_command(["train", "papered.yaml"]) == 0
        assert run_command(["backtest", "latest", "--json"]) == 0
    finally:
        os.chdir(before)
    return folder / "runs"


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    made = planted_edge_bars(PlantedEdgeParams(n_bars=2_200), 0).bars
    return made.assign(trades=np.random.default_rng(0).integers(1, 500, len(made)).astype(np.float64))


@pytest.fixture(scope="module")
def runs(bars, tmp_path_factory) -> Path:
    return train(tmp_path_factory.mktemp("paper"), bars, "[trends]")


@pytest.fixture
def run(runs, tmp_path) -> RunFolder:
    """A copy of the run that a test may change."""
    original = RunFolder.find(runs, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    shutil.rmtree(copy / "paper", ignore_errors=True)
    return RunFolder(copy)


@pytest.fixture
def write(tmp_path):
    def written(frame: pd.DataFrame) -> Path:
        frame.reset_index(drop=True).to_parquet(tmp_path / "bars.parquet")
        return tmp_path / "bars.parquet"

    return written


def ensemble(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    return frame[frame["policy"] == "ensemble"].drop(columns="policy").reset_index(drop=True)


def first_test_row(run: RunFolder) -> int:
    return json.loads(run.dataset.read_text())["split"]["test"]["start"]


def test_the_ledger_of_the_runs_own_file_is_the_backtests(seawall, run, bars, write):
    result = seawall("paper", run.path, "--replay", write(bars), "--json")
    facts = result.json
    assert result.code == 0
    assert facts["orders"] > 20
    decisions = len(bars) - 1 - first_test_row(run)
    assert (facts["bars"], facts["decisions"]) == (decisions + 1, decisions)
    parity = facts["parity"]
    assert (parity["rows"], parity["equal"], parity["max_abs_difference"], parity["whole"]) == (decisions, True, 0.0, True)
    kept = Path(facts["folder"])
    assert kept.parent == run.path / "paper"
    mine, theirs = ensemble(kept / "ledger.parquet"), ensemble(run.ledger)
    pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    assert facts["final_equity"] == theirs["equity"].iloc[-1]
    assert facts["fees"] == theirs["fee"].sum()
    assert json.loads((kept / "paper.json").read_text()) == facts


def test_a_run_on_made_bars_replays_its_own(seawall, trained):
    result = seawall("paper", "latest", "--runs", trained, "--replay", "own")
    assert result.code == 0
    assert "ledger equals the backtest's: " in result.out
    shutil.rmtree(RunFolder.find(trained, "latest").path / "paper")


def test_without_a_kept_backtest_one_is_made_for_the_comparison(seawall, run):
    run.ledger.unlink()
    parity = seawall("paper", run.path, "--replay", "own", "--json").json["parity"]
    assert parity["equal"] is True
    assert "made now" in parity["words"]
    assert not run.ledger.exists()


@pytest.mark.parametrize(("check", "code"), [((), 1), (("--check",), 1), (("--no-check",), 0)])
def test_a_ledger_that_is_not_the_backtests_is_told_by_its_first_difference(seawall, run, bars, check, code):
    kept = Ledgers.read(run.ledger)
    kept.ensemble.frame.loc[100, "fee"] += 0.5
    kept.ensemble.frame.loc[101:, "close"] += 2.0
    kept.write(run.ledger)
    result = seawall("paper", run.path, "--replay", "own", *check)
    assert result.code == code
    told = iso_ms(int(bars["timestamp"].iloc[first_test_row(run) + 100].timestamp() * 1_000))[:16]
    assert f"first at the bar of {told}: fee is 0.0, and 0.5 in the backtest" in result.out
    facts = json.loads(next(run.path.glob("paper/*/paper.json")).read_text())
    assert facts["parity"]["max_abs_difference"] == pytest.approx(2.0)


def test_a_change_in_the_file_changes_no_row_before_it(seawall, run, bars, write):
    changed, row = bars.copy(), first_test_row(run) + 100
    changed.loc[row:, ["open", "high", "low", "close"]] *= 2.0
    changed.loc[row:, ["volume", "trades"]] = 1.0
    facts = seawall("paper", run.path, "--replay", write(changed), "--no-check", "--json").json
    mine, theirs = ensemble(Path(facts["folder"]) / "ledger.parquet"), ensemble(run.ledger)
    pd.testing.assert_frame_equal(mine.iloc[:99], theirs.iloc[:99], check_exact=True)
    assert facts["parity"]["equal"] is False


def test_of_a_file_that_goes_on_the_common_rows_are_compared(seawall, run, bars, write):
    step = bars["timestamp"].iloc[1] - bars["timestamp"].iloc[0]
    later = bars.iloc[-40:].assign(timestamp=bars["timestamp"].iloc[-40:] + 40 * step)
    facts = seawall("paper", run.path, "--replay", write(pd.concat([bars, later])), "--json").json
    decisions = len(bars) - 1 - first_test_row(run)
    assert facts["decisions"] == decisions + 40
    assert (facts["parity"]["rows"], facts["parity"]["equal"], facts["parity"]["whole"]) == (decisions, True, False)


@pytest.mark.parametrize("gaps", ["bridge", "fill"])
def test_over_a_file_with_holes_paper_and_backtest_agree(seawall, run, bars, write, gaps):
    row = first_test_row(run)
    path = write(bars.drop(index=[row - 30, *range(row + 50, row + 57), row + 200]))
    facts = seawall("paper", run.path, "--replay", path, f"quality.gaps={gaps}", "--json").json
    judged = seawall("backtest", run.path, f"data={path}", f"quality.gaps={gaps}", "--json").json
    pd.testing.assert_frame_equal(
        ensemble(Path(facts["folder"]) / "ledger.parquet"), ensemble(Path(judged["ledger"])), check_exact=True
    )
    assert facts["orders"] > 20


def test_decisions_begin_where_they_are_told_to(seawall, run, bars):
    moment = bars["timestamp"].iloc[1_000]
    facts = seawall("paper", run.path, "--replay", "own", "--from", moment.isoformat(), "--json").json
    assert facts["first"] == moment.isoformat().replace("+00:00", "Z")
    assert facts["decisions"] == len(bars) - 1_001
    assert facts["parity"]["equal"] is None
    assert any("before the test rows" in note for note in facts["notes"])
    refused = seawall("paper", run.path, "--replay", "own", "--from", bars["timestamp"].iloc[-9].isoformat(), "--check")
    assert refused.code == 2
    assert "nothing to compare" in refused.err


def test_a_file_that_begins_late_is_traded_and_its_features_cautioned_about(seawall, run, bars, write):
    facts = seawall("paper", run.path, "--replay", write(bars.iloc[first_test_row(run) - 500 :]), "--json").json
    assert any("carry something on from bar to bar" in note for note in facts["notes"])
    assert facts["parity"]["rows"] == facts["decisions"]


REFUSED = {
    "another timeframe": (lambda bars, row: four_hours(bars), (), "are of 4h; needed: 1h"),
    "too few bars before": (lambda bars, row: bars.iloc[row - 50 :], (), "has 50 bars before"),
    "too few bars at all": (lambda bars, row: bars.iloc[row : row + 60], (), "it has too few bars"),
    "no bar after": (lambda bars, row: bars.iloc[: row - 10], (), "at least 2 bars are needed from there"),
    "no volume": (lambda bars, row: bars.drop(columns="volume"), (), "volume"),
    "a raw column of a feature": (lambda bars, row: bars.drop(columns="trades"), (), "no column trades"),
    "no day": (lambda bars, row: bars, ("--from", "yesterday"), "'yesterday' is no day or time"),
    "another network": (lambda bars, row: bars, ("environment.window=13",), "allowed sections: quality, costs, simulator, guards"),
    "a key of no table": (lambda bars, row: bars, ("--key", "/15m"), "only HDF5 files have keys"),
}


def four_hours(bars: pd.DataFrame) -> pd.DataFrame:
    return resample(bars, Timeframe(3_600), Timeframe(14_400))[0]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_replayed_is_refused_and_nothing_is_kept(seawall, run, bars, write, name):
    change, words, message = REFUSED[name]
    refused = seawall("paper", run.path, "--replay", write(change(bars, first_test_row(run))), *words)
    assert refused.code == 2
    assert message in refused.err
    assert not (run.path / "paper").exists()


def test_a_run_of_several_assets_is_refused(run, monkeypatch):
    load = Dataset.load.__func__

    def two(cls, folder):
        dataset = load(cls, folder)
        rows = len(dataset.market)
        market = replace(dataset.market, symbols=("A", "B"), starts=(0, rows // 2, rows), ready=(0, 0))
        return replace(dataset, market=market)

    monkeypatch.setattr(Dataset, "load", classmethod(two))
    with pytest.raises(ConfigError, match="trades 2 assets at once"):
        paper_module.replay_run(paper_module.PaperCase(run))


def test_ctrl_c_says_where_it_stopped_and_leaves_no_half_ledger(seawall, run, bars, monkeypatch):
    real = paper_module.replay

    def pressed(*arguments):
        *others, on_bar = arguments
        seen = []

        def press(record):
            seen.append(record)
            if len(seen) == 50:
                os.kill(os.getpid(), signal.SIGINT)
            on_bar(record)

        return real(*others, press)

    monkeypatch.setattr(paper_module, "replay", pressed)
    stopped = seawall("paper", run.path, "--replay", "own")
    at = iso_ms(int(bars["timestamp"].iloc[first_test_row(run) + 50].timestamp() * 1_000))
    decisions = len(bars) - 1 - first_test_row(run)
    assert stopped.code == 130
    assert f"stopped at the bar of {at}, after 50 of {decisions} decisions; nothing was written" in stopped.err
    assert not (run.path / "paper").exists()


def test_a_run_that_is_not_trained_is_refused(seawall, run):
    shutil.rmtree(run.bundle)
    (run.path / "training.json").unlink()
    refused = seawall("paper", run.path, "--replay", "own")
    assert refused.code == 2
    assert "is not trained to its end" in refused.err


@pytest.mark.skipif(not REAL.is_file(), reason=f"the real bars {REAL} are not there")
def test_the_ledger_over_real_bars_is_the_backtests(seawall, tmp_path):
    runs = train(tmp_path, pd.read_parquet(REAL).iloc[-4_500:].reset_index(drop=True), "[trades, trends]")
    facts = seawall("paper", "latest", "--runs", runs, "--replay", tmp_path / "own.parquet", "--json").json
    assert facts["parity"]["equal"] is True
    assert facts["parity"]["rows"] == facts["decisions"] > 500
    assert facts["orders"] > 20
