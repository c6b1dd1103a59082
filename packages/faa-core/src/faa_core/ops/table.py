"""The standard operations. A policy names these rows, so a row never changes: a new range is a new name.

The first fifteen, in this order, are the search list of Fast AutoAugment (its released code; the paper adds
SamplePairing). Shears, translations and rotations cover a symmetric range and are mirrored besides, so λ and 1 − λ
mean the same and λ = ½ changes nothing.
"""

from functools import cache

from faa_core import geometry, plugins
from faa_core.errors import FaaError
from faa_core.geometry import InverseMap
from faa_core.ops import kernels
from faa_core.ops.operation import Kernel, Operation, Unit

NATURAL_GREY = (125, 123, 114)  # the mean of natural images, as in the original


def _symmetric(name: str, kernel: Kernel, matrix: InverseMap, reach: float, unit: Unit) -> Operation:
    return Operation(
        name=name,
        kernel=kernel,
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


def _abs(name: str, kernel: Kernel, matrix: InverseMap) -> Operation:
    return Operation(
        name=name, kernel=kernel, base=name, high=10.0, unit="pixels", mirrored=True, identity=0.0, matrix=matrix
    )


SHEAR_X = _symmetric("ShearX", kernels.shear_x, geometry.shear_x, 0.3, "fraction")
SHEAR_Y = _symmetric("ShearY", kernels.shear_y, geometry.shear_y, 0.3, "fraction")
TRANSLATE_X = _symmetric("TranslateX", kernels.translate_x, geometry.translate_x, 0.45, "fraction")
TRANSLATE_Y = _symmetric("TranslateY", kernels.translate_y, geometry.translate_y, 0.45, "fraction")
ROTATE = _symmetric("Rotate", kernels.rotate, geometry.rotate, 30.0, "degrees")
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
TRANSLATE_X_ABS = _abs("TranslateXAbs", kernels.translate_x_abs, geometry.translate_x_abs)
TRANSLATE_Y_ABS = _abs("TranslateYAbs", kernels.translate_y_abs, geometry.translate_y_abs)

# The baseline augmentation as operations, which Deep AutoAugment searches over too, and the paper's sixteenth.
FLIP = Operation(name="Flip", kernel=kernels.flip, base="Flip", low=1.0, mirrored=True, matrix=geometry.flip)
CROP = Operation(
    name="Crop",
    kernel=kernels.crop,
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
TRANSLATE_X_WHOLE = _symmetric(
    "TranslateXWhole", kernels.translate_x_whole, geometry.translate_x_whole, 0.45, "fraction"
)
TRANSLATE_Y_WHOLE = _symmetric(
    "TranslateYWhole", kernels.translate_y_whole, geometry.translate_y_whole, 0.45, "fraction"
)
TRANSLATE_X_PIXELS = _symmetric(
    "TranslateXPixels", kernels.translate_x_pixels, geometry.translate_x_pixels, 10.0, "pixels"
)
TRANSLATE_Y_PIXELS = _symmetric(
    "TranslateYPixels", kernels.translate_y_pixels, geometry.translate_y_pixels, 10.0, "pixels"
)

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
