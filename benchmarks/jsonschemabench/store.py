"""A file of results that only grows, one JSON object a line, and can be gone on with after a kill.

A line is written in one call. If a kill tears one nevertheless, opening the file puts the piece aside (`.torn`), so
that its item is done again; lines that cannot be read are left where they are, and count as not done.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.jsonschemabench.records import Record, Run, from_json, to_json


class StoreInUse(RuntimeError):
    """Another process writes to the file."""


class Store:
    """The results in one file. Open it in a `with` statement: one process at a time writes to it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Store(Path(folder) / "masks.jsonl") as store:
    ...         store.append(Record("a", "split", "constrain"))
    ...     with Store(Path(folder) / "masks.jsonl") as store:
    ...         store.done
    {('a', 'constrain', 1)}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: set[tuple[str, str, int]] = set()
        """The keys of the records in the file."""
        self.unreadable = 0
        """Lines that could not be read."""
        self._lock = threading.Lock()

    def __enter__(self) -> Store:
        from filelock import FileLock, Timeout

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._held = FileLock(f"{self.path}.lock")
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise StoreInUse(
                f"{self.path} is being written by another run; wait for it, or choose another --out"
            ) from None
        self._mend()
        lines = Lines(self.path)
        self.done = {found.key for found in lines if isinstance(found, Record)}
        self.unreadable = lines.unreadable
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._held.release()

    def append(self, one: Record | Run) -> None:
        """Write a line. Threads may call it."""
        line = (json.dumps(to_json(one), ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")
        with self._lock:
            while line:  # a signal may cut a call short
                line = line[os.write(self._file, line) :]
            if isinstance(one, Record):
                self.done.add(one.key)

    def _mend(self) -> None:
        """Put a torn line aside."""
        if not self.path.is_file():
            return
        with self.path.open("rb+") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with Path(f"{self.path}.torn").open("ab") as torn:
                    torn.write(content[whole:] + b"\n")
                file.truncate(whole)


class Lines:
    """The runs and records in a file; what cannot be read is counted and left out."""

    def __init__(self, path: Path) -> None:
        self._path, self.unreadable = path, 0

    def __iter__(self) -> Iterator[Run | Record]:
        self.unreadable = 0
        if not self._path.is_file():
            return
        with self._path.open("rb") as lines:
            for line in lines:
                try:
                    yield from_json(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    self.unreadable += 1
