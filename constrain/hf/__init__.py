"""Hugging Face: logits processor, stopping criterion, beam search, `generate`. The only part that needs torch and
transformers.

What it exports is imported when it is first asked for, so that reading tokenizers needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from constrain.hf.beams import lexical_beam_search
    from constrain.hf.generated import Generation, vocabulary_of
    from constrain.hf.generation import generate
    from constrain.hf.logits import LogitsProcessor, StoppingCriteria
    from constrain.hf.particles import SMCDecoding
    from constrain.hf.weighted import AWRSLogitsProcessor

__all__ = [
    "AWRSLogitsProcessor",
    "Generation",
    "LogitsProcessor",
    "SMCDecoding",
    "StoppingCriteria",
    "generate",
    "lexical_beam_search",
    "vocabulary_of",
]

_HOME = {
    "AWRSLogitsProcessor": "weighted",
    "LogitsProcessor": "logits",
    "SMCDecoding": "particles",
    "Generation": "generated",
    "vocabulary_of": "generated",
    "StoppingCriteria": "logits",
    "lexical_beam_search": "beams",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOME.get(name, 'generation')}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("torch", "transformers"):
            raise ModuleNotFoundError(
                f'constrain.hf.{name} needs {error.name}: python -m pip install "constrain[hf]"', name=error.name
            ) from error
        raise
