# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Rows of LOOK states: what their conjunctions read next.

To *unfold* a conjunction is to follow its points until each is about to read a byte or holds no assertion any more,
in every way there is. A repetition that is met again without a byte read adds nothing: the way ends there.
"""

from __future__ import annotations

from constrain.automata.edges import (
    byte_target,
    list_automaton,
    list_intervals,
    row_of_targets,
)
from constrain.automata.interning import make_not, make_start
from constrain.automata.looks import make_look, was_behind
from constrain.automata.nodes import intern_point, make_point, make_repeat
from constrain.automata.tables import (
    ACCEPTS,
    AHEAD,
    ALL,
    ALT,
    ANYTHING,
    BEHIND,
    BOUNDS,
    CAT,
    COUNT,
    CUTS,
    DEAD,
    EDGE,
    EDGES,
    END,
    EPSILON,
    FIRST,
    FLAGS,
    FRAME,
    LISTED,
    LOOKED,
    LOOKS,
    MAP,
    MAPPED,
    MEMBER,
    N_A,
    N_B,
    N_C,
    N_FLAGS,
    N_KIND,
    NO_END,
    NODE,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    PART,
    POINT,
    RANGE,
    READY,
    REPEAT,
    ROW,
    RUN,
    SIZE_LIMIT,
    STATE,
    TOO_MANY,
    UNFOLDED,
    WORK,
    full,
)
from constrain.jit import i32, i64, size_of, unit

# FRAME holds a stack of frames, each a conjunction on its way: columns, then items of three words
F_BEFORE = 0  # the frame below it; -1: none
F_ITEMS = 1  # how many items
F_NODE, F_NEXT = 2, 3  # what is being followed: a node, and the point behind it; node -1: nothing
F_FIRST = 4
# items: a kind, and what it says
MET = 0  # a repetition on the way that is being followed: the point
WAITS = 1  # a point to be followed, too
DONE = 2  # a point that has been
STANDS = 3  # a state
READS = 4  # bytes, as in EDGE, and the point behind them
MOST_CONJUNCTIONS, MOST_STEPS = 1 << 12, 1 << 22
"""What is unfolded for one row."""
NEEDS_ROW = 1 << 40
"""Added to a state: its row is to be made before."""


@unit
def push_frame(automata, f, top, x, k):
    """Push a copy of frame f, which is to follow (node x, point k); returns the new top."""
    frame = i32(automata, FRAME)
    at = top + F_FIRST + 3 * int(frame[top + F_ITEMS])
    size = F_FIRST + 3 * int(frame[f + F_ITEMS])
    if at + size > size_of(automata, FRAME):
        return full(FRAME)
    for i in range(1, size):
        frame[at + i] = frame[f + i]
    frame[at + F_BEFORE], frame[at + F_NODE], frame[at + F_NEXT] = top, x, k
    return at


@unit
def add_item(automata, f, kind, a, b):
    """Add an item to the top frame, unless it is there; returns 1 if it was, 0 if not, or a status."""
    frame = i32(automata, FRAME)
    end = f + F_FIRST + 3 * int(frame[f + F_ITEMS])
    for at in range(f + F_FIRST, end, 3):
        if frame[at + 1] == a and frame[at + 2] == b and (frame[at] == kind or (frame[at] == DONE and kind == WAITS)):
            return 1
    if end + 3 > size_of(automata, FRAME):
        return full(FRAME)
    frame[end], frame[end + 1], frame[end + 2] = kind, a, b
    frame[f + F_ITEMS] += 1
    return 0


@unit
def add_state(automata, f, q):
    """Add what has to be accepted to the top frame; returns 1 if that cannot be, 0 if it can, or a status."""
    if q == DEAD or q < 0:
        return 1 if q == DEAD else q
    if q == ALL:
        return 0
    return min(add_item(automata, f, STANDS, q, 0), 0)


@unit
def next_point(automata, f):
    """Follow the next waiting point of a frame; returns 0 if there is none."""
    frame, point, n, found = i32(automata, FRAME), i32(automata, POINT), 0, -1
    for at in range(f + F_FIRST, f + F_FIRST + 3 * int(frame[f + F_ITEMS]), 3):
        kind, to = frame[at], f + F_FIRST + 3 * n
        if kind == MET:
            continue
        if kind == WAITS and found < 0:
            found = int(frame[at + 1])
            kind = DONE
        frame[to], frame[to + 1], frame[to + 2] = kind, frame[at + 1], frame[at + 2]
        n += 1
    frame[f + F_ITEMS] = n
    if found < 0:
        return 0
    frame[f + F_NODE], frame[f + F_NEXT] = point[6 * found + P_NODE], point[6 * found + P_NEXT]
    return 1


@unit
def put_out(automata, f, at):
    """Write an unfolded conjunction to UNFOLDED at `at`; returns where the next one goes."""
    frame, unfolded = i32(automata, FRAME), i32(automata, UNFOLDED)
    n = int(frame[f + F_ITEMS])
    if at + 2 + 2 * n > size_of(automata, UNFOLDED):
        return full(UNFOLDED)
    states, edges, to = 0, 0, at + 2
    for i in range(f + F_FIRST, f + F_FIRST + 3 * n, 3):
        if frame[i] == STANDS:
            unfolded[to] = frame[i + 1]
            to += 1
            states += 1
    for i in range(f + F_FIRST, f + F_FIRST + 3 * n, 3):
        if frame[i] == READS:
            unfolded[to], unfolded[to + 1] = frame[i + 1], frame[i + 2]
            to += 2
            edges += 1
    unfolded[at], unfolded[at + 1] = states, edges
    return to


@unit
def demand(automata, f, body, negated):
    """Add to the top frame that the text ahead begins with a node, or that it does not; returns as `add_state`."""
    looked, point = i32(automata, LOOKED), i32(automata, POINT)
    p = make_point(automata, body, ANYTHING)
    if p < 0:
        return p
    if not point[6 * p + P_FLAGS] & LOOKS:
        q = make_start(automata, p)
        return add_state(automata, f, make_not(automata, q) if negated and q >= 0 else q)
    if not negated:
        return min(add_item(automata, f, WAITS, p, 0), 0)
    behinds = 1 + 2 * int(looked[0])
    if behinds + 3 > size_of(automata, LOOKED):
        return full(LOOKED)
    looked[behinds], looked[behinds + 1], looked[behinds + 2] = 1, 1, 2 * p
    q = make_look(automata)
    return add_state(automata, f, make_not(automata, q) if q >= 0 else q)


@unit
def follow(automata, f):
    """Follow what the top frame is following by a step; returns the top frame then, or a status.

    A state that has to be made ready before is returned as NEEDS_ROW + NEEDS_ROW + state.
    """
    frame, node, part, point = i32(automata, FRAME), i32(automata, NODE), i32(automata, PART), i32(automata, POINT)
    x, k = int(frame[f + F_NODE]), int(frame[f + F_NEXT])
    kind, a, b = node[6 * x + N_KIND], int(node[6 * x + N_A]), int(node[6 * x + N_B])
    before = int(frame[f + F_BEFORE])
    if not (node[6 * x + N_FLAGS] | point[6 * k + P_FLAGS]) & LOOKS:
        p = make_point(automata, x, k)
        if p < 0:
            return p
        status = add_state(automata, f, make_start(automata, p))
        frame[f + F_NODE] = -1
    elif kind == RANGE:
        status = min(add_item(automata, f, READS, a | b << 8, k), 0)
        frame[f + F_NODE] = -1
    elif kind == EPSILON:
        status = 0
        frame[f + F_NODE], frame[f + F_NEXT] = point[6 * k + P_NODE], point[6 * k + P_NEXT]
    elif kind == CAT:
        status = make_point(automata, b, k)
        frame[f + F_NODE], frame[f + F_NEXT] = a, status
        status = min(status, 0)
    elif kind == ALT:
        status, top = 0, f
        for i in range(a + 1, a + b):
            top = push_frame(automata, f, top, int(part[i]), k)
            if top < 0:
                return top
        frame[f + F_NODE] = part[a]
        return top
    elif kind == REPEAT:
        status = intern_point(automata, x, k)
        if status < 0:
            return status
        status = add_item(automata, f, MET, status, 0)
        if status == 0:
            high = int(node[6 * x + N_C])
            rest = make_repeat(automata, a, max(b - 1, 0), high if high == NO_END else high - 1)
            if rest < 0:
                return rest
            rest = make_point(automata, rest, k)
            if rest < 0:
                return rest
            frame[f + F_NODE], frame[f + F_NEXT] = a, rest
            if b == 0:
                return push_frame(automata, f, f, EPSILON, k)
    elif kind == AHEAD:
        status = demand(automata, f, a, b)
        frame[f + F_NODE] = EPSILON
    elif kind == BEHIND:
        status = 1 if was_behind(automata, a) == b else 0
        frame[f + F_NODE] = EPSILON
    else:  # an AUTOMATON
        state, edge = i32(automata, STATE), i64(automata, EDGE)
        if not state[8 * a + FLAGS] & READY:
            return 2 * NEEDS_ROW + a
        n, off, top = list_automaton(automata, a, k, 0), int(i64(automata, COUNT)[EDGES]), f
        if n < 0:
            return n
        for i in range(off, off + n):
            top = push_frame(automata, f, top, -1, END)
            if top < 0:
                return top
            status = add_item(automata, top, READS, int(edge[i]) & 0xFFFF, int(edge[i]) >> 16)
            if status < 0:
                return status
        if state[8 * a + FLAGS] & ACCEPTS:
            frame[f + F_NODE] = EPSILON
        else:
            frame[f + F_NODE] = -2  # given up once the others are done
        return top
    if status < 0:
        return status
    return before if status else f


@unit
def unfold(automata, q):
    """Unfold the conjunctions of a state to UNFOLDED; returns their number, a status, or as `follow`."""
    member, frame, count = i32(automata, MEMBER), i32(automata, FRAME), i64(automata, COUNT)
    state, looked = i32(automata, STATE), i32(automata, LOOKED)
    first = int(state[8 * q + FIRST])
    if 1 + 2 * member[first] > size_of(automata, LOOKED):
        return full(LOOKED)
    for i in range(1 + 2 * int(member[first])):
        looked[i] = member[first + i]
    first += 1 + 2 * int(member[first])
    m, at, out, n = int(member[first]), first + 1, 0, 0
    steps = 0
    for _ in range(m):
        f = 0
        frame[F_BEFORE], frame[F_ITEMS], frame[F_NODE], frame[F_NEXT] = -1, 0, -1, 0
        for i in range(at + 1, at + 1 + int(member[at])):
            literal = int(member[i])
            status = add_item(automata, 0, STANDS if literal & 1 else WAITS, literal >> 1, 0)
            if status < 0:
                return status
        at += 1 + int(member[at])
        while f >= 0:
            steps += 1
            if n > min(MOST_CONJUNCTIONS, count[SIZE_LIMIT]) or steps > MOST_STEPS:
                return -TOO_MANY
            if frame[f + F_NODE] >= 0:
                f = follow(automata, f)
                if f < -1 or f >= NEEDS_ROW:
                    return f
            elif frame[f + F_NODE] == -2:
                f = int(frame[f + F_BEFORE])
            elif next_point(automata, f) == 0:
                out = put_out(automata, f, out)
                if out < 0:
                    return out
                f = int(frame[f + F_BEFORE])
                n += 1
    return n


# ------------------------------------------------------------------------------------------------------------- rows


@unit
def bound_runs(automata, q):
    """Note in BOUNDS where the runs of the row of a state begin; returns 0, or NEEDS_ROW + q if it has none."""
    state, mapped, run, work = i32(automata, STATE), i32(automata, MAPPED), i32(automata, RUN), i64(automata, WORK)
    if state[8 * q + ROW] < 0:
        return NEEDS_ROW + q
    m = int(state[8 * q + MAP])
    for i in range(mapped[4 * m], mapped[4 * m] + mapped[4 * m + 1]):
        b = int(run[i]) & 255
        work[BOUNDS + (b >> 5)] |= 1 << (b & 31)
    return 0


@unit
def bound_all(automata, n):
    """Note in BOUNDS where what n unfolded conjunctions and the lookbehinds read begins and ends; as `bound_runs`."""
    unfolded, looked, work = i32(automata, UNFOLDED), i32(automata, LOOKED), i64(automata, WORK)
    for w in range(8):
        work[BOUNDS + w] = 0
    work[BOUNDS] = 1
    for i in range(looked[0]):
        status = bound_runs(automata, int(looked[2 + 2 * i]))
        if status:
            return status
    at = 0
    for _ in range(n):
        states, edges = int(unfolded[at]), int(unfolded[at + 1])
        at += 2
        for i in range(states):
            status = bound_runs(automata, int(unfolded[at + i]))
            if status:
                return status
        at += states
        for i in range(edges):
            low, after = int(unfolded[at + 2 * i]) & 255, (int(unfolded[at + 2 * i]) >> 8) + 1
            work[BOUNDS + (low >> 5)] |= 1 << (low & 31)
            if after < 256:
                work[BOUNDS + (after >> 5)] |= 1 << (after & 31)
        at += 2 * edges
    return 0


@unit
def after_byte(automata, q, n, byte):
    """The state that q and its n unfolded conjunctions lead to by a byte."""
    unfolded, looked, member = i32(automata, UNFOLDED), i32(automata, LOOKED), i32(automata, MEMBER)
    first, room = int(i32(automata, STATE)[8 * q + FIRST]), size_of(automata, LOOKED)
    behinds = int(member[first])
    looked[0] = behinds
    for i in range(behinds):
        looked[1 + 2 * i] = member[first + 1 + 2 * i]
        looked[2 + 2 * i] = byte_target(automata, int(member[first + 2 + 2 * i]), byte)
    to, m, at = 2 + 2 * behinds, 0, 0
    for _ in range(n):
        states, edges = int(unfolded[at]), int(unfolded[at + 1])
        at += 2
        if to + 1 + states + edges > room:
            return full(LOOKED)
        alive = True
        for i in range(states):
            y = byte_target(automata, int(unfolded[at + i]), byte)
            alive = alive and y != DEAD
            looked[to + 1 + i] = 2 * y + 1
        at += states
        for i in range(edges):
            x = int(unfolded[at + 2 * i])
            alive = alive and x & 255 <= byte and byte <= x >> 8
            looked[to + 1 + states + i] = 2 * int(unfolded[at + 2 * i + 1])
        at += 2 * edges
        if alive:
            looked[to] = states + edges
            to += 1 + states + edges
            m += 1
    looked[1 + 2 * behinds] = m
    return make_look(automata)


@unit
def row_of_look(automata, q):
    """Make the row of a LOOK state; returns 0, a status, a state to be made ready, or NEEDS_ROW + a state."""
    work = i64(automata, WORK)
    n = unfold(automata, q)
    if n < 0:
        return n
    if n >= NEEDS_ROW:
        return n - 2 * NEEDS_ROW
    status = bound_all(automata, n)
    if status:
        return status
    k = list_intervals(automata)
    for j in range(k):
        y = after_byte(automata, q, n, int(work[CUTS + j]))
        if y < 0:
            return y
        work[LISTED + j] = y
    return row_of_targets(automata, q, k)
