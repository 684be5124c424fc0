"""Small markets, policies and ledgers for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.evaluation.backtest import backtest
from seawall.evaluation.evaluate import Candidates, Setting
from seawall.evaluation.judge import RunFacts
from seawall.evaluation.ledger import Ledger
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

FREE = CostParams(taker_bps=0.0, spread_bps=0.0)
HOUR_MS = 3_600_000


def market_of(prices: np.ndarray, features: np.ndarray | None = None, symbol: str = "TEST") -> Market:
    """A market of hourly bars with (T, 5) prices."""
    rows = len(prices)
    block = np.zeros((rows, 0), dtype=np.float32) if features is None else features.astype(np.float32)
    return Market(
        symbols=(symbol,),
        starts=(0, rows),
        timeframe=Timeframe(3_600),
        timestamps=1_700_000_000_000 + np.arange(rows, dtype=np.int64) * HOUR_MS,
        prices=np.ascontiguousarray(prices, dtype=np.float64),
        features=block,
        feature_names=tuple(f"f{number}" for number in range(block.shape[1])),
        ready=(0,),
    )


def straight(*closes: float) -> Market:
    """Bars that open at the close before and move straight to their own close."""
    close = np.array(closes, dtype=np.float64)
    opening = np.concatenate([close[:1], close[:-1]])
    return market_of(
        np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(len(close))], axis=1)
    )


def random_market(seed: int, rows: int, volatility: float = 0.01, drift: np.ndarray | float = 0.0) -> Market:
    """A random walk with gaps at the open."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, volatility, rows) + drift))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, volatility / 10.0, rows))
    high, low = np.maximum(opening, close) * (1.0 + volatility / 5.0), np.minimum(opening, close) * (1.0 - volatility / 5.0)
    return market_of(np.stack([opening, high, low, close, np.ones(rows)], axis=1))


class Script:
    """Plays given actions, one for each row of the market."""

    def __init__(self, actions: Sequence[int] | np.ndarray) -> None:
        self.actions = np.asarray(actions)

    def act(self, observation, *, deterministic=True):
        return self.actions[observation.rows], {}


def exposures_ledger(
    market: Market, levels: Sequence[int], costs: CostParams = FREE, params: SimulatorParams | None = None
) -> Ledger:
    """The ledger of asking for exposures −1, 0 or 1, one for each decision."""
    actions = np.array([*levels, 0]) + 1
    desk = Desk(action_scheme("target_exposure", True), None, 1)
    return backtest(Script(actions), market, RowRange(0, len(market)), desk, costs, params)


def edge_world(edge: bool, rows: int = 1_500, n_seeds: int = 5) -> tuple[Candidates, Setting]:
    """A market whose drift follows a slow hidden signal, or a driftless one, and seeds that each see the signal blurred."""
    rng = np.random.default_rng(11)
    signal = np.zeros(rows)
    for row in range(1, rows):
        signal[row] = 0.97 * signal[row - 1] + 0.243 * rng.normal()
    market = random_market(12, rows, 0.006, np.concatenate([[0.0], signal[:-1]]) * (0.003 if edge else 0.0))
    blurred = [signal + rng.normal(0.0, 0.2, rows) for _ in range(n_seeds)]

    def policy(view: np.ndarray) -> Script:
        return Script(np.where(view > 0.5, 1, np.where(view < -0.5, 0, 2)))

    guards = NConsecutiveParams(n=2, mode="confirm")
    setting = Setting(
        market=market,
        rows=RowRange(120, rows),
        make_desk=lambda: Desk(action_scheme("sell_buy_hold", True), GuardChain([NConsecutive(guards)]), 1),
        short=True,
        costs=CostParams(),
        simulator=SimulatorParams(),
        account_columns=("exposure",),
    )
    seeds = {number: policy(view) for number, view in enumerate(blurred)}
    return Candidates(policy(np.mean(blurred, axis=0)), seeds), setting


def facts(symbol: str = "TEST") -> RunFacts:
    """What a run says of itself."""
    return RunFacts(
        recipe="tradernet",
        recipe_hash="ab" * 32,
        symbol=symbol,
        timeframe="1h",
        costs={"taker_bps": 10.0, "spread_bps": 2.0},
        data={"source": "synthetic", "rows": 1_500, "quality": {"gaps": 1, "gap_places": [{"after": "2024-01-01", "missing": 2}]}},
        split={"test": {"start": 120, "stop": 1_500}, "purge": 13},
        guards={"n_consecutive": {"n": 2, "mode": "confirm", "record": "suggested"}},
        scheme={"name": "sell_buy_hold"},
        command="seawall train tradernet",
        version="0.1.0",
    )
