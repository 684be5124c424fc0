"""What attributions of several seeds say together: ranks, shares, how far the seeds agree, and whether the ranks mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

TOP = 5
AGREE, DISAGREE = 0.6, 0.3
"""Kendall's tau between seeds from which they are said to agree, and below which to disagree."""
RESEMBLES = 0.5
"""Rank correlation with an untrained network from which a ranking is said to resemble that of one."""
SHOWN_DIGITS = 2
"""Bounds hold for figures as they are shown, so that no 0.50 is called below 0.5."""
_NOTHING = 1e-12


@dataclass(frozen=True)
class Importance:
    """What one method found out about one network at B bars.

    Attributes:
        signed: Attribution of each input at each bar, over the whole window and all assets, float64, shape (B, F + S).
        size: Mean absolute attribution of each input, float64, shape (F + S,): features, then columns of the account row.
        lags: Of each row of the window, float64, shape (L,).
        assets: Of each asset, float64, shape (A,); empty for one series.
        cells: Of each feature at each row of the window, float64, shape (F, L); None where it was not measured.
    """

    signed: np.ndarray
    size: np.ndarray
    lags: np.ndarray
    assets: np.ndarray
    cells: np.ndarray | None = None

    @property
    def nothing(self) -> bool:
        """Whether no input moves the target."""
        return float(self.size.sum()) <= _NOTHING


def of_gradients(windows: np.ndarray, account: np.ndarray) -> Importance:
    """Sum up integrated gradients.

    Args:
        windows: Signed attributions, shape (B, L, F), or (B, A, L, F) of portfolios.
        account: Likewise, shape (B, S).
    """
    several = windows.ndim == 4
    wide = windows if several else windows[:, None]
    absolute = np.abs(wide)
    size = np.concatenate([absolute.sum((1, 2)).mean(0), np.abs(account).mean(0)])
    signed = np.concatenate([wide.sum((1, 2)), account], 1)
    assets = absolute.sum((2, 3)).mean(0) if several else np.zeros(0)
    return Importance(signed, size, absolute.sum((1, 3)).mean(0), assets, absolute.sum(1).mean(0).T)


def of_occlusion(features: np.ndarray, account: np.ndarray, lags: np.ndarray, assets: np.ndarray) -> Importance:
    """Sum up what occlusion measured, shapes (B, F), (B, S), (B, L) and (B, A)."""
    signed = np.concatenate([features, account], 1)
    return Importance(signed, np.abs(signed).mean(0), np.abs(lags).mean(0), np.abs(assets).mean(0))


def shares(sizes: np.ndarray) -> np.ndarray:
    """Return sizes (..., n) as shares that add up to 1; zeros where there is nothing to share."""
    total = sizes.sum(-1, keepdims=True)
    return np.divide(sizes, total, out=np.zeros_like(sizes), where=total > _NOTHING)


def agreement(sizes: Sequence[np.ndarray]) -> dict[str, Any]:
    """Say how far seeds rank the inputs alike.

    Args:
        sizes: Of each input, one array of shape (n,) per seed.

    Returns:
        ``tau``, Kendall's tau-b, and ``top``, the share of the first five that two seeds have in common, both the mean over all
        pairs; None where there are no two seeds or no two inputs. And the ``level``: agree, partly, disagree or unknown.
    """
    pairs = list(combinations(sizes, 2))
    taus = [_statistic(kendalltau(*pair)) for pair in pairs if len(pair[0]) > 1]
    taus = [tau for tau in taus if np.isfinite(tau)]
    if not taus:
        return {"tau": None, "top": None, "pairs": 0, "level": "unknown"}
    tau = float(np.mean(taus))
    shown = round(tau, SHOWN_DIGITS)
    level = "agree" if shown >= AGREE else "disagree" if shown < DISAGREE else "partly"
    return {"tau": tau, "top": float(np.mean([_common(*pair) for pair in pairs])), "pairs": len(pairs), "level": level}


