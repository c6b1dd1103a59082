"""Which operations of ours mmpretrain's transforms of images are, field by field."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats.axes import is_number
from faa_core.formats.entries import Entry
from faa_core.formats.evaluating import Unknown
from faa_core.formats.leeway import Leeway
from faa_core.operations import operation
from faa_core.policies.document import OperationRow

GREY = (128, 128, 128)
HAIR = 1e-9  # they round bits up, our kernel cuts
FILTERS = {"Shear": "bicubic", "Translate": "nearest", "Rotate": "nearest"}  # of transforms that move pixels
FACTORS = {"Contrast": "Contrast", "ColorTransform": "Color", "Brightness": "Brightness", "Sharpness": "Sharpness"}
PLAIN = ("AutoContrast", "Equalize", "Invert")
ARGUMENTS = {"Rotate": "angle", "Solarize": "thr", "Posterize": "bits", "Cutout": "shape"}  # else magnitude
COMMON = ("type", "prob", "magnitude_key", "magnitude_range", "random_negative_prob", "interpolation", "pad_val")


class _Transform(NamedTuple):
    """What one of their transforms is: the kernel, whether it has a sign, and how its argument becomes ours."""

    base: str
    signed: bool
    factor: float = 1.0
    offset: float = 0.0


class Sampling:
    """How pixels are sampled and filled by all operations of a policy, which has one way; others are differences."""

    def __init__(self, hparams: Mapping[str, Any], leeway: Leeway) -> None:
        self._hparams, self._leeway = hparams, leeway
        self._filters: Counter[str] = Counter()
        self._fills: Counter[tuple[int, int, int]] = Counter()

    def of(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Count what a transform that moves pixels sets, or gets from hparams."""
        given = {**self._hparams, **fields}
        self._filters[str(_read(given.get("interpolation", FILTERS[kind]), "interpolation"))] += 1
        self._fills[self.fill(fields)] += 1

    def fill(self, fields: Mapping[str, Any]) -> tuple[int, int, int]:
        """Return the colour in which a transform fills, red first."""
        given = _read({**self._hparams, **fields}.get("pad_val", 128), "pad_val")
        parts = [given] * 3 if is_number(given) else list(given) if isinstance(given, list | tuple) else []
        if len(parts) != 3 or not all(is_number(part) and 0 <= part <= 255 for part in parts):
            raise FaaError(f"pad_val must be one or three numbers in 0 … 255, not {given!r:.60}.")
        blue, green, red = (round(part) for part in parts)
        return red, green, blue

    def settled(self) -> dict[str, Any]:
        """Return interpolation and fill of the policy: those of most transforms that move pixels."""
        if not self._filters:
            return {}
        (name, _), (fill, _) = self._filters.most_common(1)[0], self._fills.most_common(1)[0]
        if len(self._filters) > 1 or len(self._fills) > 1:
            ways = ", ".join([*self._filters, *map(str, self._fills)])
            self._leeway.differ(
                f"several ways to sample and fill ({ways}), of which a policy has one", instead=f"{name}, {fill}"
            )
        chosen = name if name in ("nearest", "bilinear", "bicubic") else "bicubic"
        if name not in ("nearest", "bilinear"):
            self._leeway.differ(f"interpolation {name!r}", why="OpenCV's", instead=f"Pillow's {chosen}")
        return {"interpolation": chosen, "fill": fill}


def kind_of(fields: Mapping[str, Any]) -> str:
    """Return the class of a transform, without its module; empty where it has none."""
    given = fields.get("type", "")
    name = given.text if isinstance(given, Unknown) else given
    return name.rpartition(".")[2] if isinstance(name, str) else ""


def entry_of(fields: Mapping[str, Any], sampling: Sampling, leeway: Leeway) -> Entry | None:
    """Return a transform at one argument; None where nothing is like it, which is noted."""
    known = _known(fields, leeway)
    if known is None:
        return None
    kind, found, p = known
    if kind in PLAIN:
        return Entry(found.base, p)
    if "magnitude_range" in fields:
        leeway.differ(f"{kind}.magnitude_range in a table of sub-policies", instead="its middle")
    low, high = _ends(kind, fields)
    mirrored, sign = _signs(kind, found, fields, leeway)
    _sample(kind, fields, sampling, leeway)
    return Entry(found.base, p, found.offset + sign * found.factor * (low + high) / 2, mirrored)


