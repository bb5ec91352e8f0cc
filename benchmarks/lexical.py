"""Beam search with phrases: `python -m benchmarks.lexical --peer PYTHON --readme benchmarks/README.md`.

Seconds a sentence for 0 to 16 forced words at a fixed beam, on a small random model with a vocabulary of 50,257 tokens:
dynamic beam allocation and grid beam search of this package, and the constrained beam search that transformers had up
to version 4. `--peer` is the interpreter of an environment with such a version; it is measured in turns with the
others, on the same weights. Every output has all of its tokens, so that all have the same work. Of a model of the size
of GPT-2 the time is told that is not spent in the model.

What comes of it is looked at on the embedded model: whether the words are in the text as tokens, as a string and as
words, how often one is there twice, and how likely the outputs are.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import readme, running
from benchmarks.lexical_worker import Timed, load, search
from benchmarks.report import environment, publish
from benchmarks.tables import Table, show

PROGRAM = "lexical"
COUNTS = (0, 1, 2, 4, 8, 16)
SIZE = 50_257
GRID = 4
"""Most phrases for grid beam search, whose beam grows with them."""
OLD = "transformers 4"
PROMPTS = ("Ada Lindqvist lives in Uppsala, Sweden. ", "The review says: ", "The meeting is on ", "On Monday it was ")

Run = Callable[[dict[str, Any]], dict[str, Any]]


class Peer:
    """Another version of transformers, in a process of its own."""

    def __init__(self, python: Path) -> None:
        worker = Path(__file__).with_name("lexical_worker.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([str(python), str(worker)], stderr=subprocess.DEVNULL, **pipes)
        self.versions: dict[str, str] = self._answer()

    def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        """Have a job done."""
        assert self._process.stdin is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {OLD} has ended with status {self._process.wait()}")
        return dict(json.loads(line))

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()  # closes the pipes


def ours(models: dict[str, Timed], allocation: str, vocabulary: Any = None) -> Run:
    """The search of this package."""
    from constrain.hf import lexical_beam_search

    def run(job: dict[str, Any]) -> dict[str, Any]:
        forced = {"force_words_ids": job["force"], "allocation": allocation} if job["force"] else {}
        if vocabulary is not None and forced:
            forced["vocabulary"] = vocabulary
        return search(models[job["model"]], job, custom_generate=lexical_beam_search, **forced)

    return run


# ---- time


def measured(engines: dict[str, Run], folder: str, given: argparse.Namespace) -> dict[str, dict[int, dict[str, float]]]:
    """Seconds, and the share outside of the model, of each engine for each number of phrases."""
    rng = random.Random(given.seed)
    found: dict[str, dict[int, list[dict[str, Any]]]] = {name: {} for name in engines}
    jobs = []
    for _ in range(given.sentences):
        words = [[rng.randrange(1, SIZE) for _ in range(rng.choice([1, 2]))] for _ in range(max(COUNTS))]
        prompt = [rng.randrange(1, SIZE) for _ in range(8)]
        jobs += [(count, prompt, words[:count]) for count in COUNTS]
    for run in engines.values():
        run(job_of(folder, jobs[1][1], jobs[1][2], given))  # what is compiled or loaded at first is not measured
    for number, (count, prompt, words) in enumerate(running.progress(jobs, "sentences")):
        for name in running.turns(list(engines), number):
            if name == "grid" and not 0 < count <= GRID:
                continue
            result = engines[name](job_of(folder, prompt, words, given))
            found[name].setdefault(count, []).append(result)
    return {name: {count: figures(results) for count, results in by.items()} for name, by in found.items()}


def job_of(
    folder: str, ids: list[int], force: list[list[int]], given: argparse.Namespace, **more: Any
) -> dict[str, Any]:
    """A job for an engine."""
    return {
        "model": folder,
        "ids": ids,
        "force": force,
        "beams": given.beams,
        "tokens": given.tokens,
        "steady": True,
    } | more


def figures(results: list[dict[str, Any]]) -> dict[str, float]:
    """The median time; what is not the model's, as a share of the model's; the mean score."""
    seconds = [result["seconds"] for result in results]
    outside = [result["seconds"] / result["forward"] - 1 for result in results]
    return {
        "seconds": median(seconds),
        "host": median(outside),
        "host_seconds": median(result["seconds"] - result["forward"] for result in results),
        "score": mean(result["score"] for result in results),
    }


def time_table(found: dict[str, dict[int, dict[str, float]]], given: argparse.Namespace) -> Table:
    """Seconds a sentence."""
    rows = []
    for name, by in found.items():
        rows.append((name, *(f"{by[count]['seconds']:.3f}" if count in by else "" for count in COUNTS)))
    notes = [f"{name}: score {shown(by, 'score', '.2f')}" for name, by in found.items()]
    notes += [f"{name}: outside of the model {shown(by, 'host_seconds', '.3f')} s" for name, by in found.items()]
    title = f"CPU seconds a sentence in one thread, {given.beams} beams, {given.tokens} tokens, by number of phrases"
    return Table(title, ("engine", *map(str, COUNTS)), rows, notes)


def shown(by: dict[int, dict[str, float]], what: str, form: str) -> str:
    """One figure for all numbers of phrases."""
    return ", ".join(f"{by[count][what]:{form}}" for count in COUNTS if count in by)


def host_table(run: Run, folder: str, given: argparse.Namespace) -> tuple[dict[int, float], Table]:
    """What is not the model's, as a share of the model's time, on a model of some size."""
    rng = random.Random(given.seed)
    words = [[rng.randrange(1, SIZE)] for _ in range(8)]
    run(job_of(folder, [1, 2, 3], words, given, tokens=9))
    found = {}
    for count in (0, 8):
        results = [run(job_of(folder, [1, 2, 3, number], words[:count], given)) for number in range(3)]
        found[count] = figures(results)["host"]
    rows = [(f"{count} phrases", f"{100 * share:.1f}") for count, share in found.items()]
    title = f"A model of 12 layers, 768 wide, 50,257 tokens, {given.beams} beams: time outside of the model"
    return found, Table(title, ("", "% of the model's"), rows)


# ---- quality


def judged(run: Run, folder: str, tokenizer: Any, given: argparse.Namespace) -> dict[str, float]:
    """What an engine makes of words that it has to use."""
    rng = random.Random(given.seed)
    words = listed_words()
    totals: dict[str, list[float]] = {"token": [], "string": [], "word": [], "doubles": [], "score": []}
    for _ in range(given.texts):
        chosen = rng.sample(words, rng.randint(1, 6))
        forced = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in chosen]
        ids = tokenizer(rng.choice(PROMPTS).rstrip())["input_ids"]
        result = run(job_of(folder, ids, forced, given, steady=False, tokens=48))
        row = [token for token in result["row"] if token != tokenizer.eos_token_id]
        text = tokenizer.decode(row, skip_special_tokens=True)
        for word, phrase in zip(chosen, forced):
            times = sum(row[i : i + len(phrase)] == phrase for i in range(len(row)))
            totals["token"].append(times > 0)
            totals["string"].append(word in text)
            totals["word"].append(re.search(rf"\b{re.escape(word)}\b", text) is not None)
            totals["doubles"].append(times > 1)
        totals["score"].append(result["score"])
    return {name: mean(values) for name, values in totals.items()}


def listed_words() -> list[str]:
    """Words that the embedded model has seen."""
    from constrain.demo import words

    return sorted({*words.JOBS, *words.HOBBIES, *words.ITEMS, *words.COLOURS, *words.FOODS})


def quality_table(found: dict[str, dict[str, float]], given: argparse.Namespace) -> Table:
    """Satisfaction, doubles, scores."""
    rows = [
        (name, *(f"{100 * one[what]:.1f}" for what in ("token", "string", "word", "doubles")), f"{one['score']:.3f}")
        for name, one in found.items()
    ]
    header = ("engine", "as tokens %", "as a string %", "as a word %", "twice %", "score")
    return Table(f"1 to 6 words in {given.texts} outputs of the embedded model", header, rows)


# ---- both


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, show tables, write what was asked for."""
    parser = argument_parser()
    given = running.checked(parser, lambda given: readme.problem_with(given.readme, PROGRAM), arguments)
    peer = Peer(given.peer) if given.peer else None
    try:
        with TemporaryDirectory() as folder:
            summary, tables = everything(peer, folder, given)
    finally:
        if peer is not None:
            peer.stop()
    publish(summary, tables, given, PROGRAM)
    if given.plot:
        draw(summary["seconds"], given.plot)
    show(tables)
    return 0


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.lexical", description="Beam search with phrases.")
    parser.add_argument("--peer", type=Path, help=f"interpreter of an environment with {OLD}")
    parser.add_argument("--sentences", type=int, default=7, help="for each number of phrases")
    parser.add_argument("--texts", type=int, default=100, help="outputs to be judged")
    parser.add_argument("--beams", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--layers", type=int, default=2, help="of the random model")
    parser.add_argument("--width", type=int, default=64, help="of the random model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--plot", type=Path, help="file for a picture")
    readme.add_option(parser, PROGRAM)
    return parser


def everything(peer: Peer | None, folder: str, given: argparse.Namespace) -> tuple[dict[str, Any], list[Table]]:
    """All figures, as a summary and as tables."""
    from constrain.demo import MODEL_PATH, load_model
    from constrain.hf import vocabulary_of
    from constrain.warmup import warm_up

    warm_up()
    make_model(folder, given.layers, given.width, given.seed)
    large = f"{folder}/large"
    make_model(large, 12, 768, given.seed)
    tokenizer = load_model()[1]
    models = {name: load(name) for name in (folder, large, str(MODEL_PATH))}
    old: dict[str, Run] = {} if peer is None else {OLD: peer}
    text = vocabulary_of(models[str(MODEL_PATH)].model, tokenizer)
    engines = {"constrain": ours(models, "shares"), "grid": ours(models, "grid"), **old}
    seconds = measured(engines, folder, given)
    judges = {"constrain": ours(models, "shares", text), "constrain, sets": ours(models, "sets", text), **old}
    quality = {name: judged(run, str(MODEL_PATH), tokenizer, given) for name, run in judges.items()}
    host, hosts = host_table(engines["constrain"], large, given)
    command = running.command(
        argument_parser(), given, (), ("sentences", "texts", "beams", "tokens", "layers", "width")
    )
    summary = environment(command, ("torch",)) | {"seconds": seconds, "host": host, "quality": quality}
    if peer is not None:
        summary["versions"] |= {OLD: peer.versions["transformers"]}
    return summary, [time_table(seconds, given), hosts, quality_table(quality, given)]


def make_model(folder: str, layers: int, width: int, seed: int) -> None:
    """A GPT-2 with random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    config = GPT2Config(n_layer=layers, n_embd=width, n_head=max(1, width // 64), vocab_size=SIZE, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(folder)


def draw(seconds: dict[str, dict[int, dict[str, float]]], file: Path) -> None:
    """Seconds a sentence over the number of phrases."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for name, by in seconds.items():
        axes.plot(list(by), [one["seconds"] for one in by.values()], marker="o", label=name)
    axes.set(xlabel="phrases", ylabel="CPU seconds a sentence", ylim=(0, None))
    axes.legend(frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
