"""Terminals of a grammar in Lark's syntax, as expressions.

In:  definitions from `lark_text`, and the nodes of a rule that stand for terminals.
Out: `constrain.ir.grammar.Terminal` values. What a terminal is made of is put in its place.

A plain quoted string has an odd priority, one above what the grammar says twice: as in lark, it wins over a regular
expression that matches as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from lark import Token

from constrain.errors import ConstrainError, LimitExceeded
from constrain.ir.expr import Alt, Chars, Closed, Expr, Literal, Repeat, Words, concat
from constrain.ir.grammar import Terminal
from constrain.limits import Limits
from constrain.specs.languages import alternatives, denotes_nothing, may_be_empty
from constrain.specs.lark_text import (
    MAX_NESTING,
    Definition,
    Definitions,
    Node,
    Scope,
    covered,
    start_of,
    undeclared,
)
from constrain.specs.regex import parse_regex
from constrain.specs.source import SourceText


@dataclass(frozen=True, slots=True)
class _Sized:
    """An expression, how many nodes it has and how deep they are nested; shared ones count every time."""

    expr: Expr
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class LarkTerminals:
    """Terminals of a grammar, made when first used."""

    definitions: Definitions
    limits: Limits
    _named: dict[str, tuple[Terminal, _Sized]] = field(default_factory=dict)
    _anonymous: dict[str, Terminal] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _spellings: dict[str, Token] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Remember which literals have a name: in a rule they stand for that terminal, as in lark."""
        for one in self.definitions.own():
            only = _only(one.parts[0][1]) if one.is_terminal and len(one.parts) == 1 else None
            if only is not None and only.data == "literal":
                self._spellings[str(only.children[0])] = one.token

    def named(self, scope: Scope, token: Token) -> Terminal:
        """The terminal that a name in a rule stands for; one that others are made of may match the empty string."""
        made = self._made(scope, token)[0]
        definition = self.definitions.named[made.name]
        return _checked(definition.scope.source, made, start_of(definition.token))

    def check(self, one: Definition) -> None:
        """Raise if a terminal is wrong in itself."""
        self._made(Scope(one.scope.source, str), one.token)

    def anonymous(self, scope: Scope, node: Node) -> Terminal:
        """The terminal that a string, a regular expression or a range in a rule stands for."""
        begin, end = start_of(node), end_of(node)
        spelled = scope.source.text[begin:end]
        if spelled in self._spellings:
            return self.named(Scope(self.definitions.source, str), self._spellings[spelled])
        if spelled not in self._anonymous:
            expr = self._value(scope, node).expr
            plain = node.data == "literal" and spelled.startswith('"')
            self._anonymous[spelled] = _checked(scope.source, _terminal(spelled, expr, int(plain)), begin)
        return self._anonymous[spelled]

    def ignored(self) -> Terminal | None:
        """All that is ignored, as one terminal."""
        made: list[Terminal] = []
        for scope, tree in self.definitions.ignored:
            only = _only(tree)
            if only.data == "terminal":
                made.append(self.named(scope, token_of(only)))
            else:
                plain = only.data == "literal" and token_of(only).type == "STRING"
                expr = self._expr(scope, tree).expr
                made.append(_checked(scope.source, _terminal("%ignore", expr, int(plain)), start_of(tree)))
        if not made:
            return None
        every = Repeat(Alt(tuple(one.expr for one in made)), 1, None)
        return Terminal("ignore", every, max(one.priority for one in made))

    def _made(self, scope: Scope, token: Token) -> tuple[Terminal, _Sized]:
        name = scope.rename(str(token))
        if name in self._open:
            message = f"terminal {token} contains itself; only rules, which have lower-case names, may do so"
            raise scope.source.error(message, start_of(token))
        if name not in self._named:
            if name not in self.definitions.named:
                raise self.definitions.unknown(scope, token)
            self._open.append(name)
            self._named[name] = self._lower(self.definitions.named[name])
            self._open.pop()
        return self._named[name]

    def _lower(self, made: Definition) -> tuple[Terminal, _Sized]:
        if not made.parts:
            raise undeclared(made)
        whole = _joined(alternatives, [self._expr(scope, tree) for scope, tree in made.parts])
        source, position = made.scope.source, start_of(made.token)
        if whole.height > MAX_NESTING:
            raise source.error(f"terminal {made.token} is nested more than {MAX_NESTING} deep", position)
        if whole.size > self.limits.expressions:
            raise LimitExceeded("expressions", whole.size, self.limits.expressions, f"terminal {made.token}")
        only = _only(made.parts[0][1])
        plain = only.data == "literal" and token_of(only).type == "STRING"
        if only.data == "terminal":
            plain = bool(self._made(made.parts[0][0], token_of(only))[0].priority % 2)
        level = 2 * made.priority + (plain and len(made.parts) == 1)
        return _terminal(made.name, whole.expr, level), whole

    def _expr(self, scope: Scope, node: Node) -> _Sized:
        children: list[Any] = node.children
        match node.data:
            case "expansions":
                return _joined(alternatives, [self._expr(scope, child) for child in children])
            case "expansion":
                return _joined(concat, [self._expr(scope, child) for child in children])
            case "expr" | "maybe":
                low, high = bounds(scope.source, node, self.limits)
                return _joined(lambda parts: Repeat(parts[0], low, high), [self._expr(scope, children[0])], always=True)
            case "alias":
                message = "-> names a rule's alternative; there are none in a terminal"
                raise scope.source.error(message, start_of(children[1]))
        return self._value(scope, children[0])

    def _value(self, scope: Scope, node: Node) -> _Sized:
        match node.data:
            case "terminal":
                return self._made(scope, token_of(node))[1]
            case "literal":
                token = token_of(node)
                expr = _string(scope.source, token) if token.type == "STRING" else _regex(scope.source, token)
                return _Sized(expr, len(token))
            case "range":
                return _Sized(_range(scope.source, node))
            case "covered" if token_of(node).startswith("%regex"):
                words = Words(substrings(scope.source, token_of(node), self.limits))
                return _Sized(words, len(words.words))
        position = start_of(node)
        what = scope.source.text[position : end_of(node)]
        message = f"{what} is no part of a terminal; use it in a rule, which has a lower-case name"
        raise scope.source.error(message, position)


