# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""States of the network written from the rows of a JSON Schema: objects and arrays, each a rule."""

from __future__ import annotations

import numpy as np

from constrain.engine.excluded import END_OF_NAME
from constrain.engine.records import want
from constrain.engine.row_values import (
    ARRAY_AFTER,
    ARRAY_FIRST,
    ARRAY_NEXT,
    ARRAY_RULE,
    GROUP_VALUE,
    LOOSE_VALUE,
    MEMBER_COLON,
    MEMBER_VALUE,
    NUMBER_AT,
    OBJECT_AFTER,
    OBJECT_FIRST,
    OBJECT_NEXT,
    OBJECT_RULE,
    PLACE_MASK,
    ROW_RULE,
    WHAT,
    add_name,
    add_row,
    add_spec,
    add_value,
    begin_word,
    is_empty,
    key_of,
    state_of,
)
from constrain.engine.tables import (
    ARC_USED,
    ARCS,
    CALL_USED,
    CALLS,
    EXPANDED,
    NEED_NET,
    NET,
    NET_ARC,
    NET_ARCS,
    NET_CALL,
    NET_CALLS,
    NET_FLAGS,
    NET_LITERALS,
    NET_SPECIAL,
    NET_SPECIALS,
    NET_USED,
    ROW_KEY,
    ROWS_BLOCK,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    WANTED_COUNT,
    WORD_BYTE,
    WORD_BYTES,
    WORDS,
)
from constrain.engine.words import lay_words
from constrain.ir.schema_rows import (
    ARRAY,
    ARRAY_SIZE,
    BY_NAME,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    EMPTY,
    FIRST_GROUP,
    FIRST_MEMBER,
    FIRST_PART,
    FROM,
    GROUP,
    GROUP_COUNT,
    HIGH,
    LAST,
    LOOSE_COUNT,
    LOOSE_LISTED,
    LOOSE_NAMES,
    LOOSE_ROW,
    LOW,
    MEMBER,
    MEMBER_COUNT,
    MEMBER_NAME,
    MEMBER_ROW,
    MEMBER_SIZE,
    MEMBER_SPEC,
    OBJECT,
    OBJECT_SIZE,
    OPEN_ARRAY,
    OPEN_OBJECT,
    PART,
    PREFIX,
    REST,
    ROW,
    SPEC,
    SPEC_FLAGS,
    SPEC_SIZE,
    TAPE,
    TEXT,
    TO,
    VALUE,
)
from constrain.jit import helper, i32, i64, size_of, u8, unit


@helper
def next_required(objects, members, object_, place):
    """The next listed member that must come at a place, or how many are listed if none must."""
    o = OBJECT_SIZE * object_
    if place >= objects[o + MEMBER_COUNT]:
        return objects[o + MEMBER_COUNT]
    return members[MEMBER_SIZE * (objects[o + FIRST_MEMBER] + place) + LAST]


@helper
def may_be_named(rows, spec, members, member):
    """Whether a listed member may be there at all."""
    o = MEMBER_SIZE * member
    return (
        not is_empty(rows, members[o + MEMBER_ROW])
        and not spec[SPEC_SIZE * members[o + MEMBER_SPEC] + SPEC_FLAGS] & EMPTY
    )


@helper
def may_be_other(rows, spec, group, which):
    """Whether a member may be there that is none of those listed."""
    return not is_empty(rows, group[2 * which + 1]) and not spec[SPEC_SIZE * group[2 * which] + SPEC_FLAGS] & EMPTY


