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
    BY_NAME,
    CODE,
    COUNT,
    DEPTH,
    EXACTLY_ONE,
    FALSE,
    FALSE_VALUE,
    FIRST_GROUP,
    FIRST_MEMBER,
    FIRST_PART,
    FIRST_ROW,
    FIRST_SPEC,
    FROM,
    GROUP,
    GROUP_COUNT,
    GROUPS,
    HARD,
    HEAD,
    HIGH,
    INTEGER,
    IS_REQUIRED,
    ITEMS_IN,
    KEYWORDS_OF,
    KIND,
    LAST,
    LISTED,
    LISTED_COUNT,
    LISTED_NUMBERS,
    LISTED_STRINGS,
    LOOSE_COUNT,
    LOOSE_LISTED,
    LOOSE_NAMES,
    LOOSE_ROW,
    LOOSE_SPEC,
    LOW,
    MEMBER,
    MEMBER_COUNT,
    MEMBER_NAME,
    MEMBER_ROW,
    MEMBER_SIZE,
    MEMBER_SPEC,
    MEMBERS,
    MEMBERS_IN,
    NAMES_LIKE,
    NAMES_UNLIKE,
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
    PART,
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
    UNUSUAL,
    UNUSUAL_NAME,
    VALUE,
    VALUES,
    WITHIN,
)
from constrain.jit import helper, i32, i64, u8, unit
from constrain.specs.json_schema import keywords as k
from constrain.specs.json_schema.marks import type_of
from constrain.specs.json_schema.tape import compare, small_number

_MANY = 1000
"""Names that are required but not listed, beyond which the algebra is asked."""
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
def add_spec(R, kind, a, b, c, d, size):
    """Ask for a terminal of so many bytes or more; its number."""
    head, spec = i64(R, HEAD), i32(R, SPEC)
    n = head[SPECS]
    head[SPECS] = n + 1
    o = SPEC_SIZE * n
    spec[o], spec[o + 1], spec[o + 2], spec[o + 3], spec[o + 4] = kind, a, b, c, d
    spec[o + 5] = spec[o + 6] = spec[o + SPEC_FLAGS] = 0
    spec[o + SPEC_BYTES] = size
    return n


@helper
def add_part(R, what):
    """Append to PART; its place."""
    head = i64(R, HEAD)
    n = head[PARTS]
    head[PARTS] = n + 1
    i32(R, PART)[n] = what
    return n


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


@helper
def add_group(R, names, row):
    """Append to GROUP; its place."""
    head, group = i64(R, HEAD), i32(R, GROUP)
    n = head[GROUPS]
    head[GROUPS] = n + 1
    group[2 * n], group[2 * n + 1] = names, row
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


@unit
def find_member(R, object_, begin, end):
    """The listed member of a name, plus 1; 0 if there is none."""
    text, tape, objects, members, part = u8(R, TEXT), i32(R, TAPE), i32(R, OBJECT), i32(R, MEMBER), i32(R, PART)
    o = OBJECT_SIZE * object_
    first = objects[o + FIRST_MEMBER]
    low, high = 0, objects[o + MEMBER_COUNT]
    while low < high:
        middle = (low + high) >> 1
        which = part[objects[o + BY_NAME] + middle]
        name = VALUE * members[MEMBER_SIZE * (first + which) + MEMBER_NAME]
        order = compare(text, tape[name + FROM], tape[name + TO], begin, end)
        if order == 0:
            return which + 1
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return 0


@helper
def member_order(text, tape, members, first, a, b):
    """Compare two members by name."""
    x, y = (
        VALUE * members[MEMBER_SIZE * (first + a) + MEMBER_NAME],
        VALUE * members[MEMBER_SIZE * (first + b) + MEMBER_NAME],
    )
    return compare(text, tape[x + FROM], tape[x + TO], tape[y + FROM], tape[y + TO])


@unit
def sort_members(R, begin, count, first):
    """Sort part of PART, numbers of members from `first` on, by name (heap sort); 1, or 0 if two are alike."""
    text, tape, members, part = u8(R, TEXT), i32(R, TAPE), i32(R, MEMBER), i32(R, PART)
    top, end = count >> 1, count
    while end > 1:
        if top > 0:
            top -= 1
        else:
            end -= 1
            part[begin], part[begin + end] = part[begin + end], part[begin]
        at, moved = top, part[begin + top]
        while True:
            below = 2 * at + 1
            if below >= end:
                break
            if (
                below + 1 < end
                and member_order(text, tape, members, first, part[begin + below], part[begin + below + 1]) < 0
            ):
                below += 1
            if member_order(text, tape, members, first, moved, part[begin + below]) >= 0:
                break
            part[begin + at] = part[begin + below]
            at = below
        part[begin + at] = moved
    for i in range(count - 1):
        if member_order(text, tape, members, first, part[begin + i], part[begin + i + 1]) == 0:
            return 0
    return 1


