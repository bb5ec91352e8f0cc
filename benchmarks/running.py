"""What comes before a measurement in all programs: arguments, engines that are ready, their turns, a progress bar."""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.peers import Engine, installed

T = TypeVar("T")

# Arguments


def checked(
    parser: argparse.ArgumentParser, problem_with: Callable[[argparse.Namespace], str], arguments: Sequence[str] | None
) -> argparse.Namespace:
    """The arguments. If something is wrong with them the program says so and ends with status 2."""
    given = parser.parse_args(arguments)
    problem = problem_with(given)
    if problem:
        parser.exit(2, f"{parser.prog}: {problem}\n")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return given


def data() -> Path:
    """The folder of tokenizers and schemas: CONSTRAIN_DATA, or `../shared` beside the repository."""
    return Path(os.environ.get("CONSTRAIN_DATA", Path(__file__).resolve().parent.parent.parent / "shared"))


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """`--tokenizer FOLDER`."""
    parser.add_argument("--tokenizer", type=Path, default=data() / "tokenizers" / "llama3", help="folder of one")


def listed(text: str) -> list[str]:
    """The names in an argument.

    >>> listed("a,b"), listed("")
    (['a', 'b'], [])
    """
    return [name for name in text.split(",") if name]


def problem_with_engines(names: Iterable[str], engines: Collection[str]) -> str:
    """Which engine there is not, or nothing."""
    for name in names:
        if name not in engines:
            return f"unknown engine {name!r}; there are {', '.join(engines)}"
        if not installed(name):
            return f"{name} is not installed; leave it out of --engines"
    return ""


def problem_with_tokenizer(folder: Path) -> str:
    """Whether a folder has no tokenizer, or nothing."""
    if (folder / "tokenizer.json").is_file():
        return ""
    return f"no tokenizer.json in {folder}; name a folder with --tokenizer, or set CONSTRAIN_DATA"


def command(
    parser: argparse.ArgumentParser, given: argparse.Namespace, always: Sequence[str], otherwise: Sequence[str]
) -> str:
    """The command line that repeats a run: some options always, others where they are not as usual."""
    parts = parser.prog.split()
    for name in (*always, *otherwise):
        value = spelled(getattr(given, name))
        if name in always or value != spelled(parser.get_default(name)):
            parts += [f"--{name.replace('_', '-')}", *value]
    return shlex.join(parts)


def spelled(value: Any) -> list[str]:
    """An argument as it is written; of files and folders the names only, because paths say nothing elsewhere.

    >>> spelled([Path("a/b"), Path("c")]), spelled(["x", "y"]), spelled(30.0), spelled(None)
    (['b', 'c'], ['x,y'], ['30'], ['None'])
    """
    if isinstance(value, list):
        paths = all(isinstance(one, Path) for one in value)
        return [path.name for path in value] if paths else [",".join(value)]
    if isinstance(value, Path):
        return [value.name]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """`count` of the items, evenly over the list; None for all.

    >>> spread("abcdef", 3)
    ['a', 'c', 'e']
    """
    count = len(items) if count is None else max(0, min(count, len(items)))
    return [items[i * len(items) // count] for i in range(count)]


# Engines

E = TypeVar("E", bound=Engine)


def loaded(engines: list[E], tokenizer_dir: Path) -> list[E]:
    """The engines with their vocabularies, and the kernels of constrain as machine code."""
    from constrain.warmup import warm_up

    for engine in engines:
        engine.load(tokenizer_dir)
    warm_up()
    return engines


def settle() -> None:
    """Keep the collector from what is loaded, so that its pauses do not depend on it."""
    gc.collect()
    gc.freeze()


def turns(engines: Sequence[T], number: int) -> Sequence[T]:
    """The engines in the order in which they take the item of this number.

    >>> turns("ab", 0), turns("ab", 1)
    ('ab', 'ba')
    """
    return engines if number % 2 == 0 else engines[::-1]


def progress(items: Sequence[T], title: str) -> Iterator[T]:
    """The items, with a bar on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, console=Console(stderr=True), disable=not sys.stderr.isatty())


@contextmanager
def bar(count: int, title: str) -> Iterator[Callable[[], None]]:
    """A bar with rate and time left, on standard error if that is a terminal; what is yielded moves it by one."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=count, rate="")

        def advance() -> None:
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed or 0.0
            progress.update(task, advance=1, rate=f"{speed:.1f}/s")

        yield advance
