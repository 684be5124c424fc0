import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.bars import OPTIONAL_COLUMNS, from_milliseconds, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.files import to_json
from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import QualityParams, apply_quality, check_bars
from seawall.market.hours.calendars import calendar
from seawall.market.synthetic.facts import stylised_facts

HOUR = 3_600_000
MIDNIGHT = 1_704_067_200_000  # 2024-01-01 00:00 UTC, a Monday

DROP = QualityParams(bad_bars="drop", gaps="bridge")


def _one_fault(bars: pd.DataFrame) -> tuple[int, str, str, float]:
    found = check_bars(bars).bad_bars
    assert len(found) == 1
    line = found.iloc[0]
    return int(line["row"]), line["kind"], line["column"], line["value"]


def test_sound_bars_have_no_fault_and_pass_unchanged(bars):
    passed, report = apply_quality(bars, QualityParams())
    pd.testing.assert_frame_equal(passed, bars)
    assert report.counts() == {}
    assert (report.rows, report.gaps, report.missing, report.zero_volume, report.flat) == (48, 0, 0, 0, 0)
    assert (report.first, report.last, report.timeframe) == ("2024-01-01T00:00:00Z", "2024-01-02T23:00:00Z", "1h")


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("low", 0.0, "not_positive"),
        ("high", 106.5, "high_below_body"),
        ("low", 106.5, "low_above_body"),
        ("volume", -1.0, "negative_amount"),
        ("volume", np.nan, "non_finite"),
        ("close", np.nan, "non_finite"),
        ("high", np.inf, "non_finite"),
    ],
)
def test_a_bad_value_is_named_with_row_kind_column_and_value(bars, column, value, kind):
    bars.loc[7, column] = value
    row, found, where, seen = _one_fault(bars)
    assert (row, found, where) == (7, kind, column)
    assert seen == value or (np.isnan(seen) and np.isnan(value))


@pytest.mark.parametrize("name", OPTIONAL_COLUMNS)
@pytest.mark.parametrize(("value", "kind"), [(-1.0, "negative_amount"), (np.nan, "non_finite")])
def test_optional_columns_are_checked_too(bars, name, value, kind):
    bars[name] = 5.0
    bars.loc[3, name] = value
    assert _one_fault(bars)[:3] == (3, kind, name)


def test_each_fault_of_time_is_named_at_its_row(bars):
    moved = bars.copy()
    moved.loc[5, "timestamp"] = bars.loc[4, "timestamp"]
    assert _one_fault(moved)[:2] == (5, "duplicate")
    moved = bars.copy()
    moved.loc[5, "timestamp"] = bars.loc[5, "timestamp"] + pd.Timedelta(minutes=7)
    assert _one_fault(moved)[:2] == (5, "off_grid")
    moved = bars.copy()
    moved.loc[5, "timestamp"] = pd.NaT
    assert _one_fault(moved)[:2] == (5, "no_time")
    moved = bars.iloc[[0, 1, 3, 2, *range(4, 48)]].reset_index(drop=True)
    assert _one_fault(moved)[:2] == (3, "disorder")


def test_a_bar_that_has_not_opened_yet_is_bad(bars):
    now = datetime(2024, 1, 2, 22, 30, tzinfo=UTC)
    found = check_bars(bars, now=now).bad_bars
    assert found[["row", "kind"]].to_numpy().tolist() == [[47, "future"]]
    assert check_bars(bars).counts() == {}


def test_gaps_are_counted_and_placed(bars):
    # Hours 3, 10, 11 and 12 are absent: two gaps, of 1 and of 3 bars.
    report = check_bars(bars.drop(index=[3, 10, 11, 12]))
    assert (report.gaps, report.missing, report.longest_gap_bars) == (2, 4, 3)
    assert report.to_dict()["gap_places"] == [
        {"after": "2024-01-01T02:00:00Z", "missing": 1},
        {"after": "2024-01-01T09:00:00Z", "missing": 3},
    ]


def test_zero_volume_and_flat_bars_are_legal_and_counted(bars):
    bars.loc[[1, 2, 3], "volume"] = 0.0
    bars.loc[[3, 4], ["open", "high", "low", "close"]] = 50.0
    _, report = apply_quality(bars, QualityParams())
    assert (report.zero_volume, report.flat) == (3, 2)


def test_the_largest_move_is_over_neighbouring_rows_in_time(bars):
    # From 100 to 103 over the gap; a price that is not finite, and the order of rows, count for nothing.
    bars.loc[20, "close"] = np.nan
    report = check_bars(bars.drop(index=[1, 2]).iloc[::-1])
    assert report.max_move == pytest.approx(3 / 100, rel=1e-12)


