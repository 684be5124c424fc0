"""A Gymnasium environment with one account, registered as ``seawall/Single-v0`` when this module is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.desk import Guards

ENVIRONMENT_ID = "seawall/Single-v0"


class TradingEnv(gymnasium.Env[dict[str, np.ndarray], Any]):
    """One trading account over a market: a `TradingVectorEnv` of one, that waits for `reset` when an episode ends.

    Observations are those of the vector environment without the leading axis.

    Attributes:
        batch: The vector environment of one behind it, whose simulator and desk may be read.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own type)

    def __init__(
        self,
        market: Market,
        rows: RowRange | Sequence[RowRange],
        scheme: ActionScheme,
        *,
        params: EnvironmentParams | None = None,
        guards: Guards | None = None,
        seed: int = 0,
    ) -> None:
        """Build the account; call `reset` before the first `step`.

        Args:
            market: The market.
            rows: Where decisions are taken.
            scheme: What the actions mean.
            params: Settings; None for the defaults with windows as observations.
            guards: The chain of guards, or None.
            seed: Seed of the episodes, until `reset` is given another.

        Raises:
            ConfigError: A range is too short or leaves its series, or an exposure level exceeds the largest allowed.
        """
        chosen = params if params is not None else EnvironmentParams(observation="window")
        self.batch = TradingVectorEnv(market, rows, 1, scheme, params=chosen, guards=guards, seed=seed)
        self.observation_space = self.batch.single_observation_space
        self.action_space = self.batch.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new episode; see `TradingVectorEnv.reset`."""
        super().reset(seed=seed, options=options)
        self.batch.reset(seed=seed, options=options)
        return self._observe(), {}

    def action_masks(self) -> np.ndarray:
        """Return which actions are legal now, bool, shape (number of actions,)."""
        return self.batch.action_masks()[0]

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Decide and go one bar on.

        Args:
            action: In the scheme's numbering, or its number from −1 to 1, shape (1,).

        Returns:
            Observation, reward, terminated, truncated, and ``illegal_moves``: the actions of the episode so far that did nothing.

        Raises:
            InvariantError: The action is not in the numbering, or `reset` was never called.
        """
        reward, terminated, truncated = self.batch.advance(np.array([action]))
        details = {"illegal_moves": int(self.batch.desk.illegal_moves[0])}
        return self._observe(), float(reward[0]), bool(terminated[0]), bool(truncated[0]), details

    def _observe(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(block[0]) for name, block in self.batch.observe().items()}


if ENVIRONMENT_ID not in gymnasium.registry:
    gymnasium.register(ENVIRONMENT_ID, entry_point="seawall.envs.single:TradingEnv")
