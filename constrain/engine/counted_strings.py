# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Token sets of JSON strings of bounded length: counts are local state of the terminal, not states of its automaton.

A terminal `"`, `fewest` to `most` characters, `"` is in a state of the plain JSON string, with the characters that
are left: a character that has begun is still left until it ends. The automaton has two states of interest: the start
before the opening quote, and the body, to which every whole character returns.

For a state of the plain string it is counted once how many characters each token begins, and where it closes the
string. A set for given bounds is then a part of the tokens by that number.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, CLASS, DEAD, FLAGS, GOES_ON, MAP, READY, ROW, STATE, TARGET
from constrain.engine.suffixes import merge_suffixes
from constrain.engine.tables import (
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED,
    COUNTED_SET,
    COUNTED_SETS,
    COUNTED_USED,
    COUNTER,
    COUNTER_ROW,
    COUNTERS,
    DENSE,
    DENSE_USED,
    LIST,
    MANY,
    PAYLOAD,
    PAYLOAD_MASK,
    ROOT,
    SET,
    SET_OF,
    SET_SUFFIXES,
    SETS_SCRATCH,
    STRING_BODY,
    STRING_END,
    STRING_START,
    TOKEN_COUNT,
    TOKENS,
    TRIE,
    UNBOUNDED,
    VOCABULARY,
    WIDTH,
)
from constrain.engine.token_sets import add, keep_set
from constrain.engine.token_tries import (
    INNER,
    INNER_COUNT,
    LISTS,
    MERGED,
    PLACES,
    SCALAR,
    STACK,
    full,
    full_scratch,
    slot_of,
)
from constrain.jit import helper, i32, i64, size_of, u8, unit

# COUNTER: columns, and offsets in COUNTED
C_TOP = 0  # the most characters that a token begins or stands behind
C_FAR = 1  # the most characters behind which a token closes the string; -1 if none does
C_TOKENS, C_TOKEN_COUNT = 2, 3  # tokens that do not close the string, by the number of characters that they begin
C_STEPS = 4  # how many of these begin fewer than 0, 1, .. TOP + 1 characters
C_CLOSING, C_CLOSING_COUNT = 5, 6  # (token, characters) of tokens that end with the closing quote
C_PLACES, C_PLACE_COUNT = 7, 8  # (node, characters) of places where the string is closed inside of tokens
C_ALL = 9  # offset in DENSE of all of C_TOKENS, where they are many; else -1
COUNTER_COLUMNS = 16

_MANY_TOKENS = 4096
_SUFFIXES_OF = 1 << 60  # in keys of COUNTED_SET: the value is a set that has the suffixes

# --------------------------------------------------------------------------------------------------- the local state


@helper
def count_step(vocabulary, q, led, x):
    """The bounds of a counted string, packed as in items, after a byte that leads from q to `led`; -1: not allowed."""
    head = i64(vocabulary, VOCABULARY)
    body = head[STRING_BODY]
    most = x & UNBOUNDED
    if q == body and led != body and led != head[STRING_END]:
        return x if most > 0 else -1
    if q == body and led == head[STRING_END]:
        return x if (x >> 24) & UNBOUNDED == 0 else -1
    if led == body and q != head[STRING_START]:
        if most == 0:
            return -1
        if most != UNBOUNDED:
            x -= 1
        if (x >> 24) & UNBOUNDED:
            x -= 1 << 24
    return x


@helper
def key_of(vocabulary, row, fewest, most):
    """The key of a counted set: bounds that no token tells apart are one."""
    counter = i32(vocabulary, COUNTER)
    at = COUNTER_COLUMNS * row
    low, high = min(fewest, np.int64(counter[at + C_FAR]) + 1), min(most, np.int64(counter[at + C_TOP]))
    return row << 40 | low << 20 | high


@helper
def known_counted(vocabulary, q, fewest, most):
    """The token set of a state of the plain string with so many characters left; 0 if it is not made."""
    if 8 * q + 8 > size_of(vocabulary, SET_OF):
        return np.int64(0)
    row = np.int64(i32(vocabulary, SET_OF)[8 * q + COUNTER_ROW])
    if row == 0:
        return np.int64(0)
    table, slot = i64(vocabulary, COUNTED_SET), slot_of(vocabulary, COUNTED_SET, key_of(vocabulary, row, fewest, most))
    return table[2 * slot + 1]


# ------------------------------------------------------------------------------------------------------------- units


