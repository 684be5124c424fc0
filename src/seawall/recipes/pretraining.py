"""Pre-training the encoder of a recipe on its training rows, and embedding bars with it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import CLOSE, from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.fan_out import Channel, fan_out
from seawall.core.files import read_json, write_json
from seawall.core.logs import run_logger
from seawall.core.run_folder import RunFolder
from seawall.features.scaling.scaler import Scaler
from seawall.nets.params import NetworkShape
from seawall.nets.pretraining import PretrainingNetwork
from seawall.nets.registry import build_encoder, weights_generator
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset, prepare
from seawall.recipes.experiment import create_run, load_run_recipe
from seawall.recipes.files import apply_overrides
from seawall.recipes.pretrained import ENCODER, encoder_folder
from seawall.recipes.schema import Recipe, load_recipe, validate_recipe
from seawall.training.device import resolve_device
from seawall.training.pretraining.driver import pretrain
from seawall.training.pretraining.embedding import embed
from seawall.training.pretraining.encoder_folder import SavedEncoder, encoder_network, load_encoder, save_encoder
from seawall.training.pretraining.learner import Pretrainer
from seawall.training.pretraining.lessons import Lessons
from seawall.training.pretraining.params import PretrainingParams
from seawall.training.threads import use_threads
from seawall.training.tracking import TensorBoardScalars

SECTION, SETTINGS = "pretraining", "pretraining.json"
_CHANGEABLE = ("data", "quality")
_INPUTS = ("features", "window", "timeframe")


def load_pretraining(
    reference: str, overrides: Sequence[str] = (), plugins: Iterable[Path] = ()
) -> tuple[Recipe, PretrainingParams]:  # fmt: skip
    """Load a recipe and its section ``pretraining``.

    Args:
        reference: A shipped recipe's name, or the path of a YAML or JSON file.
        overrides: ``section.key=value`` each.
        plugins: Python files with parts of the user's own.

    Raises:
        ConfigError: Something is missing, misspelt or out of range.
    """
    recipe = load_recipe(reference, overrides, plugins)
    return encoder_recipe(recipe), recipe.pretraining or PretrainingParams()


def encoder_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe of the first stage of a recipe."""
    return recipe.model_copy(update={"name": f"{recipe.name}-{ENCODER}", "encoder": None})


def create_pretraining(recipe: Recipe, params: PretrainingParams, runs: Path, data_root: Path) -> RunFolder:
    """Prepare the bars of a recipe and open a run folder for the pre-training of its encoder.

    Raises:
        ConfigError: The network is unknown, or cannot serve a head that is on.
        DataError: The data cannot be used; no folder is left behind.
    """
    _encoder(recipe, params, 1)
    return keep_pretraining(create_run(recipe, runs, data_root), params)


def keep_pretraining(run: RunFolder, params: PretrainingParams) -> RunFolder:
    """Write into a new run's folder how its encoder is taught; where that fails, it is removed."""
    try:
        write_json(run.path / SETTINGS, params.model_dump(mode="json"))
    except BaseException:
        shutil.rmtree(run.path)
        raise
    return run


