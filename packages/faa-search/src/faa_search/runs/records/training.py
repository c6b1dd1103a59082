"""What a training came to."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from faa_search.runs.records.figures import Metrics, Row, check_metrics, check_row


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a training run came to.

    Attributes:
        policy: Name of the policy.
        train: Figures of the last epoch, on augmented images.
        validation: Figures of the best epoch, or None without a validation part.
        test: Of the last epoch's weights (the best epoch's, with a validation part), or None without a test split.
        seconds: Of all epochs.
    """

    schema: ClassVar[str] = "faa-training/1"

    policy: str
    train: Annotated[Row, AfterValidator(check_row)]
    validation: Annotated[Row, AfterValidator(check_row)] | None
    test: Annotated[Metrics, AfterValidator(check_metrics)] | None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
