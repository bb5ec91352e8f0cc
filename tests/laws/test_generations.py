"""A session that forgets its records answers as one that does not."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import constrain
from constrain.automaton import Matcher
from constrain.compiler import Compiler
from constrain.engine.space import EarleySpace
from constrain.limits import Limits
from constrain.vocab.vocabulary import Vocabulary

TOKENS = [
    *[bytes([b]) for b in range(256)],
    b'{"',
    b'":',
    b'", "',
    b"[[",
    b"]]",
    b"1,",
    b'a":[',
    b"((",
    b"+1",
    b"abc",
    None,
]
VOCABULARY = Vocabulary.from_tokens(TOKENS, eos_ids=[len(TOKENS) - 1])
TINY = Limits(automata_bytes=64 * 1200)
"""Sessions begin anew after 1,200 words."""

SPECS = {
    "open object": constrain.json_schema({"type": "object", "additionalProperties": {"type": ["integer", "object"]}}),
    "any value": constrain.json_schema(True),
    "bounded strings": constrain.json_schema({"type": "array", "items": {"type": "string", "maxLength": 40}}),
    "unique numbers": constrain.json_schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    "unique arrays": constrain.json_schema(
        {"type": "array", "items": {"items": {"enum": [1, 2]}}, "uniqueItems": True}
    ),
    "left recursion": constrain.grammar('start: e\ne: e "+" t | t\nt: "(" e ")" | "1" | "a" t'),
    "right recursion": constrain.grammar('start: "(" start ")" | "a" start | "b"'),
    "longest match": constrain.grammar(
        'start: (NAME ("(" start ")")? | "ab" "+"? | NUMBER)+\n'
        "NAME: /[a-c]+/\nNUMBER: /1+(,1+)?/\n%ignore /[ \\n]+|#.*/",
        longest=True,
    ),
    "pattern": constrain.regex(r"(ab?|ba){0,400}c"),
}


def mask_of(matcher: Matcher) -> np.ndarray:
    mask = constrain.allocate_bitmask(1, VOCABULARY.size)
    matcher.fill_bitmask(mask)
    return mask


@pytest.mark.parametrize("name", SPECS)
def test_states_in_use_go_on(name: str) -> None:
    """Masks and steps are the same, also of matchers that stand where the session has been before."""
    rng = random.Random(name)
    roomy, tight = (Compiler(VOCABULARY, limits=limits).compile(SPECS[name]) for limits in (Limits(), TINY))
    assert isinstance(tight.space, EarleySpace)
    begun = {id(tight.space.session.generation)}
    pairs = [(roomy.matcher(), tight.matcher())]
    for _ in range(400):
        k = rng.randrange(len(pairs))
        one, other = pairs[k]
        assert (mask_of(one) == mask_of(other)).all()
        allowed = [token for token in one.allowed_token_ids().tolist() if token != len(TOKENS) - 1]
        if not allowed or one.num_accepted > 60:
            pairs[k] = roomy.matcher(), tight.matcher()
            continue
        token = rng.choice(allowed)
        assert one.accept_token(token) and other.accept_token(token)
        assert one.is_accepting() == other.is_accepting()
        if rng.random() < 0.1 and len(pairs) < 6:
            pairs.append((one.copy(), other.copy()))
        if rng.random() < 0.1:
            back = rng.randrange(one.num_accepted + 1)
            one.rollback(back)
            other.rollback(back)
        begun.add(id(tight.space.session.generation))
    assert len(begun) > 1 or name in ("pattern", "right recursion"), "the session has begun anew"


def test_names_are_still_known_to_have_been_written() -> None:
    automaton = Compiler(VOCABULARY, limits=TINY).compile(SPECS["open object"])
    matcher = automaton.matcher()
    text = json.dumps({f"name{i}": i for i in range(40)})[:-1] + ', "name'
    assert matcher.accept_tokens(list(text.encode())) == len(text)
    assert matcher.copy().accept_tokens(list(b'40":')) == 4
    assert matcher.copy().accept_tokens(list(b'7":')) < 3
