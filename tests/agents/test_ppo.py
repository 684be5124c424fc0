import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toy import EDGE, EXPOSURES, WINDOW, ToyVectorEnv, toy_market

from seawall.agents.bundle import weights_hash
from seawall.agents.ppo import PPO, PPOParams
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.files import to_json
from seawall.core.protocols import Observation
from seawall.nets.registry import ConvParams, NetworkShape, build_network

PARAMS = PPOParams(
    total_steps=24_576, n_envs=32, n_steps=32, minibatch=256, learning_rate=3e-3, gamma=0.5, entropy_coefficient=0.001
)


def learner(seed=0, params=PARAMS, market=None, hidden=32, **env):
    market = toy_market() if market is None else market
    shape = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=3)
    network = build_network("conv", ConvParams(filters=8, hidden=hidden), shape, seed)
    return PPO(ToyVectorEnv(market, params.n_envs, **env), network, params, market=market, window=WINDOW, seed=seed)


def captured(policy):
    """The share of the best possible mean reward that the deterministic policy earns on an unseen market, without noise."""
    market = toy_market(seed=99)
    rows = np.arange(WINDOW, len(market))
    actions, _ = policy.act(Observation(market, rows, np.zeros((len(rows), 1), np.float32)))
    return float((EXPOSURES[actions] * market.features[rows, -1]).mean())


def train(ppo):
    while ppo.steps < ppo.total_steps:
        diagnostics = ppo.update()
    return diagnostics


def test_it_reaches_95_percent_of_the_known_optimum_in_seconds():
    ppo = learner()
    diagnostics = train(ppo)
    assert captured(ppo.policy()) > 0.95
    assert diagnostics["mean_reward"] > 0.8 * EDGE


def test_it_learns_nothing_where_rewards_do_not_depend_on_the_features():
    ppo = learner(shuffled=True)
    train(ppo)
    assert abs(captured(ppo.policy())) < 0.3


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def weights(seed):
        ppo = learner(seed)
        ppo.update()
        ppo.update()
        return weights_hash(ppo.weights())

    first = weights(3)
    assert weights(3) == first
    assert weights(4) != first


def test_a_resumed_learner_ends_with_the_weights_of_one_never_stopped(tmp_path):
    whole = learner(5)
    for _ in range(5):
        whole.update()
    stopped = learner(5)
    for _ in range(2):
        stopped.update()
    tensors, values = stopped.state()
    save_file(tensors, tmp_path / "state.safetensors")
    resumed = learner(77)
    resumed.load_state(load_file(tmp_path / "state.safetensors"), json.loads(to_json(values)))
    for _ in range(3):
        last = resumed.update()
    assert weights_hash(resumed.weights()) == weights_hash(whole.weights())
    assert resumed.steps == whole.steps == last["steps"]


def test_a_checkpoint_of_another_network_is_refused_naming_the_shapes():
    tensors, values = learner(hidden=16).state()
    with pytest.raises(DataError, match=r"first\.weight: network \(32, 32\), saved \(16, 32\)"):
        learner(hidden=32).load_state(tensors, values)


def test_the_diagnostics_of_a_first_update_are_those_of_a_fresh_policy():
    diagnostics = learner(params=PARAMS.model_copy(update={"learning_rate": 1e-9})).update()
    assert diagnostics["entropy"] == pytest.approx(np.log(3), abs=1e-3)
    assert diagnostics["approx_kl"] == pytest.approx(0.0, abs=1e-6)
    assert diagnostics["clip_fraction"] == 0.0
    assert sum(diagnostics[f"action_share_{action}"] for action in range(3)) == pytest.approx(1.0, abs=1e-6)
    assert diagnostics["steps"] == PARAMS.n_envs * PARAMS.n_steps


def test_a_small_target_kl_leaves_the_update_after_one_epoch():
    moved, stopped = learner(), learner(params=PARAMS.model_copy(update={"target_kl": 1e-9}))
    assert stopped.update()["approx_kl"] < moved.update()["approx_kl"]


def test_the_linear_schedule_ends_at_zero_and_the_constant_one_where_it_began():
    linear, constant = learner(), learner(params=PARAMS.model_copy(update={"learning_rate_schedule": "constant"}))
    for ppo in (linear, constant):
        ppo.steps = PARAMS.total_steps - PARAMS.n_envs * PARAMS.n_steps
    assert linear.update()["learning_rate"] == 0.0
    assert constant.update()["learning_rate"] == PARAMS.learning_rate


def test_a_truncated_episode_is_valued_by_its_final_observation():
    ppo = learner(length=16)
    rollout = ppo._collector.collect()
    with torch.no_grad():
        ppo.network.value_head.weight.zero_()
        ppo.network.value_head.bias.fill_(7.0)
    known = ppo._collector.collect()
    assert rollout.truncated.any()
    assert np.all(known.final_values[known.truncated] == 7.0)
    assert np.all(known.final_values[~known.truncated] == 0.0)


def test_the_final_observation_is_valued_not_the_one_after_the_reset():
    ppo = learner(length=16)
    seen = []
    step = ppo.env.step

    def recording(actions):
        result = step(actions)
        seen.append(result[4].get("final_obs"))
        return result

    ppo.env.step = recording
    rollout = ppo._collector.collect()
    at, i = np.argwhere(rollout.truncated)[0]
    final = seen[at]
    with torch.no_grad():
        rows, account = torch.tensor(final["row"][[i]]), torch.tensor(final["account"][[i]])
        expected = ppo.network.values(ppo._gather(rows), account)
    assert rollout.final_values[at, i] == pytest.approx(float(expected), rel=1e-5)
    assert rollout.rows[at, i] + 1 == int(final["row"][i])


def test_buffers_hold_rows_of_four_bytes_and_no_windows():
    rollout = learner()._collector.collect()
    assert rollout.rows.dtype == torch.int32
    assert rollout.rows.shape == (32, 32)
    assert rollout.account.shape == (32, 32, 1)


def test_an_environment_of_another_size_is_refused():
    market = toy_market()
    network = build_network("conv", ConvParams(), NetworkShape(3, WINDOW, 1, 3), 0)
    with pytest.raises(ConfigError, match="n_envs is 32 and the environment steps 8"):
        PPO(ToyVectorEnv(market, 8), network, PARAMS, market=market, window=WINDOW, seed=0)


def test_a_minibatch_that_does_not_divide_the_rollout_is_refused():
    with pytest.raises(ValueError, match="minibatch 1000 does not divide the 32768 samples"):
        PPOParams(n_envs=256, n_steps=128, minibatch=1000)


def test_divergence_stops_the_training_and_names_the_learning_rate():
    ppo = learner()
    with torch.no_grad():
        ppo.network.value_head.weight.fill_(float("nan"))
    with pytest.raises(InvariantError, match="learning_rate"):
        ppo.update()


def test_a_reward_that_is_no_number_stops_the_training():
    ppo = learner(noise=float("nan"))
    with pytest.raises(InvariantError, match="reward is not finite"):
        ppo.update()
