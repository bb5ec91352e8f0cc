# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Lay the tokens of a vocabulary as breadth-first tries, with what occurs below each node.

A node stands for a range of tokens that agree on some bytes. The range is sorted by the next byte (a radix sort, which
keeps tokens of equal bytes in the order of their ids) and its parts become the children, at the end of the trie.
"""

from __future__ import annotations

import numpy as np

from constrain.engine.tables import (
    BELOW,
    BYTES,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    GROUP,
    HEIGHT,
    LIST,
    LIST_USED,
    MAKEUP,
    MANY,
    OFFSET,
    ORDER,
    ORDER_USED,
    PAYLOAD,
    ROOT,
    SETS_SCRATCH,
    SPAN,
    TOKEN_COUNT,
    TOKENS,
    TOKENS_USED,
    TRIE,
    TRIE_USED,
    VOCABULARY,
    WIDTH,
)
from constrain.jit import helper, i32, i64, mix, size_of, u8, unit

# ------------------------------------------------------------------------------------------------- scratch (X)

SCALAR = 0  # int64[8]: columns below
INNER = 1  # int64[WIDTH + 1]: the set that is being made
PLACES = 2  # int32: nodes of a trie where a terminal has ended
STACK = 3  # int64: of walks
LISTS = 4  # int32: lists of nodes that are merged
MERGED = 5  # int32[2 n]: of merged node n: offset in LISTS, number
NEXT_OUT = (
    6  # int64: of a place in ORDER: generation << 32 | the first place from here of a token that is not in the set
)
NEXT_IN = 7  # int32: the same for tokens that are in the set
PAIRS = 8  # int64[4 n]: states and where they stand in a character, columns in token_sets.py
COUNT = 9  # int64[258]: how often each byte occurs; all 0 between uses
ABOVE = 10  # int64: of a node: what occurs on the way to it, then below it
SORTED = 11  # int32: what is being sorted

# SCALAR
PLACE_COUNT = 0  # entries in PLACES
INNER_COUNT = 1  # tokens in INNER
STAGE = 2  # generation of NEXT_OUT
VISITED = 3  # nodes visited by the last walk, for measurements

# Status of units of the vocabulary side: -(what << 4 | FULL), what = OF_VOCABULARY + table, or OF_SCRATCH + table
OF_VOCABULARY, OF_SCRATCH = 64, 96
FULL = 1


@helper
def full(table):
    """The status for a table of the vocabulary without room."""
    return -((OF_VOCABULARY + table) << 4 | FULL)


@helper
def full_scratch(table):
    """The status for a table of the scratch block without room."""
    return -((OF_SCRATCH + table) << 4 | FULL)


@helper
def slot_of(vocabulary, table, key):
    """The slot of a hash table of V, of pairs (key, token set), that holds a key, or is free for it."""
    pairs, mask = i64(vocabulary, table), size_of(vocabulary, table) // 2 - 1
    slot = mix(0, key) & mask
    while pairs[2 * slot] != 0 and pairs[2 * slot] != key:
        slot = (slot + 1) & mask
    return slot


# -------------------------------------------------------------------------------- what tokens are made of, in bits

# Besides the groups of ASCII bytes of GROUP. A state that returns to itself on everything below a node keeps all of it.
WHOLE = 1 << 60  # characters beyond ASCII, each of them whole at the end of every token
BROKEN = 1 << 61  # other bytes beyond ASCII, or a token of the node itself that ends inside of a character
INSIDE = 1 << 62  # the path to the node ends inside of a character, or has left UTF-8
LENGTH = 50  # first bit of the length of a token in MAKEUP
MOST_BYTES = 1023
MADE_OF = (1 << LENGTH) - 1 | WHOLE | BROKEN | INSIDE  # the bits of MAKEUP that are no length

_LETTERS = (("0", "9"), ("a", "f"), ("g", "z"), ("A", "F"), ("G", "Z"))
_CONTROLS = "\t\n\r"


def group_of() -> np.ndarray:
    """The bit of each ASCII byte (int64[128]): one each for punctuation, few for what mostly goes together.

    >>> [int(bit) for bit in group_of()[list(b"afg")]]
    [4, 4, 8]
    """
    groups = np.zeros(128, np.int64)  # group 0: control characters
    for number, (low, high) in enumerate(_LETTERS, 1):
        groups[ord(low) : ord(high) + 1] = number
    single = [b for b in range(0x20, 0x7F) if not chr(b).isalnum()] + [ord(c) for c in _CONTROLS]
    groups[single] = range(len(_LETTERS) + 1, len(_LETTERS) + 1 + len(single))
    bits: np.ndarray = np.int64(1) << groups
    return bits


# Places in a character in UTF-8: at its start; after lead bytes that want 1, 2 or 3 more; after E0, ED, F0 and F4,
# which restrict the byte that follows; in no character.
START, ONE, TWO, THREE, E0, ED, F0, F4, LOST = 0, 1, 2, 3, 4, 5, 6, 7, 8


@helper
def place_after(place, b):
    """The place in a character after a byte (Unicode 18, table 3-7)."""
    if place == START:
        if b < 0x80:
            return START
        if b < 0xC2 or b > 0xF4:
            return LOST
        if b < 0xE0:
            return ONE
        if b < 0xF0:
            return E0 if b == 0xE0 else ED if b == 0xED else TWO
        return F0 if b == 0xF0 else F4 if b == 0xF4 else THREE
    low, high, after = 0x80, 0xBF, place - 1
    if place == E0:
        low, after = 0xA0, ONE
    elif place == ED:
        high, after = 0x9F, ONE
    elif place == F0:
        low, after = 0x90, TWO
    elif place == F4:
        high, after = 0x8F, TWO
    return after if place != LOST and low <= b <= high else LOST


@helper
def sort_range(vocabulary, scratch, low, high, depth):
    """Sort the tokens ORDER[low:high], which agree on `depth` bytes, by the next one; those that end here first."""
    order, offset, data = i32(vocabulary, ORDER), i32(vocabulary, OFFSET), u8(vocabulary, BYTES)
    if high - low < 12:
        for i in range(low + 1, high):
            t = order[i]
            at = offset[t] + depth
            key = np.int64(data[at]) + 1 if at < offset[t + 1] else 0
            j = i - 1
            while j >= low:
                at = offset[order[j]] + depth
                if (np.int64(data[at]) + 1 if at < offset[order[j] + 1] else 0) <= key:
                    break
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = t
        return 0
    count, sorted_ = i64(scratch, COUNT), i32(scratch, SORTED)
    first, last = 256, 0
    for i in range(low, high):
        at = offset[order[i]] + depth
        key = np.int64(data[at]) + 1 if at < offset[order[i] + 1] else 0
        count[key + 1] += 1
        first = min(first, key)
        last = max(last, key)
    for key in range(first, last + 1):
        count[key + 1] += count[key]
    for i in range(low, high):
        at = offset[order[i]] + depth
        key = np.int64(data[at]) + 1 if at < offset[order[i] + 1] else 0
        sorted_[count[key]] = order[i]
        count[key] += 1
    for i in range(low, high):
        order[i] = sorted_[i - low]
    for key in range(first, last + 2):
        count[key] = 0
    return 0


@unit
def lay_trie(vocabulary, which, least, most):
    """Lay the trie of the tokens of `least` to `most` bytes, the first to be appended; its root, or a status."""
    head = i64(vocabulary, VOCABULARY)
    scratch = head[SETS_SCRATCH]
    trie, span, below, height = (
        i64(vocabulary, TRIE),
        i64(vocabulary, SPAN),
        i64(vocabulary, BELOW),
        i32(vocabulary, HEIGHT),
    )
    order, offset, data = i32(vocabulary, ORDER), i32(vocabulary, OFFSET), u8(vocabulary, BYTES)
    makeup, group, above = i64(vocabulary, MAKEUP), i64(vocabulary, GROUP), i64(scratch, ABOVE)
    lists, tokens = i32(vocabulary, LIST), i32(vocabulary, TOKENS)
    list_used, tokens_used = head[LIST_USED], head[TOKENS_USED]
    own_makeup = which * 64 * head[WIDTH]
    root, begin = head[TRIE_USED], head[ORDER_USED]
    room = min(min(size_of(vocabulary, TRIE), size_of(vocabulary, SPAN)), min(size_of(scratch, ABOVE), CHILD_MASK))
    stop = begin
    for t in range(64 * head[WIDTH]):
        makeup[own_makeup + t] = -1
    for t in range(head[TOKEN_COUNT]):
        if least <= offset[t + 1] - offset[t] <= most:
            order[stop] = t
            stop += 1
    trie[root], span[root], below[root], height[root], above[root] = 0, begin | stop << 32, 0, START, 0
    node, end, depth, next_level = root, root + 1, 0, root + 1
    while node < end:
        if node == next_level:
            depth += 1
            next_level = end
        low, high = span[node] & 0xFFFFFFFF, span[node] >> 32
        sort_range(vocabulary, scratch, low, high, depth)
        ended = low
        while ended < high and offset[order[ended] + 1] - offset[order[ended]] == depth:
            ended += 1
        place = height[node]  # on the way down HEIGHT holds the places, and BELOW the edges
        if place != START and ended > low:
            below[node] |= BROKEN
        above[node] |= below[node] & ~INSIDE
        for i in range(low, ended):
            makeup[own_makeup + order[i]] = above[node] | min(depth, MOST_BYTES) << LENGTH
        payload = 0
        if ended == low + 1:
            payload = np.int64(order[low]) + 1
        elif ended > low:
            if list_used >= size_of(vocabulary, LIST):
                return full(LIST)
            if tokens_used + ended - low >= size_of(vocabulary, TOKENS):
                return full(TOKENS)
            payload = MANY + list_used
            lists[list_used] = tokens_used
            tokens[tokens_used] = ended - low
            for i in range(low, ended):
                tokens[tokens_used + 1 + i - low] = order[i]
            list_used += 1
            tokens_used += ended - low + 1
        first = end
        if end + 256 > room:
            return full(TRIE)
        passed = above[node] & ~BROKEN if place != LOST else above[node]  # an end here does not spoil longer tokens
        while ended < high:
            b = np.int64(data[offset[order[ended]] + depth])
            i = ended + 1
            while i < high and data[offset[order[i]] + depth] == b:
                i += 1
            after = place_after(place, b)
            edge = group[b] if b < 0x80 else WHOLE
            if after == LOST:
                edge |= BROKEN
            trie[end], span[end], height[end], above[end] = b, ended | i << 32, after, passed
            below[end] = edge if after == START else edge | INSIDE
            ended = i
            end += 1
        trie[node] |= first << CHILD | (end - first) << CHILDREN | payload << PAYLOAD
        node += 1
    for node in range(end - 1, root - 1, -1):
        word = trie[node]
        first, n = (word >> CHILD) & CHILD_MASK, (word >> CHILDREN) & CHILDREN_MASK
        met, tall = 0, 0
        for i in range(first, first + n):
            met |= above[i]
            tall = max(tall, height[i] + 1)
        edge = below[node]
        above[node] = met | (edge & ~INSIDE)
        below[node] = met | (edge & INSIDE)
        if edge & INSIDE and word >> PAYLOAD:
            below[node] |= BROKEN
        height[node] = tall
    head[TRIE_USED], head[ORDER_USED], head[LIST_USED], head[TOKENS_USED] = end, stop, list_used, tokens_used
    head[ROOT + which] = root
    return root
