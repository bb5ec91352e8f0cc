"""The evaluation of JSONSchemaBench: figures against brute force, pages and pictures, the guard."""

from __future__ import annotations

import base64
import csv
import doctest
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.jsonschemabench import bootstrap, guard, listings, metrics, metrics_of_texts, plots, report
from benchmarks.jsonschemabench.bootstrap import Resampling
from benchmarks.jsonschemabench.records import Record, Run, Text, to_json

FEW = Resampling(number=50)
RUN = Run("masks", "python -m x <b>", "2026-11-21", "a machine", {"python": "3.11"}, "llama3", 7, {"passes": 2})


def text(*steps: int, accepted: bool = True) -> Text:
    return Text(True, accepted, len(steps) - 1, list(steps))


def record(id: str, engine: str = "constrain", run: int = 1, *texts: Text, **more: Any) -> Record:
    """One whose schema compiles in 1000 ns."""
    usual = {"split": "easy", "vocabulary": 128_000, "schema_bytes": 100}
    usual |= {"compile_ns": 900, "first_ns": 100, "rss_mb": 8.0}
    return Record(id=id, engine=engine, run=run, texts=list(texts), **(usual | more))


def both_engines(items: int = 12, own: int = 10, other: int = 100) -> list[Record]:
    """Two passes of two engines; the other one takes other/own times as long for every token."""
    found = []
    for number in range(items):
        for run in (1, 2):
            steps = [(own + number + run) * factor for factor in (10, 11, 15)]
            found.append(record(f"item {number}", "constrain", run, text(*steps), split=f"split {number % 2}"))
            steps = [step * other // own for step in steps]
            found.append(record(f"item {number}", "llguidance", run, text(*steps), split=f"split {number % 2}"))
    return found


def write(folder: Path, found: Iterable[Record | Run], mode: str = "masks") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(to_json(one)) for one in found]
    (folder / f"{mode}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def summary_of(tmp_path: Path, found: Iterable[Record]) -> dict[str, Any]:
    return report.summarise(report.read([write(tmp_path, [RUN, *found])]), FEW)


@pytest.mark.parametrize("module", ["bootstrap", "cells", "guard", "listings"])
def test_examples_in_docstrings(module: str) -> None:
    failed, attempted = doctest.testmod(import_module(f"benchmarks.jsonschemabench.{module}"))
    assert attempted and not failed


# Figures of one engine


texts = st.builds(text, st.integers(1, 10**6), st.integers(1, 10**6), accepted=st.booleans())


@given(st.lists(st.lists(texts, max_size=3), min_size=1, max_size=5))
def test_tbm_is_over_all_tokens_of_accepted_texts(drawn: list[list[Text]]) -> None:
    records = [record(str(number), "constrain", 1, *mine) for number, mine in enumerate(drawn)]
    steps = [ns / 1e3 for mine in drawn for one in mine if one.accepted for ns in one.steps_ns]
    found = metrics.figures(metrics.tbm(records))
    if not steps:
        assert found is None
        return
    assert found and found["count"] == len(steps)
    assert found["avg"] == pytest.approx(sum(steps) / len(steps), abs=1e-3)
    assert found["p99"] == pytest.approx(np.percentile(steps, 99), abs=1e-3)
    assert found["max"] == pytest.approx(max(steps))


def test_ttfm_is_compile_and_first_mask_of_what_compiles() -> None:
    records = [record("a"), record("b", compile_ns=2_000), record("c", compile_ns=5, first_ns=0)]
    found = metrics.figures(metrics.ttfm(records))
    assert found and (found["items"], found["avg"], found["max"]) == (2, 1.55, 2.1)


def test_coverage_counts_every_item() -> None:
    records = [record("a"), record("b"), record("c", outcome="timeout"), record("d", outcome="false accept")]
    found = metrics.coverage(records)
    assert (found["items"], found["pass_rate"]) == (4, 0.5)
    assert found["outcomes"] == dict.fromkeys(found["outcomes"], 0) | {"pass": 2, "timeout": 1, "false accept": 1}


def test_figures_by_pass_split_and_size() -> None:
    found = metrics.masks([*both_engines(), record("big", schema_bytes=5_000, rss_mb=12.5, split="new")], FEW)
    own = found["engines"]["constrain"]
    assert own["peak_rss_mb"] == 12.5 and list(own["passes"]) == ["1", "2"]
    first = own["passes"]["1"]
    assert {split: part["coverage"]["items"] for split, part in first["splits"].items()} == {
        "new": 1,
        "split 0": 6,
        "split 1": 6,
    }
    assert [(size["from_bytes"], size["coverage"]["items"]) for size in first["sizes"]] == [(64, 12), (4096, 1)]
    ratios = found["ratios"]["constrain/llguidance"]["1"]
    assert list(ratios["splits"]) == ["split 0", "split 1"]


def test_the_engine_that_does_nothing_is_the_overhead() -> None:
    found = metrics.masks([*both_engines(), record("a", "nothing", 1, text(50, 150))], FEW)
    assert found["overhead"]["1"]["avg"] == 0.1
    assert list(found["engines"]) == ["constrain", "llguidance"] and list(found["ratios"]) == ["constrain/llguidance"]


def test_vocabularies_in_order() -> None:
    small = [replace(one, vocabulary=32_000) for one in both_engines()]
    groups = [
        metrics.masks(mine, FEW) | {"vocabulary": size, "tokenizer": name}
        for mine, size, name in ((both_engines(), 128_000, "b"), (small, 32_000, "a"))
    ]
    rows = metrics.vocabularies(groups)
    assert [row["vocabulary"] for row in rows] == [32_000] * 4 + [128_000] * 4
    assert rows[0]["tbm_avg"] == groups[1]["engines"]["constrain"]["passes"]["1"]["tbm"]["avg"]


def test_a_process_that_died_leaves_no_vocabulary() -> None:
    died = Record("b", "easy", "constrain", outcome="crash")
    assert metrics.Group("masks", "llama3", (), (record("a"), died)).vocabulary == 128_000
    assert metrics.Group("masks", "llama3", (), (died,)).vocabulary == 0


# Ratios


def test_ratios_are_over_the_texts_that_both_accept() -> None:
    slow = text(10**6, 10**6)
    ours = [record("a", "constrain", 1, text(10, 10), slow), record("b", "constrain", 1, slow)]
    theirs = [record("a", "llguidance", 1, text(20, 20), text(5, accepted=False))]
    found = metrics.both(ours, theirs, FEW)
    assert (found["texts"], found["tbm"]["items"], found["tbm"]["values"]) == (1, [1, 1], [2, 2])
    assert found["tbm"]["figures"]["avg"]["ratio"] == found["tbm"]["figures"]["max"]["ratio"] == 0.5
    all_of = metrics.masks([*ours, *theirs], FEW)["ratios"]["constrain/llguidance"]["1"]["all"]
    assert all_of["tbm"]["values"] == [6, 2] and all_of["tbm"]["figures"]["avg"]["ratio"] > 1_000


def test_ratios_are_over_the_schemas_that_both_compile() -> None:
    ours = [record("a"), record("b", compile_ns=10**9)]
    theirs = [record("a", "llguidance", compile_ns=1_900), record("b", "llguidance", first_ns=0)]
    found = metrics.both(ours, theirs, FEW)
    assert found["ttfm"]["items"] == [1, 1] and found["ttfm"]["figures"]["p50"]["ratio"] == 0.5
    assert found["tbm"] is None


def test_a_ratio_needs_the_pass_of_both() -> None:
    found = metrics.masks([record("a", "constrain", 1), record("a", "llguidance", 2)], FEW)
    assert found["ratios"]["constrain/llguidance"] == {}


# Intervals


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any),
    st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]),
)
def test_percentile_of_repeated_values(times: list[int], share: float) -> None:
    values = np.cumsum(np.arange(1, len(times) + 1)).astype(np.float64)
    found = bootstrap.percentile(values, np.cumsum([times], axis=1).astype(np.float64), share)
    assert found[0] == pytest.approx(np.percentile(np.repeat(values, times), share * 100))


