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

from constrain.frontends.json_schema.strings import ANY_TEXT
from constrain.frontends.regex import parse_regex
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
    Ranges,
    Repeat,
    Words,
    alt,
    concat,
    optional,
)

_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_QUOTE = Literal(b'"')
_HIGHEST = 0xFFFF
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
    if char in _SHORT and char != "/":
        return Literal(b"\\" + _SHORT[char].encode())
    if " " <= char <= "~":
        return Literal(char.encode())
    return spelled_character(char)


@lru_cache(maxsize=10_000)
def spelled_characters(ranges: Ranges) -> Expr:
    """Characters of some ranges, in every way to write them."""
    found: list[Expr] = []
    plain = _without(ranges, ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)))
    if plain:
        found.append(Chars(plain))
    short = sorted(ord(name) for char, name in _SHORT.items() if _has(ranges, ord(char)))
    escapes: list[Expr] = [Chars(tuple((code, code) for code in short))] if short else []
    units = [_hex(max(low, 0), min(high, _HIGHEST)) for low, high in ranges if low <= _HIGHEST]
    pairs = [_pairs(max(low, 0x10000), high) for low, high in ranges if high > _HIGHEST]
    coded = [part for parts in (units, pairs) for part in parts]
    if coded:
        escapes.append(concat([Literal(b"u"), alt(coded)]))
    found.append(concat([Literal(b"\\"), alt(escapes)]))
    return alt(found)


def _hex(low: int, high: int) -> Expr:
    """Four hexadecimal digits from `low` to `high`, surrogates left out."""
    parts = [(low, min(high, 0xD7FF)), (max(low, 0xE000), high)]
    return alt([_digits(a, b, 4) for a, b in parts if a <= b])


def _pairs(low: int, high: int) -> Expr:
    """The surrogate pairs of characters beyond U+FFFF."""
    low, high = low - 0x10000, high - 0x10000
    first, last = low >> 10, high >> 10
    if first == last:
        return _pair(first, first, low & 0x3FF, high & 0x3FF)
    parts = [_pair(first, first, low & 0x3FF, 0x3FF), _pair(last, last, 0, high & 0x3FF)]
    return alt([*parts, _pair(first + 1, last - 1, 0, 0x3FF)] if first + 1 < last else parts)


def _pair(first: int, last: int, low: int, high: int) -> Expr:
    return concat([_digits(0xD800 + first, 0xD800 + last, 4), Literal(b"\\u"), _digits(0xDC00 + low, 0xDC00 + high, 4)])


@lru_cache(maxsize=50_000)
def _digits(low: int, high: int, width: int) -> Expr:
    """Hexadecimal numbers of `width` digits from `low` to `high`, in either case."""
    if width == 0:
        return EPSILON
    unit = 16 ** (width - 1)
    first, last = low // unit, high // unit
    if first == last:
        return concat([_nibbles(first, first), _digits(low - first * unit, high - first * unit, width - 1)])
    full = _digits(0, unit - 1, width - 1)
    if low % unit == 0 and high % unit == unit - 1:
        return concat([_nibbles(first, last), full if width > 1 else EPSILON])
    parts = [
        concat([_nibbles(first, first), _digits(low % unit, unit - 1, width - 1)]),
        concat([_nibbles(last, last), _digits(0, high % unit, width - 1)]),
    ]
    if first + 1 < last:
        parts.append(concat([_nibbles(first + 1, last - 1), full]))
    return alt(parts)


def _nibbles(first: int, last: int) -> Expr:
    """One hexadecimal digit of these values."""
    codes = sorted({ord(char) for value in range(first, last + 1) for char in f"{value:x}{value:X}"})
    return Chars(_ranges(codes))


def _ranges(codes: list[int]) -> Ranges:
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return tuple(found)


def _has(ranges: Ranges, code: int) -> bool:
    return any(low <= code <= high for low, high in ranges)


def _without(ranges: Ranges, others: Ranges) -> Ranges:
    left = list(ranges)
    for first, last in others:
        left = [
            (low, high) for a, b in left for low, high in ((a, min(b, first - 1)), (max(a, last + 1), b)) if low <= high
        ]
    return tuple(left)


BODY = Repeat(spelled_characters(((0, 0xD7FF), (0xE000, 0x10FFFF))), 0, None)
"""What may stand between the quotes of a JSON string."""

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
