"""``seawall data import``: files into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.data.words import print_quality, print_trends_facts, stored_document, train_on, validated
from seawall.cli.output import out, print_json
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.core.errors import SeawallError
    from seawall.market.sources.files import FileSeries
    from seawall.market.storage.store import Imported

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...", help="Parquet, CSV, feather, HDF5 or zip files of bars, folders of them, or globs in quotes."
    ),
]
_SHOWN = 10
BadBars = Annotated[str, typer.Option("--bad-bars", help="refuse | drop (into quarantine.parquet).")]


def import_files(
    files: Targets,
    source: Annotated[
        str | None, typer.Option(help="Where the bars are from, as in binance; read from the files' names otherwise.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="As in BTCUSDT, for one series; read from the file's name otherwise.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="As in 1h; measured from the timestamps otherwise.")] = None,
    bad_bars: BadBars = "refuse",
    overwrite: Annotated[bool, typer.Option(help="Replace a stored series that has other content.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Check files of bars and store them; gaps are kept and counted, and what to do about them is the recipe's choice.

    Monthly and daily dumps of one symbol become one series; each table of an HDF5 file is one. Of several, each that is refused
    is named with the reason, the others are stored, and the exit code is 2.

    Examples:
        seawall data import btc.parquet

        seawall data import dumps --bad-bars drop

        seawall data import dump.csv --source binance --symbol BTCUSDT
    """
    import_targets(files, data_dir, names=(source, symbol, timeframe), bad_bars=bad_bars, overwrite=overwrite, json=json)


def import_targets(
    targets: Sequence[str],
    data_dir: Path,
    *,
    names: tuple[str | None, str | None, str | None] = (None, None, None),
    bad_bars: str = "refuse",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Import every series in files, folders and globs; a refused one does not keep the others out.

    Raises:
        DataError: A series was refused; the message names each.
    """
    from seawall.core.errors import ConfigError, DataError, SeawallError
    from seawall.market.formats.dialects import NoBarsError
    from seawall.market.sources.files import search

    found = search(list(targets), held=data_dir)
    source, symbol, timeframe = names
    total = len(found.series) + len(found.refused)
    if symbol is not None and total > 1:
        raise ConfigError(f"--symbol {symbol} names one series, and {total} were found; allowed: one file")
    documents: list[dict[str, Any]] = []
    skipped, refused = list(found.skipped), list[tuple[str, SeawallError]](found.refused)
    with progress_bars() as bars:
        task = bars.add_task("importing", total=len(found.series), note="")
        for series in found.series:
            bars.update(task, note=series.origin)
            try:
                stored = _import_one(series, data_dir, (source, symbol, timeframe), bad_bars, overwrite)
            except NoBarsError as error:
                if _is_beside_bars(series, found.series):
                    skipped.append(f"{series.origin} (no bars)")
                else:
                    refused.append((series.origin, error))
            except SeawallError as error:
                refused.append((series.origin, error))
            else:
                documents.append(stored_document(stored, data_dir))
            bars.advance(task)
    _tell(documents, skipped, refused, json=json, alone=total == 1)
    if refused and total == 1:
        raise refused[0][1]
    if refused:
        origins = ", ".join(origin for origin, _ in refused)
        raise DataError(f"{len(refused)} of {total} series were refused, as told above: {origins}")


def _is_beside_bars(series: FileSeries, found: Sequence[FileSeries]) -> bool:
    """Say whether a series is one of several tables of a file."""
    return series.key is not None and any(other.paths == series.paths and other.key != series.key for other in found)


def import_trends(
    files: Sequence[str],
    keyword: str | None,
    data_dir: Path,
    *,
    downloaded: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Store search interest from the site's CSV or a table of times and values."""
    from seawall.core.errors import ConfigError
    from seawall.market.trends.reading import download_time, read_trends
    from seawall.market.trends.storage import store_trends

    if not files:
        raise ConfigError(
            "no file of search interest is named; allowed: data fetch trends FILE, the CSV of the site's download button"
        )
    documents = []
    now = None if downloaded is None else download_time(downloaded)
    for file in files:
        stored = store_trends(data_dir, read_trends(Path(file), keyword, now=now), overwrite=overwrite)
        documents.append(stored_document(stored, data_dir))
    if json:
        print_json({"series": documents})
        return
    for document in documents:
        name, span = document["reference"], f"{document['first'][:10]} to {document['last'][:10]}"
        out.print(f"[bold]{escape(name)}[/] is {document['status']}: {document['rows']:,} values, {span}")
        print_trends_facts(document["facts"])
        command = train_on("FILE", f"data.trends.path={name}", "features.omit=[trades]")
        out.print(f"Put it beside bars:  {command}", markup=False)


def _import_one(
    series: FileSeries, data_dir: Path, names: tuple[str | None, str | None, str | None], bad_bars: str, overwrite: bool
) -> Imported:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe
    from seawall.market.checks.quality import QualityParams, apply_quality
    from seawall.market.storage.store import Store

    source, symbol, timeframe = names
    bars, report = apply_quality(series.read(), validated(QualityParams, gaps="bridge", bad_bars=bad_bars))
    wanted = timeframe or series.timeframe
    if wanted is not None and Timeframe.parse(wanted).label != report.timeframe:
        named = "--timeframe is" if timeframe else f"{series.origin} is named"
        raise ConfigError(f"{named} {wanted}, but the usual step between bars is {report.timeframe}")
    return Store(data_dir).import_bars(
        bars, report, source=source or series.source, symbol=symbol or series.symbol, origin=series.origin, overwrite=overwrite
    )


def _tell(
    documents: Sequence[dict[str, Any]],
    skipped: Sequence[str],
    refused: Sequence[tuple[str, SeawallError]],
    *,
    json: bool,
    alone: bool,
) -> None:
    if json:
        # One file alone is told as before there could be several: its own keys at the top.
        top = documents[0] if alone and documents else {}
        reasons = [{"origin": origin, "error": str(error)} for origin, error in refused]
        print_json({**top, "series": documents, "skipped": list(skipped), "refused": reasons})
    else:
        _print(documents, skipped, alone=alone)
    for origin, error in refused if not alone else ():
        console.print(f"refused  {origin}: {error}", markup=False, highlight=False, soft_wrap=True)


def _print(documents: Sequence[dict[str, Any]], skipped: Sequence[str], *, alone: bool) -> None:
    for document in documents:
        if alone:
            print_quality(document["reference"], document["quality"])
        else:
            quality, rows = document["quality"], f"{document['rows']:,} bars"
            holes = f"{quality['missing']} missing in {quality['gaps']} gaps"
            out.print(f"{document['reference']} is {document['status']}: {rows}, {holes}", markup=False)
    notes = Counter(note for document in documents if not alone for note in document["quality"]["notes"])
    for note, count in notes.items():
        out.print(f"  note: {note} ({count} series)", markup=False)
    if skipped:
        more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        out.print(f"Skipped, as no bars to import: {', '.join(skipped[:_SHOWN])}{more}", markup=False)
    if alone and documents:
        name = documents[0]["reference"]
        out.print(f"{name} is {documents[0]['status']}. Train on it:  {train_on(name)}", markup=False)
