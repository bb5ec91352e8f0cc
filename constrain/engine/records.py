# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Interned records: continuations, and their unions.

A continuation says where a rule returns to: pairs (return state, data of the activation, continuation of that), at most
one for each return state and data. This is the graph-structured stack of generalised parsing (Tomita 1985) with the
packing of Earley's parser (1970): however ambiguous a text, the number of continuations stays polynomial.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import FULL
from constrain.engine.tables import (
    GATHER,
    HASH,
    HASH_USED,
    HEAP,
    HEAP_USED,
    LOOP,
    MERGE,
    NET,
    NET_FLAGS,
    OUTER,
    PAIRS,
    PURE,
    RECORD,
    RESOLVE,
    SCRATCH_BLOCK,
    SCRATCH_TABLE,
    SESSION,
    SESSION_TABLE,
    UNION,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

_SLOTS = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 7) | (1 << 9) | (1 << 11) | (1 << 13)
"""Kinds of records with a slot: EARLEY, CLOSURE, LOOP, UNION, EXCLUDED, VALUE, NEXT_RULE."""


@helper
def session_full(table):
    """The status for a table of S without room."""
    return -((SESSION_TABLE + table) << 4 | FULL)


@helper
def scratch_full(table):
    """The status for a table of X without room."""
    return -((SCRATCH_TABLE + table) << 4 | FULL)


@helper
def length(heap, record):
    """Words of content."""
    return heap[record] >> 8


@helper
def slot(heap, record):
    """Where the slot of a record is."""
    return record + 1 + (heap[record] >> 8)


@unit
def intern(S, kind, n):
    """Find or make the record with the first n words of RECORD as content. Its slot, if it has one, begins as 0."""
    session = i64(S, SESSION)
    heap, table = i64(S, HEAP), i64(S, HASH)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    head = (n << 8) | kind
    h = mix(7, head)
    for i in range(n):
        h = mix(h, content[i])
    mask = size_of(S, HASH) - 1
    k = h & mask
    while table[k]:
        record = table[k]
        if heap[record] == head:
            same = True
            for i in range(n):
                if heap[record + 1 + i] != content[i]:
                    same = False
                    break
            if same:
                return record
        k = (k + 1) & mask
    record = session[HEAP_USED]
    slots = (_SLOTS >> kind) & 1
    if record + n + 2 > size_of(S, HEAP):
        return session_full(HEAP)
    if 2 * session[HASH_USED] > mask:
        return session_full(HASH)
    heap[record] = head
    for i in range(n):
        heap[record + 1 + i] = content[i]
    if slots:
        heap[record + 1 + n] = 0
    session[HEAP_USED] = record + 1 + n + slots
    table[k] = record
    session[HASH_USED] += 1
    return record


@unit
def rehash(S, first):
    """Enter all records from offset `first` on into an empty HASH."""
    session, heap, table = i64(S, SESSION), i64(S, HEAP), i64(S, HASH)
    mask = size_of(S, HASH) - 1
    record = first
    session[HASH_USED] = 0
    while record < session[HEAP_USED]:
        head = heap[record]
        n, kind = head >> 8, head & 255
        if kind != 12:  # MASK
            h = mix(7, head)
            for i in range(n):
                h = mix(h, heap[record + 1 + i])
            k = h & mask
            while table[k]:
                k = (k + 1) & mask
            table[k] = record
            session[HASH_USED] += 1
        record += 1 + n + ((_SLOTS >> kind) & 1)
    return 0


@helper
def sort_triples(content, n):
    """Sort n triples, drop equal ones; the number left."""
    for i in range(1, n):
        a, b, c = content[3 * i], content[3 * i + 1], content[3 * i + 2]
        j = i - 1
        while j >= 0:
            o = 3 * j
            if content[o] < a or (
                content[o] == a and (content[o + 1] < b or (content[o + 1] == b and content[o + 2] <= c))
            ):
                break
            content[o + 3], content[o + 4], content[o + 5] = content[o], content[o + 1], content[o + 2]
            j -= 1
        content[3 * j + 3], content[3 * j + 4], content[3 * j + 5] = a, b, c
    m = 0
    for i in range(n):
        a, b, c = content[3 * i], content[3 * i + 1], content[3 * i + 2]
        if m == 0 or content[3 * m - 3] != a or content[3 * m - 2] != b or content[3 * m - 1] != c:
            content[3 * m], content[3 * m + 1], content[3 * m + 2] = a, b, c
            m += 1
    return m


