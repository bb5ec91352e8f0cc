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
    below: np.ndarray  # int64[N]  what occurs below: bits of `group_of` each byte, WHOLE, BROKEN
    height: np.ndarray  # int32[N]  most bytes below
    makeup: np.ndarray  # int64[32 W]  what occurs in each token, in these bits, and from bit SIZE its length; -1 none

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

# Bits of TrieTables.below. A walk in a state that returns to itself on everything below a node need not go there.
WHOLE = 1 << 60  # characters beyond ASCII, each of them whole at the end of every token
BROKEN = 1 << 61  # other bytes beyond ASCII, or a token of the node itself that ends inside of a character
INSIDE = 1 << 62  # the path to the node ends inside of a character, or has left UTF-8
SIZE = 50  # first bit of the length of a token in TrieTables.makeup, at most MOST_BYTES
MOST_BYTES = 1023
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


def build(data: np.ndarray, offsets: np.ndarray, wanted: np.ndarray | None = None) -> TrieTables:
    """Build the trie of tokens `data[offsets[i]:offsets[i + 1]]`; tokens without bytes are in no node.

    `wanted` (bool for each token) leaves tokens out.

    >>> build(np.frombuffer(b"aab", np.uint8), np.array([0, 1, 3])).first.tolist()
    [0, 0, 1, 2]
    """
    data = np.require(data, np.uint8, ("C", "A", "W"))  # one dtype and flavour, so that the kernels compile once
    offsets = np.require(offsets, np.int64, ("C", "A", "W"))
    lengths = np.diff(offsets)
    if wanted is not None:
        lengths = lengths * wanted
    order = np.flatnonzero(lengths).astype(np.int32)
    shared = np.empty_like(order)
    sort_into(data, offsets, order, shared)
    nodes = share_into(data, offsets, order, shared)
    trie = TrieTables(
        node=np.zeros((nodes + 1, 4), np.int32),
        order=order,
        below=np.zeros(nodes, np.int64),
        height=np.zeros(nodes, np.int32),
        makeup=np.full(-(-len(lengths) // 32) * 32, -1, np.int64),
    )
    trie.skip[:], trie.first[:] = nodes, len(order)
    depth = int(lengths.max(initial=0)) + 2
    fill_trie((data, offsets), shared, trie, np.zeros(depth, np.int32))
    summarise(trie, group_of(), np.zeros((4, depth), np.int64))
    return trie


def tokens_at(trie: TrieTables, node: int) -> tuple[int, ...]:
    """All tokens that the path to `node` spells, in ascending order.

    >>> tokens_at(build(np.frombuffer(b"aa", np.uint8), np.array([0, 1, 2])), 1)
    (0, 1)
    """
    return tuple(trie.order[trie.first[node] : trie.first[node + 1]].tolist())


@kernel
def spell(trie, data, tokens):
    """Write the fewest tokens that spell `data` to `tokens` (int64[len(data)]); their number, -1 if none do."""
    n = data.size
    fewest = np.full(n + 1, n + 1, np.int64)
    choice = np.zeros(n + 1, np.int64)
    fewest[n] = 0
    for at in range(n - 1, -1, -1):
        node, read = 0, at
        while read < n:
            child, stop = node + 1, trie.node[node, SKIP]
            while child < stop and trie.node[child, BYTE] != data[read]:
                child = trie.node[child, SKIP]
            if child >= stop:
                break
            node = child
            read += 1
            if trie.node[node + 1, FIRST] > trie.node[node, FIRST] and fewest[read] + 1 < fewest[at]:
                fewest[at], choice[at] = fewest[read] + 1, node
    if fewest[0] > n:
        return -1
    at = 0
    for k in range(fewest[0]):
        tokens[k] = trie.order[trie.node[choice[at], FIRST]]
        at += trie.node[choice[at], DEPTH]
    return fewest[0]


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
    """Fill `trie`, but for `below`, from its sorted tokens. `path[d]` is the open node at depth d."""
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


# Places in a character in UTF-8: at its start; after lead bytes that want 1, 2 or 3 more; after E0, ED, F0 and F4,
# which restrict the byte that follows; in no character.
_START, _ONE, _TWO, _THREE, _E0, _ED, _F0, _F4, _LOST = 0, 1, 2, 3, 4, 5, 6, 7, 8


@helper
def _place_after(place, b):
    """The place in a character after byte `b` (Unicode 18, table 3-7)."""
    if place == _START:
        if b < 0x80:
            return _START
        if b < 0xC2 or b > 0xF4:
            return _LOST
        if b < 0xE0:
            return _ONE
        if b < 0xF0:
            return _E0 if b == 0xE0 else _ED if b == 0xED else _TWO
        return _F0 if b == 0xF0 else _F4 if b == 0xF4 else _THREE
    low, high, after = 0x80, 0xBF, place - 1
    if place == _E0:
        low, after = 0xA0, _ONE
    elif place == _ED:
        high, after = 0x9F, _ONE
    elif place == _F0:
        low, after = 0x90, _TWO
    elif place == _F4:
        high, after = 0x8F, _TWO
    return after if place != _LOST and low <= b <= high else _LOST


@kernel
def summarise(trie, groups, scratch):
    """Fill `below`, `height` and `makeup`. `scratch` has four rows, longer than the deepest path."""
    places, above, met, tallest = scratch[0], scratch[1], scratch[2], scratch[3]  # by depth
    n = trie.node.shape[0] - 1
    for i in range(1, n):  # on the way down: what the edge into each node is, and what tokens are made of
        depth, b = trie.node[i, DEPTH], trie.node[i, BYTE]
        place = _place_after(places[depth - 1], b)
        places[depth] = place
        begin, end = trie.node[i, FIRST], trie.node[i + 1, FIRST]
        edge = groups[b] if b < 0x80 else WHOLE
        if place == _LOST or (place != _START and end > begin):
            edge |= BROKEN
        above[depth] = above[depth - 1] | edge
        for j in range(begin, end):
            trie.makeup[trie.order[j]] = above[depth] | (np.int64(min(depth, MOST_BYTES)) << SIZE)
        above[depth] &= ~BROKEN if place != _LOST else -1  # a token that ends here does not spoil the longer ones
        trie.below[i] = edge if place == _START else edge | INSIDE
    for i in range(n - 1, -1, -1):  # on the way up: gather
        depth, edge = trie.node[i, DEPTH], trie.below[i]
        spells = i > 0 and trie.node[i + 1, FIRST] > trie.node[i, FIRST]
        trie.below[i] = met[depth] | (edge & INSIDE) | (BROKEN if edge & INSIDE and spells else 0)
        trie.height[i] = tallest[depth]
        if depth > 0:
            met[depth - 1] |= (edge & ~INSIDE) | met[depth]
            tallest[depth - 1] = max(tallest[depth - 1], tallest[depth] + 1)
        met[depth], tallest[depth] = 0, 0
