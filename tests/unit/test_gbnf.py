"""GBNF: what each construct denotes, how regular pieces are joined, every error with its place."""

from __future__ import annotations

import pytest
from reference.recogniser import recognises

from constrain.errors import GrammarSyntaxError, LimitExceeded, UnsupportedError
from constrain.ir.expr import Chars, Concat, Literal, Repeat, Words
from constrain.ir.grammar import Body, Call, Either, Many, Seq, Special, Terminal
from constrain.limits import Limits
from constrain.specs.gbnf import parse_gbnf

DIGIT = Chars(((0x30, 0x39),))


def body(text: str) -> Body:
    """The body of `root`, in a text that defines x too."""
    return parse_gbnf(f'root ::= {text}\nx ::= "x"\n').rules["root"].body


A, X = Terminal('"a"', Literal(b"a")), Call("x")

BODIES: dict[str, Body] = {
    '"a"': A,
    "x": X,
    '"a" x': Seq((A, X)),
    '"a" | x': Either((A, X)),
    "x*": Many(X, 0, None),
    "x+": Many(X, 1, None),
    "x?": Many(X, 0, 1),
    "x{2}": Many(X, 2, 2),
    "x{2,}": Many(X, 2, None),
    "x{2,5}": Many(X, 2, 5),
    "x{,5}": Many(X, 0, 5),
    "x{ 2 , 5 }": Many(X, 2, 5),
    "x*?": Many(Many(X, 0, None), 0, 1),
    "(x x)+": Many(Seq((X, X)), 1, None),
    '""': Seq(()),
    "": Seq(()),
    '(x "a" | )': Either((Seq((X, A)), Seq(()))),
    '"a" [0-9]+ x': Seq((Terminal('"a" [0-9]+', Concat((Literal(b"a"), Repeat(DIGIT, 1, None)))), X)),
    'x [0-9]* "a"?': Seq(
        (
            X,
            Many(
                Terminal(
                    '[0-9]* "a"?',
                    body('[0-9]+ "a"? | "a"').expr,  # type: ignore[union-attr]
                ),
                0,
                1,
            ),
        )
    ),
    '"a" "b"': Terminal('"a" "b"', Literal(b"ab")),
    '"a" | "b" | "cd"': Terminal('"a" | "b" | "cd"', Words((b"a", b"b", b"cd"))),
    '("a" | "b")': Terminal('("a" | "b")', Words((b"a", b"b"))),
    '"a" ("b" # note\n )': Terminal('"a" ("b" # note )', Literal(b"ab")),
    "<|end|> x": Seq((Special("<|end|>"), X)),
    "<[3-5]>": Special("<[3-5]>", ((3, 5),)),
    "!<[0-5]>": Special("!<[0-5]>", ((6, 2**31 - 1),)),
}


@pytest.mark.parametrize("text", BODIES)
def test_bodies(text: str) -> None:
    assert body(text) == BODIES[text]


LANGUAGES: dict[str, tuple[list[str], list[str]]] = {
    "[a-cx]": (["a", "c", "x"], ["d", "", "ab", "-"]),
    "[^a-c]": (["d", "\n", "é", "😀"], ["a", ""]),
    "[a-]": (["a", "-"], ["b"]),
    "[-a]": (["a", "-"], ["b"]),
    r"[\]\\\[^]": (["]", "\\", "[", "^"], ["a"]),
    r"[\x41-\u005a\U0001F600]": (["A", "Z", "😀"], ["a"]),
    "[ \\t\\n]": ([" ", "\t", "\n"], ["t"]),
    ".": (["a", "\n", "é"], ["", "ab"]),
    r'"\n\r\t\\\"\x41\u00e9\U0001F600[]"': (['\n\r\t\\"Aé😀[]'], []),
    '"a"* "b"?': (["", "a", "aab", "b"], ["ba"]),
    '"ab"{2}': (["abab"], ["ab", "abb"]),
    '("a"? "b"?){2}': (["", "a", "ab", "ba", "bb", "aabb"[1:3], "abab"], ["aba" + "bb"]),
    '("a"? | "b"*) x': (["x", "ax", "bbx"], ["abx"]),
    '("a"*)* x': (["x", "aax"], ["a"]),
    'root "a" | x': (["x", "xaa"], ["a"]),
    '"a" |\n  "b" # c\n  | x': (["a", "b", "x"], ["ab"]),
    '(\n "a"\n | x\n)\n': (["a", "x"], []),
    "\n  x": (["x"], []),
}


@pytest.mark.parametrize("text", LANGUAGES)
def test_languages(text: str) -> None:
    grammar = parse_gbnf(f'root ::= {text}\nx ::= "x"\n')
    good, bad = LANGUAGES[text]
    assert [one for one in good if not recognises(grammar, one.encode())] == []
    assert [one for one in bad if recognises(grammar, one.encode())] == []


