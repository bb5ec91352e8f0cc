"""The `response_format` of OpenAI's API as a constraint, for a server: check it, report on it, read answers with it."""

from __future__ import annotations

import constrain

RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "description": "What to tell the user.",
            "properties": {"answer": {"type": "string", "maxLength": 200}, "sure": {"type": "boolean"}},
            "required": ["answer", "sure"],
            "additionalProperties": False,
        },
    },
}
ANSWERS = ['{"answer": "42", "sure": true}', '{"sure": true, "answer": "42"}', '{"answer": 42, "sure": true}']


def main() -> None:
    spec = constrain.from_response_format(RESPONSE_FORMAT)
    for remark in spec.report():
        print(f"{remark.status}: {remark.pointer}")

    # A vocabulary of single bytes: every text is its own list of tokens.
    vocab = constrain.Vocabulary.from_tokens([bytes([b]) for b in range(256)])
    automaton = constrain.Compiler(vocab).compile(spec)
    for answer in ANSWERS:  # members are written in the order of the schema
        print(f"{answer}: {'yes' if automaton.accepts(answer.encode()) else 'no'}")

    # What a client sends is checked before anything is generated.
    try:
        constrain.from_response_format({"type": "json_schema", "json_schema": {"schema": {"type": "int"}}})
    except constrain.SchemaError as error:
        print(f"refused at {error.pointer}: {error}")


if __name__ == "__main__":
    main()
