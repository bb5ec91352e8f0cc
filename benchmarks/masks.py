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
import os
import resource
import shlex
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from time import perf_counter_ns
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.patterns import PATTERNS, Pattern
from benchmarks.peers import ENGINES, Engine, Refused, encode, installed, pretrained
from benchmarks.report import figure, holds, machine, progress, replace_block, statistics, today, versions

WARM_UP = ((r"(?i:warm|up)(?:[^\W\d_]{1,9}| )*\d+(?:,\d{2,3})?", "warming up 12,345"), (r"(?s:.{0,90})\.", "Ready."))
OUTLINES = "outlines-core"
PASSES = ("cold", "warm")
BEGIN, END = "<!-- masks:begin -->", "<!-- masks:end -->"
COMPARED_STATES = 8
"""Masks compared for each text; spread evenly over its tokens."""


@dataclass
class Record:
    """One request: what happened, and the durations in nanoseconds."""

    tokenizer: str
    pattern: str
    category: str
    text: int
    engine: str
    run: str
    outcome: str = "handled"
    message: str = ""
    first_ns: int = 0
    steps_ns: list[int] = field(default_factory=list)


class Fault(Exception):
    """The engine took the pattern and then got it wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write the records and the summary, print a table."""
    parser = argument_parser()
    given = parser.parse_args(arguments)
    if given.worker:
        serve(given.worker, given.outlines_gib)
        return 0
    problem = problem_with(given)
    if problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return 2
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    given.out.mkdir(parents=True, exist_ok=True)
    summary = environment(given) | {"tokenizers": {}}
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
    parser.add_argument("--readme", type=Path, help=f"file in which to replace what stands between {BEGIN} and {END}")
    parser.add_argument("--outlines-limit", type=int, default=40, help="patterns for outlines-core")
    parser.add_argument(
        "--outlines-seconds", type=float, default=10.0, help="its time for one text, compiling included"
    )
    parser.add_argument("--outlines-gib", type=float, default=4.0, help="memory that it may take beyond its vocabulary")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing."""
    if not given.tokenizers:
        return "give at least one folder with --tokenizers"
    missing = [folder for folder in given.tokenizers if not (folder / "tokenizer.json").is_file()]
    if missing:
        return f"no tokenizer.json in {missing[0]}"
    for name in given.engines.split(","):
        if name not in ENGINES:
            return f"unknown engine {name!r}; there are {', '.join(ENGINES)}"
        if not installed(name):
            return f"{ENGINES[name].package} is not installed (pip install {name}, or leave it out of --engines)"
    unknown = {name for name in given.patterns.split(",") if name} - {pattern.name for pattern in PATTERNS}
    if unknown:
        return f"unknown pattern {min(unknown)!r}"
    if given.readme and not holds(given.readme, BEGIN, END):
        return f"{given.readme} does not exist or lacks the lines {BEGIN} and {END}"
    return ""


def spread(patterns: Sequence[Pattern], count: int) -> list[Pattern]:
    """`count` of the patterns, evenly over the list."""
    count = max(0, min(count, len(patterns)))
    return [patterns[i * len(patterns) // count] for i in range(count)]


# Measuring


@dataclass
class Bench:
    """Everything that the passes over one tokenizer share."""

    tokenizer: str
    eos: int
    tokens: dict[str, list[list[int]]]  # pattern name -> the tokens of each of its texts
    engines: list[Engine]
    remote: Worker | None
    remote_patterns: set[str]

    def turns(self, pattern: Pattern, number: int, run: str) -> list[str]:
        """Which engines take this pattern in this pass, in which order."""
        names = [engine.name for engine in self.engines]
        if self.remote and run == "cold" and pattern.name in self.remote_patterns:
            names.append(OUTLINES)
        return names if number % 2 == 0 else names[::-1]


def measure(folder: Path, given: argparse.Namespace, sink: IO[str]) -> dict[str, Any]:
    """Both passes and the comparison for one tokenizer; returns its part of the summary."""
    patterns = chosen_patterns(given)
    bench = prepare(folder, given, patterns)
    records: list[Record] = []
    for run in PASSES:
        for number, pattern in enumerate(progress(patterns, f"{folder.name}, {run}")):
            for name in bench.turns(pattern, number, run):
                for record in take_turn(bench, name, pattern, run):
                    records.append(record)
                    sink.write(json.dumps(asdict(record)) + "\n")
    if bench.remote:
        bench.remote.stop()
    differences = compare_all(bench, patterns, records, pretrained(folder)) if len(bench.engines) > 1 else None
    gc.unfreeze()
    return summarise(records, differences)


def chosen_patterns(given: argparse.Namespace) -> list[Pattern]:
    """The patterns to run."""
    wanted = [name for name in given.patterns.split(",") if name]
    return [p for p in PATTERNS if p.name in wanted] if wanted else spread(PATTERNS, given.limit)


def prepare(folder: Path, given: argparse.Namespace, patterns: Sequence[Pattern]) -> Bench:
    """Load and warm the engines, tokenise the texts, empty what is shared, settle the collector."""
    tokenizer = pretrained(folder)
    names = given.engines.split(",")
    engines: list[Engine] = [ENGINES[name]() for name in names if name != OUTLINES]
    remote = Worker(folder, given.outlines_seconds, given.outlines_gib) if OUTLINES in names else None
    tokens = {pattern.name: [encode(tokenizer, text) for text in pattern.texts] for pattern in patterns}
    for engine in engines:
        engine.load(folder)
        for pattern, text in WARM_UP:
            with suppress(Refused, Fault):
                run_text(engine, pattern, encode(tokenizer, text), tokenizer.eos_token_id)
        engine.clear()
    gc.collect()
    gc.freeze()
    subset = {pattern.name for pattern in spread(patterns, given.outlines_limit)}
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


def run_into(record: Record, engine: Engine, pattern: str, tokens: Sequence[int], eos: int) -> None:
    """One request; whatever goes wrong is written into the record."""
    try:
        record.first_ns, record.steps_ns = run_text(engine, pattern, tokens, eos)
    except Refused as error:
        record.outcome, record.message = "refused", str(error)
    except Fault as error:
        record.outcome, record.message = "failed", str(error)
    except Exception as error:  # an engine's crash is a result of the benchmark
        record.outcome, record.message = "failed", f"{type(error).__name__}: {error}"


def run_text(engine: Engine, pattern: str, tokens: Sequence[int], eos: int) -> tuple[int, list[int]]:
    """One request, timed: (compile and first mask, each token's commit and next mask)."""
    start = perf_counter_ns()
    matcher = compile_or_refuse(engine, pattern)
    engine.fill(matcher)
    first = perf_counter_ns() - start
    steps: list[int] = []
    for token in tokens:
        if not engine.permits(token):
            raise Fault(f"the mask forbids token {token}, number {len(steps)} of the text {engine.trouble(matcher)}")
        start = perf_counter_ns()
        moved = engine.commit(matcher, token)
        if moved:
            engine.fill(matcher)
        steps.append(perf_counter_ns() - start)
        if not moved:
            raise Fault(f"token {token}, number {len(steps) - 1} of the text, is in the mask but was not accepted")
    if not engine.permits(eos):
        raise Fault(f"the mask at the end of the text forbids the end-of-sequence token {engine.trouble(matcher)}")
    return first, steps


def compile_or_refuse(engine: Engine, pattern: str) -> Any:
    """A matcher; a ValueError from the engine is a refusal (constrain's errors are ValueErrors)."""
    try:
        return engine.compile(pattern)
    except ValueError as error:
        raise Refused(str(error)) from error


# outlines-core in a process of its own


class Worker:
    """A process that runs one engine under limits; it is started again after it had to be killed."""

    def __init__(self, folder: Path, seconds: float, gib: float) -> None:
        self.command = [sys.executable, "-m", "benchmarks.masks", "--worker", str(folder), "--outlines-gib", str(gib)]
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """The running process, with its vocabulary read."""
        if self.process is None or self.process.poll() is not None:
            self.stop()
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            assert self.process.stdout is not None
            if self.process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the worker for {OUTLINES} did not start")
        return self.process

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def run(self, record: Record, pattern: str, tokens: Sequence[int], eos: int) -> None:
        """One request in the other process; its end by a limit is an outcome."""
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(self.seconds, kill, (process, late))
        timer.start()
        process.stdin.write(json.dumps([pattern, list(tokens), eos]) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        timer.cancel()
        if late.is_set():
            self.stop()
        if answer:
            vars(record).update(json.loads(answer))
        elif late.is_set():
            record.outcome, record.message = "timeout", f"not done after {self.seconds:g} s"
        else:
            record.outcome, record.message = "out of memory", f"the process ended with status {process.wait()}"


def kill(process: subprocess.Popen[str], late: threading.Event) -> None:
    """End the process and say that it was for being late."""
    late.set()
    process.kill()


def serve(folder: Path, gib: float) -> None:
    """The other process: requests on standard input, a JSON line for each on standard output."""
    engine: Engine = ENGINES[OUTLINES]()
    engine.load(folder)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + int(gib * 2**30), resource.RLIM_INFINITY))
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        pattern, tokens, eos = json.loads(line)
        record = Record("", "", "", 0, OUTLINES, "")
        run_into(record, engine, pattern, tokens, eos)
        kept = ("outcome", "message", "first_ns", "steps_ns")
        print(json.dumps({name: getattr(record, name) for name in kept}), flush=True)


