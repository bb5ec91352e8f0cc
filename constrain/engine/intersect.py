"""States of a grammar together with a regular constraint: texts that meet both.

In:  a `EarleySpace`, an expression.
Out: a `StateSpace`.

A state is a state of the grammar and the DFA state of what the regular constraint still asks for, its *rest*. A token
is allowed if both allow it *and some text meets both from there on*. To tell, a search reads on, where little seems to
be left first: most of the time it comes by a place from where a text has been found before. Where it finds none,
summaries decide. So no prefix is a dead end; what takes more than `Limits.search` steps to find out raises
LimitExceeded. The exception are names or items that must not occur again, of which the search remembers those that
have been read, and not those that it reads itself.

All of it is compiled: see `intersect_search`, `intersect_summaries` and `intersect_walk`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from constrain import jit
from constrain.automata.tables import FULL
from constrain.engine import intersect_alive, intersect_items, intersect_search, intersect_walk
from constrain.engine import intersect_tables as p
from constrain.engine import session as sessions
from constrain.engine.lower import RegularLowering
from constrain.engine.segments import Piece, joined
from constrain.engine.states import State, StateSpace, Successors
from constrain.errors import LimitExceeded
from constrain.ir.expr import And, Closed, Expr, Repeat, Words
from constrain.jit import entry

if TYPE_CHECKING:
    from constrain.engine.mask_cache import Words as Bits
    from constrain.engine.space import EarleySpace

GLANCE = 2000
"""Places that a search looks at before summaries are made."""
FEW = 400
"""Sets of up to so many tokens are better found by a walk."""
MOST_PLACES = 1 << 18
"""Places that are remembered."""
MOST_SETS = 500
"""Sets of tokens of DFA states that are remembered."""
_HASHES = ("place_hash", "frame_hash", "entry_hash", "edge_hash", "outcome_hash", "follow_hash")
_BEGIN_ANEW = {"cost_behind": p.COSTS_BEHIND, "inner_hash": p.INNERS}
"""Tables that are worked out again where they grow."""
_COMPLETION = 10
"""A search for a whole text looks at this part of `Limits.search`."""


class IntersectionPlace(NamedTuple):
    """A state of the grammar's session, and what the regular constraint still asks for."""

    state: int
    rest: int


