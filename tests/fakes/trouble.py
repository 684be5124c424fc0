"""Faults that befall a share of all requests, the same ones for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fakes.brokers import Fault
from fakes.server import DROPPED

INSTEAD = {
    "timeout": Fault(delay=0.6),
    "429": Fault(429, {"code": -1003, "msg": "Too many requests."}),
    "429 with a wish": Fault(429, {"code": -1003, "msg": "Too many requests."}, {"Retry-After": "2"}),
    "418": Fault(418, {"code": -1003, "msg": "Way too many requests; banned."}, {"Retry-After": "30"}),
    "500": Fault(500, "<html>Internal Server Error</html>"),
    "503": Fault(503, {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}),
    "dropped": Fault(document=DROPPED),
    "cut short": Fault(document="[[1704067200000,"),
    "empty reply": Fault(document=""),
    "no rows": Fault(document=[]),
}
SPOILT = ("rows left out", "rows twice", "out of order", "an older page", "the last rows cut off")


class Trouble:
    """Decides, by the number of a request alone, what it meets.

    Attributes:
        met: How often each fault was met.
    """

    def __init__(self, share: float, seed: int, only: tuple[str, ...] = (*INSTEAD, *SPOILT)) -> None:
        self.share, self.seed, self.only = share, seed, only
        self.met: dict[str, int] = {}
        self._older: list[Any] = []

    def kind(self, number: int) -> str | None:
        """Return the fault of a request, or None for a sound one."""
        random = np.random.default_rng((self.seed, number))
        return str(random.choice(self.only)) if random.random() < self.share else None

    def instead(self, number: int) -> Fault | None:
        """Return what a request meets in the place of an answer."""
        kind = self.kind(number)
        if kind not in INSTEAD:
            return None
        self.met[kind] = self.met.get(kind, 0) + 1
        return INSTEAD[kind]

    def spoilt(self, page: list[Any], number: int) -> list[Any]:
        """Return a page as it is sent."""
        kind = self.kind(number)
        older, self._older = self._older or page, page
        if kind not in SPOILT or len(page) < 3:
            return page
        self.met[kind] = self.met.get(kind, 0) + 1
        random = np.random.default_rng((self.seed, number, 1))
        if kind == "rows left out":
            kept = random.random(len(page)) > 0.02
            kept[random.integers(len(page))] = False
            return [row for row, keep in zip(page, kept, strict=True) if keep]
        if kind == "rows twice":
            return [*page, *page[: len(page) // 3]]
        if kind == "out of order":
            return [page[place] for place in random.permutation(len(page))]
        return older if kind == "an older page" else page[: len(page) // 2]
