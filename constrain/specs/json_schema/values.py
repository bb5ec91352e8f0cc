"""Sets of JSON values, closed under and, or, not; sorted by type.

Strings and numbers are sets of their own. Arrays and objects are unions of conjunctions, in which what is asked of an
item or a member is a formula, not yet looked at. So every operation here is shallow. That the sets are closed, negation
included, follows Attouche, Baazizi, Colazzo, Ghelli, Sartiani and Scherzinger, "Witness Generation for JSON Schema"
(VLDB 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TypeVar

from constrain.errors import LimitExceeded
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.json_schema import numbers, strings
from constrain.specs.json_schema.formulas import FALSE, TRUE, Formulas
from constrain.specs.json_schema.numbers import NumberSet
from constrain.specs.json_schema.strings import StringSet

_COMPARED = 64
_Set = TypeVar("_Set")


@dataclass(frozen=True, slots=True)
class Contains:
    """From item `start` on, `low` to `high` items are in `formula`."""

    formula: int
    start: int
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class ArraySet:
    """Arrays that meet all of these conditions."""

    prefix: tuple[int, ...] = ()
    """What the first items are in, one by one."""
    rest: int = TRUE
    """What all further items are in."""
    low: int = 0
    high: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: bool = False
    """No two items are equal."""
    repeats: bool = False
    """Some two items are equal."""

    def at(self, index: int) -> int:
        """What the item at `index` is in."""
        return self.prefix[index] if index < len(self.prefix) else self.rest


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSet:
    """Objects that meet all of these conditions."""

    properties: Mapping[str, int] = field(default_factory=dict)
    """What the values of these names are in, if they are there."""
    order: tuple[str, ...] = ()
    """Names in the order in which they are to be written, if order counts."""
    patterns: tuple[tuple[StringSet, int], ...] = ()
    """What the values of all names of a set are in."""
    required: frozenset[str] = frozenset()
    some: tuple[tuple[StringSet, int], ...] = ()
    """Some name of the set is there, with a value in the formula."""
    low: int = 0
    high: int | None = None

    @property
    def key(self) -> Hashable:
        """Sets with equal keys are equal."""
        return (
            frozenset(self.properties.items()),
            self.order,
            frozenset((names.key, formula) for names, formula in self.patterns),
            self.required,
            frozenset((names.key, formula) for names, formula in self.some),
            self.low,
            self.high,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A set of JSON values."""

    null: bool = False
    booleans: frozenset[bool] = frozenset()
    numbers: NumberSet = numbers.NONE
    strings: StringSet = strings.NONE
    arrays: tuple[ArraySet, ...] = ()
    objects: tuple[ObjectSet, ...] = ()


BOTH = frozenset((False, True))
NONE = Values()
ALL = Values(True, BOTH, numbers.ALL, strings.ALL, (ArraySet(),), (ObjectSet(),))


