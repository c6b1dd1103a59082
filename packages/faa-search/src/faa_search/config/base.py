"""What all settings have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

Positive = Annotated[FiniteFloat, Field(gt=0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]
Share = Annotated[FiniteFloat, Field(ge=0, lt=1)]
Probability = Annotated[FiniteFloat, Field(ge=0, le=1)]
AreaShare = Annotated[FiniteFloat, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]  # zero stands for none


def _parts(given: Any) -> Any:
    """Return the parts of a text that separates them by commas; anything else as it is."""
    return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given


Numbers = Annotated[tuple[Positive, ...], BeforeValidator(_parts)]  # on the command line: 90,180,240
Names = Annotated[tuple[str, ...], BeforeValidator(_parts)]


class Settings(BaseModel):
    """Frozen settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def differences(one: dict[str, Any], other: dict[str, Any], *, ignoring: frozenset[str]) -> list[str]:
    """Return "key: old → new" for each setting that differs between two resolved configurations."""
    keys = sorted((one.keys() | other.keys()) - ignoring)
    return [f"{key}: {one.get(key)!r} → {other.get(key)!r}" for key in keys if one.get(key) != other.get(key)]
