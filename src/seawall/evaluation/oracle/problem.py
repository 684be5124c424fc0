"""What the oracle is asked: which exposures may be held, and what the simulator charges at each row of a span."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from seawall.core.bars import CLOSE, HIGH, LOW, OPEN
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import Flags, Rules
from seawall.simulator.rules import bars_of, flags_of, rules_of
from seawall.simulator.settings import SimulatorParams


class Exposures(NamedTuple):
    """What a policy may ask for.

    Attributes:
        levels: Exposures, each once.
        between: Whether anything between the lowest and the highest of them may be asked for too: by a continuous scheme, or
            because a guard cuts what was proposed to a part of it.
        terms: Whether orders carry limits and brackets of their own.
    """

    levels: tuple[float, ...]
    between: bool = False
    terms: bool = False


def exposures_of(scheme: ActionScheme, *, between: bool = False) -> Exposures:
    """Return what the actions of a scheme may ask for.

    Args:
        scheme: The scheme.
        between: Whether a guard may cut a proposal to a part of it. A guard that only holds the target in force does not.
    """
    return Exposures(tuple(scheme.levels), between or not scheme.action_names, scheme.carries_terms)


class Span(NamedTuple):
    """What the simulator would do in n rows; row 0 is the one at whose close the first decision is taken.

    Attributes:
        open: First price, float64, shape (n,).
        high: Highest price, likewise, as all that follow.
        low: Lowest price.
        close: Last price.
        rate: Commission and half-spread of a market order per unit of notional; the same at every row.
        slippage: Slippage of a market order but for that of its size.
        long_carry: What a unit of long value at the last close has paid by this row's open; negative where it earned.
        short_carry: What a unit of short value has.
    """

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    rate: float
    slippage: np.ndarray
    long_carry: np.ndarray
    short_carry: np.ndarray


class Problem(NamedTuple):
    """All that decides what is attainable.

    Attributes:
        span: Prices and charges.
        rules: The simulator's numbers.
        flags: Which of its rules hold.
        levels: Exposures, ascending, float64.
        between: As in `Exposures`.
        delayed: Whether orders arrive late.
    """

    span: Span
    rules: Rules
    flags: Flags
    levels: np.ndarray
    between: bool
    delayed: bool


def problem_of(market: Market, rows: RowRange, costs: CostParams, params: SimulatorParams, exposures: Exposures) -> Problem:
    """Gather what decides what is attainable over some rows.

    Args:
        market: Prices.
        rows: T rows of one series; a decision is taken at the close of each but the last.
        costs: Costs of a fill and of holding; those drawn for training episodes are not read.
        params: Settings of the account.
        exposures: What may be asked for.

    Raises:
        ConfigError: Fewer than two rows, rows of more than one series, no exposure, or one that the account may not hold.
        DataError: A price is not a positive number.
    """
    problems = [*_of_rows(market, rows), *_of_exposures(exposures, costs, params)]
    if problems:
        raise ConfigError(f"the oracle cannot be asked: {'; '.join(problems)}")
    flags, rules = flags_of(costs, params, terms=exposures.terms), rules_of(costs, params)
    bars = bars_of(market, costs, params, flags)
    prices = bars.prices[rows.start : rows.stop]
    n, none = len(prices), np.zeros(len(prices))
    years = none if flags.carry is None else prices[:, at.YEARS]
    funding = none if flags.funding is None else rules.funding * bars.funding[rows.start : rows.stop]
    slippage = np.full(n, rules.slippage) if flags.carry is None else np.ascontiguousarray(prices[:, at.ROW_SLIPPAGE])
    opens, highs, lows, closes = (np.ascontiguousarray(prices[:, column]) for column in (OPEN, HIGH, LOW, CLOSE))
    paid_long, paid_short = rules.long_apr * years + funding, rules.short_apr * years - funding
    span = Span(opens, highs, lows, closes, rules.taker + rules.half_spread, slippage, paid_long, paid_short)
    return Problem(
        span, rules, flags, np.array(sorted(exposures.levels), dtype=np.float64), exposures.between, params.orders.latency_bars > 0
    )


def _of_rows(market: Market, rows: RowRange) -> Iterator[str]:
    if len(rows) < 2:
        yield f"{len(rows)} row; allowed: at least 2, one to decide and one to mark"
    series = int(np.searchsorted(np.asarray(market.starts), rows.start, side="right"))
    if rows.start < 0 or rows.stop > market.starts[-1] or rows.stop > market.starts[series]:
        yield f"rows {rows.start}..{rows.stop - 1}; allowed: rows within one of the series that start at {list(market.starts[:-1])}"


def _of_exposures(exposures: Exposures, costs: CostParams, params: SimulatorParams) -> Iterator[str]:
    levels = exposures.levels
    if not levels or len(set(levels)) < len(levels):
        yield f"levels are {list(levels)}; allowed: at least one exposure, each once"
    elif not all(abs(level) <= params.max_exposure for level in levels):
        yield f"levels are {list(levels)}; allowed: from {-params.max_exposure:g} to {params.max_exposure:g}"
    if costs.highest_rate * params.max_exposure >= 1.0:
        yield f"a unit traded costs {costs.highest_rate:g} at {params.max_exposure:g} times the equity; allowed: a product below 1"
