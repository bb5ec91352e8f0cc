"""The units that constraints call from the first token on, loaded or compiled together.

What intersections, longest match and numbers of tokens need besides is compiled when one of them is used.
"""

from __future__ import annotations

from collections.abc import Callable

from constrain import jit
from constrain.automata import assemble, clip, derive, interning
from constrain.engine import (
    advance,
    counted_strings,
    earley,
    mask,
    records,
    row_states,
    row_values,
    subtree_sets,
    token_sets,
    token_tries,
    values,
)
from constrain.specs.json_schema import marks, row_units, settle, tape

ENTRIES = (
    *(interning.rehash, interning.make_pair, assemble.assemble, assemble.start_of, clip.clipped, derive.make_ready),
    *(tape.add_words, tape.lay_tape, marks.mark_all, row_units.make_rows, settle.resolve, settle.prune),
    *(token_tries.lay_trie, token_sets.ready_sets, token_sets.token_set),
    *(counted_strings.counted_set, counted_strings.remember_counted),
    *(subtree_sets.set_below, subtree_sets.remember_below),
    *(records.intern, records.rehash, earley.closure, earley.finish, advance.go, advance.commit),
    *(advance.read_byte, advance.load_items, mask.fill, mask.add_tried),
    *(row_states.write_state, row_states.write_states, row_values.state_of, row_values.rehash_keys),
    values.rehash_meanings,
)
"""What is called from Python."""


def prepare(progress: Callable[[str, int, int], None] | None = None) -> int:
    """Load these units and those that they call; how many had to be compiled. `progress` as of `jit.load`."""
    return 0 if jit.INTERPRETED else jit.load(progress, ENTRIES)


def is_prepared() -> bool:
    """Whether nothing has to be compiled for them: in this process, or on disk for this processor."""
    return jit.INTERPRETED or jit.is_ready(ENTRIES)
