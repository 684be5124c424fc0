"""What guards do to a policy: each figure before every choice of guards, and how surely it differs from no guard at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seawall.core.seeding import generator
from seawall.evaluation.ablation_walk import NO_GUARD, Variant
from seawall.evaluation.bootstrap import MIN_BARS, BootstrapParams, Interval, Resamples, mean_block_bars, resample
from seawall.evaluation.ledger import Ledger
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.trades import round_trips

MEASURES = ("total_return", "max_drawdown", "sharpe", "turnover_per_year")
"""Figures that are compared, in the order of tables."""
ROUND_TRIPS = "round_trips"
COMPARED = (*MEASURES, ROUND_TRIPS)
"""All figures that have an interval and a difference from no guard."""
ENSEMBLE = "ensemble"
_TURNOVER = "turnover_per_year"
_RESAMPLED_HERE = {_TURNOVER: "total_return", ROUND_TRIPS: "annual_return"}
"""Figures that are resampled here, and the place that each takes among those of `bootstrap.MEASURES`."""
_COUNTED = ("trades", "mean_absolute_exposure", "liquidated")


def ablation_rows(
    walks: Mapping[str, Mapping[str, Ledger]], variants: Sequence[Variant], params: BootstrapParams
) -> list[dict[str, Any]]:
    """Return one row for each choice of guards.

    Args:
        walks: Ledgers by policy (`ENSEMBLE`, then each seed) and by choice, all over the same bars.
        variants: The choices; the first is no guard.
        params: Settings of the intervals.

    Returns:
        Rows of plain values: ``name``, ``in_force``; of the ensemble each of `COMPARED` with ``value``, ``low``, ``high`` and
        ``against`` (its paired difference from no guard, with an interval), ``trades``, ``costs`` and ``interventions``;
        ``seeds`` with each seed's figures and differences, and ``spread`` with their mean, lowest and highest; ``instead_of``
        with the paired differences from another choice, where the choice names one. None where undefined.
    """
    ensemble = walks[ENSEMBLE]
    figures = {policy: {name: _measured(ledger) for name, ledger in ledgers.items()} for policy, ledgers in walks.items()}
    intervals = _Intervals(ensemble, params)
    rows = []
    for variant in variants:
        name, own = variant.name, figures[ENSEMBLE][variant.name]
        seeds = {policy: _seed(figures[policy], name) for policy in walks if policy != ENSEMBLE}
        rows.append(
            {
                "name": name,
                "in_force": list(variant.in_force),
                **{
                    measure: {
                        "value": own[measure],
                        **intervals.of(measure, name).to_dict(),
                        "against": _against(figures[ENSEMBLE], measure, (name, NO_GUARD), intervals),
                    }
                    for measure in COMPARED
                },
                **{key: own[key] for key in _COUNTED},
                "costs": own["costs"]["share_of_initial_equity"],
                "interventions": interventions(ensemble[name]),
                "seeds": seeds,
                "spread": {measure: _spread(seeds, measure) for measure in COMPARED},
                "instead_of": _instead_of(figures[ENSEMBLE], variant, intervals),
            }
        )
    return rows


def _measured(ledger: Ledger) -> dict[str, Any]:
    figures = ledger_metrics(ledger)
    return {**figures, ROUND_TRIPS: figures["trades"]}


def _instead_of(figures: Mapping[str, Mapping[str, Any]], variant: Variant, intervals: _Intervals) -> dict[str, Any] | None:
    if not variant.instead_of:
        return None
    pair = (variant.name, variant.instead_of)
    return {"name": variant.instead_of, **{measure: _against(figures, measure, pair, intervals) for measure in COMPARED}}


def interventions(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Return how often each guard had the last word, and how often the exposure asked for was so changed, by its name.

    A signal may be held whose exposure is in force already: that counts as an intervention that changed nothing.
    """
    frame = ledger.frame[ledger.frame["guard"] != ""]
    changed = (frame["allowed"] != frame["proposed"]).groupby(frame["guard"], sort=True)
    return {str(name): {"times": int(counts.count()), "changed": int(counts.sum())} for name, counts in changed}


