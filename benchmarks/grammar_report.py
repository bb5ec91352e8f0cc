"""What came of the texts of grammars: coverage, times, ratios, the slowest tokens, and tables of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from statistics import median
from typing import Any

from benchmarks import linearity
from benchmarks.grammar_turns import PASSES, Bench, Record
from benchmarks.report import FIGURES, divided, figure, in_place, statistics
from benchmarks.tables import Table, cell
from constrain.specs.library import LibraryGrammar

SLOWEST = 20
"""Tokens that are listed for each engine."""


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
        run: divided(ours[run], theirs[run]) for run in ours
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
    spent = {"fill_us": round(fill / 1e3, 1), "commit_us": round(commit / 1e3, 1)}
    return {"grammar": record.grammar} | spent | in_place(bench.tokenizer, tokens, number)


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


# Showing it


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
