"""Many policies of portfolios that do not look at their account, walked over the same bars at once, one account each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.protocols import Observation, Policy
from seawall.engine.portfolio_decision import PortfolioLoop, PortfolioRecords
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.evaluation.portfolio_ledger import PortfolioLedger, portfolio_ledger_of
from seawall.evaluation.rival_rules import Details
from seawall.simulator.portfolio.simulator import PortfolioSimulator

_CHUNK = 4_096
"""Bars whose records are kept one by one before they are laid side by side."""
_NAMES = tuple(each.name for each in fields(PortfolioRecords))


class _Together:
    """Plays what several policies decided beforehand."""

    def __init__(self, weights: np.ndarray, hold: np.ndarray, first_row: int) -> None:
        """Take weights of shape (decisions, N, A + 1), what is left as it is, (decisions, N), and the row of the first decision."""
        self._weights, self._hold, self._first = weights, hold, first_row

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Details]:
        """Return each account's weights at the row, shape (N, A + 1); accounts that have ended stand at an earlier one."""
        del deterministic
        bar = int(observation.rows.max()) - self._first
        return self._weights[bar], {"hold": self._hold[bar]}


def portfolio_backtest_together(policies: Mapping[str, Policy], setting: PortfolioSetting) -> dict[str, PortfolioLedger]:
    """Let policies that see no account trade over some rows, each from cash.

    Args:
        policies: By name; their weights follow from the market and the row alone.
        setting: Where.

    Returns:
        The ledger of each, bit for bit as `portfolio_backtest` would return it.

    Raises:
        ConfigError: Fewer than two rows.
    """
    rows, n = setting.rows, len(policies)
    if len(rows) < 2:
        raise ConfigError(f"backtests over {len(rows)} row were asked for; at least 2 are needed, one to decide and one to mark")
    simulator = PortfolioSimulator(setting.panel, n, setting.costs, setting.accounts)
    simulator.reset(np.arange(n), np.full(n, rows.start), np.full(n, rows.stop))
    equity = float(simulator.equity[0])
    decided = [_decided(policy, setting) for policy in policies.values()]
    weights, hold = (np.stack(parts, axis=1) for parts in zip(*decided, strict=True))
    records = _walk(PortfolioLoop(_Together(weights, hold, rows.start), simulator, setting.market, ()), len(rows) - 1)
    times = np.asarray(setting.panel.timestamps[rows.start : rows.stop])
    return {
        name: portfolio_ledger_of([_of_account(records, account)], setting.panel.symbols, equity, times)
        for account, name in enumerate(policies)
    }


def _decided(policy: Policy, setting: PortfolioSetting) -> tuple[np.ndarray, np.ndarray]:
    """Return a policy's weights at each row but the last, shape (T − 1, A + 1), and whether it leaves all as it is, (T − 1,)."""
    decisions = np.arange(setting.rows.start, setting.rows.stop - 1)
    weights, details = policy.act(Observation(setting.market, decisions, np.zeros((len(decisions), 0), np.float32)))
    return np.asarray(weights, dtype=np.float64), np.asarray(details.get("hold", np.zeros(len(decisions))), dtype=np.bool_)


def _walk(loop: PortfolioLoop, decisions: int) -> PortfolioRecords:
    """Walk the loop to its end; return all records in one, bars first."""
    chunks: list[PortfolioRecords] = []
    records: list[PortfolioRecords] = []
    for bar in range(1, decisions + 1):
        records.append(loop.step())
        over = bool(records[-1].done.all()) or bar == decisions
        if over or len(records) == _CHUNK:
            chunks.append(_joined(records, np.stack))
            records = []
        if over:
            break
    return _joined(chunks, np.concatenate)


def _joined(records: Sequence[PortfolioRecords], join: Callable[[list[np.ndarray]], np.ndarray]) -> PortfolioRecords:
    return PortfolioRecords(**{name: join([getattr(record, name) for record in records]) for name in _NAMES})


def _of_account(records: PortfolioRecords, account: int) -> PortfolioRecords:
    """Return the records of one account, up to the one that ended its episode."""
    end = int(records.done[:, account].argmax()) + 1
    return PortfolioRecords(**{name: getattr(records, name)[:end, account] for name in _NAMES})
