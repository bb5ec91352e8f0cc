r"""How the numbers of a set may be written in JSON.

In:  `NumberSet` values. Out: expressions of texts, in the grammar of RFC 8259.

Every text that is denoted has a value in the set. All *plain* texts, without an exponent, of values in the set are
denoted, zeros at the end of a fraction and `-0` included. With an exponent these are:

* zero: all texts;
* all numbers, or all of one sign: all texts;
* multiples, or those of one sign: texts of a plain multiple before an exponent without "-", so not `50e-1` for 5;
* numbers between other bounds: texts with one digit before the point that is not 0, as `json.dumps` and most others
  write them (`1e-07`, `1.5E+20`). Whether `12000e-3` is below 13 depends on whether there are as many digits before the
  exponent as it says, which no finite automaton can tell;
* numbers that are not multiples of n: such texts of numbers below n;
* bounded multiples, and multiples that are not multiples of another number: none. (That `1e2` is an even number below
  101 could be told, but nobody writes integers that way.)
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from math import gcd

from constrain.errors import UnsupportedError
from constrain.ir.expr import (
    EPSILON,
    LARGEST_DIVISOR,
    NOTHING,
    And,
    Chars,
    Concat,
    Divisible,
    Expr,
    Literal,
    Not,
    Repeat,
    Words,
    alt,
    concat,
    optional,
)
from constrain.specs.json_schema import numbers as sets
from constrain.specs.json_schema.numbers import Numbers, NumberSet

_LISTED = 64
"""Multiples that are listed rather than computed with: up to here that makes fewer nodes and states."""
_SLOTS = 1_000
"""Digits with which a text is compared, zeros at the end of a bound not counted: each makes four nodes."""
_DEPTH = 64
"""Digits that nest. What packs expressions is recursive, and Python's stack is short."""

_MINUS, _PLUS, _POINT, _NOUGHT = (Literal(text) for text in (b"-", b"+", b".", b"0"))
_DIGIT, _NONZERO = Chars(((0x30, 0x39),)), Chars(((0x31, 0x39),))
_E, _SIGN = Chars(((0x45, 0x45), (0x65, 0x65))), Chars(((0x2B, 0x2B), (0x2D, 0x2D)))
_DIGITS, _SOME_DIGITS, _NOUGHTS = Repeat(_DIGIT, 0, None), Repeat(_DIGIT, 1, None), Repeat(_NOUGHT, 0, None)
_POSITIVE_INTEGER = Concat((_NONZERO, _DIGITS))
_INTEGER = alt([_NOUGHT, _POSITIVE_INTEGER])
_FRACTION = optional(Concat((_POINT, _SOME_DIGITS)))
_ZERO_FRACTION = optional(Concat((_POINT, Repeat(_NOUGHT, 1, None))))
_SOME_FRACTION = Concat((_POINT, _DIGITS, _NONZERO, _DIGITS))
_ZERO = Concat((_NOUGHT, _ZERO_FRACTION))
_PLAIN = Concat((_INTEGER, _FRACTION))
_PLAIN_POSITIVE = alt([Concat((_POSITIVE_INTEGER, _FRACTION)), Concat((_NOUGHT, _SOME_FRACTION))])
_MANTISSA = Concat((_NONZERO, _FRACTION))
_ANY_EXPONENT = optional(Concat((_E, optional(_SIGN), _SOME_DIGITS)))
_NO_SMALLER = optional(Concat((_E, optional(_PLUS), _SOME_DIGITS)))


@lru_cache(maxsize=1024)
def expression(numbers: NumberSet) -> Expr:
    """The texts of the numbers of a set.

    Raises UnsupportedError for a bound with more than 1,000 digits, zeros at its end not counted, and for multiples of
    a number with more than 17 digits.

    >>> from constrain.specs.json_schema.numbers import INTEGERS, bounded, intersect
    >>> from constrain.ir.semantics import accepts
    >>> percent = expression(intersect(bounded(0, True, False), bounded(100, False, False)))
    >>> [text for text in (b"100.0", b"99.5", b"1e-7", b"-0", b"100.1", b"-1", b"007") if accepts(percent, text)]
    [b'100.0', b'99.5', b'1e-7', b'-0']
    """
    return alt([_signed(part) for part in numbers])


