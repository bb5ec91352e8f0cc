"""Molecules: a grammar of SMILES as a mask, and valences, which no grammar can count, as a checker."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np

import constrain
from constrain.sampling import Product, smc

VALENCES = {"B": 3, "C": 4, "N": 3, "O": 2, "P": 5, "S": 6, "F": 1, "Cl": 1, "Br": 1, "I": 1}
TOKENS = [b"C", b"N", b"O", b"F", b"=", b"#", b"(", b")", b"1", b"CC", b"C=O", None]  # None ends a molecule
WEIGHTS = [4, 1, 2, 1, 1, 0.5, 1, 1, 1, 2, 1, 2]
SYMBOL = re.compile(r"Cl|Br|[BCNOPSFI]|[-=#()0-9]")


def fits(text: str, complete: bool) -> bool:
    """No atom has more bonds than it can have, and in the end every ring is closed. (Bonds only ever become more.)"""
    known = not re.sub(SYMBOL, "", text)  # no aromatic atoms, ions, isotopes
    atoms, bonds, branches, rings, last, order = [], Counter(), [], {}, -1, 1
    for symbol in SYMBOL.findall(text if complete else re.sub(r"[BC]\Z", "", text)):  # B and C, or Br and Cl
        ends = []
        if symbol in VALENCES:
            atoms.append(symbol)
            ends, last = [end for end in (last, len(atoms) - 1) if last >= 0], len(atoms) - 1
        elif symbol in "-=#":
            order = "-=#".index(symbol) + 1
        elif symbol == "(":
            branches.append(last)
        elif symbol == ")":
            last = branches.pop()
        elif symbol in rings:
            ends = [last, rings.pop(symbol)]
        else:
            rings[symbol] = last
        bonds.update(dict.fromkeys(ends, order))
        order = 1 if ends else order
    return known and all(bonds[i] <= VALENCES[atom] for i, atom in enumerate(atoms)) and not (complete and rings)


def model(prefixes: list[tuple[int, ...]]) -> np.ndarray:
    """Stands for a language model: log-probabilities of the next token after each prefix, by its last token."""
    table = np.log(np.random.default_rng(1).dirichlet(WEIGHTS, size=len(TOKENS)))
    return np.array([table[prefix[-1] if prefix else 0] for prefix in prefixes])


def main() -> None:
    vocabulary = constrain.Vocabulary.from_tokens(TOKENS, eos_ids=[len(TOKENS) - 1])
    rng, checker = np.random.default_rng(0), Product([constrain.grammar_file("smiles"), fits])
    posterior = smc(model, checker, vocabulary, particles=500, max_tokens=12, rng=rng)
    for answer in posterior.answers[:6]:
        print(f"{answer.probability:.3f} {answer.text}")
    print(f"a molecule with probability {math.exp(posterior.log_normalizer):.4f}")


if __name__ == "__main__":
    main()
