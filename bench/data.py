"""Bars by the ten million: make, import, check, resample and align, each beside plain pandas or a stated limit.

Every case runs in a process of its own, so that its peak memory is its own, and the two sides of a pair take turns. Memory is told
as a multiple of the bars themselves (a time and five numbers, 48 bytes each) above what the process had before.
Run: ``python bench/data.py [--bars 10000000] [--rounds 3] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

TEN_YEARS = 350_400
GENERATOR_LIMIT_SECONDS = 5.0
CSV_SHARE = 10
BYTES_PER_BAR = 48
AGGREGATES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def make_file(folder: Path, bars: int) -> None:
    """Write a random walk of one-minute bars that ends in the past, as Parquet and a tenth of it as CSV."""
    random = np.random.default_rng(0)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 1e-4, bars))), 4)
    opening = np.concatenate([[100.0], close[:-1]])
    start = np.datetime64("2025-01-01", "ms") - np.timedelta64(60_000 * bars, "ms")
    times = pd.DatetimeIndex(start + np.arange(bars) * np.timedelta64(60_000, "ms"), tz="UTC")
    columns = {"open": opening, "high": np.maximum(opening, close) + 0.01, "low": np.minimum(opening, close) - 0.01, "close": close}
    frame = pd.DataFrame({"timestamp": times, **columns, "volume": random.uniform(1.0, 9.0, bars)})
    frame.to_parquet(folder / "bars.parquet", index=False)
    frame.head(bars // CSV_SHARE).to_csv(folder / "bars.csv", index=False)


def ours_import(folder: Path) -> int:
    from seawall.market.checks.quality import QualityParams, apply_quality
    from seawall.market.files import read_bars
    from seawall.market.storage.store import Store

    bars, report = apply_quality(read_bars(folder / "bars.parquet"), QualityParams())
    Store(folder / "store").import_bars(bars, report, source="made", symbol="WALK", origin="bars.parquet", overwrite=True)
    return len(bars)


def pandas_copy(folder: Path) -> int:
    frame = pd.read_parquet(folder / "bars.parquet")
    frame.to_parquet(folder / "copy.parquet", index=False, compression="zstd")
    return len(frame)


def ours_csv(folder: Path) -> int:
    from seawall.market.files import read_bars

    return len(read_bars(folder / "bars.csv"))


def pandas_csv(folder: Path) -> int:
    return len(pd.read_csv(folder / "bars.csv", parse_dates=["timestamp"]))


def ours_check(folder: Path) -> int:
    from seawall.market.checks.quality import check_bars

    return check_bars(pd.read_parquet(folder / "bars.parquet")).rows


def pandas_check(folder: Path) -> int:
    """The checks that a notebook would make: missing values, order, duplicates, steps, prices in place, and autocorrelations."""
    frame = pd.read_parquet(folder / "bars.parquet")
    body = frame[["open", "close"]]
    steps = frame["timestamp"].diff().iloc[1:]
    found = [
        frame.isna().sum().sum(), frame["timestamp"].duplicated().sum(), (steps <= pd.Timedelta(0)).sum(),
        (steps != pd.Timedelta(minutes=1)).sum(), (frame.iloc[:, 1:5] <= 0).sum().sum(),
        (frame["high"] < body.max(axis=1)).sum(), (frame["low"] > body.min(axis=1)).sum(), (frame["volume"] == 0).sum(),
    ]  # fmt: skip
    returns = np.log(frame["close"]).diff()
    correlated = [returns.autocorr(lag) for lag in range(1, 51)] + [returns.abs().autocorr(lag) for lag in (1, 10, 50)]
    assert len(found) + len(correlated) == 61
    return len(frame)


def ours_resample(folder: Path) -> int:
    from seawall.core.timeframe import Timeframe
    from seawall.market.resample import resample

    bars = pd.read_parquet(folder / "bars.parquet")
    for label in ("5m", "15m", "1h"):
        resample(bars, Timeframe.parse("1m"), Timeframe.parse(label))
    return len(bars)


def pandas_resample(folder: Path) -> int:
    frame = pd.read_parquet(folder / "bars.parquet").set_index("timestamp")
    for rule in ("5min", "15min", "1h"):
        frame.resample(rule, label="left", closed="left").agg(AGGREGATES)
    return len(frame)


def ours_align(folder: Path) -> int:
    from seawall.core.timeframe import Timeframe
    from seawall.market.panel import align

    bars = pd.read_parquet(folder / "bars.parquet")
    series = {name: bars.drop(index=bars.index[place::1_000]) for place, name in enumerate(("AAA", "BBB", "CCC"))}
    return len(align(series, Timeframe.parse("1m"), "forward_fill"))


def pandas_align(folder: Path) -> int:
    bars = pd.read_parquet(folder / "bars.parquet").set_index("timestamp")
    series = {name: bars.drop(index=bars.index[place::1_000]) for place, name in enumerate(("AAA", "BBB", "CCC"))}
    return len(pd.concat(series, axis=1).sort_index().ffill())


CASES: dict[str, tuple[Callable[[Path], int], Callable[[Path], int], str]] = {
    "import": (ours_import, pandas_copy, "pandas: read and write, no check"),
    "read CSV (a tenth)": (ours_csv, pandas_csv, "pandas.read_csv"),
    "check": (ours_check, pandas_check, "pandas: the same counts, no places"),
    "resample to 5m, 15m, 1h": (ours_resample, pandas_resample, "pandas.resample().agg"),
    "align three symbols": (ours_align, pandas_align, "pandas.concat().ffill()"),
}


def child(name: str, side: int, folder: Path) -> None:
    """Run one side of a case after a warm-up import, and print seconds and peak memory."""
    import pyarrow.parquet  # noqa: F401 (so that its import is no part of the case)

    import seawall.market.checks.quality
    import seawall.market.panel
    import seawall.market.storage.store  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = perf_counter()
    bars = CASES[name][side](folder)
    seconds = perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "bars": bars, "peak_bytes": 1_024 * (peak - before)}))


def measured(name: str, side: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, str(side), str(folder)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def pairs(folder: Path, bars: int, rounds: int) -> list[dict[str, Any]]:
    found = []
    for name, (_ours, _peer, words) in CASES.items():
        runs = [[measured(name, side, folder) for side in (0, 1)] for _ in range(rounds)]
        ratios = [ours["seconds"] / peer["seconds"] for ours, peer in runs]
        size = BYTES_PER_BAR * bars / (CSV_SHARE if "tenth" in name else 1)
        found.append(
            {
                "case": name, "beside": words, "bars": runs[0][0]["bars"],
                "seconds": statistics.median(ours["seconds"] for ours, _ in runs), "ratio": statistics.median(ratios),
                "ratios": [min(ratios), max(ratios)],
                "memory": statistics.median(ours["peak_bytes"] for ours, _ in runs) / size,
                "memory_beside": statistics.median(peer["peak_bytes"] for _, peer in runs) / size,
            }
        )  # fmt: skip
    return found


def generator(rounds: int) -> dict[str, Any]:
    """Time ten years of 15-minute bars on one core against the limit, and four times as many against four times as long."""
    from seawall.market.synthetic.regimes import RegimeParams, regime_bars

    regime_bars(RegimeParams(n_bars=1_000), 0)

    def seconds(bars: int) -> float:
        started = perf_counter()
        regime_bars(RegimeParams(n_bars=bars), 1)
        return perf_counter() - started

    once = [(seconds(TEN_YEARS), seconds(4 * TEN_YEARS)) for _ in range(rounds)]
    return {
        "bars": TEN_YEARS,
        "seconds": statistics.median(short for short, _ in once),
        "share_of_limit": statistics.median(short for short, _ in once) / GENERATOR_LIMIT_SECONDS,
        "growth_at_four_times_the_length": statistics.median(long / short for short, long in once),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bars", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child and given.child[0] == "make":
        make_file(Path(given.child[2]), int(given.child[1]))
        return
    if given.child:
        child(given.child[0], int(given.child[1]), Path(given.child[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own too: on Linux a child's peak begins with its parent's.
        subprocess.run([sys.executable, __file__, "--child", "make", str(given.bars), folder], check=True)
        found = pairs(Path(folder), given.bars, given.rounds)
    made = generator(given.rounds)
    if given.json:
        print(json.dumps({"pairs": found, "generator": made}))
        return
    table = Table(title=f"{given.bars:,} bars; ratios are ours over theirs, below 1 is faster", title_justify="left", box=None)
    for column in ("case", "seconds", "beside", "ratio", "lowest to highest", "peak memory, x bars", "theirs"):
        table.add_column(column, justify="left" if column in ("case", "beside") else "right")
    for row in found:
        cells = (f"{row['seconds']:.2f}", row["beside"], f"{row['ratio']:.2f}", "{:.2f} to {:.2f}".format(*row["ratios"]))
        table.add_row(row["case"], *cells, f"{row['memory']:.1f}", f"{row['memory_beside']:.1f}")
    console = Console(width=160)
    console.print(table)
    console.print(
        f"generator: {made['bars']:,} bars in {made['seconds']:.2f} s, {made['share_of_limit']:.0%} of the limit of "
        f"{GENERATOR_LIMIT_SECONDS:g} s; four times the bars take {made['growth_at_four_times_the_length']:.2f} times as long"
    )


if __name__ == "__main__":
    main()
