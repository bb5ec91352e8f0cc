"""Sets of JSON numbers and their texts, against the definition worked out with fractions."""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Language, examples, mutated

from constrain import Limits, UnsupportedError
from constrain.automata.dfa import DfaStore
from constrain.automata.tables import NODES
from constrain.ir.semantics import accepts
from constrain.specs.json_schema.number_texts import expression
from constrain.specs.json_schema.numbers import (
    ALL,
    INTEGERS,
    NONE,
    Numbers,
    NumberSet,
    bounded,
    complement,
    contains,
    exact,
    exactly,
    finite,
    from_zero,
    intersect,
    is_empty,
    mirrored,
    multiples_of,
    unite,
)

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
SCIENTIFIC = re.compile(r"-?[1-9](?:\.[0-9]+)?[eE][+-]?[0-9]+")
STORE = DfaStore()

GRID = [Fraction(n, 200) for n in range(-1400, 1401)]
"""Holds each bound and multiple that `raw_numbers` draws between -7 and 7, and a number that is neither in each gap."""
_STEPS = ["0.05", "0.1", "0.25", "0.3", "0.5", "1", "1.5", "2", "3", "5", "10"]

tenths = st.integers(-60, 60).map(lambda n: Decimal(n).scaleb(-1))
steps = st.frozensets(st.sampled_from(list(map(Decimal, _STEPS))), max_size=2)
far = st.builds(lambda n, e: Decimal(n).scaleb(e), st.integers(-1200, 1200), st.integers(-4, 3))


def raw_numbers(bounds: st.SearchStrategy[Decimal] = tenths) -> st.SearchStrategy[Numbers]:
    """Conjunctions in no normal form."""
    bound = st.none() | bounds
    return st.builds(Numbers, bound, st.booleans(), bound, st.booleans(), steps, steps)


raw_sets = st.lists(raw_numbers(), max_size=3).map(tuple)
far_sets = st.one_of(
    st.builds(lambda part: (part,), raw_numbers(far)),
    st.builds(
        lambda low, high, a, b, step: (Numbers(low, a, high, b, frozenset(step)),),
        st.none() | far,
        st.none() | far,
        st.booleans(),
        st.booleans(),
        st.sampled_from([(), (), (Decimal(1),), (Decimal("0.01"),), (Decimal(7),), (Decimal("1E+3"),)]),
    ),
    st.lists(raw_numbers(far), max_size=2).map(tuple),
)


def is_in(value: Fraction, numbers: NumberSet) -> bool:
    """The definition."""

    def meets(part: Numbers) -> bool:
        low, high = part.low, part.high
        return (
            (low is None or value > Fraction(low) or (value == Fraction(low) and not part.low_open))
            and (high is None or value < Fraction(high) or (value == Fraction(high) and not part.high_open))
            and all((value / Fraction(n)).denominator == 1 for n in part.multiples)
            and all((value / Fraction(n)).denominator != 1 for n in part.nonmultiples)
        )

    return any(map(meets, numbers))


def decimal(value: Fraction) -> Decimal:
    """A fraction of the grid."""
    return Decimal(int(value * 200)) / 200


# ---- sets


@examples(300)
@given(raw_sets)
def test_emptiness_is_exact(numbers: NumberSet) -> None:
    within = intersect(numbers, intersect(bounded(-7, True, False), bounded(7, False, False)))
    expected = [value for value in GRID if is_in(value, numbers)]
    assert is_empty(within) == (not expected)
    if not numbers:
        assert is_empty(numbers)


@examples(200)
@given(raw_sets, st.integers(0, 30))
def test_finite_lists_all_numbers_or_none(numbers: NumberSet, most: int) -> None:
    within = intersect(numbers, intersect(bounded(-7, True, False), bounded(7, False, False)))
    dense = any(not part.multiples and part.low != part.high for part in within)
    expected = [decimal(value) for value in GRID if is_in(value, within)]
    assert finite(within, most) == (None if dense or len(expected) > most else expected)


