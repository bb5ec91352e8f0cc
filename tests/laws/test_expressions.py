"""The engine of expressions against two definitions that share no code with it, and the laws of its store."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import expressions as ref
from strategies import LETTERS, examples, expressions, leaves, plain, repeats, texts, vocabularies

from constrain import LimitExceeded, Limits, UnsupportedError, Vocabulary
from constrain.automata import store as stores
from constrain.automata.store import ANYTHING, ExpressionStore
from constrain.ir import expr as ir
from constrain.ir.semantics import accepts
from constrain.kernels import expressions as kernels
from constrain.kernels.trie import build as build_trie

LIMITS = Limits(search=20_000)
SHORT = [bytes(text) for n in range(4) for text in itertools.product(b"ab", repeat=n)]


class Language:
    """An expression in a store."""

    def __init__(self, expr: ir.Expr, store: ExpressionStore | None = None, limits: Limits | None = None) -> None:
        self.store = store or ExpressionStore()
        self.limits = limits or Limits()
        self.node = self.store.build(expr, self.limits)

    def viable(self, data: bytes) -> bool:
        """Whether a text of the language begins with `data`."""
        reached = self.store.advance(self.node, data, self.limits)
        return reached.node != 0 and reached.read == len(data)

    def accepts(self, data: bytes) -> bool:
        """Whether `data` is in the language."""
        reached = self.store.advance(self.node, data, self.limits)
        return reached.node != 0 and reached.read == len(data) and self.store.is_nullable(reached.node)

    def sample(self, rng: random.Random, longest: int = 40) -> bytes | None:
        """A text of the language found by a random walk, or None if the walk met no end."""
        node, data = self.store.advance(self.node, b"", self.limits).node, b""
        while node and len(data) < longest:
            following = self.store.viable_bytes(node, self.limits)
            if self.store.is_nullable(node) and (not following or rng.random() < 0.3):
                return data
            common = [b for b in following if 0x20 <= b < 0x7F]
            byte = bytes([rng.choice(common if common and rng.random() < 0.8 else following)])
            node, data = self.store.advance(node, byte, self.limits).node, data + byte
        return data if node and self.store.is_nullable(node) else None


def walked(store: ExpressionStore, node: int, tokens: Sequence[bytes], limits: Limits) -> set[int]:
    """The tokens that `ExpressionStore.walk` finds allowed at a node, whatever the vocabulary can spell."""
    data = np.frombuffer(b"".join(tokens), np.uint8)
    trie = build_trie(data, np.cumsum([0, *map(len, tokens)]))
    mask = np.zeros((len(tokens) + 31) // 32, np.uint32)
    store.walk(node, ANYTHING, trie, mask, limits)
    return set(np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist())


def letters(*codes: int) -> ir.Expr:
    return ir.Chars(tuple((code, code) for code in codes))


AB = letters(0x61, 0x62)


def can_complete(machine: ref.Formula) -> bool:
    try:
        return ref.completes(machine, LETTERS, limit=3000)
    except OverflowError:
        assume(False)
        raise


# ---- membership, viable prefixes, emptiness


@examples(200)
@given(expressions(), st.lists(texts(), max_size=8))
def test_accepts_what_the_semantics_accept(expr: ir.Expr, drawn: list[bytes]) -> None:
    language = Language(expr, limits=LIMITS)
    for text in [*SHORT, *drawn]:
        assert language.accepts(text) == accepts(expr, text), text


@examples(200)
@given(expressions(), st.lists(texts(), max_size=4))
def test_reads_exactly_the_prefixes_that_can_be_completed(expr: ir.Expr, drawn: list[bytes]) -> None:
    language, machine = Language(expr, limits=LIMITS), ref.start(plain(expr))
    for text in [*SHORT[:7], *drawn]:
        here = ref.step_all(machine, text)
        assert language.accepts(text) == ref.ends(here), text
        assert language.viable(text) == can_complete(here), text


@examples(150)
@given(expressions(), texts())
def test_nothing_is_left_of_an_empty_language_only(expr: ir.Expr, text: bytes) -> None:
    store = ExpressionStore()
    node = store.build(ir.Concat((ir.Closed(expr), ir.Literal(b""))), LIMITS)
    exists = can_complete(ref.start(plain(expr)))
    for data in (b"", text):
        reached = store.advance(node, data, LIMITS)
        assert (reached.node != stores.EMPTY) == exists
        assert exists or reached.read == 0


@examples(150)
@given(expressions(), texts())
def test_how_far_a_text_is_read(expr: ir.Expr, text: bytes) -> None:
    """`read` is the length of the longest prefix that can be completed; the next byte is none of the viable ones."""
    store = ExpressionStore()
    node = store.build(expr, LIMITS)
    reached = store.advance(node, text, LIMITS)
    assume(reached.node)
    machine = ref.step_all(ref.start(plain(expr)), text[: reached.read])
    following = store.viable_bytes(reached.node, LIMITS)
    assert can_complete(machine)
    assert reached.read == len(text) or text[reached.read] not in following
    for move in LETTERS:
        assert (move[0] in following) == can_complete(ref.step(machine, move[0])), move


@examples(60)
@given(expressions(depth=2, looks=False, largest=40), st.integers(0, 10**6))
def test_large_counts(expr: ir.Expr, seed: int) -> None:
    language, rng = Language(expr, limits=LIMITS), random.Random(seed)
    for _ in range(3):
        found = language.sample(rng, longest=24)
        if found is not None:
            assert accepts(expr, found), found
            for text in (found[:-1], found + b"a", found * 2):
                if len(text) < 30:
                    assert language.accepts(text) == accepts(expr, text), text


@pytest.mark.parametrize("low, high", [(0, 1), (3, 3), (999, 1000), (0, 100_000), (100_000, None), (99_999, 100_000)])
def test_counts_are_exact(low: int, high: int | None) -> None:
    store = ExpressionStore()
    node = store.build(ir.Repeat(letters(0x61), low, high), LIMITS)
    longest = low + 2 if high is None else high
    for count in {0, low - 1, low, longest, longest + 1} - {-1}:
        reached = store.advance(node, b"a" * count, LIMITS)
        assert reached.read == (count if high is None else min(count, high))
        ended = reached.read == count and store.is_nullable(reached.node)
        assert ended == (low <= count and (high is None or count <= high)), count


@examples(100)
@given(st.integers(1, 60) | st.integers(1, ir.LARGEST_DIVISOR), st.text("0123456789.", max_size=40), st.integers(0, 99))
def test_multiples(divisor: int, text: str, factor: int) -> None:
    store = ExpressionStore()
    node = store.build(ir.Divisible(divisor), LIMITS)
    for data in (text, str(divisor * factor), f"{divisor * factor:.1e}"[:3], f"{text}a"):
        reached = store.advance(node, data.encode(), LIMITS)
        readable = data.rstrip("a")
        value = int(readable.replace(".", "") or 0)
        assert reached.read == len(readable)
        assert store.is_nullable(reached.node) == (value % divisor == 0)
        missing = next(n for n in range(20) if -value * 10**n % divisor < 10**n)
        assert store.shortest(reached.node) == missing


@pytest.mark.parametrize("divisor", [1, 2, 3, 16, 40, 625, 10**17 - 1, 10**17])
def test_multiples_among_numbers_are_found_without_a_search(divisor: int) -> None:
    """Once digits may follow for ever, no remainder has to be looked at to know that they reach a multiple."""
    digits = ir.Repeat(ir.Chars(((0x30, 0x39),)), 0, None)
    integers = ir.Alt((ir.Literal(b"0"), ir.Concat((ir.Chars(((0x31, 0x39),)), digits))))
    language = Language(ir.And((integers, ir.Divisible(divisor))), limits=Limits(search=20))
    rng, text = random.Random(divisor), b"7"
    for _ in range(30):
        assert language.viable(text) and not language.viable(text + b".")
        assert language.accepts(text) == (int(text) % divisor == 0)
        rest = language.store.shortest(language.store.advance(language.node, text, LIMITS).node)
        assert rest == next(n for n in range(20) if -int(text) * 10**n % divisor < 10**n)
        text += str(rng.randrange(10)).encode()
    assert language.accepts(str(divisor * 12345678901234567890).encode())


@examples(150)
@given(
    st.integers(1, 300) | st.integers(1, ir.LARGEST_DIVISOR),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.sampled_from([((0x30, 0x39),), ((0x2E, 0x2E), (0x30, 0x39)), ((0x30, 0x3A),)]),
    st.text("0123456789", max_size=9),
)
def test_multiples_of_some_lengths(divisor: int, low: int, more: int | None, ranges: ir.Ranges, text: str) -> None:
    """Whether as many digits as may still follow can make a multiple is known without a search."""
    high = None if more is None else low + more
    expr = ir.And((ir.Repeat(ir.Chars(ranges), low, high), ir.Divisible(divisor)))
    language = Language(expr, limits=Limits(search=20))
    for n in range(len(text) + 1):
        left = range(max(0, low - n), (99 if high is None else high) - n + 1)
        begun = int(text[:n] or 0)
        assert language.viable(text[:n].encode()) == any(-begun * 10**k % divisor < 10**k for k in left)
        assert language.accepts(text[:n].encode()) == (0 in left and begun % divisor == 0)


def test_multiples_without_some_digits() -> None:
    nonzero = ir.Chars(((0x31, 0x39),))
    assert not Language(ir.And((ir.Repeat(nonzero, 1, 9), ir.Divisible(10)))).viable(b"")
    assert not Language(ir.And((ir.Repeat(nonzero, 2, 9), ir.Divisible(50)))).viable(b"")
    assert Language(ir.And((ir.Repeat(nonzero, 2, 2), ir.Divisible(37)))).accepts(b"74")


@pytest.mark.parametrize("divisor", [0, -3, ir.LARGEST_DIVISOR + 1])
def test_divisors_out_of_range_are_refused(divisor: int) -> None:
    with pytest.raises(UnsupportedError, match=f"multiples of {divisor}: a divisor lies between 1 and"):
        ExpressionStore().build(ir.Divisible(divisor), LIMITS)


HARD = {
    "lookahead across a count": (
        ir.Concat((ir.Repeat(AB, 0, 3), ir.Look(ir.Literal(b"ba")), ir.Repeat(AB, 2, 4))),
        {b"ba": True, b"aba": True, b"ab": False, b"aaabab": True, b"aaaaba": False, b"aaaba": True, b"aab": False},
    ),
    "boundary between rounds": (
        ir.Repeat(ir.Concat((ir.Look(letters(0x61), True, True), AB)), 1, None),
        {b"a": True, b"ab": False, b"bb": True, b"ba": True, b"": False},
    ),
    "two assertions that exclude each other": (
        ir.Concat((ir.Look(letters(0x61)), ir.Look(letters(0x61), False, True), ir.Anything())),
        {b"": False, b"a": False, b"b": False},
    ),
    "an empty round meets a minimum": (
        ir.Repeat(ir.Alt((ir.Look(letters(0x62)), letters(0x61))), 3, 3),
        {b"aaa": True, b"aa": False, b"": False},
    ),
    "assertions stop at a fence": (
        ir.Concat((letters(0x61), ir.Closed(ir.Concat((ir.Look(AB, True, True), letters(0x62)))), letters(0x61))),
        {b"aba": True, b"ab": False, b"ba": False},
    ),
    "complement of what an assertion denotes": (
        ir.And((ir.Repeat(AB, 0, 3), ir.Not(ir.Concat((ir.Look(ir.Literal(b"ab")), ir.Anything()))))),
        {b"": True, b"ab": False, b"abb": False, b"ba": True, b"bab": True, b"aaaa": False},
    ),
    "nested lookbehind": (
        ir.Concat((AB, AB, ir.Look(ir.Concat((ir.Look(letters(0x61), True), letters(0x62))), True), letters(0x61))),
        {b"aba": True, b"bba": False, b"aaa": False},
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases(name: str) -> None:
    expr, cases = HARD[name]
    language = Language(expr, limits=LIMITS)
    for text, expected in cases.items():
        assert accepts(expr, text) == expected, f"the case itself is wrong: {text!r}"
        assert language.accepts(text) == expected, text


@pytest.mark.parametrize("nothing", ["a&b", "(?=a)b", "a(?!a)(?=a)", "~.*", "[]", "(?<=b)a", "a{2}&a{3}"])
def test_nothing_is_known_to_be_nothing(nothing: str) -> None:
    a, b, anything = ir.Literal(b"a"), ir.Literal(b"b"), ir.Anything()
    expr = {
        "a&b": ir.And((a, b)),
        "(?=a)b": ir.Concat((ir.Look(a), b)),
        "a(?!a)(?=a)": ir.Concat((a, ir.Look(a, False, True), ir.Look(a), anything)),
        "~.*": ir.Not(anything),
        "[]": ir.Chars(()),
        "(?<=b)a": ir.Concat((ir.Look(b, True), a)),
        "a{2}&a{3}": ir.And((ir.Repeat(a, 2, 2), ir.Repeat(a, 3, 3))),
    }[nothing]
    store = ExpressionStore()
    for node in (store.build(expr, LIMITS), store.build(ir.Concat((ir.Repeat(b, 1, None), ir.Closed(expr))), LIMITS)):
        assert store.advance(node, b"", LIMITS)[:2] == (stores.EMPTY, 0)


# ---- the mask key


def tokens_of(vocabulary: Vocabulary) -> list[bytes]:
    return [vocabulary.token_bytes(token) for token in range(vocabulary.size)]


@examples(100)
@given(
    st.one_of(expressions(), st.builds(ir.Concat, st.tuples(repeats(leaves(), 30), repeats(leaves(), 12)))),
    vocabularies(complete=True).map(tokens_of),
    texts(3),
)
def test_mask_of_the_key_is_the_mask_of_the_node(expr: ir.Expr, tokens: list[bytes], text: bytes) -> None:
    store = ExpressionStore()
    longest = max(map(len, tokens))
    reached = store.advance(store.build(expr, LIMITS), text, LIMITS, longest)
    assume(reached.node)
    expected = ref.mask_ref(tokens, lambda data: store.advance(reached.node, data, LIMITS).read == len(data))
    assert walked(store, reached.node, tokens, LIMITS) == expected
    assert walked(store, reached.key, tokens, LIMITS) == expected


@examples(150)
@given(
    st.one_of(expressions(), repeats(leaves(), 20), st.builds(ir.Concat, st.tuples(repeats(leaves(), 9), leaves()))),
    st.integers(1, 6),
    st.integers(1, 6),
    texts(6),
    texts(2),
)
def test_keys_agree_with_the_node_within_reach(
    expr: ir.Expr, reach: int, near: int, text: bytes, before: bytes
) -> None:
    store = ExpressionStore()
    node = store.build(expr, LIMITS)
    reached = store.advance(node, before, LIMITS, reach, near)
    assume(reached.node)

    def read(start: int, size: int) -> int:
        return store.advance(start, text[:size], LIMITS).read

    assert read(reached.key, reach) == read(reached.node, reach)
    assert read(reached.near_key, near) == read(reached.node, near)
    endless = store.advance(node, before, LIMITS).key
    assert read(endless, len(text)) == read(reached.node, len(text))


# ---- tables that grow

ORDINARY = stores._empty_tables


def tiny_tables() -> kernels.Store:
    """Room for next to nothing; scratch is as small as its documentation allows."""
    full = ORDINARY()
    tables = full._replace(
        node=full.node[:8].copy(),
        pool=full.pool[:4].copy(),
        sets=full.sets[:2].copy(),
        lookup=np.full(16, -1, np.int64),
        memo=full.memo[:4].copy(),
        row=full.row[:2].copy(),
        scratch=full.scratch[:, :2048].copy(),
    )
    kernels.rehash(tables)
    return tables


def behaviour(expr: ir.Expr, data: Iterable[bytes], tokens: list[bytes]) -> list[object]:
    """Everything that a user sees of an expression, and no id."""
    store = ExpressionStore()
    node = store.build(expr, LIMITS)
    seen: list[object] = []
    for text in data:
        reached = store.advance(node, text, LIMITS, 3)
        seen += [reached.read, reached.node != 0, store.is_nullable(reached.node)]
        if reached.node:
            seen += [store.viable_bytes(reached.node, LIMITS), walked(store, reached.node, tokens, LIMITS)]
    return seen


@examples(60)
@given(
    expr=expressions(),
    data=st.lists(texts(), min_size=1, max_size=3),
    tokens=vocabularies(complete=True).map(tokens_of),
)
def test_results_do_not_depend_on_table_sizes(expr: ir.Expr, data: list[bytes], tokens: list[bytes]) -> None:
    expected = behaviour(expr, data, tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_empty_tables", tiny_tables)
        assert behaviour(expr, data, tokens) == expected
        patch.undo()
        patch.setattr(stores, "_SMALL", 2048)
        assert behaviour(expr, data, tokens) == expected


def test_every_table_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list of words that also end differently, intersected with a search that needs room."""
    rng = random.Random(5)
    words = sorted({bytes(rng.choices(b"abcdefgh", k=rng.randint(1, 7))) for _ in range(3000)})
    tail = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 11, 11)))  # 2**12 states
    odd = ir.Concat(
        (ir.Repeat(AB, 0, None), ir.Literal(b"b"), ir.Repeat(AB, 10, 10), ir.Repeat(ir.Repeat(AB, 2, 2), 0, None))
    )
    for build in (ORDINARY, tiny_tables):
        monkeypatch.setattr(stores, "_empty_tables", build)
        store = ExpressionStore()
        before = {name: len(table) for name, table in store._tables._asdict().items()}
        listed = store.build(ir.Alt(tuple(map(ir.Literal, words))), Limits())
        assert listed == store.build(ir.Alt(tuple(map(ir.Literal, reversed(words)))), Limits())
        for word in words[::7]:
            reached = store.advance(listed, word, Limits())
            assert reached.read == len(word) and store.is_nullable(reached.node)
        both = store.build(ir.And((tail, odd, ir.Not(ir.Anything()))), Limits())
        assert both == stores.EMPTY
        both = store.build(ir.And((tail, odd, ir.Repeat(AB, 0, 13), ir.Not(ir.Repeat(AB, 13, 13)))), Limits())
        assert store.advance(both, b"a" * 12, Limits()).read <= 12
        after = {name: len(table) for name, table in store._tables._asdict().items()}
        assert {name for name in after if after[name] > before[name]} >= {"node", "pool", "lookup", "memo"}
        assert store._tables.scratch.shape[1] >= 2048


