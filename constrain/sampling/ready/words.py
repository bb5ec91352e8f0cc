"""Regular expressions beyond those that become automata, and words that must not occur."""

from __future__ import annotations

import re
from collections.abc import Iterable

from constrain.errors import GrammarSyntaxError, SpecTypeError
from constrain.sampling.checkers import TextChecker


class Pattern(TextChecker):
    """The whole text matches a regular expression in the syntax of the `regex` package, which has to be installed.

    `constrain.regex` is exact and rules out tokens by mask; this one also has backreferences, recursion, conditionals.
    Lookahead beyond the end of a text that goes on is taken as `regex` takes it in partial matches.

    >>> twice = Pattern(r"(\\w+) \\1")
    >>> twice.prefix("ab a"), twice.prefix("ab b"), twice.whole("ab ab")
    (True, False, True)
    """

    def __init__(self, pattern: str) -> None:
        try:
            import regex  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError("constrain.sampling.Pattern needs regex: python -m pip install regex") from error
        self.pattern = pattern
        try:
            self._compiled = regex.compile(pattern)
        except regex.error as error:
            raise GrammarSyntaxError(f"Pattern({pattern!r:.80}): {error}", column=1 + (error.pos or 0)) from error

    def prefix(self, text: str) -> bool:
        """Whether it matches, or could if it went on."""
        return self._compiled.fullmatch(text, partial=True) is not None

    def whole(self, text: str) -> bool:
        """Whether it matches."""
        return self._compiled.fullmatch(text) is not None

    def __repr__(self) -> str:
        return f"Pattern({self.pattern!r:.80})"


class Banned(TextChecker):
    """None of some words or phrases occurs: as a whole word, in any case. They may occur inside of longer words.

    >>> banned = Banned(["ass"])
    >>> banned.prefix("an ass"), banned.prefix("an ass "), banned.prefix("assess "), banned.whole("an ass")
    (True, False, True, False)
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = [words] if isinstance(words, str) else list(words)
        if not self.words or not all(isinstance(word, str) and word.strip() for word in self.words):
            raise SpecTypeError(f"Banned takes words, not {self.words!r:.80}")
        phrases = sorted((r"\s+".join(map(re.escape, word.split())) for word in self.words), key=len)
        # Looked ahead for, so that words inside of others are found, and the shortest at each place.
        self._words = re.compile(rf"(?<!\w)(?=({'|'.join(phrases)})(?!\w))", re.IGNORECASE)

    def prefix(self, text: str) -> bool:
        """Whether no word has ended before the end of the text. One at the end could become a longer one."""
        return all(match.end(1) == len(text) for match in self._words.finditer(text))

    def whole(self, text: str) -> bool:
        """Whether there is none."""
        return self._words.search(text) is None

    def __repr__(self) -> str:
        return f"Banned({len(self.words)} words)"
