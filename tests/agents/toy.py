"""A market in closed form: the sign of the last feature tells which exposure earns EDGE on the next bar."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from seawall.core.market import Market
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe

EDGE = 0.01
WINDOW = 4
EXPOSURES = np.array([-1.0, 0.0, 1.0])


def toy_market(rows: int = 2_000, columns: int = 3, seed: int = 0) -> Market:
    source = generator(seed, "toy features")
    features = source.standard_normal((rows, columns)).astype(np.float32)
    features[:, -1] = np.where(features[:, -1] > 0, 1.0, -1.0)
    return Market(
        symbols=("TOY",),
        starts=(0, rows),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.arange(rows, dtype=np.int64) * 3_600_000,
        prices=np.ones((rows, 5)),
        features=features,
        feature_names=tuple(f"x{column}" for column in range(columns)),
        ready=(0,),
    )


class ToyVectorEnv(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """Actions ask for exposures -1, 0, +1; the account row is the exposure held; episodes are cut after `length` steps."""

    def __init__(self, market: Market, n: int, *, length: int = 16, noise: float = EDGE, shuffled: bool = False) -> None:
        self.market, self.num_envs, self.length, self.noise, self.shuffled = market, n, length, noise, shuffled
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_action_space = Discrete(3)
        self.single_observation_space = Dict(
            {"row": Box(0, len(market) - 1, (), np.int64), "account": Box(-1, 1, (1,), np.float32)}
        )
        self.action_space = batch_space(self.single_action_space, n)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.source = generator(0, "toy")
        self.rows, self.ages, self.exposure = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.source = generator(seed or 0, "toy")
        self._restart(np.ones(self.num_envs, bool))
        return self._observation(), {}

    def step(self, actions: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        self.exposure = EXPOSURES[actions]
        sign = self.market.features[self.rows, -1].astype(np.float64)
        if self.shuffled:
            sign = self.source.choice([-1.0, 1.0], self.num_envs)
        rewards = self.exposure * (EDGE * sign + self.noise * self.source.standard_normal(self.num_envs))
        self.rows, self.ages = self.rows + 1, self.ages + 1
        truncated = self.ages >= self.length
        info: dict[str, Any] = {}
        if truncated.any():
            info = {"final_obs": self._observation(), "_final_obs": truncated}
            self._restart(truncated)
        return self._observation(), rewards, np.zeros(self.num_envs, bool), truncated, info

    def _restart(self, chosen: np.ndarray) -> None:
        count = int(chosen.sum())
        self.rows[chosen] = self.source.integers(WINDOW, len(self.market) - self.length - 1, count)
        self.ages[chosen] = self.source.integers(0, self.length // 2, count)
        self.exposure[chosen] = self.source.choice(EXPOSURES, count)

    def _observation(self) -> dict[str, np.ndarray]:
        return {"row": self.rows.copy(), "account": self.exposure[:, None].astype(np.float32)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows.copy(),
            "ages": self.ages.copy(),
            "exposure": self.exposure.copy(),
            "source": dict(self.source.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.ages, self.exposure = state["rows"].copy(), state["ages"].copy(), state["exposure"].copy()
        self.source.bit_generator.state = state["source"]
