"""Days on which the markets of the United States stay closed or close early, by rule; the dates of a session, in New York."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries import holiday as _holiday

# pandas types the rules of its own holidays as unknown.
_RULES: Any = _holiday

_JUNETEENTH = _RULES.Holiday("Juneteenth", month=6, day=19, start_date="2022-01-01", observance=_RULES.nearest_workday)
_INDEPENDENCE = _RULES.Holiday("Independence Day", month=7, day=4, observance=_RULES.nearest_workday)
_NEW_YEAR = _RULES.Holiday("New Year", month=1, day=1, observance=_RULES.sunday_to_monday)
_CHRISTMAS = _RULES.Holiday("Christmas", month=12, day=25, observance=_RULES.nearest_workday)
_EXACT_NEW_YEAR = _RULES.Holiday("New Year", month=1, day=1)
_EXACT_CHRISTMAS = _RULES.Holiday("Christmas", month=12, day=25)
_CHRISTMAS_EVE = _RULES.Holiday("Christmas Eve", month=12, day=24)
_AFTER_THANKSGIVING = _RULES.Holiday(
    "Day after Thanksgiving", month=11, day=1, offset=[pd.DateOffset(weekday=_RULES.TH(4)), pd.DateOffset(days=1)]
)
# On a Monday the third of July is no eve: the fourth is then a Tuesday, and both days count.
_INDEPENDENCE_EVE = _RULES.Holiday("Day before Independence Day", month=7, day=3, days_of_week=(0, 1, 2, 3))

# No session at all.
CLOSED = (_NEW_YEAR, _RULES.GoodFriday, _CHRISTMAS)
CLOSED_CURRENCIES = (_EXACT_NEW_YEAR, _EXACT_CHRISTMAS)
# The stock exchanges stay closed and futures stop around midday.
MIDDAY = (
    _RULES.USMartinLutherKingJr, _RULES.USPresidentsDay, _RULES.USMemorialDay, _JUNETEENTH, _INDEPENDENCE,
    _RULES.USLaborDay, _RULES.USThanksgivingDay,
)  # fmt: skip
# The stock exchanges close early and futures soon after them.
EVES = (_AFTER_THANKSGIVING, _CHRISTMAS_EVE)
STOCK_EVES = (*EVES, _INDEPENDENCE_EVE)


def dates(rules: Sequence[Any], first: np.datetime64, last: np.datetime64) -> np.ndarray:
    """Return the days on which any of some rules falls, ``datetime64[D]``, sorted, from `first` to `last`."""
    start, stop = pd.Timestamp(first), pd.Timestamp(last)
    found = [np.asarray(rule.dates(start, stop).to_numpy(), dtype="datetime64[D]") for rule in rules]
    return np.unique(np.concatenate(found)) if found else np.array([], dtype="datetime64[D]")