def findings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in plain words what each choice did to drawdown and return, and whether chance alone could have done it."""
    told = []
    for row in rows:
        if row["name"] == NO_GUARD:
            continue
        times, changed = (sum(each[key] for each in row["interventions"].values()) for key in ("times", "changed"))
        if not times:
            told.append(f"{row['name']}: never intervened.")
            continue
        if not changed:
            told.append(f"{row['name']}: intervened {times:,} times, always where the exposure asked for was in force already.")
            continue
        parts = [_told(row, measure, words) for measure, words in (("max_drawdown", "drawdown"), ("total_return", "return"))]
        told.append(f"{row['name']}: intervened {times:,} times and changed {changed:,} decisions; {'; '.join(parts)}.")
    return told


def _told(row: Mapping[str, Any], measure: str, words: str) -> str:
    figure = row[measure]
    against = figure["against"]
    if against["value"] is None or against["low"] is None:
        return f"{words} cannot be compared ({against.get('reason', 'undefined')})"
    low, high = 100.0 * against["low"], 100.0 * against["high"]
    sure = "clearly so" if low > 0.0 or high < 0.0 else "which chance alone could do"
    change = 100.0 * against["value"]
    return f"{words} {100.0 * figure['value']:.1f} %, {change:+.1f} points ({low:+.1f} to {high:+.1f}), {sure}"


def _seed(figures: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    values = {measure: figures[name][measure] for measure in COMPARED}
    return {**values, "against": {measure: _difference(figures, measure, (name, NO_GUARD)) for measure in COMPARED}}


def _difference(figures: Mapping[str, Mapping[str, Any]], measure: str, pair: tuple[str, str]) -> float | None:
    value, rival = (figures[name][measure] for name in pair)
    return None if value is None or rival is None else value - rival


def _against(
    figures: Mapping[str, Mapping[str, Any]], measure: str, pair: tuple[str, str], intervals: _Intervals
) -> dict[str, Any]:
    difference = _difference(figures, measure, pair)
    interval = Interval(None, None, "undefined for one of the two") if difference is None else intervals.paired(measure, *pair)
    return {"value": difference, **interval.to_dict()}


def _spread(seeds: Mapping[str, Mapping[str, Any]], measure: str) -> dict[str, Any]:
    """Return mean, lowest and highest over seeds of a figure and of its difference from no guard."""
    of = {"value": [seed[measure] for seed in seeds.values()], "against": [seed["against"][measure] for seed in seeds.values()]}
    spread: dict[str, Any] = {}
    for key, values in of.items():
        known = [value for value in values if value is not None]
        whole = len(known) == len(values) and bool(known)
        spread[key] = {
            "mean": float(np.mean(known)) if whole else None,
            "lowest": min(known) if whole else None,
            "highest": max(known) if whole else None,
        }
    return spread


class _Intervals:
    """Bootstrap intervals of the ensemble's figures before every choice, all from the same resamples."""

    def __init__(self, ledgers: Mapping[str, Ledger], params: BootstrapParams) -> None:
        first = next(iter(ledgers.values()))
        ppy = first.periods_per_year
        self._resamples = resample({name: ledger.log_returns() for name, ledger in ledgers.items()}, ppy, params)
        self._traded = _resampled_trading(ledgers, ppy, params)

    def of(self, measure: str, name: str) -> Interval:
        return self._source(measure).interval(_known(measure), name)

    def paired(self, measure: str, name: str, rival: str) -> Interval:
        return self._source(measure).paired(_known(measure), name, rival)

    def _source(self, measure: str) -> Resamples:
        return self._traded if measure in _RESAMPLED_HERE else self._resamples


def _known(measure: str) -> str:
    """Return the place of a figure among the resampled ones."""
    return _RESAMPLED_HERE.get(measure, measure)


def _resampled_trading(ledgers: Mapping[str, Ledger], ppy: float, params: BootstrapParams) -> Resamples:
    """Resample traded notional over mean equity, per year, and the trades that ended, by the blocks of `bootstrap.resample`."""
    first = next(iter(ledgers.values()))
    n_bars, block = first.n_bars, mean_block_bars(first.log_returns())
    values = np.full((2, params.n_resamples, len(ledgers)), np.nan)
    if n_bars >= MIN_BARS:
        from arch.bootstrap import StationaryBootstrap

        traded, held = _laid(ledgers)
        ended = np.stack([np.bincount(round_trips(ledger).closed, minlength=n_bars) for ledger in ledgers.values()])
        sampler = StationaryBootstrap(block, np.empty(n_bars), seed=generator(params.seed, "bootstrap"))
        for number in range(params.n_resamples):
            indices = sampler.update_indices()
            values[0, number] = traded[:, indices].mean(axis=1) / held[:, indices].mean(axis=1) * ppy
            values[1, number] = ended[:, indices].sum(axis=1)
    return Resamples(tuple(ledgers), values, block, params.confidence)


def _laid(ledgers: Mapping[str, Ledger]) -> tuple[np.ndarray, np.ndarray]:
    """Return traded notional and equity of every bar, float64, shape (V, T); nothing is traded after an early end."""
    traded = np.zeros((len(ledgers), next(iter(ledgers.values())).n_bars))
    for place, ledger in zip(traded, ledgers.values(), strict=True):
        place[: len(ledger.frame)] = ledger.column("traded_notional")
    return traded, np.stack([ledger.equity_curve()[1:] for ledger in ledgers.values()])
