"""The states of a constraint: what may come next after a prefix, as masks and remembered steps.

In:  tokens.
Out: `State` values and bitmask rows.

`StateSpace` is what all kinds of constraints share: steps and masks are made when first asked for; what is remembered
is bounded by `Limits`, and dropping it costs time, never correctness. What a state is, and what it may read, is the
business of its kinds in `constrain.engine`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from constrain.engine.mask_cache import MaskCache, Row, Sparse, Words, pack
from constrain.engine.segments import Piece, tokens_of
from constrain.errors import TerminatedError, TokenError
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

_COMPLETIONS = 100_000
"""Completions remembered by one space."""


class State:
    """What may follow a prefix. Interned by its `StateSpace`: equal states are identical."""

    __slots__ = ("accepting", "generation", "mask_key", "next", "place", "terminated")

    def __init__(self, place: Any, mask_key: Hashable, accepting: bool, terminated: bool = False) -> None:
        self.place = place
        """What the kind of constraint knows of it."""
        self.mask_key = mask_key
        """See `StateSpace.mask_key`."""
        self.accepting = accepting
        """Whether the output may end here."""
        self.terminated = terminated
        """Whether it has ended."""
        self.generation: Any = None
        """What gives `place` its meaning, where that can change."""
        self.next: dict[int, State] = {}
        """Steps taken so far."""

    def __repr__(self) -> str:
        kind = "ended" if self.terminated else "accepting" if self.accepting else "open"
        return f"<State {self.place if isinstance(self.place, int) else ''} {kind}, {len(self.next)} steps known>"


class Successors(NamedTuple):
    """Where the tokens that are allowed in a state lead, EOS left out."""

    tokens: np.ndarray
    """int[n], ascending."""
    which: np.ndarray
    """int[n]: the place in `states` of what each leads to."""
    states: list[State]


class StateSpace(ABC):
    """States over one vocabulary, with their masks. Thread-safe; readers of what is remembered take no lock."""

    def __init__(self, vocabulary: Vocabulary, limits: Limits, masks: MaskCache | None = None) -> None:
        self.vocabulary, self.limits = vocabulary, limits
        self.width = (vocabulary.size + 31) // 32
        self._lock = threading.RLock()
        self._states: dict[Any, State] = {}
        self._steps = 0
        self._walked: set[State] = set()  # the states that remember steps; automata and matchers may hold more states
        self._masks = masks or MaskCache(limits.mask_cache_bytes)
        self._owner = self._masks.owner()
        """Part of all mask keys."""
        self.end = State(None, (self._owner, None), accepting=True, terminated=True)
        self._eos = frozenset(vocabulary.eos_ids)
        self._completions: dict[State, tuple[int, ...] | None] = {}

    @property
    def nbytes(self) -> int:
        """Memory held by one automaton alone, about; 0 for a space that all automata share."""
        return 0

    @property
    def masks(self) -> MaskCache:
        """What its masks are remembered in."""
        return self._masks

    def step(self, state: State, token: int) -> State | None:
        """The state after `token`, or None if it is not allowed. Raises TokenError and TerminatedError."""
        known = state.next.get(token)
        if known is not None:
            return known
        self._check(state, token)
        if token in self._eos:
            reached = self.end if state.accepting else None
        else:
            reached = self._read_token(state, token)
        if reached is not None:
            self._remember(state, token, reached)
        return reached

    def _read_token(self, state: State, token: int) -> State | None:
        """The state after a token that does not end the output, None if it is not allowed."""
        data = self.vocabulary.token_bytes(token)
        return self._read(state, data) if data else self._read_special(state, token)

    def fill(self, state: State, row: Row) -> None:
        """Write the mask of `state` into `row` (int32[width])."""
        mask = self._masks.get(self.mask_key(state))
        if mask is None:
            mask = self._make_mask(state)
        if isinstance(mask, Sparse):
            mask.fill(row)
        else:
            row[:] = mask

    def fill_at(self, state: State, mask: np.ndarray, row: int, address: int) -> None:
        """Write the mask of `state` into a row of a mask, which begins at an address."""
        self.fill(state, mask[row])

    def is_ready(self, state: State) -> bool:
        """Whether the mask of `state` is at hand."""
        return self.mask_key(state) in self._masks

    def mask_key(self, state: State) -> Hashable:
        """States with equal mask keys have equal masks."""
        return state.mask_key

    def completion(self, state: State) -> tuple[int, ...] | None:
        """Few tokens that complete the text from `state`, EOS left out; None if they were not found."""
        if state not in self._completions:
            if len(self._completions) >= _COMPLETIONS:
                self._completions.clear()
            pieces = () if state.accepting else self._completion(state)
            self._completions[state] = tokens_of(pieces, self.vocabulary)
        return self._completions[state]

    def note_completion(self, state: State, tokens: tuple[int, ...]) -> None:
        """Remember tokens that are known to complete the text from `state`, if they are fewer than those found."""
        found = self.completion(state)
        if found is None or len(found) > len(tokens):
            self._completions[state] = tokens

    @abstractmethod
    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        """A short text that completes what has been read so far; None if none was found."""

    @abstractmethod
    def viable_bytes(self, state: State) -> bytes:
        """The bytes that may come next, whatever tokens there are; ascending."""

    def expects_special(self, state: State) -> bool:
        """Whether a special token may come next."""
        return False

    @abstractmethod
    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """Read bytes as far as they may follow, whatever tokens there are: the state reached, and how many."""

    def expected_names(self, state: State) -> tuple[str, ...]:
        """The terminals that may come next, or go on, by name, sorted; () for regular constraints."""
        return ()

    def successors(self, state: State) -> Successors:
        """Where the tokens that are allowed in a state lead."""
        tokens = self.tokens_of(state)
        which, states = self._sorted_out(state, tokens)
        return Successors(tokens, which, states)

    def _sorted_out(self, state: State, tokens: np.ndarray) -> tuple[np.ndarray, list[State]]:
        """What each of some allowed tokens leads to, by its place in a list of states."""
        numbers: dict[State, int] = {}
        which = np.zeros(len(tokens), np.int64)
        for n, token in enumerate(tokens.tolist()):
            after = self.step(state, token)
            assert after is not None
            which[n] = numbers.setdefault(after, len(numbers))
        return which, list(numbers)

    def tokens_of(self, state: State) -> np.ndarray:
        """The tokens that are allowed in a state, EOS left out."""
        row = np.zeros(self.width, np.int32)
        self.fill(state, row)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")[: self.vocabulary.size]
        bits[list(self.vocabulary.eos_ids)] = 0
        return np.flatnonzero(bits)

    def remark(self, state: State) -> str:
        """What else to say of why a token is not allowed in a state whose bytes might be."""
        return ""

    @abstractmethod
    def _read(self, state: State, data: bytes) -> State | None:
        """The state after a token, None if it is not allowed."""

    def _read_special(self, state: State, token: int) -> State | None:
        """The state after a token that spells no text."""
        return None

    @abstractmethod
    def _allow(self, state: State, words: Words) -> None:
        """Set the bits of the tokens allowed in a state, in an empty mask. EOS ids are left out."""

    def _check(self, state: State, token: int) -> None:
        if not 0 <= token < self.vocabulary.size:
            raise TokenError(f"token {token} is outside the vocabulary of {self.vocabulary.size} ids")
        if state.terminated:
            raise TerminatedError(f"token {token} follows the end of the output; reset() or rollback(n) the matcher")

    def _remember(self, state: State, token: int, reached: State) -> None:
        with self._lock:
            if self._steps >= self.limits.transition_cache:
                self.forget_states()
            self._walked.add(state)
            state.next[token] = reached
            self._steps += 1

    def forget_states(self) -> None:
        """Forget all states that nothing but earlier ones leads to."""
        with self._lock:
            for walked in self._walked:
                walked.next.clear()
            self._walked.clear()
            self._states.clear()
            self._completions.clear()
            self._steps = 0

    def close(self) -> None:
        """Let go of what no other space shares; nothing may be asked any more.

        What rows, templates and states hold refers to itself, so that it would stay until the garbage collector comes
        to look for it, which it does less often the more there is.
        """
        for walked in self._walked:
            walked.next.clear()
        vars(self).clear()

    def _make_mask(self, state: State) -> Row | Sparse:
        words = np.zeros(self.width, np.uint32)
        if not state.terminated:
            self._allow(state, words)
        if state.accepting:
            for token in self._eos:
                words[token >> 5] |= np.uint32(1 << (token & 31))
        mask = pack(words)
        self._masks.keep(self.mask_key(state), mask)
        return mask
