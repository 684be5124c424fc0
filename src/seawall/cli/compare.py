"""``seawall compare``: several judged runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.core.errors import DataError


def compare(
    references: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs: folders, beginnings of names, or latest.")],
    runs: options.Runs = options.RUNS,
    json: options.Json = False,
) -> None:
    """Put judged runs side by side; those over other bars or costs are marked, since they cannot be compared.

    Examples:
        seawall compare 20261120T1530 20261120T1610
    """
    from seawall.core.run_folder import RunFolder
    from seawall.evaluation.compare import compare as side_by_side
    from seawall.evaluation.judge import Judgement

    found = [RunFolder.find(runs, reference) for reference in references]
    for run in found:
        if not run.metrics.is_file():
            raise DataError(f"run {run.path} is not judged; judge it with: seawall backtest {run.path}")
    rows = side_by_side({str(run.path): Judgement.read(run.metrics) for run in found})
    if json:
        print_json({"runs": rows})
        return
    columns = ("run", "recipe", "market", "seeds", "return", "Sharpe", "drawdown", "bps a bar", "break-even", "verdict")
    out.print(
        table(
            "",
            columns,
            [
                (
                    f"{Path(row['run']).name}{'' if row['comparable'] else ' *'}",
                    row["recipe"],
                    f"{row['symbol']} {row['timeframe']}",
                    row["seeds"],
                    percent(row["total_return"], 1),
                    number(row["sharpe"]),
                    share(row["max_drawdown"]),
                    f"{_bps(row['mean_log_return_low'])} … {_bps(row['mean_log_return_high'])}",
                    number(row["break_even"]),
                    row["verdict"],
                )
                for row in rows
            ],
        )
    )
    if not all(row["comparable"] for row in rows):
        out.print("* other bars, market or costs than the first run's: not comparable with it")


def _bps(value: float | None) -> str:
    return number(None if value is None else 1e4 * value)
