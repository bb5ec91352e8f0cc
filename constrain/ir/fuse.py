"""Loops over short terminals made one terminal, where every way to cut a text counts.

In:  a grammar read in every way (scannerless). Out: a grammar of the same texts.

A rule such as `text: (CHARACTER | group)+` has a token of five letters cross five terminals. Here it becomes
`text: RUN? (group RUN?)*`, RUN standing for CHARACTER+, and the token stays inside of one. Which terminals a text is
cut into is not seen from outside, so nothing else changes. Under longest match it would; such grammars are left alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

from constrain.ir.expr import (
    EPSILON,
    Alt,
    And,
    Anything,
    Chars,
    Closed,
    Concat,
    Divisible,
    Expr,
    Literal,
    Look,
    Not,
    Repeat,
    Towards,
    Words,
)
from constrain.ir.grammar import Bits, Body, Call, Count, Either, Grammar, Many, Rule, Seq, Special, Terminal

_CHARACTERS = 8
"""Strings of one character that a loop must be able to read in one round to be worth it."""
_ALTERNATIVES = 16
"""Alternatives into which a body is taken apart at most."""

Parts = tuple[Expr | None, tuple[Body, ...]]
"""A body as the union of what is regular, and other bodies."""


def fuse(grammar: Grammar) -> Grammar:
    """The same texts, in fewer and longer terminals."""
    if grammar.is_plain or grammar.longest or grammar.ignore is not None:
        return grammar
    return replace(grammar, rules=_Fused(grammar.rules))


class _Fused(Mapping[Hashable, Rule]):
    """Rules that are rewritten as they are asked for."""

    def __init__(self, rules: Mapping[Hashable, Rule]) -> None:
        self._rules = rules
        self._parts: dict[Hashable, Parts | None] = {}  # None while it is worked out

    def __getitem__(self, name: Hashable) -> Rule:
        rule = self._rules[name]
        return Rule(self._rewrite(rule.body, name), rule.register)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def _rewrite(self, body: Body, name: Hashable) -> Body:
        """A body with its loops fused."""
        match body:
            case Seq(parts):
                return Seq(tuple([self._rewrite(part, name) for part in parts]))
            case Either(parts):
                return Either(tuple([self._rewrite(part, name) for part in parts]))
            case Many(inner, low, None) if low <= 1:
                return self._loop(inner, low, name)
            case Many(inner, low, high):
                return Many(self._rewrite(inner, name), low, high)
            case _:
                return body

    def _loop(self, inner: Body, low: int, name: Hashable) -> Body:
        regular, rest = self._split(inner)
        if regular is None or _single(regular) < _CHARACTERS:
            return Many(self._rewrite(inner, name), low, None)
        low = 0 if _skips(regular) else low
        run = Terminal(f"run of {name}", Repeat(_filled(regular), 1, None))
        if not rest:
            return Many(run, low, 1)
        gap = Many(run, 0, 1)
        other = Seq((Either(tuple([self._rewrite(part, name) for part in rest])), gap))
        if low == 0:
            return Seq((gap, Many(other, 0, None)))
        return Either((Seq((run, Many(other, 0, None))), Many(other, 1, None)))

    def _split(self, body: Body) -> Parts:
        """Take a body apart."""
        match body:
            case Terminal():
                return body.expr, ()
            case Call(rule, lazy):
                return (None if lazy else self._split_rule(rule)) or (None, (body,))
            case Seq(parts):
                return self._split_sequence(parts)
            case Either(parts):
                return _union([self._split(part) for part in parts], body)
            case Many(inner, low, high):
                regular, rest = self._split(inner)
                if (low, high) == (0, 1):
                    return (EPSILON if regular is None else Alt((EPSILON, regular))), rest
                return (None, (body,)) if rest or regular is None else (Repeat(regular, low, high), ())
            case _:
                return None, (body,)

    def _split_rule(self, name: Hashable) -> Parts | None:
        """Take the body of a rule apart; None if it calls itself, or is better left as it is."""
        if name not in self._parts:
            self._parts[name] = None
            regular, rest = self._split(self._rules[name].body)
            if len(rest) <= _ALTERNATIVES and all(map(_is_plain, rest)):
                self._parts[name] = regular, rest
        return self._parts[name]

    def _split_sequence(self, parts: tuple[Body, ...]) -> Parts:
        if not parts:
            return EPSILON, ()
        first, rest = self._split(parts[0])
        later, others = self._split_sequence(parts[1:])
        bodies = [Seq((part, *parts[1:])) for part in rest]
        if first is not None:
            bodies += [Seq((_body(first), other)) for other in others]
        if len(bodies) > _ALTERNATIVES:
            return None, (Seq(parts),)
        regular = None if first is None or later is None else Concat((first, later))
        return regular, tuple(bodies)


def _union(found: list[Parts], body: Body) -> Parts:
    regular = [expr for expr, _ in found if expr is not None]
    rest = [part for _, parts in found for part in parts]
    if len(rest) > _ALTERNATIVES:
        return None, (body,)
    return (Alt(tuple(regular)) if regular else None), tuple(rest)


def _body(expr: Expr) -> Body:
    """A regular language as a body: a terminal must not be empty."""
    if not _skips(expr):
        return Terminal("text", expr)
    return Many(Terminal("text", _filled(expr)), 0, 1)


def _filled(expr: Expr) -> Expr:
    """The strings of an expression that are not empty."""
    return And((expr, Not(EPSILON))) if _skips(expr) else expr


def _skips(expr: Expr) -> bool:
    """Whether an expression denotes the empty string, which has nothing before and nothing behind it."""
    match expr:
        case Literal(data):
            return not data
        case Words(words):
            return b"" in words
        case Concat(parts) | And(parts):
            return all(map(_skips, parts))
        case Alt(parts):
            return any(map(_skips, parts))
        case Repeat(body, low, _):
            return low == 0 or _skips(body)
        case Towards(frame, goal):
            return _skips(frame) and _skips(goal)
        case Not(body):
            return not _skips(body)
        case Closed(body):
            return _skips(body)
        case Look(body, _, negated):
            return _skips(body) != negated
        case _:
            return isinstance(expr, Anything | Divisible)


def _is_plain(body: Body) -> bool:
    """Whether a body holds no loop, which would be fused again, no register and no special token."""
    match body:
        case Bits() | Count() | Special():
            return False
        case Seq(parts) | Either(parts):
            return all(map(_is_plain, parts))
        case Many(inner, _, high):
            return high is not None and _is_plain(inner)
        case _:
            return True


def _single(expr: Expr) -> int:
    """How many strings of one character an expression denotes, as far as that is easily seen."""
    match expr:
        case Chars(ranges):
            return sum(high - low + 1 for low, high in ranges)
        case Literal(data):
            return len(data) == 1
        case Alt(parts):
            return sum(map(_single, parts))
        case Concat(parts):
            filled = [part for part in parts if not _skips(part)]
            return _single(filled[0]) if len(filled) == 1 else 0
        case Repeat(body, low, _):
            return _single(body) if low <= 1 else 0
        case Closed(body):
            return _single(body)
        case _:
            return 0