# ---- interning


@examples(150)
@given(st.lists(expressions(), min_size=1, max_size=4))
def test_equal_expressions_are_one_and_stores_agree(exprs: list[ir.Expr]) -> None:
    first, second = ExpressionStore(), ExpressionStore()
    ids = [first.build(expr, LIMITS) for expr in exprs]
    size = first.size
    assert [first.build(expr, LIMITS) for expr in exprs] == ids
    assert first.size == size, "building again makes nothing new"
    assert [second.build(expr, LIMITS) for expr in exprs] == ids
    assert second.size == size


@examples(150)
@given(expressions(), expressions(), expressions())
def test_equal_languages_that_are_written_alike_get_equal_ids(a: ir.Expr, b: ir.Expr, c: ir.Expr) -> None:
    store = ExpressionStore()

    def same(*exprs: ir.Expr) -> bool:
        return len({store.build(expr, LIMITS) for expr in exprs}) == 1

    assert same(ir.Alt((a, b)), ir.Alt((b, a)), ir.Alt((a, ir.Alt((b, a)))), ir.Alt((ir.NOTHING, b, a)))
    assert same(ir.And((a, b)), ir.And((b, a)), ir.And((a, b, ir.Anything())), ir.And((a, ir.And((b,)), a)))
    assert same(ir.Concat((a, b, c)), ir.Concat((ir.Concat((a, b)), c)), ir.Concat((a, ir.Concat((b, ir.EPSILON, c)))))
    assert same(ir.Not(ir.Not(ir.Closed(a))), ir.Closed(a), ir.Closed(ir.Closed(a)))
    assert same(ir.Repeat(a, 1, 1), a) and same(ir.Repeat(a, 0, 0), ir.EPSILON)
    assert same(ir.Concat((a, ir.NOTHING)), ir.NOTHING, ir.And((a, ir.NOTHING)), ir.Chars(()))


