"""From the results of all markets to the table: how often the verdict was wrong, and whether that is often enough to say so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import bdtr, bdtrc, stdtrit

from seawall.evaluation.null_positions import share_interval
from seawall.evaluation.verdict import LEVEL_TITLES
from seawall.recipes.calibration.plan import NOISE, PLANTED, CalibrationPlan

MOST_FALSE_ALARMS = 0.05
"""Share of noise markets that may be called evidence."""
LEAST_POWER = 0.9
"""Share of planted markets that must be."""
FAIR_CHOICE, CHOICE_TOLERANCE = 0.5, 0.1
"""Mean probability of overfitting on noise, where every choice is luck, and how far from it the mean may lie."""
SIGNIFICANCE = 0.05
_CONFIDENCE = 0.95
Results = Sequence[Mapping[str, Any]]


def grade(plan: CalibrationPlan, results: Results) -> dict[str, Any]:
    """Hold the results to the three criteria.

    - False alarms: the number of noise markets called evidence is not rejected by a one-sided binomial test against 5 %.
    - Power: at least 90 % of the planted markets are called evidence.
    - Choice: the mean probability of overfitting over the noise markets is 0.5 ± 0.1.

    With too few markets to prove the last two, they are missed only where the results contradict them: by the one-sided binomial
    test against 90 %, and where the 95 % interval of the mean lies outside 0.5 ± 0.1.

    Args:
        plan: What was run.
        results: Of every market of the plan, as `market.run_market` gives them.

    Returns:
        ``criteria``, ``noise``, ``planted``, ``configurations``, ``pipeline``, ``markets``, ``proves``, ``finding`` and ``passed``.
    """
    noise, planted = ([each for each in results if each["kind"] == kind] for kind in (NOISE, PLANTED))
    criteria = [_false_alarms(noise), _power(planted, proves=plan.proves), _choice(noise, proves=plan.proves)]
    passed = all(each["passed"] for each in criteria)
    document = {
        "criteria": criteria,
        "noise": _kind(noise),
        "planted": {**_kind(planted), "captured": _spread([each["captured"] for each in planted])},
        "configurations": _configurations(plan, noise, planted),
        "pipeline": plan.pipeline.facts(),
        "markets": [dict(each) for each in results],
        "proves": plan.proves,
        "passed": passed,
    }
    return {**document, "finding": _finding(document)}


def chance_of_at_least(count: int, n: int, share: float) -> float:
    """Return the chance of so many successes or more among n, each with a chance of its own; 1 for a count of 0."""
    return 1.0 if count == 0 else float(bdtrc(count - 1, n, share))


def chance_of_at_most(count: int, n: int, share: float) -> float:
    """Return the chance of so many successes or fewer among n."""
    return float(bdtr(count, n, share))


def mean_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return Student's 95 % interval of a mean; None with fewer than two values."""
    if len(values) < 2:
        return None, None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, 0.5 + _CONFIDENCE / 2.0)) * error
    return mean - reach, mean + reach


def _false_alarms(noise: Results) -> dict[str, Any]:
    share = _share(noise)
    p_value = chance_of_at_least(share["count"], share["n"], MOST_FALSE_ALARMS)
    return {
        "name": "false alarms",
        "words": "random walks called evidence; not more than 5 %, one-sided binomial test",
        **share,
        "p_value": p_value,
        "passed": p_value >= SIGNIFICANCE,
    }


def _power(planted: Results, *, proves: bool) -> dict[str, Any]:
    share = _share(planted)
    p_value = chance_of_at_most(share["count"], share["n"], LEAST_POWER)
    required = "at least 90 %" if proves else "not fewer than 90 %, one-sided binomial test"
    return {
        "name": "power",
        "words": f"planted edges called evidence; {required}",
        **share,
        "p_value": p_value,
        "passed": share["value"] >= LEAST_POWER if proves else p_value >= SIGNIFICANCE,
    }


def _choice(noise: Results, *, proves: bool) -> dict[str, Any]:
    found = _spread([each["pbo"]["probability"] for each in noise])
    low, high = FAIR_CHOICE - CHOICE_TOLERANCE, FAIR_CHOICE + CHOICE_TOLERANCE
    if found["mean"] is None:
        passed = False
    elif proves or found["low"] is None:
        passed = low <= found["mean"] <= high
    else:
        passed = found["low"] <= high and found["high"] >= low
    return {
        "name": "overfitting of the choice",
        "words": f"mean PBO on random walks; 0.5 ± 0.1{'' if proves else ', within its interval'}",
        "count": None,
        "n": found["n"],
        "value": found["mean"],
        "low": found["low"],
        "high": found["high"],
        "p_value": None,
        "passed": passed,
    }


def _share(results: Results) -> dict[str, Any]:
    count = sum(each["level"] == "evidence" for each in results)
    low, high = share_interval(count, len(results), _CONFIDENCE)
    return {"count": count, "n": len(results), "value": count / len(results), "low": low, "high": high}


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Return mean, interval and range of the values that are defined."""
    known = [value for value in values if value is not None]
    low, high = mean_interval(known)
    mean, least, most = (float(np.mean(known)), min(known), max(known)) if known else (None, None, None)
    return {"mean": mean, "low": low, "high": high, "least": least, "most": most, "n": len(known)}


def _kind(results: Results) -> dict[str, Any]:
    counted = Counter(each["level"] for each in results)
    return {
        "levels": {level: counted[level] for level in LEVEL_TITLES},
        "made_money": sum(each["total_return"] > 0.0 for each in results),
        "failed_checks": dict(Counter(name for each in results for name in each["failed"]).most_common()),
        "leak_checks": sum(each["leak_check"] != "not run" for each in results),
        "sharpe": _spread([each["sharpe"] for each in results]),
        "pbo": _spread([each["pbo"]["probability"] for each in results]),
        "training_seconds": float(np.mean([each["training_seconds"] for each in results])),
        "judging_seconds": float(np.mean([each["judging_seconds"] for each in results])),
    }


def _configurations(plan: CalibrationPlan, noise: Results, planted: Results) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "words": configuration.words,
            **{
                kind: {
                    "chosen": sum(each["chosen"] == name for each in results),
                    **{
                        f"{part}_bps": 1e4 * float(np.mean([each["configurations"][name][f"{part}_growth"] for each in results]))
                        for part in ("validation", "test")
                    },
                }
                for kind, results in ((NOISE, noise), (PLANTED, planted))
            },
        }
        for name, configuration in plan.pipeline.configurations.items()
    ]


def _finding(document: Mapping[str, Any]) -> str:
    alarms, power, choice = document["criteria"]
    noise = document["noise"]
    missed = [each["name"] for each in document["criteria"] if not each["passed"]]
    told = (
        f"Of {alarms['n']} random walks {noise['made_money']} made money out of sample and {alarms['count']} were called evidence; "
        f"of {power['n']} planted edges {power['count']} were called evidence"
    )
    pbo = "undefined" if choice["value"] is None else f"{choice['value']:.2f}"
    if missed:
        return f"{told}; mean PBO on noise {pbo}. Missed: {', '.join(missed)}."
    few = "" if document["proves"] else " So few markets can contradict the verdict, and prove little."
    return f"{told}; mean PBO on noise {pbo}. The verdict is as rarely wrong as it says.{few}"
