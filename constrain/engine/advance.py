# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Read a token: all items of an Earley set byte by byte, and where terminals end, what may follow."""

from __future__ import annotations

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, GOES_ON, READY, STATE, step
from constrain.engine.continuations import merge_rows
from constrain.engine.counted_strings import count_step
from constrain.engine.earley import finish, reach, some_missing
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.records import intern_two, length, scratch_full, slot
from constrain.engine.tables import (
    ARGUMENT,
    AUTOMATA,
    BACK,
    BUDGET,
    BYTES,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED_STRING,
    DEPENDENT,
    EXCLUDED_MASK,
    FRONT,
    HEAP,
    HEAP_USED,
    ITEM,
    LEAF,
    LITERAL,
    NEED_RULE,
    NEXT_RULE,
    OFFSET,
    PAYLOAD,
    PAYLOAD_MASK,
    READ,
    RECORD,
    REMEMBERS,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    SPECIAL_AT,
    SPECIAL_ID,
    SPECIAL_ITEM,
    TEXT_MASK,
    TEXT_SHIFT,
    TRACKED,
    VOCABULARY_BLOCK,
    WANTED_COUNT,
    child,
)
from constrain.engine.values import value_of
from constrain.jit import helper, i32, i64, size_of, u8, unit


@helper
def add_set(S, earley, table, n):
    """Append the items of an Earley set to a table, equal ones once; the new number, or a status."""
    heap = i64(S, HEAP)
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    item = i64(scratch, table)
    items = (length(heap, earley) - 2) // ITEM
    if ITEM * (n + items + 1) > size_of(scratch, table):
        return scratch_full(table)
    for i in range(items):
        o, p = earley + 3 + ITEM * i, ITEM * n
        for k in range(ITEM):
            item[p + k] = heap[o + k]
        n += 1
    return n


@unit
def data_after(S, x, byte, data):
    """The data of an activation after a tracked terminal that ends with `byte`; or a status."""
    session = i64(S, SESSION)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    text = intern_two(S, content, READ, (x >> TEXT_SHIFT) & TEXT_MASK, byte)
    if text < 0:
        return text
    return value_of(S, text, data)


