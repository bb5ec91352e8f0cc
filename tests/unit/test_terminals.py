"""Inner and crossing tokens of a terminal, against their definition, and the masks that follow from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrain import Limits, Vocabulary
from constrain.automata.store import ANYTHING, ExpressionStore
from constrain.frontends.regex import parse_regex
from constrain.ir.expr import Closed, Concat
from constrain.terminals import TerminalSets, mask_before, terminal_sets

TERMINALS = ["a*", "[ab]+", '"[^"]*"', "(ab)*", "a|ab|abc", "x{2,4}", ".{0,3}é"]
RESTS = ["b+", '[, ]"', "c|bc", "a", ".*", "é?x"]
LIMITS = Limits()


def bits(words: np.ndarray) -> set[int]:
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())


def crossings(sets: TerminalSets, vocabulary: Vocabulary) -> set[tuple[int, bytes]]:
    found = set()
    for i in range(len(sets.first) - 1):
        tokens = sets.tokens[sets.first[i] : sets.first[i + 1]].tolist()
        (node,) = [n for n in range(len(sets.remainders.byte)) if i in ids_at(sets, n)]
        found |= {(token, path_to(sets, node)) for token in tokens}
    return found


def ids_at(sets: TerminalSets, node: int) -> list[int]:
    trie = sets.remainders
    return trie.order[trie.first[node] : trie.first[node + 1]].tolist()


def path_to(sets: TerminalSets, node: int) -> bytes:
    trie, path = sets.remainders, b""
    for i in range(1, node + 1):
        if i <= node < trie.skip[i]:
            path += bytes([trie.byte[i]])
    return path


vocabularies = st.lists(st.text('ab"xé, c', min_size=1, max_size=5).map(str.encode), min_size=1, max_size=25).map(
    lambda tokens: Vocabulary.from_tokens([*tokens, "é".encode()[:1], b"ab" * 9, b'"' * 17 + b",", None], eos_ids=[])
)


@settings(deadline=None, max_examples=60)
@given(vocabularies, st.sampled_from(TERMINALS), st.sampled_from(RESTS), st.sampled_from([b"", b"a", b'"', b"x"]))
def test_sets_are_as_defined(vocabulary: Vocabulary, terminal: str, rest: str, prefix: bytes) -> None:
    store = ExpressionStore()
    start = store.advance(store.build(parse_regex(terminal), LIMITS), prefix, LIMITS)
    if start.read < len(prefix):
        return
    sets = terminal_sets(store, start.node, vocabulary, LIMITS)
    inner, crossing = set(), set()
    for token in range(vocabulary.size):
        data = vocabulary.token_bytes(token)
        for n in range(1, len(data) + 1):
            reached = store.advance(start.node, data[:n], LIMITS)
            if reached.read == n == len(data):
                inner.add(token)
            elif reached.read == n and store.is_nullable(reached.node):
                crossing.add((token, data[n:]))
    assert bits(sets.inner) == inner
    assert crossings(sets, vocabulary) == crossing


@settings(deadline=None, max_examples=60)
@given(vocabularies, st.sampled_from(TERMINALS), st.sampled_from(RESTS), st.sampled_from([b"", b"a", b'"', b"x"]))
def test_the_mask_of_a_sequence_follows(vocabulary: Vocabulary, terminal: str, rest: str, prefix: bytes) -> None:
    """For a terminal that cannot end here: one that can lets the rest begin at once, which is up to the grammar."""
    store = ExpressionStore()
    start = store.advance(store.build(parse_regex(terminal), LIMITS), prefix, LIMITS)
    if start.read < len(prefix) or store.is_nullable(start.node):
        return
    after = store.build(parse_regex(rest), LIMITS)
    both = store.build(Concat((Closed(parse_regex(terminal)), Closed(parse_regex(rest)))), LIMITS)
    expected = np.zeros((vocabulary.size + 31) // 32, np.uint32)
    for trie in (vocabulary.near_trie, vocabulary.far_trie):
        store.walk(store.advance(both, prefix, LIMITS).node, ANYTHING, trie, expected, LIMITS)
    sets = terminal_sets(store, start.node, vocabulary, LIMITS)
    assert bits(mask_before(sets, store, after, LIMITS)) == bits(expected)


@pytest.mark.data
def test_few_remainders_inside_of_a_json_string(data_dir: Path) -> None:
    vocabulary = Vocabulary.from_pretrained(data_dir / "tokenizers" / "llama3")
    store = ExpressionStore()
    string = store.build(parse_regex(r'"([^"\\\x00-\x1f]|\\["\\/bfnrt])*"'), LIMITS)
    inside = store.advance(string, b'"', LIMITS).node
    sets = terminal_sets(store, inside, vocabulary, LIMITS)
    assert len(bits(sets.inner)) > 100 * len(sets.tokens) / 2
    assert len(sets.first) - 1 < len(set(sets.tokens.tolist()))