# Comparing masks


def compare_all(bench: Bench, patterns: Sequence[Pattern], records: Sequence[Record], tokenizer: Any) -> dict[str, Any]:
    """Where the masks of the first two engines differ, on the patterns that both handle; the causes are for a human."""
    left, right = bench.engines[:2]
    handled = handled_by(records, left.name) & handled_by(records, right.name)
    special = np.array(sorted({*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}), np.int64)
    total: dict[str, Any] = {"engines": [left.name, right.name], "states": 0, "differing": 0, "forced": 0}
    total["patterns"] = {}
    for pattern in progress([p for p in patterns if p.name in handled], f"{bench.tokenizer}, comparing"):
        found = [compare(left, right, pattern.pattern, tokens, special) for tokens in bench.tokens[pattern.name]]
        total["states"] += sum(len(states) for states in found)
        differing = [state for states in found for state in states if state.only_left.size or state.only_right.size]
        total["differing"] += len(differing)
        total["forced"] += sum(state.forced for state in differing)
        if differing:
            total["patterns"][pattern.name] = difference(differing, tokenizer)
    return total


@dataclass(frozen=True)
class State:
    """Two masks at one state: the ids that only one of them has, and whether one has but a single token."""

    only_left: NDArray[Any]
    only_right: NDArray[Any]
    forced: bool


