"""Whether time grows with the length of a text and no faster: 10,000 and 100,000 bytes of four kinds.

Every engine reads each text with a fresh matcher after its caches were emptied and a text of 1,000 bytes of the same
kind was read, so that what is learnt once does not count. `slope` is the time for a byte of the long text divided by
that of the short one: 1 is linear. At the end everything is taken back; that is exact if the first masks that follow
are the ones that were there before.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks.peers import GrammarEngine
from benchmarks.report import figure

SIZES = (10_000, 100_000)
WARM = 1_000
COMPARED = 100
"""Masks compared after a rollback."""

STOPPED = "stopped"

HEADER = ("text", "engine", "kB/s at 10 kB", "kB/s at 100 kB", "slope", "slowest us", "MB", "taken back")


@dataclass(frozen=True)
class Case:
    """A kind of text of any size."""

    name: str
    grammar: str
    """A grammar of the library, or the text of one."""
    make: Callable[[int], str]

    def path(self, folder: Path) -> Path:
        """The grammar in a file."""
        if "\n" not in self.grammar:
            from constrain.specs.library import library_file

            return library_file(self.grammar)
        path = folder / f"{self.name.replace(' ', '_')}.lark"
        path.write_text(self.grammar, "utf-8")
        return path


def items(size: int) -> str:
    """A list of words between commas."""
    return ",".join(("alpha", "be", "gamma")[i % 3] for i in range(size // 5))


def numbers(size: int) -> str:
    """A flat JSON array."""
    return "[" + ", ".join(str(i * 7919 % 1000) for i in range(size * 100 // 489)) + "]"


def nested(size: int) -> str:
    """JSON arrays inside of each other."""
    return "[" * (size // 2) + "]" * (size // 2)


CASES = (
    Case("nested arrays", "json", nested),
    Case("flat array", "json", numbers),
    Case("right recursion", 'start: ITEM "," start | ITEM\nITEM: /[a-z]+/\n', items),
    Case("left recursion", 'start: start "," ITEM | ITEM\nITEM: /[a-z]+/\n', items),
)


@dataclass
class Reading:
    """One engine over one text."""

    size: int
    read: int = 0
    """Bytes read; fewer than `size` if the engine gave up or ran out of time."""
    seconds: float = 0.0
    slowest_us: float = 0.0
    grown_mb: float = 0.0
    exact: bool | None = None
    message: str = ""

    @property
    def rate(self) -> float:
        """Bytes in a second."""
        return self.read / self.seconds if self.seconds else 0.0


def measure(
    engines: Sequence[GrammarEngine], encode: Callable[[str], list[int]], folder: Path, limit: float
) -> Iterator[dict[str, Any]]:
    """A record for each kind of text and engine."""
    for case in CASES:
        path = case.path(folder)
        texts = {size: case.make(size) for size in (WARM, *SIZES)}
        tokens = {size: encode(text) for size, text in texts.items()}
        for engine in engines:
            readings = []
            for size in SIZES:
                readings.append(reading(engine, path, tokens[WARM], tokens[size], len(texts[size]), limit))
                if readings[-1].message:
                    break
            yield record(case, engine, readings)


def record(case: Case, engine: GrammarEngine, readings: Sequence[Reading]) -> dict[str, Any]:
    """What the two readings say together."""
    whole = len(readings) == len(SIZES) and all(r.read == r.size for r in readings)
    slope = readings[0].rate / readings[-1].rate if whole and readings[-1].rate else None
    shown = [vars(r) | {"bytes_per_second": round(r.rate)} for r in readings]
    return {"text": case.name, "engine": engine.name, "slope": slope and round(slope, 3), "readings": shown}


def reading(
    engine: GrammarEngine, path: Path, warm: Sequence[int], tokens: Sequence[int], size: int, limit: float
) -> Reading:
    """Read a text to its end, or until time is up, and take it back."""
    result = Reading(size)
    try:
        engine.clear()
        compiled = engine.compile_grammar(engine.source(path))
        walk(engine, engine.begin(compiled), warm, Reading(WARM), limit)
        gc.collect()
        matcher = engine.begin(compiled)
        before, masks = resident(), first_masks(engine, matcher, tokens)
        matcher = engine.begin(compiled)
        gc.disable()
        done = walk(engine, matcher, tokens, result, limit)
        result.read = size if done == len(tokens) else round(size * done / len(tokens))
        result.grown_mb = round((resident() - before) / 2**20, 1)
        if not result.message.startswith(STOPPED):  # some engines cannot go back from an error
            taken = engine.rollback(matcher, done)
            result.exact = taken and first_masks(engine, matcher, tokens[:done]) == masks[:done]
    except Exception as error:  # an engine's crash is a result of the benchmark
        result.message = result.message or f"{type(error).__name__}: {error}"
    finally:
        gc.enable()
    return result


def walk(engine: GrammarEngine, matcher: Any, tokens: Sequence[int], result: Reading, limit: float) -> int:
    """Fill a mask and commit for each token; the number of tokens read."""
    total = slowest = 0
    most = limit * 1e9
    for number, token in enumerate(tokens):
        start = perf_counter_ns()
        engine.fill(matcher)
        moved = engine.commit(matcher, token)
        took = perf_counter_ns() - start
        total, slowest = total + took, max(slowest, took)
        result.seconds, result.slowest_us = total / 1e9, slowest / 1e3
        if not moved:
            result.message = f"{STOPPED} at token {number:,} {engine.trouble(matcher)}".strip()
            return number
        if total > most:
            result.message = f"not done after {limit:g} s"
            return number + 1
    return len(tokens)


def first_masks(engine: GrammarEngine, matcher: Any, tokens: Sequence[int]) -> list[bytes]:
    """The masks of the first tokens."""
    masks = []
    for token in tokens[:COMPARED]:
        engine.fill(matcher)
        masks.append(engine.allowed().tobytes())
        engine.commit(matcher, token)
    return masks


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def rows(records: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """One row for each kind of text and engine."""
    for found in records:
        last = found["readings"][-1]
        rates = [figure(r["bytes_per_second"] / 1e3) if r["read"] == r["size"] else "-" for r in found["readings"]]
        rates += ["-"] * (len(SIZES) - len(rates))
        slope = figure(found["slope"]) if found["slope"] else "-"
        exact = {True: "exact", False: "not exact", None: "-"}[last["exact"]]
        slowest, grown = figure(last["slowest_us"]), f"{last['grown_mb']:g}"
        yield found["text"], found["engine"], *rates, slope, slowest, grown, exact


def notes(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Why a text was not read to its end."""
    for found in records:
        last = found["readings"][-1]
        if last["message"]:
            message = " ".join(last["message"].split())[:200]
            yield f"{found['text']}, {found['engine']}: {last['read']:,} of {last['size']:,} bytes; {message}"
