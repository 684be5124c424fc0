import math

import numpy as np
import pytest

from seawall.features.arithmetic.windows import log_ratio_with_floor, previous, ratio, rolling_deviation, rolling_mean, rolling_sum


def test_rolling_sum_and_mean_are_those_of_the_last_n():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    # 1+2+4 = 7, 2+4+8 = 14
    np.testing.assert_array_equal(rolling_sum(values, 3), [np.nan, np.nan, 7.0, 14.0])
    np.testing.assert_array_equal(rolling_mean(values, 2), [np.nan, 1.5, 3.0, 6.0])


def test_rolling_deviation_is_the_population_one():
    # 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 9+1+1+1+0+0+4+16 = 32, 32/8 = 4, root 2
    assert rolling_deviation(np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), 8)[-1] == 2.0


def test_a_quiet_dear_price_keeps_its_deviation():
    # One tick of 0.01 up and down about a million: deviation 0.01, which E[x²] − E[x]² in float64 would lose.
    values = 1e6 + np.tile([-0.01, 0.01], 10)
    assert rolling_deviation(values, 20)[-1] == pytest.approx(0.01, rel=1e-7)  # 1e6 ± 0.01 has a spacing of 1.2e-10


@pytest.mark.parametrize("function", [rolling_sum, rolling_mean, rolling_deviation])
def test_a_window_has_the_same_bits_wherever_the_data_starts(function):
    values = np.random.default_rng(0).lognormal(0, 3, 2_000)
    whole = function(values, 20)
    for start in (1, 7, 500, 1_333):
        np.testing.assert_array_equal(function(values[start:], 20)[19:], whole[start + 19 :])


@pytest.mark.parametrize("function", [rolling_sum, rolling_mean, rolling_deviation])
def test_fewer_values_than_the_window_give_only_nan(function):
    assert np.isnan(function(np.ones(4), 5)).all()


def test_previous_is_one_row_back():
    np.testing.assert_array_equal(previous(np.array([3.0, 5.0, 7.0])), [np.nan, 3.0, 5.0])


def test_ratio_states_what_division_by_zero_means():
    np.testing.assert_array_equal(ratio(np.array([0.0, 1.0, 6.0]), np.array([0.0, 0.0, 3.0]), where_zero=0.5), [0.5, 0.5, 2.0])


def test_log_ratio_with_floor_is_bounded_by_a_bar_that_holds_all_volume():
    # 20 bars of which one traded 20: mean 1, floor 0.01; from 0 to 20 is log(20.01 / 0.01) = log(2001)
    change = log_ratio_with_floor(np.array([20.0]), np.array([0.0]), np.array([1.0]))
    assert change[0] == pytest.approx(math.log(2001), rel=1e-14)


def test_log_ratio_with_floor_is_zero_where_nothing_happened():
    np.testing.assert_array_equal(log_ratio_with_floor(np.zeros(1), np.zeros(1), np.zeros(1)), [0.0])
