"""The engines as guides of one text: what may come next, what must come next, and how to end in time.

They are those of `engines`, bound to a model: masks as wide as its logits, and all of its end tokens. Only what an
engine offers itself is used. constrain and llguidance name forced tokens; constrain also knows how a text can be ended
with few tokens, which is used when the budget runs out.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.jsonschemabench.engines import (
    SchemaConstrain,
    SchemaLlguidance,
    SchemaOutlinesCore,
    SchemaXGrammar,
    SchemaXGrammarAny,
)
from benchmarks.jsonschemabench.models import Loaded, Unavailable
from benchmarks.peers import token_bytes

NONE = "none"
"""The engine that is none: the model writes what it likes."""
AHEAD = 48
"""Tokens beyond a known ending, from which on a step after which no ending is known is taken back."""


class Stuck(Exception):
    """The engine allows nothing more, or refuses what its own mask allowed."""


class Ways:
    """What most engines do not offer."""

    def forced(self, matcher: Any, room: int) -> list[int]:
        """Tokens that must come next, at most `room`; the matcher has read them."""
        return []

    def ending(self, matcher: Any) -> list[int] | None:
        """Few tokens with which the text can end here, or None."""
        return None

    def back(self, matcher: Any, count: int) -> None:
        """Take back tokens; only asked of engines that know endings."""


class GuideConstrain(Ways, SchemaConstrain):
    """This package."""

    def join(self, loaded: Loaded) -> None:
        """A compiler for the model's vocabulary."""
        import constrain
        from constrain.warmup import warm_up

        vocabulary = constrain.Vocabulary.from_transformers(
            loaded.tokenizer, vocab_size=loaded.width, eos_ids=loaded.eos_ids
        )
        self.json_schema, self.refusals = constrain.json_schema, (constrain.ConstrainError,)
        self.clear_caches, self.compiler = constrain.clear_caches, constrain.Compiler(vocabulary)
        self.allocate(vocabulary.size)
        self.mask = constrain.allocate_bitmask(1, vocabulary.size)
        warm_up()

    def forced(self, matcher: Any, room: int) -> list[int]:
        """None if the text could not be ended within `room` after them."""
        tokens: list[int] = matcher.forced_tokens()
        matcher.accept_tokens(tokens)
        if len(tokens) + len(matcher.completion() or ()) <= room:
            return tokens
        matcher.rollback(len(tokens))
        return []

    def ending(self, matcher: Any) -> list[int] | None:
        """The documented call."""
        found: list[int] | None = matcher.completion()
        return found

    def back(self, matcher: Any, count: int) -> None:
        """The documented call."""
        matcher.rollback(count)


class GuideLlguidance(Ways, SchemaLlguidance):
    """llguidance."""

    def join(self, loaded: Loaded) -> None:
        """With the default slices."""
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.matcher = LLMatcher
        # A vocabulary that ends below the tokenizer's is refused.
        width = max(loaded.width, len(loaded.tokenizer))
        self.tokenizer = from_tokenizer(loaded.tokenizer, n_vocab=width, eos_token=list(loaded.eos_ids))
        self.allocate(width)

    def forced(self, matcher: Any, room: int) -> list[int]:
        """What it calls fast-forward tokens."""
        tokens: list[int] = matcher.compute_ff_tokens()[:room]
        if tokens and not matcher.consume_tokens(tokens):
            raise Stuck(f"forced tokens are refused: {self.trouble(matcher)}")
        return tokens


class GuideXGrammar(Ways, SchemaXGrammar):
    """xgrammar. What it forces is text, not tokens, and is not used."""

    def join(self, loaded: Loaded) -> None:
        """A compiler whose cache `clear` empties."""
        import xgrammar

        info = xgrammar.TokenizerInfo.from_huggingface(
            loaded.tokenizer, vocab_size=loaded.width, stop_token_ids=list(loaded.eos_ids)
        )
        self.matcher = xgrammar.GrammarMatcher
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=os.cpu_count() or 1)
        self.allocate(info.vocab_size)

    def clear(self) -> None:
        """Every schema is compiled anew."""
        self.compiler.clear_cache()


class GuideXGrammarAny(GuideXGrammar):
    """xgrammar, not strict."""

    name, strict = SchemaXGrammarAny.name, SchemaXGrammarAny.strict


