"""A pre-trained encoder as a folder: its weights, and what a reader must know to use them, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from seawall import __version__
from seawall.agents.bundle import check_compatible, load_member, manifest_hash, weights_hash
from seawall.agents.state import load_weights
from seawall.core.errors import DataError
from seawall.core.files import read_json, replacing_folder, to_json
from seawall.core.params import Params
from seawall.core.timeframe import iso_ms
from seawall.nets.params import NetworkShape
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.registry import NETWORKS, build_encoder

SCHEMA_VERSION = 1
MANIFEST, WEIGHTS = "encoder.json", "encoder.safetensors"
_NEEDED = ("schema_version", "file", "weights_hash", "network", "features", "window", "timeframe", "seen")


@dataclass(frozen=True)
class SavedEncoder:
    """An encoder as it was saved.

    Attributes:
        manifest: Network, features, window, timeframe, what it has seen, how well its heads did.
        weights: By parameter name.
    """

    manifest: dict[str, Any]
    weights: dict[str, Tensor]

    def check(self, *, features: Mapping[str, Any], window: int, timeframe: str) -> None:
        """Refuse to serve other inputs than it was trained on.

        Args:
            features: ``names``, ``hash`` and ``scaling``, as a bundle's manifest has them.
            window: Bars of a window.
            timeframe: Length of a bar.

        Raises:
            DataError: Something differs; every difference is a line of the message.
        """
        check_compatible(self.manifest, {"features": features, "window": window, "timeframe": timeframe})

    def copy_into(self, encoder: nn.Module) -> None:
        """Load the weights into an encoder and freeze it: no gradients, no training mode.

        Args:
            encoder: Of the same network, or a `FrozenEncoder` around one, which stays frozen whatever its owner does.

        Raises:
            DataError: It is another network; each difference is listed.
        """
        inner = encoder.encoder if isinstance(encoder, FrozenEncoder) else encoder
        load_weights(inner, self.weights, "the pre-trained encoder")
        inner.requires_grad_(False).eval()

    def frozen(self) -> FrozenEncoder:
        """Build the encoder that was saved, with its weights, frozen.

        Raises:
            ConfigError: The network is not registered.
            DataError: The weights do not fit it.
        """
        name, params = encoder_network(self.manifest["network"])
        shape = NetworkShape(len(self.manifest["features"]["names"]), self.manifest["window"], 0, 0)
        made = FrozenEncoder(build_encoder(name, params, shape))
        self.copy_into(made)
        return made


def encoder_network(spec: Mapping[str, Any]) -> tuple[str, Any]:
    """Return name and settings of a network from what a manifest or recipe says of it, ``kind`` and the rest.

    Raises:
        DataError: The network is unknown here.
    """
    name = str(spec.get("kind"))
    if name not in NETWORKS:
        raise DataError(f"network {name!r} is unknown; allowed: {', '.join(sorted(NETWORKS))}")
    settings: type[Params] = NETWORKS[name][0]
    return name, settings(**{key: value for key, value in spec.items() if key != "kind"})


def save_encoder(folder: Path, weights: Mapping[str, Tensor], manifest: Mapping[str, Any]) -> None:
    """Write an encoder, all or nothing; an older one there is replaced once the new one is whole.

    Args:
        folder: Where to.
        weights: By parameter name.
        manifest: ``network`` (``kind`` and settings), ``features`` (names, hash, scaling), ``window``, ``timeframe``, ``seen`` (the
            facts of `Lessons`), and whatever else is worth keeping; plain values.

    Raises:
        DataError: An entry is missing, or the disk is full.
    """
    hashed = {"schema_version": SCHEMA_VERSION, "file": WEIGHTS, "weights_hash": weights_hash(weights)}
    document = {**manifest, **hashed, "created_by": f"seawall {__version__}"}
    missing = [key for key in _NEEDED if key not in document]
    if missing:
        raise DataError(f"an encoder cannot be saved to {folder} without {', '.join(missing)}")
    document["manifest_hash"] = manifest_hash(document)
    with replacing_folder(folder) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, temporary / WEIGHTS)
        (temporary / MANIFEST).write_text(to_json(document) + "\n", encoding="utf-8")


def load_encoder(folder: Path) -> SavedEncoder:
    """Read an encoder, and check that it is the one that was saved.

    Raises:
        DataError: There is none, it is of another schema, or a file is missing, damaged or changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} holds no encoder: it has no {MANIFEST}; make one with: seawall pretrain RECIPE")
    manifest = read_json(path, *_NEEDED)
    if manifest["schema_version"] != SCHEMA_VERSION:
        raise DataError(
            f"encoder {folder} has schema version {manifest['schema_version']}; this seawall {__version__} reads {SCHEMA_VERSION}"
        )
    if manifest.get("manifest_hash") != manifest_hash(manifest):
        raise DataError(f"{path} is not what was saved: the file was changed, and with it perhaps what the encoder has seen")
    return SavedEncoder(manifest, load_member(folder, manifest))


def check_unseen(
    manifest: Mapping[str, Any], first_judged_ms: int, what: str = "the bars that judge it", who: str = "encoder"
) -> None:
    """Refuse to judge anything that an encoder, or another part trained before, serves on bars that it has seen.

    Args:
        manifest: The part's.
        first_judged_ms: Opening time of the first bar that judges, in milliseconds.
        what: These bars, in words.
        who: What the part is called.

    Raises:
        DataError: The encoder has seen a bar at or after that time.
    """
    last = int(manifest["seen"]["last_seen_ms"])
    if last >= first_judged_ms:
        raise DataError(
            f"the {who} has seen bars up to {iso_ms(last)}, and {what} begin at {iso_ms(first_judged_ms)}: it knows them; "
            "allowed: one trained on earlier bars alone"
        )
