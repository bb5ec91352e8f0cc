"""From formulas to the rules of a grammar, each made when generation reaches it.

Every formula is a rule, and so is every state of the automata of arrays and objects. A rule ends by going on to the
next state, which costs the recogniser nothing. What stands between the structure is one terminal for each type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from constrain.errors import LimitExceeded
from constrain.ir.grammar import Body, Call, Either, Grammar, Rule, Seq, Terminal
from constrain.specs.json_schema import arrays, numbers, objects, strings
from constrain.specs.json_schema.arrays import ArrayPlan
from constrain.specs.json_schema.costs import Costs
from constrain.specs.json_schema.endings import item_before_comma
from constrain.specs.json_schema.formulas import FALSE, TRUE, Leaf
from constrain.specs.json_schema.inhabited import Inhabited
from constrain.specs.json_schema.objects import ObjectPlan
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.reader import Reader
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.texts import Texts
from constrain.specs.json_schema.values import ArraySet, ObjectSet, Values

_PLAN_WORK, _WORK_BYTES = 10, 350
_MAY, _THEN, _MUST = "may", "then", "must"


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


def _either(ways: list[Any]) -> Body:
    return ways[0] if len(ways) == 1 else Either(tuple(ways))
