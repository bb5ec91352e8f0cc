"""Automata by partial derivatives: against the executable definition of expressions, a reference of what can still be
completed, and interegular; and their growth, their limits, their counts."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amounts import FULL, examples
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import expressions as ref
from strategies import LETTERS, expressions, leaves, mutated, plain, repeats, texts

from benchmarks.patterns import PATTERNS
from constrain.automata import interning, tables
from constrain.automata.dfa import DfaStore
from constrain.automata.queries import DfaLanguages
from constrain.automata.tables import DEAD, FLAGS, GOES_ON, LIVE, READY, SETTLED
from constrain.errors import LimitExceeded, UnsupportedError
from constrain.ir import expr as ir
from constrain.ir.semantics import accepts
from constrain.jit import Tables, entry
from constrain.limits import Limits
from constrain.specs.json_schema.formats import FORMATS
from constrain.specs.json_schema.text import Speller
from constrain.specs.regex import parse_regex

LIMITS = Limits(search=20_000)
SHORT = [bytes(text) for n in range(4) for text in itertools.product(b"ab", repeat=n)]
A, B, AB = ir.Literal(b"a"), ir.Literal(b"b"), ir.Chars(((0x61, 0x62),))
STORE = DfaStore(LIMITS)
LOOKS = True


def has(store: DfaStore, q: int, data: bytes) -> bool:
    """Whether a text is accepted from a state."""
    q, read = store.read(q, data)
    return read == len(data) and store.accepts(q)


def pattern(text: str) -> ir.Expr:
    return parse_regex(text)


# ------------------------------------------------------------------------------------------------------- membership


@examples(400)
@given(expressions(looks=LOOKS), st.lists(texts(), max_size=8))
def test_accepts_what_the_semantics_accept(expr: ir.Expr, drawn: list[bytes]) -> None:
    start = STORE.start(expr, LIMITS)
    for text in [*SHORT, *drawn]:
        assert has(STORE, start, text) == accepts(expr, text), text


@examples(200)
@given(expressions(looks=LOOKS), st.lists(texts(), max_size=3))
def test_bytes_that_may_follow_are_those_after_which_a_text_can_be_completed(expr: ir.Expr, drawn: list[bytes]) -> None:
    start, machine = STORE.start(expr, LIMITS), ref.start(plain(expr))
    assert (start != DEAD) == can_complete(machine)
    seen: set[int] = set()
    for text in [*SHORT[:7], *drawn]:
        q, here = start, machine
        for byte in text:
            if q == DEAD:
                break
            if q not in seen:
                seen.add(q)
                check(q, here)
            q, here = STORE.step(q, byte), ref.step(here, byte)
            assert (q != DEAD) == can_complete(here)


def can_complete(machine: ref.Formula) -> bool:
    try:
        return ref.completes(machine, LETTERS, limit=3000)
    except OverflowError:
        assume(False)
        raise


def check(q: int, machine: ref.Formula) -> None:
    """Compare what a state and a machine say about the next byte."""
    assert STORE.accepts(q) == ref.ends(machine)
    viable = STORE.viable_bytes(q)
    assert STORE.goes_on(q) == bool(viable)
    for letter in LETTERS:
        assert (letter[0] in viable) == can_complete(ref.step(machine, letter[0])), letter


@examples(150)
@given(expressions(looks=LOOKS), st.lists(texts(3), max_size=4))
def test_every_state_that_is_alive_has_a_text_and_none_is_shorter(expr: ir.Expr, drawn: list[bytes]) -> None:
    start = STORE.start(expr, LIMITS)
    for text in [b"", *drawn]:
        q, read = STORE.read(start, text)
        if q == DEAD:
            assert start == DEAD
            continue
        rest = STORE.shortest_text(q)
        assert accepts(expr, text[:read] + rest)
        assert STORE.shortest(q) == len(rest)
        if len(rest) > 0:
            assert not any(accepts(expr, text[:read] + other) for other in SHORT if len(other) < len(rest))


@examples(200)
@given(expressions(looks=LOOKS), texts())
def test_flags_of_ready_states_and_their_targets_are_exact(expr: ir.Expr, text: bytes) -> None:
    q = STORE.start(expr, LIMITS)
    for byte in text:
        row = STORE.row(q)
        state = STORE.tables["state"]
        assert state[8 * q + FLAGS] & READY
        assert bool(state[8 * q + FLAGS] & GOES_ON) == bool(row.any())
        for after in set(row.tolist()):
            assert state[8 * after + FLAGS] & SETTLED
            assert after == DEAD or state[8 * after + LIVE] == 1
            goes_on = bool(state[8 * after + FLAGS] & GOES_ON)
            assert goes_on == bool(STORE.row(after).any())
            state = STORE.tables["state"]
        if row[byte] == DEAD:
            break
        q = int(row[byte])


@examples(150)
@given(expressions(looks=LOOKS), expressions(looks=LOOKS), expressions(looks=LOOKS))
def test_equal_languages_that_are_written_alike_get_equal_states(a: ir.Expr, b: ir.Expr, c: ir.Expr) -> None:
    def same_states(*exprs: ir.Expr) -> bool:
        return len({STORE.start(expr, LIMITS) for expr in exprs}) == 1

    assert same_states(ir.Alt((a, b)), ir.Alt((b, a)), ir.Alt((a, ir.Alt((b, a)))), ir.Alt((ir.NOTHING, b, a)))
    assert same_states(ir.And((a, b)), ir.And((b, a)), ir.And((a, b, ir.Anything())), ir.And((a, b, ir.Closed(b))))
    assert same_states(ir.Concat((a, b, c)), ir.Concat((ir.Concat((a, b)), c)), ir.Concat((a, ir.Concat((b, c)))))
    assert same_states(ir.Closed(a), ir.Closed(ir.Closed(a)))
    if STORE.goes_on(STORE.start(ir.Not(a))):  # otherwise it is a node of its own: nothing, or the empty string
        assert same_states(ir.Not(ir.Not(a)), ir.Closed(a))
    assert same_states(ir.Repeat(a, 1, 1), a) and same_states(ir.Repeat(a, 0, 0), ir.EPSILON)
    assert same_states(ir.Concat((a, ir.NOTHING)), ir.NOTHING, ir.And((a, ir.NOTHING)), ir.Chars(()))


@examples(100)
@given(expressions(looks=LOOKS), expressions(looks=LOOKS))
def test_towards_is_and(frame: ir.Expr, goal: ir.Expr) -> None:
    start = STORE.start(ir.Towards(frame, goal), LIMITS)
    for text in SHORT:
        assert has(STORE, start, text) == (accepts(frame, text) and accepts(goal, text))


@examples(60)
@given(expressions(depth=2, looks=LOOKS), st.sampled_from([1, 2, 5, 40]))
def test_questions_about_languages(expr: ir.Expr, most: int) -> None:
    languages = DfaLanguages(STORE, LIMITS)
    listed = languages.listed(expr, most)
    for text in SHORT:
        assert languages.accepts(expr, text) == accepts(expr, text)
        assert listed is None or (text in listed) == accepts(expr, text)
    assert listed is None or (len(listed) <= most and all(accepts(expr, text) for text in listed))
    assert languages.is_empty(expr) == (listed == ())
    assert languages.is_empty(ir.And((expr, ir.Not(expr))))
    assert STORE.equivalent(expr, ir.Not(ir.Not(expr))) and STORE.contains(ir.Anything(), expr)


HARD = {
    "lookahead across a count": (
        ir.Concat((ir.Repeat(AB, 0, 3), ir.Look(ir.Literal(b"ba")), ir.Repeat(AB, 2, 4))),
        {b"ba": True, b"aba": True, b"ab": False, b"aaabab": True, b"aaaaba": False, b"aaaba": True, b"aab": False},
    ),
    "boundary between rounds": (
        ir.Repeat(ir.Concat((ir.Look(A, True, True), AB)), 1, None),
        {b"a": True, b"ab": False, b"bb": True, b"ba": True, b"": False},
    ),
    "two assertions that exclude each other": (
        ir.Concat((ir.Look(A), ir.Look(A, False, True), ir.Anything())),
        {b"": False, b"a": False, b"b": False},
    ),
    "an empty round meets a minimum": (
        ir.Repeat(ir.Alt((ir.Look(B), A)), 3, 3),
        {b"aaa": True, b"aa": False, b"": False},
    ),
    "assertions stop at a fence": (
        ir.Concat((A, ir.Closed(ir.Concat((ir.Look(AB, True, True), B))), A)),
        {b"aba": True, b"ab": False, b"ba": False},
    ),
    "complement of what an assertion denotes": (
        ir.And((ir.Repeat(AB, 0, 3), ir.Not(ir.Concat((ir.Look(ir.Literal(b"ab")), ir.Anything()))))),
        {b"": True, b"ab": False, b"abb": False, b"ba": True, b"bab": True, b"aaaa": False},
    ),
    "nested lookbehind": (
        ir.Concat((AB, AB, ir.Look(ir.Concat((ir.Look(A, True), B)), True), A)),
        {b"aba": True, b"bba": False, b"aaa": False},
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_cases(name: str) -> None:
    expr, cases = HARD[name]
    start = STORE.start(expr, LIMITS)
    for text, expected in cases.items():
        assert accepts(expr, text) == expected, f"the case itself is wrong: {text!r}"
        assert has(STORE, start, text) == expected, text


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
    assert STORE.start(expr, LIMITS) == DEAD
    assert STORE.start(ir.Concat((ir.Repeat(b, 1, None), ir.Closed(expr))), LIMITS) == DEAD


# ------------------------------------------------------------------------------------------------- terminals, walks


def terminals() -> list[tuple[str, ir.Expr]]:
    """Patterns people write, and the formats of JSON Schema as strings."""
    strings = Speller(every_way=False)
    found = [(each.name, parse_regex(each.pattern)) for each in PATTERNS if not each.unicode_property]
    found += [(name, strings.string(make())) for name, make in FORMATS.items()]
    return [(name, expr) for name, expr in found if LOOKS or not looks(expr)]


def looks(expr: Any) -> bool:
    """Whether an expression holds an assertion."""
    seen: set[int] = set()
    todo = [expr]
    while todo:
        here = todo.pop()
        if isinstance(here, ir.Look):
            return True
        if id(here) not in seen:
            seen.add(id(here))
            todo += [part for name in ("parts", "body", "frame", "goal") for part in several(getattr(here, name, ()))]
    return False


def several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


DEFINED = 12
"""Bytes of a text up to which the definition is asked: it takes long where counts are nested."""


def walked(exprs: list[tuple[str, ir.Expr]], rng: random.Random, walks: int, longest: int) -> int:
    """Walk at random through automata, to the end: what is met is denoted, what is like it as the definition says.

    Returns the number of texts.
    """
    store, compared, limits = DfaStore(), 0, Limits()
    for name, expr in exprs:
        start = store.start(expr, limits)
        begun = time.monotonic()
        for _ in range(walks if start != DEAD else 0):
            if time.monotonic() - begun > 0.5:
                break
            q, text = start, b""
            for _ in range(rng.randrange(longest)):
                row = store.row(q)
                viable = np.flatnonzero(row).tolist()
                if not viable:
                    break
                by_class = [int(np.flatnonzero(row == after)[0]) for after in set(row[viable].tolist())]
                byte = rng.choice(viable if rng.random() < 0.5 else by_class)  # rare bytes are met, too
                q, text = int(row[byte]), text + bytes([byte])
            text += store.shortest_text(q)
            if len(text) > DEFINED:
                continue
            assert accepts(expr, text), (name, text)
            other = mutated(rng, text.decode(), text.decode() or "a").encode()
            assert has(store, start, other) == accepts(expr, other), (name, other)
            compared += 2
    return compared


def test_walks_through_some_terminals() -> None:
    rng = random.Random(7)
    assert walked(rng.sample(terminals(), 40), rng, 4, 10) > 150


def test_whole_matches_of_patterns_are_those_of_re() -> None:
    rng, store = random.Random(6), DfaStore()
    for each in PATTERNS:
        start = store.start(parse_regex(each.pattern))
        assert all(has(store, start, text.encode()) for text in each.texts), each.name
        oracle = None if each.unicode_property else re.compile(each.pattern)
        for text in each.texts[: None if FULL else 2] if oracle else ():
            for _ in range(12 if FULL else 2):
                other = mutated(rng, text[:200], text)
                expected = oracle is not None and oracle.fullmatch(other) is not None
                assert has(store, start, other.encode()) == expected, (each.name, other)


@pytest.mark.slow
@pytest.mark.data
def test_walks_through_terminals_of_real_schemas(data_dir: Path) -> None:
    from constrain.specs.json_schema import number_texts, numbers
    from constrain.specs.json_schema.patterns import pattern as pattern_of

    patterns: set[str] = set()
    bounds: set[tuple[float | None, float | None]] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                patterns.add(value["pattern"])
            low, high = (value.get(name) for name in ("minimum", "maximum"))
            if all(each is None or type(each) in (int, float) for each in (low, high)) and (low, high) != (None, None):
                bounds.add((low, high))
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            look(inner)

    path = data_dir / "jsonschemabench" / "dev.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    for line in gzip.open(path):
        look(json.loads(line)["schema"])
    strings, found = Speller(every_way=False), []
    for text in sorted(patterns):
        try:
            found.append((text, strings.string(pattern_of(text))))
        except ValueError:
            continue
    for low, high in sorted(bounds, key=str):
        allowed = numbers.unite()
        if low is not None:
            allowed = numbers.bounded(low, True, False)
        if high is not None:
            below = numbers.bounded(high, False, False)
            allowed = below if low is None else numbers.intersect(allowed, below)
        found.append((f"{low} to {high}", number_texts.expression(allowed)))
    found = [(name, expr) for name, expr in found if LOOKS or not looks(expr)]
    assert walked(found, random.Random(9), 3, 12) > 3_000


# ----------------------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize("low, high", [(0, 1), (3, 3), (999, 1000), (0, 100_000), (100_000, None), (99_999, 100_000)])
def test_counts_are_exact(low: int, high: int | None) -> None:
    start = STORE.start(ir.Repeat(AB, low, high), Limits())
    assert STORE.shortest(start) == low
    longest = low + 2 if high is None else high
    if longest > 1000:  # a long walk, once
        q, read = STORE.read(start, b"ab" * 1000)
        assert read == 2000 and STORE.goes_on(q) and STORE.shortest(q) == max(0, low - 2000)
        assert STORE.accepts(q) == (low == 0)
        return
    for count in {0, low - 1, low, longest, longest + 1} - {-1}:
        ended = low <= count and (high is None or count <= high)
        assert has(STORE, start, b"a" * count) == ended, count


@examples(60)
@given(expressions(depth=2, looks=LOOKS, largest=40), st.integers(0, 10**6))
def test_large_counts(expr: ir.Expr, seed: int) -> None:
    rng, start = random.Random(seed), STORE.start(expr, LIMITS)
    for _ in range(3):
        q, text = start, b""
        while q != DEAD and len(text) < 20 and not (STORE.accepts(q) and rng.random() < 0.2):
            viable = STORE.viable_bytes(q)
            if not viable:
                break
            text += bytes([rng.choice([b for b in viable if 0x20 < b < 0x7F] or viable)])
            q = STORE.step(q, text[-1])
        for other in (text, text[:-1], text + b"a", b"a" + text):
            assert has(STORE, start, other) == accepts(expr, other), other


def test_nested_counts_that_overlap_make_small_sets() -> None:
    """620 points a set where each count is a point of its own; joined, the counts of one place are a few ranges."""
    store = DfaStore()
    inner = ir.Repeat(ir.Alt((ir.Literal(b"a"), ir.Literal(b"b"), ir.Literal(b"ab"))), 0, 30)
    nested = ir.Repeat(ir.Concat((inner, ir.Repeat(ir.Literal(b"c"), 0, 1))), 0, 30)
    assert has(store, store.start(nested), b"ab" * 60 + b"c") and not has(store, store.start(nested), b"ac" * 31)
    state = store.tables["state"].reshape(-1, 8)[: int(store.tables["count"][tables.STATES])]
    assert state[state[:, tables.KIND] == tables.SET, tables.SIZE].max() < 100
    three = AB
    for _ in range(3):
        three = ir.Repeat(three, 0, 9)
    start = store.start(three)
    assert has(store, start, b"ab" * 300) and not has(store, start, b"a" * 730) and has(store, start, b"a" * 729)


@examples(150)
@given(repeats(st.one_of(leaves(), repeats(leaves(), 9)), 9), st.integers(0, 7), st.data())
def test_clipped_states_agree_as_far_as_they_must(expr: ir.Expr, horizon: int, data: st.DataObject) -> None:
    text = data.draw(texts())
    start = STORE.start(ir.Concat((expr, ir.Repeat(AB, 2, 9))), LIMITS)
    q, _ = STORE.read(start, text)
    if q == DEAD:
        return
    other = STORE.clipped(q, horizon)
    assert STORE.clipped(other, horizon) == other
    agree(q, other, horizon)


def agree(a: int, b: int, horizon: int) -> None:
    """Compare two states on all texts of some bytes."""
    seen, todo = set(), [(a, b, horizon)]
    while todo and len(seen) < 300:
        a, b, left = todo.pop()
        assert STORE.accepts(a) == STORE.accepts(b) and STORE.goes_on(a) == STORE.goes_on(b)
        if left and (a, b, left) not in seen:
            seen.add((a, b, left))
            one, two = STORE.row(a).tolist(), STORE.row(b).tolist()
            assert [x != DEAD for x in one] == [x != DEAD for x in two]
            todo += [(x, y, left - 1) for x, y in set(zip(one, two)) if x != DEAD and x != y]


def test_clipped_states_are_shared() -> None:
    store = DfaStore()
    q = store.start(ir.Repeat(AB, 5, 1000))
    clipped = set()
    for _ in range(500):
        clipped.add(store.clipped(q, 16))
        q = store.step(q, 0x61)
    assert len(clipped) <= 7


# ------------------------------------------------------------------------------------------------------- remainders


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
    store = DfaStore(Limits(search=20))
    start = store.start(expr)
    for n in range(len(text) + 1):
        q, read = store.read(start, text[:n].encode())
        begun = int(text[:n] or 0)
        left = range(max(0, low - n), (99 if high is None else high) - n + 1)
        fits = [k for k in range(100) if -begun * 10**k % divisor < 10**k]
        pointed = ranges[0][0] == 0x2E  # points may stand for some of the digits
        expected = any(k in fits or (pointed and fits[0] <= k) for k in left)
        assert (start != DEAD and read == n) == expected
        assert (expected and store.accepts(q)) == (0 in left and begun % divisor == 0)


@examples(100)
@given(st.integers(1, 60) | st.integers(1, ir.LARGEST_DIVISOR), st.text("0123456789.", max_size=40), st.integers(0, 99))
def test_multiples(divisor: int, text: str, factor: int) -> None:
    start = STORE.start(ir.Divisible(divisor), LIMITS)
    for data in (text, str(divisor * factor), f"{divisor * factor:.1e}"[:3], f"{text}a"):
        q, read = STORE.read(start, data.encode())
        readable = data.rstrip("a")
        value = int(readable.replace(".", "") or 0)
        assert read == len(readable)
        assert STORE.accepts(q) == (value % divisor == 0)
        assert STORE.shortest(q) == next(n for n in range(20) if -value * 10**n % divisor < 10**n)


@pytest.mark.parametrize("divisor", [1, 2, 3, 16, 40, 625, 10**17 - 1, 10**17])
def test_multiples_among_numbers_are_found_without_a_search(divisor: int) -> None:
    digits = ir.Repeat(ir.Chars(((0x30, 0x39),)), 0, None)
    integers = ir.Alt((ir.Literal(b"0"), ir.Concat((ir.Chars(((0x31, 0x39),)), digits))))
    store, rng, text = DfaStore(Limits(search=20)), random.Random(divisor), b"7"
    start = store.start(ir.And((ir.Not(ir.Literal(b"0")), integers, ir.Divisible(divisor))))
    for _ in range(30):
        q, read = store.read(start, text)
        assert read == len(text) and not store.read(q, b".")[1]
        assert store.accepts(q) == (int(text) % divisor == 0)
        text += str(rng.randrange(10)).encode()
    assert has(store, start, str(divisor * 12345678901234567890).encode())


def test_multiples_that_no_digits_make() -> None:
    nonzero = ir.Chars(((0x31, 0x39),))
    assert STORE.is_empty(ir.And((ir.Repeat(nonzero, 1, 9), ir.Divisible(10))), LIMITS)
    assert STORE.is_empty(ir.And((ir.Repeat(nonzero, 2, 9), ir.Divisible(50))), LIMITS)
    assert has(STORE, STORE.start(ir.And((ir.Repeat(nonzero, 2, 2), ir.Divisible(37)))), b"74")


@pytest.mark.parametrize("divisor", [0, -3, ir.LARGEST_DIVISOR + 1])
def test_divisors_out_of_range_are_refused(divisor: int) -> None:
    with pytest.raises(UnsupportedError, match=f"multiples of {divisor}: a divisor lies between 1 and"):
        STORE.start(ir.Divisible(divisor))


# ------------------------------------------------------------------------------------------------------ interegular


def random_pattern(rng: random.Random, depth: int = 2) -> str:
    """A pattern of letters, classes, choices and repetitions, as interegular reads them."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(["a", "b", "c", "[ab]", "[^a]", ".", "ab", "x"])
    parts = [random_pattern(rng, depth - 1) for _ in range(rng.randint(1, 2))]
    whole = "(?:" + rng.choice(["", "|"]).join(parts) + ")"
    return whole + rng.choice(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}"])


