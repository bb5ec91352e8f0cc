"""The grammars json, csv, toml, yaml, xml, graphql and regex, against parsers of these languages.

A grammar may be narrower than the parser, never wider: whatever it accepts, the parser reads.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import tomllib
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples, mutated

import constrain

FOLDER = Path(__file__).resolve().parents[2] / "grammars"
EOS = 256

Row = dict[str, str | bool]


def read_csv(text: str) -> None:
    """RFC 4180 wants as many fields on every line; that names are not empty is the grammar's own rule."""
    header, *records = csv.reader(io.StringIO(text, newline=""), strict=True)
    if not header or not all(header) or any(len(record) != len(header) for record in records):
        raise ValueError("fields and names do not match")


def read_toml(text: str) -> None:
    """No context-free grammar sees that something is defined twice."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if not re.match("Cannot (declare|overwrite|mutate|redefine)|Duplicate inline table key", str(error)):
            raise


def read_yaml(text: str) -> None:
    pytest.importorskip("yaml").safe_load(text)


def read_xml(text: str) -> None:
    ElementTree.fromstring(f"<root>{text}</root>")


def read_graphql(text: str) -> None:
    pytest.importorskip("graphql").parse(text)


def read_regex(text: str) -> None:
    """Without warnings, too: `re` warns of syntax whose meaning may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        re.compile(text)


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "csv": read_csv,
    "toml": read_toml,
    "yaml": read_yaml,
    "xml": read_xml,
    "graphql": read_graphql,
    "regex": read_regex,
}


def is_read(name: str, text: str) -> bool:
    """Whether the parser reads the text: they have many kinds of errors."""
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
def texts(name: str, accepted: bool) -> tuple[str, ...]:
    return tuple(str(row["text"]) for row in rows(name) if row["accepted"] is accepted)


@cache
def alphabet(name: str) -> str:
    """The characters of the short examples, and a few that some languages do not allow."""
    short = (text for text in texts(name, True) + texts(name, False) if len(text) <= 400)
    return "".join(sorted({*"".join(short), *"\x00\t\r\x7f\x85\u2028\ufeff\uffff"}))


@cache
def automaton(name: str) -> constrain.TokenAutomaton:
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)] + [None], eos_ids=[EOS])
    return constrain.Compiler(vocab).compile(constrain.grammar_file(name))


def accepts(name: str, text: str) -> bool:
    return automaton(name).accepts(list(text.encode()))


@pytest.mark.parametrize("name", READERS)
def test_examples(name: str) -> None:
    """Grammar and parser accept the accepted examples and reject the others, but where the grammar is narrower."""
    for row in rows(name):
        text = str(row["text"])
        assert accepts(name, text) is row["accepted"], row
        assert is_read(name, text) is (row["accepted"] or row.get("narrower", False)), row


@pytest.mark.parametrize("name", READERS)
def test_there_are_enough_examples(name: str) -> None:
    """22 accepted, 2 of them long, and 15 rejected: each for a reason, and most because the language says so."""
    accepted, rejected = texts(name, True), texts(name, False)
    assert len(set(accepted)) >= 22 and len(set(rejected)) >= 15
    assert sum(6_000 <= len(text) <= 12_000 for text in accepted) >= 2
    assert all(row["note"] for row in rows(name) if not row["accepted"])
    assert sum(not row.get("narrower") for row in rows(name) if not row["accepted"]) >= 15


@pytest.mark.parametrize("name", READERS)
@examples(150)
@given(seed=st.integers(0, 2**32))
def test_mutations(name: str, seed: int) -> None:
    """Examples with a few characters changed, and pieces of two of them joined: what the grammar accepts, is read."""
    rng = random.Random(seed)
    short = [text for text in texts(name, True) + texts(name, False) if len(text) <= 400]
    text = rng.choice(short)
    if rng.random() < 0.3:
        other = rng.choice(short)
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
    start = rng.choice([text for text in texts(name, True) if len(text) <= 400])
    path = list(start[: rng.randint(0, len(start))].encode())
    matcher = automaton(name).matcher()
    assert matcher.accept_tokens(path) == len(path)
    common = set(alphabet(name).encode()) - {*range(0x80, 0x100)}
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
