# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""What may be read in a state that is written from the rows of a JSON Schema: names, values, and where they lead.

A state is named by a key: what stands there, of which row, object or array, and how far that has come. Each key has
one state.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.records import scratch_full, want
from constrain.engine.tables import (
    ARC,
    ARC_USED,
    ARCS,
    CALL,
    CALL_USED,
    CALLS,
    FOR_ROWS,
    HARD_RULE,
    KEY_STATE,
    NEED_NET,
    NET,
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
    WORD,
    WORD_BYTE,
    WORD_BYTES,
    WORDS,
)
from constrain.ir.schema_rows import (
    ARRAY,
    ARRAY_FLAGS,
    ARRAY_SIZE,
    ARRAYS_TOO,
    BOOLEAN_TEXT,
    COLON,
    EMPTY,
    FALSE,
    FALSE_TEXT,
    FIRST_SPEC,
    FLAGS,
    FROM,
    HARD,
    INTEGER,
    ITEMS_IN,
    LISTED,
    LISTED_COUNT,
    MEMBER,
    MEMBER_NAME,
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
    OTHER_NAMES,
    PART,
    REFERENCE,
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
    status = want(i64(S, SESSION)[SCRATCH_BLOCK], FOR_ROWS | np.int64(what))
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
def add_quoted(S, value, colon, goal, what):
    """Add a string of the schema, in quotes, with a spelling of the colon if one is given; 0 or a status.

    `what` is noted with where it leads: -value for names, 0 for all other strings.
    """
    R, scratch = i64(S, SESSION)[ROWS_BLOCK], i64(S, SESSION)[SCRATCH_BLOCK]
    tape, text, words = i32(R, TAPE), u8(R, TEXT), i32(S, SPELL_WORD)
    begin, end = tape[VALUE * value + FROM] - 1, tape[VALUE * value + TO] + 1
    more = words[2 * colon + 1] - words[2 * colon] if colon >= 0 else 0
    at = begin_word(S, end - begin + more, goal, what)
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
        spell[o + 2] = TRACKED | ROW_TERMINAL | np.int64(asked[SPEC_SIZE * spec + 1])
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
        return add_quoted(S, members[o + MEMBER_NAME], -1, goal, -members[o + MEMBER_NAME]) if goal >= 0 else goal
    for colon in range(spell[3 * COLON + 1], spell[3 * COLON + 1] + spell[3 * COLON + 2]):
        status = add_quoted(S, members[o + MEMBER_NAME], colon, goal, -members[o + MEMBER_NAME])
        if status < 0:
            return status
    return 0


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
        status = add_quoted(S, part[i], -1, goal, 0)
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
