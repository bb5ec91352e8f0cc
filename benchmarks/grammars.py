"""Time to a mask under the grammars of the library: `python -m benchmarks.grammars --json out/grammars.json`.

For each grammar and engine: the engine's caches are emptied, the grammar is compiled, and all texts that the grammar
accepts are read twice with the tokenizer's own tokens. *Cold* is the first time, *warm* the second. One duration is
`fill_bitmask` and `accept_token` for one token; the last one of a text is the mask at its end, which has to allow an
end-of-sequence token. Engines take turns grammar by grammar, in alternating order, with the garbage collector off.

A text that an engine does not accept to its end counts for coverage and not for times; ratios are over the texts that
both engines accept. `compile` is the median of several times from the grammar to the first mask, caches emptied before
each. `benchmarks.linearity` measures long texts.

The peers read the grammars as `benchmarks.render` writes them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, perf_counter_ns
from typing import Any

from benchmarks import linearity
from benchmarks.peers import GRAMMAR_ENGINES, GrammarEngine, Refused, encode, installed, pretrained
from benchmarks.render import Unrenderable
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
from constrain.frontends.library import LibraryGrammar, library

PASSES = ("cold", "warm")
BEGIN, END = "<!-- grammars:begin -->", "<!-- grammars:end -->"
PACKAGES = ("constrain", "llguidance", "xgrammar", "numpy", "numba", "transformers", "tokenizers")
FIGURES = ("avg", *PERCENTILES, "max")
COMPILED = 5
"""Times that a grammar is compiled."""
ENOUGH = 20.0
"""Seconds after which a grammar is not compiled again."""
SLOWEST = 20
"""Tokens that are listed for each engine."""


class Fault(Exception):
    """The engine took the grammar and does not accept the text."""


@dataclass
class Record:
    """One text read by one engine in one pass; durations in nanoseconds."""

    grammar: str
    text: int
    engine: str
    run: str
    outcome: str = "handled"
    message: str = ""
    fill_ns: list[int] = field(default_factory=list)
    commit_ns: list[int] = field(default_factory=list)

    @property
    def steps_ns(self) -> list[int]:
        """Mask and commit."""
        return [fill + commit for fill, commit in zip(self.fill_ns, [*self.commit_ns, 0])]


@dataclass
class Bench:
    """Everything that is measured, and with what."""

    grammars: list[LibraryGrammar]
    texts: dict[str, list[str]]
    tokens: dict[str, list[list[int]]]
    engines: list[GrammarEngine]
    tokenizer: Any
    seconds: float

    def turns(self, number: int) -> list[GrammarEngine]:
        """The engines in the order in which they take this grammar."""
        return self.engines if number % 2 == 0 else self.engines[::-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show a table, write what was asked for."""
    parser = argument_parser()
    given = parser.parse_args(arguments)
    problem = problem_with(given)
    if problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return 2
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    bench = prepare(given)
    summary = environment(given)
    if "masks" in given.parts:
        summary |= read_all(bench)
    if "compile" in given.parts:
        summary["compile"] = compile_all(bench)
    if "linearity" in given.parts:
        summary["linearity"] = measure_long_texts(bench, given.long_seconds)
    publish(summary, given)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.grammars", description="Time masks of grammars.")
    parser.add_argument("--tokenizer", type=Path, default=data() / "tokenizers" / "llama3", help="folder of one")
    parser.add_argument("--engines", default="", help=f"of {','.join(GRAMMAR_ENGINES)}; default: those installed")
    parser.add_argument("--grammars", default="", help="names of grammars; default: all that have examples")
    parser.add_argument("--limit", type=int, help="texts of each grammar, spread over its list")
    parser.add_argument("--parts", default="masks,compile,linearity", help="what to measure")
    parser.add_argument("--seconds", type=float, default=30.0, help="time for texts, by grammar, pass and engine")
    parser.add_argument("--long-seconds", type=float, default=60.0, help="time for a long text")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--readme", type=Path, help=f"file in which to replace what stands between {BEGIN} and {END}")
    return parser


