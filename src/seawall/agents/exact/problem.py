"""What the exact policy gradient is asked to learn, and what it refuses before any training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from seawall.agents.exact.additive import path_dependent_terms
from seawall.agents.exact.positions import MOST_POSITIONS, POSITION_COLUMNS
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import ActionScheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams

_INSTEAD = "or choose agent ppo, which samples what it meets and serves all of these"


@dataclass(frozen=True)
class ExactProblem:
    """A market, what an account may do on it, what it pays and what a policy sees.

    Attributes:
        market: Prices and features.
        rows: The rows to learn from, within one series.
        window: L, rows of features that a decision sees.
        scheme: Action scheme with numbered actions.
        costs: Costs of a fill and of holding.
        simulator: Settings of the accounts and of their reward.
        account_columns: What a policy sees of the account, out of `POSITION_COLUMNS`.
        guard_columns: Columns of guards' state that would follow them; with any the problem is refused.
        further: Further rows to learn from, as cross-validation leaves; no stretch of decisions crosses from one range to another.
    """

    market: Market
    rows: RowRange
    window: int
    scheme: ActionScheme
    costs: CostParams
    simulator: SimulatorParams
    account_columns: tuple[str, ...] = ("target",)
    guard_columns: tuple[str, ...] = ()
    further: tuple[RowRange, ...] = ()

    def check(self) -> None:
        """Refuse what the agent cannot serve; see `check_exact`."""
        check_exact(self.scheme, self.costs, self.simulator, self.account_columns, self.guard_columns)

    def decision_ranges(self, segment_bars: int) -> list[RowRange]:
        """Return the parts of all ranges in which stretches of decisions fit, as `decision_rows`; ranges without any are left out.

        Raises:
            ConfigError: A range leaves its series, or none is long enough.
        """
        if not self.further:
            return [self.decision_rows(segment_bars)]
        each = [replace(self, rows=rows, further=()) for rows in (self.rows, *self.further)]
        long_enough = [part for part in each if len(part.rows) >= segment_bars + self.window]
        return [part.decision_rows(segment_bars) for part in long_enough or [max(each, key=lambda part: len(part.rows))]]

    def decision_rows(self, segment_bars: int) -> RowRange:
        """Return the part of the rows that has whole, warmed-up windows, in which stretches of decisions fit.

        Args:
            segment_bars: Decisions in a stretch.

        Raises:
            ConfigError: The rows leave their series, or are too few.
        """
        market, rows = self.market, self.rows
        series = max((place for place, start in enumerate(market.starts[:-1]) if start <= rows.start), default=0)
        if rows.stop > market.starts[series + 1]:
            raise ConfigError(
                f"rows {rows.start}..{rows.stop - 1} leave their series; allowed: rows within one of the series that start at "
                f"{list(market.starts[:-1])} and end before row {market.starts[-1]}"
            )
        first = max(rows.start, max(market.ready[series], market.starts[series]) + self.window - 1)
        if rows.stop < first + segment_bars + 1:
            raise ConfigError(
                f"segment_bars is {segment_bars}, and rows {rows.start}..{rows.stop - 1} leave {max(0, rows.stop - 1 - first)} "
                f"decisions with a window of {self.window} warmed-up rows; allowed: shorter stretches, or more rows"
            )
        return RowRange(first, rows.stop)


def check_exact(
    scheme: ActionScheme,
    costs: CostParams,
    simulator: SimulatorParams,
    account_columns: tuple[str, ...],
    guard_columns: tuple[str, ...] = (),
) -> None:
    """Refuse what the exact policy gradient cannot serve, with what to choose instead.

    Args:
        scheme: The action scheme.
        costs: Costs of a fill and of holding.
        simulator: Settings of the accounts and of their reward.
        account_columns: What a policy sees of the account.
        guard_columns: Columns of the guards' state, which follow them.

    Raises:
        ConfigError: Something depends on more than bar, position and action; everything that does is named.
    """
    found = exact_refusals(scheme, costs, simulator, account_columns, guard_columns)
    if found:
        raise ConfigError(f"agent 'exact' knows bar, position and action alone: {'; '.join(found)}; {_INSTEAD}")


def exact_refusals(
    scheme: ActionScheme,
    costs: CostParams,
    simulator: SimulatorParams,
    account_columns: tuple[str, ...],
    guard_columns: tuple[str, ...] = (),
) -> list[str]:
    """Return what the exact policy gradient cannot serve, each with what is allowed; empty where it serves all; see `check_exact`.

    Args:
        scheme: The action scheme.
        costs: Costs of a fill and of holding.
        simulator: Settings of the accounts and of their reward.
        account_columns: What a policy sees of the account.
        guard_columns: Columns of the guards' state, which follow them.
    """
    return [
        *_of_scheme(scheme),
        *_of_simulator(simulator),
        *_of_costs(costs),
        *_of_account(account_columns, guard_columns),
        *_of_reward(simulator),
    ]


def _of_scheme(scheme: ActionScheme) -> Iterator[str]:
    if not scheme.action_names:
        yield f"action scheme {scheme.name!r} asks for any exposure; allowed: numbered actions, as target_exposure has"
    if scheme.carries_terms:
        yield f"orders of action scheme {scheme.name!r} rest and have brackets; allowed: market orders, as target_exposure sends"
    if len(scheme.levels) > MOST_POSITIONS:
        yield f"action scheme {scheme.name!r} has {len(scheme.levels)} levels; allowed: at most {MOST_POSITIONS}"


def _of_simulator(simulator: SimulatorParams) -> Iterator[str]:
    orders, session = simulator.orders, simulator.session
    exits = (simulator.take_profit_bps, simulator.stop_loss_bps, simulator.trailing_stop_bps)
    if simulator.has_exits:
        yield f"take_profit_bps, stop_loss_bps, trailing_stop_bps are {exits}, which hang on the entry; allowed: 0 in training"
    if simulator.max_drawdown < 1.0:
        yield f"max_drawdown is {simulator.max_drawdown}, which hangs on the highest equity; allowed: 1 in training"
    if orders.latency_bars:
        yield f"orders.latency_bars is {orders.latency_bars}; allowed: 0"
    if orders.participation is not None:
        yield f"orders.participation is {orders.participation}, so that orders fill in part; allowed: null"
    if orders.lot_size or orders.min_notional:
        yield f"orders.lot_size, min_notional are {(orders.lot_size, orders.min_notional)}, which hang on equity; allowed: 0"
    if session.matters:
        yield f"session has windows {session.windows} and flat {session.flat}; allowed: none, orders at every bar"


def _of_costs(costs: CostParams) -> Iterator[str]:
    if any(costs.randomization.sigmas):
        yield f"costs.randomization draws costs for each episode, {costs.randomization.sigmas}; allowed: 0, there are no episodes"
    if costs.fill_ratio < 1.0:
        yield f"costs.fill_ratio is {costs.fill_ratio}, so that orders fill in part; allowed: 1 in training"


def _of_account(columns: tuple[str, ...], guard_columns: tuple[str, ...]) -> Iterator[str]:
    unknown = [name for name in columns if name not in POSITION_COLUMNS]
    if unknown:
        yield f"account_columns {unknown} tell of the past or of drift; allowed: {', '.join(POSITION_COLUMNS)}"
    if guard_columns:
        yield (
            f"guards remember and show {list(guard_columns)}; allowed: none in training, as guards may still judge what is learned "
            "at evaluation"
        )


def _of_reward(simulator: SimulatorParams) -> Iterator[str]:
    terms = path_dependent_terms(simulator.reward)
    if terms:
        yield f"reward terms {list(terms)} depend on the path; allowed: terms that add up per bar, as log_return"
