"""How figures of a judgement are written for people."""

from __future__ import annotations

import math

from seawall.evaluation.bootstrap import Interval


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a signed percentage for people, as in ``+3.2 %``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{_signed(100.0 * value, digits)}\u00a0%"


def share(value: float | None) -> str:
    """Return a fraction that needs no sign as a percentage for people; a dash where there is none."""
    return "–" if value is None else f"{100 * value:z,.1f}\u00a0%".replace("-", "−")


def two_digits(value: float | None) -> str:
    """Return a number for people with two digits after the point; a dash where there is none."""
    return "–" if value is None else f"{value:z,.2f}".replace("-", "−")


def per_bar(value: float | None) -> str:
    """Return a log return per bar for people, in basis points, as in ``+0.31 bps``."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{_signed(1e4 * value, 2)} bps"


def rival_title(name: str) -> str:
    """Return a rival's name for people."""
    known = {
        "buy_and_hold": "buy-and-hold",
        "sma_cross": "the SMA cross",
        "ema_cross": "the EMA cross",
        "random": "the random rival",
    }
    return known.get(name, name.replace("_", " "))


def interval_words(interval: Interval, confidence: float) -> str:
    """Return an interval of a log return per bar in words, or why there is none."""
    if interval.low is None:
        return f"no interval: {interval.reason}"
    return f"{100 * confidence:g} % interval {per_bar(interval.low)} to {per_bar(interval.high)}"


def lower_first(words: str) -> str:
    """Return a sentence that goes on after a colon."""
    return words[:1].lower() + words[1:]


def _signed(value: float, digits: int) -> str:
    """Return a number with its sign, or 0 without one."""
    text = f"{value:+,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text[1:]
