"""What `constrain.kernels.words` does, without numba."""

from __future__ import annotations

import numpy as np


def take_ref(words: np.ndarray) -> tuple[list[int], list[int]]:
    """The places of the words that are not zero, and these words."""
    places = [i for i, word in enumerate(words.tolist()) if word]
    return places, [int(words[i]) for i in places]


def put_ref(words: np.ndarray, at: list[int], more: list[int]) -> list[int]:
    """The words with the bits of `more` set at some places."""
    found: list[int] = words.tolist()
    for i, bits in zip(at, more):
        found[i] |= bits
    return found
