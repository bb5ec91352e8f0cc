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
    CONT,
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
    OUTERS,
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
def is_less(rows, p, q, width):
    """Whether the row at p stands before that at q."""
    for k in range(width):
        if rows[p + k] != rows[q + k]:
            return rows[p + k] < rows[q + k]
    return False


@helper
def is_same(rows, p, q, width):
    """Whether the first words of two rows are equal."""
    for k in range(width):
        if rows[p + k] != rows[q + k]:
            return False
    return True


@helper
def swap_rows(rows, p, q, width):
    """Swap two rows."""
    for k in range(width):
        word = rows[p + k]
        rows[p + k] = rows[q + k]
        rows[q + k] = word


@unit
def sort_rows(block, table, first, last, width):
    """Sort rows first .. last of a table of int64, `width` words each, by their words: a heap sort."""
    rows, base, size = i64(block, table), width * first, last - first
    root = size // 2
    while size > 1:
        if root > 0:
            root -= 1
        else:
            size -= 1
            swap_rows(rows, base, base + width * size, width)
        at = root
        while 2 * at + 1 < size:
            below = 2 * at + 1
            if below + 1 < size and is_less(rows, base + width * below, base + width * (below + 1), width):
                below += 1
            if not is_less(rows, base + width * at, base + width * below, width):
                break
            swap_rows(rows, base + width * at, base + width * below, width)
            at = below
    return 0


SHORT = 24
"""Rows up to which sorting and comparing one by one is faster."""


@helper
def sort_triples(scratch, table, n):
    """Sort n triples in a table of X, drop equal ones; the number left."""
    content = i64(scratch, table)
    if n > SHORT:
        sort_rows(scratch, table, 0, n, 3)
    for i in range(1, n if n <= SHORT else 0):
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


LATER = -1  # in the slot of a UNION: it stands for itself, and its pairs have not been worked out


@helper
def plain(heap, record):
    """The PAIRS of a continuation, 0 if they have not been worked out."""
    kind = heap[record] & 255
    if kind != LOOP and kind != UNION:
        return record
    known = heap[slot(heap, record)]
    if kind == UNION and known > 0 and is_loop(heap, known):
        return heap[slot(heap, known)]
    return known if known >= 0 else 0 if known == LATER else -known


@helper
def is_open(heap, c):
    """Whether a continuation is a UNION of which it is not known what it is."""
    return heap[c] & 255 == UNION and heap[slot(heap, c)] == 0


@helper
def waits_for(heap, stack, sp, c):
    """Whether an open UNION has to be worked out first: not if that waits for what is on the stack."""
    for i in range(sp):
        if stack[i] == c:
            heap[slot(heap, c)] = LATER
            return False
    return True


@helper
def add_pairs(heap, pairs, triples, n):
    """Append the triples of PAIRS; the new number."""
    for i in range(heap[pairs] >> 8):
        triples[3 * n + i] = heap[pairs + 1 + i]
    return n + (heap[pairs] >> 8) // 3


@helper
def put_leaf(content, k, leaf):
    """Add a leaf to the first k of a union, which ascend; the new k."""
    at = k
    while at > 0 and content[at - 1] > leaf:
        content[at] = content[at - 1]
        at -= 1
    content[at] = leaf
    if at > 0 and content[at - 1] == leaf:
        for i in range(at, k):
            content[i] = content[i + 1]
        return k
    return k + 1


@helper
def put_leaves(heap, content, k, c):
    """Add a continuation to the leaves of a union, one that is a union itself leaf by leaf; the new k."""
    if heap[c] & 255 != UNION:
        return put_leaf(content, k, c)
    for i in range(c + 1, c + 1 + length(heap, c)):
        k = put_leaf(content, k, heap[i])
    return k


@helper
def united(S, content, a, b):
    """The continuation that is either, or an open UNION; or a status."""
    if a == b:
        return a
    heap = i64(S, HEAP)
    if length(heap, a) + length(heap, b) + 4 > size_of(i64(S, SESSION)[SCRATCH_BLOCK], RECORD):
        return scratch_full(RECORD)
    k = put_leaves(heap, content, put_leaves(heap, content, 0, a), b)
    record = intern(S, UNION, k)
    if record < 0:
        return record
    heap = i64(S, HEAP)
    known = heap[slot(heap, record)]
    return known if known > 0 else record


