"""``seawall ablate`` and ``seawall hindsight`` on the small trained run."""

import json
import re
from pathlib import Path

import pytest

from seawall.core.errors import ConfigError
from seawall.guards.registry import GUARDS
from seawall.recipes import plugins
from seawall.recipes.ablation import guards_named


@pytest.fixture(scope="module")
def run(trained):
    return next(path.parent for path in trained.glob("*/*/recipe.yaml"))


def own_html(page: Path) -> str:
    """The page without the plotting library."""
    text = page.read_text()
    return text.replace(max(re.findall(r"<script>.*?</script>", text, flags=re.S), key=len), "")


def test_all_guards_are_what_the_run_was_judged_with_and_walks_are_kept(run, seawall):
    result = seawall("ablate", run, "--json")
    assert result.code == 0
    rows = {row["name"]: row for row in result.json["rows"]}
    assert list(rows) == ["no guard", "all guards"]
    judged = json.loads((run / "metrics.json").read_text())
    for measure in ("total_return", "max_drawdown", "sharpe", "turnover_per_year"):
        assert rows["all guards"][measure]["value"] == judged["ensemble"][measure]
        for seed, metrics in judged["seeds"].items():
            assert rows["all guards"]["seeds"][f"seed {seed}"][measure] == metrics[measure]
    assert result.json["guards"][0]["name"] == "n_consecutive"
    folder = Path(result.json["files"]["folder"])
    assert "http" not in own_html(folder / "index.html").replace("http-equiv", "")
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert sorted(kept) == ["ensemble.parquet", "seed-0.parquet", "seed-1.parquet"]
    (folder / "seed-1.parquet").unlink()
    again = seawall("ablate", run, "--json")
    assert again.json["rows"] == result.json["rows"]
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert [name for name in kept if after[name] != kept[name]] == ["seed-1.parquet"]


PLUGIN = """
import numpy as np
from seawall.core.params import Params
from seawall.core.protocols import GuardVerdict
from seawall.guards.registry import GuardEntry

class CapParams(Params):
    most: float = 0.5

class Cap:
    name, may_block_exit, reasons, state_names = "ablated_cap", False, ("too large",), ()

    def __init__(self, params):
        self.most = params.most

    def initial_state(self, n):
        return np.zeros((n, 0))

    def apply(self, current, proposed, context, state):
        allowed = np.clip(proposed, -self.most, self.most)
        return GuardVerdict(allowed, (allowed != proposed).astype(np.int8), state)

GUARDS = {"ablated_cap": GuardEntry(CapParams, Cap)}
"""


@pytest.fixture
def untouched_guards():
    """Take the guard that a test registers out again."""
    guards, loaded = dict(GUARDS), dict(plugins._LOADED)
    yield
    for registry, before in ((GUARDS, guards), (plugins._LOADED, loaded)):
        registry.clear()
        registry.update(before)


@pytest.mark.usefixtures("untouched_guards")
def test_a_guard_of_a_plugin_is_ablated_beside_the_recipes_own(run, seawall, tmp_path):
    plugin = tmp_path / "cap.py"
    plugin.write_text(PLUGIN)
    result = seawall("ablate", run, "--guard", "ablated_cap.most=0.25", "--plugin", plugin, "--json")
    assert result.code == 0, result.err
    assert [row["name"] for row in result.json["rows"]] == ["no guard", "only n_consecutive", "only ablated_cap", "all guards"]
    described = {each["name"]: each for each in result.json["guards"]}
    assert described["ablated_cap"]["settings"] == {"most": 0.25}
    assert not described["ablated_cap"]["in_recipe"]
    assert all(row["mean_absolute_exposure"] <= 0.3 for row in result.json["rows"] if "ablated_cap" in row["in_force"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--guard", "no_such"], "guard 'no_such' is unknown; allowed: n_consecutive"),
        (["--guard", "n_consecutive.n=3"], "in the run's recipe already"),
        (["split.test=0.5"], "cannot change how a trained run is judged"),
    ],
)
def test_what_cannot_be_ablated_is_refused(run, seawall, words, message):
    result = seawall("ablate", run, *words)
    assert result.code == 2
    assert message in result.err


def test_guards_are_named_with_their_settings():
    assert guards_named(["a.n=3", "b", "a.mode=confirm"]) == {"a": {"n": 3, "mode": "confirm"}, "b": {}}
    for word in ("a.n", "a=3", ".n=3", ""):
        with pytest.raises(ConfigError, match="is not understood"):
            guards_named([word])
    with pytest.raises(ConfigError, match="twice"):
        guards_named(["a.n=3", "a.n=4"])


def test_a_run_is_scored_beside_policies_without_skill(run, seawall):
    result = seawall("hindsight", run, "--fee", "0.007", "--draws", "100", "--json")
    assert result.code == 0
    [document] = result.json["scores"]
    [scores] = document["tables"]
    named = {row["name"]: row for row in scores["rows"]}
    assert {"the policy without its guards", "the policy behind its guards", "always buy", "random: sell or buy"} <= set(named)
    assert named["always buy"]["hours_traded"] == 1.0
    assert named["random: sell or buy"]["total_return"]["mean"] < 0.0
    assert max(row["pnl"]["mean"] for row in scores["rows"]) <= scores["highest_pnl"]
    page = Path(result.json["page"])
    assert page == run / "hindsight" / "index.html"
    assert "Hindsight score, not money" in own_html(page)


def test_bars_alone_are_scored_and_a_text_says_that_it_is_not_money(seawall, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert seawall("data", "synth", "bars.parquet", "--kind", "random_walk", "--bars", "400").code == 0
    result = seawall("hindsight", "--data", "bars.parquet", "--draws", "100")
    assert result.code == 0, result.err
    assert result.out.startswith("Hindsight score, not money")
    assert [line.split("  ")[0] for line in result.out.splitlines()].count("always buy") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bars.parquet"]


def test_nothing_to_score_and_an_impossible_fee_are_refused(seawall):
    nothing = seawall("hindsight")
    assert (nothing.code, "nothing to score was named" in nothing.err) == (2, True)
    dear = seawall("hindsight", "--data", "x.parquet", "--fee", "0.7")
    assert (dear.code, "allowed: a share of 0 to 0.1" in dear.err) == (2, True)
