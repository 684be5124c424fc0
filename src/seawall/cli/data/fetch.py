"""``seawall data fetch`` and ``update``: bars from a venue into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.data.bring import BadBars, import_targets, import_trends
from seawall.cli.data.words import stored_document, train_on, validated
from seawall.cli.output import out, print_json
from seawall.core.interrupts import heeded_interrupts
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.market.fetching.fetch import FetchRules
    from seawall.market.sources.protocol import BarSource
    from seawall.market.storage.store import Imported

Source = Annotated[
    str | None,
    typer.Argument(metavar="[SOURCE]", help="ccxt, an exchange that ccxt knows (as kraken), alpaca, tradelocker, files or trends."),
]
Symbols = Annotated[
    list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="As the venue spells it; files or folders for files.")
]
AcrossGap = Annotated[
    bool, typer.Option("--across-gap", help="Add bars although the venue no longer reaches back to those stored; the gap is kept.")
]
# Options of `fetch` that mean something, by what is fetched; the others would be left unheeded without a word.
_VENUE_OPTIONS = ("--timeframe", "--start", "--end", "--exchange", "--across-gap")
_HEEDED = {
    "files": (),
    "trends": ("--keyword", "--downloaded"),
    "--recipe": ("--recipe", "--start", "--end", "--across-gap"),
}
Moment = Annotated[str | None, typer.Option(help="Day or time in UTC, as in 2020-01-01.")]


@dataclass(frozen=True)
class _Job:
    source: str
    symbol: str
    timeframe: str
    start_ms: int | None
    stop_ms: int | None
    exchange: str | None = None

    @property
    def title(self) -> str:
        return f"{self.exchange or self.source} {self.symbol} {self.timeframe}"


def fetch(
    source: Source = None,
    symbols: Symbols = None,
    recipe: Annotated[str | None, typer.Option(help="Fetch every series that this recipe names, in one call.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Bar length; 15m where nothing is said.")] = None,
    start: Moment = None,
    end: Moment = None,
    exchange: Annotated[str | None, typer.Option(help="The exchange behind the source ccxt; binance by default.")] = None,
    bad_bars: BadBars = "refuse",
    overwrite: Annotated[bool, typer.Option(help="Fetch anew, also what is stored, and replace it.")] = False,
    across_gap: AcrossGap = False,
    keyword: Annotated[str | None, typer.Option(help="Of a trends file with several: the one to store.")] = None,
    downloaded: Annotated[
        str | None, typer.Option(help="When a trends file was downloaded, as in 2024-05-02; its time of change where not said.")
    ] = None,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Fetch the history of symbols, page by page, check it, and store it. Only closed bars are kept.

    A call that was stopped goes on where it was; one for bars that are stored already asks for what is missing. Public
    history of crypto exchanges needs no key.

    Examples:
        seawall data fetch ccxt BTC/USDT --timeframe 15m --start 2020-01-01

        seawall data fetch kraken BTC/USD ETH/USD --timeframe 1h

        seawall data fetch alpaca BTC/USD --timeframe 1m --start 2024-01-01 --end 2024-02-01

        seawall data fetch --recipe tradernet

        seawall data fetch files dumps/*.zip

        seawall data fetch trends multiTimeline.csv
    """
    names = list(symbols or ())
    given = {"--recipe": recipe, "--timeframe": timeframe, "--start": start, "--end": end, "--exchange": exchange}
    told = {**given, "--across-gap": across_gap or None, "--keyword": keyword, "--downloaded": downloaded}
    _refuse_unheeded(source, recipe, [name for name, value in told.items() if value is not None])
    if source == "files":
        import_targets(names, data_dir, bad_bars=bad_bars, overwrite=overwrite, json=json)
        return
    if source == "trends":
        import_trends(names, keyword, data_dir, downloaded=downloaded, overwrite=overwrite, json=json)
        return
    jobs = _recipe_jobs(recipe, source, start, end) if recipe else _jobs(source, names, timeframe, (start, end), exchange)
    _run(jobs, data_dir, _rules(bad_bars, overwrite, across_gap), json)


