"""Checkers: what can be one, how they go together, and the ready ones against their definitions.

The law of all: a complete text and all of its beginnings are prefixes.
"""

from __future__ import annotations

import ast
import json
import random
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amounts import examples, runs
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import mutated

import constrain
from constrain.errors import CheckerError, ConstrainError, GrammarSyntaxError, SpecTypeError, VocabularyError
from constrain.sampling import (
    Banned,
    Checker,
    Function,
    Json,
    Language,
    Oracle,
    Pattern,
    Product,
    Python,
    Sql,
    TextChecker,
    as_checker,
    awrs,
)
from constrain.sampling.ready.json import NotJson, read_open

BYTES = constrain.Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
WORDS = constrain.Vocabulary.from_tokens(
    [b"a", b"b", b"ab", "é".encode(), "é".encode()[:1], "é".encode()[1:], b"", None, None],
    eos_ids=[8],
    special_tokens={"<call>": 7},
)


def prefixes(text: str) -> list[str]:
    return [text[:end] for end in range(len(text) + 1)]


def assert_law(checker: TextChecker, text: str) -> None:
    """If it is complete, all of its beginnings can be completed."""
    if checker.whole(text):
        assert [begin for begin in prefixes(text) if not checker.prefix(begin)] == []


def read(oracle: Oracle, tokens: list[int]) -> Any:
    """The position after tokens, None if one is rejected."""
    position = oracle.start()
    for token in tokens:
        position = None if position is None else oracle.follow(position, token)
    return position


# ---- what can be a checker, and what it is asked


def test_what_can_be_a_checker() -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator({"type": "integer"})
    automaton = constrain.Compiler(WORDS).compile(constrain.regex("a+"))
    kinds = {
        Language: [constrain.regex("a+"), automaton, automaton.matcher()],
        Function: [lambda text: True, str.isascii, ast.literal_eval],
        Json: [validator],
        Product: [[constrain.regex("a"), len], Banned(["a"]) & validator],
        Banned: [Banned(["a"])],
    }
    for kind, values in kinds.items():
        for value in values:
            assert type(as_checker(value, WORDS)) is kind
    for value in (None, "a+", 3, int, {"type": "integer"}):
        with pytest.raises(SpecTypeError, match="is no checker"):
            as_checker(value, WORDS)
    with pytest.raises(SpecTypeError, match="no checkers"):
        as_checker([], WORDS)
    with pytest.raises(SpecTypeError, match=r"f\(text, complete\)"):
        Function(lambda text, complete, more: True)
    with pytest.raises(VocabularyError, match="another vocabulary"):
        as_checker([automaton], BYTES)


def test_functions_are_asked_what_their_signature_says() -> None:
    asked: list[Any] = []

    def both(text: str, complete: bool) -> bool:
        asked.append((text, complete))
        return True

    def keyword(text: str, *, complete: bool = False) -> bool:
        return both(text, complete)

    def one(text: str) -> bool:
        asked.append(text)
        return True

    def raw(data: bytes, complete: bool) -> bool:
        asked.append((data, complete))
        return True

    expected: dict[Any, list[Any]] = {
        both: [("", False), ("é", False), ("é", True)],
        one: ["", "é", "é"],
        raw: [(b"", False), ("é".encode()[:1], False), ("é".encode(), False), ("é".encode(), True)],
    }
    for function, questions in expected.items():
        asked.clear()
        assert read(Oracle(function, WORDS), [4, 5, 8]) is not None
        assert asked == questions
    asked.clear()
    assert Function(keyword).whole("é") and asked.pop() == ("é", True)
    assert Function(raw).whole("é") and asked == [("é".encode(), True)]


def test_characters_that_are_cut() -> None:
    """No text is asked about that ends inside of a character, and none that can be no text."""
    asked: list[str] = []
    oracle = Oracle(lambda text, complete: bool(asked.append(text)) or True, WORDS)
    half = read(oracle, [0, 4])
    assert asked == ["", "a"] and half is not None
    assert not oracle.is_complete(half)
    assert oracle.follow(half, 0) is None and oracle.follow(half, 4) is None
    assert oracle.follow(half, 5).text == "aé"  # type: ignore[union-attr]
    assert asked == ["", "a", "aé"]


def test_tokens_without_text_are_never_proposed_to_text() -> None:
    rng = np.random.default_rng(0)
    oracle = Oracle(lambda text: True, WORDS)
    for _ in range(200):
        token, _ = oracle.draw(oracle.start(), np.log(np.full(12, 1 / 12)), awrs, rng)  # type: ignore[arg-type]
        assert token in {0, 1, 2, 3, 4, 8}