def data() -> Path:
    """The folder of tokenizers: CONSTRAIN_DATA, or `../shared` beside the repository."""
    return Path(os.environ.get("CONSTRAIN_DATA", Path(__file__).resolve().parent.parent.parent / "shared"))


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing; replaces lists in them by what they say."""
    given.engines = [name for name in given.engines.split(",") if name] or list(filter(has, GRAMMAR_ENGINES))
    given.parts = given.parts.split(",")
    for name in given.engines:
        if name not in GRAMMAR_ENGINES:
            return f"unknown engine {name!r}; there are {', '.join(GRAMMAR_ENGINES)}"
        if not has(name):
            return f"{name} is not installed; leave it out of --engines"
    if not (given.tokenizer / "tokenizer.json").is_file():
        return f"no tokenizer.json in {given.tokenizer}; name a folder with --tokenizer, or set CONSTRAIN_DATA"
    unknown = set(filter(None, given.grammars.split(","))) - {grammar.name for grammar in library()}
    if unknown:
        return f"unknown grammar {min(unknown)!r}"
    if given.readme and not holds(given.readme, BEGIN, END):
        return f"{given.readme} does not exist or lacks the lines {BEGIN} and {END}"
    return ""


def has(engine: str) -> bool:
    """Whether an engine can be used."""
    return installed(engine)


def prepare(given: argparse.Namespace) -> Bench:
    """Load the engines, compile their code, cut the texts into tokens, settle the collector."""
    tokenizer = pretrained(given.tokenizer)
    wanted = set(filter(None, given.grammars.split(",")))
    grammars = [g for g in library() if g.name in wanted or not wanted]
    texts = {g.name: spread(accepted(g.path), given.limit) for g in grammars}
    grammars = [g for g in grammars if texts[g.name]]
    tokens = {name: [encode(tokenizer, text) if text else [] for text in some] for name, some in texts.items()}
    engines: list[GrammarEngine] = [GRAMMAR_ENGINES[name]() for name in given.engines]
    for engine in engines:
        engine.load(given.tokenizer)
    bench = Bench(grammars, texts, tokens, engines, tokenizer, given.seconds)
    warm_up(bench)
    gc.collect()
    gc.freeze()
    return bench


def accepted(path: Path) -> list[str]:
    """The texts beside a grammar that it accepts; none if there is no such file yet."""
    examples = path.with_suffix(".examples.jsonl")
    lines = examples.read_text("utf-8").splitlines() if examples.is_file() else []
    found = [json.loads(line) for line in lines if line.strip()]
    return [example["text"] for example in found if example["accepted"]]


def spread(texts: list[str], count: int | None) -> list[str]:
    """`count` of the texts, evenly over the list."""
    count = len(texts) if count is None else min(count, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def warm_up(bench: Bench) -> None:
    """Load machine code and touch pages: the kernels of constrain, and a short grammar with every engine."""
    from constrain.warmup import warm_up

    warm_up()
    for engine in bench.engines:
        for grammar in bench.grammars[:1]:
            take_turn(bench, engine, grammar)
        engine.clear()


# Texts


def read_all(bench: Bench) -> dict[str, Any]:
    """Every text with every engine, and what comes of it."""
    records: list[Record] = []
    for number, grammar in enumerate(progress(bench.grammars, "texts")):
        for engine in bench.turns(number):
            records += take_turn(bench, engine, grammar)
    return summarise(bench, records)


def take_turn(bench: Bench, engine: GrammarEngine, grammar: LibraryGrammar) -> list[Record]:
    """All texts of a grammar with one engine, twice."""
    texts = range(len(bench.tokens[grammar.name]))
    records = [Record(grammar.name, text, engine.name, run) for run in PASSES for text in texts]
    gc.collect()
    gc.disable()
    try:
        engine.clear()
        compiled = engine.compile_grammar(engine.source(grammar.path))
    except (Unrenderable, Refused, ValueError) as error:
        outcome = "not rendered" if isinstance(error, Unrenderable) else "refused"
        for record in records:
            record.outcome, record.message = outcome, str(error)
    else:
        cold, warm = ([record for record in records if record.run == run] for run in PASSES)
        read_pass(bench, engine, compiled, cold)
        for before, after in zip(cold, warm):
            after.outcome, after.message = before.outcome, before.message
        read_pass(bench, engine, compiled, [record for record in warm if record.outcome == "handled"])
    finally:
        gc.enable()
    return records


def read_pass(bench: Bench, engine: GrammarEngine, compiled: Any, records: Sequence[Record]) -> None:
    """All texts of a grammar, until time is up."""
    end = perf_counter() + bench.seconds
    for record in records:
        try:
            tokens = bench.tokens[record.grammar][record.text]
            read_text(engine, engine.begin(compiled), tokens, bench.tokenizer.eos_token_id, record, end)
        except TimeoutError:
            record.outcome, record.message = "timeout", f"not done after {bench.seconds:g} s"
        except Fault as error:
            record.outcome, record.message = "rejected", str(error)
        except Exception as error:  # an engine's crash is a result of the benchmark
            record.outcome, record.message = "failed", f"{type(error).__name__}: {error}"


def read_text(engine: GrammarEngine, matcher: Any, tokens: Sequence[int], eos: int, record: Record, end: float) -> None:
    """One text, timed. Raises Fault if the engine does not accept it, TimeoutError if it is too late."""
    for number, token in enumerate([*tokens, eos]):
        if perf_counter() > end:
            raise TimeoutError
        start = perf_counter_ns()
        engine.fill(matcher)
        record.fill_ns.append(perf_counter_ns() - start)
        if not engine.permits(token):
            what = "the end" if number == len(tokens) else f"token {token}, number {number},"
            raise Fault(f"the mask forbids {what} {engine.trouble(matcher)}".strip())
        if number < len(tokens):
            start = perf_counter_ns()
            moved = engine.commit(matcher, token)
            record.commit_ns.append(perf_counter_ns() - start)
            if not moved:
                raise Fault(f"token {token}, number {number}, is in the mask but was not accepted")


# Compiling


def compile_all(bench: Bench) -> dict[str, Any]:
    """Median milliseconds from each grammar to its first mask, by engine."""
    found: dict[str, dict[str, float]] = {engine.name: {} for engine in bench.engines}
    for number, grammar in enumerate(progress(bench.grammars, "compiling")):
        spent: dict[str, list[float]] = {engine.name: [] for engine in bench.engines}
        for _ in range(COMPILED):
            for engine in bench.turns(number):
                if sum(spent[engine.name]) < ENOUGH * 1e3:
                    spent[engine.name] += compile_once(engine, grammar.path)
        for name, ms in spent.items():
            if ms:
                found[name][grammar.name] = round(median(ms), 3)
    return {"ms": found, "ratios": {f"{a}/{b}": divided(found[a], found[b]) for a, b in combinations(found, 2)}}


def compile_once(engine: GrammarEngine, path: Path) -> list[float]:
    """Milliseconds from a grammar to its first mask; none if the engine does not take it."""
    try:
        source = engine.source(path)
        engine.clear()
        gc.collect()
        gc.disable()
        start = perf_counter_ns()
        engine.fill(engine.begin(engine.compile_grammar(source)))
        return [(perf_counter_ns() - start) / 1e6]
    except (Unrenderable, Refused, ValueError):
        return []
    finally:
        gc.enable()


def divided(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Ratios on what both have, and the median of these."""
    ratios = {name: round(ours[name] / theirs[name], 4) for name in ours if theirs.get(name)}
    return ratios | {"median": round(median(ratios.values()), 4)} if ratios else {}


