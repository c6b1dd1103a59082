"""What a comparison shows, in sentences."""

from collections.abc import Sequence

from faa_search.comparison.statistics import LEVEL, POWER, Comparison, Pair


def conclusion(comparison: Comparison) -> str:
    """Return which policy is best, whether the data allow to say so, and how small a difference they would show."""
    best, *others = sorted(comparison.policies, key=lambda policy: policy.mean)
    pairs = {other.name: _pair(comparison, best.name, other.name) for other in others}
    worse = [name for name, pair in pairs.items() if pair.verdict == ("better" if pair.first == best.name else "worse")]
    open_ = [name for name in pairs if name not in worse]
    found = f"{best.name} has the lowest mean test error, {best.mean:.2f} % (n = {len(best.errors)} seeds)"
    if not open_:
        found += f". That is significantly lower than {_listed(worse, 'and')}, so it is the best of these."
    elif not worse:
        found += f", but not significantly lower than {_listed(open_, 'or')}: these runs do not tell which is best."
    else:
        found += (
            f". That is significantly lower than {_listed(worse, 'and')}, but not than {_listed(open_, 'or')}: "
            "these runs do not tell which of those is best."
        )
    return f"{found}\n{_limit(pairs[others[0].name], len(best.errors), len(comparison.pairs))}"


def _limit(pair: Pair, seeds: int, tests: int) -> str:
    """Return how small a difference of two policies the runs could have shown."""
    both = f"{pair.first} and {pair.second}"
    if pair.detectable == 0:
        return f"{both} differ by the same with every seed, so their spread does not tell what could be found."
    return (
        f"With n = {seeds} and the spread seen, the test (level {LEVEL}, Holm over {tests}) finds a difference of "
        f"{pair.detectable:.2f} points between {both} with a probability of {POWER}; smaller ones need more seeds."
    )


def _pair(comparison: Comparison, one: str, other: str) -> Pair:
    return next(pair for pair in comparison.pairs if {pair.first, pair.second} == {one, other})


def _listed(names: Sequence[str], word: str) -> str:
    """Return names as a sentence lists them."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
