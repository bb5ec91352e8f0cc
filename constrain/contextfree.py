"""States of context-free constraints: rows of the recogniser, each with the terminals that have begun there.

In:  a `constrain.ir.grammar.Grammar`.
Out: a `StateSpace`.

A state is a set of elements (row, lexer state, what is shunned): somewhere before, a row was reached; since then the
text has gone on with part of a terminal that the row expects. At a row itself the lexer has not begun (0). Text is
accepted if it ends at a row that accepts.

Terminals that match once have a lexer of their own, which shuns what they have matched before, and the elements in it
remember what they have read.
"""

from __future__ import annotations

import math
from collections import ChainMap, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial, reduce
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from constrain.automata.lexer import Lexer
from constrain.automata.network import NEVER, Network
from constrain.automata.rows import After, Recogniser, Template, Turn
from constrain.automata.rows import Row as GrammarRow
from constrain.automata.store import EMPTY, ExpressionStore
from constrain.closing import Piece
from constrain.endings import Endings
from constrain.errors import LimitExceeded, UnsatisfiableError, VocabularyError
from constrain.ir.expr import Literal
from constrain.ir.fuse import fuse
from constrain.ir.grammar import Call, Grammar, Rule, Seq, Terminal
from constrain.limits import Limits
from constrain.masks import MaskCache, Row, Sparse, Words
from constrain.pieces import Pieces
from constrain.states import State, StateSpace
from constrain.symbols import SPECIAL, Symbols, TextTerminals, is_once, plain
from constrain.terminals import TokenSets

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from constrain.vocab.vocabulary import Vocabulary

Element = tuple[GrammarRow, int, int, bytes]
"""A row, the lexer's state since (0: nothing read yet), what must not be matched from here on, and, if the
lexer is that of terminals that match once, what it has read."""
Front = frozenset[Element]


class Barred(NamedTuple):
    """What terminals that match once must not begin with in a row: nodes that read it before a mark."""

    always: int
    """No terminal may."""
    some: int
    """Some terminal may not. Tokens that do have to be tried."""
    turns: bool
    """Whether what follows depends on all of the text."""


Lexing = tuple[int, int, Barred | None]
"""A lexer state, what must not be matched from there on, and, where terminals begin that match once, more of that."""
_Source = tuple[GrammarRow, int, After]
"""The row where a terminal was begun, the terminal, and what is known of its end."""
_Ended = dict[int, dict[int, set[_Source]]]
"""Terminals that have ended; by place, and by what is shunned from there."""

_SPACE = Terminal("space", Literal(b" "))
_SPACED = ("", "space before the text")
"""The rule of texts before which decoding drops a space."""


class OnceLexer(NamedTuple):
    """The terminals of a template that match once, and look alike to the lexer."""

    lexer: int
    always: int
    """What none of them ever matches (a node of the store, or 0)."""
    some: int
    """What some of them never match."""
    turns: bool
    """Whether what follows them depends on all of the text."""


