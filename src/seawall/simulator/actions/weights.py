"""The action scheme of portfolios: a policy's numbers become weights of cash and the assets, at least 0 and adding up to 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from seawall.core.errors import ConfigError, InvariantError
from seawall.simulator.actions.numbering import as_array

Normalise = Literal["simplex", "softmax"]
SUM_TOLERANCE = 1e-5
"""How far from 1 weights may add up to: the rounding of float32."""


class PortfolioWeights:
    """Weights of cash, then of each asset, for the next open.

    With ``simplex`` the numbers are the weights, as a softmax or Dirichlet policy gives them; others are refused. With ``softmax``
    they are any finite numbers, as a Box action space has them, and weights are exp(number) over the sum of all of them.
    """

    def __init__(self, symbols: tuple[str, ...], normalise: Normalise = "simplex") -> None:
        """Take what is saved with a model.

        Args:
            symbols: The assets, in the order of their weights.
            normalise: ``simplex`` or ``softmax``.

        Raises:
            ConfigError: There is no asset, or no such way to normalise.
        """
        if not symbols:
            raise ConfigError("portfolio weights of no assets were asked for; allowed: at least one asset")
        if normalise not in get_args(Normalise):
            raise ConfigError(f"weights cannot be normalised by {normalise!r}; allowed: {', '.join(get_args(Normalise))}")
        self._symbols = symbols
        self._normalise: Normalise = normalise

    @property
    def name(self) -> str:
        """The registered name."""
        return "portfolio_weights"

    @property
    def action_names(self) -> tuple[str, ...]:
        """No names: actions are not numbered."""
        return ()

    @property
    def normalise(self) -> Normalise:
        """How numbers become weights."""
        return self._normalise

    def spec(self) -> dict[str, Any]:
        """Return what is saved with a model and compared when it is loaded."""
        return {"name": self.name, "actions": [], "symbols": list(self._symbols), "normalise": self._normalise}

    def weights(self, actions: np.ndarray) -> np.ndarray:
        """Translate actions into weights, float64, shape (N, A + 1); what is on the simplex passes unchanged.

        Args:
            actions: The policy's numbers, shape (N, A + 1), cash first.

        Raises:
            InvariantError: Actions of another shape or type, not finite, or, with ``simplex``, below 0 or not adding up to 1.
        """
        given, columns = as_array(actions), len(self._symbols) + 1
        if given.dtype.kind not in "fiu" or given.ndim != 2 or given.shape[1] != columns:
            raise InvariantError(
                f"actions of type {given.dtype}, shape {given.shape}, are not understood by scheme {self.name!r}; allowed: "
                f"numbers, shape (N, {columns}): cash, {', '.join(self._symbols)}"
            )
        numbers = given.astype(np.float64)
        if self._normalise == "softmax":
            self._refuse(np.isfinite(numbers), numbers, "finite numbers")
            with np.errstate(over="ignore"):
                powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        # Infinite numbers of both signs add up to none, which is refused like any other.
        with np.errstate(invalid="ignore"):
            good = (numbers >= 0.0) & (np.abs(numbers.sum(axis=1, keepdims=True) - 1.0) <= SUM_TOLERANCE)
        self._refuse(good, numbers, "weights of at least 0 that add up to 1 (normalise='softmax' takes any finite numbers)")
        return numbers

    def _refuse(self, good: np.ndarray, numbers: np.ndarray, allowed: str) -> None:
        if not good.all():
            account = int(np.argmin(good.all(axis=1)))
            raise InvariantError(
                f"action {numbers[account].tolist()} of account {account} is not allowed by scheme {self.name!r}; "
                f"allowed: {allowed}"
            )


WEIGHT_SCHEMES: dict[str, Callable[[tuple[str, ...], Normalise], PortfolioWeights]] = {"portfolio_weights": PortfolioWeights}


def weight_scheme(name: str, symbols: tuple[str, ...], normalise: Normalise = "simplex") -> PortfolioWeights:
    """Return a registered scheme.

    Args:
        name: One of `WEIGHT_SCHEMES`.
        symbols: The assets, in the order of their weights.
        normalise: How numbers become weights.

    Raises:
        ConfigError: No scheme has that name, there is no asset, or no such way to normalise.
    """
    if name not in WEIGHT_SCHEMES:
        raise ConfigError(f"weight scheme {name!r} is unknown; allowed: {sorted(WEIGHT_SCHEMES)}")
    return WEIGHT_SCHEMES[name](symbols, normalise)
