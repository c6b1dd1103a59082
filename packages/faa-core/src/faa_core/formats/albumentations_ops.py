"""Which transforms of albumentations our operations equal, field by field.

Equal means the same function of pixels and place at the same argument; grey levels may differ by a rounding (two at
most, measured), and bilinear sampling along the outline. Not equal are, among others: shears, which turn about the
centre; Equalize, AutoContrast and Sharpen, whose tables and kernels differ from Pillow's; and CoarseDropout, whose
holes lie inside the image.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from faa_core.formats.axes import is_number
from faa_core.formats.leeway import Leeway

FilterAndFill = tuple[str, tuple[int, int, int]]

FILTERS = {0: "nearest", 1: "bilinear"}  # OpenCV's bicubic has another curve
NEAREST_FILTERS = {2: "bicubic"}
MOVING = ("Rotate", "TranslateXPixels", "TranslateYPixels", "TranslateXWhole", "TranslateYWhole")
ANYTHING = object()
MASKS = dict.fromkeys(
    ("fill_mask", "mask_value", "mask_interpolation", "rotate_method", "balanced_scale", "keep_ratio", "cval_mask"),
    ANYTHING,
)  # they do nothing to an image that is neither scaled nor masked


class Effect(NamedTuple):
    """A transform as ours: the kernel's operation, its argument, and (filter, fill) where they matter."""

    base: str
    argument: float = 0.0
    canvas: FilterAndFill | None = None


class _Fields:
    """The fields of one transform; what is asked for and not as it must be is noted as a difference."""

    def __init__(self, kind: str, node: Mapping[str, Any], leeway: Leeway) -> None:
        self.kind = kind
        self.left = {key: node[key] for key in node if key not in ("__class_fullname__", "p")}
        self.exact = True
        self._leeway = leeway
        self.must(always_apply=False)

    def differ(self, field: str, given: object = None, *, why: str = "", instead: str = "left out") -> None:
        """Note that a field has no counterpart."""
        self.exact = False
        self._leeway.differ(f"{self.kind}.{field}" if field else self.kind, given, why=why, instead=instead)

    def must(self, **allowed: Any) -> None:
        """Note the fields that are given and have another value."""
        for name, value in allowed.items():
            given = self.left.pop(name, value)
            if value is not ANYTHING and given != value:
                self.differ(name, given)

    def single(self, name: str, default: float, inner: str | None = None) -> float:
        """Return the one value of a range of no width (or of its part `inner`); the middle of another range."""
        given = self.left.get(name, default) if inner is None else self.left.pop(name, default)
        if inner is None:
            self.left.pop(name, None)
        elif isinstance(given, dict):
            rest = {key: value for key, value in given.items() if key != inner}
            if rest:
                self.left[name] = rest
            given = given.get(inner, default)
        given = default if given is None else given
        ends = given if isinstance(given, list) else [given, given]
        if len(ends) != 2 or not all(is_number(end) for end in ends):
            self.differ(name, given)
            return default
        if ends[0] != ends[1]:
            given = f"from {ends[0]:g} … {ends[1]:g}, where a policy has one value"
            self.differ(f"{name} {given}", instead=f"{(ends[0] + ends[1]) / 2:g}")
        return float(ends[0] + ends[1]) / 2 if ends[0] != ends[1] else float(ends[0])

    def canvas(self) -> FilterAndFill:
        """Return filter and fill of a geometric transform."""
        given = self.left.pop("interpolation", 1)
        interpolation = given if isinstance(given, int) else -1
        if interpolation not in FILTERS:
            self.differ("interpolation", given, instead=NEAREST_FILTERS.get(interpolation, "bilinear"))
        for name in ("border_mode", "mode"):
            mode = self.left.pop(name, 0)
            if mode != 0:
                self.differ(f"{name} {mode!r:.40}, where ours is 0: filled with a colour", instead="filled so")
        given = next((self.left.pop(name) for name in ("fill", "value", "cval") if name in self.left), 0)
        fill = [given or 0] * 3 if not isinstance(given, list) else given
        if len(fill) != 3 or not all(part in range(256) for part in fill):
            self.differ("fill", given, instead="black")
            fill = [0, 0, 0]
        filters = FILTERS | NEAREST_FILTERS
        return filters.get(interpolation, "bilinear"), (int(fill[0]), int(fill[1]), int(fill[2]))


