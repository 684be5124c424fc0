"""Files of other programs, in the names that these give their columns."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.judged_files import at, bars_file, judged, written
from evaluation.worlds import exposures_ledger, random_market
from seawall.core.bars import from_milliseconds
from seawall.evaluation.foreign.reading import Reading
from seawall.evaluation.foreign.recording import Fills, trips_of
from seawall.evaluation.ledger import Ledgers
from seawall.simulator.costs.params import CostParams

CLOSES = (100.0, 100.0, 110.0, 120.0, 120.0, 90.0)
# Ten units bought at 100 in bar 1 and sold at 120 in bar 4, for 1 and 2 of commission: 200 - 3.


def profit_of(document):
    return document["ledger"]["final_equity"] - document["test"]["initial_equity"]


LAYOUTS = {
    "freqtrade": {
        "pair": ["X/USDT"], "amount": [10.0], "open_date": [at(1)], "close_date": [at(4)], "open_rate": [100.0],
        "close_rate": [120.0],
        "fee_open": [0.001], "fee_close": [2.0 / 1_200.0], "profit_abs": [197.0], "is_open": [False], "is_short": [False],
    },
    "nautilus positions": {
        "instrument_id": ["X"], "entry": ["BUY"], "side": ["FLAT"], "peak_qty": [10.0], "ts_opened": [at(1)], "ts_closed": [at(4)],
        "avg_px_open": [100.0], "avg_px_close": [120.0], "commissions": ["['3.00 USDT']"], "realized_pnl": [197.0],
    },
    "nautilus fills": {
        "instrument_id": ["X", "X"], "order_side": ["BUY", "SELL"], "last_qty": [10.0, 10.0], "last_px": [100.0, 120.0],
        "commission": ["1.00 USDT", "2.00 USDT"], "ts_event": [at(1), at(4)],
    },
    "ccxt": {
        "datetime": [at(1), at(4)], "symbol": ["X/USDT"] * 2, "side": ["buy", "sell"], "price": [100.0, 120.0],
        "amount": [10.0, 10.0],
        "cost": [1_000.0, 1_200.0], "fee": ["{'cost': 1.0, 'currency': 'USDT'}", "{'cost': 2.0, 'currency': 'USDT'}"],
    },
    "signed sizes": {"time": [at(1), at(4)], "size": [10.0, -10.0], "price": [100.0, 120.0], "fee": [1.0, 2.0]},
    "TradingView": {
        "Trade #": [1, 1], "Type": ["Exit long", "Entry long"], "Date/Time": [at(4), at(1)], "Price USDT": [120.0, 100.0],
        "Contracts": [10.0, 10.0], "Profit USDT": [197.0, 197.0], "Profit %": [19.7, 19.7],
    },
    "a profit and no fee": {
        "Entry Date": [at(1)], "Exit Date": [at(4)], "Side": ["long"], "Qty": [10.0], "Entry Price": [100.0], "Exit Price": [120.0],
        "PnL": [197.0],
    },
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_the_trade_that_it_tells(tmp_path, layout):
    path = written(tmp_path, "trades.csv", LAYOUTS[layout])
    document = judged(path, bars_file(tmp_path, *CLOSES)).document
    assert profit_of(document) == pytest.approx(197.0)
    assert document["ledger"]["costs"]["total"] == pytest.approx(3.0)
    assert (document["ledger"]["trades"], document["ledger"]["hit_rate"]) == (1, 1.0)
    assert document["findings"] == []


def test_freqtrades_json_tells_its_balance_and_its_currency(tmp_path):
    trades = pd.DataFrame(LAYOUTS["freqtrade"]).to_dict("records")
    told = {"strategy": {"Mine": {"trades": trades, "starting_balance": 5_000, "stake_currency": "USDT"}}}
    path = tmp_path / "backtest-result.json"
    path.write_text(json.dumps(told))
    document = judged(path, bars_file(tmp_path, *CLOSES), initial_equity=None).document
    assert (document["test"]["initial_equity"], document["source"]["currency"]) == (5_000.0, "USDT")
    assert document["ledger"]["total_return"] == pytest.approx(197.0 / 5_000.0)


def test_equity_is_marked_at_each_close_while_a_position_is_held(tmp_path):
    path = written(tmp_path, "trades.csv", LAYOUTS["ccxt"])
    ledger = judged(path, bars_file(tmp_path, *CLOSES)).ledgers.ensemble
    np.testing.assert_allclose(ledger.equity_curve() - 10_000.0, [0.0, 0.0, -1.0, 99.0, 199.0, 197.0, 197.0], atol=1e-9)


def test_a_trade_still_open_is_marked_at_the_last_close_and_counts(tmp_path):
    rows = {**LAYOUTS["a profit and no fee"], "Exit Date": [""], "Exit Price": [np.nan], "PnL": [np.nan], "Commission": [1.0]}
    document = judged(written(tmp_path, "trades.csv", rows), bars_file(tmp_path, *CLOSES)).document
    assert profit_of(document) == pytest.approx(10.0 * (90.0 - 100.0) - 1.0)
    assert (document["ledger"]["trades"], document["ledger"]["open_trades"], document["ledger"]["hit_rate"]) == (1, 1, 0.0)
    assert document["ledger"]["hit_rate_closed"] is None


def test_a_short_trade_earns_what_the_price_falls(tmp_path):
    rows = {**LAYOUTS["a profit and no fee"], "Side": ["Short"], "PnL": [-203.0]}
    document = judged(written(tmp_path, "trades.csv", rows), bars_file(tmp_path, *CLOSES)).document
    assert profit_of(document) == pytest.approx(-203.0)
    assert document["attribution"]["by_side"][1]["net"] == pytest.approx(-203.0)


def test_contracts_are_multiplied_and_a_swap_is_money_received(tmp_path):
    rows = {"time": [at(1), at(4)], "side": ["buy", "sell"], "volume": [0.1, 0.1], "price": [100.0, 120.0], "fee": [1.0, 2.0]}
    path = written(tmp_path, "deals.csv", {**rows, "swap": [0.0, -5.0]})
    document = judged(path, bars_file(tmp_path, *CLOSES), Reading(contract_size=100.0)).document
    assert profit_of(document) == pytest.approx(197.0 - 5.0)
    assert document["ledger"]["costs"]["financing"] == pytest.approx(5.0)


def test_a_column_of_an_odd_name_is_named_by_the_user(tmp_path):
    rows = {"time": [at(1), at(4)], "way": ["buy", "sell"], "lots": [10.0, 10.0], "px": [100.0, 120.0], "fee": [1.0, 2.0]}
    path = written(tmp_path, "mine.csv", rows)
    reading = Reading({"side": "way", "size": "lots", "price": "px"})
    assert profit_of(judged(path, bars_file(tmp_path, *CLOSES), reading).document) == pytest.approx(197.0)


def test_times_that_name_bars_by_their_close_are_taken_so_where_asked(tmp_path):
    # Sold at 120 in bar 3; named by its close that is the opening of bar 4.
    prices = bars_file(tmp_path, 100.0, 100.0, 110.0, 130.0, 150.0, 150.0)
    rows = {"time": [at(2), at(4)], "side": ["buy", "sell"], "size": [1.0, 1.0], "price": [100.0, 112.0], "fee": [0.0, 0.0]}
    path = written(tmp_path, "fills.csv", rows)
    late = judged(path, prices).document
    assert [finding["what"] for finding in late["findings"]] == ["prices outside of bars"]
    assert "with --stamps close" in late["findings"][0]["words"]
    assert judged(path, prices, stamps="close").document["findings"] == []


def test_a_commission_that_is_told_is_charged_on_every_fill(tmp_path):
    rows = {"time": [at(1), at(4)], "side": ["buy", "sell"], "size": [10.0, 10.0], "price": [100.0, 120.0]}
    path, prices = written(tmp_path, "fills.csv", rows), bars_file(tmp_path, *CLOSES)
    assert profit_of(judged(path, prices, taker_bps=10.0).document) == pytest.approx(200.0 - 2.2)
    unknown = judged(path, prices).document
    assert unknown["costs"]["known"] is False
    assert unknown["verdict"]["level"] == "not judged"


def test_what_is_closed_and_opened_again_at_one_time_are_two_trades(tmp_path):
    """Also where they are read off the fills, as their costs are the user's."""
    rows = {
        "entry_time": [at(1), at(2)], "exit_time": [at(2), at(4)], "size": [10.0, 10.0], "entry_price": [100.0, 105.0],
        "exit_price": [105.0, 120.0],
    }  # fmt: skip
    path = written(tmp_path, "trades.csv", rows)
    document = judged(path, bars_file(tmp_path, *CLOSES), taker_bps=1.0).document
    assert (document["ledger"]["trades"], document["ledger"]["hit_rate"]) == (2, 1.0)
    assert profit_of(document) == pytest.approx(200.0 - (1_000.0 + 2 * 1_050.0 + 1_200.0) * 1e-4)


