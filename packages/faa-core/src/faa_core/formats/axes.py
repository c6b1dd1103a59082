"""Between an argument in its unit and λ, and between policies and what other formats can say."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from faa_core.errors import FaaError
from faa_core.formats.leeway import Leeway
from faa_core.operations import Operation, operation
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import SubPolicies
from faa_core.policies.policy import Policy

Kind = TypeVar("Kind", bound=Policy)
ALIKE = {  # which the same pixels have but for the rounding of a shift
    **{f"Translate{axis}Whole": f"Translate{axis}" for axis in "XY"},
    **{f"Translate{axis}Pixels": f"Translate{axis}Abs" for axis in "XY"},
}


def is_number(value: Any) -> bool:
    """Return whether a value from a file is a number of sane size: no truth value, no NaN, nothing endless."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def position(row: Operation, argument: float) -> float | None:
    """Return the λ in [0, 1] whose argument is the one given, to the last bit where a float allows; None if outside.

    Args:
        row: The operation.
        argument: In its unit.
    """
    if row.low == row.high:
        return 0.0 if argument == row.low else None
    guess = min(1.0, max(0.0, (argument - row.low) / (row.high - row.low)))
    near = [guess, math.nextafter(guess, 0.0), math.nextafter(guess, 1.0)]
    best = min(near, key=lambda magnitude: abs(row.argument(magnitude) - argument))
    return best if math.isclose(row.argument(best), argument, rel_tol=1e-12, abs_tol=1e-12) else None


def on_axis(row: Operation, magnitude: float, target: Operation) -> float | None:
    """Return the λ at which another operation does the same to every image, or None if there is none.

    Args:
        row: The operation that is used.
        magnitude: Its λ.
        target: Another axis of the same kernel.
    """
    if (row.kernel, row.fill) != (target.kernel, target.fill):
        return None
    if (row.low, row.high, row.mirrored) == (target.low, target.high, target.mirrored):
        return magnitude
    argument, mirror = row.argument(magnitude), row.argument(magnitude, reflected=True)
    if row.mirrored != target.mirrored and argument != mirror:
        return None
    found = position(target, argument)
    return position(target, mirror) if found is None and target.mirrored else found


def nearest_axis(row: Operation, magnitude: float, targets: Iterable[Operation]) -> tuple[Operation, float] | None:
    """Return the axis that comes nearest to a use of an operation, and λ on it; None if none has such pixels.

    Args:
        row: The operation that is used.
        magnitude: Its λ.
        targets: Axes to choose from.
    """
    alike, argument = operation(ALIKE.get(row.base, row.base)), row.argument(magnitude)
    found = []
    for target in targets:
        if target.kernel not in (row.kernel, alike.kernel):
            continue
        span = target.high - target.low
        places = [
            0.0 if span == 0 else min(1.0, max(0.0, (end - target.low) / span))
            for end in (argument, 2 * target.neutral - argument if target.mirrored else argument)
        ]
        found += [(abs(target.argument(place) - argument), target, place) for place in places[:1]]
        found += [
            (abs(2 * target.neutral - target.argument(place) - argument), target, place)
            for place in places[1:]
            if target.mirrored
        ]
    return min(found, key=lambda near: near[0])[1:] if found else None


def differ_in_noise(policy: SubPolicies, leeway: Leeway) -> None:
    """Note noise on the magnitudes, for formats that cannot express it."""
    if policy.magnitude_std:
        leeway.differ(f"the policy has noise on its magnitudes ({policy.magnitude_std:g})", instead="left out")


def words(row: Operation, magnitude: float) -> str:
    """Return a use of an operation in words, for messages."""
    either = f" or {row.argument(magnitude, reflected=True):g}" if row.mirrored else ""
    at = "" if row.unit == "none" else f" at {row.argument(magnitude):g}{either} {row.unit}"
    return f"'{row.name}'" + (f" ({row.base}{at})" if row.base != row.name else at)


def parts(row: Operation, magnitude: float) -> tuple[str, str]:
    """Return the name of an operation and the rest of `words` about its use."""
    name = f"'{row.name}'"
    return name, words(row, magnitude).removeprefix(name).strip()


def build(kind: type[Kind], fields: Mapping[str, Any]) -> Kind:
    """Return a policy of converted fields.

    Raises:
        FaaError: If the fields are not a policy, such as an empty list.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "too_short":
            raise FaaError(f"It gives no policy: its {place} must have one entry or more, and have none.") from error
        raise FaaError(f"It gives no valid policy: {place}: {first['msg']} (given {first['input']!r:.80}).") from error


def place(prefix: str, base: str, argument: float, *, mirrored: bool = False) -> tuple[str, OperationRow | None, float]:
    """Return name, row (None: the standard table's) and λ of a kernel at one argument.

    Args:
        prefix: Of the name, where the standard axis does not hold the argument exactly.
        base: Operation of the standard table.
        argument: In its unit.
        mirrored: Whether either sign is meant.
    """
    row = operation(base)
    magnitude = position(row, argument) if row.mirrored == mirrored else None
    if row.unit == "none" and base != "Flip":
        return base, None, 0.0
    if magnitude is not None and row.argument(magnitude) == argument:
        return base, None, magnitude
    own = OperationRow(kernel=base, low=argument, high=argument, unit=row.unit, mirrored=mirrored)
    return f"{prefix}.{base}({'±' if mirrored else ''}{argument!r})", own, 0.0
