"""The commands and their names, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from constrain.cli import check, demo, generate, grammars, inspect, system
from constrain.cli.output import BROKEN_PIPE, INTERRUPTED, INVALID, fail, missing_package
from constrain.errors import ConstrainError


class _Group(TyperGroup):
    """Commands whose errors are messages, not tracebacks."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except ConstrainError as error:
            fail(str(error))
            raise typer.Exit(INVALID) from error
        except ImportError as error:
            message = missing_package(error)
            if message is None:
                raise
            fail(message)
            raise typer.Exit(INVALID) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            _drop_output()
            raise typer.Exit(BROKEN_PIPE) from error


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from constrain import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def constrain(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make a language model's output obey a regular expression, a choice, a grammar or a schema, exactly.

    Exit status: 0 yes or done, 1 rejected or not complete, 2 a mistake in the call or in the constraint.
    """


app.command("demo")(demo.demo)
app.command("generate")(generate.generate)
app.command("check")(check.check)
app.command("match")(inspect.match)
app.command("mask")(inspect.mask)
app.command("compile")(inspect.compile_constraint)
app.command("grammars")(grammars.grammars)
app.command("picture")(grammars.picture)
app.command("warmup")(system.warmup)
app.command("info")(system.info)
