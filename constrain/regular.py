"""States of regular constraints: a state is an expression.

In:  expression ids of the process-wide store.
Out: a `StateSpace`.

One space a vocabulary holds the states of every regular constraint compiled for it, so that they share the states and
the masks that they have in common.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from constrain.automata.store import ANYTHING, EMPTY, ExpressionStore, Reached
from constrain.closing import Piece
from constrain.ir.expr import Repeat
from constrain.ir.expr import Words as Listed
from constrain.limits import Limits
from constrain.masks import MaskCache, Words
from constrain.states import State, StateSpace, Successors
from constrain.vocab.vocabulary import NEAR

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

_EXPLORED = 20_000
_PATIENCE = 500


def shortest(store: ExpressionStore, node: int, is_end: Callable[[int], bool], limits: Limits) -> bytes | None:
    """A short text from a node of the store to one that `is_end`; None if none was found among 20,000 nodes.

    It is the shortest there is, unless that takes looking at more than `_PATIENCE` nodes. An A* search: the length of
    the shortest string that a node denotes never says too much. For many phrases at once it says far too little; then
    what each of them needs is taken together, which may say too much.
    """
    found = _search(store, node, is_end, limits, store.shortest, min(_PATIENCE, _EXPLORED))
    return _search(store, node, is_end, limits, store.missing, _EXPLORED) if found is None else found


def _search(
    store: ExpressionStore,
    node: int,
    is_end: Callable[[int], bool],
    limits: Limits,
    left: Callable[[int], int],
    most: int,
) -> bytes | None:
    """Of texts that promise the same, the longest goes first, and a node is left for a while as soon as one of its
    bytes promises no more than it."""
    order = count()
    todo: list[tuple[int, int, int, int, bytes, list[tuple[int, int]] | None]] = [
        (left(node), 0, next(order), node, b"", None)
    ]
    reached = {node: 0}
    while todo and len(reached) < most:
        total, _, _, here, text, rest = heapq.heappop(todo)
        if rest is None:
            if is_end(here):
                return text
            rest = store.ways(here, limits)
        length = len(text) + 1
        for n, (b, after) in enumerate(rest, 1):
            if reached.get(after, length + 1) <= length:
                continue
            reached[after] = length
            promised = length + left(after)
            heapq.heappush(todo, (promised, -length, next(order), after, text + bytes([b]), None))
            if promised <= total:
                heapq.heappush(todo, (total, 1 - length, next(order), here, text, rest[n:]))
                break
    return None


class RegularSpace(StateSpace):
    """The states of all regular constraints over one vocabulary. `State.place` is a `Reached`."""

    def __init__(
        self, vocabulary: Vocabulary, store: ExpressionStore, limits: Limits, masks: MaskCache | None = None
    ) -> None:
        super().__init__(vocabulary, store, limits, masks)
        units = vocabulary.units
        self._units = ANYTHING if units is None else store.build(Repeat(Listed(units), 0, None), limits)
        complete = units is None  # else what comes later decides too
        self._reaches = (max(1, vocabulary.max_token_bytes), NEAR) if complete else (0, 0)
        self._near: OrderedDict[int, Words] = OrderedDict()

    def start(self, node: int) -> State | None:
        """The state of an expression, or None if no sequence of tokens spells any of it."""
        reached = self.store.advance(node, b"", self.limits, *self._reaches)
        return self._intern(reached) if self._is_spellable(reached.node) else None

    def close(self) -> None:
        """See `StateSpace.close`. All regular constraints share it."""

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        return self.store.viable_bytes(state.place.node, self.limits)

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        reached = self.store.advance(state.place.node, data, self.limits, *self._reaches)
        return self._intern(reached), reached.read

    def _read(self, state: State, data: bytes) -> State | None:
        reached = self.store.advance(state.place.node, data, self.limits, *self._reaches)
        if reached.read < len(data) or not self._is_spellable(reached.node):
            return None
        return self._intern(reached)

    def successors(self, state: State) -> Successors:
        """See `StateSpace.successors`. Tokens are alike that lead to one node."""
        trie, size = self.vocabulary.trie, self.vocabulary.size
        reached = self.store.reach(ANYTHING, state.place.node, trie, size, self.limits)[2]
        reached[list(self.vocabulary.eos_ids)] = EMPTY
        tokens = np.flatnonzero(reached) if self._units == ANYTHING else self.tokens_of(state)
        numbers = np.zeros(self.store.size, np.int32)  # rather than sorting what all tokens lead to
        numbers[reached[tokens]] = 1
        nodes = np.flatnonzero(numbers)
        numbers[nodes] = np.arange(len(nodes))
        states = [self._intern(self.store.advance(node, b"", self.limits, *self._reaches)) for node in nodes.tolist()]
        return Successors(tokens, numbers[reached[tokens]], states)

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        node = state.place.node
        if self._units != ANYTHING:
            node = self.store.intersect(node, self._units, self.limits)
        text = shortest(self.store, node, self.store.is_nullable, self.limits)
        return None if text is None else (text,)

    def _is_spellable(self, node: int) -> bool:
        """Whether tokens can spell something of what is left."""
        if self._units == ANYTHING or node == EMPTY:
            return node != EMPTY
        rest = self.store.intersect(node, self._units, self.limits)
        return self.store.advance(rest, b"", self.limits).node != EMPTY

    def _intern(self, reached: Reached) -> State:
        with self._lock:
            state = self._states.get(reached.node)
            if state is None:
                accepting = self.store.is_nullable(reached.node)
                key = (self._owner, 2 * reached.key + accepting)
                state = self._states[reached.node] = State(reached, key, accepting)
            return state

    def _allow(self, state: State, words: Words) -> int | None:
        words[:] = self._near_mask(state.place.near_key)
        self.store.walk(state.place.key, self._units, self.vocabulary.far_trie, words, self.limits)
        return None

    def _near_mask(self, key: int) -> Words:
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
