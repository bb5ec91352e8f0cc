# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Rows put in order: unions and their types, `oneOf` of values that are clearly different, what has no value at all.

`resolve` finds what rows say of each other. What neither it nor a row can tell is HARD. Once it is known which SPECs
and HARD rows are empty, `prune` finds out which rows are, and the fewest bytes of the others (Knuth 1977, by rounds).
"""

from __future__ import annotations

from constrain.ir.schema_rows import (
    ALLOWED,
    ANY_TYPE,
    ARRAY,
    ARRAY_FLAGS,
    ARRAY_SIZE,
    ARRAYS,
    ARRAYS_TOO,
    ASKED,
    ASKED_COUNT,
    EMPTY,
    EXACTLY_ONE,
    FALSE,
    FIRST_GROUP,
    FIRST_MEMBER,
    FIRST_PART,
    FIRST_ROW,
    FIRST_SPEC,
    FIXED_SPEC,
    FLAGS,
    FROM,
    GROUP,
    GROUP_COUNT,
    HARD,
    HEAD,
    HIGH,
    INTEGER,
    IS_REQUIRED,
    ITEMS_IN,
    LEAST,
    LISTED,
    LISTED_COUNT,
    LISTED_STRINGS,
    LOOSE_COUNT,
    LOOSE_LISTED,
    LOOSE_ROW,
    LOW,
    MEMBER,
    MEMBER_COUNT,
    MEMBER_NAME,
    MEMBER_ROW,
    MEMBER_SIZE,
    MEMBER_SPEC,
    MEMBERS_IN,
    NAMES_LIKE,
    NAMES_UNLIKE,
    NULL,
    NUMBER,
    NUMBERS,
    OBJECT,
    OBJECT_FLAGS,
    OBJECT_SIZE,
    OBJECTS,
    OBJECTS_TOO,
    PART,
    PREFIX,
    REACHED,
    REFERENCE,
    REST,
    ROOT,
    ROUNDS,
    ROW,
    ROW_KIND,
    ROW_SIZE,
    ROWS,
    SIZES,
    SPEC,
    SPEC_BYTES,
    SPEC_FLAGS,
    SPEC_SIZE,
    SPECS,
    STACK,
    STRING,
    STRING_SPEC,
    STRINGS,
    TAPE,
    TO,
    TRUE,
    TYPES,
    UNION,
    UNUSUAL_NAME,
    VALUE,
    WITHIN,
)
from constrain.jit import helper, i32, i64, unit
from constrain.specs.json_schema.disjoint import are_different, true_row
from constrain.specs.json_schema.row_units import make_hard
from constrain.specs.json_schema.tape import NOT_UNDERSTOOD

_UNKNOWN = -1
FAR = 1 << 40
"""The fewest bytes of what has no value."""


@unit
def chase(R):
    """Let references lead to rows that are none; 1, or NOT_UNDERSTOOD where they go in circles."""
    head, rows = i64(R, HEAD), i32(R, ROW)
    for row in range(FIRST_ROW, head[ROWS]):
        if rows[ROW_SIZE * row + ROW_KIND] != REFERENCE:
            continue
        goal, steps = rows[ROW_SIZE * row + LISTED], 0
        while rows[ROW_SIZE * goal + ROW_KIND] == REFERENCE:
            goal, steps = rows[ROW_SIZE * goal + LISTED], steps + 1
            if steps > head[ROWS]:
                return NOT_UNDERSTOOD
        rows[ROW_SIZE * row + LISTED] = goal  # shortens the way of those behind it
    return 1


@unit
def join_types(R, row):
    """The types of a union all of whose rows are known; makes it HARD if rows cannot say what it means."""
    rows, part = i32(R, ROW), i32(R, PART)
    o, types = ROW_SIZE * row, 0
    for i in range(rows[o + LISTED], rows[o + LISTED] + rows[o + LISTED_COUNT]):
        inner = ROW_SIZE * true_row(rows, part[i])
        if rows[inner + ROW_KIND] == HARD or rows[inner + TYPES] == _UNKNOWN or types == _UNKNOWN:
            types = _UNKNOWN
        else:
            types |= rows[inner + TYPES]
    within = rows[o + WITHIN]
    within |= INTEGER if within & NUMBER else 0
    fits = within | INTEGER == ANY_TYPE | INTEGER or (types != _UNKNOWN and types & ~within == 0)
    if (
        not fits
        or (types == _UNKNOWN and rows[o + EXACTLY_ONE])
        or (rows[o + EXACTLY_ONE] and not are_different(R, row))
    ):
        make_hard(rows, row)
    else:
        rows[o + TYPES] = types
    return 1


@unit
def resolve_unions(R):
    """Find the types of all unions, the inner ones first; 1, or NOT_UNDERSTOOD where one is a part of itself."""
    head, rows, part, stack, sizes = i64(R, HEAD), i32(R, ROW), i32(R, PART), i32(R, STACK), i64(R, SIZES)
    for row in range(head[ROWS]):
        sizes[row] = 0  # here: 1 + the rows of a union that have been looked at
    for first in range(FIRST_ROW, head[ROWS]):
        if rows[ROW_SIZE * first + ROW_KIND] != UNION or sizes[first]:
            continue
        stack[0], depth = first, 1
        while depth:
            row = stack[depth - 1]
            o = ROW_SIZE * row
            done = sizes[row]
            if done == rows[o + LISTED_COUNT]:
                join_types(R, row)
                sizes[row] = FAR
                depth -= 1
                continue
            sizes[row] = done + 1
            inner = true_row(rows, part[rows[o + LISTED] + done])
            if rows[ROW_SIZE * inner + ROW_KIND] == UNION and sizes[inner] != FAR:
                if sizes[inner]:
                    return NOT_UNDERSTOOD
                stack[depth] = inner
                depth += 1
    return 1


@helper
def reach_row(rows, stack, row, n):
    """Mark a row, to be looked at; how many are."""
    row = true_row(rows, row)
    if rows[ROW_SIZE * row + FLAGS] & REACHED:
        return n
    rows[ROW_SIZE * row + FLAGS] |= REACHED
    stack[n] = row
    return n + 1


@unit
def reach(R):
    """Mark the rows that the whole schema leads to."""
    head, rows, part, stack = i64(R, HEAD), i32(R, ROW), i32(R, PART), i32(R, STACK)
    objects, arrays, members, group = i32(R, OBJECT), i32(R, ARRAY), i32(R, MEMBER), i32(R, GROUP)
    n = reach_row(rows, stack, head[ROOT], 0)
    while n:
        n -= 1
        o = ROW_SIZE * stack[n]
        if rows[o + ROW_KIND] == UNION:
            for i in range(rows[o + LISTED], rows[o + LISTED] + rows[o + LISTED_COUNT]):
                n = reach_row(rows, stack, part[i], n)
            continue
        if rows[o + ROW_KIND] != ALLOWED:
            continue
        if rows[o + TYPES] & ARRAYS_TOO:
            a = ARRAY_SIZE * rows[o + ITEMS_IN]
            n = reach_row(rows, stack, arrays[a + REST], n)
            for i in range(arrays[a + FIRST_PART], arrays[a + FIRST_PART] + arrays[a + PREFIX]):
                n = reach_row(rows, stack, part[i], n)
        if rows[o + TYPES] & OBJECTS_TOO:
            b = OBJECT_SIZE * rows[o + MEMBERS_IN]
            for i in range(objects[b + FIRST_MEMBER], objects[b + FIRST_MEMBER] + objects[b + MEMBER_COUNT]):
                n = reach_row(rows, stack, members[MEMBER_SIZE * i + MEMBER_ROW], n)
            for i in range(objects[b + FIRST_GROUP], objects[b + FIRST_GROUP] + objects[b + GROUP_COUNT]):
                n = reach_row(rows, stack, group[2 * i + 1], n)
            if objects[b + LOOSE_COUNT]:
                n = reach_row(rows, stack, objects[b + LOOSE_ROW], n)
    return 1


@helper
def ask(R, what):
    """Note what may be empty."""
    head = i64(R, HEAD)
    i32(R, ASKED)[head[ASKED_COUNT]] = what
    head[ASKED_COUNT] += 1


@unit
def list_asked(R):
    """List what may be empty, of what the whole schema leads to: SPECs once each, HARD rows."""
    head, rows, spec = i64(R, HEAD), i32(R, ROW), i32(R, SPEC)
    for row in range(head[ROWS]):
        o = ROW_SIZE * row
        if not rows[o + FLAGS] & REACHED:
            continue
        if rows[o + ROW_KIND] == HARD:
            ask(R, row << 1 | 1)
        if rows[o + ROW_KIND] != ALLOWED:
            continue
        strings = SPEC_SIZE * rows[o + STRINGS]
        kind = spec[strings] if rows[o + TYPES] & STRING else FIXED_SPEC
        bounds = spec[strings + 1] > 0 or spec[strings + 2] >= 0
        if kind == LISTED_STRINGS or (kind == STRING_SPEC and (spec[strings + 3] or (bounds and spec[strings + 4]))):
            ask(R, rows[o + STRINGS] << 1)
        if rows[o + TYPES] & (NUMBER | INTEGER) and spec[SPEC_SIZE * rows[o + NUMBERS]] != FIXED_SPEC:
            ask(R, rows[o + NUMBERS] << 1)
    for number in range(FIRST_SPEC, head[SPECS]):
        kind = spec[SPEC_SIZE * number]
        if kind == NAMES_LIKE or kind == NAMES_UNLIKE or kind == UNUSUAL_NAME:
            ask(R, number << 1)
    return 1


@unit
def resolve(R):
    """Find out what rows say of each other; 1, or NOT_UNDERSTOOD."""
    if not chase(R) or not resolve_unions(R):
        return NOT_UNDERSTOOD
    reach(R)
    return list_asked(R)


# ------------------------------------------------------------------------------------------------- what has values


@helper
def spec_size(spec, number):
    """The fewest bytes of a SPEC, or less; FAR if it is empty."""
    o = SPEC_SIZE * number
    if spec[o + SPEC_FLAGS] & EMPTY:
        return FAR
    return spec[o + SPEC_BYTES]


@unit
def array_size(R, array):
    """The fewest bytes of an array."""
    rows, arrays, part, sizes = i32(R, ROW), i32(R, ARRAY), i32(R, PART), i64(R, SIZES)
    o, found = ARRAY_SIZE * array, 2
    low, prefix = arrays[o + LOW], arrays[o + PREFIX]
    for i in range(min(low, prefix)):
        found += 1 + sizes[true_row(rows, part[arrays[o + FIRST_PART] + i])]
    if low > prefix:
        found += (low - prefix) * (1 + min(sizes[true_row(rows, arrays[o + REST])], FAR >> 30))
        found += sizes[true_row(rows, arrays[o + REST])]
    return min(found - 1 if low else found, FAR)


@unit
def object_size(R, object_):
    """The fewest bytes of an object; notes what is left of them at each member."""
    rows, objects, members, tape = i32(R, ROW), i32(R, OBJECT), i32(R, MEMBER), i32(R, TAPE)
    spec, sizes, part = i32(R, SPEC), i64(R, SIZES), i32(R, PART)
    o, found = OBJECT_SIZE * object_, 1
    for i in range(objects[o + LOOSE_LISTED], objects[o + LOOSE_LISTED] + objects[o + LOOSE_COUNT]):
        name = VALUE * part[i]
        found += 4 + tape[name + TO] - tape[name + FROM] + sizes[true_row(rows, objects[o + LOOSE_ROW])]
    for i in range(objects[o + FIRST_MEMBER] + objects[o + MEMBER_COUNT] - 1, objects[o + FIRST_MEMBER] - 1, -1):
        member = MEMBER_SIZE * i
        if members[member + IS_REQUIRED]:
            name = VALUE * members[member + MEMBER_NAME]
            found += 4 + tape[name + TO] - tape[name + FROM] + sizes[true_row(rows, members[member + MEMBER_ROW])]
            if spec[SPEC_SIZE * members[member + MEMBER_SPEC] + SPEC_FLAGS] & EMPTY:
                found = FAR
        members[member + LEAST] = min(found, 1 << 30)
    return min(found if found > 1 else 2, FAR)  # the first member has no comma


@unit
def row_size(R, row):
    """The fewest bytes of a row, or less, by what is known of others so far."""
    rows, sizes, part, spec = i32(R, ROW), i64(R, SIZES), i32(R, PART), i32(R, SPEC)
    text_at, o, found = i32(R, TAPE), ROW_SIZE * row, FAR
    if rows[o + ROW_KIND] == HARD:
        return FAR if rows[o + FLAGS] & EMPTY else rows[o + LISTED]
    if rows[o + ROW_KIND] == REFERENCE:
        return sizes[rows[o + LISTED]]
    if rows[o + ROW_KIND] == UNION:
        for i in range(rows[o + LISTED], rows[o + LISTED] + rows[o + LISTED_COUNT]):
            found = min(found, sizes[true_row(rows, part[i])])
        return found
    types = rows[o + TYPES]
    if types & (NUMBER | INTEGER):
        found = spec_size(spec, rows[o + NUMBERS])
    if types & STRING:
        if rows[o + STRINGS]:
            found = min(found, spec_size(spec, rows[o + STRINGS]))
        else:
            for i in range(rows[o + LISTED], rows[o + LISTED] + rows[o + LISTED_COUNT]):
                value = VALUE * part[i]
                found = min(found, 2 + text_at[value + TO] - text_at[value + FROM])
    if types & (NULL | TRUE):
        found = min(found, 4)
    if types & FALSE:
        found = min(found, 5)
    if types & ARRAYS_TOO:
        found = min(found, array_size(R, rows[o + ITEMS_IN]))
    if types & OBJECTS_TOO:
        found = min(found, object_size(R, rows[o + MEMBERS_IN]))
    return found


@unit
def find_sizes(R):
    """The least fixed point of the sizes of all rows, there and back; 1, or NOT_UNDERSTOOD if that takes too long."""
    head, sizes = i64(R, HEAD), i64(R, SIZES)
    n = head[ROWS]
    for row in range(n):
        sizes[row] = FAR
    sizes[0] = 1
    for turn in range(head[ROUNDS]):
        changed = 0
        for i in range(n):
            row = n - 1 - i if turn & 1 else i
            size = row_size(R, row)
            if size < sizes[row]:
                sizes[row], changed = size, 1
        if not changed:
            return 1
    return NOT_UNDERSTOOD


@unit
def prune(R):
    """Note what is empty, and that arrays end before items that are; 1, or NOT_UNDERSTOOD."""
    head, rows, arrays, objects = i64(R, HEAD), i32(R, ROW), i32(R, ARRAY), i32(R, OBJECT)
    part, sizes = i32(R, PART), i64(R, SIZES)
    if not find_sizes(R):
        return NOT_UNDERSTOOD
    for row in range(head[ROWS]):
        if sizes[row] >= FAR:
            rows[ROW_SIZE * row + FLAGS] |= EMPTY
    for array in range(head[ARRAYS]):
        o = ARRAY_SIZE * array
        high = arrays[o + HIGH]
        if sizes[true_row(rows, arrays[o + REST])] >= FAR:
            high = arrays[o + PREFIX] if high < 0 else min(high, arrays[o + PREFIX])
        for i in range(arrays[o + PREFIX] - 1, -1, -1):
            if sizes[true_row(rows, part[arrays[o + FIRST_PART] + i])] >= FAR:
                high = i if high < 0 else min(high, i)
        arrays[o + HIGH] = high
        if 0 <= high < arrays[o + LOW]:
            arrays[o + ARRAY_FLAGS] = EMPTY
    for object_ in range(head[OBJECTS]):
        if object_size(R, object_) >= FAR:
            objects[OBJECT_SIZE * object_ + OBJECT_FLAGS] = EMPTY
    return 1
