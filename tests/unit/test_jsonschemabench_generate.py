"""JSONSchemaBench with models: what is written of texts, how long they took, and which answers are right.

Models are the embedded one and tiny untrained ones, made here; questions come from files made here, or are made.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from amounts import slow

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
jsonschema_rs = pytest.importorskip("jsonschema_rs")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import constrain  # noqa: E402
from benchmarks.jsonschemabench import decoding, guides, judging, models, prompts, quality, task_data, tasks  # noqa: E402
from benchmarks.jsonschemabench.data import DataError  # noqa: E402
from benchmarks.jsonschemabench.generate import Generate  # noqa: E402
from benchmarks.jsonschemabench.models import Loaded, Unavailable  # noqa: E402
from benchmarks.jsonschemabench.records import Record, from_json, to_json  # noqa: E402
from constrain.demo import MODEL_PATH  # noqa: E402
from constrain.hf import generate  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fast path is not available.*"),  # Mamba without its CUDA kernels
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
]

PLACE = {
    "type": "object",
    "properties": {"city": {"enum": ["Lund", "Oslo"]}, "open": {"type": "boolean"}},
    "required": ["city", "open"],
    "additionalProperties": False,
}
DRAFT4 = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "number",
    "minimum": 3,
    "exclusiveMinimum": True,
}
LONG = {"type": "array", "items": {"type": "string", "minLength": 5}, "minItems": 3}
SCHEMAS = [PLACE, DRAFT4, LONG, *(schema for schema, _ in prompts.EXAMPLES)]
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>"
CHAT += "{% endif %}"
PEERS = [name for name in guides.GUIDES if name != "constrain"]


def item(schema: Any, name: str = "one") -> Any:
    return SimpleNamespace(id=name, split="made", schema=schema, tests=[])


@pytest.fixture(autouse=True)
def seeded(one_thread: None) -> None:
    """One thread, the same numbers for each test."""


@pytest.fixture(scope="module")
def loaded(demo: tuple[Any, Any]) -> Loaded:
    """The embedded model."""
    return models.of("demo", *demo)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model that chats, over bytes; it has two end tokens and logits wider than its vocabulary."""
    import tokenizers

    vocabulary = {"<end>": 0, "<pad>": 1, "<turn>": 2}
    for character in sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<end>", pad_token="<pad>", additional_special_tokens=["<turn>"]
    )
    tokenizer.chat_template = CHAT
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"eos_token_id": [0, 2], "pad_token_id": 1, "bos_token_id": None}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=288, **sizes, **ends))
    path = tmp_path_factory.mktemp("chat")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def chat(folder: Path) -> Loaded:
    return models.load(str(folder), "cpu")


def mamba(loaded: Loaded) -> Loaded:
    """A model that keeps a state and no cache of keys and values."""
    torch.manual_seed(5)
    ids = {"vocab_size": 2000, "eos_token_id": 0, "pad_token_id": 1, "bos_token_id": 0}
    config = transformers.MambaConfig(hidden_size=32, num_hidden_layers=1, state_size=4, **ids)
    return models.of("mamba", transformers.MambaForCausalLM(config).eval(), loaded.tokenizer)


# ---- generate: records


@pytest.mark.parametrize("which", ["chat", *slow("loaded")])
def test_whatever_constrain_writes_is_valid_and_complete(which: str, request: pytest.FixtureRequest) -> None:
    bench = Generate(request.getfixturevalue(which), "constrain", max_new_tokens=60, shots=1)
    for number, schema in enumerate(SCHEMAS):
        record = bench.look(item(schema, f"{number}"))
        found = record.generated
        assert (record.outcome, record.message) == ("pass", "")
        assert found and found["declared"] and found["empirical"]
        assert found["finish_reason"] in ("complete", "closed")
        assert jsonschema_rs.validator_for(schema).is_valid(json.loads(found["text"]))
        assert 0 < found["tokens"] <= 60 and 0 <= found["forced_tokens"] < found["tokens"]
        assert 0 < found["gct_ms"] <= found["ttft_ms"] <= found["total_ms"] and found["plain_total_ms"] > 0
        assert found["tpot_ms"] * (found["tokens"] - 1) <= found["total_ms"] - found["ttft_ms"] + 0.1
        assert record.vocabulary == bench._loaded.width and record.schema_bytes > 0 and record.compile_ns > 0
        assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_forced_tokens_are_not_asked_of_the_model(loaded: Loaded) -> None:
    found = Generate(loaded, "constrain", max_new_tokens=60).look(item(PLACE)).generated
    assert found and found["finish_reason"] == "complete"
    assert found["forced_tokens"] > 0 and found["calls"] + found["forced_tokens"] == found["tokens"]


