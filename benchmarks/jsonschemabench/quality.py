"""Quality: whether constrained answers are as often right as free ones, on the tasks of `tasks`.

Three ways of decoding, each with a prompt that shows it:

* free: the reasoning, then a line "Answer: ..."; no engine. Run it with the engine "none".
* constrained: one JSON object, constrained from its first byte, with the reasoning in a string and the answer after it.
* reasoned: free reasoning, then a JSON object with the answer, constrained. Where the model does not come to its answer
  in time, it is asked for it.

With the engine "none" the last two show what the prompt alone does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks.jsonschemabench.decoding import Decoded, Plan, decode
from benchmarks.jsonschemabench.guides import NONE, Guide, joined
from benchmarks.jsonschemabench.models import Loaded, Unavailable, is_memory, load
from benchmarks.jsonschemabench.prompts import Prompt, Style, fit
from benchmarks.jsonschemabench.records import Record
from benchmarks.jsonschemabench.task_data import questions
from benchmarks.jsonschemabench.tasks import MARKER, TASKS, Question, answer_schema, read_json, reasoning_schema

DECODINGS = ("free", "constrained", "reasoned")
STYLE = Style("Question:", "Reply:")
ANSWER_TOKENS = 48
"""Of the budget, kept for the JSON object in `reasoned`; half of the budget if that is less."""
_SHAPES = {
    "free": f'Think step by step, then end with a line "{MARKER} ...".',
    "constrained": 'Reply with one JSON object: think step by step in "reasoning", then give the "answer".',
    "reasoned": f'Think step by step, then write a line "{MARKER}" and under it a JSON object with the "answer".',
}


class Quality:
    """One model with one engine, on one task, in one way of decoding; iterate over it for the questions."""

    def __init__(
        self,
        model: str | Loaded,
        engine: str,
        task: str,
        decoding: str,
        *,
        data: str | None = None,
        limit: int | None = None,
        seed: int = 0,
        max_new_tokens: int = 512,
        device: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """See `task_data.questions` for `data` and `limit`. Raises Unavailable, DataError."""
        problem = problem_with(task, decoding, engine, max_new_tokens)
        if problem:
            raise Unavailable(problem)
        self._task, self._decoding, self._name = TASKS[task], decoding, engine
        self._items = partial(items, task, decoding, data=data, limit=limit, seed=seed)
        self._loaded = model if isinstance(model, Loaded) else load(model, device)
        self._engine = joined(engine, self._loaded, options)
        self._budget, self._seed = max_new_tokens, seed

    def __iter__(self) -> Iterator[Question]:
        """The questions, read anew. Raises DataError."""
        return iter(self._items())

    def look(self, item: Question, run: int = 1) -> Record:
        """Ask, read the answer, compare. What goes wrong is written into the record."""
        record = Record(item.id, item.split, self._name, run, vocabulary=self._loaded.width)
        begin = perf_counter()
        try:
            compiled = self._compiled(item)
        except getattr(self._engine, "refusals", ()) as error:
            record.fail("compile error", error)
            return record
        except Exception as error:  # a crash is a result of the benchmark
            record.fail("memory" if is_memory(error) else "crash", error)
            return record
        try:
            parts, text = self._written(item, compiled, f"{self._seed} {item.id} {run}")
        except Exception as error:  # likewise
            record.fail("memory" if is_memory(error) else "crash", error)
            return record
        last = parts[-1]
        if last.finish_reason == "stuck":
            record.fail("false reject", f"stuck after {len(last.tokens)} tokens: {last.trouble}")
        answer = self._task.read(text) if self._decoding == "free" else read_json(last.text.strip())
        record.task = self._judged(item, text, answer) | {
            "tokens": sum(len(part.tokens) for part in parts),
            "seconds": round(perf_counter() - begin, 6),
            "finish_reason": last.finish_reason,
        }
        return record

    def _judged(self, item: Question, text: str, answer: str | None) -> dict[str, Any]:
        return {
            "name": self._task.name,
            "decoding": self._decoding,
            "question": item.text,
            "text": text,
            "answer": answer,
            "expected": item.expected,
            "correct": self._task.is_correct(answer, item),
        }

    def _compiled(self, item: Question) -> Any:
        """The shape of the JSON object, compiled; an engine may remember it from the question before."""
        if self._engine is None:
            return None
        shape = reasoning_schema if self._decoding == "constrained" else answer_schema
        return self._engine.compile_schema(shape(self._task, item))

    def _written(self, item: Question, compiled: Any, seed: str) -> tuple[list[Decoded], str]:
        """What was decoded, in one part or two, and the whole text."""
        prompt = self._prompt(item)
        if self._decoding != "reasoned":
            found = self._decoded(prompt.ids, compiled, Plan(self._budget, seed=seed, stops=self._stops()))
            return [found], found.text
        kept = min(ANSWER_TOKENS, self._budget // 2)
        free = Plan(self._budget - kept, seed=seed, stops=(*self._stops(), MARKER))
        thought = self._decoded(prompt.ids, None, free)
        before = f"{thought.text.rstrip()}\n{MARKER}\n"
        ids = self._loaded.encode(prompt.text + before, rendered=self._loaded.is_chat)
        most = len(ids) if self._loaded.context is None else self._loaded.context - kept
        found = self._decoded(ids[-most:], compiled, Plan(kept, seed=seed, stops=self._stops()))
        return [thought, found], before + found.text

    def _decoded(self, ids: list[int], compiled: Any, plan: Plan) -> Decoded:
        """A text, free if nothing is compiled."""
        eos_ids = self._loaded.eos_ids
        if compiled is None:
            return decode(self._loaded, ids, Guide(None, None, eos_ids), plan)
        guide = Guide(self._engine, compiled, eos_ids, skip=not self._loaded.is_stateful)
        return decode(self._loaded, ids, guide, replace(plan, stops=()))

    def _stops(self) -> tuple[str, ...]:
        """Plain text has no end that the model knows: it goes on with the next question."""
        return () if self._loaded.is_chat else (STYLE.stop,)

    def _prompt(self, item: Question) -> Prompt:
        direction = f"{self._task.direction} {_SHAPES[self._decoding]}"
        turns = [(one.question, shown(self._decoding, one.reasoning, one.answer)) for one in self._task.examples]
        return fit(self._loaded, direction, turns, item.text, STYLE, self._budget)


@dataclass(frozen=True)
class Asked:
    """A question, on which task, to be answered in which way."""

    question: Question
    task: str
    decoding: str

    @property
    def id(self) -> str:
        """Of its record."""
        return self.question.id

    @property
    def split(self) -> str:
        """The task."""
        return self.question.split


class Exam:
    """One model with one engine, on all tasks."""

    def __init__(self, model: str, engine: str, **options: Any) -> None:
        """`options` are those of `Quality`. Raises Unavailable."""
        self._model, self._engine = load(model, options.pop("device", None)), engine
        self._options = options
        self._parts: dict[tuple[str, str], Quality] = {}

    def look(self, item: Asked, run: int = 1) -> Record:
        """See `Quality.look`."""
        key = item.task, item.decoding
        if key not in self._parts:
            self._parts[key] = Quality(self._model, self._engine, *key, **self._options)
        return self._parts[key].look(item.question, run)


def items(task: str, decoding: str, *, data: str | None, limit: int | None, seed: int) -> list[Question]:
    """The questions; ids name the way of decoding, so that one file of results can hold all. Raises DataError."""
    return [replace(one, id=f"{one.id} {decoding}") for one in questions(task, data, limit, seed)]


def shown(decoding: str, reasoning: str, answer: Any) -> str:
    """An answer as an example shows it.

    >>> shown("free", "1 + 1 = 2.", 2), shown("constrained", "1 + 1 = 2.", 2)
    ('1 + 1 = 2.\\nAnswer: 2', '{"reasoning": "1 + 1 = 2.", "answer": 2}')
    """
    if decoding == "constrained":
        return json.dumps({"reasoning": reasoning, "answer": answer})
    return (
        f"{reasoning}\n{MARKER} {answer}"
        if decoding == "free"
        else f"{reasoning}\n{MARKER}\n" + json.dumps({"answer": answer})
    )


def problem_with(task: str, decoding: str, engine: str, max_new_tokens: int) -> str:
    """What is wrong with a choice, or nothing.

    >>> problem_with("gsm8k", "free", "none", 9), problem_with("gsm8k", "free", "constrain", 9)
    ('', 'free decoding uses no engine; run it once, with the engine none')
    """
    if task not in TASKS:
        return f"unknown task {task!r}; there are {', '.join(TASKS)}"
    if decoding not in DECODINGS:
        return f"unknown way of decoding {decoding!r}; there are {', '.join(DECODINGS)}"
    if decoding == "free" and engine != NONE:
        return "free decoding uses no engine; run it once, with the engine none"
    return "" if max_new_tokens > 1 else "at least two new tokens are needed"
