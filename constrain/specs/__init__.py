"""Front ends: text in a notation that people write, to `constrain.ir` expressions. They know nothing of tokens."""
