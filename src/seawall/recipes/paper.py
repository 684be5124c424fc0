"""A trained run on paper over recorded bars, told one at a time: its ledger, and whether that is the backtest's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seawall.agents.bundle import Bundle
from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Interrupted
from seawall.core.files import replacing_folder, write_json
from seawall.core.interrupts import heeded_interrupts
from seawall.core.protocols import FeatureSet, Policy
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms, moment_ms
from seawall.engine.decision import DecisionRecords
from seawall.evaluation.backtest import backtest, reasons_in_words
from seawall.evaluation.judge import guard_interventions
from seawall.evaluation.ledger import Ledger, Ledgers, ledger_of
from seawall.evaluation.trades import round_trips
from seawall.features.own import scaled_in_file
from seawall.features.pipeline import rows_for_live
from seawall.features.registry import feature_set
from seawall.features.scaling.scaler import Scaler
from seawall.live.paper import PaperSetting, Replayed, replay
from seawall.live.replay import ReplayFeed
from seawall.live.tail import MarketTail
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Checked, Dataset, checked
from seawall.recipes.experiment import load_run_recipe, training_summary
from seawall.recipes.judging import Case
from seawall.recipes.paper_parity import Parity, coincide, compare, nothing_to_compare
from seawall.recipes.run_bundle import BEST, bundle_at, stopped_words, unfinished_progress
from seawall.recipes.runtime import Runtime, ensemble_by
from seawall.recipes.schema import FileData, Recipe
from seawall.training.threads import use_threads

OWN = "own"
"""Stands for the bars that the run itself names."""
FROM_TEST = "test"
SCHEMA = 1
_CHANGEABLE = ("quality", "costs", "simulator", "guards")


@dataclass(frozen=True)
class PaperCase:
    """A run, and the recorded bars to trade it over on paper.

    Attributes:
        run: The trained run.
        source: A file of bars, a stored series, or ``own`` for those that the run's recipe names.
        key: Which table, where an HDF5 file has several.
        start: ``test`` for the run's first test row, or the moment from which on decisions are taken.
        overrides: ``section.key=value`` each, of quality, costs, simulator or guards.
        data_root: Folder of imported bars.
        runtime: What computes the ensemble's decisions, as in a backtest.
    """

    run: RunFolder
    source: str = OWN
    key: str | None = None
    start: str = FROM_TEST
    overrides: tuple[str, ...] = ()
    data_root: Path = Path("data")
    runtime: Runtime = "torch"

    def recipe(self) -> Recipe:
        """Return the run's recipe with the changes.

        Raises:
            ConfigError: A change is not allowed.
        """
        for override in self.overrides:
            section = re.split(r"[.=]", override, maxsplit=1)[0].strip()
            if section not in _CHANGEABLE:
                raise ConfigError(
                    f"override {override!r} cannot change how a trained run trades; allowed sections: {', '.join(_CHANGEABLE)}"
                )
        return self.judged().recipe()

    def judged(self) -> Case:
        """Return what ``seawall backtest`` judges with the same changes."""
        return Case(self.run, self.overrides, self.data_root, runtime=self.runtime)


@dataclass(frozen=True)
class Papered:
    """A replay that came to its end.

    Attributes:
        facts: What was done, as in ``paper.json``.
        parity: How its ledger compares with the backtest's.
        folder: Where both are kept.
    """

    facts: dict[str, Any]
    parity: Parity
    folder: Path


def replay_run(case: PaperCase, on_progress: Callable[[int, int], Any] = lambda _done, _total: None) -> Papered:
    """Trade a run's ensemble on paper over recorded bars, compare its ledger with the backtest's, and keep both.

    Args:
        case: The run and the bars.
        on_progress: Called with the decisions settled and those planned, after each.

    Raises:
        ConfigError: An override or the start cannot be, the features look ahead, or the run trades several assets at once.
        DataError: The run is not trained, or the bars are missing, bad, of another timeframe, too few, or lack a column.
        Interrupted: Ctrl-C; nothing was written.
    """
    recipe = case.recipe()
    stopped = unfinished_progress(case.run)
    if stopped is None:
        training_summary(case.run)
    use_threads(recipe.training.threads)
    bundle, _steps = bundle_at(case.run, load_run_recipe(case.run), BEST)
    parts = Parts(recipe, Dataset.load(case.run), run=case.run)
    columns = feature_set(recipe.features)
    found = _bars(case, parts, columns)
    first = _first_row(case, parts, found, columns)
    ensemble, _members = ensemble_by(case.runtime, parts, bundle, case.run)
    ledger, replayed = _traded(parts, bundle, ensemble, (found, first, columns), on_progress)
    parity = _parity(case, parts, ensemble, ledger)
    notes = [] if stopped is None else [f"{stopped_words(stopped)}; this is not the run as its recipe states it"]
    notes += _notes(case, parts, found, first, columns)
    folder = _free_folder(case.run)
    facts = _facts(case, parts, found, (ledger, replayed), parity) | {"notes": notes, "folder": str(folder)}
    with replacing_folder(folder) as temporary:
        Ledgers(ledger, {}, {}).write(temporary / "ledger.parquet")
        write_json(temporary / "paper.json", facts)
    return Papered(facts, parity, folder)


def _bars(case: PaperCase, parts: Parts, columns: FeatureSet) -> Checked:
    """Return the bars to replay, as training would check them."""
    recipe, market = parts.recipe, parts.dataset.market
    if len(market.symbols) != 1:
        raise ConfigError(f"run {case.run.path} trades {len(market.symbols)} assets at once; allowed: a run of one asset")
    if case.source != OWN:
        trends = recipe.data.trends if isinstance(recipe.data, FileData) else None
        recipe = recipe.model_copy(update={"data": FileData(path=case.source, key=case.key, trends=trends)})
    elif case.key is not None:
        raise ConfigError(f"key {case.key!r} is of an HDF5 file; the run's own bars need none")
    found = checked(recipe, case.data_root)
    if found.timeframe != market.timeframe:
        raise DataError(
            f"the bars of {found.origin['reference']} are of {found.timeframe.label}; needed: {market.timeframe.label}, "
            f"on which run {case.run.path} was trained"
        )
    scaled_in_file(columns, found.marker)
    return found


def _first_row(case: PaperCase, parts: Parts, found: Checked, columns: FeatureSet) -> int:
    """Return the row at whose close the first decision is taken."""
    times, dataset, name = timestamps_ms(found.bars), parts.dataset, found.origin["reference"]
    wanted = int(dataset.market.timestamps[dataset.split.test.start]) if case.start == FROM_TEST else moment_ms(case.start)
    row = int(np.searchsorted(times, wanted, side="left"))
    warmup, window = columns.warmup_on(found.timeframe), _rows_seen(parts)
    needed = warmup + window - 1
    later = (
        f"the first that can be decided at is {iso_ms(int(times[needed]))}" if needed < len(times) - 1 else "it has too few bars"
    )
    if row < needed:
        raise DataError(
            f"{name} has {row} bars before {iso_ms(wanted)}, from which on decisions are wanted; needed: {needed} "
            f"({warmup} to warm up, {window - 1} for the window and the guards). Of {len(times)} bars, {later}: "
            "--from names another moment"
        )
    if row > len(times) - 2:
        raise DataError(
            f"{name} ends at {iso_ms(int(times[-1]))}, and decisions are wanted from {iso_ms(wanted)} on; at least 2 bars are "
            f"needed from there. Of {len(times)} bars, {later}: --from names another moment"
        )
    return row


def _rows_seen(parts: Parts) -> int:
    """Return how many rows a decision looks at: the policy's window, or more where a guard reads more bars."""
    guards = parts.guards()
    return max(parts.recipe.environment.window, 0 if guards is None else guards.lookback)


