"""The detector on the zoo: how many planted leaks it catches, and how often it cries wolf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seawall.evaluation.leaks.candidates import Candidate
from seawall.evaluation.leaks.detector import judge
from seawall.evaluation.leaks.findings import Judgement
from seawall.evaluation.leaks.worlds import World, judging_bars
from seawall.evaluation.leaks.zoo_clean import CLEAN
from seawall.evaluation.leaks.zoo_planted import PLANTED


def judge_zoo(seed: int, n_bars: int, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Judge every planted leak and every clean look-alike.

    Args:
        seed: Of the bars.
        n_bars: How many bars.
        done: Called after each candidate.

    Returns:
        ``planted``, ``caught``, ``clean``, ``false_alarms``, then ``not_judged``, ``seed``, ``bars`` and the ``cases``. A clean
        look-alike that cannot be judged counts under ``not_judged``, and a planted leak that cannot be is not caught.
    """
    world = World.of(judging_bars(seed, n_bars), seed)
    cases: list[dict[str, Any]] = []
    for leaks, zoo in ((True, PLANTED), (False, CLEAN)):
        for name, candidate in zoo.items():
            found = judge(name, candidate, world)
            right = found.verdict == ("leak" if leaks else "clean")
            cases.append({"planted": leaks, "right": right, "what": _said_of(candidate), **found.to_dict()})
            done()
    planted, clean = ([case for case in cases if case["planted"] == leaks] for leaks in (True, False))
    return {
        "planted": len(planted),
        "caught": sum(case["right"] for case in planted),
        "clean": len(clean),
        "false_alarms": sum(case["verdict"] == "leak" for case in clean),
        "not_judged": sum(case["verdict"] == "not judged" for case in cases),
        "seed": seed,
        "bars": n_bars,
        "cases": cases,
    }


def zoo_size() -> int:
    """Return how many candidates there are."""
    return len(PLANTED) + len(CLEAN)


def passed(result: dict[str, Any]) -> bool:
    """Say whether every planted leak was caught, and no look-alike was accused or left unjudged."""
    return result["caught"] == result["planted"] and result["false_alarms"] == 0 and result["not_judged"] == 0


def zoo_judgement(name: str, world: World) -> Judgement:
    """Judge one candidate of the zoo by its name."""
    return judge(name, {**PLANTED, **CLEAN}[name], world)


def _said_of(candidate: Candidate) -> str:
    return (candidate.function.__doc__ or "").strip()
