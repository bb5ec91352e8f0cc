"""What `constrain.kernels.phrases` must answer, from the definitions: occurrences found with `re`, and tried out.

Texts are bytes; what is no UTF-8 in them is read as lone surrogates, which no phrase holds and no letter is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

Literal = tuple[str, int]
"""A phrase, and how often."""
Clause = tuple[Sequence[Literal], Sequence[Literal]]
"""What may be present, and what absent."""
Span = tuple[int, int]


def spans_ref(data: bytes, phrase: str, words: bool, ignore_case: bool) -> list[Span]:
    """All occurrences of a phrase, as (begin, end) in characters.

    >>> spans_ref(b"abaXaba", "aba", words=False, ignore_case=False)
    [(0, 3), (4, 7)]
    """
    text = data.decode("utf-8", "surrogateescape")
    pattern = re.escape(phrase)
    if words:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    found = re.finditer(f"(?=({pattern}))", text, re.IGNORECASE if ignore_case else 0)
    return [match.span(1) for match in found]


def most_apart_ref(spans: Sequence[Span]) -> int:
    """How many of some spans can be chosen so that no two overlap.

    >>> most_apart_ref([(0, 2), (1, 3), (2, 4)])
    2
    """
    chosen, free = 0, 0
    for begin, end in sorted(spans, key=lambda span: span[1]):
        if begin >= free:
            chosen, free = chosen + 1, end
    return chosen


def meets_ref(data: bytes, clauses: Sequence[Clause], modes: dict[str, Any]) -> bool:
    """Whether a text meets all clauses. `modes` are `ordered`, `words`, `ignore_case` and `overlapping`."""

    def spans(phrase: str) -> list[Span]:
        return spans_ref(data, phrase, modes["words"], modes["ignore_case"])

    def occurs(literal: Literal) -> bool:
        found = spans(literal[0])
        return (len(found) if modes["overlapping"] else most_apart_ref(found)) >= literal[1]

    wanted = []
    for present, absent in clauses:
        if not any(not occurs(literal) for literal in absent):
            wanted.append(list(present))
    if modes["ordered"]:
        return _in_order(wanted, spans, modes["overlapping"])
    if modes["overlapping"]:
        return all(any(occurs(literal) for literal in present) for present in wanted)
    return any(_all_apart(list(chosen), spans) for chosen in product(*wanted))


def _in_order(wanted: Sequence[Sequence[Literal]], spans: Any, overlapping: bool) -> bool:
    """Whether the clauses are met one after the other: the earliest end of each decides."""
    free = 0
    for present in wanted:
        ends = []
        for phrase, count in present:
            late = [span for span in spans(phrase) if span[0] >= free]
            if overlapping:
                ends += [sorted(end for _, end in late)[count - 1]] if len(late) >= count else []
            else:
                ends += [end for _, end in late if most_apart_ref([one for one in late if one[1] <= end]) >= count]
        if not ends:
            return False
        free = min(ends)
    return True


def _all_apart(chosen: list[Literal], spans: Any) -> bool:
    """Whether each of some literals can have occurrences of its own, none of which overlap: by trying all."""
    demands = [phrase for phrase, count in chosen for _ in range(count)]

    def place(todo: list[str], taken: list[Span]) -> bool:
        if not todo:
            return True
        for begin, end in spans(todo[0]):
            if all(end <= other[0] or begin >= other[1] for other in taken) and place(todo[1:], [*taken, (begin, end)]):
                return True
        return False

    return place(demands, [])
