"""The runner of JSONSchemaBench: where items come from, processes that die, results that survive kills, Ray."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from amounts import slow
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from benchmarks.jsonschemabench import data, runner
from benchmarks.jsonschemabench.__main__ import main
from benchmarks.jsonschemabench.data import DataError, Item, read_items
from benchmarks.jsonschemabench.parts import PARTS, Clock
from benchmarks.jsonschemabench.records import OUTCOMES, Record, Run, Text, from_json, to_json
from benchmarks.jsonschemabench.store import Lines, Store, StoreInUse
from benchmarks.jsonschemabench.worker import Job, LoadError, Worker
from constrain.demo import MODEL_PATH

ROOT = Path(__file__).resolve().parents[2]
ABOUT = Run("masks", "command", "2026-01-01", "machine", {"python": "3"}, "tokenizer", 0)
CASE = {"description": "d", "schema": {"type": "null"}, "tests": [{"description": "t", "data": None, "valid": True}]}


class Obedient:
    """Does what the schema of an item says: sleeps, dies, raises, or takes memory."""

    def __init__(self, name: str) -> None:
        self.name, self.seen = name, list[tuple[str, int]]()
        if name == "broken":
            raise OSError("no such file")

    def look(self, item: Item, run: int) -> Record:
        self.seen.append((item.id, run))
        match item.schema.get("do"):
            case "sleep":
                time.sleep(item.schema["seconds"])
            case "die":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "raise":
                raise RuntimeError("it went wrong")
            case "eat":
                eaten = []
                while True:
                    eaten.append(bytearray(16 << 20))
                    time.sleep(0.01)
        return Record(item.id, item.split, self.name, run, message=repr(self.seen))


def job(name: str = "a", seconds: float = 5.0, memory_mb: float = 4096.0) -> Job:
    return Job(name, partial(Obedient, name), seconds, memory_mb)


def items(count: int, **schema: Any) -> list[Item]:
    return [Item(f"item{n}", "split", schema) for n in range(count)]


# ---- records


names = st.text(max_size=5)
texts = st.builds(Text, st.booleans(), st.booleans(), st.integers(0, 9), st.lists(st.integers(0, 10**9)), names)
records = st.builds(
    Record, names, names, names, st.integers(1, 3), st.sampled_from(OUTCOMES), names, names, texts=st.lists(texts)
)


@examples(50)
@given(records)
def test_records_come_back_as_they_were(record: Record) -> None:
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


@examples(50)
@given(st.lists(st.sampled_from(OUTCOMES[1:]), min_size=1))
def test_the_worst_outcome_stays(outcomes: list[str]) -> None:
    record = Record("a", "b", "c")
    for outcome in outcomes:
        record.fail(outcome, outcome)
    assert record.outcome == record.message == min(outcomes, key=OUTCOMES.index)


# ---- items


def test_items_of_a_file_with_one_on_a_line(tmp_path: Path) -> None:
    lines = [{"id": "x", "split": "s", "schema": {}, "tests": [{"valid": 1, "data": 2}]}, {"schema": True, "tests": []}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    (tmp_path / "some.jsonl").write_text(text)
    with gzip.open(tmp_path / "more.jsonl.gz", "wt") as file:
        file.write(text)
    found = read_items(str(tmp_path / "some.jsonl"))
    assert found[0] == Item("x", "s", {}, [{"valid": True, "data": 2}])
    assert found[1].schema is True and found[1].id == "some:2"
    assert [item.schema for item in read_items(str(tmp_path / "more.jsonl.gz"))] == [{}, True]


def test_items_of_a_folder_of_the_official_suite(tmp_path: Path) -> None:
    (tmp_path / "draft7").mkdir()
    (tmp_path / "draft7" / "type.json").write_text(json.dumps([CASE, CASE]))
    (tmp_path / "Github---x.json").write_text(json.dumps({"schema": {}, "tests": []}))
    (tmp_path / "alone.json").write_text(json.dumps({"type": "string"}))
    found = {item.id: item for item in read_items(str(tmp_path))}
    assert found["draft7/type#1"] == Item(
        "draft7/type#1", "draft7/type", {"type": "null"}, [{"valid": True, "data": None}]
    )
    assert found["Github---x"].split == "Github" and found["alone"].schema == {"type": "string"}


def test_ids_are_made_distinct(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "x", "schema": {}}\n' * 3)
    assert [item.id for item in read_items(str(tmp_path / "a.jsonl"))] == ["x", "x~2", "x~3"]


def test_rows_of_the_hub_hold_schemas_as_text() -> None:
    row = {"json_schema": '{"type": "null"}', "unique_id": "o1"}
    assert data._item(row, row["unique_id"], "Github_easy:test") == Item("o1", "Github_easy:test", {"type": "null"})


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[1]"])
def test_files_that_hold_no_items(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(content + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl cannot be read"):
        read_items(str(tmp_path / "a.jsonl"))


def test_data_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["masks", "--data", str(tmp_path / "no"), "--engines", "nothing", "--tokenizer", str(tmp_path)]) == 2
    assert "no tokenizer.json" in capsys.readouterr().err
    with pytest.raises(DataError, match="no file or folder"):
        read_items(str(tmp_path / "no"))
    with pytest.raises(DataError, match="no schemas"):
        read_items(str(tmp_path))


@examples(30)
@given(st.integers(0, 20), st.integers(1, 5))
def test_shards_share_out_all_items(count: int, shards: int) -> None:
    whole = items(count)
    found = [item for n in range(shards) for item in runner.shard(whole, f"{n}/{shards}")]
    assert sorted(item.id for item in found) == sorted(item.id for item in whole)


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "a/b", "1/0"])
def test_malformed_shards(text: str) -> None:
    with pytest.raises(ValueError, match="--shard"):
        runner.shard(items(3), text)


# ---- processes


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(job(seconds=0.2, memory_mb=1000))
    yield made
    made.stop()


def test_what_becomes_of_an_item_costs_nothing_else(worker: Worker) -> None:
    some = {
        "pass": {},
        "crash": {"do": "die"},
        "crash ": {"do": "exit"},
        "crash  ": {"do": "raise"},
        "memory": {"do": "eat"},
    }
    for outcome, schema in some.items():
        record = worker.look(Item(outcome, "split", schema), 1)
        assert (record.id, record.engine, record.outcome) == (outcome, "a", outcome.strip()), record.message
    assert worker.look(Item("last", "split", {}), 1).outcome == "pass"


@pytest.mark.slow
def test_messages_say_what_happened(worker: Worker) -> None:
    assert "signal 11" in worker.look(Item("x", "", {"do": "die"}), 1).message
    assert "status 3" in worker.look(Item("x", "", {"do": "exit"}), 1).message
    assert "RuntimeError: it went wrong" in worker.look(Item("x", "", {"do": "raise"}), 1).message
    assert "more than 1000 MB" in worker.look(Item("x", "", {"do": "eat"}), 1).message


def test_a_process_that_hangs_is_killed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.jsonschemabench.worker._GRACE", 0.1)
    record = worker.look(Item("x", "", {"do": "sleep", "seconds": 60}), 1)
    assert (record.outcome, record.message) == ("timeout", "killed after 0.2 s")


def test_a_second_pass_is_one_over_what_the_process_has_seen(worker: Worker) -> None:
    (first, second) = items(2)
    worker.look(first, 1)
    assert worker.look(first, 2).message == "[('item0', 1), ('item0', 2)]"
    assert worker.look(second, 2).message.endswith("('item1', 1), ('item1', 2)]")
    worker.stop()
    assert worker.look(first, 2).message == "[('item0', 1), ('item0', 2)]"


def test_what_does_not_load_says_so() -> None:
    with pytest.raises(LoadError, match="broken does not load: OSError: no such file"):
        Worker(job("broken")).look(Item("x", "", {}), 1)


# ---- results


def test_lines_that_were_torn_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "masks.jsonl"
    with Store(path) as results:
        results.append(ABOUT)
        results.append(Record("a", "s", "e"))
    whole = path.read_bytes()
    for cut in range(1, 30):
        path.write_bytes(whole + b"\xff{]\n" + whole[: -cut - 1])
        with Store(path) as results:
            assert results.done == {("a", "e", 1)} and results.unreadable == 1
            results.append(Record("b", "s", "e"))
        assert {one.id for one in Lines(path) if isinstance(one, Record)} == {"a", "b"}
        assert (tmp_path / "masks.jsonl.torn").read_bytes()
        (tmp_path / "masks.jsonl.torn").unlink()


def test_one_run_at_a_time_writes_to_a_file(tmp_path: Path) -> None:
    with Store(tmp_path / "a.jsonl"), pytest.raises(StoreInUse, match="another run"), Store(tmp_path / "a.jsonl"):
        pass


# ---- runs


@pytest.mark.parametrize("lanes", [1, *slow(3)])
def test_every_item_once_with_every_engine_in_every_pass(lanes: int, tmp_path: Path) -> None:
    plan = runner.Plan({name: job(name) for name in "ab"}, items(5), passes=2, lanes=lanes)
    with Store(tmp_path / "a.jsonl") as results:
        assert runner.run_here(plan, ABOUT, results) == 20
    with Store(tmp_path / "a.jsonl") as results:
        assert runner.run_here(plan, ABOUT, results) == 0
    keys = [one.key for one in Lines(tmp_path / "a.jsonl") if isinstance(one, Record)]
    assert len(keys) == len(set(keys)) == 20


def test_engines_take_turns_in_both_orders() -> None:
    plan = runner.Plan({name: job(name) for name in "ab"}, items(3), passes=2)
    found = [(turn.item.id, turn.run, turn.engines) for turn in runner.turns(plan, [], 0)]
    assert {order for _, _, order in found} == {("a", "b"), ("b", "a")}
    assert [run for _, run, _ in found] == [1, 1, 1, 2, 2, 2]
    left = runner.turns(plan, [("item0", "a", 1), ("item0", "b", 1), ("item1", "a", 1)], 0)
    assert [(turn.item.id, turn.engines) for turn in left if turn.run == 1] == [
        ("item1", ("b",)),
        ("item2", ("b", "a")),
    ]


@pytest.mark.slow
def test_killed_ten_times_and_resumed(tmp_path: Path) -> None:
    """The same items, each exactly once."""
    path, rng = tmp_path / "masks.jsonl", random.Random(1)
    wanted = {(item.id, name, run) for item in items(60) for name in "ab" for run in (1, 2)}
    here = Path(__file__).resolve()
    code = f"import sys; sys.path[:0] = {[str(ROOT), str(here.parent), str(here.parents[1])]!r}"
    code += f"; import test_jsonschemabench as t; t.run_slowly({str(path)!r})"
    kills = 0
    while kills < 10:
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        begin = path.stat().st_size if path.is_file() else 0
        while process.poll() is None and (path.stat().st_size if path.is_file() else 0) <= begin + rng.randrange(900):
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        if {one.key for one in Lines(path) if isinstance(one, Record)} == wanted:
            break
    run_slowly(str(path))
    found = [one.key for one in Lines(path) if isinstance(one, Record)]
    assert kills >= 3 and sorted(found) == sorted(wanted)


def run_slowly(path: str) -> None:
    """What is killed."""
    plan = runner.Plan({name: job(name) for name in "ab"}, items(60, do="sleep", seconds=0.005), passes=2, lanes=2)
    with Store(Path(path)) as results:
        runner.run_here(plan, ABOUT, results)


@pytest.mark.slow
def test_on_a_ray_cluster(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    except (RuntimeError, OSError, ConnectionError) as error:
        pytest.skip(f"no Ray cluster can be started here: {error}")
    plan = runner.Plan({name: job(name) for name in "ab"}, items(6), passes=2, lanes=2)
    try:
        with Store(tmp_path / "a.jsonl") as results:
            results.append(Record("item0", "split", "a"))
            assert runner.run_on_ray(plan, ABOUT, results, "local") == 23
    finally:
        ray.shutdown()
    keys = [one.key for one in Lines(tmp_path / "a.jsonl") if isinstance(one, Record)]
    assert len(keys) == len(set(keys)) == 24


# ---- the command line


@pytest.mark.slow
def test_masks_to_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two engines, of which one does nothing, over items of which one does not compile and one is no text."""
    tests = [{"valid": True, "data": {"a": [1, "x"]}}, {"valid": False, "data": {"a": 1}}]
    some = [
        {"id": "good", "schema": {"properties": {"a": {"type": "array"}}}, "tests": tests},
        {"id": "bad", "schema": {"type": "nonsense"}, "tests": []},
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, some)))
    common = ["--data", str(tmp_path / "items.jsonl"), "--tokenizer", str(MODEL_PATH), "--out", str(tmp_path / "out")]
    assert main(["masks", *common, "--engines", "constrain,nothing"]) == 0
    assert "8 records written" in capsys.readouterr().out
    found = {one.key: one for one in Lines(tmp_path / "out" / "masks.jsonl") if isinstance(one, Record)}
    good = found["good", "constrain", 2]
    assert good.outcome == "pass" and [text.accepted for text in good.texts] == [True, False]
    assert len(good.texts[0].steps_ns) == good.texts[0].tokens + 1 and good.first_ns > 0 < good.compile_ns
    assert found["bad", "constrain", 1].outcome == "compile error"
    assert found["good", "nothing", 1].outcome == "false accept"
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "report")]) == 0
    assert "<html" in (tmp_path / "report" / "report.html").read_text()
    assert main(["guard", str(tmp_path / "report")]) == 1
    assert "llguidance" in capsys.readouterr().err


