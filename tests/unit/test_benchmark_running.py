"""What the benchmarks share: arguments, turns, tables, the blocks of a README."""

from __future__ import annotations

import argparse
import doctest
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.running import checked, command, spread, turns

SHARED = ("grammar_report", "report", "running", "tables", "jsonschemabench.__main__", "jsonschemabench.runner")
SHARED += ("jsonschemabench.store", "jsonschemabench.records", "jsonschemabench.masks")


@pytest.mark.parametrize("module", SHARED)
def test_examples_in_docstrings(module: str) -> None:
    failed, attempted = doctest.testmod(import_module(f"benchmarks.{module}"))
    assert attempted and not failed


def test_engines_take_turns() -> None:
    assert turns([1, 2], 0) == [1, 2] and turns([1, 2], 1) == [2, 1]


def test_items_are_spread() -> None:
    assert spread(list("abcdef"), 3) == ["a", "c", "e"]
    assert spread(["a"], None) == spread(["a"], 5) == ["a"] and spread(["a"], -1) == []


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.x")
    parser.add_argument("--file", type=Path, default=Path("a/b"))
    parser.add_argument("--long-seconds", type=float, default=30.0)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--parts", default="a,b")
    return parser


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], ""), (["--limit", "3"], " --limit 3"), (["--long-seconds", "1.5", "--parts", "a b"], " --parts 'a b'")],
)
def test_the_command_says_what_is_not_as_usual(given: list[str], expected: str) -> None:
    parser = arguments()
    found = command(parser, parser.parse_args(given), ["file"], ["limit", "parts"])
    assert found == f"python -m benchmarks.x --file b{expected}"


def test_a_list_is_as_usual_if_it_says_what_the_text_said() -> None:
    parser = arguments()
    given = parser.parse_args([])
    given.parts = given.parts.split(",")
    assert command(parser, given, [], ["parts", "long_seconds"]) == "python -m benchmarks.x"


def test_wrong_arguments_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        checked(arguments(), lambda given: "no such thing", [])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "python -m benchmarks.x: no such thing\n"


def test_blocks_of_a_readme(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    assert readme.problem_with(None, "x") == "" and "does not exist" in readme.problem_with(file, "x")
    begin, end = readme.marks("x")
    file.write_text(f"before\n{begin}\nold\n{end}\nafter\n", "utf-8")
    assert readme.problem_with(file, "x") == "" and "lacks" in readme.problem_with(file, "y")
    readme.replace_block(file, "x", "new\n")
    assert file.read_text("utf-8") == f"before\n{begin}\nnew\n{end}\nafter\n"
