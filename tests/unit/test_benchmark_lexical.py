"""The benchmark of beam search with phrases: another process finds what this one does; figures are what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.lexical import Peer, argument_parser, figures, job_of, make_model, ours
from benchmarks.lexical_worker import load


@pytest.mark.slow
def test_another_process_finds_the_same(tmp_path: Path, one_thread: None) -> None:
    """Without phrases: this interpreter has no transformers 4."""
    given = argument_parser().parse_args(["--beams", "3", "--tokens", "4"])
    make_model(str(tmp_path), 1, 32, seed=1)
    job = job_of(str(tmp_path), [5, 6, 7], [], given)
    peer = Peer(Path(sys.executable))
    try:
        theirs = peer(job)
    finally:
        peer.stop()
    mine = ours({str(tmp_path): load(str(tmp_path))}, "shares")(job)
    assert peer.versions["transformers"]
    assert mine["row"] == theirs["row"] and len(mine["row"]) == 4
    assert mine["score"] == pytest.approx(theirs["score"], abs=1e-5)
    assert 0 < mine["forward"] < mine["seconds"]


def test_figures() -> None:
    results = [{"seconds": s, "forward": 1.0, "score": -s} for s in (1.5, 2.0, 4.0)]
    assert figures(results) == {"seconds": 2.0, "host": 1.0, "host_seconds": 1.0, "score": -2.5}
