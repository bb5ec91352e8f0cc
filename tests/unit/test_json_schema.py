"""JSON Schema as users meet it: where schemas come from, options, errors, and texts that are accepted and rejected."""

from __future__ import annotations

import dataclasses
import enum
import json
import pickle
import typing
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Literal

import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import constrain
from constrain import (
    Compiler,
    ConstrainError,
    LimitExceeded,
    Limits,
    Matcher,
    SchemaError,
    SpecTypeError,
    TokenAutomaton,
    UnsatisfiableError,
    UnsupportedError,
    Vocabulary,
    json_schema,
)
from constrain.specs.schema import JsonSchema, from_response_format

BYTES = Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], None], eos_ids=[256])


def compiled(schema: Any, **options: Any) -> TokenAutomaton:
    """The automaton of a schema over single bytes."""
    spec = schema if isinstance(schema, JsonSchema) else json_schema(schema, **options)
    return Compiler(BYTES).compile(spec)


def accepts(schema: Any, *texts: str | bytes, **options: Any) -> list[bool]:
    """Whether each text is accepted, byte by byte."""
    automaton = compiled(schema, **options)
    return [automaton.accepts(list(text.encode() if isinstance(text, str) else text)) for text in texts]


def check(schema: Any, right: list[str], wrong: list[str | bytes], **options: Any) -> None:
    """Texts that are accepted, and others that are rejected."""
    automaton = compiled(schema, **options)
    for text in [*right, *wrong]:
        data = text.encode() if isinstance(text, str) else text
        assert automaton.accepts(list(data)) == (text in right), text


def at(schema: Any, text: str, **options: Any) -> Matcher:
    """A matcher after a text."""
    matcher = compiled(schema, **options).matcher()
    assert matcher.accept_tokens(list(text.encode())) == len(text.encode()), text
    return matcher


# ---- where schemas come from


@dataclasses.dataclass
class Point:
    x: int
    labels: list[str]


class TypingSwitch(typing.TypedDict):
    on: bool


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        ({"type": "null"}, ["null"], ["1", ""]),
        (MappingProxyType({"type": "null"}), ["null"], ["1"]),
        ('{"type": "null"}', ["null"], ["1"]),
        (" true ", ["null", '{"a": [1]}'], ["nul", "{a}"]),
        (True, ["null", "[]", '"x"'], ["", "None"]),
    ],
)
def test_sources(source: Any, right: list[str], wrong: list[str | bytes]) -> None:
    check(source, right, wrong)


def test_models_and_adapters_of_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Person(pydantic.BaseModel):
        name: str
        age: int | None = None

    check(Person, ['{"name": "Ada"}', '{"name": "", "age": null}'], ["{}", '{"name": "A", "age": 1.5}', '{"age": 1}'])
    check(Person(name="x"), ['{"name": "Ada", "age": 3}'], ["{}"])
    check(pydantic.TypeAdapter(list[int]), ["[]", "[1, 2]"], ["[null]", "1"])


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        (list[int], ["[]", "[1, 2]"], ["[null]", "1"]),
        (int | None, ["1", "null"], ["true"]),
        (Point, ['{"x": 1, "labels": ["a"]}'], ['{"x": 1}', '{"x": 1, "labels": [1]}']),
        (Colour, ['"red"', "2"], ['"RED"', "1"]),
        (Literal["a", 1], ['"a"', "1"], ['"b"', "2", "a"]),
    ],
)
def test_types_that_pydantic_reads(source: Any, right: list[str], wrong: list[str | bytes]) -> None:
    pytest.importorskip("pydantic")
    check(source, right, wrong)


@pytest.mark.parametrize("source", [None, 3, 1.5, b"{}", [{}], int, str, object(), ({},), len])
def test_what_no_schema_can_be_made_of(source: Any) -> None:
    with pytest.raises(SpecTypeError, match="takes a dict, JSON text, a boolean"):
        json_schema(source)


def test_a_value_of_a_dataclass_is_no_source() -> None:
    pytest.importorskip("pydantic")
    with pytest.raises(SpecTypeError):
        json_schema(Point(1, []))


def test_typed_dicts() -> None:
    """Before Python 3.12 pydantic takes those of typing_extensions only."""
    pytest.importorskip("pydantic")

    class Switch(pytest.importorskip("typing_extensions").TypedDict):  # type: ignore[misc]
        on: bool

    check(Switch, ['{"on": true}'], ['{"on": 1}', "{}"])


def test_a_type_that_pydantic_refuses() -> None:
    pytest.importorskip("pydantic")
    try:
        json_schema(TypingSwitch)
    except ConstrainError as error:
        assert "typing_extensions" in str(error)


