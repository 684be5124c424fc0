"""From a recipe to the market it trains on: bars, quality, features, split, scaler, in that order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import bars_digest, from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import DataError
from seawall.core.files import read_json, write_json
from seawall.core.market import Market, RowRange
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import compute_features, feature_hash
from seawall.features.registry import feature_set
from seawall.features.scaling import Scaler
from seawall.market.files import infer_identity, read_bars
from seawall.market.quality import apply_quality
from seawall.market.splits import Split, chronological_split
from seawall.market.store import Store
from seawall.market.synthetic.known import planted_edge_bars
from seawall.market.synthetic.regimes import regime_bars
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

    def dates(self) -> dict[str, dict[str, Any]]:
        """Return the first and last bar of training, validation and test, and how many bars each has."""
        parts = {"training": self.split.train, "validation": self.split.validation, "test": self.split.test}
        times = from_milliseconds(self.market.timestamps)
        return {
            name: {"first": str(times[rows.start])[:16], "last": str(times[rows.stop - 1])[:16], "bars": len(rows)}
            for name, rows in parts.items()
        }


def prepare(recipe: Recipe, data_root: Path, scaler: Scaler | None = None) -> Dataset:
    """Make the dataset of a recipe.

    Args:
        recipe: What to make.
        data_root: Folder of imported bars, for references such as binance/BTCUSDT/1h.
        scaler: A bundle's, to judge it on other bars; None fits one on the training rows.

    Raises:
        DataError: The bars are missing, bad, or too few.
    """
    bars, origin = load_bars(recipe, data_root)
    bars, quality = apply_quality(bars, recipe.quality, now=_clock(recipe, bars))
    timeframe = Timeframe.infer(timestamps_ms(bars))
    columns = feature_set(recipe.features)
    block = compute_features(bars, columns, timeframe)
    window = recipe.environment.window
    split = chronological_split(
        columns.warmup + window - 1, len(bars), recipe.split, purge=window + recipe.simulator.reward.horizon
    )
    if scaler is None:
        scaler = Scaler.fit(block, RowRange(columns.warmup, split.train.stop), columns.columns, recipe.features.scaling)
    scaled = scaler.transform(block, columns.columns)
    market = _market(bars, timeframe, scaled, columns.columns, columns.warmup, origin["symbol"])
    facts = {
        **origin,
        "timeframe": timeframe.label,
        "rows": len(bars),
        "data_hash": bars_digest(bars),
        "market_hash": market.content_hash(),
        "quality": quality.to_dict(),
        "features": list(columns.columns),
        "feature_hash": feature_hash(columns),
        "omitted": list(recipe.features.omit),
        "warmup": columns.warmup,
    }
    return Dataset(market, split, scaler, facts)


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
        return _stored_or_file(data.path, data_root)
    if isinstance(data, PlantedEdgeData):
        symbol = "PLANTED" if data.edge else "RANDOMWALK"
        return planted_edge_bars(data, data.seed).bars, {"source": "synthetic", "symbol": symbol, "reference": f"seed {data.seed}"}
    return regime_bars(data, data.seed).bars, {"source": "synthetic", "symbol": "REGIMES", "reference": f"seed {data.seed}"}


def _stored_or_file(reference: str, data_root: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    store = Store(data_root)
    if not Path(reference).is_file() and store.has(reference):
        bars, manifest = store.load(reference)
        return bars, {"source": manifest["source"], "symbol": manifest["symbol"], "reference": reference}
    bars = read_bars(Path(reference), Path.cwd())
    source, symbol, _timeframe = infer_identity(Path(reference))
    return bars, {"source": source, "symbol": symbol, "reference": Path(reference).name}


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
