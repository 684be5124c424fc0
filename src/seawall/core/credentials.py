"""Keys: read from the environment or ``.env``, and kept out of every message."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

from seawall.core.errors import ConfigError
from seawall.core.logs import warn

INSTALL_LIVE = "pip install -c constraints.txt -e '.[live]'"
_HIDDEN = "[hidden]"
_LONGEST_MESSAGE = 300


def venue_environment(folder: Path | None = None) -> dict[str, str]:
    """Return the process's environment, with what ``.env`` adds to it.

    A name that stands in both has the environment's value. Values are taken literally: no ``$NAME`` is expanded.

    Args:
        folder: Folder whose ``.env`` is read; the current one by default.

    Returns:
        Name to value. Where ``.env`` exists but python-dotenv is not installed, a warning is printed and the
        environment alone is returned.
    """
    path = (folder or Path.cwd()) / ".env"
    if not path.is_file():
        return dict(os.environ)
    try:
        from dotenv import dotenv_values
    except ImportError:
        warn(f"{path} was not read: that needs python-dotenv; install it with: {INSTALL_LIVE}")
        return dict(os.environ)
    from_file = {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}
    return {**from_file, **os.environ}


def required(environment: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the values of names that belong together.

    Returns:
        One value a name; None where none of them is set.

    Raises:
        ConfigError: Some are set and some are not.
    """
    values = tuple(environment.get(name, "").strip() for name in names)
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if len(missing) == len(names):
        return None
    if missing:
        present = [name for name in names if name not in missing]
        raise ConfigError(f"{', '.join(missing)} is not set beside {', '.join(present)}; allowed: all of them, or none")
    return values


def fits_header(text: str) -> bool:
    """Say whether a header can hold a text: printable ASCII, on one line."""
    return text.isascii() and text.isprintable()


def header_value(environment: Mapping[str, str], name: str) -> str:
    """Return a setting that is sent in a header; empty where it is absent.

    Raises:
        ConfigError: It holds a character that no header can hold. Its value is not shown.
    """
    text = environment.get(name, "").strip()
    if fits_header(text):
        return text
    raise ConfigError(f"{name} holds a character that no key has; allowed: letters, digits and signs of ASCII, on one line")


def switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return a yes-or-no setting.

    Raises:
        ConfigError: The value is neither true nor false.
    """
    text = environment.get(name, "").strip().lower()
    if text in ("", "true", "false"):
        return default if not text else text == "true"
    raise ConfigError(f"{name} is {environment[name]!r}; allowed: true, false")


def base_url(environment: Mapping[str, str], name: str) -> str | None:
    """Return the address that a setting overrides a venue's own with, without a slash at its end.

    Returns:
        The address; None where the setting is absent.

    Raises:
        ConfigError: It is no address, or one that would carry keys over a network in the clear.
    """
    text = environment.get(name, "").strip().rstrip("/")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        # Reading the port is what refuses one that is none.
        _ = parts.port
    except ValueError:
        # What Python says of it repeats a password that stands where a port does.
        raise ConfigError(
            f"{name} is no address that can be read; allowed: https://HOST:PORT, a port being a number up to 65535, or, on this "
            "machine alone, http://…"
        ) from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or ""))
    if not parts.hostname or not secure or parts.username is not None:
        shown = f"{parts.scheme or 'no scheme'}, host {parts.hostname or 'missing'}"
        raise ConfigError(
            f"{name} is an address with {shown}; allowed: https:// or, on this machine alone, http://; no user name in it"
        )
    return text


def without_secrets(message: object, secrets: Iterable[str]) -> str:
    """Return a message on one line, shortened, with every secret value replaced.

    Args:
        message: What a client or a venue said.
        secrets: Values that may not be shown, as they are or as a URL or JSON spells them.
    """
    text = str(message)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        spellings = {secret, *in_json, quote(secret), quote(secret, safe=""), quote_plus(secret)}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, _HIDDEN)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
