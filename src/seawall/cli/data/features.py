"""``seawall data features``: what the columns of a recipe look like, how they drift, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.evaluation.feature_facts import ColumnFacts
    from seawall.features.profile import FeatureProfile
    from seawall.recipes.dataset import Featured

_SHARED = "each alone, with the parts that it shares with others: the sum is more than the whole"


def features(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or the path of your own YAML or JSON file.")
    ],
    overrides: options.Overrides = None,
    plugin: options.Plugins = None,
    profile: Annotated[bool, typer.Option("--profile", help="Time each column, the whole set, and a live row.")] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write a page with distributions, drift, correlation and autocorrelation.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Folder of the page; features below the data folder otherwise.")] = None,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Describe a recipe's features before scaling: spread in the training rows, and drift of the later rows from them.

    PSI below 0.1 is little drift, above 0.25 strong; KS is the largest distance between two cumulative distributions.

    Examples:
        seawall data features tradernet

        seawall data features tradernet data=btc.parquet --plot

        seawall data features tradernet features.set=technical_ohlcv --profile
    """
    from seawall.core.errors import ConfigError
    from seawall.core.files import refuse_replacing_file
    from seawall.recipes.dataset import featured
    from seawall.recipes.schema import load_recipe

    if output is not None and not plot:
        raise ConfigError(f"--output {output} is the folder of the page; allowed: --plot beside it")
    settings = load_recipe(recipe, overrides or (), plugin or ())
    page = (output or data_dir / "features") / f"{settings.name}.html" if plot else None
    if page is not None:
        refuse_replacing_file(page, force=True)
    made = featured(settings, data_dir)
    facts = _facts(made)
    timed = _timed(made) if profile else None
    if page is not None:
        _write(page, settings.name, made, facts)
    if json:
        print_json(_document(made, facts, timed, page))
        return
    _print_facts(made, facts) if timed is None else _print_profile(timed)
    for note in made.notes:
        out.print(f"  note: {note}", markup=False)
    if page is not None:
        console.print(f"The page: {page}", markup=False)


def _facts(made: Featured) -> list[ColumnFacts]:
    from seawall.evaluation.feature_facts import feature_facts

    with _told("describing", len(made.columns.columns)) as tell:
        return feature_facts(made.block, made.columns.columns, made.split, tell)


def _timed(made: Featured) -> FeatureProfile:
    from seawall.features.profile import profile

    with progress_bars() as bars:
        task = bars.add_task("timing", total=None, note="compiling")

        def tell(name: str, total: int) -> None:
            begun = bars.tasks[task].total is not None
            bars.update(task, total=total, advance=int(begun), note=name[:40])

        return profile(made.bars, made.columns, made.timeframe, tell)


def _write(page: Path, name: str, made: Featured, facts: list[ColumnFacts]) -> None:
    from seawall.evaluation.feature_page import FeatureView, write_feature_page

    title = f"{name}: {made.columns.name} on {made.origin['symbol']} {made.timeframe.label}"
    columns = made.columns.columns
    view = FeatureView(title, columns, made.block, made.split, made.warmup, facts, _spans(made), made.notes)
    with _told("drawing", len(columns)) as tell:
        write_feature_page(page, view, tell)


@contextmanager
def _told(what: str, total: int) -> Generator[Callable[[str], None]]:
    """Show how far work on columns has come; gives what to call before each."""
    with progress_bars() as bars:
        task = bars.add_task(what, total=total, note="")

        def tell(name: str) -> None:
            bars.update(task, advance=int(bool(bars.tasks[task].fields["note"])), note=name[:40])

        yield tell
        bars.update(task, completed=total)


def _spans(made: Featured) -> dict[str, dict[str, Any]]:
    split, times = made.split, made.bars["timestamp"]
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    return {
        name: {"first": times.iloc[rows.start].isoformat(), "last": times.iloc[rows.stop - 1].isoformat(), "bars": len(rows)}
        for name, rows in parts.items()
    }


def _document(made: Featured, facts: list[ColumnFacts], timed: FeatureProfile | None, page: Path | None) -> dict[str, Any]:
    from seawall.features.pipeline import feature_hash

    return {
        "set": made.columns.name,
        "feature_hash": feature_hash(made.columns),
        "timeframe": made.timeframe.label,
        "rows": len(made.bars),
        "warmup": made.warmup,
        "split": _spans(made),
        "facts": [fact.to_dict() for fact in facts],
        **({} if timed is None else timed.to_dict()),
        "notes": list(made.notes),
        "page": None if page is None else str(page),
    }


def _print_facts(made: Featured, facts: list[ColumnFacts]) -> None:
    columns = (
        "column", "missing %", "mean", "deviation", "min", "max", "PSI val", "KS val", "PSI test", "KS test", "drift",
    )  # fmt: skip
    rows = [
        (
            fact.column,
            f"{100 * fact.missing:.2f}",
            *(f"{value:.4g}" for value in (fact.mean, fact.deviation, fact.low, fact.high)),
            *(f"{value:.3f}" for part in (fact.validation, fact.test) for value in (part.psi, part.ks)),
            fact.verdict,
        )
        for fact in facts
    ]
    out.print(table("", columns, rows))
    warm = f"the first {made.warmup:,} of {len(made.bars):,} bars warm up"
    out.print(f"Mean to max are of the {len(made.split.train):,} training rows, unscaled; {warm}.")


def _print_profile(timed: FeatureProfile) -> None:
    rows = [(column.column, f"{column.seconds:.4f}", f"{column.microseconds_per_bar:.4f}") for column in timed.columns]
    out.print(table("", ("column", "seconds", "microseconds a bar"), rows))
    out.print(f"Columns: {_SHARED}.")
    out.print(f"Whole set: {timed.whole_seconds:.4f} s for {timed.rows:,} bars, {timed.rows / timed.whole_seconds:,.0f} bars/s")
    tail = f"on a tail of {timed.live_rows:,} bars, {timed.live_calls} calls"
    out.print(f"Live row: {timed.live_milliseconds:.3f} ms in the median, {tail}")
