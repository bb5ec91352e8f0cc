"""The benchmark of weighted sampling: what it calls exact, its figures, its tables."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks import sampling
from benchmarks.readme import marks


@pytest.fixture
def models(demo: tuple[Any, Any]) -> Any:
    return SimpleNamespace(loaded={"embedded": demo})


TASK = sampling.Task("label", "embedded", "The review says: rude service. Sentiment: ", "positive|negative", 5, 3, True)


def test_what_is_exact(models: Any, one_thread: None) -> None:
    """Two texts, whose probabilities are those of all of their spellings; particles come close to these."""
    exact, masked = sampling.enumerated(models, TASK)
    assert set(exact) == {"positive", "negative"}
    assert sum(exact.values()) == pytest.approx(1) and sum(masked.values()) == pytest.approx(1)
    runs = sampling.ours(models, TASK, 300, True)
    assert len(runs) == 3 and all(run["tokens"] >= 600 and run["evaluations"] == 0 for run in runs)
    figures = sampling.summed(runs, exact)
    assert figures["tv"] < 0.1 and 0 <= figures["kl"] < 0.05 and figures["empty"] == 0
    assert sampling.distance(sampling.law(runs), exact) == figures["tv"]
    assert sampling.summed(sampling.ours(models, TASK, 20, False), exact)["evaluations"] > 0


def test_figures_of_runs_without_answers() -> None:
    run = {"seconds": 1.0, "tokens": 10, "evaluations": 5, "shares": {}, "log_normalizer": -math.inf}
    figures = sampling.summed([run, run | {"shares": {"a": 1.0}}], {"a": 0.5, "b": 0.5})
    assert figures["empty"] == 1 and figures["kl"] == pytest.approx(math.log(2)) and figures["tv"] == 0.5


def test_counting_goes_to_the_first_accepted() -> None:
    import numpy as np

    asked: list[tuple[int, bool]] = []
    rng = np.random.default_rng(0)
    logp = np.log(np.full(10, 0.1))
    sampling.counting(asked, None)(logp, lambda token: True, rng)
    sampling.counting(asked, 3)(logp, lambda token: False, rng)
    assert asked == [(1, True), (3, False)]


def test_tables_and_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"task": "date", "model": "random", "ms": 1.0, "evaluations": 0.0}
    kinds = {f"{kind} {what}": 1.0 for kind in ("all", "limited") for what in ("mean", "median", "p99", "failed")}
    summary = {
        "particles": 10,
        "figures": [one | {"engine": "constrain, mask"}, one | {"engine": "genlm-control", "ms": 20.0, "kl": 0.1}],
        "proposals": {"JSON": kinds | {"mask": 2000.0}},
        "overhead": {"plain": 2.0, "awrs": 1.0},
    }
    first, second, third = sampling.tables(summary)
    assert "x0.050 (mask)" in first.notes[0] and len(first.rows) == 2
    assert all(len(row) == len(table.header) for table in (first, second, third) for row in table.rows)
    assert "-1.00 ms" in third.notes[0]
    for arguments, message in (
        (["--genlm", str(tmp_path / "no")], "no Python at"),
        (["--tokenizer", str(tmp_path)], "no tokenizer.json"),
    ):
        with pytest.raises(SystemExit):
            sampling.main(arguments)
        assert message in capsys.readouterr().err


def test_the_readme_has_the_block() -> None:
    text = (Path(sampling.__file__).parent / "README.md").read_text("utf-8")
    assert all(mark in text for mark in marks(sampling.PROGRAM))
