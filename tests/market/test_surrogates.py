"""Null markets: nothing of a bar is lost when bars change places or are turned over."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, price_block
from seawall.core.errors import ConfigError
from seawall.core.seeding import generator
from seawall.market.synthetic.regimes import RegimeParams, regime_bars
from seawall.market.synthetic.surrogates import BarBlock, coin_signs, mirrored, shuffled, shuffled_order

ROWS = 1_000


def draws(number=0):
    return generator(number, "test of surrogates")


@pytest.fixture(scope="module")
def bars():
    prices = np.stack([price_block(regime_bars(RegimeParams(n_bars=ROWS), seed).bars) for seed in (0, 1)])
    middle = prices[..., [HIGH, LOW]].mean(axis=-1)
    bought = 0.3 * prices[..., VOLUME]
    columns = {
        "quote_volume": prices[..., VOLUME] * middle,
        "taker_buy_base": bought,
        "taker_buy_quote": bought * middle,
        "trades": np.tile(np.arange(ROWS, dtype=np.float64), (2, 1)),
    }
    return BarBlock(prices, columns)


def shape_of(prices):
    """What a candle is without its level: gap aside, all logs against the open."""
    return np.log(prices[..., [HIGH, LOW, CLOSE]] / prices[..., [OPEN]])


def assert_sound(made, bars):
    prices = made.prices
    assert (prices[..., HIGH] >= prices[..., [OPEN, CLOSE]].max(axis=-1)).all()
    assert (prices[..., LOW] <= prices[..., [OPEN, CLOSE]].min(axis=-1)).all()
    assert (prices[..., LOW] > 0.0).all()
    np.testing.assert_array_equal(prices[:, 0], bars.prices[:, 0])
    paid = made.columns["quote_volume"] / prices[..., VOLUME]
    assert ((paid >= prices[..., LOW]) & (paid <= prices[..., HIGH])).all()
    np.testing.assert_allclose(made.columns["taker_buy_quote"] / made.columns["taker_buy_base"], paid, rtol=1e-9)


@pytest.mark.parametrize("block", [1, 7, 24, ROWS - 1])
def test_a_shuffle_has_each_bar_once_and_keeps_blocks_whole(block):
    order = shuffled_order(ROWS, block, draws())
    assert order[0] == 0
    np.testing.assert_array_equal(np.sort(order), np.arange(ROWS))
    # In the circle of the bars after the first, a block breaks only at its end.
    steps = (np.diff(order[1:]) - 1) % (ROWS - 1)
    n_blocks = -(-(ROWS - 1) // block)
    assert np.count_nonzero(steps) <= n_blocks - 1
    # Chance puts a few blocks after their own neighbour.
    assert np.count_nonzero(steps) >= n_blocks - 1 - 6


@pytest.mark.parametrize("block", [1, 24])
def test_a_shuffle_keeps_every_return_and_candle_and_what_stands_beside_it(bars, block):
    order = shuffled_order(ROWS, block, draws())
    made = shuffled(bars, order)
    assert_sound(made, bars)
    np.testing.assert_allclose(np.sort(made.log_returns()), np.sort(bars.log_returns()), atol=1e-12)
    np.testing.assert_allclose(
        made.log_returns(), np.diff(np.log(bars.prices[..., CLOSE]), prepend=0.0, axis=1)[:, order[1:]], atol=1e-12
    )
    np.testing.assert_allclose(shape_of(made.prices), shape_of(bars.prices)[:, order], atol=1e-12)
    np.testing.assert_array_equal(made.prices[..., VOLUME], bars.prices[:, order, VOLUME])
    np.testing.assert_array_equal(made.columns["trades"][0], order)
    np.testing.assert_allclose(made.prices[:, -1, CLOSE], bars.prices[:, -1, CLOSE], rtol=1e-12)


def test_assets_are_shuffled_together_so_that_they_move_as_they_did(bars):
    made = shuffled(bars, shuffled_order(ROWS, 5, draws()))
    assert np.corrcoef(made.log_returns())[0, 1] == pytest.approx(np.corrcoef(bars.log_returns())[0, 1], abs=1e-10)
    turned = mirrored(bars, coin_signs(ROWS, draws()))
    products = bars.log_returns().prod(axis=0)
    np.testing.assert_allclose(turned.log_returns().prod(axis=0), products, atol=1e-12)


def test_removed_drift_leaves_a_mean_of_zero_and_the_same_spread(bars):
    made = shuffled(bars, shuffled_order(ROWS, 1, draws()), "remove")
    assert_sound(made, bars)
    np.testing.assert_allclose(made.log_returns().mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(made.log_returns().std(axis=1), bars.log_returns().std(axis=1), rtol=1e-9)


def test_a_walk_has_the_bars_own_step_everywhere_and_no_drift(bars):
    walks = np.stack([mirrored(bars, coin_signs(ROWS, draws(number))).log_returns() for number in range(200)])
    np.testing.assert_allclose(np.abs(walks), np.broadcast_to(np.abs(bars.log_returns()), walks.shape), atol=1e-12)
    of_one_bar = np.sqrt((bars.log_returns() ** 2).mean(axis=1))
    means = walks.mean(axis=2)
    # 200 walks of 999 steps: four standard errors.
    assert (np.abs(means.mean(axis=0)) < 4.0 * of_one_bar / np.sqrt(200 * (ROWS - 1))).all()
    np.testing.assert_allclose(means.std(axis=0), of_one_bar / np.sqrt(ROWS - 1), rtol=0.2)  # 200 draws scatter by 5 %


def test_a_bar_that_is_turned_over_is_its_mirror_image(bars):
    signs = coin_signs(ROWS, draws())
    made = mirrored(bars, signs)
    assert_sound(made, bars)
    over = signs < 0.0
    assert 0.4 < over.mean() < 0.6
    np.testing.assert_allclose(shape_of(made.prices)[:, ~over], shape_of(bars.prices)[:, ~over], atol=1e-12)
    np.testing.assert_allclose(shape_of(made.prices)[:, over], -shape_of(bars.prices)[:, over][..., [1, 0, 2]], atol=1e-12)
    np.testing.assert_array_equal(made.prices[..., VOLUME], bars.prices[..., VOLUME])
    sold = 1.0 - bars.columns["taker_buy_base"] / bars.prices[..., VOLUME]
    np.testing.assert_allclose((made.columns["taker_buy_base"] / made.prices[..., VOLUME])[:, over], sold[:, over], rtol=1e-12)
    twice = mirrored(made, signs)
    np.testing.assert_allclose(twice.prices, bars.prices, rtol=1e-9)


@pytest.mark.parametrize("block", [0, ROWS])
def test_a_block_of_no_bar_or_of_all_bars_is_refused(block):
    with pytest.raises(ConfigError, match=f"a block has {block} bars; allowed: 1 to {ROWS - 1}"):
        shuffled_order(ROWS, block, draws())