def check_pairs(seed: int, count: int) -> set[bool]:
    interegular = pytest.importorskip("interegular")
    rng, seen, store = random.Random(seed), set(), DfaStore()
    for _ in range(count):
        a, b = random_pattern(rng), random_pattern(rng)
        one, two = (interegular.parse_pattern(text).to_fsm() for text in (a, b))
        first, second = parse_regex(a), parse_regex(b)
        empty = (one & two).empty()
        assert store.is_empty(ir.And((first, second))) == empty, (a, b)
        seen.add(empty)
    return seen


def test_intersections_that_are_empty_are_those_of_interegular() -> None:
    assert check_pairs(3, 40) == {True, False}


@pytest.mark.slow
def test_many_intersections_that_are_empty_are_those_of_interegular() -> None:
    assert check_pairs(4, 600) == {True, False}


# ------------------------------------------------------------------------------------------------------------ words


def test_words_are_what_their_literals_are_together() -> None:
    rng = random.Random(3)
    for count in (1, 2, 5, 40):
        words = tuple({bytes(rng.choices(b"ab\xc3", k=rng.randrange(6))) for _ in range(count)})
        store = DfaStore()
        start = store.start(ir.Words(words))
        for n in range(6):
            for letters in itertools.islice(itertools.product(b"ab\xc3", repeat=n), 300):
                assert has(store, start, bytes(letters)) == (bytes(letters) in words)


