"""Masks of context-free states, put together from pieces.

In:  a row, the state of its lexer, a forest of tokens.
Out: the tokens of the forest that may come next, as bits of a mask.

Tokens that cross the end of a terminal are followed into the row after it, and on. Most of what is met there depends on
the shape of the row alone (its template), not on what follows the rules that it is in the middle of: that part is a
*piece*, worked out once for all rows of the shape. Where a token ends a rule, the piece is left open, and filled in for
each row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from functools import partial, reduce
from operator import or_
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from constrain.automata.lexer import Lexer
from constrain.automata.rows import Recogniser, Row, Template
from constrain.automata.store import ExpressionStore
from constrain.limits import Limits
from constrain.masks import Sparse, Words, add, packer_of
from constrain.symbols import is_once
from constrain.terminals import TokenForest, TokenSet, TokenSets, Undecided

_PARTS = 8
Symbols = tuple[int, ...]
"""Terminals that end together."""


Path = tuple[Symbols, ...]
"""Terminals that lead from a row to another one."""
Open = tuple[int, TokenForest]
"""Tokens that a piece leaves to the row, and what they must not match."""


class Piece(NamedTuple):
    """What may come next in all rows of a shape."""

    allowed: tuple[Sparse | Words, ...]
    undecided: tuple[tuple[Path, Undecided], ...]
    """Tokens that the row must decide, by the place that they lead to."""
    opens: tuple[tuple[Path, tuple[Open, ...]], ...]
    """Tokens left to the row, by the place from where they are to be followed."""


class Allowed(NamedTuple):
    """Where tokens go that may come next."""

    words: Words
    tried: list[int]
    """Those that must be tried one by one."""
    shared: bool
    """Whether the lexer state is one that others share: what follows later than a token is long is not known."""
    matched: bool = False
    """Whether a terminal that matches once has been read since the token began."""


class Barred(Protocol):
    """See `constrain.contextfree.Barred`."""

    @property
    def always(self) -> int:
        """No terminal may begin with it."""

    @property
    def some(self) -> int:
        """Some terminal may not."""

    @property
    def turns(self) -> bool:
        """Whether what follows depends on all of the text."""


class Lexing(Protocol):
    """What pieces ask of the space of states that they belong to."""

    def make_lexer(self, template: Template, ignores: bool) -> int:
        """The lexer of a template, with ignored text or without, and without terminals that match once."""

    def lexers_of(self, row: Row, shun: int) -> Sequence[tuple[int, int, Barred | None]]:
        """The lexers that begin in a row, what must not be matched there, and more of it if they match once."""

    def may_follow(self, row: Row, node: int, shun: int) -> bool:
        """Whether the text can be completed where `row` was reached, its lexer is at `node` since, and something is
        to be shunned."""


class Pieces:
    """The pieces of one grammar over one vocabulary."""

    def __init__(
        self,
        token_sets: TokenSets,
        recogniser: Recogniser,
        lexer: Lexer,
        lexing: Lexing,
        turning: Collection[int],
        limits: Limits,
    ) -> None:
        """`turning` has the terminals after which it depends on all of the text what comes next."""
        self._turning = turning
        self._sets, self._recogniser, self._lexer, self._lexing = token_sets, recogniser, lexer, lexing
        self._limits = limits
        self._store: ExpressionStore = lexer.store
        self._pieces: dict[tuple[Template, bool, int, int, int], Piece] = {}
        self._packer = packer_of(token_sets.width)
        self._nbytes = 0

    @property
    def count(self) -> int:
        """Number of pieces held."""
        return len(self._pieces)

    def allow(self, row: Row, node: int, shun: int, avoided: int, words: Words, tried: list[int]) -> float:
        """Add the tokens that may come next where `row` was reached and its lexer is at `node`.

        What is `avoided` includes what is shunned. Returns how many continuations, one behind the other, have been
        looked at; infinity if nobody knows. Tokens that must be tried one by one are added to `tried`: where the lexer
        state is one that others share, what follows later than a token is long cannot be told from it.
        """
        forests = self._sets.of_vocabulary(node)
        if not avoided or self._lexer.longest:
            return max(
                [self._allow(row, key, shun, forest, Allowed(words, tried, key != node)) for key, forest in forests]
            )
        found = np.zeros_like(words)
        depth = max([self._allow(row, key, 0, forest, Allowed(found, tried, key != node)) for key, forest in forests])
        if [self._strike(node, avoided, forest, found, tried, avoided == shun) for _, forest in forests].count(False):
            depth = math.inf
        words |= found
        return depth

    def whole(self, row: Row, node: int) -> Sparse | Words | None:
        """The mask where `row` was reached and its lexer is at `node`, if a piece is all there is to it."""
        forests = self._sets.of_vocabulary(node)
        if len(forests) > 1:
            return None
        ((key, forest),) = forests
        piece = self._piece(row.template, row.ignores, key, 0, forest)
        return piece.allowed[0] if len(piece.allowed) == 1 and not piece.undecided and not piece.opens else None

    def allow_none_untried(self, row: Row, node: int, tried: list[int]) -> None:
        """Add the tokens to `tried` that `allow` would allow if nothing were avoided."""
        words = np.zeros(self._sets.width, np.uint32)
        self.allow(row, node, 0, 0, words, tried)
        tried.extend(self._packer.tokens(words))

    def turn(self, node: int, after: Row, words: Words, tried: list[int]) -> None:
        """Add the tokens that may come next in a terminal which, wherever it ends, leads to the row `after`."""
        first = reduce(or_, [self._sets.first(lexing) for lexing, _, _ in self._lexing.lexers_of(after, 0)], 0)
        for key, forest in self._sets.of_vocabulary(node):
            out = Allowed(words, tried, key != node)
            found = self._sets.of(key, 0, forest) or self._sets.narrow(key, 0, forest, lambda marks: first)
            if found.inside is not None:
                add(words, found.inside)
            for _, shunned, trees in found.crossings:
                self._cross(after, (), ((shunned, trees),), out)

    def guess(self, row: Row, node: int, forest: TokenForest, tried: list[int]) -> None:
        """Add the tokens of a forest to `tried` that may come next as far as the lexer can tell, and some others."""
        found = self._sets.of(node, 0, forest) or self._sets.narrow(node, 0, forest, partial(self._follows, row))
        words = np.zeros(self._sets.width, np.uint32)
        if found.inside is not None:
            add(words, found.inside)
        tried.extend(self._packer.tokens(words))
        for crossing in found.crossings:
            tried.extend(_tokens_of(crossing.forest))
        for undecided in found.undecided:
            tried.extend(undecided.tokens.tolist())

    def _strike(self, node: int, shun: int, forest: TokenForest, words: Words, tried: list[int], certain: bool) -> bool:
        """Take away the tokens that match what is shunned, or have them tried, unless that is `certain`.

        Returns whether all is settled, none being left to try.
        """
        if not forest.first & self._sets.first(shun):
            return True
        killed, doubtful = self._store.strike(node, shun, forest.trees, self._limits)
        struck = [token for tokens in killed for token in _taken(words, tokens)]
        doubts = _taken(words, np.array(doubtful, np.int64)) if doubtful else []
        if not certain:
            doubts += struck
        tried.extend(doubts)
        return not doubts

    def _allow(self, row: Row, node: int, shun: int, forest: TokenForest, out: Allowed) -> float:
        piece = self._piece(row.template, row.ignores, node, shun, forest)
        for some in piece.allowed:
            add(out.words, some)
        depth = 0.0
        for path, undecided in piece.undecided:
            self._decide(_follow(row, path), undecided, out)
            depth = math.inf
        for path, opens in piece.opens:
            if not path:
                return self._allow_narrow(row, node, shun, forest, out)
            depth = max(depth, self._cross(_follow(row, path), path, opens, out))
        return depth

    def _cross(self, after: Row, symbols: Path, opens: Iterable[Open], out: Allowed) -> float:
        """Add the tokens that go on in a row that was reached, over some terminals, in the middle of them.

        Where a terminal that matches once has been read on the way, the row does not know of it: tokens that may match
        it again are tried one by one.
        """
        if any(is_once(symbol) for ended in symbols for symbol in ended):
            out = out._replace(matched=True)
        turned = bool(self._turning) and any(symbol in self._turning for ended in symbols for symbol in ended)
        depth = 1.0
        for shunned, trees in opens:
            if turned:
                out.tried.extend(_tokens_of(trees))
                depth = math.inf
                continue
            for lexing, barred, once in self._lexing.lexers_of(after, shunned):
                if not trees.first & self._sets.first(lexing):
                    continue
                if once is None:
                    depth = max(depth, 1 + self._allow(after, lexing, barred, trees, out))
                    continue
                if once.turns:
                    self.guess(after, lexing, trees, out.tried)
                    depth = math.inf
                    continue
                if self._sets.first(lexing).bit_count() == 1 and trees.height == 1:  # see `_take_tips`
                    depth = max(depth, 1 + self._allow(after, lexing, 0, trees, out))
                    continue
                found = np.zeros_like(out.words)
                depth = max(depth, 1 + self._allow(after, lexing, 0, trees, out._replace(words=found)))
                if self._take_tips(lexing, trees, found, out.words):
                    continue
                if out.matched:
                    out.tried.extend(self._packer.tokens(found))
                elif once.some and not self._strike(
                    lexing, once.some, trees, found, out.tried, once.some == once.always
                ):
                    depth = math.inf
                if not out.matched:
                    np.bitwise_or(out.words, found, out=out.words)
                if out.matched or after.bars:
                    depth = math.inf
        return depth

    def _take_tips(self, lexing: int, trees: TokenForest, found: Words, words: Words) -> bool:
        """Move the tokens that end after the first byte of a terminal that matches once to `words`.

        Where all its matches begin with the same byte, that says nothing of which one it will be, and there is always
        one left. Returns whether these are all.
        """
        if self._sets.first(lexing).bit_count() > 1:
            return False
        tokens = self._packer.tokens(found)
        tips = trees.tips()
        for token in tokens:
            into = words if token in tips else found
            into[token >> 5] |= np.uint32(1 << (token & 31))
        return tips.issuperset(tokens)

    def _allow_narrow(self, row: Row, node: int, shun: int, forest: TokenForest, out: Allowed) -> float:
        """The same where so many tokens cross that only those are looked at that what follows in `row` can read."""
        found = self._sets.narrow(node, shun, forest, partial(self._follows, row))
        if found.inside is not None:
            add(out.words, found.inside)
        depth = 1.0
        for undecided in found.undecided:
            self._decide(row, undecided, out)
            depth = math.inf
        for marks, shunned, trees in found.crossings:
            symbols = self._lexer.winners(marks)
            depth = max(depth, self._cross(row.after(symbols), (symbols,), ((shunned, trees),), out))
        return depth

    def _decide(self, row: Row, undecided: Undecided, out: Allowed) -> None:
        """Add the tokens that led to `row` and a state of its lexer, if something may follow there."""
        if out.shared:
            out.tried.extend(undecided.tokens.tolist())
        elif self._lexing.may_follow(row, undecided.node, undecided.shun):
            tokens = undecided.tokens
            np.bitwise_or.at(out.words, tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))

    def _piece(self, template: Template, ignores: bool, node: int, shun: int, forest: TokenForest) -> Piece:
        key = (template, ignores, node, shun, forest.number)
        piece = self._pieces.get(key)
        if piece is None:
            if self._nbytes > self._limits.mask_cache_bytes:
                self._nbytes = 0
                self._pieces.clear()
            found = self._sets.of(node, shun, forest)
            if found is None:
                piece = Piece((), (), (((), ()),))
            else:
                piece = self._make(template, ignores, found)
            self._pieces[key] = piece
            self._nbytes += 500
        return piece

    def _make(self, template: Template, ignores: bool, found: TokenSet) -> Piece:
        """Follow crossing tokens as far as the template tells."""
        allowed = [] if found.inside is None else [found.inside]
        if not found.crossings:
            return Piece(tuple(allowed), tuple(((), undecided) for undecided in found.undecided), ())
        waiting: list[tuple[Path, Undecided]] = [((), undecided) for undecided in found.undecided]
        opens: dict[Path, dict[tuple[int, int], Open]] = {}
        for marks, shun, forest in found.crossings:
            symbols = self._lexer.winners(marks)
            after = self._recogniser.shape_after(template, ignores, symbols)
            if after is None or after[0].twins:
                symbols = self._recogniser.alias(template, symbols)
                opens.setdefault((symbols,), {})[shun, forest.number] = shun, forest
                continue
            lexing = self._lexing.make_lexer(*after)
            if forest.first & self._sets.first(lexing):
                inner = self._piece(*after, lexing, shun, forest)
                allowed += inner.allowed
                waiting += [((symbols, *path), undecided) for path, undecided in inner.undecided]
                for path, left in inner.opens:
                    for shunned, trees in left or [(shun, forest)]:
                        opens.setdefault((symbols, *path), {})[shunned, trees.number] = shunned, trees
        left_open = tuple((path, tuple(left.values())) for path, left in opens.items())
        return Piece(self._joined(allowed), tuple(waiting), left_open)

    def _joined(self, allowed: list[Sparse | Words]) -> tuple[Sparse | Words, ...]:
        """The same bits in few parts."""
        if len(allowed) <= _PARTS:
            return tuple(allowed)
        words = np.zeros(self._sets.width, np.uint32)
        for some in allowed:
            add(words, some)
        joined = self._packer.pack(words)
        assert joined is not None
        self._nbytes += joined.nbytes
        return (joined,)

    def _follows(self, row: Row, marks: int) -> int:
        """The bytes that may follow terminals expected in a row, one bit for each."""
        after = row.after(self._lexer.winners(marks))
        return reduce(or_, [self._sets.first(lexing) for lexing, _, _ in self._lexing.lexers_of(after, 0)], 0)


def _taken(words: Words, tokens: npt.NDArray[np.integer]) -> list[int]:
    """Take the bits of some tokens out of a mask: those that were set."""
    at, bits = tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32)
    there = words[at] & bits != 0
    np.bitwise_and.at(words, at[there], ~bits[there])
    found: list[int] = tokens[there].tolist()
    return found


def _tokens_of(forest: TokenForest) -> list[int]:
    trie = forest.trees.trie
    parts = [trie.order[trie.first[i] : trie.first[trie.skip[i]]] for i in forest.trees.roots.tolist()]
    return [token for part in parts for token in part.tolist()]


def _follow(row: Row, path: Path) -> Row:
    """The row at the end of a path."""
    for symbols in path:
        row = row.after(symbols)
    return row
