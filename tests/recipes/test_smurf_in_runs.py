"""A run behind a Smurf: trained, kept, judged, replayed and ablated with both networks; and the Smurfs that it refuses."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from seawall.agents.bundle import load_bundle, save_bundle
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import write_json
from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.core.run_folder import RunFolder
from seawall.engine.decision import DecisionLoop
from seawall.evaluation.backtest import backtest
from seawall.features.scaling.scaler import Scaler
from seawall.market.splits import Split
from seawall.recipes.ablation import Ablation, ablate
from seawall.recipes.assembly import Parts
from seawall.recipes.bundle_check import verify_bundle
from seawall.recipes.bundles import find_bundle
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import create_run, load_run_recipe, train_seed
from seawall.recipes.judging import Case, open_case
from seawall.recipes.paper import PaperCase, replay_run
from seawall.recipes.run_bundle import save_finished
from seawall.recipes.schema import load_recipe
from seawall.recipes.smurf import require_fitting, supervisor_of
from seawall.simulator.actions.registry import SellBuyHold
from seawall.simulator.simulator import Simulator

HOLD = SellBuyHold.HOLD

SMALL = ("data={kind: planted_edge, n_bars: 1200, edge: 0.05}", "training.n_seeds=1", "smoke=true", "network.hidden=16")
DQN = ("agent=dqn", "agent.total_steps=512", "agent.learning_starts=128", "agent.batch=64", "network.filters=4")
PPO = ("agent={kind: ppo, total_steps: 1024, n_envs: 16, n_steps: 32, minibatch: 256, n_epochs: 1}", "network.filters=4")
QUIET = SimpleNamespace(should_stop=lambda: False, send=lambda _message: None)


def trained(folder, *overrides):
    """A run trained in this process, as the command trains it in others."""
    recipe = load_recipe("tradernet", [*SMALL, *overrides])
    run = create_run(recipe, folder / "runs", folder / "data")
    summary = train_seed(str(run.path), 0, QUIET)
    save_finished(run, recipe)
    write_json(run.path / "training.json", {"seeds": [vars(summary)]})
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("smurf")


@pytest.fixture(scope="module")
def smurf(folder):
    run = trained(folder, *DQN, "role=smurf")
    # So short a training may never hold, or always: its bias for HOLD is moved to where it holds at half of the rows.
    bundle, dataset = load_bundle(run.bundle), Dataset.load(run)
    policy = Parts(load_run_recipe(run), dataset).policies(bundle)[0]
    rows = np.arange(dataset.split.train.start, dataset.split.train.stop)
    values = policy.act(Observation(dataset.market, rows, np.zeros((len(rows), 1), np.float32)))[1]["values"]
    behind = np.median(values[:, :HOLD].max(1) - values[:, HOLD]) / float(bundle.members[0]["reward_scale"])
    bundle.members[0]["advantage_head.bias"][HOLD] += float(behind)
    save_bundle(run.bundle, bundle.manifest, bundle.members)
    return run


@pytest.fixture(scope="module")
def supervised(folder, smurf):
    """A run whose policy learned behind the Smurf; the Smurf's own run is out of the way by then."""
    run = trained(folder, *PPO, f"guards.smurf.bundle={smurf.path}")
    # For the same reason the policy is made to trade: the Smurf can hold nothing where nothing is asked.
    bundle = load_bundle(run.bundle)
    bundle.members[0]["policy_head.bias"][HOLD] -= 10.0
    save_bundle(run.bundle, bundle.manifest, bundle.members, bundle.smurf)
    return run


def untouched(folder, smurf, *overrides):
    """The recipe and the dataset of a run behind the Smurf, which is not opened."""
    recipe = load_recipe("tradernet", [*SMALL, *PPO, f"guards.smurf.bundle={smurf.path}", *overrides])
    return recipe, folder / "runs", folder / "data"


def test_a_smurf_says_what_it_is_and_which_bars_it_has_seen(smurf):
    manifest, dataset = load_bundle(smurf.bundle).manifest, Dataset.load(smurf)
    assert manifest["role"] == "smurf"
    assert manifest["guards"] == {}
    assert manifest["seen"]["last_seen_ms"] == dataset.market.timestamps[dataset.split.validation.stop - 1]


