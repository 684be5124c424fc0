"""What an explanation of a run stands on: its policies, the bars, what was seen there, and what that is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from seawall.agents.bundle import load_bundle, read_manifest
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.core.protocols import ActionScheme, Observation, Policy
from seawall.core.run_folder import RunFolder
from seawall.core.timeframe import Timeframe
from seawall.evaluation.explain_walk import Seen, even_rows, seen_in, seen_in_panel
from seawall.nets.portfolio_windows import Look, ObservedPanels, panel_features
from seawall.nets.windows import ObservedWindows
from seawall.recipes.judging import Case, OpenedCase, open_case
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_run import parts_of
from seawall.recipes.run_bundle import BEST, is_finished
from seawall.training.threads import use_threads

_SIGNALS = {-1: "sell", 0: "hold", 1: "buy"}


@dataclass(frozen=True)
class Names:
    """What inputs and outputs are called.

    Attributes:
        features: Columns of a window.
        account: Columns of the account row.
        lags: Rows of a window, oldest first.
        assets: Of a portfolio; none of one series.
        outputs: Numbered actions, or cash and assets; none where an action is a number.
        tokens: What a transformer's tokens stand for where they stand for anything; else none.
    """

    features: tuple[str, ...]
    account: tuple[str, ...]
    lags: tuple[str, ...]
    assets: tuple[str, ...]
    outputs: tuple[str, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Ground:
    """What an explanation stands on.

    Attributes:
        seeds: Policy of each trained seed.
        untrained: Makes a policy whose weights were drawn from a seed and never trained.
        seen: What the ensemble saw and did at the B bars.
        memories: What each seed remembered before them, float32, shape (B, M) each.
        windows: What was seen at them, shape (B, L, F), or (B, A, L, F) of portfolios.
        usual: The training mean of every input of a window, float32, shape of one bar's windows.
        levels: Exposure that each action would ask for at each bar, float64, shape (B, P).
        chosen: Place of the action that the ensemble chose, int64, shape (B,).
        actions: What it chose, in words, one a bar.
        names: What inputs and outputs are called.
        facts: Of run and bars; plain values.
    """

    seeds: Mapping[int, Policy]
    untrained: Callable[[int], Policy]
    seen: Seen
    memories: Mapping[int, np.ndarray]
    windows: Tensor
    usual: np.ndarray
    levels: np.ndarray
    chosen: np.ndarray
    actions: Sequence[str]
    names: Names
    facts: dict[str, Any]


def ground_of_series(case: Case, bars: int, tell: Callable[[int, int], Any]) -> Ground:
    """Let the ensemble of a run over one series walk its test rows, and gather what an explanation needs.

    Args:
        case: The run, and which of its weights.
        bars: At how many bars.
        tell: Told how many bars were walked, and how many will be.

    Raises:
        ConfigError: The checkpoint is not kept, or no bar was asked for.
        DataError: The run is not trained, or its bundle does not fit.
    """
    opened = open_case(case)
    parts, market, window = opened.parts, opened.parts.dataset.market, opened.recipe.environment.window
    wanted = even_rows(opened.ranges, bars)
    seen = seen_in(opened.ensemble, [parts.setting(rows) for rows in opened.ranges], wanted, tell)
    windows = ObservedWindows(window)(Observation(market, seen.rows, seen.account))
    usual = _mean_rows(np.asarray(market.features), parts.dataset.split.training)
    levels, chosen, actions = _choices(parts.scheme, seen)
    lags = tuple(map(str, range(window - 1, -1, -1)))
    names = Names(market.feature_names, parts.account_names, lags, (), parts.scheme.action_names, lags)
    return Ground(
        seeds=opened.seeds,
        untrained=parts.untrained_policy,
        seen=seen,
        memories=_memories(opened, seen),
        windows=windows,
        usual=np.broadcast_to(usual, (window, len(usual))).astype(np.float32),
        levels=levels,
        chosen=chosen,
        actions=actions,
        names=names,
        facts={
            **_facts(case.run, case.checkpoint, opened.recipe.name, market.timeframe.label, seen),
            "one_encoder": opened.recipe.pretraining is not None and len(opened.seeds) > 1,
            "symbol": market.symbols[0],
            "scaling": opened.recipe.features.scaling,
            **_span(market.timestamps, opened.ranges, wanted, seen),
        },
    )


def ground_of_portfolio(run: RunFolder, checkpoint: str, bars: int, tell: Callable[[int, int], Any]) -> Ground:
    """Let the ensemble of a portfolio walk its test rows, and gather what an explanation needs; as `ground_of_series`."""
    if checkpoint != BEST:
        raise ConfigError(
            f"checkpoint is {checkpoint!r}, and a portfolio is explained by the weights of its bundle; allowed: {BEST}"
        )
    parts, bundle = parts_of(run), load_bundle(run.bundle)
    use_threads(parts.recipe.training.threads)
    ensemble, members = parts.policies(bundle)
    ranges, panel, market = parts.data.dataset.split.tests, parts.data.panel, parts.data.dataset.market
    wanted = even_rows(ranges, bars)
    seen = seen_in_panel(ensemble, [parts.setting(rows) for rows in ranges], wanted, tell)
    owners = ("cash", *panel.symbols)
    largest = seen.actions.argmax(1)
    nothing = np.zeros((len(seen.rows), 0), np.float32)
    return Ground(
        seeds=dict(zip(bundle.manifest["seeds"], members, strict=True)),
        untrained=lambda seed: parts.policy(parts.network(seed)),
        seen=seen,
        memories=dict.fromkeys(bundle.manifest["seeds"], nothing),
        windows=ObservedPanels(parts.look)(Observation(market, seen.rows, seen.account)),
        usual=_usual_panel(parts),
        levels=np.zeros((len(seen.rows), len(owners))),
        chosen=largest,
        actions=[f"most in {owners[place]}" for place in largest],
        names=_portfolio_names(parts, owners),
        facts={
            **_facts(run, checkpoint, parts.recipe.name, panel.timeframe.label, seen),
            "symbol": parts.data.dataset.facts["symbol"],
            "scaling": parts.recipe.features.scaling,
            **_span(panel.timestamps, ranges, wanted, seen),
        },
    )


def _choices(scheme: ActionScheme, seen: Seen) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the exposure that each action would ask for, which was chosen, and what it is called."""
    names, n = scheme.action_names, len(seen.rows)
    if names:
        levels = np.stack([scheme.intent(np.full(n, action), seen.held).target for action in range(len(names))], axis=1)
        return levels, seen.actions.astype(np.int64), [names[action] for action in seen.actions]
    signals = scheme.intent(seen.actions, seen.held).signal
    return np.zeros((n, 1)), np.zeros(n, np.int64), [_SIGNALS[int(signal)] for signal in signals]


