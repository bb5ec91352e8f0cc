"""The constraint that a command was given: a pattern, choices, a grammar or a schema, from options, files, stdin.

In: `Asked`. Out: what was given, whose `spec()` is the constraint. A mistake in the call is a `typer.BadParameter`, one
in the constraint the `ConstrainError` of `spec()`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrain.cli.options import Asked
from constrain.errors import ConstrainError, GrammarSyntaxError, caret
from constrain.limits import Limits

if TYPE_CHECKING:
    from constrain.specs.base import Spec
    from constrain.specs.lark import Note
    from constrain.specs.schema import JsonSchema

_FIELDS = ("regex", "choice", "choices_file", "grammar", "schema")
"""The fields of `Asked` that are constraints."""
_BESIDE = ("include", "exclude", "tokens", "chars", "words", "sentences", "paragraphs", "rei")
"""The fields that are constraints, too, and go with any other one."""
_LENGTHS = ("tokens", "chars", "words", "sentences", "paragraphs")
_DETAILS = {
    "grammar": ("start", "longest"),
    "schema": ("property_order", "whitespace", "format", "draft", "escapes"),
}
"""The fields that say more about another one."""
_KNOWN = {
    "property_order": ("schema", "any"),
    "format": ("assert", "annotation"),
    "draft": ("2020-12", "2019-09", "7", "6", "4"),
    "escapes": ("plain", "any"),
}


@dataclass(frozen=True, slots=True)
class Inline:
    """A constraint that is written on the command line, or a list of choices."""

    regex: str | None
    choice: Sequence[str]
    choices_file: str | None

    def spec(self) -> Spec:
        """The constraint."""
        from constrain.specs import base as spec

        if self.regex is not None:
            return spec.regex(self.regex)
        return spec.choice(self.choice if self.choices_file is None else lines(self.choices_file))


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
        from constrain.specs.grammars import GBNF, LarkGrammar

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
        from constrain.specs.lark import check_lark

        if self.is_gbnf:
            return []
        return check_lark(self.text, self.start, folder=self.path.parent, source=self.path.name)

    def _parse(self) -> None:
        if self.is_gbnf:
            from constrain.specs.gbnf import parse_gbnf

            parse_gbnf(self.text, self.start, source=self.path.name)
        else:
            from constrain.specs.lark import parse_lark

            parse_lark(self.text, self.start, folder=self.path.parent, source=self.path.name)


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A JSON Schema on the command line: where it is from, its text, and how to read it."""

    name: str
    text: str
    settings: dict[str, Any]
    """Arguments of `json_schema`."""

    def spec(self) -> JsonSchema:
        """The constraint. Raises what is wrong with the form of the schema; the rest shows when it is compiled."""
        from constrain.specs.schema import json_schema

        self._check_json()
        return json_schema(self.text, **self.settings)

    def _check_json(self) -> None:
        """Raise with the place in the file if it is no JSON: a JSON Pointer could not say it."""
        try:
            json.loads(self.text)
        except json.JSONDecodeError as error:
            raise GrammarSyntaxError(
                f"{self.name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
                line=error.lineno,
                column=error.colno,
                excerpt=caret(self.text, error.pos),
            ) from None
        except (ValueError, RecursionError):
            pass  # `json_schema` says what is wrong with numbers and nesting


@dataclass(frozen=True, slots=True)
class Together:
    """Phrases, lengths and an instruction, perhaps beside another constraint."""

    beside: Inline | GrammarFile | SchemaFile | None
    asked: Asked

    def spec(self) -> Spec:
        """The constraint."""
        parts = [] if self.beside is None else [self.beside.spec()]
        parts += self._own()
        whole = parts[0]
        for part in parts[1:]:
            whole = whole & part
        return whole

    def _own(self) -> Iterator[Spec]:
        from constrain.specs.length import length
        from constrain.specs.lexical import lexical
        from constrain.specs.rei import rei

        asked = self.asked
        if asked.include or asked.exclude:
            yield lexical(
                [_alternatives(text) for text in asked.include or ()],
                asked.exclude or (),
                ordered=asked.ordered,
                words=asked.whole_words,
                ignore_case=asked.ignore_case,
            )
        bounds = {unit: _range(unit, given) for unit in _LENGTHS if (given := getattr(asked, unit)) is not None}
        if bounds:
            yield length(**bounds)
        if asked.rei is not None:
            yield rei(asked.rei)


Given = Inline | GrammarFile | SchemaFile | Together


def constraint(asked: Asked) -> Spec:
    """The one constraint that was given."""
    return given(asked).spec()


def constraint_or_none(asked: Asked) -> Spec | None:
    """The constraint that was given, if any. Several are a mistake."""
    found = given_or_none(asked)
    return None if found is None else found.spec()


