"""Why a token is or is not allowed at a place, for programs and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constrain.engine.states import State


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a token is or is not allowed at a place."""

    token: int
    data: bytes
    """What the token spells."""
    allowed: bool
    dies_at: int | None
    """Index in `data` of the first byte that cannot follow; None if there is none."""
    expected: bytes
    """The bytes that could stand there instead (or come next, if the token is allowed), ascending."""
    constraint: str
    """The constraint that decides."""
    reason: str
    """The same for people."""
    terminals: tuple[str, ...] = ()
    """The terminals that could stand there, or go on there, by their names in the grammar; () for other constraints."""

    def __str__(self) -> str:
        return self.reason


def show_bytes(data: bytes, limit: int = 16) -> str:
    """A set of bytes for people: ranges of printable ASCII, the rest in hex.

    >>> show_bytes(b"0123x")
    "'0'-'3', 'x'"
    """
    runs: list[list[int]] = []
    for b in data:
        if runs and runs[-1][1] == b - 1:
            runs[-1][1] = b
        else:
            runs.append([b, b])
    shown = [_show(a) if a == b else f"{_show(a)}-{_show(b)}" for a, b in runs[:limit]]
    return ", ".join(shown) + (", …" if len(runs) > limit else "")


def _show(b: int) -> str:
    return repr(chr(b)) if 0x20 <= b < 0x7F else f"0x{b:02X}"


def show_names(names: Sequence[str], limit: int = 8) -> str:
    """Names of terminals for people.

    >>> show_names(["NAME", "NUMBER", '"("'], 2)
    'NAME, NUMBER, …'
    """
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def reason_for(
    state: State,
    token: int,
    data: bytes,
    allowed: bool,
    dies_at: int | None,
    expected: bytes,
    is_eos: bool,
    names: tuple[str, ...],
) -> str:
    """Say why a token is or is not allowed."""
    name = f"token {token}"
    wanted = f"; expected: {show_names(names)}" if names else ""
    if state.terminated:
        return f"{name} is not allowed: the output has ended"
    if is_eos:
        return f"{name} ends the output, which {'may' if state.accepting else 'must not'} end here" + (
            "" if state.accepting else f"; next could be {show_bytes(expected)}{wanted}"
        )
    if not data:
        return f"{name} is not allowed: it spells no text (a special token, or an id without a token){wanted}"
    name += f" {data!r}"
    if allowed:
        return f"{name} is allowed"
    if dies_at is None:
        return f"{name} is not allowed: no tokens of the vocabulary spell what would have to follow"
    where = f"{name} is not allowed: byte {dies_at} ({_show(data[dies_at])}) cannot stand there"
    if expected:
        return f"{where}; it could be {show_bytes(expected)}{wanted}"
    return where + (wanted or "; the text is complete")
