import json

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from safetensors.torch import load_file, save_file
from toy import EDGE, EXPOSURES, WINDOW, ToyVectorEnv, toy_market

from seawall.agents.bundle import weights_hash
from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.params import DQNParams
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.files import to_json
from seawall.core.protocols import Observation
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape

PARAMS = DQNParams(
    total_steps=12_288,
    n_envs=32,
    update_steps=16,
    batch=128,
    learning_rate=3e-3,
    gamma=0.5,
    learning_starts=1_024,
    buffer_size=8_192,
    target_every=50,
    weight_decay=0.01,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def changed(**settings):
    return DQNParams(**{**PARAMS.model_dump(), **settings})


def learner(seed=0, params=PARAMS, market=None, hidden=32, n_actions=3, **env):
    market = toy_market() if market is None else market
    shape = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=n_actions)
    settings = ConvParams(filters=8, hidden=hidden)
    network = build_q_network("conv", settings, shape, seed, dueling=params.dueling, quantiles=params.quantiles)
    return DQN(ToyVectorEnv(market, params.n_envs, **env), network, params, market=market, window=WINDOW, seed=seed)


def captured(policy):
    """The share of the best possible mean reward that the deterministic policy earns on an unseen market, without noise."""
    market = toy_market(seed=99)
    rows = np.arange(WINDOW, len(market))
    actions, _ = policy.act(Observation(market, rows, np.zeros((len(rows), 1), np.float32)))
    return float((EXPOSURES[actions] * market.features[rows, -1]).mean())


def train(dqn):
    while dqn.steps < dqn.total_steps:
        diagnostics = dqn.update()
    return diagnostics


def learning_about(bias, **settings):
    """A learner with some remembered steps whose target network values the actions at `bias` units, whatever it sees."""
    dqn = learner(params=changed(normalise_reward=False, update_steps=8, **settings))
    dqn.update()
    with torch.no_grad():
        dqn.target.advantage_head.weight.zero_()
        dqn.target.advantage_head.bias.copy_(torch.tensor(bias))
    if dqn._encodings is not None:
        dqn._encodings.forget()
    return dqn


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"double": False, "loss": "mse", "target_tau": 0.02, "target_every": 1},
        {"dueling": True, "n_step": 3},
        {"prioritised": True, "dueling": True},
        {"quantiles": 9, "normalise_reward": False, "huber_threshold": 0.001},
    ],
    ids=["defaults", "mse, Polyak, not double", "dueling, 3 steps", "prioritised", "quantiles"],
)
def test_it_reaches_90_percent_of_the_known_optimum_in_seconds(options):
    dqn = learner(params=changed(**options))
    diagnostics = train(dqn)
    assert captured(dqn.policy()) > 0.9
    # One action in twenty is still random, which costs a twentieth.
    assert diagnostics["mean_reward"] > 0.75 * EDGE


def test_it_learns_nothing_where_rewards_tell_nothing_of_the_features():
    dqn = learner(shuffled=True)
    train(dqn)
    assert abs(captured(dqn.policy())) < 0.3


def test_values_come_to_the_discounted_sum_of_what_the_best_actions_earn():
    dqn = learner()
    train(dqn)
    market = toy_market(seed=99)
    rows = np.arange(WINDOW, len(market))
    values = dqn.policy().values(Observation(market, rows, np.zeros((len(rows), 1), np.float32)))
    # EDGE now and EDGE on every later bar, at a discount of 1/2.
    assert values.max(1).mean() == pytest.approx(2 * EDGE, rel=0.1)  # noise in rewards as large as the edge itself


@pytest.mark.parametrize("options", [{}, {"prioritised": True}])
def test_one_seed_gives_one_set_of_weights_and_another_seed_others(options):
    def weights(seed):
        dqn = learner(seed, changed(**options))
        for _ in range(4):
            dqn.update()
        assert dqn.gradient_steps > 50
        return weights_hash(dqn.weights())

    first = weights(3)
    assert weights(3) == first
    assert weights(4) != first


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prioritised": True, "n_step": 2, "quantiles": 3, "replay_ratio": 3.0},
        {"target_tau": 0.01, "target_every": 1, "buffer_size": 1_100},
    ],
)
@pytest.mark.parametrize("stop", [1, 4])
def test_a_resumed_learner_ends_with_the_weights_and_replay_of_one_never_stopped(tmp_path, options, stop):
    params = changed(**options)
    whole, stopped, resumed = learner(5, params), learner(5, params), learner(77, params)
    for _ in range(6):
        whole.update()
    for _ in range(stop):
        stopped.update()
    tensors, values = stopped.state()
    save_file(tensors, tmp_path / "state.safetensors")
    resumed.load_state(load_file(tmp_path / "state.safetensors"), json.loads(to_json(values)))
    for _ in range(6 - stop):
        last = resumed.update()
    assert weights_hash(resumed.weights()) == weights_hash(whole.weights())
    for block, other in zip(resumed.replay.ring, whole.replay.ring, strict=True):
        assert block.tobytes() == other.tobytes()
    assert resumed.replay.tree.tobytes() == whole.replay.tree.tobytes()
    assert resumed.steps == whole.steps == last["steps"]