def test_dicts_are_copied() -> None:
    source: dict[str, Any] = {"type": "null"}
    spec = json_schema(source)
    source["type"] = "integer"
    assert accepts(spec, "null", "1") == [True, False]


@pytest.mark.parametrize(
    ("given", "right", "wrong"),
    [
        ({"type": "json_object"}, ["{}", '{"a": 1}'], ["[]", "null"]),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}}, ["1"], ["x"]),
        ({"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"const": 1}}}, ["1"], ["2"]),
    ],
)
def test_response_formats(given: dict[str, Any], right: list[str], wrong: list[str | bytes]) -> None:
    check(from_response_format(given), right, wrong)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"type": "text"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {}},
        "json_object",
        None,
        [],
    ],
)
def test_other_response_formats_are_refused(given: Any) -> None:
    with pytest.raises(SpecTypeError, match="response_format"):
        from_response_format(given)


# ---- specs are values


def test_specs_are_values() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    one, same = json_schema(schema, whitespace="compact"), json_schema(dict(schema), whitespace="compact")
    assert one == same and hash(one) == hash(same) and len({one, same}) == 1
    others = [
        json_schema(schema),
        json_schema(schema, whitespace="compact", format="annotation"),
        json_schema(schema, whitespace="compact", property_order="any"),
        json_schema(schema, whitespace="compact", escapes="any"),
        json_schema(schema, whitespace="compact", draft="7"),
        json_schema(schema, whitespace=" *"),
    ]
    assert len({one, *others}) == 7
    with pytest.raises(AttributeError):
        one.text = "{}"  # type: ignore[misc]


def test_specs_can_be_pickled() -> None:
    for spec in (json_schema({"type": "null"}), json_schema(True, whitespace="[ \t]*", escapes="any", draft="7")):
        again = pickle.loads(pickle.dumps(spec))
        assert again == spec and hash(again) == hash(spec) and accepts(again, "null") == [True]


def test_one_automaton_for_equal_specs() -> None:
    compiler = Compiler(BYTES)
    assert compiler.compile(json_schema({"enum": [1]})) is compiler.compile(json_schema('{"enum": [1]}'))


def test_representations_are_short() -> None:
    """Those of what is shown to people; the spec itself shows all that it is made of."""
    spec = json_schema({"enum": [f"word {n}" for n in range(10_000)]})
    automaton = Compiler(BYTES).compile(spec)
    assert len(repr(automaton)) < 300 and len(repr(automaton.matcher())) < 300
    assert "JsonSchema" in repr(spec) and "registry" not in repr(spec)


@pytest.mark.parametrize("join", ["__or__", "__add__"])
def test_specs_combine(join: str) -> None:
    both = getattr(json_schema({"type": "boolean"}), join)(constrain.regex("!"))
    assert compiled_accepts(both, "true!", "true", "!") == [join == "__add__", join == "__or__", join == "__or__"]


def compiled_accepts(spec: constrain.Spec, *texts: str) -> list[bool]:
    automaton = Compiler(BYTES).compile(spec)
    return [automaton.accepts(list(text.encode())) for text in texts]


# ---- options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("format", "yes"),
        ("property_order", "sorted"),
        ("escapes", "none"),
        ("draft", "2021"),
        ("draft", 7),
        ("whitespace", None),
        ("whitespace", 3),
    ],
)
def test_options_that_are_unknown(option: str, value: Any) -> None:
    with pytest.raises(SpecTypeError, match=option):
        json_schema({}, **{option: value})


def test_order_of_properties() -> None:
    schema = {"properties": {"b": {"type": "integer"}, "a": {"type": "null"}}, "required": ["a"]}
    inside = ['{"b":1,"a":null}', '{"a":null}', '{"a":null,"c":1,"d":2}', '{"b":1,"a":null,"":{}}']
    other = ['{"a":null,"b":1}', '{"c":1,"a":null}', '{"d":1,"a":null,"b":1,"c":1}']
    never = ['{"b":1}', "{}", '{"a":1}', '{"a":null,"a":null}', '{"a":null,"b":null}', '{"a":null,"c":1,"c":1}']
    check(schema, inside, [*other, *never], whitespace="compact")
    check(schema, [*inside, *other], [*never], whitespace="compact", property_order="any")


SPACED = ["[1, 2]", "[1,2]", "[\n  1,\n  2\n]", "[ ]", "[]", "[1,  2]", "[1 ,2]", '[{"a" : 1}]', '[{"a":\n1}]', "[\t1]"]


