r"""Grammars in llama.cpp's GBNF to grammars as values.

In:  a text as llama.cpp reads it (https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md).
Out: a `constrain.ir.grammar.Grammar`, read without longest match.

GBNF has characters and rules, no terminals. So that rules stay few, what stands together without a call of a rule
becomes one terminal; what of that may be empty becomes an optional one, without the empty string.

More is accepted than llama.cpp takes: left recursion, `{,n}`, a line that goes on with `|`, `_` in names.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import groupby

from constrain.errors import LimitExceeded
from constrain.ir.expr import EPSILON, NOTHING, Chars, Expr, Literal, Ranges, Repeat, concat
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Special, Terminal
from constrain.limits import Limits
from constrain.specs import unicode
from constrain.specs.languages import alternatives, may_be_empty, without_empty
from constrain.specs.source import SourceText
from constrain.specs.special import PATTERN, complement, special

MAX_NESTING = 100
"""Groups inside of groups."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt\\\"\[\]]))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_COUNTS = re.compile(r"\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}")
_SPECIAL = re.compile(rf"(!?)({PATTERN})")


def parse_gbnf(text: str, start: str = "root", *, source: str = "<grammar>", limits: Limits | None = None) -> Grammar:
    """The grammar of a text in GBNF, from the rule `start` on.

    Raises GrammarSyntaxError, UnsupportedError, LimitExceeded.

    >>> parse_gbnf('root ::= "a" [0-9]').rules["root"].body.name
    '"a" [0-9]'
    """
    written = SourceText(source, text)
    reader = _Reader(written, limits or Limits())
    rules = reader.rules()
    if start not in rules:
        names = ", ".join(map(str, rules))
        raise written.error(f"there is no rule {start} to start with; the rules are {names or 'none'}", 0)
    for name, position in reader.calls.items():
        if name not in rules:
            raise written.unknown("rule", name, map(str, rules), position)
    return Grammar(_reachable(rules, start), start)


@dataclass(frozen=True, slots=True)
class _Text:
    """What was read from `start` to `end` and calls no rule."""

    expr: Expr
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Structure:
    """What was read from `start` to `end` and calls rules, or holds special tokens."""

    body: Body
    start: int
    end: int


_Piece = _Text | _Structure


