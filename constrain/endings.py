"""Short texts that complete a state of a grammar.

In:  a state. Out: bytes and special tokens, in order.

From each place of the text the cheapest terminals are followed to the end, each by its shortest string. Where rules are
made as they are reached, or terminals depend on what was read before, each step is read before the next is chosen.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from constrain.automata.lexer import Lexer
from constrain.automata.rows import Row
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.closing import Piece, joined
from constrain.limits import Limits
from constrain.regular import shortest
from constrain.symbols import SPECIAL, Symbols, node_of

if TYPE_CHECKING:
    from constrain.states import State

_LONGEST = 20_000
"""Bytes of a text that is looked for step by step."""
_Element = tuple[Row, int, int, bytes]
"""See `constrain.contextfree.Element`."""


class Following(Protocol):
    """What endings ask of the space of states that they belong to."""

    lexer: Lexer
    symbols: Symbols
    store: ExpressionStore
    limits: Limits

    @property
    def is_lazy(self) -> bool:
        """Whether some rules are made only when they are reached."""

    def follow(self, state: State, data: bytes) -> State | None:
        """The state after bytes, None if they cannot follow."""

    def follow_special(self, state: State, token: int) -> State | None:
        """The state after a special token, None if it cannot follow."""

    def once_lexer(self, row: Row, symbol: int) -> tuple[int, int]:
        """The lexer of a terminal that matches once, and what must not be matched there."""

    def avoided(self, row: Row, shunned: int, read: bytes) -> int:
        """What a terminal that matches once must not match after `read`."""


class Endings:
    """The endings of one grammar over one vocabulary."""

    def __init__(self, space: Following) -> None:
        self._space, self._store, self._limits = space, space.store, space.limits
        self._strings: dict[int, bytes | None] = {}

    def complete(self, state: State) -> tuple[Piece, ...] | None:
        """A short text that completes what has been read so far; None if none was found."""
        if self._space.is_lazy or self._space.symbols.has_once:
            return self._stepwise(state)
        for row, node, _, _ in sorted(state.place, key=self._distance):
            for between in self._gaps:
                pieces = self._straight(row, node, between)
                if pieces is not None and self._is_complete(state, pieces):
                    return pieces
        return None

    @cached_property
    def _gaps(self) -> tuple[bytes, ...]:
        """What to put between terminals: nothing, or ignored text. (A comment may end with the line only.)"""
        ignore = self._space.symbols.ignore
        if not ignore:
            return (b"",)
        node = node_of(ignore)
        single = [bytes([b]) for b in self._store.viable_bytes(node, self._limits)]
        whole = [b for b in single if self._store.is_nullable(self._store.advance(node, b, self._limits).node)]
        return tuple(dict.fromkeys((b"", self._shortest(ignore) or b"", *whole)))

    def _distance(self, element: _Element) -> float:
        row, node, _, _ = element
        return row.cost() if not node else self._store.shortest(node) + max(0.0, row.cost() - 1)

    def _straight(self, row: Row, node: int, between: bytes) -> tuple[Piece, ...] | None:
        """Follow the cheapest terminals to the end, with ignored text between them."""
        pieces: list[Piece] = []
        if node:
            rest = self._shortest_end(node, EMPTY)
            if rest is None:
                return None
            ended = self._store.advance(node, rest, self._limits).node
            row = row.after(self._space.lexer.winners(self._store.marks(ended, self._limits)))
            pieces.append(rest)
        while not row.accepting:
            symbol = min(row.expected, key=row.cost_over)
            text = self._shortest(symbol) if symbol < SPECIAL else min(self._space.symbols.ids(symbol))
            if text is None or len(pieces) > self._limits.search:
                return None
            pieces += [between, text] if pieces and isinstance(text, bytes) else [text]
            row = row.after((symbol,))
        return joined(pieces)

    def _stepwise(self, state: State) -> tuple[Piece, ...] | None:
        """Follow the cheapest terminals to the end, reading each: what may follow may depend on it."""
        found = b""
        while not state.accepting:
            ended = [element for element in state.place if not element[1]]  # rather than going on with whitespace
            text = self._next_text(min(ended or state.place, key=self._distance))
            after = None if text is None or len(found) > _LONGEST else self._space.follow(state, text)
            if text is None or after is None:
                return None
            found, state = found + text, after
        return (found,) if found else ()

    def _next_text(self, element: _Element) -> bytes | None:
        """The shortest end of a terminal that has been begun, or else the shortest match of the cheapest one."""
        row, node, shun, read = element
        if node:
            return self._shortest_end(node, self._space.avoided(row, shun, read) if read else shun)
        symbol = min(row.expected, key=row.cost_over)
        if symbol not in row.template.twins:
            return self._shortest(symbol) if symbol < SPECIAL else None
        return self._shortest_end(*self._space.once_lexer(row, symbol))

    def _shortest_end(self, node: int, shun: int) -> bytes | None:
        """The shortest text after which a terminal may end, without a match of what is shunned."""
        store, limits = self._store, self._limits
        if not shun:
            return shortest(store, node, lambda n: store.marks(n, limits) != EMPTY, limits)
        seen, todo = {(node, shun)}, deque([(node, shun, b"")])
        while todo and len(seen) < limits.search:
            node, shun, text = todo.popleft()
            for b in store.viable_bytes(node, limits):
                lexed = self._space.lexer.read(node, shun, bytes([b]))
                if lexed.endings:
                    return text + bytes([b])
                if lexed.node and (lexed.node, lexed.shun) not in seen:
                    seen.add((lexed.node, lexed.shun))
                    todo.append((lexed.node, lexed.shun, text + bytes([b])))
        return None

    def _is_complete(self, state: State, pieces: tuple[Piece, ...]) -> bool:
        """Whether some pieces, read from a state, end where the text may end."""
        here: State | None = state
        for piece in pieces:
            if here is not None and piece != b"":
                follow = self._space.follow if isinstance(piece, bytes) else self._space.follow_special
                here = follow(here, piece)  # type: ignore[arg-type]
        return here is not None and here.accepting

    def _shortest(self, symbol: int) -> bytes | None:
        """The shortest string of a terminal."""
        if symbol not in self._strings:
            self._strings[symbol] = shortest(self._store, node_of(symbol), self._store.is_nullable, self._limits)
        return self._strings[symbol]
