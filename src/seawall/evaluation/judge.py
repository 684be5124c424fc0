"""From ledgers to one document: every figure of a run, and the verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seawall.core.bars import from_milliseconds
from seawall.core.errors import DataError
from seawall.core.files import read_json, to_json, write_json
from seawall.evaluation.bootstrap import Difference, Interval, Resamples, resample
from seawall.evaluation.evidence import Background, Evidence, too_good
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.oracle.oracle import Oracle
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.skill import attainable_document, captured_share, skill_of, with_background
from seawall.evaluation.verdict import reach_verdict

SCHEMA = 1
"""Version of the document's layout; it rises when a key changes its meaning or goes."""

_JUDGED_MEASURES = ("total_return", "annual_return", "mean_log_return", "sharpe", "sortino", "max_drawdown")
_IDLE = "flat"
_TEXTS = ("run.recipe", "verdict.level", "verdict.headline")
_MAPPINGS = ("ensemble", "seeds", "baselines", "intervals", "differences", "stress", "test")
"""What no judgement of any version is without."""


@dataclass(frozen=True)
class RunFacts:
    """What the judged run was, for the reader. Everything is plain JSON.

    Attributes:
        recipe: Its name.
        recipe_hash: Hash of the resolved recipe.
        symbol: The traded series.
        timeframe: Bar length, as in ``1h``.
        costs: The costs that were charged, as in ``{"taker_bps": 10.0, "spread_bps": 2.0}``.
        data: Where the bars came from, and what the quality check found.
        split: Training, validation and test rows.
        guards: Settings of each guard by name.
        scheme: The action scheme.
        warnings: What training or data preparation warned about.
        command: How to make the run again.
        version: Of the program.
    """

    recipe: str
    recipe_hash: str
    symbol: str
    timeframe: str
    costs: Mapping[str, float]
    data: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    guards: Mapping[str, Any] = field(default_factory=dict)
    scheme: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    command: str = ""
    version: str = ""


_NOTHING_KNOWN = Background()


@dataclass(frozen=True)
class JudgeInputs:
    """Everything that a judgement is made from.

    Attributes:
        ledgers: Of the ensemble, the seeds and the rivals.
        stress: From `stress.stress`, of the ensemble.
        facts: What the run was.
        params: Settings.
        attainable: The best that perfect foresight could have earned; None where nobody computed it.
        background: What is known of the run beside its ledgers.
        attribution: Where the ensemble's money came from, as `attribution.attribution` tells it; None where nobody asked.
    """

    ledgers: Ledgers
    stress: Mapping[str, Any]
    facts: RunFacts
    params: EvaluationParams
    attainable: Oracle | None = None
    background: Background = _NOTHING_KNOWN
    attribution: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Judgement:
    """The judgement of a run.

    Attributes:
        document: All of it, as JSON: ``verdict``, ``ensemble``, ``seeds``, ``baselines``, ``intervals``, ``differences``,
            ``guards``, ``stress``, ``skill``, ``attainable``, ``attribution``, ``leaks``, ``run``, ``test``, ``settings``,
            ``schema``. ``attribution`` is absent from judgements made before there was one, and None where nobody asked.
    """

    document: Mapping[str, Any]

    @property
    def verdict(self) -> Mapping[str, Any]:
        """Level, headline, reasons, checks and cautions."""
        return self.document["verdict"]

    @property
    def level(self) -> str:
        """``evidence``, ``none`` or ``not judged``."""
        return self.verdict["level"]

    def write(self, path: Path) -> None:
        """Write the document, whole or not at all."""
        write_json(path, self.document)

    @classmethod
    def read(cls, path: Path) -> Judgement:
        """Read what `write` wrote.

        Raises:
            DataError: The file is missing, is no judgement, has another schema, or lacks a part.
        """
        document = read_json(path)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise DataError(f"{path} has judgement schema {schema}; this version reads {SCHEMA}: judge the run again")
        lack = lack_of(document, _TEXTS, _MAPPINGS)
        if lack:
            raise damaged(path, lack)
        return cls(document)

    def refuse_other(self, ledgers: Ledgers, path: Path) -> None:
        """Refuse ledgers that are not those of this judgement.

        Args:
            ledgers: Those that lie beside it.
            path: The file of the judgement.

        Raises:
            DataError: They are of other seeds or over other bars.
        """
        told, found = set(self.document["seeds"]), {str(seed) for seed in ledgers.seeds}
        bars, judged = ledgers.ensemble.n_bars, self.document["test"].get("bars")
        if told != found or bars != judged:
            raise DataError(
                f"{path} judges {judged} bars and {len(told)} seeds, and the ledger beside it holds {bars} bars and "
                f"{len(found)} seeds: they are not of one judgement. Judge the run again with: seawall backtest {path.parent}"
            )


def damaged(path: Path, lack: str) -> DataError:
    """Return the error that says what a judgement lacks.

    Args:
        path: Its file.
        lack: As `lack_of` tells it.
    """
    return DataError(f"{path} is damaged: {lack}. Judge the run again with: seawall backtest {path.parent}")


def lack_of(document: Any, texts: Iterable[str], mappings: Iterable[str]) -> str:
    """Say which text or mapping a document lacks; empty where it has all.

    Args:
        document: Of a judgement.
        texts: Dotted places of words, as in ``run.recipe``.
        mappings: Dotted places of parts.
    """
    kinds = (*((place, str, "text") for place in texts), *((place, Mapping, "a mapping") for place in mappings))
    for place, kind, words in kinds:
        found = at(document, *place.split("."))
        if not isinstance(found, kind):
            return f"{place} is {found!r}; allowed: {words}"
    return ""


