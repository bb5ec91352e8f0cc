"""The automata of the process from Python: expressions to DFA states, and what can be asked of a state.

In:  `constrain.ir.expr` values, bytes.
Out: numbers of DFA states. They mean the same for the life of the store, and equal ones are found again.

Tables grow when a unit says that they are full, under a lock. Units run under the GIL.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np

from constrain.automata import assemble, clip, derive, interning, tables
from constrain.automata.build import Built, Program
from constrain.automata.tables import (
    ACCEPTS,
    CLASSES,
    DEAD,
    EXACT,
    EXCEEDED,
    FLAGS,
    FULL,
    GENERATION,
    GOES_ON,
    LIVE,
    MAP,
    MAP_HASH,
    MEETING,
    NODE,
    NODE_HASH,
    NODES,
    POINT,
    POINT_HASH,
    POINTS,
    READY,
    ROW,
    SEARCH,
    SIZE_LIMIT,
    STATE,
    STATE_HASH,
    STATES,
    TOO_MANY,
    UNSUPPORTED,
    WORK_LIMIT,
)
from constrain.errors import LimitExceeded, UnsupportedError
from constrain.ir.expr import And, Expr, Not, Ranges
from constrain.jit import Tables, entry
from constrain.limits import Limits

_HASHES = (NODE_HASH, POINT_HASH, STATE_HASH, MAP_HASH)
_BESIDE = {
    NODE: ("node", "visit", "node_hash"),
    POINT: ("point", "stamp", "place", "point_hash"),
    STATE: ("state", "seen", "distance", "missing", "bound", "met", "state_hash"),
}
"""Tables that have an entry for each node, point or state: they grow together."""
_MOST_GENERATIONS = 1 << 30
"""Stamps of generations have 31 bits."""
_EXPRESSION = 150
"""Bytes that an expression takes, all in all: `Limits.expressions` bounds memory."""
_MOST_CHARS = 4096
"""Classes of characters whose nodes are remembered."""
_MOST_PARTS = 50_000
"""Parts of expressions whose nodes are remembered."""
_REMEMBERED = 10_000
"""Expressions whose states are remembered."""
_LENGTH = 4096
"""Texts that are longer are not listed."""


class DfaStore:
    """Interned expressions and the automata made from them.

    >>> from constrain.ir.expr import Chars, Repeat
    >>> store = DfaStore()
    >>> digits = store.start(Repeat(Chars(((48, 57),)), 2, 3), Limits())
    >>> q, read = store.read(digits, b"12x")
    >>> read, store.accepts(q), store.accepts(digits)
    (2, True, False)
    """

    def __init__(self, limits: Limits | None = None, made: Tables | None = None) -> None:
        self.tables = made or tables.make()
        self._empty = self.tables.nbytes
        self.lock = threading.RLock()
        """Held while tables are added to; whoever calls units that do so holds it, too."""
        self.limits = limits or Limits()
        """Of the question that is being answered."""
        self._chars: dict[Ranges, int] = {}
        self._starts: dict[int, tuple[Expr, int]] = {}
        """Of expressions by identity: those of terminals recur in each schema."""
        self._parts: Built = {}
        """The nodes of parts of expressions, which share them."""
        self._make_ready, self._assemble = entry(derive.make_ready), entry(assemble.assemble)
        self._start_of, self._clipped = entry(assemble.start_of), entry(clip.clipped)
        self._rehash = entry(interning.rehash)
        for table in _HASHES:
            self._rehash(self.block, table)

    @property
    def block(self) -> int:
        """The address that units take. It stays the same."""
        return self.tables.block

    @property
    def nbytes(self) -> int:
        """Memory that the tables take."""
        return self.tables.nbytes

    @property
    def size(self) -> int:
        """What the tables have grown by, as `Limits.expressions` counts it."""
        return (self.nbytes - self._empty) // _EXPRESSION

    def __repr__(self) -> str:
        count = self.tables["count"]
        return f"<DfaStore of {count[NODES]} expressions, {count[POINTS]} points, {count[STATES]} states>"

    # ---- making

    def start(self, expr: Expr, limits: Limits | None = None) -> int:
        """The state from which an expression is read as if `Closed`; DEAD if it denotes nothing."""
        known = self._starts.get(id(expr))
        if known is not None and (limits is None or limits is self.limits):
            return known[1]
        with self.lock:
            self._set(limits)
            if known is not None:
                return known[1]
            node = self._node(expr)
            found = self._call(self._start_of, node)
            if len(self._starts) >= _REMEMBERED:
                self._starts.clear()
            self._starts[id(expr)] = expr, found
        return found

    def _node(self, expr: Expr) -> int:
        """Build an expression; returns its node."""
        if len(self._parts) > _MOST_PARTS:
            self._parts = {}
        program = Program(expr, self._chars, self._parts)
        size = len(program.code)
        program.code.append(0)
        self._put("code", array("i", program.code))
        if program.text:
            self._put("text", program.text)
        node = self._call(self._assemble, size)
        if program.kept:
            if len(self._chars) > _MOST_CHARS:
                self._chars.clear()
            program.remember(self.tables["mark"][: program.kept].tolist())
        return node

    def _put(self, name: str, values: array[int] | bytearray) -> None:
        """Write into a table, which grows if need be."""
        if len(values) > len(self.tables[name]):
            self._make_room({name: max(len(values), 2 * len(self.tables[name]))})
        self.tables[name].data[: len(values)] = memoryview(values)

    def _set(self, limits: Limits | None) -> None:
        self.limits = limits or self.limits
        count = self.tables["count"]
        count[WORK_LIMIT], count[SIZE_LIMIT] = self.limits.search, self.limits.states
        if max(count[GENERATION], count[SEARCH], count[MEETING]) > _MOST_GENERATIONS:
            for name in ("stamp", "visit", "seen", "met"):
                self.tables[name][:] = 0
            count[[GENERATION, SEARCH, MEETING]] = 0

    def _call(self, unit: Callable[..., int], *args: int) -> int:
        """Call a unit until it has what it needs."""
        while (result := int(unit(self.block, *args))) < 0:
            self.grow(result)
        return result

    def grow(self, status: int) -> None:
        """Mend what a status of a unit says; raises LimitExceeded where it cannot be mended."""
        table, what = -status >> 4, -status & 15
        if what == EXCEEDED:
            most = self.limits.search
            raise LimitExceeded("search", most + 1, most, "deciding whether an intersection or a lookaround can match")
        if what == TOO_MANY:
            most = self.limits.states
            raise LimitExceeded("states", most + 1, most, "following repetitions that begin and end in many ways")
        if what == UNSUPPORTED:
            raise UnsupportedError("lookahead inside of a lookbehind is not supported")
        assert what == FULL, status
        own = self.tables.columns[table].name
        with self.lock:
            names = _BESIDE.get(table, (own,))
            self._make_room({name: 2 * len(self.tables[name]) for name in names})
            for k in _HASHES:
                name = self.tables.columns[k].name
                if name in names:
                    self.tables[name][:] = 0
                    self._rehash(self.block, k)

    def _make_room(self, sizes: dict[str, int]) -> None:
        """Make tables as large as that, all of them or, if the limit is reached, none."""
        more = sum((size - len(self.tables[name])) * self.tables[name].itemsize for name, size in sizes.items())
        given = (self.nbytes - self._empty + more) // _EXPRESSION
        if given > self.limits.expressions:
            raise LimitExceeded("expressions", given, self.limits.expressions, "building automata")
        for k, column in enumerate(self.tables.columns):
            if column.name in sizes:
                self.tables.grow(k, sizes[column.name])

    def meet(self, a: int, b: int) -> int:
        """The state of what two states both accept; DEAD if that is nothing."""
        with self.lock:
            q = self._call(entry(interning.make_pair), tables.AND, a, b)
        return q if self.is_alive(q) else DEAD

    # ---- asking

    def ready(self, q: int) -> int:
        """Make the row of a state, if it has none; returns the state."""
        if not self.tables["state"][8 * q + FLAGS] & READY:
            with self.lock:
                self._set(None)
                self._call(self._make_ready, q)
        return q

    def step(self, q: int, byte: int) -> int:
        """The state after a byte; DEAD if it cannot follow."""
        self.ready(q)
        state = self.tables["state"]
        c = self.tables["class"][256 * int(state[8 * q + MAP]) + byte]
        return int(self.tables["target"][state[8 * q + ROW] + c])

    def read(self, q: int, data: bytes) -> tuple[int, int]:
        """Read as far as something can be completed: the state then, and how many bytes were read."""
        for n, byte in enumerate(data):
            after = self.step(q, byte)
            if after == DEAD:
                return q, n
            q = after
        return q, len(data)

    def accepts(self, q: int) -> bool:
        """Whether the text may end in a state."""
        return bool(self.tables["state"][8 * q + FLAGS] & ACCEPTS)

    def is_alive(self, q: int) -> bool:
        """Whether a text can be completed from a state."""
        if self.tables["state"][8 * q + LIVE] < 0:
            self.ready(q)
        return bool(self.tables["state"][8 * q + LIVE])

    def goes_on(self, q: int) -> bool:
        """Whether a byte may follow."""
        self.ready(q)
        return bool(self.tables["state"][8 * q + FLAGS] & GOES_ON)

    def row(self, q: int) -> np.ndarray:
        """The states after each of the 256 bytes: int32[256]."""
        self.ready(q)
        state = self.tables["state"]
        m, first = int(state[8 * q + MAP]), int(state[8 * q + ROW])
        targets = self.tables["target"][first : first + int(state[8 * q + CLASSES])]
        row: np.ndarray = targets[self.tables["class"][256 * m : 256 * m + 256]]
        return row

    def viable_bytes(self, q: int) -> bytes:
        """The bytes that may come next, ascending."""
        return self.row(q).nonzero()[0].astype(np.uint8).tobytes()

    def clipped(self, q: int, horizon: int) -> int:
        """The state that does as q does for so many bytes, with smaller counts or none; see `clip.clipped`."""
        with self.lock:
            self._set(None)
            return self._call(self._clipped, q, horizon)

    # ---- searching

    def shortest(self, q: int) -> int:
        """The length of the shortest text from a state that is alive."""
        if self.tables["state"][8 * q + FLAGS] & EXACT:
            return int(self.tables["distance"][q])
        return len(self.shortest_text(q))

    def shortest_text(self, q: int) -> bytes:
        """A shortest text from a state that is alive, the first of them by its bytes where states are equal."""
        if not self.is_alive(q):
            raise ValueError(f"state {q} is dead")
        queue: list[tuple[int, int, int]] = [(self._missing(q), 0, q)]  # length at least, less bytes read, state
        came: dict[int, tuple[int, int, int]] = {q: (0, q, 0)}  # bytes read, the state before, the byte from there
        guessed = 0
        while True:
            _, less, here = heappop(queue)
            read = -less
            if came[here][0] < read:
                continue
            if self.accepts(here):
                break
            guessed += not self.tables["state"][8 * here + FLAGS] & EXACT
            if guessed > self.limits.search:
                raise LimitExceeded("search", guessed, self.limits.search, "looking for a shortest text")
            targets, firsts = np.unique(self.row(here), return_index=True)
            for after, byte in zip(targets.tolist(), firsts.tolist()):
                if after != DEAD and (after not in came or came[after][0] > read + 1):
                    came[after] = read + 1, here, byte
                    heappush(queue, (read + 1 + self._missing(after), -read - 1, after))
        found = bytearray()
        while came[here][0]:
            _, here, byte = came[here]
            found.append(byte)
        return bytes(reversed(found))

    def _missing(self, q: int) -> int:
        return int(self.tables["distance"][q])

    def listed(self, q: int, most: int) -> tuple[bytes, ...] | None:
        """All texts from a state, if they are at most `most`, and none is very long."""
        found: list[bytes] = []
        todo = [(q, b"")] if self.is_alive(q) else []
        while todo:
            here, text = todo.pop()
            row = self.row(here)
            if self.accepts(here):
                found.append(text)
            viable = row.nonzero()[0].tolist()
            if len(found) + len(todo) + len(viable) > most or len(text) > _LENGTH:
                return None  # from every state that is alive there is a text, so that every way counts for one at least
            todo += [(int(row[b]), text + bytes([b])) for b in viable]
        return tuple(sorted(found))

    def is_empty(self, expr: Expr, limits: Limits | None = None) -> bool:
        """Whether an expression denotes nothing."""
        return self.start(expr, limits) == DEAD

    def contains(self, larger: Expr, smaller: Expr, limits: Limits | None = None) -> bool:
        """Whether one expression denotes all that another does."""
        return self.is_empty(And((smaller, Not(larger))), limits)

    def equivalent(self, a: Expr, b: Expr, limits: Limits | None = None) -> bool:
        """Whether two expressions denote the same."""
        return self.contains(a, b, limits) and self.contains(b, a, limits)
