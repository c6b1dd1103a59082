"""Errors of several policies, paired by seed: means, intervals, tests adjusted for their number."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from faa_search.runs.records.comparison import Comparison, Pair, PairVerdict, PolicyErrors

SIGNIFICANCE = 0.05
POWER = 0.8
EQUAL = 1e-9  # percentage points; far below one image of any test split, above rounding


def summarise(errors: Mapping[str, Sequence[float]]) -> Comparison:
    """Return means, intervals and paired tests of errors in per cent, one per policy and seed.

    Args:
        errors: By policy; position i of every policy is of the same seed. At least two seeds.
    """
    return Comparison(
        policies=tuple(_policy_errors(name, values) for name, values in errors.items()),
        pairs=_pairs(errors),
    )


def check_comparison(comparison: Comparison) -> Comparison:
    """Return a comparison that was read, once all in it is found to follow from its errors.

    Raises:
        ValueError: If something does not, or the errors are none.
    """
    errors = {policy.name: policy.errors for policy in comparison.policies}
    if len(errors) < len(comparison.policies) or len(errors) < 2:
        raise ValueError("it must have two policies or more, each once")
    if len({len(values) for values in errors.values()}) > 1 or len(comparison.policies[0].errors) < 2:
        raise ValueError("every policy must have as many errors as the others, and two at least")
    if not all(0 <= value <= 100 for values in errors.values() for value in values):
        raise ValueError("an error must lie between 0 and 100 %")
    if not _alike(asdict(comparison), asdict(summarise(errors))):
        raise ValueError("its means, intervals or tests do not follow from its errors")
    return comparison


def _alike(one: Any, other: Any) -> bool:
    """Return whether two documents have the same content, up to what libraries of other versions round otherwise."""
    if isinstance(one, dict):
        return all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return bool(one == other)


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
        verdict: PairVerdict = "no significant difference" if p > SIGNIFICANCE else "better" if mean < 0 else "worse"
        pairs.append(
            Pair(
                first=first,
                second=second,
                difference=mean,
                low=mean - reach,
                high=mean + reach,
                p=p,
                verdict=verdict,
                detectable=detectable(gap, tests=len(names)),
            )
        )
    return tuple(pairs)


def detectable(gap: NDArray[np.float64], *, tests: int) -> float:
    """Return the true mean gap that a paired t-test finds with probability 0.8, if the gaps spread as given.

    It is δ · s / √n, s the standard deviation, where a noncentral t with noncentrality δ and n − 1 degrees of freedom
    exceeds the test's critical value t(1 − α / 2m) with that probability.

    Args:
        gap: Shape ``[n]``, one difference per seed; n ≥ 2.
        tests: How many tests, m, are made; Holm's adjustment starts at α / m.
    """
    if np.ptp(gap) < EQUAL:
        return 0.0
    freedom = len(gap) - 1
    critical = float(stats.t.ppf(1 - SIGNIFICANCE / (2 * tests), freedom))

    def lacking(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, freedom, noncentrality)) - POWER

    # Twice the critical value and some is found with probability 0.95 and more, however few the degrees of freedom.
    noncentrality = float(optimize.brentq(lacking, 0.0, 2 * critical + 5))
    return noncentrality * float(gap.std(ddof=1)) / math.sqrt(len(gap))


def _mean_and_reach(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), float(stats.t.ppf(1 - SIGNIFICANCE / 2, len(values) - 1)) * error


def _p_value(gap: NDArray[np.float64]) -> float:
    """Return the two-sided p of the paired t-test that the mean gap is zero."""
    if np.ptp(gap) < EQUAL:  # equal gaps leave the statistic undefined; their signs alone show no more than this
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
