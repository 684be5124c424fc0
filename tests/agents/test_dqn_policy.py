import numpy as np
import pytest
import torch
from toy import WINDOW, toy_market

from seawall.agents.dqn.policy import QEnsemble, QPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Observation
from seawall.core.seeding import generator
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape

SHAPE = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=3)


def policy(seed, source=None, scale=1.0):
    network = build_q_network("conv", ConvParams(filters=4, hidden=16), SHAPE, seed)
    network.reward_scale.fill_(scale)
    return QPolicy(network, WINDOW, generator=source)


def worth(values, scale=1.0):
    """A member that values the actions so, whatever it sees, in units of its own scale."""
    member = policy(0, scale=scale)
    with torch.no_grad():
        member.network.advantage_head.weight.zero_()
        member.network.advantage_head.bias.copy_(torch.tensor(values) / scale)
    return member


def observation(n=64, market=None):
    market = toy_market() if market is None else market
    return Observation(market, np.arange(WINDOW, WINDOW + n), np.linspace(-1, 1, n, dtype=np.float32)[:, None])


def test_the_action_of_highest_value_is_taken_and_the_values_are_recorded():
    actions, details = policy(0).act(observation())
    assert actions.dtype == np.int64
    assert details["values"].shape == (64, 3)
    np.testing.assert_array_equal(actions, details["values"].argmax(1))
    assert len(set(actions.tolist())) > 1


def test_values_are_in_units_of_reward():
    np.testing.assert_allclose(
        policy(1, scale=0.01).values(observation()), 0.01 * policy(1).values(observation()), rtol=1e-5, atol=1e-9
    )


def test_an_ensemble_acts_on_the_mean_value_in_units_of_reward_whatever_scale_a_member_learned_in():
    members = [worth([0.1, 0.0, 0.0], 0.001), worth([0.1, 0.0, 0.0], 10.0), worth([0.0, 0.0, 0.3])]
    actions, details = QEnsemble(members).act(observation(2))
    np.testing.assert_allclose(details["values"], [[0.2 / 3, 0.0, 0.1]] * 2, rtol=1e-5, atol=1e-9)
    assert actions.tolist() == [2, 2]
    assert details["votes"].tolist() == [[0, 0, 2]] * 2


def test_one_action_in_twenty_is_random_where_exploring_is_asked_for():
    seen = Observation(toy_market(), np.full(30_000, 50), np.zeros((30_000, 1), np.float32))
    explorer = worth([0.0, 1.0, 0.0])
    explorer.generator = generator(3, "acting")
    actions, _ = explorer.act(seen, deterministic=False)
    # Two thirds of a twentieth are other actions; four standard errors of a share of 30,000 draws are below 0.005.
    assert (actions != 1).mean() == pytest.approx(0.05 * 2 / 3, abs=0.005)
    assert set(actions.tolist()) == {0, 1, 2}


def test_exploring_without_a_generator_is_refused():
    with pytest.raises(ConfigError, match="generator"):
        policy(0).act(observation(), deterministic=False)


def test_an_ensemble_of_no_values_is_refused():
    with pytest.raises(ConfigError, match="0 members"):
        QEnsemble([])


def test_the_future_of_the_market_changes_no_value():
    whole, changed = toy_market(), toy_market()
    changed.features[WINDOW + 64 :] = 1e6
    np.testing.assert_array_equal(policy(4).values(observation(market=whole)), policy(4).values(observation(market=changed)))


def test_values_are_those_of_the_market_now_seen():
    member = policy(5)
    here, there = observation(market=toy_market(seed=1)), observation(market=toy_market(seed=2))
    member.values(here)
    np.testing.assert_array_equal(member.values(there), policy(5).values(there))
