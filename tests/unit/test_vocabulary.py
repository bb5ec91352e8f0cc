"""Vocabularies: which bytes each token spells, for every family of tokenizers."""

from __future__ import annotations

import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amounts import slow
from hypothesis import given
from hypothesis import strategies as st

from constrain.errors import SpecTypeError, TokenError, VocabularyError
from constrain.vocab import cache
from constrain.vocab.tokenizers import _samples
from constrain.vocab.vocabulary import Vocabulary

transformers = pytest.importorskip("transformers")

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

CORPUS = [
    "The quick brown fox jumps over the lazy dog. The lazy dog sleeps; the fox does not.",
    '{"name": "Zoë", "tags": ["a", "b"], "n": [1, 2.5, -3e10], "ok": true, "none": null}',
    "def square(x):\n    return x ** 2\n\nfor i in range(10):\n\tprint(square(i))\n",
    "Привет, мир! 中文字符 日本語 한국어 العربية 😀 👩‍👩‍👧 café naïve €100",
] * 4

# ---- small tokenizers of each family


def train(model: Any, trainer: Any, *, special: Sequence[str] = ("<unk>", "</s>"), **parts: Any) -> Tokenizer:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(CORPUS, trainer(special_tokens=list(special), show_progress=False))
    return tokenizer


def byte_level(*, alphabet: bool = True, prefix: bool = False) -> Tokenizer:
    known = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    return train(
        models.BPE(),
        lambda **kw: trainers.BpeTrainer(vocab_size=400, initial_alphabet=known, **kw),
        special=["</s>"],
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=prefix),
        decoder=decoders.ByteLevel(),
    )


def byte_fallback(decoder: Any = None) -> Tokenizer:
    """Like Llama 2: the normalizer writes U+2581 for spaces and puts one first; bytes stand in for rare characters."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{b:02X}>": 3 + b for b in range(256)}
    for piece in ["▁", "a", "b", "o", "f", "A", "▁a", "▁f", "oo", "▁foo", "▁▁"]:
        vocab[piece] = len(vocab)
    merges = [("▁", "a"), ("▁", "f"), ("o", "o"), ("▁f", "oo"), ("▁", "▁")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoder or decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def unigram(normalizer: Any = None) -> Tokenizer:
    return train(
        models.Unigram(),
        lambda **kw: trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", **kw),
        pre_tokenizer=pre_tokenizers.Metaspace(),
        decoder=decoders.Metaspace(),
        normalizer=normalizer or normalizers.NFKC(),
    )


def wordpiece() -> Tokenizer:
    return train(
        models.WordPiece(unk_token="[UNK]"),
        lambda **kw: trainers.WordPieceTrainer(vocab_size=200, **kw),
        special=["[UNK]", "[SEP]"],
        normalizer=normalizers.BertNormalizer(),
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.WordPiece(),
    )


def joined(vocabulary: Vocabulary, ids: Sequence[int]) -> bytes:
    return b"".join(map(vocabulary.token_bytes, ids))


# ---- the value itself


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the trie before hypothesis looks at the clock."""
    assert Vocabulary.from_tokens([b"a", b"a"]).tokens_of(b"a") == (0, 1)


def test_tokens_come_back() -> None:
    tokens = [b"a", None, b"", b"ab", b"\xff\x00", b"a", b"</s>"]
    v = Vocabulary.from_tokens(tokens, eos_ids=[6, 6], special_tokens={"<x>": 1}, vocab_size=10)
    assert [v.token_bytes(i) for i in range(10)] == [b"a", b"", b"", b"ab", b"\xff\x00", b"a", b"", b"", b"", b""]
    assert (v.size, len(v), v.eos_ids, dict(v.special_tokens), v.max_token_bytes) == (10, 10, (6,), {"<x>": 1}, 2)
    assert (v.kind, v.strips_leading_space) == ("bytes", False)
    assert v.data.dtype == np.uint8 and v.offsets.dtype == np.int32


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=30).filter(any))
def test_tokens_of_finds_all_ids_and_no_other(tokens: list[bytes]) -> None:
    v = Vocabulary.from_tokens(tokens)
    for spelled in {*tokens, b"a", b"\x00\xff"} - {b""}:
        assert v.tokens_of(spelled) == tuple(i for i, token in enumerate(tokens) if token == spelled)
    assert v.tokens_of(b"") == ()
    assert v.missing_bytes == set(range(256)) - set(b"".join(tokens))


