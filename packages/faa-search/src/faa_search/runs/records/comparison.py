"""What a comparison came to."""

from dataclasses import dataclass
from typing import ClassVar, Literal

PairVerdict = Literal["better", "worse", "no significant difference"]


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
        low: Lower end of the difference's 95 % interval (paired t, not adjusted for the number of pairs).
        high: Upper end.
        p: Of the paired t-test, adjusted for the number of pairs (Holm).
        verdict: What the first is, against the second.
        detectable: The true difference, in percentage points, that this test would find four times in five if it had
            the spread seen here; 0 if there was no spread.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    verdict: PairVerdict
    detectable: float

    @property
    def has_spread(self) -> bool:
        """Whether the difference varied over the seeds; without, its interval has no width and shows nothing."""
        return self.detectable > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All policies, and all pairs of them."""

    schema: ClassVar[str] = "faa-comparison/1"

    policies: tuple[PolicyErrors, ...]
    pairs: tuple[Pair, ...]
