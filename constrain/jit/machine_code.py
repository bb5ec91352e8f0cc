"""Machine code of units: made, put into the process, kept on disk."""

from __future__ import annotations

import ctypes
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from numba import njit

from constrain.jit.modes import CHECKED, is_kept, say_once


class MachineCode(NamedTuple):
    """A compiled unit: an object file, and the names in it."""

    object: bytes
    entry: str
    """Of the C function."""
    python_entry: str
    """Of the function that takes Python integers; empty if there is none."""
    environment: str
    """Of the variable that the latter expects its environment in."""


def compiled(function: Callable[..., int], quick: bool) -> MachineCode:
    """Compile int64(int64, ...); `quick` to call from Python."""
    from numba import int64

    made = njit(no_cpython_wrapper=not quick, error_model="numpy")(function)
    signature = (int64,) * function.__code__.co_argcount
    with _object_caching():
        made.compile(signature)
    result = made.overloads[signature]
    named = result.fndesc
    python = (named.llvm_cpython_wrapper_name, made.targetctx.get_env_name(named)) if quick else ("", "")
    return MachineCode(result.library._get_compiled_object(), named.llvm_cfunc_wrapper_name, *python)


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


class Loader:
    """Puts machine code into the process, without numba's own cache: its entries take 10 ms each to load."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm
        from numba import _helperlib
        from numba.core.runtime import _nrt_python as runtime

        self._llvm = llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        for name, address in _helperlib.c_helpers.items():  # type: ignore[attr-defined]  # what compiled code may call
            llvm.add_symbol(f"numba_{name}", address)
        for name, address in runtime.c_helpers.items():  # type: ignore[attr-defined]
            llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
        machine = llvm.Target.from_default_triple().create_target_machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._kept: list[Any] = []

    def load(self, function: Callable[..., int], symbol: str, code: MachineCode, nogil: bool) -> Callable[..., int]:
        """Make a unit callable: by its symbol, and from Python, which is what it returns."""
        from numba import _dynfunc

        self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code.object))
        self._engine.finalize_object()
        address = self._engine.get_function_address(code.entry)
        self._llvm.add_symbol(symbol, address)
        if not code.python_entry:
            prototype = ctypes.CFUNCTYPE if nogil else ctypes.PYFUNCTYPE
            foreign = prototype(*[ctypes.c_int64] * (1 + function.__code__.co_argcount))(address)
            return lambda *args: int(foreign(*map(int, args)))
        environment = _dynfunc.Environment({})
        address = self._engine.get_global_value_address(code.environment)
        ctypes.c_void_p.from_address(address).value = id(environment)
        self._kept.append(environment)
        address = self._engine.get_function_address(code.python_entry)
        module, name, doc = sys.modules[function.__module__], function.__name__, function.__doc__ or ""
        made: Callable[..., int] = _dynfunc.make_function(module, name, doc, address, environment, (self,))
        return made


def bundle_file() -> Path | None:
    """The file that holds the machine code of all units for this processor, Python and numba; None: do not keep any."""
    if not is_kept():
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


def read_bundle(path: Path | None) -> dict[str, MachineCode]:
    """The machine code on disk, by key; nothing if it cannot be read."""
    try:
        return {key: MachineCode(*code) for key, code in pickle.loads(path.read_bytes()).items()} if path else {}
    except FileNotFoundError:
        return {}
    except Exception as error:  # cut short, or not ours: it will be written again
        say_once(error)
        return {}


def write_bundle(path: Path | None, codes: dict[str, MachineCode]) -> None:
    """Keep machine code on disk, beside what another process has written, without units whose sources have changed."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        symbols = {key.split()[0] for key in codes}
        others = {key: code for key, code in read_bundle(path).items() if key.split()[0] not in symbols}
        content = pickle.dumps({key: tuple(code) for key, code in (others | codes).items()})
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, path)
    except OSError as error:
        say_once(error)


@contextmanager
def alone(path: Path | None) -> Iterator[None]:
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
        say_once(error)
    try:
        yield
    finally:
        lock.release()
