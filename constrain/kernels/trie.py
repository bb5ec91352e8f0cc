"""The trie of a vocabulary, as flat arrays in depth-first order.

In: the bytes of all tokens, one after the other, with offsets. Out: `TrieTables`. A walk visits `node + 1` to go
down and `skip[node]` to leave out everything below; no recursion, no child pointers. The layout is that of toktrie
(llguidance). Sorting is a most-significant-byte radix sort, which is stable: tokens with equal bytes stay in order
of their ids.

The arrays are writeable only because numba compiles every kernel again for read-only ones: never write to them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from constrain.kernels.jit import helper, kernel


class TrieTables(NamedTuple):
    """Vocabulary trie, one entry per node in depth-first (lexicographic) order; node 0 is the root."""

    byte: np.ndarray  # uint8[N]  label of the edge into the node (0 for the root)
    depth: np.ndarray  # int32[N]  bytes on the path
    skip: np.ndarray  # int32[N]  first node after this subtree (skip[0] == N)
    token: np.ndarray  # int32[N]  token spelled by the path; -1 none; -(k+2): several, listed in dups from k
    dups: np.ndarray  # int32[D]  runs of: count, id, id, ... in ascending order of ids; D >= 1


def build(data: np.ndarray, offsets: np.ndarray) -> TrieTables:
    """Build the trie of tokens `data[offsets[i]:offsets[i + 1]]`; tokens without bytes are in no node.

    >>> build(np.frombuffer(b"aab", np.uint8), np.array([0, 1, 3])).token.tolist()
    [-1, 0, 1]
    """
    data = np.require(data, np.uint8, ("C", "A", "W"))  # one dtype and flavour, so that the kernels compile once
    offsets = np.require(offsets, np.int64, ("C", "A", "W"))
    lengths = np.diff(offsets)
    order = np.flatnonzero(lengths).astype(np.int32)
    shared = np.empty_like(order)
    sort_into(data, offsets, order, shared)
    nodes, listed = share_into(data, offsets, order, shared)
    trie = TrieTables(
        byte=np.zeros(nodes, np.uint8),
        depth=np.zeros(nodes, np.int32),
        skip=np.full(nodes, nodes, np.int32),
        token=np.full(nodes, -1, np.int32),
        dups=np.zeros(max(listed, 1), np.int32),
    )
    path = np.zeros(int(lengths.max(initial=0)) + 1, np.int32)
    fill_trie((data, offsets), order, shared, trie, path)
    return trie


def tokens_at(trie: TrieTables, node: int) -> tuple[int, ...]:
    """All tokens that the path to `node` spells, in ascending order (for Python callers; kernels read the arrays).

    >>> tokens_at(build(np.frombuffer(b"aa", np.uint8), np.array([0, 1, 2])), 1)
    (0, 1)
    """
    token = int(trie.token[node])
    if token >= 0:
        return (token,)
    if token == -1:
        return ()
    at = -token - 2
    return tuple(trie.dups[at + 1 : at + 1 + int(trie.dups[at])].tolist())


@helper
def _key(data, offsets, token, depth):
    """0 where the token ends, else 1 + its byte at `depth`."""
    at = offsets[token] + depth
    return 0 if at == offsets[token + 1] else np.int64(data[at]) + 1


@kernel
def sort_into(data, offsets, order, scratch):
    """Sort the tokens in `order` by their bytes, a prefix before what it begins, equals as they were.

    `scratch` has the length of `order`. Work left to do is a stack of ranges that agree on their first `depth` bytes;
    each holds two tokens or more and they do not overlap, which bounds the stack.
    """
    count = np.zeros(258, np.int64)
    stack = np.empty((order.size // 2 + 1, 3), np.int64)
    top = 0
    if order.size > 1:
        stack[0, 0], stack[0, 1], stack[0, 2] = 0, order.size, 0
        top = 1
    while top > 0:
        top -= 1
        low, high, depth = stack[top, 0], stack[top, 1], stack[top, 2]
        first, last = 257, 0  # most ranges use few distinct bytes: touch only these counters
        for i in range(low, high):
            key = _key(data, offsets, order[i], depth)
            count[key + 1] += 1
            if key < first:
                first = key
            if key > last:
                last = key
        for key in range(first, last + 1):
            count[key + 1] += count[key]
        for i in range(low, high):
            key = _key(data, offsets, order[i], depth)
            scratch[low + count[key]] = order[i]
            count[key] += 1  # now the end of this key's range
        for i in range(low, high):  # a slice assignment takes numba two seconds longer to compile
            order[i] = scratch[i]
        begin = low
        for key in range(first, last + 1):
            end = low + count[key]
            if key > 0 and end - begin > 1:
                stack[top, 0], stack[top, 1], stack[top, 2] = begin, end, depth + 1
                top += 1
            begin = end
            count[key] = 0
        count[last + 1] = 0


@kernel
def share_into(data, offsets, order, shared):
    """Write how many bytes each token of `order` shares with the one before; return the sizes of nodes and dups."""
    nodes, listed, run = 1, 0, 1
    for i in range(order.size):
        begin, end = offsets[order[i]], offsets[order[i] + 1]
        n = 0
        if i > 0:
            before, limit = offsets[order[i - 1]], offsets[order[i - 1] + 1]
            while begin + n < end and before + n < limit and data[begin + n] == data[before + n]:
                n += 1
        shared[i] = n
        nodes += end - begin - n
        if begin + n < end:
            run = 1
        else:  # in sorted order only an equal token shares all its bytes with the one before
            run += 1
            listed += 3 if run == 2 else 1
    return nodes, listed


@kernel
def fill_trie(tokens, order, shared, trie, path):
    """Fill `trie` from sorted tokens. `path[d]` is the open node at depth d; `tokens` is (data, offsets)."""
    data, offsets = tokens
    node, open_depth, listed = 1, 0, 0
    for i in range(order.size):
        begin = offsets[order[i]]
        length = offsets[order[i] + 1] - begin
        for depth in range(shared[i] + 1, open_depth + 1):
            trie.skip[path[depth]] = node
        for depth in range(shared[i] + 1, length + 1):
            trie.byte[node] = data[begin + depth - 1]
            trie.depth[node] = depth
            path[depth] = node
            node += 1
        open_depth = length
        here = path[length]
        known = trie.token[here]
        if known == -1:
            trie.token[here] = order[i]
        elif known >= 0:
            trie.token[here] = -(listed + 2)
            trie.dups[listed] = 2
            trie.dups[listed + 1] = known
            trie.dups[listed + 2] = order[i]
            listed += 3
        else:
            trie.dups[-known - 2] += 1
            trie.dups[listed] = order[i]
            listed += 1
