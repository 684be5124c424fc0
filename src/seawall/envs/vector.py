"""A Gymnasium vector environment: N accounts that decide and step together.

A decision at the close of row t is filled at the open of t + 1 and earns until the close of t + 1. The end of the rows or
of the episode is a truncation (its value is bootstrapped from the final observation), ruin is a termination.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from seawall.core.counters import uniform
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme
from seawall.core.seeding import derived_seed
from seawall.envs.episodes import Episodes, checked_seed
from seawall.envs.params import EnvironmentParams
from seawall.envs.same_step import SameStepVectorEnv
from seawall.simulator.costs.factors import cost_factors
from seawall.simulator.desk import Decision, Desk, Guards
from seawall.simulator.observe import AccountObserver
from seawall.simulator.settings import checked_count
from seawall.simulator.simulator import Simulator, StepResult
from seawall.simulator.tally import AccountTally
from seawall.simulator.windows import WindowCopier


class TradingVectorEnv(SameStepVectorEnv):
    """N trading accounts over one market, reset in the step in which they end.

    Observations are dictionaries. In index mode: ``row``, the row just closed, int64, shape (N,), and ``account``, float32,
    shape (N, A). In window mode: ``window``, the features of the last L rows, oldest first, float32, shape (N, L, F), and
    ``account``. Where an episode ended, the observation is the first of the next one, and ``info["final_obs"]`` holds the last
    of the old one: arrays like the observation's, valid where ``info["_final_obs"]`` is true.

    Trajectories depend on (seed, environment, episode) alone: a batch of N equals N single environments, bit for bit.

    Attributes:
        market: What the rows refer to.
        simulator: The accounts; its arrays may be read at any time.
        desk: Turns actions into allowed exposures.
        decision: The last decision of every account; None before the first step.
        observer: Builds the account rows.
        windows: Copies the windows.
        account_names: Names of the A columns of the account row.
        params: The settings.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (Gymnasium's own type)

    def __init__(
        self,
        market: Market,
        rows: RowRange | Sequence[RowRange],
        n: int,
        scheme: ActionScheme,
        *,
        params: EnvironmentParams | None = None,
        guards: Guards | None = None,
        seed: int = 0,
    ) -> None:
        """Build N accounts; call `reset` before the first `step`.

        Args:
            market: The market.
            rows: Where decisions are taken; several ranges may lie in several series. The first decision waits until
                a whole window of warmed-up features is there.
            n: Number of environments, N.
            scheme: What the actions mean.
            params: Settings; the defaults where None.
            guards: The chain of guards, or None.
            seed: Seed of the episodes, at least 0, until `reset` is given another.

        Raises:
            ConfigError: A range is too short or leaves its series, an exposure level exceeds the largest allowed, or the number
                of environments or the seed is no such number.
            DataError: A feature that a decision sees is not finite, or a price no positive number.
        """
        self.params = params if params is not None else EnvironmentParams()
        self.market = market
        self.num_envs = n = checked_count(n, "vector environment")
        limit = self.params.simulator.max_exposure
        if max(abs(level) for level in scheme.levels) > limit:
            raise ConfigError(f"scheme {scheme.name!r} asks for exposures {scheme.levels}; allowed: {-limit} to {limit}")
        shown = self.params
        self.episodes = Episodes.plan(market, rows, shown.window, shown.episode_bars, shown.start, shown.grid_bars)
        _refuse_gaps(market, self.episodes, shown.window)
        self.simulator = Simulator(market, n, self.params.costs, self.params.simulator, terms=scheme.carries_terms)
        self.desk = Desk(scheme, guards, n, show_guards=self.params.guard_columns)
        self.decision: Decision | None = None
        self.observer = AccountObserver(self.params.account_columns, self.desk)
        self.account_names = self.observer.names
        self._levels = np.array(scheme.levels)
        self.windows = WindowCopier(market.features, self.params.window)
        self._tally: AccountTally | None = None
        self._declare_spaces(len(scheme.action_names))
        self._take_seed(seed)

    def _declare_spaces(self, n_actions: int) -> None:
        """Declare the spaces of one environment and of the batch."""
        account = spaces.Box(-np.inf, np.inf, (len(self.account_names),), np.float32)
        if self.params.observation == "index":
            seen: spaces.Space[Any] = spaces.Box(0, len(self.market) - 1, (), np.int64)
            self.single_observation_space = spaces.Dict({"row": seen, "account": account})
        else:
            seen = spaces.Box(-np.inf, np.inf, (self.params.window, self.market.features.shape[1]), np.float32)
            self.single_observation_space = spaces.Dict({"window": seen, "account": account})
        # A scheme without numbered actions takes one number.
        self.single_action_space = spaces.Discrete(n_actions) if n_actions else spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _take_seed(self, seed: int) -> None:
        """Key the random streams by a seed and count episodes from 0 again."""
        self._seed = checked_seed(seed)
        self._row_key = derived_seed(seed, "episode rows")
        self._exposure_key = derived_seed(seed, "episode start exposure")
        self._cost_key = derived_seed(seed, "episode costs")
        self.simulator.episode[:] = -1

    def begin(self, environments: np.ndarray) -> None:
        """Start the next episode in some environments.

        Args:
            environments: Their indices, int64, shape (K,), each once.
        """
        if self._tally is not None:
            self._tally.closing(environments)
        episodes = self.simulator.episode[environments] + 1
        start, stop = self.episodes.rows(self._row_key, environments, episodes)
        exposure = None
        if self.params.start_exposure == "random":
            drawn = uniform(self._exposure_key, environments, episodes) * len(self._levels)
            exposure = self._levels[np.minimum(drawn.astype(np.int64), len(self._levels) - 1)]
        factors = None
        if any(self.params.costs.randomization.sigmas):
            factors = cost_factors(self.params.costs.randomization, self._cost_key, environments, episodes)
        self.simulator.reset(environments, start, stop, exposure, factors)
        self.desk.reset(environments)

    def advance(self, actions: np.ndarray) -> StepResult:
        """Decide and take every account one bar on, without resetting those that end.

        Args:
            actions: In the scheme's numbering, shape (N,).

        Raises:
            InvariantError: An action is not in the numbering, or `reset` was never called.
        """
        self.decision = self.desk.decide(actions, self.simulator.view())
        result = self.simulator.step(self.decision.allowed, self.decision.terms, self.decision.signal)
        if self._tally is not None:
            self._tally.note()
        return result

    def watch(self) -> None:
        """Count from now on what `diagnostics` tells."""
        if self._tally is None:
            self._tally = AccountTally(self.simulator)

    def diagnostics(self) -> dict[str, float]:
        """Return means of reward terms and accounts over the steps since the last question; see `AccountTally.means`.

        Empty where nothing is counted: `watch` was never called, or no step was taken.
        """
        return {} if self._tally is None else self._tally.means()

    def observe(self) -> dict[str, np.ndarray]:
        """Return what every policy sees now, known at the close of each environment's row; new arrays."""
        account = self.observer.rows(self.simulator)
        if self.params.observation == "index":
            return {"row": self.simulator.row.copy(), "account": account}
        return {"window": self.windows.windows(self.simulator.row), "account": account}

    def action_masks(self) -> np.ndarray:
        """Return which actions are legal now, bool, shape (N, number of actions); no columns where actions are not numbered."""
        return self.desk.scheme.action_mask(self.simulator.view().target)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, as plain arrays, from which `load_state_dict` goes on exactly."""
        tallied = {} if self._tally is None else self._tally.blocks()
        return {**self.simulator.state_dict(), **tallied, "guards": self.desk.save(), "seed": np.array(self._seed, dtype=np.int64)}

    def load_state_dict(self, saved: dict[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned, in an environment made with the same settings.

        Raises:
            DataError: An array is missing or has another shape.
        """
        missing = {"guards", "seed"} - set(saved)
        if missing:
            raise DataError(f"saved environment lacks {sorted(missing)}")
        self._take_seed(int(saved["seed"]))
        self.simulator.load_state_dict(saved)
        self.desk.restore(saved["guards"])
        if self._tally is not None:
            self._tally.load(saved)


def _refuse_gaps(market: Market, episodes: Episodes, window: int) -> None:
    """Refuse features that are not finite in rows that decisions see."""
    for first, stop in zip(episodes.first.tolist(), episodes.stop.tolist(), strict=True):
        seen = market.features[first - window + 1 : stop]
        finite = np.isfinite(seen)
        if not finite.all():
            row, column = (int(place) for place in np.argwhere(~finite)[0])
            raise DataError(
                f"feature {market.feature_names[column]!r} is {seen[row, column]} at row {first - window + 1 + row} of the market; "
                "allowed: finite numbers in every row that a decision sees"
            )
