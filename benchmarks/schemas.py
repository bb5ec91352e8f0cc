"""JSON Schemas of MaskBench, several engines: `python -m benchmarks.schemas --limit 150 --json out/schemas.json`.

An item is a schema with instances, of which it is known whether they are valid. Every engine compiles the schema and
fills the first mask (*TTFM* is both together), then reads each instance as `json.dumps` writes it, cut into tokens by
the tokenizer: the mask, whether it has the token, the token; at the end an end-of-sequence token. *TBM* is mask and
commit for one token, the mask at the end included. A schema *passes* if it compiles and every valid instance is
accepted to its end and every other one is not.

TTFM is compared on the schemas that both engines compile, TBM on the instances that both accept to their end. Engines
take turns schema by schema, in alternating order, in one process, with the garbage collector off; nothing is cleared,
as in a server. The second pass does everything again, compiling included, for a batch of schemas at a time, so that
engines that remember what they compiled find it.

`--only constrain` runs one engine once, for the pass rate; `--workers 2` does that in two processes, without times.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import re
import shlex
import signal
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Protocol

from benchmarks.grammars import Table, cell, data
from benchmarks.peers import Constrain, Engine, Llguidance, Refused, XGrammar, encode, installed, pretrained
from benchmarks.report import (
    PERCENTILES,
    figure,
    holds,
    machine,
    markdown_table,
    progress,
    replace_block,
    statistics,
    today,
    versions,
)

BEGIN, END = "<!-- schemas:begin -->", "<!-- schemas:end -->"
PACKAGES = ("constrain", "llguidance", "xgrammar", "numpy", "numba", "transformers", "tokenizers")
FIGURES = ("avg", *PERCENTILES, "max")
SLOW = 10.0
"""Seconds for compiling and the first mask, beyond which a schema does not pass."""
BATCH = 250
"""Schemas that are read once, then again: fewer than any engine remembers."""
COLLECT = 25
"""Schemas between two collections of garbage, which happen while no clock runs."""
SLOWEST = 20
"""Schemas that are listed for each engine."""
SHOWN = 40
"""Schemas that do not pass, on the terminal. The JSON file has them all."""
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
    parts_ms: dict[str, float] = field(default_factory=dict)
    """Where compiling spent its time, if the engine says so."""
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


# Engines


class SchemaEngine(Engine, Protocol):
    """What this benchmark asks of an engine."""

    refusals: tuple[type[Exception], ...]
    """What it raises for a schema that it does not take. Every other exception is a crash."""

    def compile_schema(self, schema: Any) -> Any:
        """A schema to whatever the engine shares between texts."""

    def begin(self, compiled: Any) -> Any:
        """A matcher at the start of a text; the last one of the same schema is not used any more. Not timed."""

    def parts(self, compiled: Any) -> dict[str, float]:
        """Where compiling spent its time, in milliseconds; not timed, and empty where nothing is known."""

    def next_batch(self) -> None:
        """Forget compiled schemas, if the engine would keep all of them; not timed."""


class Plain:
    """What most engines do not do."""

    def parts(self, compiled: Any) -> dict[str, float]:
        """Nothing is known."""
        return {}

    def next_batch(self) -> None:
        """What is remembered has a limit."""


class SchemaConstrain(Plain, Constrain):
    """This package; one compiler for all schemas."""

    def __init__(self, property_order: str = "schema", whitespace: str = "bounded") -> None:
        self.options = {"property_order": property_order, "whitespace": whitespace}

    def load(self, tokenizer_dir: Path) -> None:
        """As for patterns."""
        import constrain

        super().load(tokenizer_dir)
        self.json_schema, self.refusals = constrain.json_schema, (constrain.ConstrainError,)

    def compile_schema(self, schema: Any) -> Any:
        """Schema to automaton, read anew."""
        return self.compiler.compile(self.json_schema(schema, **self.options))


class SchemaLlguidance(Plain, Llguidance):
    """llguidance, white space as it comes."""

    refusals = (Refused, ValueError)

    def compile_schema(self, schema: Any) -> list[Any]:
        """See `Llguidance.compile_grammar`."""
        grammar = self.matcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": True})
        return [self.checked(grammar), grammar]


class SchemaXGrammar(Plain, XGrammar):
    """xgrammar: any white space, and not what it calls strict, which forbids keys that the schema allows."""

    refusals = (Refused,)

    def load(self, tokenizer_dir: Path) -> None:
        """With a compiler that keeps what it compiled."""
        import xgrammar

        super().load(tokenizer_dir)
        info = xgrammar.TokenizerInfo.from_huggingface(pretrained(tokenizer_dir))
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=os.cpu_count() or 1, cache_enabled=True)

    def compile_schema(self, schema: Any) -> Any:
        """Schema to a compiled grammar."""
        try:
            return self.compiler.compile_json_schema(json.dumps(schema), any_whitespace=True, strict_mode=False)
        except RuntimeError as error:
            raise Refused(str(error)) from error

    def next_batch(self) -> None:
        """Its cache has no limit."""
        self.compiler.clear_cache()


ENGINES: dict[str, type[SchemaConstrain] | type[SchemaLlguidance] | type[SchemaXGrammar]] = {
    engine.name: engine for engine in (SchemaConstrain, SchemaLlguidance, SchemaXGrammar)
}


# The run


@dataclass
class Bench:
    """Everything that is measured, and with what."""

    items: list[Item]
    engines: list[Any]
    tokenizer: Any
    seconds: float

    def turns(self, number: int) -> list[Any]:
        """The engines in the order in which they take this schema."""
        return self.engines if number % 2 == 0 else self.engines[::-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show tables, write what was asked for."""
    parser = argument_parser()
    given = parser.parse_args(arguments)
    problem = problem_with(given)
    if problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return 2
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    items = chosen(given)
    if given.workers > 1:
        records = run_in_processes(items, given)
    else:
        records = run(prepare(items, given), given.passes)
    publish(environment(given) | summarise(items, records, given), given)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.schemas", description="JSON Schemas: what passes, and when.")
    parser.add_argument("--file", type=Path, default=data() / "jsonschemabench" / "dev.jsonl.gz", help="the items")
    parser.add_argument("--tokenizer", type=Path, default=data() / "tokenizers" / "llama3", help="folder of one")
    parser.add_argument("--engines", default="", help=f"of {','.join(ENGINES)}; default: constrain,llguidance")
    parser.add_argument("--only", choices=list(ENGINES), help="one engine, one pass")
    parser.add_argument("--limit", type=int, help="how many schemas, spread over the list")
    parser.add_argument("--split", default="", help="names of splits, or beginnings of such names")
    parser.add_argument("--ids", default="", help="names of schemas")
    parser.add_argument("--passes", type=int, default=2, help="times that each schema is compiled and read")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for one schema, pass and engine")
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one for pass rates alone")
    parser.add_argument("--property-order", choices=("schema", "any"), default="schema", help="for constrain")
    parser.add_argument("--whitespace", choices=("bounded", "compact", "flexible"), default="bounded", help="likewise")
    parser.add_argument("--json", type=Path, help="file for all figures and every schema")
    parser.add_argument("--readme", type=Path, help=f"file in which to replace what stands between {BEGIN} and {END}")
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing; replaces lists in them by what they say."""
    if given.only or given.workers > 1:
        given.passes = 1
    given.engines = [given.only] if given.only else [name for name in given.engines.split(",") if name]
    given.engines = given.engines or [name for name in ("constrain", "llguidance") if installed(name)]
    for name in given.engines:
        if name not in ENGINES:
            return f"unknown engine {name!r}; there are {', '.join(ENGINES)}"
        if not installed(name):
            return f"{name} is not installed; leave it out of --engines"
    if not (given.tokenizer / "tokenizer.json").is_file():
        return f"no tokenizer.json in {given.tokenizer}; name a folder with --tokenizer, or set CONSTRAIN_DATA"
    if not given.file.is_file():
        return f"no file {given.file}; name one with --file, or set CONSTRAIN_DATA"
    if given.readme and not holds(given.readme, BEGIN, END):
        return f"{given.readme} does not exist or lacks the lines {BEGIN} and {END}"
    return "" if chosen(given) else "no schema has such a name or is in such a split"


def chosen(given: argparse.Namespace) -> list[Item]:
    """The items that the arguments name."""
    ids = set(filter(None, given.ids.split(",")))
    splits = tuple(filter(None, given.split.split(",")))
    found = [item for item in read_items(given.file) if (not ids or item.id in ids)]
    found = [item for item in found if not splits or item.split.startswith(splits)]
    count = len(found) if given.limit is None else max(0, min(given.limit, len(found)))
    return [found[i * len(found) // count] for i in range(count)]


def read_items(file: Path) -> list[Item]:
    """All items of a file with one JSON object a line, compressed or not."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        return [Item(**json.loads(line)) for line in lines if line.strip()]


