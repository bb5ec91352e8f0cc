"""Words of bitmasks: few of them taken out of many, and put back."""

from __future__ import annotations

import numpy as np

from constrain.jit import kernel


@kernel
def take(words, at, found):
    """Move the words that are not zero to `found`, and their places to `at`, leaving zeros: their number.

    `words` and `found` are uint32, `at` is intp, all of one size.
    """
    n = 0
    for i in range(words.size):
        if words[i] != 0:
            at[n], found[n] = i, words[i]
            words[i] = np.uint32(0)
            n += 1
    return n


@kernel
def put(words, at, more):
    """Set the bits of `more` in the words at `at`."""
    for i in range(at.size):
        words[at[i]] |= more[i]
