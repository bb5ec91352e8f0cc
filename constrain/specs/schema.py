"""JSON Schema as a constraint: where schemas come from, and what is asked of the texts.

>>> json_schema({"type": "integer"}).text
'{"type": "integer"}'
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_origin, is_typeddict

from constrain.errors import ConstrainError, LimitExceeded, SchemaError, SpecTypeError, UnsatisfiableError
from constrain.ir.grammar import Grammar
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.base import Regex, Spec, regex

if TYPE_CHECKING:
    from referencing import Registry

    from constrain.specs.json_schema.document import Document
    from constrain.specs.json_schema.drafts import Draft
    from constrain.specs.json_schema.lowering import SchemaLowering
    from constrain.specs.json_schema.report import Remark
    from constrain.specs.json_schema.rows import SchemaRows
    from constrain.specs.json_schema.text import Layout
    from constrain.specs.json_schema.texts import Texts

Formats = Literal["assert", "annotation"]
Order = Literal["schema", "any"]
Escapes = Literal["plain", "any"]

_WHITESPACE = ("bounded", "compact", "flexible")


@dataclass(frozen=True, slots=True)
class JsonSchema(Spec):
    """JSON texts of values that are valid under a schema. Made by `json_schema`."""

    text: str
    """The schema, as JSON."""
    formats: Formats = "assert"
    property_order: Order = "schema"
    whitespace: str | Regex = "bounded"
    escapes: Escapes = "plain"
    draft: str | None = None
    registry: Any = field(default=None, hash=False, repr=False)

    def lower(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        """See `Spec.lower`. Raises SchemaError, UnsupportedError, UnsatisfiableError."""
        from constrain.specs.json_schema.row_source import RowSource

        languages = languages or _own_languages(limits)
        rows = _rows(self)
        if rows is None or not _patterns_are_right(rows):
            return self.lower_by_algebra(limits, languages)
        source = RowSource(
            rows,
            self._texts(rows.draft),
            self.formats,
            languages,
            lambda: self._lowering(_document(self), limits, languages),
        )
        try:
            if not source.prune():
                return self.lower_by_algebra(limits, languages)
        except RecursionError:
            raise LimitExceeded("nesting", 1000, 1000, "subschemas inside of each other") from None
        if rows.is_empty(rows.root):
            raise self._without_values(limits, languages)
        return source.grammar()

    def lower_by_algebra(self, limits: Limits, languages: Languages | None = None) -> Grammar:
        """The same without rows: every subschema by the algebra of values."""
        languages = languages or _own_languages(limits)
        try:
            lowering = self._lowering(_document(self), limits, languages)
            lowering.reader.check_all()
            if lowering.is_empty(lowering.reader.root):
                raise self._without_values(limits, languages)
        except RecursionError:
            raise LimitExceeded("nesting", 1000, 1000, "subschemas inside of each other") from None
        return lowering.grammar()

    def _lowering(self, document: Document, limits: Limits, languages: Languages) -> SchemaLowering:
        from constrain.specs.json_schema.lowering import SchemaLowering
        from constrain.specs.json_schema.reader import Reader
        from constrain.specs.json_schema.unevaluated import Evaluation

        reader = Reader(document, languages, self.formats, limits)
        reader.evaluated = Evaluation(reader).values
        return SchemaLowering(reader, self._texts(document.root.draft), self.property_order == "schema")

    def _texts(self, draft: Draft) -> Texts:
        from constrain.specs.json_schema.texts import texts_of

        return texts_of(self._layout(), self.escapes == "any", draft.plain_integers)

    def _without_values(self, limits: Limits, languages: Languages) -> UnsatisfiableError:
        """What to say of a schema without values."""
        from constrain.specs.json_schema.clash import clashing

        def is_empty(schema: Any, path: tuple[str, ...]) -> bool:
            document = _document_of(schema, self)
            lowering = self._lowering(document, limits, languages)
            reader = lowering.reader
            try:
                return lowering.is_empty(reader.child(document.root, *path) if path else reader.root)
            except ConstrainError:
                return False

        pointers = clashing(_parsed(self.text), is_empty)
        what = f"; these do not go together: {', '.join(pointers)}" if len(pointers) > 1 else f": see {pointers[0]}"
        return UnsatisfiableError(f"no value at all is valid under this schema{what}")

    def check(self) -> None:
        """Raise SchemaError if the schema is malformed."""
        if _rows(self) is None:
            document = _document(self)
            document.syntax.check(document.root)

    def report(self) -> tuple[Remark, ...]:
        """What becomes of every keyword: enforced, an annotation, or not supported and why.

        >>> [(remark.pointer, remark.status) for remark in json_schema({"type": "string", "title": "x"}).report()]
        [('/type', 'enforced'), ('/title', 'annotation')]
        """
        from constrain.specs.json_schema.report import report

        return report(_document(self), self.formats)

    def _layout(self) -> Layout:
        from constrain.specs.json_schema.text import LAYOUTS, spaced

        return LAYOUTS[self.whitespace] if isinstance(self.whitespace, str) else spaced(self.whitespace.pattern)


def json_schema(
    schema: Any,
    *,
    registry: Registry[Any] | None = None,
    format: Formats = "assert",
    property_order: Order = "schema",
    whitespace: str = "bounded",
    escapes: Escapes = "plain",
    draft: str | None = None,
) -> JsonSchema:
    """The output is the JSON text of a value that is valid under a schema.

    `schema` is a dict, JSON text, a boolean, or whatever pydantic makes a schema of: a model, a `TypeAdapter`, a
    dataclass, a `TypedDict`, an `Enum`, a `Literal`. The draft is what `$schema` says, else `draft` ("2020-12" by
    default; also "2019-09", "7", "6", "4").

    registry: a `referencing.Registry` for references to other documents; nothing is ever fetched.
    format: "assert" enforces the formats that the specification names; "annotation" none of them.
    property_order: "schema" writes members in the order of `properties`, others after them; "any" in any order.
    whitespace: "bounded" (one space, or one line break with indentation), "compact" (none), "flexible" (any amount),
        or a regular expression for what may stand wherever JSON allows whitespace.
    escapes: "plain" spells the names and strings that the schema lists as most programs do, so that they can be forced;
        "any" allows every escape in them. All other strings may hold any escape in both cases, and a name never passes
        for another one because it is spelled differently.

    Raises SchemaError with a JSON Pointer if the schema is malformed, SpecTypeError. What cannot be enforced exactly
    raises when it is compiled.

    >>> json_schema({"enum": ["yes", "no"]}, whitespace="compact").whitespace
    'compact'
    """
    for name, given, known in (
        ("format", format, ("assert", "annotation")),
        ("property_order", property_order, ("schema", "any")),
        ("escapes", escapes, ("plain", "any")),
        ("draft", draft, (None, "2020-12", "2019-09", "7", "6", "4")),
    ):
        if given not in known:
            raise SpecTypeError(f"json_schema({name}=..) is one of {', '.join(map(repr, known))}, not {given!r:.40}")
    if not isinstance(whitespace, str):
        raise SpecTypeError(f"json_schema(whitespace=..) takes a string, not {type(whitespace).__name__}")
    layout = whitespace if whitespace in _WHITESPACE else regex(whitespace)
    spec = JsonSchema(_text(schema), format, property_order, layout, escapes, draft, registry)
    spec.check()
    return spec


def from_response_format(response_format: Mapping[str, Any]) -> JsonSchema:
    """The constraint of an OpenAI `response_format`: of type "json_schema" or "json_object".

    >>> from_response_format({"type": "json_object"}).text
    '{"type": "object"}'
    """
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    if kind == "json_object":
        return json_schema({"type": "object"})
    if kind != "json_schema":
        raise SpecTypeError(
            f"a response_format has type 'json_schema' or 'json_object', not {kind!r:.40}; type 'text' "
            "needs no constraint"
        )
    described = response_format.get("json_schema")
    if not isinstance(described, Mapping) or "schema" not in described:
        raise SpecTypeError("a response_format of type 'json_schema' holds {'json_schema': {'schema': {..}}}")
    return json_schema(described["schema"])


def _text(schema: Any) -> str:
    """A schema as JSON text."""
    if isinstance(schema, str):
        _parsed(schema)
        return schema
    if not isinstance(schema, dict | bool):
        schema = _described(schema)
    try:
        return _ENCODER.encode(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"the schema cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _described(source: Any) -> Any:
    """The schema that pydantic makes of a type."""
    if isinstance(source, Mapping):
        return dict(source)
    if hasattr(source, "model_json_schema"):
        return source.model_json_schema()
    if hasattr(source, "json_schema") and hasattr(source, "validate_python"):
        return source.json_schema()
    is_type = is_typeddict(source) or hasattr(source, "__required_keys__") or get_origin(source) is not None
    is_type = is_type or (isinstance(source, type) and dataclasses.is_dataclass(source))
    if not is_type and not (isinstance(source, type) and issubclass(source, enum.Enum)):
        raise SpecTypeError(
            "json_schema() takes a dict, JSON text, a boolean, a pydantic model or TypeAdapter, a dataclass, "
            f"TypedDict, Enum or Literal, not {type(source).__name__} {source!r:.40}"
        )
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError:
        raise SpecTypeError("schemas of Python types need pydantic: pip install pydantic") from None
    try:
        return TypeAdapter(source).json_schema()
    except PydanticUserError as error:
        raise SpecTypeError(f"pydantic makes no schema of {source!r:.60}: {error}") from None


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """The schema of a text; fractions keep all of their digits."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise SchemaError(f"the schema is not JSON: {error}", hint="json_schema() reads a str as JSON text") from None
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


