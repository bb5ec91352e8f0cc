"""Compile what is needed before it is needed: in a Dockerfile, in CI, before many processes start at once.

In: nothing. Out: machine code on disk and in this process. The engine takes about half a minute once per machine and
version, a tenth of a second after that; `everything` adds beam search, samplers, and what stands beside grammars.
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
    begin = time.perf_counter()
    _load_engine(progress)
    if everything:
        _walk_an_automaton()
        _enlarge_a_store()
        _draw_tokens()
        _search_with_phrases()
    return time.perf_counter() - begin


def _load_engine(progress: Progress | None) -> None:
    import constrain.compiler  # noqa: F401  it defines all units
    from constrain import jit

    jit.load(progress)


def engine_is_ready() -> bool:
    """Whether the engine's machine code is made: in this process, or on disk for this processor."""
    import constrain.compiler  # noqa: F401
    from constrain import jit

    return jit.INTERPRETED or jit.is_ready()


def kernels_are_cached() -> bool:
    """Whether `warm_up` finds all machine code made: in this process, or on disk for this processor.

    >>> _ = warm_up()
    >>> kernels_are_cached()
    True
    """
    from numba import config

    if config.DISABLE_JIT:
        return True
    return engine_is_ready() and all(_is_cached(kernel) for kernel in kernels())


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


def _walk_an_automaton() -> None:
    """Build a vocabulary and an automaton, ask for masks, read tokens, explain one; the same for a grammar."""
    import numpy as np

    from constrain.automata.store import ANYTHING, ExpressionStore
    from constrain.automaton import allocate_bitmask
    from constrain.compiler import Compiler
    from constrain.ir.expr import Literal
    from constrain.limits import Limits
    from constrain.schema import json_schema
    from constrain.spec import choice, grammar, regex
    from constrain.vocab.vocabulary import Vocabulary

    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), b"ab", None], eos_ids=[257])
    automaton = Compiler(vocabulary).compile(regex(r"(?!x)\w{2,3}\b") & (choice(["abc", "ab"]) | regex("[^y]+")))
    matcher = automaton.matcher()
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    matcher.accept_token(256)
    matcher.explain(257)
    balanced = grammar('start: "(" start ")" | /[a-z]+/ | /[a-z]+ x/', longest=True)
    matcher = Compiler(vocabulary).compile(balanced).matcher()
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    matcher.accept_tokens(list(b"(ab"))
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    matcher.completion()
    members = json_schema({"type": "object", "properties": {"ab": {}}}, property_order="any")
    matcher = Compiler(vocabulary).compile(members).matcher()
    matcher.accept_tokens(list(b'{"c": 1, "'))
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    beside = json_schema({"type": "object"}) & regex("(?s).{2,40}") & choice(["{}", '{"a": 1}'])
    matcher = Compiler(vocabulary).compile(beside).matcher()
    matcher.fill_bitmask(allocate_bitmask(1, vocabulary.size))
    matcher.completion()
    store, letter = ExpressionStore(), Literal(b"a")
    node = store.build(letter, Limits())
    store.escapes(node, node, Limits())
    store.outcomes(store.lexer([node], Limits()), node, Limits())
    store.reach(node, node, vocabulary.trie, vocabulary.size, Limits())
    walked = np.zeros(-(-vocabulary.size // 32), np.uint32)
    store.walk(node, ANYTHING, vocabulary.trie, walked, Limits())
    store.intersect(node, node, Limits())
    store.unite(node, node, Limits())


def _enlarge_a_store() -> None:
    """The two kernels that run only when tables grow."""
    from constrain.automata.store import ExpressionStore
    from constrain.kernels import expressions
    from constrain.limits import Limits

    store = ExpressionStore()
    for need in (expressions.NEED_NODES, expressions.NEED_MEMO):
        store._grow(int(need), Limits())


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

    from constrain.lexical import Clause, Lexical, Phrase
    from constrain.search.beam import BeamSettings, Sentence
    from constrain.search.tracker import Tracker
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
