# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""States of the network written from the rows of a JSON Schema, each when it is first asked for.

A state is named by a key: what stands there, of which row, object or array, and how far that has come. Objects and
arrays are rules; a place in one of them is a state of its rule. Each key has one state.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.excluded import END_OF_NAME
from constrain.engine.records import scratch_full, want
from constrain.engine.tables import (
    ARC,
    ARC_USED,
    ARCS,
    CALL,
    CALL_USED,
    CALLS,
    EXPANDED,
    FOR_ROWS,
    HARD_RULE,
    KEY_STATE,
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
    ROW_TERMINAL,
    ROWS_BLOCK,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    SESSION_TABLE,
    SPELL,
    SPELL_ARC,
    SPELL_BYTE,
    SPELL_UNKNOWN,
    SPELL_WORD,
    TODO,
    TRACKED,
    WANTED_COUNT,
    WORD,
    WORD_BYTE,
    WORD_BYTES,
    WORDS,
)
from constrain.engine.words import lay_words
from constrain.ir.schema_rows import (
    ARRAY,
    ARRAY_FLAGS,
    ARRAY_SIZE,
    ARRAYS_TOO,
    BOOLEAN_TEXT,
    BY_NAME,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    EMPTY,
    FALSE,
    FALSE_TEXT,
    FIRST_GROUP,
    FIRST_MEMBER,
    FIRST_PART,
    FIRST_SPEC,
    FLAGS,
    FROM,
    GROUP,
    GROUP_COUNT,
    HARD,
    HIGH,
    INTEGER,
    ITEMS_IN,
    LAST,
    LISTED,
    LISTED_COUNT,
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
    MEMBERS_IN,
    NULL,
    NULL_TEXT,
    NUMBER,
    NUMBERS,
    OBJECT,
    OBJECT_FLAGS,
    OBJECT_SIZE,
    OBJECTS_TOO,
    OPEN_ARRAY,
    OPEN_OBJECT,
    OTHER_NAMES,
    PART,
    PREFIX,
    REFERENCE,
    REST,
    ROW,
    ROW_KIND,
    ROW_SIZE,
    SPEC,
    SPEC_FLAGS,
    SPEC_SIZE,
    STRING,
    STRINGS,
    TAPE,
    TEXT,
    TO,
    TRUE,
    TRUE_TEXT,
    TYPES,
    UNION,
    VALUE,
)
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit

# keys: what << 58 | number << 29 | place. Value states lead on to what stands after the value.
ROW_RULE = 1  # a value of a row, and the end
OBJECT_RULE, OBJECT_FIRST, OBJECT_AFTER, OBJECT_NEXT = 2, 3, 4, 5  # before {, behind {, behind a member, behind a comma
MEMBER_COLON, MEMBER_VALUE = 6, 7  # behind the name of a listed member, and its colon
LOOSE_VALUE = 8  # behind the name of a member that is required but not listed
GROUP_VALUE = 9  # behind another name: place << 1 | group
ARRAY_RULE, ARRAY_FIRST, ARRAY_AFTER, ARRAY_NEXT = 10, 11, 12, 13
# The place in an object: members that have been passed of those that are listed; then as many more as have been written
# of those that are required but not listed. The place in an array: items so far, as far as it matters.
WHAT, NUMBER_AT, PLACE_MASK = 58, 29, (1 << 29) - 1


@helper
def key_of(what, number, place):
    """The key of a state."""
    return np.int64(what) << WHAT | np.int64(number) << NUMBER_AT | np.int64(place)


@helper
def full_table(table):
    """The status of a table of the session that has no room."""
    return -((SESSION_TABLE + table) << 4 | FULL)


@helper
def missing(S, what):
    """Note what is missing, see FOR_ROWS; the status."""
    status = want(i64(S, SESSION)[SCRATCH_BLOCK], FOR_ROWS | what)
    return status if status < -1 else -np.int64(NEED_NET)


