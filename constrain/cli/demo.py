"""The command `demo`: the embedded model, with and without constraints."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrain.cli import options, output, sources

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from constrain.compiler import Compiler
    from constrain.demo.cases import Case
    from constrain.hf.generated import Generation


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model made of one case. Times are in microseconds and count what a step adds: mask and commit."""

    title: str
    prompt: str
    pattern: str
    grammar: str
    schema: dict[str, Any] | None
    words: tuple[str, ...]
    beams: int
    free: str
    free_matches: bool
    constrained: str
    constrained_matches: bool
    tokens: int
    mask_us_first: float | None
    mask_us_mean: float | None
    mask_us_max: float | None
    """None for beam search, which looks at many prefixes in a step."""


Picture = Annotated[Path | None, typer.Option("--picture", help="Save the table as an SVG file, too.")]


def demo(max_new_tokens: options.MaxNewTokens = 32, picture: Picture = None, as_json: options.Json = False) -> None:
    """Show a model with and without constraints; needs no download."""
    from constrain.demo.cases import CASES

    console, coming = output.stdout(), _outcomes(CASES, max_new_tokens)
    lively = console.is_terminal and not as_json
    if lively:
        outcomes = _shown_as_they_come(coming, console)
    else:
        with output.spinner("generating"):
            outcomes = list(coming)
    if picture is not None:
        _draw(outcomes, picture)
    if as_json:
        output.emit({"cases": [asdict(outcome) for outcome in outcomes]})
        return
    if not lively:
        console.print(_table(outcomes))
    console.print(_summary(outcomes), soft_wrap=False)


def _shown_as_they_come(coming: Iterator[Outcome], console: Console) -> list[Outcome]:
    """Show the table at a terminal, row by row."""
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner

    outcomes: list[Outcome] = []
    with Live(Spinner("dots", "generating"), console=console) as live:
        for one in coming:
            outcomes.append(one)
            live.update(Group(_table(outcomes), Spinner("dots", "generating")))
        live.update(_table(outcomes))
    return outcomes


def _outcomes(cases: Sequence[Case], max_new_tokens: int) -> Iterator[Outcome]:
    """Load what is needed, at once; the outcomes as they are asked for."""
    from constrain.cli import models

    model, tokenizer = models.load(None)
    sources.ready_kernels()
    from constrain.compiler import Compiler
    from constrain.hf.generated import vocabulary_of

    compiler = Compiler(vocabulary_of(model, tokenizer))
    return (_outcome(case, model, tokenizer, compiler, max_new_tokens) for case in cases)


def _outcome(case: Case, model: Any, tokenizer: Any, compiler: Compiler, max_new_tokens: int) -> Outcome:
    """Greedy text without and with the constraint."""
    from constrain.cli.models import continuations

    settings = {"max_new_tokens": max_new_tokens, "do_sample": False}
    if case.beams:
        return _searched(case, model, tokenizer, settings)
    processor = compiler.compile(case.spec()).logits_processor()
    free = continuations(model, tokenizer, case.prompt, **settings)[0]
    constrained = continuations(model, tokenizer, case.prompt, logits_processor=[processor], **settings)[0]
    return _compared(case, free, constrained, [1e6 * seconds for seconds in processor.mask_seconds])


def _searched(case: Case, model: Any, tokenizer: Any, settings: dict[str, Any]) -> Outcome:
    """The same by beam search, which tells a place for words from one where they would be out of place."""
    from constrain.cli.models import continuations
    from constrain.hf.generation import generate

    settings["num_beams"] = case.beams
    free = continuations(model, tokenizer, case.prompt, **settings)[0]
    constrained = generate(model, tokenizer, case.prompt, case.spec(), sampler="beam", **settings)[0]
    return _compared(case, free, constrained, ())


def _compared(case: Case, free: Generation, constrained: Generation, times: Sequence[float]) -> Outcome:
    return Outcome(
        title=case.title,
        prompt=case.prompt,
        pattern=case.pattern,
        grammar=f"{case.grammar}, rule {case.start}" if case.grammar else "",
        schema=json.loads(case.schema) if case.schema else None,
        words=case.words,
        beams=case.beams,
        free=free.text,
        free_matches=_matches(case, free.text),
        constrained=constrained.text,
        constrained_matches=_matches(case, constrained.text),
        tokens=len(constrained.token_ids),
        mask_us_first=times[0] if times else None,
        mask_us_mean=sum(times) / len(times) if times else None,
        mask_us_max=max(times, default=None),
    )


def _matches(case: Case, text: str) -> bool:
    from constrain.cli.verdict import judge

    return judge(case.spec(), text.encode()).result == "match"


def _draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Save what a terminal of 110 columns would show."""
    from rich.console import Console

    console = Console(record=True, width=110, file=io.StringIO(), markup=False, highlight=False)
    console.print(_table(outcomes))
    console.print(_summary(outcomes))
    console.save_svg(str(path), title="constrain demo")


# ---- the table


def _table(outcomes: Sequence[Outcome]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("prompt and constraint", "free", "constrained"):
        table.add_column(title, overflow="fold")
    table.add_column("mask", no_wrap=True)
    for one in outcomes:
        free = _judged(output.visible(one.free), one.free_matches)
        constrained = _judged(_shown(one), one.constrained_matches, f", {one.tokens} tokens")
        table.add_row(_asked(one), free, constrained, _timed(one), end_section=one is not outcomes[-1])
    return table


def _asked(one: Outcome) -> Text:
    from rich.text import Text

    return Text.assemble(output.visible(one.prompt), "\n", (_constraint(one), "cyan"))


def _constraint(one: Outcome) -> str:
    if one.schema:
        return f"schema {json.dumps(one.schema['properties'])}"
    if one.words:
        return f"1 or 2 sentences with {' and '.join(one.words)}; {one.beams} beams"
    return f"grammar {one.grammar}" if one.grammar else output.visible(one.pattern)


def _judged(text: str, matches: bool, note: str = "") -> Text:
    from rich.text import Text

    mark = ("✓ match", "green") if matches else ("✗ no match", "red")
    return Text.assemble(text, "\n", mark, (note, "dim"))


def _shown(one: Outcome) -> str:
    """What was generated; the value that it stands for, as people like to read it, if there is a schema."""
    if not one.schema or not one.constrained_matches:
        return output.visible(one.constrained)
    written = json.dumps(json.loads(one.constrained), indent=2, ensure_ascii=False)
    return "\n".join(map(output.visible, written.split("\n")))


def _timed(one: Outcome) -> Text:
    from rich.text import Text

    times = (("first", one.mask_us_first), ("mean", one.mask_us_mean), ("max", one.mask_us_max))
    return Text("\n".join(f"{name:<5} {time:>6,.0f} µs" for name, time in times if time is not None))


def _summary(outcomes: Sequence[Outcome]) -> str:
    free = sum(one.free_matches for one in outcomes)
    constrained = sum(one.constrained_matches for one in outcomes)
    return f"matches: {free} of {len(outcomes)} free, {constrained} of {len(outcomes)} constrained"
