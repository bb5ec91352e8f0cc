"""`constrain generate --beams`."""

from __future__ import annotations

import re

import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped

PROMPT = ["--prompt", "The meeting is on "]
DATE = ["--regex", "[0-9]{4}-(0[1-9]|1[0-2])"]


@needs_embedded_model
def test_the_best_texts_come_first() -> None:
    outputs = run_json("generate", *PROMPT, *DATE, "--beams", "4", "--num", "3")["outputs"]
    texts = [output["text"] for output in outputs]
    assert len(set(texts)) == 3 and all(re.fullmatch(DATE[1], text) for text in texts)
    scores = [output["stats"]["score"] for output in outputs]
    assert scores == sorted(scores, reverse=True)


@needs_embedded_model
def test_without_a_constraint_it_is_the_search_of_the_model() -> None:
    (output,) = run_json("generate", *PROMPT, "--beams", "3", "-n", "8", code=1)["outputs"]
    assert output["finish_reason"] == "length" and len(output["tokens"]) == 8


@needs_embedded_model
def test_what_cannot_end_in_time_says_so() -> None:
    result = run("generate", *PROMPT, "--regex", "[0-9]{50}", "--beams", "2", "-n", "5")
    assert result.exit_code == 1 and "cut short after 5 tokens" in result.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--beams", "0"], "greater than or equal to 1"),
        (["--beams", "2", "--num", "3"], "2 hypotheses give at most 2 texts"),
        (["--beams", "2", "--sample"], "beam search draws nothing; --sample"),
        (["--beams", "2", "--temperature", "0.5"], "--temperature is for generation without --beams"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], words: str) -> None:
    result = run("generate", *PROMPT, *DATE, *arguments)
    assert result.exit_code == 2 and words in unwrapped(result.stderr)
