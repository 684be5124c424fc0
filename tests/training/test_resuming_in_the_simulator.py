import numpy as np
import pytest

from seawall.agents.bundle import weights_hash
from seawall.agents.dqn.dqn import DQN
from seawall.agents.dqn.params import DQNParams
from seawall.agents.ppo import PPO, PPOParams
from seawall.core.fan_out import Interrupted
from seawall.core.market import Market, RowRange
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.simulator.actions.registry import action_scheme
from seawall.training.rl import TrainingParams, train
from seawall.training.tracking import NoScalars

ROWS, COLUMNS, WINDOW = 600, 4, 6
PARAMS = PPOParams(total_steps=1_280, n_envs=8, n_steps=16, minibatch=64, n_epochs=2)


class Silent:
    def info(self, event, **fields):
        pass

    warning = info


@pytest.fixture(scope="module")
def market():
    source = generator(0, "resuming")
    close = 100 * np.exp(np.cumsum(0.01 * source.standard_normal(ROWS)))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Market(
        symbols=("WALK",),
        starts=(0, ROWS),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.arange(ROWS, dtype=np.int64) * 3_600_000,
        prices=np.stack((opened, high, low, close, np.ones(ROWS)), axis=1),
        features=source.standard_normal((ROWS, COLUMNS)).astype(np.float32),
        feature_names=tuple(f"x{column}" for column in range(COLUMNS)),
        ready=(0,),
    )


class Curves:
    def __init__(self):
        self.points = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.points.append((tag, scalar_value, global_step))


def run(market, folder, *, seed=0, stop_after=None, scalars=None):
    settings = EnvironmentParams(window=WINDOW, episode_bars=10, start_exposure="random")
    guards = GuardChain([NConsecutive(NConsecutiveParams())])
    scheme = action_scheme("sell_buy_hold", short=True)
    env = TradingVectorEnv(market, RowRange(0, ROWS), PARAMS.n_envs, scheme, params=settings, guards=guards)
    shape = NetworkShape(COLUMNS, WINDOW, len(env.account_names), 3)
    network = build_network("conv", ConvParams(filters=4, hidden=16), shape, seed)
    learner = PPO(env, network, PARAMS, market=market, window=WINDOW, seed=seed)
    updates = 0

    def should_stop():
        nonlocal updates
        updates += 1
        return updates == stop_after

    return train(
        learner,
        evaluate=lambda policy: float(learner.steps),
        params=TrainingParams(evaluate_every=1),
        folder=folder,
        should_stop=should_stop,
        on_progress=lambda report: None,
        logger=Silent(),
        scalars=NoScalars() if scalars is None else scalars,
    )


def test_a_stopped_training_in_the_guarded_simulator_ends_bit_for_bit_where_one_never_stopped_does(market, tmp_path):
    whole = run(market, tmp_path / "whole")
    for stop_after in (3, 2):
        with pytest.raises(Interrupted):
            run(market, tmp_path / "parts", stop_after=stop_after)
    resumed = run(market, tmp_path / "parts")
    assert weights_hash(resumed.weights) == weights_hash(whole.weights)
    assert resumed.history == whole.history


def test_a_stopped_training_draws_the_curves_of_rewards_and_accounts_that_one_never_stopped_does(market, tmp_path):
    whole, parts = Curves(), Curves()
    run(market, tmp_path / "whole", scalars=whole)
    with pytest.raises(Interrupted):
        run(market, tmp_path / "parts", stop_after=4, scalars=parts)
    run(market, tmp_path / "parts", scalars=parts)
    groups = ("reward/", "account/")
    drawn, again = ([point for point in each.points if point[0].startswith(groups)] for each in (whole, parts))
    assert drawn == again
    names = ("reward/log_return", *(f"account/{name}" for name in ("drawdown", "rolling_sharpe", "exposure", "trades", "fees")))
    assert [tag for tag, _, step in drawn if step == 128] == list(names)
    assert len(drawn) == 10 * len(names)
    # Without further terms the reward is the log return: what is drawn is what training calls its mean.
    means = [value for tag, value, _ in whole.points if tag == "train/mean_reward"]
    assert [value for tag, value, _ in drawn if tag == "reward/log_return"] == pytest.approx(means, rel=1e-9, abs=1e-15)


def test_q_learning_tells_what_the_accounts_did_in_the_steps_of_its_update(market):
    params = DQNParams(total_steps=1_280, n_envs=8, update_steps=16, learning_starts=10_000)
    scheme, settings = action_scheme("sell_buy_hold", short=True), EnvironmentParams(window=WINDOW, episode_bars=10)
    env = TradingVectorEnv(market, RowRange(0, ROWS), params.n_envs, scheme, params=settings)
    shape = NetworkShape(COLUMNS, WINDOW, len(env.account_names), 3)
    network = build_q_network(
        "conv", ConvParams(filters=4, hidden=16), shape, 0, dueling=params.dueling, quantiles=params.quantiles
    )
    learner = DQN(env, network, params, market=market, window=WINDOW, seed=0)
    for _ in range(2):
        told = learner.update()
        assert told["reward/log_return"] == pytest.approx(told["mean_reward"], rel=1e-9)
        assert 0.0 < told["account/trades"] <= 1.0
        assert {"account/drawdown", "account/rolling_sharpe", "account/exposure", "account/fees"} < set(told)


def test_the_seed_decides_the_trained_weights(market, tmp_path):
    first = weights_hash(run(market, tmp_path / "a").weights)
    assert weights_hash(run(market, tmp_path / "b").weights) == first
    assert weights_hash(run(market, tmp_path / "c", seed=1).weights) != first
