"""Judging a whole recipe, from its bars to its decisions, for what it knows too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from seawall.core.bars import price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import FeatureSet
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.evaluation.backtest import backtest
from seawall.evaluation.leaks.blocks import Block
from seawall.evaluation.leaks.candidates import FeatureCandidate, RewardCandidate
from seawall.evaluation.leaks.columns import judge_feature
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.fitted import fitting_leaks
from seawall.evaluation.leaks.rewards import judge_reward
from seawall.evaluation.leaks.splits import overlap
from seawall.evaluation.leaks.worlds import World
from seawall.features.pipeline import anchored_block
from seawall.features.scaling.scaler import Scaler
from seawall.market.splits import chronological_split
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset, Featured, featured
from seawall.recipes.schema import FileData, Recipe
from seawall.recipes.smurf import lend_smurf
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import replay

RECIPE_BARS = 20_000
_REWARD_BARS = 1_500
_DECISIONS, _DECISIONS_AFTER = 400, 100
_NETWORKS = 5
_DECIDED = ("row", "timestamp", "close", "action", "signal", "proposed", "allowed", "guard", "reason")
_SETTLED = ("equity", "quantity", "fee")
PARTS = ("features", "scaler", "split", "reward", "decisions")


def check_recipe(
    recipe: Recipe,
    data_root: Path,
    n_bars: int = RECIPE_BARS,
    seed: int = 0,
    done: Callable[[str], None] = lambda _part: None,
    run: RunFolder | None = None,
) -> list[Judgement]:
    """Judge the features, scaler, split, reward and decisions of a recipe on its own bars.

    Args:
        recipe: What to judge.
        data_root: Folder of imported bars.
        n_bars: At most so many of the first bars are used.
        seed: Of the altered futures.
        done: Called with the name of each part after it.
        run: The run whose recipe it is, which keeps its Smurf; None where there is none.

    Raises:
        DataError: The bars are missing, bad, or too few.
    """
    made = _first(recipe, featured(_with_fewer_bars(recipe, n_bars), data_root), n_bars)
    world = World.of(made.bars, seed)
    judgements: list[Judgement] = []
    decisions = _decisions if run is None else partial(_decisions, run=run)
    for name, judge in zip(PARTS, (_features, _scaler, _split, _reward, decisions), strict=True):
        judgements.append(judge(recipe, made, world))
        done(name)
    return judgements


def feature_candidate(columns: FeatureSet, timeframe: Timeframe) -> FeatureCandidate:
    """Return a feature set, computed as training computes it, as a candidate."""

    def function(bars: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(anchored_block(bars, columns, timeframe), columns=list(columns.columns), index=bars.index)

    return FeatureCandidate(function, warmup=columns.warmup_on(timeframe))


def declared_lookahead(columns: FeatureSet) -> tuple[Finding, ...]:
    """Return a finding where a feature set says itself that it looks ahead."""
    if not columns.lookahead:
        return ()
    words = f"feature set {columns.name} declares to look {columns.lookahead} bars ahead: its values are not known at the close"
    return (Finding(columns.name, words, columns.lookahead),)


def _with_fewer_bars(recipe: Recipe, n_bars: int) -> Recipe:
    if isinstance(recipe.data, FileData) or recipe.data.n_bars <= n_bars:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"n_bars": n_bars})})


def _first(recipe: Recipe, made: Featured, n_bars: int) -> Featured:
    if len(made.bars) <= n_bars:
        return made
    if n_bars <= made.warmup + 1:
        raise ConfigError(f"bars is {n_bars}; the recipe's features alone need {made.warmup + 1} to warm up")
    window = recipe.environment.window
    split = chronological_split(made.warmup + window - 1, n_bars, recipe.split, made.split.purge)
    return replace(made, bars=made.bars.iloc[:n_bars], block=made.block[:n_bars], split=split)


def _features(_recipe: Recipe, made: Featured, world: World) -> Judgement:
    found = judge_feature(made.columns.name, feature_candidate(made.columns, made.timeframe), world)
    return replace(found, kind="features", findings=(*declared_lookahead(made.columns), *found.findings))


def _scaler(recipe: Recipe, made: Featured, world: World) -> Judgement:
    kind, train = recipe.features.scaling, range(made.warmup, made.split.train.stop)

    def fitted(block: np.ndarray, rows: range) -> Block:
        part = replace(made, block=block, split=replace(made.split, train=RowRange(made.split.train.start, rows.stop)))
        return Block(made.columns.columns, part.scaler(kind).transform(block).astype(np.float64))

    advice: list[str] = []
    start, stop = made.scaler(kind).fitted_rows
    findings: list[Finding] = []
    if stop > made.split.train.stop:
        words = f"the scaler was fitted on rows {start} to {stop - 1}, and training ends at row {made.split.train.stop - 1}"
        findings.append(Finding("scaler", words, stop - made.split.train.stop, None, False, start, world.time(start)))
    try:
        findings += fitting_leaks(fitted, made.block, train, world, advice)
    except DataError as error:
        return Judgement(kind, "scaler", tuple(findings), tuple(advice), str(error))
    return Judgement(f"{kind}, fitted on rows {start} to {stop - 1}", "scaler", tuple(findings), tuple(advice))


def _split(recipe: Recipe, made: Featured, world: World) -> Judgement:
    window, horizon = recipe.environment.window, 1 + recipe.simulator.reward.horizon
    parts = [np.arange(rows.start, rows.stop) for rows in (made.split.train, made.split.validation, made.split.test)]
    finding = overlap(parts, window, horizon, world, "training, validation and test")
    return Judgement(f"{made.split.purge} rows purged", "split", () if finding is None else (finding,))


def _reward(recipe: Recipe, made: Featured, world: World) -> Judgement:
    def log_equity(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
        market = _market(bars, made.timeframe, np.zeros((len(bars), 0)), ())
        settings = SimulatorParams(initial_equity=1.0, max_exposure=recipe.simulator.max_exposure)
        equity = replay(market, RowRange(0, len(bars)), positions[:-1, None], recipe.costs, np.ones(1), settings)
        return np.diff(np.log(np.maximum(equity[:, 0], 1e-12)), prepend=0.0)

    found = judge_reward("the ledger's log return", RewardCandidate(log_equity, reported=True), world.head(_REWARD_BARS))
    horizon = recipe.simulator.reward.horizon
    said = f"the training reward looks {horizon} bars beyond the mark; the reported profit is the ledger's, which does not"
    return replace(found, advice=(*found.advice, *([said] if horizon else [])))


def _decisions(recipe: Recipe, made: Featured, world: World, run: RunFolder | None = None) -> Judgement:
    """Let untrained networks decide up to a bar, with one future and with another."""
    scaler = made.scaler(recipe.features.scaling)
    start = made.warmup + recipe.environment.window
    cut = min(start + _DECISIONS, len(world) - _DECISIONS_AFTER // 2)
    rows = RowRange(start, min(cut + _DECISIONS_AFTER, len(world)))
    other = world.head(rows.stop).altered(cut + 1, "another")
    ledgers: list[pd.DataFrame] = []
    for seed in range(_NETWORKS):
        ledgers = [_ledger(recipe, made, scaler, (bars, rows, seed), run) for bars in (world.head(rows.stop).bars, other.bars)]
        if ledgers[0]["action"].nunique() > 1:
            break
    true, seen = (ledger[ledger["row"] <= cut] for ledger in ledgers)
    changed = {name: _first_change(true[name], seen[name]) for name in _DECIDED}
    settled = true["row"] < cut, seen["row"] < cut
    changed |= {name: _first_change(true[name][settled[0]], seen[name][settled[1]]) for name in _SETTLED}
    findings = [
        Finding(
            name,
            f"{name} decided at row {start + place} changes when the bars from row {cut + 1} on are those of another market",
            cut + 1 - start - place,
            None,
            False,
            start + place,
            world.time(start + place),
        )
        for name, place in changed.items()
        if place is not None
    ]
    advice = [] if true["action"].nunique() > 1 else ["no untrained network changed its mind: equal decisions prove little here"]
    return Judgement(f"{len(true)} decisions of an untrained network", "decisions", tuple(findings), tuple(advice))


def _first_change(true: pd.Series, seen: pd.Series) -> int | None:
    if true.reset_index(drop=True).equals(seen.reset_index(drop=True)):
        return None
    rows = min(len(true), len(seen))
    left, right = true.to_numpy()[:rows], seen.to_numpy()[:rows]
    unlike = ~((left == right) | (pd.isna(left) & pd.isna(right)))
    return int(np.argmax(unlike)) if unlike.any() else rows


def _ledger(
    recipe: Recipe, made: Featured, scaler: Scaler, case: tuple[pd.DataFrame, RowRange, int], run: RunFolder | None
) -> pd.DataFrame:
    bars, rows, seed = case
    block = scaler.transform(anchored_block(bars, made.columns, made.timeframe), made.columns.columns)
    market = _market(bars, made.timeframe, block, made.columns.columns)
    parts = Parts(recipe, Dataset(market, made.split, scaler, {}), run=run)
    lend_smurf(parts)
    policy = parts.untrained_policy(seed)
    columns = recipe.environment.account_columns
    return backtest(policy, market, rows, parts.desk(1), recipe.costs, recipe.simulator, columns).frame


def _market(bars: pd.DataFrame, timeframe: Timeframe, features: np.ndarray, names: tuple[str, ...]) -> Market:
    prices, times = price_block(bars), timestamps_ms(bars)
    return Market(("JUDGED",), (0, len(bars)), timeframe, times, prices, features.astype(np.float32), names, (0,))
