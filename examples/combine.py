"""Constraints are values: `&` both, `|` either, `+` one after the other."""

from __future__ import annotations

import constrain

TEXTS = ["id: cat", "id: catalogue", "id: CAT", "id: 42", "cat", "none"]


def main() -> None:
    name = constrain.regex("[a-z]+") & constrain.regex(".{3,6}")  # lower case, and three to six characters
    number = constrain.regex("[0-9]+")
    spec = constrain.choice(["none"]) | constrain.regex("id: ") + (name | number)
    print(spec)

    # A vocabulary of single bytes: every text is its own list of tokens.
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    automaton = constrain.Compiler(vocab).compile(spec)
    for text in TEXTS:
        print(f"{text!r}: {'yes' if automaton.accepts(text.encode()) else 'no'}")

    # Constraints that contradict each other are refused when they are compiled.
    try:
        constrain.Compiler(vocab).compile(name & number)
    except constrain.UnsatisfiableError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
