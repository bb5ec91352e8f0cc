"""Tokens seen from inside of terminals: those that stay there, and those that cross into what follows.

In:  a lexer's state (a node of the store, and what is to be shunned), a forest of tokens.
Out: `TokenSet`, from which masks follow for everything that may come after the terminals:

    mask = inside, and for every crossing the mask of what may follow, over the crossing's own forest

What stays inside depends on the lexer alone and is worked out once for all places where the same terminals are
expected, and may be followed by the same bytes. Crossing tokens are what is left of the vocabulary's trie below the
places where a terminal has ended and the next byte may follow: a forest of few tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from constrain.automata.lexer import Lexer
from constrain.automata.store import Follow, Forest, Parted
from constrain.kernels.trie import BROKEN, INSIDE, WHOLE, group_of
from constrain.limits import Limits
from constrain.masks import Sparse, Words, packer_of
from constrain.vocab.vocabulary import NEAR

if TYPE_CHECKING:
    from constrain.kernels.trie import TrieTables
    from constrain.vocab.vocabulary import Vocabulary


class Crossing(NamedTuple):
    """Tokens that end a terminal and go on."""

    marks: int
    """The terminals that end, as a node of the store."""
    shun: int
    """What must not be matched from there on."""
    forest: TokenForest


class Undecided(NamedTuple):
    """Tokens that end where it depends on more than the lexer whether they are too short a match."""

    node: int
    """The lexer's state after them."""
    shun: int
    """What must not be matched from there on."""
    tokens: npt.NDArray[np.int64]


class TokenSet(NamedTuple):
    """What the tokens of a forest do to a lexer in one state."""

    inside: Sparse | Words | None
    """Tokens after which the terminal goes on or has just ended."""
    crossings: tuple[Crossing, ...]
    undecided: tuple[Undecided, ...]
    """Tokens after which it depends on more than the lexer whether something can follow that is not to be shunned."""


@dataclass(eq=False, slots=True)
class TokenForest:
    """Some tokens, or ends of tokens, and what they do to every lexer state that has met them."""

    trees: Forest
    number: int
    first: int = 0
    """The bytes that its tokens begin with, one bit for each."""
    height: int = 0
    """Bytes of the longest."""
    sets: dict[tuple[int, int], TokenSet] = field(default_factory=dict)
    """By lexer state."""
    broad: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)
    """The marks that tokens can meet, for lexer states from which too many cross whatever follows."""
    narrowed: dict[tuple[int, int, tuple[int, ...]], TokenSet] = field(default_factory=dict)
    """Of these, the sets by what may follow each of the marks."""
    _tips: frozenset[int] | None = None

    def tips(self) -> frozenset[int]:
        """The tokens of which one byte is left."""
        if self._tips is None:
            trie = self.trees.trie
            parts = [trie.order[trie.first[i] : trie.first[i + 1]] for i in self.trees.roots.tolist()]
            self._tips = frozenset(token for part in parts for token in part.tolist())
        return self._tips


Follows = Callable[[int], int]
"""From the marks of terminals that end together to the bytes that may follow, one bit for each."""

_MANY = 8192
"""Crossings above which what may follow is looked at first. Most lexer states have fewer, and one set each."""
_ANY = Follow((), np.zeros((0, 256), np.uint8), np.zeros(0, np.int64))


