"""The benchmark of schemas: what is stopped, and what becomes of the others."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.schema_engines import Plain
from benchmarks.schema_turns import Bench, Item, take_turn
from benchmarks.schemas import jobs


class Slow(Plain):
    """An engine that remembers what it compiled, and is never done with one schema."""

    name, refusals = "slow", ()

    def __init__(self) -> None:
        self.compiled: list[Any] = []
        self.remembered: set[str] = set()

    def compile_schema(self, schema: str) -> str:
        self.compiled.append(schema)
        while schema == "endless":
            time.sleep(0.001)
        self.remembered.add(schema)
        return schema

    def begin(self, compiled: str) -> str:
        return compiled

    def fill(self, matcher: str) -> None:
        pass

    def clear(self) -> None:
        self.remembered.clear()


def test_a_schema_that_is_stopped_takes_nothing_from_the_others() -> None:
    engine = Slow()
    items = [Item(name, "", name, []) for name in ("one", "endless", "two")]
    bench = Bench(items, [engine], None, 0.05)
    records = [take_turn(bench, engine, item, run) for run, _, item in jobs(items, 2)]  # type: ignore[arg-type]
    assert [record.outcome for record in records] == ["pass", "late", "pass"] * 2
    assert engine.remembered == {"one", "two"}
    assert engine.compiled == ["one", "endless", "two", "one", "two"], "and is not tried again"
    assert records[1].message == "not done after 0.05 s" and not records[4].compiled
