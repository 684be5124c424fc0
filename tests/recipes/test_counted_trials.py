from pathlib import Path

import pytest

from seawall.core.trials import count, trials, tried
from seawall.recipes import experiment
from seawall.recipes.experiment import SeedSummary, create_run, train_seeds
from seawall.recipes.families import create_any_run, load_any
from seawall.recipes.schema import load_recipe
from seawall.recipes.suite import begin_suite
from seawall.recipes.trials import configuration, record_run, trial_of

SMALL = ("smoke=true", "data={kind: planted_edge, n_bars: 3000}")


def plain(*overrides, reference="tradernet"):
    return configuration(load_any(reference, overrides).model_dump(mode="json"))


@pytest.mark.parametrize(
    "override",
    [
        "training.seed=7",
        "training.n_seeds=3",
        "training.workers=2",
        "training.threads=2",
        "training.checkpoint_every=5",
        "name=other-name",
        "summary=again",
        "evaluation.bootstrap.n_resamples=200",
        "evaluation.verdict.min_seeds=7",
        "device=cpu",
    ],
)
@pytest.mark.parametrize("reference", ["tradernet", "portfolio"])
def test_other_seeds_names_and_ways_of_judging_are_no_trial(reference, override):
    assert plain(override, reference=reference) == plain(reference=reference)


@pytest.mark.parametrize(
    "override",
    [
        "agent.total_steps=4096",
        "costs.taker_bps=3",
        "features.omit=[]",
        "split={train: 0.6, validation: 0.2, test: 0.2}",
        "environment.window=20",
        "guards.n_consecutive.n=4",
        "simulator.max_exposure=2",
        "training.evaluate_every=4096",
    ],
)
def test_what_changes_the_policy_is_a_trial(override):
    assert plain(override) != plain()


def test_where_the_bars_lie_is_no_trial_by_itself():
    assert plain("data=here.parquet") == plain("data=there.parquet")


def test_a_run_is_counted_once_for_its_bars_and_configuration(tmp_path):
    recipe = load_recipe("tradernet", SMALL)
    run = create_run(recipe, tmp_path, Path("data"))
    assert count(tmp_path, trial_of(run, recipe.model_dump(mode="json")).data_hash) == 0
    trial = record_run(run, recipe.model_dump(mode="json"))
    again = load_recipe("tradernet", (*SMALL, "training.seed=9"))
    record_run(create_run(again, tmp_path, Path("data")), again.model_dump(mode="json"))
    longer = load_recipe("tradernet", (*SMALL, "agent.total_steps=99999"))
    record_run(create_run(longer, tmp_path, Path("data")), longer.model_dump(mode="json"))
    assert (count(tmp_path, trial.data_hash), len(tried(tmp_path, trial))) == (2, 2)
    assert trial.symbol == ""
    assert trial.test_first_ms < trial.test_last_ms


def test_training_counts_and_a_prepared_run_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(
        experiment, "fan_out", lambda _task, tasks, **_how: [SeedSummary(s, 0, None, 0, 0.0, [], []) for _, s in tasks]
    )
    recipe = load_any("portfolio", ("smoke=true",))
    run = create_any_run(recipe, tmp_path, Path("data"))
    assert trials(tmp_path) == []
    for _time in range(2):
        train_seeds([run], [recipe], lambda *_: None, lambda _run, _finished: None, lambda *_: None)
    [trial] = trials(tmp_path)
    assert (trial.recipe, trial.timeframe, count(tmp_path, trial.data_hash)) == ("portfolio", "5m", 1)


def test_what_a_suite_trains_counts_where_the_users_own_runs_do(tmp_path):
    folder = begin_suite([], tmp_path)
    recipe = load_recipe("tradernet", SMALL)
    run = create_run(recipe, folder / "runs", Path("data"))
    trial = record_run(run, recipe.model_dump(mode="json"))
    assert count(tmp_path, trial.data_hash) == 1


def test_an_encoder_counts_by_what_it_was_taught_and_not_by_where_it_lies(tmp_path):
    recipe = load_recipe("tradernet", SMALL)
    mapping = recipe.model_dump(mode="json")
    run = create_run(recipe, tmp_path, Path("data"))
    plain_hash = trial_of(run, mapping).config_hash
    hashes = []
    for epochs, seed in ((2, 0), (2, 5), (3, 0)):
        taught = {**mapping, "training": {**mapping["training"], "seed": seed}}
        experiment.write_json(run.path / "encoder" / "encoder.json", {"recipe": taught, "pretraining": {"epochs": epochs}})
        hashes.append(trial_of(run, {**mapping, "encoder": f"runs/{seed}"}).config_hash)
    assert hashes[0] == hashes[1]
    assert len({plain_hash, *hashes}) == 3
