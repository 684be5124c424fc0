"""Seconds that a judgement and its page take for 5 seeds and 100,000 test bars, by part, beside their limit.

The policies are networks of the reference recipe's size with random weights (Conv1d 32 x 3 -> 256 -> 256 on windows of 12 x 21),
behind its guard, and the market is a random walk; speed does not depend on what is in either. Everything is compiled, and libraries
are loaded, before it is timed. Run: ``python bench/report.py [--bars 100000] [--seeds 5] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.evaluation.attribution import attribution
from seawall.evaluation.bootstrap import resample
from seawall.evaluation.evaluate import Candidates, Setting, attainable_in, surroundings_of, walk_all
from seawall.evaluation.judge import JudgeInputs, RunFacts, judge
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.report import render_report
from seawall.evaluation.stress import Replay, stress
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

LIMIT, WINDOW, FEATURES = 30.0, 12, 21
FACTS = RunFacts("reference", "0" * 64, "WALK", "1h", {"taker_bps": 10.0, "spread_bps": 2.0})


def market(bars: int) -> Market:
    source = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.004, bars)))
    opening = np.concatenate([[100.0], close[:-1]])
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(bars)], axis=1)
    times = 1_400_000_000_000 + np.arange(bars, dtype=np.int64) * 3_600_000
    features = source.normal(size=(bars, FEATURES)).astype(np.float32)
    names = tuple(f"x{column}" for column in range(FEATURES))
    return Market(("WALK",), (0, bars), Timeframe.parse("1h"), times, prices, features, names, (0,))


def setting_of(bars: int) -> Setting:
    """The reference recipe's account, costs and guard, over so many test bars."""
    return Setting(
        market=market(bars + WINDOW),
        rows=RowRange(WINDOW - 1, bars + WINDOW),
        make_desk=lambda: Desk(action_scheme("sell_buy_hold", True), GuardChain([NConsecutive()]), 1),
        short=True,
        costs=CostParams(),
        simulator=SimulatorParams(),
        account_columns=("exposure",),
    )


def candidates_of(setting: Setting, seeds: int) -> Candidates:
    account = len(setting.account_columns) + len(setting.make_desk().state_names)
    shape = NetworkShape(FEATURES, WINDOW, account, 3)
    members = [NetworkPolicy(build_network("conv", ConvParams(), shape, seed), WINDOW) for seed in range(seeds)]
    for member in members:
        # Fresh heads are nearly indifferent; trained ones are not.
        with torch.no_grad():
            member.network.policy_head.weight.mul_(100.0)
    return Candidates(EnsemblePolicy(members), dict(enumerate(members)))


class Clock:
    """Adds up what parts take, in seconds on the wall and of the processor."""

    def __init__(self) -> None:
        """Begin with no part."""
        self.parts: dict[str, list[float]] = {}

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        """Do some work, and add what it took to a part."""
        wall, spent = perf_counter(), process_time()
        result = work()
        self.add(name, perf_counter() - wall, process_time() - spent)
        return result

    def add(self, name: str, wall: float, spent: float) -> None:
        """Add seconds to a part."""
        found = self.parts.setdefault(name, [0.0, 0.0])
        found[0] += wall
        found[1] += spent


def judged(bars: int, seeds: int, folder: Path) -> tuple[dict[str, list[float]], int]:
    """Judge and show a run once; return what each part took, and the size of the page in bytes."""
    setting, params, clock = setting_of(bars), EvaluationParams(), Clock()
    candidates = candidates_of(setting, seeds)
    begun: list[tuple[str, float, float]] = []
    walked = walk_all(candidates, setting, params.baselines, lambda name: begun.append((name, perf_counter(), process_time())))
    ends = (perf_counter(), process_time())
    first, rivals = begun[0], next(each for each in begun if each[0] == "flat")
    clock.add("policies", rivals[1] - first[1], rivals[2] - first[2])
    clock.add("rivals behind guards", ends[0] - rivals[1], ends[1] - rivals[2])
    replay = Replay(setting.market, setting.rows, setting.costs, setting.simulator)
    stressed = clock.timed("stress", lambda: stress(walked.ensemble, replay, params.stress))
    attainable = clock.timed("oracle", lambda: attainable_in(setting, walked.ensemble))
    found = clock.timed("attribution", lambda: attribution(walked.ensemble, surroundings_of(replay)))
    returns = {name: ledger.log_returns() for name, ledger in walked.named().items()}
    clock.timed("bootstrap", lambda: resample(returns, walked.ensemble.periods_per_year, params.bootstrap))
    inputs = JudgeInputs(walked, stressed, FACTS, params, attainable, attribution=found)
    judgement = clock.timed("figures and verdict", lambda: judge(inputs))
    # A judgement has its own resamples.
    again = clock.parts["bootstrap"]
    clock.add("figures and verdict", -again[0], -again[1])
    clock.timed("files", lambda: (walked.write(folder / "ledger.parquet"), judgement.write(folder / "metrics.json")))
    page = folder / "report.html"
    clock.timed("page", lambda: render_report(judgement, walked, "", page))
    return clock.parts, page.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=100_000, help="test bars (default 100,000)")
    parser.add_argument("--seeds", type=int, default=5, help="seeds (default 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judged(500, asked.seeds, Path(folder))
        parts, size = judged(asked.bars, asked.seeds, Path(folder))
    wall, spent = (sum(each[place] for each in parts.values()) for place in (0, 1))
    told = {
        "bars": asked.bars,
        "seeds": asked.seeds,
        "limit_s": LIMIT,
        "seconds": wall,
        "processor_seconds": spent,
        "limit_over_seconds": LIMIT / wall,
        "limit_over_processor_seconds": LIMIT / spent,
        "page_bytes": size,
        "parts": {name: {"seconds": each[0], "processor_seconds": each[1]} for name, each in parts.items()},
    }
    if asked.json:
        print(json.dumps(told))
        return
    print(f"{asked.seeds} seeds, {asked.bars:,} bars; limit {LIMIT:g} s; page {size / 2**20:.1f} MiB")
    for name, each in (*parts.items(), ("together", [wall, spent])):
        print(f"{name:22} {each[0]:8.2f} s  processor {each[1]:8.2f} s  limit / time {LIMIT / max(each[0], 1e-9):8.1f}")


if __name__ == "__main__":
    main()