@helper
def intern_pairs(S, content, triples, n):
    """Intern n sorted triples as PAIRS."""
    for i in range(3 * n):
        content[i] = triples[i]
    return intern(S, PAIRS, 3 * n)


@helper
def intern_two(S, content, kind, a, b):
    """Intern a record of two words."""
    content[0], content[1] = a, b
    return intern(S, kind, 2)


@helper
def is_loop(heap, record):
    """Whether a continuation is that of a left-recursive rule."""
    return heap[record] & 255 == LOOP


@helper
def plain(heap, record):
    """The PAIRS of a continuation, 0 if they have not been worked out."""
    return heap[slot(heap, record)] if is_loop(heap, record) else record


@helper
def add_pairs(heap, pairs, triples, n):
    """Append the triples of PAIRS; the new number."""
    for i in range(heap[pairs] >> 8):
        triples[3 * n + i] = heap[pairs + 1 + i]
    return n + (heap[pairs] >> 8) // 3


@helper
def united(S, content, a, b):
    """The continuation that is either, or a UNION without a slot if that has to be worked out."""
    if a == b:
        return a
    record = intern_two(S, content, UNION, min(a, b), max(a, b))
    if record < 0:
        return record
    heap = i64(S, HEAP)
    known = heap[slot(heap, record)]
    return known if known else record


