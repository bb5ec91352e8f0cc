# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""States and class maps, each made once, as nodes and points are."""

from __future__ import annotations

from constrain.automata.nodes import intern_point, make_node, make_repeat, node_hash
from constrain.automata.tables import (
    ACCEPTS,
    ALL,
    AND,
    ANY,
    ANYTHING,
    AUTOMATON,
    CLASS,
    CLASSES,
    COUNT,
    COUNTED,
    DEAD,
    DISTANCE,
    END,
    EXACT,
    FAR,
    FIRST,
    FLAGS,
    GENERATION,
    GOES_ON,
    GUESSED,
    KIND,
    LIVE,
    LOOK,
    MAP,
    MAP_HASH,
    MAPPED,
    MAPS,
    MEMBER,
    MEMBERS,
    MISSING,
    N_A,
    N_B,
    N_C,
    N_KIND,
    NODE,
    NODE_HASH,
    NODES,
    NOT,
    NULLABLE,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    P_SHORTEST,
    PLACE,
    POINT,
    POINT_HASH,
    POINTS,
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
    STAMP,
    STATE,
    STATE_HASH,
    STATES,
    TOO_MANY,
    TOWARDS,
    WORK,
    full,
)
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit

# ----------------------------------------------------------------------------------------------------------- states


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
    i32(automata, MISSING)[new] = distance
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


@unit(quick=True)
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
    missing = int(i32(automata, MISSING)[a]) + int(i32(automata, MISSING)[b])
    q = intern_state(automata, kind, a, b, flags, 1 if flags else -1, distance)
    if q > 0:
        i32(automata, MISSING)[q] = min(missing, FAR)
    return q


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
