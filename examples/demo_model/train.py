"""Trains the demo model on `corpus`: `python -m examples.demo_model.train --out DIR --steps N --seed S`.

In: a seed and a length (steps, or minutes). Out: a folder that `AutoModelForCausalLM` and `AutoTokenizer` load without
custom code, and `training.json`. Three stages: a byte-level BPE tokenizer on the first documents, a Llama of about
1.3 million parameters (AdamW, warm-up, cosine), and its loss on documents of a seed that was not trained on.

With --steps the run is a function of the seed (on one machine and one version of torch); with --minutes the cosine
follows the clock. Every document is new, drawn from the same templates as the held-out ones: the held-out loss
measures how well the model knows the templates, not how well it would read other text.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples.demo_model.corpus import documents

END, PAD = "<|endoftext|>", "<|pad|>"
END_ID, PAD_ID = 0, 1
# A word, at most two digits or a run of other marks, with the space before it: " 2023-03-14" is " 20" 23 - 03 - 14.
WORDS = r" ?\p{L}+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
HELD_OUT_BLOCKS = 128


@dataclass(frozen=True)
class Size:
    """Everything that decides the shape of the model and of a training step."""

    vocabulary: int = 2000
    hidden: int = 128
    layers: int = 5
    heads: int = 4
    inner: int = 352
    block: int = 256  # tokens the model is trained to look back on
    batch: int = 8
    tokenizer_documents: int = 40_000
    rate: float = 3e-3
    spread: float = 0.06  # of the first weights: 2.0 nats after 250 steps; 0.1: 2.2; the usual 0.02, at rate 2e-3: 2.8


SIZES = {
    "demo": Size(),
    "tiny": Size(300, hidden=32, layers=1, heads=2, inner=32, block=32, batch=2, tokenizer_documents=200),
}


@dataclass(frozen=True)
class Loss:
    """Mean loss on held-out text; the two numbers are the same loss on two scales."""

    nats_per_token: float
    bits_per_byte: float


# ---- text to tokens ----


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE of `vocabulary` entries: END is 0, PAD is 1, then the 256 bytes, then merges."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[END, PAD], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def wrapped(tokenizer: Tokenizer, longest: int) -> Any:
    """The tokenizer as transformers saves and loads it; END also opens an empty prompt."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=PAD, model_max_length=longest
    )


def cut(rng: Random, text: str) -> list[str]:
    """Half of the time the text in two pieces, so that prompts may end anywhere, even after a space.

    Without it "on " + "Tuesday" would never be seen: BPE always reads "on" + " Tuesday".
    """
    if rng.random() < 0.5:
        return [text]
    spaces = [i for i, char in enumerate(text) if char == " "]
    at = rng.choice(spaces) + 1 if spaces and rng.random() < 0.7 else rng.randrange(len(text) + 1)
    return [text[:at], text[at:]]


def whole(text: str) -> list[str]:
    """The text in one piece, as a tokenizer reads it."""
    return [text]


def blocks(tokenizer: Tokenizer, seed: int, length: int, pieces: Callable[[str], list[str]]) -> Iterator[list[int]]:
    """Blocks of `length` tokens; each starts with a document, END stands after each document, the last is cut off."""
    block: list[int] = []
    for text in documents(seed):
        for piece in pieces(text):
            block += tokenizer.encode(piece).ids
        block.append(END_ID)
        if len(block) >= length:
            yield block[:length]
            block = []


# ---- the model ----


