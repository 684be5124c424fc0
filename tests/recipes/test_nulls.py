"""Null tests: the run's own pipeline on markets without an edge, apart from the user's trials, resumable to the bit."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.small_portfolio import trained as trained_portfolio
from seawall.agents.bundle import manifest_hash
from seawall.core import trials
from seawall.core.bars import CLOSE, OPEN
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, Interrupted
from seawall.core.files import write_text
from seawall.core.run_folder import RunFolder
from seawall.core.seeding import generator
from seawall.market.synthetic.regimes import RegimeParams, regime_bars
from seawall.market.synthetic.surrogates import shuffled_order
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import create_run, load_run_recipe
from seawall.recipes.nulls import pipeline
from seawall.recipes.nulls.origin import NullKind, Origin
from seawall.recipes.nulls.pipeline import NullTask, null_task
from seawall.recipes.nulls.plan import NullPlan
from seawall.recipes.nulls.testing import NullTest, prepare_nulls, run_nulls
from seawall.recipes.portfolio_dataset import PortfolioDataset
from seawall.recipes.pretrained import ENCODER, kept_encoder
from seawall.recipes.pretraining import create_pretraining, encoder_recipe, pretrain_task
from seawall.recipes.schema import load_recipe, validate_recipe
from seawall.recipes.trials import record_run
from seawall.recipes.walkforward.training import save_trained, train_fold_seed
from seawall.training.pretraining.encoder_folder import MANIFEST

MAPPING = {
    "name": "nulled",
    "features": {"set": "ichimoku", "scaling": "zscore"},
    "environment": {"window": 8, "scheme": "target_exposure", "account_columns": ["target"]},
    "costs": {"taker_bps": 0.0, "spread_bps": 0.0},
    "network": {"kind": "conv", "shared_encoder": True},
    "agent": {"kind": "exact", "total_steps": 1_024, "segment_bars": 16, "n_segments": 16, "gradient_steps": 2},
    "training": {"n_seeds": 2, "workers": 1, "evaluate_every": 1, "checkpoint_every": 1},
    "evaluation": {"bootstrap": {"n_resamples": 100}},
}


def line(stop_after=None):
    """A line to nobody, whose user asks to stop after some messages."""
    stop, heard = SimpleNamespace(value=0), []

    def send(message):
        heard.append(message)
        stop.value = int(stop_after is not None and len(heard) >= stop_after)

    return Channel(SimpleNamespace(send=send), stop)


def trained(run):
    recipe = load_run_recipe(run)
    record_run(run, recipe.model_dump(mode="json"))
    for seed in recipe.training.seeds:
        train_fold_seed(str(run.path), seed, line())
    save_trained(run, recipe, finished=True)
    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nulls")
    bars = regime_bars(RegimeParams(n_bars=900), 0).bars
    bars.to_parquet(folder / "bars.parquet")
    recipe = validate_recipe({**MAPPING, "data": {"kind": "file", "path": str(folder / "bars.parquet")}}, "nulled")
    return folder, trained(create_run(recipe, folder / "runs", folder / "data"))


def prepared(world, tmp_path, **changes):
    """A test of the run, whose results lie elsewhere."""
    folder, run = world
    plan = NullPlan(**{"markets": 1, "seeds": 1, **changes})
    made = prepare_nulls(NullTest(run, plan, folder / "data"))
    tasks = [
        replace(task, place=tmp_path / "nulls" / "runs" / task.place.name, result=tmp_path / "nulls" / f"{task.place.name}.json")
        for task in made.tasks
    ]
    (tmp_path / "nulls").mkdir(exist_ok=True)
    (tmp_path / "nulls" / trials.REGISTRY).touch()
    return made, tasks


def test_a_null_market_is_the_runs_pipeline_and_its_figures_are_what_arithmetic_says(world, tmp_path):
    folder, run = world
    before = trials.trials(folder / "runs")
    made, [_walk, task] = prepared(world, tmp_path, block=4)
    null_task(task, line())
    result = json.loads(task.result.read_text())
    market = task.kind.of(task.origin.block()).prices[0]
    test = Dataset.load(run).split.test
    held = np.log(market[test.stop - 1, CLOSE] / market[test.start + 1, OPEN]) / (len(test) - 1)
    # Without costs, buy-and-hold earns from the open after its first decision to the last close.
    assert result["mean_log_return"] - result["against_buy_and_hold"] == pytest.approx(held, abs=1e-12)
    assert result["level"] == "not judged"
    assert result["headline"].startswith("Not evidence: 1 seed, 5 needed")
    assert not task.place.exists()
    assert trials.trials(folder / "runs") == before
    [own] = trials.trials(tmp_path / "nulls")
    assert (own.data_hash, own.symbol) == (result["data_hash"], "")
    assert made.deviations[0].startswith("The null runs were trained with 1 of the run's 2 seeds")


def test_a_null_run_has_the_runs_times_and_split_and_a_scaler_of_its_own(world, tmp_path):
    _folder, run = world
    _made, [task, _shuffle] = prepared(world, tmp_path)
    null_task(replace(task, keep=True), line())
    own, null = Dataset.load(run), Dataset.load(RunFolder(task.place))
    np.testing.assert_array_equal(null.market.timestamps, own.market.timestamps)
    assert null.split == own.split
    assert null.scaler.to_dict() != own.scaler.to_dict()
    assert null.scaler.fitted_rows == own.scaler.fitted_rows
    shown = null.market.features[slice(*null.scaler.fitted_rows)].astype(np.float64)
    np.testing.assert_allclose(shown.mean(axis=0), 0.0, atol=1e-3)
    assert null.facts["reference"] == "null market 0 (walk, seed 0) of bars.parquet"


@pytest.mark.parametrize("stop_after", [2, 7])
def test_a_null_market_that_was_stopped_goes_on_to_the_same_result(world, tmp_path, stop_after):
    _made, [task, _shuffle] = prepared(world, tmp_path, seeds=2)
    null_task(task, line())
    whole = json.loads(task.result.read_text())
    again = replace(task, place=task.place.with_name("again"), result=task.result.with_name("again.json"))
    with pytest.raises(Interrupted):
        null_task(again, line(stop_after))
    assert not again.result.exists()
    null_task(again, line())
    resumed = json.loads(again.result.read_text())
    for each in (whole, resumed):
        assert each.pop("training_seconds") > 0.0
    assert resumed == whole


def test_results_that_are_there_are_placed_and_no_market_is_run_again(world, tmp_path):
    folder, run = world
    test = NullTest(run, NullPlan(markets=3, kinds=("walk",), seeds=1, seed=5), folder / "data")
    made = prepare_nulls(test)
    assert made.budget["waiting"] == 3
    assert made.budget["total_seconds"] == pytest.approx(3 * made.budget["seconds_per_seed"])
    for number, task in enumerate(made.tasks):
        figures = {"mean_log_return": -1.0, "sharpe": 90.0 * number, "against_buy_and_hold": 1.0}
        task.result.parent.mkdir(exist_ok=True)
        task.result.write_text(json.dumps({"level": "none", "training_seconds": 1.0, **figures}))
    run.metrics.write_text(json.dumps(judgement(0.5)))
    told = []
    try:
        with pytest.raises(DataError, match="ledger"):
            run_nulls(made, lambda task, share, _note: told.append((task.kind.number, share)))
    finally:
        run.metrics.unlink()
    assert told == [(0, 1.0), (1, 1.0), (2, 1.0)]
    document = json.loads((run.path / "nulls" / "nulls.json").read_text())
    positions = document["kinds"]["walk"]["positions"]
    assert [positions[name]["as_good"] for name in ("mean_log_return", "sharpe", "against_buy_and_hold")] == [0, 2, 3]
    assert positions["sharpe"]["p"] == 3 / 4
    assert document["found"] == "too few"
    assert not (run.path / "nulls" / "bars").exists()
    more = prepare_nulls(replace(test, plan=replace(test.plan, markets=5)))
    assert [task.kind.number for task in more.waiting] == [3, 4]


def judgement(sharpe):
    ensemble = {"mean_log_return": 1e-4, "sharpe": sharpe}
    return {
        "schema": 1,
        "run": {"recipe": "nulled"},
        "verdict": {"level": "none", "headline": "No evidence of skill."},
        "ensemble": ensemble,
        "baselines": {"buy_and_hold": {"mean_log_return": 2e-4}},
        **{part: {} for part in ("seeds", "intervals", "differences", "stress", "test")},
    }


def test_every_option_that_changes_the_markets_or_the_pipeline_has_results_of_its_own(world):
    _folder, run = world
    recipe, facts = load_run_recipe(run), {"data_hash": "x"}
    plans = [NullPlan(), NullPlan(block=2), NullPlan(drift="remove"), NullPlan(seed=1), NullPlan(seeds=1)]
    keys = {kind: [plan.key(kind, plan.recipe(recipe), facts) for plan in plans] for kind in ("walk", "shuffle")}
    assert len(set(keys["shuffle"])) == 5
    # The order of bars is nothing to a walk.
    assert len(set(keys["walk"])) == 3
    assert keys["walk"][0] == keys["walk"][1] == keys["walk"][2]


def test_null_markets_differ_by_number_and_seed_and_come_again(world):
    block = prepare_nulls(NullTest(world[1], NullPlan(markets=1), world[0] / "data")).tasks[0].origin.block()
    closes = [
        NullKind(kind, seed, number).of(block).prices[0, :, CLOSE]
        for kind in ("walk", "shuffle")
        for seed, number in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({each.tobytes() for each in closes}) == 6
    assert closes[0].tobytes() == NullKind("walk", 0, 0).of(block).prices[0, :, CLOSE].tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"markets": 0}, "--markets is 0; allowed: 1 to 10,000"),
        ({"block": 0}, "--block is 0; least: 1"),
        ({"kinds": ("noise",)}, "kind noise are unknown; allowed: walk, shuffle, both"),
        ({"drift": "up"}, "--drift is 'up'; allowed: keep, remove"),
        ({"seeds": 0}, "--seeds is 0; allowed: 1 to 2"),
        ({"seeds": 3}, "--seeds is 3; allowed: 1 to 2"),
        ({"block": 900}, "a block has 900 bars; allowed: 1 to 899"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(world, changes, message):
    with pytest.raises(ConfigError, match=message):
        prepare_nulls(NullTest(world[1], NullPlan(**changes), world[0] / "data"))


def test_a_run_that_is_not_trained_or_whose_bars_are_others_is_refused(world, tmp_path):
    bars = regime_bars(RegimeParams(n_bars=900), 0).bars
    path = tmp_path / "bars.parquet"
    bars.to_parquet(path)
    recipe = validate_recipe({**MAPPING, "data": {"kind": "file", "path": str(path)}}, "nulled")
    run = create_run(recipe, tmp_path / "runs", tmp_path / "data")
    with pytest.raises(DataError, match="is not trained to its end"):
        prepare_nulls(NullTest(run, NullPlan(), tmp_path / "data"))
    (run.path / "training.json").write_text('{"seeds": []}')
    bars.assign(volume=bars["volume"] + 1.0).to_parquet(path)
    with pytest.raises(DataError, match="are not those that it was trained on"):
        prepare_nulls(NullTest(run, NullPlan(), tmp_path / "data"))


def test_a_run_that_starts_from_weights_that_know_real_bars_is_refused(world):
    recipe = load_run_recipe(world[1])
    warm = recipe.model_copy(update={"training": recipe.training.model_copy(update={"start_from": "latest"})})
    with pytest.raises(ConfigError, match=r"training.start_from is 'latest'.*fresh weights"):
        NullPlan().recipe(warm)


@pytest.mark.slow
def test_a_portfolio_is_shuffled_with_all_its_assets_at_once(tmp_path):
    run = trained_portfolio(tmp_path)
    test = NullTest(run, NullPlan(markets=1, kinds=("shuffle",), seeds=1, block=3), tmp_path / "data", keep=True)
    document = run_nulls(prepare_nulls(test), lambda _task, _share, _note: None)
    [null] = [PortfolioDataset.load(RunFolder(path)) for path in (run.path / "nulls" / "runs").iterdir()]
    panels = [each.panel for each in (PortfolioDataset.load(run), null)]
    own, made = (np.diff(np.log(panel.prices[..., CLOSE]), axis=1) for panel in panels)
    np.testing.assert_allclose(np.corrcoef(made), np.corrcoef(own), atol=1e-9)
    assert not np.array_equal(own, made)
    assert document["kinds"]["shuffle"]["positions"]["sharpe"]["of"] == 1
    assert "The same pipeline on noise" in run.report.read_text()


@pytest.mark.slow
def test_an_encoder_is_taught_on_a_null_market_that_hardly_has_one_of_its_regimes(tmp_path):
    """A user's own labels of which a quarter were needed would be refused; of noise they are what they are."""
    recipe = load_recipe("two-stage", ("smoke=true", "training.n_seeds=1", "training.workers=1", "data.n_bars=2000"))
    first = create_pretraining(encoder_recipe(recipe), recipe.pretraining, tmp_path / "runs", tmp_path / "data")
    pretrain_task(str(first.path), line())
    settings = first.path / ENCODER / MANIFEST
    taught = json.loads(settings.read_text())
    taught["pretraining"]["targets"]["regimes"]["rarest"] = 0.25
    settings.write_text(json.dumps({**taught, "manifest_hash": manifest_hash(taught)}))
    own = recipe.model_copy(update={"encoder": str(first.path)})
    run = create_run(own, tmp_path / "runs", tmp_path / "data")
    origin = Origin.keep(run, own, tmp_path / "data", tmp_path / "bars")
    write_text(tmp_path / "nulls" / trials.REGISTRY, "")
    place, plan = tmp_path / "nulls" / "runs" / "shuffle-0000", NullPlan(markets=1, kinds=("shuffle",))
    task = NullTask(run.path, origin, plan, NullKind("shuffle", 0, 0), place, tmp_path / "0000.json", tmp_path / "data", keep=True)
    pipeline._open(task, own, run, RunFolder(place), line())
    null = kept_encoder(RunFolder(place)).manifest
    assert min(null["seen"]["regime_balance"].values()) < 0.25
    null["pretraining"]["targets"]["regimes"]["rarest"] = 0.25
    assert null["pretraining"] == taught["pretraining"]


def test_the_share_of_neighbours_that_stay_is_what_the_docs_say():
    for block in (1, 5, 24):
        order = shuffled_order(50_000, block, generator(0, "neighbours"))
        assert np.mean(np.diff(order) == 1) == pytest.approx(1.0 - 1.0 / block, abs=5e-3)