@unit
def has_members(S, object_, place):
    """Whether another member may come at a place."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    rows, objects, members = i32(R, ROW), i32(R, OBJECT), i32(R, MEMBER)
    spec, group, o = i32(R, SPEC), i32(R, GROUP), OBJECT_SIZE * object_
    listed, first = objects[o + MEMBER_COUNT], objects[o + FIRST_MEMBER]
    last = next_required(objects, members, object_, place)
    if last < listed or max(place - listed, 0) < objects[o + LOOSE_COUNT]:
        return 1
    for j in range(place, listed):
        if may_be_named(rows, spec, members, first + j):
            return 1
    for which in range(objects[o + FIRST_GROUP], objects[o + FIRST_GROUP] + objects[o + GROUP_COUNT]):
        if may_be_other(rows, spec, group, which):
            return 1
    return 0


@unit
def add_names(S, object_, place):
    """Add the names that may come at a place; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    rows, objects, members, part = i32(R, ROW), i32(R, OBJECT), i32(R, MEMBER), i32(R, PART)
    spec, group, o = i32(R, SPEC), i32(R, GROUP), OBJECT_SIZE * object_
    listed, first = objects[o + MEMBER_COUNT], objects[o + FIRST_MEMBER]
    last, status = next_required(objects, members, object_, place), 0
    for i in range(listed):
        j = part[objects[o + BY_NAME] + i]
        if place <= j <= last and may_be_named(rows, spec, members, first + j):
            status = add_name(S, object_, first + j, j)
            if status < 0:
                return status
    if last < listed:
        return 0
    written = max(place - listed, 0)
    if written < objects[o + LOOSE_COUNT]:
        goal = state_of(S, key_of(LOOSE_VALUE, object_, listed + written))
        status = add_spec(S, objects[o + LOOSE_NAMES], goal) if goal >= 0 else goal
    for k in range(objects[o + GROUP_COUNT]):
        which = objects[o + FIRST_GROUP] + k
        if status >= 0 and may_be_other(rows, spec, group, which):
            goal = state_of(S, key_of(GROUP_VALUE, object_, max(place, listed) << 1 | k))
            status = add_spec(S, group[2 * which], goal) if goal >= 0 else goal
    return status


@unit
def write_object(S, what, object_, place):
    """Add what may come at a place in an object; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    objects, members, group = i32(R, OBJECT), i32(R, MEMBER), i32(R, GROUP)
    o, status = OBJECT_SIZE * object_, 0
    listed, first = objects[o + MEMBER_COUNT], objects[o + FIRST_MEMBER]
    if what == OBJECT_RULE:
        goal = state_of(S, key_of(OBJECT_FIRST, object_, 0))
        return add_spec(S, OPEN_OBJECT, goal) if goal >= 0 else goal
    if what == MEMBER_COLON:
        goal = state_of(S, key_of(MEMBER_VALUE, object_, place))
        return add_spec(S, COLON, goal) if goal >= 0 else goal
    if what == MEMBER_VALUE:
        return add_value(S, members[MEMBER_SIZE * (first + place) + MEMBER_ROW], OBJECT_AFTER, object_, place + 1)
    if what == LOOSE_VALUE:
        return add_value(S, objects[o + LOOSE_ROW], OBJECT_AFTER, object_, place + 1)
    if what == GROUP_VALUE:
        row = group[2 * (objects[o + FIRST_GROUP] + (place & 1)) + 1]
        return add_value(S, row, OBJECT_AFTER, object_, place >> 1)
    if what != OBJECT_NEXT:
        if next_required(objects, members, object_, place) == listed and (
            max(place - listed, 0) == objects[o + LOOSE_COUNT]
        ):
            status = add_spec(S, CLOSE_OBJECT, 0)
        if status >= 0 and what == OBJECT_AFTER and has_members(S, object_, place):
            goal = state_of(S, key_of(OBJECT_NEXT, object_, place))
            status = add_spec(S, COMMA, goal) if goal >= 0 else goal
    if status >= 0 and what != OBJECT_AFTER:
        status = add_names(S, object_, place)
    return status


@unit
def write_array(S, what, array, place):
    """Add what may come at a place in an array; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    arrays, part = i32(R, ARRAY), i32(R, PART)
    o, status = ARRAY_SIZE * array, 0
    if what == ARRAY_RULE:
        goal = state_of(S, key_of(ARRAY_FIRST, array, 0))
        return add_spec(S, OPEN_ARRAY, goal) if goal >= 0 else goal
    low, high, prefix = arrays[o + LOW], arrays[o + HIGH], arrays[o + PREFIX]
    if what != ARRAY_NEXT and place >= low:
        status = add_spec(S, CLOSE_ARRAY, 0)
    if 0 <= high <= place or status < 0:
        return status
    if what == ARRAY_AFTER:
        goal = state_of(S, key_of(ARRAY_NEXT, array, place))
        return add_spec(S, COMMA, goal) if goal >= 0 else goal
    row = part[arrays[o + FIRST_PART] + place] if place < prefix else arrays[o + REST]
    after = place + 1 if high >= 0 else min(place + 1, max(low, prefix))
    return add_value(S, row, ARRAY_AFTER, array, after)


