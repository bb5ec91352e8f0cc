r"""The format `regex`: patterns that are valid by ECMA-262, with the flag `u`.

Out: an expression for the decoded text.

Valid patterns are no regular language. This is a part of them: groups nest to a depth of `DEPTH`, at most one has a
name, and none is referred to; what has to be in order is compared for counts below 1,000, for ASCII letters and digits,
for escapes of equal length, and from the first letter of some alphabets on; properties are those of `_PROPERTIES`.
"""

from __future__ import annotations

from functools import cache

from constrain.frontends.json_schema.format_dates import spelled
from constrain.ir.expr import NOTHING, And, Chars, Concat, Expr, Literal, Ranges, Repeat, alt, concat, optional

DEPTH = 8

_DIGITS: list[Ranges] = [((code, code),) for code in range(0x30, 0x3A)]
_HEX_DIGITS: list[Ranges] = [*_DIGITS, *(((code, code), (code + 0x20, code + 0x20)) for code in range(0x41, 0x47))]
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
    """How often; two bounds are of equal length and in order, or the second has more digits."""
    ordered = alt([_in_order("", ",", _DIGITS, length) for length in (1, 2, 3)])
    longer = spelled("[0-9],[1-9][0-9]{1,2}|[0-9]{2},[1-9][0-9]{2}")
    bounds = concat([Literal(b"{"), alt([spelled("[0-9]{1,3},?"), ordered, longer]), Literal(b"}")])
    return concat([alt([spelled("[*+?]"), bounds]), spelled(r"\??")])


def _escape() -> Expr:
    """What a backslash begins, in a class and outside."""
    properties = "|".join(_PROPERTIES.split())
    signs = r"\\[dDsSwWfnrtv^$\\.*+?()[\]{}|/]|\\c[A-Za-z]|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}"
    return spelled(rf"{signs}|\\u\{{(?:10[0-9A-Fa-f]{{4}}|[0-9A-Fa-f]{{1,5}})\}}|\\[pP]\{{(?:{properties})\}}")


def _class() -> Expr:
    """A class in brackets; hyphens that stand for themselves come first or last."""
    letters = [chr(code) for code in range(0x30, 0x7B) if chr(code).isalnum()]
    ranges = [_ascii_range(low) for low in letters] + [_alphabet(*pair) for pair in _ALPHABETS]
    ranges += [_in_order("\\x", "-", _HEX_DIGITS, 2), And((_in_order("\\u", "-", _HEX_DIGITS, 4), _NO_SURROGATE))]
    member = alt([spelled(r"[^\\\][^-]|\\[b-]"), _escape(), *ranges])
    return concat([spelled(r"\[\^?-?"), Repeat(member, 0, None), spelled(r"-?\]")])


_NO_SURROGATE = spelled(r"\\u[^dD].*")
"""An escape that cannot be read as the second half of a pair with what is before it."""


def _ascii_range(low: str) -> Expr:
    """From a letter or digit up to another."""
    ends = tuple((max(ord(low), first), last) for first, last in ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)))
    return Concat((Literal(f"{low}-".encode()), Chars(tuple(pair for pair in ends if pair[0] <= pair[1]))))


def _alphabet(first: str, last: str) -> Expr:
    special = [code for code in map(ord, "-[\\]^") if ord(first) < code <= ord(last)]
    edges = [ord(first), *(edge for code in special for edge in (code - 1, code + 1)), ord(last)]
    ranges = tuple((low, high) for low, high in zip(edges[::2], edges[1::2]) if low <= high)
    return Concat((Literal(f"{first}-".encode()), Chars(ranges)))


def _in_order(opening: str, between: str, digits: list[Ranges], count: int) -> Expr:
    """Two numbers of `count` digits, each after `opening`, of which the first is not the larger one."""
    every = Chars(tuple(sorted(pair for ranges in digits for pair in ranges)))

    def where(position: int, pairs: list[tuple[Ranges, Ranges]]) -> Expr:
        """The digits at a position are one of the pairs."""
        before, after = Repeat(every, position, position), Repeat(every, count - 1 - position, count - 1 - position)
        start, middle = Literal(opening.encode()), Literal((between + opening).encode())
        return alt([concat([start, before, Chars(a), after, middle, before, Chars(b), after]) for a, b in pairs])

    equal = [where(i, [(digit, digit) for digit in digits]) for i in range(count)]
    below = [where(i, [(digits[n], _larger(digits, n)) for n in range(len(digits) - 1)]) for i in range(count)]
    return alt([*(And((*equal[:i], below[i])) for i in range(count)), And(tuple(equal))])


def _larger(digits: list[Ranges], index: int) -> Ranges:
    return tuple(sorted(pair for ranges in digits[index + 1 :] for pair in ranges))
