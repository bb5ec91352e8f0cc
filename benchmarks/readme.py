"""The block of a README that a program writes: what stands between two lines that bear the program's name."""

from __future__ import annotations

import argparse
from pathlib import Path


def marks(program: str) -> tuple[str, str]:
    """The lines before and after the block of a program."""
    return f"<!-- {program}:begin -->", f"<!-- {program}:end -->"


def add_option(parser: argparse.ArgumentParser, program: str) -> None:
    """`--readme FILE`."""
    begin, end = marks(program)
    parser.add_argument("--readme", type=Path, help=f"file in which to replace what stands between {begin} and {end}")


def problem_with(file: Path | None, program: str) -> str:
    """Why the block cannot be written into a file, or nothing; nor is anything wrong with no file."""
    begin, end = marks(program)
    if file is None or (file.is_file() and begin in file.read_text("utf-8") and end in file.read_text("utf-8")):
        return ""
    return f"{file} does not exist or lacks the lines {begin} and {end}"


def replace_block(file: Path, program: str, block: str) -> None:
    """Write the block of a program."""
    begin, end = marks(program)
    text = file.read_text(encoding="utf-8")
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    file.write_text(f"{before}\n{block}{after}", encoding="utf-8")