def _traded(
    parts: Parts,
    bundle: Bundle,
    ensemble: Policy,
    bars: tuple[Checked, int, FeatureSet],
    on_progress: Callable[[int, int], Any],
) -> tuple[Ledger, Replayed]:
    """Trade over the bars as they close."""
    found, first, columns = bars
    recipe, window = parts.recipe, _rows_seen(parts)
    feed = ReplayFeed(found.bars, first - window + 1, columns.requires)
    scaler = Scaler.from_dict(bundle.manifest["scaler"])
    tail = MarketTail(columns, found.timeframe, scaler, found.origin["symbol"], feed.columns, window)
    desk = parts.desk(1)
    account = f"paper {recipe.digest()}"
    setting = PaperSetting(desk, recipe.costs, recipe.simulator, recipe.environment.account_columns, account)
    times = timestamps_ms(found.bars)[first:]
    done = 0
    with heeded_interrupts() as heed:

        def settled(_record: DecisionRecords) -> None:
            nonlocal done
            done += 1
            on_progress(done, len(times) - 1)
            heed()

        try:
            result = replay(ensemble, tail, setting, feed, window, settled)
        except KeyboardInterrupt:
            at, planned = iso_ms(int(times[done])), len(times) - 1
            raise Interrupted(f"stopped at the bar of {at}, after {done:,} of {planned:,} decisions; nothing was written") from None
    return ledger_of(result.records, reasons_in_words(desk, result.records), result.initial_equity, times), result


