"""Sets of JSON values: what `intersect`, `unite` and `complement` make of them, value by value.

The judge looks at one value and one set, and shares nothing with the algebra. Formulas are settled by what they are
made of: leaves here are sets whose members are known.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, expressions

from constrain import LimitExceeded, Limits
from constrain.automata.dfa import DfaStore
from constrain.automata.queries import DfaLanguages
from constrain.ir.expr import Chars, Concat, Expr, Literal, Repeat
from constrain.ir.semantics import accepts
from constrain.specs.json_schema import numbers, strings
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.formulas import FALSE, TRUE, Every, Formulas, Leaf, Some
from constrain.specs.json_schema.numbers import Numbers
from constrain.specs.json_schema.reader import Reader
from constrain.specs.json_schema.strings import StringSet
from constrain.specs.json_schema.values import ALL, NONE, Algebra, ArraySet, Contains, ObjectSet, Values

A_STAR: Expr = Repeat(Chars(((0x61, 0x61),)), 0, None)
HAS_B: Expr = Concat((strings.ANY_TEXT, Literal(b"b"), strings.ANY_TEXT))
TWO: Expr = strings.of_length(2, 2)
MEANINGS = {A_STAR: "a*", HAS_B: ".*b.*", TWO: "..", strings.ANY_TEXT: ".*"}
"""The expressions that are drawn, as Python reads them."""
LIMITS = Limits()
LANGUAGES = DfaLanguages(DfaStore(), LIMITS)
NAMES = ["a", "b", "ab", ""]
PREDICATES: list[Any] = [
    lambda value: isinstance(value, str),
    lambda value: isinstance(value, int) and not isinstance(value, bool),
    lambda value: value is None or value == [],
    lambda value: isinstance(value, dict),
]
"""What the leaves of formulas stand for."""

FORMULAS = Formulas()
LEAVES = [FORMULAS.leaf(n, predicate) for n, predicate in enumerate(PREDICATES)]
ALGEBRA = Algebra(FORMULAS, LANGUAGES, LIMITS)


# ---- the judge


def holds(formula: int, value: Any) -> bool:
    """Whether a value is in a formula."""
    match FORMULAS[formula]:
        case Leaf(content, negated):
            return bool(content(value)) != negated
        case Every(parts):
            return all(holds(part, value) for part in parts)
        case Some(parts):
            return any(holds(part, value) for part in parts)


def contains(values: Values, value: Any) -> bool:
    """Whether a JSON value is in a set."""
    if value is None:
        return values.null
    if isinstance(value, bool):
        return value in values.booleans
    if isinstance(value, str):
        return in_strings(values.strings, value)
    if isinstance(value, list):
        return any(in_arrays(each, value) for each in values.arrays)
    if isinstance(value, dict):
        return any(in_objects(each, value) for each in values.objects)
    return any(in_numbers(each, Decimal(str(value))) for each in values.numbers)


def in_numbers(known: Numbers, value: Decimal) -> bool:
    above = known.low is None or value > known.low or (value == known.low and not known.low_open)
    below = known.high is None or value < known.high or (value == known.high and not known.high_open)
    spaced = all(value % step == 0 for step in known.multiples) and all(value % n != 0 for n in known.nonmultiples)
    return above and below and spaced


def in_strings(known: StringSet, value: str) -> bool:
    if known.only is not None:
        return value in known.only
    return value not in known.but and all(in_expression(part, value) for part in known.parts)


def in_expression(expr: Expr, value: str) -> bool:
    """By Python's `re` for what was drawn; what the algebra has made of it, by what it is made of."""
    meaning = MEANINGS.get(expr)
    if meaning is not None:
        return re.fullmatch(meaning, value, re.DOTALL) is not None
    match type(expr).__name__:
        case "And":
            return all(in_expression(part, value) for part in expr.parts)
        case "Alt":
            return any(in_expression(part, value) for part in expr.parts)
        case "Not":
            return not in_expression(expr.body, value)
        case "Words":
            return value.encode() in expr.words
    raise AssertionError(expr)


