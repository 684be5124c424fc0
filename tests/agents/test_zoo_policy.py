"""Policies of the zoo decide as the libraries' own predict, go on from what they remember, and average in ensembles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from zoo_toys import COLUMNS, MARKET, NETWORK, SMALL, WINDOW, N, face, scheme_of, seen, settings, shape_of, zoo

from seawall.agents.bundle import weights_hash
from seawall.agents.state import host_weights, load_weights
from seawall.agents.zoo.network import build_zoo_network
from seawall.agents.zoo.policy import ZooEnsemble, ZooPolicy
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.protocols import Observation
from seawall.nets.conv import ConvParams
from seawall.nets.dense import RecurrentParams


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def built(algorithm: str, seed: int = 0, **changed: Any) -> ZooPolicy:
    network = build_zoo_network(settings(algorithm, **changed), "conv", NETWORK, shape_of(algorithm), seed)
    return ZooPolicy(network, WINDOW, generator=np.random.default_rng(1))


@pytest.mark.parametrize("algorithm", SMALL)
def test_a_policy_acts_as_the_librarys_predict_on_the_same_observations(algorithm):
    learner = zoo(algorithm)
    learner.update()
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights so large that decisions differ, and hang on all that is seen and remembered
        for parameter in learner.model.policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=source))
    env, policy = face(scheme_of(algorithm)), learner.policy()
    env.seed(3)
    shown, state, starts = env.reset(), None, np.ones(N, dtype=bool)
    different = set()
    for _ in range(24):
        ours, _ = policy.act(Observation(MARKET, env.batch.simulator.row.copy(), shown["account"]))
        theirs, state = learner.model.predict(shown, state=state, episode_start=starts, deterministic=True)
        # A sum of squashed numbers is taken in float32 on both sides; indices must be the same.
        assert ours == pytest.approx(theirs.reshape(N), abs=0 if algorithm != "SAC" else 1e-6)
        different |= set(ours.tolist())
        shown, _, ended, _ = env.step(theirs)
        assert not ended.any()
        starts = np.zeros(N, dtype=bool)
    assert len(different) > 1


@pytest.mark.parametrize("algorithm", SMALL)
def test_a_network_built_without_a_market_has_the_weights_a_learner_starts_with_and_takes_those_it_learned(algorithm):
    learner = zoo(algorithm, 6)
    network = build_zoo_network(learner.params, "conv", NETWORK, shape_of(algorithm), 6)
    assert weights_hash(host_weights(network)) == weights_hash(learner.weights())
    learner.update()
    learner.update()
    weights = learner.weights()
    load_weights(network, weights, "a bundle")
    rows = np.arange(WINDOW, 200)
    assert np.array_equal(ZooPolicy(network, WINDOW).act(seen(rows))[0], learner.policy().act(seen(rows))[0])
    assert all(len(MARKET) not in tensor.shape for tensor in weights.values())


def test_weights_hold_nothing_of_the_features():
    assert [name for name in zoo("PPO").weights() if "features" in name.rpartition(".")[2]] == []


@pytest.mark.parametrize("algorithm", SMALL)
def test_an_ensemble_decides_by_the_mean_of_its_members(algorithm):
    members, rows = [built(algorithm, seed) for seed in range(3)], np.arange(WINDOW, 100)
    scores = [member.scores(seen(rows)) for member in members]
    for member in members:
        member.begin(len(rows))
    actions, details = ZooEnsemble(members).act(seen(rows))
    mean = np.mean(scores, axis=0)
    if algorithm == "SAC":
        assert actions.tolist() == np.mean([np.tanh(each[:, 0]) for each in scores], axis=0).tolist()
        assert details["spread"].tolist() == mean[:, 1].tolist()
    else:
        name = "values" if algorithm in ("DQN", "QRDQN") else "probabilities"
        assert details[name].tolist() == mean.tolist()
        assert actions.tolist() == mean.argmax(1).tolist()


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "RecurrentPPO"])
def test_probabilities_add_up_to_one(algorithm):
    _, details = built(algorithm).act(seen(np.arange(WINDOW, 60)))
    assert details["probabilities"].sum(1) == pytest.approx(np.ones(60 - WINDOW), abs=1e-6)


@pytest.mark.parametrize("ensemble", [False, True])
def test_what_is_remembered_goes_on_where_it_was_taken_out(ensemble):
    def policy() -> Any:
        return ZooEnsemble([built("RecurrentPPO", seed) for seed in range(2)]) if ensemble else built("RecurrentPPO")

    whole, again = policy(), policy()
    whole.begin(2)
    told = [whole.act(seen(np.array([row, row + 50])))[1]["probabilities"] for row in range(WINDOW, WINDOW + 6)]
    again.begin(2)
    for row in range(WINDOW, WINDOW + 3):
        again.act(seen(np.array([row, row + 50])))
    resumed = policy()
    resumed.resume(again.memory)
    rest = [resumed.act(seen(np.array([row, row + 50])))[1]["probabilities"] for row in range(WINDOW + 3, WINDOW + 6)]
    assert [each.tolist() for each in rest] == [each.tolist() for each in told[3:]]
    forgetful = policy()
    forgetful.begin(2)
    late = forgetful.act(seen(np.array([WINDOW + 3, WINDOW + 53])))[1]["probabilities"]
    assert late.tolist() != told[3].tolist()
    assert again.memory.shape == (2, 2 * 2 * 8 * (2 if ensemble else 1))


def test_another_number_of_environments_than_are_remembered_is_refused():
    policy = built("RecurrentPPO")
    policy.begin(2)
    with pytest.raises(InvariantError, match="remembers 2 environments was shown 3; call begin first"):
        policy.act(seen(np.array([10, 11, 12])))
    with pytest.raises(ConfigError, match=r"memory of shape \(2, 5\) is not this network's; \(N, 32\) is needed"):
        policy.resume(np.zeros((2, 5), np.float32))


def test_a_policy_that_remembers_nothing_takes_any_number_of_environments():
    policy = built("PPO")
    assert [len(policy.act(seen(np.arange(10, 10 + n)))[0]) for n in (1, 5, 2)] == [1, 5, 2]


@pytest.mark.parametrize("algorithm", SMALL)
def test_samples_differ_from_the_best_and_need_a_generator(algorithm):
    policy, rows = built(algorithm), seen(np.arange(WINDOW, 900))
    best, _ = policy.act(rows)
    policy.begin(len(rows.rows))
    drawn, _ = policy.act(rows, deterministic=False)
    assert not np.array_equal(best, drawn)
    policy.generator = None
    with pytest.raises(ConfigError, match="has no generator"):
        policy.act(rows, deterministic=False)


def test_an_ensemble_is_of_one_algorithm_and_not_empty():
    with pytest.raises(ConfigError, match="got A2C, PPO"):
        ZooEnsemble([built("PPO"), built("A2C")])
    with pytest.raises(ConfigError, match="0 members"):
        ZooEnsemble([])


@pytest.mark.parametrize(
    ("kind", "network", "message"),
    [
        ("recurrent", RecurrentParams(), "network 'recurrent' remembers earlier bars"),
        ("conv", ConvParams(head_units=8), "head_units is 8 and the zoo has outputs of its own; set the agent's hidden"),
    ],
)
def test_an_encoder_that_the_zoo_cannot_train_is_refused(kind, network, message):
    with pytest.raises(ConfigError, match=message):
        build_zoo_network(settings("PPO"), kind, network, shape_of("PPO"), 0)


def test_one_encoder_for_policy_and_value_is_smaller_than_two():
    def parameters(shared: bool) -> int:
        params = ConvParams(filters=4, hidden=16, shared_encoder=shared)
        network = build_zoo_network(settings("PPO"), "conv", params, shape_of("PPO"), 0)
        return sum(parameter.numel() for parameter in network.parameters())

    encoder = 4 * (3 * COLUMNS + 1) + 16 * (4 * WINDOW + 1) + 16 * 17
    assert parameters(False) - parameters(True) == encoder
