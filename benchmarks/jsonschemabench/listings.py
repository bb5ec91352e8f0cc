"""Single items worth a look: the slowest ones, and errors that say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from benchmarks.jsonschemabench.metrics import NOTHING, by_engine
from benchmarks.jsonschemabench.records import Record

SLOWEST = 20
"""Items and texts that are listed for each engine."""
EXAMPLES = 5
"""Ids that are kept of each group of errors."""


def slowest(records: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """By engine: the items that are slowest to the first mask, and the texts with the slowest token, one an item."""
    found = {}
    for name, passes in by_engine(records).items():
        mine = [record for each in passes.values() for record in each]
        if name != NOTHING:
            found[name] = {"items": _items(mine), "texts": _texts(mine)}
    return found


def _items(records: Iterable[Record]) -> list[dict[str, Any]]:
    ranked = _one_an_item(sorted((r for r in records if r.ttfm_ns), key=lambda r: -r.ttfm_ns))
    return [
        {"id": r.id, "split": r.split, "pass": r.run, "bytes": r.schema_bytes}
        | {"compile_us": r.compile_ns / 1e3, "first_us": r.first_ns / 1e3}
        for r in ranked
    ]


def _texts(records: Iterable[Record]) -> list[dict[str, Any]]:
    slow = {id(record): _slowest_step(record) for record in records}
    ranked = _one_an_item(sorted((r for r in records if slow[id(r)][0]), key=lambda r: -slow[id(r)][0]))
    found = []
    for record in ranked:
        ns, number, place = slow[id(record)]
        found.append(
            {"id": record.id, "split": record.split, "pass": record.run, "text": number, "token": place}
            | {"tokens": record.texts[number].tokens, "us": ns / 1e3}
        )
    return found


def _slowest_step(record: Record) -> tuple[int, int, int]:
    """Its duration, the number of its text, its place."""
    steps = (
        (max(text.steps_ns), -number, text.steps_ns.index(max(text.steps_ns)))
        for number, text in enumerate(record.texts)
        if text.steps_ns
    )
    ns, number, place = max(steps, default=(0, 0, 0))
    return ns, -number, place


def _one_an_item(ranked: Iterable[Record]) -> list[Record]:
    """The first record of each item, `SLOWEST` in all."""
    first: dict[str, Record] = {}
    for record in ranked:
        first.setdefault(record.id, record)
        if len(first) == SLOWEST:
            break
    return list(first.values())


def errors(records: Iterable[Record]) -> dict[str, list[dict[str, Any]]]:
    """By engine: what went wrong, the most frequent first; what differs between items is left out of the message.

    An item that goes wrong alike in every pass counts once.
    """
    found: dict[str, dict[tuple[str, str, str], set[str]]] = {}
    failed = by_engine(record for record in records if record.outcome != "pass" and record.engine != NOTHING)
    for name, passes in failed.items():
        groups = found.setdefault(name, {})
        for record in (record for mine in passes.values() for record in mine):
            groups.setdefault((record.outcome, record.error, without_details(record.message)), set()).add(record.id)
    return {
        name: [
            {"outcome": outcome, "error": error, "says": says, "items": len(ids), "ids": sorted(ids)[:EXAMPLES]}
            for (outcome, error, says), ids in sorted(groups.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        ]
        for name, groups in found.items()
    }


def without_details(message: str) -> str:
    """A message without what it quotes, places in a schema, and numbers, so that errors of one kind read the same.

    >>> without_details("'a' is not among 12 keys at /properties/b")
    '… is not among N keys at …'
    """
    quoted = r"\"[^\"]*\"|'[^']*'|`[^`]*`"
    pointer = r"(?<!\w)[/#][^\s,;:)]+"
    short = re.sub(r"\d[\d.,]*", "N", re.sub(f"{quoted}|{pointer}", "…", message))
    return re.sub(r"…(, …)+", "…", short)[:160]
