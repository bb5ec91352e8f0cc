"""From formulas to the rules of a grammar, each made when generation reaches it.

Every formula is a rule, and so is every state of the automata of arrays and objects. A rule ends by going on to the
next state, which costs the recogniser nothing. What stands between the structure is one terminal for each type.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache, partial
from itertools import count, product
from typing import Any, NamedTuple

from constrain.errors import LimitExceeded
from constrain.ir import schema_rows as r
from constrain.ir.expr import Alt, And, Chars, Closed, Concat, Expr, Literal, Repeat, Words, alt, concat
from constrain.ir.grammar import Body, Call, Either, Grammar, Once, Rule, Seq, Terminal
from constrain.specs.json_schema import arrays, numbers, objects, strings
from constrain.specs.json_schema.arrays import ArrayPlan
from constrain.specs.json_schema.endings import item_before_comma, name_before_colon, scalar_before_end
from constrain.specs.json_schema.formats import FORMATS
from constrain.specs.json_schema.formulas import FALSE, TRUE, Leaf
from constrain.specs.json_schema.inhabited import Inhabited
from constrain.specs.json_schema.number_texts import expression
from constrain.specs.json_schema.objects import ObjectPlan
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.reader import Reader
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.text import LAYOUTS, Layout, Speller, spelled_text
from constrain.specs.json_schema.values import ArraySet, ObjectSet, Values

_COSTED = 5000
_REMEMBERED = 50_000
"""Terminals of one layout."""
_PLAN_WORK, _WORK_BYTES = 10, 350
_MAY, _THEN, _MUST = "may", "then", "must"
_PLAIN = Repeat(Chars(((0x2D, 0x2E), (0x30, 0x39))), 0, None)
_DIGITS = Repeat(Chars(((0x2D, 0x2D), (0x30, 0x39))), 0, None)


class _Value(NamedTuple):
    """The rule of a formula."""

    formula: int


class _Array(NamedTuple):
    """The rule of a state of an array."""

    plan: int
    state: arrays.ArrayState
    comes: str
    """Whether an item `MAY` come or the end, the next one `THEN` comes after a comma or the end, or one `MUST` come."""
    seen: frozenset[int] = frozenset()
    """The items so far, as formulas, where they decide what the next one may be."""


class _Object(NamedTuple):
    """The rule of a state of an object."""

    plan: int
    state: objects.ObjectState
    first: bool


class _Then(NamedTuple):
    """The rule of a value, and what follows it."""

    formula: int
    after: Hashable


class SchemaLowering(Mapping[Hashable, Rule]):
    """The rules of one schema, by name."""

    def __init__(self, reader: Reader, texts: Texts, in_order: bool) -> None:
        self.reader, self._texts, self._in_order = reader, texts, in_order
        self._arrays: dict[ArraySet, int] = {}
        self._objects: dict[int, int] = {}
        self._array_plans: list[ArrayPlan] = []
        self._object_plans: list[tuple[ObjectPlan, ObjectSet]] = []
        self._inhabited = Inhabited(reader, self._new_array_plan, self._new_object_plan)
        self._work = 0
        """Questions of emptiness asked; a set of arrays or objects counts as `_PLAN_WORK` of them."""
        self.rules: dict[Hashable, Rule] = {}
        self._costs = Costs(self)

    def grammar(self) -> Grammar:
        """The grammar of the texts of the schema's values. It has none if `is_empty(reader.root)`."""
        remembers = self.reader.document.has_unique_items
        start = _Value(self.reader.root)
        return Grammar(self, start, cost=self.cost, source=self, remembers=remembers, is_plain=True)

    @property
    def nbytes(self) -> int:
        """See `Source.nbytes`: by what the objects and arrays of large schemas were seen to take."""
        return _WORK_BYTES * self._work

    def close(self) -> None:
        """See `Source.close`. The automata of objects refer to their owner."""
        vars(self).clear()

    def is_empty(self, formula: int) -> bool:
        """Whether a formula has no value."""
        self._count(1)
        return self._inhabited.is_empty(formula)

    def cost(self, name: Hashable) -> float:
        """Bytes of the shortest text of a rule, as far as its first few levels tell."""
        return self._costs.of(name)

    def place_of(self, name: Hashable) -> str | None:
        """A JSON Pointer to the subschema that a rule stands for, if it stands for one of the document itself."""
        if not isinstance(name, _Value):
            return None
        if name.formula in (TRUE, FALSE):
            return None
        node = self.reader.formulas[name.formula]
        if not isinstance(node, Leaf) or node.negated or not isinstance(node.content, SchemaPlace):
            return None
        return node.content.pointer if node.content.resolver is None else None

    @staticmethod
    def value(formula: int) -> Hashable:
        """The name of the rule of a formula."""
        return _Value(formula)

    def __getitem__(self, name: Hashable) -> Rule:
        rule = self.rules.get(name)
        if rule is None:
            rule = self.rules[name] = Rule(self._body(name))
        return rule

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def _body(self, name: Hashable) -> Body:
        match name:
            case _Value(formula):
                return _either(self._value(formula))
            case _Then(formula, after):
                return self._then(formula, after)
            case _Array(plan, state, comes, seen):
                if self._array_plans[plan].compares:
                    return self._compared(plan, state, comes, seen)
                return self._array(plan, state, comes)
            case _Object(plan, state, first):
                return self._object(plan, state, first)
        raise KeyError(name)

    # ------------------------------------------------------------------------------------------------- values

    def _value(self, formula: int) -> list[Body]:
        """The ways to write a value of a formula."""
        meant = self.reader.values(formula)
        ways: list[Body] = list(self._texts.scalars(self._spelled(meant)))
        for array in meant.arrays:
            plan = self._array_plan(array)
            if plan.is_alive(plan.start()):
                ways.append(
                    Seq((self._texts.open_array, Call(_Array(self._arrays[array], plan.start(), _MAY), lazy=True)))
                )
        for each in meant.objects:
            members = self._object_plan(each)
            if members.is_possible:
                name = _Object(self._objects[id(each)], members.start(), True)
                ways.append(Seq((self._texts.open_object, Call(name, lazy=True))))
        return ways

    def _spelled(self, meant: Values) -> Values:
        """The same values, without strings if there turn out to be none."""
        texts = meant.strings
        if texts.parts and texts.is_empty(self.reader.algebra.languages):
            return replace(meant, strings=strings.NONE)
        return meant

    def _then(self, formula: int, after: Hashable) -> Body:
        """A value and what follows it. Scalars need no rule of their own."""
        meant = self.reader.values(formula)
        if not (meant.arrays or meant.objects):
            value = _either(self._value(formula))
        else:
            value = Call(_Value(formula), lazy=True)
        return Seq((value, Call(after, lazy=True)))

    # ------------------------------------------------------------------------------------- arrays and objects

    def _array(self, number: int, state: arrays.ArrayState, comes: str) -> Body:
        plan, texts = self._array_plans[number], self._texts
        ways: list[Body] = [texts.close_array] if comes != _MUST and plan.may_end(state) else []
        items: list[Body] = []
        for way in plan.ways(state):
            if way.unique:
                items += self._different(number, way)
            else:
                items.append(Call(_Then(way.formula, _Array(number, way.after, _THEN)), lazy=True))
        if items:
            ways.append(Seq((texts.comma, _either(items))) if comes == _THEN else _either(items))
        return _either(ways)

    def _compared(self, number: int, state: arrays.ArrayState, comes: str, seen: frozenset[int]) -> Body:
        """An array without repetition whose items may be anything: each item so far is excluded from the next one."""
        plan, texts, formulas = self._array_plans[number], self._texts, self.reader.formulas
        if plan.pairs:
            return self._paired(number, state, comes, seen)
        ways: list[Body] = [texts.close_array] if comes != _MUST and plan.may_end(state) else []
        if comes == _THEN:
            if plan.ways(state):
                ways.append(Terminal(texts.comma.name, texts.comma.expr, turn=self._turn(number, state, seen)))
            return _either(ways)
        for way in plan.ways(state):
            formula = formulas.every([way.formula, *map(formulas.negate, seen)])
            if not self.is_empty(formula):
                ways.append(Call(_Then(formula, _Array(number, way.after, _THEN, seen)), lazy=True))
        return _either(ways)

    def _paired(self, number: int, state: arrays.ArrayState, comes: str, seen: frozenset[int]) -> Body:
        """An array in which some item is to come twice, while none has: the next one may be one of those so far."""
        plan, comma = self._array_plans[number], self._texts.comma
        if state.used:
            return self._array(number, state, comes)
        if comes == _THEN:
            return Terminal(comma.name, comma.expr, turn=self._turn(number, state, seen))
        ways: list[Body] = []
        for way in plan.ways_to_repeat(state, self.reader.formulas.some(seen)):
            after = _Array(number, way.after, _THEN, frozenset() if way.after.used else seen)
            ways.append(Call(_Then(way.formula, after), lazy=True))
        return _either(ways)

    def _turn(self, number: int, state: arrays.ArrayState, seen: frozenset[int]) -> Callable[[bytes], Hashable]:
        """The rule of the array after one more item and a comma, by the text so far; None if no item can follow."""
        plan, formulas = self._array_plans[number], self.reader.formulas

        @lru_cache(maxsize=16)  # many tokens are tried after the same text
        def turn(text: bytes) -> Hashable:
            known = seen | {self.reader.constant(item_before_comma(text))}
            if plan.pairs:
                possible = bool(plan.ways_to_repeat(state, formulas.some(known)))
                return _Array(number, state, _MUST, known) if possible else None
            others = [formulas.negate(item) for item in known]
            possible = any(not self.is_empty(formulas.every([way.formula, *others])) for way in plan.ways(state))
            return _Array(number, state, _MUST, known) if possible else None

        return turn

    def _different(self, number: int, way: arrays.ArrayWay) -> list[Body]:
        """The ways to write an item that differs from all before it, together with what shows where it ends."""
        meant = self.reader.values(way.formula)
        plan, found = self._array_plans[number], list[Body]()
        for scalar in self._texts.scalars(self._spelled(meant)):
            if plan.may_end(way.after):
                found.append(self._texts.different(scalar, self._texts.close_array))
            if plan.ways(way.after):
                more = Call(_Array(number, way.after, _MUST), lazy=True)
                found.append(Seq((self._texts.different(scalar, self._texts.comma), more)))
        return found

    def _object(self, number: int, state: objects.ObjectState, first: bool) -> Body:
        plan, texts = self._object_plans[number][0], self._texts
        ways: list[Body] = [texts.close_object] if plan.may_end(state) else []
        members = [
            Seq((texts.names(way.group.names), Call(_Then(way.formula, _Object(number, way.after, False)), lazy=True)))
            for way in plan.ways(state)
        ]
        if members:
            ways.append(_either(members) if first else Seq((texts.comma, _either(members))))
        return _either(ways)

    def _array_plan(self, array: ArraySet) -> ArrayPlan:
        number = self._arrays.get(array)
        if number is None:
            number = self._arrays[array] = len(self._array_plans)
            self._array_plans.append(self._new_array_plan(array))
        return self._array_plans[number]

    def _object_plan(self, each: ObjectSet) -> ObjectPlan:
        number = self._objects.get(id(each))
        if number is None:
            plan = self._new_object_plan(each)
            number = self._objects[id(each)] = len(self._object_plans)
            self._object_plans.append((plan, each))
        return self._object_plans[number][0]

    def _new_array_plan(self, array: ArraySet) -> ArrayPlan:
        self._count(_PLAN_WORK)
        return ArrayPlan(
            array, self.reader.formulas, self.is_empty, self._constants, self._is_scalar, self.reader.limits
        )

    def _new_object_plan(self, each: ObjectSet) -> ObjectPlan:
        self._count(_PLAN_WORK)
        reader = self.reader
        languages, limits = reader.algebra.languages, reader.limits
        return ObjectPlan(each, reader.formulas, languages, self.is_empty, self._strings_of, self._in_order, limits)

    def _count(self, work: int) -> None:
        """Sets of arrays and objects that hold others multiply, by up to `Limits.alternatives` on each level."""
        self._work += work
        most = self.reader.limits.rules
        if self._work > _PLAN_WORK * most:
            done = self._work // _PLAN_WORK + 1
            raise LimitExceeded("rules", done, most, "the arrays and objects of a schema, in all their alternatives")

    def _strings_of(self, formula: int) -> StringSet:
        return self.reader.values(formula).strings

    def _is_scalar(self, formula: int) -> bool:
        """Whether a formula has neither arrays nor objects."""
        meant = self.reader.values(formula)
        return not (meant.arrays or meant.objects)

    def _constants(self, formula: int, most: int) -> list[int] | None:
        """The values of a formula, each as a formula, if they are at most so many."""
        listed = self._listed(formula, most)
        return None if listed is None else [self.reader.constant(value) for value in listed]

    def _listed(self, formula: int, most: int) -> list[Any] | None:
        """The values of a formula, if they are at most so many and it is easily seen."""
        if formula == TRUE:
            return None
        meant = self.reader.values(formula)
        some = numbers.finite(meant.numbers, most)
        texts = strings.finite(meant.strings, most, self.reader.algebra.languages)
        if some is None or texts is None:
            return None
        found: list[Any] = [*([None] if meant.null else []), *sorted(meant.booleans), *some, *sorted(texts)]
        for array in meant.arrays:
            if array != ArraySet(array.prefix, FALSE, len(array.prefix), len(array.prefix)):
                return None
            items = [self._listed(item, most) for item in array.prefix]
            if any(item is None for item in items) or math.prod(len(item or ()) for item in items) > most:
                return None
            found += map(list, product(*[item or () for item in items]))
        for each in meant.objects:
            names = list(each.properties)
            if each.some or each.required != set(names) or not _is_closed(each):
                return None
            members = [self._listed(each.properties[name], most) for name in names]
            if any(member is None for member in members) or math.prod(len(m or ()) for m in members) > most:
                return None
            found += [dict(zip(names, chosen)) for chosen in product(*[member or () for member in members])]
        return found if len(found) <= most else None


