"""Asking for memory before it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

_compiler_tools: Any = cgutils
_TO_READ, _KEEP_NEAR, _DATA = 0, 3, 1


def prefetch_row(block: np.ndarray, row: int) -> None:
    """Ask for the cache line in which a row of a block begins, without waiting for it; where nothing is compiled, do nothing.

    Accounts stand at rows all over a market, so that no hardware foresees which row comes next. Any row may be asked for, also one
    that is not there.

    Args:
        block: An array of at least one dimension.
        row: A whole number.
    """


@intrinsic
def _prefetch_row(_context: Any, block: Any, _row: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        offset = builder.mul(arguments[1], builder.extract_value(array.strides, 0))
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.inttoptr(builder.add(builder.ptrtoint(array.data, offset.type), offset), pointer)
        asked = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = _compiler_tools.get_or_insert_function(builder.module, asked, "llvm.prefetch.p0i8")
        builder.call(function, [address, number(_TO_READ), number(_KEEP_NEAR), number(_DATA)])
        return context.get_dummy_value()

    return types.none(block, types.int64), generate


@overload(prefetch_row, inline="always")
def _compiled(block: Any, row: Any) -> Any:  # noqa: ARG001 (numba looks at the names of both)
    def ask(block: Any, row: Any) -> None:
        _prefetch_row(block, row)  # pyright: ignore[reportCallIssue]

    return ask
