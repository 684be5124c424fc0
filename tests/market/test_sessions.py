"""Trading windows on local clocks, daylight saving included."""

from __future__ import annotations

import warnings

import numpy as np
import pydantic
import pytest

from seawall.core.errors import ConfigError
from seawall.core.timeframe import moment_ms
from seawall.market.hours.sessions import WINDOWS, TradingWindow, trading_window, window_masks


def hours_of(name: str, day: str) -> list[int]:
    """UTC hours of a day that lie in a shipped window."""
    times = moment_ms(day) + 3_600_000 * np.arange(24)
    return np.flatnonzero(trading_window(name).mask(times)).tolist()


@pytest.mark.parametrize(
    ("name", "winter", "summer", "between"),
    [
        ("asia", range(9), range(9), range(9)),
        ("london", range(8, 17), range(7, 16), range(8, 17)),
        # From 10 to 31 March 2024 New York had summer time and London had not.
        ("newyork", range(13, 22), range(12, 21), range(12, 21)),
        ("premarket", range(12, 15), range(11, 14), range(11, 14)),
        ("after", range(21, 25), range(20, 24), range(20, 24)),
    ],
)
def test_hours_follow_the_clock_of_the_place(name, winter, summer, between):
    for day, hours in (("2024-01-17", winter), ("2024-07-17", summer), ("2024-03-20", between)):
        wanted = [hour for hour in hours if hour < 24]
        # Thursday's first hours still belong to Wednesday's window after New York's close.
        found = [hour for hour in hours_of(name, day) if hour >= wanted[0]]
        if name == "premarket":
            # It opens at 07:00 and ends at 09:30: its last hour is open at its start alone.
            assert found == wanted
        else:
            assert found == wanted


def test_regular_hours_start_at_half_past_nine_in_new_york():
    regular = trading_window("regular")
    moments = [
        "2024-01-17T14:29",
        "2024-01-17T14:30",
        "2024-01-17T20:59",
        "2024-01-17T21:00",
        "2024-07-17T13:30",
        "2024-01-20T15:00",
    ]
    times = np.array([moment_ms(moment) for moment in moments])
    assert regular.mask(times).tolist() == [False, True, True, False, True, False]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens():
    window = TradingWindow(start="22:00", end="02:00", timezone="UTC", days=("fri",))
    moments = [
        "2024-01-18T23:00",
        "2024-01-19T22:00",
        "2024-01-20T01:59",
        "2024-01-20T02:00",
        "2024-01-20T22:00",
        "2024-01-21T01:00",
    ]
    assert window.mask(np.array([moment_ms(moment) for moment in moments])).tolist() == [False, True, True, False, False, False]


def test_a_window_of_a_whole_day_ends_at_24():
    window = TradingWindow(start="00:00", end="24:00", timezone="Asia/Tokyo", days=("mon",))
    moments = ["2024-01-14T14:59", "2024-01-14T15:00", "2024-01-15T14:59", "2024-01-15T15:00"]
    assert window.mask(np.array([moment_ms(moment) for moment in moments])).tolist() == [False, True, True, False]


def test_masks_have_a_column_a_window_in_any_order_of_times():
    times = moment_ms("2024-01-17") + 3_600_000 * np.arange(48)
    shuffled = np.random.default_rng(0).permutation(48)
    masks = window_masks(times, WINDOWS)
    assert list(masks.columns) == list(WINDOWS)
    np.testing.assert_array_equal(window_masks(times[shuffled], WINDOWS).to_numpy(), masks.to_numpy()[shuffled])


def test_an_hour_may_have_one_digit():
    assert TradingWindow(start="9:00", end="17:30") == TradingWindow(start="09:00", end="17:30")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "9"}, "09:30"),
        ({"start": 900}, "in quotes"),
        ({"start": "9:0"}, "09:30"),
        ({"start": "09:60"}, "09:30"),
        ({"end": "25:00"}, "24:00"),
        ({"end": "24:01"}, "24:00"),
        ({"timezone": "London"}, "time zone database"),
        ({"timezone": "../etc/passwd"}, "time zone database"),
        ({"days": ()}, "mon, tue"),
        ({"days": ("mon", "mon")}, "each once"),
        ({"days": ("monday",)}, "mon, tue"),
        ({"zone": "UTC"}, "zone"),
    ],
)
def test_a_window_that_cannot_be_is_refused(change, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        TradingWindow(**{"start": "08:00", "end": "17:00", **change})


def test_an_unknown_window_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="'sydney' is unknown; allowed: asia, london"):
        trading_window("sydney")


def test_a_window_asks_nothing_that_pandas_is_about_to_drop():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hours_of("asia", "2024-01-17") == [*range(9)]
