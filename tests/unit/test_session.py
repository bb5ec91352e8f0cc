"""Sessions: what they make of the statuses of units."""

from __future__ import annotations

import json

import pytest

from constrain import Compiler, LimitExceeded, Vocabulary, allocate_bitmask, json_schema
from constrain.automata import tables as automata
from constrain.engine import intersect_tables, longest_tables
from constrain.engine import tables as engine


def test_no_two_statuses_are_one_number() -> None:
    """A session would mend the wrong thing, and ask again for ever."""
    of_automata = [automata.FULL, automata.EXCEEDED, automata.TOO_MANY, automata.UNSUPPORTED]
    needs = [
        value
        for module in (engine, longest_tables)
        for name, value in vars(module).items()
        if name.startswith("NEED_") and isinstance(value, int)
    ]
    others = [intersect_tables.NEED_COST, intersect_tables.AGAIN, intersect_tables.TOO_MUCH]
    assert len(needs) == len(set(needs)) >= 7
    assert len({*of_automata, *needs, *others}) == len(of_automata) + len(needs) + len(others)
    assert max(of_automata + needs + others) < 16


def test_a_language_beyond_the_limits_is_said() -> None:
    host = r"^(?!.*://)(?=.{1,255}$)((.{1,63}\.){1,127}(?![0-9]*$)[a-z0-9-]+\.?)$"
    vocabulary = Vocabulary.from_tokens([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    schema = {"type": "object", "properties": {"host": {"type": "string", "pattern": host}}, "required": ["host"]}
    matcher = Compiler(vocabulary).compile(json_schema(schema)).matcher()
    mask = allocate_bitmask(1, vocabulary.size)
    with pytest.raises(LimitExceeded, match="repetitions that begin and end in many ways"):
        for byte in json.dumps({"host": "a." * 60 + "a"}).encode():
            matcher.fill_bitmask(mask)
            assert matcher.accept_token(byte)
