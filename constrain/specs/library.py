"""The grammars that come with the package, one file a language.

In:  a name, or the path of a `.lark` file.
Out: the path of the file; what its header says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import takewhile
from os import PathLike
from pathlib import Path
from typing import Any

from constrain.errors import SpecTypeError

_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "grammars", _PACKAGE.parent / "grammars")
"""Where the grammars are: in a wheel, in a checkout."""


@dataclass(frozen=True, slots=True)
class LibraryGrammar:
    """A grammar of the library."""

    name: str
    title: str
    """Its first line."""
    longest: bool
    """Whether text is cut into terminals by longest match."""
    path: Path

    @property
    def header(self) -> str:
        """The comment at the head of the file, without its first two lines: what is covered and what is left out."""
        lines = takewhile(lambda line: line.startswith("//"), self.path.read_text("utf-8").splitlines())
        said = [line[2:].removeprefix(" ") for line in lines][1:]
        return "\n".join(line for line in said if not line.startswith("Reading:")).strip()

    def examples(self) -> list[dict[str, Any]]:
        """Texts, each with whether the grammar accepts it: `{"text": .., "accepted": .., "note": ..}`."""
        file = self.path.with_suffix(".examples.jsonl")
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.is_file() else []


def library() -> list[LibraryGrammar]:
    """All grammars of the library, by name.

    >>> "json" in [grammar.name for grammar in library()]
    True
    """
    return [_describe(path) for path in sorted(_folder().glob("*.lark"))]


def library_grammar(name: str) -> LibraryGrammar:
    """A grammar of the library, or what the head of a `.lark` file says of it. Raises SpecTypeError if there is none.

    >>> library_grammar("json").title
    'JSON: a text of RFC 8259'
    """
    return _describe(library_file(name))


def library_file(name: str | PathLike[str]) -> Path:
    """The file of a grammar: of the library by its name, else of a path. Raises SpecTypeError if there is none."""
    if not isinstance(name, str | PathLike):
        raise SpecTypeError(f"grammar_file() takes a name or a path, not {type(name).__name__} {name!r:.40}")
    for path in (_folder() / f"{name}.lark", Path(name)):
        if path.is_file():
            return path
    names = ", ".join(grammar.name for grammar in library())
    raise SpecTypeError(f"no grammar {str(name)!r}: the library has {names}; a file is named with its path")


def _folder() -> Path:
    return next((folder for folder in _FOLDERS if any(folder.glob("*.lark"))), _FOLDERS[0])


def _describe(path: Path) -> LibraryGrammar:
    lines = path.read_text("utf-8").splitlines()
    header = [line[2:].strip() for line in lines[:12] if line.startswith("//")]
    return LibraryGrammar(path.stem, header[0] if header else "", "Reading: longest" in header, path)
