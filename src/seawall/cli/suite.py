"""``seawall suite``: all shipped systems, end to end, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import console, progress_bars

Real = Annotated[
    Path | None,
    typer.Option(
        "--real", metavar="FOLDER", help="Folder with ohlcv/VENUE_SYMBOL_TIMEFRAME.parquet; without it, synthetic markets."
    ),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="RECIPE", help="Only cases of this recipe; may be given again.")]
Resume = Annotated[str | None, typer.Option("--resume", metavar="FOLDER", help="Go on with a suite that was stopped; or latest.")]


def suite(
    real: Real = None,
    only: Only = None,
    resume: Resume = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Train, judge, leak-check and replay every shipped system on a small stated budget, and put it all into one table and page.

    Exits with 0 only if every case ran, knows nothing too early, and trades on paper as in its backtest. Ctrl-C stops safely.

    Examples:
        seawall suite

        seawall suite --real data

        seawall suite --only tradernet --json

        seawall suite --resume latest
    """
    from seawall.core.fan_out import Interrupted
    from seawall.evaluation.suite_page import render_suite
    from seawall.recipes.suite import begin_suite, find_suite, real_cases, synthetic_cases

    if resume is not None:
        folder = find_suite(resume, runs)
    else:
        if real is not None and not (real / "ohlcv").is_dir():
            raise ConfigError(f"--real {real} has no folder ohlcv; allowed: a folder with ohlcv/VENUE_SYMBOL_TIMEFRAME.parquet")
        cases = synthetic_cases() if real is None else real_cases(real.resolve())
        known = list(dict.fromkeys(case.recipe for case in cases))
        unknown = [name for name in only or [] if name not in known]
        if unknown:
            raise ConfigError(f"--only {unknown[0]} is no recipe of the suite; allowed: {', '.join(known)}")
        folder = begin_suite([case for case in cases if not only or case.recipe in only], runs)
    try:
        document = _with_bars(folder, data_dir)
    except Interrupted:
        console.print(f"Stopped; nothing is lost. Go on with:  seawall suite --resume {folder}", soft_wrap=True)
        raise
    page = render_suite(document, folder / "index.html")
    document = {**document, "page": str(page)}
    if json:
        print_json(document)
    else:
        _tell(document)
    if not document["ok"]:
        raise typer.Exit(1)


def _with_bars(folder: Path, data_dir: Path) -> dict[str, Any]:
    from seawall.recipes.suite import run_suite, suite_document

    with progress_bars() as bars:
        task = bars.add_task(
            "suite", total=len(suite_document(folder)["cases"]), completed=len(suite_document(folder)["rows"]), note=""
        )
        told: dict[str, str] = {}

        def on_case(name: str) -> None:
            bars.update(task, completed=len(suite_document(folder)["rows"]), note=name)
            told["case"] = name

        def tell(stage: str, facts: dict[str, Any]) -> None:
            words = {key: facts[key] for key in ("seed", "policy", "part", "steps", "total_steps") if key in facts}
            of = f" {words['steps']:,}/{words['total_steps']:,}" if "steps" in words and words.get("total_steps") else ""
            which = next((f" {key} {words[key]}" for key in ("seed", "policy", "part") if key in words), "")
            bars.update(task, note=f"{told['case']}: {stage}{which}{of}")

        document = run_suite(folder, data_dir, on_case, tell)
        bars.update(task, completed=len(document["rows"]), note="")
        return document


_COLUMNS = (
    *("case", "return", "Sharpe (95 %)", "drawdown", "turnover/y", "costs"),
    *("flat", "hold/UCRP", "random", "verdict", "leaks", "replay"),
)


def _tell(document: dict[str, Any]) -> None:
    rows = [_row(row) for row in document["rows"]]
    out.print(table("out of sample, after costs", _COLUMNS, rows))
    for row in document["rows"]:
        if row["problem"]:
            out.print(f"[red]{row['case']} failed:[/] ", end="")
            out.print(row["problem"], markup=False)
    minutes = sum(row["seconds"] for row in document["rows"]) / 60.0
    out.print(f"{sum(row['ok'] for row in document['rows'])} of {len(document['cases'])} cases ran well, in {minutes:.1f} minutes")
    out.print(f"Page: {document['page']}")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    if row["problem"]:
        return (row["case"], *["–"] * 8, "failed", "–", "–")
    rivals = row["rivals"]
    return (
        row["case"],
        percent(row["total_return"], 1),
        f"{number(row['sharpe'])} ({number(row['sharpe_low'])} to {number(row['sharpe_high'])})",
        share(row["max_drawdown"]),
        number(row["turnover_per_year"], 0),
        share(row["costs"]),
        *("–" if rivals[name] is None else percent(rivals[name], 1) for name in ("flat", "buy_and_hold", "random")),
        row["verdict"],
        row["leakcheck"],
        f"equal, {row['replay']['rows']:,}" if row["replay"]["equal"] else "differs",
    )
