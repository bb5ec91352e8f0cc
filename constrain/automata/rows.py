"""The recogniser: Earley's algorithm with interned rows, made as text is read.

In:  a `Network`, terminals as they end.
Out: `Row`: what may come next at a place of the text, and the row after each of it.

A row holds items: (state of a rule, register, continuation). A continuation is what may follow once the rule of an item
is completed, which Earley (1970) finds through the row where the rule was begun. Here it is a value of its own: the
items to go on with, each of them able to read something. Items that can only end their rule are left out, and their
continuations used in their place. That makes left and right recursion and nullable rules take constant time and space
per terminal (it does what Leo 1991 and Aycock and Horspool 2002 do), and rows that go on alike are one row, however
they were reached: a list comes back to the same row after every element.

What a row predicts depends on the states of its items alone, not on their continuations. It is worked out once, as a
`_Template`; a row is a template with continuations filled in.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from constrain.automata.network import NEVER, Network, run
from constrain.errors import LimitExceeded
from constrain.limits import Limits


class Continuation:
    """What may follow a completed rule."""

    __slots__ = ("__weakref__", "accepts", "cost", "items", "number")

    def __init__(self, number: int, accepts: bool) -> None:
        self.number = number
        self.accepts = accepts
        """Whether the text may end there."""
        self.items: frozenset[Item] = frozenset()
        """What to go on with: each of these can read something."""
        self.cost = 0.0 if accepts else NEVER
        """Bytes that are at least left to the end of the text."""


Item = tuple[int, int, Continuation]
"""State of a rule, register, what follows the rule."""

_Place = tuple[int, int, int]
"""An item with a reference in place of its continuation: from 0 up those of the row, -1 - n for what follows the n-th
rule that the row predicts."""
_Shape = tuple[_Place, ...]


class _Predicted(NamedTuple):
    """What follows a rule that is begun in a row."""

    rule: int
    items: _Shape
    through: frozenset[int]
    """References to continuations of the row that are among what follows."""


class _Template:
    """What a row with items of a certain shape predicts."""

    __slots__ = ("completes", "expects", "kernel", "lexers", "predicted")

    def __init__(self, network: Network, kernel: _Shape) -> None:
        self.kernel = kernel
        self.completes: set[int] = set()
        """References to continuations whose rule may end in this row."""
        self.expects: dict[int, dict[_Place, None]] = {}
        """The items after each terminal."""
        rules, waiting = self._close(network)
        self.predicted = [_follow(network, rule, n, waiting) for n, rule in enumerate(rules)]
        self.lexers: dict[bool, int] = {}
        """The lexer of the terminals expected, without and with ignored text. Filled in by its user."""

    def _close(self, network: Network) -> tuple[list[int], list[dict[_Place, None]]]:
        """Predict rules until there are no more: these, and the items that wait for each of them."""
        numbers: dict[int, int] = {}
        waiting: list[dict[_Place, None]] = []
        items, todo = set(self.kernel), list(self.kernel)
        while todo:
            state, register, reference = todo.pop()
            line = network.line(state)
            if reference >= 0 and line.ends and network.may_end(state, register):
                self.completes.add(reference)
            for actions, symbol, target in line.terminals:
                after = run(actions, register)
                if after is not None and network.is_alive(target, after):
                    self.expects.setdefault(symbol, {})[target, after, reference] = None
            for actions, symbol, target in line.calls:
                after = run(actions, register)
                if after is None or not network.is_alive(target, after):
                    continue
                rule, item = -1 - symbol, (target, after, reference)
                new = [item] if network.is_nullable(rule) else []
                if rule not in numbers:
                    numbers[rule] = len(waiting)
                    new.append((*network.starts[rule], -1 - len(waiting)))
                    waiting.append({})
                waiting[numbers[rule]][item] = None
                todo += [item for item in new if item not in items]
                items.update(new)
        return list(numbers), waiting


def _follow(network: Network, rule: int, number: int, waiting: list[dict[_Place, None]]) -> _Predicted:
    """What follows the n-th rule predicted: the items that waited for it, and what follows those that end there."""
    items: dict[_Place, None] = {}
    through: set[int] = set()
    seen, todo = {number}, [number]
    while todo:
        for item in waiting[todo.pop()]:
            state, register, reference = item
            if network.goes_on(state):
                items[item] = None
            if not network.may_end(state, register):
                continue
            if reference >= 0:
                through.add(reference)
            elif -1 - reference not in seen:
                seen.add(-1 - reference)
                todo.append(-1 - reference)
    return _Predicted(rule, tuple(items), frozenset(through))


class Row:
    """A place in the text, as far as it matters for what may follow. Interned by its `Recogniser`."""

    __slots__ = ("__weakref__", "_bound", "_continuations", "_recogniser", "accepting", "gotos", "ignores", "template")

    def __init__(
        self,
        recogniser: Recogniser,
        template: _Template,
        continuations: tuple[Continuation, ...],
        accepting: bool,
        ignores: bool,
    ) -> None:
        self._recogniser = recogniser
        self.template = template
        self._continuations = continuations
        self.accepting = accepting
        """Whether the text may end here."""
        self.ignores = ignores
        """Whether ignored text may come next."""
        self.gotos: dict[tuple[int, ...], Row] = {}
        """The rows after the terminals read so far."""
        self._bound: dict[int, Continuation] = {}

    @property
    def expected(self) -> Collection[int]:
        """The terminals that may come next, ignored text left out."""
        return self.template.expects

    def after(self, symbols: tuple[int, ...]) -> Row:
        """The row after some terminals that have ended together."""
        row = self.gotos.get(symbols)
        if row is None:
            row = self.gotos[symbols] = self._recogniser.join([(self, symbol) for symbol in symbols])
        return row

    def items(self, symbol: int | None = None) -> set[Item]:
        """The items after a terminal, or those that make up the row itself."""
        shape = self.template.kernel if symbol is None else self.template.expects[symbol]
        return {(state, register, self._follows(reference)) for state, register, reference in shape}

    def cost(self) -> float:
        """Bytes that are at least left to the end of the text, ignored text left out."""
        network = self._recogniser.network
        return 0.0 if self.accepting else min(network.cost(state) + then.cost for state, _, then in self.items())

    def as_ignored(self) -> Row:
        """The row after ignored text: the same, but for more of it."""
        return self._recogniser.row(self.template, self._continuations, self.accepting, ignores=False)

    def _follows(self, reference: int) -> Continuation:
        if reference >= 0:
            return self._continuations[reference]
        known = self._bound.get(reference)
        if known is None:
            self._bind(reference)
            known = self._bound[reference]
        return known

    def _bind(self, reference: int) -> None:
        """Intern what follows a predicted rule. What refers to itself (left recursion) is interned as a whole."""
        system = self._system(reference)
        for member in system:
            for _, _, other in self._predicted(member).items:
                if other not in system:
                    self._follows(other)
        key = frozenset(self._key(member, system) for member in system)
        fresh = []
        for member in system:
            rule = self._predicted(member).rule if len(system) > 1 or self._refers(member, member) else None
            continuation, is_new = self._recogniser.continuation((rule, key), self._accepts(member))
            self._bound[member] = continuation
            fresh += [member] if is_new else []
        for member in fresh:
            self._bound[member].items = frozenset(self._following(member, ()))  # type: ignore[arg-type]
        self._recogniser.price([self._bound[member] for member in fresh])

    def _predicted(self, reference: int) -> _Predicted:
        return self.template.predicted[-1 - reference]

    def _refers(self, reference: int, target: int) -> bool:
        """Whether what follows one predicted rule refers, over others, to what follows another."""
        seen: set[int] = set()
        todo = [reference]
        while todo:
            for _, _, other in self._predicted(todo.pop()).items:
                if other == target:
                    return True
                if other < 0 and other not in seen:
                    seen.add(other)
                    todo.append(other)
        return False

    def _system(self, reference: int) -> tuple[int, ...]:
        """The predicted rule, and those that it refers to and that refer to it."""
        reached, todo = {reference}, [reference]
        while todo:
            for _, _, other in self._predicted(todo.pop()).items:
                if other < 0 and other not in reached and other not in self._bound:
                    reached.add(other)
                    todo.append(other)
        return tuple(member for member in reached if member == reference or self._refers(member, reference))

    def _accepts(self, reference: int) -> bool:
        return any(self._continuations[k].accepts for k in self._predicted(reference).through)

    def _key(self, reference: int, system: tuple[int, ...]) -> tuple[Any, ...]:
        named = frozenset(
            (state, register, then if isinstance(then, int) else then.number)
            for state, register, then in self._following(reference, system)
        )
        return (self._predicted(reference).rule if len(system) > 1 else None, self._accepts(reference), named)

    def _following(self, reference: int, system: tuple[int, ...]) -> Iterator[tuple[int, int, Continuation | int]]:
        """What follows a predicted rule. References into `system` stand as -1 - the rule that they name."""
        predicted = self._predicted(reference)
        for state, register, other in predicted.items:
            if other in system:
                yield state, register, -1 - self._predicted(other).rule
            else:
                yield state, register, self._follows(other)
        for k in predicted.through:
            yield from self._continuations[k].items


class Recogniser:
    """All rows of a grammar."""

    def __init__(self, network: Network, ignore: int, limits: Limits) -> None:
        """`ignore` is the number of ignored text, 0 if there is none."""
        self.network, self._ignore, self._limits = network, ignore, limits
        self._templates: dict[_Shape, _Template] = {}
        self._rows: WeakValueDictionary[tuple[Any, ...], Row] = WeakValueDictionary()
        self._continuations: WeakValueDictionary[Any, Continuation] = WeakValueDictionary()
        self._numbers = count()
        self.forget: Callable[[], None] = lambda: None
        """Called when rows must be let go."""
        self._end = Continuation(next(self._numbers), accepts=True)

    def begin(self, rule: int) -> Row:
        """The row of the empty text, where all of the text is to be derived from a rule."""
        return self._intern({(*self.network.starts[rule], self._end)}, accepting=False)

    @property
    def size(self) -> int:
        """Number of rows held."""
        return len(self._rows)

    def join(self, ended: Iterable[tuple[Row, int]]) -> Row:
        """The row at a place where terminals that were begun in some rows end together."""
        items: set[Item] = set()
        accepting, ignored = False, []
        for row, symbol in ended:
            if symbol in row.expected:
                items |= row.items(symbol)
            if symbol == self._ignore and row.ignores:
                ignored.append(row)
        if len(ignored) == 1 and not items:
            return ignored[0].as_ignored()
        for row in ignored:
            items |= row.items()
            accepting = accepting or row.accepting
        return self._intern(items, accepting)

    def row(self, template: _Template, then: tuple[Continuation, ...], accepting: bool, ignores: bool) -> Row:
        """The one row that has these parts."""
        key = (id(template), tuple(continuation.number for continuation in then), accepting, ignores)
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self._limits.rows:
                self._make_room()
            row = self._rows[key] = Row(self, template, then, accepting, ignores)
        return row

    def continuation(self, key: Any, accepts: bool) -> tuple[Continuation, bool]:
        """The one continuation with this key, and whether it is new, to be filled in."""
        known = self._continuations.get(key)
        if known is not None:
            return known, False
        new = self._continuations[key] = Continuation(next(self._numbers), accepts)
        return new, True

    def price(self, continuations: list[Continuation]) -> None:
        """Work out the costs of new continuations, which may refer to each other."""
        changed = True
        while changed:
            changed = False
            for continuation in continuations:
                cost = min((self.network.cost(s) + then.cost for s, _, then in continuation.items), default=NEVER)
                if cost < continuation.cost:
                    continuation.cost, changed = cost, True

    def _intern(self, items: set[Item], accepting: bool) -> Row:
        """The row of some items: without those that can only end their rule, and with what follows these."""
        kernel: set[Item] = set()
        for item in items:
            state, register, then = item
            if self.network.goes_on(state):
                kernel.add(item)
            if self.network.may_end(state, register):
                kernel |= then.items
                accepting = accepting or then.accepts
        while True:
            template, then = self._template(kernel)
            ended = [then[k] for k in template.completes]  # known only now where rules without text are passed over
            missing = [e for e in ended if not e.items <= kernel]
            accepting = accepting or any(e.accepts for e in ended)
            if not missing:
                return self.row(template, then, accepting, ignores=self._ignore != 0)
            kernel.update(*(e.items for e in missing))

    def _template(self, kernel: set[Item]) -> tuple[_Template, tuple[Continuation, ...]]:
        ordered = sorted(kernel, key=lambda item: (item[0], item[1], item[2].number))
        references: dict[Continuation, int] = {}
        shape = tuple((state, reg, references.setdefault(then, len(references))) for state, reg, then in ordered)
        template = self._templates.get(shape)
        if template is None:
            template = self._templates[shape] = _Template(self.network, shape)
        return template, tuple(references)

    def _make_room(self) -> None:
        """Let go of the rows that nothing but earlier rows leads to."""
        for row in list(self._rows.values()):
            row.gotos.clear()
        self.forget()
        gc.collect()
        if 2 * len(self._rows) >= self._limits.rows:
            raise LimitExceeded("rows", 2 * len(self._rows), self._limits.rows, "text nested so deep")