def compare(left: Engine, right: Engine, pattern: str, tokens: Sequence[int], special: NDArray[Any]) -> list[State]:
    """The masks of two engines at some states of one text, the first and the last among them."""
    sampled = set(np.linspace(0, len(tokens), COMPARED_STATES).round().astype(int).tolist())
    matchers = left.compile(pattern), right.compile(pattern)
    states: list[State] = []
    for step in range(len(tokens) + 1):
        if step in sampled:
            left.fill(matchers[0])
            right.fill(matchers[1])
            states.append(compare_masks(left.allowed(), right.allowed(), special))
        if step < len(tokens):
            left.commit(matchers[0], tokens[step])
            right.commit(matchers[1], tokens[step])
    return states


def compare_masks(left: NDArray[np.bool_], right: NDArray[np.bool_], special: NDArray[Any]) -> State:
    """Two masks as far as both reach, special tokens left out."""
    size = min(left.size, right.size)
    left, right = left[:size].copy(), right[:size].copy()
    ignored = special[special < size]
    left[ignored] = right[ignored] = False
    forced = min(int(left.sum()), int(right.sum())) == 1
    return State(np.flatnonzero(left & ~right), np.flatnonzero(right & ~left), forced)


def difference(states: Sequence[State], tokenizer: Any) -> dict[str, Any]:
    """In how many states and tokens the masks of one pattern differ, with the spellings of a few.

    `forced` counts states where one engine allows a single token: llguidance does so where the next bytes are forced,
    and then allows only the tokens that the tokenizer itself would choose for them.
    """
    sides = {
        "only_left": np.unique(np.concatenate([state.only_left for state in states])),
        "only_right": np.unique(np.concatenate([state.only_right for state in states])),
    }
    shown = {f"{side}_examples": tokenizer.convert_ids_to_tokens(some[:6].tolist()) for side, some in sides.items()}
    counts = {"states": len(states), "forced": sum(state.forced for state in states)}
    return counts | {side: int(some.size) for side, some in sides.items()} | shown


