"""Sets of JSON numbers by value: what `minimum`, `multipleOf`, `type: integer` and their negations allow.

In:  numbers of a schema. Out: `NumberSet` values, closed under and, or, not. `number_texts` spells them.

The universe is what JSON can write: finite decimal fractions of any length. All arithmetic is exact. A set is a union
of conjunctions, kept in a normal form in which none is empty or part of another one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import reduce

from constrain.errors import UnsupportedError

MOST_DIGITS = 10_000
"""Digits of a number written without an exponent: more would take long to compute with, and mean a mistake."""

_EXACT = Context(prec=8 * MOST_DIGITS, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Quotients and products of two such numbers fit; if anything ever did not, it would raise."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers between two bounds that are multiples of all of `multiples` and of none of `nonmultiples`.

    An integer is a multiple of 1. In normal form, which all functions here return, there is at most one of `multiples`,
    all `nonmultiples` are multiples of it, and the bounds are among the numbers.
    """

    low: Decimal | None = None
    low_open: bool = False
    """Whether `low` itself is left out."""
    high: Decimal | None = None
    high_open: bool = False
    multiples: frozenset[Decimal] = frozenset()
    nonmultiples: frozenset[Decimal] = frozenset()

    @property
    def multiple(self) -> Decimal | None:
        """What all of these numbers are multiples of."""
        return reduce(_common_multiple, self.multiples) if self.multiples else None

    @property
    def is_single(self) -> bool:
        """Whether this is one number and nothing else is said of it, as in normal form."""
        return (
            self.low is not None
            and self.low == self.high
            and not (self.low_open or self.high_open or self.multiples or self.nonmultiples)
        )


NumberSet = tuple[Numbers, ...]
"""The numbers of any of these."""

ALL: NumberSet = (Numbers(),)
NONE: NumberSet = ()
INTEGERS: NumberSet = (Numbers(multiples=frozenset((Decimal(1),))),)


def exact(value: int | float | Decimal) -> Decimal:
    """A number of a schema; a float stands for the shortest decimal fraction that Python prints for it.

    Raises UnsupportedError if it has more than `MOST_DIGITS` digits when written without an exponent.

    >>> exact(0.1), exact(1.0), exact(-0.0)
    (Decimal('0.1'), Decimal('1'), Decimal('0'))
    """
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise UnsupportedError(f"{value} is not a number that JSON can write")
    return _checked(number)


def exactly(value: int | float | Decimal) -> NumberSet:
    """The one number."""
    number = exact(value)
    return (Numbers(number, False, number, False),)


def bounded(value: int | float | Decimal, is_low: bool, is_open: bool) -> NumberSet:
    """The numbers on one side of a bound; `is_open` leaves out the bound itself.

    >>> contains(bounded(3, is_low=True, is_open=True), 3)
    False
    """
    number = exact(value)
    return (Numbers(low=number, low_open=is_open) if is_low else Numbers(high=number, high_open=is_open),)


def multiples_of(value: int | float | Decimal) -> NumberSet:
    """The multiples of a number above 0."""
    return (Numbers(multiples=frozenset((exact(value),))),)


def contains(numbers: NumberSet, value: int | float | Decimal) -> bool:
    """Whether a number is in the set.

    >>> contains(INTEGERS, 1.0), contains(INTEGERS, 1.5)
    (True, False)
    """
    number = exact(value)
    return any(_has(part, number) for part in numbers)


def is_whole(numbers: Numbers) -> bool:
    """Whether all of them are integers."""
    step = numbers.low if numbers.is_single else numbers.multiple
    return step is not None and step % 1 == 0


def is_empty(numbers: NumberSet) -> bool:
    """Whether no number at all is in the set."""
    return not intersect(numbers, ALL)


def intersect(a: NumberSet, b: NumberSet) -> NumberSet:
    """The numbers in both.

    >>> [(part.low, part.high) for part in intersect(INTEGERS, bounded(0.5, is_low=True, is_open=False))]
    [(Decimal('1'), None)]
    """
    return _simplified(_normal(_both(x, y)) for x in a for y in b)


def unite(*sets: NumberSet) -> NumberSet:
    """The numbers in any of some sets; many at once take less time than one after the other."""
    return _simplified(_normal(part) for numbers in sets for part in numbers)


def complement(numbers: NumberSet) -> NumberSet:
    """All other numbers."""
    points = sorted({part.low for part in numbers if part.low is not None and part.is_single})
    between = zip([None, *points], [*points, None])
    gaps = tuple(Numbers(low, low is not None, high, high is not None) for low, high in between)
    return reduce(intersect, [_outside(part) for part in numbers if not part.is_single], gaps)


