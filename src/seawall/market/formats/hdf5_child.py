"""Reads one HDF5 file in a process of its own, and nothing else: a file made to break the HDF5 library ends this process alone.

Run as ``python hdf5_child.py FILE ARRAYS all|one|list KEY``: it writes the columns to ARRAYS (NumPy's npz, never pickled) and
prints what they are as one JSON document. It ends with 0, or with 3 and ``{"refused": …}``. It imports nothing of Seawall, so that
it starts fast.

No pickled object is ever rebuilt. Of the pickles that pandas keeps in attributes only those of column names are read, by a reader
that knows plain lists, texts and numbers, and one of settings, in which a blank stands in for every object; h5py unpickles nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import h5py  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

_H5: Any = h5py
# zlib packs at most 1,032 to one, so a column that claims more than this was never written.
_MOST_RATIO = 1_100
_ALWAYS_READ = 64 * 2**20
_ADDRESS_SPACE = 12 * 2**30
_MOST_GROUPS = 65_536
REFUSED = 3


class Refused(Exception):
    """Something in the file is not read; the message says what."""


class _PlainOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise Refused(f"an attribute asks for the Python object {module_name}.{global_name}, which is never built from a file")

    def persistent_load(self, pid: Any) -> Any:
        raise Refused(f"an attribute asks for the Python object {pid!r}, which is never built from a file")


class _Blank:
    """Stands in for any object; it takes whatever is given to it and keeps nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Blank:
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Blank:
        return self

    def __setstate__(self, _state: Any) -> None:
        pass


class _BlankObjects(pickle.Unpickler):
    """Reads past the frequencies and time zones that pandas pickles among plain settings, without building or importing them."""

    def find_class(self, _module_name: str, _global_name: str, /) -> Any:
        return _Blank


def _plain(value: Any) -> Any:
    """Return what an attribute pickles, if that is plain; text comes back as it is."""
    if not isinstance(value, bytes):
        return value
    try:
        return _PlainOnly(io.BytesIO(value)).load()
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"an attribute is a broken pickle: {type(error).__name__}: {error}") from error


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