def at(document: Any, *keys: str) -> Any:
    """Return what lies so deep in a document; None where any part of the way is missing, as in those of older versions."""
    for key in keys:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def judge(inputs: JudgeInputs) -> Judgement:
    """Judge a run.

    Args:
        inputs: Ledgers, stress, facts and settings.

    Returns:
        The judgement; every value is plain JSON, and None stands where a figure is undefined.
    """
    ledgers, params = inputs.ledgers, inputs.params
    resamples = _resample(ledgers, params)
    ensemble = ledger_metrics(ledgers.ensemble)
    seeds = {str(seed): ledger_metrics(ledger) for seed, ledger in ledgers.seeds.items()}
    differences = _differences(ledgers, resamples)
    captured = captured_share(ensemble, inputs.attainable)
    skill = skill_of(ledgers.ensemble, seeds, inputs.background, params)
    evidence = _evidence(inputs, ensemble, seeds, resamples, differences)
    evidence = with_background(evidence, inputs.background, skill, too_good(ensemble["sharpe"], captured, params.verdict))
    verdict = reach_verdict(evidence, params.verdict)
    document = {
        "schema": SCHEMA,
        "verdict": verdict.to_dict(),
        "ensemble": ensemble,
        "seeds": seeds,
        "baselines": {name: ledger_metrics(ledger) for name, ledger in ledgers.baselines.items()},
        "intervals": _intervals(ledgers, resamples),
        "differences": {name: difference.to_dict() for name, difference in differences.items()},
        "bootstrap": {"mean_block_bars": resamples.mean_block_bars, "confidence": resamples.confidence},
        "guards": guard_interventions(ledgers.ensemble),
        "stress": dict(inputs.stress),
        "skill": skill.to_dict(),
        "attainable": attainable_document(inputs.attainable, captured),
        "attribution": inputs.attribution,
        "leaks": asdict(evidence.leaks),
        "test": test_span(ledgers.ensemble),
        "run": asdict(inputs.facts),
        "settings": params.model_dump(mode="json"),
    }
    return Judgement(_as_json(document))


def guard_interventions(ledger: Ledger) -> dict[str, Any]:
    """Count the decisions in which a guard intervened, and those of them whose exposure it changed.

    Args:
        ledger: One policy's decisions.

    Returns:
        ``decisions``, ``interventions``, ``changed_exposure``, and ``by_reason``: a list of guard, reason and count, most
        frequent first. A vetoed signal may ask for the exposure that is in force already: then nothing changes.
    """
    frame = ledger.frame
    touched = frame[frame["guard"] != ""]
    counts = Counter(zip(touched["guard"].tolist(), touched["reason"].tolist(), strict=True))
    by_reason = [{"guard": guard, "reason": reason, "count": count} for (guard, reason), count in counts.most_common()]
    changed = int((touched["proposed"] != touched["allowed"]).sum())
    return {"decisions": len(frame), "interventions": len(touched), "changed_exposure": changed, "by_reason": by_reason}


def test_span(ledger: Ledger) -> dict[str, Any]:
    """Return when the judged span began and ended, and how many bars it has."""
    first, last = from_milliseconds(ledger.timestamps_ms[[0, -1]])
    return {"first": first.isoformat(), "last": last.isoformat(), "bars": ledger.n_bars, "initial_equity": ledger.initial_equity}


def _resample(ledgers: Ledgers, params: EvaluationParams) -> Resamples:
    log_returns = {name: ledger.log_returns() for name, ledger in ledgers.named().items()}
    return resample(log_returns, ledgers.ensemble.periods_per_year, params.bootstrap)


def _differences(ledgers: Ledgers, resamples: Resamples) -> dict[str, Difference]:
    """Compare the ensemble with every rival that trades; beating the flat one is what the first check asks."""
    judged = ledgers.ensemble.log_returns()
    return {
        name: resamples.difference("ensemble", name, float(np.mean(judged - ledger.log_returns())))
        for name, ledger in ledgers.baselines.items()
        if name != _IDLE
    }


def _intervals(ledgers: Ledgers, resamples: Resamples) -> dict[str, Any]:
    def of(name: str) -> dict[str, Any]:
        return {measure: resamples.interval(measure, name).to_dict() for measure in _JUDGED_MEASURES}

    return {
        "ensemble": of("ensemble"),
        "seeds": {str(seed): of(f"seed {seed}") for seed in ledgers.seeds},
        "baselines": {name: of(name) for name in ledgers.baselines},
    }


def _evidence(
    inputs: JudgeInputs,
    ensemble: Mapping[str, Any],
    seeds: Mapping[str, Mapping[str, Any]],
    resamples: Resamples,
    differences: Mapping[str, Difference],
) -> Evidence:
    interval: Interval = resamples.interval("mean_log_return", "ensemble")
    return Evidence(
        n_seeds=len(seeds),
        mean_log_return=ensemble["mean_log_return"],
        interval=interval,
        differences=differences,
        seed_returns=[metrics["total_return"] for metrics in seeds.values()],
        trades=ensemble["trades"],
        break_even=inputs.stress["break_even"],
        delay=inputs.stress["delay"],
        confidence=resamples.confidence,
        lookahead=int(inputs.facts.data.get("lookahead", 0)),
    )


def _as_json(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document as it would be read back, so that a fresh judgement and a saved one are the same."""
    return json.loads(to_json(document, indent=None))
