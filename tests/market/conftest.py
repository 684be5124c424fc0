from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import from_milliseconds

MIDNIGHT = 1_704_067_200_000  # 2024-01-01 00:00 UTC, a Monday


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., pd.DataFrame]:
    """Sound bars whose every value is different: closes 100, 101, …; each opens one below, with wicks of one."""

    def make(rows: int = 48, step_ms: int = 3_600_000, start_ms: int = MIDNIGHT) -> pd.DataFrame:
        close = 100.0 + np.arange(rows)
        columns = {"open": close - 1.0, "high": close + 1.0, "low": close - 2.0, "close": close, "volume": 10.0 + np.arange(rows)}
        return pd.DataFrame({"timestamp": from_milliseconds(start_ms + step_ms * np.arange(rows)), **columns})

    return make


@pytest.fixture
def bars(make_bars) -> pd.DataFrame:
    """Two days of sound hourly bars."""
    return make_bars()