def _parity(case: PaperCase, parts: Parts, ensemble: Policy, ledger: Ledger) -> Parity:
    """Compare with the kept backtest of the run, or with one made now, where it begins at the same bar."""
    dataset, recipe = parts.dataset, parts.recipe
    rows, kept = dataset.split.test, case.judged().folder().ledger
    times = np.asarray(dataset.market.timestamps[rows.start : rows.stop])
    if dataset.split.more_test:
        return nothing_to_compare(f"the run's backtest chains {len(dataset.split.tests)} test ranges, with other bars between them")
    if not coincide(ledger.timestamps_ms, times):
        return nothing_to_compare("the run's backtest begins at another bar, or has other bars")
    if kept.is_file():
        return compare(ledger, Ledgers.read(kept).ensemble, str(kept))
    columns = recipe.environment.account_columns
    made = backtest(ensemble, dataset.market, rows, parts.desk(1), recipe.costs, recipe.simulator, columns)
    return compare(ledger, made, "a backtest made now, as none is kept")


def _notes(case: PaperCase, parts: Parts, found: Checked, first: int, columns: FeatureSet) -> list[str]:
    """Say what a reader of the ledger should know of its bars."""
    own, times = parts.dataset, timestamps_ms(found.bars)
    test_ms = int(own.market.timestamps[own.split.test.start])
    notes = list(found.notes)
    if times[first] < test_ms:
        notes.append(
            f"decisions begin at {iso_ms(int(times[first]))}, before the test rows at {iso_ms(test_ms)}: training or the choice of "
            "weights has seen these days"
        )
    if case.source == OWN and bars_digest(found.bars, parts.recipe.features.columns) != own.facts["data_hash"]:
        notes.append("the bars that the recipe names are not those that the run was trained on: they have changed since")
    looked_back = first - _rows_seen(parts) + 2
    needed = rows_for_live(columns, found.timeframe)
    if looked_back < needed and times[0] != own.market.timestamps[0]:
        notes.append(
            f"{looked_back:,} bars are there for the first features, which equal those of a longer history bit for bit from "
            f"{needed:,} on: columns that carry something on from bar to bar may differ until then"
        )
    return notes


def _facts(case: PaperCase, parts: Parts, found: Checked, traded: tuple[Ledger, Replayed], parity: Parity) -> dict[str, Any]:
    ledger, replayed = traded
    frame, final = ledger.frame, float(ledger.frame["equity"].iloc[-1])
    return {
        "schema": SCHEMA,
        "run": str(case.run.path),
        "recipe": parts.recipe.name,
        "recipe_hash": parts.recipe.digest(),
        "runtime": case.runtime,
        "replayed": found.origin["reference"],
        "symbol": found.origin["symbol"],
        "timeframe": found.timeframe.label,
        "first": iso_ms(int(ledger.timestamps_ms[0])),
        "last": iso_ms(int(ledger.timestamps_ms[-1])),
        "bars": len(ledger.timestamps_ms),
        "decisions": len(frame),
        "ended_early": len(frame) < ledger.n_bars,
        "orders": replayed.orders,
        "trades": len(round_trips(ledger)),
        "fees": float(frame["fee"].sum()),
        "costs": float(ledger.costs().sum()),
        "initial_equity": ledger.initial_equity,
        "final_equity": final,
        "total_return": final / ledger.initial_equity - 1.0,
        "guards": guard_interventions(ledger),
        "parity": parity.to_dict(),
    }


def _free_folder(run: RunFolder) -> Path:
    """Return a folder below the run, named by the time, that does not exist."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    names = (stamp, *(f"{stamp}-{number}" for number in range(1, 1_000)))
    for name in names:
        if not (run.path / "paper" / name).exists():
            return run.path / "paper" / name
    raise ConfigError(f"cannot name another replay under {run.path / 'paper'}: {stamp} is taken a thousand times")
