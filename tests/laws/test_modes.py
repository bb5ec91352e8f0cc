"""The laws again, as plain Python and with checked indices: that memory is not checked otherwise is earned here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LAWS = [
    "test_masks",
    "test_grammars",
    "test_once",
    "test_rows",
    "test_excluded",
    "test_longest",
    "test_token_sets",
    "test_counted_strings",
    "test_products",
    "test_token_counts",
    "test_generations",
    "test_dfa",
]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_laws_hold_in_other_modes(mode: str) -> None:
    """A few examples of each law: an index outside of a table raises there."""
    files = [str(HERE / f"{name}.py") for name in LAWS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *files],
        env={
            **{k: v for k, v in os.environ.items() if "XDIST" not in k and k != "CONSTRAIN_FULL"},
            "CONSTRAIN_TESTS": "few",
            mode: "1",
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
