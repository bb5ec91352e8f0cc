# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Rows put in order: unions and their types, `oneOf` of values that are clearly different, what has no value at all.

`resolve` finds what rows say of each other. What neither it nor a row can tell is HARD. Once it is known which SPECs and
HARD rows are empty, `prune` finds out which rows are, and the fewest bytes of the others (Knuth 1977, by rounds).
"""

from __future__ import annotations

from constrain.ir.schema_rows import (
    ALLOWED,
    ANY_TYPE,
    ARRAY,
    ARRAY_FLAGS,
    ARRAY_SIZE,
    ARRAY_VALUE,
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
    KIND,
    LEAST,
    LISTED,
    LISTED_COUNT,
    LISTED_NUMBERS,
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
    NEXT,
    NULL,
    NUMBER,
    NUMBER_VALUE,
    NUMBERS,
    OBJECT,
    OBJECT_FLAGS,
    OBJECT_SIZE,
    OBJECTS,
    OBJECTS_TOO,
    OTHER_NAMES,
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
    TEXT,
    TO,
    TRUE,
    TYPES,
    UNION,
    UNUSUAL_NAME,
    VALUE,
    WITHIN,
)
from constrain.jit import helper, i32, i64, u8, unit
from constrain.specs.json_schema.row_units import find_member, make_hard
from constrain.specs.json_schema.tape import NOT_UNDERSTOOD, compare, small_number

_UNKNOWN = -1
_MANY = 200
"""Alternatives of `oneOf` beyond which they are not compared pair by pair."""
FAR = 1 << 40
"""The fewest bytes of what has no value."""


@helper
def true_row(rows, row):
    """What a row is that refers to another one, once `resolve` has been there."""
    return rows[ROW_SIZE * row + LISTED] if rows[ROW_SIZE * row + ROW_KIND] == REFERENCE else row


# ---------------------------------------------------------------------------------------------- what is different


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


# ------------------------------------------------------------------------------------------------------ what is what


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
        if rows[inner + ROW_KIND] == HARD or types == _UNKNOWN:
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
        rows[o + TYPES] = 0 if types == _UNKNOWN else types
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
