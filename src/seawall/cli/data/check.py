"""``seawall data check``: what is wrong with bars, and what is missing of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from seawall.cli import options
from seawall.cli.data.words import NAMED_CALENDAR, print_quality, unexplained
from seawall.cli.output import out, print_json, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from rich.table import Table

    from seawall.evaluation.quality_page import SeriesCheck
    from seawall.market.checks.panel_facts import PanelFacts
    from seawall.market.checks.report import QualityReport
    from seawall.market.hours.choosing import ChosenCalendar
    from seawall.market.storage.store import Store

Series = Annotated[
    list[str],
    typer.Argument(metavar="SERIES...", help="Files, folders, globs in quotes, or stored series as binance/BTCUSDT/1h."),
]
NO_CALENDAR = "none"
_LISTED = 5
# With it, a line of every column fits into 140 signs.
_LONGEST_NAME = 32


class _Loader(NamedTuple):
    """A series to check: what it is called, and how its bars, symbol and source are read."""

    name: str
    read: Callable[[], tuple[pd.DataFrame, str, str]]


def check(
    series: Series,
    calendar: Annotated[
        str | None,
        typer.Option(
            help="Tell gaps while it was closed apart: 24/7, metals, fx, an exchange as XNYS, or none; by the symbol otherwise."
        ),
    ] = None,
    markets: Annotated[Path | None, typer.Option(help="A markets.yaml of your own, whose calendars count too.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Where to write the page; checks/NAME.html below the data folder otherwise.")
    ] = None,
    no_html: Annotated[bool, typer.Option("--no-html", help="Write no page.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Name every bad bar, gap and outlier of series, and draw them on a page; nothing is stored. Exits with 2 where a bar is bad.

    Where the symbol tells the market, its calendar tells bars missing while it was closed from lost ones; every gap is counted
    either way. Several series of one timeframe are also compared with each other, as a panel.

    Examples:
        seawall data check btc.parquet

        seawall data check bars --json --no-html

        seawall data check dump.csv --calendar metals
    """
    from seawall.core.errors import DataError
    from seawall.core.files import refuse_replacing_file
    from seawall.evaluation.quality_page import write_quality_page

    if html is not None:
        refuse_replacing_file(html, force=True)
    choose = _chooser(calendar, markets)
    entries = _checked(_loaders(series, data_dir), choose)
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
        _print_checks(entries, panel)
        if page is not None:
            console.print(f"The page: {page}", markup=False)
    unread = [_refusal(entry) for entry in entries if entry.report is None]
    if unread:
        raise DataError("; ".join(unread) if len(entries) > 1 else entries[0].error)
    if any(entry.report is not None and entry.report.bad for entry in entries):
        raise typer.Exit(2)


def _refusal(entry: SeriesCheck) -> str:
    return entry.error if entry.error.startswith(entry.name) else f"{entry.name}: {entry.error}"


def _chooser(named: str | None, markets: Path | None) -> Callable[[str, str, QualityReport], ChosenCalendar]:
    """Return what tells the calendar of a series by its symbol, source and report.

    Raises:
        ConfigError: The named calendar is unknown, or the user's file of markets is refused.
    """
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe
    from seawall.market.hours.calendars import calendar
    from seawall.market.hours.choosing import ChosenCalendar, chosen_calendar
    from seawall.market.hours.specs import load_markets

    if named is not None and markets is not None:
        raise ConfigError("--calendar names the calendar of all series, and --markets those of some; allowed: one of them")
    if named is not None:
        fixed = ChosenCalendar(None if named == NO_CALENDAR else calendar(named), f"{NAMED_CALENDAR} {named}")
        return lambda *_: fixed
    known = load_markets(markets)
    return lambda symbol, source, report: chosen_calendar(symbol, source, Timeframe.parse(report.timeframe), known)


