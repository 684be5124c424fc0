"""The sections that a run's page gets from what other commands left in its folder."""

from __future__ import annotations

from collections.abc import Callable

from seawall.core.run_folder import RunFolder
from seawall.evaluation.addenda import Addendum
from seawall.recipes.explain_record import explanation_of
from seawall.recipes.nulls.record import nulls_of

_READERS: tuple[Callable[[RunFolder], Addendum | None], ...] = (explanation_of, nulls_of)
"""Each looks into a run's folder and answers None where its command was not run."""


def addenda_of(run: RunFolder) -> list[Addendum]:
    """Return the sections for a run's page, in the order in which they are shown.

    Raises:
        DataError: What a command left is damaged.
    """
    found = [read(run) for read in _READERS]
    return [addendum for addendum in found if addendum is not None]
