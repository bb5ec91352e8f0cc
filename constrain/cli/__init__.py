"""The command line: `constrain --help` lists the commands.

In: arguments, standard input. Out: results on standard output, notices on standard error, an exit status: 0 for yes,
1 for "does not meet the constraint", 2 for a mistake in the call or in the constraint.

Only the commands that need them import numba, torch and transformers.
"""

from __future__ import annotations


def main() -> None:
    """The console script `constrain`."""
    import sys

    from constrain.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character is no reason to stop
    app(prog_name="constrain")
