"""Performance figures, computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from worlds import exposures_ledger, random_market, straight

from seawall.core.errors import DataError
from seawall.evaluation.bootstrap import mean_block_bars
from seawall.evaluation.metrics import (
    Measured,
    annualised_return,
    calmar,
    ledger_metrics,
    max_drawdown,
    sharpe,
    sortino,
    total_return,
    turnover_per_year,
)
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams


def test_total_return_is_last_over_first():
    assert total_return(np.array([200.0, 150.0, 250.0])).value == pytest.approx(0.25, rel=1e-15)


def test_annualised_return_compounds():
    assert annualised_return(0.21, 2.0).value == pytest.approx(0.1, rel=1e-12)
    assert annualised_return(-1.0, 2.0).value == -1.0


def test_a_few_days_are_not_annualised():
    assert annualised_return(0.05, 10 / 365.25) == Measured(None, "a span of 10.0 days is too short to annualise")
    assert annualised_return(1e300, 0.05).value is None


def test_sharpe_uses_the_sample_deviation():
    returns = np.array([0.01, 0.04, 0.01])
    mean, deviation = 0.02, math.sqrt((0.0001 + 0.0004 + 0.0001) / 2)
    assert sharpe(returns, 100.0).value == pytest.approx(mean / deviation * 10.0, rel=1e-12)


def test_sortino_divides_by_the_root_mean_square_of_losses_over_all_bars():
    returns = np.array([0.03, -0.01, 0.02, -0.02])
    assert sortino(returns, 400.0).value == pytest.approx(0.005 / math.sqrt((0.0001 + 0.0004) / 4) * 20.0, rel=1e-12)


@pytest.mark.parametrize("returns", [np.zeros(5), np.full(5, 0.001), np.full(1_000, 1e-3 / 3.0)])
def test_constant_returns_have_no_sharpe(returns):
    assert sharpe(returns, 100.0) == Measured(None, "every bar has the same return")


def test_figures_of_too_few_bars_are_undefined():
    assert sharpe(np.array([0.1]), 100.0).value is None
    assert sortino(np.array([-0.1]), 100.0).value is None


def test_without_a_losing_bar_there_is_no_sortino():
    assert sortino(np.array([0.1, 0.0, 0.2]), 100.0) == Measured(None, "no bar lost money")


def test_drawdown_is_the_deepest_fall_and_lasts_until_the_peak_is_seen_again():
    equity = np.array([100.0, 120.0, 90.0, 100.0, 130.0, 117.0])
    assert max_drawdown(equity) == (pytest.approx(0.25, rel=1e-15), 3)


def test_a_drawdown_that_never_recovers_lasts_to_the_end():
    assert max_drawdown(np.array([100.0, 50.0, 60.0, 70.0])) == (0.5, 3)


def test_rising_equity_has_no_drawdown():
    assert max_drawdown(np.array([1.0, 1.0, 2.0])) == (0.0, 0)
    assert calmar(Measured(0.5), 0.0) == Measured(None, "equity never fell")


def test_calmar_is_annual_return_over_drawdown():
    assert calmar(Measured(0.3), 0.15).value == pytest.approx(2.0, rel=1e-15)
    assert calmar(Measured(None, "why"), 0.15) == Measured(None, "why")


def test_turnover_is_traded_over_mean_equity_a_year():
    traded, equity = np.array([50.0, 0.0, 250.0]), np.array([100.0, 100.0, 100.0, 300.0])
    assert turnover_per_year(traded, equity, 0.5).value == pytest.approx(300.0 / 150.0 / 0.5, rel=1e-15)


def test_the_figures_of_a_ledger_by_hand():
    costs = CostParams(taker_bps=10.0, spread_bps=10.0)
    ledger = exposures_ledger(straight(100.0, 100.0, 110.0, 121.0), [1, 1, 0], costs)
    figures = ledger_metrics(ledger)
    notional = 10_000.0 / 1.0015
    sold = (10_000.0 - 0.0015 * notional) * 1.1
    traded = notional + sold
    assert figures["costs"]["fee"] == pytest.approx(0.001 * traded, rel=1e-12)
    assert figures["costs"]["spread"] == pytest.approx(0.0005 * traded, rel=1e-12)
    assert figures["costs"]["share_of_initial_equity"] == pytest.approx(0.0015 * traded / 10_000.0, rel=1e-12)
    assert figures["total_return"] == pytest.approx(sold * 0.9985 / 10_000.0 - 1.0, rel=1e-12)
    assert (figures["trades"], figures["hit_rate"], figures["bars"]) == (1, 1.0, 3)
    assert figures["mean_exposure"] == pytest.approx(2 / 3, rel=1e-12)
    assert figures["periods_per_year"] == pytest.approx(365.25 * 24, rel=1e-12)


def test_doing_nothing_is_undefined_with_reasons_and_never_nan():
    figures = ledger_metrics(exposures_ledger(random_market(0, 500), [0] * 499, CostParams()))
    assert figures["undefined"] == {
        "sharpe": "every bar has the same return",
        "sortino": "no bar lost money",
        "calmar": "equity never fell",
        "hit_rate": "there was no trade",
    }
    assert all(figures[name] is None for name in figures["undefined"])
    assert (figures["total_return"], figures["trades"], figures["turnover_per_year"]) == (0.0, 0, 0.0)


def test_ruin_is_told_without_a_nan():
    params = SimulatorParams(maintenance_margin=0.0)
    ledger = exposures_ledger(straight(100.0, 100.0, 300.0, *[300.0] * 400), [-1] * 402, CostParams(), params)
    figures = ledger_metrics(ledger)
    assert (figures["total_return"], figures["annual_return"], figures["max_drawdown"]) == (-1.0, -1.0, 1.0)
    assert figures["liquidated"] is True
    assert all(value is None or np.isfinite(value) for value in figures.values() if isinstance(value, (float, type(None))))


def test_shorts_count_with_their_sign_and_their_size():
    figures = ledger_metrics(exposures_ledger(straight(100.0, 100.0, 100.0, 100.0, 100.0), [1, -1, -1, 0]))
    assert figures["mean_exposure"] == pytest.approx(-0.25, rel=1e-12)
    assert figures["mean_absolute_exposure"] == pytest.approx(0.75, rel=1e-12)


@pytest.mark.parametrize(
    "returns", [np.full(50, math.nan), np.array([0.1, math.nan, 0.2]), np.array([0.1, math.inf]), np.array([1e300, -1e300])]
)
def test_ratios_of_what_is_no_number_are_undefined_and_say_how_many(returns):
    bad = int(np.count_nonzero(~(np.abs(returns) < 1e100)))
    for figure in (sharpe(returns, 100.0), sortino(returns, 100.0)):
        assert figure == Measured(None, f"{bad} of {len(returns)} returns are no finite numbers, or too large for one")


def test_an_equity_that_is_no_number_has_no_return_and_no_drawdown():
    assert total_return(np.full(3, math.nan)) == Measured(None, "the first or the last equity is no finite number")
    assert annualised_return(math.nan, 2.0) == Measured(None, "the total return is no finite number")
    with pytest.raises(DataError, match=r"equity 1 is nan \(1 of 3\); allowed: finite numbers"):
        max_drawdown(np.array([1.0, math.nan, 2.0]))


def test_no_bar_at_all_needs_no_blocks():
    assert mean_block_bars(np.array([])) == 1
