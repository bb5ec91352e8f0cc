"""What was open at each byte of a text: terminals being read, terminals that may have ended, the rules around them.

In:  an automaton, a text.
Out: a `Trace`.

The states of a grammar do not know which rules they lie in: places that go on alike are one row. So Earley's chart
(1970) is kept beside them here, a column for each place where terminals end, and read with the same lexer: slower than
a matcher and in need of more memory, but it says where every rule began. For regular constraints a trace holds no more
than the bytes that may follow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constrain.automata.network import run
from constrain.automata.rows import Row
from constrain.contextfree import GrammarSpace
from constrain.errors import UnsupportedError
from constrain.states import State
from constrain.symbols import SPECIAL

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton

_PATHS = 3
"""Ways from the start rule to one place that are told apart; a grammar can have any number of them."""
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Open:
    """Terminals that a byte belongs to, and the rules that they stand in."""

    rules: tuple[str, ...]
    """The rules that were open, the innermost last."""
    reading: tuple[str, ...]
    """Terminals that go on after the byte."""
    ended: tuple[str, ...]
    """Terminals that may end with it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A byte of the text, and what is known after it."""

    byte: int
    open: tuple[Open, ...]
    """One for each way to read it, up to three for one terminal; none for regular constraints."""
    follow: bytes
    """The bytes that may come next."""
    may_end: bool
    """Whether the text may end here."""


@dataclass(frozen=True, slots=True)
class Place:
    """A state of a rule that may read a terminal next, or is reading it."""

    rule: int
    """Its number in the network."""
    state: int
    terminal: str
    begun: bool
    """Whether part of the terminal has been read."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A text, read as far as the constraint allows."""

    text: bytes
    steps: tuple[Step, ...]
    """The bytes that were read: all of the text, unless a byte cannot stand where it does."""
    follow: bytes
    """The bytes that may come next."""
    terminals: tuple[str, ...]
    """The terminals that may come next or go on, by name; none for regular constraints."""
    may_end: bool
    """Whether the text may end after what was read."""
    places: tuple[Place, ...]
    """Where that is in the grammar's rules."""


def trace(automaton: TokenAutomaton, text: bytes) -> Trace:
    """Read `text`, and keep an account of it.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    >>> spec = constrain.grammar('start: "(" item ")"\\nitem: start | NAME\\nNAME: /[a-z]+/')
    >>> trace(constrain.Compiler(vocab).compile(spec), b"(a").steps[-1].open
    (Open(rules=('start', 'item'), reading=('NAME',), ended=('NAME',)),)
    """
    space, state = automaton.space, automaton.start
    is_known = isinstance(space, GrammarSpace) and not space.is_lazy  # else rules are not all there to be told of
    chart = _Chart(space, state) if isinstance(space, GrammarSpace) and is_known else None
    steps: list[Step] = []
    for b in text:
        reached, read = space.read(state, bytes([b]))
        if not read:
            break
        found = () if chart is None else chart.read(bytes([b]), reached)
        steps.append(Step(b, found, space.viable_bytes(reached), reached.accepting))
        state = reached
    follow, names = space.viable_bytes(state), space.expected_names(state)
    places = () if chart is None else chart.places()
    return Trace(text, tuple(steps), follow, names, state.accepting, places)


def rule_name(name: Hashable) -> str:
    """What to call a rule: instances of a template by its name.

    >>> rule_name("item"), rule_name(("_list", 3)), rule_name((0, "start"))
    ('item', '_list', 'start')
    """
    if isinstance(name, tuple) and name:
        if hasattr(name, "_fields"):  # a state of a schema's automaton
            numbers = " ".join([str(part) for part in name if isinstance(part, int)])
            return f"{type(name).__name__.strip('_').lower()} {numbers}"
        return next((rule_name(part) for part in name if part and not isinstance(part, int)), str(name))
    return str(name)


_Item = tuple[int, int, int, "_Column"]
"""A rule, its state, its register, and where it began."""


class _Column:
    """A place of the text: the rules that are open there."""

    __slots__ = ("items", "kernel", "row", "scans", "waiting")

    def __init__(self, row: Row, kernel: Iterable[_Item]) -> None:
        self.row = row
        """The same place as the automaton sees it."""
        self.kernel = list(dict.fromkeys(kernel))
        self.items: dict[_Item, None] = {}
        self.scans: dict[int, list[tuple[_Item, _Item]]] = {}
        """Items that read a terminal: before and after it."""
        self.waiting: dict[int, list[_Item]] = {}
        """Items after a rule that may begin here."""


