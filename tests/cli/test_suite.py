"""The suite: every stage of a system in one row, an exit code that tells, and going on after Ctrl-C."""

import json
from pathlib import Path

import pytest

from seawall.core.fan_out import Interrupted
from seawall.core.run_folder import RunFolder
from seawall.recipes import suite as module
from seawall.recipes.families import load_any
from seawall.recipes.suite import SUITE, real_cases, synthetic_cases


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One system of the suite on its synthetic market."""
    from seawall.cli.main import run

    runs = tmp_path_factory.mktemp("suite")
    assert run(["suite", "--only", "tradernet", "--runs", str(runs)]) == 0
    [folder] = (runs / "suite").iterdir()
    return folder


@pytest.mark.slow
def test_a_row_tells_the_result_beside_three_rivals_and_that_all_stages_held(ran):
    [row] = json.loads((ran / SUITE).read_text())["rows"].values()
    assert (row["ok"], row["problem"], row["leakcheck"], row["bundle"]) == (True, None, "clean", "sound")
    assert row["replay"] == {"rows": row["test"]["bars"], "equal": True}
    assert set(row["rivals"]) == {"flat", "buy_and_hold", "random"}
    assert row["rivals"]["flat"] == 0.0
    judged = json.loads((Path(row["run"]) / "metrics.json").read_text())
    assert row["total_return"] == judged["ensemble"]["total_return"]
    assert (row["seeds"], row["verdict"]) == (2, "not judged")


@pytest.mark.slow
def test_the_page_leads_to_the_report_and_states_the_budget(ran):
    page = (ran / "index.html").read_text()
    [row] = json.loads((ran / SUITE).read_text())["rows"].values()
    target = Path(row["report"]).relative_to(ran)
    assert f'href="{target}"' in page
    assert "seawall train tradernet smoke=true" in page
    assert "1 of 1 cases ran" in page


@pytest.mark.slow
def test_a_suite_that_is_whole_is_told_again_without_any_work(ran, seawall, monkeypatch):
    monkeypatch.setattr(module, "_run_case", None)
    again = seawall("suite", "--resume", ran, "--json")
    assert again.code == 0
    assert again.json["ok"] is True


def test_a_case_that_fails_is_told_and_ends_in_one(seawall, tmp_path, monkeypatch):
    broken = [module.SuiteCase("broken", "tradernet", ("smoke=true", "data.n_bars=200"))]
    monkeypatch.setattr(module, "synthetic_cases", lambda: broken)
    done = seawall("suite", "--runs", tmp_path, "--json")
    assert done.code == 1
    [row] = done.json["rows"]
    assert (row["ok"], done.json["ok"]) == (False, False)
    assert "too few" in row["problem"]


def test_a_stopped_suite_goes_on_with_the_run_that_it_had_begun(seawall, tmp_path, monkeypatch):
    begun = []

    def stop(runs, _on_progress):
        begun.extend(runs)
        raise Interrupted("stopped")

    monkeypatch.setattr(module, "train_any", stop)
    assert seawall("suite", "--only", "tradernet", "--runs", tmp_path).code == 130
    assert seawall("suite", "--resume", "latest", "--runs", tmp_path).code == 130
    assert [run.path for run in begun] == [begun[0].path] * 2


def test_what_is_no_folder_of_bars_or_no_recipe_is_refused(seawall, tmp_path):
    refused = seawall("suite", "--real", tmp_path, "--runs", tmp_path)
    assert (refused.code, "has no folder ohlcv" in refused.err) == (2, True)
    refused = seawall("suite", "--only", "tradenet", "--runs", tmp_path)
    assert (refused.code, "allowed: ichimoku-lstm, long-short-zoo, two-stage, portfolio, tradernet" in refused.err) == (2, True)
    assert seawall("suite", "--resume", "latest", "--runs", tmp_path).code == 2
    assert not (tmp_path / "suite").exists()


@pytest.mark.parametrize("case", [*real_cases(Path("data")), *synthetic_cases()], ids=lambda case: case.name)
def test_every_budget_is_a_valid_recipe_of_its_system(case):
    recipe = load_any(case.recipe, case.overrides)
    assert recipe.name == case.recipe
    assert recipe.smoke or recipe.data.last_bars <= 20_000


def test_the_stages_are_told_in_their_order(tmp_path, monkeypatch):
    """The heavy parts are stood in for; what is told between them is the suite's own."""
    told = []
    made = RunFolder(tmp_path / "run")
    metrics = dict.fromkeys(("total_return", "sharpe", "max_drawdown", "turnover_per_year", "trades"), 0.0)
    judged = {
        **{"report": "page", "test": {}, "seeds": {}, "baselines": {}, "intervals": {"ensemble": {}}},
        **{"ensemble": {**metrics, "costs": {"share_of_initial_equity": 0.0}}, "verdict": {"level": "none", "headline": ""}},
    }
    stands_in = {
        "create_pretraining": lambda *_: made,
        "pretrain_run": lambda _run, tell: tell({}),
        "create_any_run": lambda *_: made,
        "train_any": lambda _runs, tell: tell(made, 0, {}),
        "judge_cases": lambda _cases, tell: tell(None, "ensemble") or [judged],
        "check_any": lambda *_: [],
        "replayed": lambda *_: {"rows": 1, "equal": True},
        "verify_bundle": lambda _place: [],
    }
    for name, stand_in in stands_in.items():
        monkeypatch.setattr(module, name, stand_in)
    folder = module.begin_suite([module.SuiteCase("two stages", "two-stage", ("smoke=true",))], tmp_path)
    module.run_suite(folder, tmp_path, lambda _case: None, lambda stage, _facts: told.append(stage))
    assert tuple(dict.fromkeys(told)) == ("encoder", "training", "judging", "leak check", "replay", "bundle")
