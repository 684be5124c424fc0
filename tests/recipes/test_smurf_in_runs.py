"""A run behind a Smurf: trained, kept, judged, replayed and ablated with both networks; and the Smurfs that it refuses."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from seawall.agents.bundle import load_bundle, save_bundle
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import write_json
from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms
from seawall.engine.decision import DecisionLoop
from seawall.evaluation.ablation_walk import variants_of, walk
from seawall.evaluation.backtest import backtest
from seawall.evaluation.ledger import Ledgers
from seawall.features.scaling.scaler import Scaler
from seawall.market.splits import Split
from seawall.recipes.ablation import Ablation, ablate, course_of
from seawall.recipes.assembly import Parts
from seawall.recipes.bundle_check import verify_bundle
from seawall.recipes.bundles import find_bundle
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import create_run, load_run_recipe, train_seed
from seawall.recipes.judging import Case, judge_case, open_case
from seawall.recipes.leakcheck import PARTS, check_recipe
from seawall.recipes.paper import OWN, PaperCase, replay_run
from seawall.recipes.run_bundle import save_finished
from seawall.recipes.schema import load_recipe
from seawall.recipes.smurf import require_fitting, supervisor_of
from seawall.recipes.walkforward.ground import Ground
from seawall.recipes.walkforward.plan import WalkPlan
from seawall.recipes.walkforward.walk import WalkCase, walk_forward
from seawall.simulator.actions.registry import SellBuyHold, action_scheme
from seawall.simulator.desk import Desk
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


class Asking:
    """Asks for an exposure of −1, 0 or 1 at each row."""

    def __init__(self, exposures):
        self.exposures = exposures

    def act(self, observation, *, deterministic=True):
        return np.array([1 + round(self.exposures[int(row)]) for row in observation.rows]), {}


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


def test_backtest_stress_ablation_and_replay_are_behind_the_same_smurf(supervised, folder):
    judgement = judge_case(Case(supervised, data_root=folder / "data"), lambda _name: None).document
    ledger, opened = Ledgers.read(supervised.ledger).ensemble, open_case(Case(supervised))
    recipe, market = opened.recipe, opened.parts.dataset.market
    assert {each["guard"] for each in judgement["guards"]["by_reason"]} >= {"smurf"}
    changed = ledger.column("allowed") != ledger.column("proposed")
    assert changed[(ledger.frame["guard"] == "smurf").to_numpy()].any()

    def told(multiple):
        return next(each["total_return"] for each in judgement["stress"]["cost_multiples"] if each["multiple"] == multiple)

    def filled(exposures, multiple):
        """What an account without any guard makes of asking for these exposures."""
        asked = Asking({int(row): value for row, value in zip(ledger.frame["row"], exposures, strict=True)})
        desk = Desk(action_scheme("target_exposure", True), None, 1)
        costs = recipe.costs.scaled(multiple)
        curve = backtest(asked, market, opened.rows, desk, costs, recipe.simulator).equity_curve()
        return curve[-1] / curve[0] - 1.0

    assert told(1.0) == pytest.approx(judgement["ensemble"]["total_return"], abs=1e-12)
    for multiple in (0.0, 1.0, 2.0, 5.0):
        assert told(multiple) == pytest.approx(filled(ledger.column("allowed"), multiple), abs=1e-12)
    assert abs(told(2.0) - filled(ledger.column("proposed"), 2.0)) > 1e-3
    guards = opened.parts.guards().guards
    walked = walk(
        opened.ensemble,
        course_of(opened, guards, opened.rows, recipe.costs),
        variants_of([guard.name for guard in guards]),
    )
    pd.testing.assert_frame_equal(walked["all guards"].frame, ledger.frame, check_exact=True)
    assert (walked["only smurf"].frame["guard"] == "smurf").any()
    assert not (walked["only n_consecutive"].frame["guard"] == "smurf").any()
    papered = replay_run(PaperCase(supervised, OWN, data_root=folder / "data"))
    assert papered.parity.equal, papered.parity
    assert papered.parity.whole
    pd.testing.assert_frame_equal(Ledgers.read(papered.folder / "ledger.parquet").ensemble.frame, ledger.frame, check_exact=True)


@pytest.mark.slow
def test_a_leak_check_of_a_supervised_run_asks_the_smurf_that_the_run_keeps(supervised, smurf, folder):
    recipe, away = load_run_recipe(supervised), smurf.path.rename(folder / "away")
    try:
        found = check_recipe(recipe, folder / "data", run=supervised)
    finally:
        away.rename(smurf.path)
    decisions = found[-1]
    assert "decisions of an untrained network" in decisions.name
    assert not decisions.findings
    assert [len(check.findings) for check in check_recipe(recipe, folder / "data")] == [0] * len(PARTS)


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


def walked(folder, smurf, plan, *overrides):
    """A walk-forward behind the Smurf, which is not begun."""
    recipe, runs, data = untouched(folder, smurf, *overrides)
    return WalkCase(recipe, plan, runs, data, workers=1)


def later_tests(smurf):
    """A plan whose tests all begin after what the Smurf has seen."""
    split = Dataset.load(smurf).split
    return WalkPlan("anchored", train=str(split.validation.stop - split.train.start), test="50")


@pytest.mark.parametrize(
    ("plan", "first", "others"),
    [
        (WalkPlan("anchored", folds=3), 0, "2 more of 3"),
        (WalkPlan("anchored", train="600", test="90"), 0, None),
    ],
)
def test_a_fold_whose_test_the_smurf_has_seen_is_refused_by_name_before_anything_is_made(plan, first, others, smurf, folder):
    case, dataset = walked(folder, smurf, plan), Dataset.load(smurf)
    ground = Ground.prepare(case.recipe, case.data_root)
    tests = plan.make(ground.bars, case.recipe.split)[first].test
    times = dataset.market.timestamps
    seen = iso_ms(int(times[dataset.split.validation.stop - 1]))
    said = f"has seen bars up to {seen}, and fold {first} is judged on {iso_ms(int(times[tests[0].start]))} to "
    with pytest.raises(DataError, match=r"guards\.smurf\.bundle: the Smurf .*; allowed: tests that begin later") as refused:
        walk_forward(case, lambda *_told: None, lambda *_told: None)
    assert said in str(refused.value)
    assert ("and those of" in str(refused.value)) == (others is not None)
    assert others is None or f"and those of {others} folds" in str(refused.value)
    assert refused.value.exit_code == 2
    assert not (folder / "runs" / "walkforward").exists()


def test_a_crossed_fold_is_refused_for_a_test_that_the_smurf_has_seen_and_served_on_others(smurf, folder):
    case, dataset = walked(folder, smurf, WalkPlan()), Dataset.load(smurf)
    ground, seen, stop = Ground.prepare(case.recipe, case.data_root), dataset.split.train, len(dataset.market)
    learned = {"train": RowRange(stop - 60, stop - 40), "validation": RowRange(stop - 80, stop - 70), "purge": 12}
    ahead = Split(**learned, test=RowRange(stop - 30, stop - 20), more_test=(RowRange(stop - 10, stop),))
    crossed = Split(**learned, test=RowRange(seen.start, seen.start + 20), more_test=ahead.more_test)
    ground.refuse_seen_tests([ahead], case.runs)
    first, last = (iso_ms(int(dataset.market.timestamps[row])) for row in (seen.start, stop - 1))
    with pytest.raises(
        DataError, match=rf"and fold 1 is judged on {first} to .*, .* to {last}: it knows bars of that test; allowed"
    ):
        ground.refuse_seen_tests([ahead, crossed], case.runs)


def test_a_smurf_that_does_not_fit_is_refused_before_any_fold_is_opened(smurf, supervised, folder):
    plan = later_tests(smurf)
    for case, said in (
        (walked(folder, smurf, plan, "environment.window=8"), "window: bundle 12, here 8"),
        (walked(folder, supervised, plan), "was trained with role=main; allowed: smurf"),
    ):
        with pytest.raises(DataError, match=said):
            walk_forward(case, lambda *_told: None, lambda *_told: None)
    assert not (folder / "runs" / "walkforward").exists()


@pytest.mark.slow
def test_an_old_smurf_serves_folds_that_are_tested_on_later_bars(smurf, folder):
    walks = []
    document = walk_forward(walked(folder, smurf, later_tests(smurf)), lambda walk, _new: walks.append(walk), lambda *_told: None)
    [walk] = walks
    own, times = load_bundle(smurf.bundle), Dataset.load(smurf).market.timestamps
    assert len(document["folds"]) == 2
    for row in document["folds"]:
        run = walk.fold(row["fold"])
        kept, dataset = load_bundle(run.bundle).smurf, Dataset.load(run)
        hashes = [[each["weights_hash"] for each in bundle.manifest["members"]] for bundle in (kept, own)]
        assert hashes[0] == hashes[1]
        assert times[dataset.split.test.start] > own.manifest["seen"]["last_seen_ms"]
        assert dataset.scaler.to_dict() != own.manifest["scaler"]
        # So short a training may ask for nothing; this policy asks to buy at every bar.
        opened = open_case(Case(run))
        frame = backtest(
            Asking(dict.fromkeys(range(len(times)), 0.0)), opened.parts.dataset.market, opened.rows, opened.parts.desk(1),
            opened.recipe.costs, opened.recipe.simulator, opened.recipe.environment.account_columns,
        ).frame  # fmt: skip
        assert (frame["guard"] == "smurf").any()


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
