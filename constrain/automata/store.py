"""The owner of the expression tables: builds expressions, grows the tables when a kernel runs out of room, locks.

In:  `constrain.ir.expr` values, bytes.
Out: expression ids, which are the states of every automaton of the process.

Kernels that add to the tables run under the lock, with the GIL released. Whoever only reads (a cached mask, a
remembered transition) needs no lock: tables are replaced when they grow, never moved under a reader.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from constrain.automata.program import Built, Program
from constrain.errors import LimitExceeded
from constrain.ir.expr import Expr, Ranges
from constrain.kernels import expressions as k
from constrain.kernels.trie import TrieTables, build, group_of
from constrain.limits import Limits

_SMALL = 1 << 12
_NEAR_BY = 128
"""What `ExpressionStore.escapes` looks at before it gives up."""
_NO_FLAGS = np.zeros(0, np.uint8)

EMPTY, ANYTHING = int(k.EMPTY), int(k.ANYTHING)
_REACH_STEP, _NO_CLIP = int(k.REACH_STEP), int(k.NO_CLIP)


class Reached(NamedTuple):
    """Where `ExpressionStore.advance` ended."""

    node: int
    """The expression of what may follow; 0 if nothing was left to begin with."""
    read: int
    """Bytes read before nothing could follow."""
    key: int
    """An expression that agrees with the node on what may happen within `reach` bytes."""
    near_key: int
    """The same for `near` bytes: shared by more states."""


class Scanned(NamedTuple):
    """What `ExpressionStore.scan` found."""

    node: int
    """The lexer after all of the bytes; 0 if nothing is left of it."""
    shun: int
    """What is still to be shunned."""
    crossings: tuple[tuple[int, int, int], ...]
    """Where terminals may have ended before: (bytes read, marks, what to shun from there)."""


class Forest(NamedTuple):
    """Subtrees of a trie, each read from the edge into its root."""

    trie: TrieTables
    roots: np.ndarray
    """int32[n], ascending."""
    heads: np.ndarray
    """uint8[n]: the labels of the edges into them."""
    depth: int
    """Length of the longest path."""


class Follow(NamedTuple):
    """What may come after terminals that end together."""

    marks: tuple[int, ...]
    flags: np.ndarray
    """uint8[n, 256]: 1 for the bytes that may follow the n-th of `marks`."""
    groups: np.ndarray
    """int64[n]: the same, in the bits of `TrieTables.below`."""


class Parted(NamedTuple):
    """What `ExpressionStore.split` found."""

    crossings: np.ndarray
    """int64[n, 3]: (root, marks, what to shun), or (token, -1 - node, what to shun) for a token that is undecided."""
    unlisted: tuple[int, ...]
    """Marks that were met, with nothing said of what may follow them."""
    complete: bool
    """Whether this is all."""


class _Room(NamedTuple):
    """Memory that `ExpressionStore.split` writes to."""

    path: np.ndarray
    marks: np.ndarray
    crossing: np.ndarray


class ExpressionStore:
    """Interned regular expressions over bytes, their derivatives, and the transition rows made from them.

    >>> from constrain.ir.expr import Chars, Repeat
    >>> store = ExpressionStore()
    >>> digits = store.build(Repeat(Chars(((48, 57),)), 2, 3), Limits())
    >>> store.advance(digits, b"12x", Limits()).read, store.is_nullable(digits)
    (2, False)
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tables = _empty_tables()
        self._chars: dict[Ranges, int] = {}
        self._pairs = np.zeros((_NEAR_BY, 2), np.int64)
        self._room = _Room(np.zeros((4, 0), np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.int64))

    @property
    def size(self) -> int:
        """Number of expressions."""
        return int(self._tables.counts[k.NODES])

    @property
    def nbytes(self) -> int:
        """Bytes held by the tables."""
        return sum(table.nbytes for table in self._tables)

    def build(self, expr: Expr, limits: Limits, built: Built | None = None) -> int:
        """The id of an expression; equal languages that are written alike get equal ids.

        `built` remembers the nodes of its parts, for expressions that share them.
        """
        program = Program(self._chars, built)
        program.add(expr)
        code, values = program.finish()
        node = self._run(program, limits, code, values)
        if built is not None:
            built.update(program.nodes(values))
        return node

    def intersect(self, a: int, b: int, limits: Limits) -> int:
        """The expression for what both denote."""
        program = Program(self._chars)
        program.intersect(a, b)
        return self._run(program, limits)

    def advance(self, node: int, data: bytes, limits: Limits, reach: int = 0, near: int = 0) -> Reached:
        """Read `data` from `node` as far as something is left. A reach of 0 bytes is without end."""
        return self._advance(node, data, limits, (reach, near), _NO_FLAGS)

    def viable_bytes(self, node: int, limits: Limits) -> bytes:
        """The bytes that may come next, ascending."""
        flags = np.zeros(256, np.uint8)
        self._advance(node, b"", limits, (0, 0), flags)
        return flags.nonzero()[0].astype(np.uint8).tobytes()

    def ways(self, node: int, limits: Limits) -> list[tuple[int, int]]:
        """The nodes that the next byte may lead to, and the least byte that leads to each; by these bytes."""
        reached = self.reach(ANYTHING, node, byte_trie(), 256, limits)[2]
        nodes, first = np.unique(reached, return_index=True)
        found = sorted(zip(first.tolist(), nodes.tolist()))
        return [(b, after) for b, after in found if after != EMPTY]

    def first_bytes(self, node: int, limits: Limits) -> int:
        """The bytes that may come next, one bit for each."""
        flags = np.zeros(256, np.uint8)
        self._advance(node, b"", limits, (0, 0), flags)
        return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")

    def _advance(self, node: int, data: bytes, limits: Limits, reaches: tuple[int, int], flags: np.ndarray) -> Reached:
        buffer = np.frombuffer(data, np.uint8)
        reach, near = _steps(reaches[0]), _steps(reaches[1])
        return Reached(*map(int, self._call(limits, k.advance, node, buffer, reach, near, limits.search, flags)))

    def counts(self, node: int) -> bool:
        """Whether it may depend on counts how `node` goes on: if not, its keys are the node itself."""
        return bool(self._tables.node[node, k.FLAG] & k.COUNTS)

    def alive(self, node: int, limits: Limits) -> int:
        """The node itself, or 0 if it turns out to denote nothing."""
        return node if self._tables.node[node, k.FLAG] & k.SURE else self.advance(node, b"", limits).node

    def may_end(self, node: int) -> bool:
        """Whether a terminal may end at `node`."""
        return bool(self._tables.node[node, k.FLAG] & k.ENDED)

    def is_nullable(self, node: int) -> bool:
        """Whether `node` denotes the empty string: the text may end here."""
        return bool(self._tables.node[node, k.FLAG] & k.NULLABLE)

    def walk(self, node: int, units: int, trie: TrieTables, mask: np.ndarray, limits: Limits) -> None:
        """Add the tokens of `trie` that may come next to `mask` (uint32[words]).

        What is left of `node` after a token must have a string that `units` denotes.
        """
        path = np.zeros((2, int(trie.height[0]) + 1), np.int64)
        self._call(limits, k.walk, node, units, trie, limits.search, path, mask)

    def reach(self, lexer: int, node: int, trie: TrieTables, size: int, limits: Limits) -> np.ndarray:
        """Where each token of a trie leads from a lexer and from a node: int32[3, size].

        Rows: the lexer after the token, 0 if it cannot read all of it; 1 if a terminal may end inside of the token; the
        node after it. What a lexer cannot read, and no terminal may end in, has zeros.
        """
        reached = np.zeros((3, size), np.int32)
        path = np.zeros((3, int(trie.height[0]) + 1), np.int64)
        self._call(limits, k.reach, (lexer, node), trie, limits.search, path, reached)
        return reached

    def outcomes(self, lexer: int, node: int, limits: Limits) -> frozenset[tuple[tuple[int, ...], int]]:
        """Where the strings of a lexer lead a node: the terminals that end together, and the node then.

        Raises LimitExceeded if there are more than `Limits.search` places on the way.
        """
        room, found = 1024, np.zeros((64, 2), np.int64)
        while True:
            n = int(self._call(limits, k.outcomes, (lexer, node), limits.search, np.zeros(room, np.int64), found))
            if 0 <= n <= len(found):
                return frozenset(
                    (self.ends(marks, limits), after) for marks, after in set(map(tuple, found[:n].tolist()))
                )
            if n > len(found):
                found = np.zeros((n, 2), np.int64)
            elif room >= limits.search:
                raise LimitExceeded("search", room + 1, limits.search, "what a terminal does to a regular constraint")
            else:
                room = min(8 * room, limits.search)

    def lexer(self, terminals: Iterable[int], limits: Limits) -> int:
        """The node that reads any of some terminals, each before its mark."""
        program = Program(self._chars)
        program.lexer(sorted(terminals))
        return self._run(program, limits)

    def unite(self, a: int, b: int, limits: Limits) -> int:
        """The expression for what either denotes."""
        program = Program(self._chars)
        program.unite(a, b)
        return self._run(program, limits)

    def scan(self, node: int, shun: int, data: bytes, longest: bool, limits: Limits) -> Scanned:
        """Read `data` as far as a lexer at `node` goes, shunning the ends of terminals of `shun`."""
        buffer = np.frombuffer(data, np.uint8)
        crossings = np.zeros((len(data) + 1, 3), np.int64)
        node, shun, found = self._call(limits, k.scan, (node, shun), buffer, longest, limits.search, crossings)
        return Scanned(int(node), int(shun), tuple(map(tuple, crossings[:found].tolist())))

    def ends(self, node: int, limits: Limits) -> tuple[int, ...]:
        """The terminals that may end at `node`, ascending."""
        marks = np.zeros(16, np.int64)
        while (found := int(self._call(limits, k.ends, node, marks))) > len(marks):
            marks = np.zeros(found, np.int64)
        return tuple(sorted(marks[:found].tolist()))

    def terminals(self, node: int) -> set[int]:
        """The terminals that a lexer at `node` may still come to the end of."""
        tables, found = self._tables, set()
        seen, todo = {node}, [node]
        while todo:
            kind, left, right = tables.node[todo.pop(), [k.KIND, k.LEFT, k.RIGHT]].tolist()
            if kind == k.MARK:
                found.add(left)
            inner = tables.pool[left : left + right].tolist() if kind in (k.ALT, k.AND) else []
            inner += [right] if kind == k.CONCAT else []  # a mark is the last part
            todo += [part for part in inner if part not in seen]
            seen.update(inner)
        return found

    def marks(self, node: int, limits: Limits) -> int:
        """The node of the marks of the terminals that may end at `node`; 0 if there are none."""
        return int(self._call(limits, k.marks, node))

    def settle(self, node: int, limits: Limits) -> int:
        """What to shun after a terminal has ended at `node`, in the form that most such nodes share."""
        return int(self._call(limits, k.settle, node, limits.search)) if node != EMPTY else EMPTY

    def escapes(self, node: int, shun: int, limits: Limits) -> bool | None:
        """Whether text can follow at `node` after which nothing is shunned any more.

        False if there is none, and no terminal ends before what is shunned is matched; None if that is not near by.
        """
        found = int(self._call(limits, k.escapes, node, shun, limits.search, self._pairs))
        return None if found < 0 else found > 0

    def shortest(self, node: int) -> int:
        """Length of the shortest string of `node`; a lower bound where it holds intersections or complements."""
        return int(self._tables.node[node, k.SHORTEST])

    def missing(self, node: int) -> int:
        """About how many bytes are left to the end: those of the parts of an intersection, one after the other."""
        kind, left, right, shortest = self._tables.node[node, [k.KIND, k.LEFT, k.RIGHT, k.SHORTEST]].tolist()
        if kind == k.TOWARDS:
            return self.missing(left) + self.missing(right)
        if kind != k.AND:
            return int(shortest)
        return int(self._tables.node[self._tables.pool[left : left + right], k.SHORTEST].sum())

    def split(
        self,
        node: int,
        shun: int,
        forest: Forest,
        follow: Follow,
        longest: bool,
        most: int,
        mask: np.ndarray,
        limits: Limits,
    ) -> Parted:
        """Part the tokens of `forest` by what they do to a lexer at `node`; see `kernels.expressions.split`.

        Adds the tokens that stay inside of a terminal to `mask` (uint32[words]). Gives up beyond `most` crossings.
        """
        with self._lock:
            room = self._room_for(forest.depth + 2, len(follow.marks) + 64, min(most, 8192) + 1)
            tables = (forest.trie, forest.roots, forest.heads)
            while True:
                room.marks[: len(follow.marks)] = follow.marks
                after = (room.marks, follow.flags, follow.groups)
                args = ((node, shun), tables, after, longest, limits.search, most, room.path, mask, room.crossing)
                found, met = map(int, self._call(limits, k.split, *args))
                if (met <= len(room.marks) and found <= len(room.crossing)) or found > most:
                    listed = tuple(room.marks[len(follow.marks) : min(met, len(room.marks))].tolist())
                    return Parted(room.crossing[:found].copy(), listed, found <= most)
                room = self._room_for(forest.depth + 2, len(room.marks) + met, max(found, len(room.crossing)))

    def _room_for(self, depth: int, marks: int, crossings: int) -> _Room:
        """Memory for `split`, kept between calls."""
        old = self._room
        if old.path.shape[1] < depth or len(old.marks) < marks or len(old.crossing) < crossings:
            depth, marks = max(depth, old.path.shape[1]), max(marks, len(old.marks))
            crossing = np.zeros((max(crossings, len(old.crossing)), 3), np.int64)
            self._room = _Room(np.zeros((4, depth), np.int64), np.zeros(marks, np.int64), crossing)
        return self._room

    def strike(self, node: int, shun: int, forest: Forest, limits: Limits) -> tuple[list[np.ndarray], list[int]]:
        """The tokens of `forest` that match what is shunned, and those after which a lexer may have no way out."""
        path = np.zeros((2, forest.depth + 2), np.int64)
        found = np.empty((256, 2), np.int64)
        tables = (forest.trie, forest.roots, forest.heads)
        while True:
            n = int(self._call(limits, k.strike, (node, shun), tables, limits.search, path, found))
            if n <= len(found):
                break
            found = np.empty((n, 2), np.int64)
        trie, places = forest.trie, found[:n].tolist()
        killed = [trie.order[trie.first[i] : trie.first[trie.skip[i]]] for i, below in places if below]
        return killed, [token for token, below in places if not below]

    def _run(
        self, program: Program, limits: Limits, code: np.ndarray | None = None, values: np.ndarray | None = None
    ) -> int:
        if code is None or values is None:
            code, values = program.finish()
        with self._lock:
            while len(self._tables.node) < self.size + len(code):  # spares a long list of words many starts
                self._grow(int(k.NEED_NODES), limits)
        node = int(self._call(limits, k.build, code, values))
        self._chars.update(program.characters(values))
        return node

    def _call(self, limits: Limits, kernel: Callable[..., Any], *args: Any) -> Any:
        """Run a kernel, enlarging what it runs out of, until it has what it needs."""
        with self._lock:
            emptied: set[int] = set()
            while True:
                result = kernel(self._tables, *args)
                need = int(self._tables.counts[k.NEED])
                if need == k.ROOM:
                    return result
                if self._may_double(need, limits):
                    self._grow(need, limits)
                elif need in emptied:
                    used = self.nbytes
                    raise LimitExceeded("table_bytes", 2 * used, limits.table_bytes, "one step of a constraint")
                else:
                    self._empty(need)
                    emptied.add(need)

    def _may_double(self, need: int, limits: Limits) -> bool:
        """Whether a table that only remembers what can be worked out again may take more memory."""
        if need == k.NEED_ROWS:
            return 2 * self._tables.row.nbytes <= limits.table_bytes // 2
        return need != k.NEED_MEMO or 2 * self._tables.memo.nbytes <= limits.table_bytes // 2

    def _empty(self, need: int) -> None:
        """Forget all rows or all remembered operations."""
        tables = self._tables
        if need == k.NEED_MEMO:
            tables.memo[:] = -1
            tables.counts[k.MEMO] = 0
        else:
            tables.node[1:, k.ROW] = -1
            tables.counts[k.ROWS] = 1

    def _grow(self, need: int, limits: Limits) -> None:
        old = self._tables
        if need == k.OVER_LIMIT:
            raise LimitExceeded(
                "search", limits.search + 1, limits.search, "deciding whether an intersection or a lookaround can match"
            )
        if need == k.NEED_NODES:
            if 2 * len(old.node) > limits.expressions:
                raise LimitExceeded("expressions", 2 * len(old.node), limits.expressions, "building automata")
            self._tables = old._replace(node=_doubled(old.node), lookup=np.full(2 * old.lookup.size, -1, np.int64))
            k.rehash(self._tables)
        elif need == k.NEED_MEMO:
            self._tables = old._replace(memo=np.full((2 * len(old.memo), 2), -1, np.int64))
            k.rehash_memo(self._tables, old.memo)
        elif need == k.NEED_SCRATCH:
            self._tables = old._replace(scratch=np.zeros((len(old.scratch), 2 * old.scratch.shape[1]), np.int64))
        else:
            name = {int(k.NEED_ROWS): "row", int(k.NEED_POOL): "pool", int(k.NEED_SETS): "sets"}[need]
            self._tables = old._replace(**{name: _doubled(getattr(old, name))})


