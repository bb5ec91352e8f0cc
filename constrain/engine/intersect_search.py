# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Whether a text can be completed from a place: a search for one, where little seems to be left first.

Most of the time a search comes by a place from where a text has been found before, after a few steps. Where it finds
none among `GLANCE` places, `intersect_summaries` decide. A search that a status interrupts goes on where it was.
"""

from __future__ import annotations

import numpy as np

from constrain.automata.derive import make_ready
from constrain.automata.tables import (
    ACCEPTS,
    FLAGS,
    GOES_ON,
    MAP,
    MAPPED,
    READY,
    ROW,
    RUN,
    STATE,
    TARGET,
    step,
)
from constrain.engine.counted_strings import count_step
from constrain.engine.earley import closure
from constrain.engine.excluded import MATCHED, step_excluded
from constrain.engine.intersect_costs import missing
from constrain.engine.intersect_tables import (
    ALIVE,
    CONT,
    DATA,
    DEAD_PLACE,
    EXACTLY,
    FRAME,
    FRAME_OF,
    FROM,
    GOAL,
    HEAD,
    LAST_STEP,
    LIVE_PLACE,
    LOOKED,
    LOOKED_AT,
    MET,
    MET_BY,
    METS,
    NO_STEP,
    OPEN,
    PLACE,
    QUEUE,
    QUEUED,
    REST,
    SEARCH,
    SESSION_BLOCK,
    SPECIAL_STEP,
    STEP,
    STEP_BITS,
    TO_END,
    UNDER_WAY,
    X,
    frame_of,
    normal,
    part_full,
    place_of,
)
from constrain.engine.records import intern_two, length, slot
from constrain.engine.tables import (
    ARGUMENT,
    AUTOMATA,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    COUNTED_STRING,
    DOUBT,
    EXCLUDED,
    EXCLUDED_MASK,
    HEAP,
    ITEM,
    LEAF,
    LITERAL,
    NEED_EXCLUDED,
    PAYLOAD,
    PAYLOAD_MASK,
    READ,
    RECORD,
    SCRATCH_BLOCK,
    SESSION,
    SPECIAL_ITEM,
    TEXT_MASK,
    TEXT_SHIFT,
    TRACKED,
    VOCABULARY_BLOCK,
)
from constrain.engine.values import value_of
from constrain.jit import helper, i32, i64, size_of, unit

# ---------------------------------------------------------------------------------------------------------- one step


@helper
def push(queue, n, x):
    """Add to a heap of n."""
    i = n
    while i and queue[i - 1 >> 1] > x:
        queue[i] = queue[i - 1 >> 1]
        i = i - 1 >> 1
    queue[i] = x


@helper
def pop(queue, n):
    """Take the least out of a heap of n."""
    least, x = queue[0], queue[n - 1]
    n -= 1
    i = 0
    while 2 * i + 1 < n:
        j = 2 * i + 1
        if j + 1 < n and queue[j + 1] < queue[j]:
            j += 1
        if queue[j] >= x:
            break
        queue[i] = queue[j]
        i = j
    queue[i] = x
    return least


@unit
def meet(P, a, x, frame, rest, before, by, mode):
    """Note that a search has come to a place. 1: a text is known to follow from there; 0; or a status."""
    head = i64(P, HEAD)
    new = place_of(P, a, x, frame, rest)
    if new < 0:
        return new
    place, o = i64(P, PLACE), 8 * new
    if place[o + MET_BY] == head[SEARCH] or place[o + ALIVE] == DEAD_PLACE:
        return 0
    if place[o + ALIVE] == LIVE_PLACE and not mode & TO_END:
        return 1
    left = missing(P, a, x, frame, rest)
    if left < 0:
        return left
    if head[QUEUED] >= size_of(P, QUEUE):
        return part_full(QUEUE)
    if head[METS] >= size_of(P, MET):
        return part_full(MET)
    read = (place[8 * before + STEP] >> STEP_BITS) + (1 if by != NO_STEP else 0) if before else 0
    place[o + MET_BY], place[o + FROM], place[o + STEP] = head[SEARCH], before, read << STEP_BITS | by
    i32(P, MET)[head[METS]] = new
    head[METS] += 1
    promise = min(read + 4 * left, (1 << 19) - 1)
    push(i64(P, QUEUE), head[QUEUED], promise << 44 | (4095 - min(read, 4095)) << 32 | new)
    head[QUEUED] += 1
    return 0


@unit
def excluded_by(S, x, data):
    """The DFA state of what a terminal that begins must not match beside some data; or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    terminal = -1 - heap[((x >> TEXT_SHIFT) & TEXT_MASK) + 1]
    record = intern_two(S, i64(session[SCRATCH_BLOCK], RECORD), EXCLUDED, terminal, data)
    if record > 0 and heap[slot(heap, record)] == 0:
        session[ARGUMENT], session[ARGUMENT + 1] = terminal, data
        return -NEED_EXCLUDED
    return heap[slot(heap, record)] - 1 if record > 0 else record