def concatenations(basis: Sequence[bytes], limit: int) -> set[bytes]:
    found, new = {b""}, {b""}
    while new:
        new = {a + b for a in new for b in basis if len(a + b) <= limit} - found
        found |= new
    return found


@given(st.sets(st.text("abé", min_size=1, max_size=4).map(str.encode), min_size=1, max_size=4).map(sorted))
def test_units_are_the_smallest_basis(tokens: list[bytes]) -> None:
    units = Vocabulary.from_tokens(tokens).units
    assert units is not None and set(units) <= set(tokens)
    assert concatenations(units, 6) == concatenations(sorted(set(tokens)), 6)
    for unit in units:
        assert unit not in concatenations([u for u in units if u != unit], len(unit))


def test_units_with_all_single_bytes() -> None:
    every = [bytes([b]) for b in range(256)]
    assert Vocabulary.from_tokens([*every, b"ab"]).units is None
    assert Vocabulary.from_tokens([*every[1:], every[1]]).units == tuple(every[1:])


def test_equality_hash_and_pickle() -> None:
    v = Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2])
    assert v.tokens_of(b"a") == (0,)  # derives the trie, which is not pickled
    back = pickle.loads(pickle.dumps(v))
    assert back == v and hash(back) == hash(v) and back.tokens_of(b"b") == (1,)
    assert len(pickle.dumps(v)) < 1000
    assert v != "something else"


def test_the_fingerprint_covers_what_matters() -> None:
    variants = [
        Vocabulary.from_tokens([b"a", b"b", None]),
        Vocabulary.from_tokens([b"ab", b"", None]),
        Vocabulary.from_tokens([b"a", b"c", None]),
        Vocabulary.from_tokens([b"a", b"b", None], eos_ids=[2]),
        Vocabulary.from_tokens([b"a", b"b", None], special_tokens={"x": 2}),
        Vocabulary.from_tokens([b"a", b"b", None], vocab_size=4),
        Vocabulary.from_tokens([b"a", b"b", None], strips_leading_space=True),
    ]
    assert len({v.fingerprint for v in variants}) == len(set(variants)) == len(variants)
    assert Vocabulary.from_tokens([b"a", b"b", b""]) == variants[0]


def test_it_cannot_be_changed() -> None:
    v = Vocabulary.from_tokens([b"a", None], special_tokens={"x": 1})
    with pytest.raises(AttributeError):
        v.kind = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        v.special_tokens["y"] = 0  # type: ignore[index]


