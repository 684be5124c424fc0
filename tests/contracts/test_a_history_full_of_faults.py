"""A history pulled from a venue at fault is the one pulled from a sound venue, to the byte; killed and run again, too."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.binance import FakeBinance, make_klines
from fakes.trouble import INSTEAD, SPOILT, Trouble
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.fetch import Fetch
from seawall.market.fetching.rules import FetchRules, Patience
from seawall.market.sources.ccxt_source import CcxtSource
from seawall.market.storage.store import Store

MINUTE = Timeframe.parse("1m")
THREE_YEARS = 3 * 365 * 24 * 60
T0 = 1_600_000_020_000


def history(count: int) -> np.ndarray:
    """Bars of one minute with holes of a minute, of three, of a day, and of a page and a half."""
    return make_klines(T0, 60_000, count, absent={count // 9: 1, count // 4: 3, count // 2: 1_440, 2 * count // 3: 1_500})


def pulled(rows: np.ndarray, root: Path, trouble: Trouble | None, part_pages: int = 20) -> str:
    """Fetch a history and return the hash of the stored file."""
    now = int(rows[-1, 0]) + 90_000
    with FakeBinance() as venue:
        venue.bars, venue.trouble, venue.clock = {("BTCUSDT", "1m"): rows}, trouble, lambda: now
        source = CcxtSource("binance", {"SEAWALL_BINANCE_URL": venue.url}, timeout_seconds=0.4)
        rules = FetchRules(patience=Patience(sleep=lambda _seconds: None), part_pages=part_pages)
        stored = Fetch(Store(root), source, lambda _progress: None, rules).fetch("BTC/USDT", MINUTE)
    # The bars of the last page but the open one, and each hole as it is.
    assert stored.manifest["rows"] == len(rows)
    assert stored.manifest["provenance"]["confirmed_holes"] == 4
    return digest(root)


def digest(root: Path) -> str:
    return hashlib.sha256((root / "binance" / "BTCUSDT" / "1m" / "bars.parquet").read_bytes()).hexdigest()


def manifest(root: Path) -> dict[str, Any]:
    """Return what is known of the series, but for when it was fetched: its times, and how far the clocks were apart then."""
    told = json.loads((root / "binance" / "BTCUSDT" / "1m" / "manifest.json").read_text())
    notes = [re.sub(r"\d+ s ", "", note) for note in told["provenance"]["notes"]]
    provenance = {**told["provenance"], "notes": notes, "fetched_at": ""}
    return {**told, "provenance": provenance, "imported_at": "", "updated_at": ""}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_request_in_twenty_at_fault_changes_no_byte(tmp_path, seed):
    rows = history(60_000)
    trouble = Trouble(0.05, seed)
    assert pulled(rows, tmp_path / "faults", trouble) == pulled(rows, tmp_path / "sound", None)
    assert trouble.met


@pytest.mark.parametrize("kind", [*INSTEAD, *SPOILT])
def test_no_kind_of_fault_changes_a_byte_even_where_it_befalls_every_fifth_request(tmp_path, kind):
    rows = history(18_000)
    trouble = Trouble(0.2, 5, only=(kind,))
    assert pulled(rows, tmp_path / "faults", trouble) == pulled(rows, tmp_path / "sound", None)
    assert trouble.met.get(kind, 0) >= 3


@pytest.mark.slow
def test_three_years_of_minutes_with_one_request_in_twenty_at_fault_arrive_whole(tmp_path):
    rows = history(THREE_YEARS)
    trouble = Trouble(0.05, 11)
    assert pulled(rows, tmp_path / "faults", trouble) == pulled(rows, tmp_path / "sound", None)
    # 1,577 pages and the questions asked again: 79 faults are expected, with a deviation of 9.
    assert sum(trouble.met.values()) > 50
    assert set(trouble.met) == {*INSTEAD, *SPOILT}


def command(root: Path, url: str) -> subprocess.Popen[bytes]:
    words = ["data", "fetch", "ccxt", "BTC/USDT", "--timeframe", "1m", "--data-dir", str(root)]
    environment = {**os.environ, "SEAWALL_BINANCE_URL": url}
    code = "from seawall.cli.main import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_fetch_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path, how):
    rows = history(60_000)
    sound = pulled(rows, tmp_path / "sound", None)
    kills = 0
    with FakeBinance() as venue:
        now = int(rows[-1, 0]) + 90_000
        venue.bars, venue.clock = {("BTCUSDT", "1m"): rows}, lambda: now
        for more in (1, 9, 17, 12, 25, 10**9):
            until = venue.pages + more
            process = command(tmp_path / "killed", venue.url)
            while venue.pages < until and process.poll() is None:
                time.sleep(0.001)
            if process.poll() is None:
                process.send_signal(how)
                kills += 1
            _out, said = process.communicate(timeout=60)
            assert b"Traceback" not in said
            if process.returncode == 0:
                break
            assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert kills >= 3
    assert digest(tmp_path / "killed") == sound
    assert manifest(tmp_path / "killed") == manifest(tmp_path / "sound")
    assert not list((tmp_path / "killed").rglob(".partial/**/*.parquet"))
