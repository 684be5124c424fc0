"""What a comparison says in a terminal and on its page: a line a figure, a column a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from seawall.evaluation.phrases import per_bar, percent, share, two_digits

_DASH = "–"


class Line(NamedTuple):
    """A figure of every run.

    Attributes:
        label: What it is.
        meaning: The same in more words.
        cells: One for each run, in their order.
    """

    label: str
    meaning: str
    cells: list[str]


def figure_lines(rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return the table of figures.

    Args:
        rows: ``runs`` of `compare.compared`.
    """
    return [Line(label, meaning, [show(row) for row in rows]) for label, meaning, show in _LINES]


def numbers_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the short name of each run, its number from 1 on, by its own name; pairs of whole names would be too long to read.

    Args:
        rows: ``runs`` of `compare.compared`.
    """
    return {row["run"]: str(number) for number, row in enumerate(rows, start=1)}


def difference_cells(row: Mapping[str, Any], short: Mapping[str, str]) -> list[str]:
    """Return a line of the table of differences: the pair, the difference, its interval or why there is none, p, and who leads.

    Args:
        row: One of ``differences`` of `compare.compared`.
        short: From `numbers_of`.
    """
    first, second = short[row["first"]], short[row["second"]]
    pair, mean = f"{first} less {second}", per_bar(row["mean"])
    if row["mean"] is None or row["low"] is None:
        return [pair, mean, row["reason"], _DASH, ""]
    p_values = f"{_p(row['p_value'])} ({_p(row['adjusted_p_value'])})"
    leader = f"{first} is ahead" if row["low"] > 0.0 else f"{second} is ahead" if row["high"] < 0.0 else "cannot be told apart"
    return [pair, mean, f"{per_bar(row['low'])} to {per_bar(row['high'])}", p_values, leader]


def setting_words(value: Any) -> str:
    """Return the value of a setting for people."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(setting_words(each) for each in value) or "none"
    return "none" if value == {} else str(value)


def _p(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3f}"


def _verdict(row: Mapping[str, Any]) -> str:
    return f"{row['verdict']}{'' if row['comparable'] else ' *'}"


def _with_interval(name: str, show: Callable[[float | None], str]) -> Callable[[Mapping[str, Any]], str]:
    def words(row: Mapping[str, Any]) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        return show(row[name]) if low is None else f"{show(row[name])} ({show(low)} to {show(high)})"

    return words


def _of(name: str, show: Callable[[Any], str]) -> Callable[[Mapping[str, Any]], str]:
    def words(row: Mapping[str, Any]) -> str:
        return _DASH if row[name] is None else show(row[name])

    return words


def _captured(row: Mapping[str, Any]) -> str:
    if row["captured"] is None:
        return _DASH
    return f"{percent(row['captured'], 2)}{' of a bound' if row['captured_of'] == 'bound' else ''}"


def _pbo(row: Mapping[str, Any]) -> str:
    return _DASH if row["pbo"] is None else f"{row['pbo']:.3f} of {row['pbo_configurations']}"


def _null(row: Mapping[str, Any]) -> str:
    found = row.get("null_test")
    return _DASH if found is None else f"{found['p']:.3f} of {found['markets']}"


def _bps(value: float | None) -> str:
    return per_bar(value).removesuffix(" bps")


def _count(value: float) -> str:
    return f"{value:,.0f}"


_LINES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("verdict", "level of the verdict; * other bars, market or costs than the first run's", _verdict),
    ("kind", "a run over one series, a portfolio, or a walk-forward", lambda row: str(row.get("kind", _DASH))),
    ("recipe", "", lambda row: str(row["recipe"])),
    ("market", "", lambda row: f"{row['symbol']} {row['timeframe']}"),
    ("test from", "first test bar", lambda row: str(row["test_first"])[:10]),
    ("test to", "last test bar", lambda row: str(row["test_last"])[:10]),
    ("test bars", "", _of("bars", _count)),
    ("net return", "over the test span, after all costs", _of("total_return", percent)),
    ("Sharpe", "annualised, with its interval", _with_interval("sharpe", two_digits)),
    ("net a bar, bps", "mean net log return per bar in basis points, with its interval", _with_interval("mean_log_return", _bps)),
    ("probabilistic Sharpe", "chance that the true Sharpe ratio is above 0", _of("probabilistic_sharpe", _p)),
    ("deflated Sharpe", "the same, after all configurations tried", _of("deflated_sharpe", _p)),
    ("trials", "distinct configurations tried on the data", _of("trials", _count)),
    ("least track record", "bars that it takes to prove the Sharpe ratio above 0", _of("least_track_record_bars", _count)),
    ("overfitting (PBO)", "of the choice among so many configurations", _pbo),
    ("captured", "share of what perfect foresight could have earned after the same costs", _captured),
    ("max drawdown", "deepest fall of equity from a peak", _of("max_drawdown", share)),
    ("turnover a year", "traded notional over mean equity", _of("turnover_per_year", _count)),
    ("trades", "round trips", _of("trades", _count)),
    ("costs", "paid, over the initial equity", _of("costs_share", share)),
    ("break-even", "multiple of the costs at which nothing is left", _of("break_even", two_digits)),
    ("seeds", "trained", _of("seeds", _count)),
    ("seeds' return", "interquartile mean over the seeds", _of("seeds_total_return", percent)),
    ("seeds' Sharpe", "interquartile mean over the seeds", _of("seeds_sharpe", two_digits)),
    ("guards' effect", "what the guards saved, as a share of equity; below 0 what they cost", _of("guards_effect", percent)),
    ("null test, p", "share of markets without an edge on which the same pipeline had as high a Sharpe ratio, at least", _null),
)
