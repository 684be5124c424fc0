"""What a block of features depends on, as one hash: the set, its code, the bars, and the programs that compute it.

A set is described by what it is made of: functions by their name, their compiled code and what they hold, settings by their
values. Functions of other packages, as of a plugin, bring the text of their module.
"""

from __future__ import annotations

import hashlib
import inspect
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any, cast

import numpy as np
import pandas as pd

import seawall
from seawall.core.bars import price_block, timestamps_ms
from seawall.core.files import array_digest, digest
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import feature_hash

_PROGRAMS = ("numpy", "numba", "pandas", "TA-Lib")
# Text of ours that a block may depend on, below the package.
_OURS = (
    "features/**/*.py",
    "market/resample.py",
    "market/joins.py",
    "market/hours/**/*.py",
    "market/hours/**/*.yaml",
    "core/bars.py",
    "core/timeframe.py",
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class Undescribed(Exception):
    """A part of a feature set cannot be told from another by a hash."""


def block_key(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> str:
    """Return the hash of all that a block depends on, in hexadecimal.

    Args:
        bars: A bar frame that `check_inputs` lets pass; of it the times, the prices, the volume and the columns that the set
            requires count, and no other.
        feature_set: The set.
        timeframe: Length of a bar.

    Raises:
        Undescribed: The set holds something that no hash can tell from another.
    """
    required = (bars[name].to_numpy(np.float64) for name in feature_set.requires)
    content = array_digest(timestamps_ms(bars), price_block(bars), *required)
    made_of = [feature_hash(feature_set), feature_set.columns, described(feature_set)]
    return digest([made_of, timeframe.label, content, code_version()])


@cache
def code_version() -> str:
    """Return a hash over the text of our code that makes features, and the versions of the programs below it."""
    root = Path(seawall.__file__).parent
    state = hashlib.sha256()
    for path in sorted({path for pattern in _OURS for path in root.glob(pattern)}):
        state.update(f"{path.relative_to(root).as_posix()}\0".encode())
        state.update(path.read_bytes())
    programs = {name: _version(name) for name in _PROGRAMS}
    return digest([state.hexdigest(), programs, platform.machine(), sys.version_info[:2]])


def described(value: Any) -> Any:
    """Return what a value is, as plain values that are the same in every process.

    Raises:
        Undescribed: It is, or holds, something else than plain values, arrays, functions, and objects of those.
    """
    try:
        return _described(value, [])
    except (ValueError, RecursionError) as error:
        raise Undescribed(f"a value ({error})") from error


def _described(value: Any, within: list[Any]) -> Any:
    if isinstance(value, _PLAIN):
        return [type(value).__name__, repr(value)]
    if any(value is outer for outer in within):
        return "itself"
    inner = [*within, value]
    for describe in (_container, _code, _object):
        found = describe(value, inner)
        if found is not None:
            return found
    raise Undescribed(f"a {type(value).__qualname__} of {type(value).__module__}")


def _container(value: Any, within: list[Any]) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(cast("Any", value))
        return None if array.dtype.hasobject else ["array", array_digest(array)]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return ["mapping", [[_described(key, within), _described(held, within)] for key, held in pairs]]
    if isinstance(value, (list, tuple)):
        return ["list", [_described(held, within) for held in cast("list[Any]", value)]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(repr(_described(held, within)) for held in cast("Iterable[Any]", value))]
    return None


def _code(value: Any, within: list[Any]) -> Any:
    if isinstance(value, partial):
        held = cast("partial[Any]", value)
        return ["partial", *(_described(part, within) for part in (held.func, held.args, held.keywords))]
    if isinstance(value, MethodType):
        return ["method", _described(value.__func__, within), _described(value.__self__, within)]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        holds = [_described(part, within) for part in (value.__defaults__, value.__kwdefaults__, cells, value.__code__)]
        return ["function", value.__module__, value.__qualname__, holds, _text(value.__module__)]
    if isinstance(value, CodeType):
        # An instruction names its constants and variables by number.
        names = (value.co_names, value.co_varnames, value.co_freevars)
        return ["code", value.co_code.hex(), list(names), _described(value.co_consts, within)]
    return ["compiled", _described(value.py_func, within)] if hasattr(value, "py_func") else None


def _object(value: Any, within: list[Any]) -> Any:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str):
        # A class, or a function of a compiled module.
        return ["named", module, name, _text(module)]
    return ["object", _described(type(value), within), _described(vars(value), within)] if hasattr(value, "__dict__") else None


@cache
def _text(module: str) -> str:
    """Return a hash over the text of a module that is not ours, empty where it has none; ours is in `code_version`."""
    if module.startswith("seawall.features") or module not in sys.modules:
        return ""
    try:
        path = inspect.getsourcefile(sys.modules[module])
        return "" if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""


def _version(program: str) -> str:
    try:
        return metadata.version(program)
    except metadata.PackageNotFoundError:
        return "none"


# Read when our code is loaded: where a file is changed while a process runs, its blocks must not be kept as those of the new code.
code_version()
