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

from constrain.jit import helper, kernel


class TrieTables(NamedTuple):
    """Vocabulary trie, one entry per node in depth-first (lexicographic) order; node 0 is the root."""

    node: np.ndarray  # int32[N + 1, 4]  columns SKIP ... BYTE; the row behind the last node holds FIRST only
    order: np.ndarray  # int32[T]  all tokens that spell bytes, sorted by them, equals by id

    @property
    def size(self) -> int:
        """The number of nodes, N."""
        return len(self.node) - 1

    @property
    def byte(self) -> np.ndarray:
        """int32[N]: the column BYTE, for Python."""
        return self.node[:-1, BYTE]

    @property
    def depth(self) -> np.ndarray:
        """int32[N]: the column DEPTH."""
        return self.node[:-1, DEPTH]

    @property
    def skip(self) -> np.ndarray:
        """int32[N]: the column SKIP."""
        return self.node[:-1, SKIP]

    @property
    def first(self) -> np.ndarray:
        """int32[N + 1]: the column FIRST."""
        return self.node[:, FIRST]


# Columns of TrieTables.node, side by side since a walk that jumps waits for memory more than for anything else.
SKIP = 0  # first node after this subtree (N for the root)
FIRST = 1  # node n spells order[FIRST of n : FIRST of n + 1], its subtree all up to FIRST of its SKIP
DEPTH = 2  # bytes on the path
BYTE = 3  # label of the edge into the node (0 for the root)


def build(data: np.ndarray, offsets: np.ndarray) -> TrieTables:
    """Build the trie of tokens `data[offsets[i]:offsets[i + 1]]`; tokens without bytes are in no node.

    >>> build(np.frombuffer(b"aab", np.uint8), np.array([0, 1, 3])).first.tolist()
    [0, 0, 1, 2]
    """
    data = np.require(data, np.uint8, ("C", "A", "W"))  # one dtype and flavour, so that the kernels compile once
    offsets = np.require(offsets, np.int64, ("C", "A", "W"))
    lengths = np.diff(offsets)
    order = np.flatnonzero(lengths).astype(np.int32)
    shared = np.empty_like(order)
    sort_into(data, offsets, order, shared)
    nodes = share_into(data, offsets, order, shared)
    trie = TrieTables(node=np.zeros((nodes + 1, 4), np.int32), order=order)
    trie.skip[:], trie.first[:] = nodes, len(order)
    depth = int(lengths.max(initial=0)) + 2
    fill_trie((data, offsets), shared, trie, np.zeros(depth, np.int32))
    return trie


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
    """Write how many bytes each token of `order` shares with the one before; return the number of nodes."""
    nodes = 1
    for i in range(order.size):
        begin, end = offsets[order[i]], offsets[order[i] + 1]
        n = 0
        if i > 0:
            before, limit = offsets[order[i - 1]], offsets[order[i - 1] + 1]
            while begin + n < end and before + n < limit and data[begin + n] == data[before + n]:
                n += 1
        shared[i] = n
        nodes += end - begin - n
    return nodes


@kernel
def fill_trie(tokens, shared, trie, path):
    """Fill `trie` from its sorted tokens. `path[d]` is the open node at depth d."""
    data, offsets = tokens
    node, open_depth = 1, 0
    trie.node[0, FIRST] = 0
    for i in range(trie.order.size):
        begin = offsets[trie.order[i]]
        length = offsets[trie.order[i] + 1] - begin
        for depth in range(shared[i] + 1, open_depth + 1):
            trie.node[path[depth], SKIP] = node
        for depth in range(shared[i] + 1, length + 1):
            trie.node[node, BYTE] = data[begin + depth - 1]
            trie.node[node, DEPTH] = depth
            trie.node[node, FIRST] = i
            path[depth] = node
            node += 1
        open_depth = length
