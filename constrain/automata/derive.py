# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Rows of states of all kinds, the search for texts that can be completed, and `make_ready`, which is all of it."""

from __future__ import annotations

from constrain.automata.edges import byte_target, list_edges, row_of_set, row_of_targets
from constrain.automata.interning import make_not, make_pair
from constrain.automata.remainders import MOST_DIGITS, divisor_of, lack_of, row_of_rest
from constrain.automata.tables import (
    ACCEPTS,
    AND,
    CLASSES,
    COUNT,
    CUTS,
    DEAD,
    ENTRY,
    EXACT,
    EXCEEDED,
    FIRST,
    FLAGS,
    GOAL,
    GOES_ON,
    HEAP,
    KIND,
    LISTED,
    LIVE,
    LOOK,
    MAP,
    MAPPED,
    MEMBER,
    MISSING,
    NOT,
    P_COUNT,
    POINT,
    READY,
    REST,
    ROW,
    RUN,
    SEARCH,
    SEEN,
    SET,
    SETTLED,
    SIZE,
    STATE,
    TARGET,
    TARGETS,
    TODO,
    WORK,
    WORK_DONE,
    WORK_LIMIT,
    full,
)
from constrain.automata.unfold import NEEDS_ROW, row_of_look
from constrain.jit import i32, i64, size_of, unit

# ------------------------------------------------------------------------------------------------------------- rows


@unit
def row_of_pair(automata, q):
    """Make the row of a pair whose parts have rows: where one of their runs begins, a new one may begin."""
    state, target, run, mapped = i32(automata, STATE), i32(automata, TARGET), i32(automata, RUN), i32(automata, MAPPED)
    work = i64(automata, WORK)
    kind, a, b = int(state[8 * q + KIND]), int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
    row_a, row_b, map_a, map_b = (
        int(state[8 * a + ROW]),
        int(state[8 * b + ROW]),
        state[8 * a + MAP],
        state[8 * b + MAP],
    )
    i, j = int(mapped[4 * map_a]), int(mapped[4 * map_b])
    end_i, end_j = i + mapped[4 * map_a + 1], j + mapped[4 * map_b + 1]
    at, n = 0, 0
    while at < 256:
        x, y = int(target[row_a + (run[i] >> 8)]), int(target[row_b + (run[j] >> 8)])
        y = make_pair(automata, kind, x, y)
        if y < 0:
            return y
        if n == 0 or work[LISTED + n - 1] != y:
            work[CUTS + n], work[LISTED + n] = at, y
            n += 1
        next_i = run[i + 1] & 255 if i + 1 < end_i else 256
        next_j = run[j + 1] & 255 if j + 1 < end_j else 256
        at = min(next_i, next_j)
        if next_i == at:
            i += 1
        if next_j == at:
            j += 1
    return row_of_targets(automata, q, n)


@unit
def row_of_not(automata, q):
    """Make the row of what a state with a row does not accept."""
    count, state, target = i64(automata, COUNT), i32(automata, STATE), i32(automata, TARGET)
    a, row = int(state[8 * q + FIRST]), int(count[TARGETS])
    classes = int(state[8 * a + CLASSES])
    if row + classes > size_of(automata, TARGET):
        return full(TARGET)
    for c in range(classes):
        y = make_not(automata, int(target[state[8 * a + ROW] + c]))
        if y < 0:
            return y
        target[row + c] = y
    count[TARGETS] = row + classes
    state[8 * q + MAP], state[8 * q + CLASSES], state[8 * q + ROW] = state[8 * a + MAP], classes, row
    return 0