def test_refusal_names_the_first_faults_their_totals_and_the_setting(bars):
    bars.loc[[4, 9], "close"] = np.nan
    bars.loc[20, "volume"] = -3.0
    with pytest.raises(DataError) as refusal:
        apply_quality(bars, QualityParams())
    message = str(refusal.value)
    assert "3 faults in 48 bars (2 non_finite, 1 negative_amount)" in message
    assert "row 4 at 2024-01-01T04:00:00Z: non_finite (close is nan)" in message
    assert "row 20 at 2024-01-01T20:00:00Z: negative_amount (volume is -3)" in message
    assert "quality.bad_bars=drop" in message


def test_a_bar_that_is_still_open_is_noted_and_no_closed_one_is(bars):
    last = bars["timestamp"].iloc[-1].to_pydatetime()
    noted = {
        minutes: [note for note in check_bars(bars, now=last + timedelta(minutes=minutes)).notes if "may still change" in note]
        for minutes in (0, 1, 59, 60, 600)
    }
    assert {minutes: len(notes) for minutes, notes in noted.items()} == {0: 0, 1: 1, 59: 1, 60: 0, 600: 0}
    opened, ends = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (last, last + timedelta(hours=1)))
    assert noted[1] == [f"the bar that opened at {opened} ends after now, at {ends}: it may still change"]


def test_a_large_value_is_named_with_all_its_digits(bars):
    bars.loc[20, "volume"] = -1234567.25
    with pytest.raises(DataError, match=r"volume is -1234567\.25\)"):
        apply_quality(bars, QualityParams())


def test_a_refused_gap_names_place_and_settings(bars):
    with pytest.raises(
        DataError, match=r"2 bars of 1h are missing in 1 gaps: 2 after 2024-01-01T02:00:00Z.*quality\.gaps=bridge.*=fill"
    ):
        apply_quality(bars.drop(index=[3, 4]), QualityParams())


def test_bad_bars_and_gaps_are_told_in_one_message(bars):
    bars.loc[4, "close"] = np.nan
    with pytest.raises(DataError, match=r"non_finite.*quality\.bad_bars=drop.*1 after 2024-01-01T09:00:00Z"):
        apply_quality(bars.drop(index=10), QualityParams())


def test_bridge_invents_nothing(bars):
    passed, report = apply_quality(bars.drop(index=[3, 4]), QualityParams(gaps="bridge"))
    pd.testing.assert_frame_equal(passed, bars.drop(index=[3, 4]).reset_index(drop=True))
    assert (report.gaps, report.missing, report.filled) == (1, 2, 0)


def test_fill_inserts_flat_bars_without_volume_at_the_last_close(bars):
    bars = bars.assign(trades=8.0, trends=40.0)
    passed, report = apply_quality(bars.drop(index=[3, 4]), QualityParams(gaps="fill"))
    assert passed.loc[[3, 4], ["open", "high", "low", "close"]].to_numpy().tolist() == [[102.0] * 4] * 2
    assert passed.loc[[3, 4], ["volume", "trades", "trends"]].to_numpy().tolist() == [[0.0, 0.0, 40.0]] * 2
    kept = [row for row in range(48) if row not in (3, 4)]
    pd.testing.assert_frame_equal(passed.loc[kept], bars.loc[kept])
    assert (report.rows, report.filled, report.gaps, report.missing, report.zero_volume) == (48, 2, 1, 2, 2)


def test_filling_around_a_stray_timestamp_is_refused(bars):
    bars.loc[0, "timestamp"] = pd.Timestamp("1990-01-01", tz="UTC")
    with pytest.raises(DataError, match=r"inserts at most 10 for each bar"):
        apply_quality(bars, QualityParams(gaps="fill"))


def test_drop_sets_bad_bars_aside_and_sorts_the_rest(bars):
    bars.loc[4, "close"] = np.nan
    shuffled = bars.iloc[[*range(10), 11, 10, *range(12, 48), 6]].reset_index(drop=True)
    passed, report = apply_quality(shuffled, DROP)
    pd.testing.assert_frame_equal(passed, bars.drop(index=4).reset_index(drop=True))
    assert report.quarantined[["row", "kind"]].to_numpy().tolist() == [[4, "non_finite"], [48, "duplicate"]]
    assert (report.dropped, report.gaps, report.counts()) == (2, 1, {"duplicate": 1, "disorder": 1, "non_finite": 1})
    assert report.quarantined.loc[1, "close"] == 106.0


def test_a_bar_set_aside_leaves_a_gap_that_the_gap_policy_judges(bars):
    bars.loc[4, "close"] = np.nan
    with pytest.raises(DataError, match="1 bars of 1h are missing"):
        apply_quality(bars, QualityParams(bad_bars="drop"))


def test_bars_that_are_all_bad_are_refused(bars):
    with pytest.raises(DataError, match="all 48 bars are bad"):
        apply_quality(bars.assign(volume=-1.0), DROP)


