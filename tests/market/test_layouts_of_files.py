"""The layouts of files that people have: each gives the same two bars, or is told why it cannot."""

from __future__ import annotations

import zipfile

import pandas as pd
import pytest

from seawall.core.bars import timestamps_ms
from seawall.core.errors import DataError
from seawall.market.files import read_bars

# Two hourly bars of 31 January 2024.
TIMES_MS = [1_706_713_200_000, 1_706_716_800_000]
ROWS = [[1.0, 2.0, 0.5, 1.5, 10.0], [1.5, 3.0, 1.0, 2.5, 20.0]]
ONE, TWO = "1,2,0.5,1.5,10", "1.5,3,1,2.5,20"
HEADER = "timestamp,open,high,low,close,volume"
METATRADER = [
    "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>",
    f"2024.01.31,15:00:00,{ONE},7,3",
    f"2024.01.31,16:00:00,{TWO},7,3",
]
STOOQ = [
    "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
    f"A.US,60,20240131,150000,{ONE},0",
    f"A.US,60,20240131,160000,{TWO},0",
]
DOWNLOADED = [
    "https://www.CryptoDataDownload.com",
    "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount",
    f"1706716800000,2024-01-31 16:00:00,BTCUSDT,{TWO},45,9",
    f"1706713200000,2024-01-31 15:00:00,BTCUSDT,{ONE},15,7",
]


def both(one: str, two: str, header: str = HEADER) -> list[str]:
    return [header, f"{one},{ONE}", f"{two},{TWO}"]


LAYOUTS = {
    "digits to the hour": both("2024013115", "2024013116"),
    "digits to the minute": both("202401311500", "202401311600"),
    "digits to the second": both("20240131150000", "20240131160000"),
    "digits in quotes": both('"202401311500"', '"202401311600"'),
    "date and time": both("2024-01-31,15:00", "2024-01-31,16:00", "Date,Time,Open,High,Low,Close,Volume"),
    "date of digits and time of digits": both("20240131,1500", "20240131,1600", "date,time,open,high,low,close,volume"),
    "American dates and half days": both("01/31/2024,3:00 PM", "01/31/2024,4:00 PM", "Date,Time,Open,High,Low,Close,Volume"),
    "whole times beside a date": both("2024-01-31,1706713200", "2024-01-31,1706716800", "date,time,open,high,low,close,volume"),
    "whole dates beside a time": both("2024-01-31 15:00,15:00", "2024-01-31 16:00,16:00", "date,time,open,high,low,close,volume"),
    "datetime and time": both("2024-01-31,15:00", "2024-01-31,16:00", "datetime,time,open,high,low,close,volume"),
    "timestamp and time of digits": both("20240131,150000", "20240131,160000", "timestamp,time,open,high,low,close,volume"),
    "date and a clock of any name": both("2024-01-31,3:00 PM", "2024-01-31,4:00 PM", "date,Uhrzeit,open,high,low,close,volume"),
    "Tickstory": both("20240131,15:00:00", "20240131,16:00:00", "Date,Timestamp,Open,High,Low,Close,Volume"),
    "whole times beside an hour": both("2024-01-31 15:00,15", "2024-01-31 16:00,16", "date,hour,open,high,low,close,volume"),
    "whole times beside a time of day": both("1706713200,15:00", "1706716800,16:00", "timestamp,time,open,high,low,close,volume"),
    "a first line for Excel": ["sep=;", *(line.replace(",", ";") for line in both("1706713200", "1706716800"))],
    "a column of times that says UTC": both("2024.01.31 15:00:00", "2024.01.31 16:00:00", "Time (UTC),Open,High,Low,Close,Volume"),
    "TradingView": both("1706713200", "1706716800", "time,open,high,low,close,Volume"),
    "MetaTrader 5 in Python": [
        "time,open,high,low,close,tick_volume,spread,real_volume",
        f"1706713200,{ONE},3,0",
        f"1706716800,{TWO},3,0",
    ],
    "MetaTrader 5": METATRADER,
    "MetaTrader 5 with tabs": [line.replace(",", "\t") for line in METATRADER],
    "MetaTrader 4": [f"2024.01.31,15:00,{ONE}", f"2024.01.31,16:00,{TWO}"],
    "HistData": [f"20240131 150000;{ONE}".replace(",", ";"), f"20240131 160000;{TWO}".replace(",", ";")],
    "Kraken": [f"1706713200,{ONE},7", f"1706716800,{TWO},9"],
    "ccxt without a header": [f"1706713200000,{ONE}", f"1706716800000,{TWO}"],
    "Stooq": STOOQ,
    "Coinbase": ["time,low,high,open,close,volume", "1706716800,1,3,1.5,2.5,20", "1706713200,0.5,2,1,1.5,10"],
    "CryptoDataDownload": DOWNLOADED,
    "CryptoDataDownload of 2020": [
        "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT",
        f"2024-01-31 04-PM,BTCUSDT,{TWO},45",
        f"2024-01-31 03-PM,BTCUSDT,{ONE},15",
    ],
    "Dukascopy": both("31.01.2024 15:00:00.000", "31.01.2024 16:00:00.000", "Gmt time,Open,High,Low,Close,Volume"),
    "Dukascopy in local time": both(
        "31.01.2024 16:00:00.000 GMT+0100", "31.01.2024 17:00:00.000 GMT+0100", "Local time,Open,High,Low,Close,Volume"
    ),
    "times that end in UTC": both("2024-01-31 15:00:00 UTC", "2024-01-31 16:00:00 UTC"),
    "day first": both("31/01/2024 15:00", "31/01/2024 16:00"),
    "an index without a name": both("2024-01-31 15:00", "2024-01-31 16:00", ",Open,High,Low,Close,Volume"),
    "yfinance": [
        "Price,Close,High,Low,Open,Volume",
        "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL",
        "Datetime,,,,,",
        "2024-01-31 15:00:00+00:00,1.5,2,0.5,1,10",
        "2024-01-31 16:00:00+00:00,2.5,3,1,1.5,20",
    ],
    "yfinance of old": [
        ",Open,High,Low,Close,Volume",
        ",AAPL,AAPL,AAPL,AAPL,AAPL",
        "Datetime,,,,,",
        f"2024-01-31 15:00:00+00:00,{ONE}",
        f"2024-01-31 16:00:00+00:00,{TWO}",
    ],
    "offsets of summer time": both("2024-01-31 16:00:00+01:00", "2024-01-31 18:00:00+02:00"),
}  # fmt: skip


