"""Lark's syntax: what each construct denotes, every error with its place, imports, templates, special tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from reference.recogniser import cut, recognises

from constrain.errors import ConstrainError, GrammarSyntaxError, LimitExceeded, UnsupportedError
from constrain.ir.expr import Alt, Chars, Closed, Concat, Literal, Repeat, Words
from constrain.ir.grammar import Body, Call, Either, Grammar, Many, Rule, Seq, Special, Terminal
from constrain.ir.semantics import accepts
from constrain.limits import Limits
from constrain.specs.lark import Note, check_lark, parse_lark


def body(text: str, **options: Any) -> Body:
    """The body of the start rule."""
    return parse_lark(text, **options).rules["start"].body


def terminal(text: str) -> Terminal:
    """What the start rule, a single terminal, is."""
    found = body(text)
    assert isinstance(found, Terminal)
    return found


A, B = Terminal('"a"', Literal(b"a"), 1), Terminal('"b"', Literal(b"b"), 1)

BODIES: dict[str, Body] = {
    '"a"': A,
    '"a" "b"': Seq((A, B)),
    '"a" | "b"': Either((A, B)),
    '"a" |': Either((A, Seq(()))),
    "": Seq(()),
    "()": Seq(()),
    '("a" | "b") "a"': Seq((Either((A, B)), A)),
    '"a"*': Many(A, 0, None),
    '"a"+': Many(A, 1, None),
    '"a"?': Many(A, 0, 1),
    '["a"]': Many(A, 0, 1),
    '["a" | "b"]': Many(Either((A, B)), 0, 1),
    '"a" ~ 3': Many(A, 3, 3),
    '"a"~0': Many(A, 0, 0),
    '"a"~2..5': Many(A, 2, 5),
    '("a" "b")~2..5': Many(Seq((A, B)), 2, 5),
    'start "a" |': Either((Seq((Call("start"), A)), Seq(()))),
    '"a" -> x\n | "b" -> y': Either((A, B)),
    '"a" \\\n "b"': Seq((A, B)),
    '"a" // "b"\n# "c"': A,
    "<|end|> <think>": Seq((Special("<|end|>"), Special("<think>"))),
    "<[7]>": Special("<[7]>", ((7, 7),)),
    "<[9,1-3,3-5]>": Special("<[9,1-3,3-5]>", ((1, 5), (9, 9))),
    "<[^1-3,7]>": Special("<[^1-3,7]>", ((0, 0), (4, 6), (8, 2**31 - 1))),
    "<[*]>": Special("<[*]>", ((0, 2**31 - 1),)),
}


@pytest.mark.parametrize("text", BODIES)
def test_bodies(text: str) -> None:
    assert body(f"start: {text}\n") == BODIES[text]


@pytest.mark.parametrize("head", ["start", "?start", "!start", "?!start", "start.3", "!start.-2"])
def test_what_only_shapes_trees_is_ignored(head: str) -> None:
    assert body(f'{head}: "a"') == A


TERMINALS: dict[str, tuple[list[str], list[str]]] = {
    '"ab"': (["ab"], ["", "AB", "abab"]),
    '"aB"i': (["ab", "AB", "Ab"], ["a"]),
    '"ſ"i': (["s", "S", "ſ"], ["ß"]),
    r'"\n\t\\\"\x41\u00e9\U0001F600\d"': (['\n\t\\"Aé😀\\d'], ["n"]),
    '"it\'s"': (["it's"], []),
    '"."': (["."], ["a"]),
    '"."i': (["."], ["a"]),
    '"a".."c"': (["a", "c"], ["d", "", "ab"]),
    r'"\x41".."\u005a"': (["A", "Z"], ["a"]),
    '"]".."^"': (["]", "^"], ["\\"]),
    '"-".."-"': (["-"], ["a"]),
    r"/[a-c]+\/\d/": (["ab/1"], ["ab1"]),
    "/a.b/s": (["a\nb"], ["ab"]),
    "/a.b/": (["axb"], ["a\nb"]),
    "/ab/i": (["aB"], []),
    "/ a b # c\n /x": (["ab"], [" a b"]),
    "/x$./ms": (["x\n"], ["xy"]),
    r"/\x2b/": (["+"], [""]),
    '/a|b/ "c"': (["ac", "bc"], ["a"]),
    '"a" ("b" | "c"+)? ["d"]': (["a", "ab", "accd"], ["abc"]),
    '"a"~2 "b"~1..2 "c"~0..1': (["aab", "aabbc"], ["ab", "aabbb"]),
    '"\\"" /.*/ /(?<!\\\\)(\\\\\\\\)*/ "\\""': (['""', '"a\\\\"', '"\\""'], ['"\\"']),
    '%regex {"substring_words": "to be. or"} "!"': (["!", "to!", " be.!", "be. or!"], ["t!", "to.!"]),
    '%regex {"substring_chars": "abc"} "!"': (["bc!", "abc!"], ["ac!"]),
    '%regex {"substring_chunks": ["ab", "c"]} "!"': (["ab!", "abc!", "c!"], ["a!"]),
}


@pytest.mark.parametrize("written", TERMINALS)
def test_terminals(written: str) -> None:
    expr = terminal(f"start: T\nT: {written}\n").expr
    good, bad = TERMINALS[written]
    assert [text for text in good if not accepts(expr, text.encode())] == []
    assert [text for text in bad if accepts(expr, text.encode())] == []


@pytest.mark.parametrize("written", [one for one in TERMINALS if not re.search(r'["/0-9] |\)|%', one)])
def test_anonymous_terminals_are_the_same(written: str) -> None:
    named, anonymous = terminal(f"start: T\nT: {written}\n"), terminal(f"start: {written}\n")
    assert (anonymous.expr, anonymous.priority, anonymous.name) == (named.expr, named.priority, written)


def test_terminals_of_terminals() -> None:
    made = terminal('start: NUMBER\nNUMBER: SIGN? DIGIT+\nDIGIT: "0".."9"\nSIGN: "+" | "-"')
    digit, sign = Chars(((0x30, 0x39),)), Words((b"+", b"-"))
    assert made == Terminal("NUMBER", Closed(Concat((Repeat(sign, 0, 1), Repeat(digit, 1, None)))))


def test_parts_of_terminals_may_be_empty() -> None:
    assert accepts(terminal("start: A\nA: B C\nB: /b*/\nC: /c/").expr, b"c")


def test_priorities() -> None:
    def priority(written: str) -> int:
        return terminal(f"start: T\n{written}\n").priority

    assert [priority('T: "a"'), priority('T: "a"i'), priority("T: /a/"), priority('T: "a" | "b"')] == [1, 1, 0, 0]
    assert [priority('T.3: "a"'), priority("T.3: /a/"), priority("T.-1: /a/"), priority('T.-1: "a"')] == [7, 6, -2, -1]
    assert [priority('T.2: S\nS: "a"'), priority('T: "a" "b"'), priority('T: ("a")')] == [5, 0, 1]


def test_a_literal_that_has_a_name_is_that_terminal() -> None:
    found = body('start: "if" NAME /x/\nIF.2: "if"\nNAME: /[a-z]+/\nX.1: /x/')
    assert isinstance(found, Seq)
    assert [(one.name, one.priority) for one in found.parts if isinstance(one, Terminal)] == [
        ("IF", 5),
        ("NAME", 0),
        ("X", 2),
    ]


def test_what_is_ignored_is_one_terminal() -> None:
    grammar = parse_lark('start: "a"\n%ignore " "\n%ignore NOTE\n%ignore /\\t/ | "\\n"\nNOTE.1: /#.*/\n')
    assert grammar.ignore is not None and (grammar.ignore.name, grammar.ignore.priority) == ("ignore", 2)
    assert isinstance(grammar.ignore.expr, Repeat) and isinstance(grammar.ignore.expr.body, Alt)
    assert accepts(grammar.ignore.expr, b"  #x\n\t# y") and not accepts(grammar.ignore.expr, b"")
    assert parse_lark('start: "a"').ignore is None
    assert all(recognises(grammar, text) for text in (b"a", b" a", b"a\n \t", b" #\na"))


@pytest.mark.parametrize(
    ("head", "longest"),
    [
        ("", False),
        ("// Reading: longest\n", True),
        ("\n\n// A title\n  # Reading:  longest  \r\n", True),
        ("// Reading: scannerless\n// Reading: longest\n", False),
        ('x: "a"\n// Reading: longest\n', False),
        ("// On Reading: longest\n", False),
    ],
)
def test_the_head_chooses_the_reading(head: str, longest: bool) -> None:
    text = head + 'start: "a"\n'
    assert parse_lark(text).longest == longest
    assert parse_lark(text, longest=True).longest and not parse_lark(text, longest=False).longest


def test_longest_match_cuts_as_said() -> None:
    text = '// Reading: longest\nstart: (IF | NAME | "=")+\nIF: "if"\nNAME: /[a-z]+/\n%ignore " "'
    names = [sorted(one.name for one in piece) for piece in cut(parse_lark(text), b"if iff=") or []]
    assert names == [["IF"], ["ignore"], ["NAME"], ['"="']]


# ---- templates


def test_templates() -> None:
    grammar = parse_lark(
        'start: list{"a", ";"} | list{pair{"b"}, SEP}\nlist{x, sep}: x (sep x)*\npair{x}: x x\nSEP: ","'
    )
    yes, no = (b"a", b"a;a;a", b"bb", b"bb,bb"), (b"", b"a,a", b"b", b"bb;bb", b"a;")
    assert [recognises(grammar, text) for text in (*yes, *no)] == [True] * len(yes) + [False] * len(no)


def test_a_template_with_the_same_arguments_is_one_rule() -> None:
    text = 'start: twice{"a"} twice{"a"} twice{"b"}\ntwice{x}: x [twice{x}]'
    assert len(parse_lark(text).rules) == 3


def test_templates_that_swap_their_arguments() -> None:
    grammar = parse_lark('start: alternate{"a", "b"}\nalternate{x, y}: x [alternate{y, x}]')
    assert [recognises(grammar, text) for text in (b"a", b"abab", b"aa", b"b")] == [True, True, False, False]


def test_templates_that_grow() -> None:
    text = 'start: x{"a"}\nx{y}: y | x{pair{y}}\npair{y}: y y'
    with pytest.raises(LimitExceeded, match="template") as caught:
        parse_lark(text, limits=Limits(rules=1000))
    assert (caught.value.limit, caught.value.given) == ("rules", 1001)


# ---- imports


def test_lark_library() -> None:
    text = "start: NUMBER WORD\n%import common (NUMBER, WORD)\n%import common.WS -> SPACE\n%ignore SPACE"
    grammar = parse_lark(text)
    assert recognises(grammar, b" 1.5e3\n x ") and not recognises(grammar, b"x 1")
    assert [one.name for one in grammar.rules["start"].body.parts] == ["NUMBER", "WORD"]  # type: ignore[union-attr]


def test_python_library() -> None:
    imports = "%import python (name, STRING)\n%import python.DEC_NUMBER -> NUMBER"
    grammar = parse_lark(f'start: name "=" (NUMBER | STRING)\n{imports}')
    assert recognises(grammar, b"case=1_0") and recognises(grammar, b'a="\\""') and not recognises(grammar, b"1=1")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("common.ESCAPED_STRING", ['""', '"a\\"b"', '"\\\\"'], ['"a"b"', '"\\"', '"\n"', '"\\\\"a"']),
        ("common.C_COMMENT", ["/**/", "/* a * / **/", "/*\n*/"], ["/*/", "/* */ */"]),
        ("python.STRING", ['""', "r'a\\'b'", 'UR"x"'.lower()], ['"a"b"', "'\n'", '"""a"""']),
        ("python.LONG_STRING", ['""""""', '"""a"b""c\n"""', "f'''\\''''"], ['"""a""""""b"""', '"""a\\"""']),
    ],
)
def test_library_terminals_end_at_their_first_end(name: str, good: list[str], bad: list[str]) -> None:
    expr = terminal(f"start: {name.split('.')[1]}\n%import {name}").expr
    assert [text for text in good if not accepts(expr, text.encode())] == []
    assert [text for text in bad if accepts(expr, text.encode())] == []


def test_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.lark").write_text("pair: item item\nitem: WORD\nWORD: /x/\n%import .inner.b (last)\n")
    (tmp_path / "inner" / "b.lark").write_text('last: END\nEND: "!"\n%ignore " "\n')
    text = 'start: pair other?\n%import .a.pair\n%import .a.last -> other\nitem: "y"\n'
    grammar = parse_lark(text, folder=tmp_path)
    assert [recognises(grammar, t) for t in (b"xx", b"xx!", b"yy", b"x x")] == [True, True, False, False]
    assert grammar.ignore is None


def test_override_and_extend_reach_into_the_import(tmp_path: Path) -> None:
    (tmp_path / "a.lark").write_text("list: item+\nitem: WORD\nWORD: /x/\n")
    imports = "start: list\n%import .a (list, item, WORD)\n"
    replaced = parse_lark(imports + '%override item: "y"\n', folder=tmp_path)
    extended = parse_lark(imports + '%extend item: "y"\n%extend WORD: /z/\n', folder=tmp_path)
    assert [recognises(replaced, text) for text in (b"yy", b"xx")] == [True, False]
    assert recognises(extended, b"xyz")


def test_errors_in_imported_files_name_them(tmp_path: Path) -> None:
    (tmp_path / "a.lark").write_text('x: "a"\n  y\n')
    with pytest.raises(GrammarSyntaxError, match=re.escape(f"{tmp_path}/a.lark: ")) as caught:
        parse_lark("start: x\n%import .a.x", folder=tmp_path)
    assert (caught.value.line, caught.value.column) == (2, 4)
    (tmp_path / "a.lark").write_text("x: y\n%import .a.y\n")
    with pytest.raises(GrammarSyntaxError, match="imports itself"):
        parse_lark("start: x\n%import .a.x", folder=tmp_path)
    (tmp_path / "a.lark").write_bytes(b"\xff")
    with pytest.raises(GrammarSyntaxError, match="not UTF-8"):
        parse_lark("start: x\n%import .a.x", folder=tmp_path)


# ---- JSON


@pytest.mark.parametrize("schema", ["true", "{}", "{\n\n}"])
def test_any_json_value(schema: str) -> None:
    grammar = parse_lark(f'start: "a" %json {schema}\n | other\nother: "b"\n')
    good = ["1", "-0.5e+3", '"\\u00e9"', '"\\ud83d\\ude00"', "null", "[]", "[1, [2],3]", "{}", '{"a": {"b":[]}}', '"é"']
    bad = ["", "01", "1.", '"\n"', "[1,]", "[ 1]", "{1:2}", '{"a":1,}', "nul", '"\\ud83d"', "[1,  2]"]
    assert [text for text in good if not recognises(grammar, b"a" + text.encode())] == []
    assert [text for text in bad if recognises(grammar, b"a" + text.encode())] == []
    assert recognises(grammar, b"b")


def test_json_text_holds_anything() -> None:
    seen: list[object] = []

    def rule(schema: object) -> Grammar:
        seen.append(schema)
        return Grammar({("x", len(seen)): Rule(B)}, ("x", len(seen)))

    text = 'start: "%json {" %json {"a": "} // \\" /",\n "b": [{}]} x // %json {\nx: /%json/ %json [1]\ny: "z"\n'
    grammar = parse_lark(text, json_rule=rule)
    assert seen == [{"a": '} // " /', "b": [{}]}, [1]]
    assert recognises(grammar, b"%json {b%jsonb")


def test_positions_after_json() -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        parse_lark('start: %json {\n "a": [\n]} b\nb: "x" c\n', json_rule=lambda schema: Grammar({0: Rule(B)}, 0))
    assert (caught.value.line, caught.value.column) == (4, 8)


def test_substrings_in_a_rule_may_be_left_out() -> None:
    grammar = parse_lark('start: "<" %regex {"substring_words": "a bc"} ">"')
    assert [recognises(grammar, text) for text in (b"<>", b"<a bc>", b"< >", b"<b>")] == [True, True, True, False]
    with pytest.raises(LimitExceeded) as caught:
        parse_lark('start: %regex {"substring_chars": "abcdef"}', limits=Limits(pattern_chars=20))
    assert caught.value.limit == "pattern_chars"


# ---- errors

ERRORS: list[tuple[str, int, int, str]] = [
    ("start: (", 1, 9, "unclosed ( )"),
    ('start: ["a"', 1, 12, "unclosed [ ]"),
    ('start: "a")', 1, 11, "unexpected ')'"),
    ('start: "a"\n  b\n', 2, 4, "the line ends too early"),
    ('Start: "a"', 1, 2, "Start: names of rules are all lower case"),
    ('start: fooBar\nfoo: "a"', 1, 11, "fooBar: names of rules are all lower case"),
    ('start: "a', 1, 8, "a string that does not end"),
    ("start: /a", 1, 8, "a regular expression that does not end"),
    ("start: $", 1, 8, "unexpected character '$'"),
    ("start: 1", 1, 8, "unexpected '1'"),
    ('start: "a"??', 1, 12, "unexpected '?'"),
    ('start:: "a"', 1, 7, "unexpected ':'"),
    ("", 1, 1, "the rules are none"),
    ("\n\n  // nothing", 1, 1, "the rules are none"),
    ('other: "a"', 1, 1, "there is no rule start to start with; the rules are other"),
    ('START: "a"', 1, 1, "the rules are none"),
    ('start{x}: "a" x', 1, 1, "there is no rule start"),
    ("start: numbr\nnumber: /1/", 1, 8, "rule numbr is used but not defined; did you mean number?"),
    ("start: NUMBR\n%import common.NUMBER", 1, 8, "terminal NUMBR is used but not defined; did you mean NUMBER?"),
    ("start: zzz", 1, 8, "rule zzz is used but not defined at"),
    ('start: "a"\nx: y', 2, 4, "rule y is used but not defined"),
    ('start: "a"\nX: Y "b"', 2, 4, "terminal Y is used but not defined"),
    ('start: "a"\n%ignore WS', 2, 9, "terminal WS is used but not defined"),
    ('start: "a"\nstart: "b"', 2, 1, "start is defined twice"),
    ('start: A\nA: "x" a\na: "a"', 2, 8, "a is no part of a terminal"),
    ('start: A\nA: "x" <|a|>', 2, 8, "<|a|> is no part of a terminal"),
    ("start: A\nA: %json true", 2, 4, "%json true is no part of a terminal"),
    ('start: A\nA: "b" -> c', 2, 11, "-> names a rule's alternative"),
    ("start: A\nA: B\nB: A?", 3, 4, "terminal A contains itself"),
    ("start: A\nA: /a*/", 2, 1, "terminal A matches the empty string"),
    ("start: A\nA:", 2, 1, "terminal A matches the empty string"),
    ('start: "a" | /b?/', 1, 14, "terminal /b?/ matches the empty string"),
    ('start: "a"\n%ignore /b?/', 2, 9, "terminal %ignore matches the empty string"),
    ('start: ""', 1, 8, "the empty string"),
    (r"start: /a[^\s\S]/", 1, 8, "matches nothing at all"),
    ("start: /a(b/", 1, 10, "regex: missing ), unterminated subpattern"),
    ('start: "x"\n | /\\p{Lx}/', 2, 5, "unknown Unicode property"),
    ("start: A\nA: /x\n  (/x", 3, 3, "missing )"),
    ("start: /a\n/", 1, 8, "without the flag x ends on its line"),
    ("start: /a/l", 1, 9, "LOCALE"),
    (r'start: "a\x4"', 1, 10, r"\x needs 2 hexadecimal digits"),
    (r'start: "\ud800"', 1, 9, "is not a character"),
    (r'start: "\U00110000"', 1, 9, "is not a character"),
    ('start: "ab".."c"', 1, 8, "a range goes from one character"),
    ('start: "a".."c"i', 1, 13, "a range goes from one character"),
    ('start: "c".."a"', 1, 8, "is empty"),
    ('start: "a"~3..2', 1, 11, "~ 3..2 is not a range of counts"),
    ('start: "a"~-1', 1, 11, "is not a range of counts"),
    ('start: x{"a"}\nx{y, z}: y z', 1, 8, "x takes 2 arguments, not 1"),
    ("start: x\nx{y}: y", 1, 8, "x takes 1 arguments, not 0"),
    ('start: x{y}\ny: "a"\nx{z}: z{"b"}', 3, 7, "parameter z cannot take arguments"),
    ('start: "a"\nx{y, y}: y', 2, 6, "parameter y of x is there twice"),
    ("start: <[5-1]>", 1, 8, "'5-1' in <[5-1]> is not an id"),
    ("start: <[]>", 1, 8, "is not an id"),
    ("start: <[^*]>", 1, 8, "is not an id"),
    ('start: %json {"a" 1}', 1, 19, "the JSON after %json does not parse"),
    ("start: %json", 1, 13, "the JSON after %json does not parse"),
    ('start: %regex {"a": 1}', 1, 8, "%regex takes"),
    ("start: %regex {}", 1, 8, "%regex takes"),
    ("start: NUMBR\n%import common.NUMBR", 2, 9, "common defines no NUMBR; did you mean NUMBER?"),
    ("start: X\n%import comon.X", 2, 9, "lark's library has common"),
    ("start: X\n%import common", 2, 9, "%import of nothing"),
    ("start: X\n%import .mine.X", 2, 10, "the grammar has no folder"),
    ('start: "a"\n%import common.WS\nWS: " "', 3, 1, "WS is defined twice"),
    ('start: "a"\n%override x: "b"', 2, 11, "%override of x, which is not defined"),
    ('start: "a"\n%extend x: "b"', 2, 9, "%extend of x, which is not defined"),
    ('start: x{"a"}\nx{y}: y\n%extend x: "b"', 3, 9, "%extend of x with other parameters"),
    ('// Reading: shortest\nstart: "a"', 1, 13, "unknown reading 'shortest'"),
    ("start: " + "(" * 200 + '"a"' + ")" * 200, 1, 208, "nested more than 100 deep"),
    ("start: " + "(" * 50_000 + '"a"' + ")" * 50_000, 1, 50_008, "nested more than 100 deep"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS, ids=[repr(text[:40]) for text, *_ in ERRORS])
def test_errors(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        parse_lark(text, source="my.lark")
    error = caught.value
    assert message in str(error) and str(error).startswith("my.lark: "), str(error)
    assert (error.line, error.column) == (line, column), str(error)
    assert f"line {line}, column {column}" in str(error)
    shown, marked = error.excerpt.split("\n")
    assert marked.strip() == "^" and len(marked) <= len(shown) + 1


def test_what_was_expected() -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        parse_lark('start: "a" "b")')
    assert caught.value.expected == ("end of line",)
    with pytest.raises(GrammarSyntaxError) as caught:
        parse_lark("start \n")
    assert set(caught.value.expected) == {"':'", "'.'", "'{'"}


UNSUPPORTED = [
    ('start: "a"\n%declare B', 20, "%declare B: not supported, because"),
    ("start: /(?>a)/", 8, "atomic groups"),
    ('start: "a" %json {"type": "object"}', 11, "write the structure as rules"),
    ("start: block\n%import python.suite -> block", None, "%declare _INDENT"),
]


@pytest.mark.parametrize(("text", "position", "message"), UNSUPPORTED)
def test_unsupported(text: str, position: int | None, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_lark(text)
    assert message in str(caught.value) and "^" in caught.value.excerpt
    assert position is None or caught.value.position == position


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ('start: "a"~101', "repeat"),
        ('start: A\nA: "a"~3..101', "repeat"),
        ("\n".join(["start: A0", *(f"A{i}: A{i + 1} A{i + 1}" for i in range(40)), 'A40: "a"']), "expressions"),
    ],
)
def test_limits(text: str, limit: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        parse_lark(text, limits=Limits(repeat=100))
    assert caught.value.limit == limit


def test_long_chains() -> None:
    """Of rules there may be any number; of terminals as many as the rest can recurse along."""
    rules = "\n".join(f"r{i}: r{i + 1}" for i in range(3000))
    assert len(parse_lark(f'start: r0\n{rules}\nr3000: "a"').rules) == 3002
    for order in (1, -1):
        terminals = [f'A{i}: A{i + 1} "b"' for i in range(3000)][::order]
        with pytest.raises(GrammarSyntaxError, match="nested"):
            parse_lark("\n".join(["start: A0", *terminals, 'A3000: "a"']))


def test_an_error_changes_nothing_for_the_next_grammar() -> None:
    for text, *_ in ERRORS[:20]:
        with pytest.raises(ConstrainError):
            parse_lark(text)
        assert body('start: "a"') == A


# ---- remarks


def test_notes() -> None:
    text = 'start: a -> d\na: "x" | /".*?"/\nb: c\nc: B\nB: "y"\nE: /[*?]\\*?/\n%ignore SPACE\nSPACE: " "\nd: d "x"\n'
    assert check_lark(text) == [
        Note(2, 10, '/".*?"/: a lazy quantifier is read as a greedy one; say which characters may come before the end'),
        Note(3, 1, "rule b is not used"),
        Note(4, 1, "rule c cannot be reached from start"),
        Note(5, 1, "terminal B cannot be reached from start"),
        Note(6, 1, "terminal E is not used"),
        Note(9, 1, "rule d is not used"),
    ]


def test_no_notes() -> None:
    text = 'start: list{A} NUMBER\nlist{x}: x+\nA: B\nB: "b"\n%import common.NUMBER\n%import common.WS\n%ignore WS\n'
    assert check_lark(text) == []
    with pytest.raises(GrammarSyntaxError):
        check_lark("start: (")


@pytest.mark.parametrize(("text", "accepted"), [("SELECT", True), ("Select", True), ("\u017felect", False)])
def test_keywords_are_ascii(text: str, accepted: bool) -> None:
    """Ignoring case, a letter of a keyword stands for itself in both cases, and for nothing else."""
    assert recognises(parse_lark('start: "select"i'), text.encode()) == accepted