def test_newest_first_files_are_sorted_under_drop(bars):
    passed, report = apply_quality(bars.iloc[::-1].reset_index(drop=True), DROP)
    pd.testing.assert_frame_equal(passed, bars)
    assert report.to_dict()["disorder"] == 47


def test_a_clock_that_is_off_by_a_constant_is_remarked(make_bars):
    report = check_bars(make_bars(start_ms=MIDNIGHT + HOUR // 2))
    assert report.counts() == {}
    assert report.notes == ("all bars open 30 minutes after a whole 1h in UTC: the time zone may be wrong",)


def test_weeks_may_start_on_any_day_but_not_at_any_hour(make_bars):
    week = 7 * 24 * HOUR
    assert check_bars(make_bars(20, week, MIDNIGHT)).notes == ()
    assert len(check_bars(make_bars(20, week, MIDNIGHT + HOUR)).notes) == 1


def test_a_wrong_timeframe_is_refused(bars):
    with pytest.raises(DataError, match="1h apart, not 15m"):
        check_bars(bars, Timeframe.parse("15m"))


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_bars_are_refused(bars, rows):
    with pytest.raises(DataError, match="at least two"):
        apply_quality(bars.head(rows), QualityParams())


def test_a_frame_without_volume_is_refused(bars):
    with pytest.raises(DataError, match="no column volume"):
        check_bars(bars.drop(columns="volume"))


FAULTS = ("nan", "negative", "duplicate", "off_grid", "swap", "inverted", "no_time")


def _plant(bars: pd.DataFrame, fault: str, row: int) -> None:
    previous = bars.loc[row - 1, "timestamp"]
    values = {
        "nan": ("low", np.nan),
        "negative": ("volume", -2.0),
        "inverted": ("high", 1e-6),
        "duplicate": ("timestamp", previous),
        "off_grid": ("timestamp", previous + pd.Timedelta(seconds=90)),
        "swap": ("timestamp", previous - pd.Timedelta(days=400)),
        "no_time": ("timestamp", pd.NaT),
    }
    column, value = values[fault]
    bars.loc[row, column] = value


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(1, 59)), min_size=1, max_size=8, unique_by=lambda fault: fault[1]))
def test_whatever_is_wrong_is_refused_or_what_passes_is_sound(make_bars, faults):
    bars = make_bars(60)
    for fault, row in faults:
        _plant(bars, fault, row)
    with pytest.raises(DataError):
        apply_quality(bars, QualityParams(gaps="bridge"))
    passed, report = apply_quality(bars, DROP)
    assert check_bars(passed, Timeframe(3_600)).counts() == {}
    assert (np.diff(timestamps_ms(passed)) > 0).all()
    assert len(passed) + report.dropped == 60
    again, second = apply_quality(passed, DROP)
    assert second.dropped == 0
    pd.testing.assert_frame_equal(again, passed)


def _walk(rows=4_000, seed=0):
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    times = from_milliseconds(MIDNIGHT + HOUR * np.arange(rows))
    return pd.DataFrame({"timestamp": times, "open": opening, "high": high, "low": low, "close": close, "volume": 10.0})


def _spiked(bars, row, factor):
    spiked = bars.copy()
    spiked.loc[row, "close"] *= factor
    spiked.loc[row, "high"] = max(spiked.loc[row, "high"], spiked.loc[row, "close"])
    spiked.loc[row, "low"] = min(spiked.loc[row, "low"], spiked.loc[row, "close"])
    return spiked


def test_a_walk_of_normal_steps_has_no_outlier():
    assert check_bars(_walk(40_000)).to_dict()["outliers"] == 0


def test_a_spike_is_two_outliers_there_and_back_with_their_moves():
    bars = _walk()
    found = check_bars(_spiked(bars, 1_000, 1.05))
    assert found.counts() == {}
    assert found.to_dict()["outliers"] == 2
    there, back = found.to_dict()["outlier_places"]
    assert (there["timestamp"], back["timestamp"]) == ("2024-02-11T16:00:00Z", "2024-02-11T17:00:00Z")
    assert there["move"] == pytest.approx(1.05 * bars.loc[1_000, "close"] / bars.loc[999, "close"] - 1.0, rel=1e-12)
    # 48.8 deviations of 0.001, which is known here to some 4 %, and a step of the walk itself.
    assert 43.0 < there["deviations"] < 55.0
    assert -55.0 < back["deviations"] < -43.0