# The summary


def handled_by(records: Iterable[Record], engine: str) -> set[str]:
    """Patterns that an engine handled in every text and pass that it was given."""
    mine = [record for record in records if record.engine == engine]
    return {r.pattern for r in mine} - {r.pattern for r in mine if r.outcome != "handled"}


def summarise(records: Sequence[Record], differences: dict[str, Any] | None) -> dict[str, Any]:
    """Coverage and times of each engine, ratios of each pair, and where masks differ."""
    names = list(
        dict.fromkeys(record.engine for record in sorted(records, key=lambda r: list(ENGINES).index(r.engine)))
    )
    local = [name for name in names if name != OUTLINES]
    handled = {name: handled_by(records, name) for name in names}
    shared = set[str].intersection(*(handled[name] for name in local)) if local else set()
    return {
        "engines": {
            name: {
                "coverage": coverage(records, name),
                "not_handled": complaints(records, name),
                "times": times(records, name, handled[name]),
                "times_on_shared": times(records, name, shared & handled[name]),
            }
            for name in names
        },
        "shared_patterns": len(shared),
        "ratios": {
            f"{left}/{right}": ratios(records, left, right, handled[left] & handled[right])
            for left, right in combinations(names, 2)
        },
        "differences": differences,
    }


def coverage(records: Iterable[Record], engine: str) -> dict[str, int]:
    """How many patterns ended how; a pattern counts by its first text that was not handled."""
    outcome: dict[str, str] = {}
    for record in records:
        if record.engine == engine and outcome.get(record.pattern, "handled") == "handled":
            outcome[record.pattern] = record.outcome
    return {"handled": 0, "refused": 0, "failed": 0} | Counter(outcome.values())


def complaints(records: Iterable[Record], engine: str) -> dict[str, str]:
    """Why patterns were not handled, in the engine's words, first line and shortened."""
    odd = (r for r in records if r.engine == engine and r.outcome != "handled")
    return {r.pattern: f"{r.outcome}: {' '.join(r.message.split())[:200]}" for r in odd}


def times(records: Iterable[Record], engine: str, patterns: set[str]) -> dict[str, Any]:
    """Times of an engine on some patterns, by pass: `mask` per token, `first` for compiling and the first mask."""
    result: dict[str, Any] = {}
    for run in PASSES:
        mine = [r for r in records if r.engine == engine and r.run == run and r.pattern in patterns]
        if mine:
            first = [r.first_ns for r in mine if run == "warm" or r.text == 0]
            result[run] = {"mask": statistics([ns for r in mine for ns in r.steps_ns]), "first": statistics(first)}
    return result


def ratios(records: Sequence[Record], left: str, right: str, patterns: set[str]) -> dict[str, Any]:
    """Times of one engine divided by another's on the patterns that both handle: below 1, the left one is faster."""
    ours, theirs = times(records, left, patterns), times(records, right, patterns)
    return {"patterns": len(patterns)} | {
        run: {
            part: {
                key: round(ours[run][part][key] / theirs[run][part][key], 4)
                for key in ("avg", "p50", "p90", "p99", "max")
            }
            for part in ("mask", "first")
        }
        for run in PASSES
        if run in ours and run in theirs
    }


def environment(given: argparse.Namespace) -> dict[str, Any]:
    """Where, when, with what and how: enough to repeat it, and no path of the machine."""
    return {
        "date": today(),
        "machine": machine(),
        "versions": versions(PACKAGES),
        "command": command(given),
        "patterns": len(chosen_patterns(given)),
    }


PACKAGES = ("constrain", "llguidance", "outlines_core", "numpy", "numba", "transformers", "tokenizers")