def test_a_lost_account_ends_there(tmp_path):
    rows = {"time": [at(1), at(4)], "side": ["sell", "buy"], "size": [600.0, 600.0], "price": [100.0, 120.0], "fee": [0.0, 0.0]}
    document = judged(written(tmp_path, "fills.csv", rows), bars_file(tmp_path, *CLOSES)).document
    assert (document["ledger"]["total_return"], document["ledger"]["liquidated"]) == (-1.0, True)
    assert "the account was lost" in {finding["what"] for finding in document["findings"]}


def test_our_own_ledger_is_judged_as_it_stands(tmp_path):
    world = random_market(5, 200)
    levels = np.random.default_rng(5).integers(-1, 2, 199).tolist()
    ledger = exposures_ledger(world, levels, CostParams())
    Ledgers(ledger, {}, {}).write(tmp_path / "ledger.parquet")
    prices = pd.DataFrame(world.prices, columns=["open", "high", "low", "close", "volume"])
    prices.insert(0, "timestamp", from_milliseconds(world.timestamps))
    prices.to_parquet(tmp_path / "bars.parquet")
    result = judged(tmp_path / "ledger.parquet", tmp_path / "bars.parquet", initial_equity=None)
    assert result.document["source"]["layout"] == "seawall"
    np.testing.assert_array_equal(result.ledgers.ensemble.equity_curve(), ledger.equity_curve())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-1, 1), min_size=3, max_size=60), st.integers(0, 10_000))
