"""Judge the ledger of another program: the same metrics, intervals, rivals and page as for a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seawall import __version__
from seawall.core.bars import from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import to_json
from seawall.core.timeframe import Timeframe
from seawall.evaluation.attribution import Surroundings, attribution
from seawall.evaluation.bootstrap import BootstrapParams, Resamples, resample
from seawall.evaluation.evidence import VerdictParams, too_good
from seawall.evaluation.foreign.figures_of import foreign_metrics, luck
from seawall.evaluation.foreign.foresight import ABOVE, YARDSTICK, foresight
from seawall.evaluation.foreign.own import our_ledger
from seawall.evaluation.foreign.placing import BarsOf, Placed, Stamps, place
from seawall.evaluation.foreign.reading import Reading, read_recording
from seawall.evaluation.foreign.rebuilding import Rebuilt, rebuild, rebuild_equity
from seawall.evaluation.foreign.recording import Fills, Recording
from seawall.evaluation.foreign.rivals import cost_rate, costs_of, foreign_stress, market_of, rivals, shifted_in_time
from seawall.evaluation.foreign.verdict_of import Grounds, judge_grounds
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.metrics import Measured, ledger_metrics
from seawall.evaluation.params import EvaluationParams
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import read_bars

SCHEMA = 1
_MOST_MONEY = 1e15
_MEASURES = ("total_return", "annual_return", "mean_log_return", "sharpe", "sortino", "max_drawdown")


@dataclass(frozen=True)
class Request:
    """What is to be judged, and what the user says of it.

    Attributes:
        ledger: The file.
        prices: The file of bars.
        reading: How to read the ledger.
        timeframe: Of the bars; None: their usual step.
        stamps: Whether times name a bar by its opening or its closing.
        initial_equity: None: as the file says.
        taker_bps: Commission to charge on fills whose file tells none; None for none.
        costs_included: Whether the prices of the fills hold the costs already.
        trials: Configurations tried on these bars; None where unknown.
        params: How to judge.
    """

    ledger: Path
    prices: Path
    reading: Reading
    timeframe: Timeframe | None = None
    stamps: Stamps = "open"
    initial_equity: float | None = None
    taker_bps: float | None = None
    costs_included: bool = False
    trials: int | None = None
    params: EvaluationParams = field(default_factory=EvaluationParams)


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        document: All of it, as JSON.
        ledgers: The judged one, called the ensemble, and its rivals.
        prices: Prices of all rows of the ledgers' span, float64, shape (T, 5).
    """

    document: dict[str, Any]
    ledgers: Ledgers
    prices: np.ndarray


@dataclass(frozen=True)
class _Material:
    """What is known before anything is judged."""

    rebuilt: Rebuilt
    bars: BarsOf
    source: dict[str, Any]
    costs_known: bool


def judge_file(request: Request, on_progress: Callable[[str], Any] | None = None) -> Judged:
    """Judge a ledger.

    Args:
        request: What is to be judged.
        on_progress: Called with the name of each step before it.

    Raises:
        ConfigError: An option is wrong, or one is needed that is not there, as the initial equity.
        DataError: A file cannot be used; what is wrong in it is named.
    """
    tell = on_progress if on_progress is not None else _silent
    _refuse_options(request)
    tell("reading")
    bars, notes = read_bars_of(request.prices, request.timeframe)
    material = _material(request, bars)
    material.source["notes"] += notes
    rebuilt, bars, traded = material.rebuilt, material.bars, material.rebuilt.tells_trades
    ledger = rebuilt.ledger
    rate = cost_rate(ledger) if traded else (request.taker_bps or 0.0) * 1e-4
    costs = costs_of(rate)
    tell("rivals")
    others = rivals(ledger, bars, costs, request.params.baselines, traded=traded)
    ledgers = Ledgers(ledger, {}, others)
    tell("intervals")
    bootstrap = request.params.bootstrap
    resamples = _resampled(ledgers, bootstrap)
    shifts = shifted_in_time(ledger, bars, costs, bootstrap.seed) if traded else None
    stressed = foreign_stress(rebuilt, bars) if traded else None
    prices = np.asarray(market_of(bars).prices)
    document = {
        "schema": SCHEMA,
        "ledger": foreign_metrics(rebuilt),
        "baselines": {name: ledger_metrics(other) for name, other in others.items()},
        "intervals": _intervals(ledgers, resamples),
        "differences": _differences(ledgers, resamples),
        "bootstrap": {"mean_block_bars": resamples.mean_block_bars, "confidence": resamples.confidence},
        "luck": luck(ledger, request.trials, bootstrap.confidence),
        "shifts_in_time": shifts,
        "stress": stressed,
        "attainable": foresight(ledger, bars, costs, traded=traded),
        "attribution": attribution(ledger, Surroundings(prices=prices)) if traded else None,
        "findings": [*material.source.pop("findings"), *rebuilt.findings],
        "costs": {"known": material.costs_known, "bps_of_notional": 1e4 * rate},
        "source": material.source,
        "test": _span(ledger),
        "settings": request.params.model_dump(mode="json"),
        "version": __version__,
    }
    document["verdict"] = judge_grounds(_grounds(document, rebuilt, request.params.verdict))
    return Judged(json.loads(to_json(document, indent=None)), ledgers, prices)


def read_bars_of(path: Path, timeframe: Timeframe | None) -> tuple[BarsOf, list[str]]:
    """Read the bars to judge on; bars around a gap are neighbours, and a bad bar is refused.

    Args:
        path: The file.
        timeframe: Its bars' length; None: their usual step.

    Returns:
        The bars, and remarks on them.

    Raises:
        DataError: The file cannot be read, or a bar is bad.
    """
    frame, report = apply_quality(read_bars(path), QualityParams(gaps="bridge"), timeframe)
    if len(frame) < 2:
        raise DataError(f"{path.name} has {len(frame)} bar; needed: two at least")
    times = timestamps_ms(frame)
    notes = [str(note) for note in frame.attrs.get("notes", [])]
    gaps = len(report.gap_places)
    notes += [f"{gaps} gaps in the bars; bars around a gap are taken as neighbours"] if gaps else []
    return BarsOf(times, price_block(frame), timeframe or Timeframe.infer(times), path.name), notes


