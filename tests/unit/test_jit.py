"""Machine code of units: one file on disk, valid for its sources, and no failure of the disk is a failure of a call."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from constrain import jit
from constrain.automata import nodes
from constrain.jit.machine_code import Loader
from constrain.jit.parallel import SecondProcess
from constrain.jit.stamps import reachable
from constrain.jit.units import defined

PROGRAM = """
import logging, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from constrain.jit import Column, Tables, entry, helper, i64, load, unit
import numpy as np

@helper
def twice(x):
    return {factor} * x

@unit
def inner(block, i):
    table = i64(block, 0)
    table[i] = twice(i)
    return table[i]

@unit
def outer(block, n):
    total = 0
    for i in range(n):
        total += inner(block, i)
    return total

tables = Tables([Column("numbers", np.int64, 8)])
compiled = load()
print(compiled, entry(outer)(tables.block, 4), tables["numbers"][:4].tolist())
"""


def run(folder: Path, factor: int = 2, **environment: str) -> str:
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM.format(factor=factor)))
    settings = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "CONSTRAIN_NO_CACHE": "", **environment}
    settings.pop("NUMBA_DISABLE_JIT", None) if "NUMBA_DISABLE_JIT" not in environment else None
    done = subprocess.run([sys.executable, str(program)], env=settings, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    assert run(tmp_path) == "2 12 [0, 2, 4, 6]"
    assert run(tmp_path) == "0 12 [0, 2, 4, 6]"


def test_a_helper_that_has_changed_is_compiled_again(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, factor=3) == "2 18 [0, 3, 6, 9]"
    assert len(list((tmp_path / "cache").glob("units-*.pickle"))) == 1


def test_a_file_that_is_cut_short_costs_time_only(tmp_path: Path) -> None:
    run(tmp_path)
    (file,) = (tmp_path / "cache").glob("units-*.pickle")
    file.write_bytes(file.read_bytes()[:1000])
    assert run(tmp_path).splitlines()[-1] == "2 12 [0, 2, 4, 6]"
    assert run(tmp_path) == "0 12 [0, 2, 4, 6]"


def test_without_a_cache(tmp_path: Path) -> None:
    assert run(tmp_path, CONSTRAIN_NO_CACHE="1") == "2 12 [0, 2, 4, 6]"
    assert not (tmp_path / "cache").exists()
    (tmp_path / "cache").write_text("a file where the folder should be")
    lines = run(tmp_path).splitlines()
    assert lines[-1] == "2 12 [0, 2, 4, 6]" and "not cached" in lines[0]


@pytest.mark.parametrize("mode", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    run(tmp_path)
    assert run(tmp_path, **{mode: "1"}).split(maxsplit=1)[1] == "12 [0, 2, 4, 6]"


def test_stamps_reach_through_imports() -> None:
    """What a module's units are made of, helpers of other modules included, is part of their stamp."""
    root = Path(jit.__file__).parents[1]
    reached = {path.relative_to(root).as_posix() for path in reachable(root / "engine" / "mask.py")}
    assert {"engine/mask.py", "engine/earley.py", "engine/records.py", "automata/derive.py"} <= reached
    constants = {path.relative_to(root).as_posix() for path in reachable(root / "specs" / "json_schema" / "marks.py")}
    assert {"ir/schema_rows.py", "specs/json_schema/keywords.py", "specs/json_schema/tape.py"} <= constants


def test_entries_are_kept_by_source(tmp_path: Path) -> None:
    run(tmp_path)
    (file,) = (tmp_path / "cache").glob("units-*.pickle")
    keys = pickle.loads(file.read_bytes())
    assert [key.split()[0].rpartition("_")[2] for key in sorted(keys)] == ["inner", "outer"]


@pytest.mark.skipif(jit.INTERPRETED, reason="nothing is compiled")
def test_a_second_process_makes_machine_code_for_this_one() -> None:
    """Units that call others are compiled there before these are: code is linked by symbol when it is loaded."""
    symbols = [f"constrain_{nodes.__name__.replace('.', '_')}_{name}" for name in ("make_node", "intern_node")]
    first, second = (defined()[symbol] for symbol in symbols)
    other = SecondProcess([nodes.__name__], symbols)
    try:
        deadline = time.monotonic() + 60
        while len(other) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert other.take("something else") is None
        for unit in (second, first):
            code = other.take(unit.key)
            assert code is not None and unit.name in code.entry
            Loader().load(unit.function, f"{unit.symbol}_again", code, unit.nogil)
    finally:
        other.close()
    assert len(other) == 2
