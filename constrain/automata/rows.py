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
`Template`; a row is a template with continuations filled in.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from constrain.automata.network import Network, run
from constrain.errors import LimitExceeded
from constrain.limits import Limits


class Continuation:
    """What may follow a completed rule: what waited for it in the row where it was begun. Worked out when asked for."""

    __slots__ = (
        "__weakref__",
        "_bound",
        "_items",
        "_predicted",
        "_recogniser",
        "_views",
        "accepts",
        "bars",
        "known_cost",
        "number",
        "plain",
    )

    def __init__(
        self, recogniser: Recogniser, number: int, predicted: _Predicted | None, bound: tuple[Continuation, ...]
    ) -> None:
        """Without `predicted`, the end of the text."""
        self._recogniser, self.number, self._predicted, self._bound = recogniser, number, predicted, bound
        self.accepts: bool = predicted is None or any(bound[k].accepts for k in predicted.through)
        """Whether the text may end there."""
        self._items: frozenset[Item] | None = frozenset() if predicted is None else None
        through = () if predicted is None else predicted.through
        self.bars: frozenset[int] = frozenset().union(*[bound[k].bars for k in through])
        """What terminals that match once must not begin with, in the activation that this follows (nodes)."""
        self.plain = number
        """The number of the continuation without bars."""
        self.known_cost: float | None = None
        """`cost`, once it has been worked out."""
        self._views: dict[int, int] = {}

    def view(self, depth: int) -> int:
        """A number that continuations share that are alike over `depth` continuations, one behind the other.

        Those that follow as well where a rule may end count as one: `items` shows what they hold.
        """
        if depth == 0:
            return 0
        known = self._views.get(depth)
        if known is None:
            key = [self.accepts, id(self._predicted)]
            if self._predicted is not None:
                through = self._predicted.through
                key += [self._bound[k].view(depth if k in through else depth - 1) for k in self._predicted.concerns]
            views = self._recogniser.views
            known = self._views[depth] = views.setdefault(tuple(key), len(views) + 1)
        return known

    @property
    def items(self) -> frozenset[Item]:
        """What to go on with: each of these can read something."""
        if self._items is None:
            assert self._predicted is not None
            own = self._recogniser.bind_all(self._predicted.template, self._predicted.items, self._bound)
            self._items = frozenset(own).union(*[self._bound[k].items for k in self._predicted.through])
        return self._items

    @property
    def cost(self) -> float:
        """Bytes that are at least left to the end of the text."""
        if self.known_cost is None:
            self._recogniser.price(self)
            assert self.known_cost is not None
        return self.known_cost


Item = tuple[int, int, Continuation]
"""State of a rule, register, what follows the rule."""


class Turn(NamedTuple):
    """The rule that the text goes on with."""

    rule: Hashable


After = int | Turn
"""What is known of the end of a terminal: a node that reads what must not be matched again, 0, or a turn."""

_Place = tuple[int, int, int]
"""An item with a reference in place of its continuation: from 0 up those of the row, -1 - n for what follows the n-th
rule that the row predicts."""
_Shape = tuple[_Place, ...]
_Signature = tuple[bool, frozenset[tuple[int, int, int]]]
"""Whether the text may end in a continuation, and its items, with numbers in place of continuations."""


class _Predicted(NamedTuple):
    """What follows a rule that is begun in a row."""

    template: Template
    rule: int
    items: _Shape
    through: frozenset[int]
    """References to continuations of the row that are among what follows."""
    concerns: tuple[int, ...]
    """References to all continuations of the row that it depends on."""
    system: tuple[int, ...]
    """References to the rules that this one refers to and that refer to it (left recursion), itself included."""


class _Plan(NamedTuple):
    """The items after some terminals, by what can be done with them."""

    on: _Shape
    """Those that can read something."""
    ending: tuple[int, ...]
    """References to what follows those that can end their rule."""


