"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

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