@lru_cache(maxsize=64)
def _rows(spec: JsonSchema) -> SchemaRows | None:
    """The rows of a schema, if it is understood, and if rows can say what is asked of it."""
    from constrain.specs.json_schema.drafts import DRAFTS, NEWEST
    from constrain.specs.json_schema.rows import read_rows

    if spec.registry is not None or spec.property_order != "schema" or spec.escapes != "plain":
        return None
    return read_rows(spec.text, NEWEST if spec.draft is None else DRAFTS[spec.draft])


def _patterns_are_right(rows: SchemaRows) -> bool:
    """Whether all regular expressions of a schema can be read."""
    from constrain.specs.json_schema.patterns import pattern

    try:
        for text in rows.patterns:
            pattern(text)
    except ConstrainError:
        return False  # the algebra says where
    return True


@lru_cache(maxsize=64)
def _document(spec: JsonSchema) -> Document:
    return _document_of(_parsed(spec.text), spec)


def _document_of(schema: Any, spec: JsonSchema) -> Document:
    from constrain.specs.json_schema.document import Document
    from constrain.specs.json_schema.drafts import DRAFTS

    try:
        return Document(schema, None if spec.draft is None else DRAFTS[spec.draft], spec.registry)
    except ConstrainError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # from what reads addresses and anchors
        raise SchemaError(f"a name or a reference of the schema cannot be read: {error}") from None


def _own_languages(limits: Limits) -> Languages:
    from constrain.automata.dfa import DfaStore
    from constrain.automata.queries import DfaLanguages

    return DfaLanguages(DfaStore(), limits)
