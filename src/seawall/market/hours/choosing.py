"""Which calendar a series has, told by its name where nobody says it.

============================================  =====================================================================
name                                          calendar
============================================  =====================================================================
a market of ``markets.yaml``, or its alias    that market's; none where it says that gaps are expected and not when
a pair in a coin as USDT; of a coin exchange  24/7
two currencies, as EURUSD                     fx
gold, silver, platinum, palladium in another  metals
anything else                                 none: what nobody knows is not guessed
============================================  =====================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.hours.calendars import Calendar, calendar
from seawall.market.hours.specs import ALWAYS_OPEN, MarketSpec, load_markets, market_spec

_COINS = ("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI", "BTC", "ETH")
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


def chosen_calendar(symbol: str, source: str, timeframe: Timeframe, extra: Path | None = None) -> ChosenCalendar:
    """Tell the calendar of a series by its name, as in the module's table.

    Args:
        symbol: As in XAUUSD, BTC/USDT or BTCUSDT_202407.
        source: Where its bars come from, as in binance.
        timeframe: Length of a bar. Of a market that closes, bars of a day or longer are not judged: brokers give the hours before
            midnight to this day or to the next.
        extra: The user's own file of markets.

    Raises:
        ConfigError: The user's file is refused.
    """
    found = _by_name(symbol, source, extra)
    held = found.calendar
    if held is not None and held.name != ALWAYS_OPEN and timeframe.seconds >= _DAY_SECONDS:
        return ChosenCalendar(None, f"{found.reason} closes at times, and bars of {timeframe.label} hold whole sessions")
    return found


def _by_name(symbol: str, source: str, extra: Path | None) -> ChosenCalendar:
    load_markets(extra)
    names = [symbol, *(re.sub(tail, "", symbol) for tail in _TAILS)]
    for name in dict.fromkeys(names):
        spec = _known(name, extra)
        if spec is not None:
            if spec.closes and spec.calendar == ALWAYS_OPEN:
                return ChosenCalendar(None, f"the market {spec.symbol} expects gaps and names no calendar")
            return ChosenCalendar(spec.hours, f"the market {spec.symbol}")
    return _by_letters(symbol, re.sub(r"[^A-Z0-9]", "", re.sub("|".join(_TAILS), "", symbol).upper()), source)


def _by_letters(symbol: str, plain: str, source: str) -> ChosenCalendar:
    name, reason = "", ""
    base, quote = plain[:3], plain[3:]
    coin = next((coin for coin in _COINS if plain.endswith(coin) and plain != coin), None)
    if base in _METALS and quote in _CURRENCIES:
        name, reason = "metals", f"the metal {base}"
    elif base in _CURRENCIES and quote in _CURRENCIES:
        name, reason = "fx", f"the currencies {base} and {quote}"
    elif coin is not None:
        name, reason = ALWAYS_OPEN, f"a pair in {coin}"
    elif source.lower() in _COIN_VENUES:
        name, reason = ALWAYS_OPEN, f"the exchange {source}"
    return ChosenCalendar(calendar(name), reason) if name else ChosenCalendar(None, f"no market {symbol} is known")


def _known(name: str, extra: Path | None) -> MarketSpec | None:
    try:
        return market_spec(name, extra)
    except ConfigError:
        # The file itself was read before: only the name is unknown.
        return None