JSON = r"""
# The grammar that comes with llama.cpp
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
"""


def test_json() -> None:
    grammar = parse_gbnf(JSON)
    assert set(grammar.rules) == {"root", "object", "value", "array", "string", "number", "ws"} and not grammar.longest
    good, bad = ["{}", '{"a": [1,\n\t-2.5e3]} ', '{ "\\u00e9":null}'], ["", "[]", "{a:1}", "{} \n", '{"a":01}', "{"]
    assert [text for text in good if not recognises(grammar, text.encode())] == []
    assert [text for text in bad if recognises(grammar, text.encode())] == []


def test_other_start_rules_and_names() -> None:
    text = 'root ::= a-b\na-b ::= "a" a_b9?\na_b9 ::= "b"\r\nunused ::= "c"'
    assert recognises(parse_gbnf(text), b"ab") and set(parse_gbnf(text).rules) == {"root", "a-b", "a_b9"}
    assert recognises(parse_gbnf(text, "a_b9"), b"b")


def test_long_sequences_are_not_nested() -> None:
    made = body(" ".join(["[0-9]"] * 5000))
    assert isinstance(made, Terminal) and isinstance(made.expr, Concat) and len(made.expr.parts) == 5000


ERRORS = [
    ("", 1, 1, "there is no rule root to start with; the rules are none"),
    ('top ::= "a"', 1, 1, "the rules are top"),
    ("root ::= numbr\nnumber ::= [0-9]", 1, 10, "rule numbr is used but not defined; did you mean number?"),
    ('root ::= "a"\nb ::= c', 2, 7, "rule c is used but not defined"),
    ('root ::= "a"\nroot ::= "b"', 2, 1, "rule root is defined twice"),
    ('root ::= "a', 1, 10, "a string that does not end"),
    ('root ::= "a\n"', 1, 10, "a string that does not end"),
    ("root ::= [a", 1, 10, "a class [..] that does not end"),
    ("root ::= []", 1, 10, "[] matches no character"),
    (r"root ::= [^\x00-\U0010FFFF]", 1, 10, "matches no character"),
    ("root ::= [b-a]", 1, 11, "the range b-a is empty"),
    ('root ::= ("a"\nb ::= "c"', 1, 10, "this group is not closed"),
    ('root ::= "a")', 1, 13, "unexpected ')'"),
    ("root ::= *", 1, 10, "* has nothing before it to repeat"),
    ('root ::= "a" | +', 1, 16, "+ has nothing before it to repeat"),
    ("root ::= ({2})", 1, 11, "{ has nothing before it to repeat"),
    ('root = "a"', 1, 6, "unexpected '='"),
    ("root", 1, 5, "the line ends too early"),
    ('"a"', 1, 1, "unexpected '\"'"),
    ('root ::= "a" b ::= "c"', 1, 14, "a rule begins on a line of its own"),
    ('root ::= "a" ; b', 1, 14, "unexpected ';'"),
    (r'root ::= "\q"', 1, 11, "unknown escape"),
    (r'root ::= "\x4"', 1, 11, "unknown escape"),
    (r'root ::= "\ud800"', 1, 11, "is not a character"),
    (r'root ::= "\U00110000"', 1, 11, "is not a character"),
    ('root ::= "a"{3,2}', 1, 13, "{3,2} allows no count"),
    ('root ::= "a"{x}', 1, 13, "these are no counts"),
    ('root ::= "a"{}', 1, 13, "these are no counts"),
    ('root ::= "a"{,}', 1, 13, "these are no counts"),
    ("root ::= <a", 1, 10, "unexpected '<'"),
    ("root ::= <[x]>", 1, 10, "is not an id"),
    ("root ::= !<[x]>", 1, 10, "is not an id"),
    ("root ::= " + "(" * 50_000, 1, 110, "groups are nested more than 100 deep"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS, ids=[repr(text[:40]) for text, *_ in ERRORS])
def test_errors(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(GrammarSyntaxError) as caught:
        parse_gbnf(text)
    error = caught.value
    assert message in str(error) and (error.line, error.column) == (line, column), str(error)
    assert error.excerpt.split("\n")[1].strip() == "^"


def test_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="give its id") as caught:
        parse_gbnf("root ::= !<think>")
    assert caught.value.position == 9


def test_limits() -> None:
    for text in ('root ::= "a"{11}', 'root ::= x{2,11}\nx ::= "a" x', 'root ::= "a"{11,}'):
        with pytest.raises(LimitExceeded) as caught:
            parse_gbnf(text, limits=Limits(repeat=10))
        assert (caught.value.limit, caught.value.given) == ("repeat", 11)