@helper
def merge_outers(S, a, b, stack, sp):
    """The OUTER that unites two of one component; 0 after a UNION that is needed first was put on the stack."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    i, j, n = a + 2, b + 2, 0
    last_a, last_b = a + 1 + length(heap, a), b + 1 + length(heap, b)
    # interning a union takes two words of `content`: the result is built behind them
    if length(heap, a) + length(heap, b) + 8 > size_of(session[SCRATCH_BLOCK], RECORD):
        return scratch_full(RECORD)
    while i < last_a or j < last_b:
        if j >= last_b or (i < last_a and heap[i] < heap[j]):
            rule, c = heap[i], heap[i + 1]
            i += 2
        elif i >= last_a or heap[j] < heap[i]:
            rule, c = heap[j], heap[j + 1]
            j += 2
        else:
            rule = heap[i]
            c = united(S, content, heap[i + 1], heap[j + 1])
            if c < 0:
                return c
            if heap[c] & 255 == UNION:
                stack[sp] = c
                return np.int64(0)
            i += 2
            j += 2
        content[3 + n], content[4 + n] = rule, c
        n += 2
    content[0] = heap[a + 1]
    for k in range(n):
        content[1 + k] = content[3 + k]
    return intern(S, OUTER, n + 1)


@helper
def loop_pairs(S, record, triples, room):
    """Write the pairs of a LOOP to `triples`, not sorted; their number, or a status.

    Calls that return to where their rule ends at once stand for what that rule returns to, and so on upwards.
    """
    session, heap, net = i64(S, SESSION), i64(S, HEAP), i32(S, NET)
    content = i64(session[SCRATCH_BLOCK], RECORD)
    outer, rule = heap[record + 1], heap[record + 2]
    component = heap[outer + 1]
    calls, outers = length(heap, component) // 3, (length(heap, outer) - 1) // 2
    n = 0
    # `content` beyond the two words that interning takes holds the rules whose ends end this one
    content[2] = rule
    known = 1
    i = 0
    while i < known:
        rule = content[2 + i]
        i += 1
        for j in range(calls):
            o = component + 1 + 3 * j
            if heap[o + 2] != rule:
                continue
            caller, back = heap[o], heap[o + 1]
            if net[8 * back + NET_FLAGS] & PURE:
                new = True
                for k in range(known):
                    if content[2 + k] == caller:
                        new = False
                        break
                if new:
                    if known + 3 >= size_of(session[SCRATCH_BLOCK], RECORD):
                        return scratch_full(RECORD)
                    content[2 + known] = caller
                    known += 1
                continue
            made = intern_two(S, content, LOOP, outer, caller)
            if made < 0:
                return made
            if n >= room:
                return scratch_full(RESOLVE)
            triples[3 * n], triples[3 * n + 1], triples[3 * n + 2] = back, caller >> 32, made
            n += 1
        for j in range(outers):
            o = outer + 2 + 2 * j
            if heap[o] == rule:
                if n + length(heap, heap[o + 1]) // 3 > room:
                    return scratch_full(RESOLVE)
                n = add_pairs(heap, heap[o + 1], triples, n)
    return n


@unit
def resolve(S, record):
    """Fill the slot of a LOOP (its pairs) or a UNION (the continuation that is either); returns it."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    content, triples, stack = i64(scratch, RECORD), i64(scratch, RESOLVE), i64(scratch, MERGE)
    room, most = size_of(scratch, RESOLVE) // 3, size_of(scratch, MERGE) - 4
    stack[0] = record
    sp = 1
    while sp > 0:
        if sp > most:
            return scratch_full(MERGE)
        top = stack[sp - 1]
        if heap[slot(heap, top)]:
            sp -= 1
            continue
        a, b = heap[top + 1], heap[top + 2]
        waits = False
        if is_loop(heap, top):
            n = loop_pairs(S, top, triples, room)
            if n < 0:
                return n
        elif (
            is_loop(heap, a)
            and is_loop(heap, b)
            and heap[a + 2] == heap[b + 2]
            and heap[heap[a + 1] + 1] == heap[heap[b + 1] + 1]
        ):
            # the same rule, returning to different places outside: unite these
            made = merge_outers(S, heap[a + 1], heap[b + 1], stack, sp)
            if made < 0:
                return made
            if made == 0:
                sp += 1
                continue
            made = intern_two(S, content, LOOP, made, heap[a + 2])
            if made < 0:
                return made
            heap[slot(heap, top)] = made
            continue
        else:
            pa, pb = plain(heap, a), plain(heap, b)
            if pa == 0 or pb == 0:
                stack[sp] = b if pa else a
                sp += 1
                continue
            if (length(heap, pa) + length(heap, pb)) // 3 > room:
                return scratch_full(RESOLVE)
            n = add_pairs(heap, pb, triples, add_pairs(heap, pa, triples, 0))
        n = sort_triples(triples, n)
        m = 0
        for i in range(n):
            if m and triples[3 * i] == triples[3 * m - 3] and triples[3 * i + 1] == triples[3 * m - 2]:
                c = united(S, content, triples[3 * m - 1], triples[3 * i + 2])
                if c < 0:
                    return c
                if heap[c] & 255 == UNION:
                    stack[sp] = c
                    sp += 1
                    waits = True
                    break
                triples[3 * m - 1] = c
            else:
                triples[3 * m], triples[3 * m + 1] = triples[3 * i], triples[3 * i + 1]
                triples[3 * m + 2] = triples[3 * i + 2]
                m += 1
        if waits:
            continue
        made = intern_pairs(S, content, triples, m) if 3 * m < size_of(scratch, RECORD) else scratch_full(RECORD)
        if made < 0:
            return made
        heap[slot(heap, top)] = made
    return heap[slot(heap, record)]


@unit
def pairs_of(S, continuation):
    """The PAIRS that a continuation is equal to."""
    heap = i64(S, HEAP)
    pairs = plain(heap, continuation)
    return pairs if pairs else resolve(S, continuation)


@unit
def pack(S, n):
    """Intern the n triples in GATHER as a continuation, with one pair for each return state and data."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    content, triples = i64(scratch, RECORD), i64(scratch, GATHER)
    n = sort_triples(triples, n)
    m = 0
    for i in range(n):
        if m and triples[3 * i] == triples[3 * m - 3] and triples[3 * i + 1] == triples[3 * m - 2]:
            c = united(S, content, triples[3 * m - 1], triples[3 * i + 2])
            if c > 0 and heap[c] & 255 == UNION:
                c = resolve(S, c)
            if c < 0:
                return c
            triples[3 * m - 1] = c
        else:
            triples[3 * m], triples[3 * m + 1] = triples[3 * i], triples[3 * i + 1]
            triples[3 * m + 2] = triples[3 * i + 2]
            m += 1
    if 3 * m > size_of(scratch, RECORD):
        return scratch_full(RECORD)
    return intern_pairs(S, content, triples, m)


@unit
def unite(S, a, b):
    """The continuation that is either of two."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    c = united(S, i64(session[SCRATCH_BLOCK], RECORD), a, b)
    return resolve(S, c) if c > 0 and heap[c] & 255 == UNION else c
