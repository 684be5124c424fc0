"""A small trading environment for the zoo: the sign of the last feature tells which way the next bar goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.agents.zoo.learner import Zoo
from seawall.agents.zoo.params import ZooParams
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Observation
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.sb3 import SB3VecEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.conv import ConvParams
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.simulator.actions.registry import action_scheme

COLUMNS, WINDOW, N = 3, 4, 4
MOVE = 0.01
NETWORK = ConvParams(filters=4, hidden=16)
SMALL: dict[str, dict[str, Any]] = {
    "PPO": {"n_steps": 16, "minibatch": 32, "n_epochs": 2},
    "A2C": {"n_steps": 8},
    "RecurrentPPO": {"n_steps": 16, "minibatch": 32, "n_epochs": 2, "lstm_units": 8, "lstm_layers": 2},
    "DQN": {"buffer_size": 120, "learning_starts": 40, "minibatch": 16, "target_every": 40, "epsilon_fraction": 0.5},
    "QRDQN": {"buffer_size": 400, "learning_starts": 40, "minibatch": 16, "target_every": 40, "quantiles": 8},
    "SAC": {"buffer_size": 400, "learning_starts": 40, "minibatch": 16},
}


def planted_market(rows: int = 1_000, seed: int = 0) -> Market:
    features = generator(seed, "planted features").standard_normal((rows, COLUMNS)).astype(np.float32)
    features[:, -1] = np.where(features[:, -1] > 0, 1.0, -1.0)
    moves = np.concatenate(([0.0], MOVE * features[:-1, -1].astype(np.float64)))
    close = 100.0 * np.exp(np.cumsum(moves))
    start = np.concatenate((close[:1], close[:-1]))
    prices = np.stack([start, np.maximum(start, close), np.minimum(start, close), close, np.ones(rows)], axis=1)
    times = np.arange(rows, dtype=np.int64) * 3_600_000
    return Market(("S",), (0, rows), Timeframe(3_600), times, prices, features, ("a", "b", "c"), (0,))


MARKET = planted_market()


def scheme_of(algorithm: str) -> str:
    return "continuous_target" if algorithm == "SAC" else "target_exposure"


def face(scheme: str, n: int = N, market: Market = MARKET) -> SB3VecEnv:
    params = EnvironmentParams(window=WINDOW, episode_bars=25, account_columns=("target",))
    batch = TradingVectorEnv(market, RowRange(0, len(market)), n, action_scheme(scheme, short=True), params=params)
    return SB3VecEnv(batch, "index")


def settings(algorithm: str, **changed: Any) -> ZooParams:
    given = {"n_envs": N, "total_steps": 480, "update_steps": 96, "hidden": (8,), "learning_rate": 1e-3, **SMALL[algorithm]}
    return ZooParams(algorithm=algorithm, **{**given, **changed})


def zoo(algorithm: str, seed: int = 0, network: tuple[str, NetworkParams] = ("conv", NETWORK), **changed: Any) -> Zoo:
    params = settings(algorithm, **changed)
    env = face(scheme_of(algorithm), params.n_envs)
    return Zoo(env, params, *network, market=MARKET, window=WINDOW, seed=seed)


def shape_of(algorithm: str) -> NetworkShape:
    return NetworkShape(COLUMNS, WINDOW, 1, 0 if algorithm == "SAC" else 3)


def seen(rows: np.ndarray, exposure: float = 0.0, market: Market = MARKET) -> Observation:
    return Observation(market, rows, np.full((len(rows), 1), exposure, np.float32))


def captured(learner: Zoo) -> float:
    """The share of the best possible move that the deterministic policy takes on a market it has not seen; chance is 0."""
    market = planted_market(seed=9)
    rows = np.arange(WINDOW, len(market))
    actions, _ = learner.policy().act(seen(rows, market=market))
    exposure = actions if actions.dtype == np.float32 else np.array([-1.0, 0.0, 1.0])[actions]
    return float((exposure * market.features[rows, -1]).mean())
