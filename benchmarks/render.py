r"""Grammars as values to the text that other engines read.

In:  a `constrain.ir.grammar.Grammar`.
Out: `lark`: Lark's syntax as llguidance reads it. `ebnf`: GBNF, which xgrammar reads too.

Templates, imports and loops are gone from the value, so that both texts are plain: rules, and terminals as regular
expressions. GBNF has no terminals: there each becomes a rule, and ignored text is written out. Priorities of terminals
and longest match are lost, since neither reader knows them. What cannot be said raises `Unrenderable`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TypeGuard

from constrain.ir.expr import Alt, And, Anything, Chars, Closed, Concat, Expr, Literal, Not, Ranges, Repeat, Words
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Seq, Special, Terminal
from constrain.specs import unicode
from constrain.specs.unicode import union

_LAST = 0x10FFFF


class Unrenderable(Exception):
    """The other syntax cannot say it."""


def lark(grammar: Grammar) -> str:
    r"""The grammar in Lark's syntax, for llguidance.

    >>> from constrain.ir.grammar import Rule
    >>> print(lark(Grammar({"list": Rule(Many(Terminal("A", Literal(b"a")), 2, None))}, "list")), end="")
    start: (A0 ~ 2 A0*)
    A0: /a/
    """
    return _Lark(grammar).text()


def ebnf(grammar: Grammar) -> str:
    r"""The grammar in GBNF.

    >>> from constrain.ir.grammar import Rule
    >>> print(ebnf(Grammar({"list": Rule(Many(Terminal("A", Literal(b"a")), 2, None))}, "list")), end="")
    root ::= a0{2,}
    a0 ::= "a"
    """
    return _EBNF(grammar).text()


class _Writer:
    """What both syntaxes share: names, the order of definitions, bodies."""

    start, defined, empty, terminal_name, rule_name = "start", ": ", "", "A{}", "r{}"

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._rules: dict[Hashable, str] = {grammar.start: self.start}
        self._terminals: dict[Expr, str] = {}

    def text(self) -> str:
        """All that can be reached from the start."""
        lines: list[str] = []
        names = list(self._rules)
        for key in names:  # grows as bodies call rules
            body = self.body(self._grammar.rules[key].body)
            gap = self.gap(self._grammar.ignore) if key == self._grammar.start else ""
            lines.append(f"{self._rules[key]}{self.defined}{' '.join(filter(None, (gap, body))) or self.empty}")
            names += [rule for rule in self._rules if rule not in names]
        lines += self.directives()
        lines += [f"{name}{self.defined}{self.expression(expr)}" for expr, name in self._terminals.items()]
        return "\n".join(lines) + "\n"

    def body(self, body: Body) -> str:
        """A body as one item, in brackets where it needs them; "" if it is the empty text."""
        match body:
            case Terminal():
                return self.terminal(body)
            case Call(rule):
                return self._rules.setdefault(rule, self.rule_name.format(len(self._rules)))
            case Special():
                return self.special(body)
            case Seq(parts):
                written = [part for part in map(self.body, parts) if part]
                return f"({' '.join(written)})" if len(written) > 1 else "".join(written)
            case Either(parts):
                return self._either([self.body(part) for part in parts])
            case Many(inner, low, high):
                written = self.body(inner)
                return written and self.many(written, low, high)
            case _:
                raise Unrenderable(f"rules with registers ({type(body).__name__})")

    def _either(self, parts: list[str]) -> str:
        written = list(dict.fromkeys(part for part in parts if part))
        joined = f"({' | '.join(written)})" if len(written) > 1 else "".join(written)
        return joined if all(parts) or not written else self.many(joined, 0, 1)

    def name(self, terminal: Terminal) -> str:
        """The name of a terminal; equal expressions share one."""
        expr = terminal.expr
        while isinstance(expr, Closed):
            expr = expr.body
        return self._terminals.setdefault(expr, self.terminal_name.format(len(self._terminals)))

    def terminal(self, terminal: Terminal) -> str:
        """A terminal as part of a body."""
        return self.name(terminal)

    def gap(self, ignore: Terminal | None) -> str:
        """What stands before the first terminal."""
        return ""

    def directives(self) -> list[str]:
        """Lines that are not definitions."""
        return []

    def special(self, special: Special) -> str:
        """A special token."""
        raise Unrenderable(f"the special token {special.name}")

    def many(self, written: str, low: int, high: int | None) -> str:
        """A repetition."""
        raise NotImplementedError

    def expression(self, expr: Expr) -> str:
        """A terminal's expression."""
        raise NotImplementedError


class _Lark(_Writer):
    def directives(self) -> list[str]:
        ignore = self._grammar.ignore
        return [f"%ignore {self.name(ignore)}"] if ignore else []

    def special(self, special: Special) -> str:
        return special.name

    def many(self, written: str, low: int, high: int | None) -> str:
        simple = _simple(low, high)
        if simple is not None:
            return written + simple
        if high is not None:
            return f"{written} ~ {low}..{high}" if low < high else f"{written} ~ {low}"
        return f"({written} ~ {low} {written}*)"

    def expression(self, expr: Expr) -> str:
        """With Lark's operators where there is `&` or `~`, else one regular expression."""
        if not _is_boolean(expr):
            return f"/{_regex(expr)}/"
        match expr:
            case And(parts):
                return f"({' & '.join(map(self.expression, parts))})"
            case Not(body):
                return f"(~{self.expression(body)})"
            case Closed(body):
                return self.expression(body)
            case Concat(parts):
                return f"({' '.join(map(self.expression, parts))})"
            case Alt(parts):
                return f"({' | '.join(map(self.expression, parts))})"
            case Repeat(body, low, high):
                return f"({self.many(self.expression(body), low, high)})"
        raise Unrenderable(type(expr).__name__)


