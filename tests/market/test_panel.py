"""Panels: two symbols by hand, the published panels of real data, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.panel import Panel, align

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ohlcv"
HOUR = Timeframe.parse("1h")
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC


def hourly(slots, base=100.0, **extra):
    slots = np.asarray(slots)
    close = base + slots
    prices = {"open": close - 1, "high": close + 1, "low": close - 2, "close": close, "volume": 10.0 + slots}
    return pd.DataFrame({"timestamp": from_milliseconds(START + slots * HOUR.milliseconds), **prices, **extra})


def hours_of(panel):
    return ((panel.timestamps - START) // HOUR.milliseconds).tolist()


@pytest.fixture
def two():
    """A lacks hour 4, B hours 2 and 3; both lack hour 6."""
    extra = {"trades": 5.0, "trends": 50.0}
    return {"A": hourly([0, 1, 2, 3, 5, 7], **extra), "B": hourly([1, 4, 5, 7, 8], base=900.0, **extra, quote_volume=1.0)}


def test_an_intersection_holds_the_times_that_all_have(two):
    panel = align(two, HOUR, "intersection")
    assert hours_of(panel) == [1, 5, 7]
    assert panel.prices[:, :, 3].tolist() == [[101.0, 105.0, 107.0], [901.0, 905.0, 907.0]]
    assert not panel.stale.any()
    assert panel.facts["series"] == {
        "A": {"rows": 6, "dropped": 3, "filled": 0},
        "B": {"rows": 5, "dropped": 2, "filled": 0},
    }
    assert (panel.facts["rule"], panel.facts["rows"], panel.facts["missing"]) == ("intersection", 3, 4)


def test_a_missing_bar_is_filled_flat_at_the_last_close_and_marked(two):
    panel = align(two, HOUR, "forward_fill")
    # From B's first bar to A's last; no symbol has a bar in hour 6.
    assert hours_of(panel) == [1, 2, 3, 4, 5, 7]
    assert panel.stale.tolist() == [[False, False, False, True, False, False], [False, True, True, False, False, False]]
    assert panel.prices[0, 3].tolist() == [103.0, 103.0, 103.0, 103.0, 0.0]
    assert panel.prices[1, 1].tolist() == panel.prices[1, 2].tolist() == [901.0, 901.0, 901.0, 901.0, 0.0]
    assert panel.prices[0, 4].tolist() == [104.0, 106.0, 103.0, 105.0, 15.0]
    assert panel.facts["series"] == {
        "A": {"rows": 6, "dropped": 1, "filled": 1},
        "B": {"rows": 5, "dropped": 1, "filled": 2},
    }
    assert (panel.facts["first"], panel.facts["last"]) == ("2024-01-01T01:00:00Z", "2024-01-01T07:00:00Z")


def test_optional_columns_that_all_have_are_kept_and_empty_in_a_stale_bar(two):
    panel = align(two, HOUR, "forward_fill")
    assert list(panel.optional) == ["trades", "trends"]
    assert panel.optional["trades"].tolist() == [[5.0, 5.0, 5.0, 0.0, 5.0, 5.0], [5.0, 0.0, 0.0, 5.0, 5.0, 5.0]]
    assert (panel.optional["trends"] == 50.0).all()


@pytest.mark.parametrize("rule", ["intersection", "forward_fill"])
def test_a_panel_survives_its_long_frame_and_a_file(two, rule, tmp_path):
    panel = align(two, HOUR, rule)
    frame = panel.to_frame()
    assert list(frame.columns) == ["timestamp", "symbol", "open", "high", "low", "close", "volume", "trades", "trends", "stale"]
    assert len(frame) == 2 * len(panel)
    frame.to_parquet(tmp_path / "panel.parquet", index=False)
    again = Panel.from_frame(pd.read_parquet(tmp_path / "panel.parquet"), HOUR, panel.facts)
    assert again.content_hash() == panel.content_hash()
    assert (again.symbols, again.facts) == (("A", "B"), panel.facts)
    again.prices[0, 0, 0] += 1e-9
    assert again.content_hash() != panel.content_hash()


def test_one_symbol_of_a_panel_is_a_bar_frame(two):
    bars = align(two, HOUR, "intersection").bars("B")
    pd.testing.assert_frame_equal(
        bars.drop(columns=["stale"]), two["B"].iloc[[0, 2, 3]].drop(columns="quote_volume").reset_index(drop=True)
    )


@pytest.mark.parametrize(
    ("series", "said"),
    [
        (
            {"A": hourly(range(5)), "B": hourly(range(5, 9))},
            "B starts at 2024-01-01T05:00:00Z, after A ends at 2024-01-01T04:00:00Z",
        ),
        ({"A": hourly([0, 2, 3, 5]), "B": hourly([1, 4])}, "bars of B are at least 3h apart, not 1h"),
        ({"A": hourly([0, 1, 6, 9]), "B": hourly([2, 3, 4])}, "no bar is common to all of A, B"),
        ({"A": hourly(range(5)), "B": hourly([0, 1, 1, 2])}, "B row 2 at 2024-01-01T01:00:00Z does not come after row 1"),
        ({"A": hourly(range(5)), "B": hourly(range(0, 20, 4))}, "bars of B are at least 4h apart, not 1h: resample the others"),
        ({"A": hourly([])}, "A of the panel has no bars"),
    ],
)
def test_series_that_make_no_panel_are_refused(series, said):
    with pytest.raises(DataError, match=said):
        align(series, HOUR, "intersection")


def test_shorter_bars_a_wrong_rule_and_no_symbols_are_refused():
    with pytest.raises(DataError, match="A row 1 at 2024-01-01T01:00:00Z is off the grid of 4h"):
        align({"A": hourly(range(5))}, Timeframe.parse("4h"), "intersection")
    with pytest.raises(ConfigError, match="panel rule 'union' is unknown; allowed: intersection, forward_fill"):
        align({"A": hourly(range(5))}, HOUR, "union")
    with pytest.raises(ConfigError, match="no symbols"):
        align({}, HOUR, "intersection")
    with pytest.raises(ConfigError, match="no symbol 'C'; allowed: A"):
        align({"A": hourly(range(5))}, HOUR, "intersection").bars("C")


def test_a_damaged_long_frame_is_refused(two):
    frame = align(two, HOUR, "intersection").to_frame()
    with pytest.raises(DataError, match="no column stale"):
        Panel.from_frame(frame.drop(columns="stale"), HOUR)
    with pytest.raises(DataError, match="B has 2 bars at other times than the 3 of A"):
        Panel.from_frame(frame.drop(index=4), HOUR)


CRYPTO = "BTC ETH SOL ADA AVAX BCH DOGE DOT LINK LTC NEAR TRX XLM XRP"
QUARTERS = "BTC ETH SOL ARB ATOM AVAX DOGE INJ LINK LTC NEAR OP XRP"
PUBLISHED = [
    ("1h", CRYPTO, "2020-10-14T05:00:00Z", "2025-06-30T23:00:00Z", 41_279, 20),
    ("15m", QUARTERS, "2023-04-01T00:00:00Z", "2024-09-06T04:30:00Z", 50_323, 0),
    ("15m", f"{QUARTERS} ADA DOT", "2023-04-01T00:00:00Z", "2024-04-09T23:30:00Z", 35_999, 0),
    ("5m", "BTC ETH SOL ADA BCH BNB DOGE INJ LTC OP SUI XRP ZEC", "2024-12-31T00:00:00Z", "2025-06-30T23:55:00Z", 52_416, 0),
]


@pytest.mark.parametrize(("timeframe", "symbols", "first", "last", "rows", "missing"), PUBLISHED)
def test_the_published_panels_have_their_rows(timeframe, symbols, first, last, rows, missing):
    paths = {symbol: DATA / f"binance_{symbol}USDT_{timeframe}.parquet" for symbol in symbols.split()}
    if not all(path.is_file() for path in paths.values()):
        pytest.skip(f"no market data at {DATA}")
    series = {symbol: pd.read_parquet(path) for symbol, path in paths.items()}
    panel = align(series, Timeframe.parse(timeframe), "intersection")
    assert (len(panel), panel.facts["missing"]) == (rows, missing)
    assert (panel.facts["first"], panel.facts["last"]) == (first, last)
    # These markets share every hole, so nothing is left to fill.
    filled = align(series, Timeframe.parse(timeframe), "forward_fill")
    assert filled.content_hash() == panel.content_hash()


subsets = st.lists(st.booleans(), min_size=24, max_size=24).map(np.flatnonzero)


@settings(max_examples=100, deadline=None)
@given(a=subsets, b=subsets, cut=st.integers(12, 22))
def test_bars_to_come_change_no_filled_bar(a, b, cut):
    # Both start together, so that the panel's first bar does not depend on the cut; both have the bar at the cut.
    ends = [0, 1, 2, cut]
    whole = {"A": hourly(np.union1d(a, ends)), "B": hourly(np.union1d(b, ends), base=900.0)}
    past = {
        name: bars[bars["timestamp"] <= from_milliseconds(np.array([START + cut * HOUR.milliseconds]))[0]]
        for name, bars in whole.items()
    }
    later, known = align(whole, HOUR, "forward_fill"), align(past, HOUR, "forward_fill")
    assert known.timestamps.tolist() == later.timestamps[: len(known)].tolist()
    np.testing.assert_array_equal(known.prices, later.prices[:, : len(known)])
    np.testing.assert_array_equal(known.stale, later.stale[:, : len(known)])
