"""The tree-structured Parzen estimator, by hyperopt, with its default settings.

hyperopt would build the graphs of the space and of the posterior anew for each proposal, which takes longer than to
evaluate them. Both follow from the space alone and evaluation leaves them as they are, so they are built once, and
given the history directly instead of through a `Trials` object. The proposals are those of `hyperopt.tpe.suggest`.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from hyperopt import hp, pyll, rand, tpe
from hyperopt.base import Domain, Trials

from faa_search.runs.records.trials import Params
from faa_search.searching.samplers.space import PolicySpace, Scored

RANDOM_TRIALS = 20  # the defaults of hyperopt.tpe.suggest
CANDIDATES = 24
PRIOR_WEIGHT = 1.0
GAMMA = 0.25


def suggest(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Return the parameters of highest expected improvement; a `faa_search.searching.samplers.Sampler`.

    The first 20 proposals are random, as hyperopt has it. A trial whose reward is not a number counts for nothing.
    """
    graphs = _graphs(space)
    numbers = [number for number, scored in enumerate(history) if not math.isnan(scored.reward)]
    with warnings.catch_warnings():
        # hyperopt 0.3.0 sets the shape of arrays, which numpy 2.5 warns of.
        warnings.filterwarnings("ignore", message="Setting the shape on a NumPy array", category=DeprecationWarning)
        if len(numbers) < RANDOM_TRIALS:
            drawn = rand.suggest([len(history)], graphs.domain, Trials(), seed)[0]["misc"]["vals"]
        else:
            drawn = _from_posterior(space, graphs, history, numbers, seed)
    return _params(space, {label: values[0] for label, values in drawn.items()})


class _Graphs(NamedTuple):
    """hyperopt's graphs of a space, and the nodes of the posterior that stand for what is known of it.

    Attributes:
        domain: The space; its nodes `s_new_ids` and `s_rng` stand for the numbers of what is drawn, and the generator.
        observed: Nodes of the parameters, by idxs and vals.
        losses: Nodes of the losses, by idxs and vals.
        posterior: Gives (idxs, vals) by label.
    """

    domain: Domain
    observed: Mapping[str, Any]
    losses: Mapping[str, Any]
    posterior: Any


@lru_cache(maxsize=4)
def _graphs(space: PolicySpace) -> _Graphs:
    expression: dict[str, Any] = {}
    for use in space.uses():
        expression[f"op_{use}"] = hp.choice(f"op_{use}", range(len(space.ops)))
        expression[f"p_{use}"] = hp.uniform(f"p_{use}", 0.0, 1.0)
        expression[f"magnitude_{use}"] = hp.uniform(f"magnitude_{use}", 0.0, 1.0)
    domain = Domain(lambda params: 0.0, expression)
    return _Graphs(domain, *tpe.build_posterior_wrapper(domain, PRIOR_WEIGHT, GAMMA))


def _from_posterior(
    space: PolicySpace, graphs: _Graphs, history: Sequence[Scored], numbers: Sequence[int], seed: int
) -> Mapping[str, Sequence[Any]]:
    """Return the values of each label, the best candidate first."""
    index: dict[Any, int] = {name: at for at, name in enumerate(space.ops)}
    values = {}
    for label in graphs.domain.params:
        known_values = [history[number].params[label] for number in numbers]
        values[label] = [index[value] for value in known_values] if label.startswith("op_") else known_values
    first = len(history) + 2
    known = {
        graphs.domain.s_new_ids: range(first, first + CANDIDATES),
        graphs.domain.s_rng: np.random.default_rng(seed),
        graphs.losses["idxs"]: numbers,
        graphs.losses["vals"]: [-history[number].reward for number in numbers],  # it minimises
        graphs.observed["idxs"]: dict.fromkeys(values, numbers),
        graphs.observed["vals"]: values,
    }
    _idxs, drawn = pyll.rec_eval(graphs.posterior, memo=known, memo_gc=False, print_node_on_error=False)
    best: Mapping[str, Sequence[Any]] = drawn
    return best


def _params(space: PolicySpace, values: Mapping[str, Any]) -> Params:
    return {
        label: space.ops[int(value)] if label.startswith("op_") else min(1.0, max(0.0, float(value)))
        for label, value in values.items()
    }
