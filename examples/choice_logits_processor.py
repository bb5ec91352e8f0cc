"""A classifier out of a language model: `model.generate` with a logits processor, one choice out of three."""

from __future__ import annotations

import constrain
from constrain.demo import load_model
from constrain.hf import StoppingCriteria

REVIEWS = ["rude service", "lovely staff and a quiet room", "it was fine"]


def main() -> None:
    model, tokenizer = load_model()
    vocab = constrain.Vocabulary.from_transformers(tokenizer, vocab_size=model.config.vocab_size)
    automaton = constrain.Compiler(vocab).compile(constrain.choice(["positive", "negative", "neutral"]))

    processor = automaton.logits_processor()
    stop = StoppingCriteria(processor)  # saves the step for the EOS token
    for review in REVIEWS:
        inputs = tokenizer(f"The review says: {review}. Sentiment: ", return_tensors="pt")
        output = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            logits_processor=[processor],
            stopping_criteria=[stop],
            num_beams=3,  # beams, sampling, assisted decoding: the processor follows them all
            max_new_tokens=16,
        )
        label = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        print(f"{review}: {label}")


if __name__ == "__main__":
    main()
