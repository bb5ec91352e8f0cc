"""Time to a mask: 200 patterns, their texts, several engines: `python -m benchmarks.masks --tokenizers DIR --out DIR`.

For every pattern and text each engine does what a server does for one request. It compiles the pattern and fills the
first mask (one duration), then for every token of the text commits the token and fills the next mask (one duration a
token). Tokens are those of the real tokenizer; at the end the mask has to allow an end-of-sequence token.

*Cold* is the first pass: whatever engines share between patterns was emptied before it, and only before it, so each
state is met for the first time in the process; compile times of this pass are those of a pattern's first text. *Warm*
is a second pass over the same requests, compilation included. Before anything is timed every engine runs a few
patterns that are not in the list (jitted code is loaded, pages are touched).

Engines take turns pattern by pattern, in alternating order, so that noise of the machine meets them alike. Garbage is
collected and the survivors frozen after loading; before each turn garbage is collected again, untimed, so that no
engine pays for another's; the collector stays on while the clock runs.

A third, untimed walk compares the masks of the first two engines at a sample of states, special tokens left out.

outlines-core builds its whole index first, which can take minutes and gigabytes: it runs in a process of its own with a
limit on both, on a subset of the patterns, first pass only (it keeps nothing between requests).
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks import readme, running
from benchmarks.mask_differences import compare_all
from benchmarks.mask_report import PROGRAM, handled_by, publish, summarise
from benchmarks.mask_requests import PASSES, Record, run_into, run_text
from benchmarks.mask_worker import OUTLINES, Worker
from benchmarks.patterns import PATTERNS, Pattern
from benchmarks.peers import ENGINES, Engine, Fault, Refused, encode, pretrained
from benchmarks.report import environment

WARM_UP = ((r"(?i:warm|up)(?:[^\W\d_]{1,9}| )*\d+(?:,\d{2,3})?", "warming up 12,345"), (r"(?s:.{0,90})\.", "Ready."))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write the records and the summary, print a table."""
    parser = argument_parser()
    given = running.checked(parser, problem_with, arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    again = running.command(parser, given, ("tokenizers", "engines"), ("patterns",) if given.patterns else ("limit",))
    summary = environment(again, peers=("llguidance", "outlines_core"))
    summary |= {"patterns": len(chosen_patterns(given)), "tokenizers": {}}
    with (given.out / "masks.jsonl").open("w", encoding="utf-8") as sink:
        for folder in given.tokenizers:
            summary["tokenizers"][folder.name] = measure(folder, given, sink)
    publish(summary, given)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.masks", description="Time masks of regular expressions.")
    parser.add_argument("--tokenizers", type=Path, nargs="+", default=[], help="folders with a Hugging Face tokenizer")
    parser.add_argument("--engines", default="constrain,llguidance", help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--limit", type=int, default=len(PATTERNS), help="how many patterns, spread over the list")
    parser.add_argument("--patterns", default="", help="names of patterns, instead of --limit")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for masks.jsonl, masks.json, masks.md")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON instead of a table")
    readme.add_option(parser, PROGRAM)
    parser.add_argument("--outlines-limit", type=int, default=40, help="patterns for outlines-core")
    parser.add_argument(
        "--outlines-seconds", type=float, default=10.0, help="its time for one text, compiling included"
    )
    parser.add_argument("--outlines-gib", type=float, default=4.0, help="memory that it may take beyond its vocabulary")
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing; replaces the list of engines by what it says."""
    given.engines = given.engines.split(",")
    if not given.tokenizers:
        return "give at least one folder with --tokenizers"
    missing = [folder for folder in given.tokenizers if not (folder / "tokenizer.json").is_file()]
    if missing:
        return f"no tokenizer.json in {missing[0]}"
    unknown = set(running.listed(given.patterns)) - {pattern.name for pattern in PATTERNS}
    return (
        running.problem_with_engines(given.engines, ENGINES)
        or (f"unknown pattern {min(unknown)!r}" if unknown else "")
        or readme.problem_with(given.readme, PROGRAM)
    )


@dataclass
class Bench:
    """Everything that the passes over one tokenizer share."""

    tokenizer: str
    eos: int
    tokens: dict[str, list[list[int]]]  # pattern name -> the tokens of each of its texts
    engines: list[Engine]
    remote: Worker | None
    remote_patterns: set[str]

    def names(self, pattern: Pattern, run: str) -> list[str]:
        """Which engines take this pattern in this pass."""
        remote = self.remote and run == "cold" and pattern.name in self.remote_patterns
        return [engine.name for engine in self.engines] + ([OUTLINES] if remote else [])


def measure(folder: Path, given: argparse.Namespace, sink: IO[str]) -> dict[str, Any]:
    """Both passes and the comparison for one tokenizer; returns its part of the summary."""
    patterns = chosen_patterns(given)
    bench = prepare(folder, given, patterns)
    records: list[Record] = []
    for run in PASSES:
        for number, pattern in enumerate(running.progress(patterns, f"{folder.name}, {run}")):
            for name in running.turns(bench.names(pattern, run), number):
                for record in take_turn(bench, name, pattern, run):
                    records.append(record)
                    sink.write(json.dumps(asdict(record)) + "\n")
    if bench.remote:
        bench.remote.stop()
    found = differences(bench, patterns, records, pretrained(folder)) if len(bench.engines) > 1 else None
    gc.unfreeze()
    return summarise(records, found)


def chosen_patterns(given: argparse.Namespace) -> list[Pattern]:
    """The patterns to run."""
    wanted = running.listed(given.patterns)
    return [p for p in PATTERNS if p.name in wanted] if wanted else running.spread(PATTERNS, given.limit)


def prepare(folder: Path, given: argparse.Namespace, patterns: Sequence[Pattern]) -> Bench:
    """Load and warm the engines, tokenise the texts, empty what is shared, settle the collector."""
    tokenizer = pretrained(folder)
    engines: list[Engine] = [ENGINES[name]() for name in given.engines if name != OUTLINES]
    remote = Worker(folder, given.outlines_seconds, given.outlines_gib) if OUTLINES in given.engines else None
    tokens = {pattern.name: [encode(tokenizer, text) for text in pattern.texts] for pattern in patterns}
    for engine in engines:
        engine.load(folder)
        for pattern, text in WARM_UP:
            with suppress(Refused, Fault):
                run_text(engine, pattern, encode(tokenizer, text), tokenizer.eos_token_id)
        engine.clear()
    running.settle()
    subset = {pattern.name for pattern in running.spread(patterns, given.outlines_limit)}
    return Bench(folder.name, tokenizer.eos_token_id, tokens, engines, remote, subset)


def take_turn(bench: Bench, name: str, pattern: Pattern, run: str) -> Iterator[Record]:
    """All texts of one pattern with one engine; the rest is skipped after a text that was not handled."""
    engine = next((engine for engine in bench.engines if engine.name == name), None)
    gc.collect()
    for text, tokens in enumerate(bench.tokens[pattern.name]):
        record = Record(bench.tokenizer, pattern.name, pattern.category, text, name, run)
        if engine is None:
            assert bench.remote is not None
            bench.remote.run(record, pattern.pattern, tokens, bench.eos)
        else:
            run_into(record, engine, pattern.pattern, tokens, bench.eos)
        yield record
        if record.outcome != "handled":
            return


def differences(bench: Bench, patterns: Sequence[Pattern], records: Sequence[Record], tokenizer: Any) -> dict[str, Any]:
    """Where the masks of the first two engines differ, on the patterns that both handle."""
    left, right = bench.engines[:2]
    handled = handled_by(records, left.name) & handled_by(records, right.name)
    shown = running.progress([p for p in patterns if p.name in handled], f"{bench.tokenizer}, comparing")
    return compare_all(left, right, ((pattern, bench.tokens[pattern.name]) for pattern in shown), tokenizer)


if __name__ == "__main__":
    sys.exit(main())
