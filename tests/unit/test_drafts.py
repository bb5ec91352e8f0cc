"""Masks of many places at once: along speculative tokens, and of the sequences of a batch."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, patterns

import constrain
from constrain import Compiler, Matcher, Vocabulary, allocate_bitmask, fill_bitmasks, regex

EOS = 262
VOCABULARY = Vocabulary.from_tokens(
    [*(bytes([b]) for b in range(256)), b"ab", b"ba", b"12", b'": ', b'{"', b"a b", None], eos_ids=[EOS]
)
SPECS: dict[str, Any] = {
    "digits": lambda: regex(r"[0-9]{2,30}(-[ab]+)?"),
    "letters": lambda: regex(r"(ab|ba|c)+[.!]"),
    "json": lambda: constrain.grammar_file("json"),
    "arithmetic": lambda: constrain.grammar_file("arithmetic"),
}


def mask_of(matcher: Matcher) -> list[int]:
    mask = allocate_bitmask(1, VOCABULARY.size)
    matcher.fill_bitmask(mask)
    return mask[0].tolist()


def walked(matcher: Matcher, rng: random.Random, steps: int) -> Matcher:
    for _ in range(steps):
        allowed = [int(token) for token in matcher.allowed_token_ids() if token != EOS]
        if not allowed:
            break
        matcher.accept_token(rng.choice(allowed))
    return matcher


def check(matcher: Matcher, draft: list[int]) -> None:
    mask = np.full((len(draft) + 2, (VOCABULARY.size + 31) // 32), 0x5A5A5A5A, np.int32)
    before, accepted = mask_of(matcher), matcher.num_accepted
    count = matcher.fill_draft_bitmasks(draft, mask)
    assert mask_of(matcher) == before and matcher.num_accepted == accepted
    probe = matcher.copy()
    for i in range(count + 1):
        assert mask[i].tolist() == mask_of(probe), i
        if i < count:
            assert probe.accept_token(draft[i])
    assert (mask[count + 1 :] == 0x5A5A5A5A).all()
    assert count == len(draft) or probe.is_terminated() or not probe.accept_token(draft[count])


@examples(100)
@given(patterns(), st.lists(st.sampled_from([*b"abc-\n", 256, 257, 261, EOS]), max_size=6), st.integers(0, 99))
def test_rows_along_a_draft(pattern: str, draft: list[int], seed: int) -> None:
    try:
        matcher = Compiler(VOCABULARY).compile(regex(pattern)).matcher()
    except constrain.ConstrainError:
        return
    check(walked(matcher, random.Random(seed), 2), draft)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("seed", range(5))
def test_drafts_of_tokens_that_are_allowed(name: str, seed: int) -> None:
    rng = random.Random(seed)
    matcher = walked(Compiler(VOCABULARY).compile(SPECS[name]()).matcher(), rng, rng.randrange(4))
    ahead, draft = matcher.copy(), []
    for _ in range(6):
        allowed = ahead.allowed_token_ids().tolist()
        draft.append(rng.choice(allowed) if allowed else 0)
        if draft[-1] == EOS or not ahead.accept_token(draft[-1]):
            break
    check(matcher, draft)
    check(matcher, [*draft, EOS, 0])
    check(matcher, [*draft, 255, 0])


def test_drafts_end_with_the_output() -> None:
    matcher = Compiler(VOCABULARY).compile(regex("ab?")).matcher()
    mask = allocate_bitmask(4, VOCABULARY.size)
    assert matcher.fill_draft_bitmasks([97, EOS, 97], mask) == 2
    assert matcher.fill_draft_bitmasks(np.array([97, 98]), mask) == 2  # type: ignore[arg-type]
    assert matcher.fill_draft_bitmasks([99, 97], mask) == 0
    assert matcher.fill_draft_bitmasks([], mask) == 0
    matcher.accept_tokens([97, EOS])
    assert matcher.fill_draft_bitmasks([97], mask) == 0
    assert mask[0].tolist() == mask_of(matcher)


def test_mistakes_in_drafts() -> None:
    matcher = Compiler(VOCABULARY).compile(regex("a*")).matcher()
    with pytest.raises(constrain.ConstrainError, match="row 2 of a mask"):
        matcher.fill_draft_bitmasks([97, 97], allocate_bitmask(2, VOCABULARY.size))
    with pytest.raises(constrain.TokenError):
        matcher.fill_draft_bitmasks([VOCABULARY.size], allocate_bitmask(2, VOCABULARY.size))
    with pytest.raises(constrain.SpecTypeError):
        matcher.fill_draft_bitmasks(["a"], allocate_bitmask(2, VOCABULARY.size))  # type: ignore[list-item]


# ---- batches


def batch(seed: int, names: list[str], compiler: Compiler) -> list[Matcher | None]:
    rng = random.Random(seed)
    matchers: list[Matcher | None] = []
    for n in range(16):
        if n % 7 == 5:
            matchers.append(None)
        else:
            matchers.append(walked(compiler.compile(SPECS[names[n % len(names)]]()).matcher(), rng, rng.randrange(9)))
    return matchers


@pytest.mark.parametrize("names", [["json"], ["arithmetic"], list(SPECS), ["digits", "letters"]])
@pytest.mark.parametrize("seed", range(4))
def test_batches_are_as_their_rows(names: list[str], seed: int) -> None:
    """Masks worked out in threads, and again from what is remembered, are those of one sequence after another."""
    expected = [
        [-1] * ((VOCABULARY.size + 31) // 32) if one is None else mask_of(one)
        for one in batch(seed, names, Compiler(VOCABULARY))
    ]
    constrain.clear_caches()
    compiler = Compiler(VOCABULARY, limits=constrain.Limits(mask_cache_bytes=1 << (12 + 8 * (seed % 2))))
    paths = [None if one is None else one for one in batch(seed, names, Compiler(VOCABULARY))]
    matchers = [None if one is None else follow(compiler, one) for one in paths]
    for _ in range(2):
        mask = np.full((17, (VOCABULARY.size + 31) // 32), 0x5A5A5A5A, np.int32)
        fill_bitmasks(matchers, mask)
        assert mask[:16].tolist() == expected
        assert (mask[16] == 0x5A5A5A5A).all()


def follow(compiler: Compiler, other: Matcher) -> Matcher:
    """A matcher of another compiler at the same place, before any of its masks is known."""
    matcher = compiler.compile(other.automaton.spec).matcher()
    tokens = tokens_along(other)
    assert matcher.accept_tokens(tokens) == len(tokens)
    return matcher


def tokens_along(matcher: Matcher) -> list[int]:
    """The tokens that a matcher has read, found in the steps that its states remember."""
    states = [*matcher._path, matcher._state]
    return [
        next(token for token, after in here.next.items() if after is there)
        for here, there in itertools.pairwise(states)
    ]


def test_ready_and_prepared() -> None:
    matcher = Compiler(VOCABULARY, limits=constrain.Limits(repeat=97)).compile(regex("q[0-9]+w")).matcher()
    other = matcher.copy()
    assert matcher.mask_key == other.mask_key and not matcher.is_ready()
    matcher.prepare()
    assert matcher.is_ready() and other.is_ready()
    other.accept_token(ord("q"))
    assert other.mask_key != matcher.mask_key


def test_mistakes_in_batches() -> None:
    matchers = batch(0, ["digits"], Compiler(VOCABULARY))
    with pytest.raises(constrain.SpecTypeError, match="16 matchers, but the mask has 3 rows"):
        fill_bitmasks(matchers, allocate_bitmask(3, VOCABULARY.size))
    with pytest.raises(constrain.ConstrainError, match="fill_bitmask"):
        fill_bitmasks(matchers, np.zeros((16, 3), np.int32))
