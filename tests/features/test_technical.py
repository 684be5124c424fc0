import math

import numpy as np
import pandas as pd
import pytest
import talib
from random_bars import DATA, random_bars, spelt_bars

from seawall.features.sets.technical import TECHNICAL_COLUMNS, technical_block


def column(bars, name):
    with np.errstate(divide="ignore", invalid="ignore"):
        return technical_block(bars, columns=(name,))[:, 0]


def last(bars, name):
    return column(bars, name)[-1]


@pytest.mark.parametrize("price", ["open", "high", "low", "close"])
def test_price_returns_are_logs_of_the_ratio_to_the_bar_before(price):
    bars = spelt_bars([100.0, 110.0])
    assert last(bars, f"{price}_log_returns") == pytest.approx(0.09531017980432493, rel=1e-14)  # log 1.1


def test_each_price_return_reads_its_own_price():
    bars = spelt_bars([100.0, 100.0], high=[110.0, 121.0], low=[90.0, 81.0]).assign(open=[95.0, 104.5])
    seen = [last(bars, f"{name}_log_returns") for name in ("open", "high", "low", "close")]
    assert seen == pytest.approx([math.log(1.1), math.log(1.1), math.log(0.9), 0.0], rel=1e-13)


def test_volume_return_has_a_floor_of_a_hundredth_of_the_mean_volume():
    # 19 bars of 10 and one of 30: mean 220/20 = 11, floor 0.11: log((30 + 0.11) / (10 + 0.11))
    bars = spelt_bars(np.full(20, 50.0), volume=[10.0] * 19 + [30.0])
    assert last(bars, "volume_log_returns") == pytest.approx(math.log(30.11 / 10.11), rel=1e-14)


def test_a_bar_without_volume_has_a_finite_volume_return():
    # 19 bars of 10 and one of 0: mean 190/20 = 9.5, floor 0.095: log(0.095 / 10.095) = −4.666
    bars = spelt_bars(np.full(20, 50.0), volume=[10.0] * 19 + [0.0])
    assert last(bars, "volume_log_returns") == pytest.approx(math.log(0.095 / 10.095), rel=1e-13)


def test_trades_return_follows_the_rule_of_volume():
    # 19 bars of 4 and one of 24: mean 100/20 = 5, floor 0.05: log(24.05 / 4.05)
    bars = spelt_bars(np.full(20, 50.0), trades=[4.0] * 19 + [24.0])
    assert last(bars, "trades_log_returns") == pytest.approx(math.log(24.05 / 4.05), rel=1e-14)


def test_hour_is_that_of_the_opening_time_in_utc():
    half_past_eleven = 11 * 3_600_000 + 1_800_000
    assert column(spelt_bars([1.0, 1.0], first_ms=half_past_eleven), "hour").tolist() == [11 / 23, 12 / 23]
    assert column(spelt_bars([1.0, 1.0], first_ms=23 * 3_600_000), "hour").tolist() == [1.0, 0.0]


def test_macd_histogram_just_after_a_step():
    # Constant 100, then 101: EMA12 rises by 2/13, EMA26 by 2/27, the line by 2/13 − 2/27; its signal takes 0.2 of that.
    bars = spelt_bars([100.0] * 60 + [101.0])
    assert last(bars, "macd_signal_diffs") == pytest.approx(0.8 * (2 / 13 - 2 / 27) / 101, rel=1e-10)  # EMAs of 100 round at 1e-14


def test_stoch_places_the_close_between_the_extremes_of_14_bars():
    high, low = np.full(15, 105.0), np.full(15, 95.0)
    high[0], low[0] = 999.0, 1.0  # one bar too old
    high[1], low[7] = 110.0, 90.0
    bars = spelt_bars([100.0] * 14 + [105.0], high=high, low=low)
    assert last(bars, "stoch") == 0.75  # (105 − 90) / (110 − 90)


def test_aroon_counts_from_the_newest_of_equal_highs_and_lows():
    high, low = np.full(26, 10.0), np.full(26, 9.0)
    high[[0, 20]] = 12.0  # 25 and 5 bars ago
    low[[3, 15]] = 8.0  # 22 and 10 bars ago
    bars = spelt_bars(np.full(26, 9.5), high=high, low=low)
    assert last(bars, "aroon_up") == pytest.approx(1 - 5 / 25, rel=1e-15)
    assert last(bars, "aroon_down") == pytest.approx(1 - 10 / 25, rel=1e-15)


def test_aroon_looks_at_26_bars():
    high = np.full(27, 10.0)
    high[1] = 12.0  # 25 bars ago
    assert last(spelt_bars(np.full(27, 9.0), high=high), "aroon_up") == 0.0


def test_rsi_of_seven_rises_of_2_and_seven_falls_of_1():
    changes = [2.0, -1.0] * 7  # mean gain 14/14 = 1, mean loss 7/14 = 0.5: 1 / 1.5
    bars = spelt_bars(100 + np.cumsum([0.0, *changes]))
    assert last(bars, "rsi") == pytest.approx(2 / 3, rel=1e-14)


