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
