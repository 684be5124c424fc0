"""Every agent that a recipe can name, from its training to its judged bundle; and what each of them refuses beforehand."""

import json
import os
import signal

import pytest

from seawall.cli.training_display import TrainingDisplay
from seawall.core.run_folder import RunFolder

POSITIONS_ALONE = ("environment.account_columns=[target]", "environment.guard_columns=false")
AGENTS = {
    "dqn": ("agent={kind: dqn, total_steps: 8192, n_envs: 16, learning_starts: 512}",),
    "exact": ("agent={kind: exact, total_steps: 65536, n_segments: 8, gradient_steps: 4}", *POSITIONS_ALONE),
    "one number": ("environment.scheme=continuous_target", "guards.n_consecutive=null"),
    "a memory": ("network=recurrent",),
    "replay_ppo": ("agent={kind: replay_ppo, total_steps: 640, n_envs: 8, rounds: 8, minibatch: 4}",),
    "zoo": ("agent={kind: zoo, algorithm: A2C, total_steps: 2048, n_envs: 16, update_steps: 512}",),
    "zoo by a number": (
        "agent={kind: zoo, algorithm: SAC, total_steps: 512, n_envs: 16, update_steps: 128, learning_starts: 64}",
        "environment.scheme=thresholded",
        "guards.n_consecutive=null",
    ),
}


# A minute each. Every learner has quick tests of its own; here one goes its whole way, and all of them in the long suite.
SHORT = ("exact",)


def hashes(run):
    return [member["weights_hash"] for member in json.loads((run.bundle / "bundle.json").read_text())["members"]]


@pytest.fixture
def stop_once(monkeypatch):
    """Press Ctrl-C at the first message of the next training."""

    def press(self, run, seed, message):
        signal.raise_signal(signal.SIGINT)

    def stop(pool, _number, _frame):
        pool.interrupted, pool.stop.value = True, 1

    monkeypatch.setattr(TrainingDisplay, "show", press)
    monkeypatch.setattr("seawall.core.fan_out._Pool._interrupt", stop)
    return monkeypatch


@pytest.mark.parametrize("agent", [pytest.param(name, marks=[] if name in SHORT else pytest.mark.slow) for name in AGENTS])
def test_an_agent_trains_is_judged_and_its_bundle_is_sound(agent, seawall, small_recipe, tmp_path):
    trained = seawall("train", small_recipe, "--runs", tmp_path, "training.n_seeds=2", *AGENTS[agent], "--json")
    assert trained.code == 0, trained.err
    run = trained.json["run"]
    judged = seawall("backtest", run, "--json").json
    # The ensemble decides by its members' mean, and no member is the ensemble.
    assert (
        len({json.dumps(judged["ensemble"], sort_keys=True), *(json.dumps(seed, sort_keys=True) for seed in judged["seeds"])}) >= 2
    )
    assert seawall("bundle", "verify", run).code == 0
    assert seawall("leakcheck", small_recipe, *AGENTS[agent]).code == 0


# Each learner's own tests resume it; here one is stopped on its whole way, and all of them in the long suite.
QUICK = ("dqn",)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
@pytest.mark.parametrize("agent", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in AGENTS])
def test_an_agent_that_was_stopped_goes_on_as_if_it_had_not_been(agent, seawall, small_recipe, tmp_path, stop_once):
    words = ("train", small_recipe, "training.n_seeds=1", "training.workers=1", *AGENTS[agent])
    assert seawall(*words, "--runs", tmp_path / "stopped").code == 130
    stop_once.undo()
    stopped = RunFolder.find(tmp_path / "stopped", "latest")
    assert seawall("resume", stopped.path).code == 0
    assert seawall(*words, "--runs", tmp_path / "whole").code == 0
    assert hashes(stopped) == hashes(RunFolder.find(tmp_path / "whole", "latest"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("agent=exact", "environment.account_columns=[exposure]"),
            "environment.account_columns=[target] and, with guards, environment.guard_columns=false",
        ),
        (("agent=exact", *POSITIONS_ALONE, "simulator.stop_loss_bps=50"), "stop_loss_bps"),
        (("agent=exact", *POSITIONS_ALONE, "network=recurrent"), "remembers earlier bars"),
        (("agent=dqn", "network=recurrent"), "remembers earlier bars"),
        (("agent=dqn", "environment.scheme=continuous_target"), "'continuous_target', whose action is a number"),
        (("agent=dqm",), "agent 'dqm' is unknown; allowed: ppo, dqn, exact, replay_ppo, zoo"),
        (("environment.scheme=portfolio_weights",), "environment.scheme is 'portfolio_weights': allowed: sell_buy_hold"),
        (("agent=zoo", "agent.algorithm=SAC"), "SAC acts by a number and the action scheme has 3 numbered actions"),
        (("agent=zoo", "network.head_units=8"), "set agent.hidden"),
        (("agent=replay_ppo", "network=recurrent"), "remembers earlier bars"),
    ],
)
def test_an_agent_that_cannot_serve_a_recipe_is_refused_before_any_training(words, said, seawall, tmp_path):
    refused = seawall("train", "tradernet", "--runs", tmp_path, *words)
    assert refused.code == 2
    assert said in refused.err
    assert not list(tmp_path.iterdir())


def test_a_refusal_names_what_is_wrong_and_no_more(seawall, tmp_path):
    bracket = seawall("train", "tradernet", "--runs", tmp_path, "agent=exact", *POSITIONS_ALONE, "simulator.stop_loss_bps=50")
    assert bracket.code == 2
    assert "allowed: 0 in training" in bracket.err
    assert "account_columns" not in bracket.err
    together = seawall("train", "tradernet", "--runs", tmp_path, "agent=ppo", "agent.sequence=7")
    assert together.code == 2
    assert "sequence 7 does not divide n_steps 64; choose a divisor" in together.err
    assert together.err.count(" is {") == 1


def test_guards_judge_an_agent_that_does_not_see_their_state(seawall, small_recipe, tmp_path):
    trained = seawall("train", small_recipe, "--runs", tmp_path, *AGENTS["exact"], "guards.n_consecutive.mode=confirm", "--json")
    manifest = json.loads((RunFolder.find(tmp_path, "latest").bundle / "bundle.json").read_text())
    assert manifest["account"] == ["target"]
    assert list(manifest["guards"]) == ["n_consecutive"]
    assert trained.code == 0
