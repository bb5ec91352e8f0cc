# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Whole subtrees of the vocabulary: all tokens below a node can be read, whatever they are."""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import MAP, MAPPED, ROW, RUN, STATE, TARGET
from constrain.engine.intersect_alive import decide
from constrain.engine.intersect_tables import (
    FRAME_OF,
    HEAD,
    NEAR,
    PLACE,
    REST,
    SESSION_BLOCK,
    X,
    part_full,
    place_of,
)
from constrain.engine.intersect_tables import KEEPS as KEPT
from constrain.engine.loops import find_loops
from constrain.engine.tables import (
    AUTOMATA,
    BELOW,
    HEIGHT,
    KEEPS,
    KEEPS_KNOWN,
    LOOPS,
    SESSION,
    SPAN,
    VOCABULARY_BLOCK,
)
from constrain.engine.tables import (
    GROUP as GROUP_OF_BYTE,
)
from constrain.engine.token_tries import BROKEN, INSIDE, LENGTH, LOST, START, WHOLE, full, place_after
from constrain.jit import helper, i32, i64, size_of, unit

MASK, KINDS_OF = 0, 1
"""Modes: tokens are allowed, or put together by what they lead to."""
_NEAR = 300  # the most places that `keep_alive` looks at
_FAR = 24  # bytes that it looks ahead
_NEAR_BY = 3  # a group of bytes that leads to a dead place within so many bytes is given up
_LOW = 0xFFFFFFFF


@helper
def note_near(near, n, a, rest, place, far, led_by):
    """Add a pair of states and a place in a character to NEAR, unless it is there; how many there are then."""
    for k in range(n):
        if near[5 * k] == a and near[5 * k + 1] == rest and near[5 * k + 2] == place:
            return n
    o = 5 * n
    near[o], near[o + 1], near[o + 2], near[o + 3], near[o + 4] = a, rest, place, far, led_by
    return n + 1


