"""outlines-core in a process of its own, with limits on its time and memory.

`python -m benchmarks.mask_worker FOLDER GIB` is the other process: a tokenizer, and memory beyond its vocabulary.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.mask_requests import Record, run_into
from benchmarks.peers import ENGINES, Engine
from benchmarks.running import settle

OUTLINES = "outlines-core"


class Worker:
    """A process that runs one engine under limits; it is started again after it had to be killed."""

    def __init__(self, folder: Path, seconds: float, gib: float) -> None:
        self.command = [sys.executable, "-m", "benchmarks.mask_worker", str(folder), str(gib)]
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """The running process, with its vocabulary read."""
        if self.process is None or self.process.poll() is not None:
            self.stop()
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            assert self.process.stdout is not None
            if self.process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the worker for {OUTLINES} did not start")
        return self.process

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def run(self, record: Record, pattern: str, tokens: Sequence[int], eos: int) -> None:
        """One request in the other process; its end by a limit is an outcome."""
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(self.seconds, kill, (process, late))
        timer.start()
        process.stdin.write(json.dumps([pattern, list(tokens), eos]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        timer.cancel()
        if late.is_set():
            self.stop()
        if answer:
            vars(record).update(json.loads(answer))
        elif late.is_set():
            record.outcome, record.message = "timeout", f"not done after {self.seconds:g} s"
        else:
            record.outcome, record.message = "out of memory", f"the process ended with status {process.wait()}"


def kill(process: subprocess.Popen[str], late: threading.Event) -> None:
    """End the process and say that it was for being late."""
    late.set()
    process.kill()


def serve(folder: Path, gib: float) -> None:
    """The other process: requests on standard input, a JSON line for each on standard output."""
    engine: Engine = ENGINES[OUTLINES]()
    engine.load(folder)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + int(gib * 2**30), resource.RLIM_INFINITY))
    settle()
    print("ready", flush=True)
    for line in sys.stdin:
        pattern, tokens, eos = json.loads(line)
        record = Record("", "", "", 0, OUTLINES, "")
        run_into(record, engine, pattern, tokens, eos)
        kept = ("outcome", "message", "first_ns", "steps_ns")
        print(json.dumps({name: getattr(record, name) for name in kept}), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), float(sys.argv[2]))
