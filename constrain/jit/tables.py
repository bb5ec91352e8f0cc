"""Tables: growable arrays that units reach by one address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Column(NamedTuple):
    """A table as it begins: its name, dtype, and entries."""

    name: str
    dtype: type
    size: int


class Tables:
    """Growable arrays that units reach by one address.

    The control block is int64[2 n]: address and size of each table, in order.

    >>> tables = Tables([Column("count", np.int64, 4)])
    >>> tables["count"][:] = 7
    >>> tables.grow(0, 5)
    >>> tables["count"].tolist()
    [7, 7, 7, 7, 0, 0, 0, 0]
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._arrays: list[np.ndarray] = [np.zeros(column.size, column.dtype) for column in columns]
        self._names = {column.name: k for k, column in enumerate(columns)}
        self._control = np.zeros(2 * len(columns), np.int64)
        self.block: int = self._control.ctypes.data
        """The address of the control block."""
        for k in range(len(columns)):
            self._note(k)

    def _note(self, k: int) -> None:
        array = self._arrays[k]
        self._control[2 * k], self._control[2 * k + 1] = array.ctypes.data, len(array)

    def __getitem__(self, name: str) -> np.ndarray:
        """The array of a table. It is another one after the table has grown."""
        return self._arrays[self._names[name]]

    def replace(self, name: str, array: np.ndarray) -> None:
        """Put another array in place of a table."""
        k = self._names[name]
        self._arrays[k] = np.ascontiguousarray(array, self.columns[k].dtype)
        self._note(k)

    def grow(self, k: int, size: int) -> None:
        """Make room for at least `size` entries in table k; new ones are 0."""
        old = self._arrays[k]
        if size > len(old):
            new = np.zeros(max(size, 2 * len(old)), old.dtype)
            new[: len(old)] = old
            self._arrays[k] = new
            self._note(k)

    @property
    def nbytes(self) -> int:
        """Memory that the tables take."""
        return sum(array.nbytes for array in self._arrays)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{c.name} {len(a)}" for c, a in zip(self.columns, self._arrays))
        return f"<Tables {sizes}>"
