"""A second process that compiles units: of many that are missing it takes the last ones first, this process the first.

Machine code refers to other units by symbol, so that it does not matter where, and in which order, it is made.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence

from constrain.jit.machine_code import MachineCode

WORTH = 16
"""Missing units from which on a second process is begun: it has to import this package first."""


class SecondProcess:
    """Units that another process compiles, in the order given."""

    def __init__(self, modules: Sequence[str], symbols: Sequence[str]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "constrain.jit.second"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert self._process.stdin is not None
        pickle.dump((list(modules), list(symbols)), self._process.stdin)
        self._process.stdin.close()
        self._changed = threading.Condition()
        self._begun = ""
        self._made: dict[str, MachineCode] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Take what the other process says: the key of a unit when it begins, then its machine code."""
        try:
            while True:
                key, code = pickle.load(self._process.stdout)  # type: ignore[arg-type]
                with self._changed:
                    if code is None:
                        self._begun = key
                    else:
                        self._made[key], self._begun = MachineCode(*code), ""
                    self._changed.notify_all()
        except Exception:  # it has ended, as it should or not: what is missing is compiled here
            with self._changed:
                self._begun = ""
                self._changed.notify_all()

    def take(self, key: str) -> MachineCode | None:
        """The machine code of a unit, after waiting for it if it has been begun; None if it has not."""
        with self._changed:
            self._changed.wait_for(lambda: self._begun != key)
            return self._made.get(key)

    def __len__(self) -> int:
        return len(self._made)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()  # type: ignore[union-attr]

    def __repr__(self) -> str:
        return f"<SecondProcess {len(self)} units compiled>"


def second_process(modules: Sequence[str], symbols: Sequence[str]) -> SecondProcess | None:
    """Begin a second process for many units; None where there is one processor, or where it cannot be begun."""
    if len(symbols) < WORTH or processors() < 2 or not sys.executable:
        return None
    try:
        return SecondProcess(modules, symbols)
    except OSError:
        return None


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
