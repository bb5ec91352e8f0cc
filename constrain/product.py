"""States of a grammar together with a regular constraint: texts that meet both.

In:  a `GrammarSpace`, a node of the expression store.
Out: a `StateSpace`.

A state is a state of the grammar and the node of what the regular constraint still asks for. A token is allowed if
both allow it *and some text meets both from there on*. To tell, a search reads on, where little seems to be left first:
most of the time it comes by a place from where a text has been found before. Where it finds none, `Summaries` decide.
So no prefix is a dead end; what takes more than `Limits.search` steps to find out raises LimitExceeded. The exceptions
are those of grammars alone: longest match; and names or items that must not occur again, where a place counts for all
that differ only in which of them are left.

Most tokens do not have to be tried: those that stay inside of a terminal are alike if they leave its lexer and the
regular constraint at the same nodes.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from constrain.automata.rows import Row as GrammarRow
from constrain.automata.store import EMPTY, byte_trie
from constrain.closing import Piece, joined
from constrain.contextfree import Element, GrammarSpace
from constrain.errors import LimitExceeded
from constrain.ir.expr import Repeat
from constrain.ir.expr import Words as Listed
from constrain.masks import Words
from constrain.states import State, StateSpace
from constrain.summaries import Summaries

_GLANCE = 2000
"""Places that a search looks at before summaries are made."""
_FEW = 48
"""Tokens that are better tried one by one."""
_FORGET = 200_000
NONE: tuple[Piece, ...] = (-1,)
"""No text at all."""


class Place(NamedTuple):
    """A state of the grammar, and what the regular constraint still asks for."""

    state: State
    node: int


class _Step(NamedTuple):
    """How a search came to a place."""

    before: Place | None
    piece: Piece


class ProductSpace(StateSpace):
    """The states of one grammar and one regular constraint. `State.place` is a `Place`."""

    def __init__(self, grammar: GrammarSpace, node: int) -> None:
        super().__init__(grammar.vocabulary, grammar.store, grammar.limits, grammar.masks)
        self.grammar = grammar
        units = self.vocabulary.units
        if units is not None:
            spelled = self.store.build(Repeat(Listed(units), 0, None), self.limits)
            node = self.store.intersect(node, spelled, self.limits)
        self._node = self.store.advance(node, b"", self.limits).node
        self._summaries = Summaries(grammar)
        self._alive: dict[Hashable, bool] = {}
        self._distances: dict[tuple[GrammarRow, int], float] = {}
        grammar.recogniser.forget = self.forget_states

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self.grammar.nbytes + 200 * len(self._alive)

    def start(self) -> State | None:
        """The state of the empty text; None if no text meets both."""
        place = Place(self.grammar.start(), self._node)
        return self._intern(place) if self._node != EMPTY and self._is_alive(place) else None

    def close(self) -> None:
        """See `StateSpace.close`."""
        self.grammar.close()
        super().close()

    def forget_states(self) -> None:
        """See `StateSpace.forget_states`."""
        super().forget_states()
        with self._lock:
            self.grammar.forget_states()
            self._summaries.clear()
            self._alive.clear()
            self._distances.clear()

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        if state.terminated:
            return b""
        both = set(self.grammar.viable_bytes(state.place.state)) & set(
            self.store.viable_bytes(state.place.node, self.limits)
        )
        return bytes(b for b in sorted(both) if self._read(state, bytes([b])))

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        for n in range(len(data)):
            after = self._read(state, data[n : n + 1])
            if after is None:
                return state, n
            state = after
        return state, len(data)

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        return () if state.terminated else self.grammar.expected_names(state.place.state)

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and self.grammar.expects_special(state.place.state)

    # ----------------------------------------------------------------------------------------------------- steps

    def _intern(self, place: Place) -> State:
        key = _key(place)
        state = self._states.get(key)
        if state is None:
            with self._lock:
                state = self._states.setdefault(key, State(place, (self._owner, key), self._accepts(place)))
        return state

    def _accepts(self, place: Place) -> bool:
        return place.state.accepting and self.store.is_nullable(place.node)

    def _read(self, state: State, data: bytes) -> State | None:
        after = self._follow(state.place, data)
        return self._intern(after) if after is not None and self._is_alive(after) else None

    def _follow(self, place: Place, data: bytes) -> Place | None:
        """Where bytes lead; nobody has asked whether a text can be completed there."""
        reached = self.store.advance(place.node, data, self.limits)
        state = self.grammar.follow(place.state, data) if reached.read == len(data) else None
        return None if state is None else Place(state, reached.node)

    def _read_special(self, state: State, token: int) -> State | None:
        after = self.grammar.follow_special(state.place.state, token)
        place = None if after is None else Place(after, state.place.node)
        return self._intern(place) if place is not None and self._is_alive(place) else None

    # -------------------------------------------------------------------------------------------------- liveness

    def _is_alive(self, place: Place) -> bool:
        """Whether some text meets both constraints from a place on."""
        if self._accepts(place):
            return True
        known = self._alive.get(_key(place))
        if known is None:
            with self._lock:
                known = self._decide(place)
        return known

    def _decide(self, place: Place) -> bool:
        if len(self._alive) > _FORGET:
            self._alive.clear()
        for ask in (self._glance, self._summarise, self._look):
            alive = ask(place)
            if alive is not None:
                self._alive[_key(place)] = alive
                return alive
        raise LimitExceeded(
            "search",
            self.limits.search + 1,
            self.limits.search,
            "finding text that meets a grammar and what is beside it",
        )

    def _glance(self, place: Place) -> bool | None:
        found = self._find(place, _GLANCE)
        return None if found is None else found != NONE

    def _look(self, place: Place) -> bool | None:
        found = self._find(place, self.limits.search // 10)
        return None if found is None else found != NONE

    def _summarise(self, place: Place) -> bool | None:
        """Whether a text can be completed, as far as summaries tell: a "yes" may be too much, see there."""
        try:
            alive = self.grammar.remembers or self._summaries.is_alive(place.state.place, place.node)
        except LimitExceeded:
            return None
        return None if alive and not self.grammar.is_plain else alive

    def _find(self, place: Place, most: int, to_end: bool = False) -> tuple[Piece, ...] | None:
        """A search for a text: the pieces of one, up to the end, or to where one is known to follow; NONE if there is
        none, None if none was found among `most` places."""
        order = count()
        steps: dict[Hashable, tuple[Place, _Step]] = {_key(place): (place, _Step(None, b""))}
        todo = [(0.0, 0, next(order), place)]
        looked = 0
        while todo:
            _, depth, _, here = heapq.heappop(todo)
            looked += 1
            if looked > most:
                return None
            for piece, after in self._ways(here):
                key = _key(after)
                known = self._alive.get(key)
                if key in steps or known is False:
                    continue
                steps[key] = after, _Step(here, piece)
                if self._accepts(after) or (known and not to_end):
                    return self._note(steps, after)
                promise = 1 - depth + 4 * self._missing(after)
                heapq.heappush(todo, (promise, depth - 1, next(order), after))
        self._alive.update(dict.fromkeys(steps, False))
        return NONE

    def _note(self, steps: dict[Hashable, tuple[Place, _Step]], last: Place) -> tuple[Piece, ...]:
        """Remember that texts can be completed from all places on the way; the pieces on it."""
        pieces: list[Piece] = []
        here: Place | None = last
        while here is not None:
            self._alive[_key(here)] = True
            step = steps[_key(here)][1]
            pieces.append(step.piece)
            here = step.before
        return joined([piece for piece in reversed(pieces) if piece != b""])

    def _missing(self, place: Place) -> float:
        """About how many bytes are left, if what both ask for comes one after the other."""
        return min(map(self._distance, place.state.place), default=0.0) + self.store.missing(place.node)

    def _distance(self, element: Element) -> float:
        """Bytes that are at least left of the grammar."""
        row, lexer, _, _ = element
        if not lexer:
            return row.cost()
        known = self._distances.get((row, lexer))
        if known is None:
            rest = min(row.after((terminal,)).cost() for terminal in self.store.terminals(lexer))
            known = self._distances[row, lexer] = self.store.shortest(lexer) + rest
        return known

    def _ways(self, place: Place) -> Iterator[tuple[Piece, Place]]:
        """Where the next byte or special token may lead; one byte for those that lead to the same place."""
        lexings = list(self.grammar.lexings(place.state))
        reached = [self.store.reach(node, place.node, byte_trie(), 256, self.limits) for node, _ in lexings]
        plain = all(is_plain for _, is_plain in lexings)
        seen: set[tuple[int, ...]] = set()
        for b in range(256):
            targets = [int(each[0, b]) for each in reached]
            after = max((int(each[2, b]) for each in reached), default=EMPTY)
            if after == EMPTY or not any(targets) or (plain and (*targets, after) in seen):
                continue
            seen.add((*targets, after))
            state = self.grammar.follow(place.state, bytes([b]))
            if state is not None:
                yield bytes([b]), Place(state, after)
        for token in self.grammar.special_tokens(place.state):
            state = self.grammar.follow_special(place.state, token)
            if state is not None:
                yield token, Place(state, place.node)

    # ------------------------------------------------------------------------------------------------ completion

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        found = self._find(state.place, self.limits.search // 10, to_end=True)
        return None if found == NONE else found

    # ----------------------------------------------------------------------------------------------------- masks

    def _allow(self, state: State, words: Words) -> int | None:
        place: Place = state.place
        allowed = self.grammar.tokens_of(place.state)
        good = np.zeros(32 * self.width, np.bool_)
        if len(allowed) > _FEW:
            tokens, which, first, allowed = self._alike(place, allowed)
            alive = np.array([self._read_token(state, int(token)) is not None for token in first], np.bool_)
            good[tokens[alive[which]]] = True
        for token in allowed.tolist():
            good[token] = self._read_token(state, token) is not None
        words |= np.packbits(good, bitorder="little").view(np.uint32)
        return None

    def _alike(self, place: Place, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Put tokens that the grammar allows together by what they lead to.

        Returns those that stay inside of a terminal, the kind of each, one token of each kind; and the others.
        """
        trie, size = self.vocabulary.trie, self.vocabulary.size
        lexings = [node for node, _ in self.grammar.lexings(place.state)]
        if not lexings or not len(allowed):  # special tokens alone
            return allowed[:0], allowed[:0], allowed[:0], allowed
        reached = [self.store.reach(node, place.node, trie, size, self.limits)[:, allowed] for node in lexings]
        node = np.max([each[2] for each in reached], axis=0)
        crossing = np.any([each[1] != 0 for each in reached], axis=0)
        inside = (node != 0) & ~crossing
        kind = node[inside].astype(np.int64)
        for each in reached:
            kind = np.unique(kind << 32 | each[0, inside], return_inverse=True)[1].astype(np.int64)
        _, first, which = np.unique(kind, return_index=True, return_inverse=True)
        special = np.diff(self.vocabulary.offsets)[allowed] == 0
        return allowed[inside], which, allowed[inside][first], allowed[(crossing & (node != 0)) | special]

    def _sorted_out(self, state: State, tokens: np.ndarray) -> tuple[np.ndarray, list[State]]:
        """See `StateSpace`."""
        alike, which, first, others = self._alike(state.place, tokens)
        numbers: dict[State, int] = {}

        def number(token: int) -> int:
            after = self._read_token(state, token)
            assert after is not None
            return numbers.setdefault(after, len(numbers))

        places = np.zeros(self.vocabulary.size, np.int64)
        places[alike] = np.array([number(int(token)) for token in first], np.int64)[which]
        for token in others.tolist():
            places[token] = number(token)
        return places[tokens], list(numbers)


def _key(place: Place) -> Hashable:
    return place.state.place, place.state.text, place.node