def test_a_text_that_is_closed_in_time(chat: Loaded) -> None:
    """The untrained model would write strings without end."""
    for budget in (25, 31, 40):  # 25 bytes are the fewest
        found = Generate(chat, "constrain", max_new_tokens=budget, options={"whitespace": "compact"}).look(item(LONG))
        assert found.generated and found.generated["empirical"] and found.generated["finish_reason"] == "closed"


def test_a_budget_in_which_nothing_fits(chat: Loaded) -> None:
    record = Generate(chat, "constrain", max_new_tokens=5).look(item(LONG))
    assert record.generated and record.generated["declared"] and not record.generated["empirical"]
    assert record.generated["finish_reason"] == "length" and record.generated["tokens"] == 5
    assert record.outcome == "false accept" and record.message.startswith("cut after 5 tokens; not JSON")


@pytest.mark.slow
def test_the_same_seed_writes_the_same(chat: Loaded) -> None:
    def texts(seed: int, temperature: float) -> list[str]:
        bench = Generate(chat, "constrain", max_new_tokens=40, seed=seed, shots=0, temperature=temperature)
        return [(bench.look(item(LONG, f"{number}")).generated or {})["text"] for number in range(3)]

    assert texts(1, 1.0) == texts(1, 1.0) != texts(2, 1.0)
    assert len(set(texts(1, 1.0))) == 3 and len(set(texts(1, 0.0))) == 1
    assert texts(1, 0.0) == texts(1, 0.0)


@pytest.mark.parametrize("name", PEERS)
def test_peers_in_the_same_loop(chat: Loaded, loaded: Loaded, name: str) -> None:
    pytest.importorskip(guides.GUIDES[name].package, reason=f"{name} is not installed")
    for model in (chat, loaded):
        record = Generate(model, name, max_new_tokens=300).look(item(PLACE))
        found = record.generated
        assert found and found["declared"], record.message
        assert 0 < found["gct_ms"] <= found["ttft_ms"] <= found["total_ms"]
        assert found["finish_reason"] in ("complete", "length")
        assert found["empirical"] == (found["finish_reason"] == "complete"), found["text"]
        assert ("plain_total_ms" in found) == (name == "llguidance")


def test_without_an_engine(loaded: Loaded) -> None:
    record = Generate(loaded, "none", max_new_tokens=20).look(item(PLACE))
    assert record.generated and record.generated["declared"] and not record.generated["empirical"]
    assert record.generated["gct_ms"] == 0 and "plain_total_ms" not in record.generated
    assert record.outcome == "false accept"


class Broken(guides.GuideConstrain):
    """Goes wrong in a way that its class says."""

    how = ""

    def compile_schema(self, schema: Any) -> Any:
        if schema == PLACE and self.how == "refuses":
            raise constrain.UnsupportedError("not this one")
        if schema == PLACE and self.how in ("crashes", "runs out"):
            raise MemoryError if self.how == "runs out" else KeyError("inside")
        return super().compile_schema(schema)

    def commit(self, matcher: Any, token: int) -> bool:
        return self.how != "stops" and super().commit(matcher, token)


@pytest.mark.parametrize(
    ("how", "outcome", "message"),
    [
        ("refuses", "compile error", "not this one"),
        ("crashes", "crash", "'inside'"),
        ("runs out", "memory", ""),
        ("stops", "false reject", "stuck after 0 tokens"),
    ],
)
def test_what_goes_wrong_is_recorded(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, how: str, outcome: str, message: str
) -> None:
    monkeypatch.setitem(guides.GUIDES, "broken", type("It", (Broken,), {"how": how, "name": "broken"}))
    record = Generate(loaded, "broken", max_new_tokens=30).look(item(PLACE))
    assert record.outcome == outcome and record.message.startswith(message)
    assert record.generated and record.generated["declared"] == (how == "stops") and not record.generated["empirical"]


# ---- generate: the loop


