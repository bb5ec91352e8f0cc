"""The command line and grammars: `--grammar` on every command, `grammars`, `picture`, traces, notes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped

import constrain
from constrain.cli import sources, tracing
from constrain.ir.grammar import Grammar
from constrain.specs.library import library, library_file

NESTED = 'start: list\nlist: "[" [item ("," item)*] "]"\nitem: NAME | list\nNAME: /[a-z]+/\n'
LONGEST = 'start: (A | B)+\nA: "a"\nB: "ab"\n'
CHAT = 'start: <|call|> "x" <|end|>\n'
GBNF = 'root ::= "[" item ("," item)* "]"\nitem ::= [a-z]+ | root\n'


def written(folder: Path, text: str, name: str = "mine.lark") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# ---- where grammars come from


def test_a_file_and_a_name(tmp_path: Path) -> None:
    nested = written(tmp_path, NESTED)
    assert run("match", "-g", nested, "[a,[b]]").exit_code == 0
    assert run("match", "--grammar", "json", '{"a": [1, true]}').exit_code == 0
    assert run("match", "-g", written(tmp_path, GBNF, "mine.gbnf"), "[a,[b]]").exit_code == 0


def test_another_start(tmp_path: Path) -> None:
    nested = written(tmp_path, NESTED)
    assert run("match", "-g", nested, "a").exit_code == 1
    assert run("match", "-g", nested, "--start", "item", "a").exit_code == 0
    assert run("match", "-g", written(tmp_path, GBNF, "mine.gbnf"), "--start", "item", "a").exit_code == 0


def test_another_reading(tmp_path: Path) -> None:
    path = written(tmp_path, f"// Reading: longest\n{LONGEST}")
    assert run_json("check", "-g", path)["reading"] == "longest"
    assert run_json("check", "-g", path, "--scannerless")["reading"] == "scannerless"
    assert run_json("check", "-g", written(tmp_path, LONGEST), "--longest")["reading"] == "longest"


def test_imports_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    written(tmp_path, "NAME: /[a-z]+/\n", "names.lark")
    path = written(tmp_path, "%import .names.NAME\nstart: NAME\n")
    assert run("match", "-g", path, "abc").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-g", "no-such-grammar"], "no grammar 'no-such-grammar': the library has arithmetic, brackets"),
        (["-g", "json", "-r", "a"], "give one constraint, not --regex and --grammar"),
        (["-r", "a", "--start", "b"], "--start is for --grammar"),
        (["-r", "a", "--longest"], "--longest is for --grammar"),
        (["-r", "a", "--scannerless"], "--scannerless is for --grammar"),
    ],
)
def test_mistakes_in_the_call(arguments: list[str], message: str) -> None:
    result = run("check", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in unwrapped(result.stderr)


def test_files_that_cannot_be_read_so(tmp_path: Path) -> None:
    (tmp_path / "latin.lark").write_bytes(b'start: "\xe9"')
    result = run("check", "-g", tmp_path / "latin.lark")
    assert result.exit_code == 2 and "not UTF-8 at byte 8" in unwrapped(result.stderr)
    result = run("check", "-g", written(tmp_path, GBNF, "mine.gbnf"), "--longest")
    assert result.exit_code == 2 and "GBNF has no terminals" in unwrapped(result.stderr)


def test_special_tokens_come_after_the_bytes() -> None:
    grammar = constrain.grammar('start: <|call|> inner | <[1000,5]>\ninner: <|end|> | <|call|> inner | ("x" <|end|>)*')
    lowered = grammar.lower(constrain.Limits())
    assert isinstance(lowered, Grammar)
    assert {one.name for one in sources.specials(lowered)} == {"<|call|>", "<|end|>", "<[1000,5]>"}
    vocabulary = sources.byte_vocabulary(grammar)
    assert set(vocabulary.special_tokens.values()) == {256, 257, 258}
    assert vocabulary.size == 1001
    assert sources.byte_vocabulary().size == 256


# ---- check


def test_check_counts(tmp_path: Path) -> None:
    path = written(tmp_path, NESTED)
    found = run_json("check", "-g", path)
    assert (found["rules"], found["reading"], found["notes"]) == (3, "scannerless", [])
    assert found["terminals"] > 0 and found["starts_with"] == "'['"
    text = run("check", "-g", path).stdout
    assert text.startswith(f"ok: grammar start: list; 3 rules, {found['terminals']} terminals, scannerless; starts")


@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_check_finds_nothing_amiss_in_the_library(name: str) -> None:
    assert run_json("check", "-g", name)["notes"] == []


def test_check_notes_what_is_not_used(tmp_path: Path) -> None:
    path = written(tmp_path, f'{NESTED}other: more "x"\nmore: "y"\nLAZY: /a+?/\n')
    lines = run("check", "-g", path).stdout.splitlines()
    assert lines[0].startswith("ok: ")
    assert lines[1:3] == [
        "mine.lark:5:1: rule other is not used",
        "mine.lark:6:1: rule more cannot be reached from start",
    ]
    assert lines[3] == "mine.lark:7:1: terminal LAZY is not used"
    notes = run_json("check", "-g", path)["notes"]
    assert notes[0] == {"line": 5, "column": 1, "message": "rule other is not used"}


@pytest.mark.parametrize(
    ("name", "text", "message", "at"),
    [
        ("mine.lark", 'start: item\nitem: NAME | "(" itm\nNAME: "a"\n', "rule itm is used but not defined", "itm"),
        ("mine.lark", "start: (A\nA: /[/\n", "unclosed (", ""),
        ("mine.lark", "start: A\nA: /é[/\n", "column 6", "[/"),
        ("mine.gbnf", 'root ::= "a" nope\n', "rule nope is used but not defined", "nope"),
    ],
)
def test_check_points_at_a_mistake(tmp_path: Path, name: str, text: str, message: str, at: str) -> None:
    path = written(tmp_path, text, name)
    result = run("check", "-g", path)
    assert (result.exit_code, result.stdout) == (1, "")
    first, source, mark = result.stderr.rstrip("\n").splitlines()
    assert first.startswith(f"error: {name}: ") and message in first and " at line " in first
    assert mark.strip() == "^"
    found = run_json("check", "-g", path, code=1)
    assert found["ok"] is False and found["error"]["type"] == "GrammarSyntaxError"
    line = text.splitlines()[found["error"]["line"] - 1]
    assert source.strip() == line.strip()
    assert source[mark.index("^") :] == line[found["error"]["column"] - 1 :]
    assert source[mark.index("^") :].startswith(at)


def test_other_commands_name_the_file_too(tmp_path: Path) -> None:
    result = run("match", "-g", written(tmp_path, "start: nope\n"), "a")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: mine.lark: rule nope is used but not defined")


def test_check_of_a_grammar_without_texts(tmp_path: Path) -> None:
    path = written(tmp_path, 'start: "a" start\n')
    assert run_json("check", "-g", path, code=1)["error"]["type"] == "UnsatisfiableError"


def test_check_with_special_tokens(tmp_path: Path) -> None:
    assert "starts with a special token" in run("check", "-g", written(tmp_path, CHAT)).stdout


# ---- match


def test_match_names_terminals() -> None:
    result = run("match", "-g", "json", '{"a" 1}')
    assert result.exit_code == 1
    first, _, mark, expected, terminals = result.stdout.splitlines()
    assert first == "rejected at column 6: '1'" and mark == "         ^"
    assert expected.endswith("' ', ':'") and terminals == 'terminals: ":", SPACE'
    assert run_json("match", "-g", "json", '{"a" 1}', code=1)["terminals"] == ['":"', "SPACE"]


def test_match_of_special_tokens(tmp_path: Path) -> None:
    result = run("match", "-g", written(tmp_path, CHAT), "")
    assert result.stdout.splitlines()[-2:] == ["expected a special token", "terminals: <|call|>"]


def test_match_trace(tmp_path: Path) -> None:
    lines = run("match", "-g", written(tmp_path, NESTED), "[[1", "--trace").stdout.splitlines()
    assert re.split(r" {2,}", lines[0]) == ["byte", "ended", "reading", "rules open"]
    assert [re.split(r" {2,}", line) for line in lines[1:3]] == [
        ["'['", '"["', "start > list"],
        ["'['", '"["', "start > list > item > list"],
    ]
    assert lines[3] == "rejected at column 3: '1'"
    assert lines[-1] == 'terminals: "[", "]", NAME'


def test_match_trace_for_machines(tmp_path: Path) -> None:
    found = run_json("match", "-g", written(tmp_path, NESTED), "[a]", "--trace")
    assert found["result"] == "match"
    assert [step["byte"] for step in found["trace"]] == list(b"[a]")
    assert found["trace"][1]["open"] == [{"rules": ["start", "list", "item"], "reading": ["NAME"], "ended": ["NAME"]}]
    assert (found["trace"][2]["follow_hex"], found["trace"][2]["may_end"]) == ("", True)


def test_match_trace_of_a_pattern() -> None:
    lines = run("match", "-r", "aé?", "aé", "--trace").stdout.splitlines()
    assert lines == ["byte  next", "'a'   0xC3 or the end", "0xC3  0xA9", "0xA9  the end", "match"]
    found = run_json("match", "-r", "ab", "ax", "--trace", code=1)
    assert found["trace"] == [{"byte": 97, "open": [], "follow_hex": "62", "may_end": False}]


def test_match_trace_of_nothing() -> None:
    assert run("match", "-g", "json", "", "--trace").stdout.startswith("incomplete")


def test_trace_lines_of_many_ways(tmp_path: Path) -> None:
    rules = "abcdefg"
    text = f"start: {' | '.join(rules)}\n" + "".join(f'{rule}: "xy{rule}"\n' for rule in rules)
    lines = run("match", "-g", written(tmp_path, text), "xy", "--trace").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:5]] == list("abcd")
    assert lines[5].strip() == "… 3 more"


def test_long_paths_are_cut_in_the_middle() -> None:
    from constrain.debug.trace import OpenRule

    names = tuple("abcdefghijkl")
    assert tracing.path(OpenRule(names, (), ())) == "a > b > … > g > h > i > j > k > l"


# ---- mask, compile, generate


@needs_embedded_model
def test_mask_and_compile() -> None:
    pytest.importorskip("transformers")
    found = run_json("mask", "-g", "json", "-p", '{"a"')
    assert {token["text"][0] for token in found["tokens"] if token["text"]} == {" ", "\n", "\t", "\r", ":"}
    assert run("mask", "-g", "json", "-p", '{"a"', "--explain", "x").stdout.endswith('expected: ":", SPACE\n')
    explained = run_json("mask", "-g", "json", "-p", '{"a"', "--explain", "x", code=1)["tokens"][0]
    assert explained["terminals"] == ['":"', "SPACE"]
    measured = run_json("compile", "-g", "json")
    assert measured["constraint"] == "grammar JSON: a text of RFC 8259"
    assert measured["first_tokens"] == run_json("mask", "-g", "json")["allowed"]


@needs_embedded_model
def test_generate() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    result = run("generate", "-g", "json", "--start", "object", "-p", "Ada Lindqvist is 41 years old. As JSON: ")
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


# ---- grammars


def test_grammars_lists_the_library() -> None:
    listed = run_json("grammars")["grammars"]
    assert [one["name"] for one in listed] == [grammar.name for grammar in library()]
    for one in listed:
        assert one["examples"] >= 40 and one["reading"] in ("longest", "scannerless")
        assert ": " in one["title"] and Path(one["path"]).is_file()
    text = run("grammars").stdout
    assert all(re.search(rf"^ {one['name']} .* {one['examples']} $", text, re.MULTILINE) for one in listed)


def test_grammars_shows_one() -> None:
    text = run("grammars", "json").stdout
    assert text.startswith("title    JSON: a text of RFC 8259\nreading  scannerless\nfile     ")
    assert "\nCovers: " in text and "\nLeaves out: " in text and "\nexample, 1 of " in text
    example = text.split("\n\n")[-1]
    assert run("match", "-g", "json", "-", stdin=example).exit_code == 0
    found = run_json("grammars", "sql")
    assert found["reading"] == "longest" and found["header"].startswith("Covers: SELECT")
    assert run("match", "-g", "sql", found["example"]).exit_code == 0


def test_grammars_shows_a_file_without_examples(tmp_path: Path) -> None:
    path = written(tmp_path, f"// Lists: of lists\n// Reading: longest\n//\n// Covers: lists.\n\n{NESTED}")
    found = run_json("grammars", path)
    assert (found["title"], found["reading"], found["header"]) == ("Lists: of lists", "longest", "Covers: lists.")
    assert (found["examples"], found["example"]) == (0, None)
    assert "example" not in run("grammars", path).stdout


def test_grammars_without_such_a_name() -> None:
    result = run("grammars", "jsn")
    assert result.exit_code == 2
    assert "no grammar 'jsn': the library has arithmetic" in result.stderr


@pytest.mark.parametrize("name", [grammar.name for grammar in library()])
def test_every_grammar_says_what_it_covers(name: str) -> None:
    """The header that `grammars/README.md` asks for."""
    lines = library_file(name).read_text("utf-8").splitlines()
    assert re.match(r"// [^:]+: \w", lines[0])
    assert lines[1] in ("// Reading: longest", "// Reading: scannerless")
    header = next(grammar.header for grammar in library() if grammar.name == name)
    assert header.startswith("Covers: ") and "Leaves out: " in header


# ---- what is written about grammars

ROOT = Path(constrain.__file__).parents[1]


def documented() -> list[str]:
    """The commands in the pages about grammars."""
    texts = [ROOT.joinpath("README.md").read_text("utf-8").split("## Grammars")[1].split("\n## ")[0]]
    texts.append(ROOT.joinpath("grammars", "README.md").read_text("utf-8"))
    return [line for text in texts for line in re.findall(r"^(?:\$ )?constrain (.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("command", documented())
def test_documented_commands_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    written(tmp_path, 'start: item+\nitem: NAME | "(" itm ")"\nNAME: /[a-z]+/\n')
    assert run(*shlex.split(command)).exit_code in (0, 1)


def test_documented_output_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, 'start: item+\nitem: NAME | "(" itm ")"\nNAME: /[a-z]+/\n')
    section = (ROOT / "README.md").read_text("utf-8").split("## Grammars")[1].split("\n## ")[0]
    shown = re.findall(r"^\$ constrain (.*)\n((?:(?!\$ |```).*\n)+)", section, re.MULTILINE)
    assert len(shown) == 2
    for command, printed in shown:
        assert run(*shlex.split(command)).output == printed


def test_the_grammar_of_the_page_is_one(tmp_path: Path) -> None:
    page = ROOT.joinpath("grammars", "README.md").read_text("utf-8")
    path = written(tmp_path, re.findall(r"```\n(// .*?)```", page, re.DOTALL)[0])
    assert run_json("check", "-g", path)["notes"] == []
    for line in re.findall(r'^\{"text".*$', page, re.MULTILINE):
        example = json.loads(line)
        assert (run("match", "-g", path, example["text"]).exit_code == 0) == example["accepted"]


# ---- picture


def test_picture(tmp_path: Path) -> None:
    path = written(tmp_path, NESTED)
    assert run("picture", "-g", path).stdout.startswith("digraph grammar {")
    assert run("picture", "-g", path, "--format", "mermaid").stdout.startswith("flowchart LR")
    found = run_json("picture", "-g", path, "--text", "[a")
    assert found["format"] == "dot" and "NAME …" in found["picture"]


def test_picture_of_a_text_that_cannot_be(tmp_path: Path) -> None:
    result = run("picture", "-g", written(tmp_path, NESTED), "--text", "[1")
    assert result.exit_code == 1
    assert "the text cannot go on at byte 1" in result.stderr and "gold" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no grammar; give --grammar FILE_OR_NAME, or --schema"),
        (["-g", "json", "-f", "svg"], "svg is none of dot, mermaid"),
    ],
)
def test_mistakes_in_calls_of_picture(arguments: list[str], message: str) -> None:
    result = run("picture", *arguments)
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)