@lru_cache(maxsize=1)
def byte_trie() -> TrieTables:
    """A trie of all bytes, each its own token."""
    return build(np.arange(256, dtype=np.uint8), np.arange(257, dtype=np.int64))


def _steps(reach: int) -> int:
    """A reach in the steps that kernels know. 0 bytes is without end."""
    return min(-(-reach // _REACH_STEP), _NO_CLIP) if reach else _NO_CLIP


def _doubled(table: np.ndarray) -> np.ndarray:
    larger = np.zeros((2 * table.shape[0], *table.shape[1:]), table.dtype)
    larger[: table.shape[0]] = table
    return larger


def _empty_tables() -> k.Store:
    tables = k.Store(
        node=np.zeros((_SMALL, 16), np.int64),
        pool=np.zeros(4 * _SMALL, np.int64),
        sets=np.zeros((256, 256), np.uint8),
        lookup=np.full(4 * _SMALL, -1, np.int64),
        memo=np.full((4 * _SMALL, 2), -1, np.int64),
        row=np.zeros((256, 257), np.int32),
        scratch=np.zeros((int(k.HEAP) + 1, _SMALL), np.int64),
        groups=group_of(),
        counts=np.zeros(8, np.int64),
    )
    for node, flag, shortest in (
        (k.EMPTY, 0, k.FAR),
        (k.EPSILON, k.NULLABLE | k.SURE, 0),
        (k.ANYTHING, k.NULLABLE | k.SURE, 0),
        (k.NEVER, k.SURE, 0),
    ):
        tables.node[node, [k.KIND, k.FLAG, k.SHORTEST]] = node, flag, shortest
        tables.node[node, k.REST] = k.FAR if node == k.NEVER else 0
        tables.node[node, [k.ROW, k.LOOPS, k.CHARS, k.STEADY, k.ENDS]] = -1
    tables.node[k.EMPTY, k.ROW] = 0
    tables.counts[[k.NODES, k.ROWS]] = 4, 1
    k.rehash(tables)
    return tables
