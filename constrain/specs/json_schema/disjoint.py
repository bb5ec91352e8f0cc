# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Rows that have no value in common, where that is clear: what makes a `oneOf` a union."""

from __future__ import annotations

from constrain.ir.schema_rows import (
    ARRAY_VALUE,
    ARRAYS_TOO,
    FALSE,
    FIRST_GROUP,
    FIRST_MEMBER,
    FROM,
    GROUP,
    GROUP_COUNT,
    HARD,
    INTEGER,
    IS_REQUIRED,
    KIND,
    LISTED,
    LISTED_COUNT,
    LISTED_NUMBERS,
    LOOSE_COUNT,
    LOOSE_LISTED,
    LOOSE_ROW,
    MEMBER,
    MEMBER_COUNT,
    MEMBER_NAME,
    MEMBER_ROW,
    MEMBER_SIZE,
    MEMBERS_IN,
    NEXT,
    NULL,
    NUMBER,
    NUMBER_VALUE,
    NUMBERS,
    OBJECT,
    OBJECT_SIZE,
    OBJECTS_TOO,
    OTHER_NAMES,
    PART,
    REFERENCE,
    ROW,
    ROW_KIND,
    ROW_SIZE,
    SPEC,
    SPEC_SIZE,
    STRING,
    STRINGS,
    TAPE,
    TEXT,
    TO,
    TRUE,
    TYPES,
    UNION,
    VALUE,
)
from constrain.jit import helper, i32, u8, unit
from constrain.specs.json_schema.row_members import find_member
from constrain.specs.json_schema.tape import compare, small_number

_MANY = 200
"""Alternatives of `oneOf` beyond which they are not compared pair by pair."""


@helper
def true_row(rows, row):
    """What a row is that refers to another one, once `resolve` has been there."""
    return rows[ROW_SIZE * row + LISTED] if rows[ROW_SIZE * row + ROW_KIND] == REFERENCE else row


@helper
def common_types(a, b):
    """The types that two rows have in common."""
    both = a & b
    return both | INTEGER if a & (NUMBER | INTEGER) and b & (NUMBER | INTEGER) else both


@unit
def have_other_numbers(R, a, b):
    """Whether the numbers of two `enum` or `const` are small ones, and none is in both."""
    text, tape = u8(R, TEXT), i32(R, TAPE)
    i, end = (a + 1, tape[VALUE * a + NEXT]) if tape[VALUE * a + KIND] == ARRAY_VALUE else (a, a + 1)
    first, last = (b + 1, tape[VALUE * b + NEXT]) if tape[VALUE * b + KIND] == ARRAY_VALUE else (b, b + 1)
    while i < end:
        if tape[VALUE * i + KIND] == NUMBER_VALUE:
            one = small_number(text, tape[VALUE * i + FROM], tape[VALUE * i + TO])
            j = first
            while j < last:
                if tape[VALUE * j + KIND] == NUMBER_VALUE:
                    other = small_number(text, tape[VALUE * j + FROM], tape[VALUE * j + TO])
                    if one < 0 or other < 0 or one == other:
                        return 0
                j += 1
        i += 1
    return 1


@unit
def are_apart(R, a, b, types):
    """Whether the scalars of two rows, of some types, differ because all of them are listed."""
    rows, part, spec, tape, text = i32(R, ROW), i32(R, PART), i32(R, SPEC), i32(R, TAPE), u8(R, TEXT)
    x, y = ROW_SIZE * a, ROW_SIZE * b
    if types & (NULL | FALSE | TRUE):
        return 0
    if types & STRING:
        n, m = rows[x + LISTED_COUNT], rows[y + LISTED_COUNT]
        if n == 0 or m == 0 or n * m > 100_000 or rows[x + STRINGS] or rows[y + STRINGS]:
            return 0
        for i in range(rows[x + LISTED], rows[x + LISTED] + n):
            p = VALUE * part[i]
            for j in range(rows[y + LISTED], rows[y + LISTED] + m):
                q = VALUE * part[j]
                if compare(text, tape[p + FROM], tape[p + TO], tape[q + FROM], tape[q + TO]) == 0:
                    return 0
    if types & (NUMBER | INTEGER):
        s, t = SPEC_SIZE * rows[x + NUMBERS], SPEC_SIZE * rows[y + NUMBERS]
        if spec[s] != LISTED_NUMBERS or spec[t] != LISTED_NUMBERS:
            return 0
        return have_other_numbers(R, spec[s + 1], spec[t + 1])
    return 1