def test_rsi_smooths_as_wilder_did():
    changes = [2.0, -1.0] * 7 + [4.0]  # gain (13·1 + 4)/14 = 17/14, loss (13·0.5)/14 = 6.5/14: 17 / 23.5
    bars = spelt_bars(100 + np.cumsum([0.0, *changes]))
    assert last(bars, "rsi") == pytest.approx(17 / 23.5, rel=1e-14)


def test_rsi_forgets_a_rise_once_the_close_has_not_changed_14_times():
    rsi = column(spelt_bars(np.concatenate([np.arange(100.0, 131.0), np.full(14, 130.0)])), "rsi")
    assert rsi[[-2, -1]].tolist() == [1.0, 0.5]


def test_adx_of_a_market_that_only_rises_is_one():
    bars = spelt_bars(np.arange(100.0, 160.0))
    assert last(bars, "adx") == pytest.approx(1.0, rel=1e-14)


def test_adx_falls_by_a_fourteenth_once_14_bars_had_no_direction():
    bars = spelt_bars(np.concatenate([np.arange(100.0, 160.0), np.full(40, 159.0)]))
    adx = column(bars, "adx")
    assert adx[72] == pytest.approx(1.0, rel=1e-14)  # 13 still bars: the last direction is remembered
    np.testing.assert_allclose(adx[74:] / adx[73:-1], 13 / 14, rtol=1e-14)


def test_bars_that_widen_alike_on_both_sides_have_no_direction():
    rising = np.arange(100.0, 160.0)
    wider = np.arange(1.0, 41.0)
    high, low = np.concatenate([rising, 159 + wider]), np.concatenate([rising, 159 - wider])
    adx = column(spelt_bars(np.concatenate([rising, np.full(40, 159.0)]), high=high, low=low), "adx")
    np.testing.assert_allclose(adx[74:] / adx[73:-1], 13 / 14, rtol=1e-14)


def test_cci_of_one_outlier_is_its_bound():
    # 19 typical prices of 100, one of 110: mean 100.5, mean distance (19·0.5 + 9.5)/20 = 0.95: 9.5 / (0.015·0.95) = 2000/3
    bars = spelt_bars([100.0] * 19 + [110.0])
    assert last(bars, "cci") == pytest.approx(20 / 3, rel=1e-13)


def test_close_dema_just_after_a_step():
    # EMA rises by 1/8, EMA of EMA by 1/64: DEMA = 100 + 2/8 − 1/64 = 100.234375; 101 − that is 0.765625
    bars = spelt_bars([100.0] * 60 + [101.0])
    assert last(bars, "close_dema") == pytest.approx(0.765625 / 101, rel=1e-13)


def test_vwap_weighs_ten_typical_prices_by_volume():
    # An old bar, nine bars of 100 with volume 1, one of 110 with 11: (900 + 1210) / 20 = 105.5
    bars = spelt_bars([500.0] + [100.0] * 9 + [110.0], volume=[1.0] * 10 + [11.0])
    assert last(bars, "close_vwap") == pytest.approx((110 - 105.5) / 110, rel=1e-14)


def test_vwap_without_volume_is_the_mean_typical_price():
    bars = spelt_bars([100.0] * 9 + [110.0], volume=np.zeros(10))
    assert last(bars, "close_vwap") == pytest.approx((110 - 101) / 110, rel=1e-14)  # (900 + 110) / 10


def test_bollinger_bands_lie_two_population_deviations_about_the_mean_of_20():
    bars = spelt_bars([100.0, 102.0] * 10)  # mean 101, deviation 1: bands 99 and 103
    assert last(bars, "bband_up_close") == pytest.approx((103 - 102) / 102, rel=1e-13)
    assert last(bars, "close_bband_down") == pytest.approx((102 - 99) / 102, rel=1e-13)


def test_adl_difference_is_money_flow_volume_over_the_volume_of_20_bars():
    # ((11 − 8) − (12 − 11)) / (12 − 8) = 0.5 of volume 5, over 20·5 = 100
    bars = spelt_bars(np.full(20, 11.0), high=np.full(20, 12.0), low=np.full(20, 8.0), volume=np.full(20, 5.0))
    assert last(bars, "adl_diffs") == 0.025


def test_adl_difference_of_a_bar_without_range_is_zero():
    assert last(spelt_bars(np.arange(1.0, 22.0)), "adl_diffs") == 0.0


@pytest.mark.parametrize(("close", "expected"), [(51.0, 0.05), (50.0, 0.0), (49.0, -0.05)])
def test_obv_difference_is_signed_volume_over_the_volume_of_20_bars(close, expected):
    bars = spelt_bars([50.0] * 20 + [close], volume=np.full(21, 5.0))  # ±5 / 100
    assert last(bars, "obv_diffs") == expected


def test_trends_compares_interest_with_its_mean_over_168_bars():
    # 84 bars of 20 and 84 of 60: mean 40, floor 0.4: log(60.4 / 40.4); the 999 is one bar too old
    bars = spelt_bars(np.full(169, 50.0), trends=[999.0] + [20.0] * 84 + [60.0] * 84)
    assert last(bars, "trends") == pytest.approx(math.log(60.4 / 40.4), rel=1e-14)


