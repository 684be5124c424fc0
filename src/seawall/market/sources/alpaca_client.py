"""What everything that asks Alpaca shares: the keys, a time limit, no retries inside the client, and its errors in our words."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from seawall.core.credentials import without_secrets
from seawall.core.errors import ConfigError, SeawallError, TransientError
from seawall.market.sources.answers import retry_after
from seawall.market.sources.deadline import limit_replies

KEYS = ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY")


def restrain(client: Any, timeout_seconds: float, note: Callable[[Mapping[str, str]], None] | None = None) -> Any:
    """Make a client of alpaca-py ask once and not wait for ever.

    By itself it has no time limit, and asks four times, three seconds apart, when it is told that it asks too often.

    Args:
        client: Any REST client of alpaca-py.
        timeout_seconds: How long one request may take.
        note: Is given the headers of each answer.

    Returns:
        The same client.
    """
    send = client._session.send

    def send_with_limit(request: Any, **options: Any) -> Any:
        answer = send(request, **{**options, "timeout": timeout_seconds})
        if note is not None:
            note(answer.headers)
        return answer

    limit_replies(client._session, timeout_seconds)
    client._session.send = send_with_limit
    client._retry = 0
    return client


@contextmanager
def alpaca_errors(keys: tuple[str, ...], timeout_seconds: float, check: str) -> Generator[None]:
    """Translate what alpaca-py raises while it asks.

    Args:
        keys: The key's id and the secret, or nothing; neither stands in a message.
        timeout_seconds: The time limit, for the message.
        check: What to look at where the keys are refused.

    Raises:
        ConfigError: The keys are refused, or the request is, for good.
        TransientError: Asking again may help.
    """
    import requests
    from alpaca.common.exceptions import APIError

    try:
        yield
    except APIError as error:
        raise _translated(error, keys, check) from None
    except requests.Timeout:
        raise TransientError(
            f"alpaca did not answer within {timeout_seconds:g} s: check the network, then try again", kind="timeout"
        ) from None
    except requests.exceptions.JSONDecodeError:
        raise TransientError("alpaca answered something that is no JSON: try again in a few minutes", kind="malformed") from None
    except requests.RequestException as error:
        raise TransientError(
            f"alpaca could not be reached ({type(error).__name__}): check the network, then try again", kind="network"
        ) from None


def _translated(error: Any, keys: tuple[str, ...], check: str) -> SeawallError:
    status = error.status_code or 0
    said = without_secrets(_message(error), keys)
    if status in (401, 403):
        return ConfigError(f"alpaca refused the keys or what they may see (HTTP {status}: {said}): check {check}")
    if status == 429:
        return TransientError(
            "alpaca is limiting requests (HTTP 429): try again in a minute",
            kind="rate_limit",
            retry_after=retry_after(error.response.headers),
        )
    if status == 408 or status >= 500:
        wait = retry_after(error.response.headers)
        return TransientError(
            f"alpaca cannot answer now (HTTP {status}): try again in a few minutes", kind="server", retry_after=wait
        )
    return ConfigError(f"alpaca refused the request (HTTP {status}: {said})")


def _message(error: Any) -> str:
    try:
        return str(error.message)
    except (ValueError, KeyError, TypeError):
        return "no reason given"
