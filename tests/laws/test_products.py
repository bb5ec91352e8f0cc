"""Grammars and schemas beside regular constraints: the law of masks, and texts that are proofs."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from amounts import slow
from hypothesis import assume, given
from hypothesis import strategies as st
from matchers import accepted, mask_of, walk
from reference.recogniser import recognises
from strategies import GRAMMAR_ALPHABET, Denoting, Deriving, examples, expressions, grammars, texts_for, vocabularies

import constrain
from constrain import (
    Compiler,
    LimitExceeded,
    Limits,
    Matcher,
    Spec,
    UnsatisfiableError,
    UnsupportedError,
    Vocabulary,
    VocabularyError,
    grammar,
    json_schema,
    regex,
)
from constrain.engine import intersect
from constrain.engine.intersect import IntersectionSpace
from constrain.ir import expr as ir
from constrain.ir.grammar import Grammar
from constrain.ir.semantics import accepts
from constrain.specs.length import length
from constrain.specs.lexical import lexical

LIMITS = Limits(search=20_000)
BYTES = Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], None], eos_ids=[256])
LETTERS = sorted(set(GRAMMAR_ALPHABET))
EVERY = ["".join(text).encode() for n in range(4) for text in itertools.product(LETTERS, repeat=n)]

counted = st.sampled_from([length(chars=(1, 3)), length(chars=(2, 6)), length(words=(1, 2)), length(chars=2)])
worded = st.sampled_from([lexical(["ab"]), lexical(["a", "b"]), lexical(exclude=["ab"]), lexical(["ba"], ["bb"])])
patterns = st.sampled_from([regex("(ab?)*"), regex(".*b.*b"), regex("[^é]*"), regex("(aa|b| )*"), regex("(..)*")])
besides = st.one_of(counted, worded, patterns, expressions(depth=2).map(Denoting))
seeds = st.integers(0, 2**32)


@pytest.fixture(autouse=True, scope="module")
def _all_tokens_are_put_together() -> Iterator[None]:
    """By what they lead to, as it is done where many are allowed."""
    before, intersect.FEW = intersect.FEW, 0
    yield
    intersect.FEW = before


def bind(spec: Spec, vocabulary: Vocabulary) -> Matcher:
    try:
        return Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, VocabularyError, LimitExceeded):
        assume(False)
        raise


def in_both(drawn: Grammar, expr: ir.Expr, text: bytes) -> bool:
    return accepts(expr, text) and recognises(drawn, text)


@examples(40)
@given(grammars(longest=False), besides)
def test_texts_of_both(drawn: Grammar, beside: Spec) -> None:
    """Every short text, and whether there is one at all."""
    expr = beside.lower(LIMITS)
    assert not isinstance(expr, Grammar | constrain.ir.grammar.Restricted)
    texts = [text for text in EVERY if in_both(drawn, expr, text)]
    try:
        automaton = Compiler(BYTES, limits=LIMITS).compile(Deriving(drawn) & beside)
    except UnsatisfiableError:
        assert not texts
        return
    except LimitExceeded:
        assume(False)
        raise
    assert isinstance(automaton.space, IntersectionSpace)
    for text in EVERY:
        assert automaton.accepts(list(text)) == (text in texts), text
    prefixes = {text[:end] for text in texts for end in range(len(text) + 1)}
    for prefix in prefixes:
        assert automaton.matcher().accept_tokens(list(prefix)) == len(prefix), "a text can be completed from here"


@examples(30)
@given(grammars(), besides, vocabularies(alphabet=GRAMMAR_ALPHABET), seeds)
def test_masks(drawn: Grammar, beside: Spec, vocabulary: Vocabulary, seed: int) -> None:
    matcher = bind(Deriving(drawn) & beside, vocabulary)
    try:
        for path in walk(matcher, random.Random(seed), 4):
            mask = mask_of(matcher)
            assert mask == accepted(matcher) == {t for t in range(vocabulary.size) if matcher.validate_tokens([t])}
            assert mask or matcher.is_terminated()
            viable = matcher._space.viable_bytes(matcher._state)
            data = [vocabulary.token_bytes(token) for token in mask - set(vocabulary.eos_ids)]
            assert {spelled[0] for spelled in data} <= set(viable)
            for token in range(vocabulary.size):
                assert matcher.explain(token).allowed == (token in mask)
            assert matcher.num_accepted == len(path)
    except LimitExceeded:
        assume(False)


@examples(30)
@given(grammars(), besides, seeds)
def test_a_text_is_the_proof_that_there_is_no_dead_end(drawn: Grammar, beside: Spec, seed: int) -> None:
    """What is allowed can be completed, by a text that both definitions accept. Under longest match, too."""
    expr = beside.lower(LIMITS)
    matcher = bind(Deriving(drawn) & beside, BYTES)
    try:
        for path in walk(matcher, random.Random(seed), 5):
            rest = matcher.completion()
            assert rest is not None
            text = bytes([*path, *rest])
            if len(text) <= 12:
                assert in_both(drawn, expr, text), text  # type: ignore[arg-type]
            forced = matcher.forced_bytes()
            assert bytes(rest).startswith(forced)
    except LimitExceeded:
        assume(False)


@examples(50)
@given(grammars(longest=False).flatmap(lambda g: texts_for(g).map(lambda texts: (g, texts))), besides, seeds)
def test_moving_about(drawn: tuple[Grammar, list[bytes]], beside: Spec, seed: int) -> None:
    rng = random.Random(seed)
    matcher = bind(Deriving(drawn[0]) & beside, BYTES)
    try:
        for text in drawn[1]:
            matcher.reset()
            read = matcher.accept_tokens(list(text))
            masks = [mask_of(matcher)]
            twin, back = matcher.copy(), rng.randint(0, read)
            matcher.rollback(back)
            assert matcher.accept_tokens(list(text[read - back : read])) == back
            masks += [mask_of(matcher), mask_of(twin)]
            assert masks[0] == masks[1] == masks[2]
    except LimitExceeded:
        assume(False)


# ---- JSON Schema

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "tags": {"type": "array", "items": {"enum": ["red", "blue"]}},
        "n": {"type": "integer"},
    },
    "required": ["title"],
    "additionalProperties": False,
}


def generated(spec: Spec, seed: int, most: int = 400) -> str:
    """A text by a random walk that is steered to its end."""
    rng = random.Random(seed)
    matcher = Compiler(WORDS).compile(spec).matcher()
    text = b""
    for _ in range(most):
        allowed = matcher.allowed_token_ids().tolist()
        assert allowed, text
        token = rng.choice(allowed)
        if rng.random() < 0.3 and (rest := matcher.completion()) is not None:
            for one in rest:
                assert matcher.accept_token(one)
            text += b"".join(map(WORDS.token_bytes, rest))
            break
        assert matcher.accept_token(token)
        if matcher.is_terminated():
            break
        text += WORDS.token_bytes(token)
    assert matcher.is_accepting()
    return text.decode()


WORDS = Vocabulary.from_tokens(
    [
        *[bytes([b]) for b in range(256)],
        b'"title": "',
        b'{"',
        b'", "',
        b" lazy",
        b" dog",
        b"lazy dog",
        b'"}',
        b"red",
        None,
    ],
    eos_ids=[264],
)


@pytest.mark.parametrize("seed", [0, 1, *slow(2, 3, 4)])
def test_schemas(seed: int) -> None:
    jsonschema = pytest.importorskip("jsonschema")

    spec = json_schema(SCHEMA) & lexical(["lazy dog", "red"], exclude=["blue"]) & length(chars=(40, 90))
    text = generated(spec, seed)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert "lazy dog" in text and "red" in text and "blue" not in text and 40 <= len(text) <= 90


def test_names_that_must_differ() -> None:
    """Objects with further names: terminals that match once."""
    spec = json_schema({"type": "object", "additionalProperties": {"type": "integer"}}) & length(chars=(20, 30))
    for seed in range(4):
        text = generated(spec, seed)
        assert isinstance(json.loads(text), dict) and 20 <= len(text) <= 30


def test_recursion() -> None:
    balanced = grammar('start: "(" start ")" | "x"')
    matcher = Compiler(BYTES).compile(balanced & length(chars=7)).matcher()
    assert matcher.forced_bytes() == b"(((x)))"
    with pytest.raises(UnsatisfiableError, match="no text of the grammar"):
        Compiler(BYTES).compile(balanced & length(chars=8))
    for both in (balanced & regex("[(]{0,5}x?[)]{0,5}"), regex("[(]{0,5}x?[)]{0,5}") & balanced):
        matcher = Compiler(BYTES).compile(both).matcher()
        assert matcher.accept_tokens(b"(((((") == 5
        assert matcher.allowed_token_ids().tolist() == [ord("x")]


def test_a_grammar_within_a_pattern_that_knows_its_depth() -> None:
    """Nothing that regular tools could find out: an even number of brackets, and of letters."""
    spec = (
        grammar('start: item+\nitem: "[" item* "]" | /[a-z]/') & regex(r"(?:[^\[]*\[[^\[]*\[)*[^\[]*") & length(chars=5)
    )
    automaton = Compiler(BYTES).compile(spec)
    alphabet = b"[]a"
    found = {bytes(text) for text in itertools.product(alphabet, repeat=5) if automaton.accepts(list(text))}

    def balanced(text: bytes) -> bool:
        depths = list(itertools.accumulate({ord("["): 1, ord("]"): -1}.get(b, 0) for b in text))
        return depths[-1] == 0 and min(depths) >= 0

    expected = {
        bytes(t) for t in itertools.product(alphabet, repeat=5) if balanced(bytes(t)) and bytes(t).count(b"[") % 2 == 0
    }
    assert found == expected


def test_special_tokens() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"b", None, None], eos_ids=[3], special_tokens={"<|call|>": 2})
    spec = grammar("start: <|call|> NAME\nNAME: /[ab]+/") & length(chars=2)
    matcher = Compiler(vocabulary).compile(spec).matcher()
    assert mask_of(matcher) == {2}
    assert matcher.accept_tokens([2, 0]) == 2 and mask_of(matcher) == {0, 1}
    assert matcher.accept_token(1) and mask_of(matcher) == {3}


def test_vocabularies_that_do_not_spell_everything() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2])
    spec = grammar("start: /[abc]/ start?") & regex("a*c*b")
    matcher = Compiler(vocabulary).compile(spec).matcher()
    assert mask_of(matcher) == {0, 1}
    with pytest.raises(UnsatisfiableError):
        Compiler(vocabulary).compile(grammar("start: /[abc]/ start?") & regex("a*c"))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda g: g & g, "'&' of two grammars"),
        (lambda g: (g & regex("a*")) | regex("b"), "put the '&' outside"),
        (lambda g: (g & regex("a*")) + regex("b"), "put the '&' outside"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(message)):
        Compiler(BYTES).compile(make(grammar('start: "(" start ")" | "x"')))


def test_unions_of_grammars_beside_others() -> None:
    spec = (grammar('start: "(" start ")" | "x"') | regex("y+")) & length(chars=3)
    automaton = Compiler(BYTES).compile(spec)
    assert [automaton.accepts(list(text)) for text in (b"(x)", b"yyy", b"x", b"y")] == [True, True, False, False]
