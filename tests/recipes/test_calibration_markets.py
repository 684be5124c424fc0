"""A calibration's markets: what they share and what not, that the real pipeline runs on them, and that a stopped one goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from seawall.core import trials
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, Interrupted
from seawall.core.files import read_json, write_json
from seawall.core.run_folder import RunFolder
from seawall.recipes.calibration import market as pipeline_steps
from seawall.recipes.calibration import run as running
from seawall.recipes.calibration.market import Place, run_market
from seawall.recipes.calibration.plan import NOISE, PLANTED, USUAL, CalibrationPlan, KnownMarket, merged
from seawall.recipes.calibration.run import PAGE, PLAN, RESULT, calibrate
from seawall.recipes.dataset import prepare
from seawall.recipes.trials import configuration

TINY = replace(
    USUAL,
    recipe=merged(
        USUAL.recipe,
        {
            "features": {"set": "price_action"},
            "agent": {"total_steps": 512, "gradient_steps": 1},
            "training": {"n_seeds": 1},
            "evaluation": {"bootstrap": {"n_resamples": 100}, "verdict": {"min_seeds": 1}},
        },
    ),
    market={**USUAL.market, "n_bars": 700},
    configurations={name: USUAL.configurations[name] for name in ("plain", "long")},
)


def channel(stop_after=10**9):
    """A line that asks to stop after so many messages."""
    sent = []
    stop = SimpleNamespace(value=0)

    def send(message):
        sent.append(message[1])
        stop.value = len(sent) >= stop_after

    return Channel(SimpleNamespace(send=send), stop), sent


def test_no_two_markets_share_a_seed_and_a_noise_market_has_no_edge():
    units = CalibrationPlan(40).units
    assert len({unit.seed for unit in units}) == 80
    assert [unit.kind for unit in units[:4]] == [NOISE, PLANTED, NOISE, PLANTED]
    noise, planted = (USUAL.recipe_of(KnownMarket(kind, 3), "plain") for kind in (NOISE, PLANTED))
    assert (noise.data.edge, planted.data.edge) == (0.0, 0.0012)
    assert set(noise.training.seeds) & set(planted.training.seeds) == set()


def test_four_configurations_of_five_seeds_are_four_trials_on_the_same_bars():
    recipes = [USUAL.recipe_of(KnownMarket(NOISE, 0), name) for name in USUAL.configurations]
    assert len({json.dumps(configuration(recipe.model_dump(mode="json")), sort_keys=True) for recipe in recipes}) == 4
    assert {recipe.agent["kind"] for recipe in recipes} == {"exact"}
    assert {len(recipe.training.seeds) for recipe in recipes} == {5}
    assert len({recipe.data for recipe in recipes}) == 1


def test_the_verdict_is_held_to_the_rules_that_every_run_is_held_to():
    assert USUAL.recipe_of(KnownMarket(NOISE, 0), "plain").evaluation.verdict.model_dump() == {
        "min_seeds": 5,
        "min_break_even": 1.0,
        "min_deflated_sharpe": 0.95,
        "suspicious_sharpe": 5.0,
        "suspicious_share": 0.5,
    }


def test_more_markets_go_on_in_the_same_folder_and_other_settings_do_not():
    assert CalibrationPlan(8).digest() == CalibrationPlan(40).digest()
    assert CalibrationPlan(8, TINY).digest() != CalibrationPlan(8).digest()


def test_the_strength_that_is_stated_is_that_of_the_informed_optimum(tmp_path):
    facts = USUAL.facts()
    assert facts["attainable_sharpe_per_bar"] == pytest.approx(0.157, abs=1e-3)
    assert facts["attainable_bps"] == pytest.approx(50.0 * facts["attainable_sharpe_per_bar"])
    recipe = USUAL.recipe_of(KnownMarket(PLANTED, 0), "plain")
    assert len(prepare(recipe, tmp_path).split.test) > 2_800


@pytest.mark.slow
def test_a_market_runs_through_the_registry_and_the_judge_and_leaves_one_file(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.chdir(tmp_path)
    original = pipeline_steps.judge_case

    def spy(case, tell):
        seen["tried"] = len(trials.trials(case.run.path.parents[1]))
        return original(case, tell)

    monkeypatch.setattr(pipeline_steps, "judge_case", spy)
    (tmp_path / trials.REGISTRY).touch()
    place = Place(tmp_path / "out", KnownMarket(PLANTED, 0))
    result = run_market(TINY, place, channel()[0])
    assert seen["tried"] == 2
    assert (result["trials"], result["pbo"]["trials"]) == (2, 2)
    assert result["chosen"] == max(result["configurations"], key=lambda name: result["configurations"][name]["validation_growth"])
    assert result["captured"] == pytest.approx(result["growth"] / result["attainable"])
    assert result["configurations"][result["chosen"]]["test_growth"] == pytest.approx(result["growth"], rel=1e-9)
    assert read_json(place.result)["level"] == result["level"]
    # Nothing but that file is left, in the folder or where the command was given, and the user's registry is as it was.
    assert not place.runs.exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", trials.REGISTRY]
    assert (tmp_path / trials.REGISTRY).read_text(encoding="utf-8") == ""


@pytest.mark.slow
def test_a_stopped_market_trains_nothing_twice_and_ends_alike(tmp_path, monkeypatch):
    trained = []
    original = pipeline_steps.train_fold_seed

    def spy(path, seed, line):
        trained.append((RunFolder(path).path, seed))
        return original(path, seed, line)

    monkeypatch.setattr(pipeline_steps, "train_fold_seed", spy)
    market = KnownMarket(NOISE, 1)
    whole = run_market(TINY, Place(tmp_path / "whole", market), channel()[0])
    trained.clear()
    place = Place(tmp_path / "stopped", market)
    for trained_so_far in (1, 1, 2):
        with pytest.raises(Interrupted):
            run_market(TINY, place, channel(stop_after=trained_so_far)[0])
        assert len(trained) == trained_so_far
    result = run_market(TINY, place, channel()[0])
    assert len(trained) == 2
    timed = ("training_seconds", "judging_seconds")
    assert {name: value for name, value in result.items() if name not in timed} == {
        name: value for name, value in whole.items() if name not in timed
    }


@pytest.fixture
def at_once(monkeypatch):
    """Markets that are finished at once, in this process; the third is interrupted where asked for."""
    ran, stop_at = [], [10**9]

    def made(pipeline, place, _channel):
        if len(ran) >= stop_at[0]:
            raise Interrupted("stopped")
        ran.append(place.market.name)
        planted = place.market.kind == PLANTED
        result = {
            "kind": place.market.kind,
            "number": place.market.number,
            "chosen": "plain",
            "configurations": {name: {"validation_growth": 0.0, "test_growth": 0.0} for name in pipeline.configurations},
            "pbo": {"probability": 0.5},
            "level": "evidence" if planted else "none",
            "failed": [],
            "total_return": 0.0,
            "growth": 0.0,
            "sharpe": None,
            "leak_check": "not run",
            "training_seconds": 1.0,
            "judging_seconds": 1.0,
            "test_bars": 100,
            **({"captured": 0.8} if planted else {}),
        }
        write_json(place.result, result)
        return result

    def here(function, tasks, *, workers, on_progress):
        for number, task in enumerate(tasks):
            function(*task, SimpleNamespace(send=lambda message, number=number: on_progress(number, message)))

    monkeypatch.setattr(running, "run_market", made)
    monkeypatch.setattr(running, "fan_out", here)
    return ran, stop_at


def test_a_stopped_calibration_goes_on_and_a_quick_one_becomes_a_full_one(tmp_path, at_once):
    ran, stop_at = at_once
    stop_at[0] = 3
    with pytest.raises(Interrupted):
        calibrate(CalibrationPlan(2, TINY), tmp_path, lambda *_: None, workers=1)
    assert not (tmp_path / RESULT).exists()
    stop_at[0] = 10**9
    told = []
    document = calibrate(CalibrationPlan(3, TINY), tmp_path, lambda name, message: told.append((name, message)), workers=1)
    assert sorted(ran) == sorted(unit.name for unit in CalibrationPlan(3, TINY).units)
    assert len([name for name, message in told if message.get("before")]) == 3
    assert document["passed"] is True
    assert read_json(tmp_path / RESULT)["finding"] == document["finding"]
    assert (tmp_path / PAGE).is_file()


def test_folders_of_something_else_are_refused(tmp_path, at_once):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no calibration"):
        calibrate(CalibrationPlan(2, TINY), tmp_path, lambda *_: None)
    with pytest.raises(ConfigError, match="which is a file"):
        calibrate(CalibrationPlan(2, TINY), tmp_path / "notes.txt", lambda *_: None)
    calibrate(CalibrationPlan(2, TINY), tmp_path / "other", lambda *_: None)
    with pytest.raises(ConfigError, match="other settings"):
        calibrate(CalibrationPlan(2), tmp_path / "other", lambda *_: None)
    assert len(at_once[0]) == 4


def test_a_result_of_another_market_or_a_damaged_one_is_refused(tmp_path, at_once):
    plan = CalibrationPlan(2, TINY)
    calibrate(plan, tmp_path, lambda *_: None)
    first, second = (Place(tmp_path, unit).result for unit in plan.units[:2])
    kept = first.read_text(encoding="utf-8")
    first.write_text(second.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DataError, match="another market"):
        calibrate(plan, tmp_path, lambda *_: None)
    first.write_text(kept[:40], encoding="utf-8")
    with pytest.raises(DataError, match="not readable"):
        calibrate(plan, tmp_path, lambda *_: None)
    assert (tmp_path / PLAN).is_file()