def _memories(opened: OpenedCase, seen: Seen) -> dict[int, np.ndarray]:
    """Return what each seed remembered, of what the ensemble did."""
    widths = [getattr(policy, "memory_width", 0) for policy in opened.seeds.values()]
    parts = np.split(seen.memory, np.cumsum(widths)[:-1], axis=1)
    return dict(zip(opened.seeds, parts, strict=True))


def _mean_rows(features: np.ndarray, ranges: Sequence[RowRange]) -> np.ndarray:
    """Return the mean of each column over the training rows, float64, shape (..., C), of features (..., T, C)."""
    totals = [features[..., each.start : each.stop, :].sum(-2, dtype=np.float64) for each in ranges]
    return np.sum(totals, axis=0) / sum(len(each) for each in ranges)


def _usual_panel(parts: PortfolioParts) -> np.ndarray:
    """Return each asset's own training mean, float32, shape (A, L, F), frame below frame."""
    look: Look = parts.look
    block = panel_features(parts.data.dataset.market).numpy()
    means = _mean_rows(block, parts.data.dataset.split.training)
    frames = [np.repeat(means[:, None, each.first : each.first + look.columns], each.rows, axis=1) for each in look.frames]
    return np.concatenate(frames, axis=1).astype(np.float32)


def _portfolio_names(parts: PortfolioParts, owners: tuple[str, ...]) -> Names:
    look, bars = parts.look, parts.data.panel.timeframe
    features = parts.data.dataset.market.feature_names[: look.columns]
    several = len(look.frames) > 1
    lags = []
    for frame in look.frames:
        clock = f" × {Timeframe(frame.stride * bars.seconds).label}" if several else ""
        lags += [f"{back}{clock}" for back in range(frame.rows - 1, -1, -1)]
    tokens = owners if parts.recipe.network.tokens == "assets" else ()
    return Names(tuple(features), parts.account_names, tuple(lags), parts.data.panel.symbols, owners, tokens)


def _facts(run: RunFolder, checkpoint: str, recipe: str, timeframe: str, seen: Seen) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "recipe": recipe,
        "timeframe": timeframe,
        "checkpoint": checkpoint,
        "training_finished": is_finished(run),
        "weights": [member["weights_hash"] for member in read_manifest(run.bundle)["members"]],
        "bars": len(seen.rows),
    }


def _span(timestamps: np.ndarray, ranges: Sequence[RowRange], wanted: np.ndarray, seen: Seen) -> dict[str, Any]:
    first, last = (f"{each:%Y-%m-%d %H:%M}" for each in from_milliseconds(np.asarray(timestamps)[seen.rows[[0, -1]]]))
    return {"first": first, "last": last, "decisions": sum(len(rows) - 1 for rows in ranges), "bars_asked": len(wanted)}
