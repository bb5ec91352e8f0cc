"""Where constraints, texts, vocabularies and models come from: options, files, standard input."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

import typer

from constrain.cli.output import notice, spinner
from constrain.errors import ConstrainError
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.frontends.lark import Note
    from constrain.ir.grammar import Body, Grammar, Special
    from constrain.spec import Spec
    from constrain.vocab.vocabulary import Vocabulary

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
_MOST_IDS = 1 << 20
_MAKE_LOCAL = (
    "a model gets into a folder by model.save_pretrained(DIR) and tokenizer.save_pretrained(DIR), "
    "or by: hf download NAME --local-dir DIR"
)


# ---- constraints


@dataclass(frozen=True, slots=True)
class GrammarFile:
    """A grammar on the command line: a file, and how to read it."""

    path: Path
    text: str
    start: str
    longest: bool | None

    @property
    def is_gbnf(self) -> bool:
        """Whether it is in the syntax of llama.cpp."""
        return self.path.suffix == ".gbnf"

    def spec(self) -> Spec:
        """The constraint. Raises what is wrong with the grammar, under the name of the file."""
        from constrain.spec import GBNF, LarkGrammar

        made: Spec = LarkGrammar(self.text, self.start, self.longest, str(self.path.parent))
        if self.is_gbnf:
            made = GBNF(self.text, self.start)
        try:
            made.lower(Limits())
        except ConstrainError:
            self._parse()
            raise
        return made

    def notes(self) -> list[Note]:
        """Remarks on what works; see `check_lark`."""
        from constrain.frontends.lark import check_lark

        if self.is_gbnf:
            return []
        return check_lark(self.text, self.start, folder=self.path.parent, source=self.path.name)

    def _parse(self) -> None:
        if self.is_gbnf:
            from constrain.frontends.gbnf import parse_gbnf

            parse_gbnf(self.text, self.start, source=self.path.name)
        else:
            from constrain.frontends.lark import parse_lark

            parse_lark(self.text, self.start, folder=self.path.parent, source=self.path.name)


def grammar(name: str | None, start: str | None, longest: bool | None) -> GrammarFile | None:
    """The grammar that was named, if any: a file, or one of the library."""
    if name is None:
        if start is not None or longest is not None:
            option = "--start" if start is not None else "--longest" if longest else "--scannerless"
            raise typer.BadParameter(f"{option} is for --grammar")
        return None
    from constrain.frontends.library import library_file

    hint = "--grammar"
    try:
        path = library_file(name)
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{name} is not UTF-8 at byte {error.start}", param_hint=hint) from error
    except (ConstrainError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint=hint) from error
    is_gbnf = path.suffix == ".gbnf"
    if is_gbnf and longest:
        raise typer.BadParameter("GBNF has no terminals, it is read in every way", param_hint="--longest")
    return GrammarFile(path, text, start or ("root" if is_gbnf else "start"), longest)


def constraint(
    regex: str | None, choices: Sequence[str] | None, file: str | None, grammar: GrammarFile | None = None
) -> Spec:
    """The one constraint that was given."""
    spec = constraint_or_none(regex, choices, file, grammar)
    if spec is None:
        raise typer.BadParameter(
            "no constraint; give --regex PATTERN, --choice TEXT (repeated), --choices-file FILE, "
            "or --grammar FILE_OR_NAME"
        )
    return spec


def constraint_or_none(
    regex: str | None, choices: Sequence[str] | None, file: str | None, grammar: GrammarFile | None = None
) -> Spec | None:
    """The constraint that was given, if any. Several are a mistake."""
    from constrain import spec

    given = [name for name, value in _named(regex, choices, file) if value]
    given += ["--grammar"] if grammar is not None else []
    if len(given) > 1:
        raise typer.BadParameter(f"give one constraint, not {' and '.join(given)}")
    for value in (regex or "", *(choices or ())):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise typer.BadParameter(f"a constraint must be UTF-8, not {os.fsencode(value)!r}")
    if regex is not None:
        return spec.regex(regex)
    if file is not None:
        return spec.choice(lines(file))
    if grammar is not None:
        return grammar.spec()
    return spec.choice(choices) if choices else None


def _named(regex: str | None, choices: Sequence[str] | None, file: str | None) -> list[tuple[str, bool]]:
    return [("--regex", regex is not None), ("--choice", bool(choices)), ("--choices-file", file is not None)]


def lines(file: str) -> list[str]:
    """The lines of a file of choices. An empty one is more likely a slip than the empty output."""
    options = _decoded(file).removesuffix("\n").replace("\r\n", "\n").removesuffix("\r").split("\n")
    for number, option in enumerate(options, 1):
        if not option:
            raise typer.BadParameter(f"line {number} of {_name(file)} is empty", param_hint="--choices-file")
    return options


def _decoded(file: str) -> str:
    hint = "--choices-file"
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{_name(file)} is not UTF-8 at byte {error.start}", param_hint=hint) from error
    except OSError as error:
        raise typer.BadParameter(f"cannot read {_name(file)}: {error.strerror or error}", param_hint=hint) from error


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


# ---- texts


def text(argument: str) -> bytes:
    """A text argument as bytes; `-` reads standard input, and drops one line break at its end."""
    if argument != "-":
        return argument.encode("utf-8", "surrogateescape")
    return sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")


def check_stdin(**arguments: str | None) -> None:
    """Refuse to read two things from standard input."""
    readers = [name for name, value in arguments.items() if value == "-"]
    if len(readers) > 1:
        raise typer.BadParameter(f"{' and '.join(readers)} cannot both be -: standard input is read once")


# ---- kernels, vocabularies, models


def ready_kernels() -> float:
    """Load the machine code, and say so where it has to be made first; the seconds that it took."""
    from constrain.warmup import kernels_are_cached, warm_up

    if kernels_are_cached():
        return warm_up()
    often = (
        "each time, because CONSTRAIN_NO_CACHE=1" if os.environ.get("CONSTRAIN_NO_CACHE") == "1" else "once per machine"
    )
    notice(f"compiling kernels, {often}, about a minute")
    with spinner("compiling kernels"):
        return warm_up()


def byte_vocabulary(spec: Spec | None = None) -> Vocabulary:
    """The vocabulary in which the token ids are the bytes, for texts without a tokenizer.

    After the bytes come the special tokens that a grammar needs.
    """
    from constrain.ir.grammar import Grammar
    from constrain.vocab.vocabulary import Vocabulary

    lowered = None if spec is None else spec.lower(Limits())
    special = list(specials(lowered)) if isinstance(lowered, Grammar) else []
    names = {one.name: 256 + n for n, one in enumerate(special)}
    size = max([256 + len(names), *(min(low, _MOST_IDS) + 1 for one in special for low, _ in one.ids)])
    return Vocabulary.from_tokens([bytes([b]) for b in range(256)], special_tokens=names, vocab_size=size)


def specials(grammar: Grammar) -> Iterable[Special]:
    """The special tokens that a grammar's rules name."""
    from constrain.ir.grammar import Call, Either, Many, Seq, Special

    found: dict[Special, None] = {}
    seen: set[Hashable] = {grammar.start}
    todo: list[Body] = [grammar.rules[grammar.start].body]
    while todo:
        match todo.pop():
            case Special() as one:
                found[one] = None
            case Seq(parts) | Either(parts):
                todo += parts
            case Many(body):
                todo.append(body)
            case Call(rule, lazy) if not lazy and rule not in seen:
                seen.add(rule)
                todo.append(grammar.rules[rule].body)
            case _:
                pass
    return found