class GrammarSpace(StateSpace):
    """The states of one grammar over one vocabulary. `State.place` is a `Front`."""

    def __init__(
        self,
        grammar: Grammar,
        vocabulary: Vocabulary,
        store: ExpressionStore,
        limits: Limits,
        shared: tuple[TextTerminals, TokenSets] | None = None,
        masks: MaskCache | None = None,
    ) -> None:
        """`shared` may be what grammars over the same vocabulary have in common that are read in every way, and
        `masks` what they have in common with all others."""
        super().__init__(vocabulary, store, limits, masks)
        grammar = fuse(grammar)
        if shared is None or grammar.longest:
            text = TextTerminals(vocabulary, store, grammar.longest, limits)
            shared = text, TokenSets(vocabulary, Lexer(store, grammar.longest, text.priorities, limits), limits)
        text, token_sets = shared
        if grammar.remembers:  # its terminals are of no use to others
            text = TextTerminals(vocabulary, store, False, limits)
        self.lexer = token_sets.lexer
        symbols = self.symbols = Symbols(grammar, vocabulary, text)
        roots = (grammar.start, _SPACED) if vocabulary.strips_leading_space else (grammar.start,)
        spaced: dict[Hashable, Rule] = {_SPACED: Rule(Seq((_SPACE, Call(grammar.start))))}
        rules: Mapping[Hashable, Rule] = ChainMap(spaced, cast("MutableMapping[Hashable, Rule]", grammar.rules))
        network = self.network = Network(
            rules, roots, symbols.number, symbols.length, limits, grammar.cost, lazy_roots=grammar.is_plain
        )
        self._grammar = grammar
        if not grammar.is_plain and network.rule_cost(network.number(grammar.start)) == NEVER:
            raise self._nothing(grammar)
        self.recogniser = Recogniser(network, symbols.ignore, plain, limits)
        self.recogniser.forget = self.forget_states
        self._pieces = Pieces(token_sets, self.recogniser, self.lexer, self, text.turning, limits)
        self._bar_lexers: dict[frozenset[int], int] = {}
        self._depths: dict[Hashable, tuple[int, ...]] = {}
        """How many continuations, one behind the other, masks of states of a shape depend on."""
        self._alive: dict[tuple[GrammarRow, int, int], bool] = {}
        self._endings = Endings(self)

    @property
    def is_lazy(self) -> bool:
        """Whether some rules are made only when they are reached."""
        return self._grammar.cost is not None

    def start(self) -> State:
        """The state of the empty text."""
        start = self.recogniser.begin(self.network.number(self._grammar.start))
        elements: set[Element] = set()
        if not self.vocabulary.strips_leading_space:
            self._add((start, 0, EMPTY, b""), elements)
        else:  # decoding drops one space: a text, or after a space a text, but none that begins with one
            spaced = self.recogniser.without_ignored(self.recogniser.begin(self.network.number(_SPACED)))
            self._add((spaced, 0, EMPTY, b""), elements)
            space = self.store.lexer({self.symbols.number(_SPACE)}, self.limits)
            self._add((start, 0, self.lexer.settled(space), b""), elements)
        return self._intern(frozenset(elements), b"")

    @property
    def nbytes(self) -> int:
        """See `StateSpace.nbytes`: by what JSON Schemas were seen to take for each of these."""
        used = 450 * self._pieces.count + 650 * len(self._states) + 1500 * self.recogniser.templates
        return used + 2500 * self.network.size + (self._grammar.source.nbytes if self._grammar.source else 0)

    def forget_states(self) -> None:
        """See `StateSpace.forget_states`. What is known of elements would keep their rows."""
        super().forget_states()
        with self._lock:
            self._alive.clear()

    def close(self) -> None:
        """See `StateSpace.close`."""
        self.recogniser.close()
        if self._grammar.source is not None:
            self._grammar.source.close()
        super().close()

    def _nothing(self, grammar: Grammar) -> UnsatisfiableError | VocabularyError:
        unspellable = self.symbols.unspellable
        if unspellable:
            return VocabularyError(
                f"no tokens of {self.vocabulary!r} spell a text of the grammar: {unspellable[0]} cannot be spelled"
            )
        return UnsatisfiableError(f"no text at all can be derived from rule {grammar.start!r}: its rules never end")

    def viable_bytes(self, state: State) -> bytes:
        """See `StateSpace.viable_bytes`."""
        viable: set[int] = set()
        for row, node, shun, read in () if state.terminated else state.place:
            for lexing, shunned, _ in self._lexing(row, node, shun):
                found = self.store.viable_bytes(lexing, self.limits)
                if shunned:
                    front = frozenset({(row, node, shun, read)})
                    found = bytes(b for b in found if self._advance(front, bytes([b]), state.text))
                viable |= set(found)
        return bytes(sorted(viable))

    def read(self, state: State, data: bytes) -> tuple[State, int]:
        """See `StateSpace.read`."""
        front, n = state.place, 0
        for n in range(len(data) + 1):
            after = self._advance(front, data[n : n + 1], state.text + data[:n]) if n < len(data) else None
            if not after:
                break
            front = after
        return self._intern(front, state.text + data[:n]), n

    def symbol_name(self, symbol: int) -> str:
        """The name of a terminal."""
        return self.symbols.name(symbol)

    def expected_names(self, state: State) -> tuple[str, ...]:
        """See `StateSpace.expected_names`."""
        found: set[int] = set()
        for row, node, shun, _ in () if state.terminated else state.place:
            found = found.union(*[self.store.terminals(begun[0]) for begun in self._lexing(row, node, shun)])
            found.update(symbol for symbol in row.expected if symbol >= SPECIAL and not node)
        return tuple(sorted({self.symbol_name(symbol) for symbol in found}))

    # --------------------------------------------------------------------------------------- for `constrain.product`

    @property
    def remembers(self) -> bool:
        """Whether what may follow can depend on all of the text before."""
        return self._grammar.remembers

    @property
    def is_plain(self) -> bool:
        """Whether every way to cut a text counts, and every terminal may match whatever was matched before."""
        return not (self._grammar.longest or self._grammar.remembers or self.symbols.has_once)

    def follow(self, state: State, data: bytes) -> State | None:
        """The state after bytes, None if they cannot follow. It is not remembered."""
        return self._read(state, data)

    def follow_special(self, state: State, token: int) -> State | None:
        """The state after a special token, None if it cannot follow."""
        return self._read_special(state, token)

    def special_tokens(self, state: State) -> list[int]:
        """One special token for each that is expected."""
        return [min(self.symbols.ids(symbol)) for _, symbol in self._specials(state)]

    def lexings(self, state: State) -> Iterator[tuple[int, bool]]:
        """The lexers of a state, and whether these alone say what may be read."""
        for row, node, shun, read in state.place or ():
            for lexing, shunned, once in self._lexing(row, node, shun):
                yield lexing, not shunned and once is None and not read

    # ----------------------------------------------------------------------------------------------------- steps

    def _read(self, state: State, data: bytes) -> State | None:
        front = self._advance(state.place, data, state.text)
        return self._intern(front, state.text + data) if front else None

    def expects_special(self, state: State) -> bool:
        """See `StateSpace.expects_special`."""
        return not state.terminated and next(self._specials(state), None) is not None

    def _read_special(self, state: State, token: int) -> State | None:
        ended = [(row, symbol, 0) for row, symbol in self._specials(state) if token in self.symbols.ids(symbol)]
        return self._intern(frozenset({(self.recogniser.join(ended), 0, EMPTY, b"")}), state.text) if ended else None

    def _specials(self, state: State) -> Iterator[tuple[GrammarRow, int]]:
        """The special tokens expected in a state, and where."""
        if self.symbols.special:
            for row, node, _, _ in state.place:
                yield from ((row, symbol) for symbol in row.expected if symbol >= SPECIAL and not node)

    def _intern(self, front: Front, text: bytes) -> State:
        text = text if self._grammar.remembers else b""
        key = (front, text) if text else front
        state = self._states.get(key)
        if state is None:
            with self._lock:
                accepting = any(row.accepting for row, node, _, _ in front if not node)
                state = self._states.setdefault(key, State(front, (self._owner, key), accepting, text=text))
        return state

    def _advance(self, front: Front, data: bytes, text: bytes) -> Front:
        """The elements after `data`; none if it cannot follow. `text` is what has been read before, if that counts."""
        reached: set[Element] = set()
        ended: _Ended = {}
        for element in front:
            self._lex(element, data, 0, ended, reached, text)
        while ended:
            at = min(ended)
            for shun, sources in ended.pop(at).items():
                if not sources:
                    continue
                row = self._join(sources)
                if at == len(data):
                    self._add((row, 0, shun, b""), reached)
                else:
                    self._lex((row, 0, shun, b""), data, at, ended, reached, text)
        return frozenset(reached)

    def _lex(
        self,
        element: Element,
        data: bytes,
        at: int,
        ended: _Ended,
        reached: set[Element],
        text: bytes,
        checked: bool = True,
    ) -> None:
        """Read data[at:] in an element: note where terminals end, and where it is left."""
        row, node, shun, before = element
        rest = data[at:] if at else data
        for lexing, shunned, once in self._lexing(row, node, shun):
            lexed = self.lexer.read(lexing, shunned, rest)
            is_once = once is not None or bool(before)
            for ending in lexed.endings:
                sources = ended.setdefault(at + ending.at, {}).setdefault(ending.shun, set())
                if is_once:
                    sources.update(
                        self._matched(row, ending.terminals, before + rest[: ending.at], text + data[: at + ending.at])
                    )
                else:
                    sources.update((row, terminal, 0) for terminal in ending.terminals)
            if lexed.node:
                after = (row, lexed.node, lexed.shun, before + rest if is_once else b"")
                if checked:
                    self._add(after, reached)
                else:
                    reached.add(after)

    def _join(self, sources: set[_Source]) -> GrammarRow:
        """The row where terminals that were begun in some rows have ended together."""
        if len(sources) == 1:
            ((row, symbol, bar),) = sources
            return self.recogniser.join(sources) if bar else row.after((symbol,))
        rows = {row for row, _, _ in sources}
        if len(rows) == 1 and not any(bar for _, _, bar in sources):
            return rows.pop().after(tuple(sorted(symbol for _, symbol, _ in sources)))
        return self.recogniser.join(sources)

    def _lexing(self, row: GrammarRow, node: int, shun: int) -> Sequence[Lexing]:
        """The lexer states of an element. In the middle of a terminal nobody says whether it matches once."""
        return ((node, shun, None),) if node else self.lexers_of(row, shun)

    def lexers_of(self, row: GrammarRow, shun: int) -> Sequence[Lexing]:
        """The lexers that begin in a row."""
        plain = self._lexer_of(row)
        found: list[Lexing] = [(plain, shun, None)] if plain else []
        if row.template.twins:
            for once, barred in zip(self._once(row.template), self._barred(row)):
                both = self.store.unite(shun, barred.always, self.limits) if shun else barred.always
                found.append((once.lexer, both, barred))
        return found

    def _once(self, template: Template) -> list[OnceLexer]:
        """The lexers of the terminals of a template that match once: one for those that look alike."""
        if template.once is None:
            template.once = [self._once_lexer(lexed, twins) for lexed, twins in template.twins.items()]
        known: list[OnceLexer] = template.once
        return known

    def _once_lexer(self, lexed: int, twins: Iterable[int]) -> OnceLexer:
        terminals = [self.symbols.text.once[symbol] for symbol in twins]
        kinds = [terminal.once for terminal in terminals if terminal.once is not None]
        start = self.lexer.start(frozenset((lexed,)))
        if not kinds:
            return OnceLexer(start, EMPTY, EMPTY, True)
        always = frozenset.intersection(*[kind.never for kind in kinds])
        some = frozenset[Hashable]().union(*[kind.never for kind in kinds])
        bar = self.symbols.text.bar_all
        never, rarely = bar(kinds[0], always), bar(kinds[0], some)
        return OnceLexer(start, never, rarely, lexed in self.symbols.text.turning)

    def _barred(self, row: GrammarRow) -> list[Barred]:
        """What the terminals that match once must not begin with in a row, for each lexer of theirs."""
        if row.barred is None:
            row.barred = []
            for once in self._once(row.template):
                always = self._lexer_of_bars(row.bars, once.always)
                some = always if once.some == once.always else self._lexer_of_bars(row.bars, once.some)
                row.barred.append(Barred(always, some, once.turns))
        known: list[Barred] = row.barred
        return known

    def _lexer_of_bars(self, bars: frozenset[int], more: int) -> int:
        bars = bars | {more} if more else bars
        known = self._bar_lexers.get(bars)
        if known is None:
            known = self._bar_lexers[bars] = self.store.lexer(bars, self.limits) if bars else EMPTY
        return known

    def _matched(self, row: GrammarRow, terminals: Iterable[int], match: bytes, text: bytes) -> Iterator[_Source]:
        """The terminals that have matched at the end of a text, of those that look alike to the lexer."""
        for lexed in terminals:
            for symbol in row.template.twins[lexed]:
                terminal = self.symbols.text.once[symbol]
                if terminal.turn is not None:
                    rule = terminal.turn(text) if text else None
                    if rule is not None:
                        yield row, symbol, Turn(rule)
                    continue
                assert terminal.once is not None
                value = terminal.once.value(match)
                if value not in terminal.once.never:
                    yield row, symbol, self.symbols.text.bar(terminal.once, value)

    def _lexer_of(self, row: GrammarRow) -> int:
        """The lexer of the terminals that a row expects; 0 if it expects none."""
        known = row.template.lexers.get(row.ignores)
        return self.make_lexer(row.template, row.ignores) if known is None else known

    def make_lexer(self, template: Template, ignores: bool) -> int:
        """The lexer of what a template expects, without terminals that match once; 0 if that is nothing."""
        known = template.lexers.get(ignores)
        if known is None:
            text = {symbol for symbol in template.expects if symbol < SPECIAL and not is_once(symbol)}
            if ignores and self.symbols.ignore:
                text.add(self.symbols.ignore)
            known = template.lexers[ignores] = self.lexer.start(frozenset(text))
        return known

    def _add(self, element: Element, reached: set[Element]) -> None:
        """Add an element if something can follow it, or the text can end."""
        row, node, shun, _ = element
        if node or row.accepting or row.expected:
            if not shun or self._is_alive(row, node, shun):
                reached.add(element)

    def _completion(self, state: State) -> tuple[Piece, ...] | None:
        return self._endings.complete(state)

    def once_lexer(self, row: GrammarRow, symbol: int) -> tuple[int, int]:
        """The lexer of a terminal that matches once, and what some that look alike must not begin with in a row."""
        n = list(row.template.twins).index(symbol)
        return self._once(row.template)[n].lexer, self._barred(row)[n].some

    # -------------------------------------------------------------------------------------------------- liveness

    def may_follow(self, row: GrammarRow, node: int, shun: int) -> bool:
        """Whether something may follow at a state of a row's lexer where a terminal may have just ended."""
        marks = self.store.marks(node, self.limits)
        if marks != EMPTY:
            ending = self.lexer.ending(marks, node, shun)
            if self._is_alive(row.after(ending.terminals), 0, ending.shun):
                return True
        return marks != node and self._is_alive(row, node, shun)

    def _is_alive(self, row: GrammarRow, node: int, shun: int) -> bool:
        """Whether a text that is not to be shunned can be completed from here."""
        key = (row, node, shun)
        known = self._alive.get(key)
        if known is None:
            if len(self._alive) >= self.limits.transition_cache:
                self._alive.clear()
            free = self._is_free(row, node, shun)
            known = self._alive[key] = self._search(row, node, shun) if free is None else free
        return known

    def _search(self, row: GrammarRow, node: int, shun: int) -> bool:
        """Look for a way out of what is shunned, breadth first."""
        seen: set[Element] = {(row, node, shun, b"")}
        todo = deque(seen)
        while todo:
            element = todo.popleft()
            lexing = self._lexing(*element[:3])
            for b in sorted({b for node, *_ in lexing for b in self.store.viable_bytes(node, self.limits)}):
                reached: set[Element] = set()
                ended: _Ended = {}
                self._lex(element, bytes([b]), 0, ended, reached, b"", checked=False)
                for away, sources in ended.get(1, {}).items():
                    reached.add((self._join(sources), 0, away, b""))
                for found in reached - seen:
                    free = self._is_free(*found[:3])
                    if free:
                        return True
                    seen.add(found)
                    if free is None:
                        todo.append(found)
            if len(seen) > self.limits.search:
                raise LimitExceeded(
                    "search", len(seen), self.limits.search, "finding text that is not too short a match"
                )
        return False

    def _is_free(self, row: GrammarRow, node: int, shun: int) -> bool | None:
        """Whether the text may end here, or a terminal lead out of what is shunned; None if that takes a search."""
        if not node and (row.accepting or any(symbol >= SPECIAL for symbol in row.expected)):
            return True
        free: bool | None = False
        for lexing, shunned, _ in self._lexing(row, node, shun):
            one = self.store.escapes(lexing, shunned, self.limits) if shunned else True
            if one:
                return True
            free = None if one is None else free
        return free

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
        self._masks.keep(state.mask_key, mask)
        return mask

    def _fresh_mask(self, state: State) -> tuple[Row | Sparse, int | None]:
        if not state.terminated and len(state.place) == 1:
            ((row, node, shun, read),) = state.place
            mask = self._pieces.whole(row, node) if node and not shun and not read else None
            if mask is not None:
                return mask if isinstance(mask, Sparse) else mask.view(np.int32), 0
        return super()._fresh_mask(state)

    def _turns(self, lexing: int) -> bool:
        """Whether a lexer reads terminals after which it depends on all of the text what comes next."""
        turning = self.symbols.text.turning
        return bool(turning) and not turning.isdisjoint(self.store.terminals(lexing))

    def _turned(self, row: GrammarRow, text: bytes) -> GrammarRow | None:
        """Where the terminals of a row with a turn lead; None if nothing may follow them."""
        ended: list[tuple[GrammarRow, int, After]] = []
        for twins in row.template.twins.values():
            for symbol in twins:
                turn = self.symbols.text.once[symbol].turn
                rule = None if turn is None else turn(text)
                if rule is not None:
                    ended.append((row, symbol, Turn(rule)))
        return self.recogniser.join(ended) if ended else None

    def avoided(self, row: GrammarRow, shunned: int, read: bytes) -> int:
        """What some terminal that matches once must not match after `read`; `shunned` is what none of them may."""
        barred = self._barred(row)
        if all(each.some == each.always for each in barred) and len({each.some for each in barred}) == 1:
            return shunned
        reached = [self.store.advance(each.some, read, self.limits) for each in barred]
        left = [one.node for one in reached if one.read == len(read)]
        return reduce(partial(self.store.unite, limits=self.limits), left, shunned)

    def _has_matched(self, row: GrammarRow, read: bytes) -> bool:
        """Whether `read` begins with what some terminal that matches once must not match, and another one may."""
        differ = [each for each in self._barred(row) if each.some != each.always]
        return any(self.lexer.read(each.some, EMPTY, read).endings for each in differ)

    def _shape(self, state: State) -> Hashable:
        elements: list[Hashable] = []
        for row, node, shun, read in self._elements(state):
            once: Hashable = None
            if row.template.twins and not node:
                once = row.bars
            elif read:
                once = self.avoided(row, shun, read)
            elements.append((id(row.template), row.ignores, node, shun, once))
        return (self._owner, state.accepting, state.terminated, *elements)

    def _seen(self, state: State, shape: Hashable, depth: int) -> Hashable:
        """What a state shares with others that look like it, as deep as `depth` continuations."""
        return (shape, depth, *[then.view(depth) for row, _, _, _ in self._elements(state) for then in row.bound])

    @staticmethod
    def _elements(state: State) -> list[Element]:
        return sorted(state.place or (), key=lambda e: (id(e[0].template), e[0].ignores, e[1], e[2]))

    def _allow(self, state: State, words: Words) -> int | None:
        """Returns how many continuations, one behind the other, the mask depends on; None if nobody knows."""
        depth, tried = 0.0, list[int]()
        for row, node, shun, read in state.place:
            for lexing, shunned, once in self._lexing(row, node, shun):
                if once is None and not read:
                    depth = max(depth, self._pieces.allow(row, lexing, shunned, shunned, words, tried))
                elif self._turns(lexing):
                    after = self._turned(row, state.text)
                    if after is not None:
                        self._pieces.turn(lexing, after, words, tried)
                    depth = math.inf
                elif read and self._has_matched(row, read):
                    self._pieces.allow_none_untried(row, lexing, tried)
                    depth = math.inf
                else:
                    avoided = self.avoided(row, shunned, read)
                    depth = max(depth, self._pieces.allow(row, lexing, shunned, avoided, words, tried))
        allowed = {
            token for token in tried if self._advance(state.place, self.vocabulary.token_bytes(token), state.text)
        }
        for token in allowed.union(*[self.symbols.ids(symbol) for _, symbol in self._specials(state)]):
            words[token >> 5] |= np.uint32(1 << (token & 31))
        return None if depth == math.inf else int(depth)