@unit
def state_of(S, key):
    """The state of a key; a new one if it has none yet, or a status."""
    head, keys, table = i64(S, SESSION), i64(S, ROW_KEY), i32(S, KEY_STATE)
    mask = size_of(S, KEY_STATE) - 1
    k = mix(5, key) & mask
    while table[k]:
        if keys[table[k]] == key:
            return table[k]
        k = (k + 1) & mask
    state = head[NET_USED]
    if 8 * state + 8 > size_of(S, NET):
        return full_table(NET)
    if state + 1 > size_of(S, ROW_KEY):
        return full_table(ROW_KEY)
    if 2 * state > mask:
        return full_table(KEY_STATE)
    head[NET_USED] = state + 1
    keys[state], table[k] = key, state
    return state


@unit
def rehash_keys(S):
    """Fill KEY_STATE anew."""
    head, keys, table = i64(S, SESSION), i64(S, ROW_KEY), i32(S, KEY_STATE)
    mask = size_of(S, KEY_STATE) - 1
    for state in range(min(head[NET_USED], size_of(S, ROW_KEY))):
        if keys[state]:
            k = mix(5, keys[state]) & mask
            while table[k]:
                k = (k + 1) & mask
            table[k] = state
    return 0


# ------------------------------------------------------------------------------------------------ what may be read


@unit
def add_arc(S, start, local, goal):
    """Add a terminal that is an automaton; 0 or a status."""
    head, numbers = i64(S, SESSION), i64(i64(S, SESSION)[SCRATCH_BLOCK], SCRATCH)
    n = head[ARC_USED] + numbers[ARCS]
    if 3 * n + 3 > size_of(S, ARC):
        return full_table(ARC)
    arc = i64(S, ARC)
    for i in range(head[ARC_USED], n):
        if arc[3 * i] == start and arc[3 * i + 1] == local and arc[3 * i + 2] == goal:
            return 0
    arc[3 * n], arc[3 * n + 1], arc[3 * n + 2] = start, local, goal
    numbers[ARCS] += 1
    return 0


@unit
def add_call(S, rule, goal):
    """Add a call of a rule, by its first state; 0 or a status."""
    head, numbers = i64(S, SESSION), i64(i64(S, SESSION)[SCRATCH_BLOCK], SCRATCH)
    n = head[CALL_USED] + numbers[CALLS]
    if 2 * n + 2 > size_of(S, CALL):
        return full_table(CALL)
    call = i32(S, CALL)
    for i in range(head[CALL_USED], n):
        if call[2 * i] == rule and call[2 * i + 1] == goal:
            return 0
    call[2 * n], call[2 * n + 1] = rule, goal
    numbers[CALLS] += 1
    return 0


@unit
def call_key(S, key, goal):
    """Add a call of the rule whose first state has a key; 0 or a status."""
    rule = state_of(S, key)
    return add_call(S, rule, goal) if rule >= 0 else rule


