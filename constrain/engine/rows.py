"""The states of a session that are written from the rows of a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from constrain.engine import row_states
from constrain.engine import row_values as keys
from constrain.engine import tables as t
from constrain.engine.terminals import Terminals, spelled_alone
from constrain.ir import schema_rows as r
from constrain.ir.grammar import Terminal
from constrain.jit import Entry, Tables, entry

if TYPE_CHECKING:
    from constrain.automata.dfa import DfaStore
    from constrain.ir.grammar import Rows

Call = Callable[..., int]
"""Calls a unit with a block and arguments until it has what it needs."""


class _Spelling(NamedTuple):
    """How the SPECs are read that are always there: what stands in SPELL, SPELL_WORD and SPELL_BYTE."""

    comma: Terminal
    spell: np.ndarray
    words: np.ndarray
    data: np.ndarray


_spellings: WeakKeyDictionary[DfaStore, dict[int, _Spelling]] = WeakKeyDictionary()


class RowStates:
    """The states of one schema's rows: units write them, and ask here for terminals and for rules of HARD rows."""

    def __init__(self, source: Rows, terminals: Terminals, tables: Tables, call: Call, dfas: DfaStore) -> None:
        self._source, self._terminals, self._tables, self._call, self._dfas = source, terminals, tables, call, dfas
        self._write, self._write_all = entry(row_states.write_state), entry(row_states.write_states)
        self._state: Entry = entry(keys.state_of)
        tables["session"][t.ROWS_BLOCK] = source.rows.tables.block
        self._costs: dict[int, float] = {}
        known = _spellings.setdefault(dfas, {})
        comma = source.terminal(r.COMMA)
        spelling = known.get(id(comma))
        self._words = self._bytes = 0
        if spelling is None:
            for spec in range(1, r.FIRST_SPEC):
                self.spell(spec)
            start = dfas.start(source.terminal(r.FIRST_SPEC).expr, terminals.limits)
            tables["spell"][3 * r.FIRST_SPEC : 3 * r.FIRST_SPEC + 3] = t.SPELL_ARC, start, t.TRACKED | t.ROW_TERMINAL
            names = ("spell", 3 * r.FIRST_SPEC + 3), ("spell_word", 2 * self._words), ("spell_byte", self._bytes)
            known[id(comma)] = _Spelling(comma, *[tables[name][:size].copy() for name, size in names])
            return
        self._words, self._bytes = len(spelling.words) >> 1, len(spelling.data)
        tables["spell"][: len(spelling.spell)] = spelling.spell
        tables.grow(t.SPELL_WORD, len(spelling.words))
        tables.grow(t.SPELL_BYTE, len(spelling.data))
        tables["spell_word"][: len(spelling.words)] = spelling.words
        tables["spell_byte"][: len(spelling.data)] = spelling.data

    def first(self) -> int:
        """The state of the empty text."""
        return self._call(self._state, keys.ROW_RULE << keys.WHAT | self._source.rows.root << keys.NUMBER_AT)

    def of(self, name: Hashable) -> int:
        """The first state of a rule that is a row, and not HARD; 0 if it is none."""
        row = self._source.row_of(name)
        if row is None or self._source.rows.is_hard(row):
            return 0
        return self._call(self._state, keys.ROW_RULE << keys.WHAT | row << keys.NUMBER_AT)

    def write(self, state: int) -> None:
        """Write what may come first in a state."""
        self._call(self._write, state)

    def write_all(self, first: int, most: int) -> None:
        """Write the states from `first` on, and those that they lead to, up to a number."""
        self._call(self._write_all, first, most)

    def rule(self, row: int) -> Hashable:
        """The name of the rule of a row, which is HARD."""
        return self._source.rule(row)

    def spell(self, spec: int) -> None:
        """Say how the terminal of a SPEC is read."""
        terminals, tables, terminal = self._terminals, self._tables, self._source.terminal(spec)
        if terminal.once is None:
            words, start, local = spelled_alone(terminal, self._dfas, terminals.limits)
        else:
            words, start, local = terminals.spelled(terminals.number(terminal))
        o = 3 * spec
        if words is None:
            tables["spell"][o : o + 3] = t.SPELL_ARC, start, local
            return
        data, first = b"".join(words), self._words
        tables.grow(t.SPELL_BYTE, self._bytes + len(data))
        tables.grow(t.SPELL_WORD, 2 * (first + len(words)))
        tables["spell_byte"][self._bytes : self._bytes + len(data)] = np.frombuffer(data, np.uint8)
        ends = self._bytes + np.cumsum([0, *map(len, words)])
        self._words, self._bytes = first + len(words), self._bytes + len(data)
        tables["spell_word"][2 * first : 2 * self._words : 2] = ends[:-1]
        tables["spell_word"][2 * first + 1 : 2 * self._words : 2] = ends[1:]
        tables["spell"][o : o + 3] = t.SPELL_WORDS, first, len(words)

    # ------------------------------------------------------------------------------------------------- descriptions

    def leaf_name(self, leaf: int) -> str:
        """What the terminal is called whose words lead to a place in LEAF."""
        spec = int(self._tables["leaf"][leaf + 2])
        if spec > 0:
            return self._source.terminal(spec).name
        return json.dumps(self._source.rows.value(-spec), ensure_ascii=False) if spec else "one of the strings"

    def begun(self, goal: int) -> list[tuple[str, int]]:
        """The terminals that lead to a state: name, and DFA state where they begin."""
        arcs = self._tables["arc"][: 3 * int(self._tables["session"][t.ARC_USED])].reshape(-1, 3)
        starts = set(arcs[arcs[:, 2] == goal, 0].tolist())
        spell = self._tables["spell"].reshape(-1, 3).tolist()
        return [
            (self._source.terminal(spec).name, start)
            for spec, (kind, start, _) in enumerate(spell)
            if kind == t.SPELL_ARC and start in starts
        ]

    def _key(self, state: int) -> tuple[int, int, int]:
        key = int(self._tables["row_key"][state])
        return key >> keys.WHAT, key >> keys.NUMBER_AT & keys.PLACE_MASK, key & keys.PLACE_MASK

    def rest(self, state: int) -> str:
        """What is left of the rule in a state, in words."""
        what, number, place = self._key(state)
        if what == keys.ROW_RULE:
            return "a value"
        kind = "object" if what < keys.ARRAY_RULE else "array"
        value = (
            "a value and " if what in (keys.MEMBER_VALUE, keys.MEMBER_COLON, keys.LOOSE_VALUE, keys.GROUP_VALUE) else ""
        )
        place = place >> 1 if what == keys.GROUP_VALUE else place
        return f"{value}the rest of {kind} {number} behind {place} {'members' if kind == 'object' else 'items'}"

    def cost(self, state: int) -> float:
        """Bytes that are at least left to the end of the rule."""
        known = self._costs.get(state)
        if known is None:
            if not self._costs:
                self._source.weigh(self._spec_bytes)
            known = self._costs[state] = self._cost(*self._key(state))
        return known

    def _spec_bytes(self, spec: int) -> float:
        return self._terminals.length(self._terminals.number(self._source.terminal(spec)))

    def _cost(self, what: int, number: int, place: int) -> float:
        size, tables = self._source.rows.size, self._source.rows.tables
        if what == keys.ROW_RULE:
            return size(number)
        if what >= keys.ARRAY_RULE:
            return self._array_cost(what, number, place)
        o = r.OBJECT_SIZE * number
        columns = tables["object"][o : o + r.OBJECT_SIZE].tolist()
        listed, first, loose = columns[r.MEMBER_COUNT], columns[r.FIRST_MEMBER], columns[r.LOOSE_ROW]
        match what:
            case keys.OBJECT_RULE:
                return 1 + self._cost(keys.OBJECT_FIRST, number, 0)
            case keys.OBJECT_AFTER:
                return self._left(columns, place)
            case keys.OBJECT_FIRST | keys.OBJECT_NEXT if what == keys.OBJECT_FIRST or self._left(columns, place) > 1:
                return max(self._left(columns, place) - 1, 1)
            case keys.OBJECT_NEXT:
                members = tables["member"][r.MEMBER_SIZE * first : r.MEMBER_SIZE * (first + listed)]
                names = members.reshape(-1, r.MEMBER_SIZE)[place:].tolist()
                ways = [self._name_bytes(name[r.MEMBER_NAME]) + size(name[r.MEMBER_ROW]) for name in names]
                begin, end = columns[r.FIRST_GROUP], columns[r.FIRST_GROUP] + columns[r.GROUP_COUNT]
                ways += [3 + size(row) for _, row in tables["group"].reshape(-1, 2)[begin:end].tolist()]
                return 1 + min(ways)
            case keys.LOOSE_VALUE:
                return size(loose) + self._left(columns, place + 1)
            case keys.GROUP_VALUE:
                row = int(tables["group"][2 * (columns[r.FIRST_GROUP] + (place & 1)) + 1])
                return size(row) + self._left(columns, place >> 1)
        row = int(tables["member"][r.MEMBER_SIZE * (first + place) + r.MEMBER_ROW])
        return (what == keys.MEMBER_COLON) + size(row) + self._left(columns, place + 1)

    def _name_bytes(self, name: int) -> int:
        begin, end = self._source.rows.tables["tape"][r.VALUE * name + r.FROM : r.VALUE * name + r.TO + 1].tolist()
        return 3 + int(end) - int(begin)

    def _left(self, columns: list[int], place: int) -> float:
        """Bytes that are at least left of an object behind a member."""
        listed, rows = columns[r.MEMBER_COUNT], self._source.rows
        if place < listed:
            return int(rows.tables["member"][r.MEMBER_SIZE * (columns[r.FIRST_MEMBER] + place) + r.LEAST])
        left = listed + columns[r.LOOSE_COUNT] - place
        return 1 + left * (5 + rows.size(columns[r.LOOSE_ROW])) if left else 1

    def _array_cost(self, what: int, array: int, place: int) -> float:
        rows = self._source.rows
        o = r.ARRAY_SIZE * array
        first, prefix, rest, low, *_ = rows.tables["array"][o : o + r.ARRAY_SIZE].tolist()
        if what == keys.ARRAY_RULE:
            return 1 + self._array_cost(keys.ARRAY_FIRST, array, 0)
        needed = max(low, place + 1) if what == keys.ARRAY_NEXT else low
        items = rows.tables["part"][first + place : first + min(prefix, needed)].tolist() if place < prefix else []
        found = 1.0 + sum(1 + rows.size(item) for item in items)
        more = needed - max(place, prefix)
        found += more * (1 + rows.size(rest)) if more > 0 else 0.0
        return found - 1 if what != keys.ARRAY_AFTER and needed > place else found

    def __repr__(self) -> str:
        return f"<RowStates of {self._source.rows!r}>"