def read(tmp_path, lines, name="bars.csv", encoding="utf-8"):
    (tmp_path / name).write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return read_bars(tmp_path / name)


def assert_the_two_bars(bars):
    assert timestamps_ms(bars).tolist() == TIMES_MS
    assert str(bars["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert bars[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == ROWS


@pytest.mark.parametrize("lines", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_gives_the_same_bars(tmp_path, lines):
    assert_the_two_bars(read(tmp_path, lines))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_with_a_byte_order_mark_is_read_in_its_encoding(tmp_path, encoding):
    assert_the_two_bars(read(tmp_path, METATRADER, encoding=encoding))


def test_lines_that_end_as_on_old_systems_are_lines(tmp_path):
    (tmp_path / "bars.csv").write_bytes("\r".join(both("1706713200", "1706716800")).encode())
    assert_the_two_bars(read_bars(tmp_path / "bars.csv"))


@pytest.mark.parametrize("name", ["bars.tsv", "bars.txt", "BARS.CSV"])
def test_delimited_text_is_read_under_its_other_suffixes(tmp_path, name):
    assert_the_two_bars(read(tmp_path, both("1706713200", "1706716800"), name))


def test_what_a_system_adds_to_a_zip_is_passed_over(tmp_path):
    with zipfile.ZipFile(tmp_path / "bars.zip", "w") as archive:
        archive.writestr("bars.csv", "\n".join(both("1706713200", "1706716800")))
        archive.writestr("__MACOSX/._bars.csv", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"\0")
    assert_the_two_bars(read_bars(tmp_path / "bars.zip"))


def test_days_in_digits_are_days(tmp_path):
    bars = read(tmp_path, both("20240131", "20240201"))
    assert bars["timestamp"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-31", "2024-02-01"]


def test_seconds_that_look_like_dates_to_the_hour_are_seconds_where_one_is_no_date(tmp_path):
    bars = read(tmp_path, both("2024013100", "2024016700"))
    assert timestamps_ms(bars).tolist() == [2_024_013_100_000, 2_024_016_700_000]


def test_an_empty_cell_among_dates_in_digits_is_a_missing_time(tmp_path):
    bars = read(tmp_path, [*both("20240131", "20240201"), f",{TWO}"])
    assert bars["timestamp"].isna().tolist() == [False, False, True]


REMARKS = {
    "counts that begin before 1990 are said": (both("320000400", "320004000"), "read as s since 1970: they begin in 1980"),
    "the order of day and month is said": (both("31/01/2024", "01/02/2024"), "day, month, year: row 0 has '31/01/2024'"),
    "the other order is said": (both("1/31/2024", "2/1/2024"), "month, day, year: row 0 has '1/31/2024'"),
    "a count of ticks for a volume is said": (METATRADER, "<TICKVOL> is taken as the volume"),
    "a file that is newest first is said": (DOWNLOADED, "is newest first"),
    "changing offsets are said": (LAYOUTS["offsets of summer time"], "offsets in column timestamp change"),
    "the clock of HistData is said": (LAYOUTS["HistData"], r"EST (UTC-5)"),
    "a time of day that tells the rows of one date apart is said": (
        LAYOUTS["datetime and time"],
        "column time is their time of day",
    ),
    "a column without a name is said to be ignored": (
        [f"{HEADER},", f"1706713200,{ONE},", f"1706716800,{TWO},"],
        "ignored: one without a name",
    ),
    "a time that is not needed is said": (LAYOUTS["whole dates beside a time"], "column time is ignored"),
}


@pytest.mark.parametrize("case", REMARKS.values(), ids=REMARKS.keys())
def test_how_a_layout_was_read_is_said(tmp_path, case):
    lines, words = case
    assert words in " | ".join(read(tmp_path, lines).attrs["notes"])


def test_days_beside_an_hour_stay_days_where_none_repeats(tmp_path):
    bars = read(tmp_path, both("2024-01-30,15:00", "2024-01-31,16:00", "date,closing hour,open,high,low,close,volume"))
    assert timestamps_ms(bars).tolist() == [1_706_572_800_000, 1_706_659_200_000]
    assert "not known here are ignored: closing_hour" in " ".join(bars.attrs["notes"])


def test_a_column_of_one_s_own_is_no_clock(tmp_path):
    lines = both("2024-01-31,1000", "2024-01-31,1100", "date,hour,open,high,low,close,volume")
    assert read(tmp_path, lines)["timestamp"].dt.hour.tolist() == [10, 11]
    own = read_bars(tmp_path / "bars.csv", own=["hour"])
    assert own["timestamp"].dt.hour.tolist() == [0, 0]
    assert own["hour"].tolist() == [1000.0, 1100.0]


REFUSED = {
    "a volume in money alone": (
        both("2024-01-31,1", "2024-01-31,1", "date,Volume USD,open,high,low,close,spread"),
        "no volume column.*its volume is in money alone",
    ),
    "hours that may be minutes": (both("2024-01-31,15", "2024-01-31,16", "date,hour,open,high,low,close,volume"), "told apart"),
    "a time of day under another date": (
        both("2024-01-31,15:00", "2024-01-31,16:00", "Day,Time,Open,High,Low,Close,Volume"),
        "row 0 has time = '15:00', a time of day without its date; needed: a column named date",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_is_refused_with_what_is_needed(tmp_path, case):
    lines, words = case
    with pytest.raises(DataError, match=words):
        read(tmp_path, lines)


def test_times_whose_column_says_gmt_need_no_remark_on_their_zone(tmp_path):
    assert "zone" not in " ".join(read(tmp_path, LAYOUTS["Dukascopy"]).attrs["notes"])


def test_a_download_keeps_its_quote_volume_and_trades(tmp_path):
    bars = read(tmp_path, DOWNLOADED)
    assert bars[["quote_volume", "trades"]].to_numpy().tolist() == [[15.0, 7.0], [45.0, 9.0]]


def test_a_parquet_file_of_yfinance_is_read_without_its_symbol(tmp_path):
    frame = pd.DataFrame(
        ROWS, columns=["open", "high", "low", "close", "volume"], index=pd.to_datetime(TIMES_MS, unit="ms", utc=True)
    )
    frame.columns = pd.MultiIndex.from_product([frame.columns, ["AAPL"]], names=["Price", "Ticker"])
    frame.to_parquet(tmp_path / "bars.parquet")
    assert_the_two_bars(read_bars(tmp_path / "bars.parquet"))
