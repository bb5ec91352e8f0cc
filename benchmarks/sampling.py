"""Weighted sampling beside genlm-control and beside masks: `python -m benchmarks.sampling --genlm PATH/bin/python`.

The same model, pattern, prompt, particles and budget for both, each in its own process with one thread for torch. What
is exact is found by enumeration: every sequence of tokens that meets the pattern within the budget, with its
probability.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import readme, running
from benchmarks.report import environment, figure, publish
from benchmarks.tables import Table, show

PROGRAM = "sampling"
_WORKER = Path(__file__).with_name("sampling_worker.py")
_WIDTH = 128_256
LIMIT = 16
"""Tokens rejected at most in one draw, in the second half of the table of proposals."""
_SECONDS = 1800


@dataclass(frozen=True)
class Task:
    """A pattern for a model."""

    name: str
    model: str
    prompt: str
    pattern: str
    budget: int
    runs: int
    enumerable: bool


TASKS = (
    Task("date", "random", "The meeting is on ", "[0-9]{4}-[0-9]{2}-[0-9]{2}", 12, 5, False),
    Task("date", "embedded", "The meeting is on ", "[0-9]{4}-[0-9]{2}-[0-9]{2}", 12, 5, False),
    Task("label", "embedded", "The review says: ", "rude service|lovely staff|rude staff|cold soup|slow", 8, 60, True),
    Task("binary", "embedded", "The code is ", "(0|1|10|101|0011)(0|1)?", 6, 60, True),
)
ASKED = {
    "JSON grammar": ("json", "Ada Lindqvist is 41 years old. As JSON:"),
    "SQL grammar": ("sql", "Question: How many users are there?\nSQL:"),
}
SCHEMA = "CREATE TABLE users (id INTEGER, name TEXT, city TEXT, year INTEGER); CREATE TABLE orders (id INTEGER);"

Run = dict[str, Any]


# ---- models


class Models:
    """The embedded model, and one with random weights and a vocabulary of 50,257; both as folders that others read."""

    def __init__(self, tokenizer_dir: Path, folder: Path) -> None:
        import torch
        import transformers

        from constrain.demo import MODEL_PATH, load_model

        tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
        torch.manual_seed(0)
        ends = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer), n_layer=2, n_embd=64, n_head=2, n_positions=256, **ends
        )
        model = transformers.GPT2LMHeadModel(config).eval()
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        self.loaded = {"random": (model, tokenizer), "embedded": load_model()}
        self.folders = {"random": folder, "embedded": MODEL_PATH}


# ---- runs


def ours(models: Models, task: Task, particles: int, prune: bool) -> list[Run]:
    """constrain: with a mask, or with the automaton asked about proposed tokens."""
    import torch

    import constrain
    from constrain.hf import SMCDecoding, vocabulary_of
    from constrain.sampling import Language

    model, tokenizer = models.loaded[task.model]
    vocabulary = vocabulary_of(model, tokenizer)
    automaton = constrain.Compiler(vocabulary).compile(constrain.regex(task.pattern))
    inputs = tokenizer(task.prompt, return_tensors="pt", return_token_type_ids=False)
    results = []
    for seed in range(1 + task.runs):
        decoding = SMCDecoding(
            Language(automaton, prune=prune), vocabulary, particles=particles, rng=np.random.default_rng(seed)
        )
        begin = time.perf_counter()
        with torch.no_grad():
            model.generate(
                **inputs, custom_generate=decoding, do_sample=True, top_k=0, max_new_tokens=task.budget,
                pad_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        seconds = time.perf_counter() - begin
        posterior = decoding.posteriors[0]
        ended = {"complete", "closed"}
        tokens = sum(len(one.token_ids) + (one.finish_reason in ended) for one in posterior.particles)
        results.append(
            {
                "seconds": seconds,
                "tokens": tokens,
                "evaluations": posterior.evaluations,
                "shares": {answer.text: answer.probability for answer in posterior.answers},
                "log_normalizer": posterior.log_normalizer,
            }
        )
    return results[1:]  # the first is for warming up


def theirs(python: Path, models: Models, task: Task, particles: int) -> tuple[str, list[Run]]:
    """genlm-control: its version, and its runs."""
    _, tokenizer = models.loaded[task.model]
    order = {
        "model": str(models.folders[task.model]),
        "prompt_ids": tokenizer(task.prompt)["input_ids"],
        "pattern": task.pattern,
        "particles": particles,
        "budget": task.budget,
        "runs": task.runs,
        "threads": 1,
    }
    done = subprocess.run(
        [python, _WORKER], input=json.dumps(order), capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"genlm-control on {task.name}: {done.stderr[-2000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["version"], answer["runs"]


# ---- what is exact


def enumerated(models: Models, task: Task) -> tuple[dict[str, float], dict[str, float]]:
    """The probability of each text that meets the pattern within the budget, and the probability with which masks lead
    to it; both by following every sequence of tokens. (What masks lead to when the budget is up is left out.)"""
    import torch

    import constrain
    from constrain.hf import vocabulary_of

    model, tokenizer = models.loaded[task.model]
    vocabulary = vocabulary_of(model, tokenizer)
    automaton = constrain.Compiler(vocabulary).compile(constrain.regex(task.pattern))
    prompt = tokenizer(task.prompt)["input_ids"]
    exact: dict[str, float] = defaultdict(float)
    masked: dict[str, float] = defaultdict(float)
    todo: list[tuple[list[int], float, float]] = [([], 0.0, 0.0)]
    while todo:
        tokens, log_exact, log_masked = todo.pop()
        matcher = automaton.matcher()
        matcher.accept_tokens(tokens)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + tokens])).logits[0, -1].double()
        logp = torch.log_softmax(logits, -1).numpy()
        allowed = matcher.allowed_token_ids()
        mass = float(np.logaddexp.reduce(logp[allowed]))
        for token in allowed.tolist():
            after = log_exact + logp[token], log_masked + logp[token] - mass
            if token in vocabulary.eos_ids:
                text = b"".join(map(vocabulary.token_bytes, tokens)).decode()
                exact[text] += math.exp(after[0])
                masked[text] += math.exp(after[1])
            elif len(tokens) + 1 < task.budget:
                todo.append(([*tokens, token], *after))
    total, reached = math.fsum(exact.values()), math.fsum(masked.values())
    return {t: v / total for t, v in exact.items()}, {t: v / reached for t, v in masked.items()}


def divergence(shares: dict[str, float], exact: dict[str, float]) -> float:
    """KL of what particles say to what is exact, in nats.

    >>> divergence({"a": 1.0}, {"a": 0.5, "b": 0.5}) == math.log(2)
    True
    """
    return math.fsum(share * math.log(share / exact[text]) for text, share in shares.items() if share > 0)


def distance(shares: dict[str, float], exact: dict[str, float]) -> float:
    """Total variation.

    >>> distance({"a": 1.0}, {"a": 0.5, "b": 0.5})
    0.5
    """
    return math.fsum(abs(shares.get(text, 0.0) - exact.get(text, 0.0)) for text in {*shares, *exact}) / 2


def law(runs: Sequence[Run]) -> dict[str, float]:
    """Of a text drawn by weight from a run: the mean of the shares."""
    answered = [run["shares"] for run in runs if run["shares"]]
    mean: dict[str, float] = defaultdict(float)
    for shares in answered:
        for text, share in shares.items():
            mean[text] += share / len(answered)
    return mean


# ---- one step


def overhead(rounds: int) -> dict[str, float]:
    """Milliseconds of one step at 128k tokens: softmax and multinomial of torch; log-softmax and `awrs` with a checker
    that accepts everything."""
    import torch

    from constrain.hf.weighted import log_softmax
    from constrain.sampling import awrs

    torch.manual_seed(0)
    logits = 3 * torch.randn(1, _WIDTH)
    rng = np.random.default_rng(0)

    def plain() -> None:
        torch.multinomial(torch.softmax(logits, -1), 1)

    def weighted() -> None:
        awrs(log_softmax(logits)[0], lambda token: True, rng)

    times: dict[str, list[float]] = {"plain": [], "awrs": []}
    for number in range(rounds):
        for name, step in running.turns([("plain", plain), ("awrs", weighted)], number):
            times[name].append(clocked(step))
    return {name: 1e3 * float(np.median(found)) for name, found in times.items()}


def clocked(step: Callable[[], None]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def proposals(models: Models, count: int) -> dict[str, dict[str, float]]:
    """Tokens asked about to the first that is accepted, for each token drawn; without a limit and with one."""
    import torch

    import constrain
    from constrain.hf import AWRSLogitsProcessor, vocabulary_of
    from constrain.sampling import Json, Language, Sql

    model, tokenizer = models.loaded["embedded"]
    vocabulary = vocabulary_of(model, tokenizer)
    compiler = constrain.Compiler(vocabulary)
    checkers: dict[str, tuple[Any, str]] = {
        name: (Language(compiler.compile(constrain.grammar_file(grammar)), prune=False), prompt)
        for name, (grammar, prompt) in ASKED.items()
    }
    checkers["JSON checker"] = (Json(), ASKED["JSON grammar"][1])
    checkers["SQL checker, with a schema"] = (Sql(SCHEMA), ASKED["SQL grammar"][1])
    found: dict[str, dict[str, float]] = {}
    for name, (checker, prompt) in checkers.items():
        found[name] = {"mask": float(vocabulary.size)}
        inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        for limit in (None, LIMIT):
            asked: list[tuple[int, bool]] = []
            processor = AWRSLogitsProcessor(
                checker, vocabulary, step=counting(asked, limit), rng=np.random.default_rng(0)
            )
            torch.manual_seed(0)
            model.generate(
                **inputs, logits_processor=[processor], do_sample=True, top_k=0, num_return_sequences=count,
                max_new_tokens=24, pad_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
            kind = "limited" if limit else "all"
            numbers = [number for number, _ in asked]
            found[name] |= {
                f"{kind} mean": float(np.mean(numbers)),
                f"{kind} median": float(np.median(numbers)),
                f"{kind} p99": float(np.percentile(numbers, 99)),
                f"{kind} failed": sum(not good for _, good in asked) / len(asked),
            }
    return found


def counting(asked: list[tuple[int, bool]], limit: int | None) -> Callable[..., Any]:
    """A step that notes how many tokens were asked about to the first accepted one, and whether there was one."""
    from constrain.sampling import awrs

    def step(logp: Any, accept: Callable[[int], bool], rng: np.random.Generator) -> Any:
        answers: list[bool] = []

        def noted(token: int) -> bool:
            answers.append(accept(token))
            return answers[-1]

        draw = awrs(logp, noted, rng, max_rejects=limit)
        asked.append((answers.index(True) + 1 if True in answers else len(answers), True in answers))
        return draw

    return step


# ---- tables


def measured(models: Models, given: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """The figures of each task and engine, and the version of genlm-control."""
    figures, peer = [], "not measured"
    for task in running.progress(TASKS, "tasks"):
        engines: dict[str, list[Run]] = {
            "constrain, mask": ours(models, task, given.particles, True),
        }
        if task.model != "random":  # which proposes 10,000 tokens before one that the pattern accepts
            engines["constrain, asked"] = ours(models, task, given.particles, False)
        if given.genlm is not None:
            peer, engines["genlm-control"] = theirs(given.genlm, models, task, given.particles)
        exact, masked = enumerated(models, task) if task.enumerable else ({}, {})
        figures += [
            {"task": task.name, "model": task.model, "engine": n} | summed(r, exact) for n, r in engines.items()
        ]
        if exact:
            figures.append({"task": task.name, "model": task.model, "engine": "masks", "tv": distance(masked, exact)})
    return figures, peer


def summed(runs: Sequence[Run], exact: dict[str, float]) -> dict[str, Any]:
    """The figures of some runs."""
    tokens = sum(run["tokens"] for run in runs)
    figures: dict[str, Any] = {
        "ms": 1e3 * float(np.median([run["seconds"] / max(run["tokens"], 1) for run in runs])),
        "evaluations": sum(run["evaluations"] for run in runs) / tokens,
        "empty": sum(not run["shares"] for run in runs),
        "runs": len(runs),
    }
    if exact:
        answered = [run for run in runs if run["shares"]]
        figures["kl"] = float(np.mean([divergence(run["shares"], exact) for run in answered]))
        figures["tv"] = distance(law(runs), exact)
    return figures


def tables(summary: dict[str, Any]) -> list[Table]:
    """For a terminal and for the README."""
    rows = [
        (
            f"{one['task']}, {one['model']}",
            one["engine"],
            figure(one["ms"]) if "ms" in one else "",
            figure(one["evaluations"]) if "evaluations" in one else "",
            f"{one['kl']:.3f}" if "kl" in one else "",
            f"{one['tv']:.3f}" if "tv" in one else "",
        )
        for one in summary["figures"]
    ]
    header = ("pattern, model", "engine", "ms a token", "asked a token", "KL of a run", "TV of a draw")
    notes = [
        f"{task}: time a token constrain/genlm-control x{ratio:.3f} ({how})" for task, how, ratio in ratios(summary)
    ]
    asked = [
        (
            name,
            *(f"{one[f'all {what}']:.3g}" for what in ("mean", "median", "p99")),
            *(f"{one[f'limited {what}']:.3g}" for what in ("mean", "median", "p99")),
            f"{one['limited failed']:.1%}",
            f"{one['mask']:,.0f}",
        )
        for name, one in summary["proposals"].items()
    ]
    step = summary["overhead"]
    times = [(name, f"{step[name]:.2f}") for name in ("plain", "awrs")]
    return [
        Table(f"{summary['particles']} particles", header, rows, notes, left=2),
        Table(
            "Tokens asked about to the first accepted one, for each draw; embedded model",
            (
                "constraint",
                "mean",
                "p50",
                "p99",
                f"at most {LIMIT}: mean",
                "p50",
                "p99",
                "none found",
                "a mask decides",
            ),
            asked,
        ),
        Table(
            f"One step at {_WIDTH:,} tokens, checker that accepts, ms (median)",
            ("sampling", "ms"),
            times,
            [f"awrs takes {step['awrs'] - step['plain']:+.2f} ms more than softmax and multinomial"],
        ),
    ]


def ratios(summary: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Time a token, ours to theirs."""
    found = []
    for peer in (one for one in summary["figures"] if one["engine"] == "genlm-control"):
        for one in summary["figures"]:
            if one["engine"].startswith("constrain") and (one["task"], one["model"]) == (peer["task"], peer["model"]):
                how = one["engine"].partition(", ")[2]
                found.append((f"{one['task']}, {one['model']}", how, one["ms"] / peer["ms"]))
    return found


