"""What masks distort, and weights mend: the same pattern, token by token and as a distribution over texts."""

from __future__ import annotations

from collections import Counter

import torch

import constrain
from constrain.demo import load_model
from constrain.hf import generate
from constrain.sampling import Pattern

PROMPT = "The review says: rude service. Sentiment: "
WORDS = ["negative", "neutral", "nice", "not good", "positive"]


def main() -> None:
    model, tokenizer = load_model()
    torch.manual_seed(0)
    spec = constrain.choice(WORDS)

    # A mask renormalises each step: a word can win by its first letters, whatever the model thinks of its end.
    options = {"do_sample": True, "top_k": 0, "num_return_sequences": 400, "max_new_tokens": 8}
    masked = Counter(result.text for result in generate(model, tokenizer, PROMPT, spec, **options))
    result = generate(model, tokenizer, PROMPT, spec, sampler="smc", particles=400, max_new_tokens=8)[0]
    assert result.posterior is not None
    weighted = {answer.text: answer.probability for answer in result.posterior.answers}
    for word in WORDS:
        print(f"{word}: masks {masked[word] / 400:.3f}, weights {weighted.get(word, 0.0):.3f}")
    print(f"the model writes one of these with probability {2.718281828 ** result.stats['log_normalizer']:.4f}")

    # Patterns that are no automaton: `regex` is asked about proposed tokens.
    twice = Pattern(r"([a-z]{1,9})(, \1){1,3}\.")
    result = generate(model, tokenizer, "Say it twice: ", twice, sampler="smc", particles=64, max_new_tokens=16)[0]
    print(f"twice: {result.text!r} {result.finish_reason}")


if __name__ == "__main__":
    main()
