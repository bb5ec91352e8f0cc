"""Arrays as automata over their items.

A state is a place in the array and how many items have met each `contains`, as far as it matters. It is the name of a
rule, made when generation gets there. Where the items of an array without repetition come from a finite list, a state
also says which of them are used up. Where some item must come twice (the negation of that), it says whether one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from constrain.errors import LimitExceeded
from constrain.ir.reach import reaches_end
from constrain.limits import Limits
from constrain.specs.json_schema.formulas import FALSE, TRUE, Formulas
from constrain.specs.json_schema.values import ArraySet, Contains

_LISTED = 1000
_MANY = 64
"""Alternatives of an item above which it pays to leave out at once those that no value meets."""
_TWICE = frozenset((FALSE,))


class ArrayState(NamedTuple):
    """Where an array is."""

    length: int
    """Items so far, as far as it matters."""
    counts: tuple[int, ...]
    """How many items have met each `contains`, as far as it matters."""
    used: frozenset[int]
    """Of items that are listed, those that are used up, as formulas. FALSE once an item has come twice; before that, if
    one has been chosen to come again, what it may be."""


class ArrayWay(NamedTuple):
    """An item that may come next, and the state after it."""

    formula: int
    after: ArrayState
    unique: bool
    """Whether it must differ from all items before it."""


class ArrayPlan:
    """The automaton of one set of arrays.

    `is_empty` tells of a formula whether it has no value, `is_scalar` whether it has no arrays or objects; `constants`
    lists the values of one, each as a formula, if there are no more than so many.
    """

    def __init__(
        self,
        arrays: ArraySet,
        formulas: Formulas,
        is_empty: Callable[[int], bool],
        constants: Callable[[int, int], list[int] | None],
        is_scalar: Callable[[int], bool],
        limits: Limits,
    ) -> None:
        self._arrays, self._formulas, self._is_empty = arrays, formulas, is_empty
        self._constants, self._limits = constants, limits
        starts = [some.start for some in arrays.contains]
        self._last = max([len(arrays.prefix), *starts])
        """From here on all items are treated alike."""
        self._most = max(self._last, arrays.low) if arrays.high is None else arrays.high
        self._alive: dict[ArrayState, bool] = {}
        self._listed: dict[int, list[int]] = {}
        self._known: dict[tuple[int, tuple[bool, ...]], list[tuple[int, tuple[int, ...]]]] = {}
        self._lists, self.compares = self._repetition(is_scalar)
        """`compares` tells whether an item is to be compared as a whole with those before it."""
        self.pairs = self.compares and arrays.repeats
        """Whether it is, so that two of them are equal."""

    def start(self) -> ArrayState:
        """The state of the empty array."""
        return ArrayState(0, (0,) * len(self._arrays.contains), frozenset())

    def may_end(self, state: ArrayState) -> bool:
        """Whether the array may end."""
        if state.length < self._arrays.low or (self._arrays.repeats and FALSE not in state.used):
            return False
        return all(
            count >= some.low and (some.high is None or count <= some.high)
            for count, some in zip(state.counts, self._arrays.contains)
        )

    def ways(self, state: ArrayState) -> list[ArrayWay]:
        """The items that may come next."""
        return [way for way in self._ways(state) if self.is_alive(way.after)]

    def is_alive(self, state: ArrayState) -> bool:
        """Whether the array can be completed. Raises LimitExceeded when that takes too long to find out."""
        arrays = self._arrays
        if not arrays.contains and not self._lists and not self.pairs:
            needed = range(state.length, min(arrays.low, len(arrays.prefix) + 1))
            return not any(self._is_empty(arrays.at(i)) for i in needed)
        most = self._limits.search
        alive = reaches_end(state, self._next, self.may_end, self._alive, most)
        if alive is None:
            raise LimitExceeded("search", most + 1, most, "completing an array")
        return alive

    def _next(self, state: ArrayState) -> Iterator[ArrayState]:
        return (way.after for way in self._ways(state))

    def _ways(self, state: ArrayState) -> Iterator[ArrayWay]:
        if self._arrays.high is not None and state.length >= self._arrays.high:
            return
        index = min(state.length + 1, self._most)
        for formula, counts in self._items(state):
            if self.pairs:
                yield from self._paired(formula, ArrayState(index, counts, state.used))
                continue
            if not self._lists:
                yield ArrayWay(
                    formula, ArrayState(index, counts, state.used), self._arrays.unique and not self.compares
                )
                continue
            for constant in self._constants_of(formula):
                repeated = constant in state.used
                if not (repeated and self._arrays.unique):
                    used = state.used | {FALSE} if repeated else state.used | {constant}
                    yield ArrayWay(constant, ArrayState(index, counts, used), False)

    def _constants_of(self, formula: int) -> list[int]:
        """The values of a formula, each as a formula, worked out once."""
        known = self._listed.get(formula)
        if known is None:
            known = self._listed[formula] = self._constants(formula, _LISTED) or []
        return known

    def _paired(self, formula: int, after: ArrayState) -> Iterator[ArrayWay]:
        """The same item as one that is not compared, as one chosen to come again, and as that one when it does."""
        if FALSE in after.used:
            yield ArrayWay(formula, after, False)
            return
        for chosen in after.used:
            both = self._formulas.every((formula, chosen))
            if both != FALSE and not self._is_empty(both):
                yield ArrayWay(both, after._replace(used=_TWICE), False)
        yield ArrayWay(formula, after, False)
        if not after.used:
            yield ArrayWay(formula, after._replace(used=frozenset((formula,))), False)

    def ways_to_repeat(self, state: ArrayState, seen: int) -> list[ArrayWay]:
        """The items that may come next while no two have been equal; `seen` is the formula of those so far."""
        found = []
        chosen = frozenset(() if seen == FALSE else (seen,))
        for way in self._ways(state._replace(used=chosen)):
            if FALSE in way.after.used:
                found += [way] if self.is_alive(way.after) else []
                continue
            if way.after.used != chosen:
                continue
            after = way.after._replace(used=frozenset())
            formula = self._formulas.every((way.formula, self._repeatable(after, seen)))
            if formula != FALSE and not self._is_empty(formula):
                found.append(ArrayWay(formula, after, False))
        return found

    def _repeatable(self, state: ArrayState, seen: int) -> int:
        """What an item before `state` has to be so that it, what comes then, or what was seen comes twice."""
        if self.is_alive(state) or (seen != FALSE and self.is_alive(state._replace(used=frozenset((seen,))))):
            return TRUE
        reached, todo, found = {state}, [state], set[int]()
        while todo:
            for way in self._ways(todo.pop()):
                if way.after.used:
                    continue
                if self.is_alive(way.after._replace(used=_TWICE)):
                    found.add(way.formula)
                if way.after not in reached:
                    reached.add(way.after)
                    todo.append(way.after)
            if len(reached) > self._limits.search:
                raise LimitExceeded("search", len(reached), self._limits.search, "completing an array")
        return self._formulas.some(found)

    def _items(self, state: ArrayState) -> Iterator[tuple[int, tuple[int, ...]]]:
        """What the next item may be in, and the counts after it; items that settle something first."""
        options: list[tuple[int, tuple[int, ...]]] = [(self._arrays.at(state.length), ())]
        for some, count in zip(self._arrays.contains, state.counts):
            both = (
                (self._formulas.every((formula, more)), (*counts, after))
                for formula, counts in options
                for more, after in self._met(some, count, state.length)
            )
            options = [(formula, counts) for formula, counts in both if formula != FALSE]
            if len(options) > _MANY:
                options = [(formula, counts) for formula, counts in options if not self._is_empty(formula)]
            if len(options) > self._limits.alternatives:
                most = self._limits.alternatives
                raise LimitExceeded("alternatives", len(options), most, "what one item of an array may settle")
        return ((formula, counts) for formula, counts in options if formula != FALSE and not self._is_empty(formula))

    def _met(self, some: Contains, count: int, index: int) -> Iterator[tuple[int, int]]:
        """What meeting a `contains`, and what not meeting it, asks of an item."""
        everything = self._formulas.every(())
        if index < some.start:
            yield everything, count
        elif some.high is not None:
            if count < some.high:
                yield some.formula, count + 1
            yield self._formulas.negate(some.formula), count
        else:
            if count < some.low:
                yield some.formula, count + 1
            yield everything, count

    def _repetition(self, is_scalar: Callable[[int], bool]) -> tuple[bool, bool]:
        """How items are told apart: whether all of them come from lists, or else whether some are no scalars."""
        arrays = self._arrays
        if not (arrays.unique or arrays.repeats):
            return False, False
        reached = len(arrays.prefix) if arrays.high is None else min(len(arrays.prefix), arrays.high)
        items = {arrays.at(i) for i in range(reached)}
        if arrays.high is None or arrays.high > len(arrays.prefix):
            items.add(arrays.rest)
        present = [item for item in items if not self._is_empty(item)]
        finite = [self._constants(item, _LISTED) is not None for item in present]
        if all(finite):
            return True, False
        return False, arrays.repeats or any(finite) or not all(map(is_scalar, present))
