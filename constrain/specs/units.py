r"""What is counted in texts: characters, words, sentences, paragraphs; and texts by how many they have, as expressions.

All text is UTF-8, and is counted as it is, whatever tokens it is made of.

    character   a Unicode code point
    white space what Python's `str.isspace` says: the `\s` of `re`
    word        a run of characters other than white space, as long as possible, that has a letter or a digit in it
                (`\w`): "don't", "e-mail," and "(42)" are one word each, "--" is none
    sentence    text that ends with an end mark, `.`, `!`, `?`, `…` or their full-width forms, perhaps with closing
                quotes or brackets behind it, before white space or the end of the text. Text counted in sentences
                consists of whole ones: nothing but white space stands before, between and behind them. "Mr. X left."
                has two; "v1.2 is out!" has one
    paragraph   text between blank lines (line breaks with nothing but white space between them), other than white space

In Python (and no text is counted in sentences unless its last run ends one):

    len(text)
    len(re.findall(r"\S*\w\S*", text))
    len([run for run in text.split() if re.search(END + "$", run)])
    len([part for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()])

Scripts that put no spaces between words have runs for words, or whole sentences; count their characters.

Each expression reads a text in one way only, so that it has few states: one for every count and a handful of places.
"""

from __future__ import annotations

from functools import cache

from constrain.ir.expr import EPSILON, Chars, Expr, Ranges, Repeat, alt, concat, optional
from constrain.specs import unicode

END_MARKS = ".!?…。！？｡．"
CLOSERS = "\"'”’»›)]}」』】）］"
END = f"[{END_MARKS}][{END_MARKS}{CLOSERS.replace(']', '')}\\]]*"
"""How a sentence ends, as a pattern."""

UNITS = ("chars", "words", "sentences", "paragraphs")


def counted(unit: str, low: int, high: int | None) -> Expr:
    """The texts with `low` to `high` of a unit."""
    return {"chars": _chars, "words": _words, "sentences": _sentences, "paragraphs": _paragraphs}[unit](low, high)


def _chars(low: int, high: int | None) -> Expr:
    return Repeat(_set(unicode.complement(())), low, high)


def _words(low: int, high: int | None) -> Expr:
    word, space = unicode.word(), unicode.space()
    between = _many(unicode.complement(word))  # also runs without a letter
    one = concat([_set(word), _many(unicode.complement(space))])
    more = concat([_set(space), between, one])
    return _listed(concat([between, one]), more, optional(concat([_set(space), between])), between, low, high)


def _sentences(low: int, high: int | None) -> Expr:
    one, blank, space = sentence(), _many(unicode.space()), _set(unicode.space())
    return _listed(concat([blank, one]), concat([space, blank, one]), blank, blank, low, high)


def _paragraphs(low: int, high: int | None) -> Expr:
    blank, broken = _many(unicode.space()), blank_line()
    one = paragraph()
    end = optional(concat([_set(_LINE), _many(_inline()), optional(concat([_set(_LINE), blank]))]))
    return _listed(concat([blank, one]), concat([broken, blank, one]), end, blank, low, high)


def sentence() -> Expr:
    """One sentence, without white space around it."""
    marks, closers = _codes(END_MARKS), _codes(CLOSERS)
    going_on = unicode.complement(marks)
    inside = unicode.intersect(going_on, unicode.complement(closers))
    begun = unicode.intersect(going_on, unicode.complement(unicode.space()))
    resumed = unicode.intersect(inside, unicode.complement(unicode.space()))
    ended = alt([_set(unicode.union(marks, closers)), concat([_set(resumed), _many(going_on), _set(marks)])])
    return concat([optional(concat([_set(begun), _many(going_on)])), _set(marks), Repeat(ended, 0, None)])


def paragraph() -> Expr:
    """One paragraph, from its first character that is no white space; white space without a line break may end it."""
    visible = unicode.complement(unicode.space())
    line = unicode.union(visible, _inline())
    over = concat([_set(_LINE), _many(_inline()), _set(visible)])
    return concat([_set(visible), Repeat(alt([_set(line), over]), 0, None)])


def blank_line() -> Expr:
    """What parts two paragraphs at least."""
    return concat([_set(_LINE), _many(_inline()), _set(_LINE)])


_LINE: Ranges = ((0x0A, 0x0A),)


def _inline() -> Ranges:
    """White space within a line."""
    return unicode.intersect(unicode.space(), unicode.complement(_LINE))


def _listed(first: Expr, more: Expr, end: Expr, empty: Expr, low: int, high: int | None) -> Expr:
    """`low` to `high` of a unit: the first one, those after it, and how a text ends that has some, or none."""
    parts = [empty] if low == 0 else []
    if high is None or high > 0:
        rest = Repeat(more, max(low - 1, 0), None if high is None else high - 1)
        parts.append(concat([first, rest, end]))
    return alt(parts) if parts else EPSILON


@cache
def _set(ranges: Ranges) -> Expr:
    return Chars(ranges)


def _many(ranges: Ranges) -> Expr:
    return Repeat(_set(ranges), 0, None)


def _codes(characters: str) -> Ranges:
    return unicode.union(*[((ord(character), ord(character)),) for character in characters])
