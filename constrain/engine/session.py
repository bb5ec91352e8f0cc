"""One grammar bound to a vocabulary: owns the arrays, calls the units, and mends what their statuses name.

A state of the output is an integer, the offset of an Earley set in HEAP; 0 is none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from constrain import jit
from constrain.automata.tables import FULL
from constrain.engine import advance, earley, excluded, mask, records, row_values, values, words
from constrain.engine import tables as t
from constrain.engine.generations import RecordGeneration, copied, words_of
from constrain.engine.lower import SPACED, Lowering, RegularLowering
from constrain.engine.session_tables import EAGER, make_tables, scratch
from constrain.engine.terminals import plain_string
from constrain.engine.vocabulary_tables import VocabularyTables
from constrain.errors import LimitExceeded
from constrain.ir.expr import And, Anything, Closed, Concat, Literal, Not, alt
from constrain.ir.grammar import Grammar, Once, Terminal
from constrain.jit import Tables, entry

if TYPE_CHECKING:
    from constrain.automata.dfa import DfaStore
    from constrain.limits import Limits
    from constrain.vocab.vocabulary import Vocabulary

_SHARE = 64
"""Sessions begin anew at this share of `Limits.automata_bytes`, in words of 8 bytes."""
ROW = 16
"""Words of HEAP that `Limits.rows` allows for each Earley set, with what belongs to it."""
_LARGEST = {t.LITERAL: t.CHILD_MASK, t.LEAF: t.PAYLOAD_MASK}
"""Entries of tables whose places have few bits."""
_END_OF_NAME = bytes([excluded.END_OF_NAME])
NAMED = 500
"""States of automata looked at to tell the name of a terminal that has been begun."""

_lock = threading.RLock()
"""Held by every call into the engine that is longer than a look: units share tables and scratch."""


class Session:
    """The states of one grammar over one vocabulary."""

    def __init__(self, constraint: Grammar | int, vocabulary: Vocabulary, dfas: DfaStore, limits: Limits) -> None:
        """Of a grammar, or of a DFA state: the regular language that is read from there."""
        self.vocabulary, self.limits = vocabulary, limits
        self.dfas = dfas
        self.words = (vocabulary.size + 31) // 32
        self._vocabulary_tables = VocabularyTables.of(vocabulary, dfas)
        self._vocabulary_tables.name_string(*plain_string(dfas))
        self._scratch = scratch()
        self._scratch.grow(t.MASK_ROW, self.words // 2 + 1)
        self._scratch.grow(t.BEFORE_ROW, self.words // 2 + 1)
        self.tables = make_tables(constraint.rows if isinstance(constraint, Grammar) else None)
        self.block = self.tables.block
        head = self.tables["session"]
        head[t.AUTOMATA], head[t.VOCABULARY_BLOCK] = dfas.block, self._vocabulary_tables.block
        head[t.SCRATCH_BLOCK] = self._scratch.block
        head[t.HEAP_USED] = head[t.ESCAPE_USED] = head[t.MEANINGS] = 1
        head[t.EOS_COUNT] = len(vocabulary.eos_ids)
        self.tables.replace("eos", np.array([*vocabulary.eos_ids, 0], np.int32))
        self._fill, self._commit, self._intern = entry(mask.fill), entry(advance.commit), entry(records.intern)
        self._go = entry(advance.go)
        self._closure, self._finish = entry(earley.closure), entry(earley.finish)
        self._values: dict[Hashable, int] = {}
        """Numbers of the values that tracked terminals have matched."""
        self._matched: list[Hashable] = []
        """These values."""
        self._tries: dict[frozenset[bytes], int] = {}
        """Of strings that are excluded."""
        self.lowering: Lowering | RegularLowering
        if isinstance(constraint, Grammar):
            self.lowering = Lowering(constraint, vocabulary, dfas, self.tables, limits, self.call)
        else:
            self.lowering = RegularLowering(constraint, dfas, self.tables)
        self._write_special()
        self._remembers = isinstance(constraint, Grammar) and constraint.remembers
        self._begin_records()
        self.generation = RecordGeneration()
        """Of the records of states."""
        self.budget = head[t.BUDGET] = min(limits.automata_bytes // _SHARE, limits.rows * ROW)
        """Words of HEAP beyond which `renew` is due."""
        self.start = self._begin()
        self._expand_reachable(EAGER)

    # ---------------------------------------------------------------------------------------------- what users ask

    def fill(self, state: int, address: int) -> None:
        """Write the mask of a state to uint32[words] at an address; ids that end the output where it may end."""
        with _lock:
            while (status := self._fill(self.block, state, address, self.words)) < 0:
                if -status & 15 == t.NEED_TRIED:
                    self._try_tokens(state, address)
                    return
                self.serve(status)

    def commit(self, state: int, token: int) -> int:
        """The state after a token that does not end the output; 0 if it is not allowed."""
        with _lock:
            reached = self._commit(self.block, state, token)
            return reached if reached >= 0 else self.call(self._commit, state, token)

    def go(self, state: int, token: int) -> int:
        """Read a token that does not end the output, once: 0 if it is not allowed.

        Otherwise the state after it << 2 | whether `renew` is due << 1 | whether the output may end.
        """
        with _lock:
            reached = self._go(self.block, state, token)
            return reached if reached >= 0 else self.call(self._go, state, token)

    @property
    def is_full(self) -> bool:
        """Whether `renew` is due."""
        return bool(self.tables["session"][t.HEAP_USED] > self.budget)

    def renew(self) -> None:
        """Forget all records but those of the start. States of earlier generations are to be adopted before use."""
        with _lock:
            before, self.generation = self.generation, RecordGeneration()
            before.heap = self.tables["heap"]
            head = self.tables["session"]
            self.tables.replace("heap", np.zeros(1 << 11, np.int64))
            self.tables.replace("hash", np.zeros(1 << 8, np.int64))
            head[t.HEAP_USED], head[t.HASH_USED] = 1, 0
            self._begin_records()
            self.start = self.adopt(before, self.start)

    def adopt(self, generation: RecordGeneration, state: int) -> int:
        """A state of an earlier generation in this one."""
        assert generation.heap is not None
        with _lock:
            words = words_of(generation.heap, state)
            if 2 * words > self.budget:  # it would begin anew for ever
                raise LimitExceeded("rows", words // ROW + 1, self.limits.rows, "what a text may go on with")
            return copied(generation.heap, state, self._record)

    def is_accepting(self, state: int) -> bool:
        """Whether the output may end in a state."""
        return bool(self.tables["heap"][state + 1])

    def has_mask(self, state: int) -> bool:
        """Whether the mask of a state is remembered."""
        heap = self.tables["heap"]
        return bool(heap[state + 1 + (heap[state] >> 8)])

    def items(self, state: int) -> np.ndarray:
        """The items of a state: int64[n, ITEM]."""
        heap = self.tables["heap"]
        n = int(heap[state] >> 8)
        found: np.ndarray = heap[state + 3 : state + 1 + n].reshape(-1, t.ITEM)
        return found

    def read(self, state: int, data: bytes) -> tuple[int, int]:
        """Read bytes as far as they may follow: the state reached, and how many."""
        with _lock:
            for n, byte in enumerate(data):
                after = self._read_byte(state, byte)
                if after == 0:
                    return state, n
                state = after
        return state, len(data)

    def _read_byte(self, state: int, byte: int) -> int:
        read, load = entry(advance.read_byte), entry(advance.load_items)
        text = int(self.tables["heap"][state + 2] or self.tables["session"][t.REMEMBERS])
        if text:
            text = self._record(t.READ, (text, byte))
        while True:
            n = load(self.block, state)
            found = read(self.block, t.FRONT, n, t.BACK, byte, text) if n >= 0 else n
            if found >= 0:
                accepting = found & 1
                found = self._finish(self.block, t.BACK, found >> 1, accepting, text) if found else 0
            if found >= 0:
                return found
            self.serve(found)

    def viable_bytes(self, state: int) -> bytes:
        """The bytes that may come next, ascending."""
        return bytes(b for b in range(256) if self._read_byte(state, b))

    def expects_special(self, state: int) -> bool:
        """Whether a special token may come next."""
        return bool((self.items(state)[:, t.A] >= t.SPECIAL_ITEM).any())

    def names(self, state: int) -> tuple[str, ...]:
        """The names of the terminals that may come next, or go on."""
        found: set[str] = set()
        for a, _, goal, *_ in self.items(state).tolist():
            found.update(self.terminals_of(a, goal))
        return tuple(sorted(found))

    def terminals_of(self, a: int, goal: int) -> Iterator[str]:
        """The names of the terminals that an item may be."""
        lowering = self.lowering
        terminals = lowering.terminals.terminals
        if a >= t.SPECIAL_ITEM:
            yield terminals[lowering.terminals.special[a - t.SPECIAL_ITEM]].name
        elif a > 0:
            begun = lowering.begun(goal)
            for name, start in begun:
                if len(begun) == 1 or self._reaches(start, a):
                    yield name
        else:
            for leaf in self.leaves(-a):
                yield from lowering.literals(leaf)

    def _reaches(self, start: int, q: int) -> bool:
        """Whether a DFA state is met on the way from another one, as far as a short search tells."""
        seen, todo = {start}, [start]
        while todo and len(seen) < NAMED:
            here = todo.pop(0)
            if here == q:
                return True
            new = set(np.unique(self.dfas.row(here)).tolist()) - seen - {0}
            seen |= new
            todo += sorted(new)
        return q in seen

    def leaves(self, node: int) -> Iterator[int]:
        """The places in LEAF of the words below a node of LITERAL, the node itself left out."""
        literal, todo = self.tables["literal"], [node]
        while todo:
            word = int(literal[todo.pop()])
            first = word >> t.CHILD & t.CHILD_MASK
            for below in range(first, first + (word >> t.CHILDREN & t.CHILDREN_MASK)):
                payload = int(literal[below]) >> t.PAYLOAD & t.PAYLOAD_MASK
                if payload:
                    yield payload
                todo.append(below)

    # --------------------------------------------------------------------------------------------------- the start

    def _begin_records(self) -> None:
        """Make the records that units know by their place."""
        head = self.tables["session"]
        head[t.END_CONT] = self._record(t.PAIRS, (-1, 0, 0))
        head[t.NO_ITEMS] = self._record(t.EARLEY, (0, 0))
        head[t.REMEMBERS] = self._record(t.READ, (t.WHOLE_TEXT, 0)) if self._remembers else 0

    def _begin(self) -> int:
        lowering = self.lowering
        end = int(self.tables["session"][t.END_CONT])
        start = self.call(self._closure, lowering.first(), 0, end)
        if not self.vocabulary.strips_leading_space or isinstance(lowering, RegularLowering):
            return start
        # decoding drops one space: a text, or after a space a text, but none that begins with one
        spaced = self.call(self._closure, lowering.root(SPACED), 0, end)
        rows = [row for row in map(self._unspaced, self.items(start).tolist()) if row is not None]
        rows += self.items(spaced).tolist()
        return self._earley(rows, int(self.is_accepting(start)))

    def _unspaced(self, item: list[int]) -> list[int] | None:
        """An item at its start without the texts that begin with a space; None if nothing is left."""
        a = item[t.A]
        if a >= t.SPECIAL_ITEM:
            return item
        if a > 0 and not self.dfas.step(a, ord(" ")):
            return item
        if a > 0:
            spaced = Concat((Literal(b" "), Anything()))
            assert isinstance(self.lowering, Lowering)
            for terminal, spelled in self.lowering.terminals.starts():
                if spelled.start == a:
                    item[t.A] = self.dfas.start(And((Closed(terminal.expr), Not(spaced))), self.limits)
                    return item if item[t.A] else None
            raise AssertionError("an item of the start is no terminal")
        assert isinstance(self.lowering, Lowering)
        item[t.A] = -self.lowering.without_child(-a, ord(" "))
        return item if item[t.A] else None

    def _earley(self, rows: Sequence[Sequence[int]], accepting: int) -> int:
        flat = [value for row in rows for value in row]
        self._scratch.grow(t.NEW_ITEM, len(flat) + t.ITEM)
        while True:
            self._scratch["new_item"][: len(flat)] = flat
            found = self._finish(self.block, t.NEW_ITEM, len(rows), accepting, 0)
            if found >= 0:
                return found
            self.serve(found)

    def _expand_reachable(self, most: int) -> None:
        """Write the states of the network that are numbered so far, and those that these lead to, up to a number."""
        lowering = self.lowering
        try:
            lowering.expand_all(0, most)
            if isinstance(lowering, Lowering) and lowering.rows is None:
                for terminal in lowering.terminals.tracked():
                    self._settle(t.EXCLUDED, (terminal, 0), 1 + self._excluded(terminal, 0))
        except LimitExceeded:  # what lies there may never be reached
            pass

    def _write_special(self) -> None:
        ids = self.lowering.terminals.special_ids
        if not ids:
            return
        at = np.cumsum([0, *map(len, ids)])
        self.tables.replace("special_at", np.append(at, 0))
        self.tables.replace("special_id", np.array([i for each in ids for i in each] + [0]))

    # -------------------------------------------------------------------------------------------------- the statuses

    def call(self, unit: jit.Entry, *args: int) -> int:
        """Call a unit until it has what it needs."""
        while (found := unit(self.block, *args)) < 0:
            self.serve(found)
        return found

    def serve(self, status: int) -> None:
        """Give a unit what its status names. Raises LimitExceeded."""
        what, kind = -status >> 4, -status & 15
        numbers = self._scratch["scratch"]
        wanted = self._scratch["wanted"][: numbers[t.WANTED_COUNT]].tolist()
        numbers[t.WANTED_COUNT] = 0  # another session must not find them
        if kind == FULL:
            self._grow(what, status)
        elif kind == t.NEED_NET:
            self._expand([what, *(flat for flat in wanted if not flat & (t.BELOW_NODE | t.FOR_ROWS))])
            for key in {key & ~t.FOR_ROWS for key in wanted if key & t.FOR_ROWS}:
                self._serve_rows(key >> 1, bool(key & 1))
            for key in {key & ~t.BELOW_NODE for key in wanted if key & t.BELOW_NODE}:
                self._make_sets(self._vocabulary_tables.set_below, key >> 26, key & t.CHILD_MASK)
        elif kind == t.NEED_SETS:
            self._make_sets(self._vocabulary_tables.ready, what, self._arguments()[0])
        elif kind == t.NEED_COUNTED:
            self._make_sets(self._vocabulary_tables.counted_set, what, *self._arguments())
        elif kind == t.NEED_EXCLUDED:
            terminal, data = self._arguments()
            self._settle(t.EXCLUDED, (terminal, data), 1 + self._excluded(terminal, data))
        elif kind == t.NEED_VALUE:
            text, data = self._arguments()
            self._settle(t.VALUE, (text, data), 1 + self._data_with(text, data))
        elif kind == t.NEED_RULE:
            terminal, text = self._arguments()
            self._settle(t.NEXT_RULE, (terminal, text), 2 + self._rule_after(terminal, text))
        else:
            self.dfas.grow(status)  # which raises
            raise AssertionError(f"a unit returned {status}")

    def _serve_rows(self, number: int, is_row: bool) -> None:
        """Say how the terminal of a SPEC is read, or which rule a HARD row has."""
        lowering = self._lowered
        assert lowering.rows is not None
        if not is_row:
            lowering.rows.spell(number)
            return
        rule = lowering.network.number(lowering.rows.rule(number), lazy=True)
        self.tables["hard_rule"][number] = lowering.rule(rule)

    @property
    def _lowered(self) -> Lowering:
        assert isinstance(self.lowering, Lowering)
        return self.lowering

    def _expand(self, states: Sequence[int]) -> None:
        """Write states of the network."""
        before = len(self.lowering.terminals.special_ids)
        for flat in states:
            if not self.lowering.is_expanded(flat):
                self.lowering.expand(flat)
        if len(self.lowering.terminals.special_ids) != before:
            self._write_special()

    def _make_sets(self, make: Callable[..., int], *args: int) -> None:
        """Make token sets, as far as the automata have room."""
        with self.dfas.lock:  # these release the GIL
            missing = make(self.dfas.block, *args)
        if missing < 0:
            self.dfas.grow(missing)

    def _grow(self, what: int, status: int) -> None:
        if what >= t.SCRATCH_TABLE:
            self._double(self._scratch, what - t.SCRATCH_TABLE)
        elif what >= t.SESSION_TABLE:
            table = what - t.SESSION_TABLE
            self._double(self.tables, table)
            if table == t.HASH:
                self.tables["hash"][:] = 0
                entry(records.rehash)(self.block, 1)
            elif table == t.KEY_STATE:
                self.tables["key_state"][:] = 0
                entry(row_values.rehash_keys)(self.block)
            elif table == t.ESCAPE_HASH:
                self.tables["escape_hash"][:] = 0
                entry(excluded.rehash_escapes)(self.block)
            elif table == t.MEANING_HASH:
                self.tables["meaning_hash"][:] = 0
                entry(values.rehash_meanings)(self.block)
        elif what >= t.VOCABULARY_TABLE:
            self._vocabulary_tables.grow(status)
        else:
            self.dfas.grow(status)

    def _double(self, tables: Tables, table: int) -> None:
        size = 2 * len(tables[tables.columns[table].name])
        most = _LARGEST.get(table, size) if tables is self.tables else size
        if size > most and len(tables[tables.columns[table].name]) >= most:
            raise LimitExceeded("states", size, most, "the words and names of a constraint")
        tables.grow(table, min(size, most))

    def _arguments(self) -> tuple[int, int]:
        head = self.tables["session"]
        return int(head[t.ARGUMENT]), int(head[t.ARGUMENT + 1])

    def _record(self, kind: int, content: Sequence[int]) -> int:
        """Intern a record."""
        self._scratch.grow(t.RECORD, len(content) + 8)
        while True:
            self._scratch["record"][: len(content)] = content
            found = self._intern(self.block, kind, len(content))
            if found >= 0:
                return found
            self.serve(found)

    def _settle(self, kind: int, content: Sequence[int], value: int) -> None:
        """Fill the slot of a record."""
        record = self._record(kind, content)
        self.tables["heap"][record + 1 + len(content)] = value

    # ------------------------------------------------------------------------------------------- tracked terminals

    def text_of(self, record: int) -> tuple[int, bytes]:
        """A tracked terminal and what it has read, from a READ record."""
        heap, read = self.tables["heap"], bytearray()
        while heap[record + 1] >= 0:
            read.append(int(heap[record + 2]))
            record = int(heap[record + 1])
        return -1 - int(heap[record + 1]), bytes(reversed(read))

    def _once(self, terminal: int) -> Once:
        found = self.lowering.terminals.terminals[terminal & ~t.NAME_TERMINAL]
        assert isinstance(found, Terminal) and found.once is not None
        return found.once

    def _numbers_in(self, data: int) -> list[int]:
        heap = self.tables["heap"]
        found: list[int] = heap[data + 1 : data + 1 + (heap[data] >> 8)].tolist() if data else []
        return found

    def _excluded(self, terminal: int, data: int) -> int:
        """What a terminal must not match: a trie of the meanings of strings, or the DFA state of texts."""
        once, written = self._once(terminal), self._numbers_in(data)
        if once.meaning is not None:
            at, meant = self.tables["meaning_at"], self.tables["meaning"]
            strings = {meant[at[number] : at[number + 1]].tobytes() for number in written}
            return self._trie_of(strings | {once.meaning(value) for value in once.never})
        matched = [self._matched[number] for number in written]
        parts = [once.spell(value) for value in (*matched, *once.never)]
        return self.dfas.start(alt(parts), self.limits) if parts else 0

    def _trie_of(self, strings: set[bytes]) -> int:
        """Strings by their meanings, to be excluded."""
        if not strings:
            return 0
        known = self._tries.get(key := frozenset(strings))
        if known is None:
            ended = [string + _END_OF_NAME for string in strings]
            data, n = np.frombuffer(b"".join(ended), np.uint8), len(ended)
            self._scratch.grow(t.WORD, 4 * n)
            self._scratch.grow(t.WORD_BYTE, len(data))
            self._scratch["word_byte"][: len(data)] = data
            ends = np.cumsum([0, *map(len, ended)])
            rows = self._scratch["word"][: 4 * n].reshape(-1, 4)
            rows[:, 0], rows[:, 1], rows[:, 2:] = ends[:-1], ends[1:], 0
            root = self.call(entry(words.lay_words), n, 0)
            known = self._tries[key] = root | excluded.NAMES | excluded.BEFORE_QUOTE
        return known

    def _data_with(self, text: int, data: int) -> int:
        """The data of an activation in which a terminal has matched one more text."""
        terminal, read = self.text_of(text)
        once = self._once(terminal)
        value = once.value(read)
        number = self._values.setdefault((once.spell, value), len(self._values))
        if number == len(self._matched):
            self._matched.append(value)
        return self._record(t.DATA, sorted({*self._numbers_in(data), number}))

    def _rule_after(self, terminal: int, text: int) -> int:
        """The first state of the rule that a data-dependent call goes on with, -1 if nothing may follow."""
        lowering = self.lowering
        assert isinstance(lowering, Lowering)
        found = lowering.terminals.terminals[terminal]
        assert isinstance(found, Terminal) and found.turn is not None
        rule = found.turn(self.text_of(text)[1])
        return -1 if rule is None else lowering.rule(lowering.network.number(rule, lazy=True))

    # ----------------------------------------------------------------------------------------------- tokens in doubt

    def _try_tokens(self, state: int, address: int) -> None:
        """Finish a mask some tokens of which depend on values inside of the tokens themselves."""
        tried = self._scratch["try"][: self._scratch["scratch"][t.TRY_COUNT]].copy()
        allowed = [token for token in np.unique(tried).tolist() if self.call(self._commit, state, token)]
        self._scratch["try"][: len(allowed)] = allowed
        self.call(entry(mask.add_tried), state, address, self.words, len(allowed))

    @property
    def nbytes(self) -> int:
        """Memory that its tables take."""
        return self.tables.nbytes

    def __repr__(self) -> str:
        head = self.tables["session"]
        return f"<Session {self.lowering.size} states, {head[t.HEAP_USED]} words worked out>"
