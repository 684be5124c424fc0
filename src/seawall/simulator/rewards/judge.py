"""The compiled pass over the reward terms of some accounts: facts, terms, weighted sum."""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.simulator.kernel.layout import Accounts
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.amounts import fill_amount, fill_mark
from seawall.simulator.rewards.facts import fill_facts
from seawall.simulator.rewards.hindsight import fill_asked
from seawall.simulator.rewards.layout import Judging, Numbers, Span
from seawall.simulator.rewards.memory import fill_remembering


@njit(cache=True, error_model="numpy")
def forget_ended(terms: np.ndarray, ended: np.ndarray, first: int, last: int) -> None:
    """Let accounts whose episode was over before the bar earn 0."""
    found = 0
    for i in range(first, last):
        found += ended[i]
    if found == 0:
        return
    for place in range(len(terms)):
        for i in range(first, last):
            terms[place, i] = 0.0 if ended[i] else terms[place, i]


@njit(cache=True, error_model="numpy")
def weigh(terms: np.ndarray, weights: np.ndarray, sums: np.ndarray, total: np.ndarray, first: int, last: int) -> int:
    """Fill the weighted sums of the terms, add them to those of the episode, and count those that are no finite numbers.

    Args:
        terms: Of the bar, float64, shape (K, at least N).
        weights: Their weights, float64, shape (K,); what has none is left out.
        sums: Of the episode, float64, shape (K, at least N).
        total: Filled, float64, shape (N,).
        first: The first account.
        last: One past the last account.
    """
    for i in range(first, last):
        total[i] = 0.0
    for place in range(len(weights)):
        weight = weights[place]
        if weight != 0.0:
            for i in range(first, last):
                weighted = terms[place, i] * weight
                sums[place, i] += weighted
                total[i] += weighted
    wrong = 0
    for i in range(first, last):
        wrong += 0 if np.isfinite(total[i]) else 1
    return wrong


@njit(cache=True, error_model="numpy")
def judge(
    prices: np.ndarray, accounts: Accounts, judging: Judging, numbers: Numbers, total: np.ndarray, first: int, last: int
) -> int:
    """Fill the compiled terms of the accounts first..last − 1, which have just been marked, and their reward.

    Args:
        prices: As the kernel reads them.
        accounts: The accounts.
        judging: With what they were before, see `facts.note_before`.
        numbers: Settings of the terms.
        total: Filled with the reward, float64, shape (N,), where the pass adds it up.
        first: The first account.
        last: One past the last account.

    Returns:
        How many rewards are no finite numbers.
    """
    money, counts, facts, terms = accounts.money, accounts.counts, judging.facts, judging.terms
    memory, ages, asked = judging.memory, judging.ages, (judging.starts, judging.ahead, judging.signal)
    fill_facts(prices, money, counts, facts, judging.needed, first, last)
    for number in range(len(judging.codes)):
        code, span = judging.codes[number], Span(judging.places[number], first, last)
        at = judging.memory_at[number], judging.ages_at[number]
        if code < of.AMOUNTS:
            fill_amount(code, money, facts, terms, span)
        elif code < of.MARKS:
            fill_mark(code, money, counts, facts, terms, span)
        elif code < of.REMEMBERING:
            fill_remembering(code, at, money, facts, memory, ages, numbers, terms, span)
        else:
            fill_asked(code, at[0], prices, counts, facts, asked, numbers.hold, terms, span)
    forget_ended(terms, judging.ended, first, last)
    return weigh(terms, judging.weights, judging.sums, total, first, last) if judging.weighs else 0
