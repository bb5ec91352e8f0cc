"""Sets of characters by name, and what `re.IGNORECASE` makes of a set.

In: property names as people write them in `\\p{...}`, and sets of code points as sorted, disjoint, inclusive ranges.
Out: such ranges. The tables are in `unicode.npz`, made by `.ci/make_unicode.py`; `versions()` says which
Unicode they follow: `properties` for everything by name, `python` for `digit`, `space`, `word` and `case_closure`,
which are those of the `re` module of one interpreter (another's `re` differs in characters that one of them lacks).

Surrogates are in no set: they cannot be written in UTF-8, so no output can hold one.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ranges: TypeAlias = "tuple[tuple[int, int], ...]"

TABLES = Path(__file__).with_name("unicode.npz")
LAST = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)

TRUTH = {"YES": True, "Y": True, "TRUE": True, "T": True, "NO": False, "N": False, "FALSE": False, "F": False}


class UnicodeTables(NamedTuple):
    """The file, unpacked as far as every request needs it."""

    steps: NDArray[np.int32]  # differences of the half-open bounds of all sets, one set after the other
    offsets: NDArray[np.int32]  # where each set begins in `steps`
    chars: NDArray[np.int32]  # characters that have other cases, sorted
    groups: NDArray[np.int16]  # the case group of each
    names: dict[str, Any]  # the JSON described in `make_unicode`


@lru_cache(maxsize=1)
def tables() -> UnicodeTables:
    """Read the file: about 3 ms, once per process."""
    with np.load(TABLES) as file:
        low, middle, high = file["planes"].astype(np.int32)
        names = json.loads(file["names"].tobytes())
        return UnicodeTables(low | middle << 8 | high << 16, file["offsets"], file["chars"], file["groups"], names)


def versions() -> dict[str, str]:
    """The Unicode versions behind the tables: `properties` by name, `python` for `re`'s own classes and cases."""
    return dict(tables().names["versions"])


@lru_cache(maxsize=512)
def property_ranges(name: str) -> Ranges:
    """The characters of `\\p{name}`.

    `name` is a General_Category, a Script, a Block or a yes/no property, alone (`Lu`, `Greek`, `Alphabetic`) or as
    `property=value` (`gc=Lu`, `scx:Grek`, `blk=Basic_Latin`, `Math=No`), with `Is` before any of them or `In` before
    a block, in any case and with any spaces, hyphens and underscores. Alone, names are tried in that order: `Cyrillic`
    is the script and `InCyrillic` the block. Raises `KeyError(name)`; `suggest` has the nearest names.

    >>> property_ranges("Nd")[:2]
    ((48, 57), (1632, 1641))
    """
    owner, equals, value = (loose(part) for part in name.replace(":", "=").partition("="))
    found = qualified(owner, value) if equals else unqualified(owner)
    if found is None:
        raise KeyError(name)
    return found


def qualified(owner: str, value: str) -> Ranges | None:
    """`property=value`, both names loose; None if there is no such thing."""
    names = tables().names
    short = names["properties"].get(owner)
    if short is not None:
        number = names["values"][short].get(value)
        return None if number is None else ranges_of(number)
    number, truth = names["binary"].get(owner), TRUTH.get(value)
    if number is None or truth is None:
        return None
    return ranges_of(number) if truth else complement(ranges_of(number))


def unqualified(name: str) -> Ranges | None:
    """A name alone: category, script, block, yes/no property; then each again after `Is`, and a block after `In`."""
    number = number_of(name)
    if number is None and name.startswith("IS"):
        number = number_of(name[2:])
    if number is None and name.startswith("IN"):
        number = tables().names["values"]["BLK"].get(name[2:])
    return None if number is None else ranges_of(number)


def number_of(name: str) -> int | None:
    """The number of the set that a loose name alone stands for, if any."""
    names = tables().names
    for known in (*(names["values"][short] for short in ("GC", "SC", "BLK")), names["binary"]):
        if name in known:
            return int(known[name])
    return None


def suggest(name: str) -> list[str]:
    """Up to five names near an unknown one, best first; for `property=value`, values of that property.

    >>> suggest("Grek=Greek"), suggest("Uppercase_Leter")[0]
    ([], 'Uppercase_Letter')
    """
    owner, equals, value = (loose(part) for part in name.replace(":", "=").partition("="))
    names = tables().names
    if equals and owner in names["properties"]:
        prefix, wanted, known = name[: len(name.replace(":", "=").partition("=")[0]) + 1], value, values_of(owner)
    elif equals:
        return []
    else:
        prefix, wanted, known = "", owner, all_names()
    return [prefix + spelling(near) for near in difflib.get_close_matches(wanted, known, n=5, cutoff=0.65)]