def test_many_words() -> None:
    words = tuple(b"%06d" % (7919 * n % 1_000_003) for n in range(200_000 if FULL else 20_000))
    store = DfaStore()
    start = store.start(ir.Words(words))
    assert all(has(store, start, word) for word in words[::999]) and not has(store, start, b"x")
    assert sum(has(store, start, b"%06d" % n) for n in range(0, 1_000_003, 9999)) == sum(
        n in set(map(int, words)) for n in range(0, 1_000_003, 9999)
    )


def test_shared_parts_are_written_once() -> None:
    """As a tree it has 2**60 leaves."""
    expr: ir.Expr = ir.Literal(b"a")
    for _ in range(60):
        expr = ir.Alt((ir.Concat((expr, expr)), expr))
    start = STORE.start(ir.And((ir.Repeat(AB, 0, 3), ir.Not(ir.Closed(ir.Repeat(ir.Literal(b"b"), 1, None))))))
    assert has(STORE, start, b"ab")
    program_limits = Limits(search=50)
    assert STORE.start(expr, program_limits) != DEAD


def test_depth_is_not_bounded_by_the_stack() -> None:
    expr: ir.Expr = ir.Literal(b"a")
    for _ in range(5000):
        expr = ir.Repeat(ir.Concat((ir.Literal(b"("), expr, ir.Literal(b")"))), 1, 2)
    assert STORE.read(STORE.start(expr), b"(" * 30 + b")") == STORE.read(STORE.start(expr), b"(" * 30 + b"b")


