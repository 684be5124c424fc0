"""``seawall nulls`` on the small trained run."""

import json
import shutil

import pytest

from seawall.core.trials import REGISTRY


@pytest.fixture
def runs(trained, tmp_path):
    """A copy: the run's page and folder are other tests' too."""
    return shutil.copytree(trained, tmp_path / "runs")


def test_what_is_ahead_is_said_by_the_runs_own_measured_time(runs, seawall):
    result = seawall("nulls", "latest", "--runs", runs, "--markets", "30", "--seeds", "1", "--workers", "3", "--plan", "--json")
    assert result.code == 0, result.err
    [run] = runs.glob("*/*/recipe.yaml")
    seconds = [each["seconds"] for each in json.loads((run.parent / "training.json").read_text())["seeds"]]
    budget = result.json["budget"]
    assert (budget["waiting"], budget["workers"]) == (60, 3)
    assert budget["total_seconds"] == pytest.approx(60 * sum(seconds) / 2)
    assert budget["wall_seconds"] == pytest.approx(20 * sum(seconds) / 2)
    assert "Ahead: 60 null markets, 1 seed × " in result.err
    assert "with 1 of the run's 2 seeds" in result.err
    assert not (run.parent / "nulls" / "nulls.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--markets", "0"], "--markets is 0; allowed: 1 to 10,000"),
        (["--kind", "noise"], "--kind is 'noise'; allowed: walk, shuffle, both"),
        (["--seeds", "3"], "--seeds is 3; allowed: 1 to 2"),
        (["--drift", "up"], "--drift is 'up'; allowed: keep, remove"),
    ],
)
def test_what_cannot_be_tested_is_refused(trained, seawall, words, message):
    result = seawall("nulls", "latest", "--runs", trained, *words)
    assert result.code == 2
    assert message in result.err


@pytest.mark.slow
def test_a_run_is_placed_among_null_results_on_its_page_and_no_trial_is_added(runs, seawall):
    registry = (runs / REGISTRY).read_bytes()
    words = ("nulls", "latest", "--runs", runs, "--markets", "1", "--seeds", "1", "--kind", "shuffle", "--block", "12")
    result = seawall(*words, "--json")
    assert result.code == 0, result.err
    [run] = runs.glob("*/*/recipe.yaml")
    assert (runs / REGISTRY).read_bytes() == registry
    told = result.json["kinds"]["shuffle"]
    judged = json.loads((run.parent / "metrics.json").read_text())
    assert result.json["real"]["sharpe"] == judged["ensemble"]["sharpe"]
    assert told["positions"]["sharpe"]["p"] in (0.5, 1.0)
    assert "blocks of 12" in told["made"]
    page = (run.parent / "report" / "index.html").read_text()
    assert "The same pipeline on noise" in page
    assert 'id="plot-nulls"' in page
    assert sorted(path.name.split("-")[0] for path in (run.parent / "nulls").iterdir() if path.suffix != ".lock") == [
        "nulls.json", "shuffle", "trials.jsonl"
    ]  # fmt: skip
    again = seawall(*words)
    assert again.code == 0
    assert "1 of 1 null markets are judged already." in again.err
    assert told["words"][0] in again.out
