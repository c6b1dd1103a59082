"""The tree-structured Parzen estimator, by hyperopt, with its default settings.

hyperopt keeps its state in a `Trials` object; here that object is rebuilt from the history for each proposal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hyperopt import hp, tpe
from hyperopt.base import JOB_STATE_DONE, STATUS_OK, Domain, Trials

from faa_search.samplers.space import Params, PolicySpace, Scored


def suggest(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Return the parameters of highest expected improvement; a `faa_search.samplers.Sampler`.

    The first 20 proposals are random, as hyperopt has it.
    """
    domain = Domain(lambda params: 0.0, _expression(space))
    trials = Trials()
    trials.insert_trial_docs([_document(space, number, scored) for number, scored in enumerate(history)])
    trials.refresh()
    proposed = tpe.suggest([len(history)], domain, trials, seed)[0]["misc"]["vals"]
    return _params(space, {label: values[0] for label, values in proposed.items()})


def _expression(space: PolicySpace) -> dict[str, Any]:
    expression: dict[str, Any] = {}
    for use in space.uses():
        expression[f"op_{use}"] = hp.choice(f"op_{use}", range(len(space.ops)))
        expression[f"p_{use}"] = hp.uniform(f"p_{use}", 0.0, 1.0)
        expression[f"magnitude_{use}"] = hp.uniform(f"magnitude_{use}", 0.0, 1.0)
    return expression


def _document(space: PolicySpace, number: int, scored: Scored) -> dict[str, Any]:
    """Return a finished trial as hyperopt writes it; it minimises."""
    values = {
        label: [space.ops.index(str(value)) if label.startswith("op_") else value]
        for label, value in scored.params.items()
    }
    misc = {
        "tid": number,
        "cmd": ("domain_attachment", "FMinIter_Domain"),
        "workdir": None,
        "idxs": {label: [number] for label in values},
        "vals": values,
    }
    return {
        "state": JOB_STATE_DONE,
        "tid": number,
        "spec": None,
        "result": {"loss": -scored.reward, "status": STATUS_OK},
        "misc": misc,
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def _params(space: PolicySpace, values: Mapping[str, Any]) -> Params:
    return {
        label: space.ops[int(value)] if label.startswith("op_") else min(1.0, max(0.0, float(value)))
        for label, value in values.items()
    }
