"""Feature sets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError
from seawall.core.protocols import FeatureSet


def joined_features(sets: Sequence[FeatureSet]) -> FeatureSet:
    """Return one feature set with the columns of several, in order; a single one is returned as it is.

    Raises:
        ConfigError: Two of them have a column of the same name.
    """
    if len(sets) == 1:
        return sets[0]
    columns = tuple(name for each in sets for name in each.columns)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ConfigError(
            f"features.set={[each.name for each in sets]} has {', '.join(twice)} in more than one set; name one of them"
        )
    return FeatureSet(
        name="+".join(each.name for each in sets),
        columns=columns,
        warmup=max(each.warmup for each in sets),
        requires=tuple(dict.fromkeys(raw for each in sets for raw in each.requires)),
        compute=partial(_side_by_side, sets=tuple(sets)),
        settings={each.name: dict(each.settings) for each in sets if each.settings},
        lookahead=max(each.lookahead for each in sets),
    )


def _side_by_side(bars: pd.DataFrame, *, sets: tuple[FeatureSet, ...]) -> np.ndarray:
    return np.column_stack([each(bars) for each in sets])