class _Columns:
    """The columns of one table as they are found, and the arrays they lie in."""

    def __init__(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        self.key = key
        self.found: list[dict[str, Any]] = []
        self._arrays = arrays

    def add(self, names: list[str], values: np.ndarray, kind: str, *, aware: bool, index: bool = False) -> None:
        """Add an array of one column, or of a column for each name along its second axis."""
        if values.dtype.hasobject:
            values = _from_objects(values, f"column {', '.join(names)} of {self.key}")
        values = values.reshape(len(values), int(np.prod(values.shape[1:])))
        if values.shape[1] != len(names):
            raise Refused(f"{self.key} names {len(names)} columns ({', '.join(names[:3])}, …) for {values.shape[1]} stored")
        array = f"a{len(self._arrays)}"
        self._arrays[array] = values
        for place, name in enumerate(names):
            self.found.append({"name": name, "array": array, "place": place, "kind": kind, "aware": aware, "index": index})


Reader = Callable[[Any, _Columns], None]


def _from_objects(values: np.ndarray, what: str) -> np.ndarray:
    if values.size and not all(isinstance(value, (bytes, str)) for value in values.flat):
        raise Refused(f"{what} holds objects; allowed: numbers, times and text")
    return np.array([_text(value) for value in values.flat], dtype=np.str_).reshape(values.shape)


def _read(node: Any, what: str) -> np.ndarray:
    if not isinstance(node, _H5.Dataset):
        raise Refused(f"{what} is absent or no array")
    data: Any = node
    if data.attrs.get("PSEUDOATOM") is not None:
        raise Refused(f"{what} is stored as pickled Python objects; write it with format='table', which stores text as text")
    if data.external or data.is_virtual:
        raise Refused(f"{what} lies in another file; allowed: data in this file")
    claimed = int(data.size or 0) * int(data.dtype.itemsize)
    if claimed > max(_ALWAYS_READ, _MOST_RATIO * int(data.id.get_storage_size())):
        raise Refused(f"{what} claims {claimed} bytes but stores {data.id.get_storage_size()}: it was never written whole")
    if data.shape is None:
        return np.empty(0)
    _refuse_unknown_packing(data, what)
    return np.asarray(data[...])


def _refuse_unknown_packing(data: Any, what: str) -> None:
    """Say what to do about a way of packing that h5py does not bring along, as freqtrade's blosc."""
    settings: Any = data.id.get_create_plist()
    packings: list[tuple[int, bytes]] = [settings.get_filter(place)[0::3] for place in range(settings.get_nfilters())]
    if all(_H5.h5z.filter_avail(code) for code, _ in packings):
        return
    with contextlib.suppress(ImportError):
        # It brings those ways along, and is used where the user has it.
        importlib.import_module("hdf5plugin")
    for code, name in packings:
        if not _H5.h5z.filter_avail(code):
            raise Refused(
                f"{what} is packed with {_text(name) or 'something'} (HDF5 filter {code}), which h5py cannot unpack by itself: "
                "pip install hdf5plugin, or write the file anew with ptrepack --complib zlib --complevel 4 OLD.h5 NEW.h5"
            )


def _names(values: np.ndarray) -> list[str]:
    return [_text(value) for value in values.tolist()]


def _frame_fixed(group: Any, columns: _Columns) -> None:
    attrs = group.attrs
    varieties = [_text(attrs.get(name, b"regular")) for name in ("axis0_variety", "axis1_variety")]
    if varieties != ["regular", "regular"]:
        raise Refused(f"{columns.key} has an index of several levels; allowed: one index")
    _fixed_index(_member(group, "axis1"), columns)
    for block in range(int(attrs.get("nblocks", 0))):
        values = _member(group, f"block{block}_values")
        names = _names(_read(_member(group, f"block{block}_items"), f"the column names of {columns.key}"))
        kind = _text(values.attrs.get("value_type", b"")) if values is not None else ""
        kind = kind if kind.startswith("datetime64") else ""
        read = _read(values, f"column {', '.join(names)} of {columns.key}")
        columns.add(names, _block(read, len(names)), kind, aware=_has_zone(values))
    order = _names(_read(_member(group, "axis0"), f"the column names of {columns.key}"))
    columns.found.sort(key=lambda column: -1 if column["index"] else order.index(column["name"]) if column["name"] in order else 0)


def _block(values: np.ndarray, names: int) -> np.ndarray:
    return values if values.ndim == 2 and values.shape[1] == names else values.T


def _fixed_index(node: Any, columns: _Columns) -> None:
    read = _read(node, f"the index of {columns.key}")
    kind = _text(node.attrs.get("kind", b""))
    name = _plain_or_none(node.attrs.get("name"))
    if kind.startswith("datetime64") or name:
        columns.add([name or "timestamp"], read, kind if kind.startswith("datetime64") else "", aware=_has_zone(node), index=True)


def _plain_or_none(value: Any) -> str:
    # A name is kept as text, or as the pickle of None, which is no text that anyone would choose.
    text = "" if value is None or value == b"N." else _text(value)
    return "" if text.startswith(("(", "c")) and text.endswith(".") else text


def _has_zone(node: Any) -> bool:
    # The zone itself is not needed: pandas stores every aware time in UTC.
    return "tz" in node.attrs and node.attrs["tz"] != b"N."


def _series_fixed(group: Any, columns: _Columns) -> None:
    _fixed_index(_member(group, "index"), columns)
    name = _plain_or_none(group.attrs.get("name")) or "values"
    columns.add([name], _read(_member(group, "values"), f"column {name} of {columns.key}"), "", aware=False)


def _frame_table(group: Any, columns: _Columns) -> None:
    table = _member(group, "table")
    rows = _read(table, f"{columns.key}/table")
    if rows.dtype.names is None:
        raise Refused(f"{columns.key}/table has no columns")
    if _text(group.attrs.get("levels", 1)) != "1":
        raise Refused(f"{columns.key} has an index of several levels; allowed: one index")
    attrs = table.attrs
    order: list[str] = []
    for _axis, names in _listed(_plain(group.attrs.get("non_index_axes")), columns.key):
        order = [str(name) for name in names]
    information = _information(group)
    for field in rows.dtype.names:
        aware = _said_of(information, field, "tz") is not None
        if field == "index":
            kind = _text(attrs.get("index_kind", b""))
            name = str(_said_of(information, "index", "index_name") or "")
            if kind.startswith("datetime64") or name:
                times = kind if kind.startswith("datetime64") else ""
                columns.add([name or "timestamp"], rows[field], times, aware=aware, index=True)
            continue
        names = [str(name) for name in _listed(_plain(attrs.get(f"{field}_kind")), columns.key)] or [field]
        if _text(attrs.get(f"{field}_meta", b"")) == "category":
            columns.add(names, _from_categories(group, field, rows[field], columns.key), "", aware=False)
            continue
        dtype = _text(attrs.get(f"{field}_dtype", b""))
        columns.add(names, rows[field], dtype if dtype.startswith("datetime64") or dtype == "bool" else "", aware=aware)
    columns.found.sort(key=lambda column: -1 if column["index"] else order.index(column["name"]) if column["name"] in order else 0)


def _from_categories(group: Any, field: str, codes: np.ndarray, key: str) -> np.ndarray:
    """Return the values that a column of category numbers stands for, which pandas keeps in a table of their own."""
    held = group
    for name in ("meta", field, "meta", "table"):
        held = _member(held, name) if isinstance(held, _H5.Group) else None
    rows = _read(held, f"the list of categories of {field} in {key}")
    if rows.dtype.names is None or "values" not in rows.dtype.names or not len(rows):
        raise Refused(f"{field} of {key} is a column of categories, and their list is empty or damaged")
    kinds: np.ndarray = rows["values"].reshape(len(rows))
    place = codes.reshape(len(codes)).astype(np.int64)
    absent = (place < 0) | (place >= len(kinds))
    values = kinds[np.where(absent, 0, place)] if kinds.dtype.kind in "SU" else kinds[np.where(absent, 0, place)].astype(np.float64)
    values[absent] = "" if kinds.dtype.kind in "SU" else np.nan
    return values


def _listed(value: Any, key: str) -> list[Any]:
    if value is None or isinstance(value, (list, tuple)):
        return list(cast("list[Any]", value or ()))
    raise Refused(f"{key} does not list its columns: it has {type(value).__name__} in the place of a list")


def _information(group: Any) -> dict[Any, Any]:
    try:
        said: Any = _BlankObjects(io.BytesIO(bytes(group.attrs.get("info", b"")))).load()
    except Exception:
        # It adds only the name of the index and the presence of zones; without it, times count as times without a zone.
        return {}
    return cast("dict[Any, Any]", said) if isinstance(said, dict) else {}


def _said_of(information: dict[Any, Any], field: str, what: str) -> Any:
    held: Any = information.get(field)
    return cast("dict[Any, Any]", held).get(what) if isinstance(held, dict) else None


def _member(group: Any, name: str) -> Any:
    # Soft and external links lead elsewhere; only what this file itself holds is read.
    link: Any = group.get(name, getlink=True)
    return group[name] if isinstance(link, _H5.HardLink) else None


def _tables(group: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any, Reader]]:
    """Find every table below a group: its path, the node that describes it, and what reads it."""
    if hash(group.id) in seen:
        return
    seen.add(hash(group.id))
    if len(seen) > _MOST_GROUPS:
        raise Refused(f"it has more than {_MOST_GROUPS} groups")
    key = path or "/"
    kind = _text(group.attrs.get("pandas_type", b""))
    if kind in _PANDAS:
        yield key, group, _PANDAS[kind]
        return
    if kind:
        raise Refused(f"{key} is a pandas {kind}; allowed: {', '.join(_PANDAS)}")
    alone: list[str] = []
    for name in group:
        child = _member(group, name)
        if isinstance(child, _H5.Group):
            yield from _tables(child, f"{path}/{name}", seen)
        elif isinstance(child, _H5.Dataset) and child.dtype.names is not None:
            yield f"{path}/{name}", child, _compound
        elif isinstance(child, _H5.Dataset):
            alone.append(name)
    if alone:
        yield key, group, _separate