def in_arrays(known: ArraySet, value: list[Any]) -> bool:
    items = [holds(known.prefix[i] if i < len(known.prefix) else known.rest, item) for i, item in enumerate(value)]
    counts = [sum(holds(some.formula, item) for item in value[some.start :]) for some in known.contains]
    differ = all(value[i] != value[j] for i in range(len(value)) for j in range(i))
    return (
        all(items)
        and known.low <= len(value) <= (len(value) if known.high is None else known.high)
        and all(c >= some.low and (some.high is None or c <= some.high) for c, some in zip(counts, known.contains))
        and not (known.unique and not differ)
        and not (known.repeats and differ)
    )


def in_objects(known: ObjectSet, value: dict[str, Any]) -> bool:
    return (
        all(holds(known.properties.get(name, TRUE), item) for name, item in value.items())
        and all(
            holds(f, item) for names, f in known.patterns for name, item in value.items() if in_strings(names, name)
        )
        and known.required <= value.keys()
        and all(any(in_strings(ns, name) and holds(f, v) for name, v in value.items()) for ns, f in known.some)
        and known.low <= len(value) <= (len(value) if known.high is None else known.high)
    )


# ---- what is drawn

leaves = st.sampled_from(LEAVES).flatmap(lambda leaf: st.sampled_from([leaf, FORMULAS.negate(leaf)]))
formulas = st.one_of(
    st.sampled_from([TRUE, TRUE, FALSE]),
    leaves,
    st.lists(leaves, min_size=1, max_size=2).map(FORMULAS.every),
    st.lists(leaves, min_size=1, max_size=2).map(FORMULAS.some),
)
counts = st.integers(0, 2)
bounds = st.none() | st.integers(0, 3)
string_sets = st.one_of(
    st.sampled_from([strings.ALL, strings.NONE]),
    st.sets(st.sampled_from(NAMES), max_size=3).map(strings.words),
    st.sets(st.sampled_from(NAMES), max_size=2).map(lambda names: strings.complement(strings.words(names))),
    st.sampled_from([A_STAR, HAS_B, TWO]).map(strings.language),
    st.sampled_from([A_STAR, HAS_B, TWO]).map(lambda expr: strings.complement(strings.language(expr))),
    st.just(strings.intersect(strings.language(A_STAR), strings.complement(strings.words(["a"])), LANGUAGES)),
)
limits_of_numbers = st.builds(numbers.bounded, st.sampled_from([0, 1, 2, -1, 0.5]), st.booleans(), st.booleans())
number_sets = st.one_of(
    st.sampled_from([numbers.ALL, numbers.NONE, numbers.INTEGERS]),
    limits_of_numbers,
    st.builds(numbers.intersect, limits_of_numbers, limits_of_numbers),
    st.sampled_from([2, 3, 0.5]).map(numbers.multiples_of),
    st.sampled_from([0, 1, 2.5]).map(numbers.exactly),
)
array_sets = st.builds(
    ArraySet,
    st.lists(formulas, max_size=2).map(tuple),
    formulas,
    counts,
    bounds,
    st.lists(st.builds(Contains, formulas, counts, counts, bounds), max_size=1).map(tuple),
    st.booleans(),
    st.just(False),
)
pairs = st.lists(st.tuples(string_sets, formulas), max_size=2).map(tuple)
object_sets = st.builds(
    lambda properties, patterns, required, some, low, high: ObjectSet(
        properties, (), patterns, required, some, max(low, len(required)), high
    ),
    st.dictionaries(st.sampled_from(NAMES), formulas, max_size=2),
    pairs,
    st.frozensets(st.sampled_from(NAMES), max_size=2),
    pairs.map(lambda drawn: drawn[:1]),
    counts,
    bounds,
)
sets = st.one_of(
    st.sampled_from([ALL, NONE]),
    st.builds(
        Values,
        st.booleans(),
        st.frozensets(st.booleans()),
        number_sets,
        string_sets,
        st.lists(array_sets, max_size=2).map(tuple),
        st.lists(object_sets, max_size=2).map(tuple),
    ),
)
scalars = st.sampled_from([None, True, False, 0, 1, 2, 3, -1, 0.5, 2.5, *NAMES, "aa", "ba", "c"])
small = scalars | st.sampled_from([[], {}])
json_values = st.one_of(
    scalars, st.lists(small, max_size=4), st.dictionaries(st.sampled_from([*NAMES, "c", "aa"]), small, max_size=4)
)
several = st.lists(json_values, min_size=5, max_size=15)


# ---- the laws


