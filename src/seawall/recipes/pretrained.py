"""The second stage of a recipe in two: a policy on an encoder that was pre-trained before and is frozen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import iso_ms
from seawall.market.splits import Split
from seawall.nets.pretraining import FrozenEncoder
from seawall.training.pretraining.embedding import embed
from seawall.training.pretraining.encoder_folder import MANIFEST, SavedEncoder, check_unseen, load_encoder

if TYPE_CHECKING:
    from seawall.recipes.assembly import Parts
    from seawall.recipes.dataset import Dataset

ENCODER = "encoder"


def freeze(network: Any) -> nn.Module:
    """Freeze the encoder of an actor-critic with one encoder; its weights stay what they are."""
    network.actor_encoder = FrozenEncoder(network.actor_encoder)
    return network


def encoder_folder(reference: str, runs: Path) -> Path:
    """Return the folder of an encoder that is named by it, by its run's, or by the name of its run as `RunFolder.find` takes it.

    Raises:
        ConfigError: No run answers to the reference.
    """
    direct = Path(reference)
    return direct if (direct / MANIFEST).is_file() else RunFolder.find(runs, reference).path / ENCODER


def keep_encoder(parts: Parts, runs: Path, run: RunFolder) -> None:
    """Copy the encoder that a recipe names into its run, so that the run explains itself.

    Args:
        parts: The new run's parts.
        runs: Folder of all runs, in which an encoder's is looked up.
        run: The new run's folder.

    Raises:
        ConfigError: There is no such run.
        DataError: There is no encoder, it was trained on other inputs, or it has seen a bar that will choose or judge the policy.
    """
    reference, dataset = parts.recipe.encoder, parts.dataset
    if reference is None:
        return
    folder = encoder_folder(reference, runs)
    saved, manifest = load_encoder(folder), parts.manifest()
    saved.check(features=manifest["features"], window=manifest["window"], timeframe=manifest["timeframe"])
    if saved.manifest["scaler"] != dataset.scaler.to_dict():
        raise DataError(f"the encoder {folder} saw features of another scaler; pre-train it on this run's training rows")
    refuse_seen(saved.manifest, dataset.split, dataset.market.timestamps)
    saved.copy_into(parts.frozen_encoder(0))
    shutil.copytree(folder, run.path / ENCODER)


def refuse_seen(manifest: Mapping[str, Any], split: Split, times: np.ndarray, who: str = "encoder", *, chosen: bool = True) -> None:
    """Refuse an encoder, or another part that was trained before, that has seen a bar on which the policy will be judged.

    Args:
        manifest: The part's.
        split: What the rows are used for.
        times: When they opened, in milliseconds, int64, shape (T,).
        who: What it is called.
        chosen: Whether the bars on which the policy will be chosen are barred too.

    Raises:
        DataError: It has; both spans are named. Where everything learned is older than what judges, any later bar counts as seen.
    """
    what = "the bars on which the policy is chosen and judged" if chosen else "the bars on which the policy is judged"
    barred = (split.validation, *split.tests) if chosen else split.tests
    if split.in_order:
        check_unseen(manifest, int(times[barred[0].start]), what, who)
        return
    for rows in barred:
        first, last = iso_ms(int(times[rows.start])), iso_ms(int(times[rows.stop - 1]))
        for seen in manifest["seen"]["ranges"]:
            if seen["first"] <= last and first <= seen["last"]:
                raise DataError(
                    f"the {who} has seen bars from {seen['first']} to {seen['last']}, and {what} are from {first} to {last}: it "
                    f"knows them; allowed: one trained on other bars alone"
                )


def kept_encoder(run: RunFolder) -> SavedEncoder | None:
    """Return the encoder that a run keeps; None where it has none."""
    folder = run.path / ENCODER
    return load_encoder(folder) if folder.is_dir() else None


def embedded(dataset: Dataset, encoder: FrozenEncoder, window: int) -> Market:
    """Return a market whose features are the encodings of the rows up to the end of validation; later rows hold NaN.

    Where some of those judge, as in cross-validation, only the rows that are learned from or chosen on are encoded.

    With it a learner, and what scores it, run the encoder once and not at every step.

    Args:
        dataset: The market, and what its rows may be used for.
        encoder: With the weights that it keeps.
        window: L, rows that the encoder sees.
    """
    market, split = dataset.market, dataset.split
    rows = np.arange(market.ready[0] + window - 1, split.validation.stop, dtype=np.int64)
    if not split.in_order:
        rows = np.unique(np.concatenate([np.arange(each.start, each.stop) for each in (*split.training, split.validation)]))
    block = np.full((len(market), encoder.width), np.nan, dtype=np.float32)
    block[rows] = embed(encoder, np.asarray(market.features), rows, window)
    names = tuple(f"embedding_{place}" for place in range(encoder.width))
    return replace(market, features=block, feature_names=names, ready=tuple(int(rows[0]) for _ in market.ready))
