"""The grammars sql, python, javascript and arithmetic, against parsers of these languages.

A grammar may be narrower than the parsers, never wider: whatever it accepts, all of them read.
"""

from __future__ import annotations

import ast
import json
import random
import re
import shutil
import sqlite3
import subprocess
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import esprima
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp
from strategies import examples, mutated

import constrain

FOLDER = Path(__file__).resolve().parents[2] / "grammars"
EOS = 256

Row = dict[str, str | bool]

SQLITE_SYNTAX = re.compile("syntax error|incomplete input|unrecognized token|clause should come")


def read_sql(text: str) -> None:
    """One statement for sqlglot, and for SQLite, whose complaints about tables and columns are no matter of syntax."""
    statements = [part for part in sqlglot.parse(text) if not isinstance(part, exp.Semicolon)]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query | exp.DML):
        raise ValueError("not one statement")
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("EXPLAIN " + text)
    except sqlite3.ProgrammingError as error:
        if "bindings" not in str(error):
            raise
    except sqlite3.OperationalError as error:
        if SQLITE_SYNTAX.search(str(error)):
            raise
    finally:
        connection.close()


def read_python(text: str) -> None:
    """No context-free grammar sees that a name comes twice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<text>", "exec", dont_inherit=True)
    except SyntaxError as error:
        if not re.match("keyword argument repeated|duplicate argument", error.msg):
            raise


def as_script(text: str) -> str:
    """A script of strict mode in whose middle the text must be one expression, without a comma outside of brackets."""
    return f'"use strict"; (x ?\n{text}\n: 0)'


def read_javascript(text: str) -> None:
    """esprima knows neither ?. nor ??, and wants no brackets before **; and no grammar sees that a name comes twice."""
    if "?." in text or "??" in text:
        return
    try:
        esprima.parseScript(as_script(text))
    except esprima.Error as error:
        power = str(error).endswith("Unexpected token **") and re.search(r"\)\s*\*\*", text)
        if not power and "duplicate" not in str(error):
            raise


ARITIES: dict[str, Iterable[int]] = {
    **dict.fromkeys("sqrt abs exp floor ceil sin cos tan asin acos atan".split(), (1,)),
    **dict.fromkeys("atan2 hypot".split(), (2,)),
    **dict.fromkeys("round log".split(), (1, 2)),
    **dict.fromkeys("min max".split(), range(2, 1_000)),
}


def read_arithmetic(text: str) -> None:
    """An expression of Python that is made of nothing but what the grammar speaks of."""
    todo: list[ast.AST] = [ast.parse(text, mode="eval").body]
    while todo:
        match todo.pop():
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), right):
                todo += [left, right]
            case ast.UnaryOp(ast.USub(), operand):
                todo.append(operand)
            case ast.Call(ast.Name(name), args, []) if len(args) in ARITIES.get(name, ()):
                todo += args
            case ast.Name("pi" | "e"):
                pass
            case ast.Constant(value) if type(value) in (int, float):
                pass
            case node:
                raise ValueError(ast.dump(node))


READERS: dict[str, Callable[[str], object]] = {
    "sql": read_sql,
    "python": read_python,
    "javascript": read_javascript,
    "arithmetic": read_arithmetic,
}


def is_read(name: str, text: str) -> bool:
    """Whether the parsers read the text: they have many kinds of errors."""
    try:
        READERS[name](text)
    except Exception:
        return False
    return True


@cache
def rows(name: str) -> tuple[Row, ...]:
    lines = (FOLDER / f"{name}.examples.jsonl").read_text("utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@cache
def texts(name: str, accepted: bool, most: int = 800) -> tuple[str, ...]:
    """The examples of so many characters at most."""
    return tuple(
        str(row["text"]) for row in rows(name) if row["accepted"] is accepted and len(str(row["text"])) <= most
    )


@cache
def alphabet(name: str) -> str:
    """The characters of the short examples, and a few that some languages do not allow."""
    return "".join(sorted({*"".join(texts(name, True) + texts(name, False)), *"\x00\t\r\x7f\x85\u2028\ufeff\uffff"}))


@cache
def automaton(name: str) -> constrain.TokenAutomaton:
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)] + [None], eos_ids=[EOS])
    return constrain.Compiler(vocab).compile(constrain.grammar_file(name))


def accepts(name: str, text: str) -> bool:
    return automaton(name).accepts(list(text.encode()))


@pytest.mark.parametrize("name", READERS)
def test_examples(name: str) -> None:
    """Grammar and parsers accept the accepted examples and reject the others, but where the grammar is narrower."""
    for row in rows(name):
        text = str(row["text"])
        assert accepts(name, text) is row["accepted"], row
        if name != "javascript" or not ("?." in text or "??" in text):
            assert is_read(name, text) is (row["accepted"] or row.get("narrower", False)), row


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_javascript_examples_in_node() -> None:
    """Node knows all of the language, but is not everywhere."""
    script = """
        const { Script } = require("vm");
        const reads = text => { try { new Script(text); return true } catch { return false } };
        console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(reads)));
    """
    written = json.dumps([as_script(str(row["text"])) for row in rows("javascript")])
    done = subprocess.run(["node", "-e", script], input=written, capture_output=True, encoding="utf-8", check=True)
    for row, read in zip(rows("javascript"), json.loads(done.stdout), strict=True):
        assert read is (row["accepted"] or row.get("narrower", False)), row


@pytest.mark.parametrize("name", READERS)
def test_there_are_enough_examples(name: str) -> None:
    """22 accepted, 2 of them long, and 15 rejected: each for a reason, and most because the language says so."""
    accepted, rejected = texts(name, True, 12_000), texts(name, False)
    assert len(set(accepted)) >= 22 and len(set(rejected)) >= 15
    assert sum(6_000 <= len(text) for text in accepted) >= 2
    assert all(row["note"] for row in rows(name) if not row["accepted"])
    assert sum(not row.get("narrower") for row in rows(name) if not row["accepted"]) >= 15


@pytest.mark.parametrize("name", READERS)
@examples(150)
@given(seed=st.integers(0, 2**32))
def test_mutations(name: str, seed: int) -> None:
    """Examples with a few characters changed, and pieces of two of them joined: what the grammar accepts, is read."""
    rng = random.Random(seed)
    text, other = rng.choices(texts(name, True) + texts(name, False), k=2)
    if rng.random() < 0.3:
        text = text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]
    for _ in range(rng.randint(0, 3)):
        text = mutated(rng, text, alphabet(name))
    if accepts(name, text):
        READERS[name](text)


@pytest.mark.parametrize("name", READERS)
@examples(30)
@given(seed=st.integers(0, 2**32))
def test_walks(name: str, seed: int) -> None:
    """From somewhere in an example, go on with allowed bytes: there always is one, and where the end is allowed, the
    text so far is read."""
    rng = random.Random(seed)
    start = rng.choice(texts(name, True))
    path = list(start[: rng.randint(0, len(start))].encode())
    matcher = automaton(name).matcher()
    assert matcher.accept_tokens(path) == len(path)
    common = {byte for byte in alphabet(name).encode() if 0x20 < byte < 0x7F}
    for _ in range(40):
        allowed = [int(token) for token in matcher.allowed_token_ids()]
        assert allowed, bytes(path)
        assert (EOS in allowed) is matcher.is_accepting()
        if EOS in allowed:
            READERS[name](bytes(path).decode())
            allowed.remove(EOS)
        if not allowed:
            break
        path.append(rng.choice([byte for byte in allowed if byte in common] or allowed))
        assert matcher.accept_token(path[-1])
