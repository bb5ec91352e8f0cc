"""Token sets over flat arrays, against their definition: every token, byte by byte."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amounts import examples
from hypothesis import given
from hypothesis import strategies as st
from reference.token_sets import TokenSet, is_text, occurring, token_set

from constrain import Vocabulary
from constrain.automata import tables as a
from constrain.automata.dfa import DfaStore
from constrain.engine import common_sets, stored_tables
from constrain.engine import tables as t
from constrain.engine.token_tries import BROKEN, INSIDE, LENGTH, WHOLE
from constrain.engine.vocabulary_tables import SHORT, VocabularyTables
from constrain.ir import expr as ir
from constrain.specs.regex import parse_regex

# ------------------------------------------------------------------------------------------- automata, written by hand

Expr = tuple[Any, ...]
ANY_CHARACTER: Expr = (
    "alt",
    ("set", [(0, 0x7F)]),
    ("cat", ("set", [(0xC2, 0xDF)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xE0, 0xE0)]), ("set", [(0xA0, 0xBF)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xE1, 0xEC), (0xEE, 0xEF)]), ("set", [(0x80, 0xBF)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xED, 0xED)]), ("set", [(0x80, 0x9F)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xF0, 0xF0)]), ("set", [(0x90, 0xBF)]), ("set", [(0x80, 0xBF)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xF1, 0xF3)]), ("set", [(0x80, 0xBF)]), ("set", [(0x80, 0xBF)]), ("set", [(0x80, 0xBF)])),
    ("cat", ("set", [(0xF4, 0xF4)]), ("set", [(0x80, 0x8F)]), ("set", [(0x80, 0xBF)]), ("set", [(0x80, 0xBF)])),
)


class Automata:
    """Tables of ready states, from expressions by the subset construction."""

    def __init__(self) -> None:
        self.tables = a.make()
        self.edges: list[list[tuple[int, int, int]]] = []
        self.empty: list[list[int]] = []

    def _node(self) -> int:
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def _build(self, expr: Expr, end: int) -> int:
        """The node from which `expr` is read up to the node `end`."""
        kind, *parts = expr
        if kind == "set":
            node = self._node()
            self.edges[node] = [(low, high, end) for low, high in parts[0]]
            return node
        if kind == "cat":
            for part in reversed(parts):
                end = self._build(part, end)
            return end
        node = self._node()
        if kind == "alt":
            self.empty[node] = [self._build(part, end) for part in parts]
        elif kind == "star":
            self.empty[node] = [self._build(parts[0], node), end]
        else:  # ("up to", expr, n)
            node = end
            for _ in range(parts[1]):
                before = self._node()
                self.empty[before] = [self._build(parts[0], node), end]
                node = before
        return node

    def _closed(self, nodes: Iterable[int]) -> frozenset[int]:
        seen, todo = set(nodes), list(nodes)
        while todo:
            for node in self.empty[todo.pop()]:
                if node not in seen:
                    seen.add(node)
                    todo.append(node)
        return frozenset(seen)

    def add(self, expr: Expr, most: int = 2000) -> list[int]:
        """The states of an expression, its start first; empty if there are more than `most`."""
        end = self._node()
        start = self._closed([self._build(expr, end)])
        first = int(self.tables["count"][a.STATES])
        numbers, order, rows = {start: first}, [start], []
        for nodes in order:  # grows meanwhile
            row = []
            reached: dict[frozenset[int], int] = {}
            for byte in range(256):
                after = frozenset(to for n in nodes for low, high, to in self.edges[n] if low <= byte <= high)
                if after and after not in reached:
                    closed = self._closed(after)
                    if closed not in numbers:
                        numbers[closed] = first + len(order)
                        order.append(closed)
                    reached[after] = numbers[closed]
                row.append(reached[after] if after else 0)
            rows.append((row, end in nodes))
            if len(numbers) > most:
                return []
        for n, (row, accepting) in enumerate(rows):
            self._write(first + n, row, accepting)
        self.tables["count"][a.STATES] = first + len(rows)
        return list(range(first, first + len(rows)))

    def _write(self, q: int, row: list[int], accepting: bool) -> None:
        count = self.tables["count"]
        target, runs, number = (int(count[k]) for k in (a.TARGETS, a.RUNS, a.MAPS))
        classes = {led: n for n, led in enumerate(dict.fromkeys(row))}
        listed = [b | classes[row[b]] << 8 for b in range(256) if b == 0 or row[b] != row[b - 1]]
        for name, at, values in (
            ("target", target, list(classes)),
            ("run", runs, listed),
            ("class", 256 * number, [classes[led] for led in row]),
            ("mapped", 4 * number, [runs, len(listed), len(classes), 0]),
            ("state", 8 * q, [0] * 8),
        ):
            k = [column.name for column in self.tables.columns].index(name)
            self.tables.grow(k, at + len(values))
            self.tables[name][at : at + len(values)] = values
        flags = a.READY | (a.ACCEPTS if accepting else 0) | (a.GOES_ON if any(row) else 0)
        self.tables["state"][8 * q + a.FLAGS : 8 * q + 8] = flags, target, number, len(classes), 1
        count[[a.TARGETS, a.RUNS, a.MAPS]] = target + len(classes), runs + len(listed), number + 1

    def step(self, q: int, byte: int) -> int:
        """The state after a byte."""
        state = self.tables["state"]
        mapped = self.tables["class"][256 * int(state[8 * q + a.MAP]) + byte]
        return int(self.tables["target"][state[8 * q + a.ROW] + mapped])

    def accepts(self, q: int) -> bool:
        """Whether a text may end here."""
        return bool(self.tables["state"][8 * q + a.FLAGS] & a.ACCEPTS)


# ------------------------------------------------------------------------------------------------------- reading tables


def decoded(tables: VocabularyTables, index: int) -> TokenSet:
    """What the tables say of a token set, checked for its form."""
    kind, at, size, root = tables.tables["set"][4 * index : 4 * index + 4].tolist()
    if kind == t.DENSE_SET:
        words = tables.tables["dense"][at : at + int(tables.head[t.WIDTH])]
        inner = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist()
    else:
        inner = tables.tables["sparse"][at : at + size].tolist() if kind == t.FEW else []
    assert len(inner) == size and inner == sorted(set(inner))
    return TokenSet(set(inner), dict(spelled(tables, root, b"")) if root else {})


def spelled(tables: VocabularyTables, node: int, path: bytes) -> Iterator[tuple[bytes, set[int]]]:
    """What the nodes of a trie spell, and the tokens there."""
    trie, lists, tokens = (tables.tables[name] for name in ("trie", "list", "tokens"))
    word = int(trie[node])
    payload = (word >> t.PAYLOAD) & t.PAYLOAD_MASK
    if payload >= t.MANY:
        at = int(lists[payload - t.MANY])
        found = tokens[at + 1 : at + 1 + int(tokens[at])].tolist()
        assert len(found) > 1
        yield path, set(found)
    elif payload:
        yield path, {payload - 1}
    first, n = (word >> t.CHILD) & t.CHILD_MASK, (word >> t.CHILDREN) & t.CHILDREN_MASK
    labels = [int(trie[child]) & 255 for child in range(first, first + n)]
    assert labels == sorted(set(labels)) and (payload or n or not path)
    for k, byte in enumerate(labels):
        yield from spelled(tables, first + k, path + bytes([byte]))


def parts(tokens: list[bytes], which: int) -> list[bytes]:
    """The tokens that stand in a trie: all, the short ones, the long ones."""
    return [b"" if (which == 1 and len(s) > SHORT) or (which == 2 and len(s) <= SHORT) else s for s in tokens]


def shrunk(tables: VocabularyTables) -> VocabularyTables:
    """The same without room for anything new."""
    for name, used in (("set", 4), ("dense", 0), ("sparse", 0), ("set_of", 0), ("keeps", 0), ("same", 0)):
        tables.tables.replace(name, tables.tables[name][:used].copy())
    for name, used in (("list", t.LIST_USED), ("tokens", t.TOKENS_USED), ("trie", t.TRIE_USED)):
        tables.tables.replace(name, tables.tables[name][: int(tables.head[used])].copy())
    for name in ("places", "stack", "lists", "merged"):
        tables.scratch.replace(name, np.zeros(1, np.int32))
    return tables


# -------------------------------------------------------------------------------------------------------------- laws

BROKEN_PIECES = [b"\xc3", b"\xa9", b"\xe2\x82", b"\xff"]
PIECES = [b"a", b"b", b"c", b"z", b"1", b" ", b'"', "é".encode(), "€".encode(), "😀".encode(), *BROKEN_PIECES]
RANGES = [(97, 97), (97, 98), (97, 122), (48, 57), (34, 34), (32, 126), (0, 255), (0x80, 0xBF), (0xC2, 0xF4)]
SETS = st.one_of(st.sampled_from(RANGES).map(lambda r: [r]), st.just([(97, 99), (122, 122)]))
EXPRESSIONS = st.recursive(
    st.one_of(SETS.map(lambda ranges: ("set", ranges)), st.just(ANY_CHARACTER)),
    lambda inner: st.one_of(
        st.tuples(st.just("cat"), inner, inner),
        st.tuples(st.just("alt"), inner, inner),
        st.tuples(st.just("star"), inner),
        st.tuples(st.just("up to"), inner, st.integers(1, 12)),
    ),
    max_leaves=8,
)


def tokens_by(seed: int, number: int, width: int) -> list[bytes]:
    """Random tokens of few pieces: duplicates, long ones, broken characters, ids without a token."""
    source = random.Random(seed)
    pieces = source.sample(PIECES, width)
    made = [b"".join(source.choices(pieces, k=source.choice([0, 1, 2, 2, 3, 3, 4, 6, 9]))) for _ in range(number)]
    return [*made, b"a"]


TOKENS = st.builds(tokens_by, st.integers(0, 1 << 30), st.sampled_from([3, 30, 200, 600]), st.integers(1, 8))


@examples(300)
@given(TOKENS, EXPRESSIONS, st.booleans())
def test_token_sets_hold_what_their_definition_says(tokens: list[bytes], expr: Expr, tight: bool) -> None:
    """All tokens, short ones, long ones, from several states of an automaton, in ample and in tiny tables."""
    automata, tables = Automata(), VocabularyTables(Vocabulary.from_tokens(tokens))
    if tight:
        tables = shrunk(tables)
    states = automata.add(expr)
    for q in states[:6]:
        for which in (0, 1, 2):
            index = tables.token_set(automata.tables.block, q, which)
            assert index > 0
            assert decoded(tables, index) == token_set(automata, q, parts(tokens, which))
            assert tables.token_set(automata.tables.block, q, which) == index


@examples(100)
@given(TOKENS)
def test_tries_hold_all_tokens_with_what_occurs_below(tokens: list[bytes]) -> None:
    """Spelling, order, spans, heights, and what BELOW and MAKEUP promise."""
    tables = VocabularyTables(Vocabulary.from_tokens(tokens))
    width = int(tables.head[t.WIDTH])

    def groups(met: set[int]) -> int:
        return int(np.bitwise_or.reduce(tables.tables["group"][sorted(met)])) if met else 0

    for which in (0, 1, 2):
        wanted = parts(tokens, which)
        root = int(tables.head[t.ROOT + which])
        expected: dict[bytes, set[int]] = {}
        for token, spelling in enumerate(wanted):
            if spelling:
                expected.setdefault(spelling, set()).add(token)
        assert dict(spelled(tables, root, b"")) == expected
        makeup = tables.tables["makeup"][which * 64 * width : (which + 1) * 64 * width]
        assert [n for n, bits in enumerate(makeup) if bits >= 0] == [n for n, s in enumerate(wanted) if s]
        for token, spelling in enumerate(wanted):
            if spelling:
                met, whole, broken = occurring([spelling], b"")
                bits = groups(met) | (WHOLE if whole else 0) | (BROKEN if broken else 0)
                assert int(makeup[token]) == bits | len(spelling) << LENGTH
        for node, path in nodes(tables, root):
            below = [s for s in expected if s.startswith(path)]
            begin, end = (int(tables.tables["span"][node]) >> shift & 0xFFFFFFFF for shift in (0, 32))
            ordered = tables.tables["order"][begin:end].tolist()
            assert ordered == [n for s in sorted(below) for n in sorted(expected[s])]
            assert tables.tables["height"][node] == max((len(s) - len(path) for s in below), default=0)
            met, whole, broken = occurring(below, path)
            found = int(tables.tables["below"][node])
            assert found & ((1 << LENGTH) - 1) == groups(met)
            assert bool(found & INSIDE) != is_text(path)
            if is_text(path):
                assert found >> LENGTH << LENGTH == (WHOLE if whole else 0) | (BROKEN if broken else 0)


def nodes(tables: VocabularyTables, root: int) -> Iterator[tuple[int, bytes]]:
    """All nodes below a root, and what they spell."""
    todo = [(root, b"")]
    while todo:
        node, path = todo.pop()
        yield node, path
        word = int(tables.tables["trie"][node])
        first, n = (word >> t.CHILD) & t.CHILD_MASK, (word >> t.CHILDREN) & t.CHILDREN_MASK
        todo += [(k, path + bytes([int(tables.tables["trie"][k]) & 255])) for k in range(first, first + n)]


@examples(20)
@given(st.integers(0, 1 << 30), st.booleans())
def test_stored_sets_are_those_that_were_made(seed: int, damaged: bool) -> None:
    """The sets of some terminals, in a process where states have other numbers, and new sets beside them."""
    quote, digits = ir.Literal(b'"'), ir.Repeat(ir.Chars(((48, 57),)), 1, 30)
    string = ir.Concat((quote, ir.Repeat(ir.Chars(((32, 33), (35, 0x10FFFF))), 0, None), quote))
    vocabulary = Vocabulary.from_tokens([*tokens_by(seed, 200, 8), b"1" * 20, b'"' + b"1" * 20])
    tokens = [vocabulary.token_bytes(n) for n in range(vocabulary.size)]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(stored_tables, "WORTH", 1)
        patch.setenv("CONSTRAIN_CACHE_DIR", folder)
        made = []
        for other in (string, digits, ir.Repeat(digits, 2, 3)):
            dfas, tables = DfaStore(), VocabularyTables(vocabulary)
            dfas.start(other)
            before = int(tables.head[t.SET_USED])
            tables.name_string(*names(dfas, string))
            common_sets.know(tables, dfas, [string, digits])
            made.append(int(tables.head[t.SET_USED]) - before)
            for expr in (string, digits, other):
                for text in (b"", b'"', b"12", b'"a', '"é'.encode()[:2]):
                    q, n = dfas.read(dfas.start(expr), text)
                    if n == len(text) and dfas.goes_on(q):
                        assert ready(tables, dfas, q) == token_set(dfas, q, tokens)
            if damaged:
                for stored in Path(folder).glob("*/tokens/*"):
                    stored.write_bytes(stored.read_bytes()[:-400])
        assert made[0] > 0 and (made[1] > 0) == damaged


def names(dfas: DfaStore, string: ir.Expr) -> tuple[int, int, int]:
    """The states of a string before, in, and behind its quotes."""
    start = dfas.start(string)
    return start, dfas.step(start, 34), dfas.step(dfas.step(start, 34), 34)


def ready(tables: VocabularyTables, dfas: DfaStore, q: int) -> TokenSet:
    """The sets of a state as masks take them: of all tokens, or of short and long ones; first without suffixes."""
    for follows in (0, 1):
        while (status := tables.ready(dfas.block, q, follows)) < 0:
            dfas.grow(status)
    sets = tables.tables["set_of"]
    row = sets[8 * q : 8 * q + 8]
    if row[t.WHOLE_SET]:
        return decoded(tables, int(row[t.WHOLE_SET]))
    short = decoded(tables, int(sets[8 * row[t.SHORT_STATE] + t.SHORT_SET]))
    long = decoded(tables, int(sets[8 * row[t.LONG_STATE] + t.LONG_SET]))
    assert not short.inner & long.inner
    keys = {*short.suffixes, *long.suffixes}
    return TokenSet(
        short.inner | long.inner,
        {key: short.suffixes.get(key, set()) | long.suffixes.get(key, set()) for key in keys},
    )


PATTERNS = [
    r"[ab]{0,30}", r"(?:a|b1?){3,20}", r'"[a-c]{2,100}"', r"(?:[a-z]{2,5} ){1,50}", r"[^b]{0,17}z", r".{0,40}",
    r"(?:a{1,5}|b){2,6}1{0,99}", r"é{0,20}", r"(?s:.*)ab.{0,12}", r"\d{2,25}a?",
]  # fmt: skip


@examples(100)
@given(
    TOKENS, st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2), st.sampled_from([b"", b"a", b'"', b"ab", b"1"])
)
def test_states_that_differ_in_far_counts_share_sets(tokens: list[bytes], patterns: list[str], text: bytes) -> None:
    """What masks take of a state is what its definition says, whatever states stand in for it."""
    tokens = [*tokens, b"a" * 17, b"ab" * 10, b"1" * 30, b'"' + b"ab" * 9]
    dfas, tables = DfaStore(), VocabularyTables(Vocabulary.from_tokens(tokens))
    for pattern in patterns:
        q, _ = dfas.read(dfas.start(parse_regex(pattern)), text)
        assert ready(tables, dfas, q) == token_set(dfas, q, tokens)


@examples(150)
@given(TOKENS, st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3), st.integers(0, 1 << 30))
def test_sets_below_hold_what_their_definition_says(tokens: list[bytes], patterns: list[str], seed: int) -> None:
    """Below nodes of the vocabulary, of suffixes, and of suffixes of suffixes: there a token may stand twice."""
    source = random.Random(seed)
    dfas, tables = DfaStore(), VocabularyTables(Vocabulary.from_tokens([*tokens, b"a" * 17, b"ab" * 10]))
    for pattern in (*patterns, *patterns):
        q, _ = dfas.read(dfas.start(parse_regex(pattern)), source.choice([b"", b"a", b"ab", b'"']))
        ready(tables, dfas, q)
        for node in source.sample(range(1, int(tables.head[t.TRIE_USED])), 3):
            below = [(s, token) for s, found in spelled(tables, node, b"") if s for token in found]
            whole = token_set(dfas, q, [s for s, _ in below])
            inner = {below[n][1] for n in whole.inner}
            rest = {s: {below[n][1] for n in found} - inner for s, found in whole.suffixes.items()}
            assert set(covered(tables, node)) == {token for _, token in below}
            while (index := tables.set_below(dfas.block, q, node)) < 0:
                dfas.grow(index)
            made = decoded(tables, index)
            assert made.inner == inner
            left = {s: found - inner for s, found in made.suffixes.items()}
            assert {s: found for s, found in left.items() if found} == {s: found for s, found in rest.items() if found}


def covered(tables: VocabularyTables, node: int) -> list[int]:
    """The tokens that the span of a node says are below it, those of the node itself left out."""
    span, word = int(tables.tables["span"][node]), int(tables.tables["trie"][node])
    found: list[int] = tables.tables["order"][span & 0xFFFFFFFF : span >> 32].tolist()
    payload = (word >> t.PAYLOAD) & t.PAYLOAD_MASK
    if payload >= t.MANY:
        return found[int(tables.tables["tokens"][tables.tables["list"][payload - t.MANY]]) :]
    return found[1:] if payload else found


def test_two_equal_vocabularies_share_their_tables() -> None:
    """Tables belong to what a vocabulary holds, and go when nobody has it any more."""
    import gc
    import weakref

    first, second = (Vocabulary.from_tokens([b"a", b"b"]) for _ in range(2))
    dfas = DfaStore()
    made = VocabularyTables.of(first, dfas)
    assert VocabularyTables.of(second, dfas) is made
    assert VocabularyTables.of(Vocabulary.from_tokens([b"a", b"b"]), DfaStore()) is not made
    gone = weakref.ref(made)
    del made, first
    gc.collect()
    assert VocabularyTables.of(second, dfas) is gone()
    del second
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------------------------------------------ real tokenizers

REAL: dict[str, Expr] = {
    "text": ("star", ANY_CHARACTER),
    "name": ("cat", ("set", [(65, 90), (97, 122)]), ("star", ("set", [(48, 57), (65, 90), (95, 95), (97, 122)]))),
    "number": ("cat", ("up to", ("set", [(45, 45)]), 1), ("set", [(48, 57)]), ("star", ("set", [(48, 57)]))),
    "string": ("cat", ("set", [(34, 34)]), ("star", ("set", [(32, 33), (35, 91), (93, 126)])), ("set", [(34, 34)])),
    "short": ("up to", ("set", [(0, 46), (48, 255)]), 10),
    "words": ("up to", ("cat", ("set", [(33, 126)]), ("star", ("set", [(33, 126)])), ("set", [(32, 32)])), 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama3"])
@pytest.mark.parametrize("pattern", REAL)
def test_token_sets_of_real_tokenizers(name: str, pattern: str, data_dir: Path) -> None:
    """All three sets of the first states of common patterns."""
    folder = data_dir / "tokenizers" / name
    if not folder.exists():
        pytest.skip(f"no tokenizer {name}")
    vocabulary = Vocabulary.from_pretrained(folder)
    tokens = [vocabulary.token_bytes(n) for n in range(vocabulary.size)]
    automata, tables = Automata(), VocabularyTables(vocabulary)
    for q in automata.add(REAL[pattern])[:4]:
        for which in (0, 1, 2):
            found = decoded(tables, tables.token_set(automata.tables.block, q, which))
            assert found == token_set(automata, q, parts(tokens, which))