class GuideOutlinesCore(Ways, SchemaOutlinesCore):
    """outlines-core. It knows one end token; the others are allowed with it."""

    def join(self, loaded: Loaded) -> None:
        """Hand over every token that spells bytes."""
        from outlines_core import Guide, Index, Vocabulary

        self.guide, self.index = Guide, Index
        self._eos_ids = loaded.eos_ids
        self.vocabulary = Vocabulary(loaded.eos_ids[0], {})
        for token, spelled in token_bytes(loaded.tokenizer).items():
            if token not in loaded.eos_ids:
                self.vocabulary.insert(spelled, token)
        self.allocate(max(loaded.width, len(loaded.tokenizer)))

    def fill(self, matcher: Any) -> None:
        """As ever, and the other end tokens."""
        super().fill(matcher)
        if self.permits(self._eos_ids[0]):
            for token in self._eos_ids[1:]:
                self.mask.view(np.uint32)[0, token >> 5] |= np.uint32(1 << (token & 31))


GUIDES: dict[str, type[Any]] = {
    engine.name: engine
    for engine in (GuideConstrain, GuideLlguidance, GuideXGrammar, GuideXGrammarAny, GuideOutlinesCore)
}


def joined(name: str, loaded: Loaded, options: dict[str, Any] | None = None) -> Any:
    """An engine bound to a model, or None for "none"; the options are for this package. Raises Unavailable."""
    if name == NONE:
        return None
    if name not in GUIDES:
        raise Unavailable(f"unknown engine {name!r}; there are {', '.join((*GUIDES, NONE))}")
    kind = GUIDES[name]
    if find_spec(kind.package) is None:
        raise Unavailable(f'{name} is not installed; leave it out, or pip install "constrain[bench]"')
    engine = kind(**(options or {})) if kind is GuideConstrain else kind()
    try:
        engine.join(loaded)
    except Exception as error:  # each has its own
        raise Unavailable(
            f"{name} does not take the vocabulary of {loaded.name}: {type(error).__name__}: {error}"
        ) from error
    return engine


def forces(engine: Any) -> bool:
    """Whether an engine names forced tokens."""
    return engine is not None and type(engine).forced is not Ways.forced


class Guide:
    """One text under the constraint that an engine has compiled; without an engine, everything is allowed."""

    def __init__(self, engine: Any, compiled: Any, eos_ids: tuple[int, ...], *, skip: bool = True) -> None:
        self._engine, self._skip, self._eos_ids = engine, skip, eos_ids
        self._matcher = engine.begin(compiled) if engine else None
        self.forced = 0
        """Tokens that were written because nothing else could be."""
        self.closed = False
        """Whether the text was ended because the budget ran out."""

    def mask(self) -> NDArray[np.int32] | None:
        """The tokens that may come next, as bits; None if any may. It is written over by the next call."""
        if self._engine is None:
            return None
        self._engine.fill(self._matcher)
        row: NDArray[np.int32] = self._engine.mask[0]
        return row

    def standing(self, mask: NDArray[np.int32] | None) -> str:
        """Whether the text is "complete" (it can only end), "done" (it may end), or "open"."""
        if mask is None:
            return "open"
        ends = [token for token in self._eos_ids if self._engine.permits(token)]
        others = mask.view(np.uint32).copy()
        for token in ends:
            others[token >> 5] &= np.uint32(0xFFFFFFFF ^ (1 << (token & 31)))
        if others.any():
            return "done" if ends else "open"
        if not ends:
            raise Stuck(f"nothing is allowed; {self._engine.trouble(self._matcher)}")
        return "complete"

    def take(self, token: int, room: int) -> list[int]:
        """Read a token that the model chose; what is written for it, at most `room` tokens.

        That is the token, and after it what is forced; or, if the text could not be ended in time after it, an ending.
        """
        if self._engine is None:
            return [token]
        engine, matcher = self._engine, self._matcher
        ending = engine.ending(matcher)
        if not engine.commit(matcher, token):
            raise Stuck(f"token {token} is in the mask, but not accepted; {engine.trouble(matcher)}")
        if ending is not None and len(ending) <= room and self._is_late(len(ending), room):
            engine.back(matcher, 1)
            self.closed = True
            for one in ending:
                engine.commit(matcher, one)
            return list(ending)
        forced = engine.forced(matcher, room - 1) if self._skip else []
        self.forced += len(forced)
        return [token, *forced]

    def _is_late(self, ending: int, room: int) -> bool:
        """Whether the text cannot be ended any more within `room`, as far as it is known."""
        rest = self._engine.ending(self._matcher)
        return len(rest) >= room if rest is not None else room <= ending + AHEAD