@unit
def make_row(automata, q):
    """Make the row of a state and those it is made of; returns 0, a status, or a state to be made ready before."""
    state, member, point = i32(automata, STATE), i32(automata, MEMBER), i32(automata, POINT)
    todo, room = i32(automata, TODO), size_of(automata, TODO)
    todo[0] = q
    depth = 1
    while depth:
        x = int(todo[depth - 1])
        if state[8 * x + ROW] >= 0:
            depth -= 1
            continue
        kind, first, size = state[8 * x + KIND], int(state[8 * x + FIRST]), int(state[8 * x + SIZE])
        status = 0
        if kind == SET:
            for i in range(first, first + size):
                if point[6 * int(member[i]) + P_COUNT] < 0:
                    status = list_edges(automata, int(member[i]))
                    if status:
                        return status
            status = row_of_set(automata, x)
        elif kind == REST:
            status = row_of_rest(automata, x)
        elif kind == LOOK:
            status = row_of_look(automata, x)
            if status >= NEEDS_ROW:
                if depth == room:
                    return full(TODO)
                todo[depth] = status - NEEDS_ROW
                depth += 1
                continue
        elif state[8 * first + ROW] < 0 or (kind != NOT and state[8 * size + ROW] < 0):
            if depth + 2 > room:
                return full(TODO)
            if kind != NOT and state[8 * size + ROW] < 0:
                todo[depth] = size
                depth += 1
            if state[8 * first + ROW] < 0:
                todo[depth] = first
                depth += 1
            continue
        elif kind == NOT:
            status = row_of_not(automata, x)
        else:
            status = row_of_pair(automata, x)
        if status:
            return status
        depth -= 1
    return 0


# ------------------------------------------------------------------------------------------- what can be completed

# GOAL, a question: columns. Questions are answered innermost first, and each keeps what it has found.
G_KIND = 0  # TO_READY, TO_SETTLE
G_STATE = 1  # about which state
G_SEARCH = 2  # the number of its search; 0: not begun
G_ENTRIES, G_ENTRY_COUNT = 3, 4  # its part of ENTRY
G_HEAP, G_HEAP_COUNT = 5, 6  # its part of HEAP
G_OPEN = 7  # the entry that it is about to leave; -1: none
TO_READY, TO_SETTLE = 0, 1
_INDEX = (1 << 25) - 1  # HEAP: bytes read and 4 times those missing 18 | bytes missing 18 | entry 25
_MOST = (1 << 18) - 1


@unit
def after_digits(automata, q):
    """The state after any digit, if all digits lead a state with a row to the same one; -1 if not."""
    found = byte_target(automata, q, 48)
    for byte in range(49, 58):
        if byte_target(automata, q, byte) != found:
            return -1
    return found


@unit
def foresee(automata, q):
    """Settle an AND with a remainder if any digits may follow, then any, and so on: only how many there are matters.

    Returns 0, settled or not, or as `make_row` does. A search would go through all remainders.
    """
    state = i32(automata, STATE)
    if state[8 * q + KIND] != AND:
        return 0
    x, y = int(state[8 * q + FIRST]), int(state[8 * q + SIZE])
    if state[8 * x + KIND] == REST:
        x, y = y, x
    if state[8 * y + KIND] != REST:
        return 0
    divisor, lack, power = divisor_of(automata, y), lack_of(automata, y), 1
    points, since = 0, 0  # places where a point may stand, too; digits since a number of them would have done
    certain, n = True, 0
    while n < 3 * MOST_DIGITS:
        status = make_row(automata, x)
        if status:
            return status
        since = 0 if lack < power or n >= MOST_DIGITS else since + 1
        if n and since <= points and state[8 * x + FLAGS] & ACCEPTS:
            state[8 * q + LIVE] = 1
            state[8 * q + FLAGS] |= GOES_ON | SETTLED
            return 0
        after = after_digits(automata, x)
        pointed = byte_target(automata, x, 46)
        if after < 0:
            return 0
        certain = certain and (pointed == DEAD or pointed == after)
        if after == DEAD or (after == x and n >= MOST_DIGITS):
            break
        points += pointed == after
        lack, x, n = lack * 10 % divisor, after, n + 1
        if n < MOST_DIGITS:
            power *= 10
    else:
        certain = False
    if certain:
        state[8 * q + LIVE] = state[8 * q + FLAGS] & ACCEPTS
        state[8 * q + FLAGS] |= SETTLED
    return 0


