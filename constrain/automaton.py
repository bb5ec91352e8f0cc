"""A constraint bound to a vocabulary: what every request with the same constraint shares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np

from constrain.engine.states import State, StateSpace
from constrain.errors import ConstrainError, SpecTypeError
from constrain.matcher import Bitmask, Matcher
from constrain.specs.base import Spec

if TYPE_CHECKING:
    from constrain.hf.logits import LogitsProcessor
    from constrain.vocab.vocabulary import Vocabulary


_HEAVY = 1 << 20
"""Memory of an automaton that is not left to the garbage collector."""


class TokenAutomaton:
    """A deterministic automaton over tokens, made as it is walked. Made by `Compiler.compile`; thread-safe.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([b"a", b"b", b"ab", None], eos_ids=[3])
    >>> automaton = constrain.Compiler(vocab).compile(constrain.regex("(ab)+"))
    >>> automaton.matcher().allowed_token_ids().tolist()
    [0, 2]
    """

    def __init__(self, spec: Spec, space: StateSpace, start: State, vocabulary: Vocabulary) -> None:
        self.spec = spec
        self.vocabulary = vocabulary
        """What the constraint was bound to. (Equal ones share a space, and may differ in `encode`.)"""
        self.space = space
        self.start = start
        finalize(self, _let_go, space).atexit = False

    def matcher(self) -> Matcher:
        """A matcher at the start."""
        return Matcher(self)

    def accepts(self, tokens: Sequence[int]) -> bool:
        """Whether these tokens, without EOS, are a complete output."""
        matcher = self.matcher()
        return matcher.accept_tokens(tokens) == len(tokens) and matcher.is_accepting()

    def logits_processor(self) -> LogitsProcessor:
        """For `model.generate(logits_processor=[...])`: the same constraint on every row. Needs torch."""
        from constrain.hf.logits import LogitsProcessor

        return LogitsProcessor(self)

    def describe(self, width: int = 80) -> str:
        """The constraint, cut to one line."""
        text = repr(self.spec)
        return text if len(text) <= width else text[: width - 1] + "…"

    def __repr__(self) -> str:
        return f"<TokenAutomaton {self.describe()} over {self.vocabulary!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from constrain.compiler import Compiler

        return (_compile, (Compiler, self.vocabulary, self.space.limits, self.spec))


def _let_go(space: StateSpace) -> None:
    """What is done when nobody holds an automaton any more."""
    if space.nbytes > _HEAVY:
        space.close()


def _compile(compiler: Any, vocabulary: Any, limits: Any, spec: Spec) -> TokenAutomaton:
    """Unpickle: tables belong to a process, so that the constraint is compiled again."""
    automaton: TokenAutomaton = compiler(vocabulary, limits=limits).compile(spec)
    return automaton


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="constrain")


def allocate_bitmask(batch: int, vocab_size: int) -> Bitmask:
    """Room for the masks of `batch` sequences: int32[batch, ceil(vocab_size / 32)], all tokens forbidden.

    >>> allocate_bitmask(2, 100).shape
    (2, 4)
    """
    if batch < 0 or vocab_size < 1:
        raise ConstrainError(f"allocate_bitmask: no mask for {batch} rows of {vocab_size} tokens")
    return np.zeros((batch, (vocab_size + 31) // 32), np.int32)


def fill_bitmasks(matchers: Sequence[Matcher | None], mask: Bitmask) -> None:
    """Write the mask of matcher i into row i of `mask`; a row whose matcher is None allows everything.

    Masks that are not at hand are worked out in threads, with the GIL released for most of the work.
    """
    if len(matchers) > len(mask):
        raise SpecTypeError(f"fill_bitmasks: {len(matchers)} matchers, but the mask has {len(mask)} rows")
    missing = {matcher.mask_key: matcher for matcher in matchers if matcher is not None and not matcher.is_ready()}
    if len(missing) > 1:
        list(_threads().map(Matcher.prepare, missing.values()))
    for row, matcher in enumerate(matchers):
        if matcher is None:
            mask[row] = -1
        else:
            matcher.fill_bitmask(mask, row)
