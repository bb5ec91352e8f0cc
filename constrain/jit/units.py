"""Units: functions that go through LLVM once, called by symbol from each other and from Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

from constrain.jit.machine_code import Loader, MachineCode, alone, bundle_file, compiled, read_bundle, write_bundle
from constrain.jit.modes import CHECKED, INTERPRETED
from constrain.jit.parallel import second_process
from constrain.jit.stamps import stamp

Entry = Callable[..., int]
"""A unit as Python calls it."""


class Unit:
    """A compiled function int64(int64, ...), known to LLVM by name."""

    def __init__(self, function: Callable[..., int], quick: bool, nogil: bool) -> None:
        self.function, self.quick, self.nogil = function, quick, nogil
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
        return compiled(self.function, self.quick)

    def __repr__(self) -> str:
        return f"<Unit {self.name}>"


_units: dict[str, Unit] = {}
_loading = threading.RLock()
_loader: Loader | None = None


def unit(function: Callable[..., int] | None = None, *, quick: bool = False, nogil: bool = False) -> Any:
    """Make a unit of a function that takes and returns int64; define what it calls before it.

    Returns what other units call. Python calls `entry(unit)`, through ctypes. `quick` is for what Python calls at
    each token or byte: an entry of its own takes longer to compile and is called in less time. `nogil` releases the
    GIL in calls that are not quick, which is for long ones.
    """
    if function is None:
        return lambda function: unit(function, quick=quick, nogil=nogil)
    if INTERPRETED:
        return function
    from numba import int64, types

    made = Unit(function, quick or CHECKED, nogil)
    if made.symbol in _units:
        raise ValueError(f"two units are called {made.symbol}")
    _units[made.symbol] = made
    return types.ExternalFunction(made.symbol, int64(*(int64,) * function.__code__.co_argcount))


def load(progress: Callable[[str, int, int], None] | None = None, entries: Sequence[Any] | None = None) -> int:
    """Load all units defined so far, in the order of their definitions; the number that had to be compiled.

    Given `entries`, load these alone, and the units that they call. `progress` is called before each one that has to
    be compiled: its name, its place and the number of units.
    """
    global _loader
    if entries is not None and all(_units[made.symbol].call is not None for made in entries):
        return 0  # what they call was loaded before them
    with _loading:
        waiting = [unit for unit in _waiting(entries) if unit.call is None]
        if not waiting:
            return 0
        _loader = _loader or Loader()
        path = bundle_file()
        known = read_bundle(path)
        everything = [unit for unit in _units.values() if unit.call is None]
        for some in (everything, waiting):  # what has been read is loaded at once: reading it again takes longer
            if {unit.key for unit in some} <= known.keys():
                _load_all(some, known, None)
                return 0
        with alone(path):  # one process compiles, others wait for what it writes
            codes = read_bundle(path)
            compiled = 0
            try:
                compiled = _load_all(waiting, codes, progress)
            finally:
                if not {unit.key for unit in waiting if unit.call is not None} <= known.keys():
                    write_bundle(path, {unit.key: codes[unit.key] for unit in waiting if unit.key in codes})
    return compiled


def _waiting(entries: Sequence[Any] | None) -> list[Unit]:
    """All units; or some, and those that they call, by way of helpers as well. In the order of their definitions."""
    if entries is None:
        return list(_units.values())
    found, seen = set[str](), set[int]()
    todo = [_units[made.symbol].function for made in entries]
    found.update(made.symbol for made in entries)
    while todo:
        function = todo.pop()
        for name in _names(function.__code__):
            used = function.__globals__.get(name)
            symbol = getattr(used, "symbol", None)
            if symbol in _units and symbol not in found:
                found.add(symbol)
                todo.append(_units[symbol].function)
            elif used is not None and hasattr(used, "py_func") and id(used) not in seen:
                seen.add(id(used))
                todo.append(used.py_func)
    return [unit for symbol, unit in _units.items() if symbol in found]


def _names(code: CodeType) -> Iterator[str]:
    """The names that a function uses, functions within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _load_all(
    waiting: Sequence[Unit], codes: dict[str, MachineCode], progress: Callable[[str, int, int], None] | None
) -> int:
    """Load units in order, and compile those whose code is not there, into `codes`; how many these were."""
    assert _loader is not None
    missing = [unit for unit in waiting if unit.key not in codes]
    ours = [unit for unit in reversed(missing) if unit.function.__module__.startswith("constrain.")]
    other = second_process(sorted({unit.function.__module__ for unit in ours}), [unit.symbol for unit in ours])
    try:
        for n, each in enumerate(waiting):
            code = codes.get(each.key) or (other.take(each.key) if other is not None else None)
            if code is None:
                if progress is not None:
                    progress(each.name, n + len(other or ()), len(waiting))
                code = each.compile()
            codes[each.key] = code
            each.call = _loader.load(each.function, each.symbol, code, each.nogil)
    finally:
        if other is not None:
            other.close()
    return len(missing)


def defined() -> dict[str, Unit]:
    """All units defined so far, by symbol."""
    return _units


def is_ready(entries: Sequence[Any] | None = None) -> bool:
    """Whether `load` has nothing to compile."""
    waiting = [unit for unit in _waiting(entries) if unit.call is None]
    return not waiting or {unit.key for unit in waiting} <= read_bundle(bundle_file()).keys()


def entry(made: Any) -> Entry:
    """Find the function by which Python calls a unit; loads it, and the units that it calls.

    It takes Python integers and checks nothing.
    """
    if INTERPRETED:
        found: Entry = made
        return found
    known = _units[made.symbol]
    if known.call is None:
        load(entries=[made])
    assert known.call is not None
    return known.call
