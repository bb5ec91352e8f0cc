"""The law of the project, mask(state) == {t : accepts(t)}, and what else must hold of a matcher at every step."""

from __future__ import annotations

import gc
import itertools
import random
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from amounts import slow
from hypothesis import assume, example, given
from hypothesis import strategies as st
from matchers import accepted, mask_of, reachable, walk
from reference import expressions as ref
from strategies import ALPHABET, LETTERS, Denoting, examples, expressions, leaves, plain, repeats, vocabularies

import constrain
from constrain import Compiler, Limits, Matcher, Spec, UnsatisfiableError, Vocabulary, VocabularyError, regex
from constrain.engine.space import EarleySpace
from constrain.ir import expr as ir

LIMITS = Limits(search=20_000)
OVER = OverflowError


@dataclass
class Reference:
    """What the definitions say about a constraint and a vocabulary."""

    vocabulary: Vocabulary
    start: ref.Formula

    def __post_init__(self) -> None:
        self.tokens = [self.vocabulary.token_bytes(token) for token in range(self.vocabulary.size)]
        complete = {bytes([b]) for b in range(256)} <= set(self.tokens)
        self.moves = LETTERS if complete else [data for data in dict.fromkeys(self.tokens) if data]
        self.known: dict[ref.Formula, bool] = {}

    def at(self, tokens: list[int]) -> ref.Formula:
        return ref.step_all(self.start, b"".join(self.tokens[token] for token in tokens))

    def can_complete(self, machine: ref.Formula) -> bool:
        """Whether tokens can bring the output to an end from here."""
        if machine not in self.known:
            self.known[machine] = ref.completes(machine, self.moves, limit=1000)
        return self.known[machine]

    def mask(self, machine: ref.Formula) -> set[int]:
        text = ref.mask_ref(self.tokens, lambda data: self.can_complete(ref.step_all(machine, data)))
        return text | (set(self.vocabulary.eos_ids) if ref.ends(machine) else set())


def bind(spec: Spec, vocabulary: Vocabulary) -> Matcher:
    try:
        return Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, VocabularyError):
        assume(False)
        raise


specs = st.one_of(
    expressions(),
    expressions(),
    st.builds(ir.Concat, st.tuples(repeats(leaves(), 20), leaves())),
    st.builds(lambda e: ir.Alt((e, ir.Repeat(ir.Chars(((0, 0x10FFFF),)), 0, None))), expressions(depth=2)),
).map(Denoting)
seeds = st.integers(0, 2**32)


# ---- the law