@pytest.mark.parametrize(
    ("whitespace", "right"),
    [
        ("bounded", {"[1, 2]", "[1,2]", "[\n  1,\n  2\n]", "[ ]", "[]"}),
        ("compact", {"[1,2]", "[]"}),
        ("flexible", set(SPACED)),
        (" ?", {"[1, 2]", "[1,2]", "[ ]", "[]", "[1 ,2]", '[{"a" : 1}]'}),
        ("[ x]?", {"[1, 2]", "[1,2]", "[ ]", "[]", "[1 ,2]", '[{"a" : 1}]'}),
        ("\\s*", set(SPACED)),
        ("", {"[1,2]", "[]"}),
    ],
)
def test_whitespace(whitespace: str, right: set[str]) -> None:
    wrong = [text for text in SPACED if text not in right]
    check({"type": "array"}, sorted(right), [*wrong, " []", "[] ", "[x1]", "[\x0b]", "[\u00a0]"], whitespace=whitespace)


def test_whitespace_that_must_be() -> None:
    check({"type": "array"}, ["[ 1 , 2 ]", "[  ]"], ["[1]", "[]", "[1,2]"], whitespace=" ")


def test_whitespace_by_a_malformed_expression() -> None:
    with pytest.raises(constrain.GrammarSyntaxError, match="unterminated"):
        json_schema({}, whitespace="(")


@pytest.mark.parametrize("escapes", ["plain", "any"])
def test_escapes(escapes: str) -> None:
    every = ['"a/\\u00e9\\n"', '"a/é\\n"']
    some = ['"a\\/é\\n"', '"\\u0061/é\\n"', '"a/é\\u000a"', '"a/é\\u000A"']
    right, wrong = ([*every, *some], []) if escapes == "any" else (every, some)
    check({"enum": ["a/é\n"]}, right, [*wrong, '"a/e\\n"', '"a/é\n"', '"a/é\\N"'], escapes=escapes)
    check(
        {"properties": {"a": {"type": "null"}}, "additionalProperties": False},
        ['{"a": null}', *(['{"\\u0061": null}'] if escapes == "any" else [])],
        ['{"b": null}', *([] if escapes == "any" else ['{"\\u0061": null}'])],
        escapes=escapes,
    )


def test_formats() -> None:
    schema = {"type": "string", "format": "date"}
    check(schema, ['"2024-02-29"', '"2000-02-29"'], ['"2023-02-29"', '"1900-02-29"', '"x"', '"2024-2-29"'])
    check(schema, ['"2024-02-29"', '"2023-02-29"', '"x"'], ["1"], format="annotation")
    check({"format": "no such format"}, ['"x"', "1"], [])
    check({"format": "date"}, ["1", "[]"], ['"x"'])


@pytest.mark.parametrize(
    ("draft", "schema", "text", "valid"),
    [
        ("4", {"minimum": 1, "exclusiveMinimum": True}, "1", False),
        ("4", {"minimum": 1, "exclusiveMinimum": True}, "2", True),
        ("4", {"const": 1}, "2", True),
        ("4", {"type": "integer"}, "1.0", False),
        ("4", {"type": "integer"}, "10", True),
        ("4", {"type": "integer", "enum": [1, 2]}, "1.0", False),
        ("4", {"type": "integer", "enum": [1, 2]}, "2", True),
        ("4", {"anyOf": [{"type": "integer"}, {"type": "number", "minimum": 5.5}]}, "3e0", False),
        ("4", {"anyOf": [{"type": "integer"}, {"type": "number", "minimum": 5.5}]}, "6.0", True),
        ("4", {"type": "number"}, "1.0", True),
        ("6", {"type": "integer"}, "1.0", True),
        ("6", {"const": 1}, "2", False),
        ("6", {"if": {"type": "integer"}, "then": False}, "2", True),
        ("7", {"if": {"type": "integer"}, "then": False}, "2", False),
        ("7", {"items": [{"type": "null"}], "additionalItems": False}, "[null,1]", False),
        ("7", {"$ref": "#/definitions/a", "maximum": 1, "definitions": {"a": {}}}, "2", True),
        ("2019-09", {"$ref": "#/$defs/a", "maximum": 1, "$defs": {"a": {}}}, "2", False),
        ("2019-09", {"items": [{"type": "null"}], "additionalItems": False}, "[null,1]", False),
        ("2020-12", {"prefixItems": [{"type": "null"}], "items": False}, "[null,1]", False),
        (None, {"prefixItems": [{"type": "null"}]}, "[1]", False),
        (None, {"dependencies": {"a": ["b"]}}, '{"a":1}', False),
        (None, {"dependencies": {"a": ["b"]}}, '{"a":1,"b":1}', True),
        ("2019-09", {"dependencies": {"a": {"maxProperties": 1}}}, '{"a":1,"b":1}', False),
        ("7", {"prefixItems": [{"type": "null"}]}, "[1]", True),
    ],
)
def test_drafts(draft: str | None, schema: dict[str, Any], text: str, valid: bool) -> None:
    assert accepts(schema, text, draft=draft) == [valid]
    if draft not in (None, "2019-09", "2020-12"):
        named = {"$schema": f"http://json-schema.org/draft-0{draft}/schema#", **schema}
        assert accepts(named, text) == [valid]
        assert accepts(named, text, draft="2020-12") == [valid], "what the schema says of itself comes first"


