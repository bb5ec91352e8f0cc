"""Objects as automata over their members.

A state says which members may still come and what is still needed. It is the name of a rule, made when generation gets
there. In the order of the schema a state is a place in the list of names; in any order it counts, for each group of
names that are treated alike, how many have been written: which ones does not matter, since no name is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from constrain.errors import LimitExceeded
from constrain.ir.languages import Languages
from constrain.ir.reach import reaches_end
from constrain.limits import Limits
from constrain.specs.json_schema import strings
from constrain.specs.json_schema.formulas import TRUE, Formulas
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.values import ObjectSet

_LISTED = 256


class Option(NamedTuple):
    """What the value of a member may be, and which of the things still needed that settles (one bit each)."""

    formula: int
    settles: int


class Group(NamedTuple):
    """Names that are treated alike."""

    names: StringSet
    options: tuple[Option, ...]
    required: bool
    size: int | None
    """How many names there are; None for no end of them."""

    @property
    def name(self) -> str | None:
        """The name, if it is one."""
        only = self.names.only
        return next(iter(only)) if only is not None and len(only) == 1 else None


class ObjectState(NamedTuple):
    """Where an object is."""

    used: tuple[int, ...]
    """Groups passed of those that come in order; then, of each other group that has an end, names written so far."""
    written: int
    """Members written so far, as far as it matters."""
    settled: int
    """What was needed and is there, one bit each."""


class ObjectWay(NamedTuple):
    """A member that may come next, and the state after it."""

    group: Group
    formula: int
    after: ObjectState


class _Members(NamedTuple):
    """All groups of an object."""

    ordered: list[Group]
    """Names that come in order."""
    loose: list[Group]
    """Names that come in any order."""
    others: list[Group]
    """Names without end."""


class ObjectPlan:
    """The automaton of one set of objects.

    `is_empty` tells of a formula whether it has no value, `strings_of` which strings it has.
    """

    def __init__(
        self,
        objects: ObjectSet,
        formulas: Formulas,
        languages: Languages,
        is_empty: Callable[[int], bool],
        strings_of: Callable[[int], StringSet],
        in_order: bool,
        limits: Limits,
    ) -> None:
        self._objects, self._formulas, self._languages, self._is_empty = objects, formulas, languages, is_empty
        self._patterns, self._some = (
            [(names.resolved(strings_of, languages) if names.of else names, formula) for names, formula in sets]
            for sets in (objects.patterns, objects.some)
        )
        self._limits, self._in_order = limits, in_order
        self._needed = (1 << len(objects.some)) - 1
        self._counts = objects.low > len(objects.required) or objects.high is not None
        self._most = objects.low if objects.high is None else objects.high + 1
        self._alive: dict[ObjectState, bool] = {}

    def start(self) -> ObjectState:
        """The state of the empty object."""
        return ObjectState((0,) * (1 + len(self._members.loose)), 0, 0)

    @cached_property
    def is_possible(self) -> bool:
        """Whether there is an object at all. Raises LimitExceeded when that takes too long to find out."""
        if not all(self._group(name).options for name in self._objects.required):
            return False
        return not (self._counts or self._needed) or self.is_alive(self.start())

    def may_end(self, state: ObjectState) -> bool:
        """Whether the object may end."""
        if state.settled != self._needed or (self._counts and not self._is_count(state.written)):
            return False
        members = self._members
        if any(group.required for group in members.ordered[state.used[0] :]):
            return False
        return all(n == group.size for n, group in zip(state.used[1:], members.loose) if group.required)

    def ways(self, state: ObjectState) -> list[ObjectWay]:
        """The members that may come next."""
        return [way for way in self._ways(state) if self.is_alive(way.after)]

    def is_alive(self, state: ObjectState) -> bool:
        """Whether the object can be completed. Raises LimitExceeded when that takes too long to find out."""
        if not self._needed:
            return self._may_reach_count(state) if self._counts else self.is_possible
        most = self._limits.search
        alive = reaches_end(state, self._next, self.may_end, self._alive, most)
        if alive is None:
            raise LimitExceeded("search", most + 1, most, "completing an object")
        return alive

    def _may_reach_count(self, state: ObjectState) -> bool:
        """Whether as many members can be there in the end as there have to be: names left, against names needed."""
        (passed, *written), members, objects = state.used, self._members, self._objects
        left = len(members.ordered) - passed + sum(group.size or 0 for group in members.loose) - sum(written)
        needed = self._required_from[passed]
        needed += sum((group.size or 0) - n for n, group in zip(written, members.loose) if group.required)
        if objects.high is not None and state.written + needed > objects.high:
            return False
        return bool(members.others) or state.written + left >= objects.low

    @cached_property
    def _required_from(self) -> list[int]:
        """Of the names that come in order, how many are required from each place on."""
        required = [group.required for group in self._members.ordered]
        return [*accumulate(reversed(required), initial=0)][::-1]

    def _is_count(self, count: int) -> bool:
        return self._objects.low <= count and (self._objects.high is None or count <= self._objects.high)

    def _next(self, state: ObjectState) -> Iterator[ObjectState]:
        """The states after one more member; those that settle something first."""
        ways = sorted(self._ways(state), key=lambda way: -way.after.settled)
        return iter([way.after for way in ways])

    def _ways(self, state: ObjectState) -> Iterator[ObjectWay]:
        if self._counts and self._objects.high is not None and state.written >= self._objects.high:
            return
        count = min(state.written + 1, self._most) if self._counts else 0
        (passed, *written) = state.used
        ordered, loose, others = self._members
        for n in range(passed, len(ordered)):
            yield from self._ways_of(ordered[n], state, (n + 1, *written), count)
            if ordered[n].required:
                return
        passed = len(ordered)
        for n, group in enumerate(loose):
            if group.size is not None and written[n] < group.size:
                used = (passed, *written[:n], written[n] + 1, *written[n + 1 :])
                yield from self._ways_of(group, state, used, count)
        used = (passed, *written)
        for group in others:
            yield from self._ways_of(group, state, used, count)

    def _ways_of(self, group: Group, state: ObjectState, used: tuple[int, ...], count: int) -> Iterator[ObjectWay]:
        for formula, settles in group.options:
            if not settles or settles & ~state.settled:  # what is settled needs no member of its own
                yield ObjectWay(group, formula, ObjectState(used, count, state.settled | settles))

    # ------------------------------------------------------------------------------------------------- groups

    @cached_property
    def _members(self) -> _Members:
        listed, others = self._groups()
        listed = [group for group in listed if group.options]
        names = {name: n for n, name in enumerate(self._objects.order)} if self._in_order else {}
        ordered = sorted((g for g in listed if g.name in names), key=lambda group: names[group.name or ""])
        return _Members(ordered, _alike([group for group in listed if group.name not in names]), others)

    def _groups(self) -> tuple[list[Group], list[Group]]:
        """Each name that something is said of, and the sets of all other names."""
        objects = self._objects
        names = dict.fromkeys([*objects.properties, *sorted(objects.required)])
        for known, _ in (*self._patterns, *self._some):
            if known.only is not None:
                names |= dict.fromkeys(sorted(known.only))
            elif len(known.but) < _LISTED and not known.but <= names.keys():
                names |= dict.fromkeys(sorted(known.but))
        others: list[Group] = []
        for part, formula, settles in self._partition(StringSet(but=frozenset(names))):
            found = strings.finite(part, _LISTED, self._languages)
            if found is None:
                others.append(Group(part, self._options(formula, settles), False, None))
            else:
                names |= dict.fromkeys(sorted(found))
        return [self._group(name) for name in names], [group for group in others if group.options]

    def _group(self, name: str) -> Group:
        objects = self._objects
        if not strings.is_text(name):
            return Group(strings.NONE, (), name in objects.required, 1)
        parts = [objects.properties.get(name, TRUE)]
        parts += [formula for names, formula in self._patterns if names.contains(name, self._languages)]
        settles = [n for n, (names, _) in enumerate(self._some) if names.contains(name, self._languages)]
        options = self._options(self._formulas.every(parts), settles)
        return Group(strings.words([name]), options, name in objects.required, 1)

    def _partition(self, names: StringSet) -> list[tuple[StringSet, int, list[int]]]:
        """The names of a set by what is asked of their values: a formula, and what they may settle."""
        found: list[tuple[StringSet, int, list[int]]] = [(names, TRUE, [])]
        asked = [(known, formula, None) for known, formula in self._patterns]
        for known, formula, index in [*asked, *((known, TRUE, n) for n, (known, _) in enumerate(self._some))]:
            split = []
            for part, whole, settles in found:
                for inside, those in ((True, known), (False, strings.complement(known))):
                    met = strings.intersect(part, those, self._languages)
                    if not met.is_empty(self._languages):
                        both = self._formulas.every((whole, formula)) if inside else whole
                        split.append((met, both, [*settles, index] if inside and index is not None else settles))
            found = split
            if len(found) > self._limits.alternatives:
                most = self._limits.alternatives
                raise LimitExceeded("alternatives", len(found), most, "overlapping sets of property names")
        return found

    def _options(self, formula: int, settles: list[int]) -> tuple[Option, ...]:
        """What a value may be, by what it settles; values in sets that come out the same settle the same."""
        if self._is_empty(formula):
            return ()
        settled: dict[int, int] = {}
        for n in settles:
            wanted = self._some[n][1]
            for each, known in [(formula, 0), *settled.items()]:
                both = self._formulas.every((each, wanted))
                if both in settled or not self._is_empty(both):
                    settled[both] = settled.get(both, 0) | known | 1 << n
            if len(settled) > self._limits.alternatives:
                most = self._limits.alternatives
                raise LimitExceeded("alternatives", len(settled), most, "what one property of an object may settle")
        return Option(formula, 0), *(Option(each, known) for each, known in settled.items())


def _alike(groups: list[Group]) -> list[Group]:
    """Groups that are treated alike made one."""
    joined: dict[tuple[tuple[Option, ...], bool], list[Group]] = {}
    for group in groups:
        joined.setdefault((group.options, group.required), []).append(group)
    return [
        Group(strings.words([name for group in same for name in group.names.only or ()]), options, required, len(same))
        for (options, required), same in joined.items()
    ]
