"""Where episodes begin.

Accounts end one by one: with thousands of them, a few are reset at most bars. So the rows and exposures of new episodes are
checked, and the accounts opened, in one compiled call.
"""

from __future__ import annotations

import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.simulator.compiled import ready_call
from seawall.simulator.kernel import episodes
from seawall.simulator.kernel.episodes import Ground
from seawall.simulator.kernel.layout import Accounts


class EpisodeStarts:
    """Opens episodes of the accounts of a simulator."""

    def __init__(self, ground: Ground, accounts: Accounts, equity: float) -> None:
        """Take what is written to, and make the call ready.

        Args:
            ground: Where episodes may be, and what is cleared for them.
            accounts: The accounts.
            equity: What an episode starts with.
        """
        self._ground, self._accounts, self._equity = ground, accounts, equity
        nobody = np.zeros(0, dtype=np.int64), np.zeros((2, 0), dtype=np.int64), np.zeros((5, 0))
        self._call = ready_call(episodes.open_episodes, (ground, accounts, *nobody))

    def open(
        self,
        indices: np.ndarray,
        start_rows: np.ndarray,
        stop_rows: np.ndarray,
        start_target: np.ndarray | None,
        factors: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Start a new episode in some accounts; arguments as in `Simulator.reset`.

        Returns:
            The accounts, int64, and the exposures that they start with, float64, shape (K,).

        Raises:
            ConfigError: An episode has no decision or crosses the bounds of a series.
            InvariantError: A start target exceeds the largest exposure.
        """
        places = np.ascontiguousarray(indices, dtype=np.int64)
        rows, start = np.empty((2, len(places)), dtype=np.int64), np.ones((5, len(places)))
        rows[0], rows[1] = start_rows, stop_rows
        start[0], start[1] = 0.0 if start_target is None else start_target, self._equity
        if factors is not None:
            start[2:] = factors
        code, wrong = self._call(self._ground, self._accounts, places, rows, start)
        if code == episodes.BAD_ROWS:
            bounds = self._ground.bounds
            raise ConfigError(
                f"episode of rows {rows[0, wrong]}..{rows[1, wrong] - 1} cannot be simulated; allowed: at least two rows, all "
                f"within one of the series that start at rows {bounds[:-1].tolist()} and end before row {bounds[-1]}"
            )
        if code == episodes.BAD_EXPOSURE:
            limit = self._ground.limit
            raise InvariantError(f"start targets {start[0].tolist()} are not all allowed; allowed: {-limit} to {limit}")
        return places, start[0]