def test_repr_says_what_it_is() -> None:
    v = Vocabulary.from_tokens([b"abc", None], eos_ids=[1])
    assert repr(v) == "<Vocabulary tokens: 2 ids, 1 spell bytes, longest 3, eos (1,)>"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tokens": []}, VocabularyError, "no token spells"),
        ({"tokens": [None, b""]}, VocabularyError, "no token spells"),
        ({"tokens": [b"a"], "eos_ids": [0]}, VocabularyError, "no token spells"),
        ({"tokens": {b"a": 0}}, SpecTypeError, "tokens must be a sequence of bytes or None.*not dict"),
        ({"tokens": ["a"]}, SpecTypeError, "token 0 must be bytes or None, not str: 'a'"),
        ({"tokens": [b"a"], "eos_ids": [5]}, VocabularyError, "id 5 is outside the vocabulary of 1 ids"),
        ({"tokens": [b"a"], "eos_ids": [-1]}, VocabularyError, "id -1 is outside"),
        ({"tokens": [b"a"], "eos_ids": 0}, SpecTypeError, "eos_ids must be a sequence of token ids, not int"),
        ({"tokens": [b"a"], "eos_ids": ["0"]}, SpecTypeError, "a token id is an int, not str"),
        ({"tokens": [b"a"], "eos_ids": [True]}, SpecTypeError, "a token id is an int, not bool"),
        ({"tokens": [b"a"], "special_tokens": {"x": 7}}, VocabularyError, "id 7 is outside"),
        ({"tokens": [b"a"], "special_tokens": {1: 0}}, SpecTypeError, "must map names"),
        ({"tokens": [b"a", b"bc"], "vocab_size": 1}, VocabularyError, "token 1 spells b'bc'.*at least 2 here"),
        ({"tokens": [b"a"], "vocab_size": 2.0}, SpecTypeError, "vocab_size must be an int, not float"),
    ],
)
def test_errors_say_what_is_wrong(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Vocabulary.from_tokens(**arguments)


def test_arrays_are_validated() -> None:
    data, offsets = np.array([1, 2], np.uint8), np.array([0, 1, 2])
    assert Vocabulary(data, offsets).token_bytes(1) == b"\x02"
    with pytest.raises(VocabularyError, match="must not spell bytes"):
        Vocabulary(data, offsets, eos_ids=(0,))
    for bad in ([0, 2, 1], [1, 2], [0, 1], [0]):
        with pytest.raises(VocabularyError, match="offsets"):
            Vocabulary(data, np.array(bad))
    with pytest.raises(SpecTypeError, match="data must be a flat array"):
        Vocabulary(b"ab", offsets)  # type: ignore[arg-type]


def test_token_ids_are_checked() -> None:
    v = Vocabulary.from_tokens([b"a"])
    for token in (-1, 1):
        with pytest.raises(TokenError, match="outside the vocabulary of 1 ids"):
            v.token_bytes(token)
    with pytest.raises(SpecTypeError, match="a token id is an int"):
        v.token_bytes("a")  # type: ignore[arg-type]
    assert v.token_bytes(np.int64(0)) == b"a"  # type: ignore[arg-type]


# ---- tiktoken


def test_tiktoken_with_holes() -> None:
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 300}
    encoding = tiktoken.Encoding(
        "small", pat_str=r"\w+|\W", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 310, "<|x|>": 305}
    )
    v = Vocabulary.from_tiktoken(encoding, vocab_size=320)
    assert (v.size, v.eos_ids, dict(v.special_tokens)) == (320, (310,), {"<|endoftext|>": 310, "<|x|>": 305})
    assert (v.token_bytes(300), v.token_bytes(280), v.token_bytes(305)) == (b"ab", b"", b"")
    assert joined(v, encoding.encode("ab é")) == "ab é".encode()
    assert Vocabulary.from_tiktoken(encoding, eos_ids=[305]).eos_ids == (305,)
    with pytest.raises(SpecTypeError, match=r"expected a tiktoken\.Encoding"):
        Vocabulary.from_tiktoken("gpt2")


# ---- byte-level BPE


@pytest.mark.parametrize("prefix", [False, True])
def test_byte_level(prefix: bool) -> None:
    tokenizer = byte_level(prefix=prefix)
    v = Vocabulary.from_transformers(tokenizer, eos_ids=[0])
    assert (v.kind, v.units, v.missing_bytes, v.strips_leading_space) == ("byte-level", None, frozenset(), False)
    assert v.token_bytes(0) == b"" and dict(v.special_tokens) == {"</s>": 0}
    for text in CORPUS + _samples():
        spelled = joined(v, tokenizer.encode(text).ids)
        assert spelled in ((text.encode(), b" " + text.encode()) if prefix else (text.encode(),))


def test_byte_level_without_all_bytes() -> None:
    tokenizer = byte_level(alphabet=False)
    v = Vocabulary.from_transformers(tokenizer)
    assert v.kind == "byte-level" and ord("~") in v.missing_bytes and ord("a") not in v.missing_bytes
    assert v.units is not None and b"a" in v.units
    assert joined(v, tokenizer.encode(CORPUS[3]).ids) == CORPUS[3].encode()


