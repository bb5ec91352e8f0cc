# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""What a point reads, and the rows of sets of points.

Partial derivatives (Antimirov 1996) of the point (node, continuation): each edge is a range of bytes and the point
behind it. Edges are listed when a set that holds the point is left for the first time; acceptance is known before.
"""

from __future__ import annotations

from constrain.automata.interning import make_leaf, make_map, make_set
from constrain.automata.nodes import intern_point, make_point, make_repeat, sort
from constrain.automata.tables import (
    ACCEPTS,
    ALL,
    ALT,
    AUTOMATON,
    BOUNDS,
    CAT,
    CLASS,
    CLASSES,
    COUNT,
    CUTS,
    DEAD,
    EDGE,
    EDGES,
    END,
    EPSILON,
    FIRST,
    FLAGS,
    GENERATION,
    GOES_ON,
    GROUPS,
    KIND,
    LISTED,
    MAP,
    MAPPED,
    MEMBER,
    MEMBERS,
    N_A,
    N_B,
    N_C,
    N_KIND,
    NO_END,
    NODE,
    P_COUNT,
    P_EDGES,
    P_NEXT,
    P_NODE,
    PART,
    PLACE,
    POINT,
    RANGE,
    READY,
    REPEAT,
    ROW,
    RUN,
    RUNS_AT,
    SET,
    SIZE,
    SPOTS,
    STACK,
    STAMP,
    STATE,
    TARGET,
    TARGETS,
    WORK,
    WORK_DONE,
    full,
)
from constrain.jit import helper, i32, i64, size_of, u8, unit

# ----------------------------------------------------------------------------------------------------------- edges


@unit
def byte_target(automata, q, byte):
    """The state after a byte in a state that has a row."""
    state = i32(automata, STATE)
    c = int(u8(automata, CLASS)[256 * int(state[8 * q + MAP]) + byte])
    return int(i32(automata, TARGET)[int(state[8 * q + ROW]) + c])


@unit
def edge_of(low, high, p):
    """An edge as one word."""
    return int(low) | int(high) << 8 | int(p) << 16


@unit
def list_automaton(automata, q, k, n):
    """List the edges of (AUTOMATON q, k), n of which have been listed before; returns how many there are then."""
    state, target, run, mapped = i32(automata, STATE), i32(automata, TARGET), i32(automata, RUN), i32(automata, MAPPED)
    member, edge, room = i32(automata, MEMBER), i64(automata, EDGE), size_of(automata, EDGE)
    off = int(i64(automata, COUNT)[EDGES])
    row, m = int(state[8 * q + ROW]), int(state[8 * q + MAP])
    first, runs = int(mapped[4 * m]), int(mapped[4 * m + 1])
    for j in range(first, first + runs):
        y = int(target[row + (run[j] >> 8)])
        if y == DEAD:
            continue
        low, high = run[j] & 255, (run[j + 1] & 255) - 1 if j + 1 < first + runs else 255
        if k == END and state[8 * y + KIND] == SET and y != ALL:
            a, size = int(state[8 * y + FIRST]), int(state[8 * y + SIZE])
            if off + n + size > room:
                return full(EDGE)
            for i in range(a, a + size):
                edge[off + n] = edge_of(low, high, member[i])
                n += 1
            continue
        p = k
        if state[8 * y + FLAGS] & GOES_ON:
            leaf = make_leaf(automata, y)
            if leaf < 0:
                return leaf
            p = make_point(automata, leaf, k)
            if p < 0:
                return p
        if off + n >= room:
            return full(EDGE)
        edge[off + n] = edge_of(low, high, p)
        n += 1
    return n


@unit
def list_edges(automata, p):
    """List the edges of a point that has none; returns 0, a status, or a state that has to be made ready before."""
    count, node, part, point = i64(automata, COUNT), i32(automata, NODE), i32(automata, PART), i32(automata, POINT)
    state, edge, room = i32(automata, STATE), i64(automata, EDGE), size_of(automata, EDGE)
    stack, depth, stamp = i32(automata, STACK), size_of(automata, STACK), i32(automata, STAMP)
    off, n = int(count[EDGES]), 0
    gen = int(count[GENERATION]) + 1  # of points met, gen + 1 of repetitions that have been entered
    count[GENERATION] = gen + 1
    stamp[p] = gen
    stack[0], stack[1] = point[6 * p + P_NODE], point[6 * p + P_NEXT]
    sp = 2
    while sp:
        sp -= 2
        x, k = int(stack[sp]), int(stack[sp + 1])
        then = -1  # a point that is reached without a byte
        while True:
            kind = node[6 * x + N_KIND]
            a, b = int(node[6 * x + N_A]), int(node[6 * x + N_B])
            if kind == RANGE:
                if off + n >= room:
                    return full(EDGE)
                edge[off + n] = edge_of(a, b, k)
                n += 1
                break
            if kind == CAT:
                k = make_point(automata, b, k)
                if k < 0:
                    return k
                x = a
                continue
            if kind == REPEAT:
                me = intern_point(automata, x, k)
                if me < 0:
                    return me
                if stamp[me] == gen + 1:
                    break
                stamp[me] = gen + 1
                rest = x
                high = int(node[6 * x + N_C])
                if b > 0 or high != NO_END:
                    rest = make_repeat(automata, a, max(b - 1, 0), high - 1 if high != NO_END else NO_END)
                    if rest < 0:
                        return rest
                if b == 0 and k != END and stamp[k] < gen:
                    if sp + 2 > depth:
                        return full(STACK)
                    stamp[k] = gen
                    stack[sp], stack[sp + 1] = point[6 * k + P_NODE], point[6 * k + P_NEXT]
                    sp += 2
                k = make_point(automata, rest, k)
                if k < 0:
                    return k
                x = a
                continue
            if kind == ALT:
                if off + n + b > room:
                    return full(EDGE)
                if sp + 2 * b > depth:
                    return full(STACK)
                for j in range(a, a + b):
                    y = int(part[j])
                    kind = node[6 * y + N_KIND]
                    if kind == RANGE:
                        edge[off + n] = edge_of(node[6 * y + N_A], node[6 * y + N_B], k)
                        n += 1
                        continue
                    head = int(node[6 * y + N_A])
                    if kind == CAT and node[6 * head + N_KIND] == RANGE:
                        to = make_point(automata, int(node[6 * y + N_B]), k)
                        if to < 0:
                            return to
                        edge[off + n] = edge_of(node[6 * head + N_A], node[6 * head + N_B], to)
                        n += 1
                        continue
                    stack[sp], stack[sp + 1] = y, k
                    sp += 2
                break
            if kind == AUTOMATON:
                if not state[8 * a + FLAGS] & READY:
                    return a
                n = list_automaton(automata, a, k, n)
                if n < 0:
                    return n
                if state[8 * a + FLAGS] & ACCEPTS:
                    then = k
                break
            if kind == EPSILON:
                then = k
            break
        if then > END and stamp[then] < gen:
            if sp + 2 > depth:
                return full(STACK)
            stamp[then] = gen
            stack[sp], stack[sp + 1] = point[6 * then + P_NODE], point[6 * then + P_NEXT]
            sp += 2
    point[6 * p + P_EDGES], point[6 * p + P_COUNT] = off, n
    count[EDGES] = off + n
    count[WORK_DONE] += n
    return 0


# ------------------------------------------------------------------------------------------------------------ rows


@helper
def lowest_bit(x):
    """The place of the lowest of 32 bits, one of which is set."""
    x &= -x
    n = 0
    if x & 0xFFFF0000:
        n += 16
    if x & 0xFF00FF00:
        n += 8
    if x & 0xF0F0F0F0:
        n += 4
    if x & 0xCCCCCCCC:
        n += 2
    if x & 0xAAAAAAAA:
        n += 1
    return n


@unit
def list_intervals(automata):
    """Number the intervals that begin at the bytes of BOUNDS: first bytes to CUTS, numbers to SPOTS."""
    work = i64(automata, WORK)
    k = 0
    for w in range(8):
        bits = int(work[BOUNDS + w])
        while bits:
            b = 32 * w + lowest_bit(bits)
            bits &= bits - 1
            work[CUTS + k], work[SPOTS + b] = b, k
            k += 1
    work[SPOTS + 256] = k
    return k


@unit
def list_targets(automata, q):
    """Collect the distinct targets of the edges of a set in WORK from LISTED, and where they begin and end."""
    count, point, edge = i64(automata, COUNT), i32(automata, POINT), i64(automata, EDGE)
    state, member, stamp = i32(automata, STATE), i32(automata, MEMBER), i32(automata, STAMP)
    work, place, room = i64(automata, WORK), i32(automata, PLACE), size_of(automata, WORK)
    count[GENERATION] += 1
    gen = count[GENERATION]
    for w in range(8):
        work[BOUNDS + w] = 0
    work[BOUNDS] = 1
    n = 0
    for i in range(state[8 * q + FIRST], state[8 * q + FIRST] + state[8 * q + SIZE]):
        p = int(member[i])
        a = int(point[6 * p + P_EDGES])
        for e in range(a, a + point[6 * p + P_COUNT]):
            x = int(edge[e])
            low, after = x & 255, (x >> 8 & 255) + 1
            x >>= 16
            work[BOUNDS + (low >> 5)] |= 1 << (low & 31)
            if after < 256:
                work[BOUNDS + (after >> 5)] |= 1 << (after & 31)
            if stamp[x] != gen:
                stamp[x] = gen
                if LISTED + n >= room:
                    return full(WORK)
                work[LISTED + n] = x
                n += 1
    sort(automata, LISTED, n)
    for i in range(n):
        place[work[LISTED + i]] = i
    return n


@unit
def group_intervals(automata, q, n, k):
    """Find which of n targets each of k intervals has, and give equal ones one class; returns the classes."""
    point, edge, work = i32(automata, POINT), i64(automata, EDGE), i64(automata, WORK)
    state, member, place = i32(automata, STATE), i32(automata, MEMBER), i32(automata, PLACE)
    width, matrix = (n + 31) >> 5, LISTED + n
    if matrix + width * k > size_of(automata, WORK):
        return full(WORK)
    for i in range(matrix, matrix + width * k):
        work[i] = 0
    for i in range(state[8 * q + FIRST], state[8 * q + FIRST] + state[8 * q + SIZE]):
        p = int(member[i])
        a = int(point[6 * p + P_EDGES])
        for e in range(a, a + point[6 * p + P_COUNT]):
            x = int(edge[e])
            at = int(place[x >> 16])
            bit = 1 << (at & 31)
            at = matrix + (at >> 5)
            for j in range(work[SPOTS + (x & 255)], work[SPOTS + (x >> 8 & 255) + 1]):
                work[at + width * j] |= bit
    classes = 0
    for j in range(k):
        at = matrix + width * j
        found = -1
        for c in range(classes):
            other = matrix + width * int(work[GROUPS + c])
            found = c
            for w in range(width):
                if work[at + w] != work[other + w]:
                    found = -1
                    break
            if found >= 0:
                break
        if found < 0:
            found = classes
            work[GROUPS + classes] = j
            classes += 1
        work[SPOTS + j] = found  # no longer needed for what it was
    return classes


@unit
def row_of_set(automata, q):
    """Make the row of a set whose points have edges. It works on intervals: a byte at a time costs ten times that."""
    count, work, state = i64(automata, COUNT), i64(automata, WORK), i32(automata, STATE)
    n = list_targets(automata, q)
    if n < 0:
        return n
    k = list_intervals(automata)
    classes = group_intervals(automata, q, n, k)
    if classes < 0:
        return classes
    runs, last = 0, -1
    for j in range(k):
        c = int(work[SPOTS + j])
        if c != last:
            work[RUNS_AT + runs] = int(work[CUTS + j]) | c << 8
            runs += 1
            last = c
    m = make_map(automata, runs, classes)
    if m < 0:
        return m
    target, row = i32(automata, TARGET), int(count[TARGETS])
    if row + classes > size_of(automata, TARGET):
        return full(TARGET)
    member, room, width = i32(automata, MEMBER), size_of(automata, MEMBER), (n + 31) >> 5
    for c in range(classes):
        at = LISTED + n + width * int(work[GROUPS + c])
        t, size = int(count[MEMBERS]), 0
        if t + n > room:
            return full(MEMBER)
        for w in range(width):
            bits = int(work[at + w])
            while bits:
                member[t + size] = work[LISTED + 32 * w + lowest_bit(bits)]
                size += 1
                bits &= bits - 1
        y = make_set(automata, size)
        if y < 0:
            return y
        target[row + c] = y
    count[TARGETS] = row + classes
    state[8 * q + MAP], state[8 * q + CLASSES], state[8 * q + ROW] = m, classes, row
    return 0


@unit
def row_of_targets(automata, q, n):
    """Make the row of a state from n runs in WORK: first bytes at CUTS, target states at LISTED."""
    count, work, state = i64(automata, COUNT), i64(automata, WORK), i32(automata, STATE)
    target, row = i32(automata, TARGET), int(count[TARGETS])
    if row + n > size_of(automata, TARGET):
        return full(TARGET)
    classes, runs, last = 0, 0, -1
    for j in range(n):
        y = work[LISTED + j]
        c = 0
        while c < classes and target[row + c] != y:
            c += 1
        if c == classes:
            target[row + c] = y
            classes += 1
        if c != last:
            work[RUNS_AT + runs] = int(work[CUTS + j]) | c << 8
            runs += 1
            last = c
    m = make_map(automata, runs, classes)
    if m < 0:
        return m
    count[TARGETS] = row + classes
    state[8 * q + MAP], state[8 * q + CLASSES], state[8 * q + ROW] = m, classes, row
    return 0
