import numpy as np
import pytest
import torch
from toy import WINDOW, toy_market

from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Observation
from seawall.core.seeding import generator
from seawall.nets.registry import ConvParams, NetworkShape, build_network

SHAPE = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=3)


def policy(seed, source=None, head=30.0):
    network = build_network("conv", ConvParams(filters=4, hidden=16), SHAPE, seed)
    with torch.no_grad():
        network.policy_head.weight.mul_(head)
    return NetworkPolicy(network, WINDOW, generator=source)


def observation(n=64, market=None):
    market = toy_market() if market is None else market
    return Observation(market, np.arange(WINDOW, WINDOW + n), np.linspace(-1, 1, n, dtype=np.float32)[:, None])


def test_the_likeliest_action_is_taken_and_its_probabilities_are_recorded():
    actions, details = policy(0).act(observation())
    probabilities = details["probabilities"]
    assert actions.dtype == np.int64
    assert probabilities.shape == (64, 3)
    np.testing.assert_array_equal(actions, probabilities.argmax(1))
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-6)


def test_samples_follow_the_probabilities_and_the_generator():
    seen = Observation(toy_market(), np.full(20_000, 50), np.zeros((20_000, 1), np.float32))
    actions, details = policy(1, generator(3, "acting")).act(seen, deterministic=False)
    again, _ = policy(1, generator(3, "acting")).act(seen, deterministic=False)
    np.testing.assert_array_equal(actions, again)
    # Four standard errors of a share of 20,000 draws are at most 4 * 0.5 / sqrt(20,000) = 0.014.
    np.testing.assert_allclose(np.bincount(actions, minlength=3) / 20_000, details["probabilities"][0], atol=0.014)


def test_sampling_without_a_generator_is_refused():
    with pytest.raises(ConfigError, match="generator"):
        policy(0).act(observation(), deterministic=False)


def test_an_ensemble_acts_on_the_mean_of_the_probabilities():
    members = [policy(seed) for seed in range(3)]
    _, details = EnsemblePolicy(members).act(observation())
    separate = [member.act(observation())[1]["probabilities"] for member in members]
    np.testing.assert_allclose(details["probabilities"], sum(separate) / 3, rtol=1e-5)


def test_an_ensemble_may_outvote_the_majority():
    # Two members slightly prefer action 0, one is sure of action 2: mean probabilities (0.35, 0.30, 0.35 + ...) favour 2.
    def sure_of(logits):
        member = policy(0)
        with torch.no_grad():
            member.network.policy_head.weight.zero_()
            member.network.policy_head.bias.copy_(torch.tensor(logits))
        return member

    members = [sure_of([0.1, 0.0, 0.0]), sure_of([0.1, 0.0, 0.0]), sure_of([0.0, 0.0, 9.0])]
    actions, told = EnsemblePolicy(members).act(observation(2))
    assert actions.tolist() == [2, 2]
    assert told["votes"].tolist() == [[0, 0, 2]] * 2


def test_an_ensemble_of_nobody_is_refused():
    with pytest.raises(ConfigError, match="0 members"):
        EnsemblePolicy([])


def test_the_future_of_the_market_changes_nothing():
    whole = toy_market()
    changed = toy_market()
    last = WINDOW + 63
    changed.features[last + 1 :] = 1e6
    member = policy(4)
    np.testing.assert_array_equal(
        member.act(observation(market=whole))[1]["probabilities"], member.act(observation(market=changed))[1]["probabilities"]
    )


def test_another_market_is_looked_at_and_not_the_one_before():
    member = policy(5)
    here, there = observation(market=toy_market(seed=1)), observation(market=toy_market(seed=2))
    fresh = policy(5).act(there)[1]["probabilities"]
    member.act(here)
    np.testing.assert_array_equal(member.act(there)[1]["probabilities"], fresh)


def test_a_row_without_a_whole_window_before_it_is_refused():
    early = Observation(toy_market(), np.array([WINDOW - 2]), np.zeros((1, 1), np.float32))
    with pytest.raises(IndexError):
        policy(0).act(early)
