"""Traces of texts as lines, for people, and as values, for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from constrain.automaton import TokenAutomaton
    from constrain.debug.trace import OpenRule, Trace, TraceStep

_NAMES = 4
"""Names shown in one column."""
_RULES = 8
"""Rules shown of a path; the outermost and the innermost ones."""
_WAYS = 4
"""Ways to read one byte that are shown."""


def steps(automaton: TokenAutomaton, data: bytes) -> Trace:
    """The trace of a text."""
    from constrain.debug.trace import trace

    return trace(automaton, data)


def fields(trace: Trace) -> list[dict[str, Any]]:
    """A trace for machines: an object for each byte that was read."""
    return [_step_fields(step) for step in trace.steps]


def _step_fields(step: TraceStep) -> dict[str, Any]:
    opened = [{"rules": one.rules, "reading": one.reading, "ended": one.ended} for one in step.open]
    return {"byte": step.byte, "open": opened, "follow_hex": step.follow.hex(), "may_end": step.may_end}


def lines(trace: Trace) -> Iterator[str]:
    """A trace for people: a line for each byte, and for each further way to read it."""
    if not any(step.open for step in trace.steps):
        yield from _regular(trace) if trace.steps else ()
        return
    rows = [("byte", "ended", "reading", "rules open")]
    for step in trace.steps:
        ways = [(_names(one.ended), _names(one.reading), path(one)) for one in step.open[:_WAYS]]
        ways += [("", "", f"… {len(step.open) - _WAYS} more")] if len(step.open) > _WAYS else []
        rows += [(_byte(step) if n == 0 else "", *way) for n, way in enumerate(ways)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip()


def _regular(trace: Trace) -> Iterator[str]:
    from constrain.explanation import show_bytes

    yield "byte  next"
    for step in trace.steps:
        parts = [show_bytes(step.follow)] if step.follow else []
        yield f"{_byte(step):<4}  {' or '.join(parts + ['the end'] * step.may_end)}"


def _byte(step: TraceStep) -> str:
    return repr(chr(step.byte)) if step.byte < 0x7F else f"0x{step.byte:02X}"


def _names(names: Sequence[str]) -> str:
    from constrain.explanation import show_names

    return show_names(names, _NAMES)


def path(one: OpenRule) -> str:
    """The rules that are open; repeated ones once, the middle of many left out.

    >>> from constrain.debug.trace import OpenRule
    >>> path(OpenRule(("start", "list", "list", "list", "item"), (), ()))
    'start > list ×3 > item'
    """
    runs = [(name, len(list(run))) for name, run in groupby(one.rules)]
    shown = [name if count == 1 else f"{name} ×{count}" for name, count in runs]
    if len(shown) > _RULES:
        shown = [*shown[:2], "…", *shown[2 - _RULES :]]
    return " > ".join(shown)
