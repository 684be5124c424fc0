"""HDF5 tables: read without trusting the file, written so that `pandas.read_hdf` reads them back.

``pandas.read_hdf`` rebuilds pickled objects that a file holds in its attributes, so a hostile file runs code, and a damaged one can
end the process inside the HDF5 library. Files are therefore read by `seawall.market.formats.hdf5_child`, in a process of its own
and without unpickling anything but lists of names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from seawall.core.errors import ConfigError, DataError
from seawall.core.files import replacing_file

INSTALL_HDF5 = "pip install -c constraints.txt -e '.[hdf5]'"
_CHILD = Path(__file__).with_name("hdf5_child.py")
_REFUSED = 3
_LEAST_SECONDS = 120.0
_BYTES_PER_SECOND = 5e6
# An attribute holds 64 KiB at most; what a wide table says of its scaling can be longer.
_ATTRIBUTE_CHARACTERS = 15_000


def hdf5_keys(path: Path) -> list[str]:
    """Return the paths of the tables in an HDF5 file, as ``/15m``, without reading their rows.

    Raises:
        ConfigError: HDF5 is not installed.
        DataError: The file is damaged or holds no table.
    """
    with tempfile.TemporaryDirectory(prefix="seawall-hdf5-") as folder:
        return [str(table["key"]) for table in _ask_child(path, Path(folder) / "columns.npz", "list")["tables"]]


def read_hdf5(path: Path, key: str | None = None, seconds: float | None = None) -> dict[str, pd.DataFrame]:
    """Read every table of an HDF5 file: pandas frames of either format, tables of records, and groups of one-dimensional arrays.

    Args:
        path: The file.
        key: The one table to read; all of them where None.
        seconds: Time that reading may take; two minutes and a second for each 5 MB where None.

    Returns:
        Tables by their path in the file, as ``/15m``; an index of times, or with a name, is the frame's index.

    Raises:
        ConfigError: HDF5 is not installed.
        DataError: The file is damaged, holds no such table, or a table holds objects or lies in another file.
    """
    with tempfile.TemporaryDirectory(prefix="seawall-hdf5-") as folder:
        arrays = Path(folder) / "columns.npz"
        said = _ask_child(path, arrays, "all" if key is None else "one", key or "", seconds)
        with np.load(arrays, allow_pickle=False) as blocks:
            held = {name: blocks[name] for name in blocks.files}
    frames = {str(table["key"]): table for table in said["tables"]}
    if key is not None and key not in frames:
        raise DataError(f"{path.name} has no table {key}; its tables are {', '.join(frames)}")
    return {name: _frame(table, held, path.name) for name, table in frames.items() if key in (None, name)}


def _ask_child(path: Path, arrays: Path, mode: str, key: str = "", seconds: float | None = None) -> dict[str, Any]:
    _need("h5py", f"read {path.name}")
    limit = seconds if seconds is not None else _LEAST_SECONDS + path.stat().st_size / _BYTES_PER_SECOND
    # -P keeps the current folder out of the import path: a file h5py.py that lies there must not run.
    command = [sys.executable, "-P", str(_CHILD), str(path.resolve()), str(arrays), mode, key]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(command, capture_output=True, timeout=limit, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise DataError(f"{path.name} was not read within {limit:g} s: it is damaged, or too large for HDF5; convert it") from None
    try:
        said: Any = json.loads(ended.stdout)
    except ValueError:
        said = None
    if ended.returncode == 0 and isinstance(said, dict):
        return cast("dict[str, Any]", said)
    if ended.returncode == _REFUSED and isinstance(said, dict):
        reason = str(cast("dict[str, Any]", said).get("refused"))
        raise DataError(f"{path.name} cannot be read as HDF5: {' '.join(reason.split())}")
    how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"status {ended.returncode}"
    lines = ended.stderr.decode("utf-8", errors="replace").strip().splitlines()
    raise DataError(f"{path.name} cannot be read as HDF5: the library ended with {how} on it{': ' + lines[-1] if lines else ''}")


def _frame(table: dict[str, Any], held: dict[str, np.ndarray], name: str) -> pd.DataFrame:
    columns = cast("list[dict[str, Any]]", table["columns"])
    names = [str(column["name"]) for column in columns]
    repeated = sorted({one for one in names if names.count(one) > 1})
    if repeated:
        raise DataError(f"{name} {table['key']} has several columns named {', '.join(repeated)}; allowed: each name once")
    lengths = {len(held[column["array"]]) for column in columns}
    if len(lengths) > 1:
        raise DataError(f"{name} {table['key']} has columns of different lengths, {min(lengths)} to {max(lengths)}")
    values = {str(column["name"]): _column(column, held) for column in columns}
    frame = pd.DataFrame(values, copy=False)
    index = next((str(column["name"]) for column in columns if column["index"]), None)
    if index is not None:
        frame = frame.set_index(index)
    if table["scaling"] is not None:
        frame.attrs["seawall_scaling"] = _scaling(str(table["scaling"]), name)
    return frame


def _column(column: dict[str, Any], held: dict[str, np.ndarray]) -> Any:
    values = held[column["array"]][:, column["place"]]
    kind = str(column["kind"])
    if kind.startswith("datetime64"):
        unit = kind.partition("[")[2].partition("]")[0].partition(",")[0] or "ns"
        moments = pd.DatetimeIndex(values.astype(np.int64).view(f"datetime64[{unit}]"))
        return moments.tz_localize("UTC") if column["aware"] else moments
    if kind == "bool":
        return values.astype(np.bool_)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        return values.astype(object)
    return np.ascontiguousarray(values)


def _scaling(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{name} says how it was scaled, but not in JSON: {error}") from error


def write_hdf5(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables in pandas' table format, whole or not at all.

    Args:
        path: The file.
        tables: Frames by key, as ``/15m``; their index is not kept. ``attrs["seawall_scaling"]`` is.

    Raises:
        ConfigError: There is no table, HDF5 is not installed, or a key or column cannot be stored.
        DataError: The disk is full or the path may not be written.
    """
    _need("tables", f"write {path.name}")
    if not tables:
        raise ConfigError(f"there is no table to write to {path.name}; needed: at least one")
    with replacing_file(path) as temporary, warnings.catch_warnings():
        # Keys such as 15m are no Python names, which PyTables remarks on.
        warnings.simplefilter("ignore")
        with pd.HDFStore(str(temporary), "w", complevel=4, complib="zlib") as store:
            for key, table in tables.items():
                _put(store, key, table, path.name)


def _put(store: Any, key: str, table: pd.DataFrame, name: str) -> None:
    if not key.strip("/"):
        raise ConfigError(f"a table of {name} has the key {key!r}; allowed: a name, as in /15m")
    try:
        # Without times of tracking, the same tables give the same bytes.
        store.put(key, table.reset_index(drop=True), format="table", index=False, track_times=False)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ConfigError(f"table {key!r} cannot be written to {name}: {str(error).splitlines()[0]}") from error
    if "seawall_scaling" not in table.attrs:
        return
    text = json.dumps(table.attrs["seawall_scaling"])
    attributes = store.get_storer(key).attrs
    for part in range(-(-len(text) // _ATTRIBUTE_CHARACTERS)):
        start = part * _ATTRIBUTE_CHARACTERS
        attributes[f"seawall_scaling_{part}"] = text[start : start + _ATTRIBUTE_CHARACTERS]


def _need(package: str, what: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(f"to {what}, the package {package} is needed; install it with: {INSTALL_HDF5}")
