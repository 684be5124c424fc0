"""When markets are open: hand-checked days, an exchange's own calendar, and laws that hold for every calendar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe, moment_ms
from seawall.market.checks.quality import check_bars
from seawall.market.files import read_bars
from seawall.market.hours.calendars import calendar, classify_gaps, gap_facts

HOUR = Timeframe.parse("1h")
NAMES = ("24/7", "fx", "metals", "us_indices", "cfd_indices", "XNYS", "XLON", "XTKS")
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "ohlcv"


def open_at(name: str, *moments: str) -> list[bool]:
    return calendar(name).is_open(np.array([moment_ms(moment) for moment in moments])).tolist()


@pytest.mark.parametrize(
    ("name", "moment", "is_open"),
    [
        # Winter: New York is UTC-5. The metals' week runs from Sunday 23:00 UTC to Friday 22:00, with a break from 22:00 to 23:00.
        ("metals", "2024-01-14T22:59:59", False),
        ("metals", "2024-01-14T23:00", True),
        ("metals", "2024-01-16T21:59:59", True),
        ("metals", "2024-01-16T22:00", False),
        ("metals", "2024-01-16T23:00", True),
        ("metals", "2024-01-19T21:59:59", True),
        ("metals", "2024-01-19T22:00", False),
        ("metals", "2024-01-20T12:00", False),
        # Summer: UTC-4, all an hour earlier. The clocks changed on Sunday, 10 March.
        ("metals", "2024-03-10T22:00", True),
        ("metals", "2024-03-10T21:59:59", False),
        ("metals", "2024-07-16T20:59:59", True),
        ("metals", "2024-07-16T21:00", False),
        ("metals", "2024-07-16T22:00", True),
        # Good Friday, Christmas, and the Sunday evening before New Year's Monday.
        ("metals", "2024-03-29T12:00", False),
        ("metals", "2023-12-25T12:00", False),
        ("metals", "2023-12-31T23:30", False),
        # Thanksgiving 2023: until 14:30 in New York; before 2022 until 13:00.
        ("metals", "2023-11-23T19:29:59", True),
        ("metals", "2023-11-23T19:30", False),
        ("metals", "2021-11-25T18:00", False),
        # The day after it until 13:45.
        ("metals", "2023-11-24T18:44:59", True),
        ("metals", "2023-11-24T18:45", False),
        ("fx", "2024-01-14T21:59:59", False),
        ("fx", "2024-01-14T22:00", True),
        ("fx", "2024-01-16T22:30", True),
        ("fx", "2024-01-19T22:00", False),
        ("fx", "2024-12-25T12:00", False),
        ("us_indices", "2024-01-19T21:30", True),
        ("cfd_indices", "2024-01-19T21:30", False),
        ("us_indices", "2024-07-03T17:14:59", True),
        ("us_indices", "2024-07-03T17:15", False),
        ("24/7", "2024-01-20T12:00", True),
        # An early close and a holiday of the exchange.
        ("XNYS", "2024-07-03T16:59:59", True),
        ("XNYS", "2024-07-03T17:00", False),
        ("XNYS", "2024-07-04T15:00", False),
        ("XNYS", "2024-01-16T14:30", True),
        ("XNYS", "2024-07-16T13:30", True),
        ("XNYS", "2024-07-16T13:29:59", False),
        # Tokyo pauses over noon: 11:30 to 12:30 local.
        ("XTKS", "2024-01-16T02:29:59", True),
        ("XTKS", "2024-01-16T02:30", False),
        ("XTKS", "2024-01-16T03:30", True),
    ],
)
def test_a_moment_that_was_looked_up_by_hand(name, moment, is_open):
    assert open_at(name, moment) == [is_open]


def test_a_bar_counts_as_open_where_any_part_of_it_is():
    metals = calendar("metals")
    times = np.array([moment_ms(f"2024-01-16T{hour}:00") for hour in (20, 21, 22, 23)])
    assert metals.open_mask(times, HOUR).tolist() == [True, True, False, True]
    # A bar of four hours holds the break and an hour on each side.
    assert metals.open_mask(times[:1], Timeframe.parse("4h")).tolist() == [True]


@given(
    name=st.sampled_from(NAMES),
    start=st.integers(moment_ms("2019-01-01") // 900_000, moment_ms("2025-06-01") // 900_000),
    bars=st.integers(1, 400),
    label=st.sampled_from(["15m", "1h", "4h", "1d"]),
)
@settings(max_examples=60, deadline=None)
def test_expected_bars_counted_bars_and_the_mask_agree(name, start, bars, label):
    market, length = calendar(name), Timeframe.parse(label)
    first = start * 900_000
    times = first + length.milliseconds * np.arange(bars)
    mask = market.open_mask(times, length)
    np.testing.assert_array_equal(market.expected(first, int(times[-1]), length), times[mask])
    assert market.count_open(np.array([first]), np.array([bars]), length).tolist() == [int(mask.sum())]
    starts, ends = market.spans(first, int(times[-1]))
    assert (starts < ends).all()
    assert (starts[1:] > ends[:-1]).all()


def test_the_missing_bars_of_a_gap_are_told_apart():
    # Friday 21:00 to Sunday 23:00 UTC: two of 49 missing bars would have been in the market's hours.
    places = pd.DataFrame(
        {"after": pd.to_datetime(["2024-01-19T19:00Z", "2024-01-17T12:00Z"]).astype("datetime64[ms, UTC]"), "missing": [51, 3]}
    )
    told = classify_gaps(places, HOUR, calendar("metals"))
    assert told[["missing", "expected", "unexpected"]].to_numpy().tolist() == [[51, 49, 2], [3, 0, 3]]


def test_an_unknown_calendar_is_refused_with_a_near_one():
    with pytest.raises(ConfigError, match=r"calendar 'metal' is unknown; did you mean metals\? allowed: 24/7, fx"):
        calendar("metal")


def test_a_calendar_that_does_not_reach_so_far_says_so():
    with pytest.raises(ConfigError, match=r"calendar 'XSHG' does not reach from 1850 to 1850.*1991.*; allowed: another"):
        open_at("XSHG", "1850-06-01")


def test_a_calendar_serves_the_last_year_that_it_knows():
    # 10:00 in Shanghai on a Wednesday; the calendar of that exchange is made year by year.
    assert open_at("XSHG", "2026-06-17T02:00", "2026-06-20T02:00") == [True, False]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real bars are not beside this checkout")
@pytest.mark.parametrize(
    ("file", "name", "least_share", "most_lost"),
    [
        ("mt5_XAUUSD_5m", "metals", 1.0, 0),
        ("mt5_XAUUSD_15m", "metals", 0.99, 11),
        ("mt5_XAGUSD_1h", "metals", 0.99, 9),
        ("dukascopy_EURUSD_1h", "fx", 1.0, 0),
        ("mt5_US500_15m", "us_indices", 0.98, 70),
    ],
)
def test_the_gaps_of_real_bars_are_explained(file, name, least_share, most_lost):
    bars = read_bars(REAL / f"{file}.parquet")
    report = check_bars(bars)
    facts = gap_facts(report.gap_places, timestamps_ms(bars), Timeframe.parse(report.timeframe), calendar(name))
    assert facts["explained_share"] >= least_share
    assert facts["missing_open"] <= most_lost
    assert facts["missing_open"] + facts["missing_closed"] == report.missing
    # Around the clock everything would be lost.
    assert (
        gap_facts(report.gap_places, timestamps_ms(bars), Timeframe.parse(report.timeframe), calendar("24/7"))["explained_gaps"]
        == 0
    )
