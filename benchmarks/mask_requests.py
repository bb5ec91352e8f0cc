"""One request of the benchmark of masks: a pattern compiled and its text read, timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from benchmarks.peers import Engine, Fault, Refused

PASSES = ("cold", "warm")


@dataclass
class Record:
    """One request: what happened, and the durations in nanoseconds."""

    tokenizer: str
    pattern: str
    category: str
    text: int
    engine: str
    run: str
    outcome: str = "handled"
    message: str = ""
    first_ns: int = 0
    steps_ns: list[int] = field(default_factory=list)


def run_into(record: Record, engine: Engine, pattern: str, tokens: Sequence[int], eos: int) -> None:
    """One request; whatever goes wrong is written into the record."""
    try:
        record.first_ns, record.steps_ns = run_text(engine, pattern, tokens, eos)
    except Refused as error:
        record.outcome, record.message = "refused", str(error)
    except Fault as error:
        record.outcome, record.message = "failed", str(error)
    except Exception as error:  # an engine's crash is a result of the benchmark
        record.outcome, record.message = "failed", f"{type(error).__name__}: {error}"


def run_text(engine: Engine, pattern: str, tokens: Sequence[int], eos: int) -> tuple[int, list[int]]:
    """One request, timed: (compile and first mask, each token's commit and next mask)."""
    start = perf_counter_ns()
    matcher = compile_or_refuse(engine, pattern)
    engine.fill(matcher)
    first = perf_counter_ns() - start
    steps: list[int] = []
    for token in tokens:
        if not engine.permits(token):
            raise Fault(f"the mask forbids token {token}, number {len(steps)} of the text {engine.trouble(matcher)}")
        start = perf_counter_ns()
        moved = engine.commit(matcher, token)
        if moved:
            engine.fill(matcher)
        steps.append(perf_counter_ns() - start)
        if not moved:
            raise Fault(f"token {token}, number {len(steps) - 1} of the text, is in the mask but was not accepted")
    if not engine.permits(eos):
        raise Fault(f"the mask at the end of the text forbids the end-of-sequence token {engine.trouble(matcher)}")
    return first, steps


def compile_or_refuse(engine: Engine, pattern: str) -> Any:
    """A matcher; a ValueError from the engine is a refusal (constrain's errors are ValueErrors)."""
    try:
        return engine.compile(pattern)
    except ValueError as error:
        raise Refused(str(error)) from error