def test_the_same_move_is_an_outlier_in_calm_and_none_in_a_storm():
    calm, storm = _walk(8_000), _walk(8_000)
    storm["close"] = 100.0 * (storm["close"] / 100.0) ** 10
    storm["open"] = storm["close"].shift(fill_value=100.0)
    storm["high"], storm["low"] = storm[["open", "close"]].max(axis=1), storm[["open", "close"]].min(axis=1)
    assert check_bars(_spiked(calm, 4_000, 1.03)).to_dict()["outliers"] == 2
    assert check_bars(_spiked(storm, 4_000, 1.03)).to_dict()["outliers"] == 0


def test_a_move_over_a_gap_may_be_as_large_as_the_gap_is_long():
    bars = _walk()
    moved = bars.drop(index=range(1_000, 1_400)).reset_index(drop=True)
    after = moved.index >= 1_000
    moved.loc[after, ["open", "high", "low", "close"]] *= 1.05
    assert check_bars(moved).to_dict()["outliers"] == 0
    near = bars.copy()
    near.loc[1_000:, ["open", "high", "low", "close"]] *= 1.05
    assert check_bars(near).to_dict()["outliers"] == 1


def test_the_next_tick_of_a_market_that_stands_still_is_no_outlier():
    bars = _walk()
    still = bars.copy()
    prices = ["open", "high", "low", "close"]
    still.loc[1_000:3_000, prices] = 100.0
    still.loc[2_000:3_000, prices] = 100.01
    found = check_bars(still)
    assert not [line for line in found.to_dict()["outlier_places"] if line["timestamp"] == "2024-03-24T08:00:00Z"]


def test_closes_that_cannot_be_compared_are_no_outliers():
    bars = _walk()
    bars.loc[[10, 500], "close"] = [np.nan, -1.0]
    bars.loc[700, "close"] = np.inf
    assert check_bars(bars).to_dict()["outliers"] == 0


def test_runs_without_volume_and_of_flat_bars_are_placed(bars):
    bars.loc[[5, 6, 7, 20], "volume"] = 0.0
    bars.loc[[6, 7], ["open", "high", "low", "close"]] = 50.0
    facts = check_bars(bars).to_dict()
    assert facts["zero_volume_places"] == [
        {"start": "2024-01-01T05:00:00Z", "bars": 3},
        {"start": "2024-01-01T20:00:00Z", "bars": 1},
    ]
    assert facts["flat_places"] == [{"start": "2024-01-01T06:00:00Z", "bars": 2}]
    assert facts["zero_volume_share"] == pytest.approx(4 / 48, rel=1e-12)


def test_runs_are_found_in_the_order_of_time(bars):
    bars.loc[[5, 6], "volume"] = 0.0
    shuffled = bars.sample(frac=1.0, random_state=np.random.RandomState(0))
    assert check_bars(shuffled).to_dict()["zero_volume_places"] == [{"start": "2024-01-01T05:00:00Z", "bars": 2}]


def test_gaps_that_a_calendar_expects_are_told_from_those_it_does_not():
    # A week of hours of a currency, Monday to Sunday, without the weekend and without three hours of Tuesday.
    bars = _walk(24 * 8)
    hours = np.arange(24 * 8)
    open_hours = (hours < 4 * 24 + 22) | (hours >= 6 * 24 + 22)
    kept = open_hours & ~np.isin(hours, [30, 31, 32])
    found = check_bars(bars[kept].reset_index(drop=True), market=calendar("fx")).to_dict()
    assert (found["calendar"], found["gaps"], found["missing"]) == ("fx", 2, 51)
    assert (found["unexpected_gaps"], found["missing_unexpected"]) == (1, 3)
    assert found["gap_places"] == [
        {"after": "2024-01-02T05:00:00Z", "missing": 3, "expected": 0, "unexpected": 3},
        {"after": "2024-01-05T21:00:00Z", "missing": 48, "expected": 48, "unexpected": 0},
    ]
    plain = check_bars(bars[kept].reset_index(drop=True)).to_dict()
    assert (plain["calendar"], plain["unexpected_gaps"], plain["missing_unexpected"]) == (None, None, None)


def test_stylised_facts_are_those_of_the_sound_bars_alone():
    bars = _walk()
    spoilt = bars.copy()
    spoilt.loc[[7, 9], "close"] = [np.nan, -3.0]
    sound = bars.drop(index=[7, 9]).reset_index(drop=True)
    assert check_bars(spoilt).stylised == pytest.approx(stylised_facts(sound), nan_ok=True)
    assert check_bars(bars.head(60)).stylised == {}


def test_the_report_is_plain_json_and_lists_a_hundred_of_each():
    bars = _walk(2_000)
    bars.loc[::3, "volume"] = 0.0
    facts = check_bars(bars.drop(index=range(1, 2_000, 4)).reset_index(drop=True)).to_dict()
    assert json.loads(to_json(facts))["gaps"] == 500
    assert len(facts["gap_places"]) == 100
    assert len(facts["zero_volume_places"]) == 100
