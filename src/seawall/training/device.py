"""Where the tensors live: the ``device`` setting, and what torch finds on this machine."""

from __future__ import annotations

from typing import Literal

import torch

from seawall.core.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]


def resolve_device(wanted: Device) -> str:
    """Turn the ``device`` setting into a torch device.

    Args:
        wanted: ``auto`` takes CUDA where torch finds it, else the CPU.

    Raises:
        ConfigError: ``cuda`` was asked for, and torch finds none.
    """
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise ConfigError(
            f"device is 'cuda', but torch {torch.__version__} finds no CUDA device; allowed here: auto, cpu "
            "(the README tells how to install a CUDA build of torch)"
        )
    return "cuda" if found and wanted != "cpu" else "cpu"


def torch_summary() -> str:
    """Say in one line which torch this is and what it can run on."""
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
        return f"{torch.__version__}, CUDA {torch.version.cuda}: {names}"
    built = f"built for CUDA {torch.version.cuda}, none found" if torch.version.cuda else "CPU build"
    return f"{torch.__version__}, {built}"
