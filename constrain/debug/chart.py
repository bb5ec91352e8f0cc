"""Earley's chart (1970) of a text: which rules are open, beside the states of an automaton that do not know it.

In:  the rules of a grammar as an automaton reads them, a text byte by byte.
Out: the terminals that are being read, those that may have ended, the rules around them.

Places that go on alike are one state of an automaton, so that it has forgotten where rules began. The chart reads the
same network of rules and the same automata of terminals, and has a column for each place where terminals end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from constrain.engine import longest_tables as lt
from constrain.engine import tables as t
from constrain.engine.longest_session import LongestSession
from constrain.engine.lower import START, Lowering
from constrain.engine.network import rule_name, run
from constrain.engine.session import Session
from constrain.ir.expr import Closed, alt
from constrain.ir.grammar import Special, Terminal

_PATHS = 3
"""Ways from the start rule to one place that are told apart; a grammar can have any number of them."""
_TRIES = 100


class Ways(NamedTuple):
    """Terminals that a byte belongs to, by name, and the rules that they stand in."""

    rules: tuple[str, ...]
    reading: tuple[str, ...]
    """Terminals that go on after the byte."""
    ended: tuple[str, ...]
    """Terminals that may end with it."""


class _Column:
    """A place of the text where terminals may begin."""

    def __init__(self, place: int) -> None:
        self.place = place
        """Bytes before it."""
        self.items: dict[_Item, None] = {}
        self.frames: dict[tuple[Hashable, ...], _Frame] = {}
        """Of rules that begin here."""
        self.scans: dict[tuple[int, frozenset[Hashable]], dict[tuple[_Item, _Item], None]] = {}
        """Items before and behind each terminal, by its number and what it must not match again."""


class _Frame:
    """An activation of a rule: where it began, and what it returns to.

    Where rules end by calling the next one, as those of schemas do, the frame of the next one returns to the same.
    """

    __slots__ = ("column", "ends_at_once", "rule", "waiting")

    def __init__(self, rule: int, column: _Column, waiting: dict[_Item, None]) -> None:
        self.rule, self.column, self.waiting = rule, column, waiting
        self.ends_at_once = False


class _Item(NamedTuple):
    """What is left of a rule in one place."""

    frame: _Frame
    state: int
    register: int
    ignores: bool
    """Whether ignored text may come first."""
    taken: frozenset[Hashable] = frozenset()
    """What terminals that match nothing twice have matched."""


class _Part(NamedTuple):
    """A terminal that is being read."""

    symbol: int
    taken: frozenset[Hashable]
    """What it must not match again."""
    state: int
    """What is left of it: a DFA state."""
    excluded: int
    """What is left of the texts that it must not begin with: a DFA state, or 0."""


class _Element(NamedTuple):
    """Terminals that were begun in one column."""

    column: _Column
    parts: tuple[_Part, ...]
    begun: bool
    """Whether something has been read since the column."""
    shun: frozenset[int] = frozenset()
    """Under longest match: DFA states of what must not be matched, since terminals have ended before that."""


class Chart:
    """Columns, and the terminals that are being read since.

    >>> import constrain
    >>> vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    >>> spec = constrain.grammar('start: "(" item ")"\\nitem: start | NAME\\nNAME: /[a-z]+/')
    >>> session = constrain.Compiler(vocab).compile(spec).space.session
    >>> session.vocabulary is vocab, Chart(session, session.lowering).read(ord("("), 0)
    (True, [Ways(rules=('start',), reading=(), ended=('"("',))])
    """

    def __init__(self, session: Session, lowering: Lowering) -> None:
        self._session, self._lowering, self._network = session, lowering, lowering.network
        self._dfas, self._limits, self._text = session.dfas, session.limits, b""
        ignore = lowering.grammar.ignore
        self._ignore = None if ignore is None else lowering.terminals.number(ignore)
        self._starts: dict[int, int] = {}
        self._barred: dict[tuple[int, frozenset[Hashable]], int] = {}
        self._paths: dict[_Frame, list[tuple[str, ...]]] = {}
        first, rule = _Column(0), self._network.number(START)
        self._root = _Frame(rule, first, {})
        self._close(first, [_Item(self._root, *self._network.start(rule), ignore is not None)])
        self.elements = [self._begin(first)]

    def read(self, byte: int, reached: int) -> list[Ways]:
        """Go on to `reached`, the state of the session after a byte that may follow."""
        self._text += bytes([byte])
        begun: list[_Element] = []
        ended: dict[Hashable, tuple[frozenset[int], list[tuple[_Column, _Part]]]] = {}
        longest = isinstance(self._session, LongestSession)
        for column, parts, _, shun in self.elements:
            shun = frozenset(self._dfas.step(q, byte) for q in shun) - {0}
            if any(map(self._dfas.accepts, shun)):
                continue
            after = [part for part in (self._step(part, byte) for part in parts) if part is not None]
            going = tuple(part for part in after if self._dfas.goes_on(part.state))
            ends = [part for part in after if self._dfas.accepts(part.state)]
            if going:
                begun.append(_Element(column, going, True, shun))
            if ends and longest:
                best = max(self._priority(part.symbol) for part in ends)
                ends = [part for part in ends if self._priority(part.symbol) == best]
                shun |= {part.state for part in going}
            if ends:
                key = (column, shun) if longest else ()
                ended.setdefault(key, (shun, []))[1].extend((column, part) for part in ends)
        joined = {self._begin(self._join(sources), shun): sources for shun, sources in ended.values()}
        self.elements = [*begun, *joined]
        if isinstance(self._session, LongestSession):
            self.elements = self._possible(self._session, reached)
        return self._told(joined)

    def places(self) -> dict[tuple[int, int, str, bool], None]:
        """The states that may read something next: rule, state, terminal, whether that has been begun."""
        found: dict[tuple[int, int, str, bool], None] = {}
        for column, parts, begun, _ in self.elements:
            for part in parts:
                for item, _ in column.scans[part.symbol, part.taken]:
                    found[item.frame.rule, item.state, self._name(part.symbol), begun] = None
        return found

    # ---- terminals

    def _terminal(self, symbol: int) -> Terminal:
        terminal = self._lowering.terminals.terminals[symbol]
        assert isinstance(terminal, Terminal)
        return terminal

    def _name(self, symbol: int) -> str:
        return self._terminal(symbol).name

    def _priority(self, symbol: int) -> int:
        terminal = self._terminal(symbol)
        return terminal.priority

    def _start(self, symbol: int) -> int:
        """The DFA state in which a terminal begins; 0 if no tokens spell it."""
        known = self._starts.get(symbol)
        if known is None:
            words, known, local = self._lowering.terminals.spelled(symbol)
            if words is not None or local & t.COUNTED_STRING:
                known = self._dfas.start(Closed(self._terminal(symbol).expr), self._limits)
            self._starts[symbol] = known
        return known

    def _bar(self, symbol: int, taken: frozenset[Hashable]) -> int:
        """The DFA state of what a terminal must not begin with, 0 if that is nothing."""
        once = self._terminal(symbol).once
        if once is None:
            return 0
        known = self._barred.get((symbol, taken))
        if known is None:
            parts = [once.spell(value) for value in (*taken, *once.never)]
            known = self._dfas.start(Closed(alt(parts)), self._limits) if parts else 0
            self._barred[symbol, taken] = known
        return known

    def _step(self, part: _Part, byte: int) -> _Part | None:
        """What is left of a terminal after the last byte of the text; None if nothing is."""
        state, excluded = self._dfas.step(part.state, byte), part.excluded and self._dfas.step(part.excluded, byte)
        turn = self._terminal(part.symbol).turn if state else None
        if not state or (excluded and self._dfas.accepts(excluded)) or (turn is not None and turn(self._text) is None):
            return None
        return part._replace(state=state, excluded=excluded)

    def _behind(self, column: _Column, part: _Part) -> Iterator[_Item]:
        """The items behind a terminal that was begun in a column and ends with the text."""
        terminal = self._terminal(part.symbol)
        for _, item in column.scans[part.symbol, part.taken]:
            if terminal.once is not None:
                item = item._replace(taken=item.taken | {terminal.once.value(self._text[column.place :])})
            if terminal.turn is not None:
                item = item._replace(state=self._network.call(terminal.turn(self._text)))
            yield item

    # ---- longest match

    def _possible(self, session: LongestSession, reached: int) -> list[_Element]:
        """The elements that something can follow: those of the session's state."""
        pool, left = session.lexers["pool"], session.lexers["left"]

        def rest(record: int) -> frozenset[int] | None:
            first = record + 1
            return None if record == lt.MATCHED else frozenset(pool[first : first + (pool[record] >> 8)].tolist())

        known = set()
        for lexer, shun, row in session.elements(reached):
            parts = session.parts(lexer) if lexer else ()
            starts = {(x, a, goal) for a, x, goal, *_ in session.items(row).tolist() if a < t.SPECIAL_ITEM}
            rests = map(rest, left[256 * shun : 256 * shun + 256].tolist()) if shun else ()
            known.add((frozenset(parts), frozenset(starts), tuple(rests)))
        return [element for element in self.elements if self._as_in_sessions(element) in known]

    def _as_in_sessions(self, element: _Element) -> tuple[object, ...]:
        """Terminals as far as they are read, those of the column, what each byte leaves of what is shunned."""
        column, parts, begun, shun = element
        read = {(self._label(part.symbol), part.state) for part in parts if begun}
        starts = {
            (self._label(symbol), self._start(symbol), self._lowering.state(item.state, item.register, item.ignores))
            for (symbol, _), items in column.scans.items()
            for _, item in items
        }
        rests: list[frozenset[int] | None] = []
        for after in zip(*(self._dfas.row(q).tolist() for q in shun)):
            rest = frozenset(after) - {0}
            rests.append(None if any(map(self._dfas.accepts, rest)) else rest)
        return frozenset(read), frozenset(starts), tuple(rests) if any(rest != frozenset() for rest in rests) else ()

    def _label(self, symbol: int) -> int:
        return self._lowering.terminals.spelled(symbol).local

    # ---- columns

    def _begin(self, column: _Column, shun: frozenset[int] = frozenset()) -> _Element:
        scans = sorted(column.scans, key=lambda scan: self._name(scan[0]))
        parts = [_Part(symbol, taken, self._start(symbol), self._bar(symbol, taken)) for symbol, taken in scans]
        return _Element(column, tuple(parts), False, shun)

    def _join(self, sources: list[tuple[_Column, _Part]]) -> _Column:
        """The column where terminals that were begun in some columns end."""
        column = _Column(len(self._text))
        self._close(column, [item for source, part in sources for item in self._behind(source, part)])
        return column

    def _close(self, column: _Column, kernel: list[_Item]) -> None:
        """Predict and complete rules until there are no more."""
        network, todo = self._network, list[_Item]()

        def add(items: Iterable[_Item]) -> None:
            new = [item for item in dict.fromkeys(items) if item not in column.items]
            column.items.update(dict.fromkeys(new))
            todo.extend(new)

        add(kernel)
        while todo:
            item = todo.pop()
            frame, state, register, ignores, taken = item
            if network.may_end(state, register):
                frame.ends_at_once = frame.column is column
                add(frame.waiting)
            if ignores and self._ignore is not None:
                self._scan(column, self._ignore, item, item._replace(ignores=False))
            line = network.line(state)
            for actions, symbol, target in line.terminals + line.calls:
                after = run(actions, register)
                if after is None or not network.is_alive(target, after):
                    continue
                if symbol >= 0:
                    self._scan(column, symbol, item, _Item(frame, target, after, self._ignore is not None, taken))
                else:
                    add(self._call(column, -1 - symbol, _Item(frame, target, after, False, taken)))

    def _scan(self, column: _Column, symbol: int, before: _Item, behind: _Item) -> None:
        terminal = self._lowering.terminals.terminals[symbol]
        if not isinstance(terminal, Special) and self._start(symbol):
            taken = frozenset[Hashable]() if terminal.once is None else before.taken
            column.scans.setdefault((symbol, taken), {})[before, behind] = None

    def _call(self, column: _Column, rule: int, behind: _Item) -> list[_Item]:
        """Begin a rule, to go on with `behind` after it: the items that this adds."""
        network = self._network
        is_last = network.may_end(behind.state, behind.register) and not network.goes_on(behind.state)
        taken = behind.taken if is_last else frozenset()
        if is_last and self._lowering.grammar.is_plain:
            waiting = behind.frame.waiting
            frame = column.frames.setdefault((rule, taken, id(waiting)), _Frame(rule, column, waiting))
        else:
            frame = column.frames.setdefault((rule, taken), _Frame(rule, column, {}))
            frame.waiting[behind] = None
        first = _Item(frame, *network.start(rule), False, taken)
        return [first, behind] if frame.ends_at_once else [first]

    # ---- names

    def _told(self, joined: dict[_Element, list[tuple[_Column, _Part]]]) -> list[Ways]:
        """What is said of one byte: the terminals of the elements, by the rules around them."""
        reading: dict[tuple[str, ...], dict[str, None]] = {}
        ended: dict[tuple[str, ...], dict[str, None]] = {}
        for element in self.elements:
            sources = joined[element] if not element.begun else [(element.column, part) for part in element.parts]
            found = reading if element.begun else ended
            for column, part in sorted(sources, key=lambda source: self._name(source[1].symbol)):
                for item, _ in column.scans[part.symbol, part.taken]:
                    for path in self._paths_to(item.frame):
                        found.setdefault(path, {})[self._name(part.symbol)] = None
        paths = dict.fromkeys([*ended, *reading])
        return [Ways(path, tuple(reading.get(path, ())), tuple(ended.get(path, ()))) for path in paths]

    def _paths_to(self, frame: _Frame) -> list[tuple[str, ...]]:
        """The rules from the start down to one that is open: the shortest ways, none through a loop."""
        known = self._paths.get(frame)
        if known is None:
            known = self._paths[frame] = self._search(frame)
        return known

    def _search(self, frame: _Frame) -> list[tuple[str, ...]]:
        names = self._network.names
        found: dict[tuple[str, ...], None] = {}
        todo: deque[list[_Frame]] = deque([[frame]])
        tries = 0
        while todo and len(found) < _PATHS and (tries < _TRIES or not found):
            path, tries = todo.popleft(), tries + 1
            if path[-1].waiting is self._root.waiting:
                rules = [one.rule for one in reversed(path) if one is not self._root]
                found[tuple(rule_name(names[rule]) for rule in rules)] = None
            outer = dict.fromkeys(item.frame for item in path[-1].waiting)
            todo += [[*path, one] for one in outer if one not in path]
        return list(found)
