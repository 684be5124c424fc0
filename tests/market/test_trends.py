import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.bars import from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.storage.store import Store
from seawall.market.trends.reading import download_time, read_trends
from seawall.market.trends.relative import TrendsSeries, attach_trends, past_relative
from seawall.market.trends.storage import load_trends, store_trends, trends_info

FORMS = ("ratio", "zscore", "change")
HOUR = Timeframe.parse("1h")
DAY = Timeframe.parse("1d")
MONDAY = 1_704_067_200_000  # 2024-01-01
DAY_MS = 86_400_000
LATER = datetime(2030, 1, 1, tzinfo=UTC)
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "trends"
SITE = """Category: All categories

Week,bitcoin: (Worldwide),ethereum: (Worldwide)
2024-01-07,12,<1
2024-01-14,100,3
2024-01-21,50,4
"""


def written(folder, text, name="multiTimeline.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def daily(values, start=MONDAY):
    starts = start + DAY_MS * np.arange(len(values))
    return TrendsSeries("made", "1d", starts, starts + DAY_MS, np.asarray(values, float), {})


def weekly_bars(make_bars, days=30):
    return make_bars(rows=24 * days)


def iso(milliseconds):
    return [moment.isoformat()[:16] for moment in from_milliseconds(milliseconds)]


def test_the_csv_of_the_site_is_known_when_each_week_has_ended(tmp_path):
    trends = read_trends(written(tmp_path, SITE), "bitcoin", now=LATER)
    assert (trends.keyword, trends.period, trends.facts["region"]) == ("bitcoin", "1w", "Worldwide")
    assert iso(trends.starts_ms) == ["2024-01-07T00:00", "2024-01-14T00:00", "2024-01-21T00:00"]
    assert iso(trends.known_ms) == ["2024-01-14T00:00", "2024-01-21T00:00", "2024-01-28T00:00"]
    assert trends.values.tolist() == [12.0, 100.0, 50.0]
    assert read_trends(tmp_path / "multiTimeline.csv", "ethereum: (Worldwide)", now=LATER).values.tolist() == [0.5, 3.0, 4.0]


def test_a_week_that_had_not_ended_when_the_file_was_downloaded_is_left_out(tmp_path):
    path = written(tmp_path, SITE)
    before_its_end = read_trends(path, "bitcoin", now=datetime(2024, 1, 27, 23, 59, tzinfo=UTC))
    assert (len(before_its_end), before_its_end.facts["partial_dropped"]) == (2, 1)
    os.utime(path, (datetime(2024, 1, 20, tzinfo=UTC).timestamp(),) * 2)
    assert len(read_trends(path, "bitcoin")) == 1
    os.utime(path, (datetime(2024, 1, 28, tzinfo=UTC).timestamp(),) * 2)
    assert len(read_trends(path, "bitcoin")) == 3


def test_the_facts_say_when_the_file_counts_as_downloaded_and_by_what(tmp_path):
    path = written(tmp_path, SITE)
    os.utime(path, (datetime(2024, 1, 20, tzinfo=UTC).timestamp(),) * 2)
    told = [read_trends(path, "bitcoin", now=now).facts for now in (None, download_time("2024-01-28"))]
    assert [(facts["downloaded"], facts["downloaded_from"], facts["partial_dropped"]) for facts in told] == [
        ("2024-01-20T00:00:00Z", "the file's time of change", 2), ("2024-01-28T00:00:00Z", "named", 0),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="the download of 2999-01-01 is still to come"):
        download_time("2999-01-01")
    with pytest.raises(DataError, match="no value of 'bitcoin' whose period had ended by its download, 2024-01-10"):
        read_trends(path, "bitcoin", now=download_time("2024-01-10"))


def test_rows_flagged_as_partial_are_left_out(tmp_path):
    path = written(tmp_path, "date,bitcoin,isPartial\n2024-01-01,5,False\n2024-01-02,6,False\n2024-01-03,7,True\n", "a.csv")
    trends = read_trends(path, now=LATER)
    assert (trends.values.tolist(), trends.facts["partial_dropped"]) == ([5.0, 6.0], 1)


def test_months_are_calendar_months(tmp_path):
    trends = read_trends(written(tmp_path, "Month,gold: (Worldwide)\n2024-01,5\n2024-02,6\n2024-03,7\n"), now=LATER)
    assert trends.period == "1mo"
    assert iso(trends.known_ms) == ["2024-02-01T00:00", "2024-03-01T00:00", "2024-04-01T00:00"]
    undeclared = read_trends(written(tmp_path, "Mois,or\n2024-01,5\n2024-02,6\n2024-04,7\n", "fr.csv"), now=LATER)
    assert iso(undeclared.known_ms) == ["2024-02-01T00:00", "2024-03-01T00:00", "2024-05-01T00:00"]


def test_hours_of_the_site_are_known_an_hour_later(tmp_path):
    trends = read_trends(
        written(tmp_path, "Time,gold: (Worldwide)\n2024-01-05T13,5\n2024-01-05T14,6\n2024-01-05T15,6\n"), now=LATER
    )
    assert (trends.period, iso(trends.known_ms)[0]) == ("1h", "2024-01-05T14:00")


def test_the_last_week_before_daily_values_still_ends_after_a_week_and_is_left_out_for_overlapping_them(tmp_path):
    weeks = [f"2023-12-{day},{day}" for day in (10, 17, 24, 31)]
    days = [f"2024-01-{day:02d},{day}" for day in range(1, 10)]
    trends = read_trends(written(tmp_path, "\n".join(["date,x", *weeks, *days]), "x.csv"), now=LATER)
    assert trends.facts["overlapping_dropped"] == 1
    assert trends.values.tolist() == [10.0, 17.0, 24.0, *range(1, 10)]
    assert iso(trends.known_ms)[2:4] == ["2023-12-31T00:00", "2024-01-02T00:00"]


def test_a_value_before_a_hole_is_known_late_and_the_one_after_it_in_time(tmp_path):
    days = [f"2024-01-{day:02d},{day}" for day in (1, 2, 3, 6, 7)]
    trends = read_trends(written(tmp_path, "\n".join(["date,x", *days]), "x.csv"), now=LATER)
    assert [known[8:10] for known in iso(trends.known_ms)] == ["02", "03", "06", "07", "08"]


def test_one_value_repeated_through_a_day_is_known_at_the_end_of_the_day(tmp_path):
    hours = pd.date_range("2021-01-01", periods=72, freq="1h", tz="UTC")
    pd.DataFrame({"timestamp": hours, "x": np.repeat([5.0, 7.0, 6.0], 24)}).to_parquet(tmp_path / "x.parquet")
    trends = read_trends(tmp_path / "x.parquet", now=LATER)
    assert (trends.period, trends.values.tolist(), trends.facts["repeated_dropped"]) == ("1d", [5.0, 7.0, 6.0], 69)
    assert iso(trends.known_ms)[0] == "2021-01-02T00:00"


@pytest.mark.parametrize(
    ("text", "keyword", "error", "message"),
    [
        (SITE, None, ConfigError, "2 keywords; name one of: bitcoin"),
        (SITE, "gold", ConfigError, "0 columns for keyword 'gold'"),
        (SITE.replace("100", "-3"), "bitcoin", DataError, "row 1 has bitcoin: .* = -3.0"),
        (SITE.replace("100", ""), "bitcoin", DataError, "row 1 has bitcoin: .* = nan"),
        (SITE.replace("100", "many"), "bitcoin", DataError, "row 1 has bitcoin: .* = 'many'"),
        (SITE.replace("2024-01-21", "2024-01-14"), "bitcoin", DataError, "row 2 at 2024-01-14"),
        (SITE.replace("2024-01-21", "soon"), "bitcoin", DataError, "'soon', which is no time"),
        (SITE.replace("2024-01-21", ""), "bitcoin", DataError, "row 2 has"),
        ("Week,bitcoin: (Worldwide)\n", None, DataError, "no rows"),
        ("", None, DataError, "cannot be read"),
        ("date,x\n2024-01-01,5\n", None, DataError, "two are needed"),
        ("date,x\n2024-01-01,5,6\n2024-01-02,5,6\n", None, DataError, "more cells than its header"),
        ("date,x\n2024-01-01,5\n2024-01-02,5,6\n", None, DataError, "cannot be read"),
        ("date\n2024-01-01\n2024-01-02\n", None, DataError, "no column of values"),
    ],
)
def test_what_cannot_be_read_is_refused_by_row(tmp_path, text, keyword, error, message):
    with pytest.raises(error, match=message):
        read_trends(written(tmp_path, text), keyword, now=LATER)


def test_the_forms_by_hand():
    values = np.array([2.0, 4.0, 6.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(past_relative(values, "ratio", 3), [6 / 4, 0, 0, 0], rtol=1e-15)
    # Mean 4, deviation √(8/3); mean 10/3, deviation √(56/9); mean 2, deviation √8; all equal
    wanted = [2 / np.sqrt(8 / 3), -10 / 3 / np.sqrt(56 / 9), -2 / np.sqrt(8), 0]
    np.testing.assert_allclose(past_relative(values, "zscore", 3), wanted, rtol=1e-14)
    # log 6/4; a zero counts as half of 4; then as half of 6, both times; nothing above zero
    np.testing.assert_allclose(past_relative(values, "change", 3), [np.log(1.5), np.log(2 / 6), 0, 0], rtol=1e-15)


def test_a_bar_sees_a_day_of_interest_from_the_close_at_the_end_of_that_day(make_bars):
    bars, facts = attach_trends(make_bars(rows=72), HOUR, daily([10.0, 30.0, 20.0]), "ratio", 2)
    # The second day ends at 2024-01-03 00:00, at which the bar of 23:00 closes.
    assert bars["timestamp"].iloc[0].isoformat() == "2024-01-02T23:00:00+00:00"
    assert bars["trends"].tolist()[:24] == [1.5] * 24
    assert bars["trends"].iloc[24] == 20 / 25
    assert (facts["cut_bars"], facts["stale_bars"], len(bars)) == (47, 0, 25)


def test_interest_that_ends_before_the_bars_do_is_told_and_holes_are(make_bars):
    ends = attach_trends(make_bars(rows=24 * 6), HOUR, daily([10.0, 30.0]), "ratio", 2)[1]["notes"]
    assert len(ends) == 1
    assert "stale in 48 of 97 bars" in ends[0]
    assert "it ends long before the bars, known at 2024-01-03T00:00:00+00:00" in ends[0]
    starts = MONDAY + DAY_MS * np.array([0, 1, 6, 7])
    holed = TrendsSeries("made", "1d", starts, starts + DAY_MS, np.array([1.0, 2.0, 3.0, 4.0]), {})
    assert "it has holes" in attach_trends(make_bars(rows=24 * 9), HOUR, holed, "ratio", 2)[1]["notes"][0]
    assert attach_trends(make_bars(rows=72), HOUR, daily([10.0, 30.0, 20.0]), "ratio", 2)[1]["notes"] == []


def test_seams_within_the_bars_are_told_and_others_are_not(make_bars):
    facts = {"possible_seams": ["2023-01-01", "2024-01-03", "2025-01-01"]}
    trends = replace(daily([10.0, 30.0, 20.0, 15.0]), facts=facts)
    told = attach_trends(make_bars(rows=96), HOUR, trends, "ratio", 2)[1]
    assert told["possible_seams"] == facts["possible_seams"]
    assert len(told["notes"]) == 1
    assert "at 2024-01-03: from there on, 2 values are compared across two scales" in told["notes"][0]


def test_old_interest_is_counted(make_bars):
    facts = attach_trends(make_bars(rows=24 * 6), HOUR, daily([10.0, 30.0]), "ratio", 2)[1]
    # Known at 01-03 00:00: two days are over at 01-05 00:00, and 48 bars close after it.
    assert facts["stale_bars"] == 48


INTEREST = st.lists(st.integers(0, 100), min_size=12, max_size=30)


@given(INTEREST, st.sampled_from(FORMS), st.integers(2, 6), st.integers(0, 11), st.integers(0, 100))
def test_what_ends_after_a_bar_closes_changes_nothing_at_that_bar(values, form, lookback, row, other):
    starts = MONDAY + 3_600_000 * np.arange(24 * len(values))
    bars = pd.DataFrame({"timestamp": from_milliseconds(starts)})
    changed = [*values[:row], *([other] * (len(values) - row))]
    known = MONDAY + DAY_MS * (row + 1)
    seen = []
    for each in (values, changed):
        found, _ = attach_trends(bars, HOUR, daily(each), form, lookback)
        seen.append(found["trends"][timestamps_ms(found) + HOUR.milliseconds < known].to_numpy())
    np.testing.assert_array_equal(*seen)


@given(INTEREST, st.sampled_from(FORMS), st.integers(2, 6), st.floats(0.01, 100.0))
def test_the_scale_of_the_download_changes_nothing(values, form, lookback, scale):
    values = np.asarray(values, float)
    np.testing.assert_allclose(past_relative(values * scale, form, lookback), past_relative(values, form, lookback), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_later_peak_rescales_the_download_and_changes_nothing_before_it(make_bars, form):
    true = np.random.default_rng(3).uniform(1.0, 20.0, 20)
    first, second = true[:15] / true[:15].max() * 100, np.append(true[:19], 500.0) / 500.0 * 100
    bars = make_bars(rows=24 * 15)
    early, late = (attach_trends(bars, HOUR, daily(values), form, 4)[0]["trends"] for values in (first, second))
    np.testing.assert_allclose(early, late, atol=1e-12)


def test_what_cannot_be_attached_is_refused(make_bars):
    bars = make_bars(rows=72)
    with pytest.raises(ConfigError, match="have a column trends already"):
        attach_trends(bars.assign(trends=1.0), HOUR, daily([1.0] * 5), "ratio", 2)
    with pytest.raises(ConfigError, match="lookback is 1; allowed: 2 or more"):
        attach_trends(bars, HOUR, daily([1.0] * 5), "ratio", 1)
    with pytest.raises(DataError, match="no bar has 9 values of 'made' known"):
        attach_trends(bars, HOUR, daily([1.0] * 5), "ratio", 9)


def test_stored_interest_loads_the_same_and_altered_interest_does_not(tmp_path):
    trends = read_trends(written(tmp_path, SITE), "bitcoin", now=LATER)
    root = tmp_path / "data"
    stored = store_trends(root, trends)
    assert stored.folder == root / "trends" / "bitcoin" / "1w"
    loaded = load_trends(root, "bitcoin", "1w")
    for name in ("starts_ms", "known_ms", "values"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(trends, name))
    assert (loaded.keyword, loaded.period, loaded.facts) == (trends.keyword, trends.period, trends.facts)
    assert store_trends(root, trends).status == "unchanged"
    assert [(entry["reference"], entry["kind"]) for entry in Store(root).list()] == [("trends/bitcoin/1w", "trends")]
    path = stored.folder / "trends.parquet"
    pd.read_parquet(path).assign(interest=1.0).to_parquet(path, index=False)
    with pytest.raises(DataError, match="was altered"):
        load_trends(root, "bitcoin", "1w")
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        load_trends(root, "bitcoin", "1w")


def test_the_store_finds_interest_of_any_period_and_gives_it_to_nobody_as_bars(tmp_path):
    store = Store(tmp_path / "data")
    for text, word, period in ((SITE, "bitcoin", "1w"), ("Month,gold: (Worldwide)\n2024-01,5\n2024-02,6\n", "gold", "1mo")):
        store_trends(store.root, read_trends(written(tmp_path, text), word, now=LATER))
        reference = f"trends/{word}/{period}"
        assert store.has(reference)
        assert store.holds_trends(reference)
        with pytest.raises(
            ConfigError, match=f"{reference} holds search interest in '{word}' .* no bars; data.trends.path={reference}"
        ):
            store.load(reference)
        told = trends_info(store.root, reference)
        assert (told["reference"], told["kind"], told["problem"]) == (reference, "trends", None)
        assert trends_info(store.root, told["folder"])["content_hash"] == told["content_hash"]
    path = store.root / "trends" / "gold" / "1mo" / "trends.parquet"
    pd.read_parquet(path).assign(interest=1.0).to_parquet(path, index=False)
    assert "was altered" in trends_info(store.root, "trends/gold/1mo")["problem"]


def test_bars_cannot_take_the_place_of_search_interest(tmp_path, make_bars):
    bars, report = apply_quality(make_bars(rows=48), QualityParams())
    with pytest.raises(ConfigError, match="source trends, which is kept for search interest"):
        Store(tmp_path).import_bars(bars, report, source="trends", symbol="bitcoin", origin="x.csv")


def test_interest_of_two_regions_is_stored_apart_and_never_takes_the_place_of_another(tmp_path):
    for region, values in (("Worldwide", "12"), ("United States", "13"), ("Japan", "14")):
        text = f"Week,bitcoin: ({region})\n2024-01-07,{values}\n2024-01-14,100\n"
        store_trends(tmp_path / "data", read_trends(written(tmp_path, text), now=LATER))
    names = ["bitcoin", "bitcoin-Japan", "bitcoin-United-States"]
    assert [entry["reference"] for entry in Store(tmp_path / "data").list()] == [f"trends/{name}/1w" for name in names]
    assert [load_trends(tmp_path / "data", name, "1w").values[0] for name in names] == [12.0, 14.0, 13.0]
    other = read_trends(written(tmp_path, "Week,bitcoin japan: (Worldwide)\n2024-01-07,5\n2024-01-14,100\n"), now=LATER)
    store_trends(tmp_path / "data", other)
    clash = read_trends(written(tmp_path, "Week,bitcoin-japan: (Worldwide)\n2024-01-07,5\n2024-01-14,100\n"), now=LATER)
    with pytest.raises(
        ConfigError, match="holds search interest in 'bitcoin japan' of the whole world, and that in 'bitcoin-japan'"
    ):
        store_trends(tmp_path / "data", clash, overwrite=True)


def test_a_new_download_replaces_the_old_only_if_told_so(tmp_path):
    old, new = (read_trends(written(tmp_path, text), "bitcoin", now=LATER) for text in (SITE, SITE.replace("50", "60")))
    store_trends(tmp_path / "data", old)
    with pytest.raises(ConfigError, match="allowed: overwrite"):
        store_trends(tmp_path / "data", new)
    assert store_trends(tmp_path / "data", new, overwrite=True).status == "replaced"
    assert load_trends(tmp_path / "data", "bitcoin", "1w").values[2] == 60.0
    with pytest.raises(DataError, match="stored: trends/bitcoin/1w"):
        load_trends(tmp_path / "data", "gold", "1w")


def test_the_real_weekly_then_daily_file_is_read_as_published():
    path = DATA / "gtrends_BTC_weekly_then_daily.parquet"
    if not path.is_file():
        pytest.skip(f"no search interest at {DATA}")
    trends = read_trends(path)
    # 489 rows, of which the week from 2023-12-31 overlaps the first days of 2024; one scale a year.
    assert (len(trends), trends.facts["periods"], trends.facts["overlapping_dropped"]) == (488, {"1d": 123, "1w": 365}, 1)
    assert trends.facts["possible_seams"] == [f"{year}-01-01" for year in range(2018, 2025)]


def test_the_real_hourly_file_is_known_to_be_daily():
    path = DATA / "gtrends_bitcoin_keywords_hourly_2021.parquet"
    if not path.is_file():
        pytest.skip(f"no search interest at {DATA}")
    trends = read_trends(path, "buy bitcoin")
    assert (len(trends), trends.period, trends.facts["repeated_dropped"]) == (243, "1d", 5_832 - 243)
