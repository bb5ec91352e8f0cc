"""COLLIE's structures against a direct look at the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matchers import mask_of
from strategies import Language, examples

import constrain
from constrain import Compiler, Limits, Spec, UnsatisfiableError, UnsupportedError, Vocabulary, collie, length, regex
from constrain.automata.dfa import DfaStore
from constrain.errors import SpecTypeError
from constrain.specs import units

LIMITS, STORE = Limits(), DfaStore()


# ---- units, by plain Python


def words(text: str) -> list[str]:
    cores = [re.sub(r"^\W+|\W+$", "", run) for run in text.split()]
    return [core for core in cores if core]


def sentences(text: str) -> list[str] | None:
    """None if the text does not consist of whole sentences."""
    found, begun = [], 0
    for run in re.finditer(r"\S+", text):
        if not text[begun : run.start()].strip():
            begun = run.start()
        if re.search(units.END + "$", run[0]):
            found.append(text[begun : run.end()])
            begun = run.end()
    return None if text[begun:].strip() else found


def paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()]


SPLIT: dict[str, Callable[[str], list[str] | None]] = {
    "word": words,
    "sentence": sentences,
    "paragraph": paragraphs,
}
PIECES = ["soft", "Soft", "beach", "a", "e-mail", *"    .!()é\n", "\n\n", "--"]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
inner = st.sampled_from(["soft", "soft beach", "a", r"[a-z]+", r".{1,3}", r"(?s).*a.*"])
levels = st.sampled_from(list(SPLIT))


def accepts(spec: Spec, text: str) -> bool:
    lowered = spec.lower(LIMITS)
    return Language(lowered, STORE, LIMITS).accepts(text.encode())  # type: ignore[arg-type]


@examples(200)
@given(levels, inner, texts)
def test_what_holds_of_units(level: str, pattern: str, text: str) -> None:
    found = SPLIT[level](text)
    part = regex(pattern)
    meets = [re.fullmatch(pattern, unit) is not None for unit in found or ()]
    whole = found is not None
    assert accepts(collie.each(level, part), text) == (whole and all(meets))
    assert accepts(collie.some(level, part), text) == (whole and any(meets))
    assert accepts(collie.none(level, part), text) == (whole and not any(meets))


@examples(200)
@given(levels, st.dictionaries(st.sampled_from([1, 2, 3, -1, -2]), inner, min_size=1, max_size=2), texts)
def test_units_at_places(level: str, patterns: dict[int, str], text: str) -> None:
    found = SPLIT[level](text)

    def holds(place: int, pattern: str) -> bool:
        if found is None or abs(place) > len(found):
            return False
        return re.fullmatch(pattern, found[place - 1 if place > 0 else place]) is not None

    spec = collie.at(level, {place: regex(pattern) for place, pattern in patterns.items()})
    assert accepts(spec, text) == all(holds(place, pattern) for place, pattern in patterns.items())


def test_units_within_units() -> None:
    spec = collie.each("sentence", collie.at("word", {1: "soft"}) & length(words=(1, 3)))
    assert accepts(spec, "Soft is it. (soft) sand!")
    assert not accepts(spec, "Soft is it. Hard sand!")
    assert not accepts(spec, "Soft is it, it is.")


# ---- the thirteen structures


def checked(text: str, test: Callable[[list[str], list[str], list[str]], bool]) -> bool:
    whole = sentences(text)
    return whole is not None and test(words(text), whole, paragraphs(text))


CASES: list[tuple[Spec, list[str], list[str]]] = [
    (collie.word01(10), ["strawberries"], ["straw", "strawberry jam"]),
    (collie.word02(10, {1: "s", 3: "r", 9: "r"}), ["strawberry"], ["strawbetty", "blackberry"]),
    (collie.word03(5, "r"), ["river"], ["rivet", "rivers"]),
    (collie.sent01(12), ["A cat sleeps"[:11] + "."], ["A cat sleeps", "A. Catsleep."]),
    (
        collie.sent02(4, {2: "soft", 4: "beach"}),
        ["My soft, warm beach!"],
        ["My warm, soft beach!", "My soft sea."],
    ),
    (collie.sent03(3, 4), ["The cat sat here."], ["The cats slept.", "The cat."]),
    (collie.sent04(["soft", "beach"]), ["A beach is soft."], ["Beaches are soft.", "A beach. It is soft."]),
    (collie.para01("soft"), ["Soft sand. Soft sea."], ["Soft sand. The sea.", "Soft sand."]),
    (collie.para02(2, ["the", "and"]), ["A cat. A hat."], ["The cat. A hat.", "A cat."]),
    (collie.para03(2, 2, 3), ["A cat. It sat down."], ["A cat. It sat down there.", "A cat."]),
    (collie.para04(2, 2), ["A cat. It sat. It ran."], ["A cat. It sat. Well.", "A cat sat."]),
    (
        collie.para05(["math", "rock"]),
        ["I like math. You like rock!"],
        ["I like rock. I like math!", "Math. A. Rock."],
    ),
    (
        collie.pass01(["I sit.", "I cry."]),
        ["It rains. I sit.\n\nIt snows. I cry."],
        ["I sit.\n\nIt snows. I cry.", "It rains. I sit. It snows. I cry."],
    ),
]


@pytest.mark.parametrize("spec, good, bad", CASES, ids=list(collie.STRUCTURES))
def test_structures(spec: Spec, good: list[str], bad: list[str]) -> None:
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    automaton = Compiler(vocabulary).compile(spec)
    for text in good:
        assert automaton.accepts(list(text.encode())), text
    for text in bad:
        assert not automaton.accepts(list(text.encode())), text
    matcher = automaton.matcher()
    for _ in range(5):
        mask = mask_of(matcher)
        rest = matcher.completion()
        assert rest is not None and automaton.accepts([*good[0].encode()[: matcher.num_accepted], *rest])
        token = good[0].encode()[matcher.num_accepted]
        assert token in mask and matcher.accept_token(token)


def test_there_are_thirteen() -> None:
    assert len(collie.STRUCTURES) == len(CASES) == 13
    assert collie.structure("sent02", 4, {2: "soft"}) == collie.sent02(4, {2: "soft"})


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: collie.structure("equal_counts"), UnsupportedError, "no regular language"),
        (lambda: collie.structure("unique_words"), UnsupportedError, "all words so far"),
        (lambda: collie.structure("sent09"), SpecTypeError, "there are word01"),
        (lambda: collie.each("line", "a"), SpecTypeError, "a level is one of word, sentence, paragraph"),
        (lambda: collie.each("word", " "), SpecTypeError, "a given text"),
        (lambda: collie.at("word", {0: "a"}), SpecTypeError, "0 is no place"),
        (lambda: collie.at("word", {}), SpecTypeError, "of no places"),
        (lambda: collie.word01(0), SpecTypeError, "1 or more"),
        (lambda: collie.word02(3, {4: "a"}), UnsatisfiableError, "has none at 4"),
        (lambda: collie.word03(1, "ab"), UnsatisfiableError, "do not end with"),
        (lambda: collie.sent02(3, {4: "a"}), UnsatisfiableError, "has none at"),
        (lambda: collie.pass01(["I sit"]), UnsatisfiableError, "is no sentence"),
        (lambda: collie.each("word", constrain.grammar('start: "x"')).lower(LIMITS), UnsupportedError, "not a grammar"),
    ],
)
def test_what_is_refused(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
