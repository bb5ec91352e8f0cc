# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Whether a text can be completed: from a place, from an Earley set and a rest, after a token."""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import ACCEPTS, FLAGS, STATE, step
from constrain.engine.advance import commit
from constrain.engine.intersect_search import find, local_of
from constrain.engine.intersect_summaries import forget_summaries, judge
from constrain.engine.intersect_tables import (
    ALIVE,
    ASKED,
    DEAD_PLACE,
    DOUBTFUL,
    GLANCE,
    HEAD,
    LIVE_PLACE,
    MOST,
    PLACE,
    PREFERS,
    REST_AFTER,
    SESSION_BLOCK,
    STAGE,
    TOO_MUCH,
    WORK,
    WORK_BEFORE,
    frame_of,
    normal,
    place_of,
)
from constrain.engine.records import length
from constrain.engine.tables import (
    AUTOMATA,
    BYTES,
    DOUBT,
    HEAP,
    ITEM,
    OFFSET,
    SESSION,
    VOCABULARY_BLOCK,
)
from constrain.jit import i32, i64, u8, unit

_SURELY = 500
"""Places that a search looks at that saves a try."""


@unit
def summarise(P, here):
    """Decide by summaries, where they hold: 1 or 0; 2 where they do not; or a status."""
    head = i64(P, HEAD)
    found = judge(P, here)
    if found == -TOO_MUCH:
        if head[WORK_BEFORE] > 0:  # they have become too large by and by
            return forget_summaries(P)
        head[PREFERS] = -1
        return 2
    return 2 if found == 1 and head[DOUBTFUL] else found


@unit
def decide(P, here):
    """Decide whether a text can be completed from a place: 1 or 0; or a status, TOO_MUCH among them.

    A glance, summaries, a long search; what a status interrupts goes on where it was.
    """
    head, place, alive = i64(P, HEAD), i64(P, PLACE), 8 * here + ALIVE
    if place[alive]:
        return place[alive] - 1
    if head[ASKED] != here:
        head[ASKED], head[STAGE], head[WORK_BEFORE] = here, 1 if head[PREFERS] > 0 else 0, head[WORK]
    found = np.int64(2)
    if head[STAGE] == 0:
        found = find(P, here, head[GLANCE], 0)
        if found == 2:
            head[STAGE] = 1
    if found == 2 and head[STAGE] == 1:
        found = summarise(P, here) if head[PREFERS] >= 0 else np.int64(2)
        if found == 2:
            head[STAGE] = 2
        elif found >= 0:
            head[PREFERS] = 1
    if found == 2:
        found = find(P, here, head[MOST], 0)
    if found == 2:
        head[ASKED] = 0
        return -TOO_MUCH
    if found >= 0:
        head[ASKED] = 0
        place[alive] = LIVE_PLACE if found else DEAD_PLACE
    return found


@unit
def is_surely_alive(P, a, x, frame, rest):
    """Look for a text from a place in which no tracked terminal begins: 1, 0 if none was found; or a status."""
    here = place_of(P, a, normal(x) | DOUBT, frame, rest)
    if here < 0:
        return here
    place, alive = i64(P, PLACE), 8 * here + ALIVE
    if place[alive] == 0:
        found = find(P, here, _SURELY, 0)
        if found < 0:
            return found
        place[alive] = LIVE_PLACE if found == 1 else DEAD_PLACE
    return place[alive] - 1


@unit(quick=True)
def is_alive(P, earley, rest):
    """Decide whether a text can be completed from an Earley set and a rest: 1 or 0; or a status."""
    S = i64(P, HEAD)[SESSION_BLOCK]
    heap = i64(S, HEAP)
    if heap[earley + 1] and i32(i64(S, SESSION)[AUTOMATA], STATE)[8 * rest + FLAGS] & ACCEPTS:
        return 1
    found = np.int64(0)
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        frame = frame_of(P, heap[o + 2], heap[o + 3], heap[o + 4])
        x = local_of(S, heap[o + 1], heap[o + 3], 0)
        here = place_of(P, heap[o], x, frame, rest) if frame > 0 and x >= 0 else min(frame, x)
        found = decide(P, here) if here > 0 else here
        if found:
            return found
    return found


@unit(quick=True)
def follow_token(P, earley, rest, token):
    """Find the Earley set after a token; the rest is in REST_AFTER. 0 if no text can be completed; or a status."""
    head = i64(P, HEAD)
    S = head[SESSION_BLOCK]
    session = i64(S, SESSION)
    offset, data, automata = (
        i32(session[VOCABULARY_BLOCK], OFFSET),
        u8(session[VOCABULARY_BLOCK], BYTES),
        session[AUTOMATA],
    )
    for at in range(offset[token], offset[token + 1]):
        status = make_ready(automata, rest)
        if status < 0:
            return status
        rest = np.int64(step(automata, rest, data[at]))
        if rest == 0:
            return 0
    head[REST_AFTER] = rest
    after = commit(S, earley, token)
    if after <= 0:
        return after
    alive = is_alive(P, after, rest)
    return after if alive > 0 else alive
