"""From a recipe of a portfolio to the market it trains on: bars of each asset, one clock, features, split, one scaler."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import replacing_file
from seawall.core.protocols import FeatureSet
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.envs.portfolio_market import market_panel, panel_market
from seawall.features.cache.cache import cached_features
from seawall.features.clocks import ClockedFeatureSet
from seawall.features.pipeline import feature_hash
from seawall.features.registry import feature_set, omitted_inputs
from seawall.features.scaling.scaler import Scaler
from seawall.market.checks.quality import apply_quality
from seawall.market.files import infer_identity, read_bars
from seawall.market.panel import Panel, align
from seawall.market.splits import Split, chronological_split, purge_rows
from seawall.market.storage.store import Store
from seawall.market.synthetic.assets import correlated_markets
from seawall.nets.portfolio_windows import Look
from seawall.recipes.dataset import Dataset
from seawall.recipes.portfolio_schema import PanelFiles, PortfolioRecipe, RegimePanel

_STALE = "stale.npy"


@dataclass(frozen=True)
class PortfolioDataset:
    """A panel as a market, with the rows that may be used for what.

    Attributes:
        dataset: The market, whose series are the assets; rows of the split count bars of the panel.
        panel: What the accounts trade.
    """

    dataset: Dataset
    panel: Panel

    def save(self, run: RunFolder) -> None:
        """Write market, marks and facts into a run folder."""
        self.dataset.save(run)
        with replacing_file(run.path / _STALE) as temporary:
            np.save(temporary, self.panel.stale)

    @classmethod
    def load(cls, run: RunFolder) -> PortfolioDataset:
        """Map a saved dataset; its market is checked against the hash it was saved with.

        Raises:
            DataError: The dataset is missing or was altered.
        """
        dataset = Dataset.load(run)
        try:
            stale = np.load(run.path / _STALE, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{run.path / _STALE} cannot be read: {error}") from error
        return cls(dataset, market_panel(dataset.market, stale))


@dataclass(frozen=True)
class FeaturedPanel:
    """Checked bars of every asset on one clock with their features, before scaling.

    Attributes:
        panel: The assets.
        columns: The feature set.
        blocks: Its columns of every asset, unscaled; float32, shape (A, T, F), NaN in the first `warmup` rows.
        look: What a decision sees of each asset.
        split: Rows that may be used for what.
        facts: Where the bars came from and what was done to them; JSON.
    """

    panel: Panel
    columns: FeatureSet
    blocks: np.ndarray
    look: Look
    split: Split
    facts: dict[str, Any]

    @property
    def warmup(self) -> int:
        """Rows before the first whose features are known."""
        return self.columns.warmup_on(self.panel.timeframe)

    def scaler(self, recipe: PortfolioRecipe) -> Scaler:
        """Fit one scaler on the training rows of all assets, and on those of their first windows."""
        shown = self.split.shown(self.look.reach, self.warmup)
        parts = [self.blocks[:, each.start : each.stop] for each in shown]
        training = np.concatenate(parts, axis=1).reshape(-1, self.blocks.shape[2])
        fitted = Scaler.fit(training, range(len(training)), self.columns.columns, recipe.features.scaling)
        return replace(fitted, fitted_rows=(shown[0].start, shown[-1].stop))

    def scaled(self, scaler: Scaler) -> np.ndarray:
        """Return the features of every asset as networks read them, float32, shape (A, T, F)."""
        return np.stack([scaler.transform(block, self.columns.columns) for block in self.blocks])


def featured_panel(recipe: PortfolioRecipe, data_root: Path) -> FeaturedPanel:
    """Load, check, align and split the bars of a recipe, and compute its features.

    Args:
        recipe: What to make.
        data_root: Folder of imported bars; features are kept below it for later runs.

    Raises:
        ConfigError: Clocks, windows and columns do not fit together.
        DataError: The bars are missing, bad, or too few.
    """
    panel, facts = checked_panel(recipe, data_root)
    return featured_bars(recipe, panel, data_root, facts)


def checked_panel(recipe: PortfolioRecipe, data_root: Path) -> tuple[Panel, dict[str, Any]]:
    """Load, check and align the bars of a recipe.

    Returns:
        The assets, and where their bars came from and what was done to them.

    Raises:
        DataError: The bars are missing or bad.
    """
    frames, facts = load_frames(recipe, data_root)
    checked = {symbol: _checked(recipe, symbol, bars) for symbol, bars in frames.items()}
    timeframe = Timeframe.infer(timestamps_ms(next(iter(checked.values()))[0]))
    rule = recipe.data.rule if isinstance(recipe.data, PanelFiles) else "intersection"
    panel = align({symbol: bars for symbol, (bars, _) in checked.items()}, timeframe, rule)
    quality = {symbol: report for symbol, (_, report) in checked.items()}
    return panel, {**facts, "quality": quality, "panel": panel.facts}


def featured_bars(recipe: PortfolioRecipe, panel: Panel, data_root: Path, facts: Mapping[str, Any]) -> FeaturedPanel:
    """Split a panel and compute the features of every asset; arguments and errors as for `featured_panel`."""
    columns = feature_set(recipe.features)
    look = look_of(recipe, columns, panel.timeframe)
    first = columns.warmup_on(panel.timeframe) + look.reach - 1
    split = chronological_split(first, len(panel), recipe.split, purge_of_look(look))
    made = [cached_features(panel.bars(symbol), columns, panel.timeframe, data_root) for symbol in panel.symbols]
    notes = [note for _, told in made for note in told]
    if columns.lookahead:
        notes.append(f"features look {columns.lookahead} bars into the future: nothing made with them can run live or count")
    told = {**facts, "notes": list(dict.fromkeys(notes))}
    return FeaturedPanel(panel, columns, np.stack([block for block, _ in made]), look, split, told)


def purge_of_look(look: Look, warmup: int = 0) -> int:
    """Return how many rows a portfolio leaves unused between two parts; see `purge_rows`. Its reward is that of the next bar.

    Args:
        look: What a decision sees.
        warmup: Rows that features remember, where training rows follow test rows.
    """
    return purge_rows(look.reach, 0, warmup)


def prepare_portfolio(recipe: PortfolioRecipe, data_root: Path, scaler: Scaler | None = None) -> PortfolioDataset:
    """Make the dataset of a recipe.

    Args:
        recipe: What to make.
        data_root: As for `featured_panel`.
        scaler: A bundle's, to judge it on other bars; None fits one on the training rows.

    Raises:
        ConfigError, DataError: As `featured_panel`.
    """
    return scaled_panel(recipe, featured_panel(recipe, data_root), scaler)


def scaled_panel(recipe: PortfolioRecipe, made: FeaturedPanel, scaler: Scaler | None = None) -> PortfolioDataset:
    """Scale the features of a recipe's assets.

    Args:
        recipe: What they were made for.
        made: The assets, with a split.
        scaler: As for `prepare_portfolio`.
    """
    scaler = made.scaler(recipe) if scaler is None else scaler
    market = panel_market(made.panel, made.scaled(scaler), made.columns.columns, made.warmup)
    facts = {
        **made.facts,
        "symbol": ", ".join(made.panel.symbols),
        "timeframe": made.panel.timeframe.label,
        "rows": len(made.panel),
        "data_hash": made.panel.content_hash(),
        "market_hash": market.content_hash(),
        "features": list(made.columns.columns),
        "feature_hash": feature_hash(made.columns),
        "omitted": list(omitted_inputs(recipe.features)),
        "warmup": made.warmup,
        "lookahead": made.columns.lookahead,
    }
    return PortfolioDataset(Dataset(market, made.split, scaler, facts), made.panel)


def look_of(recipe: PortfolioRecipe, columns: FeatureSet, timeframe: Timeframe) -> Look:
    """Return what a decision sees of each asset.

    Raises:
        ConfigError: The clocks have different columns, or a longer one is no whole multiple of the bars.
    """
    windows = recipe.environment.windows
    if not isinstance(columns, ClockedFeatureSet):
        return Look.of(len(columns.columns), windows, (1,))
    base, longer = len(columns.base.columns), len(columns.longer.columns)
    if base != longer:
        raise ConfigError(
            f"features.columns gives the base bars {base} columns and the longer ones {longer}; windows of several clocks need the "
            "same of each: allowed: features.columns=[], or one clock"
        )
    return Look.of(base, windows, (1, *columns.ratios(timeframe).values()))


def load_frames(recipe: PortfolioRecipe, data_root: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Read or make the bars of each asset, before any check.

    Returns:
        Bar frames by symbol, and source and reference of the bars.

    Raises:
        DataError: A symbol has no bars.
    """
    data = recipe.data
    if isinstance(data, RegimePanel):
        markets = correlated_markets(data, data.assets, data.seed)
        return {symbol: made.bars for symbol, made in markets.items()}, {"source": "synthetic", "reference": f"seed {data.seed}"}
    frames = _stored_or_files(data, data_root)
    if data.last_bars is not None:
        frames = {symbol: bars.iloc[-data.last_bars :].reset_index(drop=True) for symbol, bars in frames.items()}
    return frames, {"source": "files", "reference": data.path}


