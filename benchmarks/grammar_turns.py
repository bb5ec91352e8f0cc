"""One grammar with one engine: it is compiled, and its texts are read twice, timed."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter, perf_counter_ns
from typing import Any

from benchmarks.peers import Fault, GrammarEngine, Refused
from benchmarks.render import Unrenderable
from constrain.specs.library import LibraryGrammar

PASSES = ("cold", "warm")


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
