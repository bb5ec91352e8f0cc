"""The form of schemas: every keyword of a subschema, and of those below it, has a value of the right kind.

In:  subschemas as they are met.
Out: nothing, or SchemaError with the JSON Pointer, the keyword, and what it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from constrain.errors import SchemaError
from constrain.specs.json_schema.drafts import Draft
from constrain.specs.json_schema.place import SchemaPlace

_TYPES = frozenset(("null", "boolean", "object", "array", "number", "string", "integer"))
_DEPTH = 400
_Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isinstance(value, int) or (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value))


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _is_list_of(check: _Check, fewest: int = 0) -> _Check:
    return lambda value: isinstance(value, list) and len(value) >= fewest and all(map(check, value))


def _is_map_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_type(value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return bool(listed) and all(isinstance(name, str) and name in _TYPES for name in listed)


_strings, _schemas = _is_list_of(_is_string), _is_list_of(_is_schema, 1)
_COUNT, _SCHEMA, _SCHEMAS = "an integer from 0 up", "a schema: an object or a boolean", "a list of schemas, not empty"
_MAP, _NUMBER, _TEXT = "an object whose values are schemas", "a number", "a string"
_RULES: dict[str, tuple[_Check, str]] = {
    "type": (_is_type, f"one of {', '.join(sorted(_TYPES))}, or a list of these"),
    "enum": (lambda value: isinstance(value, list), "a list of values"),
    "const": (lambda value: True, ""),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "required": (_strings, "a list of strings"),
    "uniqueItems": (_is_flag, "true or false"),
    "pattern": (_is_string, "a string: a regular expression"),
    "format": (_is_string, "a string: the name of a format"),
    "dependentRequired": (_is_map_of(_strings), "an object whose values are lists of strings"),
    "dependencies": (
        _is_map_of(lambda value: _is_schema(value) or _strings(value)),
        "an object whose values are schemas or lists of strings",
    ),
    **dict.fromkeys(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"), (_is_number, _NUMBER)),
    **dict.fromkeys(
        "maxLength minLength maxItems minItems maxContains minContains maxProperties minProperties".split(),
        (_is_count, _COUNT),
    ),
    **dict.fromkeys(
        "not if then else contains additionalProperties propertyNames additionalItems items unevaluatedItems "
        "unevaluatedProperties".split(),
        (_is_schema, _SCHEMA),
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), (_schemas, _SCHEMAS)),
    **dict.fromkeys(
        ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), (_is_map_of(_is_schema), _MAP)
    ),
    **dict.fromkeys(
        ("$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor"), (_is_string, _TEXT)
    ),
}
_OLD_ITEMS = (lambda value: _is_schema(value) or _is_list_of(_is_schema)(value), "a schema or a list of schemas")
_BOOLEAN_BOUND = (lambda value: _is_flag(value) or _is_number(value), "true or false")

_CHILD = frozenset(
    "not if then else contains additionalProperties propertyNames additionalItems items unevaluatedItems "
    "unevaluatedProperties".split()
)
_LISTED = frozenset(("allOf", "anyOf", "oneOf", "prefixItems", "items"))
_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies"))
_HOLDING = _CHILD | _LISTED | _NAMED
"""Keywords that hold subschemas."""
_NOTED = frozenset(("pattern", "patternProperties", "$ref"))


class Syntax:
    """Remembers what has been checked."""

    def __init__(self) -> None:
        self._checked: dict[int, Any] = {}
        self.patterns: list[tuple[str, str, str]] = []
        """The regular expressions met: text, JSON Pointer to it, keyword."""
        self.references: list[tuple[str, str]] = []
        """The references met, and JSON Pointers to where they stand."""

    def check(self, place: SchemaPlace) -> None:
        """Check a subschema and everything below it."""
        if id(place.schema) in self._checked:
            return
        checked: dict[int, Any] = {}
        rules = _rules_of(place.draft)
        todo = [(place.schema, place.pointer, 0)]
        while todo:
            schema, pointer, depth = todo.pop()
            if isinstance(schema, bool) or id(schema) in self._checked or id(schema) in checked:
                continue
            if not isinstance(schema, dict):
                raise SchemaError(
                    f"{schema!r:.60} is no schema", pointer=pointer, hint="a schema is an object or a boolean"
                )
            if depth > _DEPTH:
                raise SchemaError(f"schemas nested more than {_DEPTH} deep", pointer=f"{pointer[:60]}…")
            checked[id(schema)] = schema
            for name, value in keywords(schema, place.draft):
                rule = rules.get(name)
                if rule is not None and not rule[0](value):
                    raise _misused(name, value, rule[1], pointer)
                if name in _NOTED:
                    self._note(name, value, pointer)
                if name not in _HOLDING:
                    continue
                todo += [(inner, f"{pointer}/{name}{path}", depth + 1) for path, inner in subschemas(name, value)]
        self._checked |= checked

    def _note(self, name: str, value: Any, pointer: str) -> None:
        if name == "pattern":
            self.patterns.append((value, f"{pointer}/{name}", name))
        elif name == "patternProperties":
            self.patterns += [(text, f"{pointer}/{name}", name) for text in value]
        elif name == "$ref":
            self.references.append((value, pointer))


def keywords(schema: Mapping[str, Any], draft: Draft) -> list[tuple[str, Any]]:
    """The keywords that count in a subschema, with their values."""
    if draft.lone_ref and "$ref" in schema:
        named = [(name, schema[name]) for name in ("definitions", "$defs") if name in schema]
        return [("$ref", schema["$ref"]), *named]
    return [(name, value) for name, value in schema.items() if name in draft.keywords]


def subschemas(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The subschemas in the value of a keyword, with the paths to them."""
    if name in _NAMED:
        for key, inner in value.items():
            if not isinstance(inner, list):
                yield f"/{key.replace('~', '~0').replace('/', '~1')}", inner
    elif isinstance(value, list) and name in _LISTED:
        for i, inner in enumerate(value):
            yield f"/{i}", inner
    elif name in _CHILD:
        yield "", value


@lru_cache(maxsize=16)
def _rules_of(draft: Draft) -> dict[str, tuple[_Check, str]]:
    """What the keywords of a draft take."""
    rules = dict(_RULES)
    if draft.old_items:
        rules["items"] = _OLD_ITEMS
    if draft.boolean_bounds:
        rules |= dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _BOOLEAN_BOUND)
    return rules


def _misused(name: str, value: Any, takes: str, pointer: str) -> SchemaError:
    return SchemaError(f"{name} is {value!r:.60}", pointer=f"{pointer}/{name}", keyword=name, hint=f"it takes {takes}")