@examples(80)
@given(expressions(), st.data())
def test_intersection_of_nodes_is_that_of_expressions(expr: ir.Expr, data: st.DataObject) -> None:
    other = data.draw(expressions())
    store = ExpressionStore()
    a, b = store.build(ir.Closed(expr), LIMITS), store.build(ir.Closed(other), LIMITS)
    both = store.intersect(a, b, LIMITS)
    assert both == store.intersect(b, a, LIMITS) == store.build(ir.And((expr, other)), LIMITS)


def test_words_are_what_their_literals_are_together() -> None:
    rng = random.Random(3)
    for count in (1, 2, 5, 40):
        words = tuple({bytes(rng.choices(b"ab\xc3", k=rng.randrange(6))) for _ in range(count)})
        store = ExpressionStore()
        listed = Language(ir.Words(words), store)
        for n in range(7):
            for letters_ in itertools.islice(itertools.product(b"ab\xc3", repeat=n), 300):
                assert listed.accepts(bytes(letters_)) == (bytes(letters_) in words)


# ---- limits, threads


def test_a_search_beyond_the_limit_leaves_the_store_as_it_was() -> None:
    """Two counters that never agree: the search has to see them all before it can say so."""
    tail = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 12, 12)))
    other = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"b"), ir.Repeat(AB, 12, 12)))
    store = ExpressionStore()
    node = store.build(ir.And((tail, other)), Limits())
    for _ in range(2):
        with pytest.raises(LimitExceeded) as caught:
            store.advance(node, b"", Limits(search=50))
        assert (caught.value.limit, caught.value.allowed) == ("search", 50)
    simple = Language(ir.Repeat(AB, 2, 2), store)
    assert simple.accepts(b"ab") and not simple.viable(b"aba")
    assert store.advance(node, b"", Limits(search=100_000)).node == stores.EMPTY


