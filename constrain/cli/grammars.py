"""Commands about grammars: grammars, picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrain.cli import constraints, options, output, sources

if TYPE_CHECKING:
    from rich.table import Table

    from constrain.specs.library import LibraryGrammar

_SHORT = 400
"""Characters of an example that is short enough to show."""
_DRAWN = 2_000
"""States of a schema's rules in a picture."""


def grammars(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show what this one covers.")] = None,
    as_json: options.Json = False,
) -> None:
    """List the grammars of the library, or show one.

    constrain grammars json
    """
    from constrain.specs.library import library, library_grammar

    if name is not None:
        found = library_grammar(name)
        output.emit(_details(found)) if as_json else _print_details(found)
    elif as_json:
        output.emit({"grammars": [_fields(grammar) for grammar in library()]})
    else:
        output.stdout().print(_table(library()))


def _fields(grammar: LibraryGrammar) -> dict[str, Any]:
    return {
        "name": grammar.name,
        "title": grammar.title,
        "reading": _reading(grammar),
        "examples": len(grammar.examples()),
        "path": str(grammar.path),
    }


def _reading(grammar: LibraryGrammar) -> str:
    return "longest" if grammar.longest else "scannerless"


def _details(grammar: LibraryGrammar) -> dict[str, Any]:
    return _fields(grammar) | {"header": grammar.header, "example": _example(grammar)}


def _example(grammar: LibraryGrammar) -> str | None:
    """The longest accepted example among those that are short enough to look at."""
    texts = [one["text"] for one in grammar.examples() if one["accepted"]]
    return max((text for text in texts if len(text) <= _SHORT), key=len, default=None)


def _print_details(grammar: LibraryGrammar) -> None:
    output.facts([("title", grammar.title), ("reading", _reading(grammar)), ("file", str(grammar.path))])
    if grammar.header:
        typer.echo(f"\n{grammar.header}")
    if (example := _example(grammar)) is not None:
        lines = "\n".join(output.visible(line) for line in example.split("\n"))
        typer.echo(f"\nexample, 1 of {len(grammar.examples())}:\n\n{lines}")


def _table(grammars: list[LibraryGrammar]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("title")
    table.add_column("reading", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    for one in grammars:
        table.add_row(one.name, one.title, _reading(one), str(len(one.examples())))
    return table


def picture(
    grammar: options.Grammar = None,
    start: options.Start = None,
    longest: options.Longest = None,
    schema: options.Schema = None,
    property_order: options.PropertyOrder = None,
    draft: options.DraftName = None,
    form: Annotated[
        str, typer.Option("--format", "-f", metavar="dot|mermaid", help="Graphviz's language or Mermaid's.")
    ] = "dot",
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="PREFIX", help="Show what may come next after this; - is standard input."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Draw the rules of a grammar, or those that a schema becomes, as a network.

    constrain picture --grammar json --text '[1' | dot -Tsvg > json.svg
    """
    from constrain.cli.check import read_rules
    from constrain.cli.tracing import steps
    from constrain.cli.verdict import byte_automaton
    from constrain.debug.picture import FORMATS
    from constrain.debug.picture import picture as draw

    if form not in FORMATS:
        raise typer.BadParameter(f"{form} is none of {', '.join(FORMATS)}", param_hint="--format")
    # What the other options of schemas change is inside of terminals, which are drawn by name only.
    asked = options.Asked(
        grammar=grammar, start=start, longest=longest, schema=schema, property_order=property_order, draft=draft
    )
    sources.check_stdin(**{"--text": text, "--schema": schema})
    file = constraints.given_or_none(asked)
    if file is None:
        raise typer.BadParameter("no grammar; give --grammar FILE_OR_NAME, or --schema FILE")
    spec = file.spec()
    sources.ready_kernels()
    automaton = byte_automaton(spec)
    if isinstance(file, constraints.SchemaFile):
        read_rules(automaton, _DRAWN)
    trace = None if text is None else steps(automaton, sources.text(text))
    drawn = draw(automaton, form, trace)
    if as_json:
        output.emit({"format": form, "picture": drawn})
    else:
        typer.echo(drawn, nl=False)
    if trace is not None and len(trace.steps) < len(trace.text):
        output.notice(f"the text cannot go on at byte {len(trace.steps)}; shown is the place before it")
        raise typer.Exit(output.REJECTED)
