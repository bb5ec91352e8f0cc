"""The shortest way to end: a text that completes what has been begun, and the tokens that spell it.

In:  a state.
Out: bytes, or the ids of special tokens, in order; tokens.

Generation that must end within a budget of tokens steers by it. For regular constraints the text is the shortest there
is, or nearly. For grammars it follows the cheapest rules; under longest match such a text may read differently than
meant, so it is read again, and tried with ignored text between its terminals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constrain.vocab.vocabulary import Vocabulary

Piece = bytes | int
"""Text, or a special token."""


def tokens_of(pieces: tuple[Piece, ...] | None, vocabulary: Vocabulary) -> tuple[int, ...] | None:
    """The fewest tokens that spell some pieces; None if there are none."""
    if pieces is None:
        return None
    tokens: list[int] = []
    for piece in pieces:
        spelled = [piece] if isinstance(piece, int) else vocabulary.spell(piece)
        if spelled is None:
            return None
        tokens += spelled
    return tuple(tokens)


def joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Pieces with neighbouring texts made one.

    >>> joined([b"a", b"b", 7, b"c"])
    (b'ab', 7, b'c')
    """
    result: list[Piece] = []
    for piece in pieces:
        last = result[-1] if result else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            result[-1] = last + piece
        else:
            result.append(piece)
    return tuple(result)
