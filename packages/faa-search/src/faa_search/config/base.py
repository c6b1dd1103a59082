"""What all settings have in common."""

from collections.abc import Mapping
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
    """Frozen settings; an unknown key is an error.

    A field that came after version 0.1.0 says by ``json_schema_extra={"formerly": value}`` what runs did before it
    was there: in a run's file that lacks it, it means that, whatever its default is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def formerly(cls) -> dict[str, Any]:
        """Return the value that each field had, in effect, before it was a field; of the first fields none is said."""
        declared = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {
            name: extra["formerly"]
            for name, extra in declared.items()
            if isinstance(extra, dict) and "formerly" in extra
        }


def differences(before: Mapping[str, Any], now: Settings, *, ignoring: frozenset[str]) -> list[str]:
    """Return "key: old → new" for each setting that a run's file and the settings of today have differently.

    Args:
        before: What the file says.
        now: Today's settings.
        ignoring: Settings that may differ.
    """
    old, new = {**type(now).formerly(), **before}, now.model_dump(mode="json")
    keys = sorted((old.keys() | new.keys()) - ignoring - {"command"})
    return [f"{key}: {old.get(key)!r} → {new.get(key)!r}" for key in keys if old.get(key) != new.get(key)]
