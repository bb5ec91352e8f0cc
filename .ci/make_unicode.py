"""Derive the character classes that the regex front end needs: `python .ci/make_unicode.py`.

In: the tables inside the `regex` module (Unicode properties) and those of this interpreter (`re`'s own classes).
Out: `unicode.npz`, one compressed file that is read by `constrain.specs.unicode`. Run it again to move
to a newer Unicode; nothing else in the package imports this module, and `regex` is not needed at run time.

The file holds
    planes    uint8[3, n]  the low, middle and high byte of the differences between the bounds of every set; a set is
                           its sorted half-open bounds, the differences start from 0; planes compress far better
    offsets   int32[s+1]   where each set begins in that sequence
    chars     int32[k]     the characters that have other cases, sorted
    groups    int16[k]     the case group of each; a group is closed under `re.IGNORECASE`
    names     uint8[m]     JSON: versions, property names, value names, the spelling to suggest
"""

from __future__ import annotations

import _sre  # type: ignore[import-not-found]
import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from re._casefix import _EXTRA_CASES  # type: ignore[import-not-found]
from typing import Any

import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).parent.parent / "constrain" / "specs" / "unicode.npz"
EVERY = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(EVERY)

UCD_BY_SIZE = {149186: "15.0.0", 149813: "15.1.0", 154998: "16.0.0", 159801: "17.0.0", 172808: "18.0.0"}
"""Graphic and format characters of each Unicode version: `regex` does not say which version it has."""

VALUED = {"GC": "GENERALCATEGORY", "SC": "SCRIPT", "SCX": "SCRIPTEXTENSIONS", "BLK": "BLOCK"}
"""Properties with named values, by the short name under which the file keeps them."""

DROPPED = {"C&", "L&", "M&", "N&", "P&", "S&", "Z&"}
"""Value names of `regex` alone. Its `L&` is `L`; in Perl, PCRE and ICU it is `LC`, and so it is here."""

SPELLINGS = """
Cased_Letter Close_Punctuation Connector_Punctuation Control Currency_Symbol Dash_Punctuation Decimal_Number
Enclosing_Mark Final_Punctuation Format Initial_Punctuation Letter Letter_Number Line_Separator Lowercase_Letter Mark
Math_Symbol Modifier_Letter Modifier_Symbol Nonspacing_Mark Number Open_Punctuation Other Other_Letter Other_Number
Other_Punctuation Other_Symbol Paragraph_Separator Private_Use Punctuation Separator Space_Separator Spacing_Mark
Surrogate Symbol Titlecase_Letter Unassigned Uppercase_Letter Lu Ll Lt Lm Lo LC Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po
Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn
Alphabetic Any ASCII_Hex_Digit Assigned Bidi_Control Bidi_Mirrored Cased Case_Ignorable Changes_When_Casefolded
Changes_When_Casemapped Changes_When_Lowercased Changes_When_Titlecased Changes_When_Uppercased Dash
Default_Ignorable_Code_Point Deprecated Diacritic Emoji Emoji_Component Emoji_Modifier Emoji_Modifier_Base
Emoji_Presentation Extended_Pictographic Extender Grapheme_Base Grapheme_Extend Grapheme_Link Hex_Digit Hyphen
ID_Continue Ideographic IDS_Binary_Operator ID_Start IDS_Trinary_Operator Join_Control Logical_Order_Exception
Lowercase Math Noncharacter_Code_Point Pattern_Syntax Pattern_White_Space Posix_Alnum Posix_Digit Posix_Punct
Posix_XDigit Quotation_Mark Radical Regional_Indicator Sentence_Terminal Soft_Dotted Terminal_Punctuation
Unified_Ideograph Uppercase Variation_Selector White_Space XID_Continue XID_Start
Anatolian_Hieroglyphs Bassa_Vah Canadian_Aboriginal Caucasian_Albanian Cypro_Minoan Dives_Akuru Egyptian_Hieroglyphs
Gunjala_Gondi Hanifi_Rohingya Imperial_Aramaic Inscriptional_Pahlavi Inscriptional_Parthian Kayah_Li Khitan_Small_Script
Kirat_Rai Linear_A Linear_B Masaram_Gondi Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Nag_Mundari
New_Tai_Lue Nyiakeng_Puachue_Hmong Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian
Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Pahawh_Hmong Pau_Cin_Hau Phags_Pa Psalter_Pahlavi SignWriting
Sora_Sompeng Syloti_Nagri Tai_Le Tai_Tham Tai_Viet Warang_Citi Zanabazar_Square
""".split()
"""Names as Unicode spells them, for suggestions; `regex` keeps them in capitals without separators."""

