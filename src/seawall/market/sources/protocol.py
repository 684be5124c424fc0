"""What a venue must offer for its history to be fetched. The walk over it is in `seawall.market.fetching.fetch`."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd

from seawall.core.timeframe import Timeframe


class BarSource(Protocol):
    """Closed bars of one venue, a page at a time.

    A source knows one venue's words and nothing of paging, retries or storage. It asks once and raises
    `TransientError`, with the kind of failure and how long the venue wants to be left alone, where asking again may help.
    """

    @property
    def name(self) -> str:
        """First folder of the store, as in ``binance``."""
        ...

    @property
    def page_bars(self) -> int:
        """Most bars that one page holds."""
        ...

    @property
    def pause_seconds(self) -> float:
        """Least time between two requests, so that the venue's rate limit is kept; 0 where its client waits by itself."""
        ...

    @property
    def local_days(self) -> bool:
        """Whether bars of more than an hour may open by a local clock, and so an hour earlier or later in one half of the year."""
        ...

    def provenance(self, symbol: str) -> dict[str, Any]:
        """Return what the manifest tells of the venue and what `open_source` needs to reach it again; never a secret."""
        ...

    def stored_symbol(self, symbol: str, timeframe: Timeframe) -> str:
        """Return the name a symbol is stored by, as ``BTCUSDT`` for ``BTC/USDT``; this may ask the venue.

        Raises:
            ConfigError: The venue has no such symbol or no such bar length; the message names near ones.
            TransientError: The venue could not be asked.
        """
        ...

    def now_ms(self) -> int | None:
        """Return the venue's clock in milliseconds since 1970, or None where it has none to ask.

        Raises:
            TransientError: The venue could not be asked.
        """
        ...

    def page(self, symbol: str, timeframe: Timeframe, start_ms: int, stop_ms: int) -> pd.DataFrame:
        """Ask for the earliest bars that open in ``start_ms <= t < stop_ms``, at most `page_bars` of them.

        Returns:
            A bar frame as the venue gave it: rows may be out of order, repeated, absent, outside the range or still open;
            no row where the venue has none. Columns are timestamp, open, high, low, close, volume and those of
            `OPTIONAL_COLUMNS` that the venue has.

        Raises:
            ConfigError: The venue refuses the keys or the request for good.
            TransientError: Asking again may help.
        """
        ...
