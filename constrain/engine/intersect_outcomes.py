# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Where terminals may end that are read beside a regular constraint: at which of its states."""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, MAP, MAPPED, READY, ROW, RUN, STATE, TARGET, step
from constrain.engine.counted_strings import count_step
from constrain.engine.intersect_tables import (
    ENDED,
    GENERATION,
    HEAD,
    LISTED,
    LISTS,
    LISTS_NOW,
    MOST,
    OUTCOME,
    OUTCOME_HASH,
    OUTCOMES,
    SESSION_BLOCK,
    SPREAD,
    SPREAD_HASH,
    TOO_MUCH,
    WORK,
    part_full,
)
from constrain.engine.tables import (
    AUTOMATA,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED_STRING,
    LEAF,
    LITERAL,
    PAYLOAD,
    PAYLOAD_MASK,
    SESSION,
    VOCABULARY_BLOCK,
)
from constrain.jit import helper, i32, i64, mix, size_of, unit

MOST_WORK = 20
"""Pairs and edges that summaries may have for each of Limits.search."""
_LOW = 0xFFFFFFFF


@helper
def note(hashes, mask, generation, rows, stride, tag, n):
    """Enter row n into SPREAD_HASH; whether there was none like it."""
    h = np.int64(tag)
    for i in range(stride):
        h = mix(h, rows[stride * n + i])
    k = h & mask
    while hashes[k] >> 32 == generation:
        known = (hashes[k] & _LOW) - tag - 1
        if hashes[k] & ENDED == tag:
            same = True
            for i in range(stride):
                same = same and rows[stride * known + i] == rows[stride * n + i]
            if same:
                return False
        k = (k + 1) & mask
    hashes[k] = generation << 32 | tag + n + 1
    return True


@unit
def list_end(P, goal, rest):
    """Add where a terminal may end to LISTED, unless it is among the new; 0 or a status."""
    head, listed, at = i64(P, HEAD), i64(P, LISTED), i64(P, HEAD)[LISTS_NOW]
    if 2 * at + 2 > size_of(P, LISTED):
        return part_full(LISTED)
    if 2 * (at - head[LISTS]) > size_of(P, SPREAD_HASH):
        return part_full(SPREAD_HASH)
    listed[2 * at], listed[2 * at + 1] = goal, rest
    if note(i64(P, SPREAD_HASH), size_of(P, SPREAD_HASH) - 1, head[GENERATION], listed, 2, ENDED, at):
        head[LISTS_NOW] += 1
    return 0


@unit
def spread_literal(P, q, rest, n):
    """Follow a node of literals and a rest: what they lead to goes to SPREAD, from n on; the new number or a status."""
    head, spread = i64(P, HEAD), i64(P, SPREAD)
    S = head[SESSION_BLOCK]
    automata, literal, leaf = i64(S, SESSION)[AUTOMATA], i64(S, LITERAL), i32(S, LEAF)
    word = literal[-q]
    ended = (word >> PAYLOAD) & PAYLOAD_MASK
    for k in range(leaf[ended] if ended else 0):
        status = list_end(P, np.int64(leaf[ended + 1 + k]), rest)
        if status < 0:
            return status
    first = (word >> CHILD) & CHILD_MASK
    for below in range(first, first + ((word >> CHILDREN) & CHILDREN_MASK)):
        after = np.int64(step(automata, rest, literal[below] & 255))
        if after:
            spread[3 * n], spread[3 * n + 1], spread[3 * n + 2] = -below, 0, after
            n += 1
    return n