Bounds = tuple[int, ...]


class Sets:
    """The distinct sets met so far, numbered in the order of their first appearance."""

    def __init__(self) -> None:
        self.number: dict[Bounds, int] = {}

    def add(self, bounds: Bounds) -> int:
        """The number of the set with these half-open bounds."""
        return self.number.setdefault(bounds, len(self.number))


def main() -> None:
    """Write the file and say how large it is."""
    sets = Sets()
    names: dict[str, Any] = {
        "versions": versions(),
        "values": {short: value_names(sets, short) for short in VALUED},
        "properties": property_names(),
        "binary": binary_names(sets),
        "python": {name: sets.add(bounds_of(test)) for name, test in PYTHON_CLASSES.items()},
        "spellings": {loose(name): name for name in SPELLINGS},
    }
    chars, groups = case_groups()
    planes, offsets = pack(sets.number)
    text = json.dumps(names, separators=(",", ":")).encode()
    encoded = np.frombuffer(text, np.uint8)
    np.savez_compressed(TARGET, planes=planes, offsets=offsets, chars=chars, groups=groups, names=encoded)
    ranges = planes.shape[1] // 2
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, {len(sets.number)} sets, {ranges:,} ranges")
    print(", ".join(f"{key} {value}" for key, value in names["versions"].items()))


def versions() -> dict[str, str]:
    """Which Unicode each half of the file follows: `properties` from `regex`, `python` from this interpreter."""
    from regex import __version__  # type: ignore[import-untyped]

    size = sum(b - a for a, b in pairs(matched(r"[^\p{Cn}\p{Cc}\p{Co}\p{Cs}]")))
    properties = UCD_BY_SIZE.get(size, f"unknown ({size} characters)")
    return {"properties": properties, "regex": __version__, "python": unicodedata.unidata_version}


def regex_tables() -> dict[str, tuple[int, dict[str, int]]]:
    """`regex`'s own names: property -> (id, value -> id)."""
    from regex import _regex

    tables: dict[str, tuple[int, dict[str, int]]] = _regex.get_properties()
    return tables


def value_names(sets: Sets, short: str) -> dict[str, int]:
    """Every value name of one property with the number of its set."""
    values = regex_tables()[VALUED[short]][1]
    names = {name: sets.add(matched(rf"\p{{{short}={name}}}")) for name in values if name not in DROPPED}
    if short == "GC":
        names["L&"] = names["LC"]
    return names


def property_names() -> dict[str, str]:
    """Every name of a property with named values -> its short name."""
    tables = regex_tables()
    ids = {tables[long][0]: short for short, long in VALUED.items()}
    return {name: ids[number] for name, (number, _) in tables.items() if number in ids}


def binary_names(sets: Sets) -> dict[str, int]:
    """Every name of a yes/no property with the number of the set where it holds."""
    tables = regex_tables()
    binary = [name for name, (_, values) in tables.items() if set(values) >= {"YES", "NO"} and len(set(values)) == 8]
    return {name: sets.add(matched(rf"\p{{{name}=Yes}}")) for name in binary}


def matched(pattern: str) -> Bounds:
    """Bounds of the set of characters that a one-character pattern of `regex` matches."""
    import regex

    spans = (match.span() for match in regex.finditer(f"{pattern}+", TEXT))
    return merge((ord(TEXT[a]), ord(TEXT[b - 1]) + 1) for a, b in cut_at_surrogates(spans))


