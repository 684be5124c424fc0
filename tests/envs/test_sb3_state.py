"""Environments for Stable-Baselines3 are taken out and put back exactly."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.errors import DataError
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.sb3 import SB3VecEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.registry import action_scheme


def face(n: int = 3) -> SB3VecEnv:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(200) * 0.01))
    prices = np.stack([close, close * 1.01, close * 0.99, close, np.ones(200)], axis=1)
    features = rng.standard_normal((200, 2)).astype(np.float32)
    times = np.arange(200, dtype=np.int64) * 3_600_000
    market = Market(("S",), (0, 200), Timeframe(3_600), times, prices, features, ("a", "b"), (0,))
    params = EnvironmentParams(window=4, episode_bars=9)
    return SB3VecEnv(TradingVectorEnv(market, RowRange(0, 200), n, action_scheme("target_exposure", short=True), params=params))


def walk(env: SB3VecEnv, steps: int, seed: int) -> list[tuple[bytes, bytes, bytes, list[tuple[float, int]]]]:
    """Return what was seen and told in some steps, without the seconds."""
    rng, told = np.random.default_rng(seed), []
    for _ in range(steps):
        shown, rewards, ended, details = env.step(rng.integers(0, 3, env.num_envs))
        episodes = [(each["episode"]["r"], each["episode"]["l"]) for each in details if each]
        told.append((shown["row"].tobytes() + shown["account"].tobytes(), rewards.tobytes(), ended.tobytes(), episodes))
    return told


def test_an_environment_goes_on_exactly_in_the_middle_of_its_episodes():
    whole, other = face(), face()
    whole.seed(5)
    whole.reset()
    other.reset()
    walk(whole, 14, 1)
    other.load_state_dict(whole.state_dict())
    rest = walk(other, 30, 2)
    assert rest == walk(whole, 30, 2)
    assert sum(len(episodes) for *_, episodes in rest) >= 9


def test_a_state_without_the_sums_of_open_episodes_is_refused():
    env = face()
    env.reset()
    saved = env.state_dict()
    del saved["lengths"]
    with pytest.raises(DataError, match=r"saved environment lacks \['lengths'\]"):
        env.load_state_dict(saved)
