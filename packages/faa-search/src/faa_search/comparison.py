"""Training several policies on an equal budget, over seeds, and saying in words what the errors show."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from accelerate import Accelerator
from scipy import stats

from faa_core import FaaError, Policy
from faa_search.progress import Reporter, Silent
from faa_search.run_directory import slug
from faa_search.training import TrainConfig, make_accelerator, train

LEVEL = 0.05
EQUAL = 1e-9  # percentage points; far below one image of any test split, above rounding

Verdict = Literal["better", "worse", "no significant difference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyErrors:
    """Test errors of one policy.

    Attributes:
        name: The policy's.
        errors: One per seed, in per cent.
        mean: Of the errors.
        low: Lower end of the mean's 95 % interval (Student's t over the seeds).
        high: Upper end.
    """

    name: str
    errors: tuple[float, ...]
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two policies trained with the same seeds.

    Attributes:
        first: Name.
        second: Name.
        difference: Mean error of the first minus the second's, in percentage points; negative: the first is better.
        low: Lower end of the difference's 95 % interval (paired t).
        high: Upper end.
        p: Of the paired t-test, adjusted for the number of pairs (Holm).
        verdict: What the first is, against the second.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All policies, and all pairs of them."""

    policies: tuple[PolicyErrors, ...]
    pairs: tuple[Pair, ...]


def compare_policies(
    config: TrainConfig,
    policies: Mapping[str, Policy],
    output: str | Path,
    *,
    seeds: Sequence[int],
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
) -> Comparison:
    """Train with every policy and seed, and compare the test errors; the same call again resumes.

    Args:
        config: One training run's settings; its seed and policy are replaced.
        policies: By the name to show.
        output: Directory; each run has its own inside.
        seeds: At least two; a seed keys weights, order and augmentation, never which images are used.
        reporter: Shown the progress.
        accelerator: Processes and device.

    Raises:
        FaaError: If a training run does, there is no test split, or the seeds are too few.
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise FaaError(f"A comparison needs at least two seeds, each once; given {list(seeds)}.")
    shown: Reporter = reporter or Silent()
    device = accelerator or make_accelerator(config.device)
    errors: dict[str, list[float]] = {name: [] for name in policies}
    with shown.track("Training runs", len(policies) * len(seeds)) as advance:
        for seed, (name, policy) in itertools.product(seeds, policies.items()):
            run = config.model_copy(update={"seed": seed, "policy": name})
            result = train(run, Path(output, f"{slug(name)}-{seed}"), policy=policy, accelerator=device)
            if result.test is None:
                raise FaaError("A comparison needs a test split; --test-fraction holds a part out for it.")
            errors[name].append(100 * (1 - result.test.top1))
            advance(f"{name}: {errors[name][-1]:.2f} % error")
    return summarise(errors)


def summarise(errors: Mapping[str, Sequence[float]]) -> Comparison:
    """Return means, intervals and paired tests of errors in per cent, one per policy and seed.

    Args:
        errors: By policy; position i of every policy is of the same seed. At least two seeds.
    """
    return Comparison(
        policies=tuple(_policy_errors(name, values) for name, values in errors.items()),
        pairs=_pairs(errors),
    )


def _policy_errors(name: str, values: Sequence[float]) -> PolicyErrors:
    mean, reach = _mean_and_reach(np.asarray(values))
    return PolicyErrors(name=name, errors=tuple(values), mean=mean, low=mean - reach, high=mean + reach)


def _pairs(errors: Mapping[str, Sequence[float]]) -> tuple[Pair, ...]:
    names = list(itertools.combinations(errors, 2))
    gaps = [np.asarray(errors[first]) - np.asarray(errors[second]) for first, second in names]
    adjusted = holm([_p_value(gap) for gap in gaps])
    pairs = []
    for (first, second), gap, p in zip(names, gaps, adjusted, strict=True):
        mean, reach = _mean_and_reach(gap)
        verdict: Verdict = "no significant difference" if p > LEVEL else "better" if mean < 0 else "worse"
        pairs.append(
            Pair(
                first=first,
                second=second,
                difference=mean,
                low=mean - reach,
                high=mean + reach,
                p=p,
                verdict=verdict,
            )
        )
    return tuple(pairs)


def _mean_and_reach(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), float(stats.t.ppf(1 - LEVEL / 2, len(values) - 1)) * error


def _p_value(gap: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return the two-sided p of the paired t-test that the mean gap is zero."""
    if np.ptp(gap) < EQUAL:  # equal gaps leave the statistic undefined; their signs alone say no more than this
        return 1.0 if abs(gap[0]) < EQUAL else 2 * 0.5 ** len(gap)
    return float(stats.ttest_1samp(gap, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for testing all of them (Holm 1979): the smallest times n, the next times n − 1 …."""
    order = np.argsort(p_values)
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted
