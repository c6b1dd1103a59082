"""The tree-structured Parzen estimator, by Optuna; with the extra `optuna` installed.

Optuna keeps its state in a study; here one is rebuilt in memory from the history for each proposal.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faa_core import FaaError
from faa_search.runs.records.trials import Params
from faa_search.searching.samplers.space import PolicySpace, Scored

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

NAME = "faa-proposal"  # of the study; what Optuna logs has it
STORAGES = ("_in_memory", "_rdb.storage", "journal._storage")  # modules that announce studies
SEEDS = 2**32  # numpy's RandomState, which Optuna draws from, takes smaller ones


def suggest(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Return the parameters of highest expected improvement; a `faa_search.searching.samplers.Sampler`.

    The estimator is multivariate: all parameters of a proposal come from one kernel about one good trial, instead of
    each from a trial of its own. Optuna's documentation reports it to be the better one for a single objective, and it
    is the default since Optuna 5; asked for by name, Optuna 4 does the same. It suits this space, where p and λ of a
    good sub-policy mean little beside another's operation. The first 10 proposals are random, as Optuna has it. A
    trial whose reward is not a number counts for nothing.

    Raises:
        FaaError: If Optuna is not installed.
    """
    try:
        import optuna  # noqa: PLC0415 an optional package
    except ImportError as error:
        raise FaaError(
            "The sampler optuna needs the package optuna: pip install 'faa-search[optuna]'. Without it there is tpe."
        ) from error
    distributions = distributions_of(space)
    with in_silence(NAME):
        sampler = optuna.samplers.TPESampler(seed=seed % SEEDS, multivariate=True, constant_liar=False)
        study = optuna.create_study(study_name=NAME, direction="maximize", sampler=sampler)
    study.add_trials(
        optuna.trial.create_trial(params=dict(scored.params), distributions=distributions, value=scored.reward)
        for scored in history
        if not math.isnan(scored.reward)
    )
    proposed = study.ask(distributions).params
    return {label: proposed[label] for label in distributions}


def distributions_of(space: PolicySpace) -> "dict[str, BaseDistribution]":
    """Return the parameters of a space as Optuna has them, by label."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution  # noqa: PLC0415 an optional package

    choice, unit = CategoricalDistribution(space.ops), FloatDistribution(0.0, 1.0)  # shared: Optuna copies each trial's
    distributions: dict[str, BaseDistribution] = {}
    for use in space.uses():
        distributions |= {f"op_{use}": choice, f"p_{use}": unit, f"magnitude_{use}": unit}
    return distributions


@contextmanager
def in_silence(study: str) -> Iterator[None]:
    """Drop Optuna's announcement of one study, and what Optuna 4 says about experiments; no level changes.

    Args:
        study: Its name.
    """
    from optuna.exceptions import ExperimentalWarning  # noqa: PLC0415 an optional package

    announcing = [logging.getLogger(f"optuna.storages.{name}") for name in STORAGES]

    def of_others(record: logging.LogRecord) -> bool:
        return study not in record.getMessage()

    for logger in announcing:
        logger.addFilter(of_others)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        for logger in announcing:
            logger.removeFilter(of_others)
