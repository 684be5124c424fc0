"""Several trained policies at once, each for an account of its own, with most of their work done for many bars ahead.

What an encoder makes of a window hangs on the market alone. So windows are encoded in large batches, and what is left to do at a
bar is the account's part of a linear head::

    preference = (head · encoding + bias) + head of the account · account row

Batches round otherwise than single windows do. Where two actions are so close that this might decide, the policy itself is asked,
with this one window: the actions are those that it would have taken alone, bar for bar.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import nn

from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.market import Market, RowRange
from seawall.core.protocols import VOTES, Observation, Policy
from seawall.nets.windows import ObservedWindows
from seawall.simulator.compiled import heed_sources, ready_call

_BATCH = 2_048
_CLOSE = 1e-4
"""Actions whose probabilities differ by less, per unit of preference, are left to the policy itself. Rounding is a hundred times
smaller: preferences of float32 differ by some 1e-6 of their size from batch to batch."""


def can_be_walked_ahead(policy: Policy) -> bool:
    """Say whether a policy is a network, or an ensemble of such: without a memory, with numbered actions and a linear head."""
    if isinstance(policy, EnsemblePolicy):
        return all(can_be_walked_ahead(member) for member in policy.members)
    if not isinstance(policy, NetworkPolicy):
        return False
    network = policy.network
    return (
        network.n_actions > 0
        and not network.state_width
        and isinstance(network.policy_head, nn.Linear)
        and policy.sees_the_market
        and policy.device.type == "cpu"
    )


class Ahead:
    """A policy of N accounts, each of which is decided for by a policy of its own."""

    def __init__(self, policies: Sequence[Policy], market: Market, rows: RowRange, *, votes: bool = False) -> None:
        """Encode the windows of all rows but the last.

        Args:
            policies: One for each account; `can_be_walked_ahead` says which may be. Accounts may share one.
            market: Prices and features.
            rows: Rows at which decisions are taken, and one more.
            votes: Whether to tell what each member would do alone, too.

        Raises:
            IndexError: A window would start before the market's first row.
        """
        self._policies, self._first = tuple(policies), rows.start
        lineup = [_members(policy) for policy in policies]
        members = list({id(member): member for each in lineup for member in each}.values())
        places = {id(member): place for place, member in enumerate(members)}
        self._owner = np.array([account for account, each in enumerate(lineup) for _ in each], dtype=np.int64)
        self._member = np.array([places[id(member)] for each in lineup for member in each], dtype=np.int64)
        self._weights = np.stack([_account_weights(member) for member in members])
        self._n_votes = max(len(each) for each in lineup) if votes else 0
        self._call: Any = None
        self._known = np.stack([_known(member, market, rows) for member in members], axis=1)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, Any]]:
        """Return each account's likeliest action, int64, shape (N,), at any of the rows; the account rows are all policies'.

        With `votes` also what each member would do alone, int64, shape (N, M); where an account has fewer members than M, as with a
        single network, the rest vote for its action.
        """
        del deterministic
        rows = observation.rows
        actions, sure = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.bool_)
        votes = np.empty((len(rows), self._n_votes), dtype=np.int64)
        account = np.ascontiguousarray(observation.account, dtype=np.float32)
        lineup, out = (self._owner, self._member), (actions, sure, votes)
        parts = (rows - self._first, account, self._known, self._weights, lineup, out)
        if self._call is None:
            self._call = ready_call(_choose, parts)
        self._call(*parts)
        if not sure.all():
            self._ask_themselves(np.flatnonzero(~sure).tolist(), observation, actions, votes)
        return actions, {VOTES: votes} if self._n_votes else {}

    def _ask_themselves(self, accounts: list[int], observation: Observation, actions: np.ndarray, votes: np.ndarray) -> None:
        """Let the policies of some accounts decide, each with its one window."""
        for i in accounts:
            alone = Observation(observation.market, observation.rows[i : i + 1], observation.account[i : i + 1])
            chosen, told = self._policies[i].act(alone)
            actions[i] = votes[i] = chosen[0]
            if self._n_votes and VOTES in told:
                votes[i, : told[VOTES].shape[1]] = told[VOTES][0]


def _members(policy: Policy) -> tuple[NetworkPolicy, ...]:
    if isinstance(policy, EnsemblePolicy):
        return policy.members
    if isinstance(policy, NetworkPolicy):
        return (policy,)
    raise TypeError(f"{type(policy).__name__} cannot be walked ahead")


def _head(policy: NetworkPolicy) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return weights and bias of the policy's head, and how many of its inputs are encodings."""
    head: Any = policy.network.policy_head
    return head.weight, head.bias, head.in_features - policy.network.n_account


