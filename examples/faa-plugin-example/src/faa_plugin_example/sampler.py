"""A hill climber: each trial is the best one so far with a single operation drawn anew."""

import math
from collections.abc import Sequence

from faa_core.randomness import key_of
from faa_search.searching.samplers import Params, PolicySpace, Scored
from faa_search.searching.samplers.uniform import suggest as uniform

FIRST = 5  # trials that are random


def suggest(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Return the next trial's parameters, which depend on the arguments alone.

    Args:
        space: Of policies.
        history: The round's trials so far, in order; the reward of one that failed is NaN.
        seed: Of this trial.
    """
    drawn = uniform(space, [], seed)
    scored = [trial for trial in history if math.isfinite(trial.reward)]
    if len(scored) < FIRST:
        return drawn
    best = max(scored, key=lambda trial: trial.reward)
    uses = space.uses()
    use = uses[key_of("nearby", seed) % len(uses)]
    return {**best.params, **{f"{kind}_{use}": drawn[f"{kind}_{use}"] for kind in ("op", "p", "magnitude")}}