def pretrain_run(run: RunFolder, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Pre-train in a process of its own, from the checkpoint on where there is one, and save the encoder.

    Args:
        run: As `create_pretraining` made it.
        on_progress: Given what `training.pretraining.driver.pretrain` reports.

    Returns:
        The encoder's manifest.

    Raises:
        Interrupted: Ctrl-C; the same call goes on from the checkpoint.
        DataError: The run is none of this kind, or there is too little to learn from.
    """
    if not (run.path / SETTINGS).is_file():
        raise DataError(f"{run.path} is no pre-training: it has no {SETTINGS}; make one with: seawall pretrain RECIPE")
    fan_out(pretrain_task, [(str(run.path),)], workers=1, on_progress=lambda _number, message: on_progress(message))
    return load_encoder(run.path / ENCODER).manifest


def pretrain_task(path: str, channel: Channel) -> None:
    """Pre-train the encoder of a run and save it; called in a process of its own."""
    run = RunFolder(Path(path))
    recipe = load_run_recipe(run)
    params = PretrainingParams.model_validate(read_json(run.path / SETTINGS))
    use_threads(recipe.training.threads)
    dataset, seed, device = Dataset.load(run), recipe.training.seed, resolve_device(recipe.device)
    window, n_features = recipe.environment.window, len(dataset.market.feature_names)
    # The rows that the policy learns from, and those of their first windows: nothing that chooses or judges it.
    seen = dataset.split.shown(window, dataset.market.ready[0])
    lessons = Lessons(dataset.market, seen, window, params, device)
    encoder = _encoder(recipe, params, n_features)
    network = PretrainingNetwork(encoder, params.heads, lessons.sizes, (window, n_features), weights_generator(seed)).to(device)
    with closing(TensorBoardScalars(run.tensorboard(seed))) as scalars:
        result = pretrain(
            Pretrainer(network, lessons, seed),
            folder=run.checkpoint(seed),
            should_stop=channel.should_stop,
            on_progress=channel.send,
            logger=run_logger(run.log, seed=seed),
            scalars=scalars,
        )
    inputs = {key: Parts(recipe, dataset).manifest()[key] for key in _INPUTS}
    judgement = {name: getattr(result, name) for name in ("heads", "history", "best_epoch", "steps", "seconds", "warnings")}
    manifest = {
        **inputs,
        "network": recipe.network,
        "seen": lessons.facts,
        "judgement": judgement,
        "pretraining": params.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json"),
        "scaler": dataset.scaler.to_dict(),
        "data": dataset.facts,
        "seed": seed,
    }
    save_encoder(run.path / ENCODER, result.weights, manifest)


def find_encoder(reference: str, runs: Path) -> SavedEncoder:
    """Load an encoder by its folder, by its run's, or by the name of its run as `RunFolder.find` takes it.

    Raises:
        ConfigError: No run answers to the reference.
        DataError: There is no encoder, or it is damaged.
    """
    return load_encoder(encoder_folder(reference, runs))


def embed_bars(saved: SavedEncoder, overrides: Sequence[str], data_root: Path) -> pd.DataFrame:
    """Embed every bar whose window is whole.

    Args:
        saved: A pre-trained encoder.
        overrides: ``data=FILE`` for other bars than those that it was pre-trained for; they are scaled as those were.
        data_root: Folder of imported bars.

    Returns:
        Columns ``timestamp``, ``close``, ``symbol``, ``timeframe``, and ``embedding_0`` on, float32: known at the close of the bar.
        Its ``attrs`` name the encoder and the opening time of the last bar that it has seen.

    Raises:
        ConfigError: An override of another section.
        DataError: The bars cannot be used, or the encoder does not fit them.
    """
    for override in overrides:
        section = re.split(r"[.=]", override, maxsplit=1)[0].strip()
        if section not in _CHANGEABLE:
            raise ConfigError(
                f"override {override!r} would change what the encoder sees; allowed sections: {', '.join(_CHANGEABLE)}"
            )
    recipe = validate_recipe(apply_overrides(saved.manifest["recipe"], overrides), "of the encoder")
    dataset = prepare(recipe, data_root, Scaler.from_dict(saved.manifest["scaler"]))
    inputs = Parts(recipe, dataset).manifest()
    saved.check(features=inputs["features"], window=inputs["window"], timeframe=inputs["timeframe"])
    market, window = dataset.market, recipe.environment.window
    rows = np.arange(market.ready[0] + window - 1, len(market), dtype=np.int64)
    encoder = saved.frozen().to(resolve_device(recipe.device))
    vectors = embed(encoder, market.features, rows, window)
    known = {
        "timestamp": from_milliseconds(market.timestamps[rows]),
        "close": market.prices[rows, CLOSE],
        "symbol": market.symbols[0],
        "timeframe": market.timeframe.label,
    }
    frame = pd.concat(
        [pd.DataFrame(known), pd.DataFrame(vectors, columns=[f"embedding_{place}" for place in range(vectors.shape[1])])], axis=1
    )
    frame.attrs = {"encoder": saved.manifest["weights_hash"], "last_seen_ms": saved.manifest["seen"]["last_seen_ms"]}
    return frame


def _encoder(recipe: Recipe, params: PretrainingParams, n_features: int) -> Any:
    name, settings = encoder_network(recipe.network)
    encoder = build_encoder(name, settings, NetworkShape(n_features, recipe.environment.window, 0, 0))
    if "candles" in params.heads.on and not (hasattr(encoder, "sequence") and hasattr(encoder, "pooled")):
        raise ConfigError(
            f"network {name!r} does not tell what it sees at each bar, which hidden candles need; allowed: network=tcn, or "
            f"{SECTION}.heads.candles.weight=0"
        )
    return encoder
