"""``seawall data check``, ``list``, ``info`` and ``markets``: looking at bars, and at where they trade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.data.words import plain, print_quality, print_trends
from seawall.cli.output import out, print_json, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from seawall.evaluation.quality_page import SeriesCheck
    from seawall.market.checks.panel_facts import PanelFacts
    from seawall.market.hours.calendars import Calendar
    from seawall.market.hours.specs import MarketSpec

Series = Annotated[
    list[str],
    typer.Argument(metavar="SERIES...", help="Files, folders, globs in quotes, or stored series as binance/BTCUSDT/1h."),
]


def check(
    series: Series,
    calendar: Annotated[
        str | None, typer.Option(help="Tell gaps while it was closed apart: 24/7, metals, fx, or an exchange as XNYS.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Where to write the page; checks/NAME.html below the data folder otherwise.")
    ] = None,
    no_html: Annotated[bool, typer.Option("--no-html", help="Write no page.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Name every bad bar, gap and outlier of series, and draw them on a page; nothing is stored. Exits with 2 where a bar is bad.

    Several series of one timeframe are also compared with each other, as a panel.

    Examples:
        seawall data check btc.parquet

        seawall data check bars --json --no-html

        seawall data check xauusd.csv --calendar metals
    """
    from seawall.core.errors import DataError
    from seawall.core.files import refuse_replacing_file
    from seawall.evaluation.quality_page import write_quality_page
    from seawall.market.hours.calendars import calendar as open_calendar

    if html is not None:
        refuse_replacing_file(html, force=True)
    market = None if calendar is None else open_calendar(calendar)
    entries = _checked(_loaders(series, data_dir), market)
    panel = _panel(entries)
    page = (
        None
        if no_html or all(entry.report is None for entry in entries)
        else html or data_dir / "checks" / f"{_page_name(entries)}.html"
    )
    if page is not None:
        write_quality_page(page, entries, panel)
    if json:
        print_json(_document(entries, panel, page))
    else:
        _print_checks(entries, panel, page)
    unread = [f"{entry.name}: {entry.error}" for entry in entries if entry.report is None]
    if unread:
        raise DataError("; ".join(unread) if len(entries) > 1 else entries[0].error)
    if any(entry.report is not None and entry.report.bad for entry in entries):
        raise typer.Exit(2)


def list_series(data_dir: options.DataFolder = options.DATA, json: options.Json = False) -> None:
    """List the stored series of bars, and the stored search interest.

    Examples:
        seawall data list
    """
    from seawall.market.storage.manifest import TRENDS
    from seawall.market.storage.store import Store

    manifests = Store(data_dir).list()
    if json:
        print_json({"series": manifests})
        return
    if not manifests:
        out.print(f"Nothing is stored under {data_dir.resolve()}. Fetch some:  seawall data fetch ccxt BTC/USDT, or import a file")
        return
    sound = [entry for entry in manifests if not entry.get("problem")]
    bars = [
        (m["reference"], f"{m['rows']:,}", m["first"][:16], m["last"][:16], m.get("quality", {}).get("gaps", "–"))
        for m in sound
        if m["kind"] != TRENDS
    ]
    if bars:
        out.print(table("", ("series", "bars", "first", "last", "gaps"), bars))
    interest = [(m["reference"], f"{m['rows']:,}", m["first"][:10], m["last"][:10]) for m in sound if m["kind"] == TRENDS]
    if interest:
        out.print(table("", ("search interest", "values", "first", "last"), interest))
    for entry in manifests:
        if entry.get("problem"):
            out.print(f"{entry['reference']} is damaged: {entry['problem']}", markup=False)