@pytest.mark.parametrize("kind", ["demo", "mamba"])
def test_greedy_tokens_are_the_likeliest(loaded: Loaded, kind: str) -> None:
    model = mamba(loaded) if kind == "mamba" else loaded
    prompt = loaded.encode("The meeting is on ")
    found = decoding.decode(model, prompt, guides.Guide(None, None, model.eos_ids), decoding.Plan(12))
    ids = list(prompt)
    with torch.no_grad():
        for token in found.tokens:
            assert token == int(model.model(torch.tensor([ids])).logits[0, -1].argmax())
            ids.append(token)
    assert found.text == loaded.decode(found.tokens) and 0 < found.first_s <= found.last_s <= found.total_s


def test_the_same_text_as_constrain_generate(loaded: Loaded) -> None:
    engine = guides.joined("constrain", loaded)
    for schema in (PLACE, {"type": "string", "format": "date"}, {"enum": ["one", "two", 3]}):
        guide = guides.Guide(engine, engine.compile_schema(schema), loaded.eos_ids)
        found = decoding.decode(loaded, loaded.encode("As JSON: "), guide, decoding.Plan(200))
        (other,) = generate(
            loaded.model,
            loaded.tokenizer,
            "As JSON: ",
            constrain.json_schema(schema),
            max_new_tokens=200,
            do_sample=False,
        )
        assert (found.text, found.finish_reason, tuple(found.tokens)) == (other.text, "complete", other.token_ids)


def test_models_without_a_cache_write_token_by_token(loaded: Loaded) -> None:
    found = Generate(mamba(loaded), "constrain", max_new_tokens=40, shots=0).look(item(PLACE)).generated
    assert found and found["empirical"] and found["forced_tokens"] == 0 and "plain_total_ms" not in found


def test_a_stop_text_is_cut_off(loaded: Loaded) -> None:
    prompt, guide = loaded.encode("The meeting is on "), guides.Guide(None, None, loaded.eos_ids)
    whole = decoding.decode(loaded, prompt, guide, decoding.Plan(30)).text
    stop = whole[3:7]
    found = decoding.decode(loaded, prompt, guide, decoding.Plan(30, stops=("no such text", stop)))
    assert (found.text, found.finish_reason) == (whole.partition(stop)[0], "stop")


# ---- generate: prompts, judging, what is missing


def test_worked_examples_are_valid() -> None:
    for schema, instance in prompts.EXAMPLES:
        assert judging.problem_with(schema, json.dumps(instance)) == ""


def test_prompts(loaded: Loaded, chat: Loaded) -> None:
    plain = prompts.schema_prompt(loaded, PLACE, 1, 0, 100)
    assert plain.text.endswith(f"\n\nSchema: {json.dumps(PLACE)}\nJSON:\n") and (plain.shots, plain.cut) == (1, 0)
    turns = prompts.schema_prompt(chat, PLACE, 2, 0, 100)
    assert turns.text.count("<user>") == 3 and turns.text.count("<assistant>") == 3
    assert turns.text.endswith(f"Schema: {json.dumps(PLACE)}\n<assistant>")
    assert prompts.schema_prompt(chat, PLACE, 2, 0, 100) == turns
    assert any(prompts.schema_prompt(chat, PLACE, 2, seed, 100) != turns for seed in range(1, 9))


def test_prompts_that_do_not_fit(loaded: Loaded) -> None:
    assert loaded.context == 512
    fewer = prompts.schema_prompt(loaded, PLACE, 6, 0, 100)
    assert fewer.shots < 6 and fewer.cut == 0 and len(fewer.ids) <= 412
    cut = prompts.schema_prompt(loaded, {"enum": list(range(300))}, 2, 0, 100)
    assert cut.shots == 0 and cut.cut > 0 and len(cut.ids) == 412
    assert loaded.decode(cut.ids).endswith("298, 299]}\nJSON:\n")
    record = Generate(loaded, "constrain", max_new_tokens=40).look(item({"enum": list(range(300))}))
    assert record.outcome == "pass" and record.generated and record.generated["cut_tokens"] > 0


