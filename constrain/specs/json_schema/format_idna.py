"""Formats for names in all scripts: `idn-hostname` (RFC 5890 to 5893) and `idn-email` (RFC 6531).

Out: expressions for the decoded text.

A label in Unicode is valid if its Punycode is, which no regular expression can tell exactly. This is a part of what is
valid, such that what may come next depends on little of what came before:
* labels and names are so short that no Punycode of theirs is too long, whatever they are made of (`_SIZES`);
* what normalisation may join to the character before it is refused: single accents, and the vowel signs of some Indian
  scripts that consist of two; so are the points of Hebrew and Arabic;
* refused as well are A-labels (`xn--..`), two hyphens in a row, joiners without a virama before them, a dot of Katakana
  that is not beside a Japanese letter, signs without direction in names that hold letters written from the right, and
  characters that came after Unicode 14.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from constrain.ir.expr import And, Chars, Concat, Expr, Literal, Ranges, Repeat, alt, concat
from constrain.specs import unicode
from constrain.specs.json_schema.format_hosts import hostname, label, mailbox
from constrain.specs.json_schema.strings import of_length

_FULL_STOPS = ".\u3002\uff0e\uff61"
"""What separates labels (RFC 3490, section 3.1)."""
_EVER = "\u00df\u03c2\u06fd\u06fe\u0f0b\u3007"
_NEVER = "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"
"""Exceptions to the rules (RFC 5892, section 2.6)."""
_MIDDLE_DOT, _KERAIA, _GERESHES, _KATAKANA_DOT, _JOINERS = "\u00b7", "\u0375", "\u05f3\u05f4", "\u30fb", "\u200c\u200d"
_GREEK: Ranges = ((0x3AC, 0x3CE),)
_HEBREW: Ranges = ((0x5D0, 0x5EA),)
_JAPANESE: Ranges = ((0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF))
"""What has to stand beside certain others (RFC 5892, appendix A), and the most of those that all readers agree on."""
_IGNORED: Ranges = ((0x20D0, 0x20FF),)
_OLD_JAMO: Ranges = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
"""Blocks without valid characters (RFC 5892, sections 2.7 and 2.9)."""
_SIMPLE: Ranges = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
"""Letters that nothing is known against: to look at 38,000 ideographs and syllables would take longer than the rest."""

_VIRAMA = 9
_MARK_CLASSES = (7, _VIRAMA, 103, 107, 118, 122, 129, 130, 132, 220, 230)
"""Canonical_Combining_Class of the marks that may stand: nuktas, viramas, signs of Thai, Lao and Tibetan, and what is
below and above other letters."""

_LAST = 0xFFFF
_SIZES = ((13, 13), (5, 37))
_LONGEST, _MOST = 62, 4
"""Labels are of at most so many characters beyond ASCII, none of them beyond U+FFFF, and of so many in all. Then their
Punycode has at most 62 characters, four to five for each; and four labels have at most 253 in all. That follows from
the algorithm of RFC 3492, each step made as costly as the sum of all steps allows."""


class _Tables(NamedTuple):
    """The characters that a label may hold."""

    starters: dict[str, Ranges]
    """By Bidi_Class: what marks may follow."""
    combining: Ranges
    """What cannot begin a label: marks, some of which are starters."""
    marks: tuple[Ranges, ...]
    """Marks that normalisation sorts and that have no direction, in the order in which they have to stand."""
    viramas: Ranges


@cache
def idn_hostname(dots: str = _FULL_STOPS) -> Expr:
    """A name of labels in Unicode, or of letters, digits and hyphens. The rule of RFC 5893 is about whole names."""
    right_to_left = [_right_to_left("EN"), _right_to_left("AN")]
    labels = alt([label(_LONGEST), _left_to_right()])
    directed = alt([label(_LONGEST, "[A-Za-z]"), _strictly_left_to_right(), *right_to_left])
    more = Repeat(Concat((_one(dots), labels)), 0, _MOST - 1), Repeat(Concat((_one(dots), directed)), 0, _MOST - 1)
    return alt([hostname(f"[{dots}]"), Concat((labels, more[0])), Concat((directed, more[1]))])


@cache
def idn_email() -> Expr:
    """`Mailbox` of RFC 5321 as RFC 6531 extends it: with any characters beyond ASCII."""
    name, kinds = idn_hostname("."), (("", 1), (r"\x80-\uffff", 3), (r"\x80-\U0010ffff", 4))
    char, quoted = r"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{}-]", r"[ !#-\[\]-~{}]"
    return alt([mailbox(char.format(more), quoted.format(more), octets, name) for more, octets in kinds])


# ---- labels


def _left_to_right() -> Expr:
    """Labels of names without letters written from the right."""
    known = _tables()
    starters = unicode.union(*(known.starters[name] for name in known.starters if name not in ("R", "AL", "AN")))
    beside = _beside(starters)
    return _label([*beside, _marked(_without(starters, known.combining))], [*beside, _marked(starters)])


def _strictly_left_to_right() -> Expr:
    """Labels of names with such letters that hold none."""
    known = _tables()
    letters = known.starters["L"]
    return _label(
        [_marked(_without(letters, known.combining))], [_marked(unicode.union(letters, known.starters["EN"]))]
    )


def _right_to_left(digits: str) -> Expr:
    """Labels of letters written from the right, and digits of one Bidi_Class."""
    known = _tables()
    letters = unicode.union(known.starters["R"], known.starters["AL"])
    numbered = Concat((Chars(unicode.intersect(_HEBREW, letters)), _one(_GERESHES)))
    first = _without(letters, known.combining)
    return _label([numbered, _marked(first)], [numbered, _marked(unicode.union(letters, known.starters[digits]))])


def _label(first: list[Expr], others: list[Expr]) -> Expr:
    """Labels by what they may begin with and consist of, with hyphens between."""
    unit = alt(others)
    hyphened = Concat((Literal(b"-"), unit, Repeat(unit, 0, None)))
    body = Concat((alt(first), Repeat(unit, 0, None), Repeat(hyphened, 0, None)))
    return And((body, alt([_of_size(*size) for size in _SIZES])))


def _marked(starters: Ranges) -> Expr:
    """One of these, and marks behind it, sorted by their class."""
    return concat([Chars(starters), *(Repeat(Chars(ranges), 0, None) for ranges in _tables().marks)])


def _beside(starters: Ranges) -> list[Expr]:
    """Characters beside those that they have to stand beside."""
    known = _tables()
    japanese, dot = Chars(unicode.intersect(_JAPANESE, starters)), _one(_KATAKANA_DOT)
    return [
        Concat((_one("l"), Repeat(Concat((_one(_MIDDLE_DOT), _one("l"))), 1, None))),
        Concat((_one(_KERAIA), Chars(unicode.intersect(_GREEK, starters)))),
        Concat((japanese, dot)),
        Concat((dot, japanese)),
        Concat((Chars(_without(known.starters["L"], known.combining)), Chars(known.viramas), _one(_JOINERS))),
    ]


def _of_size(beyond: int, length: int) -> Expr:
    """Labels of so many characters beyond ASCII and so many in all."""
    if beyond == length:
        return Repeat(Chars(((0, _LAST),)), 1, length)
    plain = Repeat(Chars(((0, 0x7F),)), 0, None)
    return And((Concat((plain, Repeat(Concat((Chars(((0x80, _LAST),)), plain)), 0, beyond))), of_length(0, length)))


# ---- characters


@cache
def _tables() -> _Tables:
    """Worked out from the interpreter's Unicode, once per process."""
    simple = unicode.intersect(_SIMPLE, _known_letters())
    sorted_by = dict[tuple[int, str], list[int]]()
    for code in (*_valid(), *map(ord, _EVER)):
        kind = unicodedata.combining(chr(code)), unicodedata.bidirectional(chr(code))
        sorted_by.setdefault(kind, []).append(code)
    starters = {name: _ranges(codes) for (order, name), codes in sorted_by.items() if not order}
    marks = [_ranges(sorted_by[order, "NSM"]) for order in _MARK_CLASSES]
    return _Tables(
        starters | {"L": unicode.union(starters["L"], simple)},
        unicode.union(unicode.property_ranges("Mn"), unicode.property_ranges("Mc")),
        tuple(marks),
        marks[_MARK_CLASSES.index(_VIRAMA)],
    )


