"""Five hundred random constraints on the embedded model: where the phrases fit, they are in the text, every time."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from amounts import slow

pytest.importorskip("torch")
pytest.importorskip("transformers")

from reference.phrases import meets_ref

from constrain.beam.tracker import Tracker
from constrain.hf import generate, vocabulary_of
from constrain.specs.lexical import Clause, Lexical, Phrase
from examples.demo_model import words

OTHERS = ["lazy dog", "Köln", "on Monday", "x7", "日本"]
WORDS = [*words.JOBS, *words.HOBBIES, *words.COLOURS, *words.FOODS, *OTHERS]
PROMPTS = ("Ada Lindqvist lives in Uppsala, Sweden. ", "The review says: ", "The meeting is on ", "")
BATCH = 50


def drawn(rng: random.Random) -> Lexical:
    """One to six phrases, some alternatives, some to be there twice; in order, as words, without case, apart."""
    texts = rng.sample(WORDS, rng.randint(1, 6))
    modes = {name: rng.random() < 0.25 for name in ("ordered", "words", "ignore_case")}
    clauses = []
    while texts:
        size = 2 if len(texts) > 1 and rng.random() < 0.2 else 1
        clauses.append(Clause(tuple(Phrase(text, 2 if rng.random() < 0.1 else 1) for text in texts[:size])))
        del texts[:size]
    return Lexical(tuple(clauses), **modes, overlapping=rng.random() < 0.8)


@pytest.mark.parametrize("number", [0, *slow(*range(1, 10))])
def test_everything_that_fits_is_in_the_text(number: int, demo: tuple[Any, Any], one_thread: None) -> None:
    model, tokenizer = demo
    rng = random.Random(number)
    specs = [drawn(rng) for _ in range(BATCH)]
    vocabulary = vocabulary_of(model, tokenizer)
    most = max(Tracker(spec, vocabulary).need for spec in specs) + rng.choice([0, 1, 12])
    prompts = [rng.choice(PROMPTS) for _ in specs]
    allocation = ("shares", "turns", "sets")[number % 3]
    found = generate(
        model, tokenizer, prompts, specs, sampler="beam", num_beams=4, max_new_tokens=most, allocation=allocation
    )
    for spec, one in zip(specs, found):
        clauses = [([(phrase.text, phrase.count) for phrase in clause.present], []) for clause in spec.clauses]
        modes = {name: getattr(spec, name) for name in ("ordered", "words", "ignore_case", "overlapping")}
        data = b"".join(map(vocabulary.token_bytes, one.token_ids))
        assert one.finish_reason in ("complete", "closed") and meets_ref(data, clauses, modes), (spec, one)
        assert re.sub("\ufffd", "", one.text) == re.sub("\ufffd", "", data.decode(errors="replace"))
