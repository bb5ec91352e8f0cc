"""What token sets must hold, from their definition: plain Python, token by token, no code of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Automaton(Protocol):
    """What is asked of an automaton; state 0 is dead."""

    def step(self, q: int, byte: int) -> int:
        """The state after a byte."""

    def accepts(self, q: int) -> bool:
        """Whether a text may end here."""


class TokenSet(NamedTuple):
    """The tokens that can be read from a state."""

    inner: set[int]
    """Those that are read whole."""
    suffixes: dict[bytes, set[int]]
    """What is left of others where the terminal may end, with the tokens that leave it."""


def token_set(automaton: Automaton, q: int, tokens: Sequence[bytes]) -> TokenSet:
    """The token set of a state, over tokens that are given by their bytes; those without bytes are in no set."""
    made = TokenSet(set(), {})
    for token, spelled in enumerate(tokens):
        state, ends = q, []
        for n, byte in enumerate(spelled, 1):
            state = automaton.step(state, byte)
            if state == 0:
                break
            if automaton.accepts(state) and n < len(spelled):
                ends.append(n)
        if state and spelled:
            made.inner.add(token)
        else:
            for n in ends:
                made.suffixes.setdefault(spelled[n:], set()).add(token)
    return made


def is_text(data: bytes) -> bool:
    """Whether bytes are whole characters in UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def occurring(tokens: Sequence[bytes], prefix: bytes) -> tuple[set[int], bool, bool]:
    """What occurs behind a prefix of some tokens: ASCII bytes; other bytes; tokens that are no whole characters."""
    behind = [token[len(prefix) :] for token in tokens]
    data = b"".join(behind)
    ascii_bytes = {b for b in data if b < 0x80}
    return ascii_bytes, any(b >= 0x80 for b in data), not all(is_text(token) for token in behind)


_CHARACTER = (
    rb"[\x20-\x21\x23-\x5b\x5d-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    rb'|\xf4[\x80-\x8f][\x80-\xbf]{2}|\\["\\/bfnrt]|\\u(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}'
    rb"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""One character of a JSON string."""


class Counted(NamedTuple):
    """How far a text comes as a JSON string."""

    characters: int
    """Whole ones."""
    begun: bool
    """Whether it ends inside of another one."""
    rest: bytes | None
    """What is behind the closing quote; None if it is not closed."""


def counted(text: bytes) -> Counted | None:
    """Count the characters of a text that begins like a JSON string; None if it does not."""
    import regex

    if text[:1] not in (b"", b'"'):
        return None
    at, n = 1, 0
    while at < len(text):
        if text[at] == ord('"'):
            return Counted(n, False, text[at + 1 :])
        found = regex.compile(_CHARACTER).match(text, at, partial=True)
        if not found:
            return None
        if found.partial:
            return Counted(n, True, None)
        at, n = found.end(), n + 1
    return Counted(n, False, None)


def counted_set(before: bytes, tokens: Sequence[bytes], fewest: int, most: int) -> TokenSet:
    """The token set of a JSON string of so many characters in all, of which `before` has been read."""
    made = TokenSet(set(), {})
    for token, spelled in enumerate(tokens):
        found = counted(before + spelled) if spelled else None
        if found is None or found.characters + found.begun > most:
            continue
        if found.rest is None or (found.characters >= fewest and not found.rest):
            made.inner.add(token)
        elif found.characters >= fewest:
            made.suffixes.setdefault(found.rest, set()).add(token)
    return made
