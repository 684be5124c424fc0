"""The reward of N accounts: its terms, their weighted sum, and what they add up to over an episode."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import cast

import numpy as np

from seawall.core.errors import InvariantError
from seawall.core.market import Market
from seawall.simulator.kernel import layout as at
from seawall.simulator.kernel.layout import PADDING, Accounts
from seawall.simulator.rewards import layout as of
from seawall.simulator.rewards.bar import BarView
from seawall.simulator.rewards.hindsight import exits_ahead
from seawall.simulator.rewards.judge import forget_ended, weigh
from seawall.simulator.rewards.layout import Judging, Numbers
from seawall.simulator.rewards.memory import remembered_parts
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.rewards.terms import REWARD_TERMS

_HINDSIGHT = {of.HINDSIGHT_EXIT: False, of.HINDSIGHT_EXIT_LIMIT: True}


class Reward:
    """Computes the reward bar by bar: compiled terms in one pass with the bar itself, a user's own terms after it.

    A term without weight is not computed.

    Attributes:
        names: The K terms, in order.
        terms: The terms of the last bar, before their weights, float64, shape (K, N); 0 for one without weight.
        numbers: Settings of the terms, as the compiled pass reads them.
        sums: What each term, times its weight and the scale, has added up to in the episode, float64, shape (K, N).
        reads_signals: Whether a term looks at what was asked for.
    """

    def __init__(self, params: RewardParams, market: Market, n: int, round_trip: float) -> None:
        """Build the terms.

        Args:
            params: Weights and settings.
            market: What the rows refer to.
            n: Number of accounts, N.
            round_trip: What a round trip costs for certain, as a share of what is traded one way.
        """
        self.names = tuple(params.weights)
        self._n, self._market, self._clip = n, market, params.clip
        self._units = [round_trip if REWARD_TERMS[name].in_round_trips else 1.0 for name in self.names]
        self._weights = np.array(list(params.weights.values())) * params.scale
        live = [(place, REWARD_TERMS[name]) for place, name in enumerate(self.names) if self._weights[place] != 0.0]
        compiled = [(place, term.code) for place, term in live if term.code is not None]
        self._own = [(place, term.build(params, market, n)) for place, term in live if term.code is None]
        self._remembered: list[tuple[int, str, str, int, int]] = []
        """Place of the term, name of the part, block, first row and rows, of all that compiled terms remember."""
        self.numbers = _numbers(params)
        self._judging = self._judged(params, compiled)
        self.terms, self.sums = self._judging.terms[:, :n], self._judging.sums[:, :n]
        self.reads_signals = bool(self._own) or any(code >= of.REMEMBERING for _, code in compiled)

    def _judged(self, params: RewardParams, compiled: list[tuple[int, int]]) -> Judging:
        """Return what the compiled pass is given, with blocks of zeros."""
        width, k = self._n + PADDING, len(self.names)
        firsts, rows, exits = list[tuple[int, int]](), {"memory": 0, "ages": 0}, list[np.ndarray]()
        for place, code in compiled:
            firsts.append((2 * len(exits) if code in _HINDSIGHT else rows["memory"], rows["ages"]))
            if code in _HINDSIGHT:
                exits.append(exits_ahead(params, self._market, limit=_HINDSIGHT[code]))
            for block, parts in zip(rows, remembered_parts(code, params), strict=True):
                for part, size in parts.items():
                    self._remembered.append((place, part, block, rows[block], size))
                    rows[block] += size
        needed = np.full(of.FACTS, bool(self._own))
        for _, code in compiled:
            needed[list(of.FACTS_OF.get(code, ()))] = True
        # One block, so that a reset clears it in one go.
        self._block = np.zeros((2 * k + rows["memory"], width))
        at_rows = np.array(firsts, dtype=np.int64).reshape(-1, 2)
        return Judging(
            codes=np.array([code for _, code in compiled], dtype=np.int64),
            places=np.array([place for place, _ in compiled], dtype=np.int64),
            memory_at=at_rows[:, 0].copy(),
            ages_at=at_rows[:, 1].copy(),
            needed=needed,
            weights=self._weights,
            ended=np.zeros(width, dtype=np.bool_),
            facts=np.zeros((of.FACTS, width)),
            memory=self._block[2 * k :],
            ages=np.zeros((rows["ages"], width), dtype=np.int64),
            terms=self._block[:k],
            sums=self._block[k : 2 * k],
            starts=np.array(self._market.starts, dtype=np.int64),
            ahead=np.concatenate(exits, axis=1) if exits else np.zeros((0, 0)),
            signal=np.zeros(0, dtype=np.int8),
            weighs=not self._own,
        )

    @property
    def plain(self) -> bool:
        """Whether the reward is the log return alone, for which nothing needs to be known of the bar before."""
        return self.names == ("log_return",)

    @property
    def remembered(self) -> tuple[np.ndarray, np.ndarray]:
        """What the start of an episode clears: terms, sums and memory, float64, and ages, int64; shape (rows, N + PADDING) each."""
        return self._block, self._judging.ages

    @property
    def first_weight(self) -> float:
        """Weight of the first term, times the scale."""
        return float(self._weights[0])

    def judging(self, signal: np.ndarray | None) -> Judging:
        """Return what the compiled pass is given.

        Args:
            signal: What was asked for: −1 sell, 0 hold, +1 buy; int8, shape (N,); None where no term reads it.
        """
        return self._judging if signal is None else self._judging._replace(signal=signal)

    def earned(self, total: np.ndarray, wrong: int, accounts: Accounts, judging: Judging) -> np.ndarray:
        """Return the reward of the bar just marked, float64, shape (N,).

        Args:
            total: What the compiled pass has added up; changed in place.
            wrong: How many of these are no finite numbers.
            accounts: The accounts, marked.
            judging: What the pass was given.

        Raises:
            InvariantError: A term is not a finite number.
        """
        if self._own:
            bar = BarView(self._market, accounts, judging, self._n)
            for place, state in self._own:
                self.terms[place] = state(bar) * self._units[place]
            first, last = cast("tuple[int, int]", (np.uint64(0), np.uint64(self._n)))
            forget_ended(judging.terms, judging.ended, first, last)
            wrong = weigh(judging.terms, self._weights, judging.sums, total, first, last)
        if wrong:
            self._name_the_fault(accounts.counts[at.ROW])
        return self._clipped(total)

    def of_log_return(self, log_return: np.ndarray) -> np.ndarray:
        """Return what `earned` would where the reward is `plain`, float64, shape (N,); no bar is looked at."""
        self.terms[0] = log_return
        total = log_return * self.first_weight
        self.sums[0] += total
        return self._clipped(total)

    def _clipped(self, total: np.ndarray) -> np.ndarray:
        return total if self._clip is None else np.clip(total, -self._clip, self._clip)

    def _name_the_fault(self, rows: np.ndarray) -> None:
        for name, term in zip(self.names, self.terms, strict=True):
            wrong = ~np.isfinite(term)
            if wrong.any():
                account = int(np.argmax(wrong))
                raise InvariantError(
                    f"reward term {name!r} is {term[account]} for account {account} at row {int(rows[account])}; "
                    "allowed: finite numbers"
                )
        raise InvariantError(f"the weighted reward of terms {list(self.names)} is beyond any number; allowed: smaller weights")

    def told(self, account: int) -> dict[str, float]:
        """Return what each term added to the reward of an account's last bar, weighted, before any clipping."""
        weighted = self.terms[:, account] * self._weights
        return dict(zip(self.names, weighted.tolist(), strict=True))

    def reset(self, accounts: np.ndarray) -> None:
        """Let terms in Python forget some accounts, at the start of an episode; int64, shape (K,). The rest is `remembered`."""
        for _, state in self._own:
            state.reset(accounts)

    def blocks(self) -> Mapping[str, np.ndarray]:
        """Return the arrays of a saved state, by name."""
        found: dict[str, np.ndarray] = {"reward_sums": self.sums}
        for place, part, block, row, size in self._remembered:
            rows: np.ndarray = getattr(self._judging, block)[row : row + size, : self._n]
            found[f"reward_{self.names[place]}_{part}"] = rows if part == "ring" else rows[0]
        for place, state in self._own:
            found.update({f"reward_{self.names[place]}_{part}": block for part, block in state.blocks().items()})
        return found


def _numbers(params: RewardParams) -> Numbers:
    return Numbers(
        rate=params.sharpe_rate,
        warmup=float(params.sharpe_warmup),
        clip=params.sharpe_clip,
        window=params.sharpe_window,
        idle_bars=params.idle_bars,
        hold=nan if params.hindsight_hold is None else params.hindsight_hold,
    )
