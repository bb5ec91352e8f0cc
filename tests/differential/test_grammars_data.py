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

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library import accepts, alphabet, altered, assert_enough_examples, assert_reasons, is_read, rows, walk
from strategies import examples

MOST = 400
"""Characters of the examples that texts are made from."""


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


@pytest.mark.parametrize("name", READERS)
def test_examples(name: str) -> None:
    """Grammar and parser accept the accepted examples and reject the others, but where the grammar is narrower."""
    for row in rows(name):
        text = str(row["text"])
        assert accepts(name, text) is row["accepted"], row
        assert is_read(READERS[name], text) is (row["accepted"] or row.get("narrower", False)), row


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
    for text in walk(random.Random(seed), name, MOST, set(alphabet(name, MOST).encode()) - {*range(0x80, 0x100)}):
        assert is_read(READERS[name], text), text
