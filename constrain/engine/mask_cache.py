"""Finished masks, shared by all automata over one vocabulary.

In:  keys and masks. Out: masks. What is remembered is bounded in bytes; dropping it costs time, never correctness.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from itertools import count

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint32]


class Sparse:
    """Words of a bitmask, few of them set. Places are `intp`: numpy would turn others into that at each use."""

    __slots__ = ("_signed", "at", "nbytes", "words")

    def __init__(self, at: npt.NDArray[np.intp], words: Words) -> None:
        self.at, self.words = at, words
        self._signed = words.view(np.int32)
        self.nbytes = at.nbytes + words.nbytes

    def fill(self, row: Row) -> None:
        """Overwrite a row."""
        row.fill(0)
        row[self.at] = self._signed


def pack(words: Words) -> Sparse | Row:
    """Words of a bitmask in the form that takes less room."""
    at = words.nonzero()[0]
    return Sparse(at, words[at]) if 8 * len(at) < len(words) else words.view(np.int32)


class MaskCache:
    """Masks by key, the least recently used of which make room. Thread-safe; readers take no lock.

    >>> masks = MaskCache(most=100)
    >>> for key in "abc":
    ...     masks.keep(key, np.zeros(10, np.int32))
    >>> [key in masks for key in "abc"], masks.nbytes
    ([False, True, True], 80)
    """

    def __init__(self, most: int) -> None:
        """`most` is in bytes."""
        self._most = most
        self._masks: OrderedDict[Hashable, Row | Sparse] = OrderedDict()
        self._lock = threading.Lock()
        self._owners = count()
        self.nbytes = 0
        """Bytes held."""

    def owner(self) -> int:
        """A number for keys that are to be told apart from those of others."""
        return next(self._owners)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._masks

    def get(self, key: Hashable) -> Row | Sparse | None:
        """The mask of a key, if it is remembered."""
        mask = self._masks.get(key)
        if mask is not None:
            try:
                self._masks.move_to_end(key)
            except KeyError:  # another thread has dropped it since
                pass
        return mask

    def keep(self, key: Hashable, mask: Row | Sparse) -> None:
        """Remember a mask."""
        with self._lock:
            if key in self._masks:  # another thread was faster
                self.nbytes -= self._masks.pop(key).nbytes
            self._masks[key] = mask
            self.nbytes += mask.nbytes
            while self.nbytes > self._most and len(self._masks) > 1:
                self.nbytes -= self._masks.popitem(last=False)[1].nbytes
