"""Random search: every trial drawn uniformly from the space."""

from collections.abc import Sequence

import numpy as np

from faa_core.randomness import key_of, uniforms
from faa_search.runs.records.trials import Params
from faa_search.searching.samplers.space import PolicySpace, Scored


def suggest(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Return uniform parameters; a `faa_search.searching.samplers.Sampler`."""
    uses = space.uses()
    rows = uniforms(key_of("uniform", seed), np.arange(len(uses)), 3).tolist()
    params: dict[str, str | float] = {}
    for use, (choice, p, magnitude) in zip(uses, rows, strict=True):
        params |= {f"op_{use}": space.ops[int(choice * len(space.ops))], f"p_{use}": p, f"magnitude_{use}": magnitude}
    return params
