"""The command line and JSON Schema: `--schema` on every command, its settings, the report of `check`, the README."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped

import constrain
from constrain.cli.check import read_rules
from constrain.cli.constraints import SchemaFile
from constrain.cli.options import Asked
from constrain.cli.verdict import byte_automaton
from constrain.demo import MODEL_PATH

ROOT = Path(constrain.__file__).parents[1]
PERSON: dict[str, Any] = {
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "In full."},
        "born": {"type": "string", "format": "date"},
        "phone": {"type": "string", "format": "phone", "description": "With a +."},
        "age": {"type": "integer", "minimum": 0, "example": 3},
    },
    "required": ["name", "born"],
    "additionalProperties": False,
}
VALID = '{"name": "Ada", "born": "1815-12-10"}'
BACKWARDS = '{"born": "1815-12-10", "name": "Ada"}'
BAD_PATTERN = {"properties": {"a": {"items": {"pattern": "(x)\\1"}}}}


def written(folder: Path, schema: Any, name: str = "mine.json") -> Path:
    """A file with a schema, given as a value or as a text."""
    path = folder / name
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema, indent=2), encoding="utf-8")
    return path


@pytest.fixture
def person(tmp_path: Path) -> Path:
    return written(tmp_path, PERSON, "person.json")


# ---- where schemas come from


def test_a_file(person: Path) -> None:
    assert run("match", "--schema", person, VALID).stdout == "match\n"
    assert run("match", "-s", person, BACKWARDS).exit_code == 1


def test_standard_input() -> None:
    assert run("match", "-s", "-", "3", stdin='{"type": "integer"}').exit_code == 0
    assert run("match", "-s", "-", '"3"', stdin='{"type": "integer"}').exit_code == 1
    result = run("match", "-s", "-", "-", stdin="true")
    assert result.exit_code == 2
    assert "TEXT and --schema cannot both be -" in unwrapped(result.stderr)


def test_a_mark_at_the_beginning_of_a_file_is_skipped() -> None:
    assert run("match", "-s", "-", "3", stdin='\ufeff{"type": "integer"}'.encode()).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "no-such.json"], "cannot read no-such.json: No such file or directory"),
        (["-s", "x.json", "-r", "a"], "give one constraint, not --regex and --schema"),
        (["-s", "x.json", "-g", "json"], "give one constraint, not --grammar and --schema"),
        (["-s", "x.json", "y.json"], "give one constraint, not y.json and --schema"),
        (["x.json", "-c", "a"], "give one constraint, not --choice and --schema"),
        (["-r", "a", "--whitespace", "compact"], "--whitespace is for --schema"),
        (["-g", "json", "--property-order", "any"], "--property-order is for --schema"),
        (["-r", "a", "--draft", "7"], "--draft is for --schema"),
        (["-s", "x.json", "--start", "a"], "--start is for --grammar"),
        (["-s", "-", "--draft", "3"], "Invalid value for --draft: 3 is none of 2020-12, 2019-09, 7, 6, 4"),
        (["-s", "-", "--escapes", "all"], "Invalid value for --escapes: all is none of plain, any"),
        (["-s", "-", "--format", "on"], "Invalid value for --format: on is none of assert, annotation"),
        (["-s", "-", "--property-order", "x"], "Invalid value for --property-order: x is none of schema, any"),
        (["-s", "-", "--whitespace", "\udcff"], r"a constraint must be UTF-8, not b'\xff'"),
        (["-r", "a", "--all"], "--all is for --schema"),
    ],
)
def test_mistakes_in_the_call(arguments: list[str], message: str) -> None:
    result = run("check", *arguments, stdin="true")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in unwrapped(result.stderr)


def test_every_setting_is_one_of_json_schema() -> None:
    """The command line knows all settings, by the names that Python has for them."""
    import inspect

    python = set(inspect.signature(constrain.json_schema).parameters) - {"schema", "registry"}
    assert python <= set(Asked.__dataclass_fields__)


# ---- settings


@pytest.mark.parametrize(
    ("settings", "schema", "text", "code"),
    [
        ([], PERSON, BACKWARDS, 1),
        (["--property-order", "schema"], PERSON, BACKWARDS, 1),
        (["--property-order", "any"], PERSON, BACKWARDS, 0),
        ([], {"format": "date"}, '"2023-02-29"', 1),
        (["--format", "annotation"], {"format": "date"}, '"2023-02-29"', 0),
        ([], True, "[1,  2]", 1),
        (["--whitespace", "flexible"], True, "[1 ,\t\t2]", 0),
        (["--whitespace", "compact"], True, "[1, 2]", 1),
        (["--whitespace", " {3}|"], True, "[   1,   2]", 0),
        (["--whitespace", " {3}|"], True, "[ 1, 2]", 1),
        ([], {"const": "a"}, r'"\u0061"', 1),
        (["--escapes", "any"], {"const": "a"}, r'"\u0061"', 0),
        ([], {"items": {"const": 1}}, "[2]", 1),
        (["--draft", "4"], {"minimum": 1, "exclusiveMinimum": True}, "1", 1),
        (["--draft", "7"], {"items": [{"const": 1}]}, "[2]", 1),
    ],
)
def test_settings(settings: list[str], schema: Any, text: str, code: int, tmp_path: Path) -> None:
    assert run("match", "-s", written(tmp_path, schema), *settings, text).exit_code == code


# ---- mistakes in schemas


def test_what_is_no_json_is_shown_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, '{\n  "type": "integer"\n  "minimum": 3\n}')
    result = run("match", "-s", path, "3")
    assert (result.exit_code, result.stdout) == (2, "")
    message, line, mark = result.stderr.splitlines()
    assert message == "error: mine.json is not JSON: Expecting ',' delimiter at line 3, column 3"
    assert line[mark.index("^") :] == '"minimum": 3'
    found = run_json("check", path, code=1)
    assert (found["ok"], found["error"]["line"], found["error"]["column"]) == (False, 3, 3)
    result = run("match", "-s", "-", "3", stdin="")
    assert result.stderr.startswith("error: standard input is not JSON: Expecting value at line 1, column 1")


@pytest.mark.parametrize(
    ("schema", "kind", "pointer"),
    [
        ({"properties": {"a": {"type": "int"}}}, "SchemaError", "/properties/a/type"),
        ({"items": {"$ref": "#/$defs/no"}}, "SchemaError", "/items"),
        ({"$schema": "https://example.com/mine"}, "SchemaError", None),
        ('{"minimum": 1e9999999}', "UnsupportedError", None),
        ({"type": "integer", "minimum": 1, "maximum": 0}, "UnsatisfiableError", None),
        (False, "UnsatisfiableError", None),
        (BAD_PATTERN, "UnsupportedError", None),
        ('{"type": "number", "multipleOf": 0.1234567890123456789}', "UnsupportedError", None),
        (
            {"allOf": [{"oneOf": [{"required": [x + y]} for y in "abcd"]} for x in "abcdefgh"]},
            "LimitExceeded",
            None,
        ),
    ],
)
def test_errors(schema: Any, kind: str, pointer: str | None, tmp_path: Path) -> None:
    found = run_json("check", written(tmp_path, schema), code=1)
    assert (found["ok"], found["error"]["type"]) == (False, kind)
    if pointer is not None:
        assert found["error"]["pointer"] == pointer and f"(at {pointer})" in found["error"]["message"]


def test_errors_for_people(tmp_path: Path) -> None:
    result = run("check", written(tmp_path, {"items": {"type": "int"}}))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: type is 'int' (at /items/type); it takes one of array, boolean, ")
    result = run("match", "-s", written(tmp_path, {"items": {"type": "float"}}), "[]")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: type is 'float' (at /items/type); it takes one of array, ")


def test_an_error_on_the_way() -> None:
    result = run("match", "-s", "-", '{"a": ["xx', stdin=json.dumps(BAD_PATTERN))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: /properties/a/items/pattern: pattern: backreferences are not supported")


# ---- check: the report


def test_check_lists_what_is_not_plainly_enforced(person: Path) -> None:
    result = run("check", person)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, *table, last = result.stdout.splitlines()
    assert (
        first
        == "enforced    11: type 5, properties 1, required 1, additionalProperties 1, minLength 1, format 1, minimum 1"
    )
    assert second == "annotation  5: description 2, title 1, format 1, example 1"
    rows = [re.split(r" {2,}", line.strip()) for line in table if line.strip()]
    assert rows[0] == ["status", "keyword", "where and why"]
    assert rows[2:] == [
        ["annotation", "title, description", "/title and 2 more"],
        ["says nothing of what is valid"],
        ["annotation", "format", "/properties/phone/format"],
        ["nobody has specified a format 'phone'"],
        ["annotation", "example", "/properties/age/example"],
        ["not a keyword of JSON Schema"],
    ]
    assert re.fullmatch(r"ok: schema Person; \d+ rules, \d+ terminals; starts with '\{'", last)


def test_check_lists_every_keyword(person: Path) -> None:
    rows = [re.split(r" {2,}", line.strip()) for line in run("check", person, "--all").stdout.splitlines()]
    listed = [tuple(row) for row in rows if row[0] in ("enforced", "annotation") and len(row) == 3]
    report = constrain.json_schema(PERSON).report()
    assert listed == [(remark.status, remark.keyword, remark.pointer) for remark in report]


def test_check_for_machines(person: Path) -> None:
    found = run_json("check", person)
    assert found["ok"] is True and found["constraint"] == "schema Person" and found["all_rules_read"] is True
    assert (found["may_be_empty"], found["starts_with"]) == (False, "'{'")
    assert found["rules"] > 4 and found["terminals"] > 4
    assert len(found["keywords"]) == len(constrain.json_schema(PERSON).report())
    assert {"pointer": "/required", "keyword": "required", "status": "enforced", "reason": ""} in found["keywords"]
    assert run_json("check", "--schema", person) == found


def test_check_of_what_is_not_supported(tmp_path: Path) -> None:
    """The report comes first, then what is wrong, with the place; also where only generation would get to it."""
    result = run("check", written(tmp_path, BAD_PATTERN))
    assert result.exit_code == 1
    first, second, *rows = result.stdout.splitlines()
    assert first == "not supported  1: pattern 1" and second == "enforced       2: properties 1, items 1"
    assert any("/properties/a/items/pattern" in row for row in rows)
    assert result.stderr.startswith("error: /properties/a/items/pattern: ")
    found = run_json("check", tmp_path / "mine.json", code=1)
    assert [one["status"] for one in found["keywords"]] == ["enforced", "enforced", "not supported"]
    assert "constraint" not in found


def test_check_of_a_schema_without_keywords() -> None:
    assert run("check", "-s", "-", stdin="true").stdout.startswith("ok: schema true; ")


def test_check_of_a_large_schema_stays_short(tmp_path: Path) -> None:
    members = {f"member{n}": {"type": "string", "description": f"Number {n}.", "x-order": n} for n in range(200)}
    result = run("check", written(tmp_path, {"type": "object", "properties": members}))
    assert result.exit_code == 0 and len(result.stdout.splitlines()) < 15
    assert "annotation  400: description 200, x-order 200" in result.stdout
    assert "/properties/member0/description and 199 more" in result.stdout


def test_check_shows_control_characters(tmp_path: Path) -> None:
    result = run("check", written(tmp_path, {"title": "a\x1b[2J", "\x1b[31m": 1}))
    assert result.exit_code == 0 and "\x1b" not in result.stdout
    assert "schema a␛[2J" in result.stdout and "␛[31m" in result.stdout


def test_check_of_a_grammar_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.lark").write_text('start: "a"\n')
    assert run("check", tmp_path / "mine.lark").stdout.startswith("ok: grammar ")
    assert run("check", "json").stdout.startswith("ok: grammar JSON")


@needs_embedded_model
def test_check_with_a_tokenizer(person: Path) -> None:
    pytest.importorskip("transformers")
    assert "; can be spelled by " in run("check", person, "-t", MODEL_PATH).stdout


def test_rules_are_read_as_far_as_can_be() -> None:
    assert read_rules(byte_automaton(constrain.json_schema(PERSON)), 1000) is True
    unique = {"uniqueItems": True, "prefixItems": [True, {"type": "object"}]}  # what follows depends on the text
    assert read_rules(byte_automaton(constrain.json_schema(unique)), 1000) is False
    items = {"enum": list(range(20))}
    automaton = byte_automaton(constrain.json_schema({"items": items, "uniqueItems": True}))
    assert read_rules(automaton, 300) is False
    assert read_rules(byte_automaton(constrain.regex("a")), 1) is True


# ---- match, mask, compile, picture


def test_match_says_where_and_what_was_expected(person: Path) -> None:
    lines = run("match", "-s", person, VALID.replace("12-10", "13-10")).stdout.splitlines()
    assert lines[0] == "rejected at column 32: '3'" and lines[3] == r"expected '0'-'2', '\\'"
    found = run_json("match", "-s", person, '{"age"', code=1)
    assert (found["column"], found["expected"], found["terminals"]) == (3, "'n'", ['"name"'])


@needs_embedded_model
def test_mask_and_compile(person: Path) -> None:
    pytest.importorskip("transformers")
    found = run_json("mask", "-s", person, "-p", '{"name": "Ada", "born')
    assert found["forced"].startswith('":') and found["may_end"] is False
    assert run("mask", "-s", person, "-p", "[").stdout.startswith("prefix rejected at column 1: '['")
    measured = run_json("compile", "-s", person)
    assert measured["constraint"] == "schema Person"
    assert measured["first_tokens"] == run_json("mask", "-s", person)["allowed"]


def test_picture(tmp_path: Path) -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    drawn = run("picture", "-s", written(tmp_path, tree), "-f", "mermaid").stdout
    assert drawn.startswith("flowchart LR") and "#34;left#34;" in drawn and "#34;right#34;" in drawn


# ---- generate


@needs_embedded_model
def test_generate(person: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    jsonschema = pytest.importorskip("jsonschema")
    found = run_json("generate", "-s", person, "-p", "JSON: ", "-n", "64")
    (one,) = found["outputs"]
    assert one["parsed"] == json.loads(one["text"])
    jsonschema.Draft202012Validator(PERSON).validate(one["parsed"])


@needs_embedded_model
def test_what_is_parsed() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    assert run_json("generate", "-c", "3", "-p", "JSON: ")["outputs"][0]["parsed"] is None  # a text, not JSON
    arguments = ["generate", "-p", "JSON: ", "-s", "-"]
    assert run_json(*arguments, stdin='{"const": [3]}')["outputs"][0]["parsed"] == [3]
    cut = run_json(*arguments, "-n", "2", stdin='{"const": "a very long text"}', code=1)["outputs"][0]
    assert (cut["finish_reason"], cut["parsed"]) == ("length", None)


def test_what_json_cannot_say_is_not_parsed_for_machines() -> None:
    from constrain.cli.generate import _finite

    assert _finite([json.loads("1e999")]) is None
    assert _finite({"a": [1.5]}) == {"a": [1.5]}


def test_generation_does_not_parse_what_python_cannot_read() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from constrain.hf.batch import parsed

    assert parsed('{"a": 1}') == {"a": 1}
    assert parsed("1" * 5000) is None
    assert parsed("[" * 100_000 + "]" * 100_000) is None


# ---- what is written about schemas


def section() -> str:
    return ROOT.joinpath("README.md").read_text("utf-8").split("## JSON Schema")[1].split("\n## ")[0]


def documented() -> list[str]:
    return re.findall(r"^(?:\$ )?constrain (.*)$", section(), re.MULTILINE)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which the README's commands are typed, with the schema that it shows."""
    monkeypatch.chdir(tmp_path)
    (shown,) = re.findall(r"^```json\n(.*?)^```", section(), re.MULTILINE | re.DOTALL)
    written(tmp_path, shown, "person.json")


@needs_embedded_model
@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("command", documented())
def test_documented_commands_run(command: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    assert run(*shlex.split(command)).exit_code in (0, 1)


@needs_embedded_model
@pytest.mark.usefixtures("at_home")
def test_documented_output_is_what_is_printed() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    shown = re.findall(r"^\$ constrain (.*)\n((?:(?!\$ |```).*\n)+)", section(), re.MULTILINE)
    assert shown
    for command, printed in shown:
        lines = [line.rstrip() for line in run(*shlex.split(command)).output.splitlines() if line.strip()]
        assert lines == [line for line in printed.splitlines() if line.strip()], command


def test_every_setting_is_documented() -> None:
    for name in ("format", "property_order", "whitespace", "escapes", "draft", "registry"):
        assert f"`{name}`" in section()


def test_names_of_files() -> None:
    assert SchemaFile("mine.json", "true", {}).spec() == constrain.json_schema("true")