def vocabulary(place: str) -> Vocabulary:
    """The vocabulary of the tokenizer at a place that `model_path` found."""
    from constrain.errors import VocabularyError
    from constrain.vocab.vocabulary import Vocabulary

    try:
        with spinner("reading the tokenizer"):
            return Vocabulary.from_pretrained(place)
    except VocabularyError as error:
        if Path(place).exists():
            raise
        raise not_loaded(place, "--tokenizer", error) from error


def model_path(path_or_id: str | None, option: str) -> str:
    """Where a model or a tokenizer is: the embedded one, something that exists, or a name for the Hub."""
    if path_or_id is None:
        return _embedded(option)
    if Path(path_or_id).expanduser().exists():
        return str(Path(path_or_id).expanduser())
    if not _HUB_NAME.fullmatch(path_or_id):
        raise typer.BadParameter(f"there is no folder {path_or_id}; {_MAKE_LOCAL}", param_hint=option)
    if not _hub_answers():
        os.environ["HF_HUB_OFFLINE"] = "1"  # else it is asked again and again, for most of a minute
    return path_or_id


def not_loaded(place: str, option: str, error: Exception) -> Exception:
    """What to say when nothing could be loaded from `place`."""
    if Path(place).exists():
        return typer.BadParameter(f"cannot load {place}: {error}", param_hint=option)
    return typer.BadParameter(
        f"there is no folder {place}, and the Hugging Face Hub did not give a model of that name; {_MAKE_LOCAL}",
        param_hint=option,
    )


def _embedded(option: str) -> str:
    from constrain.demo import MODEL_PATH

    if not MODEL_PATH.is_dir():
        raise typer.BadParameter(f"this installation has no embedded model; give {option} PATH_OR_ID")
    return str(MODEL_PATH)


def _hub_answers() -> bool:
    """Whether the Hub's name is known here, or left to a proxy."""
    host = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname
    if getproxies():
        return True
    try:
        return bool(socket.getaddrinfo(host, 443))
    except OSError:
        return False
