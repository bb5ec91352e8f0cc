"""Regular languages as interned expressions: construction, derivatives, liveness, and the walk over a vocabulary.

In:  programs of construction steps (`build`), bytes (`advance`, `scan`), a token trie (`walk`, `split`).
Out: expression ids, masks. These are the entry points, at the end of the file.

An expression is a row in a table (`Store`); equal expressions have equal ids, for every pattern of the process, so an
automaton state *is* an expression and is shared by all patterns in which it occurs. The state after byte b is the
derivative by b (Brzozowski 1964; Owens, Reppy and Turon 2009), made when it is first asked for. Intersection,
complement, counted repetition and assertions are node kinds like the others:

* a lookahead that comes to the front of the rest of the text becomes an intersection with that rest;
* a lookbehind carries the language of the prefixes at which it holds, and every byte read takes its derivative;
* `DIVISIBLE` keeps the remainder of the number whose digits it reads;
* `TOWARDS` is an intersection of a frame and a goal, with the promise that whatever the frame can still be completed
  from, the goal can be reached from within it: it is as alive as its frame, and has the masks of its frame;
* `WITHIN` is an intersection of a body and a bound, with the promise that the strings of the body are made of what the
  bound repeats: as long as the bound is not near, the body alone decides;
* `FENCE` closes a language off: assertions inside do not see what follows or precedes;
* `MARK` stands after the last byte of a terminal and says which one has ended: a lexer for a set of terminals is the
  union of each before its mark, and its state after some bytes is an expression like any other.

The sections, in order: interning; smart constructors, which keep expressions in a normal form (alternatives sorted,
sets and counts merged, concatenations leaning right); word lists; derivatives, with the two other operations on nodes,
shift and clip, all remembered and worked out without recursion by `_solve`; byte classes, liveness and transition
rows; entry points, with what lets `walk` leave out most of the trie.

It is one file because numba serves stale machine code when a helper in another file changes.

Conventions. Ids are int64. Nothing here raises or allocates tables: a step that finds no room sets `counts[NEED]` and
returns a value that must not be used; the caller enlarges the tables and asks again (every step is idempotent).
The slow twin of this file is `expressions_ref.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from constrain.jit import helper, kernel


def _int64(*values: int) -> list[np.int64]:
    """Constants for kernels. Plain ints would have numba compile every helper again for each literal argument."""
    return [np.int64(value) for value in values]


ZERO, ONE = _int64(0, 1)

# Kinds. The first four are also the ids of the only nodes of their kind.
EMPTY, EPSILON, ANYTHING, NEVER = _int64(0, 1, 2, 3)  # nothing; ""; every byte string; alive, but nothing may follow
SET, CONCAT, ALT, AND, NOT, REPEAT = _int64(4, 5, 6, 7, 8, 9)
BEHIND, AHEAD, NOT_AHEAD = _int64(10, 11, 12)  # assertions; BEHIND holds the language of the prefixes where it is true
STEP, VOID = _int64(13, 14)  # the matches of the child that are not empty; those that are
FENCE = np.int64(15)
MARK = np.int64(16)  # the end of terminal LEFT: nothing may follow
DIVISIBLE = np.int64(17)  # digits and points: behind a number with remainder LEFT they make a multiple of LOW
TOWARDS = np.int64(18)  # frame LEFT and goal RIGHT
WITHIN = np.int64(19)  # body LEFT and bound RIGHT
PAIR = np.int64(20)  # no language: a place in LEFT and one in RIGHT, which `outcomes` has come to

# Flags.
NULLABLE = ONE  # accepts the empty rest of the text
SURE = np.int64(
    2
)  # certainly not empty: no complement, assertion or intersection inside (but `_enough_digits`, `_within`)
POSITIONAL = np.int64(4)  # has an assertion that looks behind: changes as bytes before it are read
LOOKS = np.int64(8)  # has an assertion that looks ahead
COUNTS = np.int64(16)  # `_clip` may change it
ENDED = np.int64(32)  # a terminal may end here: a MARK is at the front

# Columns of Store.node.
KIND, FLAG = _int64(0, 1)
LEFT = np.int64(2)  # first child; SET: number of the set; ALT, AND: start in the pool; MARK: the terminal
RIGHT = np.int64(3)  # second child; ALT, AND: number of children
LOW, HIGH = _int64(4, 5)  # REPEAT: counts, HIGH may be UNBOUNDED
SHORTEST = np.int64(6)  # length of the shortest string, at most FAR; a lower bound where not SURE
ALIVE = np.int64(7)  # whether any string is left: UNKNOWN, LIVE, DEAD; VISITED during a search
ROW = np.int64(8)  # row of the transition table, or -1
SEEN = np.int64(9)  # number of the traversal that came by last
LOOPS, LASTS = _int64(10, 11)  # see `_loops`; -1 unknown
CHARS = np.int64(12)  # see `_characters`; -1 unknown
STEADY, ENDS = _int64(13, 14)  # see `_steady`, `_ends`; -1 unknown
REST = np.int64(15)  # whatever has been read, some string is left that is not longer (or FAR, if nobody knows)

OWNER = np.int64(256)  # column of Store.row: the node of the row

# Rows of Store.scratch. DEPTH: bytes read to what is queued; HEAP: (promise << 32 | place in the queue), least first.
STACK, LIST, KEYS, QUEUE, PARENT, CLASS, CLOSURE, DEPTH, HEAP = _int64(*range(9))

# Counters in Store.counts.
NODES, POOL, SETS, MEMO, ROWS, NEED, VISIT = _int64(0, 1, 2, 3, 4, 5, 6)

# Values of counts[NEED]: what has run out.
ROOM, NEED_NODES, NEED_POOL, NEED_SETS, NEED_MEMO, NEED_ROWS, NEED_SCRATCH, OVER_LIMIT = _int64(*range(8))

# Liveness.
UNKNOWN, LIVE, DEAD, VISITED = _int64(0, 1, 2, 3)

# Columns of `TrieTables.node`, as in `constrain.kernels.trie`.
SKIP, FIRST, DEPTH, BYTE = _int64(0, 1, 2, 3)

# Bits of `TrieTables.below`, as in `constrain.kernels.trie`.
WHOLE, BROKEN, INSIDE = _int64(1 << 60, 1 << 61, 1 << 62)
FREE = np.int64((1 << 63) - 1)
SIZE, MOST_BYTES = _int64(50, 1023)
SIZE_BITS = np.int64(1023 << 50)
TOKEN_BITS = np.int64(~(1023 << 50))
CLOSURE_SIZE = np.int64(12)  # rows that `_closes` looks at together
BULK = np.int64(24)  # nodes of a subtree for which it pays to look whether a row can read all of it
WORTH = np.int64(512)  # and for which it pays to work that out
FEW_PARTS = np.int64(256)  # alternatives that `_first_bytes` looks at

UNBOUNDED = np.int64(-1)
FAR = np.int64(1 << 24)  # a length beyond that of every token

# Operations on a node, as the low 10 bits of a memo key: derivative by byte 0-255, shift by byte 256-511, clip 512-...
SHIFT, CLIP, KEY_BITS = _int64(256, 512, 10)
REACH_STEP, NO_CLIP = _int64(8, 511)  # CLIP + n keeps what can happen within 8 n bytes; CLIP + 511 keeps everything

# Opcodes of `build`.
OP_NODE, OP_LITERAL, OP_BYTES, OP_WORDS, OP_CONCAT, OP_ALT, OP_AND, OP_NOT = _int64(*range(8))
OP_REPEAT, OP_BEHIND, OP_AHEAD, OP_NOT_AHEAD, OP_FENCE, OP_MARK, OP_DIVISIBLE, OP_TOWARDS = _int64(*range(8, 16))
OP_WITHIN = np.int64(16)


class Store(NamedTuple):
    """All expressions, and what has been derived from them.

    Few arrays on purpose: every helper takes them all, and what it takes to pass them is compiled again each time.
    """

    node: np.ndarray  # int64[N, 16]  one expression a row, columns KIND ... REST
    pool: np.ndarray  # int64[P]  children of ALT and AND nodes
    sets: np.ndarray  # uint8[S, 256]  byte sets
    lookup: np.ndarray  # int64[H]  hash table of nodes, -1 free
    memo: np.ndarray  # int64[K, 2]  hash table of remembered operations: (node << KEY_BITS | operation or -1, result)
    row: np.ndarray  # int32[R, 257]  row reached by a byte: 0 none; -(r + 1) not made yet, the same as byte r; OWNER
    scratch: np.ndarray  # int64[9, T]  rows STACK ... HEAP, T >= 2048
    groups: np.ndarray  # int64[128]  bit of each ASCII byte, `constrain.kernels.trie.group_of`
    counts: np.ndarray  # int64[8]  NODES ... VISIT


# --------------------------------------------------------------------------------------------------- interning


@helper
def _mix(h, value):
    h = (h ^ np.uint64(value)) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(29))


@helper
def _hash_node(st, kind, left, right, low, high):
    h = _mix(np.uint64(kind + 1), right)
    if kind == ALT or kind == AND:
        for i in range(left, left + right):
            h = _mix(h, st.pool[i])
        return h
    if kind == SET:
        return _mix(h, low)
    return _mix(_mix(_mix(h, left), low + 7), high + 13)


@helper
def _same(st, node, kind, left, right, low, high):
    if st.node[node, KIND] != kind or st.node[node, RIGHT] != right:
        return False
    if kind == ALT or kind == AND:
        start = st.node[node, LEFT]
        for i in range(right):
            if st.pool[start + i] != st.pool[left + i]:
                return False
        return True
    if kind == SET and st.node[node, LOW] == low:
        for b in range(256):
            if st.sets[st.node[node, LEFT], b] != st.sets[left, b]:
                return False
        return True
    return st.node[node, LEFT] == left and st.node[node, LOW] == low and st.node[node, HIGH] == high


@helper
def _intern(st, kind, left, right, low, high):
    """The id of a node; ALT and AND have their children at pool[left : left + right], which is kept if they are new."""
    size = st.lookup.size
    slot = np.int64(_hash_node(st, kind, left, right, low, high) & np.uint64(size - 1))
    while st.lookup[slot] >= 0:
        node = st.lookup[slot]
        if _same(st, node, kind, left, right, low, high):
            return node
        slot = (slot + 1) & (size - 1)
    node = st.counts[NODES]
    if node >= st.node.shape[0] or 2 * node >= size:
        st.counts[NEED] = NEED_NODES
        return EMPTY
    st.lookup[slot] = node
    st.counts[NODES] = node + 1
    st.node[node, KIND], st.node[node, LEFT], st.node[node, RIGHT] = kind, left, right
    st.node[node, LOW], st.node[node, HIGH] = low, high
    st.node[node, ALIVE], st.node[node, ROW], st.node[node, SEEN] = UNKNOWN, -1, 0
    st.node[node, LOOPS], st.node[node, CHARS], st.node[node, STEADY], st.node[node, ENDS] = -1, -1, -1, -1
    if kind == ALT or kind == AND:
        st.counts[POOL] = left + right
    _describe(st, node)
    return node


@helper
def _describe(st, node):
    """Fill in the flags and the shortest length of a new node."""
    kind, left, right = st.node[node, KIND], st.node[node, LEFT], st.node[node, RIGHT]
    flag, shortest = 0, 0
    if kind == SET:
        flag, shortest = SURE, 1
    elif kind == MARK:
        flag = SURE | ENDED
    elif kind == DIVISIBLE:
        flag = SURE | (NULLABLE if left == 0 else ZERO)
        shortest = _digits_missing(st.node[node, LOW], left)
    elif kind == CONCAT:
        a, b = st.node[left, FLAG], st.node[right, FLAG]
        flag = (a & b & (NULLABLE | SURE)) | ((a | b) & (POSITIONAL | LOOKS)) | (b & ENDED if a & NULLABLE else ZERO)
        shortest = min(FAR, st.node[left, SHORTEST] + st.node[right, SHORTEST])
    elif kind == ALT:
        flag, shortest = SURE, FAR
        for i in range(left, left + right):
            child = st.node[st.pool[i], FLAG]
            flag = ((flag | child) & (NULLABLE | POSITIONAL | LOOKS | ENDED)) | (flag & child & SURE)
            shortest = min(shortest, st.node[st.pool[i], SHORTEST])
    elif kind == AND:
        flag = NULLABLE
        for i in range(left, left + right):
            child = st.node[st.pool[i], FLAG]
            flag = (flag & child & NULLABLE) | ((flag | child) & (POSITIONAL | LOOKS))
            shortest = max(shortest, st.node[st.pool[i], SHORTEST])
        if right == 2 and _enough_digits(st, st.pool[left], st.pool[left + 1]) == LIVE:
            flag |= SURE
    elif kind == TOWARDS:
        a, b = st.node[left, FLAG], st.node[right, FLAG]
        flag = (a & b & NULLABLE) | (a & SURE) | COUNTS
        shortest = max(st.node[left, SHORTEST], st.node[right, SHORTEST])
    elif kind == WITHIN:
        a, b = st.node[left, FLAG], st.node[right, FLAG]
        flag = (a & b & NULLABLE) | (SURE | COUNTS if st.node[left, SHORTEST] <= _units_left(st, right) else ZERO)
        shortest = max(st.node[left, SHORTEST], st.node[right, SHORTEST])
    elif kind == NOT or kind == NOT_AHEAD:
        flag = (st.node[left, FLAG] & (POSITIONAL | LOOKS)) | (NULLABLE - (st.node[left, FLAG] & NULLABLE))
    elif kind == REPEAT:
        flag = (st.node[left, FLAG] & ~(COUNTS | ENDED)) | (NULLABLE if st.node[node, LOW] == 0 else 0)
        shortest = min(FAR, st.node[node, LOW] * st.node[left, SHORTEST])
    elif kind == STEP:
        flag = st.node[left, FLAG] & (POSITIONAL | LOOKS)
        shortest = max(1, st.node[left, SHORTEST])
    elif kind == FENCE:
        flag = st.node[left, FLAG] & (NULLABLE | SURE)
        shortest = st.node[left, SHORTEST]
    elif kind != PAIR:  # BEHIND, AHEAD, VOID
        flag = st.node[left, FLAG] & (NULLABLE | POSITIONAL | LOOKS)
    if kind == BEHIND:
        flag = (flag & NULLABLE) | POSITIONAL
    if kind == AHEAD or kind == NOT_AHEAD:
        flag |= LOOKS
    if flag & SURE and kind != TOWARDS and _counts(st, node):
        flag |= COUNTS
    st.node[node, FLAG], st.node[node, SHORTEST] = flag, shortest
    st.node[node, REST] = _rest(st, node) if flag & SURE else FAR


@helper
def _rest(st, node):
    """The column REST of a node that is SURE."""
    kind, left, right = st.node[node, KIND], st.node[node, LEFT], st.node[node, RIGHT]
    if kind == SET:
        return ONE
    rest = FAR
    if kind == CONCAT:
        rest = max(st.node[left, REST] + st.node[right, SHORTEST], st.node[right, REST])
    elif kind == REPEAT:
        rest = st.node[left, REST] + st.node[node, LOW] * st.node[left, SHORTEST]
    elif kind == ALT:
        rest = ZERO
        for i in range(left, left + right):
            rest = max(rest, st.node[st.pool[i], REST])
    return min(FAR, rest)


@helper
def _units_left(st, bound):
    """How many more of what a bound repeats may follow, beside one that is begun; -1 if it is no such bound."""
    while st.node[bound, KIND] == CONCAT:
        bound = st.node[bound, RIGHT]
    if bound == EPSILON:
        return ZERO
    if st.node[bound, KIND] != REPEAT or st.node[bound, LOW] > 0:
        return -ONE
    return FAR if st.node[bound, HIGH] == UNBOUNDED else st.node[bound, HIGH]


@helper
def _digits_missing(divisor, remainder):
    """The least number of digits that make a multiple of a number with that remainder."""
    digits, power = ZERO, ONE
    while (divisor - remainder) % divisor >= power:
        digits, power, remainder = digits + 1, 10 * power, 10 * remainder % divisor
    return digits


@helper
def _enough_digits(st, a, b):
    """Whether a DIVISIBLE and a REPEAT of digits have a string in common: LIVE or DEAD; UNKNOWN for other nodes.

    They have if a multiple needs no more digits than may follow, since with zeros behind it, it is still one: the
    shortest string is as long as the longer one of their shortest. A search would have to try all remainders.
    """
    if st.node[a, KIND] != DIVISIBLE:
        a, b = b, a
    body, high = st.node[b, LEFT], st.node[b, HIGH]
    if st.node[a, KIND] != DIVISIBLE or st.node[b, KIND] != REPEAT or st.node[body, KIND] != SET:
        return UNKNOWN
    for digit in range(ord("0"), ord("9") + 1):
        if not st.sets[st.node[body, LEFT], digit]:
            return UNKNOWN
    return LIVE if high == UNBOUNDED or high >= st.node[a, SHORTEST] else DEAD


@helper
def _counts(st, node):
    """Whether a node or one below it has a count or a long part, which `_clip` may cut."""
    kind, left, right = st.node[node, KIND], st.node[node, LEFT], st.node[node, RIGHT]
    if kind == ALT:
        for i in range(left, left + right):
            if st.node[st.pool[i], FLAG] & COUNTS:
                return True
        return False
    if kind == CONCAT:
        return (st.node[left, FLAG] | st.node[right, FLAG]) & COUNTS != 0 or st.node[left, SHORTEST] >= REACH_STEP
    return kind == REPEAT and (
        st.node[left, FLAG] & COUNTS != 0
        or st.node[node, HIGH] >= REACH_STEP
        or st.node[node, LOW] * st.node[left, SHORTEST] >= REACH_STEP
    )


@helper
def _divisible(st, divisor, remainder):
    """The DIVISIBLE node. Of remainders that no digit tells apart, none of which is 0, the least stands for all."""
    period = divisor
    if period % 2 == 0:
        period //= 2
    if period % 5 == 0:
        period //= 5
    if remainder > 0:
        remainder = (remainder - 1) % period + 1
    return _intern(st, DIVISIBLE, remainder, ZERO, divisor, ZERO)


@helper
def _new_set(st):
    """The row of Store.sets in which the next byte set is composed, cleared."""
    n = st.counts[SETS]
    for b in range(256):
        st.sets[n, b] = 0
    return n


@helper
def _intern_set(st):
    """The SET node of the byte set composed in the row of `_new_set`.

    LOW holds a hash of its members, HIGH their number, RIGHT the member if it is the only one.
    """
    n, size, last, mixed = st.counts[SETS], 0, 0, np.uint64(0)
    for b in range(256):
        if st.sets[n, b]:
            size += 1
            last = b
            mixed = _mix(mixed, np.int64(b))
    if size == 0:
        return EMPTY
    if n + 2 > st.sets.shape[0]:
        st.counts[NEED] = NEED_SETS
        return EMPTY
    only = np.int64(last) if size == 1 else ZERO
    node = _intern(st, SET, n, only, np.int64(mixed >> np.uint64(1)), np.int64(size))
    if st.node[node, LEFT] == n and not st.counts[NEED]:
        st.counts[SETS] = n + 1
    return node


# ----------------------------------------------------------------------------------------- smart constructors


@helper
def _concat(st, a, b):
    if a == EMPTY or b == EMPTY:
        return EMPTY
    if a == EPSILON:
        return b
    if b == EPSILON or a == NEVER:
        return a
    if st.node[a, KIND] != CONCAT:
        return _concat_flat(st, a, b)
    depth = 0  # lists lean to the right: unroll the left one
    while st.node[a, KIND] == CONCAT:
        if depth >= st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
            return EMPTY
        st.scratch[LIST, depth] = st.node[a, LEFT]
        depth += 1
        a = st.node[a, RIGHT]
    result = _concat_flat(st, a, b)
    for i in range(depth - 1, -1, -1):
        result = _intern(st, CONCAT, st.scratch[LIST, i], result, ZERO, ZERO)
    return result


@helper
def _concat_flat(st, a, b):
    """`_concat` for an `a` that is not a CONCAT."""
    if a == EMPTY or b == EMPTY:
        return EMPTY
    if a == EPSILON:
        return b
    if b == EPSILON or a == NEVER:
        return a
    if a == ANYTHING and _head(st, b) == ANYTHING:
        return b
    return _intern(st, CONCAT, a, b, ZERO, ZERO)


@helper
def _repeat(st, body, low, high):
    if high == 0 or body == EPSILON:
        return EPSILON
    if body == EMPTY:
        return EPSILON if low == 0 else EMPTY
    if (low == 1 and high == 1) or body == ANYTHING or body == NEVER:
        return body
    flag = st.node[body, FLAG]
    if flag & NULLABLE and not flag & (POSITIONAL | LOOKS):
        low = 0
    if st.node[body, KIND] == REPEAT and high == UNBOUNDED and low <= 1 and st.node[body, LOW] <= 1:
        return _repeat_flat(st, st.node[body, LEFT], min(low, st.node[body, LOW]), high)
    return _repeat_flat(st, body, low, high)


@helper
def _repeat_flat(st, body, low, high):
    if low == 0 and high == UNBOUNDED and st.node[body, KIND] == SET:
        full = True
        for b in range(256):
            full = full and st.sets[st.node[body, LEFT], b] == 1
        if full:
            return ANYTHING
    return _intern(st, REPEAT, body, ZERO, low, high)


@helper
def _not(st, a):
    if a == EMPTY:
        return ANYTHING
    if a == ANYTHING:
        return EMPTY
    return st.node[a, LEFT] if st.node[a, KIND] == NOT else _intern(st, NOT, a, ZERO, ZERO, ZERO)


@helper
def _behind(st, a):
    if a == EMPTY:
        return EMPTY
    return EPSILON if a == ANYTHING else _intern(st, BEHIND, a, ZERO, ZERO, ZERO)


@helper
def _ahead(st, kind, a):
    if a == EMPTY:
        return EMPTY if kind == AHEAD else EPSILON
    if not st.node[a, FLAG] & (POSITIONAL | LOOKS) and st.node[a, FLAG] & NULLABLE:
        return EPSILON if kind == AHEAD else EMPTY
    return _intern(st, kind, a, ZERO, ZERO, ZERO)


@helper
def _fence(st, a):
    return _intern(st, FENCE, a, ZERO, ZERO, ZERO) if st.node[a, FLAG] & (POSITIONAL | LOOKS) else a


@helper
def _towards(st, frame, goal):
    if frame == EMPTY or goal == EMPTY:
        return EMPTY
    return frame if goal == ANYTHING else _intern(st, TOWARDS, frame, goal, ZERO, ZERO)


@helper
def _within(st, body, bound):
    if body == EMPTY or bound == EMPTY:
        return EMPTY
    if not st.node[body, FLAG] & SURE or _units_left(st, bound) < 0:
        return _and2(st, body, bound)
    return body if _units_left(st, bound) == FAR else _intern(st, WITHIN, body, bound, ZERO, ZERO)


@helper
def _step(st, a):
    """The matches of `a` that are not empty."""
    if a == EMPTY or a == EPSILON:
        return EMPTY
    if st.node[a, FLAG] & NULLABLE or st.node[a, FLAG] & (POSITIONAL | LOOKS):
        return _intern(st, STEP, a, ZERO, ZERO, ZERO)
    return a


@helper
def _void(st, a):
    """The empty match of `a`, where it has one."""
    if st.node[a, FLAG] & (POSITIONAL | LOOKS):
        return _intern(st, VOID, a, ZERO, ZERO, ZERO)
    return EPSILON if st.node[a, FLAG] & NULLABLE else EMPTY


@helper
def _gather(st, n, node, kind):
    """Append `node`, or its children if it is of `kind`, to the list in scratch[LIST, :n]; the new length.

    In an intersection with more, the promise of a TOWARDS or WITHIN is of no use: it is one like any other.
    """
    while kind == AND and (st.node[node, KIND] == TOWARDS or st.node[node, KIND] == WITHIN):
        n = _gather_flat(st, n, st.node[node, RIGHT], kind)
        if st.counts[NEED]:
            return ZERO
        node = st.node[node, LEFT]
    return _gather_flat(st, n, node, kind)


@helper
def _gather_flat(st, n, node, kind):
    """`_gather` for a node that is neither."""
    if st.node[node, KIND] != kind:
        if n >= st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
            return ZERO
        st.scratch[LIST, n] = node
        return n + 1
    start, size = st.node[node, LEFT], st.node[node, RIGHT]
    if n + size > st.scratch.shape[1]:
        st.counts[NEED] = NEED_SCRATCH
        return ZERO
    for i in range(size):
        st.scratch[LIST, n + i] = st.pool[start + i]
    return n + size


@helper
def _sort(values, n):
    """Sort values[:n] in place (Shell 1959) and drop what occurs twice; the new length."""
    gap = 1
    while 3 * gap < n:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            x = values[i]
            j = i - gap
            while j >= 0 and values[j] > x:
                values[j + gap] = values[j]
                j -= gap
            values[j + gap] = x
        gap //= 3
    kept = ZERO
    for i in range(n):
        if kept == 0 or values[kept - 1] != values[i]:
            values[kept] = values[i]
            kept += 1
    return kept


@helper
def _intern_list(st, kind, n):
    """The ALT or AND node of the sorted, distinct ids of the list, n >= 2."""
    start = st.counts[POOL]
    if start + n > st.pool.size:
        st.counts[NEED] = NEED_POOL
        return EMPTY
    for i in range(n):
        st.pool[start + i] = st.scratch[LIST, i]
    return _intern(st, kind, start, n, ZERO, ZERO)


@helper
def _tail_key(st, node):
    """Sort key that brings together what `_merge` can join: SET and REPEAT heads before the same tail."""
    head, tail = node, EPSILON
    if st.node[node, KIND] == CONCAT:
        head, tail = st.node[node, LEFT], st.node[node, RIGHT]
    if st.node[head, KIND] == SET or st.node[head, KIND] == REPEAT:
        return (tail << 33) | node
    return (node << 33) | (ONE << 32) | node


@helper
def _head(st, node):
    return st.node[node, LEFT] if st.node[node, KIND] == CONCAT else node


@helper
def _union_of_sets(st, a, b, tail):
    n = _new_set(st)
    for i in range(256):
        st.sets[n, i] = st.sets[st.node[a, LEFT], i] | st.sets[st.node[b, LEFT], i]
    return _concat_flat(st, _intern_set(st), tail)


@helper
def _hull_of_repeats(st, a, b, tail):
    """One REPEAT for two of the same body, if their counts touch; else -1."""
    if st.node[a, LEFT] != st.node[b, LEFT]:
        return -ONE
    a_high = FAR * 64 if st.node[a, HIGH] == UNBOUNDED else st.node[a, HIGH]
    b_high = FAR * 64 if st.node[b, HIGH] == UNBOUNDED else st.node[b, HIGH]
    if max(st.node[a, LOW], st.node[b, LOW]) > min(a_high, b_high) + 1:
        return -ONE
    high = UNBOUNDED if max(a_high, b_high) == FAR * 64 else max(a_high, b_high)
    return _concat_flat(st, _repeat_flat(st, st.node[a, LEFT], min(st.node[a, LOW], st.node[b, LOW]), high), tail)


@helper
def _merge(st, n):
    """Join alternatives of the list that differ only in a leading set or count; the new length."""
    for i in range(n):
        st.scratch[KEYS, i] = _tail_key(st, st.scratch[LIST, i])
    n = _sort(st.scratch[KEYS], n)
    kept = 0
    for i in range(n):
        node = st.scratch[KEYS, i] & 0xFFFFFFFF
        if kept > 0 and not st.scratch[KEYS, i] & (ONE << 32):
            last = st.scratch[LIST, kept - 1]
            tail = st.scratch[KEYS, i] >> 33
            a, b = _head(st, last), _head(st, node)
            last_tail = st.node[last, RIGHT] if st.node[last, KIND] == CONCAT else EPSILON
            if last_tail == tail and st.node[a, KIND] == st.node[b, KIND]:
                joined = -ONE
                if st.node[a, KIND] == SET:
                    joined = _union_of_sets(st, a, b, tail)
                elif st.node[a, KIND] == REPEAT:
                    joined = _hull_of_repeats(st, a, b, tail)
                if joined >= 0:
                    st.scratch[LIST, kept - 1] = joined
                    continue
        st.scratch[LIST, kept] = node
        kept += 1
    return kept


@helper
def _alt(st, n):
    """Union of the list, in which no node is an ALT."""
    kept, optional = 0, False
    for i in range(n):
        node = st.scratch[LIST, i]
        if node == ANYTHING:
            return ANYTHING
        if node == EPSILON:
            optional = True
        elif node != EMPTY and node != NEVER:
            st.scratch[LIST, kept] = node
            kept += 1
    if kept == 0:
        if optional:
            return EPSILON
        for i in range(n):
            if st.scratch[LIST, i] == NEVER:
                return NEVER
        return EMPTY
    if kept > 1:
        kept = _merge(st, kept)
    if optional:
        for i in range(kept):
            flag = st.node[st.scratch[LIST, i], FLAG]
            optional = optional and not (flag & NULLABLE and not flag & (POSITIONAL | LOOKS))
    if optional:
        st.scratch[LIST, kept] = EPSILON
        kept += 1
    if kept == 1:
        return st.scratch[LIST, 0]
    return _intern_list(st, ALT, _sort(st.scratch[LIST], kept))


@helper
def _alt2(st, a, b):
    if a == EMPTY or a == b:
        return b
    if b == EMPTY:
        return a
    n = _gather(st, _gather(st, ZERO, a, ALT), b, ALT)
    if n + 1 > st.scratch.shape[1]:
        st.counts[NEED] = NEED_SCRATCH
        return EMPTY
    return _alt(st, n)


@helper
def _and(st, n):
    """Intersection of the list, in which no node is an AND."""
    n = _sort(st.scratch[LIST], n)
    kept, epsilon = 0, False
    for i in range(n):
        node = st.scratch[LIST, i]
        if node == EMPTY:
            return EMPTY
        if node == EPSILON:
            epsilon = True
        elif node != ANYTHING:
            st.scratch[LIST, kept] = node
            kept += 1
    if epsilon:
        for i in range(kept):
            if not st.node[st.scratch[LIST, i], FLAG] & NULLABLE:
                return EMPTY
        return EPSILON
    if kept <= 1:
        return st.scratch[LIST, 0] if kept else ANYTHING
    for i in range(kept):
        node = st.scratch[LIST, i]
        for j in range(kept):
            if st.node[node, KIND] == NOT and st.node[node, LEFT] == st.scratch[LIST, j]:
                return EMPTY
    if kept == 2 and _enough_digits(st, st.scratch[LIST, 0], st.scratch[LIST, 1]) == DEAD:
        return EMPTY
    return _intern_list(st, AND, kept)


@helper
def _and2(st, a, b):
    n = _gather(st, _gather(st, ZERO, a, AND), b, AND)
    return _and(st, n)


# ------------------------------------------------------------------------------------------------- word lists


@helper
def _close_branch(st, labels, nodes, begin, end, terminal):
    """The node of a trie node whose edges are labels[begin:end] to nodes[begin:end]."""
    n = 0
    for i in range(begin, end):
        first = True
        for j in range(begin, i):
            first = first and nodes[j] != nodes[i]
        if not first:
            continue
        composed = _new_set(st)
        for j in range(i, end):
            if nodes[j] == nodes[i]:
                st.sets[composed, labels[j]] = 1
        if n + 2 >= st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
            return EMPTY
        st.scratch[LIST, n] = _concat_flat(st, _intern_set(st), nodes[i])
        n += 1
    if terminal:
        st.scratch[LIST, n] = EPSILON
        n += 1
    return _alt(st, n)


@helper
def _words(st, data, ends):
    """The minimal acyclic automaton (Daciuk et al. 2000) of sorted words; word i is data[ends[i - 1] : ends[i]]."""
    longest, begin = 0, 0
    for i in range(ends.size):
        longest = max(longest, ends[i] - begin)
        begin = ends[i]
    labels = np.zeros(256 * (longest + 1), np.uint8)
    nodes = np.zeros(256 * (longest + 1), np.int64)
    first = np.zeros(longest + 2, np.int64)  # first edge of the open branch at each depth
    terminal = np.zeros(longest + 2, np.uint8)
    used, depth, begin, before = 0, 0, 0, 0
    for i in range(ends.size + 1):
        length = ends[i] - begin if i < ends.size else 0
        common = 0
        while common < min(length, depth) and data[begin + common] == data[before + common]:
            common += 1
        while depth > common:  # close what the new word leaves
            node = _close_branch(st, labels, nodes, first[depth], used, terminal[depth])
            used = first[depth]
            depth -= 1
            labels[used], nodes[used] = data[before + depth], node
            used += 1
        while depth < length:
            depth += 1
            first[depth], terminal[depth] = used, 0
        terminal[depth] = 1 if i < ends.size else terminal[depth]
        before, begin = begin, (ends[i] if i < ends.size else begin)
    return _close_branch(st, labels, nodes, ZERO, used, terminal[0])


# ------------------------------------------------------------------------------------------------- derivatives


@helper
def _memo_slot(st, key):
    size = st.memo.shape[0]
    slot = np.int64(_mix(np.uint64(key), key >> 7) & np.uint64(size - 1))
    while st.memo[slot, 0] != key and st.memo[slot, 0] >= 0:
        slot = (slot + 1) & (size - 1)
    return slot


@helper
def _remember(st, key, value):
    if 2 * st.counts[MEMO] >= st.memo.shape[0]:
        st.counts[NEED] = NEED_MEMO
        return
    slot = _memo_slot(st, key)
    if st.memo[slot, 0] != key:
        st.memo[slot, 1] = value
        st.memo[slot, 0] = key
        st.counts[MEMO] += 1


@helper
def _known(st, node, op):
    """The result of an operation if it is at hand, else -1."""
    kind = st.node[node, KIND]
    if op < SHIFT:
        if kind == SET:
            return EPSILON if st.sets[st.node[node, LEFT], op] else EMPTY
        if kind == ANYTHING:
            return ANYTHING
        if kind < SET or kind == BEHIND or kind == MARK or (kind == VOID and not st.node[node, FLAG] & LOOKS):
            return EMPTY
    elif op < CLIP:
        if not st.node[node, FLAG] & POSITIONAL:
            return node
    elif op == CLIP + NO_CLIP or not st.node[node, FLAG] & COUNTS:
        return node
    key = (node << KEY_BITS) | op
    slot = _memo_slot(st, key)
    return st.memo[slot, 1] if st.memo[slot, 0] == key else -ONE


@helper
def _require(st, top, node, op):
    """Push the operation unless its result is known; the new stack top."""
    if _known(st, node, op) >= 0:
        return top
    if top >= st.scratch.shape[1]:
        st.counts[NEED] = NEED_SCRATCH
        return top
    st.scratch[STACK, top] = (node << KEY_BITS) | op
    return top + 1


@helper
def _expose(st, node):
    """An equal rest of the text whose first element looks ahead no more; `node` is not an ALT, AND or NOT."""
    head, tail = node, EPSILON
    if st.node[node, KIND] == CONCAT:
        head, tail = st.node[node, LEFT], st.node[node, RIGHT]
    kind, child = st.node[head, KIND], st.node[head, LEFT]
    if kind == AHEAD or kind == NOT_AHEAD:
        seen = _concat(st, child, ANYTHING)
        return _and2(st, seen if kind == AHEAD else _not(st, seen), tail)
    if kind == ALT:
        return _distribute(st, head, tail, EMPTY)
    if kind == REPEAT:
        low, high = st.node[head, LOW], st.node[head, HIGH]
        result = _rounds(st, child, low, high, tail)
        skipped = tail if low == 0 else _concat(st, _void(st, child), tail)
        return _alt2(st, result, skipped)
    return _expose_void(st, child, tail) if kind == VOID else _expose_step(st, child, tail)


@helper
def _rounds(st, child, low, high, tail):
    """REPEAT(child, low, high) tail with a first round that is not empty, after empty rounds if `low` asks for them."""
    rest = UNBOUNDED if high == UNBOUNDED else high - 1
    step = _step(st, child)
    result = _concat(st, step, _concat(st, _repeat(st, child, max(low - 1, 0), rest), tail))
    if low > 1:
        late = _concat(st, step, _concat(st, _repeat(st, child, ZERO, rest), tail))
        result = _alt2(st, result, _concat(st, _void(st, child), late))
    return result


@helper
def _distribute(st, head, tail, wrap):
    """Union over the alternatives x of `head` of x tail, STEP(x) tail (wrap = STEP) or VOID(x) tail (wrap = VOID)."""
    result = EMPTY
    start = st.node[head, LEFT]
    for i in range(st.node[head, RIGHT]):
        x = st.pool[start + i]
        if wrap == STEP:
            x = _step(st, x)
        elif wrap == VOID:
            x = _void(st, x)
        result = _alt2(st, result, _concat(st, x, tail))
    return result


@helper
def _expose_void(st, x, tail):
    """VOID(x) tail, for an x that looks ahead."""
    kind, left = st.node[x, KIND], st.node[x, LEFT]
    if kind == ALT:
        return _distribute(st, x, tail, VOID)
    if kind == CONCAT:
        return _concat(st, _void(st, left), _concat(st, _void(st, st.node[x, RIGHT]), tail))
    if kind == REPEAT:
        return tail if st.node[x, LOW] == 0 else _concat(st, _void(st, left), tail)
    return _concat(st, x, tail)  # AHEAD and NOT_AHEAD are empty anyway


@helper
def _expose_step(st, x, tail):
    """STEP(x) tail, for an x that looks ahead."""
    kind, left = st.node[x, KIND], st.node[x, LEFT]
    if kind == ALT:
        return _distribute(st, x, tail, STEP)
    if kind == CONCAT:
        right = st.node[x, RIGHT]
        here = _concat(st, _step(st, left), _concat(st, right, tail))
        return _alt2(st, here, _concat(st, _void(st, left), _concat(st, _step(st, right), tail)))
    if kind == REPEAT:
        return _rounds(st, left, st.node[x, LOW], st.node[x, HIGH], tail)
    return EMPTY  # AHEAD and NOT_AHEAD read nothing


@helper
def _looks_first(st, node):
    """Whether `node` must be rewritten by `_expose` before its derivative can be taken."""
    kind = st.node[node, KIND]
    if not st.node[node, FLAG] & LOOKS or kind == ALT or kind == AND or kind == NOT:
        return False
    return kind != CONCAT or st.node[st.node[node, LEFT], FLAG] & LOOKS != 0


@helper
def _derive_needs(st, top, node, b):
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if _looks_first(st, node):
        exposed = _expose(st, node)
        return top if st.counts[NEED] else _require(st, top, exposed, b)
    if kind == ALT or kind == AND:
        for i in range(left, left + st.node[node, RIGHT]):
            top = _require(st, top, st.pool[i], b)
        return top
    if kind == DIVISIBLE:
        return top
    top = _require(st, top, left, b)
    if kind == TOWARDS or kind == WITHIN:
        return _require(st, top, st.node[node, RIGHT], b)
    if kind == CONCAT:
        top = _require(st, top, st.node[node, RIGHT], SHIFT + b)
        if st.node[left, FLAG] & NULLABLE:
            top = _require(st, top, st.node[node, RIGHT], b)
    elif kind == REPEAT:
        rest = _rest_of_repeat(st, node)
        if not st.counts[NEED]:
            top = _require(st, top, rest, SHIFT + b)
    return top


@helper
def _rest_of_repeat(st, node):
    """What follows the round of a REPEAT in which a byte is read."""
    body, low, high = st.node[node, LEFT], st.node[node, LOW], st.node[node, HIGH]
    low = 0 if st.node[body, FLAG] & NULLABLE else max(low - 1, 0)
    return _repeat(st, body, low, UNBOUNDED if high == UNBOUNDED else high - 1)


@helper
def _derive(st, node, b):
    """The derivative of `node` by byte `b`; everything that `_derive_needs` lists is known."""
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if _looks_first(st, node):
        return _known(st, _expose(st, node), b)
    if kind == ALT or kind == AND:
        return _map_list(st, node, b)
    if kind == DIVISIBLE:
        return _read_digit(st, node, b)
    first = _known(st, left, b)
    if kind == CONCAT:
        right = st.node[node, RIGHT]
        result = _concat(st, first, _known(st, right, SHIFT + b))
        return _alt2(st, result, _known(st, right, b)) if st.node[left, FLAG] & NULLABLE else result
    if kind == REPEAT:
        return _concat(st, first, _known(st, _rest_of_repeat(st, node), SHIFT + b))
    if kind == TOWARDS:
        return _towards(st, first, _known(st, st.node[node, RIGHT], b))
    if kind == WITHIN:
        return _within(st, first, _known(st, st.node[node, RIGHT], b))
    if kind == NOT:
        return _not(st, first)
    return _fence(st, first) if kind == FENCE else first  # else STEP


@helper
def _read_digit(st, node, b):
    """The derivative of a DIVISIBLE."""
    if b == ord("."):
        return node
    if b < ord("0") or b > ord("9"):
        return EMPTY
    divisor = st.node[node, LOW]
    return _divisible(st, divisor, (10 * st.node[node, LEFT] + b - ord("0")) % divisor)


@helper
def _map_list(st, node, op):
    """Apply an operation with known results to the children of an ALT or AND."""
    kind, start = st.node[node, KIND], st.node[node, LEFT]
    n = ZERO
    for i in range(start, start + st.node[node, RIGHT]):
        n = _gather(st, n, _known(st, st.pool[i], op), kind)
        if st.counts[NEED]:
            return EMPTY
    if n + 1 > st.scratch.shape[1]:
        st.counts[NEED] = NEED_SCRATCH
        return EMPTY
    return _alt(st, n) if kind == ALT else _and(st, n)


@helper
def _shift_needs(st, top, node, op):
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if kind == BEHIND:
        return _require(st, top, left, op - SHIFT)
    if kind == ALT or kind == AND:
        for i in range(left, left + st.node[node, RIGHT]):
            top = _require(st, top, st.pool[i], op)
        return top
    top = _require(st, top, left, op)
    return _require(st, top, st.node[node, RIGHT], op) if kind == CONCAT else top


@helper
def _shift(st, node, op):
    """`node`, which has not begun to match, after one more byte was read before it."""
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if kind == BEHIND:
        return _behind(st, _known(st, left, op - SHIFT))
    if kind == ALT or kind == AND:
        return _map_list(st, node, op)
    first = _known(st, left, op)
    if kind == CONCAT:
        return _concat(st, first, _known(st, st.node[node, RIGHT], op))
    if kind == REPEAT:
        return _repeat(st, first, st.node[node, LOW], st.node[node, HIGH])
    if kind == NOT:
        return _not(st, first)
    if kind == STEP:
        return _step(st, first)
    return _void(st, first) if kind == VOID else _ahead(st, kind, first)


@helper
def _clip_needs(st, top, node, op):
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if kind == ALT:
        for i in range(left, left + st.node[node, RIGHT]):
            top = _require(st, top, st.pool[i], op)
        return top
    top = _require(st, top, left, op)
    return _require(st, top, st.node[node, RIGHT], op) if kind == CONCAT else top


@helper
def _clip(st, node, op):
    """An expression with the same viable prefixes up to length `reach`, but fewer counts and tails."""
    reach = REACH_STEP * (op - CLIP)
    kind, left = st.node[node, KIND], st.node[node, LEFT]
    if kind == ALT:
        return _map_list(st, node, op)
    first = _known(st, left, op)
    if kind == TOWARDS:
        return first
    if kind == WITHIN:  # the body can be completed before the bound, whatever is read within reach
        return first if _units_left(st, st.node[node, RIGHT]) >= reach + st.node[left, REST] else node
    if kind == CONCAT:
        if st.node[left, SHORTEST] >= reach:
            return _concat(st, first, NEVER)
        return _concat(st, first, _known(st, st.node[node, RIGHT], op))
    low, high = st.node[node, LOW], st.node[node, HIGH]
    if low * st.node[left, SHORTEST] >= reach:
        return _concat(st, _repeat(st, first, ZERO, UNBOUNDED), NEVER)
    return _repeat(st, first, low, UNBOUNDED if high >= reach else high)


@helper
def _solve(st, node, op):
    """The result of an operation on a node, worked out without recursion. Check counts[NEED] before using it."""
    result = _known(st, node, op)
    if result >= 0:
        return result
    st.scratch[STACK, 0] = (node << KEY_BITS) | op
    top = ONE
    while top > 0:
        key = st.scratch[STACK, top - 1]
        x, what = key >> KEY_BITS, key & ((1 << KEY_BITS) - 1)
        if _known(st, x, what) >= 0:
            top -= 1
            continue
        if what < SHIFT:
            above = _derive_needs(st, top, x, what)
        elif what < CLIP:
            above = _shift_needs(st, top, x, what)
        else:
            above = _clip_needs(st, top, x, what)
        if st.counts[NEED]:
            return EMPTY
        if above > top:
            top = above
            continue
        if what < SHIFT:
            result = _derive(st, x, what)
        elif what < CLIP:
            result = _shift(st, x, what)
        else:
            result = _clip(st, x, what)
        if st.counts[NEED]:
            return EMPTY
        _remember(st, key, result)
        if st.counts[NEED]:
            return EMPTY
        top -= 1
    return _known(st, node, op)


# -------------------------------------------------------------------------------- byte classes, liveness, rows


@helper
def _classes(st, node):
    """scratch[CLASS, b] = the least byte that `node` treats like b (or that of a finer partition)."""
    part = st.scratch[CLASS]  # 0-255: class of each byte; from 256: scratch of `_refine`
    for b in range(256):
        part[b] = 0
    st.counts[VISIT] += 1
    st.scratch[STACK, 0] = node
    top, classes = ONE, ONE
    while top > 0:
        top -= 1
        x = st.scratch[STACK, top]
        if st.node[x, SEEN] == st.counts[VISIT] or st.node[x, KIND] < SET or st.node[x, KIND] == MARK:
            continue
        st.node[x, SEEN] = st.counts[VISIT]
        kind, left, right = st.node[x, KIND], st.node[x, LEFT], st.node[x, RIGHT]
        if kind == SET:
            if st.node[x, HIGH] == 1:
                classes = _single_out(part, right, classes)
            elif classes < 256:
                classes = _refine(part, st.sets[left])
            continue
        if kind == DIVISIBLE:
            for b in range(ord("."), ord("9") + 1):  # "/" is among them and does no harm
                classes = _single_out(part, np.int64(b), classes)
            continue
        many = kind == ALT or kind == AND
        if top + (right if many else 2) > st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
            return
        if many:
            for i in range(left, left + right):
                st.scratch[STACK, top] = st.pool[i]
                top += 1
            continue
        st.scratch[STACK, top] = left
        top += 1
        follows = kind == CONCAT and (st.node[left, FLAG] & NULLABLE or st.node[x, FLAG] & (LOOKS | POSITIONAL))
        if follows or kind == TOWARDS or kind == WITHIN:
            st.scratch[STACK, top] = right
            top += 1
    for b in range(255, -1, -1):
        part[256 + part[b]] = b
    for b in range(256):
        part[b] = part[256 + part[b]]


@helper
def _first_bytes(st, node):
    """Write the bytes that `node` may begin with to scratch[CLASS]: their number, or -1 if they are not few.

    So it is inside of a word. To tell all 256 bytes apart would take ten times as long as all the rest.
    """
    st.scratch[STACK, 0] = node
    top, found = ONE, ZERO
    while top > 0:
        top -= 1
        x = st.scratch[STACK, top]
        kind, left, right = st.node[x, KIND], st.node[x, LEFT], st.node[x, RIGHT]
        if kind == CONCAT and not st.node[left, FLAG] & NULLABLE and not st.node[x, FLAG] & (LOOKS | POSITIONAL):
            st.scratch[STACK, top] = left
            top += 1
        elif kind == ALT and top + right <= FEW_PARTS:
            for i in range(left, left + right):
                st.scratch[STACK, top] = st.pool[i]
                top += 1
        elif kind == SET and st.node[x, HIGH] == 1 and found < FEW_PARTS:
            st.scratch[CLASS, found] = right
            found += 1
        elif kind != MARK:
            return -ONE
    return found


@helper
def _single_out(part, b, classes):
    """Split the classes part[:256] by membership in a set of one byte; the number of classes."""
    for other in range(256):
        if part[other] == part[b] and other != b:
            part[b] = classes
            return classes + 1
    return classes


@helper
def _refine(part, members):
    """Split the classes part[:256] by membership in a set; the number of classes."""
    for i in range(256, 768):
        part[i] = -1
    classes = 0
    for b in range(256):
        at = 256 + 2 * part[b] + members[b]
        if part[at] < 0:
            part[at] = classes
            classes += 1
        part[b] = part[at]
    return classes


@helper
def _live(st, node, limit):
    """LIVE if any string is left in `node`, DEAD if none; UNKNOWN when counts[NEED] says why.

    The search goes first where little seems to be left: what is on the way to one string is known from then on, so that
    the next search ends as soon as it comes by.
    """
    while st.node[node, KIND] == TOWARDS:
        node = st.node[node, LEFT]
    if st.node[node, FLAG] & (SURE | NULLABLE | ENDED):
        return LIVE
    if node == EMPTY or st.node[node, ALIVE] != UNKNOWN:
        return DEAD if node == EMPTY else st.node[node, ALIVE]
    st.scratch[QUEUE, 0], st.scratch[PARENT, 0], st.scratch[DEPTH, 0], st.scratch[HEAP, 0] = node, -1, 0, 0
    st.node[node, ALIVE] = VISITED
    head, tail, waiting, verdict = ZERO, ONE, ONE, DEAD
    while waiting > 0 and verdict == DEAD:
        head = _pop(st.scratch[HEAP], waiting) & 0xFFFFFFFF
        waiting -= 1
        before = tail
        tail = _explore(st, head, tail, limit)
        if tail < 0 or st.counts[NEED]:
            verdict = UNKNOWN if st.counts[NEED] else LIVE
            tail = abs(tail)
        else:
            for i in range(before, tail):
                promise = st.scratch[DEPTH, i] + 4 * _missing(st, st.scratch[QUEUE, i])
                _push(st.scratch[HEAP], waiting, promise << 32 | i)
                waiting += 1
    for i in range(tail):
        st.node[st.scratch[QUEUE, i], ALIVE] = DEAD if verdict == DEAD else UNKNOWN
    while verdict == LIVE and head >= 0:  # everything on the way to the string found is alive
        st.node[st.scratch[QUEUE, head], ALIVE] = LIVE
        head = st.scratch[PARENT, head]
    return verdict


@helper
def _missing(st, node):
    """About how many bytes are left to the end of some string: the parts of an intersection one after the other."""
    if st.node[node, KIND] != AND:
        return st.node[node, SHORTEST]
    total, start = ZERO, st.node[node, LEFT]
    for i in range(start, start + st.node[node, RIGHT]):
        total += st.node[st.pool[i], SHORTEST]
    return min(FAR, total)


@helper
def _push(heap, size, value):
    """Add to a heap of `size` values."""
    i = size
    while i > 0 and heap[(i - 1) >> 1] > value:
        heap[i] = heap[(i - 1) >> 1]
        i = (i - 1) >> 1
    heap[i] = value


@helper
def _pop(heap, size):
    """Take the least value from a heap of `size` values."""
    least, last, i = heap[0], heap[size - 1], 0
    while 2 * i + 1 < size - 1:
        child = 2 * i + 1
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = last
    return least


@helper
def _explore(st, head, tail, limit):
    """Queue the unvisited derivatives of queue[head]: the new end of the queue, negated if one of them is alive."""
    x = st.scratch[QUEUE, head]
    _classes(st, x)
    for b in range(256):
        if st.counts[NEED] or st.scratch[CLASS, b] != b:
            continue
        y = _solve(st, x, np.int64(b))
        if st.counts[NEED] or y == EMPTY:
            continue
        if st.node[y, FLAG] & (SURE | NULLABLE | ENDED) or st.node[y, ALIVE] == LIVE:
            return -tail
        if st.node[y, ALIVE] != UNKNOWN:
            continue
        if tail >= limit:
            st.counts[NEED] = OVER_LIMIT
        elif tail >= st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
        else:
            st.node[y, ALIVE] = VISITED
            st.scratch[QUEUE, tail], st.scratch[PARENT, tail] = y, head
            st.scratch[DEPTH, tail] = st.scratch[DEPTH, head] + 1
            tail += 1
    return tail


@helper
def _row(st, node):
    """The row of a node's transitions, made if new. Row 0 is that of EMPTY."""
    r = st.node[node, ROW]
    if r >= 0:
        return r
    r = st.counts[ROWS]
    if r >= st.row.shape[0]:
        st.counts[NEED] = NEED_ROWS
        return ZERO
    few = _first_bytes(st, node)
    if few < 0:
        _classes(st, node)
    if st.counts[NEED]:
        return ZERO
    for b in range(256):
        st.row[r, b] = -(st.scratch[CLASS, b] + 1) if few < 0 else 0
    for i in range(few):
        b = st.scratch[CLASS, i]
        st.row[r, b] = -(b + 1)
    st.row[r, OWNER] = node
    st.counts[ROWS] = r + 1
    st.node[node, ROW] = r
    return r