class IntersectionSpace(StateSpace):
    """The states of one grammar and one regular constraint. `State.place` is a `IntersectionPlace`."""

    def __init__(self, grammar: EarleySpace, expr: Expr) -> None:
        super().__init__(grammar.vocabulary, grammar.limits, grammar.masks)
        self.grammar, self._session = grammar, grammar.session
        self._dfas = self._session.dfas
        units = self.vocabulary.units
        parts = (Closed(expr),) if units is None else (Closed(expr), Repeat(Words(units), 0, None))
        self._rest = self._dfas.start(And(parts), self.limits)
        self._tables = p.make(self.vocabulary.size)
        self._is_full = False
        """Whether the session is to begin anew."""
        self._forget()
        self._walk, self._follow = entry(intersect_walk.walk), entry(intersect_alive.follow_token)
        self._alive = entry(intersect_alive.is_alive)
        self._no_row = np.zeros(self.width, np.uint32)

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular constraint alone."""
        return isinstance(self._session.lowering, RegularLowering)

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self.grammar.nbytes + self._tables.nbytes

    def start(self) -> State | None:
        """The state of the empty text; None if no text meets both."""
        with sessions._lock:
            place = IntersectionPlace(self._session.start, self._rest)
            return self._intern(place) if self._rest and self._is_alive(place) else None

    def close(self) -> None:
        """See `StateSpace.close`."""
        self.grammar.close()
        super().close()

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        if state.terminated:
            return b""
        with self._held(state) as (number, rest):
            both = set(self._session.viable_bytes(number)) & set(self._dfas.viable_bytes(rest))
            return bytes(b for b in sorted(both) if self._after(IntersectionPlace(number, rest), bytes([b])))

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        with self._held(state) as place:
            for n in range(len(data)):
                after = self._after(place, data[n : n + 1])
                if after is None:
                    return self._intern(place), n
                place = after
            return self._intern(place), len(data)

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        if state.terminated:
            return ()
        with self._held(state) as place:
            return self._session.names(place.state)

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        if state.terminated:
            return False
        with self._held(state) as place:
            return self._session.expects_special(place.state)

    # ----------------------------------------------------------------------------------------------------- steps

    @contextmanager
    def _held(self, state: State) -> Iterator[IntersectionPlace]:
        """Hold the engine, and say which place a state is: its numbers change when the session begins anew."""
        session = self._session
        if self._is_full:
            with self._lock, sessions._lock:  # always in this order
                if self._is_full:
                    self.forget_states()
                    self.grammar._renew()
                    self._forget()
                    self._is_full = False
        with sessions._lock:
            if state.generation is not session.generation:
                place: IntersectionPlace = state.place
                state.place = IntersectionPlace(session.adopt(state.generation, place.state), place.rest)
                state.generation = session.generation
                state.mask_key = (self._owner, session.generation, state.place)
            yield state.place

    def _intern(self, place: IntersectionPlace) -> State:
        """The state of a place, under the lock of the engine."""
        state = self._states.get(place)
        if state is None:
            session = self._session
            accepting = session.is_accepting(place.state) and self._dfas.accepts(place.rest)
            state = self._states[place] = State(place, (self._owner, session.generation, place), accepting)
            state.generation = session.generation
            self._is_full = session.is_full
        return state

    def _after(self, place: IntersectionPlace, data: bytes) -> IntersectionPlace | None:
        """Where bytes lead from where a text can be completed."""
        rest, read = self._dfas.read(place.rest, data)
        state, n = self._session.read(place.state, data) if read == len(data) else (0, -1)
        after = IntersectionPlace(state, rest)
        return after if n == len(data) and self._is_alive(after) else None

    def _read(self, state: State, data: bytes) -> State | None:
        with self._held(state) as place:
            after = self._after(place, data)
            return None if after is None else self._intern(after)

    def _read_token(self, state: State, token: int) -> State | None:
        with self._held(state) as place:
            reached = self._call(self._follow, *place, token)
            return (
                self._intern(IntersectionPlace(reached, int(self._tables["head"][p.REST_AFTER]))) if reached else None
            )

    def _is_alive(self, place: IntersectionPlace) -> bool:
        return self._call(self._alive, *place) == 1

    # ------------------------------------------------------------------------------------------------ completion

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        with self._held(state) as place:
            for mode in (p.TO_END, p.TO_END | p.EXACTLY):
                pieces = self._find(place, mode)
                if pieces is None or self._reads(place, pieces):
                    return pieces
        return None

    def _find(self, place: IntersectionPlace, mode: int) -> tuple[Piece, ...] | None:
        """Search for a text that completes a place, shortest rests first; None if none was found."""
        if self._session.is_accepting(place.state) and self._dfas.accepts(place.rest):
            return ()
        started = self._call(entry(intersect_search.begin), *place, mode)
        found = self._call(entry(intersect_search.find), started, max(1, self.limits.search // _COMPLETION), mode)
        if found != 1:
            return None
        head, places = self._tables["head"], self._tables["place"]
        ids = self._session.lowering.terminals.special_ids
        steps, here = [int(head[p.LAST_STEP])], int(head[p.OPEN])
        while here:
            steps.append(int(places[8 * here + p.STEP]) & (1 << p.STEP_BITS) - 1)
            here = int(places[8 * here + p.FROM])
        pieces: list[Piece] = []
        for step in reversed(steps):
            if step < p.NO_STEP:
                pieces.append(bytes([step]))
            elif step >= p.SPECIAL_STEP:
                pieces.append(min(ids[step - p.SPECIAL_STEP]))
        return joined(pieces)

    def _reads(self, place: IntersectionPlace, pieces: tuple[Piece, ...]) -> bool:
        """Whether a text ends both constraints: a search for one remembers less than states do."""
        state, rest = place
        for piece in pieces:
            if isinstance(piece, int):
                state = self._session.commit(state, piece)
            else:
                state, read = self._session.read(state, piece)
                rest, n = self._dfas.read(rest, piece)
                if min(read, n) < len(piece):
                    return False
        return self._session.is_accepting(state) and self._dfas.accepts(rest)

    # ----------------------------------------------------------------------------------------------------- masks

    def _allow(self, state: State, words: Bits) -> None:
        with self._held(state) as place:
            self._make_room()
            self._call(self._walk, *place, words.ctypes.data, len(words), intersect_items.MASK)
            tried = np.unique(self._tables["try"][: int(self._tables["head"][p.TRIES])])
            for token in tried.tolist():
                if not words[token >> 5] >> (token & 31) & 1 and self._call(self._follow, *place, token):
                    words[token >> 5] |= np.uint32(1 << (token & 31))

    def successors(self, state: State) -> Successors:
        """See `StateSpace.successors`. Tokens are alike that lead to the same places."""
        with self._held(state) as place:
            self._make_room()
            row = self._no_row
            self._call(self._walk, *place, row.ctypes.data, len(row), intersect_items.KINDS_OF)
            kinds = self._tables["kind"][: self.vocabulary.size].copy()
            head = self._tables["head"]
            has_doubts, kind_count = bool(head[p.TRIES]), int(head[p.KINDS])
        kinds[list(self._eos)] = 0
        tokens = self.tokens_of(state) if has_doubts else kinds.nonzero()[0]
        kinds = kinds[tokens]
        one_of = np.zeros(kind_count + 1, np.int64)
        one_of[kinds[::-1]] = tokens[::-1]
        numbers: dict[State, int] = {}
        places = np.zeros(kind_count + 1, np.int64)
        for kind in np.bincount(kinds, minlength=kind_count + 1).nonzero()[0].tolist():
            after = self._read_token(state, int(one_of[kind]))
            assert after is not None
            places[kind] = numbers.setdefault(after, len(numbers))
        return Successors(tokens, places[kinds], list(numbers))

    # ---------------------------------------------------------------------------------------------------- tables

    def _forget(self) -> None:
        p.begin(self._tables, self._session.block, self.limits.search, GLANCE, FEW)

    def _make_room(self) -> None:
        head = self._tables["head"]
        if head[p.PLACES] > MOST_PLACES:
            self._forget()
        elif head[p.INNERS] > MOST_SETS:
            self._tables["inner_hash"][:] = 0
            head[p.INNERS] = 0

    def _call(self, unit: jit.Entry, *args: int) -> int:
        """Call a unit until it has what it needs. Raises LimitExceeded."""
        while (found := unit(self._tables.block, *args)) < 0:
            what, kind = -found >> 4, -found & 15
            if kind == FULL and what >= p.PLACES_TABLE:
                self._grow(what - p.PLACES_TABLE)
            elif found == -p.NEED_COST:
                self._write_costs()
            elif found == -p.TOO_MUCH:
                most = self.limits.search
                raise LimitExceeded("search", most + 1, most, "finding text that meets a grammar and what is beside it")
            elif found != -p.AGAIN:
                self._session.serve(found)
        return found

    def _grow(self, table: int) -> None:
        name = self._tables.columns[table].name
        self._tables.grow(table, 2 * len(self._tables[name]))
        if name in _HASHES:
            self._tables[name][:] = 0
            entry(p.rehash)(self._tables.block, table)
        elif name in _BEGIN_ANEW:
            self._tables[name][:] = 0
            self._tables["head"][_BEGIN_ANEW[name]] = 0

    def _write_costs(self) -> None:
        """Write down how many bytes are at least left of the rules, of all states of the network."""
        lowering = self._session.lowering
        self._tables.grow(p.COST, lowering.size)
        costs = self._tables["cost"]
        for flat in np.flatnonzero(costs[: lowering.size] == 0).tolist():
            costs[flat] = 1 + min(lowering.cost(flat), p.FAR)