def measure_long_texts(bench: Bench, seconds: float) -> list[dict[str, Any]]:
    """See `benchmarks.linearity`."""
    with TemporaryDirectory() as folder:
        cases = linearity.measure(bench.engines, lambda text: encode(bench.tokenizer, text), Path(folder), seconds)
        return list(cases)


# The summary


def summarise(bench: Bench, records: Sequence[Record]) -> dict[str, Any]:
    """Coverage, times, ratios, and the slowest tokens."""
    names = [engine.name for engine in bench.engines]
    handled = {name: handled_by(records, name) for name in names}
    return {
        "coverage": {name: coverage(records, name) for name in names},
        "times": {name: times(records, name, handled[name]) for name in names},
        "by_grammar": {g.name: by_grammar(records, handled, g) for g in bench.grammars},
        "ratios": {f"{a}/{b}": ratios(records, a, b, handled[a] & handled[b]) for a, b in combinations(names, 2)},
        "slowest": {name: slowest(bench, records, name) for name in names},
        "not_handled": {name: complaints(bench, records, name) for name in names},
    }


def handled_by(records: Iterable[Record], engine: str) -> set[tuple[str, int]]:
    """Texts, by grammar and number, that an engine accepted in both passes."""
    mine = [record for record in records if record.engine == engine]
    return {(r.grammar, r.text) for r in mine} - {(r.grammar, r.text) for r in mine if r.outcome != "handled"}


