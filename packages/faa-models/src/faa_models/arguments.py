"""Arguments of networks: refused in words where they are of another type, as other wrong values are."""

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["check_rates", "check_whole", "is_finite"]


def check_whole(**values: Any) -> None:
    """Refuse arguments that are not whole numbers.

    Raises:
        ValueError: If one is something else; it is named.
    """
    for name, value in values.items():
        if not isinstance(value, Integral):
            raise ValueError(f"{name} must be a whole number, not {value!r}")


def check_rates(**values: Any) -> None:
    """Refuse arguments that are not numbers in [0, 1].

    Raises:
        ValueError: If one is something else; it is named.
    """
    for name, value in values.items():
        if not is_finite(value) or not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must lie in [0, 1], not {value!r}")


def is_finite(value: Any) -> bool:
    """Return whether a value is a number, and neither endless nor NaN."""
    return isinstance(value, Real) and math.isfinite(value)
