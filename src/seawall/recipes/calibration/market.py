"""One market of a calibration, from its bars to its verdict, as a user would go: try, choose on validation, judge out of sample."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from seawall.core.fan_out import Channel, Interrupted
from seawall.core.files import read_json, write_json, write_text
from seawall.core.run_folder import RunFolder
from seawall.core.trials import REGISTRY
from seawall.evaluation.backtest import backtest
from seawall.evaluation.judge import Judgement
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.statistics.overfitting import backtest_overfitting
from seawall.recipes.calibration.plan import PLANTED, KnownMarket, Pipeline
from seawall.recipes.experiment import create_run, load_run_recipe
from seawall.recipes.judging import Case, OpenedCase, judge_case, open_case
from seawall.recipes.run_bundle import is_finished
from seawall.recipes.selftest import informed_growth
from seawall.recipes.trials import record_run
from seawall.recipes.walkforward.training import done_before, save_trained, train_fold_seed

_SECONDS = "seconds.json"
_JUDGING = 0.4
"""Share of a market's work that is counted for walking its test rows; it only moves the bar."""


@dataclass(frozen=True)
class Place:
    """Where a market's files lie.

    Attributes:
        folder: Folder of the calibration.
        market: Which.
    """

    folder: Path
    market: KnownMarket

    @property
    def result(self) -> Path:
        """What came of it; there once the market is finished."""
        return self.folder / "markets" / f"{self.market.name}.json"

    @property
    def runs(self) -> Path:
        """Folder of its runs, with a registry of trials of its own; gone once the market is finished."""
        return self.folder / "runs" / self.market.name


def run_market(pipeline: Pipeline, place: Place, channel: Channel) -> dict[str, Any]:
    """Try every configuration on a market, choose one on validation rows, judge it, and keep what came of it.

    What was done before an interruption is not done again.

    Args:
        pipeline: What is tried.
        place: Where.
        channel: Takes progress, and says when to stop.

    Returns:
        The result, as its file holds it.

    Raises:
        Interrupted: The user asked to stop; the same call goes on.
    """
    runs = _open(pipeline, place)
    seconds = _train(runs, place, channel)
    opened = {name: open_case(Case(run)) for name, run in runs.items()}
    scores = {name: float(each.parts.validation_growth(each.ensemble)) for name, each in opened.items()}
    chosen = max(scores, key=lambda name: scores[name])
    started = process_time()

    def tell(policy: str) -> None:
        channel.send({"market": place.market.name, "done": 1.0 - _JUDGING, "note": f"judging {chosen}: {policy}"})
        _heed(channel)

    judgement = judge_case(Case(runs[chosen], data_root=place.runs), tell)
    judging = process_time() - started
    ledgers = {name: _ledger(runs[name], each, chosen=name == chosen) for name, each in opened.items()}
    result = {
        "kind": place.market.kind,
        "number": place.market.number,
        "seed": place.market.seed,
        "chosen": chosen,
        "configurations": {name: _tried(ledgers[name], scores[name]) for name in runs},
        "pbo": _overfitting({name: ledger.returns() for name, ledger in ledgers.items()}),
        "training_seconds": float(np.mean(seconds)),
        "judging_seconds": judging,
        **_judged(judgement),
        **(_known(runs[chosen], judgement) if place.market.kind == PLANTED else {}),
    }
    write_json(place.result, result)
    shutil.rmtree(place.runs)
    return result


def _open(pipeline: Pipeline, place: Place) -> dict[str, RunFolder]:
    """Return the run of each configuration, all of them counted as tried before any is judged."""
    # Its own registry: in one of the user's the trials of all markets would count, and the user's would grow.
    if not (place.runs / REGISTRY).is_file():
        write_text(place.runs / REGISTRY, "")
    runs: dict[str, RunFolder] = {}
    for name in pipeline.configurations:
        there = sorted((place.runs / name).glob("*/recipe.yaml"))
        runs[name] = (
            RunFolder(there[0].parent) if there else create_run(pipeline.recipe_of(place.market, name), place.runs, place.runs)
        )
    for run in runs.values():
        record_run(run, load_run_recipe(run).model_dump(mode="json"))
    return runs


def _train(runs: Mapping[str, RunFolder], place: Place, channel: Channel) -> list[float]:
    """Train every seed of every configuration that is not trained yet; returns the CPU seconds of each training."""
    file = place.runs / _SECONDS
    seconds: dict[str, float] = read_json(file) if file.is_file() else {}
    recipes = {name: load_run_recipe(run) for name, run in runs.items()}
    total = sum(len(recipe.training.seeds) for recipe in recipes.values())
    for name, run in runs.items():
        for number, seed in enumerate(recipes[name].training.seeds):
            if not done_before(run, seed):
                started = process_time()
                train_fold_seed(str(run.path), seed, _Quiet(channel.line, channel.stop))
                seconds[f"{name}/{number}"] = process_time() - started
                write_json(file, seconds)
            done = (1.0 - _JUDGING) * len(seconds) / total
            channel.send({"market": place.market.name, "done": done, "note": f"{name}, seed {number + 1}"})
            _heed(channel)
        if not is_finished(run):
            save_trained(run, recipes[name], finished=True)
    return list(seconds.values())


@dataclass(frozen=True)
class _Quiet(Channel):
    """A line that hears the wish to stop and tells nothing: a training of seconds needs no bar of its own."""

    def send(self, message: dict[str, Any]) -> None:
        """Drop a message."""


def _heed(channel: Channel) -> None:
    if channel.should_stop():
        raise Interrupted("a calibration was stopped; trainings that are done are kept")


def _ledger(run: RunFolder, opened: OpenedCase, *, chosen: bool) -> Ledger:
    """Return what a configuration's ensemble did on its test rows; that of the chosen one was kept when it was judged."""
    if chosen:
        return Ledgers.read(run.ledger).ensemble
    parts, recipe = opened.parts, opened.recipe
    columns = recipe.environment.account_columns
    return backtest(opened.ensemble, parts.dataset.market, opened.rows, parts.desk(1), recipe.costs, recipe.simulator, columns)


def _tried(ledger: Ledger, score: float) -> dict[str, float]:
    return {"validation_growth": score, "test_growth": float(ledger.log_returns().mean())}


def _overfitting(returns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return how overfitted the choice is, over the bars that all configurations were tested on: a longer window starts later."""
    common = min(len(each) for each in returns.values())
    return backtest_overfitting(np.column_stack([each[-common:] for each in returns.values()])).to_dict()


def _judged(judgement: Judgement) -> dict[str, Any]:
    document, verdict = judgement.document, judgement.verdict
    return {
        "level": judgement.level,
        "headline": verdict["headline"],
        "failed": [check["name"] for check in verdict["checks"] if not check["passed"]],
        "trials": document["skill"]["trials"],
        "deflated_sharpe": document["skill"]["deflated_sharpe"]["value"],
        "total_return": document["ensemble"]["total_return"],
        "growth": document["ensemble"]["mean_log_return"],
        "sharpe": document["ensemble"]["sharpe"],
        "trades": document["ensemble"]["trades"],
        "foresight_share": document["attainable"]["captured"]["value"],
        "leak_check": document["leaks"]["verdict"],
        "test_bars": document["test"]["bars"],
    }


def _known(run: RunFolder, judgement: Judgement) -> dict[str, float]:
    """Return what the best policy that sees the signal earned on the same test rows, and the share of it that was captured."""
    attainable = informed_growth(run)
    return {"attainable": attainable, "captured": judgement.document["ensemble"]["mean_log_return"] / attainable}
