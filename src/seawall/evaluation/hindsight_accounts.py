"""What the actions behind a hindsight score earn in accounts: the same actions and fee, filled at the next open, bar after bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seawall.core.bars import CLOSE
from seawall.core.market import Market, RowRange
from seawall.evaluation.ledger import Ledger
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator


@dataclass(frozen=True)
class Realised:
    """What accounts came to; float64, shape (D,) each.

    Attributes:
        total_return: Last equity over first, less 1.
        max_drawdown: Deepest fall from a peak, as a share of it.
    """

    total_return: np.ndarray
    max_drawdown: np.ndarray


def costs_of(fee: float) -> CostParams:
    """Return costs of that fee a side and nothing else."""
    return CostParams(taker_bps=1e4 * fee, spread_bps=0.0)


def realised(
    signals: np.ndarray, market: Market, ranges: Sequence[RowRange], fee: float, account: tuple[SimulatorParams, bool]
) -> Realised:
    """Let accounts take actions: sell goes short, or flat where that is not allowed, buy goes long, hold keeps what is held.

    In each range accounts begin flat, with what the range before left them; what they hold at its last close is closed then, for
    the fee, unless no other range follows.

    Args:
        signals: −1 sell, 0 hold, +1 buy at each decision, shape (D, n).
        market: One series.
        ranges: The n rows at whose closes they are taken, in order of time; after each range at least one more row follows.
        fee: A side, as a share of what is traded.
        account: Settings of the accounts, and whether they may be short.
    """
    worth, peak = np.ones(len(signals)), np.ones(len(signals))
    deepest, before = np.zeros(len(signals)), 0
    for decisions in ranges:
        taken = signals[:, before : before + len(decisions)]
        before += len(decisions)
        start = worth
        for relative in _courses(taken, market, decisions, fee, account, close=before < signals.shape[1]):
            worth = start * relative
            np.maximum(peak, worth, out=peak)
            np.maximum(deepest, 1.0 - worth / peak, out=deepest)
    return Realised(worth - 1.0, deepest)


def _courses(
    signals: np.ndarray, market: Market, decisions: RowRange, fee: float, account: tuple[SimulatorParams, bool], *, close: bool
) -> Iterator[np.ndarray]:
    """Yield the equity of accounts over their first after each decision, and after closing all, where that is asked for."""
    n = len(signals)
    settings, short = account
    accounts = Simulator(market, n, costs_of(fee), settings.model_copy(update={"reward": RewardParams()}))
    scheme = action_scheme("sell_buy_hold", short)
    desk, every = Desk(scheme, None, n), np.ones(n, dtype=np.int64)
    accounts.reset(np.arange(n), every * decisions.start, every * (decisions.stop + 1))
    names = scheme.action_names
    places = np.array([names.index(name) for name in ("SELL", "HOLD", "BUY")])
    first = accounts.equity.copy()
    for asked in signals.T:
        decision = desk.decide(places[asked.astype(np.int64) + 1], accounts.view())
        accounts.step(decision.allowed, decision.terms, decision.signal)
        yield accounts.equity / first
    if close:
        held = np.abs(accounts.quantity) * market.prices[decisions.stop, CLOSE]
        yield (accounts.equity - fee * held) / first


def signals_of(ledger: Ledger) -> np.ndarray:
    """Return what a policy did at each bar: −1 sell, 0 hold, +1 buy, int8, shape (T − 1,); 0 after an early end.

    Where a guard intervened, it is what was done: a hold where the exposure stayed, else the sign of its change.
    """
    frame = ledger.frame
    allowed = ledger.column("allowed")
    done = np.sign(np.diff(allowed, prepend=0.0))
    signals = np.zeros(ledger.n_bars, dtype=np.int8)
    signals[: len(frame)] = np.where(frame["guard"] == "", ledger.column("signal"), done)
    return signals
