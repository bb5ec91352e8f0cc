"""Every error that constrain raises, in one tree.

    ConstrainError (ValueError)
    ├── SpecTypeError (TypeError)   a constraint was built from a value of the wrong type
    ├── GrammarSyntaxError          a pattern or a grammar that does not parse: line, column, excerpt, expected
    ├── SchemaError                 a JSON Schema that is malformed: pointer, keyword, hint
    ├── UnsupportedError            well formed, but not something that can be enforced exactly
    ├── UnsatisfiableError          no output at all meets the constraint
    ├── VocabularyError             a tokenizer that cannot be read, or cannot spell what the constraint requires
    ├── LimitExceeded               a limit of `constrain.Limits` was reached: limit, given
    ├── TokenError (IndexError)     a token id outside the vocabulary
    ├── TerminatedError             a token was given to a matcher whose output has ended
    ├── ConflictError               other logits processors forbid everything that the constraint allows
    └── CheckerError                a checker raised, gave no answer, or contradicted itself

A message says where, what was found, what is supported, and how to mend it. An operation that raises leaves
the objects that it was called on as they were.
"""

from __future__ import annotations

from collections.abc import Sequence


class ConstrainError(ValueError):
    """Root of all errors of this package."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as it is: the constructors of subclasses take more than the message."""
        return (_rebuild, (type(self), self.args, self.__dict__))


class SpecTypeError(ConstrainError, TypeError):
    """A constraint was built from a value of the wrong type."""


class GrammarSyntaxError(ConstrainError):
    """A pattern or grammar that does not parse. `line` and `column` count from 1."""

    def __init__(
        self,
        message: str,
        *,
        line: int = 1,
        column: int = 1,
        excerpt: str = "",
        expected: Sequence[str] = (),
    ) -> None:
        self.line, self.column, self.excerpt, self.expected = line, column, excerpt, tuple(expected)
        super().__init__(message if not excerpt else f"{message}\n{excerpt}")


class SchemaError(ConstrainError):
    """A malformed JSON Schema: `pointer` (RFC 6901) and `keyword` say where, `hint` how to mend it."""

    def __init__(self, message: str, *, pointer: str = "", keyword: str = "", hint: str = "") -> None:
        self.pointer, self.keyword, self.hint = pointer, keyword, hint
        super().__init__(f"{message} (at {pointer or '#'}){'; ' + hint if hint else ''}")


class UnsupportedError(ConstrainError):
    """A construct that cannot be enforced exactly. `position` is an offset into the source text, if known."""

    def __init__(self, message: str, *, position: int | None = None, excerpt: str = "") -> None:
        self.position, self.excerpt = position, excerpt
        super().__init__(message if not excerpt else f"{message}\n{excerpt}")


class UnsatisfiableError(ConstrainError):
    """No output meets the constraint."""


class VocabularyError(ConstrainError):
    """A tokenizer that cannot be read exactly, or that cannot spell what a constraint requires."""


class LimitExceeded(ConstrainError):
    """A limit was reached. `limit` is the name of the field of `constrain.Limits`, `given` what was asked for."""

    def __init__(self, limit: str, given: int | float, allowed: int | float, what: str) -> None:
        self.limit, self.given, self.allowed = limit, given, allowed
        super().__init__(
            f"{what}: {given:,} is more than Limits.{limit} = {allowed:,}; "
            f"simplify the constraint, or pass Limits({limit}=...) to Compiler"
        )


class TokenError(ConstrainError, IndexError):
    """A token id outside the vocabulary."""


class TerminatedError(ConstrainError):
    """A token was given to a matcher whose output has ended."""


class ConflictError(ConstrainError):
    """Other logits processors left nothing of what the constraint allows. `processors` names the suspects."""

    def __init__(self, message: str, *, processors: Sequence[str] = ()) -> None:
        self.processors = tuple(processors)
        super().__init__(message)


class CheckerError(ConstrainError):
    """A checker of the user raised (`__cause__`), answered neither True nor False, or contradicted itself."""


def _rebuild(kind: type[ConstrainError], args: tuple[object, ...], state: dict[str, object]) -> ConstrainError:
    """Unpickle an error whose constructor takes more than its message."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def caret(source: str, position: int, width: int = 72) -> str:
    """The line of `source` that holds `position`, with a caret under it, cut to `width` characters.

    >>> print(caret("a(b", 1))
        a(b
         ^
    """
    start = source.rfind("\n", 0, position) + 1
    end = source.find("\n", position)
    line = source[start : end if end >= 0 else len(source)]
    column = position - start
    left = max(0, column - width // 2)
    shown = line[left : left + width]
    prefix = "…" if left else ""
    suffix = "…" if left + width < len(line) else ""
    return f"    {prefix}{shown}{suffix}\n    {' ' * (len(prefix) + column - left)}^"
