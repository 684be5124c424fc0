"""From a recipe to the market it trains on: bars, quality, features, split, scaler, in that order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import OPTIONAL_COLUMNS, bars_digest, from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, write_json
from seawall.core.market import Market
from seawall.core.protocols import FeatureSet, GuardFacts
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.features.cache.cache import cached_features
from seawall.features.own import file_columns, fitted_too_late, from_first_number, scaled_in_file
from seawall.features.pipeline import feature_hash
from seawall.features.registry import feature_set, omitted_inputs
from seawall.features.scaling.scaler import Scaler, ScalingKind
from seawall.market.checks.quality import apply_quality
from seawall.market.checks.report import QualityReport
from seawall.market.files import infer_identity, read_bars
from seawall.market.splits import Split, chronological_split, purge_rows
from seawall.market.storage.store import Store
from seawall.market.synthetic.known import planted_edge_bars
from seawall.market.synthetic.regimes import regime_bars
from seawall.market.trends.reading import FILE_TIME, download_time, read_trends
from seawall.market.trends.relative import attach_trends
from seawall.market.trends.storage import SOURCE, load_trends
from seawall.recipes.schema import FileData, PlantedEdgeData, Recipe


@dataclass(frozen=True)
class Dataset:
    """A market with the rows that may be used for what.

    Attributes:
        market: Bars and scaled features.
        split: Training, validation and test rows.
        scaler: Fitted on the training rows only.
        facts: Where the bars came from and what was done to them; JSON.
    """

    market: Market
    split: Split
    scaler: Scaler
    facts: dict[str, Any]

    def save(self, run: RunFolder) -> None:
        """Write the market block and the facts into a run folder."""
        self.market.save(run.market)
        write_json(run.dataset, {"facts": self.facts, "split": self.split.to_dict(), "scaler": self.scaler.to_dict()})

    @classmethod
    def load(cls, run: RunFolder) -> Dataset:
        """Map a saved dataset; its market is checked against the hash it was saved with.

        Raises:
            DataError: The dataset is missing or was altered.
        """
        saved = read_json(run.dataset, "facts", "split", "scaler")
        market = Market.load(run.market)
        if market.content_hash() != saved["facts"]["market_hash"]:
            raise DataError(f"market {run.market} is not the one the run was made with: its content hash differs")
        return cls(market, Split.from_dict(saved["split"]), Scaler.from_dict(saved["scaler"]), saved["facts"])

    @property
    def guard_facts(self) -> GuardFacts:
        """What guards are told of the run when they are put together."""
        return GuardFacts(self.market.timeframe, self.market.feature_names, self.scaler.training_range)

    def dates(self) -> dict[str, dict[str, Any]]:
        """Return the first and last bar of training, validation and test, and how many bars each has."""
        parts = {"training": self.split.train, "validation": self.split.validation, "test": self.split.test}
        times = from_milliseconds(self.market.timestamps)
        return {
            name: {"first": str(times[rows.start])[:16], "last": str(times[rows.stop - 1])[:16], "bars": len(rows)}
            for name, rows in parts.items()
        }


@dataclass(frozen=True)
class Featured:
    """Checked bars with their features, before scaling.

    Attributes:
        bars: A bar frame of T rows.
        quality: What the check found and did.
        timeframe: Length of a bar.
        columns: The feature set.
        block: Its columns, unscaled; float32, shape (T, F), NaN in the first `warmup` rows; not writable.
        split: Rows that may be used for what.
        window: Rows that a decision sees.
        marker: What the bars' file says of its scaling, or None.
        origin: Source, symbol and reference of the bars.
        trends: What is known of the search interest beside them, or None.
        notes: What the user should know, in plain words.
    """

    bars: pd.DataFrame
    quality: QualityReport
    timeframe: Timeframe
    columns: FeatureSet
    block: np.ndarray
    split: Split
    window: int
    marker: dict[str, Any] | None
    origin: dict[str, Any]
    trends: dict[str, Any] | None
    notes: tuple[str, ...]

    @property
    def warmup(self) -> int:
        """Rows before the first whose features are known."""
        return self.columns.warmup_on(self.timeframe)

    def scaler(self, kind: ScalingKind) -> Scaler:
        """Fit a scaler on the training rows and those of their first windows; columns that their file holds scaled pass."""
        shown, passed = self.split.shown(self.window, self.warmup), scaled_in_file(self.columns, self.marker)
        if len(shown) == 1:
            return Scaler.fit(self.block, shown[0], self.columns.columns, kind, passed)
        training = np.concatenate([self.block[each.start : each.stop] for each in shown])
        fitted = Scaler.fit(training, range(len(training)), self.columns.columns, kind, passed)
        return replace(fitted, fitted_rows=(shown[0].start, shown[-1].stop))


@dataclass(frozen=True)
class Checked:
    """The bars of a recipe, checked and with what stands beside them, before any feature.

    Attributes:
        bars: A bar frame of T rows.
        quality: What the check found and did.
        timeframe: Length of a bar.
        marker: What the bars' file says of its scaling, or None.
        origin: Source, symbol and reference of the bars.
        trends: What is known of the search interest beside them, or None.
        notes: What the user should know, in plain words.
    """

    bars: pd.DataFrame
    quality: QualityReport
    timeframe: Timeframe
    marker: dict[str, Any] | None
    origin: dict[str, Any]
    trends: dict[str, Any] | None
    notes: tuple[str, ...]


def checked(recipe: Recipe, data_root: Path) -> Checked:
    """Load and check the bars of a recipe, as training and paper do.

    Args:
        recipe: Names the bars, and what to do with missing and bad ones.
        data_root: Folder of imported bars.

    Raises:
        DataError: The bars are missing or bad.
    """
    bars, origin = load_bars(recipe, data_root)
    marker = bars.attrs.get("scaling")
    bars, late_start = from_first_number(bars, _own_columns(recipe))
    bars, quality = apply_quality(bars, recipe.quality, now=_clock(recipe, bars))
    timeframe = Timeframe.infer(timestamps_ms(bars))
    bars, trends = _with_trends(recipe, bars, timeframe, data_root)
    return Checked(bars, quality, timeframe, marker, origin, trends, () if late_start is None else (late_start,))


def featured(recipe: Recipe, data_root: Path) -> Featured:
    """Load, check and split the bars of a recipe, and compute its features.

    Args:
        recipe: What to make.
        data_root: Folder of imported bars, for references such as binance/BTCUSDT/1h; features are kept below it for later runs.

    Raises:
        DataError: The bars are missing, bad, or too few.
    """
    return featured_bars(recipe, checked(recipe, data_root), data_root)


def featured_bars(recipe: Recipe, found: Checked, data_root: Path) -> Featured:
    """Split checked bars and compute their features; arguments and errors as for `featured`."""
    bars, timeframe, marker, trends = found.bars, found.timeframe, found.marker, found.trends
    columns = feature_set(recipe.features)
    scaled_in_file(columns, marker)
    warmup, window = columns.warmup_on(timeframe), recipe.environment.window
    if len(bars) < warmup + window:
        raise DataError(
            f"{len(bars)} bars of {timeframe.label} are too few for feature set {columns.name!r}: at least {warmup + window} are "
            f"required ({warmup} to warm up, {window} for a window)"
        )
    block, cache_notes = cached_features(bars, columns, timeframe, data_root)
    split = chronological_split(warmup + window - 1, len(bars), recipe.split, purge_of(recipe))
    notes = (*found.notes, *_foresight_notes(columns), *_trends_notes(recipe, trends, columns), *cache_notes)
    return Featured(bars, found.quality, timeframe, columns, block, split, window, marker, found.origin, trends, notes)


def purge_of(recipe: Recipe, warmup: int = 0) -> int:
    """Return how many rows a recipe leaves unused between two parts; see `purge_rows`.

    Args:
        recipe: Its window and the bars that its reward looks ahead count.
        warmup: Rows that features remember, where training rows follow test rows.
    """
    return purge_rows(recipe.environment.window, recipe.simulator.reward.horizon, warmup)


def prepare(recipe: Recipe, data_root: Path, scaler: Scaler | None = None) -> Dataset:
    """Make the dataset of a recipe.

    Args:
        recipe: What to make.
        data_root: As for `featured`.
        scaler: A bundle's, to judge it on other bars; None fits one on the training rows.

    Raises:
        DataError: As `featured`.
    """
    return scaled(recipe, featured(recipe, data_root), scaler)


def scaled(recipe: Recipe, made: Featured, scaler: Scaler | None = None) -> Dataset:
    """Scale the features of a recipe's bars.

    Args:
        recipe: What they were made for.
        made: The bars, with a split.
        scaler: As for `prepare`.
    """
    bars, columns, split = made.bars, made.columns, made.split
    if scaler is None:
        scaler = made.scaler(recipe.features.scaling)
    features = scaler.transform(made.block, columns.columns)
    market = _market(bars, made.timeframe, features, columns.columns, made.warmup, made.origin["symbol"])
    late = fitted_too_late(made.marker, bars["timestamp"].iloc[split.train.stop - 1])
    facts = {
        **made.origin,
        "timeframe": made.timeframe.label,
        "rows": len(bars),
        "data_hash": bars_digest(bars, recipe.features.columns),
        "market_hash": market.content_hash(),
        "quality": made.quality.to_dict(),
        "features": list(columns.columns),
        "feature_hash": feature_hash(columns),
        "omitted": list(omitted_inputs(recipe.features)),
        "trends": made.trends,
        "scaled_in_file": list(scaler.unscaled),
        "notes": [*made.notes, *([] if late is None else [late])],
        "warmup": made.warmup,
        "lookahead": columns.lookahead,
    }
    return Dataset(market, split, scaler, facts)


def _own_columns(recipe: Recipe) -> list[str]:
    """Return the columns that the user's own file must have beside those that any bars may have."""
    return [name for name in file_columns(recipe.features.columns) if name not in OPTIONAL_COLUMNS]