@unit
def rule_after(S, terminal, text):
    """The first state of the rule that comes after a terminal and all of the text, -1 if none does; or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    record = intern_two(S, i64(session[SCRATCH_BLOCK], RECORD), NEXT_RULE, terminal, text)
    if record < 0:
        return record
    known = heap[slot(heap, record)]
    if known == 0:
        session[ARGUMENT], session[ARGUMENT + 1] = terminal, text
        return -NEED_RULE
    return known - 2


@unit(quick=True)
def read_byte(S, before, n, after, byte, text):
    """Read a byte in the n items of table `before`; what is left goes to table `after`.

    `text` is the READ record of all of the text with the byte, if states know it.

    Returns items << 1 | whether the text may end behind the byte; or a status.
    """
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch, automata = session[SCRATCH_BLOCK], session[AUTOMATA]
    item, left, content = i64(scratch, before), i64(scratch, after), i64(scratch, RECORD)
    literal, leaf, state = i64(S, LITERAL), i32(S, LEAF), i32(automata, STATE)
    room = size_of(scratch, after) // ITEM - 1
    m, accepting = 0, 0
    i64(scratch, SCRATCH)[WANTED_COUNT] = 0
    for i in range(n):
        o = ITEM * i
        a, x, goal, data, c = item[o], item[o + 1], item[o + 2], item[o + 3], item[o + 4]
        if a >= SPECIAL_ITEM:
            continue
        if m >= room:
            return scratch_full(after)
        p = ITEM * m
        if a < 0:
            reached = child(literal, literal[-a], byte)
            if reached < 0:
                continue
            there = literal[reached]
            if (there >> CHILDREN) & CHILDREN_MASK:
                left[p], left[p + 1], left[p + 2], left[p + 3], left[p + 4] = -reached, x, 0, data, c
                m += 1
            ended = (there >> PAYLOAD) & PAYLOAD_MASK
            if ended:
                for k in range(leaf[ended]):
                    earley = reach(S, leaf[ended + 1 + k], data, c)
                    m = add_set(S, earley, after, m) if earley > 0 else earley
                    if m < 0:
                        return m
                    accepting |= heap[earley + 1]
            continue
        if not state[8 * a + FLAGS] & READY:
            status = make_ready(automata, a)
            if status < 0:
                return status
        q = step(automata, a, byte)
        if q == 0:
            continue
        local, behind, following = x, data, goal
        flags = state[8 * q + FLAGS]
        if x & DEPENDENT:
            following = rule_after(S, x & 0xFFFFFFFF, text)
            if following == -1:
                continue
            if following < 0:
                return following
        if x & TRACKED:
            e = x & EXCLUDED_MASK
            if e:
                e = step_excluded(S, e, byte)
                if e < 0:
                    return e
                if e == MATCHED:
                    continue
            text = intern_two(S, content, READ, (x >> TEXT_SHIFT) & TEXT_MASK, byte)
            if text < 0:
                return text
            local = TRACKED | text << TEXT_SHIFT | e
            if flags & ACCEPTS:
                behind = data_after(S, x, byte, data)
                if behind < 0:
                    return behind
        elif x & COUNTED_STRING:
            local = count_step(session[VOCABULARY_BLOCK], a, q, x)
            if local < 0:
                continue
        if flags & GOES_ON:
            left[p], left[p + 1], left[p + 2], left[p + 3], left[p + 4] = q, local, goal, data, c
            m += 1
        if flags & ACCEPTS:
            earley = reach(S, following, behind, c)
            m = add_set(S, earley, after, m) if earley > 0 else earley
            if m < 0:
                return m
            accepting |= heap[earley + 1]
    status = some_missing(scratch)
    if n > 1 and m > 1 and status == 0:
        m = merge_rows(S, after, 0, m, ITEM)
        status = min(m, 0)
    return m << 1 | accepting if status == 0 else status


@helper
def text_of(S, earley):
    """The READ record of all of the text up to an Earley set, 0 if states do not know it."""
    text = i64(S, HEAP)[earley + 2]
    return text if text else i64(S, SESSION)[REMEMBERS]


@unit(quick=True)
def load_items(S, earley):
    """Copy the items of an Earley set to FRONT; their number, or a status."""
    return add_set(S, earley, FRONT, 0)


@unit
def read_special(S, earley, token):
    """The Earley set after a token that spells nothing, 0 if it cannot follow; or a status."""
    heap, ids, at = i64(S, HEAP), i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
    n, accepting = 0, 0
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    i64(scratch, SCRATCH)[WANTED_COUNT] = 0
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        if heap[o] < SPECIAL_ITEM:
            continue
        symbol = heap[o] - SPECIAL_ITEM
        for k in range(at[symbol], at[symbol + 1]):
            if ids[k] == token:
                reached = reach(S, heap[o + 2], heap[o + 3], heap[o + 4])
                n = add_set(S, reached, FRONT, n) if reached > 0 else reached
                if n < 0:
                    return n
                accepting |= heap[reached + 1]
                break
    status = some_missing(scratch)
    if status < 0:
        return status
    return finish(S, FRONT, n, accepting, text_of(S, earley)) if n or accepting else 0


@unit
def read_bytes(S, earley, table, first, last):
    """Read bytes first .. last of BYTES of the vocabulary, or of a buffer; see `commit`."""
    session = i64(S, SESSION)
    n = load_items(S, earley)
    if n < 0:
        return n
    data = u8(session[VOCABULARY_BLOCK], BYTES)
    front, back, accepting = FRONT, BACK, 0
    text = text_of(S, earley)
    for at in range(first, last):
        if text:
            text = intern_two(S, i64(session[SCRATCH_BLOCK], RECORD), READ, text, data[at])
            if text < 0:
                return text
        found = read_byte(S, front, n, back, data[at], text)
        if found < 0:
            return found
        n, accepting = found >> 1, found & 1
        front, back = back, front
        if n == 0 and (at + 1 < last or not accepting):
            return 0
    return finish(S, front, n, accepting, text)


@unit(quick=True)
def commit(S, earley, token):
    """The Earley set after a token, 0 if it cannot follow; or a status."""
    offset = i32(i64(S, SESSION)[VOCABULARY_BLOCK], OFFSET)
    if offset[token] == offset[token + 1]:
        return read_special(S, earley, token)
    return read_bytes(S, earley, BYTES, offset[token], offset[token + 1])


@unit(quick=True)
def go(S, earley, token):
    """The Earley set after a token << 2 | whether HEAP is full << 1 | whether the output may end; or as `commit`."""
    reached = commit(S, earley, token)
    if reached <= 0:
        return reached
    session = i64(S, SESSION)
    return reached << 2 | (session[HEAP_USED] > session[BUDGET]) << 1 | i64(S, HEAP)[reached + 1]
