"""Rules as recursive transition networks, made as they are walked.

In:  `constrain.ir.grammar.Rule` values, the number and shortest length of each terminal.
Out: `Network`: the edges of a state, whether it may end its rule, and how many bytes are at least left to its end.

A state is what is left of a rule's body (a partial derivative, Antimirov 1996), interned: `x*` is a loop, `x{3,1000}`
has the states that are visited, and rules that go on alike share states. Edges from which no text can be completed are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from constrain.errors import LimitExceeded, SpecTypeError
from constrain.ir.grammar import Action, Bits, Body, Call, Count, Either, Many, Rule, Seq, Special, Terminal
from constrain.ir.reach import reaches_end
from constrain.limits import Limits

Actions = tuple[Action, ...]
NEVER = float("inf")
"""The length of the shortest text where there is none."""

_END, _SYMBOL, _ACTION, _SEQ, _EITHER, _MANY = range(6)
_END_STATE = 0


class Edge(NamedTuple):
    """A way on from a state: what to do to the register, what to read, and where that leads."""

    actions: Actions
    symbol: int
    """The number of a terminal, or -1 - the number of a rule."""
    target: int


class Line(NamedTuple):
    """What may come first in a state."""

    ends: tuple[Actions, ...]
    """The ways to end the rule here."""
    terminals: tuple[Edge, ...]
    calls: tuple[Edge, ...]


class Network:
    """The states of a grammar's rules; a state is a number.

    `roots` are the rules that texts are derived from. `number` names a terminal by an integer, `length` tells how many
    bytes its shortest string has.
    """

    def __init__(
        self,
        rules: Mapping[Hashable, Rule],
        roots: Iterable[Hashable],
        number: Callable[[Terminal | Special], int],
        length: Callable[[int], float],
        limits: Limits,
        lazy_cost: Callable[[Hashable], float] | None = None,
        lazy_roots: bool = False,
    ) -> None:
        self._bodies, self._number, self._length, self._limits = rules, number, length, limits
        self._lazy_cost = lazy_cost or (lambda name: 1.0)
        self._nodes: list[tuple[Any, ...]] = [(_END,)]
        self._ids: dict[tuple[Any, ...], int] = {(_END,): _END_STATE}
        self._lines: dict[int, Line] = {}
        self._rules: dict[Hashable, int] = {}
        self._alive: dict[tuple[int, int], bool] = {}
        self._acts: dict[int, bool] = {}
        self._completed: dict[int, bool] = {}
        self.names: list[Hashable] = []
        """The name of each rule."""
        self._starts: dict[int, tuple[int, int]] = {}
        self._lazy: set[int] = set()
        self._unread: list[int] = []
        self._costs: dict[int, float] = {}
        self._rule_costs: dict[int, float] = {}
        """Of rules that are not called lazily; of those that are, once they have been asked for."""
        self._nullable: dict[int, bool] = {}
        for root in roots:
            self.number(root, lazy_roots)
        self._read_rules()

    # ------------------------------------------------------------------------------------------------ questions

    @property
    def size(self) -> int:
        """Number of states."""
        return len(self._nodes)

    def line(self, state: int) -> Line:
        """What may come first in a state, without ways that lead nowhere."""
        line = self._lines.get(state)
        if line is None:
            ends, edges = self._linear(state)
            joined: dict[tuple[Actions, int], list[int]] = {}
            for actions, symbol, target in edges:
                if self._ends(symbol) and self._may_be_completed(target):
                    joined.setdefault((actions, symbol), []).append(target)
            ways = [Edge(actions, symbol, self._either(targets)) for (actions, symbol), targets in joined.items()]
            line = self._lines[state] = Line(
                tuple(dict.fromkeys(ends)),
                tuple(edge for edge in ways if edge.symbol >= 0),
                tuple(edge for edge in ways if edge.symbol < 0),
            )
        return line

    def may_end(self, state: int, register: int) -> bool:
        """Whether the rule may end in `state`."""
        return any(run(actions, register) is not None for actions in self.line(state).ends)

    def goes_on(self, state: int) -> bool:
        """Whether anything may follow in `state`."""
        line = self.line(state)
        return bool(line.terminals or line.calls)

    def is_nullable(self, rule: int) -> bool:
        """Whether a rule denotes the empty text."""
        return rule not in self._lazy and self._nullable[rule]

    def start(self, rule: int) -> tuple[int, int]:
        """The first state of a rule, and its register."""
        if rule not in self._starts:
            self._unread.append(rule)
            self._read_rules()
        return self._starts[rule]

    def cost(self, state: int) -> float:
        """Bytes that are at least left to the end of the rule, whatever the register; NEVER if it has no end."""
        cost = self._costs.get(state)
        if cost is None:
            cost = self._costs[state] = self._cost(state)
        return cost

    def rule_cost(self, rule: int) -> float:
        """Bytes of the shortest text that a rule denotes."""
        cost = self._rule_costs.get(rule)
        if cost is None:
            cost = self._rule_costs[rule] = self._lazy_cost(self.names[rule])
        return cost

    def is_alive(self, state: int, register: int) -> bool:
        """Whether the rule can be completed from `state`. Raises LimitExceeded when that takes too long to find out."""
        if not self._has_actions(state):
            return True  # `line` has left out the others
        known = self._alive.get((state, register))
        return self._search(state, register) if known is None else known

    # ------------------------------------------------------------------------------------------- building states

    def call(self, name: Hashable) -> int:
        """The state in which a rule is called, lazily, and nothing else follows."""
        return self._intern((_SYMBOL, -1 - self.number(name, lazy=True)))

    def number(self, name: Hashable, lazy: bool = False) -> int:
        """The number of a rule."""
        rule = self._rules.get(name)
        if rule is None:
            rule = self._rules[name] = len(self.names)
            self.names.append(name)
            if lazy:
                self._lazy.add(rule)
            else:
                self._unread.append(rule)
        return rule

    def _read_rules(self) -> None:
        """Read the rules named so far, and those that they call, lazy calls left out."""
        new = []
        while self._unread:
            number = self._unread.pop()
            name = self.names[number]
            rule = self._bodies[name]
            try:
                self._starts[number] = self._read(rule.body), rule.register
            except RecursionError:
                raise LimitExceeded("nesting", 1000, 1000, f"the body of rule {name!r}") from None
            if number not in self._lazy:
                new.append(number)
        self._find_costs(new)
        self._nullable.update((rule, self._is_nullable(rule)) for rule in new)

    def _read(self, body: Body) -> int:
        match body:
            case Seq(parts):
                state = _END_STATE
                for part in reversed(parts):
                    state = self._seq(self._read(part), state)
                return state
            case Either(parts):
                return self._either([self._read(part) for part in parts])
            case Many(inner, low, high):
                if max(low, high or 0) > self._limits.repeat:
                    raise LimitExceeded("repeat", max(low, high or 0), self._limits.repeat, "a bound of a repetition")
                return self._many(self._read(inner), low, high)
            case Call(rule, lazy):
                return self._intern((_SYMBOL, -1 - self.number(rule, lazy)))
            case Terminal() | Special():
                return self._intern((_SYMBOL, self._number(body)))
            case Bits() | Count():
                return self._intern((_ACTION, body))

    def _intern(self, node: tuple[Any, ...]) -> int:
        state = self._ids.get(node)
        if state is None:
            if len(self._nodes) >= self._limits.states:
                raise LimitExceeded("states", len(self._nodes) + 1, self._limits.states, "the rules of a grammar")
            state = self._ids[node] = len(self._nodes)
            self._nodes.append(node)
        return state

    def _seq(self, first: int, then: int) -> int:
        """One after the other, leaning to the right."""
        heads = []
        while self._nodes[first][0] == _SEQ:
            _, head, first = self._nodes[first]
            heads.append(head)
        if first != _END_STATE:
            heads.append(first)
        for head in reversed(heads):
            then = head if then == _END_STATE else self._intern((_SEQ, head, then))
        return then

    def _either(self, states: list[int]) -> int:
        parts: set[int] = set()
        for state in states:
            node = self._nodes[state]
            parts.update(node[1:] if node[0] == _EITHER else (state,))
        return parts.pop() if len(parts) == 1 else self._intern((_EITHER, *sorted(parts)))

    def _many(self, body: int, low: int, high: int | None) -> int:
        if body == _END_STATE or high == 0:
            return _END_STATE
        return body if (low, high) == (1, 1) else self._intern((_MANY, body, low, high))

    # ------------------------------------------------------------------------------------------- walking states

    def _linear(self, state: int) -> tuple[list[Actions], list[Edge]]:
        """The ways to end at once, and the linear form: what may be read first, and what is left then."""
        ends: list[Actions] = [()]
        edges: list[Edge] = []
        while ends and state != _END_STATE:  # along a sequence, as far as its parts can be skipped
            first, then = state, _END_STATE
            if self._nodes[state][0] == _SEQ:
                _, first, then = self._nodes[state]
            skips, ways = self._linear_part(first)
            edges += [Edge(end + way.actions, way.symbol, self._seq(way.target, then)) for end in ends for way in ways]
            ends = list(dict.fromkeys(end + skip for end in ends for skip in skips))
            state = then
        return ends, edges

    def _linear_part(self, state: int) -> tuple[list[Actions], list[Edge]]:
        kind, *args = self._nodes[state]
        if kind == _SYMBOL:
            return [], [Edge((), args[0], _END_STATE)]
        if kind == _ACTION:
            return [(args[0],)], []
        if kind == _EITHER:
            parts = [self._linear(part) for part in args]
            return [end for ends, _ in parts for end in ends], [edge for _, edges in parts for edge in edges]
        body, low, high = args
        ends, edges = self._linear(body)
        if any(ends):
            raise SpecTypeError("a repeated body must not act on the register without reading anything")
        rest = self._many(body, 0 if ends else max(low - 1, 0), None if high is None else high - 1)
        again = [Edge(edge.actions, edge.symbol, self._seq(edge.target, rest)) for edge in edges]
        return ([()] if ends or low == 0 else []), again

    # ------------------------------------------------------------------------------------ what can be completed

    def symbol_cost(self, symbol: int) -> float:
        """Bytes of the shortest text of a terminal or a rule."""
        return self._length(symbol) if symbol >= 0 else self.rule_cost(-1 - symbol)

    def _ends(self, symbol: int) -> bool:
        """Whether a terminal or a rule denotes any text."""
        return -1 - symbol in self._lazy or self.symbol_cost(symbol) < NEVER

    def _may_be_completed(self, state: int) -> bool:
        """Whether the rest of a body denotes any text, without reading what is called lazily."""
        known = self._completed.get(state)
        if known is None:
            kind, *args = self._nodes[state]
            if kind == _SYMBOL:
                known = self._ends(args[0])
            elif kind == _SEQ:
                known = all(self._may_be_completed(part) for part in args)
            elif kind == _EITHER:
                known = any(self._may_be_completed(part) for part in args)
            else:
                known = kind != _MANY or args[1] == 0 or self._may_be_completed(args[0])
            self._completed[state] = known
        return known

    def _cost(self, state: int) -> float:
        """Bytes of the shortest text that a body denotes, from what is known of rules so far."""
        cost = 0.0
        while self._nodes[state][0] == _SEQ:
            _, first, state = self._nodes[state]
            cost += self._cost(first)
        kind, *args = self._nodes[state]
        if kind == _SYMBOL:
            return cost + self.symbol_cost(args[0])
        if kind == _EITHER:
            return cost + min((self._cost(part) for part in args), default=NEVER)
        if kind == _MANY:
            return cost + (args[1] * self._cost(args[0]) if args[1] else 0.0)
        return cost

    def _find_costs(self, rules: list[int]) -> None:
        """Least fixed point over rules (Knuth 1977, by iteration): a rule that stays at NEVER denotes nothing."""
        users = self._users(rules)
        self._rule_costs.update(dict.fromkeys(rules, NEVER))
        todo = dict.fromkeys(rules)
        while todo:
            rule = todo.popitem()[0]
            cost = self._cost(self._starts[rule][0])
            if cost < self._rule_costs[rule]:
                self._rule_costs[rule] = cost
                todo.update(dict.fromkeys(users[rule]))

    def _users(self, rules: list[int]) -> dict[int, list[int]]:
        """For each of some rules those whose bodies call it."""
        users: dict[int, list[int]] = {rule: [] for rule in rules}
        for rule in rules:
            start, _ = self._starts[rule]
            seen, todo = {start}, [start]
            while todo:
                kind, *args = self._nodes[todo.pop()]
                if kind == _SYMBOL and -1 - args[0] in users:
                    users[-1 - args[0]].append(rule)
                inner = args if kind in (_SEQ, _EITHER) else args[:1] if kind == _MANY else []
                todo += [part for part in inner if part not in seen]
                seen.update(inner)
        return users

    def _is_nullable(self, rule: int) -> bool:
        """The least text has no bytes; tests of the register can forbid it."""
        start, register = self._starts[rule]
        if self._rule_costs[rule] > 0 or not self._has_actions(start):
            return self._rule_costs[rule] == 0
        return any(run(end, register) is not None for end in self._linear(start)[0])

    def _has_actions(self, state: int) -> bool:
        known = self._acts.get(state)
        if known is None:
            kind, *args = self._nodes[state]
            inner = args if kind in (_SEQ, _EITHER) else args[:1] if kind == _MANY else []
            known = self._acts[state] = kind == _ACTION or any(self._has_actions(part) for part in inner)
        return known

    def _search(self, state: int, register: int) -> bool:
        """Look for a way to the end, shortest rests first."""
        most = self._limits.search
        found = reaches_end((state, register), self._ways, lambda at: self.may_end(*at), self._alive, most)
        if found is None:
            raise LimitExceeded("search", most + 1, most, "completing a rule with a register")
        return found

    def _ways(self, at: tuple[int, int]) -> Iterator[tuple[int, int]]:
        state, register = at
        line = self.line(state)
        edges = sorted(line.terminals + line.calls, key=lambda edge: self.cost(edge.target))
        for edge in edges:
            after = run(edge.actions, register)
            if after is not None:
                yield edge.target, after


def run(actions: Actions, register: int) -> int | None:
    """The register after some actions, None if a test fails."""
    for action in actions:
        after = action.apply(register)
        if after is None:
            return None
        register = after
    return register


def rule_name(name: Hashable) -> str:
    """What to call a rule: instances of a template by its name, the states of a schema's automata by what they read.

    >>> rule_name("item"), rule_name(("_list", 3)), rule_name((0, "start"))
    ('item', '_list', 'start')
    """
    if isinstance(name, tuple) and name:
        if hasattr(name, "_fields"):
            return rule_name(name.after) if hasattr(name, "after") else type(name).__name__.strip("_").lower()
        return next((rule_name(part) for part in name if part and not isinstance(part, int)), str(name))
    return str(name)
