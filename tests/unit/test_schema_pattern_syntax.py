"""Patterns of schemas: what is taken from other languages, what is refused and where, and what the result is like."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from strategies import Language

from constrain.errors import GrammarSyntaxError, UnsupportedError
from constrain.ir.expr import Chars, Closed, Concat, Expr, Literal, Repeat, Words
from constrain.specs.json_schema.patterns import literal, pattern
from constrain.specs.json_schema.search import asserts
from constrain.specs.json_schema.strings import ANY_TEXT

TAKEN = [
    # from Python and Perl
    (r"\Aab\Z", ["ab"], ["ab\n", "xab", "abx"]),
    (r"\Aab\z", ["ab"], ["ab\n"]),
    ("(?i)^ab$", ["ab", "AB", "aB"], ["a"]),
    ("(?i)^[^k]$", ["a"], ["k", "K", "\u212a"]),
    ("(?s)^.$", ["\n", "a"], [""]),
    ("(?m)^a$", ["a", "b\na\nb", "b\u2028a"], ["ba", "ab"]),
    ("^(?P<year>[0-9]{4})$", ["2024"], ["24"]),
    (r"^\pL\PL$", ["é1"], ["éé"]),
    ("^(?i:a)b(?-i:c)$", ["abc", "Abc"], ["aBc", "abC"]),
    # Unicode
    (r"^\ud83d\ude00$", ["\U0001f600"], ["a"]),
    (r"^\u{1f600}$", ["\U0001f600"], ["\uf600"]),
    (r"^[\ud83d\ude00-\ud83d\ude4f]$", ["\U0001f600", "\U0001f64f"], ["\ud83c", "\U0001f650"]),
    (r"^(?:\ud83d|a)*$", ["", "a", "aa"], ["b"]),
    (r"^[^\ud800-\udfff]$", ["a", "\U0001f600"], [""]),
    ("^.$", ["é", "\U0001f600"], ["\n", "\r", "\u2028", "\u2029", ""]),
    (r"^\s+$", ["\ufeff", "\u00a0\u3000\t\v", "\u2029"], ["\u200b", "\u180e", "\x85", "\x1c"]),
    (r"^\d\w$", ["0_"], ["\u0663a", "0é"]),
    (r"^\p{Script=Greek}\p{Lu}\P{L}$", ["αÉ1"], ["aÉ1", "αé1"]),
    # anchors in unusual places
    ("(^|,)a", ["a", "x,a", "ab"], ["ba"]),
    ("a(,|$)", ["a", "xa", "a,x"], ["ab"]),
    ("^a|b$", ["ax", "xb"], ["xa", "bx"]),
    ("^$|^a", ["", "ab"], ["ba"]),
    ("^(?!.*x)^a", ["a", "ab"], ["ax", "ba"]),
    ("a^", [], ["a", ""]),
    ("(?:^a)*b", ["b", "xb", "ab"], ["a"]),
    (r"\bab\b", ["ab", "-ab-"], ["xab", "abx"]),
    (r"^\Bab", [], ["ab", "xab"]),
]


def language(text: str) -> Language:
    return Language(pattern(text))


@pytest.mark.parametrize(("text", "found", "others"), TAKEN, ids=[case[0] for case in TAKEN])
def test_what_is_found(text: str, found: list[str], others: list[str]) -> None:
    engine = language(text)
    for candidate in found:
        assert engine.accepts(candidate.encode()), candidate
    for candidate in others:
        assert not engine.accepts(candidate.encode("utf-8", "surrogatepass")), candidate


FAULTY = [
    ("a(b", 2, "( is never closed"),
    ("a)b", 2, "unmatched )"),
    ("a[b", 2, "[ is never closed"),
    ("ab\n|*", 5, "nothing to repeat before *"),
    ("+a", 1, "nothing to repeat before +"),
    ("a|{2}", 3, "nothing to repeat before {2}"),
    ("a{3,2}", 2, "out of order"),
    ("^*", 2, "no width"),
    ("(?<=a)+", 7, "no width"),
    ("[b-a]", 2, "the range b-a is out of order"),
    ("x[ab\\q]", 5, "\\q is no escape"),
    ("\\", 1, "a backslash at the end"),
    (r"\a", 1, "is no escape of ECMA-262"),
    (r"\x1", 1, "two hexadecimal digits"),
    (r"\u12", 1, "four hexadecimal digits"),
    (r"\u{110000}", 1, "is not a character"),
    (r"\c1", 1, "needs a letter"),
    (r"\p{Gree}", 1, "did you mean"),
    (r"\p", 1, "needs a property"),
    ("a{,3}", 2, "read differently"),
    ("(?x", 1, "begins no group"),
]


@pytest.mark.parametrize(("text", "character", "message"), FAULTY, ids=[case[0] for case in FAULTY])
def test_syntax_errors_name_the_place(text: str, character: int, message: str) -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        pattern(text)
    lines = text[: character - 1].split("\n")
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (len(lines), len(lines[-1]) + 1)
    assert caught.value.excerpt.endswith("^")


REFUSED = [
    (r"(a|b)\1", 5, "backreferences"),
    (r"(?<n>a)\k<n>", 7, "backreferences"),
    ("(?P<n>a)(?P=n)", 8, "(?P"),
    ("(?>a)", 0, "atomic"),
    ("a++", 2, "possessive"),
    ("a(?i)b", 1, "flags are supported at the start"),
    ("(?R)", 0, "(?R"),
    ("(?(1)a|b)", 0, "(?("),
    ("(?#comment)", 0, "(?#"),
    ("x(?<=a(?=b))", 1, "lookbehind"),
    ("(?<!a$)", 0, "lookbehind"),
    ("[[:alpha:]]", 1, "[:..:]"),
]


@pytest.mark.parametrize(("text", "position", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refusals_name_the_place(text: str, position: int, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        pattern(text)
    assert message in str(caught.value)
    assert caught.value.position == position
    assert caught.value.excerpt


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="nested too deeply"):
        pattern("(" * 5000 + ")" * 5000)


A, B = Literal(b"a"), Literal(b"b")
MADE: list[tuple[str, Expr]] = [
    ("^a$", A),
    ("a", Concat((ANY_TEXT, A, ANY_TEXT))),
    ("^a", Concat((A, ANY_TEXT))),
    ("a$", Concat((ANY_TEXT, A))),
    ("^(a|b|ab)$", Words((b"a", b"b", b"ab"))),
    ("^(?:(?:a)b)$", Literal(b"ab")),
    ("", ANY_TEXT),
    ("^", ANY_TEXT),
    (".*", ANY_TEXT),
    ("x*|a", ANY_TEXT),
    ("^[^]*$", ANY_TEXT),
    ("^.*a+$", Concat((Repeat(pattern("^.$"), 0, None), Repeat(A, 1, None)))),
    (".*a{2,5}.?", Concat((ANY_TEXT, Repeat(A, 2, 2), ANY_TEXT))),
    ("^[a]$", A),
    ("^[ab]$", Chars(((0x61, 0x62),))),
]


@pytest.mark.parametrize(("text", "expr"), MADE, ids=[case[0] for case in MADE])
def test_simple_patterns_give_simple_expressions(text: str, expr: Expr) -> None:
    assert pattern(text) == expr


@pytest.mark.parametrize("text", ["^a|b$", "(^|x)a", "a($|x)", "^(a|b)(c|$)", "(^a$)|(^b$)", "^^a$$"])
def test_anchors_at_the_edges_leave_no_assertions(text: str) -> None:
    assert not isinstance(pattern(text), Closed) and not asserts(pattern(text))


def test_equal_patterns_give_the_same_value() -> None:
    assert pattern("^[a-z]+$") is pattern("^[a-z]+$")


@pytest.mark.parametrize(
    ("text", "only"),
    [("^ab$", "ab"), (r"^a\.b$", "a.b"), ("^$", ""), ("^(?:é)$", "é"), ("^a{2}$", None), ("ab", None), ("^a|b$", None)],
)
def test_patterns_of_a_single_string(text: str, only: str | None) -> None:
    assert literal(text) == only


def test_faulty_patterns_have_no_single_string() -> None:
    assert literal("(") is None and literal(r"(a)\1") is None


# ---- the official suite


@pytest.mark.data
@pytest.mark.parametrize("draft", ["draft2020-12", "draft7"])
@pytest.mark.parametrize("file", ["pattern.json", "optional/ecmascript-regex.json", "optional/non-bmp-regex.json"])
def test_official_suite(data_dir: Path, draft: str, file: str) -> None:
    path = data_dir / "json-schema-test-suite" / draft / file
    if not path.is_file():
        pytest.skip(f"no {path}")
    checked = 0
    for group in json.loads(path.read_text("utf-8")):
        if not group["schema"].keys() <= {"$schema", "type", "pattern"} or "pattern" not in group["schema"]:
            continue
        engine = language(group["schema"]["pattern"])
        for case in group["tests"]:
            if isinstance(case["data"], str):
                checked += 1
                assert engine.accepts(case["data"].encode()) == case["valid"], (group["description"], case)
    assert checked


# ---- patterns that people write


def written(value: Any) -> Iterator[str]:
    """The patterns in a schema, and in whatever looks like one."""
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        if isinstance(value.get("patternProperties"), dict):
            yield from value["patternProperties"]
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from written(inner)


@pytest.mark.data
def test_patterns_of_jsonschemabench(data_dir: Path) -> None:
    path = data_dir / "jsonschemabench" / "dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = {text for line in lines for text in written(json.loads(line)["schema"])}
    assert len(texts) > 1000
    refused = set()
    for text in texts:
        try:
            pattern(text)
        except UnsupportedError:
            refused.add(text)
    assert refused == {r"^\s*<([A-Za-z]+).+?(\/>|\/\1>)\s*$"}, "a backreference"
