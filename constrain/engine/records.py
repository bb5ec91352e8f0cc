# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Interned records, and the sorting of rows of which they are made."""

from __future__ import annotations

from constrain.automata.tables import FULL
from constrain.engine.tables import (
    HASH,
    HASH_USED,
    HEAP,
    HEAP_USED,
    RECORD,
    SCRATCH,
    SCRATCH_BLOCK,
    SCRATCH_TABLE,
    SESSION,
    SESSION_TABLE,
    WANTED,
    WANTED_COUNT,
)
from constrain.jit import helper, i64, mix, size_of, unit

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


@unit(quick=True)
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
def sort_short(rows, base, n, width):
    """Sort n rows from word `base` on by their words: an insertion sort."""
    for i in range(1, n):
        at = base + width * i
        while at > base and is_less(rows, at, at - width, width):
            swap_rows(rows, at - width, at, width)
            at -= width


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
def intern_two(S, content, kind, a, b):
    """Intern a record of two words."""
    content[0], content[1] = a, b
    return intern(S, kind, 2)


@helper
def want(scratch, what):
    """Note a state of the network or a token set that is missing: -1, or a status."""
    numbers = i64(scratch, SCRATCH)
    n = numbers[WANTED_COUNT]
    if n >= size_of(scratch, WANTED):
        return scratch_full(WANTED)
    i64(scratch, WANTED)[n] = what
    numbers[WANTED_COUNT] = n + 1
    return -1
