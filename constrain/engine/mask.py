# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs, allow-untyped-decorators
"""The mask of an Earley set: the union of the masks of its items.

An item that is an automaton takes the token set of its DFA state, made once for all constraints: the *inner* tokens,
which stay within the terminal, at once, and the *boundary* tokens, which go past its end, by a walk of the trie of
what follows the end in them. An item that is a trie of literals is walked against the vocabulary's trie. A tracked
item then loses the tokens by which it would match an excluded value.

A mask is remembered with its Earley set as what made it: dense sets by reference, tokens cleared, tokens set.
"""

from __future__ import annotations

import numpy as np

from constrain.engine.advance import rule_after, text_of
from constrain.engine.counted_strings import known_counted
from constrain.engine.earley import reach, some_missing
from constrain.engine.excluded import BEFORE_QUOTE, END_OF_NAME, MATCHED, NAMES, NODE_MASK, step_excluded
from constrain.engine.records import intern, intern_two, length, scratch_full, session_full, slot
from constrain.engine.tables import (
    ARGUMENT,
    BASE,
    BASE_COUNT,
    BEFORE_ROW,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    CLEARED,
    CLEARED_COUNT,
    CONT,
    COUNTED_STRING,
    DENSE,
    DEPENDENT,
    EARLEY,
    EOS,
    EOS_COUNT,
    EXCLUDED_MASK,
    GOAL,
    HEAP,
    HEAP_USED,
    ITEM,
    LIST,
    LITERAL,
    LONG_SET,
    LONG_STATE,
    MANY,
    MASK,
    MASK_ROW,
    NEED_COUNTED,
    NEED_SETS,
    NEED_TRIED,
    NODE_OF,
    NOT_MERGED,
    PAYLOAD,
    PAYLOAD_MASK,
    READ,
    RECORD,
    ROOT,
    SCRATCH,
    SCRATCH_BLOCK,
    SESSION,
    SET_COUNT,
    SET_OF,
    SET_TOKENS,
    SHORT_SET,
    SHORT_STATE,
    SPECIAL_AT,
    SPECIAL_ID,
    SPECIAL_ITEM,
    STACK,
    TEXT_MASK,
    TEXT_SHIFT,
    TOKENS,
    TRACKED,
    TRIE,
    TRY,
    TRY_COUNT,
    UNBOUNDED,
    VISITED,
    VOCABULARY,
    VOCABULARY_BLOCK,
    WANTED_COUNT,
    WHOLE_SET,
    D,
    X,
    child,
)
from constrain.engine.walk import allow_set, push_set, set_token, walk
from constrain.jit import halves, helper, i32, i64, i64_at, size_of, u32_row, unit


@helper
def need_sets(S, q, goal, data, c):
    """The status for token sets of a state that are not made."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    earley = reach(S, goal, data, c)
    if earley < 0:
        return earley
    missing = i64(session[SCRATCH_BLOCK], SCRATCH)[WANTED_COUNT]
    session[ARGUMENT] = 1 if missing or length(heap, earley) > 2 else 0
    return -(q << 4 | NEED_SETS)


@unit
def take_set(S, out_address, words, q, index, goal, data, c):
    """Allow the tokens of a token set of a state; those past the terminal's end go on at `goal`. 0, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch, vocabulary = session[SCRATCH_BLOCK], session[VOCABULARY_BLOCK]
    suffixes = allow_set(vocabulary, scratch, u32_row(out_address, words), words, index)
    if suffixes == 0:
        return 0
    if suffixes < NOT_MERGED:
        return suffixes
    earley = reach(S, goal, data, c)
    if earley < 0 or length(heap, earley) == 2:
        return min(earley, 0)
    if suffixes == NOT_MERGED:
        return need_sets(S, q, goal, data, c)
    n = push_set(S, earley, suffixes, 0, STACK, 0)
    return walk(S, out_address, words, n) if n > 0 else n


