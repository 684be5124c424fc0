import numpy as np
import pytest
import torch

from seawall.core.errors import DataError
from seawall.core.fan_out import Interrupted
from seawall.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seawall.training.rl import TrainingParams, train, training_warnings
from seawall.training.tracking import NoScalars, TensorBoardScalars


class CountingLearner:
    """Weights that count updates; its policy is that count, so scores can be written down beforehand."""

    total_steps = 100

    def __init__(self):
        self.count = torch.zeros(1)

    @property
    def steps(self):
        return int(self.count) * 10

    def update(self):
        self.count += 1
        return {
            "entropy": 1.0 / float(self.count),
            "action_share_0": 0.4,
            "action_share_1": 0.6,
            "explained_variance": float("nan"),
            "account/fees": 0.5 * float(self.count),
        }

    def policy(self):
        return int(self.count)

    def weights(self):
        return {"count": self.count.clone()}

    def state(self):
        return {"count": self.count.clone()}, {"kind": "counting"}

    def load_state(self, tensors, values):
        assert values == {"kind": "counting"}
        self.count = tensors["count"].clone()


class Recorder:
    def __init__(self):
        self.events, self.numbers = [], []

    def info(self, event, **fields):
        self.events.append((event, fields))

    warning = info

    def add_scalar(self, tag, scalar_value, global_step):
        self.numbers.append((tag, scalar_value, global_step))


SCORES = {2: 0.1, 4: 0.9, 6: 0.3, 8: 0.2, 10: 0.5}


def run(folder, *, evaluate=SCORES.__getitem__, stop_after=None, recorder=None, on_progress=lambda report: None, **params):
    learner = CountingLearner()
    recorder = Recorder() if recorder is None else recorder
    return train(
        learner,
        evaluate=evaluate,
        params=TrainingParams(**({"evaluate_every": 2, "checkpoint_every": 3} | params)),
        folder=folder,
        should_stop=lambda: stop_after is not None and int(learner.count) >= stop_after,
        on_progress=on_progress,
        logger=recorder,
        scalars=recorder,
    )


def test_the_weights_of_the_best_validation_score_are_kept(tmp_path):
    result = run(tmp_path / "checkpoint")
    assert (result.best_step, result.best_score, float(result.weights["count"])) == (40, 0.9, 4.0)
    assert result.history == [(20, 0.1), (40, 0.9), (60, 0.3), (80, 0.2), (100, 0.5)]
    assert result.steps == 100
    assert result.warnings == []


def test_the_last_update_is_judged_even_off_the_beat(tmp_path):
    scores = {4: 0.1, 8: 0.2, 10: 0.3}
    assert run(tmp_path / "checkpoint", evaluate=scores.__getitem__, evaluate_every=4).history[-1] == (100, 0.3)


def test_patience_ends_the_training_after_so_many_scores_without_a_better_one(tmp_path):
    result = run(tmp_path / "checkpoint", patience=2)
    assert (result.steps, result.best_step) == (80, 40)


@pytest.mark.parametrize("stop_after", [1, 3, 4, 7])
def test_a_stopped_and_resumed_training_equals_one_never_stopped(tmp_path, stop_after):
    whole = run(tmp_path / "whole")
    with pytest.raises(Interrupted, match=f"stopped after {stop_after}0 of 100 steps"):
        run(tmp_path / "parts", stop_after=stop_after)
    resumed = run(tmp_path / "parts")
    assert resumed.history == whole.history
    assert (resumed.best_step, resumed.best_score, resumed.weights) == (whole.best_step, whole.best_score, whole.weights)


def test_patience_is_remembered_over_a_resumption(tmp_path):
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop_after=6, patience=2)
    assert run(tmp_path / "parts", patience=2).steps == 80


def test_a_finished_training_is_not_continued(tmp_path):
    first = run(tmp_path / "checkpoint")
    again = run(tmp_path / "checkpoint", evaluate=lambda policy: pytest.fail("judged again"))
    assert (again.history, again.best_step, again.weights) == (first.history, first.best_step, first.weights)


def test_a_killed_training_goes_on_from_its_newest_checkpoint(tmp_path):
    def killed(report):
        if report["steps"] == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint", on_progress=killed)
    seen = []
    result = run(tmp_path / "checkpoint", on_progress=lambda report: seen.append(report["steps"]))
    assert seen[0] == 40
    assert (result.best_step, result.steps) == (40, 100)