def _refuse_options(request: Request) -> None:
    for name, value in (("initial equity", request.initial_equity), ("taker_bps", request.taker_bps)):
        lowest_allowed = value is None or (np.isfinite(value) and (value > 0.0 or (name == "taker_bps" and value == 0.0)))
        if not lowest_allowed:
            raise ConfigError(f"{name} is {value}; allowed: a number above 0")
    if request.taker_bps is not None and request.costs_included:
        raise ConfigError("--taker-bps and --costs-included were both given; allowed: one, as costs are charged once")
    if request.trials is not None and request.trials < 1:
        raise ConfigError(f"trials is {request.trials}; allowed: a whole number of 1 or more")


def _refuse_fortunes(equity: float, name: str) -> None:
    """Refuse more money than rivals can be given."""
    if not equity <= _MOST_MONEY:
        raise ConfigError(f"the equity of {name} is {equity:g}; allowed: at most {_MOST_MONEY:g}")


def _material(request: Request, bars: BarsOf) -> _Material:
    source: dict[str, Any] = {"ledger": request.ledger.name, "prices": request.prices.name, "timeframe": bars.timeframe.label}
    own = our_ledger(request.ledger, bars)
    if own is not None:
        rebuilt, covered, notes = own
        return _Material(rebuilt, covered, {**source, "layout": "seawall", "symbol": "", "notes": notes, "findings": []}, True)
    recording = read_recording(request.ledger, request.reading)
    source |= {
        "layout": recording.kind,
        "symbol": recording.symbol,
        "currency": recording.currency,
        "notes": list(recording.notes),
        "findings": list(recording.findings),
    }
    if recording.equity is not None:
        _refuse_fortunes(float(recording.equity[1].max()), request.ledger.name)
        rebuilt, covered = rebuild_equity(recording.equity, bars)
        return _Material(rebuilt, covered, source, request.costs_included)
    placed = _placed(recording, request, bars)
    start = request.initial_equity if request.initial_equity is not None else recording.initial_equity
    if start is None:
        raise ConfigError(f"{request.ledger.name} does not tell the equity at the start; needed: --initial-equity")
    _refuse_fortunes(start, request.ledger.name)
    trips = recording.trips if request.taker_bps is None else None
    known = recording.costs_told or request.costs_included or request.taker_bps is not None
    return _Material(rebuild(placed, trips, bars, start), bars, source, known)


def _placed(recording: Recording, request: Request, bars: BarsOf) -> Placed:
    """Put fills into their bars, with the commission that the user tells of where the file tells none."""
    fills = recording.fills
    if fills is None:
        raise DataError(f"{recording.origin} tells neither fills nor equity")
    if request.taker_bps is not None:
        if recording.costs_told:
            raise ConfigError(f"{recording.origin} tells its costs, and --taker-bps would charge them twice; allowed: one of them")
        fee = np.abs(fills.quantity) * fills.price * request.taker_bps * 1e-4
        fills = Fills(fills.time_ms, fills.quantity, fills.price, fee, fills.carry)
    return place(fills, bars, request.stamps)


def _resampled(ledgers: Ledgers, params: BootstrapParams) -> Resamples:
    log_returns = {name: ledger.log_returns() for name, ledger in ledgers.named().items()}
    return resample(log_returns, ledgers.ensemble.periods_per_year, params)


def _intervals(ledgers: Ledgers, resamples: Resamples) -> dict[str, Any]:
    few = {"low": None, "high": None, "reason": "fewer than 30 bars"} if not np.isfinite(resamples.values).any() else None
    names = {"ledger": "ensemble", **{name: name for name in ledgers.baselines}}
    return {
        shown: {measure: few or resamples.interval(measure, name).to_dict() for measure in _MEASURES}
        for shown, name in names.items()
    }


def _differences(ledgers: Ledgers, resamples: Resamples) -> dict[str, Any]:
    own = ledgers.ensemble.log_returns()
    return {
        name: resamples.difference("ensemble", name, float(np.mean(own - other.log_returns()))).to_dict()
        for name, other in ledgers.baselines.items()
        if name != "flat"
    }


def _grounds(document: dict[str, Any], rebuilt: Rebuilt, params: VerdictParams) -> Grounds:
    share = document["attainable"]["captured"]
    reasons = [
        too_good(document["ledger"]["sharpe"], Measured(share["value"], share["reason"]), params),
        *([f"more than {YARDSTICK}"] if share["reason"] == ABOVE else []),
    ]
    return Grounds(
        metrics=document["ledger"],
        interval=document["intervals"]["ledger"]["mean_log_return"],
        differences=document["differences"],
        luck=document["luck"],
        shifts=document["shifts_in_time"],
        stress=document["stress"],
        costs_known=document["costs"]["known"],
        too_good="; ".join(reason for reason in reasons if reason),
        impossible=rebuilt.placed.impossible if rebuilt.placed is not None else 0,
        confidence=document["bootstrap"]["confidence"],
    )


def _span(ledger: Ledger) -> dict[str, Any]:
    first, last = from_milliseconds(ledger.timestamps_ms[[1, -1]])
    return {"first": first.isoformat(), "last": last.isoformat(), "bars": ledger.n_bars, "initial_equity": ledger.initial_equity}


def _silent(_name: str) -> None:
    return None
