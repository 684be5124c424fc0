"""A corpus of malformed files: each is refused by name, or its bad bars are named and, under ``drop``, set aside."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.core.errors import DataError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import read_bars

HEADER = "timestamp,open,high,low,close,volume"
N_ROWS = 40


def _row(number: int, **changes: str) -> str:
    close = 100 + number
    time = f"2024-01-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
    values = {"timestamp": time, "open": close - 1, "high": close + 1, "low": close - 2, "close": close, "volume": 10}
    return ",".join(str(value) for value in {**values, **changes}.values())


def _lines(faults: dict[int, dict[str, str]] | None = None) -> list[str]:
    return [HEADER, *(_row(number, **(faults or {}).get(number, {})) for number in range(N_ROWS))]


def _text(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _sound() -> bytes:
    return _text(*_lines())


def _counts(counts: list[object]) -> bytes:
    return _text(HEADER, *(f"{count},1,2,0.5,1.5,10" for count in counts))


def _parquet(frame: pd.DataFrame, path: Path) -> bytes:
    frame.to_parquet(path.with_suffix(".made"))
    return path.with_suffix(".made").read_bytes()


def _frame() -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC")
    return pd.DataFrame({"timestamp": times, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 3.0})


# name: (file name, content or a function of the path that makes it, what the message must say)
UNREADABLE = {
    "nothing at all": ("x.csv", b"", r"x\.csv is empty \(0 bytes\)"),
    "a header alone": ("x.csv", _text(HEADER), r"x\.csv has columns but no rows"),
    "blank lines alone": ("x.csv", b"\n\n\n", "no time, open, high, low, close, volume column"),
    "no volume": ("x.csv", _text("timestamp,open,high,low,close", "1704067200,1,2,0.5,1"), "has no volume column; its columns are"),
    "no time": ("x.csv", _text("open,high,low,close,volume", "1,2,0.5,1,3"), "has no time column"),
    "no column in common": (
        "x.csv",
        _text("a,b", "1,2"),
        "has no time, open, high, low, close, volume column; its columns are a, b",
    ),
    "no header": ("x.csv", _text(*_lines()[1:]), "has no time, open.*first line holds values and no names"),
    "a title above the header": (
        "x.csv",
        _text("https://example.com/prices", *_lines()),
        "has no time, open.*first line is a title",
    ),
    "two columns of one name": (
        "x.csv",
        _text(HEADER + ",close", "1704067200,1,2,0.5,1,3,9"),
        r"2 columns named close \(close, close\)",
    ),
    "two spellings of one name": ("x.csv", _text(HEADER + ",Close", "1704067200,1,2,0.5,1,3,9"), r"named close \(close, Close\)"),
    "text in a price": ("x.csv", _text(*_lines({7: {"high": "n.a.?"}})), r"row 7 has high = 'n\.a\.\?', which is no number"),
    "thousands separators": ("x.csv", _text(*_lines({7: {"close": '"1,070"'}})), r"row 7 has close = '1,070', which is no number"),
    "text in the volume": ("x.csv", _text(*_lines({0: {"volume": "10K"}})), "row 0 has volume = '10K', which is no number"),
    "text in the time": ("x.csv", _text(*_lines({7: {"timestamp": "soon"}})), "row 7 has timestamp = 'soon', which is no time"),
    "a date that is none": (
        "x.csv",
        _text(*_lines({7: {"timestamp": "2024-02-31T07:00:00Z"}})),
        "row 7 has timestamp = '2024-02-31",
    ),
    "days that may be months": (
        "x.csv",
        _text(HEADER, "03/04/2024 00:00,1,2,0.5,1,3"),
        r"row 0 has timestamp = '03/04/2024 00:00', and no row has a day after the twelfth.*ISO 8601",
    ),
    "days and months in both orders": (
        "x.csv",
        _text(HEADER, "31/01/2024,1,2,0.5,1,3", "01/31/2024,1,2,0.5,1,3"),
        "mixes orders of day and month: row 0 .* row 1",
    ),
    "a date of digits that is none": (
        "x.csv",
        _counts([202401311530, 202413311530]),
        "row 1 has timestamp = 202413311530, .*no date",
    ),
    "the 31st of April in digits": ("x.csv", _counts([20240430, 20240431]), "row 1 has timestamp = 20240431, which is no date"),
    "counts that look like dates": (
        "x.csv",
        _counts([200_000_000_000, 200_003_600_000]),
        "row 0 has timestamp = 200000000000, .*no date",
    ),
    "a time of day that is none": (
        "x.csv",
        _text("date,time,open,high,low,close,volume", "2024-01-31,25:00,1,2,0.5,1,3"),
        "row 0 has time = '25:00', which is no time .*allowed: times of day",
    ),
    "digits of another alphabet": (
        "x.csv",
        _text("date,time,open,high,low,close,volume", "2024-01-31,15:00,1,2,0.5,1,3", "2024-01-31,٣,1,2,0.5,1,3"),
        "row 1 has time = '٣', which is no time",
    ),
    "hours that may be minutes": (
        "x.csv",
        _text("date,time,open,high,low,close,volume", "2024-01-31,8,1,2,0.5,1,3", "2024-01-31,9,1,2,0.5,1,3"),
        "row 1 has time = '9', and none has more: hours and minutes",
    ),
    "prices in another order": (
        "x.csv",
        _text("1706713200,0.5,2,1,1.5,10", "1706716800,1,3,1.5,2.5,20"),
        "are not open, high, low and close in this order",
    ),
    "two volumes and no word which": (
        "x.csv",
        _text("date,open,high,low,close,volume eth,volume btc", "2024-01-31,1,2,0.5,1,3,4"),
        "no volume column.*may be volume_eth or volume_btc",
    ),
    "other names": ("x.csv", _text("date,o,h,l,price,volume", "2024-01-31,1,2,0.5,1,3"), "perhaps o to open, h to high"),
    "symbols beside each other": (
        "x.csv",
        _text("Price,Close,Close", "Ticker,A,B", "Date,,", "2024-01-31,1,2"),
        "holds several symbols beside each other",
    ),
    "UTF-16 that does not say so": (
        "x.csv",
        _text(*_lines()).decode().encode("utf-16-le"),
        "byte 0x00 at place 1 .*UTF-16 or UTF-32 without a byte order mark",
    ),
    "half of a UTF-16 file": ("x.csv", _text(*_lines()).decode().encode("utf-16")[:-1], "UTF-16 with half a character"),
    "a letter of Latin-1 in a cell": (
        "x.csv",
        _text(*_lines()) + "2024-01-03,1,2,3,4,é\n".encode("latin-1"),
        r"byte 0xe9 at place \d+ \(line 42\) is no UTF-8",
    ),
    "a bomb": ("x.csv.gz", gzip.compress(_text(HEADER) + b"1704067200,1,2,1,1,1\n" * 2_000_000), "would unpack"),
    "a bomb of many parts": ("x.csv.gz", gzip.compress(bytes(2**24)) * 20, "would unpack"),
    "mixed zones": ("x.csv", _text(*_lines({7: {"timestamp": "2024-01-01T07:00:00+02:00"}})), r"mixes time zones: row 0 .*row 7"),
    "a zone in some rows": ("x.csv", _text(*_lines({7: {"timestamp": "2024-01-01T07:00:00"}})), r"mixes time zones: row 0 .*row 7"),
    "mixed units of time": ("x.csv", _counts([1_704_067_200_000, 1_704_070_800_000_000]), "mixes units of time: row 0 .*row 1"),
    "text among counts of time": ("x.csv", _counts([1_704_067_200_000, 1_704_070_800_000, "oops"]), "row 2 has timestamp = 'oops'"),
    "row numbers as times": ("x.csv", _counts([0, 1, 2]), "row 0 has timestamp = 0, which is no count of time"),
    "fractions of a second": ("x.csv", _counts([1_704_067_200.5, 1_704_070_800]), "row 0 has timestamp = .*no count of time"),
    "negative times": ("x.csv", _counts([-1_704_067_200, 1_704_070_800]), "row 0 has timestamp = .*no count of time"),
    "a row that is too short": ("x.csv", _text(*_lines(), "2024-01-02T16:00:00Z,1,2"), "Expected 6 columns, got 3"),
    "a row that is too long": ("x.csv", _text(*_lines(), _row(N_ROWS) + ",1,2"), "Expected 6 columns, got 8"),
    "an unclosed quote": ("x.csv", _text(*_lines({7: {"close": '"107'}})), r"x\.csv cannot be read as \.csv|which is no number"),
    "letters of another alphabet": ("x.csv", "Время,open,high,low,close,volume\n".encode("cp1251"), r"cannot be read as \.csv"),
    "random bytes": ("x.csv", np.random.default_rng(0).bytes(4_000), r"cannot be read as \.csv|has no"),
    "zero bytes in place of text": ("x.csv", b"\0" * 5_000, "has no|cannot be read"),
    "a zip file": ("x.csv", b"PK\x03\x04" + bytes(100), r"named \.csv but its content is zip"),
    "parquet called csv": ("x.csv", lambda path: _parquet(_frame(), path), r"named \.csv but its content is Parquet"),
    "csv called parquet": ("x.parquet", _sound(), r"named \.parquet but its content is text or unknown"),
    "parquet called feather": ("x.feather", lambda path: _parquet(_frame(), path), r"named \.feather but its content is Parquet"),
    "csv called gzip": ("x.csv.gz", _sound(), r"named \.csv\.gz but its content is text"),
    "gzip called csv": ("x.csv", gzip.compress(_sound()), r"named \.csv but its content is gzip"),
    "half a gzip file": ("x.csv.gz", gzip.compress(_sound())[:200], r"cannot be read as \.csv\.gz"),
    "half a parquet file": ("x.parquet", lambda path: _parquet(_frame(), path)[:-60], r"cannot be read as \.parquet"),
    "parquet magic and nothing else": ("x.parquet", b"PAR1PAR1", r"cannot be read as \.parquet"),
    "feather magic and nothing else": ("x.feather", b"ARROW1\0\0" + bytes(40), r"cannot be read as \.feather"),
    "parquet without rows": ("x.parquet", lambda path: _parquet(_frame().head(0), path), "has columns but no rows"),
    "parquet without volume": ("x.parquet", lambda path: _parquet(_frame().drop(columns="volume"), path), "has no volume column"),
    "booleans for a volume": ("x.parquet", lambda path: _parquet(_frame().assign(volume=True), path), "row 0 has volume = .*True"),
    "booleans for times": (
        "x.parquet",
        lambda path: _parquet(_frame().assign(timestamp=True), path),
        "row 0 has timestamp = .*True",
    ),
    "times for prices": (
        "x.parquet",
        lambda path: _parquet(_frame().assign(open=_frame()["timestamp"]), path),
        "row 0 has open = ",
    ),
    "lists for prices": ("x.parquet", lambda path: _parquet(_frame().assign(open=[[1.0]] * 5), path), "row 0 has open = "),
    "an index of two levels": (
        "x.parquet",
        lambda path: _parquet(_frame().set_index(["timestamp", "open"]), path),
        "an index of 2 levels",
    ),
    "an unknown suffix": ("x.xlsx", _sound(), r"suffix '\.xlsx'; allowed: \.parquet, \.pq, \.csv"),
    "no suffix": ("bars", _sound(), "suffix 'none'; allowed"),
}

# name: (changed cells by row, the row to be named, its kind)
BAD_BARS = {
    "an empty price": ({7: {"low": ""}}, 7, "non_finite"),
    "NaN for a price": ({7: {"close": "NaN"}}, 7, "non_finite"),
    "an infinite high": ({7: {"high": "inf"}}, 7, "non_finite"),
    "an empty volume": ({7: {"volume": ""}}, 7, "non_finite"),
    "a price of zero": ({7: {"low": "0"}}, 7, "not_positive"),
    "a negative price": ({7: {"low": "-5"}}, 7, "not_positive"),
    "a negative volume": ({7: {"volume": "-1"}}, 7, "negative_amount"),
    "a high below the close": ({7: {"high": "106.5"}}, 7, "high_below_body"),
    "a low above the open": ({7: {"low": "106.5"}}, 7, "low_above_body"),
    "a shifted decimal point": ({7: {"high": "10.8"}}, 7, "high_below_body"),
    "the same hour twice": ({7: {"timestamp": "2024-01-01T06:00:00Z"}}, 7, "duplicate"),
    "an hour that is a few minutes late": ({7: {"timestamp": "2024-01-01T07:03:00Z"}}, 7, "off_grid"),
    "an empty time": ({7: {"timestamp": ""}}, 7, "no_time"),
    "a year that stands for no time": ({0: {"timestamp": "0001-01-01T00:00:00Z"}}, 0, "too_early"),
    "a time to come": ({39: {"timestamp": "2261-01-01T00:00:00Z"}}, 39, "future"),
    "faults in several rows": ({3: {"close": "nan"}, 20: {"volume": "-2"}}, 3, "non_finite"),
}


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_holds_no_bars_is_refused_by_name(tmp_path, case):
    name, content, match = case
    path = tmp_path / name
    path.write_bytes(content(path) if callable(content) else content)
    with pytest.raises(DataError, match=match) as refusal:
        read_bars(path)
    assert "\n" not in str(refusal.value)
    assert name in str(refusal.value) or "index" in str(refusal.value)


@pytest.mark.parametrize("case", BAD_BARS.values(), ids=BAD_BARS.keys())
def test_a_bad_bar_is_named_and_refused(tmp_path, case):
    faults, row, kind = case
    (tmp_path / "x.csv").write_bytes(_text(*_lines(faults)))
    with pytest.raises(DataError, match=rf"row {row} at .*: {kind}.*quality\.bad_bars=drop"):
        apply_quality(read_bars(tmp_path / "x.csv"), QualityParams(gaps="bridge"))


@pytest.mark.parametrize("case", BAD_BARS.values(), ids=BAD_BARS.keys())
def test_a_bad_bar_is_set_aside_under_drop_and_the_others_are_kept(tmp_path, case):
    faults, _, kind = case
    (tmp_path / "x.csv").write_bytes(_text(*_lines(faults)))
    bars, report = apply_quality(read_bars(tmp_path / "x.csv"), QualityParams(gaps="bridge", bad_bars="drop"))
    assert report.quarantined["row"].tolist() == sorted(faults)
    assert report.quarantined.loc[0, "kind"] == kind
    assert bars["close"].tolist() == [100.0 + number for number in range(N_ROWS) if number not in faults]


def test_shuffled_bars_are_refused_and_sorted_under_drop(tmp_path):
    lines = _lines()
    order = np.random.default_rng(1).permutation(N_ROWS)
    (tmp_path / "x.csv").write_bytes(_text(lines[0], *(lines[1 + row] for row in order)))
    bars = read_bars(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"faults in 40 bars \(\d+ disorder\): row \d+ at "):
        apply_quality(bars, QualityParams())
    passed, report = apply_quality(bars, QualityParams(bad_bars="drop"))
    assert passed["close"].tolist() == [100.0 + number for number in range(N_ROWS)]
    assert report.dropped == 0


def test_a_single_bar_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(_text(*_lines()[:2]))
    with pytest.raises(DataError, match="at least two"):
        apply_quality(read_bars(tmp_path / "x.csv"), QualityParams())


def test_a_file_without_a_single_time_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(_text(*_lines({row: {"timestamp": ""} for row in range(N_ROWS)})))
    with pytest.raises(DataError, match="at least two"):
        apply_quality(read_bars(tmp_path / "x.csv"), QualityParams(bad_bars="drop"))


def test_a_missing_file_a_folder_and_a_broken_link_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.symlink(tmp_path / "gone.csv", tmp_path / "link.csv")
    with pytest.raises(DataError, match=rf"no file no\.csv: looked for {tmp_path}/no\.csv, resolved against {tmp_path}"):
        read_bars(Path("no.csv"), tmp_path)
    with pytest.raises(DataError, match="is a folder"):
        read_bars(tmp_path / "folder.csv")
    with pytest.raises(DataError, match="no file"):
        read_bars(tmp_path / "link.csv")


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="a reader who may not be refused")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(_sound())
    os.chmod(tmp_path / "x.csv", 0)
    with pytest.raises(DataError, match=r"x\.csv cannot be read"):
        read_bars(tmp_path / "x.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".csv.gz"])
def test_no_damage_to_a_file_shows_as_a_traceback(tmp_path, suffix):
    source = tmp_path / f"sound{suffix}"
    {".csv": _frame().to_csv, ".csv.gz": _frame().to_csv, ".parquet": _frame().to_parquet, ".feather": _frame().to_feather}[suffix](
        source
    )
    sound = source.read_bytes()
    random = np.random.default_rng(2)
    refused = 0
    for _ in range(150):
        damaged = bytearray(sound)
        for place in random.integers(0, len(sound), 3):
            damaged[place] = random.integers(256)
        (tmp_path / f"x{suffix}").write_bytes(bytes(damaged[: random.integers(1, len(sound) + 1)]))
        try:
            apply_quality(read_bars(tmp_path / f"x{suffix}"), QualityParams(gaps="bridge", bad_bars="drop"))
        except DataError:
            refused += 1
    assert refused > 50
