"""Joins see a bar once it has closed, and never before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.joins import join_known, known_times, newest_known
from seawall.market.resample import resample

QUARTER, HOUR = Timeframe.parse("15m"), Timeframe.parse("1h")


@pytest.fixture
def quarters(make_bars):
    """Nine and three quarter hours of quarter-hour bars with closes 100, 101, …"""
    return make_bars(rows=39, step_ms=QUARTER.milliseconds)


def test_the_newest_value_known_at_a_moment_is_found():
    known = np.array([10, 20, 20, 40])
    assert newest_known(np.array([9, 10, 19, 20, 39, 40, 99]), known).tolist() == [-1, 0, 0, 2, 2, 3, 3]
    assert newest_known(np.array([50]), np.array([], dtype=np.int64)).tolist() == [-1]


def test_values_out_of_the_order_in_which_they_became_known_are_refused():
    with pytest.raises(DataError, match=r"value 2 became known before value 1 \(1 of 4 steps"):
        newest_known(np.array([5]), np.array([1, 3, 2, 4]))


def test_a_bar_is_known_when_it_has_closed(quarters):
    opens = quarters["timestamp"].astype("int64").to_numpy()
    assert known_times(quarters, QUARTER)[0] == opens[0] + 900_000


def test_an_hour_is_seen_by_the_quarter_that_closes_with_it_and_no_earlier(quarters):
    hours, _ = resample(quarters, QUARTER, HOUR)
    joined = join_known(quarters, QUARTER, hours, HOUR, ["close", "volume"])
    assert list(joined.columns) == ["1h_close", "1h_volume"]
    # The hour from 00:00 closes at 103 with the quarter from 00:45, which is row 3.
    assert joined["1h_close"].isna().tolist() == [True] * 3 + [False] * 36
    assert joined["1h_close"].iloc[3:].tolist() == [103.0 + 4.0 * ((row - 3) // 4) for row in range(3, 39)]
    assert joined["1h_volume"].iloc[3] == 10.0 + 11.0 + 12.0 + 13.0


def test_a_gap_in_the_longer_bars_leaves_the_last_known_value(quarters):
    hours, _ = resample(quarters, QUARTER, HOUR)
    joined = join_known(quarters, QUARTER, hours.drop(index=[1, 2]).reset_index(drop=True), HOUR, ["close"])
    assert joined["1h_close"].iloc[3:20].tolist() == [103.0] * 12 + [115.0] * 4 + [119.0]


def test_equal_lengths_join_to_the_bar_itself(quarters):
    joined = join_known(quarters, QUARTER, quarters, QUARTER)
    assert list(joined.columns) == ["15m_open", "15m_high", "15m_low", "15m_close", "15m_volume"]
    assert (joined["15m_close"] == quarters["close"]).all()


def test_shorter_bars_and_absent_columns_are_refused(quarters):
    hours, _ = resample(quarters, QUARTER, HOUR)
    with pytest.raises(ConfigError, match="bars of 15m are joined to bars of 1h"):
        join_known(hours, HOUR, quarters, QUARTER)
    with pytest.raises(ConfigError, match="1h have no column vwap; allowed: timestamp, open"):
        join_known(quarters, QUARTER, hours, HOUR, ["vwap"])


@settings(max_examples=150, deadline=None)
@given(
    slots=st.lists(st.booleans(), min_size=30, max_size=120).map(np.flatnonzero).filter(lambda slots: len(slots) > 20),
    cut=st.integers(8, 60),
)
def test_a_future_cut_off_changes_nothing_that_was_known(slots, cut):
    start = 1_704_067_200_000
    times = pd.DatetimeIndex((start + slots * QUARTER.milliseconds).astype("datetime64[ms]"), tz="UTC")
    base = pd.DataFrame({"timestamp": times, **{name: 1.0 + slots for name in ("open", "high", "low", "close", "volume")}})
    everything = join_known(base, QUARTER, resample(base, QUARTER, HOUR)[0], HOUR) if _makes_an_hour(base) else None
    past = base.head(cut)
    if everything is None or not _makes_an_hour(past):
        return
    known = join_known(past, QUARTER, resample(past, QUARTER, HOUR)[0], HOUR)
    pd.testing.assert_frame_equal(known, everything.head(cut), check_exact=True)


def _makes_an_hour(bars):
    try:
        resample(bars, QUARTER, HOUR)
    except DataError:
        return False
    return True