def _is_closed(each: ObjectSet) -> bool:
    """Whether an object has no names but those listed, and nothing else is said of these."""
    others = StringSet(but=frozenset(each.properties)).key
    return [(names.key, formula) for names, formula in each.patterns] == [(others, FALSE)] and each.high is None


class Costs:
    """How long the shortest text of each rule is: what generation that has to end steers by.

    The least fixed point over all rules that one calls, found when it is asked for.
    """

    def __init__(self, rules: SchemaLowering) -> None:
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


def _either(ways: list[Any]) -> Body:
    return ways[0] if len(ways) == 1 else Either(tuple(ways))


class Texts:
    """The terminals of one layout. Terminals of the same texts are the same, whatever schema they are for."""

    def __init__(self, layout: Layout, every_way: bool, plain_integers: bool) -> None:
        self._layout, self._plain_integers = layout, plain_integers
        self._speller = Speller(every_way)
        self.open_array = Terminal('"["', concat([Literal(b"["), layout.inside]))
        self.close_array = Terminal('"]"', concat([layout.inside, Literal(b"]")]))
        self.open_object = Terminal('"{"', concat([Literal(b"{"), layout.inside]))
        self.close_object = Terminal('"}"', concat([layout.inside, Literal(b"}")]))
        self.comma = Terminal('","', concat([layout.before, Literal(b","), layout.inside]))
        self._colon = concat([layout.before, Literal(b":"), layout.after_colon])
        self._different: dict[Hashable, Terminal] = {}
        self._once_name = Once(name_before_colon, spelled_name, meaning=_meaning)
        self._once_item = Once(scalar_before_end, partial(_spelled_item, alt([self.close_array.expr, self.comma.expr])))
        self._null = _fixed("null")
        self._truths = {
            frozenset((True,)): _fixed("true"),
            frozenset((False,)): _fixed("false"),
            frozenset((True, False)): Terminal("true or false", Words((b"false", b"true"))),
        }
        self._names: dict[Hashable, Terminal] = {}
        self._others: dict[frozenset[str], Terminal] = {}
        self._strings: dict[Hashable, tuple[StringSet, Terminal]] = {}
        self._numbers: dict[Hashable, Terminal] = {}
        self._exprs: dict[Hashable, Expr] = {}
        true, false = (self._truths[frozenset((truth,))] for truth in (True, False))
        self._fixed = {
            r.OPEN_OBJECT: self.open_object,
            r.CLOSE_OBJECT: self.close_object,
            r.OPEN_ARRAY: self.open_array,
            r.CLOSE_ARRAY: self.close_array,
            r.COMMA: self.comma,
            r.COLON: Terminal('":"', self._colon),
            r.NULL_TEXT: self._null,
            r.FALSE_TEXT: false,
            r.TRUE_TEXT: true,
            r.ANY_STRING: self.string(strings.ALL),
            r.ANY_NUMBER: self.number(numbers.ALL),
            r.ANY_INTEGER: self.number(numbers.INTEGERS),
            r.BOOLEAN_TEXT: self._truths[frozenset((True, False))],
        }

    def scalars(self, meant: Values) -> list[Terminal]:
        """The terminals of the values that are no arrays or objects."""
        found = []
        if meant.null:
            found.append(self._null)
        if meant.booleans:
            found.append(self._truths[meant.booleans])
        if meant.numbers:
            found.append(self.number(meant.numbers))
        if meant.strings.only != frozenset():
            found.append(self.string(meant.strings))
        return found

    def different(self, scalar: Terminal, end: Terminal) -> Terminal:
        """An item that must differ from earlier ones, and its end. (Numbers without exponents, as 1 has no end of forms
        with them.)"""
        key = (id(scalar), id(end))
        known = self._different.get(key)
        if known is None:
            expr = And((scalar.expr, _PLAIN)) if scalar.name == "number" else scalar.expr
            known = Terminal(f"{scalar.name}, not twice", Concat((expr, end.expr)), once=self._once_item)
            self._different[key] = known
        return known

    def other_names(self, names: frozenset[str]) -> Terminal:
        """All names but some, each at most once, with its colon."""
        known = self._others.get(names)
        if known is None:
            if len(self._others) > _REMEMBERED:
                self._others.clear()
            known = self._others[names] = self.names(StringSet(but=names))
        return known

    def names(self, names: StringSet) -> Terminal:
        """The name of a member, with its colon; any of some names, each at most once."""
        self._make_room()
        only, key = names.only, names.key
        terminal = self._names.get(key)
        if terminal is None:
            if only is not None and len(only) == 1:
                (name,) = only
                terminal = Terminal(
                    json.dumps(name, ensure_ascii=False),
                    concat([_QUOTE, self._speller.text(name), _QUOTE, self._colon]),
                )
            else:
                text = self._speller.string(StringSet(only, parts=names.parts).expr())
                never = names.but
                once = replace(self._once_name, never=never) if never else self._once_name
                terminal = Terminal("property name", self._ended_name(names, text), once=once)
            self._names[key] = terminal
            self._kept(names)
        return terminal

    def _make_room(self) -> None:
        """Forget all terminals of names, strings and numbers: what is made anew is only not shared with what was."""
        known: tuple[dict[Any, Any], ...] = self._names, self._strings, self._numbers, self._exprs, self._different
        if sum(map(len, known)) > _REMEMBERED:
            for each in known:
                each.clear()

    def _kept(self, names: StringSet) -> None:
        self._strings[names.key] = self._strings.get(names.key, (names, self._null))  # identities stay their own

    def fixed(self, spec: int) -> Terminal:
        """The terminal of a SPEC that is always there, see `constrain.ir.schema_rows`."""
        return self._fixed[spec]

    def string(self, texts: StringSet) -> Terminal:
        """Strings of a set, in quotes."""
        known = self._strings.get(("value", texts.key))
        if known is None:
            name = "string" if texts.is_all else "one of the strings" if texts.only is not None else "such a string"
            terminal = Terminal(name, self._speller.string(texts.expr()))
            known = self._strings["value", texts.key] = texts, terminal
        return known[1]

    def number(self, known: numbers.NumberSet) -> Terminal:
        """Numbers of a set."""
        terminal = self._numbers.get(known)
        if terminal is None:
            expr = self._plain(known) if self._plain_integers else expression(known)
            terminal = self._numbers[known] = Terminal("number", expr)
        return terminal

    @staticmethod
    def _plain(known: numbers.NumberSet) -> Expr:
        """The texts of numbers, without fraction and exponent where a set of them has integers only."""
        whole = tuple([part for part in known if numbers.is_whole(part)])
        rest = tuple([part for part in known if not numbers.is_whole(part)])
        plain = And((expression(whole), _DIGITS))
        return alt([plain, expression(rest)]) if rest else plain

    def _ended_name(self, names: StringSet, text: Expr) -> Expr:
        """A property name and its colon: one value for equal sets, so that what is worked out for it is shared."""
        key = ("name", StringSet(names.only, parts=names.parts).key)
        known = self._exprs.get(key)
        if known is None:
            known = self._exprs[key] = concat([text, self._colon])
        return known