def given(asked: Asked) -> Given:
    """What was given."""
    found = given_or_none(asked)
    if found is None:
        raise typer.BadParameter(
            "no constraint; give --regex PATTERN, --choice TEXT (repeated), --choices-file FILE, "
            "--grammar FILE_OR_NAME, or --schema FILE; or --include TEXT, --exclude TEXT, --words 5..12 and the like, "
            "--rei MARKUP, which go with any of these"
        )
    return found


def given_or_none(asked: Asked) -> Given | None:
    """What was given, if anything."""
    named = [field for field in _FIELDS if getattr(asked, field) not in (None, [], ())]
    if len(named) > 1:
        raise typer.BadParameter(f"give one constraint, not {' and '.join(map(_option, named))}")
    _check_details(asked)
    _check_utf8(asked)
    found: Inline | GrammarFile | SchemaFile | None = None
    if asked.grammar is not None:
        found = _grammar(asked.grammar, asked.start, asked.longest)
    elif asked.schema is not None:
        found = _schema(asked.schema, {name: getattr(asked, name) for name in _DETAILS["schema"]})
    elif named:
        found = Inline(asked.regex, asked.choice or (), asked.choices_file)
    beside = any(getattr(asked, field) not in (None, [], ()) for field in _BESIDE)
    return Together(found, asked) if beside else found


def with_file(asked: Asked, file: str | None) -> Asked:
    """The same with a file that stands alone: a schema if its name ends in .json, else a grammar."""
    if file is None:
        return asked
    field = "schema" if file.endswith(".json") else "grammar"
    if getattr(asked, field) is not None:
        raise typer.BadParameter(f"give one constraint, not {file} and {_option(field)}")
    return replace(asked, schema=file) if field == "schema" else replace(asked, grammar=file)


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _check_details(asked: Asked) -> None:
    """Refuse options that say more about nothing, and values that mean nothing."""
    for field, names in _DETAILS.items():
        told = next((name for name in names if getattr(asked, name) is not None), None)
        if told is not None and getattr(asked, field) is None:
            option = "--scannerless" if told == "longest" and not asked.longest else _option(told)
            raise typer.BadParameter(f"{option} is for {_option(field)}")
    for name in ("ordered", "whole_words", "ignore_case"):
        if getattr(asked, name) and not (asked.include or (asked.exclude and name != "ordered")):
            raise typer.BadParameter(f"{_option(name)} is for --include{' and --exclude' * (name != 'ordered')}")
    for name, known in _KNOWN.items():
        value = getattr(asked, name)
        if value is not None and value not in known:
            raise typer.BadParameter(f"{value} is none of {', '.join(known)}", param_hint=_option(name))


def _check_utf8(asked: Asked) -> None:
    texts = (*(asked.choice or ()), *(asked.include or ()), *(asked.exclude or ()))
    for value in (asked.regex or "", asked.whitespace or "", asked.rei or "", *texts):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise typer.BadParameter(f"a constraint must be UTF-8, not {os.fsencode(value)!r}")


def _alternatives(text: str) -> list[str]:
    """The alternatives of `--include`: parts between `|`; a doubled one is text."""
    return [part.replace("\0", "|") for part in text.replace("||", "\0").split("|")]


def _range(unit: str, given: str) -> tuple[int | None, int | None]:
    """A number, or a range with one or both ends."""
    low, dots, high = given.partition("..")
    ends = (low, high if dots else low)
    if not any(ends) or not all(end.isdecimal() and end.isascii() for end in ends if end):
        raise typer.BadParameter(
            f"{given!r} is no number and no range such as 5..12, 5.. or ..12", param_hint=f"--{unit}"
        )
    first, last = (int(end) if end else None for end in ends)
    return first, last


# ---- files


def _grammar(name: str, start: str | None, longest: bool | None) -> GrammarFile:
    """The grammar of a name: a file, or one of the library."""
    from constrain.specs.library import library_file

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


def _schema(file: str, asked: dict[str, Any]) -> SchemaFile:
    text = _decoded(file, "--schema").removeprefix("\ufeff")  # some editors begin files with this mark
    settings = {name: value for name, value in asked.items() if value is not None}
    return SchemaFile("standard input" if file == "-" else Path(file).name, text, settings)


def lines(file: str) -> list[str]:
    """The lines of a file of choices. An empty one is more likely a slip than the empty output."""
    options = _decoded(file, "--choices-file").removesuffix("\n").replace("\r\n", "\n").removesuffix("\r").split("\n")
    for number, option in enumerate(options, 1):
        if not option:
            raise typer.BadParameter(f"line {number} of {_name(file)} is empty", param_hint="--choices-file")
    return options


def _decoded(file: str, option: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{_name(file)} is not UTF-8 at byte {error.start}", param_hint=option) from error
    except OSError as error:
        raise typer.BadParameter(f"cannot read {_name(file)}: {error.strerror or error}", param_hint=option) from error


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
