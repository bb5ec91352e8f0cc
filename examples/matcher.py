"""Without a model: bind a constraint to a vocabulary, ask for masks, read tokens, go back, ask why."""

from __future__ import annotations

import constrain

TOKENS = [b"0", b"1", b"12", b"-", b"1-", b"a", "é".encode(), None]  # None spells nothing: here, the EOS token
EOS = 7


def main() -> None:
    vocab = constrain.Vocabulary.from_tokens(TOKENS, eos_ids=[EOS])
    # Of a tokenizer: Vocabulary.from_transformers(tokenizer), Vocabulary.from_pretrained("folder")
    automaton = constrain.Compiler(vocab).compile(constrain.regex(r"[0-9]{2}-[0-9]"))

    matcher = automaton.matcher()  # one for each sequence
    print("at the start:", matcher.allowed_token_ids().tolist())

    # The same as a bitmask, as decoding loops use it: bit i of word i // 32 is token i.
    mask = constrain.allocate_bitmask(1, vocab.size)
    matcher.fill_bitmask(mask, row=0)
    print("as a mask:", f"{mask[0, 0]:0{vocab.size}b}")

    print("after '12':", matcher.accept_token(2), matcher.allowed_token_ids().tolist())
    print("forced:", matcher.forced_bytes(), matcher.forced_tokens())
    print("'a' is read:", matcher.accept_token(5))  # False, and nothing has changed
    print("why not:", matcher.explain(5))

    print("accepted:", matcher.accept_tokens([3, 0]), "may end:", matcher.is_accepting())
    matcher.rollback(2)
    print("two back:", matcher.allowed_token_ids().tolist())
    print("'12-0' is complete:", automaton.accepts([2, 3, 0]))


if __name__ == "__main__":
    main()