def prepare(items: list[Item], given: argparse.Namespace) -> Bench:
    """Load the engines, compile their code, settle the collector."""
    engines: list[Any] = [made(name, given) for name in given.engines]
    for engine in engines:
        engine.load(given.tokenizer)
    bench = Bench(items, engines, pretrained(given.tokenizer), given.seconds)
    warm_up(bench)
    gc.collect()
    gc.freeze()
    return bench


def made(name: str, given: argparse.Namespace) -> Any:
    """An engine with its options."""
    if name == SchemaConstrain.name:
        return SchemaConstrain(given.property_order, given.whitespace)
    return ENGINES[name]()


def warm_up(bench: Bench) -> None:
    """Load machine code and touch pages: the kernels of constrain, and a small schema with every engine."""
    from constrain.warmup import warm_up

    warm_up()
    schema = {"type": "object", "properties": {"warm": {"type": "array", "items": {"type": "number"}}}}
    item = Item("warm-up", "", schema, [{"data": {"warm": [1, 2.5]}, "valid": True}])
    for engine in bench.engines:
        take_turn(bench, engine, item, 1)


def run(bench: Bench, passes: int) -> list[Record]:
    """Every schema with every engine, batch by batch."""
    records: list[Record] = []
    for run, number, item in progress(list(jobs(bench.items, passes)), "schemas"):
        if run == 1 and number % BATCH == 0:
            for engine in bench.engines:
                engine.next_batch()
        if number % COLLECT == 0:
            gc.collect()
        records += [take_turn(bench, engine, item, run) for engine in bench.turns(number)]
    return records


