"""A Gymnasium environment with one portfolio, registered as ``seawall/Portfolio-v0`` when this module is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_picture import History, picture, sentence
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.envs.same_step import seen_by_one, space_of_one
from seawall.market.panel import Panel
from seawall.simulator.actions.numbering import as_array

PORTFOLIO_ID = "seawall/Portfolio-v0"


class PortfolioEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """One portfolio over a panel: a `PortfolioVectorEnv` of one, that waits for `reset` when an episode ends.

    Observations and actions are those of the vector environment without the leading axis, but for ``row``, which keeps its one.
    Details are ``weights`` of cash and the assets held now, float64, shape (A + 1,); ``equity`` and ``benchmark``;
    ``traded_notional``, ``fee``, ``spread`` and ``slippage`` of the last bar; and ``reward_parts``, which add up to the reward:
    ``growth``, ``excess`` and of some ``clip``.

    Attributes:
        batch: The vector environment of one behind it, whose simulator may be read.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's own type)

    def __init__(
        self,
        panel: Panel,
        rows: RowRange | Sequence[RowRange],
        *,
        features: np.ndarray | None = None,
        ready: int = 0,
        params: PortfolioEnvironmentParams | None = None,
        seed: int = 0,
        render_mode: str | None = None,
    ) -> None:
        """Build the account; call `reset` before the first `step`.

        Args:
            panel: The assets.
            rows: Where decisions are taken.
            features: Of each asset and row, float32, shape (A, T, F), or None.
            ready: First row whose features are all warmed up.
            params: Settings; None for the defaults, with windows as observations where there are features.
            seed: Seed of the episodes, until `reset` is given another.
            render_mode: ``ansi``, ``rgb_array`` or None.

        Raises:
            ConfigError: The render mode is unknown, a step is not one bar, or see `PortfolioVectorEnv`.
            DataError: Features have another shape, or one is not finite.
        """
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ConfigError(f"render_mode {render_mode!r} is unknown; allowed: ansi, rgb_array or None")
        chosen = params or PortfolioEnvironmentParams(observation="index" if features is None else "window")
        if chosen.decide_at != "bars":
            raise ConfigError(f"decide_at is {chosen.decide_at!r}; one portfolio is stepped and drawn bar by bar: allowed: 'bars'")
        self.batch = PortfolioVectorEnv(panel, rows, 1, features=features, ready=ready, params=chosen, seed=seed)
        self.observation_space = space_of_one(self.batch.single_observation_space)
        self.action_space = self.batch.single_action_space
        self.render_mode = render_mode
        self._history = History()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new episode; see `PortfolioVectorEnv.reset`."""
        super().reset(seed=seed, options=options)
        self.batch.reset(seed=seed, options=options)
        self._history = History()
        return self._observe(), self._details()

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Trade at the next open and go one bar on.

        Args:
            action: Weights of cash and the assets, or numbers that become weights, shape (A + 1,).

        Returns:
            Observation, reward, terminated, truncated, and details.

        Raises:
            InvariantError: The scheme does not allow the action, or `reset` was never called.
        """
        reward, terminated, truncated = self.batch.advance(as_array([action]))
        return self._observe(), float(reward[0]), bool(terminated[0]), bool(truncated[0]), self._details()

    def render(self) -> Any:
        """Show the episode so far.

        Returns:
            With ``ansi`` a line of text; with ``rgb_array`` equity against the benchmark, and below it the weights, as an image,
            uint8, shape (200, 600, 3); without a render mode None.

        Raises:
            InvariantError: `reset` was never called.
        """
        if self.render_mode is None:
            return None
        if self.batch.simulator.episode[0] < 0:
            raise InvariantError("a portfolio was to be rendered before it was reset")
        if self.render_mode == "ansi":
            return sentence(self.batch.simulator)
        return picture(self._history, self.batch.panel.symbols)

    def _observe(self) -> dict[str, np.ndarray]:
        return seen_by_one(self.batch.observe())

    def _details(self) -> dict[str, Any]:
        accounts = self.batch.simulator
        weights = accounts.weights[0]
        if self.render_mode == "rgb_array":
            self._history.add(float(accounts.equity[0]), float(accounts.benchmark[0]), weights)
        names = ("equity", "benchmark", "traded_notional", "fee", "spread", "slippage")
        parts = {name: float(part[0]) for name, part in accounts.reward_parts().items()}
        return {"weights": weights, **{name: float(getattr(accounts, name)[0]) for name in names}, "reward_parts": parts}


if PORTFOLIO_ID not in gymnasium.registry:
    gymnasium.register(PORTFOLIO_ID, entry_point="seawall.envs.portfolio:PortfolioEnv")
