import pytest
from exact_toys import WINDOW, random_market, whole

from seawall.agents.exact.exact import ExactGradient
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.positions import positions_of
from seawall.agents.exact.problem import ExactProblem, check_exact, exact_refusals
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, RandomizationParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import OrderParams, SessionParams, SimulatorParams

SCHEME = action_scheme("target_exposure", True)


def problem(market=None, rows=None, **changes):
    market = random_market(60, 0) if market is None else market
    parts = {"scheme": SCHEME, "costs": CostParams(), "simulator": SimulatorParams(), **changes}
    return ExactProblem(market, rows or whole(market), WINDOW, **parts)


def network(n_account=1, n_actions=3):
    return build_network("conv", ConvParams(filters=2, hidden=4), NetworkShape(2, WINDOW, n_account, n_actions), 0)


def test_what_depends_on_bar_position_and_action_alone_is_served():
    simulator = SimulatorParams(
        close_at_end=True,
        orders=OrderParams(rebalance="band", tick_size=0.01),
        reward=RewardParams(preset="ichimoku", scale=100.0, clip=1.0),
    )
    for name in ("target_exposure", "sell_buy_hold", "buy_sell_hold", "hold_long_short_close"):
        for short in (True, False):
            assert exact_refusals(action_scheme(name, short), CostParams(), simulator, ("side", "target", "working")) == []


@pytest.mark.parametrize("name", ["thresholded", "continuous_target"])
def test_schemes_of_any_exposure_are_refused(name):
    with pytest.raises(ConfigError, match=f"scheme '{name}' asks for any exposure; allowed: numbered actions.*agent ppo"):
        check_exact(action_scheme(name, True), CostParams(), SimulatorParams(), ("target",))
    with pytest.raises(ConfigError, match="no numbered actions"):
        positions_of(action_scheme(name, True))


def test_orders_with_terms_of_their_own_are_refused():
    with pytest.raises(ConfigError, match="'target_position' rest and have brackets; allowed: market orders"):
        check_exact(action_scheme("target_position", True), CostParams(), SimulatorParams(), ("target",))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"take_profit_bps": 50.0}, r"are \(50.0, 0.0, 0.0\), which hang on the entry"),
        ({"stop_loss_bps": 50.0}, r"\(0.0, 50.0, 0.0\)"),
        ({"trailing_stop_bps": 50.0}, r"\(0.0, 0.0, 50.0\)"),
        ({"max_drawdown": 0.2}, "max_drawdown is 0.2, which hangs on the highest equity; allowed: 1"),
        ({"orders": OrderParams(latency_bars=2)}, "latency_bars is 2; allowed: 0"),
        ({"orders": OrderParams(participation=0.1)}, "participation is 0.1.*allowed: null"),
        ({"orders": OrderParams(lot_size=0.5)}, r"\(0.5, 0.0\), which hang on equity"),
        ({"orders": OrderParams(min_notional=5.0)}, r"\(0.0, 5.0\), which hang on equity"),
        ({"session": SessionParams(windows=("asia",))}, r"windows \('asia',\) and flat \(\); allowed: none"),
        ({"session": SessionParams(calendar="fx", flat=("weekend",))}, r"flat \('weekend',\); allowed: none"),
        ({"reward": RewardParams(preset="two_stage")}, r"terms \['drawdown_growth', 'volatility'\] depend on the path"),
    ],
)
def test_settings_that_hang_on_the_past_are_refused_by_name_value_and_what_is_allowed(settings, words):
    with pytest.raises(ConfigError, match=f"{words}.*or choose agent ppo"):
        check_exact(SCHEME, CostParams(), SimulatorParams(**settings), ("target",))


def test_costs_that_are_drawn_for_episodes_are_refused():
    costs = CostParams(randomization=RandomizationParams(spread=0.5))
    with pytest.raises(ConfigError, match=r"draws costs for each episode, \(0.0, 0.5, 0.0\)"):
        check_exact(SCHEME, costs, SimulatorParams(), ("target",))


def test_orders_that_fill_in_part_are_refused():
    with pytest.raises(ConfigError, match=r"costs.fill_ratio is 0.5, so that orders fill in part; allowed: 1"):
        check_exact(SCHEME, CostParams(fill_ratio=0.5), SimulatorParams(), ("target",))


def test_account_columns_of_the_past_and_guards_that_remember_are_refused():
    columns = ("exposure", "unrealised", "drawdown", "held_bars", "target")
    found = exact_refusals(SCHEME, CostParams(), SimulatorParams(), columns, ("signal_1_ago",))
    assert len(found) == 2
    assert found[0].startswith("account_columns ['exposure', 'unrealised', 'drawdown', 'held_bars'] tell of the past")
    assert found[0].endswith("allowed: target, side, working")
    assert "show ['signal_1_ago']; allowed: none in training" in found[1]


def test_everything_that_is_wrong_is_told_at_once_and_before_any_table_is_made():
    bad = problem(simulator=SimulatorParams(stop_loss_bps=10.0, max_drawdown=0.5), account_columns=("growth",))
    with pytest.raises(ConfigError, match=r"stop_loss_bps.*max_drawdown.*account_columns \['growth'\]"):
        ExactGradient(network(), ExactParams(segment_bars=8), bad, seed=0)


def test_a_network_of_other_sizes_or_with_a_memory_is_refused():
    params = ExactParams(segment_bars=8)
    with pytest.raises(ConfigError, match=r"takes 2 account columns and has 3 actions; needed: 1 for \('target',\)"):
        ExactGradient(network(n_account=2), params, problem(), seed=0)
    with pytest.raises(ConfigError, match=r"has 5 actions.*3 for scheme 'target_exposure'"):
        ExactGradient(network(n_actions=5), params, problem(), seed=0)
    remembering = network()
    remembering.state_width = 6
    with pytest.raises(ConfigError, match=r"remembers 6 numbers from bar to bar.*agent ppo"):
        ExactGradient(remembering, params, problem(), seed=0)


def test_rows_that_are_too_few_or_leave_their_series_are_refused():
    with pytest.raises(ConfigError, match=r"segment_bars is 57, and rows 0..59 leave 56 decisions with a window of 4"):
        ExactGradient(network(), ExactParams(segment_bars=57), problem(), seed=0)
    with pytest.raises(ConfigError, match=r"rows 50..60 leave their series"):
        problem(rows=RowRange(50, 61)).decision_rows(4)


def test_decisions_begin_where_windows_are_whole_and_features_warmed_up():
    assert problem().decision_rows(8) == RowRange(WINDOW - 1, 60)
    assert problem(rows=RowRange(20, 50)).decision_rows(8) == RowRange(20, 50)
    market = random_market(60, 0)
    late = type(market)(**{**vars(market), "ready": (10,)})
    assert problem(market=late).decision_rows(8) == RowRange(10 + WINDOW - 1, 60)
