"""Windows of several assets at once, gathered by row from the blocks of a panel, in one clock or in several.

A market of A assets on one clock holds its series end to end, all of the same length: row t of the first series is row t of every
asset. Columns of longer bars stand beside those of the base bars, each as it was last known. A look back in a longer clock is
therefore every so-many-th row of its columns: with four base bars in a longer one, rows t, t - 4, t - 8 … show one longer bar each,
as long as no bar is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.core.protocols import Observation
from seawall.nets.windows import feature_tensor


@dataclass(frozen=True)
class Frame:
    """The look back in one clock.

    Attributes:
        rows: T, bars of that clock that are seen.
        stride: Base bars in one of them.
        first: First of its columns in the feature block.
    """

    rows: int
    stride: int
    first: int

    @property
    def reach(self) -> int:
        """Base rows from the oldest that is seen to the newest, both included."""
        return (self.rows - 1) * self.stride + 1


@dataclass(frozen=True)
class Look:
    """What a policy of portfolios sees of each asset: F columns of each frame, frame below frame.

    Attributes:
        columns: F, the same for every frame.
        frames: The clocks, the base one first.
    """

    columns: int
    frames: tuple[Frame, ...]

    @classmethod
    def of(cls, columns: int, rows: Sequence[int], strides: Sequence[int]) -> Look:
        """Lay out frames whose columns stand side by side in the block, in order.

        Args:
            columns: F, columns of each frame.
            rows: T of each frame.
            strides: Base bars in a bar of each frame.
        """
        frames = (Frame(count, stride, place * columns) for place, (count, stride) in enumerate(zip(rows, strides, strict=True)))
        return cls(columns, tuple(frames))

    @property
    def rows(self) -> int:
        """L, rows of all frames together."""
        return sum(frame.rows for frame in self.frames)

    @property
    def reach(self) -> int:
        """Base rows that a decision looks back on, its own included."""
        return max(frame.reach for frame in self.frames)


class PanelGatherer:
    """Gathers what a policy sees of all assets."""

    def __init__(self, features: Tensor, look: Look) -> None:
        """Take the blocks; no window is copied before it is asked for.

        Args:
            features: Of each asset and row, shape (A, T, C), C being at least the columns of all frames.
            look: What is seen.

        Raises:
            DataError: The blocks are shorter than the look, or have too few columns.
        """
        assets, rows, columns = features.shape
        needed = max(frame.first for frame in look.frames) + look.columns
        if rows < look.reach or columns < needed:
            raise DataError(
                f"the panel has {rows} rows of {columns} columns; a look of {look.reach} rows and {needed} columns needs as many"
            )
        self.look = look
        block = features.contiguous()
        # Window i of a frame starts at row i: views of one block, assets in the second axis, so that a gather needs no reordering.
        self._views = [
            block.as_strided(
                (rows - frame.reach + 1, assets, frame.rows, look.columns),
                (columns, rows * columns, frame.stride * columns, 1),
                block.storage_offset() + frame.first,
            )
            for frame in look.frames
        ]

    def __call__(self, rows: Tensor) -> Tensor:
        """Return what is seen at the close of some rows.

        Args:
            rows: Row of the bar that has just closed, any integer type, shape (B,).

        Returns:
            Shape (B, A, L, F): of each frame the oldest row first. All of it is known at the close of the row.

        Raises:
            IndexError: A window would start before the first row, or end after the last.
        """
        wanted = rows.long()
        parts = [
            view.index_select(0, wanted - (frame.reach - 1)) for view, frame in zip(self._views, self.look.frames, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 2)


class ObservedPanels:
    """Gathers what observations of a panel refer to, on the host."""

    def __init__(self, look: Look) -> None:
        """Take what is seen; no market is known before the first observation."""
        self.look = look
        self._market: Market | None = None
        self._gather: PanelGatherer | None = None

    def __call__(self, observation: Observation) -> Tensor:
        """Return what is seen of every asset, shape (N, A, L, F).

        Raises:
            DataError: The series of the market are not of one length.
            IndexError: A window would start before the first row.
        """
        if self._gather is None or self._market is not observation.market:
            self._market = observation.market
            self._gather = PanelGatherer(panel_features(observation.market), self.look)
        return self._gather(torch.as_tensor(observation.rows))


def panel_features(market: Market, device: torch.device | str = "cpu") -> Tensor:
    """Return the features of a market of several assets on one clock, shape (A, T, C); on the CPU nothing is copied.

    Raises:
        DataError: Its series are not of one length.
    """
    lengths = {stop - start for start, stop in zip(market.starts, market.starts[1:], strict=False)}
    if len(lengths) != 1:
        raise DataError(f"the series of the market have {sorted(lengths)} rows; a panel has the same bars of every asset")
    return feature_tensor(market.features, device).view(len(market.symbols), lengths.pop(), -1)
