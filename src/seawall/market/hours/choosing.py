"""Which calendar a series has, told by its name where nobody says it.

============================================  =====================================================================
name                                          calendar
============================================  =====================================================================
a market of ``markets.yaml``, or its alias    that market's; none where it says that gaps are expected and not when
of an exchange of coins, or a pair in USDT    24/7
two currencies, as EURUSD                     fx
gold, silver, platinum, palladium in another  metals
anything else                                 none: what nobody knows is not guessed
============================================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from seawall.core.timeframe import Timeframe
from seawall.market.hours.calendars import Calendar, calendar
from seawall.market.hours.specs import ALWAYS_OPEN, MarketSpec, find_market

# Short names of coins end other words too, as ETH does TEETH.
_COIN = re.compile(r"(?<=[A-Z0-9/_-])(USDT|USDC|BUSD|FDUSD|TUSD|(?<=[/_-])(?:BTC|ETH|DAI))$")
_COIN_VENUES = {
    "binance", "binanceus", "bitfinex", "bitget", "bitmex", "bitstamp", "bybit", "coinbase", "deribit", "gate", "gateio", "gemini",
    "huobi", "hyperliquid", "kraken", "krakenfutures", "kucoin", "mexc", "okx", "poloniex", "upbit",
}  # fmt: skip
_CURRENCIES = set(
    "AUD CAD CHF CNH CZK DKK EUR GBP HKD HUF ILS JPY MXN NOK NZD PLN SEK SGD THB TRY USD ZAR".split()  # noqa: SIM905
)
_METALS = {"XAU", "XAG", "XPT", "XPD"}
# Parts kept apart, as BTCUSDT_202407, and what brokers hang on, as US30.cash or XAUUSD.m.
_TAILS = (r"_\d+$", r"\.[A-Za-z]+$")
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class ChosenCalendar:
    """The calendar of a series, or why there is none.

    Attributes:
        calendar: When the market is open, or None.
        reason: What it was told by, or why there is none, in words.
    """

    calendar: Calendar | None
    reason: str


def chosen_calendar(symbol: str, source: str, timeframe: Timeframe, markets: Mapping[str, MarketSpec]) -> ChosenCalendar:
    """Tell the calendar of a series by its name, as in the module's table.

    Args:
        symbol: As in XAUUSD, BTC/USDT or BTCUSDT_202407.
        source: Where its bars come from, as in binance.
        timeframe: Length of a bar. Of a market that closes, bars of a day or longer are not judged: brokers give the hours before
            midnight to this day or to the next.
        markets: As `load_markets` returns them.
    """
    found = _by_name(symbol, source, markets)
    held = found.calendar
    if held is not None and held.name != ALWAYS_OPEN and timeframe.seconds >= _DAY_SECONDS:
        return ChosenCalendar(None, f"{found.reason} closes at times, and bars of {timeframe.label} hold whole sessions")
    return found


def _by_name(symbol: str, source: str, markets: Mapping[str, MarketSpec]) -> ChosenCalendar:
    bare = re.sub("|".join(_TAILS), "", symbol)
    spec = find_market(symbol, markets) or find_market(bare, markets)
    if spec is None:
        return _by_letters(bare, source)
    if spec.closes and spec.calendar == ALWAYS_OPEN:
        return ChosenCalendar(None, f"the market {spec.symbol} expects gaps and names no calendar")
    return ChosenCalendar(spec.hours, f"the market {spec.symbol}")


def _by_letters(symbol: str, source: str) -> ChosenCalendar:
    name, reason = "", ""
    plain = re.sub(r"[^A-Z0-9]", "", symbol.upper())
    base, quote = plain[:3], plain[3:]
    coin = _COIN.search(symbol.upper())
    if source.lower() in _COIN_VENUES:
        name, reason = ALWAYS_OPEN, f"the exchange {source}"
    elif base in _METALS and quote in _CURRENCIES:
        name, reason = "metals", f"the metal {base}"
    elif base in _CURRENCIES and quote in _CURRENCIES:
        name, reason = "fx", f"the currencies {base} and {quote}"
    elif coin is not None:
        name, reason = ALWAYS_OPEN, f"a pair in {coin[1]}"
    return ChosenCalendar(calendar(name), reason) if name else ChosenCalendar(None, f"no market {symbol} is known")