def _account_weights(policy: NetworkPolicy) -> np.ndarray:
    """Return the weights of the account row, float64, shape (P, A)."""
    weights, _bias, width = _head(policy)
    return weights[:, width:].detach().cpu().numpy().astype(np.float64)


@torch.inference_mode()
def _known(policy: NetworkPolicy, market: Market, rows: RowRange) -> np.ndarray:
    """Return the preferences at all rows but the last, without the account row's part, float64, shape (T − 1, P)."""
    gather = ObservedWindows(policy.window)
    weights, bias, width = _head(policy)
    parts: list[np.ndarray] = []
    for start in range(rows.start, rows.stop - 1, _BATCH):
        batch = np.arange(start, min(start + _BATCH, rows.stop - 1))
        windows = gather(Observation(market, batch, np.zeros((len(batch), 0), np.float32)))
        parts.append((policy.network.actor_encoder(windows) @ weights[:, :width].T + bias).numpy().astype(np.float64))
    return np.concatenate(parts)


@njit(cache=True, error_model="numpy")
def _lead(weights: np.ndarray) -> float:
    """Return how far the largest of some positive numbers is above the next."""
    best, second = 0.0, 0.0
    for weight in weights:
        if weight > best:
            best, second = weight, best
        elif weight > second:
            second = weight
    return best - second


@njit(cache=True, error_model="numpy")
def _choose(
    bars: np.ndarray,
    account: np.ndarray,
    known: np.ndarray,
    weights: np.ndarray,
    lineup: tuple[np.ndarray, np.ndarray],
    out: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Fill the likeliest action of each account, whether it is so beyond rounding, and what each voter would do alone.

    Args:
        bars: Place of each account's row in `known`, shape (N,).
        account: Account rows, shape (N, A).
        known: Preferences without the account row's part, shape (T − 1, M, P).
        weights: Of the account row, shape (M, P, A).
        lineup: The account of each voter, ascending, and its place among the M members; shape (K,) each.
        out: Actions and whether they are sure, shape (N,) each, and votes, shape (N, V): V is 0 where nobody asks for them.
    """
    owner, member = lineup
    actions, sure, votes = out
    n_actions, columns = weights.shape[1], weights.shape[2]
    preference, mean = np.empty(n_actions), np.empty(n_actions)
    voter = 0
    for i in range(len(bars)):
        mean[:] = 0.0
        voters, largest, closest = 0, 1.0, 1.0
        while voter < len(owner) and owner[voter] == i:
            place = member[voter]
            top = -np.inf
            for action in range(n_actions):
                value = known[bars[i], place, action]
                for column in range(columns):
                    value += weights[place, action, column] * account[i, column]
                preference[action] = value
                top = max(top, value)
                largest = max(largest, abs(value))
            total = 0.0
            for action in range(n_actions):
                preference[action] = np.exp(preference[action] - top)
                total += preference[action]
            for action in range(n_actions):
                mean[action] += preference[action] / total
            if votes.shape[1]:
                votes[i, voters] = preference.argmax()
                closest = min(closest, _lead(preference) / total)
            voters += 1
            voter += 1
        actions[i] = mean.argmax()
        for rest in range(voters, votes.shape[1]):
            votes[i, rest] = actions[i]
        sure[i] = min(_lead(mean) / voters, closest) > _CLOSE * largest


heed_sources(sys.modules[__name__])