def test_registry() -> None:
    other = Resource.from_contents({"$defs": {"n": {"type": "integer"}}, "type": "null"}, DRAFT202012)
    registry = Registry().with_resource("https://example.com/other.json", other)
    schema = {"items": {"$ref": "https://example.com/other.json#/$defs/n"}, "contains": {"const": 1}, "type": "array"}
    check(schema, ["[1]", "[2,1]"], ["[null]", "[]", "[2]"], registry=registry)
    check({"$ref": "https://example.com/other.json"}, ["null"], ["1"], registry=registry)
    with pytest.raises(SchemaError, match="leads nowhere"):
        compiled({"$ref": "https://example.com/another.json"}, registry=registry)


# ---- malformed schemas

MALFORMED: list[tuple[str, Any]] = [
    *[("type", value) for value in ("int", 3, [], ["null", "nil"], None, [["null"]], {})],
    *[("enum", value) for value in (1, "a", {"a": 1}, None)],
    *[("multipleOf", value) for value in (0, -1, "1", None, True, [])],
    *[(name, "1") for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")],
    *[(name, True) for name in ("minimum", "exclusiveMaximum")],
    *[(f"{end}{what}", value) for end in ("min", "max") for what in ("Length", "Items", "Properties", "Contains")
      for value in (-1, 1.5, "1", None, True)],
    *[("pattern", value) for value in (1, None, ["a"], {})],
    *[("format", value) for value in (1, None)],
    *[("required", value) for value in ("a", [1], {"a": True}, None, True)],
    *[("uniqueItems", value) for value in (1, "true", None)],
    *[("properties", value) for value in ([], 1, None)],
    *[(name, {"a": 1}) for name in ("properties", "patternProperties", "dependentSchemas", "$defs")],
    *[("dependentRequired", value) for value in ([], {"a": "b"}, {"a": [1]}, {"a": True})],
    *[(name, value) for name in ("allOf", "anyOf", "oneOf", "prefixItems") for value in ([], {}, [1], True, None)],
    *[(name, value) for name in ("not", "if", "then", "else", "items", "contains", "additionalProperties",
      "propertyNames", "unevaluatedItems", "unevaluatedProperties") for value in (1, "a", None, [True])],
    *[(name, 3) for name in ("$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor")],
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "value"), MALFORMED)
def test_malformed_keywords(keyword: str, value: Any) -> None:
    """At once, with the keyword and a pointer to it, wherever it stands."""
    for outer, pointer in (({}, ""), ({"a/b~c": None}, "/properties/a~1b~0c")):
        schema: Any = {keyword: value} if not outer else {"properties": {"a/b~c": {keyword: value}}}
        with pytest.raises(SchemaError) as caught:
            json_schema(schema)
        assert caught.value.keyword == keyword and caught.value.pointer == f"{pointer}/{keyword}"
        assert "it takes" in caught.value.hint and caught.value.hint in str(caught.value)


@pytest.mark.parametrize(
    ("draft", "keyword", "value"),
    [
        ("7", "items", [1]),
        ("7", "dependencies", {"a": 1}),
        ("7", "dependencies", {"a": [1]}),
        ("4", "exclusiveMinimum", "x"),
        ("7", "additionalItems", 1),
        ("2019-09", "$recursiveRef", 3),
        ("7", "definitions", {"a": 1}),
    ],
)
def test_malformed_keywords_of_older_drafts(draft: str, keyword: str, value: Any) -> None:
    with pytest.raises(SchemaError) as caught:
        json_schema({"allOf": [{keyword: value}]}, draft=draft)
    assert (caught.value.pointer, caught.value.keyword) == (f"/allOf/0/{keyword}", keyword)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("[1]", "no schema"),
        ('"x"', "no schema"),
        ("3", "no schema"),
        ("null", "no schema"),
        ('{"maximum": NaN}', "NaN is not a JSON number"),
        ('{"maximum": Infinity}', "Infinity is not a JSON number"),
        ('{"$schema": 4}', "not a string"),
        ('{"$schema": "http://example.com/mine"}', "not a draft"),
        ('{"maximum": ' + "1" * 5000 + "}", "digits"),
        ("[" * 100_000, "not JSON"),
        ('{"not":' * 100_000 + "{}" + "}" * 100_000, "not JSON"),
        ('{"not":' * 500 + "{}" + "}" * 500, "nested"),
    ],
)
def test_texts_that_are_no_schema(text: str, match: str) -> None:
    with pytest.raises(SchemaError, match=match):
        json_schema(text)


