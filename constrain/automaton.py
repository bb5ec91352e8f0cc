"""A constraint bound to a vocabulary, and one sequence under it: read tokens, ask what may come next, go back.

In:  token ids. Out: bitmask rows, answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np
import numpy.typing as npt

from constrain.engine.states import State, StateSpace
from constrain.errors import ConstrainError, SpecTypeError
from constrain.explanation import Explanation, reason_for
from constrain.specs.base import Spec

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Bitmask = npt.NDArray[np.int32]

_FORCED = 10_000
"""Bytes that `forced_bytes` returns at most: a constraint can force text without end."""
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

    def logits_processor(self) -> Any:
        """For `model.generate(logits_processor=[...])`: a `constrain.hf.LogitsProcessor` for all rows. Needs torch."""
        return import_module("constrain.hf").LogitsProcessor(self)  # which is built upon this module

    def describe(self, width: int = 80) -> str:
        """The constraint, cut to one line."""
        text = repr(self.spec)
        return text if len(text) <= width else text[: width - 1] + "…"

    def __repr__(self) -> str:
        return f"<TokenAutomaton {self.describe()} over {self.vocabulary!r}>"


def _let_go(space: StateSpace) -> None:
    """What is done when nobody holds an automaton any more."""
    if space.nbytes > _HEAVY:
        space.close()


class Matcher:
    """The position of one sequence in a `TokenAutomaton`. Not shared between threads; `copy` is cheap."""

    __slots__ = ("_automaton", "_mask", "_path", "_rows", "_space", "_start_of_mask", "_state", "_stride")

    def __init__(self, automaton: TokenAutomaton, state: State | None = None) -> None:
        """At the start, or in another state of the automaton."""
        self._automaton = automaton
        self._space: StateSpace = automaton.space
        self._state: State = state or automaton.start
        self._path: list[State] = []  # states before each token accepted so far
        # the mask that was filled last: rows of the right length, the address of the first one, bytes to the next one
        self._mask: Bitmask | None = None
        self._rows = self._start_of_mask = self._stride = 0

    @property
    def automaton(self) -> TokenAutomaton:
        """The automaton that the matcher walks."""
        return self._automaton

    @property
    def state(self) -> State:
        """Where it stands: what may follow, of the automaton's states."""
        return self._state

    @property
    def num_accepted(self) -> int:
        """Number of tokens accepted so far: how far `rollback` can go."""
        return len(self._path)

    def accept_token(self, token: int) -> bool:
        """Read a token; False, and nothing changes, if it is not allowed here.

        Raises TokenError if it is not in the vocabulary, TerminatedError after the end of the output.
        """
        if type(token) is not int:
            token = _index(token)
        state = self._state.next.get(token)
        if state is None:
            state = self._space.step(self._state, token)
            if state is None:
                return False
        self._path.append(self._state)
        self._state = state
        return True

    def accept_tokens(self, tokens: Sequence[int]) -> int:
        """Read tokens up to the first that is not allowed; the number read. If it raises, none is read."""
        ids = [_index(token) for token in tokens]
        count = self.validate_tokens(ids)
        for token in ids[:count]:
            self.accept_token(token)
        return count

    def validate_tokens(self, tokens: Sequence[int]) -> int:
        """The number of tokens that `accept_tokens` would read. Does not move."""
        state = self._state
        for n, token in enumerate(tokens):
            following = None if state.terminated else self._space.step(state, _index(token))
            if following is None:
                return n
            state = following
        return len(tokens)

    def rollback(self, count: int) -> None:
        """Take back the last `count` tokens. Raises ConstrainError if there are fewer."""
        if not 0 <= count <= len(self._path):
            raise ConstrainError(f"rollback({count}): the matcher has accepted {len(self._path)} tokens")
        if count:
            self._state = self._path[-count]
            del self._path[-count:]

    def reset(self) -> None:
        """Go back to the start."""
        self._state = self._automaton.start
        self._path.clear()

    def copy(self) -> Matcher:
        """A matcher at the same place, independent from now on."""
        twin = Matcher(self._automaton)
        twin._state, twin._path = self._state, self._path.copy()
        return twin

    def is_accepting(self) -> bool:
        """Whether the output may end here, or has ended."""
        return self._state.accepting

    def is_terminated(self) -> bool:
        """Whether the output has ended: an EOS token was read, or (without EOS ids) nothing can follow."""
        state = self._state
        if state.terminated or self._space.vocabulary.eos_ids or not state.accepting:
            return state.terminated
        return not self._row().any()

    def fill_bitmask(self, mask: Bitmask, row: int = 0) -> None:
        """Write the allowed tokens into `mask[row]` (int32[batch, ceil(size / 32)], bit i of word i // 32, LSB first).

        EOS ids are set exactly when the output may end here; after the end they alone are.
        """
        self._fill(self._state, mask, row)

    def _fill(self, state: State, mask: Bitmask, row: int) -> None:
        if mask is not self._mask:
            self._note_mask(mask, row)
        try:
            if not 0 <= row < self._rows:
                row = range(self._rows)[row]
        except (TypeError, IndexError):
            raise _mask_error(mask, row, self._space.width) from None
        self._space.fill_at(state, mask, row, self._start_of_mask + row * self._stride)

    def _note_mask(self, mask: Bitmask, row: int) -> None:
        """Check a mask once, and note where its rows are."""
        width = self._space.width
        fits = isinstance(mask, np.ndarray) and mask.dtype == np.int32 and mask.ndim == 2 and mask.shape[1] == width
        if not fits or not mask.flags.writeable or (mask.strides[1] != 4 and width > 1):
            raise _mask_error(mask, row, width)
        self._rows, self._stride = mask.shape[0], mask.strides[0]
        self._start_of_mask = mask.__array_interface__["data"][0]
        self._mask = mask

    @property
    def mask_key(self) -> Hashable:
        """Matchers with equal keys have equal masks."""
        return self._space.mask_key(self._state)

    def is_ready(self) -> bool:
        """Whether the mask is at hand, so that `fill_bitmask` will only copy it."""
        return self._space.is_ready(self._state)

    def prepare(self) -> None:
        """Work out the mask that `fill_bitmask` will copy. Releases the GIL for most of it."""
        if not self.is_ready():
            self._space.fill(self._state, np.zeros(self._space.width, np.int32))

    def allowed_token_ids(self) -> npt.NDArray[np.intp]:
        """The allowed token ids, ascending."""
        bits = np.unpackbits(self._row().view(np.uint8), bitorder="little")
        return np.flatnonzero(bits[: self._space.vocabulary.size])

    def forced_bytes(self) -> bytes:
        """The bytes that every continuation begins with."""
        space, state = self._space, self._state
        forced = bytearray()
        while not state.accepting and len(forced) < _FORCED:
            viable = space.viable_bytes(state)
            if len(viable) != 1 or space.expects_special(state):
                break
            forced += viable
            state = space.read(state, viable)[0]
        return bytes(forced)

    def forced_tokens(self) -> list[int]:
        """The tokens that every continuation begins with, EOS left out, as the tokenizer itself would cut them.

        Forced bytes can be cut into tokens in several ways, and a model knows one of them best: what the vocabulary's
        `encode` makes of the text. The last tokens are left out as long as one that goes beyond the forced text could
        take the place of some of their bytes, and so is white space before what is not known. Where there is no
        `encode`, tokens are forced as long as exactly one is allowed.
        """
        encode = self._automaton.vocabulary.encode
        forced = self.forced_bytes() if encode is not None else b""
        if encode is not None and forced:
            return self._healed(forced, encode)
        return self._only_tokens()

    def _healed(self, forced: bytes, encode: Callable[[str], Sequence[int]]) -> list[int]:
        """The tokens of forced bytes, but for those that could be cut otherwise together with what follows."""
        space, state = self._space, self._state
        text = forced.decode(errors="ignore")
        if space.viable_bytes(space.read(state, forced)[0]):
            text = text.rstrip()  # how tokenizers cut white space depends on what follows it
        tokens, rest = self._cut(text, encode), text.encode()
        for n, token in enumerate(tokens):
            data = space.vocabulary.token_bytes(token)
            following = space.step(state, token)
            if following is None or any(self._goes_beyond(state, data[:k], rest[k:]) for k in range(len(data))):
                return tokens[:n]
            state, rest = following, rest[len(data) :]
        return tokens

    def _goes_beyond(self, state: State, read: bytes, rest: bytes) -> bool:
        """Whether a token that begins with `rest` and goes on is allowed after `read`."""
        longer = self._space.vocabulary.longer_tokens(rest)
        return len(longer) > 0 and self._allows_any(self._space.read(state, read)[0], longer)

    def _cut(self, text: str, encode: Callable[[str], Sequence[int]]) -> list[int]:
        """The tokens of a text that stands behind others; none if the tokenizer changes it.

        Some tokenizers put a space before every text: what they make of a line break comes before it.
        """
        data, token_bytes = text.encode(), self._space.vocabulary.token_bytes
        for before in ("", "\n"):
            tokens = [int(token) for token in encode(before + text)]
            spelled = [token_bytes(token) for token in tokens]
            for n in range(len(tokens)):
                if sum(map(len, spelled[n:])) == len(data):
                    if b"".join(spelled[n:]) == data:
                        return tokens[n:]
                    break
        return []

    def _allows_any(self, state: State, tokens: npt.NDArray[np.int32]) -> bool:
        row = np.zeros(self._space.width, np.int32)
        self._space.fill(state, row)
        return bool((row[tokens >> 5] >> (tokens & 31) & 1).any())

    def completion(self) -> list[int] | None:
        """Few tokens that complete the output from here, EOS left out; None if none were found.

        Their number bounds from above how many tokens are needed at least.
        """
        tokens = self._space.completion(self._state)
        return None if tokens is None else list(tokens)

    def fill_draft_bitmasks(self, draft: Sequence[int], mask: Bitmask) -> int:
        """Write the masks along speculative tokens: row 0 for here, row i for after the first i of `draft`.

        Stops at the first token that is not allowed, or that ends the output. Returns the number of tokens that are
        allowed, n; rows 0 .. n are filled in. Does not move.
        """
        state = self._state
        for n in range(len(draft) + 1):
            self._fill(state, mask, n)
            following = None if n == len(draft) or state.terminated else self._space.step(state, _index(draft[n]))
            if following is None:
                return n
            state = following
        return len(draft)

    def _only_tokens(self) -> list[int]:
        """The tokens from here on, as long as exactly one is allowed."""
        probe = self.copy()
        tokens: list[int] = []
        while not probe._state.terminated and not probe.is_accepting():
            allowed = probe.allowed_token_ids()
            if len(allowed) != 1:
                break
            tokens.append(int(allowed[0]))
            probe.accept_token(tokens[-1])
        return tokens

    def explain(self, token: int) -> Explanation:
        """Why `token` is or is not allowed here: the byte at which it dies, and what could stand there."""
        token = _index(token)
        space, state = self._space, self._state
        allowed = not state.terminated and space.step(state, token) is not None
        data = space.vocabulary.token_bytes(token)
        reached, read = (state, 0) if state.terminated else space.read(state, data)
        expected = b"" if state.terminated else space.viable_bytes(reached)
        dies_at = read if read < len(data) and not state.terminated else None
        is_eos = token in space.vocabulary.eos_ids
        names = () if state.terminated else space.expected_names(reached)
        reason = reason_for(state, token, data, allowed, dies_at, expected, is_eos, names)
        remark = "" if allowed or dies_at is not None or state.terminated else space.remark(state)
        reason += f" ({remark})" if remark else ""
        return Explanation(token, data, allowed, dies_at, expected, self._automaton.describe(), reason, names)

    def _row(self) -> Bitmask:
        row = np.zeros(self._space.width, np.int32)
        self._space.fill(self._state, row)
        return row

    def __repr__(self) -> str:
        where = "ended" if self.is_terminated() else "accepting" if self.is_accepting() else "open"
        return f"<Matcher after {len(self._path)} tokens, {where}, of {self._automaton.describe()}>"


def _index(token: Any) -> int:
    try:
        return int(token.__index__())
    except AttributeError:
        raise SpecTypeError(f"a token is an integer id, not {type(token).__name__} {token!r:.40}") from None


def _mask_error(mask: Any, row: int, width: int) -> ConstrainError:
    shape, dtype = getattr(mask, "shape", None), getattr(mask, "dtype", type(mask).__name__)
    return ConstrainError(
        f"fill_bitmask: row {row} of a mask of shape {shape} and type {dtype} does not hold {width} int32 words; "
        "make one with constrain.allocate_bitmask(batch, vocab.size)"
    )


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
