"""A panel as a market, and back."""

from __future__ import annotations

import numpy as np
import pytest

from envs.small_panels import ASSETS, READY, ROWS, bars, features
from seawall.core.errors import DataError
from seawall.envs.portfolio_market import market_panel, panel_market


def test_a_panel_comes_back_from_its_market():
    panel, block = bars(), features()
    market = panel_market(panel, block, ("x", "y"), READY)
    assert market.starts == (0, ROWS, 2 * ROWS, 3 * ROWS)
    np.testing.assert_array_equal(market.features.reshape(ASSETS, ROWS, 2), block)
    assert market_panel(market, panel.stale).content_hash() == panel.content_hash()
    assert not market_panel(market).stale.any()


def test_features_of_another_shape_and_series_of_other_times_are_refused():
    with pytest.raises(DataError, match=r"features have shape \(3, 200, 2\); \(3, 200, 1\) is needed"):
        panel_market(bars(), features(), ("x",), READY)
    market = panel_market(bars(), features(), ("x", "y"), READY)
    market.timestamps[ROWS] += 1
    with pytest.raises(DataError, match="not on the same times"):
        market_panel(market)
