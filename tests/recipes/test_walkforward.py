"""Folds of a recipe: no fold's weights know its test, an encoder that saw one is refused, and one block of bars serves all."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from seawall.agents.bundle import load_bundle, save_bundle, weights_hash
from seawall.core.errors import ConfigError, DataError
from seawall.core.trials import kept_ledgers, trials
from seawall.evaluation.hindsight import HindsightParams
from seawall.evaluation.judge import Judgement
from seawall.market.synthetic.regimes import RegimeParams, regime_bars
from seawall.recipes.ablation import Ablation, ablate
from seawall.recipes.dataset import Dataset
from seawall.recipes.hindsight import Counting, score_run
from seawall.recipes.judging import Case, judge_case
from seawall.recipes.paper import OWN, PaperCase, replay_run
from seawall.recipes.pretrained import refuse_seen
from seawall.recipes.schema import validate_recipe
from seawall.recipes.walkforward.folder import find_or_create, open_folds
from seawall.recipes.walkforward.ground import Ground
from seawall.recipes.walkforward.plan import WalkPlan
from seawall.recipes.walkforward.training import train_fold_seed, train_folds
from seawall.recipes.walkforward.walk import WalkCase, walk_forward
from seawall.training.checkpoint import load_checkpoint

WINDOW = 8
MAPPING = {
    "name": "folds",
    "features": {"set": "ichimoku", "scaling": "zscore"},
    "environment": {"window": WINDOW, "scheme": "target_exposure", "account_columns": ["target"]},
    "network": {"kind": "conv", "shared_encoder": True},
    "agent": {"kind": "exact", "total_steps": 2_048, "segment_bars": 16, "n_segments": 16, "gradient_steps": 4},
    "training": {"n_seeds": 1, "workers": 1, "evaluate_every": 1},
    "evaluation": {"bootstrap": {"n_resamples": 100}},
}


def written(path, bars):
    bars.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def bars():
    return regime_bars(RegimeParams(n_bars=1_600), 0).bars


def recipe(path, **changes):
    return validate_recipe({**MAPPING, "data": {"kind": "file", "path": str(path)}, **changes}, "folds")


def opened(folder, bars, plan, number, **changes):
    """Open one fold's run over some bars, as the command does."""
    folder.mkdir(exist_ok=True)
    ground = Ground.prepare(recipe(written(folder / "bars.parquet", bars), **changes), folder / "data")
    folds = plan.make(ground.bars, ground.recipe.split)
    walk, _new = find_or_create(ground, plan, folds, folder / "runs")
    [run] = open_folds(walk, ground, [folds[number]], folder / "runs", lambda _number: None)
    return folds[number], run


def trained(run):
    """Train seed 0 of a fold in this process, and return the hash of its weights."""
    train_fold_seed(str(run.path), 0, SimpleNamespace(send=lambda _message: None, should_stop=lambda: False))
    return weights_hash(load_checkpoint(run.checkpoint(0)).best)


@pytest.mark.parametrize(
    ("plan", "number", "changes"),
    [
        (WalkPlan("anchored", folds=3), 1, {}),
        (WalkPlan("rolling", train="600", test="200"), 1, {}),
        (WalkPlan("kfold", folds=3), 1, {}),
        (
            WalkPlan("kfold", folds=3),
            1,
            {"agent": {"kind": "ppo", "total_steps": 256, "n_envs": 4, "n_steps": 32, "minibatch": 64}},
        ),
    ],
)
def test_other_bars_in_a_test_leave_the_weights_of_its_fold_as_they_are(tmp_path, bars, plan, number, changes):
    fold, run = opened(tmp_path / "as-it-was", bars, plan, number, **changes)
    [test] = fold.test
    stop = test.stop if plan.scheme == "kfold" else len(bars)
    other = bars.copy()
    factor = 1.0 + 0.05 * np.random.default_rng(1).random(stop - test.start)
    for name in ("open", "high", "low", "close"):
        other.loc[test.start : stop - 1, name] *= factor
    _fold, changed = opened(tmp_path / "changed", other, plan, number, **changes)
    judged = slice(test.start, test.stop)
    assert (Dataset.load(run).market.features[judged] != Dataset.load(changed).market.features[judged]).any()
    assert trained(run) == trained(changed)


