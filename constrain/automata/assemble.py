# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Programs to nodes: the unit that makes the expressions which `build` has written in postfix order."""

from __future__ import annotations

from constrain.automata.derive import TO_SETTLE, answer
from constrain.automata.interning import make_leaf, make_not, make_pair, make_start
from constrain.automata.looks import make_scope
from constrain.automata.nodes import make_alt, make_cat, make_node, make_point, make_range, make_repeat
from constrain.automata.remainders import make_rest
from constrain.automata.tables import (
    AHEAD,
    ALL,
    AND,
    ANY,
    BEHIND,
    CODE,
    DEAD,
    EMPTY,
    END,
    EPSILON,
    FLAGS,
    GOES_ON,
    KIND,
    LIVE,
    LOOKS,
    LOOKS_AHEAD,
    LOOKS_BEHIND,
    MARK,
    N_FLAGS,
    NODE,
    NULLABLE,
    REST,
    STACK,
    STATE,
    TEXT,
    TOWARDS,
    UNSUPPORTED,
    VALUE,
    WITHIN,
    full,
)
from constrain.jit import i32, size_of, u8, unit

# Operations: arguments, one at least; what they take from the stack. All push one node.
OP_NODE = 0  # node
OP_MARK = 1  # a mark
OP_RANGES = 2  # n, then n times a first and a last byte
OP_LITERAL = 3  # how many of the next bytes of TEXT
OP_ANY = 4  # 0
OP_CONCAT = 5  # n; takes n nodes
OP_ALT = 6  # n; takes n nodes
OP_REPEAT = 7  # from, to or NO_END; takes a node
OP_WORDS = 8  # n, then the lengths of n words in TEXT, which are different and ascend
OP_AND = 9  # n; takes n nodes
OP_TOWARDS = 10  # 2; takes the frame and the goal
OP_WITHIN = 16  # 2; takes the frame and what counts its units
OP_NOT = 11  # 1; takes a node
OP_CLOSED = 12  # 1; takes a node
OP_AHEAD = 13  # 1 if negated; takes a node
OP_BEHIND = 14  # 1 if negated; takes a node
OP_DIVISIBLE = 15  # low and high 30 bits of the divisor
KEEP = 64  # added to an operation: what it pushes gets the next mark


@unit
def make_words(automata, first, n, at, lengths):
    """The node of n different words, ascending, that stand in TEXT at `at`: a trie. Uses VALUE from `first`."""
    text, value, room = u8(automata, TEXT), i32(automata, VALUE), size_of(automata, VALUE)
    code, level, most = i32(automata, CODE), i32(automata, STACK), size_of(automata, STACK)
    sp, depth, before = first, 0, at
    level[0] = sp  # where the alternatives begin that follow so many bytes of the word before
    for w in range(n + 1):
        size = int(code[lengths + w]) if w < n else 0
        common = 0
        while common < depth and common < size and text[before + common] == text[at + common]:
            common += 1
        while depth > common:
            below = make_alt(automata, int(level[depth]), sp - int(level[depth]))
            if below < 0:
                return below
            sp = int(level[depth])
            depth -= 1
            head = make_range(automata, text[before + depth], text[before + depth])
            if head < 0:
                return head
            below = make_cat(automata, head, below)
            if below < 0:
                return below
            value[sp] = below
            sp += 1
        if w == n:
            break
        if size >= most:
            return full(STACK)
        if sp + 2 > room:
            return full(VALUE)
        while depth < size:
            depth += 1
            level[depth] = sp
        value[sp] = EPSILON
        sp += 1
        before = at
        at += size
    return make_alt(automata, first, sp - first)


@unit
def make_literal(automata, at, n):
    """The node of n bytes of TEXT."""
    text, x = u8(automata, TEXT), EPSILON
    for i in range(at + n - 1, at - 1, -1):
        head = make_range(automata, text[i], text[i])
        if head < 0:
            return head
        x = make_cat(automata, head, x)
        if x < 0:
            return x
    return x


@unit(quick=True)
def start_of(automata, x):
    """The state from which a node is read, settled: DEAD if there is no text."""
    if x == EMPTY:
        return DEAD
    p = make_point(automata, x, END)
    if p < 0:
        return p
    looks = i32(automata, NODE)[6 * x + N_FLAGS] & LOOKS
    q = make_scope(automata, p) if looks else make_start(automata, p)
    if q < 0:
        return q
    status = answer(automata, TO_SETTLE, q)
    if status < 0:
        return status
    return q if i32(automata, STATE)[8 * q + LIVE] else DEAD