def _signed(numbers: Numbers) -> Expr:
    """Zero with either sign, and all others with theirs."""
    if numbers == Numbers():
        return Concat((optional(_MINUS), _PLAIN, _ANY_EXPONENT))
    has_zero = sets.contains((numbers,), 0)
    zero: list[Expr] = [Concat((_ZERO, _ANY_EXPONENT))] if has_zero else []
    above, below = sets.from_zero(numbers), sets.from_zero(sets.mirrored(numbers))
    if above == below:
        return concat([optional(_MINUS), alt([*zero, *_unsigned(above, has_zero)])])
    zero = [concat([optional(_MINUS), text]) for text in zero]
    return alt([*zero, *_unsigned(above, has_zero), *[concat([_MINUS, text]) for text in _unsigned(below, has_zero)]])


# ---- numbers from zero on, without a sign


def _unsigned(numbers: Numbers | None, has_zero: bool) -> list[Expr]:
    """Texts of the numbers above zero; if `has_zero`, they may denote zero, too."""
    if numbers is None or numbers.high == 0:
        return []
    if _is_half_line(numbers) and not numbers.nonmultiples:
        return [_half_line(numbers.multiple, has_zero)]
    texts = [_plain(numbers)]
    if not numbers.multiples:
        texts += [_scientific(small) for small in _below_nonmultiples(numbers)]
    return texts


def _is_half_line(numbers: Numbers) -> bool:
    """Whether no bound but zero leaves out anything."""
    return numbers.high is None and (not numbers.low or numbers.low == numbers.multiple)


def _half_line(step: Decimal | None, has_zero: bool) -> Expr:
    if step is None:
        return Concat((_PLAIN if has_zero else _PLAIN_POSITIVE, _ANY_EXPONENT))
    return Concat((_multiples(step, has_zero), _NO_SMALLER))


def _below_nonmultiples(numbers: Numbers) -> NumberSet:
    """The numbers that are too small to be any of the multiples that are left out."""
    if not numbers.nonmultiples:
        return (numbers,)
    return sets.intersect((numbers,), sets.bounded(min(numbers.nonmultiples), False, True))


def _plain(numbers: Numbers) -> Expr:
    """Texts without an exponent."""
    factor, exponent = (1, 0) if numbers.multiple is None else sets.split(numbers.multiple)
    is_sparse = factor > 1 or exponent > 0
    if (is_sparse or numbers.nonmultiples) and (few := sets.finite((numbers,), _LISTED)) is not None:
        return _listed(few)
    if numbers.multiples and exponent >= 0:
        return concat([_whole(sets.shifted(numbers, -exponent)), Literal(b"0" * exponent), _ZERO_FRACTION])
    conditions = [_nonmultiples(n) for n in sorted(numbers.nonmultiples)]
    if not _is_half_line(numbers):
        conditions.append(_between(*_bounds(numbers), -exponent if numbers.multiples else None))
    if numbers.multiple is not None and (is_sparse or _is_half_line(numbers)):
        conditions.append(_multiples(numbers.multiple, True))
    return _all_of(conditions)


def _whole(numbers: Numbers) -> Expr:
    """Texts of integers, without a point.

    Just bounds and a divisor, if possible: it takes no search to tell whether digits can become a multiple.
    """
    conditions = [_POSITIVE_INTEGER if _is_half_line(numbers) else _between(*_bounds(numbers), 0)]
    conditions += [_divisible(int(n)) for n in numbers.multiples if n != 1]
    conditions += [_nonmultiples(n) for n in sorted(numbers.nonmultiples)]
    return _all_of(conditions)


def _all_of(conditions: list[Expr]) -> Expr:
    return conditions[0] if len(conditions) == 1 else And(tuple(conditions))


