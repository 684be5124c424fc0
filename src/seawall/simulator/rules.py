"""From settings to what the kernel is told: rates, which rules are compiled in, and what holding and trading cost by row."""

from __future__ import annotations

import math

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW, VOLUME
from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.market.hours.calendars import calendar
from seawall.market.hours.sessions import WINDOWS
from seawall.simulator.costs.params import MOST_SLIPPAGE, CostParams
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Bars, Flags, Rules
from seawall.simulator.settings import OrderParams, SessionParams, SimulatorParams

_PER_BPS = 1e-4
_YEAR_MS = 365.0 * 86_400_000.0
_HOUR_MS = 3_600_000
_LINE = 64
_EVERY_BAR = 1e-9
"""A drift of the exposure that is rounding alone."""
_DAY = Timeframe(86_400)


def rules_of(costs: CostParams, params: SimulatorParams) -> Rules:
    """Return the numbers that the kernel charges and demands."""
    orders = params.orders
    return Rules(
        taker=costs.taker_rate,
        maker=costs.maker_rate,
        half_spread=costs.half_spread_rate,
        slippage=costs.slippage.base_bps * _PER_BPS,
        size_impact=costs.slippage.size_impact * _PER_BPS,
        most_slippage=MOST_SLIPPAGE,
        margin=params.maintenance_margin,
        band=_EVERY_BAR if orders.rebalance == "every_bar" else orders.band,
        take_profit=params.take_profit_bps * _PER_BPS,
        stop_loss=params.stop_loss_bps * _PER_BPS,
        trailing_stop=params.trailing_stop_bps * _PER_BPS,
        lot=orders.lot_size,
        tick=orders.tick_size,
        min_notional=orders.min_notional,
        long_apr=costs.financing.long_apr,
        short_apr=costs.financing.short_apr,
        funding=costs.funding.rate_bps * _PER_BPS,
        participation=math.inf if orders.participation is None else orders.participation,
        fill_ratio=costs.fill_ratio,
        max_drawdown=params.max_drawdown,
        from_peak=params.drawdown_reference == "peak",
        close_at_end=params.close_at_end,
    )


def flags_of(costs: CostParams, params: SimulatorParams, *, terms: bool) -> Flags:
    """Return which rules are compiled in.

    Args:
        costs: Costs of a fill and of holding.
        params: Settings of the accounts.
        terms: Whether orders carry their own limit, take-profit and stop-loss.
    """
    orders, session, slip = params.orders, params.session, costs.slippage

    def on(wanted: bool) -> bool | None:
        return True if wanted else None

    holding = any((costs.financing.long_apr, costs.financing.short_apr))
    return Flags(
        carry=on(holding or slip.volatility_multiplier > 0.0),
        funding=on(costs.funding.rate_bps != 0.0),
        slippage=on(any((slip.base_bps, slip.volatility_multiplier, slip.size_impact))),
        sized=on(slip.size_impact > 0.0),
        factors=on(any(costs.randomization.sigmas)),
        rebalance=on(orders.rebalance != "on_change"),
        exits=on(params.has_exits or terms),
        terms=on(terms),
        lots=on(_cut(costs, orders)),
        session=on(session.matters),
        closing=on(params.max_drawdown < 1.0 or params.close_at_end or bool(session.flat)),
    )


def _cut(costs: CostParams, orders: OrderParams) -> bool:
    """Say whether orders are cut into lots, or fill in part."""
    return orders.lot_size > 0.0 or orders.min_notional > 0.0 or orders.participation is not None or costs.fill_ratio < 1.0


def bars_of(market: Market, costs: CostParams, params: SimulatorParams, flags: Flags) -> Bars:
    """Return the market as the kernel reads it; blocks of rules that are left out are empty.

    Raises:
        DataError: A price is not a positive, finite number, a high is below its low, or a volume that orders take a share of is
            negative or none.
    """
    prices = _checked_prices(market, volumes=params.orders.participation is not None)
    none = np.zeros(0)
    rows = prices if flags.carry is None else rows_with_carry(market, prices, costs)
    funding = none if flags.funding is None else funding_times(market, costs.funding.every_hours)
    session = none.astype(np.uint8) if flags.session is None else session_bits(market, params.session)
    return Bars(rows, funding, session)


