"""The tables of sessions as they begin: block S, one for each, and block X, the scratch of the process."""

from __future__ import annotations

import numpy as np

from constrain.engine import tables as t
from constrain.ir import schema_rows as r
from constrain.ir.grammar import Rows
from constrain.jit import Column, Tables

EAGER = 1000
"""States of the network that are written before the first mask; the others when they are reached."""


def make_scratch() -> Tables:
    """Make block X."""
    return Tables(
        [
            Column("scratch", np.int64, 16),
            Column("activation", np.int64, 8 << 6),
            Column("context", np.int64, 2 << 6),
            Column("seen", np.int64, 2 << 9),
            Column("inner_call", np.int64, 5 << 6),
            Column("new_item", np.int64, t.ITEM << 6),
            Column("ordered", np.int64, 4 << 6),
            Column("record", np.int64, 1 << 11),
            Column("simulated", np.int64, 1 << 8),
            Column("stack", np.int64, t.PLACED << 10),
            Column("found", np.int64, t.PLACED << 8),
            Column("set_tokens", np.int64, 1 << 12),
            Column("cleared", np.int64, 1 << 12),
            Column("base", np.int64, 1 << 6),
            Column("try", np.int64, 1 << 10),
            Column("front", np.int64, t.ITEM << 6),
            Column("back", np.int64, t.ITEM << 6),
            Column("gather", np.int64, 3 << 6),
            Column("resolve", np.int64, 3 << 6),
            Column("hold", np.int64, 2 << 6),
            Column("bucket", np.int64, 264),
            Column("mask_row", np.int64, 1 << 8),
            Column("wanted", np.int64, 1 << 8),
            Column("before_row", np.int64, 1 << 8),
            Column("leaves", np.int64, 1 << 8),
            Column("word", np.int64, 1 << 9),
            Column("word_byte", np.uint8, 1 << 11),
            Column("level", np.int64, 1 << 9),
            Column("todo", np.int64, 1 << 7),
        ]
    )


def make_tables(rows: Rows | None) -> Tables:
    """Make block S, with room for what is made of rows before the first mask."""
    head = rows.rows.tables["head"].tolist() if rows is not None else [0] * 16
    objects, members, arrays = head[r.OBJECTS], head[r.MEMBERS], head[r.ARRAYS]
    states = 16 + min(4 * objects + 3 * members + 4 * arrays, 2 * EAGER)
    letters = 0 if rows is None else min(2 * len(rows.rows.tables["text"]), 8 * states)
    return Tables(
        [
            Column("session", np.int64, 64),
            Column("heap", np.int64, 1 << 11),
            Column("hash", np.int64, 1 << 8),
            Column("net", np.int32, 8 * (16 + states)),
            Column("literal", np.int64, (1 << 8) + letters),
            Column("leaf", np.int32, 3 * (16 + states)),
            Column("arc", np.int64, 3 * (16 + 2 * states)),
            Column("call", np.int32, 2 * (16 + states)),
            Column("special", np.int32, 2 << 2),
            Column("special_id", np.int32, 8),
            Column("special_at", np.int32, 8),
            Column("eos", np.int32, 1),
            Column("row_key", np.int64, 16 + states),
            Column("key_state", np.int32, 4 << (16 + states).bit_length()),
            Column("spell", np.int64, 3 * (1 + head[r.SPECS])),
            Column("spell_word", np.int32, 1 << 5),
            Column("spell_byte", np.uint8, 1 << 7),
            Column("hard_rule", np.int32, 1 + head[r.ROWS]),
            Column("escape", np.int64, 1 << 6),
            Column("escape_hash", np.int32, 1 << 7),
            Column("meaning", np.uint8, 1 << 8),
            Column("meaning_at", np.int32, 1 << 5),
            Column("meaning_hash", np.int32, 1 << 6),
            Column("leaf_of", np.int32, 16 + states),
        ]
    )


_scratch: Tables | None = None


def scratch() -> Tables:
    """Block X of the process."""
    global _scratch
    if _scratch is None:
        _scratch = make_scratch()
    return _scratch
