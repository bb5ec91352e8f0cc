r"""Regular expressions of schemas (`pattern`, `patternProperties`) to expressions.

In:  a pattern in the syntax of ECMA-262, as JSON Schema demands.
Out: an expression for the whole strings, in UTF-8, in which the pattern finds a match.

Patterns are read as with the flag `u`: by characters, with `\p{..}`, and `\d` and `\w` for ASCII. Schemas are written
by people who tried them elsewhere, so what `u` forbids is read as without it (annex B) or as in Python and Perl, where
nobody could mean anything else by it: `\_` and `\-`, a `{` or `]` that closes nothing, a hyphen beside a class, octal
escapes, `(?P<name>..)`, `(?i)` and `(?s)` at the start, `\A`, `\Z`, `\z`, `\pL`.

`^` and `$` are the start and the end of the string (Python's `$` also stands before a last newline), lazy quantifiers
equal greedy ones, and groups and their names mean nothing. Surrogates that have no partner are in no string.

Refused, with the position: what is no regular language (backreferences, recursion), what depends on the order in which
a matcher tries things (atomic groups, possessive quantifiers), lookahead inside of lookbehind, and what languages read
differently (`\a`, `\Q`, `x{,3}`, `[[:alpha:]]`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from constrain.errors import GrammarSyntaxError, UnsupportedError
from constrain.ir.expr import NOTHING, Alt, Chars, Concat, Expr, Literal, Look, Ranges, Repeat, concat
from constrain.specs import unicode
from constrain.specs.json_schema import search
from constrain.specs.json_schema.search import END, START
from constrain.specs.json_schema.strings import ANY_CHARACTER
from constrain.specs.source import SourceText

_NEWLINES: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACES = "\t\r| |\u00a0|\u1680|\u2000\u200a|\u2028\u2029|\u202f|\u205f|\u3000|\ufeff"
_SETS: dict[str, Ranges] = {
    "d": ((0x30, 0x39),),
    "s": tuple((ord(pair[0]), ord(pair[-1])) for pair in _SPACES.split("|")),
    "w": _WORD,
}
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "u": re.NOFLAG}
_NOT_ECMA: Ranges = ((0x130, 0x131),)
"""What only `re` takes for a case of i: in ECMA-262 the dotted capital I and the dotless i have no other case."""

_LEADING_FLAGS = re.compile(r"\(\?([imsu]+)\)")
_RUN = re.compile(r"[^\\^$.*+?()\[\]{}|]+")
_QUANTIFIER = re.compile(r"(?:([*+?])|\{([0-9]+)(,([0-9]*))?\})\??")
_BRACES = re.compile(r"\{[0-9]*(?:,[0-9]*)?\}")
_WIDTHLESS = re.compile(r"[\^$]|\\[bBAZz]|\(\?<[=!]")
_GROUP = re.compile(r"\(\?(?:(<?[=!])|P?<[^\W\d][\w$]*>|([ims]*)(?:-([ims]+))?:)")
_BEYOND = re.compile(r"\(\?(?:P[=>]|[R&|(#]|[+-]?[0-9])")
_FLAG_GROUP = re.compile(r"\(\?[a-zA-Z-]+\)")
_CLASS = re.compile(r"\[(?:[^\]\\]|\\.)*\]", re.DOTALL)
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\})")
_PARTNER = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_CONTROL = re.compile(r"\\c([A-Za-z])")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-3][0-7]{2})")
_OCTAL_IN_CLASS = re.compile(r"\\([0-3][0-7]{0,2}|[4-7][0-7]?)")
_PROPERTY = re.compile(r"\\[pP](?:\{([^{}]*)\}|([A-Z]))")
_SURROGATES = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=4096)
def pattern(text: str) -> Expr:
    """The strings in which a pattern finds a match.

    Raises GrammarSyntaxError or UnsupportedError with the position. Equal patterns give the same value.

    >>> pattern("^ab$|^a[c]$")
    Words(words=(b'ab', b'ac'))
    """
    try:
        return search.search(_Parser(text).whole())
    except _Fault as fault:
        source = SourceText("pattern", text)
        error = source.unsupported if fault.unsupported else source.error
        raise error(fault.message, fault.position) from None
    except RecursionError:
        raise UnsupportedError("pattern: groups are nested too deeply") from None


def literal(text: str) -> str | None:
    """The only string in which a pattern finds a match, if there is one; None for all others, faulty ones included.

    >>> literal("^a.b$"), literal("^a[.]b$")
    (None, 'a.b')
    """
    try:
        found = pattern(text)
    except (GrammarSyntaxError, UnsupportedError):
        return None
    return found.data.decode() if isinstance(found, Literal) else None


class _Fault(Exception):
    """Something wrong at an offset of the text that a parser was given."""

    def __init__(self, message: str, position: int, unsupported: bool) -> None:
        super().__init__(message)
        self.message, self.position, self.unsupported = message, position, unsupported


class _Parser:
    """Recursive descent over a pattern, or over one class in brackets. `_at` is the offset of what is read next."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text, self._at, self._flags = text, 0, flags

    def whole(self) -> Expr:
        """The whole pattern; its anchors are `START` and `END`."""
        leading = _LEADING_FLAGS.match(self._text)
        if leading:
            self._at, self._flags = leading.end(), _flags(leading[1])
        expr = self._alternatives()
        if self._at < len(self._text):
            self._fail("unmatched )")
        return expr

    def ranges(self) -> Ranges:
        """A class in brackets."""
        self._at = 1
        negated = self._takes("^")
        found = []
        while not self._takes("]"):
            found.append(self._member())
        ranges = _folded(unicode.union(*found), self._flags)
        return unicode.complement(ranges) if negated else ranges

    def _takes(self, expected: str) -> bool:
        """Read `expected`, if it comes next."""
        if not self._text.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def _fail(self, message: str, at: int | None = None, unsupported: bool = False) -> NoReturn:
        raise _Fault(message, self._at if at is None else at, unsupported)

    # ---- rows and what repeats

    def _alternatives(self) -> Expr:
        parts = [self._row()]
        while self._takes("|"):
            parts.append(self._row())
        return parts[0] if len(parts) == 1 else search.unite(parts)

    def _row(self) -> Expr:
        parts: list[Expr] = []
        text, end = self._text, len(self._text)
        while self._at < end and text[self._at] not in "|)":
            start = self._at
            parts.append(self._atom())
            if self._at < end and text[self._at] in "*+?{":
                parts[-1] = self._repeated(parts[-1], start)
        return concat(parts)

    def _atom(self) -> Expr:
        """Characters, a class, a group or an assertion."""
        run = _RUN.match(self._text, self._at)
        if run:
            return self._characters(run.end())
        char = self._text[self._at]
        if char == "\\":
            return self._escape()
        if char == "[":
            return self._class()
        if char == "(":
            return self._group()
        if char in "*+?{":
            self._refuse_quantifier()
        self._at += 1
        if char == ".":
            return _DOTALL if self._flags & re.DOTALL else _DOT
        if char in "^$":
            return self._line(char)
        return Literal(char.encode())

    def _characters(self, end: int) -> Expr:
        """Characters that stand for themselves, up to `end`; what a quantifier follows is one character."""
        if end - self._at > 1 and self._text[end : end + 1] in ("*", "+", "?", "{"):
            end -= 1
        text, self._at = self._text[self._at : end], end
        if self._flags & re.IGNORECASE:
            return concat([_chars(_folded(((ord(char), ord(char)),), self._flags)) for char in text])
        return NOTHING if _SURROGATES.search(text) else Literal(text.encode())

    def _refuse_quantifier(self) -> None:
        """Raise where something repeats that is not there. A brace may stand for itself."""
        found = _QUANTIFIER.match(self._text, self._at)
        if found:
            self._fail(f"nothing to repeat before {found[0]}")
        braces = _BRACES.match(self._text, self._at)
        if braces and len(braces[0]) > 2:
            self._fail(f"{braces[0]} is read differently by different languages; write {{0,..}} or escape the brace")

    def _repeated(self, body: Expr, start: int) -> Expr:
        """The atom that began at `start` with the quantifier after it, if that is one."""
        found = _QUANTIFIER.match(self._text, self._at)
        if found is None:
            return body
        if _WIDTHLESS.match(self._text, start):
            self._fail(f"{self._text[start : self._at]} has no width: there is nothing to repeat")
        low, high = _bounds(found)
        if high is not None and low > high:
            self._fail(f"the bounds of {found[0]} are out of order")
        self._at = found.end()
        lazy = len(found[0]) > 1 and found[0].endswith("?")
        if self._text.startswith("+", self._at) and not lazy:
            self._fail("possessive quantifiers are not supported; drop the second +", unsupported=True)
        self._refuse_quantifier()
        return body if low == high == 1 else Repeat(body, low, high)

    # ---- groups and assertions

    def _group(self) -> Expr:
        start, flags = self._at, self._flags
        found = _GROUP.match(self._text, start)
        if found is None and self._text.startswith("(?", start):
            self._refuse_group()
        self._at = found.end() if found else start + 1
        if found and (found[2] or found[3]):
            self._flags = (flags | _flags(found[2])) & ~_flags(found[3] or "")
        body = self._alternatives()
        if not self._takes(")"):
            self._fail("( is never closed", start)
        self._flags = flags
        return self._look(found[1], body, start) if found and found[1] else body

    def _refuse_group(self) -> NoReturn:
        opening = self._text[self._at : self._at + 3]
        if opening == "(?>":
            self._fail("atomic groups are not supported; use (?:..)", unsupported=True)
        if _FLAG_GROUP.match(self._text, self._at):
            self._fail("flags are supported at the start, as (?i), and for a group, as (?i:..)", unsupported=True)
        if _BEYOND.match(self._text, self._at):
            self._fail(f"groups that begin with {opening} are not supported", unsupported=True)
        self._fail(f"{opening} begins no group")

    def _look(self, kind: str, body: Expr, start: int) -> Expr:
        behind = kind.startswith("<")
        if behind and _looks_ahead(body):
            self._fail("lookahead, $ or \\b inside of a lookbehind is not supported", start, unsupported=True)
        return Look(body, behind, kind.endswith("!"))

    def _line(self, char: str) -> Expr:
        anchor = START if char == "^" else END
        if not self._flags & re.MULTILINE:
            return anchor
        return Alt((anchor, Look(Chars(_NEWLINES), behind=anchor is START)))

    def _boundary(self, negated: bool) -> Expr:
        """A word on one side and none on the other; negated, the same on both sides."""
        word = _chars(_folded(_WORD, self._flags))
        after, before = Look(word, behind=True), Look(word)
        not_after, not_before = Look(word, behind=True, negated=True), Look(word, negated=True)
        if negated:
            return Alt((Concat((after, before)), Concat((not_after, not_before))))
        return Alt((Concat((after, not_before)), Concat((not_after, before))))

    # ---- classes and escapes

    def _class(self) -> Expr:
        found = _CLASS.match(self._text, self._at)
        if found is None:
            self._fail("[ is never closed")
        try:
            expr = _class(found[0], self._flags)
        except _Fault as fault:
            self._fail(fault.message, self._at + fault.position, fault.unsupported)
        self._at = found.end()
        return expr

    def _member(self) -> Ranges:
        """A character of a class, a range or a set."""
        start = self._at
        if _POSIX.match(self._text, start):
            self._fail("[:..:] is read differently by different languages; use \\p{..}", unsupported=True)
        low = self._bound()
        if not self._text.startswith("-", self._at) or self._text.startswith("-]", self._at):
            return _ranges(low)
        self._at += 1
        high = self._bound()
        if not isinstance(low, int) or not isinstance(high, int):
            return unicode.union(_ranges(low), _ranges(ord("-")), _ranges(high))
        if low > high:
            self._fail(f"the range {self._text[start : self._at]} is out of order", start)
        return ((low, high),)

    def _bound(self) -> int | Ranges:
        """What may bound a range: a character, or a set, which may not."""
        if self._takes("\\b"):
            return 0x08
        if self._text[self._at] == "\\":
            return self._escaped(_OCTAL_IN_CLASS)
        self._at += 1
        return ord(self._text[self._at - 1])

    def _escape(self) -> Expr:
        """What a backslash begins outside of a class."""
        char = self._text[self._at + 1 : self._at + 2]
        if char and char in "bBAZz":
            self._at += 2
            return self._boundary(char == "B") if char in "bB" else START if char == "A" else END
        return _chars(_folded(_ranges(self._escaped(_OCTAL)), self._flags))

    def _escaped(self, octal: re.Pattern[str]) -> int | Ranges:
        """What a backslash and what follows it stand for: a character, or a set of them."""
        char = self._text[self._at + 1 : self._at + 2]
        if char in ("p", "P"):
            return self._property()
        for code in (_CODE, _CONTROL, octal):
            found = code.match(self._text, self._at)
            if found:
                self._at = found.end()
                return self._code(found, code)
        if not char or (char.isascii() and char.isalnum() and char.lower() not in _SETS and char not in _CONTROLS):
            self._refuse_escape(char)
        self._at += 2
        if char.lower() in _SETS:
            ranges = _folded(_SETS[char.lower()], self._flags)
            return unicode.complement(ranges) if char.isupper() else ranges
        return _CONTROLS.get(char, ord(char))

    def _code(self, found: re.Match[str], code: re.Pattern[str]) -> int:
        """The character that an escape names by its code."""
        if code is _CONTROL:
            return ord(found[1]) % 32
        if code is not _CODE:
            return int(found[1], 8)
        value = int(found[1] or found[2] or found[3], 16)
        partner = _PARTNER.match(self._text, self._at) if found[2] and 0xD800 <= value < 0xDC00 else None
        if partner:
            self._at = partner.end()
            return 0x10000 + ((value - 0xD800) << 10) + int(partner[1], 16) - 0xDC00
        if value > unicode.LAST:
            self._fail(f"{found[0]} is not a character", found.start())
        return value

    def _property(self) -> Ranges:
        found = _PROPERTY.match(self._text, self._at)
        if found is None:
            self._fail("\\p needs a property, as in \\p{L} or \\p{Script=Greek}")
        name = found[1] or found[2] or ""
        try:
            ranges = unicode.property_ranges(name)
        except KeyError:
            near = unicode.suggest(name)
            hint = f"; did you mean {', '.join(near[:3])}?" if near else ""
            self._fail(f"unknown Unicode property {name!r}{hint}")
        self._at = found.end()
        return unicode.complement(ranges) if found[0][1] == "P" else ranges

    def _refuse_escape(self, char: str) -> NoReturn:
        if not char:
            self._fail("a backslash at the end")
        if char in "123456789k":
            self._fail("backreferences are not supported: they describe no regular language", unsupported=True)
        needs = {"x": "two hexadecimal digits", "u": "four hexadecimal digits, or {..}", "c": "a letter"}
        if char in needs:
            self._fail(f"\\{char} needs {needs[char]}")
        self._fail(f"\\{char} is no escape of ECMA-262; write {char} for the letter")