def coverage(records: Iterable[Record], engine: str) -> dict[str, Any]:
    """How many grammars compiled, how many texts ended how."""
    mine = [record for record in records if record.engine == engine and record.run == "cold"]
    grammars = {r.grammar for r in mine}
    refused = {r.grammar for r in mine if r.outcome in ("refused", "not rendered")}
    counts = {"handled": 0} | Counter(r.outcome for r in mine)
    return {"grammars": len(grammars), "compiled": len(grammars - refused), "texts": len(mine), **counts}


def times(records: Iterable[Record], engine: str, texts: set[tuple[str, int]]) -> dict[str, Any]:
    """Times per token of an engine on some texts, by pass."""
    result: dict[str, Any] = {}
    for run in PASSES:
        mine = [r for r in records if r.engine == engine and r.run == run and (r.grammar, r.text) in texts]
        if mine:
            result[run] = statistics([ns for r in mine for ns in r.steps_ns])
    return result


def by_grammar(
    records: Sequence[Record], handled: dict[str, set[tuple[str, int]]], grammar: LibraryGrammar
) -> dict[str, Any]:
    """Times of one grammar on the texts that each engine accepts."""
    mine = [record for record in records if record.grammar == grammar.name]
    return {"longest": grammar.longest} | {
        name: {"texts": sum(key[0] == grammar.name for key in texts)} | times(mine, name, texts)
        for name, texts in handled.items()
    }


def ratios(records: Sequence[Record], left: str, right: str, texts: set[tuple[str, int]]) -> dict[str, Any]:
    """Times of one engine divided by another's on some texts: below 1, the left one is faster."""
    ours, theirs = times(records, left, texts), times(records, right, texts)
    return {"texts": len(texts), "by_grammar": ratios_by_grammar(records, left, right, texts)} | {
        run: {key: round(ours[run][key] / theirs[run][key], 4) for key in FIGURES} for run in ours
    }


def ratios_by_grammar(
    records: Sequence[Record], left: str, right: str, texts: set[tuple[str, int]]
) -> dict[str, dict[str, float]]:
    """Ratios of the averages of each grammar, by pass."""
    found: dict[str, dict[str, float]] = {run: {} for run in PASSES}
    for grammar in sorted({grammar for grammar, _ in texts}):
        mine = {text for text in texts if text[0] == grammar}
        ours, theirs = times(records, left, mine), times(records, right, mine)
        for run in PASSES:
            found[run][grammar] = round(ours[run]["avg"] / theirs[run]["avg"], 4)
    return found


def slowest(bench: Bench, records: Iterable[Record], engine: str) -> list[dict[str, Any]]:
    """The slowest tokens of the cold pass, with the text before each."""
    steps = [
        (fill, commit, r, number)
        for r in records
        if r.engine == engine and r.run == "cold"
        for number, (fill, commit) in enumerate(zip(r.fill_ns, [*r.commit_ns, 0]))
    ]
    steps.sort(key=lambda step: -step[0] - step[1])
    return [described(bench, *step) for step in steps[:SLOWEST]]