@unit(nogil=True)
def count_characters(vocabulary, automata, q):
    """Count the characters of all tokens from a state of the plain string, unless it is done; 0 or a status."""
    head = i64(vocabulary, VOCABULARY)
    scratch, start, body = head[SETS_SCRATCH], head[STRING_START], head[STRING_BODY]
    if 8 * q + 8 > size_of(vocabulary, SET_OF):
        return full(SET_OF)
    if i32(vocabulary, SET_OF)[8 * q + COUNTER_ROW]:
        return 0
    trie, lists, tokens = i64(vocabulary, TRIE), i32(vocabulary, LIST), i32(vocabulary, TOKENS)
    state, targets, classes = i32(automata, STATE), i32(automata, TARGET), u8(automata, CLASS)
    # scratch: pairs of a number of characters and a token, a token that closes, a node behind a closing quote
    stack, counted, closing, places = (
        i64(scratch, STACK),
        i32(scratch, LISTS),
        i32(scratch, MERGED),
        i32(scratch, PLACES),
    )
    room, token_room = size_of(scratch, STACK) - 3 * 256, size_of(scratch, LISTS) - 2 * head[TOKEN_COUNT]
    closing_room, place_room = size_of(scratch, MERGED) - 2 * head[TOKEN_COUNT], size_of(scratch, PLACES) - 2 * 256
    if token_room < 0:
        return full_scratch(LISTS)
    if closing_room < 0:
        return full_scratch(MERGED)
    if room < 3:
        return full_scratch(STACK)
    stack[0], stack[1], stack[2] = q, head[ROOT], 0
    top, total, closed, placed, most, far = 3, 0, 0, 0, 0, -1
    while top > 0:
        if top > room:
            return full_scratch(STACK)
        if 2 * placed > place_room:
            return full_scratch(PLACES)
        top -= 3
        x, word, n = stack[top], trie[stack[top + 1]], stack[top + 2]
        if not state[8 * x + FLAGS] & READY:
            status = make_ready(automata, x)
            if status < 0:
                return status
        row, classes_at = np.int64(state[8 * x + ROW]), 256 * np.int64(state[8 * x + MAP])
        first = (word >> CHILD) & CHILD_MASK
        for node in range(first, first + ((word >> CHILDREN) & CHILDREN_MASK)):
            led = np.int64(targets[row + classes[classes_at + (trie[node] & 255)]])
            if led == DEAD:
                continue
            ends = state[8 * led + FLAGS] & ACCEPTS != 0
            after = n + 1 if led == body and x != start else n
            begun = after if led == body or ends else after + 1
            payload = (trie[node] >> PAYLOAD) & PAYLOAD_MASK
            size, at = np.int64(payload > 0), np.int64(0)
            if payload >= MANY:
                at = np.int64(lists[payload - MANY]) + 1
                size = np.int64(tokens[at - 1])
            for i in range(size):
                token = payload - 1 if at == 0 else np.int64(tokens[at + i])
                if ends:
                    closing[2 * closed], closing[2 * closed + 1] = token, after
                    closed += 1
                else:
                    counted[2 * total], counted[2 * total + 1] = begun, token
                    total += 1
                    most = max(most, begun)
            if ends:
                most, far = max(most, after), max(far, after)
            if (trie[node] >> CHILDREN) & CHILDREN_MASK:
                if ends:
                    places[2 * placed], places[2 * placed + 1] = node, after
                    placed += 1
                elif state[8 * led + FLAGS] & GOES_ON:
                    stack[top], stack[top + 1], stack[top + 2] = led, node, after
                    top += 3
    at = head[COUNTED_USED]
    if at + total + most + 3 + 2 * closed + 2 * placed > size_of(vocabulary, COUNTED):
        return full(COUNTED)
    line = head[COUNTERS] + 1
    if COUNTER_COLUMNS * (line + 1) > size_of(vocabulary, COUNTER):
        return full(COUNTER)
    if total > _MANY_TOKENS and head[DENSE_USED] + head[WIDTH] > size_of(vocabulary, DENSE):
        return full(DENSE)
    table, counter = i32(vocabulary, COUNTED), i32(vocabulary, COUNTER)
    to = COUNTER_COLUMNS * line
    counter[to + C_TOP], counter[to + C_FAR], counter[to + C_TOKENS], counter[to + C_TOKEN_COUNT] = most, far, at, total
    steps = at + total
    for i in range(steps, steps + most + 3):
        table[i] = 0
    for i in range(total):
        table[steps + counted[2 * i] + 2] += 1
    for i in range(steps, steps + most + 2):
        table[i + 1] += table[i]
    for i in range(total):  # the number after the steps moves each step to where it ends
        n = np.int64(counted[2 * i]) + 1
        table[at + table[steps + n]] = counted[2 * i + 1]
        table[steps + n] += 1
    counter[to + C_STEPS] = steps
    at = steps + most + 3
    counter[to + C_CLOSING], counter[to + C_CLOSING_COUNT] = at, closed
    for i in range(2 * closed):
        table[at + i] = closing[i]
    at += 2 * closed
    counter[to + C_PLACES], counter[to + C_PLACE_COUNT] = at, placed
    for i in range(2 * placed):
        table[at + i] = places[i]
    head[COUNTED_USED] = at + 2 * placed
    counter[to + C_ALL] = -1
    if total > _MANY_TOKENS:
        dense, all_ = i64(vocabulary, DENSE), head[DENSE_USED]
        for i in range(all_, all_ + head[WIDTH]):
            dense[i] = 0
        for i in range(total):
            token = np.int64(counted[2 * i + 1])
            dense[all_ + (token >> 6)] |= np.int64(1) << (token & 63)
        counter[to + C_ALL], head[DENSE_USED] = all_, all_ + head[WIDTH]
    head[COUNTERS] = line
    i32(vocabulary, SET_OF)[8 * q + COUNTER_ROW] = line
    return 0