@examples(200)
@given(raw_sets, raw_sets)
def test_operations_mean_what_they_say(a: NumberSet, b: NumberSet) -> None:
    both, either, others = intersect(a, b), unite(a, b), complement(a)
    for value in GRID[::7]:
        in_a, in_b = is_in(value, a), is_in(value, b)
        assert contains(a, decimal(value)) == in_a
        assert (is_in(value, both), is_in(value, either), is_in(value, others)) == (
            in_a and in_b,
            in_a or in_b,
            not in_a,
        )
    assert is_empty(intersect(a, others))
    assert is_empty(complement(unite(a, others)))
    assert complement(ALL) == NONE and complement(NONE) == ALL


@examples(200)
@given(raw_sets)
def test_normal_forms_keep_no_more_than_they_need(numbers: NumberSet) -> None:
    normal = intersect(numbers, ALL)
    assert intersect(normal, ALL) == normal, "they stay as they are"
    for part in normal:
        assert len(part.multiples) <= 1 and not is_empty((part,))
        rest = tuple(other for other in normal if other != part)
        for other in rest:
            assert not is_empty(intersect((part,), complement((other,)))), "one lies within the other"
        for n in part.nonmultiples:
            assert not any((Fraction(n) / Fraction(other)).denominator == 1 for other in part.nonmultiples - {n})
            assert not is_empty(intersect((replace(part, nonmultiples=frozenset()),), multiples_of(n)))
        for step in part.multiples:
            assert all((Fraction(n) / Fraction(step)).denominator == 1 for n in part.nonmultiples)
            assert all(is_in(Fraction(bound), (part,)) for bound in (part.low, part.high) if bound is not None)


@examples(100)
@given(raw_numbers())
def test_halves(part: Numbers) -> None:
    above = from_zero(part)
    for value in GRID[::7]:
        assert is_in(-value, (mirrored(part),)) == is_in(value, (part,))
        if value > 0:
            assert is_in(value, (above,) if above else ()) == is_in(value, (part,))


def test_numbers_are_exact() -> None:
    assert exact(0.1) == Decimal("0.1") and exact(1e22) == 10**22 and exact(5e-324) == Decimal("5e-324")
    assert contains(multiples_of(0.1), 0.3) and contains(multiples_of(0.01), 19.99)
    assert contains(INTEGERS, 1.0) and contains(INTEGERS, Decimal("1E+400")) and not contains(INTEGERS, 1.5)
    assert exactly(1) == exactly(1.0) == exactly(Decimal("1.000"))
    assert str(exactly(-0.0)[0].low) == str(intersect(INTEGERS, bounded(-0.5, True, False))[0].low) == "0"
    assert intersect(multiples_of(0.4), multiples_of(0.6)) == multiples_of(Decimal("1.2"))
    assert intersect(INTEGERS, exactly(3)) == exactly(3)


def test_nothing_takes_long() -> None:
    begin = time.perf_counter()
    wide = intersect(bounded(Decimal("-1e9000"), True, False), bounded(Decimal("1e9000"), False, True))
    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
    sparse = (Numbers(multiples=frozenset((Decimal(1),)), nonmultiples=frozenset(map(Decimal, primes))),)
    assert not is_empty(intersect(wide, sparse))
    assert finite(intersect(wide, sparse), 100) is None
    assert is_empty(intersect(sparse, intersect(bounded(2, True, False), bounded(52, False, False))))
    assert finite(intersect(sparse, intersect(bounded(2, True, False), bounded(53, False, False))), 3) == [53]
    tiny = multiples_of(Decimal("3e-9000"))
    assert not is_empty(intersect(wide, intersect(tiny, multiples_of(Decimal("7e-8000")))))
    assert finite(intersect(wide, tiny), 10) is None
    points = unite(*map(exactly, range(300)))
    assert len(complement(points)) == 301
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("text", ["1e10000", "-1e999999999", "1e-10001", "1e-999999999"])
def test_numbers_too_long_to_write_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match="more than 10,000 digits when written without an exponent"):
        exact(Decimal(text))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), Decimal("-Infinity")])
