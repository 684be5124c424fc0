"""What may be shown of an account beside the default, by hand."""

import math

import numpy as np
import pytest
from small_markets import bars, flat_bars

from seawall.simulator.accounts import ACCOUNT_FEATURES, DEFAULT_FEATURES
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import OrderParams, SimulatorParams
from seawall.simulator.simulator import Simulator

FREE = CostParams(taker_bps=0.0, spread_bps=0.0)
FURTHER = ("side", "entry_return", "target", "working", "growth", "bars_left")


def rows(simulator: Simulator) -> list[float]:
    return simulator.account_rows(FURTHER)[0].tolist()


def test_the_further_features_of_a_short_position_by_hand():
    simulator = Simulator(flat_bars(100.0, 100.0, 90.0, 90.0), 1, FREE)
    simulator.reset(np.array([0]), np.array([0]), np.array([4]))
    # Flat, three decisions to come: log(1 + 3) / 10.
    assert rows(simulator) == pytest.approx([0, 0, 0, 0, 0, math.log(4) / 10], rel=1e-6)
    simulator.step(np.array([-1.0]))
    simulator.step(np.array([-1.0]))
    # Sold at 100, now 90: the price is 10 % below the entry, equity 10 % above the start, and one decision is left.
    assert rows(simulator) == pytest.approx([-1, -0.1, -1, 0, math.log(1.1), math.log(2) / 10], rel=1e-6)


def test_an_order_that_is_filled_in_part_shows_that_it_works():
    # Half of a volume of 1 is 0.5 units a bar, of the 100 that are wanted.
    market = bars((100, 100, 100, 100), (100, 100, 100, 100), (100, 100, 100, 100))
    volume = float(market.prices[1, 4])
    simulator = Simulator(market, 1, FREE, SimulatorParams(orders=OrderParams(participation=0.5)))
    simulator.reset(np.array([0]), np.array([0]), np.array([3]))
    simulator.step(np.array([1.0]))
    assert simulator.quantity[0] == pytest.approx(0.5 * volume, rel=1e-12)
    assert rows(simulator)[2:4] == [1.0, 1.0]


def test_a_ruined_account_has_finite_features():
    simulator = Simulator(flat_bars(100.0, 1_000.0), 1, FREE)
    simulator.reset(np.array([0]), np.array([0]), np.array([2]))
    simulator.step(np.array([-1.0]))
    assert np.isfinite(simulator.account_rows(tuple(ACCOUNT_FEATURES))).all()
    assert rows(simulator)[4] == pytest.approx(math.log(1e-12), rel=1e-6)


def test_the_default_stays_the_four_that_bundles_were_trained_with():
    assert DEFAULT_FEATURES == ("exposure", "unrealised", "drawdown", "held_bars")