@lru_cache(maxsize=50_000)
def spelled_name(name: str) -> Expr:
    """The spellings of a property name, in quotes."""
    return concat([_QUOTE, spelled_text(name), _QUOTE])


def _meaning(name: Hashable) -> bytes:
    """What the string of a property name means."""
    assert isinstance(name, str)
    return name.encode()


@lru_cache(maxsize=50_000)
def _spelled_item(end: Expr, value: tuple[type, Any]) -> Expr:
    """The texts of an item, and its end."""
    kind, item = value
    if kind is str:
        return spelled_name(item)
    if kind is Decimal:
        return Concat((expression(numbers.exactly(item)), end))
    return Concat((Literal(json.dumps(item).encode()), end))


_QUOTE = Literal(b'"')


def _fixed(text: str) -> Terminal:
    return Terminal(text, Literal(text.encode()))


@lru_cache(maxsize=32)
def texts_of(layout: Layout, every_way: bool, plain_integers: bool = False) -> Texts:
    """The terminals of a layout; with listed strings spelled in every way, or plainly; with integers that must not
    have a fraction or an exponent, not even an empty one, or may."""
    return Texts(layout, every_way, plain_integers)


@lru_cache(maxsize=1)
def common_terminals() -> tuple[Expr, ...]:
    """The terminals that most schemas have, by the default settings: what they allow is worth storing."""
    texts = texts_of(LAYOUTS["bounded"], False)
    string = texts.string(strings.ALL).expr
    found = [string, concat([string, texts._colon]), *[texts.number(known).expr for known in _COMMON_NUMBERS]]
    found += [texts._speller.string(FORMATS[name]()) for name in _COMMON_FORMATS]
    ends = (texts.open_array, texts.close_array, texts.open_object, texts.close_object, texts.comma)
    return (*found, *[end.expr for end in ends])


_COMMON_NUMBERS = (numbers.ALL, numbers.multiples_of(1), numbers.bounded(0, True, False))
_COMMON_FORMATS = ("date", "time", "date-time", "uuid", "ipv4")
