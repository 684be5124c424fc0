"""Backtests through the decision loop, and the ledger they leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from worlds import FREE, HOUR_MS, Script, exposures_ledger, random_market, straight

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.backtest import backtest
from seawall.evaluation.ledger import COLUMNS, Ledger, Ledgers
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams


def test_a_long_trade_by_hand():
    costs = CostParams(taker_bps=10.0, spread_bps=10.0)
    ledger = exposures_ledger(straight(100.0, 100.0, 110.0, 121.0), [1, 1, 0], costs)
    notional = 10_000.0 / 1.0015
    invested = 10_000.0 - 0.0015 * notional
    sold = invested * 1.1
    frame = ledger.frame
    assert frame["traded_notional"].tolist() == pytest.approx([notional, 0.0, sold], rel=1e-12)
    assert frame["fee"].tolist() == pytest.approx([0.001 * notional, 0.0, 0.001 * sold], rel=1e-12)
    assert frame["spread"].tolist() == pytest.approx([0.0005 * notional, 0.0, 0.0005 * sold], rel=1e-12)
    assert frame["equity"].tolist() == pytest.approx([invested, sold, sold * (1.0 - 0.0015)], rel=1e-12)
    assert frame["exposure"].tolist() == pytest.approx([1.0, 1.0, 0.0], rel=1e-12)
    assert frame["fill_price"].tolist() == pytest.approx([100.0, np.nan, 110.0], nan_ok=True)


def test_a_ledger_row_names_the_bar_decided_and_the_bar_filled():
    market = straight(100.0, 101.0, 102.0)
    frame = exposures_ledger(market, [1, 1]).frame
    first = pd.Timestamp(market.timestamps[0], unit="ms", tz="UTC")
    assert tuple(frame.columns) == COLUMNS
    assert frame["timestamp"].tolist() == [first, first + pd.Timedelta(HOUR_MS, "ms")]
    assert frame["next_timestamp"].tolist() == [first + pd.Timedelta(HOUR_MS, "ms"), first + pd.Timedelta(2 * HOUR_MS, "ms")]
    assert frame["row"].tolist() == [0, 1]
    assert frame["close"].tolist() == [100.0, 101.0]


def test_a_guard_is_named_with_its_reason():
    market = random_market(0, 6)
    guards = GuardChain([NConsecutive(NConsecutiveParams(n=2, mode="confirm"))])
    desk = Desk(action_scheme("sell_buy_hold", True), guards, 1)
    frame = backtest(Script([1, 1, 2, 0, 1, 1]), market, RowRange(0, 6), desk, FREE).frame
    assert frame["guard"].tolist() == ["n_consecutive", "", "", "n_consecutive", "n_consecutive"]
    assert frame["reason"].tolist()[0] == "not confirmed by the last 2 suggestions"
    assert frame["allowed"].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    assert frame["proposed"].tolist() == [1.0, 1.0, 1.0, -1.0, 1.0]
    assert frame["signal"].tolist() == [1, 1, 0, -1, 1]


def test_a_backtest_starts_the_guards_afresh():
    market = random_market(1, 30)
    desk = Desk(action_scheme("sell_buy_hold", True), GuardChain([NConsecutive()]), 1)
    actions = np.random.default_rng(0).integers(0, 3, 30)
    first = backtest(Script(actions), market, RowRange(0, 30), desk, CostParams())
    again = backtest(Script(actions), market, RowRange(0, 30), desk, CostParams())
    pd.testing.assert_frame_equal(first.frame, again.frame)


def test_after_a_liquidation_nothing_is_decided_and_equity_stays():
    market = straight(100.0, 100.0, 250.0, 90.0, 80.0)
    ledger = exposures_ledger(market, [-1, -1, -1, -1])
    assert len(ledger.frame) == 2
    assert bool(ledger.frame["liquidated"].iloc[-1])
    curve = ledger.equity_curve()
    assert curve.tolist() == [10_000.0, 10_000.0, 0.0, 0.0, 0.0]
    assert ledger.returns().tolist() == [0.0, -1.0, 0.0, 0.0]
    assert ledger.log_returns().tolist() == pytest.approx([0.0, np.log(1e-12), 0.0, 0.0])
    assert ledger.targets().tolist() == [-1.0, -1.0, 0.0, 0.0]


def test_one_row_is_too_few():
    desk = Desk(action_scheme("target_exposure", True), None, 1)
    with pytest.raises(ConfigError, match="at least 2"):
        backtest(Script([0, 0]), straight(1.0, 1.0), RowRange(0, 1), desk, FREE)


@pytest.fixture
def ledgers() -> Ledgers:
    market = random_market(2, 40)
    rng = np.random.default_rng(3)

    def draw() -> Ledger:
        params = SimulatorParams(initial_equity=float(rng.integers(1_000, 2_000)))
        return exposures_ledger(market, list(rng.integers(-1, 2, 39)), CostParams(), params)

    return Ledgers(draw(), {3: draw(), 7: draw()}, {"flat": draw()})


def test_ledgers_come_back_from_their_file_as_they_were(tmp_path, ledgers):
    ledgers.write(tmp_path / "run" / "ledger.parquet")
    read = Ledgers.read(tmp_path / "run" / "ledger.parquet")
    assert list(read.named()) == ["ensemble", "seed 3", "seed 7", "flat"]
    for name, ledger in ledgers.named().items():
        pd.testing.assert_frame_equal(read.named()[name].frame, ledger.frame, check_dtype=False)
        assert read.named()[name].initial_equity == ledger.initial_equity
        np.testing.assert_array_equal(read.named()[name].timestamps_ms, ledger.timestamps_ms)
    policies = pd.read_parquet(tmp_path / "run" / "ledger.parquet")["policy"]
    assert policies.unique().tolist() == ["ensemble", "seed 3", "seed 7", "flat"]


def test_ledgers_of_other_bars_are_not_mixed(ledgers):
    other = exposures_ledger(random_market(2, 41), [0] * 40)
    with pytest.raises(DataError, match="other bars"):
        Ledgers(ledgers.ensemble, {}, {"flat": other})


def test_a_file_that_holds_no_ledgers_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, words in (("other", "holds no ledgers"), ("broken", "cannot be read"), ("missing", "no ledger")):
        with pytest.raises(DataError, match=words):
            Ledgers.read(tmp_path / f"{name}.parquet")


def test_a_ledger_that_cannot_be_written_leaves_nothing(tmp_path, ledgers, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seawall.evaluation.ledger.pq.write_table", full)
    with pytest.raises(DataError, match="no room left"):
        ledgers.write(tmp_path / "ledger.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_without_a_column_is_no_ledger(ledgers):
    with pytest.raises(DataError, match="columns"):
        Ledger(ledgers.ensemble.frame.drop(columns="fee"), 1.0, ledgers.ensemble.timestamps_ms)
