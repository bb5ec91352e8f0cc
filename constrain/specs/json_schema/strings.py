"""Sets of strings: what `type: string`, property names and patterns denote, before any of it is spelled as JSON.

A set is a list of strings, or an intersection of regular languages without a list of strings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, Look, Not, Repeat, Words
from constrain.ir.languages import Languages

ANY_CHARACTER = Chars(((0, 0xD7FF), (0xE000, 0x10FFFF)))
ANY_TEXT = Repeat(ANY_CHARACTER, 0, None)


@dataclass(frozen=True, slots=True, eq=False)
class StringSet:
    """`only` these strings; or, if that is None, those in all of `parts` but not in `but`."""

    only: frozenset[str] | None = None
    but: frozenset[str] = frozenset()
    parts: tuple[Expr, ...] = ()
    of: tuple[tuple[int, bool], ...] = ()
    """Formulas whose strings, or, if the flag is set, whose other strings these are as well; see `resolved`."""

    @property
    def key(self) -> Hashable:
        """Sets with equal keys are equal. (Expressions are compared by identity: hashing one takes long.)"""
        return self.only, self.but, frozenset(map(id, self.parts)), self.of

    @property
    def is_all(self) -> bool:
        """Whether nothing at all is left out."""
        return self.only is None and not (self.but or self.parts or self.of)

    def contains(self, text: str, languages: Languages) -> bool:
        """Whether a string is in the set."""
        assert not self.of
        if self.only is not None:
            return text in self.only
        return text not in self.but and all(languages.accepts(part, text.encode()) for part in self.parts)

    def is_empty(self, languages: Languages) -> bool:
        """Whether there is no string in it."""
        if self.only is not None:
            return not self.only
        return bool(self.parts) and languages.is_empty(self.expr())

    def expr(self) -> Expr:
        """The strings, in UTF-8."""
        if self.only is not None:
            return Words(tuple(word.encode() for word in sorted(self.only)))
        assert not self.of
        parts = list(self.parts) or [ANY_TEXT]
        if self.but:
            parts.append(Not(Words(tuple(word.encode() for word in sorted(self.but)))))
        if len(parts) == 2:
            parts.sort(key=_is_bound)
            return And(tuple(parts), within=_is_bound(parts[1]))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def resolved(self, strings_of: Callable[[int], StringSet], languages: Languages) -> StringSet:
        """The same set without formulas, given the strings of each."""
        known = replace(self, of=())
        for formula, negated in self.of:
            found = strings_of(formula)
            known = intersect(known, complement(found) if negated else found, languages)
        return known


ALL = StringSet()
NONE = StringSet(frozenset())


def words(texts: Iterable[str]) -> StringSet:
    """Exactly these strings; those with a surrogate that stands alone are never written."""
    return StringSet(frozenset(text for text in texts if is_text(text)))


def is_text(text: str) -> bool:
    """Whether a string has a UTF-8 form."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def language(expr: Expr) -> StringSet:
    """The strings that an expression denotes."""
    return StringSet(parts=(expr,))


def intersect(a: StringSet, b: StringSet, languages: Languages) -> StringSet:
    """The strings in both."""
    if a.only is None and b.only is None:
        seen = set(map(id, a.parts))
        return StringSet(None, a.but | b.but, a.parts + tuple(part for part in b.parts if id(part) not in seen))
    if a.only is None:
        a, b = b, a
    assert a.only is not None
    return StringSet(frozenset(text for text in a.only if b.contains(text, languages)))


def complement(a: StringSet) -> StringSet:
    """The strings that are not in it."""
    if a.only is not None:
        return StringSet(but=a.only)
    if not a.parts:
        return StringSet(a.but)
    return StringSet(parts=(_complement(a.parts, a.but),))


def unite(a: StringSet, b: StringSet) -> StringSet:
    """The strings in either."""
    if a.is_all or b.is_all:
        return ALL
    if a.only is not None and b.only is not None:
        return StringSet(a.only | b.only)
    if a.only is None and b.only is None and not a.parts and not b.parts:
        return StringSet(but=a.but & b.but)
    if a.only is not None:
        a, b = b, a
    if b.only is not None:
        if not a.parts or b.only <= a.but:
            return StringSet(None, a.but - b.only, a.parts) if not a.parts else _either(a, b)
        if not b.only:
            return a
    return _either(a, b)


def finite(a: StringSet, most: int, languages: Languages) -> frozenset[str] | None:
    """All strings of the set, if they are at most `most`."""
    if a.only is not None:
        return a.only if len(a.only) <= most else None
    if not a.parts:
        return None
    found = languages.listed(a.expr(), most)
    return None if found is None else frozenset(text.decode() for text in found)


Span = tuple[int, int | None]
"""At least so many characters, and at most so many; None for no end of them."""


def span(expr: Expr, known: dict[int, Span] | None = None) -> Span:
    """How many characters the strings of an expression have; wider where it holds complements.

    >>> span(Repeat(ANY_CHARACTER, 2, 5))
    (2, 5)
    """
    known = {} if known is None else known  # by identity: expressions share parts
    if id(expr) not in known:
        known[id(expr)] = _span(expr, known)
    return known[id(expr)]


def _span(expr: Expr, known: dict[int, Span]) -> Span:
    match expr:
        case Literal(data):
            return (_characters(data), _characters(data))
        case Chars():
            return (1, 1)
        case Words(listed):
            lengths = list(map(_characters, listed))
            return (min(lengths, default=0), max(lengths, default=0))
        case Concat(parts):
            spans = [span(part, known) for part in parts]
            ends = [high for _, high in spans if high is not None]
            return (sum(low for low, _ in spans), sum(ends) if len(ends) == len(spans) else None)
        case Alt(parts):
            spans = [span(part, known) for part in parts]
            ends = [high for _, high in spans if high is not None]
            highest = max(ends, default=0) if len(ends) == len(spans) else None
            return (min((low for low, _ in spans), default=0), highest)
        case And(parts):
            spans = [span(part, known) for part in parts]
            ends = [high for _, high in spans if high is not None]
            return (max((low for low, _ in spans), default=0), min(ends, default=None))
        case Repeat(body, low, high):
            fewest, most = span(body, known)
            longest = 0 if high == 0 or most == 0 else None if high is None or most is None else high * most
            return (low * fewest, longest)
        case Closed(body):
            return span(body, known)
        case Look():
            return (0, 0)
        case _:
            return (0, None)


def _characters(text: bytes) -> int:
    return sum(b & 0xC0 != 0x80 for b in text)


@lru_cache(maxsize=1024)
def of_length(low: int, high: int | None) -> Expr:
    """The strings of `low` to `high` characters."""
    return Repeat(ANY_CHARACTER, low, high)


def _is_bound(expr: Expr) -> bool:
    """Whether it says no more than how many characters there may be."""
    return isinstance(expr, Repeat) and expr.body is ANY_CHARACTER and expr.low == 0


def _either(a: StringSet, b: StringSet) -> StringSet:
    return StringSet(parts=(_union(a, b),))


@lru_cache(maxsize=4096)
def _union(a: StringSet, b: StringSet) -> Expr:
    return Alt((a.expr(), b.expr()))


@lru_cache(maxsize=4096)
def _complement(parts: tuple[Expr, ...], but: frozenset[str]) -> Expr:
    inner = parts[0] if len(parts) == 1 else And(parts)
    outside = And((ANY_TEXT, Not(inner)))
    return Alt((outside, Words(tuple(word.encode() for word in sorted(but))))) if but else outside
