"""Ledgers of other engines give the figures that these engines printed themselves, where definitions agree.

Sharpe: vectorbt's is the same formula, with 365 days to the year where it is not told otherwise; backtesting.py compounds daily
returns and divides by another deviation, so that it has none to compare.
"""

import numpy as np
import pandas as pd
import pytest

from evaluation.judged_files import BARS, FOLDER, judged, told

STRATEGIES = ("cross", "breakout", "reversion")
LEDGERS = [f"{engine}-{name}-trades" for engine in ("vectorbt", "backtesting") for name in STRATEGIES]
LEDGERS += [f"vectorbt-{name}-orders" for name in STRATEGIES]


@pytest.mark.parametrize("name", LEDGERS)
def test_return_drawdown_trades_wins_and_fees_are_those_that_the_engine_printed(name):
    document = judged(FOLDER / f"{name}.csv").document
    ours, theirs = document["ledger"], told()[name.rpartition("-")[0]]
    assert ours["total_return"] == pytest.approx(theirs["total_return"], rel=1e-10)
    assert ours["final_equity"] == pytest.approx(theirs["final_equity"], rel=1e-12)
    assert ours["max_drawdown"] == pytest.approx(theirs["max_drawdown"], rel=1e-10)
    assert ours["trades"] == theirs["trades"]
    assert ours["hit_rate"] == pytest.approx(theirs["win_rate"], rel=1e-12)
    assert ours["costs"]["total"] == pytest.approx(theirs["fees"], rel=1e-10)
    assert document["findings"] == []


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_sharpe_ratio_is_vectorbts_at_a_year_of_365_25_days(name):
    ours = judged(FOLDER / f"vectorbt-{name}-trades.csv").document["ledger"]["sharpe"]
    theirs = told()[f"vectorbt-{name}"]
    assert ours == pytest.approx(theirs["sharpe_of_365_25_days"], rel=1e-10)
    assert ours == pytest.approx(theirs["sharpe"] * np.sqrt(365.25 / 365.0), rel=1e-10)


@pytest.mark.parametrize("engine", ["vectorbt", "backtesting"])
def test_equity_at_every_close_is_the_engines(engine):
    ledger = judged(FOLDER / f"{engine}-reversion-trades.csv").ledgers.ensemble
    theirs = pd.read_csv(FOLDER / f"{engine}-reversion-equity.csv").iloc[:, 1].to_numpy()
    np.testing.assert_allclose(ledger.equity_curve()[1:], theirs, rtol=1e-12)


@pytest.mark.parametrize("engine", ["vectorbt", "backtesting"])
def test_an_equity_curve_alone_gives_the_same_return_drawdown_and_sharpe(engine):
    curve = judged(FOLDER / f"{engine}-reversion-equity.csv", costs_included=True).document
    fills = judged(FOLDER / f"{engine}-reversion-trades.csv").document
    for name in ("total_return", "max_drawdown", "sharpe", "sortino"):
        assert curve["ledger"][name] == pytest.approx(fills["ledger"][name], rel=1e-10), name
    assert curve["ledger"]["trades"] is None
    assert curve["ledger"]["undefined"]["trades"] == "the file tells equity and no fills"


def test_the_profit_by_side_is_that_of_the_engines_trades():
    theirs = pd.read_csv(FOLDER / "vectorbt-reversion-trades.csv").groupby("Direction")["PnL"].sum()
    parts = judged(FOLDER / "vectorbt-reversion-orders.csv").document["attribution"]["by_side"]
    assert {part["name"]: part["net"] for part in parts} == {
        "long": pytest.approx(theirs["Long"], rel=1e-9),
        "short": pytest.approx(theirs["Short"], rel=1e-9),
    }


def test_twice_the_costs_cost_twice_and_break_even_earns_nothing():
    document = judged(FOLDER / "vectorbt-reversion-trades.csv").document
    theirs = told()["vectorbt-reversion"]
    points = {point["multiple"]: point["total_return"] for point in document["stress"]["cost_multiples"]}
    assert points[2.0] == pytest.approx(theirs["total_return"] - theirs["fees"] / 10_000.0)
    gross = 10_000.0 * theirs["total_return"] + theirs["fees"]
    assert document["stress"]["break_even"]["multiple"] == pytest.approx(gross / theirs["fees"])


def test_rivals_pay_what_the_ledgers_fills_cost():
    document = judged(FOLDER / "vectorbt-cross-trades.csv").document
    assert document["costs"]["bps_of_notional"] == pytest.approx(10.0)
    prices = pd.read_csv(BARS)
    held = document["baselines"]["buy_and_hold"]
    # All of the equity buys units at the first open and pays 10 bps for them.
    assert held["total_return"] == pytest.approx(prices["close"].iloc[-1] / prices["open"].iloc[0] / 1.001 - 1.0, abs=1e-5)
    assert held["costs"]["fee"] == pytest.approx(10.0, rel=2e-3)
