"""What the compiled pass of reward terms is given: the codes of the terms, and the blocks that it reads and writes.

A term is a row of ``terms``, an account a column, as in the kernel's own blocks. What a term remembers lies in rows of ``memory``
(float64) and of ``ages`` (int64), which `Remembered` finds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

AMOUNTS = 9
LOG_RETURN, SIMPLE_RETURN, BENCHMARK_EXCESS, DRAWDOWN, VARIANCE, FEE, COSTS, TURNOVER, HOLDING = range(AMOUNTS)
"""Terms of what was earned, paid and held in the bar."""
MARKS = AMOUNTS + 5
TRADE, TRADE_ENTRY, HOLD_BONUS, PROFIT_BONUS, RUIN = range(AMOUNTS, MARKS)
"""Terms of what happened in the bar."""
REMEMBERING = MARKS + 5
DRAWDOWN_GROWTH, DIFFERENTIAL_SHARPE, WINDOWED_SHARPE, VOLATILITY, IDLE = range(MARKS, REMEMBERING)
"""Terms that remember."""
ASKED = REMEMBERING + 3
ACTION_TABLE, HINDSIGHT_EXIT, HINDSIGHT_EXIT_LIMIT = range(REMEMBERING, ASKED)
"""Terms of what was asked for."""

FACTS = 13
(
    QUANTITY_BEFORE, ENTRY_BEFORE, EQUITY_BEFORE, PEAK_BEFORE, BAR_RETURN, BAR_COSTS, EXPOSURE, FALL, PRICE, PRICE_BEFORE,
    ASSET_RETURN, MEAN, DEVIATION,
) = range(FACTS)  # fmt: skip
"""Rows of what several terms are made of: four of the accounts when the decision was taken, then what is computed where it is
asked for, and at last what was found of the ring of returns that was looked at last."""
FACTS_OF = {
    SIMPLE_RETURN: (BAR_RETURN,),
    BENCHMARK_EXCESS: (BAR_RETURN, PRICE, PRICE_BEFORE, ASSET_RETURN),
    DRAWDOWN: (FALL,),
    COSTS: (BAR_COSTS,),
    HOLDING: (PRICE, EXPOSURE),
    DRAWDOWN_GROWTH: (FALL,),
    DIFFERENTIAL_SHARPE: (BAR_RETURN,),
    WINDOWED_SHARPE: (BAR_RETURN,),
    VOLATILITY: (BAR_RETURN,),
    ACTION_TABLE: (PRICE, PRICE_BEFORE),
}
"""Facts that a term needs, and those that these need."""


class Numbers(NamedTuple):
    """Settings of single terms. They stand apart: what threads share may be no tuple within a tuple.

    Attributes:
        rate: Rate at which the differential Sharpe ratio forgets.
        warmup: Bars before it counts.
        clip: Its largest size.
        window: Rows of a ring of returns.
        idle_bars: Idle bars in a row that cost nothing.
        hold: What a hold earns by the hindsight terms; NaN for minus the better exit.
    """

    rate: float
    warmup: float
    clip: float
    window: int
    idle_bars: int
    hold: float


class Judging(NamedTuple):
    """What the compiled pass is given, beside the market and the accounts. N accounts are N + PADDING columns.

    Attributes:
        codes: The compiled terms, int64, shape (C,).
        places: Their rows of `terms`, int64, shape (C,).
        memory_at: First row of `memory` of each, int64, shape (C,).
        ages_at: Its row of `ages`, likewise.
        needed: Whether a fact is asked for, bool, shape (FACTS,).
        weights: Weight of each term, times the scale, float64, shape (K,).
        ended: Filled with whether an episode was over before the bar, bool, shape (N + PADDING,).
        facts: Filled with what terms are made of, float64, shape (FACTS, N + PADDING).
        memory: What terms remember, float64, shape (rows, N + PADDING).
        ages: What they count, int64, shape (rows, N + PADDING).
        terms: Filled with the terms, float64, shape (K, N + PADDING).
        sums: Weighted terms are added to it, float64, shape (K, N + PADDING).
        starts: First row of each series, int64.
        ahead: For each hindsight term what buying and selling at a row will have earned, float64, shape (T, 2 H).
        signal: What was asked for, int8, shape (N,); empty where no term reads it.
        weighs: Whether the pass adds the weighted terms up; not where terms in Python are still to come.
    """

    codes: np.ndarray
    places: np.ndarray
    memory_at: np.ndarray
    ages_at: np.ndarray
    needed: np.ndarray
    weights: np.ndarray
    ended: np.ndarray
    facts: np.ndarray
    memory: np.ndarray
    ages: np.ndarray
    terms: np.ndarray
    sums: np.ndarray
    starts: np.ndarray
    ahead: np.ndarray
    signal: np.ndarray
    weighs: bool


class Span(NamedTuple):
    """Where a term is written: its row, and the accounts first..last − 1.

    Places are given without a sign: where one could be negative, no loop is turned into vector instructions.
    """

    place: int
    first: int
    last: int
