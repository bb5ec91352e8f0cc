"""Where items come from: a folder, a file with one JSON object a line, or the data set hub.

An item is a schema with instances of which it is known whether they are valid, as MaskBench has them; items of the data
set `epfl-dlab/JSONSchemaBench` have no instances.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HUB = "epfl-dlab/JSONSchemaBench"
"""Also with a subset and a split: `epfl-dlab/JSONSchemaBench:Github_easy:test`."""


class DataError(ValueError):
    """There is nothing to read, or it cannot be read."""


@dataclass(frozen=True)
class Item:
    """A schema and its instances: each with `data` and `valid`."""

    id: str
    split: str
    schema: Any
    tests: list[dict[str, Any]] = field(default_factory=list)


def read_items(source: str) -> list[Item]:
    """The items of a path, or of a name on the hub. Raises DataError."""
    path = Path(source)
    if path.is_dir():
        found = list(_of_folder(path))
    elif path.is_file():
        found = list(_of_file(path))
    elif source == HUB or source.startswith(HUB + ":"):
        found = list(_of_hub(*source.split(":")))
    else:
        raise DataError(f"no file or folder {source}; name one with --data, or the data set {HUB}[:SUBSET[:SPLIT]]")
    if not found:
        raise DataError(f"{source} holds no schemas")
    return _with_distinct_ids(found)


def _of_folder(folder: Path) -> Iterator[Item]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.endswith((".json", ".jsonl", ".jsonl.gz")):
            yield from _of_file(path, folder)


def _of_file(path: Path, folder: Path | None = None) -> Iterator[Item]:
    name = str(path.relative_to(folder).with_suffix("")) if folder else path.stem
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        try:
            if path.suffix == ".json":
                yield from _of_json(json.load(lines), name)
                return
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _item(json.loads(line), f"{name}:{number}", name)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None


def _of_json(content: Any, name: str) -> Iterator[Item]:
    """A file of the JSON Schema Test Suite has a list of cases; other files hold one item, or a schema alone."""
    if isinstance(content, list):
        for number, case in enumerate(content):
            yield Item(f"{name}#{number}", name, case["schema"], [_test(test) for test in case["tests"]])
    elif isinstance(content, dict) and "schema" in content and "tests" in content:
        yield _item(content, name, name.rpartition("---")[0] or name)
    else:
        yield Item(name, name.rpartition("---")[0] or name, content)


def _item(content: dict[str, Any], name: str, split: str) -> Item:
    """An item of MaskBench or of JSONSchemaBench, which writes schemas as text."""
    schema = content["schema"] if "schema" in content else json.loads(content["json_schema"])
    tests = [_test(test) for test in content.get("tests", ())]
    return Item(content.get("id") or content.get("unique_id") or name, content.get("split", split), schema, tests)


def _test(test: dict[str, Any]) -> dict[str, Any]:
    return {"valid": bool(test["valid"]), "data": test["data"]}


def _of_hub(name: str, subset: str = "default", split: str = "") -> Iterator[Item]:
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(f"{name} is read with the package datasets: pip install datasets") from None
    try:
        found = load_dataset(name, subset)
    except Exception as error:  # many kinds, most of them about the network
        raise DataError(f"{name} ({subset}) cannot be read: {type(error).__name__}: {error}") from None
    for part in [split] if split else sorted(found):
        for row in found[part]:
            yield _item(dict(row), row["unique_id"], f"{subset}:{part}" if subset != "default" else part)


def _with_distinct_ids(items: list[Item]) -> list[Item]:
    """Results are kept by id."""
    seen: dict[str, int] = {}
    found = []
    for item in items:
        seen[item.id] = seen.get(item.id, 0) + 1
        again = f"{item.id}~{seen[item.id]}"
        found.append(item if seen[item.id] == 1 else Item(again, item.split, item.schema, item.tests))
    return found