@unit
def begin_word(S, size, goal, spec):
    """Begin a word of so many bytes, to be written behind those in WORD_BYTE; the place of the first, or a status."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    numbers, word = i64(scratch, SCRATCH), i64(scratch, WORD)
    n, begin = numbers[WORDS], numbers[WORD_BYTES]
    if 4 * n + 4 > size_of(scratch, WORD):
        return scratch_full(WORD)
    if begin + size > size_of(scratch, WORD_BYTE):
        return scratch_full(WORD_BYTE)
    word[4 * n], word[4 * n + 1], word[4 * n + 2], word[4 * n + 3] = begin, begin + size, goal, spec
    numbers[WORDS], numbers[WORD_BYTES] = n + 1, begin + size
    return begin


@unit
def add_quoted(S, value, colon, goal):
    """Add a string of the schema, in quotes, with a spelling of the colon if one is given; 0 or a status."""
    R, scratch = i64(S, SESSION)[ROWS_BLOCK], i64(S, SESSION)[SCRATCH_BLOCK]
    tape, text, words = i32(R, TAPE), u8(R, TEXT), i32(S, SPELL_WORD)
    begin, end = tape[VALUE * value + FROM] - 1, tape[VALUE * value + TO] + 1
    more = words[2 * colon + 1] - words[2 * colon] if colon >= 0 else 0
    at = begin_word(S, end - begin + more, goal, -value)
    if at < 0:
        return at
    bytes_, spelled = u8(scratch, WORD_BYTE), u8(S, SPELL_BYTE)
    for i in range(end - begin):
        bytes_[at + i] = text[begin + i]
    for i in range(more):
        bytes_[at + end - begin + i] = spelled[words[2 * colon] + i]
    return 0


@unit
def add_spec(S, spec, goal):
    """Add the terminal of a SPEC; 0 or a status."""
    spell = i64(S, SPELL)
    o = 3 * spec
    if spell[o] == SPELL_UNKNOWN:
        asked = i32(i64(S, SESSION)[ROWS_BLOCK], SPEC)
        if asked[SPEC_SIZE * spec] != OTHER_NAMES:
            return missing(S, spec << 1)
        spell[o], spell[o + 1] = SPELL_ARC, spell[3 * FIRST_SPEC + 1]
        spell[o + 2] = TRACKED | ROW_TERMINAL | asked[SPEC_SIZE * spec + 1]
    if spell[o] == SPELL_ARC:
        return add_arc(S, spell[o + 1], spell[o + 2], goal)
    scratch, words = i64(S, SESSION)[SCRATCH_BLOCK], i32(S, SPELL_WORD)
    for word in range(spell[o + 1], spell[o + 1] + spell[o + 2]):
        begin, end = words[2 * word], words[2 * word + 1]
        at = begin_word(S, end - begin, goal, spec)
        if at < 0:
            return at
        bytes_, spelled = u8(scratch, WORD_BYTE), u8(S, SPELL_BYTE)
        for i in range(end - begin):
            bytes_[at + i] = spelled[begin + i]
    return 0


@unit
def add_name(S, object_, member, place):
    """Add the name of a listed member, its colon included where that has few spellings; 0 or a status."""
    R, spell = i64(S, SESSION)[ROWS_BLOCK], i64(S, SPELL)
    members = i32(R, MEMBER)
    o = MEMBER_SIZE * member
    goal = state_of(S, key_of(MEMBER_VALUE, object_, place))
    if goal < 0:
        return goal
    if members[o + MEMBER_SPEC]:
        return add_spec(S, members[o + MEMBER_SPEC], goal)
    if spell[3 * COLON] == SPELL_UNKNOWN:
        return missing(S, COLON << 1)
    if spell[3 * COLON] == SPELL_ARC:
        goal = state_of(S, key_of(MEMBER_COLON, object_, place))
        return add_quoted(S, members[o + MEMBER_NAME], -1, goal) if goal >= 0 else goal
    for colon in range(spell[3 * COLON + 1], spell[3 * COLON + 1] + spell[3 * COLON + 2]):
        status = add_quoted(S, members[o + MEMBER_NAME], colon, goal)
        if status < 0:
            return status
    return 0


# ----------------------------------------------------------------------------------------------------------- values


@helper
def is_empty(rows, row):
    """Whether a row allows nothing."""
    if rows[ROW_SIZE * row + ROW_KIND] == REFERENCE:
        row = rows[ROW_SIZE * row + LISTED]
    return rows[ROW_SIZE * row + FLAGS] & EMPTY


@unit
def add_strings(S, row, goal):
    """Add the strings of a row; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    rows, part, spec = i32(R, ROW), i32(R, PART), i32(R, SPEC)
    o, status = ROW_SIZE * row, 0
    if rows[o + STRINGS]:
        if spec[SPEC_SIZE * rows[o + STRINGS] + SPEC_FLAGS] & EMPTY:
            return 0
        return add_spec(S, rows[o + STRINGS], goal)
    for i in range(rows[o + LISTED], rows[o + LISTED] + rows[o + LISTED_COUNT]):
        status = add_quoted(S, part[i], -1, goal)
        if status < 0:
            return status
    return 0


