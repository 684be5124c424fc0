"""TradingView's list of trades: one row for the entry and one for the exit of each."""

from __future__ import annotations

import pandas as pd

from seawall.core.errors import DataError
from seawall.evaluation.foreign.layouts import LAYOUTS, Found
from seawall.evaluation.foreign.recording import Recording
from seawall.evaluation.foreign.round_trips import read_round_trips
from seawall.evaluation.foreign.sheet import Sheet


def read_trade_list(sheet: Sheet) -> Recording:
    """Join the two rows of each trade; one without an exit, or whose exit is called open, is open at the end.

    Args:
        sheet: The table.

    Raises:
        DataError: A row is neither an entry nor an exit, or a trade has not one entry.
    """
    names = sheet.found.columns
    words = sheet.table[names["type"]].astype(str).str.strip().str.lower()
    wrong = [row for row, word in enumerate(words) if not word.startswith(("entry", "exit"))]
    if wrong:
        raise DataError(
            f"{sheet.origin} row {wrong[0]} has {names['type']} = {sheet.table[names['type']].iloc[wrong[0]]!r}; "
            "allowed: Entry long, Entry short, Exit long, Exit short"
        )
    numbers = sheet.table[names["trade"]]
    entries = sheet.table[words.str.startswith("entry")].set_index(numbers[words.str.startswith("entry")])
    exits = sheet.table[words.str.startswith("exit")].set_index(numbers[words.str.startswith("exit")])
    _refuse_unpaired(entries, exits, sheet.origin)
    exits = exits.reindex(entries.index)
    joined = pd.DataFrame(
        {
            "side": words[words.str.startswith("entry")].str.removeprefix("entry").str.strip().to_numpy(),
            "opened": entries[names["time"]].to_numpy(),
            "closed": exits[names["time"]].to_numpy(),
            "size": entries[names["size"]].to_numpy(),
            "entry_price": entries[names["price"]].to_numpy(),
            "exit_price": exits[names["price"]].to_numpy(),
            **{role: exits[names[role]].to_numpy() for role in ("profit", "fee") if role in names},
        }
    )
    joined = joined.sort_values("opened", kind="stable").reset_index(drop=True)
    layout = next(layout for layout in LAYOUTS if layout.kind == "trades")
    found = Found(layout, {str(name): str(name) for name in joined.columns}, sheet.currency)
    return read_round_trips(Sheet(joined, found, sheet.origin, sheet.contract_size))


def _refuse_unpaired(entries: pd.DataFrame, exits: pd.DataFrame, origin: str) -> None:
    for kind, part in (("entries", entries), ("exits", exits)):
        twice = part.index[part.index.duplicated()]
        if len(twice):
            raise DataError(f"{origin} has several {kind} of trade {twice[0]}; allowed: one")
    alone = exits.index.difference(entries.index)
    if len(alone):
        raise DataError(f"{origin} has an exit of trade {alone[0]} and no entry; allowed: an entry for each")