def command(given: argparse.Namespace) -> str:
    """The command line, folders by their names only."""
    parts = ["python", "-m", "benchmarks.masks", "--tokenizers", *(folder.name for folder in given.tokenizers)]
    parts += ["--engines", given.engines]
    if given.patterns:
        parts += ["--patterns", given.patterns]
    elif given.limit < len(PATTERNS):
        parts += ["--limit", str(given.limit)]
    return shlex.join(parts)


# Showing it

HEADER = (
    "engine",
    "pass",
    "patterns",
    "handled",
    "tokens",
    "avg",
    "p50",
    "p90",
    "p99",
    "max",
    "first p50",
    "avg",
    "p99",
)


def rows(part: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """One row for each engine and pass; times in microseconds, on the patterns that all engines here handle."""
    for name, engine in part["engines"].items():
        counts = engine["coverage"]
        handled = f"{counts.get('handled', 0)}/{sum(counts.values())}"
        source = "times" if name == OUTLINES else "times_on_shared"
        patterns = counts.get("handled", 0) if name == OUTLINES else part["shared_patterns"]
        for run, found in engine[source].items():
            mask, first = found["mask"], found["first"]
            shown = [mask[key] for key in ("avg", "p50", "p90", "p99", "max")] + [
                first[key] for key in ("p50", "avg", "p99")
            ]
            yield name, run, str(patterns), handled, f"{mask['count']:,}", *map(figure, shown)


def notes(part: dict[str, Any]) -> Iterator[str]:
    """Sentences below a table: ratios, what was not handled, where masks differ."""
    for pair, found in part["ratios"].items():
        for run in (run for run in PASSES if run in found):
            mask, first = found[run]["mask"], found[run]["first"]
            yield (
                f"{pair}, {run}, on the {found['patterns']} patterns that both handle: mask + commit "
                f"avg x{mask['avg']:.3g}, p50 x{mask['p50']:.3g}, p99 x{mask['p99']:.3g}; "
                f"compile + first mask p50 x{first['p50']:.3g}, "
                f"avg x{first['avg']:.3g}"
            )
    for name, engine in part["engines"].items():
        counts, named = engine["coverage"], list(engine["not_handled"])
        others = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if outcome != "handled" and count)
        if others:
            yield f"{name}: {others} ({', '.join(named[:12])}{', …' if len(named) > 12 else ''})"
    found = part["differences"]
    if found:
        yield (
            f"masks of {' and '.join(found['engines'])} differ in {found['differing']:,} of {found['states']:,} states "
            f"compared, in {len(found['patterns'])} patterns; in {found['forced']:,} of them one allows a single token"
        )


def publish(summary: dict[str, Any], given: argparse.Namespace) -> None:
    """Write the summary as JSON and Markdown, into the README if asked, and to the terminal."""
    (given.out / "masks.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    block = markdown(summary)
    (given.out / "masks.md").write_text(block, encoding="utf-8")
    if given.readme:
        replace_block(given.readme, BEGIN, END, block)
    if given.json:
        print(json.dumps(summary, indent=2))
    else:
        show(summary)


def markdown(summary: dict[str, Any]) -> str:
    """The tables and everything needed to read them."""
    versions = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    lines = [
        f"`{summary['command']}`, {summary['date']}, {summary['machine']}; {versions}.",
        "Microseconds. Mask + commit per token: avg to max. Compile + first mask: the last three columns.",
    ]
    for name, part in summary["tokenizers"].items():
        lines += ["", f"**{name}**", "", f"| {' | '.join(HEADER)} |", f"|{'---|' * 2}{'---:|' * (len(HEADER) - 2)}"]
        lines += [f"| {' | '.join(row)} |" for row in rows(part)]
        lines += ["", *(f"* {note}" for note in notes(part))]
    return "\n".join(lines) + "\n"


def show(summary: dict[str, Any]) -> None:
    """The same for a terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    for name, part in summary["tokenizers"].items():
        table = Table(title=f"{name}: mask + commit, compile + first mask (us)")
        for number, title in enumerate(HEADER):
            table.add_column(title, justify="left" if number < 2 else "right")
        for row in rows(part):
            table.add_row(*row)
        console.print(table)
        for note in notes(part):
            console.print(note, markup=False)


if __name__ == "__main__":
    sys.exit(main())
