"""Phrases that an output must hold, or must not, to expressions.

In:  `constrain.lexical.Lexical` values.
Out: a `constrain.ir.expr` value: regular languages over bytes, of texts in UTF-8.

An output that lacks some phrases is a *frame*; that it holds others is a *goal*. As long as a phrase can be written
anywhere without spelling one that is banned, which is proved here, no prefix within the frame is a dead end: end the
last character, write a character that occurs in no phrase, and after it all phrases, each with this character behind
it. That is the promise of `Towards`. It spares a search that would have to come by sets of phrases (2**n of them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from constrain.errors import LimitExceeded, UnsatisfiableError
from constrain.ir.expr import (
    NOTHING,
    And,
    Anything,
    Chars,
    Expr,
    Literal,
    Not,
    Repeat,
    Towards,
    Words,
    alt,
    concat,
    optional,
)
from constrain.specs import unicode
from constrain.specs.regex import parse_regex

if TYPE_CHECKING:
    from constrain.limits import Limits

ANY = Anything()
TEXT = Repeat(Chars(((0, 0x10FFFF),)), 0, None)
"""Whole characters."""
SEPARATORS = "\n\t\r ,;|/-+*=#~^&%$@!?.:<>()[]{}'\"`\\\v\f" + "".join(map(chr, [*range(1, 9), *range(14, 32), 127]))
"""Characters that are no part of words; one that occurs in no phrase keeps phrases apart."""


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


def lower_phrases(clauses: Sequence[Clause], ordered: bool, reading: Reading, limits: Limits) -> Expr:
    """The texts that meet all clauses. Raises UnsatisfiableError, LimitExceeded."""
    bans = [clause for clause in clauses if not clause.present]
    goals = [_feasible(clause, bans, reading) for clause in clauses if clause.present]
    frame = _frame(bans, reading)
    if not goals:
        return frame
    if len(goals) > limits.alternatives:
        raise LimitExceeded("alternatives", len(goals), limits.alternatives, "phrases that must be present")
    held = _held(goals, ordered, reading, limits)
    if _is_promised(goals, bans, reading):
        return Towards(frame, held)
    return And((frame, held))


class Reading:
    """What counts as an occurrence of a phrase."""

    def __init__(self, words: bool, ignore_case: bool, overlapping: bool) -> None:
        self.words, self.flags, self.overlapping = words, re.IGNORECASE if ignore_case else 0, overlapping
        outside = Chars(unicode.complement(unicode.word()))
        self.opening: Expr = alt([Literal(b""), concat([ANY, outside])]) if words else ANY
        """What may stand before a phrase."""
        self.closing: Expr = alt([Literal(b""), concat([outside, ANY])]) if words else ANY
        """What may stand behind one."""
        self._between = concat([outside, optional(concat([ANY, outside]))])

    def spell(self, text: str) -> Expr:
        """The ways to write a phrase."""
        return parse_regex(re.escape(text), self.flags) if self.flags else Literal(text.encode())

    def gap(self, end: str, text: str) -> Expr:
        """What may stand between the `end` of a phrase and another one that shares no text with it."""
        if not end or not self.words:
            return self.opening
        touching = not _is_word(end) and not _is_word(text[0])
        return optional(self._between) if touching else self._between

    def again(self, text: str) -> list[str]:
        """Ends of a phrase that, written behind it, make one more occurrence that begins inside of it."""
        keys = [self.key(character) for character in text]
        shifts = [n for n in range(1, len(text)) if keys[n:] == keys[:-n]]
        if self.words:
            shifts = [n for n in shifts if not _is_word(text[n - 1]) and not _is_word(text[-n])]
        return [text[-n:] for n in shifts]

    def key(self, character: str) -> object:
        """Equal for characters that are not told apart."""
        return _cases(character) if self.flags else character

    def occurs(self, text: str, within: str) -> bool:
        """Whether a phrase occurs in a text."""
        inner = re.escape(text)
        return re.search(rf"(?<!\w){inner}(?!\w)" if self.words else inner, within, self.flags) is not None

    def may_overlap(self, a: str, b: str) -> bool:
        """Whether occurrences of two phrases may share text, and be told apart."""
        one, two = ([self.key(character) for character in text] for text in (a, b))
        return any(_fits(one, two, shift) for shift in range(1 - len(two), len(one)) if (shift, one) != (0, two))


def _fits(one: list[object], two: list[object], shift: int) -> bool:
    """Whether two texts agree where they overlap, if the second begins `shift` characters after the first."""
    return all(one[i] == two[i - shift] for i in range(max(0, shift), min(len(one), shift + len(two))))


@lru_cache(maxsize=4096)
def _cases(character: str) -> object:
    return unicode.case_closure(((ord(character), ord(character)),))


def _is_word(character: str) -> bool:
    return re.match(r"\w", character) is not None


def _end(text: str) -> str:
    """A character like the last one of a text, as far as `Reading.gap` cares."""
    return "a" if _is_word(text[-1]) else "."


# ------------------------------------------------------------------------------------------------------ phrases


def _holds(phrase: Phrase, reading: Reading) -> Expr:
    """Texts in which a phrase occurs often enough."""
    return concat([reading.opening, _chain(phrase, reading), reading.closing])


def _chain(phrase: Phrase, reading: Reading) -> Expr:
    """From the begin of the first of its occurrences to the end of the last one that counts."""
    spelled = reading.spell(phrase.text)
    if phrase.count == 1:
        return spelled
    more = concat([reading.gap(_end(phrase.text), phrase.text), spelled])
    ends = [reading.spell(end) for end in reading.again(phrase.text)] if reading.overlapping else []
    return concat([spelled, Repeat(alt([more, *ends]), phrase.count - 1, phrase.count - 1)])


def _holds_any(phrases: Sequence[Phrase], reading: Reading) -> Expr:
    """Texts in which one of some phrases occurs often enough. Those that count once are one list of words."""
    once = [phrase.text for phrase in phrases if phrase.count == 1]
    listed: list[Expr] = []
    if once:
        spelled = alt([reading.spell(text) for text in once]) if reading.flags else _words(once)
        listed.append(concat([reading.opening, spelled, reading.closing]))
    return alt(listed + [_holds(phrase, reading) for phrase in phrases if phrase.count > 1])


def _words(texts: Sequence[str]) -> Expr:
    return Literal(texts[0].encode()) if len(texts) == 1 else Words(tuple(text.encode() for text in texts))


# ------------------------------------------------------------------------------------------------------- frames


def _frame(bans: Sequence[Clause], reading: Reading) -> Expr:
    """Texts that meet the clauses in which nothing is to be present."""
    banned = [clause.absent[0] for clause in bans if len(clause.absent) == 1]
    parts: list[Expr] = [Not(_holds_any(banned, reading))] if banned else []
    parts += [
        Not(And(tuple(_holds(phrase, reading) for phrase in clause.absent)))
        for clause in bans
        if len(clause.absent) > 1
    ]
    return And((TEXT, *parts)) if parts else TEXT


def _feasible(clause: Clause, bans: Sequence[Clause], reading: Reading) -> Clause:
    """A clause without the phrases that spell a banned one. Raises UnsatisfiableError if nothing is left of it."""
    banned = [clause.absent[0] for clause in bans if len(clause.absent) == 1]
    left, reasons = [], []
    for phrase in clause.present:
        clash = next((ban for ban in banned if ban.count == 1 and reading.occurs(ban.text, phrase.text)), None)
        if clash is None:
            left.append(phrase)
        else:
            reasons.append((phrase.text, clash.text))
    if not left and not clause.absent:
        text, ban = reasons[0]
        what = "is banned" if text == ban else f"holds {ban!r}, which is banned"
        raise UnsatisfiableError(f"{text!r:.80} must be present, and {what}: leave one of the two out")
    return replace(clause, present=tuple(left)) if reasons else clause


def _is_promised(goals: Sequence[Clause], bans: Sequence[Clause], reading: Reading) -> bool:
    """Whether the goals can be met from wherever the bans are; see the top of this file."""
    avoided = [phrase.text for clause in bans for phrase in clause.absent]
    texts = avoided + [phrase.text for clause in goals for phrase in (*clause.present, *clause.absent)]
    if not set(SEPARATORS).difference(*texts):
        return False
    return all(any(_is_free(phrase, avoided, reading) for phrase in clause.present) for clause in goals)


def _is_free(phrase: Phrase, avoided: Sequence[str], reading: Reading) -> bool:
    return not any(reading.occurs(text, phrase.text) for text in avoided)


# -------------------------------------------------------------------------------------------------------- goals


def _held(goals: Sequence[Clause], ordered: bool, reading: Reading, limits: Limits) -> Expr:
    """Texts that meet clauses with phrases to be present."""
    if not ordered and reading.overlapping:
        return _all([_met(clause, reading) for clause in goals])
    if not ordered:
        parts = [_by_absence(part, _apart, reading, limits) for part in _entangled(goals, reading)]
        return _all(parts)
    return _by_absence(goals, _in_order, reading, limits)


def _all(parts: Sequence[Expr]) -> Expr:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _met(clause: Clause, reading: Reading) -> Expr:
    present = [_holds_any(clause.present, reading)] if clause.present else []
    return alt(present + [Not(_holds(phrase, reading)) for phrase in clause.absent])


_Write = Callable[[Sequence["Clause"], Reading, "Limits"], Expr]


def _by_absence(goals: Sequence[Clause], write: _Write, reading: Reading, limits: Limits) -> Expr:
    """Where the occurrences that meet clauses depend on each other: a clause that is met by absence needs none."""
    mixed = [n for n, clause in enumerate(goals) if clause.absent]
    if 2 ** len(mixed) > limits.alternatives:
        raise LimitExceeded("alternatives", 2 ** len(mixed), limits.alternatives, "clauses met by absence or in order")
    found: list[Expr] = []
    for chosen in range(2 ** len(mixed)):
        absent = [goals[n] for i, n in enumerate(mixed) if chosen >> i & 1]
        rest = [clause for clause in goals if clause not in absent]
        if any(not clause.present for clause in rest):
            continue
        parts = [alt([Not(_holds(phrase, reading)) for phrase in clause.absent]) for clause in absent]
        found.append(_all([*parts, write(rest, reading, limits)] if rest else parts))
    return alt(found) if found else NOTHING


def _in_order(goals: Sequence[Clause], reading: Reading, limits: Limits) -> Expr:
    """One clause after the other."""

    @cache
    def rest(n: int, end: str) -> Expr:
        if n == len(goals):
            return reading.closing
        ways = [(reading.gap(end, p.text), _chain(p, reading), rest(n + 1, _end(p.text))) for p in goals[n].present]
        return alt([concat(list(way)) for way in ways])

    return rest(0, "")


def _entangled(goals: Sequence[Clause], reading: Reading) -> Iterator[list[Clause]]:
    """Clauses in groups, so that occurrences can share text only within a group."""
    left = list(goals)
    while left:
        group, todo = [left[0]], [left.pop(0)]
        while todo:
            here = todo.pop()
            near = [clause for clause in left if _touch(here, clause, reading)]
            left = [clause for clause in left if all(clause is not other for other in near)]
            group += near
            todo += near
        yield group


def _touch(a: Clause, b: Clause, reading: Reading) -> bool:
    pairs = [(p.text, q.text) for p in a.present for q in b.present]
    return any(reading.may_overlap(p, q) or p == q for p, q in pairs)


def _apart(goals: Sequence[Clause], reading: Reading, limits: Limits) -> Expr:
    """Occurrences that share no text, in any order: by the phrases that are still to come."""
    if len(goals) == 1:
        return _holds_any(goals[0].present, reading)
    size = 1
    for clause in goals:
        size *= 2 + sum(phrase.count - 1 for phrase in clause.present)
    if size > limits.alternatives:
        raise LimitExceeded(
            "alternatives", size, limits.alternatives, "sets of phrases that share no text, though they might overlap"
        )

    @cache
    def rest(todo: tuple[tuple[Phrase, ...], ...], end: str) -> Expr:
        """What may follow behind a phrase, or at the start, if for each of these clauses a phrase is still to come."""
        if not todo:
            return reading.closing
        ways = []
        for n, clause in enumerate(todo):
            others = todo[:n] + todo[n + 1 :]
            for phrase in () if clause in todo[:n] else clause:
                after = tuple(sorted((*others, *_one_less(phrase)), key=_order))
                spelled = reading.spell(phrase.text)
                ways.append(concat([reading.gap(end, phrase.text), spelled, rest(after, _end(phrase.text))]))
        return alt(ways)

    return rest(tuple(sorted((clause.present for clause in goals), key=_order)), "")


def _order(phrases: tuple[Phrase, ...]) -> list[tuple[str, int]]:
    return [(phrase.text, phrase.count) for phrase in phrases]


def _one_less(phrase: Phrase) -> tuple[tuple[Phrase, ...], ...]:
    """The clause that is left once a phrase has occurred."""
    return ((replace(phrase, count=phrase.count - 1),),) if phrase.count > 1 else ()