def _joined(build: Callable[[list[Expr]], Expr], parts: list[_Sized], always: bool = False) -> _Sized:
    """Parts built together; one part stands for itself, if not `always`."""
    if len(parts) == 1 and not always:
        return parts[0]
    size, height = sum(part.size for part in parts), max((part.height for part in parts), default=0)
    return _Sized(build([part.expr for part in parts]), size + 1, height + 1)


def _terminal(name: str, expr: Expr, priority: int) -> Terminal:
    """A terminal, whose assertions see only itself."""
    return Terminal(name, expr if isinstance(expr, Literal | Words | Chars) else Closed(expr), priority)


def _checked(source: SourceText, terminal: Terminal, position: int) -> Terminal:
    """The terminal. Raises if it plainly denotes the empty string, or nothing."""
    if may_be_empty(terminal.expr):
        message = (
            f"terminal {terminal.name} matches the empty string; make it match at least one character "
            "(+ instead of *), and write ? after it where it may be missing"
        )
        raise source.error(message, position)
    if denotes_nothing(terminal.expr):
        raise source.error(f"terminal {terminal.name} matches nothing at all", position)
    return terminal


# ---- literals

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.UNICODE, "l": re.LOCALE}
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "\\": "\\", '"': '"'}


def _unescaped(source: SourceText, token: Token) -> str:
    """What a quoted string spells. As in lark, a backslash that begins no escape is a backslash."""

    def char(found: re.Match[str]) -> str:
        escape, position = found.group(), start_of(token) + found.start()
        if len(escape) == 2:
            if escape[1] in "xuU":
                raise source.error(f"{escape} needs {dict(x=2, u=4, U=8)[escape[1]]} hexadecimal digits", position)
            return _ESCAPED.get(escape[1], escape)
        code = int(escape[2:], 16)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            raise source.error(f"{escape} is not a character", position)
        return chr(code)

    spelled = _ESCAPE.sub(char, str(token))
    return spelled[1 : spelled.rindex('"')]