@unit
def push_entry(automata, at, q, parent):
    """Put a state that a search has met into its heap. Where little is missing comes first."""
    goal, entry, heap = i64(automata, GOAL), i32(automata, ENTRY), i64(automata, HEAP)
    n, first = int(goal[at + G_ENTRY_COUNT]), int(goal[at + G_ENTRIES])
    size, base = int(goal[at + G_HEAP_COUNT]), int(goal[at + G_HEAP])
    if 3 * (first + n) + 3 > size_of(automata, ENTRY):
        return full(ENTRY)
    if base + size >= size_of(automata, HEAP):
        return full(HEAP)
    read = 0 if parent < 0 else int(entry[3 * (first + parent) + 2]) + 1
    entry[3 * (first + n)], entry[3 * (first + n) + 1], entry[3 * (first + n) + 2] = q, parent, read
    missing = min(int(i32(automata, MISSING)[q]), _MOST)
    x = min(read + 4 * missing, _MOST) << 43 | missing << 25 | n
    i = size
    while i and heap[base + (i - 1 >> 1)] > x:
        heap[base + i] = heap[base + (i - 1 >> 1)]
        i = i - 1 >> 1
    heap[base + i] = x
    goal[at + G_ENTRY_COUNT], goal[at + G_HEAP_COUNT] = n + 1, size + 1
    return 0


@unit
def pop_entry(automata, at):
    """Take the entry nearest to the end out of the heap of a search."""
    goal, heap = i64(automata, GOAL), i64(automata, HEAP)
    size, base = int(goal[at + G_HEAP_COUNT]) - 1, int(goal[at + G_HEAP])
    found = heap[base] & _INDEX
    x = heap[base + size]
    i = 0
    while 2 * i + 1 < size:
        j = 2 * i + 1
        if j + 1 < size and heap[base + j + 1] < heap[base + j]:
            j += 1
        if heap[base + j] >= x:
            break
        heap[base + i] = heap[base + j]
        i = j
    heap[base + i] = x
    goal[at + G_HEAP_COUNT] = size
    return found


@unit
def search(automata, at):
    """Go on with a question: does a state go on? Best first; returns 0 once it is settled, or as `make_row` does.

    All states on the way to something that accepts go on, and if there is no way, nothing that was met is live.
    """
    count, goal, entry, seen = i64(automata, COUNT), i64(automata, GOAL), i32(automata, ENTRY), i32(automata, SEEN)
    state, target = i32(automata, STATE), i32(automata, TARGET)
    q, first = int(goal[at + G_STATE]), int(goal[at + G_ENTRIES])
    if state[8 * q + FLAGS] & SETTLED:
        return 0
    if goal[at + G_SEARCH] == 0:
        count[SEARCH] += 1
        goal[at + G_SEARCH] = count[SEARCH]
        seen[q] = count[SEARCH]
        status = foresee(automata, q)
        if status or state[8 * q + FLAGS] & SETTLED:
            goal[at + G_SEARCH] = 0
            return status
        status = push_entry(automata, at, q, -1)
        if status:
            return status
    number = goal[at + G_SEARCH]
    while goal[at + G_OPEN] >= 0 or goal[at + G_HEAP_COUNT] > 0:
        if goal[at + G_OPEN] < 0:
            goal[at + G_OPEN] = pop_entry(automata, at)
        e = int(goal[at + G_OPEN])
        x = int(entry[3 * (first + e)])
        status = make_row(automata, x)
        if status:
            return status
        for c in range(state[8 * x + ROW], state[8 * x + ROW] + state[8 * x + CLASSES]):
            y = int(target[c])
            if state[8 * y + LIVE] < 0 and seen[y] != number:
                status = foresee(automata, y)
                if status:
                    return status
            if state[8 * y + LIVE] == 1:
                while e >= 0:
                    x = int(entry[3 * (first + e)])
                    state[8 * x + LIVE] = 1
                    state[8 * x + FLAGS] |= GOES_ON | SETTLED
                    e = int(entry[3 * (first + e) + 1])
                return 0
            if state[8 * y + LIVE] == 0 or seen[y] == number:
                continue
            if goal[at + G_ENTRY_COUNT] >= count[WORK_LIMIT]:
                return -EXCEEDED
            status = push_entry(automata, at, y, e)
            if status:
                return status
            seen[y] = number
            count[WORK_DONE] += 1
        goal[at + G_OPEN] = -1
    for e in range(first, first + goal[at + G_ENTRY_COUNT]):
        x = int(entry[3 * e])
        state[8 * x + LIVE] = state[8 * x + FLAGS] & ACCEPTS
        state[8 * x + FLAGS] |= SETTLED
    return 0


