"""Texts of grammars, and errors that show a place in them.

In:  a text, and an offset into it.
Out: an error of `constrain.errors` with line, column and excerpt, ready to be raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from constrain.errors import ConstrainError, GrammarSyntaxError, UnsupportedError, caret


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text and what to call it in errors."""

    name: str
    text: str

    def place(self, position: int) -> tuple[int, int]:
        r"""Line and column of an offset, both from 1.

        >>> SourceText("s", "a\nbc").place(3)
        (2, 2)
        """
        return self.text.count("\n", 0, position) + 1, position - self.text.rfind("\n", 0, position)

    def error(self, message: str, position: int, expected: Sequence[str] = ()) -> GrammarSyntaxError:
        """A GrammarSyntaxError at an offset."""
        line, column = self.place(position)
        wanted = f"; expected {', '.join(expected)}" if expected else ""
        return GrammarSyntaxError(
            f"{self.name}: {message} at line {line}, column {column}{wanted}",
            line=line,
            column=column,
            excerpt=caret(self.text, position),
            expected=expected,
        )

    def unsupported(self, message: str, position: int) -> UnsupportedError:
        """An UnsupportedError at an offset."""
        line, column = self.place(position)
        where = f"{self.name}: {message} (line {line}, column {column})"
        return UnsupportedError(where, position=position, excerpt=caret(self.text, position))

    def word(self, position: int) -> str:
        """The whole word that a place is in."""
        return next((word[0] for word in re.finditer(r"\w+", self.text) if word.start() <= position < word.end()), "")

    def unknown(self, kind: str, name: str, names: Iterable[str], position: int) -> GrammarSyntaxError:
        """A name that stands for nothing; `names` are those that do."""
        close = near(name, names)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return self.error(f"{kind} {name} is used but not defined{hint}", position)

    def moved(self, error: ConstrainError, pattern: str, position: int) -> ConstrainError:
        """The error of a `pattern` that stands at `position` of this text, as an error of this text."""
        message = str(error).split("\n")[0]
        if isinstance(error, GrammarSyntaxError):
            lines = pattern.split("\n")
            offset = sum(len(line) + 1 for line in lines[: error.line - 1]) + error.column - 1
            return self.error(message.rpartition(" at line ")[0] or message, position + offset, error.expected)
        if isinstance(error, UnsupportedError):
            return self.unsupported(message, position + (error.position or 0))
        return error


def near(name: str, names: Iterable[str]) -> list[str]:
    """Up to three of `names` that look like `name`, whatever their case.

    >>> near("NUMBRE", ["number", "NUMBER", "WORD"])
    ['NUMBER', 'number']
    """
    given = sorted(set(names))
    lower = {one.casefold(): one for one in given}
    close = get_close_matches(name, given, 3) + [lower[one] for one in get_close_matches(name.casefold(), lower, 3)]
    return list(dict.fromkeys(close + [one for one in given if close and one.casefold() == close[0].casefold()]))[:3]
