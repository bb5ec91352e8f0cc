"""Masks: a schema is compiled, and its instances are read token by token, timed and judged, without a model.

*TTFM* is compile and first mask. *TBM* is mask and commit for one token; at the end of a text there is one more mask,
which has to allow an end-of-sequence token. An item passes if it compiles and every valid instance is accepted to its
end and every other one is not.
"""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.jsonschemabench.data import Item
from benchmarks.jsonschemabench.engines import made
from benchmarks.jsonschemabench.records import Record, Text
from benchmarks.peers import encode, pretrained

COLLECT = 250
"""Items between two full collections of garbage. What is young is collected after every item; no clock runs then."""


class Late(Exception):
    """The time for one item is up."""


class Masks:
    """One engine with one vocabulary."""

    def __init__(self, engine: str, tokenizer: str, seconds: float, options: dict[str, Any]) -> None:
        self._engine, self._seconds = made(engine, options), seconds
        self._engine.load(Path(tokenizer))
        self._tokenizer = pretrained(Path(tokenizer))
        self._looked = 0
        self._stopped: set[str] = set()
        """Items for which the time was up: what the engine has of them may be half made."""
        self.look(Item("warm-up", "", {"type": "object"}, [{"data": {"warm": [1, 2.5]}, "valid": True}]), 1)
        gc.collect()
        gc.freeze()

    def look(self, item: Item, run: int) -> Record:
        """Compile the schema of an item and read its instances."""
        record = Record(item.id, item.split, self._engine.name, run, schema_bytes=len(json.dumps(item.schema)))
        record.vocabulary = self._engine.size
        if item.id in self._stopped:
            record.fail("timeout", "stopped in an earlier pass")
            return record
        tokens = [encode(self._tokenizer, json.dumps(test["data"], ensure_ascii=False)) for test in item.tests]
        self._looked += 1
        gc.collect(2 if self._looked % COLLECT == 0 else 1)
        gc.disable()
        try:
            with alarm(self._seconds):
                self._take(item, tokens, record)
        except Late:
            record.fail("timeout", f"not done after {self._seconds:g} s")
            self._stopped.add(item.id)
        finally:
            gc.enable()
        return record

    def _take(self, item: Item, tokens: Sequence[Sequence[int]], record: Record) -> None:
        """What goes wrong is written into the record."""
        try:
            compiled = self._compile(item.schema, record)
        except Late:
            raise
        except Exception as error:  # a crash is a result of the benchmark
            self._refuse(record, error, item)
            return
        for test, ids in zip(item.tests, tokens):
            text = Text(test["valid"], False, len(ids))
            record.texts.append(text)
            try:
                text.refused = self._read(self._engine.begin(compiled), ids, text.steps_ns)
                text.accepted = not text.refused
            except Late:
                raise
            except Exception as error:  # likewise
                text.refused = f"{type(error).__name__}: {error}"[:200]
                record.fail("false reject" if isinstance(error, self._engine.refusals) else "crash", error)
                continue
            if test["valid"] and text.refused:
                record.fail("false reject", text.refused)
            elif not test["valid"] and text.accepted:
                record.fail("false accept", json.dumps(test["data"], ensure_ascii=False))

    def _compile(self, schema: Any, record: Record) -> Any:
        """Compile and fill the first mask, timed."""
        start = perf_counter_ns()
        compiled = self._engine.compile_schema(schema)
        record.compile_ns = perf_counter_ns() - start
        matcher = self._engine.begin(compiled)
        start = perf_counter_ns()
        self._engine.fill(matcher)
        record.first_ns = perf_counter_ns() - start
        return compiled

    def _refuse(self, record: Record, error: Exception, item: Item) -> None:
        """The schema did not compile. To say that nothing meets it is right if no instance is valid."""
        if type(error).__name__ == "UnsatisfiableError" and not any(test["valid"] for test in item.tests):
            return
        record.fail("compile error" if isinstance(error, self._engine.refusals) else "crash", error)

    def _read(self, matcher: Any, tokens: Sequence[int], steps: list[int]) -> str:
        """One instance, timed; where it is refused, or "" if it is accepted to its end."""
        engine, clock = self._engine, perf_counter_ns
        for place, token in enumerate([*tokens, self._tokenizer.eos_token_id]):
            start = clock()
            engine.fill(matcher)
            spent = clock() - start
            if not engine.permits(token):
                return f"{self._where(tokens, place)} {engine.trouble(matcher)}".strip()
            if place < len(tokens):
                start = clock()
                moved = engine.commit(matcher, token)
                spent += clock() - start
                if not moved:
                    return f"{self._where(tokens, place)}, in the mask, but not accepted"
            steps.append(spent)
        return ""

    def _where(self, tokens: Sequence[int], place: int) -> str:
        """A token in its place."""
        token = self._tokenizer.decode(list(tokens[place : place + 1]))
        return f"{token!r} after {self._tokenizer.decode(list(tokens[:place]))[-60:]!r}" if token else "the end"


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise Late when time is up. Compiled code that does not come back to Python cannot be stopped this way."""

    def ring(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
