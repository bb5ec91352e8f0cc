"""Where hypotheses stand with their phrases: one row of numbers each, moved by tokens.

In:  a `Lexical` constraint and a vocabulary; rows and tokens.
Out: rows; what they have met and still need; the tokens that are fatal to a row, and those that help it.

A row is a plain value: to copy it or to move it with its beam is to copy numbers. Rows of one tracker are the rows of
an int32 array.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from constrain.beam.phrases import least_tokens, tables_of
from constrain.errors import UnsatisfiableError
from constrain.kernels import phrases as kernels
from constrain.kernels.phrases import HEAD, LONGEST, MET, NEED, NEVER, NODE, PART, PLACE
from constrain.limits import Limits
from constrain.specs.lexical import Lexical

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Rows = npt.NDArray[np.int32]
Tokens = npt.NDArray[np.int64]

_LOOKED_BYTES = 32 << 20
"""Memory for the tokens of places that are remembered."""


class Outlook(NamedTuple):
    """What tokens do at a place."""

    fatal: Tokens
    """Those after which a clause can be met no more."""
    tokens: Tokens
    """Those that bring a phrase nearer for which the row waits, once for each phrase ..."""
    phrases: Tokens
    """... and the phrase, or another number for tokens that do not compete with the others of the phrase."""


class Tracker:
    """The phrases of a constraint, as tokens of one vocabulary spell them. Thread-safe.

    Raises UnsatisfiableError (an empty phrase, or one that is both required and excluded), VocabularyError (a phrase
    that no tokens spell), UnsupportedError, LimitExceeded.

    >>> from constrain.specs.lexical import Clause, Lexical, Phrase
    >>> from constrain.vocab.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.from_tokens([b"a", b"b", b"ab"])
    >>> tracker = Tracker(Lexical((Clause((Phrase("aba"),)),)), vocabulary)
    >>> rows = tracker.start(1)
    >>> tracker.judge(rows)[0, NEED], tracker.judge(tracker.move(rows, [0], [2]))[0, NEED]
    (np.int64(2), np.int64(1))
    """

    def __init__(self, lexical: Lexical, vocabulary: Vocabulary, limits: Limits | None = None) -> None:
        self.lexical, self.vocabulary = lexical, vocabulary
        self.tables = tables_of(lexical, vocabulary, limits or Limits())
        self._present, self._counted, cells = (int(self.tables.mode[i]) for i in (3, 4, 6))
        self._cells = HEAD + 2 * (self._present + self._counted)
        self.width = self._cells + cells
        """Numbers of a row."""
        self.clauses = len(lexical.clauses)
        self._longest = int(self.tables.mode[LONGEST])
        self._spelled = (vocabulary.data, vocabulary.offsets)
        self._looked: dict[bytes, Outlook] = {}
        self._held = 0
        self._roots: dict[int, Tokens] = {}
        self._lock = threading.Lock()
        self._check_agreement()
        self.need = int(self.judge(self.start(1))[0, NEED])
        """Tokens that meet everything from the start: an upper bound."""

    def start(self, count: int) -> Rows:
        """Rows at the start of an output."""
        rows = np.zeros((count, self.width), np.int32)
        rows[:, PLACE] = -1 if self.vocabulary.strips_leading_space else 0
        rows[:, self._cells :] = -1
        rows[:, self._cells : self._cells + 1] = 0
        return rows

    def move(self, rows: Rows, parents: npt.ArrayLike, tokens: npt.ArrayLike) -> Rows:
        """The rows after tokens: row `parents[i]` after `tokens[i]`. What spells nothing changes nothing."""
        moves = np.array([parents, tokens], np.int64).reshape(2, -1)
        out = np.empty((moves.shape[1], self.width), np.int32)
        kernels.advance(self.tables, rows, moves, self._spelled, out)
        return out

    def judge(self, rows: Rows) -> npt.NDArray[np.int64]:
        """What rows have come to, in the columns that `constrain.kernels.phrases.judge` names: int64[n, 4]."""
        out = np.empty((len(rows), 4), np.int64)
        kernels.judge(self.tables, rows, np.empty(self.width, np.int32), out)
        return out

    def is_met(self, verdicts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether all clauses are met if the text ends there, for each verdict of `judge`."""
        met: npt.NDArray[np.bool_] = verdicts[:, MET] == self.clauses
        return met

    def meets(self, text: bytes) -> bool:
        """Whether a whole text meets the constraint."""
        rows = self.start(1)
        rows[:, PLACE] = 0
        kernels.feed(self.tables, rows[0], np.frombuffer(text, np.uint8))
        return bool(self.is_met(self.judge(rows))[0])

    def outlooks(self, rows: Rows, verdicts: npt.NDArray[np.int64]) -> list[Outlook]:
        """What each token does to rows with these verdicts; remembered for rows that agree on what matters."""
        free, wants = np.empty((2, len(rows), self._present), np.int64)
        kernels.wanted(self.tables, rows, verdicts, np.empty(self.width, np.int32), (free, wants))
        found = []
        for row, longest, want in zip(rows, np.minimum(free, self._longest), wants):
            key = self._key(row, longest, want)
            known = self._looked.get(key)
            if known is None:
                known = self._remember(key, self._look(row, longest, want))
            found.append(known)
        return found

    def _remember(self, key: bytes, outlook: Outlook) -> Outlook:
        with self._lock:
            self._held += sum(part.nbytes for part in outlook) + 2 * len(key)
            self._looked[key] = outlook
            if self._held > _LOOKED_BYTES:
                self._looked.clear()
                self._held = 0
        return outlook

    def _key(self, row: Rows, free: Tokens, wants: Tokens) -> bytes:
        key: bytes = row[: PART + 1].tobytes() + free.tobytes() + wants.tobytes() + bytes([int(row[PLACE] < 0)])
        if self._counted == 0:
            return key
        first, last = HEAD + self._present, HEAD + self._present + self._counted
        since = np.minimum(row[PLACE] - row[last + self._present : last + self._present + self._counted], self._longest)
        key += row[first:last].tobytes() + since.tobytes()
        return key

    def _look(self, row: Rows, free: Tokens, wants: Tokens) -> Outlook:
        tokens, phrases = self._walk(row, free, self._at_root(self._root_of(int(row[NODE]))))[:2]
        helps = phrases >= 0
        helps[helps] = wants[phrases[helps] % max(1, self._present)] == 1
        return Outlook(tokens[phrases < 0], tokens[helps], phrases[helps])

    def _root_of(self, node: int) -> int:
        while self.tables.fail[node] >= 0:
            node = int(self.tables.fail[node])
        return node

    def _at_root(self, root: int) -> Tokens:
        """What tokens do where nothing has begun."""
        if root not in self._roots:
            row, free = self.start(1)[0], np.zeros(self._present, np.int64)
            row[PLACE], row[NODE] = 0, root
            found = self._walk(row, free, np.zeros((4, 0), np.int64))
            self._roots[root] = found if found.shape[1] else np.array([[0], [-1], [0], [-1]])
        return self._roots[root]

    def _walk(self, row: Rows, free: Tokens, known: Tokens) -> Tokens:
        stack = np.zeros((self.vocabulary.max_token_bytes + 2, self.width + 4), np.int32)
        room = 1024
        while True:
            found = np.empty((4, room), np.int64)
            count = int(kernels.look(self.tables, row, free, self.vocabulary.trie, known, stack, found))
            if count <= room:
                return np.ascontiguousarray(found[:, :count])
            room = count

    @cached_property
    def least(self) -> int:
        """Tokens that any output has that meets everything: a lower bound.

        Neighbours that share no text can share a token. Where phrases may overlap, the longest of them counts alone.
        """
        lexical, each = self.lexical, []
        for clause in lexical.clauses:
            if clause.present and not clause.absent:
                each.append(min((least_tokens(one.text, self.vocabulary), one.count) for one in clause.present))
        if not each:
            return 0
        if lexical.ordered or not lexical.overlapping:
            counts = [1 if lexical.overlapping else count for _, count in each]
            return sum(tokens * count for (tokens, _), count in zip(each, counts)) - sum(counts) + 1
        return max(tokens for tokens, _ in each)

    def _check_agreement(self) -> None:
        """Raise if each way to meet some clause is excluded by the others."""
        for clause in self.lexical.clauses:
            if clause.present and not clause.absent and not any(self._is_possible(one.text) for one in clause.present):
                names = " or ".join(repr(one.text) for one in clause.present[:4])
                raise UnsatisfiableError(
                    f"{names:.200} is required and excluded at once: every text that holds it also holds what must be "
                    "absent; drop one of the two"
                )

    def _is_possible(self, text: str) -> bool:
        rows = self.start(1)
        rows[:, PLACE] = 0
        kernels.feed(self.tables, rows[0], np.frombuffer(text.encode(), np.uint8))
        verdict = self.judge(rows)
        return bool(verdict[0, MET] >= 0 and verdict[0, NEED] < NEVER)