class TokenSets:
    """The token sets of one vocabulary, under one reading."""

    def __init__(self, vocabulary: Vocabulary, lexer: Lexer, limits: Limits) -> None:
        self.lexer, self._limits = lexer, limits
        self.width = (vocabulary.size + 31) // 32
        self._all, self._near, self._far = (
            _forest_of(vocabulary.trie, 0),
            _forest_of(vocabulary.near_trie, 1),
            _forest_of(vocabulary.far_trie, 2),
        )
        self._reaches = (vocabulary.max_token_bytes + 1, NEAR + 1)  # one more byte tells whether a token can go on
        self._keys: dict[int, tuple[tuple[int, TokenForest], ...]] = {}
        self._firsts: dict[int, int] = {}
        self._flags: dict[int, tuple[np.ndarray, int]] = {}
        self._forests: dict[tuple[int, bytes], TokenForest] = {}
        self._numbers = count(3)
        self._packer = packer_of(self.width)
        self._nbytes = 0

    def of_vocabulary(self, node: int) -> tuple[tuple[int, TokenForest], ...]:
        """All tokens, each with a lexer state that does the same to them and that others share.

        Where counts let a state share more on short tokens than on long ones, these come apart.
        """
        keys = self._keys.get(node)
        if keys is None:
            keys = self._keys[node] = self._by_length(node) if self.lexer.store.counts(node) else ((node, self._all),)
        return keys

    def first(self, node: int) -> int:
        """The bytes that a lexer may read first, one bit for each."""
        known = self._firsts.get(node)
        if known is None:
            known = self._firsts[node] = self.lexer.store.first_bytes(node, self._limits) if node else 0
        return known

    def _by_length(self, node: int) -> tuple[tuple[int, TokenForest], ...]:
        reached = self.lexer.store.advance(node, b"", self._limits, *self._reaches)
        if reached.near_key == reached.key:
            return ((reached.key, self._all),)
        return ((reached.near_key, self._near), (reached.key, self._far))

    def of(self, node: int, shun: int, forest: TokenForest) -> TokenSet | None:
        """What the tokens of a forest do to a lexer in a state; None if so many cross that `narrow` must be asked."""
        known = forest.sets.get((node, shun))
        if known is not None or (node, shun) in forest.broad:
            return known
        if 2 * self._nbytes > self._limits.mask_cache_bytes:
            self._forget()
        words, found = self._split(node, shun, forest.trees, _ANY, _MANY)
        if not found.complete:
            forest.broad[node, shun] = found.unlisted
            return None
        made = forest.sets[node, shun] = self._made(words, found.crossings, forest.trees)
        return made

    def narrow(self, node: int, shun: int, forest: TokenForest, follows: Follows) -> TokenSet:
        """The same where only the bytes that may follow a terminal make a token cross."""
        while True:
            ending = forest.broad.get((node, shun), ())
            after = tuple([follows(marks) for marks in ending])
            known = forest.narrowed.get((node, shun, after))
            if known is not None:
                return known
            unpacked = [self._unpack(bits) for bits in after]
            flags = np.array([flags for flags, _ in unpacked], np.uint8).reshape(-1, 256)
            follow = Follow(ending, flags, np.array([groups for _, groups in unpacked], np.int64))
            words, found = self._split(node, shun, forest.trees, follow, 1 << 40)
            if not found.unlisted:
                made = forest.narrowed[node, shun, after] = self._made(words, found.crossings, forest.trees)
                return made
            forest.broad[node, shun] = ending + found.unlisted

    def _forget(self) -> None:
        self._nbytes = 0
        self._forests.clear()
        for forest in (self._all, self._near, self._far):
            forest.sets, forest.broad, forest.narrowed = {}, {}, {}

    def _split(self, node: int, shun: int, trees: Forest, follow: Follow, most: int) -> tuple[Words, Parted]:
        words, lexer = self._packer.words, self.lexer
        words.fill(0)
        return words, lexer.store.split(node, shun, trees, follow, lexer.longest, most, words, self._limits)

    def _made(self, words: Words, found: np.ndarray, trees: Forest) -> TokenSet:
        inside = self._packer.pack(words)
        crossings: tuple[Crossing, ...] = ()
        undecided: tuple[Undecided, ...] = ()
        if len(found):
            waits = found[:, 1] < 0
            undecided = self._undecided(found[waits])
            crossings = self._group(found[~waits], trees)
        self._nbytes += 1000 + (inside.nbytes if inside is not None else 0) + 4 * len(found)
        return TokenSet(inside, crossings, undecided)

    def _unpack(self, bits: int) -> tuple[np.ndarray, int]:
        """The flags of some bytes, and the bits of their groups."""
        known = self._flags.get(bits)
        if known is None:
            flags = np.unpackbits(np.frombuffer(bits.to_bytes(32, "little"), np.uint8), bitorder="little")
            groups = int(np.bitwise_or.reduce(group_of()[flags[:128] > 0], initial=0))
            if flags[128:].any():
                groups |= WHOLE | BROKEN | INSIDE
            known = self._flags[bits] = flags, groups
        return known

    def _group(self, found: np.ndarray, trees: Forest) -> tuple[Crossing, ...]:
        """Crossings by what ends and what is shunned: one forest for each."""
        labels = found[:, 1] << 32 | found[:, 2]
        joined: dict[tuple[int, int], list[np.ndarray]] = {}
        for label in set(labels.tolist()):
            group = labels == label
            joined.setdefault((label >> 32, self.lexer.settled(label & 0xFFFFFFFF)), []).append(found[group, 0])
        return tuple(
            Crossing(marks, shun, self._forest(np.sort(np.concatenate(roots)), trees))
            for (marks, shun), roots in joined.items()
        )

    def _undecided(self, found: np.ndarray) -> tuple[Undecided, ...]:
        groups: dict[tuple[int, int], list[int]] = {}
        for token, node, shun in found.tolist():
            groups.setdefault((-1 - node, self.lexer.settled(shun)), []).append(token)
        return tuple(Undecided(node, shun, np.array(tokens)) for (node, shun), tokens in groups.items())

    def _forest(self, roots: np.ndarray, trees: Forest) -> TokenForest:
        """The one forest that has these roots."""
        roots = roots.astype(np.int32)
        key = (id(trees.trie), roots.tobytes())
        known = self._forests.get(key)
        if known is None:
            heads = trees.trie.byte[roots].astype(np.uint8)
            height = 1 + int(trees.trie.height[roots].max())
            known = TokenForest(
                Forest(trees.trie, roots, heads, trees.depth), next(self._numbers), _bits(heads), height
            )
            self._forests[key] = known
        return known


def _bits(members: np.ndarray) -> int:
    """A set of bytes, one bit for each."""
    flags = np.zeros(256, np.uint8)
    flags[members] = 1
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _forest_of(trie: TrieTables, number: int) -> TokenForest:
    whole = _whole(trie)
    return TokenForest(whole, number, _bits(whole.heads), int(trie.height[0]))


def _whole(trie: TrieTables) -> Forest:
    """All of a trie, as the subtrees of its root."""
    roots, node = [], 1
    while node < trie.size:
        roots.append(node)
        node = int(trie.skip[node])
    return Forest(trie, np.array(roots, np.int32), trie.byte[roots].astype(np.uint8), int(trie.depth.max(initial=0)))
