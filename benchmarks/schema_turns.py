"""One schema with one engine: it is compiled, and its instances are read, timed and judged."""

from __future__ import annotations

import gc
import json
import signal
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from benchmarks.peers import encode
from benchmarks.schema_engines import SchemaEngine

SLOW = 10.0
"""Seconds for compiling and the first mask, beyond which a schema does not pass."""
OUTCOMES = ("pass", "crash", "false accept", "gave up", "late", "slow", "false reject", "refused")
"""What can become of a schema; after the first, the worst come first."""


class Late(Exception):
    """The time for one schema is up."""


@dataclass(frozen=True)
class Item:
    """A schema and its instances: each with `data` and `valid`."""

    id: str
    split: str
    schema: Any
    tests: list[dict[str, Any]]


@dataclass
class Record:
    """One schema with one engine in one pass; durations in nanoseconds."""

    id: str
    split: str
    engine: str
    run: int
    outcome: str = "pass"
    kind: str = ""
    """The class of the error, for those that were refused."""
    message: str = ""
    faults: list[str] = field(default_factory=list)
    """The instances that are judged wrongly, or the reason for which none was read."""
    compile_ns: int = 0
    first_ns: int = 0
    """The first mask."""
    texts: dict[int, array[int]] = field(default_factory=dict)
    """The steps of each instance that was accepted to its end."""
    slowest: tuple[int, int, int] = (0, 0, 0)
    """The slowest step of all: its duration, the instance, the number of the step."""

    @property
    def ttfm_ns(self) -> int:
        """Compile and first mask."""
        return self.compile_ns + self.first_ns

    @property
    def compiled(self) -> bool:
        """Whether there was a first mask."""
        return self.first_ns > 0

    def fail(self, outcome: str, error: Exception | str) -> None:
        """Say why the schema does not pass. Of several outcomes the worst stays."""
        kind, message = ("", error) if isinstance(error, str) else (type(error).__name__, str(error))
        self.faults.append(f"{outcome}: {kind}{': ' * bool(kind)}{' '.join(message.split())[:300]}")
        if badness(outcome) > badness(self.outcome):
            self.outcome, self.kind, self.message = outcome, kind, message


def badness(outcome: str) -> int:
    """A rank of outcomes.

    >>> badness("pass") < badness("refused") < badness("crash")
    True
    """
    return -OUTCOMES.index(outcome) % len(OUTCOMES)


@dataclass
class Bench:
    """Everything that is measured, and with what."""

    items: list[Item]
    engines: list[Any]
    tokenizer: Any
    seconds: float
    stopped: set[tuple[str, str]] = field(default_factory=set)
    """Engines and the schemas for which their time was up."""


def take_turn(bench: Bench, engine: SchemaEngine, item: Item, run: int) -> Record:
    """One schema and all its instances with one engine; none of them after it was stopped in an earlier pass."""
    record = Record(item.id, item.split, engine.name, run)
    if (engine.name, item.id) in bench.stopped:
        record.fail("late", "stopped in an earlier pass")
        return record
    tokens = [encode(bench.tokenizer, written(test["data"])) for test in item.tests]
    gc.disable()
    try:
        with alarm(bench.seconds):
            take(bench, engine, item, tokens, record)
    except Late:
        record.fail("late", f"not done after {bench.seconds:g} s")
        # What the engine has of this schema may be half made, and is not used again. Nothing is cleared, because what
        # the engine remembers of all others would go too, and their second pass would be as slow as the first.
        bench.stopped.add((engine.name, item.id))
    finally:
        gc.enable()
    return record


def written(instance: Any) -> str:
    """The text of an instance, as MaskBench writes it."""
    return json.dumps(instance, indent=None, ensure_ascii=False)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise Late when time is up. Compiled code that does not come back to Python cannot be stopped."""

    def ring(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def take(bench: Bench, engine: SchemaEngine, item: Item, tokens: Sequence[Sequence[int]], record: Record) -> None:
    """Compile, fill the first mask, read the instances; what goes wrong is written into the record."""
    try:
        compiled = compile_into(record, engine, item.schema)
    except Late:
        raise
    except Exception as error:  # an engine's crash is a result of the benchmark
        refuse(record, engine, error, item)
        return
    if record.ttfm_ns > SLOW * 1e9:
        record.fail("slow", f"{record.ttfm_ns / 1e9:.1f} s to the first mask")
    for number, test in enumerate(item.tests):
        try:
            refused = read_text(bench, engine, engine.begin(compiled), tokens[number], number, record)
        except Late:
            raise
        except Exception as error:  # likewise
            record.fail("gave up" if isinstance(error, engine.refusals) else "crash", error)
            continue
        if test["valid"] and refused:
            record.fail("false reject", f"instance {number}: {refused}")
        elif not test["valid"] and not refused:
            record.fail("false accept", f"instance {number}: {written(test['data'])}")


def compile_into(record: Record, engine: SchemaEngine, schema: Any) -> Any:
    """Compile and fill the first mask, timed."""
    start = perf_counter_ns()
    compiled = engine.compile_schema(schema)
    record.compile_ns = perf_counter_ns() - start
    matcher = engine.begin(compiled)
    start = perf_counter_ns()
    engine.fill(matcher)
    record.first_ns = perf_counter_ns() - start
    return compiled


def refuse(record: Record, engine: SchemaEngine, error: Exception, item: Item) -> None:
    """The schema did not compile. To say that nothing meets it is right if no instance is valid."""
    if type(error).__name__ == "UnsatisfiableError" and not any(test["valid"] for test in item.tests):
        return
    record.fail("refused" if isinstance(error, engine.refusals) else "crash", error)


def read_text(
    bench: Bench, engine: SchemaEngine, matcher: Any, tokens: Sequence[int], number: int, record: Record
) -> str:
    """One instance, timed; where it is refused, or "" if it is accepted to its end."""
    steps: array[int] = array("Q")
    eos = bench.tokenizer.eos_token_id
    refused = ""
    for place, token in enumerate([*tokens, eos]):
        start = perf_counter_ns()
        engine.fill(matcher)
        spent = perf_counter_ns() - start
        if not engine.permits(token):
            refused = f"{where(bench, tokens, place)} {engine.trouble(matcher)}".strip()
        elif place < len(tokens):
            start = perf_counter_ns()
            moved = engine.commit(matcher, token)
            spent += perf_counter_ns() - start
            refused = "" if moved else f"{where(bench, tokens, place)}, in the mask, but not accepted"
        record.slowest = max(record.slowest, (spent, number, place))
        if refused:
            return refused
        steps.append(spent)
    record.texts[number] = steps
    return ""


def where(bench: Bench, tokens: Sequence[int], place: int) -> str:
    """A token in its place."""
    token = bench.tokenizer.decode(tokens[place : place + 1])
    return f"{token!r} after {bench.tokenizer.decode(tokens[:place])[-60:]!r}" if token else "the end"
