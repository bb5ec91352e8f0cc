r"""Constraints on the units of a text, after COLLIE, and its thirteen structures by name.

Yao et al., "COLLIE: Systematic Construction of Constrained Text Generation Tasks" (2023), build constraints from a
level of the text, what is counted or looked at there, and a relation. How many units there are is `constrain.length`;
`each`, `some`, `none` and `at` say what holds of them, by any regular constraint, other units included:

>>> each("sentence", at("word", {1: "soft"})) & some("word", "beach") & length(sentences=(2, 3)) is not None
True

Sentences and paragraphs are those of `constrain.specs.units`, without white space around them. A *word* is a run
between white space, without the characters other than letters, digits and underscores at its ends; words given as
strings are compared without case. The original judges with tokenizers of NLTK, which take "don't" and sentences that
end with abbreviations otherwise.

All thirteen structures are regular. What is not is a relation between counts that nothing bounds, or between words that
nobody names: `structure` refuses these by name, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constrain.errors import SpecTypeError, UnsatisfiableError, UnsupportedError
from constrain.ir import expr as ir
from constrain.ir.grammar import Grammar, Restricted
from constrain.ir.languages import Languages
from constrain.limits import Limits
from constrain.specs import unicode, units
from constrain.specs.base import Regex, Spec, regex
from constrain.specs.length import length

LEVELS = ("word", "sentence", "paragraph")


@dataclass(frozen=True, slots=True)
class Units(Spec):
    """Texts by what holds of their units. Made by `each`, `some` and `at`."""

    level: str
    kind: str
    """"each", "some", or "at"."""
    parts: tuple[tuple[int, Spec], ...]
    """What holds, and of which unit (counted from 1, or from -1 backwards; 0 for any)."""
    negated: bool = False
    """Whether it is that the unit does *not* meet the part."""

    def lower(self, limits: Limits, languages: Languages | None = None) -> ir.Expr:
        """See `Spec.lower`. Raises UnsupportedError if a part is a grammar."""
        within = [(n, self._within(part.lower(limits, languages))) for n, part in self.parts]
        unit, (lead, between, tail) = _unit(self.level), _around(self.level)
        if self.kind == "each":
            return _join(lead, ir.optional(_row(within[0][1], between)), tail)
        if self.kind == "some":
            before = ir.Repeat(ir.concat([unit, between]), 0, None)
            after = ir.Repeat(ir.concat([between, unit]), 0, None)
            return ir.concat([lead, before, within[0][1], after, tail])
        forward = _listed({n: part for n, part in within if n > 0}, unit, between)
        backward = _listed({-n: part for n, part in within if n < 0}, unit, between, backward=True)
        rows = [_join(lead, row, tail) for row in (forward, backward) if row is not None]
        return rows[0] if len(rows) == 1 else ir.And(tuple(rows))

    def _within(self, part: ir.Expr | Grammar | Restricted) -> ir.Expr:
        if isinstance(part, Grammar | Restricted):
            raise UnsupportedError(
                f"{self.kind}({self.level!r}, ..) takes a regular constraint, not a grammar or a schema"
            )
        return ir.And((_unit(self.level), ir.Not(ir.Closed(part)) if self.negated else ir.Closed(part)))


def each(level: str, part: Spec | str) -> Units:
    """Every unit meets a constraint. A text without units does, too.

    >>> each("word", length(chars=(1, 5))).kind
    'each'
    """
    return Units(_level(level), "each", ((0, _part(part)),))


def some(level: str, part: Spec | str) -> Units:
    """A unit meets a constraint."""
    return Units(_level(level), "some", ((0, _part(part)),))


def none(level: str, part: Spec | str) -> Units:
    """No unit meets a constraint."""
    return Units(_level(level), "each", ((0, _part(part)),), negated=True)


def at(level: str, parts: Mapping[int, Spec | str]) -> Units:
    """The units at some places are there, and meet a constraint each. Places count from 1, or from -1 backwards."""
    listed = tuple((place, _part(part)) for place, part in sorted(parts.items()))
    for place, _ in listed:
        if not isinstance(place, int) or isinstance(place, bool) or place == 0:
            raise SpecTypeError(f"at({level!r}, ..): {place!r} is no place; they count from 1, or from -1 backwards")
    if not listed:
        raise SpecTypeError(f"at({level!r}, ..) of no places")
    return Units(_level(level), "at", listed)


def _level(level: str) -> str:
    if level not in LEVELS:
        raise SpecTypeError(
            f"a level is one of {', '.join(LEVELS)}, not {level!r:.40}; characters are what regex() is about"
        )
    return level


def _part(part: Spec | str) -> Spec:
    if isinstance(part, Spec):
        return part
    if not isinstance(part, str) or not part.strip():
        raise SpecTypeError(f"a unit meets a constraint or is a given text, not {type(part).__name__} {part!r:.40}")
    return regex(re.escape(part), re.IGNORECASE)


# -------------------------------------------------------------------------------------------------- expressions


def _unit(level: str) -> ir.Expr:
    if level == "sentence":
        return units.sentence()
    space, word = unicode.space(), unicode.word()
    visible = ir.Chars(unicode.complement(space))
    if level == "word":
        edge = ir.Chars(word)
        return ir.concat([edge, ir.optional(ir.concat([ir.Repeat(visible, 0, None), edge]))])
    inline = ir.Repeat(ir.Chars(unicode.intersect(space, unicode.complement(_LINE))), 0, None)
    broken = ir.optional(ir.concat([ir.Chars(_LINE), inline]))
    return ir.concat([visible, ir.Repeat(ir.concat([inline, broken, visible]), 0, None)])


_LINE = ((0x0A, 0x0A),)


def _around(level: str) -> tuple[ir.Expr, ir.Expr, ir.Expr]:
    """What stands before the first unit, between two, and behind the last one."""
    space = ir.Chars(unicode.space())
    blank = ir.Repeat(space, 0, None)
    if level == "sentence":
        return blank, ir.Repeat(space, 1, None), blank
    if level == "paragraph":
        inline = ir.Repeat(ir.Chars(unicode.intersect(unicode.space(), unicode.complement(_LINE))), 0, None)
        return blank, ir.concat([inline, units.blank_line(), blank]), blank
    outside = ir.Repeat(ir.Chars(unicode.complement(unicode.word())), 0, None)
    marks = unicode.intersect(unicode.complement(unicode.word()), unicode.complement(unicode.space()))
    return outside, ir.concat([ir.Repeat(ir.Chars(marks), 0, None), space, outside]), outside


def _join(lead: ir.Expr, row: ir.Expr, tail: ir.Expr) -> ir.Expr:
    return ir.concat([lead, row, tail])


def _row(unit: ir.Expr, between: ir.Expr) -> ir.Expr:
    return ir.concat([unit, ir.Repeat(ir.concat([between, unit]), 0, None)])


def _listed(parts: dict[int, ir.Expr], unit: ir.Expr, between: ir.Expr, backward: bool = False) -> ir.Expr | None:
    """Units in a row, those at some places given, and any number of others beyond."""
    if not parts:
        return None
    row = [parts.get(n, unit) for n in range(1, max(parts) + 1)]
    joined: list[ir.Expr] = []
    for n, one in enumerate(reversed(row) if backward else row):
        joined += [between, one] if n else [one]
    more = ir.Repeat(ir.concat([unit, between] if backward else [between, unit]), 0, None)
    return ir.concat([more, *joined] if backward else [*joined, more])


# --------------------------------------------------------------------------------------------------- structures


def word01(low: int) -> Spec:
    """A word of at least `low` letters."""
    return regex(rf"[^\W\d_]{{{_number(low)},}}")


def word02(letters: int, given: Mapping[int, str]) -> Spec:
    """A word of `letters` letters, of which those at some places (from 1) are given."""
    places = [re.escape(given.get(n, "")) or r"[^\W\d_]" for n in range(1, _number(letters) + 1)]
    if any(not 1 <= n <= letters for n in given):
        raise UnsatisfiableError(f"word02: a word of {letters} letters has none at {max(given)}")
    return regex("".join(places), re.IGNORECASE)


def word03(letters: int, last: str) -> Spec:
    """A word of `letters` letters that ends with `last`."""
    if len(last) > _number(letters):
        raise UnsatisfiableError(f"word03: {letters} letters do not end with {last!r:.40}")
    return regex(rf"[^\W\d_]{{{letters - len(last)}}}{re.escape(last)}", re.IGNORECASE)


def sent01(chars: int) -> Spec:
    """A sentence of `chars` characters."""
    return _one() & length(chars=chars)


def sent02(words: int, given: Mapping[int, str]) -> Spec:
    """A sentence of `words` words, of which those at some places (from 1) are given."""
    if any(not 1 <= abs(n) <= words for n in given):
        raise UnsatisfiableError(f"sent02: a sentence of {words} words has none at some of {sorted(given)}")
    return _one() & _counted(words, words) & at("word", given)


def sent03(words: int, most: int) -> Spec:
    """A sentence of at least `words` words, none of which has more than `most` characters."""
    return _one() & _counted(words, None) & each("word", length(chars=(1, most)))


def sent04(words: Sequence[str]) -> Spec:
    """A sentence that holds some words."""
    return _all([_one(), *(some("word", word) for word in words)])


def para01(word: str) -> Spec:
    """A paragraph each of whose sentences begins with a word; two sentences or more."""
    return _paragraph(2, None) & each("sentence", at("word", {1: word}))


def para02(sentences: int, without: Sequence[str]) -> Spec:
    """A paragraph of `sentences` sentences that does not use some words."""
    return _all([_paragraph(sentences, sentences), *(none("word", word) for word in without)])


def para03(sentences: int, low: int, high: int) -> Spec:
    """A paragraph of `sentences` sentences of `low` to `high` words each."""
    return _paragraph(sentences, sentences) & each("sentence", _counted(low, high))


def para04(sentences: int, words: int) -> Spec:
    """A paragraph of at least `sentences` sentences of at least `words` words each."""
    return _paragraph(sentences, None) & each("sentence", _counted(words, None))


def para05(last: Sequence[str]) -> Spec:
    """A paragraph with one sentence for each of some words, which ends with it."""
    ends = {n: at("word", {-1: word}) for n, word in enumerate(last, 1)}
    return _paragraph(len(ends), len(ends)) & at("sentence", ends)


def pass01(last: Sequence[str]) -> Spec:
    """A text with one paragraph for each of some sentences, which ends with it; two sentences or more each."""
    for one in last:
        if not re.search(units.END + "$", one):
            raise UnsatisfiableError(f"pass01: {one!r:.40} is no sentence: it does not end with an end mark")
    more = length(sentences=(2, None))
    ends = {n: at("sentence", {-1: Regex(re.escape(one))}) & more for n, one in enumerate(last, 1)}
    return length(paragraphs=len(ends)) & at("paragraph", ends)


STRUCTURES: dict[str, Callable[..., Spec]] = {
    function.__name__: function
    for function in (
        *(word01, word02, word03, sent01, sent02, sent03, sent04),
        *(para01, para02, para03, para04, para05, pass01),
    )
}
IRREGULAR = {
    "equal_counts": "that units have as many parts as each other, however many, is no regular language: a number "
    "without bound would have to be remembered. Give the number (length, each), or a union over a few",
    "unique_words": "that no word occurs twice is no regular language: all words so far would have to be remembered. "
    "Name the words that may not recur (lexical(exclude=[Phrase(word, 2)], words=True))",
    "longest_word": "that a unit is longer than all others is no regular language, unless its length is given",
}
"""What COLLIE's language can say beyond its thirteen structures that is not regular, and why."""


def structure(name: str, *arguments: Any, **named: Any) -> Spec:
    """One of the thirteen structures by name, or an UnsupportedError that says why it is none.

    >>> structure("sent01", 40) == sent01(40)
    True
    """
    if name in IRREGULAR:
        raise UnsupportedError(f"{name}: {IRREGULAR[name]}")
    if name not in STRUCTURES:
        raise SpecTypeError(f"structure({name!r:.40}): there are {', '.join(STRUCTURES)}")
    return STRUCTURES[name](*arguments, **named)


def _one() -> Spec:
    """One sentence, in one paragraph, without white space around it."""
    return length(sentences=1, paragraphs=1) & regex(r"(?s)\S(.*\S)?")


def _paragraph(low: int, high: int | None) -> Spec:
    return length(sentences=(low, high), paragraphs=1)


def _counted(low: int, high: int | None) -> Spec:
    return length(words=(low, high))


def _all(specs: Sequence[Spec]) -> Spec:
    whole, *rest = specs
    for spec in rest:
        whole = whole & spec
    return whole


def _number(given: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise SpecTypeError(f"a number of letters is 1 or more, not {given!r:.40}")
    return given