def values_of(owner: str) -> Iterable[str]:
    """The loose value names of a property."""
    names = tables().names
    found: dict[str, int] = names["values"][names["properties"][owner]]
    return found


@lru_cache(maxsize=1)
def all_names() -> tuple[str, ...]:
    """Every loose name that `property_ranges` takes alone, blocks with their `In`."""
    names = tables().names
    values = names["values"]
    return (*values["GC"], *values["SC"], *names["binary"], *(f"IN{block}" for block in values["BLK"]))


def spelling(name: str) -> str:
    """A loose name as Unicode spells it, or nearly: `UPPERCASELETTER` -> `Uppercase_Letter`, `INOGHAM` -> `InOgham`."""
    known = tables().names["spellings"].get(name)
    if known:
        return str(known)
    return "In" + name[2:].title() if name.startswith("IN") and name[2:] in values_of("BLK") else name.title()


def loose(name: str) -> str:
    """A name as it is compared: no case, no spaces, hyphens or underscores."""
    return re.sub(r"[\s_-]", "", name).upper()


def digit() -> Ranges:
    """`\\d` of `re` for str patterns: `str.isdecimal`."""
    return python_class("digit")


def space() -> Ranges:
    """`\\s` of `re` for str patterns: `str.isspace`."""
    return python_class("space")


def word() -> Ranges:
    """`\\w` of `re` for str patterns: `str.isalnum` or `_`."""
    return python_class("word")


@lru_cache(maxsize=8)
def python_class(name: str) -> Ranges:
    """`digit`, `space`, `word`, or `assigned`: the characters that the interpreter behind these classes knew."""
    return ranges_of(int(tables().names["python"][name]))


def ranges_of(number: int) -> Ranges:
    """The set with this number."""
    found = tables()
    bounds = np.cumsum(found.steps[found.offsets[number] : found.offsets[number + 1]]).tolist()
    return tuple((a, b - 1) for a, b in zip(bounds[::2], bounds[1::2], strict=True))


@lru_cache(maxsize=4096)
def case_closure(ranges: Ranges) -> Ranges:
    """The characters that match one in `ranges` when case is ignored, by the rules of `re.IGNORECASE` for str.

    Those are one to one (`ß` has no other case but `ẞ`), with a few extra pairs: `k` also has the Kelvin sign.

    >>> case_closure(((ord("k"), ord("k")),))
    ((75, 75), (107, 107), (8490, 8490))
    """
    found = tables()
    bounds = np.array(ranges, np.int64).reshape(-1, 2)
    first = np.searchsorted(found.chars, bounds[:, 0])
    after = np.searchsorted(found.chars, bounds[:, 1], side="right")
    touched = [found.groups[a:b] for a, b in zip(first.tolist(), after.tolist(), strict=True) if a < b]
    if not touched:
        return ranges
    chosen = np.zeros(int(found.groups.max()) + 1, np.bool_)
    chosen[np.concatenate(touched)] = True
    return union(ranges, tuple((c, c) for c in found.chars[chosen[found.groups]].tolist()))


def union(*sets: Ranges) -> Ranges:
    """The characters in at least one of the sets; one argument, in any order and overlapping, is put in order.

    >>> union(((1, 3),), ((4, 5), (9, 9)))
    ((1, 5), (9, 9))
    """
    merged: list[tuple[int, int]] = []
    for a, b in sorted(pair for ranges in sets for pair in ranges):
        if merged and a <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """The characters that are not in the set; surrogates are not characters here.

    >>> complement(((0, 0xFFFF),))
    ((65536, 1114111),)
    """
    gaps: list[tuple[int, int]] = []
    start = 0
    for a, b in union(ranges, (SURROGATES,)):
        if start < a:
            gaps.append((start, a - 1))
        start = b + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def intersect(left: Ranges, right: Ranges) -> Ranges:
    """The characters in both sets.

    >>> intersect(((1, 5), (9, 12)), ((4, 10),))
    ((4, 5), (9, 10))
    """
    common: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        (a, b), (c, d) = left[i], right[j]
        if max(a, c) <= min(b, d):
            common.append((max(a, c), min(b, d)))
        if b < d:
            i += 1
        else:
            j += 1
    return tuple(common)
