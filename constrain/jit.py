# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, disable-error-code="no-redef,misc"
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

The machine code of all units is one file on disk, read at once; that of kernels is in numba's own cache. Environment:
`CONSTRAIN_NO_CACHE=1` keeps machine code off the disk; `NUMBA_CACHE_DIR` says where it goes.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import pickle
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

    @property
    def key(self) -> str:
        """What machine code is kept under: it is valid for these sources."""
        return f"{self.symbol} {stamp(self.function.__code__.co_filename)}"

    def compile(self) -> MachineCode:
        """Compile the function."""
        from numba import int64

        made = njit(nogil=self.nogil, error_model="numpy")(self.function)
        signature = (int64,) * self.function.__code__.co_argcount
        with _object_caching():
            made.compile(signature)
        result = made.overloads[signature]
        names = result.fndesc.llvm_cfunc_wrapper_name, result.fndesc.llvm_cpython_wrapper_name
        env = made.targetctx.get_env_name(result.fndesc)
        return MachineCode(result.library._get_compiled_object(), *names, env)

    def __repr__(self) -> str:
        return f"<Unit {self.name}>"


class MachineCode(NamedTuple):
    """A compiled unit: an object file, and the names in it."""

    object: bytes
    entry: str
    """Of the C function."""
    python_entry: str
    """Of the function that takes Python integers."""
    environment: str
    """Of the variable that the latter expects its environment in."""


class _Loader:
    """Puts machine code into the process, without numba's own cache: its entries take 10 ms each to load."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm
        from numba import _helperlib
        from numba.core.runtime import _nrt_python as runtime

        self._llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        for name, address in _helperlib.c_helpers.items():  # what compiled code may call
            llvm.add_symbol(f"numba_{name}", address)
        for name, address in runtime.c_helpers.items():  # type: ignore[attr-defined]
            llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._kept: list[Any] = []

    def load(self, unit: Unit, code: MachineCode) -> None:
        """Make a unit callable, by its symbol and from Python."""
        from numba import _dynfunc

        self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code.object))
        self._engine.finalize_object()
        self._llvm.add_symbol(unit.symbol, self._engine.get_function_address(code.entry))
        environment = _dynfunc.Environment({})
        address = self._engine.get_global_value_address(code.environment)
        ctypes.c_void_p.from_address(address).value = id(environment)
        self._kept.append(environment)
        address = self._engine.get_function_address(code.python_entry)
        module = sys.modules[unit.function.__module__]
        unit.call = _dynfunc.make_function(
            module, unit.name, unit.function.__doc__ or "", address, environment, (self,)
        )


@contextmanager
def _object_caching() -> Iterator[None]:
    """Have numba keep the object files of what it compiles."""
    from numba.core.codegen import CPUCodeLibrary

    before = CPUCodeLibrary.finalize

    def finalize(library: Any) -> None:
        library.enable_object_caching()
        before(library)

    CPUCodeLibrary.finalize = finalize
    try:
        yield
    finally:
        CPUCodeLibrary.finalize = before


def _bundle() -> Path | None:
    """The file that holds the machine code of all units for this processor, Python and numba; None: do not keep any."""
    if os.environ.get("CONSTRAIN_NO_CACHE") == "1":
        return None
    import llvmlite
    import llvmlite.binding as llvm
    import numba

    what = (sys.version, numba.__version__, llvmlite.__version__, CHECKED, llvm.get_host_cpu_name())
    name = hashlib.sha256(repr((*what, llvm.get_host_cpu_features().flatten())).encode()).hexdigest()[:16]
    folder = os.environ.get("NUMBA_CACHE_DIR")
    if not folder:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("constrain")
    return Path(folder) / f"units-{name}.pickle"


def _read_bundle(path: Path | None) -> dict[str, MachineCode]:
    """The machine code on disk, by key; nothing if it cannot be read."""
    try:
        return {key: MachineCode(*code) for key, code in pickle.loads(path.read_bytes()).items()} if path else {}
    except FileNotFoundError:
        return {}
    except Exception as error:  # cut short, or not ours: it will be written again
        _say_once(error)
        return {}


def _write_bundle(path: Path | None, codes: dict[str, MachineCode]) -> None:
    """Keep machine code on disk, beside what another process has written, without units whose sources have changed."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        symbols = {key.split()[0] for key in codes}
        others = {key: code for key, code in _read_bundle(path).items() if key.split()[0] not in symbols}
        content = pickle.dumps({key: tuple(code) for key, code in (others | codes).items()})
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        _say_once(error)


_units: dict[str, Unit] = {}
_loading = threading.RLock()
_loader: _Loader | None = None


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

    `progress` is called before each one that has to be: its name, its place and the number of units.
    """
    global _loader
    with _loading:
        waiting = [unit for unit in _units.values() if unit.call is None]
        if not waiting:
            return 0
        _loader = _loader or _Loader()
        path = _bundle()
        known = _read_bundle(path)
        if {unit.key for unit in waiting} <= known.keys():
            _load_all(waiting, known, None)
            return 0
        with _alone(path):  # one process compiles, others wait for what it writes
            codes = _read_bundle(path)
            compiled = 0
            try:
                compiled = _load_all(waiting, codes, progress)
            finally:
                if not {unit.key for unit in waiting if unit.call is not None} <= known.keys():
                    _write_bundle(path, {unit.key: codes[unit.key] for unit in waiting if unit.key in codes})
    return compiled


def _load_all(
    waiting: Sequence[Unit], codes: dict[str, MachineCode], progress: Callable[[str, int, int], None] | None
) -> int:
    """Load units in order, and compile those whose code is not there, into `codes`; how many these were."""
    assert _loader is not None
    compiled = 0
    for n, each in enumerate(waiting):
        if each.key not in codes:
            if progress is not None:
                progress(each.name, n, len(waiting))
            codes[each.key] = each.compile()
            compiled += 1
        _loader.load(each, codes[each.key])
    return compiled


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """Keep other processes from compiling the same; not where no lock can be had."""
    if path is None:
        yield
        return
    from filelock import FileLock

    lock = FileLock(f"{path}.lock", timeout=600)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, TimeoutError) as error:
        _say_once(error)
    try:
        yield
    finally:
        lock.release()


def is_ready() -> bool:
    """Whether `load` has nothing to compile."""
    waiting = [unit for unit in _units.values() if unit.call is None]
    return not waiting or {unit.key for unit in waiting} <= _read_bundle(_bundle()).keys()


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
