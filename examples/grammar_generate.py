"""SQL out of a language model: a grammar of the library, complete within its budget, forced text for free."""

from __future__ import annotations

import torch

import constrain
from constrain.demo import load_model
from constrain.hf import generate

TRANSFER = r"""
start: "TRANSFER " AMOUNT " FROM " account " TO " account ";"
account: NAME | "(" account ")"
AMOUNT: /[1-9][0-9]{0,3}\.[0-9]{2}/
NAME: /[a-z]+/
"""


def main() -> None:
    model, tokenizer = load_model()
    torch.manual_seed(0)
    for name, spec in [("sql", constrain.grammar_file("sql")), ("own", constrain.grammar(TRANSFER))]:
        result = generate(model, tokenizer, "As a statement: ", spec, max_new_tokens=40, do_sample=True)[0]
        forced = int(result.stats["forced_tokens"])
        print(f"{name}: {result.text!r}")
        print(f"  {result.finish_reason}; {forced} of {len(result.token_ids)} tokens forced")


if __name__ == "__main__":
    main()
