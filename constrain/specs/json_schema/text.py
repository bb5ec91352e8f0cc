"""JSON as text: how strings are spelled, and where whitespace may stand (RFC 8259).

A language of strings becomes the language of their spellings: every character as itself or as an escape, `\\uXXXX`
included, characters beyond U+FFFF as pairs of these. Spelling goes character by character, so it commutes with
everything that expressions are made of; only what a complement is taken from has to be said. Surrogates that stand
alone have no UTF-8 form and are never written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

from constrain.ir.expr import (
    EPSILON,
    Alt,
    And,
    Anything,
    Chars,
    Closed,
    Concat,
    Expr,
    Literal,
    Look,
    Not,
    Repeat,
    Words,
    alt,
    concat,
    optional,
)
from constrain.ir.json_text import BODY, SHORT, spelled_characters
from constrain.specs.json_schema.strings import ANY_TEXT
from constrain.specs.regex import parse_regex

_QUOTE = Literal(b'"')
_SIMPLE = re.compile(r"[ !#-\[\]-~]*")
_REMEMBERED = 20_000


class Speller:
    """Spells expressions; those that are the same value are spelled once. Listed strings in every way, or plainly."""

    def __init__(self, every_way: bool) -> None:
        self.text = spelled_text if every_way else plain_text
        self._every_way = self if every_way else Speller(every_way=True)
        self._known: dict[int, tuple[Expr, Expr]] = {}

    def string(self, expr: Expr) -> Expr:
        """The JSON strings, quotes included, whose values an expression denotes."""
        return Concat((_QUOTE, Closed(self.spelled(expr)), _QUOTE))

    def spelled(self, expr: Expr) -> Expr:
        """The spellings of the strings that an expression denotes, without quotes."""
        known = self._known.get(id(expr))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[id(expr)] = expr, self._spell(expr)
        return known[1]

    def _spell(self, expr: Expr) -> Expr:
        spell = self.spelled
        if expr is ANY_TEXT:
            return BODY
        match expr:
            case Literal(data):
                return spelled_text(data.decode())
            case Words(words):
                return self._words(words)
            case Chars(ranges):
                return spelled_characters(ranges)
            case Anything():
                return BODY
            case Concat(parts):
                return Concat(tuple([spell(part) for part in parts]))
            case Alt(parts):
                return Alt(tuple([spell(part) for part in parts]))
            case And(parts, within):
                return And(tuple([spell(part) for part in parts]), within)
            case Not(body):
                return And((BODY, Not(self._every_way.spelled(body))))  # what is left out is so however it is spelled
            case Repeat(body, low, high):
                return Repeat(spell(body), low, high)
            case Closed(body):
                return Closed(spell(body))
            case Look(body, behind, negated):
                return Look(spell(body), behind, negated)
            case _:
                raise AssertionError(f"{type(expr).__name__} is not about characters")

    def _words(self, words: tuple[bytes, ...]) -> Expr:
        """Strings spelled alike wherever possible stay a list, which is built as a tree of common beginnings."""
        spelled = [self.text(word.decode()) for word in words]
        plain = [each.data for each in spelled if isinstance(each, Literal)]
        others = [each for each in spelled if not isinstance(each, Literal)]
        return alt([Words(tuple(plain)), *others]) if plain else alt(others)


@lru_cache(maxsize=50_000)
def spelled_character(char: str) -> Expr:
    """One character, in every way to write it."""
    return spelled_characters(((ord(char), ord(char)),))


def spelled_text(text: str) -> Expr:
    """One string, in every way to write it."""
    if len(text) == 1:
        return spelled_character(text)
    return Concat(tuple([spelled_character(char) for char in text])) if text else EPSILON


def spelled_texts(texts: Iterable[str]) -> Expr:
    """Any of some strings, in every way to write them, as a tree of common beginnings."""
    return _tree(sorted(set(texts)), 0)


def _tree(texts: list[str], depth: int) -> Expr:
    """The ends, from `depth` on, of sorted strings that begin alike."""
    if len(texts) == 1:
        return spelled_text(texts[0][depth:])
    parts: list[Expr] = [EPSILON] if len(texts[0]) == depth else []
    for char, group in groupby((text for text in texts if len(text) > depth), key=lambda text: text[depth]):
        parts.append(concat([spelled_character(char), _tree(list(group), depth + 1)]))
    return alt(parts)


def plain_text(text: str) -> Expr:
    """One string as JSON writes it: escapes where they must be, or instead of what is not ASCII."""
    if _SIMPLE.fullmatch(text):
        return Literal(text.encode())
    return concat([_plain_character(char) for char in text])


@lru_cache(maxsize=50_000)
def _plain_character(char: str) -> Expr:
    if char in SHORT and char != "/":
        return Literal(b"\\" + SHORT[char].encode())
    if " " <= char <= "~":
        return Literal(char.encode())
    return spelled_character(char)


_SPACE, _BREAK = Literal(b" "), Literal(b"\n")
_INDENTED = concat([_BREAK, alt([Repeat(_SPACE, 0, 64), Repeat(Literal(b"\t"), 1, 16)])])


class Layout:
    """Where whitespace may stand, and how much of it."""

    def __init__(self, inside: Expr, after_colon: Expr, before: Expr) -> None:
        self.inside = inside
        """After `{`, `[` and `,`, and before `}` and `]`."""
        self.after_colon = after_colon
        self.before = before
        """Before `,` and `:`."""


_SPACES = Repeat(Chars(((0x9, 0xA), (0xD, 0xD), (0x20, 0x20))), 0, None)
LAYOUTS = {
    "bounded": Layout(optional(alt([_SPACE, _INDENTED])), optional(_SPACE), EPSILON),
    "compact": Layout(EPSILON, EPSILON, EPSILON),
    "flexible": Layout(_SPACES, _SPACES, _SPACES),
}


@lru_cache(maxsize=64)
def spaced(pattern: str) -> Layout:
    """Whitespace by a regular expression, wherever it may stand; nothing but whitespace of JSON counts."""
    space = And((Closed(parse_regex(pattern, 0)), _SPACES))
    return Layout(space, space, space)
