"""The states of a vocabulary: what may come next after a prefix, as masks and remembered steps.

In:  expression ids of the process-wide store, tokens.
Out: `State` values and bitmask rows.

One `StateSpace` a vocabulary holds the states of every constraint compiled for it: a state is an expression, so
constraints share the states and the masks that they have in common. Steps and masks are made when first asked for; what
is remembered is bounded by `Limits`, and dropping it costs time, never correctness.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from constrain.automata.store import ANYTHING, EMPTY, ExpressionStore, Reached
from constrain.errors import TerminatedError, TokenError
from constrain.ir.expr import Repeat, Words
from constrain.limits import Limits
from constrain.vocab.vocabulary import NEAR

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Row = npt.NDArray[np.int32]


class State:
    """What may follow a prefix. Interned by its `StateSpace`: equal states are identical."""

    __slots__ = ("accepting", "keys", "mask_key", "next", "node", "terminated")

    def __init__(self, reached: Reached, accepting: bool, terminated: bool = False) -> None:
        self.node = reached.node
        self.keys = (reached.key, reached.near_key)
        """Expressions that allow the same tokens, and the same near tokens."""
        self.mask_key = 2 * reached.key + accepting
        """States with equal mask keys have equal masks."""
        self.accepting = accepting
        """Whether the output may end here."""
        self.terminated = terminated
        """Whether it has ended."""
        self.next: dict[int, State] = {}
        """Steps taken so far."""


class _Sparse:
    """A bitmask row with few words set."""

    __slots__ = ("at", "nbytes", "words")

    def __init__(self, row: Row, at: npt.NDArray[np.intp]) -> None:
        self.at, self.words = at.astype(np.int32), row[at]
        self.nbytes = self.at.nbytes + self.words.nbytes

    def fill(self, row: Row) -> None:
        row.fill(0)
        row[self.at] = self.words


class StateSpace:
    """All states of one vocabulary, with their masks. Thread-safe; readers of what is remembered take no lock."""

    def __init__(self, vocabulary: Vocabulary, store: ExpressionStore, limits: Limits) -> None:
        self.vocabulary, self.store, self.limits = vocabulary, store, limits
        self.width = (vocabulary.size + 31) // 32
        self.end = State(Reached(EMPTY, 0, EMPTY, EMPTY), accepting=True, terminated=True)
        self._lock = threading.RLock()
        self._states: dict[int, State] = {}
        self._steps = 0
        self._walked: set[State] = set()  # the states that remember steps; automata and matchers may hold more states
        self._masks: OrderedDict[int, Row | _Sparse] = OrderedDict()
        self._mask_bytes = 0
        self._eos = frozenset(vocabulary.eos_ids)
        units = vocabulary.units
        self._units = ANYTHING if units is None else store.build(Repeat(Words(units), 0, None), limits)
        complete = units is None  # else what comes later decides too
        self._reaches = (max(1, vocabulary.max_token_bytes), NEAR) if complete else (0, 0)
        self._near: OrderedDict[int, npt.NDArray[np.uint32]] = OrderedDict()

    def start(self, node: int) -> State | None:
        """The state of an expression, or None if no sequence of tokens spells any of it."""
        reached = self.store.advance(node, b"", self.limits, *self._reaches)
        return self._intern(reached) if self._is_spellable(reached.node) else None

    def step(self, state: State, token: int) -> State | None:
        """The state after `token`, or None if it is not allowed. Raises TokenError and TerminatedError."""
        known = state.next.get(token)
        if known is not None:
            return known
        self._check(state, token)
        if token in self._eos:
            reached = self.end if state.accepting else None
        else:
            reached = self._read(state, self.vocabulary.token_bytes(token))
        if reached is not None:
            self._remember(state, token, reached)
        return reached

    def fill(self, state: State, row: Row) -> None:
        """Write the mask of `state` into `row` (int32[width])."""
        mask = self._masks.get(state.mask_key)
        if mask is None:
            mask = self._make_mask(state)
        else:
            self._touch(state.mask_key)
        if isinstance(mask, _Sparse):
            mask.fill(row)
        else:
            row[:] = mask

    def _read(self, state: State, data: bytes) -> State | None:
        if not data:
            return None
        reached = self.store.advance(state.node, data, self.limits, *self._reaches)
        if reached.read < len(data) or not self._is_spellable(reached.node):
            return None
        return self._intern(reached)

    def _is_spellable(self, node: int) -> bool:
        """Whether tokens can spell something of what is left."""
        if self._units == ANYTHING or node == EMPTY:
            return node != EMPTY
        rest = self.store.intersect(node, self._units, self.limits)
        return self.store.advance(rest, b"", self.limits).node != EMPTY

    def _check(self, state: State, token: int) -> None:
        if not 0 <= token < self.vocabulary.size:
            raise TokenError(f"token {token} is outside the vocabulary of {self.vocabulary.size} ids")
        if state.terminated:
            raise TerminatedError(f"token {token} follows the end of the output; reset() or rollback(n) the matcher")

    def _intern(self, reached: Reached) -> State:
        with self._lock:
            state = self._states.get(reached.node)
            if state is None:
                state = self._states[reached.node] = State(reached, self.store.is_nullable(reached.node))
            return state

    def _remember(self, state: State, token: int, reached: State) -> None:
        with self._lock:
            if self._steps >= self.limits.transition_cache:
                for walked in self._walked:
                    walked.next.clear()
                self._walked.clear()
                self._states.clear()
                self._steps = 0
            self._walked.add(state)
            state.next[token] = reached
            self._steps += 1

    def _make_mask(self, state: State) -> Row | _Sparse:
        words = np.zeros(self.width, np.uint32)
        if not state.terminated:
            key, near_key = state.keys
            words[:] = self._near_mask(near_key)
            self.store.walk(key, self._units, self.vocabulary.far_trie, words, self.limits)
        for token in self._eos:
            bit = np.uint32(1 << (token & 31))
            words[token >> 5] = words[token >> 5] | bit if state.accepting else words[token >> 5] & ~bit
        row = words.view(np.int32)
        used = row.nonzero()[0]
        mask = _Sparse(row, used) if len(used) < self.width // 8 else row
        self._keep(state.mask_key, mask)
        return mask

    def _near_mask(self, key: int) -> npt.NDArray[np.uint32]:
        """The tokens of at most NEAR bytes: nearly all, and the same ones for nearly all counts of a repetition."""
        words = self._near.get(key)
        if words is None:
            words = np.zeros(self.width, np.uint32)
            self.store.walk(key, self._units, self.vocabulary.near_trie, words, self.limits)
            with self._lock:
                self._near[key] = words
                while len(self._near) * words.nbytes > self.limits.mask_cache_bytes // 4:
                    self._near.popitem(last=False)
        return words

    def _touch(self, key: int) -> None:
        with suppress(KeyError):  # another thread may have dropped it since
            self._masks.move_to_end(key)

    def _keep(self, key: int, mask: Row | _Sparse) -> None:
        """Remember a mask; the least recently used make room."""
        with self._lock:
            if key in self._masks:  # another thread was faster
                self._mask_bytes -= self._masks.pop(key).nbytes
            self._masks[key] = mask
            self._mask_bytes += mask.nbytes
            while self._mask_bytes > self.limits.mask_cache_bytes and len(self._masks) > 1:
                self._mask_bytes -= self._masks.popitem(last=False)[1].nbytes
