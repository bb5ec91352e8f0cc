"""Whether a text meets a constraint, and the place where it stops doing so.

In: a constraint and the bytes of a text. Out: a `Verdict`, for people and for machines. No tokenizer: the automaton
walks the text byte by byte.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from constrain.cli.output import visible
from constrain.cli.sources import byte_vocabulary
from constrain.errors import caret

if TYPE_CHECKING:
    from constrain.automaton import Matcher, TokenAutomaton
    from constrain.specs.base import Spec

_CHARACTERS = 64
"""Characters beyond ASCII that a message spells out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a text. Places count from 1, except for `byte`, which is an offset."""

    result: str
    """"match", "incomplete" (more must follow) or "rejected"."""
    text: str
    """The text; bytes that are not UTF-8 as lone surrogates."""
    character: int
    """Index in `text` of the first character that cannot stand there, or its length."""
    byte: int
    """Offset of the first byte that cannot stand there, or the number of bytes."""
    expected_bytes: bytes
    """The bytes that could stand at `byte`."""
    expected: str
    """The characters that could stand at `character`, for people."""
    terminals: tuple[str, ...] = ()
    """The terminals of a grammar that could stand or go on at `byte`."""

    @property
    def line(self) -> int:
        """The line of `character`."""
        return self.text.count("\n", 0, self.character) + 1

    @property
    def column(self) -> int:
        """Its column, in characters."""
        return self.character - self.text.rfind("\n", 0, self.character)

    @property
    def found(self) -> str:
        """The character that cannot stand there."""
        return self.text[self.character : self.character + 1]

    def fields(self) -> dict[str, Any]:
        """The verdict for machines."""
        place = {"byte": self.byte, "character": self.character, "line": self.line, "column": self.column}
        expected: dict[str, Any] = {"expected_hex": self.expected_bytes.hex(), "expected": self.expected}
        expected |= {"terminals": list(self.terminals)} if self.terminals else {}
        return {"result": self.result, **({} if self.result == "match" else place | expected)}

    def __str__(self) -> str:
        if self.result == "match":
            return "match"
        headline = "incomplete: the text must go on" if self.result == "incomplete" else f"rejected at {self._place()}"
        from constrain.explanation import show_names

        message = f"{headline}\n{_pointer(self.text, self.character)}\nexpected {self.expected or 'a special token'}"
        return f"{message}\nterminals: {show_names(self.terminals)}" if self.terminals else message

    def _place(self) -> str:
        what = _named(self.found)
        where = f"column {self.column}"
        return f"line {self.line}, {where}: {what}" if "\n" in self.text else f"{where}: {what}"


def _named(character: str) -> str:
    if _is_lone(character):
        return f"byte 0x{ord(character) - 0xDC00:02X}, which is not UTF-8"
    return "the line break" if character == "\n" else repr(character)


def byte_automaton(spec: Spec) -> TokenAutomaton:
    """The automaton whose tokens are the bytes. How many tokens there are is left to those of a tokenizer."""
    from constrain.compiler import Compiler
    from constrain.specs.length import without_tokens

    return Compiler(byte_vocabulary(spec)).compile(without_tokens(spec)[1])


def judge(spec: Spec, data: bytes) -> Verdict:
    """Read `data` as far as the constraint allows."""
    automaton = byte_automaton(spec)
    matcher = automaton.matcher()
    read = matcher.accept_tokens(data)
    complete = "match" if matcher.is_accepting() else "incomplete"
    expected = _viable(matcher) if read == len(data) else matcher.explain(data[read]).expected
    text = data.decode("utf-8", "surrogateescape")
    character, start = _character_at(text, read)
    matcher.rollback(read - start)
    result = complete if read == len(data) else "rejected"
    names = automaton.space.expected_names(automaton.space.read(automaton.start, data)[0])
    return Verdict(result, text, character, read, expected, expected_characters(matcher), names)


def _viable(matcher: Matcher) -> bytes:
    return bytes(token for token in matcher.allowed_token_ids().tolist() if token < 256)


def expected_characters(matcher: Matcher) -> str:
    """The characters that may come next, for people. The matcher walks bytes, and stands between two characters."""
    viable = _viable(matcher)
    beyond = _characters(matcher, viable)
    parts = [_ranges([b for b in viable if b < 0x80] + (beyond or []))]
    if beyond is None:
        parts.append("other characters beyond ASCII" if parts[0] else "characters beyond ASCII")
    if matcher.is_accepting():
        parts.append("the end of the text")
    return " or ".join(part for part in parts if part)


def _characters(matcher: Matcher, viable: bytes) -> list[int] | None:
    """The code points beyond ASCII that may come next, ascending; None if there are many."""
    found: list[int] = []
    open_ends = [bytes([b]) for b in reversed(viable) if b >= 0x80]
    while open_ends:
        read = open_ends.pop()
        if _is_character(read):
            found.append(ord(read.decode()))
        else:
            open_ends += [read + bytes([b]) for b in reversed(_next(matcher, read))]
        if len(found) + len(open_ends) > _CHARACTERS:
            return None
    return found


def _next(matcher: Matcher, read: bytes) -> bytes:
    probe = matcher.copy()
    probe.accept_tokens(read)
    return _viable(probe)


def _is_character(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


def _ranges(codes: list[int]) -> str:
    """Code points for people: runs of them as ranges."""
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return ", ".join(repr(chr(a)) if a == b else f"{chr(a)!r}-{chr(b)!r}" for a, b in runs)


def _character_at(text: str, byte: int) -> tuple[int, int]:
    """The index of the character that a byte belongs to, and the offset of its first byte.

    Bytes that are not UTF-8 are characters of their own; those of a character cut short count as one.
    """
    ends = [0, *accumulate(len(c.encode("utf-8", "surrogateescape")) for c in text)]
    index = bisect_right(ends, byte) - 1
    while index and _is_lone(text[index - 1]):
        index -= 1
    return index, ends[index]


def _is_lone(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _pointer(text: str, at: int) -> str:
    """The line of `at` with a caret below it, also where characters are wide, or control the terminal."""
    from rich.cells import cell_len

    clean = "\n".join(map(visible, text.split("\n")))
    shown, mark = caret(clean, at).split("\n")
    return f"{shown}\n{' ' * cell_len(shown[: len(mark) - 1])}^"
