"""A Gymnasium environment with one account, registered as ``seawall/Single-v0`` when this module is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme
from seawall.envs.params import EnvironmentParams
from seawall.envs.same_step import seen_by_one, space_of_one
from seawall.envs.trail import Trail, describe
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.numbering import as_array
from seawall.simulator.desk import Guards
from seawall.simulator.kernel.episodes import ALLOWED
from seawall.simulator.single import SingleStepper

ENVIRONMENT_ID = "seawall/Single-v0"


class TradingEnv(gymnasium.Env[dict[str, np.ndarray], Any]):
    """One trading account over a market: a `TradingVectorEnv` of one, that waits for `reset` when an episode ends.

    Observations are those of the vector environment without the leading axis, but for ``row``, which keeps its one.

    Where a render mode is given, `render` shows the last bars: ``ansi`` as lines of text, ``rgb_array`` as a picture of candles,
    trades and equity. Without one, nothing is remembered for it.

    Attributes:
        batch: The vector environment of one behind it, whose simulator and desk may be read.
        render_mode: ``ansi``, ``rgb_array`` or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's own type)

    def __init__(
        self,
        market: Market,
        rows: RowRange | Sequence[RowRange],
        scheme: ActionScheme,
        *,
        params: EnvironmentParams | None = None,
        guards: Guards | None = None,
        seed: int = 0,
        render_mode: str | None = None,
    ) -> None:
        """Build the account; call `reset` before the first `step`.

        Args:
            market: The market.
            rows: Where decisions are taken.
            scheme: What the actions mean.
            params: Settings; None for the defaults with windows as observations.
            guards: The chain of guards, or None.
            seed: Seed of the episodes, until `reset` is given another.
            render_mode: What `render` returns: ``ansi``, ``rgb_array``, or None for nothing.

        Raises:
            ConfigError: A range is too short or leaves its series, an exposure level exceeds the largest allowed, or the render
                mode is unknown.
        """
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ConfigError(f"render mode {render_mode!r} is unknown; allowed: {self.metadata['render_modes']} or None")
        chosen = params if params is not None else EnvironmentParams(observation="window")
        self.batch = TradingVectorEnv(market, rows, 1, scheme, params=chosen, guards=guards, seed=seed)
        self.observation_space = space_of_one(self.batch.single_observation_space)
        self.action_space = self.batch.single_action_space
        self.render_mode = render_mode
        self._trail = None if render_mode is None else Trail(self.batch)
        simulator, desk = self.batch.simulator, self.batch.desk
        served = self._trail is None and SingleStepper.serves(simulator, desk)
        self._stepper = SingleStepper(simulator, desk, chosen.account_columns) if served else None
        self._features = None if chosen.observation == "index" else market.features.view(np.ndarray)
        if self._features is not None:
            self._features.flags.writeable = False
        self._window = chosen.window

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new episode; see `TradingVectorEnv.reset`."""
        super().reset(seed=seed, options=options)
        self.batch.reset(seed=seed, options=options)
        if self._trail is not None:
            self._trail.begin()
        return self._observe(), {}

    def action_masks(self) -> np.ndarray:
        """Return which actions are legal now, bool, shape (number of actions,)."""
        return self.batch.action_masks()[0]

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Decide and go one bar on.

        Args:
            action: In the scheme's numbering, or its number from −1 to 1, shape (1,).

        Returns:
            Observation, reward, terminated, truncated, and details: ``illegal_moves``, the actions of the episode so far that did
            nothing, and ``reward_terms``, what each term of the reward added, weighted, before any clipping.

        Raises:
            InvariantError: The action is not in the numbering, or `reset` was never called.
        """
        stepper = self._stepper
        whole = isinstance(action, (int, np.integer)) and not isinstance(action, bool)
        if stepper is not None and whole and 0 <= action < stepper.n_actions:
            code, earned, terminated, truncated, account = stepper.step(int(action))
            if code == ALLOWED:
                details = {"illegal_moves": int(self.batch.desk.illegal_moves[0]), "reward_terms": {"log_return": earned}}
                return self._seen(account), earned, terminated, truncated, details
        # What the short way does not understand is told apart, or refused, by the long one.
        reward, terminated, truncated = self.batch.advance(as_array([action]))
        if self._trail is not None:
            self._trail.note()
        details = {"illegal_moves": int(self.batch.desk.illegal_moves[0]), "reward_terms": self.batch.simulator.reward.told(0)}
        return self._observe(), float(reward[0]), bool(terminated[0]), bool(truncated[0]), details

    def render(self) -> Any:
        """Show the last bars of the episode.

        Returns:
            As the render mode says: lines of text; a picture, uint8, shape (480, 800, 3); or None where there is no mode.

        Raises:
            InvariantError: `reset` was never called.
        """
        if self._trail is None:
            gymnasium.logger.warn(
                "render was called without a render mode; give one when the environment is made: render_mode='ansi'"
            )
            return None
        closes = len(self._trail)
        if not closes:
            raise InvariantError("render was called before the environment was reset")
        if self.render_mode == "ansi":
            return describe(self.batch, decided=closes > 1)
        # Drawing needs an imaging library, which stepping does not.
        from seawall.envs.picture import picture

        return picture(self.batch, self._trail.record())

    def _seen(self, account: np.ndarray) -> dict[str, np.ndarray]:
        """Return the observation after a short step; a window is a read-only view of the market."""
        row = int(self.batch.simulator.row[0])
        if self._features is None:
            return {"row": np.array([row]), "account": account}
        return {"window": self._features[row - self._window + 1 : row + 1], "account": account}

    def _observe(self) -> dict[str, np.ndarray]:
        return seen_by_one(self.batch.observe())


if ENVIRONMENT_ID not in gymnasium.registry:
    gymnasium.register(ENVIRONMENT_ID, entry_point="seawall.envs.single:TradingEnv")