def _listed(values: list[Decimal]) -> Expr:
    whole = [text for value in values if "." not in (text := f"{value:f}")]
    parts = [text for value in values if "." in (text := f"{value:f}")]
    texts = [(whole, _ZERO_FRACTION), (parts, _NOUGHTS)]
    return alt([Concat((Words(tuple(map(str.encode, words))), rest)) for words, rest in texts if words])


# ---- multiples


def _multiples(step: Decimal, has_zero: bool) -> Expr:
    """Texts of the multiples of a number, without sign and exponent; zero may be among them if `has_zero`."""
    factor, exponent = sets.split(step)
    if exponent >= 0:
        return _plain(Numbers(step, multiples=frozenset((step,))))
    if factor > 1:
        texts = _multiples_with_point(factor, -exponent)
        return texts if has_zero else And((texts, Not(_ZERO)))
    if has_zero:
        return Concat((_INTEGER, _fraction(-exponent)))
    small = Concat((_NOUGHT, _POINT, Repeat(_DIGIT, 0, -exponent - 1), _NONZERO, _NOUGHTS))
    return alt([Concat((_POSITIVE_INTEGER, _fraction(-exponent))), small])


def _multiples_with_point(factor: int, places: int) -> Expr:
    """Multiples of factor / 10**places, by what must divide their digits when n of them are behind the point."""
    divisors = [factor // gcd(factor, pow(10, places - n, factor)) for n in range(places)]
    texts = []
    for divisor, group in groupby(range(places), divisors.__getitem__):
        counts = list(group)
        fraction = Concat((_POINT, Repeat(_DIGIT, max(1, counts[0]), counts[-1]))) if counts[-1] else EPSILON
        numerals = concat([_INTEGER, fraction if counts[0] else optional(fraction)])
        texts.append(And((numerals, _divisible(divisor))) if divisor > 1 else numerals)
    all_places = concat([_INTEGER, _POINT, Repeat(_DIGIT, places, places)])
    return alt([*texts, Concat((And((all_places, _divisible(factor))), _NOUGHTS))])


def _nonmultiples(number: Decimal) -> Expr:
    if number == 1:
        return Concat((_INTEGER, _SOME_FRACTION))
    return And((_PLAIN, Not(alt([_ZERO, _multiples(number, True)]))))


def _divisible(divisor: int) -> Expr:
    if divisor > LARGEST_DIVISOR:
        raise UnsupportedError(
            "multiples of a number with more than 17 digits cannot be enforced, unless bounds leave "
            f"at most {_LISTED} of them; round multipleOf, or bound the number"
        )
    return Divisible(divisor)


# ---- comparing digit by digit


@dataclass(frozen=True, slots=True)
class _Bound:
    """A number, 0 or above, as the digits that come first, zeros at the end left out."""

    digits: str
    whole: int
    """How many digits are before the point, zeros included."""
    is_open: bool


def _fraction(places: int | None) -> Expr:
    """A point and digits, or neither. The first `places` digits may be other than 0; None: all; 0: no point."""
    if not places:
        return _FRACTION if places is None else EPSILON
    return optional(Concat((_POINT, Repeat(_DIGIT, 1, places), _NOUGHTS)))


@dataclass(frozen=True, slots=True)
class _Slots:
    """Texts with `whole` digits before the point. Slot i is the i-th digit, the point not counted."""

    whole: int
    places: int | None
    """See `_fraction`."""

    def anything(self, i: int) -> Expr:
        """All that may be in the slots from i on."""
        if i <= self.whole:
            missing = self.whole - i
            return concat([Repeat(_DIGIT, missing, missing) if missing else EPSILON, _fraction(self.places)])
        if self.places is None:
            return _DIGITS
        missing = self.whole + self.places - i
        return Concat((Repeat(_DIGIT, 0, missing), _NOUGHTS)) if missing else _NOUGHTS

    def zeros(self, i: int) -> Expr:
        """Nothing but zeros in the slots from i on."""
        if i > self.whole:
            return _NOUGHTS
        return concat([Literal(b"0" * (self.whole - i)), EPSILON if self.places == 0 else _ZERO_FRACTION])

    def nonzero(self, i: int) -> Expr:
        """Not just zeros in the slots from i on, which is behind the last one before the point."""
        return concat([self.point(i), _DIGITS, _NONZERO, _DIGITS])

    def point(self, i: int) -> Expr:
        """What stands before a digit in slot i."""
        return _POINT if i == self.whole else EPSILON

    def spelled(self, digits: str, start: int, stop: int) -> Literal:
        """The text of the slots from `start` to `stop`."""
        whole = max(start, min(stop, self.whole))
        point = "." if start <= self.whole < stop else ""
        return Literal(f"{digits[start:whole]}{point}{digits[whole:stop]}".encode())

    def branch(self, i: int, digit: int, above: bool, rest: Expr) -> Expr:
        """Slot i and all after it: a digit above (or below) `digit` before anything, or `digit` before `rest`."""
        least, anything = int(i == 0 and self.whole > 1), self.anything(i + 1)
        low, high = (digit + 1, 9) if above else (least, digit - 1)
        if rest == anything:
            low, high, rest = min(low, digit), max(high, digit), NOTHING
        texts = [concat([_digit(low, high), anything])] if low <= high else []
        if rest != NOTHING:
            texts.append(concat([Literal(b"%d" % digit), *(rest.parts if isinstance(rest, Concat) else (rest,))]))
        found = concat([self.point(i), alt(texts)]) if texts else NOTHING
        if above or i < self.whole:
            return found
        return EPSILON if found == NOTHING else optional(found)  # ends early: zeros follow in thought


def _bounds(numbers: Numbers) -> tuple[_Bound, _Bound | None]:
    low = _bound(numbers.low or Decimal(0), numbers.low_open)
    return low, None if numbers.high is None else _bound(numbers.high, numbers.high_open)


def _bound(number: Decimal, is_open: bool) -> _Bound:
    whole, _, fraction = f"{number:f}".partition(".")
    return _Bound((whole + fraction).rstrip("0"), len(whole), is_open)


def _between(low: _Bound, high: _Bound | None, places: int | None) -> Expr:
    """Texts of the numbers between two bounds: as long as one of them before the point, or of a length between."""
    slots = _Slots(low.whole, places)
    if high is not None and high.whole == low.whole:
        return _between_of_one_length(slots, low, high)
    texts, first, last = [], low.whole, None if high is None else high.whole - 1
    if low.digits != "1" or low.is_open:  # else all numbers of that length are as high
        texts.append(_at_least(slots, low, 0))
        first += 1
    if last is None or first <= last:
        more = Repeat(_DIGIT, first - 1, None if last is None else last - 1)
        texts.append(concat([_NONZERO, more, _fraction(places)]))
    if high is not None:
        texts.append(_at_most(_Slots(high.whole, places), high, 0))
    return alt([text for text in texts if text != NOTHING])


def _between_of_one_length(slots: _Slots, low: _Bound, high: _Bound) -> Expr:
    i = 0
    while low.is_open or i < len(low.digits):
        least, most = int(low.digits[i : i + 1] or 0), int(high.digits[i : i + 1] or 0)
        if least < most:
            break
        i += 1
    same = slots.spelled(low.digits.ljust(i, "0"), 0, i)
    if i >= len(low.digits) and not low.is_open:
        return concat([same, _at_most(slots, high, i)])
    texts: list[Expr] = [concat([_digit(least + 1, most - 1), slots.anything(i + 1)])] if least + 1 < most else []
    for digit, rest in ((least, _at_least(slots, low, i + 1)), (most, _at_most(slots, high, i + 1))):
        texts += [concat([Literal(b"%d" % digit), rest])] if rest != NOTHING else []
    return concat([same, slots.point(i), alt(texts)])


def _at_least(slots: _Slots, low: _Bound, start: int) -> Expr:
    """The slots from `start` on, those before being equal."""
    if not low.is_open:
        return _compared(slots, low.digits, start, slots.anything(len(low.digits)), True)
    digits = low.digits.ljust(max(slots.whole, start), "0")
    return _compared(slots, digits, start, slots.nonzero(len(digits)), True)


def _at_most(slots: _Slots, high: _Bound, start: int) -> Expr:
    """The slots from `start` on, those before being equal."""
    rest = NOTHING if high.is_open else slots.zeros(len(high.digits))
    return _compared(slots, high.digits, start, rest, False)


def _compared(slots: _Slots, digits: str, start: int, rest: Expr, above: bool) -> Expr:
    """The slots from `start` on: beyond `digits`, on the side that `above` says, or equal and followed by `rest`."""
    if len(digits) - start > _SLOTS:
        raise UnsupportedError(
            f"a bound with {len(digits):,} digits cannot be enforced; round it to at most {_SLOTS:,} digits"
        )
    if start == len(digits):
        return rest
    texts: list[Expr] = []
    for begin in reversed(range(start, len(digits), _DEPTH)):
        for i in reversed(range(begin, min(begin + _DEPTH, len(digits)))):
            rest = slots.branch(i, int(digits[i]), above, rest)
        if rest != NOTHING:
            texts.append(concat([slots.spelled(digits, start, begin), rest]))
        rest = NOTHING
    return alt(texts)


def _digit(low: int, high: int) -> Expr:
    if low == high:
        return Literal(b"%d" % low)
    return Chars(((0x30 + low, 0x30 + high),))


# ---- scientific notation

_ONE = _Bound("1", 1, False)


def _scientific(numbers: Numbers) -> Expr:
    """One digit that is not 0 before the point, and an exponent: compared by exponent, then by digits."""
    low, high = _scaled(numbers.low, numbers.low_open), _scaled(numbers.high, numbers.high_open)
    slots = _Slots(1, None)
    if low is not None and high is not None and low[1] == high[1]:
        return Concat((_between_of_one_length(slots, low[0], high[0]), _E, _exponents(low[1], low[1])))
    texts: list[Expr] = []
    first, last = None, None
    if low is not None:
        first = low[1] if low[0] == _ONE else low[1] + 1
        if low[0] != _ONE:
            texts.append(Concat((_at_least(slots, low[0], 0), _E, _exponents(low[1], low[1]))))
    if high is not None:
        last = high[1] - 1
        if high[0].digits != "1" or not high[0].is_open:
            texts.append(Concat((_between_of_one_length(slots, _ONE, high[0]), _E, _exponents(high[1], high[1]))))
    if first is None or last is None or first <= last:
        texts.append(Concat((_MANTISSA, _E, _exponents(first, last))))
    return alt(texts)


def _scaled(number: Decimal | None, is_open: bool) -> tuple[_Bound, int] | None:
    """A bound as digits of which the first is not 0 and before the point, and the power of ten."""
    if not number:
        return None
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    return _Bound(digits, 1, is_open), number.adjusted()


@lru_cache(maxsize=1024)
def _exponents(first: int | None, last: int | None) -> Expr:
    """Texts of the integers between two, with a sign or without, and with zeros in front as some write them."""
    above = (0 if first is None else max(0, first), last)
    below = (0 if last is None else max(0, -last), None if first is None else -first)
    if above == below:
        return concat([optional(_SIGN), _exponent_digits(*above)])
    texts: list[Expr] = []
    if last is None or last >= 0:
        texts.append(concat([optional(_PLUS), _exponent_digits(*above)]))
    if first is None or first <= 0:
        texts.append(concat([_MINUS, _exponent_digits(*below)]))
    return alt(texts)


def _exponent_digits(low: int, high: int | None) -> Expr:
    if high is None and low == 0:
        return _SOME_DIGITS
    most = None if high is None else _bound(Decimal(high), False)
    return concat([_NOUGHTS, _between(_bound(Decimal(low), False), most, 0)])
