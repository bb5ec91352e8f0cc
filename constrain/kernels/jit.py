"""The one decorator of all kernels: compiled on first call, cached on disk where that is possible.

In: a Python function. Out: its compiled twin (or the function itself under NUMBA_DISABLE_JIT=1).
CONSTRAIN_NO_CACHE=1 keeps machine code out of the disk cache; NUMBA_CACHE_DIR says where it goes.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable
from typing import Any

from numba import njit

_log = logging.getLogger("constrain")
_said = False


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` lazily with `nogil`, and cache the machine code if a directory for it is writable.

    >>> kernel(lambda x: x + 1)(2)
    3
    """
    compiled: Callable[..., Any] = njit(nogil=True)(function)
    if os.environ.get("CONSTRAIN_NO_CACHE") == "1":
        return compiled
    try:
        compiled = njit(nogil=True, cache=True)(function)
    except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
        if "cannot cache function" not in str(error):
            raise
        _say_once(error)
        return compiled
    _tolerate_failing_disk(compiled)
    return compiled


def _tolerate_failing_disk(compiled: Any) -> None:
    """Make a cache that fails later (disk full, directory now read-only, file cut short) cost time, not the call.

    numba checks the directory at decoration only; an error while it loads or saves would reach the caller.
    """
    cache = getattr(compiled, "_cache", None)
    for name in ("load_overload", "save_overload"):
        method = getattr(cache, name, None)
        if method is not None:
            setattr(cache, name, _tolerant(method))


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


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """`njit` for functions that only kernels of the same file call: no entry from Python, no wrapper to compile."""
    compiled: Callable[..., Any] = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return compiled