@unit
def local_of(S, x, data, mode):
    """The local state by which a place has an item; or a status.

    Where the data of its activation are not known exactly, a tracked terminal that begins must not match what was
    matched as far as is known.
    """
    if mode & EXACTLY or not x & TRACKED:
        return normal(x) if not x & TRACKED else x
    if data < 0:
        excluded = excluded_by(S, x, -1 - data)
        return TRACKED | excluded if excluded >= 0 else excluded
    return normal(x)


@unit
def enter(P, before, earley, rest, by, mode):
    """Meet the items of an Earley set. 1: a text ends there, or is known to follow; 0; or a status."""
    head = i64(P, HEAD)
    S = head[SESSION_BLOCK]
    if earley < 0:
        return earley
    heap = i64(S, HEAP)
    if heap[earley + 1] and i32(i64(S, SESSION)[AUTOMATA], STATE)[8 * rest + FLAGS] & ACCEPTS:
        head[LAST_STEP] = by
        return 1
    only_others = i64(P, PLACE)[8 * before + X] & DOUBT if before else np.int64(0)
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        if only_others and heap[o + 1] & TRACKED:
            continue
        frame = frame_of(P, heap[o + 2], heap[o + 3], heap[o + 4])
        if frame < 0:
            return frame
        x = local_of(S, heap[o + 1], heap[o + 3], mode)
        if x < 0:
            return x
        x |= only_others
        found = meet(P, heap[o], x, frame, rest, before, by, mode)
        if found:
            return found
    return 0


@unit
def behind_tracked(S, x, data, mode):
    """The data of an activation behind a tracked terminal; or a status."""
    if not mode & EXACTLY:
        return -1 - data if data >= 0 else data
    return value_of(S, (x >> TEXT_SHIFT) & TEXT_MASK, data)


@unit
def meet_tracked(P, here, q, rest, first, last, mode):
    """Meet what bytes first .. last - 1 of a tracked terminal lead to, which all come to q and rest."""
    place = i64(P, PLACE)
    S = i64(P, HEAD)[SESSION_BLOCK]
    session = i64(S, SESSION)
    o, before = 8 * here, np.int64(-1)
    x = place[o + X]
    e = x & EXCLUDED_MASK
    for b in range(first, min(last, first + 4) if mode & EXACTLY and not e else last):
        after = step_excluded(S, e, b) if e else np.int64(0)
        if after < 0:
            return after
        if after == MATCHED:
            continue
        if mode & EXACTLY:
            text = intern_two(S, i64(session[SCRATCH_BLOCK], RECORD), READ, (x >> TEXT_SHIFT) & TEXT_MASK, b)
            if text < 0:
                return text
            local = TRACKED | text << TEXT_SHIFT | after
        elif after == before:
            continue
        else:
            local = (x & (TRACKED | DOUBT)) | after
        before = after
        found = meet(P, q, local, place[o + FRAME_OF], rest, here, b, mode)
        if found:
            return found
    return 0


