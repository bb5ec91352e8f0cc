"""The keywords of JSON Schema by number, as the units that read schemas know them.

>>> KEYWORDS[TYPE], KEYWORDS[PROPERTIES]
('type', 'properties')
"""

from __future__ import annotations

from collections.abc import Iterable

KEYWORDS = (
    "type properties required additionalProperties items enum const $ref anyOf oneOf minItems maxItems minLength "
    "maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf uniqueItems "
    "patternProperties minProperties maxProperties propertyNames allOf not if then else dependencies dependentRequired "
    "dependentSchemas contains minContains maxContains prefixItems additionalItems unevaluatedProperties "
    "unevaluatedItems $dynamicRef $recursiveRef $defs definitions $id id $anchor $dynamicAnchor $recursiveAnchor "
    "$schema"
).split()
(
    TYPE, PROPERTIES, REQUIRED, ADDITIONAL_PROPERTIES, ITEMS, ENUM, CONST, REF, ANY_OF, ONE_OF, MIN_ITEMS, MAX_ITEMS,
    MIN_LENGTH, MAX_LENGTH, PATTERN, FORMAT, MINIMUM, MAXIMUM, EXCLUSIVE_MINIMUM, EXCLUSIVE_MAXIMUM, MULTIPLE_OF,
    UNIQUE_ITEMS, PATTERN_PROPERTIES, MIN_PROPERTIES, MAX_PROPERTIES, PROPERTY_NAMES, ALL_OF, NOT, IF, THEN, ELSE,
    DEPENDENCIES, DEPENDENT_REQUIRED, DEPENDENT_SCHEMAS, CONTAINS, MIN_CONTAINS, MAX_CONTAINS, PREFIX_ITEMS,
    ADDITIONAL_ITEMS, UNEVALUATED_PROPERTIES, UNEVALUATED_ITEMS, DYNAMIC_REF, RECURSIVE_REF, DEFS, DEFINITIONS, ID,
    OLD_ID, ANCHOR, DYNAMIC_ANCHOR, RECURSIVE_ANCHOR, SCHEMA,
) = range(len(KEYWORDS))  # fmt: skip


def bits(*codes: int) -> int:
    """A set of keywords, one bit each."""
    return sum(1 << code for code in codes)


def bits_of(names: Iterable[str]) -> int:
    """A set of keywords by name, one bit each; names that are no keywords are left out."""
    return bits(*(KEYWORDS.index(name) for name in names if name in KEYWORDS))


# what keywords take
TAKES_SCHEMA = bits(
    NOT, IF, THEN, ELSE, CONTAINS, ADDITIONAL_PROPERTIES, PROPERTY_NAMES, ADDITIONAL_ITEMS, ITEMS, UNEVALUATED_ITEMS,
    UNEVALUATED_PROPERTIES,
)  # fmt: skip
TAKES_SCHEMAS = bits(ALL_OF, ANY_OF, ONE_OF, PREFIX_ITEMS)
TAKES_MAP = bits(PROPERTIES, PATTERN_PROPERTIES, DEPENDENT_SCHEMAS, DEFS, DEFINITIONS, DEPENDENCIES)
TAKES_COUNT = bits(
    MIN_ITEMS, MAX_ITEMS, MIN_LENGTH, MAX_LENGTH, MIN_PROPERTIES, MAX_PROPERTIES, MIN_CONTAINS, MAX_CONTAINS
)
TAKES_NUMBER = bits(MINIMUM, MAXIMUM, EXCLUSIVE_MINIMUM, EXCLUSIVE_MAXIMUM, MULTIPLE_OF)
TAKES_STRING = bits(PATTERN, FORMAT, REF, ID, OLD_ID, ANCHOR, DYNAMIC_ANCHOR)

# what keywords are about
OF_STRINGS = bits(MIN_LENGTH, MAX_LENGTH, PATTERN, FORMAT)
OF_NUMBERS = TAKES_NUMBER
OF_ARRAYS = bits(PREFIX_ITEMS, ITEMS, ADDITIONAL_ITEMS, MIN_ITEMS, MAX_ITEMS)
OF_OBJECTS = bits(PROPERTIES, PATTERN_PROPERTIES, ADDITIONAL_PROPERTIES, REQUIRED)
SILENT = bits(DEFS, DEFINITIONS, ID, OLD_ID, ANCHOR, DYNAMIC_ANCHOR, RECURSIVE_ANCHOR, SCHEMA, UNIQUE_ITEMS)
"""They say nothing by themselves; `uniqueItems` counts where it is true."""
OF_ROWS = OF_STRINGS | OF_NUMBERS | OF_ARRAYS | OF_OBJECTS | bits(TYPE, ENUM, CONST, REF, ANY_OF, ONE_OF)
"""Those that rows can say; what has others is worked out by the algebra of values."""

TYPE_NAMES = ("null", "boolean", "number", "integer", "string", "array", "object")
