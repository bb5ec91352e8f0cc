r"""Regular expressions in Python's syntax to expressions.

In:  a pattern as the `re` module reads it, plus `\p{..}` and `\P{..}`. The whole output has to match.
Out: a `constrain.ir.expr` value.

The parser is the standard library's (`re._parser`): it *is* the definition of the syntax, flags and error positions
included. (interegular has its own, which knows neither lookbehind in general nor Unicode classes; it serves the tests
as an oracle.) The module is private to Python, so that only this file touches it.

What differs from `re`, because it means the same or more for a whole match:
* lazy quantifiers equal greedy ones, groups and their names are ignored; lookbehind may have any width;
* `\B` is exactly "not `\b`" (before Python 3.14, `re` refuses it on the empty string).

Refused, with the position: backreferences to a group that can match more than `MAX_REFERENCES` strings or whose group
does not always take part (no regular language), conditional groups, atomic groups and possessive quantifiers (they
forbid what later parts need), lookahead inside lookbehind, the LOCALE flag.
"""

from __future__ import annotations

import itertools
import re
import re._constants as sre
import re._parser as parser
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from constrain.errors import ConstrainError, GrammarSyntaxError, UnsupportedError, caret
from constrain.ir.expr import NOTHING, Chars, Closed, Expr, Literal, Look, Ranges, Repeat, Words, alt, concat
from constrain.specs import unicode

MAX_REFERENCES = 256
"""Most strings of a group that a backreference is spelled out for."""

_META = frozenset("\\.^$*+?{}[]()")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE: Ranges = ((0x0A, 0x0A),)
_ASCII: dict[str, Ranges] = {
    "digit": ((0x30, 0x39),),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "word": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
}
_UNICODE = {"digit": unicode.digit, "space": unicode.space, "word": unicode.word}
_TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE


@lru_cache(maxsize=4096)
def parse_regex(pattern: str, flags: int = 0) -> Expr:
    r"""The expression that denotes the strings which `pattern` matches as a whole.

    Raises GrammarSyntaxError or UnsupportedError with the position.

    >>> parse_regex("a|bc")
    Words(words=(b'a', b'bc'))
    """
    if not flags and "|" in pattern and not _META & set(pattern) and not _SURROGATE.search(pattern):
        return _words([Literal(word.encode()) for word in pattern.split("|")])
    plain, properties = _set_properties_aside(pattern)
    try:
        tree = parser.parse(plain, flags)
        lowering = _Lowering(pattern, properties, tree.state.groupdict)
        return Closed(lowering.sequence(list(tree), tree.state.flags, {}))
    except re.error as error:
        raise _syntax_error(pattern, properties, error) from None
    except (OverflowError, ValueError) as error:  # a count or flags that `re` does not take
        if isinstance(error, ConstrainError):
            raise
        raise GrammarSyntaxError(f"regex: {error}", excerpt=caret(pattern, 0)) from None
    except RecursionError:
        raise UnsupportedError("regex: groups are nested too deeply for Python's parser") from None