@unit
def expand(P, here, mode):
    """Meet what may follow a place. 1: a text ends, or is known to follow; 0; or a status."""
    place, frames = i64(P, PLACE), i64(P, FRAME)
    S = i64(P, HEAD)[SESSION_BLOCK]
    automata, vocabulary = i64(S, SESSION)[AUTOMATA], i64(S, SESSION)[VOCABULARY_BLOCK]
    state, o = i32(automata, STATE), 8 * here
    a, x, frame, rest = place[o], place[o + X], place[o + FRAME_OF], place[o + REST]
    goal, data, c = frames[4 * frame + GOAL], frames[4 * frame + DATA], frames[4 * frame + CONT]
    if a >= SPECIAL_ITEM:
        return enter(P, here, closure(S, goal, data, c), rest, SPECIAL_STEP + a - SPECIAL_ITEM, mode)
    if not state[8 * rest + FLAGS] & READY:
        status = make_ready(automata, rest)
        if status < 0:
            return status
    if a < 0:
        literal, leaf = i64(S, LITERAL), i32(S, LEAF)
        word = literal[-a]
        ended = (word >> PAYLOAD) & PAYLOAD_MASK
        for k in range(leaf[ended] if ended else 0):
            found = enter(P, here, closure(S, np.int64(leaf[ended + 1 + k]), data, c), rest, NO_STEP, mode)
            if found:
                return found
        first = (word >> CHILD) & CHILD_MASK
        for below in range(first, first + ((word >> CHILDREN) & CHILDREN_MASK)):
            after = step(automata, rest, literal[below] & 255)
            if after:
                found = meet(P, -below, x, frame, np.int64(after), here, literal[below] & 255, mode)
                if found:
                    return found
        return 0
    if not state[8 * a + FLAGS] & READY:
        status = make_ready(automata, a)
        if status < 0:
            return status
    if state[8 * a + FLAGS] & ACCEPTS:
        behind = data
        if x & TRACKED:
            behind = behind_tracked(S, x, data, mode)
            if behind < 0 and mode & EXACTLY:
                return behind
        found = enter(P, here, closure(S, goal, behind, c), rest, NO_STEP, mode)
        if found:
            return found
    if not state[8 * a + FLAGS] & GOES_ON:
        return 0
    target, run, mapped = i32(automata, TARGET), i32(automata, RUN), i32(automata, MAPPED)
    row, row_of_rest = np.int64(state[8 * a + ROW]), np.int64(state[8 * rest + ROW])
    m, m_of_rest = 4 * np.int64(state[8 * a + MAP]), 4 * np.int64(state[8 * rest + MAP])
    i, j = np.int64(mapped[m]), np.int64(mapped[m_of_rest])
    end_i, end_j = i + mapped[m + 1], j + mapped[m_of_rest + 1]
    at = np.int64(0)
    while at < 256:
        q, after = np.int64(target[row + (run[i] >> 8)]), np.int64(target[row_of_rest + (run[j] >> 8)])
        next_i = np.int64(run[i + 1] & 255) if i + 1 < end_i else np.int64(256)
        next_j = np.int64(run[j + 1] & 255) if j + 1 < end_j else np.int64(256)
        stop = min(next_i, next_j)
        if q and after:
            if not x & TRACKED:
                local = count_step(vocabulary, a, q, x) if x & COUNTED_STRING else x
                found = meet(P, q, local, frame, after, here, at, mode) if local >= 0 else np.int64(0)
            else:
                found = meet_tracked(P, here, q, after, at, stop, mode)
            if found:
                return found
        if next_i == stop:
            i += 1
        if next_j == stop:
            j += 1
        at = stop
    return 0


# ------------------------------------------------------------------------------------------------------- the question


@unit
def find(P, start, most, mode):
    """Search for a text from a place. 1: found, its steps lead back from OPEN; 0: there is none; 2: not among `most`
    places; or a status, after which the search goes on where it was."""
    head = i64(P, HEAD)
    place = i64(P, PLACE)
    key = (start << 3 | mode) + 1
    if head[UNDER_WAY] != key:
        head[UNDER_WAY] = 0
        head[SEARCH] += 1
        head[QUEUED], head[METS], head[LOOKED], head[OPEN] = 0, 0, 0, 0
        o = 8 * start
        alive = place[o + ALIVE]
        place[o + ALIVE] = 0
        status = meet(P, place[o], place[o + X], place[o + FRAME_OF], place[o + REST], 0, NO_STEP, mode)
        place[o + ALIVE] = alive
        if status < 0:
            return status
        head[UNDER_WAY] = key
    while True:
        if head[OPEN] == 0:
            if head[QUEUED] == 0:
                break
            if head[LOOKED] >= most:
                head[UNDER_WAY] = 0
                return 2
            head[OPEN] = pop(i64(P, QUEUE), head[QUEUED]) & 0xFFFFFFFF
            head[QUEUED] -= 1
            head[LOOKED] += 1
            head[LOOKED_AT] += 1
        found = expand(P, head[OPEN], mode)
        if found < 0:
            return found
        if found > 0:
            head[UNDER_WAY] = 0
            here = head[OPEN]
            while here and not mode & EXACTLY:
                place[8 * here + ALIVE] = LIVE_PLACE
                here = place[8 * here + FROM]
            return 1
        head[OPEN] = 0
    head[UNDER_WAY] = 0
    met = i32(P, MET)
    for i in range(head[METS] if not mode & EXACTLY else 0):
        place[8 * np.int64(met[i]) + ALIVE] = DEAD_PLACE
    return 0


@unit
def begin(P, earley, rest, mode):
    """Begin a search from all items of an Earley set, for `find` with 0 for its start; returns that, or a status."""
    head = i64(P, HEAD)
    head[UNDER_WAY] = 0
    head[SEARCH] += 1
    head[QUEUED], head[METS], head[LOOKED], head[OPEN], head[LAST_STEP] = 0, 0, 0, 0, NO_STEP
    found = enter(P, 0, earley, rest, NO_STEP, mode)
    if found < 0:
        return found
    head[UNDER_WAY] = mode + 1
    return 0