class _Chart:
    """Columns, and the terminals that are being read since."""

    def __init__(self, space: GrammarSpace, start: State) -> None:
        if space.vocabulary.strips_leading_space:
            raise UnsupportedError("a trace needs a vocabulary that spells texts as they are, such as the 256 bytes")
        self._space, self._network = space, space.network
        ((row, _, shun, _),) = start.place
        self._first = _Column(row, [])
        self._first.kernel = [(0, *self._network.start(0), self._first)]
        self._close(self._first)
        self._elements: list[tuple[_Column, int, int]] = [(self._first, 0, shun)]
        self._paths: dict[tuple[int, _Column], list[tuple[str, ...]]] = {}

    def read(self, byte: bytes, reached: State) -> tuple[Open, ...]:
        """Go on to `reached`, the state after a byte that may follow."""
        ended: dict[int, dict[tuple[_Column, int], None]] = {}
        elements: list[tuple[_Column, int, int]] = []
        for column, node, shun in self._elements:
            lexed = self._space.lexer.read(node or self._lexer_of(column.row), shun, byte)
            for ending in lexed.endings:
                ended.setdefault(ending.shun, {}).update(dict.fromkeys((column, one) for one in ending.terminals))
            elements += [(column, lexed.node, lexed.shun)] if lexed.node else []
        found = _Found()
        self._elements = [(c, node, shun) for c, node, shun in elements if (c.row, node, shun, b"") in reached.place]
        for column, node, _ in self._elements:
            for symbol in self._symbols(node):
                self._note(found.reading, column, symbol)
        for shun, sources in ended.items():
            column = self._join(sources)
            if (column.row, 0, shun, b"") in reached.place:
                self._elements.append((column, 0, shun))
                for source, symbol in sorted(sources, key=lambda source: self._space.symbol_name(source[1])):
                    self._note(found.ended, source, symbol)
        return found.groups()

    def places(self) -> tuple[Place, ...]:
        """The states that may read something next."""
        found: dict[Place, None] = {}
        for column, node, _ in self._elements:
            lexing = node or self._lexer_of(column.row)
            for symbol in self._symbols(lexing):
                for (rule, state, _, _), _ in column.scans.get(symbol, ()):
                    found[Place(rule, state, self._space.symbol_name(symbol), bool(node))] = None
        return tuple(found)

    def _symbols(self, node: int) -> list[int]:
        """The terminals that a lexer may still come to the end of, by name."""
        return sorted(self._space.store.terminals(node), key=self._space.symbol_name)

    def _lexer_of(self, row: Row) -> int:
        symbols = self._space.symbols
        text = {symbol for symbol in row.expected if symbol < SPECIAL}
        return self._space.lexer.start(frozenset(text | {symbols.ignore} if row.ignores and symbols.ignore else text))

    def _join(self, sources: dict[tuple[_Column, int], None]) -> _Column:
        """The column where terminals that were begun in some columns end."""
        pairs = {(column.row, symbol, 0) for column, symbol in sources}
        rows = {row for row, _, _ in pairs}
        together = tuple(sorted(symbol for _, symbol, _ in pairs))
        row = rows.pop().after(together) if len(rows) == 1 else self._space.recogniser.join(pairs)
        column = _Column(row, [item for source, symbol in sources for item in self._after(source, symbol)])
        self._close(column)
        return column

    def _after(self, column: _Column, symbol: int) -> list[_Item]:
        items = [item for _, item in column.scans.get(symbol, ())]
        return items + column.kernel if column.row.ignores and symbol == self._space.symbols.ignore else items

    def _close(self, column: _Column) -> None:
        """Predict and complete rules until there are no more."""
        network, todo = self._network, list(column.kernel)
        column.items.update(dict.fromkeys(todo))

        def add(item: _Item) -> None:
            if item not in column.items:
                column.items[item] = None
                todo.append(item)

        while todo:
            item = todo.pop()
            rule, state, register, origin = item
            if network.may_end(state, register):
                for waiting in origin.waiting.get(rule, ()):
                    add(waiting)
            line = network.line(state)
            for actions, symbol, target in line.terminals + line.calls:
                after = run(actions, register)
                if after is None or not network.is_alive(target, after):
                    continue
                following = (rule, target, after, origin)
                if symbol >= 0:
                    column.scans.setdefault(symbol, []).append((item, following))
                    continue
                column.waiting.setdefault(-1 - symbol, []).append(following)
                add((-1 - symbol, *network.start(-1 - symbol), column))
                if network.is_nullable(-1 - symbol):
                    add(following)

    # ---- names

    def _note(self, found: dict[tuple[str, ...], dict[str, None]], column: _Column, symbol: int) -> None:
        """Note a terminal that was begun in a column under each way to it."""
        for rule, _, _, origin in self._after(column, symbol):
            for path in self._paths_to(rule, origin):
                found.setdefault(path, {})[self._space.symbol_name(symbol)] = None

    def _paths_to(self, rule: int, origin: _Column) -> list[tuple[str, ...]]:
        """The rules from the start down to one that began in a column: the shortest ways, none through a loop."""
        known = self._paths.get((rule, origin))
        if known is None:
            known = self._paths[rule, origin] = self._search(rule, origin)
        return known

    def _search(self, rule: int, origin: _Column) -> list[tuple[str, ...]]:
        names = [rule_name(name) for name in self._network.names]
        found: dict[tuple[str, ...], None] = {}
        todo: deque[list[tuple[int, _Column]]] = deque([[(rule, origin)]])
        tries = 0
        while todo and len(found) < _PATHS and (tries < _TRIES or not found):
            path, tries = todo.popleft(), tries + 1
            rule, origin = path[-1]
            if rule == 0 and origin is self._first:
                found[tuple(names[number] for number, _ in reversed(path))] = None
            outer = dict.fromkeys((waiting[0], waiting[3]) for waiting in origin.waiting.get(rule, ()))
            todo += [[*path, one] for one in outer if one not in path]
        return list(found)


class _Found:
    """What is said of one byte, by the rules around it."""

    def __init__(self) -> None:
        self.reading: dict[tuple[str, ...], dict[str, None]] = {}
        self.ended: dict[tuple[str, ...], dict[str, None]] = {}

    def groups(self) -> tuple[Open, ...]:
        """The same, as values."""
        paths = dict.fromkeys([*self.ended, *self.reading])
        return tuple(Open(path, tuple(self.reading.get(path, ())), tuple(self.ended.get(path, ()))) for path in paths)
