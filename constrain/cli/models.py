"""Models, and what they generate without a constraint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from constrain.cli.output import spinner
from constrain.cli.sources import model_path, not_loaded

if TYPE_CHECKING:
    from constrain.hf.generated import Generation


def load(path_or_id: str | None) -> tuple[Any, Any]:
    """A model ready to generate, and its tokenizer; by default the embedded one."""
    place = model_path(path_or_id, "--model")
    with spinner("loading torch and the model"):
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            return _load_embedded() if path_or_id is None else _load(place)
        except (OSError, ValueError) as error:
            raise not_loaded(place, "--model", error) from error


def _load_embedded() -> tuple[Any, Any]:
    from constrain.demo import load_model

    return load_model()


def _load(place: str) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    config = AutoConfig.from_pretrained(place)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return kind.from_pretrained(place).eval(), AutoTokenizer.from_pretrained(place)


def opening(tokenizer: Any, prompt: str) -> str:
    """The prompt; for an empty one the token that opens texts, because a model continues at least one token."""
    opened = prompt or tokenizer.bos_token or tokenizer.eos_token
    if not opened:
        raise typer.BadParameter("this model cannot start from nothing; give a prompt", param_hint="--prompt")
    return str(opened)


def continuations(model: Any, tokenizer: Any, prompt: str, **options: Any) -> list[Generation]:
    """What the model makes of a prompt; `options` go to `model.generate`."""
    from constrain.hf.batch import pad_id

    inputs = tokenizer(opening(tokenizer, prompt), return_tensors="pt", return_token_type_ids=False)
    begin = time.perf_counter()
    output = model.generate(**inputs, pad_token_id=pad_id(model, tokenizer), **options)
    seconds = time.perf_counter() - begin
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return [_generation(model, tokenizer, row, seconds) for row in output[:, start:].tolist()]


def _generation(model: Any, tokenizer: Any, row: list[int], seconds: float) -> Generation:
    """The tokens up to the end of the output; what follows is padding."""
    from constrain.hf.generated import Generation

    ends = _ends(model, tokenizer)
    length = next((i for i, token in enumerate(row) if token in ends), len(row))
    text = tokenizer.decode(row[:length], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    reason = "complete" if length < len(row) else "length"
    return Generation(text, reason, tuple(row[:length]), stats={"seconds": seconds})


def _ends(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return set(ends) if isinstance(ends, list | tuple) else {ends}
