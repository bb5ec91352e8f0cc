"""Vocabulary tables on disk: tries, and the token sets of terminals that most constraints have.

An entry of the disk cache holds what is used of block V. States have other numbers in every process, so that token
sets are listed by terminal (a digest of its expression) and a text that leads to the state: whatever the states are,
what may follow that text is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from constrain.automata.dfa import DfaStore
from constrain.engine import counted_strings, suffixes, token_sets
from constrain.engine import tables as t
from constrain.ir.expr import Expr
from constrain.jit import Tables, stamp
from constrain.vocab import cache
from constrain.vocab.vocabulary import Vocabulary

if TYPE_CHECKING:
    from constrain.engine.vocabulary_tables import VocabularyTables

FORMAT = 2
"""Counts up whenever the same sources would store something else."""
WORTH = 10_000
"""Ids from which on a vocabulary is stored."""
_STATES = 64
"""The most states of a terminal of which token sets are stored."""
_MOST_BYTES = 1 << 27
"""Beyond that, tables hold the sets of many constraints, and are not stored again."""
_FIXED = ("makeup",)
"""Tables that never grow once the tries stand."""

Named = tuple[str, int, int, int, int]
"""A text in hexadecimal, and what SET_OF has for the state behind it: whole, short and long set, row in COUNTER."""


def key_of(vocabulary: Vocabulary) -> str:
    """The key of the entry of a vocabulary: it changes with the sources of all kernels that make token sets."""
    sources = [stamp(module.__file__) for module in (counted_strings, token_sets, suffixes)]
    return cache.digest([FORMAT, vocabulary.fingerprint, *sources])


def used(tables: Tables) -> dict[str, int]:
    """How many entries of the growing tables are used."""
    head = tables["vocabulary"]
    counts = {
        **dict.fromkeys(("trie", "below", "height", "span"), head[t.TRIE_USED]),
        "order": head[t.ORDER_USED],
        "list": head[t.LIST_USED],
        "tokens": head[t.TOKENS_USED],
        "set": 4 * head[t.SET_USED],
        "dense": head[t.DENSE_USED],
        "sparse": head[t.SPARSE_USED],
        "same": head[t.SAME_USED] * (t.SAME_HEAD + head[t.WIDTH]),
        "counted": head[t.COUNTED_USED],
        "counter": (head[t.COUNTERS] + 1) * counted_strings.COUNTER_COLUMNS,
        "counted_set": len(tables["counted_set"]),
    }
    return {name: int(count) for name, count in counts.items()}


def save(key: str, tables: Tables, named: Mapping[str, Sequence[Named]]) -> bool:
    """Store what is used of the tables, and which sets belong to which terminals."""
    head = tables["vocabulary"].copy()
    head[[t.SETS_SCRATCH, t.STRING_START, t.STRING_BODY, t.STRING_END]] = 0
    parts = {name: tables[name][:count] for name, count in used(tables).items()}
    return cache.store("tokens", key, {"vocabulary": head, **parts, **{n: tables[n] for n in _FIXED}}, {"sets": named})


def load(key: str, tables: Tables) -> dict[str, list[Named]] | None:
    """Fill the tables from the entry of a vocabulary; the sets of terminals, or None if there is no entry."""
    entry = cache.load_entry("tokens", key)
    if entry is None:
        return None
    arrays, meta = entry
    scratch = tables["vocabulary"][t.SETS_SCRATCH]
    for name in _FIXED:
        tables.replace(name, arrays.pop(name))
    for name, array in arrays.items():
        if name == "counted_set":
            tables.replace(name, array)
            continue
        tables.grow(next(k for k, column in enumerate(tables.columns) if column.name == name), len(array))
        tables[name][: len(array)] = array
    tables["vocabulary"][t.SETS_SCRATCH] = scratch
    return {terminal: [tuple(row) for row in rows] for terminal, rows in meta["sets"].items()}


def know(tables: VocabularyTables, dfas: DfaStore, terminals: Sequence[Expr]) -> None:
    """Have the token sets of terminals: from the entry of the vocabulary, else make them and store them."""
    learned = False
    with dfas.lock, tables.lock:
        for expr in terminals:
            key, start = cache.digest([expr]), dfas.start(expr)
            if key not in tables.named:
                counted = start == tables.head[t.STRING_START]
                tables.named[key] = [_made(tables, dfas, q, text, counted) for text, q in _reached(dfas, start)]
                learned = True
            for text, *columns in tables.named[key]:
                _recall(tables, dfas, dfas.read(start, bytes.fromhex(text))[0], columns)
        if learned and tables.key and tables.used_bytes < _MOST_BYTES:
            save(tables.key, tables.tables, tables.named)


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
