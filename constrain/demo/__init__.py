"""A small causal language model inside the package, so that `constrain demo` needs no download.

In: nothing. Out: `load_model()` gives a Hugging Face model and its tokenizer; `MODEL_PATH` is the folder they are
read from, for `AutoModelForCausalLM` and `AutoTokenizer`. `corpus` makes the text, `train` the model, and
`model/training.json` says how and how well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODEL_PATH = Path(__file__).parent / "model"


def load_model(device: str = "cpu") -> tuple[Any, Any]:
    """The demo model, in float32 and ready to generate, and its tokenizer.

    >>> model, tokenizer = load_model()
    >>> model.config.vocab_size
    2000
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        message = f'the demo model needs torch and transformers ({error}): pip install "constrain[hf]"'
        raise ImportError(message) from error
    tokenizer = AutoTokenizer.from_pretrained(MODEL_PATH)
    with no_progress_bar():
        model = AutoModelForCausalLM.from_pretrained(MODEL_PATH, dtype=torch.float32)
    return model.to(device).eval(), tokenizer


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Without the bar that transformers draws while it reads weights."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
