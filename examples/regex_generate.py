"""A prompt, a pattern, a text that matches: the shortest way in, with the model that comes with the package."""

from __future__ import annotations

import constrain
from constrain.demo import load_model
from constrain.hf import generate


def main() -> None:
    model, tokenizer = load_model()  # or AutoModelForCausalLM and AutoTokenizer, of any model

    date = constrain.regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
    mail = constrain.regex(r"[a-z]+\.[a-z]+@example\.com")
    prompts = ["The meeting is on ", "Ada Lindqvist lives in Uppsala. Her e-mail address is "]

    # One constraint for all prompts, or one for each. Further options go to model.generate.
    for prompt, found in zip(prompts, generate(model, tokenizer, prompts, [date, mail], do_sample=False)):
        print(f"{prompt}[{found.text}]  {found.finish_reason}")

    # A text that max_new_tokens cuts short says so.
    (cut,) = generate(model, tokenizer, prompts[0], date, max_new_tokens=3, do_sample=False)
    print(f"{prompts[0]}[{cut.text}]  {cut.finish_reason}")


if __name__ == "__main__":
    main()
