"""The design's own names: sizes, what a step of learning does, files, and who overrules whom."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from seawall.core.errors import DataError
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.nets.conv import ConvParams
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import NetworkShape
from seawall.recipes.facade import DQNAgent, IntegratedAgent, PPOAgent, Steps, Transitions
from seawall.simulator.actions.registry import SellBuyHold

SELL, BUY, HOLD = SellBuyHold.SELL, SellBuyHold.BUY, SellBuyHold.HOLD
SMALL = {"filters": 4, "hidden": 16}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def states(n, seed=0, features=5, window=6):
    return np.random.default_rng(seed).standard_normal((n, window, features)).astype(np.float32)


def test_the_networks_have_the_parameter_counts_of_the_design():
    q, ppo = DQNAgent(21).network, PPOAgent(21).network
    assert (count(q.encoder), count(q.advantage_head), count(q)) == (166_400, 771, 166_400 + 771)
    assert (count(ppo.actor_encoder), count(ppo.policy_head)) == (166_400, 771)
    assert (count(ppo.critic_encoder), count(ppo.value_head)) == (166_400, 257)
    assert count(PPOAgent(21, network={"shared_encoder": True}).network) == 166_400 + 771 + 257


def test_the_agents_act_by_the_networks_of_the_recipe():
    agent, seen = DQNAgent(5, 6, seed=3), states(40)
    network = build_q_network("conv", ConvParams(), NetworkShape(5, 6, 0, 3), 3)
    best = network.values(torch.from_numpy(seen), torch.zeros(40, 0)).argmax(1)
    assert agent.get_action(seen).tolist() == best.tolist()
    probabilities = PPOAgent(5, 6).probabilities(seen)
    assert probabilities.shape == (40, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"loss": "mse", "double": False}, {"quantiles": 8}, {"dueling": True}])
def test_a_step_of_dqn_lowers_the_loss_on_the_batch_that_it_was_taught_by(settings):
    agent = DQNAgent(5, 6, SMALL, {"weight_decay": 0.0, **settings})
    rng = np.random.default_rng(1)
    batch = Transitions(states(64), rng.integers(0, 3, 64), rng.standard_normal(64), states(64, 1), rng.random(64) < 0.5)
    losses = [agent.train_step(batch)["loss"] for _ in range(20)]
    assert all(after < before for before, after in pairwise(losses))


def test_dqn_learns_which_action_a_state_pays():
    agent = DQNAgent(5, 6, SMALL, {"weight_decay": 0.0, "gamma": 0.0, "learning_rate": 3e-3})
    seen = states(256)
    best = np.where(seen[:, -1, 0] > 0.0, BUY, SELL)
    for action in [SELL, BUY, HOLD] * 60:
        chosen = np.full(256, action)
        agent.train_step(Transitions(seen, chosen, (chosen == best).astype(float), seen, np.ones(256, dtype=bool)))
    assert (agent.get_action(seen) == best).mean() > 0.95


def test_ppo_learns_which_action_a_state_pays_and_lowers_the_loss_of_its_values():
    agent = PPOAgent(5, 6, SMALL, {"gamma": 0.0, "learning_rate": 3e-3, "minibatch": 64})
    told = []
    for turn in range(25):
        seen = states(5 * 32, seed=turn).reshape(5, 32, 6, 5)
        actions = np.stack([agent.get_action(each, explore=True) for each in seen[:-1]])
        best = np.where(seen[:-1, :, -1, 0] > 0.0, BUY, SELL)
        told.append(agent.train_step(Steps(seen, actions, (actions == best).astype(float), np.zeros((4, 32), dtype=bool))))
    fresh = states(400, seed=99)
    assert (agent.get_action(fresh) == np.where(fresh[:, -1, 0] > 0.0, BUY, SELL)).mean() > 0.8
    assert told[-1]["entropy"] < told[0]["entropy"]
    assert agent.steps == 25 * 4 * 32


def test_a_step_of_ppo_lowers_the_loss_of_values_on_the_rollout_that_it_was_taught_by():
    agent = PPOAgent(5, 6, SMALL, {"entropy_coefficient": 0.0, "normalise_advantage": False, "minibatch": 128, "n_epochs": 1})
    rng = np.random.default_rng(2)
    batch = Steps(states(5 * 32).reshape(5, 32, 6, 5), rng.integers(0, 3, (4, 32)), np.ones((4, 32)), np.ones((4, 32), dtype=bool))
    losses = [agent.train_step(batch)["value_loss"] for _ in range(10)]
    assert all(after < before for before, after in pairwise(losses))


@pytest.mark.parametrize("made", [DQNAgent, PPOAgent])
def test_a_saved_agent_acts_the_same_and_holds_no_pickle(made, tmp_path):
    agent = made(5, 6, SMALL, seed=4)
    if made is DQNAgent:
        agent.train_step(Transitions(states(8), np.zeros(8, int), np.ones(8), states(8), np.ones(8, dtype=bool)))
    agent.save(tmp_path / "saved")
    again = made.load(tmp_path / "saved")
    assert again.get_action(states(200, 5)).tolist() == agent.get_action(states(200, 5)).tolist()
    assert sorted(path.suffix for path in (tmp_path / "saved").iterdir()) == [".json", ".safetensors"]
    assert (again.params, again.steps) == (agent.params, agent.steps)
    other = PPOAgent if made is DQNAgent else DQNAgent
    with pytest.raises(DataError, match="facade: bundle"):
        other.load(tmp_path / "saved")


def test_exploring_is_random_at_the_start_and_falls_with_what_was_acted_on():
    agent = DQNAgent(5, 6, SMALL, {"total_steps": 1_000, "epsilon_fraction": 0.5, "epsilon_end": 0.1})
    assert agent.epsilon == 1.0
    shares = np.bincount(agent.get_action(states(300), explore=True), minlength=3) / 300
    assert shares.min() > 0.2
    agent.get_action(states(200), explore=True)
    assert agent.epsilon == pytest.approx(0.1)
    assert agent.get_action(states(9)).tolist() == agent.get_action(states(9)).tolist()


@pytest.mark.parametrize("wrong", [np.zeros((3, 6, 4)), np.zeros((6, 5)), np.full((2, 6, 5), np.nan)])
def test_states_of_other_sizes_or_without_a_number_are_refused(wrong):
    for agent in (DQNAgent(5, 6, SMALL), PPOAgent(5, 6, SMALL)):
        with pytest.raises(DataError, match=r"needed: finite numbers of shape \(batch, 6, 5\)"):
            agent.get_action(wrong)


class Says:
    def __init__(self, *actions):
        self.actions = np.array(actions)

    def get_action(self, state, explore=False):
        return self.actions


def test_the_smurfs_hold_forces_hold_and_else_the_main_agents_word_stands():
    main = [SELL, BUY, HOLD] * 3
    smurf = [SELL] * 3 + [BUY] * 3 + [HOLD] * 3
    agent = IntegratedAgent(Says(*main), Says(*smurf))
    assert agent.get_action(states(9)).tolist() == [SELL, BUY, HOLD] * 2 + [HOLD] * 3


def test_the_rule_of_n_consecutive_actions_follows_the_smurf():
    agent = IntegratedAgent(Says(BUY, BUY), Says(BUY, HOLD), NConsecutiveParams(n=2))
    assert [agent.get_action(states(2)).tolist() for _ in range(4)] == [[BUY, HOLD], [BUY, HOLD], [HOLD, HOLD], [HOLD, HOLD]]
    agent.reset(2)
    assert agent.get_action(states(2)).tolist() == [BUY, HOLD]
