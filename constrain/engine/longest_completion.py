"""Texts that complete a state of longest match.

In:  a state of a `LongestSession`. Out: pieces, in order: bytes, or the ids of special tokens.

The cheapest terminals are followed to the end, each by its shortest text. Since the text may be cut otherwise than
meant, it is read again, and tried with ignored text between its terminals. (A comment may end with the line only.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from constrain.engine import earley, longest_lexers
from constrain.engine import tables as t
from constrain.engine.completion import LONGEST, Completion
from constrain.engine.longest_session import LongestSession
from constrain.engine.segments import Piece, joined
from constrain.jit import entry

TRIED = 20
"""Terminals of one row that are tried, the cheapest ones."""
FIRST = 4
"""Ways to end a terminal that has been begun."""


class LongestCompletion(Completion):
    """The completions of one session."""

    _session: LongestSession

    def of(self, state: int) -> tuple[Piece, ...] | None:
        """See `Completion.of`."""
        if self._session.is_accepting(state):
            return ()
        for lexer, _, row in sorted(self._session.elements(state), key=self._distance):
            for piece, after in [*islice(self._endings(row, lexer), FIRST)] if lexer else [(b"", row)]:
                for between in self._gaps:
                    pieces = self._straight(piece, after, between)
                    if pieces is not None and self._is_complete(state, pieces):
                        return pieces
        return self._stepwise(state)

    @cached_property
    def _gaps(self) -> tuple[bytes, ...]:
        """What to put between terminals: nothing, or ignored text."""
        lowering, dfas = self._session.lowering, self._session.dfas
        if lowering.grammar.ignore is None:
            return (b"",)
        start = lowering.terminals.spelled(lowering.terminals.number(lowering.grammar.ignore)).start
        whole = [bytes([b]) for b in dfas.viable_bytes(start) if dfas.accepts(dfas.step(start, b))]
        return tuple(dict.fromkeys((b"", dfas.shortest_text(start), *whole)))

    def _distance(self, element: tuple[int, int, int]) -> float:
        """Bytes that are at least left."""
        lexer, _, row = element
        return next((cost for cost, _, _ in self._ways(row, lexer)), 0.0)

    def _left(self, row: int, lexer: int) -> Iterator[tuple[float, list[int], int]]:
        """The items of a row that may go on, a lexer having read since: what is left behind each, item, DFA state.

        The state is 0 for special tokens.
        """
        session = self._session
        left = dict(session.parts(lexer)) if lexer else {}
        for item in session.items(row).tolist():
            a, x, goal, _, c = item
            if a >= t.SPECIAL_ITEM and lexer == 0:
                yield session.lowering.cost(goal) + self.behind(c), item, 0
            elif a < t.SPECIAL_ITEM and (lexer == 0 or x in left):
                yield session.lowering.cost(goal) + self.behind(c), item, left[x] if lexer else a

    def _ways(self, row: int, lexer: int) -> list[tuple[float, list[int], Piece]]:
        """How a text may go on where a row was reached, and a lexer since: least cost, item, text of the terminal.

        The cheapest ones first.
        """
        found: list[tuple[float, list[int], Piece]] = []
        for behind, item, q in self._left(row, lexer):
            if q:
                length, text = self._rest(q)
                found.append((length + behind, item, text))
            else:
                ids = self._session.lowering.terminals.special_ids[item[t.A] - t.SPECIAL_ITEM]
                found.append((1 + behind, item, min(ids)))
        return sorted(found, key=lambda way: way[0])[:TRIED]

    def _endings(self, row: int, lexer: int) -> Iterator[tuple[Piece, int]]:
        """How terminals that are being read may end, at once if they can, and the row after them."""
        for _, (_, _, goal, data, c), q in self._left(row, lexer):
            if q and self._session.dfas.accepts(q):
                yield b"", self._session.call(entry(earley.closure), goal, data, c)
        yield from self._steps(row, lexer)

    def _straight(self, piece: Piece, row: int, between: bytes) -> tuple[Piece, ...] | None:
        """Follow the cheapest terminals to the end behind a piece, with ignored text before each."""
        pieces: list[Piece] = [piece]
        length = 0
        while length < LONGEST and not self._session.is_accepting(row):
            found = next(self._steps(row, 0), None)
            if found is None:
                return None
            piece, row = found
            pieces += [between, piece] if isinstance(piece, bytes) else [piece]
            length += len(piece) if isinstance(piece, bytes) else 1
        return joined([piece for piece in pieces if piece != b""])

    def _steps(self, row: int, lexer: int) -> Iterator[tuple[Piece, int]]:
        """The terminals that may come next or be ended: a text of each, and the row after it."""
        session = self._session
        for _, (_, x, goal, data, c), piece in self._ways(row, lexer):
            if isinstance(piece, int):
                yield piece, session.call(entry(earley.closure), goal, data, c)
                continue
            winners = self._won(lexer or session.begun(row), piece)
            if winners and x in session.content(winners):
                yield piece, session.ask(entry(longest_lexers.goto), row, winners)

    def _won(self, lexer: int, text: bytes) -> int:
        """The winners that end with a text; 0 if there are none."""
        winners = 0
        for byte in text:
            if not lexer:
                return 0
            lexer, winners = self._session.step_lexer(lexer, byte)
        return winners

    def _is_complete(self, state: int, pieces: tuple[Piece, ...]) -> bool:
        """Whether some pieces, read from a state, end where the text may end."""
        for piece in pieces:
            state = self._read(state, piece)
            if not state:
                return False
        return self._session.is_accepting(state)

    def _read(self, state: int, piece: Piece) -> int:
        """The state after a piece; 0 if it cannot follow."""
        if isinstance(piece, int):
            return self._session.commit(state, piece)
        reached, n = self._session.read(state, piece)
        return reached if n == len(piece) else 0

    def _stepwise(self, state: int) -> tuple[Piece, ...] | None:
        """Follow the cheapest terminals that can be read, one after the other."""
        pieces: list[Piece] = []
        length, seen = 0, {state}
        while not self._session.is_accepting(state):
            found = next((step for step in self._next(state) if step[1] not in seen), None)
            if found is None or length > LONGEST:
                return None
            piece, state = found
            seen.add(state)
            pieces.append(piece)
            length += len(piece) if isinstance(piece, bytes) else 1
        return joined(pieces)

    def _next(self, state: int) -> Iterator[tuple[Piece, int]]:
        """What may be read next, the cheapest first, with the state after it."""
        session = self._session
        ways = [
            (cost, piece, lexer)
            for lexer, _, row in session.elements(state)
            for cost, _, piece in self._ways(row, lexer)
        ]
        for _, piece, lexer in sorted(ways, key=lambda way: way[0]):
            for between in self._gaps if isinstance(piece, bytes) and not lexer else (b"",):
                whole = between + piece if isinstance(piece, bytes) else piece
                reached = self._read(state, whole)
                if reached:
                    yield whole, reached
