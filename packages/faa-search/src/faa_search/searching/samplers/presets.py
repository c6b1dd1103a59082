"""Which operations keep the meaning of some kinds of image: what a search over such images should leave out.

A search cannot find this out by itself: its reward asks a network, and a network may well call a digit whose stroke is
gone by its old name. The ranges are those of the search list, which a preset does not narrow; so an operation goes when
the far end of its range does harm. Presets err on the safe side; `--exclude-ops` alone is the finer tool.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from faa_core import FaaError, UnknownNameError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What to leave out for one kind of image.

    Attributes:
        name: As `--preset` takes it.
        says: For which images, in one line.
        excludes: Operations, each with the reason.
        flips: Whether a left-right flip keeps the meaning.
    """

    name: str
    says: str
    excludes: Mapping[str, str]
    flips: bool


_STROKES = {
    "TranslateX": "up to 45 % of the width pushes strokes out of the image, or a neighbour to its centre",
    "TranslateY": "up to 45 % of the height pushes strokes out of the image",
    "Solarize": "white strokes on black become black on black",
    "Cutout": "can cover the stroke that tells 8 from 3 or 6",
}
_DIGITS = Preset(
    name="digits",
    says="Digits and letters: what must stay is every stroke, and which way round it is.",
    excludes=MappingProxyType(_STROKES),
    flips=False,
)
_CHARACTERS = Preset(
    name="characters",
    says="Characters of any script: also how a stroke leans tells them apart.",
    excludes=MappingProxyType(
        _STROKES
        | {
            "ShearX": "leans upright strokes, which can make another character",
            "Rotate": "up to 30 degrees makes a leaning stroke upright or level, which can make another character",
        }
    ),
    flips=False,
)
_SIGNS = Preset(
    name="signs",
    says="Traffic signs, labels and logos: colour and figure must stay, and which way round it is.",
    excludes=MappingProxyType(
        {
            "TranslateX": "up to 45 % of the width pushes the figure out of the image",
            "TranslateY": "up to 45 % of the height pushes the figure out of the image",
            "Invert": "turns every colour into its opposite, and red tells a ban from an order",
            "Solarize": "turns bright colours into their opposites",
            "Cutout": "can cover the figure, or a digit of it",
        }
    ),
    flips=False,
)
_MEDICAL_GRAY = Preset(
    name="medical-gray",
    says="Radiographs, CT, MR, ultrasound: the grey value is a measurement, and findings are small.",
    excludes=MappingProxyType(
        {
            "TranslateX": "up to 45 % of the width pushes the finding out of the image",
            "TranslateY": "up to 45 % of the height pushes the finding out of the image",
            "AutoContrast": "rescales the measurement, differently in every image",
            "Invert": "exchanges dense and thin tissue",
            "Equalize": "replaces the measurement by its rank within the image",
            "Solarize": "gives dense and thin tissue the same grey",
            "Posterize": "down to 16 greys, in which faint findings drown",
            "Contrast": "cuts off both ends of the scale at 1.9, and leaves 26 greys at 0.1",
            "Color": "does nothing to grey images, so its trials would be wasted",
            "Brightness": "cuts off what is dense at 1.9, and leaves 26 greys at 0.1",
            "Cutout": "can cover the finding, with a patch that is not even grey",
        }
    ),
    flips=False,
)
_REMOTE_SENSING = Preset(
    name="remote-sensing",
    says="Views from above, labelled by what covers them: proportions between bands are measurements.",
    excludes=MappingProxyType(
        {
            "AutoContrast": "stretches each band by itself, which changes their proportions",
            "Invert": "exchanges what reflects and what absorbs, as water and sand",
            "Equalize": "replaces each band by its ranks, which changes their proportions",
            "Solarize": "gives what reflects and what absorbs the same value",
            "Posterize": "down to 16 values per band, which makes similar covers one",
            "Contrast": "adds the same to all bands, which changes their proportions",
            "Color": "mixes the bands",
        }
    ),
    flips=True,
)
_KEEP_COLOR = Preset(
    name="keep-color",
    says="Classes that differ by colour, as ripeness, paint, stains or plumage: hue and saturation must stay.",
    excludes=MappingProxyType(
        {
            "AutoContrast": "stretches each channel by itself, which moves the hue",
            "Invert": "turns every colour into its opposite",
            "Equalize": "evens out each channel by itself, which moves the hue",
            "Solarize": "turns bright colours into their opposites",
            "Posterize": "rounds each channel by itself, which moves the hue",
            "Contrast": "takes away saturation at 0.1, and cuts channels off at 1.9",
            "Color": "changes the saturation",
            "Brightness": "cuts channels off at 1.9, which moves the hue: orange becomes yellow",
        }
    ),
    flips=True,
)
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.name: preset for preset in (_DIGITS, _CHARACTERS, _SIGNS, _MEDICAL_GRAY, _REMOTE_SENSING, _KEEP_COLOR)}
)


def chosen_operations(all_ops: Sequence[str], *, preset: str | None, exclude: Sequence[str]) -> tuple[str, ...]:
    """Return the operations that remain, in their order.

    Args:
        all_ops: Names to choose from.
        preset: Name of a preset whose operations to leave out; None for none.
        exclude: Names of further operations to leave out.

    Raises:
        UnknownNameError: If there is no such preset, or no such operation in `all_ops`.
        FaaError: If nothing remains.
    """
    if preset is not None and preset not in PRESETS:
        raise UnknownNameError("preset of operations", preset, PRESETS)
    for name in exclude:
        if name not in all_ops:
            raise UnknownNameError("operation of the search", name, all_ops)
    left_out = {*exclude, *(PRESETS[preset].excludes if preset is not None else ())}
    remaining = tuple(name for name in all_ops if name not in left_out)
    if not remaining:
        also = f", and the preset {preset} the others" if preset is not None else ""
        raise FaaError(f"Nothing is left to search: {', '.join(exclude)} are excluded{also}. Exclude fewer operations.")
    return remaining
