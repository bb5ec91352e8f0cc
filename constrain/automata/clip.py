# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""States without the counts that a short text cannot tell apart: those that differ in far counts share token sets."""

from __future__ import annotations

from constrain.automata.derive import TO_SETTLE, answer, make_ready
from constrain.automata.interning import make_leaf, make_pair, make_set
from constrain.automata.nodes import intern_point, make_point, make_repeat, sort
from constrain.automata.tables import (
    ALL,
    ANYTHING,
    AUTOMATON,
    BOUND,
    CLASSES,
    COUNT,
    COUNTS,
    DEAD,
    DISTANCE,
    END,
    EXACT,
    FAR,
    FIRST,
    FLAGS,
    KIND,
    MEETING,
    MEMBER,
    MEMBERS,
    MET,
    N_A,
    N_B,
    N_C,
    N_KIND,
    N_SHORTEST,
    NO_END,
    NODE,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    POINT,
    QUEUE,
    REPEAT,
    ROW,
    SET,
    SETTLED,
    SIZE,
    STACK,
    STATE,
    TARGET,
    TOWARDS,
    WITHIN,
    WORK,
    full,
)
from constrain.jit import i32, i64, size_of, unit

MOST_MET = 1 << 14
"""States met by `farthest`."""


@unit
def farthest(automata, q):
    """The most bytes that the shortest text from any state reached from q has; FAR if that takes long to find out."""
    bound, met, state = i32(automata, BOUND), i32(automata, MET), i32(automata, STATE)
    if bound[q]:
        return int(bound[q]) - 1
    queue, target, count = i32(automata, QUEUE), i32(automata, TARGET), i64(automata, COUNT)
    gen = int(count[MEETING]) + 1
    count[MEETING] = gen
    queue[0], met[q] = q, gen
    n, i, worst = 1, 0, 0
    while i < n and worst < FAR:
        x = int(queue[i])
        i += 1
        status = make_ready(automata, x)
        if status < 0:
            return status
        worst = max(worst, int(i32(automata, DISTANCE)[x])) if state[8 * x + FLAGS] & EXACT else FAR
        row = int(state[8 * x + ROW])
        for k in range(row, row + int(state[8 * x + CLASSES])):
            y = int(target[k])
            if y == DEAD or met[y] == gen:
                continue
            if n == MOST_MET:
                worst = FAR
                break
            if n == size_of(automata, QUEUE):
                return full(QUEUE)
            met[y], queue[n] = gen, y
            n += 1
    for k in range(n):
        bound[queue[k]] = worst + 1
    return worst


@unit
def clip_within(automata, q, horizon):
    """The frame of a WITHIN state if its units are too many to be used up within `horizon` bytes, else q."""
    state, member, point, node = i32(automata, STATE), i32(automata, MEMBER), i32(automata, POINT), i32(automata, NODE)
    a, b = int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
    if state[8 * b + KIND] != SET or state[8 * b + SIZE] != 1 or state[8 * a + KIND] != SET:
        return q
    p = int(member[state[8 * b + FIRST]])
    x = int(point[6 * p + P_NODE])
    if p == END or point[6 * p + P_NEXT] != END or node[6 * x + N_KIND] != REPEAT or node[6 * x + N_B] != 0:
        return q
    most = int(node[6 * x + N_C])
    if most != NO_END and most < horizon:
        return q
    far = farthest(automata, a)
    if far < 0:
        return far
    return a if most == NO_END or far + horizon <= most else q


@unit
def clip_point(automata, p, horizon):
    """The point that reads the same as p for so many bytes, with smaller counts or none."""
    node, point, stack, room = i32(automata, NODE), i32(automata, POINT), i32(automata, STACK), size_of(automata, STACK)
    state = i32(automata, STATE)
    n = 0
    while p != END and horizon >= 0 and point[6 * p + P_FLAGS] & COUNTS:
        if 2 * n + 2 > room:
            return full(STACK)
        x = int(point[6 * p + P_NODE])
        stack[2 * n], stack[2 * n + 1] = x, horizon
        n += 1
        horizon -= int(node[6 * x + N_SHORTEST])
        p = int(point[6 * p + P_NEXT])
    if horizon < 0 and point[6 * p + P_FLAGS] & COUNTS:
        p = ANYTHING  # it is not reached
    while n and p >= 0:
        n -= 1
        x, horizon = int(stack[2 * n]), int(stack[2 * n + 1])
        if node[6 * x + N_KIND] == REPEAT:
            body, low, high = int(node[6 * x + N_A]), int(node[6 * x + N_B]), int(node[6 * x + N_C])
            rounds = horizon // max(1, int(node[6 * body + N_SHORTEST]))
            if low > rounds or high > rounds:
                x = make_repeat(automata, body, min(low, rounds + 1), high if high <= rounds else NO_END)
                if x < 0:
                    return x
                p = make_point(automata, x, p)
                continue
        elif node[6 * x + N_KIND] == AUTOMATON:
            a = int(node[6 * x + N_A])
            if state[8 * a + KIND] == WITHIN:
                q = clip_within(automata, a, horizon)
                if q >= 0 and q != a:
                    q = answer(automata, TO_SETTLE, q) or q
                if q < 0:
                    return q
                if q != a:
                    x = make_leaf(automata, q)
                    if x < 0:
                        return x
                    p = make_point(automata, x, p)
                    continue
        p = intern_point(automata, x, p)
    return p


@unit
def clip_set(automata, q, horizon):
    """The set of the points of a set that have been clipped."""
    state, member, point, work = i32(automata, STATE), i32(automata, MEMBER), i32(automata, POINT), i64(automata, WORK)
    first, n = int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
    flags = 0
    for i in range(first, first + n):
        flags |= point[6 * int(member[i]) + P_FLAGS]
    if not flags & COUNTS:
        return q
    if n > size_of(automata, WORK):
        return full(WORK)
    same = True
    for i in range(n):
        p = clip_point(automata, int(member[first + i]), horizon)
        if p < 0:
            return p
        work[i] = p
        same = same and p == member[first + i]
    if same:
        return q
    n, t = sort(automata, 0, n), int(i64(automata, COUNT)[MEMBERS])
    if t + n > size_of(automata, MEMBER):
        return full(MEMBER)
    for i in range(n):
        member[t + i] = work[i]
    return make_set(automata, n)


@unit(quick=True)
def clipped(automata, q, horizon):
    """The state that reads, accepts and goes on as q does for up to `horizon` bytes; q itself if no count is too far.

    Pairs whose liveness hangs on counts stay as they are, and so do complements and assertions.
    """
    state = i32(automata, STATE)
    if q == DEAD or q == ALL:
        return q
    if state[8 * q + KIND] == SET:
        return clip_set(automata, q, horizon)
    if state[8 * q + KIND] == WITHIN:
        a = clip_within(automata, q, horizon)
        return clip_set(automata, a, horizon) if a >= 0 and a != q else a
    if state[8 * q + KIND] == TOWARDS and state[8 * q + FLAGS] & SETTLED:
        a, b = int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
        if a > ALL and state[8 * a + KIND] == SET:
            a = clip_set(automata, a, horizon)
            if a < 0:
                return a
        if b > ALL and state[8 * b + KIND] == SET:
            b = clip_set(automata, b, horizon)
            if b < 0:
                return b
        return make_pair(automata, TOWARDS, a, b)
    return q
