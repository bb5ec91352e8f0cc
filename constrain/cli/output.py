"""What commands print: JSON, tables, notices, errors, and their exit status.

Text of users and models is shown with its control characters made visible, so that it cannot move the cursor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from constrain.errors import ConstrainError

if TYPE_CHECKING:
    from constrain.specs.base import Spec
    from constrain.vocab.vocabulary import Vocabulary

REJECTED, INVALID = 1, 2
INTERRUPTED, BROKEN_PIPE = 130, 141  # what a shell reports of programs that SIGINT and SIGPIPE ended
HF_EXTRA = 'pip install "constrain[hf]"'

_EXTRA_PACKAGES = {"torch", "transformers", "tokenizers"}
_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_PICTURES |= dict.fromkeys((*range(0x80, 0xA0), *range(0xD800, 0xE000)), 0xFFFD)  # more controls, and what is not UTF-8


class _Console(Console):
    """Prints text as it is: no markup, no guessed highlights. A closed pipe is for the caller to handle."""

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def stdout() -> Console:
    """Where results go."""
    return _Console()


def stderr() -> Console:
    """Where everything else goes."""
    return _Console(stderr=True)


def emit(value: dict[str, Any]) -> None:
    """A JSON object on standard output: on one line, unless somebody is looking."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=not unicode))


def notice(message: str) -> None:
    """A line on standard error."""
    stderr().print(message, style="dim", soft_wrap=True)


def fail(message: str) -> None:
    """An error on standard error, unwrapped: carets in it keep their place."""
    stderr().print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)


@contextmanager
def spinner(message: str) -> Iterator[None]:
    """Show that something is going on, at a terminal only."""
    console = stderr()
    if not console.is_terminal:
        yield
        return
    with console.status(message):
        yield


@contextmanager
def progress(message: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar that names what is being done, at a terminal only; to be told a name, its place, and how many."""
    console = stderr()
    if not console.is_terminal:
        yield lambda name, place, number: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[name]}")
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(message, total=None, name="")
        yield lambda name, place, number: bar.update(task, completed=place, total=number, name=name)


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns on standard output, a line each."""
    listed = list(rows)
    width = max(len(name) for name, _ in listed)
    console = stdout()
    for name, value in listed:
        console.print(Text.assemble((name.ljust(width), "dim"), "  ", value), soft_wrap=True)


def vocabulary(vocabulary: Vocabulary) -> str:
    """A vocabulary in a few words.

    >>> from constrain.vocab.vocabulary import Vocabulary
    >>> vocabulary(Vocabulary.from_tokens([b"a", b"b"]))
    'tokens (bytes), 2 ids'
    """
    return f"{vocabulary.name} ({vocabulary.kind}), {vocabulary.size:,} ids"


def visible(text: str) -> str:
    r"""Text on one line, every control character as its picture: as many characters as before.

    >>> visible("a\tb")
    'a␉b'
    """
    return text.translate(_PICTURES)


def shown(data: bytes) -> str:
    r"""The bytes of a token as a literal.

    >>> shown(b" a\n"), shown(b"\xc3")
    ("' a\\n'", "b'\\xc3'")
    """
    try:
        return repr(data.decode())
    except UnicodeDecodeError:
        return repr(data)


def duration(seconds: float) -> str:
    """A time with a unit that suits it.

    >>> duration(0.0000123), duration(0.5), duration(72)
    ('12.3 µs', '500 ms', '72.0 s')
    """
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.1f} s"


def constraint(spec: Spec, width: int = 72) -> str:
    """A constraint in a line.

    >>> from constrain.specs.base import choice, regex
    >>> constraint(regex("[a-z]+")), constraint(choice(["yes", "no"]))
    ('regex [a-z]+', "choice of 2: 'yes', 'no'")
    >>> from constrain.specs.schema import json_schema
    >>> constraint(json_schema({"type": "integer"})), constraint(json_schema({"title": "Person"}))
    ('schema {"type": "integer"}', 'schema Person')
    """
    from constrain.specs.base import Choice, Regex
    from constrain.specs.grammars import GBNF, LarkGrammar
    from constrain.specs.schema import JsonSchema

    match spec:
        case Regex(pattern):
            line = f"regex {visible(pattern)}"
        case Choice(options):
            line = f"choice of {len(options):,}: {', '.join(map(repr, options[:width]))}"
        case LarkGrammar(text) | GBNF(text):
            first = next((line for line in text.splitlines() if line.strip()), "")
            line = f"grammar {visible(first.lstrip('/# '))}"
        case JsonSchema(text):
            line = f"schema {visible(_title(text))}"
        case _:
            line = repr(spec)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _title(schema: str) -> str:
    """What a schema calls itself, or else its text."""
    parsed = json.loads(schema)
    title = parsed.get("title") if isinstance(parsed, dict) else None
    return title if title and isinstance(title, str) else " ".join(schema.split())


def size(count: int) -> str:
    """A number of bytes with a unit that suits it.

    >>> size(812), size(6_979_321)
    ('812 B', '7.0 MB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def error_fields(error: ConstrainError) -> dict[str, Any]:
    """An error for machines: its class, its message, and whatever else it says of the place."""
    fields = {name: value for name, value in vars(error).items() if value not in ("", (), None)}
    return {"type": type(error).__name__, "message": str(error), **fields}


def missing_package(error: ImportError) -> str | None:
    """What to install, if it is a package of the [hf] extra that is missing."""
    text = str(error)
    if "constrain[hf]" in text:
        return text
    package = (error.name or "").partition(".")[0]
    return f"{package} is not installed: {HF_EXTRA}" if package in _EXTRA_PACKAGES else None
