"""Longest match: the library's grammars, counts, limits, forgetting, special tokens, ambiguity."""

from __future__ import annotations

import random
import time
from functools import cache

import pytest
from amounts import runs
from library import rows
from matchers import accepted, mask_of, walk

import constrain
from constrain import Compiler, LimitExceeded, Limits, Matcher, Vocabulary
from constrain.engine.longest_session import LongestSession
from constrain.engine.space import EarleySpace

LIBRARY = ["graphql", "javascript", "python", "sql"]
BYTES = [bytes([b]) for b in range(256)]


@cache
def pieces(name: str) -> Vocabulary:
    """Every byte, and pieces of the examples of a grammar, wherever they begin and end."""
    rng = random.Random(name)
    texts = [str(row["text"]).encode() for row in rows(name)]
    found: set[bytes] = set()
    while len(found) < 400:
        text = rng.choice(texts)
        at = rng.randrange(len(text)) if text else 0
        found.add(text[at : at + rng.choice([2, 2, 3, 3, 4, 5, 7, 10, 20])])
    tokens = [*BYTES, *sorted(found - {b""} - set(BYTES))]
    return Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)])


def matcher(text: str, tokens: list[bytes], limits: Limits | None = None) -> Matcher:
    vocabulary = Vocabulary.from_tokens([*BYTES, *tokens, None], eos_ids=[256 + len(tokens)])
    made = Compiler(vocabulary, limits=limits).compile(constrain.grammar(text, longest=True)).matcher()
    assert isinstance(made.automaton.space, EarleySpace) and isinstance(made.automaton.space.session, LongestSession)
    return made


@pytest.mark.parametrize("name", LIBRARY)
def test_masks_of_the_library_are_what_is_accepted(name: str) -> None:
    """Along examples, cut into tokens at random."""
    rng = random.Random(name)
    vocabulary = pieces(name)
    automaton = Compiler(vocabulary).compile(constrain.grammar_file(name))
    tokens = [vocabulary.token_bytes(t) for t in range(vocabulary.size - 1)]
    some = rng.sample(rows(name), runs(24))
    for row in some:
        one, rest = automaton.matcher(), str(row["text"]).encode()[:60]
        while True:
            mask = mask_of(one)
            assert mask == accepted(one)
            fitting = [t for t, token in enumerate(tokens) if t >= 256 and rest.startswith(token)]
            token = rng.choice([t for t in fitting if t in mask] or list(rest[:1]) or [-1])
            if token < 0 or not one.accept_token(token):
                break
            rest = rest[len(tokens[token]) :]


@pytest.mark.parametrize("name", LIBRARY)
def test_examples_of_the_library(name: str) -> None:
    automaton = Compiler(pieces(name)).compile(constrain.grammar_file(name))
    for row in rows(name):
        assert automaton.accepts(list(str(row["text"]).encode())) is row["accepted"], row["text"]


COUNTED = [
    'start: (A | B | C)+\nA: /a{1,300}/\nB: /a{2}b/\nC: /[bc]/\n%ignore " "',
    'start: (WORD "."?)+\nWORD: /[a-c]{1,12}(-[a-c]{3})?/\n%ignore / {1,50}/',
    "start: (OPEN | SHORT | X)+\nOPEN: /a(b{40}c)?/\nSHORT: /b{1,3}/\nX: /c/",
]
RUNS = [
    b"aa",
    b"aab",
    b"aaaaa",
    b"bbb",
    b"b" * 9,
    b"b" * 36,
    b"abbb",
    b"a" * 12,
    b"cc",
    b"  ",
    b" a",
    b"-aa",
    b".a",
    b"a.",
]


@pytest.mark.parametrize("text", COUNTED)
def test_counts(text: str) -> None:
    """Those that no token reaches are taken to be equal where that makes no difference."""
    rng = random.Random(text)
    for _ in range(runs(40)):
        one = matcher(text, RUNS)
        for _ in walk(one, rng, 25):
            assert mask_of(one) == accepted(one)


