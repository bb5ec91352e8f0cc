"""JSON Schema to expressions and grammars."""
