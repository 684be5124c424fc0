"""Steps a second of other projects' trading environments: ``.venv-peers/bin/python bench/peers/environments.py [--bars FILE.npz]``.

Prints one JSON object of medians by name; what could not be measured is told on stderr with its reason. Every environment steps
through the same bars and 20 features with random actions drawn beforehand and shows windows of 12 bars, except FinRL's, which
show the last row alone. The environments take turns in one process, so that whatever else the machine does reaches all of them. A
file of bars holds prices (T, 5), open to volume, and features (T, 20); without one a random walk of 100,000 bars is made.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

ROWS, FEATURES, WINDOW, FEE = 100_000, 20, 12, 0.001
Case = Callable[[int], int]
"""Takes about that many steps and returns how many they were."""


def walk() -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.002, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opening, close) * (1 + np.abs(source.normal(0, 0.0005, ROWS)))
    low = np.minimum(opening, close) * (1 - np.abs(source.normal(0, 0.0005, ROWS)))
    prices = np.stack([opening, high, low, close, source.gamma(2.0, 50.0, ROWS)], axis=1)
    return prices, source.normal(size=(ROWS, FEATURES)).astype(np.float32)


def frame_of(prices: np.ndarray, features: np.ndarray) -> pd.DataFrame:
    index = pd.date_range("2015-01-01", periods=len(prices), freq="h")
    bars = pd.DataFrame(prices, columns=["open", "high", "low", "close", "volume"], index=index)
    names = [f"feature_{column}" for column in range(features.shape[1])]
    return pd.concat([bars, pd.DataFrame(features, columns=names, index=index)], axis=1)


def stepping(env: Any, actions: list[Any]) -> Case:
    """Step an environment through actions drawn beforehand, again from the start whenever an episode ends."""
    env.reset()
    n = len(actions)

    def steps(wanted: int) -> int:
        for number in range(wanted):
            seen = env.step(actions[number % n])
            if seen[2] or seen[3]:
                env.reset()
        return wanted

    return steps


def choices(n_actions: int) -> list[int]:
    return np.random.default_rng(1).integers(0, n_actions, 1 << 14).tolist()


def shares() -> list[np.ndarray]:
    return list(np.random.default_rng(1).uniform(-1.0, 1.0, (1 << 14, 1)).astype(np.float32))


def anytrading(frame: pd.DataFrame) -> Case:
    from gym_anytrading.envs import StocksEnv

    class WithFeatures(StocksEnv):
        """Shows the features, as its documentation says to."""

        def _process_data(self) -> tuple[np.ndarray, np.ndarray]:
            rows = slice(self.frame_bound[0] - self.window_size, self.frame_bound[1])
            features = self.df.filter(like="feature_").to_numpy(dtype=np.float32)[rows]
            return self.df["Close"].to_numpy(dtype=np.float32)[rows], features

    bars = frame.rename(columns={"close": "Close"})
    return stepping(WithFeatures(df=bars, window_size=WINDOW, frame_bound=(WINDOW, len(bars))), choices(2))


def gym_trading_env(frame: pd.DataFrame) -> Case:
    from gym_trading_env.environments import TradingEnv

    warnings.resetwarnings()  # the package turns every warning into an error
    warnings.simplefilter("ignore")
    env = TradingEnv(df=frame, positions=[-1, 0, 1], windows=WINDOW, trading_fees=FEE, borrow_interest_rate=0.0, verbose=0)
    return stepping(env, choices(3))


def freqtrade(frame: pd.DataFrame) -> Case:
    from freqtrade.freqai.RL.Base5ActionRLEnv import Base5ActionRLEnv

    class Rewarded(Base5ActionRLEnv):
        """Has the method that every user writes, kept small."""

        def calculate_reward(self, action: int) -> float:
            return float(self.get_unrealized_profit()) if self._is_valid(action) else -2.0

    rows = frame.reset_index(drop=True)
    features = rows.filter(like="feature_")
    config = {"freqai": {"rl_config": {"add_state_info": False, "max_training_drawdown_pct": 1.0}}, "stake_amount": "unlimited"}
    env = Rewarded(
        df=features,
        prices=rows[["open", "high", "low", "close"]],
        reward_kwargs={"rr": 1, "profit_aim": 0.025},
        window_size=WINDOW,
        config=config,
        fee=FEE,
        can_short=True,
        pair="X/Y",
        df_raw=features,
    )
    return stepping(env, choices(5))


def finrl_module(name: str) -> types.ModuleType:
    """Import one of FinRL's environments without the trainers that its package imports, which an environment does not use."""
    if "finrl" not in sys.modules:
        found = importlib.util.find_spec("finrl")
        if found is None:
            raise ImportError("finrl is not installed")
        package = types.ModuleType("finrl")
        package.__path__ = list(found.submodule_search_locations or [])
        vectors = types.ModuleType("stable_baselines3.common.vec_env")
        vectors.__dict__["DummyVecEnv"] = None
        for module in ("stable_baselines3", "stable_baselines3.common"):
            sys.modules[module] = types.ModuleType(module)
        sys.modules |= {"finrl": package, "stable_baselines3.common.vec_env": vectors}
    return importlib.import_module(f"finrl.meta.env_stock_trading.{name}")