def _clock(recipe: Recipe, bars: pd.DataFrame) -> datetime | None:
    """Return the time after which a bar cannot have opened; made bars may lie in a future of their own."""
    return None if isinstance(recipe.data, FileData) else bars["timestamp"].iloc[-1].to_pydatetime()


def load_bars(recipe: Recipe, data_root: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read or make the bars of a recipe, before any check.

    Returns:
        The bar frame, and its source, symbol and reference.
    """
    data = recipe.data
    if isinstance(data, FileData):
        bars, origin = _stored_or_file(data, recipe.features.columns, data_root)
        return _newest(bars, data.last_bars), origin
    if isinstance(data, PlantedEdgeData):
        symbol = "PLANTED" if data.edge else "RANDOMWALK"
        return planted_edge_bars(data, data.seed).bars, {"source": "synthetic", "symbol": symbol, "reference": f"seed {data.seed}"}
    return regime_bars(data, data.seed).bars, {"source": "synthetic", "symbol": "REGIMES", "reference": f"seed {data.seed}"}


def _newest(bars: pd.DataFrame, last_bars: int | None) -> pd.DataFrame:
    return bars if last_bars is None else bars.iloc[-last_bars:].reset_index(drop=True)


def _stored_or_file(data: FileData, columns: tuple[str, ...], data_root: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    store = Store(data_root)
    if not Path(data.path).is_file() and store.has(data.path):
        bars, manifest = store.load(data.path)
        return bars, {"source": manifest["source"], "symbol": manifest["symbol"], "reference": data.path}
    own = [name for name in file_columns(columns) if name not in OPTIONAL_COLUMNS]
    bars = read_bars(Path(data.path), Path.cwd(), data.key, own)
    source, symbol, _timeframe = infer_identity(Path(data.path))
    return bars, {"source": source, "symbol": symbol, "reference": Path(data.path).name + (data.key or "")}


def _with_trends(
    recipe: Recipe, bars: pd.DataFrame, timeframe: Timeframe, data_root: Path
) -> tuple[pd.DataFrame, dict[str, Any] | None]:
    wanted = recipe.data.trends if isinstance(recipe.data, FileData) else None
    if wanted is None:
        return bars, None
    parts = wanted.path.split("/")
    folder = Path(wanted.path).resolve()
    if (folder / "manifest.json").is_file():
        data_root, parts = folder.parents[2], [*folder.parts[-3:]]
    if not Path(wanted.path).is_file() and len(parts) == 3 and parts[0] == SOURCE:
        if wanted.downloaded is not None:
            raise ConfigError(
                f"data.trends.downloaded is of files, and {wanted.path} is stored: it was said when that was imported"
            )
        trends = load_trends(data_root, parts[1], parts[2])
    else:
        downloaded = None if wanted.downloaded is None else download_time(wanted.downloaded)
        trends = read_trends(Path(wanted.path), wanted.keyword, now=downloaded)
    bars, facts = attach_trends(bars, timeframe, trends, wanted.form, wanted.lookback)
    when, told = trends.facts.get("downloaded"), trends.facts.get("downloaded_from")
    if told == FILE_TIME and Path(wanted.path).is_file():
        guess = f"{wanted.path} counts as downloaded at {when}, its time of change, which tells whether its last period is whole"
        facts["notes"] = [*facts["notes"], f"{guess}; data.trends.downloaded=DATE says otherwise"]
    return bars, {**facts, "downloaded": when, "downloaded_from": told}


def _foresight_notes(columns: FeatureSet) -> list[str]:
    if not columns.lookahead:
        return []
    return [f"features look {columns.lookahead} bars into the future: nothing made with them can run live or count as evidence"]


def _trends_notes(recipe: Recipe, trends: dict[str, Any] | None, columns: FeatureSet) -> list[str]:
    """Say what is odd about the search interest beside the bars, or that no feature is made of it."""
    if trends is None:
        return []
    if "trends" not in columns.columns:
        why = "features.omit leaves trends out" if "trends" in recipe.features.omit else f"{columns.name} has no column of it"
        cut = f", and {trends['cut_bars']:,} bars before its first values are cut all the same" if trends["cut_bars"] else ""
        return [f"data.trends.path names search interest in {trends['keyword']!r} that no feature uses: {why}{cut}"]
    return list(trends["notes"])


def _market(
    bars: pd.DataFrame, timeframe: Timeframe, features: np.ndarray, names: tuple[str, ...], warmup: int, symbol: str
) -> Market:
    return Market(
        symbols=(symbol,),
        starts=(0, len(bars)),
        timeframe=timeframe,
        timestamps=timestamps_ms(bars),
        prices=price_block(bars),
        features=features,
        feature_names=names,
        ready=(warmup,),
    )
