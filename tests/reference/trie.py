"""What `trie.build` must return, from the definition of a depth-first trie: slow, plain Python, no shared code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """One node: the byte that leads to it, its depth, the first node after its subtree, the tokens it spells."""

    byte: int
    depth: int
    skip: int
    tokens: tuple[int, ...]


def build_ref(tokens: Sequence[bytes]) -> list[Node]:
    """All prefixes of all tokens in lexicographic order; the empty prefix, which is the root, spells nothing.

    >>> [node.tokens for node in build_ref([b"a", b"ab", b""])]
    [(), (0,), (1,)]
    """
    paths = sorted({b""} | {token[:n] for token in tokens for n in range(1, len(token) + 1)})
    return [_node(i, paths, tokens) for i in range(len(paths))]


def spell_ref(tokens: Sequence[bytes], data: bytes) -> int:
    """The number of tokens that `trie.spell` must need for `data`: the fewest there are; -1 if none spell it.

    >>> spell_ref([b"a", b"ab", b"b"], b"aba"), spell_ref([b"ab"], b"aba")
    (2, -1)
    """
    reached = {b""}
    for count in range(len(data) + 1):
        if data in reached:
            return count
        longer = {before + token for before in reached for token in tokens if token}
        reached = {text for text in longer if data.startswith(text)}
    return -1


def _node(i: int, paths: Sequence[bytes], tokens: Sequence[bytes]) -> Node:
    path = paths[i]
    below = sum(other.startswith(path) for other in paths)
    spelled = tuple(t for t, token in enumerate(tokens) if token == path and path)
    return Node(path[-1] if path else 0, len(path), i + below, spelled)
