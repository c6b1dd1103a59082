"""What all settings have in common."""

import inspect
import os
import re
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from faa_search.settings.lists import parts_of
from faa_search.settings.numbers import real_number
from faa_search.settings.roles import Role

MOST = 10**9  # of what is counted, where no smaller limit is set
LARGEST = 1e300  # of numbers that are not counted; a million times as much is still finite
MOST_EPOCHS = 10**6
MOST_SIDE = 4096  # pixels
LARGEST_SEED = 2**63 - 1
LONGEST = 4096  # characters of a text; of a path, systems allow no more
# YAML reads these as texts, though everybody means numbers.
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+|[-+]\.\d+", re.ASCII)


def _whole(given: Any) -> Any:
    """Return what counts as a whole number as an int: NumPy's, and 5.0; not true, and not "5"."""
    integral = isinstance(given, Integral) or (isinstance(given, float) and given.is_integer())
    return int(given) if integral and given is not True and given is not False else given


def _real(given: Any) -> Any:
    """Return the number of a text such as 1e-3; anything else as it is."""
    return float(given) if isinstance(given, str) and len(given) < 100 and NUMBER.fullmatch(given) else given


def _usable(text: str) -> str:
    """Return a text that can be a name or a path.

    Raises:
        ValueError: If no system would take it.
    """
    if not text.strip():
        raise ValueError("a text must not be empty; leave the setting out")
    if len(text) > LONGEST:
        raise ValueError(f"a text has at most {LONGEST:,} characters")
    if "\0" in text:
        raise ValueError("a text must not hold a zero byte")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ValueError("a text must not contain an incomplete character") from error
    return text


def as_tuple(given: Any) -> Any:
    """Return a list, which is what files have, as a tuple; anything else as it is."""
    return tuple(given) if isinstance(given, list) else given


def _parts(given: Any) -> Any:
    """Return the parts of a text that separates them by commas, or of a list; anything else as it is."""
    if isinstance(given, str):
        return parts_of(given)
    return as_tuple(given)


def _numbers(given: Any) -> Any:
    """Return the numbers of a text that separates them by commas, or of a list; anything else as it is."""
    if not isinstance(given, str):
        return as_tuple(given)
    try:
        return tuple(real_number(part) for part in _parts(given))
    except ValueError as error:
        raise ValueError("give numbers with commas between them, such as 90,180") from error


Whole = Annotated[int, BeforeValidator(_whole)]
Real = Annotated[FiniteFloat, BeforeValidator(_real)]
Text = Annotated[str, AfterValidator(_usable)]
Positive = Annotated[Real, Field(gt=0, le=LARGEST)]
NonNegative = Annotated[Real, Field(ge=0, le=LARGEST)]
Share = Annotated[Real, Field(ge=0, lt=1)]
Probability = Annotated[Real, Field(ge=0, le=1)]
AreaShare = Annotated[Real, Field(gt=0, le=1)]
Count = Annotated[Whole, Field(ge=1, le=MOST)]
CountOrNone = Annotated[Whole, Field(ge=0, le=MOST)]  # zero stands for none
Epochs = Annotated[Whole, Field(ge=1, le=MOST_EPOCHS)]
EpochsOrNone = Annotated[Whole, Field(ge=0, le=MOST_EPOCHS)]
Side = Annotated[Whole, Field(ge=0, le=MOST_SIDE)]  # in pixels; zero stands for none
Batch = Annotated[Whole, Field(ge=1, le=2**20)]  # images, or copies of them, at once
Processes = Annotated[Whole, Field(ge=0, le=1024)]
Seed = Annotated[Whole, Field(ge=0, le=LARGEST_SEED)]

# As a flag: 90,180,240.
PositiveNumbers = Annotated[tuple[Positive, ...], Field(max_length=1000), BeforeValidator(_numbers)]
Names = Annotated[tuple[Text, ...], Field(max_length=1000), BeforeValidator(_parts)]


class Settings(BaseModel):
    """Frozen settings; an unknown key is an error, and so is a value of another type.

    A field that came after version 0.1.0 states by ``json_schema_extra={"formerly": value}`` what runs did before it
    was there: in a run's file that lacks it, it means that, whatever its default is.

    A field's role is its class's, or the one that its type is annotated with.

    Attributes:
        of_what: What they are settings of, for messages.
        role: What the fields decide that the class itself declares; a class that declares any sets it.
        kept_if_given: Fields that a run's file holds only where they were given; without them it means their defaults.
    """

    of_what: ClassVar[str] = "this"
    role: ClassVar[Role]
    kept_if_given: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def formerly(cls) -> dict[str, Any]:
        """Return the value that each field had, in effect, before it was a field; the first fields have none."""
        declared = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {
            name: extra["formerly"]
            for name, extra in declared.items()
            if isinstance(extra, dict) and "formerly" in extra
        }

    def kept(self) -> dict[str, Any]:
        """Return what a run's file holds of the settings, as JSON has them."""
        return self.model_dump(mode="json", exclude=set(self.kept_if_given) - self.model_fields_set)

    @classmethod
    def roles(cls) -> dict[str, Role]:
        """Return what each field decides.

        Raises:
            KeyError: If a class that declares a field has no role.
        """
        found = {}
        for name, field in cls.model_fields.items():
            home = next(base for base in cls.__mro__ if name in inspect.get_annotations(base))
            own = [part for part in field.metadata if isinstance(part, Role)]
            found[name] = own[0] if own else vars(home)["role"]
        return found

    @classmethod
    def names(cls, *roles: Role) -> frozenset[str]:
        """Return the fields that have one of these roles."""
        return frozenset(name for name, role in cls.roles().items() if role in roles)


def changed(config: Settings, of: type[Settings]) -> list[str]:
    """Return which settings of a class differ from their defaults, in settings that have them among others."""
    return [name for name, field in of.model_fields.items() if getattr(config, name) != field.default]


def differences(before: Mapping[str, Any], now: Settings, *, ignoring: Iterable[str]) -> list[str]:
    """Return "key: old → new" for each setting that a run's file and the settings of today have differently.

    Args:
        before: The content of the file.
        now: Today's settings.
        ignoring: Settings that may differ.
    """
    left = {name: type(now).model_fields[name].default for name in now.kept_if_given}
    usual = now.model_copy(update=left).model_dump(mode="json", include=set(left))
    old, new = {**usual, **type(now).formerly(), **before}, now.model_dump(mode="json")
    keys = sorted((old.keys() | new.keys()) - {*ignoring, "command"})
    return [f"{key}: {old.get(key)!r} → {new.get(key)!r}" for key in keys if old.get(key) != new.get(key)]
