"""The states of one grammar or regular constraint over one vocabulary.

In:  a `constrain.ir.grammar.Grammar`, or a DFA state.
Out: a `StateSpace`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from constrain.engine import tables as t
from constrain.engine.completion import Completion
from constrain.engine.longest_completion import LongestCompletion
from constrain.engine.longest_session import LongestSession
from constrain.engine.lower import Lowering
from constrain.engine.mask_cache import MaskCache, Row, Words
from constrain.engine.segments import Piece
from constrain.engine.session import Session
from constrain.engine.states import State, StateSpace
from constrain.ir.grammar import Grammar
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.automata.dfa import DfaStore
    from constrain.vocab.vocabulary import Vocabulary


class EarleySpace(StateSpace):
    """The states of a grammar, or of the language of a DFA state, over one vocabulary.

    `State.place` is the number of a state in `session`, in its generation of records.
    """

    def __init__(
        self,
        constraint: Grammar | int,
        vocabulary: Vocabulary,
        dfas: DfaStore,
        limits: Limits,
        masks: MaskCache | None = None,
    ) -> None:
        super().__init__(vocabulary, limits, masks)
        self._size = vocabulary.size
        self._is_full = False
        self.session: Session
        self._completion_of: Completion
        if isinstance(constraint, Grammar) and constraint.longest:
            self.session = longest = LongestSession(constraint, vocabulary, dfas, limits)
            self._completion_of = LongestCompletion(longest)
        else:
            self.session = Session(constraint, vocabulary, dfas, limits)
            self._completion_of = Completion(self.session)

    def start(self) -> State | None:
        """The state of the empty text; None if tokens spell no text."""
        return self._intern(self.session.start)

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self.session.nbytes

    def _intern(self, number: int) -> State:
        return self._states.get(number) or self._new(number, self.session.is_accepting(number), self.session.is_full)

    def _new(self, number: int, accepting: bool, is_full: bool) -> State:
        with self._lock:
            made = State(number, None, accepting)
            made.generation = self.session.generation
            self._is_full = is_full
            return self._states.setdefault(number, made)

    def mask_key(self, state: State) -> Hashable:
        """See `StateSpace.mask_key`."""
        return self._owner, state.generation, state.place

    def _number(self, state: State) -> int:
        """The number of a state in the session, which it may have left behind."""
        session = self.session
        if self._is_full:
            self._renew()
        if state.generation is not session.generation:
            with self._lock:
                state.place = session.adopt(state.generation, state.place)
                state.generation = session.generation
        number: int = state.place
        return number

    def _renew(self) -> None:
        """Forget the records of all states; those in use are adopted when they are used again."""
        with self._lock:
            self._is_full = False
            self.forget_states()
            self.session.renew()
            self._completion_of.forget()

    def close(self) -> None:
        """See `StateSpace.close`. What schemas are lowered by refers to itself."""
        lowering = self.session.lowering
        if isinstance(lowering, Lowering) and lowering.grammar.source is not None:
            lowering.grammar.source.close()
        vars(lowering).clear()
        super().close()

    def _read(self, state: State, data: bytes) -> State | None:
        reached, n = self.session.read(self._number(state), data)
        return self._intern(reached) if n == len(data) else None

    def _read_token(self, state: State, token: int) -> State | None:
        reached = self.session.commit(self._number(state), token)
        return self._intern(reached) if reached else None

    def leads(self, state: State, tokens: np.ndarray) -> np.ndarray:
        """Numbers of the states after some tokens, 0 for those that are not allowed, under longest match: int64[n]."""
        assert isinstance(self.session, LongestSession)
        return self.session.leads(self._number(state), tokens)

    def fill(self, state: State, row: Row) -> None:
        """See `StateSpace.fill`."""
        if state.terminated:
            super().fill(state, row)
        else:
            self.session.fill(self._number(state), row.__array_interface__["data"][0])

    def fill_at(self, state: State, mask: np.ndarray, row: int, address: int) -> None:
        """See `StateSpace.fill_at`."""
        if state.generation is self.session.generation and not self._is_full:
            self.session.fill(state.place, address)
        elif state.terminated:
            super().fill(state, mask[row])
        else:
            self.session.fill(self._number(state), address)

    def step(self, state: State, token: int) -> State | None:
        """See `StateSpace.step`."""
        known = state.next.get(token)
        if known is not None or state.terminated or token in self._eos or not 0 <= token < self._size:
            return known or super().step(state, token)
        if state.generation is self.session.generation and not self._is_full:
            found = self.session.go(state.place, token)
        else:
            found = self.session.go(self._number(state), token)
        if found == 0:
            return None
        reached = self._states.get(found >> 2) or self._new(found >> 2, bool(found & 1), bool(found & 2))
        if self._steps >= self.limits.transition_cache:
            self.forget_states()
        self._walked.add(state)
        state.next[token] = reached
        self._steps += 1
        return reached

    def is_ready(self, state: State) -> bool:
        """See `StateSpace.is_ready`."""
        return state.terminated or self.session.has_mask(self._number(state))

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        return b"" if state.terminated else self.session.viable_bytes(self._number(state))

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        reached, n = self.session.read(self._number(state), data)
        return self._intern(reached), n

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and self.session.expects_special(self._number(state))

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        return () if state.terminated else self.session.names(self._number(state))

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        return self._completion_of.of(self._number(state))

    def _allow(self, state: State, words: Words) -> None:
        raise AssertionError("masks are made by the session")


class SpelledSpace(EarleySpace):
    """The states of a regular language over a vocabulary that spells some characters only together with others.

    A token is allowed if other tokens can spell the rest: `units` is the DFA state of all that tokens can spell.
    """

    def __init__(
        self,
        constraint: int,
        units: int,
        vocabulary: Vocabulary,
        dfas: DfaStore,
        limits: Limits,
        masks: MaskCache | None = None,
    ) -> None:
        super().__init__(constraint, vocabulary, dfas, limits, masks)
        self._units = units

    def _is_spelled(self, number: int) -> bool:
        """Whether tokens can spell the rest of a text."""
        session = self.session
        return session.is_accepting(number) or any(
            session.dfas.meet(q, self._units) for q in session.items(number)[:, t.A].tolist()
        )

    def start(self) -> State | None:
        """See `EarleySpace.start`."""
        return super().start() if self._is_spelled(self.session.start) else None

    def step(self, state: State, token: int) -> State | None:
        """See `StateSpace.step`."""
        return StateSpace.step(self, state, token)

    def _read_token(self, state: State, token: int) -> State | None:
        reached = self.session.commit(self._number(state), token)
        return self._intern(reached) if reached and self._is_spelled(reached) else None

    def fill_at(self, state: State, mask: np.ndarray, row: int, address: int) -> None:
        """See `StateSpace.fill_at`."""
        self.fill(state, mask[row])

    def fill(self, state: State, row: Row) -> None:
        """See `StateSpace.fill`."""
        super().fill(state, row)
        if not state.terminated:
            bits = np.unpackbits(row.view(np.uint8), bitorder="little")
            for token in bits.nonzero()[0].tolist():
                if token not in self._eos and self._read_token(state, token) is None:
                    row[token >> 5] ^= np.uint32(1 << (token & 31)).view(np.int32)

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        dfas = self.session.dfas
        if state.accepting:
            return ()
        texts = [
            dfas.shortest_text(spelled)
            for q in self.session.items(self._number(state))[:, t.A].tolist()
            if (spelled := dfas.meet(q, self._units))
        ]
        return (min(texts, key=len),) if texts else None
