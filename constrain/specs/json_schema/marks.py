# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Which values of a schema are subschemas, and whether each of their keywords has a value of the right kind.

What is wrong is only noticed here: `constrain.specs.json_schema.syntax` says where, and what a keyword takes.
"""

from __future__ import annotations

import numpy as np

from constrain.ir.schema_rows import (
    ARRAY_VALUE,
    BOOLEAN_BOUNDS,
    CODE,
    COUNT,
    COUNTING,
    DEPTH,
    ESCAPED,
    FALSE_VALUE,
    FROM,
    HAS_NAMES,
    HAS_REFERENCES,
    HAS_UNIQUE_ITEMS,
    HEAD,
    KEYWORDS_OF,
    KIND,
    LONE_REF,
    NEXT,
    NUMBER_VALUE,
    OBJECT_VALUE,
    OLD_ITEMS,
    PATTERN,
    PATTERNS,
    ROW_OF,
    SETTINGS,
    STACK,
    STRING_VALUE,
    TAPE,
    TEXT,
    TO,
    TRUE_VALUE,
    VALUE,
)
from constrain.jit import helper, i32, i64, u8, unit
from constrain.specs.json_schema import keywords as k
from constrain.specs.json_schema.tape import NOT_UNDERSTOOD, follow, small_number, word_number

_DEPTH = 400
_FIRST_TYPE = len(k.KEYWORDS)
_TYPE_COUNT = len(k.TYPE_NAMES)
_TYPE, _ITEMS, _ENUM, _REF, _PATTERN, _REQUIRED = k.TYPE, k.ITEMS, k.ENUM, k.REF, k.PATTERN, k.REQUIRED
_PATTERN_PROPERTIES, _UNIQUE_ITEMS, _MULTIPLE_OF = k.PATTERN_PROPERTIES, k.UNIQUE_ITEMS, k.MULTIPLE_OF
_DEPENDENCIES, _DEPENDENT_REQUIRED = k.DEPENDENCIES, k.DEPENDENT_REQUIRED
_EXCLUSIVE_MINIMUM, _EXCLUSIVE_MAXIMUM = k.EXCLUSIVE_MINIMUM, k.EXCLUSIVE_MAXIMUM
_DEFS, _DEFINITIONS = k.DEFS, k.DEFINITIONS
_DYNAMIC_REF, _RECURSIVE_REF, _RECURSIVE_ANCHOR = k.DYNAMIC_REF, k.RECURSIVE_REF, k.RECURSIVE_ANCHOR
_SCHEMA_BITS, _SCHEMAS_BITS, _MAP_BITS = k.TAKES_SCHEMA, k.TAKES_SCHEMAS, k.TAKES_MAP
_COUNT_BITS, _NUMBER_BITS, _STRING_BITS = k.TAKES_COUNT, k.TAKES_NUMBER, k.TAKES_STRING
_NAME_BITS = k.bits(k.ID, k.OLD_ID)


@helper
def is_flag(kind):
    """Whether a value is true or false."""
    return kind == TRUE_VALUE or kind == FALSE_VALUE


@unit
def add_subschema(R, value, depth, waiting):
    """Mark a value as a subschema, to be read; how many are, or -1 if it is none."""
    tape = i32(R, TAPE)
    o = VALUE * value
    kind = tape[o + KIND]
    if kind != OBJECT_VALUE and not is_flag(kind):
        return -1
    if tape[o + DEPTH] == 0:
        tape[o + DEPTH] = depth + 1
        if kind == OBJECT_VALUE:
            i32(R, STACK)[waiting] = value
            waiting += 1
    return waiting


@unit
def add_list(R, value, depth, waiting):
    """Mark the items of a value as subschemas; how many are to be read, or -1."""
    tape = i32(R, TAPE)
    each = value + 1
    while each < tape[VALUE * value + NEXT] and waiting >= 0:
        waiting = add_subschema(R, each, depth, waiting)
        each = tape[VALUE * each + NEXT]
    return waiting


@helper
def are_strings(tape, value, escaped):
    """Whether a value is a list of strings; whether they may have escapes."""
    if tape[VALUE * value + KIND] != ARRAY_VALUE:
        return False
    each = value + 1
    while each < tape[VALUE * value + NEXT]:
        if tape[VALUE * each + KIND] != STRING_VALUE or (not escaped and tape[VALUE * each + COUNT] & ESCAPED):
            return False
        each += 1
    return True


@helper
def add_pattern(R, value):
    """Note a regular expression."""
    head = i64(R, HEAD)
    i32(R, PATTERN)[head[PATTERNS]] = value
    head[PATTERNS] += 1


@unit
def add_map(R, value, keyword, depth, waiting):
    """Mark the members of a value as subschemas; how many are to be read, or -1."""
    tape = i32(R, TAPE)
    if tape[VALUE * value + KIND] != OBJECT_VALUE:
        return -1
    each = value + 1
    while each < tape[VALUE * value + NEXT] and waiting >= 0:
        inner = each + 1
        if keyword != _PATTERN_PROPERTIES and tape[VALUE * each + COUNT] & ESCAPED:
            return -1  # it may be another name, spelled differently
        if keyword == _DEPENDENCIES and tape[VALUE * inner + KIND] == ARRAY_VALUE:
            if not are_strings(tape, inner, 0):
                return -1
        else:
            waiting = add_subschema(R, inner, depth, waiting)
        if keyword == _PATTERN_PROPERTIES:
            add_pattern(R, each)
        each = tape[VALUE * inner + NEXT]
    return waiting


@helper
def type_of(R, tape, value):
    """The number of a type by name, or -1."""
    if tape[VALUE * value + KIND] != STRING_VALUE:
        return -1
    found = word_number(R, tape[VALUE * value + FROM], tape[VALUE * value + TO]) - 1 - _FIRST_TYPE
    return found if 0 <= found < _TYPE_COUNT else -1


@unit
def are_types(R, value):
    """Whether a value is a type, or a list of types that is not empty."""
    tape = i32(R, TAPE)
    if tape[VALUE * value + KIND] != ARRAY_VALUE:
        return 1 if type_of(R, tape, value) >= 0 else 0
    if tape[VALUE * value + COUNT] == 0:
        return 0
    each = value + 1
    while each < tape[VALUE * value + NEXT]:
        if type_of(R, tape, each) < 0:
            return 0
        each = tape[VALUE * each + NEXT]
    return 1


@unit
def is_positive(R, value):
    """Whether a number is above 0."""
    text, tape = u8(R, TEXT), i32(R, TAPE)
    begin, end = tape[VALUE * value + FROM], tape[VALUE * value + TO]
    i = begin
    while i < end and (text[i] == 48 or text[i] == 46):
        i += 1
    return 1 if i < end and 49 <= text[i] <= 57 else 0


@unit
def lists_names(R, value):
    """Whether a value is an object of lists of strings."""
    tape = i32(R, TAPE)
    if tape[VALUE * value + KIND] != OBJECT_VALUE:
        return 0
    each = value + 1
    while each < tape[VALUE * value + NEXT]:
        if not are_strings(tape, each + 1, 1):
            return 0
        each = tape[VALUE * (each + 1) + NEXT]
    return 1


@unit
def check_scalar(R, value, keyword):
    """Whether a keyword that holds no subschemas has a value of the right kind."""
    text, tape, head = u8(R, TEXT), i32(R, TAPE), i64(R, HEAD)
    o, bit = VALUE * value, 1 << keyword
    kind = tape[o + KIND]
    if bit & _COUNT_BITS:
        return 1 if kind == NUMBER_VALUE and small_number(text, tape[o + FROM], tape[o + TO]) >= 0 else 0
    if bit & _NUMBER_BITS:
        if keyword == _MULTIPLE_OF:
            return is_positive(R, value) if kind == NUMBER_VALUE else 0
        if keyword == _EXCLUSIVE_MINIMUM or keyword == _EXCLUSIVE_MAXIMUM:
            if head[SETTINGS] & BOOLEAN_BOUNDS:
                return 1 if is_flag(kind) else 0  # as a number it says nothing; left to the algebra
        return 1 if kind == NUMBER_VALUE else 0
    if bit & _STRING_BITS:
        if keyword == _PATTERN:
            add_pattern(R, value)
        return 1 if kind == STRING_VALUE else 0
    if keyword == _TYPE:
        return are_types(R, value)
    if keyword == _REQUIRED:
        return 1 if are_strings(tape, value, 0) else 0
    if keyword == _ENUM:
        return 1 if kind == ARRAY_VALUE else 0
    if keyword == _UNIQUE_ITEMS:
        head[HAS_UNIQUE_ITEMS] |= 1 if kind == TRUE_VALUE else 0
        return 1 if is_flag(kind) else 0
    if keyword == _DEPENDENT_REQUIRED:
        return lists_names(R, value)
    if keyword == _DYNAMIC_REF or keyword == _RECURSIVE_REF or keyword == _RECURSIVE_ANCHOR:
        return 0
    return 1


@unit
def mark_reference(R, schema, value, waiting):
    """Follow `$ref` within the text; how many subschemas are to be read, or -1."""
    text, tape, head = u8(R, TEXT), i32(R, TAPE), i64(R, HEAD)
    if tape[VALUE * value + KIND] != STRING_VALUE or tape[VALUE * value + COUNT]:
        return -1
    begin, end = tape[VALUE * value + FROM], tape[VALUE * value + TO]
    head[HAS_REFERENCES] = 1
    goal = 1
    if begin < end:
        if text[begin] != 35 or (begin + 1 < end and text[begin + 1] != 47):
            return -1
        goal = follow(R, begin + 1, end)
    if goal == 0:
        return -1
    tape[VALUE * schema + ROW_OF] = goal - 1
    return add_subschema(R, goal - 1, 0, waiting)


@helper
def has_reference(tape, schema):
    """Whether `$ref` is among the keywords of a subschema."""
    each = schema + 1
    while each < tape[VALUE * schema + NEXT]:
        if tape[VALUE * each + CODE] == _REF + 1:
            return True
        each = tape[VALUE * (each + 1) + NEXT]
    return False


@unit
def mark_keywords(R, schema, waiting):
    """Check the keywords of a subschema, and mark those below it; how many are to be read, or -1."""
    tape, head = i32(R, TAPE), i64(R, HEAD)
    settings, known = head[SETTINGS], head[COUNTING]
    depth = tape[VALUE * schema + DEPTH]
    if depth > _DEPTH + 1:
        return -1
    if settings & LONE_REF and has_reference(tape, schema):
        known = 1 << _REF | 1 << _DEFS | 1 << _DEFINITIONS
    found, each = 0, schema + 1
    while each < tape[VALUE * schema + NEXT]:
        value, keyword = each + 1, np.int64(tape[VALUE * each + CODE]) - 1
        if tape[VALUE * each + COUNT] & ESCAPED:
            return -1
        each = tape[VALUE * value + NEXT]
        if keyword < 0 or keyword >= _FIRST_TYPE or not known >> keyword & 1:
            continue
        bit = 1 << keyword
        if found & bit:
            return -1
        found |= bit
        if schema > 0 and bit & _NAME_BITS:
            head[HAS_NAMES] = 1
        if bit & _SCHEMA_BITS and not (
            keyword == _ITEMS and settings & OLD_ITEMS and tape[VALUE * value + KIND] == ARRAY_VALUE
        ):
            waiting = add_subschema(R, value, depth, waiting)
        elif bit & (_SCHEMAS_BITS | 1 << _ITEMS):
            if tape[VALUE * value + KIND] != ARRAY_VALUE or (keyword != _ITEMS and tape[VALUE * value + COUNT] == 0):
                return -1
            waiting = add_list(R, value, depth, waiting)
        elif bit & _MAP_BITS:
            waiting = add_map(R, value, keyword, depth, waiting)
        elif keyword == _REF:
            waiting = mark_reference(R, schema, value, waiting)
        elif not check_scalar(R, value, keyword):
            return -1
        if waiting < 0:
            return -1
    i64(R, KEYWORDS_OF)[schema] = found
    return waiting


@unit
def mark_all(R):
    """Mark all subschemas of the tape; 1, or NOT_UNDERSTOOD."""
    stack, head = i32(R, STACK), i64(R, HEAD)
    waiting = add_subschema(R, 0, 0, 0)
    while waiting > 0:
        waiting = mark_keywords(R, stack[waiting - 1], waiting - 1)
    if waiting < 0 or (head[HAS_NAMES] and head[HAS_REFERENCES]):
        return NOT_UNDERSTOOD
    return 1
