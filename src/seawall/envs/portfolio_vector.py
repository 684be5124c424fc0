"""A Gymnasium vector environment of portfolios: N accounts over the assets of a panel, stepped in one compiled call.

Weights decided at the close of row t are traded at the open of t + 1 and earn until the close of t + 1. The end of the rows or of
the episode is a truncation, the stop at a drawdown is a termination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.seeding import derived_seed
from seawall.envs.episodes import Episodes, as_ranges, checked_seed
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.same_step import SameStepVectorEnv
from seawall.envs.simplex import Simplex
from seawall.market.panel import Panel
from seawall.simulator.actions.weights import weight_scheme
from seawall.simulator.portfolio.accounts import account_layout
from seawall.simulator.portfolio.simulator import PortfolioSimulator, PortfolioStep
from seawall.simulator.settings import checked_count
from seawall.simulator.windows import WindowCopier

SOFTMAX_RANGE = 5.0
"""With ``softmax``, actions of the declared space lie within ± this: one asset can then outweigh eleven others 2,000 to 1."""


class LastBar(NamedTuple):
    """What the bars of the last step were to N accounts, also to those whose episode ended; float64, shape (N,) each.

    Attributes:
        growth: log(equity / equity before the step) after all costs.
        benchmark_growth: The same of equal-weight buy-and-hold, without costs.
        turnover: Traded notional over the equity after it.
    """

    growth: np.ndarray
    benchmark_growth: np.ndarray
    turnover: np.ndarray


class PortfolioVectorEnv(SameStepVectorEnv):
    """N portfolios over one panel of A assets, reset in the step in which they end.

    Observations are dictionaries. In index mode: ``row``, the row just closed, int64, shape (N,), and ``account``, float32, shape
    (N, C). In window mode: ``window``, the features of the last L rows, oldest first, float32, shape (N, L, A, F), and ``account``.
    Where an episode ended, the observation is the first of the next one, and ``info["final_obs"]`` holds the last of the old one:
    arrays like the observation's, valid where ``info["_final_obs"]`` is true.

    Actions are weights of cash and the assets, shape (N, A + 1), or numbers that become weights: see `PortfolioWeights`.

    Trajectories depend on (seed, environment, episode) alone: a batch of N equals N single environments, bit for bit.

    Attributes:
        panel: What the rows refer to.
        features: Features of every asset as they were given, or None.
        simulator: The accounts; its arrays may be read at any time.
        scheme: What turns actions into weights.
        account_names: Names of the C columns of the account row.
        params: The settings.
        last_bar: What the bars of the last step were to every account.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (Gymnasium's own type)

    def __init__(
        self,
        panel: Panel,
        rows: RowRange | Sequence[RowRange],
        n: int,
        *,
        features: np.ndarray | None = None,
        ready: int = 0,
        params: PortfolioEnvironmentParams | None = None,
        seed: int = 0,
    ) -> None:
        """Build N accounts; call `reset` before the first `step`.

        Args:
            panel: The assets.
            rows: Where decisions are taken, one range or several. The first decision waits until a whole window of warmed-up
                features is there.
            n: Number of environments, N.
            features: Of each asset and row, known at its close, float32, shape (A, T, F); None where no policy looks at any.
            ready: First row whose features are all warmed up.
            params: Settings; the defaults where None.
            seed: Seed of the episodes, at least 0, until `reset` is given another.

        Raises:
            ConfigError: A range is too short or leaves the panel, windows are to be shown and there are no features, or costs are
                missing or not charged to portfolios.
            DataError: Features have another shape, or one is not finite from the first warmed-up row on.
        """
        self.params = params if params is not None else PortfolioEnvironmentParams()
        n = checked_count(n, "vector environment")
        self.panel, self.features, self.num_envs = panel, features, n
        if features is None and self.params.observation == "window":
            raise ConfigError(
                "observation 'window' was asked for without features; allowed: 'index', or features of shape (A, T, F)"
            )
        self._windows = None if features is None else _windows(panel, features, ready, self.params.window)
        self.episodes = plan_episodes(panel, rows, ready, self.params)
        self.simulator = PortfolioSimulator(panel, n, self.params.costs, self.params.portfolio)
        self.scheme = weight_scheme("portfolio_weights", panel.symbols, self.params.normalise)
        self._codes, self.account_names = account_layout(self.params.account_columns, panel.symbols)
        self.last_bar = LastBar(*np.zeros((3, n)))
        self._declare_spaces()
        self._take_seed(seed)

    def _declare_spaces(self) -> None:
        """Declare the spaces of one environment and of the batch."""
        account = spaces.Box(-np.inf, np.inf, (len(self.account_names),), np.float32)
        assets = len(self.panel.symbols)
        if self.params.observation == "index" or self.features is None:
            seen: spaces.Space[Any] = spaces.Box(0, len(self.panel) - 1, (), np.int64)
            self.single_observation_space = spaces.Dict({"row": seen, "account": account})
        else:
            seen = spaces.Box(-np.inf, np.inf, (self.params.window, assets, self.features.shape[2]), np.float32)
            self.single_observation_space = spaces.Dict({"window": seen, "account": account})
        self.single_action_space = (
            Simplex((assets + 1,))
            if self.scheme.normalise == "simplex"
            else spaces.Box(-SOFTMAX_RANGE, SOFTMAX_RANGE, (assets + 1,), np.float32)
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _take_seed(self, seed: int) -> None:
        """Key the random stream by a seed and count episodes from 0 again."""
        self._seed = checked_seed(seed)
        self._row_key = derived_seed(seed, "episode rows")
        self.simulator.episode[:] = -1

    def begin(self, environments: np.ndarray) -> None:
        """Start the next episode in some environments.

        Args:
            environments: Their indices, int64, shape (K,), each once.
        """
        start, stop = self.episodes.rows(self._row_key, environments, self.simulator.episode[environments] + 1)
        self.simulator.reset(environments, start, stop)

    def advance(self, actions: np.ndarray) -> PortfolioStep:
        """Take every account one bar on, or with ``decide_at: rebalancings`` as many as lie between two, without resetting any.

        Args:
            actions: Weights, or numbers that become weights, shape (N, A + 1).

        Returns:
            The sum of the bars' rewards, and how the last of them left the accounts.

        Raises:
            InvariantError: The scheme does not allow an action, or `reset` was never called.
        """
        accounts, weights = self.simulator, self.scheme.weights(actions)
        done, sums = accounts.step(weights), self._last_bar()
        reward = done.reward
        for _ in range(1, self.params.portfolio.rebalance_every if self.params.decide_at == "rebalancings" else 1):
            # An account whose episode has ended stands still and earns nothing.
            done = accounts.step(weights)
            reward, sums = reward + done.reward, sums + self._last_bar()
        self.last_bar = LastBar(*sums)
        return PortfolioStep(reward, done.terminated, done.truncated)

    def _last_bar(self) -> np.ndarray:
        accounts = self.simulator
        return np.stack([accounts.log_return, accounts.benchmark_return, accounts.traded_notional / accounts.equity])

    def observe(self) -> dict[str, np.ndarray]:
        """Return what every policy sees now, known at the close of each environment's row; new arrays."""
        account = np.empty((self.num_envs, len(self.account_names)), dtype=np.float32)
        self.simulator.fill_account_rows(self._codes, account)
        rows = self.simulator.row
        if self.params.observation == "index" or self._windows is None:
            return {"row": rows.copy(), "account": account}
        seen = self._windows.windows(rows)
        return {"window": seen.reshape(*seen.shape[:2], len(self.panel.symbols), -1), "account": account}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, as plain arrays, from which `load_state_dict` goes on exactly."""
        return {**self.simulator.state_dict(), "seed": np.array(self._seed, dtype=np.int64)}

    def load_state_dict(self, saved: Mapping[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned, in an environment made with the same settings.

        Raises:
            DataError: An array is missing or has another shape.
        """
        if "seed" not in saved:
            raise DataError("saved environment lacks ['seed']")
        self._take_seed(int(saved["seed"]))
        self.simulator.load_state_dict(saved)


def plan_episodes(panel: Panel, rows: RowRange | Sequence[RowRange], ready: int, params: PortfolioEnvironmentParams) -> Episodes:
    """Plan episodes in which every decision has a whole window of warmed-up features.

    Args:
        panel: The panel.
        rows: Where decisions are taken.
        ready: First row whose features are all warmed up.
        params: Window, length and start of the episodes.

    Raises:
        ConfigError: There is no range, or one leaves the panel or holds no decision.
    """
    ranges = as_ranges(rows)
    first: list[int] = []
    for each in ranges:
        start = max(each.start, ready + params.window - 1)
        if each.stop > len(panel) or each.stop < start + 2:
            raise ConfigError(
                f"rows {each.start}..{each.stop - 1} hold no decision; allowed: within the {len(panel)} rows of the panel, and at "
                f"least two from row {start} on (features are ready at row {ready}, a window needs {params.window} rows, and one "
                "decision needs a row to be marked at)"
            )
        first.append(start)
    stops = np.array([each.stop for each in ranges], dtype=np.int64)
    return Episodes(np.array(first, dtype=np.int64), stops, params.episode_bars, params.start, params.grid_bars)


def _windows(panel: Panel, features: np.ndarray, ready: int, window: int) -> WindowCopier:
    """Return what copies windows of all assets, a row of whose block is (A, F)."""
    wanted = (len(panel.symbols), len(panel))
    if features.ndim != 3 or features.shape[:2] != wanted or features.dtype != np.float32:
        raise DataError(
            f"features are {features.dtype} of shape {features.shape}; allowed: float32 of shape {wanted} and F columns"
        )
    if ready < 0 or not np.isfinite(features[:, ready:]).all():
        raise DataError(f"features from row {ready} on are not all finite; allowed: the first row from which they are, at least 0")
    return WindowCopier(features.transpose(1, 0, 2).reshape(len(panel), -1), window)
