# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Nodes and points, each made once: equal ones get equal numbers.

Whoever makes one writes it behind the last, looks for an equal one by its hash, and counts it if there is none: what
a status interrupts has not been counted, and is written again. All return a number, or a status below zero.
"""

from __future__ import annotations

from constrain.automata.tables import (
    ALT,
    ANY,
    AUTOMATON,
    CAT,
    COUNT,
    COUNTED,
    COUNTS,
    EMPTY,
    EPSILON,
    FAR,
    INHERITED,
    KIND,
    LOOKS,
    N_A,
    N_B,
    N_C,
    N_FLAGS,
    N_KIND,
    N_SHORTEST,
    NO_END,
    NODE,
    NODE_HASH,
    NODES,
    NULLABLE,
    P_COUNT,
    P_EDGES,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    P_SHORTEST,
    PART,
    PARTS,
    PLACE,
    POINT,
    POINT_HASH,
    POINTS,
    RANGE,
    REPEAT,
    SPINE,
    STAMP,
    STATE,
    VALUE,
    VISIT,
    WITHIN,
    WORK,
    full,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

# ------------------------------------------------------------------------------------------------------------ nodes


@helper
def node_hash(automata, n):
    """Hash a node by what it is made of."""
    node = i32(automata, NODE)
    kind = int(node[6 * n])
    h = mix(kind, int(node[6 * n + N_B]))
    if kind == ALT:
        part, first = i32(automata, PART), int(node[6 * n + N_A])
        for i in range(first, first + node[6 * n + N_B]):
            h = mix(h, int(part[i]))
        return h
    return mix(mix(h, int(node[6 * n + N_A])), int(node[6 * n + N_C]) + 1)


@unit
def intern_node(automata):
    """The number of the node that stands behind the last one."""
    count, node, hashes = i64(automata, COUNT), i32(automata, NODE), i32(automata, NODE_HASH)
    new = int(count[NODES])
    mask = size_of(automata, NODE_HASH) - 1
    if 2 * new > mask:
        return full(NODE_HASH)
    a, kind = int(node[6 * new + N_A]), node[6 * new + N_KIND]
    i = node_hash(automata, new) & mask
    while hashes[i]:
        n = int(hashes[i])
        if node[6 * n + N_KIND] == kind and node[6 * n + N_B] == node[6 * new + N_B]:
            if kind == ALT:
                part, other = i32(automata, PART), int(node[6 * n + N_A])
                same = True
                for j in range(node[6 * n + N_B]):
                    if part[a + j] != part[other + j]:
                        same = False
                        break
                if same:
                    return n
            elif node[6 * n + N_A] == a and node[6 * n + N_C] == node[6 * new + N_C]:
                return n
        i = (i + 1) & mask
    hashes[i] = new
    count[NODES] = new + 1
    return new


@unit
def make_node(automata, kind, a, b, c, flags, shortest):
    """Make a node of given columns."""
    node, new = i32(automata, NODE), int(i64(automata, COUNT)[NODES])
    if 6 * new + 6 > size_of(automata, NODE) or new >= size_of(automata, VISIT):
        return full(NODE)
    node[6 * new + N_KIND], node[6 * new + N_A], node[6 * new + N_B], node[6 * new + N_C] = kind, a, b, c
    node[6 * new + N_FLAGS], node[6 * new + N_SHORTEST] = flags, min(shortest, FAR)
    return intern_node(automata)


@unit
def make_range(automata, low, high):
    """The node of one byte."""
    return make_node(automata, RANGE, low, high, 0, 0, 1)


@unit
def make_cat(automata, a, b):
    """The node of one node after the other."""
    node = i32(automata, NODE)
    if a == EMPTY or b == EMPTY:
        return EMPTY
    if a == EPSILON:
        return b
    if b == EPSILON:
        return a
    left, right = int(node[6 * a + N_FLAGS]), int(node[6 * b + N_FLAGS])
    flags = (left & right & NULLABLE) | ((left | right) & INHERITED)
    return make_node(automata, CAT, a, b, 0, flags, int(node[6 * a + N_SHORTEST]) + int(node[6 * b + N_SHORTEST]))


@unit
def make_repeat(automata, body, low, high):
    """The node of a repetition; high may be NO_END."""
    node = i32(automata, NODE)
    if body == EMPTY:
        return EPSILON if low == 0 else EMPTY
    if body == EPSILON or high == 0:
        return EPSILON
    if low == 1 and high == 1:
        return body
    flags = int(node[6 * body + N_FLAGS])
    if flags & (NULLABLE | LOOKS) == NULLABLE:  # assertions may fail
        low = 0
    if node[6 * body + N_KIND] == REPEAT and node[6 * body + N_B] == 0 and node[6 * body + N_C] == NO_END:
        return body
    if low == 0:
        flags |= NULLABLE
    return make_node(automata, REPEAT, body, low, high, flags, min(low, FAR) * int(node[6 * body + N_SHORTEST]))


@unit
def sort(automata, first, n):
    """Sort n words of WORK from `first` and drop those that are there twice; returns how many are left."""
    work = i64(automata, WORK)
    gap = 1
    while gap * 9 < n:
        gap = 3 * gap + 1
    while gap:  # by diminishing increments
        for i in range(first + gap, first + n):
            x = work[i]
            j = i - gap
            while j >= first and work[j] > x:
                work[j + gap] = work[j]
                j -= gap
            work[j + gap] = x
        gap //= 3
    left = min(n, 1)
    for i in range(first + 1, first + n):
        if work[i] != work[first + left - 1]:
            work[first + left] = work[i]
            left += 1
    return left


@unit
def make_alt(automata, first, n):
    """The node of one of n nodes, listed in VALUE from `first`."""
    count, node, part = i64(automata, COUNT), i32(automata, NODE), i32(automata, PART)
    value, work, room = i32(automata, VALUE), i64(automata, WORK), size_of(automata, WORK)
    k = 0
    for i in range(first, first + n):
        p = int(value[i])
        if p == EMPTY:
            continue
        if p == ANY:
            return ANY
        inner = int(node[6 * p + N_B]) if node[6 * p + N_KIND] == ALT else 1
        if k + inner > room:
            return full(WORK)
        if node[6 * p + N_KIND] == ALT:
            a = int(node[6 * p + N_A])
            for j in range(inner):
                work[k + j] = part[a + j]
        else:
            work[k] = p
        k += inner
    k = sort(automata, 0, k)
    if k < 2:
        return int(work[0]) if k else EMPTY
    off = int(count[PARTS])
    if off + k > size_of(automata, PART):
        return full(PART)
    flags, shortest = 0, FAR
    for i in range(k):
        p = int(work[i])
        part[off + i] = p
        flags |= node[6 * p + N_FLAGS]
        shortest = min(shortest, int(node[6 * p + N_SHORTEST]))
    before = int(count[NODES])
    made = make_node(automata, ALT, off, k, 0, flags, shortest)
    if made == before:
        count[PARTS] = off + k
    return made


# ----------------------------------------------------------------------------------------------------------- points


@unit
def intern_point(automata, n, k):
    """The point that reads a node, which is no CAT, and goes on at point k."""
    if n == EPSILON:
        return k
    count, node, point = i64(automata, COUNT), i32(automata, NODE), i32(automata, POINT)
    hashes, mask = i32(automata, POINT_HASH), size_of(automata, POINT_HASH) - 1
    i = mix(n, k) & mask
    while hashes[i]:
        p = int(hashes[i])
        if point[6 * p + P_NODE] == n and point[6 * p + P_NEXT] == k:
            return p
        i = (i + 1) & mask
    new = int(count[POINTS])
    if 2 * new > mask:
        return full(POINT_HASH)
    if 6 * new + 6 > size_of(automata, POINT) or new >= size_of(automata, STAMP) or new >= size_of(automata, PLACE):
        return full(POINT)
    left, right = int(node[6 * n + N_FLAGS]), int(point[6 * k + P_FLAGS])
    flags = (left & right & NULLABLE) | ((left | right) & INHERITED) | (right & COUNTS)
    if node[6 * n + N_KIND] == REPEAT:
        if node[6 * n + N_C] != NO_END:
            flags |= COUNTED | COUNTS
        elif node[6 * n + N_B] > 1:
            flags |= COUNTS
    elif node[6 * n + N_KIND] == AUTOMATON and i32(automata, STATE)[8 * int(node[6 * n + N_A]) + KIND] == WITHIN:
        flags |= COUNTS
    point[6 * new + P_NODE], point[6 * new + P_NEXT], point[6 * new + P_EDGES] = n, k, 0
    point[6 * new + P_COUNT], point[6 * new + P_FLAGS] = -1, flags
    point[6 * new + P_SHORTEST] = min(int(node[6 * n + N_SHORTEST]) + int(point[6 * k + P_SHORTEST]), FAR)
    hashes[i] = new
    count[POINTS] = new + 1
    return new


@unit
def unfold_point(automata, n, k):
    """The same for a CAT: its parts become points, the last one first."""
    node, spine, room = i32(automata, NODE), i32(automata, SPINE), size_of(automata, SPINE)
    depth = 1
    spine[0] = n
    while depth:
        n = int(spine[depth - 1])
        if node[6 * n + N_KIND] == CAT:
            if depth == room:
                return full(SPINE)
            spine[depth - 1] = node[6 * n + N_A]
            spine[depth] = node[6 * n + N_B]
            depth += 1
            continue
        depth -= 1
        k = intern_point(automata, n, k)
        if k < 0:
            return k
    return k


@unit
def make_point(automata, n, k):
    """The point that reads a node and goes on at point k."""
    if i32(automata, NODE)[6 * n + N_KIND] == CAT:
        return unfold_point(automata, n, k)
    return intern_point(automata, n, k)
