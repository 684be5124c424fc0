"""Structured logs: one JSON object a line in the run folder; secrets never."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import structlog

from seawall.core.errors import disk_errors

_SECRET_WORDS = ("secret", "password", "token", "api_key", "apikey", "passphrase")


def hide_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace the value of every key that names a secret."""
    return {key: "[hidden]" if any(word in key.lower() for word in _SECRET_WORDS) else value for key, value in event.items()}


def run_logger(path: Path, **bound: Any) -> Any:
    """Return a logger that appends to a run's ``log.jsonl``.

    Args:
        path: The log file; its folder must exist.
        **bound: Fields repeated on every line, as in ``seed=3``.
    """
    with disk_errors(path):
        handle = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (the logger owns it)
    return structlog.wrap_logger(
        structlog.WriteLogger(handle),
        processors=[
            hide_secrets,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    ).bind(**bound)


def warn(message: str) -> None:
    """Tell the user something on standard error, so that standard output stays for results."""
    print(f"warning: {message}", file=sys.stderr)