def test_a_bar_that_is_learned_from_changes_the_weights(tmp_path, bars):
    fold, run = opened(tmp_path / "as-it-was", bars, WalkPlan("kfold", folds=3), 1)
    later = fold.train[1]
    other = bars.copy()
    other.loc[later.start + 50 : later.stop - 50, "close"] = other.loc[later.start + 50 : later.stop - 50, "open"]
    _fold, changed = opened(tmp_path / "changed", other, WalkPlan("kfold", folds=3), 1)
    assert trained(run) != trained(changed)


def test_the_purge_is_the_recipes_and_counts_the_warm_up_where_training_follows_a_test(tmp_path, bars):
    ground = Ground.prepare(recipe(written(tmp_path / "bars.parquet", bars)), tmp_path / "data")
    split = ground.recipe.split
    [first, *_] = WalkPlan("anchored", folds=3).make(ground.bars, split)
    assert first.purge == WINDOW + ground.recipe.simulator.reward.horizon
    middle = WalkPlan("kfold", folds=3).make(ground.bars, split)[1]
    assert middle.train[1].start - middle.test[0].stop == first.purge + ground.made.warmup


def test_a_rolling_folds_scaler_is_fitted_on_its_own_rows_alone(tmp_path, bars):
    fold, run = opened(tmp_path, bars, WalkPlan("rolling", train="600", test="200"), 2)
    dataset = Dataset.load(run)
    assert dataset.scaler.fitted_rows == (fold.train[0].start - WINDOW + 1, fold.train[0].stop)
    shown = dataset.market.features[slice(*dataset.scaler.fitted_rows)].astype(np.float64)
    np.testing.assert_allclose(shown.mean(axis=0), 0.0, atol=1e-3)


def test_an_encoder_that_saw_a_bar_of_a_folds_test_is_refused_with_both_spans(tmp_path, bars):
    ground = Ground.prepare(recipe(written(tmp_path / "bars.parquet", bars)), tmp_path / "data")
    fold = WalkPlan("kfold", folds=3).make(ground.bars, ground.recipe.split)[1]
    split, times = fold.as_whole_split(), ground.bars.times_ms

    def told(first, last):
        dates = np.datetime_as_string(times[[first, last]].astype("datetime64[ms]"), "s")
        return {"seen": {"ranges": [{"first": f"{dates[0]}Z", "last": f"{dates[1]}Z"}], "last_seen_ms": int(times[last])}}

    for rows in fold.train:
        refuse_seen(told(rows.start, rows.stop - 1), split, times)
    with pytest.raises(DataError, match=r"the encoder has seen bars from .*Z to .*Z, and the bars .* are from .*Z to .*Z"):
        refuse_seen(told(fold.train[0].start, fold.test[0].start), split, times)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"scheme": "anchored", "embargo": "1d"},
            "--embargo means nothing with --scheme anchored: nothing is learned after a test",
        ),
        ({"scheme": "kfold", "train": "500"}, "--train means nothing with --scheme kfold"),
        ({"scheme": "cpcv", "folds": 1}, "--folds is 1; allowed: 2 or more"),
        ({"folds": 3, "test": "30d", "train": "90d"}, "both say how long a test is"),
        ({"test": "30d"}, "needs --train"),
    ],
)
def test_settings_that_mean_nothing_together_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        WalkPlan(**settings)


