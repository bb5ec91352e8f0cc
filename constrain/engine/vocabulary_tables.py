"""The vocabulary side of the engine: tries of the tokens, and for DFA states the sets of tokens they can read.

In: a `Vocabulary`, and states of `constrain.automata.tables`. Out: block V of `constrain.engine.tables`, which masks
read. There is one for each vocabulary and process, shared by all constraints.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import numpy as np

from constrain.automata.dfa import DfaStore
from constrain.engine import counted_strings, stored_tables, subtree_sets, token_sets, token_tries
from constrain.engine import tables as t
from constrain.errors import LimitExceeded, VocabularyError
from constrain.jit import Column, Tables, entry
from constrain.vocab.vocabulary import Vocabulary

SHORT = 16
"""Bytes. Tokens up to this length, nearly all, have a trie apart from the longer ones, for which counts matter."""
_MOST_IDS = t.MANY - 1
_known: weakref.WeakKeyDictionary[DfaStore, weakref.WeakValueDictionary[str, VocabularyTables]] = (
    weakref.WeakKeyDictionary()
)
_making = threading.Lock()


class VocabularyTables:
    """Block V of one vocabulary, and the scratch block in which its token sets are made.

    >>> VocabularyTables(Vocabulary.from_tokens([b"a", b"ab", b"a"]))
    <VocabularyTables 3 ids: 7 nodes, 0 token sets>
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        size, width = vocabulary.size, -(-vocabulary.size // 64)
        if size > _MOST_IDS:
            raise VocabularyError(f"the vocabulary has {size:,} ids; {_MOST_IDS:,} is the most")
        self.lock = threading.RLock()
        """To be held while token sets are made or tables grow."""
        nodes = 2 * len(vocabulary.data) + 1024  # at most, and 256 children; memory costs nothing until it is used
        self.tables = Tables(
            [
                Column("vocabulary", np.int64, 32),
                Column("trie", np.int64, nodes),
                Column("list", np.int32, 1 << 16),
                Column("tokens", np.int32, 1 << 20),
                Column("set", np.int32, 4 << 8),
                Column("dense", np.int64, 256 * width),
                Column("sparse", np.int32, 1 << 12),
                Column("set_of", np.int32, 8 << 10),
                Column("below", np.int64, nodes),
                Column("height", np.int32, nodes),
                Column("span", np.int64, nodes),
                Column("order", np.int32, 2 * size),
                Column("makeup", np.int64, 3 * 64 * width),
                Column("group", np.int64, 256),
                Column("bytes", np.uint8, 0),
                Column("offset", np.int32, 0),
                Column("counted", np.int32, 4 * size + 1024),
                Column("counted_set", np.int64, 2 << 10),
                Column("same", np.int64, 8 * (t.SAME_HEAD + width)),
                Column("keeps", np.int64, 4 << 14),
                Column("counter", np.int32, counted_strings.COUNTER_COLUMNS << 5),
                Column("set_below", np.int64, 2 << 8),
            ]
        )
        self.scratch = Tables(
            [
                Column("scalar", np.int64, 8),
                Column("inner", np.int64, width + 1),
                Column("places", np.int32, nodes // 2),
                Column("stack", np.int64, 3 << 15),
                Column("lists", np.int32, 2 * nodes),
                Column("merged", np.int32, 2 * nodes),
                Column("next_out", np.int64, 0),
                Column("next_in", np.int32, 0),
                Column("pairs", np.int64, 4 << 9),
                Column("count", np.int64, 258),
                Column("above", np.int64, nodes),
                Column("sorted", np.int32, size),
            ]
        )
        self.block, self._size = self.tables.block, size
        self.tables["group"][:128] = token_tries.group_of()
        self.tables.replace("bytes", vocabulary.data)
        self.tables.replace("offset", vocabulary.offsets)
        self.head[t.SETS_SCRATCH] = self.scratch.block
        self.named: dict[str, list[stored_tables.Named]] = {}
        """Token sets of terminals, by digests of their expressions: see `common_sets.know`."""
        self.key = stored_tables.key_of(vocabulary) if size >= stored_tables.WORTH else None
        """The key of the tables in the disk cache; None if they are not worth storing."""
        self.knows_common = False
        """Whether the sets of common terminals have been asked for."""
        known = stored_tables.load(self.key, self.tables) if self.key else None
        if known is not None:
            self.named = known
        else:
            self._lay(vocabulary.max_token_bytes, width)
            if self.key:
                stored_tables.save(self.key, self.tables, {})
        self.scratch.replace("above", np.zeros(0, np.int64))
        for name, dtype in (("next_out", np.int64), ("next_in", np.int32)):  # they have an entry for each of ORDER
            self.scratch.replace(name, np.zeros(4 * int(self.head[t.ORDER_USED]), dtype))

    def _lay(self, longest: int, width: int) -> None:
        """Lay the tries."""
        head, lay = self.head, entry(token_tries.lay_trie)
        head[[t.WIDTH, t.TOKEN_COUNT, t.TRIE_USED, t.SET_USED]] = width, self._size, 1, 1
        head[[t.HORIZON, t.SHORT_HORIZON]] = longest, min(longest, SHORT)
        for which, (least, most) in enumerate([(1, longest), (1, SHORT), (SHORT + 1, 1 << 30)]):
            while (status := lay(self.block, which, least, most)) < 0:
                self.grow(status)
        used = int(head[t.TRIE_USED])
        for name in ("trie", "below", "height", "span"):
            table = np.zeros(2 * used + (1 << 16), self.tables[name].dtype)
            table[:used] = self.tables[name][:used]
            self.tables.replace(name, table)

    @classmethod
    def of(cls, vocabulary: Vocabulary, dfas: DfaStore) -> VocabularyTables:
        """The tables of a vocabulary for the states of a store, made on first use.

        They are kept as long as the store and a vocabulary with equal content that has asked for them live.
        """
        with _making:
            known = _known.setdefault(dfas, weakref.WeakValueDictionary())
            made = known.get(vocabulary.fingerprint)
            if made is None:
                made = known[vocabulary.fingerprint] = cls(vocabulary)
            vars(vocabulary)["_engine_tables"] = made
            return made

    @property
    def head(self) -> np.ndarray:
        """The scalars of the block."""
        return self.tables["vocabulary"]

    def ready(self, automata: int, q: int, follows: int = 1) -> int:
        """Make the token sets of a DFA state unless they stand; 0, or a status that is not about these tables.

        Without something that follows the terminal, what is left of tokens behind its ends is not looked at.
        """
        with self.lock:
            return self._run(entry(token_sets.ready_sets), automata, q, follows)

    def token_set(self, automata: int, q: int, which: int, follows: int = 1) -> int:
        """The set of the tokens (0 all, 1 short, 2 long) that a state can read; or a status as from `ready`."""
        with self.lock:
            return self._run(entry(token_sets.token_set), automata, q, which, follows)

    def name_string(self, start: int, body: int, end: int) -> None:
        """Name the states of the plain JSON string: before the opening quote, between characters, behind the last."""
        self.head[[t.STRING_START, t.STRING_BODY, t.STRING_END]] = start, body, end

    def counted_set(self, automata: int, q: int, fewest: int, most: int) -> int:
        """The set of the tokens that a state of the plain JSON string can read with so many characters left."""
        with self.lock:
            return self._run(entry(counted_strings.counted_set), automata, q, fewest, most)

    def set_below(self, automata: int, q: int, node: int) -> int:
        """The set of the tokens below a node that can be read from a state before it; or a status as from `ready`."""
        with self.lock:
            return self._run(entry(subtree_sets.set_below), automata, q, node)

    def _run(self, unit: token_sets.Call, *args: int) -> int:
        while (status := unit(self.block, *args)) < 0:
            if not self.grow(status):
                return status
        return status

    def grow(self, status: int) -> bool:
        """Make room for what a unit has run out of; False if the status is about another block."""
        what = -status >> 4
        scratch = what >= token_tries.OF_SCRATCH
        tables = self.scratch if scratch else self.tables
        k = what - (token_tries.OF_SCRATCH if scratch else token_tries.OF_VOCABULARY)
        if -status & 15 != token_tries.FULL or not 0 <= k < len(tables.columns):
            return False
        with self.lock:
            size = len(tables[tables.columns[k].name])
            if not scratch and ((k == t.LIST and size >= t.MANY) or (k == t.TRIE and size > t.CHILD_MASK)):
                raise LimitExceeded("table_bytes", 2 * self.used_bytes, self.used_bytes, "token sets of a vocabulary")
            tables.grow(k, size + 256)
            if not scratch and k == t.COUNTED_SET:
                self._rehash("counted_set", entry(counted_strings.remember_counted))
            if not scratch and k == t.SET_BELOW:
                self._rehash("set_below", entry(subtree_sets.remember_below))
        return True

    def _rehash(self, name: str, remember: Callable[[int, int, int], int]) -> None:
        """Write the entries of a hash table again, since their places depend on its size."""
        table = self.tables[name]
        entries = table.reshape(-1, 2).copy()
        table[:] = 0
        for key, index in entries[entries[:, 0] != 0].tolist():
            remember(self.block, key, index)

    @property
    def nbytes(self) -> int:
        """Memory that the tables take, with what has been set aside but not been touched."""
        return self.tables.nbytes + self.scratch.nbytes

    @property
    def used_bytes(self) -> int:
        """Memory that tries and token sets take."""
        used = stored_tables.used(self.tables)
        return sum(
            used.get(c.name, len(self.tables[c.name])) * self.tables[c.name].itemsize for c in self.tables.columns
        )

    def __repr__(self) -> str:
        head = self.head
        return f"<VocabularyTables {self._size} ids: {head[t.TRIE_USED] - 1} nodes, {head[t.SET_USED] - 1} token sets>"
