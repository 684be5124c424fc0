"""``seawall hindsight``: the score of the published tables, beside that of policies without skill and beside money."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import progress_bars

if TYPE_CHECKING:
    from seawall.recipes.hindsight import Counting

Run = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A run's folder, the beginning of its name, or latest; none with --data alone."),
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="FILE", help="Bars to score on, a file or a stored series; may be given again."),
]
Fee = Annotated[
    list[float] | None, typer.Option("--fee", help="Fee a side as a share; may be given again. [default: 0.001, 0.007]")
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", help="Score bars before this day, UTC; the published tables end 2022-11-01."),
]
Windows = Annotated[int, typer.Option("--windows", min=3, help="Newest bars that are scored.")]
Bars = Annotated[int, typer.Option("--bars", min=1, help="Bars ahead whose best price closes a trade.")]
Closes = Annotated[bool, typer.Option("--closes", help="The best price is a close; else a high or low.")]
Draws = Annotated[int, typer.Option("--draws", min=100, help="Random policies of each kind.")]
Page = Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Write the page there. [default: in the run's folder]")]


def hindsight(
    run: Run = None,
    data: Data = None,
    fee: Fee = None,
    until: Until = None,
    windows: Windows = 2_250,
    bars: Bars = 20,
    closes: Closes = False,
    draws: Draws = 1_000,
    page: Page = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Count the "PNL" of the TraderNet tables. It is a hindsight score, not money: trades close at the best price to come.

    Beside it stand the scores of policies that always buy, or act at random, and what all of them return in an account that
    pays the same fee.

    Examples:
        seawall hindsight latest

        seawall hindsight --data btc_1h.parquet --fee 0.007 --until 2022-11-01

        seawall hindsight --data btc_1h.parquet --page hindsight.html --json
    """
    from seawall.evaluation.hindsight import HindsightParams
    from seawall.evaluation.hindsight_page import render_hindsight
    from seawall.recipes.hindsight import Counting

    if run is None and not data:
        raise ConfigError("nothing to score was named; allowed: a run, --data FILE, or both")
    fees = tuple(dict.fromkeys(fee or (0.001, 0.007)))
    wrong = [each for each in fees if not 0.0 <= each <= 0.1]
    if wrong:
        raise ConfigError(f"--fee is {wrong[0]}; allowed: a share of 0 to 0.1, as 0.007 for 0.7 %")
    counting = Counting(fees, HindsightParams(bars=bars, windows=windows, limit=not closes, draws=draws), until)
    documents = _scored(run, data or [], (runs, data_dir, trust), counting)
    target = page if page is not None or run is None else Path(documents[0]["run"]) / "hindsight" / "index.html"
    if target is not None:
        render_hindsight(documents, target)
    if json:
        print_json({"scores": documents, "page": None if target is None else str(target)})
        return
    for document in documents:
        _tell(document)
    if target is not None:
        out.print(f"Page: {target}", markup=False)


def _scored(run: str | None, data: list[str], folders: tuple[Path, Path, bool], counting: Counting) -> list[dict[str, Any]]:
    from seawall.recipes.hindsight import score_file, score_run

    _runs, data_dir, _trust = folders
    with progress_bars() as progress:
        task = progress.add_task("scoring", total=None, note="")

        def tell(what: str) -> None:
            progress.update(task, advance=1, note=what)

        if run is None:
            return [score_file(each, data_dir, counting, tell) for each in data]
        return [score_run(case, counting, tell) for case in _cases(run, data, folders)]


def _cases(run: str, data: list[str], folders: tuple[Path, Path, bool]) -> list[Any]:
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import is_portfolio_run
    from seawall.recipes.judging import Case

    runs, data_dir, trust = folders
    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if is_portfolio_run(folder):
        raise ConfigError(f"{folder.path} is a run of a portfolio, which neither buys nor sells; allowed: a run of one series")
    return [Case(folder, (f"data={each}",), data_dir) for each in data] or [Case(folder, (), data_dir)]


_COLUMNS = ("who", '"PNL"', '"Sharpe"', '"MDD"', "losing", "timed exit", "in an account", "drawdown")


def _tell(document: dict[str, Any]) -> None:
    from seawall.evaluation.hindsight_table import LABEL

    out.print(LABEL, style="bold")
    ranges = f" in {document['ranges']} ranges" if document["ranges"] > 1 else ""
    span = f"{document['first']} to {document['last']}, {document['decisions']:,} decisions{ranges}"
    for scores in document["tables"]:
        title = f"{document['symbol']} {document['timeframe']}, {span}, fee {100 * scores['fee']:g} % a side"
        published = [
            (f"published {row['agent']}", number(row["pnl"]), number(row["sharpe"]), number(row["max_drawdown"]), *_blank(row))
            for row in scores["published"]
        ]
        out.print(table(title, _COLUMNS, [*(_row(row) for row in scores["rows"]), *published]))
        out.print(f"Nobody can score more than {scores['highest_pnl']:.2f}.")
        for words in scores["words"]:
            out.print(f"  • {words}", markup=False)


def _blank(row: dict[str, Any]) -> tuple[str, ...]:
    return share(row["losing_share"]), "–", "–", "–"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        _ranged(row["pnl"]),
        number(row["sharpe"]["mean"]),
        number(row["max_drawdown"]["mean"]),
        share(row["losing_share"]["mean"]),
        number(row["timed"]["mean"]),
        percent(row["total_return"]["mean"], 1),
        share(row["max_drawdown_of_equity"]["mean"]),
    )


def _ranged(figure: dict[str, Any]) -> str:
    told = number(figure["mean"])
    return told if figure["low"] is None else f"{told} ({number(figure['low'])} to {number(figure['high'])})"