def test_what_json_cannot_write_is_refused(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="not a number that JSON can write"):
        exact(value)


# ---- texts


def value_of(text: str) -> Fraction:
    return Fraction(Decimal(text))


def language(numbers: NumberSet) -> Language:
    return Language(expression(numbers), STORE)


def near(numbers: NumberSet, rng: random.Random) -> Iterator[str]:
    """Texts of all kinds, most of them of numbers near to bounds and multiples."""
    known = [value for part in numbers for value in (part.low, part.high, *part.multiples, *part.nonmultiples) if value]
    for _ in range(25):
        value = rng.choice([*known, Decimal(0), Decimal(rng.randint(-200, 200))]) * rng.choice([1, 1, 1, 3, -1, 20])
        value += rng.choice([0, 0, 0, Decimal(rng.randint(-20, 20)).scaleb(rng.randint(-4, 1))])
        plain = f"{value:f}"
        padded = f"{plain}{'' if '.' in plain else '.'}{'0' * rng.randint(1, 3)}"
        yield from (plain, padded, f"-{plain}", mutated(rng, plain, "0123456789.-"))
        scientific = f"{value:{rng.choice('eE')}}"
        yield from (scientific, re.sub(r"[+]", "", scientific), re.sub(r"(\d+)$", r"0\1", scientific))
        yield mutated(rng, scientific, "0123456789.-+eE")
        yield f"{plain}{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.randint(0, 12)}"


def check_texts(numbers: NumberSet, rng: random.Random) -> None:
    """Every text that is denoted is right; every plain one that is right is denoted, and some with an exponent."""
    expr = expression(numbers)
    found = Language(expr, STORE)
    for n, text in enumerate(near(numbers, rng)):
        denoted = found.accepts(text.encode())
        if n % 40 == 0 and len(text) < 12:
            assert accepts(expr, text.encode()) == denoted, text
        if not NUMBER.fullmatch(text):
            assert not denoted, text
            continue
        right = is_in(value_of(text), numbers)
        assert right or not denoted, text
        if "e" not in text.lower():
            assert denoted == right, text
        elif right and is_promised(text, numbers):
            assert denoted, text


def is_promised(text: str, numbers: NumberSet) -> bool:
    """Whether the documentation says that a text with an exponent is denoted."""
    value, mantissa = value_of(text), value_of(re.split("[eE]", text)[0])
    if value == 0:
        return True
    for part in intersect(numbers, ALL):
        small, large = (part.low, part.high) if value < 0 else (part.high, part.low)
        on_one_side = small is None and (not large or large.copy_abs() in part.multiples)
        if not is_in(value, (part,)):
            continue
        if not part.multiples and (on_one_side or SCIENTIFIC.fullmatch(text)):
            if all(abs(value) < n for n in part.nonmultiples):
                return not part.nonmultiples or SCIENTIFIC.fullmatch(text) is not None
        if part.multiples and not part.nonmultiples and on_one_side and is_in(mantissa, (part,)):
            return re.search("[eE]-", text) is None
    return False


@examples(300)
@given(far_sets, st.integers(0, 10**6))
def test_texts(numbers: NumberSet, seed: int) -> None:
    check_texts(numbers, random.Random(seed))


@examples(60)
@given(far_sets, st.integers(0, 10**6))
def test_texts_of_all_other_numbers(numbers: NumberSet, seed: int) -> None:
    check_texts(complement(numbers), random.Random(seed))


@examples(200)
@given(far_sets)
def test_there_are_texts_unless_the_set_is_empty(numbers: NumberSet) -> None:
    assert language(numbers).viable(b"") != is_empty(numbers)


@examples(60)
@given(far_sets, st.integers(0, 10**6))
def test_what_is_written_at_random_is_in_the_set(numbers: NumberSet, seed: int) -> None:
    text = language(numbers).sample(random.Random(seed), longest=14)
    if text is not None and not re.search(rb"[eE][+-]?\d{6}", text):
        assert NUMBER.fullmatch(text.decode()) and is_in(value_of(text.decode()), numbers), text


