"""What an evaluation came to: a network's weights on a split of images, and on corrupted ones."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat

from faa_search.runs.records.figures import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation, as the run whose weights it is of keeps it.

    Attributes:
        at: When, in seconds since 1970.
        weights: Folder of the weights, below the run's directory.
        dataset: As it was named.
        split: test or train.
        precision: That was computed in.
        images: How many.
        loss: Mean cross-entropy, in nats.
        top1: Fraction classified correctly.
        top5: Fraction with the correct class among the five likeliest; None where there are fewer classes.
        corrupted: Mean top-1 error over corruptions and severities; None without `--corruptions`.
    """

    schema: ClassVar[str] = "faa-evaluation/1"
    again: ClassVar[str] = "faa eval makes an evaluation anew"

    at: NonNegativeFloat
    weights: str
    dataset: str
    split: str
    precision: str
    images: Annotated[int, Field(ge=1, lt=2**63)]
    loss: float
    top1: Fraction
    top5: Fraction | None
    corrupted: Fraction | None

    @property
    def key(self) -> tuple[int]:
        """When it was made, in microseconds: it tells entries apart."""
        return (round(1e6 * self.at),)
