# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, disable-error-code="no-redef,misc"
"""Views: how units read tables. What they return depends on the mode, the source does not."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np

from constrain.jit.kernels import helper
from constrain.jit.modes import CHECKED, INTERPRETED


def _view(address: int, size: int, dtype: Any) -> np.ndarray:
    return np.ctypeslib.as_array((dtype * size).from_address(int(address)))


_view = lru_cache(maxsize=4096)(_view)

if INTERPRETED:

    def i64(block, table):
        """A table of int64."""
        control = _view(block, 2 * table + 2, ctypes.c_int64)
        return _view(int(control[2 * table]), int(control[2 * table + 1]), ctypes.c_int64)

    def i32(block, table):
        """A table of int32."""
        control = _view(block, 2 * table + 2, ctypes.c_int64)
        return _view(int(control[2 * table]), int(control[2 * table + 1]), ctypes.c_int32)

    def u8(block, table):
        """A table of bytes."""
        control = _view(block, 2 * table + 2, ctypes.c_int64)
        return _view(int(control[2 * table]), int(control[2 * table + 1]), ctypes.c_uint8)

else:
    from numba import carray, types
    from numba.extending import intrinsic

    def _pointer(item: Any) -> Any:
        """Make an intrinsic that reads an address as a pointer to `item`."""

        @intrinsic
        def pointer(typing: Any, address: Any) -> Any:
            kind = types.CPointer(item)

            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return builder.inttoptr(args[0], context.get_value_type(kind))

            return kind(types.int64), generate

        return pointer

    _p64, _p32, _p8 = _pointer(types.int64), _pointer(types.int32), _pointer(types.uint8)

    if CHECKED:

        @helper
        def i64(block, table):
            """A table of int64."""
            control = _p64(block)
            return carray(_p64(control[2 * table]), (control[2 * table + 1],))

        @helper
        def i32(block, table):
            """A table of int32."""
            control = _p64(block)
            return carray(_p32(control[2 * table]), (control[2 * table + 1],))

        @helper
        def u8(block, table):
            """A table of bytes."""
            control = _p64(block)
            return carray(_p8(control[2 * table]), (control[2 * table + 1],))

    else:

        @helper
        def i64(block, table):
            """A table of int64."""
            return _p64(_p64(block)[2 * table])

        @helper
        def i32(block, table):
            """A table of int32."""
            return _p32(_p64(block)[2 * table])

        @helper
        def u8(block, table):
            """A table of bytes."""
            return _p8(_p64(block)[2 * table])


@helper
def size_of(block, table):
    """The entries that a table has room for."""
    return i64_at(block, 2 * table + 1)


if INTERPRETED:

    def i64_at(address, n):
        """Word n behind an address."""
        return int(_view(address, n + 1, ctypes.c_int64)[n])

    def halves(block, table):
        """A table of int64 as twice as many uint32."""
        control = _view(block, 2 * table + 2, ctypes.c_int64)
        return _view(int(control[2 * table]), 2 * int(control[2 * table + 1]), ctypes.c_uint32)

    def u32_row(address, size):
        """`size` uint32 at an address."""
        return _view(int(address), int(size), ctypes.c_uint32)

    def mix(h, x):
        """Hash one more integer; h and the result are not negative."""
        h = ((int(h) ^ int(x)) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        return (h ^ h >> 31) & 0x7FFFFFFFFFFFFFFF

else:

    @helper
    def i64_at(address, n):
        """Word n behind an address."""
        return _p64(address)[n]

    _p32u = _pointer(types.uint32)

    if CHECKED:

        @helper
        def halves(block, table):
            """A table of int64 as twice as many uint32."""
            control = _p64(block)
            return carray(_p32u(control[2 * table]), (2 * control[2 * table + 1],))

        @helper
        def u32_row(address, size):
            """`size` uint32 at an address."""
            return carray(_p32u(address), (size,))

    else:

        @helper
        def halves(block, table):
            """A table of int64 as twice as many uint32."""
            return _p32u(_p64(block)[2 * table])

        @helper
        def u32_row(address, size):
            """`size` uint32 at an address."""
            return _p32u(address)

    @helper
    def mix(h, x):
        """Hash one more integer; h and the result are not negative."""
        h = np.uint64(h ^ x) * np.uint64(0x9E3779B97F4A7C15)
        return np.int64((h ^ h >> np.uint64(31)) & np.uint64(0x7FFFFFFFFFFFFFFF))