def finrl_arrays(frame: pd.DataFrame) -> Case:
    module = finrl_module("env_stocktrading_np")
    prices, features = frame[["close"]].to_numpy(), frame.filter(like="feature_").to_numpy()
    config = {"price_array": prices, "tech_array": features, "turbulence_array": np.zeros(len(frame)), "if_train": True}
    return stepping(module.StockTradingEnv(config=config), shares())


def finrl_frame(frame: pd.DataFrame) -> Case:
    module = finrl_module("env_stocktrading")
    rows = frame.reset_index(names="date").assign(tic="AAA")
    rows["date"] = rows["date"].astype(str)
    names = [name for name in frame.columns if name.startswith("feature_")]
    env = module.StockTradingEnv(
        df=rows,
        stock_dim=1,
        hmax=100,
        initial_amount=1_000_000,
        num_stock_shares=[0],
        buy_cost_pct=[FEE],
        sell_cost_pct=[FEE],
        reward_scaling=1e-4,
        state_space=3 + len(names),
        action_space=1,
        tech_indicator_list=names,
        print_verbosity=10**9,
    )
    return stepping(env, shares())


MAKERS: dict[str, Callable[[pd.DataFrame], Case]] = {
    "gym-anytrading": anytrading,
    "Gym-Trading-Env": gym_trading_env,
    "freqtrade Base5ActionRLEnv": freqtrade,
    "FinRL env_stocktrading_np": finrl_arrays,
    "FinRL StockTradingEnv": finrl_frame,
}


def measure(cases: dict[str, Case], seconds: float, repetitions: int) -> dict[str, float]:
    """Let the cases take turns; the first two turns of each are warm-ups that find how many steps fill its time."""
    wanted = dict.fromkeys(cases, 100)
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repetitions + 2):
        for name, case in cases.items():
            started = perf_counter()
            speed = case(wanted[name]) / (perf_counter() - started)
            if turn < 2:
                wanted[name] = max(1, int(speed * seconds))
            else:
                seen[name].append(speed)
    return {name: statistics.median(speeds) for name, speeds in seen.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", type=Path, help=".npz of prices and features (default: a random walk)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn (default 0.5)")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of each environment (default 5)")
    options = parser.parse_args()
    if options.bars is None:
        frame = frame_of(*walk())
    else:
        with np.load(options.bars) as arrays:
            frame = frame_of(arrays["prices"], arrays["features"])
    cases: dict[str, Case] = {}
    for name, make in MAKERS.items():
        try:
            cases[name] = make(frame)
        # Whatever a peer raises is a reason to leave it out, never to lose the others.
        except Exception as error:
            print(f"not measured: {name}: {type(error).__name__}: {error}", file=sys.stderr)
    print(json.dumps(measure(cases, options.seconds, options.repetitions)))


if __name__ == "__main__":
    main()