def _string(source: SourceText, token: Token) -> Expr:
    spelled = _unescaped(source, token)
    if not spelled:
        message = 'the empty string "" is not a terminal; leave it out, or write ? after what may be missing'
        raise source.error(message, start_of(token))
    if token.endswith("i"):
        ascii_only = re.ASCII if spelled.isascii() else re.NOFLAG  # a keyword: "s" is no long s
        return _open(parse_regex(re.escape(spelled), re.IGNORECASE | ascii_only))
    return Literal(spelled.encode())


def _regex(source: SourceText, token: Token) -> Expr:
    end = token.rindex("/")
    pattern, letters = token[1:end], token[end + 1 :]
    if "\n" in pattern and "x" not in letters:
        raise source.error("a regular expression without the flag x ends on its line", start_of(token))
    flags = 0
    for letter in letters:
        flags |= _FLAGS[letter]
    try:
        return _open(parse_regex(pattern, flags))
    except ConstrainError as error:
        raise source.moved(error, pattern, start_of(token) + 1) from None


def _range(source: SourceText, node: Node) -> Expr:
    """`"a".."z"`."""
    ends = []
    for token in node.children:
        assert isinstance(token, Token)
        spelled = _unescaped(source, token)
        if len(spelled) != 1 or not token.endswith('"'):
            raise source.error(f"a range goes from one character to another, not to {token}", start_of(token))
        ends.append(spelled)
    if ends[0] > ends[1]:
        raise source.error(f"the range {node.children[0]}..{node.children[1]} is empty", start_of(node))
    return _open(parse_regex(f"[{re.escape(ends[0])}-{re.escape(ends[1])}]"))


def _open(expr: Expr) -> Expr:
    """A part of a terminal: what is around it in the terminal is seen by its assertions."""
    return expr.body if isinstance(expr, Closed) else expr


def substrings(source: SourceText, token: Token, limits: Limits) -> tuple[bytes, ...]:
    """All that some chunks in a row spell, the empty string included."""
    value = covered(source, token)[1]
    keys = ("substring_chunks", "substring_words", "substring_chars")
    key, given = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
    chunks = isinstance(given, list) and all(isinstance(chunk, str) for chunk in given)
    if key not in keys or not (chunks if key == "substring_chunks" else isinstance(given, str)):
        wanted = '{"substring_chunks": [..]}, {"substring_words": ".."} or {"substring_chars": ".."}'
        raise source.error(f"%regex takes {wanted}", start_of(token))
    assert given is not None
    pieces = re.findall(r"\w+|\s+|[^\w\s]+", given) if key == "substring_words" else list(given)
    bounds = list(accumulate(map(len, pieces), initial=0))
    total = sum((i + 1) * (len(pieces) - i) * len(piece) for i, piece in enumerate(pieces))
    if total > limits.pattern_chars:
        raise LimitExceeded("pattern_chars", total, limits.pattern_chars, "the substrings of %regex")
    text = "".join(pieces)
    spans = ((low, high) for i, low in enumerate(bounds) for high in bounds[i + 1 :])
    return tuple(dict.fromkeys([b"", *(text[low:high].encode() for low, high in spans)]))


# ---- trees


def token_of(node: Any) -> Token:
    """The token that a leaf of the tree is made of."""
    token = node.children[0]
    assert isinstance(token, Token)
    return token


def _only(node: Any) -> Node:
    """What a tree comes down to while it has a single part."""
    while node.data in ("expansions", "expansion", "value") and len(node.children) == 1:
        node = node.children[0]
    return node  # type: ignore[no-any-return]


def end_of(node: Node) -> int:
    last = node.children[-1]
    return (last.end_pos or 0) if isinstance(last, Token) else end_of(last)


def bounds(source: SourceText, node: Node, limits: Limits) -> tuple[int, int | None]:
    """Least and greatest count of a repetition or an option."""
    if node.data == "maybe":
        return 0, 1
    operator, *numbers = node.children[1:]
    assert isinstance(operator, Token)
    if operator != "~":
        return (1 if operator == "+" else 0), (1 if operator == "?" else None)
    low, high = int(str(numbers[0])), int(str(numbers[-1]))
    if not 0 <= low <= high:
        raise source.error(f"~ {low}..{high} is not a range of counts", start_of(operator))
    if high > limits.repeat:
        raise LimitExceeded("repeat", high, limits.repeat, f"~ {high} in {source.name}")
    return low, high