def test_parts_of_what_a_mask_takes(tmp_path: Path) -> None:
    """They add up to the whole, and nothing is left clocked."""
    schema = {"properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "integer"}}, "required": ["a"]}
    item = {"id": "one", "schema": schema, "tests": [{"valid": True, "data": {"a": "x", "b": 12}}]}
    (tmp_path / "items.jsonl").write_text(json.dumps(item))
    (tmp_path / "README.md").write_text("<!-- jsonschemabench-parts:begin -->\n<!-- jsonschemabench-parts:end -->\n")
    before = [getattr(owner, name) for places in PARTS.values() for owner, name in places]
    common = ["--data", str(tmp_path / "items.jsonl"), "--tokenizer", str(MODEL_PATH)]
    assert main(["parts", *common, "--readme", str(tmp_path / "README.md")]) == 0
    assert [getattr(owner, name) for places in PARTS.values() for owner, name in places] == before
    written = (tmp_path / "README.md").read_text()
    rows = {
        row[0]: row[1:] for line in written.splitlines() if line.startswith("| ") for row in [line[2:-2].split(" | ")]
    }
    assert set(PARTS) <= set(rows) and float(rows["masks: compiled code, and calls of it"][0]) > 0
    times = [float(rows[part][1]) for part in PARTS]
    whole = float(rows["all, with the clocks"][1])
    assert 0.5 * whole < sum(times) <= whole + 1


def test_a_part_within_a_part_is_counted_once() -> None:
    clock = Clock()
    first, second = list(PARTS)[:2]
    inner = clock.timed(first, lambda: time.sleep(0.02))
    outer = clock.timed(second, lambda: (inner(), time.sleep(0.001)))
    outer()
    assert not any(clock.calls.values())
    clock.runs = True
    outer()
    assert clock.calls[first] == clock.calls[second] == 1
    assert clock.spent[first] >= 20_000_000 > clock.spent[second] >= 1_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["masks", "--engines", "guess"], "unknown engine 'guess'"),
        (["masks", "--engines", "nothing", "--shard", "2/2"], "--shard"),
        (["generate", "--model", "/no/model", "--engines", "guess"], "unknown engine 'guess'"),
        (["quality", "--model", "/no/model", "--tasks", "guess"], "unknown task 'guess'"),
        (["report", "/no/results"], "no file and no folder"),
        (["guard", "/no/summary"], "no summary"),
    ],
)
def test_what_is_missing_is_said(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "x", "schema": {}, "tests": []}\n')
    places = {"masks": ["--data", str(tmp_path / "items.jsonl"), "--tokenizer", str(MODEL_PATH)]}
    out = [] if arguments[0] == "guard" else ["--out", str(tmp_path / "out")]
    assert main([*arguments, *places.get(arguments[0], []), *out]) == 2
    assert message in capsys.readouterr().err


def test_a_model_that_does_not_load(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "x", "schema": {}, "tests": []}\n')
    arguments = ["--model", str(tmp_path / "none"), "--data", str(tmp_path / "items.jsonl"), "--out", str(tmp_path)]
    assert main(["generate", *arguments, "--engines", "none"]) == 2
    assert "none does not load: Unavailable: no folder" in capsys.readouterr().err
