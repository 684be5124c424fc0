import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import bars_digest, from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe, periods_per_year

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("label", "seconds"), [("1m", 60), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("1w", 604_800), ("30s", 30)]
)
def test_a_timeframe_reads_and_prints_its_label(label, seconds):
    assert Timeframe.parse(label).seconds == seconds
    assert Timeframe(seconds).label == label


@pytest.mark.parametrize("label", ["", "h", "0h", "1.5h", "15 minutes", "1M", "-1h"])
def test_an_unknown_timeframe_is_refused(label):
    with pytest.raises(ConfigError, match="whole number"):
        Timeframe.parse(label)


def test_gaps_do_not_change_the_inferred_timeframe():
    assert Timeframe.infer(np.array([0, 1, 2, 10, 11, 40]) * HOUR) == Timeframe(3_600)


@pytest.mark.parametrize("times", [[], [5], [5, 5]])
def test_too_few_times_have_no_timeframe(times):
    with pytest.raises(DataError, match="at least two different"):
        Timeframe.infer(np.array(times))


def test_an_hour_market_that_never_sleeps_has_8766_bars_a_year():
    assert periods_per_year(np.arange(100) * HOUR) == pytest.approx(365.25 * 24, rel=1e-12)


def test_a_market_with_sessions_has_the_bars_it_really_has():
    # 5 of 24 hours each day: (5 * 100 - 1) bars over 99 days and 4 hours.
    times = (np.arange(100)[:, None] * 24 + np.arange(5)).ravel() * HOUR
    assert periods_per_year(times) == pytest.approx(499 / ((99 * 24 + 4) / (365.25 * 24)), rel=1e-12)


def test_one_bar_has_no_periods_per_year():
    assert np.isnan(periods_per_year(np.array([0])))


def _bars(**extra):
    times = from_milliseconds(np.array([0, HOUR, 2 * HOUR]))
    columns = {name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"timestamp": times, **columns, **extra})


def test_timestamps_round_trip_whatever_their_unit():
    bars = _bars()
    for unit in ("s", "ms", "us", "ns"):
        as_unit = bars.assign(timestamp=bars["timestamp"].astype(f"datetime64[{unit}, UTC]"))
        assert timestamps_ms(as_unit).tolist() == [0, HOUR, 2 * HOUR]
        assert bars_digest(as_unit) == bars_digest(bars)


def test_every_raw_column_counts_in_the_content_hash():
    assert bars_digest(_bars()) != bars_digest(_bars(trades=[1.0, 2.0, 3.0]))
    assert bars_digest(_bars(trades=[1.0, 2.0, 3.0])) != bars_digest(_bars(trades=[1.0, 2.0, 4.0]))


def test_a_price_block_is_contiguous_float64_in_ohlcv_order():
    block = price_block(_bars().assign(close=[7.0, 8.0, 9.0]))
    assert block.dtype == np.float64
    assert block.flags.c_contiguous
    assert block[:, 3].tolist() == [7.0, 8.0, 9.0]