@lru_cache(maxsize=4096)
def _class(text: str, flags: int) -> Expr:
    """A class in brackets. The same few are in most patterns."""
    return _chars(_Parser(text, flags).ranges())


def _chars(ranges: Ranges) -> Expr:
    """One character, as a literal if there is only one. Surrogates are no text."""
    ranges = unicode.intersect(ranges, ANY_CHARACTER.ranges)
    if not ranges:
        return NOTHING
    return Literal(chr(ranges[0][0]).encode()) if ranges[0][0] == ranges[-1][1] else Chars(ranges)


_DOT, _DOTALL = _chars(unicode.complement(_NEWLINES)), ANY_CHARACTER


def _ranges(found: int | Ranges) -> Ranges:
    return ((found, found),) if isinstance(found, int) else found


def _folded(ranges: Ranges, flags: int) -> Ranges:
    """The characters that match one in `ranges`."""
    if not flags & re.IGNORECASE:
        return ranges
    others = unicode.complement(_NOT_ECMA)
    closure = unicode.case_closure(unicode.intersect(ranges, others))
    return unicode.union(unicode.intersect(closure, others), unicode.intersect(ranges, _NOT_ECMA))


def _flags(letters: str) -> int:
    flags = 0
    for letter in letters:
        flags |= _FLAGS[letter]
    return flags


def _bounds(quantifier: re.Match[str]) -> tuple[int, int | None]:
    """Least and greatest count."""
    sign, low, more, high = quantifier.groups()
    if sign:
        return (1 if sign == "+" else 0), (1 if sign == "?" else None)
    return int(low), int(high) if high else (None if more else int(low))


def _looks_ahead(expr: Expr) -> bool:
    match expr:
        case Look(behind=behind):
            return not behind
        case Concat(parts) | Alt(parts):
            return any(map(_looks_ahead, parts))
        case Repeat(body):
            return _looks_ahead(body)
    return False
