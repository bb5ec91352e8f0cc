"""Grammars of several constraints made one.

In:  expressions and grammars. Out: a grammar of their union or concatenation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from constrain.errors import UnsupportedError
from constrain.ir.expr import EPSILON, And, Closed, Expr, Not
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Terminal
from constrain.ir.semantics import accepts


def join(parts: list[Expr | Grammar], by: Callable[[tuple[Body, ...]], Body]) -> Grammar:
    """The grammar of what `by` (Seq or Either) makes of the parts. Raises UnsupportedError for longest match.

    Ignored text becomes part of the rules, since it may stand in one part only.
    """
    if any(isinstance(part, Grammar) and part.longest for part in parts):
        raise UnsupportedError(
            "'|' and '+' with a grammar that is read by longest match are not supported: what the longest match is "
            "would depend on the other part. Pass longest=False to the grammar, or write both parts as one grammar"
        )
    rules: dict[Hashable, Rule] = {}
    bodies: list[Body] = []
    for number, part in enumerate(parts):
        if not isinstance(part, Grammar):
            bodies.append(_regular(part, number))
            continue
        ignored = _Explicit(number, part.ignore)
        for name in _reachable(part):
            rule = part.rules[name]
            rules[number, name] = Rule(ignored.body(rule.body), rule.register)
        bodies.append(Seq((*ignored.gap, Call((number, part.start)))))
    rules["start"] = Rule(by(tuple(bodies)))
    return Grammar(rules, "start")


def _regular(expr: Expr, number: int) -> Body:
    """A regular part as one terminal, which must not be empty."""
    if not accepts(expr, b""):
        return Terminal(f"part {number + 1}", Closed(expr))
    return Many(Terminal(f"part {number + 1}", And((Closed(expr), Not(EPSILON)))), 0, 1)


def _reachable(grammar: Grammar) -> list[Hashable]:
    found: dict[Hashable, None] = {grammar.start: None}
    todo = [grammar.start]
    while todo:
        for name in _called(grammar.rules, todo.pop()):
            if name not in found:
                found[name] = None
                todo.append(name)
    return list(found)


def _called(rules: Mapping[Hashable, Rule], name: Hashable) -> list[Hashable]:
    found, todo = [], [rules[name].body]
    while todo:
        match todo.pop():
            case Call(rule):
                found.append(rule)
            case Seq(parts) | Either(parts):
                todo += parts
            case Many(body):
                todo.append(body)
            case _:
                pass
    return found


class _Explicit:
    """Bodies of one part, its rules renamed, ignored text written out after every terminal."""

    def __init__(self, number: int, ignore: Terminal | None) -> None:
        self._number = number
        self.gap: tuple[Body, ...] = () if ignore is None else (Many(ignore, 0, 1),)

    def body(self, body: Body) -> Body:
        match body:
            case Call(rule):
                return Call((self._number, rule))
            case Seq(parts):
                return Seq(tuple(self.body(part) for part in parts))
            case Either(parts):
                return Either(tuple(self.body(part) for part in parts))
            case Many(inner, low, high):
                return Many(self.body(inner), low, high)
            case Terminal() if self.gap:
                return Seq((body, *self.gap))
            case _:
                return body
