"""Formats for names in all scripts: `idn-hostname` (RFC 5890 to 5893) and `idn-email` (RFC 6531).

Out: expressions for the decoded text.

A label in Unicode is valid if its Punycode is, which no regular expression can tell exactly. This is a part of what is
valid. Labels and names are so short that no Punycode of theirs is too long, whatever they are made of (`_SIZES`). What
normalisation may join to the character before it is refused: single accents, and the vowel signs of some Indian scripts
that consist of two. So are A-labels (`xn--..`), joiners without a virama before them, which only some letters may have,
and characters that came after Unicode 14.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from constrain.frontends import unicode
from constrain.frontends.json_schema.format_dates import spelled
from constrain.frontends.json_schema.format_hosts import (
    LONGEST_LOCAL,
    LONGEST_NAME,
    label,
    mail_host,
    unreserved,
    up_to,
)
from constrain.frontends.json_schema.strings import ANY_TEXT
from constrain.ir.expr import And, Chars, Concat, Expr, Literal, Ranges, Repeat, alt, concat, optional

_FULL_STOPS = ".\u3002\uff0e\uff61"
"""What separates labels (RFC 3490, section 3.1)."""
_EVER = "\u00df\u03c2\u06fd\u06fe\u0f0b\u3007"
_NEVER = "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"
"""Exceptions to the rules (RFC 5892, section 2.6)."""
_MIDDLE_DOT, _KERAIA, _GERESHES, _KATAKANA_DOT, _JOINERS = "\u00b7", "\u0375", "\u05f3\u05f4", "\u30fb", "\u200c\u200d"
"""What depends on what is beside it (RFC 5892, appendix A), like the next two."""
_ARABIC_DIGITS: Ranges = ((0x660, 0x669),)
_PERSIAN_DIGITS: Ranges = ((0x6F0, 0x6F9),)
_IGNORED: Ranges = ((0x20D0, 0x20FF), (0x1D100, 0x1D24F))
_OLD_JAMO: Ranges = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
"""Blocks without valid characters (RFC 5892, sections 2.7 and 2.9)."""
_SIMPLE: Ranges = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x20000, 0x2EBE0), (0x30000, 0x3134A))
"""Letters that nothing is known against: to look at 98,000 ideographs and syllables would take longer than the rest."""

_SIZES = ((0x7FF, 18, 18), (0xFFFF, 14, 14), (unicode.LAST, 11, 11), (0xFFFF, 5, 38))
"""Labels whose Punycode has at most 63 characters: those up to the first number with at most so many characters beyond
ASCII, and so many in all. That is from the algorithm of RFC 3492, each step made as costly as the sum of all steps
allows; a character takes 3, 4 or 5 digits."""
_LONGEST = 45
"""Characters of a name that has at most 253 in Punycode. No label costs more than 5.2 of them a character."""


class _Tables(NamedTuple):
    """The characters that a label may hold."""

    starters: Ranges
    """Those that are not reordered."""
    marks: tuple[Ranges, ...]
    """Those that are, in the order in which they have to stand."""
    first: Ranges
    """Those that a label may begin with."""
    viramas: Ranges
    directions: dict[str, Ranges]
    """By Bidi_Class."""


@cache
def idn_hostname() -> Expr:
    """A name of labels in Unicode, or of letters, digits and hyphens, with no two hyphens where A-labels have them."""
    names = And((_dotted(alt([label(), _label()])), up_to(_LONGEST), _directed()))
    return alt([And((_dotted(label()), up_to(LONGEST_NAME))), names])


@cache
def idn_email() -> Expr:
    """`Mailbox` of RFC 5321 as RFC 6531 extends it: with any characters beyond ASCII."""
    plain = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
    quoted = r'"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*"'
    octets = ((0x7F, 1), (0x7FF, 2), (0xFFFF, 3), (unicode.LAST, 4))
    short = alt([Repeat(Chars(((0, last),)), 0, LONGEST_LOCAL // width) for last, width in octets])
    local = And((spelled(rf"{plain}(?:\.{plain})*|{quoted}"), short))
    name = And((idn_hostname(), Repeat(Chars(unicode.complement(_codes(_FULL_STOPS[1:]))), 0, None)))
    return Concat((local, Literal(b"@"), mail_host(name)))


# ---- labels


@cache
def _label() -> Expr:
    """A label in Unicode, by its characters and its length. Marks stand behind a starter, sorted by their class."""
    known = _tables()
    marks = [Repeat(Chars(ranges), 0, None) for ranges in known.marks]
    following = Repeat(concat([Chars(known.starters), *marks]), 0, None)
    sizes = alt([_of_size(*size) for size in _SIZES])
    return And((concat([Chars(known.first), *marks, following]), sizes, unreserved(), *_placed()))


def _of_size(last: int, beyond: int, length: int) -> Expr:
    """Labels by the largest character, the number of characters beyond ASCII, and that of all."""
    if beyond == length:
        return Repeat(Chars(((0, last),)), 1, length)
    plain = Repeat(Chars(((0, 0x7F),)), 0, None)
    return And((Concat((plain, Repeat(Concat((Chars(((0x80, last),)), plain)), 0, beyond))), up_to(length)))


def _placed() -> list[Expr]:
    """Conditions on labels: where some characters may stand. They say what is allowed: of a complement only a search
    tells that nothing can follow any more."""
    scripts = {name: unicode.property_ranges(name) for name in ("Greek", "Hebrew", "Hiragana", "Katakana", "Han")}
    japanese = Chars(unicode.union(scripts["Hiragana"], scripts["Katakana"], scripts["Han"]))
    dotted = Concat((_one("l"), Repeat(Concat((_one(_MIDDLE_DOT), _one("l"))), 0, None)))
    numbered = Concat((_one(_KERAIA), _in(scripts["Greek"], _KERAIA)))
    return [
        Repeat(alt([dotted, _but(_codes("l" + _MIDDLE_DOT))]), 0, None),
        Repeat(alt([numbered, _but(_codes(_KERAIA))]), 0, None),
        _after(scripts["Hebrew"], _GERESHES),
        _after(_tables().viramas, _JOINERS),
        alt([Repeat(_but(digits), 0, None) for digits in (_ARABIC_DIGITS, _PERSIAN_DIGITS)]),
        alt([Repeat(_but(_codes(_KATAKANA_DOT)), 0, None), Concat((ANY_TEXT, japanese, ANY_TEXT))]),
        Concat((ANY_TEXT, _but(_codes("-")))),
    ]


def _after(before: Ranges, chars: str) -> Expr:
    """Texts in which each of `chars` stands after one of `before`."""
    pair = Concat((_in(before, chars), optional(_one(chars))))
    return Repeat(alt([pair, _but(unicode.union(before, _codes(chars)))]), 0, None)


def _directed() -> Expr:
    """Names without letters written from the right, and those of which all labels meet the rule of RFC 5893."""
    sets = {**_tables().directions, "L": unicode.union(_tables().directions["L"], ((0x41, 0x5A),))}

    def one(names: str) -> Expr:
        return Chars(unicode.union(*(sets[name] for name in names.split() if name in sets)))

    def written(first: str, last: str) -> Expr:
        inside = Repeat(one(f"{last} ES CS ET ON BN NSM"), 0, None)
        return Concat((one(first), optional(Concat((inside, one(last)))), Repeat(one("NSM"), 0, None)))

    left_to_right = Repeat(Chars(unicode.complement(unicode.union(sets["R"], sets["AL"], sets["AN"]))), 0, None)
    labels = [written("L", "L EN"), written("R AL", "R AL EN"), written("R AL", "R AL AN")]
    return alt([left_to_right, _dotted(alt(labels))])


def _dotted(label: Expr) -> Expr:
    return Concat((label, Repeat(Concat((_DOT, label)), 0, None)))


# ---- characters


@cache
def _tables() -> _Tables:
    """Worked out from the interpreter's Unicode, once per process."""
    valid = [*map(ord, _EVER + _MIDDLE_DOT + _KERAIA + _GERESHES + _KATAKANA_DOT + _JOINERS + "-"), *_valid()]
    orders, directions = dict[int, list[int]](), dict[str, list[int]]()
    for code in valid:
        orders.setdefault(unicodedata.combining(chr(code)), []).append(code)
        directions.setdefault(unicodedata.bidirectional(chr(code)), []).append(code)
    starters, simple = orders.pop(0), unicode.intersect(_SIMPLE, _known_letters())
    never_first = {*map(ord, "-" + _MIDDLE_DOT + _GERESHES + _JOINERS)}
    first = [c for c in starters if c not in never_first and not unicodedata.category(chr(c)).startswith("M")]
    return _Tables(
        unicode.union(_ranges(starters), simple),
        tuple(_ranges(orders[order]) for order in sorted(orders)),
        unicode.union(_ranges(first), simple),
        _ranges(orders[9]),
        {name: unicode.union(_ranges(codes), simple if name == "L" else ()) for name, codes in directions.items()},
    )


