"""What counts as a trial: everything that the policy of a recipe comes from, seeds and names apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.agents.bundle import MANIFEST as BUNDLE_MANIFEST
from seawall.core import trials
from seawall.core.files import digest, read_json
from seawall.core.market import Market
from seawall.core.run_folder import RunFolder
from seawall.core.trials import Trial
from seawall.market.splits import Split
from seawall.recipes.pretrained import ENCODER
from seawall.recipes.warm_start import START
from seawall.training.pretraining.encoder_folder import MANIFEST as ENCODER_MANIFEST

_NAMES = ("name", "summary", "missing", "smoke", "data", "series", "costs_from", "evaluation", "device", "encoder")
"""Sections that name or judge; the bars that `data` names have a hash of their own, and an encoder is told by its recipe."""
_SEEDS = ("seed", "n_seeds", "threads", "workers", "checkpoint_every", "start_from")
"""Settings of training that choose no other policy; weights that it starts from are told by their recipe."""


def configuration(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a resolved recipe decides its policy: the same for other seeds, names and ways of judging.

    The budget belongs to it: who trains longer, and keeps what did better on the test bars, has chosen.

    Args:
        mapping: The recipe as plain values.
    """
    kept = {name: value for name, value in mapping.items() if name not in _NAMES}
    training = {name: value for name, value in mapping.get("training", {}).items() if name not in _SEEDS}
    plugins = sorted((mapping.get("plugins") or {}).values())
    return {**kept, "training": training, "plugins": plugins}


def trial_of(run: RunFolder, mapping: Mapping[str, Any]) -> Trial:
    """Return the trial that a run is.

    Args:
        run: A prepared run.
        mapping: Its recipe as plain values.

    Raises:
        DataError: The run's dataset is missing or damaged.
    """
    saved = read_json(run.dataset, "facts", "split")
    facts, tests = saved["facts"], Split.from_dict(saved["split"]).tests
    times = Market.load(run.market).timestamps
    parts = [
        configuration(mapping),
        _earlier(run.path / ENCODER / ENCODER_MANIFEST),
        _earlier(run.path / START / BUNDLE_MANIFEST),
    ]
    return Trial(
        data_hash=facts["data_hash"],
        config_hash=digest(parts),
        recipe=mapping["name"],
        symbol="" if facts.get("source") == "synthetic" else facts["symbol"],
        timeframe=facts["timeframe"],
        test_first_ms=int(times[tests[0].start]),
        test_last_ms=int(times[tests[-1].stop - 1]),
    )


def record_run(run: RunFolder, mapping: Mapping[str, Any]) -> Trial:
    """Note in the registry of its folder of runs that a run is trained; arguments and errors as `trial_of` and `trials.record`."""
    trial = trial_of(run, mapping)
    trials.record(run.path.parents[1], trial)
    return trial


def _earlier(manifest: Any) -> dict[str, Any] | None:
    """Return the configuration of what a run begins from, an encoder or weights; None where it has none."""
    if not manifest.is_file():
        return None
    saved = read_json(manifest, "recipe")
    return {"recipe": configuration(saved["recipe"]), "pretraining": saved.get("pretraining")}
