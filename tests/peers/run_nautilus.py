"""Run cases through NautilusTrader: ``python run_nautilus.py FOLDER``.

Its engine fills a market order at once at the price it knows, so an order sent at the close of a bar fills at that close. A
decision taken at a close is therefore sent when the next bar's open is known. Each bar reaches the engine as four bars of one
price: its open, its worse extreme, its better extreme and its close, worse and better by the side that is wanted. It has no
all-in orders that allow for fees: the strategy sizes them from the balance, and its instrument rounds them down to lots. Hours are
the strategy's too: it sends nothing outside of them, and closes at their end. Fills, stops, fees, profits and balances are the
engine's.
"""

from __future__ import annotations

import math
import sys
from decimal import Decimal

import numpy as np
from case_files import Answer, Case, Settings, answer_all, in_hours
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, CurrencyType, OmsType, OrderSide, OrderType, TimeInForce
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

DIGITS = 8
"""Decimals of prices, units and money. With 9, its balances of total, free and locked money stop adding up and it gives up."""
DUST = 1e-6
"""Units that rounding leaves of a position that should have none."""
VENUE = Venue("PEER")
ID = InstrumentId(Symbol("COIN/CASH"), VENUE)
BAR_TYPE = BarType.from_str(f"{ID}-1-MINUTE-LAST-EXTERNAL")
STEP_NS = 60_000_000_000
BASE = Currency("COIN", DIGITS, 0, "COIN", CurrencyType.CRYPTO)
QUOTE = Currency("CASH", DIGITS, 0, "CASH", CurrencyType.CRYPTO)


def size_digits(settings: Settings) -> int:
    """Return the decimals of units: its instruments round to decimals, whatever their increment is."""
    if settings.lot not in (0.0, 1.0):
        raise SystemExit(f"lots of {settings.lot} are no decimal of a unit here; allowed: whole units")
    return 0 if settings.lot else DIGITS


def instrument(settings: Settings) -> CurrencyPair:
    step, digits = Decimal(1).scaleb(-DIGITS), size_digits(settings)
    return CurrencyPair(
        instrument_id=ID,
        raw_symbol=Symbol("COIN/CASH"),
        base_currency=BASE,
        quote_currency=QUOTE,
        price_precision=DIGITS,
        size_precision=digits,
        price_increment=Price(step, DIGITS),
        size_increment=Quantity(Decimal(1).scaleb(-digits), digits),
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=Decimal(repr(settings.maker_commission)),
        taker_fee=Decimal(repr(settings.commission)),
        ts_event=0,
        ts_init=0,
    )


def path(case: Case) -> list[Bar]:
    """Open, worse extreme, better extreme and close of every bar, a minute apart."""
    wanted = np.concatenate([[0.0], case.targets[:-1]])
    opening, high, low, close = case.prices.T
    worse, better = np.where(wanted < 0.0, high, low), np.where(wanted < 0.0, low, high)
    moments = np.stack([opening, worse, better, close], axis=1).ravel()
    prices = [Price(price, DIGITS) for price in moments.tolist()]
    depth = Quantity(4e9, size_digits(case.settings))
    return [Bar(BAR_TYPE, p, p, p, p, depth, n * STEP_NS, n * STEP_NS) for n, p in enumerate(prices, start=1)]


