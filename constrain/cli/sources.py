"""Where texts, vocabularies and models come from: options, files, standard input."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

import typer

from constrain.cli.output import notice, progress, spinner
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.ir.grammar import Body, Grammar, Special
    from constrain.specs.base import Spec
    from constrain.vocab.vocabulary import Vocabulary

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
_MOST_IDS = 1 << 20
_MAKE_LOCAL = (
    "a model gets into a folder by model.save_pretrained(DIR) and tokenizer.save_pretrained(DIR), "
    "or by: hf download NAME --local-dir DIR"
)


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


def ready_kernels(everything: bool = False) -> float:
    """Load the machine code, and say so where it has to be made first; the seconds that it took."""
    from constrain.warmup import engine_is_ready, kernels_are_cached, warm_up

    if kernels_are_cached() if everything else engine_is_ready():
        return warm_up(everything=everything)
    often = (
        "each time, because CONSTRAIN_NO_CACHE=1" if os.environ.get("CONSTRAIN_NO_CACHE") == "1" else "once per machine"
    )
    how_long = "about a minute" if everything else "about half a minute"
    notice(f"compiling the engine, {often}, {how_long}")
    with progress("compiling") as told:
        return warm_up(told, everything=everything)


def byte_vocabulary(spec: Spec | None = None) -> Vocabulary:
    """The vocabulary in which the token ids are the bytes, for texts without a tokenizer.

    After the bytes come the special tokens that a grammar needs.
    """
    from constrain.ir.grammar import Grammar, Restricted
    from constrain.specs.length import without_tokens
    from constrain.specs.schema import JsonSchema
    from constrain.vocab.vocabulary import Vocabulary

    known = spec is None or isinstance(spec, JsonSchema)  # a schema names none
    lowered = None if spec is None or known else without_tokens(spec)[1].lower(Limits())
    lowered = lowered.grammar if isinstance(lowered, Restricted) else lowered
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
