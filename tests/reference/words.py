"""What `constrain.kernels.words` does, on lists and without numba."""

from __future__ import annotations

from collections.abc import Sequence


def take_ref(words: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places of the words that are not zero, and these words."""
    places = [i for i, word in enumerate(words) if word]
    return places, [words[i] for i in places]


def put_ref(words: Sequence[int], at: Sequence[int], more: Sequence[int]) -> list[int]:
    """The words with the bits of `more` set at some places."""
    found = list(words)
    for i, bits in zip(at, more):
        found[i] |= bits
    return found
