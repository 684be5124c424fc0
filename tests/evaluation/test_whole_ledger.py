"""A ledger with every kind of cost and every rule at work: nothing is left out of it, of the trades, or of the replay."""

import numpy as np
import pytest
from worlds import Script, market_of, random_market

from seawall.core.market import Market, RowRange
from seawall.evaluation.backtest import backtest
from seawall.evaluation.ledger import COLUMNS, Ledger, Ledgers
from seawall.evaluation.metrics import costs_paid
from seawall.evaluation.stress import Replay
from seawall.evaluation.trades import round_trips
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams, SlippageParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import OrderParams, SimulatorParams

ROWS = 600
COSTS = CostParams(
    taker_bps=4,
    maker_bps=1,
    spread_bps=2,
    slippage=SlippageParams(base_bps=1, volatility_multiplier=0.05, size_impact=0.5),
    financing=FinancingParams(long_apr=0.2, short_apr=-0.1),
    funding=FundingParams(rate_bps=1),
)
RULES = SimulatorParams(stop_loss_bps=120, take_profit_bps=150, trailing_stop_bps=200, max_exposure=2.0)


def bars() -> Market:
    wide = np.array(random_market(1, ROWS).prices)
    wide[:, 1] *= 1.006
    wide[:, 2] *= 0.994
    return market_of(wide)


CASES = {
    "brackets of the settings": ("target_exposure", {}, RULES),
    "orders with terms": ("target_position", {"take_profits_bps": [150], "stop_losses_bps": [120]}, SimulatorParams()),
    "late orders": ("hold_long_short_close", {}, RULES.model_copy(update={"orders": OrderParams(latency_bars=2)})),
}


def judged(name: str) -> tuple[Ledger, Replay]:
    scheme_name, options, params = CASES[name]
    scheme = action_scheme(scheme_name, True, options)
    market, rows = bars(), RowRange(0, ROWS)
    policy = Script(np.random.default_rng(3).integers(0, len(scheme.action_names), ROWS))
    ledger = backtest(policy, market, rows, Desk(scheme, None, 1), COSTS, params)
    return ledger, Replay(market, rows, COSTS, params)


@pytest.mark.parametrize("name", CASES)
def test_every_change_of_equity_is_explained(name):
    ledger, _ = judged(name)
    change = np.diff(ledger.equity_curve())
    explained = ledger.column("price_pnl") - ledger.costs() + ledger.column("write_off")
    assert explained == pytest.approx(change, abs=1e-9 * ledger.initial_equity)
    assert {"stop_loss", "take_profit"} <= set(ledger.frame["exit"])
    paid = costs_paid(ledger)
    assert paid["total"] == pytest.approx(float(ledger.costs().sum()), rel=1e-12)
    assert all(paid[part] != 0.0 for part in ("fee", "spread", "slippage", "financing", "funding"))


@pytest.mark.parametrize("name", CASES)
def test_the_profits_of_trades_add_up_to_the_change_of_equity(name):
    ledger, _ = judged(name)
    trades = round_trips(ledger)
    assert len(trades) > 20
    curve = ledger.equity_curve()
    # Financing in a bar without a position cannot be: all that was paid belongs to a trade.
    assert trades.profit.sum() == pytest.approx(curve[-1] - curve[0], abs=1e-8 * ledger.initial_equity)


@pytest.mark.parametrize("name", CASES)
def test_the_same_decisions_filled_again_give_the_same_equity(name):
    ledger, replay = judged(name)
    again = replay.equity(ledger.targets(), np.ones(1), ledger.terms())[:, 0] * ledger.initial_equity
    assert again == pytest.approx(ledger.equity_curve(), rel=1e-14)  # shares of the equity at the start, times that equity


def test_illegal_moves_stand_in_the_ledger():
    ledger, _ = judged("late orders")
    assert 0 < int(ledger.frame["illegal"].sum()) < len(ledger.frame)


def test_a_ledger_of_before_is_read_with_what_it_lacks(tmp_path):
    ledger, _ = judged("brackets of the settings")
    lacking = ["illegal", "limit", "take_profit", "stop_loss", "order_price", "exit", "slippage", "financing", "funding"]
    file = tmp_path / "ledger.parquet"
    Ledgers(ledger, {}, {}).write(file)
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    pq.write_table(table.drop_columns(lacking), file)
    read = Ledgers.read(file).ensemble
    assert tuple(read.frame.columns) == COLUMNS
    assert read.frame["exit"].tolist() == [""] * len(read.frame)
    assert np.array_equal(read.column("order_price"), ledger.column("fill_price"), equal_nan=True)
    assert not read.column("financing").any()