def test_a_special_token_is_for_grammars() -> None:
    spec = constrain.grammar('start: "a" <call> "b"')
    oracle = Oracle([Language(constrain.Compiler(WORDS).compile(spec), prune=False)], WORDS)
    assert read(oracle, [0, 7, 1, 8]) is not None
    assert read(Oracle(lambda text: True, WORDS), [0, 7]) is None


def test_the_space_that_decoding_drops() -> None:
    """A vocabulary whose first space is not in the text: checkers see what users see."""
    from dataclasses import replace

    base = constrain.Vocabulary.from_tokens([b" a", b"a", b" ", None], eos_ids=[3])
    oracle = Oracle(lambda text: not text.startswith(" "), replace(base, strips_leading_space=True))
    assert read(oracle, [0]).text == "a"
    assert read(oracle, [0, 0]).text == "a a"
    assert read(oracle, [2, 0]) is None and read(oracle, [2, 1]).text == "a"
    assert read(oracle, [0, 0, 3]).ended


@pytest.mark.parametrize("prune", [True, False])
def test_an_oracle_accepts_what_its_automaton_does(prune: bool) -> None:
    automaton = constrain.Compiler(BYTES).compile(constrain.regex("(a|bc)*d?"))
    oracle = Oracle(Language(automaton, prune=prune), BYTES)
    rng = random.Random(1)
    for _ in range(30):
        tokens = [ord(c) for c in "".join(rng.choices(["a", "bc", "b", "d"], k=3))]
        matcher = automaton.matcher()
        fits = matcher.accept_tokens(tokens) == len(tokens)
        position = read(oracle, tokens)
        assert (position is not None) == fits
        if position is not None:
            allowed = {t for t in range(257) if oracle.follow(position, t) is not None}
            assert allowed == set(matcher.allowed_token_ids().tolist())
            assert oracle.is_complete(position) == matcher.is_accepting()
    assert (oracle.evaluations > 0) is not prune


def test_a_matcher_in_the_middle() -> None:
    matcher = constrain.Compiler(BYTES).compile(constrain.regex("abc")).matcher()
    matcher.accept_token(ord("a"))
    assert read(Oracle(matcher, BYTES), [*b"bc", 256]) is not None
    matcher.accept_tokens([*b"bc", 256])
    assert Oracle(matcher, BYTES).start() is None


def test_products_ask_cheap_masks_first_and_stop_at_the_first_no() -> None:
    asked: list[str] = []
    logp = np.log(np.full(257, 1 / 257))
    oracle = Oracle([lambda text: bool(asked.append(text)) or True, constrain.regex("[xy]z")], BYTES)
    token, log_weight = oracle.draw(oracle.start(), logp, awrs, np.random.default_rng(0))  # type: ignore[arg-type]
    assert token in b"xy" and set(asked) <= {"", "x", "y"}
    assert oracle.evaluations == 2 and log_weight == pytest.approx(np.log(2 / 257))
    late: list[str] = []
    oracle = Oracle([lambda text: text != "q", lambda text: bool(late.append(text)) or True], BYTES)
    assert read(oracle, [ord("q")]) is None and late == [""]


def test_each_question_is_asked_once() -> None:
    count = [0]

    def checker(text: str, complete: bool) -> bool:
        count[0] += 1
        return True

    oracle = Oracle(checker, BYTES)
    start = oracle.start()
    for _ in range(3):
        assert oracle.follow(start, 65) and oracle.follow(start, 256) and oracle.is_complete(start)  # type: ignore[arg-type]
    assert count[0] == 3 and oracle.evaluations == 2


def test_own_checkers_keep_a_state() -> None:
    class Few(Checker):
        """At most two tokens."""

        def start(self) -> int:
            return 0

        def read(self, state: int, token: int, data: bytes | None) -> int | None:
            return state + 1 if state < 2 else None

        def complete(self, state: int) -> bool:
            return state == 2

    oracle = Oracle(Few() & Banned(["ab"]), WORDS)
    assert read(oracle, [0, 0, 8]) is not None and read(oracle, [0, 0, 0]) is None
    assert read(oracle, [0, 1]) is not None and read(oracle, [0, 1, 8]) is None