class Follow(Strategy):
    """Trades where the target changes, and notes fills and equity."""

    def __init__(self, case: Case, traded: CurrencyPair) -> None:
        super().__init__()
        self.case, self.traded = case, traded
        self.moment, self.in_force = -1, 0.0
        self.fills: list[tuple[int, float, float]] = []
        self.equity = np.full(len(case.prices), np.nan)
        self.inside, self.ends = in_hours(case)

    def on_start(self) -> None:
        self.subscribe_bars(BAR_TYPE)

    def on_bar(self, bar: Bar) -> None:
        self.moment += 1
        row, part = divmod(self.moment, 4)
        if part == 0 and row > 0 and self.inside[row] and not self._goes_at_close(row - 1):
            self._decide(row, float(bar.close))
        if part == 3 and row + 1 < len(self.equity) and self._goes_at_close(row):
            self._decide(row + 1, float(bar.close))
        if part == 3 and self.case.settings.hours and self.ends[row]:
            self._market(-self._units())
        if part == 3:
            self.equity[row] = self._equity(float(bar.close))

    def _goes_at_close(self, row: int) -> bool:
        """Say whether a decision is sent at its close: one that rests below the market does not fill there."""
        settings = self.case.settings
        return settings.plain or (settings.limit > 0.0 and (settings.exits_rest or self.case.targets[row] != 0.0))

    def on_order_filled(self, event: OrderFilled) -> None:
        sign = 1.0 if event.order_side == OrderSide.BUY else -1.0
        # Orders that rest fill before the strategy is told of the price that filled them.
        resting = event.order_type != OrderType.MARKET
        if self.moment % 4 == 3 and not resting:
            # Filled at the close that was marked before it.
            self.equity[self.moment // 4] = self._equity(float(event.last_px))
        self.fills.append(((self.moment + resting) // 4, sign * float(event.last_qty), float(event.last_px)))

    def _equity(self, price: float) -> float:
        balance = float(self.portfolio.account(VENUE).balance_total(QUOTE))
        return balance + sum(float(p.unrealized_pnl(Price(price, DIGITS))) for p in self.cache.positions_open())

    def _units(self) -> float:
        return sum(position.signed_qty for position in self.cache.positions_open())

    def _decide(self, row: int, price: float) -> None:
        wanted, units = self.case.targets[row - 1], self._units()
        if units == 0.0 and not self.cache.orders_open():
            self.in_force = 0.0
        if wanted == self.in_force:
            return
        self.in_force = wanted
        self.cancel_all_orders(ID)
        if wanted == 0.0 and self.case.settings.exits_rest:
            self._limit(-units, price * (1.0 + math.copysign(self.case.settings.limit, units)))
        elif wanted == 0.0:
            self._market(-units)
        else:
            self._enter(wanted, units, price)

    def _enter(self, side: float, units: float, now: float) -> None:
        """Buy or sell so that the position after costs is worth what the account is worth after costs."""
        settings = self.case.settings
        way = math.copysign(1.0, side * self._equity(now) - units * now)
        price = now * (1.0 - way * settings.limit)
        rate = settings.maker_commission if settings.limit else settings.commission
        signed = (side * self._equity(price) - units * price) / (1.0 + side * way * rate) / price
        if settings.stop_loss or settings.take_profit:
            self._market(-units)
            self._bracket(side, signed + units, price)
        elif settings.limit:
            self._limit(signed, price)
        else:
            self._market(signed)

    def _limit(self, signed: float, price: float) -> None:
        if abs(signed) > DUST:
            order = self.order_factory.limit(ID, side_of(signed), self._quantity(signed), Price(price, DIGITS), post_only=False)
            self.submit_order(order)

    def _market(self, signed: float) -> None:
        if signed != 0.0:
            self.submit_order(self.order_factory.market(ID, side_of(signed), self._quantity(signed)))

    def _quantity(self, signed: float) -> Quantity:
        return self.traded.make_qty(abs(signed), round_down=self.case.settings.lot > 0.0)

    def _bracket(self, side: float, signed: float, price: float) -> None:
        settings = self.case.settings
        orders = self.order_factory.bracket(
            instrument_id=ID,
            order_side=side_of(signed),
            quantity=self._quantity(signed),
            time_in_force=TimeInForce.GTC,
            sl_trigger_price=Price(price * (1.0 - side * settings.stop_loss), DIGITS),
            tp_price=Price(price * (1.0 + side * settings.take_profit), DIGITS),
            tp_post_only=False,
        )
        self.submit_order_list(orders)


def side_of(signed: float) -> OrderSide:
    return OrderSide.BUY if signed > 0.0 else OrderSide.SELL


def run(case: Case) -> Answer:
    settings, traded = case.settings, instrument(case.settings)
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    money = [Money(settings.initial_equity, QUOTE)]
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.MARGIN, money, default_leverage=Decimal(1), support_contingent_orders=True)
    engine.add_instrument(traded)
    engine.add_data(path(case))
    strategy = Follow(case, traded)
    engine.add_strategy(strategy)
    engine.run()
    answer = Answer.of(strategy.fills, strategy.equity)
    engine.dispose()
    return answer


if __name__ == "__main__":
    answer_all(sys.argv[1], "nautilus", run)
