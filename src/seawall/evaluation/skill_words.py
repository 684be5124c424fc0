"""What a report says of skill and luck: one line a figure, with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.evaluation.phrases import percent
from seawall.evaluation.tried import left_out_words

_SPREAD_TITLES = {"total_return": "net return", "sharpe": "Sharpe ratio", "max_drawdown": "max drawdown"}


def skill_rows(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the lines of a judgement's document: ``label``, ``value`` and ``words`` each; none where it has no such part."""
    skill, attainable = document.get("skill"), document.get("attainable")
    if skill is None:
        return []
    rows = [_probabilistic(skill), _deflated(skill), _record(skill, document["test"]["bars"])]
    if skill.get("pbo") is not None:
        rows.append(_overfitting(skill["pbo"]))
    if attainable is not None:
        rows.append(_captured(attainable))
    rows += [_spread(name, found["iqm"]) for name, found in skill["seeds"].items()]
    leaks = document.get("leaks")
    return [*rows, _leaks(leaks)] if leaks is not None else rows


def _row(label: str, value: str, words: str) -> dict[str, str]:
    return {"label": label, "value": value, "words": words}


def _or_why(figure: Mapping[str, Any], show: Any, words: str) -> tuple[str, str]:
    if figure["value"] is None:
        return "–", f"undefined: {figure['reason']}"
    return show(figure["value"]), words


def _chance(value: float) -> str:
    return f"{value:.3f}"


def _probabilistic(skill: Mapping[str, Any]) -> dict[str, str]:
    words = "chance that the true Sharpe ratio is above 0, as if nothing else had been tried"
    return _row("Probabilistic Sharpe", *_or_why(skill["probabilistic_sharpe"], _chance, words))


def _deflated(skill: Mapping[str, Any]) -> dict[str, str]:
    trials = skill["trials"]
    tried = "1 configuration" if trials == 1 else f"{trials} configurations"
    words = f"the same chance, after {tried} tried on this data"
    return _row("Deflated Sharpe", *_or_why(skill["deflated_sharpe"], _chance, words))


def _record(skill: Mapping[str, Any], bars: int) -> dict[str, str]:
    words = f"bars that it takes to prove a Sharpe ratio like this one to be above 0; the test span has {bars:,}"
    return _row("Least track record", *_or_why(skill["least_track_record_bars"], lambda value: f"{value:,.0f}", words))


def _overfitting(choice: Mapping[str, Any]) -> dict[str, str]:
    number, left_out = choice["configurations"], left_out_words(choice["left_out"])
    uncounted = f"; not counted: {left_out}" if left_out else ""
    words = (
        f"how often the best of {number} configurations judged on these bars, chosen on half of them, ranked in the middle or "
        f"below on the others ({choice['splits']:,} ways to halve; about 0.5 is luck){uncounted}"
    )
    return _row("Overfitting (PBO)", *_or_why(choice, _chance, words))


def _captured(attainable: Mapping[str, Any]) -> dict[str, str]:
    kind = {"exact": "exactly", "bound": "at most, by an upper bound"}.get(attainable["kind"], "")
    share = attainable["captured"]
    growth = attainable["growth"]
    words = f"of what perfect foresight could have earned after the same costs (log growth {growth:,.3g}, {kind})" if kind else ""
    return _row("Captured", *_or_why(share, lambda value: percent(value, 2), words))


def _spread(name: str, found: Mapping[str, Any]) -> dict[str, str]:
    label = f"Seeds, {_SPREAD_TITLES.get(name, name)}"
    if found["value"] is None:
        return _row(label, "–", f"undefined: {found['reason']}")
    show = percent if name != "sharpe" else lambda value: f"{value:,.2f}".replace("-", "−")
    between = "" if found["low"] is None else f"; {show(found['low'])} to {show(found['high'])} over resampled seeds"
    return _row(label, show(found["value"]), f"mean of the middle half of the seeds{between}")


def _leaks(leaks: Mapping[str, Any]) -> dict[str, str]:
    value = {"clean": "clean", "leak": "leak found"}.get(leaks["verdict"], "not run")
    return _row("Leak check", value, leaks["words"])
