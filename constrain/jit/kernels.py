"""Kernels and helpers: functions that numba compiles when they are called first, or into their callers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from numba import njit

from constrain.jit.modes import INTERPRETED, is_kept, say_once
from constrain.jit.stamps import stamp


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Decorate with `njit`, with the disk cache if a directory for it is writable."""
    if INTERPRETED or not is_kept():
        return njit(**options)(function)
    try:
        made = njit(cache=True, **options)(function)
    except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
        if "cannot cache function" not in str(error):
            raise
        say_once(error)
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
            say_once(error)
            return None

    return call


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
