"""Sessions that read by longest match: see longest_tables.py for what their states are.

In:  a grammar that is read by longest match, a vocabulary.
Out: a `Session`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from constrain import jit
from constrain.automata.tables import EXCEEDED, FULL
from constrain.engine import earley, longest, longest_lexers, longest_tables
from constrain.engine import longest_tables as lt
from constrain.engine import tables as t
from constrain.engine.generations import RecordGeneration, copied, words_of
from constrain.engine.lower import SPACED, Lowering
from constrain.engine.session import ROW, Session, _lock
from constrain.errors import LimitExceeded
from constrain.ir.expr import Literal
from constrain.jit import Tables, entry

_FAR = 1 << 62
"""Priorities beyond are all one."""


class LongestSession(Session):
    """The states of one grammar over one vocabulary, by longest match."""

    lexers: Tables
    """Block L."""
    lowering: Lowering

    def _begin(self) -> int:
        self.lexers = self._make_lexers()
        self._fill, self._commit = entry(longest.fill_longest), entry(longest.commit_longest)
        self._begin_row, self._byte = entry(longest_lexers.begin), entry(longest.byte_longest)
        self._has_forgotten = False
        self.budget //= 2  # masks look at many rows, and to grow large tables takes milliseconds
        end = int(self.tables["session"][t.END_CONT])
        closure = entry(earley.closure)
        start = self.call(closure, self.lowering.first(), 0, end)
        if not self.vocabulary.strips_leading_space:
            return self._settle_elements([(0, lt.NOTHING, start)])
        # decoding drops one space: a text, or after a space a text, but none that begins with one
        spaced = self.call(closure, self.lowering.root(SPACED), 0, end)
        space = self.dfas.start(Literal(b" "), self.limits)
        shun = self.ask(entry(longest_lexers.settle), lt.NOTHING, self._listed([space]))
        return self._settle_elements([(0, lt.NOTHING, spaced), (0, shun, start)])

    def _make_lexers(self) -> Tables:
        return longest_tables.make(self.block, (self.vocabulary.size + 63) // 64, self.limits.search)

    def _listed(self, states: list[int]) -> int:
        """Write DFA states to LIST; their number."""
        self.lexers["list"][: len(states)] = states
        return len(states)

    def _settle_elements(self, elements: list[tuple[int, int, int]]) -> int:
        """The state of some elements."""
        rows = [value for lexer, shun, row in elements for value in (lexer, shun, row, 0, 0)]
        self._scratch.grow(t.FRONT, len(rows) + t.ITEM)
        self._scratch["front"][: len(rows)] = rows
        return self.ask(entry(longest.settle_elements), t.FRONT, len(elements))

    # ---------------------------------------------------------------------------------------------- what users ask

    def fill(self, state: int, address: int) -> None:
        """See `Session.fill`."""
        with _lock:
            self._has_forgotten = False
            self.ask(self._fill, state, address, self.words)

    def commit(self, state: int, token: int) -> int:
        """See `Session.commit`."""
        with _lock:
            return self.ask(self._commit, state, token)

    def go(self, state: int, token: int) -> int:
        """See `Session.go`."""
        reached = self.commit(state, token)
        return reached << 2 | self.is_full << 1 | self.is_accepting(reached) if reached else 0

    def leads(self, state: int, tokens: np.ndarray) -> np.ndarray:
        """The state after each of some tokens, 0 for those that are not allowed: int64[n]."""
        with _lock:
            self.lexers.grow(lt.ANSWER, len(tokens))
            self.lexers["answer"][: len(tokens)] = tokens
            self.ask(entry(longest.commit_all), state, len(tokens))
            return -1 - self.lexers["answer"][: len(tokens)]

    def _read_byte(self, state: int, byte: int) -> int:
        return self.ask(self._byte, state, byte)

    def elements(self, state: int) -> list[tuple[int, int, int]]:
        """The elements of a state: lexer, shun, row."""
        return [(item[t.A], item[t.X], item[t.GOAL]) for item in self.items(state).tolist()]

    def parts(self, lexer: int) -> list[tuple[int, int]]:
        """The parts of a lexer: labels, DFA states."""
        return parts_of(self.lexers, lexer)

    def content(self, record: int) -> list[int]:
        """What stands in a record of POOL."""
        return content_of(self.lexers, record)

    def begun(self, row: int) -> int:
        """The lexer of a row; 0 if no text may follow it."""
        return self.ask(self._begin_row, row)

    def step_lexer(self, lexer: int, byte: int) -> tuple[int, int]:
        """The lexer after a byte, and the winners that end with it; 0 for none."""
        self.ask(entry(longest_lexers.make_row), lexer)
        tables = self.lexers
        row, classes = int(tables["lexer"][10 * lexer + lt.ROW]), 256 * int(tables["lexer"][10 * lexer + lt.MAP])
        step = 2 * (row + int(tables["class"][classes + byte]))
        return int(tables["step"][step]), int(tables["step"][step + 1])

    def expects_special(self, state: int) -> bool:
        """Whether a special token may come next."""
        return any(
            not lexer and any(a >= t.SPECIAL_ITEM for a in self.items(row)[:, t.A].tolist())
            for lexer, _, row in self.elements(state)
        )

    def names(self, state: int) -> tuple[str, ...]:
        """See `Session.names`."""
        found: set[str] = set()
        for lexer, _, row in self.elements(state):
            labels = {label for label, _ in self.parts(lexer or self.begun(row))}
            found.update(self.lowering.terminals.terminals[number].name for number in self._numbers(row, labels, lexer))
        return tuple(sorted(found))

    def _numbers(self, row: int, labels: set[int], lexer: int) -> Iterator[int]:
        """The numbers of the terminals of a row that have some labels, and of special tokens at its start."""
        lowering = self.lowering
        for a, x, goal, *_ in self.items(row).tolist():
            if a >= t.SPECIAL_ITEM:
                if not lexer:
                    yield lowering.terminals.special[a - t.SPECIAL_ITEM]
            elif x in labels:
                yield from (
                    number
                    for number, start in lowering.numbers_begun(goal).items()
                    if start == a and lowering.terminals.spelled(number).local == x
                )

    @property
    def token_sets_forgotten(self) -> int:
        """How often all token sets have been forgotten."""
        return int(self.lexers["head"][lt.SETS_MADE]) - 1

    @property
    def nbytes(self) -> int:
        """See `Session.nbytes`."""
        return self.tables.nbytes + lt.used_bytes(self.lexers)

    # --------------------------------------------------------------------------------------------------- forgetting

    @property
    def is_full(self) -> bool:
        """See `Session.is_full`."""
        rows = self.tables["session"][t.HEAP_USED] + self.lexers["head"][lt.ROW_POOL_USED]
        return bool(rows > self.budget) or lt.used_words(self.lexers) > self.budget

    def renew(self) -> None:
        """See `Session.renew`. Lexers are forgotten, too, if they have become too many."""
        with _lock:
            self.generation.lexers = old = self.lexers
            if lt.used_words(old) > self.budget:
                self.lexers = self._make_lexers()
                old.replace("dense", np.zeros(1, np.int64))
            else:
                longest_tables.forget_rows(old)
            super().renew()

    def adopt(self, generation: RecordGeneration, state: int) -> int:
        """See `Session.adopt`."""
        assert generation.heap is not None and generation.lexers is not None
        heap, old = generation.heap, generation.lexers
        with _lock:
            items = heap[state + 3 : state + 1 + (int(heap[state]) >> 8)].reshape(-1, t.ITEM).tolist()
            words = sum(words_of(heap, item[t.GOAL]) for item in items)
            if words > self.budget:  # it would begin anew for ever
                raise LimitExceeded("rows", words // ROW + 1, self.limits.rows, "what a text may go on with")
            elements = []
            for item in items:
                lexer, shun, row = item[t.A], item[t.X], copied(heap, item[t.GOAL], self._record)
                if old is not self.lexers:
                    lexer, shun = self._adopt_lexer(old, lexer), self._adopt_shun(old, shun)
                elements.append((lexer, shun, row))
            return self._settle_elements(elements)

    def _adopt_lexer(self, old: Tables, lexer: int) -> int:
        """A lexer of an earlier block L in this one."""
        if not lexer:
            return 0
        parts = content_of(old, int(old["lexer"][10 * lexer + lt.PARTS_OF]))
        self.lexers.grow(lt.RECORD, len(parts))
        while True:
            self.lexers["record"][: len(parts)] = parts
            found = entry(longest_lexers.lexer_of)(self.lexers.block, len(parts))
            if found >= 0:
                return found
            self.serve(found)

    def _adopt_shun(self, old: Tables, shun: int) -> int:
        """A shun of an earlier block L in this one."""
        if shun == lt.NOTHING:
            return shun
        left = old["left"][256 * shun : 256 * shun + 256].tolist()
        kept = {rest: self._kept(content_of(old, rest)) for rest in set(left) - {lt.NOTHING, lt.MATCHED}}
        while True:
            new = 256 * int(self.lexers["head"][lt.SHUNS])
            self.lexers.grow(lt.LEFT, new + 256)
            self.lexers.grow(lt.AFTER, new + 256)
            self.lexers["left"][new : new + 256] = [kept.get(rest, rest) for rest in left]
            self.lexers["after"][new : new + 256] = [-1 if rest in kept else rest for rest in left]
            found = entry(longest_lexers.keep_shun)(self.lexers.block)
            if found >= 0:
                return found
            self.serve(found)

    def _kept(self, states: list[int]) -> int:
        """The record of what is left of a shun."""
        self.lexers.grow(lt.RECORD, len(states))
        while True:
            self.lexers["record"][: len(states)] = states
            found = entry(longest_tables.keep)(self.lexers.block, lt.LEFT_OVER, len(states))
            if found >= 0:
                return found
            self.serve(found)

    # -------------------------------------------------------------------------------------------------- the statuses

    def ask(self, unit: jit.Entry, *args: int) -> int:
        """Call a unit of longest match until it has what it needs."""
        while (found := unit(self.lexers.block, *args)) < 0:
            self.serve(found)
        return found

    def serve(self, status: int) -> None:
        """See `Session.serve`."""
        what, kind = -status >> 4, -status & 15
        if kind == EXCEEDED and what == lt.SEARCHED:
            most = self.limits.search
            raise LimitExceeded("search", most + 1, most, "finding text that is not too short a match")
        if kind == lt.NEED_LABELS:
            labels = self.lowering.terminals.labels
            self.lexers.replace("label", np.clip(np.array(labels, object), -_FAR, _FAR).astype(np.int64))
            self.lexers["head"][lt.LABELS] = len(labels)
        elif kind == FULL and what >= lt.LEXERS_TABLE:
            self._grow_lexers(what - lt.LEXERS_TABLE)
        else:
            super().serve(status)

    def _grow_lexers(self, table: int) -> None:
        size = len(self.lexers[self.lexers.columns[table].name])
        if table == lt.DENSE and 16 * size > self.limits.mask_cache_bytes and not self._has_forgotten:
            self._has_forgotten = True  # one mask may need more than that
            self._forget()
            return
        self.lexers.grow(table, 2 * size)
        if table in (lt.HASH, lt.ROW_HASH):
            self.lexers[self.lexers.columns[table].name][:] = 0
            entry(longest_tables.rehash)(self.lexers.block, lt.POOL if table == lt.HASH else lt.ROW_POOL)
        elif table == lt.CROSSED:
            self.lexers["crossed"][:] = 0

    def _forget(self) -> None:
        """Forget all token sets."""
        head = self.lexers["head"]
        head[lt.SETS] = 1
        head[[lt.DENSE_USED, lt.SPARSE_USED, lt.CROSSINGS, lt.UNSURES]] = 0
        head[lt.SETS_MADE] += 1


def content_of(lexers: Tables, record: int) -> list[int]:
    """What stands in a record of POOL."""
    pool = lexers["pool"]
    found: list[int] = pool[record + 1 : record + 1 + (pool[record] >> 8)].tolist()
    return found


def parts_of(lexers: Tables, lexer: int) -> list[tuple[int, int]]:
    """The parts of a lexer: labels, DFA states."""
    words = content_of(lexers, int(lexers["lexer"][10 * lexer + lt.PARTS_OF]))
    return [(word >> 32, word & lt.LOW) for word in words]