class _Lowering:
    """Syntax tree to expression, for one pattern."""

    def __init__(self, pattern: str, properties: Mapping[int, Ranges], names: Mapping[str, int]) -> None:
        self._pattern = pattern
        self._properties = properties
        self._names = names
        self._lookbehinds = 0  # met so far, to tell which one an error is about

    def sequence(self, items: list[Any], flags: int, groups: Mapping[int, str]) -> Expr:
        """Items in a row. `groups` are the strings of groups that backreferences below stand for."""
        for i, (op, av) in enumerate(items):
            if op is sre.SUBPATTERN and av[0] is not None and av[0] not in groups and _refers(items[i + 1 :], av[0]):
                strings = self._strings(av[0], list(av[3]), _scoped(flags, av[1], av[2]))
                return alt([self.sequence(items, flags, {**groups, av[0]: string}) for string in strings])
        return concat([self._item(op, av, flags, groups) for op, av in items])

    def _item(self, op: Any, av: Any, flags: int, groups: Mapping[int, str]) -> Expr:
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            return _chars(self._char_ranges(op, av, flags))
        if op is sre.BRANCH:
            return _words([self.sequence(list(branch), flags, groups) for branch in av[1]])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, body = av
            return Repeat(self.sequence(list(body), flags, groups), low, None if high is sre.MAXREPEAT else high)
        if op is sre.SUBPATTERN:
            group, added, removed, body = av
            inner = _scoped(flags, added, removed)
            if group in groups:
                return Literal(groups[group].encode())
            return self.sequence(list(body), inner, groups)
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            return self._look(av[0] < 0, op is sre.ASSERT_NOT, list(av[1]), flags, groups)
        if op is sre.AT:
            return self._anchor(av, flags)
        if op is sre.GROUPREF and av in groups:
            return concat([_chars(_referred(ord(char), flags)) for char in groups[av]])
        raise self._unsupported(op, av)

    def _look(self, behind: bool, negated: bool, body: list[Any], flags: int, groups: Mapping[int, str]) -> Expr:
        self._lookbehinds += behind
        if behind and _looks_ahead(body):
            raise UnsupportedError(
                "regex: lookahead, $ or \\b inside of a lookbehind is not supported",
                **self._at(r"\(\?<[=!]", self._lookbehinds),
            )
        return Look(self.sequence(body, flags, groups), behind, negated)

    def _anchor(self, where: Any, flags: int) -> Expr:
        newline, end = Chars(_NEWLINE), Look(_any_char(), negated=True)
        start = Look(_any_char(), behind=True, negated=True)
        if where is sre.AT_BEGINNING and flags & re.MULTILINE:
            return alt([start, Look(newline, behind=True)])
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return start
        if where is sre.AT_END and flags & re.MULTILINE:
            return alt([end, Look(newline)])
        if where is sre.AT_END:
            return alt([end, Look(concat([newline, end]))])
        if where is sre.AT_END_STRING:
            return end
        word = Chars(self._category("word", flags))
        return _boundary(word, where is sre.AT_NON_BOUNDARY)

    def _char_ranges(self, op: Any, av: Any, flags: int) -> Ranges:
        if op is sre.ANY:
            return ((0, unicode.LAST),) if flags & re.DOTALL else unicode.complement(_NEWLINE)
        items = av if op is sre.IN else [(sre.LITERAL, av)]
        negated = op is sre.NOT_LITERAL or items[0][0] is sre.NEGATE
        classes = [self._member(kind, value, flags) for kind, value in items if kind is sre.CATEGORY]
        listed = [self._member(kind, value, flags) for kind, value in items if kind in (sre.LITERAL, sre.RANGE)]
        ranges = unicode.union(*listed)
        if flags & re.IGNORECASE:  # which says nothing about \\w, \\d and \\s
            ranges = _ascii_closure(ranges) if flags & re.ASCII else unicode.case_closure(ranges)
        ranges = unicode.union(ranges, *classes)
        return unicode.complement(ranges) if negated else ranges

    def _member(self, kind: Any, value: Any, flags: int) -> Ranges:
        if kind is sre.LITERAL:
            return self._properties.get(value, ((value, value),))
        if kind is sre.RANGE:
            if value[0] in self._properties or value[1] in self._properties:
                found = re.search(r"(?<=-)\\[pP]|\\[pP](?=(?:\{[^{}]*\}|[A-Za-z])-)", self._pattern)
                at = found.start() if found else 0
                message = "regex: a \\p{..} class cannot bound a range"
                raise UnsupportedError(message, position=at, excerpt=caret(self._pattern, at))
            return (value,)
        name = str(value).removeprefix("CATEGORY_").lower()
        ranges = self._category(name.removeprefix("not_"), flags)
        return unicode.complement(ranges) if name.startswith("not_") else ranges

    def _category(self, name: str, flags: int) -> Ranges:
        return _ASCII[name] if flags & re.ASCII else _UNICODE[name]()

    def _strings(self, group: int, body: list[Any], flags: int) -> list[str]:
        """All strings of a group that is referred to."""
        try:
            strings = list(itertools.islice(self._enumerate(body, flags), MAX_REFERENCES + 1))
        except _Endless:
            strings = []
        if not 0 < len(strings) <= MAX_REFERENCES:
            raise UnsupportedError(
                f"regex: group {group} is referred to and can match more than {MAX_REFERENCES} strings: "
                "no regular language. Write out the alternatives, or drop the backreference",
                **self._at(self._reference(group)),
            )
        return list(dict.fromkeys(strings))

    def _enumerate(self, items: list[Any], flags: int) -> Iterator[str]:
        """The strings of a sequence without endless repetition or assertions."""
        if not items:
            yield ""
            return
        op, av = items[0]
        for first in self._choices(op, av, flags):
            for tail in self._enumerate(items[1:], flags):
                yield first + tail

    def _choices(self, op: Any, av: Any, flags: int) -> Iterator[str]:
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            ranges = unicode.intersect(self._char_ranges(op, av, flags), unicode.complement(()))
            if sum(high - low + 1 for low, high in ranges) > MAX_REFERENCES:
                raise _Endless
            for low, high in ranges:
                yield from map(chr, range(low, high + 1))
        elif op is sre.BRANCH:
            for branch in av[1]:
                yield from self._enumerate(list(branch), flags)
        elif op is sre.SUBPATTERN:
            yield from self._enumerate(list(av[3]), _scoped(flags, av[1], av[2]))
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and av[1] is not sre.MAXREPEAT and av[1] <= MAX_REFERENCES:
            for count in range(av[0], av[1] + 1):
                yield from self._enumerate(list(av[2]) * count, flags)
        else:
            raise _Endless

    def _reference(self, group: int) -> str:
        """A regex for references to a group."""
        names = [re.escape(name) for name, number in self._names.items() if number == group]
        return "|".join([rf"\\{group}(?!\d)", *(rf"\(\?P={name}\)" for name in names)])

    def _unsupported(self, op: Any, av: Any) -> UnsupportedError:
        if op is sre.GROUPREF:
            return UnsupportedError(
                f"regex: backreference to group {av}, which does not always take part before it: not supported. "
                "Write out the alternatives",
                **self._at(self._reference(av)),
            )
        if op is sre.GROUPREF_EXISTS:
            return UnsupportedError("regex: conditional groups (?(1)..|..) are not supported", **self._at(r"\(\?\("))
        if op is sre.ATOMIC_GROUP:
            return UnsupportedError("regex: atomic groups (?>..) are not supported; use (?:..)", **self._at(r"\(\?>"))
        return UnsupportedError(
            "regex: possessive quantifiers are not supported; drop the second '+'", **self._at(r"[*+?}]\+")
        )

    def _at(self, construct: str, nth: int = 1) -> dict[str, Any]:
        """Position and excerpt of the nth `construct` (a regex) that is neither escaped nor in a class."""
        skip = r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\[^1-9pP]"
        found = re.finditer(f"({construct})|{skip}", self._pattern, re.DOTALL)
        starts = [one.start() for one in found if one.group(1) is not None]
        if not starts:
            return {}
        at = starts[min(nth, len(starts)) - 1]
        return {"position": at, "excerpt": caret(self._pattern, at)}


