"""The bytes of delimited files: unpacked within limits, and turned into UTF-8."""

from __future__ import annotations

import codecs
import hashlib
import re
import zipfile
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from seawall.core.errors import DataError

_ARROW: Any = pyarrow
# A year of one-second bars is some 4 GiB; monthly dumps of one-minute bars are 5 MiB and pack about five to one.
_MOST_UNPACKED = 4 * 2**30
_MOST_RATIO = 200
_ALWAYS_UNPACKED = 2**20
_PIECE = 2**24
_HEAD = 2**20
# Monthly dumps are many, and the names of columns are short.
_ZIP_HEAD = 2**16
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What systems put into a zip beside the file.
_BESIDE = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")


def file_bytes(path: Path) -> Any:
    """Return the content of a delimited file, unpacked where it is gzipped.

    Raises:
        DataError: It would unpack to more than 4 GiB or to more than 200 times its size.
    """
    if path.suffix.lower() != ".gz":
        with _ARROW.input_stream(str(path), compression=None) as stream:
            return stream.read()
    packed = path.stat().st_size
    most, content = _most(packed), bytearray()
    with _ARROW.input_stream(str(path), compression="gzip") as stream:
        while piece := stream.read(_PIECE):
            content += piece
            if len(content) > most:
                raise DataError(
                    f"{path.name} would unpack {packed} bytes to more than {most}; "
                    f"allowed: {_MOST_RATIO} times its packed size and {_MOST_UNPACKED >> 30} GiB at most"
                )
    return content


def head_bytes(path: Path) -> Any:
    """Return the first part of a delimited file, unpacked where it is gzipped or zipped.

    Raises:
        DataError: It is a zip that is damaged, encrypted, or holds anything but one CSV.
    """
    if path.suffix.lower() == ".zip":
        return _from_zip(path, _ZIP_HEAD)[1]
    with _ARROW.input_stream(str(path), compression="gzip" if path.suffix.lower() == ".gz" else None) as stream:
        return stream.read(_HEAD)


def as_utf8(content: Any) -> Any:
    """Return text in UTF-16 with a byte order mark as UTF-8; anything else as it is."""
    first = bytes(memoryview(content)[:2])
    if first not in _UTF16:
        return content
    if len(content) % 2:
        raise ValueError("it is text in UTF-16 with half a character at its end: it was not written whole")
    try:
        return bytes(content).decode("utf-16").encode()
    except UnicodeError as error:
        raise ValueError(f"it begins as text in UTF-16 and is not: {error}; save it as UTF-8") from error


def refuse_encoding(content: Any) -> None:
    """Name the first byte that is no UTF-8; nothing happens where all are.

    Raises:
        ValueError: There is such a byte.
    """
    held = bytes(content)
    try:
        held.decode()
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"byte 0x{held[error.start]:02x} at place {error.start} (line {line}) is no UTF-8; save the file as UTF-8, "
            "as with: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error


def _most(packed: int) -> int:
    return min(_MOST_UNPACKED, max(_ALWAYS_UNPACKED, _MOST_RATIO * packed))


def zip_member(path: Path) -> tuple[str, bytes]:
    """Return the name and the content of the one CSV file in a zip; nothing is unpacked to disk.

    Binance's ``.CHECKSUM`` beside the zip is verified where it is there.

    Args:
        path: The file.

    Raises:
        DataError: The zip is damaged, encrypted, holds anything but one CSV, unpacks to more than 4 GiB or to more than 200 times
            its size, or is not what its checksum says.
    """
    _verify_checksum(path)
    name, content = _from_zip(path)
    if not content:
        raise DataError(f"{path.name} holds {name!r}, which is empty (0 bytes)")
    return Path(name).name, content


def _from_zip(path: Path, most: int = -1) -> tuple[str, bytes]:
    """Return the name of the one CSV file in a zip, and its first bytes, or all."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path.name)
            with archive.open(member) as stream:
                return member.filename, stream.read(most)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OverflowError) as error:
        raise DataError(f"{path.name} is a damaged zip: {error}; download it again") from error


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.filename.endswith("/") and not _BESIDE.search(member.filename)]
    if len(members) != 1:
        raise DataError(f"{name} holds {len(members)} files; allowed: one CSV in a zip")
    member = members[0]
    if not member.filename.lower().endswith((".csv", ".txt", ".tsv")):
        raise DataError(f"{name} holds {member.filename!r}; allowed: one CSV in a zip")
    if member.flag_bits & 1:
        raise DataError(f"{name} is encrypted; allowed: a zip without a password")
    if member.file_size > _most(member.compress_size):
        raise DataError(
            f"{name} would unpack {member.compress_size} bytes to {member.file_size}; "
            f"allowed: {_MOST_RATIO} times its packed size and {_MOST_UNPACKED >> 30} GiB at most"
        )
    return member


def _verify_checksum(path: Path) -> None:
    beside = path.with_name(path.name + ".CHECKSUM")
    if not beside.is_file():
        return
    said = re.match(r"[0-9a-fA-F]{64}\b", beside.read_text(encoding="utf-8", errors="replace").strip())
    if said is None:
        raise DataError(f"{beside.name} holds no SHA-256 checksum; remove it, or download it again")
    with open(path, "rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != said[0].lower():
        raise DataError(
            f"{path.name} is not the file that {beside.name} describes: its SHA-256 is {found[:12]}…, not {said[0][:12].lower()}…; "
            "download it again"
        )
