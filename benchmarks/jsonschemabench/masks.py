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
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.jsonschemabench.data import Item
from benchmarks.jsonschemabench.engines import made
from benchmarks.jsonschemabench.records import Record, Text
from benchmarks.peers import encode, pretrained

COLLECT = 100
"""Items between two full collections of garbage. What is young is collected after every item; no clock runs then."""


class Late(Exception):
    """The time for one item is up."""


@dataclass(frozen=True)
class Encoded:
    """An item with its instances cut into tokens, so that the processes of engines need no tokenizer for that."""

    item: Item
    ids: list[list[int]]
    """The tokens of each instance."""
    pieces: list[list[str]]
    """What they look like."""
    eos: int

    @property
    def id(self) -> str:
        """Of the item."""
        return self.item.id

    @property
    def split(self) -> str:
        """Of the item."""
        return self.item.split


class Encoder:
    """Cuts instances into tokens."""

    def __init__(self, tokenizer_dir: Path) -> None:
        self._tokenizer = pretrained(tokenizer_dir)
        self._pieces: dict[int, str] = {}

    def encoded(self, item: Item) -> Encoded:
        """An item with tokens."""
        ids = [encode(self._tokenizer, json.dumps(test["data"], ensure_ascii=False)) for test in item.tests]
        for token in {token for each in ids for token in each} - self._pieces.keys():
            self._pieces[token] = self._tokenizer.decode([token])
        pieces = [[self._pieces[token] for token in each] for each in ids]
        return Encoded(item, ids, pieces, self._tokenizer.eos_token_id)


class Masks:
    """One engine with one vocabulary."""

    def __init__(self, engine: str, tokenizer: str, seconds: float, options: dict[str, Any], warm_up: Encoded) -> None:
        self._engine, self._seconds = made(engine, options), seconds
        self._engine.load(Path(tokenizer))
        self._looked = 0
        self._stopped: set[str] = set()
        """Items for which the time was up: what the engine has of them may be half made."""
        self.look(warm_up, 1)
        gc.collect()
        gc.freeze()

    def look(self, encoded: Encoded, run: int) -> Record:
        """Compile the schema of an item and read its instances."""
        item = encoded.item
        record = Record(item.id, item.split, self._engine.name, run, schema_bytes=len(json.dumps(item.schema)))
        record.vocabulary = self._engine.size
        if item.id in self._stopped:
            record.fail("timeout", "stopped in an earlier pass")
            return record
        self._looked += 1
        gc.collect(2 if self._looked % COLLECT == 0 else 1)
        gc.disable()
        try:
            with alarm(self._seconds):
                self._take(encoded, record)
        except Late:
            record.fail("timeout", f"not done after {self._seconds:g} s")
            self._stopped.add(item.id)
        finally:
            gc.enable()
        return record

    def _take(self, encoded: Encoded, record: Record) -> None:
        """What goes wrong is written into the record."""
        item = encoded.item
        try:
            compiled = self._compile(item.schema, record)
        except Late:
            raise
        except Exception as error:  # a crash is a result of the benchmark
            self._refuse(record, error, item)
            return
        for test, ids, pieces in zip(item.tests, encoded.ids, encoded.pieces):
            text = Text(test["valid"], False, len(ids))
            record.texts.append(text)
            try:
                trouble = self._read(self._engine.begin(compiled), [*ids, encoded.eos], text.steps_ns)
                text.accepted = trouble is None
                text.refused = "" if trouble is None else f"{where(pieces, len(text.steps_ns))} {trouble}".strip()
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

    def _read(self, matcher: Any, tokens: Sequence[int], steps: list[int]) -> str | None:
        """One instance, the end included, timed; None if it is accepted, else what the engine says of it."""
        engine, clock = self._engine, perf_counter_ns
        for place, token in enumerate(tokens, 1):
            start = clock()
            engine.fill(matcher)
            spent = clock() - start
            if not engine.permits(token):
                return str(engine.trouble(matcher))
            if place < len(tokens):
                start = clock()
                moved = engine.commit(matcher, token)
                spent += clock() - start
                if not moved:
                    return ", in the mask, but not accepted"
            steps.append(spent)
        return None


def where(pieces: Sequence[str], place: int) -> str:
    """A token in its place.

    >>> where(["[", "1", "]"], 1), where(["[", "1", "]"], 3)
    ("'1' after '['", 'the end')
    """
    return f"{pieces[place]!r} after {''.join(pieces[:place])[-60:]!r}" if place < len(pieces) else "the end"


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