def some_values(seed: int, items: int = 20) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        str(item): np.exp(rng.normal(9 + item / 20, 0.5, rng.integers(1, 30))).astype(np.int64) for item in range(items)
    }


def test_a_draw_is_worth_what_its_items_are() -> None:
    values = {"a": np.array([100, 200]), "b": np.array([400]), "c": np.array([800, 800, 1600])}
    counts = bootstrap.counted(values, ["a", "b", "c", "d"])
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 0, 4]], np.float32)
    found = bootstrap.resampled(counts, weights)
    for row, drawn in zip(found, ([100, 200, 400, 800, 800, 1600], [100, 200, 100, 200, 800, 800, 1600])):
        assert row == pytest.approx([np.mean(drawn), np.percentile(drawn, 50), np.percentile(drawn, 99)])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("number", [10, 1000])
def test_every_draw_has_as_many_items(number: int) -> None:
    drawn = np.concatenate(list(bootstrap.draws(7, Resampling(1, number), 1 << 18)))
    assert drawn.shape == (number, 7) and (drawn.sum(axis=1) == 7).all()


def test_intervals_are_those_of_drawing_items() -> None:
    ours, theirs, how = some_values(1), some_values(2), Resampling(3, 200)
    found = bootstrap.ratios(ours, theirs, how)
    drawn = []
    for weights in np.concatenate(list(bootstrap.draws(20, how))).astype(int):
        sides = [
            np.concatenate([np.tile(side[item], n) for item, n in zip(sorted(ours), weights)])
            for side in (ours, theirs)
        ]
        drawn.append([f(sides[0]) / f(sides[1]) for f in (np.mean, np.median, lambda ns: np.percentile(ns, 99))])
    for name, bounds in zip(bootstrap.WITH_INTERVAL, np.percentile(drawn, bootstrap.TAILS, axis=0).T):
        assert [found[name]["low"], found[name]["high"]] == pytest.approx(bounds, rel=0.01), name


