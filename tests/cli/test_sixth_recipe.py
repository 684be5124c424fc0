"""The example of a recipe with a feature, a reward term, a network and a guard of one's own, outside the package."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "sixth_recipe"
RECIPE, PARTS = FOLDER / "calm-momentum.yaml", FOLDER / "parts.py"


def seawall(folder, *words):
    """Run a command in a process of its own, so that the example's parts stay in no registry of these tests."""
    start = "import sys; from seawall.cli.main import run; sys.exit(run(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", start, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sixth")
    done = seawall(folder, "train", RECIPE, "--plugin", PARTS, "smoke=true", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_four_parts_of_ones_own_take_less_than_a_hundred_lines():
    assert len(PARTS.read_text().splitlines()) < 100


def test_its_bundle_has_all_four_parts_and_a_copy_of_their_file(trained):
    folder, document = trained
    run = folder / document["run"]
    manifest = json.loads((run / "bundle" / "bundle.json").read_text())
    recipe = manifest["recipe"]
    assert "momentum_12" in manifest["features"]["names"]
    assert recipe["simulator"]["reward"]["weights"] == {"log_return": 1.0, "calm": 0.05}
    assert manifest["network"]["kind"] == "gru"
    assert list(manifest["guards"]) == ["quiet_hours"]
    assert (run / "plugins" / "parts.py").read_text() == PARTS.read_text()


def test_it_is_judged_only_where_its_code_is_trusted_and_opens_nothing_while_every_hour_is_quiet(trained):
    folder, document = trained
    refused = seawall(folder, "backtest", document["run"])
    assert refused.returncode == 2
    assert "--trust" in refused.stderr
    judged = seawall(folder, "backtest", document["run"], "--trust", "guards.quiet_hours.first=0", "--json")
    assert judged.returncode == 0, judged.stderr
    ledger = pd.read_parquet(folder / json.loads(judged.stdout)["ledger"])
    ensemble = ledger[ledger["policy"] == "ensemble"]
    vetoed = ensemble["proposed"] != 0.0
    assert vetoed.any()
    assert (ensemble["guard"] == "quiet_hours").equals(vetoed)
    assert not ensemble[["allowed", "traded_notional"]].any(axis=None)


@pytest.mark.slow
def test_it_knows_nothing_too_early(trained):
    folder, _document = trained
    checked = seawall(folder, "leakcheck", RECIPE, "--plugin", PARTS, "smoke=true", "--json")
    assert checked.returncode == 0, checked.stdout
