# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""From marked subschemas to rows, the inner ones first."""

from __future__ import annotations

import numpy as np

from constrain.ir.schema_rows import (
    ALLOWED,
    ANY_INTEGER,
    ANY_NUMBER,
    ANY_STRING,
    ANY_TYPE,
    ANYTHING_ROW,
    ARRAY,
    ARRAY_SIZE,
    ARRAY_VALUE,
    ARRAYS,
    ARRAYS_TOO,
    CODE,
    COUNT,
    DEPTH,
    EXACTLY_ONE,
    FALSE,
    FALSE_VALUE,
    FIRST_PART,
    FIRST_ROW,
    FIRST_SPEC,
    FROM,
    GROUP_COUNT,
    HARD,
    HEAD,
    HIGH,
    INTEGER,
    ITEMS_IN,
    KEYWORDS_OF,
    KIND,
    LISTED,
    LISTED_COUNT,
    LISTED_NUMBERS,
    LISTED_STRINGS,
    LOW,
    MEMBERS_IN,
    NEXT,
    NOTHING_ROW,
    NULL,
    NULL_VALUE,
    NUMBER,
    NUMBER_SPEC,
    NUMBER_VALUE,
    NUMBERS,
    OBJECT,
    OBJECT_PLACE,
    OBJECT_SIZE,
    OBJECT_VALUE,
    OBJECTS,
    OBJECTS_TOO,
    OTHER_NAMES,
    PARTS,
    PLACE_OF,
    PREFIX,
    REFERENCE,
    REST,
    ROOT,
    ROW,
    ROW_KIND,
    ROW_OF,
    ROW_SIZE,
    ROWS,
    SPEC,
    SPEC_BYTES,
    SPEC_FLAGS,
    SPEC_SIZE,
    SPECS,
    STACK,
    STRING,
    STRING_SPEC,
    STRING_VALUE,
    STRINGS,
    TAPE,
    TEXT,
    TO,
    TRUE,
    TRUE_VALUE,
    TYPES,
    UNION,
    VALUE,
    VALUES,
    WITHIN,
)
from constrain.jit import helper, i32, i64, u8, unit
from constrain.specs.json_schema import keywords as k
from constrain.specs.json_schema.marks import type_of
from constrain.specs.json_schema.row_members import add_group, add_object, add_part, add_spec
from constrain.specs.json_schema.tape import small_number

_KEYWORD_COUNT = len(k.KEYWORDS)
(
    _TYPE, _PROPERTIES, _REQUIRED, _ADDITIONAL, _ITEMS, _ENUM, _CONST, _REF, _ANY_OF, _ONE_OF, _MIN_ITEMS, _MAX_ITEMS,
    _MIN_LENGTH, _MAX_LENGTH, _PATTERN, _FORMAT, _MINIMUM, _UNIQUE_ITEMS, _PATTERN_PROPERTIES, _PREFIX_ITEMS,
    _ADDITIONAL_ITEMS,
) = (
    k.TYPE, k.PROPERTIES, k.REQUIRED, k.ADDITIONAL_PROPERTIES, k.ITEMS, k.ENUM, k.CONST, k.REF, k.ANY_OF, k.ONE_OF,
    k.MIN_ITEMS, k.MAX_ITEMS, k.MIN_LENGTH, k.MAX_LENGTH, k.PATTERN, k.FORMAT, k.MINIMUM, k.UNIQUE_ITEMS,
    k.PATTERN_PROPERTIES, k.PREFIX_ITEMS, k.ADDITIONAL_ITEMS,
)  # fmt: skip
_SILENT, _OF_ROWS, _OF_STRINGS, _OF_NUMBERS = k.SILENT, k.OF_ROWS, k.OF_STRINGS, k.OF_NUMBERS
_OF_ARRAYS, _OF_OBJECTS, _ENUMERATING, _CHOOSING = (
    k.OF_ARRAYS, k.OF_OBJECTS, k.bits(k.ENUM, k.CONST), k.bits(k.ANY_OF, k.ONE_OF),
)  # fmt: skip