@unit
def write_state(S, state):
    """Write what may come first in a state that has a key; 0 or a status, after which nothing has been written."""
    head, keys = i64(S, SESSION), i64(S, ROW_KEY)
    numbers = i64(head[SCRATCH_BLOCK], SCRATCH)
    numbers[WORDS] = numbers[WORD_BYTES] = numbers[ARCS] = numbers[CALLS] = 0
    key = keys[state]
    what, number, place = key >> WHAT, key >> NUMBER_AT & PLACE_MASK, key & PLACE_MASK
    if what == ROW_RULE:
        status = add_row(S, number, 0)
    elif what < ARRAY_RULE:
        status = write_object(S, what, number, place)
    else:
        status = write_array(S, what, number, place)
    literals = 0
    if status >= 0 and numbers[WORDS]:
        status = literals = lay_words(S, numbers[WORDS], 1)
    if status < 0:
        return status
    net, o = i32(S, NET), 8 * state
    net[o + NET_LITERALS] = literals
    net[o + NET_ARC], net[o + NET_ARCS] = head[ARC_USED], numbers[ARCS]
    net[o + NET_CALL], net[o + NET_CALLS] = head[CALL_USED], numbers[CALLS]
    net[o + NET_SPECIAL] = net[o + NET_SPECIALS] = 0
    net[o + NET_FLAGS] |= EXPANDED
    head[ARC_USED] += numbers[ARCS]
    head[CALL_USED] += numbers[CALLS]
    return 0


@unit
def ready_state(S, state):
    """Write a state that is written from rows: 0, or a status; -1 if it is noted in WANTED what is missing."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    if state >= size_of(S, ROW_KEY) or i64(S, ROW_KEY)[state] == 0:
        return want(scratch, state)
    status = write_state(S, state)
    return np.int64(-1) if status < 0 and -status & 15 == NEED_NET else status


@unit
def add_excluded(S, block, table, begin, end):
    """Add part of a table of bytes as a word, with the end of a name behind it; 0 or a status."""
    at = begin_word(S, end - begin + 1, 0, 0)
    if at < 0:
        return at
    data, read = u8(i64(S, SESSION)[SCRATCH_BLOCK], WORD_BYTE), u8(block, table)
    for k in range(end - begin):
        data[at + k] = read[begin + k]
    data[at + end - begin] = END_OF_NAME
    return 0


@unit
def list_names(S, object_):
    """Add the names that an object lists, and those that it requires besides, as words; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    objects, members, part, tape = i32(R, OBJECT), i32(R, MEMBER), i32(R, PART), i32(R, TAPE)
    o = OBJECT_SIZE * object_
    listed, loose = objects[o + MEMBER_COUNT], objects[o + LOOSE_COUNT]
    for i in range(listed + loose):
        if i < listed:
            name = VALUE * members[MEMBER_SIZE * (objects[o + FIRST_MEMBER] + i) + MEMBER_NAME]
        else:
            name = VALUE * part[objects[o + LOOSE_LISTED] + i - listed]
        status = add_excluded(S, R, TEXT, tape[name + FROM], tape[name + TO])
        if status < 0:
            return status
    return 0


@unit
def write_states(S, first, most):
    """Write the states from `first` on that have keys, those included that they lead to, up to a number.

    States that need a terminal or a rule that is not known yet are left for later. Returns 0 or a status.
    """
    head, net, keys = i64(S, SESSION), i32(S, NET), i64(S, ROW_KEY)
    numbers, state = i64(head[SCRATCH_BLOCK], SCRATCH), first
    while state < min(head[NET_USED], most):
        if keys[state] and not net[8 * state] & EXPANDED:
            status = write_state(S, state)
            if -status & 15 == NEED_NET:
                numbers[WANTED_COUNT] = 0
            elif status < 0:
                return status
        state += 1
    return 0
