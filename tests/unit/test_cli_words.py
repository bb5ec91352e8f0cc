"""The command line, words and lengths: `--include`, `--words 5..12`, `--rei`, alone and beside other constraints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("arguments", "good", "bad"),
    [
        (["--include", "lazy dog"], "a lazy dog", "a lazy cat"),
        (["--include", "run|ran", "--exclude", "cat"], "he ran", "he sat"),
        (["--include", "a||b"], "a|b", "a"),
        (["--include", "art", "--whole-words", "--ignore-case"], "ART!", "start"),
        (["--include", "a", "--include", "b", "--ordered"], "xaxb", "ba"),
        (["--words", "2..3"], "one two", "one"),
        (["--chars", "3"], "日本語", "日本"),
        (["--chars", "..2"], "ab", "abc"),
        (["--sentences", "2.."], "It is. It was. It will be.", "It is."),
        (["--paragraphs", "2"], "a\n\nb", "a\nb"),
        (["--rei", "<mask_0> lazy dog(0) <length=3>"], "one lazy dog", "a very lazy dog"),
        (["--regex", "[a-z ]+", "--include", "dog", "--words", "2"], "a dog", "A dog"),
        (["--grammar", "json", "--include", "dog", "--chars", "5..9"], '["dog"]', '["cat"]'),
    ],
)
def test_texts(arguments: list[str], good: str, bad: str) -> None:
    assert run_json("match", *arguments, good)["result"] == "match"
    assert run_json("match", *arguments, bad, code=1)["result"] in ("rejected", "incomplete")


def test_beside_a_schema(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps(SCHEMA), encoding="utf-8")
    asked = ("--schema", file, "--include", "dog", "--chars", "..20")
    assert run_json("match", *asked, '{"a": "a dog"}')["result"] == "match"
    assert run_json("match", *asked, '{"a": "a cat"}', code=1)["result"] == "rejected"
    assert run_json("check", *asked)["ok"] is True
    trace = run("match", *asked, '{"a": "a dog"}', "--trace")
    assert trace.exit_code == 0 and trace.stdout.endswith("match\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--words", "x"], "'x' is no number and no range such as 5..12"),
        (["--words", ".."], "is no number and no range"),
        (["--words", "5...6"], "is no number and no range"),
        (["--ordered", "--words", "3"], "--ordered is for --include"),
        (["--whole-words", "--words", "3"], "--whole-words is for --include and --exclude"),
        (["--tokens", "3"], "a text alone has no tokens"),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    result = run("match", *arguments, "text")
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--include", "concat", "--exclude", "cat"], "holds 'cat', which is banned"),
        (["--include", ""], "the empty phrase"),
        (["--words", "5..3"], "no number is at least 5 and at most 3"),
        (["--words", "9", "--chars", "5"], "9 words take 17 chars or more"),
        (["--rei", "<mask_1>"], "<mask_0> comes next"),
        (["--regex", "[0-9]+", "--include", "a"], "no text at all meets"),
    ],
)
def test_what_cannot_be_met(arguments: list[str], message: str) -> None:
    found = run_json("check", *arguments, code=1)
    assert not found["ok"] and message in found["error"]["message"]


def test_masks() -> None:
    result = run_json("mask", "--chars", "3", "--include", "ab", "--prefix", "a")
    assert {"b", "ab"} <= {token["text"] for token in result["tokens"]}


@needs_embedded_model
def test_generate() -> None:
    asked = ("--include", "lazy dog", "--exclude", "the", "--words", "5..12", "--sentences", "1", "--tokens", "5..40")
    result = run_json("generate", *asked, "--prompt", "Once upon a time ")
    text = result["outputs"][0]["text"]
    assert "lazy dog" in text and "the" not in text
    assert 5 <= sum(1 for word in text.split() if re.search(r"\w", word)) <= 12
    assert result["outputs"][0]["finish_reason"] in ("complete", "closed")
    assert 5 <= len(result["outputs"][0]["tokens"]) <= 40
