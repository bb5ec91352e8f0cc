"""Grammars of several constraints made one.

In:  expressions and grammars. Out: a grammar of their union or concatenation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping

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
    bodies: list[Body] = []
    inner: dict[Hashable, Renamed] = {}
    for number, part in enumerate(parts):
        if not isinstance(part, Grammar):
            bodies.append(_regular(part, number))
            continue
        inner[number] = Renamed(number, part)
        bodies.append(Seq((*inner[number].gap, inner[number].start)))
    return Grammar(
        Combined({"start": Rule(by(tuple(bodies)))}, inner),
        "start",
        cost=cost_of(inner) if any(part.is_lazy for part in inner.values()) else None,
    )


class Combined(Mapping[Hashable, Rule]):
    """Rules of their own, and those of other grammars, which have been renamed."""

    def __init__(self, own: Mapping[Hashable, Rule], inner: Mapping[Hashable, Renamed]) -> None:
        self._own, self._inner = own, inner

    def __getitem__(self, name: Hashable) -> Rule:
        if name in self._own:
            return self._own[name]
        if isinstance(name, tuple) and len(name) == 2 and name[0] in self._inner:
            return self._inner[name[0]].rule(name[1])
        raise KeyError(name)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


class Renamed:
    """The rules of a grammar inside of another one, named (number, name), ignored text written out."""

    def __init__(self, number: Hashable, grammar: Grammar) -> None:
        """Raises UnsupportedError if what may follow depends on all of the text before."""
        if grammar.remembers:
            raise UnsupportedError(
                "`uniqueItems` inside of a larger grammar is not supported: what may follow depends on all items before"
            )
        self._number, self._grammar = number, grammar
        self.gap: tuple[Body, ...] = () if grammar.ignore is None else (Many(grammar.ignore, 0, 1),)
        self.start = Call((number, grammar.start), lazy=grammar.is_plain)

    @property
    def is_lazy(self) -> bool:
        """Whether some of the rules are made only when they are reached."""
        return self._grammar.cost is not None

    def rule(self, name: Hashable) -> Rule:
        """A rule by its name in the grammar."""
        rule = self._grammar.rules[name]
        return Rule(self._body(rule.body), rule.register)

    def cost(self, name: Hashable) -> float:
        """Bytes of the shortest text of a rule that is called lazily."""
        return 1.0 if self._grammar.cost is None else self._grammar.cost(name)

    def _body(self, body: Body) -> Body:
        match body:
            case Call(rule, lazy):
                return Call((self._number, rule), lazy)
            case Seq(parts):
                return Seq(tuple(self._body(part) for part in parts))
            case Either(parts):
                return Either(tuple(self._body(part) for part in parts))
            case Many(inner, low, high):
                return Many(self._body(inner), low, high)
            case Terminal() if self.gap:
                return Seq((body, *self.gap))
            case _:
                return body


def cost_of(inner: Mapping[Hashable, Renamed]) -> Callable[[Hashable], float]:
    """The costs of rules that are called lazily, by their new names."""

    def cost(name: Hashable) -> float:
        assert isinstance(name, tuple)
        return inner[name[0]].cost(name[1])

    return cost


def _regular(expr: Expr, number: int) -> Body:
    """A regular part as one terminal, which must not be empty."""
    if not accepts(expr, b""):
        return Terminal(f"part {number + 1}", Closed(expr))
    return Many(Terminal(f"part {number + 1}", And((Closed(expr), Not(EPSILON)))), 0, 1)
