"""Judging rewards: a position is paid with what comes after it, no farther than declared, and hindsight is never profit."""

from __future__ import annotations

import numpy as np

from seawall.core.errors import DataError
from seawall.core.seeding import generator
from seawall.evaluation.leaks.blocks import Block, CallError, as_block, called
from seawall.evaluation.leaks.candidates import RewardCandidate
from seawall.evaluation.leaks.columns import findings_of
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.search import search
from seawall.evaluation.leaks.worlds import World

_PROBES = 60
_FIRST_PROBE = 30
_LAGS = 6
# Of the move that is paid: below it is a difference of costs.
_LEAST_PAY = 0.02
_LEAST_CORRELATION = 0.3


def judge_reward(name: str, candidate: RewardCandidate, world: World) -> Judgement:
    """Judge a reward by its declared horizon, how far it really looks, and which return it pays for a position."""
    if candidate.horizon < 0:
        raise DataError(f"reward {name!r} declares a horizon of {candidate.horizon}; allowed: 0 or more")
    findings: list[Finding] = []
    if candidate.reported and candidate.horizon > 1:
        words = (
            f"it declares to look {candidate.horizon} bars ahead and is reported as profit: nobody could have earned it; as a "
            "training signal it is allowed"
        )
        findings.append(Finding("reported profit", words, candidate.horizon, None, False, 0, world.time(0)))
    positions = generator(world.seed, "positions").integers(-1, 2, len(world)).astype(np.float64)

    def compute(part: World) -> Block:
        return _reward(name, candidate, part, positions[: len(part)])

    problem = None
    try:
        found = search(compute, world, allowed=candidate.horizon)
        findings += findings_of(compute, world, found, candidate.horizon)
        findings += _already_seen(name, candidate, world)
    except DataError as error:
        problem = str(error)
    return Judgement(name, "reward", tuple(findings), problem=problem)


def _reward(name: str, candidate: RewardCandidate, world: World, positions: np.ndarray) -> Block:
    block = as_block(called(candidate.function, world.bars.copy(), positions.copy()), world.bars.index, name)
    if block.values.shape[1] != 1:
        raise CallError(f"returned {block.values.shape[1]} columns; one reward a bar is needed")
    return block


def _already_seen(name: str, candidate: RewardCandidate, world: World) -> list[Finding]:
    """Look for pay that is fixed before the position is taken: what is left of it when nothing moves afterwards."""
    part = world.head(min(len(world), 400))
    close = np.log(part.bars["close"].to_numpy())
    moves = np.abs(np.diff(close, prepend=close[0]))
    rows = np.sort(np.argsort(moves[_FIRST_PROBE:-_LAGS])[-_PROBES:] + _FIRST_PROBE)
    flat = np.array([_pay(name, candidate, part.altered(int(row) + 1, "still"), int(row)) for row in rows])
    true = np.array([_pay(name, candidate, part, int(row)) for row in rows])
    if not true.any() and not flat.any():
        raise CallError("pays the same whatever the position is: positions are not used, or each is paid nothing")
    scale = np.median(np.abs(true[true != 0.0])) if true.any() else np.inf
    found = {lag: _correlation(flat, close[rows - lag] - close[rows - lag - 1]) for lag in range(_LAGS)}
    lag = max(found, key=lambda each: abs(found[each]))
    if np.median(np.abs(flat)) <= _LEAST_PAY * scale or abs(found[lag]) < _LEAST_CORRELATION:
        return []
    row = int(rows[0])
    late = lag + 1
    words = (
        f"a position that is decided at the close of a bar is paid although nothing moves afterwards, by a return that was seen "
        f"already: {late} bar{'' if late == 1 else 's'} late (correlation {found[lag]:+.2f} with it)"
    )
    return [Finding("position", words, late, None, False, row, world.time(row))]


def _pay(name: str, candidate: RewardCandidate, world: World, row: int) -> float:
    """Return what a long position of one bar is paid beyond a short one: costs of both cancel."""
    total = []
    for side in (1.0, -1.0):
        positions = np.zeros(len(world))
        positions[row] = side
        total.append(float(np.nansum(_reward(name, candidate, world, positions).values)))
    return total[0] - total[1]


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    if np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])
