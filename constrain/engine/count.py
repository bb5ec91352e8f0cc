"""States of a constraint whose output has a number of tokens, too.

In:  another `StateSpace`, which can tell where tokens lead: a `EarleySpace` in an `IntersectionSpace`; a range.
Out: a `StateSpace`.

A state is one of the other space, and how many tokens have been read. The output may end where the number is in the
range, and a token is allowed if *some number of tokens in the range* completes the text behind it.

What numbers are possible from a state is found in three ways. A text that completes it is cut into fewest tokens, and
in every other way. A state that a token leads back to can be passed any number of times. And where the tokens lead to
few states altogether, as in most regular constraints, all of these are made, and the numbers are exact: those of ways
through the graph. Beyond `EXACT` the numbers that are known count. So no prefix is a dead end; but close to the upper
end of the range, in a grammar or a large regular constraint, a token may be refused although a way to end in time
exists that is not the shortest text. Numbers are bits of integers.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from constrain.engine.mask_cache import Words
from constrain.engine.segments import Piece
from constrain.engine.states import State, StateSpace, Successors

EXACT, EXACT_OF_GRAMMARS = 500, 40
"""States up to which all are made: of a regular constraint, and of others, where each takes longer."""
_TRIED = 64
"""States looked at for a longer text."""
_CUT = 2000
"""Bytes of a text that is cut in every way."""
_KEPT = 64


class Counted(NamedTuple):
    """A state of the other space, and the tokens read so far."""

    state: State
    number: int


class CountingSpace(StateSpace):
    """The states of another space with `low` to `high` tokens (None: any number). `State.place` is a `Counted`."""

    def __init__(self, inner: StateSpace, start: State, low: int, high: int | None, is_regular: bool = False) -> None:
        """`is_regular` says that the other space is that of a regular constraint."""
        super().__init__(inner.vocabulary, inner.limits, inner.masks)
        self._most = EXACT if is_regular else EXACT_OF_GRAMMARS
        self.inner, self.low, self.high = inner, low, high
        self._last = low if high is None else high
        """The largest number that is told apart: without an upper bound it stands for all from there on."""
        self._start = start
        self._numbers: dict[State, int] = {}
        self._exact: dict[State, int] = {}
        self._too_many = False
        self._successors: OrderedDict[State, Successors] = OrderedDict()
        self._spelled: frozenset[bytes] | None = None

    def start(self) -> State | None:
        """The state of the empty text; None if no text has so many tokens."""
        return self._reached(self._start, 0)

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`."""
        return self.inner.nbytes + 300 * len(self._numbers)

    def close(self) -> None:
        """See `StateSpace.close`."""
        self.inner.close()
        super().close()

    def forget_states(self) -> None:
        """See `StateSpace.forget_states`."""
        super().forget_states()
        with self._lock:
            self._numbers.clear()
            self._exact.clear()
            self._successors.clear()

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        return b"" if state.terminated else self.inner.viable_bytes(state.place.state)

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`. Bytes are not counted."""
        reached, read = self.inner.read(state.place.state, data)
        return self._intern(Counted(reached, state.place.number)), read

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and self.inner.expects_special(state.place.state)

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        return () if state.terminated else self.inner.expected_names(state.place.state)

    def remark(self, state: State) -> str:
        """See `StateSpace.remark`."""
        wanted = f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"
        return f"after {state.place.number} tokens of {wanted}"

    # ----------------------------------------------------------------------------------------------------- steps

    def _read_token(self, state: State, token: int) -> State | None:
        after = self.inner.step(state.place.state, token)
        return None if after is None else self._reached(after, state.place.number + 1)

    def _read(self, state: State, data: bytes) -> State | None:
        raise NotImplementedError("tokens are counted, not bytes")

    def _reached(self, state: State, count: int) -> State | None:
        return self._intern(Counted(state, self._told(count))) if self._is_alive(state, count) else None

    def _told(self, count: int) -> int:
        return min(count, self.low) if self.high is None else count

    def _intern(self, place: Counted) -> State:
        state = self._states.get(place)
        if state is None:
            with self._lock:
                accepting = place.state.accepting and place.number >= self.low
                accepting = accepting and (self.high is None or place.number <= self.high)
                state = self._states.setdefault(place, State(place, (self._owner, place), accepting))
        return state

    # --------------------------------------------------------------------------------------------------- numbers

    def _window(self, count: int) -> int:
        """The numbers of tokens that may still come."""
        low, high = max(0, self.low - count), self._last if self.high is None else self.high - count
        return 0 if high < low else (1 << high + 1) - (1 << low)

    def _is_alive(self, state: State, count: int) -> bool:
        window = self._window(count)
        if state.accepting and window & 1:
            return True
        with self._lock:
            if not window or self._known(state) & window:
                return window != 0
            if state in self._exact:
                return self._exact[state] & window != 0
            known = self._numbers[state]
            if known & -known < window & -window and self._find_longer(state, window):
                return True
            if not self._too_many:
                self._explore(state)
            return self._exact.get(state, 0) & window != 0

    def _after(self, numbers: int) -> int:
        """The numbers with one token more."""
        more = numbers << 1
        if self.high is None and more >> self._last + 1:
            more |= 1 << self._last
        return more & (1 << self._last + 1) - 1

    def _known(self, state: State) -> int:
        """Numbers of tokens that complete a state, as far as is easily told."""
        numbers = self._numbers.get(state)
        if numbers is None:
            numbers = 1 if state.accepting else 0
            tokens = () if state.accepting else self.inner.completion(state)
            if tokens is not None:
                numbers |= self._cut(tokens)
                self._note(state, tokens)
            self._numbers[state] = numbers = numbers | self._numbers.get(state, 0)
        return numbers

    def _note(self, state: State, tokens: tuple[int, ...]) -> None:
        """What completes a state completes, in part, those that it leads through."""
        for n, token in enumerate(tokens):
            after = self.inner.step(state, token)
            assert after is not None
            state = after
            left = len(tokens) - n - 1
            if left <= self._last and state in self._numbers:
                self._numbers[state] |= 1 << left
            self.inner.note_completion(state, tokens[n + 1 :])

    def _cut(self, tokens: tuple[int, ...]) -> int:
        """The numbers of tokens that spell what these do."""
        spelled = [self.vocabulary.token_bytes(token) for token in tokens]
        text = b"".join(spelled)
        fewest = 1 << len(tokens) if len(tokens) <= self._last else (1 << self._last if self.high is None else 0)
        if not all(spelled) or len(text) > _CUT:
            return fewest
        if self._spelled is None:
            every = (self.vocabulary.token_bytes(token) for token in range(self.vocabulary.size))
            self._spelled = frozenset(data for data in every if data)
        longest = min(self.vocabulary.max_token_bytes, 24)
        ways = [1] + [0] * len(text)
        for end in range(1, len(text) + 1):
            for begin in range(max(0, end - longest), end):
                if ways[begin] and text[begin:end] in self._spelled:
                    ways[end] |= self._after(ways[begin])
        return ways[len(text)] | fewest

    def _explore(self, start: State) -> None:
        """Make all states that tokens lead to, and the exact numbers of all of them; nothing if they are too many."""
        numbers = {start: 0}
        edges: list[tuple[int, int]] = []
        order = [start]
        for n, here in enumerate(order):
            for after in self._after_tokens(here).states:
                if after not in numbers:
                    if len(order) >= self._most:
                        self._too_many = True
                        return
                    numbers[after] = len(order)
                    order.append(after)
                edges.append((n, numbers[after]))
        self._exact.update(zip(order, self._levels(order, np.array(edges, np.int64).reshape(-1, 2))))

    def _levels(self, states: list[State], edges: np.ndarray) -> list[int]:
        """For each state the numbers of tokens after which a text may end, by one number after the other."""
        found = [0] * len(states)
        here = np.array([state.accepting for state in states])
        beyond = np.ones(len(states), np.bool_)  # some text goes on for so many tokens: from every state one can end
        for number in range(self._last + 1):
            ended = here if self.high is not None or number < self._last else beyond
            for i in np.flatnonzero(ended).tolist():
                found[i] |= 1 << number
            here = np.bincount(edges[:, 0], here[edges[:, 1]], len(states)) > 0
            beyond = np.bincount(edges[:, 0], beyond[edges[:, 1]], len(states)) > 0
        return found

    def _find_longer(self, state: State, window: int) -> bool:
        """Look for a longer text, through the states that most tokens lead to."""
        path: list[tuple[State, int]] = [(state, 0)]
        todo, seen = [(state, 0, path)], {state}
        for _ in range(_TRIED):
            if not todo:
                return False
            here, n, path = todo.pop()
            leads = self._after_tokens(here)
            numbers = self._known(here)
            if here in leads.states:  # it can be passed any number of times
                lowest = numbers & -numbers
                numbers |= (1 << self._last + 1) - lowest if lowest else 0
                self._numbers[here] = numbers
            if window >> n & numbers or (self.high is None and numbers and window >> n):
                for i, (passed, _) in enumerate(reversed(path[:-1])):
                    more = numbers
                    for _ in range(i + 1):
                        more = self._after(more)
                    self._numbers[passed] = self._numbers.get(passed, 0) | more
                if self._numbers[state] & window:
                    return True
            if n < self._last:
                sizes = np.bincount(leads.which, minlength=len(leads.states))
                for k in np.argsort(sizes).tolist():
                    after = leads.states[k]
                    if after not in seen:
                        seen.add(after)
                        todo.append((after, n + 1, [*path, (after, n + 1)]))
        return False

    def _after_tokens(self, state: State) -> Successors:
        known = self._successors.get(state)
        if known is None:
            known = self._successors[state] = self.inner.successors(state)
            if len(self._successors) > _KEPT:
                self._successors.popitem(last=False)
        return known

    # ----------------------------------------------------------------------------------------------------- masks

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        return None

    def completion(self, state: State) -> tuple[int, ...] | None:
        """See `StateSpace.completion`."""
        if state.accepting:
            return ()
        tokens: list[int] = []
        while not state.accepting:
            found = self.inner.completion(state.place.state)
            if found is not None and self._window(state.place.number) >> min(len(found), self._last) & 1:
                if self.high is None or len(found) <= self._last:
                    return (*tokens, *found)
            leads = self._after_tokens(state.place.state)
            sizes = np.bincount(leads.which, minlength=len(leads.states))
            for k in np.argsort(-sizes).tolist():
                token = int(leads.tokens[int(np.argmax(leads.which == k))])
                after = self.step(state, token)
                if after is not None:
                    break
            else:
                return None
            tokens.append(token)
            state = after
        return tuple(tokens)

    def note_completion(self, state: State, tokens: tuple[int, ...]) -> None:
        """See `StateSpace`. What completes a state is worked out from the numbers that are known."""

    def _allow(self, state: State, words: Words) -> None:
        place: Counted = state.place
        leads = self._after_tokens(place.state)
        alive = np.array([self._is_alive(after, place.number + 1) for after in leads.states], np.bool_)
        good = np.zeros(32 * self.width, np.bool_)
        good[leads.tokens[alive[leads.which]] if len(alive) else leads.tokens] = True
        words |= np.packbits(good, bitorder="little").view(np.uint32)
