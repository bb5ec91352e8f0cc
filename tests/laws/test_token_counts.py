"""Numbers of tokens, against all sequences of them."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matchers import accepted, mask_of, reachable, walk
from reference.recogniser import recognises
from strategies import Denoting, Deriving, examples, expressions, grammars, vocabularies

import constrain
from constrain import Compiler, LimitExceeded, Limits, Spec, UnsatisfiableError, Vocabulary, VocabularyError, regex
from constrain.engine.count import CountingSpace
from constrain.ir.grammar import Grammar
from constrain.ir.semantics import accepts
from constrain.specs.length import Length, length
from constrain.specs.lexical import lexical

LIMITS = Limits(search=20_000)
TOKENS = [b"a", b"b", b"ab", b"aba", b"\xc3", b"\xa9", b" "]
SMALL = Vocabulary.from_tokens([*TOKENS, None], eos_ids=[len(TOKENS)])
MOST = 3
EVERY = [tokens for n in range(MOST + 2) for tokens in itertools.product(range(len(TOKENS)), repeat=n)]

ranges = st.one_of(
    st.integers(0, MOST).map(lambda n: (n, n)),
    st.tuples(st.integers(0, MOST), st.integers(0, MOST)).map(lambda pair: (min(pair), max(pair))),
    st.integers(0, 3).map(lambda n: (n, None)),
)
patterns = ["(ab)*", "a{0,3}b?", "(aba|b)*", ".*", "[ab ]{2,5}", "(a|b){3}", "(ab|aba)b?a*", "b?"]
seeds = st.integers(0, 2**32)


def check(spec: Spec, bounds: tuple[int, int | None], denotes: object) -> None:
    """Every sequence, and every prefix that one of them begins with."""
    low, high = bounds
    counted = spec & Length(tokens=bounds)
    good = {
        tokens
        for tokens in EVERY
        if len(tokens) >= low
        and (high is None or len(tokens) <= high)
        and denotes(b"".join(TOKENS[token] for token in tokens))  # type: ignore[operator]
    }
    try:
        automaton = Compiler(SMALL, limits=LIMITS).compile(counted)
    except UnsatisfiableError:
        assert not good
        return
    assert isinstance(automaton.space, CountingSpace)
    for tokens in EVERY[:700]:
        assert automaton.accepts(tokens) == (tokens in good), tokens
    prefixes = {tokens[:n] for tokens in good for n in range(len(tokens) + 1)}
    if high is not None:
        for tokens in (t for t in EVERY[:300] if len(t) <= high):
            assert (automaton.matcher().accept_tokens(tokens) == len(tokens)) == (tokens in prefixes), tokens


@examples(40)
@given(st.sampled_from(patterns), ranges)
def test_regular_constraints_exactly(pattern: str, bounds: tuple[int, int | None]) -> None:
    spec = regex(pattern)
    expr = spec.lower(LIMITS)
    check(spec, bounds, lambda text: accepts(expr, text))


@examples(30)
@given(expressions(depth=2), ranges)
def test_expressions_exactly(expr: constrain.ir.expr.Expr, bounds: tuple[int, int | None]) -> None:
    try:
        check(Denoting(expr), bounds, lambda text: accepts(expr, text))
    except (LimitExceeded, VocabularyError):
        assume(False)


@examples(30)
@given(
    st.one_of(st.sampled_from(patterns).map(regex), grammars(longest=False).map(Deriving)),
    ranges,
    vocabularies(),
    seeds,
)
def test_masks(spec: Spec, bounds: tuple[int, int | None], vocabulary: Vocabulary, seed: int) -> None:
    try:
        matcher = Compiler(vocabulary, limits=LIMITS).compile(spec & Length(tokens=bounds)).matcher()
        for path in walk(matcher, random.Random(seed), MOST + 1):
            mask = mask_of(matcher)
            assert mask == accepted(matcher)
            assert mask or matcher.is_terminated(), "no dead end"
            may_end = len(path) >= bounds[0] and (bounds[1] is None or len(path) <= bounds[1])
            assert not matcher.is_accepting() or may_end
            rest = matcher.completion()
            assert rest is not None and matcher.automaton.accepts([*path, *rest])
            assert all(matcher.explain(token).allowed == (token in mask) for token in range(vocabulary.size))
    except (UnsatisfiableError, VocabularyError, LimitExceeded):
        assume(False)


@examples(30)
@given(grammars(longest=False), ranges)
def test_grammars_have_no_dead_ends(drawn: Grammar, bounds: tuple[int, int | None]) -> None:
    spec = Deriving(drawn) & Length(tokens=bounds)
    try:
        matcher = Compiler(SMALL, limits=LIMITS).compile(spec).matcher()
        places, edges, _ = reachable(matcher, 60)
    except (UnsatisfiableError, VocabularyError, LimitExceeded):
        assume(False)
        raise
    good = {i for i, place in enumerate(places) if place.is_accepting() or i >= len(edges)}
    while more := {i for i, leads in enumerate(edges) if leads & good} - good:
        good |= more
    assert good == set(range(len(places)))
    for tokens in EVERY[:400]:
        if matcher.automaton.accepts(tokens):
            assert recognises(drawn, b"".join(TOKENS[token] for token in tokens))
            assert bounds[0] <= len(tokens) and (bounds[1] is None or len(tokens) <= bounds[1])


def test_the_end_is_forced_in_time() -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), b"dog", b"lazy ", None], eos_ids=[258])
    matcher = Compiler(vocabulary).compile(lexical(["lazy dog"]) & length(tokens=(3, 4))).matcher()
    assert matcher.accept_token(ord("x"))
    assert matcher.accept_token(ord("x"))
    assert mask_of(matcher) == {257}
    assert "after 2 tokens of 3 to 4" in matcher.explain(ord("x")).reason
    assert matcher.accept_token(257) and mask_of(matcher) == {256}
    assert matcher.accept_token(256) and mask_of(matcher) == {258}
    matcher.rollback(2)
    assert mask_of(matcher) == {257}


def test_longer_texts_of_a_grammar_are_found() -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    spec = constrain.json_schema({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})
    automaton = Compiler(vocabulary).compile(spec & length(tokens=(30, 40)))
    matcher = automaton.matcher()
    rng = random.Random(3)
    n = 0
    while not matcher.is_terminated():
        allowed = matcher.allowed_token_ids().tolist()
        assert matcher.accept_token(rng.choice(allowed))
        n += 1
    assert 30 <= n - 1 <= 40


@pytest.mark.parametrize("make", [lambda c: c | regex("a"), lambda c: c + regex("a")])
def test_tokens_are_those_of_the_whole_output(make: object) -> None:
    with pytest.raises(constrain.UnsupportedError, match="whole output"):
        Compiler(SMALL).compile(make(length(tokens=3)))  # type: ignore[operator]


def test_ranges_that_do_not_meet() -> None:
    with pytest.raises(UnsatisfiableError, match="at least 5 and at most 3"):
        Compiler(SMALL).compile(length(tokens=(5, 9)) & length(tokens=3))
    with pytest.raises(UnsatisfiableError, match="no text with 9 to 9 tokens"):
        Compiler(SMALL).compile(regex("a{0,8}") & length(tokens=9))
