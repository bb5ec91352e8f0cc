"""States of a constraint on the flat engine.

In:  a `constrain.ir.grammar.Grammar`, or an expression as a grammar of one terminal.
Out: a `StateSpace`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constrain.closing import Piece
from constrain.engine import tables as t
from constrain.engine.completion import Completion
from constrain.engine.session import Session
from constrain.ir.grammar import Grammar, Special
from constrain.limits import Limits
from constrain.masks import MaskCache, Row, Words
from constrain.states import State, StateSpace

if TYPE_CHECKING:
    from constrain.automata.dfa import DfaStore
    from constrain.automata.store import ExpressionStore
    from constrain.vocab.vocabulary import Vocabulary


class FlatSpace(StateSpace):
    """The states of one grammar over one vocabulary. `State.place` is the number of a state in `session`."""

    def __init__(
        self,
        grammar: Grammar,
        vocabulary: Vocabulary,
        store: ExpressionStore,
        dfas: DfaStore,
        limits: Limits,
        masks: MaskCache | None = None,
    ) -> None:
        super().__init__(vocabulary, store, limits, masks)
        self.session = Session(grammar, vocabulary, dfas, limits)
        self._completion_of = Completion(self.session)

    def start(self) -> State:
        """The state of the empty text."""
        return self._intern(self.session.start)

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self.session.nbytes

    def _intern(self, number: int) -> State:
        state = self._states.get(number)
        if state is None:
            with self._lock:
                accepting = self.session.is_accepting(number)
                state = self._states.setdefault(number, State(number, (self._owner, number), accepting))
        return state

    def _read(self, state: State, data: bytes) -> State | None:
        reached, n = self.session.read(state.place, data)
        return self._intern(reached) if n == len(data) else None

    def _read_token(self, state: State, token: int) -> State | None:
        reached = self.session.commit(state.place, token)
        return self._intern(reached) if reached else None

    def fill(self, state: State, row: Row) -> None:
        """See `StateSpace.fill`."""
        if state.terminated:
            super().fill(state, row)
        else:
            self.session.fill(state.place, row.__array_interface__["data"][0])

    def is_ready(self, state: State) -> bool:
        """See `StateSpace.is_ready`."""
        return state.terminated or self.session.has_mask(state.place)

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        return b"" if state.terminated else self.session.viable_bytes(state.place)

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        reached, n = self.session.read(state.place, data)
        return self._intern(reached), n

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and any(a >= t.SPECIAL_ITEM for a in self.session.items(state.place)[:, t.A])

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        return () if state.terminated else self.session.names(state.place)

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        return self._completion_of.of(state.place)

    def _allow(self, state: State, words: Words) -> int | None:
        raise AssertionError("masks are made by the session")


__all__ = ["FlatSpace", "Special"]
