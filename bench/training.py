"""Training speed: our PPO beside Stable-Baselines3's on the same network, and beside the bound of bare passes.

Every case learns with the same network (Conv1d 32 x 3 -> 256 -> 256, one encoder for policy and value), rollouts of
32,768 samples, minibatches and epochs; the cases take turns in one process, so that whatever else the machine does
reaches all of them. Run: ``python bench/training.py [--json]``.
"""
# ruff: noqa: ARG002 (the peer's base class names the arguments)

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import stable_baselines3
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from seawall.agents.ppo import PPO, PPOParams
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.conv import ConvEncoder
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.nets.windows import WindowGatherer, feature_tensor
from seawall.simulator.actions.registry import action_scheme

WINDOW, FEATURES, ROWS, SAMPLES = 12, 21, 20_000, 32_768
PEER_ENVS, OUR_ENVS = 16, 256
OURS, PEER, PEER_NULL, BOUND = (
    "seawall PPO, simulator, 256 environments",
    "SB3 PPO, Gym-Trading-Env, 16 environments",
    "SB3 PPO, free environment, 256 environments",
    "bound: bare forward and update passes",
)


class PeerExtractor(BaseFeaturesExtractor):
    """Our encoder in SB3's clothes."""

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        """Build for windows of (L, F)."""
        super().__init__(space, 256)
        window, columns = space.shape
        self.encoder = ConvEncoder(columns, window)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Encode."""
        return self.encoder(windows)


class FreeVecEnv(VecEnv):
    """Steps cost nothing: what is left is the trainer."""

    def __init__(self, n: int) -> None:
        """Draw one observation and give it for ever."""
        space = gymnasium.spaces.Box(-np.inf, np.inf, (WINDOW, FEATURES), np.float32)
        super().__init__(n, space, gymnasium.spaces.Discrete(3))
        self.observation = np.random.default_rng(0).normal(size=(n, WINDOW, FEATURES)).astype(np.float32)
        self.rewards = np.random.default_rng(1).normal(size=n).astype(np.float32)

    def reset(self) -> np.ndarray:
        """Return the observation."""
        return self.observation

    def step_async(self, actions: np.ndarray) -> None:
        """Do nothing."""

    def step_wait(self) -> Any:
        """Return the observation."""
        return self.observation, self.rewards, np.zeros(self.num_envs, bool), [{} for _ in range(self.num_envs)]

    def close(self) -> None:
        """Do nothing."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return nothing."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Do nothing."""

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Return nothing."""
        return []

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say that monitors are there, so that none is added."""
        return [True] * self.num_envs


def our_case(minibatch: int, epochs: int) -> Callable[[], float]:
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.005, ROWS)))
    market = Market(
        symbols=("WALK",),
        starts=(0, ROWS),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.arange(ROWS, dtype=np.int64) * 3_600_000,
        prices=np.stack((close, close * 1.001, close * 0.999, close, np.ones(ROWS)), axis=1),
        features=source.normal(size=(ROWS, FEATURES)).astype(np.float32),
        feature_names=tuple(f"x{column}" for column in range(FEATURES)),
        ready=(0,),
    )
    settings = EnvironmentParams(account_columns=("exposure",), episode_bars=512, start_exposure="random")
    env = TradingVectorEnv(market, RowRange(0, ROWS), OUR_ENVS, action_scheme("sell_buy_hold", short=True), params=settings)
    n_account = len(env.account_names)
    network = build_network("conv", ConvParams(shared_encoder=True), NetworkShape(FEATURES, WINDOW, n_account, 3), 0)
    params = PPOParams(n_envs=OUR_ENVS, n_steps=SAMPLES // OUR_ENVS, minibatch=minibatch, n_epochs=epochs, total_steps=10**9)
    learner = PPO(env, network, params, market=market, window=WINDOW, seed=0)
    return lambda: learner.update()["steps_per_second"]


def peer_environment() -> gymnasium.Env[Any, Any]:
    from gym_trading_env.environments import TradingEnv

    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.005, ROWS)))
    frame = pd.DataFrame({"open": close, "high": close * 1.001, "low": close * 0.999, "close": close, "volume": 1.0})
    frame.index = pd.date_range("2020-01-01", periods=ROWS, freq="h")
    # The environment adds two columns of its own, which makes 21.
    for column in range(FEATURES - 2):
        frame[f"feature_{column}"] = source.normal(size=ROWS)
    return TradingEnv(df=frame, positions=[-1, 0, 1], windows=WINDOW, trading_fees=0.001, verbose=0)


def peer_case(env: VecEnv, minibatch: int, epochs: int) -> Callable[[], float]:
    learner = stable_baselines3.PPO(
        "MlpPolicy",
        env,
        n_steps=SAMPLES // env.num_envs,
        batch_size=minibatch,
        n_epochs=epochs,
        device="cpu",
        seed=0,
        policy_kwargs={"features_extractor_class": PeerExtractor, "net_arch": []},
    )

    def once() -> float:
        started = perf_counter()
        learner.learn(SAMPLES, reset_num_timesteps=False)
        return SAMPLES / (perf_counter() - started)

    return once


def bound_case(minibatch: int, epochs: int) -> Callable[[], float]:
    network = build_network("conv", ConvParams(shared_encoder=True), NetworkShape(FEATURES, WINDOW, 1, 3), 0)
    features = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    gather = WindowGatherer(feature_tensor(features), WINDOW)
    acting, learning = (gather(torch.randint(WINDOW, ROWS, (n,))) for n in (OUR_ENVS, minibatch))
    acting_account, learning_account = torch.zeros(OUR_ENVS, 1), torch.zeros(minibatch, 1)

    def once() -> float:
        started = perf_counter()
        with torch.no_grad():
            for _ in range(SAMPLES // OUR_ENVS):
                network(acting, acting_account)
        for _ in range(epochs * SAMPLES // minibatch):
            logits, values = network(learning, learning_account)
            (logits.sum() + values.sum()).backward()
        return SAMPLES / (perf_counter() - started)

    return once


def measure(minibatch: int, epochs: int, repetitions: int) -> dict[str, list[float]]:
    """Let the cases take turns; the first turn of each is a warm-up and is not counted."""
    cases = {
        OURS: our_case(minibatch, epochs),
        PEER: peer_case(DummyVecEnv([peer_environment] * PEER_ENVS), minibatch, epochs),
        PEER_NULL: peer_case(FreeVecEnv(OUR_ENVS), minibatch, epochs),
        BOUND: bound_case(minibatch, epochs),
    }
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repetitions + 1):
        for name, once in cases.items():
            speed = once()
            if turn:
                seen[name].append(speed)
    return seen


def summary(seen: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians, and ours over each, taken turn by turn."""
    rows = []
    for name, speeds in seen.items():
        ratios = [ours / other for ours, other in zip(seen[OURS], speeds, strict=True)]
        median = statistics.median(speeds)
        rows.append(
            {
                "case": name,
                "samples_per_second": median,
                "min": min(speeds),
                "max": max(speeds),
                "ours_over_it": statistics.median(ratios),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of each case (default 5)")
    parser.add_argument("--minibatch", type=int, default=512, help="samples per gradient step, of every case (default 512)")
    parser.add_argument("--epochs", type=int, default=4, help="passes over each rollout, of every case (default 4)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = summary(measure(options.minibatch, options.epochs, options.repetitions))
    setting = f"{options.threads} thread(s), minibatch {options.minibatch}, {options.epochs} epochs"
    if options.json:
        print(json.dumps({"setting": vars(options), "training": rows}, indent=2))
        return
    table = Table("case", "samples/s, median", "min to max", "ours / it", title=f"Training: {setting}")
    for row in rows:
        spread = f"{row['min']:,.0f} to {row['max']:,.0f}"
        table.add_row(row["case"], f"{row['samples_per_second']:,.0f}", spread, f"{row['ours_over_it']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
