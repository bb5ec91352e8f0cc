# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""States without the counts that a short text cannot tell apart: those that differ in far counts share token sets."""

from __future__ import annotations

from constrain.automata.interning import intern_point, make_pair, make_point, make_repeat, make_set, sort
from constrain.automata.tables import (
    ALL,
    ANYTHING,
    COUNT,
    COUNTS,
    DEAD,
    END,
    FIRST,
    FLAGS,
    KIND,
    MEMBER,
    MEMBERS,
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
    REPEAT,
    SET,
    SETTLED,
    SIZE,
    STACK,
    STATE,
    TOWARDS,
    WORK,
    full,
)
from constrain.jit import i32, i64, size_of, unit


@unit
def clip_point(automata, p, horizon):
    """The point that reads the same as p for so many bytes, with smaller counts or none."""
    node, point, stack, room = i32(automata, NODE), i32(automata, POINT), i32(automata, STACK), size_of(automata, STACK)
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


@unit
def clipped(automata, q, horizon):
    """The state that reads, accepts and goes on as q does for up to `horizon` bytes; q itself if no count is too far.

    Pairs whose liveness hangs on counts stay as they are, and so do complements and assertions.
    """
    state = i32(automata, STATE)
    if q == DEAD or q == ALL:
        return q
    if state[8 * q + KIND] == SET:
        return clip_set(automata, q, horizon)
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
