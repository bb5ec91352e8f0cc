"""Lengths against counts of the text itself."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matchers import accepted, mask_of, reachable, walk
from strategies import Language, examples, vocabularies

import constrain
from constrain import Compiler, Limits, UnsatisfiableError, Vocabulary, VocabularyError
from constrain.automata.dfa import DfaStore
from constrain.specs import units
from constrain.specs.length import Length, length

LIMITS = Limits(search=20_000)
STORE = DfaStore()
UNITS = ("chars", "words", "sentences", "paragraphs")
LETTERS = "a9_ .!)\n\t-é日\u3000。"


def count(text: str, unit: str) -> int | None:
    """As `constrain.specs.units` defines it; None for text that is not counted in sentences."""
    if unit == "chars":
        return len(text)
    if unit == "words":
        return sum(1 for run in text.split() if re.search(r"\w", run))
    if unit == "paragraphs":
        return len([part for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()])
    ends = [re.search(units.END + "$", run) is not None for run in text.split()]
    return None if ends and not ends[-1] else sum(ends)


def meets(text: str, spec: Length) -> bool:
    for unit in UNITS:
        bounds, n = getattr(spec, unit), count(text, unit)
        if bounds is not None and (n is None or n < bounds[0] or (bounds[1] is not None and n > bounds[1])):
            return False
    return True


ranges = st.one_of(
    st.integers(0, 4).map(lambda n: (n, n)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda pair: (min(pair), max(pair))),
    st.integers(0, 4).map(lambda n: (n, None)),
)
given_bounds = st.dictionaries(st.sampled_from(UNITS), ranges, min_size=1, max_size=3)
specs = given_bounds.map(lambda bounds: Length(**bounds))
texts = st.text(LETTERS, max_size=14)


@examples(500)
@given(specs, st.lists(texts, min_size=5, max_size=20))
def test_counts(spec: Length, drawn: list[str]) -> None:
    language = Language(spec.lower(LIMITS), STORE, LIMITS)
    for text in drawn:
        assert language.accepts(text.encode()) == meets(text, spec), text


@examples(200)
@given(st.sampled_from(UNITS), st.text(max_size=12))
def test_counts_of_any_text(unit: str, text: str) -> None:
    n = count(text, unit)
    for low in range(4):
        language = Language(units.counted(unit, low, low), STORE, LIMITS)
        assert language.accepts(text.encode()) == (n == low)


@examples(100)
@given(specs, vocabularies(alphabet=LETTERS), st.integers(0, 2**32))
def test_masks(spec: Length, vocabulary: Vocabulary, seed: int) -> None:
    try:
        matcher = Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, VocabularyError):
        assume(False)
        raise
    for path in walk(matcher, random.Random(seed), 6):
        assert mask_of(matcher) == accepted(matcher)
        data = b"".join(map(vocabulary.token_bytes, path))
        if matcher.is_accepting():
            assert meets(data.decode(), spec)


@examples(60)
@given(specs, vocabularies(complete=False, alphabet=LETTERS))
def test_no_dead_ends(spec: Length, vocabulary: Vocabulary) -> None:
    try:
        matcher = Compiler(vocabulary, limits=LIMITS).compile(spec).matcher()
    except (UnsatisfiableError, VocabularyError):
        assume(False)
        raise
    places, edges, _ = reachable(matcher, 60)
    good = {i for i, place in enumerate(places) if place.is_accepting() or i >= len(edges)}
    while more := {i for i, leads in enumerate(edges) if leads & good} - good:
        good |= more
    assert good == set(range(len(places)))


def without_promises(spec: Length) -> list[Language]:
    given = {unit: getattr(spec, unit) for unit in UNITS if getattr(spec, unit) is not None}
    from constrain.ir import expr as ir

    parts = tuple(units.counted(unit, *bounds) for unit, bounds in given.items())
    return [Language(ir.And(parts), STORE, LIMITS), Language(spec.lower(LIMITS), STORE, LIMITS)]


@examples(200)
@given(specs, texts)
def test_promises_are_kept(spec: Length, text: str) -> None:
    searched, believed = without_promises(spec)
    for end in range(len(text.encode()) + 1):
        assert believed.viable(text.encode()[:end]) == searched.viable(text.encode()[:end])


@pytest.mark.parametrize(
    "text, words, sentences, paragraphs",
    [
        ("", 0, 0, 0),
        ("Don't e-mail -- (42).", 3, 1, 1),
        ("v1.2 is out!", 3, 1, 1),
        ('He said "stop!" Then he left.', 6, 2, 1),
        ("Mr. X left.", 3, 2, 1),
        ("One two", 2, None, 1),
        ("a\n \nb\n\n\n", 2, None, 2),
        ("a\nb", 2, None, 1),
        ("日本。東京。 はい。", 2, 2, 1),
        ("...", 0, 1, 1),
    ],
)
def test_examples(text: str, words: int, sentences: int | None, paragraphs: int) -> None:
    found = [[n for n in range(9) if reads(text, **{unit: n})] for unit in UNITS[1:]]
    assert found == [[words], [] if sentences is None else [sentences], [paragraphs]]


def reads(text: str, **bounds: Any) -> bool:
    return Language(length(**bounds).lower(LIMITS), STORE, LIMITS).accepts(text.encode())


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(), "length\\(\\) of nothing"),
        (dict(words="3"), "takes a number or a pair"),
        (dict(words=(1, 2, 3)), "takes a number or a pair"),
        (dict(words=(1.5, 2)), "bound 1.5"),
        (dict(words=True), "bound True"),
        (dict(words=-1), "no length is less than 0"),
        (dict(words=(5, 3)), "at least 5 and at most 3"),
        (dict(words=10, chars=(0, 12)), "10 words take 19 chars or more, and 12 are allowed"),
        (dict(words=10**9), "Limits.repeat"),
    ],
)
def test_bad_input(given: dict[str, Any], message: str) -> None:
    with pytest.raises(constrain.ConstrainError, match=message):
        length(**given).lower(LIMITS)


def test_lengths_that_do_not_go_together() -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    with pytest.raises(UnsatisfiableError):
        Compiler(vocabulary).compile(constrain.regex("[a-z ]{4}") & length(words=3))
