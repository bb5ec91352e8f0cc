"""States of context-free constraints: rows of the recogniser, each with the terminals that have begun there.

In:  a `constrain.ir.grammar.Grammar`.
Out: a `StateSpace`.

A state is a set of elements (row, lexer state, what is shunned): somewhere before, a row was reached; since then the
text has gone on with part of a terminal that the row expects. At a row itself the lexer has not begun (0). Text is
accepted if it ends at a row that accepts.
"""

from __future__ import annotations

import math
from collections import ChainMap, deque
from collections.abc import Hashable, Iterator, Mapping, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from constrain.automata.lexer import Lexer
from constrain.automata.network import NEVER, Network
from constrain.automata.rows import Recogniser, Template
from constrain.automata.rows import Row as GrammarRow
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.closing import Piece, joined, shortest
from constrain.errors import LimitExceeded, UnsatisfiableError, VocabularyError
from constrain.ir.expr import Literal
from constrain.ir.fuse import fuse
from constrain.ir.grammar import Call, Grammar, Rule, Seq, Terminal
from constrain.limits import Limits
from constrain.pieces import Pieces
from constrain.states import Row, Sparse, State, StateSpace, Words
from constrain.symbols import SPECIAL, Symbols, node_of
from constrain.terminals import TokenSets

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Element = tuple[GrammarRow, int, int]
"""A row, the lexer's state since (0: nothing read yet), and what must not be matched from here on."""
Front = frozenset[Element]

_Ended = dict[int, dict[int, set[tuple[GrammarRow, int]]]]
"""Terminals that have ended, and the rows where they were begun; by place, and by what is shunned from there."""

_SPACE = Terminal("space", Literal(b" "))
_SPACED = ("", "space before the text")
"""The rule of texts before which decoding drops a space."""


