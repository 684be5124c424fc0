"""Judging what a user's Python file holds: columns, feature sets, and candidates of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.evaluation.leaks.candidates import KINDS, Candidate, FeatureCandidate
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.features.columns import COLUMNS, Column, column_values
from seawall.features.registry import FEATURE_SETS
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import read_bars
from seawall.recipes.leakcheck import declared_lookahead, feature_candidate
from seawall.recipes.plugins import load_plugin
from seawall.simulator.rewards.check import find_fault
from seawall.simulator.rewards.params import RewardParams

DICTIONARY = "CANDIDATES"


def file_bars(path: Path, n_bars: int) -> pd.DataFrame:
    """Read the first bars of a user's file, checked as training checks them; gaps stay, as functions must bear them.

    Raises:
        DataError: The file is missing or its bars are bad.
    """
    bars, _report = apply_quality(read_bars(path, Path.cwd()), QualityParams(gaps="bridge"))
    return bars.iloc[:n_bars].reset_index(drop=True)


def file_candidates(path: Path, bars: pd.DataFrame) -> tuple[dict[str, Candidate], list[Judgement]]:
    """Run a file and collect what can be judged in it.

    Args:
        path: A Python file with ``COLUMNS``, ``FEATURE_SETS``, ``REWARD_TERMS`` or ``CANDIDATES``.
        bars: The bars to judge on, whose length of a bar fixes the anchors of feature sets.

    Returns:
        Candidates by name, what the file's feature sets say of themselves, and what was found of its reward terms.

    Raises:
        ConfigError: The file cannot be run, holds nothing to judge, or a part of it is of the wrong kind.
    """
    plugin = load_plugin(path, others=(DICTIONARY,))
    found: dict[str, Candidate] = {}
    said: list[Judgement] = []
    for name in plugin.parts.get("COLUMNS", ()):
        found[name] = FeatureCandidate(partial(_column, name=name, column=COLUMNS[name]), warmup=COLUMNS[name].warmup)
    timeframe = Timeframe.infer(timestamps_ms(bars))
    for name in plugin.parts.get("FEATURE_SETS", ()):
        entry = FEATURE_SETS[name]
        columns: FeatureSet = entry.make((), entry.options())
        found[name] = feature_candidate(columns, timeframe)
        if columns.lookahead:
            said.append(Judgement(name, "feature", declared_lookahead(columns)))
    said += [_reward_term(name) for name in plugin.parts.get("REWARD_TERMS", ())]
    own = getattr(plugin.module, DICTIONARY, {})
    if not isinstance(own, Mapping):
        raise ConfigError(f"{path}: {DICTIONARY} is a {type(own).__name__}; allowed: a dictionary from names to candidates")
    for name, candidate in own.items():
        if type(candidate) not in KINDS:
            allowed = ", ".join(kind.__name__ for kind in KINDS)
            raise ConfigError(f"{path}: candidate {name!r} is a {type(candidate).__name__}; allowed: {allowed}")
        if str(name) in found:
            raise ConfigError(f"{path}: {DICTIONARY} has {name!r}, which names another part of the file too; rename one of them")
        found[str(name)] = candidate
    if not found and not said:
        raise ConfigError(f"{path} holds nothing to judge; allowed: entries in COLUMNS, FEATURE_SETS, REWARD_TERMS or {DICTIONARY}")
    return found, said


def _reward_term(name: str) -> Judgement:
    """Judge a term of a reward on a made market, under the settings that rewards have of themselves."""
    fault = find_fault(name, RewardParams())
    if fault is None:
        return Judgement(name, "reward term")
    if fault.bars_ahead is None:
        return Judgement(name, "reward term", problem=fault.words)
    return Judgement(name, "reward term", (Finding(name, f"{name} {fault.words}", fault.bars_ahead, None, False, fault.row),))


def _column(bars: pd.DataFrame, *, name: str, column: Column) -> pd.Series:
    return pd.Series(column_values(name, column, bars), index=bars.index)
