"""Masks of context-free states, put together from pieces.

In:  a row, the state of its lexer, a forest of tokens.
Out: the tokens of the forest that may come next, as bits of a mask.

Tokens that cross the end of a terminal are followed into the row after it, and on. Most of what is met there depends on
the shape of the row alone (its template), not on what follows the rules that it is in the middle of: that part is a
*piece*, worked out once for all rows of the shape. Where a token ends a rule, the piece is left open, and filled in for
each row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from constrain.automata.lexer import Lexer
from constrain.automata.rows import Recogniser, Row, Template
from constrain.automata.store import ExpressionStore
from constrain.limits import Limits
from constrain.states import Sparse, Words, add, pack
from constrain.terminals import TokenForest, TokenSet, TokenSets

Symbols = tuple[int, ...]
"""Terminals that end together."""


Path = tuple[Symbols, ...]
"""Terminals that lead from a row to another one."""
Open = tuple[int, TokenForest]
"""Tokens that a piece leaves to the row, and what they must not match."""


class Piece(NamedTuple):
    """What may come next in all rows of a shape."""

    allowed: Sparse | Words | None
    undecided: frozenset[int]
    """Tokens that must be tried."""
    opens: tuple[tuple[Path, tuple[Open, ...]], ...]
    """Tokens left to the row, by the place from where they are to be followed."""


class Pieces:
    """The pieces of one grammar over one vocabulary."""

    def __init__(
        self,
        token_sets: TokenSets,
        recogniser: Recogniser,
        lexer: Lexer,
        lexer_of: Callable[[Template, bool], int],
        limits: Limits,
    ) -> None:
        """`lexer_of` tells the lexer of a template, with ignored text or without."""
        self._sets, self._recogniser, self._lexer, self._lexer_of = token_sets, recogniser, lexer, lexer_of
        self._limits = limits
        self._store: ExpressionStore = lexer.store
        self._pieces: dict[tuple[Template, bool, int, int, int], Piece] = {}
        self._firsts: dict[int, int] = {}
        self._nbytes = 0

    def allow(self, row: Row, node: int, shun: int, words: Words, undecided: set[int]) -> int:
        """Add the tokens that may come next where `row` was reached and its lexer is at `node`.

        Returns how many continuations, one behind the other, have been looked at.
        """
        forests = self._sets.of_vocabulary(node)
        return max([self._allow(row, key, shun, forest, words, undecided) for key, forest in forests])

    def _allow(self, row: Row, node: int, shun: int, forest: TokenForest, words: Words, undecided: set[int]) -> int:
        piece = self._piece(row.template, row.ignores, node, shun, forest)
        add(words, piece.allowed)
        undecided |= piece.undecided
        depth = 0
        for path, opens in piece.opens:
            if not path:
                return self._allow_narrow(row, node, shun, forest, words, undecided)
            after = row
            for symbols in path:
                after = after.after(symbols)
            depth = max(depth, 1)
            lexing = self._lexer_of(after.template, after.ignores)
            first = self._first(lexing)
            for shunned, trees in opens:
                if trees.first & first:
                    depth = max(depth, 1 + self._allow(after, lexing, shunned, trees, words, undecided))
        return depth

    def _allow_narrow(
        self, row: Row, node: int, shun: int, forest: TokenForest, words: Words, undecided: set[int]
    ) -> int:
        """The same where so many tokens cross that only those are looked at that what follows in `row` can read."""
        found = self._sets.narrow(node, shun, forest, partial(self._follows, row))
        add(words, found.inside)
        undecided.update(found.undecided)
        depth = 1
        for marks, shunned, trees in found.crossings:
            after = row.after(self._lexer.winners(marks))
            lexing = self._lexer_of(after.template, after.ignores)
            depth = max(depth, 1 + self._allow(after, lexing, shunned, trees, words, undecided))
        return depth

    def _piece(self, template: Template, ignores: bool, node: int, shun: int, forest: TokenForest) -> Piece:
        key = (template, ignores, node, shun, forest.number)
        piece = self._pieces.get(key)
        if piece is None:
            if self._nbytes > self._limits.mask_cache_bytes:
                self._nbytes = 0
                self._pieces.clear()
            found = self._sets.of(node, shun, forest)
            if found is None:
                piece = Piece(None, frozenset(), (((), ()),))
            else:
                piece = self._make(template, ignores, found)
            self._pieces[key] = piece
            self._nbytes += 500 + (piece.allowed.nbytes if piece.allowed is not None else 0)
        return piece

    def _make(self, template: Template, ignores: bool, found: TokenSet) -> Piece:
        """Follow crossing tokens as far as the template tells."""
        if not found.crossings:
            return Piece(found.inside, frozenset(found.undecided), ())
        words = np.zeros(self._sets.width, np.uint32)
        add(words, found.inside)
        undecided = set(found.undecided)
        opens: dict[Path, dict[tuple[int, int], Open]] = {}
        for marks, shun, forest in found.crossings:
            symbols = self._lexer.winners(marks)
            after = self._recogniser.shape_after(template, ignores, symbols)
            if after is None:
                symbols = self._recogniser.alias(template, symbols)
                opens.setdefault((symbols,), {})[shun, forest.number] = shun, forest
                continue
            lexing = self._lexer_of(*after)
            if forest.first & self._first(lexing):
                inner = self._piece(*after, lexing, shun, forest)
                add(words, inner.allowed)
                undecided |= inner.undecided
                for path, left in inner.opens:
                    for shunned, trees in left or [(shun, forest)]:
                        opens.setdefault((symbols, *path), {})[shunned, trees.number] = shunned, trees
        return Piece(
            pack(words), frozenset(undecided), tuple((path, tuple(left.values())) for path, left in opens.items())
        )

    def _follows(self, row: Row, marks: int) -> int:
        """The bytes that may follow terminals expected in a row, one bit for each."""
        after = row.after(self._lexer.winners(marks))
        return self._first(self._lexer_of(after.template, after.ignores))

    def _first(self, node: int) -> int:
        """The bytes that a lexer may read first, one bit for each."""
        known = self._firsts.get(node)
        if known is None:
            viable = self._store.viable_bytes(node, self._limits) if node else b""
            known = self._firsts[node] = sum(1 << b for b in viable)
        return known