@unit
def take_automaton(S, out_address, words, q, x, goal, data, c):
    """Allow what can be read from a DFA state, with a local state; 0, or a status."""
    session = i64(S, SESSION)
    vocabulary = session[VOCABULARY_BLOCK]
    if x & COUNTED_STRING:
        fewest, most = (x >> 24) & UNBOUNDED, x & UNBOUNDED
        index = known_counted(vocabulary, q, fewest, most)
        if index:
            return take_set(S, out_address, words, q, index, goal, data, c)
        session[ARGUMENT], session[ARGUMENT + 1] = fewest, most
        return -(q << 4 | NEED_COUNTED)
    known = i32(vocabulary, SET_OF)
    if 8 * q + 8 > size_of(vocabulary, SET_OF):
        return need_sets(S, q, goal, data, c)
    if known[8 * q + WHOLE_SET]:
        return take_set(S, out_address, words, q, np.int64(known[8 * q + WHOLE_SET]), goal, data, c)
    short, long = np.int64(known[8 * q + SHORT_STATE]), np.int64(known[8 * q + LONG_STATE])
    if short <= 0 or long <= 0 or not known[8 * short + SHORT_SET] or not known[8 * long + LONG_SET]:
        return need_sets(S, q, goal, data, c)
    status = take_set(S, out_address, words, q, np.int64(known[8 * short + SHORT_SET]), goal, data, c)
    if status < 0:
        return status
    return take_set(S, out_address, words, q, np.int64(known[8 * long + LONG_SET]), goal, data, c)


@helper
def clear_below(vocabulary, scratch, out, stack, sp, node):
    """Clear all tokens at a node and below it that BEFORE_ROW lacks; 0, or a status. Uses STACK from `sp` on."""
    before = halves(scratch, BEFORE_ROW)
    trie, numbers = i64(vocabulary, TRIE), i64(scratch, SCRATCH)
    bottom = sp
    stack[sp] = node
    sp += 1
    while sp > bottom:
        sp -= 1
        word = trie[stack[sp]]
        payload = (word >> PAYLOAD) & PAYLOAD_MASK
        n, at = (1 if payload else 0), 0
        if payload >= MANY:
            at = i32(vocabulary, LIST)[payload - MANY]
            n = i32(vocabulary, TOKENS)[at]
        if numbers[CLEARED_COUNT] + n > size_of(scratch, CLEARED):
            return scratch_full(CLEARED)
        for i in range(n):
            token = payload - 1 if payload < MANY else np.int64(i32(vocabulary, TOKENS)[at + 1 + i])
            if ((out[token >> 5] & ~before[token >> 5]) >> (token & 31)) & 1:
                out[token >> 5] &= 0xFFFFFFFF ^ (1 << (token & 31))
                i64(scratch, CLEARED)[numbers[CLEARED_COUNT]] = token
                numbers[CLEARED_COUNT] += 1
        first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
        if sp + children + 2 > size_of(scratch, STACK):
            return scratch_full(STACK)
        for i in range(children):
            stack[sp] = first + i
            sp += 1
    return 0


@unit
def clear_names(S, out_address, words, e, node, sp):
    """Clear the tokens by which a string would mean what is excluded, of those that do not go on in an escape.

    `e` is in a string, before the children of `node`. What is left before longer tokens is put on STACK; where that
    ends, or a status.
    """
    session = i64(S, SESSION)
    scratch, vocabulary = session[SCRATCH_BLOCK], session[VOCABULARY_BLOCK]
    stack, trie, literal = i64(scratch, STACK), i64(vocabulary, TRIE), i64(S, LITERAL)
    out, word, here = u32_row(out_address, words), trie[node], literal[e & NODE_MASK]
    first, ways = (here >> CHILD) & CHILD_MASK, (here >> CHILDREN) & CHILDREN_MASK
    if sp + 2 * ways + 4 > size_of(scratch, STACK):
        return scratch_full(STACK)
    for reached in range(first, first + ways):
        byte = literal[reached] & 255
        if byte < 32 or byte == 34 or byte == 92:  # only an escape stands for these
            continue
        below = np.int64(child(trie, word, 34 if byte == END_OF_NAME else byte))
        if below < 0:
            continue
        if byte == END_OF_NAME:
            status = clear_below(vocabulary, scratch, out, stack, sp, below)
            if status < 0:
                return status
        elif (trie[below] >> CHILDREN) & CHILDREN_MASK:
            stack[sp], stack[sp + 1] = NAMES | reached, below
            sp += 2
    below = np.int64(child(trie, word, 92))
    if below >= 0 and (trie[below] >> CHILDREN) & CHILDREN_MASK:
        inside = step_excluded(S, e, 92)
        if inside < 0:
            return inside
        stack[sp], stack[sp + 1] = inside, below
        sp += 2
    return sp


