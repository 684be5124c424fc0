"""What ``seawall train`` shows while it trains: a line for each seed, and its learning curve where that is asked for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from seawall.cli.curves import draw_curves
from seawall.core.progress import console

if TYPE_CHECKING:
    from seawall.core.run_folder import RunFolder

_WIDTH, _HEIGHT = 64, 10
_BPS = 1e4


class SpeedColumn(ProgressColumn):
    """Environment steps a second, measured over the newest updates."""

    def render(self, task: Task) -> Text:
        """Return the speed, or a dash before there are two updates to measure between."""
        speed = task.finished_speed or task.speed
        return Text("– steps/s" if speed is None else f"{speed:,.0f} steps/s", style="progress.data.speed")


class TrainingDisplay:
    """One line a seed: share done, score, steps a second, time remaining; and with `watch`, validation scores by step."""

    def __init__(self, *, watch: bool) -> None:
        """Show nothing yet.

        Args:
            watch: Whether to draw learning curves: live in a terminal, and once at the end elsewhere.
        """
        self.watch = watch
        self.curves: dict[str, list[tuple[float, float]]] = {}
        self._names: dict[tuple[Path, int], str] = {}
        self._tasks: dict[tuple[Path, int], TaskID] = {}
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            SpeedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )

    def add(self, run: RunFolder, seed: int, total: int | None, done: int, history: list[tuple[int, float]]) -> None:
        """Add the line of a seed, with what was done before.

        Args:
            run: The run.
            seed: The seed.
            total: Environment steps of its whole training, where these are known beforehand.
            done: Steps that an earlier call has done.
            history: Steps and scores of its evaluations so far.
        """
        name = f"{run.path.parent.name} seed {seed}"
        self._names[run.path, seed] = name
        self._tasks[run.path, seed] = self.progress.add_task(name, start=False, total=total, completed=done, note="waiting")
        self.curves[name] = [(step, _BPS * score) for step, score in history]

    def show(self, run: RunFolder, seed: int, message: dict[str, Any]) -> None:
        """Take what `training.rl.train` reports."""
        task, curve = self._tasks[run.path, seed], self.curves[self._names[run.path, seed]]
        self.progress.start_task(task)
        score, at, best = message["score"], message.get("scored_at"), message["best"]
        if score is not None and isfinite(score) and at is not None and (not curve or at > curve[-1][0]):
            curve.append((at, _BPS * score))
        self.progress.update(task, completed=message["steps"], total=message["total_steps"], note=_note(score, best))

    @contextmanager
    def showing(self) -> Generator[TrainingDisplay]:
        """Draw while the block runs; where nobody watches a terminal, only the curves, at the end."""
        if not console.is_terminal:
            try:
                yield self
            finally:
                if self.watch:
                    console.print(self._picture())
            return
        with Live(get_renderable=self._picture, console=console, refresh_per_second=4):
            yield self

    def _picture(self) -> RenderableType:
        lines = self.progress.get_renderable() if console.is_terminal else Text()
        if not self.watch:
            return lines
        plain = not (console.encoding or "").lower().startswith("utf")
        width = max(20, min(_WIDTH, console.width - 12))
        title = Text("validation score by environment steps, bps a bar", style="bold")
        return Group(title, *draw_curves(self.curves, width, _HEIGHT, plain=plain), lines)


def _note(score: float | None, best: float | None) -> str:
    if score is None:
        return "no score yet"
    newest = f"{_BPS * score:+.2f}" if isfinite(score) else "not finite"
    return f"score {newest} bps a bar" + ("" if best is None else f", best {_BPS * best:+.2f}")
