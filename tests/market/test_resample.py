"""Longer bars: numbers by hand, the exchange's own longer bars, and laws that hold with any gaps."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from seawall.core.bars import from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.resample import resample

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ohlcv"
FIVE, QUARTER, HOUR, DAY, WEEK = map(Timeframe.parse, ("5m", "15m", "1h", "1d", "1w"))
MIDNIGHT = 1_704_067_200_000  # 2024-01-01 00:00 UTC, a Monday
PRICES = ["open", "high", "low", "close"]


def five_minute_bars(slots, start_ms=MIDNIGHT):
    """Bars in some five-minute slots after a start; whole numbers, so that sums are exact in any order."""
    slots = np.asarray(slots)
    close = 1_000.0 + (slots * 7919) % 101
    values = {
        "open": close - 3,
        "high": close + slots % 5,
        "low": close - 3 - slots % 7,
        "close": close,
        "volume": 1.0 + slots % 13,
    }
    return pd.DataFrame({"timestamp": from_milliseconds(start_ms + slots * FIVE.milliseconds), **values, "trades": 2.0 + slots % 3})


def test_the_numbers_of_two_longer_bars_worked_by_hand():
    bars = pd.DataFrame(
        {
            "timestamp": from_milliseconds(MIDNIGHT + FIVE.milliseconds * np.arange(6)),
            "open": [10.0, 11.0, 12.0, 20.0, 19.0, 18.0],
            "high": [11.0, 15.0, 12.5, 20.0, 19.5, 18.5],
            "low": [9.0, 10.5, 11.5, 18.0, 17.0, 17.5],
            "close": [11.0, 12.0, 12.25, 19.0, 18.0, 18.25],
            "volume": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
            "quote_volume": [10.0, 20.0, 40.0, 1.0, 2.0, 4.0],
            "trades": [1.0, 1.0, 1.0, 5.0, 6.0, 7.0],
            "trends": [50.0, 51.0, 52.0, 40.0, 41.0, 42.0],
        }
    )
    longer, facts = resample(bars, FIVE, QUARTER)
    assert timestamps_ms(longer).tolist() == [MIDNIGHT, MIDNIGHT + QUARTER.milliseconds]
    assert longer.drop(columns="timestamp").to_numpy().tolist() == [
        [10.0, 15.0, 9.0, 12.25, 7.0, 70.0, 3.0, 52.0],
        [20.0, 20.0, 17.0, 18.25, 56.0, 7.0, 18.0, 42.0],
    ]
    assert (facts["rows_in"], facts["rows_out"]) == (6, 2)
    assert (facts["partial_bars"], facts["dropped_first"], facts["dropped_last"]) == (0, None, None)
    assert facts["known"] == "open + 15m"


def test_an_unfinished_bar_is_made_at_neither_end():
    longer, facts = resample(five_minute_bars(range(1, 11)), FIVE, QUARTER)
    assert timestamps_ms(longer).tolist() == [MIDNIGHT + 1 * QUARTER.milliseconds, MIDNIGHT + 2 * QUARTER.milliseconds]
    assert facts["dropped_first"] == "2024-01-01T00:00:00Z"
    assert facts["dropped_last"] == "2024-01-01T00:45:00Z"


def test_a_bar_with_others_missing_inside_is_kept_and_named_or_left_out():
    bars = five_minute_bars([0, 1, 2, 3, 5, 6, 7, 8])
    kept, facts = resample(bars, FIVE, QUARTER)
    assert len(kept) == 3
    assert facts["partial_bars"] == 1
    assert facts["partial_places"] == [{"open": "2024-01-01T00:15:00Z", "bars": 2, "of": 3}]
    assert kept["volume"].tolist() == [6.0, 10.0, 24.0]
    whole, facts = resample(bars, FIVE, QUARTER, partial="drop")
    assert whole["volume"].tolist() == [6.0, 24.0]
    assert (facts["partial_bars"], facts["rows_out"]) == (1, 2)


def test_no_more_than_a_hundred_places_are_named():
    _, facts = resample(five_minute_bars(np.delete(np.arange(750), np.arange(4, 745, 3))), FIVE, QUARTER)
    assert facts["partial_bars"] == 247
    assert len(facts["partial_places"]) == 100


def test_weeks_open_on_monday_and_days_at_midnight():
    hours = pd.date_range("2024-01-03 05:00", "2024-01-24 04:00", freq="h", tz="UTC").as_unit("ms")
    bars = pd.DataFrame({"timestamp": hours, **dict.fromkeys((*PRICES, "volume"), 1.0)})
    days, _ = resample(bars, HOUR, DAY)
    assert (days["timestamp"].iloc[0], days["timestamp"].iloc[-1]) == (
        pd.Timestamp("2024-01-04", tz="UTC"),
        pd.Timestamp("2024-01-23", tz="UTC"),
    )
    for longer, volume in ((resample(bars, HOUR, WEEK)[0], 168.0), (resample(days, DAY, WEEK)[0], 168.0)):
        assert longer["timestamp"].tolist() == [pd.Timestamp("2024-01-08", tz="UTC"), pd.Timestamp("2024-01-15", tz="UTC")]
        assert longer["volume"].tolist() == [volume, volume]
    fortnights, _ = resample(resample(bars, HOUR, WEEK)[0], WEEK, Timeframe.parse("2w"))
    assert len(fortnights) == 1


@pytest.mark.parametrize(
    ("timeframe", "to", "said"),
    [("15m", "5m", "15m cannot make bars of 5m"), ("15m", "15m", "allowed: a whole multiple of 15m above it"),
     ("5m", "12m", "5m cannot make bars of 12m"), ("7m", "1w", "do not meet the Monday")],
)  # fmt: skip
def test_a_length_that_is_no_multiple_is_refused(timeframe, to, said):
    with pytest.raises(ConfigError, match=said):
        resample(five_minute_bars(range(12)), Timeframe.parse(timeframe), Timeframe.parse(to))


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        (
            five_minute_bars([0, 1, 3, 2]),
            r"row 3 at 2024-01-01T00:10:00Z does not come after row 2 at 2024-01-01T00:15:00Z \(1 such",
        ),
        (five_minute_bars([0, 1, 1, 2]), "row 2 at 2024-01-01T00:05:00Z does not come after row 1"),
        (five_minute_bars(range(6), MIDNIGHT + 60_000), r"row 0 at 2024-01-01T00:01:00Z is off the grid of 5m \(6 of 6 rows\)"),
        (five_minute_bars([1, 2, 3, 4]), "4 bars of 5m hold no finished bar of 15m"),
        (five_minute_bars([]), "there are no bars of 5m"),
    ],
)
def test_bars_that_cannot_be_resampled_are_refused(bars, said):
    with pytest.raises(DataError, match=said):
        resample(bars, FIVE, QUARTER)


CROSS_CHECKS = [
    ("binance_BTCUSDT_5m", "binance_BTCUSDT_15m", 87_450), ("binance_BTCUSDT_15m", "binance_BTCUSDT_1h", 21_886),
    ("binance_BTCUSDT_5m", "binance_BTCUSDT_1h", 21_862),
    ("binance_ETHUSDT_5m", "binance_ETHUSDT_15m", 87_450), ("binance_ETHUSDT_15m", "binance_ETHUSDT_1h", 21_886),
    ("binance_SOLUSDT_5m", "binance_SOLUSDT_15m", 17_472), ("binance_SOLUSDT_5m_2024", "binance_SOLUSDT_15m", 32_160),
    ("binance_SOLUSDT_15m", "binance_SOLUSDT_1h", 19_728),
    ("binance_BTCUSDT_1m_202407", "binance_BTCUSDT_5m", 8_641), ("binance_BTCUSDT_1m_202506", "binance_BTCUSDT_1h", 702),
    ("binance_ETHUSDT_1m_202407", "binance_ETHUSDT_5m", 8_640), ("binance_ETHUSDT_1m_202506", "binance_ETHUSDT_15m", 2_810),
    ("mt5_XAUUSD_15m", "mt5_XAUUSD_1h", 10_526), ("mt5_US500_15m", "mt5_US500_1h", 11_782),
]  # fmt: skip


def _read(name):
    path = DATA / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"no market data at {DATA}")
    return pd.read_parquet(path), Timeframe.parse(name.split("_")[2])


@pytest.mark.parametrize(("shorter", "longer", "common"), CROSS_CHECKS)
def test_resampled_real_bars_equal_those_of_another_source(shorter, longer, common):
    bars, timeframe = _read(shorter)
    witness, to = _read(longer)
    made, _ = resample(bars, timeframe, to, partial="drop")
    both = made.merge(witness, on="timestamp", suffixes=("", "_witness"))
    # Every whole bar has its witness: none was made at a time at which the market had no bar.
    assert len(both) == len(made) == common
    for name in PRICES:
        assert (both[name] == both[f"{name}_witness"]).all()
    np.testing.assert_allclose(both["volume"], both["volume_witness"], rtol=1e-12, atol=0.0)


def test_real_bars_resampled_in_steps_equal_those_resampled_at_once():
    bars, timeframe = _read("binance_BTCUSDT_5m")
    quarters, _ = resample(bars, timeframe, QUARTER)
    steps, _ = resample(quarters, QUARTER, HOUR)
    once, facts = resample(bars, timeframe, HOUR)
    assert (len(once), facts["partial_bars"]) == (21_863, 1)
    pd.testing.assert_frame_equal(steps.drop(columns="volume"), once.drop(columns="volume"), check_exact=True)
    np.testing.assert_allclose(steps["volume"], once["volume"], rtol=1e-12, atol=0.0)


gappy = st.lists(st.booleans(), min_size=40, max_size=160).map(np.flatnonzero).filter(lambda slots: len(slots) > 20)


@settings(max_examples=150, deadline=None)
@given(slots=gappy, shift=st.integers(0, 40))
def test_resampling_in_steps_loses_at_most_one_bar_at_each_end(slots, shift):
    bars = five_minute_bars(slots, MIDNIGHT + shift * FIVE.milliseconds)
    try:
        steps, _ = resample(resample(bars, FIVE, QUARTER)[0], QUARTER, HOUR)
        once, _ = resample(bars, FIVE, HOUR)
    except DataError:
        reject()
    there = once["timestamp"].isin(steps["timestamp"]).to_numpy()
    assert there[1:-1].all()
    pd.testing.assert_frame_equal(steps, once[there].reset_index(drop=True), check_exact=True)


@settings(max_examples=100, deadline=None)
@given(slots=gappy)
def test_resampling_in_steps_equals_resampling_at_once_where_both_ends_are_there(slots):
    # The first bar of the first hour and the last three of the last.
    bars = five_minute_bars(np.union1d(slots, [0, 165, 166, 167]))
    steps, _ = resample(resample(bars, FIVE, QUARTER)[0], QUARTER, HOUR)
    once, _ = resample(bars, FIVE, HOUR)
    pd.testing.assert_frame_equal(steps, once, check_exact=True)


@settings(max_examples=150, deadline=None)
@given(slots=gappy, cut=st.integers(15, 100))
def test_bars_to_come_change_no_longer_bar_that_was_made(slots, cut):
    bars = five_minute_bars(slots)
    try:
        known, _ = resample(bars.head(cut), FIVE, QUARTER)
    except DataError:
        reject()
    later, _ = resample(bars, FIVE, QUARTER)
    pd.testing.assert_frame_equal(known, later.head(len(known)), check_exact=True)


@settings(max_examples=150, deadline=None)
@given(slots=gappy)
def test_what_was_traded_is_conserved_and_every_bar_is_sound(slots):
    bars = five_minute_bars(slots)
    try:
        longer, facts = resample(bars, FIVE, QUARTER)
    except DataError:
        reject()
    opens = timestamps_ms(longer)
    inside = np.isin(timestamps_ms(bars) // QUARTER.milliseconds, opens // QUARTER.milliseconds)
    for name in ("volume", "trades"):
        assert longer[name].sum() == math.fsum(bars[name][inside])
    assert (longer["high"].max(), longer["low"].min()) == (bars["high"][inside].max(), bars["low"][inside].min())
    assert (longer["low"] <= longer[["open", "close"]].min(axis=1)).all()
    assert (longer["high"] >= longer[["open", "close"]].max(axis=1)).all()
    assert facts["partial_bars"] == sum(place["bars"] < 3 for place in facts["partial_places"])
    assert (np.diff(opens) > 0).all()
    assert not (opens % QUARTER.milliseconds).any()
