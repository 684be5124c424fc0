"""The gradient itself: against every sequence of actions, and against what sampled rollouts say on the average."""

from itertools import product

import numpy as np
import pytest
import torch
from exact_toys import WINDOW, random_market, whole

from seawall.agents.exact.exact import ExactGradient, policy_loss, position_weights
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.positions import positions_of
from seawall.agents.exact.problem import ExactProblem
from seawall.agents.exact.recursions import advantages_and_values, visiting_probabilities
from seawall.agents.exact.rewards import reward_table
from seawall.agents.losses import clipped_surrogate
from seawall.agents.returns import generalised_advantages
from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.nets.windows import WindowGatherer, feature_tensor
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import OrderParams, SimulatorParams

GAMMA = 0.9
EVERY_BAR = SimulatorParams(orders=OrderParams(rebalance="every_bar"))


def tiny_policy(seed, bars, n_positions, n_actions):
    """A policy with a hidden layer over random numbers of each bar and the position, in float64."""
    generator = torch.Generator().manual_seed(seed)
    seen = torch.randn(bars, 4, dtype=torch.float64, generator=generator)
    first = torch.randn(4, 6, dtype=torch.float64, generator=generator).requires_grad_()
    second = torch.randn(n_positions, 6, n_actions, dtype=torch.float64, generator=generator).requires_grad_()
    log_policy = torch.log_softmax(torch.einsum("tf,fh,pha->tpa", seen, first, second), -1)
    return (first, second), log_policy


def gradient(loss, parameters):
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters, retain_graph=True)])


def by_enumeration(log_policy, rewards, following, start):
    """Minus the expected discounted reward, over every sequence of actions."""
    bars, _, n_actions = log_policy.shape
    total = torch.zeros((), dtype=torch.float64)
    for sequence in product(range(n_actions), repeat=bars):
        position, log_probability, earned = start, 0.0, 0.0
        for bar, action in enumerate(sequence):
            log_probability = log_probability + log_policy[bar, position, action]
            earned += GAMMA**bar * float(rewards[bar, position, action])
            position = int(following[position, action])
        total = total + log_probability.exp() * earned
    return -total


def exact_loss(log_policy, rewards, following, start):
    """The learner's loss with the weights of the theorem: d γ^t, the whole episode, no critic, no entropy."""
    policy, bars = log_policy.detach().exp().numpy()[None], len(log_policy)
    advantages, _ = advantages_and_values(policy, rewards[None], following, np.zeros((1, len(following))), GAMMA)
    begin = np.eye(len(following))[start][None]
    visits = visiting_probabilities(policy, following, begin, GAMMA)
    weights = position_weights(torch.from_numpy(visits), even_share=0.0)
    return policy_loss(log_policy[None], torch.from_numpy(advantages), weights) * bars


def tiny_problem(name, seed, bars=5, short=True):
    positions = positions_of(action_scheme(name, short))
    market = random_market(bars + 1, seed, volatility=0.05)
    rewards = reward_table(market, whole(market), positions, CostParams(taker_bps=100.0), EVERY_BAR).astype(np.float64)
    parameters, log_policy = tiny_policy(seed, bars, *positions.following.shape)
    return parameters, log_policy, rewards, positions.following


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["target_exposure", "sell_buy_hold", "hold_long_short_close"])
def test_it_is_that_of_every_sequence_of_actions(name, seed):
    parameters, log_policy, rewards, following = tiny_problem(name, seed)
    for start in range(len(following)):
        truth = gradient(by_enumeration(log_policy, rewards, following, start), parameters)
        found = gradient(exact_loss(log_policy, rewards, following, start), parameters)
        assert float((found - truth).norm() / truth.norm()) < 1e-6


def test_a_cost_of_the_wrong_sign_has_another_gradient():
    parameters, log_policy, rewards, following = tiny_problem("target_exposure", 0)
    market = random_market(6, 0, volatility=0.05)
    positions = positions_of(action_scheme("target_exposure", True))
    free = reward_table(market, whole(market), positions, CostParams(taker_bps=0.0, spread_bps=0.0), EVERY_BAR)
    truth = gradient(by_enumeration(log_policy, rewards, following, 1), parameters)
    wrong = gradient(exact_loss(log_policy, 2.0 * free.astype(np.float64) - rewards, following, 1), parameters)
    assert float((wrong - truth).norm() / truth.norm()) > 0.1


