"""Time to a mask under the grammars of the library: `python -m benchmarks.grammars --json out/grammars.json`.

For each grammar and engine: the engine's caches are emptied, the grammar is compiled, and all texts that the grammar
accepts are read twice with the tokenizer's own tokens. *Cold* is the first time, *warm* the second. One duration is
`fill_bitmask` and `accept_token` for one token; the last one of a text is the mask at its end, which has to allow an
end-of-sequence token. Engines take turns grammar by grammar, in alternating order, with the garbage collector off.

A text that an engine does not accept to its end counts for coverage and not for times; ratios are over the texts that
both engines accept. `compile` is the median of several times from the grammar to the first mask, caches emptied before
each, and the tries of the vocabulary read again, as peers keep theirs. `benchmarks.linearity` measures long texts.

The peers read the grammars as `benchmarks.render` writes them.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any

from benchmarks import linearity, readme, running
from benchmarks.grammar_report import summarise, tables
from benchmarks.grammar_turns import Bench, Record, take_turn
from benchmarks.peers import GRAMMAR_ENGINES, GrammarEngine, Refused, encode, installed, pretrained
from benchmarks.render import Unrenderable
from benchmarks.report import divided, environment, publish
from benchmarks.tables import show
from constrain.specs.library import library

PROGRAM = "grammars"
COMPILED = 5
"""Times that a grammar is compiled."""
ENOUGH = 20.0
"""Seconds after which a grammar is not compiled again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show a table, write what was asked for."""
    parser = argument_parser()
    given = running.checked(parser, problem_with, arguments)
    bench = prepare(given)
    options = ("grammars", "limit", "parts", "seconds", "long_seconds")
    summary = environment(running.command(parser, given, ("tokenizer", "engines"), options))
    summary |= {"tokenizer": given.tokenizer.name}
    if "masks" in given.parts:
        summary |= read_all(bench)
    if "compile" in given.parts:
        summary["compile"] = compile_all(bench)
    if "linearity" in given.parts:
        summary["linearity"] = measure_long_texts(bench, given.long_seconds)
    found = list(tables(summary))
    publish(summary, found, given, PROGRAM)
    show(found)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.grammars", description="Time masks of grammars.")
    running.add_tokenizer(parser)
    parser.add_argument("--engines", default="", help=f"of {','.join(GRAMMAR_ENGINES)}; default: those installed")
    parser.add_argument("--grammars", default="", help="names of grammars; default: all that have examples")
    parser.add_argument("--limit", type=int, help="texts of each grammar, spread over its list")
    parser.add_argument("--parts", default="masks,compile,linearity", help="what to measure")
    parser.add_argument("--seconds", type=float, default=30.0, help="time for texts, by grammar, pass and engine")
    parser.add_argument("--long-seconds", type=float, default=60.0, help="time for a long text")
    parser.add_argument("--json", type=Path, help="file for all figures")
    readme.add_option(parser, PROGRAM)
    return parser


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing; replaces lists in them by what they say."""
    given.engines = running.listed(given.engines) or list(filter(installed, GRAMMAR_ENGINES))
    given.parts = given.parts.split(",")
    unknown = set(running.listed(given.grammars)) - {grammar.name for grammar in library()}
    return (
        running.problem_with_engines(given.engines, GRAMMAR_ENGINES)
        or running.problem_with_tokenizer(given.tokenizer)
        or (f"unknown grammar {min(unknown)!r}" if unknown else "")
        or readme.problem_with(given.readme, PROGRAM)
    )


def prepare(given: argparse.Namespace) -> Bench:
    """Load the engines, compile their code, cut the texts into tokens, settle the collector."""
    tokenizer = pretrained(given.tokenizer)
    wanted = running.listed(given.grammars)
    grammars = [g for g in library() if g.name in wanted or not wanted]
    texts = {g.name: running.spread(accepted(g.path), given.limit) for g in grammars}
    grammars = [g for g in grammars if texts[g.name]]
    tokens = {name: [encode(tokenizer, text) if text else [] for text in some] for name, some in texts.items()}
    engines: list[GrammarEngine] = [GRAMMAR_ENGINES[name]() for name in given.engines]
    bench = Bench(grammars, texts, tokens, running.loaded(engines, given.tokenizer), tokenizer, given.seconds)
    warm_up(bench)
    running.settle()
    return bench


def accepted(path: Path) -> list[str]:
    """The texts beside a grammar that it accepts; none if there is no such file yet."""
    examples = path.with_suffix(".examples.jsonl")
    lines = examples.read_text("utf-8").splitlines() if examples.is_file() else []
    found = [json.loads(line) for line in lines if line.strip()]
    return [example["text"] for example in found if example["accepted"]]


def warm_up(bench: Bench) -> None:
    """Touch pages: a short grammar with every engine."""
    for engine in bench.engines:
        for grammar in bench.grammars[:1]:
            take_turn(bench, engine, grammar)
        engine.clear()


def read_all(bench: Bench) -> dict[str, Any]:
    """Every text with every engine, and what comes of it."""
    records: list[Record] = []
    for number, grammar in enumerate(running.progress(bench.grammars, "texts")):
        for engine in running.turns(bench.engines, number):
            records += take_turn(bench, engine, grammar)
    return summarise(bench, records)


# Compiling


def compile_all(bench: Bench) -> dict[str, Any]:
    """Median milliseconds from each grammar to its first mask, by engine."""
    found: dict[str, dict[str, float]] = {engine.name: {} for engine in bench.engines}
    for number, grammar in enumerate(running.progress(bench.grammars, "compiling")):
        spent: dict[str, list[float]] = {engine.name: [] for engine in bench.engines}
        for _ in range(COMPILED):
            for engine in running.turns(bench.engines, number):
                if sum(spent[engine.name]) < ENOUGH * 1e3:
                    spent[engine.name] += compile_once(engine, grammar.path)
        for name, ms in spent.items():
            if ms:
                found[name][grammar.name] = round(median(ms), 3)
    return {"ms": found, "ratios": {f"{a}/{b}": with_median(found[a], found[b]) for a, b in combinations(found, 2)}}


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


def with_median(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Ratios on what both have, and the median of these."""
    ratios = divided(ours, theirs, ours)
    return ratios | {"median": round(median(ratios.values()), 4)} if ratios else {}


def measure_long_texts(bench: Bench, seconds: float) -> list[dict[str, Any]]:
    """See `benchmarks.linearity`."""
    with TemporaryDirectory() as folder:
        cases = linearity.measure(bench.engines, lambda text: encode(bench.tokenizer, text), Path(folder), seconds)
        return list(cases)


if __name__ == "__main__":
    sys.exit(main())
