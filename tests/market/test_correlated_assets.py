"""Several regime markets at once: the stated correlation, Student's tails, and the single market as the first."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest

from seawall.core.bars import bars_digest
from seawall.market.synthetic.assets import AssetParams, correlated_draws, correlated_markets
from seawall.market.synthetic.regimes import RegimeParams, regime_bars

PARAMS = RegimeParams(n_bars=100_000)
MATRIX = ((1.0, 0.8, -0.3), (0.8, 1.0, 0.1), (-0.3, 0.1, 1.0))


@pytest.mark.parametrize("correlation", [0.6, -0.4, MATRIX])
def test_shocks_have_the_stated_correlation_unit_variance_and_student_s_tails(correlation):
    assets = AssetParams(symbols=("AAA", "BBB", "CCC"), correlation=correlation)
    draws = correlated_draws(RegimeParams(n_bars=400_000, tail_freedom=8.0), assets, 3)
    # Four standard errors of a correlation of 400,000 draws with these tails.
    np.testing.assert_allclose(np.corrcoef(draws), assets.matrix(), atol=0.01)
    np.testing.assert_allclose(draws.std(axis=1), 1.0, atol=0.01)
    kurtosis = (draws**4).mean(axis=1) / draws.var(axis=1) ** 2 - 3.0
    # 6 / (8 - 4) = 1.5; the eighth moment is barely there, so the error is some tenths.
    np.testing.assert_allclose(kurtosis, 1.5, atol=0.25)


def test_rough_times_come_to_all_together():
    sizes = np.abs(correlated_draws(PARAMS, AssetParams(symbols=("AAA", "BBB"), correlation=0.0), 0))
    assert np.corrcoef(sizes)[0, 1] > 0.1


def test_the_first_asset_is_the_single_market_of_the_seed():
    markets = correlated_markets(PARAMS, AssetParams(symbols=("AAA", "BBB"), correlation=0.5), 7)
    assert bars_digest(markets["AAA"].bars) == bars_digest(regime_bars(PARAMS, 7).bars)
    assert bars_digest(markets["BBB"].bars) != bars_digest(markets["AAA"].bars)
    assert markets["AAA"].bars["timestamp"].equals(markets["BBB"].bars["timestamp"])


def test_regimes_are_shared_only_where_asked_for():
    for shared in (True, False):
        assets = AssetParams(symbols=("AAA", "BBB"), shared_regimes=shared)
        markets = correlated_markets(RegimeParams(n_bars=5_000), assets, 1)
        assert np.array_equal(markets["AAA"].regimes, markets["BBB"].regimes) == shared


def test_returns_are_correlated_as_the_shocks_are_or_somewhat_less():
    assets = AssetParams(symbols=("AAA", "BBB"), correlation=0.8, shared_regimes=True)
    markets = correlated_markets(PARAMS, assets, 2)
    returns = [np.diff(np.log(market.bars["close"].to_numpy())) for market in markets.values()]
    assert 0.6 < np.corrcoef(returns)[0, 1] < 0.82


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"symbols": ("AAA", "AAA")}, "name one asset twice"),
        ({"symbols": ("btc/usdt",)}, "symbol 'btc/usdt' is not allowed"),
        ({"symbols": ()}, "at least 1"),
        ({"symbols": ("A", "B", "C"), "correlation": -0.5}, "not positive definite"),
        ({"symbols": ("A", "B"), "correlation": 1.0}, "not positive definite"),
        ({"symbols": ("A", "B"), "correlation": MATRIX}, "2 rows of 2 numbers"),
        ({"symbols": ("A", "B"), "correlation": ((1.0, 0.2), (0.3, 1.0))}, "symmetric"),
        ({"symbols": ("A", "B"), "correlation": ((2.0, 0.2), (0.2, 2.0))}, "1 in its diagonal"),
        ({"symbols": ("A", "B", "C"), "correlation": ((1, 0.9, -0.9), (0.9, 1, 0.9), (-0.9, 0.9, 1))}, "smallest eigenvalue"),
        ({"symbols": ("A", "B"), "correlation": float("nan")}, "correlation"),
    ],
)
def test_assets_that_cannot_be_are_refused(settings, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        AssetParams(**settings)