@helper
def _transition(st, r, b, limit):
    """The row reached from row `r` by byte `b`: 0 when nothing can follow.

    To pass all tables takes longer than to look: where there are many bytes, only those left open are asked for.
    """
    to = np.int64(st.row[r, b])
    if to >= 0:
        return to
    least = -to - 1
    to = np.int64(st.row[r, least])
    if to < 0:
        node = _solve(st, np.int64(st.row[r, OWNER]), least)
        if st.counts[NEED]:
            return ZERO
        alive = _live(st, node, limit)
        if st.counts[NEED]:
            return ZERO
        to = _row(st, node) if alive == LIVE else ZERO
        if st.counts[NEED]:
            return ZERO
        st.row[r, least] = to
    st.row[r, b] = to
    return to


# ------------------------------------------------------------------------------------------------ entry points
#
# Each begins by clearing counts[NEED] and reports through it.


@kernel
def build(st, program, values):
    """Run construction steps: program = (opcode, n, argument 1 .. n)*; step k leaves its node in values[k]."""
    st.counts[NEED] = ROOM
    at, k = 0, 0
    while at < program.size:
        op, n = program[at], program[at + 1]
        args = program[at + 2 : at + 2 + n]
        values[k] = _run(st, op, args, values)
        if st.counts[NEED]:
            return EMPTY
        at += 2 + n
        k += 1
    return values[k - 1]


