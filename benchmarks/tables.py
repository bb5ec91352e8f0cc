"""Tables, for a README and for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A title, a header, rows, sentences below; the first `left` columns are text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    left: int = 1


def cell(text: str) -> str:
    """A text as code in a table."""
    shown = repr(text)[1:-1].replace("|", "¦").replace("`", "'")
    return f"`{shown}`" if shown else ""


def markdown_table(table: Table) -> list[str]:
    """The lines of a table without its title and notes.

    >>> markdown_table(Table("", ("a", "b"), [("x", "1")]))
    ['| a | b |', '|---|---:|', '| x | 1 |']
    """
    rule = f"|{'---|' * table.left}{'---:|' * (len(table.header) - table.left)}"
    return [f"| {' | '.join(table.header)} |", rule, *(f"| {' | '.join(row)} |" for row in table.rows)]


def markdown(tables: Iterable[Table]) -> list[str]:
    """The lines of tables, a blank one before each part."""
    lines: list[str] = []
    for table in tables:
        lines += ["", f"**{table.title}**", "", *markdown_table(table)]
        lines += ["", *(f"* {note}" for note in table.notes)] if table.notes else []
    return lines


def show(tables: Iterable[Table], width: int = 180, bullet: str = "* ") -> None:
    """The same for a terminal; `width` is for output that goes elsewhere."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else width)
    for table in tables:
        grid = Grid(title=table.title)
        for number, title in enumerate(table.header):
            grid.add_column(title, justify="left" if number < table.left else "right")
        for row in table.rows:
            grid.add_row(*map(Text, row))
        console.print(grid)
        for note in table.notes:
            console.print(f"{bullet}{note}", markup=False, highlight=False)
