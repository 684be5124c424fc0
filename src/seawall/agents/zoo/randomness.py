"""The global generators of Python, NumPy and torch, lent to a library that draws from them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


class OwnRandomness:
    """States of the global generators that belong to one learner: nobody else's draws move them, and its own move nobody's."""

    def __init__(self, device: str = "cpu") -> None:
        """Start from the generators as they are when they are first installed.

        Args:
            device: Where the learner's network is; its generator is lent too.
        """
        self._device = torch.device(device)
        self._held: dict[str, Any] | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the learner's states in place for a while, and everyone's back afterwards."""
        outer = self._now()
        if self._held is not None:
            self._put(self._held)
        try:
            yield
        finally:
            self._held = self._now()
            self._put(outer)

    def state(self) -> dict[str, Any]:
        """Return the learner's states, as arrays and plain numbers."""
        held = self._now() if self._held is None else self._held
        version, words, gauss = held["python"]
        _, keys, place, has_gauss, cached = held["numpy"]
        kept = {name: held[name] for name in ("torch", "device") if name in held}
        return {
            "python": {"version": version, "words": np.array(words, dtype=np.int64), "gauss": gauss},
            "numpy": {"keys": keys.astype(np.int64), "place": place, "has_gauss": has_gauss, "cached": cached},
            **kept,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Undo `state`."""
        python, legacy = state["python"], state["numpy"]
        words = tuple(int(word) for word in python["words"])
        keys = np.asarray(legacy["keys"]).astype(np.uint32)
        self._held = {
            "python": (int(python["version"]), words, python["gauss"]),
            "numpy": ("MT19937", keys, int(legacy["place"]), int(legacy["has_gauss"]), float(legacy["cached"])),
            **{name: torch.as_tensor(state[name]) for name in ("torch", "device") if name in state},
        }

    def _now(self) -> dict[str, Any]:
        found: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state()}  # noqa: NPY002 (the library draws from it)
        if self._device.type == "cuda":
            found["device"] = torch.cuda.get_rng_state(self._device)
        return found

    def _put(self, states: Mapping[str, Any]) -> None:
        random.setstate(states["python"])
        np.random.set_state(states["numpy"])  # noqa: NPY002 (the library draws from it)
        torch.set_rng_state(states["torch"])
        moved: Tensor | None = states.get("device")
        if moved is not None:
            torch.cuda.set_rng_state(moved, self._device)
