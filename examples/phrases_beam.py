"""Words that a text has to hold, and must not hold: beam search that finds a place for them."""

from __future__ import annotations

import constrain
from constrain.demo import load_model
from constrain.hf import generate, lexical_beam_search


def main() -> None:
    model, tokenizer = load_model()  # or any other model and its tokenizer
    prompt = "Ada Lindqvist lives in Uppsala, Sweden. "

    # "bicycle", one of two colours, and nothing about e-mail.
    spec = constrain.lexical(include=["bicycle", ["red", "blue"]], exclude=["e-mail"], words=True)
    (found,) = generate(model, tokenizer, prompt, spec, sampler="beam", num_beams=8, max_new_tokens=40)
    print(f"{found.text.strip()}  {found.finish_reason}")

    # In generate(), as earlier versions of transformers had it: token ids, and no tokenizer is needed.
    inputs = tokenizer(prompt.rstrip(), return_tensors="pt", return_token_type_ids=False)
    force_words_ids = tokenizer([" bicycle", " doctor"], add_special_tokens=False)["input_ids"]
    output = model.generate(
        **inputs,
        custom_generate=lexical_beam_search,
        force_words_ids=force_words_ids,
        num_beams=8,
        max_new_tokens=40,
        do_sample=False,
        return_dict_in_generate=True,
    )
    text = tokenizer.decode(output.sequences[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    print(f"{text.strip()}  {output.constraint_satisfied.tolist()}")


if __name__ == "__main__":
    main()