# ---- JSON


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES, st.sampled_from([None, 0, 2]), st.booleans())
@examples(150)
def test_json_of_any_value(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    checker = Json()
    assert checker.whole(text)
    assert_law(checker, text)
    if text[-1] in '}"]el':
        assert read_open(text) == value


WHITE_SPACE = re.compile(rb"[ \t]{1,16}|[ \t]{0,16}\n{1,2}[ \t]{0,64}")
"""Runs of white space that the grammar of the library knows. The checker takes any."""


@pytest.fixture(scope="module")
def json_automaton() -> Any:
    return constrain.Compiler(BYTES).compile(constrain.grammar_file("json"))


@given(JSON_VALUES, st.integers(0, 2**32))
@examples(300)
def test_json_near_misses_are_those_of_the_grammar(json_automaton: Any, value: Any, seed: int) -> None:
    """Against the grammar of the library: a text can be completed exactly if the matcher reads all of it."""
    rng = random.Random(seed)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1]))
    for _ in range(rng.randint(1, 3)):
        text = mutated(rng, text, '{}[]",:\\u0129eE+-. \n\ttrufalsn\x01')
    data = text.encode("utf-8", "replace")
    assume(not re.search(rb"\\u[dD][89a-fA-F]", data))  # half of a surrogate pair is no text, but Python reads it
    assume(all(WHITE_SPACE.fullmatch(run) for run in re.findall(rb"[ \t\n]+", data)))
    matcher = json_automaton.matcher()
    reads = matcher.accept_tokens(list(data)) == len(data)
    assert Json().prefix(data.decode()) == reads
    assert Json().whole(data.decode()) == (reads and matcher.is_accepting())


def test_json_with_a_validator() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = {
        "type": "object",
        "properties": {"id": {"$ref": "#/$defs/id"}, "tags": {"type": "array", "items": {"enum": ["x", "y"]}}},
        "required": ["id"],
        "$defs": {"id": {"type": "integer", "minimum": 10}},
    }
    checker = as_checker(jsonschema.Draft202012Validator(schema), BYTES)
    good = ['{"id": 12, "tags": ["x", "y"]}', '{"tags": [], "id": 10}', ' {"other": [1, {"id": "a"}], "id": 11} ']
    for text in good:
        assert checker.whole(text)  # type: ignore[attr-defined]
        assert_law(checker, text)  # type: ignore[arg-type]
    for text in ("[", '"a', "1", '{"id": 3,', '{"tags": ["x", "z"', '{"tags": 3', '{"tags": {', '{"id": 3}'):
        assert not checker.prefix(text), text  # type: ignore[attr-defined]
    assert not checker.whole("{}") and checker.prefix("{")  # type: ignore[attr-defined]


@given(JSON_VALUES)
@examples(150)
def test_validators_lose_nothing_that_is_valid(value: Any) -> None:
    """Whatever the schema says: valid values can be written to their end."""
    jsonschema = pytest.importorskip("jsonschema")
    schemas: list[Any] = [
        {"items": {"type": "integer"}, "properties": {"a": False}},
        {"prefixItems": [{"type": "string"}, {"minimum": 1}], "items": {"type": ["boolean", "null"]}},
        {
            "anyOf": [{"items": {"type": "string"}}, {"items": {"type": "number"}}],
            "type": ["array", "object", "number"],
        },
        {"not": {"properties": {"": {"type": "integer"}}, "type": "object"}},
    ]
    for schema in schemas:
        for kind in (jsonschema.Draft202012Validator, jsonschema.Draft7Validator):
            checker = Json(kind(schema))
            assert_law(checker, json.dumps(value))


def test_json_with_a_function_of_the_value() -> None:
    checker = Json(lambda value: isinstance(value, list) and sum(value) == 6)
    assert checker.whole("[1, 2, 3]") and not checker.whole("[1, 2]") and not checker.whole("[1,")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300,
        "1" * 5000 + ",",
        "[NaN",
        "Infinity",
        "'a'",
        '{"a" 1',
        "[1 2",
        "{1",
        '"\\x',
        '"\t',
        "01",
        "1.]",
        "[,",
        "]",
        "{,",
    ],
)
def test_what_no_json_text_begins_with(text: str) -> None:
    with pytest.raises(NotJson):
        read_open(text + "  " if text[-1].isdigit() else text)
    assert not Json().whole(text)


# ---- Python


def segments(count: int) -> list[str]:
    """Statements of the standard library."""
    rng = random.Random(4)
    files = sorted(Path(ast.__file__).parent.glob("*.py"))
    found = []
    for file in rng.sample(files, runs(60)):
        source = file.read_text("utf-8", "replace")
        for node in ast.parse(source).body:
            text = ast.get_source_segment(source, node) or ""
            if 20 < len(text) < 1500:
                found.append(text)
    return rng.sample(found, count)