@pytest.mark.parametrize(
    "value", [{"maximum": float("nan")}, {"enum": [float("inf")]}, {"const": {1, 2}}, {"enum": [b"a"]}, {(1, 2): True}]
)
def test_values_that_json_cannot_write(value: Any) -> None:
    with pytest.raises(SchemaError, match="cannot be written as JSON"):
        json_schema(value)


def test_a_dict_within_itself() -> None:
    schema: dict[str, Any] = {}
    schema["not"] = schema
    with pytest.raises(SchemaError, match="cannot be written as JSON"):
        json_schema(schema)


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"$ref": "#/$defs/a"}, ""),
        ({"$ref": "#nowhere"}, ""),
        ({"$ref": "other.json"}, ""),
        ({"properties": {"p": {"$ref": "https://example.com/x.json"}}, "required": ["p"]}, "/properties/p"),
        ({"allOf": [{"$ref": "#/allOf/7"}]}, "/allOf/0"),
    ],
)
def test_references_that_lead_nowhere(schema: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SchemaError, match="leads nowhere") as caught:
        compiled(schema)
    assert (caught.value.pointer, caught.value.keyword) == (pointer, "$ref")
    assert "nothing is fetched" in caught.value.hint


@pytest.mark.parametrize("schema", [{"$ref": "#/maximum", "maximum": 3}, {"$ref": "#/title", "title": "x"}])
def test_references_to_what_is_no_schema(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="no schema"):
        compiled(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"not": {"$ref": "#"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    ],
)
def test_reference_loops(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="defined by itself alone"):
        compiled(schema)


UNSATISFIABLE = [
    False,
    {"not": {}},
    {"enum": []},
    {"type": "integer", "minimum": 3, "maximum": 2},
    {"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 3},
    {"type": "string", "minLength": 3, "maxLength": 2},
    {"type": "string", "pattern": "^a$", "minLength": 2},
    {"type": "object", "properties": {"a": False}, "required": ["a"]},
    {"type": "object", "minProperties": 2, "maxProperties": 1},
    {"type": "array", "items": False, "minItems": 1},
    {"allOf": [{"type": "null"}, {"type": "integer"}]},
    {"oneOf": [{"const": 1}, {"const": 1}]},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1}}},
]


@pytest.mark.parametrize("schema", UNSATISFIABLE)
def test_schemas_without_values(schema: Any) -> None:
    with pytest.raises(UnsatisfiableError):
        compiled(schema)
    definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    inside = {"properties": {"a": schema}, "type": "object", "$defs": definitions}
    check(inside, ["{}", '{"b": 1}'], ['{"a": 1}', '{"a": null}'])
    check({"anyOf": [schema, {"const": 1}], "$defs": definitions}, ["1"], ["2"])


# ---- what engines trip over


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"maximum": 10**400}, id="huge int"),
        pytest.param('{"maximum": 1e999}', id="number beyond floats"),
        pytest.param('{"maximum": 1e99999999999999999999}', id="exponent beyond decimals"),
        pytest.param('{"const": "\\ud800"}', id="constant with a lone surrogate"),
        pytest.param({"$id": "http://[bad", "$ref": "#/x"}, id="address that is none"),
        pytest.param('{"not":' * 390 + "{}" + "}" * 390, id="deep not"),
        pytest.param('{"allOf":[' * 390 + "{}" + "]}" * 390, id="deep allOf"),
        pytest.param('{"minItems":1,"items":' * 390 + "{}" + "}" * 390, id="deep items"),
        pytest.param({"const": json.loads("[" * 900 + "]" * 900)}, id="deep constant"),
        pytest.param(
            {"$ref": "#/$defs/0", "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(999)} | {"999": {}}},
            id="long chain of references",
        ),
    ],
)
def test_what_is_refused_is_refused_in_words(schema: Any) -> None:
    """Compiled, so that something may come first, or refused with an error of this package that says why."""
    try:
        automaton = compiled(schema)
    except (SchemaError, UnsupportedError, LimitExceeded, UnsatisfiableError) as error:
        assert len(str(error).split()) > 3
    else:
        assert automaton.matcher().allowed_token_ids().size


def test_deep_schemas() -> None:
    deep: Any = {"type": "null"}
    for _ in range(390):
        deep = {"type": "array", "items": deep}
    check(deep, ["[" * 390 + "null" + "]" * 390], ["[" * 390 + "1"], whitespace="compact")


