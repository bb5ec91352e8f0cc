"""The grammars that come with the package, one file a language.

In:  a name, or the path of a `.lark` file.
Out: the path of the file; what its header says.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

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


def library() -> list[LibraryGrammar]:
    """All grammars of the library, by name.

    >>> "json" in [grammar.name for grammar in library()]
    True
    """
    return [_describe(path) for path in sorted(_folder().glob("*.lark"))]


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
