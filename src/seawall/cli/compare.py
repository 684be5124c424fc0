"""``seawall compare``: several judged runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, table

_ACROSS = 4
"""Runs that fit beside each other; more come below."""


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
    from seawall.evaluation.compare_words import difference_cells, figure_lines, numbers_of, setting_words

    rows: Sequence[Mapping[str, Any]] = document["runs"]
    short = numbers_of(rows)
    for name, number in short.items():
        out.print(f"{number}: {name}", markup=False)
    for start in range(0, len(rows), _ACROSS):
        some = rows[start : start + _ACROSS]
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
        settings = [(row["setting"], *(setting_words(value) for value in row["values"])) for row in document["settings"]]
        out.print()
        out.print(table("settings that differ", ("setting", *short.values()), settings))
