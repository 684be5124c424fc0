"""How much of a result is skill: the Sharpe ratio held against luck, length and trials, the spread of seeds, and the attainable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seawall.evaluation.evidence import Background, Evidence
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import Measured
from seawall.evaluation.oracle.oracle import Oracle, captured
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.statistics.seeds import Estimate, seed_spread
from seawall.evaluation.statistics.sharpe import (
    SharpeFacts,
    deflated_sharpe,
    least_track_record,
    probabilistic_sharpe,
    sharpe_facts,
)
from seawall.evaluation.tried import Choice, Tried, choice_among

_SPREAD_OF = ("total_return", "sharpe", "max_drawdown")


@dataclass(frozen=True)
class Skill:
    """The ensemble's Sharpe ratio against luck, and the spread of the seeds.

    Attributes:
        sharpe: Sharpe ratio per bar and the moments that it is judged by, or why there are none.
        trials: Distinct configurations tried; None where nobody counted.
        probabilistic: Chance that the true Sharpe ratio is above 0, as if nothing else had been tried.
        deflated: The same against the best to expect of so many configurations without skill.
        least_bars: Bars that it takes to prove the observed ratio to be above 0, at the confidence of `probabilistic`'s rule.
        seeds: Interquartile mean, mean and median over the seeds, each with its interval, of some figures.
        choice: How overfitted the choice among the configurations tried is.
    """

    sharpe: SharpeFacts | str
    trials: int | None
    probabilistic: Measured
    deflated: Measured
    least_bars: Measured
    seeds: Mapping[str, Mapping[str, Estimate]]
    choice: Choice

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "sharpe_per_bar": self.sharpe.to_dict() if isinstance(self.sharpe, SharpeFacts) else {"reason": self.sharpe},
            "trials": self.trials,
            "probabilistic_sharpe": measured(self.probabilistic),
            "deflated_sharpe": measured(self.deflated),
            "least_track_record_bars": measured(self.least_bars),
            "pbo": self.choice.to_dict(),
            "seeds": {name: {key: each.to_dict() for key, each in found.items()} for name, found in self.seeds.items()},
        }


def skill_of(ensemble: Ledger, seeds: Mapping[str, Mapping[str, Any]], background: Background, params: EvaluationParams) -> Skill:
    """Hold an ensemble's returns against luck, and measure how far its seeds lie apart.

    Args:
        ensemble: Its ledger.
        seeds: Metrics of each seed, as `metrics.ledger_metrics` gives them.
        background: How many configurations were tried on the data, and what they made there.
        params: Settings of the intervals, and the confidence of the verdict.

    Raises:
        DataError: The registry of trials is damaged.
    """
    trials, returns = background.trials, ensemble.returns()
    facts = sharpe_facts(returns)
    unknown = Measured(None, "nobody knows how many configurations were tried")
    return Skill(
        sharpe=facts,
        trials=trials,
        probabilistic=probabilistic_sharpe(facts),
        deflated=unknown if trials is None else deflated_sharpe(facts, trials),
        least_bars=least_track_record(facts, 0.0, params.verdict.min_deflated_sharpe),
        seeds={name: _spread(seeds, name, params) for name in _SPREAD_OF},
        choice=choice_among(returns, Tried() if background.tried is None else background.tried(ensemble)),
    )


def captured_share(ensemble: Mapping[str, Any], attainable: Oracle | None) -> Measured:
    """Return which share of the attainable log growth an ensemble earned, or why that is not known.

    Args:
        ensemble: Its metrics: `total_return` is read.
        attainable: Over the same rows and costs; None where nobody computed it.
    """
    if attainable is None:
        return Measured(None, "nobody computed what was attainable")
    total = ensemble["total_return"]
    growth = None if total is None or total <= -1.0 else math.log1p(total)
    return captured(growth, attainable)


def attainable_document(attainable: Oracle | None, share: Measured) -> dict[str, Any]:
    """Return what was attainable and the share of it that was captured, as plain values."""
    found = {"growth": None, "kind": "none", "words": share.reason} if attainable is None else attainable.to_dict()
    return {**found, "captured": measured(share)}


def with_background(evidence: Evidence, background: Background, skill: Skill, why_too_good: str) -> Evidence:
    """Add to what was measured what is known of the run; a result that is too good is checked for leaks now, if it was not.

    Args:
        evidence: What was measured.
        background: What is known.
        skill: Of the ensemble.
        why_too_good: From `evidence.too_good`.
    """
    return replace(
        evidence,
        trials=background.trials,
        deflated=skill.deflated,
        seen_before=background.seen_before,
        too_good=why_too_good,
        leaks=background.leaks_of(why_too_good),
    )


def measured(figure: Measured) -> dict[str, Any]:
    """Return a figure as plain values, with the reason where it is undefined."""
    return {"value": figure.value, **({"reason": figure.reason} if figure.value is None else {})}


def _spread(seeds: Mapping[str, Mapping[str, Any]], name: str, params: EvaluationParams) -> dict[str, Estimate]:
    scores = [metrics[name] for metrics in seeds.values()]
    return seed_spread(np.array([math.nan if score is None else score for score in scores]), params.bootstrap)