@helper
def new_row(R, place):
    """Append a row that allows nothing yet."""
    head, row = i64(R, HEAD), i32(R, ROW)
    n = head[ROWS]
    head[ROWS] = n + 1
    for column in range(ROW_SIZE):
        row[ROW_SIZE * n + column] = 0
    row[ROW_SIZE * n + PLACE_OF] = place
    return n


@unit
def types_of(R, value):
    """The types that `type` names, as bits."""
    tape = i32(R, TAPE)
    found, each, end = 0, value, value + 1
    if tape[VALUE * value + KIND] == ARRAY_VALUE:
        each, end = value + 1, tape[VALUE * value + NEXT]
    while each < end:
        which = type_of(R, tape, each)
        if which == 1:
            found |= FALSE | TRUE
        else:
            found |= NULL if which == 0 else NUMBER << (which - 2)
        each += 1
    return found & ~INTEGER if found & NUMBER else found


@unit
def first_rows(R):
    """Begin with what is always there: rows of everything and of nothing, any object and any array."""
    head, row, objects, arrays = i64(R, HEAD), i32(R, ROW), i32(R, OBJECT), i32(R, ARRAY)
    spec = i32(R, SPEC)
    head[SPECS] = FIRST_SPEC
    for n in range(FIRST_SPEC):
        spec[SPEC_SIZE * n] = spec[SPEC_SIZE * n + SPEC_FLAGS] = 0
        spec[SPEC_SIZE * n + SPEC_BYTES] = 2 if n == ANY_STRING else 1
    new_row(R, -1), new_row(R, -1)
    row[TYPES], row[STRINGS], row[NUMBERS] = ANY_TYPE, ANY_STRING, ANY_NUMBER
    head[OBJECTS] = head[ARRAYS] = 1
    for column in range(OBJECT_SIZE):
        objects[column] = 0
    objects[OBJECT_PLACE] = -1
    for column in range(ARRAY_SIZE):
        arrays[column] = 0
    arrays[HIGH] = -1
    add_group(R, add_spec(R, OTHER_NAMES, 0, 0, 0, 0, 3), ANYTHING_ROW)
    objects[GROUP_COUNT] = 1
    return 0


@helper
def count_at(text, tape, value, default):
    """The number that a value is; a default if there is no value."""
    return small_number(text, tape[VALUE * value + FROM], tape[VALUE * value + TO]) if value else default


@unit
def add_array(R):
    """Make the array of a subschema; its number, 0 if it may be any, -1 if there is none."""
    head, text, tape, arrays, stack = i64(R, HEAD), u8(R, TEXT), i32(R, TAPE), i32(R, ARRAY), i32(R, STACK)
    items, prefix, rest = stack[_ITEMS], stack[_PREFIX_ITEMS], ANYTHING_ROW
    if items and tape[VALUE * items + KIND] == ARRAY_VALUE:
        prefix, items = items, stack[_ADDITIONAL_ITEMS]
    if items:
        rest = tape[VALUE * items + ROW_OF]
    first, n = head[PARTS], 0
    if prefix:
        each = prefix + 1
        while each < tape[VALUE * prefix + NEXT]:
            add_part(R, tape[VALUE * each + ROW_OF])
            each, n = tape[VALUE * each + NEXT], n + 1
    low, high = count_at(text, tape, stack[_MIN_ITEMS], 0), count_at(text, tape, stack[_MAX_ITEMS], -1)
    if 0 <= high < low:
        return -1
    if n == 0 and rest == ANYTHING_ROW and low == 0 and high < 0:
        return 0
    array = head[ARRAYS]
    head[ARRAYS] = array + 1
    o = ARRAY_SIZE * array
    arrays[o + FIRST_PART], arrays[o + PREFIX], arrays[o + REST] = first, n, rest
    arrays[o + LOW], arrays[o + HIGH], arrays[o + 5] = low, high, 0
    return array