@examples(150)
@given(specs, vocabularies(), seeds)
def test_mask_is_what_is_accepted(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    matcher = bind(spec, vocabulary)
    for _ in walk(matcher, random.Random(seed), 5):
        mask = mask_of(matcher)
        assert mask == accepted(matcher) == set(matcher.allowed_token_ids().tolist())
        assert mask == {token for token in range(vocabulary.size) if matcher.validate_tokens([token])}


@examples(200)
@given(specs, vocabularies(), seeds)
def test_mask_is_that_of_the_reference(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    reference = Reference(vocabulary, ref.start(plain(spec.expr)))
    try:
        if not reference.can_complete(reference.start):
            with pytest.raises((UnsatisfiableError, VocabularyError)):
                Compiler(vocabulary, limits=LIMITS).compile(spec)
            return
        matcher = bind(spec, vocabulary)
        for path in walk(matcher, random.Random(seed), 3):
            machine = reference.at(path)
            assert mask_of(matcher) == reference.mask(machine), path
            assert matcher.is_accepting() == ref.ends(machine)
    except OVER:
        assume(False)


@examples(100)
@given(specs, vocabularies(), seeds)
def test_the_output_ends_where_it_may(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    matcher = bind(spec, vocabulary)
    silent = {token for token in range(vocabulary.size) if not vocabulary.token_bytes(token)} - set(vocabulary.eos_ids)
    for path in walk(matcher, random.Random(seed), 4):
        mask = mask_of(matcher)
        assert not mask & silent
        assert (set(vocabulary.eos_ids) <= mask) == matcher.is_accepting() or not vocabulary.eos_ids
        assert mask & set(vocabulary.eos_ids) in (set(), set(vocabulary.eos_ids))
        assert matcher.automaton.accepts(path) == matcher.is_accepting()
        assert mask or matcher.is_terminated(), "no dead end"
        assert matcher.is_terminated() == (not vocabulary.eos_ids and not mask)
        for end in vocabulary.eos_ids:
            twin = matcher.copy()
            assert twin.accept_token(end) == matcher.is_accepting()
            if matcher.is_accepting():
                assert twin.is_terminated() and twin.is_accepting()
                assert mask_of(twin) == set(vocabulary.eos_ids), "after the end, the end alone"
                assert twin.accept_tokens([end, 0]) == twin.validate_tokens([0]) == 0
                with pytest.raises(constrain.TerminatedError):
                    twin.accept_token(end)


# ---- vocabularies with everything in them, as large ones have


def varied_tokens(rng: random.Random, count: int) -> list[bytes]:
    """All bytes, and words of few alphabets: long, split within characters, with all of their prefixes, duplicated."""
    lower = "abcdefghijklmnopqrstuvwxyz"
    pools = ["ab", lower, lower.upper(), "0123456789", "0123456789abcdefABCDEF", " ", '"\\{}[]:,', "\n\t\r\x00\x1f\x7f"]
    pools += ["._-/", "éß÷ÿ", "日本語ｱ", "😀𝒳", 'a"', " é", "a日😀"]
    tokens = [bytes([b]) for b in range(256)]
    while len(tokens) < count:
        pool = rng.choice(pools) + (rng.choice(pools) if rng.random() < 0.3 else "")
        data = "".join(rng.choices(pool, k=rng.randint(1, rng.choice([1, 2, 4, 9, 30, 66, 130])))).encode()[:140]
        cut, kind = rng.randint(1, 3), rng.random()
        if kind < 0.25 and len(data) > cut:
            data = data[cut:] if kind < 0.1 else data[:-cut]
        elif kind < 0.32:
            data += bytes([rng.randrange(0x80, 0x100)])
        tokens += [data[: n + 1] for n in range(len(data))] if rng.random() < 0.2 else [data]
    rng.shuffle(tokens)
    return tokens


_CLASSES = [".", '[^"]', r'[^"\\]', "[a-z]", "[a-zA-Z0-9_]", r"\w", r"\d", r"\s", r"\S", r"\W", r"[^\x00-\x1f]"]
_CLASSES += ["[ -~]", "[0-9a-f]", "a", '"', "é", "[\x80-\U0010ffff]", "[^a]", "[^日]", "[\x80-\u07ff]", "(?s:.)"]
_COUNTS = [
    "*",
    "+",
    "?",
    "{3}",
    "{0,5}",
    "{2,63}",
    "{0,64}",
    "{0,65}",
    "{1,66}",
    "{10,70}",
    "{0,130}",
    "{100}",
    "{62,}",
]


def varied_pattern(rng: random.Random, depth: int) -> str:
    """Classes, counts around the lengths of tokens, sequences, alternatives, some assertions."""
    kind = rng.random()
    if depth == 0 or kind < 0.15:
        return rng.choice(_CLASSES)
    inner: Callable[[], str] = lambda: varied_pattern(rng, depth - 1)  # noqa: E731
    if kind < 0.5:
        return f"(?:{inner()}){rng.choice(_COUNTS[:6] if depth > 1 else _COUNTS)}"
    if kind < 0.75:
        return inner() + inner()
    if kind < 0.93:
        return f"(?:{inner()}|{inner()})"
    return rng.choice(["(?={})", "(?!{})", r"\b"]).format(inner())


@pytest.mark.parametrize("seed", [0, 1, *slow(2, 3, 4, 5)])
def test_mask_is_what_is_accepted_with_many_tokens(seed: int) -> None:
    rng = random.Random(seed)
    tokens = varied_tokens(rng, 1200)
    vocabulary = Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)])
    compiler = Compiler(vocabulary, limits=LIMITS)
    checked = 0
    for _ in range(25):
        spec: Spec = regex(varied_pattern(rng, rng.randint(1, 3)))
        try:
            matcher = compiler.compile(spec & regex(varied_pattern(rng, 2)) if rng.random() < 0.2 else spec).matcher()
            for path in walk(matcher, rng, 4):
                expected = {token for token in range(vocabulary.size) if matcher.validate_tokens([token])}
                assert mask_of(matcher) == expected, (spec, [vocabulary.token_bytes(token) for token in path])
                checked += 1
        except (UnsatisfiableError, constrain.LimitExceeded):
            continue
    assert checked > 50