class Algebra:
    """Operations on sets of values whose members are formulas."""

    def __init__(self, formulas: Formulas, languages: Languages, limits: Limits) -> None:
        self.formulas, self.languages, self._limits = formulas, languages, limits

    def intersect(self, a: Values, b: Values) -> Values:
        """The values in both."""
        if a is ALL or b is ALL:
            return b if a is ALL else a
        return Values(
            a.null and b.null,
            a.booleans & b.booleans,
            numbers.intersect(a.numbers, b.numbers),
            strings.intersect(a.strings, b.strings, self.languages),
            self._arrays(a.arrays, b.arrays),
            self._objects(a.objects, b.objects),
        )

    def unite(self, a: Values, b: Values) -> Values:
        """The values in either."""
        return Values(
            a.null or b.null,
            a.booleans | b.booleans,
            numbers.unite(a.numbers, b.numbers),
            strings.unite(a.strings, b.strings),
            _distinct_arrays(a.arrays + b.arrays),
            _distinct(a.objects + b.objects),
        )

    def complement(self, a: Values) -> Values:
        """The values that are not in it."""
        arrays: tuple[ArraySet, ...] = (ArraySet(),)
        for some in a.arrays:
            arrays = self._arrays(arrays, tuple(self._array_complement(some)))
        objects: tuple[ObjectSet, ...] = (ObjectSet(),)
        for each in a.objects:
            objects = self._objects(objects, tuple(self._object_complement(each)))
        return Values(
            not a.null, BOTH - a.booleans, numbers.complement(a.numbers), strings.complement(a.strings), arrays, objects
        )

    def _check(self, most: int, alternatives: int) -> None:
        if alternatives > most:
            what = "combining the alternatives of `anyOf`, `oneOf` and `not`"
            raise LimitExceeded("alternatives", alternatives, self._limits.alternatives, what)

    # ------------------------------------------------------------------------------------------------- arrays

    def _arrays(self, some: tuple[ArraySet, ...], others: tuple[ArraySet, ...]) -> tuple[ArraySet, ...]:
        self._check(16 * self._limits.alternatives, len(some) * len(others))
        met = (self._array(a, b) for a, b in product(some, others))
        found = _distinct_arrays(a for a in met if a is not None)
        self._check(self._limits.alternatives, len(found))
        return found

    def _array(self, a: ArraySet, b: ArraySet) -> ArraySet | None:
        """The arrays in both; None if there are clearly none."""
        every = self.formulas.every
        length = max(len(a.prefix), len(b.prefix))
        prefix = tuple([every((a.at(i), b.at(i))) for i in range(length)])
        rest, low, high = every((a.rest, b.rest)), max(a.low, b.low), _least(a.high, b.high)
        contains = tuple(dict.fromkeys(a.contains + b.contains))
        met = ArraySet(prefix, rest, low, high, contains, a.unique or b.unique, a.repeats or b.repeats)
        return None if _is_void(met) else met

    def _array_complement(self, a: ArraySet) -> list[ArraySet]:
        negate = self.formulas.negate
        found = [ArraySet((TRUE,) * i + (negate(part),), low=i + 1) for i, part in enumerate(a.prefix) if part != TRUE]
        if a.rest != TRUE:
            start = len(a.prefix)
            if a.rest == FALSE:
                found.append(ArraySet(low=start + 1))
            else:
                found.append(ArraySet(contains=(Contains(negate(a.rest), start, 1, None),), low=start + 1))
        if a.low:
            found.append(ArraySet(high=a.low - 1))
        if a.high is not None:
            found.append(ArraySet(low=a.high + 1))
        for some in a.contains:
            if some.low:
                found.append(ArraySet(contains=(replace(some, low=0, high=some.low - 1),)))
            if some.high is not None:
                found.append(ArraySet(contains=(replace(some, low=some.high + 1, high=None),), low=some.high + 1))
        if a.unique:
            found.append(ArraySet(repeats=True, low=2))
        if a.repeats:
            found.append(ArraySet(unique=True))
        return found

    # ------------------------------------------------------------------------------------------------ objects

    def _objects(self, some: tuple[ObjectSet, ...], others: tuple[ObjectSet, ...]) -> tuple[ObjectSet, ...]:
        self._check(16 * self._limits.alternatives, len(some) * len(others))
        met = (self._object(a, b) for a, b in product(some, others))
        found = _distinct(a for a in met if a is not None)
        self._check(self._limits.alternatives, len(found))
        return found

    def _object(self, a: ObjectSet, b: ObjectSet) -> ObjectSet | None:
        """The objects in both; None if there are clearly none."""
        properties = dict(a.properties)
        for name, formula in b.properties.items():
            known = properties.get(name, TRUE)
            properties[name] = formula if known in (TRUE, formula) else self.formulas.every((formula, known))
        required = a.required | b.required
        low, high = max(a.low, b.low, len(required)), _least(a.high, b.high)
        if (high is not None and high < low) or any(properties.get(name) == FALSE for name in required):
            return None
        if self._forbids(a, b.required - a.required) or self._forbids(b, a.required - b.required):
            return None
        order = a.order + tuple([name for name in b.order if name not in a.properties]) if a.order else b.order
        return ObjectSet(properties, order, a.patterns + b.patterns, required, a.some + b.some, low, high)

    def _forbids(self, a: ObjectSet, names: Iterable[str]) -> bool:
        """Whether one of the names must not be there."""
        closed = [known for known, formula in a.patterns if formula == FALSE and not known.of]
        return any(known.contains(name, self.languages) for name in names for known in closed)

    def are_disjoint(self, a: Values, b: Values, is_empty: Callable[[int], bool]) -> bool:
        """Whether it is clear that no value is in both; `is_empty` tells which formulas are clearly without values."""
        if (a.null and b.null) or a.booleans & b.booleans or numbers.intersect(a.numbers, b.numbers):
            return False
        if not strings.intersect(a.strings, b.strings, self.languages).is_empty(self.languages):
            return False
        every = self.formulas.every
        for x, y in product(a.arrays, b.arrays):
            met = self._array(x, y)
            if met is not None and not any(is_empty(met.at(i)) for i in range(min(met.low, len(met.prefix) + 1))):
                return False
        for one, other in product(a.objects, b.objects):
            if self._object(one, other) is not None and not any(
                is_empty(every((one.properties.get(name, TRUE), other.properties.get(name, TRUE))))
                for name in one.required | other.required
            ):
                return False
        return True

    def _object_complement(self, a: ObjectSet) -> list[ObjectSet]:
        negate = self.formulas.negate
        found = []
        for name, formula in a.properties.items():
            if name in a.required:  # absent, or there with another value
                found.append(ObjectSet({name: negate(formula)}))
            elif formula != TRUE:
                found.append(ObjectSet({name: negate(formula)}, required=frozenset((name,)), low=1))
        for names, formula in a.patterns:
            if formula != TRUE:
                found.append(ObjectSet(some=((names, negate(formula)),), low=1))
        for name in sorted(a.required - a.properties.keys()):
            found.append(ObjectSet({name: FALSE}))
        for names, formula in a.some:
            found.append(ObjectSet(patterns=((names, negate(formula)),)))
        if a.low > len(a.required):  # otherwise it says nothing new
            found.append(ObjectSet(high=a.low - 1))
        if a.high is not None:
            found.append(ObjectSet(low=a.high + 1))
        return found


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _is_void(a: ArraySet) -> bool:
    """Whether it is clear at once that there is no such array."""
    if a.high is not None and a.high < a.low:
        return True
    if any(some.low and some.formula == FALSE for some in a.contains) or (a.unique and a.repeats):
        return True
    return any(a.at(i) == FALSE for i in range(min(a.low, len(a.prefix) + 1)))


