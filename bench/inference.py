"""One decision for one account: the networks in torch beside the exported graph in onnxruntime.

The reference network (Conv1d 32 x 3 -> 256 -> 256 on windows of 12 x 21), alone and as an ensemble of five, and one network of
every other kind that a recipe trains. Two things are timed: the bare networks on a window that lies ready, and a whole decision,
which gathers the window from the market. The cases take turns in one process, so that whatever else the machine does reaches all
of them. Run: ``python bench/inference.py [--json]``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from seawall.agents.dqn.policy import QEnsemble, QPolicy
from seawall.agents.joint_ppo.policy import PortfolioEnsemble, PortfolioPolicy
from seawall.agents.onnx.graph import EnsembleGraph, ensemble_graph
from seawall.agents.onnx.parity import differences, episodes_of
from seawall.agents.onnx.policy import OnnxPolicy
from seawall.agents.onnx.session import GraphSession
from seawall.agents.onnx.writing import write_onnx
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Observation, Policy
from seawall.core.timeframe import Timeframe
from seawall.nets.dense import RecurrentParams
from seawall.nets.lstm import LstmParams
from seawall.nets.portfolio import PortfolioNetworkParams, PortfolioShape, build_portfolio_network
from seawall.nets.portfolio_windows import Look
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.nets.tcn import TcnParams

WINDOW, FEATURES, ACCOUNT, ROWS, CALLS = 12, 21, 3, 20_000, 200


ASSETS = 4


def market(series: int = 1) -> Market:
    rows = ROWS // series
    features = np.random.default_rng(0).normal(size=(series * rows, FEATURES)).astype(np.float32)
    return Market(
        symbols=tuple(f"WALK{number}" for number in range(series)),
        starts=tuple(range(0, (series + 1) * rows, rows)),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.tile(np.arange(rows, dtype=np.int64) * 3_600_000, series),
        prices=np.ones((series * rows, 5)),
        features=features,
        feature_names=tuple(f"x{column}" for column in range(FEATURES)),
        ready=(0,) * series,
    )


def microseconds(once: Callable[[], Any]) -> float:
    """Return what a call takes in the mean of many."""
    started = perf_counter()
    for _ in range(CALLS):
        once()
    return 1e6 * (perf_counter() - started) / CALLS


SHAPE = NetworkShape(FEATURES, WINDOW, ACCOUNT, 3)
NUMBER = NetworkShape(FEATURES, WINDOW, ACCOUNT, 0)
LOOK = Look.of(FEATURES, (WINDOW,), (1,))
Made = tuple[list[Any], Policy]


def actor_critics(kind: str, params: Any, members: int, shape: NetworkShape = SHAPE) -> Made:
    policies = [NetworkPolicy(build_network(kind, params, shape, seed), WINDOW) for seed in range(members)]
    return policies, EnsemblePolicy(policies)


def q_networks(members: int) -> Made:
    made = [build_q_network("conv", ConvParams(), SHAPE, seed, dueling=True, quantiles=32) for seed in range(members)]
    policies = [QPolicy(network, WINDOW) for network in made]
    return policies, QEnsemble(policies)


def portfolios(members: int) -> Made:
    sizes, shape = PortfolioNetworkParams(preset="tiny"), PortfolioShape(ASSETS, WINDOW, FEATURES, ACCOUNT)
    policies = [PortfolioPolicy(build_portfolio_network(sizes, shape, seed), LOOK) for seed in range(members)]
    return policies, PortfolioEnsemble(policies)


FAMILIES: dict[str, Callable[[int], Made]] = {
    "conv": lambda members: actor_critics("conv", ConvParams(), members),
    "conv, a number": lambda members: actor_critics("conv", ConvParams(), members, NUMBER),
    "conv, dueling quantiles": q_networks,
    "lstm over the window": lambda members: actor_critics("lstm", LstmParams(), members),
    "lstm from bar to bar": lambda members: actor_critics("recurrent", RecurrentParams(), members),
    "tcn": lambda members: actor_critics("tcn", TcnParams(), members),
    "portfolio, tiny": portfolios,
}


def measure(family: str, members: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Let torch and onnxruntime take turns; the first turn of each is a warm-up and is not counted."""
    policies, eager = FAMILIES[family](members)
    network, path = ensemble_graph(policies), folder / f"{len(list(folder.iterdir()))}.onnx"
    several = network.kind == "weights"
    window = (ASSETS, WINDOW, FEATURES) if several else (WINDOW, FEATURES)
    write_onnx(network, path, (window, ACCOUNT), {})
    bars, source = market(ASSETS if several else 1), np.random.default_rng(1)
    exported, session = OnnxPolicy(path, LOOK if several else WINDOW), GraphSession(path)
    rows = RowRange(WINDOW, ROWS // ASSETS)
    found = differences(eager, exported, episodes_of(bars, (rows,), ACCOUNT, source, remembers=network.remembers))
    seen = Observation(bars, np.array([3_000]), source.normal(size=(1, ACCOUNT)).astype(np.float32))
    for policy in (eager, exported):
        getattr(policy, "begin", lambda _n: None)(1)
    medians, ratios = _turns(_cases(network, session, (eager, exported), (window, seen)), repetitions)
    return {
        "family": family,
        "members": members,
        "microseconds": medians,
        "torch_over_onnxruntime": ratios,
        "difference": found.share,
    }


def _cases(
    network: EnsembleGraph, session: GraphSession, policies: tuple[Policy, Policy], asked: tuple[tuple[int, ...], Observation]
) -> dict[str, Callable[[], Any]]:
    window, seen = asked
    inputs = [np.random.default_rng(2).normal(size=(1, *window)).astype(np.float32), seen.account]
    memory = np.zeros((1, sum(network.state_widths)), np.float32)
    tensors = [torch.from_numpy(each) for each in (*inputs, *([memory] if network.remembers else []))]

    def bare_torch() -> None:
        with torch.inference_mode():
            network(*tensors)

    return {
        "network, torch": bare_torch,
        "network, onnxruntime": lambda: session.run(inputs[0], inputs[1], memory),
        "decision, torch": lambda: policies[0].act(seen),
        "decision, onnxruntime": lambda: policies[1].act(seen),
    }


def _turns(cases: dict[str, Callable[[], Any]], repetitions: int) -> tuple[dict[str, float], dict[str, float]]:
    times: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repetitions + 1):
        for name, once in cases.items():
            spent = microseconds(once)
            if turn:
                times[name].append(spent)
    medians = {name: statistics.median(each) for name, each in times.items()}
    ratios = {
        what: statistics.median(
            slow / quick for slow, quick in zip(times[f"{what}, torch"], times[f"{what}, onnxruntime"], strict=True)
        )
        for what in ("network", "decision")
    }
    return medians, ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repetitions", type=int, default=20, help="turns of each case (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        chosen = [("conv", 5), *((family, 1) for family in FAMILIES)]
        rows = [measure(family, members, options.repetitions, Path(folder)) for family, members in chosen]
    if options.json:
        print(json.dumps({"setting": {"threads": 1, "batch": 1, **vars(options)}, "inference": rows}, indent=2))
        return
    table = Table(
        "network", "members", "what", "torch, µs", "onnxruntime, µs", "torch / onnxruntime", title="One decision, one thread"
    )
    for row in rows:
        for what in ("network", "decision"):
            slow, quick = (f"{row['microseconds'][f'{what}, {name}']:.0f}" for name in ("torch", "onnxruntime"))
            table.add_row(row["family"], str(row["members"]), what, slow, quick, f"{row['torch_over_onnxruntime'][what]:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
