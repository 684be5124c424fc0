"""Embeddings: what an encoder makes of the window of each bar."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from seawall.core.errors import DataError
from seawall.nets.heads import encoder_width
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.tcn import TcnEncoder
from seawall.nets.windows import WindowGatherer, feature_tensor

_STRETCH = 8_192


def embed(encoder: nn.Module, features: np.ndarray, rows: np.ndarray, window: int, batch: int = 1_024) -> np.ndarray:
    """Encode the windows that end at some rows.

    Args:
        encoder: Maps windows (B, L, F) to (B, width); used in evaluation mode, and left in the mode that it was in.
        features: A market's block, float32, shape (T, F).
        rows: Int64, shape (N,), each at least L − 1.
        window: L.
        batch: Windows at once.

    Returns:
        float32, shape (N, width); row n is known at the close of bar ``rows[n]``.

    Raises:
        DataError: A window would begin before the first row or end after the last, or holds a value that is not finite.
    """
    if len(rows) and not (window - 1 <= rows.min() and rows.max() < len(features)):
        raise DataError(
            f"rows {rows.min()} to {rows.max()} are to be embedded; allowed: {window - 1} to {len(features) - 1}, as a window has "
            f"{window} bars"
        )
    first_parameter = next(encoder.parameters(), None)
    device = torch.device("cpu") if first_parameter is None else first_parameter.device
    gather = WindowGatherer(feature_tensor(features, device), window)
    result = np.empty((len(rows), encoder_width(encoder)), np.float32)
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            inner = encoder.encoder if isinstance(encoder, FrozenEncoder) else encoder
            if isinstance(inner, TcnEncoder) and inner.same_along and bool((np.diff(rows) == 1).all()):
                _along(inner, features, rows, result)
                batches = range(0)
            else:
                batches = range(0, len(rows), batch)
            for first in batches:
                part = torch.from_numpy(rows[first : first + batch]).to(device)
                result[first : first + batch] = encoder(gather(part)).cpu().numpy()
    finally:
        encoder.train(training)
    unknown = np.flatnonzero(~np.isfinite(result).all(axis=1))
    if len(unknown):
        raise DataError(f"the embedding of row {rows[unknown[0]]} is not finite; every feature of a window must be a number")
    return result


def _along(encoder: TcnEncoder, features: np.ndarray, rows: np.ndarray, result: np.ndarray) -> None:
    """Fill in the encodings of consecutive rows, stretch by stretch, each with the receptive field before it."""
    device = next(encoder.parameters()).device
    for first in range(0, len(rows), _STRETCH):
        stretch = rows[first : first + _STRETCH]
        begin = int(stretch[0]) - encoder.receptive_field + 1
        block = feature_tensor(features[begin : int(stretch[-1]) + 1], device)
        result[first : first + len(stretch)] = encoder.along(block).cpu().numpy()