def _known_letters() -> Ranges:
    """Letters, marks and digits of Unicode 14, but for the ignored ones."""
    letters = unicode.union(*map(unicode.property_ranges, ("Lu", "Ll", "Lo", "Lm", "Mn", "Mc", "Nd")))
    invisible = unicode.property_ranges("Default_Ignorable_Code_Point")
    others = unicode.complement(unicode.union(invisible, _IGNORED, _OLD_JAMO, _codes(_NEVER)))
    return unicode.intersect(unicode.intersect(letters, unicode.python_class("assigned")), others)


def _valid() -> list[int]:
    """What is PVALID by the rules (RFC 5892, section 3) and never joined to what is before it; not the simple ones."""
    letters = _without_simple(_known_letters())
    composed = _without_simple(unicode.union(unicode.property_ranges("L"), unicode.property_ranges("M")))
    joined = {char for code in _expanded(composed) for char in _joined(chr(code))}
    return [code for code in _expanded(letters) if chr(code) not in joined and _is_stable(chr(code))]


def _joined(char: str) -> str:
    """The characters that normalisation joins to another to make this one."""
    parts = unicodedata.normalize("NFD", char)
    return parts[1:] if unicodedata.normalize("NFC", parts) == char else ""


def _is_stable(char: str) -> bool:
    """Whether neither case folding nor compatibility changes the character."""
    folded = unicodedata.normalize("NFKC", char).casefold()
    return unicodedata.normalize("NFKC", folded) == char


def _without_simple(ranges: Ranges) -> Ranges:
    return unicode.intersect(ranges, unicode.complement(_SIMPLE))


def _expanded(ranges: Ranges) -> Iterable[int]:
    return (code for low, high in ranges for code in range(low, high + 1))


def _ranges(codes: Iterable[int]) -> Ranges:
    return unicode.union(tuple((code, code) for code in codes))


def _codes(chars: str) -> Ranges:
    return _ranges(map(ord, chars))


def _one(chars: str) -> Expr:
    """One of these characters."""
    return Chars(_codes(chars))


def _but(ranges: Ranges) -> Expr:
    """One character that is none of these."""
    return Chars(unicode.complement(ranges))


def _in(ranges: Ranges, but: str) -> Expr:
    """One of these characters, but none of those."""
    return Chars(unicode.intersect(ranges, unicode.complement(_codes(but))))


_DOT = Chars(_codes(_FULL_STOPS))