def rows_with_carry(market: Market, prices: np.ndarray, costs: CostParams) -> np.ndarray:
    """Return the prices with what holding and trading cost at each row, a row to a cache line.

    The first row of a series has no row before it: no time passes, and no position is carried into it. Slippage is the base alone
    until two bars have closed.

    Returns:
        float64, shape (T, ROW_COLUMNS), in the columns that the kernel names; read-only.
    """
    rows = _aligned(len(prices), at.ROW_COLUMNS)
    rows[:, : prices.shape[1]] = prices
    closes, times, firsts = prices[:, CLOSE], np.asarray(market.timestamps, dtype=np.int64), np.asarray(market.starts[:-1])
    before, moved = rows[:, at.BEFORE], rows[:, at.ROW_SLIPPAGE]
    before[1:] = closes[:-1]
    before[firsts] = closes[firsts]
    rows[:, at.YEARS] = np.diff(times, prepend=times[:1]) / _YEAR_MS
    rows[firsts, at.YEARS] = 0.0
    moved[2:] = np.abs(closes[1:-1] / closes[:-2] - 1.0)
    moved[:2] = moved[firsts] = moved[firsts[firsts + 1 < len(rows)] + 1] = 0.0
    slip = costs.slippage
    rows[:, at.ROW_SLIPPAGE] = np.minimum(slip.base_bps * _PER_BPS + slip.volatility_multiplier * moved, MOST_SLIPPAGE)
    rows.flags.writeable = False
    return rows


def _aligned(rows: int, columns: int) -> np.ndarray:
    """Return a float64 block whose first row begins a cache line."""
    spare = np.zeros(rows * columns + _LINE // 8)
    skip = (-spare.ctypes.data % _LINE) // 8
    return spare[skip : skip + rows * columns].reshape(rows, columns)


def funding_times(market: Market, every_hours: int) -> np.ndarray:
    """Return how often funding is paid between a row's opening and that of the row before; float64, shape (T,)."""
    place = np.asarray(market.timestamps, dtype=np.int64) // (every_hours * _HOUR_MS)
    times = np.diff(place, prepend=place[:1]).astype(np.float64)
    times[np.asarray(market.starts[:-1])] = 0.0
    return times


def session_bits(market: Market, session: SessionParams) -> np.ndarray:
    """Return the bits of each row: whether its open fills orders, and whether its close leaves nothing held; uint8, shape (T,)."""
    times = np.asarray(market.timestamps, dtype=np.int64)
    bits = np.full(len(times), at.OPEN_FOR_ORDERS, dtype=np.uint8)
    if not session.matters:
        return bits
    after = times + market.timeframe.milliseconds
    if session.windows:
        masks = [[WINDOWS[name].mask(moments) for name in session.windows] for moments in (times, after)]
        inside, stays = (np.logical_or.reduce(parts) for parts in masks)
        bits[~inside] = 0
        if "session_end" in session.flat:
            bits[inside & ~stays] |= at.FLAT_AT_CLOSE
    if "weekend" in session.flat:
        # Not merely shut now and at the same hour tomorrow, as an exchange is at every close of its day.
        bits[~calendar(session.calendar).open_mask(after, _DAY)] |= at.FLAT_AT_CLOSE
    return bits


def _checked_prices(market: Market, *, volumes: bool) -> np.ndarray:
    """Return the price block as a plain read-only array, refusing prices that cannot be, and volumes where they are read."""
    prices = np.ascontiguousarray(market.prices, dtype=np.float64).view(np.ndarray)
    money = prices[:, : CLOSE + 1]
    impossible = ~((money > 0.0) & (money < np.inf))
    if impossible.any():
        row = int(np.flatnonzero(impossible)[0]) // money.shape[1]
        raise DataError(f"row {row} of the market has prices {money[row].tolist()}; allowed: positive, finite numbers")
    upside_down = prices[:, HIGH] < prices[:, LOW]
    if upside_down.any():
        row = int(np.argmax(upside_down))
        raise DataError(
            f"row {row} of the market has high {prices[row, HIGH]} below low {prices[row, LOW]}; "
            "allowed: a high that is not below it"
        )
    bad = ~(prices[:, VOLUME] >= 0.0) & volumes
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"row {row} of the market has volume {prices[row, VOLUME]}; allowed: at least 0, as participation is a share of it"
        )
    prices = prices.view()
    prices.flags.writeable = False
    return prices
