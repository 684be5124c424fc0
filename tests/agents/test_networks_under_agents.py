"""Every network over a window under every agent: one update, and whether rollouts, gradients and policies see one network."""

import json

import numba
import numpy as np
import pytest
import torch
from exact_toys import WINDOW as EXACT_WINDOW
from exact_toys import random_market, whole
from toy import WINDOW, ToyVectorEnv, toy_market

from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.params import DQNParams
from seawall.agents.exact.exact import ExactGradient
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.problem import ExactProblem
from seawall.agents.ppo import PPO, PPOParams
from seawall.core.files import to_json
from seawall.core.protocols import Observation
from seawall.nets.autoencoder import AutoencoderParams
from seawall.nets.lstm import LstmParams
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.nets.tcn import TcnParams
from seawall.nets.transformer import TransformerParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

CASES = {
    "conv": ("conv", ConvParams(filters=4, hidden=16, head_units=8, head_activation="tanh")),
    "lstm": ("lstm", LstmParams(units=8, head_units=8)),
    "tcn": ("tcn", TcnParams(channels=(8, 8))),
    "tcn, weights normalised": ("tcn", TcnParams(channels=(8, 8), norm="weight", pool="flatten", head_units=8)),
    "transformer": ("transformer", TransformerParams(token_width=8, heads=2, layers=2, feed_forward=16)),
    "autoencoder": ("autoencoder", AutoencoderParams(latent=8)),
}
DROPPING = {
    "lstm": ("lstm", LstmParams(units=8, dropout=0.2, head_units=8, head_dropout=0.2)),
    "tcn": ("tcn", TcnParams(channels=(8, 8), dropout=0.2)),
    "transformer": ("transformer", TransformerParams(token_width=8, heads=2, layers=1, feed_forward=16, dropout=0.2)),
    "autoencoder": ("autoencoder", AutoencoderParams(latent=8, dropout=0.2)),
}
every_network = pytest.mark.parametrize(("name", "params"), CASES.values(), ids=CASES)
every_dropping_network = pytest.mark.parametrize(("name", "params"), DROPPING.values(), ids=DROPPING)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slower on several threads, and Numba's threads would become torch's."""
    counts = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(counts[1])
    torch.set_num_threads(counts[0])


def ppo(name, params, seed=0, **changes):
    settings = {"total_steps": 4_096, "n_envs": 16, "n_steps": 16, "minibatch": 64, "n_epochs": 2, "weight_decay": 0.0, **changes}
    market, agent = toy_market(), PPOParams(**settings)
    network = build_network(name, params, NetworkShape(3, WINDOW, 1, 3), seed)
    return PPO(ToyVectorEnv(market, agent.n_envs), network, agent, market=market, window=WINDOW, seed=seed)


def dqn(name, params, seed=0):
    agent = DQNParams(
        total_steps=4_096, n_envs=16, update_steps=16, batch=32, learning_starts=64, buffer_size=1_024, weight_decay=0.0
    )
    network = build_q_network(name, params, NetworkShape(3, WINDOW, 1, 3), seed, dueling=agent.dueling, quantiles=agent.quantiles)
    market = toy_market()
    return DQN(ToyVectorEnv(market, agent.n_envs), network, agent, market=market, window=WINDOW, seed=seed)


def exact(name, params, seed=0):
    market, scheme = random_market(400, 1), action_scheme("target_exposure", True)
    agent = ExactParams(total_steps=4_096, n_segments=4, segment_bars=16, gradient_steps=3, weight_decay=0.0)
    network = build_network(name, params, NetworkShape(market.features.shape[1], EXACT_WINDOW, 1, len(scheme.action_names)), seed)
    problem = ExactProblem(market, whole(market), EXACT_WINDOW, scheme, CostParams(taker_bps=50.0), SimulatorParams())
    return ExactGradient(network, agent, problem, seed=seed)


AGENTS = [ppo, dqn, exact]
every_agent = pytest.mark.parametrize("agent", AGENTS)


@every_agent
@every_network
@pytest.mark.parametrize("shared", [False, True])
def test_one_update_moves_every_weight_and_leaves_it_finite(agent, name, params, shared):
    learner = agent(name, params.model_copy(update={"shared_encoder": shared}))
    before = learner.weights()
    diagnostics = learner.update()
    after = learner.weights()
    moved = [key for key, tensor in after.items() if not torch.equal(tensor, before[key])]
    assert set(moved) >= {key for key, _ in learner.network.named_parameters()}
    assert all(bool(tensor.isfinite().all()) for tensor in after.values())
    assert all(np.isfinite(value) for value in diagnostics.values())


@every_network
def test_a_gradient_step_of_ppo_sees_the_network_of_the_rollout(name, params):
    diagnostics = ppo(name, params, learning_rate=1e-9, n_epochs=1).update()
    # Single precision, summed in other orders by batches of other sizes; the preferences are of size 0.01.
    assert diagnostics["log_ratio_max"] < 1e-5


@every_dropping_network
def test_dropout_makes_the_ratios_of_ppo_noisy_before_any_weight_has_moved(name, params):
    diagnostics = ppo(name, params, learning_rate=1e-9, n_epochs=1).update()
    assert diagnostics["log_ratio_max"] > 1e-3


@every_agent
@every_dropping_network
def test_a_training_with_dropout_goes_on_after_a_stop_as_if_there_had_been_none(agent, name, params):
    whole_run, stopped, resumed = agent(name, params, 5), agent(name, params, 5), agent(name, params, 77)
    for _ in range(3):
        whole_run.update()
    stopped.update()
    torch.manual_seed(99)
    tensors, values = stopped.state()
    resumed.load_state(tensors, json.loads(to_json(values)))
    for _ in range(2):
        resumed.update()
    expected = whole_run.weights()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in resumed.weights().items())


@every_agent
@every_dropping_network
def test_a_policy_decides_with_the_whole_network(agent, name, params):
    learner = agent(name, params)
    market = toy_market() if agent is not exact else random_market(400, 1)
    rows = np.arange(WINDOW, 100)
    observation = Observation(market, rows, np.zeros((len(rows), 1), np.float32))
    key = "values" if agent is dqn else "probabilities"
    first, again = (learner.policy().act(observation)[1][key] for _ in range(2))
    learner.network.eval()
    np.testing.assert_array_equal(first, again)
    # In evaluation mode torch may choose another kernel, which sums in another order.
    np.testing.assert_allclose(learner.policy().act(observation)[1][key], first, atol=1e-6)
