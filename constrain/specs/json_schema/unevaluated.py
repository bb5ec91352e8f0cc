"""`unevaluatedItems` and `unevaluatedProperties`: what no other keyword has looked at.

What has been looked at depends on which alternatives a value is in. A subschema is therefore taken apart into *cases*,
each with what it evaluates; their union is the subschema. Of `anyOf` every choice of alternatives is a case. (Where a
value is in more of them than were chosen, more is evaluated, and the case for that choice holds as well. So nothing
needs to be negated.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from constrain.errors import LimitExceeded
from constrain.specs.json_schema import strings, values
from constrain.specs.json_schema.formulas import FALSE, TRUE
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.reader import Reader
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.values import ArraySet, ObjectSet, Values


class Branch(NamedTuple):
    """Some of the values of a subschema, and what it evaluates of them."""

    formula: int
    names: StringSet = strings.NONE
    items: float = 0
    """So many items from the first one on; infinity for all."""
    matches: tuple[int, ...] = ()
    """Items in one of these formulas count as evaluated."""


class Evaluation:
    """Subschemas with `unevaluated..` keywords."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: set[int] = set()

    def values(self, place: SchemaPlace) -> Values:
        """The values of a subschema."""
        reader = self._reader
        meant = values.NONE
        for case in self._cases(place, alone=True):
            meant = reader.algebra.unite(meant, reader.values(case.formula))
        return meant

    def _cases(self, place: SchemaPlace, alone: bool = False) -> list[Branch]:
        """The cases of a subschema; `alone` if nobody asks what it evaluates."""
        reader = self._reader
        if isinstance(place.schema, bool):
            return [Branch(reader.subschema(place))]
        if id(place.schema) in self._open:
            raise reader._circular(reader.subschema(place))
        self._open.add(id(place.schema))
        try:
            cases = self._own_cases(place)
        finally:
            self._open.discard(id(place.schema))
        return [self._closed(place, case) for case in cases]

    def _closed(self, place: SchemaPlace, case: Branch) -> Branch:
        """A case with the `unevaluated..` keywords of its subschema."""
        reader, keywords = self._reader, self._reader.keywords(place)
        formula = case.formula
        if "unevaluatedProperties" in keywords:
            others = reader.child(place, "unevaluatedProperties")
            if others != TRUE and not case.names.is_all:
                left = strings.complement(case.names)
                limit = reader.literal(values.with_objects(ObjectSet(patterns=((left, others),))))
                formula = reader.formulas.every((formula, limit))
            case = case._replace(names=strings.ALL)
        if "unevaluatedItems" in keywords:
            others = reader.formulas.some((reader.child(place, "unevaluatedItems"), *case.matches))
            if others != TRUE and case.items != float("inf"):
                limit = reader.literal(values.with_arrays(ArraySet((TRUE,) * int(case.items), others)))
                formula = reader.formulas.every((formula, limit))
            case = case._replace(items=float("inf"))
        return case._replace(formula=formula)

    def _own_cases(self, place: SchemaPlace) -> list[Branch]:
        """The cases of a subschema, its `unevaluated..` keywords left out."""
        reader, keywords = self._reader, self._reader.keywords(place)
        names = reader.evaluated_names(place)
        matches: tuple[int, ...] = ()
        if "contains" in keywords and place.draft.contains_evaluates:
            matches = (reader.child(place, "contains"),)
        cases = [Branch(reader.literal(reader.assertions(place)), names, self._items(place), matches)]
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in keywords:
                cases = self._both(cases, self._cases(reader.document.target(place, keyword, keywords[keyword])))
        for i in range(len(keywords.get("allOf", ()))):
            cases = self._both(cases, self._of(place, "allOf", i))
        if "anyOf" in keywords:
            cases = self._both(cases, self._any(place))
        if "oneOf" in keywords:
            cases = self._both(cases, self._one(place))
        if "not" in keywords:
            cases = self._both(cases, [Branch(reader.formulas.negate(reader.child(place, "not")))])
        if "if" in keywords:
            cases = self._both(cases, self._conditional(place))
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name in keywords.get(keyword, ()):
                cases = self._both(cases, self._dependent(place, keyword, name))
        return cases

    def _items(self, place: SchemaPlace) -> float:
        keywords = self._reader.keywords(place)
        if "additionalItems" in keywords and isinstance(keywords.get("items"), list):
            return float("inf")
        if place.draft.old_items and isinstance(keywords.get("items"), list):
            return len(keywords["items"])
        return float("inf") if "items" in keywords else len(keywords.get("prefixItems", ()))

    def _of(self, place: SchemaPlace, *path: str | int) -> list[Branch]:
        return self._cases(self._reader.document.child(place, *path))

    def _any(self, place: SchemaPlace) -> list[Branch]:
        """One case for each choice of alternatives."""
        chosen: list[Branch] = []
        for i in range(len(place.schema["anyOf"])):
            own = self._of(place, "anyOf", i)
            chosen = self._distinct([*chosen, *own, *self._both(chosen, own)])
        return chosen

    def _one(self, place: SchemaPlace) -> list[Branch]:
        reader = self._reader
        parts, found = reader.children(place, "oneOf"), []
        for i in range(len(parts)):
            alone = [Branch(reader.only(parts, i))]
            found += self._both(alone, self._of(place, "oneOf", i))
        return found

    def _conditional(self, place: SchemaPlace) -> list[Branch]:
        reader, keywords = self._reader, self._reader.keywords(place)
        met = self._of(place, "if")
        unmet = [Branch(reader.formulas.negate(reader.child(place, "if")))]
        if "then" in keywords:
            met = self._both(met, self._of(place, "then"))
        if "else" in keywords:
            unmet = self._both(unmet, self._of(place, "else"))
        return met + unmet

    def _dependent(self, place: SchemaPlace, keyword: str, name: str) -> list[Branch]:
        reader = self._reader
        if isinstance(place.schema[keyword][name], list):
            return [Branch(reader._dependent(place, keyword, name))]
        with_it = self._both([Branch(reader.having(name))], self._of(place, keyword, name))
        return [Branch(reader.lacking(name)), *with_it]

    def _both(self, some: list[Branch], others: list[Branch]) -> list[Branch]:
        every = self._reader.formulas.every
        return self._distinct(
            Branch(
                every((a.formula, b.formula)),
                strings.unite(a.names, b.names),
                max(a.items, b.items),
                a.matches + b.matches,
            )
            for a in some
            for b in others
        )

    def _distinct(self, cases: Iterable[Branch]) -> list[Branch]:
        found: dict[object, Branch] = {}
        for case in cases:
            if case.formula != FALSE and not self._reader.is_clearly_empty(case.formula):
                found[case.formula, case.names.key, case.items, frozenset(case.matches)] = case
            if len(found) > self._reader.limits.alternatives:
                most = self._reader.limits.alternatives
                raise LimitExceeded("alternatives", len(found), most, "the cases of `unevaluated..` keywords")
        return list(found.values())