@unit
def clear_excluded(S, out_address, words, excluded):
    """Clear the tokens by which a terminal would match what it must not.

    Those in BEFORE_ROW stay: another item allows them.
    """
    session = i64(S, SESSION)
    scratch, vocabulary = session[SCRATCH_BLOCK], session[VOCABULARY_BLOCK]
    numbers, stack, trie = i64(scratch, SCRATCH), i64(scratch, STACK), i64(vocabulary, TRIE)
    out = u32_row(out_address, words)
    before = numbers[CLEARED_COUNT]
    stack[0], stack[1] = excluded, i64(vocabulary, VOCABULARY)[ROOT]
    sp = 2
    while sp > 0:
        sp -= 2
        e, node = stack[sp], stack[sp + 1]
        numbers[VISITED] += 1
        if e & NAMES and not e & BEFORE_QUOTE:
            sp = clear_names(S, out_address, words, e, node, sp)
            if sp < 0:
                return sp
            continue
        word = trie[node]
        first, children = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
        if sp + 2 * children + 4 > size_of(scratch, STACK):
            return scratch_full(STACK)
        for below in range(first, first + children):
            reached = step_excluded(S, e, trie[below] & 255)
            if reached == 0:
                continue
            if reached < 0:
                return reached
            if reached == MATCHED:
                status = clear_below(vocabulary, scratch, out, stack, sp, below)
                if status < 0:
                    return status
            else:
                stack[sp], stack[sp + 1] = reached, below
                sp += 2
    if numbers[CLEARED_COUNT] > before:  # tokens that were set for this item and are out again
        tokens = i64(scratch, SET_TOKENS)
        kept = 0
        for i in range(numbers[SET_COUNT]):
            if (out[tokens[i] >> 5] >> (tokens[i] & 31)) & 1:
                tokens[kept] = tokens[i]
                kept += 1
        numbers[SET_COUNT] = kept
    return 0


@helper
def walk_item(S, out_address, words, o):
    """Allow what an item, at HEAP[o], can read, by a walk of all tokens; 0, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    stack = i64(session[SCRATCH_BLOCK], STACK)
    for k in range(ITEM):
        stack[k] = heap[o + k]
    stack[NODE_OF] = i64(session[VOCABULARY_BLOCK], VOCABULARY)[ROOT]
    return walk(S, out_address, words, 1)


@unit
def paint(S, record, out_address, words):
    """Write a remembered mask."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    dense = halves(session[VOCABULARY_BLOCK], DENSE)
    out = u32_row(out_address, words)
    bases, cleared, tokens = heap[record + 1], heap[record + 2], heap[record + 3]
    at = record + 4
    if bases == 0:
        for i in range(words):
            out[i] = 0
    else:
        base = 2 * heap[at]
        for i in range(words):
            out[i] = dense[base + i]
        for k in range(1, bases):
            base = 2 * heap[at + k]
            for i in range(words):
                out[i] |= dense[base + i]
    at += bases
    for i in range(cleared):
        token = heap[at + i]
        out[token >> 5] &= 0xFFFFFFFF ^ (1 << (token & 31))
    at += cleared
    for i in range(tokens):
        token = heap[at + i]
        out[token >> 5] |= 1 << (token & 31)
    return 0