def described(bench: Bench, fill: int, commit: int, record: Record, number: int) -> dict[str, Any]:
    """One token in its place."""
    tokens = bench.tokens[record.grammar][record.text]
    return {
        "grammar": record.grammar,
        "fill_us": round(fill / 1e3, 1),
        "commit_us": round(commit / 1e3, 1),
        "before": bench.tokenizer.decode(tokens[:number])[-40:],
        "token": bench.tokenizer.decode(tokens[number : number + 1]) or "the end",
    }


def complaints(bench: Bench, records: Iterable[Record], engine: str) -> dict[str, list[str]]:
    """Texts that were not handled, by grammar, in the engine's words; of a grammar that was refused, the first."""
    found: dict[str, dict[int, str]] = {}
    for r in records:
        if r.engine == engine and r.outcome != "handled":
            known = found.setdefault(r.grammar, {})
            said = f"{r.outcome}: {' '.join(r.message.split())[:300]}"
            if r.outcome in ("refused", "not rendered"):
                known[0] = said
            else:
                known.setdefault(r.text, f"{said} in {bench.texts[r.grammar][r.text][:200]!r}")
    return {grammar: list(known.values()) for grammar, known in found.items()}


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
    """The command line, folders by their names only."""
    parts = ["python", "-m", "benchmarks.grammars", "--tokenizer", given.tokenizer.name]
    parts += ["--engines", ",".join(given.engines)]
    parts += ["--grammars", given.grammars] if given.grammars else []
    parts += ["--limit", str(given.limit)] if given.limit is not None else []
    parts += ["--parts", ",".join(given.parts)] if len(given.parts) < 3 else []
    parts += ["--seconds", f"{given.seconds:g}"] if given.seconds != 30 else []
    parts += ["--long-seconds", f"{given.long_seconds:g}"] if given.long_seconds != 60 else []
    return shlex.join(parts)


# Showing it


