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
