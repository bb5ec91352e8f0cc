"""Tables: growable arrays that units reach by one address."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

_SMALL = 4096


class Column(NamedTuple):
    """A table as it begins: its name, dtype, and entries."""

    name: str
    dtype: type
    size: int


def _room(column: Column) -> int:
    """Words of 8 bytes that a table takes of the common memory: large ones have their own, to be let go of alone."""
    words = (column.size * np.dtype(column.dtype).itemsize + 7) >> 3
    return words if words <= _SMALL else 0


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
        self._names = {column.name: k for k, column in enumerate(columns)}
        ends = list(accumulate(map(_room, columns), initial=2 * len(columns)))
        begun = np.zeros(ends[-1], np.int64)  # one piece of memory for the control block and all small tables
        self._control = begun[: 2 * len(columns)]
        self.block: int = begun.__array_interface__["data"][0]
        """The address of the control block."""
        self._arrays: list[np.ndarray] = [
            begun[begin:end].view(column.dtype)[: column.size] for column, begin, end in zip(columns, ends, ends[1:])
        ]
        self._control[0::2] = [self.block + 8 * begin for begin in ends[:-1]]
        self._control[1::2] = [column.size for column in columns]
        for k, column in enumerate(columns):
            if len(self._arrays[k]) < column.size:
                self._arrays[k] = np.zeros(column.size, column.dtype)
                self._note(k)

    def _note(self, k: int) -> None:
        array = self._arrays[k]
        self._control[2 * k], self._control[2 * k + 1] = array.__array_interface__["data"][0], len(array)

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