@helper
def _run(st, op, args, values):
    if op == OP_NODE:
        return args[0]
    if op == OP_LITERAL:
        node = EPSILON
        for i in range(args.size - 1, -1, -1):
            st.sets[_new_set(st), args[i]] = 1
            node = _concat_flat(st, _intern_set(st), node)
        return node
    if op == OP_BYTES:
        composed = _new_set(st)
        for i in range(args.size // 2):
            for b in range(args[2 * i], args[2 * i + 1] + 1):
                st.sets[composed, b] = 1
        return _intern_set(st)
    if op == OP_WORDS:
        return _words(st, args[1 + args[0] :], args[1 : 1 + args[0]])
    if op == OP_CONCAT:
        node = EPSILON
        for i in range(args.size - 1, -1, -1):
            node = _concat(st, values[args[i]], node)
        return node
    if op == OP_ALT or op == OP_AND:
        kind = ALT if op == OP_ALT else AND
        n = ZERO
        for i in range(args.size):
            n = _gather(st, n, values[args[i]], kind)
        if n + 1 > st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
        if st.counts[NEED]:
            return EMPTY
        return _alt(st, n) if op == OP_ALT else _and(st, n)
    if op == OP_MARK:
        return _intern(st, MARK, args[0], ZERO, ZERO, ZERO)
    if op == OP_DIVISIBLE:
        return _divisible(st, args[0], ZERO)
    child = values[args[0]]
    if op == OP_TOWARDS:
        return _towards(st, child, values[args[1]])
    if op == OP_WITHIN:
        return _within(st, child, values[args[1]])
    if op == OP_NOT:
        return _not(st, child)
    if op == OP_REPEAT:
        return _repeat(st, child, args[1], args[2])
    if op == OP_BEHIND:
        return _behind(st, child)
    if op == OP_FENCE:
        return _fence(st, child)
    return _ahead(st, AHEAD if op == OP_AHEAD else NOT_AHEAD, child)


@kernel
def advance(st, node, data, reach, near, limit, viable):
    """Read bytes from `node` as far as a string is left: (node reached, bytes read, mask key, near key).

    The node reached is EMPTY when nothing is left in `node` to begin with. The keys are expressions with the same
    viable prefixes up to length REACH_STEP * reach or REACH_STEP * near, and are shared by more states. If `viable` has
    room for 256 flags, it is told which bytes may follow the node reached.
    """
    st.counts[NEED] = ROOM
    reached, read = node, ZERO
    alive = _live(st, node, limit)
    if alive != LIVE:
        return EMPTY, ZERO, EMPTY, EMPTY
    while read < data.size and alive == LIVE and not st.counts[NEED]:
        to = _solve(st, reached, np.int64(data[read]))
        if not st.counts[NEED]:
            alive = _live(st, to, limit)
        if alive == LIVE and not st.counts[NEED]:
            reached = to
            read += 1
    key = EMPTY if st.counts[NEED] else _solve(st, reached, CLIP + reach)
    near_key = EMPTY if st.counts[NEED] else _solve(st, key, CLIP + near)
    row = ZERO if st.counts[NEED] or viable.size == 0 else _row(st, reached)
    table = st.row
    for b in range(viable.size):
        if table[row, b] < 0 and not st.counts[NEED]:
            _transition(st, row, np.int64(b), limit)
        viable[b] = table[row, b] > 0
    return reached, read, key, near_key


@kernel
def walk(st, node, units, trie, limit, path, mask):
    """Add to `mask` (uint32 words) the tokens of a trie after which a string is left in `node`.

    `units` denotes what sequences of tokens can spell: what is left must have a string in common with it.
    `trie` is a `constrain.kernels.trie.TrieTables`; `path` is scratch (int64[2, depth + 1]): the row at each depth, and
    what the path is made of.

    Most states that allow many tokens can read the same bytes again and again. Tokens made of these are allowed without
    a look at the trie; the walk then leaves out what holds nothing else.
    """
    st.counts[NEED] = ROOM
    path[0, 0], path[1, 0] = _row(st, node), 0
    row = st.row
    free, lasts = ZERO, ZERO
    if units == ANYTHING and trie.order.size > WORTH and not st.counts[NEED]:
        free = _loops(st, path[0, 0], limit)
        lasts = min(MOST_BYTES, st.node[node, LASTS])
        free = free if lasts > 2 and free & st.groups[ord("x")] else ZERO  # else there are too few such tokens
    if free != 0:
        _allow_free(trie.makeup, free, lasts, mask)
    i, n = 1, trie.node.shape[0] - 1
    while i < n and not st.counts[NEED]:
        depth, b, after = trie.node[i, DEPTH], np.int64(trie.node[i, BYTE]), np.int64(trie.node[i, SKIP])
        made_of = path[1, depth - 1] | (st.groups[b] if b < 128 else WHOLE)
        if (made_of | trie.below[i]) & ~(free | INSIDE) == 0 and depth + trie.height[i] <= lasts:
            i = after
            continue
        from_row = path[0, depth - 1]
        to = np.int64(row[from_row, b])
        if to < 0:
            to = _transition(st, from_row, b, limit)
        if to == 0:
            i = after
            continue
        path[0, depth], path[1, depth] = to, made_of
        begin, end = np.int64(trie.node[i, FIRST]), np.int64(trie.node[i + 1, FIRST])
        if (
            after - i > BULK
            and units == ANYTHING
            and _holds_free(st, to, trie.below[i], trie.height[i], after - i, limit)
        ):
            end = np.int64(trie.node[after, FIRST])
        if end > begin and (units == ANYTHING or _spellable(st, to, units, limit)):
            for j in range(begin, end):
                token = trie.order[j]
                mask[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
        i = i + 1 if end == trie.node[i + 1, FIRST] else after


@helper
def _holds_free(st, row, below, height, size, limit):
    """Whether a row can read all of a subtree, as far as that can be told without work that would not pay."""
    node = np.int64(st.row[row, OWNER])
    if st.node[node, LOOPS] < 0 and size < WORTH:
        return False
    return below & ~_loops(st, row, limit) == 0 and height <= st.node[node, LASTS]


@helper
def _allow_free(makeup, free, lasts, mask):
    """Add to `mask` the tokens made of nothing but `free` and no longer than `lasts`."""
    for word in range(mask.size):
        bits = np.uint32(0)
        for i in range(32):
            made_of = makeup[32 * word + i]
            allowed = (made_of & ~free & TOKEN_BITS == 0) & ((made_of & SIZE_BITS) <= lasts << SIZE)
            bits |= np.uint32(allowed) << np.uint32(i)
        mask[word] |= bits


@helper
def _spellable(st, row, units, limit):
    """Whether what is left at a row has a string that `units` denotes."""
    rest = _and2(st, np.int64(st.row[row, OWNER]), units)
    return st.counts[NEED] == 0 and _live(st, rest, limit) == LIVE


@helper
def _loops(st, row, limit):
    """What a row can read in any order, in the bits of `TrieTables.below`. LASTS of its node: for how many bytes."""
    node = np.int64(st.row[row, OWNER])
    if st.node[node, LOOPS] >= 0:
        return st.node[node, LOOPS]
    loops, lasts = _repeated(st, node, limit)
    if not st.node[node, FLAG] & SURE:  # what is alive in each part may be dead in all together
        loops, lasts = _self_loops(st, row, limit), FAR
    if lasts == FAR and loops != 0:
        loops = _with_detours(st, row, loops, limit)
    if st.counts[NEED]:
        return ZERO
    st.node[node, LOOPS], st.node[node, LASTS] = loops, lasts
    return loops


@helper
def _repeated(st, node, limit):
    """The most useful REPEAT that `node` may begin with: (what it can read in any order, for how many bytes)."""
    best, longest = ZERO, ZERO
    todo = st.scratch[CLOSURE]
    todo[0] = node
    top = 1
    while top > 0 and not st.counts[NEED]:
        top -= 1
        x = todo[top]
        kind, left, right = st.node[x, KIND], st.node[x, LEFT], st.node[x, RIGHT]
        loops, lasts = ZERO, ZERO
        if kind == ANYTHING:
            loops, lasts = FREE, FAR
        elif kind == REPEAT:
            loops = _characters(st, left, limit)
            lasts = FAR if st.node[x, HIGH] == UNBOUNDED else st.node[x, HIGH]
        if _bits(loops) * min(lasts, 16) > _bits(best) * min(longest, 16):
            best, longest = loops, lasts
        if top + 64 > todo.size or (kind == ALT and right > 64):
            continue
        if kind == ALT:
            for i in range(left, left + right):
                todo[top] = st.pool[i]
                top += 1
        elif kind == CONCAT or (kind == REPEAT and loops == 0):
            todo[top] = left
            top += 1
            if kind == CONCAT and st.node[left, FLAG] & NULLABLE:
                todo[top] = right
                top += 1
    return best, longest


@helper
def _bits(x):
    n = 0
    while x != 0:
        x &= x - 1
        n += 1
    return n


@helper
def _characters(st, body, limit):
    """The bytes and characters that are in themselves strings of `body`."""
    if st.node[body, CHARS] >= 0:
        return st.node[body, CHARS]
    row, end, table = _row(st, body), _row(st, EPSILON), st.row
    loops = FREE & ~(BROKEN | INSIDE)
    for b in range(128):
        to = np.int64(table[row, b])
        if to < 0 and not st.counts[NEED]:
            to = _transition(st, row, np.int64(b), limit)
        if to != end:
            loops &= ~st.groups[b]
    if not st.counts[NEED] and _character_target(st, row, limit) != end:
        loops &= ~WHOLE
    if not st.counts[NEED]:
        st.node[body, CHARS] = loops
    return loops


@helper
def _self_loops(st, row, limit):
    """The bytes and characters that lead from a row back to it."""
    loops, table = FREE, st.row
    for b in range(128):
        to = np.int64(table[row, b])
        if to < 0 and not st.counts[NEED]:
            to = _transition(st, row, np.int64(b), limit)
        if to != row:
            loops &= ~st.groups[b]
    if not _returns(st, row, row, 0x80, 0xFF, limit):
        loops &= ~(BROKEN | INSIDE)
        if _character_target(st, row, limit) != row:
            loops &= ~WHOLE
    return loops


@helper
def _with_detours(st, row, loops, limit):
    """`loops` and every group besides that leads to rows from which all of them can still be read for ever."""
    for b in range(128):
        if not loops & st.groups[b] and st.row[row, b] != 0 and _transition(st, row, np.int64(b), limit) != 0:
            if _closes(st, row, loops | st.groups[b], limit):
                loops |= st.groups[b]
    if not loops & WHOLE and _closes(st, row, loops | WHOLE, limit):
        loops |= WHOLE
    return loops


@helper
def _closes(st, row, loops, limit):
    """Whether all of `loops` leads from `row`, and from what it leads to, to a few rows only, none of them dead."""
    st.scratch[CLOSURE, 0] = row
    size, i, table = ONE, 0, st.row
    while 0 < i + 1 <= size and not st.counts[NEED]:
        here = st.scratch[CLOSURE, i]
        for b in range(128):
            if loops & st.groups[b] and size > 0:
                to = np.int64(table[here, b])
                if to < 0:
                    to = _transition(st, here, np.int64(b), limit)
                if to != here and to != row:
                    size = _join(st, size, to)
        if loops & WHOLE and size > 0:
            size = _join(st, size, _character_target(st, here, limit))
        if loops & (BROKEN | INSIDE) and not _returns(st, here, here, 0x80, 0xFF, limit):
            size = -ONE
        i += 1
    if 0 < size < CLOSURE_SIZE:
        st.scratch[CLOSURE, size] = -ONE
    return size > 0


@helper
def _join(st, size, row):
    """Add a row to the closure: its new size, negative if the row is none or there is no more room."""
    for i in range(size):
        if st.scratch[CLOSURE, i] == row:
            return size
    if row == 0 or size == CLOSURE_SIZE:
        return -size
    st.scratch[CLOSURE, size] = row
    return size + 1


@helper
def _returns(st, home, row, low, high, limit):
    """Whether each of the bytes low .. high leads from `row` to `home`."""
    table = st.row
    for b in range(low, high + 1):
        to = np.int64(table[row, b])
        if to < 0 and not st.counts[NEED]:
            to = _transition(st, row, np.int64(b), limit)
        if to != home:
            return False
    return True


@helper
def _same_target(st, row, low, high, limit):
    """The one row that all of the bytes low .. high lead to, or 0."""
    to = _transition(st, row, np.int64(low), limit)
    return to if _returns(st, to, row, low, high, limit) else ZERO


@helper
def _character_target(st, row, limit):
    """The one row that all characters beyond ASCII lead to, or 0."""
    one = _same_target(st, row, 0xC2, 0xDF, limit)
    two = _same_target(st, row, 0xE1, 0xEC, limit)
    three = _same_target(st, row, 0xF1, 0xF3, limit)
    e0, ed = _transition(st, row, np.int64(0xE0), limit), _transition(st, row, np.int64(0xED), limit)
    f0, f4 = _transition(st, row, np.int64(0xF0), limit), _transition(st, row, np.int64(0xF4), limit)
    if st.counts[NEED] or min(min(min(one, two), min(three, e0)), min(ed, min(f0, f4))) == 0:
        return ZERO
    target = _same_target(st, one, 0x80, 0xBF, limit)
    whole = (
        target != 0
        and _returns(st, two, row, 0xEE, 0xEF, limit)
        and _returns(st, one, two, 0x80, 0xBF, limit)
        and _returns(st, two, three, 0x80, 0xBF, limit)
        and _returns(st, one, e0, 0xA0, 0xBF, limit)
        and _returns(st, one, ed, 0x80, 0x9F, limit)
        and _returns(st, two, f0, 0x90, 0xBF, limit)
        and _returns(st, two, f4, 0x80, 0x8F, limit)
    )
    return target if whole else ZERO


@kernel
def scan(st, start, data, longest, limit, crossings):
    """Read bytes of a terminal: (node reached, what to shun, crossings); the node is EMPTY once nothing is left.

    `start` is (node, shunned). What is shunned must not end a terminal on the way: it is what a terminal that has
    ended could have gone on with, when the longest match counts. A place before the end of `data` at which a terminal
    may end is written to `crossings` (int64[len + 1, 3]): (bytes read, marks there, what to shun from there).
    """
    st.counts[NEED] = ROOM
    node, shun = start[0], start[1]
    found, before = ZERO, ZERO  # before: crossings that the next byte may rule out are those from here on
    for i in range(data.size):
        to, away = _solve(st, node, np.int64(data[i])), ZERO
        if not st.counts[NEED] and _live(st, to, limit) != LIVE:
            to = EMPTY
        if shun != EMPTY and not st.counts[NEED]:
            away = _solve(st, shun, np.int64(data[i]))
            if not st.counts[NEED] and _live(st, away, limit) != LIVE:
                away = EMPTY
        if st.counts[NEED]:
            return EMPTY, EMPTY, ZERO
        if st.node[away, FLAG] & ENDED:
            return EMPTY, EMPTY, ZERO
        if before < found and longest:
            if st.node[to, FLAG] & ENDED:
                found = before
            elif to != EMPTY:
                crossings[before, 2] = _alt2(st, shun, node)
        before, node, shun = found, to, away
        if node == EMPTY:
            break
        if st.node[node, FLAG] & ENDED and i + 1 < data.size:
            crossings[found, 0], crossings[found, 1], crossings[found, 2] = i + 1, _ends(st, node), shun
            found += 1
        if st.counts[NEED]:
            return EMPTY, EMPTY, ZERO
    return node, shun, found


@helper
def _ends(st, node):
    """The terminals that may end at a node, as a MARK or an ALT of these; EMPTY if there are none."""
    if not st.node[node, FLAG] & ENDED or st.node[node, KIND] == MARK:
        return node if st.node[node, KIND] == MARK else EMPTY
    if st.node[node, ENDS] >= 0:
        return st.node[node, ENDS]
    st.scratch[STACK, 0] = node
    top, n = ONE, ZERO
    while top > 0 and not st.counts[NEED]:
        top -= 1
        x = st.scratch[STACK, top]
        left, right = st.node[x, LEFT], st.node[x, RIGHT]
        if not st.node[x, FLAG] & ENDED:
            continue
        if st.node[x, KIND] == MARK:
            n = _gather(st, n, x, ALT)
        elif st.node[x, KIND] == CONCAT:
            st.scratch[STACK, top] = right
            top += 1
        elif top + right > st.scratch.shape[1]:
            st.counts[NEED] = NEED_SCRATCH
        else:
            for i in range(left, left + right):
                st.scratch[STACK, top] = st.pool[i]
                top += 1
    n = _sort(st.scratch[LIST], n)
    ends = EMPTY if st.counts[NEED] else st.scratch[LIST, 0]
    if n > 1 and not st.counts[NEED]:
        ends = _intern_list(st, ALT, n)
    if not st.counts[NEED]:
        st.node[node, ENDS] = ends
    return ends


@kernel
def marks(st, node):
    """The terminals that may end at a node, as a MARK or an ALT of these; EMPTY if there are none."""
    st.counts[NEED] = ROOM
    return _ends(st, node)


@kernel
def ends(st, node, marks):
    """Write the terminals that may end at a node to `marks` (int64); their number, even if they do not fit."""
    st.counts[NEED] = ROOM
    found = _ends(st, node)
    if st.counts[NEED] or found == EMPTY:
        return ZERO
    if st.node[found, KIND] == MARK:
        marks[0] = st.node[found, LEFT]
        return ONE
    start, n = st.node[found, LEFT], st.node[found, RIGHT]
    for i in range(min(n, marks.size)):
        marks[i] = st.node[st.pool[start + i], LEFT]
    return n


@kernel
def settle(st, node, limit):
    """The least that must be shunned after a terminal has ended at `node`: its ends cut off where they first occur.

    Nodes that differ only in which terminals end, or in what follows an end, settle to the same one.
    """
    st.counts[NEED] = ROOM
    row, table = _row(st, node), st.row
    result, composed = EMPTY, ZERO
    mark = _intern(st, MARK, ZERO, ZERO, ZERO, ZERO)
    for b in range(256):
        if table[row, b] < 0 and not st.counts[NEED]:
            _transition(st, row, np.int64(b), limit)
    for b in range(256):
        to = np.int64(table[row, b])
        if to <= 0 or st.counts[NEED] or st.node[np.int64(table[to, OWNER]), FLAG] & ENDED:
            continue
        first = ZERO
        while table[row, first] != to:
            first += 1
        if first < b:  # its set has been made
            continue
        members = _new_set(st)
        for other in range(b, 256):
            st.sets[members, other] = table[row, other] == to
        result = _alt2(st, result, _concat(st, _intern_set(st), np.int64(table[to, OWNER])))
    if st.counts[NEED]:
        return EMPTY
    composed = _new_set(st)
    for b in range(256):
        to = np.int64(table[row, b])
        if to != 0 and st.node[np.int64(table[to, OWNER]), FLAG] & ENDED:
            st.sets[composed, b] = 1
    return _alt2(st, result, _concat(st, _intern_set(st), mark))


@kernel
def split(st, start, forest, follow, longest, limit, most, path, allowed, crossing):
    """Part the tokens of a forest by what they do to a terminal: the numbers of crossings, and of marks met.

    `start` is (node, shunned) as for `scan`. `forest` is (trie, roots, heads): the subtrees of a trie below some nodes,
    read from the edge into each of them, and the bytes of these edges. `follow` says what may come after the terminals
    that end together: (marks, bytes, groups), int64[m] of nodes of marks, uint8[n, 256] flags of the bytes that may
    follow, int64[n] the same in the bits of `TrieTables.below`. Marks that are met and not listed go to the places of
    `marks` beyond the n; any byte is taken to follow them.

    Tokens after which the terminal goes on or just ends are added to `allowed` (uint32 words). Others are written to
    `crossing` (int64[size, 3]) by subtree, read from the edge into it: (root, marks of the terminals that end before
    it, what to shun from there), or (token, -1 - node reached, what to shun from there) for a token after which it
    depends on what follows whether it is too short a match. Both numbers count what does not fit, too, up to `most`
    crossings. `path` is scratch, int64[4, depth + 1]: the rows of the node and of what is shunned at each depth, what
    the path is made of, and 1 + the place in `marks` of what ends there.
    """
    st.counts[NEED] = ROOM
    trie, roots, heads = forest
    marks, flags, groups = follow
    home, shunned = _row(st, start[0]), ZERO
    if start[1] != EMPTY and not st.counts[NEED]:
        shunned = _row(st, start[1])
    free, found, met = ZERO, ZERO, np.int64(flags.shape[0])
    node, row, ended = st.node, st.row, ENDED  # plain names: a helper call for every node of the trie takes too long
    if shunned == 0 and roots.size > 0 and roots[0] == 1 and trie.makeup.size > 0 and not st.counts[NEED]:
        free = _steady(st, home, limit)
        if node[start[0], FLAG] & ended:
            here = _place(marks, met, _ends(st, start[0]))
            met = max(met, here)
            free &= ~_breaks(groups, here, longest)
        free = free if free & st.groups[ord("x")] else ZERO  # else there are too few such tokens
    if free != 0 and not st.counts[NEED]:
        _allow_free(trie.makeup, free, MOST_BYTES, allowed)
    for r in range(roots.size):
        if row[home, heads[r]] == 0:  # spares a look at the trie, which is seldom at hand
            continue
        i, stop = np.int64(roots[r]), np.int64(trie.node[roots[r], SKIP])
        base = np.int64(trie.node[i, DEPTH]) - 1
        path[0, base], path[1, base], path[2, base], path[3, base] = home, shunned, 0, 0
        while i < stop and found <= most and not st.counts[NEED]:
            depth, b, after = np.int64(trie.node[i, DEPTH]), np.int64(trie.node[i, BYTE]), np.int64(trie.node[i, SKIP])
            made_of = path[2, depth - 1] | (st.groups[b] if b < 128 else WHOLE)
            if free != 0 and (made_of | trie.below[i]) & ~(free | INSIDE) == 0 and depth + trie.height[i] <= MOST_BYTES:
                i = after
                continue
            before, shun, here = path[0, depth - 1], path[1, depth - 1], path[3, depth - 1]
            to, away = np.int64(row[before, b]), ZERO
            if to < 0:
                to = _transition(st, before, b, limit)
            if shun != 0:
                away = _transition(st, shun, b, limit)
                if node[np.int64(row[away, OWNER]), FLAG] & ended:
                    i = after
                    continue
            target = np.int64(row[to, OWNER])
            may_end = node[target, FLAG] & ended != 0
            if here > 0 and (here > flags.shape[0] or flags[here - 1, b]) and not (longest and may_end):
                source = np.int64(row[before, OWNER])
                avoid = np.int64(row[shun, OWNER]) if away != 0 or (shun != 0 and not longest) else EMPTY
                if longest and to != 0:
                    avoid = _alt2(st, avoid, source)
                if found < crossing.shape[0]:
                    crossing[found, 0], crossing[found, 1], crossing[found, 2] = i, marks[here - 1], avoid
                found += 1
            if to == 0:
                i = after
                continue
            here = ZERO
            if may_end:
                ends_here = node[target, ENDS]
                if ends_here < 0:
                    ends_here = _ends(st, target)
                here = _place(marks, met, ends_here)
                met = max(met, here)
            path[0, depth], path[1, depth], path[2, depth], path[3, depth] = to, away, made_of, here
            begin, end = np.int64(trie.node[i, FIRST]), np.int64(trie.node[i + 1, FIRST])
            if after - i > BULK and away == 0 and trie.makeup.size > 0:
                steady = node[target, STEADY]
                if steady < 0:  # as in `_holds_free`
                    steady = _steady(st, to, limit) if after - i >= WORTH else ZERO
                if may_end:
                    steady &= ~_breaks(groups, here, longest)
                if trie.below[i] & ~steady == 0:
                    end = np.int64(trie.node[after, FIRST])
            if end > begin and (away == 0 or _escapes(st, to, away, limit)):
                for j in range(begin, end):
                    token = trie.order[j]
                    allowed[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
            elif end > begin:
                for j in range(begin, end):
                    if found < crossing.shape[0]:
                        crossing[found, 0], crossing[found, 1] = trie.order[j], -1 - target
                        crossing[found, 2] = row[away, OWNER]
                    found += 1
            i = i + 1 if end == trie.node[i + 1, FIRST] else after
    return found, met


@kernel
def strike(st, start, forest, limit, path, found):
    """Find what a lexer must not read of a forest: the number of places, even if they do not fit.

    `start` and `forest` are those of `split`. Writes to `found` (int64[n, 2]): (node of the trie, 1) where the path
    matches what is shunned, so that nothing below it may be read; (token, 0) for a token after which only what is
    shunned could follow with the next byte. `path` is scratch, int64[2, depth + 1].
    """
    st.counts[NEED] = ROOM
    trie, roots, heads = forest
    home, shunned, n, table = _row(st, start[0]), ZERO, ZERO, st.row
    if not st.counts[NEED]:
        shunned = _row(st, start[1])
    for r in range(roots.size):
        if st.row[home, heads[r]] == 0 or st.row[shunned, heads[r]] == 0:
            continue
        i, stop = np.int64(roots[r]), np.int64(trie.node[roots[r], SKIP])
        base = np.int64(trie.node[i, DEPTH]) - 1
        path[0, base], path[1, base] = home, shunned
        while i < stop and not st.counts[NEED]:
            depth, b = np.int64(trie.node[i, DEPTH]), np.int64(trie.node[i, BYTE])
            away, to = np.int64(table[path[1, depth - 1], b]), np.int64(table[path[0, depth - 1], b])
            if away < 0 and to != 0:
                away = _transition(st, path[1, depth - 1], b, limit)
            if to < 0 and away != 0 and not st.counts[NEED]:
                to = _transition(st, path[0, depth - 1], b, limit)
            if to == 0 or away == 0 or st.counts[NEED]:
                i = np.int64(trie.node[i, SKIP])
                continue
            if st.node[np.int64(st.row[away, OWNER]), FLAG] & ENDED:
                if n < found.shape[0]:
                    found[n, 0], found[n, 1] = i, 1
                n, i = n + 1, np.int64(trie.node[i, SKIP])
                continue
            path[0, depth], path[1, depth] = to, away
            if trie.node[i + 1, FIRST] > trie.node[i, FIRST] and not _escapes(st, to, away, limit):
                for j in range(trie.node[i, FIRST], trie.node[i + 1, FIRST]):
                    if n < found.shape[0]:
                        found[n, 0], found[n, 1] = trie.order[j], 0
                    n += 1
            i += 1
    return n


@helper
def _place(marks, met, ends_here):
    """1 + the place of some marks in a list of which `met` are known; they are added to it if they are new."""
    for i in range(met):
        if i < marks.size and marks[i] == ends_here:
            return np.int64(i + 1)
    if met < marks.size:
        marks[met] = ends_here
    return met + 1


@helper
def _breaks(groups, here, longest):
    """The bytes before which a terminal that may go on with them may also end and be followed by something else.

    In the bits of `TrieTables.below`. By longest match that happens inside of a character only.
    """
    if here > groups.size:
        return FREE
    return groups[here - 1] & ((WHOLE | BROKEN | INSIDE) if longest else FREE)


@kernel
def escapes(st, node, shun, limit, pairs):
    """Whether text can follow at `node`, inside of its terminal, after which nothing is shunned any more.

    Looks for the shortest such text, breadth first, as far as `pairs` (int64[n, 2]) has room for what is left of the
    terminal and of what is shunned. Returns 1 if there is some; 0 if there is none, and the terminal does not end
    before what is shunned is matched either; else -1.
    """
    st.counts[NEED] = ROOM
    pairs[0, 0] = _row(st, node)
    if not st.counts[NEED]:
        pairs[0, 1] = _row(st, shun)
    row, head, tail, none = st.row, ZERO, ONE, ZERO
    while head < tail and not st.counts[NEED]:
        here, shunned = pairs[head, 0], pairs[head, 1]
        for b in range(256):
            if row[here, b] == 0:
                continue
            to, away = np.int64(row[here, b]), np.int64(row[shunned, b])
            if to < 0:
                to = _transition(st, here, np.int64(b), limit)
            if away < 0 and to != 0 and not st.counts[NEED]:
                away = _transition(st, shunned, np.int64(b), limit)
            if st.counts[NEED]:
                return -ONE
            if to == 0:
                continue
            if away == 0:
                return ONE
            if st.node[np.int64(row[away, OWNER]), FLAG] & ENDED:
                continue
            if tail == pairs.shape[0] or st.node[np.int64(row[to, OWNER]), FLAG] & ENDED:
                none = -ONE
            if tail < pairs.shape[0]:
                pairs[tail, 0], pairs[tail, 1] = to, away
                tail += _is_new(pairs, tail)
        head += 1
    return none


@helper
def _is_new(pairs, last):
    """1 if no pair before the last one is like it, else 0."""
    for i in range(last):
        if pairs[i, 0] == pairs[last, 0] and pairs[i, 1] == pairs[last, 1]:
            return ZERO
    return ONE


@helper
def _escapes(st, row, shun, limit):
    """Whether some byte can follow after which nothing is shunned any more."""
    table = st.row
    for b in range(256):
        if table[row, b] == 0 or table[shun, b] > 0:
            continue
        if st.counts[NEED]:
            return False
        if _transition(st, row, np.int64(b), limit) != 0 and _transition(st, shun, np.int64(b), limit) == 0:
            return not st.counts[NEED]
    return False


@helper
def _steady(st, row, limit):
    """What a row can read in any order, without meeting the end of a terminal where it meets none itself.

    In the bits of `TrieTables.below`.
    """
    node = np.int64(st.row[row, OWNER])
    if st.node[node, STEADY] >= 0:
        return st.node[node, STEADY]
    loops = _self_loops(st, row, limit)
    if loops != 0 and not st.node[node, FLAG] & ENDED and not st.counts[NEED]:
        wider = _with_detours(st, row, loops, limit)
        if not st.counts[NEED] and _closes(st, row, wider, limit) and _none_ends(st):
            loops = wider
    if loops & WHOLE and _middle_ends(st, row, limit):
        loops &= ~WHOLE
    if st.counts[NEED]:
        return ZERO
    st.node[node, STEADY] = loops
    return loops


@helper
def _may_end(st, row):
    """Whether a terminal may end at a row."""
    return row != 0 and st.node[np.int64(st.row[row, OWNER]), FLAG] & ENDED != 0


@helper
def _none_ends(st):
    """Whether no terminal may end at any row that `_closes` has met."""
    for i in range(CLOSURE_SIZE):
        if st.scratch[CLOSURE, i] < 0:
            break
        if _may_end(st, st.scratch[CLOSURE, i]):
            return False
    return True


@helper
def _middle_ends(st, row, limit):
    """Whether a terminal may end inside of a character beyond ASCII read at a row."""
    for i in range(7):
        lead = (0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF1, 0xF4)[i]
        second = (0x80, 0xA0, 0x80, 0x80, 0x90, 0x80, 0x80)[i]
        to = _transition(st, row, np.int64(lead), limit)
        for place in range(1 if lead < 0xE0 else 2 if lead < 0xF0 else 3):
            if place > 0:
                to = _transition(st, to, np.int64(second if place == 1 else 0x80), limit)
            if st.counts[NEED] or _may_end(st, to):
                return True
    return False


@kernel
def reach(st, start, trie, limit, path, reached):
    """Tell where each token of a trie leads: from a lexer, and at the same time from an expression.

    `start` is (lexer, node). Writes to `reached` (int32[3, tokens], zeros): the lexer after the token if it can read
    all of it, 1 if a terminal may end inside of the token, the node after it. `path` is scratch, int64[3, depth + 1].
    """
    st.counts[NEED] = ROOM
    path[0, 0], path[1, 0], path[2, 0] = _row(st, start[0]), 0, 0
    if not st.counts[NEED]:
        path[1, 0] = _row(st, start[1])
    i, n, row = 1, trie.node.shape[0] - 1, st.row
    while i < n and not st.counts[NEED]:
        depth, b = np.int64(trie.node[i, DEPTH]), np.int64(trie.node[i, BYTE])
        from_row, from_lexer, crossed = path[1, depth - 1], path[0, depth - 1], path[2, depth - 1]
        to, lexer = np.int64(row[from_row, b]), np.int64(row[from_lexer, b])  # row 0 leads nowhere
        if to < 0 and (lexer != 0 or crossed != 0):
            to = _transition(st, from_row, b, limit)
        if lexer < 0 and to != 0 and not st.counts[NEED]:
            lexer = _transition(st, from_lexer, b, limit)
        if st.counts[NEED] or to == 0 or (lexer == 0 and crossed == 0):
            i = np.int64(trie.node[i, SKIP])
            continue
        target = np.int64(st.row[lexer, OWNER]) if lexer != 0 else EMPTY
        path[0, depth], path[1, depth] = lexer, to
        path[2, depth] = ONE if crossed != 0 or st.node[target, FLAG] & ENDED else ZERO
        for j in range(trie.node[i, FIRST], trie.node[i + 1, FIRST]):
            token = trie.order[j]
            reached[0, token], reached[1, token], reached[2, token] = target, crossed, st.row[to, OWNER]
        i += 1


@kernel
def outcomes(st, start, limit, queue, found):
    """Where the strings of a lexer lead an expression: the number of outcomes, even if they do not fit.

    `start` is (lexer, node). Writes to `found` (int64[n, 2]): the marks of the terminals that end together, and the
    node then. `queue` is scratch, int64[m]; the search is given up, with -1, when it has met more than m pairs.
    """
    st.counts[NEED] = ROOM
    pair = _intern(st, PAIR, start[0], start[1], ZERO, ZERO)
    if st.counts[NEED]:
        return ZERO
    queue[0] = pair
    st.node[pair, ALIVE] = VISITED
    head, tail, n = ZERO, ONE, ZERO
    while head < tail and not st.counts[NEED] and tail <= queue.size:
        left = _row(st, st.node[queue[head], LEFT])
        right = ZERO if st.counts[NEED] else _row(st, st.node[queue[head], RIGHT])
        head += 1
        before = -ONE
        for b in range(256):
            if st.counts[NEED]:
                break
            to = _transition(st, left, np.int64(b), limit)
            after = ZERO if to == 0 or st.counts[NEED] else _transition(st, right, np.int64(b), limit)
            if after == 0 or st.counts[NEED] or (to << 32 | after) == before:
                continue
            before = to << 32 | after
            lexer, node = np.int64(st.row[to, OWNER]), np.int64(st.row[after, OWNER])
            pair = _intern(st, PAIR, lexer, node, ZERO, ZERO)
            if st.counts[NEED] or st.node[pair, ALIVE] == VISITED:
                continue
            st.node[pair, ALIVE] = VISITED
            if tail < queue.size:
                queue[tail] = pair
            else:
                st.node[pair, ALIVE] = UNKNOWN
            tail += 1
            if st.node[lexer, FLAG] & ENDED:
                ended = _ends(st, lexer)
                if n < found.shape[0]:
                    found[n, 0], found[n, 1] = ended, node
                n += 1
            if tail > queue.size:
                break
    for i in range(min(tail, queue.size)):
        st.node[queue[i], ALIVE] = UNKNOWN
    return -ONE if tail > queue.size and not st.counts[NEED] else n


@kernel
def rehash(st):
    """Fill the enlarged, empty index of nodes."""
    st.lookup[:] = -1
    size = st.lookup.size
    for node in range(st.counts[NODES]):
        n = st.node[node]
        h = _hash_node(st, n[KIND], n[LEFT], n[RIGHT], n[LOW], n[HIGH])
        slot = np.int64(h & np.uint64(size - 1))
        while st.lookup[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        st.lookup[slot] = node


@kernel
def rehash_memo(st, old):
    """Move remembered operations into the enlarged, empty memo of `st`."""
    for i in range(old.shape[0]):
        if old[i, 0] >= 0:
            slot = _memo_slot(st, old[i, 0])
            st.memo[slot, 0], st.memo[slot, 1] = old[i, 0], old[i, 1]