def finite(numbers: NumberSet, most: int) -> list[Decimal] | None:
    """The numbers of a set, ascending, if they are at most `most`; else None.

    >>> finite(intersect(INTEGERS, bounded(2, is_low=True, is_open=False)), 9) is None
    True
    """
    found: set[Decimal] = set()
    for part in intersect(numbers, ALL):
        if not _is_bounded(part):
            return None
        for value in _values(part):
            found.add(value)
            if len(found) > most:
                return None
    return sorted(found)


def split(number: Decimal) -> tuple[int, int]:
    """A number of a set, not 0, as (a factor that 10 does not divide, the power of ten that it is multiplied with).

    >>> split(Decimal("1.50")), split(Decimal(-300))
    ((15, -1), (-3, 2))
    """
    exponent = _exponent(_tidy(number))
    return int(_EXACT.scaleb(number, -exponent)), exponent


def mirrored(numbers: Numbers) -> Numbers:
    """The same numbers with the other sign."""
    low = None if numbers.high is None else _EXACT.minus(numbers.high)
    high = None if numbers.low is None else _EXACT.minus(numbers.low)
    return Numbers(low, numbers.high_open, high, numbers.low_open, numbers.multiples, numbers.nonmultiples)


def shifted(numbers: Numbers, places: int) -> Numbers:
    """The same numbers times 10**places."""

    def shift(number: Decimal) -> Decimal:
        return _tidy(_EXACT.scaleb(number, places))

    low, high = (None if bound is None else shift(bound) for bound in (numbers.low, numbers.high))
    multiples, nonmultiples = (frozenset(map(shift, steps)) for steps in (numbers.multiples, numbers.nonmultiples))
    return Numbers(low, numbers.low_open, high, numbers.high_open, multiples, nonmultiples)


def from_zero(numbers: Numbers) -> Numbers | None:
    """Those from zero on: of multiples, those above zero."""
    return _normal(_both(numbers, Numbers(Decimal(0), bool(numbers.multiples))))


# ---- conjunctions


def _both(a: Numbers, b: Numbers) -> Numbers:
    low, low_open = _higher((a.low, a.low_open), (b.low, b.low_open))
    high, high_open = _lower((a.high, a.high_open), (b.high, b.high_open))
    return Numbers(low, low_open, high, high_open, a.multiples | b.multiples, a.nonmultiples | b.nonmultiples)


def _higher(a: tuple[Decimal | None, bool], b: tuple[Decimal | None, bool]) -> tuple[Decimal | None, bool]:
    """The lower bound that leaves less."""
    if a[0] is None or b[0] is None:
        return b if a[0] is None else a
    return max((a[0], a[1]), (b[0], b[1]))


def _lower(a: tuple[Decimal | None, bool], b: tuple[Decimal | None, bool]) -> tuple[Decimal | None, bool]:
    """The upper bound that leaves less."""
    if a[0] is None or b[0] is None:
        return b if a[0] is None else a
    return min(a, b, key=lambda bound: (bound[0], not bound[1]))


def _has(numbers: Numbers, value: Decimal) -> bool:
    low, high = numbers.low, numbers.high
    if low is not None and (value < low or (numbers.low_open and value == low)):
        return False
    if high is not None and (value > high or (numbers.high_open and value == high)):
        return False
    return all(_divides(n, value) for n in numbers.multiples) and not any(
        _divides(n, value) for n in numbers.nonmultiples
    )


def _outside(numbers: Numbers) -> NumberSet:
    """All numbers that miss one of the conditions."""
    parts = [Numbers(nonmultiples=frozenset((n,))) for n in numbers.multiples]
    parts += [Numbers(multiples=frozenset((n,))) for n in numbers.nonmultiples]
    if numbers.low is not None:
        parts.append(Numbers(high=numbers.low, high_open=not numbers.low_open))
    if numbers.high is not None:
        parts.append(Numbers(low=numbers.high, low_open=not numbers.high_open))
    return tuple(parts)


def _simplified(parts: Iterable[Numbers | None]) -> NumberSet:
    """The union of parts in normal form, without those that lie within others."""
    distinct = [part for part in dict.fromkeys(parts) if part is not None]
    kept: list[Numbers] = []
    for part in distinct:
        if not part.is_single and not any(_is_within(part, other) for other in kept):
            kept = [other for other in kept if not _is_within(other, part)] + [part]
    return (*kept, *(p for p in distinct if p.is_single and not any(_is_within(p, other) for other in kept)))


def _is_within(a: Numbers, b: Numbers) -> bool:
    if b.low is not None and (a.low is None or a.low < b.low):  # the usual case, and soon seen
        return False
    if b.high is not None and (a.high is None or a.high > b.high):
        return False
    return _normal(_both(a, b)) is not None and all(_normal(_both(a, part)) is None for part in _outside(b))


