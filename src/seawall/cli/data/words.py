"""What several verbs of ``seawall data`` say and check alike."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from seawall.cli.output import out

if TYPE_CHECKING:
    from seawall.market.storage.store import Imported

_LISTED = 10
NAMED_CALENDAR = "--calendar"
_LEFT_OUT = {
    "partial_dropped": "that had not ended", "overlapping_dropped": "that overlap shorter ones", "repeated_dropped": "repeated",
}  # fmt: skip


def validated(params: Any, **values: Any) -> Any:
    """Make settings, with a clear refusal of the first value that is not allowed.

    Raises:
        ConfigError: A value is not allowed.
    """
    from pydantic import ValidationError

    from seawall.core.errors import ConfigError

    try:
        return params(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        place, message = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{place} is {problem['input']!r}: {message}" if place else message) from error


def listed(text: str | None) -> tuple[str, ...]:
    """Split ``a,b, c``; nothing for None."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def stored_document(stored: Imported, data_dir: Path) -> dict[str, Any]:
    """Return what was stored as plain values: its reference, what was done, and its manifest."""
    return {"reference": stored.folder.relative_to(data_dir).as_posix(), "status": stored.status, **stored.manifest}


def plain(value: float) -> str:
    """Return a number with all of its digits, thousands apart, and no exponent unless it has very many zeros."""
    if value and not 1e-12 <= abs(value) < 1e15:
        return repr(value)
    text = f"{Decimal(repr(value)):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def print_quality(name: str, facts: dict[str, Any], hours: str = "") -> None:
    """Print what a quality check found, in two lines and its remarks.

    Args:
        name: What the series is called.
        facts: The report's, as plain values.
        hours: What its calendar was told by, or why it has none; empty where none was looked for.
    """
    span = f"{facts['first'][:16]} to {facts['last'][:16]} UTC"
    out.print(f"[bold]{escape(name)}[/]: {facts['rows']:,} bars of {facts['timeframe']}, {span}")
    holes = f"{facts['gaps']} ({facts['missing']} bars missing, longest {facts['longest_gap_bars']} bars)"
    if facts.get("calendar"):
        holes += f", {facts['unexpected_gaps']} of them while {facts['calendar']} was open ({facts['missing_unexpected']} bars)"
    names = ("zero_volume", "flat", "outliers", "duplicates", "disorder", "bad")
    counts = ", ".join(f"{name.replace('_', ' ')} {facts[name]}" for name in names)
    out.print(f"  gaps {holes}, {counts}", markup=False)
    if facts.get("calendar") and hours:
        told = "as named" if hours.startswith(NAMED_CALENDAR) else f"by {hours}; {NAMED_CALENDAR} names another"
        out.print(f"  calendar {facts['calendar']}, {told}", markup=False)
    elif hours and facts["gaps"]:
        out.print(f"  {unexplained(hours)}", markup=False)
    _print_gaps(facts)
    for fault in facts["bad_bars"][:_LISTED]:
        out.print(
            f"  bad row {fault['row']}, {fault['timestamp'][:16]}: {fault['kind']} {fault['column']} {fault['value']}", markup=False
        )
    if len(facts["bad_bars"]) > _LISTED:
        out.print(f"  … and more bad bars, {facts['bad']} in all; --json lists them")
    for note in facts["notes"]:
        out.print(f"  note: {note}", markup=False)


def unexplained(hours: str) -> str:
    """Say why no gap of a series is explained: nobody wanted it, or nothing tells its calendar, and how to name one."""
    more = " says" if hours.startswith(NAMED_CALENDAR) else f"; {NAMED_CALENDAR} names when it is open"
    return f"no gap is explained, as {hours}{more}"


def print_trends(document: dict[str, Any]) -> None:
    """Print what is known of stored search interest."""
    facts, name = document["facts"], escape(document["reference"])
    periods = ", ".join(f"{count:,} of {length}" for length, count in facts.get("periods", {}).items())
    out.print(f"[bold]{name}[/]: search interest, {document['rows']:,} values, {document['first'][:10]} to {document['last'][:10]}")
    for label, value in {"keyword": document["symbol"], "region": facts.get("region"), "periods": periods}.items():
        if value:
            out.print(f"  {label:<14} {value}", markup=False)
    print_trends_facts(facts)


def print_trends_facts(facts: dict[str, Any]) -> None:
    """Print what reading a file of search interest left out, by which day, and where its scale may change."""
    from seawall.market.trends.reading import FILE_TIME

    left_out = ", ".join(f"{facts[key]} {word}" for key, word in _LEFT_OUT.items() if facts.get(key))
    if left_out:
        out.print(f"  left out: {left_out}")
    if facts.get("downloaded"):
        guessed = facts["downloaded_from"] == FILE_TIME
        source, more = (f"by {FILE_TIME}", "; --downloaded DATE says otherwise") if guessed else ("as named", "")
        out.print(f"  downloaded {facts['downloaded']}, {source}: periods that ended by then are whole{more}", markup=False)
    if facts.get("possible_seams"):
        out.print(f"  possible seams, where downloads of different scales meet: {', '.join(facts['possible_seams'])}")
    for note in facts.get("notes", ()):
        out.print(f"  note: {note}", markup=False)


def _print_gaps(facts: dict[str, Any]) -> None:
    """Print the first gaps; with a calendar, those that it does not explain."""
    told = bool(facts.get("calendar"))
    places = [gap for gap in facts["gap_places"] if not told or gap["unexpected"]]
    for gap in places[:_LISTED]:
        lost = f", {gap['unexpected']} of them while it was open" if told and gap["unexpected"] < gap["missing"] else ""
        out.print(f"  gap after {gap['after'][:16]}: {gap['missing']} bars{lost}")
    more = (facts["unexpected_gaps"] if told else facts["gaps"]) - len(places[:_LISTED])
    if more > 0:
        out.print(f"  … and {more} more gaps; seawall data check --json lists them")


def train_on(reference: object, *settings: str) -> str:
    """Return the command that trains on some bars, by the recipe to start with."""
    from seawall.recipes.files import FIRST

    return " ".join([f"seawall train {FIRST} data={reference}", *settings])
