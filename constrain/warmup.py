"""Compile what is needed before it is needed: in a Dockerfile, in CI, before many processes start at once.

In: nothing. Out: machine code on disk and in this process. The engine takes half a minute on two cores, once per
machine and version, a tenth of a second after that; `everything` adds intersections, longest match,
beam search and samplers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

Progress = Callable[[str, int, int], None]
"""Told before something is compiled: its name, its place, how many there are."""


def warm_up(progress: Progress | None = None, *, everything: bool = True) -> float:
    """Compile, or load, the engine, and everything else if asked for; the seconds that it took.

    >>> warm_up(everything=False) >= 0
    True
    """
    from constrain.engine.prepare import prepare

    begin = time.perf_counter()
    prepare(progress)
    if everything:
        _load_all(progress)
        _draw_tokens()
        _search_with_phrases()
    return time.perf_counter() - begin


def _load_all(progress: Progress | None) -> None:
    import constrain.compiler  # noqa: F401  it defines all units
    from constrain import jit

    jit.load(progress)


def engine_is_ready() -> bool:
    """Whether the machine code that most constraints need is made: in this process, or on disk for this processor."""
    from constrain.engine.prepare import is_prepared

    return is_prepared()


def kernels_are_cached() -> bool:
    """Whether `warm_up` finds all machine code made: in this process, or on disk for this processor.

    >>> _ = warm_up()
    >>> kernels_are_cached()
    True
    """
    from numba import config

    if config.DISABLE_JIT:
        return True
    import constrain.compiler  # noqa: F401  it defines all units
    from constrain import jit

    return jit.is_ready() and all(_is_cached(kernel) for kernel in kernels())


def kernels() -> Iterator[Any]:
    """The compiled functions that Python calls. (What only they call has no cache and no entry of its own.)"""
    import constrain.kernels as package

    for module in iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(import_module(module.name)).items():
            if name.isidentifier() and not name.startswith("_") and _is_kernel(value, module.name):
                yield value


def _is_kernel(value: Any, module: str) -> bool:
    """Whether `value` is a dispatcher of numba that `module` itself defines."""
    return hasattr(value, "py_func") and getattr(value, "__module__", "") == module


def _is_cached(kernel: Any) -> bool:
    """Look into the index of numba's cache. It has no public face: if it changes, the answer is "no"."""
    if kernel.signatures:
        return True
    try:
        processor = kernel.targetctx.codegen().magic_tuple()
        return any(key[1] == processor for key in kernel._cache._cache_file._load_index())
    except Exception:  # no cache at all, or a damaged one: numba will compile
        return False


def _draw_tokens() -> None:
    """More of them than are put in order at first."""
    import numpy as np

    from constrain.sampling.order import Order

    order = Order(np.zeros(64), np.random.default_rng(0))
    while order.draw() is not None:
        pass


def _search_with_phrases() -> None:
    """A few steps of beam search, with each way to share the beam."""
    import numpy as np

    from constrain.beam.search import BeamSettings, Sentence
    from constrain.beam.tracker import Tracker
    from constrain.specs.lexical import Clause, Lexical, Phrase
    from constrain.vocab.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2])
    tracker = Tracker(Lexical((Clause((Phrase("ab"),)),)), vocabulary)
    tracker.meets(b"ab")
    for allocation in ("shares", "turns"):
        sentence = Sentence(BeamSettings(2, 4, allocation=allocation), [2], tracker)
        while not sentence.closed:
            advice = sentence.advise()
            ids = np.tile(np.array([0, 1, 2]), (sentence.live, 1))
            logs = np.tile(np.array([-1.0, -1.5, -2.0], np.float32), (sentence.live, 1))
            for row, forbidden in zip(logs, advice.forbidden):
                row[forbidden] = -np.inf
            sentence.step(advice, ids, logs, logs[advice.places[0], advice.places[1]])