@unit
def add_strings(R, keywords):
    """The SPEC of strings by their keywords; 0 if there are none."""
    text, tape, stack = u8(R, TEXT), i32(R, TAPE), i32(R, STACK)
    if not keywords & _OF_STRINGS:
        return ANY_STRING
    low, high = count_at(text, tape, stack[_MIN_LENGTH], 0), count_at(text, tape, stack[_MAX_LENGTH], -1)
    if 0 <= high < low:
        return 0
    return add_spec(R, STRING_SPEC, low, high, stack[_PATTERN], stack[_FORMAT], 2 + low)


@unit
def add_numbers(R, keywords, types):
    """The SPEC of numbers by their keywords."""
    stack = i32(R, STACK)
    if not keywords & _OF_NUMBERS:
        return ANY_NUMBER if types & NUMBER else ANY_INTEGER
    low, high, above, below = stack[_MINIMUM], stack[_MINIMUM + 1], stack[_MINIMUM + 2], stack[_MINIMUM + 3]
    made = add_spec(R, NUMBER_SPEC, low, high, above, below, 1)
    spec = i32(R, SPEC)
    spec[SPEC_SIZE * made + 5], spec[SPEC_SIZE * made + 6] = stack[_MINIMUM + 4], 0 if types & NUMBER else 1
    return made


@unit
def list_values(R, row, types, begin, end, whole):
    """Fill a row from listed values, those from `begin` to `end`; 1, or 0 if the algebra is to be asked."""
    tape, rows, head = i32(R, TAPE), i32(R, ROW), i64(R, HEAD)
    found, unusual, first, each = 0, 0, head[PARTS], begin
    while each < end:
        kind = tape[VALUE * each + KIND]
        if kind == STRING_VALUE:
            if types & STRING:
                found |= STRING
                unusual |= tape[VALUE * each + COUNT]
                add_part(R, each)
        elif kind == NUMBER_VALUE:
            found |= types & (NUMBER | INTEGER)
        elif kind == NULL_VALUE or kind == FALSE_VALUE or kind == TRUE_VALUE:
            found |= types & (NULL << kind)
        else:
            return 0
        each = tape[VALUE * each + NEXT]
    o = ROW_SIZE * row
    rows[o + TYPES] = found
    rows[o + LISTED], rows[o + LISTED_COUNT] = first, head[PARTS] - first
    if unusual:
        rows[o + STRINGS] = add_spec(R, LISTED_STRINGS, whole, 0, 0, 0, 2)
    if found & (NUMBER | INTEGER):
        rows[o + NUMBERS] = add_spec(R, LISTED_NUMBERS, whole, 0 if types & NUMBER else 1, 0, 0, 1)
    return 1


@unit
def choose(R, row, keywords, types):
    """Fill a row from `anyOf` or `oneOf`."""
    tape, rows, stack = i32(R, TAPE), i32(R, ROW), i32(R, STACK)
    value = stack[_ANY_OF] if keywords >> _ANY_OF & 1 else stack[_ONE_OF]
    o, each = ROW_SIZE * row, value + 1
    rows[o + ROW_KIND], rows[o + LISTED] = UNION, i64(R, HEAD)[PARTS]
    rows[o + LISTED_COUNT], rows[o + WITHIN] = tape[VALUE * value + COUNT], types
    rows[o + EXACTLY_ONE] = keywords >> _ONE_OF & 1
    while each < tape[VALUE * value + NEXT]:
        add_part(R, tape[VALUE * each + ROW_OF])
        each = tape[VALUE * each + NEXT]
    return 1


