"""Judging a recipe of a portfolio, from its bars to its decisions, for what it knows too early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.envs.portfolio_market import panel_market
from seawall.evaluation.leaks.columns import judge_feature
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.evaluation.leaks.splits import overlap
from seawall.evaluation.leaks.worlds import World
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.features.pipeline import anchored_block
from seawall.features.scaling.scaler import Scaler
from seawall.market.panel import Panel, align
from seawall.market.splits import chronological_split
from seawall.recipes.dataset import Dataset
from seawall.recipes.leakcheck import RECIPE_BARS, declared_lookahead, feature_candidate
from seawall.recipes.portfolio_dataset import FeaturedPanel, PortfolioDataset, featured_panel
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_schema import PortfolioRecipe, RegimePanel

PARTS: tuple[str, ...] = ("features", "scaler", "split", "decisions")
_DECISIONS, _DECISIONS_AFTER = 200, 50
Worlds = Mapping[str, World]


def check_portfolio(
    recipe: PortfolioRecipe,
    data_root: Path,
    n_bars: int = RECIPE_BARS,
    seed: int = 0,
    done: Callable[[str], None] = lambda _part: None,
    parts: Sequence[str] = PARTS,
) -> list[Judgement]:
    """Judge the features, scaler, split and decisions of a recipe on its own bars.

    Args:
        recipe: What to judge.
        data_root: Folder of imported bars.
        n_bars: At most so many of the first bars are used.
        seed: Of the altered futures.
        done: Called with the name of each part after it.
        parts: Which of `PARTS` are judged.

    Raises:
        DataError: The bars are missing, bad, or too few.
    """
    if isinstance(recipe.data, RegimePanel) and recipe.data.n_bars > n_bars:
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"n_bars": n_bars})})
    made = _first(recipe, featured_panel(recipe, data_root), n_bars)
    frames = {symbol: made.panel.bars(symbol).drop(columns="stale") for symbol in made.panel.symbols}
    worlds = {symbol: World.of(bars, seed + place) for place, (symbol, bars) in enumerate(frames.items())}
    judges = dict(zip(PARTS, (_features, _scaler, _split, _decisions), strict=True))
    judgements: list[Judgement] = []
    for name in parts:
        judgements.append(judges[name](recipe, made, worlds))
        done(name)
    return judgements


def _first(recipe: PortfolioRecipe, made: FeaturedPanel, n_bars: int) -> FeaturedPanel:
    if len(made.panel) <= n_bars:
        return made
    panel = _head(made.panel, n_bars)
    split = chronological_split(made.warmup + made.look.reach - 1, n_bars, recipe.split, made.split.purge)
    return replace(made, panel=panel, blocks=made.blocks[:, :n_bars], split=split)


def _head(panel: Panel, rows: int) -> Panel:
    return Panel(panel.symbols, panel.timeframe, panel.timestamps[:rows], panel.prices[:, :rows], panel.stale[:, :rows])


def _features(_recipe: PortfolioRecipe, made: FeaturedPanel, worlds: Worlds) -> Judgement:
    """Judge the columns on the first asset's bars; those of the others are the same functions."""
    candidate = feature_candidate(made.columns, made.panel.timeframe)
    found = judge_feature(made.columns.name, candidate, next(iter(worlds.values())))
    return replace(found, kind="features", findings=(*declared_lookahead(made.columns), *found.findings))


def _scaler(recipe: PortfolioRecipe, made: FeaturedPanel, worlds: Worlds) -> Judgement:
    """Fit on the training rows, with one future and with another."""
    stop = made.split.train.stop
    altered = _featured(made, {symbol: world.altered(stop, "another") for symbol, world in worlds.items()}, len(made.panel))
    true, seen = made.scaler(recipe), replace(made, blocks=altered).scaler(recipe)
    findings: list[Finding] = []
    for place, name in enumerate(true.columns):
        if (true.offset[place], true.scale[place]) != (seen.offset[place], seen.scale[place]):
            words = f"the scale of {name} changes with the bars from row {stop} on, which are after the training rows"
            findings.append(Finding(name, words, None, None, True, stop, next(iter(worlds.values())).time_if_any(stop)))
    first = true.fitted_rows[0]
    kind = f"{recipe.features.scaling}, fitted on rows {first} to {stop - 1} of every asset"
    return Judgement(kind, "scaler", tuple(findings))


