"""The page: one file that needs no other and loads nothing. Whatever stands in records is escaped."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.jsonschemabench import shown
from benchmarks.jsonschemabench.plots import Picture
from benchmarks.report import figure

TEMPLATE = Path(__file__).with_name("page.html")

DEFINITIONS = {
    "item": "A JSON Schema with instances, each known to be valid or invalid.",
    "coverage": """What became of the items. An item passes if its schema compiles and every instance is judged
        rightly, or, where a model writes, if the text is valid. Pass rates stand beside times because an engine that
        refuses what is slow looks fast on the rest.""",
    "TBM": """Time between masks: the mask for one token and the commit of that token, the mask at the end of the text
        included. Of the texts that the engine accepts to their end. A model waits for it at every token.""",
    "TTFM": "Time to the first mask: compiling the schema and the first mask. Of the schemas that compile.",
    "pass 1, pass 2": "Every item is read once (cold), then once more by the same process (warm).",
    "both, all": """Ratios on both: the texts that both engines accept, or the schemas that both compile. Ratios on all:
        each engine on what it handles itself. Below 1 the left engine is faster.""",
    "95 % interval": """Where 95 % of the ratios lie if items are drawn anew with replacement, the same ones for both
        engines. Items and not tokens, because the tokens of an item depend on each other. It says how far a figure
        depends on the choice of items, not how much the machine varies.""",
    "runner alone": "TBM of an engine that does nothing: so much of every figure is the measuring itself.",
    "peak RSS": "The most memory that a process of the engine has held, vocabulary and libraries included.",
    "declared coverage, empirical coverage, compliance": """Where a model writes: items whose schema the engine takes;
        items whose text is valid; the valid ones among those that were taken.""",
    "GCT, TTFT, TPOT, total, plain total": """Compilation of the grammar; time to the first token, compilation included;
        time per token after the first; the whole text; the whole text without skipping tokens that are forced.""",
}


def written(summary: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    page = template.render(
        summary=summary,
        overhead=overhead(summary),
        pictures=[(picture.name, picture.caption, inlined(picture)) for picture in pictures],
        groups=[(group, shown.main_tables(group), shown.more_tables(group)) for group in summary["groups"]],
        vocabularies=shown.vocabulary_table(summary["vocabularies"]),
        definitions=DEFINITIONS,
        as_json=lambda value: json.dumps(value, ensure_ascii=False),
    )
    return page.lstrip()


def inlined(picture: Picture) -> str:
    """An SVG as an address that holds it: as an image it can neither run anything nor load anything."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.file("svg").read_bytes()).decode("ascii")


def overhead(summary: Mapping[str, Any]) -> str:
    """A sentence on what the measuring itself takes, if it was measured."""
    found = [
        f"{figure(us['avg'])} µs on average, {figure(us['p99'])} µs at p99 ({group['tokenizer']}, pass {run})"
        for group in summary["groups"]
        for run, us in group.get("overhead", {}).items()
        if us
    ]
    return f"The runner alone takes per token: {'; '.join(found)}." if found else ""
