"""``seawall judge``: judge the ledger of any program."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, print_verdict, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import progress_bars

LedgerFile = Annotated[
    Path, typer.Argument(metavar="LEDGER", help="Trades, fills or equity in CSV, Parquet, feather or JSON, or a ledger.parquet.")
]
Prices = Annotated[Path, typer.Option("--prices", help="The bars that were traded, in any file that seawall data import reads.")]
Equity = Annotated[
    float | None, typer.Option("--initial-equity", help="Money at the start; needed where the file does not tell it.")
]
Trials = Annotated[
    int | None, typer.Option("--trials", help="Configurations tried on these bars, this one too; without it nothing is evidence.")
]
TakerBps = Annotated[
    float | None, typer.Option("--taker-bps", help="Commission to charge on fills, in basis points, where the file tells no costs.")
]
Included = Annotated[bool, typer.Option("--costs-included", help="The prices of the fills, or the equity, hold the costs already.")]
Stamps = Annotated[
    Literal["open", "close"], typer.Option("--stamps", help="Whether a time names the bar that opens or that closes then.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="What a column is, as in price=px. May be given several times."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder of the page and metrics.json; judged/NAME of the ledger without it.")
]


def judge(
    ledger: LedgerFile,
    prices: Prices,
    initial_equity: Equity = None,
    trials: Trials = None,
    taker_bps: TakerBps = None,
    costs_included: Included = False,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", help="Of the bars, as in 1h; their usual step without it.")
    ] = None,
    stamps: Stamps = "open",
    column: Columns = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Which one, of a file with several.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Which one, of freqtrade's JSON with several.")] = None,
    contract_size: Annotated[float, typer.Option("--contract-size", help="Units of one contract or lot.")] = 1.0,
    folder: Out = None,
    json: options.Json = False,
) -> None:
    """Judge a ledger of any program on the bars that it traded: metrics, intervals, rivals, luck, and where the money came from.

    Reads trades of vectorbt, backtesting.py, freqtrade and TradingView, fills of vectorbt, NautilusTrader and ccxt, and
    plain equity curves. Equity is rebuilt at every close of the bars, and what cannot be true is named.

    Examples:
        seawall judge trades.csv --prices bars.parquet --initial-equity 10000 --trials 12

        seawall judge equity.csv --prices bars.csv --costs-included --json
    """
    from seawall.core.files import write_json, write_text
    from seawall.core.timeframe import Timeframe
    from seawall.evaluation.foreign.judging import Request, judge_file
    from seawall.evaluation.foreign.page_of import judged_html
    from seawall.evaluation.foreign.reading import Reading

    request = Request(
        ledger,
        prices,
        Reading(_roles(column or []), symbol, strategy, contract_size),
        timeframe=None if timeframe is None else Timeframe.parse(timeframe),
        stamps=stamps,
        initial_equity=initial_equity,
        taker_bps=taker_bps,
        costs_included=costs_included,
        trials=trials,
    )
    with progress_bars() as bars:
        task = bars.add_task(f"judging {ledger.name}", total=None, note="")
        judged = judge_file(request, lambda step: bars.update(task, advance=1, note=step))
    where = folder if folder is not None else Path("judged") / ledger.stem
    document = {**judged.document, "report": str(where / "report.html")}
    write_json(where / "metrics.json", document)
    write_text(where / "report.html", judged_html(judged, _command(request, column or [])))
    if json:
        print_json(document)
    else:
        _print(document)


def _roles(columns: list[str]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for text in columns:
        role, sign, name = text.partition("=")
        if not (role and sign and name) or role in roles:
            raise ConfigError(f"--column {text!r} is not understood; allowed: ROLE=NAME, each role once, as in price=px")
        roles[role] = name
    return roles


def _command(request: Any, columns: list[str]) -> str:
    """Return the words that judge the same again."""
    given = {
        "--prices": request.prices.name,
        "--initial-equity": request.initial_equity,
        "--trials": request.trials,
        "--taker-bps": request.taker_bps,
        "--timeframe": None if request.timeframe is None else request.timeframe.label,
        "--stamps": None if request.stamps == "open" else request.stamps,
        "--symbol": request.reading.symbol,
        "--strategy": request.reading.strategy,
        "--contract-size": None if request.reading.contract_size == 1.0 else request.reading.contract_size,
    }
    words = ["seawall", "judge", request.ledger.name]
    words += [
        word
        for name, value in given.items()
        if value is not None
        for word in (name, f"{value:g}" if isinstance(value, float) else str(value))
    ]
    words += [word for text in columns for word in ("--column", text)] + (["--costs-included"] if request.costs_included else [])
    return shlex.join(words)


def _print(document: dict[str, Any]) -> None:
    from seawall.evaluation.foreign.foresight import YARDSTICK

    test, source = document["test"], document["source"]
    span = f"{test['first'][:10]} to {test['last'][:10]}, {test['bars']:,} bars"
    out.print(escape(f"{source['ledger']}, read as {source['layout']}: {span}, after costs:"))
    rows = [("the ledger", *_figures(document["ledger"]))]
    rows += [(name, *_figures(metrics)) for name, metrics in document["baselines"].items()]
    out.print(table("", ("policy", "return", "Sharpe", "max drawdown", "trades", "won", "costs"), rows))
    found = document["attainable"]["captured"]
    if found["value"] is None:
        out.print(escape(f"Captured: undefined, since {found['reason']}"), soft_wrap=True)
    else:
        out.print(f"Captured: {percent(found['value'], 2)} of what {YARDSTICK}, after the same costs")
    print_verdict(document["verdict"], (*(f"{finding['words']}." for finding in document["findings"]), *source["notes"]))
    out.print(f"\nReport: {document['report']}")


def _figures(metrics: dict[str, Any]) -> tuple[str, ...]:
    return (
        percent(metrics["total_return"], 1),
        number(metrics["sharpe"]),
        share(metrics["max_drawdown"]),
        "–" if metrics["trades"] is None else f"{metrics['trades']:,}",
        share(metrics["hit_rate"]),
        "–" if metrics["costs"] is None else share(metrics["costs"]["share_of_initial_equity"]),
    )
