"""Single columns as features, alone or after a registered set: the user's functions, or columns of the user's file.

Nothing can be known of how a column of a file was made; it is passed as it is. Each row must be known at the close of its bar; a
name that begins with ``label_`` says that it is not, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import FeatureSet
from seawall.features.columns import COLUMNS, Column, column_values
from seawall.features.joined import joined_features
from seawall.market.formats.tables import scaled_columns

OWN = "own"
LABEL_PREFIX = "label_"
TIME_COLUMNS = ("timestamp", "time", "date", "datetime", "open_time", "close_time")


def own_features(columns: tuple[str, ...], base: FeatureSet | None = None) -> FeatureSet:
    """Return a feature set of single columns, after those of another set where one is given.

    Args:
        columns: Names, in order: registered columns are computed, others passed as the bars' file has them.
        base: The set that comes before them.

    Raises:
        ConfigError: No column is named; one is named twice, is a label or a time, or bears the name of a column of `base`.
    """
    _refuse_names(columns, base)
    passed = file_columns(columns)
    computed = {name: COLUMNS[name] for name in columns if name not in passed}
    alone = FeatureSet(
        name=OWN,
        columns=columns,
        warmup=max([0, *(column.warmup for column in computed.values())]),
        requires=tuple(dict.fromkeys([*(raw for column in computed.values() for raw in column.requires), *passed])),
        compute=partial(_columns_of, columns=columns, computed=computed),
        settings=_said_of(computed),
        own=passed,
        windowed=not computed,
    )
    return alone if base is None else joined_features([base, alone])


def file_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return those of the columns that are not registered, and so come from the bars' own file."""
    return tuple(name for name in columns if name not in COLUMNS)


def from_first_number(bars: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str | None]:
    """Leave out the first bars, in which a column of the user's own has no number yet, as an indicator that warms up.

    Args:
        bars: A bar frame with the columns.
        columns: The user's columns.

    Returns:
        The bars from the first on in which every one of the columns has had a number, and a sentence where some were left out.
        Later holes stay, for `compute_features` to refuse by name.

    Raises:
        DataError: A column has no number at all.
    """
    held = [name for name in columns if name in bars.columns]
    first = {name: int(np.argmax(known)) if (known := bars[name].notna().to_numpy()).any() else -1 for name in held}
    empty = [name for name, row in first.items() if row < 0]
    if empty:
        raise DataError(f"features.columns has {', '.join(empty)}, in which the file has no number; allowed: columns of numbers")
    latest = max(first, key=lambda name: first[name], default=None)
    if latest is None or first[latest] == 0:
        return bars, None
    count = first[latest]
    kept = bars.iloc[count:].reset_index(drop=True)
    kept.attrs = bars.attrs
    return kept, f"the first {count} bars are left out: {latest} has no number before"


def scaled_in_file(feature_set: FeatureSet, marker: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the features that their file holds scaled already, so that training passes them as they are.

    Args:
        feature_set: What is computed of the bars.
        marker: What the file says of its scaling, ``attrs["seawall_scaling"]`` of a table; None where it says nothing.

    Returns:
        Names of features, for `Scaler.fit`'s `unscaled`.

    Raises:
        DataError: Prices, the volume or a raw column that other features are computed of are scaled.
    """
    if marker is None:
        return ()
    scaled = scaled_columns(marker, "the bars' file")
    own = feature_set.own
    raw = [name for name in scaled if name in BAR_COLUMNS or (name in feature_set.requires and name not in own)]
    if raw:
        raise DataError(
            f"the file's {', '.join(raw)} are scaled ({marker.get('method')}): costs, returns and features would be meaningless; "
            "scale the file again and preserve them"
        )
    return tuple(name for name in own if name in scaled)


def fitted_too_late(marker: Mapping[str, Any] | None, train_end: pd.Timestamp) -> str | None:
    """Say where a file's scaler saw bars that the training rows do not hold.

    Args:
        marker: As for `scaled_in_file`.
        train_end: Opening time of the last training bar, UTC.

    Returns:
        A sentence for the facts of a dataset, or None where the scaler saw training bars only or the marker names no time.
    """
    fitted: Any = {} if marker is None else marker.get("fitted_on", {})
    time: str | None = fitted.get("last")
    if time is None or pd.Timestamp(time) <= train_end:
        return None
    return (
        f"the file's columns were scaled by {fitted.get('file')} up to {time}, later than the last training bar "
        f"{train_end.isoformat()}: their scale knows of bars on which the policy is chosen or judged"
    )


def _refuse_names(columns: tuple[str, ...], base: FeatureSet | None) -> None:
    if not columns:
        raise ConfigError(f"features.set={OWN!r} needs features.columns: names of columns of the bars' file, as in [rsi_14]")
    if len(set(columns)) < len(columns):
        raise ConfigError(f"features.columns={list(columns)} names a column twice")
    for name in columns:
        if name.lower().startswith(LABEL_PREFIX):
            raise ConfigError(f"features.columns has {name!r}: a label looks ahead and is never a feature")
        if name.lower() in TIME_COLUMNS:
            raise ConfigError(f"features.columns has {name!r}, the time; allowed: columns of numbers")
        if base is not None and name in base.columns:
            raise ConfigError(f"features.columns has {name!r}, which is a column of set {base.name!r} too; rename yours")


def _said_of(computed: Mapping[str, Column]) -> dict[str, Any]:
    said = {name: {"warmup": column.warmup, "origin": column.origin} for name, column in computed.items()}
    return {"columns": said} if said else {}


def _columns_of(bars: pd.DataFrame, *, columns: tuple[str, ...], computed: Mapping[str, Column]) -> np.ndarray:
    return np.column_stack(
        [column_values(name, computed[name], bars) if name in computed else bars[name].to_numpy(np.float64) for name in columns]
    )