class _Reader:
    """Reads a text from front to back."""

    def __init__(self, source: SourceText, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._text, self._at = source.text, 0
        self.calls: dict[str, int] = {}
        """Where each rule is first called."""

    def rules(self) -> dict[Hashable, Rule]:
        """All rules of the text."""
        rules: dict[Hashable, Rule] = {}
        self._skip(_BLANK_LINES)
        while self._at < len(self._text):
            begin = self._at
            name = self._name("the name of a rule")
            if name in rules:
                raise self._source.error(f"rule {name} is defined twice", begin)
            self._skip(_BLANK)
            self._expect("::=")
            self._skip(_BLANK_LINES)
            rules[name] = Rule(self._lifted(self._alternatives(0)))
            if self._at < len(self._text) and self._text[self._at] not in "\r\n" and not self._begins_line(self._at):
                raise self._unexpected("'|'", "end of line")
            self._skip(_BLANK_LINES)
        return rules

    # ---- bodies

    def _alternatives(self, depth: int) -> _Piece:
        """Sequences with `|` between them."""
        found = [self._sequence(depth)]
        while self._goes_on(depth):
            self._at += 1
            self._skip(_BLANK_LINES)
            found.append(self._sequence(depth))
        start, end = found[0].start, found[-1].end
        texts = [piece.expr for piece in found if isinstance(piece, _Text)]
        if len(found) == 1:
            return found[0]
        if len(texts) == len(found):
            return _Text(alternatives(texts), start, end)
        return _Structure(Either(tuple(map(self._lifted, found))), start, end)

    def _goes_on(self, depth: int) -> bool:
        """Whether `|` is next, in a group or at the head of another line."""
        following = _BLANK_LINES.match(self._text, self._at)
        there = following.end() if following else self._at
        if self._text.startswith("|", there):
            self._at = there
        elif depth:
            self._at = there
        return self._text.startswith("|", self._at)

    def _sequence(self, depth: int) -> _Piece:
        """Items in a row, regular neighbours joined."""
        begin = self._at
        items: list[_Piece] = []
        while (piece := self._item(depth)) is not None:
            items.append(piece)
            self._skip(_BLANK_LINES if depth else _BLANK)
        joined: list[_Piece] = []
        for _, group in groupby(items, type):
            run = list(group)
            texts = [piece.expr for piece in run if isinstance(piece, _Text)]
            joined += [_Text(concat(texts), run[0].start, run[-1].end)] if texts else run
        if len(joined) == 1:
            return joined[0]
        if not joined:
            return _Text(EPSILON, begin, begin)
        return _Structure(Seq(tuple(map(self._lifted, joined))), joined[0].start, joined[-1].end)

    def _item(self, depth: int) -> _Piece | None:
        """One item with what repeats it; None if there is none."""
        begin = self._at
        value = self._atom(depth)
        if value is None:
            return None
        piece = self._piece(value, begin)
        self._skip(_BLANK)
        while (counts := self._counts()) is not None:
            value = Repeat(piece.expr, *counts) if isinstance(piece, _Text) else Many(piece.body, *counts)
            piece = self._piece(value, begin)
            self._skip(_BLANK)
        return piece

    def _piece(self, value: Expr | Body, begin: int) -> _Piece:
        """What was read from `begin` to here."""
        return _Structure(value, begin, self._at) if isinstance(value, Body) else _Text(value, begin, self._at)

    def _atom(self, depth: int) -> Expr | Body | None:
        char = self._text[self._at : self._at + 1]
        if char == '"':
            return Literal(self._quoted().encode())
        if char == "[":
            return self._class()
        if char == ".":
            self._at += 1
            return Chars(unicode.complement(()))
        if char == "(":
            return self._group(depth)
        if char and char in "<!":
            return self._special()
        if char and _NAME.match(char):
            return self._call()
        if char in ("", "\r", "\n", "|", ")"):
            return None
        if char in "*+?{":
            raise self._source.error(f"{char} has nothing before it to repeat", self._at)
        raise self._unexpected("a name", "a string", "[..]", "( )")

    def _call(self) -> Call | None:
        """A call, unless it is the head of the next rule."""
        begin = self._at
        name = self._name("a name")
        self._skip(_BLANK)
        if self._text.startswith("::=", self._at):
            if not self._begins_line(begin):
                raise self._source.error(f"a rule begins on a line of its own, not so {name}", begin)
            self._at = begin
            return None
        self._at = begin + len(name)
        self.calls.setdefault(name, begin)
        return Call(name)

    def _begins_line(self, position: int) -> bool:
        return not self._text[self._text.rfind("\n", 0, position) + 1 : position].strip()

    def _group(self, depth: int) -> Expr | Body:
        begin = self._at
        if depth >= MAX_NESTING:
            raise self._source.error(f"groups are nested more than {MAX_NESTING} deep", begin)
        self._at += 1
        self._skip(_BLANK_LINES)
        piece = self._alternatives(depth + 1)
        if not self._text.startswith(")", self._at):
            if self._at == len(self._text) or self._begins_line(self._at):
                raise self._source.error("this group is not closed", begin, ("')'",))
            raise self._unexpected("')'", "'|'")
        self._at += 1
        return piece.expr if isinstance(piece, _Text) else piece.body

    def _counts(self) -> tuple[int, int | None] | None:
        """Bounds of the repetition that is next."""
        char = self._text[self._at : self._at + 1]
        simple: Mapping[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if char in simple:
            self._at += 1
            return simple[char]
        if char != "{":
            return None
        found = _COUNTS.match(self._text, self._at)
        if not found or (not found[1] and not found[3]):
            raise self._source.error("these are no counts", self._at, ("{m}", "{m,}", "{m,n}", "{,n}"))
        low = int(found[1] or 0)
        high = low if not found[2] else int(found[3]) if found[3] else None
        if high is not None and high < low:
            raise self._source.error(f"{found.group()} allows no count at all", self._at)
        if max(low, high or 0) > self._limits.repeat:
            raise LimitExceeded("repeat", max(low, high or 0), self._limits.repeat, f"{found.group()} in the grammar")
        self._at = found.end()
        return low, high

    # ---- characters

    def _quoted(self) -> str:
        begin, chars = self._at, []
        self._at += 1
        while not self._text.startswith('"', self._at):
            if self._text[self._at : self._at + 1] in ("", "\n"):
                raise self._source.error("a string that does not end on its line", begin)
            chars.append(self._char())
        self._at += 1
        return "".join(chars)

    def _class(self) -> Expr:
        begin = self._at
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        ranges: list[Ranges] = []
        while not self._text.startswith("]", self._at):
            if self._text[self._at : self._at + 1] in ("", "\n"):
                raise self._source.error("a class [..] that does not end on its line", begin)
            ranges.append((self._class_item(),))
        self._at += 1
        chosen = unicode.complement(unicode.union(*ranges)) if negated else unicode.union(*ranges)
        chosen = unicode.intersect(chosen, unicode.complement(()))  # surrogates are no text
        if not chosen:
            raise self._source.error(f"{self._text[begin : self._at]} matches no character", begin)
        return Chars(chosen)

    def _class_item(self) -> tuple[int, int]:
        begin = self._at
        low = high = ord(self._char())
        if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
            self._at += 1
            if self._text[self._at : self._at + 1] not in ("", "\n"):
                high = ord(self._char())
        if high < low:
            raise self._source.error(f"the range {self._text[begin : self._at]} is empty", begin)
        return low, high

    def _char(self) -> str:
        """One character, escaped or not."""
        char = self._text[self._at]
        if char != "\\":
            self._at += 1
            return char
        found = _ESCAPE.match(self._text, self._at)
        if not found:
            known = ("\\n", "\\r", "\\t", "\\\\", '\\"', "\\[", "\\]", "\\xNN", "\\uNNNN", "\\UNNNNNNNN")
            raise self._source.error(f"unknown escape {self._text[self._at : self._at + 2]}", self._at, known)
        if found[4]:
            self._at = found.end()
            return _ESCAPED.get(found[4], found[4])
        code = int(found[1] or found[2] or found[3], 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self._source.error(f"{found.group()} is not a character", self._at)
        self._at = found.end()
        return chr(code)

    def _special(self) -> Special:
        """`<name>`, `<[ids]>`, and `!` before them for all tokens but these."""
        found = _SPECIAL.match(self._text, self._at)
        if not found:
            raise self._unexpected("a name", "a string", "[..]", "( )", "<token>")
        made = special(self._source, found[2], self._at)
        if found[1] and not made.ids:
            message = f"{found.group()}: all tokens but a named one are not supported; give its id, as in !<[5]>"
            raise self._source.unsupported(message, self._at)
        self._at = found.end()
        return Special(found.group(), complement(made.ids)) if found[1] else made

    # ---- helpers

    def _lifted(self, piece: _Piece) -> Body:
        """The piece as a body: an expression becomes a terminal, an optional one if it may be empty."""
        if isinstance(piece, _Structure):
            return piece.body
        rest = without_empty(piece.expr)
        if rest == NOTHING:
            return Seq(())
        terminal = Terminal(" ".join(self._text[piece.start : piece.end].split()), rest)
        return Many(terminal, 0, 1) if may_be_empty(piece.expr) else terminal

    def _skip(self, blank: re.Pattern[str]) -> None:
        found = blank.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _name(self, what: str) -> str:
        found = _NAME.match(self._text, self._at)
        if not found:
            raise self._unexpected(what)
        self._at = found.end()
        return found.group()

    def _expect(self, word: str) -> None:
        if not self._text.startswith(word, self._at):
            raise self._unexpected(repr(word))
        self._at += len(word)

    def _unexpected(self, *expected: str) -> Exception:
        char = self._text[self._at : self._at + 1]
        what = f"unexpected {char!r}" if char not in ("", "\r", "\n") else "the line ends too early"
        return self._source.error(what, self._at, expected)


def _reachable(rules: Mapping[Hashable, Rule], start: str) -> dict[Hashable, Rule]:
    """The rules that `start` leads to."""
    found: dict[Hashable, Rule] = {start: rules[start]}
    waiting: list[Body] = [rules[start].body]
    while waiting:
        match waiting.pop():
            case Seq(parts) | Either(parts):
                waiting += parts
            case Many(inner, _, _):
                waiting.append(inner)
            case Call(rule) if rule not in found:
                found[rule] = rules[rule]
                waiting.append(rules[rule].body)
    return found
