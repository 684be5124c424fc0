"""Writing files so that a reader never sees half of one: write beside, then rename."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from seawall.core.errors import DataError, disk_errors


@contextmanager
def replacing_file(path: Path) -> Generator[Path]:
    """Give a temporary sibling of `path` to write; rename it over `path` if the block succeeds.

    Args:
        path: The final file. Its folder is created.

    Yields:
        The temporary path, with the same suffix as `path`.

    Raises:
        DataError: The disk is full or the path may not be written; `path` is as it was.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _flush(temporary)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Generator[Path]:
    """Give a temporary sibling folder to fill; put it in the place of `path` if the block succeeds.

    Args:
        path: The final folder. An older one of that name is removed only after the new one is whole.

    Yields:
        The temporary folder.

    Raises:
        DataError: The disk is full or the path may not be written; `path` is as it was.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
        try:
            yield temporary
            os.chmod(temporary, 0o755)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _flush(file)
            _exchange(temporary, path)
        finally:
            if temporary.exists():
                shutil.rmtree(temporary)


def _exchange(new: Path, path: Path) -> None:
    """Put a new folder in the place of an older one; the older one is back if that fails."""
    if not path.exists():
        os.replace(new, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-old-"))
    os.replace(path, old / path.name)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old / path.name, path)
        raise
    finally:
        shutil.rmtree(old)


def refuse_replacing(folder: Path, mark: str, what: str, *, force: bool) -> None:
    """Refuse a folder that is not empty, unless it is an older one of the same kind and may be replaced.

    Args:
        folder: Where a folder is to be written.
        mark: Name of the JSON file that every folder of this kind holds.
        what: What such a folder holds, in words.
        force: Whether an older one may be replaced.

    Raises:
        DataError: The folder holds something else, or an older one and `force` is off.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; allowed: a folder to make")
    if not any(folder.iterdir()):
        return
    if not (folder / mark).is_file():
        raise DataError(f"folder {folder} exists and holds no {what}; allowed: a folder that does not exist")
    read_json(folder / mark)
    if not force:
        raise DataError(f"folder {folder} holds a {what} already; allowed: another folder, or --force to replace it")


def refuse_replacing_file(path: Path, *, force: bool) -> None:
    """Refuse to write over a file that is there, unless it may be replaced; a folder or a device never is.

    Args:
        path: Where a file is to be written.
        force: Whether an older one may be replaced.

    Raises:
        DataError: Something of that name is there, or the name cannot be that of a file.
    """
    try:
        there, regular = path.exists() or path.is_symlink(), path.is_file()
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be written: {error}") from error
    if there and not regular:
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; allowed: the name of a file to make")
    if there and not force:
        raise DataError(f"{path} exists; allowed: another name, or --force to replace it")


def recover_folder(path: Path) -> None:
    """Put back the older folder where a process died between the two renames of `replacing_folder`.

    Args:
        path: The final folder.
    """
    if path.exists():
        return
    for old in sorted(path.parent.glob(f".{path.name}-old-*/{path.name}")):
        os.replace(old, path)
        old.parent.rmdir()
        return


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document whole or not at all; NaN and infinity become null."""
    write_text(path, to_json(value) + "\n")


def read_json(path: Path, *keys: str) -> Any:
    """Read a JSON document.

    Args:
        path: The file.
        *keys: Keys that the document must have at its top.

    Raises:
        DataError: The file is missing, is no JSON, or lacks a key.
    """
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"no file {path}") from error
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON: {error}") from error
    held: set[Any] = set(cast("Mapping[Any, Any]", document)) if isinstance(document, Mapping) else set()
    missing = [key for key in keys if key not in held]
    if missing:
        raise DataError(f"{path} is damaged: it has no {', '.join(missing)}")
    return cast("Any", document)


def to_json(value: Any, *, indent: int | None = 2) -> str:
    """Render a value as strict JSON: NumPy scalars and arrays become plain, NaN and infinity become null."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hexadecimal."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 over the dtypes, shapes and bytes of arrays, in hexadecimal."""
    state = hashlib.sha256()
    for array in arrays:
        contiguous = np.ascontiguousarray(array)
        state.update(f"{contiguous.dtype.str}{contiguous.shape}".encode())
        state.update(contiguous.data)
    return state.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(cast("Any", value.tolist()))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _flush(path: Path) -> None:
    with open(path, "rb+") as handle:
        os.fsync(handle.fileno())