@dataclass(frozen=True)
class Table:
    """A title, a header, rows, sentences below; the first `left` columns are text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    left: int = 1


def tables(summary: dict[str, Any]) -> Iterator[Table]:
    """All that there is to show."""
    if "times" in summary:
        yield overview(summary)
        yield grammar_table(summary)
        yield slowest_table(summary)
    if "compile" in summary:
        yield compile_table(summary["compile"])
    if "linearity" in summary:
        found = summary["linearity"]
        yield Table("Long texts", linearity.HEADER, list(linearity.rows(found)), list(linearity.notes(found)), left=2)


def overview(summary: dict[str, Any]) -> Table:
    """Each engine on what it handles, and the ratios."""
    rows = []
    for name, found in summary["times"].items():
        covered = summary["coverage"][name]
        grammars, texts = (f"{covered[a]}/{covered[b]}" for a, b in (("compiled", "grammars"), ("handled", "texts")))
        for run, us in found.items():
            rows.append((name, run, grammars, texts, f"{us['count']:,}", *(figure(us[key]) for key in FIGURES)))
    header = ("engine", "pass", "grammars", "texts", "tokens", *FIGURES)
    return Table("Mask + commit, microseconds a token", header, rows, list(ratio_notes(summary)), left=2)


def ratio_notes(summary: dict[str, Any]) -> Iterator[str]:
    """Ratios, and what peers reject."""
    for pair, found in summary["ratios"].items():
        for run in (run for run in PASSES if run in found):
            shown = ", ".join(f"{key} x{found[run][key]:.3g}" for key in FIGURES)
            yield f"{pair}, {run}, on the {found['texts']} texts that both accept: {shown}"
            averages = found["by_grammar"][run]
            worst = max(averages, key=lambda grammar: averages[grammar])
            yield (
                f"{pair}, {run}, averages of grammars: median x{median(averages.values()):.3g}, "
                f"{sum(ratio <= 1 for ratio in averages.values())} of {len(averages)} at most x1, "
                f"{worst} x{averages[worst]:.3g}"
            )
    for name, found in summary["not_handled"].items():
        if found:
            listed = ", ".join(reason for grammar, said in found.items() for reason in reasons(grammar, said))
            yield f"{name}, texts that it does not handle: {listed}"
    scannerless = [name for name, found in summary["by_grammar"].items() if not found["longest"]]
    if "llguidance" in summary["times"] and scannerless:
        yield f"read without longest match, which llguidance always uses: {', '.join(scannerless)}"
    if "xgrammar" in summary["times"]:
        yield "xgrammar has no longest match: of the other grammars it allows more texts"


def reasons(grammar: str, complaints: Sequence[str]) -> Iterator[str]:
    """How many texts of a grammar ended how.

    >>> list(reasons("sql", ["timeout: not done", "rejected: no", "timeout: not done"]))
    ['sql 2 timeout', 'sql 1 rejected']
    """
    for outcome, count in Counter(said.partition(":")[0] for said in complaints).items():
        yield f"{grammar} {count} {outcome}"


def grammar_table(summary: dict[str, Any]) -> Table:
    """Average and p99 of each grammar."""
    names = list(summary["times"])
    rows = []
    for grammar, found in summary["by_grammar"].items():
        cells = [grammar, "longest" if found["longest"] else "every way"]
        for name in names:
            cold, warm = (found[name].get(run) for run in PASSES)
            cells += [str(found[name]["texts"])]
            cells += [figure(us[key]) if us else "-" for us, key in ((cold, "avg"), (cold, "p99"), (warm, "avg"))]
        rows.append(cells)
    header = ["grammar", "read"]
    for name in names:
        header += [f"{name}: texts", "cold avg", "cold p99", "warm avg"]
    return Table("By grammar, microseconds a token", header, rows, left=2)


def slowest_table(summary: dict[str, Any]) -> Table:
    """The slowest cold tokens of the first engine."""
    name, found = next(iter(summary["slowest"].items()))
    rows = [
        (step["grammar"], cell(step["before"]), cell(step["token"]), figure(step["fill_us"]), figure(step["commit_us"]))
        for step in found[:10]
    ]
    return Table(f"Slowest cold tokens of {name}", ("grammar", "after", "token", "mask us", "commit us"), rows, left=3)


def cell(text: str) -> str:
    """A text as code in a table."""
    shown = repr(text)[1:-1].replace("|", "¦").replace("`", "'")
    return f"`{shown}`" if shown else ""


def compile_table(found: dict[str, Any]) -> Table:
    """Milliseconds by grammar, SQL first."""
    names = list(found["ms"])
    grammars = sorted({grammar for ms in found["ms"].values() for grammar in ms}, key=lambda g: (g != "sql", g))
    rows = [(g, *(figure(found["ms"][name][g]) if g in found["ms"][name] else "-" for name in names)) for g in grammars]
    notes = [
        f"{pair}: " + ", ".join(f"{what} x{by[what]:.3g}" for what in ("sql", "median") if what in by)
        for pair, by in found["ratios"].items()
    ]
    return Table("Compile + first mask, milliseconds", ("grammar", *names), rows, notes)


def publish(summary: dict[str, Any], given: argparse.Namespace) -> None:
    """Write the summary as JSON, into the README if asked, and to the terminal."""
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.readme:
        replace_block(given.readme, BEGIN, END, markdown(summary))
    show(summary)


def markdown(summary: dict[str, Any]) -> str:
    """The tables and everything needed to read them."""
    numbers = ", ".join(f"{name} {number}" for name, number in summary["versions"].items())
    lines = [f"`{summary['command']}`, {summary['date']}, {summary['machine']}; {numbers}."]
    for table in tables(summary):
        lines += ["", f"**{table.title}**", "", *markdown_table(table.header, table.rows, table.left)]
        lines += ["", *(f"* {note}" for note in table.notes)] if table.notes else []
    return "\n".join(lines) + "\n"


def show(summary: dict[str, Any]) -> None:
    """The same for a terminal."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 180)
    for table in tables(summary):
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
