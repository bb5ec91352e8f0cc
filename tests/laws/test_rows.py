"""Schemas that are read as rows against the algebra of values, which shares no code with them: the same masks.

And what rows take for well-formed is so by the checks that word errors.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from schema_strategies import Doubled, altered, any_value, instances, schemas, spelled
from strategies import examples

import constrain
from constrain.automata.dfa import DfaStore
from constrain.automata.queries import DfaLanguages
from constrain.engine.space import EarleySpace
from constrain.errors import ConstrainError, LimitExceeded, SchemaError
from constrain.ir import schema_rows as r
from constrain.specs.json_schema.document import Document
from constrain.specs.json_schema.drafts import DRAFTS, NEWEST
from constrain.specs.json_schema.rows import SchemaRows, read_rows
from constrain.specs.schema import JsonSchema

PIECES = ['","', '": ', '":', '{"a"', '{"', '"}', '"a', '"b":', "[]", "{}", "],", "[[", "true", "null", "false", '":{"']
PIECES += ["ab", "é", "\\u00", "\\n", "1.", "00", "-1", ", ", " ", "\n  ", '""', "]}", "}}", '"\\', '"a\\u', '":"","']
VOCABULARY = constrain.Vocabulary.from_tokens(
    [*(bytes([byte]) for byte in range(256)), *(piece.encode() for piece in PIECES), None], eos_ids=[256 + len(PIECES)]
)
LIMITS = constrain.Limits()
STORE = DfaStore()
WIDTH = (VOCABULARY.size + 31) // 32
DATA = Path(os.environ.get("CONSTRAIN_DATA", "../shared"))
drafts = st.sampled_from(list(DRAFTS))


def lowered(spec: JsonSchema, by_algebra: bool) -> EarleySpace | ConstrainError:
    """The states of a schema, or why it has none."""
    languages = DfaLanguages(STORE, LIMITS)
    try:
        grammar = (spec.lower_by_algebra if by_algebra else spec.lower)(LIMITS, languages)
        return EarleySpace(grammar, VOCABULARY, STORE, LIMITS)
    except ConstrainError as error:
        return error


def check_alike(rng: random.Random, one: EarleySpace, other: EarleySpace, text: str) -> None:
    """Read a text, cut into tokens at random, in both: the masks are the same, and so is whether it may end."""
    states, data = [one.start(), other.start()], text.encode()
    rows = np.zeros((2, WIDTH), np.int32)
    while True:
        a, b = states
        assert a is not None and b is not None
        one.fill(a, rows[0])
        other.fill(b, rows[1])
        assert (rows[0] == rows[1]).all(), (text, data)
        assert a.accepting == b.accepting
        fitting = [token for token in range(256, VOCABULARY.size - 1) if data.startswith(VOCABULARY.token_bytes(token))]
        if not data:
            return
        token = rng.choice([*fitting, data[0]])
        states = [one.step(a, token), other.step(b, token)]
        assert (states[0] is None) == (states[1] is None)
        if states[0] is None:
            return
        data = data[len(VOCABULARY.token_bytes(token)) :]


@given(st.data(), st.randoms(use_true_random=False))
@examples(60)
def test_masks_are_those_of_the_algebra(data: st.DataObject, rng: random.Random) -> None:
    schema = data.draw(schemas())
    note(json.dumps(schema, ensure_ascii=False))
    spec = constrain.json_schema(schema, whitespace=data.draw(st.sampled_from(["bounded", "compact", "flexible"])))
    one, other = lowered(spec, by_algebra=False), lowered(spec, by_algebra=True)
    if isinstance(other, ConstrainError) or isinstance(one, ConstrainError):
        refused = isinstance(other, LimitExceeded) or isinstance(one, LimitExceeded)
        assert refused or type(one) is type(other), (one, other)
        return
    for instance in data.draw(instances(schema)):
        try:
            text = spelled(rng, instance, double=0.1)
        except Doubled:
            continue
        try:
            check_alike(rng, one, other, text)
        except LimitExceeded:
            return


NAMED: list[Any] = [
    {"properties": {"a": {"type": "string"}, "b": False}, "required": ["a"]},
    {"properties": {"a": True}, "required": ["b", "c", "b"], "additionalProperties": {"type": "integer"}},
    {"properties": {"é": {}, "😀": {}, "": {}}, "additionalProperties": {"enum": ["x", 1, None]}},
    {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": {"type": "null"}},
    {"patternProperties": {"": {"const": "x"}}, "additionalProperties": {"type": "null"}},
    {"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}], "items": {"type": "string"}, "minItems": 1},
    {"type": "array", "items": False},
    {"type": "array", "prefixItems": [{}, False, {}], "maxItems": 5},
    {"type": "array", "prefixItems": [{}, False, {}], "minItems": 2},
    {"oneOf": [{"properties": {"t": {"const": "x"}}, "required": ["t"]}, {"type": "object", "maxProperties": 0}]},
    {"oneOf": [{"properties": {"t": {"const": k}, "v": {"$ref": "#"}}, "required": ["t"]} for k in (1, 2, "c")]},
    {"anyOf": [{"type": "integer"}, {"type": "number", "minimum": 3}, {"$ref": "#/$defs/a"}], "$defs": {"a": {}}},
    {"oneOf": [{"anyOf": [{"not": {"type": "null"}}, {"type": "null"}]}, {"type": "string"}]},
    {"oneOf": [{"anyOf": [{"anyOf": [{"not": {}}, {"allOf": [{}]}]}, {"type": "null"}]}, {"type": "string"}]},
    {"type": "string", "anyOf": [{"anyOf": [{"not": {"const": 1}}, {"type": "null"}]}, {"type": "string"}]},
    {"type": ["string", "null"], "enum": ["a", "é", '"', None, 3]},
    {"enum": [1, 1.0, 2, -0.0, 10**30, "1", True]},
    {"type": "integer", "enum": [1, 1.5, 2.0]},
    {"type": "string", "minLength": 2, "maxLength": 3},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"properties": {"a": {"type": "string", "minLength": 3, "maxLength": 2}}, "required": ["a"]},
    {"properties": {"a": {"allOf": [{"type": "string"}, {"minLength": 2}]}, "b": {"not": {"type": "null"}}}},
    {"allOf": [{"properties": {"a": {"$ref": "#/$defs/d"}}}, {"required": ["a"]}], "$defs": {"d": {"items": {}}}},
    {"properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/c"}, "c": {"type": "null"}}},
    {"properties": {"next": {"$ref": "#"}}, "required": ["next"]},
    {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
    {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2, 3]}},
    {"properties": {"x": {"type": "array", "uniqueItems": True}, "y": {"uniqueItems": False}}},
    {"$ref": "#/definitions/a", "definitions": {"a": {"type": "object"}}},
    {},
    True,
]


@pytest.mark.parametrize("schema", NAMED, ids=str)
def test_named_schemas(schema: Any) -> None:
    spec = constrain.json_schema(schema)
    one, other = lowered(spec, by_algebra=False), lowered(spec, by_algebra=True)
    if isinstance(one, ConstrainError) or isinstance(other, ConstrainError):
        assert type(one) is type(other), (one, other)
        return
    rng = random.Random(1)
    texts = [json.dumps(any_value(rng)) for _ in range(20)]
    texts += [
        '{"a": "", "b": 1, "c":2}',
        '{"b": 1, "c":2, "x":{"x":{}},"x":1}',
        '{"\\u0061":1,"":[{}],"\\ud83d\\ude00": 1',
    ]
    texts += ['{"b":1,"\\u0063":2,"a":0}', '{"t":"x","v":{"t":1}}', '{"é":"x","\\u00e9":1}', '{"next":{"next":null}}']
    texts += [
        "[1,null]",
        '["x","x"]',
        "[1, 2, 3]",
        "[1,1]",
        '[{"a":[1]},{"a":[1]}]',
        '{"ab":1,"b":null}',
        '{"x":[1,1],"y":[]}',
    ]
    for text in texts:
        check_alike(rng, one, other, text)


@given(st.data(), st.randoms(use_true_random=False), drafts)
@examples(300)
def test_what_is_understood_is_well_formed(data: st.DataObject, rng: random.Random, draft: str) -> None:
    """Of schemas of which one value has been changed, many are not."""
    schema: Any = data.draw(schemas())
    for _ in range(rng.randrange(3)):
        schema = altered(rng, schema)
    note(json.dumps(schema, ensure_ascii=False))
    if read_rows(json.dumps(schema, ensure_ascii=rng.random() < 0.5), DRAFTS[draft]) is None:
        return
    document = Document(schema, DRAFTS[draft], None)
    document.syntax.check(document.root)
    for reference, pointer in document.syntax.references:
        document.check_reference(reference, pointer)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "int"}, {"type": []}, {"required": "a"}, {"minLength": -1}, {"minLength": 1.5}, {"properties": []},
        {"items": [{}]}, {"anyOf": []}, {"$ref": 3}, {"$ref": "#/no"}, {"enum": 1}, {"multipleOf": 0}, {"pattern": 1},
        {"properties": {"a": {"items": 3}}}, {"$defs": {"a": {"type": 1}}}, [], 3, {"uniqueItems": 1}, {"not": None},
    ],
    ids=str,
)  # fmt: skip
def test_mistakes_are_not_understood(schema: Any) -> None:
    assert read_rows(json.dumps(schema), NEWEST) is None
    with pytest.raises(SchemaError):
        constrain.json_schema(json.dumps(schema)).lower(LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "null", "type": "string"}', '{"properties": {"a": {}, "\\u0061": false}}', '{"\\u0074ype": "null"}',
        '{"$schema": "https://example.com/mine"}', '{"$ref": "other.json"}',
        '{"$defs": {"a/b": {}}, "$ref": "#/$defs/a~1b"}', '{"$dynamicRef": "#a"}', '{"required": ["\\u0061"]}',
        '{"properties": {"a": {"$id": "x", "$ref": "#/$defs/b"}}, "$defs": {"b": {}}}', '{"anyOf": [{"$ref": "#"}]}',
    ],
)  # fmt: skip
def test_what_is_left_to_the_algebra_whole(text: str) -> None:
    """Names spelled twice, references that are not pointers, schemas that are defined by themselves alone."""
    assert read_rows(text, NEWEST) is None


@pytest.mark.parametrize("name", [True, False, 3, None, []])
def test_names_of_schemas_are_strings(name: Any) -> None:
    """In draft 4 as well, which has `id`; also where a reference makes names count."""
    for schema in ({"id": name}, {"properties": {"a": {"id": name}, "b": {"$ref": "#/properties/a"}}}):
        text = json.dumps({"$schema": "http://json-schema.org/draft-04/schema#", **schema})
        with pytest.raises(SchemaError):
            constrain.json_schema(text).lower(LIMITS)


def test_a_member_that_is_listed_twice() -> None:
    """The last one counts."""
    text = '{"properties": {"a": false, "a": {"type": "null"}}, "required": ["a"]}'
    found = read_rows(text, NEWEST)
    assert found is not None and found.is_hard(found.root) and found.row_at("/properties/a") != r.NOTHING_ROW
    space = lowered(constrain.json_schema(text), by_algebra=False)
    assert isinstance(space, EarleySpace) and space.session.read(space.session.start, b'{"a":null}')[1] == 10


def test_what_small_limits_leave_open_is_asked_again() -> None:
    """Whether a member that many alternatives are combined for has a value: no dead end under larger limits."""
    parts = [{"properties": {f"{a}{n}": {"type": t} for n in range(2)}} for a in "abcd" for t in ("null", "integer")]
    hard = {"allOf": [*({"anyOf": parts[i : i + 2]} for i in range(0, 8, 2)), {"type": "null"}, {"type": "object"}]}
    spec = constrain.json_schema({"properties": {"h": hard}, "additionalProperties": False})
    small = constrain.Limits(alternatives=2)
    constrain.Compiler(VOCABULARY, limits=small).compile(spec)
    automaton = constrain.Compiler(VOCABULARY).compile(spec)
    assert automaton.accepts(list(b"{}")) and automaton.matcher().accept_tokens(list(b'{"h')) == 1


def rows_of(schema: Any) -> SchemaRows:
    """The rows of a schema."""
    found = read_rows(json.dumps(schema), NEWEST)
    assert found is not None
    return found


def test_representations() -> None:
    rows = rows_of({"properties": {"a": {"items": {"type": "null"}}}})
    assert repr(rows) == "<SchemaRows 5 rows, 2 objects, 2 arrays>"
    assert "RowSource of <SchemaRows" in repr(constrain.json_schema({"type": "object"}).lower(LIMITS).rows)


def test_places_and_pointers() -> None:
    schema = {"properties": {"a/b": {"oneOf": [{"not": {}}, {"type": "null"}]}, "~": {"items": [True, {"if": {}}]}}}
    found = read_rows(json.dumps(schema), DRAFTS["7"])
    assert found is not None
    paths = [found.place(row) for row in range(r.FIRST_ROW, int(found.tables["head"][r.ROWS]))]
    assert ("properties", "~", "items", 1) in paths and ("properties", "a/b", "oneOf", 0) in paths
    for row, path in enumerate(paths, r.FIRST_ROW):
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        assert found.row_at("".join(f"/{step}" for step in steps)) == found.true_row(row)
    assert found.row_at("/properties/no") is None and found.row_at("/properties") is None


def test_deep_and_wide_schemas() -> None:
    """No unit goes deeper for a schema that is deep; what is deeper than the checks allow is left to them."""
    deep: Any = {"type": "null"}
    for _ in range(300):
        deep = {"properties": {"a": deep}, "required": ["a"]}
    space = lowered(constrain.json_schema(deep), by_algebra=False)
    assert isinstance(space, EarleySpace)
    wide = rows_of({"properties": {f"n{i}": {} for i in range(10_000)}, "required": ["n9999", "n5"]})
    assert wide.names(1)[:2] == ["n0", "n1"]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.joinpath("jsonschemabench/dev.jsonl.gz").exists(), reason="no data under CONSTRAIN_DATA")
def test_schemas_of_the_benchmark() -> None:
    """Along valid and invalid instances of real schemas."""
    import gzip

    with gzip.open(DATA / "jsonschemabench/dev.jsonl.gz", "rt", encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    rng = random.Random(3)
    for item in rng.sample(items, 150):
        try:
            spec = constrain.json_schema(item["schema"])
        except ConstrainError:
            continue
        one, other = lowered(spec, by_algebra=False), lowered(spec, by_algebra=True)
        if isinstance(one, ConstrainError) or isinstance(other, ConstrainError):
            assert isinstance(other, LimitExceeded) or type(one) is type(other), item["id"]
            continue
        for test in item["tests"][:3]:
            try:
                check_alike(rng, one, other, json.dumps(test["data"], ensure_ascii=False)[:2000])
            except LimitExceeded:
                break