SHORT = ["".join(text) for n in range(1, 5) for text in itertools.product("0125.-e+", repeat=n)]
USUAL: dict[str, NumberSet] = {
    "number": ALL,
    "integer": INTEGERS,
    "minimum 0": bounded(0, True, False),
    "above 0": bounded(0, True, True),
    "maximum 0": bounded(0, False, False),
    "below 0": bounded(0, False, True),
    "integer from 0": intersect(INTEGERS, bounded(0, True, False)),
    "integer from 1": intersect(INTEGERS, bounded(1, True, False)),
    "0 to 1": intersect(bounded(0, True, False), bounded(1, False, False)),
    "-1 to 20": intersect(bounded(-1, True, False), bounded(20, False, False)),
    "0.2 to 1.5": intersect(bounded(0.2, True, False), bounded(1.5, False, False)),
    "below 0.5": bounded(0.5, False, True),
    "above 25": bounded(25, True, True),
    "above 100": bounded(100, True, True),
    "0 to 100": intersect(INTEGERS, intersect(bounded(0, True, False), bounded(100, False, False))),
    "percent": intersect(bounded(0, True, False), bounded(100, False, False)),
    "cents": multiples_of(0.01),
    "positive cents": intersect(multiples_of(0.01), bounded(0, True, True)),
    "fives": multiples_of(5),
    "hundreds": multiples_of(100),
    "halves": multiples_of(0.5),
    "positive halves": intersect(multiples_of(0.5), bounded(0, True, True)),
    "quarters": multiples_of(0.25),
    "0.3": multiples_of(0.3),
    "not integer": complement(INTEGERS),
    "not even": complement(multiples_of(2)),
    "odd": intersect(INTEGERS, complement(multiples_of(2))),
    "exactly 1.5": exactly(1.5),
    "exactly 0": exactly(0),
    "not 2": complement(exactly(2)),
    "nothing": NONE,
}


@pytest.mark.parametrize("name", USUAL)
def test_all_short_texts(name: str) -> None:
    numbers, found = USUAL[name], language(USUAL[name])
    for text in SHORT:
        denoted = found.accepts(text.encode())
        right = NUMBER.fullmatch(text) is not None and is_in(value_of(text), numbers)
        promised = right and ("e" not in text or is_promised(text, numbers))
        assert (denoted or not promised) and (right or not denoted), text


@pytest.mark.parametrize("name", USUAL)
def test_texts_of_usual_sets(name: str) -> None:
    check_texts(USUAL[name], random.Random(1))


@pytest.mark.parametrize("name", ["number", "integer", "minimum 0", "0 to 1", "percent", "0 to 100", "cents", "fives"])
def test_usual_sets_are_small(name: str) -> None:
    store = DfaStore()
    begin = store.tables["count"][NODES]
    Language(expression(USUAL[name]), store)
    assert store.tables["count"][NODES] - begin <= 60


@pytest.mark.parametrize(
    "name, texts",
    {
        "number": "0 -0.0 1e5 12.50E+07 0e-9 1.5e-300",
        "integer": "1.0 -0.000 5e3 5.0E+3 0e-5 -0E-0",
        "minimum 0": "12e-3 0.5E1 -0 -0.0e7",
        "0 to 1": "1e-07 1.0e0 0.999 1E-324 9.99e-1 0.0e5 1e+00 1e-0",
        "percent": "1e2 1.00E+002 9.99e1 100.000 1e-16",
        "cents": "19.99 19.990 5e3 0.01e1",
        "not integer": "0.5 1e-07 -2.5E-1",
    }.items(),
)
def test_texts_that_serialisers_write(name: str, texts: str) -> None:
    found = language(USUAL[name])
    assert [text for text in texts.split() if not found.accepts(text.encode())] == []