@pytest.mark.parametrize(
    ("schema", "text", "problem"),
    [
        (DRAFT4, "3", "invalid"),
        (DRAFT4, "3.5", ""),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "null"}]}, "[1]", "invalid"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "format": "ipv4"}, '"x"', "invalid"),
        ({"format": "ipv4"}, '"x"', ""),
        ({"type": "number"}, "NaN", "not JSON"),
        ({}, "1 2", "not JSON"),
        ({}, "[" * 100_000, "not JSON"),
        ({"type": "null"}, "```json\nnull\n```\n", ""),
        ({"type": "null"}, "Here: ```json\nnull\n```", "not JSON"),
    ],
)
def test_judging(schema: Any, text: str, problem: str) -> None:
    found = judging.problem_with(schema, text)
    assert found.startswith(problem) and bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("schema", "text"),
    [({"type": "number"}, "1e999"), ({"$ref": "https://example.com/none"}, "1"), ({"type": "nonsense"}, "1")],
)
def test_what_cannot_be_judged_is_not_valid(loaded: Loaded, schema: Any, text: str) -> None:
    from benchmarks.jsonschemabench.generate import judge

    with pytest.raises(judging.Unjudged):
        judging.problem_with(schema, text)
    record = Record("a", "b", "c", generated={"empirical": False})
    judge(record, schema, decoding.Decoded(text=text, finish_reason="complete"))
    assert record.generated and not record.generated["empirical"] and record.message.startswith("not judged")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_value_is_what_it_is(value: Any) -> None:
    text = json.dumps(value)
    assert judging.problem_with({"const": value}, text) == ""
    assert judging.problem_with({"not": {"const": value}}, text).startswith("invalid")
    assert judging.problem_with({}, text + "]").startswith("not JSON")


def test_models_that_do_not_load(tmp_path: Path, loaded: Loaded) -> None:
    with pytest.raises(Unavailable, match=r"no folder .*; name the folder of a model, or its id"):
        models.load(str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="cannot be loaded as a causal model on cpu"):
        models.load(str(tmp_path), "cpu")
    config = transformers.T5Config(vocab_size=2000, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    loaded.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(Unavailable, match="cannot be loaded as a causal model on cpu: ValueError"):
        models.load(str(tmp_path), "cpu")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_models_that_do_not_fit(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(Unavailable, match="does not fit on cpu"):
        models.load(str(MODEL_PATH), "cpu")


def test_a_model_that_cannot_end(loaded: Loaded) -> None:
    silent = SimpleNamespace(eos_token_id=None)
    model = SimpleNamespace(config=loaded.model.config, generation_config=silent)
    with pytest.raises(Unavailable, match="no end-of-sequence token"):
        models.of("silent", model, silent)


def test_a_folder_is_read(folder: Path, chat: Loaded) -> None:
    assert (chat.width, chat.eos_ids, chat.is_chat) == (288, (0, 2), True)
    assert Generate(str(folder), "constrain", max_new_tokens=30, device="cpu").look(item(PLACE)).outcome == "pass"


@pytest.mark.parametrize(
    ("engine", "options", "message"),
    [
        ("constrane", {}, "unknown engine 'constrane'; there are constrain"),
        ("none", {"shots": 7}, "there are 6 worked examples, not 7"),
        ("none", {"max_new_tokens": 0}, "at least one new token"),
        ("none", {"max_new_tokens": 512}, "reads 512 tokens; ask for fewer than 512 new ones"),
    ],
)
def test_wrong_choices(loaded: Loaded, engine: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Unavailable, match=message):
        Generate(loaded, engine, **options)


def test_an_engine_that_is_not_installed(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guides, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="llguidance is not installed; leave it out"):
        Generate(loaded, "llguidance")


def test_no_validator(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(Unavailable, match="pip install jsonschema-rs"):
        Generate(loaded, "none")


# ---- quality: questions


def test_made_letters() -> None:
    found = task_data.questions("last-letter", None, 50, 3)
    assert found == task_data.questions("last-letter", None, 50, 3) != task_data.questions("last-letter", None, 50, 4)
    assert found[:20] == task_data.questions("last-letter", None, 20, 3)
    for question in found:
        assert question.expected == "".join(re.findall(r"(\w)(?:,|$)", question.text))
    assert len(set(task_data.WORDS)) == len(task_data.WORDS) > 100


SWAP = re.compile(r"(?:First|Then) (\w+) and (\w+) (?:swap|do)|(\w+) and (\w+) swap their")


def replayed(text: str) -> str:
    """What the person has who is asked about, read from the text of a question."""
    has = dict(re.findall(r"(\w+) has ((?:the|a) [\w ]+?)(?:,|\.| and)", text))
    for found in SWAP.findall(text):
        one, other = (found[0] or found[2]), (found[1] or found[3])
        has[one], has[other] = has[other], has[one]
    asked = re.search(r"What does (\w+) have", text)
    assert asked
    return has[asked[1]]


def test_made_shuffles() -> None:
    found = task_data.questions("shuffled-objects", None, 60, 0)
    assert len({question.text for question in found}) == 60 and {one.expected for one in found} == set("ABC")
    for question in found:
        assert tasks.lettered(replayed(question.text), question.options) == question.expected
        assert all(f"({letter}) {thing}" in question.text for letter, thing in zip("ABC", question.options))


def lines(path: Path, rows: list[Any]) -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text if path.suffix == ".jsonl" else json.dumps({"examples": rows}))
    return str(path)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "json"])
