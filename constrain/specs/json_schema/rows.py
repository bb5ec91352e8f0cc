"""Schemas as rows: one pass over the text by units, and the terminals that rows ask for.

In:  the text of a schema.
Out: `SchemaRows`; none where the text is not understood, as references to other documents and mistakes are not. Such
     schemas are left to the algebra of values whole, others where a row is HARD.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from constrain.ir import schema_rows as r
from constrain.jit import Column, Tables, entry
from constrain.specs.json_schema import keywords, marks, row_units, settle, tape
from constrain.specs.json_schema.drafts import Draft, draft_of

_ROUNDS = 100
"""Rounds that the fewest bytes of rows may take to settle."""
_LARGEST = 1 << 30
"""Sizes are cut here, to fit into a table."""
_TABLES = (
    ("head", np.int64), ("text", np.uint8), ("tape", np.int32), ("keywords_of", np.int64), ("row", np.int32),
    ("object", np.int32), ("member", np.int32), ("array", np.int32), ("part", np.int32), ("group", np.int32),
    ("spec", np.int32), ("pattern", np.int32), ("stack", np.int32), ("sizes", np.int64), ("dictionary", np.int32),
    ("word_at", np.int32), ("letter", np.uint8), ("asked", np.int32),
)  # fmt: skip
_USED = (
    (r.TAPE, r.VALUES, r.VALUE), (r.ROW, r.ROWS, r.ROW_SIZE), (r.OBJECT, r.OBJECTS, r.OBJECT_SIZE),
    (r.MEMBER, r.MEMBERS, r.MEMBER_SIZE), (r.ARRAY, r.ARRAYS, r.ARRAY_SIZE), (r.PART, r.PARTS, 1),
    (r.GROUP, r.GROUPS, 2), (r.SPEC, r.SPECS, r.SPEC_SIZE), (r.SIZES, r.ROWS, 1), (r.PATTERN, r.PATTERNS, 1),
    (r.ASKED, r.ASKED_COUNT, 1),
)  # fmt: skip
"""The tables that are kept: the scalar that says how much of each is used, and its columns."""
_lock = threading.RLock()


class SchemaRows:
    """The rows of one schema. Nothing of them depends on a vocabulary, or on how texts are laid out."""

    def __init__(self, tables: Tables, text: bytes, draft: Draft) -> None:
        self.tables, self.text, self.draft = tables, text, draft
        self.is_pruned = self._is_weighed = False

    @property
    def root(self) -> int:
        """The row of the whole schema."""
        return self.true_row(int(self.tables["head"][r.ROOT]))

    def true_row(self, row: int) -> int:
        """What a row is that refers to another one."""
        kind, goal = self._row(row, r.ROW_KIND), self._row(row, r.LISTED)
        return goal if kind == r.REFERENCE else row

    def _row(self, row: int, column: int) -> int:
        return int(self.tables["row"][r.ROW_SIZE * row + column])

    def is_hard(self, row: int) -> bool:
        """Whether a row is left to the algebra of values."""
        return self._row(row, r.ROW_KIND) == r.HARD

    def is_empty(self, row: int) -> bool:
        """Whether a row allows nothing."""
        return bool(self._row(row, r.FLAGS) & r.EMPTY)

    def size(self, row: int) -> float:
        """Bytes of the shortest text of a row, or less."""
        size = int(self.tables["sizes"][self.true_row(row)])
        return float("inf") if size >= settle.FAR else size

    @property
    def has_unique_items(self) -> bool:
        """Whether the items of some array have to differ."""
        return bool(self.tables["head"][r.HAS_UNIQUE_ITEMS])

    @property
    def patterns(self) -> list[str]:
        """The regular expressions of the schema."""
        return [self.value(value) for value in self.tables["pattern"].tolist()]

    def raw(self, value: int) -> bytes:
        """A value of the schema, or a name, as it is written."""
        o = r.VALUE * value
        kind, begin, end = self.tables["tape"][o : o + 3].tolist()
        quotes = kind in (r.STRING_VALUE, r.NAME)
        return self.text[begin - quotes : end + quotes]

    def value(self, value: int) -> Any:
        """A value of the schema, or a name."""
        return json.loads(self.raw(value), parse_float=Decimal)

    def path(self, value: int) -> tuple[str | int, ...]:
        """The names and indices that lead to a value."""
        tape, found, at = self.tables["tape"].reshape(-1, r.VALUE), list[str | int](), 0
        while at != value:
            named = tape[at, r.KIND] == r.OBJECT_VALUE
            which, (name, at) = next(
                (which, part) for which, part in enumerate(self._parts(at)) if value < tape[part[1], r.NEXT]
            )
            found.append(self.value(name) if named else which)
        return tuple(found)

    def row_at(self, pointer: str) -> int | None:
        """The row of the subschema that a JSON Pointer leads to; None if it leads to none."""
        tape, at = self.tables["tape"].reshape(-1, r.VALUE), 0
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            named, found = int(tape[at, r.KIND]) == r.OBJECT_VALUE, None
            for which, (name, inner) in enumerate(self._parts(at)):
                if self.value(name) == step if named else str(which) == step:
                    found = inner  # of names that are there twice the last one counts
            if found is None:
                return None
            at = found
        return self.true_row(int(tape[at, r.ROW_OF])) if tape[at, r.DEPTH] else None

    def _parts(self, value: int) -> Iterator[tuple[int, int]]:
        """The members of a value, each by its name and its value, or its items, each twice."""
        tape = self.tables["tape"].reshape(-1, r.VALUE)
        kind, each, end = int(tape[value, r.KIND]), value + 1, int(tape[value, r.NEXT])
        while kind in (r.OBJECT_VALUE, r.ARRAY_VALUE) and each < end:
            inner = each + (kind == r.OBJECT_VALUE)
            yield each, inner
            each = int(tape[inner, r.NEXT])

    def place(self, row: int) -> tuple[str | int, ...]:
        """The names and indices that lead to the subschema of a row."""
        return self.path(self._row(row, r.PLACE_OF))

    def names(self, object_: int) -> list[str]:
        """The names that an object lists, and those that it requires besides."""
        first, count = self._object(object_, r.FIRST_MEMBER), self._object(object_, r.MEMBER_COUNT)
        members = self.tables["member"][r.MEMBER_SIZE * first : r.MEMBER_SIZE * (first + count) : r.MEMBER_SIZE]
        loose = self.loose_names(object_) if self._object(object_, r.LOOSE_COUNT) else []
        return self._decoded(members) + loose

    def loose_names(self, object_: int) -> list[str]:
        """The names that an object requires but does not list."""
        first, count = self._object(object_, r.LOOSE_LISTED), self._object(object_, r.LOOSE_COUNT)
        return self._decoded(self.tables["part"][first : first + count])

    def _decoded(self, values: np.ndarray) -> list[str]:
        """Names and strings without escapes."""
        tape, text = self.tables["tape"], self.text
        ends = tape[r.VALUE * values + r.TO].tolist()
        return [text[begin:end].decode() for begin, end in zip(tape[r.VALUE * values + r.FROM].tolist(), ends)]

    def _object(self, object_: int, column: int) -> int:
        return int(self.tables["object"][r.OBJECT_SIZE * object_ + column])

    def spec(self, number: int) -> list[int]:
        """The columns of a SPEC."""
        found: list[int] = self.tables["spec"][r.SPEC_SIZE * number : r.SPEC_SIZE * (number + 1)].tolist()
        return found

    # ------------------------------------------------------------------------------------------------ what is empty

    def prune(self, is_spec_empty: Callable[[int], bool], is_row_empty: Callable[[int], bool | None]) -> bool:
        """Find out what allows nothing, given that of SPECs and of HARD rows; False if that takes too long.

        HARD rows of which that is not known (None) count as not empty, and are asked again the next time.
        """
        with _lock:
            if self.is_pruned:
                return True
            unknown = False
            for what in self.tables["asked"].tolist():
                empty = is_row_empty(what >> 1) if what & 1 else is_spec_empty(what >> 1)
                unknown |= empty is None
                if empty and what & 1:
                    self.tables["row"][r.ROW_SIZE * (what >> 1) + r.FLAGS] |= r.EMPTY
                elif empty:
                    self.tables["spec"][r.SPEC_SIZE * (what >> 1) + r.SPEC_FLAGS] = r.EMPTY
            pruned = bool(entry(settle.prune)(self.tables.block))
            self.is_pruned = pruned and not unknown
            return pruned

    def weigh(self, spec_bytes: Callable[[int], float], row_bytes: Callable[[int], float]) -> None:
        """Find the fewest bytes of all rows, given those of SPECs and of HARD rows, unless that is done."""
        with _lock:
            if self._is_weighed:
                return
            self._is_weighed = True
            rows, spec = self.tables["row"].reshape(-1, r.ROW_SIZE), self.tables["spec"].reshape(-1, r.SPEC_SIZE)
            reached = rows[:, r.FLAGS] & (r.REACHED | r.EMPTY) == r.REACHED
            allowed = rows[reached & (rows[:, r.ROW_KIND] == r.ALLOWED)]
            for number in set(np.concatenate((allowed[:, r.STRINGS], allowed[:, r.NUMBERS])).tolist()):
                if number >= r.FIRST_SPEC and not spec[number, r.SPEC_FLAGS] & r.EMPTY:
                    spec[number, r.SPEC_BYTES] = _whole(spec_bytes(number))
            for row in np.flatnonzero(reached & (rows[:, r.ROW_KIND] == r.HARD)).tolist():
                rows[row, r.LISTED] = _whole(row_bytes(row))
            entry(settle.prune)(self.tables.block)

    @property
    def nbytes(self) -> int:
        """Memory that its tables take."""
        return self.tables.nbytes + len(self.text)

    def __repr__(self) -> str:
        head = self.tables["head"]
        return f"<SchemaRows {head[r.ROWS]} rows, {head[r.OBJECTS]} objects, {head[r.ARRAYS]} arrays>"


def _whole(size: float) -> int:
    """A size as tables have it."""
    return int(min(size, _LARGEST))


@lru_cache(maxsize=1)
def _scratch() -> Tables:
    """The tables that schemas are read in, with the dictionary of keywords and types."""
    tables = Tables([Column(name, kind, 32 if name == "head" else 1) for name, kind in _TABLES])
    _make_room(tables, 1000, 10_000)
    words = [word.encode() for word in (*keywords.KEYWORDS, *keywords.TYPE_NAMES)]
    tables.replace("letter", np.frombuffer(b"".join(words), np.uint8))
    tables.replace("word_at", np.cumsum([0, *map(len, words)]))
    tables.replace("dictionary", np.zeros(512, np.int32))
    entry(tape.add_words)(tables.block, len(words))
    return tables


@lru_cache(maxsize=16)
def _settings_of(draft: Draft) -> tuple[int, int]:
    """The keywords that count in a draft, and its settings."""
    settings = r.LONE_REF * draft.lone_ref | r.OLD_ITEMS * draft.old_items | r.BOOLEAN_BOUNDS * draft.boolean_bounds
    return keywords.bits_of(draft.keywords), settings


def read_rows(text: str, draft: Draft) -> SchemaRows | None:
    """The rows of a schema in a draft, unless `$schema` says another one; None if it is not understood."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return None
    with _lock:
        tables = _scratch()
        values = 2 + sum(map(data.count, (b",", b":", b"{", b"[")))
        _make_room(tables, values, len(data))
        tables["text"][: len(data)] = np.frombuffer(data, np.uint8)
        head, block = tables["head"], tables.block
        head[: r.ROUNDS] = 0
        if not entry(tape.lay_tape)(block, len(data)):
            return None
        named = _named_draft(tables, data, draft)
        if named is None:
            return None
        head[r.COUNTING], head[r.SETTINGS] = _settings_of(named)
        head[r.ROUNDS] = _ROUNDS
        understood = entry(marks.mark_all)(block) and entry(row_units.make_rows)(block) and entry(settle.resolve)(block)
        return SchemaRows(_kept(tables), data, named) if understood else None