# --------------------------------------------------------------------------------------------- growth, limits, modes


def tiny(size: int = 2) -> Tables:
    """The least tables that work at all: WORK has to hold one row."""
    made = tables.make()
    ordinary = {column.name: made[column.name] for column in made.columns}
    strides = {"node": 6, "point": 6, "state": 8, "class": 256, "mapped": 4, "goal": 8, "entry": 3}
    for name, table in ordinary.items():
        if name not in ("count", "work"):
            least = 64 if name.endswith("hash") else max(size, 4) * strides.get(name, 1)
            made.replace(name, table[:least].copy())
    made.replace("work", ordinary["work"][: tables.LISTED + 257].copy())
    return made


class Reluctant(DfaStore):
    """A store whose tables grow by an entry at a time: every place that can be interrupted is."""

    interruptions = 0

    def _make_room(self, sizes: dict[str, int]) -> None:
        self.interruptions += 1
        for name, size in sizes.items():
            old = self.tables[name]
            if name.endswith("hash"):  # a power of two, and only if it is full itself
                size = size if len(sizes) == 1 else len(old)
            elif name not in ("code", "text"):
                size = len(old) + 8
            self.tables.replace(name, np.concatenate([old, np.zeros(size - len(old), old.dtype)]))


def behaviour(store: DfaStore, exprs: list[ir.Expr], data: list[bytes]) -> list[Any]:
    """What is seen of some expressions."""
    seen: list[Any] = []
    for expr in exprs:
        start = store.start(expr, LIMITS)
        seen.append(start == DEAD)
        for text in data:
            q, read = store.read(start, text)
            seen.append((read, store.accepts(q), store.viable_bytes(q), store.goes_on(q)))
            seen.append(None if q == DEAD else store.shortest(q))
    return seen


