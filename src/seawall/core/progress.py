"""Progress on long work: rich bars on standard error, silent where nobody watches."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True)


def progress_bars() -> Progress:
    """Return a progress display with one line per task: name, bar, count, elapsed, remaining, note.

    Tasks carry a ``note`` field, shown last. Both texts are shown as they are: names of files may look like markup.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        refresh_per_second=4,
        disable=not console.is_terminal,
    )
