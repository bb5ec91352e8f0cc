"""The drafts of JSON Schema, and which keywords each of them has.

A keyword is an assertion or an applicator (enforced), or an annotation. What a draft does not know is an annotation as
well, as the specification says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

_CORE = ("$id", "$schema", "$ref", "$comment", "$defs", "$anchor", "$vocabulary")
_VALIDATION = (
    "type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems "
    "minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired"
).split()
_APPLICATORS = (
    "items contains additionalProperties properties patternProperties dependentSchemas propertyNames "
    "if then else allOf anyOf oneOf not"
).split()
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
ANNOTATIONS = frozenset(
    "title description default examples deprecated readOnly writeOnly contentEncoding contentMediaType contentSchema "
    "$comment $schema $vocabulary".split()
)
"""Keywords that say nothing of what is valid."""

STRING_KEYWORDS = frozenset("minLength maxLength pattern format".split())
NUMBER_KEYWORDS = frozenset("minimum maximum exclusiveMinimum exclusiveMaximum multipleOf".split())
ARRAY_KEYWORDS = frozenset("prefixItems items additionalItems contains minItems maxItems uniqueItems".split())
OBJECT_KEYWORDS = frozenset(
    "properties patternProperties additionalProperties propertyNames required minProperties maxProperties".split()
)
"""Keywords that say something of values of one type, those left out that also combine schemas."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of JSON Schema."""

    name: str
    uri: str
    keywords: frozenset[str]
    """Those that may decide what is valid, or name or hold schemas."""
    old_items: bool = False
    """`items` may be a list, followed by `additionalItems`."""
    lone_ref: bool = False
    """What stands beside `$ref` does not count."""
    boolean_bounds: bool = False
    """`exclusiveMinimum` and `exclusiveMaximum` are flags."""
    plain_integers: bool = False
    """`1.0` is no integer. Values do not tell it from 1: sets of integers are written without fraction and exponent."""
    contains_evaluates: bool = False
    """Items that `contains` matches are evaluated."""
    id_keyword: str = "$id"


_OLD = frozenset(
    "$ref type enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems "
    "minItems uniqueItems maxProperties minProperties required items additionalItems properties additionalProperties "
    "patternProperties dependencies allOf anyOf oneOf not definitions format".split()
)
_SIX = _OLD | {"$id", "const", "contains", "propertyNames"}
_SEVEN = _SIX | {"if", "then", "else"}
_2019 = frozenset([*_CORE, *_VALIDATION, *_APPLICATORS, *_UNEVALUATED, "dependencies", "format", "definitions"])
"""`dependencies` is no longer part of the specification; who writes it means it, and other validators enforce it."""

DRAFTS: Mapping[str, Draft] = {
    draft.name: draft
    for draft in (
        Draft(
            "2020-12",
            "https://json-schema.org/draft/2020-12/schema",
            _2019 | {"prefixItems", "$dynamicRef", "$dynamicAnchor"},
            contains_evaluates=True,
        ),
        Draft(
            "2019-09",
            "https://json-schema.org/draft/2019-09/schema",
            _2019 | {"additionalItems", "$recursiveRef", "$recursiveAnchor"},
            old_items=True,
        ),
        Draft("7", "http://json-schema.org/draft-07/schema", _SEVEN, old_items=True, lone_ref=True),
        Draft("6", "http://json-schema.org/draft-06/schema", _SIX, old_items=True, lone_ref=True),
        Draft(
            "4",
            "http://json-schema.org/draft-04/schema",
            _OLD | {"id"},
            old_items=True,
            lone_ref=True,
            boolean_bounds=True,
            plain_integers=True,
            id_keyword="id",
        ),
    )
}
NEWEST = DRAFTS["2020-12"]
_BY_URI = {draft.uri.split("://")[1]: draft for draft in DRAFTS.values()}
_BY_URI["json-schema.org/schema"] = NEWEST  # "the latest", as many schemas have it


def draft_of(uri: str) -> Draft | None:
    """The draft that `$schema` names, if it is one of the official ones.

    >>> draft_of("http://json-schema.org/draft-07/schema#").name
    '7'
    """
    return _BY_URI.get(uri.split("://")[-1].rstrip("#").rstrip("/"))


_VOCABULARIES = {
    "validation": _VALIDATION,
    "applicator": [*_APPLICATORS, "prefixItems", "additionalItems", "dependentSchemas"],
    "unevaluated": _UNEVALUATED,
    "format-annotation": ["format"],
    "format-assertion": ["format"],
    "format": ["format"],
}


def with_vocabularies(draft: Draft, vocabularies: Mapping[str, bool]) -> tuple[Draft, list[str]]:
    """The draft with the keywords of some vocabularies only, and the vocabularies that it must have and nobody knows.

    In 2019-09 the vocabulary of applicators has the `unevaluated` keywords as well.
    """
    root = draft.uri.rsplit("/", 1)[0] + "/vocab/"
    names = {uri.removeprefix(root) for uri in vocabularies if uri.startswith(root)}
    if draft.old_items and "applicator" in names:
        names.add("unevaluated")
    missing = {word for name, words in _VOCABULARIES.items() if name not in names for word in words}
    missing -= {word for name in names for word in _VOCABULARIES.get(name, ())}
    unknown = [uri for uri, needed in vocabularies.items() if needed and not uri.startswith(root)]
    return replace(draft, keywords=draft.keywords - missing), unknown
