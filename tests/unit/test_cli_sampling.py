"""`constrain generate --sampler awrs|smc`, and the page of particles."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command_line import needs_embedded_model, run, run_json, unwrapped

import constrain
from constrain.sampling import Particle, Posterior, smc
from constrain.sampling.page import page

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = needs_embedded_model

DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
PROMPT = ("generate", "--prompt", "The meeting is on ", "--max-new-tokens", "16")


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user, in the folder in which the command runs."""
    code = (
        "from constrain.sampling import Banned\n"
        "def short(text, complete):\n    return len(text) <= 12\n"
        "def never(text, complete):\n    return not complete\n"
        "def nothing(text):\n    return False\n"
        "def broken(text):\n    raise OSError('gone')\n"
        "class Box:\n    banned = Banned(['the'])\n"
    )
    (tmp_path / "my_checks.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return tmp_path


def test_particles_as_json() -> None:
    found = run_json(*PROMPT, "--regex", DATE, "--sampler", "smc", "--particles", "5", "--num", "2")
    assert len(found["outputs"]) == 2
    for one in found["outputs"]:
        assert re.fullmatch(DATE, one["text"]) and one["finish_reason"] == "complete"
        assert len(one["particles"]) == 5 and sum(p["weight"] for p in one["particles"]) == pytest.approx(1)
        assert one["text"] in {answer["text"] for answer in one["answers"]}
        assert one["stats"]["log_normalizer"] < 0


def test_particles_as_a_table() -> None:
    result = run(*PROMPT, "--regex", DATE, "--sampler", "smc", "--particles", "3", "--seed", "4")
    assert result.exit_code == 0
    rows = [line for line in result.stdout.splitlines() if re.search(rf"{DATE}\s*$", line)]
    assert len(rows) == 3 and any("* " in row for row in rows)
    weights = [float(row.split()[0]) for row in rows]
    assert sum(weights) == pytest.approx(1, abs=2e-4) and weights == sorted(weights, reverse=True)
    assert "log-normaliser" in result.stdout and "effective particles" in result.stdout


def test_texts_with_weights() -> None:
    found = run_json(*PROMPT, "--regex", DATE, "--sampler", "awrs", "--num", "3", "--temperature", "0.8")
    assert len(found["outputs"]) == 3
    assert all(re.fullmatch(DATE, one["text"]) and one["stats"]["log_weight"] < 0 for one in found["outputs"])
    plain = run(*PROMPT, "--regex", DATE, "--sampler", "awrs")
    assert re.fullmatch(DATE, plain.stdout.strip())


def test_equal_seeds() -> None:
    arguments = (*PROMPT, "--checker", "constrain.sampling:Python", "--sampler", "smc", "--max-new-tokens", "6")
    texts = [run_json(*arguments, "--seed", seed)["outputs"][0]["particles"] for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_checkers_of_the_user(checks: Path) -> None:
    for place in ("my_checks:short", "my_checks.py:short", f"{checks}/my_checks.py:short"):
        found = run_json(*PROMPT, "--regex", "[a-z ]*", "--checker", place, "--sampler", "awrs")
        assert len(found["outputs"][0]["text"]) <= 12 and found["outputs"][0]["stats"]["evaluations"] > 0
    found = run_json(*PROMPT, "--checker", "my_checks:Box.banned", "--sampler", "smc", "--max-new-tokens", "5")
    assert not re.search(r"\bthe\b", found["outputs"][0]["text"], re.IGNORECASE)


def test_no_answer(checks: Path) -> None:
    for place, reason in (("my_checks:nothing", "dead"), ("my_checks:never", "length")):
        for sampler in ("awrs", "smc"):
            arguments = (*PROMPT, "--checker", place, "--sampler", sampler, "--max-new-tokens", "3")
            found = run_json(*arguments, code=1)
            assert found["outputs"][0]["finish_reason"] == reason
            weight = "log_weight" if sampler == "awrs" else "log_normalizer"
            assert found["outputs"][0]["stats"][weight] is None
            assert run(*arguments).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sampler", "magic"), "magic is none of mask, awrs, smc"),
        (("--sampler", "smc"), "there is nothing to sample under"),
        (("--particles", "3"), "--particles is for --sampler smc"),
        (("--html", "x.html", "--sampler", "awrs"), "--html is for --sampler smc"),
        (("--checker", "my_checks:short"), "--checker is for --sampler awrs or smc"),
        (("--sampler", "smc", "--greedy", "--checker", "my_checks:short"), "--greedy is for --sampler mask"),
        (("--sampler", "smc", "--checker", "short"), "is not like MODULE:FUNCTION"),
        (("--sampler", "smc", "--checker", "my_checks:long"), "there is no long in my_checks"),
        (("--sampler", "smc", "--checker", "nosuch.module:f"), "there is no module nosuch.module"),
        (("--sampler", "smc", "--checker", "nosuch.py:f"), "there is no file nosuch.py"),
        (("--sampler", "smc", "--checker", "constrain.sampling:Sql"), "takes arguments"),
        (("--sampler", "smc", "--checker", "my_checks:broken"), "raised OSError about b'': gone"),
        (("--sampler", "smc", "--checker", "my_checks:short", "--html", "no/x.html"), "cannot be written"),
    ],
)
def test_mistakes(checks: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*PROMPT, "--max-new-tokens", "2", *arguments)
    assert result.exit_code == 2
    assert message in unwrapped(result.stderr)


# ---- the page


class Reader(HTMLParser):
    """Counts elements, and checks that they close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in ("meta", "br", "tr", "td", "th"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: object) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        if tag != "tr":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


def test_page_of_a_command(tmp_path: Path) -> None:
    file = tmp_path / "particles.html"
    result = run(*PROMPT, "--regex", DATE, "--sampler", "smc", "--particles", "4", "--html", file)
    assert result.exit_code == 0
    document = file.read_text("utf-8")
    assert re.search("https?://|<script|<link|<img", document) is None  # nothing is loaded
    reader = read(document)
    texts = re.findall(DATE, result.stdout)
    assert len(texts) == 4 and all(text in reader.text for text in texts)


def test_page_has_every_step_of_every_particle() -> None:
    vocabulary = constrain.Vocabulary.from_tokens([b"<b>", b"\x07", b"x", None], eos_ids=[3])
    logp = np.log([0.3, 0.2, 0.3, 0.2])
    checker = lambda text, complete: "xx" not in text  # noqa: E731
    result = smc(
        lambda prefixes: np.tile(logp, (len(prefixes), 1)), checker, vocabulary,
        particles=6, max_tokens=9, rng=np.random.default_rng(5), ess=1.0,
    )  # fmt: skip
    reader = read(page(result, "<&>"))
    steps = len(result.history)
    assert reader.count["rect"] == reader.count["g"] == 6 * steps
    assert reader.count["path"] == 6 * (steps - 1)
    assert "b" not in reader.count and "<&>" in reader.text and "\x07" not in reader.text
    for answer in result.answers:
        assert f"{answer.probability:.4f}" in reader.text


def test_page_without_answers() -> None:
    dead = Posterior((Particle("", (), -np.inf, "dead"),), 0)
    assert "No answer: dead." in read(page(dead)).text
