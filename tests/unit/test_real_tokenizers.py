"""The law on real vocabularies: mask == {t : accepts(t)}, at states along tokenised texts; and what they weigh."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amounts import slow

import constrain
from benchmarks.patterns import Pattern, by_name
from constrain import Compiler, Limits, Matcher, TokenAutomaton, Vocabulary, regex

tokenizers = pytest.importorskip("tokenizers")
regex_module = pytest.importorskip("regex")

pytestmark = pytest.mark.data

TOKENIZERS = ["gpt2", *slow("llama2", "llama3", "qwen2")]
WHOLE = ["json_string_array", "words_any_script"]  # checked with every token of the vocabulary
PATTERNS = [
    *WHOLE,
    "date_iso_strict",
    "email_bounded",
    "url",
    "uuid",
    "thousands",
    "json_tool_call",
    "sql_select",
    "any_text_2000",
    "line_200",
    "quoted",
    "capitalised",
    "cjk",
    "emoji_sentence",
    "words_1000",
    "count_exact",
    "bullet_list",
]
LOOKING = ["password", "no_double_dash", "word_boundary"]  # for which `regex` cannot judge a partial text


@lru_cache(maxsize=4)
def load(folder: Path) -> tuple[Vocabulary, Any]:
    return Vocabulary.from_pretrained(folder), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(params=TOKENIZERS)
def folder(request: pytest.FixtureRequest, data_dir: Path) -> Path:
    path = data_dir / "tokenizers" / str(request.param)
    if not path.is_dir():
        pytest.skip(f"no tokenizer at {path}")
    return path


def compiled(vocabulary: Vocabulary, name: str) -> TokenAutomaton:
    limits = Limits(transition_cache=2000)  # asking about every token is not meant to be remembered
    return Compiler(vocabulary, limits=limits).compile(regex(by_name(name).pattern))


def bits(matcher: Matcher) -> np.ndarray:
    """The mask as one flag a token, and the words past the vocabulary clear."""
    size = matcher.automaton.vocabulary.size
    mask = constrain.allocate_bitmask(1, size)
    matcher.fill_bitmask(mask)
    flags = np.unpackbits(mask.view(np.uint8), bitorder="little").astype(bool)
    assert not flags[size:].any()
    return flags[:size]


def along(
    automaton: TokenAutomaton, tokens: list[int], steps: int, rng: random.Random
) -> Iterator[tuple[Matcher, int]]:
    """The matcher before some of the tokens, with the number read so far: the first, the last, others between."""
    chosen = {0, len(tokens), *(rng.randrange(len(tokens) + 1) for _ in range(steps))}
    matcher = automaton.matcher()
    for n, token in enumerate([*tokens, None]):
        if n in chosen:
            yield matcher, n
        if token is not None:
            flags = bits(matcher)
            assert flags[token], (n, automaton.vocabulary.token_bytes(token))
            assert matcher.accept_token(token)
    assert matcher.is_accepting()


def tokenised(tokenizer: Any, vocabulary: Vocabulary, text: str) -> list[int]:
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    spelled = b"".join(map(vocabulary.token_bytes, tokens))
    assert (spelled.removeprefix(b" ") if vocabulary.strips_leading_space else spelled) == text.encode()
    return tokens


@pytest.mark.parametrize("name", WHOLE)
def test_mask_is_what_is_accepted_by_every_token(folder: Path, name: str) -> None:
    vocabulary, tokenizer = load(folder)
    automaton, pattern = compiled(vocabulary, name), by_name(name)
    tokens = tokenised(tokenizer, vocabulary, pattern.texts[0])
    for matcher, n in along(automaton, tokens, 0, random.Random(1)):
        flags = bits(matcher)
        accepted = np.fromiter((matcher.validate_tokens([t]) for t in range(vocabulary.size)), bool, vocabulary.size)
        wrong = np.flatnonzero(flags != accepted)
        assert not len(wrong), (n, [(int(t), vocabulary.token_bytes(t)) for t in wrong[:5]])


class Judge:
    """`regex`, asked whether a text can be completed. Only where the bytes are text and the pattern looks nowhere."""

    def __init__(self, pattern: Pattern, strips: bool) -> None:
        self.oracle, self.strips = regex_module.compile(pattern.pattern), strips

    def __call__(self, data: bytes) -> bool | None:
        if self.strips:
            if data in (b"", b" "):
                return None
            data = data.removeprefix(b" ")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return None
        if any(bool(re.match(r"\w", char)) != bool(regex_module.match(r"\w", char)) for char in text):
            return None  # marks, for instance, are \w for `regex` and not for `re`
        return self.oracle.fullmatch(text, partial=True) is not None


def sample(rng: random.Random, flags: np.ndarray, count: int) -> list[int]:
    """Half of the tokens from those allowed, half from the others."""
    allowed, forbidden = np.flatnonzero(flags).tolist(), np.flatnonzero(~flags).tolist()
    return rng.sample(allowed, min(count, len(allowed))) + rng.sample(forbidden, min(count, len(forbidden)))


@pytest.mark.parametrize("name", [*PATTERNS, *LOOKING])
def test_mask_on_samples(folder: Path, name: str) -> None:
    vocabulary, tokenizer = load(folder)
    rng, pattern = random.Random(name), by_name(name)
    automaton, judge = compiled(vocabulary, name), Judge(pattern, vocabulary.strips_leading_space)
    judged = 0
    for text in pattern.texts[:2]:
        tokens = tokenised(tokenizer, vocabulary, text)
        for matcher, n in along(automaton, tokens, 3, rng):
            flags = bits(matcher)
            before = b"".join(map(vocabulary.token_bytes, tokens[:n]))
            assert (
                flags[list(vocabulary.eos_ids)].all() == matcher.is_accepting() == flags[list(vocabulary.eos_ids)].any()
            )
            for token in sample(rng, flags, 60):
                data = vocabulary.token_bytes(token)
                assert matcher.validate_tokens([token]) == flags[token], (text, n, token, data)
                verdict = judge(before + data) if data and name not in LOOKING else None
                if verdict is not None:
                    judged += 1
                    assert verdict == flags[token], (text, n, token, data)
    assert judged > 100 or name in LOOKING


def test_special_tokens_are_never_allowed(folder: Path) -> None:
    vocabulary, _ = load(folder)
    matcher = Compiler(vocabulary).compile(regex("(?s).*")).matcher()
    flags = bits(matcher)
    silent = [t for t in range(vocabulary.size) if not vocabulary.token_bytes(t)]
    assert sorted(set(silent) - set(vocabulary.eos_ids)) == [t for t in silent if not flags[t]]
    allowed = np.flatnonzero(flags)
    assert len(allowed) > 0.97 * vocabulary.size, "text can be nearly anything"


MEMORY = """
import json, sys, tracemalloc
import constrain
from benchmarks.patterns import PATTERNS
from constrain import Compiler, Vocabulary, regex
Compiler(Vocabulary.from_tokens([b"a"])).compile(regex("a")).matcher().allowed_token_ids()  # kernels, tables
tracemalloc.start()
vocabulary = Vocabulary.from_pretrained(sys.argv[1])
mask = constrain.allocate_bitmask(1, vocabulary.size)
compiler = Compiler(vocabulary)
for pattern in PATTERNS[::9]:
    matcher = compiler.compile(regex(pattern.pattern)).matcher()
    for token in pattern.texts[0].encode():
        matcher.fill_bitmask(mask)
        if not matcher.accept_token(vocabulary.tokens_of(bytes([token]))[0]):
            break
print(json.dumps({"size": vocabulary.size, "bytes": tracemalloc.get_traced_memory()[0]}))
"""


def test_memory_of_the_largest_vocabulary(data_dir: Path) -> None:
    """Arrays, states, masks and tables after use by two dozen patterns, measured by Python's own account."""
    folder = data_dir / "tokenizers" / "qwen2"
    if not folder.is_dir():
        pytest.skip(f"no tokenizer at {folder}")
    load(folder)  # into the disk cache: reading the tokenizer itself is not what is measured
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(folder)], cwd=root, capture_output=True, text=True, timeout=300, check=True
    )
    found = json.loads(done.stdout)
    assert found["size"] > 150_000
    assert found["bytes"] < 150 << 20, f"{found['bytes'] >> 20} MB"