@unit
def spread_automaton(P, q, x, rest, n):
    """Follow an automaton and a rest; the same."""
    head, spread, hashes = i64(P, HEAD), i64(P, SPREAD), i64(P, SPREAD_HASH)
    session = i64(head[SESSION_BLOCK], SESSION)
    automata, vocabulary = session[AUTOMATA], session[VOCABULARY_BLOCK]
    state, mask = i32(automata, STATE), size_of(P, SPREAD_HASH) - 1
    target, run, mapped = i32(automata, TARGET), i32(automata, RUN), i32(automata, MAPPED)
    status = make_ready(automata, q)
    if status == 0 and state[8 * q + FLAGS] & ACCEPTS:
        status = list_end(P, 0, rest)
    if status < 0:
        return status
    row, row_of_rest = np.int64(state[8 * q + ROW]), np.int64(state[8 * rest + ROW])
    m, m_of_rest = 4 * np.int64(state[8 * q + MAP]), 4 * np.int64(state[8 * rest + MAP])
    j, k = np.int64(mapped[m]), np.int64(mapped[m_of_rest])
    end_j, end_k = j + mapped[m + 1], k + mapped[m_of_rest + 1]
    b = np.int64(0)
    while b < 256:
        to, after = np.int64(target[row + (run[j] >> 8)]), np.int64(target[row_of_rest + (run[k] >> 8)])
        if to and after:
            local = count_step(vocabulary, q, to, x) if x & COUNTED_STRING else x
            spread[3 * n], spread[3 * n + 1], spread[3 * n + 2] = to, local, after
            if local >= 0 and note(hashes, mask, head[GENERATION], spread, 3, 0, n):
                n += 1
        next_j = np.int64(run[j + 1] & 255) if j + 1 < end_j else np.int64(256)
        next_k = np.int64(run[k + 1] & 255) if k + 1 < end_k else np.int64(256)
        b = min(next_j, next_k)
        if next_j == b:
            j += 1
        if next_k == b:
            k += 1
    return n


@unit
def outcomes(P, a, x, rest):
    """Find where a terminal may end that is read from an automaton or a literal node on: an index of OUTCOME."""
    head, outcome, table = i64(P, HEAD), i64(P, OUTCOME), i64(P, OUTCOME_HASH)
    mask = size_of(P, OUTCOME_HASH) - 1
    place = mix(mix(mix(5, a), x), rest) & mask
    while table[place]:
        o = 5 * table[place]
        if outcome[o] == a and outcome[o + 1] == x and outcome[o + 2] == rest:
            return table[place]
        place = (place + 1) & mask
    new = head[OUTCOMES]
    if 5 * new + 5 > size_of(P, OUTCOME):
        return part_full(OUTCOME)
    if 2 * new > mask:
        return part_full(OUTCOME_HASH)
    automata = i64(head[SESSION_BLOCK], SESSION)[AUTOMATA]
    state, spread = i32(automata, STATE), i64(P, SPREAD)
    head[GENERATION] += 1
    head[LISTS_NOW] = head[LISTS]
    spread[0], spread[1], spread[2] = a, x, rest
    note(i64(P, SPREAD_HASH), size_of(P, SPREAD_HASH) - 1, head[GENERATION], spread, 3, 0, 0)
    n, i = np.int64(1), 0
    while i < n:
        q, local, r = spread[3 * i], spread[3 * i + 1], spread[3 * i + 2]
        i += 1
        head[WORK] += 1
        if head[WORK] > MOST_WORK * head[MOST]:
            return -TOO_MUCH
        if 3 * (n + 260) > size_of(P, SPREAD):
            return part_full(SPREAD)
        if 2 * (n + head[LISTS_NOW] - head[LISTS] + 520) > size_of(P, SPREAD_HASH):
            return part_full(SPREAD_HASH)
        status = make_ready(automata, r) if not state[8 * r + FLAGS] & READY else 0
        if status < 0:
            return status
        n = spread_literal(P, q, r, n) if q < 0 else spread_automaton(P, q, local, r, n)
        if n < 0:
            return n
    o = 5 * new
    outcome[o], outcome[o + 1], outcome[o + 2] = a, x, rest
    outcome[o + 3], outcome[o + 4] = head[LISTS], head[LISTS_NOW] - head[LISTS]
    table[place] = new
    head[OUTCOMES], head[LISTS] = new + 1, head[LISTS_NOW]
    return new