def _stored_or_files(data: PanelFiles, data_root: Path) -> dict[str, pd.DataFrame]:
    if "{symbol}" in data.path:
        return {symbol: _one(data.path.replace("{symbol}", symbol), data_root) for symbol in data.symbols}
    pattern = f"{data.path}/*" if Path(data.path).is_dir() else data.path
    found = {infer_identity(Path(name))[1]: name for name in sorted(glob.glob(pattern)) if Path(name).is_file()}
    missing = [symbol for symbol in data.symbols if symbol not in found]
    if missing or not found:
        raise DataError(
            f"data.path {data.path} has no file of {', '.join(missing) or 'any symbol'}; it has: {', '.join(found) or 'none'}"
        )
    return {symbol: _one(found[symbol], data_root) for symbol in data.symbols or found}


def _one(reference: str, data_root: Path) -> pd.DataFrame:
    store = Store(data_root)
    if not Path(reference).is_file() and store.has(reference):
        return store.load(reference)[0]
    return read_bars(Path(reference), Path.cwd())


def _checked(recipe: PortfolioRecipe, symbol: str, bars: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    # Made bars may lie in a future of their own.
    now = None if isinstance(recipe.data, PanelFiles) else bars["timestamp"].iloc[-1].to_pydatetime()
    try:
        kept, report = apply_quality(bars, recipe.quality, now=now)
    except DataError as error:
        raise DataError(f"{symbol}: {error}") from error
    return kept, report.to_dict()