class Template:
    """What a row with items of a certain shape predicts."""

    __slots__ = (
        "alias",
        "completes",
        "expects",
        "kernel",
        "leading",
        "lexers",
        "once",
        "plans",
        "predicted",
        "straight",
        "twins",
    )

    def __init__(self, network: Network, plain: Callable[[int], int], kernel: _Shape) -> None:
        self.kernel = kernel
        self.completes: set[int] = set()
        """References to continuations whose rule may end in this row."""
        self.expects: dict[int, dict[_Place, None]] = {}
        """The items after each terminal, by its plain number."""
        self.twins: dict[int, dict[int, dict[_Place, None]]] = {}
        """By plain number, for terminals that match once: the items after each of them."""
        rules, waiting = self._close(network, plain)
        following = [_follow(network, n, waiting) for n in range(len(waiting))]
        reached = _reached(following)
        self.predicted = [
            _Predicted(self, rules[n], items, through, _concerns(reached[n]), _system(n, reached))
            for n, (items, through) in enumerate(following)
        ]
        """What follows each rule that is begun in the row."""
        self.plans: dict[tuple[int, ...], _Plan] = {}
        self.alias: dict[tuple[int, ...], tuple[int, ...]] = {}
        """For terminals the first ones with the same plan: they lead to the same row. None of them is ignored text."""
        self.leading: dict[_Plan, tuple[int, ...]] = {}
        """These, by plan."""
        self.straight: dict[tuple[int, ...], tuple[Template, tuple[int, ...]] | None] = {}
        """The templates after terminals that end no rule, with references to what they bind; None after others."""
        self.lexers: dict[bool, int] = {}
        """The lexer of the terminals expected, without and with ignored text, and without those that match once. Filled
        in by its user."""
        self.once: Any = None
        """What its user knows of the terminals that match once."""

    def plan(self, network: Network, symbols: tuple[int, ...]) -> _Plan:
        """What to do with the items after some terminals."""
        plan = self.plans.get(symbols)
        if plan is None:
            places = dict.fromkeys(place for symbol in symbols for place in self._after(symbol))
            on = tuple(sorted(place for place in places if network.goes_on(place[0])))
            ending = dict.fromkeys(ref for state, register, ref in places if network.may_end(state, register))
            plan = self.plans[symbols] = _Plan(on, tuple(sorted(ending)))
        return plan

    def _after(self, symbol: int) -> Iterable[_Place]:
        known = self.expects.get(symbol)
        return next((each[symbol] for each in self.twins.values() if symbol in each), ()) if known is None else known

    def _close(self, network: Network, plain: Callable[[int], int]) -> tuple[list[int], list[dict[_Place, None]]]:
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
                    place, lexed = (target, after, reference), plain(symbol)
                    self.expects.setdefault(lexed, {})[place] = None
                    if lexed != symbol:
                        self.twins.setdefault(lexed, {}).setdefault(symbol, {})[place] = None
            for actions, symbol, target in line.calls:
                after = run(actions, register)
                if after is None or not network.is_alive(target, after):
                    continue
                rule, item = -1 - symbol, (target, after, reference)
                new = [item] if network.is_nullable(rule) else []
                if rule not in numbers:
                    numbers[rule] = len(waiting)
                    new.append((*network.start(rule), -1 - len(waiting)))
                    waiting.append({})
                waiting[numbers[rule]][item] = None
                todo += [item for item in new if item not in items]
                items.update(new)
        return list(numbers), waiting


def _follow(network: Network, number: int, waiting: list[dict[_Place, None]]) -> tuple[_Shape, frozenset[int]]:
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
    return tuple(items), frozenset(through)


_Following = list[tuple[_Shape, frozenset[int]]]


def _reached(following: _Following) -> list[set[int]]:
    """For each predicted rule all references that what follows it holds, over others or not."""
    found = []
    for n in range(len(following)):
        seen: set[int] = set()
        todo = [-1 - n]
        while todo:
            items, through = following[-1 - todo.pop()]
            new = ({reference for _, _, reference in items} | through) - seen
            seen |= new
            todo += [reference for reference in new if reference < 0]
        found.append(seen)
    return found


def _concerns(reached: set[int]) -> tuple[int, ...]:
    """The references to continuations of the row itself."""
    return tuple(sorted(reference for reference in reached if reference >= 0))


def _system(number: int, reached: list[set[int]]) -> tuple[int, ...]:
    """References to the predicted rules that refer to each other with the n-th one."""
    return tuple(r for r in reached[number] if r < 0 and -1 - number in reached[-1 - r])


