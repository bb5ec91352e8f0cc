"""Regular Expression Instructions: markup to values and back, and what they demand."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Language, examples

from constrain import GrammarSyntaxError, Limits
from constrain.automata.dfa import DfaStore
from constrain.errors import SpecTypeError
from constrain.specs.rei import rei
from constrain.specs.rei_text import (
    Instruction,
    Item,
    Mask,
    Options,
    Space,
    Text,
    parse_rei,
    render_rei,
)

STORE = DfaStore()
texts = st.text("ab<>()\\0é ", min_size=1, max_size=6).map(lambda t: " ".join(t.split())).filter(bool)
pieces = st.builds(Text, texts, st.booleans())


@st.composite
def rows(draw: st.DrawFn, depth: int = 1) -> tuple[object, ...]:
    """Items, with white space where it counts; no two texts without anything between them, which are one."""
    kinds = [st.just(Mask()), pieces]
    if depth:
        choices = st.lists(rows(depth=depth - 1), min_size=1, max_size=3).map(tuple)
        kinds.append(st.builds(Options, choices))
    found: list[object] = []
    for item in draw(st.lists(st.one_of(kinds), min_size=1, max_size=5)):
        before = found[-1] if found else Mask()
        if isinstance(before, Text) and isinstance(item, Text) and not before.keyword:
            found.append(Mask())
        elif not isinstance(before, Mask) and not isinstance(item, Mask) and draw(st.booleans()):
            found.append(Space())
        found.append(item)
    return tuple(found)


bounds = st.one_of(st.none(), st.integers(0, 9).map(lambda n: (n, n)), st.integers(0, 9).map(lambda n: (n, None)))
bounds |= st.tuples(st.integers(0, 4), st.integers(5, 9))
instructions = st.builds(Instruction, rows(), bounds)


@examples(300)
@given(instructions)
def test_round_trip(instruction: Instruction) -> None:
    markup = render_rei(instruction)
    assert parse_rei(markup) == instruction, markup
    assert parse_rei(markup.removeprefix("<expression>").removesuffix("</expression>")) == instruction
    assert rei(markup).render() == markup


def spelled(items: tuple[object, ...], draw: st.DataObject) -> str:
    """A text of an instruction."""
    whole = ""
    for item in items:
        match item:
            case Mask():
                whole += draw.draw(st.sampled_from(["", " ", " a ", "\n"]))
            case Space():
                whole += " "
            case Text(text):
                whole += text
            case Options(choices):
                whole += spelled(draw.draw(st.sampled_from(choices)), draw)
    return whole


def pattern_of(items: tuple[Item | Space, ...]) -> str:
    """A pattern that the texts of an instruction match, but for their length."""
    return "".join(map(_pattern, items))


def _pattern(item: Item | Space) -> str:
    match item:
        case Mask():
            return "(?s:.*)"
        case Space():
            return " "
        case Text(text, keyword):
            return rf"(?<!\w){re.escape(text)}(?!\w)" if keyword else re.escape(text)
        case Options(choices):
            return f"(?:{'|'.join(pattern_of(choice) for choice in choices)})"


@examples(100)
@given(instructions, st.data())
def test_texts(instruction: Instruction, data: st.DataObject) -> None:
    language = Language(rei(render_rei(instruction)).lower(Limits()), STORE, Limits())
    pattern = re.compile(pattern_of(instruction.items))
    for _ in range(5):
        text = spelled(instruction.items, data)
        text = data.draw(st.sampled_from([text, text + "a", text[1:]]))
        words = sum(1 for run in text.split() if re.search(r"\w", run))
        low, high = instruction.words or (0, None)
        fits = low <= words and (high is None or words <= high)
        assert language.accepts(text.encode()) == (bool(pattern.fullmatch(text)) and fits), text


def meeting(markup: str, *texts: str) -> list[bool]:
    language = Language(rei(markup).lower(Limits()), STORE, Limits())
    return [language.accepts(text.encode()) for text in texts]


def test_examples() -> None:
    dog = "<expression> <mask_0> lazy dog(0) <mask_1> <length=4> </expression>"
    assert meeting(dog, "a lazy dog sleeps", "lazy dog sleeps", "a lazy dogma sleeps") == [True, False, False]
    ordered = "<mask_0> stood(0) <mask_1> field(1) <mask_2>"
    assert meeting(ordered, "He stood in a field.", "The field stood.") == [True, False]
    options = "The <options><choice_0>cat</choice_0> <choice_1>dog <mask_0></choice_1></options>, sat"
    assert meeting(options, "The cat, sat", "The dog barks, sat", "Thecat, sat") == [True, True, False]
    assert meeting("<length=2..3>", "a", "a b", "a b c", "a b c d") == [False, True, True, False]


@pytest.mark.parametrize(
    "markup, message, column",
    [
        ("", "without content", 1),
        ("<mask_1>", "<mask_0> comes next", 1),
        ("a(1)", "keyword number 0 comes next", 2),
        ("<foo>", "no tag <foo>", 1),
        ("a < b", "'<' begins no tag", 3),
        (r"a\b", "a backslash stands before", 2),
        ("<expression> a", "</expression> is missing", 15),
        ("<options> a </options>", "<options> holds", 11),
        ("<options> <choice_1> a", "<choice_0> comes next", 11),
        ("<options> <choice_0> a </options>", "</choice_0> is missing", 24),
        ("<length=x>", "a length is a number", 1),
        ("<length=5..3>", "at least 5 and at most 3", 1),
        ("<length=5> <length=6>", "a second <length=..>", 12),
        ("<options> <choice_0> <length=3>", "<length> cannot stand here", 22),
        ("a </choice_0>", "nothing has been opened", 3),
        ("<expression> a </expression> b", "no place after the end", 30),
    ],
)
def test_errors(markup: str, message: str, column: int) -> None:
    with pytest.raises(GrammarSyntaxError, match=re.escape(message)) as caught:
        rei(markup)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_other_types() -> None:
    with pytest.raises(SpecTypeError):
        rei(3)  # type: ignore[arg-type]
    with pytest.raises(SpecTypeError, match="lone surrogate"):
        rei("\ud800")