def effect(kind: str, node: Mapping[str, Any], leeway: Leeway) -> Effect | None:
    """Return what a transform is here, or is nearest to, if the leeway allows; else None, which is noted there.

    Args:
        kind: Its class, without the module.
        node: Its fields as serialised.
        leeway: How exact it must be.
    """
    readers: dict[str, Callable[[_Fields], Effect]] = {
        "Affine": _affine,
        "ColorJitter": _jitter,
        "HorizontalFlip": lambda _fields: Effect("Flip", -1.0),
        "InvertImg": lambda _fields: Effect("Invert"),
        "NoOp": lambda _fields: Effect("Identity"),
        "Posterize": lambda fields: Effect("Posterize", fields.single("num_bits", 4)),
        "RandomBrightnessContrast": _contrast,
        "Rotate": _rotate,
        "ShiftScaleRotate": _shift_scale_rotate,
        "Solarize": _solarize,
        "ToGray": _gray,
    }
    reader = readers.get(kind) or (NEAR.get(kind) if leeway.nearest else None)
    if reader is None:
        leeway.differ(kind, instead="left out")
        return None
    fields = _Fields(kind, node, leeway)
    found = reader(fields)
    for name, value in fields.left.items():
        fields.differ(name, value)
    return found if fields.exact or leeway.nearest else None


def transform(base: str, argument: float, interpolation: str, fill: tuple[int, int, int]) -> dict[str, Any] | None:
    """Return the transform (without p) that an operation at an argument is, or None.

    Args:
        base: Our operation whose kernel it is.
        argument: In its unit.
        interpolation: The policy's.
        fill: The policy's, RGB.
    """
    if _does_nothing(base, argument):
        return {"__class_fullname__": "NoOp"}
    if base in ("TranslateXAbs", "TranslateYAbs") and argument == int(argument):
        base = base.replace("Abs", "Pixels")
    filters = {name: number for number, name in FILTERS.items()}
    if base in MOVING and interpolation in filters:
        canvas = {"interpolation": filters[interpolation], "border_mode": 0, "fill": list(fill)}
        return {"__class_fullname__": "Affine", **canvas, **_moved(base, argument)}
    return _pointwise(base, argument)


def _does_nothing(base: str, argument: float) -> bool:
    bounds = {"Solarize": 255 + 1e-9, "Posterize": 8, "Flip": 0}
    return base == "Identity" or (base in bounds and argument >= bounds[base])


def _pointwise(base: str, argument: float) -> dict[str, Any] | None:
    """Return the transform that an operation which moves nothing (but by mirroring) is, or None."""
    match base:
        case "Brightness" | "Contrast" | "Color":
            factors = {"brightness": [1.0, 1.0], "contrast": [1.0, 1.0], "saturation": [1.0, 1.0], "hue": [0.0, 0.0]}
            factors[{"Color": "saturation"}.get(base, base.lower())] = [argument, argument]
            return {"__class_fullname__": "ColorJitter", **factors}
        case "Solarize" if argument >= 0:
            return {"__class_fullname__": "Solarize", "threshold_range": [argument / 255, argument / 255]}
        case "Posterize" if argument >= 1:
            return {"__class_fullname__": "Posterize", "num_bits": [int(argument)] * 2}
        case "Flip" | "Invert":
            return {"__class_fullname__": "HorizontalFlip" if base == "Flip" else "InvertImg"}
    return None


def _moved(base: str, argument: float) -> dict[str, Any]:
    """Return the fields of an Affine that turns or moves; it moves right and down, ours left and up."""
    if base == "Rotate":
        return {"rotate": [argument, argument]}
    axis, other = ("x", "y") if "X" in base else ("y", "x")
    unit, amount = ("translate_percent", -argument) if base.endswith("Whole") else ("translate_px", -int(argument))
    return {unit: {axis: [amount, amount], other: [0, 0]}}