def jobs(items: Sequence[Item], passes: int) -> Iterator[tuple[int, int, Item]]:
    """Pass, number and item, in the order in which they are taken."""
    numbered = list(enumerate(items))
    for first in range(0, len(items), BATCH):
        for run in range(1, passes + 1):
            yield from ((run, number, item) for number, item in numbered[first : first + BATCH])


def take_turn(bench: Bench, engine: SchemaEngine, item: Item, run: int) -> Record:
    """One schema and all its instances with one engine."""
    record = Record(item.id, item.split, engine.name, run)
    tokens = [encode(bench.tokenizer, written(test["data"])) for test in item.tests]
    gc.disable()
    try:
        with alarm(bench.seconds):
            take(bench, engine, item, tokens, record)
    except Late:
        record.fail("late", f"not done after {bench.seconds:g} s")
        engine.clear()  # it may have been stopped anywhere
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
    record.parts_ms = engine.parts(compiled)
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


# Pass rates in several processes

_bench: Bench
"""Of a worker."""


def run_in_processes(items: list[Item], given: argparse.Namespace) -> list[Record]:
    """Every schema once, with nothing said about times."""
    records: list[Record] = []
    with get_context("spawn").Pool(given.workers, start_worker, (items, given)) as pool:
        found = pool.imap(work, range(len(items)), chunksize=8)
        for _ in progress(items, "schemas"):
            records += next(found)
    return records


def start_worker(items: list[Item], given: argparse.Namespace) -> None:
    """Load everything in a process of its own."""
    global _bench
    _bench = prepare(items, given)


def work(number: int) -> list[Record]:
    """One schema with every engine."""
    return [take_turn(_bench, engine, _bench.items[number], 1) for engine in _bench.engines]


# The summary


def summarise(items: list[Item], records: Sequence[Record], given: argparse.Namespace) -> dict[str, Any]:
    """What passes and why the rest does not, times, ratios, the slowest, and every schema."""
    by = {name: [record for record in records if record.engine == name] for name in given.engines}
    judged = {name: worst(mine) for name, mine in by.items()}
    summary: dict[str, Any] = {
        "rates": {name: rates(mine) for name, mine in judged.items()},
        "errors": {name: errors(mine) for name, mine in judged.items()},
        "schemas": every_schema(records),
    }
    if given.workers > 1:
        return summary
    return summary | {
        "times": {name: times(mine, given.passes) for name, mine in by.items()},
        "pairs": {f"{a}/{b}": pair(by[a], by[b], given.passes) for a, b in combinations(by, 2)},
        "slowest": {name: slowest(items, mine, given.tokenizer) for name, mine in by.items()},
    }


def worst(records: Iterable[Record]) -> list[Record]:
    """Of each schema the pass with the worst outcome."""
    found: dict[str, Record] = {}
    for record in records:
        if record.id not in found or badness(record.outcome) > badness(found[record.id].outcome):
            found[record.id] = record
    return list(found.values())


