"""The command `generate`: text from a model, under a constraint or freely."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrain.cli import constraints, options, output, sampling, sources

if TYPE_CHECKING:
    from constrain.hf.generated import Generation


Sampler = Annotated[
    str,
    typer.Option(
        "--sampler",
        metavar="mask|awrs|smc",
        help="Mask each token, or draw texts with weights, one by one or as particles.",
    ),
]
Particles = Annotated[
    int | None,
    typer.Option("--particles", min=1, metavar="N", help="Texts side by side.", show_default="8, with smc"),
]
Checker = Annotated[
    str | None,
    typer.Option(
        "--checker",
        metavar="MODULE:FUNCTION",
        help="f(text) or f(text, complete), asked of proposed tokens; FILE.py:FUNCTION.",
        show_default=False,
    ),
]
Html = Annotated[Path | None, typer.Option("--html", help="Save the particles over time as a page, too.")]
Beams = Annotated[
    int | None,
    typer.Option("--beams", min=1, metavar="K", help="Beam search with K hypotheses.", show_default="none"),
]


@options.asking
def generate(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="PATH_OR_ID",
            help="A folder, or a name on the Hub.",
            show_default="the embedded one",
        ),
    ] = None,
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", metavar="TEXT", help="What the model continues; - is standard input.")
    ] = "",
    asked: options.Asked,
    max_new_tokens: options.MaxNewTokens = 256,
    sample: Annotated[
        bool | None,
        typer.Option(
            "--sample/--greedy",
            help="Draw tokens, or take the likeliest.",
            show_default="greedy; sample if --num or --temperature is given",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0.0, metavar="T", help="How even the draws are.", show_default="1"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="Equal seeds draw equal tokens.")] = 0,
    num: Annotated[int, typer.Option("--num", min=1, metavar="N", help="How many texts.")] = 1,
    sampler: Sampler = "mask",
    particles: Particles = None,
    checker: Checker = None,
    html: Html = None,
    beams: Beams = None,
    as_json: options.Json = False,
) -> None:
    """Generate text that meets a constraint.

    With any Hugging Face model. The exit status is 1 if a text was cut short.

    constrain generate --prompt "The meeting is on " --regex '[0-9]{4}-[0-9]{2}'

    constrain generate --prompt "An order as JSON: " --schema order.json

    constrain generate --prompt "In Python: " --sampler smc --checker constrain.sampling:Python --html particles.html
    """
    sampling.check(sampler, particles=particles, html=html, checker=checker, greedy=sample is False)
    sources.check_stdin(**{"--prompt": prompt, "--choices-file": asked.choices_file, "--schema": asked.schema})
    spec = constraints.constraint_or_none(asked)
    if beams is not None:
        drawing = _searching(beams, sample, temperature, num, sampler)
    else:
        drawing = _drawing(sample if sampler == "mask" else True, temperature, num)
    constraint: Any = spec
    if sampler != "mask":
        constraint = sampling.checker(spec, checker)
        drawing |= {"sampler": sampler} | ({"particles": particles or sampling.PARTICLES} if sampler == "smc" else {})
    text = sources.text(prompt).decode("utf-8", "replace")
    results = _generate(model, text, constraint, seed, max_new_tokens=max_new_tokens, **drawing)
    if html is not None:
        sampling.save_page(results, text, html)
    if as_json:
        output.emit({"prompt": text, "outputs": [_fields(result) for result in results]})
    else:
        sampling.show(results)
    _exit_unless_met(results, max_new_tokens)


def _exit_unless_met(results: list[Generation], max_new_tokens: int) -> None:
    """Say why texts do not meet the constraint, if some do not."""
    reasons = {result.finish_reason for result in results}
    if "dead" in reasons:
        output.notice("nothing was found that meets the constraint; more --particles, or a checker that says no sooner")
        raise typer.Exit(output.REJECTED)
    if "length" in reasons:
        output.notice(f"cut short after {max_new_tokens} tokens; --max-new-tokens N allows more")
        raise typer.Exit(output.REJECTED)


def _drawing(sample: bool | None, temperature: float | None, num: int) -> dict[str, Any]:
    """How tokens are chosen, as options of `model.generate`."""
    asked = [name for name, given in (("--num", num > 1), ("--temperature", temperature is not None)) if given]
    if sample is False and asked:
        raise typer.BadParameter(f"--greedy knows one output; {' and '.join(asked)} is for --sample")
    if temperature == 0:
        raise typer.BadParameter("a temperature of 0 is --greedy", param_hint="--temperature")
    if not sample and not asked:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": 1.0 if temperature is None else temperature, "num_return_sequences": num}


def _searching(beams: int, sample: bool | None, temperature: float | None, num: int, sampler: str) -> dict[str, Any]:
    """The same for beam search, which gives the best texts that it finds."""
    drawing = (("--sample", sample), ("--temperature", temperature is not None), ("--sampler", sampler != "mask"))
    asked = [name for name, given in drawing if given]
    if asked:
        raise typer.BadParameter(f"beam search draws nothing; {' and '.join(asked)} is for generation without --beams")
    if num > beams:
        raise typer.BadParameter(f"{beams} hypotheses give at most {beams} texts", param_hint="--num")
    return {"do_sample": False, "num_beams": beams, "num_return_sequences": num}


def _generate(model: str | None, prompt: str, spec: Any, seed: int, **settings: Any) -> list[Generation]:
    from constrain.cli import models

    loaded, tokenizer = models.load(model)
    if spec is not None:
        sources.ready_kernels()
    from torch import manual_seed

    manual_seed(seed)
    if spec is None:
        return models.continuations(loaded, tokenizer, prompt, **settings)
    from constrain.hf.generation import generate

    sampler = settings.pop("sampler", "beam" if "num_beams" in settings else "mask")
    with output.spinner("generating"):
        return generate(loaded, tokenizer, models.opening(tokenizer, prompt), spec, sampler=sampler, **settings)


def _fields(result: Generation) -> dict[str, Any]:
    return {
        "text": result.text,
        "parsed": _finite(result.parsed),
        "finish_reason": result.finish_reason,
        "tokens": list(result.token_ids),
        **sampling.fields(result),
    }


def _finite(value: Any) -> Any:
    """A value of JSON, or None if it has a number like 1e999: infinity to Python, which no JSON can say."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return None
    return value
