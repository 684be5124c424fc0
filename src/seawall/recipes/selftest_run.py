"""Climbing the ladder: every unit in a process, one file a unit, so that a stopped self-test goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from seawall.core.fan_out import Channel, available_cores, fan_out
from seawall.core.files import read_json, replacing_file, write_json
from seawall.core.logs import run_logger
from seawall.core.protocols import Policy
from seawall.core.run_folder import RunFolder
from seawall.market.synthetic.ladder import LadderMarket, ladder_market
from seawall.market.synthetic.ladder_fitted import fitted_share
from seawall.recipes.selftest_agents import LADDER_AGENTS, policy_choices
from seawall.recipes.selftest_plan import WALK, Plan, Unit
from seawall.training.rl import Learner, train
from seawall.training.threads import use_threads
from seawall.training.tracking import NoScalars

KIND = "selftest"
"""Name of the folder of all self-tests."""
_GROUPS_PER_WORKER = 8
OnUnit = Callable[[str, dict[str, Any]], None]


def find_or_create(plan: Plan, runs: Path) -> tuple[RunFolder, bool]:
    """Return the folder of this plan's newest self-test that is not finished, or a new one; and whether it is a new one.

    Args:
        plan: What is to be run.
        runs: Folder of all runs.
    """
    digest = plan.digest()
    for folder in sorted((runs / KIND).glob(f"*-{digest[:8]}*"), reverse=True):
        if (folder / "plan.json").is_file() and not (folder / "selftest.json").is_file():
            return RunFolder(folder), False
    run = RunFolder.create(runs, KIND, digest)
    write_json(run.path / "plan.json", plan.to_dict())
    return run, True


def unit_file(run: RunFolder, unit: Unit) -> Path:
    """Return where a unit's result lies."""
    return run.path / "units" / f"{unit.name}.json"


def walk_file(run: RunFolder, unit: Unit) -> Path:
    """Return where the realised log growth of each test bar lies, for units of the walk."""
    return unit_file(run, unit).with_suffix(".npy")


def climb(run: RunFolder, units: Sequence[Unit], on_progress: OnUnit, workers: int | None = None) -> list[dict[str, Any]]:
    """Train every unit that has no result yet, as many at once as there are cores, each with one thread.

    Args:
        run: Where results and checkpoints lie.
        units: The trainings.
        on_progress: Called with a unit's name and a message: what `training.rl.train` reports, or ``{"done": True}``.
        workers: Processes at once; None for as many as there are cores.

    Returns:
        The results, in the order of the units.

    Raises:
        Interrupted: Ctrl-C; the same call goes on from the checkpoints.
    """
    waiting = [unit for unit in units if not unit_file(run, unit).is_file()]
    count = min(workers or available_cores(), max(1, len(waiting)))
    # Groups share a process, whose start takes seconds; one of each agent, so that all take about as long.
    groups = [waiting[start :: count * _GROUPS_PER_WORKER] for start in range(count * _GROUPS_PER_WORKER)]
    tasks = [(str(run.path), [asdict(unit) for unit in group]) for group in groups if group]
    fan_out(run_units, tasks, workers=count, on_progress=lambda _number, message: on_progress(message["unit"], message))
    return [read_json(unit_file(run, unit), "share") for unit in units]


def run_units(path: str, units: list[dict[str, Any]], channel: Channel) -> None:
    """Train some units one after the other; called in a process of its own."""
    use_threads(1)
    for values in units:
        run_unit(RunFolder(Path(path)), Unit(**values), channel)


def run_unit(run: RunFolder, unit: Unit, channel: Channel, rows: tuple[int, int, int] | None = None) -> None:
    """Train one unit and write its result.

    Args:
        run: Where it is written.
        unit: Which.
        channel: Takes progress, and says when to stop.
        rows: Rows of the market; those of its strength where None.

    Raises:
        Interrupted: The checkpoint is saved; the same call goes on from it.
    """
    ladder = ladder_market(unit.rung, unit.strength, unit.seed, rows, shuffled=unit.control)
    agent = LADDER_AGENTS[unit.agent]
    learner = agent.build(ladder, unit.seed)
    room = run.path / "checkpoints" / unit.name
    watch = _Watch(ladder, learner, room / "curve.json", walk_file(run, unit) if unit.rung == WALK else None)
    result = train(
        learner,
        evaluate=watch.judge,
        params=agent.training,
        folder=room / "training",
        should_stop=channel.should_stop,
        on_progress=lambda message: channel.send({"unit": unit.name, **message}),
        logger=run_logger(run.log, unit=unit.name),
        scalars=NoScalars(),
    )
    best = watch.at(result.best_step)
    document = {
        **asdict(unit),
        **{name: best[name] for name in ("share", "growth", "trades_per_bar")},
        "attainable": ladder.optimum.growth,
        "fitted_share": None if unit.rung == WALK else fitted_share(ladder),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": watch.curve[-1]["seconds"],
        "warnings": result.warnings,
        "curve": [[row["step"], row["seconds"], row["validation_growth"]] for row in watch.curve],
    }
    write_json(unit_file(run, unit), document)
    shutil.rmtree(room)
    channel.send({"unit": unit.name, "done": True, "share": best["share"]})


class _Watch:
    """Judges a learner as it goes: on validation rows for the choice, and what that choice comes to on the test rows.

    The test rows are looked at where the validation score is the best so far, and nothing hangs on what is seen.
    """

    def __init__(self, ladder: LadderMarket, learner: Learner, file: Path, realised: Path | None) -> None:
        self.ladder, self.learner, self.file, self.realised = ladder, learner, file, realised
        self.curve: list[dict[str, Any]] = read_json(file, "curve")["curve"] if file.is_file() else []
        self._before = self.curve[-1]["seconds"] if self.curve else 0.0
        self._started, self._judging = process_time(), 0.0

    def judge(self, policy: Policy) -> float:
        """Return the score on the validation rows: net log growth per bar, as the market came."""
        started = process_time()
        seconds = self._before + started - self._started - self._judging
        ladder, rows = self.ladder, self.ladder.split.validation
        held = ladder.walk(policy_choices(policy, ladder, rows), rows)
        score = float(ladder.realised_growth(held, rows).mean())
        row = {
            "step": self.learner.steps,
            "seconds": seconds,
            "score": score,
            "validation_growth": float(ladder.expected_growth(held, rows).mean()),
        }
        self.curve = [earlier for earlier in self.curve if earlier["step"] < row["step"]]
        if all(score > earlier["score"] for earlier in self.curve):
            row |= self._on_test_rows(policy)
        self.curve.append(row)
        write_json(self.file, {"curve": self.curve})
        self._judging += process_time() - started
        return score

    def _on_test_rows(self, policy: Policy) -> dict[str, Any]:
        ladder, rows = self.ladder, self.ladder.split.test
        choices = policy_choices(policy, ladder, rows)
        held = ladder.walk(choices, rows)
        if self.realised is not None:
            with replacing_file(self.realised) as temporary, open(temporary, "wb") as handle:
                np.save(handle, ladder.realised_growth(held, rows))
        return {
            "share": ladder.share(choices, rows),
            "growth": float(ladder.expected_growth(held, rows).mean()),
            "trades_per_bar": float((held[1:] != held[:-1]).mean()),
        }

    def at(self, step: int) -> dict[str, Any]:
        """Return what was seen at the best step."""
        return next(row for row in reversed(self.curve) if row["step"] == step)
