"""A run: every item with every engine, engines by turns item by item, results written as they come.

Items are dealt to *lanes*. A lane has a process for each engine, of which one works at a time, so that as many cores
are needed as there are lanes. Locally a lane is a thread that waits for its processes; with Ray it is an actor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks import running
from benchmarks.jsonschemabench.data import Item
from benchmarks.jsonschemabench.records import Record, Run
from benchmarks.jsonschemabench.store import Store
from benchmarks.jsonschemabench.worker import Job, Worker

T = TypeVar("T")

BATCH = 50
"""Items that are read once, then again: fewer than any engine remembers."""


@dataclass(frozen=True)
class Turn:
    """One item in one pass, and the engines that it is for, in order."""

    item: Item
    run: int
    engines: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    jobs: dict[str, Job]
    """By engine."""
    items: Sequence[Item]
    passes: int = 1
    lanes: int = 1


class Lane:
    """A process for each engine."""

    def __init__(self, jobs: dict[str, Job]) -> None:
        self._workers = {name: Worker(job) for name, job in jobs.items()}

    def take(self, turn: Turn) -> Iterator[Record]:
        """Measure an item with the engines, one after the other. Raises LoadError."""
        for name in turn.engines:
            yield self._workers[name].look(turn.item, turn.run)

    def stop(self) -> None:
        """Kill the processes."""
        for worker in self._workers.values():
            worker.stop()


def shard(items: Sequence[T], text: str) -> Sequence[T]:
    """The items of shard i of n, i from 0.

    >>> [item.id for item in shard([Item(name, "", {}) for name in "abcde"], "1/2")]
    ['b', 'd']
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ValueError(f"--shard is {text!r}; it takes I/N with I from 0 to N - 1, such as 0/4")
    return items[int(number) :: int(count)]


def turns(plan: Plan, done: Iterable[tuple[str, str, int]], lane: int) -> list[Turn]:
    """What is left for a lane to do: batch by batch, each pass over a batch before the next one."""
    done = set(done)
    mine = list(enumerate(plan.items))[lane :: plan.lanes]
    found = []
    for first in range(0, len(mine), BATCH):
        for run in range(1, plan.passes + 1):
            for number, item in mine[first : first + BATCH]:
                order = running.turns(list(plan.jobs), number + run)
                engines = tuple(name for name in order if (item.id, name, run) not in done)
                found += [Turn(item, run, engines)] if engines else []
    return found


def run_here(plan: Plan, about: Run, store: Store) -> int:
    """Run on this machine; how many records were written. Raises LoadError."""
    todo = [turns(plan, store.done, lane) for lane in range(plan.lanes)]
    return _write(store, about, sum(map(_size, todo)), lambda put: _threads(plan, todo, put))


def _threads(plan: Plan, todo: list[list[Turn]], put: Callable[[Record], None]) -> None:
    lanes = [Lane(plan.jobs) for _ in todo]

    def walk(lane: Lane, turns: list[Turn]) -> None:
        for turn in turns:
            for record in lane.take(turn):
                put(record)

    try:
        with ThreadPoolExecutor(len(lanes)) as pool:
            for future in [pool.submit(walk, lane, turns) for lane, turns in zip(lanes, todo)]:
                future.result()
    finally:
        for lane in lanes:
            lane.stop()


def run_on_ray(plan: Plan, about: Run, store: Store, address: str) -> int:
    """Run on a Ray cluster, lanes as actors; results are written here. Raises LoadError, ImportError."""
    import ray

    if not ray.is_initialized():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    todo = [turns(plan, store.done, lane) for lane in range(plan.lanes)]
    return _write(store, about, sum(map(_size, todo)), lambda put: _actors(ray, plan, todo, put))


def _actors(ray: Any, plan: Plan, todo: list[list[Turn]], put: Callable[[Record], None]) -> None:
    """Every actor has one turn at a time, and the next one when it is done."""
    place = {"env_vars": {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}}
    remote = ray.remote(num_cpus=1, runtime_env=place)(_RayLane)
    lanes = [remote.remote(plan.jobs) for _ in todo]
    waiting = [iter(turns) for turns in todo]
    running_turns = {}
    for number, lane in enumerate(lanes):
        _next_turn(lane, number, waiting[number], running_turns)
    try:
        while running_turns:
            (ready, *_), _ = ray.wait(list(running_turns), num_returns=1)
            number = running_turns.pop(ready)
            for record in ray.get(ready):
                put(record)
            _next_turn(lanes[number], number, waiting[number], running_turns)
    finally:
        for lane in lanes:
            ray.kill(lane)


def _next_turn(lane: Any, number: int, turns: Iterator[Turn], running_turns: dict[Any, int]) -> None:
    turn = next(turns, None)
    if turn is not None:
        running_turns[lane.take.remote(turn)] = number


class _RayLane:
    """A lane elsewhere. The kernels of a machine are compiled before its first item."""

    def __init__(self, jobs: dict[str, Job]) -> None:
        from constrain.warmup import warm_up

        warm_up()
        self._lane = Lane(jobs)

    def take(self, turn: Turn) -> list[Record]:
        return list(self._lane.take(turn))


def _size(turns: list[Turn]) -> int:
    return sum(len(turn.engines) for turn in turns)


def _write(store: Store, about: Run, count: int, work: Callable[[Callable[[Record], None]], None]) -> int:
    """Write what comes, with a progress bar."""
    if not count:
        return 0
    before = len(store.done)
    store.append(about)
    with running.bar(count, about.mode) as advance:

        def put(record: Record) -> None:
            store.append(record)
            advance()

        work(put)
    return len(store.done) - before
