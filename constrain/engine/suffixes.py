# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
"""Suffixes: what is left of tokens where a terminal ends inside of them, merged into one trie.

Subtrees of the vocabulary are merged level by level: a merged node is a list of nodes. Nodes below which all tokens
are inner are left out, and a list of one node below which none is inner is that node itself, with its children.
"""

from __future__ import annotations

import numpy as np

from constrain.engine.tables import (
    BELOW,
    CHILD,
    CHILD_MASK,
    CHILDREN,
    CHILDREN_MASK,
    HEIGHT,
    LIST,
    LIST_USED,
    MANY,
    ORDER,
    ORDER_USED,
    PAYLOAD,
    PAYLOAD_MASK,
    SETS_SCRATCH,
    SPAN,
    TOKENS,
    TOKENS_USED,
    TRIE,
    TRIE_USED,
    VOCABULARY,
)
from constrain.engine.token_tries import (
    COUNT,
    INNER,
    LISTS,
    MERGED,
    NEXT_IN,
    NEXT_OUT,
    PLACES,
    SCALAR,
    STAGE,
    full,
    full_scratch,
)
from constrain.jit import helper, i32, i64, size_of, unit

_LOW = 0xFFFFFFFF


@helper
def has(inner, token):
    """Whether a token is in a set."""
    return (inner[token >> 6] >> (token & 63)) & 1


@helper
def count_outside(list_, tokens, inner, payload):
    """How many of the tokens that end at a node are not in a set."""
    if payload < MANY:
        return 1 - has(inner, payload - 1)
    at, n = np.int64(list_[payload - MANY]), np.int64(0)
    for k in range(at + 1, at + 1 + tokens[at]):
        n += 1 - has(inner, np.int64(tokens[k]))
    return n


@helper
def note_next(vocabulary, scratch, node):
    """Note of each place in the span of a node where the next token in INNER is, and the next that is not."""
    order, inner, span = i32(vocabulary, ORDER), i64(scratch, INNER), i64(vocabulary, SPAN)
    next_out, next_in, stage = i64(scratch, NEXT_OUT), i32(scratch, NEXT_IN), i64(scratch, SCALAR)[STAGE]
    begin, end = span[node] & _LOW, span[node] >> 32
    if next_out[begin] >> 32 == stage and next_out[end - 1] >> 32 == stage:
        return 0
    out, in_ = end, end
    for i in range(end - 1, begin - 1, -1):
        if has(inner, np.int64(order[i])):
            in_ = i
        else:
            out = i
        next_out[i], next_in[i] = stage << 32 | out, in_
    return 0


@helper
def sort_nodes(vocabulary, scratch, low, high):
    """Sort the nodes LISTS[low:high] by their bytes; there is room for as many behind them."""
    trie, lists, count = i64(vocabulary, TRIE), i32(scratch, LISTS), i64(scratch, COUNT)
    if high - low < 24:
        for i in range(low + 1, high):
            node = lists[i]
            key = trie[node] & 255
            j = i - 1
            while j >= low and trie[lists[j]] & 255 > key:
                lists[j + 1] = lists[j]
                j -= 1
            lists[j + 1] = node
        return 0
    for i in range(low, high):
        count[(trie[lists[i]] & 255) + 1] += 1
    for b in range(256):
        count[b + 1] += count[b]
    for i in range(low, high):
        b = trie[lists[i]] & 255
        lists[high + count[b]] = lists[i]
        count[b] += 1
    for i in range(low, high):
        lists[i] = lists[i + high - low]
    for b in range(257):
        count[b] = 0
    return 0


@helper
def order_tokens(vocabulary, scratch, base, nodes):
    """Write the tokens below merged nodes to ORDER, and their spans; the new end of ORDER, or a status.

    The span of a node that was taken as it is stands.
    """
    head, trie, span, order = (
        i64(vocabulary, VOCABULARY),
        i64(vocabulary, TRIE),
        i64(vocabulary, SPAN),
        i32(vocabulary, ORDER),
    )
    list_, tokens, merged = i32(vocabulary, LIST), i32(vocabulary, TOKENS), i32(scratch, MERGED)
    for i in range(nodes - 1, -1, -1):  # MERGED: how many tokens, then where they begin
        word, size = trie[base + i], np.int64(0)
        if span[base + i] >= 0:
            size = (span[base + i] >> 32) - (span[base + i] & _LOW)
        else:
            payload = (word >> PAYLOAD) & PAYLOAD_MASK
            if payload:
                size = np.int64(tokens[list_[payload - MANY]]) if payload >= MANY else np.int64(1)
            first = ((word >> CHILD) & CHILD_MASK) - base
            for k in range(first, first + ((word >> CHILDREN) & CHILDREN_MASK)):
                size += merged[2 * k]
        merged[2 * i] = size
    merged[1] = begin = head[ORDER_USED]
    if begin + merged[0] > size_of(vocabulary, ORDER):
        return full(ORDER)
    for i in range(nodes):
        if span[base + i] >= 0:
            continue
        word, at = trie[base + i], np.int64(merged[2 * i + 1])
        span[base + i] = at | (at + merged[2 * i]) << 32
        payload = (word >> PAYLOAD) & PAYLOAD_MASK
        if payload >= MANY:
            t = np.int64(list_[payload - MANY])
            for k in range(t + 1, t + 1 + tokens[t]):
                order[at] = tokens[k]
                at += 1
        elif payload:
            order[at] = payload - 1
            at += 1
        first = ((word >> CHILD) & CHILD_MASK) - base
        for k in range(first, first + ((word >> CHILDREN) & CHILDREN_MASK)):
            merged[2 * k + 1] = at
            if span[base + k] >= 0:
                for j in range(span[base + k] & _LOW, span[base + k] >> 32):
                    order[at] = order[j]
                    at += 1
            else:
                at += merged[2 * k]
    return begin + merged[0]


