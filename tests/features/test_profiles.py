import math

import numpy as np
import pytest
from random_bars import random_bars

from seawall.features.sets.profiles import node_names, profile_nodes

G = [math.exp(-0.5 * k * k) for k in range(5)]
# The Gaussian of one bin, cut at four: its weights add up to G0 + 2 (G1 + G2 + G3 + G4).
WEIGHT = [g / (G[0] + 2 * sum(G[1:])) for g in G]


def told(high, low, close, volume, *, bins, nodes=2):
    arrays = [np.asarray(each, dtype=np.float64) for each in (high, low, close, volume)]
    block = profile_nodes((arrays[0], arrays[1], arrays[2]), [arrays[3]], len(arrays[0]), bins, nodes)
    return dict(zip(node_names("volume", nodes), block[:, -1], strict=True))


def test_the_names_of_a_family_are_sixteen():
    assert node_names("volume", 5)[:4] == ("volume_node", "volume_high_1", "volume_strength_1", "volume_low_1")
    assert len(node_names("volume", 5)) == 16


def test_two_prices_make_two_nodes_with_a_gap_between_them_by_hand():
    # Prices 0 to 20 in 20 bins of 1. Volume 30 at 2.5, 10 at 17.5 and two bars without volume that stretch the range.
    found = told([0.5, 2.5, 17.5, 20], [0, 2.5, 17.5, 19.5], [0.5, 2.5, 17.5, 20.0], [0, 30, 10, 0], bins=20)
    # Smoothed, bin 2 holds 30 · w0, mirrored at the end: bin −1 − k is bin k, so bin 2 also gets 30 · (weight at 5 bins) = 0.
    peak = 30 * WEIGHT[0]
    assert found["volume_high_1"] == pytest.approx(2.5 / 20, rel=1e-12)
    assert found["volume_strength_1"] == 1.0
    assert found["volume_high_2"] == pytest.approx(17.5 / 20, rel=1e-12)
    # Bin 17's mirror images: bin 22 is bin 17 (2 · 20 − 1 − 22), 5 bins away, beyond the cut.
    assert found["volume_strength_2"] == pytest.approx(10 * WEIGHT[0] / peak, rel=1e-12)
    # The close is in the last bin, 2 from bin 17; its mirror image, bin 20, is 3 from it. In all there are 40.
    assert found["volume_node"] == pytest.approx(10 * (WEIGHT[2] + WEIGHT[3]) / 40, rel=1e-12)
    # Bins 7 to 12 are out of reach of both and empty; the first of them is the low node. There is no other minimum.
    assert found["volume_low_1"] == pytest.approx(7.5 / 20, rel=1e-12)
    assert found["volume_low_2"] == 1.0


def test_an_amount_is_spread_evenly_over_the_prices_that_a_bar_touched():
    # One bar from 0 to 10 with 12, and one of no volume: three bins of 4 each, whatever the smoothing: a level profile.
    found = told([10, 10], [0, 0], [5, 9.9], [12, 0], bins=3)
    assert found["volume_node"] == pytest.approx(1 / 3, rel=1e-12)


def test_nothing_traded_tells_of_no_node():
    found = told([2, 3], [1, 1], [2, 2], [0, 0], bins=8)
    assert found["volume_node"] == 0.0
    assert [found[name] for name in ("volume_high_1", "volume_strength_1", "volume_low_1")] == [1.0, 0.0, 1.0]


def test_a_market_that_stands_still_has_its_node_at_the_close():
    found = told(np.full(9, 5.0), np.full(9, 5.0), np.full(9, 5.0), np.ones(9), bins=8)
    assert [found[name] for name in ("volume_high_1", "volume_strength_1")] == [1.0, 1.0]


def test_a_profile_knows_its_window_alone():
    bars = random_bars(3, 700, flat=(5, 9))
    prices = tuple(bars[name].to_numpy() for name in ("high", "low", "close"))
    amounts = [bars["volume"].to_numpy(), np.ones(700), bars["trades"].to_numpy()]
    whole = profile_nodes(prices, amounts, 100, 24, 5)
    assert whole.shape == (48, 700)
    for row in (99, 412, 699):
        part = slice(row - 99, row + 1)
        alone = profile_nodes(tuple(each[part] for each in prices), [each[part] for each in amounts], 100, 24, 5)
        np.testing.assert_array_equal(alone[:, -1], whole[:, row])


def test_what_is_smoothed_keeps_its_sum():
    bars = random_bars(4, 300, flat=(5, 9))
    prices = tuple(bars[name].to_numpy() for name in ("high", "low", "close"))
    ones = profile_nodes(prices, [np.ones(300)], 64, 24, 5)[:, 63:]
    # Time has volume 1 a bar whatever its units: a thousandfold amount gives the same shares.
    more = profile_nodes(prices, [np.full(300, 1_024.0)], 64, 24, 5)[:, 63:]
    np.testing.assert_array_equal(ones, more)
    assert ((ones[0] > 0) & (ones[0] < 1)).all()
