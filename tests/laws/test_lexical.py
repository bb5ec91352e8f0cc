"""Phrases that outputs must hold, or must not, against a search in the text itself."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matchers import accepted, mask_of, reachable, walk
from strategies import Language, examples, vocabularies

import constrain
from constrain import Compiler, Limits, UnsatisfiableError, Vocabulary, regex
from constrain.automata.dfa import DfaStore
from constrain.ir import expr as ir
from constrain.ir.semantics import accepts
from constrain.specs.lexical import Clause, Lexical, Phrase, lexical

LIMITS = Limits(search=20_000)
STORE = DfaStore()
LETTERS = "ab .é"


# ---- the definition


def occurrences(text: str, phrase: str, spec: Lexical) -> list[tuple[int, int]]:
    """Where a phrase occurs, overlapping occurrences included."""
    found = []
    flags = re.IGNORECASE if spec.ignore_case else 0
    for start in range(len(text) - len(phrase) + 1):
        end = start + len(phrase)
        if not re.fullmatch(re.escape(phrase), text[start:end], flags):
            continue
        around = text[start - 1 : start] + text[end : end + 1]
        if not (spec.words and re.search(r"\w", around)):
            found.append((start, end))
    return found


def holds(text: str, phrase: Phrase, spec: Lexical) -> bool:
    """By itself: overlapping occurrences count or not."""
    found = occurrences(text, phrase.text, spec)
    if spec.overlapping:
        return len(found) >= phrase.count
    return any(apart(some) for some in itertools.combinations(found, phrase.count))


def apart(spans: Sequence[tuple[int, int]]) -> bool:
    ordered = sorted(spans)
    return all(end <= start for (_, end), (start, _) in itertools.pairwise(ordered))


def meets(text: str, spec: Lexical) -> bool:
    """Whether a text meets all clauses."""
    if spec.overlapping and not spec.ordered:
        return all(
            any(holds(text, p, spec) for p in clause.present) or any(not holds(text, p, spec) for p in clause.absent)
            for clause in spec.clauses
        )
    left = [c for c in spec.clauses if not any(not holds(text, p, spec) for p in c.absent)]
    if any(not clause.present for clause in left):
        return False
    absent = [c for c in spec.clauses if c.absent and c not in left]
    del absent
    return in_order(text, left, spec) if spec.ordered else disjoint(text, left, spec)


def in_order(text: str, clauses: Sequence[Clause], spec: Lexical) -> bool:
    """The earliest end is the best one: whatever may follow a later end may follow it."""

    @cache
    def rest(n: int, at: int) -> bool:
        if n == len(clauses):
            return True
        for phrase in clauses[n].present:
            found = [span for span in occurrences(text, phrase.text, spec) if span[0] >= at]
            if spec.overlapping:
                chosen = found[phrase.count - 1 : phrase.count]
                ends = [end for _, end in chosen]
            else:
                ends = [some[-1][1] for some in itertools.combinations(found, phrase.count) if apart(some)]
            if any(rest(n + 1, end) for end in ends):
                return True
        return False

    return rest(0, 0)


def disjoint(text: str, clauses: Sequence[Clause], spec: Lexical) -> bool:
    """Try every choice of occurrences."""
    if not clauses:
        return True
    for choice in itertools.product(*[clause.present for clause in clauses]):
        pools = [list(itertools.combinations(occurrences(text, phrase.text, spec), phrase.count)) for phrase in choice]
        if any(apart([span for some in spans for span in some]) for spans in itertools.product(*pools)):
            return True
    return False


# ---- what is drawn

phrases = st.builds(Phrase, st.text(LETTERS, min_size=1, max_size=3), st.sampled_from([1, 1, 1, 2, 3]))
clauses = st.one_of(
    st.builds(Clause, st.tuples(phrases)),
    st.builds(Clause, st.lists(phrases, min_size=1, max_size=2).map(tuple)),
    st.builds(Clause, st.just(()), st.tuples(phrases)),
    st.builds(Clause, st.lists(phrases, max_size=1).map(tuple), st.lists(phrases, min_size=1, max_size=2).map(tuple)),
)


@st.composite
def specs(draw: st.DrawFn) -> Lexical:
    flags = {name: draw(st.booleans()) for name in ("words", "ignore_case")}
    kind = draw(st.sampled_from(["presence", "presence", "ordered", "apart", "both"]))
    return Lexical(
        tuple(draw(st.lists(clauses, min_size=1, max_size=3))),
        ordered=kind in ("ordered", "both"),
        overlapping=kind not in ("apart", "both"),
        **flags,
    )


written = st.text(LETTERS + "AÉ", max_size=9)


@examples(300)
@given(specs(), st.lists(written, min_size=4, max_size=12), st.data())
def test_texts_that_meet_the_clauses(spec: Lexical, texts: list[str], data: st.DataObject) -> None:
    every = [p.text for clause in spec.clauses for p in (*clause.present, *clause.absent)]
    pieces = st.sampled_from([*every, *every, " ", "a", ".", "é"])
    texts += data.draw(st.lists(st.lists(pieces, max_size=6).map("".join), min_size=6, max_size=12))
    try:
        expr = spec.lower(LIMITS)
    except UnsatisfiableError:
        assert not any(meets(text, spec) for text in texts)
        return
    language = Language(expr, STORE, LIMITS)
    for text in texts:
        assert language.accepts(text.encode()) == meets(text, spec), text


@examples(60)
@given(specs(), st.lists(written, min_size=3, max_size=5))
def test_expressions_mean_the_same_to_the_definition(spec: Lexical, texts: list[str]) -> None:
    try:
        expr = spec.lower(LIMITS)
    except UnsatisfiableError:
        return
    language = Language(expr, STORE, LIMITS)
    for text in texts:
        assert accepts(expr, text[:5].encode()) == language.accepts(text[:5].encode()), text


@examples(150)
@given(specs(), vocabularies(alphabet=LETTERS), st.integers(0, 2**32))
def test_masks(spec: Lexical, vocabulary: Vocabulary, seed: int) -> None:
    try:
        matcher = Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, constrain.VocabularyError):
        return
    for path in walk(matcher, random.Random(seed), 5):
        text = b"".join(map(vocabulary.token_bytes, path))
        assert mask_of(matcher) == accepted(matcher)
        if matcher.is_accepting():
            assert meets(text.decode(), spec)


def without_promises(expr: ir.Expr) -> ir.Expr:
    """The same language, whose liveness is searched for."""
    assert isinstance(expr, ir.Towards)
    return ir.And((expr.frame, expr.goal))


@examples(150)
@given(specs(), st.lists(written, min_size=4, max_size=8))
def test_promises_are_kept(spec: Lexical, texts: list[str]) -> None:
    """What `Towards` says is alive is found to be by a search."""
    try:
        expr = spec.lower(LIMITS)
    except UnsatisfiableError:
        return
    if not isinstance(expr, ir.Towards):
        return
    believed, searched = Language(expr, STORE, LIMITS), Language(without_promises(expr), STORE, LIMITS)
    for text in texts:
        for end in range(len(text.encode()) + 1):
            data = text.encode()[:end]
            assert believed.viable(data) == searched.viable(data), data
            assert believed.accepts(data) == searched.accepts(data), data


@examples(60)
@given(specs(), vocabularies(complete=False, alphabet=LETTERS))
def test_no_dead_ends(spec: Lexical, vocabulary: Vocabulary) -> None:
    try:
        matcher = Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, constrain.VocabularyError):
        return
    places, edges, _ = reachable(matcher, 60)
    good = {i for i, place in enumerate(places) if place.is_accepting() or i >= len(edges)}
    while more := {i for i, leads in enumerate(edges) if leads & good} - good:
        good |= more
    assert good == set(range(len(places)))


# ---- examples


def meeting(spec: constrain.Spec, *texts: str) -> list[bool]:
    language = Language(spec.lower(LIMITS), STORE, LIMITS)
    return [language.accepts(text.encode()) for text in texts]


def test_overlapping_starts() -> None:
    """What trackers without failure links miss."""
    assert meeting(lexical(["abac"]), "ababac", "abaabac", "abab") == [True, True, False]
    assert meeting(lexical(["aab"]), "aaab") == [True]


def test_order_does_not_forget() -> None:
    spec = lexical(["ab", "cd"], ordered=True)
    assert meeting(spec, "abcd", "abcxcd", "cdab", "cdabxxcd", "acdb") == [True, True, False, True, False]


def test_whole_words() -> None:
    spec = lexical(["art"], exclude=["cat"], words=True)
    assert meeting(spec, "start", "art", "an art.", "art cat", "art cats", "art_") == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]


def test_without_case() -> None:
    assert meeting(lexical(["Straße"], ignore_case=True), "STRAßE", "straẞe", "strasse") == [True, True, False]


def test_counts() -> None:
    assert meeting(lexical([Phrase("aa", 2)]), "aaa", "aa") == [True, False]
    assert meeting(lexical([Phrase("aa", 2)], overlapping=False), "aaa", "aaaa") == [False, True]
    assert meeting(lexical(["aa", "aa"], overlapping=False), "aaa", "aaaa") == [False, True]
    assert meeting(lexical(exclude=[Phrase("a", 3)]), "aa", "aba", "abaa") == [True, True, False]


def test_apart() -> None:
    spec = lexical(["new york", "york city"], overlapping=False)
    assert meeting(spec, "new york city", "new york, york city", "york city new york") == [False, True, True]
    assert meeting(lexical(["new york", "york city"]), "new york city") == [True]


def test_clauses() -> None:
    spec = lexical(clauses=[Clause((Phrase("sugar"),), (Phrase("coffee"),))])
    assert meeting(spec, "tea", "coffee", "coffee with sugar", "sugar") == [True, False, True, True]


def test_many_phrases() -> None:
    """A set of n phrases has 2**n states, of which those on the way are made, and no mask depends on them."""
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    names = [f"name{n:02}" for n in range(40)]
    matcher = Compiler(vocabulary).compile(lexical(names, exclude=["nobody"])).matcher()
    masks = set()
    for name in names:
        for byte in f"{name} ".encode():
            masks.add(frozenset(mask_of(matcher)))
            assert matcher.accept_token(byte)
    assert matcher.is_accepting()
    assert len(masks) <= 4


@pytest.mark.parametrize("listed", [2, 3])
def test_products_with_others(listed: int) -> None:
    both = lexical(["ab"] * listed, overlapping=False) & regex("[abc]{0,5}")
    vocabulary = Vocabulary.from_tokens([b"a", b"b", b"c", b"ab", None], eos_ids=[4])
    if listed == 3:
        with pytest.raises(UnsatisfiableError, match="no text at all"):
            Compiler(vocabulary).compile(both)
        return
    matcher = Compiler(vocabulary).compile(both).matcher()
    assert mask_of(matcher) == {0, 1, 2, 3}, "there is room for one more"
    assert matcher.accept_token(2) and mask_of(matcher) == {0, 3}


# ---- bad input


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(include=["a", ""]), r"include\[1\] is the empty phrase"),
        (dict(include=["a"], exclude=[""]), r"exclude\[0\] is the empty phrase"),
        (dict(include="dog"), r"include=..\) takes a list"),
        (dict(include=[3]), r"include\[0\] is a string or a constrain.Phrase, not int"),
        (dict(include=["\ud800"]), "lone surrogate"),
        (dict(include=[Phrase("a", 0)]), "count of 0"),
        (dict(include=[Phrase("a", True)]), "count of True"),
        (dict(), "no phrases constrains nothing"),
        (dict(include=[[]]), "empty list"),
        (dict(clauses=[Clause()]), r"clauses\[0\] names no phrases"),
        (dict(clauses=["a"]), r"clauses\[0\] is a constrain.Clause, not str"),
        (dict(include=["cat"], exclude=["cat"]), "'cat' must be present, and is banned"),
        (dict(include=["concat"], exclude=["cat"]), "'concat' must be present, and holds 'cat', which is banned"),
        (dict(include=["Cat"], exclude=["cat"], ignore_case=True), "'Cat' must be present, and holds 'cat'"),
    ],
)
def test_bad_input(given: dict[str, object], message: str) -> None:
    with pytest.raises(constrain.ConstrainError, match=message):
        lexical(**given)  # type: ignore[arg-type]


def test_what_is_banned_in_part() -> None:
    assert meeting(lexical([["concat", "dog"]], exclude=["cat"]), "dog", "concat") == [True, False]
    assert meeting(lexical(["concat"], exclude=["cat"], words=True), "concat", "concat cat") == [True, False]


@pytest.mark.parametrize(
    "spec, message",
    [
        (lexical(["lazy dog"]) & constrain.length(chars=7), "'lazy dog' has 8 characters, and the output at most 7"),
        (lexical([["a b c", "d e"]]) & constrain.length(words=1), "'d e' has 2 words, and the output at most 1"),
        (lexical(["abc", "def"]) & constrain.length(chars=(0, 5)), "2 phrases that must be present have 6 characters"),
    ],
)
def test_phrases_without_room(spec: constrain.Spec, message: str) -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    with pytest.raises(UnsatisfiableError, match=message):
        Compiler(vocabulary).compile(spec)


def test_phrases_that_share_text_have_room() -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    matcher = Compiler(vocabulary).compile(lexical(["abc", "cde"]) & constrain.length(chars=5)).matcher()
    assert matcher.allowed_token_ids().tolist() == [ord("a")]


def test_more_phrases_than_fit() -> None:
    with pytest.raises(constrain.LimitExceeded, match="phrases that must be present"):
        lexical([f"name{n}" for n in range(5000)])


def test_too_many_sets() -> None:
    with pytest.raises(constrain.LimitExceeded, match="alternatives"):
        lexical([f"{n}x{n + 1}" for n in "abcdefghijklmnop" for n in range(3)], overlapping=False)
