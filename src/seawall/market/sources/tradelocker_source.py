"""Bars of a TradeLocker broker. They are made of quotes of one side, and their volume is what the broker reports."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from seawall.core.credentials import required
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.market.sources.answers import bars_of
from seawall.market.sources.protocol import BarSource
from seawall.market.sources.tradelocker_client import KEYS, Instrument, TradeLockerClient

RESOLUTIONS = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "4h": "4H", "1d": "1D", "1w": "1W"}
_COLUMNS = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_DAY_MS = 86_400_000
# Until the server has told its own limit.
_FEWEST_BARS = 1_000


def open_tradelocker(environment: Mapping[str, str], timeout_seconds: float = 30.0) -> BarSource:
    """Return a broker's bars; it logs in at the first question.

    Args:
        environment: Holds the keys of `tradelocker_client.KEYS` and the settings that `TradeLockerClient` names.
        timeout_seconds: How long one request may take.

    Raises:
        ImportError: httpx is not installed.
        ConfigError: A key is missing, or a setting is wrong.
    """
    keys = required(environment, KEYS)
    if keys is None:
        raise ConfigError(f"tradelocker gives bars only to its users; set {', '.join(KEYS)} in the environment or in .env")
    return _TradeLockerBars(TradeLockerClient(environment, keys, timeout_seconds))


class _TradeLockerBars:
    name = "tradelocker"
    # The client waits by itself.
    pause_seconds = 0.0
    local_days = True

    def __init__(self, client: TradeLockerClient) -> None:
        self._client = client
        self._instruments: dict[str, Instrument] = {}
        self.page_bars = _FEWEST_BARS

    def provenance(self, symbol: str) -> dict[str, Any]:
        """Which server answered, and of which price the bars are."""
        return {
            "source": self.name,
            "server": self._client.where,
            "bar_side": self._instrument(symbol).bar_side or "not told",
            "volume": "as the broker reports it; no exchange's traded volume",
        }

    def stored_symbol(self, symbol: str, timeframe: Timeframe) -> str:
        """Return the instrument's own name, without a slash."""
        instrument = self._instrument(symbol)
        _resolution(instrument, timeframe)
        return instrument.name.replace("/", "")

    def now_ms(self) -> int | None:
        """Return the time of the server's latest answer, moved on; it logs in where there was none yet."""
        self._known_instruments()
        return self._client.clock.now_ms()

    def page(self, symbol: str, timeframe: Timeframe, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Ask for the bars of a span, as far as the server's limit of one request reaches."""
        instrument = self._instrument(symbol)
        end_ms = min(stop_ms, start_ms + self.page_bars * timeframe.milliseconds)
        rows = self._client.history(instrument, _resolution(instrument, timeframe), start_ms, end_ms - 1)
        return bars_of(self.name, rows, _COLUMNS)

    def _known_instruments(self) -> dict[str, Instrument]:
        if not self._instruments:
            self.page_bars = self._client.history_limits().bars
            # One name may stand for several instruments; the smallest number is taken each time.
            ordered = sorted(self._client.instruments(), key=lambda instrument: -instrument.id)
            self._instruments = {_folded(instrument.name): instrument for instrument in ordered}
        return self._instruments

    def _instrument(self, symbol: str) -> Instrument:
        known = self._known_instruments()
        found = known.get(_folded(symbol))
        if found is None:
            near = difflib.get_close_matches(_folded(symbol), known, n=3, cutoff=0.5)
            names = ", ".join(known[name].name for name in near)
            hint = f"near it: {names}" if near else f"allowed: one of the account's {len(known)} instruments"
            raise ConfigError(f"tradelocker has no instrument {symbol!r}; {hint}")
        return found


def _folded(name: str) -> str:
    return name.strip().replace("/", "").upper()


def _resolution(instrument: Instrument, timeframe: Timeframe) -> str:
    short = timeframe.milliseconds < _DAY_MS
    if timeframe.label not in RESOLUTIONS:
        raise ConfigError(f"tradelocker has no bars of {timeframe.label}; allowed: {', '.join(RESOLUTIONS)}")
    if not (instrument.intraday if short else instrument.daily):
        allowed = [label for label in RESOLUTIONS if (Timeframe.parse(label).milliseconds >= _DAY_MS) == short]
        raise ConfigError(f"tradelocker has no bars of {timeframe.label} of {instrument.name}; allowed: {', '.join(allowed)}")
    return RESOLUTIONS[timeframe.label]