def test_token_sets_are_forgotten() -> None:
    text = (
        'start: (NAME | "if" | NUMBER | STRING)+\nNAME: /[a-z]+/\nNUMBER: /[0-9]+/\nSTRING: /"[^"]*"/\n%ignore /[ ]+/'
    )
    rng = random.Random(0)
    tokens = sorted({bytes(rng.choices(b'abcdefgh 01"if', k=rng.randint(2, 5))) for _ in range(3000)})
    tight, roomy = (matcher(text, tokens, limits) for limits in (Limits(mask_cache_bytes=1 << 12), Limits()))
    space = tight.automaton.space
    assert isinstance(space, EarleySpace) and isinstance(space.session, LongestSession)
    for _ in range(20):
        tight.reset()
        roomy.reset()
        for path in walk(roomy, rng, 10):
            assert not path or tight.accept_token(path[-1])
            assert mask_of(tight) == mask_of(roomy)
    assert space.session.token_sets_forgotten > 1


def test_a_search_for_a_way_out_is_bounded() -> None:
    """After `a`, what begins with `b` must not go on to `ab..c`: it may end, but only after 400 letters or more."""
    text = 'start: A B "d"\nA: "a"\nLONG: /a[b]+c/\nB: /b{400}/\nlong: LONG\nother: start | long'
    text = text.replace("start:", "inner:").replace("other: start | long", "start: inner | long")
    far = matcher(text, [])
    assert far.accept_tokens(list(b"a" + b"b" * 400 + b"d")) == 402 and far.is_accepting()
    near = matcher(text, [], Limits(search=60))
    with pytest.raises(LimitExceeded, match="not too short a match") as caught:
        near.accept_tokens(list(b"a" + b"b" * 10))
    assert caught.value.limit == "search"
    near.reset()
    assert near.validate_tokens(list(b"x")) == 0


def test_special_tokens() -> None:
    tokens = [b"a", b"b", b"ab", b" ", b"a ", None, None]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=[6], special_tokens={"<|x|>": 5})
    text = 'start: (A | AB | <|x|>)+\nA: "a"\nAB: /a+b/\n%ignore " "'
    one = Compiler(vocabulary).compile(constrain.grammar(text, longest=True)).matcher()
    for path, expected in [
        ([], {0, 2, 3, 4, 5}),
        ([0], {0, 1, 2, 3, 4, 5, 6}),
        ([0, 0], {0, 1, 2, 3, 4, 5, 6}),
        ([3], {0, 2, 3, 4, 5}),
        ([5], {0, 2, 3, 4, 5, 6}),
        ([0, 5, 3], {0, 2, 3, 4, 5, 6}),
    ]:
        one.reset()
        assert one.accept_tokens(path) == len(path)
        assert mask_of(one) == accepted(one) == expected, path


def test_ambiguous_rules_take_polynomial_time() -> None:
    text = 'start: start start | start start start | "a" | AA | /b+/ | \nAA: /aa/\n%ignore " "'
    one = matcher(text, [b"aa", b"aaaa", b"a a a", b"ab" * 9, b"a" * 50])
    begin = time.perf_counter()
    for n in range(200):
        assert len(mask_of(one)) > 5
        assert one.accept_tokens(list(b"a" if n % 3 else b" b"))
    assert time.perf_counter() - begin < 60


def test_names_are_of_what_may_come_next_or_go_on() -> None:
    one = matcher('start: (IF | NAME | NUMBER)+\nIF.2: "if"\nNAME: /[a-z]+/\nNUMBER: /[0-9]+/\n%ignore " "', [])
    space = one.automaton.space
    assert space.expected_names(one._state) == ("IF", "NAME", "NUMBER", "ignore")
    one.accept_tokens(list(b"i"))
    assert space.expected_names(one._state) == ("IF", "NAME", "NUMBER", "ignore")
    one.accept_tokens(list(b"x1"))
    assert space.expected_names(one._state) == ("IF", "NAME", "NUMBER", "ignore")
    one = matcher('start: "a" B "c"\nB: /b+/', [])
    one.accept_tokens(list(b"ab"))
    assert one.automaton.space.expected_names(one._state) == ('"c"', "B")