class GrammarSpace(StateSpace):
    """The states of one grammar over one vocabulary. `State.place` is a `Front`."""

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary, store: ExpressionStore, limits: Limits) -> None:
        super().__init__(vocabulary, store, limits)
        grammar = fuse(grammar)
        symbols = self.symbols = Symbols(grammar, vocabulary, store, limits)
        roots = (grammar.start, _SPACED) if vocabulary.strips_leading_space else (grammar.start,)
        spaced: dict[Hashable, Rule] = {_SPACED: Rule(Seq((_SPACE, Call(grammar.start))))}
        rules: Mapping[Hashable, Rule] = ChainMap(spaced, cast("MutableMapping[Hashable, Rule]", grammar.rules))
        network = self.network = Network(rules, roots, symbols.number, symbols.length, limits)
        self._grammar = grammar
        self.lexer = Lexer(store, grammar.longest, symbols.priorities, limits)
        if network.rule_cost(network.number(grammar.start)) == NEVER:
            raise self._nothing(grammar)
        self.recogniser = Recogniser(network, symbols.ignore, limits)
        self.recogniser.forget = self.forget_states
        token_sets = TokenSets(vocabulary, self.lexer, limits)
        self._pieces = Pieces(token_sets, self.recogniser, self.lexer, self._make_lexer, self._may_follow, limits)
        self._depths: dict[Hashable, tuple[int, ...]] = {}
        """How many continuations, one behind the other, masks of states of a shape depend on."""
        self._alive: dict[Element, bool] = {}
        self._shortest_strings: dict[int, bytes | None] = {}

    def start(self) -> State:
        """The state of the empty text."""
        start = self.recogniser.begin(self.network.number(self._grammar.start))
        elements: set[Element] = set()
        if not self.vocabulary.strips_leading_space:
            self._add((start, 0, EMPTY), elements)
        else:  # decoding drops one space: a text, or after a space a text, but none that begins with one
            spaced = self.recogniser.without_ignored(self.recogniser.begin(self.network.number(_SPACED)))
            self._add((spaced, 0, EMPTY), elements)
            space = self.store.lexer({self.symbols.number(_SPACE)}, self.limits)
            self._add((start, 0, self.lexer.settled(space)), elements)
        return self._intern(frozenset(elements))

    def forget_states(self) -> None:
        """See `StateSpace.forget_states`. What is known of elements would keep their rows."""
        super().forget_states()
        with self._lock:
            self._alive.clear()

    def _nothing(self, grammar: Grammar) -> UnsatisfiableError | VocabularyError:
        unspellable = [self.symbol_name(symbol) for symbol in self.symbols.unspellable]
        if unspellable:
            return VocabularyError(
                f"no tokens of {self.vocabulary!r} spell a text of the grammar: {unspellable[0]} cannot be spelled"
            )
        return UnsatisfiableError(f"no text at all can be derived from rule {grammar.start!r}: its rules never end")

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        viable: set[int] = set()
        for row, node, shun in () if state.terminated else state.place:
            lexing = node or self._lexer_of(row)
            found = self.store.viable_bytes(lexing, self.limits) if lexing else b""
            if shun:
                found = bytes(b for b in found if self._advance(frozenset({(row, node, shun)}), bytes([b])))
            viable |= set(found)
        return bytes(sorted(viable))

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        front, n = state.place, 0
        for n in range(len(data) + 1):
            after = self._advance(front, data[n : n + 1]) if n < len(data) else None
            if not after:
                break
            front = after
        return self._intern(front), n

    def symbol_name(self, symbol: int) -> str:
        """The name of a terminal."""
        return self.symbols.names[symbol]

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        found: set[int] = set()
        for row, node, _ in () if state.terminated else state.place:
            found |= self.store.terminals(node or self._lexer_of(row))
            found.update(symbol for symbol in row.expected if symbol >= SPECIAL and not node)
        return tuple(sorted({self.symbol_name(symbol) for symbol in found}))

    # ----------------------------------------------------------------------------------------------------- steps

    def _read(self, state: State, data: bytes) -> State | None:
        front = self._advance(state.place, data)
        return self._intern(front) if front else None

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and next(self._specials(state), None) is not None

    def _read_special(self, state: State, token: int) -> State | None:
        ended = [(row, symbol) for row, symbol in self._specials(state) if token in self._ids(symbol)]
        return self._intern(frozenset({(self.recogniser.join(ended), 0, EMPTY)})) if ended else None

    def _specials(self, state: State) -> Iterator[tuple[GrammarRow, int]]:
        """The special tokens expected in a state, and where."""
        if self.symbols.special:
            for row, node, _ in state.place:
                yield from ((row, symbol) for symbol in row.expected if symbol >= SPECIAL and not node)

    def _ids(self, symbol: int) -> frozenset[int]:
        return self.symbols.special[symbol - SPECIAL]

    def _intern(self, front: Front) -> State:
        state = self._states.get(front)
        if state is None:
            with self._lock:
                accepting = any(row.accepting for row, node, _ in front if not node)
                state = self._states.setdefault(front, State(front, front, accepting))
        return state

    def _advance(self, front: Front, data: bytes) -> Front:
        """The elements after `data`; none if it cannot follow."""
        reached: set[Element] = set()
        ended: _Ended = {}
        for row, node, shun in front:
            self._lex((row, node or self._lexer_of(row), shun), data, 0, ended, reached)
        while ended:
            at = min(ended)
            for shun, sources in ended.pop(at).items():
                row = self._join(sources)
                if at == len(data):
                    self._add((row, 0, shun), reached)
                else:
                    self._lex((row, self._lexer_of(row), shun), data, at, ended, reached)
        return frozenset(reached)

    def _lex(
        self, element: Element, data: bytes, at: int, ended: _Ended, reached: set[Element], checked: bool = True
    ) -> None:
        """Read data[at:] in an element: note where terminals end, and where it is left."""
        row, node, shun = element
        if not node:
            return
        lexed = self.lexer.read(node, shun, data[at:] if at else data)
        for ending in lexed.endings:
            sources = ended.setdefault(at + ending.at, {}).setdefault(ending.shun, set())
            sources.update((row, terminal) for terminal in ending.terminals)
        if lexed.node and checked:
            self._add((row, lexed.node, lexed.shun), reached)
        elif lexed.node:
            reached.add((row, lexed.node, lexed.shun))

    def _join(self, sources: set[tuple[GrammarRow, int]]) -> GrammarRow:
        """The row where terminals that were begun in some rows have ended together."""
        if len(sources) == 1:
            ((row, symbol),) = sources
            return row.after((symbol,))
        rows = {row for row, _ in sources}
        if len(rows) == 1:
            return rows.pop().after(tuple(sorted(symbol for _, symbol in sources)))
        return self.recogniser.join(sources)

    def _lexer_of(self, row: GrammarRow) -> int:
        """The lexer of the terminals that a row expects; 0 if it expects none."""
        known = row.template.lexers.get(row.ignores)
        return self._make_lexer(row.template, row.ignores) if known is None else known

    def _make_lexer(self, template: Template, ignores: bool) -> int:
        known = template.lexers.get(ignores)
        if known is None:
            text = {symbol for symbol in template.expects if symbol < SPECIAL}
            if ignores and self.symbols.ignore:
                text.add(self.symbols.ignore)
            known = template.lexers[ignores] = self.lexer.start(frozenset(text))
        return known

    def _add(self, element: Element, reached: set[Element]) -> None:
        """Add an element if something can follow it, or the text can end."""
        row, node, shun = element
        if node or row.accepting or self._lexer_of(row) or row.expected:
            if not shun or self._is_alive(element):
                reached.add(element)

    # ------------------------------------------------------------------------------------------------ completion

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        for row, node, _ in sorted(state.place, key=self._distance):
            for between in self._gaps:
                pieces = self._complete(row, node, between)
                if pieces is not None and self._is_complete(state, pieces):
                    return pieces
        return None

    @cached_property
    def _gaps(self) -> tuple[bytes, ...]:
        """What to put between terminals: nothing, or ignored text. (A comment may end with the line only.)"""
        ignore = self.symbols.ignore
        if not ignore:
            return (b"",)
        node = node_of(ignore)
        single = [bytes([b]) for b in self.store.viable_bytes(node, self.limits)]
        whole = [b for b in single if self.store.is_nullable(self.store.advance(node, b, self.limits).node)]
        return tuple(dict.fromkeys((b"", self._shortest(ignore) or b"", *whole)))

    def _distance(self, element: Element) -> float:
        row, node, _ = element
        return row.cost() if not node else self.store.shortest(node) + max(0.0, row.cost() - 1)

    def _complete(self, row: GrammarRow, node: int, between: bytes) -> tuple[Piece, ...] | None:
        """Follow the cheapest terminals to the end, with ignored text between them."""
        pieces: list[Piece] = []
        if node:
            rest = shortest(self.store, node, lambda n: self.store.marks(n, self.limits) != EMPTY, self.limits)
            if rest is None:
                return None
            ended = self.store.advance(node, rest, self.limits).node
            row = row.after(self.lexer.winners(self.store.marks(ended, self.limits)))
            pieces.append(rest)
        while not row.accepting:
            symbol = min(row.expected, key=row.cost_over)
            text = self._shortest(symbol) if symbol < SPECIAL else min(self._ids(symbol))
            if text is None or len(pieces) > self.limits.search:
                return None
            pieces += [between, text] if pieces and isinstance(text, bytes) else [text]
            row = row.after((symbol,))
        return joined(pieces)

    def _is_complete(self, state: State, pieces: tuple[Piece, ...]) -> bool:
        """Whether some pieces, read from a state, end where the text may end."""
        here: State | None = state
        for piece in pieces:
            if here is not None and piece != b"":
                here = self._read(here, piece) if isinstance(piece, bytes) else self._read_special(here, piece)
        return here is not None and here.accepting

    def _shortest(self, symbol: int) -> bytes | None:
        """The shortest string of a terminal."""
        if symbol not in self._shortest_strings:
            self._shortest_strings[symbol] = shortest(self.store, node_of(symbol), self.store.is_nullable, self.limits)
        return self._shortest_strings[symbol]

    # -------------------------------------------------------------------------------------------------- liveness

    def _may_follow(self, row: GrammarRow, node: int, shun: int) -> bool:
        """Whether something may follow at a state of a row's lexer where a terminal may have just ended."""
        marks = self.store.marks(node, self.limits)
        if marks != EMPTY:
            ending = self.lexer.ending(marks, node, shun)
            if self._is_alive((row.after(ending.terminals), 0, ending.shun)):
                return True
        return marks != node and self._is_alive((row, node, shun))

    def _is_alive(self, element: Element) -> bool:
        """Whether a text that is not to be shunned can be completed from here."""
        known = self._alive.get(element)
        if known is None:
            if len(self._alive) >= self.limits.transition_cache:
                self._alive.clear()
            known = self._alive[element] = self._find_alive(element)
        return known

    def _find_alive(self, element: Element) -> bool:
        row, node, shun = element
        if row.accepting and not node:
            return True
        lexing = node or self._lexer_of(row)
        if any(symbol >= SPECIAL for symbol in row.expected) and not node:
            return True
        if not lexing:
            return False
        return not shun or self.store.escapes(lexing, shun, self.limits) or self._search(element)

    def _search(self, element: Element) -> bool:
        """Look for a way out of what is shunned, breadth first."""
        seen = {element}
        todo = deque(seen)
        while todo:
            row, node, shun = todo.popleft()
            for b in self.store.viable_bytes(node or self._lexer_of(row), self.limits):
                reached: set[Element] = set()
                ended: _Ended = {}
                self._lex((row, node or self._lexer_of(row), shun), bytes([b]), 0, ended, reached, checked=False)
                for away, sources in ended.get(1, {}).items():
                    reached.add((self._join(sources), 0, away))
                for found in reached - seen:
                    if self._is_free(found):
                        return True
                    seen.add(found)
                    todo.append(found)
            if len(seen) > self.limits.search:
                raise LimitExceeded(
                    "search", len(seen), self.limits.search, "finding text that is not too short a match"
                )
        return False

    def _is_free(self, element: Element) -> bool:
        row, node, shun = element
        if row.accepting and not node:
            return True
        lexing = node or self._lexer_of(row)
        return bool(lexing) and (not shun or self.store.escapes(lexing, shun, self.limits))

    # ----------------------------------------------------------------------------------------------------- masks

    def _make_mask(self, state: State) -> Row | Sparse:
        """The mask of another state, if it looks like this one as far as any token can see."""
        shape = self._shape(state)
        for depth in self._depths.get(shape, ()):
            key = self._seen(state, shape, depth)
            mask = self._masks.get(key)
            if mask is not None:
                state.mask_key = key
                return mask
        mask, reach = self._fresh_mask(state)
        if reach is not None:
            state.mask_key = self._seen(state, shape, reach)
            with self._lock:
                self._depths[shape] = tuple({*self._depths.get(shape, ()), reach})
        self._keep(state.mask_key, mask)
        return mask

    def _shape(self, state: State) -> Hashable:
        elements = [(id(row.template), row.ignores, node, shun) for row, node, shun in self._elements(state)]
        return (state.accepting, state.terminated, *elements)

    def _seen(self, state: State, shape: Hashable, depth: int) -> Hashable:
        """What a state shares with others that look like it, as deep as `depth` continuations."""
        return (shape, depth, *[then.view(depth) for row, _, _ in self._elements(state) for then in row.bound])

    @staticmethod
    def _elements(state: State) -> list[Element]:
        return sorted(state.place or (), key=lambda e: (id(e[0].template), e[0].ignores, e[1], e[2]))

    def _allow(self, state: State, words: Words) -> int | None:
        """Returns how many continuations, one behind the other, the mask depends on; None if nobody knows."""
        depth, tried = 0.0, list[int]()
        for row, node, shun in state.place:
            lexing = node or self._lexer_of(row)
            if lexing:
                depth = max(depth, self._pieces.allow(row, lexing, shun, words, tried))
        allowed = {token for token in tried if self._advance(state.place, self.vocabulary.token_bytes(token))}
        for token in allowed.union(*[self._ids(symbol) for _, symbol in self._specials(state)]):
            words[token >> 5] |= np.uint32(1 << (token & 31))
        return None if depth == math.inf else int(depth)