def test_trends_without_any_search_is_zero():
    assert last(spelt_bars(np.full(168, 50.0), trends=np.zeros(168)), "trends") == 0.0


def test_a_dead_market_takes_the_stated_values():
    wave = 100 + np.sin(np.arange(400.0))
    n = 1_000
    bars = spelt_bars(
        np.concatenate([wave, np.full(n, wave[-1])]),
        volume=np.concatenate([np.full(400, 5.0), np.zeros(n)]),
        trades=np.concatenate([np.full(400, 5.0), np.zeros(n)]),
        trends=np.zeros(400 + n),
    )
    stated = dict.fromkeys(TECHNICAL_COLUMNS, 0.0) | {"stoch": 0.5, "rsi": 0.5, "aroon_up": 1.0, "aroon_down": 1.0}
    for name in TECHNICAL_COLUMNS:
        if name != "hour":
            # Averages of a constant round at 1e-16 of the price.
            assert last(bars, name) == pytest.approx(stated[name], abs=1e-14), name


def real_bars(file):
    if not (DATA / f"{file}.parquet").is_file():
        pytest.skip(f"needs the real bars {file}")
    return pd.read_parquet(DATA / f"{file}.parquet").iloc[:20_000]


@pytest.mark.parametrize("file", [None, "binance_BTCUSDT_1h", "binance_ETHUSDT_5m", "mt5_XAUUSD_15m"])
def test_columns_are_talibs_where_talib_defines_them(file):
    bars = random_bars(3, 3_000, flat=(1, 5)) if file is None else real_bars(file)
    high, low, close, volume = (bars[name].to_numpy() for name in ("high", "low", "close", "volume"))
    total = talib.SUM(volume, 20)
    upper, _, lower = talib.BBANDS(close, 20, 2, 2)
    # Wilder's recursions forget their different seeds at (13/14)^600 = 5e-20; rolling sums of TA-Lib carry 1e-16 per bar.
    expected = {
        "adx": (talib.ADX(high, low, close, 14) / 100, 1e-11),
        "stoch": (talib.STOCHF(high, low, close, 14, 3)[0] / 100, 1e-12),
        "bband_up_close": ((upper - close) / close, 1e-9),
        "close_bband_down": ((close - lower) / close, 1e-9),
        "adl_diffs": (np.diff(talib.AD(high, low, close, volume), prepend=np.nan) / total, 1e-10),
        "obv_diffs": (np.diff(talib.OBV(close, volume), prepend=np.nan) / total, 1e-10),
        "close_dema": ((close - talib.DEMA(close, 15)) / close, 0.0),
        "macd_signal_diffs": (talib.MACD(close, 12, 26, 9)[2] / close, 0.0),
        "rsi": (talib.RSI(close, 14) / 100, 0.0),
        "cci": (talib.CCI(high, low, close, 20) / 100, 0.0),
        "aroon_up": (talib.AROON(high, low, 25)[1] / 100, 0.0),
        "aroon_down": (talib.AROON(high, low, 25)[0] / 100, 0.0),
        "close_log_returns": (np.log(talib.ROCR(close, 1)), 0.0),
        "close_vwap": (
            1 - talib.SUM((high + low + close) / 3 * volume, 10) / talib.SUM(volume, 10) / close,
            1e-9,
        ),
    }
    for name, (values, tolerance) in expected.items():
        np.testing.assert_allclose(column(bars, name)[600:], values[600:], rtol=0, atol=tolerance, err_msg=name)


def test_features_do_not_know_the_units_of_price_and_volume():
    bars = random_bars(5, 1_500)
    whole = technical_block_quietly(bars)
    prices, amounts = ["open", "high", "low", "close"], ["volume", "trades", "trends"]
    for power in (-60, 60):  # powers of two multiply without rounding
        scaled = bars.copy()
        scaled[prices] *= 2.0**power
        scaled[amounts] *= 2.0 ** (power // 2)
        np.testing.assert_array_equal(technical_block_quietly(scaled), whole)


def technical_block_quietly(bars):
    with np.errstate(divide="ignore", invalid="ignore"):
        return technical_block(bars, columns=TECHNICAL_COLUMNS)


def test_bounded_columns_stay_within_their_stated_bounds():
    block = technical_block_quietly(random_bars(7, 20_000))[200:]
    bounds = {"volume_log_returns": (-math.log(2001), math.log(2001)), "cci": (-20 / 3, 20 / 3)}
    bounds |= {"trades_log_returns": bounds["volume_log_returns"], "adl_diffs": (-1, 1), "obv_diffs": (-1, 1)}
    bounds |= dict.fromkeys(("hour", "stoch", "aroon_up", "aroon_down", "rsi", "adx"), (0, 1))
    for name, (low, high) in bounds.items():
        values = block[:, TECHNICAL_COLUMNS.index(name)]
        # TA-Lib's CCI rounds at 1e-16 of the price over a mean distance that may be 1e-7 of it.
        assert low - 1e-9 <= values.min() <= values.max() <= high + 1e-9, name
