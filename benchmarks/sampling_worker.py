"""genlm-control on the tasks of `benchmarks.sampling`; run by its own Python, because it needs packages of its own.

In:  a JSON object on standard input: model folder, prompt ids, pattern, particles, budget, runs, threads.
Out: a JSON object on standard output: for each run its seconds, tokens, evaluations, and texts with their shares.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from typing import Any

from genlm.control import AWRS, BoolFSA, PromptedLLM
from genlm.control.constant import EOS


class Counted(AWRS):
    """Counts the tokens about which the constraint is asked."""

    asked = 0

    async def _accept(self, context: Any, token: Any, verbosity: int = 0) -> bool:
        Counted.asked += 1
        return await super()._accept(context, token, verbosity)


async def run(task: dict[str, Any], llm: Any, seed: int) -> dict[str, Any]:
    """One population of particles."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, because genlm-control resamples with it
    condition = BoolFSA.from_regex(task["pattern"]).coerce(llm, f=b"".join)
    sampler = Counted(llm, condition, seed=seed)
    Counted.asked = 0
    llm.model.clear_cache()
    begin = time.perf_counter()
    sequences = await sampler.smc(
        n_particles=task["particles"], ess_threshold=0.5, max_tokens=task["budget"], resampling_method="systematic"
    )
    seconds = time.perf_counter() - begin
    shares: dict[str, float] = defaultdict(float)
    for context, weight in zip(sequences.contexts, sequences.normalized_weights):
        if weight > 0:
            shares[b"".join(token for token in context if token is not EOS).decode()] += float(weight)
    tokens = sum(len(context) for context in sequences.contexts)
    log_normalizer = float(sequences.log_ml)
    return {
        "seconds": seconds,
        "tokens": tokens,
        "evaluations": Counted.asked,
        "shares": shares,
        "log_normalizer": log_normalizer,
    }


async def main() -> None:
    import torch

    task = json.load(sys.stdin)
    torch.set_num_threads(task["threads"])
    llm = PromptedLLM.from_name(task["model"], backend="hf")
    llm.prompt_ids = task["prompt_ids"]
    results = [await run(task, llm, seed) for seed in range(task["runs"] + 1)][1:]  # the first is for warming up
    from importlib.metadata import version

    print(json.dumps({"version": version("genlm-control"), "runs": results}))


if __name__ == "__main__":
    asyncio.run(main())
