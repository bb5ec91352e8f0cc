r"""The format `regex`: patterns that are valid by ECMA-262, with the flag `u`.

Out: an expression for the decoded text.

Valid patterns are no regular language. This is a part of them: groups nest to a depth of `DEPTH`, at most one has a
name, and none is referred to; what has to be in order is so for counts below 1,000, for ASCII letters and digits, from
the first letter of some alphabets on, and for escapes, as far as the digits it takes are few; properties are those of
`_PROPERTIES`.
"""

from __future__ import annotations

from functools import cache

from constrain.ir.expr import NOTHING, Chars, Concat, Expr, Literal, Repeat, alt, concat, optional
from constrain.specs.json_schema.format_dates import spelled

DEPTH = 8

_ALPHABETS = (" ~", "!~", *"Àÿ àÿ Αώ αώ Ая ая את ءي ぁゖ ァヺ 一鿿 가힣".split())
"""First and last letter."""
_PROPERTIES = (
    "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Letter Mark Number "
    "Punctuation Symbol Separator Alphabetic Lowercase Uppercase White_Space ASCII Any Emoji Script=Latin Script=Greek "
    "Script=Cyrillic Script=Arabic Script=Hebrew Script=Thai Script=Devanagari Script=Han Script=Hiragana "
    "Script=Katakana Script=Hangul"
)


@cache
def regex() -> Expr:
    """Alternatives of terms, a group with a name at most once among them."""
    name, opening, looking = spelled(r"\(\?<[A-Za-z_$][A-Za-z0-9_$]*>"), spelled(r"\((?:\?:)?"), spelled(r"\(\?<?[=!]")
    closing, looked = Concat((Literal(b")"), optional(_quantifier()))), Literal(b")")
    character = Concat((alt([spelled(r"[^\^$\\*+?()[\]{}|]"), _escape(), _class()]), optional(_quantifier())))
    simple = alt([spelled(r"[|^$]|\\[bB]"), character])
    plain: Expr = Repeat(simple, 0, None)
    named: Expr = NOTHING
    for _ in range(DEPTH):
        holding = alt([Concat((opening, named, closing)), Concat((looking, named, looked))])
        with_name = alt([Concat((name, plain, closing)), holding])
        without = alt([simple, Concat((opening, plain, closing)), Concat((looking, plain, looked))])
        plain = Repeat(without, 0, None)
        named = Concat((plain, with_name, plain))
    return alt([plain, named])


def _quantifier() -> Expr:
    """How often; of two bounds the second has more digits, or it is not the smaller one."""
    longer = "[0-9],[1-9][0-9]{1,2}|[0-9]{2},[1-9][0-9]{2}"
    same = [
        f"{low},[{low}-9]|{low}[0-9],[{low + 1}-9][0-9]|{low}[0-9]{{2}},[{low + 1}-9][0-9]{{2}}" for low in range(9)
    ]
    close = [f"{tens}{low},{tens}[{low}-9]" for tens in range(10) for low in range(10)]
    bounds = spelled("[0-9]{1,3},?|9,9|" + "|".join([longer, *same, *close]))
    return concat([alt([spelled("[*+?]"), Concat((Literal(b"{"), bounds, Literal(b"}")))]), spelled(r"\??")])


def _escape() -> Expr:
    """What a backslash begins, in a class and outside."""
    properties = "|".join(_PROPERTIES.split())
    signs = r"\\[dDsSwWfnrtv^$\\.*+?()[\]{}|/]|\\c[A-Za-z]|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}"
    return spelled(rf"{signs}|\\u\{{(?:10[0-9A-Fa-f]{{4}}|[0-9A-Fa-f]{{1,5}})\}}|\\[pP]\{{(?:{properties})\}}")


def _class() -> Expr:
    """A class in brackets; hyphens that stand for themselves come first or last."""
    letters = [chr(code) for code in range(0x30, 0x7B) if chr(code).isalnum()]
    ranges = [_ascii_range(low) for low in letters] + [_alphabet(*pair) for pair in _ALPHABETS]
    ranges += [_codes(digit) for digit in range(16)]
    member = alt([spelled(r"[^\\\][^-]|\\[b-]"), _escape(), *ranges])
    return concat([spelled(r"\[\^?-?"), Repeat(member, 0, None), spelled(r"-?\]")])


def _codes(digit: int) -> Expr:
    """Ranges of escapes whose first ones begin with a digit.

    The last ones begin with a larger digit, or the first ones end with zeros. A surrogate does not come first: it might
    be read together with what is before it.
    """
    this, larger, every = _nibbles(digit, digit), _nibbles(digit + 1, 15), "[0-9A-Fa-f]"
    short, long = rf"\\x{this}{every}-\\x{larger}{every}", rf"\\u{this}{every}{{3}}-\\u{larger}{every}{{3}}"
    shorts, longs = [short] if digit < 15 else [], [long] if digit not in (0xD, 0xF) else []
    zeros = rf"\\u{this}000-\\u{this}{every}{{3}}"
    return spelled("|".join([*shorts, *longs, rf"\\x{this}0-\\x{this}{every}", zeros]))


def _nibbles(first: int, last: int) -> str:
    """A class of hexadecimal digits."""
    return f"[{''.join(sorted({char for value in range(first, last + 1) for char in f'{value:x}{value:X}'}))}]"


def _ascii_range(low: str) -> Expr:
    """From a letter or digit up to another."""
    ends = tuple((max(ord(low), first), last) for first, last in ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)))
    return Concat((Literal(f"{low}-".encode()), Chars(tuple(pair for pair in ends if pair[0] <= pair[1]))))


def _alphabet(first: str, last: str) -> Expr:
    special = [code for code in map(ord, "-[\\]^") if ord(first) < code <= ord(last)]
    edges = [ord(first), *(edge for code in special for edge in (code - 1, code + 1)), ord(last)]
    ranges = tuple((low, high) for low, high in zip(edges[::2], edges[1::2]) if low <= high)
    return Concat((Literal(f"{first}-".encode()), Chars(ranges)))
