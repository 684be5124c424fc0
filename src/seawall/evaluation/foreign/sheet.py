"""A foreign table whose columns have roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError
from seawall.evaluation.foreign.cells import positive, sides, whole
from seawall.evaluation.foreign.layouts import Found


@dataclass(frozen=True)
class Sheet:
    """Rows and what their columns are.

    Attributes:
        table: The rows of one symbol.
        found: Name of the column of each role.
        origin: Name of the file, for messages.
        contract_size: Units of one contract, by which sizes are multiplied.
    """

    table: pd.DataFrame
    found: Found
    origin: str
    contract_size: float

    @property
    def symbol(self) -> str:
        """What was traded, as far as the file says; a bare number, as vectorbt's columns have, is no name."""
        if not self.has("symbol"):
            return ""
        name = str(self.column("symbol")[0].iloc[0])
        return "" if name.isdigit() else name

    @property
    def currency(self) -> str:
        """What money is in, as far as names of columns say."""
        return self.found.currency

    def has(self, role: str) -> bool:
        """Say whether there is a column of that role."""
        return role in self.found.columns

    def column(self, role: str) -> tuple[pd.Series[Any], str, str]:
        """Return a column, its name and the file's, as the functions of `cells` take them."""
        name = self.found.columns[role]
        return self.table[name], name, self.origin

    def zeros(self) -> np.ndarray:
        """Return 0 for each row."""
        return np.zeros(len(self.table))

    def prices(self, role: str) -> np.ndarray:
        """Return a column of prices, float64, shape (K,).

        Raises:
            DataError: One is missing or not above 0.
        """
        return positive(*self.column(role))

    def signed_sizes(self) -> np.ndarray:
        """Return units with their sign, float64, shape (K,): by the column of sides, else as the sizes are signed.

        Raises:
            DataError: A size is 0 or missing, or is negative beside a side that says long or buy, or no size is negative and
                there are no sides.
        """
        sizes = whole(*self.column("size")) * self.contract_size
        name = self.found.columns["size"]
        nothing = np.flatnonzero(sizes == 0.0)
        if nothing.size:
            raise DataError(
                f"{self.origin} row {nothing[0]} has {name} = 0 ({nothing.size} rows); allowed: a quantity other than 0"
            )
        if not self.has("side"):
            if self.found.layout.kind == "fills" and (sizes > 0.0).all():
                raise DataError(
                    f"{self.origin} tells no sides: {name} is never negative and no column says buy or sell; "
                    "needed: either, or name one with --column side=NAME"
                )
            return sizes
        way = sides(*self.column("side"))
        clash = np.flatnonzero((sizes < 0.0) & (way > 0.0))
        if clash.size:
            raise DataError(
                f"{self.origin} row {clash[0]} has {name} = {sizes[clash[0]]:g} and the side of a purchase ({clash.size} rows); "
                "allowed: sizes above 0 beside sides, or signed sizes without"
            )
        return np.abs(sizes) * way

    def paid(self, fee: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Return fees as what was paid, and a remark where the file writes payments as negative numbers."""
        if (fee < 0.0).any() and not (fee > 0.0).any():
            return -fee, ["fees are all negative and are taken as paid; rebates are not told from payments then"]
        return fee, []

    def refuse_currencies(self, currencies: set[str], paid: bool) -> None:
        """Refuse fees in several currencies, or in another one than the prices'.

        Args:
            currencies: Those that stand beside the fees.
            paid: Whether any fee was.

        Raises:
            DataError: They do not match.
        """
        if not paid or not currencies:
            return
        quote = self.currency or _quote_of(self.symbol)
        if len(currencies) > 1 or (quote and quote not in currencies):
            told = ", ".join(sorted(currencies))
            raise DataError(
                f"{self.origin} has fees in {told}{f' and prices in {quote}' if quote else ''}; allowed: one currency, that of the "
                "prices; convert the fees"
            )


def _quote_of(symbol: str) -> str:
    """Return the quote currency of a symbol such as BTC/USDT or BTC/USDT:USDT or BTC/USDT.BINANCE; empty where it does not tell."""
    _, slash, quote = symbol.partition("/")
    return quote.split(":")[0].split(".")[0] if slash else ""
