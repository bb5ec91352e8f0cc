"""Subschemas of which the keywords alone show that they have a value.

Most have: what could clash (bounds, intersections, negations, `false`) is rare. What is not clear here is worked out by
`constrain.specs.json_schema.inhabited`.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Any

from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.drafts import ARRAY_KEYWORDS, NUMBER_KEYWORDS, OBJECT_KEYWORDS, STRING_KEYWORDS
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.strings import is_text

_TYPES = ("null", "boolean", "string", "number", "array", "object")
_BOUNDS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
_SILENT = frozenset("$schema $id id $anchor $defs definitions $comment $vocabulary".split())
_OBJECTS = OBJECT_KEYWORDS | {"dependentRequired", "dependentSchemas", "dependencies"}
_TYPED = STRING_KEYWORDS | NUMBER_KEYWORDS | ARRAY_KEYWORDS | _OBJECTS | {"type"}


class Plain:
    """Answers for the subschemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[int, bool] = {}

    def has_value(self, place: SchemaPlace) -> bool:
        """Whether it is clear from the keywords that a subschema has a value."""
        known = self._known.get(id(place.schema))
        if known is None:
            self._known[id(place.schema)] = False  # while it is worked out: a subschema within itself proves nothing
            known = self._known[id(place.schema)] = self._looks(place)
        return known

    def _looks(self, place: SchemaPlace) -> bool:
        schema = place.schema
        if not isinstance(schema, dict):
            return schema is True
        said = (schema.keys() & place.draft.keywords) - _SILENT
        types = schema.get("type", _TYPES)
        types = (types,) if isinstance(types, str) else types
        if said <= _TYPED:
            return any(self._is_met(place, name, said) for name in types)
        if said == {"anyOf"}:
            return any(self.has_value(self._document.child(place, "anyOf", i)) for i in range(len(schema["anyOf"])))
        listed = schema["enum"] if "enum" in said else [schema.get("const")]
        names_strings = said <= {"type", "enum"} or said <= {"type", "const"}
        return names_strings and "string" in types and any(isinstance(one, str) and is_text(one) for one in listed)

    def _is_met(self, place: SchemaPlace, kind: str, said: Set[str]) -> bool:
        """Whether it is clear that a value of some type meets the keywords about it."""
        schema = place.schema
        match kind:
            case "string":
                return _is_string_clear(schema, said & STRING_KEYWORDS)
            case "number" | "integer":
                return _is_number_clear(schema, said & NUMBER_KEYWORDS)
            case "array":
                return self._is_array_clear(place, said & ARRAY_KEYWORDS)
            case "object":
                return self._is_object_clear(place, said & _OBJECTS)
        return True

    def _is_array_clear(self, place: SchemaPlace, said: Set[str]) -> bool:
        schema = place.schema
        if not schema.get("minItems", 0) and "contains" not in said:
            return True
        if not said <= {"items", "minItems"} or isinstance(schema.get("items"), list):
            return False
        return "items" not in said or self.has_value(self._document.child(place, "items"))

    def _is_object_clear(self, place: SchemaPlace, said: Set[str]) -> bool:
        schema = place.schema
        required: Collection[str] = schema.get("required", ()) if "required" in said else ()
        if not required and not schema.get("minProperties", 0):
            return True
        if not said <= {"properties", "required", "additionalProperties"} or not all(map(is_text, required)):
            return False
        declared = schema.get("properties", {})
        if any(name not in declared for name in required) and schema.get("additionalProperties", True) is not True:
            return False
        return all(
            self.has_value(self._document.child(place, "properties", name)) for name in required if name in declared
        )


def _is_string_clear(schema: dict[str, Any], said: Set[str]) -> bool:
    if said <= {"minLength", "maxLength"}:
        return bool(schema.get("minLength", 0) <= schema.get("maxLength", schema.get("minLength", 0)))
    return said == {"format"}


def _is_number_clear(schema: dict[str, Any], said: Set[str]) -> bool:
    """One bound, or a range that an integer is in, or multiples, of which 0 is one."""
    bounds = [schema[name] for name in said & _BOUNDS]
    if len(said) <= 1:
        return not any(isinstance(bound, bool) for bound in bounds)
    low, high = schema.get("minimum"), schema.get("maximum")
    return said == {"minimum", "maximum"} and low is not None and high is not None and bool(high - low >= 1)
