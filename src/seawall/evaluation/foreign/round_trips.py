"""Tables with one row for each round trip."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.errors import DataError
from seawall.core.timeframe import iso_ms
from seawall.evaluation.foreign.cells import all_moments, moments, money, positive, still_open, whole
from seawall.evaluation.foreign.recording import Fills, Recording, RoundTrips
from seawall.evaluation.foreign.sheet import Sheet

_CLOSE_ENOUGH = 1e-6
"""A stated profit may differ from what prices and fees give by so much of the trade's notional."""


def read_round_trips(sheet: Sheet) -> Recording:
    """Make fills of round trips: one at the entry and one at the exit, with their share of the costs.

    Where the file states one fee for both, it is shared by notional, as a commission in proportion is. Where it states a profit
    and no fee, the fee is what the profit lacks of the move of the price.

    Args:
        sheet: The table.

    Raises:
        DataError: A row holds what is no round trip.
    """
    opened, said = all_moments(*sheet.column("opened"))
    closed, _ = moments(*sheet.column("closed"))
    rows = len(opened)
    called_open = still_open(*_states(sheet), rows)
    is_open = called_open | (closed == -1)
    units, entry = sheet.signed_sizes(), sheet.prices("entry_price")
    # What is not closed has no exit price, or that of the last bar, which says nothing.
    column, name, origin = sheet.column("exit_price")
    exits = np.where(is_open, entry, 1.0)
    exits[~is_open] = positive(column[~is_open].reset_index(drop=True), name, origin)
    _refuse_backwards(sheet, opened, closed, is_open)
    gross = np.where(is_open, 0.0, units * (exits - entry))
    profit = whole(*sheet.column("profit")) if sheet.has("profit") and not is_open.any() else None
    carry = whole(*sheet.column("carry")) if sheet.has("carry") else np.zeros(rows)
    fees, notes, told = _fees(sheet, (entry, exits, np.abs(units), is_open), None if profit is None else gross + carry - profit)
    net = gross - fees.sum(axis=0) + carry
    held = np.where(is_open, units, 0.0)
    findings = [] if profit is None else _differing(profit, net, np.abs(units) * entry, opened)
    return Recording(
        "trades",
        sheet.origin,
        _fills((opened, closed, is_open), units, (entry, exits), fees, carry),
        RoundTrips(np.sign(units).astype(np.int8), held, opened, closed, np.where(is_open, net - units * entry, net)),
        currency=sheet.currency,
        symbol=sheet.symbol,
        costs_told=told,
        findings=tuple(findings),
        notes=(*said, *notes, *_sorting(opened), *_unclosed(sheet, is_open & ~called_open)),
    )


def _states(sheet: Sheet) -> tuple[Any, str, str]:
    return sheet.column("state") if sheet.has("state") else (None, "", sheet.origin)


def _refuse_backwards(sheet: Sheet, opened: np.ndarray, closed: np.ndarray, is_open: np.ndarray) -> None:
    backwards = np.flatnonzero(~is_open & (closed < opened))
    if backwards.size:
        row = int(backwards[0])
        raise DataError(
            f"{sheet.origin} row {row} is closed at {iso_ms(int(closed[row]))}, before it is opened at {iso_ms(int(opened[row]))} "
            f"({backwards.size} rows); allowed: exits after entries"
        )


def _unclosed(sheet: Sheet, silent: np.ndarray) -> list[str]:
    """Say which trades are taken to be open because nothing tells when they were closed."""
    if not silent.any():
        return []
    rows = np.flatnonzero(silent)
    return [
        f"{rows.size} of {len(silent)} trades have no {sheet.column('closed')[1]}, the first in row {rows[0]}, and are taken to be "
        "held to the end"
    ]


def _sorting(opened: np.ndarray) -> list[str]:
    unsorted = int((opened[1:] < opened[:-1]).sum())
    return [f"rows stood out of the order of their entries in {unsorted} places and were sorted"] if unsorted else []


def _fees(
    sheet: Sheet, trade: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], lacking: np.ndarray | None
) -> tuple[np.ndarray, list[str], bool]:
    """Return what was paid at entry and exit, shape (2, K), remarks, and whether the file tells it.

    Args:
        sheet: The table.
        trade: Entry price, exit price, units and whether it is open.
        lacking: What stated profits lack of the move of the price; None where no profit is stated.
    """
    entry, exits, units, is_open = trade
    notional = np.stack([units * entry, np.where(is_open, 0.0, units * exits)])
    if sheet.has("entry_fee") or sheet.has("exit_fee"):
        parts = [_amounts(sheet, role) for role in ("entry_fee", "exit_fee")]
        fee, notes = sheet.paid(np.stack([amounts for amounts, _ in parts]))
        return np.where(notional > 0.0, fee, 0.0), [*notes, *(remark for _, remarks in parts for remark in remarks)], True
    if sheet.has("entry_rate") or sheet.has("exit_rate"):
        rates = np.stack([whole(*sheet.column(role)) if sheet.has(role) else sheet.zeros() for role in ("entry_rate", "exit_rate")])
        return notional * rates, [], True
    if sheet.has("fee"):
        amounts, remarks = _amounts(sheet, "fee")
        fee, notes = sheet.paid(amounts)
        return notional / notional.sum(axis=0) * fee, [*notes, *remarks], True
    if lacking is not None:
        rounding = _CLOSE_ENOUGH * notional.sum(axis=0)
        fee = np.where(np.abs(lacking) <= rounding, 0.0, lacking)
        remark = "the file states profits and no fees: a fee is what a profit lacks of the move of the price"
        return notional / notional.sum(axis=0) * fee, [remark], True
    return np.zeros((2, len(units))), [], False


def _amounts(sheet: Sheet, role: str) -> tuple[np.ndarray, list[str]]:
    if not sheet.has(role):
        return sheet.zeros(), []
    amounts, currencies, remarks = money(*sheet.column(role))
    sheet.refuse_currencies(currencies, bool((amounts != 0.0).any()))
    return amounts, remarks


def _fills(
    times: tuple[np.ndarray, np.ndarray, np.ndarray],
    units: np.ndarray,
    prices: tuple[np.ndarray, np.ndarray],
    fees: np.ndarray,
    carry: np.ndarray,
) -> Fills:
    """Lay entries and exits out in time; at one time old positions are closed before new ones are opened."""
    opened, closed, is_open = times
    done = ~is_open
    at_once = (closed == opened)[done]
    rank = np.concatenate([np.ones(len(units)), np.where(at_once, 2.0, 0.0)])
    return Fills(
        np.concatenate([opened, closed[done]]),
        np.concatenate([units, -units[done]]),
        np.concatenate([prices[0], prices[1][done]]),
        np.concatenate([fees[0], fees[1][done]]),
        np.concatenate([np.where(is_open, carry, 0.0), carry[done]]),
    ).ordered(rank)


def _differing(stated: np.ndarray, net: np.ndarray, notional: np.ndarray, opened: np.ndarray) -> list[dict[str, Any]]:
    """Name the trades whose stated profit is not what their prices, sizes and fees give."""
    off = np.abs(stated - net)
    wrong = np.flatnonzero(off > _CLOSE_ENOUGH * notional)
    if not wrong.size:
        return []
    worst = int(wrong[np.argmax(off[wrong])])
    words = (
        f"{wrong.size} of {len(net)} trades state another profit than their prices, sizes and fees give; the one of "
        f"{iso_ms(int(opened[worst]))} states {stated[worst]:,.6g} and gives {net[worst]:,.6g}"
    )
    return [{"what": "profits differ", "count": int(wrong.size), "words": words}]