def test_the_bundle_carries_both_networks_and_is_sound(supervised, smurf):
    bundle, own = load_bundle(supervised.bundle), load_bundle(smurf.bundle)
    assert bundle.manifest["role"] == "main"
    assert [entry["weights_hash"] for entry in bundle.smurf.manifest["members"]] == [
        entry["weights_hash"] for entry in own.manifest["members"]
    ]
    assert {check.state for check in verify_bundle(find_bundle(supervised.path, str(supervised.path)))} == {"ok"}


def test_a_bundle_whose_smurf_was_changed_is_refused(supervised, smurf, tmp_path):
    shutil.copytree(supervised.bundle, tmp_path / "bundle")
    other = load_bundle(smurf.bundle)
    save_bundle(tmp_path / "bundle" / "smurf", {**other.manifest, "seeds": [7]}, other.members)
    with pytest.raises(DataError, match=r"the Smurf in .* has hash .* and the bundle says .*: it was changed"):
        load_bundle(tmp_path / "bundle")


def test_where_the_smurf_would_hold_the_account_holds_and_elsewhere_the_policys_word_stands(supervised):
    opened = open_case(Case(supervised))
    frame = backtest(
        opened.ensemble, opened.parts.dataset.market, opened.rows, opened.parts.desk(1), opened.recipe.costs,
        opened.recipe.simulator, opened.recipe.environment.account_columns,
    ).frame  # fmt: skip
    held = frame["guard"] == "smurf"
    assert 0 < held.sum() < len(frame)
    before = frame["allowed"].shift(fill_value=0.0)
    assert (frame["allowed"][held] == before[held]).all()
    free = frame["guard"] == ""
    assert (frame["allowed"][free] == frame["proposed"][free]).all()


def test_a_replay_on_paper_equals_the_backtest_bit_for_bit(supervised, folder):
    papered = replay_run(PaperCase(supervised, data_root=folder / "data"))
    assert papered.parity.equal, papered.parity
    assert papered.parity.rows > 50


def test_the_run_is_judged_by_what_it_keeps_when_the_smurfs_run_is_gone(supervised, smurf, folder):
    away = smurf.path.rename(folder / "away")
    try:
        with_folder = open_case(Case(supervised)).parts.desk(1)
        (supervised.path / "smurf").rename(supervised.path / "aside")
        with_bundle = open_case(Case(supervised)).parts.desk(1)
    finally:
        away.rename(smurf.path)
        if (supervised.path / "aside").is_dir():
            (supervised.path / "aside").rename(supervised.path / "smurf")
    assert with_folder.guarded
    assert with_bundle.guarded


@pytest.mark.slow
def test_an_ablation_says_what_the_smurf_does(supervised, folder):
    found = ablate(Ablation(Case(supervised, data_root=folder / "data")), lambda *_told: None)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["only smurf"]["interventions"]["smurf"]["changed"] > 0
    assert rows["only n_consecutive"]["interventions"].get("smurf") is None


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("features={set: ichimoku, scaling: zscore}",), "features.names: 19 in the bundle"),
        (("environment.window=8",), "window: bundle 12, here 8"),
        (("features.scaling=minmax",), "features.scaling: bundle 'zscore', here 'minmax'"),
        (("environment.scheme=buy_sell_hold",), "action_scheme"),
        (("environment.short=false",), "action_scheme"),
    ],
)
def test_a_smurf_of_other_inputs_or_actions_is_refused_before_any_training(overrides, said, smurf, folder):
    with pytest.raises(DataError, match=r"guards.smurf.bundle: .*the bundle does not fit") as refused:
        create_run(*untouched(folder, smurf, *overrides))
    assert said in str(refused.value)


def test_a_run_that_trades_is_no_smurf_and_one_without_a_bundle_is_not_trained(folder, supervised):
    with pytest.raises(DataError, match=r"was trained with role=main; allowed: smurf"):
        create_run(*untouched(folder, supervised))
    fresh = create_run(load_recipe("tradernet", [*SMALL, *DQN, "role=smurf", "training.seed=5"]), folder / "runs", folder / "data")
    with pytest.raises(DataError, match=r"is not trained: it has no bundle; go on with: seawall resume"):
        create_run(*untouched(folder, fresh))
    with pytest.raises(ConfigError, match="nowhere"):
        create_run(*untouched(folder, RunFolder(folder / "nowhere")))