def ranged(
    fields: Mapping[str, Any], reach: float, sampling: Sampling, leeway: Leeway
) -> tuple[str, OperationRow | None, float] | None:
    """Return name, axis and probability of a transform in a RandAugment; None where nothing is like it.

    Args:
        fields: The transform's.
        reach: How far beyond the last of its levels the axis must go, as a multiple.
        sampling: Told how it samples.
        leeway: Told what differs.
    """
    known = _known(fields, leeway)
    if known is None:
        return None
    kind, found, p = known
    if kind in PLAIN:
        return found.base, None, p
    low, high = _ends(kind, fields)
    mirrored, sign = _signs(kind, found, fields, leeway)
    _sample(kind, fields, sampling, leeway)
    ends = [found.offset + sign * found.factor * end for end in (low, low + reach * (high - low))]
    fill = sampling.fill(fields) if kind == "Cutout" else None
    unit = operation(found.base).unit
    row = OperationRow(kernel=found.base, low=ends[0], high=ends[1], unit=unit, mirrored=mirrored, fill=fill)
    return f"mm.{found.base}", row, p


def _known(fields: Mapping[str, Any], leeway: Leeway) -> tuple[str, _Transform, float] | None:
    """Return class, meaning and probability of a transform; None where nothing is like it, which is noted."""
    kind = kind_of(fields)
    found = _transform(kind, fields, leeway)
    return None if found is None else (kind, found, _probability(kind, fields))


def _transform(kind: str, fields: Mapping[str, Any], leeway: Leeway) -> _Transform | None:
    """Return what a transform is; fields that mean nothing to us are noted."""
    across = fields.get("direction", "horizontal") == "horizontal"
    known = {
        **{name: _Transform(name, signed=False) for name in (*PLAIN, "Solarize", "SolarizeAdd")},
        **{name: _Transform(own, signed=True, offset=1.0) for name, own in FACTORS.items()},
        "Posterize": _Transform("Posterize", signed=False, offset=1 - HAIR),
        "Rotate": _Transform("Rotate", signed=True, factor=-1.0),  # they turn clockwise
        "Shear": _Transform("ShearX" if across else "ShearY", signed=True, factor=-1.0),
        "Translate": _Transform("TranslateX" if across else "TranslateY", signed=True, factor=-1.0),
        "Cutout": _Transform("CutoutAbs", signed=False),
    }
    if kind not in known:
        leeway.differ(kind, instead="left out")
        return None
    if kind == "Cutout":
        leeway.differ(kind, why="places its square otherwise", instead="ours")
    neutral = {"direction": fields.get("direction", ""), "center": None, "scale": 1.0, "thr": 128}
    for name, value in fields.items():
        if name in (*COMMON, ARGUMENTS.get(kind, "magnitude")) or (name in neutral and value == neutral[name]):
            continue
        leeway.differ(f"{kind}.{name}", _read(value, name), instead="left out")
    return known[kind]


def _signs(kind: str, found: _Transform, fields: Mapping[str, Any], leeway: Leeway) -> tuple[bool, float]:
    """Return whether a sign is drawn, and the sign where none is."""
    if not found.signed:
        return False, 1.0
    share = _read(fields.get("random_negative_prob", 0.5), "random_negative_prob")
    if share in (0, 1):
        return False, 1.0 - 2.0 * share
    if share != 0.5:
        leeway.differ(f"{kind}.random_negative_prob", share, instead="0.5")
    return True, 1.0


def _sample(kind: str, fields: Mapping[str, Any], sampling: Sampling, leeway: Leeway) -> None:
    if kind in FILTERS:
        sampling.of(kind, fields)


def _probability(kind: str, fields: Mapping[str, Any]) -> float:
    p = _read(fields.get("prob", 0.5), "prob")
    if not is_number(p) or not 0 <= p <= 1:
        raise FaaError(f"{kind}.prob must lie in 0 … 1, not be {p!r:.40}.")
    return float(p)


def _ends(kind: str, fields: Mapping[str, Any]) -> tuple[float, float]:
    """Return the arguments at both ends of a transform's levels, as the file gives them."""
    own = ARGUMENTS.get(kind, "magnitude")
    given = _read(fields.get("magnitude_range", fields.get(own)), own)
    ends = list(given) if isinstance(given, list | tuple) else [given, given]
    if len(ends) != 2 or not all(is_number(end) for end in ends):
        raise FaaError(f"{kind} needs {own} or magnitude_range in numbers, not {given!r:.40}.")
    return float(ends[0]), float(ends[1])


def _read(value: Any, name: str) -> Any:
    if isinstance(value, Unknown):
        raise FaaError(f"{name} is not a number that can be read without executing the file: {value.text}.")
    return value