@unit
def forbids(R, object_, begin, end, row):
    """Whether an object has no member of that name with a value in a row."""
    rows, objects, members, group, spec = i32(R, ROW), i32(R, OBJECT), i32(R, MEMBER), i32(R, GROUP), i32(R, SPEC)
    o = OBJECT_SIZE * object_
    found = find_member(R, object_, begin, end)
    if found:
        other = members[MEMBER_SIZE * (objects[o + FIRST_MEMBER] + found - 1) + MEMBER_ROW]
    else:
        if objects[o + GROUP_COUNT] == 0:
            return 1
        if objects[o + GROUP_COUNT] > 1 or spec[SPEC_SIZE * group[2 * objects[o + FIRST_GROUP]]] != OTHER_NAMES:
            return 0
        other = group[2 * objects[o + FIRST_GROUP] + 1]
    a, b = true_row(rows, row), true_row(rows, other)
    x, y = ROW_SIZE * a, ROW_SIZE * b
    if rows[x + ROW_KIND] == HARD or rows[y + ROW_KIND] == HARD:
        return 0
    both = common_types(rows[x + TYPES], rows[y + TYPES])
    if both == 0:
        return 1
    if rows[x + ROW_KIND] == UNION or rows[y + ROW_KIND] == UNION or both & (ARRAYS_TOO | OBJECTS_TOO):
        return 0
    return are_apart(R, a, b, both)


@unit
def lacks(R, p, q):
    """Whether object `p` requires a member that object `q` does not allow, or allows with other values only."""
    tape, objects, members, part = i32(R, TAPE), i32(R, OBJECT), i32(R, MEMBER), i32(R, PART)
    o = OBJECT_SIZE * p
    for i in range(objects[o + FIRST_MEMBER], objects[o + FIRST_MEMBER] + objects[o + MEMBER_COUNT]):
        if members[MEMBER_SIZE * i + IS_REQUIRED]:
            name = VALUE * members[MEMBER_SIZE * i + MEMBER_NAME]
            if forbids(R, q, tape[name + FROM], tape[name + TO], members[MEMBER_SIZE * i + MEMBER_ROW]):
                return 1
    for i in range(objects[o + LOOSE_LISTED], objects[o + LOOSE_LISTED] + objects[o + LOOSE_COUNT]):
        if forbids(R, q, tape[VALUE * part[i] + FROM], tape[VALUE * part[i] + TO], objects[o + LOOSE_ROW]):
            return 1
    return 0


@unit
def are_disjoint(R, a, b):
    """Whether it is clear that no value is in both of two rows."""
    rows = i32(R, ROW)
    x, y = ROW_SIZE * a, ROW_SIZE * b
    if rows[x + ROW_KIND] == HARD or rows[y + ROW_KIND] == HARD:
        return 0
    both = common_types(rows[x + TYPES], rows[y + TYPES])
    if both == 0:
        return 1
    if rows[x + ROW_KIND] == UNION or rows[y + ROW_KIND] == UNION or both & ARRAYS_TOO:
        return 0
    if both & ~OBJECTS_TOO and not are_apart(R, a, b, both & ~OBJECTS_TOO):
        return 0
    if both & OBJECTS_TOO:
        p, q = rows[x + MEMBERS_IN], rows[y + MEMBERS_IN]
        return 1 if lacks(R, p, q) or lacks(R, q, p) else 0
    return 1


@unit
def are_different(R, union):
    """Whether it is clear that no value is in two rows of a union."""
    rows, part = i32(R, ROW), i32(R, PART)
    first, n = rows[ROW_SIZE * union + LISTED], rows[ROW_SIZE * union + LISTED_COUNT]
    if n > _MANY:
        return 0
    for i in range(first, first + n):
        for j in range(first, i):
            if not are_disjoint(R, true_row(rows, part[j]), true_row(rows, part[i])):
                return 0
    return 1
