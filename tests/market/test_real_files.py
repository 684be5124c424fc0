"""The published counts of real files: an independent witness of the quality check."""

import re
from pathlib import Path

import pytest

from seawall.market.checks.quality import check_bars
from seawall.market.files import infer_identity, read_bars

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
COLUMNS = ("rows", "first", "last", "gaps", "missing", "longest", "zero", "flat", "move")


def _published() -> dict[str, dict[str, str]]:
    lines = (DATA / "README.md").read_text(encoding="utf-8").splitlines() if (DATA / "README.md").is_file() else []
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| `(binance|bitstamp|coinbase|dukascopy|mt5)_", line)
    ]
    return {row[0].strip("`"): dict(zip(COLUMNS, row[1:10], strict=True)) for row in rows}


PUBLISHED = _published()
# The move published for this file, and for no other, leaves out the steps over gaps.
OTHER_MOVE = "mt5_XAGUSD_1h"
FAST = [name for name in PUBLISHED if re.fullmatch(r"binance_[A-Z]+_1h", name)] or ["absent"]
ALL = [name for name in PUBLISHED if name not in FAST] or ["absent"]


def _compare(name: str) -> None:
    if name == "absent":
        pytest.skip(f"no market data at {DATA}")
    said = PUBLISHED[name]
    path = DATA / "ohlcv" / f"{name}.parquet"
    report = check_bars(read_bars(path))
    assert report.timeframe == infer_identity(path)[2]
    assert report.counts() == {}
    seen = (report.rows, report.gaps, report.missing, report.zero_volume, report.flat)
    assert seen == tuple(int(said[key].replace(",", "")) for key in ("rows", "gaps", "missing", "zero", "flat"))
    hours = {"1h": 1.0, "15m": 0.25, "5m": 1 / 12, "1m": 1 / 60}[report.timeframe]
    longest = (report.longest_gap_bars + 1) * hours if report.gaps else 0.0
    # Published to one decimal.
    assert longest == pytest.approx(float(said["longest"]), abs=0.051)
    if name != OTHER_MOVE:
        # Published to two decimals and then to one: 3.446 as 3.45, then as 3.5.
        assert 100 * report.max_move == pytest.approx(float(said["move"].rstrip(" %")), abs=0.056)
    assert report.first == said["first"].replace(" ", "T") + ":00Z"
    assert report.last == said["last"].replace(" ", "T") + ":00Z"


@pytest.mark.parametrize("name", FAST)
def test_the_hourly_files_have_the_published_counts(name):
    _compare(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_other_file_has_the_published_counts(name):
    _compare(name)
