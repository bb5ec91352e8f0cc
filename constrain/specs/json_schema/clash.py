"""Why a schema has no values: the keywords that clash, found by leaving out others.

A keyword is to blame if some value is valid without it. Where the blame is on members that are required, it is looked
for in them.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

Path = tuple[str, ...]
_DEPTH = 20


def clashing(schema: Any, is_empty: Callable[[Any, Path], bool]) -> list[str]:
    """JSON Pointers to keywords of an empty schema that allow nothing together.

    `is_empty` tells whether the subschema at a path of a schema has no values.
    """
    path: Path = ()
    for _ in range(_DEPTH):
        place = _at(schema, path)
        if not isinstance(place, dict):
            return [_pointer(path)]
        blamed = _blamed(schema, path, is_empty)
        below = _below(schema, path, blamed, is_empty)
        if below is None:
            return [_pointer((*path, name)) for name in blamed]
        path = below
    return [_pointer(path)]


def _blamed(schema: Any, path: Path, is_empty: Callable[[Any, Path], bool]) -> list[str]:
    """Keywords of a subschema none of which can be left out."""
    reduced = deepcopy(schema)
    place = _at(reduced, path)
    for name in list(place):
        if name in ("$schema", "$defs", "definitions", "$id", "id"):
            continue
        left = place.pop(name)
        if not is_empty(reduced, path):
            place[name] = left
    return [name for name in _at(schema, path) if name in place and name not in ("$schema", "$defs", "definitions")]


def _below(schema: Any, path: Path, blamed: list[str], is_empty: Callable[[Any, Path], bool]) -> Path | None:
    """The path of a member that is required and has no values, if that is all there is to blame."""
    if not {"properties", "required"} <= set(blamed) <= {"type", "properties", "required"}:
        return None
    place = _at(schema, path)
    for name in place["required"]:
        if name in place["properties"] and is_empty(schema, (*path, "properties", name)):
            return (*path, "properties", name)
    return None


def _at(schema: Any, path: Path) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def _pointer(path: Path) -> str:
    return "".join([f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path]) or "#"
