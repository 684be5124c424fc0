"""A calibration from its plan to its table: every market in a process, a file each, so that a stopped one goes on where it was."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, available_cores, fan_out
from seawall.core.files import read_json, write_json
from seawall.evaluation.calibration_page import write_calibration_page
from seawall.recipes.calibration.grade import grade
from seawall.recipes.calibration.market import Place, run_market
from seawall.recipes.calibration.plan import CalibrationPlan, KnownMarket, Pipeline
from seawall.training.threads import use_threads

PLAN, RESULT, PAGE = "plan.json", "calibration.json", "calibration.html"
OnMarket = Callable[[str, dict[str, Any]], None]
"""Called with a market's name and a message: ``done``, the share of its work, and ``note``; or ``finished``, its level."""
_GROUPS_PER_WORKER = 4


def calibrate(plan: CalibrationPlan, folder: Path, on_market: OnMarket, workers: int | None = None) -> dict[str, Any]:
    """Run every market that has no result in the folder yet, and grade them all.

    Args:
        plan: What is run.
        folder: Where results are kept; that of an earlier calibration of the same settings goes on.
        on_market: Told of progress; of a market that was finished before, once and first.
        workers: Processes at once; None for as many as there are cores.

    Returns:
        The document that ``calibration.json`` holds.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
        ConfigError: The folder holds a calibration of other settings, or something else.
        DataError: A kept result is damaged, or the disk is full.
    """
    _claim(plan, folder)
    places = [Place(folder, market) for market in plan.units]
    waiting: list[Place] = []
    for place in places:
        if place.result.is_file():
            shutil.rmtree(place.runs, ignore_errors=True)
            on_market(place.market.name, {"finished": _result(place)["level"], "before": True})
        else:
            waiting.append(place)
    count = min(workers or available_cores(), max(1, len(waiting)))
    tasks = [(plan.pipeline, str(folder), [place.market for place in group]) for group in _groups(waiting, count)]
    fan_out(run_markets, tasks, workers=count, on_progress=lambda _number, message: on_market(message["market"], message))
    document = {**grade(plan, [_result(place) for place in places]), "folder": str(folder), "page": str(folder / PAGE)}
    write_calibration_page(folder / PAGE, document)
    write_json(folder / RESULT, document)
    return document


def _groups(waiting: list[Place], workers: int) -> list[list[Place]]:
    """Cut the markets into groups that share a process, whose start takes seconds; noise stays beside planted."""
    size = max(1, math.ceil(len(waiting) / (workers * _GROUPS_PER_WORKER)))
    return [waiting[start : start + size] for start in range(0, len(waiting), size)]


def run_markets(pipeline: Pipeline, folder: str, markets: list[KnownMarket], channel: Channel) -> None:
    """Run some markets one after the other; called in a process of its own."""
    use_threads(1)
    for market in markets:
        result = run_market(pipeline, Place(Path(folder), market), channel)
        channel.send({"market": market.name, "finished": result["level"]})


def _claim(plan: CalibrationPlan, folder: Path) -> None:
    """Write the plan into a new folder, or make sure that an older one is of the same settings."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out is {folder}, which is a file; allowed: a folder to make, or that of a calibration to go on with")
    file = folder / PLAN
    if file.is_file():
        if read_json(file, "digest")["digest"] != plan.digest():
            raise ConfigError(
                f"{folder} holds a calibration of other settings or another version of Seawall; allowed: another folder for --out"
            )
        return
    # A process that was killed leaves a hidden file at most.
    if folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise ConfigError(f"--out is {folder}, which holds no calibration; allowed: a folder that is new or empty")
    write_json(file, {"digest": plan.digest(), **plan.pipeline.facts()})


def _result(place: Place) -> dict[str, Any]:
    saved = read_json(place.result, "level", "pbo", "chosen", "configurations")
    if (saved.get("kind"), saved.get("number")) != (place.market.kind, place.market.number):
        raise DataError(f"{place.result} is the result of another market; remove it, and run again")
    return saved
