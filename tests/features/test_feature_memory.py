"""The declared warm-up, measured: how long a start at one bar can be told from an earlier start."""

import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, random_bars

from seawall.core.protocols import FeatureSet
from seawall.features.causality import remembered_rows
from seawall.features.registry import FEATURE_SETS, FeatureParams, feature_set

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize("flat", [(5, 20), (20, 100), (100, 600)])
@pytest.mark.parametrize("name", FEATURE_SETS)
def test_nothing_is_remembered_for_longer_than_the_declared_warm_up(name, flat):
    known = feature_set(FeatureParams(set=name))
    bars = random_bars(sum(flat), 20_000, flat=flat)
    starts = np.random.default_rng(0).integers(1_500, len(bars) - 700, 100)
    assert remembered_rows(known, bars, starts, before=1_500, rows=700).max() <= known.warmup


@pytest.mark.parametrize("file", ["binance_BTCUSDT_1h", "binance_BTCUSDT_5m", "binance_ZECUSDT_5m"])
def test_nothing_is_remembered_for_longer_on_real_bars(file):
    if not (DATA / f"{file}.parquet").is_file():
        pytest.skip(f"needs the real bars {file}")
    known = feature_set(FeatureParams(set="technical_ohlcv"))
    bars = pd.read_parquet(DATA / f"{file}.parquet").iloc[:60_000]
    starts = np.random.default_rng(0).integers(1_500, len(bars) - 700, 100)
    assert remembered_rows(known, bars, starts, before=1_500, rows=700).max() <= known.warmup


def test_the_declared_warm_up_is_no_longer_than_it_must_be():
    known = feature_set(FeatureParams(set="technical_ohlcv"))
    bars = random_bars(120, 20_000, flat=(20, 100))
    starts = np.random.default_rng(0).integers(1_500, len(bars) - 700, 100)
    assert remembered_rows(known, bars, starts, before=1_500, rows=700).max() > known.warmup - 96


def test_windows_alone_are_remembered_for_their_length():
    known = feature_set(FeatureParams())
    bars = random_bars(9, 8_000)
    rows = dict(zip(known.columns, remembered_rows(known, bars, range(2_000, 7_000, 97), before=500, rows=700), strict=True))
    # A window of n bars is full at its n-th row, so n − 1 rows differ from an earlier start; returns lack one row.
    windows = {"close_log_returns": 1, "hour": 0, "stoch": 13, "aroon_up": 25, "cci": 19, "close_vwap": 9, "trends": 167}
    windows |= {"bband_up_close": 19, "close_bband_down": 19, "adl_diffs": 19, "obv_diffs": 19, "volume_log_returns": 19}
    assert {name: rows[name] for name in windows} == windows


def test_memory_ends_where_float32_can_no_longer_tell():
    # Row k of a fresh start is 2 + 2^−k, and 2 after an earlier one. From 2 on, float32 steps by 2^−22: at k = 21 the two
    # are two steps apart, at k = 22 one. Rows 0 to 21 differ.
    fading = FeatureSet("fading", ("x",), 22, (), lambda bars: 2.0 + 0.5 ** np.arange(len(bars))[:, None])
    assert remembered_rows(fading, random_bars(0, 500), [300], before=200, rows=100).tolist() == [22]