def new_model(size: Size, seed: int) -> Any:
    """An untrained Llama with tied embeddings."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        initializer_range=size.spread,
        max_position_embeddings=2 * size.block,
        tie_word_embeddings=True,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )
    return LlamaForCausalLM(config)


def block_loss(model: Any, block: Any) -> Any:
    """Mean loss in nats of every token but the first, given those before it in its block."""
    logits = model(input_ids=block[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), block[:, 1:].flatten())


def held_out_loss(model: Any, tokenizer: Tokenizer, seed: int, length: int, count: int = HELD_OUT_BLOCKS) -> Loss:
    """The loss on `count` blocks of the documents of `seed`; END counts as a token of no bytes."""
    rows = list(islice(blocks(tokenizer, seed, length, whole), count))
    with torch.no_grad():
        losses = [float(block_loss(model, torch.tensor(rows[i : i + 16]))) for i in range(0, count, 16)]
    nats = sum(loss * len(rows[i * 16 : i * 16 + 16]) for i, loss in enumerate(losses)) / count
    size = sum(len(tokenizer.decode(row[1:]).encode()) for row in rows)
    return Loss(nats, nats * count * (length - 1) / size / math.log(2))


# ---- training ----


@dataclass(frozen=True)
class Clock:
    """How far training is, from 0 to 1: by steps if a number is given, by minutes otherwise."""

    steps: int | None
    minutes: float
    start: float

    def progress(self, step: int) -> float:
        if self.steps is not None:
            return step / self.steps
        return (time.monotonic() - self.start) / (60 * self.minutes)


def rate_factor(progress: float, warm_up: float = 0.03, floor: float = 0.02) -> float:
    """Linear warm-up, then half a cosine from 1 down to `floor`."""
    if progress < warm_up:
        return max(progress / warm_up, 0.01)
    turn = min((progress - warm_up) / (1 - warm_up), 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * turn)) / 2


def new_optimizer(model: Any, rate: float) -> Any:
    """AdamW; vectors (the norms) are not decayed."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95))


def fit(model: Any, tokenizer: Tokenizer, size: Size, seed: int, clock: Clock) -> int:
    """Trains until the clock has run out; returns the number of steps."""
    rng = Random(seed)
    stream = blocks(tokenizer, seed, size.block + 1, lambda text: cut(rng, text))
    optimizer = new_optimizer(model, size.rate)
    step = 0
    while (progress := clock.progress(step)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = size.rate * rate_factor(progress)
        loss = train_step(model, optimizer, torch.tensor(list(islice(stream, size.batch))))
        if step % 50 == 0:
            seconds = time.monotonic() - clock.start
            print(f"step {step:5}  {progress:6.1%}  loss {loss:.3f}  {seconds:5.0f} s", flush=True)
        step += 1
    return step


def train_step(model: Any, optimizer: Any, batch: Any) -> float:
    """One update; products in bfloat16, which takes two thirds of the time, weights in float32."""
    with torch.autocast("cpu", torch.bfloat16):
        loss = block_loss(model, batch)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


# ---- the run ----


def run(out: Path, size: Size, seed: int, steps: int | None = None, minutes: float = 15.0) -> dict[str, Any]:
    """Tokenizer, model, files, report; the held-out loss is that of the files, read back."""
    start = time.monotonic()
    tokenizer = train_tokenizer(islice(documents(seed), size.tokenizer_documents), size.vocabulary)
    model = new_model(size, seed)
    done = fit(model, tokenizer, size, seed, Clock(steps, minutes, time.monotonic()))
    seconds = time.monotonic() - start
    save(out, model, tokenizer)
    report = describe(out, size, seed, done, seconds)
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def save(out: Path, model: Any, tokenizer: Tokenizer) -> None:
    """Weights in float16 (half the bytes; the loss does not move), configuration and tokenizer."""
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # written for the owner alone, but a package is everybody's
    wrapped(tokenizer, model.config.max_position_embeddings).save_pretrained(out)


def describe(out: Path, size: Size, seed: int, steps: int, seconds: float) -> dict[str, Any]:
    """What training.json holds."""
    model = LlamaForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    loss = held_out_loss(model, tokenizer, seed + 1, size.block)
    return {
        "seed": seed,
        "held_out_seed": seed + 1,
        "steps": steps,
        "seconds": round(seconds),
        "threads": torch.get_num_threads(),
        "tokens_trained_on": steps * size.batch * size.block,
        "parameters": sum(p.numel() for p in model.parameters()),
        "size": asdict(size),
        "held_out_nats_per_token": round(loss.nats_per_token, 4),
        "held_out_bits_per_byte": round(loss.bits_per_byte, 4),
        "uniform_nats_per_token": round(math.log(size.vocabulary), 4),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    }


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo_model.train", description="Train the demo model.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--minutes", type=float, default=15.0, help="time to train when no --steps are given")
    parser.add_argument("--steps", type=int, help="updates to make; the same number and seed give the same model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=SIZES, default="demo")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    print(json.dumps(run(args.out, SIZES[args.size], args.seed, args.steps, args.minutes), indent=2))


if __name__ == "__main__":
    main()
