"""What becomes of the keywords of a schema, for people and for machines: see `JsonSchema.report`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from constrain.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from constrain.specs.base import Spec

_STATUSES = ("not supported", "enforced", "annotation")
"""In the order in which people should hear of them."""

Keyword = dict[str, str]
"""A remark for machines: its pointer, keyword, status and reason."""


class _Row(NamedTuple):
    """A row of the table."""

    status: str
    keyword: str
    where: str
    reason: str


def fields(spec: Spec) -> dict[str, Any]:
    """The remarks on a schema; nothing for other constraints."""
    from constrain.specs.schema import JsonSchema

    return {"keywords": [asdict(remark) for remark in spec.report()]} if isinstance(spec, JsonSchema) else {}


def show(keywords: list[Keyword], every: bool) -> None:
    """Print counts and a table: of every keyword, or of those that are not plainly enforced, like ones in one row."""
    output.facts(_counts(keywords))
    rows = _single(keywords) if every else _grouped(keywords)
    if rows:
        output.stdout().print(_table(rows))


def _counts(keywords: list[Keyword]) -> Iterator[tuple[str, str]]:
    for status in _STATUSES:
        names = Counter(one["keyword"] for one in keywords if one["status"] == status)
        if names:
            listed = ", ".join(f"{name} {count:,}" for name, count in names.most_common())
            yield status, f"{names.total():,}: {output.visible(listed)}"


def _single(keywords: list[Keyword]) -> list[_Row]:
    return [_Row(one["status"], one["keyword"], one["pointer"], one["reason"]) for one in keywords]


def _grouped(keywords: list[Keyword]) -> list[_Row]:
    """A row for each keyword and reason, which usually are the same in many places, and one for all titles and such."""
    from constrain.specs.json_schema.drafts import ANNOTATIONS

    groups: dict[tuple[str, str, str], list[Keyword]] = {}
    for one in keywords:
        if one["reason"]:
            name = "" if one["keyword"] in ANNOTATIONS else one["keyword"]
            groups.setdefault((one["status"], name, one["reason"]), []).append(one)
    rows = [_row(group) for group in groups.values()]
    return sorted(rows, key=lambda row: _STATUSES.index(row.status))


def _row(group: list[Keyword]) -> _Row:
    first, more = group[0], f" and {len(group) - 1:,} more" if len(group) > 1 else ""
    names = dict.fromkeys(one["keyword"] for one in group)
    return _Row(first["status"], ", ".join(names), first["pointer"] + more, first["reason"])


def _table(rows: list[_Row]) -> Table:
    """Pointers and reasons share a column: both can be long, and a terminal narrow."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("status", no_wrap=True)
    table.add_column("keyword", overflow="fold", max_width=24)
    table.add_column("where and why", overflow="fold")
    for row in rows:
        reason = f"\n{output.visible(row.reason)}" if row.reason else ""
        table.add_row(
            row.status, output.visible(row.keyword), Text.assemble(output.visible(row.where), (reason, "dim"))
        )
    return table