def test_goals_are_rewards_plus_the_discounted_value_that_the_target_network_gives_the_chosen_action():
    dqn = learning_about([1.0, 4.0, 2.0], double=False)
    _, batch = dqn.replay.sample(64, dqn._sampling, 1, 0.5)
    np.testing.assert_allclose(dqn._goal(batch)[:, 0], batch.returns + 0.5 * 4.0, rtol=1e-6)


def test_double_goals_take_the_action_that_the_learning_network_prefers():
    dqn = learning_about([1.0, 4.0, 2.0], double=True)
    with torch.no_grad():
        dqn.network.advantage_head.weight.zero_()
        dqn.network.advantage_head.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    _, batch = dqn.replay.sample(64, dqn._sampling, 1, 0.5)
    np.testing.assert_allclose(dqn._goal(batch)[:, 0], batch.returns + 0.5 * 2.0, rtol=1e-6)


def test_goals_are_in_units_of_the_scale_that_rewards_have_by_now():
    dqn = learning_about([0.0, 0.0, 0.0])
    plain = changed(normalise_reward=True)
    scaled = learner(params=plain)
    scaled.update()
    _, batch = scaled.replay.sample(64, scaled._sampling, 1, 0.5)
    with torch.no_grad():
        scaled.target.advantage_head.weight.zero_()
    scale = scaled._scale.scale
    # Rewards are +-EDGE or 0 plus noise of EDGE times the exposure, summed at 1/2: of the order of EDGE.
    assert 0.5 * EDGE < scale < 2 * EDGE
    np.testing.assert_allclose(scaled._goal(batch)[:, 0], batch.returns / scale, rtol=1e-5)
    assert dqn._reward_scale == 1.0


@pytest.mark.parametrize("double", [True, False])
def test_remembered_encodings_give_the_goals_of_encoding_every_sample(double):
    remembering, asking = learner(params=changed(double=double)), learner(params=changed(double=double, target_every=1))
    assert remembering._encodings is not None
    assert asking._encodings is None
    for dqn in (remembering, asking):
        dqn.update()
    with torch.no_grad():
        remembering.target.encoder.first.weight.mul_(2.0)
        remembering._encodings.forget()
    asking.target.load_state_dict(remembering.target.state_dict())
    asking.network.load_state_dict(remembering.network.state_dict())
    _, batch = remembering.replay.sample(256, remembering._sampling, 1, 0.5)
    torch.testing.assert_close(remembering._goal(batch), asking._goal(batch), rtol=1e-4, atol=1e-6)


def test_encodings_are_forgotten_when_the_target_network_moves():
    dqn = learner()
    dqn.update()
    encodings = dqn._encodings
    rows = np.array([WINDOW, 700, 1_999])
    before = encodings(rows).clone()
    with torch.no_grad():
        dqn.network.encoder.second.bias.add_(1.0)
    assert torch.equal(encodings(rows), before)
    dqn._move_target()
    moved = encodings(rows)
    assert not torch.equal(moved, before)
    torch.testing.assert_close(moved, dqn.network.encoder(dqn._gather(torch.from_numpy(rows))).detach())


def test_a_row_without_a_window_before_it_has_no_encoding():
    with pytest.raises(IndexError, match="the first that has is 3"):
        learner()._encodings(np.array([WINDOW - 2]))


def test_a_copied_target_equals_the_network_and_a_polyak_one_goes_part_of_the_way():
    def gap(dqn):
        own, learned = dqn.target.encoder.second.weight, dqn.network.encoder.second.weight.detach()
        return float((own - learned).abs().max())

    for tau, left in ((1.0, 0.0), (0.25, 0.75)):
        dqn = learner(params=changed(target_tau=tau))
        with torch.no_grad():
            dqn.network.encoder.second.weight.add_(1.0)
        dqn._move_target()
        assert gap(dqn) == pytest.approx(left, abs=1e-6)


def test_samples_are_replayed_at_the_ratio_once_learning_has_started():
    dqn = learner(params=changed(learning_starts=512, replay_ratio=4.0))
    dqn.update()  # 512 steps in 16 goes: only the last is past the start
    assert dqn.gradient_steps == 1
    dqn.update()
    assert dqn.gradient_steps == 1 + 512 * 4 // 128


def test_before_learning_starts_no_weight_moves_and_no_loss_is_told():
    dqn = learner(params=changed(learning_starts=8_000))
    before = weights_hash(dqn.weights())
    diagnostics = dqn.update()
    assert weights_hash(dqn.weights()) == before
    assert "loss" not in diagnostics
    assert diagnostics["transitions"] == diagnostics["steps"] == 512