def test_expressions_beyond_the_limit_leave_the_store_usable() -> None:
    store = ExpressionStore()
    words = tuple(f"{number:06}{number * 7919 % 1_000_003}".encode() for number in range(3000))
    with pytest.raises(LimitExceeded) as caught:
        store.build(ir.Words(words), Limits(expressions=5000))
    assert caught.value.limit == "expressions"
    assert Language(ir.Literal(b"ab"), store).accepts(b"ab")
    assert Language(ir.Words(words), store).accepts(words[17])


def several_expressions() -> list[ir.Expr]:
    pairs = ir.Words((b"ab", b"ba", b"\xc3\xa9"))
    without = ir.Not(ir.Concat((ir.Anything(), ir.Literal(b"aab"))))
    return [ir.Repeat(pairs, 0, 40 + n) for n in range(6)] + [
        ir.And((ir.Repeat(AB, n, None), without)) for n in range(6)
    ]


def several_tokens() -> list[bytes]:
    rng = random.Random(11)
    pieces = {bytes(rng.choices(b"ab\xc3\xa9", k=rng.randint(2, 5))) for _ in range(60)}
    return [*(bytes([b]) for b in range(256)), *sorted(pieces)]


def journey(store: ExpressionStore, seed: int, limits: Limits) -> list[object]:
    """What is seen on a random way through some expressions."""
    exprs, tokens = several_expressions(), several_tokens()
    rng, seen = random.Random(seed), []
    for _ in range(6):
        node = store.build(rng.choice(exprs), limits)
        for _ in range(12):
            reached = store.advance(node, bytes(rng.choices(b"ab\xc3\xa9", k=rng.randint(1, 3))), limits)
            node = reached.node
            seen += [reached.read, store.is_nullable(node), walked(store, node, tokens, limits)]
    return seen


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> ExpressionStore:
    """A store whose tables grow all the time."""
    monkeypatch.setattr(stores, "_empty_tables", tiny_tables)
    return ExpressionStore()