@unit
def push_goal(automata, depth, kind, q):
    """Ask a question about a state before `depth` others are answered."""
    goal, at = i64(automata, GOAL), 8 * depth
    if at + 8 > size_of(automata, GOAL):
        return full(GOAL)
    goal[at + G_KIND], goal[at + G_STATE], goal[at + G_SEARCH], goal[at + G_OPEN] = kind, q, 0, -1
    goal[at + G_ENTRIES], goal[at + G_HEAP], goal[at + G_ENTRY_COUNT], goal[at + G_HEAP_COUNT] = 0, 0, 0, 0
    if depth:
        goal[at + G_ENTRIES] = goal[at - 8 + G_ENTRIES] + goal[at - 8 + G_ENTRY_COUNT]
        goal[at + G_HEAP] = goal[at - 8 + G_HEAP] + goal[at - 8 + G_HEAP_COUNT]
    return 0


@unit
def finish_row(automata, q):
    """Make a state ready whose row stands; returns 0, or a target that is not settled yet."""
    state, target = i32(automata, STATE), i32(automata, TARGET)
    row, classes = int(state[8 * q + ROW]), int(state[8 * q + CLASSES])
    for c in range(row, row + classes):
        if not state[8 * int(target[c]) + FLAGS] & SETTLED:
            return int(target[c])
    flags = state[8 * q + FLAGS] & (ACCEPTS | EXACT)
    for c in range(row, row + classes):
        if state[8 * int(target[c]) + LIVE] == 0:
            target[c] = DEAD
        else:
            flags |= GOES_ON
    state[8 * q + LIVE] = 1 if flags & (ACCEPTS | GOES_ON) else 0
    state[8 * q + FLAGS] = flags | SETTLED | READY
    return 0


@unit
def answer(automata, kind, q):
    """Make a state ready or settle it, and before it those that this takes."""
    state, goal = i32(automata, STATE), i64(automata, GOAL)
    status = push_goal(automata, 0, kind, q)
    depth = 1
    while depth and status == 0:
        at = 8 * (depth - 1)
        x = int(goal[at + G_STATE])
        if goal[at + G_KIND] == TO_SETTLE:
            kind = TO_READY
            status = search(automata, at)
        elif state[8 * x + FLAGS] & READY:
            status = 0
        else:
            kind = TO_READY
            status = make_row(automata, x)
            if status == 0:
                kind = TO_SETTLE
                status = finish_row(automata, x)
        if status > 0:
            status = push_goal(automata, depth, kind, status)
            depth += 1
        else:
            depth -= 1
    return status


@unit(quick=True)
def make_ready(automata, q):
    """Make the row of a state, without targets from which nothing can be completed; returns 0 or a status."""
    if i32(automata, STATE)[8 * q + FLAGS] & READY:
        return 0
    return answer(automata, TO_READY, q)
