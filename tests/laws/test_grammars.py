"""Grammars: the engine against the definition, and the laws of a matcher at every state that tokens lead to."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from matchers import accepted, mask_of, reachable, walk
from reference.recogniser import recognises
from strategies import GRAMMAR_ALPHABET, Deriving, examples, grammars, terminal, texts_for, vocabularies

import constrain
from constrain import Compiler, LimitExceeded, Limits, Matcher, UnsatisfiableError, Vocabulary, VocabularyError
from constrain.errors import SpecTypeError
from constrain.ir import expr as ir
from constrain.ir.grammar import Bits, Body, Call, Count, Either, Grammar, Many, Rule, Seq
from constrain.specs.lark import parse_lark

LIMITS = Limits(search=20_000)
BYTES = Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], None], eos_ids=[256])
LETTERS = [bytes([b]) for b in sorted(set(GRAMMAR_ALPHABET.encode()))]
PIECES = [*LETTERS, b"ab", b"ba", b"aa", b"bb", b"a ", b" b", "é".encode(), "aé".encode(), "éb".encode()[1:], b"aabab"]
SMALL = Vocabulary.from_tokens([*PIECES, None], eos_ids=[len(PIECES)])
"""Everything over the alphabet of the random grammars, and tokens that cross terminals."""

SPELT = [bytes(text) for n in range(1, 6) for text in itertools.product(b"ab ", repeat=n)]
THICK = Vocabulary.from_tokens([*SPELT, *PIECES, None], eos_ids=[len(SPELT) + len(PIECES)])
"""The same with all texts of up to five letters, so that many tokens begin alike, and tokens that are spelled alike."""


def bind(grammar: Grammar, vocabulary: Vocabulary, limits: Limits = LIMITS) -> Matcher:
    """A matcher; the example is left out if the grammar denotes nothing, or nothing that tokens spell."""
    try:
        return Compiler(vocabulary, limits=limits).compile(Deriving(grammar)).matcher()
    except (UnsatisfiableError, VocabularyError):
        assume(False)
        raise


def cut(text: bytes, vocabulary: Vocabulary, rng: random.Random) -> list[int] | None:
    """The text in tokens, at random; None where that led nowhere."""
    tokens, at = [], 0
    while at < len(text):
        fitting = [
            token
            for token in range(vocabulary.size)
            if (data := vocabulary.token_bytes(token)) and text.startswith(data, at)
        ]
        if not fitting:
            return None
        tokens.append(rng.choice(fitting))
        at += len(vocabulary.token_bytes(tokens[-1]))
    return tokens


def outputs(vocabulary: Vocabulary, most: int) -> Iterator[tuple[int, ...]]:
    """All sequences of up to some number of tokens that spell text."""
    spelling = [token for token in range(vocabulary.size) if vocabulary.token_bytes(token)]
    for n in range(most + 1):
        yield from itertools.product(spelling, repeat=n)


def decoded(vocabulary: Vocabulary, tokens: Sequence[int]) -> bytes:
    """What a tokenizer makes of tokens."""
    text = b"".join(map(vocabulary.token_bytes, tokens))
    return text.removeprefix(b" ") if vocabulary.strips_leading_space else text


def with_texts(**kinds: Any) -> st.SearchStrategy[tuple[Grammar, list[bytes]]]:
    """A grammar, and texts of it and near it."""
    return grammars(**kinds).flatmap(lambda grammar: texts_for(grammar).map(lambda texts: (grammar, texts)))


def has_ends(grammar: Grammar) -> bool:
    """Whether each rule denotes something, tests of registers considered."""
    ending: set[Hashable] = set()

    def through(body: Body, registers: set[int]) -> set[int]:
        match body:
            case Call(rule):
                return registers if rule in ending else set()
            case Seq(parts):
                for part in parts:
                    registers = through(part, registers)
                return registers
            case Either(parts):
                return set().union(*(through(part, registers) for part in parts))
            case Many(inner, low, high):
                return repeated(inner, low, high, registers)
            case Bits() | Count():
                return {after for register in registers if (after := body.apply(register)) is not None}
        return registers

    def repeated(inner: Body, low: int, high: int | None, registers: set[int]) -> set[int]:
        result: set[int] = set()
        for n in range(low + 20 if high is None else high + 1):
            result |= registers if n >= low else set()
            registers = through(inner, registers)
        return result

    while more := {name for name, rule in grammar.rules.items() if through(rule.body, {rule.register})} - ending:
        ending |= more
    return ending == set(grammar.rules)


seeds = st.integers(0, 2**32)
counting = grammars(longest=False, actions=True).filter(has_ends)
any_grammars = grammars() | grammars(actions=True).filter(has_ends)


# ---- the engine and the definition


@examples(250)
@given(with_texts(), seeds)
def test_accepts_what_the_definition_says(drawn: tuple[Grammar, list[bytes]], seed: int) -> None:
    check_texts(*drawn, seed)


@examples(120)
@given(with_texts(actions=True), seeds)
def test_registers_mean_what_the_definition_says(drawn: tuple[Grammar, list[bytes]], seed: int) -> None:
    try:
        check_texts(*drawn, seed)
    except SpecTypeError as error:
        assert "must not act on the register" in str(error)
        assume(False)


def check_texts(grammar: Grammar, texts: list[bytes], seed: int) -> None:
    """Every text is accepted exactly if the definition says so, however it is cut into tokens."""
    rng = random.Random(seed)
    try:
        automata = [Compiler(v, limits=LIMITS).compile(Deriving(grammar)) for v in (BYTES, SMALL)]
    except UnsatisfiableError:
        assert not any(recognises(grammar, text) for text in texts)
        return
    except VocabularyError:
        assume(False)
        raise
    for text in texts:
        expected = recognises(grammar, text)
        assert automata[0].accepts(list(text)) == expected, text
        tokens = cut(text, SMALL, rng)
        assert tokens is None or automata[1].accepts(tokens) == expected, tokens


@examples(60)
@given(grammars())
@example(Grammar({"start": Rule(Seq((Call("start"), Call("start"), terminal(0, 0))))}, "start"))
def test_accepts_all_short_texts_that_the_definition_does(grammar: Grammar) -> None:
    short = [bytes(text) for n in range(5) for text in itertools.product(b"ab", repeat=n)]
    check_texts(grammar, [*short, b"a b", b" ab ", b"a  b", b"a b a"], 0)


@examples(80)
@given(grammars(longest=False), vocabularies(complete=False, alphabet=GRAMMAR_ALPHABET))
def test_sequences_of_tokens_that_cannot_spell_everything(grammar: Grammar, vocabulary: Vocabulary) -> None:
    check_outputs(grammar, vocabulary)


SPACED = [b" ", b"a", b" a", b"b", b"  ", b" ab", b"a b"]


@examples(80)
@given(grammars(longest=True), st.lists(st.sampled_from(SPACED), max_size=5), st.booleans())
def test_sequences_of_tokens_under_longest_match(grammar: Grammar, tokens: list[bytes], spaced: bool) -> None:
    """Here every terminal can be spelled: what tokens do not spell to the end competes with nothing."""
    all_tokens = [*tokens, *LETTERS]
    vocabulary = Vocabulary.from_tokens([*all_tokens, None], eos_ids=[len(all_tokens)], strips_leading_space=spaced)
    check_outputs(grammar, vocabulary)


@examples(80)
@given(grammars(longest=False), st.lists(st.sampled_from(SPACED), min_size=1, max_size=5, unique=True))
def test_one_space_in_front_is_dropped_in_decoding(grammar: Grammar, tokens: list[bytes]) -> None:
    vocabulary = Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)], strips_leading_space=True)
    check_outputs(grammar, vocabulary)


def check_outputs(grammar: Grammar, vocabulary: Vocabulary) -> None:
    """Every short sequence of tokens is accepted exactly if the definition says so of what it spells."""
    some = list(itertools.islice(outputs(vocabulary, 4), 150))
    known: dict[bytes, bool] = {}
    for tokens in some:
        text = decoded(vocabulary, tokens)
        if text not in known:
            known[text] = len(text) < 12 and recognises(grammar, text)
    some = [tokens for tokens in some if len(decoded(vocabulary, tokens)) < 12]
    try:
        automaton = Compiler(vocabulary, limits=LIMITS).compile(Deriving(grammar))
    except UnsatisfiableError:
        assert not any(known.values())
        return
    except VocabularyError as error:
        assert "a grammar needs a vocabulary" in str(error) or not any(known.values()), error
        return
    for tokens in some:
        assert automaton.accepts(tokens) == known[decoded(vocabulary, tokens)], decoded(vocabulary, tokens)


# ---- masks


@examples(150)
@given(any_grammars, vocabularies(complete=True, alphabet=GRAMMAR_ALPHABET), seeds)
def test_mask_is_what_is_accepted(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    check_masks(grammar, vocabulary, seed)


@examples(100)
@given(grammars(), vocabularies(complete=False, alphabet=GRAMMAR_ALPHABET), seeds)
def test_mask_where_not_everything_can_be_spelled(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    check_masks(grammar, vocabulary, seed)


@examples(60)
@given(grammars(), st.lists(st.sampled_from(SPACED), min_size=1, max_size=5, unique=True), seeds)
def test_mask_is_what_is_accepted_after_a_space(grammar: Grammar, tokens: list[bytes], seed: int) -> None:
    check_masks(grammar, Vocabulary.from_tokens([*tokens, None], eos_ids=[], strips_leading_space=True), seed)


@examples(60)
@given(any_grammars, seeds)
def test_mask_where_many_tokens_begin_alike(grammar: Grammar, seed: int) -> None:
    """There the tokens below a node have a set of their own, among them those of what is left of tokens."""
    check_masks(grammar, THICK, seed)


def check_masks(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    """At every state of a random walk."""
    rng = random.Random(seed)
    ends = set(vocabulary.eos_ids)
    try:
        matcher = bind(grammar, vocabulary)
        for _ in walk(matcher, rng, 6):
            mask = mask_of(matcher)
            assert mask == accepted(matcher) == set(matcher.allowed_token_ids().tolist())
            assert mask == {token for token in range(vocabulary.size) if matcher.validate_tokens([token])}
            assert mask & ends == (ends if matcher.is_accepting() else set())
            assert mask or matcher.is_accepting(), "something may follow, or the text is complete"
            for token in rng.sample(range(vocabulary.size), min(5, vocabulary.size)):
                check_explanation(matcher, token, mask)
    except SpecTypeError:
        assume(False)


def check_explanation(matcher: Matcher, token: int, mask: set[int]) -> None:
    """What is told of a token agrees with the mask."""
    told = matcher.explain(token)
    assert told.allowed == (token in mask)
    assert told.dies_at is None or told.data[told.dies_at] not in told.expected
    assert not told.allowed or told.dies_at is None
    assert list(told.expected) == sorted(set(told.expected))


@examples(60)
@given(grammars(), seeds)
def test_a_token_is_allowed_if_its_bytes_are(grammar: Grammar, seed: int) -> None:
    """Where every byte is a token, longer ones add nothing to what can be written."""
    matcher = bind(grammar, SMALL)
    for _ in walk(matcher, random.Random(seed), 6):
        mask = mask_of(matcher)
        for token, data in enumerate(PIECES):
            assert (token in mask) == (matcher.validate_tokens([PIECES.index(bytes([b])) for b in data]) == len(data))


@examples(60)
@given(any_grammars, vocabularies(alphabet=GRAMMAR_ALPHABET), seeds)
def test_a_cached_mask_is_the_one_made_afresh(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    rng = random.Random(seed)
    try:
        matcher = bind(grammar, vocabulary)
        masks = []
        for _ in range(3):
            matcher.reset()
            masks += [(list(path), mask_of(matcher)) for path in walk(matcher, rng, 4)]
        rng.shuffle(masks)
        for n, (path, mask) in enumerate(masks):
            if n < 3:
                constrain.clear_caches()
            fresh = bind(grammar, vocabulary)
            assert fresh.accept_tokens(path) == len(path) and mask_of(fresh) == mask
            matcher.reset()
            assert matcher.accept_tokens(path) == len(path) and mask_of(matcher) == mask, "automata in use keep working"
    except SpecTypeError:
        assume(False)


# ---- no dead ends


@examples(100)
@given(grammars(longest=False) | counting, vocabularies(complete=True, alphabet=GRAMMAR_ALPHABET))
def test_no_dead_ends(grammar: Grammar, vocabulary: Vocabulary) -> None:
    """From every place the text can be completed."""
    try:
        places, edges, whole = reachable(bind(grammar, vocabulary), 60)
    except SpecTypeError:
        assume(False)
    check_ends(places, edges, whole)


@examples(100)
@given(grammars(longest=False), vocabularies(complete=False, alphabet=GRAMMAR_ALPHABET))
def test_no_dead_ends_where_not_everything_can_be_spelled(grammar: Grammar, vocabulary: Vocabulary) -> None:
    check_ends(*reachable(bind(grammar, vocabulary), 60))


@examples(60)
@given(grammars(longest=False), st.lists(st.sampled_from(SPACED), min_size=1, max_size=5, unique=True))
def test_no_dead_ends_after_a_space(grammar: Grammar, tokens: list[bytes]) -> None:
    vocabulary = Vocabulary.from_tokens([*tokens, None], eos_ids=[len(tokens)], strips_leading_space=True)
    check_ends(*reachable(bind(grammar, vocabulary), 60))


def check_ends(places: list[Matcher], edges: list[set[int]], whole: bool) -> None:
    good = {i for i, place in enumerate(places) if place.is_accepting() or i >= len(edges)}
    while more := {i for i, leads in enumerate(edges) if leads & good} - good:
        good |= more
    assert good == set(range(len(places)))
    assert not whole or any(place.is_accepting() for place in places)


@examples(100)
@given(grammars(longest=True), vocabularies(alphabet=GRAMMAR_ALPHABET))
def test_something_may_follow_everywhere(grammar: Grammar, vocabulary: Vocabulary) -> None:
    """Under longest match, too, unless the text is complete."""
    places, edges, _ = reachable(bind(grammar, vocabulary), 60)
    assert all(place.is_accepting() or leads for place, leads in zip(places, edges, strict=False))


# ---- moving about


@examples(60)
@given(any_grammars, vocabularies(alphabet=GRAMMAR_ALPHABET), seeds)
def test_moving_about_equals_replay(grammar: Grammar, vocabulary: Vocabulary, seed: int) -> None:
    rng = random.Random(seed)
    try:
        move_about(bind(grammar, vocabulary), vocabulary, rng)
    except SpecTypeError:
        assume(False)


def move_about(first: Matcher, vocabulary: Vocabulary, rng: random.Random) -> None:
    """Read, go back, copy, start again; after each, every matcher is where its tokens lead to."""
    pairs: list[tuple[Matcher, list[int]]] = [(first, [])]
    for _ in range(20):
        matcher, path = rng.choice(pairs)
        some = [rng.choice([*sorted(mask_of(matcher)), rng.randrange(vocabulary.size)]) for _ in range(3)]
        kind = rng.randrange(8)
        if kind < 3 and not matcher.is_terminated():
            if matcher.accept_token(some[0]):
                path.append(some[0])
        elif kind == 3:
            path += some[: matcher.accept_tokens(some)]
        elif kind == 4:
            assert matcher.validate_tokens(some) == matcher.copy().accept_tokens(some)
        elif kind == 5:
            count = rng.randint(0, matcher.num_accepted)
            matcher.rollback(count)
            del path[len(path) - count :]
        elif kind == 6 and len(pairs) < 4:
            pairs.append((matcher.copy(), list(path)))
        elif kind == 7 and rng.random() < 0.3:
            matcher.reset()
            path.clear()
        for one, its in pairs:
            again = first.automaton.matcher()
            assert again.accept_tokens(its) == len(its) == one.num_accepted
            assert again._state is one._state or first.automaton.space.limits != LIMITS
            assert mask_of(one) == mask_of(again)
            assert (one.is_accepting(), one.is_terminated()) == (again.is_accepting(), again.is_terminated())


# ---- limits

TIGHT = [Limits(transition_cache=1), Limits(transition_cache=5), Limits(mask_cache_bytes=1)]
TIGHT += [Limits(rows=2), Limits(rows=4), Limits(rows=8), Limits(search=1), Limits(search=5), Limits(rows=6, search=3)]


@examples(100)
@given(any_grammars, st.sampled_from(TIGHT), seeds)
def test_tight_limits_change_no_answer(grammar: Grammar, limits: Limits, seed: int) -> None:
    """The same answers, or LimitExceeded, after which the matcher is where it was."""
    rng = random.Random(seed)
    try:
        roomy = bind(grammar, SMALL)
    except SpecTypeError:
        assume(False)
    try:
        tight = bind(grammar, SMALL, limits)
    except LimitExceeded as error:  # while terminals are looked at
        assert error.limit == "search" and limits not in TIGHT[:6]
        return
    try:
        for path in walk(roomy, rng, 12):
            if path and not tight.accept_token(path[-1]):
                raise AssertionError(path)
            assert mask_of(tight) == mask_of(roomy) == accepted(tight)
            assert tight.is_accepting() == roomy.is_accepting()
            if rng.random() < 0.2:
                back = rng.randint(0, tight.num_accepted)
                tight.rollback(back)
                again = path[len(path) - back :]
                assert tight.accept_tokens(again) == back
    except LimitExceeded as error:
        assert error.limit in ("rows", "search") and limits not in TIGHT[:3]
        check_usable(tight, roomy)


def check_usable(tight: Matcher, roomy: Matcher) -> None:
    """After a limit was met: the tokens read so far stand, and can be taken back."""
    count = tight.num_accepted
    tight.rollback(count)
    try:
        assert mask_of(tight) == mask_of(roomy.automaton.matcher())
    except LimitExceeded as error:
        assert error.limit in ("rows", "search")


# ---- several constraints in one

PATTERNS = ["a*", "b+", "(ab)*", "a|bb", " ", "a?b?", "é+"]


@pytest.mark.parametrize("place", ["|", "+", "+ first", "both"])
@examples(25)
@given(drawn=with_texts(longest=False), pattern=st.sampled_from(PATTERNS), seed=seeds)
def test_grammars_and_patterns_together(
    place: str, drawn: tuple[Grammar, list[bytes]], pattern: str, seed: int
) -> None:
    grammar, texts = drawn
    one, other = Deriving(grammar), constrain.regex(pattern)
    rng = random.Random(seed)
    fitting = [
        word for word in (b"", b"a", b"b", b"ab", b"bb", b" ", "é".encode()) if re.fullmatch(pattern, word.decode())
    ]

    def of_grammar(text: bytes) -> bool:
        return recognises(grammar, text)

    def of_pattern(text: bytes) -> bool:
        try:
            return re.fullmatch(pattern, text.decode()) is not None
        except UnicodeDecodeError:
            return False

    def cuts(text: bytes) -> list[tuple[bytes, bytes]]:
        return [(text[:i], text[i:]) for i in range(len(text) + 1)]

    texts = [text for text in texts if len(text) < 6]
    some = [*texts, *(a + b for text in texts for w in fitting[:2] for a, b in ((text, w), (w, text)))]
    some = rng.sample(some, min(14, len(some)))
    if place == "|":
        spec, good = one | other, [of_grammar(text) or of_pattern(text) for text in some]
    elif place == "+":
        spec, good = one + other, [any(of_grammar(a) and of_pattern(b) for a, b in cuts(text)) for text in some]
    elif place == "+ first":
        spec, good = other + one, [any(of_pattern(a) and of_grammar(b) for a, b in cuts(text)) for text in some]
    else:
        spec = one + one | other
        good = [any(of_grammar(a) and of_grammar(b) for a, b in cuts(text)) or of_pattern(text) for text in some]
    try:
        automaton = Compiler(BYTES, limits=LIMITS).compile(spec)
    except UnsatisfiableError:
        assert not any(good)
        return
    for text, expected in zip(some, good, strict=True):
        assert automaton.accepts(list(text)) == expected, text


def test_ignored_text_that_ends_with_a_terminal_is_not_taken_for_it() -> None:
    """A row reached by `b`, and one by `b` or ignored text, from rows of one shape."""
    text = 'start: (/ab?/ | "b" | "ba") ("b" start)* | /[^a ]/\n%ignore "a"'
    grammar, automaton = parse_lark(text), Compiler(BYTES).compile(constrain.grammar(text))
    for n in range(5):
        for letters in itertools.product(b"ab", repeat=n):
            assert automaton.accepts(letters) == recognises(grammar, bytes(letters)), bytes(letters)


def test_terminals_that_differ_in_priority_only() -> None:
    """Under longest match the lower one never counts where the higher one may stand."""
    text = '// Reading: longest\nstart: LOW "x" | HIGH "y" | "z" LOW "x"\nLOW: /a+/\nHIGH.3: /a+/'
    automaton = Compiler(BYTES).compile(constrain.grammar(text))
    words = [b"ax", b"ay", b"aay", b"zax", b"zaax", b"zay"]
    assert [automaton.accepts(list(word)) for word in words] == [recognises(parse_lark(text), word) for word in words]
    assert [automaton.accepts(list(word)) for word in words] == [False, True, True, True, True, False]


def test_a_body_that_counts() -> None:
    """Each of two keys at most once, in any order, two or three items in all."""
    a, b = terminal(0, 0), terminal(1, 0)
    item = Either((Seq((Bits(1, 0, 1), a)), Seq((Bits(2, 0, 2), b)), terminal(3, 0)))
    counted = Seq((Count(2, 2, 0, 2, 1), item))
    body = Seq((Many(counted, 0, None), Count(2, 2, 2, 3)))
    grammar = Grammar({"start": Rule(body)}, "start")
    automaton = Compiler(SMALL).compile(Deriving(grammar))
    for n in range(7):
        for letters in itertools.product(b"ab", repeat=n):
            text = bytes(letters)
            assert automaton.accepts([PIECES.index(bytes([c])) for c in text]) == recognises(grammar, text), text


def test_the_alphabet_of_these_tests_crosses_characters() -> None:
    assert any(len(char.encode()) > 1 for char in GRAMMAR_ALPHABET)
    assert isinstance(terminal(4, 0).expr, ir.Literal | ir.Chars)
