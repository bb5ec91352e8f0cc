"""Python source as a checker: what CPython's own parser says of a text that may go on.

Compiling with `PyCF_ALLOW_INCOMPLETE_INPUT`, as `codeop` does, tells a text in which the parser ran out of tokens from
one in which a token cannot stand where it is. The last token of a text may go on, so what it could become is tried in
its place. Nothing is ever executed.
"""

from __future__ import annotations

import ast
import codeop
import keyword
import re
import sys
import warnings
from collections.abc import Iterator

from constrain.sampling.checkers import TextChecker

_INCOMPLETE = codeop.PyCF_ALLOW_INCOMPLETE_INPUT | codeop.PyCF_DONT_IMPLY_DEDENT  # type: ignore[attr-defined]
_FLAGS = ast.PyCF_ONLY_AST | _INCOMPLETE
_PREFIX = r"(?:[rRbB]|[rRuU]|[rRfF]|[bB][rR]|[rR][bB]|[fF][rR]|[rR][fF])?"
_OPERATORS = (
    "**= //= >>= <<= ... != %= &= ** *= += -= -> // /= := << <= == >= >> @= ^= |= "
    "% & ( ) * + , - . / : ; < = > @ [ ] ^ { | } ~"
).split()
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t\f]+|\\\n)
    |(?P<newline>\n)
    |(?P<comment>\#[^\n]*)
    |(?P<string>{_PREFIX}(?P<quote>\"{{3}}|'{{3}}|["'])(?:\\(?:.|\n)|(?!(?P=quote)).)*?(?P<closed>(?P=quote)|\Z|(?=\n)))
    |(?P<number>0[bBoOxX]\w*|(?:[0-9][0-9_]*\.?|\.[0-9])[0-9_]*(?:[eE][+-]?[0-9_]*)?[jJ]?)
    |(?P<name>\w+)
    |(?P<operator>\.\.(?!\.)|!(?!=)|{"|".join(map(re.escape, _OPERATORS))})
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LAST_LINE = re.compile(r"[^\n]*\Z")


class Python(TextChecker):
    """Source code that `ast.parse` reads, in the version of Python that is running.

    >>> checker = Python()
    >>> [checker.prefix(text) for text in ("for x i", "for x y", "f(a, (b", "f(a, (b]")]
    [True, False, True, False]
    >>> checker.whole("for x in y: pass"), checker.whole("for x in")
    (True, False)
    """

    beyond_ascii = "é"

    def prefix(self, text: str) -> bool:
        """Whether source code may begin like this."""
        return any(map(_goes_on, _continued(text.replace("\r\n", "\n").replace("\r", "\n"))))

    def whole(self, text: str) -> bool:
        """Whether it is source code."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return False
        return True

    def __repr__(self) -> str:
        return "Python()"


def _goes_on(source: str) -> bool:
    """Whether the parser reads the source, or to its end and wants more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, "<text>", "exec", _FLAGS)
        except SyntaxError as error:
            message = error.msg or ""
            nested = sys.version_info >= (3, 12) and ("f-string" in message or message.startswith("unterminated"))
            return message == "incomplete input" or nested
        except (ValueError, RecursionError, MemoryError):
            return False
    return True


def _continued(text: str) -> Iterator[str]:
    """The text with what its last token could become, and a backslash, so that the line goes on behind it."""
    tokens = list(_TOKEN.finditer(text))
    last = tokens[-1] if tokens else None
    kind = last.lastgroup if last else "newline"
    if last is None or kind == "newline":
        yield text
        return
    before, token = text[: last.start()], last[0]
    if last["string"] is not None:
        kind = "string"
    if kind == "blank":
        line = _LAST_LINE.search(text)
        assert line is not None
        # Indentation can grow, so that it says nothing yet.
        yield text[: line.start()] if not line[0].strip() else text if text.endswith("\n") else f"{text}\\\n"
        return
    if kind == "comment":
        yield f"{text}\n"
        return
    for candidate in _grown(kind or "", token, last):
        yield f"{before}{candidate}\\\n"
    if token == "\\":
        yield f"{text}\n"


def _grown(kind: str, token: str, match: re.Match[str]) -> Iterator[str]:
    """What the last token of a text could be, or become."""
    if kind == "string":
        quote = match["quote"]
        if match["closed"]:
            yield token
            if len(quote) == 1 and token.endswith(2 * quote) and len(token.lstrip("rRbBuUfF")) == 2:
                yield token + quote * 4  # "" can become \"\"\"
        else:
            yield token[: token.index(quote)] + 2 * quote  # whatever it holds by then
        return
    yield token
    if kind == "number":
        yield f"{token}0"
        if token.isdigit():
            yield f"{token}.0"
    elif kind == "name":
        yield f"{token}_"
        yield from (word for word in (*keyword.kwlist, *keyword.softkwlist) if word.startswith(token))
        if re.fullmatch(_PREFIX, token):
            yield f'{token}""'
            yield from (f'{token}{letter}""' for letter in "rRbBfF")
    elif kind == "operator":
        yield from (operator for operator in _OPERATORS if operator.startswith(token) and operator != token)
        if token == ".":
            yield ".0"
