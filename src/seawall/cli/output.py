"""What the verbs print: tables for people on standard output, or one JSON document for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from seawall.core.files import to_json

# A pipe or a file has no width of its own; tables should not be squeezed into 80 columns there.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    print(to_json(document), flush=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Build a table whose first column is text and whose other columns are aligned right; every text is shown as it is."""
    shown = Text(title, style="table.title") if title else None
    result = Table(title=shown, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        result.add_column(Text(column), justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        result.add_row(*(Text(str(cell)) for cell in row))
    return result


def percent(value: float | None, digits: int = 2) -> str:
    """Render a fraction as a signed percentage; an undefined value as a dash."""
    return "–" if value is None else f"{100 * value:+,.{digits}f} %"


def share(value: float | None, digits: int = 1) -> str:
    """Render a fraction that is never negative as a percentage; an undefined value as a dash."""
    return "–" if value is None else f"{100 * value:,.{digits}f} %"


def number(value: float | None, digits: int = 2) -> str:
    """Render a number; an undefined value as a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"


def print_skill(document: Mapping[str, Any]) -> None:
    """Print what a judgement says of skill and luck, a figure a line with its meaning."""
    from seawall.evaluation.skill_words import skill_rows

    title = Text("skill or luck?", style="table.title")
    grid = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for justify in ("left", "right", "left"):
        grid.add_column(justify=justify, no_wrap=justify != "left", overflow="fold")
    rows = skill_rows(document)
    for row in rows:
        grid.add_row(*(Text(row[name]) for name in ("label", "value", "words")))
    if rows:
        out.print()
        out.print(grid, soft_wrap=False)


def print_verdict(verdict: Mapping[str, Any], remarks: Iterable[str] = ()) -> None:
    """Print a verdict: its headline, what stands against it, every check, and what else the reader should know.

    Args:
        verdict: As a judgement's document holds it.
        remarks: Told after its own cautions.
    """
    colour = {"evidence": "green", "weak": "yellow", "none": "yellow"}.get(verdict["level"], "red")
    out.print(f"\n[bold {colour}]{escape(verdict['headline'])}[/]")
    if verdict.get("stamp", "") not in ("", verdict["headline"]):
        out.print(f"[bold]{escape(verdict['stamp'])}[/]")
    for check in verdict["checks"]:
        out.print(f"  {'[green]✓[/]' if check['passed'] else '[red]✗[/]'} {escape(check['words'])}")
    for caution in (*verdict["cautions"], *remarks):
        out.print(f"  [dim]•[/] {escape(str(caution))}")