@examples(60)
@given(st.lists(expressions(looks=LOOKS), max_size=3), st.lists(texts(), max_size=3))
def test_tables_grow_wherever_they_are_full(exprs: list[ir.Expr], data: list[bytes]) -> None:
    expected = behaviour(DfaStore(), exprs, data)
    assert behaviour(DfaStore(made=tiny()), exprs, data) == expected
    reluctant = Reluctant(made=tiny())
    assert behaviour(reluctant, exprs, data) == expected
    assert behaviour(reluctant, exprs, data) == expected


def several_expressions() -> list[ir.Expr]:
    """One of each kind, larger than what hypothesis draws."""
    words = tuple(b"%04d" % (7919 * n % 10_007) for n in range(300))
    odd = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 5, 5)))
    accents = ir.Repeat(ir.Chars(((0x61, 0x62), (0xE9, 0x3000), (0x10000, 0x10FFFF))), 0, None)
    found = [
        ir.Words(words),
        ir.And((ir.Words(words), ir.Not(ir.Words(words[::2])), ir.Repeat(ir.Chars(((0x30, 0x39),)), 4, 4))),
        ir.And((odd, ir.Repeat(AB, 9, 12), ir.Not(ir.Concat((ir.Anything(), ir.Literal(b"bb"), ir.Anything()))))),
        ir.Repeat(ir.And((accents, ir.Not(ir.Concat((accents, ir.Literal(b"a"), accents))))), 1, 5),
        ir.And((ir.Repeat(ir.Chars(((0x30, 0x39),)), 1, 6), ir.Divisible(1234))),
        ir.Repeat(ir.Repeat(ir.Repeat(AB, 0, 4), 0, 4), 2, 4),
        ir.Towards(ir.Repeat(AB, 0, 40), ir.Concat((ir.Repeat(AB, 0, 30), ir.Anything()))),
    ]
    return found + (look_expressions() if LOOKS else [])


