"""``seawall compare``: several judged runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from seawall.cli import options
from seawall.cli.output import out, print_json, table

_ACROSS = 4
"""Runs that are shown beside each other at most; more come below."""
_LABEL, _CELL, _LEAST = 22, 26, 8
"""Characters of a figure's label, of a figure with its interval, and of the value of a setting at least."""


def compare(
    references: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs or walk-forwards: folders, beginnings of names, or latest.")
    ],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="The page to write; RUNS/compare/<hash>.html if not given.")
    ] = None,
    runs: options.Runs = options.RUNS,
    json: options.Json = False,
) -> None:
    """Put judged runs, portfolios and walk-forwards side by side: figures, paired tests, and the settings that differ.

    Runs over other bars, markets or costs are marked, and not tested against each other, since they cannot be compared. A page
    with their equity curves is written too.

    Examples:
        seawall compare 20261120T1530 20261120T1610

        seawall compare latest runs/walkforward/20261121T0900-1f2e3d4c --page both.html --json
    """
    from seawall.evaluation.compare import compared
    from seawall.evaluation.compare_page import render_comparison
    from seawall.recipes.compared import contenders_of, page_of

    contenders = contenders_of(references, runs)
    document = compared(contenders)
    written = render_comparison(document, contenders, page or page_of(contenders, runs))
    if json:
        print_json({**document, "page": str(written)})
    else:
        _tell(document)
        if len(contenders) < len(references):
            out.print(f"\n{len(references)} runs were named, and some are one run: {len(contenders)} are shown", markup=False)
        out.print(f"\nPage: {written}", soft_wrap=True, markup=False)


def _tell(document: Mapping[str, Any]) -> None:
    from seawall.evaluation.compare_words import difference_cells, figure_lines, numbers_of

    rows: Sequence[Mapping[str, Any]] = document["runs"]
    short = numbers_of(rows)
    for name, number in short.items():
        out.print(f"{number}: {name}", markup=False)
    across = max(1, min(_ACROSS, (out.width - _LABEL) // _CELL))
    for start in range(0, len(rows), across):
        some = rows[start : start + across]
        lines = [(line.label, *line.cells) for line in figure_lines(some)]
        out.print()
        out.print(table("", ("", *(short[row["run"]] for row in some)), lines))
    for row in rows:
        if row["stamp"]:
            out.print(f"{short[row['run']]}: {row['stamp']}", markup=False)
    if not all(row["comparable"] for row in rows):
        out.print("* other bars, market or costs than the first run's: not comparable with it")
    if document["differences"]:
        title = f"mean net log return, bar by bar, with {100 * document['confidence']:g} % intervals"
        shown = [difference_cells(row, short) for row in document["differences"]]
        out.print()
        out.print(table(title, ("pair", "difference", "interval", "p (adjusted)", ""), shown))
    if len(rows) > 1 and not document["settings"]:
        out.print("\nThe recipes are the same but for their names and bars.")
    elif document["settings"]:
        for start in range(0, len(rows), across):
            out.print()
            out.print(_settings(document["settings"], list(short.values()), slice(start, start + across)))


def _settings(rows: Sequence[Mapping[str, Any]], names: Sequence[str], some: slice) -> Table:
    """Lay out the settings of some runs; values give way where there is no room, and never the names of the settings."""
    from seawall.evaluation.compare_words import setting_words
    from seawall.evaluation.page import shortened

    label = max(len(row["setting"]) for row in rows) + 2
    most = max(_LEAST, (out.width - label) // len(names[some]) - 2)
    lines = [(row["setting"], *(shortened(setting_words(value), most) for value in row["values"][some])) for row in rows]
    return table("settings that differ", ("setting", *names[some]), lines)