def info(
    series: Annotated[str, typer.Argument(metavar="SERIES", help="A stored series, as in binance/BTCUSDT/1h.")],
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Tell what a stored series is, where it came from, and whether it is as it was stored.

    Examples:
        seawall data info binance/BTCUSDT/1h
    """
    from seawall.core.errors import DataError
    from seawall.market.storage.manifest import TRENDS
    from seawall.market.storage.store import Store
    from seawall.market.trends.storage import trends_info

    store = Store(data_dir)
    facts = trends_info(data_dir, series) if store.holds_trends(series) else {"kind": "bars", **store.info(series)}
    if json:
        print_json(facts)
    else:
        if facts["kind"] == TRENDS:
            print_trends(facts)
        else:
            print_quality(facts["reference"], facts["quality"])
        for name in ("origin", "imported_at", "updated_at", "code_version", "content_hash", "bytes"):
            if facts.get(name) is not None:
                out.print(f"  {name.replace('_', ' '):<14} {facts[name]}", markup=False)
        out.print(f"  {'columns':<14} {', '.join(facts['columns'])}", markup=False)
        for name, value in facts.get("provenance", {}).items():
            out.print(f"  {name.replace('_', ' '):<14} {value}", markup=False)
    if facts.get("problem"):
        raise DataError(facts["problem"])


def markets(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="One market; all where none is named.")] = None,
    file: Annotated[Path | None, typer.Option(help="A markets.yaml of your own, beside the shipped ones.")] = None,
    json: options.Json = False,
) -> None:
    """Show the units, hours and margins of markets; a file of your own adds markets or changes shipped ones.

    Examples:
        seawall data markets

        seawall data markets XAUUSD --json
    """
    from seawall.market.hours.specs import load_markets, market_spec

    found = list(load_markets(file).values()) if symbol is None else [market_spec(symbol, file)]
    if json:
        print_json({"markets": [spec.model_dump(mode="json") for spec in found]})
        return
    columns = ("market", "tick", "lot", "least order", "calendar", "sessions", "volatility", "leverage", "call / stop")
    rows = [_market_row(spec) for spec in found]
    out.print(table("", columns, rows))


def _market_row(spec: MarketSpec) -> tuple[str, ...]:
    least = f"{plain(spec.min_notional)} {spec.quote}"
    sessions = ", ".join(spec.named_sessions) or "–"
    risk = (f"{spec.target_volatility:.1%}", plain(spec.max_leverage), f"{plain(spec.margin_call)} / {plain(spec.stop_out)}")
    return (spec.symbol, plain(spec.tick_size), plain(spec.lot_size), least, spec.calendar, sessions, *risk)


def _loaders(targets: Sequence[str], data_dir: Path) -> list[tuple[str, Callable[[], pd.DataFrame]]]:
    """Return each series' name and how to read it: a stored series, or those in files."""
    from seawall.market.sources.files import find_series
    from seawall.market.storage.store import Store

    store = Store(data_dir)
    found: list[tuple[str, Callable[[], pd.DataFrame]]] = []
    files: list[str] = []
    for target in targets:
        if not Path(target).is_file() and store.has(target):
            found.append((target, lambda target=target: store.load(target)[0]))
        else:
            files.append(target)
    return [*found, *((series.origin, series.read) for series in (find_series(files) if files else []))]


def _checked(loaders: Sequence[tuple[str, Callable[[], pd.DataFrame]]], market: Calendar | None) -> list[SeriesCheck]:
    from seawall.core.errors import SeawallError
    from seawall.evaluation.quality_page import SeriesCheck
    from seawall.market.checks.quality import check_bars

    entries: list[SeriesCheck] = []
    with progress_bars() as bars:
        task = bars.add_task("checking", total=len(loaders), note="")
        for name, load in loaders:
            bars.update(task, note=name)
            try:
                frame = load()
                entries.append(SeriesCheck(name, check_bars(frame, market=market), frame))
            except SeawallError as error:
                entries.append(SeriesCheck(name, error=str(error)))
            bars.advance(task)
    return entries


def _panel(entries: Sequence[SeriesCheck]) -> PanelFacts | None:
    """Compare the series with each other where they can be: two or more, sound, of one timeframe."""
    from seawall.market.checks.panel_facts import panel_facts

    sound = {entry.name: entry for entry in entries if entry.report is not None and not entry.report.bad}
    lengths = {entry.report.timeframe for entry in sound.values() if entry.report is not None}
    if len(sound) < 2 or len(lengths) != 1 or len(sound) != len(entries):
        return None
    return panel_facts({name: entry.bars for name, entry in sound.items() if entry.bars is not None})


def _page_name(entries: Sequence[SeriesCheck]) -> str:
    if len(entries) > 1:
        return f"{len(entries)}-series"
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in entries[0].name)


def _document(entries: Sequence[SeriesCheck], panel: PanelFacts | None, page: Path | None) -> dict[str, Any]:
    documents = [
        {"name": entry.name, **(entry.report.to_dict(listed=None) if entry.report is not None else {"error": entry.error})}
        for entry in entries
    ]
    shared = None if panel is None else {"common": panel.common, "union": panel.union, "absent": panel.absent}
    # One series alone is told with its own keys at the top too.
    top = documents[0] if len(documents) == 1 else {}
    return {**top, "series": documents, "panel": shared, "page": None if page is None else str(page)}


def _print_checks(entries: Sequence[SeriesCheck], panel: PanelFacts | None, page: Path | None) -> None:
    if len(entries) == 1 and entries[0].report is not None:
        print_quality(entries[0].name, entries[0].report.to_dict(listed=None))
    elif len(entries) > 1:
        columns = ("series", "bars", "first", "last", "gaps", "missing", "zero volume", "flat", "outliers", "bad")
        rows = []
        for entry in entries:
            facts = None if entry.report is None else entry.report.to_dict()
            cells = ("unreadable",) + ("",) * 8 if facts is None else (
                f"{facts['rows']:,}", facts["first"][:16], facts["last"][:16], facts["gaps"], facts["missing"],
                facts["zero_volume"], facts["flat"], facts["outliers"], facts["bad"],
            )  # fmt: skip
            rows.append((entry.name, *cells))
        out.print(table("", columns, rows))
    if panel is not None:
        out.print(
            f"Together: {panel.common:,} bars that all {len(panel.names)} have, of {panel.union:,} in the span that they share"
        )
    if page is not None:
        console.print(f"The page: {page}")
