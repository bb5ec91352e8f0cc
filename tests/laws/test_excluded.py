"""Names that are excluded: their trie, read byte by byte, against the expression of all their spellings."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

import constrain
from constrain.automata.dfa import DfaStore
from constrain.engine import tables as t
from constrain.engine import values
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.session import Session
from constrain.ir.expr import alt
from constrain.jit import entry
from constrain.specs.json_schema.texts import spelled_name

STORE = DfaStore()
LIMITS = constrain.Limits()
VOCABULARY = constrain.Vocabulary.from_tokens([*(bytes([byte]) for byte in range(256)), None], eos_ids=[256])
CHARACTERS = 'ab"\\/\n\x00\x7fé日😀\U0010ffff\ud7ff\ue000'
names = st.text(st.sampled_from(CHARACTERS), max_size=4)


def session() -> Session:
    """Any session."""
    found = constrain.Compiler(VOCABULARY).compile(constrain.json_schema({"type": "object"})).space
    made: Session = found.session  # type: ignore[attr-defined]
    return made


def spelled(rng: random.Random, name: str) -> bytes:
    """A name in one of the ways that JSON has for it, in quotes."""
    found = '"'
    for char in name:
        code, shorts = ord(char), {'"': '"', "\\": "\\", "/": "/", "\n": "n"}
        units = [code] if code < 0x10000 else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)]
        ways = ["".join(f"\\u{unit:04{rng.choice('xX')}}" for unit in units)]
        ways += [f"\\{shorts[char]}"] if char in shorts else []
        ways += [char] if code >= 32 and char not in '"\\' else []
        found += rng.choice(ways)
    return (found + '"').encode()


@given(st.sets(names, max_size=5), names, st.randoms(use_true_random=False))
@examples(300)
def test_a_trie_matches_what_the_spellings_match(excluded: set[str], other: str, rng: random.Random) -> None:
    here = session()
    trie = here._trie_of({name.encode() for name in excluded})
    start = STORE.start(alt([spelled_name(name) for name in sorted(excluded)]), LIMITS) if excluded else 0
    step = entry(step_excluded)
    for name in (*excluded, other):
        e, state = trie, start
        for byte in spelled(rng, name):
            e = here.call(step, e, byte) if e else 0
            state = STORE.step(state, byte) if state else 0
            assert not state or e  # what may still match is not given up
            if state and STORE.accepts(state):
                assert e == MATCHED
                break
            assert e != MATCHED
        assert (e == MATCHED) == (name in excluded)


@given(st.lists(names, max_size=6), st.randoms(use_true_random=False))
@examples(100)
def test_equal_names_have_one_number(read: list[str], rng: random.Random) -> None:
    """However they are spelled; and the numbers of an activation are sorted."""
    here, data, known = session(), 0, set[str]()
    for name in read:
        text = here._record(t.READ, (-1 - (5 | t.NAME_TERMINAL), 0))
        for byte in spelled(rng, name) + b" :":
            text = here._record(t.READ, (text, byte))
        data = here.call(entry(values.value_of), text, data)
        known.add(name)
        numbers = here._numbers_in(data)
        assert numbers == sorted(numbers) and len(numbers) == len(known)
        at, meant = here.tables["meaning_at"], here.tables["meaning"]
        assert {meant[at[n] : at[n + 1]].tobytes().decode() for n in numbers} == known
