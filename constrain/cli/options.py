"""Options that several commands have, and those that name a constraint as one parameter, `Asked`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

Regex = Annotated[
    str | None,
    typer.Option(
        "--regex", "-r", metavar="PATTERN", help="Python's syntax; the whole output has to match.", show_default=False
    ),
]
Choice = Annotated[
    list[str] | None,
    typer.Option("--choice", "-c", metavar="TEXT", help="One allowed output; repeat for others.", show_default=False),
]
ChoicesFile = Annotated[
    str | None,
    typer.Option(
        "--choices-file", metavar="FILE", help="Allowed outputs, one a line; - is standard input.", show_default=False
    ),
]
Grammar = Annotated[
    str | None,
    typer.Option(
        "--grammar",
        "-g",
        metavar="FILE_OR_NAME",
        help="A .lark or .gbnf file, or a grammar of the library (constrain grammars lists them).",
        show_default=False,
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="RULE", help="The rule to begin with.", show_default="start; root in GBNF"),
]
Longest = Annotated[
    bool | None,
    typer.Option(
        "--longest/--scannerless",
        help="Cut text into terminals by longest match, or in every possible way.",
        show_default="what the grammar says",
    ),
]
_SCHEMAS = "JSON Schema"
Schema = Annotated[
    str | None,
    typer.Option("--schema", "-s", metavar="FILE", help="A JSON Schema; - is standard input.", show_default=False),
]
PropertyOrder = Annotated[
    str | None,
    typer.Option(
        "--property-order",
        metavar="schema|any",
        help="Members in the order of the schema, or in any order.",
        show_default="schema",
        rich_help_panel=_SCHEMAS,
    ),
]
Whitespace = Annotated[
    str | None,
    typer.Option(
        "--whitespace",
        metavar="bounded|compact|flexible|PATTERN",
        help="A space or an indented line, none, any amount, or what a pattern matches.",
        show_default="bounded",
        rich_help_panel=_SCHEMAS,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="assert|annotation",
        help="Enforce the formats of strings, or none.",
        show_default="assert",
        rich_help_panel=_SCHEMAS,
    ),
]
DraftName = Annotated[
    str | None,
    typer.Option(
        "--draft",
        metavar="NAME",
        help="2020-12, 2019-09, 7, 6 or 4, where the schema does not say.",
        show_default="2020-12",
        rich_help_panel=_SCHEMAS,
    ),
]
Escapes = Annotated[
    str | None,
    typer.Option(
        "--escapes",
        metavar="plain|any",
        help="Spell what the schema lists as most programs do, or with any escapes.",
        show_default="plain",
        rich_help_panel=_SCHEMAS,
    ),
]
_WORDS = "Words and lengths"
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="TEXT",
        help="The output holds this text; a|b is one of two. Repeat for others.",
        show_default=False,
        rich_help_panel=_WORDS,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="TEXT",
        help="The output does not hold this text; repeat for others.",
        show_default=False,
        rich_help_panel=_WORDS,
    ),
]
Ordered = Annotated[
    bool, typer.Option("--ordered", help="What is included comes in this order.", rich_help_panel=_WORDS)
]
WholeWords = Annotated[
    bool, typer.Option("--whole-words", help="Texts count as whole words only.", rich_help_panel=_WORDS)
]
IgnoreCase = Annotated[bool, typer.Option("--ignore-case", help="Texts count in any case.", rich_help_panel=_WORDS)]


def _length(unit: str) -> Any:
    text = f"How many {unit} the output has."
    return typer.Option(f"--{unit}", metavar="N|N..M", help=text, show_default=False, rich_help_panel=_WORDS)


Tokens = Annotated[str | None, _length("tokens")]
Chars = Annotated[str | None, _length("chars")]
Words = Annotated[str | None, _length("words")]
Sentences = Annotated[str | None, _length("sentences")]
Paragraphs = Annotated[str | None, _length("paragraphs")]
Rei = Annotated[
    str | None,
    typer.Option(
        "--rei",
        metavar="MARKUP",
        help="A Regular Expression Instruction, such as '<mask_0> lazy dog(0) <mask_1> <length=10>'.",
        show_default=False,
        rich_help_panel=_WORDS,
    ),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        "-t",
        metavar="PATH_OR_ID",
        help="A folder, a tokenizer.json, or a name on the Hub.",
        show_default="the embedded one",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", "-n", min=1, metavar="N", help="Longest output.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """The constraint that a command was given, as its options say it."""

    regex: Regex = None
    choice: Choice = None
    choices_file: ChoicesFile = None
    grammar: Grammar = None
    start: Start = None
    longest: Longest = None
    schema: Schema = None
    property_order: PropertyOrder = None
    whitespace: Whitespace = None
    format: Format = None
    draft: DraftName = None
    escapes: Escapes = None
    include: Include = None
    exclude: Exclude = None
    ordered: Ordered = False
    whole_words: WholeWords = False
    ignore_case: IgnoreCase = False
    tokens: Tokens = None
    chars: Chars = None
    words: Words = None
    sentences: Sentences = None
    paragraphs: Paragraphs = None
    rei: Rei = None


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each field of `Asked` in place of its parameter `asked`.

    typer makes options of parameters. These are two dozen, and half a dozen commands have all of them.
    """
    kind = inspect.Parameter.KEYWORD_ONLY
    hints = get_type_hints(Asked, include_extras=True)
    spread = [
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in fields(Asked)
    ]
    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [one for each in own for one in (spread if each.name == "asked" else [each.replace(kind=kind)])]

    @wraps(command)
    def run(**given: Any) -> None:
        asked = Asked(**{one.name: given.pop(one.name) for one in spread})
        command(asked=asked, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
