"""Bars of any exchange that ccxt knows. Keys are not needed: bars are public."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, from_milliseconds
from seawall.core.errors import ConfigError, TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.sources.ccxt_exchange import SPOT_ONLY, LastReply, build_exchange, translated
from seawall.market.sources.deadline import limit_replies
from seawall.market.sources.protocol import BarSource

_Answer = TypeVar("_Answer")
_TIMEOUT_SECONDS = 10.0
_USUAL_PAGE = 500
_LARGEST_PAGE = 1000
# Binance's own rows: opening time, five of `BAR_COLUMNS`, closing time, then these.
_KLINE_COLUMNS = {7: "quote_volume", 8: "trades", 9: "taker_buy_base", 10: "taker_buy_quote"}
_KLINE_LENGTH = 11
_SPOT_KLINES = {"binance": "publicGetKlines", "binanceus": "publicGetKlines"}
_LINEAR_KLINES = {"binance": "fapiPublicGetKlines", "binanceusdm": "fapiPublicGetKlines"}


def exchanges() -> list[str]:
    """Return the names of the exchanges that ccxt knows.

    Raises:
        ImportError: ccxt is not installed.
    """
    import ccxt  # pyright: ignore[reportMissingTypeStubs]

    return [str(name) for name in ccxt.exchanges]


def open_ccxt(exchange: str, environment: Mapping[str, str]) -> BarSource:
    """Open an exchange for its bars. It is asked nothing yet, and no key is read.

    Bars are the real market's: the switch to a venue's test network, whose prices are made up, is not heeded.

    Args:
        exchange: In ccxt's spelling, as in ``binance`` or ``kraken``.
        environment: May hold ``SEAWALL_<EXCHANGE>_URL``, an address to ask instead.

    Raises:
        ImportError: ccxt is not installed.
        ConfigError: ccxt knows no such exchange, it offers no bars, or a setting is wrong.
    """
    return CcxtSource(exchange, environment)


class CcxtSource:
    """A `BarSource` of one exchange."""

    def __init__(self, exchange: str, environment: Mapping[str, str], timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        """Build the exchange; `open_ccxt` tells more."""
        settings = {"timeout": int(timeout_seconds * 1_000), "enableLastJsonResponse": True}
        self._exchange = build_exchange(exchange, environment, settings, sandbox=False)
        self._timeout = timeout_seconds
        self._name = exchange
        self._spot_alone = exchange in SPOT_ONLY
        if not self._exchange.has.get("fetchOHLCV"):
            raise ConfigError(f"exchange {exchange!r} offers no bars through ccxt; allowed: one that has fetchOHLCV, as binance")
        self._reply = LastReply()
        self._exchange.session.hooks["response"].append(self._reply)
        limit_replies(self._exchange.session, timeout_seconds)
        _keep_every_row(self._exchange)

    @property
    def name(self) -> str:
        """First folder of the store."""
        return self._name

    @property
    def page_bars(self) -> int:
        """Most bars that one page holds."""
        features: Any = self._exchange.features or {}
        spot: Any = features.get("spot") or {}
        bars: Any = spot.get("fetchOHLCV") or {}
        limit: Any = bars.get("limit")
        return min(int(limit or _USUAL_PAGE), _LARGEST_PAGE)

    @property
    def pause_seconds(self) -> float:
        """None: ccxt keeps each venue's rate limit by itself."""
        return 0.0

    @property
    def local_days(self) -> bool:
        """Never: exchanges of coins keep UTC."""
        return False

    def provenance(self, symbol: str) -> dict[str, Any]:  # noqa: ARG002 (the same for every symbol)
        """What the manifest tells of the exchange."""
        import ccxt  # pyright: ignore[reportMissingTypeStubs]

        return {"source": "ccxt", "exchange": self._name, "client": f"ccxt {ccxt.__version__}"}

    def stored_symbol(self, symbol: str, timeframe: Timeframe) -> str:
        """Return base and quote, and for a contract what it settles in: ``BTCUSDT``, ``BTCUSDT-USDT``.

        Raises:
            ConfigError: The exchange has no such symbol or bar length.
            TransientError: The exchange could not be asked.
        """
        self._label(timeframe)
        market = self._market(symbol)
        settle = f"-{market['settle']}" if market.get("contract") else ""
        expiry = f"-{market['id']}" if market.get("expiry") else ""
        return f"{market['base']}{market['quote']}{settle}{expiry}"

    def now_ms(self) -> int | None:
        """Return the exchange's clock, or None where it has none to ask.

        Raises:
            TransientError: The exchange could not be asked.
        """
        if self._exchange.has.get("fetchTime") is not True:
            return None
        now = self._asked(self._exchange.fetch_time)
        if not isinstance(now, int) or now <= 0:
            raise TransientError(f"{self._name} answered {now!r} when asked for its time", kind="malformed")
        return now

    def page(self, symbol: str, timeframe: Timeframe, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Ask for the earliest bars of a range; see `BarSource.page`.

        Raises:
            ConfigError: The exchange refuses the request for good.
            TransientError: Asking again may help.
        """
        market = self._market(symbol)
        label = self._label(timeframe)
        family = _SPOT_KLINES if market.get("spot") else _LINEAR_KLINES if market.get("linear") else {}
        if self._name in family:
            query = {
                "symbol": market["id"],
                "interval": label,
                "startTime": start_ms,
                "endTime": stop_ms - 1,
                "limit": self.page_bars,
            }
            rows = self._asked(lambda: getattr(self._exchange, family[self._name])(query))
            return self._frame(rows, _KLINE_COLUMNS, _KLINE_LENGTH)
        # Many venues give the latest bars of a range that is longer than a page, so the range is cut to one.
        end = min(stop_ms, start_ms + self.page_bars * timeframe.milliseconds)
        limit = min(self.page_bars, -(-(end - start_ms) // timeframe.milliseconds))
        rows = self._asked(
            lambda: self._exchange.fetch_ohlcv(market["symbol"], label, since=start_ms, limit=limit, params={"until": end - 1})
        )
        return self._frame(rows, {}, 1 + len(BAR_COLUMNS))

    def _markets(self, symbol: str) -> dict[str, dict[str, Any]]:
        """Return the exchange's markets: those of contracts too, where one is asked for."""
        more = ":" in symbol and self._spot_alone
        if more:
            self._exchange.options["fetchMarkets"] = {"types": ["spot", "linear", "inverse"]}
        # An earlier symbol of the same call may have needed the spot markets alone.
        answer: Any = self._asked(lambda: self._exchange.load_markets(more))
        if not isinstance(answer, dict) or not answer:
            raise TransientError(f"{self._name} answered no list of markets", kind="malformed")
        self._spot_alone = self._spot_alone and not more
        return cast("dict[str, dict[str, Any]]", answer)

    def _market(self, symbol: str) -> dict[str, Any]:
        markets = self._markets(symbol)
        spelled = dict.fromkeys((symbol, symbol.strip().upper()))
        for name in spelled:
            if name in markets:
                return markets[name]
        named = [market for market in markets.values() if {market["id"], f"{market['base']}{market['quote']}"} & {*spelled}]
        # One id may name both a spot market and a contract; the spot market is meant.
        if named:
            return min(named, key=lambda market: not market.get("spot"))
        near = difflib.get_close_matches(symbol.upper(), list(markets), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ConfigError(
            f"{self._name} has no symbol {symbol!r}; allowed: {len(markets)} names such as {next(iter(markets))}{hint}"
        )

    def _label(self, timeframe: Timeframe) -> str:
        offered: dict[str, Any] = self._exchange.timeframes or {}
        for label in offered:
            try:
                if Timeframe.parse(label) == timeframe:
                    return label
            except ConfigError:
                # A month has no fixed length.
                continue
        raise ConfigError(f"{self._name} has no {timeframe.label} bars; allowed: {', '.join(offered)}")

    def _asked(self, question: Callable[[], _Answer]) -> _Answer:
        import ccxt  # pyright: ignore[reportMissingTypeStubs]

        self._reply.clear()
        self._exchange.last_json_response = None
        try:
            answer = question()
        except ccxt.BaseError as error:
            raise translated(self._name, error, (), self._timeout, self._reply) from None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise self._nonsense(type(error).__name__) from None
        # ccxt takes a reply that is no JSON for an empty one.
        if self._reply.status is not None and self._exchange.last_json_response is None:
            raise self._nonsense("no JSON")
        return answer

    def _nonsense(self, what: str) -> TransientError:
        return TransientError(f"{self._name} answered something that cannot be read ({what})", kind="malformed")

    def _frame(self, rows: Any, extra: Mapping[int, str], least: int) -> pd.DataFrame:
        if not isinstance(rows, list) or not all(_is_row(row, least) for row in cast("list[Any]", rows)):
            raise self._nonsense("no rows of bars")
        places = [*range(1, 1 + len(BAR_COLUMNS)), *extra]
        try:
            table = np.array([[row[place] for place in places] for row in cast("list[Any]", rows)], dtype=np.float64)
            times = np.array([int(row[0]) for row in cast("list[Any]", rows)], dtype=np.int64)
        except (TypeError, ValueError, OverflowError):
            raise self._nonsense("values that are no numbers") from None
        table = table.reshape(len(times), len(places))
        if not np.isfinite(table).all():
            raise self._nonsense("bars with empty values")
        columns = dict(zip((*BAR_COLUMNS, *extra.values()), table.T, strict=True))
        return pd.DataFrame({"timestamp": from_milliseconds(times), **columns})


def _is_row(row: Any, least: int) -> bool:
    return isinstance(row, Sequence) and len(cast("Sequence[Any]", row)) >= least


def _keep_every_row(exchange: Any) -> None:
    """Let ccxt hand over rows outside the range too: left out, a venue that repeats one page looks like one without bars."""
    parse = exchange.parse_ohlcvs

    def parse_all(ohlcvs: Any, market: Any = None, timeframe: str = "1m", *_: Any, **__: Any) -> Any:
        return parse(ohlcvs, market, timeframe)

    exchange.parse_ohlcvs = parse_all
