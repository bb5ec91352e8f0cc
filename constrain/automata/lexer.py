"""The lexer: which terminals of a set may end where, as text is read.

In:  sets of terminals (nodes of the store), bytes.
Out: `Lexed`: the lexer's state afterwards, and the places at which terminals have ended on the way.

A lexer state is a node of the expression store: the union of what is left of each terminal before its mark. It knows
nothing of rules; it is shared by all places of all grammars that expect the same terminals.

Longest match: a terminal that has ended counts only if none of the set matches more of the text. What such a longer
match would have to read is kept beside the state that follows, as what is to be *shunned*, until it can match no more.
"""

from __future__ import annotations

from typing import NamedTuple

from constrain.automata.store import EMPTY, ExpressionStore
from constrain.limits import Limits

_REMEMBERED = 50_000


class Ending(NamedTuple):
    """A place at which terminals have ended."""

    at: int
    """Bytes read before it."""
    terminals: tuple[int, ...]
    shun: int
    """What must not be matched from there on."""


class Lexed(NamedTuple):
    """What a lexer makes of some bytes."""

    node: int
    """The lexer's state after them; 0 if it cannot go on: nothing may follow, or a terminal has just ended."""
    shun: int
    """What must not be matched from there on."""
    endings: tuple[Ending, ...]


class Lexer:
    """Reads the terminals of one grammar. Under longest match `priorities` decide between equally long ones."""

    def __init__(self, store: ExpressionStore, longest: bool, priorities: dict[int, int], limits: Limits) -> None:
        self.store, self.longest = store, longest
        self._priorities, self._limits = priorities, limits
        self._lexed: dict[tuple[int, int, bytes], Lexed] = {}
        self._starts: dict[frozenset[int], int] = {}
        self._winners: dict[int, tuple[int, ...]] = {}
        self._settled: dict[int, int] = {EMPTY: EMPTY}

    def start(self, terminals: frozenset[int]) -> int:
        """The state before any of `terminals`; 0 if there are none."""
        known = self._starts.get(terminals)
        if known is None:
            known = self._starts[terminals] = self.store.lexer(terminals, self._limits) if terminals else EMPTY
        return known

    def read(self, node: int, shun: int, data: bytes) -> Lexed:
        """Read bytes in a state."""
        key = (node, shun, data)
        lexed = self._lexed.get(key)
        if lexed is None:
            if len(self._lexed) >= _REMEMBERED:
                self._lexed.clear()
            lexed = self._lexed[key] = self._read(node, shun, data)
        return lexed

    def ending(self, marks: int, node: int, shun: int, at: int = 0) -> Ending:
        """The end of the terminals of `marks` in a state that may still go on with them."""
        away = self.store.unite(shun, node, self._limits) if self.longest else shun
        return Ending(at, self.winners(marks), self.settled(away))

    def winners(self, marks: int) -> tuple[int, ...]:
        """Which of the terminals that end together count."""
        known = self._winners.get(marks)
        if known is None:
            known = self.store.ends(marks, self._limits)
            if self.longest:
                best = max(self._priorities[terminal] for terminal in known)
                known = tuple(terminal for terminal in known if self._priorities[terminal] == best)
            self._winners[marks] = known
        return known

    def settled(self, shun: int) -> int:
        """What is shunned, in the form that most states share."""
        known = self._settled.get(shun)
        if known is None:
            known = self._settled[shun] = self.store.settle(shun, self._limits)
        return known

    def _read(self, node: int, shun: int, data: bytes) -> Lexed:
        node, shun, crossings = self.store.scan(node, shun, data, self.longest, self._limits)
        endings = [Ending(at, self.winners(marks), self.settled(away)) for at, marks, away in crossings]
        marks = self.store.marks(node, self._limits) if node != EMPTY and self.store.may_end(node) else EMPTY
        if marks != EMPTY:
            endings.append(self.ending(marks, node, shun, len(data)))
        return Lexed(EMPTY if marks == node else node, self.settled(shun), tuple(endings))
