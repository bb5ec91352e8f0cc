"""The benchmark's input is what it says it is."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from benchmarks.patterns import PATTERNS, Pattern, by_name, full_match, words

names = [pattern.name for pattern in PATTERNS]


def test_there_are_200() -> None:
    assert len(PATTERNS) == 200
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert len({pattern.pattern for pattern in PATTERNS}) == 200


def test_categories_are_balanced() -> None:
    counts = Counter(pattern.category for pattern in PATTERNS)
    assert len(counts) >= 15
    assert max(counts.values()) <= 25 and min(counts.values()) >= 3
    assert sum(pattern.lookaround for pattern in PATTERNS) == 10
    assert sum(pattern.unicode_property for pattern in PATTERNS) >= 5


@pytest.mark.parametrize("pattern", PATTERNS, ids=names)
def test_texts_match(pattern: Pattern) -> None:
    regex = pytest.importorskip("regex")
    assert 3 <= len(pattern.texts) <= 5 and len(set(pattern.texts)) == len(pattern.texts)
    for text in pattern.texts:
        assert text and regex.fullmatch(pattern.pattern, text), text
        assert full_match(pattern, text)


@pytest.mark.parametrize("pattern", PATTERNS, ids=names)
def test_flags_are_honest(pattern: Pattern) -> None:
    assert pattern.unicode_property == bool(re.search(r"\\[pP]\{", pattern.pattern))
    assert pattern.lookaround == bool(re.search(r"\(\?<?[=!]|\\b(?![a-z])|\\[zZ]", pattern.pattern))


def test_patterns_refuse_something() -> None:
    """A pattern that took everything would measure nothing."""
    for pattern in PATTERNS:
        assert not full_match(pattern, "\x00\n\x00"), pattern.name


def test_word_lists_are_always_the_same() -> None:
    assert words(10) == tuple(sorted(words(10))) and len(set(words(10_000))) == 10_000
    assert by_name("words_10").texts[0] == words(10)[0] == "deacesquackfa"
    assert by_name("words_10000").texts[-1] == "zuwelzosfleal"