@helper
def merge_outers(S, a, b, stack, sp):
    """The OUTER that unites two of one component; 0 after a UNION that is needed first was put on the stack."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    content, made = i64(session[SCRATCH_BLOCK], RECORD), i64(session[SCRATCH_BLOCK], OUTERS)
    i, j, n = a + 2, b + 2, 0
    last_a, last_b = a + 1 + length(heap, a), b + 1 + length(heap, b)
    if length(heap, a) + length(heap, b) > size_of(session[SCRATCH_BLOCK], OUTERS):
        return scratch_full(OUTERS)
    if length(heap, a) + length(heap, b) > size_of(session[SCRATCH_BLOCK], RECORD):
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
            if is_open(heap, c) and waits_for(heap, stack, sp, c):
                stack[sp] = c
                return np.int64(0)
            i += 2
            j += 2
        made[n], made[n + 1] = rule, c
        n += 2
    content[0] = heap[a + 1]
    for k in range(n):
        content[1 + k] = made[k]
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


@helper
def pairs_of_leaves(S, union, triples, room, stack, sp):
    """Write the pairs of all leaves of a UNION to `triples`; their number, -1 after what is needed first was put on
    the stack, -2 if that is on the stack; or a status.
    """
    heap = i64(S, HEAP)
    n = 0
    for i in range(union + 1, union + 1 + length(heap, union)):
        pairs = plain(heap, heap[i])
        if pairs == 0:
            for k in range(sp):
                if stack[k] == heap[i]:
                    return -2
            stack[sp] = heap[i]
            return -1
        if n + length(heap, pairs) // 3 > room:
            return scratch_full(RESOLVE)
        n = add_pairs(heap, pairs, triples, n)
    return n


@unit
def resolve(S, record):
    """Fill the slot of a LOOP (its pairs) or a UNION (the continuation that is either, or less its own pairs if it
    stands for itself, since they refer to it). Returns the pairs of a LOOP, the continuation that a UNION is.
    """
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
        known = heap[slot(heap, top)]
        if known != 0 and known != LATER:
            sp -= 1
            continue
        a, b = heap[top + 1], heap[top + 2]
        waits = False
        if is_loop(heap, top):
            n = loop_pairs(S, top, triples, room)
            if n < 0:
                return n
        elif (
            length(heap, top) == 2
            and is_loop(heap, a)
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
            n = pairs_of_leaves(S, top, triples, room, stack, sp)
            if n == -1:
                sp += 1
                continue
            if n == -2:
                heap[slot(heap, top)] = LATER
                sp -= 1
                continue
            if n < 0:
                return n
        n = sort_triples(scratch, RESOLVE, n)
        m = 0
        for i in range(n):
            if m and triples[3 * i] == triples[3 * m - 3] and triples[3 * i + 1] == triples[3 * m - 2]:
                c = united(S, content, triples[3 * m - 1], triples[3 * i + 2])
                if c < 0:
                    return c
                if is_open(heap, c) and waits_for(heap, stack, sp, c):
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
        heap[slot(heap, top)] = -made if heap[slot(heap, top)] == LATER else made
    known = heap[slot(heap, record)]
    return known if known > 0 else record


@unit
def pairs_of(S, continuation):
    """The PAIRS that a continuation is equal to."""
    heap = i64(S, HEAP)
    pairs = plain(heap, continuation)
    while pairs == 0:
        known = heap[slot(heap, continuation)]
        status = resolve(S, continuation if known <= 0 else known)
        if status < 0:
            return status
        pairs = plain(heap, continuation)
    return pairs


@unit
def pack(S, n):
    """Intern the n triples in GATHER as a continuation, with one pair for each return state and data."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    content, triples = i64(scratch, RECORD), i64(scratch, GATHER)
    n = sort_triples(scratch, GATHER, n)
    m = 0
    for i in range(n):
        if m and triples[3 * i] == triples[3 * m - 3] and triples[3 * i + 1] == triples[3 * m - 2]:
            c = united(S, content, triples[3 * m - 1], triples[3 * i + 2])
            if c > 0 and is_open(heap, c):
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
    return resolve(S, c) if c > 0 and is_open(heap, c) else c


@unit
def merge_rows(S, table, first, last, width):
    """Make one of the items in rows first .. last of a table of X that differ in their continuations alone.

    An item is the first words of a row of `width` words. Returns the new end, or a status.
    """
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    rows, end, is_sorted = i64(scratch, table), first, last - first > SHORT
    if is_sorted:  # equal ones stand side by side
        sort_rows(scratch, table, first, last, width)
    for i in range(first, last):
        o, j = width * i, max(end - 1, first) if is_sorted else first
        while j < end and not is_same(rows, width * j, o, CONT):
            j += 1
        if j == end:
            for k in range(width):
                rows[width * end + k] = rows[o + k]
            end += 1
        elif rows[width * j + CONT] != rows[o + CONT]:
            c = unite(S, rows[width * j + CONT], rows[o + CONT])
            if c < 0:
                return c
            rows[width * j + CONT] = c
    return end
