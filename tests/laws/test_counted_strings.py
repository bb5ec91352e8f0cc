"""Token sets of JSON strings of bounded length, against counting the characters of every text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from amounts import examples
from hypothesis import given
from hypothesis import strategies as st
from reference.token_sets import counted, counted_set
from test_token_sets import decoded

from constrain import Vocabulary
from constrain.automata.dfa import DfaStore
from constrain.engine import tables as t
from constrain.engine.counted_strings import count_step
from constrain.engine.vocabulary_tables import VocabularyTables
from constrain.ir.expr import Concat, Literal
from constrain.jit import entry, unit
from constrain.specs.json_schema.text import BODY

BYTES = [b"a", b"b", b'"', b"\\", b"u", b"0", b"d8", b"3", b"dc00", b"\\n", b"\\u00e9", b"\\ud83d\\ude00", b", ", b"\n"]
PIECES = [*BYTES, "é".encode(), "€".encode(), "😀".encode(), b"\xc3", b"\xa9", b"\xe2\x82", b"\x80"]


@unit
def step_counts(vocabulary, q, led, x):
    """Call the helper."""
    return count_step(vocabulary, q, led, x)


class Strings:
    """The plain JSON string, and a vocabulary."""

    def __init__(self, tokens: list[bytes], vocabulary: Vocabulary | None = None) -> None:
        self.tokens, self.dfas = tokens, DfaStore()
        self.tables = VocabularyTables(vocabulary or Vocabulary.from_tokens(tokens))
        quote = Literal(b'"')
        self.start = self.dfas.start(Concat((quote, BODY, quote)))
        self.body = self.dfas.step(self.start, ord('"'))
        self.end = self.dfas.step(self.body, ord('"'))
        self.tables.name_string(self.start, self.body, self.end)

    def read(self, text: bytes, fewest: int, most: int) -> tuple[int, int] | None:
        """The state after a text, with the bounds that are left, packed; None if it cannot be read."""
        q, x = self.start, t.COUNTED_STRING | fewest << 24 | most
        for byte in text:
            led = self.dfas.step(q, byte)
            if led == 0:
                return None
            x = entry(step_counts)(self.tables.block, q, led, x)
            if x < 0:
                return None
            q = led
        return q, x

    def index(self, q: int, x: int) -> int:
        """The token set of a state and bounds."""
        bounds = (x >> 24) & t.UNBOUNDED, x & t.UNBOUNDED
        while (found := self.tables.counted_set(self.dfas.block, q, *bounds)) < 0:
            self.dfas.grow(found)
        return found


def tokens_by(seed: int, number: int) -> list[bytes]:
    """Random tokens of pieces of strings."""
    source = random.Random(seed)
    made = [b"".join(source.choices(PIECES, k=source.choice([1, 1, 2, 3, 5, 8]))) for _ in range(number)]
    return [*made, b'"', b"a", b"aaaaaaaaaaaaaaaaaaaaaa"]


BOUNDS = st.tuples(st.integers(0, 8), st.one_of(st.integers(0, 12), st.just(40), st.just(t.UNBOUNDED)))


@examples(150)
@given(st.integers(0, 1 << 30), st.integers(0, 300), st.lists(st.sampled_from(PIECES), max_size=5), st.lists(BOUNDS))
def test_counted_sets_are_those_of_texts_of_that_length(
    seed: int, number: int, pieces: list[bytes], several: list[tuple[int, int]]
) -> None:
    """Reading ends where the bounds say so, and the set holds the tokens that count to within what is left."""
    strings, before = Strings(tokens_by(seed, number)), b'"' + b"".join(pieces)
    for text in (b"", b'"', before):
        for fewest, most in [(0, 3), *several]:
            if fewest > most:
                continue
            found, reached = counted(text), strings.read(text, fewest, most)
            fits = found is not None and found.characters + found.begun <= most
            if found is not None and found.rest is not None:
                fits = fits and not found.rest and found.characters >= fewest
            assert (reached is not None) == fits
            if reached is not None and (found is None or found.rest is None):
                expected = counted_set(text, strings.tokens, fewest, most)
                index = strings.index(*reached)
                assert decoded(strings.tables, index) == expected
                assert strings.index(*reached) == index


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "llama3"])
def test_counted_sets_of_real_tokenizers(name: str, data_dir: Path) -> None:
    """Common bounds in common places."""
    folder = data_dir / "tokenizers" / name
    if not folder.exists():
        pytest.skip(f"no tokenizer {name}")
    vocabulary = Vocabulary.from_pretrained(folder)
    strings = Strings([vocabulary.token_bytes(n) for n in range(vocabulary.size)], vocabulary)
    for text in (b"", b'"', b'"ab\\', b'"\\u00'):
        for fewest, most in ((0, 10), (3, 60), (12, t.UNBOUNDED)):
            reached = strings.read(text, fewest, most)
            assert reached is not None
            assert decoded(strings.tables, strings.index(*reached)) == counted_set(text, strings.tokens, fewest, most)