class Row:
    """A place in the text, as far as it matters for what may follow. Interned by its `Recogniser`."""

    __slots__ = ("__weakref__", "_recogniser", "accepting", "barred", "bound", "gotos", "ignores", "template")

    def __init__(
        self,
        recogniser: Recogniser,
        template: Template,
        bound: tuple[Continuation, ...],
        accepting: bool,
        ignores: bool,
    ) -> None:
        self._recogniser = recogniser
        self.template = template
        self.bound = bound
        """The continuations that the template refers to."""
        self.accepting = accepting
        """Whether the text may end here."""
        self.ignores = ignores
        """Whether ignored text may come next."""
        self.gotos: dict[tuple[int, ...], Row] = {}
        """The rows after the terminals read so far."""
        self.barred: Any = None
        """What its user knows of what terminals that match once must not begin with."""

    @property
    def expected(self) -> Collection[int]:
        """The terminals that may come next, ignored text left out."""
        return self.template.expects

    def after(self, symbols: tuple[int, ...]) -> Row:
        """The row after some terminals that have ended together."""
        row = self.gotos.get(symbols)
        if row is None:
            row = self.gotos[symbols] = self._recogniser.follow(self, symbols)
        return row

    @property
    def bars(self) -> frozenset[int]:
        """What terminals that match once must not begin with."""
        return frozenset().union(*[then.bars for then in self.bound])

    def items(self) -> list[Item]:
        """The items that nothing predicted."""
        return self._recogniser.bind_all(self.template, self.template.kernel, self.bound)

    def cost(self) -> float:
        """Bytes that are at least left to the end of the text, ignored text left out."""
        return 0.0 if self.accepting else self._cost(self.template.kernel)

    def cost_over(self, symbol: int) -> float:
        """The same where one terminal comes next, that terminal included."""
        network = self._recogniser.network
        return network.symbol_cost(symbol) + self._cost(self.template.expects[symbol])

    def _cost(self, places: Iterable[_Place]) -> float:
        network = self._recogniser.network
        items = self._recogniser.bind_all(self.template, places, self.bound)
        return min(network.cost(state) + then.cost for state, _, then in items)


