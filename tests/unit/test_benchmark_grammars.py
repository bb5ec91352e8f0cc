"""What the benchmark gives its peers is the grammar that constrain reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reference.recogniser import recognises

import constrain
from benchmarks import linearity
from benchmarks.grammar_report import coverage, handled_by, ratios
from benchmarks.grammar_turns import Record
from benchmarks.grammars import accepted
from benchmarks.render import Unrenderable, ebnf, lark
from constrain.ir.expr import EPSILON, Alt, And, Anything, Chars, Closed, Concat, Expr, Literal, Not, Repeat, Words
from constrain.ir.grammar import Bits, Call, Either, Grammar, Many, Rule, Seq, Special, Terminal
from constrain.limits import Limits
from constrain.specs.gbnf import parse_gbnf
from constrain.specs.lark import parse_lark
from constrain.specs.library import LibraryGrammar, library

LETTER = Chars(((0x61, 0x7A),))
TEXTS = (
    "",
    "a",
    "ab",
    "aab",
    "abab",
    "b",
    "é🙂",
    "/",
    '"',
    "\n",
    "\\",
    "a b",
    " a",
    "aé",
    "-]^[",
    "{}",
    "a" * 5,
    "aXb",
)


def one(expr: Expr) -> Grammar:
    """A grammar of one terminal."""
    return Grammar({"start": Rule(Terminal("T", expr))}, "start")


EXPRESSIONS = {
    "literal": Literal("é🙂".encode()),
    "syntax": Words((b"/", b'"', b"\n", b"\\", b"-]^[", b"{}")),
    "class": Repeat(Chars(((0x22, 0x2F), (0x5B, 0x5E), (0xE9, 0xE9))), 1, 2),
    "all but few": Repeat(Chars(((0, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF))), 1, None),
    "empty part": Concat((Alt((EPSILON, Literal(b"a"))), Literal(b"b"))),
    "counts": Repeat(LETTER, 2, 4),
    "at least": Repeat(LETTER, 3, None),
    "loop of alternatives": Concat((Literal(b"a"), Repeat(Alt((LETTER, Literal("é".encode()))), 0, None))),
    "loop of loops": Repeat(Alt((Repeat(Literal(b"ab"), 1, None), Repeat(Chars(((0x61, 0x61),)), 1, None))), 1, None),
    "pairs": Repeat(Closed(Alt((Closed(LETTER), Concat((Literal(b" "), LETTER))))), 2, None),
}
GRAMMARS = {
    **{name: one(expr) for name, expr in EXPRESSIONS.items()},
    "recursion": Grammar(
        {
            "start": Rule(Either((Seq(()), Seq((Terminal("A", Literal(b"a")), Call(("b", 1))))))),
            ("b", 1): Rule(Seq((Call("start"), Many(Terminal("B", Literal(b"b")), 1, 2)))),
        },
        "start",
    ),
    "nothing": Grammar({"start": Rule(Seq((Seq(()), Many(Seq(()), 0, None))))}, "start"),
    "ignored": Grammar(
        {"start": Rule(Many(Terminal("L", LETTER), 2, None))}, "start", Terminal("_", Literal(b" ")), longest=True
    ),
    "counted rules": Grammar({"start": Rule(Many(Terminal("L", LETTER), 2, 3))}, "start"),
    "exact": Grammar({"start": Rule(Many(Seq((Terminal("L", LETTER),)), 2, 2))}, "start"),
}


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)
def test_rendered_grammars_denote_the_same(grammar: Grammar) -> None:
    gbnf, larked = parse_gbnf(ebnf(grammar)), parse_lark(lark(grammar), longest=grammar.longest)
    for text in TEXTS:
        expected = recognises(grammar, text.encode())
        assert recognises(larked, text.encode()) == expected, (text, lark(grammar))
        assert recognises(gbnf, text.encode()) == expected, (text, ebnf(grammar))


def test_boolean_terminals_are_rendered_for_llguidance_only() -> None:
    grammar = one(And((Repeat(LETTER, 1, None), Not(Concat((Anything(), Literal(b"b"), Anything()))))))
    assert "&" in lark(grammar) and "~" in lark(grammar)
    with pytest.raises(Unrenderable):
        ebnf(grammar)


@pytest.mark.parametrize(
    "body", [Bits(put=1), Terminal("T", Literal(b"\xff")), Terminal("T", Alt(()))], ids=["bits", "bytes", "nothing"]
)
def test_what_cannot_be_said_is_refused(body: Bits | Terminal) -> None:
    for render in (ebnf, lark):
        with pytest.raises(Unrenderable):
            render(Grammar({"start": Rule(body)}, "start"))


def test_special_tokens_are_rendered_for_llguidance_only() -> None:
    grammar = Grammar({"start": Rule(Special("<|x|>"))}, "start")
    assert lark(grammar) == "start: <|x|>\n"
    with pytest.raises(Unrenderable):
        ebnf(grammar)


@pytest.mark.parametrize("grammar", library(), ids=lambda grammar: grammar.name)
def test_the_library_can_be_rendered_and_read_again(grammar: LibraryGrammar) -> None:
    value = constrain.grammar_file(grammar.path).lower(Limits())
    assert constrain.grammar(lark(value)) and constrain.grammar(ebnf(value), syntax="gbnf")


@pytest.mark.parametrize("name", ["json", "pddl", "arithmetic"])
def test_rendered_examples_are_read_alike(name: str) -> None:
    """Scannerless grammars of the library: automata of what is rendered accept what the examples say."""
    path = next(grammar.path for grammar in library() if grammar.name == name)
    examples = path.with_suffix(".examples.jsonl")
    if not examples.is_file():
        pytest.skip("no examples")
    vocabulary = constrain.Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    value = constrain.grammar_file(path).lower(Limits())
    compiler = constrain.Compiler(vocabulary)
    for spec in (constrain.grammar(lark(value)), constrain.grammar(ebnf(value), syntax="gbnf")):
        automaton = compiler.compile(spec)
        for line in examples.read_text("utf-8").splitlines()[::6]:
            example = json.loads(line)
            assert automaton.accepts(list(example["text"].encode())) == example["accepted"], example


def test_texts_are_those_that_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "x.lark"
    assert accepted(path) == []
    path.with_suffix(".examples.jsonl").write_text(
        '{"text": "a", "accepted": true}\n{"text": "b", "accepted": false}\n'
    )
    assert accepted(path) == ["a"]


def test_ratios_are_over_what_both_accept() -> None:
    records = [
        Record("g", text, engine, run, outcome, "", [ns * 1000], [])
        for engine, text, outcome, ns in (
            ("x", 0, "handled", 10),
            ("x", 1, "handled", 1000),
            ("y", 0, "handled", 5),
            ("y", 1, "rejected", 1),
        )
        for run in ("cold", "warm")
    ]
    both = handled_by(records, "x") & handled_by(records, "y")
    found = ratios(records, "x", "y", both)
    assert found["cold"]["avg"] == found["by_grammar"]["warm"]["g"] == 2.0
    assert coverage(records, "y") == {"grammars": 1, "compiled": 1, "texts": 2, "handled": 1, "rejected": 1}


@pytest.mark.parametrize("case", linearity.CASES, ids=lambda case: case.name)
def test_long_texts_are_as_long_as_they_say(case: linearity.Case, tmp_path: Path) -> None:
    for size in (linearity.WARM, *linearity.SIZES):
        assert 0.97 * size <= len(case.make(size)) <= 1.03 * size
    vocabulary = constrain.Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    automaton = constrain.Compiler(vocabulary).compile(constrain.grammar_file(case.path(tmp_path)))
    assert automaton.accepts(list(case.make(linearity.WARM).encode()))
