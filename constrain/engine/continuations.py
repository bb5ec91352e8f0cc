# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Continuations: where rules return to.

A *leaf* is what one activation of a rule returns to. It is equal to triples (return state, data, continuation), at most
one for each return state and data: a PAIRS record is these, of a LOOP (left recursion) they are worked out once. A
continuation is a leaf, or the UNION of several, which is a sorted list of leaves and nothing else. This is the
graph-structured stack of generalised parsing (Tomita 1985): at each place of a text a rule has one leaf for each of the
items that call it, and unions refer to leaves instead of merging what they return to, so that the number of records
stays polynomial however ambiguous a grammar is.

A leaf that another one of a union *includes* is dropped: `e: e "+" e` comes back to the same Earley set after each
operand. A leaf includes another if it simulates it (Park 1981), which is looked for in a bounded number of steps.
"""

from __future__ import annotations

import numpy as np

from constrain.engine.records import (
    SHORT,
    intern,
    intern_two,
    is_same,
    length,
    scratch_full,
    slot,
    sort_rows,
    sort_short,
    sort_triples,
)
from constrain.engine.tables import (
    CONT,
    GATHER,
    HEAP,
    LEAVES,
    LOOP,
    NET,
    NET_FLAGS,
    PAIRS,
    PURE,
    RECORD,
    RESOLVE,
    SCRATCH_BLOCK,
    SESSION,
    SIMULATED,
    UNION,
)
from constrain.jit import helper, i32, i64, size_of, unit

COMPARED = 64
"""Pairs of leaves of one union that are compared."""
ASSUMED = 32
"""Pairs of leaves that one comparison looks at."""


@helper
def is_loop(heap, record):
    """Whether a leaf is that of a left-recursive rule."""
    return heap[record] & 255 == LOOP


@helper
def leaves_of(heap, c):
    """How many leaves a continuation has."""
    return length(heap, c) if heap[c] & 255 == UNION else 1


@helper
def leaf_of(heap, c, i):
    """Leaf i of a continuation."""
    return heap[c + 1 + i] if heap[c] & 255 == UNION else c


@helper
def put_leaf(content, k, leaf):
    """Add a leaf to k that ascend; the new k."""
    at = k
    while at > 0 and content[at - 1] > leaf:
        at -= 1
    if at > 0 and content[at - 1] == leaf:
        return k
    for i in range(k, at, -1):
        content[i] = content[i - 1]
    content[at] = leaf
    return k + 1


@helper
def put_leaves(S, content, k, c):
    """Add the leaves of a continuation to k that ascend, in RECORD; the new k, or a status."""
    heap = i64(S, HEAP)
    n = leaves_of(heap, c)
    if k + n > size_of(i64(S, SESSION)[SCRATCH_BLOCK], RECORD):
        return scratch_full(RECORD)
    for i in range(n):
        k = put_leaf(content, k, leaf_of(heap, c, i))
    return k


@helper
def union_of(S, content, k):
    """The continuation of the k leaves in RECORD."""
    return content[0] if k == 1 else intern(S, UNION, k)


@helper
def add_pairs(heap, pairs, triples, n):
    """Append the triples of PAIRS; the new number."""
    for i in range(heap[pairs] >> 8):
        triples[3 * n + i] = heap[pairs + 1 + i]
    return n + (heap[pairs] >> 8) // 3


@helper
def loop_triples(S, record, triples, room):
    """Write what a LOOP returns to to `triples`, not sorted; their number, or a status.

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
def group_triples(S, table, n):
    """Unite those of n triples in a table of X that differ in their continuations alone; the number, or a status."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    content, triples = i64(scratch, RECORD), i64(scratch, table)
    n = sort_triples(scratch, table, n)
    m, i = 0, 0
    while i < n:
        first, k = i, 0
        while i < n and triples[3 * i] == triples[3 * first] and triples[3 * i + 1] == triples[3 * first + 1]:
            i += 1
        c = triples[3 * first + 2]
        if i - first > 1:
            for j in range(first, i):
                k = put_leaves(S, content, k, triples[3 * j + 2])
                if k < 0:
                    return np.int64(k)
            c = union_of(S, content, k)
            if c < 0:
                return c
        triples[3 * m], triples[3 * m + 1], triples[3 * m + 2] = triples[3 * first], triples[3 * first + 1], c
        m += 1
    return np.int64(m)


@helper
def intern_triples(S, table, n):
    """Intern the first n triples of a table of X as PAIRS."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    content, triples = i64(scratch, RECORD), i64(scratch, table)
    if 3 * n > size_of(scratch, RECORD):
        return scratch_full(RECORD)
    for i in range(3 * n):
        content[i] = triples[i]
    return intern(S, PAIRS, 3 * n)