# ---- vocabularies that cannot spell everything


@examples(100)
@given(specs, vocabularies(complete=False))
def test_no_dead_ends(spec: Denoting, vocabulary: Vocabulary) -> None:
    matcher = bind(spec, vocabulary)
    places, edges, all_of_them = reachable(matcher, 60)
    good = {i for i, place in enumerate(places) if place.is_accepting() or i >= len(edges)}
    while more := {i for i, leads in enumerate(edges) if leads & good} - good:
        good |= more
    assert good == set(range(len(places)))
    assert not all_of_them or any(place.is_accepting() for place in places)


def test_tokens_that_lead_to_a_dead_end_are_not_allowed() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"ab", b"bc", b"c", None], eos_ids=[4])
    matcher = Compiler(vocabulary).compile(regex("abd|abc|aab")).matcher()
    assert mask_of(matcher) == {0, 1}
    assert matcher.accept_token(0)
    assert mask_of(matcher) == {1, 2}, "b alone is no token, d is in none"
    assert matcher.accept_token(2) and mask_of(matcher) == {4}


def test_split_characters_are_put_together() -> None:
    kanji = "日".encode()
    vocabulary = Vocabulary.from_tokens([kanji[:1], kanji[1:], kanji[:2], b"a", None], eos_ids=[4])
    matcher = Compiler(vocabulary).compile(regex("[日月]a")).matcher()
    assert mask_of(matcher) == {0}, "what ends after two bytes cannot be continued"
    assert matcher.accept_tokens([0, 1, 3]) == 3 and mask_of(matcher) == {4}


# ---- forced bytes and tokens


