"""Bars and their rewards in one compiled pass: by any number of threads, beside terms in Python, and without what has no weight."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import flat_bars, market_of, random_prices

from seawall.core.errors import InvariantError
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.term import RewardTerm
from seawall.simulator.rewards.terms import REWARD_TERMS
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import PARALLEL_FROM, Simulator

PRICES = market_of(random_prices(8, 90, 0.02))
ALL = {name: 1.0 + place for place, name in enumerate(REWARD_TERMS)}


def simulator_of(n: int, threads: int = 1, **weights: float) -> Simulator:
    reward = RewardParams(weights=weights, sharpe_window=5, sharpe_warmup=3, idle_bars=1)
    made = Simulator(PRICES, n, CostParams(), SimulatorParams(reward=reward, threads=threads))
    made.reset(np.arange(n), np.full(n, 2), 10 + np.arange(n) % 70)
    return made


@pytest.mark.parametrize("n", [PARALLEL_FROM, PARALLEL_FROM + 259])
def test_one_thread_and_two_earn_the_same_bits_with_every_term_also_where_episodes_end(n):
    alone, shared = (simulator_of(n, threads, **ALL) for threads in (1, 2))
    source = np.random.default_rng(5)
    for _ in range(25):
        wanted = np.where(source.random(n) < 0.5, source.choice([-1.0, 0.0, 0.5, 1.0], n), alone.target)
        one, two = alone.step(wanted), shared.step(wanted)
        assert one.reward.tobytes() == two.reward.tobytes()
        assert alone.reward.terms.tobytes() == shared.reward.terms.tobytes()
        ended = np.flatnonzero(one.truncated)[::2]
        for each in (alone, shared):
            each.reset(ended, np.full(len(ended), 2), np.full(len(ended), 60))
    assert alone.reward.sums.tobytes() == shared.reward.sums.tobytes()
    # Those that ended at row 10 or later and were not reset stand still.
    assert (one.reward[alone.row == alone.stop - 1] == 0.0).any()


def test_a_term_in_python_is_added_in_its_order_and_those_that_ended_earn_none_of_it(monkeypatch):
    monkeypatch.setitem(REWARD_TERMS, "rows", RewardTerm(lambda bar: bar.row.astype(np.float64), "the row"))
    simulator = simulator_of(3, log_return=2.0, rows=0.5, idle=10.0)
    for _ in range(7):
        simulator.step(np.ones(3))
    last = simulator.step(np.ones(3))
    assert simulator.row.tolist() == [9, 10, 10]  # the first account ended at row 9
    assert last.reward[0] == 0.0
    assert last.reward[1:].tolist() == (2.0 * simulator.log_return + 0.5 * 10.0)[1:].tolist()
    assert simulator.reward.sums[1, :2].tolist() == [0.5 * sum(range(3, 10)), 0.5 * sum(range(3, 11))]


def test_a_term_in_python_sees_what_the_compiled_ones_are_made_of(monkeypatch):
    seen: dict[str, list[float]] = {}

    def look(bar):
        for name in ("simple_return", "costs", "exposure", "drawdown", "close", "close_before", "asset_return"):
            seen[name] = getattr(bar, name).tolist()
        seen["before"] = [float(part[0]) for part in vars(bar.before).values()]
        return np.zeros(bar.n)

    monkeypatch.setitem(REWARD_TERMS, "look", RewardTerm(look, "looks"))
    free = CostParams(taker_bps=0.0, spread_bps=0.0)
    simulator = Simulator(flat_bars(100.0, 110.0, 99.0), 1, free, SimulatorParams(reward=RewardParams(weights={"look": 1.0})))
    simulator.reset(np.array([0]), np.array([0]), np.array([3]), np.ones(1))
    simulator.step(np.ones(1))
    simulator.step(np.ones(1))
    # 100 units at 100: equity 10,000 -> 11,000 -> 9,900.
    assert seen.pop("before") == [100.0, 100.0, 11_000.0, 11_000.0]
    wanted = {"simple_return": -0.1, "costs": 0.0, "exposure": 1.0, "drawdown": 0.1, "close": 99.0, "close_before": 110.0}
    assert seen == {name: pytest.approx([value], rel=1e-12) for name, value in {**wanted, "asset_return": -0.1}.items()}


def test_a_term_without_weight_is_not_computed(monkeypatch):
    def never(_bar):
        raise AssertionError("a term of weight 0 was asked for")

    monkeypatch.setitem(REWARD_TERMS, "never", RewardTerm(never, "never"))
    simulator = simulator_of(2, log_return=1.0, never=0.0, holding=0.0)
    result = simulator.step(np.ones(2))
    assert result.reward.tolist() == simulator.log_return.tolist()
    assert simulator.reward.terms[1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert simulator.reward.names == ("log_return", "never", "holding")


def test_signals_of_another_shape_are_refused_where_they_are_read():
    simulator = simulator_of(3, action_table=1.0)
    with pytest.raises(InvariantError, match=r"signals have shape \(2,\); allowed: \(3,\)"):
        simulator.step(np.ones(3), signals=np.zeros(2, dtype=np.int8))


def test_weights_beyond_any_number_are_refused_with_their_terms():
    simulator = simulator_of(1, trade=1e308, trade_entry=1e308)
    with pytest.raises(InvariantError, match=r"weighted reward of terms \['trade', 'trade_entry'\] is beyond any number"):
        simulator.step(np.ones(1))
