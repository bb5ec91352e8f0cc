"""Compiled code: functions that go through LLVM once, the tables they share, and a cache that notices every change.

Three kinds of compiled functions:

* `unit`: takes and returns int64. It is compiled once and called by symbol, from other units and from Python.
* `helper`: inlined into the units that call it, since it has arguments of other types or is too short for a call.
* `kernel`: compiled on its first call, for code outside of the engine that takes numpy arrays.

Units share `Tables`: growable arrays behind one address, the *block*. A unit reads its tables with `i64(block, TABLE)`,
`i32` and `u8`. What these return depends on the mode, the source does not:

* compiled: a bare pointer, without bounds;
* `NUMBA_BOUNDSCHECK=1`: an array with bounds;
* `NUMBA_DISABLE_JIT=1`: a numpy view, and everything runs as plain Python.

A unit returns a status below zero instead of raising; the caller mends what it names and calls again.

Environment: `CONSTRAIN_NO_CACHE=1` keeps machine code out of the disk cache; `NUMBA_CACHE_DIR` says where it goes.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import pickle
import re
import threading
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

_log = logging.getLogger("constrain")
_PACKAGE = Path(__file__).parent
_IMPORT = re.compile(r"^from constrain\.([\w.]+) import", re.MULTILINE)
INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
"""Whether units run as plain Python."""
CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
"""Whether compiled units check their indices."""
_said = False


# ------------------------------------------------------------------------------------------------------ the cache


@cache
def _reachable(path: Path) -> frozenset[Path]:
    """List a module and the modules of the package that it imports, directly or not, and that hold kernels."""
    found, todo = {path}, [path]
    while todo:
        for name in _IMPORT.findall(todo.pop().read_text("utf-8")):
            imported = _PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
            if imported not in found and imported.is_file() and "constrain.jit import" in imported.read_text("utf-8"):
                found.add(imported)
                todo.append(imported)
    return frozenset(found)


@cache
def stamp(file: str) -> str:
    """Hash the sources of all kernels that a module can call: machine code is valid for one stamp.

    numba compares the time stamp of one file, and so serves stale code where a helper in another file has changed.
    """
    total = hashlib.sha256(Path(__file__).read_bytes() + bytes([CHECKED]))
    for path in sorted(_reachable(Path(file))):
        total.update(path.read_bytes())
    return total.hexdigest()


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Decorate with `njit`, with the disk cache if a directory for it is writable."""
    if os.environ.get("CONSTRAIN_NO_CACHE") == "1" or INTERPRETED:
        return njit(**options)(function)
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
        if "cannot cache function" not in str(error):
            raise
        _say_once(error)
        return njit(**options)(function)
    cache = made._cache
    cache._cache_file._source_stamp = stamp(function.__code__.co_filename)
    # numba checks the directory at decoration only: a disk that fails later must cost time, not the call
    for name in ("load_overload", "save_overload"):
        setattr(cache, name, _tolerant(getattr(cache, name)))
    return made


def _tolerant(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            _say_once(error)
            return None

    return call


def _say_once(error: Exception) -> None:
    global _said
    if not _said:
        _said = True
        _log.warning("machine code is not cached, so that each process compiles it again: %s", error)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on the first call, without the GIL.

    >>> kernel(lambda x: x + 1)(2)
    3
    """
    made: Callable[..., Any] = _compiled(function, nogil=True)
    return made


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile into the functions that call it: no entry from Python, no wrapper to compile."""
    if INTERPRETED:
        return function
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
    compiled: Callable[..., Any] = njit(nogil=True, **options)(function)
    return compiled


# --------------------------------------------------------------------------------------------------------- units


Entry = Callable[..., int]
"""A unit as Python calls it."""


class Unit:
    """A compiled function int64(int64, ...), known to LLVM by name."""

    def __init__(self, function: Callable[..., int], nogil: bool) -> None:
        self.function, self.nogil = function, nogil
        self.name: str = function.__name__
        self.symbol = f"constrain_{function.__module__.replace('.', '_')}_{function.__name__}"
        self.call: Entry | None = None
        """The entry from Python, once it is loaded."""

    def load(self) -> bool:
        """Compile, or load from the cache. Returns whether it had to be compiled."""
        import llvmlite.binding as llvm
        from numba import int64

        made = _compiled(self.function, nogil=self.nogil, error_model="numpy")
        signature = (int64,) * self.function.__code__.co_argcount
        made.compile(signature)
        result = made.overloads[signature]
        llvm.add_symbol(self.symbol, result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name))
        self.kept = made  # the machine code lives as long as this
        self.call = result.entry_point
        return bool(made.stats.cache_misses) or not made.stats.cache_hits

    def __repr__(self) -> str:
        return f"<Unit {self.name}>"


