from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import infer_identity, read_bars
from seawall.market.formats.tables import write_tables
from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars

# Two hourly bars of 2024-01-01, as each source writes them.
ROWS = [(1.0, 2.0, 0.5, 1.5, 10.0), (1.5, 3.0, 1.0, 2.5, 20.0)]
TIMES_MS = [1_704_067_200_000, 1_704_070_800_000]
BINANCE = [
    "{t0},1,2,0.5,1.5,10,{c0},15,7,4,6,0",
    "{t1},1.5,3,1,2.5,20,{c1},45,9,8,18,0",
]
BINANCE_HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
BINANCE_API_HEADER = (
    "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,"
    "Taker buy base asset volume,Taker buy quote asset volume,Ignore"
)


def _binance(unit: int) -> list[str]:
    stamps = {f"t{i}": time * unit for i, time in enumerate(TIMES_MS)}
    closes = {f"c{i}": (time + 3_600_000) * unit - 1 for i, time in enumerate(TIMES_MS)}
    return [line.format(**stamps, **closes) for line in BINANCE]


def _read(tmp_path: Path, *lines: str, name: str = "bars.csv", ending: str = "\n") -> pd.DataFrame:
    path = tmp_path / name
    path.write_bytes((ending.join(lines) + ending).encode())
    return read_bars(path)


def _assert_the_two_bars(bars: pd.DataFrame) -> None:
    assert timestamps_ms(bars).tolist() == TIMES_MS
    assert str(bars["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert bars[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [list(row) for row in ROWS]
    assert {str(bars[name].dtype) for name in bars.columns if name != "timestamp"} == {"float64"}


CSV = {
    "ccxt milliseconds": ["timestamp,open,high,low,close,volume", "1704067200000,1,2,0.5,1.5,10", "1704070800000,1.5,3,1,2.5,20"],
    "seconds": ["timestamp,open,high,low,close,volume", "1704067200,1,2,0.5,1.5,10", "1704070800,1.5,3,1,2.5,20"],
    "nanoseconds": [
        "timestamp,open,high,low,close,volume",
        "1704067200000000000,1,2,0.5,1.5,10",
        "1704070800000000000,1.5,3,1,2.5,20",
    ],
    "text without a zone": [
        "timestamp,open,high,low,close,volume",
        "2024-01-01 00:00:00,1,2,.5,1.5,10",
        "2024-01-01 01:00:00,1.5,3,1,2.5,20",
    ],
    "text with a zone": [
        "date,open,high,low,close,volume",
        "2024-01-01T02:00:00+02:00,1,2,.5,1.5,10",
        "2024-01-01T03:00:00+02:00,1.5,3,1,2.5,20",
    ],
    "text ending in Z": [
        "timestamp,open,high,low,close,volume",
        "2024-01-01T00:00:00Z,1,2,.5,1.5,10",
        "2024-01-01T01:00:00.000Z,1.5,3,1,2.5,20",
    ],
    "Yahoo": [
        "Datetime,Open,High,Low,Close,Adj Close,Volume",
        "2024-01-01 00:00:00+00:00,1,2,.5,1.5,1.4,10",
        "2024-01-01 01:00:00+00:00,1.5,3,1,2.5,2.4,20",
    ],
    "semicolons": ["timestamp;open;high;low;close;volume", "1704067200000;1;2;0.5;1.5;10", "1704070800000;1.5;3;1;2.5;20"],
    "quoted cells": [
        '"timestamp","open","high","low","close","volume"',
        '"1704067200000","1","2","0.5","1.5","10"',
        '"1704070800000","1.5","3","1","2.5","20"',
    ],
    "exponents": ["timestamp,open,high,low,close,volume", "1.7040672e12,1e0,2,5e-1,1.5,1e1", "1.7040708e12,1.5,3,1,2.5,2e1"],
    "columns in another order": [
        "volume,close,low,high,open,timestamp",
        "10,1.5,0.5,2,1,1704067200000",
        "20,2.5,1,3,1.5,1704070800000",
    ],
    "Binance dump without a header": _binance(1),
    "Binance dump in microseconds": _binance(1_000),
    "Binance dump with a header": [BINANCE_HEADER, *_binance(1)],
    "Binance with the names of its API": [BINANCE_API_HEADER, *_binance(1)],
}


@pytest.mark.parametrize("lines", CSV.values(), ids=CSV.keys())
def test_every_dialect_of_csv_gives_the_same_bars(tmp_path, lines):
    _assert_the_two_bars(_read(tmp_path, *lines))
    _assert_the_two_bars(_read(tmp_path, *lines, ending="\r\n"))


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    lines = CSV["ccxt milliseconds"]
    _assert_the_two_bars(_read(tmp_path, "\ufeff" + lines[0], *lines[1:]))


def test_compressed_csv_is_read(tmp_path):
    pd.DataFrame(ROWS, columns=["open", "high", "low", "close", "volume"]).assign(timestamp=TIMES_MS).to_csv(
        tmp_path / "bars.csv.gz", index=False
    )
    _assert_the_two_bars(read_bars(tmp_path / "bars.csv.gz"))


@pytest.mark.parametrize("header", [None, BINANCE_HEADER, BINANCE_API_HEADER])
def test_a_binance_dump_keeps_its_other_volumes(tmp_path, header):
    bars = _read(tmp_path, *([header] if header else []), *_binance(1_000))
    optional = bars[["quote_volume", "trades", "taker_buy_base", "taker_buy_quote"]]
    assert optional.to_numpy().tolist() == [[15.0, 7.0, 4.0, 6.0], [45.0, 9.0, 8.0, 18.0]]


def _frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["open", "high", "low", "close", "volume"])


TIMES = pd.to_datetime(TIMES_MS, unit="ms", utc=True)
FRAMES = {
    "freqtrade": _frame().assign(date=TIMES),
    "another zone": _frame().assign(timestamp=TIMES.tz_convert("America/New_York")),
    "no zone": _frame().assign(timestamp=TIMES.tz_localize(None)),
    "nanoseconds": _frame().assign(timestamp=TIMES.as_unit("ns")),
    "index of times": _frame().set_index(TIMES),
    "named index of times": _frame().set_index(TIMES.rename("Date")).rename(columns=str.capitalize),
    "numbers as 32-bit floats and integers": _frame().astype("float32").assign(volume=[10, 20], timestamp=TIMES_MS),
    "numbers as text": _frame().astype("str").assign(timestamp=TIMES_MS),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_every_form_of_parquet_gives_the_same_bars(tmp_path, frame):
    frame.to_parquet(tmp_path / "bars.parquet")
    _assert_the_two_bars(read_bars(tmp_path / "bars.parquet"))


def test_feather_is_read(tmp_path):
    FRAMES["freqtrade"].to_feather(tmp_path / "BTC_USDT-1h.feather")
    _assert_the_two_bars(read_bars(tmp_path / "BTC_USDT-1h.feather"))


def test_times_without_a_zone_and_columns_left_out_are_said_in_the_quality_report(tmp_path):
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume,Mood", "2024-01-01,1,2,.5,1.5,1.4,10,3", "2024-01-02,1.5,3,1,2.5,2.4,20,4"]
    _, report = apply_quality(_read(tmp_path, *lines), QualityParams())
    said = " | ".join(report.to_dict()["notes"])
    assert "column date have no zone: they are read as UTC" in said
    assert "adj_close is ignored" in said
    assert "not known here are ignored: mood" in said


def test_times_with_a_zone_need_no_remark(tmp_path):
    assert _read(tmp_path, *CSV["text with a zone"]).attrs["notes"] == []


def test_an_empty_cell_becomes_nan_for_the_quality_check_to_name(tmp_path):
    bars = _read(tmp_path, "timestamp,open,high,low,close,volume", "1704067200000,1,2,,1.5,10", "1704070800000,1.5,3,NaN,2.5,null")
    assert np.isnan(bars["low"]).tolist() == [True, True]
    with pytest.raises(DataError, match=r"row 0 at 2024-01-01T00:00:00Z: non_finite \(low is nan\)"):
        apply_quality(bars, QualityParams())


def test_a_missing_file_shows_what_was_looked_for_and_from_where(tmp_path):
    with pytest.raises(DataError) as refusal:
        read_bars(Path("raw/btc.csv"), tmp_path)
    assert str(refusal.value) == f"no file raw/btc.csv: looked for {tmp_path / 'raw' / 'btc.csv'}, resolved against {tmp_path}"


def test_a_relative_path_starts_from_the_root(tmp_path):
    _read(tmp_path, *CSV["seconds"], name="here.csv")
    _assert_the_two_bars(read_bars(Path("here.csv"), tmp_path))


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".h5"])
def test_what_is_written_is_read_back_exactly(tmp_path, suffix):
    bars = planted_edge_bars(PlantedEdgeParams(n_bars=500), seed=3).bars
    write_tables(tmp_path / f"bars{suffix}", {"/1h": bars})
    assert bars_digest(read_bars(tmp_path / f"bars{suffix}")) == bars_digest(bars)


