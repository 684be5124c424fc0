"""Ledgers of vectorbt 1.0.0 and backtesting.py 0.6.6 as these wrote them (tests/peers/run_judged.py), and small ones made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from seawall.evaluation.foreign.judging import Judged, Request, judge_file
from seawall.evaluation.foreign.reading import Reading
from seawall.evaluation.params import EvaluationParams

FOLDER = Path(__file__).parent / "data" / "judged"
BARS = FOLDER / "bars.csv"
FAST = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 100}})
HOUR = pd.Timedelta(hours=1)


def told() -> dict[str, dict[str, float]]:
    """The figures that the engines printed, by engine and strategy."""
    return json.loads((FOLDER / "metrics.json").read_text())


def judged(ledger: Path, prices: Path = BARS, reading: Reading | None = None, **options) -> Judged:
    """Judge a file with few resamples."""
    options = {"initial_equity": 10_000.0, "params": FAST, **options}
    return judge_file(Request(ledger, prices, reading or Reading(), **options))


def written(folder: Path, name: str, table: dict[str, list] | pd.DataFrame) -> Path:
    """Write a table as CSV."""
    path = folder / name
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def bars_file(folder: Path, *closes: float, start: str = "2024-01-01") -> Path:
    """Hourly bars that open at the close before and move straight to their own close."""
    close = np.array(closes, dtype=np.float64)
    opening = np.concatenate([close[:1], close[:-1]])
    times = pd.date_range(start, periods=len(close), freq="h", tz="UTC")
    frame = pd.DataFrame({"timestamp": times, "open": opening, "close": close, "volume": 1.0})
    frame = frame.assign(high=np.maximum(opening, close), low=np.minimum(opening, close))
    return written(folder, "bars.csv", frame)


def at(hour: int) -> str:
    """The opening time of a bar of `bars_file`, as text."""
    return str(pd.Timestamp("2024-01-01") + hour * HOUR) + "+00:00"