@helper
def remember(S, earley, mask):
    """Keep the mask that SCRATCH describes with an Earley set; 0, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    numbers, out = i64(scratch, SCRATCH), i64(scratch, CLEARED)
    kept = 0
    for i in range(numbers[CLEARED_COUNT]):  # what another item allows is not cleared
        if not (mask[out[i] >> 5] >> (out[i] & 31)) & 1:
            out[kept] = out[i]
            kept += 1
    numbers[CLEARED_COUNT] = kept
    bases, cleared, tokens = numbers[BASE_COUNT], numbers[CLEARED_COUNT], numbers[SET_COUNT]
    record = session[HEAP_USED]
    n = 3 + bases + cleared + tokens
    if record + n + 2 > size_of(S, HEAP):
        return session_full(HEAP)
    heap[record] = n << 8 | MASK
    heap[record + 1], heap[record + 2], heap[record + 3] = bases, cleared, tokens
    at = record + 4
    base, put = i64(scratch, BASE), i64(scratch, SET_TOKENS)
    for i in range(bases):
        heap[at + i] = base[i]
    at += bases
    for i in range(cleared):
        heap[at + i] = out[i]
    at += cleared
    for i in range(tokens):
        heap[at + i] = put[i]
    session[HEAP_USED] = record + 1 + n
    heap[slot(heap, earley)] = record
    return 0


@helper
def is_tracked(heap, o):
    """Whether an item is a terminal whose text counts."""
    return heap[o] > 0 and heap[o] < SPECIAL_ITEM and heap[o + X] & TRACKED != 0


@unit
def without_texts(S, earley):
    """The Earley set with the same mask in which tracked terminals have forgotten what they have read."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    content = i64(scratch, RECORD)
    n = length(heap, earley)
    roots = 2 + n
    if roots + n > size_of(scratch, RECORD):
        return scratch_full(RECORD)
    for o in range(earley + 3, earley + 1 + n, ITEM):
        content[roots] = heap[o + X]
        if is_tracked(heap, o):
            text = (heap[o + X] >> TEXT_SHIFT) & TEXT_MASK
            while heap[text + 1] >= 0:
                text = heap[text + 1]
            text = intern_two(S, content, READ, heap[text + 1], 0)
            if text < 0:
                return text
            content[roots] = heap[o + X] & (~(TEXT_MASK << TEXT_SHIFT)) | text << TEXT_SHIFT
        roots += 1
    roots = 2 + n
    content[0], content[1] = heap[earley + 1], 0
    for k in range(2, n):
        content[k] = heap[earley + 1 + k]
    for k in range(2, n, ITEM):
        content[k + X] = content[roots]
        roots += 1
    return intern(S, EARLEY, n)


