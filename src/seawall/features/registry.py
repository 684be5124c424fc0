"""The feature sets by name. To add one: write a function that returns a `FeatureSet`, and add its line below.

A factory takes the optional raw columns to do without. A column made of an optional raw column bears its name
(``trends``, ``trades_log_returns``), so that a refusal can say what is fed by what. The set ``own`` is not listed: it has the
columns that the user names, alone or after those of a listed set.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.core.protocols import FeatureSet
from seawall.features.own import OWN, own_features
from seawall.features.scaling import ScalingKind
from seawall.features.technical import technical, technical_ohlcv

FEATURE_SETS: dict[str, Callable[[tuple[str, ...]], FeatureSet]] = {
    "technical": technical,
    "technical_ohlcv": technical_ohlcv,
}


class FeatureParams(Params):
    """Which columns a policy sees, and how they are scaled."""

    set: str = Field(default="technical", description="Name of a registered feature set, or own for none but `columns`.")
    columns: tuple[str, ...] = Field(
        default=(), description="Columns of the bars' own file to use as features, each known at the close of its bar."
    )
    omit: tuple[str, ...] = Field(
        default=(), description="Optional raw columns to do without; their features are left out, never filled."
    )
    scaling: ScalingKind = Field(default="minmax", description="How columns are scaled, by the training rows alone.")


def feature_set(params: FeatureParams) -> FeatureSet:
    """Return the feature set that the settings name.

    Raises:
        ConfigError: No set has that name, it cannot do without what `omit` names, or a column of `columns` cannot be a feature.
    """
    if params.set == OWN:
        # It has the columns that it names and no others, so there is nothing that it could do without.
        return own_features(params.columns)
    factory = FEATURE_SETS.get(params.set)
    if factory is None:
        raise ConfigError(f"features.set={params.set!r} is unknown; allowed: {', '.join((*FEATURE_SETS, OWN))}")
    named = factory(params.omit)
    return own_features(params.columns, named) if params.columns else named
