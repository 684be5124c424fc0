"""The market as data: read-only blocks of prices and features, addressed by row.

The market does not react to us, so it is stored once. Everything else (environments, buffers, ledgers) refers
to it by row, and windows are gathered only where a network needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import array_digest, read_json, replacing_folder, to_json
from seawall.core.timeframe import Timeframe

_BLOCKS = ("timestamps", "prices", "features")


@dataclass(frozen=True)
class RowRange:
    """Consecutive rows of a market in which decisions are taken.

    Attributes:
        start: First row at whose close a decision is taken.
        stop: One past the last row; row ``stop - 1`` is marked to market but needs no decision.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not 0 <= self.start < self.stop:
            raise ConfigError(f"row range {self.start}..{self.stop} is empty; the first row must be at least 0 and before the last")

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Market:
    """One or more series (symbols), laid end to end in shared blocks.

    Attributes:
        symbols: Name of each series, S of them.
        starts: Row at which each series starts, and one past the last row; S + 1 values.
        timeframe: Bar length, the same for every series.
        timestamps: Opening times in milliseconds UTC, int64, shape (T,).
        prices: Open, high, low, close, volume; float64, shape (T, 5).
        features: Scaled features, known at the close of their row; float32, shape (T, F).
        feature_names: Names of the F columns.
        ready: For each series the first row whose features are all warmed up.
    """

    symbols: tuple[str, ...]
    starts: tuple[int, ...]
    timeframe: Timeframe
    timestamps: np.ndarray
    prices: np.ndarray
    features: np.ndarray
    feature_names: tuple[str, ...]
    ready: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the blocks fit together."""
        rows = len(self.timestamps)
        shapes = {"prices": (self.prices.shape, (rows, 5)), "features": (self.features.shape, (rows, len(self.feature_names)))}
        for name, (seen, wanted) in shapes.items():
            if seen != wanted:
                raise DataError(f"market block {name!r} has shape {seen}; {wanted} is needed for {rows} rows")
        if len(self.starts) != len(self.symbols) + 1 or self.starts[-1] != rows or len(self.ready) != len(self.symbols):
            raise DataError(
                f"market has {len(self.symbols)} symbols, starts {self.starts} and {rows} rows, which do not fit together"
            )

    def __len__(self) -> int:
        """Return the number of rows over all series."""
        return len(self.timestamps)

    def content_hash(self) -> str:
        """Return a hash over every block and name."""
        names = np.frombuffer("\n".join((*self.symbols, *self.feature_names, self.timeframe.label)).encode(), dtype=np.uint8)
        return array_digest(self.timestamps, self.prices, self.features, names, np.asarray(self.starts), np.asarray(self.ready))

    def save(self, folder: Path) -> None:
        """Write the blocks as ``.npy`` files and a manifest, all or nothing."""
        with replacing_folder(folder) as temporary:
            for name in _BLOCKS:
                np.save(temporary / f"{name}.npy", np.ascontiguousarray(getattr(self, name)))
            manifest = {
                "symbols": self.symbols,
                "starts": self.starts,
                "timeframe": self.timeframe.label,
                "feature_names": self.feature_names,
                "ready": self.ready,
            }
            (temporary / "market.json").write_text(to_json(manifest), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Market:
        """Map the blocks of a saved market into memory, read-only; processes share the pages.

        Raises:
            DataError: The folder holds no whole market.
        """
        manifest = read_json(folder / "market.json", "symbols", "starts", "timeframe", "feature_names", "ready")
        try:
            blocks = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _BLOCKS}
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"market {folder} cannot be read: {error}") from error
        return cls(
            symbols=tuple(manifest["symbols"]),
            starts=tuple(manifest["starts"]),
            timeframe=Timeframe.parse(manifest["timeframe"]),
            feature_names=tuple(manifest["feature_names"]),
            ready=tuple(manifest["ready"]),
            **blocks,
        )
