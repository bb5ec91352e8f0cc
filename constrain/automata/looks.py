# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""States of languages with assertions: alternation over points.

A LOOK state is a set of *conjunctions* of literals, all of which have to come true with the rest of the text: states,
and points that still hold assertions. A point without any is a state as well, and so is what a lookahead demands or
forbids; conjunctions of nothing but states are AND states, and a single one is no LOOK state at all.

A lookbehind is answered by what the text so far has made of `.*body`: a LOOK state carries, for each lookbehind that
may still be met, the state from which `.*body` is read (which names it) and the state in which it is now.

In MEMBER: n, n times (start, now); m, m times (size, literals ascending). A literal is 2 * point or 2 * state + 1.
"""

from __future__ import annotations

from constrain.automata.interning import intern_state, make_pair, make_set
from constrain.automata.tables import (
    ACCEPTS,
    AHEAD,
    ALL,
    ALT,
    AND,
    BEHIND,
    CAT,
    COUNT,
    DEAD,
    DISTANCE,
    END,
    FAR,
    FIRST,
    FLAGS,
    GENERATION,
    KIND,
    LOOK,
    LOOKED,
    LOOKS,
    LOOKS_BEHIND,
    MEMBER,
    MEMBERS,
    N_A,
    N_B,
    N_FLAGS,
    N_KIND,
    NODE,
    NULLABLE,
    P_FLAGS,
    P_NEXT,
    P_NODE,
    P_SHORTEST,
    PART,
    POINT,
    SET,
    SIZE,
    STACK,
    STATE,
    VISIT,
    full,
)
from constrain.jit import i32, i64, size_of, unit

# ------------------------------------------------------------------------------------------- at the end of the text


@unit
def was_behind(automata, start):
    """Whether the lookbehind of a start holds, by the states at the head of LOOKED."""
    looked, state = i32(automata, LOOKED), i32(automata, STATE)
    for i in range(looked[0]):
        if looked[1 + 2 * i] == start:
            return int(state[8 * int(looked[2 + 2 * i]) + FLAGS]) & ACCEPTS
    return 0


@unit
def holds_at_end(automata, n):
    """Whether a node holds the empty string at the end of the text, by the states at the head of LOOKED."""
    node, part = i32(automata, NODE), i32(automata, PART)
    stack, room = i32(automata, STACK), size_of(automata, STACK)
    stack[0], stack[1] = n, 0
    sp, result = 2, 0
    while sp:
        x, step = int(stack[sp - 2]), int(stack[sp - 1])
        kind, flags, a, b = node[6 * x + N_KIND], node[6 * x + N_FLAGS], int(node[6 * x + N_A]), int(node[6 * x + N_B])
        stack[sp - 1] = step + 1
        below = -1  # the part that is to be looked at next
        if not flags & NULLABLE or not flags & LOOKS:
            result = flags & NULLABLE
        elif kind == BEHIND:
            result = was_behind(automata, a) ^ b
        elif kind == AHEAD:
            if step == 0:
                below = a
            else:
                result ^= b
        elif kind == CAT:
            if step == 0:
                below = a
            elif step == 1 and result:
                below = b
        elif kind == ALT:
            if step < b and not (step and result):
                below = part[a + step]
        elif b == 0:  # a REPEAT of no rounds
            result = 1
        elif step == 0:
            below = a
        if below < 0:
            sp -= 2
            continue
        if sp + 2 > room:
            return full(STACK)
        stack[sp], stack[sp + 1] = below, 0
        sp += 2
    return result


@unit
def literal_accepts(automata, literal):
    """Whether a literal is true at the end of the text, by the states at the head of LOOKED."""
    state, point = i32(automata, STATE), i32(automata, POINT)
    if literal & 1:
        return int(state[8 * (literal >> 1) + FLAGS]) & ACCEPTS
    p = literal >> 1
    while p != END and point[6 * p + P_FLAGS] & LOOKS:
        held = 0
        if point[6 * p + P_FLAGS] & NULLABLE:
            held = holds_at_end(automata, int(point[6 * p + P_NODE]))
        if held != 1:
            return held
        p = int(point[6 * p + P_NEXT])
    return int(point[6 * p + P_FLAGS]) & NULLABLE


# ------------------------------------------------------------------------------------------------------ lookbehinds


@unit
def list_behinds(automata, p, at, n):
    """Add the starts of the lookbehinds of a point to the n that stand in LOOKED from `at`; returns how many then."""
    node, part, point, visit = i32(automata, NODE), i32(automata, PART), i32(automata, POINT), i32(automata, VISIT)
    stack, room, looked = i32(automata, STACK), size_of(automata, STACK), i32(automata, LOOKED)
    generation = i64(automata, COUNT)[GENERATION]
    while p != END and point[6 * p + P_FLAGS] & LOOKS_BEHIND:
        stack[0] = point[6 * p + P_NODE]
        p = int(point[6 * p + P_NEXT])
        sp = 1
        while sp:
            sp -= 1
            x = int(stack[sp])
            if not node[6 * x + N_FLAGS] & LOOKS_BEHIND or visit[x] == generation:
                continue
            visit[x] = generation
            kind, a, b = node[6 * x + N_KIND], int(node[6 * x + N_A]), int(node[6 * x + N_B])
            if kind == BEHIND:
                known = False
                for i in range(at, at + n):
                    known = known or looked[i] == a
                if not known:
                    if at + n >= size_of(automata, LOOKED):
                        return full(LOOKED)
                    looked[at + n] = a
                    n += 1
                continue
            parts = b if kind == ALT else 2 if kind == CAT else 1
            if sp + parts > room:
                return full(STACK)
            for i in range(parts):
                stack[sp] = part[a + i] if kind == ALT else b if i else a
                sp += 1
    return n


# ----------------------------------------------------------------------------------------------------- conjunctions


@unit
def unite(automata, a, b):
    """The set of the points of two sets."""
    state, member, t = i32(automata, STATE), i32(automata, MEMBER), int(i64(automata, COUNT)[MEMBERS])
    i, j = int(state[8 * a + FIRST]), int(state[8 * b + FIRST])
    end_i, end_j = i + state[8 * a + SIZE], j + state[8 * b + SIZE]
    if t + end_i - i + end_j - j > size_of(automata, MEMBER):
        return full(MEMBER)
    n = 0
    while i < end_i or j < end_j:
        if j == end_j or (i < end_i and member[i] < member[j]):
            member[t + n] = member[i]
            i += 1
        else:
            if i < end_i and member[i] == member[j]:
                i += 1
            member[t + n] = member[j]
            j += 1
        n += 1
    return make_set(automata, n)


@unit
def tidy_conjunction(automata, at):
    """Sort the literals of the conjunction in LOOKED at `at`, size first, and fold them to one if all are states.

    Returns 0 if it is true, 1 if it is false, 2 otherwise, or a status.
    """
    looked = i32(automata, LOOKED)
    size, n, points = int(looked[at]), 0, 0
    for i in range(at + 1, at + 1 + size):
        x = int(looked[i])
        if x == 2 * DEAD + 1:
            return 1
        j = at + n
        while j > at and looked[j] > x:
            j -= 1
        if x == 2 * ALL + 1 or (j > at and looked[j] == x):
            continue
        for m in range(at + n, j, -1):
            looked[m + 1] = looked[m]
        looked[j + 1] = x
        n += 1
        points += 1 - (x & 1)
    looked[at] = n
    if n == 0:
        return 0
    if points == 0 and n > 1:
        q = ALL
        for i in range(at + n, at, -1):
            q = make_pair(automata, AND, int(looked[i]) >> 1, q)
            if q < 0:
                return q
        looked[at], looked[at + 1] = 1, 2 * q + 1
        return 1 if q == DEAD else 0 if q == ALL else 2
    return 2


@unit
def tidy(automata):
    """Tidy the conjunctions in LOOKED: join sets, drop those that others imply, sort; list where they are behind them.

    Returns where that list begins (its length comes first), or 0 if one of them is true, or a status.
    """
    looked, state, room = i32(automata, LOOKED), i32(automata, STATE), size_of(automata, LOOKED)
    at = 1 + 2 * int(looked[0])
    m = int(looked[at])
    end = at + 1
    for _ in range(m):
        end += 1 + looked[end]
    if end + m + 4 > room:
        return full(LOOKED)
    joined, n = DEAD, 0
    place = end + 2  # behind a conjunction for the join of all sets
    at += 1
    for _ in range(m):
        size = int(looked[at])
        found = tidy_conjunction(automata, at)
        if found <= 0:
            return found
        if found == 2:
            q = int(looked[at + 1]) >> 1
            if looked[at] == 1 and looked[at + 1] & 1 and state[8 * q + KIND] == SET:
                joined = q if joined == DEAD else unite(automata, joined, q)
                if joined < 0:
                    return joined
                if joined == ALL:
                    return 0
            else:
                looked[place + 1 + n] = at
                n += 1
        at += 1 + size
    if joined != DEAD:
        looked[end], looked[end + 1] = 1, 2 * joined + 1
        looked[place + 1 + n] = end
        n += 1
    looked[place] = n
    return place


@unit
def implies(automata, a, b):
    """Whether a conjunction of LOOKED holds all literals of another one."""
    looked = i32(automata, LOOKED)
    i, end = a + 1, a + 1 + looked[a]
    for j in range(b + 1, b + 1 + looked[b]):
        while i < end and looked[i] < looked[j]:
            i += 1
        if i == end or looked[i] != looked[j]:
            return 0
    return 1


@unit
def sort_conjunctions(automata, place):
    """Drop those conjunctions of a list in LOOKED that imply others, and sort the rest by their literals."""
    looked, n = i32(automata, LOOKED), 0
    for i in range(looked[place]):
        x = int(looked[place + 1 + i])
        implied = False
        for j in range(looked[place]):
            y = int(looked[place + 1 + j])
            if y and x != y and implies(automata, x, y):
                implied = True
                break
        if implied:
            looked[place + 1 + i] = 0
    for i in range(looked[place]):
        x = int(looked[place + 1 + i])
        if x == 0:
            continue
        j = n
        while j > 0:
            y = int(looked[place + j])
            k, size = 0, min(int(looked[x]), int(looked[y]))
            while k < size and looked[x + 1 + k] == looked[y + 1 + k]:
                k += 1
            before = looked[x + 1 + k] < looked[y + 1 + k] if k < size else looked[x] < looked[y]
            if not before:
                break
            looked[place + 1 + j] = y
            j -= 1
        looked[place + 1 + j] = x
        n += 1
    looked[place] = n
    return n


@unit
def make_look(automata):
    """The state of what stands in LOOKED, in the form of MEMBER: tidied, and a state of another kind if it can be."""
    count, looked, member = i64(automata, COUNT), i32(automata, LOOKED), i32(automata, MEMBER)
    point, distances = i32(automata, POINT), i32(automata, DISTANCE)
    place = tidy(automata)
    if place <= 0:
        return place if place else ALL
    m = sort_conjunctions(automata, place)
    if m == 0:
        return DEAD
    first = int(looked[place + 1])
    if m == 1 and looked[first] == 1 and looked[first + 1] & 1:
        return int(looked[first + 1]) >> 1
    flags, distance, size, behinds = 0, FAR, 2 + m, place + 1 + m
    n = 0
    count[GENERATION] += 1
    for i in range(m):
        at, accepts, missing = int(looked[place + 1 + i]), 1, 0
        for j in range(at + 1, at + 1 + looked[at]):
            literal = int(looked[j])
            if accepts:
                accepts = literal_accepts(automata, literal)
                if accepts < 0:
                    return accepts
            if literal & 1:
                missing = max(missing, int(distances[literal >> 1]))
                continue
            missing = max(missing, int(point[6 * (literal >> 1) + P_SHORTEST]))
            n = list_behinds(automata, literal >> 1, behinds, n)
            if n < 0:
                return n
        flags |= ACCEPTS if accepts else 0
        distance = min(distance, missing)
        size += looked[at]
    t = int(count[MEMBERS])
    if t + size + 2 * n > size_of(automata, MEMBER):
        return full(MEMBER)
    w, kept = t + 1, 0
    for i in range(looked[0]):
        for j in range(n):
            if looked[behinds + j] == looked[1 + 2 * i]:
                member[w], member[w + 1] = looked[1 + 2 * i], looked[2 + 2 * i]
                w += 2
                kept += 1
    member[t], member[w] = kept, m
    w += 1
    for i in range(m):
        at = int(looked[place + 1 + i])
        for j in range(at, at + 1 + looked[at]):
            member[w] = looked[j]
            w += 1
    return intern_state(automata, LOOK, t, w - t, flags, 1 if flags else -1, distance)


@unit
def make_scope(automata, p):
    """The state of a point that holds assertions, where the text they see begins."""
    looked, count = i32(automata, LOOKED), i64(automata, COUNT)
    count[GENERATION] += 1
    n = list_behinds(automata, p, 1, 0)
    if n < 0:
        return n
    if 2 * n + 4 > size_of(automata, LOOKED):
        return full(LOOKED)
    for i in range(n, 0, -1):
        looked[2 * i], looked[2 * i - 1] = looked[i], looked[i]
    looked[0] = n
    looked[2 * n + 1], looked[2 * n + 2], looked[2 * n + 3] = 1, 1, 2 * p
    return make_look(automata)
