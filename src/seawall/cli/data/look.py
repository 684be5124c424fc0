"""``seawall data list``, ``info`` and ``markets``: looking at what is stored, and at where it trades."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli import options
from seawall.cli.data.words import plain, print_quality, print_trends
from seawall.cli.output import out, print_json, table

if TYPE_CHECKING:
    from seawall.market.hours.specs import MarketSpec


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
        told = f"Nothing is stored under {data_dir.resolve()}. Fetch some:  seawall data fetch ccxt BTC/USDT, or import a file"
        out.print(told, markup=False)
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
