"""What a comparison shows, in sentences."""

from collections.abc import Sequence

from faa_search.measuring.comparison.statistics import EQUAL, POWER, SIGNIFICANCE
from faa_search.runs.records.comparison import Comparison, Pair


def conclusion(comparison: Comparison) -> str:
    """Return which policy is best, whether the data allow that claim, and how small a difference they would show."""
    ranked = sorted(comparison.policies, key=lambda policy: policy.mean)
    lowest = [policy.name for policy in ranked if policy.mean - ranked[0].mean < EQUAL]
    others = [policy.name for policy in ranked[len(lowest) :]]
    worse = [other for other in others if all(_is_better(comparison, name, other) for name in lowest)]
    open_ = [other for other in others if other not in worse]
    seeds = len(ranked[0].errors)
    verb = "has" if len(lowest) == 1 else "share"
    found = (
        f"{_listed(lowest, 'and')} {verb} the lowest mean test error, {ranked[0].mean:.2f} % (n = {seeds} seeds)"
        f"{_against(worse, open_)}{_best(lowest, worse, open_)}"
    )
    return f"{found}\n{_limit(_pair(comparison, ranked[0].name, ranked[1].name), seeds, len(comparison.pairs))}"


def _against(worse: Sequence[str], open_: Sequence[str]) -> str:
    """Return against whom the lowest error is significant, and against whom not."""
    if not worse:
        return f", but not significantly lower than {_listed(open_, 'or')}" if open_ else ""
    clear = f". That is significantly lower than {_listed(worse, 'and')}"
    return f"{clear}, but not than {_listed(open_, 'or')}" if open_ else clear


def _best(lowest: Sequence[str], worse: Sequence[str], open_: Sequence[str]) -> str:
    """Return which is best, if the runs tell."""
    candidates = [*lowest, *open_]
    if len(candidates) == 1:
        return ", so it is the best of these."
    among = f" of {_listed(candidates, 'and')}" if worse else ""
    return f": these runs do not show which{among} is best."


def _limit(pair: Pair, seeds: int, tests: int) -> str:
    """Return how small a difference of two policies the runs could have shown."""
    both = _listed([pair.first, pair.second], "and")
    if not pair.has_spread:
        same = "have the same error" if abs(pair.difference) < EQUAL else "differ by the same"
        return f"{both} {same} with every seed, so their spread does not show which difference could be found."
    return (
        f"With n = {seeds} and the spread seen, the test (significance level {SIGNIFICANCE}, Holm over {tests}) finds "
        f"a difference of {pair.detectable:.2f} points between {both} with a probability of {POWER}; smaller ones need "
        "more seeds."
    )


def _is_better(comparison: Comparison, one: str, other: str) -> bool:
    """Return whether the first is significantly better than the second."""
    pair = _pair(comparison, one, other)
    return pair.verdict == ("better" if pair.first == one else "worse")


def _pair(comparison: Comparison, one: str, other: str) -> Pair:
    return next(pair for pair in comparison.pairs if {pair.first, pair.second} == {one, other})


def _listed(names: Sequence[str], word: str) -> str:
    """Return names, quoted since they can be any words, as a sentence lists them."""
    quoted = [f"'{name}'" for name in names]
    return f" {word} ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
