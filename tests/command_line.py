"""The command line as its tests call it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from constrain.cli.app import app
from constrain.demo import MODEL_PATH

needs_embedded_model = pytest.mark.skipif(not MODEL_PATH.is_dir(), reason="there is no embedded model yet")


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    """Call the command line; a traceback fails the test."""
    result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*arguments: str | Path, code: int = 0, stdin: str | bytes | None = None) -> dict[str, Any]:
    """What `--json` prints."""
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


def unwrapped(text: str) -> str:
    """The text of an error box, without the box."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())
