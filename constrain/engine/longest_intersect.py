"""States of a grammar that is read by longest match together with a regular constraint: texts that meet both.

In:  a `EarleySpace` of a grammar read by longest match, an expression.
Out: a `StateSpace`.

A text that is cut by longest match can be cut that way by a grammar that cuts in every way. So a state is a pair: a
state of the grammar, and one of the same grammar, cut in every way, in an `IntersectionSpace`. A text is allowed if
both read it and *some text completes both*. If the second finds none, there is none. If it finds one, longest match
mostly reads it, too. What is left is decided by a search over bytes, where little seems to be left first; more than
`Limits.search` steps raise LimitExceeded.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np

from constrain.engine.intersect import IntersectionSpace
from constrain.engine.mask_cache import Words
from constrain.engine.segments import Piece, joined
from constrain.engine.space import EarleySpace
from constrain.engine.states import State, StateSpace, Successors
from constrain.errors import LimitExceeded
from constrain.ir.expr import Expr
from constrain.ir.grammar import Grammar

_REMEMBERED = 100_000
"""Places whose answers are remembered."""
_PER_PLACE = 256
"""Steps that a search counts for a place that it leaves."""


class LongestPlace(NamedTuple):
    """A state of the grammar, and one of the grammar cut in every way together with the regular constraint."""

    own: State
    beside: State


class LongestIntersectionSpace(StateSpace):
    """The states of a grammar read by longest match and a regular constraint. `State.place` is a `LongestPlace`."""

    is_regular = False

    def __init__(self, grammar: Grammar, expr: Expr, space: EarleySpace) -> None:
        """`space` is that of the grammar."""
        super().__init__(space.vocabulary, space.limits, space.masks)
        in_every_way = replace(grammar, longest=False)
        self._own = space
        self._beside = IntersectionSpace(
            EarleySpace(in_every_way, space.vocabulary, space.session.dfas, space.limits, space.masks), expr
        )
        self._alive: dict[LongestPlace, bool] = {}
        special = space.session.lowering.terminals.special_ids
        self._special = sorted({token for tokens in special for token in tokens})

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self._own.nbytes + self._beside.nbytes

    def start(self) -> State | None:
        """The state of the empty text; None if no text meets both."""
        own, beside = self._own.start(), self._beside.start()
        return None if own is None or beside is None else self._reached(LongestPlace(own, beside))

    def close(self) -> None:
        """See `StateSpace.close`."""
        self._own.close()
        self._beside.close()
        super().close()

    def forget_states(self) -> None:
        """See `StateSpace.forget_states`."""
        with self._lock:
            super().forget_states()
            self._alive.clear()

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        if state.terminated:
            return b""
        viable = set(self._own.viable_bytes(state.place.own)) & set(self._beside.viable_bytes(state.place.beside))
        return bytes(b for b in sorted(viable) if self._read(state, bytes([b])) is not None)

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        for n in range(len(data)):
            after = self._read(state, data[n : n + 1])
            if after is None:
                return state, n
            state = after
        return state, len(data)

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and self._own.expects_special(state.place.own)

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        return () if state.terminated else self._own.expected_names(state.place.own)

    # ----------------------------------------------------------------------------------------------------- steps

    def _reached(self, place: LongestPlace) -> State | None:
        """The state of a place from which a text can be completed."""
        if not self._is_alive(place):
            return None
        with self._lock:
            state = self._states.get(place)
            if state is None:
                state = self._states[place] = State(place, (self._owner, place), _accepts(place))
            return state

    def _read(self, state: State, data: bytes) -> State | None:
        own, read = self._own.read(state.place.own, data)
        beside, n = self._beside.read(state.place.beside, data)
        return self._reached(LongestPlace(own, beside)) if min(read, n) == len(data) else None

    def _read_token(self, state: State, token: int) -> State | None:
        own, beside = self._own.step(state.place.own, token), self._beside.step(state.place.beside, token)
        return None if own is None or beside is None else self._reached(LongestPlace(own, beside))

    # ------------------------------------------------------------------------------------------------ what is alive

    def _is_alive(self, place: LongestPlace) -> bool:
        known = self._alive.get(place)
        if known is None:
            with self._lock:
                self._find(place)
                known = self._alive[place]
        return known

    def _find(self, place: LongestPlace) -> tuple[Piece, ...] | None:
        """A text that completes a place, None if there is none. Remembers what that says of places met."""
        if len(self._alive) > _REMEMBERED:
            self._alive.clear()
        came: dict[LongestPlace, tuple[LongestPlace, Piece] | None] = {place: None}
        order, work = count(), 0
        todo = [(0, next(order), 0, place)]
        while todo:
            _, _, depth, here = heapq.heappop(todo)
            rest = self._beside._completion(here.beside) if not _accepts(here) else ()
            if rest is not None and self._completes(here.own, rest):
                return self._note(came, here, rest)
            work += _PER_PLACE
            if work > self.limits.search:
                most = self.limits.search
                raise LimitExceeded("search", work, most, "finding text that meets a grammar and what is beside it")
            for piece, after in self._ways(here):
                if after not in came and self._alive.get(after) is not False:
                    came[after] = here, piece
                    left = self._beside._completion(after.beside) or ()
                    missing = sum(len(each) if isinstance(each, bytes) else 1 for each in left)
                    heapq.heappush(todo, (depth + 4 * missing, next(order), depth + 1, after))
        self._alive.update(dict.fromkeys(came, False))
        return None

    def _note(
        self,
        came: dict[LongestPlace, tuple[LongestPlace, Piece] | None],
        last: LongestPlace,
        rest: tuple[Piece, ...],
    ) -> tuple[Piece, ...]:
        """Remember that texts can be completed from all places on the way to one; the pieces on it, and `rest`."""
        pieces, here = list(reversed(rest)), last
        self._alive[here] = True
        while (step := came[here]) is not None:
            here, piece = step
            self._alive[here] = True
            pieces.append(piece)
        return joined(list(reversed(pieces)))

    def _completes(self, own: State, pieces: tuple[Piece, ...]) -> bool:
        """Whether a text ends the grammar, too."""
        for piece in pieces:
            if isinstance(piece, int):
                after = self._own.step(own, piece)
                if after is None:
                    return False
                own = after
            else:
                own, read = self._own.read(own, piece)
                if read < len(piece):
                    return False
        return own.accepting

    def _ways(self, place: LongestPlace) -> Iterator[tuple[Piece, LongestPlace]]:
        """Where the next byte or special token leads; one byte for those that lead to the same."""
        seen: set[LongestPlace] = set()
        viable = set(self._own.viable_bytes(place.own)) & set(self._beside.viable_bytes(place.beside))
        for byte in sorted(viable):
            data = bytes([byte])
            after = LongestPlace(self._own.read(place.own, data)[0], self._beside.read(place.beside, data)[0])
            if after not in seen:
                seen.add(after)
                yield data, after
        for token in self._special if self._own.expects_special(place.own) else ():
            own, beside = self._own.step(place.own, token), self._beside.step(place.beside, token)
            if own is not None and beside is not None:
                yield token, LongestPlace(own, beside)

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        with self._lock:
            return self._find(state.place)

    # ----------------------------------------------------------------------------------------------------- masks

    def successors(self, state: State) -> Successors:
        """See `StateSpace.successors`. Tokens are alike that lead to the same states of both."""
        place: LongestPlace = state.place
        beside = self._beside.successors(place.beside)
        own = self._own.leads(place.own, beside.tokens)
        allowed = own > 0
        tokens, own, which = beside.tokens[allowed], own[allowed], beside.which[allowed]
        _, first, kinds = np.unique(own * (len(beside.states) + 1) + which, return_index=True, return_inverse=True)
        numbers: dict[State, int] = {}
        leads = np.full(len(first), -1)
        for kind, token in enumerate(tokens[first].tolist()):
            after = self._read_token(state, token)
            if after is not None:
                leads[kind] = numbers.setdefault(after, len(numbers))
        places = leads[kinds]
        return Successors(tokens[places >= 0], places[places >= 0], list(numbers))

    def _allow(self, state: State, words: Words) -> None:
        good = np.zeros(32 * self.width, np.bool_)
        good[self.successors(state).tokens] = True
        words |= np.packbits(good, bitorder="little").view(np.uint32)


def _accepts(place: LongestPlace) -> bool:
    return place.own.accepting and place.beside.accepting