TIGHT = Limits(table_bytes=1 << 18)  # room for 128 rows: tables are emptied again and again


@pytest.mark.parametrize("limits", [Limits(), TIGHT], ids=["roomy", "tight"])
def test_threads_on_one_store_agree_with_one_thread(shared: ExpressionStore, limits: Limits) -> None:
    expected = [journey(ExpressionStore(), seed, Limits()) for seed in range(8)]
    found: dict[int, list[object]] = {}
    ready = threading.Barrier(8)

    def work(seed: int) -> None:
        ready.wait()
        found[seed] = journey(shared, seed, limits)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.get(seed) for seed in range(8)] == expected
    assert limits is not TIGHT or len(shared._tables.row) <= 128


def test_tables_are_replaced_under_the_lock_only(shared: ExpressionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced while a kernel of another thread writes to the old ones, they would miss what it writes."""
    free: list[int] = []

    def try_lock(store: ExpressionStore, need: int) -> None:
        if store._lock.acquire(blocking=False):
            store._lock.release()
            free.append(need)

    def watched(store: ExpressionStore, need: int, limits: Limits) -> None:
        other = threading.Thread(target=try_lock, args=(store, need))
        other.start()
        other.join()
        grow(store, need, limits)

    grow = ExpressionStore._grow
    monkeypatch.setattr(ExpressionStore, "_grow", watched)
    node = shared.build(ir.Words(tuple(bytes([a, b]) for a in range(97, 123) for b in range(97, 123))), Limits())
    assert shared.advance(node, b"zz", Limits()).read == 2
    assert len(shared._tables.node) > 8 and not free


def test_one_step_that_needs_more_than_fits_says_so() -> None:
    store = ExpressionStore()
    long = store.build(ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 9, 9))), Limits())
    tokens = ["".join(word).encode() for word in itertools.product("ab", repeat=12)]
    with pytest.raises(LimitExceeded) as caught:
        walked(store, long, tokens, Limits(table_bytes=1 << 16))
    assert caught.value.limit == "table_bytes"
    assert walked(store, long, tokens, Limits()) == set(range(4096))
