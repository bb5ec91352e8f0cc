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
import sys
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import readme, running
from benchmarks.peers import installed, pretrained
from benchmarks.report import environment, publish
from benchmarks.schema_engines import ENGINES, SchemaConstrain
from benchmarks.schema_report import failure_table, summarise, tables
from benchmarks.schema_turns import Bench, Item, Record, take_turn
from benchmarks.tables import show

PROGRAM = "schemas"
BATCH = 250
"""Schemas that are read once, then again: fewer than any engine remembers."""
COLLECT = 25
"""Schemas between two collections of garbage, which happen while no clock runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show tables, write what was asked for."""
    parser = argument_parser()
    given = running.checked(parser, problem_with, arguments)
    items = chosen(given)
    records = run_in_processes(items, given) if given.workers > 1 else run(prepare(items, given), given.passes)
    always = ("file", "tokenizer", "engines", "passes")
    options = ("limit", "split", "ids", "property_order", "whitespace", "seconds", "workers")
    summary = environment(running.command(parser, given, always, options)) | {"tokenizer": given.tokenizer.name}
    summary |= summarise(items, records, given)
    found = list(tables(summary))
    publish(summary, found, given, PROGRAM, indent=1)
    show(table for table in (failure_table(summary), *found) if table.rows)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.schemas", description="JSON Schemas: what passes, and when.")
    parser.add_argument(
        "--file", type=Path, default=running.data() / "jsonschemabench" / "dev.jsonl.gz", help="the items"
    )
    running.add_tokenizer(parser)
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
    readme.add_option(parser, PROGRAM)
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing; replaces lists in them by what they say."""
    if given.only or given.workers > 1:
        given.passes = 1
    given.engines = [given.only] if given.only else running.listed(given.engines)
    given.engines = given.engines or [name for name in ("constrain", "llguidance") if installed(name)]
    return (
        running.problem_with_engines(given.engines, ENGINES)
        or running.problem_with_tokenizer(given.tokenizer)
        or ("" if given.file.is_file() else f"no file {given.file}; name one with --file, or set CONSTRAIN_DATA")
        or readme.problem_with(given.readme, PROGRAM)
        or ("" if chosen(given) else "no schema has such a name or is in such a split")
    )


def chosen(given: argparse.Namespace) -> list[Item]:
    """The items that the arguments name."""
    ids, splits = running.listed(given.ids), tuple(running.listed(given.split))
    found = [item for item in read_items(given.file) if not ids or item.id in ids]
    return running.spread([item for item in found if not splits or item.split.startswith(splits)], given.limit)


def read_items(file: Path) -> list[Item]:
    """All items of a file with one JSON object a line, compressed or not."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        return [Item(**json.loads(line)) for line in lines if line.strip()]


def prepare(items: list[Item], given: argparse.Namespace) -> Bench:
    """Load the engines, compile their code, settle the collector."""
    engines = running.loaded([made(name, given) for name in given.engines], given.tokenizer)
    bench = Bench(items, engines, pretrained(given.tokenizer), given.seconds)
    warm_up(bench)
    running.settle()
    return bench


def made(name: str, given: argparse.Namespace) -> Any:
    """An engine with its options."""
    if name == SchemaConstrain.name:
        return SchemaConstrain(given.property_order, given.whitespace)
    return ENGINES[name]()


def warm_up(bench: Bench) -> None:
    """Touch pages: a small schema with every engine."""
    schema = {"type": "object", "properties": {"warm": {"type": "array", "items": {"type": "number"}}}}
    item = Item("warm-up", "", schema, [{"data": {"warm": [1, 2.5]}, "valid": True}])
    for engine in bench.engines:
        take_turn(bench, engine, item, 1)


def run(bench: Bench, passes: int) -> list[Record]:
    """Every schema with every engine, batch by batch."""
    records: list[Record] = []
    for run, number, item in running.progress(list(jobs(bench.items, passes)), "schemas"):
        if run == 1 and number % BATCH == 0:
            for engine in bench.engines:
                engine.next_batch()
        if number % COLLECT == 0:
            gc.collect()
        records += [take_turn(bench, engine, item, run) for engine in running.turns(bench.engines, number)]
    return records


def jobs(items: Sequence[Item], passes: int) -> Iterator[tuple[int, int, Item]]:
    """Pass, number and item, in the order in which they are taken."""
    numbered = list(enumerate(items))
    for first in range(0, len(items), BATCH):
        for run in range(1, passes + 1):
            yield from ((run, number, item) for number, item in numbered[first : first + BATCH])


# Pass rates in several processes

_bench: Bench
"""Of a worker."""


def run_in_processes(items: list[Item], given: argparse.Namespace) -> list[Record]:
    """Every schema once, with nothing said about times."""
    records: list[Record] = []
    with get_context("spawn").Pool(given.workers, start_worker, (items, given)) as pool:
        found = pool.imap(work, range(len(items)), chunksize=8)
        for _ in running.progress(items, "schemas"):
            records += next(found)
    return records


def start_worker(items: list[Item], given: argparse.Namespace) -> None:
    """Load everything in a process of its own."""
    global _bench
    _bench = prepare(items, given)


def work(number: int) -> list[Record]:
    """One schema with every engine."""
    return [take_turn(_bench, engine, _bench.items[number], 1) for engine in _bench.engines]


if __name__ == "__main__":
    sys.exit(main())
