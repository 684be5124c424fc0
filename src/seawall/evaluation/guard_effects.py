"""Which guards intervened, when, and what that cost or saved.

Beside the exposures that were allowed stands the path of those that the policy proposed. In each bar the two earn differently, and
pay for different changes; that difference is the guards' effect in the bar, as a share of equity:

    earned(x, t) = x(t − 1) · (open / close before − 1) + x(t) · (close / open − 1) − rate · |x(t) − x(t − 1)|
    effect(t)    = earned(allowed, t) − earned(proposed, t)

`rate` is what the ledger's own fills cost per unit of notional. Effects add up, and each belongs to the guard that intervened in
the bar, or else to the last one that did: once a veto is over, its way back into step is its own. Exposures are taken as held level
through a bar, so the sum is an estimate; the replay, where it is given, takes the simulator through the proposals instead.

The proposals are those of a policy that lived with its guards: without them it might have seen another account, and proposed
otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seawall.core.bars import CLOSE, OPEN, from_milliseconds
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.stress import Replay
from seawall.evaluation.thinning import kept_points

MOST_PLACES = 200
"""Interventions that are listed one by one; of more, the largest effects are."""
MOST_POINTS = 400
"""Points of the course that are kept; its extremes are among them."""


def guard_effects(ledger: Ledger, prices: np.ndarray | None, replay: Replay | None = None) -> dict[str, Any]:
    """Return what guards did.

    Args:
        ledger: One policy's decisions.
        prices: Open, high, low, close, … of all T rows of its span, float64, shape (T, 4 or more); None where unknown.
        replay: Fills the proposals again over the same rows; None to leave that out.

    Returns:
        Plain values: ``decisions``; ``interventions`` and ``changed_exposure`` (counts); ``effect`` of all (a share of equity,
        above 0 where guards saved money), split into ``price`` and ``turnover``; ``saved`` and ``cost``: the sums over bars in
        which the effect was above and below 0; ``by_reason``: the same for each guard and reason, with ``first`` and ``last``
        time; ``places``: interventions with time, guard, reason, proposed, allowed and effect; ``course``: what was saved so far,
        at some bars' opening times, empty where no guard intervened; ``guarded_return`` and ``unguarded_return`` from the replay.
        What cannot be told is None, and ``undefined`` says why.
    """
    frame = ledger.frame
    guards, reasons = frame["guard"].tolist(), frame["reason"].tolist()
    touched = np.array([bool(name) for name in guards], dtype=np.bool_)
    changed = touched & (ledger.column("proposed") != ledger.column("allowed"))
    effects, why = _effects(ledger, prices)
    owner = _owners(touched)
    keys = [(guards[place], reasons[place]) for place in range(len(guards))]
    guarded, unguarded = _replayed(ledger, replay)
    undefined = {"effect": why} if why else {}
    if replay is None:
        undefined["unguarded_return"] = "no replay was given"
    return {
        "decisions": len(frame),
        "interventions": int(touched.sum()),
        "changed_exposure": int(changed.sum()),
        **_sums(effects, np.ones(len(frame), dtype=np.bool_)),
        "by_reason": _by_reason(ledger, keys, (touched, changed), effects, owner),
        "places": _places(ledger, keys, touched, effects),
        "course": _course(ledger, effects) if touched.any() else {"timestamps_ms": [], "saved": []},
        "guarded_return": guarded,
        "unguarded_return": unguarded,
        "undefined": undefined,
    }


def _course(ledger: Ledger, effects: np.ndarray | None) -> dict[str, list[Any]]:
    """Return what was saved so far, as a share of equity, at the bars that a curve of it needs."""
    if effects is None:
        return {"timestamps_ms": [], "saved": []}
    saved = np.cumsum(effects.sum(axis=0))
    kept = kept_points(saved, MOST_POINTS)
    return {"timestamps_ms": ledger.timestamps_ms[1:][kept].tolist(), "saved": saved[kept].tolist()}


def _effects(ledger: Ledger, prices: np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """Return effects by price and by turnover, shape (2, decisions), or why there are none."""
    if prices is None:
        return None, "the prices of the bars were not given"
    rows = len(ledger.frame)
    before, opening, close = prices[:rows, CLOSE], prices[1 : rows + 1, OPEN], prices[1 : rows + 1, CLOSE]
    gap, within = opening / before - 1.0, close / opening - 1.0
    notional = float(ledger.column("traded_notional").sum())
    paid = float(sum(ledger.column(name).sum() for name in ("fee", "spread", "slippage")))
    rate = paid / notional if notional > 0.0 else 0.0
    lead = ledger.column("allowed") - ledger.column("proposed")
    earlier = np.concatenate([[0.0], lead[:-1]])
    changes = [np.abs(np.diff(ledger.column(name), prepend=0.0)) for name in ("allowed", "proposed")]
    return np.stack([earlier * gap + lead * within, -rate * (changes[0] - changes[1])]), ""


def _owners(touched: np.ndarray) -> np.ndarray:
    """Return for each decision that of the last intervention up to it, −1 before the first; int64."""
    places = np.where(touched, np.arange(len(touched)), -1)
    return np.maximum.accumulate(places) if len(places) else places


def _sums(effects: np.ndarray | None, chosen: np.ndarray) -> dict[str, float | None]:
    if effects is None:
        return dict.fromkeys(("effect", "price", "turnover", "saved", "cost"))
    both = effects[:, chosen].sum(axis=0)
    return {
        "effect": float(both.sum()),
        "price": float(effects[0, chosen].sum()),
        "turnover": float(effects[1, chosen].sum()),
        "saved": float(both[both > 0.0].sum()),
        "cost": float(both[both < 0.0].sum()),
    }


def _by_reason(
    ledger: Ledger,
    keys: Sequence[tuple[str, str]],
    marks: tuple[np.ndarray, np.ndarray],
    effects: np.ndarray | None,
    owner: np.ndarray,
) -> list[dict[str, Any]]:
    touched, changed = marks
    times = from_milliseconds(ledger.timestamps_ms)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(key for key in keys if key[0]))}
    mine = np.array([numbers.get(key, -1) for key in keys], dtype=np.int64)
    belongs = np.where(owner >= 0, mine[owner], -1)
    found: list[dict[str, Any]] = []
    for (guard, reason), number in numbers.items():
        own = np.flatnonzero(touched & (mine == number))
        found.append(
            {
                "guard": guard,
                "reason": reason,
                "count": len(own),
                "changed_exposure": int(np.count_nonzero(changed[own])),
                "first": times[int(own[0])].isoformat(),
                "last": times[int(own[-1])].isoformat(),
                **_sums(effects, belongs == number),
            }
        )
    return sorted(found, key=lambda each: -each["count"])


def _places(
    ledger: Ledger, keys: Sequence[tuple[str, str]], touched: np.ndarray, effects: np.ndarray | None
) -> list[dict[str, Any]]:
    """List interventions in order; of more than `MOST_PLACES`, those of the largest effects."""
    found = np.flatnonzero(touched)
    both = np.zeros(len(touched)) if effects is None else effects.sum(axis=0)
    if len(found) > MOST_PLACES:
        found = np.sort(found[np.argsort(-np.abs(both[found]), kind="stable")[:MOST_PLACES]])
    times = from_milliseconds(ledger.timestamps_ms)
    proposed, allowed = ledger.column("proposed"), ledger.column("allowed")
    return [
        {
            "time": times[place].isoformat(),
            "guard": keys[place][0],
            "reason": keys[place][1],
            "proposed": float(proposed[place]),
            "allowed": float(allowed[place]),
            "effect": None if effects is None else float(both[place]),
        }
        for place in found.tolist()
    ]


def _replayed(ledger: Ledger, replay: Replay | None) -> tuple[float | None, float | None]:
    """Return the total returns of the exposures that were allowed, and of those that were proposed."""
    if replay is None:
        return None, None
    proposed = np.zeros(ledger.n_bars)
    proposed[: len(ledger.frame)] = ledger.column("proposed")
    ends = [float(replay.equity(path, np.ones(1), ledger.terms())[-1, 0]) - 1.0 for path in (ledger.targets(), proposed)]
    return ends[0], ends[1]