def rates(records: Sequence[Record]) -> dict[str, Any]:
    """How many schemas ended how, in all and by split."""
    splits = {split: [r for r in records if r.split == split] for split in sorted({r.split for r in records})}
    return {
        "schemas": len(records),
        "outcomes": dict.fromkeys(OUTCOMES, 0) | Counter(record.outcome for record in records),
        "splits": {split: [sum(r.outcome == "pass" for r in mine), len(mine)] for split, mine in splits.items()},
    }


def errors(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Errors that say the same of different schemas, the most frequent first."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if record.kind:
            found.setdefault((record.outcome, record.kind, without_details(record.message)), []).append(record)
    ranked = sorted(found.items(), key=lambda entry: -len(entry[1]))
    return [
        {"outcome": outcome, "kind": kind, "says": says, "count": len(mine), "ids": [r.id for r in mine[:5]]}
        for (outcome, kind, says), mine in ranked
    ]


def without_details(message: str) -> str:
    """The first line of an error, with what it quotes and counts left out.

    >>> without_details('key "a" at /b/0 is longer than 12')
    'key … at … is longer than N'
    """
    line = (message.splitlines() or [""])[0]
    line = re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|(?<!\w)[#/][^\s,;:)]+", "…", line)
    return re.sub(r"\d[\d,.]*", "N", line)[:160]


def every_schema(records: Iterable[Record]) -> dict[str, Any]:
    """Each schema with each engine and pass, in a few numbers."""
    found: dict[str, dict[str, list[Any]]] = {}
    for record in records:
        steps = [ns for text in record.texts.values() for ns in text]
        kept: dict[str, Any] = {name: getattr(record, name) for name in ("outcome", "faults", "parts_ms")}
        kept |= {"compile_us": record.compile_ns / 1e3, "first_us": record.first_ns / 1e3, "tokens": len(steps)}
        kept |= {"tbm_us": round(sum(steps) / len(steps) / 1e3, 3) if steps else None}
        kept |= {"slowest_us": record.slowest[0] / 1e3}
        found.setdefault(record.id, {}).setdefault(record.engine, []).append(kept)
    return found


def times(records: Sequence[Record], passes: int) -> dict[str, Any]:
    """By pass: TBM of the instances that the engine accepts, TTFM of the schemas that it compiles; microseconds."""
    found: dict[str, Any] = {}
    for run in range(1, passes + 1):
        mine = [record for record in records if record.run == run and record.compiled]
        steps = [ns for record in mine for text in record.texts.values() for ns in text]
        if steps:
            compiling = [record.compile_ns for record in mine]
            first = [record.ttfm_ns for record in mine]
            parts = {"tbm": steps, "ttfm": first, "compile": compiling}
            found[str(run)] = {part: statistics(ns) for part, ns in parts.items()}
    return found


def pair(left: Sequence[Record], right: Sequence[Record], passes: int) -> dict[str, Any]:
    """Two engines on the schemas that both compile, and on the instances that both accept to their end."""
    ours, theirs = shared(left, right), shared(right, left)
    found: dict[str, Any] = {"schemas": len({r.id for r in ours}), "instances": count_texts(ours)}
    found |= {"left": times(ours, passes), "right": times(theirs, passes)}
    found["ratios"] = {
        run: {part: divided(found["left"][run][part], found["right"][run][part]) for part in found["left"][run]}
        for run in found["left"]
    }
    return found


def shared(records: Sequence[Record], others: Sequence[Record]) -> list[Record]:
    """The records of schemas that both compile, with the texts that both accept, in every pass."""
    mine = texts_in_every_pass(records)
    both = {id: mine[id] & texts for id, texts in texts_in_every_pass(others).items() if id in mine}
    return [
        Record(r.id, r.split, r.engine, r.run, compile_ns=r.compile_ns, first_ns=r.first_ns, texts=kept)
        for r in records
        if r.id in both
        for kept in [{number: steps for number, steps in r.texts.items() if number in both[r.id]}]
    ]


def texts_in_every_pass(records: Iterable[Record]) -> dict[str, set[int]]:
    """The instances that an engine accepts, of each schema that it compiles."""
    found: dict[str, set[int]] = {}
    bad = {record.id for record in records if not record.compiled}
    for record in records:
        if record.id not in bad:
            found[record.id] = found.get(record.id, set(record.texts)) & set(record.texts)
    return found


def count_texts(records: Iterable[Record]) -> int:
    """The instances of one pass."""
    return sum(len(record.texts) for record in records if record.run == 1)


def divided(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Ratios of all figures: below 1, the left one is faster."""
    return {key: round(ours[key] / theirs[key], 4) for key in FIGURES if theirs[key]}


def slowest(items: Iterable[Item], records: Sequence[Record], tokenizer_dir: Path) -> dict[str, Any]:
    """The schemas that are slowest to compile, and those with the slowest steps, in the first pass."""
    by_id = {item.id: item for item in items}
    records = [record for record in records if record.run == 1]
    compiling = sorted((r for r in records if r.ttfm_ns), key=lambda r: -r.ttfm_ns)[:SLOWEST]
    stepping = sorted((r for r in records if r.slowest[0]), key=lambda r: -r.slowest[0])[:SLOWEST]
    tokenizer = pretrained(tokenizer_dir)
    return {
        "compile": [
            {"id": r.id, "ms": r.ttfm_ns / 1e6, "bytes": len(json.dumps(by_id[r.id].schema)), "parts_ms": r.parts_ms}
            for r in compiling
        ],
        "mask": [{"id": r.id, "us": r.slowest[0] / 1e3} | step(by_id[r.id], r, tokenizer) for r in stepping],
    }


def step(item: Item, record: Record, tokenizer: Any) -> dict[str, str]:
    """The slowest step in its place."""
    _, number, place = record.slowest
    tokens = encode(tokenizer, written(item.tests[number]["data"]))
    token = tokenizer.decode(tokens[place : place + 1]) or "the end"
    return {"before": tokenizer.decode(tokens[:place])[-40:], "token": token}


def environment(given: argparse.Namespace) -> dict[str, Any]:
    """Where, when, with what and how: enough to repeat it, and no path of the machine."""
    return {
        "date": today(),
        "machine": machine(),
        "versions": versions(PACKAGES),
        "command": command(given),
        "tokenizer": given.tokenizer.name,
    }


def command(given: argparse.Namespace) -> str:
    """The command line, files and folders by their names only."""
    parts = ["python", "-m", "benchmarks.schemas", "--file", given.file.name, "--tokenizer", given.tokenizer.name]
    parts += ["--engines", ",".join(given.engines), "--passes", str(given.passes)]
    for option in ("limit", "split", "ids"):
        value = getattr(given, option)
        parts += [f"--{option}", str(value)] if value not in (None, "") else []
    for option, usual in (("property_order", "schema"), ("whitespace", "bounded"), ("seconds", 60), ("workers", 1)):
        value = getattr(given, option)
        parts += [f"--{option.replace('_', '-')}", f"{value}"] if value != usual else []
    return shlex.join(parts)


# Showing it


def tables(summary: dict[str, Any]) -> Iterator[Table]:
    """What goes into a README."""
    yield outcome_table(summary)
    yield split_table(summary)
    yield error_table(summary)
    if "times" in summary:
        yield time_table(summary)
        for name, found in summary["pairs"].items():
            yield pair_table(name, found)
        for name, found in summary["slowest"].items():
            yield compile_table(name, found["compile"])
            yield mask_table(name, found["mask"])


def outcome_table(summary: dict[str, Any]) -> Table:
    """How many schemas ended how."""
    rows = []
    for name, found in summary["rates"].items():
        passed = found["outcomes"]["pass"]
        rows.append((name, f"{passed / found['schemas']:.1%}", *(f"{found['outcomes'][o]:,}" for o in OUTCOMES)))
    some = next(iter(summary["rates"].values()))
    return Table(f"What became of {some['schemas']:,} schemas", ("engine", "rate", *OUTCOMES), rows)


def split_table(summary: dict[str, Any]) -> Table:
    """Pass rates by split."""
    names = list(summary["rates"])
    rows = []
    for split, (_, count) in summary["rates"][names[0]]["splits"].items():
        passed = [summary["rates"][name]["splits"][split][0] for name in names]
        rows.append((split, f"{count:,}", *(f"{n / count:.1%}" for n in passed)))
    return Table("Schemas that pass, by split", ("split", "schemas", *names), rows)


def error_table(summary: dict[str, Any]) -> Table:
    """The most frequent errors of each engine."""
    rows = []
    for name, found in summary["errors"].items():
        for error in found[:12]:
            rows.append((name, error["outcome"], error["kind"], cell(error["says"]), f"{error['count']:,}"))
    notes = []
    for name, found in summary["errors"].items():
        kinds: Counter[str] = Counter()
        for error in found:
            kinds[f"{error['outcome']}, {error['kind']}"] += error["count"]
        if kinds:
            notes.append(f"{name}: " + "; ".join(f"{count:,} {kind}" for kind, count in kinds.most_common()))
    return Table("Errors", ("engine", "outcome", "error", "says", "schemas"), rows, notes, left=4)


def time_table(summary: dict[str, Any]) -> Table:
    """Each engine on what it handles itself."""
    rows = [
        (name, run, part.upper() if part != "compile" else part, f"{us['count']:,}", *(figure(us[f]) for f in FIGURES))
        for name, found in summary["times"].items()
        for run, parts in found.items()
        for part, us in parts.items()
    ]
    header = ("engine", "pass", "time", "count", *FIGURES)
    return Table("Each engine on what it handles, microseconds", header, rows, left=3)


def pair_table(name: str, found: dict[str, Any]) -> Table:
    """Two engines on the same, and their ratios."""
    left, right = name.split("/")
    rows = []
    for run, ratios in found["ratios"].items():
        for part in ("tbm", "ttfm"):
            for engine, side in ((left, "left"), (right, "right")):
                rows.append((part.upper(), run, engine, *(figure(found[side][run][part][f]) for f in FIGURES)))
            shown = (f"x{ratios[part][f]:.3g}" if f in ratios[part] else "-" for f in FIGURES)
            rows.append((part.upper(), run, "ratio", *shown))
    title = f"{name}: {found['schemas']:,} schemas that both compile, {found['instances']:,} instances, microseconds"
    return Table(title, ("time", "pass", "engine", *FIGURES), rows, left=3)


def compile_table(name: str, found: Sequence[dict[str, Any]]) -> Table:
    """The schemas that are slowest to compile."""
    rows = []
    for entry in found:
        parts = ", ".join(f"{part} {figure(ms)}" for part, ms in entry["parts_ms"].items()) or "-"
        rows.append((entry["id"], parts, figure(entry["ms"]), f"{entry['bytes']:,}"))
    return Table(f"Slowest to the first mask, {name}", ("schema", "of which", "ms", "bytes"), rows, left=2)


def mask_table(name: str, found: Sequence[dict[str, Any]]) -> Table:
    """The slowest steps, one a schema."""
    rows = [(entry["id"], cell(entry["before"]), cell(entry["token"]), figure(entry["us"])) for entry in found]
    return Table(f"Slowest steps, {name}", ("schema", "after", "token", "us"), rows, left=3)


def failure_table(summary: dict[str, Any]) -> Table:
    """Schemas that do not pass with the first engine, the worst first."""
    name, schemas = next(iter(summary["rates"])), summary["schemas"]
    judged = [(id, max(runs[name], key=lambda run: badness(run["outcome"]))) for id, runs in schemas.items()]
    failed = [(id, found) for id, found in judged if found["outcome"] != "pass"]
    failed.sort(key=lambda entry: -badness(entry[1]["outcome"]))
    shown = [(id, found["outcome"], cell(found["faults"][0][:150])) for id, found in failed[:SHOWN]]
    notes = [f"and {len(failed) - SHOWN:,} more"] if len(failed) > SHOWN else []
    return Table(f"Schemas that do not pass, {name}", ("schema", "outcome", "first fault"), shown, notes, left=3)


def publish(summary: dict[str, Any], given: argparse.Namespace) -> None:
    """Write the summary as JSON, into the README if asked, and to the terminal."""
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.readme:
        replace_block(given.readme, BEGIN, END, markdown(summary))
    show([failure_table(summary), *tables(summary)])


def markdown(summary: dict[str, Any]) -> str:
    """The tables and everything needed to read them."""
    numbers = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    lines = [f"`{summary['command']}`, {summary['date']}, {summary['machine']}; {numbers}."]
    for table in tables(summary):
        lines += ["", f"**{table.title}**", "", *markdown_table(table.header, table.rows, table.left)]
        lines += ["", *(f"* {note}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def show(found: Iterable[Table]) -> None:
    """The same for a terminal."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 180)
    for table in found:
        if not table.rows:
            continue
        grid = Grid(title=table.title)
        for number, title in enumerate(table.header):
            grid.add_column(title, justify="left" if number < table.left else "right")
        for row in table.rows:
            grid.add_row(*map(Text, row))
        console.print(grid)
        for note in table.notes:
            console.print(f"* {note}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