def test_added_tokens_are_literal_unless_special() -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("<tool é>", special=False), AddedToken("Ġxyz", special=False)])
    tokenizer.add_special_tokens(["<|im_end|>"])
    v = Vocabulary.from_transformers(tokenizer)
    assert v.tokens_of("<tool é>".encode()) == (tokenizer.token_to_id("<tool é>"),)
    assert v.tokens_of("Ġxyz".encode()) == (tokenizer.token_to_id("Ġxyz"),)
    assert v.token_bytes(v.special_tokens["<|im_end|>"]) == b""


def test_added_tokens_that_are_pieces_of_the_model_stay_pieces() -> None:
    tokenizer = byte_level()
    known = tokenizer.token_to_id("Ġfox")
    tokenizer.add_tokens([AddedToken("Ġfox", special=False)])
    assert known is not None and known == tokenizer.token_to_id("Ġfox")
    assert Vocabulary.from_transformers(tokenizer).tokens_of(b" fox") == (known,)


def test_a_wrong_decoder_loses_against_the_vocabulary(caplog: pytest.LogCaptureFixture) -> None:
    right = byte_level()
    expected = Vocabulary.from_transformers(right)
    right.decoder, right.pre_tokenizer = decoders.Metaspace(), pre_tokenizers.Metaspace()
    assert Vocabulary.from_transformers(right) == expected
    assert "holds a byte-level vocabulary but declares a metaspace decoder" in caplog.text


def test_end_of_word_suffixes_are_refused() -> None:
    tokenizer = train(
        models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"),
        lambda **kw: trainers.BpeTrainer(
            vocab_size=900,
            end_of_word_suffix="</w>",
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            **kw,
        ),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoder=decoders.ByteLevel(),
    )
    with pytest.raises(VocabularyError, match=r"Tokenizer: token \d+ \('.*</w>'\) was read as b'.*</w>', but in"):
        Vocabulary.from_transformers(tokenizer)


def test_truncation_set_by_the_caller_does_not_matter() -> None:
    tokenizer = byte_level()
    expected = Vocabulary.from_transformers(tokenizer)
    tokenizer.enable_truncation(2)
    assert Vocabulary.from_transformers(tokenizer) == expected
    assert tokenizer.truncation["max_length"] == 2


# ---- SentencePiece-like


def test_byte_fallback() -> None:
    tokenizer = byte_fallback()
    v = Vocabulary.from_transformers(tokenizer, eos_ids=[2])
    assert (v.kind, v.units, v.strips_leading_space) == ("byte-fallback", None, True)
    assert v.tokens_of(b"A") == (3 + 0x41, tokenizer.token_to_id("A"))
    assert v.tokens_of(b" foo") == (tokenizer.token_to_id("▁foo"),)
    assert v.tokens_of(b"  ") == (tokenizer.token_to_id("▁▁"),)
    for text in ("foo", " foo", "a\n\tb", "中文 😀", '{"a": [1]}'):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert joined(v, ids) == f" {text}".encode()
        assert tokenizer.decode(ids) == text


def test_byte_fallback_that_keeps_the_leading_space() -> None:
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    assert Vocabulary.from_transformers(byte_fallback(decoder)).strips_leading_space is False


