"""A limit on how long a whole reply may take. The clients' own limits count between two bytes, so a slow drip never ends."""

from __future__ import annotations

import time
from typing import Any

_CHUNK = 65_536
_TIMES_THE_LIMIT = 3.0


def whole_reply_seconds(timeout_seconds: float) -> float:
    """Return how long a reply's body may take from its first byte to its last, for the time limit between two bytes."""
    return _TIMES_THE_LIMIT * timeout_seconds


def limit_replies(session: Any, timeout_seconds: float) -> None:
    """Make a session of `requests` give a reply up that is not whole in time.

    Args:
        session: The session; its addresses are sent through an adapter of ours from now on.
        timeout_seconds: Time limit between two bytes.
    """
    adapter = _adapter(timeout_seconds)
    for prefix in ("https://", "http://"):
        session.mount(prefix, adapter)


def _adapter(timeout_seconds: float) -> Any:
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        """Reads each body itself, with a look at the clock after every piece."""

        def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
            response: Any = super().send(request, *arguments, **options)
            response._content = _body(response.raw, timeout_seconds)
            response._content_consumed = True
            return response

    return Adapter()


def _body(raw: Any, timeout_seconds: float) -> bytes:
    import requests
    import urllib3

    end = time.monotonic() + whole_reply_seconds(timeout_seconds)
    pieces: list[bytes] = []
    try:
        while True:
            piece: bytes = raw.read1(_CHUNK, decode_content=True)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            if time.monotonic() > end:
                raise requests.exceptions.ReadTimeout("the reply was not whole in time")
    except urllib3.exceptions.ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    finally:
        raw.release_conn()
