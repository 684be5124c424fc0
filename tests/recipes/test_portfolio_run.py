"""A portfolio from its recipe to its report, and back from its bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recipes.small_portfolio import recipe, trained
from seawall.agents.bundle import load_bundle
from seawall.agents.bundle_manifest import manifest_problems
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.evaluation.judge import Judgement
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.evaluation.portfolio_ledger import PortfolioLedgers
from seawall.recipes.portfolio_dataset import PortfolioDataset
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_replay import replay_portfolio
from seawall.recipes.portfolio_run import create_run, judge_run, load_run, parts_of, save_portfolio_bundle


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = trained(tmp_path_factory.mktemp("portfolio"))
    judge_run(made)
    return made


def test_a_run_folder_is_laid_out_as_that_of_one_series(run: RunFolder):
    names = {path.name for path in run.path.iterdir()}
    wanted = {"recipe.yaml", "bundle", "metrics.json", "ledger.parquet", "checkpoints", "tensorboard", "dataset.json", "market"}
    assert names >= wanted | {"training.json", "log.jsonl", "report", "run.json"}
    assert load_run(run) == recipe()
    assert manifest_problems(json.loads((run.bundle / "bundle.json").read_text())) == []


def test_the_judgement_is_of_the_test_rows_alone_and_has_the_rivals(run: RunFolder):
    judgement, ledgers = Judgement.read(run.metrics), PortfolioLedgers.read(run.ledger)
    test = parts_of(run).data.dataset.split.test
    assert ledgers.ensemble.frame["row"].tolist() == list(range(test.start, test.stop - 1))
    assert list(judgement.document["baselines"]) == [
        "cash",
        "buy_and_hold",
        "ucrp",
        "random",
        "olmar",
        "rmr",
        "ons",
        "eg",
        "pamr",
        "best_in_hindsight",
    ]
    assert judgement.level == "not judged"
    curve = ledgers.ensemble.equity_curve()
    assert judgement.document["ensemble"]["total_return"] == curve[-1] / curve[0] - 1
    assert judgement.document["run"]["symbol"] == "A, B, C"


def test_the_page_shows_weights_and_rivals(run: RunFolder):
    page = run.report.read_text(encoding="utf-8")
    assert page.count('class="figure"') == 11
    assert all(f"<th>{name}</th>" in page for name in ("ensemble", "ucrp", "buy-and-hold", "seed 1"))
    assert "http://" not in page.split("<script>")[0]


def test_the_bundle_decides_as_the_judged_ensemble(run: RunFolder):
    parts = parts_of(run)
    ensemble, members = parts.policies(load_bundle(run.bundle))
    assert len(members) == 2
    ledger = portfolio_backtest(ensemble, parts.setting(parts.data.dataset.split.test))
    assert ledger.frame.equals(PortfolioLedgers.read(run.ledger).ensemble.frame)


def test_a_bundle_of_other_inputs_is_refused_with_the_difference(run: RunFolder):
    changed = recipe(environment={"windows": [5, 3]})
    parts = PortfolioParts(changed, PortfolioDataset.load(run))
    with pytest.raises(DataError, match=r"windows\[0\]: bundle 4, here 5"):
        parts.policies(load_bundle(run.bundle))


def test_replayed_one_bar_at_a_time_the_ledger_is_that_of_the_backtest(run: RunFolder):
    parts = parts_of(run)
    test = parts.data.dataset.split.test
    rows = RowRange(test.start, test.start + 80)
    ensemble, _ = parts.policies(load_bundle(run.bundle))
    tested, replayed = portfolio_backtest(ensemble, parts.setting(rows)), replay_portfolio(parts, ensemble, rows)
    pd.testing.assert_frame_equal(replayed.frame, tested.frame, check_exact=True)
    assert tested.frame["target.A"].nunique() > 40
    np.testing.assert_array_equal(replayed.timestamps_ms, tested.timestamps_ms)


def test_what_the_recording_holds_behind_a_bar_does_not_reach_a_replayed_decision(run: RunFolder):
    parts = parts_of(run)
    start = parts.data.dataset.split.test.start
    ensemble, _ = parts.policies(load_bundle(run.bundle))
    prices = parts.data.panel.prices.copy()
    prices[:, start + 11 :] *= 3.0
    other = PortfolioParts(parts.recipe, replace(parts.data, panel=replace(parts.data.panel, prices=prices)))
    true, seen = (replay_portfolio(each, ensemble, RowRange(start, start + 20)).frame for each in (parts, other))
    asked = [name for name in true.columns if name.startswith("target.")]
    assert true[asked][:11].equals(seen[asked][:11])
    assert not true[asked].equals(seen[asked])


def test_a_run_is_judged_under_other_costs_in_a_folder_of_its_own(run: RunFolder):
    before = run.metrics.read_bytes()
    dear = judge_run(run, overrides=["costs.taker_bps=50"])
    assert run.metrics.read_bytes() == before
    (folder,) = (run.path / "judged").iterdir()
    assert Judgement.read(folder / "metrics.json").document == dear.document
    usual = Judgement.read(run.metrics).document
    assert dear.document["ensemble"]["total_return"] < usual["ensemble"]["total_return"]
    assert dear.document["run"]["costs"]["taker_bps"] == 50.0
    with pytest.raises(ConfigError, match="allowed sections: costs, simulator"):
        judge_run(run, overrides=["split.test=0.2"])


def test_judging_needs_a_finished_training_and_a_stopped_one_keeps_no_bundle_without_weights(tmp_path: Path):
    run = create_run(recipe(), tmp_path / "runs", tmp_path / "data")
    save_portfolio_bundle(run, complete=False)
    assert not run.bundle.exists()
    with pytest.raises(DataError, match="not trained to its end"):
        judge_run(run)
    with pytest.raises(DataError, match="is gone"):
        save_portfolio_bundle(run, complete=True)