def test_intervals_hold_the_ratio_and_depend_on_the_seed_alone() -> None:
    ours, theirs = some_values(1), some_values(2)
    found = bootstrap.ratios(ours, theirs, Resampling(5))
    for name in bootstrap.WITH_INTERVAL:
        low, ratio, high = (found[name][part] or 0.0 for part in ("low", "ratio", "high"))
        assert low < ratio < high
    assert found == bootstrap.ratios(dict(reversed(ours.items())), theirs, Resampling(5))
    assert found != bootstrap.ratios(ours, theirs, Resampling(6))
    assert "low" not in found["max"]


def test_what_is_slow_for_both_cancels_out() -> None:
    ours = some_values(1)
    found = bootstrap.ratios(ours, {item: ns * 4 for item, ns in ours.items()}, FEW)
    assert found["avg"]["low"] == pytest.approx(0.25, rel=0.01) == found["avg"]["high"]


def test_one_item_has_no_interval() -> None:
    found = bootstrap.ratios({"a": np.array([1, 2])}, {"a": np.array([2, 4])}, FEW)
    assert found["avg"] == {"ratio": 0.5, "low": None, "high": None}
    assert bootstrap.interval_of_mean([1.0], FEW) == (None, None)


# Texts that a model wrote


def generated(id: str, engine: str = "constrain", **more: Any) -> Record:
    usual = {"declared": True, "empirical": True, "tokens": 10, "forced_tokens": 4, "gct_ms": 1.0, "ttft_ms": 5.0}
    return Record(
        id, "easy", engine, generated=usual | {"tpot_ms": 2.0, "total_ms": 25.0, "plain_total_ms": 50.0} | more
    )


def test_generation() -> None:
    died = Record("d", "easy", "constrain", outcome="crash")
    records = [generated("a"), generated("b", empirical=False), generated("c", declared=False, empirical=False), died]
    records += [generated("a", "llguidance", total_ms=50.0), generated("c", "llguidance", total_ms=1.0)]
    found = metrics_of_texts.generate(records, FEW)
    own = found["engines"]["constrain"]["passes"]["1"]
    assert (own["declared_coverage"], own["empirical_coverage"], own["compliance"]) == (0.5, 0.25, 0.5)
    assert (own["tokens"], own["forced_share"], own["tpot"]["avg"]) == (20, 0.4, 2_000)
    assert own["skipping"]["figures"]["avg"]["ratio"] == 0.5
    ratio = found["ratios"]["constrain/llguidance"]["1"]["total"]
    assert ratio["items"] == [1, 1] and ratio["figures"]["avg"]["ratio"] == 0.5