@unit
def add_members(R, object_, properties):
    """Append the members that `properties` lists; 1, or 0 if one is listed twice."""
    head, tape, members, part = i64(R, HEAD), i32(R, TAPE), i32(R, MEMBER), i32(R, PART)
    first, n, each = head[MEMBERS], 0, properties + 1
    while each < tape[VALUE * properties + NEXT]:
        o = MEMBER_SIZE * (first + n)
        members[o + MEMBER_NAME], members[o + MEMBER_ROW] = each, tape[VALUE * (each + 1) + ROW_OF]
        unusual = tape[VALUE * each + COUNT] & UNUSUAL
        members[o + MEMBER_SPEC] = add_spec(R, UNUSUAL_NAME, each, 0, 0, 0, 3) if unusual else 0
        members[o + IS_REQUIRED] = 0
        n += 1
        each = tape[VALUE * (each + 1) + NEXT]
    head[MEMBERS] = first + n
    begin = head[PARTS]
    for i in range(n):
        part[begin + i] = i
    head[PARTS] = begin + n
    o = OBJECT_SIZE * object_
    objects = i32(R, OBJECT)
    objects[o + FIRST_MEMBER], objects[o + MEMBER_COUNT], objects[o + BY_NAME] = first, n, begin
    return sort_members(R, begin, n, first)


@unit
def add_required(R, object_, required):
    """Note which members are required; 1, or 0 if too many of them are not listed."""
    head, text, tape, objects = i64(R, HEAD), u8(R, TEXT), i32(R, TAPE), i32(R, OBJECT)
    o, each, loose = OBJECT_SIZE * object_, required + 1, head[PARTS]
    while each < tape[VALUE * required + NEXT]:
        begin, end = tape[VALUE * each + FROM], tape[VALUE * each + TO]
        found = find_member(R, object_, begin, end)
        if found:
            i32(R, MEMBER)[MEMBER_SIZE * (objects[o + FIRST_MEMBER] + found - 1) + IS_REQUIRED] = 1
        else:
            i, part = loose, i32(R, PART)
            while i < head[PARTS] and compare(
                text, tape[VALUE * part[i] + FROM], tape[VALUE * part[i] + TO], begin, end
            ):
                i += 1
            if i == head[PARTS]:
                add_part(R, each)
            if head[PARTS] - loose > _MANY:
                return 0
        each += 1
    n = head[PARTS] - loose
    objects[o + LOOSE_COUNT], objects[o + LOOSE_LISTED] = n, loose
    objects[o + LOOSE_NAMES] = add_spec(R, LOOSE_SPEC, object_, 0, 0, 0, 3) if n else 0
    return 1


@unit
def add_object(R, schema, other_row):
    """Make the object of a subschema, its keywords' values being in STACK; 0 if the algebra is to be asked."""
    head, tape, objects, members, stack = i64(R, HEAD), i32(R, TAPE), i32(R, OBJECT), i32(R, MEMBER), i32(R, STACK)
    object_ = head[OBJECTS]
    head[OBJECTS] = object_ + 1
    o = OBJECT_SIZE * object_
    for column in range(OBJECT_SIZE):
        objects[o + column] = 0
    objects[o + OBJECT_PLACE], objects[o + LOOSE_ROW] = schema, other_row
    properties, required, patterns = stack[_PROPERTIES], stack[_REQUIRED], stack[_PATTERN_PROPERTIES]
    if patterns and tape[VALUE * patterns + COUNT] == 0:
        patterns = 0
    if patterns:
        listed = (tape[VALUE * properties + COUNT] if properties else 0) + (
            tape[VALUE * required + COUNT] if required else 0
        )
        if tape[VALUE * patterns + COUNT] > 1 or listed:
            return 0
        name = patterns + 1
        objects[o + FIRST_GROUP] = add_group(
            R, add_spec(R, NAMES_LIKE, name, 0, 0, 0, 3), tape[VALUE * (name + 1) + ROW_OF]
        )
        add_group(R, add_spec(R, NAMES_UNLIKE, name, 0, 0, 0, 3), other_row)
        objects[o + GROUP_COUNT] = 2
        return object_
    if properties and not add_members(R, object_, properties):
        return 0
    if required and not add_required(R, object_, required):
        return 0
    if other_row != NOTHING_ROW:
        objects[o + FIRST_GROUP] = add_group(R, add_spec(R, OTHER_NAMES, object_, 0, 0, 0, 3), other_row)
        objects[o + GROUP_COUNT] = 1
    last = objects[o + MEMBER_COUNT]
    for j in range(objects[o + MEMBER_COUNT] - 1, -1, -1):
        member = MEMBER_SIZE * (objects[o + FIRST_MEMBER] + j)
        if members[member + IS_REQUIRED]:
            last = j
        members[member + LAST] = last
    return object_


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
