"""Beam search of one version of transformers in a process of its own: jobs in, results out, a line of JSON each.

It imports nothing of this package, so that it runs under the interpreter of an environment with an old version. The
first line of output says the versions. A job is {model, ids, force, beams, tokens, steady}; a result {seconds, forward,
rows, score}: of the call, of that in the model, the tokens generated, and the score of the best output.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any


class Timed:
    """Adds up the time that a model takes: of the processor, so that what else runs on the machine does not count."""

    def __init__(self, model: Any) -> None:
        self.model, self.seconds = model, 0.0
        self._forward, model.forward = model.forward, self._timed

    def _timed(self, *given: Any, **named: Any) -> Any:
        begin = time.process_time()
        try:
            return self._forward(*given, **named)
        finally:
            self.seconds += time.process_time() - begin

    def __deepcopy__(self, memo: Any) -> Timed:
        return self


def search(timed: Timed, job: dict[str, Any], **constraints: Any) -> dict[str, Any]:
    """Run a job with some way to constrain it."""
    import torch

    ids = torch.tensor([job["ids"]])
    steady = {"min_new_tokens": job["tokens"]} if job["steady"] else {}
    timed.seconds, begin = 0.0, time.process_time()
    output = timed.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        num_beams=job["beams"],
        do_sample=False,
        max_new_tokens=job["tokens"],
        return_dict_in_generate=True,
        output_scores=True,
        pad_token_id=timed.model.config.eos_token_id,
        **steady,
        **constraints,
    )
    seconds = time.process_time() - begin
    row = output.sequences[0, ids.shape[1] :].tolist()
    return {"seconds": seconds, "forward": timed.seconds, "row": row, "score": float(output.sequences_scores[0])}


def load(folder: str) -> Timed:
    """A model in one thread."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return Timed(AutoModelForCausalLM.from_pretrained(folder).eval())


def main() -> None:
    """Serve jobs until standard input ends."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    out = sys.stdout
    print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__}), file=out, flush=True)
    models: dict[str, Timed] = {}
    for line in sys.stdin:
        job = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            if job["model"] not in models:
                models[job["model"]] = load(job["model"])
            forced = {"force_words_ids": job["force"]} if job["force"] else {}
            result = search(models[job["model"]], job, **forced)
        print(json.dumps(result), file=out, flush=True)


if __name__ == "__main__":
    main()
