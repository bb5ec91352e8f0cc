# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""Longest match: read tokens, and say which can be read.

A token is read element by element, see longest_tables.py. A mask is the union of token sets: those of the lexers of
the elements over all tokens, and behind each crossing those of the lexer of the row after it, over what is left of the
tokens. Each token is cut in one way from each element, so that the forests of a mask take no more than linear time.
"""

from __future__ import annotations

from constrain.engine.advance import add_set
from constrain.engine.earley import closure, finish, put_item
from constrain.engine.longest_alive import alive, expects_special
from constrain.engine.longest_lexers import begin, clip, goto, make_row, shunned, step_shun
from constrain.engine.longest_sets import set_of
from constrain.engine.longest_tables import (
    ANSWER,
    AT,
    CLASS,
    CLIPPED_VOCABULARY,
    CROSSING,
    CROSSING_AT,
    CROSSING_COUNT,
    DENSE,
    FOREST_OF,
    HEAD,
    KIND,
    KNOWN,
    LEXER,
    LEXER_AFTER,
    MAP,
    MASK,
    MATCHED,
    ROW,
    ROW_POOL,
    ROW_POOL_USED,
    ROW_READY,
    SESSION_BLOCK,
    SET,
    SETS_MADE,
    SHUN_AFTER,
    SHUN_OF,
    SINGLE,
    SINGLES,
    SIZE,
    SPARSE,
    STEP,
    TAKEN,
    TAKES,
    TODO,
    TOKEN,
    UNSURE,
    UNSURE_AT,
    UNSURE_COUNT,
    VOCABULARY,
    WINNERS_AFTER,
    WINNERS_OF,
    no_room,
)
from constrain.engine.records import length, scratch_full, slot
from constrain.engine.tables import (
    BACK,
    BYTES,
    CONT,
    DENSE_SET,
    EOS,
    EOS_COUNT,
    FRONT,
    GOAL,
    HEAP,
    ITEM,
    OFFSET,
    SCRATCH_BLOCK,
    SESSION,
    SPECIAL_AT,
    SPECIAL_ID,
    SPECIAL_ITEM,
    VOCABULARY_BLOCK,
    A,
    D,
    X,
)
from constrain.engine.tables import STACK as JOINED
from constrain.jit import halves, helper, i32, i64, size_of, u8, u32_row, unit

# ---------------------------------------------------------------------------------------------------------- reading


@unit
def longest_byte(L, before, n, after, byte):
    """Read a byte in the n elements of table `before` of the session; what is left goes to table `after`.

    Returns how many elements that are, or a status.
    """
    S = i64(L, HEAD)[SESSION_BLOCK]
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    item, left = i64(scratch, before), i64(scratch, after)
    lexers, byte_class, steps = i64(L, LEXER), u8(L, CLASS), i32(L, STEP)
    if ITEM * (2 * n + 1) > size_of(scratch, after):
        return scratch_full(after)
    m = 0
    for i in range(n):
        lexer, shun, row = item[ITEM * i + A], item[ITEM * i + X], item[ITEM * i + GOAL]
        if lexer == 0:
            lexer = begin(L, row)
            if lexer < 0:
                return lexer
            if lexer == 0:
                continue
        if not lexers[10 * lexer + KNOWN] & ROW_READY:
            status = make_row(L, lexer)
            if status < 0:
                return status
        o = 10 * lexer
        o = 2 * (lexers[o + ROW] + byte_class[256 * lexers[o + MAP] + byte])
        to, winners = steps[o], steps[o + 1]
        if to == 0 and winners == 0:
            continue
        if shun:
            shun = step_shun(L, shun, byte)
            if shun < 0:
                return shun
            if shun == MATCHED:
                continue
        if to:
            m = put_item(left, m, to, shun, row, 0, 0)
        if winners:
            reached = goto(L, row, winners)
            behind = shunned(L, shun, to) if reached > 0 else reached
            if behind < 0:
                return behind
            m = put_item(left, m, 0, behind, reached, 0, 0)
    return m


@unit
def settle_elements(L, table, n):
    """The state of the n elements in a table that something can follow, 0 if there are none; or a status."""
    S = i64(L, HEAD)[SESSION_BLOCK]
    heap, item = i64(S, HEAP), i64(i64(S, SESSION)[SCRATCH_BLOCK], table)
    m, accepting = 0, 0
    for i in range(n):
        lexer, shun, row = item[ITEM * i + A], item[ITEM * i + X], item[ITEM * i + GOAL]
        follows = alive(L, row, lexer, shun) if shun else 1
        if follows < 0:
            return follows
        if follows:
            m = put_item(item, m, lexer, shun, row, 0, 0)
            if lexer == 0:
                accepting |= heap[row + 1]
    return finish(S, table, m, accepting, 0) if m else 0


@unit
def longest_bytes(L, state, at, last):
    """The state after bytes at .. last of BYTES of the vocabulary, 0 if they cannot follow; or a status."""
    S = i64(L, HEAD)[SESSION_BLOCK]
    data = u8(i64(S, SESSION)[VOCABULARY_BLOCK], BYTES)
    n = add_set(S, state, FRONT, 0)
    front, back = FRONT, BACK
    while at < last and n > 0:
        n = longest_byte(L, front, n, back, data[at])
        front, back = back, front
        at += 1
    return settle_elements(L, front, n) if n > 0 else n


@unit
def longest_special(L, state, token):
    """The state after a token that spells nothing, 0 if it cannot follow; or a status."""
    S = i64(L, HEAD)[SESSION_BLOCK]
    heap, ids, at = i64(S, HEAP), i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
    n, accepting, found = 0, 0, 0
    for e in range(state + 3, state + 1 + length(heap, state), ITEM):
        row = heap[e + GOAL]
        if heap[e + A] or not expects_special(heap, row):
            continue
        for o in range(row + 3, row + 1 + length(heap, row), ITEM):
            symbol = heap[o + A] - SPECIAL_ITEM
            if symbol < 0:
                continue
            for k in range(at[symbol], at[symbol + 1]):
                if ids[k] == token:
                    reached = closure(S, heap[o + GOAL], heap[o + D], heap[o + CONT])
                    n = add_set(S, reached, JOINED, n) if reached > 0 else reached
                    if n < 0:
                        return n
                    accepting |= heap[reached + 1]
                    found = 1
                    break
    if not found:
        return 0
    row = finish(S, JOINED, n, accepting, 0)
    if row < 0:
        return row
    put_item(i64(i64(S, SESSION)[SCRATCH_BLOCK], FRONT), 0, 0, 0, row, 0, 0)
    return finish(S, FRONT, 1, heap[row + 1], 0)


@unit(quick=True)
def commit_longest(L, state, token):
    """The state after a token, 0 if it cannot follow; or a status."""
    S = i64(L, HEAD)[SESSION_BLOCK]
    offset = i32(i64(S, SESSION)[VOCABULARY_BLOCK], OFFSET)
    if offset[token] == offset[token + 1]:
        return longest_special(L, state, token)
    return longest_bytes(L, state, offset[token], offset[token + 1])


@unit
def commit_all(L, state, n):
    """Replace the first n tokens of ANSWER by the states after them, 0 for those that cannot follow; 0, or a status.

    State q is written as -1 - q, so that a call goes on where the one before it stopped.
    """
    answer = i64(L, ANSWER)
    for i in range(n):
        if answer[i] >= 0:
            reached = commit_longest(L, state, answer[i])
            if reached < 0:
                return reached
            answer[i] = -1 - reached
    return 0


@unit(quick=True)
def byte_longest(L, state, byte):
    """The state after a byte, 0 if it cannot follow; or a status."""
    n = add_set(i64(L, HEAD)[SESSION_BLOCK], state, FRONT, 0)
    n = longest_byte(L, FRONT, n, BACK, byte) if n > 0 else n
    return settle_elements(L, BACK, n) if n > 0 else n


# ------------------------------------------------------------------------------------------------------------ masks


@helper
def put_single(L, token):
    """Note a token of the mask besides those of token sets; 0, or a status."""
    head = i64(L, HEAD)
    if head[SINGLES] >= size_of(L, SINGLE):
        return no_room(SINGLE)
    i64(L, SINGLE)[head[SINGLES]] = token
    head[SINGLES] += 1
    return 0


@unit
def may_follow(L, row, lexer, winners, shun):
    """Whether something can follow in a row, or behind terminals of it that end: 1 or 0, or a status."""
    if lexer:
        found = alive(L, row, lexer, shun)
        if found:
            return found
    if winners == 0:
        return 0
    reached = goto(L, row, winners)
    behind = shunned(L, shun, lexer) if reached > 0 else reached
    return alive(L, reached, 0, behind) if behind >= 0 else behind


@unit
def take_unsure(L, state, row, index, tries):
    """Note the tokens of a set that are unsure, and can be read from a row; 0, or a status."""
    sets, unsure = i64(L, SET), i32(L, UNSURE)
    last, allowed = -1, 0
    for o in range(
        4 * sets[8 * index + UNSURE_AT], 4 * (sets[8 * index + UNSURE_AT] + sets[8 * index + UNSURE_COUNT]), 4
    ):
        if tries:
            allowed = commit_longest(L, state, unsure[o + TOKEN])
        elif not (
            last >= 0
            and unsure[o + LEXER_AFTER] == unsure[last + LEXER_AFTER]
            and unsure[o + WINNERS_AFTER] == unsure[last + WINNERS_AFTER]
            and unsure[o + SHUN_AFTER] == unsure[last + SHUN_AFTER]
        ):
            allowed = may_follow(L, row, unsure[o + LEXER_AFTER], unsure[o + WINNERS_AFTER], unsure[o + SHUN_AFTER])
        if allowed < 0:
            return allowed
        last = o
        if allowed:
            status = put_single(L, unsure[o + TOKEN])
            if status < 0:
                return status
    return 0


@helper
def put_todo(L, n, row, lexer, shun, forest):
    """Put a place of the mask on TODO; how many there are then, or a status."""
    todo = i64(L, TODO)
    if 4 * n + 4 > size_of(L, TODO):
        return no_room(TODO)
    todo[4 * n], todo[4 * n + 1], todo[4 * n + 2], todo[4 * n + 3] = row, lexer, shun, forest
    return n + 1


@unit
def begin_mask(L, state):
    """Put the elements of a state on TODO, and note special tokens and those that end the output.

    Returns how many places TODO has, or a status.
    """
    head, S = i64(L, HEAD), i64(L, HEAD)[SESSION_BLOCK]
    heap, ids, at = i64(S, HEAP), i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
    head[TAKES], head[SINGLES] = 0, 0
    n = 0
    for e in range(state + 3, state + 1 + length(heap, state), ITEM):
        lexer, shun, row = heap[e + A], heap[e + X], heap[e + GOAL]
        forest = VOCABULARY
        if lexer:
            clipped = clip(L, lexer)
            if clipped != lexer:
                lexer, forest = clipped, CLIPPED_VOCABULARY
        else:
            lexer = begin(L, row)
            if expects_special(heap, row):
                for o in range(row + 3, row + 1 + length(heap, row), ITEM):
                    symbol = heap[o + A] - SPECIAL_ITEM
                    if symbol >= 0:
                        for k in range(at[symbol], at[symbol + 1]):
                            status = put_single(L, ids[k])
                            if status < 0:
                                return status
        if lexer < 0:
            return lexer
        if lexer:
            n = put_todo(L, n, row, lexer, shun, forest)
            if n < 0:
                return n
    if heap[state + 1]:
        ids = i32(S, EOS)
        for k in range(i64(S, SESSION)[EOS_COUNT]):
            status = put_single(L, ids[k])
            if status < 0:
                return status
    return n


@unit
def collect(L, state):
    """Note the token sets of a state in TAKEN, and its other tokens in SINGLE; 0, or a status."""
    head, todo, taken = i64(L, HEAD), i64(L, TODO), i64(L, TAKEN)
    sets, crossing = i64(L, SET), i32(L, CROSSING)
    n = begin_mask(L, state)
    if n < 0:
        return n
    while n > 0:
        n -= 1
        row, lexer, shun, forest = todo[4 * n], todo[4 * n + 1], todo[4 * n + 2], todo[4 * n + 3]
        clipped = forest == CLIPPED_VOCABULARY or forest < 0
        index = set_of(L, lexer, shun, forest)
        if index < 0:
            return index
        o = 8 * index
        if sets[o + SIZE]:
            if head[TAKES] >= size_of(L, TAKEN):
                return no_room(TAKEN)
            taken[head[TAKES]] = index
            head[TAKES] += 1
        if sets[o + UNSURE_COUNT]:
            status = take_unsure(L, state, row, index, clipped)
            if status < 0:
                return status
        for k in range(sets[o + CROSSING_AT], sets[o + CROSSING_AT] + sets[o + CROSSING_COUNT]):
            reached = goto(L, row, crossing[4 * k + WINNERS_OF])
            lexer = begin(L, reached) if reached > 0 else reached
            if lexer < 0:
                return lexer
            if lexer:
                forest = crossing[4 * k + FOREST_OF]
                n = put_todo(L, n, reached, lexer, crossing[4 * k + SHUN_OF], -forest if clipped else forest)
                if n < 0:
                    return n
    return 0


@helper
def remember(L, state):
    """Keep what TAKEN and SINGLE say with a state: the record, or a status."""
    head, pool, taken, single = i64(L, HEAD), i64(L, ROW_POOL), i64(L, TAKEN), i64(L, SINGLE)
    heap = i64(head[SESSION_BLOCK], HEAP)
    record, m, k = head[ROW_POOL_USED], head[TAKES], head[SINGLES]
    n = 3 + m + k
    if record + n + 2 > size_of(L, ROW_POOL):
        return no_room(ROW_POOL)
    pool[record] = n << 8 | MASK
    pool[record + 1], pool[record + 2], pool[record + 3] = head[SETS_MADE], m, k
    for i in range(m):
        pool[record + 4 + i] = taken[i]
    for i in range(k):
        pool[record + 4 + m + i] = single[i]
    pool[record + 1 + n] = 0
    head[ROW_POOL_USED] = record + 2 + n
    heap[slot(heap, state)] = record
    return record


@helper
def set_bit(out, token):
    """Allow a token."""
    out[token >> 5] |= 1 << (token & 31)


@unit(quick=True)
def fill_longest(L, state, out_address, words):
    """Write the mask of a state to a row of `words` uint32; 0, or a status."""
    head, pool, sets = i64(L, HEAD), i64(L, ROW_POOL), i64(L, SET)
    heap = i64(head[SESSION_BLOCK], HEAP)
    record = heap[slot(heap, state)]
    if record == 0 or pool[record + 1] != head[SETS_MADE]:
        status = collect(L, state)
        record = remember(L, state) if status == 0 else status
        if record < 0:
            return record
    dense, sparse, out = halves(L, DENSE), i32(L, SPARSE), u32_row(out_address, words)
    m, k = pool[record + 2], pool[record + 3]
    begun = False
    for i in range(record + 4, record + 4 + m):
        o = 8 * pool[i]
        if sets[o + KIND] == DENSE_SET:
            base = 2 * sets[o + AT]
            if begun:
                for j in range(words):
                    out[j] |= dense[base + j]
            else:
                for j in range(words):
                    out[j] = dense[base + j]
            begun = True
    if not begun:
        for j in range(words):
            out[j] = 0
    for i in range(record + 4, record + 4 + m):
        o = 8 * pool[i]
        if sets[o + KIND] != DENSE_SET:
            for j in range(sets[o + AT], sets[o + AT] + sets[o + SIZE]):
                set_bit(out, sparse[j])
    for i in range(record + 4 + m, record + 4 + m + k):
        set_bit(out, pool[i])
    return 0
