"""Whether there is room for phrases in the length that an output may have: what can be told without a search.

In:  a constraint. Out: nothing, or an UnsatisfiableError that names the phrases and the length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from constrain.errors import UnsatisfiableError
from constrain.specs.base import Conjunction, Spec
from constrain.specs.length import Length
from constrain.specs.lexical import Lexical, Phrase
from constrain.specs.phrases import Reading


def check_room(spec: Spec) -> None:
    """Raise UnsatisfiableError if phrases that must be present are longer than the output may be.

    >>> from constrain import length, lexical
    >>> check_room(lexical(["lazy dog"]) & length(chars=7))
    Traceback (most recent call last):
        ...
    constrain.errors.UnsatisfiableError: 'lazy dog' has 8 characters, and the output at most 7
    """
    parts = spec.parts if isinstance(spec, Conjunction) else ()
    for unit in ("chars", "words"):
        bounds = [getattr(part, unit) for part in parts if isinstance(part, Length)]
        most = min((high for _, high in filter(None, bounds) if high is not None), default=None)
        for part in parts if most is not None else ():
            if isinstance(part, Lexical):
                _check(part, unit, most or 0)


def _check(spec: Lexical, unit: str, most: int) -> None:
    needed = list(_needed(spec, unit))
    name = {"chars": "characters"}.get(unit, unit)
    for phrase, size in needed:
        if size > most:
            raise UnsatisfiableError(f"{phrase.text!r:.80} has {size} {name}, and the output at most {most}")
    if unit == "chars" and sum(size for _, size in needed) > most and _never_share(spec):
        total = sum(size for _, size in needed)
        raise UnsatisfiableError(
            f"{len(needed)} phrases that must be present have {total} {name}, and the output at most {most}"
        )


def _needed(spec: Lexical, unit: str) -> Iterator[tuple[Phrase, int]]:
    """The shortest phrase of each clause that one of its phrases has to meet, and its size."""
    for clause in spec.clauses:
        if clause.present and not clause.absent:
            sized = [(_size(phrase.text, unit), n) for n, phrase in enumerate(clause.present)]
            size, n = min(sized)
            yield clause.present[n], size


def _size(text: str, unit: str) -> int:
    return len(text) if unit == "chars" else sum(1 for run in text.split() if re.search(r"\w", run))


def _never_share(spec: Lexical) -> bool:
    """Whether phrases of different clauses have no text in common, however they are written."""
    reading = Reading(spec.words, spec.ignore_case, spec.overlapping)
    clauses = [clause for clause in spec.clauses if clause.present and not clause.absent]
    return not any(
        p.text == q.text or reading.may_overlap(p.text, q.text)
        for i, one in enumerate(clauses)
        for other in clauses[:i]
        for p in one.present
        for q in other.present
    )
