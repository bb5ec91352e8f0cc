"""What automata cost: from an expression to a state, and a row of transitions.

    python -m benchmarks.automata

Expressions are the patterns of `benchmarks.patterns`, the formats of JSON Schema, and the patterns and bounds of
JSONSchemaBench if CONSTRAIN_DATA (or ../shared) has them. Rows are made breadth first, at most 200 of an expression,
each timed with a clock that takes 0.03 us.
"""

from __future__ import annotations

import ctypes
import gc
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from benchmarks.patterns import PATTERNS
from constrain.automata import derive, tables
from constrain.automata.build import Built
from constrain.automata.dfa import DfaStore
from constrain.errors import ConstrainError
from constrain.ir.expr import Expr
from constrain.jit import i32, kernel
from constrain.limits import Limits
from constrain.specs.json_schema import number_texts, numbers
from constrain.specs.json_schema.formats import FORMATS
from constrain.specs.json_schema.patterns import pattern
from constrain.specs.json_schema.text import Speller
from constrain.specs.regex import parse_regex

ROWS = 200
"""Rows made of one expression."""
Times = list[int]
LIMITS = Limits()


def schemas() -> Iterator[Any]:
    """The schemas of JSONSchemaBench, if they are there."""
    folder = Path(os.environ.get("CONSTRAIN_DATA", Path(__file__).resolve().parents[2] / "shared"))
    path = folder / "jsonschemabench" / "dev.jsonl.gz"
    if path.exists():
        for line in gzip.open(path):
            yield json.loads(line)["schema"]


def parts_of(value: Any) -> Iterator[dict[str, Any]]:
    """All objects within a JSON value."""
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            yield here
            todo += here.values()
        elif isinstance(here, list):
            todo += here


def bounded(low: float | None, high: float | None) -> Expr:
    """The numbers between two bounds."""
    allowed = numbers.bounded(high, False, False) if high is not None else numbers.bounded(low or 0, True, False)
    if low is not None and high is not None:
        allowed = numbers.intersect(allowed, numbers.bounded(low, True, False))
    return number_texts.expression(allowed)


def expressions() -> dict[str, list[Expr]]:
    """What is built, by kind."""
    strings, texts, bounds = Speller(every_way=False), set(), set()
    for schema in schemas():
        for part in parts_of(schema):
            if isinstance(part.get("pattern"), str):
                texts.add(part["pattern"])
            pair = part.get("minimum"), part.get("maximum")
            if pair != (None, None) and all(each is None or type(each) in (int, float) for each in pair):
                bounds.add(pair)
    makers: dict[str, list[Callable[[], Expr]]] = {
        "schema patterns": [lambda text=text: strings.string(pattern(text)) for text in sorted(texts)],
        "formats": [lambda make=make: strings.string(make()) for make in FORMATS.values()],
        "numbers": [lambda pair=pair: bounded(*pair) for pair in sorted(bounds, key=str)],
        "patterns": [lambda each=each: parse_regex(each.pattern) for each in PATTERNS],
    }
    return {name: list(made(each)) for name, each in makers.items()}


def made(makers: list[Callable[[], Expr]]) -> Iterator[Expr]:
    """The expressions that front ends do not refuse."""
    for make in makers:
        try:
            yield make()
        except ConstrainError:
            continue


clock = ctypes.CDLL(None).clock_gettime
clock.argtypes, clock.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_int


@kernel
def breadth_first(block: int, queue: Any, times: Any, now: Any, address: int) -> int:
    """Make rows breadth first, each timed; returns 0 or a status.

    `queue` begins with how many states have been left and met, `times` with how many rows have been made.
    """
    i, n, made = queue[0], queue[1], times[0]
    status = 0
    while i < n:
        q = queue[2 + i]
        if not i32(block, tables.STATE)[8 * q + tables.FLAGS] & tables.READY:
            clock(1, address)
            begun = now[0] * 1_000_000_000 + now[1]
            status = derive.make_ready(block, q)
            clock(1, address)
            if status < 0:
                break
            times[1 + made] = now[0] * 1_000_000_000 + now[1] - begun
            made += 1
        state = i32(block, tables.STATE)
        for c in range(state[8 * q + tables.ROW], state[8 * q + tables.ROW] + state[8 * q + tables.CLASSES]):
            after, known = i32(block, tables.TARGET)[c], n == len(queue) - 2
            for j in range(n):
                known = known or queue[2 + j] == after
            if after != tables.DEAD and not known:
                queue[2 + n] = after
                n += 1
        i += 1
    queue[0], queue[1], times[0] = i, n, made
    return status


class Timed(DfaStore):
    """A store that tells how long the parts of a start take: emitting a program, and the units that run it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.units: int = 0

    def _call(self, unit: Callable[..., int], *args: int) -> int:
        begun = perf_counter_ns()
        result = super()._call(unit, *args)
        self.units += perf_counter_ns() - begun
        return result


def points(exprs: list[Expr], store: Timed) -> dict[str, Times]:
    """The times of automata by partial derivatives."""
    built: Built = {}
    times: dict[str, Times] = {"build and start": [], "  in Python": [], "  in units": [], "row": []}
    states = []
    for expr in exprs:
        store.units, begun = 0, perf_counter_ns()
        states.append(store.start(expr, LIMITS, built))
        whole = perf_counter_ns() - begun
        for name, ns in (("build and start", whole), ("  in Python", whole - store.units), ("  in units", store.units)):
            times[name].append(ns)
    for start in states:
        times["row"] += rows(store, start)
    return times


def rows(store: DfaStore, start: int) -> Times:
    """The times of the rows of one automaton, breadth first."""
    queue, times, now = np.zeros(ROWS + 2, np.int64), np.zeros(ROWS + 1, np.int64), np.zeros(2, np.int64)
    queue[1:3] = 1, start
    while (status := breadth_first(store.block, queue, times, now, now.ctypes.data)) < 0:
        store.grow(status)
    found: Times = times[1 : 1 + times[0]].tolist()
    return found


def main() -> None:
    """Print a line of microseconds for each kind of expression and each step."""
    store = Timed(LIMITS)
    points([parse_regex("[a-z]+(?!b)")], Timed(LIMITS))  # compiles
    print(f"{'us':18}{'step':22}{'p50':>9}{'p90':>9}{'p99':>9}{'mean':>9}{'count':>8}")
    gc.disable()
    for kind, exprs in expressions().items():
        if not exprs:
            continue
        for step, times in points(exprs, store).items():
            us = np.array(times) / 1000
            figures = "".join(f"{value:9.2f}" for value in (*np.percentile(us, [50, 90, 99]), us.mean()))
            print(f"{kind:18}{step:22}{figures}{len(us):8}", flush=True)
    count = store.tables["count"]
    rows = int((store.tables["state"][tables.ROW :: 8][: count[tables.STATES]] >= 0).sum())
    print(f"{store}, {rows} rows, {store.nbytes / 1e6:.1f} MB of tables")


if __name__ == "__main__":
    main()
