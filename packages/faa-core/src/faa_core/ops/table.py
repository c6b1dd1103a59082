"""The standard operations. A policy names these rows, so a row never changes: a new range is a new name.

The first fifteen, in this order, are the search list of Fast AutoAugment (its released code; the paper adds
SamplePairing). Shears, translations and rotations cover a symmetric range and are mirrored besides, so λ and 1 − λ
mean the same and λ = ½ changes nothing.
"""

from dataclasses import replace
from functools import cache

from faa_core import plugins
from faa_core.errors import FaaError
from faa_core.ops import geometry, kernels
from faa_core.ops.geometry import InverseMap
from faa_core.ops.operation import Kernel, Operation, Unit

NATURAL_GREY = (125, 123, 114)  # the mean of natural images, as in the original


def _symmetric(name: str, matrix: InverseMap, reach: float, unit: Unit) -> Operation:
    return Operation(
        name=name,
        kernel=kernels.Moved(matrix),
        base=name,
        low=-reach,
        high=reach,
        unit=unit,
        mirrored=True,
        identity=0.5,
        matrix=matrix,
    )


def _enhancement(name: str, kernel: Kernel) -> Operation:
    return Operation(name=name, kernel=kernel, base=name, low=0.1, high=1.9, unit="factor", identity=0.5)


def _abs(name: str, matrix: InverseMap) -> Operation:
    return Operation(
        name=name,
        kernel=kernels.Moved(matrix),
        base=name,
        high=10.0,
        unit="pixels",
        mirrored=True,
        identity=0.0,
        matrix=matrix,
    )


SHEAR_X = _symmetric("ShearX", geometry.shear_x, 0.3, "fraction")
SHEAR_Y = _symmetric("ShearY", geometry.shear_y, 0.3, "fraction")
TRANSLATE_X = _symmetric("TranslateX", geometry.translate_x, 0.45, "fraction")
TRANSLATE_Y = _symmetric("TranslateY", geometry.translate_y, 0.45, "fraction")
ROTATE = replace(_symmetric("Rotate", geometry.rotate, 30.0, "degrees"), kernel=kernels.rotate)
AUTO_CONTRAST = Operation(name="AutoContrast", kernel=kernels.auto_contrast, base="AutoContrast")
INVERT = Operation(name="Invert", kernel=kernels.invert, base="Invert")
EQUALIZE = Operation(name="Equalize", kernel=kernels.equalize, base="Equalize")
SOLARIZE = Operation(
    name="Solarize", kernel=kernels.solarize, base="Solarize", high=256.0, unit="threshold", identity=1.0
)
POSTERIZE = Operation(
    name="Posterize", kernel=kernels.posterize, base="Posterize", low=4.0, high=8.0, unit="bits", identity=1.0
)
CONTRAST = _enhancement("Contrast", kernels.contrast)
COLOR = _enhancement("Color", kernels.color)
BRIGHTNESS = _enhancement("Brightness", kernels.brightness)
SHARPNESS = _enhancement("Sharpness", kernels.sharpness)
CUTOUT = Operation(
    name="Cutout",
    kernel=kernels.cutout,
    base="Cutout",
    high=0.2,
    unit="fraction",
    identity=0.0,
    fill=NATURAL_GREY,
)

# The rest of AutoAugment's ranges in the released code of Fast AutoAugment.
CUTOUT_ABS = Operation(
    name="CutoutAbs",
    kernel=kernels.cutout_abs,
    base="CutoutAbs",
    high=20.0,
    unit="pixels",
    identity=0.0,
    fill=NATURAL_GREY,
)
POSTERIZE_2 = Operation(name="Posterize2", kernel=kernels.posterize, base="Posterize2", high=4.0, unit="bits")
TRANSLATE_X_ABS = _abs("TranslateXAbs", geometry.translate_x_abs)
TRANSLATE_Y_ABS = _abs("TranslateYAbs", geometry.translate_y_abs)

# The baseline augmentation as operations, which Deep AutoAugment searches over too, and the paper's sixteenth.
FLIP = Operation(name="Flip", kernel=kernels.flip, base="Flip", low=1.0, mirrored=True, matrix=geometry.flip)
CROP = Operation(
    name="Crop",
    kernel=kernels.Moved(geometry.crop),
    base="Crop",
    high=4.0,
    unit="pixels",
    identity=0.0,
    fill=NATURAL_GREY,
    matrix=geometry.crop,
)
RANDOM_RESIZED_CROP = Operation(
    name="RandomResizedCrop",
    kernel=kernels.random_resized_crop,
    base="RandomResizedCrop",
    low=1.0,
    high=0.08,
    unit="fraction",
    matrix=geometry.random_resized_crop,
)
SAMPLE_PAIRING = Operation(
    name="SamplePairing", kernel=kernels.sample_pairing, base="SamplePairing", high=0.4, unit="fraction", identity=0.0
)

# For policies of other sources, which lift dark values, translate by whole pixels and may keep the image.
SOLARIZE_ADD = Operation(
    name="SolarizeAdd", kernel=kernels.solarize_add, base="SolarizeAdd", high=110.0, unit="value", identity=0.0
)
IDENTITY = Operation(name="Identity", kernel=kernels.identity, base="Identity")
TRANSLATE_X_WHOLE = _symmetric("TranslateXWhole", geometry.translate_x_whole, 0.45, "fraction")
TRANSLATE_Y_WHOLE = _symmetric("TranslateYWhole", geometry.translate_y_whole, 0.45, "fraction")
TRANSLATE_X_PIXELS = _symmetric("TranslateXPixels", geometry.translate_x_pixels, 10.0, "pixels")
TRANSLATE_Y_PIXELS = _symmetric("TranslateYPixels", geometry.translate_y_pixels, 10.0, "pixels")

SEARCH_LIST = (
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    AUTO_CONTRAST,
    INVERT,
    EQUALIZE,
    SOLARIZE,
    POSTERIZE,
    CONTRAST,
    COLOR,
    BRIGHTNESS,
    SHARPNESS,
    CUTOUT,
)


@cache
def operation(name: str) -> Operation:
    """Return the installed operation of a name, ours or a plugin's.

    Raises:
        UnknownNameError: If no installed package offers it.
        FaaError: If what a plugin offers is no operation of that name.
    """
    row = plugins.load("faa.ops", name, kind="operation", hint="`faa doctor` lists them.")
    if not isinstance(row, Operation) or row.name != name:
        raise FaaError(f"The plugin '{name}' of group faa.ops must be an Operation of that name, not {row!r}.")
    return row
