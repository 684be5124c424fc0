"""The small presets of recipes, the newest bars of a file, and networks and guards of one's own."""

import pandas as pd
import pytest

from seawall.core.errors import ConfigError
from seawall.guards.registry import GUARDS
from seawall.nets.registry import NETWORKS
from seawall.recipes import plugins
from seawall.recipes.dataset import load_bars
from seawall.recipes.plugins import load_plugin
from seawall.recipes.schema import load_recipe


def test_the_small_preset_lies_below_what_the_command_says():
    plain, small = load_recipe("tradernet"), load_recipe("tradernet", ["smoke=true", "agent.n_envs=32"])
    assert (plain.smoke, plain.data.n_bars, plain.training.n_seeds) == (False, 40_000, 5)
    assert (small.smoke, small.data.n_bars, small.training.n_seeds) == (True, 3_000, 2)
    assert small.agent["n_envs"] == 32


def test_the_small_preset_lies_above_what_a_recipe_extends(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: tradernet\nname: mine\nsmoke: true\nagent: {total_steps: 8192, gamma: 0.5}\n")
    mine = load_recipe(str(path))
    assert (mine.agent["total_steps"], mine.agent["gamma"]) == (4_096, 0.5)


def test_a_small_preset_that_is_not_there_or_not_asked_for_in_words_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ndata: {kind: regimes}\nnetwork: {kind: conv}\nagent: {kind: ppo}\n")
    assert not load_recipe(str(path)).smoke
    with pytest.raises(ConfigError, match=r"smoke is true, and recipe .*mine.yaml has no presets.smoke"):
        load_recipe(str(path), ["smoke=true"])
    with pytest.raises(ConfigError, match=r"smoke is 1"):
        load_recipe("tradernet", ["smoke=1"])


def test_a_smurf_is_paid_to_hold_and_has_no_guard_of_its_own_unless_the_command_says_so():
    smurf = load_recipe("tradernet", ["agent=dqn", "role=smurf"])
    assert (smurf.role, smurf.agent["kind"], smurf.guards) == ("smurf", "dqn", {})
    assert smurf.simulator.reward.weights == {"log_return": 1.0, "fee": 3 / 7, "hold_decision": 0.275}
    own = load_recipe("tradernet", ["role=smurf", "simulator.reward.preset=smurf_exit", "guards.n_consecutive.n=3"])
    assert own.simulator.reward.hindsight_hold == 0.0055
    assert own.guards["n_consecutive"]["n"] == 3
    assert load_recipe("tradernet").role == "main"
    assert load_recipe("tradernet").digest() != load_recipe("tradernet", ["role=smurf"]).digest()


def test_a_role_that_is_not_known_or_not_prepared_for_is_refused():
    with pytest.raises(ConfigError, match="role is 'shield'"):
        load_recipe("tradernet", ["role=shield"])
    with pytest.raises(ConfigError, match=r"role is smurf, and recipe ichimoku-lstm has no presets.smurf; allowed: main, or add"):
        load_recipe("ichimoku-lstm", ["role=smurf"])


def test_the_agent_that_is_named_brings_its_preset_and_its_small_one():
    exact = load_recipe("tradernet", ["agent=exact", "agent.gamma=0.9"])
    assert (exact.environment.account_columns, exact.environment.guard_columns) == (("target",), False)
    assert (exact.agent["gamma"], exact.agent["total_steps"]) == (0.9, 1_048_576)
    assert load_recipe("tradernet", ["agent=exact", "smoke=true"]).agent["total_steps"] == 16_384
    small = load_recipe("tradernet", ["smoke=true", "agent.gamma=0.9", "agent=dqn"])
    assert (small.agent["kind"], small.agent["total_steps"], small.agent["gamma"]) == ("dqn", 8_192, 0.9)
    assert load_recipe("tradernet", ["agent=dqn"]).agent["total_steps"] == 262_144


def test_the_newest_bars_of_a_file_are_taken(tmp_path):
    times = pd.date_range("2024-01-01", periods=500, freq="1h", tz="UTC")
    prices = pd.Series(range(100, 600), dtype=float)
    bars = pd.DataFrame({"timestamp": times, "open": prices, "high": prices, "low": prices, "close": prices, "volume": 1.0})
    bars.to_parquet(tmp_path / "bars.parquet")
    recipe = load_recipe("tradernet", [f"data={tmp_path / 'bars.parquet'}", "data.last_bars=120"])
    found, _origin = load_bars(recipe, tmp_path)
    assert found["close"].tolist() == list(range(480, 600))


PART = "from seawall.nets.registry import NETWORKS as OWN\nfrom seawall.guards.registry import GUARDS as THEIRS\n"


@pytest.fixture
def untouched_registries(monkeypatch):
    before = dict(NETWORKS), dict(GUARDS), dict(plugins._LOADED)
    yield
    for registry, kept in zip((NETWORKS, GUARDS, plugins._LOADED), before, strict=True):
        registry.clear()
        registry.update(kept)


@pytest.mark.usefixtures("untouched_registries")
@pytest.mark.parametrize(
    ("added", "said"),
    [
        ('NETWORKS = {"conv": OWN["conv"]}', "adds 'conv' to NETWORKS, where there is one of that name"),
        ('NETWORKS = {"mine": OWN["conv"][1]}', "has function for 'mine' in NETWORKS; allowed: a class of NetworkParams and"),
        ('NETWORKS = {"mine": (dict, OWN["conv"][1])}', "has tuple for 'mine' in NETWORKS"),
        ('GUARDS = {"mine": THEIRS["n_consecutive"].build}', "for 'mine' in GUARDS; allowed: GuardEntry"),
    ],
)
def test_a_network_or_guard_of_the_wrong_kind_is_refused(added, said, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"{PART}{added}\n")
    with pytest.raises(ConfigError) as refused:
        load_plugin(path)
    assert said in str(refused.value)


@pytest.mark.usefixtures("untouched_registries")
def test_a_network_and_a_guard_of_ones_own_can_be_named(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f'{PART}NETWORKS = {{"mine": OWN["conv"]}}\nGUARDS = {{"again": THEIRS["n_consecutive"]}}\n')
    recipe = load_recipe("tradernet", ["network={kind: mine, filters: 4}", "guards.n_consecutive=null", "guards.again.n=3"], [path])
    assert recipe.network["filters"] == 4
    assert recipe.guards["again"]["n"] == 3
