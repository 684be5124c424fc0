"""One decision for one account: the networks in torch beside the exported graph in onnxruntime.

The reference network (Conv1d 32 x 3 -> 256 -> 256 on windows of 12 x 21), alone and as an ensemble of five. Two things are
timed: the bare networks on a window that lies ready, and a whole decision, which gathers the window from the market. The cases
take turns in one process, so that whatever else the machine does reaches all of them. Run: ``python bench/inference.py [--json]``.
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

from seawall.agents.onnx_export import ensemble_network, parity, write_onnx
from seawall.agents.onnx_policy import OnnxPolicy, onnx_session, run_onnx
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.market import Market
from seawall.core.protocols import Observation
from seawall.core.timeframe import Timeframe
from seawall.nets.registry import ConvParams, NetworkShape, build_network

WINDOW, FEATURES, ACCOUNT, ROWS, CALLS = 12, 21, 3, 20_000, 200


def market() -> Market:
    features = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    return Market(
        symbols=("WALK",),
        starts=(0, ROWS),
        timeframe=Timeframe.parse("1h"),
        timestamps=np.arange(ROWS, dtype=np.int64) * 3_600_000,
        prices=np.ones((ROWS, 5)),
        features=features,
        feature_names=tuple(f"x{column}" for column in range(FEATURES)),
        ready=(0,),
    )


def microseconds(once: Callable[[], Any]) -> float:
    """Return what a call takes in the mean of many."""
    started = perf_counter()
    for _ in range(CALLS):
        once()
    return 1e6 * (perf_counter() - started) / CALLS


def measure(members: int, repetitions: int, folder: Path) -> dict[str, Any]:
    """Let torch and onnxruntime take turns; the first turn of each is a warm-up and is not counted."""
    shape = NetworkShape(FEATURES, WINDOW, ACCOUNT, 3)
    policies = [NetworkPolicy(build_network("conv", ConvParams(), shape, seed), WINDOW) for seed in range(members)]
    network, path = ensemble_network(policies), folder / f"policy-{members}.onnx"
    write_onnx(network, path, (WINDOW, FEATURES, ACCOUNT), {})
    bars = market()
    source = np.random.default_rng(1)
    windows, account = (source.normal(size=size).astype(np.float32) for size in ((1_024, WINDOW, FEATURES), (1_024, ACCOUNT)))
    difference = parity(network, path, windows, account)
    seen = Observation(bars, np.array([5_000]), account[:1])
    eager, exported, session = EnsemblePolicy(policies), OnnxPolicy(path, WINDOW), onnx_session(path)
    one = torch.from_numpy(windows[:1]), torch.from_numpy(account[:1])

    def bare_torch() -> None:
        with torch.inference_mode():
            network(*one)

    cases = {
        "network, torch": bare_torch,
        "network, onnxruntime": lambda: run_onnx(session, windows[:1], account[:1]),
        "decision, torch": lambda: eager.act(seen),
        "decision, onnxruntime": lambda: exported.act(seen),
    }
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
    return {"members": members, "microseconds": medians, "torch_over_onnxruntime": ratios, "max_difference": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--repetitions", type=int, default=20, help="turns of each case (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(members, options.repetitions, Path(folder)) for members in (1, 5)]
    if options.json:
        print(json.dumps({"setting": {"threads": 1, "batch": 1, **vars(options)}, "inference": rows}, indent=2))
        return
    table = Table("members", "what", "torch, µs", "onnxruntime, µs", "torch / onnxruntime", title="One decision, one thread")
    for row in rows:
        for what in ("network", "decision"):
            slow, quick = (f"{row['microseconds'][f'{what}, {name}']:.0f}" for name in ("torch", "onnxruntime"))
            table.add_row(str(row["members"]), what, slow, quick, f"{row['torch_over_onnxruntime'][what]:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
