"""Reward terms with a memory, against the formulas of their papers in plain loops, and what is forgotten, saved and shared."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from small_markets import flat_bars, market_of, random_prices

from seawall.core.market import Market
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

FREE = CostParams(taker_bps=0.0, spread_bps=0.0)
RETURNS = [Fraction(number, 1_000) for number in np.random.default_rng(4).integers(-30, 31, 30).tolist()]


def market_of_returns(returns: list[Fraction]) -> Market:
    closes = [Fraction(100)]
    for each in returns:
        closes.append(closes[-1] * (1 + each))
    return flat_bars(*map(float, closes))


def rewards(market: Market, term: str, **settings: float) -> list[float]:
    """What a position held from the start earns, bar by bar; its returns are those of the market."""
    simulator = Simulator(market, 1, FREE, SimulatorParams(reward=RewardParams(weights={term: 1.0}, **settings)))
    simulator.reset(np.array([0]), np.array([0]), np.array([len(market)]), np.array([1.0]))
    return [float(simulator.step(np.ones(1)).reward[0]) for _ in range(len(market) - 1)]


def differential(returns: list[Fraction], rate: Fraction, warmup: int) -> list[float]:
    """D = (B dA - A dB / 2) / (B - A^2)^(3/2) in exact fractions up to the root; plain means until 1 / rate bars are known."""
    first = second = Fraction(0)
    found = []
    for age, each in enumerate(returns):
        up, wide = each - first, each**2 - second
        variance = second - first**2
        known = age >= warmup and variance > 0
        found.append(float(second * up - first * wide / 2) / float(variance) ** 1.5 if known else 0.0)
        share = max(rate, Fraction(1, age + 1))
        first, second = first + share * up, second + share * wide
    return found


@pytest.mark.parametrize(("rate", "warmup"), [(Fraction(1, 10), 2), (Fraction(1, 100), 5), (Fraction(1, 4), 20)])
def test_the_differential_ratio_is_the_papers_formula(rate, warmup):
    found = rewards(
        market_of_returns(RETURNS), "differential_sharpe", sharpe_rate=float(rate), sharpe_warmup=warmup, sharpe_clip=1e6
    )
    assert found[:warmup] == [0.0] * warmup
    assert found == pytest.approx(differential(RETURNS, rate, warmup), rel=1e-7, abs=1e-9)
    assert found[warmup] != 0.0


def test_the_differential_ratio_is_the_derivative_of_the_ratio_by_its_rate():
    # dS/d(rate) at 0, of S = A / sqrt(B - A^2): by a small rate, on moments after 20 bars of plain means.
    values = [float(each) for each in RETURNS]
    mean = sum(values[:20]) / 20
    square = sum(each**2 for each in values[:20]) / 20

    def ratio(rate: float) -> float:
        first, second = mean + rate * (values[20] - mean), square + rate * (values[20] ** 2 - square)
        return first / math.sqrt(second - first**2)

    found = rewards(market_of_returns(RETURNS), "differential_sharpe", sharpe_rate=0.01, sharpe_warmup=2, sharpe_clip=1e6)
    assert found[20] == pytest.approx((ratio(1e-5) - ratio(-1e-5)) / 2e-5, rel=1e-5)


def test_the_differential_ratio_is_clipped_on_both_sides():
    found = rewards(market_of_returns(RETURNS), "differential_sharpe", sharpe_rate=0.05, sharpe_warmup=2, sharpe_clip=0.5)
    free = differential(RETURNS, Fraction(1, 20), 2)
    assert min(free) < -0.5
    assert max(free) > 0.5
    assert found == pytest.approx([min(max(each, -0.5), 0.5) for each in free], rel=1e-7, abs=1e-9)


def test_the_windowed_ratio_and_volatility_are_of_the_last_returns_and_zero_before():
    window, values = 4, [float(each) for each in RETURNS]
    ratios, deviations = [0.0] * (window - 1), [0.0] * (window - 1)
    for last in range(window, len(values) + 1):
        part = values[last - window : last]
        mean = math.fsum(part) / window
        deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in part) / window)  # ddof 0
        ratios.append(mean / deviation)
        deviations.append(-deviation)
    market = market_of_returns(RETURNS)
    assert rewards(market, "windowed_sharpe", sharpe_window=window) == pytest.approx(ratios, rel=1e-9)
    assert rewards(market, "volatility", sharpe_window=window) == pytest.approx(deviations, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("term", ["windowed_sharpe", "differential_sharpe"])
def test_returns_that_are_all_alike_have_no_ratio(term):
    found = rewards(market_of_returns([Fraction(1, 100)] * 12), term, sharpe_window=3, sharpe_warmup=2)
    assert found == [0.0] * 12


ALL = {name: 1.0 + place for place, name in enumerate(REWARD_TERMS)}
SETTINGS = SimulatorParams(reward=RewardParams(weights=ALL, sharpe_window=5, sharpe_warmup=3, idle_bars=1))
PRICES = market_of(random_prices(8, 90, 0.02))


def simulators(*counts: int) -> list[Simulator]:
    made = [Simulator(PRICES, count, CostParams(), SETTINGS) for count in counts]
    for each in made:
        begin(each, np.arange(each.n))
    return made


def begin(simulator: Simulator, accounts: np.ndarray) -> None:
    simulator.reset(accounts, np.full(len(accounts), 2), np.full(len(accounts), 80))


def paths(n: int, bars: int = 40) -> np.ndarray:
    return np.random.default_rng(3).choice([-1.0, -0.5, 0.0, 0.0, 0.0, 1.0], (bars, n))


def test_a_batch_earns_bit_for_bit_what_single_accounts_do():
    targets = paths(5)
    batch, *singles = simulators(5, 1, 1, 1, 1, 1)
    for wanted in targets:
        together = batch.step(wanted)
        for place, single in enumerate(singles):
            assert single.step(wanted[place : place + 1]).reward[0] == together.reward[place]
            assert single.reward.terms[:, 0].tolist() == batch.reward.terms[:, place].tolist()
            assert single.reward.sums[:, 0].tolist() == batch.reward.sums[:, place].tolist()


@pytest.mark.parametrize("bars_before", [3, 7, 11])
def test_a_reset_forgets_all_bit_for_bit_and_leaves_the_other_accounts_alone(bars_before):
    targets = paths(3)
    used, fresh, other = simulators(3, 1, 3)
    for wanted in targets[:bars_before]:
        used.step(wanted)
        other.step(wanted)
    begin(used, np.array([1]))
    assert used.reward.sums[:, 1].tolist() == [0.0] * len(ALL)
    for wanted in targets[bars_before:]:
        again, alone, untouched = used.step(wanted), fresh.step(wanted[1:2]), other.step(wanted)
        assert again.reward[1] == alone.reward[0]
        assert used.reward.terms[:, 1].tolist() == fresh.reward.terms[:, 0].tolist()
        assert again.reward[[0, 2]].tolist() == untouched.reward[[0, 2]].tolist()


def test_a_saved_reward_goes_on_exactly():
    targets = paths(3)
    whole, other = simulators(3, 3)
    for wanted in targets[:17]:
        whole.step(wanted)
    other.load_state_dict(whole.state_dict())
    for wanted in targets[17:]:
        assert whole.step(wanted).reward.tolist() == other.step(wanted).reward.tolist()
        assert whole.reward.sums.tolist() == other.reward.sums.tolist()


def test_terms_times_weights_add_up_to_the_reward_and_over_the_episode_to_the_sums():
    (simulator,) = simulators(4)
    weights, total = np.array(list(ALL.values())), np.zeros((len(ALL), 4))
    for wanted in paths(4, 20):
        reward = simulator.step(wanted).reward
        assert reward == pytest.approx(weights @ simulator.reward.terms, rel=1e-12, abs=1e-12)
        total += weights[:, None] * simulator.reward.terms
    assert simulator.reward.sums == pytest.approx(total, rel=1e-12, abs=1e-12)


def test_idle_bars_are_forgotten_at_a_reset_and_kept_by_what_is_saved():
    simulator, other = simulators(1, 1)
    idle, flat = simulator.reward.names.index("idle"), np.zeros(1)
    simulator.step(flat)  # the one bar that is free
    other.load_state_dict(simulator.state_dict())
    other.step(flat)
    assert other.reward.terms[idle, 0] == -1.0
    begin(simulator, np.array([0]))
    simulator.step(flat)
    assert simulator.reward.terms[idle, 0] == 0.0