@unit
def add_allowed(S, row, goal):
    """Add what a row that is no union allows; 0 or a status."""
    R = i64(S, SESSION)[ROWS_BLOCK]
    rows, spec, status = i32(R, ROW), i32(R, SPEC), 0
    o = ROW_SIZE * row
    types = rows[o + TYPES]
    if types & NULL:
        status = add_spec(S, NULL_TEXT, goal)
    truths = types & (FALSE | TRUE)
    if status >= 0 and truths:
        status = add_spec(S, FALSE_TEXT if truths == FALSE else TRUE_TEXT if truths == TRUE else BOOLEAN_TEXT, goal)
    if status >= 0 and types & STRING:
        status = add_strings(S, row, goal)
    if status >= 0 and types & (NUMBER | INTEGER) and not spec[SPEC_SIZE * rows[o + NUMBERS] + SPEC_FLAGS] & EMPTY:
        status = add_spec(S, rows[o + NUMBERS], goal)
    if status >= 0 and types & ARRAYS_TOO and not i32(R, ARRAY)[ARRAY_SIZE * rows[o + ITEMS_IN] + ARRAY_FLAGS] & EMPTY:
        status = call_key(S, key_of(ARRAY_RULE, rows[o + ITEMS_IN], 0), goal)
    if (
        status >= 0
        and types & OBJECTS_TOO
        and not i32(R, OBJECT)[OBJECT_SIZE * rows[o + MEMBERS_IN] + OBJECT_FLAGS] & EMPTY
    ):
        status = call_key(S, key_of(OBJECT_RULE, rows[o + MEMBERS_IN], 0), goal)
    return status


@unit
def add_row(S, row, goal):
    """Add what a row allows, and where it leads; 0 or a status."""
    head = i64(S, SESSION)
    R, scratch = head[ROWS_BLOCK], head[SCRATCH_BLOCK]
    rows, part, rule = i32(R, ROW), i32(R, PART), i32(S, HARD_RULE)
    todo, n = i64(scratch, TODO), 1
    todo[0] = row
    while n:
        n -= 1
        row = todo[n]
        o = ROW_SIZE * row
        if rows[o + ROW_KIND] == REFERENCE:
            row = rows[o + LISTED]
            o = ROW_SIZE * row
        if rows[o + FLAGS] & EMPTY:
            continue
        status = 0
        if rows[o + ROW_KIND] == HARD:
            if rule[row] == 0:
                return missing(S, row << 1 | 1)
            status = add_call(S, rule[row], goal)
        elif rows[o + ROW_KIND] == UNION:
            count = rows[o + LISTED_COUNT]
            if n + count > size_of(scratch, TODO):
                return scratch_full(TODO)
            for i in range(count):
                todo[n] = part[rows[o + LISTED] + count - 1 - i]
                n += 1
        else:
            status = add_allowed(S, row, goal)
        if status < 0:
            return status
    return 0


@unit
def add_value(S, row, what, number, place):
    """Add what a row allows, leading on to the state of a key; 0 or a status."""
    goal = state_of(S, key_of(what, number, place))
    return add_row(S, row, goal) if goal >= 0 else goal


# ---------------------------------------------------------------------------------------------------------- objects


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


# ----------------------------------------------------------------------------------------------------------- arrays


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


# ----------------------------------------------------------------------------------------------------------- states


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
def list_names(S, object_):
    """Add the names that an object lists, and those that it requires besides, as words; 0 or a status."""
    R, scratch = i64(S, SESSION)[ROWS_BLOCK], i64(S, SESSION)[SCRATCH_BLOCK]
    objects, members, part, tape, text = i32(R, OBJECT), i32(R, MEMBER), i32(R, PART), i32(R, TAPE), u8(R, TEXT)
    o = OBJECT_SIZE * object_
    listed, loose = objects[o + MEMBER_COUNT], objects[o + LOOSE_COUNT]
    for i in range(listed + loose):
        if i < listed:
            name = VALUE * members[MEMBER_SIZE * (objects[o + FIRST_MEMBER] + i) + MEMBER_NAME]
        else:
            name = VALUE * part[objects[o + LOOSE_LISTED] + i - listed]
        begin, size = tape[name + FROM], tape[name + TO] - tape[name + FROM]
        at = begin_word(S, size + 1, 0, 0)
        if at < 0:
            return at
        bytes_ = u8(scratch, WORD_BYTE)
        for k in range(size):
            bytes_[at + k] = text[begin + k]
        bytes_[at + size] = END_OF_NAME
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
