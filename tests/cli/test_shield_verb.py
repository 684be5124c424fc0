"""``seawall shield`` on the small trained run."""

import json
from pathlib import Path

import pytest

from seawall.core.run_folder import RunFolder
from seawall.recipes.judging import Case, open_case
from seawall.recipes.shield import Wanted, shield_of
from seawall.recipes.shield_study import Study


@pytest.fixture(scope="module")
def run(trained):
    return next(path.parent for path in trained.glob("*/*/recipe.yaml"))


@pytest.fixture(scope="module")
def opened(run):
    case = Case(RunFolder(run))
    return case, open_case(case)


def test_the_shield_is_every_guard_that_can_act_and_says_which_cannot(opened):
    case, parts = opened
    shield, left_out = shield_of(parts, case, Wanted())
    own = {place.guard for place in shield.places if not place.instead_of}
    assert set(left_out) == {"smurf", "kill_switch"}
    assert {"stale_data", "disagreement", "feature_drift", "max_drawdown"} < own
    assert len(own) == 15
    assert [place.label for place in shield.places if place.trained] == ["n_consecutive"]
    readings = {(p.settings["mode"], p.settings["exits_exempt"]) for p in shield.places if p.guard == "n_consecutive"}
    assert readings == {("veto_repeat", False), ("veto_repeat", True), ("confirm", False), ("confirm", True)}
    blocking = [guard.may_block_exit for guard in shield.guards(parts.parts)]
    assert blocking == sorted(blocking, reverse=True)
    assert sum(blocking) == 3


def test_named_settings_take_precedence_and_the_recipes_guard_goes_on_watching_where_it_is_shown(opened):
    case, parts = opened
    shield, _ = shield_of(parts, case, Wanted({"n_consecutive": {"n": 3}, "kill_switch": {}, "max_drawdown": {"limit": 0.1}}))
    places = {place.label: place for place in shield.places}
    assert (places["n_consecutive"].watches, places["n_consecutive"].settings["n"]) == (True, 2)
    named = places["n_consecutive (as named)"]
    assert (named.settings["n"], named.settings["mode"], named.trained) == (3, "veto_repeat", False)
    assert places["max_drawdown"].settings["limit"] == 0.1
    assert "kill_switch" in places
    judged = {name for variant in shield.variants() for name in variant.in_force}
    assert "n_consecutive" not in judged
    assert shield.key() != shield_of(parts, case, Wanted())[0].key()


def test_a_plan_says_what_is_ahead_and_walks_nothing(run, seawall, tmp_path):
    result = seawall("shield", run, "--fee-bps", "10", "--fee-bps", "70", "--out", tmp_path / "out", "--plan", "--json")
    assert result.code == 0, result.err
    budget = result.json["budget"]
    assert (budget["walks"], budget["waiting"], budget["bars"]) == (6, 6, 6 * (budget["bars"] // 6))
    assert budget["bars_per_second"]["seed"] > 0.0
    assert budget["seconds"] >= budget["bars"] / max(budget["bars_per_second"].values())
    assert "Left out: kill_switch" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--guard", "no_such"], "guard 'no_such' is unknown; allowed: n_consecutive"),
        (["--guard", "max_drawdown.limit=7"], "guard max_drawdown"),
        (["--guard", "session.windows=[nowhere]"], "guard session"),
        (["--fee-bps", "-1"], "--fee-bps is -1; allowed: 0 to 1000"),
        (["--fee-bps", "10", "--fee-bps", "10"], "names a fee twice"),
        (["--smurf", "no-such-run"], "no-such-run"),
    ],
)
def test_what_cannot_be_studied_is_refused(run, seawall, words, message):
    result = seawall("shield", run, *words)
    assert result.code == 2
    assert message in result.err


def test_smurfs_for_some_of_the_runs_alone_are_refused(run, seawall):
    result = seawall("shield", run, "--smurf", run, "--smurf", run)
    assert result.code == 2
    assert "--smurf names 2 supervisors for 1 runs; allowed: one for all, or one for each run in their order" in result.err


def test_each_run_has_its_own_smurf_or_all_have_the_one(tmp_path):
    runs = tuple(RunFolder(tmp_path / name) for name in ("btc", "eth"))
    smurfs = tuple(RunFolder(tmp_path / name) for name in ("careful-btc", "careful-eth"))
    wanted = Wanted({"smurf": {"exits_exempt": True}})
    studies = [Study(runs, wanted=wanted, smurfs=each) for each in ((), smurfs[:1], smurfs)]
    named = [[study.wanted_for(run).named["smurf"].get("bundle") for run in runs] for study in studies]
    one, other = (str(smurf.path.resolve()) for smurf in smurfs)
    assert named == [[None, None], [one, one], [one, other]]
    assert all(study.wanted_for(runs[1]).named["smurf"]["exits_exempt"] for study in studies)


def test_a_run_twice_an_untrained_one_and_one_of_a_portfolio_are_refused(run, seawall, tmp_path):
    twice = seawall("shield", run, run)
    assert (twice.code, "each once" in twice.err) == (2, True)
    untrained = tmp_path / "untrained"
    untrained.mkdir()
    (untrained / "recipe.yaml").write_text((run / "recipe.yaml").read_text())
    result = seawall("shield", untrained)
    assert (result.code, "not trained" in result.err) == (2, True)
    of_portfolio = tmp_path / "portfolio"
    of_portfolio.mkdir()
    (of_portfolio / "recipe.yaml").write_text("kind: portfolio\nname: p\n")
    result = seawall("shield", of_portfolio)
    assert (result.code, "a run of a portfolio" in result.err) == (2, True)


@pytest.mark.slow
def test_a_shield_is_judged_as_the_run_was_kept_and_taken_up_again(run, seawall, tmp_path):
    words = ("shield", run, "--out", tmp_path, "--json")
    result = seawall(*words)
    assert result.code == 0, result.err
    [table] = result.json["tables"]
    rows = {row["name"]: row for row in table["rows"]}
    judged = json.loads((run / "metrics.json").read_text())
    trained = rows["only n_consecutive"]
    for measure in ("total_return", "max_drawdown", "turnover_per_year"):
        assert trained[measure]["value"] == judged["ensemble"][measure]
        for seed, metrics in judged["seeds"].items():
            assert trained["seeds"][f"seed {seed}"][measure] == metrics[measure]
    assert trained["round_trips"]["value"] == judged["ensemble"]["trades"]
    # None, 15 guards, 3 other readings of one of them, all, and all with each of those 3.
    assert len(rows) == 1 + 15 + 3 + 1 + 3
    assert (tmp_path / "shield.html").is_file()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "walks").rglob("*.parquet")}
    assert sorted(path.name for path in kept) == ["ensemble.parquet", "seed-0.parquet", "seed-1.parquet"]
    lost = next(path for path in kept if path.name == "seed-1.parquet")
    lost.unlink()
    again = seawall(*words)
    assert (again.json["tables"], again.json["budget"]["waiting"]) == (result.json["tables"], 1)
    assert [Path(path).name for path, at in kept.items() if path.stat().st_mtime_ns != at] == ["seed-1.parquet"]
