"""Does a graph decide as the networks it was made from? Both are shown the same bars, and told apart number by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seawall.agents.onnx.policy import OnnxPolicy
from seawall.core.errors import DataError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import Observation, Policy

TOLERANCE = 1e-5
"""Largest difference that is let pass, as a share of the largest number: single precision, summed in another order."""

COMPARED = 1_024
"""Decisions that are compared on a run's own rows, and as many on random ones."""

_BATCH, _SINGLES, _EPISODES = 256, 8, 4

Episode = list[Observation]
"""Bars in a row of the same accounts, which begin with nothing remembered."""


@dataclass
class Differences:
    """How a graph and networks differ.

    Attributes:
        decisions: How many were compared.
        unlike: Of these, numbered actions that are not the same.
        apart: Largest absolute difference of each number told, by name; infinity where one is not finite.
        largest: Largest absolute value of it.
    """

    decisions: int = 0
    unlike: int = 0
    apart: dict[str, float] = field(default_factory=dict[str, float])
    largest: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def share(self) -> float:
        """The largest difference of all numbers told, each as a share of the largest of its name."""
        return max((apart / (self.largest[name] or 1.0) for name, apart in self.apart.items()), default=0.0)

    def add(self, name: str, found: np.ndarray, expected: np.ndarray) -> None:
        """Count in two arrays of one shape."""
        fits = found.shape == expected.shape and found.size > 0
        apart = float(np.abs(found.astype(np.float64) - expected).max()) if fits else float("inf")
        self.apart[name] = max(self.apart.get(name, 0.0), apart if np.isfinite(apart) else float("inf"))
        self.largest[name] = max(self.largest.get(name, 0.0), float(np.abs(expected).max()) if expected.size else 0.0)


def differences(networks: Policy, graph: OnnxPolicy, episodes: Sequence[Episode]) -> Differences:
    """Let networks and graph walk through episodes side by side.

    Compared are the actions, everything told with them, what the graph's first output says, and what is remembered.

    Args:
        networks: The ensemble, run by torch.
        graph: The graph, run by onnxruntime.
        episodes: Each at least one bar long.

    Raises:
        DataError: The graph takes inputs of another shape.
    """
    found = Differences()
    for episode in episodes:
        for policy in (networks, graph):
            begin = getattr(policy, "begin", None)
            if begin is not None:
                begin(len(episode[0].rows))
        for observation in episode:
            _compare(found, networks, graph, observation)
    return found


def _compare(found: Differences, networks: Policy, graph: OnnxPolicy, observation: Observation) -> None:
    (expected, details), (actions, told) = networks.act(observation), graph.act(observation)
    found.decisions += len(expected)
    if expected.dtype.kind == "f":
        found.add("actions", actions, expected)
    else:
        found.unlike += int((actions != expected).sum()) if actions.shape == expected.shape else len(expected)
    for name, numbers in details.items():
        if numbers.dtype.kind == "f":
            found.add(name, told[name], numbers)
    if graph.told is not None:
        found.add("decided", graph.told.decided, details.get(graph.session.kind, expected))
    memory: Any = getattr(networks, "memory", None)
    if graph.memory_width:
        found.add("memory", graph.memory, np.empty(0) if memory is None else memory)


def require_parity(found: Differences, *, own: bool = True) -> None:
    """Refuse a file that decides otherwise than the networks.

    Args:
        found: How they differ.
        own: Whether the bars were the run's own, on which every decision must be the same; on random ones two actions may be so
            close that the last bit chooses.

    Raises:
        DataError: A difference is beyond `TOLERANCE`, or a decision is another.
    """
    if not found.share <= TOLERANCE:
        name = max(found.apart, key=lambda each: found.apart[each] / (found.largest[each] or 1.0))
        raise DataError(
            f"the ONNX graph's {name} differ by {found.share:.2g} of the largest from the networks'; allowed: up to {TOLERANCE:g}"
        )
    if own and found.unlike:
        raise DataError(
            f"the ONNX graph takes {found.unlike:,} of {found.decisions:,} decisions otherwise than the networks; allowed: none"
        )


def random_market(like: Market, rows: int, source: np.random.Generator) -> Market:
    """Return a market of made-up rows, with the series and the columns of another.

    Args:
        like: Gives series, columns and timeframe.
        rows: T of each series.
        source: Of the features, standard normal numbers.
    """
    series = len(like.symbols)
    return Market(
        symbols=like.symbols,
        starts=tuple(range(0, (series + 1) * rows, rows)),
        timeframe=like.timeframe,
        timestamps=np.tile(np.arange(rows, dtype=np.int64) * like.timeframe.milliseconds, series),
        prices=np.ones((series * rows, 5)),
        features=source.standard_normal((series * rows, len(like.feature_names))).astype(np.float32),
        feature_names=like.feature_names,
        ready=(0,) * series,
    )


def episodes_of(
    market: Market, ranges: Sequence[RowRange], n_account: int, source: np.random.Generator, *, remembers: bool
) -> list[Episode]:
    """Cut rows into what is compared.

    Without a memory that is `COMPARED` decisions spread evenly over the rows, many accounts at once, and a few of them one by one
    as live asks. With one, 4 accounts walk on from bars spread evenly, and one walks alone, which starts anew.

    Args:
        market: The bars.
        ranges: Rows to decide at.
        n_account: Numbers of an account row, drawn evenly from -1 to 1.
        source: Of the account rows.
        remembers: Whether the policies have a memory.
    """

    def seen(rows: np.ndarray) -> Observation:
        return Observation(market, rows, source.uniform(-1.0, 1.0, (len(rows), n_account)).astype(np.float32))

    if remembers:
        first = max(ranges, key=len)
        length = min(COMPARED // _EPISODES, len(first))
        starts = np.linspace(first.start, first.stop - length, _EPISODES).astype(np.int64)
        return [[seen(starts + step) for step in range(length)], [seen(starts[-1:] + step) for step in range(min(32, length))]]
    every = np.concatenate([np.arange(each.start, each.stop) for each in ranges])
    rows = every[np.unique(np.linspace(0, len(every) - 1, COMPARED).astype(np.int64))]
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    return [[seen(part)] for part in (*parts, *(rows[place : place + 1] for place in range(min(_SINGLES, len(rows)))))]