@helper
def work_out(S, earley, out_address, words):
    """Make the mask of an Earley set: bits in a row, and in SCRATCH what made them. 0, or a status."""
    session, heap = i64(S, SESSION), i64(S, HEAP)
    scratch = session[SCRATCH_BLOCK]
    numbers = i64(scratch, SCRATCH)
    for k in range(SET_COUNT, VISITED + 1):
        numbers[k] = 0
    out = u32_row(out_address, words)
    for i in range(words):
        out[i] = 0
    last = earley + 1 + length(heap, earley)
    before = halves(scratch, BEFORE_ROW)
    for o in range(earley + 3, last, ITEM):
        if is_tracked(heap, o):
            for i in range(words):
                before[i] = out[i]
            x, data = heap[o + X], heap[o + D]
            data = -1 - data if data >= 0 else data
            status = take_automaton(S, out_address, words, heap[o], 0, heap[o + GOAL], data, heap[o + CONT])
            if status == 0 and x & EXCLUDED_MASK:
                status = clear_excluded(S, out_address, words, x & EXCLUDED_MASK)
            if status < 0:
                return status
    for o in range(earley + 3, last, ITEM):
        a = heap[o]
        if a < 0:
            status = walk_item(S, out_address, words, o)
        elif a >= SPECIAL_ITEM:
            status = 0
            ids, at = i32(S, SPECIAL_ID), i32(S, SPECIAL_AT)
            if numbers[SET_COUNT] + at[a - SPECIAL_ITEM + 1] > size_of(scratch, SET_TOKENS):
                return scratch_full(SET_TOKENS)
            for k in range(at[a - SPECIAL_ITEM], at[a - SPECIAL_ITEM + 1]):
                set_token(scratch, out, ids[k], 0)
        elif heap[o + X] & DEPENDENT:
            goal = rule_after(S, heap[o + X] & 0xFFFFFFFF, text_of(S, earley))
            status = 0
            if goal >= 0:
                status = take_automaton(S, out_address, words, a, 0, goal, heap[o + D], heap[o + CONT])
            elif goal < -1:
                return goal
        elif not is_tracked(heap, o):
            status = take_automaton(S, out_address, words, a, heap[o + X], heap[o + GOAL], heap[o + D], heap[o + CONT])
        else:
            status = 0
        if status < 0:
            return status
    if heap[earley + 1]:
        ids = i32(S, EOS)
        if numbers[SET_COUNT] + session[EOS_COUNT] > size_of(scratch, SET_TOKENS):
            return scratch_full(SET_TOKENS)
        for k in range(session[EOS_COUNT]):
            set_token(scratch, out, ids[k], 0)
    return 0


@unit(quick=True)
def fill(S, earley, out_address, words):
    """Write the mask of an Earley set to a row of `words` uint32; 0, or a status."""
    heap = i64(S, HEAP)
    known = heap[slot(heap, earley)]
    if known:
        return paint(S, known, out_address, words)
    key = earley
    forgets = heap[earley + 2] != 0
    for o in range(earley + 3, earley + 1 + length(heap, earley), ITEM):
        if heap[o] > 0 and heap[o] < SPECIAL_ITEM and heap[o + X] & DEPENDENT:
            forgets = False
            break
        forgets |= is_tracked(heap, o)
    if forgets:
        key = without_texts(S, earley)
        if key < 0:
            return key
    if key != earley and heap[slot(heap, key)]:
        heap[slot(heap, earley)] = heap[slot(heap, key)]
        return paint(S, heap[slot(heap, key)], out_address, words)
    made = i64_at(i64(S, SESSION)[SCRATCH_BLOCK], 2 * MASK_ROW)
    i64(i64(S, SESSION)[SCRATCH_BLOCK], SCRATCH)[WANTED_COUNT] = 0
    status = work_out(S, key, made, words)
    if status == 0:
        status = some_missing(i64(S, SESSION)[SCRATCH_BLOCK])
    if status < 0:
        return status
    if i64(i64(S, SESSION)[SCRATCH_BLOCK], SCRATCH)[TRY_COUNT]:
        return -NEED_TRIED
    status = remember(S, key, u32_row(made, words))
    if status < 0:
        return status
    heap[slot(heap, earley)] = heap[slot(heap, key)]
    return paint(S, heap[slot(heap, key)], out_address, words)


@unit
def add_tried(S, earley, out_address, words, allowed):
    """Finish a mask whose tokens in doubt have been tried: the first `allowed` of TRY are in. 0, or a status."""
    scratch = i64(S, SESSION)[SCRATCH_BLOCK]
    numbers, tried = i64(scratch, SCRATCH), i64(scratch, TRY)
    if numbers[SET_COUNT] + allowed > size_of(scratch, SET_TOKENS):
        return scratch_full(SET_TOKENS)
    out = u32_row(i64_at(scratch, 2 * MASK_ROW), words)
    for i in range(allowed):
        set_token(scratch, out, tried[i], 0)
    numbers[TRY_COUNT] = 0
    status = remember(S, earley, out)
    heap = i64(S, HEAP)
    return status if status < 0 else paint(S, heap[slot(heap, earley)], out_address, words)