@unit
def pairs_of(S, leaf):
    """The PAIRS that a leaf is equal to, or a status."""
    heap = i64(S, HEAP)
    if not is_loop(heap, leaf):
        return leaf
    if heap[slot(heap, leaf)]:
        return heap[slot(heap, leaf)]
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    n = loop_triples(S, leaf, i64(scratch, RESOLVE), size_of(scratch, RESOLVE) // 3)
    if n >= 0:
        n = group_triples(S, RESOLVE, n)
    made = intern_triples(S, RESOLVE, n) if n >= 0 else n
    if made > 0:
        heap[slot(heap, leaf)] = made
    return made


@unit
def all_pairs_of(S, c):
    """The PAIRS that a continuation is equal to, or a status."""
    heap, scratch = i64(S, HEAP), i64(S, SESSION)[SCRATCH_BLOCK]
    triples, room = i64(scratch, GATHER), size_of(scratch, GATHER) // 3
    leaves, n = leaves_of(heap, c), 0
    for i in range(leaves):
        pairs = pairs_of(S, leaf_of(heap, c, i))
        if pairs < 0 or leaves == 1:
            return pairs
        if n + length(heap, pairs) // 3 > room:
            return scratch_full(GATHER)
        n = add_pairs(heap, pairs, triples, n)
    n = group_triples(S, GATHER, n)
    return intern_triples(S, GATHER, n) if n >= 0 else n


@helper
def may_include(heap, big, small):
    """Whether a leaf looks like one that includes another."""
    if heap[big] & 255 != heap[small] & 255:
        return False
    if is_loop(heap, big):
        return heap[big + 2] == heap[small + 2] and heap[heap[big + 1] + 1] == heap[heap[small + 1] + 1]
    return length(heap, big) >= length(heap, small)


@unit
def includes(S, big, small):
    """1 if a leaf is found to include another, 0 if not, or a status.

    Pairs of leaves are assumed until one of them is refuted: a simulation is any set of pairs that needs only its own.
    """
    heap, assumed = i64(S, HEAP), i64(i64(S, SESSION)[SCRATCH_BLOCK], SIMULATED)
    assumed[0], assumed[1] = big, small
    n, i = 1, 0
    while i < n:
        b, s = pairs_of(S, assumed[2 * i]), pairs_of(S, assumed[2 * i + 1])
        if min(b, s) < 0:
            return min(b, s)
        i += 1
        last, j = b + length(heap, b), b + 1
        for o in range(s + 1, s + 1 + length(heap, s), 3):
            while j < last and (heap[j] < heap[o] or (heap[j] == heap[o] and heap[j + 1] < heap[o + 1])):
                j += 3
            if j >= last or heap[j] != heap[o] or heap[j + 1] != heap[o + 1]:
                return np.int64(0)
            if heap[o + 2] == heap[j + 2]:
                continue
            for k in range(leaves_of(heap, heap[o + 2])):
                leaf, found = leaf_of(heap, heap[o + 2], k), np.int64(0)
                for q in range(leaves_of(heap, heap[j + 2])):
                    other = leaf_of(heap, heap[j + 2], q)
                    if other == leaf:
                        found = leaf
                        break
                    if found == 0 and may_include(heap, other, leaf):
                        found = other
                known = found == leaf
                for q in range(n):
                    known |= assumed[2 * q] == found and assumed[2 * q + 1] == leaf
                if known:
                    continue
                if found == 0 or n == ASSUMED:
                    return np.int64(0)
                assumed[2 * n], assumed[2 * n + 1] = found, leaf
                n += 1
    return np.int64(1)


@unit
def reduced(S, c):
    """A continuation less the leaves that others of it include."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    if heap[c] & 255 != UNION:
        return c
    if heap[slot(heap, c)]:
        return heap[slot(heap, c)]
    scratch = session[SCRATCH_BLOCK]
    leaves, n, compared = i64(scratch, LEAVES), length(heap, c), 0
    if n > size_of(scratch, LEAVES):
        return scratch_full(LEAVES)
    for i in range(n):
        leaves[i] = heap[c + 1 + i]
    for i in range(n - 1, -1, -1):  # of two that include each other the older one stays
        for j in range(n):
            if i != j and leaves[j] and may_include(heap, leaves[j], leaves[i]):
                compared += 1
                if compared > COMPARED:
                    break
                status = includes(S, leaves[j], leaves[i])
                if status < 0:
                    return status
                if status:
                    leaves[i] = 0
                    break
    content, k = i64(scratch, RECORD), 0
    for i in range(n):
        if leaves[i]:
            content[k] = leaves[i]
            k += 1
    made = union_of(S, content, k)
    if made > 0:
        heap[slot(heap, c)] = made
        if heap[made] & 255 == UNION:
            heap[slot(heap, made)] = made
    return made


@unit
def pack(S, n):
    """Intern the n triples in GATHER as a continuation."""
    triples = i64(i64(S, SESSION)[SCRATCH_BLOCK], GATHER)
    n = group_triples(S, GATHER, n)
    for i in range(n):
        c = reduced(S, triples[3 * i + 2])
        if c < 0:
            return c
        triples[3 * i + 2] = c
    return intern_triples(S, GATHER, n) if n >= 0 else n


@unit
def merge_rows(S, table, first, last, width):
    """Make one of the items in rows first .. last of a table of X that differ in their continuations alone.

    An item is the first words of a row of `width` words. The rows get sorted. Returns the new end, or a status.
    """
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    rows, content, end = i64(scratch, table), i64(scratch, RECORD), first
    if last - first > SHORT:
        sort_rows(scratch, table, first, last, width)
    else:
        sort_short(rows, width * first, last - first, width)
    i = first
    while i < last:
        o, k = width * i, 0
        while i < last and is_same(rows, width * i, o, CONT):
            i += 1
        c = rows[o + CONT]
        if rows[width * (i - 1) + CONT] != c:
            for j in range(o, width * i, width):
                k = put_leaves(S, content, k, rows[j + CONT])
                if k < 0:
                    return np.int64(k)
            c = union_of(S, content, k)
            if c > 0:
                c = reduced(S, c)
            if c < 0:
                return c
        for j in range(width):
            rows[width * end + j] = rows[o + j]
        rows[width * end + CONT] = c
        end += 1
    return end


@unit
def unite(S, a, b):
    """The continuation that is either of two, or a status."""
    if a == b:
        return a
    content = i64(i64(S, SESSION)[SCRATCH_BLOCK], RECORD)
    k = put_leaves(S, content, 0, a)
    if k > 0:
        k = put_leaves(S, content, k, b)
    if k < 0:
        return np.int64(k)
    c = union_of(S, content, k)
    return reduced(S, c) if c > 0 else c