def test_a_smurf_that_was_stopped_or_says_nothing_of_its_bars_is_refused(smurf, tmp_path, folder):
    recipe, dataset = untouched(folder, smurf)[0], Dataset.load(smurf)
    bundle = load_bundle(smurf.bundle)
    for change, said in (
        ({"complete": False}, "is not trained to its end"),
        ({"progress": [{**bundle.manifest["progress"][0], "best_step": None}]}, "is not trained to its end"),
        ({"seen": None}, "does not say which bars it has seen"),
    ):
        manifest = {key: value for key, value in {**bundle.manifest, **change}.items() if value is not None}
        save_bundle(tmp_path / "bundle", manifest, bundle.members)
        with pytest.raises(DataError, match=said):
            require_fitting(tmp_path / "bundle", recipe, dataset)


def test_a_smurf_that_has_seen_a_bar_that_judges_is_refused_and_one_that_chose_on_the_validation_rows_is_not(smurf, folder):
    recipe, dataset = untouched(folder, smurf)[0], Dataset.load(smurf)
    assert require_fitting(smurf.bundle, recipe, dataset).manifest["role"] == "smurf"
    split, stop = dataset.split, dataset.split.train.stop
    crossed = replace(split, test=RowRange(split.validation.stop - 1, split.test.stop))
    with pytest.raises(DataError, match=r"the Smurf has seen bars from .*, and the bars on which the policy is judged are from"):
        require_fitting(smurf.bundle, recipe, replace(dataset, split=crossed))
    earlier = Split(RowRange(split.train.start, stop - 200), RowRange(stop - 150, stop - 50), RowRange(stop, stop + 50), 12)
    with pytest.raises(DataError, match=r"the Smurf has seen bars up to .*, and the bars on which the policy is judged begin at"):
        require_fitting(smurf.bundle, recipe, replace(dataset, split=earlier))


def test_a_run_that_is_judged_on_bars_that_its_smurf_has_seen_is_not_made(smurf, folder):
    runs = folder / "runs" / "tradernet"
    before = sorted(runs.iterdir())
    with pytest.raises(
        DataError, match=r"the Smurf has seen bars up to 2020-.* it knows them; allowed: one trained on earlier bars"
    ):
        create_run(*untouched(folder, smurf, "split={train: 0.5, validation: 0.1, test: 0.4}"))
    assert sorted(runs.iterdir()) == before


def test_a_smurf_of_a_smurf_is_refused():
    with pytest.raises(ConfigError, match=r"role is smurf and guards.smurf is set"):
        load_recipe("tradernet", ["role=smurf", "guards.smurf.bundle=latest"])


def test_on_features_of_another_scaler_the_smurf_decides_as_on_those_that_it_knows(smurf):
    dataset, bundle = Dataset.load(smurf), load_bundle(smurf.bundle)
    shift = np.linspace(-0.5, 0.5, len(dataset.scaler.columns))
    other = replace(dataset.scaler, offset=dataset.scaler.offset + shift * dataset.scaler.scale, scale=dataset.scaler.scale * 1.7)
    moved = ((np.asarray(dataset.market.features, dtype=np.float64) - shift) / 1.7).astype(np.float32)
    elsewhere = replace(dataset, market=replace(dataset.market, features=moved), scaler=Scaler.from_dict(other.to_dict()))
    values = []
    for each in (dataset, elsewhere):
        recipe = load_run_recipe(smurf)
        parts, rows = Parts(recipe, each), each.split.test
        accounts = Simulator(each.market, 1, recipe.costs, recipe.simulator)
        accounts.reset(np.array([0]), np.array([rows.start]), np.array([rows.stop]))
        supervisor = supervisor_of(bundle, each)
        loop = DecisionLoop(supervisor.policy, parts.desk(1), accounts, recipe.environment.account_columns)
        values.append([supervisor.policy.act(loop.observe())[1]["values"][0] for _ in range(40) if loop.step() is not None])
    np.testing.assert_allclose(values[1], values[0], atol=1e-6)
    assert np.ptp(values[0]) > 1e-5


def test_the_manifest_of_a_supervised_run_names_its_smurf(supervised):
    manifest = json.loads((supervised.bundle / "bundle.json").read_text())
    assert manifest["smurf"]["seeds"] == [0]
    assert load_run_recipe(supervised).guards["smurf"]["exits_exempt"] is False
