"""Known answers: how much of a planted edge is learned, and whether noise is called an edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.run_folder import RunFolder
from seawall.market.synthetic.known import optimal_targets, planted_edge_bars
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import load_run_recipe
from seawall.recipes.schema import PlantedEdgeData
from seawall.recipes.twins import Twins
from seawall.simulator.simulator import replay

REQUIRED_SHARE = 0.75
_LEVELS = (-1.0, 0.0, 1.0)


def grade(twins: Twins, planted: Mapping[str, Any], noise: Mapping[str, Any]) -> dict[str, Any]:
    """Grade judged twins against the known answers.

    The known optimum is what the best policy that *sees* the hidden signal earns on the very same unseen bars, in the
    same simulator, after the same costs. A policy that sees only bars cannot reach all of it.

    Args:
        twins: The runs.
        planted: Judgement of the planted edge, as `judging.document` gives it.
        noise: Judgement of the random walk.

    Returns:
        For the planted market the log growth of each seed and its share of the optimum; for the noise its verdict; and
        whether both answers are right.
    """
    attainable = informed_growth(twins.planted)
    growths = {seed: metrics["mean_log_return"] for seed, metrics in planted["seeds"].items()}
    seeds = [{"seed": int(seed), "growth_bps": 1e4 * growth, "share": growth / attainable} for seed, growth in growths.items()]
    mean_share = float(np.mean([seed["share"] for seed in seeds]))
    verdicts = {
        name: {key: found["verdict"][key] for key in ("level", "headline")}
        for name, found in (("planted", planted), ("noise", noise))
    }
    return {
        "planted": {
            "run": str(twins.planted.path),
            "attainable_bps": 1e4 * attainable,
            "seeds": seeds,
            "mean_share": mean_share,
            "required_share": REQUIRED_SHARE,
            **verdicts["planted"],
        },
        "noise": {"run": str(twins.noise.path), **verdicts["noise"]},
        "passed": mean_share >= REQUIRED_SHARE and noise["verdict"]["level"] != "evidence",
    }


def informed_growth(run: RunFolder) -> float:
    """Return what the best policy that sees the hidden signal earns on the test rows of a run on a planted edge.

    Args:
        run: The run.

    Returns:
        Mean log growth per bar, after costs.
    """
    recipe, dataset = load_run_recipe(run), Dataset.load(run)
    data = recipe.data
    if not isinstance(data, PlantedEdgeData):
        raise InvariantError(f"run {run.path} has data of kind {data.kind!r}; its optimum is not known")
    targets = optimal_targets(planted_edge_bars(data, data.seed), data, _LEVELS, recipe.costs.rate)
    rows = dataset.split.test
    equity = replay(dataset.market, rows, targets[rows.start : rows.stop - 1, None], recipe.costs, np.ones(1))[:, 0]
    return float(np.log(equity[-1] / equity[0]) / (len(rows) - 1))
