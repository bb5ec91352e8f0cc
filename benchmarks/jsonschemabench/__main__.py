"""`python -m benchmarks.jsonschemabench masks|generate|...`: see the README beside this file."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import readme, running
from benchmarks.jsonschemabench import data, guard, report, runner
from benchmarks.jsonschemabench.bootstrap import Resampling
from benchmarks.jsonschemabench.engines import ENGINES, installed
from benchmarks.jsonschemabench.generate import Generate
from benchmarks.jsonschemabench.guides import GUIDES, NONE
from benchmarks.jsonschemabench.masks import Encoded, Encoder, Masks
from benchmarks.jsonschemabench.parts import parts_of
from benchmarks.jsonschemabench.quality import DECODINGS, Asked, Exam, problem_with
from benchmarks.jsonschemabench.quality import items as questions_of
from benchmarks.jsonschemabench.records import Run
from benchmarks.jsonschemabench.store import Store, StoreInUse
from benchmarks.jsonschemabench.tasks import TASKS
from benchmarks.jsonschemabench.worker import Job, LoadError
from benchmarks.report import machine, today, versions
from benchmarks.tables import markdown, show

BLOCK, PARTS_BLOCK = "jsonschemabench", "jsonschemabench-parts"
PROGRAM = "python -m benchmarks.jsonschemabench"
PACKAGES = (
    "constrain",
    "llguidance",
    "xgrammar",
    "glrmask",
    "outlines_core",
    "numpy",
    "numba",
    "transformers",
    "torch",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a subcommand says; 0 if it could, 1 if a limit of `guard` is broken, 2 if something is missing."""
    given = parser().parse_args(arguments)
    given.command = f"{PROGRAM} {shlex.join(map(shown, sys.argv[1:] if arguments is None else arguments))}"
    try:
        return int(given.act(given))
    except (data.DataError, StoreInUse, LoadError, ImportError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2


def shown(argument: str) -> str:
    """An argument as it is written down: of files and folders the name only, because paths say nothing elsewhere.

    >>> shown("/data/dev.jsonl.gz"), shown("constrain,llguidance"), shown("epfl-dlab/JSONSchemaBench")
    ('dev.jsonl.gz', 'constrain,llguidance', 'epfl-dlab/JSONSchemaBench')
    """
    return Path(argument).name if argument.startswith((".", "/", "~")) or Path(argument).exists() else argument


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(PROGRAM, description="Masks, generation and quality on JSON Schemas.")
    modes = found.add_subparsers(required=True, metavar="masks|parts|generate|quality|report|guard")
    masks = modes.add_parser("masks", help="time and judge masks over given texts, without a model")
    masks.set_defaults(act=run_masks)
    add_items(masks)
    add_run(masks, seconds=60.0)
    add_constrain(masks)
    masks.add_argument("--passes", type=int, default=2, help="times that each item is compiled and read")
    parts = modes.add_parser("parts", help="tell where the time of constrain's cold masks goes")
    parts.set_defaults(act=run_parts)
    add_items(parts)
    add_constrain(parts)
    readme.add_option(parts, PARTS_BLOCK)
    generate = modes.add_parser("generate", help="have a model write an instance of each schema")
    generate.set_defaults(act=run_generate)
    add_items(generate)
    add_run(generate, seconds=600.0)
    add_model(generate)
    generate.add_argument("--shots", type=int, default=2, help="examples in the prompt")
    quality = modes.add_parser("quality", help="see whether constrained answers are as often right as free ones")
    quality.set_defaults(act=run_quality)
    add_run(quality, seconds=600.0)
    add_model(quality)
    quality.add_argument("--tasks", default=",".join(TASKS), help=f"of {','.join(TASKS)}")
    quality.add_argument("--decodings", default=",".join(DECODINGS), help=f"of {','.join(DECODINGS)}")
    quality.add_argument(
        "--data", help="file of questions, for one task; default: made with --seed, or the data set hub"
    )
    quality.add_argument("--limit", type=int, help="how many questions of each task")
    reporting = modes.add_parser("report", help="write tables, plots and a page of results")
    reporting.set_defaults(act=write_report)
    reporting.add_argument("results", type=Path, nargs="+", help="folders or files of results")
    reporting.add_argument("--out", type=Path, default=Path("out/report"), help="folder for the page")
    reporting.add_argument("--seed", type=int, default=0, help="of the intervals")
    readme.add_option(reporting, BLOCK)
    guarding = modes.add_parser("guard", help="check ratios and coverage of a report against guard.toml")
    guarding.set_defaults(act=lambda given: guard.guard(given.summary, given.limits))
    guarding.add_argument("summary", type=Path, help="summary.json of a report, or its folder")
    guarding.add_argument("--limits", type=Path, default=guard.LIMITS, help="the file of limits")
    return found


def add_constrain(mode: argparse.ArgumentParser) -> None:
    """With which tokenizer, and options of constrain."""
    mode.add_argument("--tokenizer", default=str(running.data() / "tokenizers" / "llama3"), help="folder of one")
    mode.add_argument("--property-order", choices=("schema", "any"), default="schema", help="for constrain")
    mode.add_argument("--whitespace", choices=("bounded", "compact", "flexible"), default="bounded", help="likewise")


def add_model(mode: argparse.ArgumentParser) -> None:
    """Which model."""
    mode.add_argument("--model", required=True, help="folder of a causal model, or its id on the hub")
    mode.add_argument("--device", help="of PyTorch, or auto; default: the GPU if there is one")
    mode.add_argument("--max-new-tokens", type=int, default=512)


def add_items(mode: argparse.ArgumentParser) -> None:
    """Which items."""
    default = str(running.data() / "jsonschemabench" / "dev.jsonl.gz")
    mode.add_argument("--data", default=default, help=f"folder, .json, .jsonl(.gz), or {data.HUB}[:SUBSET[:SPLIT]]")
    mode.add_argument("--split", default="", help="names of splits, or beginnings of such names")
    mode.add_argument("--limit", type=int, help="how many items, spread over the list")


def add_run(mode: argparse.ArgumentParser, seconds: float) -> None:
    """How to run."""
    mode.add_argument("--engines", default="constrain,llguidance", help=f"of {','.join(ENGINES)}")
    mode.add_argument("--out", type=Path, default=Path("out/jsonschemabench"), help="folder for results")
    mode.add_argument("--seconds", type=float, default=seconds, help="time for one item")
    mode.add_argument("--memory-mb", type=float, default=8192.0, help="memory of an engine's process")
    mode.add_argument("--workers", type=int, default=1, help="items at the same time; 1 for times that can be trusted")
    mode.add_argument("--shard", default="0/1", metavar="I/N", help="only every N-th item, from the I-th on")
    mode.add_argument("--ray-address", help="run on a Ray cluster: auto, local, or an address")
    mode.add_argument("--seed", type=int, default=0)


def run_masks(given: argparse.Namespace) -> int:
    """`masks`."""
    names, (tokenizer, options, encoder, warm_up) = engines(given), begun(given)
    make = {name: partial(Masks, name, str(tokenizer), given.seconds, options, warm_up) for name in names}
    items = [encoder.encoded(item) for item in runner.shard(chosen_items(given), given.shard)]
    return run(given, "masks", tokenizer.name, options | {"passes": given.passes}, make, items)


def begun(given: argparse.Namespace) -> tuple[Path, dict[str, Any], Encoder, Encoded]:
    """The tokenizer, the options of constrain, what cuts texts into tokens, and an item to warm up with."""
    trouble = running.problem_with_tokenizer(Path(given.tokenizer))
    if trouble:
        raise data.DataError(trouble)
    options = {"property_order": given.property_order, "whitespace": given.whitespace}
    tokenizer = Path(given.tokenizer).resolve()
    encoder = Encoder(tokenizer)
    warm_up = encoder.encoded(data.Item("", "", {"type": "object"}, [{"data": {"warm": [1, 2.5]}, "valid": True}]))
    return tokenizer, options, encoder, warm_up


def run_parts(given: argparse.Namespace) -> int:
    """`parts`."""
    trouble = readme.problem_with(given.readme, PARTS_BLOCK)
    if trouble:
        raise data.DataError(trouble)
    tokenizer, options, encoder, warm_up = begun(given)
    table = parts_of(list(map(encoder.encoded, chosen_items(given))), tokenizer, options, warm_up)
    show([table])
    if given.readme:
        about = f"`{given.command}`, {today()}, {machine()}."
        readme.replace_block(given.readme, PARTS_BLOCK, "\n".join([about, *markdown([table]), ""]))
    return 0


def run_generate(given: argparse.Namespace) -> int:
    """`generate`."""
    settings = {"max_new_tokens": given.max_new_tokens, "shots": given.shots, "seed": given.seed}
    make = {
        name: partial(Generate, given.model, name, device=given.device, **settings) for name in guided_engines(given)
    }
    items = runner.shard(chosen_items(given), given.shard)
    return run(given, "generate", Path(given.model).name, settings, make, items)


def run_quality(given: argparse.Namespace) -> int:
    """`quality`: free decoding once, without an engine; the other ways with every engine."""
    names = guided_engines(given)
    settings = {"max_new_tokens": given.max_new_tokens, "seed": given.seed}
    make = {name: partial(Exam, given.model, name, device=given.device, **settings) for name in [NONE, *names]}
    free, bound = list[Asked](), list[Asked]()
    for task in running.listed(given.tasks):
        for decoding in running.listed(given.decodings):
            trouble = problem_with(task, decoding, NONE, given.max_new_tokens)
            if trouble:
                raise ValueError(trouble)
            some = questions_of(task, decoding, data=given.data, limit=given.limit, seed=given.seed)
            mine = [Asked(one, task, decoding) for one in runner.shard(some, given.shard)]
            (free if decoding == "free" else bound).extend(mine)
    model = Path(given.model).name
    if free:
        run(given, "quality", model, settings, {NONE: make[NONE]}, free)
    return run(given, "quality", model, settings, {name: make[name] for name in names}, bound) if bound else 0


def write_report(given: argparse.Namespace) -> int:
    """`report`."""
    trouble = readme.problem_with(given.readme, BLOCK)
    if trouble:
        raise ValueError(trouble)
    summary = report.report(given.results, given.out, Resampling(given.seed))
    if given.readme:
        readme.replace_block(given.readme, BLOCK, report.block(summary))
    return 0


def guided_engines(given: argparse.Namespace) -> list[str]:
    """The engines of a mode with a model. Raises ValueError."""
    found = running.listed(given.engines)
    for name in found:
        if name != NONE and name not in GUIDES:
            raise ValueError(f"unknown engine {name!r}; there are {', '.join((*GUIDES, NONE))}")
    return found


def engines(given: argparse.Namespace) -> list[str]:
    """The engines that were asked for. Raises ValueError if there is no such engine, ImportError if it is missing."""
    found = running.listed(given.engines)
    for name in found:
        if name not in ENGINES:
            raise ValueError(f"unknown engine {name!r}; there are {', '.join(ENGINES)}")
        if not installed(name):
            raise ImportError(f"{name} is not installed: pip install {name}, or leave it out of --engines")
    return found


def run(
    given: argparse.Namespace,
    mode: str,
    tokenizer: str,
    options: dict[str, Any],
    make: dict[str, Callable[[], Any]],
    items: Sequence[Any],
) -> int:
    """Run a mode, or go on with it."""
    from constrain.warmup import warm_up

    options = options | {"seconds": given.seconds, "memory_mb": given.memory_mb, "shard": given.shard}
    about = Run(mode, given.command, today(), machine(), versions(PACKAGES), tokenizer, given.seed, options)
    jobs = {name: Job(name, each, given.seconds, given.memory_mb) for name, each in make.items()}
    plan = runner.Plan(jobs, items, getattr(given, "passes", 1), given.workers)
    warm_up()  # once, before many processes ask for the same machine code
    with Store(given.out / f"{mode}.jsonl") as store:
        if given.ray_address:
            written = runner.run_on_ray(plan, about, store, given.ray_address)
        else:
            written = runner.run_here(plan, about, store)
    before = f", {store.unreadable} lines that cannot be read" if store.unreadable else ""
    print(f"{store.path}: {written:,} records written, {len(store.done):,} in all{before}")
    return 0


def chosen_items(given: argparse.Namespace) -> list[data.Item]:
    """The items that the arguments name."""
    splits = tuple(running.listed(given.split))
    found = [item for item in data.read_items(given.data) if not splits or item.split.startswith(splits)]
    if not found:
        raise data.DataError(f"no item of {given.data} is in a split {given.split}")
    return running.spread(found, given.limit)


if __name__ == "__main__":
    sys.exit(main())
