"""JSON as a checker, with a validator of the jsonschema package, or whatever else decides about a whole value.

Beginnings of texts are read by `read_open`, which knows what is finished in them. A validator is asked about whole
values: those that are finished inside of the text, where `properties`, `items` and `prefixItems` say what is asked of
them, and the value itself at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from constrain.sampling.checkers import READERS, TextChecker

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_OPEN_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_OPEN_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?)?\Z")
_WORDS = {"true": True, "false": False, "null": None}
_DEPTH = 200
"""Nesting beyond which a text is rejected; Python reads no more than about five times that."""


@dataclass
class Open:
    """An array or an object that has not ended, or a scalar of which only the beginning is there."""

    kind: str
    """"array", "object", "string", "number", "word", or "nothing": no character of a value yet."""
    items: list[Any] = field(default_factory=list)
    """The finished items of an array; the finished members of an object, as (name, value)."""
    last: Any = None
    """What stands behind these: None, an `Open` item, or of an object (name, `Open`)."""


class NotJson(ValueError):
    """No JSON text begins like this."""


class Json(TextChecker):
    """JSON texts whose value is valid: to a validator of the jsonschema package, or to a function of the value.

    >>> checker = Json(lambda value: sum(value) == 6)
    >>> checker.prefix("[1, 2"), checker.prefix("[1, x"), checker.whole("[1, 2, 3]"), checker.whole("[1]")
    (True, False, True, False)
    """

    beyond_ascii = "é"

    def __init__(self, validator: Any = None) -> None:
        self._validator = validator if is_validator(validator) else None
        self._valid: Callable[[Any], Any] | None = validator if self._validator is None else validator.is_valid

    def prefix(self, text: str) -> bool:
        """Whether a JSON text begins like this, with nothing finished in it that cannot be valid."""
        try:
            value = read_open(text)
        except NotJson:
            return False
        return self._validator is None or all(
            self._validator.evolve(schema=schema).is_valid(part)
            for schema, part in _finished(self._validator.schema, value, "prefixItems" in self._validator.VALIDATORS)
        )

    def whole(self, text: str) -> Any:
        """Whether it is a JSON text with a valid value."""
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return False
        return self._valid is None or self._valid(value)

    def __repr__(self) -> str:
        return "Json()" if self._valid is None else f"Json({self._valid!r:.60})"


def is_validator(value: Any) -> bool:
    """Whether this is a validator of the jsonschema package, told by what it can do."""
    return all(hasattr(value, name) for name in ("is_valid", "evolve", "schema", "VALIDATORS")) and not isinstance(
        value, type
    )


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finished(schema: Any, value: Any, has_prefixes: bool) -> Iterator[tuple[Any, Any]]:
    """Finished values inside of one that goes on, each with a schema that it has to meet; a finished one as a whole.

    Only keywords that ask the same of a part whatever else comes: none that count, or that another can overrule.
    `has_prefixes`: whether the draft has `prefixItems`.
    """
    if not isinstance(value, Open):
        yield schema, value
        return
    if not isinstance(schema, dict) or "$ref" in schema:
        return
    if "type" in schema and not _may_be(value.kind, schema["type"]):
        yield False, None
    if value.kind == "object":
        properties = schema.get("properties", {})
        last = [value.last] if isinstance(value.last, tuple) else []
        for name, part in [*value.items, *last]:
            if isinstance(properties, dict) and name in properties:
                yield from _finished(properties[name], part, has_prefixes)
    elif value.kind == "array":
        first = schema.get("prefixItems", []) if has_prefixes else []
        parts = [*value.items, *([] if value.last is None else [value.last])]
        rest = schema.get("items", True)
        for i, part in enumerate(parts):
            if i < len(first):
                yield from _finished(first[i], part, has_prefixes)
            elif not isinstance(rest, list):
                yield from _finished(rest, part, has_prefixes)


def _may_be(kind: str, types: Any) -> bool:
    """Whether a value that begins like this may have one of the types."""
    listed = [types] if isinstance(types, str) else types
    names = {"number": {"number", "integer"}, "word": {"boolean", "null"}}.get(kind, {kind})
    return kind == "nothing" or bool(names.intersection(listed))


def read_open(text: str) -> Any:
    """What is known of the value of a JSON text that may go on: the value, or `Open`. Raises NotJson.

    A number at the end of the text is open, because digits can follow; so is white space before the value.

    >>> read_open('[true, {"a"')
    Open(kind='array', items=[True], last=Open(kind='object', items=[], last=None))
    """
    stack: list[tuple[Open, str | None]] = []  # what is open around, and the name of its member
    at = _skip(text, 0)
    value: Any = None
    while True:
        value, at = _scalar_or_opening(text, at)
        opened = isinstance(value, Open)
        if opened and value.kind not in ("array", "object"):
            return _closed_over(stack, value)
        if opened:
            if len(stack) >= _DEPTH:
                raise NotJson("nested too deep")
            stack.append((value, None))
        # Go on behind a value, or behind an opening bracket, to where the next value begins.
        while True:
            at = _skip(text, at)
            if not stack:
                if at < len(text):
                    raise NotJson("text behind the value")
                return value
            around, name = stack[-1]
            if not opened:
                around.items.append(value if around.kind == "array" else (name, value))
                stack[-1] = (around, None)
            if at == len(text):
                return _closed_over(stack[:-1], around)
            end = "]" if around.kind == "array" else "}"
            if text[at] == end:
                stack.pop()
                value, opened, at = _built(around), False, at + 1
                continue
            if not opened:
                if text[at] != ",":
                    raise NotJson("no comma")
                at = _skip(text, at + 1)
            break
        if around.kind == "array" and at == len(text):
            return _closed_over(stack[:-1], around)
        if around.kind == "object":
            member, at = _name(text, at)
            if member is None:
                return _closed_over(stack[:-1], around)
            stack[-1] = (around, member)


def _closed_over(stack: list[tuple[Open, str | None]], value: Open) -> Open:
    """The outermost value, with the open ones inside of each other."""
    for around, name in reversed(stack):
        around.last = value if around.kind == "array" else (name, value)
        value = around
    return value


def _built(value: Open) -> Any:
    return value.items if value.kind == "array" else dict(value.items)


def _name(text: str, at: int) -> tuple[str | None, int]:
    """The name of a member, and where its value begins; None if the text ends before it."""
    if at == len(text):
        return None, at
    if text[at] != '"':
        raise NotJson("no name")
    name, at = _scalar_or_opening(text, at)
    at = _skip(text, at)
    if isinstance(name, Open) or at == len(text):
        return None, at
    if text[at] != ":":
        raise NotJson("no colon")
    at = _skip(text, at + 1)
    return str(name), at


def _scalar_or_opening(text: str, at: int) -> tuple[Any, int]:
    """A scalar and where it ends, or the open value that begins here."""
    if at == len(text):
        return Open("nothing"), at
    first = text[at]
    if first in "[{":
        return Open("array" if first == "[" else "object"), at + 1
    if first == '"':
        return _string(text, at)
    if first in "-0123456789":
        if _OPEN_NUMBER.match(text, at):
            return Open("number"), len(text)
        number = _NUMBER.match(text, at)
        if number is None:
            raise NotJson("no number")
        return _number(number[0]), number.end()
    for word, value in _WORDS.items():
        if text.startswith(word, at):
            return value, at + len(word)
        if word.startswith(text[at:]):
            return Open("word"), len(text)
    raise NotJson("no value")


def _number(text: str) -> int | float:
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except ValueError as error:  # of more digits than Python reads
        raise NotJson(str(error)) from error


def _string(text: str, at: int) -> tuple[Any, int]:
    match = _STRING.match(text, at)
    assert match is not None  # it begins with a quote
    end = match.end()
    if text.startswith('"', end):
        return json.loads(text[at : end + 1]), end + 1
    if end == len(text) or _OPEN_ESCAPE.match(text, end):
        return Open("string"), len(text)
    raise NotJson("no string")


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


READERS.append(lambda value: Json(value) if is_validator(value) else None)