def test_huge_counts_cost_nothing() -> None:
    for keyword in ("maxLength", "maxItems", "maxProperties", "minLength", "minProperties"):
        assert accepts({keyword: 10**9}, "1") == [True]
    assert accepts({"type": "array", "minItems": 10**9}, "[1,2]") == [False]
    assert accepts({"type": "object", "minProperties": 10**9}, '{"a":1}') == [False]


def test_numbers_of_members_are_counted_and_not_searched() -> None:
    """Names left against names needed: 300 names of which 150 must be there."""
    listed = {"properties": {f"p{i}": {"type": "null"} for i in range(300)}, "additionalProperties": False}
    some = ",".join(f'"p{i}":null' for i in range(150))
    for order in ("schema", "any"):
        found = accepts({**listed, "type": "object", "minProperties": 150}, f"{{{some}}}", "{}", property_order=order)
        assert found == [True, False]
    with pytest.raises(UnsatisfiableError):
        compiled({**listed, "type": "object", "minProperties": 301})
    few = {"a": {}, "b": {}, "c": {}}
    assert accepts(
        {"type": "object", "properties": few, "required": ["c", "d"], "maxProperties": 2}, '{"c":1,"d":1}', '{"a":1'
    ) == [True, False]


def test_limits_leave_the_compiler_usable() -> None:
    compiler = Compiler(BYTES, limits=Limits(alternatives=20, search=2000))
    parts = [{"properties": {f"{a}{n}": {"type": t} for n in range(2)}} for a in "abcdef" for t in ("null", "integer")]
    hard = {"type": "object", "allOf": [{"anyOf": parts[i : i + 2]} for i in range(0, 12, 2)]}
    with pytest.raises(LimitExceeded):
        compiler.compile(json_schema(hard))
    automaton = compiler.compile(json_schema({"type": "array"}))
    assert automaton.accepts(list(b"[1, [2]]")) and not automaton.accepts(list(b"[1, [2]"))
    with pytest.raises(LimitExceeded):
        compiler.compile(json_schema(hard))


def some_property(schema: Any) -> Any:
    """Some property is valid under a schema."""
    return {"type": "object", "not": {"additionalProperties": {"not": schema}}}


def some_item(schema: Any) -> Any:
    """Some item is valid under a schema."""
    return {"type": "array", "contains": schema}


@pytest.mark.parametrize("some", [some_property, some_item])
@pytest.mark.parametrize("negated", [False, True])
def test_many_things_needed_at_once(some: Callable[[Any], Any], negated: bool) -> None:
    """What a value can settle is one of 2^40 sets: they are not all written down, whether values meet them or not."""
    consts = [{"not": {"const": i}} if negated else {"const": i} for i in range(40)]
    values: Any = {f"k{i}": i for i in range(6)} if some is some_property else list(range(6))
    one: Any = {"k": 6} if some is some_property else [6]
    few = {"allOf": [some(const) for const in consts[:6]]}
    assert accepts(few, json.dumps(values), json.dumps(one)) == [True, negated]
    compiler = Compiler(BYTES, limits=Limits(alternatives=500, states=5_000, rules=2_000))
    spec = json_schema({"allOf": [some(const) for const in consts]})
    if some is some_property and not negated:  # a value settles one of them at most
        assert not compiler.compile(spec).accepts(list(json.dumps(one).encode()))
    else:
        with pytest.raises(LimitExceeded):
            compiler.compile(spec)


@pytest.mark.parametrize(
    ("subschema", "error"), [({"pattern": "(a)\\1"}, UnsupportedError), ({"$ref": "#/$defs/no"}, SchemaError)]
)
def test_what_is_wrong_deep_inside_raises_at_once(subschema: Any, error: type[Exception]) -> None:
    """Although a subschema is lowered only when generation gets there."""
    with pytest.raises(error, match="/properties/a/items"):
        compiled({"properties": {"a": {"type": "array", "items": subschema}}})


def test_what_cannot_be_enforced_far_inside_raises_at_compile() -> None:
    """Although a number is lowered only when generation gets there."""
    items = '{"type": "number", "multipleOf": 0.1234567890123456789}'
    with pytest.raises(UnsupportedError, match="multipleOf"):
        compiled('{"properties": {"a": {"type": "array", "items": ' + items + "}}}")


