"""Feature sets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError
from seawall.core.protocols import FeatureSet


@dataclass(frozen=True)
class JoinedFeatureSet(FeatureSet):
    """Several feature sets as one, each computed as it is alone.

    Attributes:
        parts: The sets, in order.
    """

    parts: tuple[FeatureSet, ...] = field(kw_only=True)


def joined_features(sets: Sequence[FeatureSet]) -> FeatureSet:
    """Return one feature set with the columns of several, in order; a single one is returned as it is.

    Raises:
        ConfigError: Two of them have a column of the same name.
    """
    if len(sets) == 1:
        return sets[0]
    parts = tuple(part for each in sets for part in (each.parts if isinstance(each, JoinedFeatureSet) else (each,)))
    columns = tuple(name for each in parts for name in each.columns)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ConfigError(f"features.set={[each.name for each in parts]} has {', '.join(twice)} in more than one set")
    return JoinedFeatureSet(
        name="+".join(each.name for each in parts),
        columns=columns,
        warmup=max(each.warmup for each in parts),
        requires=tuple(dict.fromkeys(raw for each in parts for raw in each.requires)),
        compute=partial(_side_by_side, sets=parts),
        settings={each.name: dict(each.settings) for each in parts if each.settings},
        lookahead=max(each.lookahead for each in parts),
        own=tuple(name for each in parts for name in each.own),
        windowed=all(each.windowed for each in parts),
        parts=parts,
    )


def _side_by_side(bars: pd.DataFrame, *, sets: tuple[FeatureSet, ...]) -> np.ndarray:
    return np.column_stack([each(bars) for each in sets])
