"""The account part of an observation, built in one place for training, backtest, paper and live."""

from __future__ import annotations

import numpy as np

from seawall.simulator.accounts import feature_codes
from seawall.simulator.desk import Desk
from seawall.simulator.simulator import Simulator


class AccountObserver:
    """Builds account rows: the named account features, then the state of the guards.

    Attributes:
        names: Names of the A columns.
    """

    def __init__(self, columns: tuple[str, ...], desk: Desk) -> None:
        """Take the columns.

        Args:
            columns: Names out of `accounts.ACCOUNT_FEATURES`, in the order wanted.
            desk: Whose guard state is appended.

        Raises:
            ConfigError: A column is unknown or repeated.
        """
        self._codes = feature_codes(columns)
        self._desk = desk
        self.names: tuple[str, ...] = (*columns, *desk.state_names)

    def rows(self, simulator: Simulator) -> np.ndarray:
        """Return the account rows, known at the close of each account's row; a new float32 array, shape (N, A), no NaN."""
        out = np.empty((simulator.n, len(self.names)), dtype=np.float32)
        self.fill(simulator, out)
        return out

    def fill(self, simulator: Simulator, out: np.ndarray) -> None:
        """Write the account rows into the first A columns of a float32 array of shape (N, at least A); see `rows`."""
        simulator.fill_account_rows(self._codes, out)
        if len(self._desk.state_names):
            out[:, len(self._codes) : len(self.names)] = self._desk.shown_state