@unit
def node_of(automata, q):
    """The node of what a state accepts."""
    status = answer(automata, TO_SETTLE, q)
    if status < 0:
        return status
    state = i32(automata, STATE)
    if not state[8 * q + LIVE]:
        return EMPTY
    return make_leaf(automata, q) if state[8 * q + FLAGS] & GOES_ON else EPSILON


@unit
def close(automata, op, first, n):
    """The node of an operation on closed languages, whose n arguments stand in VALUE from `first`."""
    value, state = i32(automata, VALUE), i32(automata, STATE)
    q = ALL
    for i in range(2 * n - 1, -1, -1):  # remainders last, so that `foresee` meets them
        part = start_of(automata, int(value[first + i % n]))
        if part < 0:
            return part
        if op == OP_AND and (state[8 * part + KIND] == REST) != (i < n):
            continue
        if op != OP_AND and i < n:
            break
        kind = TOWARDS if op == OP_TOWARDS else WITHIN if op == OP_WITHIN else AND
        q = make_pair(automata, kind, part, q)
        if q < 0:
            return q
    if op == OP_NOT:
        q = make_not(automata, q)
        if q < 0:
            return q
    return node_of(automata, q)


@unit
def look(automata, body, behind, negated):
    """The node of an assertion."""
    node = i32(automata, NODE)
    flags = int(node[6 * body + N_FLAGS])
    if body == EMPTY or flags & (NULLABLE | LOOKS) == NULLABLE:  # it never holds, or always
        return EPSILON if (body == EMPTY) == (negated == 1) else EMPTY
    if not behind:
        return make_node(automata, AHEAD, body, negated, 0, NULLABLE | LOOKS_AHEAD | flags & LOOKS, 0)
    if flags & LOOKS_AHEAD:
        return -UNSUPPORTED
    x = make_cat(automata, ANY, body)
    if x < 0:
        return x
    q = start_of(automata, x)
    if q == DEAD:
        return EPSILON if negated else EMPTY
    return q if q < 0 else make_node(automata, BEHIND, q, negated, 0, NULLABLE | LOOKS_BEHIND, 0)


@unit(quick=True)
def assemble(automata, size):
    """Run the program of `size` words in CODE; returns a node or a status."""
    node, code, value, mark = i32(automata, NODE), i32(automata, CODE), i32(automata, VALUE), i32(automata, MARK)
    room, marks = size_of(automata, VALUE), 0
    sp, i, at = 0, 0, 0
    while i < size:
        op, a = int(code[i]), int(code[i + 1])
        keep = op & KEEP
        op &= KEEP - 1
        i += 2
        b = a if op == OP_RANGES else 0
        if sp + b + 1 > room:
            return full(VALUE)
        if op == OP_NODE:
            x = a
        elif op == OP_MARK:
            x = int(mark[a])
        elif op == OP_RANGES:
            for j in range(a):
                x = make_range(automata, int(code[i]), int(code[i + 1]))
                if x < 0:
                    return x
                value[sp + j] = x
                i += 2
            x = make_alt(automata, sp, a)
        elif op == OP_LITERAL:
            x = make_literal(automata, at, a)
            at += a
        elif op == OP_ANY:
            x = ANY
        elif op == OP_CONCAT:
            x = EPSILON
            sp -= a
            for j in range(sp + a - 1, sp - 1, -1):
                x = make_cat(automata, int(value[j]), x)
                if x < 0:
                    return x
        elif op == OP_ALT:
            sp -= a
            x = make_alt(automata, sp, a)
        elif op == OP_REPEAT:
            sp -= 1
            x = make_repeat(automata, int(value[sp]), a, int(code[i]))
            i += 1
        elif op == OP_WORDS:
            x = make_words(automata, sp, a, at, i)
            for j in range(a):
                at += int(code[i + j])
            i += a
        elif op == OP_DIVISIBLE:
            x = make_rest(automata, a | int(code[i]) << 30, 0)
            i += 1
            if x >= 0:
                x = node_of(automata, x)
        elif op == OP_AHEAD or op == OP_BEHIND:
            sp -= 1
            x = look(automata, int(value[sp]), op == OP_BEHIND, a)
        else:
            sp -= a
            x = int(value[sp])
            if op != OP_CLOSED or node[6 * x + N_FLAGS] & LOOKS:
                x = close(automata, op, sp, a)
        if x < 0:
            return x
        if keep:
            if marks >= size_of(automata, MARK):
                return full(MARK)
            mark[marks] = x
            marks += 1
        value[sp] = x
        sp += 1
    return int(value[0])
