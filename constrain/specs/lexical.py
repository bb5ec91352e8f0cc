"""What words an output must hold, and which it must not: the values that masks and beams are both made from.

A *phrase* is text. A *clause* is met by an output that holds one of some phrases or lacks one of others; a constraint
is a list of clauses, all of them to be met (conjunctive normal form, as in NeuroLogic, Lu et al. 2021). Phrases are
looked for in the bytes of the output, however it is cut into tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from constrain.errors import SpecTypeError, UnsatisfiableError
from constrain.ir.expr import Expr
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs.base import Spec
from constrain.specs.phrases import Clause as Clause
from constrain.specs.phrases import Phrase as Phrase
from constrain.specs.phrases import Reading, lower_phrases

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lexical(Spec):
    """Outputs that meet every clause.

    `ordered`: the clauses with phrases to be present are met one after the other, each by an occurrence that begins
    where that of the one before has ended, or later. `words`: a phrase counts only where no letter, digit or underscore
    touches its ends from outside. `ignore_case`: letters are compared without case. `overlapping`: occurrences may
    share text; if False, every occurrence that is counted is text of its own (multiset semantics).
    """

    clauses: tuple[Clause, ...]
    ordered: bool = False
    words: bool = False
    ignore_case: bool = False
    overlapping: bool = True

    @property
    def reading(self) -> Reading:
        """What counts as an occurrence of a phrase."""
        return Reading(self.words, self.ignore_case, self.overlapping)

    def lower(self, limits: Limits, languages: Languages | None = None) -> Expr:
        """See `Spec.lower`. Raises UnsatisfiableError for phrases that exclude each other."""
        return lower_phrases(self.clauses, self.ordered, self.reading, limits)


def lexical(
    include: Iterable[str | Phrase | Iterable[str | Phrase]] = (),
    exclude: Iterable[str | Phrase] = (),
    *,
    clauses: Iterable[Clause] = (),
    ordered: bool = False,
    words: bool = False,
    ignore_case: bool = False,
    overlapping: bool = True,
) -> Lexical:
    """The output holds every phrase of `include`, and none of `exclude`.

    An element of `include` may be a list: one of these is enough. `Phrase("ha", count=3)` occurs three times or more;
    excluded, less often than that. `clauses` says more: each is met by an output that holds one of some phrases *or*
    lacks one of others. `Lexical` tells what the options mean. Outputs are otherwise any text.

    Raises SpecTypeError if something is no phrase, UnsatisfiableError if phrases exclude each other.

    >>> lexical(include=["lazy dog", ["run", "ran"]], exclude=["cat"]).clauses[1].present
    (Phrase(text='run', count=1), Phrase(text='ran', count=1))
    """
    listed = [Clause(present=_alternatives(one, n)) for n, one in enumerate(_each(include, "include"))]
    listed += [Clause(absent=(_phrase(one, f"exclude[{n}]"),)) for n, one in enumerate(_each(exclude, "exclude"))]
    listed += [_checked(clause, n) for n, clause in enumerate(_each(clauses, "clauses"))]
    if not listed:
        raise SpecTypeError("lexical() of no phrases constrains nothing: pass include=, exclude= or clauses=")
    if not ordered and overlapping:  # once is enough
        listed = list(dict.fromkeys(listed))
    spec = Lexical(tuple(listed), bool(ordered), bool(words), bool(ignore_case), bool(overlapping))
    lower_phrases(spec.clauses, spec.ordered, spec.reading, Limits())  # says what can be seen from the phrases alone
    return spec


def _each(given: Iterable[_T], name: str) -> list[_T]:
    if isinstance(given, str | bytes | Phrase | Clause) or not isinstance(given, Iterable):
        raise SpecTypeError(f"lexical({name}=..) takes a list, not {type(given).__name__} {given!r:.40}")
    return list(given)


def _alternatives(given: str | Phrase | Iterable[str | Phrase], n: int) -> tuple[Phrase, ...]:
    """The phrases of an element of `include`."""
    where = f"include[{n}]"
    if isinstance(given, str | Phrase) or not isinstance(given, Iterable):
        return (_phrase(given, where),)
    found = tuple(dict.fromkeys(_phrase(one, f"{where}[{i}]") for i, one in enumerate(given)))
    if not found:
        raise UnsatisfiableError(f"lexical: {where} is an empty list, and no output holds one of no phrases")
    return found


def _phrase(given: object, where: str) -> Phrase:
    phrase = Phrase(given) if isinstance(given, str) else given
    if not isinstance(phrase, Phrase) or not isinstance(phrase.text, str):
        raise SpecTypeError(f"lexical: {where} is a string or a constrain.Phrase, not {type(given).__name__}")
    if not phrase.text:
        raise SpecTypeError(f"lexical: {where} is the empty phrase, which is in every text; leave it out")
    if any("\ud800" <= character <= "\udfff" for character in phrase.text):
        raise SpecTypeError(f"lexical: {where} holds a lone surrogate, which cannot be written in UTF-8")
    if type(phrase.count) is not int or phrase.count < 1:
        raise SpecTypeError(f"lexical: {where} has a count of {phrase.count!r:.40}; it is an integer, 1 or more")
    return phrase


def _checked(clause: object, n: int) -> Clause:
    where = f"clauses[{n}]"
    if not isinstance(clause, Clause):
        raise SpecTypeError(f"lexical: {where} is a constrain.Clause, not {type(clause).__name__}")
    if not clause.present and not clause.absent:
        raise UnsatisfiableError(f"lexical: {where} names no phrases, and nothing meets it; leave it out")
    present, absent = (tuple(_phrase(one, where) for one in phrases) for phrases in (clause.present, clause.absent))
    return Clause(present, absent)