def test_progress_names_steps_score_and_best(tmp_path):
    reports = []
    run(tmp_path / "checkpoint", on_progress=reports.append)
    assert [report["steps"] for report in reports] == list(range(10, 101, 10))
    assert (reports[0]["score"], reports[0]["best"], reports[5]["score"], reports[5]["best"]) == (None, None, 0.3, 0.9)
    assert reports[0]["total_steps"] == 100
    assert reports[3]["metrics"]["entropy"] == 0.25


def test_every_diagnostic_and_score_is_tracked(tmp_path):
    recorder = Recorder()
    run(tmp_path / "checkpoint", recorder=recorder)
    assert ("train/entropy", 0.5, 20) in recorder.numbers
    assert ("account/fees", 1.0, 20) in recorder.numbers
    assert [number for number in recorder.numbers if number[0] == "validation/score"][1] == ("validation/score", 0.9, 40)


def test_a_score_that_is_no_number_is_never_the_best_and_survives_a_resumption(tmp_path):
    scores = {**SCORES, 2: float("nan"), 4: float("inf")}
    with pytest.raises(Interrupted):
        run(tmp_path / "checkpoint", evaluate=scores.__getitem__, stop_after=5)
    result = run(tmp_path / "checkpoint", evaluate=scores.__getitem__)
    assert (result.best_step, result.best_score) == (100, 0.5)
    assert np.isnan(result.history[0][1])


def test_without_any_finite_score_the_user_is_warned(tmp_path):
    result = run(tmp_path / "checkpoint", evaluate=lambda policy: float("nan"))
    assert np.isnan(result.best_score)
    assert ["validation rows" in warning for warning in result.warnings] == [True]


def test_a_collapsed_policy_is_named_with_the_setting_to_change():
    warnings = training_warnings([(10, 0.1), (20, 0.2)], {"action_share_0": 0.005, "action_share_2": 0.995})
    assert len(warnings) == 1
    assert "99.5% of its actions are number 2" in warnings[0]
    assert "entropy_coefficient" in warnings[0]


def test_a_score_that_never_moves_is_named_with_the_setting_to_change():
    flat = training_warnings([(10, 0.0), (20, 0.0), (30, 0.0)], {"action_share_0": 0.5})
    assert ["learning_rate" in warning for warning in flat] == [True]
    assert training_warnings([(10, 0.0), (20, 0.0), (30, 1e-6)], {"action_share_0": 0.5}) == []


def test_a_warning_reaches_the_log(tmp_path):
    recorder = Recorder()
    result = run(tmp_path / "checkpoint", evaluate=lambda policy: 0.0, recorder=recorder)
    assert result.warnings
    assert result.warnings[0] in [event for event, _ in recorder.events]


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    saved = Checkpoint({"a/b": torch.arange(3), "key": torch.tensor([2**64 - 1], dtype=torch.uint64)}, {"n": 1}, {}, {"updates": 4})
    save_checkpoint(tmp_path / "checkpoint", saved)
    loaded = load_checkpoint(tmp_path / "checkpoint")
    assert loaded is not None
    assert loaded.tensors["a/b"].tolist() == [0, 1, 2]
    assert int(loaded.tensors["key"].numpy()[0]) == 2**64 - 1
    assert (loaded.values, loaded.best, loaded.progress) == ({"n": 1}, {}, {"updates": 4})


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "nothing") is None


def test_a_damaged_checkpoint_is_refused_with_a_way_out(tmp_path):
    save_checkpoint(tmp_path / "checkpoint", Checkpoint({"a": torch.zeros(2)}, {}, {}, {}))
    path = tmp_path / "checkpoint" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match="delete the folder to start anew"):
        load_checkpoint(tmp_path / "checkpoint")


def test_a_checkpoint_of_another_schema_is_refused(tmp_path):
    save_checkpoint(tmp_path / "checkpoint", Checkpoint({"a": torch.zeros(2)}, {}, {}, {}))
    path = tmp_path / "checkpoint" / "checkpoint.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(DataError, match="schema version 9; 1 can be read"):
        load_checkpoint(tmp_path / "checkpoint")


def test_tensorboard_events_are_written_once_there_is_a_number(tmp_path):
    scalars = TensorBoardScalars(tmp_path / "events")
    assert not (tmp_path / "events").exists()
    scalars.add_scalar("score", 0.5, 10)
    scalars.close()
    assert [path.name.startswith("events.out.tfevents") for path in (tmp_path / "events").iterdir()] == [True]


def test_no_scalars_keeps_nothing():
    assert NoScalars().add_scalar("score", 0.5, 10) is None
