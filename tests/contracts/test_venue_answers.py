"""What is read off any venue's answer: its time, the wait it asks for, and bars."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.bars import timestamps_ms
from seawall.core.errors import TransientError
from seawall.market.sources.answers import VenueClock, bars_of, retry_after

DATE = "Wed, 31 Jan 2024 13:00:00 GMT"
DATE_MS = 1_706_706_000_000
NAMES = {"t": "timestamp", "o": "open", "c": "close"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Wed, 31 Jan 2024 13:00:09 GMT", "Date": DATE}, 9.0),
        ({"Retry-After": "Wed, 31 Jan 2024 12:59:00 GMT", "Date": DATE}, 0.0),
        ({"X-RateLimit-Reset": str(DATE_MS // 1_000 + 30), "Date": DATE}, 30.0),
        ({"Retry-After": "5", "X-RateLimit-Reset": str(DATE_MS // 1_000 + 30), "Date": DATE}, 5.0),
        ({}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e300"}, None),
    ],
)
def test_the_wait_a_venue_asks_for(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_venue_s_clock_runs_on_from_its_latest_answer_whatever_this_machine_s_says():
    ticks = iter([100.0, 102.5, 200.0, 201.0])
    clock = VenueClock(lambda: next(ticks))
    assert clock.now_ms() is None
    clock.note({})
    assert clock.now_ms() is None
    clock.note({"Date": DATE})
    assert clock.now_ms() == DATE_MS + 2_500
    clock.note({"Date": "Wed, 31 Jan 2024 12:00:00 GMT"})
    assert clock.now_ms() == DATE_MS - 3_600_000 + 1_000


@pytest.mark.parametrize("time", [DATE_MS, "2024-01-31T13:00:00Z", "2024-01-31T13:00:00.000000001Z", "2024-01-31T08:00:00-05:00"])
def test_a_row_becomes_a_bar_and_what_is_not_named_is_dropped(time):
    bars = bars_of("venue", [{"t": time, "o": 1, "c": "2.5", "vw": 9.0}], NAMES)
    assert list(bars.columns) == ["timestamp", "open", "close"]
    assert str(bars["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert timestamps_ms(bars).tolist() == [DATE_MS]
    assert bars[["open", "close"]].to_numpy().tolist() == [[1.0, 2.5]]


def test_no_rows_make_an_empty_bar_frame():
    bars = bars_of("venue", [], NAMES)
    assert (len(bars), bars["open"].dtype, str(bars["timestamp"].dtype)) == (0, np.float64, "datetime64[ms, UTC]")


@pytest.mark.parametrize(
    "row",
    [
        {"t": DATE_MS, "o": 1.0},
        {"t": DATE_MS, "o": 1.0, "c": None},
        {"t": DATE_MS, "o": 1.0, "c": float("nan")},
        {"t": DATE_MS, "o": "much", "c": 1.0},
        {"t": DATE_MS, "o": {}, "c": 1.0},
        {"t": None, "o": 1.0, "c": 1.0},
        {"t": "yesterday", "o": 1.0, "c": 1.0},
        {"t": 2**70, "o": 1.0, "c": 1.0},
        {"t": 1.5, "o": 1.0, "c": 1.0},
        {"t": True, "o": 1.0, "c": 1.0},
        [DATE_MS, 1.0, 1.0],
        "bar",
        None,
    ],
)
def test_a_row_that_is_no_bar_is_asked_for_again(row):
    with pytest.raises(TransientError, match="venue sent a page of bars") as caught:
        bars_of("venue", [{"t": DATE_MS, "o": 1.0, "c": 1.0}, row], NAMES)
    assert caught.value.kind == "malformed"