def _loaders(targets: Sequence[str], data_dir: Path) -> list[_Loader]:
    """Return each series' name and how to read it: a stored series, or those in files."""
    from seawall.market.sources.files import find_series
    from seawall.market.storage.store import Store

    store = Store(data_dir)
    found: list[_Loader] = []
    files: list[str] = []
    for target in targets:
        if not Path(target).is_file() and store.has(target):
            found.append(_Loader(target, lambda target=target: _stored(store, target)))
        else:
            files.append(target)
    for series in find_series(files) if files else []:
        found.append(_Loader(series.origin, lambda series=series: (series.read(), series.part or series.symbol, series.source)))
    return found


def _stored(store: Store, reference: str) -> tuple[pd.DataFrame, str, str]:
    bars, manifest = store.load(reference)
    return bars, manifest["symbol"], manifest["source"]


def _checked(loaders: Sequence[_Loader], choose: Callable[[str, str, QualityReport], ChosenCalendar]) -> list[SeriesCheck]:
    from seawall.core.errors import SeawallError
    from seawall.evaluation.quality_page import SeriesCheck
    from seawall.market.checks.quality import check_bars, with_calendar

    entries: list[SeriesCheck] = []
    with progress_bars() as bars:
        task = bars.add_task("checking", total=len(loaders), note="")
        for loader in loaders:
            bars.update(task, note=loader.name)
            try:
                frame, symbol, source = loader.read()
                report = check_bars(frame)
                chosen = choose(symbol, source, report)
                if chosen.calendar is not None:
                    report = with_calendar(report, chosen.calendar)
                entries.append(SeriesCheck(loader.name, report, frame, hours=chosen.reason))
            except SeawallError as error:
                entries.append(SeriesCheck(loader.name, error=str(error)))
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
    documents: list[dict[str, Any]] = []
    for entry in entries:
        told = {"error": entry.error} if entry.report is None else {**entry.report.to_dict(listed=None), "hours": entry.hours}
        documents.append({"name": entry.name, **told})
    shared = None if panel is None else {"common": panel.common, "union": panel.union, "absent": panel.absent}
    # One series alone is told with its own keys at the top too.
    top = documents[0] if len(documents) == 1 else {}
    return {**top, "series": documents, "panel": shared, "page": None if page is None else str(page)}


def _print_checks(entries: Sequence[SeriesCheck], panel: PanelFacts | None) -> None:
    if len(entries) == 1 and entries[0].report is not None:
        print_quality(entries[0].name, entries[0].report.to_dict(listed=None), entries[0].hours)
    elif len(entries) > 1:
        out.print(_table(entries))
        unjudged = [entry for entry in entries if entry.report is not None and entry.report.gaps and entry.report.calendar is None]
        for entry in unjudged[:_LISTED]:
            out.print(f"{entry.name}: {unexplained(entry.hours)}", markup=False)
        if len(unjudged) > _LISTED:
            out.print(f"… and {len(unjudged) - _LISTED} more whose gaps are not explained")
    if panel is not None:
        out.print(
            f"Together: {panel.common:,} bars that all {len(panel.names)} have, of {panel.union:,} in the span that they share"
        )


def _table(entries: Sequence[SeriesCheck]) -> Table:
    """Return a line a series; where a calendar is known, also which and the bars that are missing though it was open."""
    from seawall.evaluation.page import shortened

    judged = any(entry.report is not None and entry.report.calendar is not None for entry in entries)
    columns = ["series", "bars", "first", "last", "gaps", "missing", "zero volume", "flat", "outliers", "bad"]
    if judged:
        columns[6:6] = ["unexpected", "calendar"]
    rows: list[list[str]] = []
    for entry in entries:
        name = shortened(entry.name, _LONGEST_NAME)
        if entry.report is None:
            rows.append([name, "unreadable", *("" for _ in columns[2:])])
            continue
        facts = entry.report.to_dict(listed=0)
        told = "–" if facts["calendar"] is None else facts["missing_unexpected"]
        calendar = [told, facts["calendar"] or "–"] if judged else []
        cells = (
            f"{facts['rows']:,}", facts["first"][:10], facts["last"][:10], facts["gaps"], facts["missing"], *calendar,
            facts["zero_volume"], facts["flat"], facts["outliers"], facts["bad"],
        )  # fmt: skip
        rows.append([name, *map(str, cells)])
    return table("", columns, rows)