@unit
def remember_counted(vocabulary, key, index):
    """Write an entry of COUNTED_SET; there is room for it."""
    table, slot = i64(vocabulary, COUNTED_SET), slot_of(vocabulary, COUNTED_SET, key)
    table[2 * slot + 1] = index
    table[2 * slot] = key
    return 0


@unit(nogil=True)
def counted_set(vocabulary, automata, q, fewest, most):
    """Make the set of the tokens that can be read from a state of the plain string with so many characters left.

    Its index, or a status.
    """
    status = count_characters(vocabulary, automata, q)
    if status < 0:
        return status
    index = known_counted(vocabulary, q, fewest, most)
    if index:
        return index
    head = i64(vocabulary, VOCABULARY)
    if 4 * head[COUNTED_SETS] + 8 > size_of(vocabulary, COUNTED_SET):  # at most half full, two entries for each set
        return full(COUNTED_SET)
    scratch, width = head[SETS_SCRATCH], head[WIDTH]
    row = np.int64(i32(vocabulary, SET_OF)[8 * q + COUNTER_ROW])
    table, counter, at = i32(vocabulary, COUNTED), i32(vocabulary, COUNTER), COUNTER_COLUMNS * row
    inner, places = i64(scratch, INNER), i32(scratch, PLACES)
    key, begin, total = (
        key_of(vocabulary, row, fewest, most),
        np.int64(counter[at + C_TOKENS]),
        np.int64(counter[at + C_TOKEN_COUNT]),
    )
    low, high = (key >> 20) & 0xFFFFF, key & 0xFFFFF
    n, all_ = np.int64(table[counter[at + C_STEPS] + high + 1]), np.int64(counter[at + C_ALL])
    if all_ >= 0 and 2 * n > total:
        dense = i64(vocabulary, DENSE)
        for i in range(width):
            inner[i] = dense[all_ + i]
        for i in range(begin + n, begin + total):
            inner[table[i] >> 6] &= ~(np.int64(1) << (np.int64(table[i]) & 63))
    else:
        for i in range(width):
            inner[i] = 0
        for i in range(begin, begin + n):
            add(inner, np.int64(table[i]))
    first = np.int64(counter[at + C_CLOSING])
    for i in range(first, first + 2 * np.int64(counter[at + C_CLOSING_COUNT]), 2):
        if low <= table[i + 1] <= high:
            n += add(inner, np.int64(table[i]))
    i64(scratch, SCALAR)[INNER_COUNT] = n
    # suffixes: sets of which the bounds tell no places apart share them
    found, shortest, longest = 0, 1 << 20, -1
    first = np.int64(counter[at + C_PLACES])
    if np.int64(counter[at + C_PLACE_COUNT]) > size_of(scratch, PLACES):
        return full_scratch(PLACES)
    for i in range(first, first + 2 * np.int64(counter[at + C_PLACE_COUNT]), 2):
        if low <= table[i + 1] <= high:
            places[found] = table[i]
            found += 1
            shortest, longest = min(shortest, np.int64(table[i + 1])), max(longest, np.int64(table[i + 1]))
    sets, suffixes = i64(vocabulary, COUNTED_SET), 0
    shared = slot_of(vocabulary, COUNTED_SET, _SUFFIXES_OF | row << 40 | shortest << 20 | longest) if found else -1
    if found and sets[2 * shared]:
        suffixes = np.int64(i32(vocabulary, SET)[4 * sets[2 * shared + 1] + SET_SUFFIXES])
    elif found:
        suffixes = merge_suffixes(vocabulary, found)
        if suffixes < 0:
            return suffixes
    index = keep_set(vocabulary, suffixes)
    if index < 0:
        return index
    if found:
        remember_counted(vocabulary, _SUFFIXES_OF | row << 40 | shortest << 20 | longest, index)
    remember_counted(vocabulary, key, index)
    head[COUNTED_SETS] += 1
    return index
