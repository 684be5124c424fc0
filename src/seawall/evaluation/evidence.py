"""What a verdict is read from, and the rules that evidence is held to, one check each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seawall.core.params import Params
from seawall.evaluation.bootstrap import Difference, Interval
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import Measured
from seawall.evaluation.phrases import interval_words, per_bar, percent, rival_title
from seawall.evaluation.tried import Tried


class VerdictParams(Params):
    """The bars that evidence must clear."""

    min_seeds: int = Field(default=5, ge=1, le=100, description="Trained seeds needed for any verdict")
    min_break_even: float = Field(default=1.0, ge=1.0, le=100.0, description="The break-even cost multiple must be above this")
    min_deflated_sharpe: float = Field(
        default=0.95, gt=0.5, lt=1.0, description="Probability of skill that must remain after all configurations tried are counted"
    )
    suspicious_sharpe: float = Field(
        default=5.0, gt=0.0, le=1_000.0, description="A higher annualised Sharpe ratio is too good without a passed leak check"
    )
    suspicious_share: float = Field(
        default=0.5, gt=0.0, le=1.0, description="So is a larger share of what perfect foresight could have earned"
    )


@dataclass(frozen=True)
class LeakCheck:
    """What the search for the future in a run's recipe found.

    Attributes:
        verdict: ``clean``, ``leak`` or ``not run``.
        words: What was found, or why it was not run; a sentence without its full stop.
    """

    verdict: Literal["clean", "leak", "not run"] = "not run"
    words: str = "nobody looked for leaks"


_SURE, _NOBODY_LOOKED = Measured(1.0), LeakCheck()


@dataclass(frozen=True)
class Background:
    """What is known of a run beside its ledgers.

    Attributes:
        trials: Distinct configurations tried on its data, its own among them; None where nobody counted.
        seen_before: Why its test span was not unseen when it was set up; empty where it was.
        leaks: What a leak check has found.
        look: Runs a leak check; called where the result is too good and none was run. None where none can be.
        tried: Reads what the configurations tried made on the bars of the judged ledger; None where nobody knows of any.
    """

    trials: int | None = 1
    seen_before: str = ""
    leaks: LeakCheck = _NOBODY_LOOKED
    look: Callable[[], LeakCheck] | None = None
    tried: Callable[[Ledger], Tried] | None = None

    def leaks_of(self, too_good: str) -> LeakCheck:
        """Return what the leak check found, which is run for a result that is too good."""
        if too_good and self.look is not None and self.leaks.verdict == "not run":
            return self.look()
        return self.leaks


@dataclass(frozen=True)
class Evidence:
    """What the verdict is read from. Log returns are net, per bar.

    Attributes:
        n_seeds: Trained seeds in the judged ensemble.
        mean_log_return: Of the ensemble.
        interval: Bootstrap interval of that mean.
        differences: Paired comparison with each rival that trades, by its name.
        seed_returns: Total net return of each seed on its own.
        trades: Round trips of the ensemble.
        break_even: ``multiple``, ``words`` and ``above_one``, as from `stress`.
        delay: ``total_return`` one bar late and ``on_time_total_return``, as from `stress`.
        confidence: Share of resamples within an interval.
        lookahead: Bars of the future that a feature looks at; with any, nothing is judged.
        trials: Distinct configurations tried on this data, this one among them; None where nobody counted.
        deflated: Deflated Sharpe ratio for so many trials.
        seen_before: Why the test span was not unseen when the run was set up; empty where it was.
        too_good: Why the result is too good to be taken without a leak check; empty where it is not.
        leaks: What the leak check found.
    """

    n_seeds: int
    mean_log_return: float
    interval: Interval
    differences: Mapping[str, Difference]
    seed_returns: Sequence[float]
    trades: int
    break_even: Mapping[str, Any]
    delay: Mapping[str, Any]
    confidence: float
    lookahead: int = 0
    trials: int | None = 1
    deflated: Measured = _SURE
    seen_before: str = ""
    too_good: str = ""
    leaks: LeakCheck = _NOBODY_LOOKED

    @property
    def suspicious(self) -> bool:
        """Whether a leak was found, or the result is too good and nobody looked for one."""
        return self.leaks.verdict == "leak" or (bool(self.too_good) and self.leaks.verdict != "clean")


@dataclass(frozen=True)
class Check:
    """One rule and how it came out.

    Attributes:
        name: The rule, in a few words.
        passed: Whether it is met.
        words: The finding with its figures, one sentence.
    """

    name: str
    passed: bool
    words: str


def checks_of(evidence: Evidence, params: VerdictParams) -> tuple[Check, ...]:
    """Hold evidence to every rule.

    Args:
        evidence: What was measured.
        params: The bars to clear.
    """
    return (
        *([_knows_no_future(evidence)] if evidence.lookahead else []),
        *([_no_leak(evidence)] if evidence.leaks.verdict == "leak" or evidence.too_good else []),
        _enough_seeds(evidence, params),
        earns_after_costs(evidence),
        *(_beats(name, difference, evidence.confidence) for name, difference in evidence.differences.items()),
        _survives_trials(evidence, params),
        _unseen(evidence),
        _median_seed_earns(evidence),
        _survives_costs(evidence, params),
    )


def standing(evidence: Evidence, params: VerdictParams) -> str:
    """Return why a result is no evidence whatever it earned, after "Not evidence:"; empty where nothing stands against it."""
    if evidence.lookahead:
        return _knows_no_future(evidence).words
    if evidence.n_seeds < params.min_seeds:
        return f"{evidence.n_seeds} {_seeds(evidence.n_seeds)}, {params.min_seeds} needed."
    if evidence.trials is None:
        return "nobody knows how many configurations were tried on this data."
    return f"the test data was used before: {evidence.seen_before}." if evidence.seen_before else ""


def too_good(sharpe: float | None, captured: Measured, params: VerdictParams) -> str:
    """Return why a result is too good to be taken without a leak check, in words; empty where it is not.

    Args:
        sharpe: Annualised; None where undefined.
        captured: Share of what perfect foresight could have earned.
        params: Where it begins.
    """
    reasons: list[str] = []
    if sharpe is not None and sharpe > params.suspicious_sharpe:
        reasons.append(f"a Sharpe ratio of {sharpe:.1f} a year, and {params.suspicious_sharpe:g} is much")
    if captured.value is not None and captured.value > params.suspicious_share:
        share, much = f"{100 * captured.value:.0f}\u00a0%", f"{100 * params.suspicious_share:g}\u00a0%"
        reasons.append(f"{share} of what perfect foresight could earn, and {much} is much")
    return "; ".join(reasons)


def above_zero(interval: Interval) -> bool:
    """Say whether the whole of an interval is above zero."""
    return interval.low is not None and interval.low > 0.0


def _seeds(n: int) -> str:
    return "seed" if n == 1 else "seeds"


def _knows_no_future(evidence: Evidence) -> Check:
    words = f"A feature looks {evidence.lookahead} bars into the future, which no live trader can; the figures mean nothing."
    return Check("knows no future", False, words)


def _no_leak(evidence: Evidence) -> Check:
    found = {"clean": "a leak check found nothing", "leak": f"the leak check failed: {evidence.leaks.words}"}
    told = found.get(evidence.leaks.verdict, f"no leak check was passed: {evidence.leaks.words}")
    start = f"Too good to be taken as it is ({evidence.too_good}); " if evidence.too_good else ""
    words = f"{start}{told}."
    return Check("no leak", evidence.leaks.verdict == "clean", words[:1].upper() + words[1:])


def _enough_seeds(evidence: Evidence, params: VerdictParams) -> Check:
    n = evidence.n_seeds
    words = f"{n} trained {_seeds(n)}; {params.min_seeds} are needed, so that one lucky seed decides nothing."
    return Check("enough seeds", n >= params.min_seeds, words)


def _unseen(evidence: Evidence) -> Check:
    if evidence.seen_before:
        return Check("unseen test data", False, f"The test data was used before this run was set up: {evidence.seen_before}.")
    return Check("unseen test data", True, "No other configuration was judged on this test span before this one was set up.")


def earns_after_costs(evidence: Evidence) -> Check:
    """Hold the mean net log return to its rule: its whole interval lies above zero."""
    passed = above_zero(evidence.interval)
    figures = f"{per_bar(evidence.mean_log_return)} per bar after costs ({interval_words(evidence.interval, evidence.confidence)})"
    if passed:
        words = f"The ensemble earned {figures}; the whole interval is above zero."
    elif evidence.trades == 0:
        words = "The ensemble never traded, so there is nothing to earn with."
    else:
        words = f"The ensemble made {figures}; that cannot be told from zero or less."
    return Check("earns after costs", passed, words)


def _beats(name: str, difference: Difference, confidence: float) -> Check:
    passed = above_zero(difference.interval)
    figures = f"{per_bar(difference.mean)} per bar ({interval_words(difference.interval, confidence)})"
    ending = "the whole interval is above zero" if passed else "that is not clearly above zero"
    return Check(f"beats {name}", passed, f"Against {rival_title(name)}, bar by bar: {figures}; {ending}.")


def _survives_trials(evidence: Evidence, params: VerdictParams) -> Check:
    name, trials, found = "survives the trials", evidence.trials, evidence.deflated
    if trials is None:
        return Check(name, False, "Nobody knows how many configurations were tried on this data, so luck cannot be counted out.")
    tried = "1 configuration" if trials == 1 else f"{trials} configurations"
    if found.value is None:
        return Check(name, False, f"After {tried} tried on this data, the deflated Sharpe ratio is undefined: {found.reason}.")
    words = f"After {tried} tried on this data, the chance that the Sharpe ratio is more than luck is {found.value:.3f}"
    return Check(name, found.value >= params.min_deflated_sharpe, f"{words}; {params.min_deflated_sharpe:g} is needed.")


def _median_seed_earns(evidence: Evidence) -> Check:
    if not evidence.seed_returns:
        return Check("median seed earns", False, "No seed was judged on its own.")
    median = float(np.median(evidence.seed_returns))
    earned = sum(value > 0.0 for value in evidence.seed_returns)
    words = (
        f"The median seed on its own made {percent(median)} after costs; {earned} of {len(evidence.seed_returns)} seeds made money."
    )
    return Check("median seed earns", median > 0.0, words)


def _survives_costs(evidence: Evidence, params: VerdictParams) -> Check:
    found = evidence.break_even
    multiple = found["multiple"]
    passed = bool(found["above_one"]) and (multiple is None or multiple > params.min_break_even)
    words = str(found["words"])
    return Check("survives the costs", passed, f"Cost stress: {words}; more than {params.min_break_even:g} times is needed.")
