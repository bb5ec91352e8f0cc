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

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library import accepts, alphabet, altered, assert_enough_examples, assert_reasons, is_read, rows, walk
from strategies import examples

MOST = 800
"""Characters of the examples that texts are made from."""

SQLITE_SYNTAX = re.compile("syntax error|incomplete input|unrecognized token|clause should come")


def read_sql(text: str) -> None:
    """One statement for sqlglot, and for SQLite, whose complaints about tables and columns are no matter of syntax."""
    sqlglot = pytest.importorskip("sqlglot")
    exp = sqlglot.exp
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
    esprima = pytest.importorskip("esprima")
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


@pytest.mark.parametrize("name", READERS)
def test_examples(name: str) -> None:
    """Grammar and parsers accept the accepted examples and reject the others, but where the grammar is narrower."""
    for row in rows(name):
        text = str(row["text"])
        assert accepts(name, text) is row["accepted"], row
        if name != "javascript" or not ("?." in text or "??" in text):
            assert is_read(READERS[name], text) is (row["accepted"] or row.get("narrower", False)), row


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
    assert_enough_examples(name)
    assert_reasons(name)


@pytest.mark.parametrize("name", READERS)
@examples(150)
@given(seed=st.integers(0, 2**32))
def test_mutations(name: str, seed: int) -> None:
    """Examples with a few characters changed, and pieces of two of them joined: what the grammar accepts, is read."""
    text = altered(random.Random(seed), name, MOST, alphabet(name, MOST))
    assert not accepts(name, text) or is_read(READERS[name], text), text


@pytest.mark.parametrize("name", READERS)
@examples(30)
@given(seed=st.integers(0, 2**32))
def test_walks(name: str, seed: int) -> None:
    """From somewhere in an example, go on with allowed bytes: there always is one, and where the end is allowed, the
    text so far is read."""
    for text in walk(
        random.Random(seed), name, MOST, {byte for byte in alphabet(name, MOST).encode() if 0x20 < byte < 0x7F}
    ):
        assert is_read(READERS[name], text), text