def _distinct(sets: Iterable[ObjectSet]) -> tuple[ObjectSet, ...]:
    listed = list(sets)
    if len(listed) > _COMPARED:
        return tuple({each.key: each for each in listed}.values())
    return _largest(listed, _is_within)


def _distinct_arrays(sets: Iterable[ArraySet]) -> tuple[ArraySet, ...]:
    listed = list(dict.fromkeys(sets))
    return tuple(listed) if len(listed) < 2 else _largest(listed, _is_array_within)


def _largest(sets: list[_Set], is_within: Callable[[_Set, _Set], bool]) -> tuple[_Set, ...]:
    """Those that are not clearly part of another one."""
    if len(sets) > _COMPARED:
        return tuple(sets)
    kept: list[_Set] = []
    for each in sets:
        if not any(is_within(each, other) for other in kept):
            kept = [other for other in kept if not is_within(other, each)]
            kept.append(each)
    return tuple(kept)


def _is_within(a: ObjectSet, b: ObjectSet) -> bool:
    """Whether every condition of `b` is one of `a`, too, and what `b` says of the order of names."""
    if not (b.required <= a.required and b.low <= a.low):
        return False
    if b.high is not None and (a.high is None or b.high < a.high):
        return False
    if b.order != a.order[: len(b.order)]:
        return False
    if any(formula != TRUE and a.properties.get(name) != formula for name, formula in b.properties.items()):
        return False
    return _keys(b.patterns) <= _keys(a.patterns) and _keys(b.some) <= _keys(a.some)


def _keys(sets: tuple[tuple[StringSet, int], ...]) -> set[Hashable]:
    return {(names.key, formula) for names, formula in sets}


def _is_array_within(a: ArraySet, b: ArraySet) -> bool:
    """Whether every condition of `b` is one of `a`, too."""
    if b.low > a.low or (b.high is not None and (a.high is None or b.high < a.high)):
        return False
    if (b.unique and not a.unique) or (b.repeats and not a.repeats) or not set(b.contains) <= set(a.contains):
        return False
    return all(b.at(i) in (TRUE, a.at(i)) for i in range(max(len(a.prefix), len(b.prefix)) + 1))


def with_objects(some: ObjectSet) -> Values:
    """All values, but of objects only some."""
    return replace(ALL, objects=(some,))


def with_arrays(some: ArraySet) -> Values:
    """All values, but of arrays only some."""
    return replace(ALL, arrays=(some,))
