"""What a search came to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat

from faa_core import Policy, SubPolicies
from faa_search.runs.journal import Natural
from faa_search.settings import RewardName

ControlVerdict = Literal["better than", "worse than", "not significantly different from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How one control compares with the found policy.

    A control of several random policies stands for all of their kind: the interval of the difference holds for one
    more, so a found policy that is no better than such a one is not called better.

    Attributes:
        name: Which control.
        reward: Mean over folds and, of random policies, over several of them.
        difference: Found minus control, on the same images.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        verdict: The found policy is … the control.
    """

    name: str
    reward: float
    difference: float
    low: float
    high: float
    verdict: ControlVerdict


def in_words(controls: Sequence[Control]) -> str:
    """Return what the comparison shows, in a sentence."""
    parts = []
    for verdict in ("better than", "worse than", "not significantly different from"):
        names = [row.name for row in controls if row.verdict == verdict]
        if names:
            listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
            parts.append(f"{verdict} {listed}")
    return f"On the images it was chosen on, the found policy scores {', '.join(parts)}."


def check_control(control: Control) -> Control:
    """Return a comparison that was read, once its parts are found to agree.

    Raises:
        ValueError: If they do not.
    """
    if not control.low <= control.difference <= control.high or control.reward > 1:
        raise ValueError(
            f"a reward is at most 1, and a difference lies in its interval; given {control.reward:g} and "
            f"{control.difference:g} in {control.low:g} … {control.high:g}"
        )
    if control.verdict != verdict_of(control.low, control.high):
        raise ValueError(
            f"the interval {control.low:g} … {control.high:g} does not allow the verdict '{control.verdict}'"
        )
    return control


def verdict_of(low: float, high: float) -> ControlVerdict:
    """Return the verdict of an interval of the difference, found minus control."""
    return "better than" if low > 0 else "worse than" if high < 0 else "not significantly different from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How well a reward predicts the accuracy.

    Attributes:
        reward: Which.
        spearman: Rank correlation with the mean accuracy; None where all rewards or accuracies are equal.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    reward: RewardName
    spearman: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the trainings came to.

    Attributes:
        policies: How many trials were trained with.
        seeds: Trainings of each.
        epochs: Of each training.
        accuracy_without: Mean accuracy without a policy.
        lowest: Mean accuracy of the worst trial's policy.
        highest: And of the best's.
        correlations: One for each reward.
    """

    policies: int
    seeds: int
    epochs: int
    accuracy_without: float
    lowest: float
    highest: float
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a search that one process did, or a part of it: each resumption adds an entry.

    Attributes:
        name: As the algorithm calls it.
        began: In seconds since 1970.
        seconds: Until it was finished, or stopped.
    """

    schema: ClassVar[str] = "faa-stage/1"
    again: ClassVar[str] = "only the seconds of this stage are lost"

    name: str
    began: NonNegativeFloat
    seconds: NonNegativeFloat

    @property
    def key(self) -> tuple[int]:
        """When it began, in microseconds: it tells entries apart."""
        return (round(1e6 * self.began),)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to, whatever its algorithm.

    Attributes:
        policy: The found policy, of any kind.
        seconds: That the work took, on all devices and in all processes' lifetimes together.
        figures: What was measured of the policy or counted on the way, by name; the objective comes first.
        controls: How it compares with policies that need no search; empty if the algorithm compares with none.
        complete: Whether everything was done; a budget may end a search before.
        budget: What it had.
        notes: Sentences that are told with the result.
        details: What else the algorithm keeps, as JSON has it.
    """

    policy: Policy
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    controls: Sequence[Control] = ()
    complete: bool = True
    budget: str | None = None
    notes: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """How it compares with the controls, in a sentence; empty without any."""
        return in_words([replace(row, name=f"'{row.name}'") for row in self.controls]) if self.controls else ""


@dataclass(frozen=True, kw_only=True)
class SearchResult(Found):
    """What a search among trials came to: Fast AutoAugment's, or the random one's.

    Attributes:
        policy: The sub-policies of the best trials.
        reward: Its mean reward over the folds; it was chosen on the same images, which flatters it.
        trials: How many were scored.
        planned: How many there were to be; a budget may end a search before.
        fitting: The part of the seconds that the folds took.
        audit: How well the rewards predict the accuracy, if that was asked for.
    """

    policy: SubPolicies
    reward: float
    trials: int
    planned: int
    fitting: float
    audit: Audit | None = None
    figures: Mapping[str, float] = field(init=False)
    complete: bool = field(init=False)

    def __post_init__(self) -> None:
        """Say in the terms of every search what these figures mean."""
        object.__setattr__(self, "figures", {"reward": self.reward, "trials": self.trials, "planned": self.planned})
        object.__setattr__(self, "complete", self.trials >= self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsFile:
    """A `SearchResult` but for policy and audit, as ``result.json`` has it."""

    schema: ClassVar[str] = "faa-search/1"

    reward: Annotated[float, Field(le=1)]  # the largest accuracy; a loss with its sign changed is at most 0
    controls: list[Annotated[Control, AfterValidator(check_control)]]
    trials: Annotated[Natural, Field(ge=1)]
    planned: Annotated[Natural, Field(ge=1)]
    seconds: NonNegativeFloat
    fitting: NonNegativeFloat
    budget: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """What another algorithm's search came to but for the policy, as ``result.json`` has it.

    Attributes:
        policy: Digest of the policy beside it.
    """

    schema: ClassVar[str] = "faa-found/1"

    policy: str
    seconds: NonNegativeFloat
    figures: dict[str, float]
    controls: list[Control]
    complete: bool
    budget: str | None = None
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


def check_figures(figures: TrialsFile) -> TrialsFile:
    """Return figures that were read, once the differences are found to be those of the rewards.

    Raises:
        ValueError: If one is not.
    """
    for row in figures.controls:
        if not math.isclose(row.difference, figures.reward - row.reward, rel_tol=1e-6, abs_tol=1e-6):
            raise ValueError(f"the difference from '{row.name}' is not that of the two rewards")
    return figures