PAIRED = {"type": "array", "not": {"uniqueItems": True}}
"""Arrays in which some item comes twice."""


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (
            {},
            ["[1,2,1.0,4]", '[{"a":[1]},"x",{"a":[1]}]', '[{"a":1,"b":2},{"b":2,"a":1}]', "[[],[]]"],
            ["[]", "[1]", "[1,2,3]", '["a","b",["a"]]'],
        ),
        ({"maxItems": 2}, ['["xy","xy"]'], ['["xy","xz"]', "[1,1,1]"]),
        ({"contains": {"const": 7}, "maxContains": 2, "maxItems": 4}, ["[7,1,2,1]", "[7,7]"], ["[7,1,7,7]", "[1,1]"]),
    ],
)
def test_some_item_comes_twice(schema: dict[str, Any], right: list[str], wrong: list[str | bytes]) -> None:
    check(PAIRED | schema, right, wrong, property_order="any", whitespace="compact")


def test_an_item_after_which_none_could_come_twice_is_not_allowed() -> None:
    """Integers from 3 up are what the first item and the third one may both be."""
    items = [{"type": "integer"}, {"type": "string"}, {"type": "integer", "minimum": 3, "maximum": 9}]
    matcher = at(PAIRED | {"prefixItems": items, "items": False}, "[", whitespace="compact")
    assert bytes(matcher.allowed_token_ids().tolist()) == b"3456789"


def test_arrays_in_which_no_item_can_come_twice() -> None:
    with pytest.raises(UnsatisfiableError):
        compiled(PAIRED | {"prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2})


# ---- texts


def test_duplicate_keys() -> None:
    right = [
        '{"a":1,"b":1}',
        '{"a":{"a":1},"b":{"a":1}}',
        '[{"a":1},{"a":1}]',
        '{"😀":1,"\\uD83D\\uDE01":1}',
        '{"a":1,"A":1}',
    ]
    wrong = ['{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '{"\\u0061":1,"a":1}', '{"\\/":1,"/":1}', '{"é":1,"\\u00E9":1}']
    wrong += [
        '{"😀":1,"\\ud83d\\ude00":1}',
        '{"":1,"":1}',
        '{"a":1,"b":1,"a":1}',
        '{"b":{"a":1,"a":1}}',
        '{"\\n":1,"\\u000a":1}',
    ]
    for order in ("schema", "any"):
        check(True, right, [*wrong], property_order=order)
        declared = {"properties": {"a": {}, "é": {}}}
        check(declared, right, [*wrong], property_order=order)


def test_strings() -> None:
    right = [
        '"a"',
        '"\\u0061"',
        '"\\ud83d\\ude00"',
        '"\\uD83D\\uDE00"',
        '"\\u00e9é"',
        '"\\n"',
        '"\x7f"',
        '"\\/"',
        '""',
        '"日😀"',
    ]
    wrong: list[str | bytes] = ['"\\ud83d"', '"\\ude00"', '"\\ud83dx"', '"\\ud83d\\u0041"', '"\\ude00\\ud83d"', '"\n"']
    wrong += [
        '"\\x"',
        '"\\u12"',
        '"\x00"',
        '"\t"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        '"',
        "a",
        "'a'",
        '"a',
        '"\\"',
    ]
    check({"type": "string"}, right, wrong)


def test_lengths_count_characters() -> None:
    check(
        {"type": "string", "minLength": 1, "maxLength": 1},
        ['"a"', '"\\u0061"', '"\\ud83d\\ude00"', '"😀"', '"\\n"', '"日"'],
        ['""', '"ab"', '"\\n\\n"', '"é\u0301"'],
    )


def test_integers() -> None:
    right = ["1", "1.0", "1e2", "-0", "-0.0", "1E0", "0e5", "0e-7", "12.00", "12.0e+3"]
    check({"type": "integer"}, right, ["1.5", "10e-2", "15e-1", "01", "1.", "+1", ".5", "1e", "true", '"1"', "", "-"])


def test_numbers() -> None:
    check(
        {"type": "number"}, ["1.5", "10e-1", "-0.25", "1E+2"], ["01", "1.", "+1", ".5", "NaN", "Infinity", "0x1", "1_0"]
    )
    check({"const": 1}, ["1", "1.0", "1.000"], ["1.1", "true", "2", "-1"])
    check({"type": "number", "multipleOf": 0.01}, ["0.01", "19.99", "1e2"], ["0.001", "1e-3"])
    check({"enum": [True]}, ["true"], ["1", "false"])


def test_recursion() -> None:
    tree = {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "children": {"items": {"$ref": "#/$defs/tree"}, "type": "array"},
                },
                "required": ["value"],
                "additionalProperties": False,
            }
        },
    }
    right = ['{"value":1}', '{"value":1,"children":[{"value":2,"children":[]},{"value":3}]}']
    check(tree, right, ["{}", '{"value":1,"children":[{}]}', '{"value":1,"children":[{"value":null}]}'])
    deep = '{"value":1,"children":[' * 300 + '{"value":1}' + "]}" * 300
    assert accepts(tree, deep, deep[:-1]) == [True, False]
    check({"type": "array", "items": {"$ref": "#"}}, ["[]", "[[],[[]]]"], ["[1]", "[[1]]"])