def _split(_recipe: PortfolioRecipe, made: FeaturedPanel, worlds: Worlds) -> Judgement:
    parts = [np.arange(rows.start, rows.stop) for rows in (made.split.train, made.split.validation, made.split.test)]
    finding = overlap(parts, made.look.reach, 1, next(iter(worlds.values())), "training, validation and test")
    return Judgement(f"{made.split.purge} rows purged", "split", () if finding is None else (finding,))


def _decisions(recipe: PortfolioRecipe, made: FeaturedPanel, worlds: Worlds) -> Judgement:
    """Let an untrained network decide up to a bar, with one future of every asset and with another."""
    start = made.warmup + made.look.reach - 1
    cut = min(start + _DECISIONS, len(made.panel) - _DECISIONS_AFTER)
    rows = RowRange(start, min(cut + _DECISIONS_AFTER, len(made.panel)))
    if cut <= start:
        raise DataError(
            f"{len(made.panel)} bars are too few to judge decisions on; at least {start + _DECISIONS_AFTER + 1} are needed"
        )
    scaler = made.scaler(recipe)
    other = {symbol: world.head(rows.stop).altered(cut + 1, "another") for symbol, world in worlds.items()}
    same = {symbol: world.head(rows.stop) for symbol, world in worlds.items()}
    true, seen = (_ledger(recipe, made, scaler, (each, rows)) for each in (same, other))
    asked = [name for name in true.columns if name.startswith("target.") or name in ("row", "timestamp", "hold")]
    settled = [name for name in true.columns if name.startswith(("weight.", "units.")) or name in ("equity", "fee", "benchmark")]
    changed = {name: _first_change(true, seen, name, cut + 1) for name in asked}
    changed |= {name: _first_change(true, seen, name, cut) for name in settled}
    world = next(iter(worlds.values()))
    findings = [
        Finding(
            name,
            f"{name} decided at row {row} changes when the bars from row {cut + 1} on are those of another market",
            cut + 1 - row, None, False, row, world.time(row),
        )
        for name, row in changed.items() if row is not None
    ]  # fmt: skip
    varied = true.loc[true["row"] <= cut, [name for name in asked if name.startswith("target.")]].nunique().max() > 1
    advice = () if varied else ("the untrained network never changed its mind: equal decisions prove little here",)
    return Judgement(f"{cut - start + 1} decisions of an untrained network", "decisions", tuple(findings), advice)


def _first_change(true: pd.DataFrame, seen: pd.DataFrame, name: str, stop: int) -> int | None:
    """Return the first row before `stop` at which a column of two ledgers differs."""
    left, right = (frame.loc[frame["row"] < stop, name].to_numpy() for frame in (true, seen))
    unlike = left != right
    return int(true["row"].iloc[int(np.argmax(unlike))]) if unlike.any() else None


def _featured(made: FeaturedPanel, worlds: Worlds, rows: int) -> np.ndarray:
    """Compute the columns on other bars, float32, shape (A, T, F)."""
    blocks = [anchored_block(world.bars.iloc[:rows], made.columns, made.panel.timeframe, np.float32) for world in worlds.values()]
    return np.stack(blocks)


def _ledger(recipe: PortfolioRecipe, made: FeaturedPanel, scaler: Scaler, case: tuple[Worlds, RowRange]) -> pd.DataFrame:
    worlds, rows = case
    aligned = align({symbol: world.bars for symbol, world in worlds.items()}, made.panel.timeframe)
    panel = replace(aligned, stale=made.panel.stale[:, : rows.stop])
    block = replace(made, blocks=_featured(made, worlds, rows.stop)).scaled(scaler)
    market = panel_market(panel, block, made.columns.columns, made.warmup)
    parts = PortfolioParts(recipe, PortfolioDataset(Dataset(market, made.split, scaler, {}), panel))
    return portfolio_backtest(parts.policy(parts.network(0)), parts.setting(rows)).frame
