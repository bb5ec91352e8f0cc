"""A causal Hugging Face model and its tokenizer, and clear words where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from constrain.demo import no_progress_bar


class Unavailable(ValueError):
    """What a run needs is not there; the message says what, and what to do."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to read tokens."""

    name: str
    model: Any
    tokenizer: Any
    width: int
    """Of the logits: the number of tokens an engine has to decide about."""
    eos_ids: tuple[int, ...]
    """Every token that ends the model's output; engines allow all of them where the text may end."""
    context: int | None
    """Tokens that the model can read, prompt and output together; None if it does not say."""

    @property
    def is_chat(self) -> bool:
        """Whether the tokenizer knows how turns of a conversation are written."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    @property
    def is_stateful(self) -> bool:
        """Whether its state is no cache of keys and values (Mamba and others): such models read token by token."""
        return bool(getattr(self.model, "_is_stateful", False))

    def encode(self, text: str, *, rendered: bool = False) -> list[int]:
        """The tokens of a prompt. What a chat template has rendered has its special tokens already."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=not rendered, verbose=False)["input_ids"]
        return ids

    def decode(self, tokens: list[int]) -> str:
        """The text of generated tokens, without any clean-up."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def load(name: str, device: str | None = None) -> Loaded:
    """A model from a folder or from the hub. Raises Unavailable.

    `device` is one of PyTorch's, or "auto" to spread a large model over several (needs the package accelerate); the
    default is the GPU if there is one. Weights keep the type in which they are stored.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise Unavailable(f'a model needs torch and transformers ({error}): pip install "constrain[hf]"') from None
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise Unavailable(f"no folder {name}; name the folder of a model, or its id on the hub")
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    source = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        with no_progress_bar():
            model = AutoModelForCausalLM.from_pretrained(
                source, dtype="auto", device_map="auto" if where == "auto" else None
            )
        model = model.eval() if where == "auto" else model.to(where).eval()
    except Exception as error:  # transformers raises many kinds
        reason = " ".join(str(error).split())[:300]
        if is_memory(error):
            raise Unavailable(f"{name} does not fit on {where}; try a smaller one, or device auto: {reason}") from None
        raise Unavailable(
            f"{name} cannot be loaded as a causal model on {where}: {type(error).__name__}: {reason}"
        ) from None
    return of(name, model, tokenizer)


def of(name: str, model: Any, tokenizer: Any) -> Loaded:
    """A model that is in memory already. Raises Unavailable if nothing can end its output."""
    config = model.config.get_text_config()
    candidates = (model.generation_config.eos_token_id, tokenizer.eos_token_id)
    eos = next((candidate for candidate in candidates if candidate is not None), None)
    if eos is None:
        raise Unavailable(
            f"{name} names no end-of-sequence token, neither in its generation config nor in its tokenizer"
        )
    eos_ids = (eos,) if isinstance(eos, int) else tuple(eos)
    context = next((getattr(config, key) for key in CONTEXT if isinstance(getattr(config, key, None), int)), None)
    return Loaded(name, model, tokenizer, config.vocab_size, eos_ids, context)


def is_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the device or beside it."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len")
"""Where configs say how many tokens a model reads."""