@examples(250)
@given(sets, sets, several)
def test_intersect_is_and_unite_is_or(a: Values, b: Values, some: list[Any]) -> None:
    both, either = ALGEBRA.intersect(a, b), ALGEBRA.unite(a, b)
    for value in some:
        assert contains(both, value) == (contains(a, value) and contains(b, value)), value
        assert contains(either, value) == (contains(a, value) or contains(b, value)), value


@examples(250)
@given(sets, several)
def test_complement_is_not(a: Values, some: list[Any]) -> None:
    try:
        other = ALGEBRA.complement(a)
    except LimitExceeded:
        return
    for value in some:
        assert contains(other, value) != contains(a, value), value


@examples(150)
@given(sets, sets, sets, several)
def test_combinations(a: Values, b: Values, c: Values, some: list[Any]) -> None:
    """`a`, and not both of `b` and `c`."""
    try:
        made = ALGEBRA.intersect(a, ALGEBRA.complement(ALGEBRA.intersect(b, c)))
        twice = ALGEBRA.complement(ALGEBRA.complement(b))
    except LimitExceeded:
        return
    for value in some:
        assert contains(made, value) == (contains(a, value) and not (contains(b, value) and contains(c, value))), value
        assert contains(twice, value) == contains(b, value), value


@examples(200)
@given(sets, sets, several)
def test_what_is_disjoint_shares_no_value(a: Values, b: Values, some: list[Any]) -> None:
    if ALGEBRA.are_disjoint(a, b, lambda formula: formula == FALSE):
        assert not any(contains(a, value) and contains(b, value) for value in some)


@examples(200)
@given(st.lists(formulas, max_size=3), several)
def test_formulas(parts: list[int], some: list[Any]) -> None:
    every, either = FORMULAS.every(parts), FORMULAS.some(parts)
    for value in some:
        assert holds(every, value) == all(holds(part, value) for part in parts)
        assert holds(either, value) == any(holds(part, value) for part in parts)
        assert all(holds(FORMULAS.negate(part), value) != holds(part, value) for part in [*parts, every, either])
    assert all(FORMULAS.negate(FORMULAS.negate(part)) == part for part in parts)


@examples(200)
@given(string_sets, string_sets, st.lists(st.text("abc", max_size=3), max_size=10))
def test_strings(a: StringSet, b: StringSet, some: list[str]) -> None:
    both, either, other = strings.intersect(a, b, LANGUAGES), strings.unite(a, b), strings.complement(a)
    listed = strings.finite(both, 20, LANGUAGES)
    for text in some:
        assert a.contains(text, LANGUAGES) == in_strings(a, text)
        assert in_strings(both, text) == (in_strings(a, text) and in_strings(b, text))
        assert in_strings(either, text) == (in_strings(a, text) or in_strings(b, text))
        assert in_strings(other, text) != in_strings(a, text)
        assert LANGUAGES.accepts(either.expr(), text.encode()) == in_strings(either, text)
        assert listed is None or (text in listed) == in_strings(both, text)
        assert not (both.is_empty(LANGUAGES) and in_strings(both, text))


@pytest.mark.parametrize("value", [None, True, 0, "", [], {}, [[]], {"a": {}}])
def test_everything_and_nothing(value: Any) -> None:
    assert contains(ALL, value) and not contains(NONE, value)
    assert contains(ALGEBRA.complement(NONE), value) and not contains(ALGEBRA.complement(ALL), value)


@examples(400)
@given(expressions(), st.lists(st.text("ab0é\u20ac", max_size=5), max_size=8))
def test_no_string_is_shorter_or_longer_than_its_expression_says(expr: Expr, words: list[str]) -> None:
    low, high = strings.span(expr)
    for word in words:
        if accepts(expr, word.encode()):
            assert low <= len(word) and (high is None or len(word) <= high)


def test_bounds_that_a_pattern_keeps_anyway_are_not_counted() -> None:
    """Each count doubles the states."""

    def strings_of(schema: dict[str, Any]) -> StringSet:
        reader = Reader(Document(schema, None, None), LANGUAGES, "assert", LIMITS)
        return reader.values(reader.root).strings

    kept = {"type": "string", "pattern": "^[ab]{2,3}$", "minLength": 2, "maxLength": 3}
    assert len(strings_of(kept).parts) == 1
    assert len(strings_of(kept | {"minLength": 3}).parts) == 2 and len(strings_of(kept | {"maxLength": 2}).parts) == 2