_units: dict[str, Unit] = {}
_loading = threading.RLock()


def unit(function: Callable[..., int] | None = None, *, nogil: bool = False) -> Any:
    """Make a unit of a function that takes and returns int64; define what it calls before it.

    Returns what other units call. Python calls `entry(unit)`. `nogil` releases the GIL in calls from Python, which
    costs 0.1 us: for calls that take more than 100 us.
    """
    if function is None:
        return lambda function: unit(function, nogil=nogil)
    if INTERPRETED:
        return function
    from numba import int64, types

    made = Unit(function, nogil)
    if made.symbol in _units:
        raise ValueError(f"two units are called {made.symbol}")
    _units[made.symbol] = made
    return types.ExternalFunction(made.symbol, int64(*(int64,) * function.__code__.co_argcount))


def load(progress: Callable[[str, int, int], None] | None = None) -> int:
    """Load all units defined so far, in the order of their definitions; the number that had to be compiled.

    `progress` is called with the name of the next unit, its place and their number.
    """
    compiled = 0
    with _loading:
        waiting = [unit for unit in _units.values() if unit.call is None]
        for n, each in enumerate(waiting):
            if progress is not None:
                progress(each.name, n, len(waiting))
            compiled += each.load()
    return compiled


def entry(made: Any) -> Entry:
    """Find the function by which Python calls a unit; loads the units defined so far.

    It takes Python integers and checks nothing.
    """
    if INTERPRETED:
        found: Entry = made
        return found
    known = _units[made.symbol]
    if known.call is None:
        load()
    assert known.call is not None
    return known.call


# -------------------------------------------------------------------------------------------------------- tables


class Column(NamedTuple):
    """A table as it begins: its name, dtype, and entries."""

    name: str
    dtype: type
    size: int


class Tables:
    """Growable arrays that units reach by one address.

    The control block is int64[2 n]: address and size of each table, in order.

    >>> tables = Tables([Column("count", np.int64, 4)])
    >>> tables["count"][:] = 7
    >>> tables.grow(0, 5)
    >>> tables["count"].tolist()
    [7, 7, 7, 7, 0, 0, 0, 0]
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._arrays: list[np.ndarray] = [np.zeros(column.size, column.dtype) for column in columns]
        self._names = {column.name: k for k, column in enumerate(columns)}
        self._control = np.zeros(2 * len(columns), np.int64)
        self.block: int = self._control.ctypes.data
        """The address of the control block."""
        for k in range(len(columns)):
            self._note(k)

    def _note(self, k: int) -> None:
        array = self._arrays[k]
        self._control[2 * k], self._control[2 * k + 1] = array.ctypes.data, len(array)

    def __getitem__(self, name: str) -> np.ndarray:
        """The array of a table. It is another one after the table has grown."""
        return self._arrays[self._names[name]]

    def replace(self, name: str, array: np.ndarray) -> None:
        """Put another array in place of a table."""
        k = self._names[name]
        self._arrays[k] = np.ascontiguousarray(array, self.columns[k].dtype)
        self._note(k)

    def grow(self, k: int, size: int) -> None:
        """Make room for at least `size` entries in table k; new ones are 0."""
        old = self._arrays[k]
        if size > len(old):
            new = np.zeros(max(size, 2 * len(old)), old.dtype)
            new[: len(old)] = old
            self._arrays[k] = new
            self._note(k)

    @property
    def nbytes(self) -> int:
        """Memory that the tables take."""
        return sum(array.nbytes for array in self._arrays)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{c.name} {len(a)}" for c, a in zip(self.columns, self._arrays))
        return f"<Tables {sizes}>"


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