def against_untrained(trained: Mapping[int, np.ndarray], untrained: Mapping[int, np.ndarray]) -> dict[str, Any]:
    """Compare rankings with those of networks whose weights were never trained.

    A ranking that random weights give too tells how the inputs are scaled and wired, and nothing that was learned.
    Source: Adebayo et al. 2018, arXiv 1810.03292.

    Args:
        trained: Of each seed the size of each input, shape (n,).
        untrained: The same of a network with fresh random weights.

    Returns:
        ``spearman``, the mean rank correlation over the seeds, and that of each; None where it is undefined. And the ``level``:
        differs, resembles or unknown.
    """
    each = {seed: correlation(size, untrained[seed]) for seed, size in trained.items()}
    found = [value for value in each.values() if value is not None]
    mean = float(np.mean(found)) if found else None
    level = "unknown" if mean is None else "resembles" if round(mean, SHOWN_DIGITS) >= RESEMBLES else "differs"
    return {"spearman": mean, "seeds": {str(seed): value for seed, value in each.items()}, "level": level}


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Spearman's rank correlation; None for fewer than three inputs, or where one side is all alike."""
    if len(first) < 3 or np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return None
    return _statistic(spearmanr(first, second))


def summary(
    seeds: Mapping[int, Importance], names: Sequence[str], n_features: int, lag_names: Sequence[str], asset_names: Sequence[str]
) -> dict[str, Any]:
    """Lay out what a method found: every input with its share, the rows of the window, the assets, and how far seeds agree.

    The share of an input is the mean of the seeds' own shares, so that a seed whose target moves more does not outweigh the others;
    seeds that no input moves have no shares, and are left out and named.

    Args:
        seeds: By seed.
        names: Of the inputs: the features, then the columns of the account row.
        n_features: F, how many are features.
        lag_names: Of the rows of the window, oldest first.
        asset_names: Of the assets; empty for one series.

    Returns:
        Plain values. ``nothing`` is true where no input moves any seed; then nothing is ranked.
    """
    moved = {seed: found for seed, found in seeds.items() if not found.nothing}
    silent = [seed for seed in seeds if seed not in moved]
    if not moved:
        return {"nothing": True, "silent_seeds": silent, "inputs": [], "lags": [], "assets": [], "heat_map": None}
    ours, found = list(moved), list(moved.values())
    signed = np.mean([each.signed.mean(0) for each in found], axis=0)
    kinds = ["feature" if place < n_features else "account" for place in range(len(names))]
    inputs = _rows(names, [each.size for each in found], ours)
    for row, kind, mean in zip(inputs, kinds, signed, strict=True):
        row.update(kind=kind, signed=float(mean))
    cells = [each.cells for each in found if each.cells is not None]
    heat = np.mean([each / max(float(each.sum()), _NOTHING) for each in cells], axis=0) if cells else None
    return {
        "nothing": False,
        "silent_seeds": silent,
        "inputs": sorted(inputs, key=lambda row: -row["share"]),
        "lags": _rows(lag_names, [each.lags for each in found], ours),
        "assets": _rows(asset_names, [each.assets for each in found], ours),
        "heat_map": None if heat is None else {"features": list(names[:n_features]), "lags": list(lag_names), "shares": heat},
        "agreement": agreement([each.size for each in found]),
    }


def by_action(seeds: Mapping[int, Importance], names: Sequence[str], actions: Sequence[str]) -> list[dict[str, Any]]:
    """Return the mean signed attribution of each input at the bars of each action, over bars and seeds; commonest action first.

    Args:
        seeds: By seed.
        names: Of the inputs.
        actions: What the ensemble chose at each bar, in words.
    """
    taken = np.array(actions)
    told, counts = np.unique(taken, return_counts=True)
    mean = np.mean([found.signed for found in seeds.values()], axis=0)
    return [
        {
            "action": str(told[place]),
            "bars": int(counts[place]),
            "signed": dict(zip(names, mean[taken == told[place]].mean(0).tolist(), strict=True)),
        }
        for place in np.argsort(-counts, kind="stable")
    ]


def _rows(names: Sequence[str], sizes: Sequence[np.ndarray], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Return for each name its mean share, its lowest and highest, and the mean size."""
    split = shares(np.stack(sizes))
    return [
        {
            "name": name,
            "share": float(split[:, place].mean()),
            "lowest": float(split[:, place].min()),
            "highest": float(split[:, place].max()),
            "size": float(np.mean([size[place] for size in sizes])),
            "seeds": {str(seed): float(split[number, place]) for number, seed in enumerate(seeds)},
        }
        for place, name in enumerate(names)
    ]


def _statistic(result: Any) -> float:
    return float(result.statistic)


def _common(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of the largest five of two arrays that both have."""
    most = min(TOP, len(first))
    ours, theirs = (set(np.argsort(-each, kind="stable")[:most].tolist()) for each in (first, second))
    return len(ours & theirs) / most
