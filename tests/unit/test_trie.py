"""The trie kernel against its reference, and against the definition of a trie."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.trie import build_ref

from constrain.kernels.trie import TrieTables, build

tokens_of_few_bytes = st.lists(st.lists(st.sampled_from([0, 1, 97, 98, 255]), max_size=5).map(bytes), max_size=40)
any_tokens = st.lists(st.binary(max_size=12), max_size=20)


def make(tokens: list[bytes]) -> TrieTables:
    offsets = np.cumsum([0, *map(len, tokens)])
    return build(np.frombuffer(b"".join(tokens), np.uint8), offsets)


def tokens_at(trie: TrieTables, node: int) -> tuple[int, ...]:
    """The tokens that the path to a node spells."""
    return tuple(trie.order[trie.first[node] : trie.first[node + 1]].tolist())


def nodes(trie: TrieTables) -> list[tuple[int, int, int, tuple[int, ...]]]:
    rows = zip(trie.byte.tolist(), trie.depth.tolist(), trie.skip.tolist())
    return [(*row, tokens_at(trie, i)) for i, row in enumerate(rows)]


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile before hypothesis looks at the clock."""
    make([b"a", b"a"])


@given(tokens_of_few_bytes | any_tokens)
def test_kernel_equals_reference(tokens: list[bytes]) -> None:
    assert nodes(make(tokens)) == [tuple(node) for node in build_ref(tokens)]


@given(any_tokens)
def test_every_token_is_at_the_end_of_its_path(tokens: list[bytes]) -> None:
    trie = make(tokens)
    found: dict[int, bytes] = {}
    path: list[int] = []
    for i, (byte, depth, skip, ids) in enumerate(nodes(trie)):
        path[depth - 1 :] = [byte] if depth else []
        assert i < skip <= len(trie.byte)
        found |= dict.fromkeys(ids, bytes(path))
    assert found == {i: token for i, token in enumerate(tokens) if token}


def test_duplicates_are_listed_in_order_of_their_ids() -> None:
    trie = make([b"b", b"a", b"b", b"", b"b", b"a"])
    assert [tokens_at(trie, node) for node in range(3)] == [(), (1, 5), (0, 2, 4)]
    assert trie.order.tolist() == [1, 5, 0, 2, 4]
    assert trie.first.tolist() == [0, 0, 2, 5]


@pytest.mark.parametrize("tokens", [[], [b""], [b"", b""]])
def test_without_bytes_there_is_only_the_root(tokens: list[bytes]) -> None:
    trie = make(tokens)
    assert nodes(trie) == [(0, 0, 1, ())]
    assert trie.order.size == 0


def test_one_long_token_after_many_of_its_prefixes() -> None:
    tokens = [bytes([7] * n) for n in range(300, 0, -1)]
    trie = make(tokens)
    assert trie.order.tolist() == [*range(299, -1, -1)]
    assert trie.first.tolist() == [0, *range(301)]
    assert trie.skip.tolist() == [301] * 301


def test_dtypes_do_not_depend_on_the_input() -> None:
    """Kernels compile once for each combination of dtypes and flags."""
    data = np.frombuffer(b"ab", np.uint8)  # read-only
    for offsets in (np.array([0, 1, 2], np.int32), np.array([0, 1, 2], np.int64)):
        trie = build(data, offsets)
        assert [a.dtype.name for a in trie] == ["int32", "int32"]
        assert all(a.flags.c_contiguous and a.flags.writeable for a in trie)


PROBE = """
import logging
logging.basicConfig(level="WARNING", format="%(name)s: %(message)s")
import numpy as np
from constrain.kernels.trie import build
print(build(np.frombuffer(b"aab", np.uint8), np.array([0, 1, 3])).first.tolist())
"""


def run_copy(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run PROBE on a copy of the kernels, whose own __pycache__ cannot be made (a file is in its place)."""
    package = folder / "constrain" / "kernels"
    package.mkdir(parents=True)
    source = Path(build.__code__.co_filename).parent
    shutil.copy(source / "trie.py", package)
    shutil.copytree(source.parent / "jit", package.parent / "jit", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    (folder / "constrain" / "__init__.py").touch()
    (package / "__pycache__").touch()
    return subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_kernels_run_where_no_cache_folder_is_writable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    nowhere = {name: str(file / "below") for name in ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME")}
    done = run_copy(tmp_path / "copy", **nowhere)
    assert (done.returncode, done.stdout) == (0, "[0, 0, 1, 2]\n"), done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("constrain: ")]
    assert len(said) == 1 and "not cached" in said[0]


def test_no_cache_writes_no_machine_code(tmp_path: Path) -> None:
    cache = tmp_path / "numba"
    done = run_copy(tmp_path / "copy", CONSTRAIN_NO_CACHE="1", NUMBA_CACHE_DIR=str(cache))
    assert (done.returncode, done.stdout) == (0, "[0, 0, 1, 2]\n"), done.stderr
    assert not list(cache.rglob("*.nb?"))


def test_a_cache_that_fails_after_the_start_does_not_fail_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from constrain import jit
    from constrain.jit import modes

    monkeypatch.setattr(modes, "_said", False)
    path = tmp_path / "module.py"
    path.write_text("def double(x):\n    return 2 * x\n")
    scope: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "numba"))
    kernel = jit.kernel(scope["double"])  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "numba")
    (tmp_path / "numba").touch()
    assert kernel(21) == 42
    assert [record.message.split(",")[0] for record in caplog.records] == ["machine code is not cached"]
