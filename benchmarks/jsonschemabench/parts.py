"""Where the time of cold masks goes, part by part: what to look at first when masks are to become faster.

The parts of this package are clocked while texts are read for the first time. What one part spends inside of another is
counted for the other one alone, so that the parts add up; the clocks themselves make everything some percent slower.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.jsonschemabench.engines import installed, made
from benchmarks.jsonschemabench.masks import Encoded
from benchmarks.tables import Table
from constrain.automata.dfa import DfaStore
from constrain.automaton import Matcher
from constrain.engine.lower import Lowering
from constrain.engine.network import Network
from constrain.engine.rows import RowStates
from constrain.engine.session import Session
from constrain.engine.vocabulary_tables import VocabularyTables
from constrain.specs.json_schema import rows
from constrain.specs.json_schema.lowering import SchemaLowering
from constrain.warmup import warm_up as warm_up_kernels

PARTS: dict[str, Sequence[tuple[Any, str]]] = {
    "masks: compiled code, and calls of it": [(Session, "fill")],
    "steps: compiled code, and calls of it": [(Session, "commit")],
    "expressions to automata": [(DfaStore, "start")],
    "token sets of automata": [(VocabularyTables, "ready"), (VocabularyTables, "counted_set")],
    "schemas to rows": [(rows, "read_rows")],
    "rows to states, and terminals that they ask for": [
        (RowStates, "write"),
        (RowStates, "write_all"),
        (RowStates, "spell"),
    ],
    "schemas to rules, where rows are HARD": [(SchemaLowering, "_body")],
    "rules to networks": [(Network, "_read_rules"), (Network, "line")],
    "networks to tables": [(Lowering, "expand")],
    "values that may not come again": [(Session, "_excluded"), (Session, "_data_with"), (Session, "_rule_after")],
    "masks: tokens that are tried one by one": [(Session, "_try_tokens")],
    "matchers": [(Matcher, "fill_bitmask"), (Matcher, "accept_token")],
}


@dataclass
class Clock:
    """Nanoseconds and calls of each part, while it runs."""

    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    runs: bool = False
    _inner: list[int] = field(default_factory=list)
    """What parts within each of the parts that are open have spent."""

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, clocked."""

        def call(*args: Any, **named: Any) -> Any:
            if not self.runs:
                return function(*args, **named)
            self._inner.append(0)
            start = perf_counter_ns()
            try:
                return function(*args, **named)
            finally:
                whole = perf_counter_ns() - start
                self.spent[part] += whole - self._inner.pop()
                self.calls[part] += 1
                if self._inner:
                    self._inner[-1] += whole

        return call


@contextmanager
def clocked(clock: Clock) -> Iterator[None]:
    """Put the clock into all parts."""
    kept = [(owner, name, getattr(owner, name)) for places in PARTS.values() for owner, name in places]
    for part, places in PARTS.items():
        for owner, name in places:
            setattr(owner, name, clock.timed(part, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


@dataclass
class Read:
    """Texts that an engine has read."""

    tokens: int = 0
    nanoseconds: int = 0

    @property
    def average(self) -> float:
        """Microseconds a token."""
        return self.nanoseconds / 1000 / max(1, self.tokens)


def read_all(engine: Any, items: Sequence[Encoded], clock: Clock) -> Read:
    """Read the valid texts of all items for the first time. The clock runs from the second mask of each text on."""
    read = Read()
    for encoded in items:
        try:
            compiled = engine.compile_schema(encoded.item.schema)
            for test, ids in zip(encoded.item.tests, encoded.ids):
                if test["valid"]:
                    _read(engine, engine.begin(compiled), ids, read, clock)
        except Exception:  # refusals and the like: `masks` tells of them
            continue
        finally:
            clock.runs = False
        gc.collect(1)
    return read


def _read(engine: Any, matcher: Any, ids: Sequence[int], read: Read, clock: Clock) -> None:
    engine.fill(matcher)
    clock.runs = True
    for token in ids:
        start = perf_counter_ns()
        try:
            engine.commit(matcher, token)
            engine.fill(matcher)
        finally:  # what ends in an error has been clocked, too
            read.nanoseconds += perf_counter_ns() - start
            read.tokens += 1
    clock.runs = False


def parts_of(items: Sequence[Encoded], tokenizer: Path, options: dict[str, Any], warm_up: Encoded) -> Table:
    """What each part takes, as a table."""
    warm_up_kernels()
    gc.collect()
    gc.disable()
    clock, never = Clock(), Clock()
    engine = made("constrain", options)
    engine.load(tokenizer)
    read_all(engine, [warm_up], never)
    with clocked(clock):
        read = read_all(engine, items, clock)
    rows = [
        (part, f"{clock.calls[part] / read.tokens:.2f}", f"{spent / 1000 / read.tokens:.1f}", f"{share:.0%}")
        for part, spent in sorted(clock.spent.items(), key=lambda item: -item[1])
        for share in [spent / max(1, sum(clock.spent.values()))]
    ]
    rows.append(("all, with the clocks", "", f"{read.average:.1f}", ""))
    notes = [f"{len(items)} schemas, {read.tokens:,} tokens of valid texts, each schema read for the first time"]
    if installed("llguidance"):
        peer = made("llguidance", {})
        peer.load(tokenizer)
        read_all(peer, [warm_up], never)
        notes.append(
            f"llguidance, on those that it takes, in the same process: {read_all(peer, items, never).average:.1f}"
        )
    gc.enable()
    return Table(
        "Where the time of cold masks goes, microseconds a token", ("part", "calls", "time", "share"), rows, notes
    )