def _compound(data: Any, columns: _Columns) -> None:
    rows = _read(data, columns.key)
    if rows.ndim != 1:
        raise Refused(f"{columns.key} has {rows.ndim} dimensions; allowed: one row a record")
    for field in rows.dtype.names or ():
        columns.add([field], rows[field], "", aware=False)


def _separate(group: Any, columns: _Columns) -> None:
    for name in group:
        data = _member(group, name)
        if not isinstance(data, _H5.Dataset) or data.dtype.names is not None:
            continue
        shape: tuple[int, ...] = data.shape or ()
        if len(shape) != 1:
            raise Refused(f"{columns.key} holds {name} of shape {shape}; allowed: one-dimensional arrays, one a column")
        columns.add([name], _read(data, f"column {name} of {columns.key}"), "", aware=False)


_PANDAS: dict[str, Reader] = {
    "frame": _frame_fixed,
    "series": _series_fixed,
    "frame_table": _frame_table,
    "series_table": _frame_table,
}


def _scaling(node: Any) -> str | None:
    parts: list[str] = []
    while (part := node.attrs.get(f"seawall_scaling_{len(parts)}")) is not None:
        parts.append(_text(part))
    return "".join(parts) if parts else None


def _limit() -> None:
    try:
        import resource
    except ImportError:
        # Windows has no such limits; the parent's time limit still holds.
        return
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(source: Path, target: Path, key: str | None, *, list_only: bool = False) -> int:
    """Read the tables of a file, or one of them, write their columns, print what they are; return the exit status."""
    _limit()
    arrays: dict[str, np.ndarray] = {}
    tables: list[dict[str, Any]] = []
    try:
        with _H5.File(source, "r") as file:
            for path, node, read in _tables(file, "", set()):
                columns = _Columns(path, arrays)
                if not list_only and key in (None, path):
                    read(node, columns)
                tables.append({"key": path, "columns": columns.found, "scaling": _scaling(node)})
        if not tables:
            raise Refused("it holds no table; allowed: pandas frames, tables of records, and one-dimensional arrays, one a column")
        np.savez(target, allow_pickle=False, **arrays)
    except Refused as refusal:
        print(json.dumps({"refused": str(refusal)}))
        return REFUSED
    except Exception as error:
        # The library names what is wrong in a file in many ways; none is a fault of the program.
        print(json.dumps({"refused": f"{type(error).__name__}: {str(error) or 'no more is said'}"}))
        return REFUSED
    print(json.dumps({"tables": tables}))
    return 0


if __name__ == "__main__":
    _mode, _key = sys.argv[3], sys.argv[4]
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), _key if _mode == "one" else None, list_only=_mode == "list"))