def test_bars_are_not_written_under_an_unknown_suffix(tmp_path, bars):
    with pytest.raises(ConfigError, match=r"allowed: a name that ends in \.parquet"):
        write_tables(tmp_path / "bars.xlsx", {"": bars})


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("binance_BTCUSDT_1h.parquet", ("binance", "BTCUSDT", "1h")),
        ("binance_BTCUSDT_1m_202407.parquet", ("binance", "BTCUSDT", "1m")),
        ("mt5_US500.cash_15m.csv.gz", ("mt5", "US500.cash", "15m")),
        ("BTCUSDT-1h-2024-01.csv", ("binance", "BTCUSDT", "1h")),
        ("ETHUSDT-5m-2024-01-31.csv", ("binance", "ETHUSDT", "5m")),
        ("BTC_USDT-1h.feather", ("freqtrade", "BTC_USDT", "1h")),
        ("BTC_USDT_USDT-4h-futures.feather", ("freqtrade", "BTC_USDT_USDT", "4h")),
        ("my prices.csv", ("files", "my prices", None)),
        ("binance_BTCUSDT_0h.csv", ("files", "binance_BTCUSDT_0h", None)),
        ("a.b.parquet", ("files", "a.b", None)),
    ],
)
def test_a_file_name_tells_source_symbol_and_timeframe(name, identity):
    assert infer_identity(Path("anywhere") / name) == identity
