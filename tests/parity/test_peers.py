"""The simulator beside vectorbt, backtesting.py and NautilusTrader: the same fills and the same equity, which nobody here wrote.

They live in an environment of their own (`make peers`), are run by scripts in `tests/peers`, and answer through files.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from peer_cases import COSTS, SEEDS, Asked, brackets, hours, limits, lots, market_orders, ours, real_bars, trailing, volatility

from peers.asking import ROOT, ask, needs_peers
from peers.case_files import Answer, Case, sliding

DATA = ROOT.parent / "shared" / "data" / "ohlcv"
REAL = ("binance_BTCUSDT_1h", "mt5_EURUSD_1h")
ROWS_OF_REAL_BARS = 2_000

# How far an engine's own numbers carry. vectorbt computes in float64. backtesting.py trades whole units, here ten-billionths of
# which a position holds a trillion. NautilusTrader keeps prices, units and money in eight decimals: a fill of fifty units or more
# is rounded by 1e-10 of it, hundreds of times a case.
TOLERANCE = {"vectorbt": 1e-12, "backtesting": 1e-11, "nautilus": 1e-8}
PRICE_TOLERANCE = {"vectorbt": 1e-12, "backtesting": 1e-12, "nautilus": 1e-9}

pytestmark = needs_peers


@functools.cache
def real_cases() -> dict[str, Asked]:
    cases: dict[str, Asked] = {}
    for name in REAL:
        path = DATA / f"{name}.parquet"
        if path.is_file():
            frame = pd.read_parquet(path, columns=["open", "high", "low", "close"])
            cases |= real_bars(name, frame.to_numpy()[-ROWS_OF_REAL_BARS:])
    return cases


CASES = {**market_orders(), **brackets(), **trailing(), **limits(), **lots(), **hours(), **volatility()}
PAIRS = [pytest.param(name, engine) for name, asked in CASES.items() for engine in asked.engines]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory):
    """Answers of an engine to everything that it is asked here, from one run of its script."""

    @functools.cache
    def of(engine: str) -> dict[str, Answer]:
        every = {**CASES, **real_cases()}
        asked = {name: case.case for name, case in every.items() if engine in case.engines}
        return ask(tmp_path_factory.mktemp(engine), engine, asked)

    return of


@functools.cache
def our_answer(name: str) -> Answer:
    return ours({**CASES, **real_cases()}[name].case)


def assert_same(mine: Answer, theirs: Answer, engine: str) -> None:
    """Hold that two engines traded the same units in the same bars at the same prices, and held the same equity at every close."""
    within = TOLERANCE[engine]
    np.testing.assert_array_equal(theirs.bar, mine.bar)
    np.testing.assert_allclose(theirs.price, mine.price, rtol=PRICE_TOLERANCE[engine], atol=0.0)
    np.testing.assert_allclose(theirs.units, mine.units, rtol=within, atol=0.0)
    np.testing.assert_allclose(theirs.equity, mine.equity, rtol=within, atol=0.0)


@pytest.mark.parametrize(("name", "engine"), PAIRS)
def test_the_simulator_trades_and_earns_what_a_peer_does(answers, name, engine):
    assert_same(our_answer(name), answers(engine)[name], engine)


@pytest.mark.parametrize("engine", TOLERANCE)
@pytest.mark.parametrize("name", REAL)
def test_it_does_on_real_bars(answers, name, engine):
    if f"real-{name}" not in real_cases():
        pytest.skip(f"no bars of {name} at {DATA}")
    assert_same(our_answer(f"real-{name}"), answers(engine)[f"real-{name}"], engine)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cases_hold_what_they_are_for(seed):
    """Reversals, gaps, stops and take-profits within a bar and at its open, entries that rest: enough of each to tell."""
    case = CASES[f"long_short-costs-{seed}"].case
    opening, closing = case.prices[1:, 0], case.prices[:-1, 3]
    assert np.mean(np.abs(opening / closing - 1.0) > 1e-3) > 0.5
    assert np.count_nonzero(case.targets[1:] * case.targets[:-1] < 0.0) >= 5
    bracket, resting = our_answer(f"bracket-gaps-reversals-{seed}"), our_answer(f"limit-gaps-{seed}")
    at_open = bracket.price == case.prices[bracket.bar, 0]
    assert np.count_nonzero(~at_open) > 30
    assert np.count_nonzero(bracket.bar[1:] == bracket.bar[:-1]) >= 3
    assert np.count_nonzero(resting.price != case.prices[resting.bar, 0]) >= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cases_of_lots_hours_and_slippage_hold_what_they_are_for(seed):
    """Whole units that leave cash over, closes at the hours' end and none outside of them, slippage of many sizes."""
    units, within = our_answer(f"lots-{seed}"), our_answer(f"hours-{seed}")
    assert (units.units == np.round(units.units)).all()
    assert np.abs(units.equity / our_answer(f"long_short-costs-{seed}").equity - 1.0).max() > 1e-4
    closes = CASES[f"hours-{seed}"].case.prices[within.bar, 3]
    assert within.bar[within.price == closes].size >= 5
    assert (within.bar[within.price == closes] % 24 == 8).all()
    assert (within.bar % 24 < 9).all()
    rates = sliding(CASES[f"volatility-costs-{seed}"].case)
    assert rates.min() == 0.0002
    assert rates[2:].std() > 0.0004


def test_a_decision_filled_one_bar_late_is_not_the_same():
    """The comparison is awake: the most common fault of a backtest would be seen."""
    asked = CASES["long_short-costs-1"].case
    late = Case(asked.prices, np.concatenate([[0.0], asked.targets[:-1]]), asked.settings)
    with pytest.raises(AssertionError):
        assert_same(ours(asked), ours(late), "nautilus")


def test_a_hundredth_of_a_basis_point_is_not_the_same():
    asked = CASES["long_short-costs-1"].case
    dearer = Case(asked.prices, asked.targets, type(asked.settings)(commission=COSTS + 1e-6, initial_equity=10_000.0))
    with pytest.raises(AssertionError):
        assert_same(ours(asked), ours(dearer), "nautilus")
