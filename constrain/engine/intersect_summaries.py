# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""What a regular constraint may come to while the rules of a grammar are read: summaries, and what they decide.

A rule, begun at a rest, ends at some rests; which ones does not depend on what called it. These sets are worked out
together, a least fixed point over (state of the network, rest), as Earley's chart is for texts and Reps, Horwitz and
Sagiv (1995) do for programs: it is Bar-Hillel's intersection of a context-free and a regular language (1961), of which
only what can be reached from here is made. So the question is decided, however the rules recur.

For terminals that must not match some values more is taken to be possible than is: then a "no" holds and a "yes" may
not.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.tables import ACCEPTS, FLAGS, STATE
from constrain.engine.continuations import all_pairs_of
from constrain.engine.intersect_outcomes import MOST_WORK, outcomes
from constrain.engine.intersect_tables import (
    AGAIN,
    BEGUN,
    BEGUN_REST,
    CALLED_BY,
    CONT,
    DEAD_PLACE,
    DONE,
    DOUBTFUL,
    EDGE,
    EDGE_HASH,
    EDGES,
    ENDS_AT,
    ENTRIES,
    ENTRY,
    ENTRY_HASH,
    FOLLOW,
    FOLLOW_HASH,
    FOLLOWS,
    FRAME,
    FRAME_OF,
    GENERATION,
    GOAL,
    HEAD,
    LINK,
    LINKS,
    LISTED,
    LISTS,
    LIVE_PLACE,
    MOST,
    OUTCOME,
    OUTCOME_HASH,
    OUTCOMES,
    PLACE,
    REST,
    SESSION_BLOCK,
    TODO,
    TOO_MUCH,
    WORK,
    WORK_BEFORE,
    X,
    part_full,
)
from constrain.engine.records import length
from constrain.engine.tables import (
    ARC,
    AUTOMATA,
    CALL,
    COUNTED_STRING,
    ENDS,
    EXPANDED,
    HEAP,
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
    SESSION,
    SPECIAL,
    SPECIAL_ITEM,
    TRACKED,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

# --------------------------------------------------------------------------------------------------------------- rules


@unit
def add_link(P, row, column, first, second):
    """Put two values before a list of an entry; 0, or a status."""
    head, entry, link = i64(P, HEAD), i64(P, ENTRY), i64(P, LINK)
    new = head[LINKS]
    if 3 * new + 3 > size_of(P, LINK):
        return part_full(LINK)
    link[3 * new], link[3 * new + 1], link[3 * new + 2] = first, second, entry[4 * row + column]
    entry[4 * row + column] = new
    head[LINKS] = new + 1
    return 0


@unit
def add_edge(P, entry, state, rest):
    """Note that an entry leads to a state of the network and a rest. 1 if that is new, 0; or a status."""
    head, edge, table = i64(P, HEAD), i64(P, EDGE), i64(P, EDGE_HASH)
    mask = size_of(P, EDGE_HASH) - 1
    k = mix(mix(mix(4, entry), state), rest) & mask
    while table[k]:
        o = 3 * (table[k] - 1)
        if edge[o] == entry and edge[o + 1] == state and edge[o + 2] == rest:
            return 0
        k = (k + 1) & mask
    new = head[EDGES]
    if 3 * new + 3 > size_of(P, EDGE):
        return part_full(EDGE)
    if 2 * new > mask:
        return part_full(EDGE_HASH)
    head[WORK] += 1
    if head[WORK] > MOST_WORK * head[MOST]:
        return -TOO_MUCH
    edge[3 * new], edge[3 * new + 1], edge[3 * new + 2] = entry, state, rest
    table[k] = new + 1
    head[EDGES] = new + 1
    return 1


@unit
def entry_of(P, state, rest):
    """Find or begin an entry; or a status."""
    head, entry, table = i64(P, HEAD), i64(P, ENTRY), i64(P, ENTRY_HASH)
    mask = size_of(P, ENTRY_HASH) - 1
    k = mix(mix(3, state), rest) & mask
    while table[k]:
        o = 4 * table[k]
        if entry[o] == state and entry[o + BEGUN_REST] == rest:
            return table[k]
        k = (k + 1) & mask
    new = head[ENTRIES]
    if 4 * new + 4 > size_of(P, ENTRY):
        return part_full(ENTRY)
    if 2 * new > mask:
        return part_full(ENTRY_HASH)
    status = add_edge(P, new, state, rest)
    if status < 0:
        return status
    o = 4 * new
    entry[o + BEGUN], entry[o + BEGUN_REST], entry[o + ENDS_AT], entry[o + CALLED_BY] = state, rest, 0, 0
    table[k] = new
    head[ENTRIES] = new + 1
    return new


@unit
def end_at(P, row, rest):
    """Note that an entry may end at a rest, and go on in its callers; 0 or a status."""
    entry, link = i64(P, ENTRY), i64(P, LINK)
    at = entry[4 * row + ENDS_AT]
    while at:
        if link[3 * at] == rest:
            return 0
        at = link[3 * at + 2]
    at = entry[4 * row + CALLED_BY]
    while at:
        status = add_edge(P, link[3 * at], link[3 * at + 1], rest)
        if status < 0:
            return status
        at = link[3 * at + 2]
    return add_link(P, row, ENDS_AT, rest, 0)


@unit
def explore_edge(P, o):
    """Follow what may come first where an edge leads; 0 or a status."""
    head, edge, link = i64(P, HEAD), i64(P, EDGE), i64(P, LINK)
    S = head[SESSION_BLOCK]
    net, arc, call, special = i32(S, NET), i64(S, ARC), i32(S, CALL), i32(S, SPECIAL)
    row, s, rest = edge[o], edge[o + 1], edge[o + 2]
    n = 8 * s
    flags = net[n + NET_FLAGS]
    if not flags & EXPANDED:
        return -(s << 4 | NEED_NET)
    if flags & ENDS:
        status = end_at(P, row, rest)
        if status < 0:
            return status
    outcome, listed = i64(P, OUTCOME), i64(P, LISTED)
    first, arcs = np.int64(net[n + NET_ARC]), np.int64(net[n + NET_ARCS])
    for k in range(-1, arcs):
        if k < 0:
            if net[n + NET_LITERALS] == 0:
                continue
            a, x, goal = -np.int64(net[n + NET_LITERALS]), np.int64(0), np.int64(0)
        else:
            a, x, goal = arc[3 * (first + k)], arc[3 * (first + k) + 1], arc[3 * (first + k) + 2]
            if x & TRACKED:
                head[DOUBTFUL] = 1
        found = outcomes(P, a, x if x & COUNTED_STRING else np.int64(0), rest)
        if found < 0:
            return found
        begin = outcome[5 * found + 3]
        for i in range(begin, begin + outcome[5 * found + 4]):
            status = add_edge(P, row, goal if k >= 0 else listed[2 * i], listed[2 * i + 1])
            if status < 0:
                return status
    first = np.int64(net[n + NET_SPECIAL])
    for k in range(first, first + net[n + NET_SPECIALS]):
        status = add_edge(P, row, np.int64(special[2 * k + 1]), rest)
        if status < 0:
            return status
    first = np.int64(net[n + NET_CALL])
    for k in range(first, first + net[n + NET_CALLS]):
        back = np.int64(call[2 * k + 1])
        called = entry_of(P, np.int64(call[2 * k]), rest)
        if called < 0:
            return called
        status = add_link(P, called, CALLED_BY, row, back)
        if status < 0:
            return status
        at = i64(P, ENTRY)[4 * called + ENDS_AT]
        while at:
            status = add_edge(P, row, back, link[3 * at])
            if status < 0:
                return status
            at = link[3 * at + 2]
    return 0


@unit
def summary(P, state, rest):
    """Find the entry of a state of the network and a rest, with all rests at which it may end; or a status."""
    head = i64(P, HEAD)
    row = entry_of(P, state, rest)
    while row > 0 and head[DONE] < head[EDGES]:
        status = explore_edge(P, 3 * head[DONE])
        if status < 0:
            return status
        head[DONE] += 1
    return row


# -------------------------------------------------------------------------------------------------- what follows a rule


@unit
def follow_of(P, continuation, rest):
    """Find or make the row of FOLLOW of a continuation and a rest; or a status."""
    head, follow, table = i64(P, HEAD), i64(P, FOLLOW), i64(P, FOLLOW_HASH)
    mask = size_of(P, FOLLOW_HASH) - 1
    k = mix(mix(6, continuation), rest) & mask
    while table[k]:
        o = 4 * table[k]
        if follow[o] == continuation and follow[o + 1] == rest:
            return table[k]
        k = (k + 1) & mask
    new = head[FOLLOWS]
    if 4 * new + 4 > size_of(P, FOLLOW):
        return part_full(FOLLOW)
    if 2 * new > mask:
        return part_full(FOLLOW_HASH)
    o = 4 * new
    follow[o], follow[o + 1], follow[o + 2], follow[o + 3] = continuation, rest, 0, 0
    table[k] = new
    head[FOLLOWS] = new + 1
    return new


@unit
def follows(P, continuation, rest):
    """Decide whether what follows a rule can be read to the end: 1 or 0; or a status. TODO lists what was met."""
    head, follow, todo = i64(P, HEAD), i64(P, FOLLOW), i64(P, TODO)
    S = head[SESSION_BLOCK]
    heap, link, entry = i64(S, HEAP), i64(P, LINK), i64(P, ENTRY)
    state = i32(i64(S, SESSION)[AUTOMATA], STATE)
    begun = follow_of(P, continuation, rest)
    if begun < 0:
        return begun
    if follow[4 * begun + 2]:
        return follow[4 * begun + 2] - 1
    head[GENERATION] += 1
    now = head[GENERATION]
    follow[4 * begun + 3] = now
    todo[0] = begun
    n, i, found = 1, 0, 0
    while i < n and not found:
        c, r = follow[4 * todo[i]], follow[4 * todo[i] + 1]
        i += 1
        pairs = all_pairs_of(S, c)
        if pairs < 0:
            return pairs
        for o in range(pairs + 1, pairs + 1 + length(heap, pairs), 3):
            if heap[o] < 0:
                if state[8 * r + FLAGS] & ACCEPTS:
                    found = 1
                    break
                continue
            row = summary(P, heap[o], r)
            if row < 0:
                return row
            at = entry[4 * row + ENDS_AT]
            while at and not found:
                new = follow_of(P, heap[o + 2], link[3 * at])
                if new < 0:
                    return new
                known = follow[4 * new + 2]
                if known == LIVE_PLACE:
                    found = 1
                elif known == 0 and follow[4 * new + 3] != now:
                    follow[4 * new + 3] = now
                    if n >= size_of(P, TODO):
                        return part_full(TODO)
                    todo[n] = new
                    n += 1
                at = link[3 * at + 2]
            if found:
                break
    if found:
        follow[4 * begun + 2] = LIVE_PLACE
    else:
        for k in range(n):
            follow[4 * todo[k] + 2] = DEAD_PLACE
    return found


@unit
def judge(P, here):
    """Decide by summaries whether a text can be completed from a place: 1 or 0; or a status. A 1 may be doubtful."""
    place, frames, outcome, listed = i64(P, PLACE), i64(P, FRAME), i64(P, OUTCOME), i64(P, LISTED)
    o = 8 * here
    a, frame, rest = place[o], 4 * place[o + FRAME_OF], place[o + REST]
    goal, c = frames[frame + GOAL], frames[frame + CONT]
    begin, n = np.int64(-1), np.int64(1)
    if a < SPECIAL_ITEM:
        x = place[o + X]
        found = outcomes(P, a, x if x & COUNTED_STRING else np.int64(0), rest)
        if found < 0:
            return found
        begin, n = outcome[5 * found + 3], outcome[5 * found + 4]
        if place[o + X] & TRACKED:
            i64(P, HEAD)[DOUBTFUL] = 1
    for i in range(n):
        s, r = goal, rest
        if begin >= 0:
            s, r = goal if a > 0 else listed[2 * (begin + i)], listed[2 * (begin + i) + 1]
        row = summary(P, s, r)
        if row < 0:
            return row
        at = i64(P, ENTRY)[4 * row + ENDS_AT]
        while at:
            found = follows(P, c, i64(P, LINK)[3 * at])
            if found:
                return found
            at = i64(P, LINK)[3 * at + 2]
    return 0


@helper
def clear(P, table):
    """Empty a hash table."""
    hashes = i64(P, table)
    for i in range(size_of(P, table)):
        hashes[i] = 0


@unit
def forget_summaries(P):
    """Forget all summaries; a status that says to ask again."""
    head = i64(P, HEAD)
    for table in range(ENTRY_HASH, FOLLOW_HASH + 1):
        if table == ENTRY_HASH or table == EDGE_HASH or table == OUTCOME_HASH or table == FOLLOW_HASH:
            clear(P, table)
    head[ENTRIES], head[LINKS], head[OUTCOMES], head[FOLLOWS] = 1, 1, 1, 1
    head[EDGES], head[DONE], head[LISTS], head[DOUBTFUL], head[WORK], head[WORK_BEFORE] = 0, 0, 0, 0, 0, 0
    return -AGAIN