def test_even_weights_are_a_departure_that_the_enumeration_tells():
    parameters, log_policy, rewards, following = tiny_problem("target_exposure", 0)
    policy = log_policy.detach().exp().numpy()[None]
    advantages, _ = advantages_and_values(policy, rewards[None], following, np.zeros((1, 3)), GAMMA)
    even = position_weights(torch.zeros(1, 5, 3, dtype=torch.float64), even_share=1.0)
    found = gradient(policy_loss(log_policy[None], torch.from_numpy(advantages), even) * 5, parameters)
    truth = gradient(by_enumeration(log_policy, rewards, following, 1), parameters)
    assert float((found - truth).norm() / truth.norm()) > 0.1


def rollout_gradient(env, network, gather, bars, gamma, generator, actor):
    """PPO's gradient in the first epoch, of one rollout from the first row: λ = 1, raw advantages, the critic at the end."""
    observation, _ = env.reset()
    taken, values, rewards, ended = [], [], [], []
    for _ in range(bars):
        logits, value = network(gather(torch.tensor(observation["row"])), torch.tensor(observation["account"]))
        log_policy = torch.log_softmax(logits, 1)
        actions = torch.multinomial(log_policy.detach().exp(), 1, generator=generator)
        taken.append(log_policy.gather(1, actions)[:, 0])
        values.append(value.detach().numpy())
        observation, reward, terminated, truncated, info = env.step(actions[:, 0].numpy())
        rewards.append(reward)
        ended.append(truncated)
        assert not terminated.any()
    final = info["final_obs"]
    with torch.no_grad():
        last = network.values(gather(torch.tensor(final["row"])), torch.tensor(final["account"])).numpy()
    ends, finals = np.stack(ended), np.zeros((bars, env.num_envs), np.float32)
    finals[-1] = last
    assert ends[-1].all()
    assert not ends[:-1].any()
    advantages, _ = generalised_advantages(
        np.stack(rewards), np.stack([*values, last]), finals, np.zeros_like(ends), ends, gamma, 1.0
    )
    log_taken = torch.stack(taken).flatten()
    loss = clipped_surrogate(log_taken - log_taken.detach(), torch.from_numpy(advantages).flatten(), 0.2)
    return gradient(loss, actor).double()


def test_it_is_what_the_rollouts_of_ppo_say_on_the_average():
    bars, n_envs, rollouts, gamma = 4, 2_048, 40, 0.8
    market = random_market(WINDOW + bars, 5, volatility=0.02)
    scheme, costs = action_scheme("target_exposure", True), CostParams(taker_bps=50.0)
    network = build_network("conv", ConvParams(filters=1, kernel=1, hidden=3), NetworkShape(2, WINDOW, 1, 3), 3)
    with torch.no_grad():
        network.policy_head.weight.mul_(100.0)
    rows = RowRange(WINDOW - 1, len(market))
    episodes = EnvironmentParams(window=WINDOW, account_columns=("target",), start="first", costs=costs, simulator=EVERY_BAR)
    env = TradingVectorEnv(market, rows, n_envs, scheme, params=episodes, seed=0)
    gather, generator = WindowGatherer(feature_tensor(market.features), WINDOW), torch.Generator().manual_seed(0)
    actor = [*network.actor_encoder.parameters(), *network.policy_head.parameters()]
    samples = torch.stack([rollout_gradient(env, network, gather, bars, gamma, generator, actor) for _ in range(rollouts)])
    error = samples.std(0) / rollouts**0.5
    params = ExactParams(n_segments=1, segment_bars=bars, gamma=gamma, normalise_reward=False)
    learner = ExactGradient(network, params, ExactProblem(market, rows, WINDOW, scheme, costs, EVERY_BAR), seed=0)
    stretch = learner.evaluate(torch.zeros(1, dtype=torch.int64), torch.tensor([0.0, 1.0, 0.0]))
    exact = gradient(policy_loss(stretch.log_policy, stretch.advantages, position_weights(stretch.visits, 0.0)), actor).double()
    # Each of about fifty numbers may miss by four standard errors of the mean; float32 adds 1e-7.
    assert torch.all((samples.mean(0) - exact).abs() <= 4.0 * error + 1e-7)
    assert float(exact.norm()) > 10.0 * float(error.norm())
    wrong = gradient(policy_loss(stretch.log_policy, stretch.advantages, position_weights(stretch.visits, 1.0)), actor).double()
    assert not torch.all((samples.mean(0) - wrong).abs() <= 4.0 * error + 1e-7)