def test_quality_counts_what_failed_as_wrong() -> None:
    def asked(number: int, decoding: str, correct: bool) -> Record:
        task = {"name": "sums", "decoding": decoding, "correct": correct, "tokens": 4, "seconds": 0.5}
        return Record(f"sums {number} {decoding}", "sums", "constrain", task=task)

    records = [asked(n, "free", n < 2) for n in range(4)] + [asked(n, "reasoned", True) for n in range(3)]
    records.append(Record("sums 3 reasoned", "sums", "constrain", outcome="crash"))
    free, reasoned = metrics_of_texts.quality(records, FEW)["answers"]
    assert (free["decoding"], free["accuracy"], free["failed"]) == ("free", 0.5, 0)
    assert (reasoned["decoding"], reasoned["questions"], reasoned["accuracy"], reasoned["failed"]) == (
        "reasoned",
        4,
        0.75,
        1,
    )
    assert reasoned["low"] < 0.75 < reasoned["high"]


# Single items


def test_slowest_items_and_texts() -> None:
    records = [record(str(n), "constrain", 1, text(1, n), text(n + 500, 2), compile_ns=n) for n in range(1, 40)]
    found = listings.slowest([*records, record("39", "constrain", 2, text(9_000))])["constrain"]
    assert len(found["items"]) == len(found["texts"]) == listings.SLOWEST
    assert [row["id"] for row in found["texts"][:2]] == ["39", "38"]
    assert {"pass": 2, "text": 0, "token": 0, "us": 9.0}.items() <= found["texts"][0].items()
    assert {"pass": 1, "text": 1, "token": 0, "us": 0.538}.items() <= found["texts"][1].items()


def test_errors_that_say_the_same_are_one() -> None:
    records = [
        record(str(n), run=run, outcome="crash", message=f"key 'k{n}' at /a/{n}") for n in range(7) for run in (1, 2)
    ]
    (found,) = listings.errors([*records, record("fine")])["constrain"]
    assert (found["says"], found["items"], len(found["ids"])) == ("key … at …", 7, listings.EXAMPLES)


