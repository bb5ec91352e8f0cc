"""Questions about regular languages, answered by the store, against the definition on short texts."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LETTERS, Language, examples, expressions, texts

from constrain import LimitExceeded, Limits
from constrain.automata.dfa import DfaStore
from constrain.automata.queries import DfaLanguages
from constrain.ir import semantics
from constrain.ir.expr import EPSILON, NOTHING, And, Anything, Chars, Closed, Expr, Literal, Look, Not, Repeat, Words

STORE = DfaStore()
LIMITS = Limits(search=20_000)
SHORT = [bytes(text) for n in range(3) for text in itertools.product((b[0] for b in LETTERS), repeat=n)]
A = Literal(b"a")


def languages() -> DfaLanguages:
    return DfaLanguages(STORE, LIMITS)


def means(expr: Expr, text: bytes) -> bool:
    """The definition; assertions at the edges see nothing."""
    return semantics.accepts(Closed(expr), text)


@examples(200)
@given(expressions(), st.lists(texts(), max_size=8))
def test_accepts_is_the_definition(expr: Expr, some: list[bytes]) -> None:
    asked = languages()
    for text in some:
        assert asked.accepts(expr, text) == means(expr, text), text


@examples(150)
@given(expressions(depth=2), st.randoms(use_true_random=False))
def test_is_empty_exactly_if_there_is_no_text(expr: Expr, rng: random.Random) -> None:
    empty = languages().is_empty(expr)
    if empty:
        assert not any(means(expr, text) for text in SHORT)
        return
    for _ in range(50):
        text = Language(Closed(expr), STORE, LIMITS).sample(rng, longest=15)
        if text is not None:
            assert means(expr, text)
            return


@examples(80)
@given(expressions(depth=2), st.sampled_from([0, 1, 2, 5, 40]))
def test_listed_is_all_texts_or_none_where_they_are_many(expr: Expr, most: int) -> None:
    found = languages().listed(expr, most)
    if found is None:
        everything = languages().listed(expr, 500)
        assert everything is None or len(everything) > most
        return
    assert len(found) <= most and list(found) == sorted(set(found))
    assert all(means(expr, text) for text in found)
    assert all(text in found for text in SHORT if means(expr, text))


@pytest.mark.parametrize(
    ("expr", "listed"),
    [
        (NOTHING, ()),
        (EPSILON, (b"",)),
        (Words((b"b", b"a", b"b")), (b"a", b"b")),
        (Repeat(Words((b"a", b"ab")), 0, 2), (b"", b"a", b"aa", b"aab", b"ab", b"aba", b"abab")),
        (And((Repeat(A, 0, None), Repeat(Literal(b"aa"), 1, 2))), (b"aa", b"aaaa")),
        (And((Words((b"a", b"b", b"c")), Not(Literal(b"b")))), (b"a", b"c")),
        (Look(A), ()),
        (Look(A, negated=True), (b"",)),
        (Repeat(A, 0, None), None),
        (Anything(), None),
        (Chars(((0, 0x10FFFF),)), None),
    ],
)
def test_lists_by_hand(expr: Expr, listed: tuple[bytes, ...] | None) -> None:
    assert languages().listed(expr, 10) == listed
    assert languages().is_empty(expr) == (listed == ())


def test_as_many_as_are_asked_for() -> None:
    expr = Words(tuple(bytes([b]) for b in range(0x61, 0x7B)))
    assert len(languages().listed(expr, 26) or ()) == 26
    assert languages().listed(expr, 25) is None
    assert languages().listed(NOTHING, 0) == ()


def test_very_long_texts_are_not_listed() -> None:
    assert languages().listed(Literal(b"a" * 4000), 1) == (b"a" * 4000,)
    assert languages().listed(Literal(b"a" * 5000), 1) is None


def test_answers_are_exact_or_refused() -> None:
    """An intersection that is empty for a reason that takes long to see."""
    far = And((Repeat(Literal(b"a" * 97), 1, None), Repeat(Literal(b"a" * 101), 1, None), Repeat(A, 0, 9000)))
    with pytest.raises(LimitExceeded, match="search"):
        DfaLanguages(DfaStore(), Limits(search=500)).is_empty(far)
    assert DfaLanguages(DfaStore(), Limits()).is_empty(far)
    assert not languages().is_empty(And((Repeat(Literal(b"aaa"), 1, None), Repeat(Literal(b"aaaa"), 1, None))))


def test_equal_expressions_that_are_different_objects() -> None:
    """Answers are remembered by identity, and stay right when an expression is gone."""
    asked = languages()
    for n in range(300):
        assert asked.accepts(Literal(f"a{n}".encode()), f"a{n}".encode())
        assert not asked.accepts(Literal(f"b{n}".encode()), f"a{n}".encode())
