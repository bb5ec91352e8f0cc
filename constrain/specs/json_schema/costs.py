"""How long the shortest text of each rule of a schema is."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterator, Mapping
from itertools import count

from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, Repeat, Words
from constrain.ir.grammar import Body, Call, Either, Rule, Seq, Terminal

_COSTED = 5000
"""Rules of which the costs are found out; more take longer than anyone waits."""


class Costs:
    """How long the shortest text of each rule is: what generation that has to end steers by.

    The least fixed point over all rules that one calls, found when it is asked for.
    """

    def __init__(self, rules: Mapping[Hashable, Rule]) -> None:
        self._rules = rules
        self._known: dict[Hashable, float] = {}

    def of(self, name: Hashable) -> float:
        """Bytes of the shortest text of a rule."""
        if name not in self._known:
            self._find(name)
        return self._known[name]

    def _find(self, name: Hashable) -> None:
        """Dijkstra's algorithm as Knuth (1977) has it: rules become known in the order of their costs."""
        users: dict[Hashable, list[Hashable]] = {}
        costs: dict[Hashable, float] = {}
        todo = [name]
        while todo:
            rule = todo.pop()
            if rule in costs or rule in self._known:
                continue
            costs[rule] = math.inf
            for called in calls(self._rules[rule].body):
                users.setdefault(called, []).append(rule)
                todo.append(called)
            if len(costs) > _COSTED:
                self._known[name] = 1.0  # a schema so large that nobody waits for it
                return
        order = count()
        heap = [(self._cost(rule), next(order), rule) for rule in costs]
        heapq.heapify(heap)
        while heap:
            cost, _, rule = heapq.heappop(heap)
            if cost == math.inf:
                break
            if rule in self._known:
                continue
            self._known[rule] = cost
            for user in users.get(rule, ()):
                if user not in self._known:
                    heapq.heappush(heap, (self._cost(user), next(order), user))

    def _cost(self, rule: Hashable) -> float:
        return self._body_cost(self._rules[rule].body)

    def _body_cost(self, body: Body) -> float:
        match body:
            case Seq(parts):
                return sum(map(self._body_cost, parts))
            case Either(parts):
                return min(map(self._body_cost, parts), default=math.inf)
            case Call(rule):
                return self._known.get(rule, math.inf)
            case Terminal():
                return shortest_length(body.expr)
        return 0.0


def calls(body: Body) -> Iterator[Hashable]:
    """The rules that a body calls."""
    match body:
        case Call(rule):
            yield rule
        case Seq(parts) | Either(parts):
            for part in parts:
                yield from calls(part)


def shortest_length(expr: Expr) -> float:
    """Length of the shortest string of an expression, or less where intersections or complements are in it."""
    match expr:
        case Literal(data):
            return len(data)
        case Chars():
            return 1
        case Words(words):
            return min(map(len, words), default=math.inf)
        case Concat(parts):
            return sum(map(shortest_length, parts))
        case Alt(parts):
            return min(map(shortest_length, parts), default=math.inf)
        case And(parts):
            return max(map(shortest_length, parts), default=0)
        case Repeat(body, low, _):
            return low * shortest_length(body) if low else 0
        case Closed(body):
            return shortest_length(body)
        case _:
            return 0