@examples(100)
@given(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
def test_what_python_writes_for_floats_between_bounds(a: float, b: float, is_open: bool) -> None:
    between = intersect(bounded(min(a, b), True, is_open), bounded(max(a, b), False, is_open))
    found = Language(expression(between), STORE)
    for value in (a, b, a / 2 + b / 2, 0.0, 1e-7, -a):
        right = min(a, b) < value < max(a, b) or (not is_open and value in (a, b))
        assert found.accepts(json.dumps(value).encode()) == right, value


def test_long_bounds() -> None:
    begin = time.perf_counter()
    huge, digits = Decimal("1e400"), "12345678901234567890" * 20
    cases = {
        "1e400": (bounded(huge, False, False), ["1" + "0" * 400, "1" + "0" * 400 + ".0", "9e399", "1e400", "-1e999"]),
        "above 1e400": (bounded(huge, True, True), ["1" + "0" * 400 + ".01", "1" + "0" * 399 + "1", "1.1e400"]),
        digits: (bounded(Decimal(digits), False, False), [digits, digits[:-1] + "0", "1" + "0" * 399, "1e399", "0.5"]),
        "1e-400": (bounded(Decimal("1e-400"), False, True), ["0." + "0" * 400 + "9", "9e-401", "0", "-5"]),
        "9000 zeros": (bounded(Decimal("1e9000"), False, False), ["9" * 9000, "1" + "0" * 9000]),
    }
    for numbers, texts in cases.values():
        found = language(numbers)
        for text in texts:
            assert found.accepts(text.encode()), text[:30]
            assert is_in(value_of(text), numbers)
    wrong = {
        "1e400": "1" + "0" * 399 + "1",
        "above 1e400": "1" + "0" * 400,
        digits: digits[:-1] + "1",
        "1e-400": "1e-400",
    }
    for name, text in wrong.items():
        assert not language(cases[name][0]).accepts(text.encode())
    assert time.perf_counter() - begin < 20


def test_what_cannot_be_enforced_says_so() -> None:
    with pytest.raises(UnsupportedError, match="a bound with 1,500 digits cannot be enforced"):
        expression(bounded(Decimal("7" * 1500), False, False))
    with pytest.raises(UnsupportedError, match="multiples of a number with more than 17 digits"):
        expression(multiples_of(Decimal("3.141592653589793238")))
    few = intersect(
        multiples_of(Decimal("3.141592653589793238")), intersect(bounded(1, True, True), bounded(7, False, True))
    )
    assert language(few).accepts(b"6.283185307179586476") and not language(few).accepts(b"3.14159265358979323")


@pytest.mark.parametrize("factor", [7, 64, 1_000_003, 2**40, 10**17 - 1])
def test_multiples_of_large_numbers(factor: int) -> None:
    found = language(intersect(multiples_of(factor), bounded(0, True, False)))
    for count in (0, 1, 2, 99, 12345678901234567890):
        assert found.accepts(b"%d" % (count * factor)) and found.accepts(b"%d.00" % (count * factor))
        assert not found.accepts(b"%d" % (count * factor + 1))
        assert found.viable(b"%d" % (count * factor + 1))


@pytest.mark.parametrize("factor", [1024, 86_400, 2**20, 1_000_003])
def test_bounded_multiples_take_no_long_search(factor: int) -> None:
    low, high = 3 * factor, 2**44
    numbers = intersect(multiples_of(factor), intersect(bounded(low, True, False), bounded(high, False, False)))
    found = Language(expression(numbers), limits=Limits(search=500))
    rng = random.Random(factor)
    for _ in range(60):
        text = str(rng.choice([low, high, rng.randrange(high) // factor * factor, rng.randrange(2 * high)]))
        begun = int(text[: rng.randint(1, len(text))])
        ends = [(max(low, begun * 10**n), min(high, (begun + 1) * 10**n - 1)) for n in range(16)]
        assert found.viable(b"%d" % begun) == any(b // factor * factor >= a for a, b in ends), begun
        assert found.accepts(text.encode()) == (int(text) % factor == 0 and low <= int(text) <= high)
