"""Token sets: what tokens do to a lexer, against what the definition of terminals says of each of them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import expressions as ref
from strategies import GRAMMAR_ALPHABET, LETTERS, examples, plain, terminals, vocabularies

from constrain import Limits, Vocabulary
from constrain import terminals as sets
from constrain.automata.lexer import Lexer
from constrain.automata.store import EMPTY, ExpressionStore, Forest
from constrain.ir import expr as ir
from constrain.ir.grammar import Terminal
from constrain.masks import add
from constrain.terminals import TokenForest, TokenSet, TokenSets

LIMITS = Limits()
Tail = tuple[int, bytes]
"""A token, and what is left of it where a terminal has ended."""


def can_complete(machine: ref.Formula) -> bool:
    return ref.completes(machine, LETTERS, limit=3000)


class Setting:
    """Some terminals before which some bytes have been read, in the engine and in its slow twin."""

    def __init__(self, drawn: list[Terminal], vocabulary: Vocabulary, read: bytes, longest: bool) -> None:
        self.store, self.vocabulary, self.longest = ExpressionStore(), vocabulary, longest
        nodes = [self.store.build(ir.Closed(one.expr), LIMITS) for one in drawn]
        self.lexer = Lexer(self.store, longest, dict.fromkeys(nodes, 0), LIMITS)
        machines = {n: ref.start(plain(ir.Closed(one.expr))) for n, one in zip(nodes, drawn, strict=True)}
        self.node = self.store.scan(self.lexer.start(frozenset(nodes)), EMPTY, read, longest, LIMITS).node
        self.machines = {n: ref.step_all(machine, read) for n, machine in machines.items()}
        self.sets = TokenSets(vocabulary, self.lexer, LIMITS)

    def shunned(self) -> tuple[int, dict[int, ref.Formula]]:
        """What is to be shunned if a terminal has ended here."""
        return self.lexer.settled(self.node), self.machines

    def found(self, made: TokenSet, forest: TokenForest) -> tuple[set[int], set[tuple[tuple[int, ...], Tail]]]:
        """A token set by tokens: those inside, and those that cross with the terminals that end."""
        words = np.zeros(self.sets.width, np.uint32)
        if made.inside is not None:
            add(words, made.inside)
        inside = set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())
        crossing = set()
        for marks, _, part in made.crossings:
            for tail in tails(part.trees):
                crossing.add((self.store.ends(marks, LIMITS), tail))
        return inside, crossing


def tails(forest: Forest) -> list[Tail]:
    """The tokens of a forest, and the bytes from the edges into its roots on."""
    found, trie = [], forest.trie
    for root in forest.roots.tolist():
        base, path = int(trie.depth[root]) - 1, bytearray()
        for node in range(root, int(trie.skip[root])):
            del path[int(trie.depth[node]) - 1 - base :]
            path.append(int(trie.byte[node]))
            for token in trie.order[trie.first[node] : trie.first[node + 1]].tolist():
                found.append((token, bytes(path)))
    return found


def expected(
    setting: Setting, follows: Callable[[int], bool] = lambda byte: True
) -> tuple[set[int], set[tuple[tuple[int, ...], Tail]]]:
    inside, crossing = set(), set()
    for token in range(setting.vocabulary.size):
        data = setting.vocabulary.token_bytes(token)
        if not data:
            continue
        stays, crosses = ref.lex_ref(setting.machines, data, setting.longest, can_complete)
        if stays:
            inside.add(token)
        crossing |= {(tuple(sorted(ending)), (token, data[at:])) for at, ending in crosses if follows(data[at])}
    return inside, crossing


settings = st.builds(
    Setting,
    st.lists(terminals, min_size=1, max_size=4),
    vocabularies(alphabet=GRAMMAR_ALPHABET),
    st.sampled_from([b"", b"", b"a", b"b", b"ab", "é".encode()[:1]]),
    st.booleans(),
)


def both(setting: Setting, ask: Callable[[int, TokenForest], TokenSet | None]) -> tuple[set[int], set[object]]:
    """What is said of short and of long tokens together."""
    inside, crossing = set(), set()
    for node, forest in setting.sets.of_vocabulary(setting.node):
        made = ask(node, forest)
        assert made is not None and not made.undecided
        more = setting.found(made, forest)
        inside |= more[0]
        crossing |= more[1]
    return inside, crossing


@examples(200)
@given(settings)
def test_tokens_stay_inside_or_cross(setting: Setting) -> None:
    if setting.node != EMPTY:
        assert both(setting, lambda node, forest: setting.sets.of(node, EMPTY, forest)) == expected(setting)


@examples(100)
@given(settings, st.sets(st.sampled_from(sorted(set(GRAMMAR_ALPHABET.encode())))))
def test_tokens_cross_where_the_next_byte_may_follow(setting: Setting, following: set[int]) -> None:
    bits = sum(1 << byte for byte in following)

    def ask(node: int, forest: TokenForest) -> TokenSet:
        return setting.sets.narrow(node, EMPTY, forest, lambda marks: bits)

    if setting.node != EMPTY:
        assert both(setting, ask) == expected(setting, following.__contains__)


@examples(60)
@given(settings)
def test_too_many_crossings_are_left_to_what_follows(setting: Setting) -> None:
    """`of` gives up, `narrow` says the same as if it had not."""
    if setting.node == EMPTY:
        return
    before, sets._MANY = sets._MANY, 0
    try:
        gave_up = [setting.sets.of(node, EMPTY, forest) for node, forest in setting.sets.of_vocabulary(setting.node)]
    finally:
        sets._MANY = before
    assert any(made is None for made in gave_up) == bool(expected(setting)[1])
    anything = (1 << 256) - 1
    narrowed = both(setting, lambda node, forest: setting.sets.narrow(node, EMPTY, forest, lambda marks: anything))
    assert narrowed == expected(setting)


@examples(100)
@given(settings, st.lists(st.text(GRAMMAR_ALPHABET, max_size=5).map(str.encode), min_size=1, max_size=5))
def test_scan_is_its_twin(setting: Setting, texts: list[bytes]) -> None:
    for text in texts if setting.node != EMPTY else []:
        scanned = setting.store.scan(setting.node, EMPTY, text, setting.longest, LIMITS)
        stays, crosses = ref.lex_ref(setting.machines, text, setting.longest, can_complete) if text else (True, set())
        assert (scanned.node != EMPTY) == stays
        assert {(at, setting.store.ends(marks, LIMITS)) for at, marks, _ in scanned.crossings} == {
            (at, tuple(sorted(ending))) for at, ending in crosses
        }


@examples(100)
@given(settings, st.integers(0, 2**32))
def test_what_is_shunned_is_never_read_to_its_end(setting: Setting, seed: int) -> None:
    """After a terminal has ended, in a lexer of the same terminals: whatever the form of what is shunned."""
    if setting.node == EMPTY:
        return
    rng = random.Random(seed)
    node = setting.lexer.start(frozenset(setting.machines))
    settled = setting.lexer.settled(setting.node)
    for _ in range(8):
        text = "".join(rng.choices(GRAMMAR_ALPHABET, k=rng.randint(1, 5))).encode()
        met = any(
            ref.ends(ref.step_all(machine, text[:n]))
            for machine in setting.machines.values()
            for n in range(1, len(text) + 1)
        )
        plainly, after = (setting.store.scan(node, away, text, False, LIMITS) for away in (EMPTY, settled))
        raw = setting.store.scan(node, setting.node, text, False, LIMITS)
        assert (raw.node, raw.crossings == ()) == (after.node, after.crossings == ())
        read = 0 if plainly.node == EMPTY else len(text)
        assert (after.node != EMPTY) == (read == len(text) and not met)