@examples(80)
@given(specs, vocabularies(), seeds)
def test_what_is_forced(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    matcher = bind(spec, vocabulary)
    reference = Reference(vocabulary, ref.start(plain(spec.expr)))
    complete = vocabulary.units is None
    try:
        for path in walk(matcher, random.Random(seed), 2):
            forced, tokens = matcher.forced_bytes(), matcher.forced_tokens()
            assert (list(path), matcher.num_accepted) == (path, len(path)), "asking moves nothing"
            machine = reference.at(path)
            for byte in forced:
                assert not ref.ends(machine)
                others = [move for move in LETTERS if move[0] != byte]
                assert not any(ref.completes(ref.step_all(machine, move), LETTERS, 500) for move in others)
                machine = ref.step(machine, byte)
            following = [move for move in LETTERS if ref.completes(ref.step_all(machine, move), LETTERS, 500)]
            assert not complete or ref.ends(machine) or len(following) > 1, "nothing more is forced"
            twin = matcher.copy()
            for token in tokens:
                assert mask_of(twin) == {token} and not twin.is_accepting()
                assert twin.accept_token(token)
            assert twin.is_accepting() or len(mask_of(twin)) > 1
    except OVER:
        assume(False)


def test_forced_examples() -> None:
    vocabulary = Vocabulary.from_tokens([bytes([b]) for b in range(256)] + [b"abc", None], eos_ids=[257])
    matcher = Compiler(vocabulary).compile(regex("abc(d|é)x?|abcè")).matcher()
    assert matcher.forced_bytes() == b"abc"
    assert matcher.forced_tokens() == [], "abc can be cut in two ways"
    assert matcher.accept_token(256) and matcher.forced_bytes() == b""
    assert matcher.accept_token(0xC3) and matcher.forced_tokens() == []
    assert matcher.accept_token(0xA8) and matcher.is_accepting() and matcher.forced_bytes() == b""
    twice = Compiler(vocabulary).compile(regex("x{5}y*")).matcher()
    assert (twice.forced_bytes(), twice.forced_tokens()) == (b"xxxxx", [ord("x")] * 5)


# ---- moving about


class Model:
    """What a matcher is, without any state but the tokens read: everything is replayed from the start."""

    def __init__(self, start: Matcher, path: list[int]) -> None:
        self.start, self.path = start, path

    def replayed(self) -> Matcher:
        matcher = self.start.automaton.matcher()
        for token in self.path:
            assert matcher.accept_token(token)
        return matcher


@examples(100)
@given(specs, vocabularies(), seeds)
def test_moving_about_equals_replay(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    rng = random.Random(seed)
    first = bind(spec, vocabulary)
    pairs = [(first, Model(first, []))]
    for _ in range(25):
        matcher, model = rng.choice(pairs)
        some = [rng.choice([*sorted(mask_of(matcher)), rng.randrange(vocabulary.size)]) for _ in range(3)]
        kind = rng.randrange(8)
        if kind < 3 and not matcher.is_terminated():
            if matcher.accept_token(some[0]):
                model.path.append(some[0])
        elif kind == 3:
            model.path += some[: matcher.accept_tokens(some)]
        elif kind == 4:
            valid = matcher.validate_tokens(some)
            assert valid == matcher.copy().accept_tokens(some)
        elif kind == 5:
            count = rng.randint(0, matcher.num_accepted)
            matcher.rollback(count)
            model.path = model.path[: len(model.path) - count]
        elif kind == 6 and len(pairs) < 4:
            pairs.append((matcher.copy(), Model(first, list(model.path))))
        elif kind == 7 and rng.random() < 0.3:
            matcher.reset()
            model.path = []
        for one, its in pairs:
            again = its.replayed()
            assert one.num_accepted == len(its.path) == again.num_accepted
            assert mask_of(one) == mask_of(again)
            assert (one.is_accepting(), one.is_terminated()) == (again.is_accepting(), again.is_terminated())


@examples(60)
@given(specs, vocabularies(), seeds)
def test_a_cached_mask_is_the_one_made_afresh(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    rng = random.Random(seed)
    matcher = bind(spec, vocabulary)
    masks = [(list(path), mask_of(matcher)) for path in walk(matcher, rng, 4)]
    again = bind(spec, vocabulary)
    assert again.automaton is matcher.automaton or again.automaton.space is matcher.automaton.space
    constrain.clear_caches()
    for path, mask in masks:
        fresh = bind(spec, vocabulary)
        assert fresh.automaton.space is not matcher.automaton.space
        assert fresh.accept_tokens(path) == len(path) and mask_of(fresh) == mask
        matcher.reset()
        assert matcher.accept_tokens(path) == len(path) and mask_of(matcher) == mask, "automata in use keep working"


@pytest.mark.parametrize("limits", [Limits(mask_cache_bytes=1), Limits(transition_cache=1), Limits(transition_cache=7)])
def test_small_caches_cost_time_only(limits: Limits) -> None:
    vocabulary = Vocabulary.from_tokens([*varied_tokens(random.Random(1), 600), None], eos_ids=[])
    spec = regex("(?:[a-z]{0,9}[é日]|[0-9]+,){1,5}")
    roomy, tight = (Compiler(vocabulary, limits=each).compile(spec).matcher() for each in (Limits(), limits))
    for seed in range(5):
        roomy.reset()
        tight.reset()
        for path in walk(roomy, random.Random(seed), 6):
            assert not path or tight.accept_token(path[-1])
            assert mask_of(tight) == mask_of(roomy)


def test_what_is_remembered_is_bounded() -> None:
    """Steps held by an automaton, however long it is used, stay within the limit (and the start, which is in use)."""
    vocabulary = Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    automaton = Compiler(vocabulary, limits=Limits(transition_cache=50)).compile(regex("[a-z]{1,4000}"))
    rng = random.Random(4)

    def held() -> int:
        seen, stack, steps = {id(automaton.start)}, [automaton.start], 0
        while stack:
            state = stack.pop()
            steps += len(state.next)
            for following in state.next.values():
                if id(following) not in seen:
                    seen.add(id(following))
                    stack.append(following)
        return steps

    for _ in range(400):
        matcher = automaton.matcher()
        for _ in range(rng.randint(1, 60)):
            assert matcher.accept_token(rng.randrange(97, 123))
    assert held() <= 2 * 50


def test_automata_that_are_remembered_are_bounded() -> None:
    """By memory, if they come to much; those in use keep working."""
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    compiler = Compiler(vocabulary, limits=Limits(automata_bytes=200_000))
    specs = [constrain.json_schema({"properties": {f"name{n}": {"type": "integer"}}}) for n in range(64)]
    text = list(b'{"name0": 10}')
    first = compiler.compile(specs[0])
    for spec in specs:
        compiler.compile(spec).accepts(text)
    assert compiler.compile(specs[-1]) is compiler.compile(specs[-1])
    assert first.accepts(text) and compiler.compile(specs[0]) is not first
    assert compiler.compile(specs[0]).accepts(text)


@pytest.mark.parametrize(
    "spec",
    [
        constrain.json_schema({"properties": {"a": {"type": "array"}}, "required": ["b"]}),
        constrain.json_schema({"type": "object"}) & constrain.length(tokens=(None, 90)),
        constrain.json_schema({"type": "object"}) & regex(r'\{"[ab].*'),
        constrain.grammar('start: "a" start "b" | "c"'),
    ],
)
def test_a_heavy_automaton_that_is_let_go_leaves_nothing_behind(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for the garbage collector to find: what a large schema holds is hundreds of megabytes."""
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    monkeypatch.setattr("constrain.automaton._HEAVY", 0)
    gc.disable()
    try:
        automaton = Compiler(vocabulary).compile(spec)  # nobody holds the compiler
        matcher = automaton.matcher()
        for _ in range(3):
            matcher.accept_token(int(matcher.allowed_token_ids()[0]))
        space = automaton.space
        grammar_space: Any = getattr(space, "grammar", None) or getattr(space, "inner", space)
        grammar_space = getattr(grammar_space, "grammar", grammar_space)
        flat = isinstance(grammar_space, EarleySpace)
        grammar = grammar_space.session.lowering.grammar if flat else grammar_space._grammar
        held = [weakref.ref(grammar_space.session.lowering.network if flat else grammar_space.network)]
        if grammar.source is not None:
            held.append(weakref.ref(grammar.source))
        del automaton, matcher, space, grammar_space, grammar
        assert [each() for each in held] == [None] * len(held)
    finally:
        gc.enable()


# ---- the first space


class Decoded:
    """What a SentencePiece tokenizer makes of tokens: their bytes, less one space in front."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __call__(self, tokens: tuple[int, ...]) -> bytes:
        return b"".join(map(self.vocabulary.token_bytes, tokens)).removeprefix(b" ")


SPACED = ["a+", " a", " *a*", "(?: a)+", " ?a ", "", "  a", "(?!  ).*", r"\ba\b.*", "(?<! )a ?", "^ ?$", "[^ ]*"]


@pytest.mark.parametrize("pattern", SPACED)
@pytest.mark.parametrize("spaces", [[b" ", b"a", b" a"], [b" ", b"a"], [b" a", b"a", b"  "], [b" a", b"a"]])
def test_one_space_in_front_is_dropped_in_decoding(pattern: str, spaces: list[bytes]) -> None:
    vocabulary = Vocabulary.from_tokens([*spaces, b"b", None], eos_ids=[len(spaces) + 1], strips_leading_space=True)
    plain_vocabulary = Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    constraint = Compiler(plain_vocabulary).compile(regex(pattern))
    decoded = Decoded(vocabulary)
    outputs = [tokens for n in range(5) for tokens in itertools.product(range(len(spaces) + 1), repeat=n)]
    good = {tokens for tokens in outputs if constraint.accepts(list(decoded(tokens)))}
    try:
        automaton = Compiler(vocabulary).compile(regex(pattern))
    except VocabularyError:
        assert not good
        return
    assert {tokens for tokens in outputs if automaton.accepts(tokens)} == good
    for tokens in sorted(good)[:20]:
        assert automaton.matcher().accept_tokens(tokens) == len(tokens)


@examples(80)
@given(expressions(depth=2), st.lists(st.sampled_from([b" ", b"a", b" a", b"b", b"  "]), min_size=1, unique=True))
@example(ir.Look(ir.Chars(((0, 0x10FFFF),)), True, True), [b" "])
def test_first_space_and_any_expression(expr: ir.Expr, tokens: list[bytes]) -> None:
    vocabulary = Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)], strips_leading_space=True)
    decoded, machine = Decoded(vocabulary), ref.start(plain(ir.Closed(expr)))
    automaton = bind(Denoting(expr), vocabulary).automaton
    for n in range(4):
        for output in itertools.product(range(len(tokens)), repeat=n):
            expected = ref.ends(ref.step_all(machine, decoded(output)))
            assert automaton.accepts(output) == expected, decoded(output)


# ---- batches


@examples(40)
@given(st.lists(specs, min_size=1, max_size=4), vocabularies(), seeds)
def test_a_batch_is_its_rows(several: list[Denoting], vocabulary: Vocabulary, seed: int) -> None:
    rng = random.Random(seed)
    matchers: list[Matcher | None] = [None]
    for spec in several:
        matcher = bind(spec, vocabulary)
        for _ in walk(matcher, rng, rng.randint(0, 3)):
            pass
        matchers.append(matcher)
    rng.shuffle(matchers)
    mask = constrain.allocate_bitmask(len(matchers) + 1, vocabulary.size)
    mask[:] = 77
    constrain.fill_bitmasks(matchers, mask)
    for row, matcher in enumerate(matchers):
        expected = constrain.allocate_bitmask(1, vocabulary.size)
        expected[:] = -1
        if matcher is not None:
            matcher.fill_bitmask(expected)
        assert (mask[row] == expected[0]).all()
    assert (mask[-1] == 77).all(), "rows beyond the matchers are left alone"


# ---- explanations


@examples(60)
@given(specs, vocabularies(), seeds)
def test_explanations_agree_with_the_mask(spec: Denoting, vocabulary: Vocabulary, seed: int) -> None:
    matcher = bind(spec, vocabulary)
    reference = Reference(vocabulary, ref.start(plain(spec.expr)))
    letters = {move[0] for move in LETTERS}
    try:
        for path in walk(matcher, random.Random(seed), 1):
            mask, here = mask_of(matcher), reference.at(path)
            for token in random.Random(seed).sample(range(vocabulary.size), min(6, vocabulary.size)):
                told = matcher.explain(token)
                data = vocabulary.token_bytes(token)
                assert (told.token, told.data, told.allowed) == (token, data, token in mask)
                assert (
                    str(told) == told.reason and ("is not allowed" in told.reason) == (not told.allowed)
                ) or not data
                alive = [n for n in range(len(data) + 1) if ref.completes(ref.step_all(here, data[:n]), LETTERS, 500)]
                assert told.dies_at == (None if len(alive) == len(data) + 1 else alive[-1])
                stop = ref.step_all(here, data[: alive[-1]])
                following = {move[0] for move in LETTERS if ref.completes(ref.step_all(stop, move), LETTERS, 500)}
                assert set(told.expected) & letters == following
                assert list(told.expected) == sorted(set(told.expected))
                assert not told.allowed or told.dies_at is None
                if told.dies_at is not None:
                    assert data[told.dies_at] not in told.expected
                    assert f"byte {told.dies_at} " in told.reason
            assert matcher.num_accepted == len(path), "explaining moves nothing"
    except OVER:
        assume(False)


def test_explanations_in_words() -> None:
    vocabulary = Vocabulary.from_tokens([b"a", b"ab", b"ac", b"b", None, None], eos_ids=[4])
    matcher = Compiler(vocabulary).compile(regex("abb?")).matcher()
    assert str(matcher.explain(1)) == "token 1 b'ab' is allowed"
    assert str(matcher.explain(2)) == "token 2 b'ac' is not allowed: byte 1 ('c') cannot stand there; it could be 'b'"
    assert str(matcher.explain(4)) == "token 4 ends the output, which must not end here; next could be 'a'"
    assert "spells no text" in str(matcher.explain(5))
    assert matcher.accept_tokens([1, 3]) == 2
    assert str(matcher.explain(3)).endswith("cannot stand there; the text is complete")
    assert str(matcher.explain(4)) == "token 4 ends the output, which may end here"
    assert matcher.accept_token(4)
    assert str(matcher.explain(0)) == "token 0 is not allowed: the output has ended"
    stuck = Compiler(vocabulary).compile(regex("acd|ab")).matcher()
    assert "no tokens of the vocabulary spell what would have to follow" in str(stuck.explain(2))


def test_the_alphabet_of_these_tests_covers_every_length_of_a_character() -> None:
    assert {len(char.encode()) for char in ALPHABET} == {1, 2, 3}