def test_word_problems_from_a_file(tmp_path: Path, suffix: str) -> None:
    rows = [{"question": f"How many? {n}", "answer": f"1 + 1 = 2\n#### {n:,}"} for n in (7, 1200, -3)]
    path = lines(tmp_path / f"q.{suffix}", rows)
    found = task_data.questions("gsm8k", path, None, 0)
    assert [(one.id, one.expected) for one in found] == [("gsm8k/0", "7"), ("gsm8k/1", "1200"), ("gsm8k/2", "-3")]
    some = task_data.questions("gsm8k", path, 2, 5)
    assert len(some) == 2 and some == task_data.questions("gsm8k", path, 2, 5) and set(some) <= set(found)


BALL, HAT = "the red ball", "a hat"


@pytest.mark.parametrize(
    ("row", "text", "expected", "options"),
    [
        ({"input": "Ada has the", "target_scores": {"red ball.": 0, "hat.": 1}}, "Ada has the\n(A) red ball.", "B", 2),
        ({"inputs": "Who?\n(A) Ada\n(B) Ben", "targets": "(B)"}, "Who?\n(A) Ada\n(B) Ben", "B", 2),
        ({"inputs": "Who?\n  choice: Ada\n  choice: Ben\n", "targets": ["Ada"]}, "Who?\n(A) Ada\n(B) Ben", "A", 2),
        (
            {"inputs": "Q", "targets": [HAT], "multiple_choice_targets": [BALL, HAT]},
            f"Q\n(A) {BALL}\n(B) {HAT}",
            "B",
            2,
        ),
        ({"inputs": "Q", "targets": [HAT]}, "Q", HAT, 0),
    ],
)
def test_shuffled_objects_from_a_file(tmp_path: Path, row: Any, text: str, expected: str, options: int) -> None:
    (found,) = task_data.questions("shuffled-objects", lines(tmp_path / "q.jsonl", [row]), None, 0)
    assert found.text.startswith(text) and found.expected == expected and len(found.options) == options


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        ("gsm8k", [{"question": "Q"}]),
        ("gsm8k", [{"question": "Q", "answer": "#### many"}]),
        ("gsm8k", [{"question": "Q", "answer": "####"}]),
        ("gsm8k", [3]),
        ("shuffled-objects", [{"inputs": "Q\n(A) x", "targets": "y"}]),
        ("shuffled-objects", [{"inputs": "Q", "targets": []}]),
        ("last-letter", []),
    ],
)
def test_files_that_are_none(tmp_path: Path, task: str, rows: list[Any]) -> None:
    with pytest.raises(DataError, match=r"q\.jsonl.*(not the fields of|holds no questions)"):
        task_data.questions(task, lines(tmp_path / "q.jsonl", rows), None, 0)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        task_data.questions("gsm8k", str(tmp_path / "none.jsonl"), None, 0)
    (tmp_path / "bad.jsonl").write_text("{")
    (tmp_path / "bad.jsonl.gz").write_text("{}")
    for name in ("bad.jsonl", "bad.jsonl.gz"):
        with pytest.raises(DataError, match="cannot be read"):
            task_data.questions("gsm8k", str(tmp_path / name), None, 0)


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="pip install datasets; or name a file"):
        task_data.questions("gsm8k", None, 1, 0)
    hub = ModuleType("datasets")
    monkeypatch.setitem(sys.modules, "datasets", hub)
    asked = []

    def load_dataset(*names: str, split: str) -> Iterator[dict[str, str]]:
        asked.append((*names, split))
        return iter([{"question": "Q", "answer": "#### 5"}])

    hub.load_dataset = load_dataset  # type: ignore[attr-defined]
    assert [one.expected for one in task_data.questions("gsm8k", None, None, 0)] == ["5"]
    assert asked == [("openai/gsm8k", "main", "test")]

    def offline(*_: Any, **__: Any) -> Any:
        raise ConnectionError("no network")

    hub.load_dataset = offline  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="ConnectionError: no network; name a file of questions"):
        task_data.questions("gsm8k", None, None, 0)