def update(
    series: Annotated[
        list[str] | None, typer.Argument(metavar="[SERIES]...", help="Stored series, as in binance/BTCUSDT/15m.")
    ] = None,
    across_gap: AcrossGap = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Append the bars that closed since a series was stored, after comparing the seam; all fetched series where none is named.

    Examples:
        seawall data update

        seawall data update binance/BTCUSDT/15m
    """
    from seawall.core.errors import ConfigError
    from seawall.market.fetching.fetch import Fetch, FetchRules
    from seawall.market.sources.registry import SOURCES, open_again
    from seawall.market.storage.store import Store

    store = Store(data_dir)
    # Of a damaged series it is not known where it came from: it is named, and said to be damaged.
    entries = {} if series else {entry["reference"]: entry for entry in store.list()}
    fetched = [
        name for name, entry in entries.items() if entry["problem"] or (entry.get("provenance") or {}).get("source") in SOURCES
    ]
    wanted = list(series or fetched)
    if not wanted:
        raise ConfigError(
            f"no series under {data_dir.resolve()} was fetched from a venue; fetch one: seawall data fetch ccxt BTC/USDT"
        )

    opened: dict[tuple[str, str], BarSource] = {}

    def one(reference: str, on_progress: Callable[[Any], None]) -> Imported:
        provenance = store.load(reference)[1].get("provenance") or {}
        # Each venue is opened once: its list of markets is long, a login is counted, and its rate limit is kept by one client.
        venue = str(provenance.get("source")), str(provenance.get("exchange"))
        source = opened[venue] = opened.get(venue) or open_again(provenance, reference)
        return Fetch(store, source, on_progress, FetchRules(across_gap=across_gap)).update(reference)

    _with_bars(wanted, wanted, one, data_dir, json)


def _refuse_unheeded(source: str | None, recipe: str | None, options_given: Sequence[str]) -> None:
    from seawall.core.errors import ConfigError

    what = source if source in ("files", "trends") else "--recipe" if recipe else f"the source {source}"
    heeded = _HEEDED.get(str(what), _VENUE_OPTIONS)
    unheeded = [name for name in options_given if name not in heeded]
    if unheeded:
        allowed = ", ".join(name for name in heeded if name != what) or "none of these options"
        raise ConfigError(f"{', '.join(unheeded)} would do nothing with {what}; allowed: {allowed}")


def _jobs(
    source: str | None, symbols: Sequence[str], timeframe: str | None, span: tuple[str | None, str | None], exchange: str | None
) -> list[_Job]:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import moment_ms

    if source is None or not symbols:
        raise ConfigError("what to fetch is not named; allowed: SOURCE SYMBOL..., as in ccxt BTC/USDT, or --recipe RECIPE")
    start_ms, stop_ms = (None if text is None else moment_ms(text) for text in span)
    return [_Job(source, symbol, timeframe or "15m", start_ms, stop_ms, exchange) for symbol in symbols]


def _recipe_jobs(recipe: str, source: str | None, start: str | None, end: str | None) -> list[_Job]:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import moment_ms
    from seawall.recipes.families import load_any
    from seawall.recipes.series import wanted_series

    if source is not None:
        raise ConfigError(f"--recipe {recipe} names its sources itself; allowed: without {source!r}")
    jobs = []
    for series in wanted_series(load_any(recipe)):
        first, last = series.span_ms
        span = (first if start is None else moment_ms(start), last if end is None else moment_ms(end))
        jobs.append(_Job(series.source, series.symbol, series.timeframe, *span))
    return jobs


def _rules(bad_bars: str, overwrite: bool, across_gap: bool) -> FetchRules:
    from seawall.market.checks.quality import QualityParams
    from seawall.market.fetching.fetch import FetchRules

    return FetchRules(overwrite=overwrite, across_gap=across_gap, bad_bars=validated(QualityParams, bad_bars=bad_bars).bad_bars)


def _run(jobs: Sequence[_Job], data_dir: Path, rules: FetchRules, json: bool) -> None:
    from seawall.core.timeframe import Timeframe
    from seawall.market.fetching.fetch import Fetch
    from seawall.market.sources.registry import open_source
    from seawall.market.storage.store import Store

    store = Store(data_dir)
    opened = {(job.source, job.exchange): open_source(job.source, job.exchange) for job in jobs}

    def one(job: _Job, on_progress: Callable[[Any], None]) -> Imported:
        venue = opened[job.source, job.exchange]
        work = Fetch(store, venue, on_progress, rules)
        return work.fetch(job.symbol, Timeframe.parse(job.timeframe), job.start_ms, job.stop_ms)

    _with_bars(jobs, [job.title for job in jobs], one, data_dir, json)


def _with_bars(
    jobs: Sequence[Any], titles: Sequence[str], work: Callable[[Any, Callable[[Any], None]], Imported], data_dir: Path, json: bool
) -> None:
    """Do jobs one after the other behind progress bars; one that fails does not keep the others from being done."""
    from seawall.core.errors import SeawallError
    from seawall.core.fan_out import Interrupted

    documents: list[dict[str, Any]] = []
    failed: list[tuple[str, SeawallError]] = []
    try:
        with heeded_interrupts() as heed, progress_bars() as bars:
            tasks = [bars.add_task(title, total=None, note="waiting") for title in titles]
            for job, task, title in zip(jobs, tasks, titles, strict=True):

                def show(state: Any, task: Any = task, title: str = title) -> None:
                    heed()
                    bars.update(task, completed=state.done_bars, total=state.expected_bars, note=f"{state.at[:16]} {state.note}")
                    if state.note and not (state.waiting and console.is_terminal):
                        # Where nobody watches a bar, a wait of minutes should not be silent either.
                        console.print(f"{title}: {state.note}", markup=False)

                try:
                    stored = work(job, show)
                except Interrupted:
                    raise
                except SeawallError as error:
                    failed.append((title, error))
                    bars.update(task, note="stopped")
                    continue
                bars.update(task, note=stored.status)
                documents.append(stored_document(stored, data_dir))
    except KeyboardInterrupt:
        raise Interrupted("stopped by Ctrl-C; the pages that came are kept: run the same command to go on") from None
    if json:
        print_json({"series": documents, "failed": [f"{title}: {error}" for title, error in failed]})
    else:
        _print(documents)
    if len(titles) == 1 and failed:
        raise failed[0][1]
    if failed:
        # The exit code is that of the failure that running again does not mend.
        worst = max((error for _, error in failed), key=lambda error: error.exit_code)
        raise type(worst)("; ".join(f"{title}: {error}" for title, error in failed))


def _print(documents: Sequence[dict[str, Any]]) -> None:
    for document in documents:
        quality, name = document["quality"], escape(document["reference"])
        out.print(
            f"[bold]{name}[/] is {document['status']}: {document['rows']:,} bars, {document['first'][:16]} to "
            f"{document['last'][:16]} UTC, {quality['missing']} missing in {quality['gaps']} gaps"
        )
    if documents:
        out.print(f"Train on it:  {train_on(documents[0]['reference'])}", markup=False)
