"""What `generate` adds for samplers with weights: the checker, the table of particles, the page."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrain.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from constrain.hf.generated import Generation
    from constrain.sampling.posterior import Posterior
    from constrain.specs.base import Spec

SAMPLERS = ("mask", "awrs", "smc")
PARTICLES = 8


def check(sampler: str, **given: Any) -> None:
    """Refuse options that the sampler does not have."""
    if sampler not in SAMPLERS:
        raise typer.BadParameter(f"{sampler} is none of {', '.join(SAMPLERS)}", param_hint="--sampler")
    owners = {"particles": ("smc",), "html": ("smc",), "checker": ("awrs", "smc"), "greedy": ("mask",)}
    for name, value in given.items():
        if value is not None and value is not False and sampler not in owners[name]:
            raise typer.BadParameter(f"--{name} is for --sampler {' or '.join(owners[name])}")


def checker(spec: Spec | None, place: str | None) -> Any:
    """What the sampler asks: the constraint, the user's checker, or both."""
    if place is None and spec is None:
        raise typer.BadParameter("there is nothing to sample under; give a constraint, or --checker MODULE:FUNCTION")
    if place is None:
        return spec
    own = _found(place)
    from constrain.sampling import Product

    return own if spec is None else Product([spec, own])


def _found(place: str) -> Any:
    """The object that `module:name` or `file.py:name` names; of a class of checkers, one without arguments."""
    source, colon, name = place.rpartition(":")
    if not colon or not source or not name:
        raise _not_found(f"{place!r} is not like MODULE:FUNCTION or FILE.py:FUNCTION")
    found: Any = _module(source)
    for part in name.split("."):
        if not hasattr(found, part):
            raise _not_found(f"there is no {part} in {source}")
        found = getattr(found, part)
    from constrain.sampling import Checker

    if isinstance(found, type) and issubclass(found, Checker):
        try:
            return found()
        except TypeError as error:
            raise _not_found(f"{name} takes arguments; name one that is made: {error}") from error
    return found


def _module(source: str) -> Any:
    if source.endswith(".py"):
        spec = spec_from_file_location(Path(source).stem, source)
        if not Path(source).is_file() or spec is None or spec.loader is None:
            raise _not_found(f"there is no file {source}")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    if "" not in sys.path:
        sys.path.insert(0, "")  # modules beside the caller, as with python -m
    try:
        return import_module(source)
    except ModuleNotFoundError as error:
        if error.name and (source == error.name or source.startswith(f"{error.name}.")):
            raise _not_found(f"there is no module {source}") from error
        raise


def _not_found(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--checker")


def fields(result: Generation) -> dict[str, Any]:
    """What weights add to a result of `--json`. (JSON has no -inf: null.)"""
    posterior = result.posterior
    if posterior is None:
        return {"stats": {name: _finite(value) for name, value in result.stats.items()}}
    particles = [
        {
            "text": particle.text,
            "tokens": list(particle.token_ids),
            "weight": weight,
            "log_weight": _finite(particle.log_weight),
            "finish_reason": particle.finish_reason,
        }
        for particle, weight in zip(posterior.particles, posterior.weights)
    ]
    answers = [
        {"text": answer.text, "probability": answer.probability, "particles": answer.particles}
        for answer in posterior.answers
    ]
    stats = {name: _finite(value) for name, value in result.stats.items()}
    return {"stats": stats, "answers": answers, "particles": particles}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def show(results: Sequence[Generation]) -> None:
    """The particles as a table, with the texts that were drawn marked; texts alone where there are no particles."""
    posterior = results[0].posterior
    if posterior is None:
        for result in results:
            typer.echo(result.text)
        return
    console = output.stdout()
    console.print(_table(posterior, {result.token_ids for result in results}))
    console.print(
        f"log-normaliser {posterior.log_normalizer:.3f}, effective particles {posterior.ess:.1f}, "
        f"{posterior.evaluations:,} tokens asked about",
        soft_wrap=True,
    )


def _table(posterior: Posterior, drawn: set[tuple[int, ...]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("weight", "log-weight"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("end", no_wrap=True)
    table.add_column("text (* drawn)", overflow="fold")
    for particle, weight in sorted(zip(posterior.particles, posterior.weights), key=lambda pair: -pair[1]):
        mark = "* " if weight > 0 and particle.token_ids in drawn else ""
        text = mark + output.visible(particle.text)
        table.add_row(f"{weight:.4f}", f"{particle.log_weight:.3f}", particle.finish_reason, text)
    return table


def save_page(results: Sequence[Generation], title: str, path: Path) -> None:
    """The particles over time, as HTML."""
    from constrain.sampling.page import page

    posterior = results[0].posterior
    assert posterior is not None
    try:
        path.write_text(page(posterior, title), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--html") from error