def look_expressions() -> list[ir.Expr]:
    return [parse_regex(text) for text in (r"(?!.*aa)[ab]{1,8}", r"\b[ab]+\b( [ab]+\b)*", r"(?:a(?<!ba)|b|c)*")]


DATA = [b"", b"0007", b"7919", b"ababababab", b"aab", "aé日b".encode(), b"1234", b"12a", b"ab ab"]


def test_the_same_in_tiny_tables_and_interrupted_everywhere() -> None:
    expected = behaviour(DfaStore(), several_expressions(), DATA)
    assert behaviour(DfaStore(made=tiny()), several_expressions(), DATA) == expected
    reluctant = Reluctant(made=tiny())
    assert behaviour(reluctant, several_expressions(), DATA) == expected
    assert reluctant.interruptions > 300


def in_mode(**environment: str) -> Any:
    """What `behaviour` sees in a process of its own. Views of numpy refuse negative indices there."""
    code = """
import json, sys
import numpy as np
from constrain.jit import modes, views
class Strict(np.ndarray):
    def __getitem__(self, i):
        assert isinstance(i, slice) or i >= 0, i
        return super().__getitem__(i)
    def __setitem__(self, i, value):
        assert isinstance(i, slice) or i >= 0, i
        super().__setitem__(i, value)
if modes.INTERPRETED:
    plain = views._view
    views._view = lambda *args: plain(*args).view(Strict)
from laws.test_dfa import DATA, DfaStore, behaviour, several_expressions
print(json.dumps(behaviour(DfaStore(), several_expressions(), DATA), default=repr))
"""
    tests = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", pytest.param("NUMBA_BOUNDSCHECK", marks=pytest.mark.slow)])
