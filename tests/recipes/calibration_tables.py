"""Made results of calibrations, for the tests of their table, page and command."""

from __future__ import annotations

from seawall.recipes.calibration.grade import grade
from seawall.recipes.calibration.plan import NOISE, PLANTED, CalibrationPlan


def market(kind, number, level, pbo=0.5, **changes):
    configurations = {name: {"validation_growth": 1e-4, "test_growth": 2e-4} for name in CalibrationPlan().pipeline.configurations}
    known = {"attainable": 8e-4, "captured": 0.75} if kind == PLANTED else {}
    return {
        "kind": kind,
        "number": number,
        "chosen": "plain",
        "configurations": configurations,
        "pbo": {"probability": pbo},
        "level": level,
        "failed": [] if level == "evidence" else ["earns after costs"],
        "total_return": 0.1 if number % 2 else -0.1,
        "growth": 1e-4,
        "sharpe": 1.0,
        "leak_check": "clean" if number == 0 else "not run",
        "training_seconds": 1.0,
        "judging_seconds": 10.0,
        "test_bars": 2_900,
        **known,
        **changes,
    }


def table(n, alarms, found, pbo=0.5):
    """A calibration of n markets of each kind: so many false alarms, so many planted edges found."""
    noise = [market(NOISE, number, "evidence" if number < alarms else "none", pbo) for number in range(n)]
    planted = [market(PLANTED, number, "evidence" if number < found else "weak") for number in range(n)]
    return grade(CalibrationPlan(n), noise + planted)


def met(document):
    return [row["passed"] for row in document["criteria"]]