def _make_room(tables: Tables, values: int, size: int) -> None:
    """Have room for what so many values can make."""
    tables.grow(r.TEXT, size)
    if len(tables["keywords_of"]) >= values:
        return
    values *= 2
    for table, most in (
        (r.TAPE, r.VALUE * values), (r.KEYWORDS_OF, values), (r.ROW, r.ROW_SIZE * (values + 2)),
        (r.OBJECT, r.OBJECT_SIZE * (values + 1)), (r.MEMBER, r.MEMBER_SIZE * values),
        (r.ARRAY, r.ARRAY_SIZE * (values + 1)), (r.PART, 2 * values), (r.GROUP, 4 * values + 2),
        (r.SPEC, r.SPEC_SIZE * (3 * values + r.FIRST_SPEC + 1)),
        (r.PATTERN, values), (r.STACK, values + 2 * tape.NESTED), (r.SIZES, values + 2), (r.ASKED, 4 * values),
    ):  # fmt: skip
        tables.grow(table, most)


def _named_draft(tables: Tables, data: bytes, draft: Draft) -> Draft | None:
    """The draft of a schema whose tape has been laid; None if it is not known."""
    tape_rows, at = tables["tape"], 1
    if tape_rows[r.KIND] != r.OBJECT_VALUE or b'"$schema"' not in data:
        return draft
    found: Draft | None = draft
    while at < tape_rows[r.NEXT]:
        if tape_rows[r.VALUE * at + r.CODE] == keywords.SCHEMA + 1:
            kind, begin, end = tape_rows[r.VALUE * (at + 1) : r.VALUE * (at + 1) + 3].tolist()
            found = draft_of(data[begin:end].decode()) if kind == r.STRING_VALUE else None
        at = int(tape_rows[r.VALUE * (at + 1) + r.NEXT])
    return found


def _kept(scratch: Tables) -> Tables:
    """A copy of what has been made in scratch."""
    head = scratch["head"].tolist()
    sizes = dict.fromkeys(range(len(_TABLES)), 0)
    sizes |= {table: columns * head[scalar] for table, scalar, columns in _USED}
    sizes[r.HEAD], sizes[r.TEXT] = 32, int(scratch["tape"][r.TO])
    tables = Tables([Column(name, kind, sizes[table]) for table, (name, kind) in enumerate(_TABLES)])
    for table, (name, _) in enumerate(_TABLES):
        if sizes[table]:
            tables[name][:] = scratch[name][: sizes[table]]
    return tables
