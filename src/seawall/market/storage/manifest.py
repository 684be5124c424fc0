"""Manifests of stored series: what is known of one, as JSON beside its bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd

from seawall import __version__
from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json
from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import QualityReport

SCHEMAS = (1, 2)
BARS, TRENDS = "bars", "trends"
NEEDED = ("schema", "source", "symbol", "timeframe", "rows", "first", "last", "gaps", "columns", "content_hash")
_LISTED_GAPS = 1_000
_SECONDS_PER_DAY = 86_400.0


def new_manifest(
    bars: pd.DataFrame, report: QualityReport, *, source: str, symbol: str, origin: str, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe bars that are about to be stored.

    Args:
        bars: The bars.
        report: Their report.
        source: Where they come from.
        symbol: Name of the series.
        origin: Name of the file they were read from; a path before it is left out.
        provenance: How they were had, as a source tells it.

    Returns:
        The manifest. ``gaps`` counts the places where bars are missing, ``missing`` the bars missing there; ``gap_places`` lists
        the first thousand places. ``span_days`` reaches from the opening of the first bar to the close of the last.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    places = report.gap_places.head(_LISTED_GAPS)
    seconds = (bars["timestamp"].iloc[-1] - bars["timestamp"].iloc[0]).total_seconds() + Timeframe.parse(report.timeframe).seconds
    return {
        "schema": SCHEMAS[-1],
        "source": source,
        "symbol": symbol,
        "timeframe": report.timeframe,
        "rows": len(bars),
        "first": report.first,
        "last": report.last,
        "span_days": seconds / _SECONDS_PER_DAY,
        "gaps": report.gaps,
        "missing": report.missing,
        "gap_places": [
            {"after": after, "missing": int(missing)}
            for after, missing in zip(places["after"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), places["missing"], strict=True)
        ],
        "columns": [str(name) for name in bars.columns],
        "content_hash": bars_digest(bars),
        "origin": Path(origin).name,
        "provenance": dict(provenance),
        "imported_at": now,
        "updated_at": now,
        "code_version": __version__,
        "quality": report.to_dict(),
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a series; one of the first schema is given the fields it lacks.

    Args:
        folder: The series.

    Raises:
        DataError: It is missing, damaged, or of a later version.
    """
    path = folder / "manifest.json"
    found = read_json(path)
    manifest = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    absent = [name for name in NEEDED if name not in manifest]
    if absent:
        raise DataError(f"{path} has no {', '.join(absent)}; import the series again")
    if manifest["schema"] not in SCHEMAS:
        raise DataError(f"{path} has schema {manifest['schema']!r}; this version reads {' and '.join(map(str, SCHEMAS))}")
    if manifest["schema"] == SCHEMAS[0]:
        quality: Any = manifest.get("quality")
        said = cast("dict[str, Any]", quality) if isinstance(quality, dict) else {}
        places = said.get("gap_places", [])
        earlier: dict[str, Any] = {"missing": said.get("missing"), "gap_places": places, "provenance": {}, "span_days": None}
        return {**earlier, "updated_at": manifest.get("imported_at"), **manifest}
    return manifest


def kind(manifest: Mapping[str, Any]) -> str:
    """Say what a series holds: bars, or trends, which are search interest and have no prices."""
    return BARS if "open" in (manifest["columns"] or ()) else TRENDS


def refuse_trends(manifest: Mapping[str, Any], reference: str) -> None:
    """Refuse search interest where bars are wanted.

    Raises:
        ConfigError: The series holds search interest; the message says what it is for.
    """
    if kind(manifest) == TRENDS:
        raise ConfigError(
            f"{reference} holds search interest in {manifest['symbol']!r} (Google Trends), which are no bars; data.trends.path="
            f"{reference} puts it beside bars that are trained on, and seawall data info {reference} tells of it"
        )


def same_name(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two manifests name one series: BTC/USDT and BTCUSDT do, BTC:USDT and BTC-USDT do not."""
    return all(str(one[part]).replace("/", "") == str(other[part]).replace("/", "") for part in ("source", "symbol"))
