"""What an encoder is taught, as one block of features and blocks of targets, addressed by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seawall.core.bars import BAR_COLUMNS
from seawall.core.files import array_digest
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import iso_ms
from seawall.features.arithmetic.arrays import BarArrays
from seawall.features.labels.candles import CANDLE
from seawall.features.labels.regimes import REGIMES, UNKNOWN, class_balance, refuse_rare
from seawall.features.labels.targets import targets_of
from seawall.nets.pretraining import PretrainingBatch, TargetSizes
from seawall.nets.windows import WindowGatherer, feature_tensor
from seawall.training.pretraining.params import PretrainingParams
from seawall.training.pretraining.rows import evenly, purged_split, series_of, whole_rows


class Lessons:
    """Windows and targets of the bars in some ranges; targets are made of the bars of one range each, and of no others.

    Attributes:
        params: What is taught.
        window: L, bars of a window.
        n_features: F, columns.
        sizes: Numbers that each head makes.
        train: Rows to learn from, int64, in order of time.
        validation: Later rows to judge on, int64, in order of time, all of them.
        facts: What was seen, for the manifest: ranges, times, counts, class balance, hash.
    """

    def __init__(
        self, market: Market, ranges: Sequence[RowRange], window: int, params: PretrainingParams, device: str = "cpu"
    ) -> None:  # fmt: skip
        """Make the targets and split the rows.

        Args:
            market: Bars and scaled features.
            ranges: Bars that may be seen, each range within one series: the training rows of whatever the encoder will serve.
            window: L.
            params: What is taught, and the split.
            device: Where the tensors live.

        Raises:
            ConfigError: A range lies in more than one series.
            DataError: Too few rows, or a regime that hardly occurs.
        """
        self.params, self.window, self.n_features = params, window, market.features.shape[1]
        self.sizes = TargetSizes(len(CANDLE), len(REGIMES), params.targets.levels.pivots.grid, len(params.targets.horizons))
        blocks = _Blocks(len(market), self.sizes)
        for each in ranges:
            blocks.fill(market, each, params)
        rows = whole_rows(market, ranges, window, params.horizon)
        rows = rows[blocks.known(rows, window, params.heads.on)]
        split = purged_split(market.timestamps, rows, window, params.horizon, params.validation, params.embargo)
        self.train, self.validation = split.train, split.validation
        balance = class_balance(blocks.regimes[self.train])
        if "regimes" in params.heads.on:
            refuse_rare(balance, params.targets.regimes.rarest)
        self.device = device
        self._windows = WindowGatherer(feature_tensor(market.features, device), window)
        self._candles = WindowGatherer(torch.from_numpy(blocks.candles).to(device), window)
        self._regimes = torch.from_numpy(blocks.regimes).to(device)
        self._heatmaps = torch.from_numpy(blocks.heatmaps).to(device)
        self._returns = torch.from_numpy(blocks.returns).to(device)
        self.facts = _facts(market, ranges, self.train, self.validation, balance)

    def judged(self) -> np.ndarray:
        """Return the validation rows that an epoch is judged on."""
        return evenly(self.validation, self.params.validation_windows)

    def batch(self, rows: np.ndarray, masks: np.ndarray) -> PretrainingBatch:
        """Gather windows and targets.

        Args:
            rows: Of `train` or `validation`, int64, shape (B,).
            masks: Bars to hide, bool, shape (B, L).
        """
        at = torch.from_numpy(rows).to(self.device)
        return PretrainingBatch(
            self._windows(at), torch.from_numpy(np.ascontiguousarray(masks)).to(self.device), self._candles(at),
            self._regimes[at], self._heatmaps[at], self._returns[at],
        )  # fmt: skip

    def targets(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return candles (N, K), regimes (N,), heatmaps (N, cells) and returns (N, H) of some rows, without windows."""
        at = torch.from_numpy(rows).to(self.device)
        return self._candles(at)[:, -1], self._regimes[at], self._heatmaps[at], self._returns[at]


class _Blocks:
    """Targets of every row of a market; unknown outside of what is filled."""

    def __init__(self, rows: int, sizes: TargetSizes) -> None:
        self.candles = np.full((rows, sizes.candle), np.nan, np.float32)
        self.regimes = np.full(rows, UNKNOWN, np.int64)
        self.heatmaps = np.full((rows, sizes.cells), np.nan, np.float32)
        self.returns = np.full((rows, sizes.horizons), np.nan, np.float32)

    def fill(self, market: Market, rows: RowRange, params: PretrainingParams) -> None:
        at = slice(rows.start, rows.stop)
        columns = {name: np.ascontiguousarray(market.prices[at, place]) for place, name in enumerate(BAR_COLUMNS)}
        made = targets_of(BarArrays(market.timestamps[at], columns), params.targets)
        self.candles[at], self.regimes[at] = made.candles, made.regimes
        self.heatmaps[at], self.returns[at] = made.heatmap, made.returns

    def known(self, rows: np.ndarray, window: int, heads: Sequence[str]) -> np.ndarray:
        """Say of which rows every head that is on can be taught."""
        known = np.ones(len(rows), dtype=bool)
        if "regimes" in heads:
            known &= self.regimes[rows] != UNKNOWN
        if "levels" in heads:
            known &= np.isfinite(self.heatmaps[rows]).all(axis=1)
        if "quantiles" in heads:
            known &= np.isfinite(self.returns[rows]).all(axis=1)
        if "candles" in heads:
            unknown = np.concatenate([[0], np.cumsum(~np.isfinite(self.candles).all(axis=1))])
            known &= unknown[rows + 1] == unknown[rows + 1 - window]
        return known


def _facts(
    market: Market, ranges: Sequence[RowRange], train: np.ndarray, validation: np.ndarray, balance: dict[str, float]
) -> dict[str, Any]:
    seen = [
        {
            "symbol": market.symbols[series_of(market, each)],
            "rows": len(each),
            "first": iso_ms(int(market.timestamps[each.start])),
            "last": iso_ms(int(market.timestamps[each.stop - 1])),
        }
        for each in ranges
    ]
    blocks = [block[each.start : each.stop] for each in ranges for block in (market.timestamps, market.prices, market.features)]
    return {
        "ranges": seen,
        "last_seen_ms": max(int(market.timestamps[each.stop - 1]) for each in ranges),
        "train_windows": len(train),
        "validation_windows": len(validation),
        "train_last": iso_ms(int(market.timestamps[train[-1]])),
        "validation_first": iso_ms(int(market.timestamps[validation[0]])),
        "regime_balance": balance,
        "hash": array_digest(*blocks),
    }
