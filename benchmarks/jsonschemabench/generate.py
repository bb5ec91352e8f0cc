"""Generate: a model is asked for an instance of each schema, and the text is judged.

Every engine works in the same loop (`decoding`), and compiles every schema anew: what it remembers is cleared before.

* declared coverage: the engine compiled the schema.
* empirical coverage: the text is JSON, and valid under the schema's own draft (2020-12 if it names none).
* GCT: grammar compilation time. TTFT: time to the first token, GCT included; reading the prompt and compiling come one
  after the other here, though a server could do both at once. TPOT: time per token after the first.

An engine that names forced tokens writes each schema twice: with them skipped (the model is not asked) and, for
`plain_total_ms`, without.
"""

from __future__ import annotations

import json
from contextlib import suppress
from time import perf_counter
from typing import Any

from benchmarks.jsonschemabench.decoding import Decoded, Plan, decode
from benchmarks.jsonschemabench.guides import Guide, forces, joined
from benchmarks.jsonschemabench.judging import Unjudged, check_validator, problem_with
from benchmarks.jsonschemabench.models import Loaded, Unavailable, is_memory, load
from benchmarks.jsonschemabench.prompts import SCHEMA_STYLE, Prompt, problem_with_shots, schema_prompt
from benchmarks.jsonschemabench.records import Record

SHOTS = 2


class Generate:
    """One model with one engine."""

    def __init__(
        self,
        model: str | Loaded,
        engine: str,
        *,
        max_new_tokens: int = 512,
        shots: int = SHOTS,
        seed: int = 0,
        device: str | None = None,
        temperature: float = 0.0,
        options: dict[str, Any] | None = None,
    ) -> None:
        """`engine` is one of `guides.GUIDES`, or "none"; `options` are for this package's. Raises Unavailable."""
        problem = problem_with_shots(shots) or ("" if max_new_tokens > 0 else "at least one new token is needed")
        if problem:
            raise Unavailable(problem)
        check_validator()
        self._loaded = model if isinstance(model, Loaded) else load(model, device)
        self._engine, self._name = joined(engine, self._loaded, options), engine
        self._budget, self._shots, self._seed, self._temperature = max_new_tokens, shots, seed, temperature
        self._warm_up()

    def look(self, item: Any, run: int = 1) -> Record:
        """Ask for an instance of an item's schema, and judge it. What goes wrong is written into the record."""
        record = Record(item.id, item.split, self._name, run, schema_bytes=len(json.dumps(item.schema)))
        record.vocabulary = self._loaded.width
        try:
            self._look(item, record)
        except Exception as error:  # a crash is a result of the benchmark
            record.fail("memory" if is_memory(error) else "crash", error)
        return record

    def _warm_up(self) -> None:
        """What happens once in a process, before anything is timed."""
        prompt = schema_prompt(self._loaded, {}, 0, self._seed, self._budget)
        if self._engine is None:
            decode(self._loaded, prompt.ids, Guide(None, None, self._loaded.eos_ids), Plan(1))
            return
        with suppress(*self._engine.refusals):
            compiled, _ = self._compiled({"type": "object", "properties": {"warm": {"type": "boolean"}}})
            decode(self._loaded, prompt.ids, self._guide(compiled), Plan(min(self._budget, 8)))

    def _look(self, item: Any, record: Record) -> None:
        prompt = schema_prompt(self._loaded, item.schema, self._shots, self._seed, self._budget)
        record.generated = described(prompt)
        try:
            compiled, compile_s = self._compiled(item.schema)
        except getattr(self._engine, "refusals", ()) as error:
            record.fail("compile error", error)
            return
        record.compile_ns = round(compile_s * 1e9)
        record.generated["declared"] = True
        # Plain text has no end that the model knows: without a constraint it goes on with the next example.
        stops = () if self._engine is not None or self._loaded.is_chat else (SCHEMA_STYLE.stop,)
        plan = Plan(self._budget, self._temperature, f"{self._seed} {item.id} {record.run}", stops)
        found = decode(self._loaded, prompt.ids, self._guide(compiled), plan)
        record.generated |= measured(found, compile_s)
        judge(record, item.schema, found)
        if forces(self._engine) and not self._loaded.is_stateful:
            compiled, compile_s = self._compiled(item.schema)
            plain = decode(self._loaded, prompt.ids, self._guide(compiled, skip=False), plan)
            record.generated["plain_total_ms"] = milliseconds(compile_s + plain.total_s)

    def _compiled(self, schema: Any) -> tuple[Any, float]:
        """What the engine makes of a schema that it has not seen, and how many seconds it took."""
        if self._engine is None:
            return None, 0.0
        self._engine.clear()
        begin = perf_counter()
        compiled = self._engine.compile_schema(schema)
        return compiled, perf_counter() - begin

    def _guide(self, compiled: Any, *, skip: bool = True) -> Guide:
        return Guide(self._engine, compiled, self._loaded.eos_ids, skip=skip and not self._loaded.is_stateful)


def described(prompt: Prompt) -> dict[str, Any]:
    """What is known before anything is compiled."""
    return {
        "declared": False,
        "empirical": False,
        "prompt_tokens": len(prompt.ids),
        "cut_tokens": prompt.cut,
        "shots": prompt.shots,
    }


def measured(found: Decoded, compile_s: float) -> dict[str, Any]:
    """What was written, and how long it took."""
    count = len(found.tokens)
    return {
        "text": found.text,
        "tokens": count,
        "forced_tokens": found.forced,
        "calls": found.calls,
        "finish_reason": found.finish_reason,
        "gct_ms": milliseconds(compile_s),
        "ttft_ms": milliseconds(compile_s + (found.first_s if count else found.total_s)),
        "tpot_ms": milliseconds((found.last_s - found.first_s) / (count - 1) if count > 1 else 0.0),
        "total_ms": milliseconds(compile_s + found.total_s),
    }


def judge(record: Record, schema: Any, found: Decoded) -> None:
    """Write down whether the text is valid; a text that no validator judges does not count as valid."""
    assert record.generated is not None
    try:
        problem = problem_with(schema, found.text)
    except Unjudged as error:
        record.generated["unjudged"] = record.message = f"not judged: {error}"[:300]
        return
    record.generated["empirical"] = not problem
    if found.finish_reason == "stuck":
        record.fail("false reject", f"stuck after {len(found.tokens)} tokens: {found.trouble}")
    elif problem:
        cut = f"cut after {len(found.tokens)} tokens; " if found.finish_reason == "length" else ""
        record.fail("false accept", f"{cut}{problem}")


def milliseconds(seconds: float) -> float:
    """To the microsecond."""
    return round(seconds * 1e3, 3)