def test_byte_pieces_that_decode_to_their_names_are_no_bytes() -> None:
    """As in mT5: <0x41> is in the vocabulary, but is never used and decodes to itself."""
    pieces = [("<unk>", 0.0), *((f"<0x{b:02X}>", -9.0) for b in range(256)), ("▁", -2.0), ("a", -1.0), ("▁a", -1.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    v = Vocabulary.from_transformers(tokenizer)
    assert v.kind == "unigram" and v.token_bytes(1 + 0x41) == b"" and v.units == (b" ", b"a")


def test_unigram_shows_its_holes() -> None:
    tokenizer = unigram()
    v = Vocabulary.from_transformers(tokenizer)
    assert (v.kind, v.strips_leading_space) == ("unigram", True)
    assert "<unk>" in v.special_tokens and ord("~") in v.missing_bytes
    assert v.units is not None and {b" ", b"{", "中".encode()} <= set(v.units)
    ids = tokenizer.encode("the {fox}", add_special_tokens=False).ids
    assert joined(v, ids) == b" the {fox}"


def test_unigram_whose_unknown_token_is_not_special() -> None:
    tokenizer = Tokenizer(models.Unigram([("<none>", 0.0), ("▁", -2.0), ("a", -1.0), ("▁a", -1.0)], unk_id=0))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    v = Vocabulary.from_transformers(tokenizer)
    assert dict(v.special_tokens) == {"<none>": 0} and v.token_bytes(0) == b""


def test_unigram_without_an_unknown_token() -> None:
    tokenizer = Tokenizer(models.Unigram([("▁", -2.0), ("a", -1.0), ("▁a", -1.0)]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    assert Vocabulary.from_transformers(tokenizer).units == (b" ", b"a")


def test_ids_that_share_a_piece() -> None:
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁", -2.0), ("a", -1.0), ("a", -5.0)], unk_id=0))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    assert Vocabulary.from_transformers(tokenizer).tokens_of(b"a") == (2, 3)


def test_texts_that_the_normalizer_changes_are_not_held_against_it() -> None:
    lower = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    v = Vocabulary.from_transformers(unigram(lower))
    assert ord("T") in v.missing_bytes and v.tokens_of(b"t") != ()


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_slow_sentencepiece_tokenizer(tmp_path: Path, model_type: str) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 5),
        model_writer=model,
        vocab_size=200,
        hard_vocab_limit=False,
        model_type=model_type,
        minloglevel=2,
    )
    path = tmp_path / "spiece.model"
    path.write_bytes(model.getvalue())
    tokenizer = transformers.BertGenerationTokenizer(str(path))
    assert not tokenizer.is_fast
    v = Vocabulary.from_transformers(tokenizer)
    assert (v.kind, v.strips_leading_space, v.eos_ids) == ("unigram", True, (tokenizer.eos_token_id,))
    ids = tokenizer.encode("the lazy fox", add_special_tokens=False)
    assert joined(v, ids) == b" the lazy fox"


def test_slow_byte_tokenizer() -> None:
    tokenizer = transformers.ByT5Tokenizer()
    v = Vocabulary.from_transformers(tokenizer)
    assert (v.kind, v.units, v.eos_ids) == ("bytes", None, (1,))
    assert joined(v, tokenizer.encode("é 😀", add_special_tokens=False)) == "é 😀".encode()


# ---- lossy or unreadable


def test_wordpiece_needs_consent() -> None:
    with pytest.raises(VocabularyError, match=r'is a WordPiece tokenizer.*wordpiece="lossy"'):
        Vocabulary.from_transformers(wordpiece())


def test_wordpiece_lossy() -> None:
    tokenizer = wordpiece()
    v = Vocabulary.from_transformers(tokenizer, wordpiece="lossy")
    assert (v.kind, v.strips_leading_space) == ("wordpiece", True)
    assert v.tokens_of(b" the") == (tokenizer.token_to_id("the"),)
    assert v.tokens_of(b"s") == (tokenizer.token_to_id("##s"),)
    assert joined(v, tokenizer.encode("The  lazy dog").ids) == b" the lazy dog"


def test_models_of_whole_words_are_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "<unk>": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(VocabularyError, match="tokens that spell 'ab' decode to 'a b'"):
        Vocabulary.from_transformers(tokenizer)


def test_what_cannot_be_checked_is_refused() -> None:
    tokenizer = Tokenizer(models.BPE({"中中": 0}, []))
    tokenizer.decoder = decoders.Fuse()
    with pytest.raises(VocabularyError, match="none of the sample texts"):
        Vocabulary.from_transformers(tokenizer)


@pytest.mark.parametrize("wrong", [None, 3, "gpt2", {"a": 1}])
def test_other_objects_are_refused(wrong: object) -> None:
    with pytest.raises(SpecTypeError, match="expected a tokenizer of transformers or tokenizers"):
        Vocabulary.from_transformers(wrong)


def test_misspelled_options_are_refused() -> None:
    with pytest.raises(SpecTypeError, match="wordpiece must be"):
        Vocabulary.from_transformers(byte_level(), wordpiece="lossless")


# ---- transformers tokenizers, folders, sizes, ids that end the output


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level(), eos_token="</s>", pad_token="!")
    fast.save_pretrained(folder)
    return folder


def write(folder: Path, name: str, **content: object) -> None:
    (folder / name).write_text(json.dumps(content))


def test_special_tokens_named_by_the_tokenizer_spell_nothing(model_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    v = Vocabulary.from_transformers(tokenizer)
    assert v.eos_ids == (tokenizer.eos_token_id,)
    assert v.special_tokens["!"] == tokenizer.pad_token_id and v.tokens_of(b"!") == ()


def test_a_processor_stands_for_its_tokenizer(model_folder: Path) -> None:
    class Processor:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)

    assert Vocabulary.from_transformers(Processor()) == Vocabulary.from_transformers(Processor.tokenizer)


def test_state_left_by_earlier_calls_does_not_matter(model_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    expected = Vocabulary.from_transformers(tokenizer)
    tokenizer(["some text", "more"], truncation=True, max_length=1, padding="max_length")
    assert Vocabulary.from_transformers(tokenizer) == expected


@pytest.mark.parametrize("loader", ["from_pretrained", "from_transformers"])
def test_config_files_name_the_ends_and_the_width(model_folder: Path, loader: str) -> None:
    def read(**options: Any) -> Vocabulary:
        if loader == "from_pretrained":
            return Vocabulary.from_pretrained(model_folder, **options)
        return Vocabulary.from_transformers(transformers.AutoTokenizer.from_pretrained(model_folder), **options)

    plain = read()
    assert plain.eos_ids == (0,)
    write(model_folder, "config.json", eos_token_id=5, text_config={"vocab_size": 512})
    assert (read().eos_ids, read().size) == ((5,), 512)
    write(model_folder, "generation_config.json", eos_token_id=[9, 7])
    v = read()
    assert (v.eos_ids, v.size, v.token_bytes(7), v.token_bytes(511)) == ((7, 9), 512, b"", b"")
    assert read(eos_ids=[3], vocab_size=600).eos_ids == (3,)
    assert read(vocab_size=600).size == 600
    with pytest.raises(VocabularyError, match="vocab_size is 20, but token"):
        read(vocab_size=20)


def test_special_tokens_past_the_logits_are_left_out(model_folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    size = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|image|>"]})
    assert Vocabulary.from_transformers(tokenizer).special_tokens["<|image|>"] == size
    assert "<|image|>" not in Vocabulary.from_transformers(tokenizer, vocab_size=size).special_tokens


def test_a_tokenizer_file_alone(model_folder: Path) -> None:
    v = Vocabulary.from_pretrained(model_folder / "tokenizer.json")
    assert v.eos_ids == (0,) and v.kind == "byte-level"
    (model_folder / "tokenizer_config.json").unlink()
    assert Vocabulary.from_pretrained(model_folder / "tokenizer.json").eos_ids == ()


def test_a_path_must_be_one() -> None:
    with pytest.raises(SpecTypeError, match="expected a path or a name on the Hub, not int"):
        Vocabulary.from_pretrained(3)  # type: ignore[arg-type]


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot load a tokenizer from"):
        Vocabulary.from_pretrained(tmp_path)


def test_a_damaged_config_is_named(model_folder: Path) -> None:
    (model_folder / "generation_config.json").write_text("{")
    with pytest.raises(VocabularyError, match=r"cannot read .*generation_config\.json"):
        Vocabulary.from_pretrained(model_folder)


# ---- the disk cache


def test_files_are_read_once(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Vocabulary.from_pretrained(model_folder)
    with monkeypatch.context() as patch:
        patch.setattr("constrain.vocab.tokenizers.load", None)  # calling it would fail
        again = Vocabulary.from_pretrained(model_folder)
    fields = ("kind", "name", "eos_ids", "special_tokens", "strips_leading_space")
    assert again == first and all(getattr(again, name) == getattr(first, name) for name in fields)
    for mine, theirs in zip((again.data, again.offsets), (first.data, first.offsets)):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype and mine.flags.writeable and mine.flags.c_contiguous
    write(model_folder, "generation_config.json", eos_token_id=4)
    assert Vocabulary.from_pretrained(model_folder).eos_ids == (4,)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"PK"), lambda path: np.savez(path, data=np.ones(3))])
def test_a_damaged_entry_is_made_again(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> None:
    monkeypatch.setenv("CONSTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    first = Vocabulary.from_pretrained(model_folder)
    (entry,) = (tmp_path / "cache").rglob("*.npz")
    damage(entry)
    assert Vocabulary.from_pretrained(model_folder) == first
    assert Vocabulary.from_pretrained(model_folder) == first and entry.stat().st_size > 1000


def test_an_entry_of_another_shape_is_made_again(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSTRAIN_CACHE_DIR", str(tmp_path / "cache"))
    first = Vocabulary.from_pretrained(model_folder)
    (entry,) = (tmp_path / "cache").rglob("*.npz")
    cache.store("vocabulary", entry.stem, {"data": np.zeros(3, np.uint8)}, {"unknown": 1})
    assert Vocabulary.from_pretrained(model_folder) == first


def test_importing_is_light() -> None:
    heavy = ("torch", "transformers", "tokenizers", "numba", "platformdirs", "tiktoken", "sentencepiece")
    code = f"import sys, constrain.vocab.vocabulary; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---- real tokenizers


REAL = {"gpt2": (50257, False), "llama3": (128256, False), "qwen2": (151646, False), "llama2": (32000, True)}


def long_texts() -> list[str]:
    pick = random.Random(0)
    pool = [*CORPUS, *_samples()]
    return [*("".join(pick.choices(pool, k=200)) for _ in range(5)), *(chr(c) for c in range(0x20, 0x3000, 13))]


@pytest.mark.data
@pytest.mark.parametrize("name", ["gpt2", *slow("llama2", "llama3", "qwen2")])
def test_real_tokenizers_round_trip(data_dir: Path, name: str) -> None:
    folder = data_dir / "tokenizers" / name
    if not folder.is_dir():
        pytest.skip(f"no tokenizer at {folder}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    v = Vocabulary.from_pretrained(folder)
    assert (v.size, v.strips_leading_space) == REAL[name]
    assert v.eos_ids == (tokenizer.eos_token_id,) and v.units is None
    assert v == Vocabulary.from_transformers(tokenizer) == Vocabulary.from_pretrained(folder)
    for text in long_texts():
        if v.strips_leading_space and "\u2581" in text:
            continue  # taken for a space by the encoder
        prefix = b" " if v.strips_leading_space else b""
        assert joined(v, tokenizer.encode(text, add_special_tokens=False)) == prefix + text.encode()
    assert sum(array.nbytes for array in (v.data, v.offsets, *v.trie)) < 80 * v.size
    for token in range(0, v.size, 997):
        assert v.token_bytes(token) == b"" or token in v.tokens_of(v.token_bytes(token))


@pytest.mark.data
def test_a_cached_vocabulary_needs_no_tokenizer_library(data_dir: Path) -> None:
    folder = data_dir / "tokenizers" / "llama3"
    if not folder.is_dir():
        pytest.skip(f"no tokenizer at {folder}")
    size = Vocabulary.from_pretrained(folder).size
    code = (
        "import sys; from constrain.vocab.vocabulary import Vocabulary\n"
        f"v = Vocabulary.from_pretrained({str(folder)!r})\n"
        "print(v.size, [m for m in ('torch', 'transformers', 'tokenizers', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{size} []\n"