@unit
def keep_alive(P, here):
    """Note groups of bytes and a number in KEEPS: so many bytes of these lead from a place to none that is dead.

    As `loops.keep_alive` does for states of automata; 0 or a status.
    """
    head, place, keeps, near = i64(P, HEAD), i64(P, PLACE), i64(P, KEPT), i64(P, NEAR)
    session = i64(head[SESSION_BLOCK], SESSION)
    automata, group = session[AUTOMATA], i64(session[VOCABULARY_BLOCK], GROUP_OF_BYTE)
    if keeps[2 * here + 1]:
        return 0
    state, target = i32(automata, STATE), i32(automata, TARGET)
    mapped, run = i32(automata, MAPPED), i32(automata, RUN)
    x, frame = place[8 * here + X], place[8 * here + FRAME_OF]
    if size_of(P, NEAR) < 5 * (_NEAR + 2 * 256):
        return part_full(NEAR)
    groups, distance = (1 << LENGTH) - 1 | WHOLE, np.int64(0)
    while groups:
        n, i, failed, distance = note_near(near, 0, place[8 * here], place[8 * here + REST], START, 0, 0), 0, 0, 1 << 20
        while i < n and failed == 0:
            q, r, spot, far, led_by = near[5 * i], near[5 * i + 1], near[5 * i + 2], near[5 * i + 3], near[5 * i + 4]
            i += 1
            if far >= _FAR or n > _NEAR:
                distance = far
                break
            status = make_ready(automata, q)
            if status == 0:
                status = make_ready(automata, r)
            if status < 0:
                return status
            failing = np.int64(0)
            row, row_of_rest = np.int64(state[8 * q + ROW]), np.int64(state[8 * r + ROW])
            m, m_of_rest = 4 * np.int64(state[8 * q + MAP]), 4 * np.int64(state[8 * r + MAP])
            j, k = np.int64(mapped[m]), np.int64(mapped[m_of_rest])
            end_j, end_k = j + mapped[m + 1], k + mapped[m_of_rest + 1]
            low = np.int64(0)
            while low < 256:
                to, after = np.int64(target[row + (run[j] >> 8)]), np.int64(target[row_of_rest + (run[k] >> 8)])
                next_j = np.int64(run[j + 1] & 255) if j + 1 < end_j else np.int64(256)
                next_k = np.int64(run[k + 1] & 255) if k + 1 < end_k else np.int64(256)
                stop = min(next_j, next_k)
                if spot == START and low < 128:
                    met = np.int64(0)
                    for b in range(low, min(stop, 128)):
                        met |= group[b]
                    met &= groups
                    if met:
                        alive = np.int64(0)
                        if to and after:
                            there = place_of(P, to, x, frame, after)
                            alive = decide(P, there) if there > 0 else there
                            if alive < 0:
                                return alive
                        if alive == 0:
                            failing |= met
                        elif n <= _NEAR:
                            n = note_near(near, n, to, after, START, far + 1, met)
                if groups & WHOLE and failing & WHOLE == 0:
                    last = LOST
                    for b in range(max(low, 0xC2 if spot == START else 0x80), min(stop, 0xF5)):
                        p = place_after(spot, b)
                        if p == LOST or p == last:
                            continue
                        last = p
                        if to == 0 or after == 0:
                            failing |= WHOLE
                            break
                        if p == START:
                            there = place_of(P, to, x, frame, after)
                            alive = decide(P, there) if there > 0 else there
                            if alive < 0:
                                return alive
                            if alive == 0:
                                failing |= WHOLE
                                break
                        if n <= _NEAR:
                            n = note_near(near, n, to, after, p, far + 1, WHOLE)
                if next_j == stop:
                    j += 1
                if next_k == stop:
                    k += 1
                low = stop
            if failing:
                if far >= _NEAR_BY:
                    distance = far
                    break
                failed = failing
                if far > 0:  # blame the way here, if more than half of the groups fail
                    fail, all_ = 0, 0
                    for bit in range(61):
                        all_ += (groups >> bit) & 1
                        fail += (failing >> bit) & 1
                    if 2 * fail > all_ or spot != START:
                        failed = led_by
        if failed == 0:
            break
        groups &= ~failed
    keeps[2 * here], keeps[2 * here + 1] = groups, distance + 1
    return 0


@unit
def loops_of(P, q):
    """Find the groups of bytes that lead from a DFA state to itself; or a status. WHOLE is among them where it does."""
    session = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)
    vocabulary, automata = session[VOCABULARY_BLOCK], session[AUTOMATA]
    if 4 * q + 4 > size_of(vocabulary, KEEPS):
        return full(KEEPS)
    keeps = i64(vocabulary, KEEPS)
    if not keeps[4 * q + KEEPS_KNOWN] & 1:
        status = make_ready(automata, q)
        if status == 0:
            status = find_loops(vocabulary, automata, q)
        if status < 0:
            return status
    return keeps[4 * q + LOOPS]


@unit
def is_whole(P, here, node, mode):
    """Whether all tokens below a node of the trie can be read from a live place, without a walk. 1, 0 or a status.

    Where tokens are put together by what they lead to, all must lead to the place itself.
    """
    place = i64(P, PLACE)
    session = i64(i64(P, HEAD)[SESSION_BLOCK], SESSION)
    vocabulary = session[VOCABULARY_BLOCK]
    below, span = i64(vocabulary, BELOW)[node], i64(vocabulary, SPAN)[node]
    tokens = (span >> 32) - (span & _LOW)
    a, rest = place[8 * here], place[8 * here + REST]
    if below & (BROKEN | INSIDE) == 0:
        groups = loops_of(P, a)
        if groups > 0 and below & ~groups == 0:
            groups = loops_of(P, rest)
            if groups > 0 and below & ~groups == 0:
                return 1
        if groups < 0:
            return groups
        if mode == MASK and tokens > 32:
            status = keep_alive(P, here)
            if status < 0:
                return status
            keeps = i64(P, KEPT)
            if below & ~keeps[2 * here] == 0 and i32(vocabulary, HEIGHT)[node] < keeps[2 * here + 1]:
                return 1
    return 0