@unit
def merge_suffixes(vocabulary, n):
    """Append the trie of what is below n PLACES and not in INNER; its root, 0 if there is nothing, or a status.

    A merged node is a list of nodes, and these are left out where all below is in INNER. A list of one node with
    nothing in INNER below is that node itself, with its children.
    """
    head = i64(vocabulary, VOCABULARY)
    scratch = head[SETS_SCRATCH]
    trie, span, inner = i64(vocabulary, TRIE), i64(vocabulary, SPAN), i64(scratch, INNER)
    below, height = i64(vocabulary, BELOW), i32(vocabulary, HEIGHT)
    list_, tokens = i32(vocabulary, LIST), i32(vocabulary, TOKENS)
    places, lists, merged = i32(scratch, PLACES), i32(scratch, LISTS), i32(scratch, MERGED)
    next_out, next_in = i64(scratch, NEXT_OUT), i32(scratch, NEXT_IN)
    list_used, tokens_used, base = head[LIST_USED], head[TOKENS_USED], head[TRIE_USED]
    room, list_room, tokens_room = size_of(scratch, LISTS), size_of(vocabulary, LIST), size_of(vocabulary, TOKENS)
    merged_room, trie_room = size_of(scratch, MERGED) // 2, min(size_of(vocabulary, TRIE), CHILD_MASK) - base
    if n > room:
        return full_scratch(LISTS)
    if merged_room < 1:
        return full_scratch(MERGED)
    if trie_room < 1:
        return full(TRIE)
    for table in (BELOW, HEIGHT, SPAN):
        if size_of(vocabulary, table) < size_of(vocabulary, TRIE):
            return full(table)
    for table in (NEXT_OUT, NEXT_IN):
        if size_of(scratch, table) < head[ORDER_USED]:
            return full_scratch(table)
    i64(scratch, SCALAR)[STAGE] += 1
    used = 0
    for i in range(n):
        note_next(vocabulary, scratch, places[i])
        if next_out[span[places[i]] & _LOW] & _LOW < span[places[i]] >> 32:
            lists[used] = places[i]
            used += 1
    if used == 0:
        return 0
    merged[0], merged[1] = 0, used
    nodes, i = 1, 0
    while i < nodes:
        at, m = np.int64(merged[2 * i]), np.int64(merged[2 * i + 1])
        only = np.int64(lists[at])
        word = trie[only]
        if i > 0 and m == 1 and next_in[span[only] & _LOW] >= span[only] >> 32:
            trie[base + i], span[base + i] = word, span[only]
            below[base + i], height[base + i] = below[only], height[only]
            i += 1
            continue
        payload, total, several = 0, 0, 0
        children, occurs, most = 0, np.int64(0), np.int64(0)
        for j in range(at, at + m):
            w = trie[lists[j]]
            occurs |= below[lists[j]]
            most = max(most, np.int64(height[lists[j]]))
            children += (w >> CHILDREN) & CHILDREN_MASK
            p = (w >> PAYLOAD) & PAYLOAD_MASK
            if i > 0 and p:
                size = count_outside(list_, tokens, inner, p)
                total += size
                if size:
                    several += 1
                    payload = p
        if several > 1:
            if list_used >= list_room:
                return full(LIST)
            if tokens_used + total >= tokens_room:
                return full(TOKENS)
            payload = MANY + list_used
            list_[list_used], tokens[tokens_used] = tokens_used, total
            list_used += 1
            tokens_used += 1
            for j in range(at, at + m):
                p = (trie[lists[j]] >> PAYLOAD) & PAYLOAD_MASK
                if p >= MANY:
                    t = np.int64(list_[p - MANY])
                    for k in range(t + 1, t + 1 + tokens[t]):
                        if not has(inner, np.int64(tokens[k])):
                            tokens[tokens_used] = tokens[k]
                            tokens_used += 1
                elif p and not has(inner, p - 1):
                    tokens[tokens_used] = p - 1
                    tokens_used += 1
        if used + 2 * children > room:
            return full_scratch(LISTS)
        begin = used
        for j in range(at, at + m):
            w = trie[lists[j]]
            first = (w >> CHILD) & CHILD_MASK
            for node in range(first, first + ((w >> CHILDREN) & CHILDREN_MASK)):
                note_next(vocabulary, scratch, node)
                if next_out[span[node] & _LOW] & _LOW < span[node] >> 32:
                    lists[used] = node
                    used += 1
        if m > 1:
            sort_nodes(vocabulary, scratch, begin, used)
        first = nodes
        if nodes + min(256, used - begin) > merged_room:
            return full_scratch(MERGED)
        if nodes + min(256, used - begin) > trie_room:
            return full(TRIE)
        while begin < used:
            b = trie[lists[begin]] & 255
            end = begin + 1
            while end < used and trie[lists[end]] & 255 == b:
                end += 1
            merged[2 * nodes], merged[2 * nodes + 1] = begin, end - begin
            nodes += 1
            begin = end
        trie[base + i] = (word & 255) | (base + first) << CHILD | (nodes - first) << CHILDREN | payload << PAYLOAD
        span[base + i], below[base + i], height[base + i] = -1, occurs, most
        i += 1
    end = order_tokens(vocabulary, scratch, base, nodes)
    if end < 0:
        return end
    head[ORDER_USED] = end
    head[TRIE_USED], head[LIST_USED], head[TOKENS_USED] = base + nodes, list_used, tokens_used
    return base
