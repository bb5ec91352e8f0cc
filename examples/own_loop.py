"""A decoding loop of your own: numpy logits, a bitmask a step, a batch in which each row has its constraint."""

from __future__ import annotations

import numpy as np

import constrain

TOKENS = [bytes([b]) for b in range(32, 127)] + [b"the ", b"cat", b"10", None]
EOS = len(TOKENS) - 1


def logits(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Stands for the model: a score for each token of each row."""
    return rng.normal(size=(batch, len(TOKENS))).astype(np.float32)


def main() -> None:
    vocab = constrain.Vocabulary.from_tokens(TOKENS, eos_ids=[EOS])
    compiler = constrain.Compiler(vocab)
    specs = [constrain.regex(r"(the )?cat[a-z]{0,4}"), constrain.regex(r"[0-9]+\.[0-9]{2}"), constrain.choice(["a b"])]
    matchers = [compiler.compile(spec).matcher() for spec in specs]
    mask = constrain.allocate_bitmask(len(matchers), vocab.size)
    outputs: list[list[int]] = [[] for _ in matchers]

    rng = np.random.default_rng(0)
    while not all(matcher.is_terminated() for matcher in matchers):
        scores = logits(rng, len(matchers))
        constrain.fill_bitmasks(matchers, mask)
        allowed = np.unpackbits(mask.view(np.uint8), axis=1, count=vocab.size, bitorder="little").astype(bool)
        best = np.where(allowed, scores, -np.inf).argmax(1)
        for matcher, output, token in zip(matchers, outputs, best.tolist()):
            if not matcher.is_terminated():
                matcher.accept_token(token)
                output.append(token)

    for spec, output in zip(specs, outputs):
        text = b"".join(vocab.token_bytes(token) for token in output).decode()
        print(f"{spec!r}: {text!r} in {len(output)} tokens")


if __name__ == "__main__":
    main()