def _affine(fields: _Fields) -> Effect:
    canvas = fields.canvas()
    fields.must(fit_output=False, **MASKS)
    for name, neutral in (("scale", 1), ("shear", 0)):
        for axis in "xy":
            if fields.single(name, neutral, axis) != neutral:
                fields.differ(f"{name}.{axis}")
    moves = [
        Effect("Rotate", fields.single("rotate", 0), canvas),
        Effect("TranslateXWhole", -fields.single("translate_percent", 0, "x"), canvas),
        Effect("TranslateYWhole", -fields.single("translate_percent", 0, "y"), canvas),
        Effect("TranslateXPixels", -fields.single("translate_px", 0, "x"), canvas),
        Effect("TranslateYPixels", -fields.single("translate_px", 0, "y"), canvas),
    ]
    return _only(fields, moves)


def _rotate(fields: _Fields) -> Effect:
    canvas = fields.canvas()
    fields.must(crop_border=False, **MASKS)
    return Effect("Rotate", fields.single("limit", 0), canvas)


def _shift_scale_rotate(fields: _Fields) -> Effect:
    """Read a rotation; a shift is sampled in steps of 1/32 pixel by OpenCV, so that it is only nearly ours."""
    canvas = fields.canvas()
    fields.must(**MASKS)
    moves = [Effect("Rotate", fields.single("rotate_limit", 0), canvas)]
    for name, base in (("shift_limit_x", "TranslateX"), ("shift_limit_y", "TranslateY")):
        if value := fields.single(name, 0):
            fields.differ(name, value, instead=f"{base}, sampled by Pillow")
            moves.append(Effect(base, -value, canvas))
    if value := fields.single("scale_limit", 0):
        fields.differ("scale_limit", value)
    return _only(fields, moves)


def _jitter(fields: _Fields) -> Effect:
    if fields.single("hue", 0):
        fields.differ("hue")
    return _only(
        fields,
        [
            Effect("Brightness", fields.single("brightness", 1)),
            Effect("Contrast", fields.single("contrast", 1)),
            Effect("Color", fields.single("saturation", 1)),
        ],
        neutral=1.0,
    )


def _only(fields: _Fields, effects: list[Effect], neutral: float = 0.0) -> Effect:
    """Return the one of several effects that does something; the identity if none does."""
    acting = [found for found in effects if found.argument != neutral]
    if len(acting) > 1:
        names = " and ".join(found.base for found in acting)
        fields.differ("", why=f"with {names} at once", instead=f"only {acting[0].base}")
    return acting[0] if acting else Effect("Identity")


def _contrast(fields: _Fields) -> Effect:
    """Read albumentations' contrast, which multiplies every value: our brightness."""
    added = fields.single("brightness_limit", 0)
    if added:
        fields.differ("brightness_limit", added, why="it adds, ours multiplies", instead="Brightness")
    fields.must(brightness_by_max=ANYTHING, ensure_safe_range=False)
    return Effect("Brightness", max(0.0, 1 + fields.single("contrast_limit", 0) + added))


def _solarize(fields: _Fields) -> Effect:
    if "threshold" in fields.left:  # before albumentations 2, in grey levels
        return Effect("Solarize", fields.single("threshold", 128))
    return Effect("Solarize", 255 * fields.single("threshold_range", 0.5))


def _gray(fields: _Fields) -> Effect:
    fields.must(method="weighted_average", num_output_channels=3)
    return Effect("Color", 0.0)


def _holes(fields: _Fields) -> Effect:
    """Read holes of a size as one square of the same area."""
    names = ("max_holes", "max_height", "max_width")
    numbers = [fields.left.get(name, 8) for name in names]
    for name in (*names, "min_holes", "min_height", "min_width", "fill_value", "mask_fill_value"):
        fields.left.pop(name, None)
    known = all(is_number(number) and number > 0 for number in numbers)
    side = math.sqrt(math.prod(numbers)) if known else 16.0
    fields.differ("", why="holes inside the image", instead="one grey square of the same area")
    return Effect("CutoutAbs", min(side, 10_000.0))


def _other_tables(fields: _Fields) -> Effect:
    fields.left.clear()
    fields.differ("", why="its tables differ from Pillow's", instead=f"Pillow's {fields.kind}")
    return Effect(fields.kind)


NEAR: Mapping[str, Callable[[_Fields], Effect]] = {
    "AutoContrast": _other_tables,
    "CoarseDropout": _holes,
    "Equalize": _other_tables,
}