def _known_letters() -> Ranges:
    """Letters, marks and digits of Unicode 14 up to `_LAST`, but for the ignored ones."""
    letters = unicode.union(*map(unicode.property_ranges, ("Lu", "Ll", "Lo", "Lm", "Mn", "Mc", "Nd")))
    known = unicode.intersect(unicode.python_class("assigned"), ((0, _LAST),))
    invisible = unicode.property_ranges("Default_Ignorable_Code_Point")
    others = unicode.union(invisible, _IGNORED, _OLD_JAMO, _codes(_NEVER + _GERESHES + _KERAIA))
    return _without(unicode.intersect(letters, known), others)


def _valid() -> list[int]:
    """What is PVALID by the rules (RFC 5892, section 3) and never joined to what is before it; not the simple ones."""
    joined = {char for code in range(0x80, 0x3400) for char in _joined(chr(code))}
    letters = _without(_known_letters(), _SIMPLE)
    return [code for code in _expanded(letters) if chr(code) not in joined and _is_stable(chr(code))]


def _joined(char: str) -> str:
    """The characters that normalisation joins to another to make this one."""
    parts = unicodedata.normalize("NFD", char)
    return parts[1:] if unicodedata.normalize("NFC", parts) == char else ""


def _is_stable(char: str) -> bool:
    """Whether neither case folding nor compatibility changes the character."""
    folded = unicodedata.normalize("NFKC", char).casefold()
    return unicodedata.normalize("NFKC", folded) == char


def _expanded(ranges: Ranges) -> Iterable[int]:
    return (code for low, high in ranges for code in range(low, high + 1))


def _ranges(codes: Iterable[int]) -> Ranges:
    return unicode.union(tuple((code, code) for code in codes))


def _codes(chars: str) -> Ranges:
    return _ranges(map(ord, chars))


def _without(ranges: Ranges, others: Ranges) -> Ranges:
    return unicode.intersect(ranges, unicode.complement(others))


def _one(chars: str) -> Expr:
    """One of these characters."""
    return Chars(_codes(chars))