# ---- quality: answers

REASONING = st.text(st.characters(codec="ascii", exclude_characters=":"), max_size=60)


@given(
    REASONING, st.integers(-(10**9), 10**9), st.sampled_from(["{:d}", "{:,}", "${:,}", "{:d}.0", "**{:d}** apples."])
)
def test_numbers_are_read(reasoning: str, number: int, form: str) -> None:
    question = tasks.Question("q", "gsm8k", "", str(number))
    if form.startswith("$") and number < 0:
        form = "{:,}"
    for text in (f"{reasoning}\nAnswer: {form.format(number)}", f"{reasoning}. So it is {form.format(number)}"):
        assert tasks.GSM8K.is_correct(tasks.GSM8K.read(text), question)
        if text.endswith(str(number)):
            assert not tasks.GSM8K.is_correct(tasks.GSM8K.read(text + "1"), question)


@given(REASONING, st.text("abcdefgh", min_size=2, max_size=6), st.sampled_from(["{}", '"{}".', "**{}**", "it is {}!"]))
def test_words_are_read(reasoning: str, word: str, form: str) -> None:
    question = tasks.Question("q", "last-letter", "", word)
    spaced = f"{reasoning}\nAnswer: {'-'.join(word.upper())}"
    for text in (f"{reasoning}\nAnswer: {form.format(word)}\n\nMore.", f"{reasoning} {form.format(word)}", spaced):
        assert tasks.LAST_LETTER.is_correct(tasks.LAST_LETTER.read(text), question)
        assert not tasks.LAST_LETTER.is_correct(tasks.LAST_LETTER.read(text), tasks.Question("q", "", "", word + "x"))


@given(REASONING, st.integers(0, 2), st.sampled_from(["({})", "{}", "{}.", "({}) it is"]))
def test_options_are_read(reasoning: str, right: int, form: str) -> None:
    options = ("the red hat", "a pen", "the blue hat")
    question = tasks.Question("q", "shuffled-objects", "", "ABC"[right], options)
    for answer in (form.format("ABC"[right]), options[right], options[right].title() + "."):
        found = tasks.SHUFFLED_OBJECTS.read(f"{reasoning}\nAnswer: {answer}")
        assert tasks.SHUFFLED_OBJECTS.is_correct(found, question)
        wrong = tasks.Question("q", "", "", "ABC"[right - 1], options)
        assert not tasks.SHUFFLED_OBJECTS.is_correct(found, wrong)


@given(st.integers() | st.text(), st.text())
def test_json_answers_are_read_as_they_stand(answer: Any, reasoning: str) -> None:
    text = json.dumps({"reasoning": reasoning, "answer": answer})
    assert tasks.read_json(text) == str(answer)
    assert tasks.read_json(text[:-1]) is None


@pytest.mark.parametrize("text", ["", "[]", "3", '{"answer": null}', '{"answer": true}', '{"answer": NaN}', "{" * 9999])
def test_no_answer(text: str) -> None:
    assert tasks.read_json(text) is None
    assert not tasks.GSM8K.is_correct(None, tasks.Question("q", "", "", "3"))


@pytest.mark.parametrize("task", tasks.TASKS.values(), ids=list(tasks.TASKS))
def test_worked_examples_of_tasks(task: tasks.Task) -> None:
    for example in task.examples:
        options = tuple(re.findall(r"\([A-C]\) (.+)", example.question))
        question = tasks.Question("q", task.name, example.question, str(example.answer), options)
        assert task.is_correct(task.read(quality.shown("free", example.reasoning, example.answer)), question)
        whole = quality.shown("constrained", example.reasoning, example.answer)
        assert judging.problem_with(tasks.reasoning_schema(task, question), whole) == ""
        last = quality.shown("reasoned", example.reasoning, example.answer).partition("Answer:\n")[2]
        assert judging.problem_with(tasks.answer_schema(task, question), last) == ""
        assert task.is_correct(tasks.read_json(whole), question) and task.is_correct(tasks.read_json(last), question)
        if task.name == "last-letter":
            assert example.answer == "".join(word[-1] for word in example.question.split(", "))
        if task.name == "shuffled-objects":
            given_to = replayed(example.question.replace(" a ", " the "))
            assert tasks.lettered(given_to, options) == example.answer


