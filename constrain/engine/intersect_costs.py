# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""How much is left from a place, about: what lets searches go where a text ends soon."""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import (
    ALL,
    AND,
    DISTANCE,
    FIRST,
    KIND,
    SIZE,
    STATE,
    TOWARDS,
)
from constrain.engine.continuations import all_pairs_of
from constrain.engine.intersect_tables import (
    CONT,
    COST,
    COST_BEHIND,
    COST_OF,
    COSTS_BEHIND,
    FAR,
    FRAME,
    GOAL,
    HEAD,
    LITERAL_COST,
    NEED_COST,
    PATH,
    SESSION_BLOCK,
    part_full,
)
from constrain.engine.records import length
from constrain.engine.tables import (
    AUTOMATA,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED_STRING,
    HEAP,
    LEAF,
    LITERAL,
    PAYLOAD,
    PAYLOAD_MASK,
    SESSION,
    SPECIAL_ITEM,
    UNBOUNDED,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

_PARTS = 64  # of a conjunction: what each lacks is taken together


@unit
def cost_of_literal(P, node):
    """Bytes at least left to the end of the rule from a node of LITERAL, plus 1; or a status."""
    S = i64(P, HEAD)[SESSION_BLOCK]
    literal, leaf, known, cost, todo = i64(S, LITERAL), i32(S, LEAF), i32(P, LITERAL_COST), i32(P, COST), i64(P, PATH)
    if node >= size_of(P, LITERAL_COST):
        return part_full(LITERAL_COST)
    todo[0] = node
    n = 1
    while n > 0:
        here = todo[n - 1]
        word = literal[here]
        first, last = (
            (word >> CHILD) & CHILD_MASK,
            ((word >> CHILD) & CHILD_MASK) + ((word >> CHILDREN) & CHILDREN_MASK),
        )
        if last > size_of(P, LITERAL_COST):
            return part_full(LITERAL_COST)
        if n + last - first >= size_of(P, PATH):
            return part_full(PATH)
        least, before = np.int64(FAR), n
        for below in range(first, last):
            if known[below] == 0:
                todo[n] = below
                n += 1
            least = min(least, np.int64(known[below]))
        if n > before:
            continue
        ended = (word >> PAYLOAD) & PAYLOAD_MASK
        for k in range(leaf[ended] if ended else 0):
            goal = np.int64(leaf[ended + 1 + k])
            if goal >= size_of(P, COST) or cost[goal] == 0:
                return -NEED_COST
            least = min(least, np.int64(cost[goal]) - 1)
        known[here] = least + 1
        n -= 1
    return np.int64(known[node])


@helper
def place_in_costs(table, mask, continuation):
    """Find the place of a continuation in COST_BEHIND: where it stands, or a free one."""
    k = mix(7, continuation) & mask
    while table[2 * k] and table[2 * k] != continuation:
        k = (k + 1) & mask
    return k


@unit
def cost_behind(P, continuation):
    """Bytes at least left behind a continuation, plus 1, about: of one that refers to itself it may say too much."""
    head, table, todo, cost = i64(P, HEAD), i64(P, COST_BEHIND), i64(P, PATH), i32(P, COST)
    S = head[SESSION_BLOCK]
    heap = i64(S, HEAP)
    mask = (size_of(P, COST_BEHIND) >> 1) - 1
    k = place_in_costs(table, mask, continuation)
    if table[2 * k] and table[2 * k + 1]:
        return table[2 * k + 1]
    todo[0] = continuation
    n = 1
    while n > 0:
        here = todo[n - 1]
        k = place_in_costs(table, mask, here)
        if table[2 * k] == 0:
            if 4 * head[COSTS_BEHIND] > mask:
                return part_full(COST_BEHIND)
            table[2 * k], table[2 * k + 1] = here, 0
            head[COSTS_BEHIND] += 1
        pairs = all_pairs_of(S, here)
        if pairs < 0:
            return pairs
        triples = length(heap, pairs) // 3
        if n + triples >= size_of(P, PATH):
            return part_full(PATH)
        least, before = np.int64(FAR), n
        for i in range(triples):
            o = pairs + 1 + 3 * i
            back, then = heap[o], heap[o + 2]
            if back < 0:
                least = np.int64(0)
                continue
            if back >= size_of(P, COST) or cost[back] == 0:
                return -NEED_COST
            p = place_in_costs(table, mask, then)
            if table[2 * p] == 0:
                todo[n] = then
                n += 1
            elif table[2 * p + 1]:
                least = min(least, cost[back] - 1 + table[2 * p + 1] - 1)
        if n == before:
            table[2 * k + 1] = least + 1
            n -= 1
    return table[2 * place_in_costs(table, mask, continuation) + 1]


@helper
def missing_of_rest(automata, rest, todo):
    """About how many bytes are left of what the regular constraint asks for."""
    state, distance = i32(automata, STATE), i32(automata, DISTANCE)
    todo[0] = rest
    n, total, parts = 1, 0, 0
    while n > 0 and parts < _PARTS:
        n -= 1
        q = todo[n]
        parts += 1
        kind = state[8 * q + KIND]
        if q > ALL and (kind == AND or kind == TOWARDS):
            todo[n], todo[n + 1] = state[8 * q + FIRST], state[8 * q + SIZE]
            n += 2
        else:
            total += min(np.int64(distance[q]), FAR)
    return total


@unit
def missing(P, a, x, frame, rest):
    """About how many bytes are left from a place, if what both ask for comes one after the other; or a status."""
    frames, cost = i64(P, FRAME), i32(P, COST)
    S = i64(P, HEAD)[SESSION_BLOCK]
    automata = i64(S, SESSION)[AUTOMATA]
    goal = frames[4 * frame + GOAL]
    if frames[4 * frame + COST_OF] == 0:
        behind = cost_behind(P, frames[4 * frame + CONT])
        if behind < 0:
            return behind
        if goal >= size_of(P, COST) or cost[goal] == 0:
            return -NEED_COST
        frames[4 * frame + COST_OF] = behind + cost[goal] - 1
    own = np.int64(1)
    if a < 0:
        own = np.int64(i32(P, LITERAL_COST)[-a]) if -a < size_of(P, LITERAL_COST) else np.int64(0)
        if own == 0:
            own = cost_of_literal(P, -a)
            if own < 0:
                return own
        own -= 1
    elif a < SPECIAL_ITEM:
        own = min(np.int64(i32(automata, DISTANCE)[a]), FAR)
        if x & COUNTED_STRING:
            own += (x >> 24) & UNBOUNDED
    return own + frames[4 * frame + COST_OF] - 1 + missing_of_rest(automata, rest, i64(P, PATH))