# Reading


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", [RUN, record("x"), record("y")])
    bad = ['{"kind":"record","id":"to', "[]", '{"kind":"record"}', json.dumps(to_json(record("z", outcome="odd")))]
    bad.append(json.dumps(to_json(record("z")) | {"texts": [{"steps_ns": ["a"]}]}))
    with (folder / "masks.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(bad) + "\n" + json.dumps(to_json(record("x", first_ns=7))) + "\n\xff")
    (group,) = (results := report.read([tmp_path])).groups
    assert [one.id for one in group.records] == ["x", "y"] and group.records[0].first_ns == 7
    assert results.unreadable == {"a/masks.jsonl": 6} and results.replaced == 1
    assert group.runs == (RUN,)


def test_files_are_grouped_by_mode_and_tokenizer(tmp_path: Path) -> None:
    write(tmp_path / "a", [RUN, record("x"), replace(RUN, tokenizer="gpt2"), record("x", vocabulary=50_000)])
    write(tmp_path / "b", [RUN, record("y")])
    write(tmp_path / "b", [replace(RUN, mode="generate"), generated("x")], "generate")
    found = report.read([tmp_path, tmp_path / "a" / "masks.jsonl"]).groups
    assert [(g.mode, g.tokenizer, len(g.records)) for g in found] == [
        ("masks", "gpt2", 1),
        ("masks", "llama3", 2),
        ("generate", "llama3", 1),
    ]


def test_no_records_are_no_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no records in no files"):
        report.read([tmp_path])
    with pytest.raises(ValueError, match="no file and no folder"):
        report.read([tmp_path / "nowhere"])


# The page


def everything(tmp_path: Path) -> dict[str, Any]:
    """A report on all modes, with a schema whose name is hostile."""
    hostile = record(
        "<script>alert(1)</script>", outcome="crash", error="Error", message="<img src=http://x.y/z>\x1b[1m"
    )
    write(tmp_path / "in", [RUN, *both_engines(), hostile, record("a", "nothing", 1, text(100, 100))])
    write(tmp_path / "in", [replace(RUN, mode="generate"), generated("a"), generated("b")], "generate")
    task = {"name": "sums", "decoding": "free", "correct": True, "tokens": 4, "seconds": 0.5}
    write(tmp_path / "in", [replace(RUN, mode="quality"), Record("q", "sums", "none", task=task)], "quality")
    return report.report([tmp_path / "in"], tmp_path / "out", FEW)


class Tags(HTMLParser):
    """What a page consists of and loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loaded: list[str] = []
        self.style = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "poster")]
        self.style += "".join(value or "" for name, value in attrs if name == "style")

    def handle_data(self, data: str) -> None:
        self.style += data if self.lasttag == "style" else ""


def test_the_page_needs_nothing_else_and_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = everything(tmp_path)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "&lt;script&gt;alert(1)" in page and "\x1b" not in page
    tags = Tags(page)
    assert not tags.names & {"script", "link", "iframe", "object", "embed", "base"}
    assert all(value.startswith("data:image/svg+xml;base64,") for value in tags.loaded)
    assert len(tags.loaded) == (4 if plots.available() else 0)
    assert "url(" not in tags.style and "@import" not in tags.style
    for image in tags.loaded:
        links = re.findall(r'href="([^"]*)"', base64.b64decode(image.partition(",")[2]).decode("utf-8"))
        assert all(link.startswith(("#", "data:")) for link in links)
    for said in (
        "seed 7",
        "Right answers",
        "Coverage of generated texts",
        "The runner alone takes",
        "python -m x &lt;b&gt;",
    ):
        assert said in page
    assert json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"), parse_constant=pytest.fail) == summary
    shown = capsys.readouterr().out
    assert "masks, llama3: Ratios" in shown and "\x1b[1m" not in shown


def test_a_report_without_matplotlib_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "available", lambda: False)
    everything(tmp_path)
    assert (
        "<img" not in (tmp_path / "out" / "report.html").read_text("utf-8")
        and not (tmp_path / "out" / "plots").exists()
    )


# Pictures


COLUMNS = {
    "tbm_cdf": ["engine", "pass", "microseconds", "share"],
    "ttfm_cdf": ["engine", "pass", "microseconds", "share"],
    "coverage": ["engine", "split", "outcome", "items", "share"],
    "ttfm_size": ["engine", "id", "split", "schema_bytes", "microseconds"],
    "tbm_vocabulary": ["engine", "pass", "tokenizer", "vocabulary", "pass_rate", "tbm_avg_us", "tbm_p99_us"],
}


def drawn(folder: Path, tokenizers: Sequence[str]) -> list[plots.Picture]:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    for number, name in enumerate(tokenizers):
        mine = [replace(one, vocabulary=1_000 * (number + 1)) for one in both_engines()]
        write(folder / name, [replace(RUN, tokenizer=name), *mine])
    results = report.read([folder])
    return plots.draw(results.groups, report.summarise(results, FEW), folder / "plots")


def test_pictures_and_their_data(tmp_path: Path) -> None:
    found = drawn(tmp_path, ["llama3"])
    assert [picture.name for picture in found] == ["tbm_cdf", "ttfm_cdf", "coverage", "ttfm_size"]
    for picture in found:
        assert picture.file("png").read_bytes().startswith(b"\x89PNG") and b"<svg" in picture.file("svg").read_bytes()
        with picture.file("csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == COLUMNS[picture.name] and rows and all(len(row) == len(header) for row in rows)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([record("a", "nothing", 1, text(5, 5))], []),
        ([record("a", outcome="crash", compile_ns=0, first_ns=0)], ["coverage"]),
        ([record("a"), record("a", "llguidance", 2, text(5, 5))], ["tbm_cdf", "ttfm_cdf", "coverage", "ttfm_size"]),
    ],
)
def test_pictures_of_little(tmp_path: Path, found: list[Record], names: list[str]) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    report.report([write(tmp_path, [RUN, *found])], tmp_path / "out", FEW)
    assert sorted(file.stem for file in (tmp_path / "out" / "plots").glob("*.csv")) == sorted(names)


@pytest.mark.slow
def test_several_tokenizers_have_pictures_of_their_own(tmp_path: Path) -> None:
    names = [picture.name for picture in drawn(tmp_path, ["a/b", "gpt2"])]
    assert len(names) == 9 and {"tbm_cdf-a_b", "coverage-gpt2", "tbm_vocabulary"} < set(names)
    with (tmp_path / "plots" / "tbm_vocabulary.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS["tbm_vocabulary"] and {row[3] for row in rows} == {"1000", "2000"}


@pytest.mark.slow
def test_the_same_records_give_the_same_pictures(tmp_path: Path) -> None:
    first, second = (drawn(tmp_path / name, ["llama3"]) for name in "ab")
    for one, other in zip(first, second):
        for ending in ("svg", "png", "csv"):
            assert one.file(ending).read_bytes() == other.file(ending).read_bytes(), one.name


# The guard

LIMITS = {
    "engine": "constrain",
    "other": "llguidance",
    "ratios": {"tbm_avg_warm": 0.25, "ttfm_p50": 1.5},
    "coverage": {"pass_rate": 0.9, "crash": 0},
    "memory": {"peak_rss_mb": 100},
}


def test_within_the_limits(tmp_path: Path) -> None:
    assert guard.check(summary_of(tmp_path, both_engines()), LIMITS) == []


def slower(records: list[Record]) -> list[Record]:
    return [replace(r, texts=[text(10**9)]) if (r.engine, r.run) == ("constrain", 2) else r for r in records]


def failing(records: list[Record]) -> list[Record]:
    return [replace(r, outcome="crash") if (r.engine, r.run) == ("constrain", 1) else r for r in records]


def larger(records: list[Record]) -> list[Record]:
    return [replace(r, rss_mb=101.0) if r.id == "item 3" else r for r in records]


def weightless(records: list[Record]) -> list[Record]:
    return [replace(r, rss_mb=0.0) for r in records]


def one_pass(records: list[Record]) -> list[Record]:
    return [r for r in records if r.run == 1]


def alone(records: list[Record]) -> list[Record]:
    return [r for r in records if r.engine == "constrain"]


def others(records: list[Record]) -> list[Record]:
    return [r for r in records if r.engine != "constrain"]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (slower, ["tbm_avg_warm: constrain/llguidance is x"]),
        (failing, ["pass_rate: constrain passes 0.00% in pass 1", "crash: 12 items"]),
        (larger, ["peak_rss_mb: constrain took 101 MB, the limit is 100 MB"]),
        (weightless, ["peak_rss_mb: nothing is known of the memory of constrain"]),
        (one_pass, ["tbm_avg_warm: no avg of TBM"]),
        (alone, ["tbm_avg_warm: no avg of TBM", "ttfm_p50: no p50 of TTFM"]),
        (
            others,
            [
                "tbm_avg_warm: no",
                "ttfm_p50: no",
                "pass_rate: no results of constrain",
                "crash: no results",
                "peak_rss_mb: nothing is known of the memory of constrain",
            ],
        ),
    ],
)
def test_beyond_the_limits(tmp_path: Path, change: Callable[[list[Record]], list[Record]], broken: list[str]) -> None:
    found = guard.check(summary_of(tmp_path, change(both_engines())), LIMITS)
    assert len(found) == len(broken)
    assert all(says.startswith(f"llama3: {begins}") for says, begins in zip(found, broken)), found


def test_no_masks_are_beyond_the_limits() -> None:
    assert guard.check({"groups": []}, LIMITS) == ["there are no results of masks"]


def test_limits_the_other_way_round(tmp_path: Path) -> None:
    turned = LIMITS | {"engine": "llguidance", "other": "constrain", "ratios": {"tbm_avg_warm": 9.0}}
    (broken,) = guard.check(summary_of(tmp_path, both_engines()), turned)
    assert broken == "llama3: tbm_avg_warm: llguidance/constrain is x10, the limit is x9"


def test_the_guard_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_json(tmp_path / "summary.json", summary_of(tmp_path, both_engines()))
    limits = tmp_path / "limits.toml"
    limits.write_text('engine = "constrain"\nother = "llguidance"\n[ratios]\n"tbm_p99.9_warm" = 0.2\n')
    assert guard.guard(tmp_path, limits) == 0
    limits.write_text('engine = "constrain"\nother = "llguidance"\n[ratios]\ntbm_max_warm = 0.05\n')
    assert guard.guard(tmp_path / "summary.json", limits) == 1
    assert "tbm_max_warm: constrain/llguidance is x0.1, the limit is x0.05" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["[ratios]\ntbm_p42 = 1", "[coverage]\nfine = 1", "[memory]\nmuch = 1", ""])
def test_limits_that_are_not_known(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(wrong)
    with pytest.raises(ValueError):
        guard.read_limits(file)
    with pytest.raises(ValueError, match="run `report` first"):
        guard.guard(tmp_path)


def test_the_limits_of_the_project_can_be_read() -> None:
    assert guard.read_limits(guard.LIMITS)["coverage"]["pass_rate"] > 0.5
