"""Result files to a page, a summary and tables.

What cannot be read, such as a line that a kill tore, is counted and left out. If an item was measured twice, in a file
that was gone on with or in two files, the later record counts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.jsonschemabench import listings, metrics, metrics_of_texts, page, plots, shown
from benchmarks.jsonschemabench.bootstrap import Resampling
from benchmarks.jsonschemabench.metrics import Group
from benchmarks.jsonschemabench.records import OUTCOMES, Record, Run
from benchmarks.jsonschemabench.store import Lines
from benchmarks.report import write_json
from benchmarks.tables import Table, markdown, show

MODES = ("masks", "generate", "quality")


@dataclass(frozen=True)
class Results:
    """What stands in result files."""

    groups: tuple[Group, ...]
    unreadable: dict[str, int]
    """Lines that could not be read, by file."""
    replaced: int
    """Records that a later one replaced."""


def report(folders_or_files: Iterable[Path], out: Path, how: Resampling | None = None) -> dict[str, Any]:
    """Write `report.html`, `summary.json` and `plots/` into a folder, show tables; the summary. Raises ValueError."""
    results = read(folders_or_files)
    summary = summarise(results, how or Resampling())
    write_json(out / "summary.json", summary)
    drawn = plots.draw(results.groups, summary, out / "plots")
    (out / "report.html").write_text(page.written(summary, drawn), encoding="utf-8")
    show(tables(summary))
    print(f"{out / 'report.html'}, {out / 'summary.json'}, {len(drawn)} plots in {out / 'plots'}")
    return summary


# Reading


def read(folders_or_files: Iterable[Path]) -> Results:
    """All records, those of one mode with one tokenizer together. Raises ValueError if there is none."""
    files = result_files(folders_or_files)
    runs: dict[tuple[str, str], list[Run]] = {}
    records: dict[tuple[str, str], dict[tuple[str, str, int], Record]] = {}
    unreadable: dict[str, int] = {}
    replaced = 0
    for file in files:
        lines = Lines(file)
        place, bad = (file.stem, ""), 0
        for line in lines:
            if isinstance(line, Run):
                place = line.mode, line.tokenizer
                runs.setdefault(place, []).append(line)
            elif not (place[0] in MODES and packed(line)):
                bad += 1
            else:
                mine = records.setdefault(place, {})
                replaced += line.key in mine
                mine[line.key] = line
        if lines.unreadable + bad:
            name = f"{file.resolve().parent.name}/{file.name}"  # the rest of the path says nothing elsewhere
            unreadable[name] = unreadable.get(name, 0) + lines.unreadable + bad
    if not records:
        raise ValueError(f"no records in {', '.join(map(str, files)) or 'no files'}")
    groups = (Group(*place, tuple(runs.get(place, ())), tuple(mine.values())) for place, mine in records.items())
    return Results(tuple(sorted(groups, key=order)), unreadable, replaced)


def result_files(folders_or_files: Iterable[Path]) -> list[Path]:
    """The files that are meant; of a folder all that bear the name of a mode, those in folders below included."""
    found: list[Path] = []
    for one in folders_or_files:
        if not one.exists():
            raise ValueError(f"no file and no folder {one}")
        inside = (file for mode in MODES for file in one.rglob(f"{mode}.jsonl")) if one.is_dir() else (one,)
        found += [file for file in sorted(inside) if file not in found]
    return found


def packed(record: Record) -> bool:
    """Keep durations in a quarter of the memory; whether the record is in order."""
    try:
        for text in record.texts:
            text.steps_ns = array("q", text.steps_ns)  # type: ignore[assignment]
    except (TypeError, OverflowError):
        return False
    return record.outcome in OUTCOMES


def order(group: Group) -> tuple[int, int, str]:
    """Modes as they are listed, small vocabularies first."""
    return MODES.index(group.mode), group.vocabulary, group.tokenizer


# Figures


def summarise(results: Results, how: Resampling) -> dict[str, Any]:
    """All figures of all groups, and what they rest on. Durations in microseconds, unless a name says otherwise."""
    groups = [summarised(group, how) for group in results.groups]
    return {
        "groups": groups,
        "vocabularies": metrics.vocabularies(group for group in groups if group["mode"] == "masks"),
        "unreadable": results.unreadable,
        "replaced": results.replaced,
        "resampling": asdict(how),
    }


def summarised(group: Group, how: Resampling) -> dict[str, Any]:
    """The figures of one group."""
    figures = {"masks": metrics.masks, "generate": metrics_of_texts.generate, "quality": metrics_of_texts.quality}
    about = {"mode": group.mode, "tokenizer": group.tokenizer, "vocabulary": group.vocabulary}
    found = about | {"runs": [asdict(run) for run in group.runs]} | figures[group.mode](group.records, how)
    found["errors"] = listings.errors(group.records)
    if group.mode == "masks":
        found["slowest"] = listings.slowest(group.records)
    return found


def tables(summary: dict[str, Any]) -> list[Table]:
    """What the terminal shows."""
    found: list[Table] = []
    for group in summary["groups"]:
        found += [titled(table, group) for table in shown.main_tables(group) if table.rows]
    if several_vocabularies(summary):
        found.append(shown.vocabulary_table(summary["vocabularies"]))
    if summary["unreadable"]:
        rows = [(file, f"{count:,}") for file, count in summary["unreadable"].items()]
        found.append(Table("Lines that could not be read", ("file", "lines"), rows))
    return found


def block(summary: dict[str, Any]) -> str:
    """The tables and everything needed to read them, for a README."""
    about: dict[str, None] = {}
    for group in summary["groups"]:
        for run in group["runs"]:
            versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
            about[f"`{run['command']}`, {run['date']}, {run['machine']}; {versions}."] = None
    return "\n".join([*about, *markdown(tables(summary))]) + "\n"


def titled(table: Table, group: dict[str, Any]) -> Table:
    """With the group in the title."""
    return replace(table, title=f"{group['mode']}, {group['tokenizer']}: {table.title}")


def several_vocabularies(summary: dict[str, Any]) -> bool:
    """Whether there is anything to compare."""
    return len({row["vocabulary"] for row in summary["vocabularies"]}) > 1