class _Endless(Exception):
    """A group has too many strings to enumerate."""


def _children(op: Any, av: Any) -> list[list[Any]]:
    if op is sre.BRANCH:
        return [list(branch) for branch in av[1]]
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        return [list(av[2])]
    if op is sre.SUBPATTERN:
        return [list(av[3])]
    if op in (sre.ASSERT, sre.ASSERT_NOT):
        return [list(av[1])]
    return [list(av)] if op is sre.ATOMIC_GROUP else []


def _refers(items: list[Any], group: int) -> bool:
    return any(
        (op is sre.GROUPREF and av == group) or any(_refers(child, group) for child in _children(op, av))
        for op, av in items
    )


def _looks_ahead(items: list[Any]) -> bool:
    behind_only = (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING)
    return any(
        (op in (sre.ASSERT, sre.ASSERT_NOT) and av[0] > 0)
        or (op is sre.AT and av not in behind_only)
        or any(_looks_ahead(child) for child in _children(op, av))
        for op, av in items
    )


def _scoped(flags: int, added: int, removed: int) -> int:
    if added & _TYPE_FLAGS:
        flags &= ~_TYPE_FLAGS
    return (flags | added) & ~removed


def _boundary(word: Expr, negated: bool) -> Expr:
    """A word on one side and none on the other; negated, the same on both sides."""
    after, before = Look(word, behind=True), Look(word)
    not_after, not_before = Look(word, behind=True, negated=True), Look(word, negated=True)
    if negated:
        return alt([concat([after, before]), concat([not_after, not_before])])
    return alt([concat([after, not_before]), concat([not_after, before])])


