"""Vocabulary tables on disk: an entry of the cache holds what is used of block V."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constrain.engine import counted_strings, suffixes, token_sets
from constrain.engine import tables as t
from constrain.jit import Tables, stamp
from constrain.vocab import cache
from constrain.vocab.vocabulary import Vocabulary

FORMAT = 3
"""Counts up whenever the same sources would store something else."""
WORTH = 10_000
"""Ids from which on a vocabulary is stored."""
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
