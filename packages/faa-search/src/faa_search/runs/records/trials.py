"""A trial of a search, as its journal has it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, get_args

from pydantic import AfterValidator, Field, NonNegativeFloat

from faa_search.runs.journal import Natural
from faa_search.settings import RewardName

Params = Mapping[str, str | float]
PARAM = re.compile(r"(op|p|magnitude)_[0-9]{1,4}_[0-9]{1,4}")


def _of_a_space(params: Params) -> Params:
    """Return parameters that some search space could have.

    Raises:
        ValueError: If one has another name, or a value that such a one has not.
    """
    for name, value in params.items():
        if PARAM.fullmatch(name) is None or isinstance(value, str) != name.startswith("op_"):
            raise ValueError(f"'{name}' with {value!r:.40} is not a parameter of a policy")
        if not isinstance(value, str) and not 0 <= value <= 1:
            raise ValueError(f"'{name}' must lie between 0 and 1, not be {value!r:.40}")
    return params


def _of_each_reward(figures: dict[str, float]) -> dict[str, float]:
    """Return figures that each reward has one of.

    Raises:
        ValueError: If one has none.
    """
    missing = [name for name in get_args(RewardName) if name not in figures]
    if missing:
        raise ValueError(f"'{missing[0]}' is missing")
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where and when a trial was scored; nothing depends on it.

    Attributes:
        at: When it was written down, in seconds since 1970.
        worker: The host's name and the process's number.
        device: As torch names it.
    """

    at: NonNegativeFloat
    worker: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate policy and how it did.

    Attributes:
        fold: Which fold's network and held-out images.
        round: Which of the fold's independent rounds.
        number: Position in its round.
        seed: Keys the proposal; follows from the search's seed, fold, round and number.
        params: See `faa_search.searching.samplers.PolicySpace`.
        reward: What the round maximises.
        standard_error: Of the reward, over the held-out images.
        metrics: Every reward's value, by name.
        errors: Every reward's standard error, by name.
        views: Draws of each held-out image.
        draws: Keys these draws; trials with the same key share their random numbers.
        seconds: To score it.
        origin: Where and when; None in journals of the first versions.
    """

    schema: ClassVar[str] = "faa-trial/1"
    not_finite: ClassVar[str] = "A standard error needs two held-out images or more."
    again: ClassVar[str] = (
        "the command of a search that is not finished scores the trial anew; a finished search keeps its policy, and "
        "--stage explore scores it anew (--stage merge, a second score)"
    )

    fold: Natural
    round: Natural
    number: Natural
    seed: Natural
    params: Annotated[Params, AfterValidator(_of_a_space)]
    reward: float
    standard_error: NonNegativeFloat
    metrics: Annotated[dict[str, float], AfterValidator(_of_each_reward)]
    errors: Annotated[dict[str, NonNegativeFloat], AfterValidator(_of_each_reward)]
    views: Annotated[Natural, Field(ge=1)]
    draws: Natural
    seconds: NonNegativeFloat
    origin: Origin | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[int, int, int]:
        """Which trial of the search it is."""
        return self.fold, self.round, self.number