class Recogniser:
    """All rows of a grammar."""

    def __init__(self, network: Network, ignore: int, plain: Callable[[int], int], limits: Limits) -> None:
        """`ignore` is the number of ignored text, 0 if there is none. `plain` gives terminals that match once, and
        differ in what they never match, one number for all of them."""
        self.network, self._ignore, self._limits = network, ignore, limits
        self._plain = plain
        self._templates: dict[_Shape, Template] = {}
        self._rows: WeakValueDictionary[tuple[Any, ...], Row] = WeakValueDictionary()
        self._continuations: dict[Hashable, Continuation] = {}
        self._numbers = count()
        self.views: dict[tuple[int, ...], int] = {}
        """The numbers of views of continuations."""
        self.forget: Callable[[], None] = lambda: None
        """Called when rows must be let go."""
        self._end = Continuation(self, next(self._numbers), None, ())

    def begin(self, rule: int) -> Row:
        """The row of the empty text, where all of the text is to be derived from a rule."""
        state, register = self.network.start(rule)
        ends = self.network.may_end(state, register)
        return self._intern({(state, register, self._end)}, accepting=ends)

    @property
    def size(self) -> int:
        """Number of rows held."""
        return len(self._rows)

    @property
    def templates(self) -> int:
        """Number of templates made."""
        return len(self._templates)

    def follow(self, row: Row, symbols: tuple[int, ...]) -> Row:
        """The row after some terminals that were begun in one row and have ended together."""
        template = row.template
        ignored = row.ignores and self._ignore in symbols
        if ignored and not any(symbol in template.expects for symbol in symbols):
            return self.without_ignored(row)
        alias = self.alias(template, symbols)
        if alias != symbols:
            return row.after(alias)
        straight = None if ignored else self._straight(template, symbols)
        if straight is None:
            return self._join([(row, symbols, 0)])
        after, references = straight
        bound = tuple([self.bind(template, reference, row.bound) for reference in references])
        return self._row(after, bound, accepting=False, ignores=self._ignore != 0)

    def alias(self, template: Template, symbols: tuple[int, ...]) -> tuple[int, ...]:
        """Terminals that lead to the same row from every row of a template; themselves where ignored text is one."""
        known = template.alias.get(symbols)
        if known is None:
            plan = template.plan(self.network, symbols)
            own = self._ignore in symbols or any(symbol in template.twins for symbol in symbols)
            known = symbols if own else template.leading.setdefault(plan, symbols)
            template.alias[symbols] = known
        return known

    def shape_after(self, template: Template, ignores: bool, symbols: tuple[int, ...]) -> tuple[Template, bool] | None:
        """The template of `follow`, and whether ignored text may come next; None if that depends on continuations."""
        if ignores and self._ignore in symbols:
            return None if any(symbol in template.expects for symbol in symbols) else (template, False)
        straight = self._straight(template, symbols)
        return None if straight is None else (straight[0], self._ignore != 0)

    def join(self, ended: Iterable[tuple[Row, int, After]]) -> Row:
        """The row at a place where terminals that were begun in several rows end together."""
        return self._join([(row, (symbol,), bar) for row, symbol, bar in ended])

    def barred(self, then: Continuation, bar: int) -> Continuation:
        """The continuation of an activation in which something more must not be matched."""
        if not bar or bar in then.bars:
            return then
        bars = then.bars | {bar}
        key = ("barred", then.plain, bars)
        known = self._continuations.get(key)
        if known is None:
            known = Continuation(self, next(self._numbers), then._predicted, then._bound)
            known.plain, known.bars = then.plain, bars
            self._continuations[key] = known
        return known

    def without_ignored(self, row: Row) -> Row:
        """The row after ignored text: the same, but for more of it."""
        return self._row(row.template, row.bound, row.accepting, ignores=False)

    def bind(self, template: Template, reference: int, bound: tuple[Continuation, ...]) -> Continuation:
        """The continuation that a template refers to, in a row that binds some."""
        if reference >= 0:
            return bound[reference]
        predicted = template.predicted[-1 - reference]
        if not predicted.items and len(predicted.through) == 1:
            (only,) = predicted.through  # a call at the end of a rule: nothing of its own follows
            return bound[only]
        key = (id(template), reference, *[bound[k].number for k in predicted.concerns])
        known = self._continuations.get(key)
        if known is None:
            known = self._continuations[key] = self._made(predicted, bound)
        return known

    def _made(self, predicted: _Predicted, bound: tuple[Continuation, ...]) -> Continuation:
        """The one continuation that says what follows a predicted rule, wherever that was begun."""
        system = predicted.system
        members = [predicted.template.predicted[-1 - reference] for reference in system] or [predicted]
        signatures = {member.rule: self._signature(member, system, bound) for member in members}
        bars = frozenset().union(*[bound[k].bars for k in predicted.through])
        form = (
            predicted.rule if system else None,
            frozenset(signatures.items() if system else signatures.values()),
            bars,
        )
        known = self._continuations.get(form)
        if known is None:
            absorbed = self._absorbed(predicted, signatures[predicted.rule], bound) if len(system) <= 1 else None
            known = absorbed or Continuation(self, next(self._numbers), predicted, bound)
            self._continuations[form] = known
        return known

    def _absorbed(
        self, predicted: _Predicted, signature: _Signature, bound: tuple[Continuation, ...]
    ) -> Continuation | None:
        """One of those that it continues with, if that is all it comes to: so it is in `e: e "+" e` after a second `+`.

        Where it refers to itself that one is put in its place. Every derivation through one is then one through the
        other.
        """
        accepts, items = signature
        own = -1 - predicted.rule
        for then in [bound[k] for k in predicted.through]:
            inside = {(state, register, then.number if number == own else number) for state, register, number in items}
            if then.accepts == accepts and inside == {(state, reg, after.number) for state, reg, after in then.items}:
                return then
        return None

    def _signature(self, predicted: _Predicted, system: tuple[int, ...], bound: tuple[Continuation, ...]) -> _Signature:
        """Whether the text may end, and the items, with numbers of continuations; -1 - rule for those of the system."""
        template = predicted.template
        found: set[tuple[int, int, int]] = set()
        for state, register, reference in predicted.items:
            if reference in system:
                found.add((state, register, -1 - template.predicted[-1 - reference].rule))
            else:
                found.add((state, register, self.bind(template, reference, bound).number))
        for k in predicted.through:
            found.update([(state, register, then.number) for state, register, then in bound[k].items])
        return any(bound[k].accepts for k in predicted.through), frozenset(found)

    def bind_all(self, template: Template, shape: Iterable[_Place], bound: tuple[Continuation, ...]) -> list[Item]:
        """The items of a shape, in a row that binds some continuations."""
        return [(state, register, self.bind(template, reference, bound)) for state, register, reference in shape]

    def price(self, wanted: Continuation) -> None:
        """Work out the cost of a continuation, and of those that it refers to."""
        reached, todo = {wanted: math.inf}, [wanted]
        while todo:
            for _, _, then in todo.pop().items:
                if then.known_cost is None and then not in reached:
                    reached[then] = math.inf
                    todo.append(then)
        changed = True
        while changed:  # backwards, since most refer to those found after them
            changed = False
            for continuation in reversed(reached):
                cost = 0.0 if continuation.accepts else math.inf
                for state, _, then in continuation.items:
                    known = then.known_cost
                    cost = min(cost, self.network.cost(state) + (reached[then] if known is None else known))
                if cost < reached[continuation]:
                    reached[continuation], changed = cost, True
        for continuation, cost in reached.items():
            continuation.known_cost = cost

    def _join(self, ended: list[tuple[Row, tuple[int, ...], After]]) -> Row:
        items: set[Item] = set()
        accepting = False
        for row, symbols, bar in ended:
            plan = row.template.plan(self.network, symbols)
            if isinstance(bar, Turn):
                state = self.network.call(bar.rule)
                items.update([(state, 0, self.bind(row.template, ref, row.bound)) for ref in plan.ending])
                continue
            on = self.bind_all(row.template, plan.on, row.bound)
            items.update([(state, reg, self.barred(then, bar)) for state, reg, then in on] if bar else on)
            for reference in plan.ending:
                then = self.bind(row.template, reference, row.bound)
                items |= then.items
                accepting = accepting or then.accepts
            if row.ignores and self._ignore in symbols:
                items.update(row.items())
                accepting = accepting or row.accepting
        return self._intern(items, accepting)

    def _straight(self, template: Template, symbols: tuple[int, ...]) -> tuple[Template, tuple[int, ...]] | None:
        """The template after terminals that end no rule, and references to what it binds."""
        if symbols not in template.straight:
            plan = template.plan(self.network, symbols)
            references: dict[int, int] = {}
            shape = tuple((state, reg, references.setdefault(ref, len(references))) for state, reg, ref in plan.on)
            after = None if plan.ending else self._template(shape)
            ends = after is None or after.completes  # it may also end over rules that may be empty
            template.straight[symbols] = None if after is None or ends else (after, tuple(references))
        return template.straight[symbols]

    def _intern(self, items: set[Item], accepting: bool) -> Row:
        """The row of some items, each of which can read something."""
        while True:
            ordered = sorted(items, key=lambda item: (item[0], item[1], item[2].number))
            references: dict[Continuation, int] = {}
            shape = tuple((state, reg, references.setdefault(then, len(references))) for state, reg, then in ordered)
            template, bound = self._template(shape), tuple(references)
            ended = [bound[k] for k in template.completes]  # also over rules that may be empty
            accepting = accepting or any(then.accepts for then in ended)
            missing = [then for then in ended if not then.items <= items]
            if not missing:
                return self._row(template, bound, accepting, ignores=self._ignore != 0)
            items = items.union(*[then.items for then in missing])

    def _template(self, shape: _Shape) -> Template:
        template = self._templates.get(shape)
        if template is None:
            template = self._templates[shape] = Template(self.network, self._plain, shape)
        return template

    def _row(self, template: Template, bound: tuple[Continuation, ...], accepting: bool, ignores: bool) -> Row:
        """The one row that has these parts."""
        key = (id(template), accepting, ignores, *[then.number for then in bound])
        row = self._rows.get(key)
        if row is None:
            if max(len(self._rows), len(self._continuations)) >= self._limits.rows:
                self._make_room()
            row = self._rows[key] = Row(self, template, bound, accepting, ignores)
        return row

    def close(self) -> None:
        """Let go of everything; nothing may be asked any more."""
        for row in list(self._rows.values()):
            row.gotos.clear()
        for template in self._templates.values():
            template.predicted.clear()
        vars(self).clear()

    def _make_room(self) -> None:
        """Let go of the rows that nothing but earlier rows leads to."""
        for row in list(self._rows.values()):
            row.gotos.clear()
        self._continuations.clear()
        self.forget()
        gc.collect()
        if 2 * len(self._rows) >= self._limits.rows:
            raise LimitExceeded("rows", 2 * len(self._rows), self._limits.rows, "text nested so deep")
