"""Judging the weights of a step, and what Ctrl-C leaves behind."""

import json
import os
import shutil
import signal

import pytest

from seawall.cli.training_display import TrainingDisplay
from seawall.core.run_folder import RunFolder


@pytest.fixture
def run(trained, tmp_path):
    original = RunFolder.find(trained, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    return RunFolder(copy)


def test_a_judged_checkpoint_is_named_cautioned_about_and_kept_apart(seawall, run):
    before = run.metrics.read_bytes()
    document = seawall("backtest", run.path, "--checkpoint", "last", "--json").json
    assert document["checkpoint"]["steps"] == {"0": 4096, "1": 4096}
    assert (document["checkpoint"]["name"], document["checkpoint"]["training_finished"]) == ("last", True)
    assert "select" in document["verdict"]["cautions"][0]
    assert document["metrics"].endswith("-last/metrics.json")
    assert run.metrics.read_bytes() == before
    numbered = seawall("backtest", run.path, "--checkpoint", "4096", "--json").json
    assert numbered["ensemble"] == document["ensemble"]


def test_the_best_weights_carry_no_caution_about_selection(seawall, run):
    document = seawall("backtest", run.path, "--json").json
    assert set(document["checkpoint"]["steps"]) == {"0", "1"}
    assert not any("select" in caution for caution in document["verdict"]["cautions"])


@pytest.mark.parametrize("checkpoint", ["1024", "worst", "-1", "1e3"])
def test_a_checkpoint_that_is_not_kept_is_refused_with_those_that_are(seawall, run, checkpoint):
    refused = seawall("backtest", run.path, f"--checkpoint={checkpoint}")
    assert refused.code == 2
    assert "is not kept; allowed: best, last, 4096. A run trained with training.keep=all" in refused.err


def test_damaged_weights_of_a_step_are_refused_by_name(seawall, run):
    path = run.path / "checkpoints" / "seed-1-weights" / "4096.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
    refused = seawall("backtest", run.path, "--checkpoint", "last")
    assert refused.code == 2
    assert "4096.safetensors" in refused.err


@pytest.fixture
def stopped(seawall, small_recipe, tmp_path, monkeypatch):
    """Train, and press Ctrl-C at the first message."""

    def train(*words):
        def press(self, run, seed, message):
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(TrainingDisplay, "show", press)
        # One seed at a time, so that the second has not begun; the second press would end it without waiting.
        monkeypatch.setattr("seawall.core.fan_out._Pool._interrupt", _stop_once)
        words = ("train", small_recipe, "--runs", tmp_path / "runs", "agent.total_steps=32768", "training.workers=1", *words)
        result = seawall(*words)
        monkeypatch.undo()
        return result, RunFolder.find(tmp_path / "runs", "latest")

    return train


def _stop_once(pool, _number, _frame):
    pool.interrupted, pool.stop.value = True, 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
def test_ctrl_c_leaves_the_best_weights_so_far_as_a_bundle_that_says_so(seawall, stopped):
    result, run = stopped()
    assert result.code == 130
    assert "seawall backtest" in result.err
    manifest = json.loads((run.bundle / "bundle.json").read_text())
    assert (manifest["complete"], manifest["seeds"]) == (False, [0])
    assert [each["best_step"] is None for each in manifest["progress"]] == [False, True]
    assert 0 < manifest["progress"][0]["steps"] < 32_768
    assert seawall("bundle", "verify", run.path).code == 0
    assert "interrupted" in seawall("bundle", "info", run.path).out
    judged = seawall("backtest", run.path)
    assert "Training was interrupted" in judged.out
    assert "so not in it: seed 1" in judged.out
    [kept] = (run.path / "judged").glob("*-interrupted/metrics.json")
    assert list(json.loads(kept.read_text())["seeds"]) == ["0"]
    assert not run.metrics.exists()
    assert seawall("resume", run.path).code == 0
    finished = json.loads((run.bundle / "bundle.json").read_text())
    assert (finished["complete"], finished["seeds"]) == (True, [0, 1])
    assert [each["steps"] for each in finished["progress"]] == [32_768, 32_768]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
def test_ctrl_c_before_any_score_leaves_no_bundle_and_says_so(seawall, stopped):
    result, run = stopped("training.evaluate_every=1000")
    assert result.code == 130
    assert "No seed has a finite validation score yet" in result.err
    assert not run.bundle.exists()
    refused = seawall("backtest", run.path)
    assert refused.code == 2
    assert "not trained to its end" in refused.err
