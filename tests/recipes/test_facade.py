"""The design's own names: sizes, what a step of learning does, files, and who overrules whom."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch

from seawall.agents.bundle import load_bundle, save_bundle
from seawall.core.errors import ConfigError, DataError
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


def transitions(**changes):
    batch = Transitions(states(4), np.array([SELL, BUY, HOLD, BUY]), np.zeros(4), states(4, 1), np.zeros(4, dtype=bool))
    return batch._replace(**changes)


def steps(**changes):
    shape = (2, 3)
    batch = Steps(states(9).reshape(3, 3, 6, 5), np.zeros(shape, int), np.zeros(shape), np.zeros(shape, dtype=bool))
    return batch._replace(**changes)


def holed(shape, place, value=np.nan):
    found = np.zeros(shape, dtype=np.float64)
    found[place] = value
    return found


@pytest.mark.parametrize(
    ("made", "batch", "said"),
    [
        (
            DQNAgent,
            transitions(states=states(4, window=7)),
            "states of shape (4, 7, 5); needed: finite numbers of shape (batch, 6, 5)",
        ),
        (DQNAgent, transitions(states=states(0)), "states are 0; needed: finite numbers of shape (batch, 6, 5), at least one"),
        (DQNAgent, transitions(states=[[1.0], [1.0, 2.0]]), "states are list, which holds more than numbers in rows"),
        (
            DQNAgent,
            transitions(next_states=states(3)),
            "next_states of shape (3, 6, 5); needed: finite numbers of shape (4, 6, 5)",
        ),
        (
            DQNAgent,
            transitions(next_states=holed((4, 6, 5), (2, 1, 3))),
            "next_states hold nan at (2, 1, 3); needed: finite numbers",
        ),
        (DQNAgent, transitions(actions=np.array([0, 1, 2, 3])), "actions hold 3 at (3,); needed: whole numbers 0 (SELL), 1 (BUY)"),
        (DQNAgent, transitions(actions=np.array([0, -1, 2, 1])), "actions hold -1 at (1,)"),
        (DQNAgent, transitions(actions=np.array([0, 0.5, 2, 1])), "actions hold 0.5 at (1,)"),
        (DQNAgent, transitions(actions=np.zeros(3)), "actions of shape (3,); allowed: whole numbers 0 (SELL), 1 (BUY), 2 (HOLD)"),
        (DQNAgent, transitions(rewards=holed(4, 1)), "rewards hold nan at (1,); needed: finite numbers of shape (4,)"),
        (DQNAgent, transitions(rewards=np.zeros((4, 1))), "rewards of shape (4, 1); allowed: finite numbers of shape (4,)"),
        (DQNAgent, transitions(terminated=np.full(4, 2)), "terminated hold 2 at (0,); needed: true or false, of shape (4,)"),
        (DQNAgent, transitions(terminated=np.zeros(5)), "terminated of shape (5,); allowed: true or false, of shape (4,)"),
        (
            PPOAgent,
            steps(states=states(9)),
            "states of shape (9, 6, 5); needed: finite numbers of shape (steps + 1, environments, 6, 5)",
        ),
        (PPOAgent, steps(states=states(3).reshape(1, 3, 6, 5)), "at least one step of one environment"),
        (PPOAgent, steps(states=holed((3, 3, 6, 5), (2, 0, 5, 4), np.inf)), "states hold inf at (2, 0, 5, 4)"),
        (
            PPOAgent,
            steps(actions=np.zeros((3, 3))),
            "actions of shape (3, 3); allowed: whole numbers 0 (SELL), 1 (BUY), 2 (HOLD) of",
        ),
        (PPOAgent, steps(actions=np.full((2, 3), 7)), "actions hold 7 at (0, 0)"),
        (PPOAgent, steps(rewards=holed((2, 3), (1, 2))), "rewards hold nan at (1, 2)"),
        (PPOAgent, steps(terminated=np.zeros((2, 2))), "terminated of shape (2, 2); allowed: true or false, of shape (2, 3)"),
    ],
)
def test_a_batch_that_cannot_be_learned_from_is_refused_by_name_and_changes_no_weight(made, batch, said):
    agent = made(5, 6, SMALL)
    before = [weight.detach().clone() for weight in agent.network.parameters()]
    with pytest.raises(DataError, match=re.escape(said)) as refused:
        agent.train_step(batch)
    assert refused.value.exit_code == 2
    assert all(torch.equal(old, new) for old, new in zip(before, agent.network.parameters(), strict=True))


def test_a_number_that_is_none_is_named_with_its_place_in_the_states():
    shown = states(3)
    shown[1, 4, 2] = np.nan
    with pytest.raises(DataError, match=r"states hold nan at \(1, 4, 2\); needed: finite numbers of shape \(batch, 6, 5\)"):
        DQNAgent(5, 6, SMALL).get_action(shown)


@pytest.mark.parametrize("made", [DQNAgent, PPOAgent])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"n_features": 0}, "n_features is 0; allowed: a whole number of 1 or more"),
        ({"n_features": 5, "window": -1}, "window is -1; allowed: a whole number of 1 or more"),
        ({"n_features": 5.5}, "n_features is 5.5; allowed"),
        ({"n_features": 5, "network": {"filter": 4}}, "network: unknown key filter (value 4); did you mean filters?"),
        ({"n_features": 5, "params": {"gamma": 1.5}}, "gamma"),
    ],
)
def test_an_agent_of_impossible_sizes_or_settings_is_not_made(made, words, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        made(**words)


@pytest.mark.parametrize("made", [DQNAgent, PPOAgent])
def test_what_was_not_saved_by_this_kind_of_agent_or_is_of_other_sizes_is_not_loaded(made, tmp_path):
    other = PPOAgent if made is DQNAgent else DQNAgent
    other(5, 6, SMALL).save(tmp_path / "other")
    with pytest.raises(DataError, match=f"facade: bundle '{other.kind}', here '{made.kind}'"):
        made.load(tmp_path / "other")
    made(5, 6, SMALL).save(tmp_path / "own")
    bundle = load_bundle(tmp_path / "own")
    save_bundle(tmp_path / "resized", {**bundle.manifest, "n_features": 4}, bundle.members)
    with pytest.raises(DataError, match=r"do not fit the network:\n.*network \(4, 4, 3\), saved \(4, 5, 3\)"):
        made.load(tmp_path / "resized")
    kept = {name: value for name, value in bundle.manifest.items() if name != "window"}
    save_bundle(tmp_path / "without", kept, bundle.members)
    with pytest.raises(DataError, match="does not tell window; needed: n_features, window, seed"):
        made.load(tmp_path / "without")
    with pytest.raises(DataError):
        made.load(tmp_path / "nothing")
    again = made.load(tmp_path / "own")
    with pytest.raises(DataError, match=r"states of shape \(2, 6, 4\); needed: finite numbers of shape \(batch, 6, 5\)"):
        again.get_action(states(2, features=4))


@pytest.mark.parametrize("made", [DQNAgent, PPOAgent])
def test_an_agent_that_was_saved_while_it_learned_goes_on_acting_as_it_did_and_can_learn_on(made, tmp_path):
    agent = made(5, 6, SMALL, {"learning_rate": 3e-3}, seed=2)
    batch = transitions() if made is DQNAgent else steps()
    for _ in range(3):
        agent.train_step(batch)
    agent.save(tmp_path / "half")
    again, shown = made.load(tmp_path / "half"), states(300, 8)
    assert again.get_action(shown).tolist() == agent.get_action(shown).tolist()
    values = [each.network.state_dict() for each in (agent, again)]
    assert all(torch.equal(values[0][name], values[1][name]) for name in values[0])
    again.train_step(batch)
    assert any(not torch.equal(values[0][name], weight) for name, weight in again.network.named_parameters())


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


def test_under_a_smurf_each_action_is_the_main_agents_or_hold_and_hold_where_the_smurf_says_so():
    main, smurf, shown = PPOAgent(5, 6, SMALL, seed=1), DQNAgent(5, 6, SMALL, seed=6), 3.0 * states(500, 3)
    got, own, careful = IntegratedAgent(main, smurf).get_action(shown), main.get_action(shown), smurf.get_action(shown)
    assert 0 < (careful == HOLD).sum() < len(shown)
    assert (own != HOLD).any()
    assert (got[careful == HOLD] == HOLD).all()
    assert (got[careful != HOLD] == own[careful != HOLD]).all()


def test_agents_of_other_sizes_or_answers_that_are_no_actions_are_refused():
    with pytest.raises(
        ConfigError, match=r"the Smurf sees states of \(6, 4\) rows and columns, the main agent of \(6, 5\); allowed"
    ):
        IntegratedAgent(PPOAgent(5, 6, SMALL), DQNAgent(4, 6, SMALL))
    with pytest.raises(DataError, match=r"the Smurf's actions of shape \(1,\); allowed: whole numbers .* of shape \(2,\)"):
        IntegratedAgent(Says(BUY, BUY), Says(HOLD)).get_action(states(2))
    with pytest.raises(DataError, match=r"the main agent's actions hold 3 at \(1,\)"):
        IntegratedAgent(Says(BUY, 3), Says(BUY, BUY)).get_action(states(2))


def test_the_rule_of_n_consecutive_actions_follows_the_smurf():
    agent = IntegratedAgent(Says(BUY, BUY), Says(BUY, HOLD), NConsecutiveParams(n=2))
    assert [agent.get_action(states(2)).tolist() for _ in range(4)] == [[BUY, HOLD], [BUY, HOLD], [HOLD, HOLD], [HOLD, HOLD]]
    agent.reset(2)
    assert agent.get_action(states(2)).tolist() == [BUY, HOLD]
