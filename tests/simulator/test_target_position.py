"""The scheme of target positions: its numbering, what its orders carry, and what is refused."""

import numpy as np
import pytest
from small_markets import bars

from seawall.core.errors import ConfigError, InvariantError
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

FREE = CostParams(taker_bps=0, spread_bps=0)


def test_the_published_settings_give_fifteen_actions_exposures_first():
    scheme = action_scheme("target_position", short=True)
    assert len(scheme.action_names) == 15
    assert scheme.action_names[0] == "-1 market tp 15 sl 10"
    assert scheme.action_names[13] == "+1 limit 5 tp 15 sl 10"
    assert scheme.levels == (-1.0, -0.5, 0.0, 0.5, 1.0)


def test_take_profits_and_stops_multiply_the_actions():
    options = {"levels": [0, 1], "limit_offsets_bps": [], "take_profits_bps": [0, 20], "stop_losses_bps": [5, 10, 15]}
    assert len(action_scheme("target_position", True, options).action_names) == 2 * 1 * 2 * 3


def test_without_short_positions_no_action_asks_for_one():
    scheme = action_scheme("target_position", short=False)
    assert scheme.levels == (0.0, 0.5, 1.0)
    assert len(scheme.action_names) == 9


def test_an_action_names_exposure_limit_and_bracket():
    intent = action_scheme("target_position", short=True).intent(np.array([0, 10, 14]), np.array([0.0, 0.5, 1.0]))
    assert intent.target.tolist() == [-1.0, 0.5, 1.0]
    assert intent.signal.tolist() == [-1, 0, 0]
    assert intent.terms.limit == pytest.approx([0.0, 0.0005, 0.001], abs=1e-15)
    assert intent.terms.take_profit == pytest.approx([0.0015] * 3, abs=1e-15)
    assert intent.terms.stop_loss == pytest.approx([0.001] * 3, abs=1e-15)


def test_its_orders_rest_and_end_in_their_bracket():
    # The order rests 10 bps below 100, at 99.9; the third bar trades through it. 1,000 buy 10.01001 units. The take-profit lies
    # 15 bps above the entry, at 100.04985, and the fourth bar trades through it: 10.01001 x 100.04985 = 1,001.5.
    market = bars((100, 100, 100, 100), (100, 100.2, 99.95, 100), (100, 100.02, 99.85, 99.9), (99.9, 100.2, 99.88, 100))
    desk = Desk(action_scheme("target_position", short=True), None, 1)
    simulator = Simulator(market, 1, FREE, SimulatorParams(initial_equity=1_000.0), terms=True)
    simulator.reset(np.array([0]), np.array([0]), np.array([4]))
    held = []
    for _ in range(3):
        decision = desk.decide(np.array([14]), simulator.view())
        simulator.step(decision.allowed, decision.terms, decision.signal)
        held.append(float(simulator.quantity[0]))
    assert held == pytest.approx([0.0, 1_000 / 99.9, 0.0], rel=1e-12)
    assert simulator.fill_price[0] == pytest.approx(99.9 * 1.0015, rel=1e-12)
    assert simulator.equity[0] == pytest.approx(1_001.5, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"levels": [0, 0]}, r"levels .* allowed: exposures from -100 to 100, each once"),
        ({"stop_losses_bps": [10_000]}, r"stop_losses_bps .* basis points from 0 to below 10000"),
        ({"limit_offsets_bps": [0]}, r"limit_offsets_bps .* the market order is there already"),
        ({"offset": 3}, r"offset .* known: levels"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        action_scheme("target_position", True, options)


def test_other_schemes_have_no_options():
    with pytest.raises(ConfigError, match=r"'sell_buy_hold' has no options, and \['levels'\] are given"):
        action_scheme("sell_buy_hold", True, {"levels": [1]})


def test_an_action_beyond_the_numbering_is_refused():
    with pytest.raises(InvariantError, match="action 15 is unknown to scheme 'target_position'"):
        action_scheme("target_position", True).intent(np.array([15]), np.zeros(1))