# ---- quality: records


@pytest.mark.parametrize("which", ["chat", *slow("loaded")])
@pytest.mark.parametrize(("engine", "way"), [("none", "free"), ("constrain", "constrained"), ("constrain", "reasoned")])
def test_records_of_tasks(tmp_path: Path, request: pytest.FixtureRequest, which: str, engine: str, way: str) -> None:
    path = lines(tmp_path / "q.jsonl", [{"question": "How many?", "answer": "#### 4"}] * 2)
    for task, data in (("gsm8k", path), ("last-letter", None), ("shuffled-objects", None)):
        bench = quality.Quality(
            request.getfixturevalue(which), engine, task, way, data=data, limit=2, seed=1, max_new_tokens=70
        )
        assert [one.id for one in bench] == [f"{task}/{number} {way}" for number in range(2)]
        for one in bench:
            record = bench.look(one)
            found = record.task
            assert record.outcome == "pass" and found and record.key == (one.id, engine, 1)
            assert (found["name"], found["decoding"], found["expected"]) == (task, way, one.expected)
            assert found["correct"] == tasks.TASKS[task].is_correct(found["answer"], one)
            assert 0 <= found["tokens"] <= 70 and found["seconds"] > 0
            if way != "free":
                answer = json.loads(found["text"].rpartition("Answer:\n")[2])["answer"]
                assert found["answer"] is not None
                assert not isinstance(answer, str) or found["answer"] == answer
            again = bench.look(one).task
            assert again and again["text"] == found["text"]


def test_a_right_answer_is_correct(chat: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def says(text: str, reason: str) -> Any:
        return lambda *_: decoding.Decoded([5, 6], text, reason)

    bench = quality.Quality(chat, "none", "last-letter", "free", limit=1)
    (one,) = bench
    monkeypatch.setattr(quality, "decode", says(f"...\nAnswer: {one.expected}", "complete"))
    assert (bench.look(one).task or {})["correct"]
    monkeypatch.setattr(quality, "decode", says("...\nAnswer: zz", "complete"))
    assert not (bench.look(one).task or {})["correct"]
    monkeypatch.setattr(quality, "decode", says("", "stuck"))
    assert bench.look(one).outcome == "false reject"


@pytest.mark.parametrize(
    ("how", "outcome"), [("refuses", "compile error"), ("crashes", "crash"), ("runs out", "memory")]
)
def test_a_task_that_goes_wrong(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, how: str, outcome: str) -> None:
    monkeypatch.setitem(guides.GUIDES, "broken", type("It", (Broken,), {"how": how, "name": "broken"}))
    monkeypatch.setattr(quality, "answer_schema", lambda task, question: PLACE)
    bench = quality.Quality(loaded, "broken", "last-letter", "reasoned", limit=1)
    (one,) = bench
    record = bench.look(one)
    assert record.outcome == outcome and record.task is None


@pytest.mark.parametrize(
    ("engine", "task", "way", "budget", "message"),
    [
        ("none", "gsm9k", "free", 9, "unknown task 'gsm9k'; there are gsm8k, last-letter"),
        ("none", "gsm8k", "freely", 9, "unknown way of decoding 'freely'"),
        ("constrain", "gsm8k", "free", 9, "free decoding uses no engine"),
        ("constrain", "gsm8k", "reasoned", 1, "at least two new tokens"),
    ],
)
def test_wrong_tasks(loaded: Loaded, engine: str, task: str, way: str, budget: int, message: str) -> None:
    with pytest.raises(Unavailable, match=message):
        quality.Quality(loaded, engine, task, way, max_new_tokens=budget)


def test_questions_travel_between_processes() -> None:
    import pickle

    (one,) = quality.items("shuffled-objects", "free", data=None, limit=1, seed=random.Random(0).randint(0, 9))
    assert pickle.loads(pickle.dumps(one)) == one
