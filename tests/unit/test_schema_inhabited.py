"""Which definitions that refer to each other have a value: against the least fixed point, found by rounds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_strategies import Schema, schemas
from strategies import examples

import constrain
from constrain import LimitExceeded, Limits, UnsatisfiableError, UnsupportedError
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.plain import Plain

VOCABULARY = constrain.Vocabulary.from_tokens([*(bytes([byte]) for byte in range(256)), None], eos_ids=[256])

Definitions = list[list[frozenset[int]]]
"""For each definition its alternatives: those that an object of it must hold a value of."""


@st.composite
def definitions(draw: st.DrawFn) -> Definitions:
    count = draw(st.integers(1, 6))
    needed = st.frozensets(st.integers(0, count - 1), max_size=3)
    return draw(st.lists(st.lists(needed, min_size=1, max_size=3), min_size=count, max_size=count))


def inhabited(some: Definitions) -> set[int]:
    """The definitions that have a value."""
    found: set[int] = set()
    while True:
        more = {n for n, alternatives in enumerate(some) if any(needed <= found for needed in alternatives)}
        if more == found:
            return found
        found = more


def schema(some: Definitions, start: int) -> dict[str, Any]:
    """The schema of one of some definitions, of which no object may be empty unless nothing is needed."""
    made = {
        f"d{n}": {"anyOf": [_object(needed) for needed in alternatives]}
        if len(alternatives) > 1
        else _object(*alternatives)
        for n, alternatives in enumerate(some)
    }
    return {"$ref": f"#/$defs/d{start}", "$defs": made}


def _object(needed: frozenset[int]) -> dict[str, Any]:
    names = sorted(needed)
    properties = {f"p{n}": {"$ref": f"#/$defs/d{n}"} for n in names}
    return {"type": "object", "properties": properties, "required": list(properties), "maxProperties": len(names)}


def has_value(some: Definitions, start: int) -> bool:
    try:
        automaton = constrain.Compiler(VOCABULARY).compile(constrain.json_schema(schema(some, start)))
    except UnsatisfiableError:
        return False
    completion = automaton.matcher().completion()
    assert completion is not None and automaton.accepts(completion)
    return True


@examples(150)
@given(definitions())
def test_against_the_least_fixed_point(some: Definitions) -> None:
    assert {n for n in range(len(some)) if has_value(some, n)} == inhabited(some)


def test_definitions_that_all_refer_to_each_other_take_no_exponential_time() -> None:
    """What is empty only if something else is must not be worked out anew on every way to it."""
    every = frozenset(range(14))
    assert not has_value([[every - {n}] for n in range(14)], 0)


@examples(400)
@given(st.integers(0, 2).flatmap(schemas))
def test_what_looks_plain_has_a_value_when_it_is_worked_out(some: Schema) -> None:
    document = Document(some, None, None)
    if not Plain(document).has_value(document.root):
        return
    with pytest.MonkeyPatch.context() as patch, suppress(UnsupportedError, LimitExceeded):
        patch.setattr(Plain, "has_value", lambda self, place: False)
        constrain.json_schema(some, format="annotation").lower(Limits())
