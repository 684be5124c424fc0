"""PPO with replay: it learns the toy market, its ratio starts at 1, and nothing older than allowed is ever used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy import EDGE, EXPOSURES, WINDOW, ToyVectorEnv, toy_market

from seawall.agents.bundle import weights_hash
from seawall.agents.replay_ppo import ReplayPPO, ReplayPPOParams
from seawall.agents.returns import generalised_advantages
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.files import to_json
from seawall.core.protocols import Observation
from seawall.nets.conv import ConvEncoder
from seawall.nets.heads import ActorCritic
from seawall.nets.registry import weights_generator

PARAMS = ReplayPPOParams(
    total_steps=7_680, n_envs=16, rounds=8, learning_rate=1e-3, gamma=0.5, entropy_coefficient=0.001, max_age=8
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build(hidden: int = 32, seed: int = 0, memory: int = 0) -> ActorCritic:
    actor, critic = (ConvEncoder(3, WINDOW, filters=8, hidden=hidden) for _ in range(2))
    return ActorCritic(actor, critic, 1, 3, weights_generator(seed), memory)


def learner(seed: int = 0, hidden: int = 32, env: dict[str, Any] | None = None, **changed: Any) -> ReplayPPO:
    params = ReplayPPOParams(**{**PARAMS.model_dump(), **changed})
    market = toy_market()
    network = build(hidden, seed)
    return ReplayPPO(ToyVectorEnv(market, params.n_envs, **(env or {})), network, params, market=market, window=WINDOW, seed=seed)


def captured(ppo: ReplayPPO) -> float:
    """The share of the best possible mean reward on an unseen market, without noise; chance is 0."""
    market = toy_market(seed=99)
    rows = np.arange(WINDOW, len(market))
    actions, _ = ppo.policy().act(Observation(market, rows, np.zeros((len(rows), 1), np.float32)))
    return float((EXPOSURES[actions] * market.features[rows, -1]).mean())


def train(ppo: ReplayPPO) -> dict[str, float]:
    diagnostics: dict[str, float] = {}
    while ppo.steps < ppo.total_steps:
        diagnostics = ppo.update()
    return diagnostics


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_it_captures_most_of_the_known_optimum_on_a_market_it_has_not_seen(seed):
    ppo = learner(seed)
    diagnostics = train(ppo)
    assert captured(ppo) > 0.9
    assert diagnostics["mean_reward"] > 0.8 * EDGE


@pytest.mark.slow
def test_it_learns_with_a_preference_for_large_advantages_too():
    ppo = learner(priority_alpha=0.6)
    train(ppo)
    assert captured(ppo) > 0.9


@pytest.mark.slow
def test_it_learns_nothing_where_rewards_do_not_depend_on_the_features():
    ppo = learner(env={"shuffled": True})
    train(ppo)
    assert abs(captured(ppo)) < 0.3


def test_the_ratio_of_fresh_samples_is_one_before_the_first_gradient_step():
    ppo = learner(n_epochs=1, rounds=1, max_age=0)
    told = ppo.update()
    # A matrix product of 512 samples may round otherwise than one of 16.
    assert told["log_ratio_max"] == pytest.approx(0.0, abs=1e-5)
    assert told["clip_fraction"] == 0.0
    assert told["sample_age"] == 0.0


def test_the_published_ratio_is_not_one_even_then():
    told = learner(n_epochs=1, rounds=1, max_age=0, legacy_origin=True).update()
    assert told["log_ratio_max"] > np.log(3) - 0.01


def used(ppo: ReplayPPO) -> list[tuple[int, torch.Tensor]]:
    """Record the version of the policy and those of the samples, at every draw."""
    drawn: list[tuple[int, torch.Tensor]] = []
    sample = ppo.memory.sample

    def recording(*arguments: Any) -> Any:
        samples, counts = sample(*arguments)
        drawn.append((ppo.version, samples.versions))
        return samples, counts

    ppo.memory.sample = recording
    return drawn


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_no_sample_is_older_than_allowed_and_the_oldest_allowed_ones_are_used(alpha):
    ppo = learner(max_age=3, rounds=30, priority_alpha=alpha)
    drawn = used(ppo)
    ppo.update()
    ages = [int((version - versions).max()) for version, versions in drawn]
    assert max(ages) == 3
    assert min(int((version - versions).min()) for version, versions in drawn) == 0


def test_learning_waits_for_enough_transitions_and_each_round_makes_the_policy_one_version_older():
    ppo = learner(learning_starts=81, rounds=1)
    assert "policy_loss" not in ppo.update()
    assert ppo.version == 0
    assert "policy_loss" in ppo.update()
    assert ppo.version == 1


def test_a_single_stream_has_the_rhythm_of_the_design():
    ppo = learner(n_envs=1, rounds=8)
    drawn = used(ppo)
    ppo.update()
    assert [len(versions) for _, versions in drawn] == [32] * 4 * 2  # four epochs of 32, in the two rounds from 35 steps on
    assert ppo.steps == 40


def test_advantages_are_those_of_the_round_and_the_value_after_it():
    ppo = learner(normalise_reward=False)
    rollout, steps = ppo._collect()
    expected = generalised_advantages(
        rollout.rewards.astype(np.float32), rollout.values, rollout.final_values, rollout.terminated, rollout.truncated, 0.5, 0.95
    )
    assert steps.advantages.numpy().tobytes() == expected[0].tobytes()
    assert steps.returns.numpy().tobytes() == expected[1].tobytes()


def test_what_is_remembered_of_a_transition_is_a_row_and_which_step_of_which_episode_it_was():
    ppo = learner(rounds=40)
    ppo.update()
    held = ppo.memory.held
    assert held.rows.dtype == torch.int32
    assert held.rows.shape == (625, 16)
    rows, episodes, moments = (block[:200].numpy() for block in (held.rows, held.episodes, held.moments))
    same = episodes[1:] == episodes[:-1]
    assert np.all((rows[1:] - rows[:-1] == 1)[same])
    assert np.all((moments[1:] - moments[:-1] == 1)[same])
    assert np.all(moments[1:][~same] == 0)
    first = moments == 0
    assert len(np.unique(episodes[first])) == np.count_nonzero(first)


def test_a_resumed_learner_ends_with_the_weights_of_one_never_stopped(tmp_path):
    settings = {"buffer_size": 1_000, "priority_alpha": 0.5, "n_envs": 8}
    whole = learner(5, **settings)
    for _ in range(5):
        whole.update()
    stopped = learner(5, **settings)
    for _ in range(2):
        stopped.update()
    tensors, values = stopped.state()
    save_file(tensors, tmp_path / "state.safetensors")
    resumed = learner(77, **settings)
    resumed.load_state(load_file(tmp_path / "state.safetensors"), json.loads(to_json(values)))
    for _ in range(3):
        last = resumed.update()
    assert weights_hash(resumed.weights()) == weights_hash(whole.weights())
    assert resumed.steps == whole.steps == last["steps"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    hashes = []
    for seed in (3, 3, 4):
        ppo = learner(seed)
        ppo.update()
        hashes.append(weights_hash(ppo.weights()))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_checkpoint_of_another_memory_is_refused():
    with pytest.raises(DataError, match=r"rows of shape \(625, 16\), and this training \(100, 16\)"):
        learner(buffer_size=1_600).load_state(*learner().state())


def test_a_small_target_kl_leaves_a_round_after_one_gradient_step():
    ppo = learner(target_kl=1e-12, rounds=3, max_age=5)
    drawn = used(ppo)
    ppo.update()
    assert len(drawn) < 3 * 4


def test_divergence_stops_the_training_saves_the_samples_and_names_the_learning_rate(tmp_path):
    ppo = learner()
    ppo.failure_folder = tmp_path
    with torch.no_grad():
        ppo.network.value_head.weight.fill_(float("nan"))
    with pytest.raises(InvariantError, match="learning_rate"):
        ppo.update()
    saved = load_file(next(tmp_path.iterdir()) / "batch.safetensors")
    assert saved["rows"].shape == (512,)


def test_a_reward_that_is_no_number_stops_the_training():
    with pytest.raises(InvariantError, match="reward is not finite"):
        learner(env={"noise": float("nan")}).update()


def test_a_network_that_remembers_is_refused():
    market = toy_market()
    with pytest.raises(ConfigError, match="the network remembers earlier bars"):
        ReplayPPO(ToyVectorEnv(market, 16), build(memory=4), PARAMS, market=market, window=WINDOW, seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"buffer_size": 79},
            "buffer_size 79 leaves 4 steps to each of 16 environments; n_steps 5 needs a buffer_size of at least 80",
        ),
        ({"learning_starts": 10_001}, "learning_starts is 10001; the buffer holds 10000 transitions; allowed: 1 to 10000"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ReplayPPOParams(**settings)


def test_a_round_that_is_longer_than_the_steps_left_ends_the_training():
    ppo = learner(total_steps=100, rounds=50)
    ppo.update()
    assert ppo.steps == 160


def test_preferences_are_the_power_of_the_advantage_and_weights_undo_them():
    ppo = learner(n_envs=4, buffer_size=20, priority_alpha=0.5, learning_starts=20)
    _, steps = ppo._collect()
    sizes = torch.arange(1.0, 21.0).view(5, 4)
    ppo.memory.append(replace(steps, advantages=sizes * torch.tensor([1.0, -1.0, 1.0, -1.0])))
    samples, counts = ppo.memory.sample(200_000, 0, np.random.default_rng(0))
    size = samples.advantages.abs().numpy()
    shares = np.bincount(size.astype(int), minlength=21)[1:] / len(size)
    expected = np.sqrt(np.arange(1, 21)) / np.sqrt(np.arange(1, 21)).sum()
    # 200,000 draws: four standard errors of a share are below 0.003.
    assert shares == pytest.approx(expected, abs=3e-3)
    assert counts.numpy() == pytest.approx(size**-0.5, rel=1e-4)


def test_weighted_draws_have_the_mean_of_even_ones():
    ppo = learner(n_envs=4, buffer_size=20, priority_alpha=1.0, learning_starts=20)
    _, steps = ppo._collect()
    ppo.memory.append(replace(steps, advantages=torch.arange(1.0, 21.0).view(5, 4), rewards=torch.arange(20.0).view(5, 4)))
    samples, counts = ppo.memory.sample(400_000, 0, np.random.default_rng(1))
    mean = float((counts * samples.rewards).sum() / counts.sum())
    # The standard error of the mean is about 0.01 of 9.5; rel is four of them.
    assert mean == pytest.approx(9.5, rel=6e-3)