def test_python_of_the_standard_library() -> None:
    checker, rng = Python(), random.Random(2)
    for text in segments(runs(120)):
        assert checker.whole(text)
        for end in sorted(rng.choices(range(len(text) + 1), k=12)):
            assert checker.prefix(text[:end]), text[:end]


STATEMENTS = [
    "x = 1if y else .5e-3j",
    "print(f'{a!r:>{w}}', rb'\\x00', '''a\n''', sep=\"\")",
    "if x:\n    a\nelif y is not z:\n  b\nelse:\n\n  # done\n  c",
    "match p:\n case [1, *_] | {'a': b, **c}: pass",
    "lambda x, /, *, y: (yield)",
    "async def f(a: int = ..., *b) -> None:\n\tawait c; return",
    "try:\n a\nexcept* E as e: raise\nfinally: pass",
    "@d.e\nclass C(B, m=1): x: int = 0x_f",
    "a[b:c, ::d] @= e if not f != g else h // -i ** j",
    "with (a as b, c): pass\nwhile (n := 3) <= 4: continue",
    "x = '' '' 'a' # c",
    "global a\r\ndel b\rassert c",
    "x = \\\n 3",
    "naïve = 'é'",
    "type_ = {**a, 'b': [*c for c in d]}" if sys.version_info >= (3, 15) else "t = {**a, 'b': [c for c in d]}",
]


@pytest.mark.parametrize("text", STATEMENTS)
def test_python_statements(text: str) -> None:
    assert Python().whole(text)
    assert_law(Python(), text)


@given(st.sampled_from(STATEMENTS), st.integers(0, 2**32))
@examples(300)
def test_python_near_statements(text: str, seed: int) -> None:
    """Whatever the parser reads can be written: also what comes of changing a few characters."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        text = mutated(rng, text, "()[]{}:=.,'\"\\\n #xif1e+-*@!é\t")
    if "\x00" not in text:
        assert_law(Python(), text)


def test_python_that_goes_nowhere() -> None:
    for text in (
        "f(a]", "a b ", "for x y", "x = = ", "  x", "if x:\ny", "f() = 3 ", "1 = x", "def 3", "return = ", "'a\nb",
        "class class ", "else ", "x = 5 y", "import 3", "a\x00", "if x:\n    a\n  b", "(" * 300, "x = $", "print 'a'",
    ):  # fmt: skip
        assert not Python().prefix(text), text
    assert not Python().whole("for x in") and not Python().whole("a\x00") and not Python().whole("(" * 300)


# ---- SQL


SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INT);
CREATE TABLE orders (id INTEGER, user_id INT, total REAL, placed TEXT);
"""
QUERIES = [
    "SELECT name FROM users",
    "SELECT count(*) AS n, name FROM users GROUP BY name HAVING n > 1 ORDER BY n DESC LIMIT 3;",
    "SELECT users.name, orders.total FROM users JOIN orders ON users.id = orders.user_id WHERE total > 1.5e3",
    "SELECT name FROM users WHERE name LIKE 'A%' AND age BETWEEN 3 AND 5 OR id IN (SELECT user_id FROM orders)",
    'select "name", [age], `id` from users -- hi\nwhere id<>3',
    "SELECT CASE WHEN age>3 THEN 'x''y' ELSE NULL END label FROM users u WHERE u.age != 0x1F",
    "SELECT name FROM users UNION SELECT placed FROM orders",
    "SELECT avg(total) FROM orders WHERE placed>='2020' /* c */ AND x'ab' IS NOT NULL",
    "WITH t AS (SELECT name FROM users) SELECT * FROM t",
    "SELECT DISTINCT age||name FROM users WHERE age IS DISTINCT FROM id ORDER BY 1",
    "SELECT date('now'), cast(age AS TEXT), rowid FROM users WHERE (age + 1) * 2 > (3)",
    "SELECT total FROM users, orders WHERE users.id = user_id AND exists (SELECT 1 FROM users WHERE age = 1)",
]


@pytest.mark.parametrize("text", QUERIES)
def test_sql_queries(text: str) -> None:
    assert Sql(SCHEMA).whole(text)
    for checker in (Sql(SCHEMA), Sql(SCHEMA, aliases=True)):
        assert_law(checker, text)
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    database.execute(text)  # and it runs