def test_the_same_as_plain_python_and_with_bounds(mode: str) -> None:
    expected = json.loads(json.dumps(behaviour(DfaStore(), several_expressions(), DATA), default=repr))
    assert in_mode(**{mode: "1"}) == expected


def test_a_search_beyond_the_limit_leaves_the_store_usable() -> None:
    """Two counters that never agree: the search has to see them all before it can say so."""
    tail = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 12, 12)))
    other = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"b"), ir.Repeat(AB, 12, 12)))
    store = DfaStore()
    for _ in range(2):
        with pytest.raises(LimitExceeded) as caught:
            store.start(ir.And((tail, other)), Limits(search=50))
        assert (caught.value.limit, caught.value.allowed) == ("search", 50)
    assert has(store, store.start(ir.Repeat(AB, 2, 2)), b"ab")
    assert store.start(ir.And((tail, other)), Limits(search=100_000)) == DEAD


def test_states_of_too_many_points_are_refused() -> None:
    """`.*a.{n}` with counts that a set cannot join: every other place is remembered."""
    store = DfaStore()
    tail = ir.Concat((ir.Repeat(AB, 0, None), ir.Literal(b"a"), ir.Repeat(AB, 100, 100), ir.Literal(b"c")))
    with pytest.raises(LimitExceeded) as caught:
        store.read(store.start(tail, Limits(states=50)), b"ab" * 60)
    assert (caught.value.limit, caught.value.allowed) == ("states", 50)
    assert store.read(store.start(tail, Limits()), b"ab" * 60)[1] == 120