def problem_with(given: argparse.Namespace) -> str:
    """What is wrong with the arguments, or nothing."""
    if given.genlm is not None and not given.genlm.is_file():
        return f"no Python at {given.genlm}"
    return running.problem_with_tokenizer(given.tokenizer) or readme.problem_with(given.readme, PROGRAM)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{PROGRAM}", description=__doc__.splitlines()[0])
    parser.add_argument("--genlm", type=Path, help="the Python that has genlm-control; without it that is left out")
    parser.add_argument(
        "--tokenizer", type=Path, default=running.data() / "tokenizers" / "gpt2", help="of the random model"
    )
    parser.add_argument("--particles", type=int, default=10)
    parser.add_argument("--json", type=Path, help="file for all figures")
    readme.add_option(parser, PROGRAM)
    given = running.checked(parser, problem_with, arguments)
    import torch

    from constrain.warmup import warm_up

    torch.set_num_threads(1)
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        models = Models(given.tokenizer, Path(folder))
        figures, peer = measured(models, given)
        command = f"python -m benchmarks.{PROGRAM} --particles {given.particles}" + " --genlm python" * bool(
            given.genlm
        )
        summary = environment(command, peers=("torch",)) | {
            "particles": given.particles,
            "figures": figures,
            "proposals": proposals(models, 40),
            "overhead": overhead(200),
        }
    summary["versions"]["genlm-control"] = peer
    show(tables(summary))
    publish(summary, tables(summary), given, PROGRAM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
