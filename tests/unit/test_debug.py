"""`python -m constrain.debug why`: items as dotted rules, and the bit of a mask beside what reading the token says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import constrain
from constrain.debug.__main__ import main
from constrain.engine.show import items, ways
from constrain.engine.space import EarleySpace

BYTES = constrain.Vocabulary.from_tokens([*[bytes([b]) for b in range(256)], b"a)", b"b]", None], eos_ids=[258])


def space_of(spec: constrain.Spec) -> EarleySpace:
    space = constrain.Compiler(BYTES).compile(spec).space
    assert isinstance(space, EarleySpace)
    return space


def test_items_are_dotted_rules() -> None:
    session = space_of(constrain.grammar('start: "(" start ")" | NAME\nNAME: /[a-z]+/')).session
    state, _ = session.read(session.start, b"((a")
    assert items(session, state) == [
        '")" · end of the rule; returns to · ")"',
        'NAME · end of the rule; returns to · ")"',
    ]


def test_inner_and_boundary_tokens() -> None:
    session = space_of(constrain.grammar('start: "(" start ")" | NAME\nNAME: /[a-z]+/')).session
    state, _ = session.read(session.start, b"(")
    (name,) = [way for way in ways(session, state, b"a)") if way.item.startswith("NAME")]
    assert (name.allowed, name.reads, name.ends) == (True, 2, (1,))
    (name,) = [way for way in ways(session, state, b"b]") if way.item.startswith("NAME")]
    assert (name.allowed, name.reads, name.ends) == (False, 1, (1,))


def test_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"properties": {"ab": {"type": "string", "maxLength": 9}}, "required": ["ab"]}))
    assert main(["why", "--schema", str(schema), "--prefix", '{"ab": "x', "--token", '"']) == 0
    shown = capsys.readouterr().out
    assert "{0,8 characters}" in shown and "inner token" in shown and "they agree" in shown
    assert main(["why", "--schema", str(schema), "--prefix", '{"ab": "x', "--token", "10"]) == 0
    shown = capsys.readouterr().out
    assert "dies at byte 0" in shown and "bit of the mask: 0" in shown


def test_a_prefix_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "--regex", "ab", "--prefix", "b", "--token", "b"]) == 2
    assert "refused at byte 0" in capsys.readouterr().err
