"""Every example runs, is short, and prints what it promises."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NEED_TORCH = {
    "choice_logits_processor",
    "grammar_generate",
    "json_predicate",
    "phrases_beam",
    "regex_generate",
    "schema_generate",
    "text_to_sql",
    "weighted_pattern",
}


def run(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that an example prints."""
    if name in NEED_TORCH:
        pytest.importorskip("transformers")
        pytest.importorskip("torch")
    if name == "weighted_pattern":
        pytest.importorskip("regex")
    if name == "schema_generate":
        pytest.importorskip("pydantic")
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def test_all_are_tested_and_short() -> None:
    files = sorted(EXAMPLES.glob("*.py"))
    source = Path(__file__).read_text(encoding="utf-8")
    for file in files:
        assert f'run("{file.stem}"' in source
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 60
    assert len(files) >= 5


def test_regex_generate(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("regex_generate", capsys)
    date, mail, cut = (re.search(r"\[(.*)\]  (\w+)$", line) for line in lines)
    assert date and mail and cut
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", date[1]) and date[2] == "complete"
    assert re.fullmatch(r"[a-z]+\.[a-z]+@example\.com", mail[1]) and mail[2] == "complete"
    assert date[1].startswith(cut[1]) and cut[2] == "length"


def test_choice_logits_processor(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("choice_logits_processor", capsys)
    assert len(lines) == 3
    labels = [line.rsplit(": ", 1)[1] for line in lines]
    assert set(labels) <= {"positive", "negative", "neutral"}
    assert labels[0] == "negative"


def test_grammar_generate(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("grammar_generate", capsys)
    texts = dict(line.split(": ", 1) for line in lines[::2])
    ends = [re.fullmatch(r"  (complete|closed); (\d+) of (\d+) tokens forced", line) for line in lines[1::2]]
    assert list(texts) == ["sql", "own"] and all(ends)
    assert re.fullmatch(r"'TRANSFER [1-9][0-9]{0,3}\.[0-9]{2} FROM [a-z()]+ TO [a-z()]+;'", texts["own"])
    assert ends[1] and int(ends[1][2]) > 0


def test_schema_generate(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("schema_generate", capsys)  # validated by pydantic, or it raises
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"(complete|closed): Book\(title=.+, year=\d+, genre=<Genre\..*, copies=\[Copy\(.*", line)


def test_phrases_beam(capsys: pytest.CaptureFixture[str]) -> None:
    text, ids = run("phrases_beam", capsys)
    assert re.search(r"\bbicycle\b", text) and re.search(r"\b(red|blue)\b", text) and "e-mail" not in text
    assert re.search(r"  (complete|closed)$", text)
    assert " bicycle" in f" {ids}" and " doctor" in f" {ids}" and ids.endswith("[True]")


def test_response_format(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("response_format", capsys)
    assert lines[:2] == ["enforced: /type", "annotation: /description"]
    assert [line[-3:] for line in lines if line.startswith("{")] == ["yes", " no", " no"]
    assert lines[-1].startswith("refused at /type: type is 'int' (at /type); it takes one of array, ")


def test_matcher(capsys: pytest.CaptureFixture[str]) -> None:
    shown = dict(line.split(": ", 1) for line in run("matcher", capsys))
    assert shown["at the start"] == "[0, 1, 2]"
    ids = [i for i, bit in enumerate(reversed(shown["as a mask"])) if bit == "1"]
    assert str(ids) == shown["at the start"]
    assert shown["after '12'"] == "True [3]"
    assert shown["forced"] == "b'-' [3]"
    assert shown["'a' is read"] == "False"
    assert "byte 0 ('a') cannot stand there; it could be '-'" in shown["why not"]
    assert shown["accepted"] == "2 may end: True"
    assert shown["two back"] == "[3]"
    assert shown["'12-0' is complete"] == "True"


def test_combine(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("combine", capsys)
    answers = dict(re.findall(r"^'(.*)': (yes|no)$", "\n".join(lines), re.MULTILINE))
    assert len(answers) == 6
    for text, answer in answers.items():
        assert (answer == "yes") == bool(re.fullmatch(r"none|id: (?:[a-z]{3,6}|[0-9]+)", text))
    assert lines[-1].startswith("refused: no text at all")


def test_words_and_lengths(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("words_and_lengths", capsys)
    assert [line.rsplit(": ", 1)[1] for line in lines[:4]] == ["yes", "no", "no", "no"]
    assert json.loads(lines[4])["title"].startswith("The ")
    assert "lazy dog" in lines[4] and 30 <= len(lines[4]) <= 40
    assert lines[5] == "True"
    assert lines[6] == "<expression> <mask_0> lazy dog(0) <mask_1> <length=5> </expression> True"
    assert lines[7].startswith("refused: 'concatenate' must be present, and holds 'cat', which is banned")


def test_own_loop(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("own_loop", capsys)
    texts = [re.search(r": '(.*)' in \d+ tokens$", line) for line in lines]
    patterns = [r"(the )?cat[a-z]{0,4}", r"[0-9]+\.[0-9]{2}", "a b"]
    assert len(texts) == len(patterns)
    for pattern, text in zip(patterns, texts):
        assert text and re.fullmatch(pattern, text[1])


def test_text_to_sql(capsys: pytest.CaptureFixture[str]) -> None:
    first, *answers = run("text_to_sql", capsys)
    assert int(re.fullmatch(r"asked about (\d+) tokens", first)[1]) > 0  # type: ignore[index]
    assert answers and all(re.fullmatch(r"[01]\.\d{3} '(?i:select).*' -> \[.*\]", line) for line in answers)
    assert "'SELECT COUNT(*) FROM users;' -> [(2,)]" in answers[0]


def test_weighted_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    *words, model, twice = run("weighted_pattern", capsys)
    shares = [re.fullmatch(r"[a-z ]+: masks (.*), weights (.*)", line) for line in words]
    assert len(shares) == 5 and all(shares)
    for which in (1, 2):
        assert sum(float(share[which]) for share in shares if share) == pytest.approx(1, abs=0.01)
    assert 0 < float(model.rsplit(" ", 1)[1]) < 1
    text = re.fullmatch(r"twice: '(.*)' (complete|closed)", twice)
    assert text and re.fullmatch(r"([a-z]{1,9})(, \1){1,3}\.", text[1])


def test_json_predicate(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("json_predicate", capsys)
    found = re.fullmatch(r"(?:complete|closed): {'room': (\d+)(?:\.0)?, 'floor': (\d+)(?:\.0)?}", lines[0])
    assert found and int(found[1]) // 100 == int(found[2])
    assert all("floor" in line for line in lines[1:-1] if "room" in line)


def test_molecules(capsys: pytest.CaptureFixture[str]) -> None:
    *answers, total = run("molecules", capsys)
    assert len(answers) == 6 and 0 < float(total.rsplit(" ", 1)[1]) < 1
    for line in answers:
        smiles = line.split()[1]
        assert re.fullmatch(r"[CNOF=#()1]+", smiles) and smiles.count("1") % 2 == 0
        assert not re.search(r"[=#]F|F[=#]|F[CNO]\)?F[CNO]|#O|O#", smiles)
