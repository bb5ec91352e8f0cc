"""Whether a formula has a value at all, so that what has none is left out and no prefix is a dead end.

Most subschemas cannot be empty, and that is seen without lowering them: a string has a string. What could clash
(bounds, intersections, negations, `false`) is worked out, down to the members that are required.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from constrain.frontends.json_schema.arrays import ArrayPlan
from constrain.frontends.json_schema.document import Place
from constrain.frontends.json_schema.formulas import FALSE, TRUE, Leaf
from constrain.frontends.json_schema.objects import ObjectPlan
from constrain.frontends.json_schema.reader import Reader
from constrain.frontends.json_schema.values import ArraySet, ObjectSet, Values

_SCALARS = frozenset(("string", "number", "integer", "boolean", "null"))
_HARMLESS = frozenset(
    "type title description default examples properties additionalProperties required items $comment deprecated "
    "readOnly writeOnly $schema $id id $defs definitions".split()
)


class Inhabited:
    """Answers for the formulas of one reader. `arrays` and `objects` make the automata of their sets."""

    def __init__(
        self, reader: Reader, arrays: Callable[[ArraySet], ArrayPlan], objects: Callable[[ObjectSet], ObjectPlan]
    ) -> None:
        self._reader, self._arrays, self._objects = reader, arrays, objects
        self._known: dict[int, bool] = {FALSE: True, TRUE: False}
        self._plain: dict[int, bool] = {}
        self._open: dict[int, bool] = {}
        self._circular = False

    def is_empty(self, formula: int) -> bool:
        """Whether no value is in a formula."""
        known = self._known.get(formula)
        if known is not None:
            return known
        node = self._reader.formulas[formula]
        if isinstance(node, Leaf) and not node.negated and isinstance(node.content, Place):
            if self._is_plain(node.content):
                self._known[formula] = False
                return False
        return self._find(formula)

    def _find(self, formula: int) -> bool:
        """A formula within itself counts as empty: values are finite, so some value does without it, or none is."""
        if formula in self._open:
            self._circular = True
            return True
        outer, self._circular = self._circular, False
        self._open[formula] = True
        try:
            empty = self._is_void(self._reader.values(formula))
        finally:
            del self._open[formula]
        if not empty or not self._circular or not self._open:
            self._known[formula] = empty
        self._circular = outer or (empty and self._circular and bool(self._open))
        return empty

    def _is_void(self, meant: Values) -> bool:
        if meant.null or meant.booleans or meant.numbers:
            return False
        if not meant.strings.is_empty(self._reader.algebra.languages):
            return False
        for array in meant.arrays:
            arrays = self._arrays(array)
            if arrays.is_alive(arrays.start()):
                return False
        for each in meant.objects:
            objects = self._objects(each)
            if objects.is_alive(objects.start()):
                return False
        return True

    def _is_plain(self, place: Place) -> bool:
        """Whether it is clear from the keywords alone that a subschema has a value."""
        schema = place.schema
        known = self._plain.get(id(schema))
        if known is None:
            self._plain[id(schema)] = False  # while it is worked out: a subschema within itself proves nothing
            known = self._plain[id(schema)] = self._looks_plain(place)
        return known

    def _looks_plain(self, place: Place) -> bool:
        schema: Any = place.schema
        if schema is True:
            return True
        if not isinstance(schema, dict) or not schema.keys() <= _HARMLESS:
            return False
        types = schema.get("type", "null")
        types = (types,) if isinstance(types, str) else types
        if any(name in _SCALARS or name == "array" for name in types):
            return True
        declared, required = schema.get("properties", {}), schema.get("required", ())
        for name in required if isinstance(required, list) else ():
            if name not in declared:
                if "additionalProperties" in schema and schema["additionalProperties"] is not True:
                    return False
            elif not self._is_plain(self._reader.document.child(place, "properties", name)):
                return False
        return True