def cut_at_surrogates(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans of `TEXT`, cut where `TEXT` leaves the surrogates out, so that each is a range of code points."""
    for a, b in spans:
        if a < 0xD800 < b:
            yield a, 0xD800
            a = 0xD800
        yield a, b


def bounds_of(test: Callable[[str], bool]) -> Bounds:
    """Bounds of the set of characters for which `test` holds."""
    return merge((ord(c), ord(c) + 1) for c in EVERY if test(c))


def merge(ranges: Iterable[tuple[int, int]]) -> Bounds:
    """Half-open ranges in order -> one flat tuple of bounds, touching ranges joined."""
    bounds: list[int] = []
    for a, b in ranges:
        if bounds and bounds[-1] == a:
            bounds[-1] = b
        else:
            bounds += (a, b)
    return tuple(bounds)


def pairs(bounds: Bounds) -> list[tuple[int, int]]:
    """The half-open ranges of a flat tuple of bounds."""
    return list(zip(bounds[::2], bounds[1::2], strict=True))


PYTHON_CLASSES: dict[str, Callable[[str], bool]] = {
    "digit": str.isdecimal,
    "space": str.isspace,
    "word": lambda c: c.isalnum() or c == "_",
    "assigned": lambda c: unicodedata.category(c) != "Cn",
}
"""What `re` means by `\\d`, `\\s` and `\\w` in a str pattern, and which characters this interpreter knows at all."""


def case_groups() -> tuple[NDArray[Any], NDArray[Any]]:
    """Characters that `re.IGNORECASE` does not tell apart from some other, and the number of the group of each.

    A literal matches the characters whose lower case is its own lower case or one of the extra cases of that. This is
    an equivalence (checked here), so that groups say it all.
    """
    members: dict[int, set[int]] = defaultdict(set)
    for c in map(ord, EVERY):
        members[_sre.unicode_tolower(c)].add(c)
    merged = (frozenset[int]().union(*(members[k] for k in (c, *_EXTRA_CASES.get(c, ())))) for c in list(members))
    groups = {group for group in merged if len(group) > 1}
    if overlap(groups):
        raise ValueError("re.IGNORECASE is not an equivalence in this interpreter: the format of the file must change")
    numbered = sorted((c, number) for number, group in enumerate(sorted(groups, key=min)) for c in group)
    chars, numbers = zip(*numbered, strict=True)
    check_cases(numbered)
    return np.array(chars, np.int32), np.array(numbers, np.int16)


def overlap(groups: Iterable[frozenset[int]]) -> bool:
    """Whether two of the groups share a character."""
    sizes = [len(group) for group in groups]
    return len(frozenset().union(*groups)) != sum(sizes)


def check_cases(numbered: Iterable[tuple[int, int]]) -> None:
    """Raise unless each character matches exactly its group, according to `re` itself."""
    group_of = dict(numbered)
    cased = "".join(map(chr, sorted(group_of)))
    for c, number in group_of.items():
        found = {ord(d) for d in re.findall(re.escape(chr(c)), cased, re.IGNORECASE)}
        if found != {d for d, other in group_of.items() if other == number}:
            raise ValueError(f"re.IGNORECASE matches U+{c:04X} with {sorted(map(hex, found))}, not with its group")


def pack(sets: Iterable[Bounds]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The differences of all bounds in three byte planes, and where each set begins."""
    steps = [np.diff(np.array(bounds, np.int64), prepend=0) for bounds in sets]
    offsets = np.cumsum([0, *(step.size for step in steps)]).astype(np.int32)
    flat = np.concatenate(steps).astype("<u4")
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, 4)[:, :3].T), offsets


def loose(name: str) -> str:
    """A name as it is compared: no case, no spaces, hyphens or underscores (UAX44-LM3, without its `is` rule)."""
    return re.sub(r"[\s_-]", "", name).upper()


if __name__ == "__main__":
    main()
