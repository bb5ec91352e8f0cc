r"""Patterns of schemas against `regress`, an engine for ECMA-262, and against `re` where both mean the same."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Language, examples, texts_near

from constrain import Limits
from constrain.ir.expr import Closed, Concat, Expr
from constrain.ir.semantics import accepts
from constrain.specs.json_schema import search
from constrain.specs.json_schema.patterns import pattern
from constrain.specs.json_schema.strings import ANY_TEXT

LIMITS = Limits(search=50_000)
CHARS = "abkK1_- \n\u2028\ufeff.éßſK日٣😀"

_ATOMS = ["a", "b", "ab", "k", "é", "日", "😀", "1", "_", "-", " ", ".", ".", "[^]", "[]", r"\d", r"\D", r"\w", r"\W"]
_ATOMS += [r"\s", r"\S", r"\.", r"\n", r"\cJ", r"\x61", r"\u0061", r"\u{1F600}", r"\uD83D\uDE00", r"\0"]
_ATOMS += [r"\p{L}", r"\P{L}", r"\p{Script=Han}", r"\/"]
_CLASS_ITEMS = ["a", "b", "k", "é", "ß", "1", "_", " ", ".", "a-c", "A-Z", "0-9", "à-ÿ", "日-龠", "😀", "$", "(", "|"]
_CLASS_ITEMS += [r"\d", r"\w", r"\s", r"\D", r"\S", r"\n", r"\]", r"\\", r"\-", r"\x61", r"\u00e9", r"\b", r"\p{Lu}"]
_CLASS_ITEMS += [r"\uD83D\uDE00", r"\u{61}-\u{63}", r"\uD800-\uDFFF", r"\^"]
_QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0}", "{1,}", "{0,2}", "{1,2}?", "{1}"]
_ANCHORS = ["^", "$", "^", "$", r"\b", r"\B"]
_BEHIND = ["a", "b", ".", r"\w", "[ab]", "é", "ab", "^a", "^", r"[^\d]", "a|^", "a*b"]


@st.composite
def classes(draw: st.DrawFn) -> str:
    """A class in brackets."""
    items = draw(st.lists(st.sampled_from(_CLASS_ITEMS), max_size=3))
    return "[" + draw(st.sampled_from(["", "", "^"])) + "".join(items) + draw(st.sampled_from(["", "", "-"])) + "]"


@st.composite
def ecma_patterns(draw: st.DrawFn, depth: int = 3, shared: bool = False) -> str:
    """Patterns with the flag `u`. `shared`: only such as mean the same to `re`, for texts of ASCII without newlines."""
    inner = ecma_patterns(depth - 1, shared)
    atoms = [atom for atom in _ATOMS if not shared or not re.match(r"\\[pPuc0]|\[", atom)]
    choices: list[Callable[[], str]] = [lambda: draw(st.sampled_from(atoms)), lambda: draw(st.sampled_from(atoms))]
    choices.append(lambda: draw(st.sampled_from(_ANCHORS)))
    if not shared:
        choices += [
            lambda: draw(classes()),
            lambda: f"(?<{draw(st.sampled_from('=!'))}{draw(st.sampled_from(_BEHIND))})",
        ]
    if depth > 0:
        choices += [
            lambda: "".join(draw(st.lists(inner, min_size=2, max_size=3))),
            lambda: "".join(draw(st.lists(inner, min_size=2, max_size=3))),
            lambda: f"^{draw(inner)}$",
            lambda: f"(?:{draw(inner)}|{draw(inner)})",
            lambda: f"(?:{draw(inner)}|)",
            lambda: f"({draw(inner)}){draw(st.sampled_from(_QUANTIFIERS))}",
            lambda: f"(?:{draw(inner)}){draw(st.sampled_from(_QUANTIFIERS))}",
            lambda: f"(?{draw(st.sampled_from('=!'))}{draw(inner)})",
        ]
    return choices[draw(st.integers(0, len(choices) - 1))]()


_top = st.builds("|".join, st.lists(ecma_patterns(), min_size=1, max_size=2))
seeds = st.integers(0, 2**32)


def language(text: str) -> Language:
    return Language(pattern(text), limits=LIMITS)


def texts_for(engine: Language, rng: random.Random, alphabet: str = CHARS) -> list[str]:
    """Texts of the language, texts near it, and others."""
    texts = texts_near(engine, rng, alphabet, rounds=8, altered=3)
    return sorted(text for text in texts if all(map(is_known, text)))


def is_known(char: str) -> bool:
    """Whether Unicode has long had the character: engines follow different versions."""
    return unicodedata.category(char) != "Cn"


def compare(text: str, finds: Callable[[str], Any], texts: list[str], engine: Language | None = None) -> None:
    engine = engine or language(text)
    for candidate in texts:
        assert engine.accepts(candidate.encode()) == (finds(candidate) is not None), (text, candidate)


# ---- against an engine for ECMA-262


def ecma(text: str, flags: str = "") -> Callable[[str], Any]:
    """What finds a pattern as ECMA-262 reads it."""
    found: Callable[[str], Any] = pytest.importorskip("regress").Regex(text, flags).find
    return found


@examples(600)
@given(_top, seeds)
def test_what_is_found_is_found_by_ecma_262(text: str, seed: int) -> None:
    engine = language(text)
    compare(text, ecma(text, "u"), texts_for(engine, random.Random(seed)), engine)


@examples(150)
@given(_top, seeds)
def test_with_case_ignored(text: str, seed: int) -> None:
    engine = language(f"(?i){text}")
    texts = texts_for(engine, random.Random(seed))
    compare(f"(?i){text}", ecma(text, "iu"), texts, engine)


ANNEX_B = [
    r"^\_\@\-\/$",
    r"^\é$",
    "^a]}$",
    "^{$",
    "^a{b}$",
    "^a{}$",
    "^{a}{2}$",
    "^a{1$",
    "^a{1,b}",
    r"^[\w-.]$",
    r"^[a-\d]$",
    r"^[\d-z]+$",
    r"^\012$",
    r"^\101$",
    r"^\08$",
    r"^[\1\07]$",
    r"^[\47-\57]$",
    "^(?=a)*b$",
    "^(?!a){2}b$",
]


@pytest.mark.parametrize("text", ANNEX_B)
def test_what_the_flag_u_forbids_is_read_as_without_it(text: str) -> None:
    finds, engine, rng = ecma(text), language(text), random.Random(0)
    assert engine.sample(rng) is not None
    texts = [one for one in texts_for(engine, rng, "ab{}]_@-/.1é\x01\x07\n'(A0w") if max(one, default="") < "\u1000"]
    compare(text, finds, texts, engine)


# ---- against `re`


@examples(300)
@given(ecma_patterns(shared=True), st.sampled_from(["", "(?i)", "(?s)", "(?is)"]), seeds)
def test_what_is_found_in_ascii_is_found_by_re(text: str, flags: str, seed: int) -> None:
    engine = language(flags + text)
    texts = texts_for(engine, random.Random(seed), "abkK1_- .x")
    plain = [one for one in texts if one.isascii() and one.isprintable() and (one or r"\B" not in text)]
    compare(flags + text, re.compile(flags + text).search, plain, engine)  # `re` errs on \B in the empty text


# ---- against the definition of expressions


@examples(150)
@given(ecma_patterns(depth=2), st.lists(st.text("ab1_ \né😀", max_size=5), max_size=6))
def test_what_is_taken_out_of_a_search_changes_nothing(text: str, candidates: list[str]) -> None:
    plain = Closed(Concat((ANY_TEXT, parsed(text), ANY_TEXT)))
    for candidate in candidates:
        data = candidate.encode()
        assert accepts(pattern(text), data) == accepts(plain, data), candidate


def parsed(text: str) -> Expr:
    """A pattern as it is read, before it is made a search."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "search", lambda expr: expr)
        return pattern.__wrapped__(text)
