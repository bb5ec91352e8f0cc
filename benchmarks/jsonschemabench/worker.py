"""An engine in a process of its own: a crash, a hang or too much memory of one item costs nothing else.

The parent sends items through a pipe and waits. It kills the process when time or memory is up, and starts another one
for the next item.
"""

from __future__ import annotations

import os
import resource
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any, Protocol

from benchmarks.jsonschemabench.data import Item
from benchmarks.jsonschemabench.records import Record

_LOADING = 600.0
"""Seconds for an engine to load."""
_GRACE = 5.0
"""Seconds beyond the time for an item: an engine that can be stopped from inside keeps its process."""
_POLL = 0.1
"""Seconds between two looks at the memory of a process."""
_MEGA = 1 << 20


class Bench(Protocol):
    """What a process does with an item."""

    def look(self, item: Item, run: int) -> Record:
        """Measure it."""


@dataclass(frozen=True)
class Job:
    """What a process is for."""

    engine: str
    make: Callable[[], Bench]
    """Makes what does the work, in the process: it must be picklable."""
    seconds: float
    """For one item."""
    memory_mb: float


class LoadError(RuntimeError):
    """An engine, a model or a tokenizer does not load."""


class Worker:
    """The process of a job; started when it is needed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._process: Any = None
        self._pipe: Connection | None = None
        self._seen: set[str] = set()

    def look(self, item: Item, run: int) -> Record:
        """Have an item measured. Raises LoadError if the process cannot begin to work.

        A second pass is one over what the process has seen before: after a restart it sees it once more.
        """
        self.start()
        if run > 1 and item.id not in self._seen:
            before = self._ask(item, 1)
            if self._pipe is None:
                return _failed(item, self.job.engine, run, before.outcome, before.message)
        return self._ask(item, run)

    def start(self) -> None:
        """Start the process, unless it runs. Raises LoadError."""
        if self._pipe is not None:
            return
        context = get_context("spawn")  # threads and kernels do not survive a fork
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.job), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe, self._seen = ours, set()
        trouble = self._wait(_LOADING)
        answer = self._receive() if trouble == "" else trouble
        if answer is not True:
            self.stop()
            raise LoadError(f"{self.job.engine} does not load: {answer}")

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _ask(self, item: Item, run: int) -> Record:
        assert self._pipe is not None
        try:
            self._pipe.send((item, run))
            trouble = self._wait(self.job.seconds + _GRACE)
        except OSError:
            trouble = "crash"
        answer = self._receive() if trouble == "" else None
        if isinstance(answer, Record):
            self._seen.add(item.id)
            return answer
        what = trouble or "crash"
        said = {"timeout": f"killed after {self.job.seconds:g} s", "memory": f"more than {self.job.memory_mb:g} MB"}
        message = said.get(what) or self._last_words()
        self.stop()
        return _failed(item, self.job.engine, run, what, message)

    def _wait(self, seconds: float) -> str:
        """Wait for an answer; what stands in the way of one, or ""."""
        assert self._pipe is not None
        end = monotonic() + seconds
        while not self._pipe.poll(_POLL):
            if self._process.exitcode is not None:
                return "" if self._pipe.poll(0) else "crash"
            if monotonic() > end:
                return "timeout"
            if _resident_mb(self._process.pid) > self.job.memory_mb:
                return "memory"
        return ""

    def _receive(self) -> Any:
        assert self._pipe is not None
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            return None

    def _last_words(self) -> str:
        self._process.join(1)
        code = self._process.exitcode
        return f"the process died of signal {-code}" if code and code < 0 else f"the process ended with status {code}"


def _failed(item: Item, engine: str, run: int, outcome: str, message: str) -> Record:
    record = Record(item.id, item.split, engine, run)
    record.fail(outcome, message)
    return record


def _resident_mb(process: int) -> float:
    """Memory that a process holds; 0 where the system does not tell."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * resource.getpagesize() / _MEGA
    except (OSError, ValueError, IndexError):
        return 0.0


def _serve(pipe: Connection, job: Job) -> None:
    """The process: load, say so, answer."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    most = int(2 * job.memory_mb * _MEGA)  # for one leap between two looks of the parent
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        bench = job.make()
    except BaseException as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(True)
    while True:
        try:
            item, run = pipe.recv()
        except EOFError:
            return
        pipe.send(_looked(bench, job.engine, item, run))


def _looked(bench: Bench, engine: str, item: Item, run: int) -> Record:
    try:
        record = bench.look(item, run)
    except MemoryError as error:
        record = _failed(item, engine, run, "memory", str(error))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__}: {error} ({os.path.basename(last.filename)}:{last.lineno})"
        record = _failed(item, engine, run, "crash", where)
    record.rss_mb = _peak_mb()
    return record


def _peak_mb() -> float:
    """The most memory that this process has held. (What getrusage says includes the process that started it.)"""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, ValueError, StopIteration):
        return 0.0
