"""The embedded model: small, loadable without custom code, as good as its report says, and reproducible."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from constrain.demo import MODEL_PATH, load_model
from examples.demo_model.corpus import KINDS, Draw, documents

pytest.importorskip("transformers")

MEGABYTES = 4
FRESH_SEED = 20_000  # neither the seed of training (0) nor that of the report (1)


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    return load_model()


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return dict(json.loads((MODEL_PATH / "training.json").read_text(encoding="utf-8")))


# ---- the package ----


def test_size() -> None:
    assert sum(file.stat().st_size for file in MODEL_PATH.iterdir()) <= MEGABYTES * 1_000_000


def test_importing_is_light() -> None:
    code = "import sys, constrain.demo; print('torch' in sys.modules or 'transformers' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_missing_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "constrain\[hf\]"'):
        load_model()


# ---- loading ----


def test_auto_classes_load_it_quietly(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    model, tokenizer = load_model()
    assert len(tokenizer) == model.config.vocab_size == model.get_input_embeddings().weight.shape[0]
    assert str(model.dtype) == "torch.float32"
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_special_tokens_agree(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    for config in (model.config, model.generation_config):
        assert config.eos_token_id == tokenizer.eos_token_id == 0
        assert config.pad_token_id == tokenizer.pad_token_id == 1


def test_tokenizer_round_trip(loaded: tuple[Any, Any]) -> None:
    tokenizer = loaded[1]
    for text in [*islice(documents(FRESH_SEED), 300), " leading", "double  space\n\n", "Ærø 東京 🙂 \x00\t"]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_byte_is_a_token(loaded: tuple[Any, Any]) -> None:
    backend = json.loads(loaded[1].backend_tokenizer.to_str())
    assert len(backend["model"]["vocab"]) == loaded[0].config.vocab_size
    assert sum(len(token) == 1 for token in backend["model"]["vocab"]) == 256


# ---- what it has learned ----


def measure(loaded: tuple[Any, Any], report: dict[str, Any], seed: int, count: int) -> Any:
    from examples.demo_model.train import held_out_loss

    model, tokenizer = loaded
    return held_out_loss(model, tokenizer.backend_tokenizer, seed, report["size"]["block"], count)


def test_reported_loss(loaded: tuple[Any, Any], report: dict[str, Any]) -> None:
    from examples.demo_model.train import HELD_OUT_BLOCKS

    loss = measure(loaded, report, report["held_out_seed"], HELD_OUT_BLOCKS)
    assert loss.nats_per_token == pytest.approx(report["held_out_nats_per_token"], abs=1e-3)
    assert loss.bits_per_byte == pytest.approx(report["held_out_bits_per_byte"], abs=1e-3)


def test_loss_on_fresh_text(loaded: tuple[Any, Any], report: dict[str, Any]) -> None:
    # Texts differ: over 24 seeds the loss on 32 blocks had a standard deviation of 3 %, so 64 blocks have about 2 %.
    loss = measure(loaded, report, FRESH_SEED, 64)
    assert loss.nats_per_token == pytest.approx(report["held_out_nats_per_token"], rel=0.08)


def test_far_below_uniform(loaded: tuple[Any, Any], report: dict[str, Any]) -> None:
    assert report["uniform_nats_per_token"] == pytest.approx(math.log(loaded[0].config.vocab_size), abs=1e-4)
    assert report["held_out_nats_per_token"] < report["uniform_nats_per_token"] / 5


# ---- what `constrain demo` shows ----

SHOWN = [
    ("The meeting is on ", r"\d{4}-\d{2}-\d{2}"),
    ("Ada Lindqvist lives in Uppsala, Sweden. Her e-mail address is ", r"[a-z]+\.[a-z]+@example\.com"),
    ("The review says: rude service. Sentiment: ", "positive|negative|neutral"),
]


def spellings(tokenizer: Any) -> list[bytes]:
    """The bytes of each token; byte-level BPE writes each byte as one printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    tokens = tokenizer.convert_ids_to_tokens(range(2, len(tokenizer)))
    return [b"", b"", *(bytes(names[char] for char in token) for token in tokens)]


def greedy(loaded: tuple[Any, Any], prompt: str, pattern: str) -> str:
    """The likeliest token that keeps a match possible, again and again: constrained decoding by trying them all."""
    import regex
    import torch

    model, tokenizer = loaded
    spelled, compiled = spellings(tokenizer), regex.compile(pattern.encode())
    ids, text = tokenizer(prompt)["input_ids"], b""
    for _ in range(40):
        with torch.no_grad():
            ranking = model(torch.tensor([ids])).logits[0, -1].argsort(descending=True).tolist()
        for token in ranking:
            if token == tokenizer.eos_token_id and compiled.fullmatch(text):
                return text.decode()
            if spelled[token] and compiled.fullmatch(text + spelled[token], partial=True):
                break
        ids, text = [*ids, token], text + spelled[token]
    raise AssertionError(f"no end after 40 tokens: {text!r}")


@pytest.mark.parametrize(("prompt", "pattern"), SHOWN)
def test_a_constraint_changes_the_output(loaded: tuple[Any, Any], prompt: str, pattern: str) -> None:
    import regex

    model, tokenizer = loaded
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    output = model.generate(ids, attention_mask=ids.new_ones(ids.shape), max_new_tokens=24, do_sample=False)
    free = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert free.strip()
    assert regex.match(pattern, free) is None
    assert regex.fullmatch(pattern, greedy(loaded, prompt, pattern))


def test_copying_and_judging(loaded: tuple[Any, Any]) -> None:
    assert greedy(loaded, *SHOWN[1]) == "ada.lindqvist@example.com"
    assert greedy(loaded, *SHOWN[2]) == "negative"


# ---- the text ----


def test_corpus_is_a_function_of_its_seed() -> None:
    first, again, other = (list(islice(documents(seed), 200)) for seed in (3, 3, 4))
    assert first == again
    assert len(set(first) & set(other)) < 40  # short ones, such as a capital, do repeat


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_clean_text(kind: Any) -> None:
    for seed in range(200):
        text = kind(Draw(Random(seed)))
        assert text.strip()
        assert "<|" not in text


def test_json_documents_parse() -> None:
    objects = [text for text in islice(documents(5), 2000) if text.startswith("{")]
    assert len(objects) > 100
    assert all(isinstance(json.loads(text), dict) for text in objects)


# ---- training ----


@pytest.fixture
def threads() -> Iterator[None]:
    """`train.main` sets the number of threads; other tests keep theirs."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_two_steps_of_training(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from examples.demo_model import train

    arguments = ["--steps", "2", "--size", "tiny", "--seed", "7", "--out"]
    train.main([*arguments, str(tmp_path / "one")])
    train.main([*arguments, str(tmp_path / "two")])
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    found = json.loads((tmp_path / "one" / "training.json").read_text(encoding="utf-8"))
    assert (found["seed"], found["held_out_seed"], found["steps"]) == (7, 8, 2)
    assert found["held_out_nats_per_token"] < found["uniform_nats_per_token"] + 0.1
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "one").config.vocab_size == 300
    assert len(AutoTokenizer.from_pretrained(tmp_path / "one")) == 300


def test_minutes_bound_the_run(tmp_path: Path) -> None:
    from examples.demo_model.train import SIZES, run

    assert run(tmp_path, SIZES["tiny"], seed=7, minutes=0.01)["steps"] >= 1