def test_stamps_do_not_run_out() -> None:
    store = DfaStore()
    expected = behaviour(store, several_expressions(), DATA)
    store.tables["count"][[tables.GENERATION, tables.SEARCH, tables.MEETING]] = 2**30 + 1
    assert behaviour(store, several_expressions(), DATA) == expected
    assert store.tables["count"][[tables.GENERATION, tables.SEARCH, tables.MEETING]].max() < 2**20


def test_a_search_for_the_end_of_a_long_text_is_short() -> None:
    """The states nearest to the end come first: a pattern with a length bound is not searched breadth first."""
    letters = ir.Chars(((0x61, 0x7A),))
    names = ir.Concat((letters, ir.Repeat(ir.Concat((ir.Repeat(ir.Literal(b"-"), 0, 1), letters)), 99, 2000)))
    store = DfaStore(Limits(search=400))
    q = store.start(ir.And((names, ir.Repeat(ir.Chars(((0, 0x10FFFF),)), 0, 300))))
    assert store.is_alive(q)
    assert store.is_empty(ir.And((names, ir.Repeat(AB, 0, 90))))


def test_expressions_beyond_the_limit_leave_the_store_usable() -> None:
    store = DfaStore()
    words = tuple(f"{number:06}{number * 7919 % 1_000_003}".encode() for number in range(5000))
    with pytest.raises(LimitExceeded) as caught:
        store.start(ir.Words(words), Limits(expressions=5000))
    assert caught.value.limit == "expressions" and caught.value.allowed == 5000
    assert has(store, store.start(ir.Literal(b"ab"), Limits()), b"ab")
    assert has(store, store.start(ir.Words(words), Limits()), words[17])


def test_threads_on_one_store_agree_with_one_thread() -> None:
    exprs = several_expressions()
    expected = behaviour(DfaStore(), exprs, DATA)
    shared, found = DfaStore(made=tiny()), {}
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        ready.wait()
        found[number] = behaviour(shared, exprs, DATA)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.get(number) for number in range(4)] == [expected] * 4


def test_equal_content_is_found_after_growth() -> None:
    store = Reluctant(made=tiny())
    first = [store.start(expr) for expr in several_expressions()]
    count = store.tables["count"].copy()
    for table in (tables.NODE_HASH, tables.POINT_HASH, tables.STATE_HASH, tables.MAP_HASH):
        name = store.tables.columns[table].name
        store.tables.replace(name, np.zeros(2 * len(store.tables[name]), np.int32))
        entry(interning.rehash)(store.block, table)
    assert [store.start(expr) for expr in several_expressions()] == first
    assert (store.tables["count"][[tables.NODES, tables.POINTS]] == count[[tables.NODES, tables.POINTS]]).all()
