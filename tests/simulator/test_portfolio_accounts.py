import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.simulator.costs.params import CostParams
from seawall.simulator.portfolio.accounts import PORTFOLIO_ACCOUNT_FEATURES, account_layout
from simulator.small_portfolios import panel_of, started


def rows(simulator, columns):
    codes, names = account_layout(columns, simulator.panel.symbols)
    out = np.full((simulator.n, len(names)), np.nan, dtype=np.float32)
    simulator.fill_account_rows(codes, out)
    return dict(zip(names, out[0].tolist(), strict=True))


def test_every_column_has_its_number_and_its_name():
    # 500 in A, which doubles and halves; 250 in B, which stays; 250 of cash: 1000, 1500, 1000. The benchmark: 1000, 1500, 1000.
    simulator = started(panel_of([[100, 200, 100], [50, 50, 50]]), rebalance_every=4)
    simulator.step(np.array([[0.25, 0.5, 0.25]]))
    simulator.step(np.array([[0.25, 0.5, 0.25]]))
    assert rows(simulator, tuple(PORTFOLIO_ACCOUNT_FEATURES)) == pytest.approx(
        {
            "weight.cash": 0.25, "weight.A": 0.5, "weight.B": 0.25, "log_equity": 0.0, "drawdown": 1 / 3, "excess": 0.0,
            "bars_since_rebalancing": 0.25, "benchmark": 0.0, "entry.A": 1.0, "entry.B": 1.0, "profit.A": 0.0, "profit.B": 0.0,
        },
        abs=1e-7,
    )  # fmt: skip


def test_equity_is_shown_against_the_start_and_against_the_benchmark():
    simulator = started(panel_of([[100, 150], [50, 50]]), costs=CostParams(taker_bps=100, spread_bps=0))
    simulator.step(np.array([[0.0, 1.0, 0.0]]))
    # 990 invested at 100, at 150: 1,485; equal-weight buy-and-hold without costs: 750 + 500.
    seen = rows(simulator, ("excess", "log_equity"))
    assert list(seen) == ["excess", "log_equity"]
    assert seen == pytest.approx({"excess": np.log(1_485 / 1_250), "log_equity": np.log(1.485)}, abs=1e-7)


def test_bars_since_the_last_rebalancing_count_held_bars_too():
    simulator = started(panel_of(np.full((1, 9), 100.0)), rebalance_every=2)
    seen = [rows(simulator, ("bars_since_rebalancing",))["bars_since_rebalancing"]]
    for number in range(6):
        simulator.step(np.array([[0.5, 0.5]]), hold=np.array([number == 2]))
        seen.append(rows(simulator, ("bars_since_rebalancing",))["bars_since_rebalancing"])
    # Due at the first, third (held) and fifth bar.
    assert seen == [0.0, 0.0, 0.5, 1.0, 1.5, 0.0, 0.5]


@pytest.mark.parametrize("columns", [("exposure",), ("drawdown", "drawdown")])
def test_unknown_and_repeated_columns_are_refused(columns):
    with pytest.raises(ConfigError, match=r"account columns .* name .*; allowed, each once: \['weights', 'log_equity'"):
        account_layout(columns, ("A",))


def test_the_mean_price_paid_follows_purchases_stays_with_sales_and_goes_with_the_last_unit():
    opens, closes = [[100, 100, 200, 400, 400, 100]], [[100, 200, 400, 400, 400, 100]]
    simulator = started(panel_of(closes, opens))
    steps = []
    # 500 buy 5 at 100; at 200 the other 500 buy 2.5 more; at 400 half of what is held is sold, then all.
    for weights in ([0.5, 0.5], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]):
        simulator.step(np.array([weights]))
        seen = rows(simulator, ("entries", "profits"))
        steps.append((simulator.units[0, 0], simulator.paid[0, 0], seen["entry.A"], seen["profit.A"]))
    mean = (5 * 100 + 2.5 * 200) / 7.5
    expected = [(5, 100, 0.5, 1), (7.5, mean, mean / 400, 400 / mean - 1), (3.75, mean, mean / 400, 400 / mean - 1)]
    np.testing.assert_allclose(steps, [*expected, (0, 0, 0, 0), (0, 0, 0, 0)], rtol=1e-6)


def test_the_benchmark_is_shown_against_the_start():
    simulator = started(panel_of([[100, 150], [50, 50]]))
    simulator.step(np.array([[1.0, 0.0, 0.0]]))
    assert rows(simulator, ("benchmark",)) == pytest.approx({"benchmark": np.log(1.25)}, abs=1e-7)


def test_the_published_state_has_three_numbers_an_asset_and_four_more():
    names = account_layout(("weights", "entries", "profits", "log_equity", "benchmark", "excess"), tuple("ABCDEFGHIJ"))[1]
    assert len(names) == len(set(names)) == 3 * 10 + 4