@given(st.sampled_from(QUERIES), st.integers(0, 2**32))
@examples(300)
def test_sql_near_queries(text: str, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        text = mutated(rng, text, "()*,.;='\"<>! nameidtolFROWHE10-/")
    for checker in (Sql(SCHEMA), Sql(SCHEMA, aliases=True)):
        assert_law(checker, text)


def test_sql_names_have_to_be_there() -> None:
    checker = Sql(SCHEMA)
    for text in (
        "SELECT nosuch", "SELECT nam FROM", "SELECT name FROM user ", "SELECT name FROM cities",
        "SELECT age FROM orders WHERE ", "SELECT total FROM orders WHERE name = ",
        "SELECT name FROM users WHERE (total", "SELECT sleep(", "SELECT x.name", "SELECT users.total FROM users WHERE ",
    ):  # fmt: skip
        assert not checker.prefix(text + (" " if text[-1].isalpha() else "")), text
    aliased = "SELECT u.name, o.total FROM users AS u JOIN orders o ON u.id = o.user_id WHERE o.total > 3"
    assert Sql(SCHEMA, aliases=True).whole(aliased) and not checker.whole(aliased)
    assert_law(Sql(SCHEMA, aliases=True), aliased)


def test_sql_that_goes_nowhere() -> None:
    checker = Sql(SCHEMA)
    for text in (
        "DROP ", "PRAGMA ", "SELECT FROM ", "SELECT name name name ", "SELECT name FROM users; SELECT ",
        "SELECT (name]", "SELECT ? ", "SELECT 1 \x00", "INSERT ", "SELECT name FROM users WHERE WHERE ", "name",
        "SELECT 1; x",
    ):  # fmt: skip
        assert not checker.prefix(text), text
    assert not checker.whole("") and not checker.whole("-- only a comment")
    assert Sql(SCHEMA, statements=["insert"]).whole("INSERT INTO users (name) VALUES ('x')")


def test_sql_prepares_and_never_runs(tmp_path: Path) -> None:
    checker = Sql(SCHEMA, statements=["insert", "delete", "pragma", "attach", "select"])
    assert checker.whole("INSERT INTO users (name) VALUES ('x')")
    assert checker._database.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert not checker.whole(f"ATTACH '{tmp_path}/x.db' AS other") and not list(tmp_path.iterdir())
    assert not checker.whole("PRAGMA user_version = 3")


def test_sql_schema_of_a_database() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA + "CREATE VIEW old AS SELECT name AS who FROM users WHERE age > 60;")
    checker = Sql(database)
    assert checker.whole("SELECT who FROM old") and not checker.whole("SELECT whom FROM old")
    with pytest.raises(ConstrainError, match="does not take the schema"):
        Sql("CREATE TABEL x")


# ---- patterns and words


@given(st.text("abc ", max_size=12))
def test_patterns_with_backreferences(text: str) -> None:
    pytest.importorskip("regex")
    checker = Pattern(r"([abc]+) \1( [abc]{2})*")
    assert checker.whole(text) == (re.fullmatch(r"([abc]+) \1( [abc]{2})*", text) is not None)
    assert_law(checker, text)


def test_a_pattern_that_does_not_parse() -> None:
    pytest.importorskip("regex")
    with pytest.raises(GrammarSyntaxError, match="Pattern"):
        Pattern("(a")


@given(st.text("abcé -", max_size=10), st.lists(st.text("abcé-", min_size=1, max_size=3), min_size=1, max_size=4))
@examples(500)
def test_banned_words_by_definition(text: str, words: list[str]) -> None:
    """A text can go on if nothing, or some character behind it, leaves no word in it."""

    def clean(text: str) -> bool:
        spans = [(i, i + len(word)) for word in words for i in range(len(text)) if text.startswith(word, i)]
        inner = re.compile(r"\w")
        return not any(
            not inner.match(text[i - 1 : i] if i else "") and not inner.match(text[j : j + 1]) for i, j in spans
        )

    checker = Banned(words)
    assert checker.whole(text) == clean(text)
    assert checker.prefix(text) == (clean(text) or clean(text + "x"))


def test_banned_phrases() -> None:
    checker = Banned(["new york", "Rome"])
    assert not checker.whole("in New   York!") and not checker.prefix("ROME ")
    assert checker.whole("newyork, Romeo") and checker.prefix("rome")
    for words in ([], [""], [3]):
        with pytest.raises(SpecTypeError, match="Banned"):
            Banned(words)  # type: ignore[arg-type]


def test_errors_of_checkers_name_the_text() -> None:
    def broken(text: str, complete: bool) -> bool:
        raise KeyError("x")

    with pytest.raises(CheckerError, match=r"broken raised KeyError about b'': 'x'"):
        Oracle(broken, BYTES).start()
