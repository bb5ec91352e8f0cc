"""What becomes of every keyword of a schema: enforced, an annotation, or not supported and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from constrain.errors import GrammarSyntaxError, SchemaError, UnsupportedError
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.drafts import ANNOTATIONS, DRAFTS, Draft
from constrain.specs.json_schema.formats import FORMATS
from constrain.specs.json_schema.patterns import pattern
from constrain.specs.json_schema.place import SchemaPlace
from constrain.specs.json_schema.syntax import subschemas

Status = Literal["enforced", "annotation", "not supported"]
_NAMES = frozenset("$id id $anchor $dynamicAnchor $recursiveAnchor $defs definitions".split())
_ANYWHERE = frozenset().union(*[draft.keywords for draft in DRAFTS.values()])


@dataclass(frozen=True, slots=True)
class Remark:
    """What becomes of one keyword."""

    pointer: str
    """A JSON Pointer to it."""
    keyword: str
    status: Status
    reason: str = ""
    """Why, unless it is plainly enforced."""


def report(document: Document, formats: str) -> tuple[Remark, ...]:
    """What becomes of every keyword of a schema, in the order of the schema."""
    return tuple(_remarks(document.root, formats))


def _remarks(root: SchemaPlace, formats: str) -> Iterator[Remark]:
    draft = root.draft
    todo: list[tuple[Any, str]] = [(root.schema, root.pointer)]
    while todo:
        schema, pointer = todo.pop()
        if not isinstance(schema, dict):
            continue
        below: list[tuple[Any, str]] = []
        hidden = draft.lone_ref and "$ref" in schema
        for name, value in schema.items():
            yield _remark(f"{pointer}/{_escaped(name)}", name, value, draft, formats, hidden)
            if name in draft.keywords:
                below += [(inner, f"{pointer}/{_escaped(name)}{path}") for path, inner in subschemas(name, value)]
        todo += reversed(below)


def _remark(pointer: str, name: str, value: Any, draft: Draft, formats: str, hidden: bool) -> Remark:
    if hidden and name != "$ref" and name in draft.keywords and name not in _NAMES:
        return Remark(pointer, name, "annotation", f"draft {draft.name} ignores what stands beside $ref")
    if name in ANNOTATIONS:
        return Remark(pointer, name, "annotation", "says nothing of what is valid")
    if name not in draft.keywords:
        known = name in _ANYWHERE
        reason = f"draft {draft.name} does not have it" if known else "not a keyword of JSON Schema"
        return Remark(pointer, name, "annotation", reason)
    if name == "format":
        return _format(pointer, str(value), formats)
    if name in ("pattern", "patternProperties"):
        return _pattern(pointer, name, value)
    return Remark(pointer, name, "enforced")


def _format(pointer: str, name: str, formats: str) -> Remark:
    if formats == "annotation":
        return Remark(pointer, "format", "annotation", "format='annotation' was asked for")
    if name not in FORMATS:
        return Remark(pointer, "format", "annotation", f"nobody has specified a format {name!r}")
    return Remark(pointer, "format", "enforced")


def _pattern(pointer: str, keyword: str, value: Any) -> Remark:
    for text in [value] if isinstance(value, str) else list(value):
        try:
            pattern(text)
        except (UnsupportedError, GrammarSyntaxError, SchemaError) as error:
            return Remark(pointer, keyword, "not supported", str(error).splitlines()[0])
    return Remark(pointer, keyword, "enforced")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