def _is_boolean(expr: Expr) -> bool:
    """Whether it holds an intersection or a complement."""
    match expr:
        case And() | Not():
            return True
        case Closed(body) | Repeat(body):
            return _is_boolean(body)
        case Concat(parts) | Alt(parts):
            return any(map(_is_boolean, parts))
    return False


def _regex(expr: Expr) -> str:
    """A regular expression that Python and Rust read alike; atoms only, so that anything can be repeated."""
    match expr:
        case Literal(data):
            written = "".join(map(_escaped, _characters(data)))
            return written if len(written) == 1 or (len(written) == 6 and written[0] == "\\") else f"(?:{written})"
        case Words(words):
            return f"(?:{'|'.join(''.join(map(_escaped, _characters(word))) for word in words)})"
        case Chars(ranges):
            return _class(ranges)
        case Anything():
            return r"(?s:.*)"
        case Concat(parts):
            return f"(?:{''.join(map(_regex, parts))})"
        case Alt(parts) if parts:
            return f"(?:{'|'.join(map(_regex, parts))})"
        case Repeat(body, low, high):
            return f"(?:{_regex(body)}{_counts(low, high)})"
        case Closed(body):
            return _regex(body)
    raise Unrenderable("a terminal that matches nothing" if isinstance(expr, Alt) else f"a {type(expr).__name__}")


class _EBNF(_Writer):
    start, defined, empty, terminal_name = "root", " ::= ", '""', "a{}"

    def terminal(self, terminal: Terminal) -> str:
        ignore = self._grammar.ignore
        return f"({self.name(terminal)} {self.gap(ignore)})" if ignore else self.name(terminal)

    def gap(self, ignore: Terminal | None) -> str:
        return f"{self.name(ignore)}?" if ignore else ""

    def many(self, written: str, low: int, high: int | None) -> str:
        written = written if written[-1] not in "?*+}" else f"({written})"
        return written + _counts(low, high)

    def expression(self, expr: Expr) -> str:
        """Items of GBNF."""
        match expr:
            case Literal(data):
                return f'"{"".join(map(_escaped, _characters(data)))}"'
            case Words(words):
                return f"({' | '.join(self.expression(Literal(word)) for word in words)})"
            case Chars(ranges):
                return _class(ranges)
            case Anything():
                return f"{_class(((0, _LAST),))}*"
            case Concat(parts):
                return f"({' '.join(map(self.expression, parts))})"
            case Alt(parts) if parts:
                return f"({' | '.join(map(self.expression, parts))})"
            case Repeat(body, low, high):
                body = _flattened(body) if high is None and low < 2 else body
                written = self._loop(body) if high is None else ""
                once = self.expression(body) if low or not written else ""
                return f"({' '.join([once] * low)}{written})" if written else f"({self.many(once, low, high)})"
            case Closed(body):
                return self.expression(body)
        what = "a terminal that matches nothing" if isinstance(expr, Alt) else f"{type(expr).__name__} in a terminal"
        raise Unrenderable(what)

    def _loop(self, body: Expr) -> str:
        """`(x | y)*` with a character `x` as `x* (y x*)*`, which takes xgrammar a hundredth of the time; else ""."""
        parts = list(_alternatives(body))
        single = [part.ranges for part in parts if isinstance(part, Chars)]
        others = [self.expression(part) for part in parts if not isinstance(part, Chars)]
        if not single or not others:
            return ""
        run = f"{_class(union(*single))}*"
        return f" {run} (({' | '.join(others)}) {run})*"


def _flattened(body: Expr) -> Expr:
    """The body of a loop without loops that it is made of: `(x+ | y)+` is `(x | y)+`, in fewer ways."""
    parts = [
        inner
        for part in _alternatives(body)
        for inner in (_alternatives(_flattened(part.body)) if _is_plus(part) else [part])
    ]
    return parts[0] if len(parts) == 1 else Alt(tuple(parts))


def _is_plus(expr: Expr) -> TypeGuard[Repeat]:
    return isinstance(expr, Repeat) and (expr.low, expr.high) == (1, None)


def _alternatives(expr: Expr) -> Iterator[Expr]:
    """The alternatives of an expression, those of alternatives too."""
    match expr:
        case Alt(parts):
            for part in parts:
                yield from _alternatives(part)
        case Closed(body):
            yield from _alternatives(body)
        case _:
            yield expr


def _simple(low: int, high: int | None) -> str | None:
    return {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((low, high))


def _counts(low: int, high: int | None) -> str:
    simple = _simple(low, high)
    if simple is not None:
        return simple
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _characters(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Unrenderable("bytes that are not UTF-8") from None


def _escaped(char: str) -> str:
    r"""A character where it has no meaning of its own, in a regular expression or a string.

    >>> _escaped("a"), _escaped("/"), _escaped("🙂")
    ('a', '\\u002f', '\\U0001f642')
    """
    if char.isascii() and char.isalnum():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _class(ranges: Ranges) -> str:
    """A class of characters, surrogates left out; negated where that is shorter."""
    if not unicode.intersect(ranges, unicode.complement(())):
        raise Unrenderable("a class without characters")
    kept, others = unicode.intersect(ranges, unicode.complement(())), unicode.complement(ranges)
    negated = bool(others) and ranges[-1][1] == _LAST
    ends = ((_escaped(chr(low)), _escaped(chr(high))) for low, high in (others if negated else kept))
    return f"[{'^' * negated}{''.join(low if low == high else f'{low}-{high}' for low, high in ends)}]"