# ---- what generation asks for


def test_forced_bytes() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"const": 3}}}
    schema["required"] = ["name", "age"]
    closed = schema | {"additionalProperties": False}
    assert at(schema, "", whitespace="compact").forced_bytes() == b'{"name":"'
    assert at(schema, '{"name":"x"', whitespace="compact").forced_bytes() == b',"age":3'
    assert at(closed, '{"name":"x","age":3', whitespace="compact").forced_bytes() == b""  # the value may be 3.0
    assert at({"enum": ["abc", "abd"]}, "").forced_bytes() == b'"ab'
    assert at({"const": {"a": ["é"]}}, "", whitespace="compact").forced_bytes() == b'{"a":["'
    assert at({"type": "boolean"}, "t").forced_bytes() == b"rue"


@pytest.mark.parametrize(
    ("schema", "prefix"),
    [
        (True, ""),
        ({"type": "object"}, ""),
        ({"type": "object"}, '{"abc'),
        ({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, "{"),
        ({"type": "object", "required": ["x"]}, '{"x": [[['),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3}, '["a\\u00'),
        ({"type": "array", "contains": {"const": "x"}}, "[1"),
        ({"const": "a long constant, in many tokens"}, '"a l'),
        ({"type": "string", "format": "date"}, '"20'),
        ({"type": "integer", "minimum": 1000}, "-" * 0),
        (
            {"$ref": "#/$defs/t", "$defs": {"t": {"properties": {"c": {"items": {"$ref": "#/$defs/t"}}}}}},
            '{"c": [{"c": [',
        ),
        ({"not": {"type": ["null", "array"]}}, ""),
    ],
)
@pytest.mark.parametrize("order", ["schema", "any"])
def test_completion(schema: Any, prefix: str, order: str) -> None:
    """There is a way to end, it is short, and what it makes is accepted."""
    matcher = at(schema, prefix, property_order=order)
    tokens = matcher.completion()
    assert tokens is not None and len(tokens) < 80
    assert matcher.accept_tokens(tokens) == len(tokens) and matcher.is_accepting()
    json.loads(prefix + bytes(tokens).decode())


@pytest.mark.parametrize(
    ("schema", "prefix"),
    [
        ({"type": "object"}, '{"":1,'),
        ({"type": "object", "minProperties": 2}, "{"),
        ({"type": "object", "required": ["x", "y"]}, ""),
        (True, '[{"":{"":1,'),
    ],
)
def test_completion_where_the_shortest_name_is_taken(schema: Any, prefix: str) -> None:
    assert at(schema, prefix, whitespace="compact", property_order="any").completion() is not None


# ---- the report


def test_report() -> None:
    schema = {
        "title": "t",
        "type": "object",
        "properties": {"a/b": {"type": "string", "format": "date", "x-mine": 1}},
        "patternProperties": {"(a)\\1": True},
        "const": {},
        "additionalItems": {},
        "$defs": {"d": {"pattern": "("}},
    }
    told = {remark.pointer: remark for remark in json_schema(schema).report()}
    status = {pointer: remark.status for pointer, remark in told.items()}
    assert status == {
        "/title": "annotation",
        "/type": "enforced",
        "/properties": "enforced",
        "/properties/a~1b/type": "enforced",
        "/properties/a~1b/format": "enforced",
        "/properties/a~1b/x-mine": "annotation",
        "/patternProperties": "not supported",
        "/const": "enforced",
        "/additionalItems": "annotation",
        "/$defs": "enforced",
        "/$defs/d/pattern": "not supported",
    }
    assert "backreferences" in told["/patternProperties"].reason
    assert "2020-12" in told["/additionalItems"].reason
    assert all(remark.pointer.rsplit("/", 1)[1] == remark.keyword for remark in told.values())
    assert all(bool(remark.reason) != (remark.status == "enforced") for remark in told.values())


def test_report_of_formats_and_drafts() -> None:
    def told(schema: Any, **options: Any) -> list[str]:
        return [remark.status for remark in json_schema(schema, **options).report()]

    assert told({"format": "date"}, format="annotation") == ["annotation"]
    assert told({"format": "no such"}) == ["annotation"]
    assert told({"$ref": "#/definitions/a", "maximum": 3, "definitions": {"a": True}}, draft="7") == [
        "enforced", "annotation", "enforced",
    ]  # fmt: skip
    assert told({"$ref": "#/definitions/a", "maximum": 3, "definitions": {"a": True}})[:2] == ["enforced", "enforced"]
    assert told(True) == []
