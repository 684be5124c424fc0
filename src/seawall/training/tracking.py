"""Curves of a training, for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Scalars(Protocol):
    """Anything that takes numbers by name and step."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Record one number."""
        ...


class TensorBoardScalars:
    """Writes TensorBoard events; the writer is loaded at the first number, because importing it takes a second."""

    def __init__(self, folder: Path) -> None:
        """Take the folder in which the event file will be.

        Args:
            folder: Made when it is needed.
        """
        self.folder = folder
        self._writer: Scalars | None = None

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Record one number."""
        if self._writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(self.folder)
        self._writer.add_scalar(tag, scalar_value, global_step)

    def close(self) -> None:
        """Write what is still in memory."""
        close = getattr(self._writer, "close", None)
        if close is not None:
            close()


class NoScalars:
    """Keeps nothing."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Drop one number."""