def _normal(numbers: Numbers) -> Numbers | None:
    """The same numbers in normal form; None if there are none."""
    if _is_crossed(numbers):
        return None
    step = numbers.multiple
    if step is not None:
        excluded = frozenset([_common_multiple(step, n) for n in numbers.nonmultiples])
        if step in excluded:
            return None
        numbers = _on_multiples(numbers, step, excluded)
        if _is_crossed(numbers):
            return None
    low = numbers.low
    if low is not None and low == numbers.high:
        taken = any(_divides(n, low) for n in numbers.nonmultiples)
        return None if taken else Numbers(low, False, low, False)
    return replace(numbers, nonmultiples=_exclusions(numbers)) if numbers.nonmultiples else numbers


def _is_crossed(numbers: Numbers) -> bool:
    """Whether nothing lies between the bounds."""
    low, high = numbers.low, numbers.high
    if low is None or high is None:
        return False
    return low > high or (low == high and (numbers.low_open or numbers.high_open))


def _on_multiples(numbers: Numbers, step: Decimal, excluded: frozenset[Decimal]) -> Numbers:
    """Multiples of `step` but not of `excluded`, the bounds moved to the nearest ones inside."""
    low, high = numbers.low, numbers.high
    if low is not None:
        low = _multiple_above(low, numbers.low_open, step, excluded)
    if high is not None:
        high = _EXACT.minus(_multiple_above(_EXACT.minus(high), numbers.high_open, step, excluded))
    return Numbers(low, False, high, False, frozenset((step,)), excluded)


def _multiple_above(bound: Decimal, is_open: bool, step: Decimal, excluded: frozenset[Decimal]) -> Decimal:
    """The least multiple of `step` from a bound on, or beyond it if it is open, that is none of `excluded`.

    It is near, however many are excluded: k of them leave over one of any 2**k multiples in a row (Crittenden and
    Vanden Eynden, "Any n arithmetic progressions covering the first 2**n integers cover all integers", 1970), since
    they leave over the step itself.
    """
    found = _EXACT.multiply(_EXACT.divide_int(bound, step), step)  # rounds towards 0
    while found < bound or (is_open and found == bound) or any(_divides(n, found) for n in excluded):
        found = _EXACT.add(found, step)
    return _tidy(found)


def _exclusions(numbers: Numbers) -> frozenset[Decimal]:
    """`nonmultiples` without those that leave out nothing, or nothing that another one does not."""
    nothing: frozenset[Decimal] = frozenset()
    there = [n for n in numbers.nonmultiples if not _is_crossed(_on_multiples(numbers, n, nothing))]
    return frozenset([n for n in there if not any(_divides(other, n) for other in there if other != n)])


def _is_bounded(numbers: Numbers) -> bool:
    """Whether there are finitely many of these numbers."""
    spaced = numbers.multiples or numbers.is_single
    return bool(spaced) and numbers.low is not None and numbers.high is not None


def _values(numbers: Numbers) -> Iterator[Decimal]:
    """The numbers of a bounded conjunction, ascending."""
    assert numbers.low is not None and numbers.high is not None
    value, step = numbers.low, numbers.multiple
    while value <= numbers.high:
        yield value
        if step is None:
            return
        value = _multiple_above(value, True, step, numbers.nonmultiples)


# ---- arithmetic


def _divides(divisor: Decimal, value: Decimal) -> bool:
    return not _EXACT.remainder(value, divisor)


def _common_multiple(a: Decimal, b: Decimal) -> Decimal:
    """The least number above 0 that both divide."""
    if _divides(a, b) or _divides(b, a):
        return max(a, b)
    least = min(_exponent(a), _exponent(b))
    whole = math.lcm(int(_EXACT.scaleb(a, -least)), int(_EXACT.scaleb(b, -least)))
    return _checked(_EXACT.scaleb(Decimal(whole), least))


def _exponent(number: Decimal) -> int:
    """The power of ten of its last digit."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _checked(number: Decimal) -> Decimal:
    """The number without zeros at its end, unless it is too long."""
    if not number:
        return Decimal(0)
    digits = len(number.as_tuple().digits)
    if max(digits, number.adjusted() + 1, -_exponent(number)) > MOST_DIGITS:
        raise UnsupportedError(
            f"the number {number:.6E} has more than {MOST_DIGITS:,} digits when written without an exponent; "
            "leave out a bound that nothing reaches, or round it"
        )
    return _tidy(number)


def _tidy(number: Decimal) -> Decimal:
    """The number without zeros at its end and without the sign that a zero may have."""
    return _EXACT.plus(_EXACT.normalize(number))
