# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Nodes, points, states and class maps, each made once: equal ones get equal numbers.

Whoever makes one writes it behind the last, looks for an equal one by its hash, and counts it if there is none: what
a status interrupts has not been counted, and is written again. All return a number, or a status below zero.
"""

from __future__ import annotations

from constrain.automata.tables import (
    ACCEPTS,
    ALL,
    ALT,
    AND,
    ANY,
    ANYTHING,
    AUTOMATON,
    CAT,
    CLASS,
    CLASSES,
    COUNT,
    COUNTED,
    COUNTS,
    DEAD,
    DISTANCE,
    EMPTY,
    END,
    EPSILON,
    EXACT,
    FAR,
    FIRST,
    FLAGS,
    GENERATION,
    GOES_ON,
    GUESSED,
    INHERITED,
    KIND,
    LIVE,
    LOOK,
    LOOKS,
    MAP,
    MAP_HASH,
    MAPPED,
    MAPS,
    MEMBER,
    MEMBERS,
    N_A,
    N_B,
    N_C,
    N_FLAGS,
    N_KIND,
    N_SHORTEST,
    NO_END,
    NODE,
    NODE_HASH,
    NODES,
    NOT,
    NULLABLE,
    P_COUNT,
    P_EDGES,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    P_SHORTEST,
    PART,
    PARTS,
    PLACE,
    POINT,
    POINT_HASH,
    POINTS,
    RANGE,
    REPEAT,
    REST,
    ROW,
    RUN,
    RUNS,
    RUNS_AT,
    SEEN,
    SET,
    SETTLED,
    SIZE,
    SIZE_LIMIT,
    SPINE,
    STAMP,
    STATE,
    STATE_HASH,
    STATES,
    TOO_MANY,
    TOWARDS,
    VALUE,
    VISIT,
    WITHIN,
    WORK,
    full,
)
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit

# ------------------------------------------------------------------------------------------------- hashes, equality


@helper
def node_hash(automata, n):
    """Hash a node by what it is made of."""
    node = i32(automata, NODE)
    kind = int(node[6 * n])
    h = mix(kind, int(node[6 * n + N_B]))
    if kind == ALT:
        part, first = i32(automata, PART), int(node[6 * n + N_A])
        for i in range(first, first + node[6 * n + N_B]):
            h = mix(h, int(part[i]))
        return h
    return mix(mix(h, int(node[6 * n + N_A])), int(node[6 * n + N_C]) + 1)


@helper
def listed_state(kind):
    """Whether states of a kind stand in MEMBER."""
    return kind == SET or kind == REST or kind == LOOK


@helper
def state_hash(automata, q):
    """Hash a state by what it is made of."""
    state = i32(automata, STATE)
    kind, first, size = int(state[8 * q + KIND]), int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
    h = mix(kind, size)
    if listed_state(kind):
        member = i32(automata, MEMBER)
        for i in range(first, first + size):
            h = mix(h, int(member[i]))
        return h
    return mix(h, first)


@helper
def run_hash(runs, first, n):
    """Hash a class map by its runs."""
    h = n
    for i in range(first, first + n):
        h = mix(h, int(runs[i]))
    return h


# ------------------------------------------------------------------------------------------------------------ nodes


@unit
def intern_node(automata):
    """The number of the node that stands behind the last one."""
    count, node, hashes = i64(automata, COUNT), i32(automata, NODE), i32(automata, NODE_HASH)
    new = int(count[NODES])
    mask = size_of(automata, NODE_HASH) - 1
    if 2 * new > mask:
        return full(NODE_HASH)
    a, kind = int(node[6 * new + N_A]), node[6 * new + N_KIND]
    i = node_hash(automata, new) & mask
    while hashes[i]:
        n = int(hashes[i])
        if node[6 * n + N_KIND] == kind and node[6 * n + N_B] == node[6 * new + N_B]:
            if kind == ALT:
                part, other = i32(automata, PART), int(node[6 * n + N_A])
                same = True
                for j in range(node[6 * n + N_B]):
                    if part[a + j] != part[other + j]:
                        same = False
                        break
                if same:
                    return n
            elif node[6 * n + N_A] == a and node[6 * n + N_C] == node[6 * new + N_C]:
                return n
        i = (i + 1) & mask
    hashes[i] = new
    count[NODES] = new + 1
    return new


@unit
def make_node(automata, kind, a, b, c, flags, shortest):
    """Make a node of given columns."""
    node, new = i32(automata, NODE), int(i64(automata, COUNT)[NODES])
    if 6 * new + 6 > size_of(automata, NODE) or new >= size_of(automata, VISIT):
        return full(NODE)
    node[6 * new + N_KIND], node[6 * new + N_A], node[6 * new + N_B], node[6 * new + N_C] = kind, a, b, c
    node[6 * new + N_FLAGS], node[6 * new + N_SHORTEST] = flags, min(shortest, FAR)
    return intern_node(automata)


@unit
def make_range(automata, low, high):
    """The node of one byte."""
    return make_node(automata, RANGE, low, high, 0, 0, 1)


@unit
def make_cat(automata, a, b):
    """The node of one node after the other."""
    node = i32(automata, NODE)
    if a == EMPTY or b == EMPTY:
        return EMPTY
    if a == EPSILON:
        return b
    if b == EPSILON:
        return a
    left, right = int(node[6 * a + N_FLAGS]), int(node[6 * b + N_FLAGS])
    flags = (left & right & NULLABLE) | ((left | right) & INHERITED)
    return make_node(automata, CAT, a, b, 0, flags, int(node[6 * a + N_SHORTEST]) + int(node[6 * b + N_SHORTEST]))


@unit
def make_repeat(automata, body, low, high):
    """The node of a repetition; high may be NO_END."""
    node = i32(automata, NODE)
    if body == EMPTY:
        return EPSILON if low == 0 else EMPTY
    if body == EPSILON or high == 0:
        return EPSILON
    if low == 1 and high == 1:
        return body
    flags = int(node[6 * body + N_FLAGS])
    if flags & (NULLABLE | LOOKS) == NULLABLE:  # assertions may fail
        low = 0
    if node[6 * body + N_KIND] == REPEAT and node[6 * body + N_B] == 0 and node[6 * body + N_C] == NO_END:
        return body
    if low == 0:
        flags |= NULLABLE
    return make_node(automata, REPEAT, body, low, high, flags, min(low, FAR) * int(node[6 * body + N_SHORTEST]))


@unit
def sort(automata, first, n):
    """Sort n words of WORK from `first` and drop those that are there twice; returns how many are left."""
    work = i64(automata, WORK)
    gap = 1
    while gap * 9 < n:
        gap = 3 * gap + 1
    while gap:  # by diminishing increments
        for i in range(first + gap, first + n):
            x = work[i]
            j = i - gap
            while j >= first and work[j] > x:
                work[j + gap] = work[j]
                j -= gap
            work[j + gap] = x
        gap //= 3
    left = min(n, 1)
    for i in range(first + 1, first + n):
        if work[i] != work[first + left - 1]:
            work[first + left] = work[i]
            left += 1
    return left


@unit
def make_alt(automata, first, n):
    """The node of one of n nodes, listed in VALUE from `first`."""
    count, node, part = i64(automata, COUNT), i32(automata, NODE), i32(automata, PART)
    value, work, room = i32(automata, VALUE), i64(automata, WORK), size_of(automata, WORK)
    k = 0
    for i in range(first, first + n):
        p = int(value[i])
        if p == EMPTY:
            continue
        inner = int(node[6 * p + N_B]) if node[6 * p + N_KIND] == ALT else 1
        if k + inner > room:
            return full(WORK)
        if node[6 * p + N_KIND] == ALT:
            a = int(node[6 * p + N_A])
            for j in range(inner):
                work[k + j] = part[a + j]
        else:
            work[k] = p
        k += inner
    k = sort(automata, 0, k)
    if k < 2:
        return int(work[0]) if k else EMPTY
    off = int(count[PARTS])
    if off + k > size_of(automata, PART):
        return full(PART)
    flags, shortest = 0, FAR
    for i in range(k):
        p = int(work[i])
        part[off + i] = p
        flags |= node[6 * p + N_FLAGS]
        shortest = min(shortest, int(node[6 * p + N_SHORTEST]))
    before = int(count[NODES])
    made = make_node(automata, ALT, off, k, 0, flags, shortest)
    if made == before:
        count[PARTS] = off + k
    return made


# ----------------------------------------------------------------------------------------------------------- points


@unit
def intern_point(automata, n, k):
    """The point that reads a node, which is no CAT, and goes on at point k."""
    if n == EPSILON:
        return k
    count, node, point = i64(automata, COUNT), i32(automata, NODE), i32(automata, POINT)
    hashes, mask = i32(automata, POINT_HASH), size_of(automata, POINT_HASH) - 1
    i = mix(n, k) & mask
    while hashes[i]:
        p = int(hashes[i])
        if point[6 * p + P_NODE] == n and point[6 * p + P_NEXT] == k:
            return p
        i = (i + 1) & mask
    new = int(count[POINTS])
    if 2 * new > mask:
        return full(POINT_HASH)
    if 6 * new + 6 > size_of(automata, POINT) or new >= size_of(automata, STAMP) or new >= size_of(automata, PLACE):
        return full(POINT)
    left, right = int(node[6 * n + N_FLAGS]), int(point[6 * k + P_FLAGS])
    flags = (left & right & NULLABLE) | ((left | right) & INHERITED) | (right & COUNTS)
    if node[6 * n + N_KIND] == REPEAT:
        if node[6 * n + N_C] != NO_END:
            flags |= COUNTED | COUNTS
        elif node[6 * n + N_B] > 1:
            flags |= COUNTS
    elif node[6 * n + N_KIND] == AUTOMATON and i32(automata, STATE)[8 * int(node[6 * n + N_A]) + KIND] == WITHIN:
        flags |= COUNTS
    point[6 * new + P_NODE], point[6 * new + P_NEXT], point[6 * new + P_EDGES] = n, k, 0
    point[6 * new + P_COUNT], point[6 * new + P_FLAGS] = -1, flags
    point[6 * new + P_SHORTEST] = min(int(node[6 * n + N_SHORTEST]) + int(point[6 * k + P_SHORTEST]), FAR)
    hashes[i] = new
    count[POINTS] = new + 1
    return new


@unit
def unfold_point(automata, n, k):
    """The same for a CAT: its parts become points, the last one first."""
    node, spine, room = i32(automata, NODE), i32(automata, SPINE), size_of(automata, SPINE)
    depth = 1
    spine[0] = n
    while depth:
        n = int(spine[depth - 1])
        if node[6 * n + N_KIND] == CAT:
            if depth == room:
                return full(SPINE)
            spine[depth - 1] = node[6 * n + N_A]
            spine[depth] = node[6 * n + N_B]
            depth += 1
            continue
        depth -= 1
        k = intern_point(automata, n, k)
        if k < 0:
            return k
    return k


@unit
def make_point(automata, n, k):
    """The point that reads a node and goes on at point k."""
    if i32(automata, NODE)[6 * n + N_KIND] == CAT:
        return unfold_point(automata, n, k)
    return intern_point(automata, n, k)


# ----------------------------------------------------------------------------------------------------------- states


@unit
def intern_state(automata, kind, first, size, flags, live, distance):
    """The state of given columns. Those that stand in MEMBER stand behind the last ones, and are counted if new."""
    count, state, hashes = i64(automata, COUNT), i32(automata, STATE), i32(automata, STATE_HASH)
    new, mask = int(count[STATES]), size_of(automata, STATE_HASH) - 1
    if 8 * new + 8 > size_of(automata, STATE) or new >= size_of(automata, DISTANCE) or new >= size_of(automata, SEEN):
        return full(STATE)
    if 2 * new > mask:
        return full(STATE_HASH)
    state[8 * new + KIND], state[8 * new + FIRST], state[8 * new + SIZE] = kind, first, size
    listed = listed_state(kind)
    member = i32(automata, MEMBER)
    i = state_hash(automata, new) & mask
    while hashes[i]:
        q = int(hashes[i])
        if state[8 * q + KIND] == kind and state[8 * q + SIZE] == size:
            other = int(state[8 * q + FIRST])
            if not listed:
                if other == first:
                    return q
            else:
                same = True
                for j in range(size):
                    if member[first + j] != member[other + j]:
                        same = False
                        break
                if same:
                    return q
        i = (i + 1) & mask
    hashes[i] = new
    count[STATES] = new + 1
    if listed:
        count[MEMBERS] = first + size
    state[8 * new + FLAGS], state[8 * new + LIVE] = flags, live
    state[8 * new + ROW], state[8 * new + MAP], state[8 * new + CLASSES] = -1, 0, 0
    i32(automata, DISTANCE)[new] = distance
    i32(automata, SEEN)[new] = 0
    return new


@unit
def merge_counts(automata, n):
    """Join the counts that overlap or meet among the n points behind the last members; returns how many are left.

    x{0,3} and x{2,5} before one continuation are x{0,5}: a set has a few ranges of counts, however nested.
    """
    count, node, point = i64(automata, COUNT), i32(automata, NODE), i32(automata, POINT)
    member, stamp, place = i32(automata, MEMBER), i32(automata, STAMP), i32(automata, PLACE)
    t = int(count[MEMBERS])
    if t + 2 * n > size_of(automata, MEMBER):
        return full(MEMBER)
    again = True
    while again:
        again = False
        count[GENERATION] += 1
        gen = count[GENERATION]
        for i in range(n):  # behind the members: the one before with the same continuation
            p = int(member[t + i])
            member[t + n + i] = -1
            if not point[6 * p + P_FLAGS] & COUNTED:
                continue
            k, a = int(point[6 * p + P_NEXT]), int(point[6 * p + P_NODE])
            body, low, high = int(node[6 * a + N_A]), int(node[6 * a + N_B]), int(node[6 * a + N_C])
            j = int(place[k]) if stamp[k] == gen else -1
            member[t + n + i] = j
            while j >= 0:
                b = int(point[6 * int(member[t + j]) + P_NODE])
                low2, high2 = int(node[6 * b + N_B]), int(node[6 * b + N_C])
                if (
                    node[6 * b + N_KIND] == REPEAT
                    and node[6 * b + N_A] == body
                    and low <= high2 + 1
                    and (low2 <= high + 1)
                ):
                    joined = make_repeat(automata, body, min(low, low2), max(high, high2))
                    if joined < 0:
                        return joined
                    joined = intern_point(automata, joined, k)
                    if joined < 0:
                        return joined
                    member[t + j] = joined
                    member[t + i] = joined
                    again = True
                    break
                j = int(member[t + n + j])
            stamp[k] = gen
            place[k] = i
        if again:
            left = 0
            for i in range(n):
                x = int(member[t + i])
                j = left - 1
                while j >= 0 and member[t + j] > x:
                    j -= 1
                if j >= 0 and member[t + j] == x:
                    continue
                for m in range(left, j + 1, -1):
                    member[t + m] = member[t + m - 1]
                member[t + j + 1] = x
                left += 1
            n = left
    return n


@unit
def make_set(automata, n):
    """The state of the n points, ascending, that stand behind the last members."""
    count, node, point = i64(automata, COUNT), i32(automata, NODE), i32(automata, POINT)
    member, t = i32(automata, MEMBER), int(count[MEMBERS])
    counted = 0
    for i in range(t, t + n):
        if point[6 * int(member[i]) + P_FLAGS] & COUNTED:
            counted += 1
    if counted > 1:
        n = merge_counts(automata, n)
        if n < 0:
            return n
    if n == 0:
        return DEAD
    if n > count[SIZE_LIMIT]:
        return -TOO_MANY
    first = int(member[t])
    if first == ANYTHING or (n > 1 and member[t + 1] == ANYTHING):
        return ALL
    if n == 1 and first != END and point[6 * first + P_NEXT] == END:
        a = int(point[6 * first + P_NODE])
        if node[6 * a + N_KIND] == AUTOMATON:
            return int(node[6 * a + N_A])
    flags, distance = 0, FAR
    for i in range(t, t + n):
        p = int(member[i])
        flags |= point[6 * p + P_FLAGS]
        distance = min(distance, int(point[6 * p + P_SHORTEST]))
    exact = 0 if flags & GUESSED else EXACT
    flags = exact | SETTLED | (ACCEPTS if flags & NULLABLE else 0) | (GOES_ON if n > 1 or first != END else 0)
    return intern_state(automata, SET, t, n, flags, 1, distance)


@helper
def make_start(automata, p):
    """The state of one point."""
    t = int(i64(automata, COUNT)[MEMBERS])
    if t >= size_of(automata, MEMBER):
        return full(MEMBER)
    i32(automata, MEMBER)[t] = p
    return make_set(automata, 1)


@helper
def only_ends(flags):
    """Whether a state is known to accept the empty string and no other."""
    return flags & (ACCEPTS | GOES_ON | SETTLED) == ACCEPTS | SETTLED


@unit
def make_pair(automata, kind, a, b):
    """The state of what both of two states accept; kind is AND, TOWARDS or WITHIN."""
    state = i32(automata, STATE)
    if a == DEAD or b == DEAD or state[8 * a + LIVE] == 0 or state[8 * b + LIVE] == 0:
        return DEAD
    if a == ALL or a == b:
        return b
    if b == ALL:
        return a
    left, right = int(state[8 * a + FLAGS]), int(state[8 * b + FLAGS])
    if only_ends(left):
        return a if right & ACCEPTS else DEAD
    if only_ends(right):
        return b if left & ACCEPTS else DEAD
    x, y = a, b
    while kind == AND and state[8 * y + KIND] == AND:  # a & (a & b)
        first, second = int(state[8 * y + FIRST]), int(state[8 * y + SIZE])
        if first == x or second == x:
            return b
        y = first if state[8 * first + KIND] == AND else second
    flags = left & right & ACCEPTS
    flags |= EXACT if flags else 0
    distance = max(int(i32(automata, DISTANCE)[a]), int(i32(automata, DISTANCE)[b]))
    if kind == TOWARDS and left & SETTLED:
        return intern_state(automata, kind, a, b, flags | (left & (GOES_ON | SETTLED)), 1, distance)
    if kind == AND and a > b:
        a, b = b, a
    return intern_state(automata, kind, a, b, flags, 1 if flags else -1, distance)


@unit
def make_not(automata, a):
    """The state of what a state does not accept."""
    state = i32(automata, STATE)
    if a == DEAD or state[8 * a + LIVE] == 0:
        return ALL
    if a == ALL:
        return DEAD
    if state[8 * a + KIND] == NOT:
        return int(state[8 * a + FIRST])
    flags = 0 if state[8 * a + FLAGS] & ACCEPTS else ACCEPTS | EXACT
    return intern_state(automata, NOT, a, 0, flags, 1 if flags else -1, 0 if flags else 1)


@unit
def make_leaf(automata, q):
    """The node of what a state accepts: it is settled, live, and goes on."""
    state = i32(automata, STATE)
    if q == ALL:
        return ANY
    if state[8 * q + KIND] == SET and state[8 * q + SIZE] == 1:
        p = int(i32(automata, MEMBER)[state[8 * q + FIRST]])
        if p != END and i32(automata, POINT)[6 * p + P_NEXT] == END:
            return int(i32(automata, POINT)[6 * p + P_NODE])
    flags = (NULLABLE if state[8 * q + FLAGS] & ACCEPTS else 0) | (0 if state[8 * q + FLAGS] & EXACT else GUESSED)
    return make_node(automata, AUTOMATON, q, 0, 0, flags, int(i32(automata, DISTANCE)[q]))


# ------------------------------------------------------------------------------------------------------- class maps


@unit
def make_map(automata, n, classes):
    """The class map of n runs, which stand in WORK at RUNS_AT."""
    count, work, run = i64(automata, COUNT), i64(automata, WORK), i32(automata, RUN)
    mapped, hashes, mask = i32(automata, MAPPED), i32(automata, MAP_HASH), size_of(automata, MAP_HASH) - 1
    i = run_hash(work, RUNS_AT, n) & mask
    while hashes[i]:
        m = int(hashes[i]) - 1
        if mapped[4 * m + 1] == n:
            first, same = int(mapped[4 * m]), True
            for j in range(n):
                if run[first + j] != work[RUNS_AT + j]:
                    same = False
                    break
            if same:
                return m
        i = (i + 1) & mask
    new, first = int(count[MAPS]), int(count[RUNS])
    if 2 * new > mask:
        return full(MAP_HASH)
    if 4 * new + 4 > size_of(automata, MAPPED):
        return full(MAPPED)
    if 256 * new + 256 > size_of(automata, CLASS):
        return full(CLASS)
    if first + n > size_of(automata, RUN):
        return full(RUN)
    byte_class = u8(automata, CLASS)
    for j in range(n):
        x = int(work[RUNS_AT + j])
        run[first + j] = x
        end = int(work[RUNS_AT + j + 1]) & 255 if j + 1 < n else 256
        for b in range(256 * new + (x & 255), 256 * new + end):
            byte_class[b] = x >> 8
    mapped[4 * new], mapped[4 * new + 1], mapped[4 * new + 2] = first, n, classes
    hashes[i] = new + 1
    count[RUNS] = first + n
    count[MAPS] = new + 1
    return new


# ---------------------------------------------------------------------------------------------------------- growth


@unit
def rehash(automata, table):
    """Fill a hash table that is all zero."""
    count, hashes, mask = i64(automata, COUNT), i32(automata, table), size_of(automata, table) - 1
    point, mapped, run = i32(automata, POINT), i32(automata, MAPPED), i32(automata, RUN)
    first, end = 2, int(count[NODES])
    if table == POINT_HASH:
        first, end = 1, int(count[POINTS])
    elif table == STATE_HASH:
        end = int(count[STATES])
    elif table == MAP_HASH:
        first, end = 0, int(count[MAPS])
    for n in range(first, end):
        if table == NODE_HASH:
            h = node_hash(automata, n)
        elif table == POINT_HASH:
            h = mix(int(point[6 * n + P_NODE]), int(point[6 * n + P_NEXT]))
        elif table == STATE_HASH:
            h = state_hash(automata, n)
        else:
            h = run_hash(run, int(mapped[4 * n]), int(mapped[4 * n + 1]))
        i = h & mask
        while hashes[i]:
            i = (i + 1) & mask
        hashes[i] = n + 1 if table == MAP_HASH else n
    return 0
