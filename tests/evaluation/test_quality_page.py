"""The page of a quality check: what it tells, what it escapes, how it thins, and that it is whole."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError
from seawall.core.timeframe import Timeframe
from seawall.evaluation.quality_figures import coverage_figure, series_figure, volume_figure
from seawall.evaluation.quality_page import SeriesCheck, quality_html, write_quality_page
from seawall.market.checks.panel_facts import panel_facts
from seawall.market.checks.quality import check_bars, with_calendar
from seawall.market.hours.calendars import calendar

HOUR = 3_600_000
MIDNIGHT = 1_704_067_200_000  # 2024-01-01 00:00 UTC, a Monday


def market(rows=2_000, seed=0, start=MIDNIGHT):
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    times = from_milliseconds(start + HOUR * np.arange(rows))
    return pd.DataFrame({"timestamp": times, "open": opening, "high": high, "low": low, "close": close, "volume": 10.0})


def checked(name, bars):
    return SeriesCheck(name, check_bars(bars), bars)


def drawn(figure, name):
    """The trace of that name, as the page holds it."""
    traces = [trace for trace in json.loads(figure.to_json())["data"] if trace.get("name", "").startswith(name)]
    assert len(traces) == 1
    return traces[0]


def numbers(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]) if isinstance(packed, dict) else np.array(packed)


def rows_of(html):
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)]


def test_the_table_tells_the_counts_of_every_series_and_why_one_could_not_be_read():
    bars = market()
    bars.loc[[7, 9], "close"] = [np.nan, -1.0]
    bars.loc[20:24, "volume"] = 0.0
    html = quality_html([checked("first", bars.drop(index=[100, 101, 300])), SeriesCheck("second", error="second.csv is empty")])
    first, second = rows_of(html)
    assert first[1:9] == ["1,997", "1h", "2024-01-01", "2024-03-24", "2", "3", "2", "0"]
    assert first[9:11] == ["2", "5"]
    assert second == ["second", "second.csv is empty"]
    assert "2 series, 1,997 bars: 1 could not be read, 1 with bad bars, 1 with gaps." in html


def test_every_bad_bar_is_listed_with_its_row_and_fault():
    bars = market()
    bars.loc[1_234, "low"] = -5.0
    html = quality_html([checked("series", bars)])
    assert "1 bad bars with 1 faults" in html
    assert re.search(r"<td[^>]*>1,234</td><td>2024-02-21 10:00</td><td>not positive</td><td>low</td><td[^>]*>-5.0</td>", html)


def test_a_name_that_is_markup_stays_text_everywhere():
    name = "<script>alert(1)</script>&x"
    bars = market()
    panel = panel_facts({name: bars, "other": market(seed=1)})
    html = quality_html([checked(name, bars.drop(index=5)), SeriesCheck(name, error=name)], panel)
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;x") >= 4


def test_the_page_asks_the_network_for_nothing(tmp_path):
    write_quality_page(tmp_path / "page.html", [checked("series", market())])
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    ours = html[: html.index("plotly.js")] + html[html.rindex("<script type=") :]
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", ours)
    assert "default-src 'none'" in html
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_sixty_four_series_make_a_page_of_less_than_ten_megabytes_with_twelve_in_detail():
    entries = [checked(f"series{number}", market(20_000, number)) for number in range(64)]
    html = quality_html(entries)
    assert len(html.encode()) < 10_000_000
    assert len(rows_of(html)) == 64
    assert len(re.findall(r'<script type="application/json" class="figure"', html)) == 1 + 2 * 12
    assert "52 more are in the table" in html


def test_no_series_make_no_page():
    with pytest.raises(ConfigError, match="at least one"):
        quality_html([])


def test_gaps_are_drawn_from_the_first_missing_bar_to_the_next_there_is():
    bars = market().drop(index=[100, 101, 300])
    trace = drawn(series_figure(("series", check_bars(bars), bars)), "gap")
    edges = numbers(trace["x"]).reshape(2, 3)
    assert ((edges[:, :2] - MIDNIGHT) / HOUR).tolist() == [[100, 102], [300, 301]]
    assert np.isnan(edges[:, 2]).all()


def test_of_very_many_gaps_the_longest_are_drawn_and_the_legend_says_so():
    rows = np.setdiff1d(np.arange(4_000), np.concatenate([np.arange(10, 2_010, 4), [3_000, 3_001, 3_002]]))
    bars = market(4_000).iloc[rows].reset_index(drop=True)
    trace = drawn(series_figure(("series", check_bars(bars), bars)), "gap")
    assert trace["name"] == "gap (longest 400 of 501)"
    assert MIDNIGHT + 3_000 * HOUR in numbers(trace["x"])


def test_an_outlier_is_marked_at_its_close_and_a_bad_bar_at_its_time():
    bars = market()
    bars.loc[500, "close"] *= 1.2
    bars.loc[500, "high"] = bars.loc[500, "close"]
    bars.loc[900, "close"] = np.nan
    figure = series_figure(("series", check_bars(bars), bars))
    marks = drawn(figure, "outlier")
    assert ((numbers(marks["x"]) - MIDNIGHT) / HOUR).tolist() == [500, 501]
    # Prices are drawn in float32.
    assert numbers(marks["y"])[0] == pytest.approx(bars.loc[500, "close"], rel=1e-6)
    assert ((numbers(drawn(figure, "bad bar")["x"]) - MIDNIGHT) / HOUR).tolist() == [900]


def test_a_wrong_year_does_not_stretch_the_axes():
    bars = market()
    bars.loc[700, "timestamp"] = pd.Timestamp("2261-01-01T00:00:00Z")
    entry = ("series", check_bars(bars), bars)
    assert series_figure(entry).layout.xaxis.range == (MIDNIGHT, MIDNIGHT + 1_999 * HOUR)
    assert max(numbers(json.loads(coverage_figure([entry]).to_json())["data"][0]["x"])) == MIDNIGHT + 2_000 * HOUR


def test_coverage_is_the_share_of_bars_there_and_nothing_outside_the_series():
    early = market(400)
    late = market(400, start=MIDNIGHT + 400 * HOUR).drop(index=range(100, 300)).reset_index(drop=True)
    heat = coverage_figure([("early", check_bars(early), early), ("late", check_bars(late), late)]).data[0]
    shares = np.asarray(heat.z, dtype=np.float64)
    # 800 hours in 400 columns: two bars a column.
    assert np.isnan(shares[0, 200:]).all()
    assert np.isnan(shares[1, :200]).all()
    assert shares[0, :200].tolist() == [1.0] * 200
    assert shares[1, 200:].tolist() == [1.0] * 50 + [0.0] * 100 + [1.0] * 50


def test_volume_is_told_by_the_hour_the_weekday_and_the_price():
    bars = market(24 * 14)
    bars["volume"] = 0.0
    bars.loc[[5, 29], "volume"] = [30.0, 10.0]  # Monday 05:00 and Tuesday 05:00
    hours, days, prices = volume_figure(("series", check_bars(bars), bars)).data
    assert np.asarray(hours.y)[5] == pytest.approx(100.0, rel=1e-12)
    assert np.asarray(days.y)[:3].tolist() == pytest.approx([75.0, 25.0, 0.0], rel=1e-12)
    assert np.asarray(prices.x).sum() == pytest.approx(100.0, rel=1e-12)
    assert np.asarray(prices.x)[np.argmin(np.abs(np.asarray(prices.y) - bars.loc[5, "close"]))] >= 75.0 - 1e-9


def test_a_panel_tells_what_is_common_and_who_lacks_bars():
    long, short = market(1_000), market(600, seed=3, start=MIDNIGHT + 100 * HOUR).drop(index=[10, 11, 12]).reset_index(drop=True)
    facts = panel_facts({"long": long, "short": short, "copy": long})
    assert (facts.common, facts.union, facts.absent) == (597, 600, {"long": 0, "short": 3, "copy": 0})
    assert (facts.start_ms, facts.stop_ms) == (MIDNIGHT + 100 * HOUR, MIDNIGHT + 699 * HOUR)
    assert facts.correlation[0, 2] == pytest.approx(1.0, abs=1e-12)
    # 596 independent returns: a standard error of 0.041.
    assert abs(facts.correlation[0, 1]) < 0.17
    html = quality_html([checked("long", long), checked("short", short)], facts)
    assert "Of 600 opening times in that span, 597 have a bar in every series." in html
    assert "short (3)" in html


def test_series_without_a_time_in_common_are_told_so():
    facts = panel_facts({"early": market(200), "late": market(200, start=MIDNIGHT + 9_000 * HOUR)})
    assert facts.common == 0
    assert np.isnan(facts.correlation).all()
    assert "have no time in common" in quality_html([checked("early", market(200))], facts)
    with pytest.raises(ConfigError, match="at least two"):
        panel_facts({"alone": market(200)})


def test_stylised_facts_stand_beside_what_is_usual():
    html = quality_html([checked("walk", market(5_000))])
    assert re.search(r"<td>excess kurtosis</td><td class=\"right odd\">[−0-9.]+</td><td class=\"right\">13 to 165</td>", html)


def test_bars_whose_every_price_is_bad_still_make_a_page():
    bars = market(200)
    bars["close"] = np.nan
    assert "200 bad bars" in quality_html([checked("series", bars)])


SECOND_MONDAY = MIDNIGHT + 7 * 24 * HOUR  # the first is New Year


def closed_on_weekends(rows=1_600):
    """Bars without those while currencies pause, and without thirty of a week in which they do not."""
    times = SECOND_MONDAY + HOUR * np.arange(rows)
    bars = market(rows, start=SECOND_MONDAY)
    there = calendar("fx").open_mask(times, Timeframe.parse("1h"))
    there[200:230] = False
    bars = bars[there].reset_index(drop=True)
    return bars, with_calendar(check_bars(bars), calendar("fx"))


def test_nothing_is_said_of_time_while_the_market_was_closed_and_lost_bars_stay_red():
    bars, report = closed_on_weekends()
    shares = np.asarray(coverage_figure([("series", report, bars)]).data[0].z, dtype=np.float64)[0]
    # 1,600 hours in 400 columns, four a column; hours 118 to 165 are the first weekend, and 200 to 229 are lost.
    assert np.isnan(shares[30:41]).all()
    assert shares[50:58].tolist() == [0.0] * 7 + [0.5]
    rest = np.delete(shares, np.arange(50, 58))
    # Where the market opens within a column, the bars of its open part are all there.
    assert set(rest[~np.isnan(rest)]) == {1.0}
    plain = np.asarray(coverage_figure([("series", check_bars(bars), bars)]).data[0].z, dtype=np.float64)[0]
    assert plain[30:41].tolist() == [0.0] * 11


def test_gaps_are_named_for_whether_a_calendar_expects_them():
    bars, report = closed_on_weekends()
    figure = series_figure(("series", report, bars))
    edges = numbers(drawn(figure, "unexpected gap")["x"])
    assert ((edges[:2] - SECOND_MONDAY) / HOUR).tolist() == [200, 230]
    assert len(numbers(drawn(figure, "expected gap")["x"])) == 3 * (report.gaps - 1)


def test_of_very_many_expected_gaps_some_are_marked_all_along_the_series():
    bars = market(24 * 7 * 300, start=1_420_070_400_000)
    times = bars["timestamp"].astype("datetime64[ms, UTC]").astype(np.int64).to_numpy()
    kept = bars[calendar("fx").open_mask(times, Timeframe.parse("1h"))].reset_index(drop=True)
    report = with_calendar(check_bars(kept), calendar("fx"))
    ticks = numbers(drawn(coverage_figure([("series", report, kept)]), "expected gap")["x"])
    assert len(ticks) == 100
    assert int((ticks < times[len(times) // 2]).sum()) in {49, 50, 51}


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_extreme_prices_are_drawn_as_they_are(factor):
    bars = market()
    bars[["open", "high", "low", "close"]] *= factor
    closes = drawn(series_figure(("series", check_bars(bars), bars)), "close")
    # Usual prices are drawn in float32.
    assert numbers(closes["y"]).max() == bars["close"].max()


def test_long_names_are_shortened_beside_figures_and_stay_apart():
    name = "a" * 80 + ".csv"
    bars = market()
    entry = (name, check_bars(bars), bars)
    labels = list(coverage_figure([entry, entry, ("b", *entry[1:])]).data[0].y)
    assert labels == ["aaaaaaaaaaaaaaaa…aaaaaaaaaaa.csv", "aaaaaaaaaaaaaaaa…aaaaaaaaaaa.csv (2)", "b"]
    assert name in quality_html([checked(name, bars)])


def test_the_page_says_by_what_its_calendar_was_told():
    bars, report = closed_on_weekends()
    assert "Expected by the calendar fx, by the currencies" in quality_html(
        [SeriesCheck("x", report, bars, hours="the currencies")]
    )


def test_a_move_of_many_digits_leaves_the_table_its_width():
    bars = market(300)
    bars.loc[200:, ["open", "high", "low", "close"]] *= 1e15
    moved = rows_of(quality_html([checked("jumped", bars), checked("sound", market(300))]))
    assert [len(row[-1]) for row in moved] == [7, 3]
    assert float(moved[0][-1]) == pytest.approx(1e17, rel=1e-2)