def test_the_fills_of_our_simulator_give_its_equity_again(tmp_path, levels, seed):
    """Our simulator as the other program: its fills, written as a file of trades, rebuild its equity at every close."""
    world = random_market(seed, len(levels) + 1)
    ledger = exposures_ledger(world, levels, CostParams())
    held = ledger.column("quantity")
    change = np.diff(held, prepend=0.0)
    filled = change != 0.0
    costs = ledger.column("fee") + ledger.column("spread")
    rows = {
        "time": ledger.frame["next_timestamp"][filled].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00").tolist(),
        "size": change[filled],
        "price": ledger.column("fill_price")[filled],
        "fee": costs[filled],
    }
    if not filled.any():
        return
    rows["side"] = np.where(rows["size"] > 0.0, "buy", "sell")
    rows["size"] = np.abs(rows["size"])
    prices = pd.DataFrame(world.prices, columns=["open", "high", "low", "close", "volume"])
    prices.insert(0, "timestamp", from_milliseconds(world.timestamps))
    prices.to_parquet(tmp_path / "bars.parquet")
    rebuilt = judged(written(tmp_path, "fills.csv", rows), tmp_path / "bars.parquet").ledgers.ensemble
    np.testing.assert_allclose(rebuilt.equity_curve()[1:], ledger.equity_curve(), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(50, 150), st.integers(0, 3)), min_size=1, max_size=40))
def test_profits_of_round_trips_add_up_to_what_the_fills_made(rows):
    units, price, fee = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    times = np.arange(len(rows), dtype=np.int64)
    trips = trips_of(Fills(times, units, price, fee, np.zeros(len(rows))))
    made = -float((units * price).sum() + fee.sum()) + float(units.sum()) * 100.0
    assert trips.marked(100.0).sum() == pytest.approx(made, abs=1e-6)
    assert int(trips.open_at_end.sum()) == int(units.sum() != 0.0)