@unit
def fill_row(R, row, schema, keywords):
    """Fill the row of a subschema, its keywords' values being in STACK; 1, or 0 if the algebra is to be asked."""
    tape, rows, stack = i32(R, TAPE), i32(R, ROW), i32(R, STACK)
    o = ROW_SIZE * row
    if keywords & ~_OF_ROWS:
        return 0
    if keywords >> _REF & 1:
        rows[o + ROW_KIND], rows[o + LISTED] = REFERENCE, tape[VALUE * schema + ROW_OF]
        return 1 if keywords == 1 << _REF else 0
    types = types_of(R, stack[_TYPE]) if stack[_TYPE] else ANY_TYPE
    if keywords & _ENUMERATING:
        if keywords & ~(_ENUMERATING | 1 << _TYPE) or keywords & _ENUMERATING == _ENUMERATING:
            return 0
        if keywords >> _CONST & 1:
            value = stack[_CONST]
            return list_values(R, row, types, value, tape[VALUE * value + NEXT], value)
        value = stack[_ENUM]
        return list_values(R, row, types, value + 1, tape[VALUE * value + NEXT], value)
    if keywords & _CHOOSING:
        if keywords & ~(_CHOOSING | 1 << _TYPE) or keywords & _CHOOSING == _CHOOSING:
            return 0
        return choose(R, row, keywords, types)
    if types & OBJECTS_TOO and keywords & _OF_OBJECTS:
        other = stack[_ADDITIONAL]
        found = add_object(R, schema, tape[VALUE * other + ROW_OF] if other else ANYTHING_ROW)
        if found == 0:
            return 0
        rows[o + MEMBERS_IN] = found
    if types & ARRAYS_TOO and keywords & _OF_ARRAYS:
        found = add_array(R)
        if found < 0:
            types &= ~ARRAYS_TOO
        else:
            rows[o + ITEMS_IN] = found
    if types & STRING:
        rows[o + STRINGS] = add_strings(R, keywords)
        if rows[o + STRINGS] == 0:
            types &= ~STRING
    if types & (NUMBER | INTEGER):
        rows[o + NUMBERS] = add_numbers(R, keywords, types)
    rows[o + ROW_KIND], rows[o + TYPES] = ALLOWED, types
    return 1


@helper
def make_hard(rows, row):
    """Leave a row to the algebra."""
    for column in range(PLACE_OF):
        rows[ROW_SIZE * row + column] = 0
    rows[ROW_SIZE * row + ROW_KIND], rows[ROW_SIZE * row + LISTED] = HARD, 1


@unit
def make_rows(R):
    """Make the rows of all marked subschemas; 1, or NOT_UNDERSTOOD."""
    head, tape, rows, stack = i64(R, HEAD), i32(R, TAPE), i32(R, ROW), i32(R, STACK)
    first_rows(R)
    for schema in range(head[VALUES] - 1, -1, -1):
        o = VALUE * schema
        if tape[o + DEPTH] == 0:
            continue
        if tape[o + KIND] != OBJECT_VALUE:
            tape[o + ROW_OF] = ANYTHING_ROW if tape[o + KIND] == TRUE_VALUE else NOTHING_ROW
            continue
        keywords = i64(R, KEYWORDS_OF)[schema]
        for i in range(_KEYWORD_COUNT):
            stack[i] = 0
        each = schema + 1
        while each < tape[o + NEXT]:
            keyword = np.int64(tape[VALUE * each + CODE]) - 1
            if 0 <= keyword < _KEYWORD_COUNT and keywords >> keyword & 1:
                stack[keyword] = each + 1
            each = tape[VALUE * (each + 1) + NEXT]
        unique = stack[_UNIQUE_ITEMS]
        hard = unique and tape[VALUE * unique + KIND] == TRUE_VALUE
        keywords &= ~_SILENT
        if keywords == 0 and not hard:
            tape[o + ROW_OF] = ANYTHING_ROW
            continue
        row = new_row(R, schema)
        if hard or not fill_row(R, row, schema, keywords):
            make_hard(rows, row)
        tape[o + ROW_OF] = row
    for row in range(FIRST_ROW, head[ROWS]):
        o = ROW_SIZE * row
        if rows[o + ROW_KIND] == REFERENCE:
            rows[o + LISTED] = tape[VALUE * rows[o + LISTED] + ROW_OF]
    head[ROOT] = tape[ROW_OF]
    return 1
