"""What a search measured of mirrored images."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat

from faa_search.runs.journal import Natural
from faa_search.runs.records.figures import Fraction

Difference = Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTest:
    """What networks that were fitted without flips lose on mirrored held-out images; accuracies are fractions.

    Attributes:
        accuracy: On the images as they are.
        lost: That accuracy minus the one on their mirror images; less than 0 for a gain.
        low: Lower end of its 95 % interval.
        high: Upper end.
        networks: How many were asked, each on its own held-out images.
        epochs: That each was fitted for.
        seconds: Device seconds that a network of the test's own took; 0 where the folds' networks were asked.
    """

    schema: ClassVar[str] = "faa-mirrors/1"

    accuracy: Fraction
    lost: Difference
    low: float
    high: float
    networks: Annotated[Natural, Field(ge=1)]
    epochs: Annotated[Natural, Field(ge=1)]
    seconds: NonNegativeFloat


def check_mirrors(test: MirrorTest) -> MirrorTest:
    """Return a test that was read, once its parts are found to agree.

    Raises:
        ValueError: If they do not.
    """
    if not test.low <= test.lost <= test.high:
        raise ValueError(f"a loss lies in its interval; given {test.lost:g} and {test.low:g} … {test.high:g}")
    return test
