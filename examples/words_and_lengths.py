"""Words that must be there, words that must not, and how long a text is: alone, and beside a JSON Schema."""

from __future__ import annotations

import constrain
from constrain import collie

TEXTS = ["A lazy dog runs home.", "A lazy dog sleeps.", "My cat saw a lazy dog run.", "A lazy dog ran"]


def main() -> None:
    phrases = constrain.lexical(include=["lazy dog", ["run", "ran", "runs"]], exclude=["cat"], words=True)
    spec = phrases & constrain.length(words=(4, 8), sentences=1)

    # A vocabulary of single bytes: every text is its own list of tokens.
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    compiler = constrain.Compiler(vocab)
    automaton = compiler.compile(spec)
    for text in TEXTS:
        print(f"{text!r}: {'yes' if automaton.accepts(text.encode()) else 'no'}")

    # Beside a schema. The shortest way to end holds what is asked for.
    book = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    schema = constrain.json_schema(book, whitespace="compact")
    matcher = compiler.compile(schema & constrain.lexical(["lazy dog"]) & constrain.length(chars=(30, 40))).matcher()
    begun = b'{"title":"The '
    matcher.accept_tokens(begun)
    print((begun + bytes(matcher.completion() or ())).decode())

    # What holds of each unit of a text, as in COLLIE; and an instruction for a model that is enforced, too.
    short = collie.each("sentence", constrain.length(words=(1, 3)) & collie.at("word", {1: "it"}))
    print(compiler.compile(short).accepts(b"It rains. It really pours!"))
    instruction = constrain.rei("<mask_0> lazy dog(0) <mask_1> <length=5>")
    print(instruction.render(), compiler.compile(instruction).accepts(TEXTS[0].encode()))

    try:
        constrain.lexical(include=["concatenate"], exclude=["cat"])
    except constrain.UnsatisfiableError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()
