"""What the fake brokers share: bars to serve, and faults that befall single requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np

from fakes.server import FakeVenue

Row = tuple[int, float, float, float, float, float, int]


@dataclass
class Fault:
    """What one request meets instead of an answer.

    Attributes:
        status: HTTP status.
        document: What is sent: text and bytes as they are, anything else as JSON.
        headers: Sent besides the usual ones.
        delay: Seconds before anything is sent.
    """

    status: int = 200
    document: Any = "{"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class FakeBroker(FakeVenue):
    """A venue with a list of faults: each befalls the next request whose path holds its text, and is gone."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, Fault]] = []
        self.headers_seen: list[dict[str, str]] = []
        self._extra = threading.local()
        super().__init__()

    def meet(self, path: str, *faults: Fault) -> None:
        """Let the next requests for a path meet these faults."""
        self.faults += [(path, fault) for fault in faults]

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        self.headers_seen.append({name.lower(): value for name, value in headers.items()})
        self._extra.headers = {}
        fault = self.fault_of(path)
        for place, (part, named) in enumerate(self.faults):
            if part in path:
                del self.faults[place]
                fault = named
                break
        if fault is None:
            return self.reply(method, path, query, headers, body)
        threading.Event().wait(fault.delay)
        self._extra.headers = fault.headers
        return fault.status, fault.document

    def fault_of(self, path: str) -> Fault | None:
        """Return what this request meets instead of an answer, beside the faults of the list."""
        return None

    def reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Return what the venue answers without a fault."""
        raise AssertionError("a broker replies")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        extra = self._extra

        class WithHeaders(super()._handler()):
            def end_headers(self) -> None:
                for name, value in getattr(extra, "headers", {}).items():
                    self.send_header(name, value)
                super().end_headers()

        return WithHeaders


def make_rows(first_ms: int, step_ms: int, count: int, seed: int = 0) -> list[Row]:
    """Return bars with valid prices: time, open, high, low, close, volume and number of trades."""
    random = np.random.default_rng(seed)
    closes = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 1e-3, count + 1))), 4)
    opens, closes = closes[:-1], closes[1:]
    highs, lows = np.maximum(opens, closes) + 0.25, np.minimum(opens, closes) - 0.25
    volumes, trades = np.round(random.uniform(1.0, 9.0, count), 3), random.integers(1, 50, count)
    times = first_ms + step_ms * np.arange(count)
    columns = (times, opens, highs, lows, closes, volumes, trades)
    return list(zip(*(column.tolist() for column in columns), strict=True))