def test_diagnostics_tell_of_values_exploration_and_shares():
    dqn = learner()
    for _ in range(4):
        diagnostics = dqn.update()
    assert {"loss", "mean_q", "td_error", "gradient_norm", "reward_scale", "steps_per_second"} <= diagnostics.keys()
    assert sum(diagnostics[f"action_share_{action}"] for action in range(3)) == pytest.approx(1.0, abs=1e-9)
    done = 4 * 512 / PARAMS.total_steps
    assert diagnostics["epsilon"] == pytest.approx(1.0 - 0.95 * done / PARAMS.epsilon_fraction, rel=1e-9)
    assert diagnostics["learning_rate"] == pytest.approx(3e-3 * (1 - done), rel=1e-9)


def test_exploration_ends_at_its_last_share_and_a_constant_learning_rate_stays():
    dqn = learner(params=changed(learning_rate_schedule="constant", epsilon_end=0.02))
    dqn.steps = 9_000
    assert dqn._epsilon() == 0.02
    assert dqn._learning_rate() == 3e-3


def test_random_actions_are_as_many_as_epsilon_says():
    dqn = learner(params=changed(epsilon_start=0.3, epsilon_end=0.3, learning_starts=8_000))
    with torch.no_grad():
        dqn.network.advantage_head.bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    for _ in range(10):
        diagnostics = dqn.update()
    kept = dqn.replay.ring.actions[(dqn.replay.ring.kinds == 1) | (dqn.replay.ring.kinds == 2)]
    # Two thirds of them are other actions; four standard errors of a share of 5,120 are 0.023.
    assert (kept != 1).mean() == pytest.approx(0.3 * 2 / 3, abs=0.023)
    assert diagnostics["action_share_1"] == 1.0


def test_a_checkpoint_of_another_network_or_replay_is_refused():
    tensors, values = learner(hidden=16).state()
    with pytest.raises(DataError, match=r"first\.weight: network \(32, 32\), saved \(16, 32\)"):
        learner(hidden=32).load_state(tensors, values)
    tensors, values = learner().state()
    with pytest.raises(DataError, match="prioritised must be those"):
        learner(params=changed(prioritised=True)).load_state(tensors, values)


def test_an_environment_of_another_number_is_refused():
    dqn = learner()
    with pytest.raises(ConfigError, match="n_envs is 32 and the environment steps 8"):
        DQN(ToyVectorEnv(toy_market(), 8), dqn.network, PARAMS, market=toy_market(), window=WINDOW, seed=0)


def test_actions_without_numbers_are_refused_with_what_to_choose_instead():
    dqn = learner()
    dqn.env.single_action_space = Box(-1, 1, (1,), np.float32)
    with pytest.raises(ConfigError, match="choose a discrete scheme, or the agent ppo"):
        DQN(dqn.env, dqn.network, PARAMS, market=toy_market(), window=WINDOW, seed=0)


def test_a_network_of_other_heads_than_the_settings_is_refused():
    dqn, params = learner(), changed(quantiles=5, dueling=True)
    with pytest.raises(ConfigError, match="quantiles 5 and dueling True; the network was built with 1 and False"):
        DQN(dqn.env, dqn.network, params, market=toy_market(), window=WINDOW, seed=0)
    with pytest.raises(ConfigError, match="has 3 actions and the network values 4"):
        learner(n_actions=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantiles": 5, "loss": "mse"}, "loss mse has no form for 5 quantiles"),
        ({"learning_starts": 9_000}, "learning_starts is 9000; allowed: at most buffer_size 8192"),
        ({"epsilon_start": 0.01}, "epsilon_end is 0.05; allowed: at most epsilon_start 0.01"),
        ({"buffer_size": 64, "n_step": 2, "learning_starts": 32}, "leaves 2 transitions to each of 32 environments"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        changed(**settings)


def test_divergence_stops_the_training_names_settings_and_leaves_the_batch(tmp_path):
    dqn = learner(params=changed(learning_starts=256))
    dqn.failure_folder = tmp_path
    with torch.no_grad():
        dqn.network.advantage_head.weight.fill_(float("nan"))
    with pytest.raises(InvariantError, match=r"diverged at step .* lower learning_rate 0\.003.*; the batch is saved in "):
        dqn.update()
    [folder] = tmp_path.iterdir()
    saved = load_file(folder / "batch.safetensors")
    assert {len(block) for block in saved.values()} == {dqn.params.batch}
    assert {"rows", "account", "actions", "returns"} <= saved.keys()
    assert json.loads((folder / "batch.json").read_text())["settings"]["learning_rate"] == 0.003


def test_a_reward_that_is_no_number_is_never_remembered():
    dqn = learner(noise=float("nan"))
    with pytest.raises(InvariantError, match="reward is not finite after 0 steps"):
        dqn.update()
    assert len(dqn.replay) == 0
