import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seawall.core.errors import ConfigError, DataError
from seawall.core.run_folder import RunFolder
from seawall.features.columns import COLUMNS
from seawall.features.registry import FEATURE_SETS
from seawall.recipes import plugins
from seawall.recipes.dataset import prepare
from seawall.recipes.experiment import create_run, load_run_recipe, trust_run
from seawall.recipes.plugins import TRUSTED, load_plugin
from seawall.recipes.schema import load_recipe

MOMENTUM = """
import numpy as np
from seawall.features.columns import Column

def momentum(bars):
    return np.log(bars["close"] / bars["close"].shift(10))

COLUMNS = {"momentum_10": Column(momentum, warmup=10)}
"""


@pytest.fixture(autouse=True)
def untouched_registries(monkeypatch):
    """Take what a test registers out again."""
    columns, sets, loaded = dict(COLUMNS), dict(FEATURE_SETS), dict(plugins._LOADED)
    monkeypatch.delenv(TRUSTED, raising=False)
    yield
    for registry, before in ((COLUMNS, columns), (FEATURE_SETS, sets), (plugins._LOADED, loaded)):
        registry.clear()
        registry.update(before)


def written(tmp_path, text, name="mine.py"):
    path = tmp_path / name
    path.write_text(text)
    return path


def small(path, *overrides):
    return load_recipe("tradernet", ["data.n_bars=3000", "features.columns=[momentum_10]", *overrides], [path])


def test_a_column_of_a_plugin_stands_after_the_set_and_holds_what_its_function_gives(tmp_path):
    recipe = small(written(tmp_path, MOMENTUM), "features.scaling=none")
    market = prepare(recipe, Path("data")).market
    assert market.feature_names[-1] == "momentum_10"
    close = market.prices[:, 3]
    row = market.ready[0] + 5
    assert market.features[row, -1] == np.float32(np.log(close[row] / close[row - 10]))


def test_a_column_that_warms_up_longer_than_its_set_moves_the_first_row(tmp_path):
    path = written(tmp_path, MOMENTUM.replace("warmup=10", "warmup=500"))
    assert prepare(small(path), Path("data")).market.ready == (500,)


def test_a_set_of_a_plugin_can_be_named_and_its_hash_follows_its_text(tmp_path):
    text = """
from seawall.core.protocols import FeatureSet
FEATURE_SETS = {"calm": FeatureSet("x", ("quiet",), 3, (), lambda bars: bars[["volume"]].to_numpy())}
"""
    first = load_recipe("tradernet", ["features.set=calm", "features.omit=[]"], [written(tmp_path, text, "one.py")])
    assert prepare(first, Path("data")).market.feature_names == ("quiet",)
    hashes = {prepare(first, Path("data")).facts["feature_hash"]}
    del FEATURE_SETS["calm"]
    second = load_recipe(
        "tradernet", ["features.set=calm", "features.omit=[]"], [written(tmp_path, text + "# changed\n", "two.py")]
    )
    assert len(hashes | {prepare(second, Path("data")).facts["feature_hash"]}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "adds nothing; allowed: a dictionary named COLUMNS or FEATURE_SETS"),
        ("def broken(:", r"cannot be run at line 1: SyntaxError"),
        ("\nraise ValueError('no luck')", r"cannot be run at line 2: ValueError: no luck"),
        ("COLUMNS = {'a': 3}", r"has int for 'a' in COLUMNS; allowed: Column"),
        ("FEATURE_SETS = {'technical': 3}", "adds 'technical' to FEATURE_SETS, where there is one of that name"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_refused_with_its_file(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as refusal:
        load_plugin(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_or_no_python_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plugin(tmp_path / "none.py")
    with pytest.raises(ConfigError, match="no Python file"):
        load_plugin(written(tmp_path, MOMENTUM, "mine.txt"))


def test_a_function_that_returns_no_number_a_bar_is_refused_by_name(tmp_path):
    path = written(tmp_path, MOMENTUM.replace('np.log(bars["close"] / bars["close"].shift(10))', "[1.0, 2.0]"))
    with pytest.raises(ConfigError, match=r"'momentum_10' returned shape \(2,\)"):
        prepare(small(path), Path("data"))


def test_a_recipe_with_a_plugin_is_another_recipe_and_is_refused_without_it(tmp_path):
    with_plugin = small(written(tmp_path, MOMENTUM))
    assert list(with_plugin.plugins) == ["mine.py"]
    assert with_plugin.digest() != with_plugin.model_copy(update={"plugins": {}}).digest()
    plugins._LOADED.clear()
    (tmp_path / "saved.json").write_text(json.dumps(with_plugin.model_dump(mode="json")))
    with pytest.raises(ConfigError, match=r"uses the plugin mine\.py .* give it with --plugin"):
        load_recipe(str(tmp_path / "saved.json"))


def forgotten():
    """Be as a new process, in which no plugin was loaded."""
    plugins._LOADED.clear()
    COLUMNS.pop("momentum_10", None)


def test_a_runs_plugin_is_kept_and_never_run_without_trust(tmp_path, monkeypatch):
    run = create_run(small(written(tmp_path, MOMENTUM)), tmp_path / "runs", Path("data"))
    assert (run.path / "plugins" / "mine.py").read_text() == MOMENTUM
    forgotten()
    monkeypatch.delenv(TRUSTED)
    with pytest.raises(ConfigError, match=r"runs the code of its plugin .*mine\.py; read it, and allow it with --trust"):
        load_run_recipe(RunFolder(run.path))
    assert "momentum_10" not in COLUMNS
    trust_run(run)
    assert load_run_recipe(RunFolder(run.path)).features.columns == ("momentum_10",)


def test_a_plugin_that_was_altered_in_its_run_is_refused_also_with_trust(tmp_path):
    run = create_run(small(written(tmp_path, MOMENTUM)), tmp_path / "runs", Path("data"))
    forgotten()
    (run.path / "plugins" / "mine.py").write_text(MOMENTUM + "\nprint('evil')\n")
    trust_run(run)
    with pytest.raises(DataError, match="is not the plugin that the run was made with"):
        load_run_recipe(RunFolder(run.path))


@pytest.mark.slow
def test_a_run_with_a_plugin_trains_and_is_judged_in_processes_of_their_own(tmp_path):
    path = written(tmp_path, MOMENTUM)
    small_run = ["data.n_bars=4000", "agent.total_steps=4096", "training.n_seeds=2", "features.columns=[momentum_10]"]
    code = "from seawall.cli.main import main; main()"
    command = [sys.executable, "-c", code]
    trained = subprocess.run(
        [*command, "train", "tradernet", *small_run, "--plugin", str(path), "--runs", str(tmp_path / "runs"), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    run = json.loads(trained.stdout)["run"]
    judge = [*command, "backtest", run, "--json"]
    refused = subprocess.run(judge, capture_output=True, text=True, check=False)
    assert (refused.returncode, "--trust" in refused.stderr) == (2, True)
    judged = subprocess.run([*judge, "--trust"], capture_output=True, text=True, check=True)
    assert json.loads(judged.stdout)["verdict"]
