"""What words an output must hold, and which it must not: the values that masks and beams are both made from.

A *phrase* is text. A *clause* is met by an output that holds one of some phrases or lacks one of others; a constraint is a
list of clauses, all of them to be met (conjunctive normal form, as in NeuroLogic, Lu et al. 2021). Phrases are looked
for in the bytes of the output, however it is cut into tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from constrain.spec import Spec


@dataclass(frozen=True, slots=True)
class Phrase:
    """Text that occurs at least `count` times."""

    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Clause:
    """Met by an output that holds one of `present`, or lacks one of `absent`."""

    present: tuple[Phrase, ...] = ()
    absent: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class Lexical(Spec):
    """Outputs that meet every clause.

    `ordered`: the clauses with phrases to be present are met one after the other, each by an occurrence that begins where
    that of the one before has ended, or later. `words`: a phrase counts only where no letter, digit or underscore touches
    its ends from outside. `ignore_case`: letters are compared without case. `overlapping`: occurrences may share text;
    if False, every occurrence that is counted is text of its own (multiset semantics).
    """

    clauses: tuple[Clause, ...]
    ordered: bool = False
    words: bool = False
    ignore_case: bool = False
    overlapping: bool = True