def _referred(code: int, flags: int) -> Ranges:
    """What a backreference to a character matches: under IGNORECASE, what has the same lower case."""
    single: Ranges = ((code, code),)
    if not flags & re.IGNORECASE:
        return single
    closure = _ascii_closure(single) if flags & re.ASCII else unicode.case_closure(single)
    alike = [c for low, high in closure for c in range(low, high + 1) if chr(c).lower() == chr(code).lower()]
    return unicode.union(*(((c, c),) for c in alike))


def _any_char() -> Expr:
    return Chars(((0, unicode.LAST),))


def _chars(ranges: Ranges) -> Expr:
    """One character, as a literal if there is only one. Surrogates are no text."""
    ranges = unicode.intersect(ranges, unicode.complement(()))
    if not ranges:
        return NOTHING
    return Literal(chr(ranges[0][0]).encode()) if ranges[0][0] == ranges[-1][1] else Chars(ranges)


def _words(parts: list[Expr]) -> Expr:
    """Alternatives; a list of literals is kept as one."""
    words = [part.data for part in parts if isinstance(part, Literal)]
    return Words(tuple(dict.fromkeys(words))) if len(words) == len(parts) > 1 else alt(parts)


def _ascii_closure(ranges: Ranges) -> Ranges:
    """Both cases of the ASCII letters in `ranges`, and the rest of it."""
    letters = [chr(c) for c in (*range(0x41, 0x5B), *range(0x61, 0x7B)) if any(a <= c <= b for a, b in ranges)]
    return unicode.union(ranges, *(((ord(c.swapcase()), ord(c.swapcase())),) for c in letters))


_PROPERTY = re.compile(r"\\\\|\\([pP])(?:\{(\^?)([^{}]*)\}|([A-Za-z]))?", re.DOTALL)


def _set_properties_aside(pattern: str) -> tuple[str, dict[int, Ranges]]:
    r"""Put an unused surrogate, which no text holds, in the place of each `\p{..}`: (pattern, what they stand for)."""
    if "\\p" not in pattern and "\\P" not in pattern:
        return pattern, {}
    lower = pattern.lower()
    unused = (c for c in range(0xDFFF, 0xD7FF, -1) if chr(c) not in pattern and f"{c:04x}" not in lower)
    properties: dict[int, Ranges] = {}

    def replace(found: re.Match[str]) -> str:
        if not found.group(1) or not (found.group(3) or found.group(4)):
            return found.group()
        ranges = _property(pattern, found)
        code = next(unused)
        properties[code] = ranges
        return chr(code)

    return _PROPERTY.sub(replace, pattern), properties


def _property(pattern: str, found: re.Match[str]) -> Ranges:
    name = found.group(3) or found.group(4)
    try:
        ranges = unicode.property_ranges(name)
    except KeyError:
        near = unicode.suggest(name)
        hint = f"; did you mean {', '.join(near[:3])}?" if near else ""
        message = f"regex: unknown Unicode property {name!r}{hint}"
        raise _located(message, pattern, found.start(), near) from None
    negated = (found.group(1) == "P") != (found.group(2) == "^")
    return unicode.complement(ranges) if negated else ranges


def _syntax_error(pattern: str, properties: Mapping[int, Ranges], error: re.error) -> GrammarSyntaxError:
    """The parser's error, at its place in the pattern as it was written."""
    position = error.pos or 0
    if properties:
        offsets = _written_offsets(pattern)
        position = offsets[min(position, len(offsets) - 1)]
    message = f"regex: {error.msg}"
    if error.msg in (r"bad escape \p", r"bad escape \P"):
        message = "regex: \\p needs a property, as in \\p{L} or \\p{Script=Greek}"
    return _located(message, pattern, position)


def _located(message: str, pattern: str, position: int, expected: Sequence[str] = ()) -> GrammarSyntaxError:
    before = pattern[:position]
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    message = f"{message} at line {line}, column {column}"
    excerpt = caret(pattern, position)
    return GrammarSyntaxError(message, line=line, column=column, excerpt=excerpt, expected=expected)


def _written_offsets(pattern: str) -> list[int]:
    """Offset in `pattern` of each character after properties were set aside."""
    offsets: list[int] = []
    at = 0
    for found in _PROPERTY.finditer(pattern):
        offsets += range(at, found.start())
        aside = found.group(1) and (found.group(3) or found.group(4))
        offsets += [found.start()] if aside else range(found.start(), found.end())
        at = found.end()
    return [*offsets, *range(at, len(pattern) + 1)]
