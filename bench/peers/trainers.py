"""Other projects' trainers, on Gym-Trading-Env or on an environment that costs nothing, with the networks that ours learn with.

Every case takes one rollout's steps and learns from them, and returns environment steps a second. What is not installed raises
`ImportError`, whose message names it.
"""
# ruff: noqa: ARG002 (the peer's base class names the arguments)

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

from seawall.nets.conv import ConvEncoder
from seawall.nets.dense import DenseEncoder

PEERS_PACKAGES = Path(__file__).resolve().parents[2] / ".venv-peers" / "lib"
Case = Callable[[], float]


class Extractor(BaseFeaturesExtractor):
    """Our encoder in Stable-Baselines3's clothes."""

    def __init__(self, space: gymnasium.spaces.Box, hidden: int, dense: bool) -> None:
        """Build for windows of (L, F)."""
        super().__init__(space, hidden)
        window, columns = space.shape
        self.encoder: nn.Module = DenseEncoder(columns, window, hidden) if dense else ConvEncoder(columns, window, hidden=hidden)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Encode."""
        return self.encoder(windows)


class FreeVecEnv(VecEnv):
    """Steps cost nothing: what is left is the trainer."""

    def __init__(self, n: int, window: int, features: int) -> None:
        """Draw one observation of N windows (L, F) and give it for ever."""
        space = gymnasium.spaces.Box(-np.inf, np.inf, (window, features), np.float32)
        super().__init__(n, space, gymnasium.spaces.Discrete(3))
        self.observation = np.random.default_rng(0).normal(size=(n, window, features)).astype(np.float32)
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


def gym_trading_env(rows: int, features: int, window: int) -> Callable[[], gymnasium.Env[Any, Any]]:
    """Return what makes Gym-Trading-Env on a random walk, with as many columns as asked for."""
    if importlib.util.find_spec("gym_trading_env") is None:
        # It is plain Python, and needs nothing that is not here too.
        sys.path.extend(str(path) for path in PEERS_PACKAGES.glob("python*/site-packages"))
    from gym_trading_env.environments import TradingEnv

    warnings.resetwarnings()  # the package turns every warning into an error
    warnings.simplefilter("ignore")
    source = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(source.normal(0, 0.005, rows)))
    frame = pd.DataFrame({"open": close, "high": close * 1.001, "low": close * 0.999, "close": close, "volume": 1.0})
    frame.index = pd.date_range("2020-01-01", periods=rows, freq="h")
    # The environment adds two columns of its own.
    for column in range(features - 2):
        frame[f"feature_{column}"] = source.normal(size=rows)
    return lambda: TradingEnv(df=frame, positions=[-1, 0, 1], windows=window, trading_fees=0.001, verbose=0)


def sb3_ppo(
    make: Callable[[], gymnasium.Env[Any, Any]] | VecEnv, n_envs: int, n_steps: int, batch: int, epochs: int, hidden: int
) -> Case:
    """Return Stable-Baselines3's PPO with the convolutional encoder, shared by policy and value."""
    extractor = {"hidden": hidden, "dense": False}
    policy = {"features_extractor_class": Extractor, "features_extractor_kwargs": extractor, "net_arch": []}
    env = make if isinstance(make, VecEnv) else DummyVecEnv([make] * n_envs)
    learner = PPO("MlpPolicy", env, n_steps=n_steps, batch_size=batch, n_epochs=epochs, device="cpu", seed=0, policy_kwargs=policy)
    return _once(learner, n_envs * n_steps)


def recurrent_ppo(
    make: Callable[[], gymnasium.Env[Any, Any]], n_envs: int, n_steps: int, batch: int, epochs: int, units: int
) -> Case:
    """Return sb3-contrib's RecurrentPPO: a dense layer, then one LSTM shared by policy and value."""
    from sb3_contrib import RecurrentPPO

    policy = {
        "features_extractor_class": Extractor,
        "features_extractor_kwargs": {"hidden": units, "dense": True},
        "lstm_hidden_size": units,
        "shared_lstm": True,
        "enable_critic_lstm": False,
        "net_arch": [],
    }
    env = DummyVecEnv([make] * n_envs)
    learner = RecurrentPPO(
        "MlpLstmPolicy", env, n_steps=n_steps, batch_size=batch, n_epochs=epochs, device="cpu", seed=0, policy_kwargs=policy
    )
    return _once(learner, n_envs * n_steps)


def _once(learner: Any, samples: int) -> Case:
    def once() -> float:
        started = perf_counter()
        learner.learn(samples, reset_num_timesteps=False)
        return samples / (perf_counter() - started)

    return once
