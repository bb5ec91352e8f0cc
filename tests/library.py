"""The grammars of the library as the tests of all of them use them: examples, texts near them, and what is accepted."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from strategies import mutated

import constrain

Row = dict[str, str | bool]

_FOLDER = Path(__file__).resolve().parents[1] / "grammars"
_EOS = 256


@cache
def rows(name: str) -> tuple[Row, ...]:
    """The examples of a grammar, as they stand in its file."""
    lines = (_FOLDER / f"{name}.examples.jsonl").read_text("utf-8").splitlines()
    return tuple(json.loads(line) for line in lines)


@cache
def texts(name: str, accepted: bool, most: int = 1 << 20) -> tuple[str, ...]:
    """The examples of so many characters at most."""
    found = [str(row["text"]) for row in rows(name) if row["accepted"] is accepted]
    return tuple(text for text in found if len(text) <= most)


@cache
def alphabet(name: str, most: int) -> str:
    """The characters of the short examples, and a few that some languages do not allow."""
    short = texts(name, True, most) + texts(name, False, most)
    return "".join(sorted({*"".join(short), *"\x00\t\r\x7f\x85\u2028\ufeff\uffff"}))


@cache
def automaton(name: str) -> constrain.TokenAutomaton:
    """The grammar over single bytes."""
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)] + [None], eos_ids=[_EOS])
    return constrain.Compiler(vocab).compile(constrain.grammar_file(name))


def accepts(name: str, text: str) -> bool:
    """Whether the grammar accepts a text."""
    return automaton(name).accepts(list(text.encode()))


def is_read(read: Callable[[str], object], text: str) -> bool:
    """Whether a parser reads a text: they have many kinds of errors."""
    try:
        read(text)
    except Exception:
        return False
    return True


def altered(rng: random.Random, name: str, most: int, characters: str) -> str:
    """An example of at most so many characters with a few of them changed, or pieces of two joined, or both."""
    text, other = rng.choices(texts(name, True, most) + texts(name, False, most), k=2)
    if rng.random() < 0.3:
        text = text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]
    for _ in range(rng.randint(0, 3)):
        text = mutated(rng, text, characters)
    return text


def walk(rng: random.Random, name: str, most: int, common: set[int]) -> Iterator[str]:
    """From somewhere in an example, go on with allowed bytes, of which there always are some: the texts accepted."""
    start = rng.choice(texts(name, True, most))
    path = list(start[: rng.randint(0, len(start))].encode())
    matcher = automaton(name).matcher()
    assert matcher.accept_tokens(path) == len(path)
    for _ in range(40):
        allowed = [int(token) for token in matcher.allowed_token_ids()]
        assert allowed, bytes(path)
        assert (_EOS in allowed) is matcher.is_accepting()
        if _EOS in allowed:
            yield bytes(path).decode()
            allowed.remove(_EOS)
        if not allowed:
            break
        path.append(rng.choice([byte for byte in allowed if byte in common] or allowed))
        assert matcher.accept_token(path[-1])


def assert_enough_examples(name: str) -> None:
    """22 accepted, 2 of them long, and 15 short ones rejected."""
    accepted, rejected = texts(name, True, 12_000), texts(name, False, 800)
    assert len(set(accepted)) >= 22 and len(set(rejected)) >= 15
    assert sum(6_000 <= len(text) for text in accepted) >= 2


def assert_reasons(name: str) -> None:
    """Each text is rejected for a reason, and at least 15 because the language says so."""
    rejected = [row for row in rows(name) if not row["accepted"]]
    assert all(row["note"] for row in rejected)
    assert sum(not row.get("narrower") for row in rejected) >= 15
