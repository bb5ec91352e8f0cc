# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Objects of rows: the members that they list, those that they require, and all others."""

from __future__ import annotations

from constrain.ir.schema_rows import (
    BY_NAME,
    COUNT,
    FIRST_GROUP,
    FIRST_MEMBER,
    FROM,
    GROUP,
    GROUP_COUNT,
    GROUPS,
    HEAD,
    IS_REQUIRED,
    LAST,
    LOOSE_COUNT,
    LOOSE_LISTED,
    LOOSE_NAMES,
    LOOSE_ROW,
    LOOSE_SPEC,
    MEMBER,
    MEMBER_COUNT,
    MEMBER_NAME,
    MEMBER_ROW,
    MEMBER_SIZE,
    MEMBER_SPEC,
    MEMBERS,
    NAMES_LIKE,
    NAMES_UNLIKE,
    NEXT,
    NOTHING_ROW,
    OBJECT,
    OBJECT_PLACE,
    OBJECT_SIZE,
    OBJECTS,
    OTHER_NAMES,
    PART,
    PARTS,
    ROW_OF,
    SPEC,
    SPEC_BYTES,
    SPEC_FLAGS,
    SPEC_SIZE,
    SPECS,
    STACK,
    TAPE,
    TEXT,
    TO,
    UNUSUAL,
    UNUSUAL_NAME,
    VALUE,
)
from constrain.jit import helper, i32, i64, u8, unit
from constrain.specs.json_schema import keywords as k
from constrain.specs.json_schema.tape import compare

_MANY = 1000
"""Names that are required but not listed, beyond which the algebra is asked."""
_PROPERTIES, _REQUIRED, _PATTERN_PROPERTIES = k.PROPERTIES, k.REQUIRED, k.PATTERN_PROPERTIES


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
def add_group(R, names, row):
    """Append to GROUP; its place."""
    head, group = i64(R, HEAD), i32(R, GROUP)
    n = head[GROUPS]
    head[GROUPS] = n + 1
    group[2 * n], group[2 * n + 1] = names, row
    return n


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