@pytest.mark.slow
def test_a_walk_ends_in_one_judgement_and_begins_anew_once_it_is_judged(tmp_path, bars):
    chosen = recipe(written(tmp_path / "bars.parquet", bars))
    case = WalkCase(chosen, WalkPlan("anchored", folds=2), tmp_path / "runs", tmp_path / "data", workers=1)
    walks = []
    document = walk_forward(case, lambda walk, new: walks.append((walk, new)), lambda *_told: None)
    [(walk, new)] = walks
    assert new
    assert Judgement.read(walk.run.metrics).level == document["verdict"]["level"] == "not judged"
    assert [row["fold"] for row in document["folds"]] == [0, 1]
    assert document["test"]["bars"] == document["folds"][0]["bars"] + 1 + document["folds"][1]["bars"]
    assert document["attainable"]["kind"] == "bound"
    assert document["skill"]["pbo"]["configurations"] == 1
    page = walk.run.report.read_text(encoding="utf-8")
    assert "Skill or luck?" in page
    assert "Overfitting (PBO)" in page
    first, second = (walk.fold(number).market / "prices.npy" for number in (0, 1))
    assert first.samefile(second)
    walk.run.metrics.unlink()
    again = walk_forward(case, lambda walk, new: walks.append((walk, new)), lambda *_told: None)
    assert walks[1] == (walk, False)
    assert again == document


@pytest.mark.slow
def test_the_backtest_of_a_crossed_fold_judges_all_its_test_ranges_and_counts_them(tmp_path, bars):
    _fold, run = opened(tmp_path, bars, WalkPlan("cpcv", folds=3), 0)
    train_folds([run], 1, lambda *_told: None)
    # So short a training may ask for nothing; this policy is long at every bar.
    bundle = load_bundle(run.bundle)
    bundle.members[0]["policy_head.bias"][2] += 10.0
    save_bundle(run.bundle, bundle.manifest, bundle.members)
    judge_case(Case(run, data_root=tmp_path / "data"), lambda _name: None)
    document, tests = Judgement.read(run.metrics).document, Dataset.load(run).split.tests
    times = Dataset.load(run).market.timestamps
    assert len(tests) == 2
    assert document["test"]["bars"] == tests[1].stop - tests[0].start - 1
    assert document["attainable"]["kind"] == "bound"
    [trial] = trials(run.path.parents[1])
    assert (trial.test_first_ms, trial.test_last_ms) == (times[tests[0].start], times[tests[1].stop - 1])
    [[kept]] = kept_ledgers(run.path.parents[1], trial).values()
    assert kept.path == run.ledger
    replayed = replay_run(PaperCase(run, OWN, data_root=tmp_path / "data"), lambda _done, _total: None).parity
    assert "chains 2 test ranges" in replayed.words
    case = Case(run, data_root=tmp_path / "data")
    ablated = ablate(Ablation(case, {"max_exposure": {"limit": 0.5}}), lambda *_told: None)
    none, capped = ablated["rows"]
    assert none["name"] == "no guard"
    for measure in ("total_return", "max_drawdown", "turnover_per_year"):
        assert none[measure]["value"] == pytest.approx(document["ensemble"][measure], rel=1e-12)
    assert 0.0 < capped["mean_absolute_exposure"] <= 0.6 < none["mean_absolute_exposure"]
    assert ablated["test"] | {"first": "", "last": ""} == {
        "first": "", "last": "", "bars": sum(map(len, tests)), "ranges": 2
    }  # fmt: skip
    scored = score_run(case, Counting((0.001,), HindsightParams(draws=100)), lambda _told: None)
    n_rows = len(Dataset.load(run).market)
    assert scored["ranges"] == 2
    assert scored["decisions"] == sum(min(rows.stop, n_rows - 20) - rows.start - 1 for rows in tests)
    rows = {row["name"]: row for row in scored["tables"][0]["rows"]}
    assert rows["always buy"]["hours_traded"] == 1.0
    assert rows["the policy"]["total_return"]["mean"] == pytest.approx(rows["always buy"]["total_return"]["mean"], abs=1e-9)
    assert rows["the policy"]["total_return"]["mean"] != 0.0
