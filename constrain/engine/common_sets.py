"""Token sets of terminals that most constraints have: from the disk cache of a vocabulary, or made and stored there.

States have other numbers in every process, so that token sets are listed by terminal (a digest of its expression) and a
text that leads to the state: whatever the states are, what may follow that text is the same.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np

from constrain.automata.dfa import DfaStore
from constrain.engine import tables as t
from constrain.engine.stored_tables import Named, save
from constrain.engine.vocabulary_tables import VocabularyTables
from constrain.ir.expr import Expr

_STATES = 64
"""The most states of a terminal of which token sets are stored."""
_MOST_BYTES = 1 << 27
"""Beyond that, tables hold the sets of many constraints, and are not stored again."""


def know(tables: VocabularyTables, dfas: DfaStore, terminals: Sequence[Expr]) -> None:
    """Have the token sets of terminals: from the entry of the vocabulary, else make them and store them."""
    learned = False
    with dfas.lock, tables.lock:
        for expr in terminals:
            key, start = key_of(expr), dfas.start(expr)
            if key not in tables.named:
                counted = start == tables.head[t.STRING_START]
                tables.named[key] = [_made(tables, dfas, q, text, counted) for text, q in _reached(dfas, start)]
                learned = True
            for text, *columns in tables.named[key]:
                _recall(tables, dfas, dfas.read(start, bytes.fromhex(text))[0], columns)
        if learned and tables.key and tables.used_bytes < _MOST_BYTES:
            save(tables.key, tables.tables, tables.named)


def key_of(expr: Expr) -> str:
    """The digest of an expression: of its pickle without references, which is made faster than its text.

    >>> from constrain.ir.expr import Literal
    >>> key_of(Literal(b"a")) == key_of(Literal(b"a")) != key_of(Literal(b"b"))
    True
    """
    data = BytesIO()
    pickler = pickle.Pickler(data, 5)
    pickler.fast = True
    pickler.dump(expr)
    return hashlib.sha256(data.getvalue()).hexdigest()


def _reached(dfas: DfaStore, start: int) -> Iterator[tuple[bytes, int]]:
    """States and the shortest texts that lead to them, up to a number."""
    texts = {start: b""}
    todo = [start]
    for q in todo:
        if not dfas.goes_on(q):
            continue
        yield texts[q], q
        row = dfas.row(q)
        led, first = np.unique(row, return_index=True)
        for after, byte in sorted(zip(led.tolist(), first.tolist()), key=lambda pair: pair[1]):
            if after and after not in texts and len(todo) < _STATES:
                texts[after] = texts[q] + bytes([byte])
                todo.append(after)


def _made(tables: VocabularyTables, dfas: DfaStore, q: int, text: bytes, counted: bool) -> Named:
    """Make the sets of a state, and write down where they are."""
    while (status := tables.ready(dfas.block, q)) < 0:
        dfas.grow(status)
    while counted and (status := tables.counted_set(dfas.block, q, 0, t.UNBOUNDED)) < 0:
        dfas.grow(status)
    row = tables.tables["set_of"][8 * q : 8 * q + 8]
    short, long = row[t.SHORT_STATE], row[t.LONG_STATE]
    sets = tables.tables["set_of"]
    clipped = (int(sets[8 * short + t.SHORT_SET]), int(sets[8 * long + t.LONG_SET])) if short > 0 else (0, 0)
    return text.hex(), int(row[t.WHOLE_SET]), *clipped, int(row[t.COUNTER_ROW])


def _recall(tables: VocabularyTables, dfas: DfaStore, q: int, columns: Sequence[int]) -> None:
    """Write the sets of a state into SET_OF."""
    whole, short, long, counter = columns
    head = tables.head
    states = (-1, -1) if whole else (dfas.clipped(q, int(head[t.SHORT_HORIZON])), dfas.clipped(q, int(head[t.HORIZON])))
    tables.tables.grow(t.SET_OF, 8 * (max(q, *states) + 1))
    sets = tables.tables["set_of"]
    sets[8 * q + t.WHOLE_SET], sets[8 * q + t.COUNTER_ROW] = whole, counter
    sets[8 * q + t.SHORT_STATE], sets[8 * q + t.LONG_STATE] = states
    if not whole:
        sets[8 * states[0] + t.SHORT_SET], sets[8 * states[1] + t.LONG_SET] = short, long
