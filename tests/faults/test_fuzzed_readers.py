"""Readers given damaged and invented files, for as long as there is time: each is read, or refused in words; nothing crashes.

``SEAWALL_FUZZ_SECONDS`` sets how long the slow ones run in all, ten minutes by default.
"""

from __future__ import annotations

import gzip
import io
import os
import time
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.sources import hourly
from seawall.core.errors import SeawallError
from seawall.market.checks.quality import QualityParams, apply_quality, check_bars
from seawall.market.files import read_bars
from seawall.market.formats.tables import write_tables
from seawall.market.trends.reading import read_trends

SECONDS = float(os.environ.get("SEAWALL_FUZZ_SECONDS", "600"))
SUFFIXES = (".csv", ".csv.gz", ".zip", ".parquet", ".feather", ".h5")
TOKENS = (
    "", "nan", "NaN", "inf", "-inf", "1e400", "-0", "0", "1e-320", "9223372036854775808", "1704067200000000000000",
    "2024-02-30", "\x00", "2024-01-01T00:00:00+25:00", "0001-01-01", "9999-12-31T23:59:59Z", "'", '"', '""', "\t", ",", ";",
    "\r", "\n", "\ufeff", "٣", "1_000", "timestamp", "date,date", "True", "null", "0x10", "١٢", "1,5", "💥" * 50, "-1",
    "1.7976931348623157e308",
)  # fmt: skip


def survives(path) -> bool:
    """Return whether bars were read; anything else than a refusal is an error."""
    try:
        bars = read_bars(path)
        check_bars(bars).to_dict()
        apply_quality(bars, QualityParams(gaps="bridge", bad_bars="drop"))
    except SeawallError:
        return False
    return True


def sound(suffix: str, tmp_path) -> bytes:
    bars = hourly(40)
    if suffix == ".zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("BTCUSDT-1h-2024-01.csv", bars.to_csv(index=False))
        return packed.getvalue()
    if suffix == ".csv.gz":
        return gzip.compress(bars.to_csv(index=False).encode(), mtime=0)
    write_tables(tmp_path / f"sound{suffix}", {"/1h": bars})
    return (tmp_path / f"sound{suffix}").read_bytes()


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """Return content after one to four changes of any kind."""
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(0, max(len(content), 1)))
        length = int(random.integers(1, 40))
        kind = random.integers(6)
        if kind == 0:
            content = content[:place] + bytes(random.integers(0, 256, length, dtype=np.uint8)) + content[place + length :]
        elif kind == 1:
            content = content[:place]
        elif kind == 2:
            content = content[:place] + content[place : place + length] * int(random.integers(2, 5)) + content[place + length :]
        elif kind == 3:
            content = content[:place] + content[place + length :]
        elif kind == 4:
            content = content[:place] + str(random.choice(TOKENS)).encode() + content[place:]
        elif len(content):
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(random.integers(8))
            content = bytes(flipped)
    return content


def rewritten(random: np.random.Generator) -> bytes:
    """Return a CSV file with some cells, columns or lines replaced by tokens that have broken readers before."""
    rows = [line.split(",") for line in hourly(12).to_csv(index=False).splitlines()]
    for _ in range(random.integers(1, 6)):
        row = rows[random.integers(len(rows))]
        if row:
            row[random.integers(len(row))] = str(random.choice(TOKENS))
    if random.random() < 0.2:
        rows.insert(int(random.integers(len(rows))), [str(random.choice(TOKENS))] * int(random.integers(0, 9)))
    separator = str(random.choice([",", ";", "\t", "|"]))
    return str(random.choice(["\n", "\r\n"])).join(separator.join(row) for row in rows).encode()


def fuzz(suffix: str, tmp_path, seconds: float, seed: int) -> tuple[int, int]:
    """Return how many files were tried and how many of them were read."""
    whole, random = sound(suffix, tmp_path), np.random.default_rng(seed)
    end, tried, read = time.monotonic() + seconds, 0, 0
    path = tmp_path / f"fuzzed{suffix}"
    while time.monotonic() < end:
        invented = rewritten(random) if suffix in (".csv", ".csv.gz") and random.random() < 0.7 else None
        content = damaged(whole, random) if invented is None else gzip.compress(invented) if suffix == ".csv.gz" else invented
        path.write_bytes(content)
        tried += 1
        try:
            read += survives(path)
        except BaseException:
            (tmp_path / f"crashed-{seed}-{tried}{suffix}").write_bytes(content)
            raise
    return tried, read


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_file_crashes_a_reader_in_a_second(tmp_path, suffix):
    tried, _read = fuzz(suffix, tmp_path, 1.0, 0)
    assert tried > (1 if suffix == ".h5" else 30)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_file_crashes_a_reader(tmp_path, suffix):
    tried, read = fuzz(suffix, tmp_path, SECONDS / len(SUFFIXES), int(time.time()))
    print(f"{suffix}: {tried} files tried, {read} of them read")
    assert tried > read


@given(content=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_at_all_crashes_a_reader(tmp_path, content):
    for suffix in (".csv", ".parquet"):
        path = tmp_path / f"any{suffix}"
        path.write_bytes(content)
        survives(path)


CELLS = st.sampled_from(TOKENS) | st.floats().map(repr) | st.integers(-(2**70), 2**70).map(str) | st.datetimes().map(str)


@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=6), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cells_under_a_sound_header_crash_a_reader(tmp_path, rows):
    path = tmp_path / "cells.csv"
    pd.DataFrame(rows, columns=["timestamp", "open", "high", "low", "close", "volume"]).to_csv(path, index=False)
    survives(path)


HEADERS = (
    "date,time,open,high,low,close,volume", "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>",
    "unix,date,symbol,open,high,low,close,volume btc", "gmt time,x,open,high,low,close,volume",
    "Price,Close,High,Low,Open,Volume,x", "2024.01.31,15:30,1,2,0.5,1.5,10", "1706713200,1,2,0.5,1.5,10,7",
)  # fmt: skip
TIMES = (
    "24:00", "25:61", "3:00 PM", "13:00 PM", "930", "153000", "9", "٣", "20240131", "20240230", "202401311530", "31/01/2024",
    "01/31/2024", "31.02.2024 15:30", "2024-03-31 01:00:00+01:00", "2024-03-31 03:00:00+02:00", "2024-01-31 15:30 UTC", "11-PM",
)  # fmt: skip
OF_TIMES = CELLS | st.sampled_from(TIMES)


@given(
    rows=st.lists(st.tuples(OF_TIMES, OF_TIMES, *[CELLS] * 5), min_size=1, max_size=8),
    header=st.sampled_from(HEADERS),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cells_in_any_layout_crash_a_reader(tmp_path, rows, header, encoding):
    path = tmp_path / "layout.csv"
    path.write_bytes((header + "\n" + pd.DataFrame(rows).to_csv(index=False, header=False)).encode(encoding))
    survives(path)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=0, max_size=8), head=st.sampled_from(["Week", "Day", "Month", "timestamp", "x"])
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cells_crash_the_reader_of_search_interest(tmp_path, rows, head):
    path = tmp_path / "multiTimeline.csv"
    body = pd.DataFrame(rows, columns=[head, "bitcoin: (Worldwide)"]).to_csv(index=False)
    path.write_text("Category: All categories\n\n" + body, encoding="utf-8")
    with suppress(SeawallError):
        read_trends(path)
