"""An HTTP server on 127.0.0.1 whose answers are one method, with faults that a test can switch on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

DROPPED = object()
"""A document that is never sent: the connection is closed in its place."""


@dataclass(frozen=True)
class Dripped:
    """A document that is sent a byte at a time.

    Attributes:
        text: What is sent.
        pause: Seconds before each byte.
    """

    text: str | bytes
    pause: float


class FakeVenue:
    """One venue. Subclasses answer; the base counts requests, waits where told to, and ends cleanly."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.fault: tuple[int, Any] | None = None
        self._released = threading.Event()
        self._released.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Return the HTTP status and a document: text and bytes as they are, anything else as JSON."""
        raise AssertionError("a venue answers")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def hang(self) -> None:
        """Leave every request without an answer until the server ends."""
        self._released.clear()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; a second call changes nothing."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        venue = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                venue.requests.append((self.command, parts.path))
                venue._released.wait(30)
                status, document = venue.fault or venue.answer(self.command, parts.path, parts.query, self.headers, body)
                if document is DROPPED:
                    self.close_connection = True
                    return
                pause = document.pause if isinstance(document, Dripped) else 0.0
                content = _bytes(document)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    for piece in _pieces(content, pause):
                        self.wfile.write(piece)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815 (the names http.server looks for)

        return Handler


def _bytes(document: Any) -> bytes:
    text = document.text if isinstance(document, Dripped) else document
    if isinstance(text, bytes):
        return text
    return text.encode() if isinstance(text, str) else json.dumps(text).encode()


def _pieces(content: bytes, pause: float) -> Iterator[bytes]:
    if not pause:
        yield content
        return
    for place in range(len(content)):
        threading.Event().wait(pause)
        yield content[place : place + 1]
